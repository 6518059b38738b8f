//! Databases written anew: nothing is lost, nothing is wrong, nothing is wasted.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{needs, testdata};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::db::space::ObjectSpace;
use exutil::format::dbheader::DbState;
use exutil::format::ids::{Objid, Pgno};
use exutil::jet::JetError;
use exutil::ops::integrity::{IntegrityOptions, IntegrityReport, check_database};
use exutil::problem::Problem;
use exutil::progress::Silent;
use exutil::rebuild::{self, Options, Rebuilt, Sound, keep_all};
use exutil::storage::FileStorage;
use exutil::tree::walk::for_each_node;

fn options(db: &Database) -> Options {
    Options {
        header: Some(db.header().clone()),
        after: db.header().dbtime,
        spare_pages: 0,
        flush_type: 0,
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
    let lasting = |finding: &(Problem, _, _)| !CURED.contains(&finding.0);
    let before: BTreeSet<_> = found(path).into_iter().filter(lasting).collect();
    assert_eq!(found(&once), before, "{name}");
    same_nodes(path, &once, &rebuilt);
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

/// What the check has to say of a database, but for the pages that it is about.
fn found(path: &Path) -> BTreeSet<(Problem, Option<Objid>, Option<String>)> {
    let report = check(path);
    let findings = report.check.findings.into_iter();
    findings
        .map(|finding| (finding.problem, finding.place.objid, finding.place.index))
        .collect()
}

/// A bad header copy, free space that nobody knows of, a file that is too long, bits to be corrected: a new file has
/// none of that.
const CURED: [Problem; 5] = [
    Problem::HeaderPrimaryBad,
    Problem::HeaderShadowBad,
    Problem::SpaceLeaked,
    Problem::SpaceFileSize,
    Problem::PageCorrectable,
];

/// Every tree of one database has the nodes that it has in the other, the catalogs aside, whose rows name
/// other pages.
fn same_nodes(one: &Path, other: &Path, rebuilt: &Rebuilt) {
    let (one, other) = (
        Database::open(one, None).unwrap(),
        Database::open(other, None).unwrap(),
    );
    let (old, new) = (Schema::read(&one), Schema::read(&other));
    assert_eq!(old.rows, new.rows);
    let mut trees = 0;
    for table in old.tables.values().filter(|table| !is_catalog(table.objid)) {
        let indexes = table.indexes.iter().map(|index| (index.objid, index.root));
        let values = table.long_values.iter().map(|tree| (tree.objid, tree.root));
        for (objid, root) in indexes.chain(values).chain([(table.objid, table.root)]) {
            let new_root = rebuilt.roots[&objid];
            assert!(
                nodes(&one, root) == nodes(&other, new_root),
                "{} {objid}",
                table.name
            );
            trees += 1;
        }
        let heads = [(&one, table.root), (&other, rebuilt.roots[&table.objid])]
            .map(|(db, root)| ObjectSpace::read(db, root).auto_increment);
        assert_eq!(heads[0], heads[1], "{}", table.name);
    }
    assert!(trees > 0 || old.tables.len() == 2);
    let shadow = Schema::read_shadow(&other);
    assert_eq!(format!("{:?}", new.tables), format!("{:?}", shadow.tables));
}

fn is_catalog(objid: Objid) -> bool {
    matches!(objid, Objid::CATALOG | Objid::CATALOG_SHADOW)
}

fn nodes(db: &Database, root: Pgno) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut nodes = Vec::new();
    for_each_node(
        db,
        root,
        |_, _, node| nodes.push((node.key(), node.data.to_vec())),
        |page, failure| panic!("{page}: {failure}"),
    );
    nodes
}

/// Databases below `dir` that are clean and not damaged.
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
        let header = db.header();
        if header.db_state() != DbState::CleanShutdown || header.is_streaming_file() {
            continue;
        }
        let report = check(&path);
        if report.jet() == JetError::SUCCESS {
            found.push(path);
        } else {
            println!("left out, not sound: {}", path.display());
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
fn databases_of_the_corpus_are_rebuilt() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut count = 0;
    for path in sound_databases(&corpus) {
        let (old, new) = whole(&path);
        println!("{}: {old} pages, rebuilt {new}", path.display());
        assert!(new <= old, "{}: {old} pages, rebuilt {new}", path.display());
        count += 1;
    }
    assert!(count > 100, "{count}");
}

/// The engine's own defragmentation of the same database leaves a file that is not smaller.
#[test]
fn the_engine_makes_nothing_smaller() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut count = 0;
    for case in std::fs::read_dir(corpus.join("engine")).unwrap() {
        let case = case.unwrap().path();
        let (before, after) = (case.join("db/test.edb"), case.join("post-d/test.edb"));
        if !before.is_file() || !after.is_file() {
            continue;
        }
        let (old, new) = whole(&before);
        let theirs = pages(&after);
        // What the engine leaves free in the database counts for it.
        let space = ObjectSpace::read(&Database::open(&after, None).unwrap(), Pgno::new(1));
        let used = theirs - space.available_pages();
        let (_, again) = whole(&after);
        println!(
            "{}: {old} pages, defragmented by the engine {theirs} ({used} not free, rebuilt {again}), rebuilt {new}",
            case.display()
        );
        assert!(new * 100 <= used * 102, "{}", case.display());
        count += 1;
    }
    assert!(count >= 12, "{count}");
}
