//! `r`: soft recovery of the databases of a log stream.
//!
//! Everything is worked out before anything is changed: `crate::recover` replays into its own pages; only when the
//! whole replay and rolling back have gone well are the changes written, behind an undo file.

mod begin;
mod behind;
mod beside;
mod closing;
mod commit;
mod copy;
mod half_done;
mod image;
mod steps;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Result;
use crate::format::dbheader::DbState;
use crate::format::ids::{DbTime, PageSize, Pgno};
use crate::format::stamp::{Lgpos, LogTime};
use crate::jet::JetError;
use crate::problem::{Finding, Place, Problem};
use crate::progress::Progress;
pub use crate::recover::attach::Places;
use crate::recover::driver::{Outcome, Plan, Recovery, Skipped};
use crate::recover::stream::LogStream;
use crate::recover::{Attached, Counts, Pool, PoolCounts};
use crate::storage::{Disk, FileStorage, RealDisk, Storage};
use crate::undo::UndoWriter;

/// Less memory than this is not worth having.
const CACHE_LEAST: usize = 16 << 20;
/// Taken when nothing says how much memory there is.
const CACHE_DEFAULT: usize = 256 << 20;

/// What a recovery is asked to do.
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    /// First three letters of the logs' names.
    pub base: String,
    /// Folder of the logs.
    pub log_dir: PathBuf,
    /// Folder of the checkpoint.
    pub system_dir: PathBuf,
    /// Where the databases are.
    pub places: Places,
    /// Leave out databases that are not there or do not fit.
    pub ignore_missing: bool,
    /// Give up committed logs that are missing or damaged, if no database needs them to become sound.
    pub lossy: bool,
    /// Stop behind this position and do not roll back.
    pub stop_after: Option<Lgpos>,
    /// Do as if there were no checkpoint.
    pub ignore_checkpoint: bool,
    /// Bytes of pages to keep in memory; `None`: a quarter of the machine's.
    pub cache: Option<usize>,
    /// Replay, report, change nothing.
    pub dry_run: bool,
    /// Recover copies in this folder; the originals stay as they are.
    pub to: Option<PathBuf>,
    /// Where the undo file goes; `None`: beside the logs, named after them.
    pub undo_file: Option<PathBuf>,
    /// Keep the undo file when all is done.
    pub keep_undo: bool,
    /// Remove the logs that nothing needs any more (`/t`).
    pub truncate_logs: bool,
    /// The time to write.
    pub now: LogTime,
}

/// What became of one database.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseReport {
    /// The file.
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
    pub removed_logs: Vec<PathBuf>,
    /// How to go back.
    pub undo_file: Option<PathBuf>,
    /// Interrupted recoveries that were taken back first.
    pub taken_back: Vec<PathBuf>,
    /// What is worth knowing.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// Recovers the databases of a log stream in the file system.
///
/// # Errors
/// As [`recover`].
pub fn recover_files(options: &RecoverOptions, progress: &dyn Progress) -> Result<RecoverReport> {
    recover(options, &RealDisk, progress)
}

/// Recovers the databases of a log stream; what is written goes to `disk`.
///
/// # Errors
/// The engine's number with what is wrong and what can be done; then nothing has been changed.
pub fn recover(
    options: &RecoverOptions,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<RecoverReport> {
    if let Some(to) = &options.to {
        half_done::refuse(disk, options, "run it again without --to")?;
        if options.dry_run {
            // What the recovery of a copy would do is what that of the originals would do.
            copy::check_target(to)?;
            let originals = RecoverOptions {
                to: None,
                ..options.clone()
            };
            return run(&originals, disk, progress);
        }
        let copied = copy::into(options, to, disk)?;
        return run(&copied, disk, progress);
    }
    run(options, disk, progress)
}

fn run(
    options: &RecoverOptions,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<RecoverReport> {
    let (undo_path, taken_back) = if options.dry_run {
        half_done::refuse(disk, options, "run it again without --dry-run")?;
        (half_done::undo_name(options), Vec::new())
    } else {
        half_done::take_back(disk, options)?
    };
    let mut report = RecoverReport {
        jet: JetError::SUCCESS,
        replayed: false,
        dry_run: options.dry_run,
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
    };
    let Some((mut stream, mut begin)) = look(options, &mut report.findings)? else {
        return Ok(report);
    };
    let mut writer = None;
    if !options.dry_run {
        // Made so early because it is locked: who finds it knows that this run is alive.
        let operation = half_done::operation(options);
        writer = Some(UndoWriter::create(disk, &undo_path, &operation)?);
        // Another run may have ended in between.
        report.findings.clear();
        match look(options, &mut report.findings)? {
            Some(again) => (stream, begin) = again,
            None => return Ok(report),
        }
    }
    let mut plan = Plan {
        places: options.places.clone(),
        ignore_missing: options.ignore_missing,
        lossy: options.lossy,
        stop_after: options.stop_after,
        cache: options.cache.unwrap_or_else(default_cache),
        now: options.now,
    };
    let mut outcome = replay(options, &plan, &stream, &begin, progress)?;
    if let Some(earlier) = outcome.stop_earlier {
        drop(outcome);
        plan.stop_after = Some(earlier);
        outcome = replay(options, &plan, &stream, &begin, progress)?;
    }
    fill(&mut report, &outcome, options);
    let closing = closing::Closing::of(options, &stream, &outcome)?;
    report.findings.extend(closing.findings.iter().cloned());
    report.databases = describe(&outcome, &closing);
    if let Some(writer) = writer {
        report.undo_file =
            commit::Commit::new(disk, &outcome, &closing).run(writer, options.keep_undo)?;
    }
    Ok(report)
}

/// The logs, and where to begin; `None` when there is nothing to do.
fn look(
    options: &RecoverOptions,
    findings: &mut Vec<Finding>,
) -> Result<Option<(LogStream, begin::Begin)>> {
    let stream = LogStream::find(&options.log_dir, &options.base)?;
    let begin = begin::find(options, &stream, findings)?;
    if begin.is_none() {
        behind::note_left_behind(options, &stream, findings);
    }
    Ok(begin.map(|begin| (stream, begin)))
}

fn replay(
    options: &RecoverOptions,
    plan: &Plan,
    stream: &LogStream,
    begin: &begin::Begin,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let size =
        PageSize::from_header(begin.log.head.header.page_size.into()).unwrap_or(PageSize::K4);
    let scratch_dir = options.log_dir.clone();
    let pool = Pool::new(
        size,
        plan.cache,
        Box::new(move || scratch_file(&scratch_dir)),
    );
    progress.start(begin.logs);
    let recovery = Recovery::new(plan, stream, pool, progress);
    let outcome = recovery.run(begin.log.clone(), begin.is_current, &begin.start);
    progress.finish();
    outcome
}

fn fill(report: &mut RecoverReport, outcome: &Outcome, options: &RecoverOptions) {
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

fn describe(outcome: &Outcome, closing: &closing::Closing) -> Vec<DatabaseReport> {
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

/// The file that takes changed pages which do not fit in memory. It has no name, so that nothing is left of it. It is
/// made beside the logs, where there is room for a database; where nothing may be written, in the folder for
/// temporary files.
fn scratch_file(dir: &Path) -> Result<Box<dyn Storage>> {
    FileStorage::scratch(dir)
        .or_else(|error| FileStorage::scratch(&std::env::temp_dir()).map_err(|_| error))
        .map(|file| Box::new(file) as Box<dyn Storage>)
}

/// A quarter of the machine's memory.
fn default_cache() -> usize {
    crate::storage::memory_of_machine()
        .map_or(CACHE_DEFAULT, |bytes| {
            usize::try_from(bytes / 4).unwrap_or(usize::MAX)
        })
        .max(CACHE_LEAST)
}

/// Used by the parts of this operation.
fn is_clean(database: &Attached) -> bool {
    database.header.db_state() == DbState::CleanShutdown
}
