//! What an earlier recovery left half done, and one that is still alive: found under any name, taken back or refused.
//! The files are not part of the project: `EXUTIL_CORPUS` names the directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use std::path::Path;
use std::sync::Mutex;

use common::needs;
use exutil::error::Error;
use exutil::format::undofile::UndoStatus;
use exutil::jet::JetError;
use exutil::ops::recover::{RecoverOptions, recover};
use exutil::progress::{Left, Progress, Task};
use exutil::storage::{Crash, Disk, RealDisk};
use exutil::undo::UndoFile;
use recovery::{
    Files, assert_same, before, comparable, folder, folder_of, options, read_files, recovered, run,
    run_on,
};

/// A run that was killed just before its end.
fn interrupted(files: &Files) -> tempfile::TempDir {
    let steps = {
        let dir = folder_of(files);
        let disk = Crash::after(RealDisk, u64::MAX);
        run_on(&options(dir.path()), &disk).unwrap();
        disk.steps()
    };
    let dir = folder_of(files);
    run_on(&options(dir.path()), &Crash::after(RealDisk, steps - 3)).unwrap_err();
    let glance = UndoFile::glance(&RealDisk, &dir.path().join("edb.undo")).unwrap();
    assert_eq!(glance.status, UndoStatus::Sealed);
    dir
}

#[track_caller]
fn assert_refused(error: &Error, words: &str, what: &str) {
    assert_eq!(error.jet(), JetError::FILE_ACCESS_DENIED, "{what}: {error}");
    assert!(error.to_string().contains(words), "{what}: {error}");
}

#[test]
fn an_interrupted_run_is_found_under_any_name() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-2dbs");
    let want = comparable(&recovered(&files));
    for name in [
        "edb.undo",
        "EDB.UNDO",
        "edb-2.undo",
        "Edb-17.Undo",
        "mine",
        "mine.undo",
    ] {
        let dir = interrupted(&files);
        let undo = dir.path().join(name);
        std::fs::rename(dir.path().join("edb.undo"), &undo).unwrap();
        let left = read_files(dir.path());
        let target = folder();
        let to = target.path().join("to");
        let mut dry = options(dir.path());
        dry.dry_run = true;
        let mut copy = options(dir.path());
        copy.to = Some(to.clone());
        for (what, options) in [("dry run", &dry), ("copy", &copy)] {
            let error = run(options).unwrap_err();
            assert_refused(&error, name, what);
            let advice = error.advice().unwrap();
            assert!(advice.contains("exutil undo") && advice.contains("again without"));
            assert_same(&read_files(dir.path()), &left, what);
        }
        assert!(!to.exists(), "{name}");
        let mut other = options(dir.path());
        other.undo_file = Some(target.path().join("other.undo"));
        let report = run(&other).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.taken_back.len(), 1, "{name}");
        assert!(report.taken_back[0].ends_with(name), "{name}");
        let mut now = read_files(dir.path());
        assert!(now.remove(name).is_none(), "{name}");
        now.retain(|other, _| other != "other.undo");
        assert_same(&comparable(&now), &want, name);
    }
    // What only has a name like it, or is of another stream, is left alone.
    let mut more = files;
    more.insert("edb-x.undo".to_owned(), b"text".to_vec());
    more.insert("E01.undo".to_owned(), vec![0; 100]);
    let have = recovered(&more);
    assert!(have.contains_key("edb-x.undo") && have.contains_key("E01.undo"));
}

/// Starts a second run while the first replays.
struct Second<'a> {
    options: &'a RecoverOptions,
    error: Mutex<Option<Error>>,
}

impl Progress for Second<'_> {
    fn start(&self, _task: Task) {}

    fn advance(&self, _amount: u64) {
        let mut error = self.error.lock().unwrap();
        if error.is_none() {
            *error = Some(run(self.options).unwrap_err());
        }
    }

    fn finish(&self) {}
    fn leaves(&self, _left: Left<'_>) {}
}

#[test]
fn a_second_run_leaves_the_first_alone() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-2dbs");
    let want = comparable(&recovered(&files));
    let plain = |dir: &Path| options(dir);
    let other = |dir: &Path| {
        let mut options = options(dir);
        options.undo_file = Some(dir.join("other.undo"));
        options
    };
    let dry = |dir: &Path| {
        let mut options = options(dir);
        options.dry_run = true;
        options
    };
    let kinds: [&dyn Fn(&Path) -> RecoverOptions; 3] = [&plain, &other, &dry];
    for kind in kinds {
        let dir = folder_of(&files);
        let second = kind(dir.path());
        let progress = Second {
            options: &second,
            error: Mutex::new(None),
        };
        recover(&options(dir.path()), &RealDisk, &progress).unwrap();
        let error = progress.error.into_inner().unwrap().unwrap();
        assert_refused(&error, "another run", "while it replays");
        assert_same(&comparable(&read_files(dir.path())), &want, "both ended");
    }
}

/// A sealed undo file of a run that is still writing: neither recovery nor undo takes it back.
#[test]
fn a_live_run_is_not_taken_back() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-created");
    let dir = interrupted(&files);
    let left = read_files(dir.path());
    let alive = RealDisk.open_rw(&dir.path().join("edb.undo")).unwrap();
    assert!(alive.try_lock());
    let error = run(&options(dir.path())).unwrap_err();
    assert_refused(&error, "another run", "recovery");
    for line in [
        "undo edb.undo",
        "undo edb.undo --force",
        "undo edb.undo --dry-run",
        "r edb /d",
    ] {
        let run = common::line(dir.path(), line);
        assert!(run.status != 0, "{line}: {}", run.text());
        assert!(run.stdout.contains("another run"), "{line}: {}", run.text());
        assert_same(&read_files(dir.path()), &left, line);
    }
    drop(alive);
    let run = common::line(dir.path(), "undo edb.undo");
    assert_eq!(run.status, 0, "{}", run.text());
    let mut now = read_files(dir.path());
    now.remove("edb.undo");
    assert_same(&now, &files, "undone");
}
