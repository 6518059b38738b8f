//! What the tests of repair at the library's level share.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use exutil::check::{CheckOptions, CheckReport, check};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::dbheader::DbHeader;
use exutil::format::ids::{Objid, PageSize, Pgno};
use exutil::format::stamp::LogTime;
use exutil::ops::repair::RepairFileOptions;
use exutil::problem::Severity;
use exutil::progress::Silent;
use exutil::rebuild::RebuildError;
use exutil::repair::{RepairOptions, Rewritten, Scratch, rewrite};
use exutil::salvage::{Inventory, misplaced};
use exutil::storage::{Memory, Storage};
use exutil::tree::walk::for_each_node;

pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new("testdata").join(name)).unwrap()
}

pub fn open(bytes: Vec<u8>) -> Database {
    Database::from_storage(Box::new(Memory::new(bytes)), Path::new("sample"), None).unwrap()
}

pub fn checked(db: &Database) -> CheckReport {
    check(db, None, &CheckOptions::default(), &Silent)
}

/// The repaired file, and what it lacks.
pub fn repaired(db: &mut Database) -> Result<(Vec<u8>, Rewritten), String> {
    let report = checked(db);
    let mut inventory = Inventory::scan(db, None, &Silent);
    let moved = misplaced(db, &inventory);
    if !moved.is_empty() {
        db.relocate(moved).unwrap();
        inventory = Inventory::scan(db, None, &Silent);
    }
    let out = Memory::default();
    let written = rewritten(db, &inventory, &report, &out);
    let written = written.map_err(|error| error.to_string())?;
    Ok((out.into_bytes(), written))
}

/// Writes what can be kept into `out`, with a header that says so.
pub fn rewritten(
    db: &Database,
    inventory: &Inventory,
    report: &CheckReport,
    out: &dyn Storage,
) -> Result<Rewritten, RebuildError> {
    let scratch: Scratch = Arc::new(|| Ok(Box::new(Memory::default()) as Box<dyn Storage>));
    let options = RepairOptions {
        trust_damaged_pages: false,
        drop_incomplete: false,
        keep_orphans: false,
        memory: 1 << 20,
        scratch: &scratch,
        amendments: None,
    };
    let header = DbHeader {
        state: 3,
        ..db.header().clone()
    };
    rewrite(
        db,
        inventory,
        report,
        &options,
        (out, Some(&header)),
        &Silent,
    )
}

/// What is found that is more than a note.
pub fn serious(db: &Database) -> Vec<String> {
    let report = checked(db);
    let serious = report.findings.iter();
    let serious = serious.filter(|finding| finding.problem.info().severity > Severity::Note);
    serious.map(|finding| format!("{finding:?}")).collect()
}

/// The records of each table by key, with the page that each is on.
pub type Records = BTreeMap<Objid, BTreeMap<Vec<u8>, (Pgno, Vec<u8>)>>;

pub fn records(db: &Database) -> Records {
    let schema = Schema::read(db);
    let mut all = Records::new();
    let own = Objid::new(5);
    for table in schema.tables.values().filter(|table| table.objid > own) {
        let records = all.entry(table.objid).or_default();
        for_each_node(
            db,
            table.root,
            |pgno, _, node| {
                records.insert(node.key(), (pgno, node.data.to_vec()));
            },
            |_, _| {},
        );
    }
    all
}

/// In place, with an undo file that stays.
pub fn options(path: &Path, page_size: Option<PageSize>) -> RepairFileOptions {
    RepairFileOptions {
        page_size,
        ..RepairFileOptions::new(path, LogTime::utc((2026, 11, 20), (12, 0, 0), 0))
    }
}
