//! Hard recovery of backups that the live writer made while it worked: what comes back is what was committed when the
//! set's last log ended, or the last log that was played forward; and a set that is not whole is refused by name.

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

use exutil::build::live::{BackupForm, BackupSet, Content};
use exutil::build::logs::{BuiltFile, Tail};
use exutil::build::stamp_backup;
use exutil::format::dbheader::DbState;
use exutil::format::ids::Generation;
use exutil::format::stamp::BackupInfo;
use exutil::jet::JetError;
use exutil::ops::restore::{EndOfBackup, PlayForward, RestoreReport};
use exutil::ops::undo::{UndoAction, UndoOptions, undo_file};
use exutil::problem::Problem;

use backup::{Kind, Run, WITH_IMAGES, WITHOUT_IMAGES, compare};
use recovery::{Files, change_header, differences, folder, folder_of, header_of, read_files};
use restore::{options, run};

const DATABASE: &str = "live.edb";

/// A writer that has worked for a while, and a backup made meanwhile.
fn backed_up(kind: Kind, seed: u64, form: BackupForm) -> (Run, BackupSet) {
    let mut writer = Run::new(kind, seed);
    writer.steps(600);
    if seed.is_multiple_of(2) {
        writer.settle();
    }
    let set = writer.backup(form);
    (writer, set)
}

/// The same with a file that says where it came from.
fn with_environment(set: &BackupSet, text: &str) -> Files {
    let mut files = files_of(set);
    files.insert(
        "restore-environment.toml".to_owned(),
        text.as_bytes().to_vec(),
    );
    files
}

/// The folder of a set.
fn files_of(set: &BackupSet) -> Files {
    let mut files = logs_of(&set.logs);
    files.insert(DATABASE.to_owned(), set.database.clone());
    if let Some(patch) = &set.patch {
        files.insert("live.pat".to_owned(), patch.clone());
    }
    files
}

fn logs_of(logs: &[BuiltFile]) -> Files {
    let pairs = logs.iter().map(|log| (log.name.clone(), log.bytes.clone()));
    pairs.collect()
}

fn good(report: &RestoreReport, dir: &Path, model: &[Content]) {
    let database = &report.recovery.databases[0];
    assert_eq!(database.state, DbState::CleanShutdown);
    let path = dir.join(DATABASE);
    let header = header_of(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(header.db_state(), DbState::CleanShutdown);
    for backup in [header.backup_full_cur, header.backup_full_prev] {
        assert_eq!((backup.low.get(), backup.high.get()), (0, 0));
    }
    if let Err(what) = compare(&path, model) {
        panic!("{what}");
    }
}

#[test]
fn backups_of_every_kind_come_back() {
    let kinds = WITH_IMAGES.map(|kind| (kind, BackupForm::Trailer));
    let old = WITH_IMAGES.map(|kind| (kind, BackupForm::OldTrailer));
    let patched = WITHOUT_IMAGES.map(|kind| (kind, BackupForm::PatchFile));
    let all = kinds.into_iter().chain(old).chain(patched);
    let mut rolled_back = 0;
    let mut patches = 0;
    for (seed, (kind, form)) in (40..).zip(all) {
        let (_, set) = backed_up(kind, seed, form);
        let dir = folder_of(&files_of(&set));
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::No;
        let report = run(&wanted).unwrap_or_else(|error| panic!("{kind:?} {seed}: {error}"));
        good(&report, dir.path(), &set.model);
        let end = match form {
            BackupForm::PatchFile => EndOfBackup::PatchFile,
            _ => EndOfBackup::Trailer,
        };
        assert_eq!(report.ends[0].1, end);
        rolled_back += set.open;
        patches += set.patched;
        // The set has done its duty: database and undo file are left.
        let names: Vec<String> = read_files(dir.path()).into_keys().collect();
        assert_eq!(names, [DATABASE, "restore.undo"], "{kind:?} {seed}");
        let again = run(&wanted).unwrap();
        assert!(!again.recovery.replayed);
        // And comes back to the last byte.
        let undo = UndoOptions {
            action: UndoAction::Restore,
            force: false,
        };
        undo_file(&dir.path().join("restore.undo"), undo).unwrap();
        let mut back = read_files(dir.path());
        back.remove("restore.undo");
        let changed = differences(&back, &files_of(&set));
        assert!(changed.is_empty(), "{changed:?}");
    }
    assert!(rolled_back > 10 && patches > 10, "{rolled_back} {patches}");
}

/// Without the pages of the patch file the copy cannot be made whole: the test of the patch file itself.
#[test]
fn without_its_patch_pages_a_copy_is_not_whole() {
    let mut needed = 0;
    for (seed, kind) in (0..24).zip(WITHOUT_IMAGES.iter().cycle()) {
        let (_, set) = backed_up(*kind, seed, BackupForm::PatchFile);
        let mut files = files_of(&set);
        let headers = 2 * kind.page_size.bytes();
        files.get_mut("live.pat").unwrap().truncate(headers);
        let dir = folder_of(&files);
        let whole = match run(&options(dir.path())) {
            Ok(_) => compare(&dir.path().join(DATABASE), &set.model).is_ok(),
            Err(_) => false,
        };
        needed += usize::from(!whole);
    }
    assert!(needed > 2, "{needed}");
}

#[test]
fn later_logs_are_played_forward_from_another_folder() {
    for (seed, kind) in (0..).zip(WITH_IMAGES) {
        let (mut writer, set) = backed_up(kind, seed, BackupForm::Trailer);
        writer.steps(800);
        let (_, most) = writer.live.keepable();
        let crash = writer.live.crash(most, Tail::Whole).unwrap();
        let dir = folder_of(&files_of(&set));
        let server = folder_of(&logs_of(&crash.logs));
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::From(server.path().to_owned());
        let report = run(&wanted).unwrap_or_else(|error| panic!("{kind:?} {seed}: {error}"));
        good(&report, dir.path(), &crash.model);
        let (low, _) = report.played_forward.unwrap();
        assert_eq!(low, set.high.next());
        // The server's logs are still there, and closed.
        let logs = read_files(server.path());
        for log in &crash.logs {
            assert!(logs.contains_key(&log.name), "{}", log.name);
        }
        assert!(logs.contains_key("E00.chk"));
    }
}

/// Increments are logs behind those of the full backup, restored into the same folder or another.
#[test]
fn an_increment_on_top_is_replayed() {
    for (seed, kind) in (7..).zip(WITH_IMAGES) {
        let (mut writer, set) = backed_up(kind, seed, BackupForm::OldTrailer);
        writer.steps(400);
        let first = writer.live.incremental_backup(set.high).unwrap();
        writer.steps(400);
        let second = writer.live.incremental_backup(first.high).unwrap();
        let mut files = files_of(&set);
        files.extend(logs_of(&first.logs));
        let dir = folder_of(&files);
        let report = run(&options(dir.path())).unwrap();
        good(&report, dir.path(), &first.model);
        // The one after next alone does not fit.
        let mut files = files_of(&set);
        files.extend(logs_of(&second.logs));
        let dir = folder_of(&files);
        let error = run(&options(dir.path())).unwrap_err();
        assert_eq!(error.jet(), JetError::MISSING_RESTORE_LOG_FILES, "{error}");
        assert!(error.to_string().contains(&first.logs[0].name), "{error}");
        let dir = folder_of(&files_of(&set));
        let server = folder_of(&logs_of(&second.logs));
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::From(server.path().to_owned());
        let error = run(&wanted).unwrap_err();
        assert_eq!(error.jet(), JetError::MISSING_CURRENT_LOG_FILES, "{error}");
        assert!(error.to_string().contains(&first.logs[0].name), "{error}");
    }
}

/// A set with one thing wrong: nothing is changed, and what is wrong is named.
#[test]
fn a_set_that_is_not_whole_is_refused_by_name() {
    let kind = WITH_IMAGES[5];
    let (_, set) = backed_up(kind, 3, BackupForm::Trailer);
    let (_, other) = backed_up(kind, 4, BackupForm::Trailer);
    assert!(set.logs.len() > 3, "{}", set.logs.len());
    let (first, last) = (&set.logs[0].name, &set.logs[set.logs.len() - 1].name);
    let middle = &set.logs[1].name;
    let refused = |change: &dyn Fn(&mut Files), code: i32, named: &str| {
        let mut files = files_of(&set);
        change(&mut files);
        let dir = folder_of(&files);
        let error = run(&options(dir.path())).unwrap_err();
        assert_eq!(error.jet().code(), code, "{error}");
        assert!(error.to_string().contains(named), "{error}");
        assert!(error.advice().is_some());
        let left = differences(&read_files(dir.path()), &files);
        assert!(left.is_empty(), "{left:?}");
    };
    let without = |name: &str| {
        let name = name.to_owned();
        move |files: &mut Files| drop(files.remove(&name))
    };
    refused(&without(first), -554, first);
    refused(&without(middle), -557, middle);
    refused(&without(last), -553, last);
    refused(
        &|files| files.retain(|name, _| !name.ends_with(".log")),
        -557,
        "no log files",
    );
    refused(&without(DATABASE), -1811, "no database");
    let end = set.database.len() - kind.page_size.bytes();
    refused(
        &|files| files.get_mut(DATABASE).unwrap()[end + 70] ^= 1,
        -535,
        DATABASE,
    );
    refused(
        &|files| files.get_mut(DATABASE).unwrap().truncate(end),
        -538,
        DATABASE,
    );
    // The trailer page of another backup of the same database.
    let mut earlier = set.database.clone();
    change_header(&mut earlier, |header| header.backup_full_cur.mark.ib += 1);
    refused(
        &|files| drop(files.insert(DATABASE.to_owned(), earlier.clone())),
        -552,
        DATABASE,
    );
    // A database of another storage group.
    let mut foreign = other.database.clone();
    change_header(&mut foreign, |header| header.sign_log.random ^= 1);
    let size = kind.page_size.bytes();
    foreign.truncate(foreign.len() - size);
    let info = BackupInfo {
        high: set.high,
        ..header_of(&other.database).unwrap().backup_full_cur
    };
    stamp_backup(&mut foreign, info, true).unwrap();
    refused(
        &|files| drop(files.insert("foreign.edb".to_owned(), foreign.clone())),
        -552,
        "foreign.edb",
    );
    // One that no backup made.
    let mut crashed = set.database.clone();
    change_header(&mut crashed, |header| {
        header.backup_full_cur = BackupInfo::default()
    });
    refused(
        &|files| drop(files.insert("crashed.edb".to_owned(), crashed.clone())),
        -615,
        "crashed.edb",
    );
    // A log of another time.
    refused(
        &|files| {
            let swapped = files[first].clone();
            files.insert(middle.clone(), swapped);
        },
        -513,
        middle,
    );
    // A log that was copied only in part.
    refused(
        &|files| {
            let log = files.get_mut(middle).unwrap();
            let half = log.len() / 2;
            log[half..].fill(0x5A);
        },
        -536,
        middle,
    );
}

/// A snapshot has no trailer page: its header says which logs it needs.
#[test]
fn a_snapshot_is_restored_by_its_header() {
    let kind = WITH_IMAGES[8];
    let (_, set) = backed_up(kind, 23, BackupForm::Trailer);
    let mut files = files_of(&set);
    let database = files.get_mut(DATABASE).unwrap();
    database.truncate(set.database.len() - kind.page_size.bytes());
    change_header(database, |header| {
        header.backup_snapshot_cur = BackupInfo {
            high: set.high,
            ..header.backup_full_cur
        };
        header.backup_full_cur = BackupInfo::default();
    });
    let dir = folder_of(&files);
    let report = run(&options(dir.path())).unwrap();
    good(&report, dir.path(), &set.model);
    assert_eq!(report.ends[0].1, EndOfBackup::Header);
    // Its last log is needed, too.
    let last = &set.logs[set.logs.len() - 1].name;
    files.remove(last);
    let dir = folder_of(&files);
    let error = run(&options(dir.path())).unwrap_err();
    assert_eq!(error.jet(), JetError::ENDING_RESTORE_LOG_TOO_LOW);
    assert!(error.to_string().contains(last), "{error}");
}

/// The user who knows better than a damaged trailer page.
#[test]
fn a_damaged_trailer_page_can_be_done_without() {
    let kind = WITH_IMAGES[7];
    let (_, set) = backed_up(kind, 9, BackupForm::Trailer);
    let mut files = files_of(&set);
    let end = set.database.len() - kind.page_size.bytes();
    files.get_mut(DATABASE).unwrap()[end + 70] ^= 1;
    let dir = folder_of(&files);
    let mut wanted = options(dir.path());
    wanted.ignore_trailer = true;
    let report = run(&wanted).unwrap();
    good(&report, dir.path(), &set.model);
    assert_eq!(report.ends[0].1, EndOfBackup::Unknown);
    let codes: Vec<_> = report
        .recovery
        .findings
        .iter()
        .map(|finding| finding.problem)
        .collect();
    assert!(codes.contains(&Problem::RestoreEndUnknown), "{codes:?}");
}

#[test]
fn a_patch_file_must_be_whole_and_of_this_backup() {
    let kind = WITHOUT_IMAGES[0];
    let (_, set) = (0..)
        .map(|seed| backed_up(kind, seed, BackupForm::PatchFile))
        .find(|(_, set)| set.patched > 1)
        .unwrap();
    let patch = set.patch.clone().unwrap();
    let size = kind.page_size.bytes();
    let verdict = |patch: Option<Vec<u8>>| {
        let mut files = files_of(&set);
        files.remove("live.pat");
        if let Some(patch) = patch {
            // Names in any case.
            files.insert("LIVE.PAT".to_owned(), patch);
        }
        let dir = folder_of(&files);
        match run(&options(dir.path())) {
            Ok(report) => {
                good(&report, dir.path(), &set.model);
                0
            }
            Err(error) => error.jet().code(),
        }
    };
    assert_eq!(verdict(Some(patch.clone())), 0);
    assert_eq!(verdict(None), -538);
    assert_eq!(verdict(Some(Vec::new())), -538);
    assert_eq!(verdict(Some(patch[..patch.len() - 7].to_vec())), -535);
    let mut damaged = patch.clone();
    damaged[2 * size + 100] ^= 0x10;
    assert_eq!(verdict(Some(damaged)), -535);
    let mut damaged = patch.clone();
    damaged[100] ^= 1;
    damaged[size + 100] ^= 1;
    assert_eq!(verdict(Some(damaged)), -535);
    let mut other = patch;
    change_header(&mut other, |header| header.sign_db.random ^= 1);
    assert_eq!(verdict(Some(other)), -552);
}

/// Logs in the folder to play forward that do not go on from the set.
#[test]
fn logs_that_do_not_go_on_are_refused() {
    let kind = WITH_IMAGES[5];
    let (mut writer, set) = backed_up(kind, 11, BackupForm::Trailer);
    writer.steps(900);
    let (_, most) = writer.live.keepable();
    let crash = writer.live.crash(most, Tail::Whole).unwrap();
    let (mut twin, twin_set) = backed_up(kind, 11, BackupForm::Trailer);
    assert_eq!(twin_set.high, set.high);
    twin.steps(900);
    let refused = |logs: Files, code: i32| {
        let files = files_of(&set);
        let dir = folder_of(&files);
        let server = folder_of(&logs);
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::From(server.path().to_owned());
        let error = run(&wanted).unwrap_err();
        assert_eq!(error.jet().code(), code, "{error}");
        let left = differences(&read_files(dir.path()), &files);
        assert!(left.is_empty(), "{left:?}");
        let left = differences(&read_files(server.path()), &logs);
        assert!(left.is_empty(), "{left:?}");
    };
    let logs = logs_of(&crash.logs);
    let named = |generation: Generation| {
        let digits = kind.digits;
        format!("E00{:0digits$X}.log", generation.get())
    };
    let next = named(set.high.next());
    let change = |name: &str, change: &dyn Fn(&mut exutil::format::loghdr::LogHeader)| {
        let mut logs = logs.clone();
        let bytes = logs.get_mut(name).unwrap();
        let (mut header, attachments) = restore::log_header(bytes);
        change(&mut header);
        let len = restore::LOG_HEADER.min(bytes.len());
        header.write_to(&attachments, &mut bytes[..len]);
        logs
    };
    let next = if logs.contains_key(&next) {
        next
    } else {
        "E00.log".to_owned()
    };
    refused(change(&next, &|header| header.sign_log.random ^= 1), -610);
    refused(
        change(&next, &|header| header.prev_created = recovery::NOW),
        -611,
    );
    refused(
        change(&named(set.high), &|header| header.created = recovery::NOW),
        -611,
    );
    // None at all: then the stream goes on in that folder, and that nothing was played forward is told.
    let dir = folder_of(&files_of(&set));
    let server = folder();
    let mut wanted = options(dir.path());
    wanted.forward = PlayForward::From(server.path().to_owned());
    let report = run(&wanted).unwrap();
    good(&report, dir.path(), &set.model);
    let codes = report.recovery.findings.iter();
    let codes: Vec<_> = codes.map(|finding| finding.problem).collect();
    assert!(codes.contains(&Problem::RestoreNoLaterLogs), "{codes:?}");
    let names: Vec<String> = read_files(server.path()).into_keys().collect();
    assert!(
        names.contains(&"E00.chk".to_owned()) && names.contains(&"E00.log".to_owned()),
        "{names:?}"
    );
    wanted.forward = PlayForward::From(server.path().join("gone"));
    let dir = folder_of(&files_of(&set));
    wanted.dir = dir.path().to_owned();
    assert_eq!(run(&wanted).unwrap_err().jet(), JetError::FILE_NOT_FOUND);
}

/// A dry run tells the same and changes nothing.
#[test]
fn a_dry_run_changes_nothing() {
    let (_, set) = backed_up(WITH_IMAGES[0], 5, BackupForm::Trailer);
    let files = files_of(&set);
    let dir = folder_of(&files);
    let mut wanted = options(dir.path());
    wanted.dry_run = true;
    let dry = run(&wanted).unwrap();
    assert!(differences(&read_files(dir.path()), &files).is_empty());
    wanted.dry_run = false;
    let real = run(&wanted).unwrap();
    assert_eq!(dry.removed, real.removed);
    let database = |report: &RestoreReport| {
        let database = &report.recovery.databases[0];
        (
            database.state,
            database.consistent,
            database.dbtime,
            database.pages_changed,
        )
    };
    assert_eq!(database(&dry), database(&real));
}

/// Copies are restored, the set stays.
#[test]
fn copies_are_restored_elsewhere() {
    for kind in [WITH_IMAGES[2], WITHOUT_IMAGES[3]] {
        let form = if kind.version.0 < 11 {
            BackupForm::PatchFile
        } else {
            BackupForm::Trailer
        };
        let (_, set) = backed_up(kind, 6, form);
        let files = files_of(&set);
        let dir = folder_of(&files);
        let to = folder();
        let mut wanted = options(dir.path());
        wanted.to = Some(to.path().join("restored"));
        let report = run(&wanted).unwrap();
        assert!(differences(&read_files(dir.path()), &files).is_empty());
        let restored = to.path().join("restored");
        good(&report, &restored, &set.model);
        let names: Vec<String> = read_files(&restored).into_keys().collect();
        assert_eq!(names, [DATABASE, "restore.undo"]);
        let again = run(&wanted).unwrap();
        assert!(!again.recovery.replayed && again.copied.is_empty());
        std::fs::write(restored.join("mine.txt"), "x").unwrap();
        let error = run(&wanted).unwrap_err();
        assert_eq!(error.jet().code(), -1814, "{error}");
        assert!(error.to_string().contains("mine.txt"), "{error}");
    }
}

/// A set that names another place for its database: there, if it is there, or else a copy.
#[test]
fn an_environment_names_the_destination() {
    let (_, set) = backed_up(WITH_IMAGES[4], 8, BackupForm::Trailer);
    let target = folder();
    let path = target.path().join(DATABASE);
    let text = format!(
        "format = \"exutil restore environment 1\"\n[[database]]\nsource = ['E:\\db\\{DATABASE}']\n\
         destination = ['{}']\n",
        path.display()
    );
    for is_there in [false, true] {
        let mut files = with_environment(&set, &text);
        if is_there {
            let database = files.remove(DATABASE).unwrap();
            std::fs::write(&path, database).unwrap();
        }
        let dir = folder_of(&files);
        let report = run(&options(dir.path())).unwrap();
        good(&report, target.path(), &set.model);
        assert_eq!(report.copied.len(), usize::from(!is_there));
        let left = read_files(dir.path());
        // A set whose database was copied stays; of one whose database was elsewhere nothing is needed any more.
        if is_there {
            let names: Vec<&String> = left.keys().collect();
            assert_eq!(names, ["restore.undo"]);
        } else {
            let mut left = left;
            left.remove("restore.undo");
            assert!(differences(&left, &with_environment(&set, &text)).is_empty());
            // A second run finds the restored database, and nothing to do.
            assert!(!run(&options(dir.path())).unwrap().recovery.replayed);
        }
        std::fs::remove_file(&path).unwrap();
    }
}

/// Two streams in one folder: the databases tell which is meant, or the user.
#[test]
fn of_two_streams_the_right_one_is_taken() {
    let (_, set) = backed_up(WITH_IMAGES[4], 12, BackupForm::Trailer);
    let (_, other) = backed_up(WITH_IMAGES[6], 13, BackupForm::Trailer);
    let mut files = files_of(&set);
    for log in &other.logs {
        let name = log.name.replacen("E00", "E01", 1);
        files.insert(name, restore::of_other_stream(&log.bytes));
    }
    let dir = folder_of(&files);
    let report = run(&options(dir.path())).unwrap();
    good(&report, dir.path(), &set.model);
    let left = read_files(dir.path());
    assert!(
        left.keys().all(|name| !name.starts_with("E00")),
        "{:?}",
        left.keys()
    );
    assert!(
        left.keys().any(|name| name.starts_with("E01")),
        "{:?}",
        left.keys()
    );
    // Without a database of either the user must say.
    let mut same = files_of(&set);
    for log in &set.logs {
        same.insert(log.name.replacen("E00", "E01", 1), log.bytes.clone());
    }
    let dir = folder_of(&same);
    let error = run(&options(dir.path())).unwrap_err();
    assert!(error.to_string().contains("E00, E01"), "{error}");
    let mut wanted = options(dir.path());
    wanted.log_base = Some("e01".to_owned());
    let report = run(&wanted).unwrap();
    good(&report, dir.path(), &set.model);
}

/// Whatever is wrong with the files of a set, there is a verdict.
#[test]
fn damage_anywhere_ends_in_a_verdict() {
    let samples = [
        (WITH_IMAGES[5], BackupForm::Trailer),
        (WITHOUT_IMAGES[0], BackupForm::PatchFile),
    ];
    let mut refused = 0;
    for (kind, form) in samples {
        let (_, set) = backed_up(kind, 17, form);
        let files = files_of(&set);
        let names: Vec<&String> = files.keys().collect();
        for seed in 0..150 {
            let mut noise = samples::Noise::new(seed);
            let mut files = files.clone();
            let name = names[noise.below(names.len() as u64) as usize];
            let bytes = files.get_mut(name).unwrap();
            let at = noise.below(bytes.len() as u64) as usize;
            match noise.below(4) {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(0),
                2 => bytes[at] ^= 1 << noise.below(8),
                _ => {
                    let end = bytes.len().min(at + 600);
                    let junk = noise.bytes(end - at);
                    bytes[at..end].copy_from_slice(&junk);
                }
            }
            let dir = folder_of(&files);
            let mut wanted = options(dir.path());
            wanted.dry_run = true;
            if let Err(error) = run(&wanted) {
                assert!(error.jet().code() < 0, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused}");
}
