//! `r`: soft recovery of the databases of a log stream.
//!
//! Everything is worked out before anything is changed: `crate::recover` replays into its own pages; only when the
//! whole replay and rolling back have gone well are the changes written, behind an undo file.

mod begin;
mod behind;
mod beside;
mod closing;
mod commit;
pub(super) mod copy;
mod half_done;
mod image;
mod report;
mod steps;

use std::path::{Path, PathBuf};

use crate::error::{Result, Trouble};
use crate::format::dbheader::DbState;
use crate::format::ids::PageSize;
use crate::format::stamp::{Lgpos, LogTime};
use crate::jet::JetError;
use crate::problem::Finding;
use crate::progress::{Progress, Task};
pub use crate::recover::attach::Places;
use crate::recover::driver::{Outcome, Plan, Recovery};
use crate::recover::restored::Restored;
use crate::recover::stream::LogStream;
use crate::recover::{Attached, Pool};
use crate::storage::{Disk, FileStorage, RealDisk, Storage};
use crate::undo::UndoWriter;

pub(in crate::ops) use begin::{Begin, checkpoint_name};
use closing::Closing;
pub(in crate::ops) use half_done::Leftovers;
pub use report::{DatabaseReport, RecoverReport};

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

impl RecoverOptions {
    /// A recovery as Eseutil's without options: the stream of this base name, with logs, checkpoint and databases in `dir`.
    /// The undo file is kept.
    #[must_use]
    pub fn new(base: impl Into<String>, dir: impl Into<PathBuf>, now: LogTime) -> Self {
        let dir = dir.into();
        Self {
            base: base.into(),
            log_dir: dir.clone(),
            system_dir: dir.clone(),
            places: Places::In(dir),
            ignore_missing: false,
            lossy: false,
            stop_after: None,
            ignore_checkpoint: false,
            cache: None,
            dry_run: false,
            to: None,
            undo_file: None,
            keep_undo: true,
            truncate_logs: false,
            now,
        }
    }
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
        Leftovers::of_recovery(options).refuse(disk, "run it again without --to")?;
        if options.dry_run {
            // What the recovery of a copy would do is what that of the originals would do.
            copy::check_target(to)?;
            let originals = RecoverOptions {
                to: None,
                ..options.clone()
            };
            return run(&originals, disk, progress);
        }
        let copied = copy::into(options, to, disk, progress)?;
        return run(&copied, disk, progress);
    }
    run(options, disk, progress)
}

fn run(
    options: &RecoverOptions,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<RecoverReport> {
    let left = Leftovers::of_recovery(options);
    let (undo_path, taken_back) = if options.dry_run {
        left.refuse(disk, "run it again without --dry-run")?;
        (left.undo_name().to_owned(), Vec::new())
    } else {
        left.take_back(disk, progress)?
    };
    let mut report = RecoverReport::new(options.dry_run, taken_back);
    let Some((mut stream, mut begin)) = look(options, &mut report.findings)? else {
        return Ok(report);
    };
    let mut writer = None;
    if !options.dry_run {
        // Made so early because it is locked: who finds it knows that this run is alive.
        writer = Some(UndoWriter::create(disk, &undo_path, left.operation())?);
        // Another run may have ended in between.
        report.findings.clear();
        match look(options, &mut report.findings)? {
            Some(again) => (stream, begin) = again,
            None => return Ok(report),
        }
    }
    Work {
        options,
        stream,
        begin,
        restored: None,
        after: After::default(),
    }
    .run(&mut report, writer, disk, progress)?;
    Ok(report)
}

/// What is done with the stream when all has gone well, besides closing it.
#[derive(Debug, Clone, Default)]
pub(in crate::ops) struct After {
    /// A backup was restored: the record that closes the stream says so.
    pub hard: bool,
    /// The end of the stream is not written, because its logs go.
    pub drops_stream: bool,
    /// Files that are not needed any more.
    pub remove: Vec<PathBuf>,
}

/// A recovery with everything that it needs.
pub(in crate::ops) struct Work<'a> {
    pub options: &'a RecoverOptions,
    pub stream: LogStream,
    pub begin: Begin,
    pub restored: Option<Restored>,
    pub after: After,
}

impl Work<'_> {
    /// Replays, closes, and writes if there is an undo file for it.
    pub fn run<'d>(
        &self,
        report: &mut RecoverReport,
        writer: Option<UndoWriter<'d>>,
        disk: &'d dyn Disk,
        progress: &dyn Progress,
    ) -> Result<()> {
        let options = self.options;
        let mut plan = Plan {
            places: options.places.clone(),
            ignore_missing: options.ignore_missing,
            lossy: options.lossy,
            stop_after: options.stop_after,
            cache: options.cache.unwrap_or_else(default_cache),
            now: options.now,
            restored: self.restored.clone(),
        };
        let mut outcome = self.replay(&plan, progress)?;
        if let Some(earlier) = outcome.stop_earlier {
            drop(outcome);
            plan.stop_after = Some(earlier);
            outcome = self.replay(&plan, progress)?;
        }
        if let Some(restored) = &self.restored {
            all_are_restored(restored, &outcome)?;
        }
        report::fill(report, &outcome, options);
        let closing = Closing::of(options, &self.stream, &outcome, &self.after)?;
        report.findings.extend(closing.findings.iter().cloned());
        report.databases = report::describe(&outcome, &closing);
        if let Some(writer) = writer {
            report.undo_file = commit::Commit::new(disk, &outcome, &closing).run(
                writer,
                options.keep_undo,
                progress,
            )?;
        }
        Ok(())
    }

    fn replay(&self, plan: &Plan, progress: &dyn Progress) -> Result<Outcome> {
        let begin = &self.begin;
        let size =
            PageSize::from_header(begin.log.head.header.page_size.into()).unwrap_or(PageSize::K4);
        let scratch_dir = self.options.log_dir.clone();
        let pool = Pool::new(
            size,
            plan.cache,
            Box::new(move || scratch_file(&scratch_dir)),
        );
        progress.start(Task::things("replaying", begin.logs, "logs"));
        let recovery = Recovery::new(plan, &self.stream, pool, progress);
        let outcome = recovery.run(begin.log.clone(), begin.is_current, &begin.start);
        progress.finish();
        outcome
    }
}

/// A database of the backup that no log speaks of would stay as it is, and be taken for restored.
fn all_are_restored(restored: &Restored, outcome: &Outcome) -> Result<()> {
    let left = restored.databases.iter().find(|prepared| {
        outcome
            .databases
            .iter()
            .all(|done| done.path != prepared.path)
    });
    let Some(left) = left else { return Ok(()) };
    let why = outcome
        .skipped
        .iter()
        .find(|skipped| skipped.path.as_ref() == Some(&left.path))
        .map_or("they do not speak of it", |skipped| skipped.reason.words());
    Err(Trouble::new(
        JetError::ATTACHED_DATABASE_MISMATCH,
        format!("the logs of the backup set do not restore the database: {why}"),
    )
    .of(&left.path)
    .advise("restore database and logs from one and the same backup")
    .into())
}

/// The logs, and where to begin; `None` when there is nothing to do.
fn look(
    options: &RecoverOptions,
    findings: &mut Vec<Finding>,
) -> Result<Option<(LogStream, Begin)>> {
    let stream = LogStream::find(&options.log_dir, &options.base)?;
    let begin = begin::find(options, &stream, findings)?;
    if begin.is_none() {
        behind::note_left_behind(options, &stream, findings);
    }
    Ok(begin.map(|begin| (stream, begin)))
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
