//! Hard recovery that is killed at any step: the next run ends as if nothing had happened, and `exutil undo` gives the
//! original bytes of the set and of the folder played forward back.

#[path = "common/backup.rs"]
mod backup;
#[path = "common/recovery.rs"]
mod recovery;
#[path = "common/restore.rs"]
mod restore;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::path::Path;

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use exutil::build::live::BackupForm;
use exutil::build::logs::Tail;
use exutil::ops::restore::{PlayForward, RestoreOptions};
use exutil::ops::undo::{UndoOptions, UndoOutcome, undo_file};
use exutil::storage::{Crash, RealDisk};

use backup::{Run, WITH_IMAGES, WITHOUT_IMAGES};
use recovery::{Files, assert_same, comparable, folder_of, read_files};
use restore::{options, run, run_on};

/// A set, and the server's logs.
struct Sample {
    set: Files,
    server: Files,
}

impl Sample {
    fn new(patched: bool) -> Self {
        let (kind, form) = if patched {
            (WITHOUT_IMAGES[0], BackupForm::PatchFile)
        } else {
            (WITH_IMAGES[5], BackupForm::Trailer)
        };
        let mut writer = Run::new(kind, 2);
        writer.steps(300);
        let made = writer.backup(form);
        writer.steps(200);
        let (_, most) = writer.live.keepable();
        let crash = writer.live.crash(most, Tail::Whole).unwrap();
        let mut set = Files::from([("live.edb".to_owned(), made.database)]);
        set.extend(made.logs.into_iter().map(|log| (log.name, log.bytes)));
        set.extend(made.patch.map(|patch| ("live.pat".to_owned(), patch)));
        let server = crash.logs.into_iter().map(|log| (log.name, log.bytes));
        Self {
            set,
            server: server.collect(),
        }
    }
}

/// What a run is to do, over its two folders.
type Wanted = fn(&Path, &Path) -> RestoreOptions;

fn forward(set: &Path, server: &Path) -> RestoreOptions {
    RestoreOptions {
        forward: PlayForward::From(server.to_owned()),
        ..options(set)
    }
}

fn alone(set: &Path, _: &Path) -> RestoreOptions {
    options(set)
}

fn kept(set: &Path, _: &Path) -> RestoreOptions {
    RestoreOptions {
        keep: true,
        ..options(set)
    }
}

/// The set says that its database goes into the other folder.
fn elsewhere(set: &Path, server: &Path) -> RestoreOptions {
    let text = format!(
        "format = \"exutil restore environment 1\"\n[[database]]\ndestination = ['{}']\n",
        server.join("live.edb").display()
    );
    let environment = set.join("restore-environment.toml");
    if !environment.exists() && set.join("live.edb").exists() && !set.join("restore.undo").exists()
    {
        std::fs::write(&environment, text).unwrap();
    }
    options(set)
}

/// Copies in the other folder are restored.
fn copies(set: &Path, server: &Path) -> RestoreOptions {
    RestoreOptions {
        to: Some(server.to_owned()),
        ..options(set)
    }
}

fn without_undo(files: &Files) -> Files {
    let mut files = files.clone();
    files.retain(|name, _| !name.ends_with(".undo"));
    files
}

/// What is in the folder of a set, but for the file that names the other folder.
fn set_in(dir: &Path) -> Files {
    let mut files = read_files(dir);
    files.remove("restore-environment.toml");
    files
}

fn killed_at_every_step(sample: &Sample, wanted: Wanted, what: &str) {
    let (set, server) = (folder_of(&sample.set), folder_of(&sample.server));
    let disk = Crash::after(RealDisk, u64::MAX);
    run_on(&wanted(set.path(), server.path()), &disk).unwrap();
    let (set_after, server_after) = (set_in(set.path()), read_files(server.path()));
    let steps = disk.steps();
    assert!(steps > 20, "{what}: {steps}");
    (0..steps).into_par_iter().for_each(|stop| {
        let what = format!("{what} stopped at {stop} of {steps}");
        let (set, server) = (folder_of(&sample.set), folder_of(&sample.server));
        let options = wanted(set.path(), server.path());
        assert!(
            run_on(&options, &Crash::after(RealDisk, stop)).is_err(),
            "{what}"
        );
        run(&options).unwrap_or_else(|error| panic!("{what}: {error}"));
        let left = set_in(set.path());
        assert_same(&comparable(&left), &comparable(&set_after), &what);
        let left = read_files(server.path());
        assert_same(&comparable(&left), &comparable(&server_after), &what);
        let beside = if options.to.is_some() { &server } else { &set };
        let undo = beside.path().join("restore.undo");
        let undone = undo_file(&undo, UndoOptions::default()).unwrap();
        assert_eq!(undone.outcome, UndoOutcome::Restored, "{what}");
        let left = without_undo(&set_in(set.path()));
        assert_same(&left, &sample.set, &what);
        let mut left = without_undo(&read_files(server.path()));
        if !sample.server.contains_key("live.edb") {
            // A copy that was asked for stays, as it came from the set.
            let copy = left.remove("live.edb");
            assert!(
                copy.is_none_or(|copy| copy == sample.set["live.edb"]),
                "{what}"
            );
        }
        assert_same(&left, &sample.server, &what);
    });
}

#[test]
fn with_the_servers_logs() {
    killed_at_every_step(&Sample::new(false), forward, "forward");
}

#[test]
fn with_a_patch_file() {
    killed_at_every_step(&Sample::new(true), alone, "patched");
}

#[test]
fn with_the_set_kept() {
    killed_at_every_step(&Sample::new(false), kept, "kept");
}

#[test]
fn with_the_database_elsewhere() {
    killed_at_every_step(&Sample::new(false), elsewhere, "elsewhere");
}

#[test]
fn with_copies() {
    let mut sample = Sample::new(true);
    sample.server.clear();
    killed_at_every_step(&sample, copies, "copies");
}

/// A restore that was killed half-way through its writing.
fn half_done(set: &Path, options: &RestoreOptions) {
    let disk = Crash::after(RealDisk, u64::MAX);
    let before = read_files(set);
    run_on(options, &disk).unwrap();
    let steps = disk.steps();
    recovery::reset(set, &before);
    run_on(options, &Crash::after(RealDisk, steps - 12)).unwrap_err();
    assert!(set.join("restore.undo").exists());
}

/// Another command over the same files is refused until the first one is taken back.
#[test]
fn other_commands_wait_for_it() {
    let sample = Sample::new(false);
    let set = folder_of(&sample.set);
    half_done(set.path(), &options(set.path()));
    let recovery = exutil::ops::recover::RecoverOptions {
        base: "E00".to_owned(),
        ..recovery::options(set.path())
    };
    let error = recovery::run(&recovery).unwrap_err();
    assert_eq!(error.jet().code(), -1032, "{error}");
    assert!(error.to_string().contains("exutil cc"), "{error}");
    run(&options(set.path())).unwrap();
}

/// The set is known under every name of its folder, and no other set is taken for it.
#[test]
fn the_folder_may_be_named_in_any_way() {
    let sample = Sample::new(false);
    let outer = recovery::folder();
    let inner = outer.path().join("new");
    std::fs::create_dir(&inner).unwrap();
    recovery::reset(&inner, &sample.set);
    half_done(&inner, &options(&inner));
    // A run over another set leaves it alone.
    let other = folder_of(&sample.set);
    run(&options(other.path())).unwrap();
    assert!(inner.join("restore.undo").exists());
    let report = run(&options(outer.path())).unwrap();
    assert_eq!(report.recovery.taken_back.len(), 1);
    assert_eq!(report.recovery.databases.len(), 1);
}
