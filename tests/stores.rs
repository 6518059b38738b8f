//! The stores that the tests of `isinteg` use are whole databases, with a defect or without, and the committed ones are
//! exactly what is built.

#[path = "../examples/build_testdata/stores/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stores;
#[path = "common/walk.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod walk;

use std::collections::BTreeSet;
use std::path::Path;

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::problem::Severity;
use exutil::progress::Silent;
use exutil::storage::Memory;
use stores::{StoreKind, defects, hostile};

/// The integrity check has nothing to say that is more than a note.
fn is_sound(name: &str, bytes: Vec<u8>) {
    let storage = Box::new(Memory::new(bytes));
    let db = Database::from_storage(storage, Path::new(name), None).unwrap();
    let report = check(&db, None, &CheckOptions::default(), &Silent);
    let serious = report.findings.iter();
    let serious = serious.filter(|finding| finding.problem.info().severity > Severity::Note);
    let serious: Vec<_> = serious.collect();
    assert!(serious.is_empty(), "{name}: {serious:?}");
}

#[test]
fn committed_stores_are_what_the_builder_writes() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for (name, bytes) in stores::all().unwrap() {
        walk::check(&bytes);
        let committed = std::fs::read(dir.join(name)).unwrap();
        assert!(committed == bytes, "{name}: run the example build_testdata");
        is_sound(name, bytes);
    }
}

#[test]
fn a_defect_is_none_of_the_database() {
    let mut names = BTreeSet::new();
    let sound = StoreKind::ALL.map(|kind| (kind, kind.store().build().unwrap()));
    for defect in defects::all() {
        assert!(names.insert((defect.store, defect.name)), "{}", defect.name);
        let bytes = defect
            .build()
            .unwrap_or_else(|error| panic!("{}: {error}", defect.name));
        assert!(
            sound.iter().all(|(_, sound)| *sound != bytes),
            "{}",
            defect.name
        );
        is_sound(defect.name, bytes);
    }
    assert!(defects::named(StoreKind::Modern, "two-roots").is_some());
}

#[test]
fn hostile_stores_are_sound_databases() {
    for (name, store) in [
        ("loop of 1", hostile::cycle(1)),
        ("loop of 2", hostile::cycle(2)),
        ("loop of 1000", hostile::cycle(1000)),
        ("chain", hostile::chain(1000)),
        ("empty", hostile::empty()),
        ("empty 2013", hostile::empty_modern()),
    ] {
        is_sound(name, store.build().unwrap());
    }
    is_sound("many", hostile::many_folders_in_memory(5000).unwrap());
}
