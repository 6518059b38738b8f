//! Databases written anew: nothing is lost, nothing is wrong, nothing is wasted.

mod common;

use std::path::{Path, PathBuf};

use common::{needs, testdata};
use exutil::db::Database;
use exutil::format::dbheader::DbState;
use exutil::ops::integrity::{IntegrityOptions, IntegrityReport, check_database};
use exutil::progress::Silent;
use exutil::rebuild::{self, Options, Rebuilt, Sound, keep_all};
use exutil::storage::FileStorage;

/// Pages that every database has: headers, root, catalogs' first extents.
fn options(db: &Database) -> Options {
    Options {
        header: Some(db.header().clone()),
        after: db.header().dbtime,
        spare_pages: 0,
    }
}

/// Writes the database at `from` anew at `to`.
fn rebuild(from: &Path, to: &Path) -> Rebuilt {
    let db = Database::open(from, None).unwrap();
    let out = FileStorage::create(to).unwrap();
    rebuild::write(
        &Sound::new(&db),
        &out,
        &options(&db),
        &mut keep_all,
        &Silent,
    )
    .unwrap_or_else(|error| panic!("{}: {error}", from.display()))
}

fn check(path: &Path) -> IntegrityReport {
    check_database(path, &IntegrityOptions::default(), &Silent)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every row of every table, as text.
fn content(path: &Path) -> Vec<u8> {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_exutil"))
        .args(["export", "--format", "content", "--"])
        .arg(path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}: {out:?}", path.display());
    out.stdout
}

fn pages(path: &Path) -> u64 {
    let db = Database::open(path, None).unwrap();
    db.last_page().get().into()
}

/// Rebuilds a sound database and compares; returns the pages of both.
fn whole(path: &Path) -> (u64, u64) {
    let name = path.display();
    let dir = tempfile::tempdir().unwrap();
    let (once, twice) = (dir.path().join("once.edb"), dir.path().join("twice.edb"));
    let rebuilt = rebuild(path, &once);
    assert_eq!(rebuilt.bytes, once.metadata().unwrap().len(), "{name}");
    let report = check(&once);
    assert!(
        report.check.findings.is_empty(),
        "{name}: {:?}",
        report.check.findings
    );
    assert_eq!(content(path), content(&once), "{name}");
    let run = common::exutil(dir.path(), &["k", "once.edb"]);
    assert_eq!(run.status, 0, "{name}: {run:?}");
    let again = rebuild(&once, &twice);
    assert_eq!(
        (again.bytes, again.nodes, again.tables, &again.roots),
        (rebuilt.bytes, rebuilt.nodes, rebuilt.tables, &rebuilt.roots),
        "{name}"
    );
    (pages(path), pages(&once))
}

/// Databases below `dir` that are clean and in which the check finds nothing.
fn sound_databases(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sound_databases(&path));
            continue;
        }
        let Ok(db) = Database::open(&path, None) else {
            continue;
        };
        if db.header().db_state() == DbState::CleanShutdown && !db.header().is_streaming_file() {
            let report = check(&path);
            if report.check.findings.is_empty() {
                found.push(path);
            } else {
                println!(
                    "{} is not sound: {:?}",
                    path.display(),
                    report.check.findings.first()
                );
            }
        }
    }
    found.sort();
    found
}

#[test]
fn samples_are_rebuilt() {
    let samples = sound_databases(&testdata());
    assert!(samples.len() >= 5, "{samples:?}");
    for path in samples {
        let (old, new) = whole(&path);
        println!("{}: {old} pages, rebuilt {new}", path.display());
        assert!(new <= old, "{}: {old} pages, rebuilt {new}", path.display());
    }
}

#[test]
fn real_databases_are_rebuilt() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut count = 0;
    for path in sound_databases(&corpus.join("real")) {
        let (old, new) = whole(&path);
        println!("{}: {old} pages, rebuilt {new}", path.display());
        assert!(new <= old, "{}: {old} pages, rebuilt {new}", path.display());
        count += 1;
    }
    assert!(count > 10, "{count}");
}
