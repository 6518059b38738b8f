//! A database in which only indexes are damaged: they are made anew from the records, as the engine's defragmentation makes
//! all of them. [verified: d.txt of c-bad-index, c-zero-index]

use std::collections::BTreeSet;

use super::{Job, Stage, Written};
use crate::check::{self, CheckOptions, CheckReport};
use crate::compact::Kept;
use crate::error::Result;
use crate::format::ids::Pgno;
use crate::ops::temp_file::scratch_in;
use crate::problem::{Finding, Problem, Severity};
use crate::repair::{Losses, RepairOptions, rewrite as rewrite_all};
use crate::salvage::Inventory;
use crate::storage::Storage;

/// Memory for sorting the entries of indexes.
const SORT_MEMORY: usize = 128 << 20;

/// Writes the new file with what a repair would keep, if that is everything; `None` when it is not, or when nothing is wrong
/// with the old file's indexes.
pub(super) fn rewrite(job: &Job<'_>, new: &dyn Storage) -> Result<Option<Written>> {
    let db = &job.source.db;
    job.stages.stage(&Stage::MakingIndexes);
    let options = CheckOptions {
        sums: true,
        ..CheckOptions::default()
    };
    let report = check::check(db, None, &options, job.stages);
    if report.findings_not_kept > 0 {
        return Ok(None);
    }
    let errors: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.problem.info().severity == Severity::Error)
        .collect();
    let of_indexes = |finding: &&&Finding| finding.place.index.is_some();
    let pages: BTreeSet<Pgno> = errors
        .iter()
        .filter(of_indexes)
        .filter_map(|finding| finding.place.page)
        .collect();
    if !errors.iter().any(|finding| finding.place.index.is_some())
        || !errors.iter().all(|finding| may_be_wrong(finding, &pages))
    {
        return Ok(None);
    }
    let inventory = Inventory::scan(db, None, job.stages);
    let dir = job.place.scratch_dir();
    let scratch = scratch_in(dir);
    let options = RepairOptions {
        trust_damaged_pages: false,
        drop_incomplete: false,
        keep_orphans: false,
        memory: SORT_MEMORY,
        scratch: &scratch,
        amendments: None,
    };
    let out = (new, None);
    let written = rewrite_all(db, &inventory, &report, &options, out, job.stages);
    let written = written.map_err(|error| job.trouble(&error))?;
    if loses(&written.losses) {
        return Ok(None);
    }
    let kept = kept(&report);
    Ok(Some(Written {
        rebuilt: written.rebuilt,
        kept,
        left_behind: Vec::new(),
        renumbered: false,
        indexes_made: true,
        findings: report.findings,
        // Repair writes for no map.
        flush_type: 0,
    }))
}

/// Damage that a defragmentation does not read, or makes good; `pages` are those on which indexes are damaged.
fn may_be_wrong(finding: &Finding, pages: &BTreeSet<Pgno>) -> bool {
    // The catalog's row of an index whose root cannot be read is right all the same.
    let leads_there = finding.problem == Problem::CatalogObject
        && finding.place.page.is_some_and(|page| pages.contains(&page));
    if leads_there {
        return true;
    }
    // An entry without a record tells of a record that is lost: a repair tells which, and is asked for.
    if matches!(
        finding.problem,
        Problem::IndexEntryExtra | Problem::IndexMismatch
    ) {
        return false;
    }
    // What the catalog says must be certain.
    let of_catalog = finding.problem.info().code.starts_with('K')
        || finding.place.table.as_deref() == Some("MSysObjects");
    if of_catalog {
        return false;
    }
    let shadow = finding.place.table.as_deref() == Some("MSysObjectsShadow");
    let space = matches!(
        finding.problem,
        Problem::SpaceOwned
            | Problem::SpaceAvailable
            | Problem::SpaceBeyond
            | Problem::SpaceHeader
            | Problem::SpaceNode
            | Problem::SpaceFileShort
    );
    finding.place.index.is_some() || shadow || space
}

fn loses(losses: &Losses) -> bool {
    !losses.catalog_changes.is_empty() || losses.tables.iter().any(|table| table.has_losses())
}

/// What the tables' records must be in the new file. Their indexes are new, and repair may correct counts of long values.
fn kept(report: &CheckReport) -> Kept {
    let mut kept = Kept::default();
    for table in &report.tables {
        let data = table
            .sums
            .iter()
            .filter(|(objid, _)| objid.get() == table.objid);
        kept.sums.extend(data.copied());
    }
    kept
}
