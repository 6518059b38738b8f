//! Hard recovery against the engine's own: the online backups of the corpus end with the headers and pages that the
//! engine's restore left, and played forward with those of the server's own clean shutdown. The files are not part of
//! the project: `EXUTIL_CORPUS` names the directory.

#[path = "common/compare.rs"]
mod compare;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;
#[path = "common/recovery.rs"]
mod recovery;
#[path = "common/restore.rs"]
mod restore;

use std::path::{Path, PathBuf};

use exutil::build::stamp_backup;
use exutil::format::stamp::{BackupInfo, Lgpos};
use exutil::log::names::{LogName, LogNumber};
use exutil::ops::restore::{EndOfBackup, PlayForward};
use exutil::problem::Problem;
use recovery::{comparable, differences, folder, folder_of, read_files};
use restore::{integrity, options, run};

/// A backup of the corpus: its case, the folder of the set.
fn backups(corpus: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(corpus.join("engine")).unwrap() {
        let case = entry.unwrap().path();
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("backup-") {
            let below = case.join("pre/bk/new");
            let set = if below.is_dir() {
                below
            } else {
                case.join("pre/bk")
            };
            found.push((case, set));
        }
    }
    found.sort();
    assert!(found.len() >= 2, "{found:?}");
    found
}

#[test]
fn a_restored_backup_is_the_engines() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for (case, set) in backups(&corpus) {
        let dir = folder_of(&read_files(&set));
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::No;
        wanted.keep = true;
        let report = run(&wanted).unwrap();
        assert_eq!(report.ends[0].1, EndOfBackup::Trailer);
        let have = std::fs::read(dir.path().join("test.edb")).unwrap();
        let want = std::fs::read(case.join("post-restore/test.edb")).unwrap();
        let wrong = compare::databases(&have, &want, true);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", case.display());
        integrity(&dir.path().join("test.edb"));
        // The log that closes the stream has the number that the engine's has, and the set is kept.
        let log = exutil::log::generation::LoadedLog::load(&dir.path().join("edb.log")).unwrap();
        let theirs = case.join("post-restore/edb.log");
        let theirs = exutil::log::generation::LoadedLog::load(&theirs).unwrap();
        assert_eq!(log.generation(), theirs.generation());
        let after = read_files(dir.path());
        for name in read_files(&set).keys() {
            assert!(after.contains_key(name), "{name}");
        }
        // A second run changes nothing.
        let report = run(&wanted).unwrap();
        assert!(!report.recovery.replayed && report.recovery.databases.is_empty());
        let again = read_files(dir.path());
        let changed = differences(&comparable(&again), &comparable(&after));
        assert!(changed.is_empty(), "{changed:?}");
    }
}

/// The server went on after the backup and was then shut down: its logs carry the copy to the very same database.
#[test]
fn logs_of_the_server_carry_the_copy_to_its_last_state() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for (case, set) in backups(&corpus) {
        let dir = folder_of(&read_files(&set));
        let server = folder_of(&read_files(&case.join("pre")));
        for name in ["test.edb", "test.jfm", "edb.chk"] {
            std::fs::remove_file(server.path().join(name)).unwrap();
        }
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::From(server.path().to_owned());
        wanted.keep = true;
        let report = run(&wanted).unwrap();
        let (low, high) = report.played_forward.unwrap();
        assert_eq!((low.get(), high.get()), (7, 10));
        let have = dir.path().join("test.edb");
        integrity(&have);
        assert_eq!(
            restore::content(&have),
            restore::content(&case.join("pre/test.edb")),
            "{}",
            case.display()
        );
    }
}

/// Whoever names the folder in which the engine keeps its last two backups means the newer one.
#[test]
fn the_newer_of_two_backups_is_found() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let (_, set) = backups(&corpus)
        .into_iter()
        .find(|(_, set)| set.ends_with("new"))
        .unwrap();
    let dir = folder();
    // Copied by hand the names may be in capitals.
    for name in ["NEW", "old"] {
        let below = dir.path().join(name);
        std::fs::create_dir(&below).unwrap();
        recovery::reset(&below, &read_files(&set));
    }
    let restored = |name: &str| {
        let report = run(&options(dir.path())).unwrap();
        assert_eq!(
            report.recovery.databases[0].path,
            dir.path().join(name).join("test.edb")
        );
    };
    restored("NEW");
    std::fs::remove_dir_all(dir.path().join("NEW")).unwrap();
    restored("old");
}

/// A storage group with two databases, made a backup of where it crashed.
#[test]
fn several_databases_are_restored_and_missing_ones_named() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let case = recovery::case(&corpus, "crash-2dbs");
    let mut files = read_files(&case.join("pre"));
    let names = recovery::databases(&files);
    assert_eq!(names.len(), 2, "{names:?}");
    let current = files.remove("edb.log").unwrap();
    let (last, _) = restore::log_header(&current);
    let high = last.generation;
    files.insert(format!("edb{:08X}.log", high.get()), current);
    files.retain(|name, _| names.contains(name) || LogName::parse(name).is_some());
    let logs: Vec<_> = files
        .keys()
        .filter_map(|name| LogName::parse(name))
        .collect();
    let low = logs.iter().map(|name| name.number).min().unwrap();
    let LogNumber::Archived(low) = low else {
        panic!("{low:?}");
    };
    for name in &names {
        let info = BackupInfo {
            mark: Lgpos::new(high, 9, 9),
            time: recovery::NOW,
            low,
            high,
        };
        stamp_backup(files.get_mut(name).unwrap(), info, true).unwrap();
    }
    let dir = folder_of(&files);
    let report = run(&options(dir.path())).unwrap();
    assert_eq!(report.recovery.databases.len(), 2);
    let want = read_files(&case.join("post-r"));
    for name in &names {
        let have = std::fs::read(dir.path().join(name)).unwrap();
        // The logs are all closed, so that the stream is closed in a generation of its own.
        let wrong = compare::databases(&have, &want[name], false);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
    // One of them is not in the set.
    let mut part = files.clone();
    part.remove(&names[1]);
    let dir = folder_of(&part);
    let report = run(&options(dir.path())).unwrap();
    assert_eq!(report.recovery.databases.len(), 1);
    let named: Vec<String> = report
        .recovery
        .findings
        .iter()
        .filter(|finding| finding.problem == Problem::RestoreMissing)
        .filter_map(|finding| finding.place.file.clone())
        .collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(named[0].ends_with(&format!("\\{}", names[1])), "{named:?}");
    let have = std::fs::read(dir.path().join(&names[0])).unwrap();
    let wrong = compare::databases(&have, &want[&names[0]], false);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
