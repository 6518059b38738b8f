//! The new file is looked at as if it were any other: sound, and holding what was read of the old one.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Stages, Written};
use crate::check::{self, CheckOptions, CheckReport};
use crate::db::Database;
use crate::db::catalog::{Column, Index, Schema, Table};
use crate::db::flush_map::FlushMap;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::DbHeader;
use crate::format::ids::{Objid, PageSize};
use crate::jet::JetError;
use crate::problem::{Finding, Severity};
use crate::storage::{Disk, Storage};

/// The new file, which has no header yet.
pub(super) struct NewFile<'n> {
    /// The catalog of the old one.
    pub before: &'n Schema,
    pub disk: &'n dyn Disk,
    pub path: &'n Path,
    /// That it will have.
    pub header: &'n DbHeader,
    pub size: PageSize,
    pub map: Option<&'n dyn Storage>,
}

/// Checks the new file and compares its content.
///
/// # Errors
/// The number of what is wrong with it.
pub(super) fn verify(new: &NewFile<'_>, written: &Written, stages: &dyn Stages) -> Result<()> {
    let storage = new.disk.open(new.path)?;
    let db = Database::with_header(storage, new.path, new.header.clone(), new.size)
        .map_err(|error| Error::io(new.path, "read", error))?;
    let options = CheckOptions {
        sums: true,
        ..CheckOptions::default()
    };
    let map = new.map.and_then(|map| FlushMap::read(map, &db));
    let report = check::check(&db, map.as_ref(), &options, stages);
    let is_error = |finding: &&Finding| finding.problem.info().severity == Severity::Error;
    if let Some(wrong) = report.findings.iter().find(is_error) {
        return Err(not_sound(wrong));
    }
    if report.findings_not_kept > 0 {
        return Err(differs("any", 0, 0));
    }
    same_schema(new.before, &Schema::read(&db), &written.left_behind)?;
    compare(&report, written)
}

/// Every tree must hold what was read, no tree of a table may be missing, and none be there that was not written.
fn compare(report: &CheckReport, written: &Written) -> Result<()> {
    let expected = &written.kept.sums;
    let mut seen = BTreeSet::new();
    for table in &report.tables {
        for (objid, found) in &table.sums {
            seen.insert(*objid);
            let is_catalog = matches!(table.objid, CATALOG | SHADOW);
            let named = expected.get(objid).copied();
            if is_catalog || named.is_none() && written.indexes_made {
                continue;
            }
            // A tree without a node was never asked about.
            let expected = named.unwrap_or_default();
            if *found != expected {
                return Err(differs(&table.name, found.count, expected.count));
            }
        }
    }
    match expected.keys().find(|objid| !seen.contains(objid)) {
        None => Ok(()),
        Some(objid) => Err(differs(
            &format!("object {objid}"),
            0,
            expected[objid].count,
        )),
    }
}

/// Every table must be described as before, but for numbers and roots of its trees.
fn same_schema(before: &Schema, after: &Schema, left_behind: &[String]) -> Result<()> {
    let column = |column: &Column| {
        (
            (column.fid, column.name.clone(), column.coltyp),
            (column.max_len, column.flags, column.code_page),
            (column.record_offset, column.default.clone()),
            column.callback.clone(),
        )
    };
    let index = |index: &Index| {
        (
            (index.name.clone(), index.flags, index.density),
            (index.segments.clone(), index.conditions.clone()),
            (index.key_most, index.var_seg_mac, index.tuple),
            (index.lcid, index.locale.clone(), index.map_flags),
            index.sort_version,
        )
    };
    let is_same = |old: &Table, new: &Table| {
        let mut indexes = [old, new].map(|table| {
            let indexes: Vec<_> = table.indexes.iter().map(index).collect();
            indexes
        });
        for indexes in &mut indexes {
            indexes.sort_by(|a, b| a.0.0.cmp(&b.0.0));
        }
        (old.flags, old.density, &old.template, old.lv_chunk_max)
            == (new.flags, new.density, &new.template, new.lv_chunk_max)
            && old
                .columns
                .iter()
                .map(column)
                .eq(new.columns.iter().map(column))
            && indexes[0] == indexes[1]
            && old.long_values.is_some() == new.long_values.is_some()
    };
    let kept = before
        .tables
        .values()
        .filter(|table| table.is_defined() && !left_behind.contains(&table.name));
    for old in kept.clone() {
        if !after.table(&old.name).is_some_and(|new| is_same(old, new)) {
            let what = format!(
                "table '{}' is not described in the new file as in the old one",
                old.name
            );
            return Err(Trouble::new(JetError::CATALOG_CORRUPTED, what)
                .advise(
                    "the database was left as it is: 'exutil g' says whether its catalog is sound",
                )
                .into());
        }
    }
    let count = after
        .tables
        .values()
        .filter(|table| table.is_defined())
        .count();
    if count == kept.count() {
        return Ok(());
    }
    let what = "the new file has tables that the old one has not";
    Err(Trouble::new(JetError::CATALOG_CORRUPTED, what).into())
}

const CATALOG: u32 = Objid::CATALOG.get();
const SHADOW: u32 = Objid::CATALOG_SHADOW.get();

fn not_sound(finding: &Finding) -> Error {
    let info = finding.problem.info();
    let what = format!(
        "the new file would not be sound: {} {} {}",
        info.code, info.text, finding.detail
    );
    let jet = if info.jet.is_error() {
        info.jet
    } else {
        JetError::DATABASE_CORRUPTED
    };
    Trouble::new(jet, what)
        .advise(
            "the database is damaged and was left as it is: 'exutil g' says where, 'exutil p' repairs it",
        )
        .into()
}

fn differs(table: &str, found: u64, expected: u64) -> Error {
    let what = format!(
        "what the new file holds of table '{table}' is not what was read of the old one ({found} nodes, expected {expected})"
    );
    Trouble::new(JetError::READ_VERIFY_FAILURE, what)
        .advise("the database was left as it is; a disk or memory may be failing: run it again, with /t on another disk")
        .into()
}
