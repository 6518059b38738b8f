//! An amendment that is killed, or loses its power, at any step: under the database's name there is always the one file or
//! the other, the next run ends as if nothing had happened, and undo gives the original back byte for byte.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::error::Result;
use exutil::format::record::ColumnChange;
use exutil::format::schema::Coltyp;
use exutil::format::stamp::LogTime;
use exutil::ops::amend::{AmendOptions, AmendReport, amend, take_back};
use exutil::progress::Silent;
use exutil::repair::Amendments;
use exutil::storage::{Crash, Disk, Memory, MemoryDisk};
use exutil::tree::walk::for_each_node;
use exutil::undo::UndoFile;

const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);
/// Both header pages of the sample, which differ from run to run in their signatures.
const HEADERS: usize = 2 * 4096;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A database, changes of it, and a folder that lends its name: the files are in memory.
struct Scene {
    dir: tempfile::TempDir,
    before: Vec<u8>,
    links: bool,
    options: AmendOptions,
    amendments: Amendments,
}

fn database(bytes: &[u8]) -> Database {
    let storage = Box::new(Memory::new(bytes.to_vec()));
    Database::from_storage(storage, Path::new("a.edb"), None).unwrap()
}

/// In each table of a user's one row goes, and another gets a value.
fn amendments(bytes: &[u8]) -> Amendments {
    let db = database(bytes);
    let schema = Schema::read(&db);
    let mut all = Amendments::default();
    for table in schema.tables.values().filter(|table| !table.is_system()) {
        let mut keys = Vec::new();
        for_each_node(
            &db,
            table.root,
            |_, _, node| keys.push(node.key()),
            |_, _| {},
        );
        if let Some(key) = keys.first() {
            all.drop_row(table.objid, key);
        }
        let in_key = |fid| {
            let mut primary = table.primary_index().into_iter();
            primary.any(|index| index.segments.iter().any(|segment| segment.fid == fid))
        };
        let column = table
            .columns
            .iter()
            .find(|column| column.coltyp == Coltyp::Long && !in_key(column.fid));
        if let (Some(key), Some(column)) = (keys.get(1), column) {
            let change = ColumnChange {
                fid: column.fid,
                derived: false,
                values: vec![b"four".to_vec()],
            };
            all.set(table.objid, key, change);
        }
    }
    assert!(all.len() > 1, "{all:?}");
    all
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let before = std::fs::read(Path::new("testdata").join("mini-4k.edb")).unwrap();
        let options = AmendOptions {
            path: dir.path().join("a.edb"),
            temp: None,
            undo_file: None,
            keep_undo: true,
            operation: "isinteg".to_owned(),
            now: NOW,
        };
        Self {
            dir,
            amendments: amendments(&before),
            before,
            links: true,
            options,
        }
    }

    fn disk(&self) -> MemoryDisk {
        let disk = MemoryDisk::new([(self.options.path.clone(), self.before.clone())]);
        if self.links {
            disk
        } else {
            disk.without_links()
        }
    }

    fn run(&self, disk: &dyn Disk) -> Result<AmendReport> {
        let verify = &mut |_: &Database| Ok(());
        amend(&self.options, &self.amendments, verify, disk, &Silent)
    }

    fn undo(&self) -> PathBuf {
        self.dir.path().join("a.edb.undo")
    }

    /// The file that an uninterrupted run leaves, and its steps.
    fn whole(&self) -> (Vec<u8>, u64) {
        let memory = self.disk();
        let disk = Crash::after(memory.clone(), u64::MAX);
        let report = self.run(&disk).unwrap();
        assert!(report.rows_changed > 0 && report.rows_removed > 0);
        let after = memory.files()[&self.options.path].clone();
        assert!(after != self.before);
        assert!(disk.steps() > 5, "{}", disk.steps());
        (after, disk.steps())
    }

    /// What a server that starts at that very moment finds.
    fn assert_named(&self, files: &Files, after: &[u8], what: &str) {
        let Some(bytes) = files.get(&self.options.path) else {
            assert!(!self.links, "{what}: nothing has the name");
            return;
        };
        let whole = *bytes == self.before || bytes[HEADERS..] == after[HEADERS..];
        assert!(whole, "{what}: a mixture");
    }

    /// Kills it at every step; in some rounds the power goes as well.
    fn killed_at_every_step(&self) {
        let (after, steps) = self.whole();
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
            self.healed(&disk, &after, &what);
        });
    }

    /// The next run ends as if nothing had happened, and undo takes it back.
    fn healed(&self, disk: &MemoryDisk, after: &[u8], what: &str) {
        self.assert_named(&disk.files(), after, what);
        // Where the new file has its name for good, its rows are gone already: a command that looks anew finds nothing.
        let done = |disk: &MemoryDisk| {
            let files = disk.files();
            let bytes = files.get(&self.options.path);
            bytes.is_some_and(|bytes| bytes[HEADERS..] == after[HEADERS..])
        };
        let taken_back = take_back(&self.options, disk, &Silent).unwrap();
        let again = !done(disk);
        assert!(again || taken_back.is_empty(), "{what}");
        match self.run(disk) {
            Ok(_) => assert!(again, "{what}"),
            Err(error) => {
                assert!(done(disk), "{what}: {error}");
                assert!(error.to_string().contains("no row has this key"), "{what}");
            }
        }
        let files = disk.files();
        assert!(done(disk), "{what}");
        let db = database(&files[&self.options.path]);
        let report = check(&db, None, &CheckOptions::default(), &Silent);
        assert_eq!(report.findings, [], "{what}");
        let left = files.keys().find(|path| {
            let name = path.to_string_lossy();
            name.ends_with("TEMPISINTEG.EDB") || name.ends_with("-2.undo")
        });
        assert_eq!(left, None, "{what}");
        if !self.options.keep_undo {
            assert!(!files.contains_key(&self.undo()), "{what}");
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
    Scene::new().killed_at_every_step();
}

#[test]
fn without_hard_links() {
    let mut scene = Scene::new();
    scene.links = false;
    scene.killed_at_every_step();
}

#[test]
fn with_the_way_back_discarded() {
    let mut scene = Scene::new();
    scene.options.keep_undo = false;
    scene.killed_at_every_step();
}

/// Full at any step, and so full that nothing can be taken back: the number says so, and the next run heals it.
#[test]
fn full_at_every_step() {
    let scene = Scene::new();
    let (after, steps) = scene.whole();
    (0..steps).into_par_iter().for_each(|stop| {
        let what = format!("full at {stop} of {steps}");
        let disk = scene.disk();
        let full = Crash::failing(disk.clone(), stop, io::ErrorKind::StorageFull);
        let error = scene.run(&full).unwrap_err();
        assert_eq!(error.jet().code(), -1808, "{what}: {error}");
        scene.healed(&disk, &after, &what);
    });
}
