//! What the options of recovery do, and what must not depend on how it is run. The files are not part of the project:
//! `EXUTIL_CORPUS` names the directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};

use common::needs;
use exutil::format::dbheader::DbState;
use exutil::format::ids::Generation;
use exutil::format::stamp::Lgpos;
use exutil::jet::JetError;
use exutil::ops::recover::RecoverReport;
use exutil::ops::undo::{UndoOptions, undo_file};
use exutil::problem::Problem;
use exutil::recover::attach::{Places, Reason};
use recovery::{
    Files, assert_same, before, change_header, comparable, databases, folder, folder_of, header_of,
    only_databases, options, page_size, read_files, recovered, run,
};

/// Cases of all page sizes, with all that can happen.
const CASES: &[&str] = &[
    "crash-2dbs",
    "crash-basename",
    "crash-created",
    "crash-ddl2",
    "crash-efv7060",
    "crash-flush-32k",
    "crash-flush-4k",
    "crash-noflush-16k",
    "crash-noflush-32k",
    "crash-noflush-8k",
    "crash-rollbacks",
    "fuzz-000",
    "fuzz-001",
    "fuzz-002",
    "ops-ctx",
    "ops-ddl-rollback",
    "ops-emptytree",
    "ops-lv",
    "ops-merge",
    "ops-reattach",
    "ops-scrub",
    "ops-shrink-flush",
    "ops-split-16k",
    "r-nodb",
    "r-zeropage",
    "term-dirty",
];

/// What a run finds out, without how it was run.
fn numbers(report: &RecoverReport) -> serde_json::Value {
    let mut value = serde_json::to_value(report).unwrap();
    let fields = value.as_object_mut().unwrap();
    for field in ["dry_run", "undo_file", "cache"] {
        fields.remove(field).unwrap();
    }
    value
}

fn names(files: &Files) -> BTreeSet<&str> {
    files.keys().map(String::as_str).collect()
}

#[test]
fn a_small_cache_gives_the_same_bytes() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let spilled: u64 = CASES
        .par_iter()
        .map(|name| {
            let files = before(&corpus, name);
            let want = comparable(&recovered(&files));
            let dir = folder_of(&files);
            let mut small = options(dir.path());
            small.cache = Some(0);
            let report = run(&small).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_same(&comparable(&read_files(dir.path())), &want, name);
            report.cache.spilled
        })
        .sum();
    assert!(spilled > 1000, "{spilled}");
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for name in CASES {
        let files = before(&corpus, name);
        let results = [1, 2, 7].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            comparable(&pool.install(|| recovered(&files)))
        });
        assert_same(&results[1], &results[0], name);
        assert_same(&results[2], &results[0], name);
    }
}

#[test]
fn stopped_before_rolling_back_a_run_can_go_on() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let end = Lgpos::new(Generation::new(u32::MAX), u16::MAX, u16::MAX);
    CASES.par_iter().for_each(|name| {
        let files = before(&corpus, name);
        let whole = recovered(&files);
        let dir = folder_of(&files);
        let first = {
            let dry = folder_of(&files);
            let mut dry = options(dry.path());
            dry.dry_run = true;
            let report = run(&dry).unwrap();
            (report.start.unwrap(), report.end.unwrap())
        };
        let last = first.1.generation.get();
        let middle = (first.0.generation.get() + last) / 2;
        let middle = Lgpos::new(Generation::new(middle), u16::MAX, u16::MAX);
        for stop in [middle, end, end] {
            let mut until = options(dir.path());
            until.stop_after = Some(stop);
            until.ignore_checkpoint = stop == end;
            let was = read_files(dir.path());
            let report = run(&until).unwrap_or_else(|error| panic!("{name} {stop}: {error}"));
            // A stream that ended in order has nothing to roll back.
            if report.jet.code() == -584 {
                assert_eq!(*name, "term-dirty");
                return;
            }
            assert_eq!(report.jet.code(), -579, "{name}");
            let now = read_files(dir.path());
            // Logs and checkpoint stay as they are.
            for (file, bytes) in &was {
                let same = header_of(bytes).is_some() || now.get(file) == Some(bytes);
                assert!(same, "{name}: {file}");
            }
            for report in &report.databases {
                let open = [DbState::DirtyShutdown, DbState::DirtyAndPatchedShutdown];
                let closed = report.state == DbState::CleanShutdown;
                assert!(closed || open.contains(&report.state), "{name}: {report:?}");
            }
        }
        // Twice is as once: the third run found everything done.
        let report = run(&options(dir.path())).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.jet, JetError::SUCCESS, "{name}");
        // How often the file grew and was cut counts every time a record of it is redone, here as in the engine.
        let uncounted = |files: &Files| {
            let mut files = comparable(files);
            for name in databases(&files) {
                let bytes = files.get_mut(&name).unwrap();
                change_header(bytes, |header| {
                    header.extend.count = 0;
                    header.shrink.count = 0;
                });
            }
            files
        };
        let have = uncounted(&read_files(dir.path()));
        assert_same(&have, &uncounted(&whole), name);
    });
}

#[test]
fn nothing_is_changed_in_a_dry_run() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    CASES.par_iter().for_each(|name| {
        let files = before(&corpus, name);
        let dir = folder_of(&files);
        let mut dry = options(dir.path());
        dry.dry_run = true;
        let planned = run(&dry).unwrap();
        assert!(planned.dry_run && planned.undo_file.is_none());
        assert_same(&read_files(dir.path()), &files, name);
        dry.dry_run = false;
        let done = run(&dry).unwrap();
        assert!(done.counts.records > 0, "{name}");
        assert_eq!(numbers(&planned), numbers(&done), "{name}");
    });
}

#[test]
fn copies_are_recovered_and_the_originals_stay() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for name in CASES {
        let files = before(&corpus, name);
        let want = comparable(&recovered(&files));
        let dir = folder_of(&files);
        let target = folder();
        let mut places = vec![Places::In(dir.path().to_owned())];
        if databases(&files) == ["test.edb"] {
            places.push(Places::In(dir.path().join("test.edb")));
        }
        for (number, places) in places.into_iter().enumerate() {
            let to = target.path().join(number.to_string());
            let mut copy = options(dir.path());
            copy.places = places;
            copy.to = Some(to.clone());
            let report = run(&copy).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(report.jet, JetError::SUCCESS);
            assert_same(&read_files(dir.path()), &files, name);
            let mut have = comparable(&read_files(&to));
            // Flush maps are of no use any more, and the log that is prepared is made anew.
            let mut want = want.clone();
            for files in [&mut have, &mut want] {
                files.retain(|name, _| !name.ends_with(".jfm") && !name.ends_with(".RAW"));
            }
            for name in want.keys().filter(|name| name.contains("tmp.")) {
                have.entry(name.clone())
                    .or_insert_with(|| want[name].clone());
            }
            assert_same(&have, &want, name);
            let again = run(&copy).unwrap_err();
            assert!(again.to_string().contains("not empty"), "{again}");
        }
    }
}

#[test]
fn databases_elsewhere_are_found() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-2dbs");
    let want = only_databases(&recovered(&files));
    let dir = folder();
    let (logs, one, two) = (
        dir.path().join("logs"),
        dir.path().join("one"),
        dir.path().join("two"),
    );
    for folder in [&logs, &one, &two] {
        std::fs::create_dir(folder).unwrap();
    }
    for (name, bytes) in &files {
        let path = match name.as_str() {
            "test.edb" => one.join("renamed.edb"),
            // A folder is enough, and its name may be written as it likes.
            "second.edb" => two.join("SECOND.EDB"),
            name => logs.join(name),
        };
        std::fs::write(path, bytes).unwrap();
    }
    let mut moved = options(&logs);
    let old = |name: &str| format!(r"e:\DB\{name}");
    let first = (one.join("renamed.edb"), old("test.edb"));
    moved.places = Places::Moved(vec![first.clone()], false);
    moved.dry_run = true;
    let error = run(&moved).unwrap_err();
    assert_eq!(error.jet(), JetError::ATTACHED_DATABASE_MISMATCH);
    assert!(error.to_string().contains("second.edb"), "{error}");
    moved.ignore_missing = true;
    let report = run(&moved).unwrap();
    assert_eq!(report.databases.len(), 1);
    assert!(report.skipped[0].logged_path.ends_with("second.edb"));
    moved.ignore_missing = false;
    moved.dry_run = false;
    std::fs::rename(two.join("SECOND.EDB"), two.join("second.edb")).unwrap();
    moved.places = Places::Moved(vec![first, (two.clone(), old("second.edb"))], false);
    run(&moved).unwrap();
    let have = [&one, &two].map(|dir| only_databases(&read_files(dir)));
    assert_eq!(have[0]["renamed.edb"], want["test.edb"]);
    assert_eq!(have[1]["second.edb"], want["second.edb"]);
    // One file for all databases.
    let files = before(&corpus, "crash-rollbacks");
    let want = only_databases(&recovered(&files));
    let dir = folder_of(&files);
    let file = dir.path().join("other name");
    std::fs::rename(dir.path().join("test.edb"), &file).unwrap();
    let mut one = options(dir.path());
    one.places = Places::In(file.clone());
    run(&one).unwrap();
    let have = only_databases(&read_files(dir.path()));
    assert_eq!(have["other name"], want["test.edb"]);
}

#[test]
fn a_missing_database_is_named_or_left_out() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    // Its logs begin behind its creation.
    let mut files = before(&corpus, "fuzz-001");
    files.remove("test.edb").unwrap();
    let dir = folder_of(&files);
    for (places, advice) in [
        (Places::Logged, "/d"),
        (Places::In(dir.path().to_owned()), "/i"),
    ] {
        let mut missing = options(dir.path());
        missing.places = places;
        let error = run(&missing).unwrap_err();
        assert_eq!(error.jet(), JetError::ATTACHED_DATABASE_MISMATCH, "{error}");
        assert!(error.advice().unwrap().contains(advice), "{error}");
        assert!(error.to_string().contains("test.edb"), "{error}");
        assert_same(&read_files(dir.path()), &files, "missing");
        missing.ignore_missing = true;
        missing.dry_run = true;
        let report = run(&missing).unwrap();
        assert_eq!(report.skipped.len(), 1);
        assert_eq!(report.skipped[0].reason, Reason::Missing);
        assert!(report.skipped[0].logged_path.ends_with("test.edb"));
        let named = |problem: Problem| report.findings.iter().any(|f| f.problem == problem);
        assert!(named(Problem::RecoverySkipped), "{:?}", report.findings);
    }
    // Logs that hold its creation make it anew, but nowhere else than where it can be.
    let mut files = before(&corpus, "crash-rollbacks");
    files.remove("test.edb").unwrap();
    let dir = folder_of(&files);
    let mut logged = options(dir.path());
    logged.places = Places::Logged;
    let error = run(&logged).unwrap_err();
    assert_eq!(error.jet(), JetError::ATTACHED_DATABASE_MISMATCH, "{error}");
    assert!(error.advice().unwrap().contains("/d"), "{error}");
    assert!(!Path::new(r"E:\db\test.edb").exists());
}

#[test]
fn logs_are_removed_on_demand_and_come_back() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-rollbacks");
    let whole = recovered(&files);
    let dir = folder_of(&files);
    let mut truncating = options(dir.path());
    truncating.truncate_logs = true;
    run(&truncating).unwrap();
    let now = read_files(dir.path());
    assert!(now.len() + 5 < whole.len(), "{:?}", names(&now));
    assert!(now.contains_key("edb.log") && now.contains_key("edb.chk"));
    for (name, bytes) in &comparable(&now) {
        assert_eq!(Some(bytes), comparable(&whole).get(name), "{name}");
    }
    // The rest is a stream that ended in order.
    let report = run(&options(dir.path())).unwrap();
    assert!(!report.replayed);
    undo_file(&dir.path().join("edb.undo"), UndoOptions::default()).unwrap();
    let mut now = read_files(dir.path());
    now.retain(|name, _| !name.ends_with(".undo"));
    assert_same(&now, &files, "undone");
}

/// Where the databases end does not depend on the checkpoint.
#[test]
fn a_checkpoint_of_no_use_is_named_and_does_no_harm() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-noflush-4k");
    let want = comparable(&recovered(&files));
    let good = &files["edb.chk"];
    let copy = good.len() / 2;
    let spoil = |at: &[usize]| {
        let mut bytes = good.clone();
        at.iter().for_each(|at| bytes[*at] ^= 0x55);
        Some(bytes)
    };
    let later = recovered(&files)["edb.chk"].clone();
    let cases = [
        ("missing", None, None),
        (
            "first copy",
            spoil(&[100]),
            Some(Problem::CheckpointBadCopy),
        ),
        (
            "second copy",
            spoil(&[copy + 100]),
            Some(Problem::CheckpointBadCopy),
        ),
        (
            "both copies",
            spoil(&[100, copy + 100]),
            Some(Problem::CheckpointUnused),
        ),
        ("empty", Some(Vec::new()), Some(Problem::CheckpointUnused)),
        (
            "zero",
            Some(vec![0; good.len()]),
            Some(Problem::CheckpointUnused),
        ),
        (
            "foreign",
            Some(before(&corpus, "crash-flush-4k")["edb.chk"].clone()),
            Some(Problem::CheckpointUnused),
        ),
        ("later", Some(later), Some(Problem::CheckpointUnused)),
    ];
    for (what, checkpoint, problem) in cases {
        let mut files = files.clone();
        match checkpoint {
            Some(bytes) => files.insert("edb.chk".to_owned(), bytes),
            None => files.remove("edb.chk"),
        };
        let dir = folder_of(&files);
        let report = run(&options(dir.path())).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found: Vec<_> = report.findings.iter().map(|f| f.problem).collect();
        assert_eq!(found, Vec::from_iter(problem), "{what}");
        assert!(report.replayed, "{what}");
        let have = comparable(&read_files(dir.path()));
        assert_eq!(only_databases(&have), only_databases(&want), "{what}");
        assert!(have.contains_key("edb.chk"), "{what}");
        assert!(!run(&options(dir.path())).unwrap().replayed, "{what}");
    }
}

/// Renames every file; the logs get five digits.
fn five_digits(files: &Files, spell: fn(&str) -> String) -> Files {
    files
        .iter()
        .map(|(name, bytes)| {
            let short = match name.strip_prefix("edb000") {
                Some(rest) if name.len() == "edb00000001.log".len() => format!("edb{rest}"),
                _ => name.clone(),
            };
            (spell(&short), bytes.clone())
        })
        .collect()
}

#[test]
fn names_of_all_kinds_are_kept() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for name in ["crash-2dbs", "crash-rollbacks"] {
        let files = before(&corpus, name);
        let want = comparable(&recovered(&files));
        let spellings: [fn(&str) -> String; 2] = [
            |name| name.to_ascii_lowercase(),
            |name| name.to_ascii_uppercase(),
        ];
        for spell in spellings {
            let mine = five_digits(&files, spell);
            let dir = folder_of(&mine);
            run(&options(dir.path())).unwrap();
            let have = comparable(&read_files(dir.path()));
            // Numbers of new logs have capital letters, as the engine writes them.
            let lower = |name: &str| name.to_ascii_lowercase();
            let have_names = have.len();
            let have: Files = have
                .into_iter()
                .map(|(name, bytes)| (lower(&name), bytes))
                .collect();
            assert_eq!(have_names, have.len(), "{name}");
            assert_same(&have, &five_digits(&want, lower), name);
            assert!(!run(&options(dir.path())).unwrap().replayed);
        }
    }
    let files = before(&corpus, "crash-basename");
    let after = recovered(&files);
    assert!(
        !after
            .keys()
            .any(|name| name.ends_with(".log") || name.ends_with(".chk")),
        "{:?}",
        names(&after)
    );
    assert_ne!(files["edb.jcp"], after["edb.jcp"]);
    assert_ne!(files["edb.jtx"], after["edb.jtx"]);
}

/// A run that was stopped by force after one of two databases had been written, with everything else done: the
/// other one is told, and recovered when asked for.
#[test]
fn a_database_that_was_left_behind_is_told_and_recovered() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-2dbs");
    let whole = recovered(&files);
    for late in ["second.edb", "test.edb"] {
        let mut mixed = whole.clone();
        mixed.remove("edb.undo");
        mixed.insert(late.to_owned(), files[late].clone());
        let dir = folder_of(&mixed);
        let report = run(&options(dir.path())).unwrap();
        assert!(!report.replayed);
        let told = report.findings.iter().any(|finding| {
            let file = finding.place.file.as_deref().unwrap_or_default();
            finding.problem == Problem::DatabaseBehind && file.ends_with(late)
        });
        assert!(told, "{:?}", report.findings);
        assert_same(&read_files(dir.path()), &mixed, late);
        let mut all = options(dir.path());
        all.ignore_checkpoint = true;
        run(&all).unwrap();
        let now = read_files(dir.path());
        for name in databases(&now) {
            let (have, want) = (&comparable(&now)[&name], &comparable(&whole)[&name]);
            let headers = 2 * page_size(have).bytes();
            assert!(have[headers..] == want[headers..], "{late}: {name}");
            let header = header_of(have).unwrap();
            assert_eq!(header.db_state(), DbState::CleanShutdown);
        }
    }
}

/// The command: options as Eseutil has them, what it says, how it ends.
#[test]
fn the_command_does_as_the_library() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-rollbacks");
    let dir = folder_of(&files);
    let run = common::line(dir.path(), "/r edb /d /u");
    assert!(run.stdout.contains("-579"), "{}", run.text());
    let run = common::line(dir.path(), "/r edb /d --threads 2 --cache 1");
    assert_eq!(run.status, 0, "{}", run.text());
    assert!(run.stdout.contains("Undo file"), "{}", run.text());
    let run = common::line(dir.path(), "/r edb /d");
    assert!(run.stdout.contains("nothing"), "{}", run.text());
    for undo in ["edb-2.undo", "edb.undo"] {
        let run = common::line(dir.path(), &format!("undo {undo}"));
        assert_eq!(run.status, 0, "{}", run.text());
    }
    let mut now = read_files(dir.path());
    now.retain(|name, _| !name.ends_with(".undo"));
    assert_same(&now, &files, "undone");
    let run = common::line(dir.path(), "r edb /d --dry-run --format json");
    assert_eq!(run.status, 0, "{}", run.text());
    let report = run.one_json();
    assert!(report.to_string().contains("\"dry_run\":true"), "{report}");
    let wrong = common::line(dir.path(), "r edb /d /n x:y");
    assert!(wrong.status != 0 && wrong.output().contains("/d and /n"));
    let wrong = common::line(dir.path(), "r edbx /d");
    assert!(wrong.status != 0 && wrong.output().contains("base name"));
}
