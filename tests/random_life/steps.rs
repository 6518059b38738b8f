//! The operations, each with everything that must hold of it: a dry run changes nothing, a run that was killed does no
//! harm to the next, the result is sound, a second run finds nothing to do, and the way back is exact.

use std::path::{Path, PathBuf};

use exutil::build::live::BackupForm;
use exutil::error::Error;
use exutil::format::dbheader::DbState;
use exutil::format::ids::PageSize;
use exutil::ops::checksum::{ChecksumOptions, check_file};
use exutil::ops::defrag::{DefragReport, defragment};
use exutil::ops::integrity::{IntegrityOptions, check_database};
use exutil::ops::isinteg::{FixOptions, IsintegOptions, IsintegReport, isinteg};
use exutil::ops::repair::{Outcome, RepairReport, repair};
use exutil::ops::restore::PlayForward;
use exutil::ops::undo::{UndoOptions, undo_file};
use exutil::problem::{Finding, Severity};
use exutil::progress::Silent;
use exutil::storage::{Crash, Disk, RealDisk};

use super::common::defragging;
use super::recovery::{self, Files, NOW, assert_same, differences, folder_of, read_files};
use super::repairing;
use super::restore;
use super::samples::Noise;

/// The name of the live writer's database, which is in its log.
pub const LIVE: &str = "live.edb";

/// One in so many.
fn once_in(all: u64, noise: &mut Noise) -> bool {
    noise.below(all) == 0
}

/// A run that is killed at some step, now and then. `Some` when it came to its end all the same.
fn kill<T>(
    noise: &mut Noise,
    run: impl FnOnce(&dyn Disk) -> Result<T, Error>,
) -> (Option<T>, &'static str) {
    if !once_in(3, noise) {
        return (None, "");
    }
    let most = [8, 60, 600][noise.below(3) as usize];
    let disk = Crash::after(RealDisk, noise.below(most));
    match run(&disk) {
        Ok(report) => (Some(report), ""),
        Err(_) => (None, ", killed before"),
    }
}

/// The integrity check finds nothing but what is only worth knowing.
pub fn sound(path: &Path, what: &str) {
    let report = check_database(path, &IntegrityOptions::default(), &Silent).unwrap();
    assert_eq!(report.check.state, DbState::CleanShutdown, "{what}");
    let serious = |finding: &&Finding| finding.problem.info().severity > Severity::Note;
    let found: Vec<_> = report.check.findings.iter().filter(serious).collect();
    assert!(found.is_empty(), "g after {what}: {found:?}");
}

/// The checksum of every page is good, also of those that nobody uses.
fn whole(path: &Path, what: &str) {
    let report = check_file(path, &ChecksumOptions::default(), &Silent).unwrap();
    let counts = report.counts;
    let wrong = (counts.bad, counts.correctable, counts.misplaced);
    assert_eq!(wrong, (0, 0, 0), "k after {what}: {:?}", report.findings);
}

/// The same of bytes that are in no file.
pub fn sound_bytes(bytes: &[u8], what: &str) {
    let found = repairing::serious(&repairing::open(bytes.to_vec()));
    assert!(found.is_empty(), "g after {what}: {found:?}");
}

/// Undoes, and compares every file of these folders with what it was.
fn back(undo: &Path, folders: &[(&Path, &Files)], what: &str) {
    undo_file(undo, UndoOptions::default())
        .unwrap_or_else(|error| panic!("undo of {what}: {error}"));
    for (folder, files) in folders {
        let mut now = read_files(folder);
        now.retain(|name, _| !name.ends_with(".undo"));
        assert_same(&now, files, &format!("undo of {what}"));
    }
}

/// `r`: gives back the recovered database.
pub fn recover(files: &Files, noise: &mut Noise, verify: &dyn Fn(&Path)) -> (Vec<u8>, String) {
    let dir = folder_of(files);
    let mut options = recovery::options(dir.path());
    options.base = "E00".to_owned();
    options.cache = Some([64 << 20, 1 << 18][noise.below(2) as usize]);
    if once_in(4, noise) {
        let mut dry = options.clone();
        dry.dry_run = true;
        recovery::run(&dry).unwrap_or_else(|error| panic!("dry run of r: {error}"));
        assert_same(&read_files(dir.path()), files, "dry run of r");
    }
    let (report, killed) = kill(noise, |disk| recovery::run_on(&options, disk));
    let report = report.unwrap_or_else(|| {
        recovery::run(&options).unwrap_or_else(|error| panic!("r{killed}: {error}"))
    });
    assert!(report.replayed || !killed.is_empty(), "r did nothing");
    if report.replayed {
        assert_eq!(report.databases.len(), 1, "r: {:?}", report.skipped);
        assert_eq!(report.databases[0].state, DbState::CleanShutdown, "r");
    }
    let path = dir.path().join(LIVE);
    verify(&path);
    sound(&path, "r");
    whole(&path, "r");
    let left = read_files(dir.path());
    let again = recovery::run(&options).unwrap_or_else(|error| panic!("second r: {error}"));
    assert!(!again.replayed, "second r replays");
    assert_same(&read_files(dir.path()), &left, "second r");
    let undo = report.undo_file;
    let undo = undo.unwrap_or_else(|| dir.path().join("E00.undo"));
    back(&undo, &[(dir.path(), files)], "r");
    let recovered = left.into_iter().find(|(name, _)| name == LIVE);
    (recovered.unwrap().1, format!("r{killed}"))
}

/// A backup set, with the folder of later logs if they are to be played forward.
pub struct Backup {
    pub form: BackupForm,
    pub set: Files,
    pub later: Option<Files>,
}

/// `cc`: gives back the restored database.
pub fn restore(backup: &Backup, noise: &mut Noise, verify: &dyn Fn(&Path)) -> (Vec<u8>, String) {
    let dir = folder_of(&backup.set);
    let server = backup.later.as_ref().map(folder_of);
    let mut options = restore::options(dir.path());
    options.cache = Some([64 << 20, 1 << 18][noise.below(2) as usize]);
    options.keep = once_in(3, noise);
    options.forward = match &server {
        Some(server) => PlayForward::From(server.path().to_owned()),
        None => PlayForward::No,
    };
    let mut before = vec![(dir.path(), &backup.set)];
    if let (Some(server), Some(later)) = (&server, &backup.later) {
        before.push((server.path(), later));
    }
    let what = format!(
        "cc of {:?}{}{}",
        backup.form,
        if options.keep { " /k" } else { "" },
        if server.is_some() { " /f" } else { "" }
    );
    if once_in(4, noise) {
        let mut dry = options.clone();
        dry.dry_run = true;
        restore::run(&dry).unwrap_or_else(|error| panic!("dry run of {what}: {error}"));
        for (folder, files) in &before {
            assert_same(&read_files(folder), files, &format!("dry run of {what}"));
        }
    }
    let (report, killed) = kill(noise, |disk| restore::run_on(&options, disk));
    let what = format!("{what}{killed}");
    let report = report.unwrap_or_else(|| {
        restore::run(&options).unwrap_or_else(|error| panic!("{what}: {error}"))
    });
    let path = dir.path().join(LIVE);
    verify(&path);
    sound(&path, &what);
    whole(&path, &what);
    let restored = std::fs::read(&path).unwrap();
    let left = read_files(dir.path());
    if !options.keep {
        let again = restore::run(&options).unwrap_or_else(|error| panic!("second {what}: {error}"));
        assert!(!again.recovery.replayed, "second {what} replays");
        assert_same(&read_files(dir.path()), &left, &format!("second {what}"));
    }
    let undo = report.recovery.undo_file;
    let undo = undo.unwrap_or_else(|| dir.path().join("restore.undo"));
    back(&undo, &before, &what);
    (restored, what)
}

/// A folder with one database.
fn alone(bytes: &[u8]) -> (tempfile::TempDir, PathBuf, Files) {
    let files = Files::from([("a.edb".to_owned(), bytes.to_vec())]);
    let dir = folder_of(&files);
    let path = dir.path().join("a.edb");
    (dir, path, files)
}

/// What a repair left.
pub struct Repaired {
    pub bytes: Vec<u8>,
    pub told: String,
    /// The file was written anew.
    pub anew: bool,
    /// Records without all of their values were dropped.
    pub dropped: bool,
}

/// `p`. `page_size` where both headers are lost.
pub fn repaired(bytes: &[u8], page_size: Option<PageSize>, noise: &mut Noise) -> Repaired {
    let (dir, path, files) = alone(bytes);
    let mut options = repairing::options(&path, page_size);
    options.drop_incomplete = once_in(6, noise);
    options.keep_orphans = once_in(6, noise);
    options.trust_damaged_pages = once_in(6, noise);
    let run = |options: &_, disk: &dyn Disk| repair(options, disk, &Silent);
    if once_in(4, noise) {
        let mut dry = options.clone();
        dry.dry_run = true;
        run(&dry, &RealDisk).unwrap_or_else(|error| panic!("dry run of p: {error}"));
        assert_same(&read_files(dir.path()), &files, "dry run of p");
    }
    let (report, killed) = kill(noise, |disk| run(&options, disk));
    let what = format!("p{killed}");
    let report = report.unwrap_or_else(|| {
        run(&options, &RealDisk).unwrap_or_else(|error| panic!("{what}: {error}"))
    });
    assert!(report.left.is_empty(), "{what} leaves {:?}", report.left);
    sound(&path, &what);
    if report.outcome == Outcome::Repaired {
        // Damaged pages that nobody uses are no reason to write a file anew, and stay.
        whole(&path, &what);
    }
    let new = std::fs::read(&path).unwrap();
    repaired_again(&new);
    let undo = dir.path().join("a.edb.undo");
    let undo = report.undo_file.clone().unwrap_or(undo);
    if undo.exists() {
        back(&undo, &[(dir.path(), &files)], &what);
    } else {
        assert!(new == bytes, "{what}: {:?} without undo", report.outcome);
    }
    let flags = [
        (options.drop_incomplete, " --drop-incomplete"),
        (options.keep_orphans, " --keep-orphans"),
        (options.trust_damaged_pages, " --trust-damaged-pages"),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set);
    let flags: String = flags.map(|(_, name)| *name).collect();
    Repaired {
        told: format!("{what}{flags}: {}", words(&report)),
        // What was killed may have done it.
        anew: report.outcome == Outcome::Repaired || !killed.is_empty(),
        dropped: options.drop_incomplete,
        bytes: new,
    }
}

/// A second repair finds nothing and touches nothing.
fn repaired_again(bytes: &[u8]) {
    let (dir, path, files) = alone(bytes);
    let options = repairing::options(&path, None);
    let again =
        repair(&options, &RealDisk, &Silent).unwrap_or_else(|error| panic!("second p: {error}"));
    let found = &again.check.findings;
    assert_eq!(again.outcome, Outcome::Sound, "second p: {found:?}");
    assert_same(&read_files(dir.path()), &files, "second p");
}

fn words(report: &RepairReport) -> String {
    let findings = report.check.findings.iter();
    let mut problems: Vec<_> = findings
        .map(|finding| finding.problem.info().code)
        .collect();
    problems.sort_unstable();
    problems.dedup();
    format!("{:?} of {}", report.outcome, problems.join(" "))
}

/// `d`: gives back the new database.
pub fn defragmented(bytes: &[u8], noise: &mut Noise, same: &dyn Fn(&Path)) -> (Vec<u8>, String) {
    let (dir, path, files) = alone(bytes);
    let mut options = defragging::options(&path);
    options.temp = Some(dir.path().join("TEMPDFRG1.EDB"));
    if once_in(4, noise) {
        options.backup = Some(dir.path().join("old.edb"));
    }
    let run = |options: &_, disk: &dyn Disk| defragment(options, disk, &Silent);
    let mut foretold = None;
    if once_in(4, noise) {
        let mut dry = options.clone();
        dry.dry_run = true;
        let report = run(&dry, &RealDisk);
        let report = report.unwrap_or_else(|error| panic!("dry run of d: {error}"));
        assert_same(&read_files(dir.path()), &files, "dry run of d");
        foretold = Some(report.bytes_after);
    }
    let (report, killed) = kill(noise, |disk| run(&options, disk));
    if !killed.is_empty() {
        // Under the name there is always a whole database; the original may have its other name already.
        if path.exists() {
            same(&path);
        }
        let old = dir.path().join("old.edb");
        if old.exists() {
            assert!(std::fs::read(&old).unwrap() == bytes, "d killed: old.edb");
            if path.exists() {
                // What it is to be kept under is taken.
                options.backup = Some(dir.path().join("older.edb"));
            } else {
                std::fs::rename(&old, &path).unwrap();
            }
        }
        // A whole new file of the run before is left alone.
        options.temp = Some(dir.path().join("TEMPDFRG2.EDB"));
    }
    let what = format!("d{killed}");
    let report = report.unwrap_or_else(|| {
        run(&options, &RealDisk).unwrap_or_else(|error| panic!("{what}: {error}"))
    });
    assert!(report.verified && !report.indexes_made, "{what}");
    same(&path);
    sound(&path, &what);
    whole(&path, &what);
    let new = std::fs::read(&path).unwrap();
    assert_eq!(new.len() as u64, report.bytes_after, "{what}");
    if let Some(foretold) = foretold {
        assert_eq!(new.len() as u64, foretold, "{what} and its dry run");
    }
    if options.backup.is_some() && killed.is_empty() {
        let old = std::fs::read(dir.path().join("old.edb")).unwrap();
        assert!(old == bytes, "{what}: old.edb");
    }
    let again = defragmented_again(&new, same);
    let (one, other) = (report.bytes_after, again.bytes_after);
    assert!(
        one.abs_diff(other) * 100 <= one,
        "second d: {other} of {one}"
    );
    let told = format!("{what}: {} bytes of {}", new.len(), bytes.len());
    (new, told)
}

fn defragmented_again(bytes: &[u8], same: &dyn Fn(&Path)) -> DefragReport {
    let (dir, path, _) = alone(bytes);
    let mut options = defragging::options(&path);
    options.temp = Some(dir.path().join("TEMPDFRG1.EDB"));
    let report = defragment(&options, &RealDisk, &Silent)
        .unwrap_or_else(|error| panic!("second d: {error}"));
    same(&path);
    sound(&path, "second d");
    report
}

/// `isinteg -fix`: gives back the database, changed or not.
pub fn tested(bytes: &[u8], noise: &mut Noise) -> (Vec<u8>, String) {
    let (dir, path, files) = alone(bytes);
    let look = IsintegOptions::new(&path);
    let run = |options: &IsintegOptions, disk: &dyn Disk| isinteg(options, disk, &Silent);
    let found = run(&look, &RealDisk).unwrap_or_else(|error| panic!("isinteg: {error}"));
    assert_same(&read_files(dir.path()), &files, "isinteg without a fix");
    let mut options = look.clone();
    options.fix = Some(FixOptions {
        trust_profile: once_in(2, noise),
        dry_run: false,
        undo_file: None,
        keep_undo: true,
        now: NOW,
    });
    let (report, killed) = kill(noise, |disk| {
        let report = run(&options, disk)?;
        // That nothing could be written is told, not returned.
        match &report.refusal {
            Some(_) => Err(Error::io(&path, "write", std::io::ErrorKind::Other.into())),
            None => Ok(report),
        }
    });
    let what = format!("isinteg{killed}");
    let report: IsintegReport = report.unwrap_or_else(|| {
        run(&options, &RealDisk).unwrap_or_else(|error| panic!("{what}: {error}"))
    });
    let new = std::fs::read(&path).unwrap();
    assert!(report.refusal.is_none(), "{what}: {:?}", report.refusal);
    sound(&path, &what);
    let again = run(&look, &RealDisk).unwrap_or_else(|error| panic!("second {what}: {error}"));
    let sums = |report: &IsintegReport| (report.totals.errors, report.totals.warnings);
    let promised = (report.left.errors, report.left.warnings);
    assert_eq!(sums(&again), promised, "what {what} leaves");
    let (dir2, path2, new_files) = alone(&new);
    let mut second = options.clone();
    second.path = path2;
    let fixed = run(&second, &RealDisk).unwrap_or_else(|error| panic!("second {what}: {error}"));
    let changes = differences(&read_files(dir2.path()), &new_files);
    assert!(
        fixed.amended.is_none() && changes.is_empty(),
        "second {what} changes {changes:?}: {:?}",
        fixed.totals
    );
    let undo = dir.path().join("a.edb.undo");
    if undo.exists() {
        back(&undo, &[(dir.path(), &files)], &what);
    } else {
        assert!(new == bytes, "{what}: changed without undo");
    }
    let told = format!("{what}: {:?} of {:?}", report.totals, sums(&found));
    (new, told)
}
