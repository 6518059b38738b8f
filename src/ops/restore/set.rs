//! A backup set as it lies in a folder: databases, logs, what says where they came from.

use std::path::{Path, PathBuf};

use super::RestoreOptions;
use super::database::{self, Found, SetDatabase};
use super::environment::{self, Environment};
use super::logs::{SetLogs, streams_in};
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::DbHeader;
use crate::format::ids::Generation;
use crate::format::restore_env::EnvSource;
use crate::format::stamp::Signature;
use crate::jet::JetError;
use crate::log::names::find_any_case;
use crate::ops::identify;
use crate::problem::{Finding, Place, Problem};
use crate::recover::attach::last_part;
use crate::recover::stream::LogStream;
use crate::storage::{Disk, RealDisk, files_in};

/// Folders below the one that was named in which a backup API keeps the last two backups. [engine]
const ATOMIC: [&str; 2] = ["new", "old"];

/// A backup set.
#[derive(Debug)]
pub struct BackupSet {
    /// Its folder.
    pub dir: PathBuf,
    /// The databases to restore.
    pub databases: Vec<SetDatabase>,
    /// Databases in it that need no restore.
    pub clean: Vec<(PathBuf, DbHeader)>,
    /// The files of its logs, in whatever state.
    pub stream: Option<LogStream>,
    /// Its logs, if they are whole.
    pub logs: Option<SetLogs>,
    /// What a Restore.env says, or a file in the text form.
    pub environment: Option<Environment>,
    /// What is worth knowing.
    pub findings: Vec<Finding>,
    /// Why it cannot be restored.
    pub faults: Vec<Error>,
}

impl BackupSet {
    /// Finds the set, and judges whether it is one: all logs of its range, databases of this stream whose logs are there.
    /// What is wrong is in [`BackupSet::faults`], with the engine's numbers: -535, -538, -552 to -557, -615, -1206,
    /// -1811, what is wrong with a log.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be read; when a file that was named is none of the kind.
    pub fn find(options: &RestoreOptions) -> Result<Self> {
        must_be_folder(&options.dir)?;
        let dir = folder_of(&options.dir);
        let mut findings = Vec::new();
        let environment = environment::find(options, &dir, &mut findings)?;
        let mut set = Self {
            dir,
            databases: Vec::new(),
            clean: Vec::new(),
            stream: None,
            logs: None,
            environment,
            findings,
            faults: Vec::new(),
        };
        for path in candidates(options, &set.dir, set.environment.as_ref()) {
            match database::look(&path, options.ignore_trailer) {
                Ok(Found::Backup(found)) => set.databases.push(*found),
                Ok(Found::Clean(header)) => set.clean.push((path, *header)),
                Ok(Found::Other) if options.databases.contains(&path) => {
                    return Err(Trouble::new(
                        JetError::RESTORE_OF_NON_BACKUP_DATABASE,
                        format!("'{}' is no database", path.display()),
                    )
                    .into());
                }
                Ok(Found::Other) => {}
                Err(error) => set.faults.push(error),
            }
        }
        match set.base(options) {
            Ok(Some(base)) => {
                let stream = LogStream::find(&set.dir, &base)?;
                match SetLogs::check(stream.clone()) {
                    Ok(logs) => {
                        let unfit = set.databases.iter().map(|database| database.suits(&logs));
                        let unfit: Vec<Error> = unfit.filter_map(Result::err).collect();
                        set.faults.extend(unfit);
                        set.faults.extend(set.lacks_what_is_said(&logs));
                        set.logs = Some(logs);
                    }
                    // Nothing can be judged without them, so that they come first.
                    Err(error) => set.faults.insert(0, error),
                }
                set.stream = Some(stream);
            }
            Ok(None) if set.databases.is_empty() => {}
            Ok(None) => {
                let error = set.no_logs().into();
                set.faults.push(error);
            }
            Err(error) => set.faults.push(error),
        }
        if set.databases.is_empty() && set.clean.is_empty() && set.faults.is_empty() {
            let error = set.no_databases().into();
            set.faults.push(error);
        }
        set.judge();
        Ok(set)
    }

    /// The set, if it can be restored.
    ///
    /// # Errors
    /// The first of its faults.
    pub fn usable(mut self) -> Result<Self> {
        if self.faults.is_empty() {
            Ok(self)
        } else {
            Err(self.faults.remove(0))
        }
    }

    /// The stream of the set: the one whose logs are there; of several that which the databases belong to.
    fn base(&self, options: &RestoreOptions) -> Result<Option<String>> {
        let said = options.log_base.clone().or_else(|| {
            let environment = self.environment.as_ref()?;
            environment.content.log_base.clone()
        });
        let streams = streams_in(&self.dir)?;
        if let Some(base) = said {
            return Ok(Some(base));
        }
        let own: Vec<Signature> = self
            .databases
            .iter()
            .map(|database| database.header.sign_log)
            .collect();
        let all: Vec<&String> = streams.iter().map(|(base, _)| base).collect();
        let fitting: Vec<&String> = streams
            .iter()
            .filter(|(_, signature)| signature.is_some_and(|signature| own.contains(&signature)))
            .map(|(base, _)| base)
            .collect();
        match (&all[..], &fitting[..]) {
            ([], _) => Ok(None),
            ([only], _) | (_, [only]) => Ok(Some((*only).clone())),
            _ => {
                let names: Vec<&str> = all.iter().map(|name| name.as_str()).collect();
                Err(Trouble::new(
                    JetError::INVALID_PARAMETER,
                    format!(
                        "'{}' holds logs of several streams: {}",
                        self.dir.display(),
                        names.join(", ")
                    ),
                )
                .advise("name the one of this backup with --log-base")
                .into())
            }
        }
    }

    /// What is worth knowing of a set that is in order.
    fn judge(&mut self) {
        for (path, _) in &self.clean {
            let place = Place::file(path.to_string_lossy());
            self.findings
                .push(Finding::new(Problem::RestoreClean, place));
        }
        for database in &self.databases {
            if database.end == database::EndOfBackup::Unknown {
                let place = Place::file(database.path.to_string_lossy());
                self.findings
                    .push(Finding::new(Problem::RestoreEndUnknown, place));
            }
        }
        let Some(logs) = &self.logs else { return };
        let mut missing: Vec<&str> = Vec::new();
        for attached in &logs.attachments {
            let is_here = self
                .databases
                .iter()
                .map(|database| &database.header)
                .chain(self.clean.iter().map(|(_, header)| header))
                .any(|header| header.sign_db == attached.sign_db);
            if !is_here && !missing.contains(&attached.path.as_str()) {
                missing.push(&attached.path);
            }
        }
        for path in missing {
            self.findings
                .push(Finding::new(Problem::RestoreMissing, Place::file(path)));
        }
    }

    /// True when databases are restored in another place (`to`, or where the environment says), and the set still has
    /// them as the backup made them.
    #[must_use]
    pub fn keeps_databases(&self, to: Option<&Path>) -> bool {
        to.is_some()
            || self.databases.iter().any(|database| {
                let name = database
                    .path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy();
                let twin = find_any_case(&self.dir, &name);
                twin.is_some_and(|twin| !same_file(&twin, &database.path))
            })
    }

    /// A Restore.env says which logs were restored. What was only inferred from one is not held against the set.
    fn lacks_what_is_said(&self, logs: &SetLogs) -> Option<Error> {
        let said = &self.environment.as_ref()?.content;
        let (low, high) = said
            .log_range
            .filter(|_| said.source != EnvSource::Inferred)?;
        let before = Generation::new(logs.low.get().saturating_sub(1));
        let (first, last) = if low < logs.low {
            (low, before)
        } else if high > logs.high {
            (logs.high.next(), high)
        } else {
            return None;
        };
        let names = logs.stream.range_name(first, last);
        let what = format!(
            "the restore environment names the log files {names}, which are not in the set"
        );
        let trouble = Trouble::new(JetError::MISSING_RESTORE_LOG_FILES, what);
        let advice = "restore the missing log files from the backup; or correct the range in the environment";
        Some(trouble.advise(advice).into())
    }

    fn no_logs(&self) -> Trouble {
        let (low, high) = self
            .databases
            .iter()
            .map(|database| database.range)
            .reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
            .unwrap_or_default();
        let what = format!(
            "'{}' holds no log files; the backup needs those of generations {:#X} to {:#X}",
            self.dir.display(),
            low.get(),
            high.get()
        );
        Trouble::new(JetError::MISSING_RESTORE_LOG_FILES, what)
            .advise("restore the log files from the backup into this folder")
    }

    fn no_databases(&self) -> Trouble {
        Trouble::new(
            JetError::FILE_NOT_FOUND,
            format!("no database of a backup in '{}'", self.dir.display()),
        )
        .advise(
            "give the folder into which the backup was restored, and databases that lie elsewhere with --database",
        )
    }
}

/// Refuses what is no folder, and tells the mode for a file.
///
/// # Errors
/// [`Error::WrongFileType`]; [`Error::Io`].
pub fn must_be_folder(dir: &Path) -> Result<()> {
    if dir.is_file() {
        let (_, _, kind) = identify::open(dir)?;
        return Err(Error::WrongFileType {
            path: dir.to_owned(),
            found: format!("{}, not the folder of a backup set", kind.words()),
            mode: kind.dump_mode().unwrap_or("mh"),
        });
    }
    streams_in(dir).map(|_| ())
}

/// The folder itself, or the one below it in which a backup was made that replaces the one before in one step.
fn folder_of(dir: &Path) -> PathBuf {
    let has_logs = |dir: &Path| streams_in(dir).is_ok_and(|streams| !streams.is_empty());
    if has_logs(dir) {
        return dir.to_owned();
    }
    ATOMIC
        .iter()
        .map(|name| dir.join(name))
        .find(|below| has_logs(below))
        .unwrap_or_else(|| dir.to_owned())
}

pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| RealDisk.canonical(path).ok();
    canonical(one).is_some_and(|one| canonical(other) == Some(one))
}

/// The files that may be databases of the set: those that are named; else all in the folder, and those which a
/// Restore.env says were restored elsewhere.
fn candidates(
    options: &RestoreOptions,
    dir: &Path,
    environment: Option<&Environment>,
) -> Vec<PathBuf> {
    if !options.databases.is_empty() {
        return options.databases.clone();
    }
    let elsewhere: Vec<PathBuf> = environment
        .into_iter()
        .flat_map(Environment::destinations)
        .filter(|path| path.is_file())
        .collect();
    // A database at its destination stands for the one of that name in the set.
    let here = files_in(dir).into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !elsewhere
            .iter()
            .any(|other| last_part(&other.to_string_lossy()).eq_ignore_ascii_case(&name))
    });
    here.chain(elsewhere.iter().cloned()).collect()
}
