//! Where a restore works: destinations that are taken, sets that were moved, databases that are left out, environments
//! that say something wrong, logs under other names.

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

use exutil::build::live::{BackupForm, BackupSet};
use exutil::build::logs::{BuiltFile, Tail};
use exutil::error::Error;
use exutil::ops::restore::{PlayForward, RestoreOptions};
use exutil::problem::Problem;

use backup::{Run, WITH_IMAGES, compare};
use recovery::{Files, change_header, differences, folder, folder_of, read_files};
use restore::{options, run};

const DATABASE: &str = "live.edb";
const TOML: &str = "restore-environment.toml";

fn backed_up(seed: u64) -> (Run, BackupSet) {
    let mut writer = Run::new(WITH_IMAGES[5], seed);
    writer.steps(300);
    let set = writer.backup(BackupForm::Trailer);
    (writer, set)
}

fn files_of(set: &BackupSet) -> Files {
    let mut files = logs_of(&set.logs);
    files.insert(DATABASE.to_owned(), set.database.clone());
    files
}

fn logs_of(logs: &[BuiltFile]) -> Files {
    logs.iter()
        .map(|log| (log.name.clone(), log.bytes.clone()))
        .collect()
}

fn toml(destination: &str) -> Vec<u8> {
    format!(
        "format = \"exutil restore environment 1\"\n[[database]]\ndestination = ['{destination}']\n"
    )
    .into_bytes()
}

/// The run fails with this number, names this, and leaves the folder as it was.
fn refused(wanted: &RestoreOptions, code: i32, named: &str) -> Error {
    let before = read_files(&wanted.dir);
    let error = run(wanted).unwrap_err();
    assert_eq!(error.jet().code(), code, "{error}");
    assert!(error.to_string().contains(named), "{error}");
    let left = differences(&read_files(&wanted.dir), &before);
    assert!(left.is_empty(), "{left:?}");
    error
}

/// What `cm` writes about a set says nothing of the folder that it lies in, so that a copy of the set is itself.
#[test]
fn a_copied_set_is_restored_where_it_lies() {
    let (_, set) = backed_up(1);
    let first = folder_of(&files_of(&set));
    let known = exutil::ops::restore::describe(&options(first.path())).unwrap();
    let path = first.path().join(TOML);
    exutil::ops::restore::write_environment(&known.environment, &path).unwrap();
    let files = read_files(first.path());
    let second = folder_of(&files);
    run(&options(second.path())).unwrap();
    assert!(differences(&read_files(first.path()), &files).is_empty());
    compare(&second.path().join(DATABASE), &set.model).unwrap();
}

#[test]
fn a_relative_destination_lies_beside_its_file() {
    let (_, set) = backed_up(2);
    let mut files = files_of(&set);
    files.insert(TOML.to_owned(), toml("below/live.edb"));
    let dir = folder_of(&files);
    let error = refused(&options(dir.path()), -1023, "below");
    assert!(error.advice().is_some());
    std::fs::create_dir(dir.path().join("below")).unwrap();
    run(&options(dir.path())).unwrap();
    compare(&dir.path().join("below").join(DATABASE), &set.model).unwrap();
}

/// Whatever lies at the destination is neither overwritten nor taken for the backup.
#[test]
fn a_destination_that_is_taken_is_refused() {
    let (mut writer, set) = backed_up(3);
    let (_, other) = backed_up(4);
    writer.settle();
    let crash = writer.live.crash(usize::MAX, Tail::Whole).unwrap();
    let mut clean_other = other.database.clone();
    change_header(&mut clean_other, |header| {
        header.state = 3;
        header.sign_db.random ^= 1;
        header.backup_full_cur = Default::default();
    });
    for taken in [
        b"no database".to_vec(),
        Vec::new(),
        crash.database,
        other.database.clone(),
        clean_other,
    ] {
        let target = folder();
        let place = target.path().join(DATABASE);
        std::fs::write(&place, &taken).unwrap();
        let mut files = files_of(&set);
        files.insert(TOML.to_owned(), toml(place.to_str().unwrap()));
        let dir = folder_of(&files);
        refused(&options(dir.path()), -1814, "another file");
        assert_eq!(std::fs::read(&place).unwrap(), taken);
    }
}

/// A dry run tells what the real run would do with a destination.
#[test]
fn a_dry_run_knows_the_destination() {
    let (_, set) = backed_up(5);
    let target = folder();
    let place = target.path().join(DATABASE);
    let mut files = files_of(&set);
    files.insert(TOML.to_owned(), toml(place.to_str().unwrap()));
    let dir = folder_of(&files);
    let mut wanted = options(dir.path());
    wanted.dry_run = true;
    let dry = run(&wanted).unwrap();
    assert!(!place.exists());
    wanted.dry_run = false;
    let real = run(&wanted).unwrap();
    assert_eq!(dry.copied, real.copied);
    assert_eq!(dry.copied.len(), 1);
    assert!(dry.removed.is_empty() && real.removed.is_empty());
}

/// Logs that another database of the folder still needs are kept, and it can be restored afterwards.
#[test]
fn a_database_that_is_left_out_keeps_the_logs() {
    let (_, set) = backed_up(6);
    let mut files = files_of(&set);
    files.insert("other.edb".to_owned(), set.database.clone());
    let dir = folder_of(&files);
    refused(&options(dir.path()), -1222, "other.edb");
    for name in [DATABASE, "other.edb"] {
        let mut wanted = options(dir.path());
        let path = dir.path().join(name);
        // Named twice, in two ways.
        wanted.databases = vec![path.clone(), dir.path().join(".").join(name)];
        let report = run(&wanted).unwrap();
        assert_eq!(report.recovery.databases.len(), 1);
        let codes = report.recovery.findings.iter();
        let kept = codes.filter(|finding| finding.problem == Problem::LogsKept);
        assert_eq!(kept.count(), usize::from(name == DATABASE));
        assert_eq!(report.removed.is_empty(), name == DATABASE);
        compare(&path, &set.model).unwrap();
    }
}

/// What a user wrote is never passed over; what nobody can read does not stand in the way.
#[test]
fn environments_that_say_something_wrong() {
    let (_, set) = backed_up(7);
    let mut files = files_of(&set);
    let mut typo = toml("/srv/live.edb");
    typo.extend(b"typo = 1\n");
    files.insert(TOML.to_owned(), typo);
    let dir = folder_of(&files);
    refused(&options(dir.path()), -1812, TOML);
    // A base name that only seems to stand in a Restore.env.
    let mut binary = Vec::new();
    for text in [r"D:\sg\live.edb", "E77"] {
        let units: Vec<u16> = text.encode_utf16().collect();
        binary.extend(u32::try_from(units.len()).unwrap().to_le_bytes());
        binary.extend(units.into_iter().flat_map(u16::to_le_bytes));
    }
    binary.extend([1, 0, 0, 0, 6, 0, 0, 0]);
    let mut files = files_of(&set);
    files.insert("Restore.env".to_owned(), binary.clone());
    // That of another storage group's snapshot.
    files.insert("E55Restore.env".to_owned(), binary);
    let dir = folder_of(&files);
    run(&options(dir.path())).unwrap();
    compare(&dir.path().join(DATABASE), &set.model).unwrap();
    let names: Vec<String> = read_files(dir.path()).into_keys().collect();
    assert_eq!(names, ["E55Restore.env", DATABASE, "restore.undo"]);
    let dir = folder_of(&files_of(&set));
    let mut wanted = options(dir.path());
    wanted.log_base = Some("E77".to_owned());
    refused(&wanted, -557, "E77");
}

/// A cut-off file is no file with a damaged trailer page.
#[test]
fn a_cut_off_copy_is_refused_whatever_is_said() {
    let (_, set) = backed_up(8);
    let mut files = files_of(&set);
    let size = WITH_IMAGES[5].page_size.bytes();
    let pages = set.database.len() / size;
    files.get_mut(DATABASE).unwrap().truncate(pages / 2 * size);
    let dir = folder_of(&files);
    let mut wanted = options(dir.path());
    wanted.ignore_trailer = true;
    refused(&wanted, -538, DATABASE);
}

/// The stream goes on under the names that it has in the folder where it goes on.
#[test]
fn the_stream_goes_on_under_the_names_of_its_folder() {
    let (mut writer, set) = backed_up(9);
    writer.steps(400);
    let (_, most) = writer.live.keepable();
    let crash = writer.live.crash(most, Tail::Whole).unwrap();
    let renamed = |extension: &str, digits: usize| -> Files {
        let rename = |name: &String| {
            let stem = name.trim_end_matches(".log");
            let (base, number) = stem.split_at(3);
            let number = &number[number.len().saturating_sub(digits)..];
            format!("{base}{number}.{extension}")
        };
        let logs = logs_of(&crash.logs);
        let pairs = logs
            .iter()
            .map(|(name, bytes)| (rename(name), bytes.clone()));
        pairs.collect()
    };
    for (extension, digits, checkpoint) in [("jtx", 8, "E00.jcp"), ("log", 5, "E00.chk")] {
        let server = folder_of(&renamed(extension, digits));
        let dir = folder_of(&files_of(&set));
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::From(server.path().to_owned());
        run(&wanted).unwrap();
        compare(&dir.path().join(DATABASE), &crash.model).unwrap();
        let after = read_files(server.path());
        assert!(after.contains_key(checkpoint), "{:?}", after.keys());
        let longest = 3 + digits + 4;
        for name in after.keys() {
            assert!(
                name.len() <= longest && (name == checkpoint || name.ends_with(extension)),
                "{name}"
            );
        }
    }
}

/// A set that ends with its current log, and a folder that begins with it.
#[test]
fn a_current_log_of_the_set_is_one_of_many_then() {
    let (mut writer, set) = backed_up(10);
    writer.steps(400);
    let (_, most) = writer.live.keepable();
    let crash = writer.live.crash(most, Tail::Whole).unwrap();
    let mut files = files_of(&set);
    let last = &set.logs[set.logs.len() - 1];
    files.remove(&last.name);
    files.insert("E00.log".to_owned(), last.bytes.clone());
    let server = folder_of(&logs_of(&crash.logs));
    let dir = folder_of(&files);
    let mut wanted = options(dir.path());
    wanted.forward = PlayForward::From(server.path().to_owned());
    run(&wanted).unwrap();
    compare(&dir.path().join(DATABASE), &crash.model).unwrap();
    // Alone it is enough, too; and a folder that has no more than it is no place to go on.
    let dir = folder_of(&files);
    run(&options(dir.path())).unwrap();
    compare(&dir.path().join(DATABASE), &set.model).unwrap();
    let old = Files::from([("E00.log".to_owned(), last.bytes.clone())]);
    let server = folder_of(&old);
    let dir = folder_of(&files_of(&set));
    let mut wanted = options(dir.path());
    wanted.forward = PlayForward::From(server.path().to_owned());
    let error = refused(&wanted, -611, "E00.log");
    assert!(error.advice().unwrap().contains(&last.name), "{error}");
    assert!(differences(&read_files(server.path()), &old).is_empty());
}

/// The whole set is one log, which was not closed when it was copied: what follows is replayed all the same.
#[test]
fn a_set_of_one_current_log_is_played_forward() {
    let mut writer = Run::new(WITH_IMAGES[7], 12);
    writer.settle();
    let set = writer
        .live
        .begin_backup(BackupForm::Trailer)
        .and_then(|()| writer.live.end_backup());
    let set = set.unwrap();
    let [log] = &set.logs[..] else {
        panic!("{} logs", set.logs.len());
    };
    let files = Files::from([
        (DATABASE.to_owned(), set.database.clone()),
        ("E00.log".to_owned(), log.bytes.clone()),
    ]);
    writer.steps(400);
    let (_, most) = writer.live.keepable();
    let crash = writer.live.crash(most, Tail::Whole).unwrap();
    assert_ne!(crash.model, set.model);
    // Copied while it grew, it may lack what the server's own has.
    let mut growing = files.clone();
    growing.get_mut("E00.log").unwrap()[restore::LOG_HEADER..].fill(0);
    for files in [files, growing] {
        let server = folder_of(&logs_of(&crash.logs));
        let dir = folder_of(&files);
        let mut wanted = options(dir.path());
        wanted.forward = PlayForward::From(server.path().to_owned());
        let report = run(&wanted).unwrap();
        assert!(report.played_forward.is_some());
        compare(&dir.path().join(DATABASE), &crash.model).unwrap();
    }
}

/// The current folder, and names without a folder.
#[test]
fn bare_names() {
    let (_, set) = backed_up(11);
    let dir = folder_of(&files_of(&set));
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_exutil"))
        .current_dir(dir.path())
        .args(["cc", "--database", DATABASE, "/k", "/t"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    compare(Path::new(&dir.path().join(DATABASE)), &set.model).unwrap();
}
