//! `r --to`: everything that belongs together is copied, wherever it lies, and only the copies are changed. The files
//! are not part of the project: `EXUTIL_CORPUS` names the directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use common::needs;
use exutil::format::dbheader::DbState;
use exutil::recover::attach::Places;
use recovery::{
    Files, assert_same, before, folder, folder_of, header_of, only_databases, options, page_size,
    read_files, recovered, run,
};

/// The pages of clean databases; the command writes the time of day into headers.
#[cfg_attr(not(unix), allow(dead_code, reason = "its test is not there"))]
fn without_headers(files: &Files) -> Files {
    let pages = |(name, bytes): (String, Vec<u8>)| {
        let header = header_of(&bytes).unwrap();
        assert_eq!(header.db_state(), DbState::CleanShutdown, "{name}");
        (name, bytes[2 * page_size(&bytes).bytes()..].to_vec())
    };
    only_databases(files).into_iter().map(pages).collect()
}

#[test]
fn databases_beside_the_named_one_are_copied_too() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-2dbs");
    let want = only_databases(&recovered(&files));
    assert_eq!(want.len(), 2);
    let dir = folder_of(&files);
    for name in ["test.edb", "second.edb"] {
        let target = folder();
        let mut copy = options(dir.path());
        copy.places = Places::In(dir.path().join(name));
        copy.to = Some(target.path().join("to"));
        run(&copy).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_same(&read_files(dir.path()), &files, "originals");
        let have = only_databases(&read_files(&target.path().join("to")));
        assert_same(&have, &want, name);
    }
}

/// Where the log says is a path of Windows; elsewhere it is a strange name in the current folder.
#[cfg(unix)]
#[test]
fn databases_where_the_log_says_are_copied() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-2dbs");
    let want = without_headers(&recovered(&files));
    let dir = folder_of(&files);
    let logged: Vec<String> = {
        let mut away = options(dir.path());
        away.places = Places::Logged;
        away.ignore_missing = true;
        away.dry_run = true;
        let skipped = run(&away).unwrap().skipped;
        skipped.into_iter().map(|it| it.logged_path).collect()
    };
    assert_eq!(logged.len(), 2);
    for path in &logged {
        let name = path.rsplit('\\').next().unwrap();
        std::fs::rename(dir.path().join(name), dir.path().join(path)).unwrap();
    }
    let originals = read_files(dir.path());
    for line in ["r edb --to one", "r edb --to two /n *"] {
        let run = common::line(dir.path(), line);
        assert_eq!(run.status, 0, "{line}: {}", run.text());
        assert_same(&read_files(dir.path()), &originals, line);
        let to = dir.path().join(line.split(' ').nth(3).unwrap());
        assert_same(&without_headers(&read_files(&to)), &want, line);
    }
    // One of them is given, the other lies where the log says.
    std::fs::rename(dir.path().join(&logged[0]), dir.path().join("moved.edb")).unwrap();
    let originals = read_files(dir.path());
    let line = format!("r edb --to three --moved moved.edb:{} --moved *", logged[0]);
    let run = common::line(dir.path(), &line);
    assert_eq!(run.status, 0, "{line}: {}", run.text());
    assert_same(&read_files(dir.path()), &originals, &line);
    assert_eq!(
        recovery::databases(&read_files(&dir.path().join("three"))).len(),
        2
    );
}

#[test]
fn a_dry_run_copies_nothing() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let files = before(&corpus, "crash-rollbacks");
    let dir = folder_of(&files);
    let target = folder();
    let mut dry = options(dir.path());
    dry.dry_run = true;
    let plain = serde_json::to_value(run(&dry).unwrap()).unwrap();
    dry.to = Some(target.path().join("to"));
    let mut copy = serde_json::to_value(run(&dry).unwrap()).unwrap();
    copy["cache"] = plain["cache"].clone();
    assert_eq!(copy, plain);
    assert!(!target.path().join("to").exists());
    assert_same(&read_files(dir.path()), &files, "dry run");
    std::fs::write(target.path().join("file"), b"text").unwrap();
    dry.to = Some(target.path().to_owned());
    let error = run(&dry).unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
}
