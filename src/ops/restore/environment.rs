//! What is known of where a backup came from: by a Restore.env, a file in exutil's own form, or the files themselves.

use std::path::{Path, PathBuf};

use super::RestoreOptions;
use super::logs::streams_in;
use super::set::{BackupSet, same_file};
use crate::error::{Error, Result, Trouble};
use crate::format::restore_env::{
    BYTES_MOST, EnvDatabase, EnvSource, RecoverStatus, RestoreEnvironment, read,
};
use crate::jet::JetError;
use crate::problem::{Finding, Place, Problem};
use crate::recover::attach::last_part;
use crate::storage::{Disk, FileStorage, RealDisk, Storage, files_in};

/// The name under which exutil's own form is found in a set.
pub const OWN_NAME: &str = "restore-environment.toml";
/// The end of the names of Restore.env and, for snapshots, `E00Restore.env`, in upper case.
const ENV_NAME: &str = "RESTORE.ENV";

/// A file that says where a set came from.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub content: RestoreEnvironment,
}

impl Environment {
    /// Where databases were, or are to be, restored, as far as these are paths of this system. What was only inferred
    /// names no place.
    pub fn destinations(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let is_said = self.content.source != EnvSource::Inferred;
        let dir = self.path.parent().unwrap_or(Path::new(""));
        self.content
            .databases
            .iter()
            .filter_map(|database| database.destinations.first())
            .filter(move |path| is_said && is_of_this_system(path))
            .map(|path| dir.join(path))
    }

    /// Where the database of this file name is to go.
    pub fn destination_of(&self, file: &Path) -> Option<PathBuf> {
        let name = file.file_name()?.to_string_lossy();
        self.destinations()
            .find(|path| last_part(&path.to_string_lossy()).eq_ignore_ascii_case(&name))
    }

    /// True for a file that a user wrote, or `cm`.
    pub fn is_own(path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.eq_ignore_ascii_case(OWN_NAME)
    }
}

/// A path of Windows names no place on another system.
fn is_of_this_system(path: &str) -> bool {
    cfg!(windows) || !path.contains('\\')
}

/// Finds and reads the environment: the file that was named, or the one in the folder. A Restore.env that cannot be decoded
/// is told, and done without.
///
/// # Errors
/// When the file that was named, or one in exutil's own form, cannot be used.
pub fn find(
    options: &RestoreOptions,
    dir: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Option<Environment>> {
    if let Some(path) = &options.environment {
        let content = load(path)?;
        return Ok(Some(Environment {
            path: path.clone(),
            content,
        }));
    }
    for path in in_folder(dir) {
        match load(&path) {
            Ok(content) => {
                if content.source == EnvSource::Inferred {
                    let place = Place::file(path.to_string_lossy());
                    findings.push(Finding::new(Problem::RestoreEnvInferred, place));
                }
                return Ok(Some(Environment { path, content }));
            }
            Err(error) if Environment::is_own(&path) => return Err(error),
            Err(error) => {
                let place = Place::file(path.to_string_lossy());
                findings.push(
                    Finding::new(Problem::RestoreEnvUnread, place).with_detail(error.to_string()),
                );
            }
        }
    }
    Ok(None)
}

/// Files that say where the set came from: exutil's own, Restore.env, and those of snapshots, which have the base name of
/// the logs before it (`E00Restore.env`), as long as there are such logs.
pub fn in_folder(dir: &Path) -> Vec<PathBuf> {
    let streams = streams_in(dir).unwrap_or_default();
    let rank = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_ascii_uppercase();
        match name.strip_suffix(ENV_NAME) {
            _ if Environment::is_own(path) => Some(0),
            Some("") => Some(1),
            Some(base) if streams.iter().any(|(known, _)| known == base) => Some(2),
            _ => None,
        }
    };
    let mut found: Vec<(u8, PathBuf)> = files_in(dir)
        .into_iter()
        .filter_map(|path| Some((rank(&path)?, path)))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

fn load(path: &Path) -> Result<RestoreEnvironment> {
    let io = |error| Error::io(path, "read", error);
    let file = FileStorage::open(path)?;
    let unusable = |what: String| {
        Trouble::new(
            JetError::FILE_INVALID_TYPE,
            format!("'{}': {what}", path.display()),
        )
    };
    let len = file.len().map_err(io)?;
    if len > BYTES_MOST as u64 {
        return Err(unusable("too long for a Restore.env".to_owned()).into());
    }
    let bytes = file.read_start(len as usize).map_err(io)?;
    read(&bytes).map_err(|fault| unusable(fault.to_string()).into())
}

/// What the files of a set say: names from the logs, generations from the set, files as they lie.
#[must_use]
pub fn of_files(set: &BackupSet) -> RestoreEnvironment {
    let attachments = set.logs.iter().flat_map(|logs| &logs.attachments);
    let attachments: Vec<_> = attachments.collect();
    let all = set
        .databases
        .iter()
        .map(|database| (&database.path, &database.header))
        .chain(set.clean.iter().map(|(path, header)| (path, header)));
    let databases = all
        .map(|(path, header)| EnvDatabase {
            name: path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
            guid: None,
            sources: attachments
                .iter()
                .find(|attached| attached.sign_db == header.sign_db)
                .map(|attached| attached.path.clone())
                .into_iter()
                .collect(),
            // One in the set is where it is; that is nothing to be told to who finds the set elsewhere.
            destinations: (!is_in(path, &set.dir))
                .then(|| absolute(path))
                .into_iter()
                .collect(),
        })
        .collect();
    let stream = set.stream.as_ref();
    let status = if set.databases.is_empty() && !set.clean.is_empty() {
        RecoverStatus::Ended
    } else {
        RecoverStatus::NotStarted
    };
    let mut known = RestoreEnvironment::new(EnvSource::Files);
    known.restore_path = absolute(&set.dir);
    known.databases = databases;
    known.log_range = set
        .logs
        .as_ref()
        .map(|logs| (logs.low, logs.high))
        .or_else(|| stream?.range());
    if let Some(stream) = stream {
        known.log_base = Some(stream.base.clone());
        known.log_digits = stream.digits();
        known.log_extension = stream.extension.clone();
    }
    known.status = Some(status);
    known.error = Some(0);
    known
}

fn is_in(path: &Path, dir: &Path) -> bool {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    same_file(parent, dir)
}

fn absolute(path: &Path) -> String {
    let whole = RealDisk.canonical(path);
    let whole = whole.unwrap_or_else(|_| path.to_owned());
    whole.to_string_lossy().into_owned()
}

/// Writes the text form into a new file.
///
/// # Errors
/// [`Error::Io`]; `AlreadyExists` when there is one.
pub fn write(content: &RestoreEnvironment, path: &Path, disk: &dyn Disk) -> Result<()> {
    let io = |error| Error::io(path, "write", error);
    let file = disk.create(path)?;
    file.write_at(0, content.to_text().as_bytes()).map_err(io)?;
    file.sync().map_err(io)
}
