//! What a recovery did.

use std::path::PathBuf;

use serde::Serialize;

use super::RecoverOptions;
use super::closing::Closing;
use crate::format::dbheader::DbState;
use crate::format::ids::{DbTime, Pgno};
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::problem::{Finding, Place, Problem};
use crate::recover::driver::{Outcome, Skipped};
use crate::recover::{Counts, PoolCounts};

/// What became of one database.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseReport {
    /// The file.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub path: PathBuf,
    /// Its state before; `None` when the recovery made it.
    pub state_before: Option<DbState>,
    /// Its state now (or after a dry run: as it would be).
    pub state: DbState,
    /// Where it is consistent now.
    pub consistent: Lgpos,
    /// Its time now.
    pub dbtime: DbTime,
    /// Pages that were changed.
    pub pages_changed: u64,
    /// Pages of the file before and now.
    pub pages: (Pgno, Pgno),
}

/// What a recovery did.
#[derive(Debug, Clone, Serialize)]
pub struct RecoverReport {
    /// Success, or a warning: 585 and 587 when committed logs were given up, -579 when stopped before rolling back, -584
    /// when there was nothing to roll back although a stop had been asked for.
    #[serde(skip)]
    pub jet: JetError,
    /// False when the logs had ended in order and the checkpoint said so: there was nothing to do.
    pub replayed: bool,
    /// Nothing was written.
    pub dry_run: bool,
    /// The first position replayed.
    pub start: Option<Lgpos>,
    /// The last.
    pub end: Option<Lgpos>,
    /// Logs replayed.
    pub logs: u32,
    /// Bytes of records in them.
    pub log_bytes: u64,
    /// What was done.
    pub counts: Counts,
    /// What the page cache did.
    pub cache: PoolCounts,
    /// The databases.
    pub databases: Vec<DatabaseReport>,
    /// Databases that were left alone.
    pub skipped: Vec<Skipped>,
    /// Logs that were removed.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub removed_logs: Vec<PathBuf>,
    /// How to go back.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub undo_file: Option<PathBuf>,
    /// Interrupted recoveries that were taken back first.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub taken_back: Vec<PathBuf>,
    /// What is worth knowing.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl RecoverReport {
    /// That of a recovery which has not done anything yet.
    pub(in crate::ops) fn new(dry_run: bool, taken_back: Vec<PathBuf>) -> Self {
        Self {
            jet: JetError::SUCCESS,
            replayed: false,
            dry_run,
            start: None,
            end: None,
            logs: 0,
            log_bytes: 0,
            counts: Counts::default(),
            cache: PoolCounts::default(),
            databases: Vec::new(),
            skipped: Vec::new(),
            removed_logs: Vec::new(),
            undo_file: None,
            taken_back,
            findings: Vec::new(),
        }
    }
}

pub(super) fn fill(report: &mut RecoverReport, outcome: &Outcome, options: &RecoverOptions) {
    report.replayed = true;
    report.start = Some(outcome.start);
    report.end = Some(outcome.end);
    report.logs = outcome.logs;
    report.log_bytes = outcome.log_bytes;
    report.counts = outcome.replay.counts;
    report.cache = outcome.replay.pool.counts();
    report.skipped = outcome.skipped.clone();
    report.removed_logs = outcome.removed.clone();
    report.jet = if outcome.stopped {
        JetError::RECOVERED_WITHOUT_UNDO
    } else if options.stop_after.is_some() {
        JetError::RECOVERED_WITHOUT_UNDO_DATABASES_CONSISTENT
    } else {
        outcome.lost
    };
    for skipped in &outcome.skipped {
        let path = skipped.path.as_ref().map_or_else(
            || skipped.logged_path.clone(),
            |path| path.to_string_lossy().into_owned(),
        );
        let detail = skipped.reason.words().to_owned();
        report
            .findings
            .push(Finding::new(Problem::RecoverySkipped, Place::file(path)).with_detail(detail));
    }
    if let Some(names) = &outcome.lost_logs {
        let place = Place::file(options.log_dir.to_string_lossy());
        report
            .findings
            .push(Finding::new(Problem::LogsLost, place).with_detail(names.clone()));
    }
    for (path, pgno) in &outcome.replay.not_undone {
        let mut place = Place::file(path.to_string_lossy());
        place.page = Some(*pgno);
        report
            .findings
            .push(Finding::new(Problem::ChangeNotUndone, place));
    }
    if outcome.databases.is_empty() && !options.dry_run {
        report.findings.push(Finding::new(
            Problem::RecoveryNothing,
            Place::file(options.log_dir.to_string_lossy()),
        ));
    }
}

pub(super) fn describe(outcome: &Outcome, closing: &Closing) -> Vec<DatabaseReport> {
    outcome
        .databases
        .iter()
        .map(|database| {
            let header = closing.header_of(database);
            DatabaseReport {
                path: database.path.clone(),
                state_before: (!database.created).then_some(database.state_before),
                state: header.db_state(),
                consistent: header.last_consistent,
                dbtime: header.dbtime,
                pages_changed: outcome.replay.pool.changed(database.slot).len() as u64,
                pages: (
                    database.pages_before,
                    outcome.replay.pool.last_page(database.slot),
                ),
            }
        })
        .collect()
}
