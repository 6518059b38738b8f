//! `cc` and `cm`: hard recovery, the restore of an online backup; and what is known of a set.
//!
//! The copy of a database that an online backup made is of no single moment. The logs of the set bring it to one, and
//! logs that go on from there may carry it further. Everything else is soft recovery, and done by it
//! ([`crate::ops::recover`]). [log notes 12]

mod database;
mod environment;
mod logs;
mod patch;
mod placement;
mod set;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::environment::Environment;
use self::logs::SetLogs;
use super::recover::copy::copy_file;
use super::recover::{
    After, Begin, Leftovers, Places, RecoverOptions, RecoverReport, Work, checkpoint_name,
};
use crate::error::{Error, Result};
use crate::format::ids::Generation;
use crate::format::restore_env::RestoreEnvironment;
use crate::format::stamp::LogTime;
use crate::log::generation::LoadedLog;
use crate::log::names::find_any_case;
use crate::problem::{Finding, Place, Problem};
use crate::progress::Progress;
use crate::recover::driver::Start;
use crate::recover::restored::Restored;
use crate::recover::stream::{LogStream, unusable};
use crate::storage::{Disk, RealDisk, make_dir};
use crate::undo::UndoWriter;

pub use database::EndOfBackup;
pub use environment::OWN_NAME;
pub use set::BackupSet;

/// Which logs behind the backup are replayed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PlayForward {
    /// Nobody has said: none but those of the set.
    #[default]
    Unsaid,
    /// None but those of the set (`/t`).
    No,
    /// Those of this folder (`/f`), in which the stream then goes on.
    From(PathBuf),
}

/// What a restore is asked to do.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The folder of the set.
    pub dir: PathBuf,
    /// Logs behind the backup.
    pub forward: PlayForward,
    /// Keep logs, patch files and Restore.env (`/k`).
    pub keep: bool,
    /// The databases of the set; none: all that lie in it.
    pub databases: Vec<PathBuf>,
    /// The base name of its logs.
    pub log_base: Option<String>,
    /// The file that says where the set came from.
    pub environment: Option<PathBuf>,
    /// Take the logs of the set for all of the backup's where a trailer page is damaged.
    pub ignore_trailer: bool,
    /// Copy the databases into this folder, and leave the set as it is.
    pub to: Option<PathBuf>,
    /// Bytes of pages to keep in memory; `None`: a quarter of the machine's.
    pub cache: Option<usize>,
    /// Replay, report, change nothing.
    pub dry_run: bool,
    /// Where the undo file goes; `None`: into the folder of the set.
    pub undo_file: Option<PathBuf>,
    /// Keep the undo file when all is done.
    pub keep_undo: bool,
    /// The time to write.
    pub now: LogTime,
}

impl RestoreOptions {
    /// A restore of all databases in this folder, with the logs of the set. The undo file is kept.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, now: LogTime) -> Self {
        Self {
            dir: dir.into(),
            forward: PlayForward::Unsaid,
            keep: false,
            databases: Vec::new(),
            log_base: None,
            environment: None,
            ignore_trailer: false,
            to: None,
            cache: None,
            dry_run: false,
            undo_file: None,
            keep_undo: true,
            now,
        }
    }
}

/// What a restore did.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// Where the set came from.
    pub environment: RestoreEnvironment,
    /// How the end of each database's backup is known.
    #[serde(serialize_with = "crate::storage::keyed_path_text")]
    pub ends: Vec<(PathBuf, EndOfBackup)>,
    /// Generations of logs that were played forward.
    pub played_forward: Option<(Generation, Generation)>,
    /// Databases that were copied, from where and whereto.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub copied: Vec<(PathBuf, PathBuf)>,
    /// Files of the set that are gone.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub removed: Vec<PathBuf>,
    /// The recovery itself.
    #[serde(flatten)]
    pub recovery: RecoverReport,
}

/// What is known of a set.
#[derive(Debug)]
pub struct Description {
    /// Where it came from and what it holds.
    pub environment: RestoreEnvironment,
    /// What is worth knowing.
    pub findings: Vec<Finding>,
    /// Why it cannot be restored as it is.
    pub faults: Vec<Error>,
}

/// Looks at a set and tells what is known of it (`cm`); changes nothing.
///
/// # Errors
/// As [`BackupSet::find`].
pub fn describe(options: &RestoreOptions) -> Result<Description> {
    let set = BackupSet::find(options)?;
    Ok(Description {
        environment: environment_of(&set),
        findings: set.findings,
        faults: set.faults,
    })
}

fn environment_of(set: &BackupSet) -> RestoreEnvironment {
    let Some(environment) = &set.environment else {
        return environment::of_files(set);
    };
    let mut content = environment.content.clone();
    // Most forms leave it to the reader to know where they lie.
    if content.restore_path.is_empty() {
        content.restore_path = set.dir.to_string_lossy().into_owned();
    }
    content
}

/// Saves what is known of a set in the text form, in a new file.
///
/// # Errors
/// [`Error::Io`]; `AlreadyExists` when there is one.
pub fn write_environment(content: &RestoreEnvironment, path: &Path) -> Result<()> {
    environment::write(content, path, &RealDisk)
}

/// Restores a set in the file system. `begun` sees what is known of it before the work begins.
///
/// # Errors
/// As [`restore`].
pub fn restore_files(
    options: &RestoreOptions,
    begun: &mut dyn FnMut(&RestoreEnvironment),
    progress: &dyn Progress,
) -> Result<RestoreReport> {
    restore(options, &RealDisk, begun, progress)
}

/// Restores a set; what is written goes to `disk`.
///
/// # Errors
/// The engine's number with what is wrong and what can be done; then nothing has been changed but copies that were
/// asked for.
pub fn restore(
    options: &RestoreOptions,
    disk: &dyn Disk,
    begun: &mut dyn FnMut(&RestoreEnvironment),
    progress: &dyn Progress,
) -> Result<RestoreReport> {
    set::must_be_folder(&options.dir)?;
    let options = &RestoreOptions {
        dir: set::folder_of(&options.dir),
        ..options.clone()
    };
    let left = leftovers(options, disk)?;
    let (undo_path, taken_back) = if options.dry_run {
        left.refuse(disk, "run it again without --dry-run")?;
        (left.undo_name().to_owned(), Vec::new())
    } else {
        left.take_back(disk, progress)?
    };
    let set = BackupSet::find(options)?;
    let environment = environment_of(&set);
    begun(&environment);
    set.usable()?;
    let mut report = RestoreReport {
        environment,
        ends: Vec::new(),
        played_forward: None,
        copied: Vec::new(),
        removed: Vec::new(),
        recovery: RecoverReport::new(options.dry_run, taken_back),
    };
    let mut writer = None;
    if !options.dry_run {
        if let Some(to) = &options.to {
            make_dir(to)?;
        }
        // Made so early because it is locked: who finds it knows that this run is alive.
        writer = Some(UndoWriter::create(disk, &undo_path, left.operation())?);
    }
    // Another run may have ended in between.
    let mut set = BackupSet::find(options)?.usable()?;
    report.recovery.findings = std::mem::take(&mut set.findings);
    let Some(logs) = set.logs.clone().filter(|_| !set.databases.is_empty()) else {
        return Ok(report);
    };
    let stage = Stage::new(options, &set, &logs, &mut report)?;
    for database in &mut set.databases {
        let Some(target) = database.target.take() else {
            continue;
        };
        report.copied.push((database.path.clone(), target.clone()));
        if !options.dry_run {
            copy_file(disk, &database.path, &target, progress)?;
            database.path = target;
        }
    }
    stage.run(&set, &mut report, writer, disk, progress)?;
    Ok(report)
}

/// The undo files of restores of this set: beside it, where the copies go, under any name if they say so.
fn leftovers(options: &RestoreOptions, disk: &dyn Disk) -> Result<Leftovers> {
    let mut dirs: Vec<PathBuf> = options.to.iter().cloned().collect();
    dirs.push(options.dir.clone());
    if let PlayForward::From(dir) = &options.forward {
        dirs.push(dir.clone());
    }
    let names = dirs.iter().map(|dir| dir.join("restore.undo")).collect();
    let whole = disk.canonical(&options.dir)?;
    let operation = format!("cc {}", whole.display());
    Ok(Leftovers::new(
        options.undo_file.as_deref(),
        names,
        operation,
    ))
}

/// A restore that is ready to begin.
struct Stage {
    options: RecoverOptions,
    stream: LogStream,
    begin: Begin,
    high: Generation,
    after: After,
}

impl Stage {
    fn new(
        options: &RestoreOptions,
        set: &BackupSet,
        logs: &SetLogs,
        report: &mut RestoreReport,
    ) -> Result<Self> {
        let findings = &mut report.recovery.findings;
        let (stream, played) = match &options.forward {
            PlayForward::From(dir) if !set::same_file(dir, &set.dir) => {
                let (stream, played) = match logs::later_in(dir, &logs.stream.base)? {
                    Some(later) => logs.join(&later)?,
                    // As in the engine: the stream goes on there all the same.
                    None => (logs.stream.going_on_in(dir, logs.high), None),
                };
                if played.is_none() {
                    let place = Place::file(dir.to_string_lossy());
                    findings.push(Finding::new(Problem::RestoreNoLaterLogs, place));
                }
                (stream, played)
            }
            PlayForward::Unsaid => {
                let place = Place::file(set.dir.to_string_lossy());
                findings.push(Finding::new(Problem::RestoreNotForward, place));
                (logs.stream.clone(), None)
            }
            PlayForward::From(_) | PlayForward::No => (logs.stream.clone(), None),
        };
        report.played_forward = played;
        let goes_on_elsewhere = stream.dir != set.dir;
        let stream = match &options.to {
            Some(to) if !goes_on_elsewhere => stream.going_on_in(to, logs.high),
            _ => stream,
        };
        let first = stream.from(logs.low).first().cloned().unwrap_or_default();
        let log = LoadedLog::load(&first).map_err(|fault| Error::from(unusable(&first, &fault)))?;
        let begin = Begin {
            // Where the stream goes on elsewhere the set's current log is one of many.
            is_current: stream.current().as_ref() == Some(&first),
            start: Start {
                at: log.position(log.extent.start),
                attachments: None,
            },
            logs: stream.from(logs.low).len() as u64,
            log,
        };
        let mut after = After {
            hard: true,
            drops_stream: !options.keep && !goes_on_elsewhere,
            remove: Vec::new(),
        };
        // A set whose databases were copied is still a whole set; one with more of them needs its logs.
        if let Some(path) = set.left_out.first() {
            let place = Place::file(path.to_string_lossy());
            let findings = &mut report.recovery.findings;
            findings.push(Finding::new(Problem::LogsKept, place));
        } else if !options.keep && !set.stays {
            after.remove = spent(set, logs, goes_on_elsewhere);
        }
        report.removed.clone_from(&after.remove);
        Ok(Self {
            options: RecoverOptions {
                base: stream.base.clone(),
                log_dir: stream.dir.clone(),
                system_dir: stream.dir.clone(),
                places: Places::Moved(Vec::new(), false),
                ignore_missing: true,
                lossy: false,
                stop_after: None,
                ignore_checkpoint: true,
                cache: options.cache,
                dry_run: options.dry_run,
                to: None,
                undo_file: None,
                keep_undo: options.keep_undo,
                truncate_logs: false,
                now: options.now,
            },
            stream,
            begin,
            high: logs.high,
            after,
        })
    }

    fn run<'d>(
        self,
        set: &BackupSet,
        report: &mut RestoreReport,
        writer: Option<UndoWriter<'d>>,
        disk: &'d dyn Disk,
        progress: &dyn Progress,
    ) -> Result<()> {
        report.ends = set
            .databases
            .iter()
            .map(|database| (database.path.clone(), database.end))
            .collect();
        let databases = set
            .databases
            .iter()
            .map(|database| database.prepared(self.high));
        let restored = Restored {
            databases: databases.collect(),
            high: self.high,
        };
        Work {
            options: &self.options,
            stream: self.stream,
            begin: self.begin,
            restored: Some(restored),
            after: self.after,
        }
        .run(&mut report.recovery, writer, disk, progress)
    }
}

/// Files that have done their duty when the restore has gone well: logs and checkpoint of the set, patch files,
/// Restore.env. [command-line notes 4.3]
fn spent(set: &BackupSet, logs: &SetLogs, goes_on_elsewhere: bool) -> Vec<PathBuf> {
    let mut gone = logs.files.clone();
    gone.extend(
        set.databases
            .iter()
            .filter_map(|database| database.patch_file.clone()),
    );
    let used = set
        .environment
        .as_ref()
        .map(|environment| &environment.path);
    let spent_env = |path: &PathBuf| Some(path) == used || !Environment::is_own(path);
    gone.extend(
        environment::in_folder(&set.dir)
            .into_iter()
            .filter(spent_env),
    );
    if !goes_on_elsewhere {
        let name = checkpoint_name(&logs.stream);
        gone.extend(find_any_case(&set.dir, &name));
    }
    gone.sort();
    gone.dedup();
    gone
}
