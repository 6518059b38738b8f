//! A backup set as it lies in a folder: databases, logs, what says where they came from.

use std::path::{Path, PathBuf};

use super::RestoreOptions;
use super::database::{self, Found, SetDatabase};
use super::environment::{self, Environment};
use super::logs::{SetLogs, streams_in};
use super::placement;
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
    /// Databases that are restored in another place; the set keeps them as the backup made them.
    pub stays: bool,
    /// Backup copies in the folder that this restore leaves out.
    pub left_out: Vec<PathBuf>,
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
        let mut faults = Vec::new();
        let environment = match environment::find(options, &dir, &mut findings) {
            Err(error) if options.environment.is_none() => {
                faults.push(error);
                None
            }
            other => other?,
        };
        let mut set = Self {
            dir,
            databases: Vec::new(),
            clean: Vec::new(),
            stream: None,
            logs: None,
            environment,
            findings,
            stays: false,
            left_out: Vec::new(),
            faults,
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
        set.find_logs(options);
        set.same_twice();
        if set.databases.is_empty() && set.clean.is_empty() && set.faults.is_empty() {
            let error = set.no_databases().into();
            set.faults.push(error);
        }
        set.find_left_out(options);
        set.place(options)?;
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

    fn find_logs(&mut self, options: &RestoreOptions) {
        let found = self.base(options).and_then(|base| {
            base.map(|base| LogStream::find(&self.dir, &base))
                .transpose()
        });
        match found {
            Ok(Some(stream)) => {
                match SetLogs::check(stream.clone()) {
                    Ok(logs) => {
                        let unfit = self.databases.iter().map(|database| database.suits(&logs));
                        let unfit: Vec<Error> = unfit.filter_map(Result::err).collect();
                        self.faults.extend(unfit);
                        self.faults.extend(self.lacks_what_is_said(&logs));
                        self.logs = Some(logs);
                    }
                    // Nothing can be judged without them, so that they come first.
                    Err(error) => self.faults.insert(0, error),
                }
                self.stream = Some(stream);
            }
            Ok(None) if self.databases.is_empty() => {}
            Ok(None) => {
                let error = self.no_logs().into();
                self.faults.push(error);
            }
            Err(error) => self.faults.push(error),
        }
    }

    /// The stream of the set: the one whose logs are there; of several that which the databases belong to.
    fn base(&self, options: &RestoreOptions) -> Result<Option<String>> {
        let content = self.environment.as_ref().map(|found| &found.content);
        let streams = streams_in(&self.dir)?;
        let all: Vec<&str> = streams.iter().map(|(base, _)| base.as_str()).collect();
        let named = content.and_then(|content| content.log_base.as_ref());
        let said = content.filter(|content| content.source == EnvSource::Text);
        let said = options
            .log_base
            .as_ref()
            .or(named.filter(|_| said.is_some()));
        if let Some(base) = said {
            if all.iter().any(|known| known.eq_ignore_ascii_case(base)) {
                return Ok(Some(base.clone()));
            }
            let what = format!("'{}' holds no log files {base}*", self.dir.display());
            return Err(Trouble::new(JetError::MISSING_RESTORE_LOG_FILES, what)
                .advise("give the first three letters of the logs' names with --log-base")
                .into());
        }
        let own = |signature: Signature| {
            let mut databases = self.databases.iter();
            databases.any(|database| database.header.sign_log == signature)
        };
        let fitting: Vec<&str> = streams
            .iter()
            .filter(|(_, signature)| signature.is_some_and(own))
            .map(|(base, _)| base.as_str())
            .collect();
        // What a Restore.env of the unpublished form seems to say decides only between those that fit.
        let hinted = fitting
            .iter()
            .find(|base| named.is_some_and(|named| named.eq_ignore_ascii_case(base)));
        match (&all[..], &fitting[..], hinted) {
            ([], ..) => Ok(None),
            ([only], ..) | (_, [only], _) | (_, _, Some(only)) => Ok(Some((*only).to_owned())),
            _ => {
                let what = format!(
                    "'{}' holds logs of several streams: {}",
                    self.dir.display(),
                    all.join(", ")
                );
                Err(Trouble::new(JetError::INVALID_PARAMETER, what)
                    .advise("name the one of this backup with --log-base")
                    .into())
            }
        }
    }

    /// Two files cannot be one database of the logs.
    fn same_twice(&mut self) {
        for (at, database) in self.databases.iter().enumerate() {
            let twin = self.databases[..at]
                .iter()
                .find(|other| other.header.sign_db == database.header.sign_db);
            if let Some(twin) = twin {
                let what = format!(
                    "'{}' and '{}' are copies of the same database",
                    twin.path.display(),
                    database.path.display()
                );
                let trouble = Trouble::new(JetError::DATABASE_SIGN_IN_USE, what)
                    .advise("move one of them away, or name the one to restore with --database");
                self.faults.push(trouble.into());
            }
        }
    }

    /// Backup copies that somebody chose to leave out still need the logs.
    fn find_left_out(&mut self, options: &RestoreOptions) {
        if options.databases.is_empty() {
            return;
        }
        for path in files_in(&self.dir) {
            let is_chosen = options
                .databases
                .iter()
                .any(|chosen| same_file(chosen, &path));
            let found = database::look(&path, true);
            let of_this = |other: &SetDatabase| {
                let logs = self.logs.as_ref();
                logs.is_some_and(|logs| logs.sign_log == other.header.sign_log)
            };
            if let Ok(Found::Backup(other)) = found
                && !is_chosen
                && of_this(&other)
            {
                self.left_out.push(path);
            }
        }
    }

    /// Finds where each database is to go.
    fn place(&mut self, options: &RestoreOptions) -> Result<()> {
        let high = self.logs.as_ref().map(|logs| logs.high).unwrap_or_default();
        if let Some(to) = &options.to {
            placement::check_target(to, &self.databases, high)?;
        }
        let mut here = Vec::new();
        for mut database in std::mem::take(&mut self.databases) {
            let said = self.environment.as_ref();
            let target = match &options.to {
                Some(to) => Some(to.join(database.path.file_name().unwrap_or_default())),
                None => said.and_then(|said| said.destination_of(&database.path)),
            };
            let Some(target) = target else {
                here.push(database);
                continue;
            };
            let is_new = options.to.as_ref().is_some_and(|to| !to.exists());
            let place = if is_new {
                Ok(placement::Place::Copy)
            } else {
                placement::look(&database, &target, high)
            };
            match place {
                Ok(placement::Place::Here) => here.push(database),
                Ok(placement::Place::Copy) => {
                    database.target = Some(target);
                    self.stays = true;
                    here.push(database);
                }
                Ok(placement::Place::Copied) => {
                    database.path = target;
                    self.stays = true;
                    here.push(database);
                }
                Ok(placement::Place::Done(header)) => {
                    self.stays = true;
                    self.clean.push((target, *header));
                }
                Err(error) => {
                    self.faults.push(error);
                    here.push(database);
                }
            }
        }
        self.databases = here;
        Ok(())
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
/// [`Error::WrongFileType`]; -1812 for a file that has no mode; [`Error::Io`].
pub fn must_be_folder(dir: &Path) -> Result<()> {
    if dir.is_file() {
        let (_, _, kind) = identify::open(dir)?;
        if let Some(mode) = kind.dump_mode() {
            return Err(Error::WrongFileType {
                path: dir.to_owned(),
                found: format!("{}, not the folder of a backup set", kind.words()),
                mode,
            });
        }
        let what = format!("'{}' is a file", dir.display());
        return Err(Trouble::new(JetError::FILE_INVALID_TYPE, what)
            .advise("give the folder of the backup set")
            .into());
    }
    streams_in(dir).map(|_| ())
}

/// The folder itself, or the one below it in which a backup was made that replaces the one before in one step. An undo
/// file marks the folder of a set whose logs are gone, or half gone.
pub fn folder_of(dir: &Path) -> PathBuf {
    let is_set = |dir: &Path| {
        let is_undo = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(placement::UNDO_STEM) && name.ends_with(".undo")
        };
        streams_in(dir).is_ok_and(|streams| !streams.is_empty())
            || files_in(dir).iter().any(is_undo)
    };
    if is_set(dir) {
        return dir.to_owned();
    }
    ATOMIC
        .iter()
        .filter_map(|name| find_any_case(dir, name))
        .find(|below| is_set(below))
        .unwrap_or_else(|| dir.to_owned())
}

/// True for two names of one file.
pub fn same_file(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| RealDisk.canonical(path).ok();
    canonical(one).is_some_and(|one| canonical(other) == Some(one))
}

/// The files that may be databases of the set: those that are named, each once; else all in the folder, and those which
/// the environment says were restored elsewhere, where the folder has none of that name.
fn candidates(
    options: &RestoreOptions,
    dir: &Path,
    environment: Option<&Environment>,
) -> Vec<PathBuf> {
    if !options.databases.is_empty() {
        let mut named: Vec<PathBuf> = Vec::new();
        for path in &options.databases {
            if !named.iter().any(|known| same_file(known, path)) {
                named.push(path.clone());
            }
        }
        return named;
    }
    let mut found = files_in(dir);
    let elsewhere = environment.into_iter().flat_map(Environment::destinations);
    for path in elsewhere.filter(|path| path.is_file()) {
        let whole = path.to_string_lossy();
        let is_here = find_any_case(dir, last_part(&whole)).is_some();
        if !is_here {
            found.push(path);
        }
    }
    found
}
