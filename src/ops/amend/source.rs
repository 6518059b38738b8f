//! The database as it is: opened, and checked.

use std::collections::BTreeSet;
use std::path::Path;

use super::AmendOptions;
use crate::check::{self, CheckOptions, CheckReport};
use crate::db::Database;
use crate::db::flush_map::FlushMap;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::{DbState, HeaderCopies};
use crate::format::ids::Pgno;
use crate::jet::JetError;
use crate::ops::identify::refuse_streaming;
use crate::problem::{Finding, Problem, Severity};
use crate::progress::Progress;
use crate::storage::Disk;

/// A clean database in which nothing but secondary indexes is damaged.
pub(super) struct Checked {
    pub db: Database,
    pub flush_map: Option<FlushMap>,
    pub check: CheckReport,
}

/// Opens and checks it.
///
/// # Errors
/// -550 when it was not shut down cleanly, -1206 when it is damaged.
pub(super) fn open(
    options: &AmendOptions,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<Checked> {
    let path = &options.path;
    let storage = disk.open(path)?;
    let start = storage
        .read_start(HeaderCopies::PROBE_BYTES)
        .map_err(|error| Error::io(path, "read", error))?;
    refuse_streaming(path, &start)?;
    let mut db = Database::from_storage(storage, path, None)?;
    require_clean(&db)?;
    let flush_map = FlushMap::beside(&db);
    let options = CheckOptions {
        sums: true,
        ..CheckOptions::default()
    };
    let check = check::check(&db, flush_map.as_ref(), &options, progress);
    if check.findings_not_kept > 0 {
        return Err(damaged(path, "more is wrong with it than can be held"));
    }
    let errors: Vec<&Finding> = check
        .findings
        .iter()
        .filter(|finding| finding.problem.info().severity == Severity::Error)
        .collect();
    let of_indexes = errors.iter().filter(|finding| is_of_index(finding));
    let pages: BTreeSet<Pgno> = of_indexes
        .filter_map(|finding| finding.place.page)
        .collect();
    // The catalog's row of an index whose root cannot be read is right all the same.
    let leads_there = |finding: &Finding| {
        finding.problem == Problem::CatalogObject
            && finding.place.page.is_some_and(|page| pages.contains(&page))
    };
    let wrong = errors
        .iter()
        .find(|finding| !is_of_index(finding) && !leads_there(finding));
    if let Some(wrong) = wrong {
        let info = wrong.problem.info();
        let what = format!("{} {} {}", info.code, info.text, wrong.detail);
        return Err(damaged(path, what.trim_end()));
    }
    db.mend_sums();
    Ok(Checked {
        db,
        flush_map,
        check,
    })
}

fn is_of_index(finding: &Finding) -> bool {
    finding.place.index.is_some()
        || matches!(
            finding.problem,
            Problem::IndexEntryMissing | Problem::IndexEntryExtra | Problem::IndexMismatch
        )
}

fn require_clean(db: &Database) -> Result<()> {
    let state = db.header().db_state();
    if state == DbState::CleanShutdown {
        return Ok(());
    }
    let what = format!("the database is in the state '{}'", state.words());
    Err(Trouble::new(JetError::DATABASE_DIRTY_SHUTDOWN, what)
        .of(db.path())
        .advise(
            "recover it first, with its logs: 'exutil r BASE /d'; where the logs are lost, 'exutil p'",
        )
        .into())
}

/// The database cannot be changed before it is repaired.
pub(super) fn damaged(path: &Path, what: &str) -> Error {
    Trouble::new(
        JetError::DATABASE_CORRUPTED,
        format!("the database is damaged: {what}"),
    )
    .of(path)
    .advise("it was left as it is: repair it first with 'exutil p', then 'exutil d'")
    .into()
}
