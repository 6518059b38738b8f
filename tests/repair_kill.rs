//! Repair that is killed, or loses its power, at any step: under the database's name there is always the one file or the
//! other, the next run ends as if nothing had happened, and undo gives the original back byte for byte.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use exutil::check::{CheckOptions, check};
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::error::Result;
use exutil::format::stamp::LogTime;
use exutil::ops::repair::{Outcome, RepairFileOptions, RepairReport, repair};
use exutil::progress::Silent;
use exutil::storage::{Crash, Disk, Memory, MemoryDisk};
use exutil::undo::UndoFile;

const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);
/// Both header pages of the sample, which differ from run to run in their signatures.
const HEADERS: usize = 2 * 4096;

/// A damaged database, what is asked for, and a folder that lends its name: the files are in memory.
struct Scene {
    dir: tempfile::TempDir,
    before: Vec<u8>,
    links: bool,
    options: RepairFileOptions,
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

impl Scene {
    fn new(harm: impl FnOnce(&mut Vec<u8>)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut before = std::fs::read(Path::new("testdata").join("mini-4k.edb")).unwrap();
        harm(&mut before);
        let options = RepairFileOptions::new(dir.path().join("a.edb"), NOW);
        Self {
            dir,
            before,
            links: true,
            options,
        }
    }

    fn damaged() -> Self {
        Self::new(|bytes| {
            damage(bytes, Damage::UnsortedKeys, 3).unwrap();
            damage(bytes, Damage::ZeroPage, 5).unwrap();
        })
    }

    fn disk(&self) -> MemoryDisk {
        let disk = MemoryDisk::new([(self.options.path.clone(), self.before.clone())]);
        if self.links {
            disk
        } else {
            disk.without_links()
        }
    }

    fn run(&self, disk: &dyn Disk) -> Result<RepairReport> {
        repair(&self.options, disk, &Silent)
    }

    /// Where the repaired database goes.
    fn target(&self) -> &Path {
        self.options.to.as_deref().unwrap_or(&self.options.path)
    }

    fn undo(&self) -> PathBuf {
        self.dir.path().join("a.edb.undo")
    }

    /// The file that an uninterrupted run leaves, and its steps.
    fn whole(&self, outcome: Outcome) -> (Vec<u8>, u64) {
        let memory = self.disk();
        let disk = Crash::after(memory.clone(), u64::MAX);
        assert_eq!(self.run(&disk).unwrap().outcome, outcome);
        let after = memory.files()[self.target()].clone();
        assert!(after != self.before);
        assert!(disk.steps() > 5, "{}", disk.steps());
        (after, disk.steps())
    }

    /// What a server that starts at that very moment finds.
    fn assert_named(&self, files: &Files, after: &[u8], outcome: Outcome, what: &str) {
        let Some(bytes) = files.get(&self.options.path) else {
            assert!(!self.links, "{what}: nothing has the name");
            return;
        };
        // What is mended in place is a mixture of both until the next run.
        let whole = *bytes == self.before || bytes[HEADERS..] == after[HEADERS..];
        assert!(whole || outcome == Outcome::Mended, "{what}: a mixture");
    }

    fn assert_repaired(&self, files: &Files, after: &[u8], what: &str) {
        let bytes = &files[self.target()];
        assert!(bytes[HEADERS..] == after[HEADERS..], "{what}");
        let db = Database::from_storage(
            Box::new(Memory::new(bytes.clone())),
            Path::new("a.edb"),
            None,
        );
        let report = check(&db.unwrap(), None, &CheckOptions::default(), &Silent);
        assert_eq!(report.findings, [], "{what}");
        let left = files.keys().find(|path| {
            let name = path.to_string_lossy();
            name.ends_with("TEMPREPAIR.EDB") || name.ends_with("-2.undo")
        });
        assert_eq!(left, None, "{what}");
    }

    /// Kills it at every step; in some rounds the power goes as well.
    fn killed_at_every_step(&self, outcome: Outcome) {
        let (after, steps) = self.whole(outcome);
        (0..steps * 3).into_par_iter().for_each(|number| {
            let (stop, power) = (number / 3, number % 3);
            let what = format!("stopped at {stop} of {steps}, power {power}");
            let disk = self.disk();
            let ended = self.run(&Crash::after(disk.clone(), stop));
            assert!(ended.is_err() || !self.options.keep_undo, "{what}");
            let mut random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let disk = match power {
                0 => disk,
                1 => disk.power_lost(|| false),
                _ => disk.power_lost(|| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random & 1 == 0
                }),
            };
            self.healed(&disk, &after, outcome, &what);
        });
    }

    /// The next run ends as if nothing had happened, and undo takes it back.
    fn healed(&self, disk: &MemoryDisk, after: &[u8], outcome: Outcome, what: &str) {
        self.assert_named(&disk.files(), after, outcome, what);
        let elsewhere = self.options.to.is_some();
        // A target that has its name is whole; only its name was not durable yet.
        if !elsewhere || !disk.files().contains_key(self.target()) {
            self.run(disk)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        self.assert_repaired(&disk.files(), after, what);
        if elsewhere {
            assert!(disk.files()[&self.options.path] == self.before, "{what}");
            assert_eq!(disk.files().len(), 2, "{what}");
            return;
        }
        if !self.options.keep_undo {
            assert!(!disk.files().contains_key(&self.undo()), "{what}");
            return;
        }
        let mut undo = UndoFile::open(disk, &self.undo()).unwrap();
        undo.restore(false)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut left = disk.files();
        left.remove(&self.undo());
        let original = left.remove(&self.options.path);
        assert!(original.as_ref() == Some(&self.before), "{what}");
        assert!(left.is_empty(), "{what}: {:?}", left.keys());
    }
}

#[test]
fn in_place() {
    Scene::damaged().killed_at_every_step(Outcome::Repaired);
}

#[test]
fn without_hard_links() {
    let mut scene = Scene::damaged();
    scene.links = false;
    scene.killed_at_every_step(Outcome::Repaired);
}

#[test]
fn with_the_way_back_discarded() {
    let mut scene = Scene::damaged();
    scene.options.keep_undo = false;
    scene.killed_at_every_step(Outcome::Repaired);
}

#[test]
fn into_another_file() {
    let mut scene = Scene::damaged();
    scene.options.to = Some(scene.dir.path().join("b.edb"));
    scene.killed_at_every_step(Outcome::Repaired);
}

#[test]
fn mended_in_place() {
    // One bit of a used page, and one copy of the header.
    Scene::new(|bytes| bytes[HEADERS + 3 * 4096 + 200] ^= 4).killed_at_every_step(Outcome::Mended);
    Scene::new(|bytes| assert!(damage(bytes, Damage::PrimaryHeader, 1).is_some()))
        .killed_at_every_step(Outcome::Mended);
}

/// Full at any step, and so full that nothing can be taken back: the number says so, and the next run heals it.
#[test]
fn full_at_every_step() {
    let scene = Scene::damaged();
    let (after, steps) = scene.whole(Outcome::Repaired);
    (0..steps).into_par_iter().for_each(|stop| {
        let what = format!("full at {stop} of {steps}");
        let disk = scene.disk();
        let full = Crash::failing(disk.clone(), stop, io::ErrorKind::StorageFull);
        let error = scene.run(&full).unwrap_err();
        assert_eq!(error.jet().code(), -1808, "{what}: {error}");
        scene.healed(&disk, &after, Outcome::Repaired, &what);
    });
}
