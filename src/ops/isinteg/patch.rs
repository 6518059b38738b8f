//! `-patch`: a new base GUID for the store of Exchange 5.5.
//!
//! After an offline restore the store could give out ids again that it had given out since the backup. `isinteg -patch` gave
//! it a new base GUID, so that ids of before and after are told apart; the store asked for it (event 1087, error 1011). Since
//! Exchange 2000 the store does that itself. `[cli facts 7.1: Q161481, Q296787]`

use std::sync::Arc;

use serde::Serialize;

use super::report::ProfileReport;
use super::{FixOptions, IsintegOptions, Job, amend_options, open};
use crate::db::Database;
use crate::error::{Result, Trouble};
use crate::format::record::ColumnChange;
use crate::format::stamp::{LogTime, Signature};
use crate::format::value::Guid;
use crate::jet::JetError;
use crate::ops::amend::{AmendReport, amend, take_back};
use crate::ops::export::read_schema;
use crate::progress::Progress;
use crate::repair::Amendments;
use crate::storage::Disk;
use crate::store::bound::Bound;
use crate::store::profile::{Confidence, Profile};
use crate::store::rows::View;

/// The table with one row for the store, and in it the column of the base GUID.
const TABLE: &str = "global";
const COLUMN: &str = "base_guid";

/// What a patch does, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct PatchReport {
    /// What the database was recognised as.
    pub profile: Option<ProfileReport>,
    /// The column with the base GUID; `None`: nothing is to be patched.
    pub column: Option<PatchedColumn>,
    /// Why nothing is changed.
    pub why_not: Option<String>,
    /// What was written.
    pub amended: Option<AmendReport>,
}

/// The base GUID.
#[derive(Debug, Clone, Serialize)]
pub struct PatchedColumn {
    /// Name of the table.
    pub table: String,
    /// Name of the column.
    pub column: String,
    /// How sure it is that this is the base GUID.
    pub confidence: Confidence,
    /// Where that is from.
    pub source: String,
    /// What it is.
    pub before: String,
    /// What it becomes.
    pub after: String,
}

/// Works out the patch, and makes it when `fix` is given, is no dry run, and `agree` says yes.
///
/// # Errors
/// -550 for a database that was not shut down cleanly; what [`amend`] gives. The database is then as it was.
pub fn patch_store(
    options: &IsintegOptions,
    fix: &FixOptions,
    agree: &dyn Fn(&PatchReport) -> bool,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<PatchReport> {
    let amending = amend_options(options, fix);
    if !fix.dry_run {
        take_back(&amending, disk, progress)?;
    }
    let db = open(options, disk)?;
    let job = Job::new(options, &db, progress)?;
    job.refuse_unclean()?;
    let mut report = PatchReport {
        profile: job.report().profile,
        column: None,
        why_not: None,
        amended: None,
    };
    let refuse = |report: PatchReport, why: &str| {
        Ok(PatchReport {
            why_not: Some(why.to_owned()),
            ..report
        })
    };
    let Some(bound) = &job.bound else {
        return refuse(report, "this is no store of Exchange 5.5");
    };
    let store = bound.tables(TABLE).first();
    let place = store.and_then(|store| store.columns.get(COLUMN));
    let (Some(store), Some(place)) = (store, place) else {
        return refuse(
            report,
            "no base GUID is known in this store: since Exchange 2000 the store gives itself a new one when it is mounted",
        );
    };
    let view = View {
        db: &db,
        schema: &job.schema,
        amendments: None,
    };
    let Some(table) = bound.table(store.objid) else {
        return refuse(report, "the table is not in the catalog");
    };
    let mut rows = Vec::new();
    let read = view.rows(table, &[Some(place)], &mut |row| {
        if rows.len() < 2 {
            rows.push((row.key.to_vec(), row.values.first(0).map(<[u8]>::to_vec)));
        }
        Ok(())
    });
    let unread = read.is_err() || read.is_ok_and(|unread| unread.is_some());
    let [(key, before)] = rows.as_slice() else {
        return refuse(report, "the table does not have exactly one row");
    };
    let Some(before) = before.as_ref().filter(|_| !unread) else {
        return refuse(report, "the base GUID cannot be read");
    };
    let after = new_guid(fix.now);
    let fact = bound
        .roles
        .get(TABLE)
        .and_then(|role| role.fact.columns.iter().find(|fact| fact.role == COLUMN));
    let confidence = fact.map_or(Confidence::Inferred, |fact| fact.confidence);
    report.column = Some(PatchedColumn {
        table: table.name.clone(),
        column: place.name.clone(),
        confidence,
        source: fact.map(|fact| fact.source.clone()).unwrap_or_default(),
        before: guid_text(before),
        after: guid_text(&after),
    });
    if confidence == Confidence::Inferred && !fix.trust_profile {
        return refuse(
            report,
            "that this column is the base GUID is only inferred: --trust-profile says that you take that upon yourself",
        );
    }
    if fix.dry_run {
        return refuse(report, "nothing was changed (--dry-run)");
    }
    if !agree(&report) {
        return refuse(report, "cancelled");
    }
    let mut amendments = Amendments::default();
    let change = ColumnChange {
        fid: place.fid,
        derived: place.derived,
        values: vec![after.to_vec()],
    };
    amendments.set(store.objid, key, change);
    let mut verify = |new: &Database| match base_guid(new, &bound.profile) {
        Some(found) if found == after => Ok(()),
        _ => {
            let what = "the new file would not have the new base GUID";
            Err(Trouble::new(JetError::DATABASE_CORRUPTED, what)
                .of(&options.path)
                .into())
        }
    };
    report.amended = Some(amend(&amending, &amendments, &mut verify, disk, progress)?);
    Ok(report)
}

/// The base GUID of a database.
fn base_guid(db: &Database, profile: &Profile) -> Option<Vec<u8>> {
    let (schema, _) = read_schema(db);
    let bound = Bound::forced(profile, &Arc::new(schema));
    let store = bound.tables(TABLE).first()?;
    let view = View {
        db,
        schema: &bound.schema,
        amendments: None,
    };
    let place = store.columns.get(COLUMN);
    let mut found = None;
    let table = bound.table(store.objid)?;
    let read = view.rows(table, &[place], &mut |row| {
        found = row.values.first(0).map(<[u8]>::to_vec);
        Ok(())
    });
    found.filter(|_| read.is_ok())
}

fn guid_text(bytes: &[u8]) -> String {
    match bytes.try_into() {
        Ok(guid) => Guid(guid).to_string(),
        Err(_) => crate::format::value::Hex(bytes).to_string(),
    }
}

/// A random GUID of version 4.
fn new_guid(now: LogTime) -> [u8; 16] {
    let mut guid = [0; 16];
    for part in guid.chunks_mut(4) {
        part.copy_from_slice(&Signature::fresh(now).random.to_le_bytes());
    }
    guid[7] = guid[7] & 0x0F | 0x40;
    guid[8] = guid[8] & 0x3F | 0x80;
    guid
}
