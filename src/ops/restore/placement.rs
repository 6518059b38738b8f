//! Where the databases of a set are restored: where they lie, or in another place that somebody named.
//!
//! A file at that other place is never overwritten. It may be the very copy that an interrupted run made, or what an
//! earlier run left there; anything else is refused by name.

use std::path::Path;

use super::database::SetDatabase;
use super::set::same_file;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::Generation;
use crate::jet::JetError;
use crate::recover::attach::header_of;
use crate::storage::{FileStorage, Storage, files_in};

/// End of the name of a copy that is not whole yet.
pub const PART: &str = crate::ops::recover::copy::PART;
/// How the undo files of restores begin.
pub const UNDO_STEM: &str = "restore";

/// What is to be done about a place.
#[derive(Debug)]
pub enum Place {
    /// It is where the database lies.
    Here,
    /// A copy must be made there.
    Copy,
    /// The copy is there already, and nothing has been done to it.
    Copied,
    /// It has been restored there.
    Done(Box<DbHeader>),
}

/// Looks at the place to which a database of the set is to go.
///
/// # Errors
/// -1814 when another file is there, -1023 when there is no such folder.
pub fn look(database: &SetDatabase, target: &Path, high: Generation) -> Result<Place> {
    if same_file(&database.path, target) {
        return Ok(Place::Here);
    }
    let folder = folder_of(target);
    if !folder.is_dir() {
        let what = format!("there is no folder '{}'", folder.display());
        return Err(Trouble::new(JetError::INVALID_PATH, what)
            .of(&database.path)
            .advise("make it, or correct the destination in the environment")
            .into());
    }
    if target.symlink_metadata().is_err() {
        return Ok(Place::Copy);
    }
    match header_of(target) {
        Some(there) if is_same_backup(database, &there, target)? => Ok(Place::Copied),
        Some(there) if is_restored(database, &there, high) => Ok(Place::Done(Box::new(there))),
        _ => Err(taken(target).into()),
    }
}

/// The folder of a file; the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn taken(target: &Path) -> Trouble {
    let what = format!(
        "the database is to go to '{}', and there is another file",
        target.display()
    );
    Trouble::new(JetError::FILE_ALREADY_EXISTS, what)
        .advise("move that file away, or correct the destination; or restore elsewhere with --to")
}

fn is_same_backup(database: &SetDatabase, there: &DbHeader, path: &Path) -> Result<bool> {
    let len = |path: &Path| -> Result<u64> {
        let file = FileStorage::open(path)?;
        file.len().map_err(|error| Error::io(path, "read", error))
    };
    let key = |header: &DbHeader| {
        (
            header.sign_db,
            header.sign_log,
            header.backup_full_cur,
            header.backup_snapshot_cur,
        )
    };
    Ok(there.db_state() != DbState::CleanShutdown
        && key(&database.header) == key(there)
        && len(&database.path)? == len(path)?)
}

/// A database of this identity that is clean behind the backup is at least what a restore would make of it.
fn is_restored(database: &SetDatabase, there: &DbHeader, high: Generation) -> bool {
    there.db_state() == DbState::CleanShutdown
        && there.sign_db == database.header.sign_db
        && there.sign_log == database.header.sign_log
        && there.last_consistent.generation >= high
}

/// Refuses a folder for copies that holds anything but what an earlier run left there.
///
/// # Errors
/// -1814.
pub fn check_target(to: &Path, databases: &[SetDatabase], high: Generation) -> Result<()> {
    for path in files_in(to) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_undo = name.starts_with(UNDO_STEM) && name.ends_with(".undo");
        let ours = databases
            .iter()
            .find(|database| database.path.file_name() == path.file_name());
        let is_ours = match ours {
            _ if name.ends_with(PART) || is_undo => true,
            Some(database) => match header_of(&path) {
                Some(there) => {
                    is_restored(database, &there, high) || is_same_backup(database, &there, &path)?
                }
                None => false,
            },
            None => false,
        };
        if !is_ours {
            let what = format!("'{}' is not empty: it holds '{name}'", to.display());
            return Err(Trouble::new(JetError::FILE_ALREADY_EXISTS, what)
                .advise("name a new folder with --to")
                .into());
        }
    }
    Ok(())
}
