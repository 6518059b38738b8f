//! Streams that are whole after a recovery however they began: damaged logs given up, files made from nothing but the
//! log, databases that come and go. The real ones are not part of the project: `EXUTIL_CORPUS` names the directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use std::path::Path;

use common::needs;
use exutil::build::logs::{LogBuilder, LogFormat, StreamOptions, Tail};
use exutil::format::checkpoint::Checkpoint;
use exutil::format::ids::Generation;
use exutil::format::logrec::{CreateDb, DbId, DetachDb, ProcId, Record, TrxId};
use exutil::format::logwrite::control::{begin0, commit0, shut_down_mark};
use exutil::format::logwrite::encode;
use exutil::format::stamp::{LogTime, Signature};
use exutil::jet::JetError;
use exutil::log::changes::StreamNaming;
use exutil::log::closing::checkpoint_file;
use exutil::ops::integrity::{IntegrityOptions, check_database};
use exutil::ops::logs::{GenerationRange, Quiet, read_stream};
use exutil::problem::Problem;
use exutil::progress::Silent;
use exutil::recover::attach::Reason;
use recovery::{
    Files, before, case, databases, folder_of, header_of, options, read_files, recovered, run,
};

fn sound(dir: &Path, database: &str, what: &str) {
    let report =
        check_database(&dir.join(database), &IntegrityOptions::default(), &Silent).unwrap();
    let mut findings = report.check.findings;
    // A page taken for a split that the end of the logs cut short belongs to nobody; so with the engine.
    let usual = [Problem::IndexNotRecomputed, Problem::SpaceLeaked];
    findings.retain(|finding| !usual.contains(&finding.problem));
    assert!(findings.is_empty(), "{what}: {findings:?}");
}

/// The stream ends in order, and a second run has nothing to do.
fn whole(dir: &Path, what: &str) {
    let stream = read_stream(dir, "edb", GenerationRange::default(), &mut Quiet).unwrap();
    assert_eq!(
        stream.jet,
        JetError::SUCCESS,
        "{what}: {:?}",
        stream.findings
    );
    let files = read_files(dir);
    let again = run(&options(dir)).unwrap();
    assert!(!again.replayed, "{what}");
    assert!(again.findings.is_empty(), "{what}: {:?}", again.findings);
    assert!(files == read_files(dir), "{what}");
}

/// Records before the damage count as little as those behind it.
#[test]
fn a_damaged_log_is_given_up_whole() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut current = before(&corpus, "crash-wpl2");
    let last = current.remove("edb0000000B.log").unwrap();
    current.insert("edb.log".to_owned(), last);
    for (what, mut files, damaged, left) in [
        ("current", current, "edb.log", 0xA),
        (
            "last but two",
            before(&corpus, "crash-wpl2"),
            "edb0000000A.log",
            9,
        ),
        (
            "last but one",
            before(&corpus, "crash-wpl2"),
            "edb0000000B.log",
            0xA,
        ),
    ] {
        let bytes = files.get_mut(damaged).unwrap();
        bytes[7 * 4096 + 100..][..40].fill(0x5A);
        let dir = folder_of(&files);
        let refused = run(&options(dir.path())).unwrap_err();
        assert_eq!(refused.jet().code(), -586, "{what}");
        let mut lossy = options(dir.path());
        lossy.lossy = true;
        let report = run(&lossy).unwrap();
        assert_eq!(report.jet.code(), 587, "{what}");
        assert!(
            report
                .findings
                .iter()
                .any(|finding| finding.problem == Problem::LogsLost)
        );
        let end = report.end.unwrap().generation;
        assert_eq!(end, Generation::new(left), "{what}");
        sound(dir.path(), "test.edb", what);
        whole(dir.path(), what);
    }
}

/// Older logs do not say how long a file is: its own space does.
#[test]
fn a_file_made_from_an_old_log_has_its_length() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut files = before(&corpus, "rollforward-registar");
    files.remove("storage.ide").unwrap();
    let dir = folder_of(&files);
    run(&options(dir.path())).unwrap();
    let made = std::fs::metadata(dir.path().join("storage.ide")).unwrap();
    let engine = case(&corpus, "rollforward-registar").join("post-r/storage.ide");
    assert_eq!(made.len(), std::fs::metadata(engine).unwrap().len());
    sound(dir.path(), "storage.ide", "made");
    whole(dir.path(), "made");
}

/// What closes a stream is no change that a database could have missed.
#[test]
fn what_the_engine_recovered_is_not_behind() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut seen = 0;
    for kind in ["engine", "real"] {
        for entry in std::fs::read_dir(corpus.join(kind)).unwrap() {
            let dir = entry.unwrap().path().join("post-r");
            if !dir.join("edb.log").exists() {
                continue;
            }
            let name = dir.display();
            let mut dry = options(&dir);
            dry.dry_run = true;
            let Ok(report) = run(&dry) else { continue };
            let clean = databases(&read_files(&dir)).into_iter().all(|name| {
                let header = header_of(&std::fs::read(dir.join(name)).unwrap()).unwrap();
                header.db_state() == exutil::format::dbheader::DbState::CleanShutdown
            });
            let mut problems = report.findings.iter().map(|finding| finding.problem);
            let behind = problems.any(|problem| problem == Problem::DatabaseBehind);
            // The engine left this one behind.
            let known = name.to_string().contains("futurechk");
            assert_eq!(behind, clean && known, "{name}: {:?}", report.findings);
            seen += usize::from(clean);
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_checkpoint_behind_the_last_log_is_not_used() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut files = before(&corpus, "rollforward-registar");
    let with = before(&corpus, "futurechk-registar");
    let mut checkpoint = Checkpoint::parse(&with["edb.chk"]).unwrap();
    checkpoint.checkpoint.generation = Generation::new(9);
    files.insert("edb.chk".to_owned(), checkpoint_file(&checkpoint, &[]));
    let dir = folder_of(&files);
    let report = run(&options(dir.path())).unwrap();
    let told = |problem| {
        report
            .findings
            .iter()
            .any(|finding| finding.problem == problem)
    };
    assert!(told(Problem::CheckpointUnused), "{:?}", report.findings);
    sound(dir.path(), "storage.ide", "recovered");
    whole(dir.path(), "recovered");
}

const HOME: &str = "E:\\db\\a.edb";
const OTHER: &str = "E:\\db\\b.edb";

fn signature(random: u32) -> Signature {
    Signature {
        random,
        ..Signature::default()
    }
}

/// A new database: its root, and that it is done.
fn create(path: &str, random: u32, dbtime: u64, version: (u16, u16)) -> Vec<Vec<u8>> {
    let (procid, dbid) = (ProcId(5), DbId(1));
    let create = CreateDb {
        procid,
        dbid,
        grbit: 0,
        max_pages: 0,
        sign_db: signature(random),
        flags: 0xC,
        version: Some(version),
        path: path.to_owned(),
    };
    let mut records = vec![encode(&Record::CreateDb(create)).unwrap()];
    if version.0 >= 2 {
        // CreateMultipleExtentFDP: page 1 with its space trees on 2 and 3, twenty pages.
        let mut root = vec![24, 5, 0, 1, 1, 0, 0, 0];
        root.extend(dbtime.to_le_bytes());
        root.extend(u64::MAX.to_le_bytes());
        root.extend([4, 0, 0, 0, 1, 0, 0, 4]);
        for number in [1u32, 2, 3, 0, 20, 0] {
            root.extend(number.to_le_bytes());
        }
        records.push(begin0(procid, 1, TrxId(4)));
        records.push(root);
        records.push(commit0(procid, TrxId(8)));
    }
    records.push(encode(&Record::CreateDbFinish(procid, dbid)).unwrap());
    records
}

fn detach(path: &str) -> Vec<u8> {
    let detach = DetachDb {
        procid: ProcId(5),
        dbid: DbId(1),
        flags: 0x10,
        path: path.to_owned(),
    };
    encode(&Record::DetachDb(detach)).unwrap()
}

fn stream(records: &[Vec<u8>]) -> Files {
    let mut builder = LogBuilder::new(StreamOptions {
        naming: StreamNaming {
            base: "edb".into(),
            extension: "log".into(),
            digits: 8,
        },
        format: LogFormat::Segments,
        version: (9, 320),
        file_sectors: 24,
        page_size: 4096,
        sign_log: signature(9),
        first: (Generation::new(1), LogTime::default()),
        created: LogTime::utc((2026, 1, 2), (3, 4, 5), 6),
        environment: common::make::environment(),
    })
    .unwrap();
    for record in records.iter().chain([&shut_down_mark()]) {
        builder.append(record).unwrap();
    }
    let files = builder.finish(Tail::Whole);
    files
        .into_iter()
        .map(|file| (file.name, file.bytes))
        .collect()
}

/// A file that was made, closed and made again is the later one.
#[test]
fn a_database_is_made_twice() {
    let records = [
        create(HOME, 1, 0x49, (2, 0)),
        vec![detach(HOME)],
        create(HOME, 2, 0x59, (2, 0)),
    ];
    let dir = folder_of(&stream(&records.concat()));
    let report = run(&options(dir.path())).unwrap();
    assert_eq!(report.databases.len(), 1, "{report:?}");
    let header = header_of(&read_files(dir.path())["a.edb"]).unwrap();
    assert_eq!(header.sign_db, signature(2));
}

/// A new database whose first pages no log holds stops nothing that came later.
#[test]
fn an_old_creation_is_left_out() {
    let records = [
        create(HOME, 1, 0x49, (1, 0)),
        vec![detach(HOME)],
        create(OTHER, 2, 0x59, (2, 0)),
    ];
    let files = stream(&records.concat());
    let dir = folder_of(&files);
    run(&options(dir.path())).unwrap();
    assert_eq!(databases(&read_files(dir.path())), ["b.edb"]);
}

/// A number that is given to two databases at once would never be free again.
#[test]
fn a_number_stands_for_one_database() {
    let records = [
        create(HOME, 1, 0x49, (2, 0)),
        create(OTHER, 2, 0x59, (2, 0)),
    ];
    let files = stream(&records.concat());
    let dir = folder_of(&files);
    let error = run(&options(dir.path())).unwrap_err();
    assert_eq!(error.jet(), JetError::LOG_FILE_CORRUPT);
    assert!(read_files(dir.path()) == files);
}

/// With /i the rest is recovered, whatever stands in the place of a database.
#[test]
fn what_is_no_database_of_the_stream_is_left_out() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "fuzz-001");
    let whole = recovered(&files);
    let large = common::sample("mini-32k.edb");
    for (what, bytes, code, reason) in [
        ("zero", vec![0; 1 << 16], -1206, Reason::NoHeader),
        ("large pages", large, -1213, Reason::PageSize),
    ] {
        let mut files = files.clone();
        files.insert("test.edb".to_owned(), bytes.clone());
        let dir = folder_of(&files);
        let mut options = options(dir.path());
        assert_eq!(run(&options).unwrap_err().jet().code(), code, "{what}");
        options.ignore_missing = true;
        let report = run(&options).unwrap();
        let reasons: Vec<_> = report
            .skipped
            .iter()
            .map(|skipped| skipped.reason)
            .collect();
        assert_eq!(reasons, [reason], "{what}");
        let now = read_files(dir.path());
        assert!(now["test.edb"] == bytes, "{what}");
        assert!(now["edb.log"] == whole["edb.log"], "{what}");
    }
}
