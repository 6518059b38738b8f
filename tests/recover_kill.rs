//! Recovery that is killed, or loses its power, at any step: the next run ends as if nothing had happened, or
//! `exutil undo` gives the original bytes back. The files are not part of the project: `EXUTIL_CORPUS` names the
//! directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use common::{Random, needs};
use exutil::error::Result;
use exutil::format::dbheader::DbState;
use exutil::ops::recover::RecoverOptions;
use exutil::ops::undo::{UndoOptions, UndoOutcome, undo_file};
use exutil::storage::{Crash, Disk, MemoryDisk, RealDisk, Storage};
use recovery::{
    Files, assert_same, before, change_header, comparable, databases, folder_of, header_of,
    options, page_size, read_files, reset, run, run_on,
};

/// What a case is there for.
struct Case {
    name: &'static str,
    stops: usize,
    /// What an uninterrupted run does, so that the case stays what it is chosen for.
    is_as_meant: fn(&Whole) -> bool,
}

/// Rolling back; two databases, a new generation of the log and one that is renamed; a database made from nothing.
const CASES: &[Case] = &[
    Case {
        name: "crash-rollbacks",
        stops: 70,
        is_as_meant: |whole| whole.rolled_back > 0,
    },
    Case {
        name: "crash-2dbs",
        stops: 70,
        is_as_meant: |whole| whole.databases == 2 && !whole.created.is_empty(),
    },
    Case {
        name: "r-nodb",
        stops: 60,
        is_as_meant: |whole| whole.created.contains("test.edb"),
    },
];

/// A run from start to end.
struct Whole {
    before: Files,
    after: Files,
    steps: u64,
    rolled_back: u64,
    databases: usize,
    created: BTreeSet<String>,
}

impl Whole {
    fn of(before: Files, change: &(dyn Fn(&mut RecoverOptions) + Sync)) -> Self {
        let dir = folder_of(&before);
        let disk = Crash::after(RealDisk, u64::MAX);
        let mut options = options(dir.path());
        change(&mut options);
        let report = run_on(&options, &disk).unwrap();
        let after = read_files(dir.path());
        let created = after
            .keys()
            .filter(|name| !before.contains_key(*name) && *name != "edb.undo")
            .cloned()
            .collect();
        // Taking it back gives every byte back and removes what came.
        let undone = undo_file(&dir.path().join("edb.undo"), UndoOptions::default()).unwrap();
        assert_eq!(undone.outcome, UndoOutcome::Restored);
        assert_same(&without_undo(&read_files(dir.path())), &before, "undone");
        Self {
            before,
            after: comparable(&after),
            steps: disk.steps(),
            rolled_back: report.counts.rolled_back,
            databases: report.databases.len(),
            created,
        }
    }
}

fn without_undo(files: &Files) -> Files {
    let mut files = files.clone();
    files.retain(|name, _| !name.ends_with(".undo"));
    files
}

/// What a run left when it stopped: another run ends as it would have, and undo takes it back.
fn check_leftover(whole: &Whole, options: &RecoverOptions, dir: &Path, what: &str) {
    let left = read_files(dir);
    run(options).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_same(&comparable(&read_files(dir)), &whole.after, what);
    reset(dir, &left);
    let path = dir.join("edb.undo");
    if left.contains_key("edb.undo") {
        // An undo file that was not finished cannot be read; then nothing has been changed.
        let undone = undo_file(&path, UndoOptions::default());
        if let Ok(report) = &undone {
            assert!(
                matches!(
                    report.outcome,
                    UndoOutcome::Restored | UndoOutcome::NothingToDo
                ),
                "{what}: {report:?}"
            );
        }
    }
    assert_same(&without_undo(&read_files(dir)), &whole.before, what);
}

fn kill(whole: &Whole, stop: u64, change: &(dyn Fn(&mut RecoverOptions) + Sync), what: &str) {
    let dir = folder_of(&whole.before);
    let mut options = options(dir.path());
    change(&mut options);
    let disk = Crash::after(RealDisk, stop);
    assert!(run_on(&options, &disk).is_err(), "{what}");
    check_leftover(whole, &options, dir.path(), what);
}

#[test]
fn killed_at_random_steps() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for case in CASES {
        let whole = Whole::of(before(&corpus, case.name), &|_| {});
        assert!((case.is_as_meant)(&whole), "{}", case.name);
        let mut random = Random(case.name.len() as u64);
        let mut stops: BTreeSet<u64> = BTreeSet::new();
        while stops.len() < case.stops.min(whole.steps as usize) {
            stops.insert(random.below(whole.steps as usize) as u64);
        }
        let stops: Vec<u64> = stops.into_iter().collect();
        stops.par_iter().for_each(|stop| {
            let what = format!("{} stopped at {stop} of {}", case.name, whole.steps);
            kill(&whole, *stop, &|_| {}, &what);
        });
    }
}

#[test]
fn killed_at_every_step() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let truncating = |options: &mut RecoverOptions| options.truncate_logs = true;
    for name in ["crash-created", "crash-flush-4k"] {
        let whole = Whole::of(before(&corpus, name), &truncating);
        assert!(whole.steps > 20, "{name}: {}", whole.steps);
        (0..whole.steps).into_par_iter().for_each(|stop| {
            let what = format!("{name} stopped at {stop} of {}", whole.steps);
            kill(&whole, stop, &truncating, &what);
        });
    }
}

/// A second run that takes the first one back is killed as well.
#[test]
fn killed_twice() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let whole = Whole::of(before(&corpus, "crash-2dbs"), &|_| {});
    (0..30_u64).into_par_iter().for_each(|number| {
        let mut random = Random(number);
        let first = whole.steps / 3 + random.below(whole.steps as usize * 2 / 3) as u64;
        let second = random.below(whole.steps as usize) as u64;
        let dir = folder_of(&whole.before);
        let options = options(dir.path());
        let what = format!("stopped at {first} and {second} of {}", whole.steps);
        let _ = run_on(&options, &Crash::after(RealDisk, first));
        let _ = run_on(&options, &Crash::after(RealDisk, second));
        check_leftover(&whole, &options, dir.path(), &what);
    });
}

/// A real disk with a twin in memory that can lose its power.
struct Twin {
    memory: MemoryDisk,
}

struct TwinFile {
    real: Box<dyn Storage>,
    memory: Box<dyn Storage>,
}

impl Storage for TwinFile {
    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.real.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.memory.write_at(offset, bytes)?;
        self.real.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)?;
        self.real.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.memory.sync()
    }
}

impl Disk for Twin {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        RealDisk.open(path)
    }

    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(Box::new(TwinFile {
            real: RealDisk.open_rw(path)?,
            memory: self.memory.open_rw(path)?,
        }))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(Box::new(TwinFile {
            real: RealDisk.create(path)?,
            memory: self.memory.create(path)?,
        }))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.memory.remove(path)?;
        RealDisk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.memory.rename(from, to)?;
        RealDisk.rename(from, to)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        RealDisk.exists(path)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        RealDisk.canonical(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.memory.sync_dir(dir)
    }
}

/// Stopped by a power failure, a run leaves any part of what it had not made durable.
#[test]
fn power_is_lost() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for case in CASES {
        let whole = Whole::of(before(&corpus, case.name), &|_| {});
        (0..40_u64).into_par_iter().for_each(|number| {
            let random = Mutex::new(Random(number));
            let stop = random.lock().unwrap().below(whole.steps as usize + 1) as u64;
            let what = format!("{}: power lost at {stop}, seed {number}", case.name);
            let dir = folder_of(&whole.before);
            let options = options(dir.path());
            let at = |name: &String| dir.path().join(name);
            let memory = MemoryDisk::new(
                whole
                    .before
                    .iter()
                    .map(|(name, bytes)| (at(name), bytes.clone())),
            );
            let twin = Twin {
                memory: memory.clone(),
            };
            let _ = run_on(&options, &Crash::after(twin, stop));
            // All, nothing, or any part of what was not durable.
            let left = memory.power_lost(|| match number % 4 {
                0 => true,
                1 => false,
                _ => random.lock().unwrap().below(2) == 0,
            });
            let left: Files = left
                .files()
                .into_iter()
                .map(|(path, bytes)| {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    (name.to_owned(), bytes)
                })
                .collect();
            reset(dir.path(), &left);
            check_leftover(&whole, &options, dir.path(), &what);
        });
    }
}

/// What a run that stopped left, without its undo file: no database that has changed calls itself clean before every
/// page of all of them is as it will be, and the checkpoint comes after everything else.
#[track_caller]
fn check_order(whole: &Whole, left: &Files, what: &str) -> bool {
    let left = comparable(left);
    let names: Vec<String> = databases(&whole.after);
    let pages = |files: &Files, name: &str| {
        let size = 2 * page_size(&whole.after[name]).bytes();
        files
            .get(name)
            .map(|bytes| bytes[size.min(bytes.len())..].to_vec())
    };
    let pages_are_there = names
        .iter()
        .all(|name| pages(&left, name) == pages(&whole.after, name));
    let mut early = false;
    for name in &names {
        let changed = pages(&left, name) != pages(&whole.before, name);
        let clean = left
            .get(name)
            .and_then(|bytes| header_of(bytes))
            .is_some_and(|header| header.db_state() == DbState::CleanShutdown);
        early |= changed && !pages_are_there;
        assert!(!(changed && clean) || pages_are_there, "{what}: {name}");
    }
    let checkpoint = "edb.chk";
    if left.get(checkpoint) != whole.before.get(checkpoint) {
        for (name, bytes) in &whole.after {
            assert!(
                left.get(name) == Some(bytes) || name == checkpoint,
                "{what}: {name}"
            );
        }
    }
    early
}

/// A database that is as it was before it was attached: its header calls it clean, and the logs go on behind that.
fn clean_before(corpus: &Path) -> Files {
    let mut files = before(corpus, "crash-rollbacks");
    change_header(files.get_mut("test.edb").unwrap(), |header| {
        header.state = 3;
        assert_eq!(header.db_state(), DbState::CleanShutdown);
    });
    files
}

#[test]
fn a_half_done_run_does_not_look_finished() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut cases: Vec<_> = CASES
        .iter()
        .map(|case| (case.name, before(&corpus, case.name)))
        .collect();
    cases.push(("clean before", clean_before(&corpus)));
    for (name, files) in cases {
        let whole = Whole::of(files, &|_| {});
        let early = (0..whole.steps)
            .into_par_iter()
            .filter(|stop| {
                let dir = folder_of(&whole.before);
                let disk = Crash::after(RealDisk, *stop);
                run_on(&options(dir.path()), &disk).unwrap_err();
                let what = format!("{name} stopped at {stop} of {}", whole.steps);
                check_order(&whole, &read_files(dir.path()), &what)
            })
            .count();
        assert!(early > 0, "{name}: never stopped between two pages");
    }
}
