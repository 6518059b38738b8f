//! Defragmentation that is killed, loses its power, or fills the disk at any step: under the database's name there is always
//! the whole old file or the whole new one, and the next run ends as if nothing had happened.

mod common;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use common::defragging::options;
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::flush_map::FlushMap;
use exutil::error::Result;
use exutil::format::dbheader::{DbHeader, HEADER_BYTES};
use exutil::format::stamp::{LogTime, Signature};
use exutil::ops::defrag::{DefragOptions, DefragReport, defragment};
use exutil::progress::Silent;
use exutil::rebuild::UNFINISHED;
use exutil::storage::{Crash, Disk, Memory, MemoryDisk};

/// What a database's header begins with, behind the checksum.
const MAGIC: [u8; 4] = 0x89AB_CDEF_u32.to_le_bytes();
/// Both header pages of the sample, which differ from run to run in their signatures.
const HEADERS: usize = 2 * 4096;
const THEN: LogTime = LogTime::utc((2026, 1, 2), (3, 4, 5), 0);

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A database, what is asked for, and a folder that lends its name: the files are in memory.
struct Scene {
    dir: tempfile::TempDir,
    before: Vec<u8>,
    links: bool,
    options: DefragOptions,
}

/// What uninterrupted runs leave.
struct New {
    after: Vec<u8>,
    twice: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut before = std::fs::read(Path::new("testdata").join("mini-4k.edb")).unwrap();
        // A database with a flush map.
        let mut header = DbHeader::parse(&before).unwrap();
        header.sign_flush_map = Signature::fresh(THEN);
        for page in before[..HEADERS].chunks_mut(4096) {
            header.write_to(page);
        }
        assert!(before.len() > HEADERS && HEADER_BYTES < 4096);
        let mut options = options(&dir.path().join("a.edb"));
        options.temp = Some(dir.path().join("TEMPDFRG1.EDB"));
        Self {
            dir,
            before,
            links: true,
            options,
        }
    }

    fn named(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn disk(&self) -> MemoryDisk {
        let disk = MemoryDisk::new([(self.options.path.clone(), self.before.clone())]);
        if self.links {
            disk
        } else {
            disk.without_links()
        }
    }

    fn run(&self, disk: &dyn Disk) -> Result<DefragReport> {
        defragment(&self.options, disk, &Silent)
    }

    /// The file that an uninterrupted run leaves, and its steps.
    fn whole(&self) -> (New, u64) {
        let memory = self.disk();
        let disk = Crash::after(memory.clone(), u64::MAX);
        let report = self.run(&disk).unwrap();
        assert!(report.verified);
        let after = memory.files()[&self.options.path].clone();
        assert!(after != self.before);
        assert!(disk.steps() > 5, "{}", disk.steps());
        self.assert_done(&memory.files(), &after, "uninterrupted");
        // Done twice: as with the engine, the indexes of a table then lie the other way round.
        let mut once_more = self.options.clone();
        once_more.backup = None;
        defragment(&once_more, &memory, &Silent).unwrap();
        let twice = memory.files()[&self.options.path].clone();
        (New { after, twice }, disk.steps())
    }

    /// The new file of a database as it was, or of one that had been defragmented already.
    fn is_either(&self, bytes: &[u8], new: &New) -> bool {
        self.is_new(bytes, &new.after) || self.is_new(bytes, &new.twice)
    }

    fn is_new(&self, bytes: &[u8], after: &[u8]) -> bool {
        bytes.len() == after.len() && bytes[HEADERS..] == after[HEADERS..]
    }

    /// What a server that starts at that very moment finds.
    fn assert_named(&self, files: &Files, new: &New, what: &str) {
        let Some(bytes) = files.get(&self.options.path) else {
            panic!("{what}: nothing has the name");
        };
        let whole = *bytes == self.before || self.is_either(bytes, new);
        assert!(whole, "{what}: a mixture");
    }

    fn assert_done(&self, files: &Files, after: &[u8], what: &str) {
        let bytes = &files[&self.options.path];
        assert!(bytes.len() == after.len(), "{what}");
        let memory = Memory::new(bytes.clone());
        let db = Database::from_storage(Box::new(memory), Path::new("a.edb"), None).unwrap();
        // A map that does not belong to it does no harm; after a whole run there is one that does.
        let map = files.get(&self.named("a.jfm"));
        let map = map.and_then(|map| FlushMap::read(&Memory::new(map.clone()), &db));
        assert!(map.is_some(), "{what}");
        let report = check(&db, map.as_ref(), &CheckOptions::default(), &Silent);
        assert_eq!(report.findings, [], "{what}");
        if let Some(backup) = &self.options.backup {
            let kept = files.get(backup);
            assert!(kept == Some(&self.before), "{what}");
        }
        let mut others = files.clone();
        for path in [
            &self.options.path,
            &self.named("a.jfm"),
            &self.named("old.edb"),
        ] {
            others.remove(path);
        }
        assert!(others.is_empty(), "{what}: {:?}", others.keys());
    }

    /// Kills it at every step; in some rounds the power goes as well.
    fn killed_at_every_step(&self) {
        let (new, steps) = self.whole();
        (0..steps * 3).into_par_iter().for_each(|number| {
            let (stop, power) = (number / 3, number % 3);
            let what = format!("stopped at {stop} of {steps}, power {power}");
            let disk = self.disk();
            let ended = self.run(&Crash::after(disk.clone(), stop));
            // Behind the swap only the flush map is left.
            assert!(
                ended.as_ref().is_err() || ended.is_ok_and(|report| report.map_trouble.is_some()),
                "{what}"
            );
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
            self.healed(&disk, &new, &what);
        });
    }

    /// The next run ends as if nothing had happened. Where the new file had its name already, it is done once more.
    fn healed(&self, disk: &MemoryDisk, new: &New, what: &str) {
        let files = disk.files();
        self.assert_named(&files, new, what);
        let swapped = self.is_new(&files[&self.options.path], &new.after);
        let mut again = self.options.clone();
        if files.contains_key(&self.named("old.edb")) {
            // The original has its other name: it need not be given once more.
            assert!(files[&self.named("old.edb")] == self.before, "{what}");
            if swapped {
                again.backup = None;
            } else {
                disk.remove(&self.named("old.edb")).unwrap();
            }
        }
        let temp = self.named("TEMPDFRG1.EDB");
        let is_whole = |left: &&Vec<u8>| {
            left.get(4..8) == Some(&MAGIC) && !left[512..].starts_with(UNFINISHED)
        };
        if let Some(left) = files.get(&temp).filter(is_whole) {
            // Whole, and all but renamed: somebody may have kept it, so that its name is refused.
            assert!(self.is_either(left, new), "{what}");
            let refused = defragment(&again, disk, &Silent).unwrap_err();
            assert_eq!(refused.jet().code(), -1814, "{what}: {refused}");
            disk.remove(&temp).unwrap();
        }
        defragment(&again, disk, &Silent).unwrap_or_else(|error| panic!("{what}: {error}"));
        let done = disk.files();
        let bytes = &done[&self.options.path];
        assert!(
            self.is_new(bytes, if swapped { &new.twice } else { &new.after }),
            "{what}"
        );
        self.assert_done(&done, bytes, what);
    }
}

#[test]
fn swapped_in() {
    Scene::new().killed_at_every_step();
}

#[test]
fn with_the_original_kept() {
    for links in [true, false] {
        let mut scene = Scene::new();
        scene.links = links;
        scene.options.backup = Some(scene.named("old.edb"));
        scene.killed_at_every_step();
    }
}

/// Full at any step: the number says so, the database is as it was or done, and the next run ends well.
#[test]
fn full_at_every_step() {
    let scene = Scene::new();
    let (new, steps) = scene.whole();
    (0..steps).into_par_iter().for_each(|stop| {
        let what = format!("full at {stop} of {steps}");
        let disk = scene.disk();
        let full = Crash::failing(disk.clone(), stop, io::ErrorKind::StorageFull);
        match scene.run(&full) {
            Err(error) => assert_eq!(error.jet().code(), -1808, "{what}: {error}"),
            Ok(report) => assert!(report.map_trouble.is_some(), "{what}"),
        }
        scene.healed(&disk, &new, &what);
    });
}
