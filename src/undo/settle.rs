//! What a mutating command does first: clears away what an earlier one left.

use std::io;
use std::path::{Path, PathBuf};

use super::sealed::remove;
use super::{RestoreReport, UndoFile};
use crate::error::{Error, Result};
use crate::format::undofile::UndoStatus;
use crate::storage::Disk;

/// So many undo files of one name are looked for.
const NAMES_MOST: u32 = 1000;

/// What became of an undo file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// There was none.
    Absent,
    /// It was never sealed: the operation had changed nothing. The file is gone.
    Deleted,
    /// The operation was interrupted; all is now as before it, and the undo file is gone.
    RolledBack(RestoreReport),
    /// It belongs to an operation that is complete or undone, and stays.
    Kept(UndoStatus),
}

/// Clears away what an interrupted command may have left in the undo file `path`.
///
/// # Errors
/// As [`UndoFile::open`] and [`UndoFile::restore`]; nothing was written then. [`Error::UndoUnusable`] also when one
/// header is damaged, so that an interrupted operation cannot be told from a complete one: `exutil undo`
/// restores such a file when it is asked to.
pub fn settle(disk: &dyn Disk, path: &Path) -> Result<Settled> {
    if !disk.exists(path)? {
        return Ok(Settled::Absent);
    }
    let mut undo = UndoFile::open(disk, path)?;
    match undo.status() {
        UndoStatus::Unsealed => {
            undo.take()?;
            let path = undo.path().to_owned();
            drop(undo);
            remove(disk, &path)?;
            Ok(Settled::Deleted)
        }
        UndoStatus::Sealed if undo.header_damaged() => Err(Error::UndoUnusable {
            path: path.to_owned(),
            what: "one of its headers is damaged; 'exutil undo' restores what it saved".into(),
        }),
        UndoStatus::Sealed => {
            let report = undo.restore(false)?;
            let path = undo.path().to_owned();
            drop(undo);
            remove(disk, &path)?;
            Ok(Settled::RolledBack(report))
        }
        status => Ok(Settled::Kept(status)),
    }
}

/// Settles every undo file of this name (`E00.undo`, `E00-2.undo`, ...) and gives the first of these names that is
/// free, with what became of the others. Interrupted operations are taken back in the order of the names, the
/// last first.
///
/// # Errors
/// As [`settle`]; `AlreadyExists` when a thousand of them are kept.
pub fn prepare(disk: &dyn Disk, wanted: &Path) -> Result<(PathBuf, Vec<(PathBuf, Settled)>)> {
    let mut free = None;
    let mut settled = Vec::new();
    for number in (1..=NAMES_MOST).rev() {
        let path = numbered(wanted, number);
        let became = settle(disk, &path)?;
        if !matches!(became, Settled::Kept(_)) {
            free = Some(path.clone());
        }
        if became != Settled::Absent {
            settled.push((path, became));
        }
    }
    let full = || Error::io(wanted, "create", io::ErrorKind::AlreadyExists.into());
    Ok((free.ok_or_else(full)?, settled))
}

/// `E00.undo`, `E00-2.undo`, ...
fn numbered(wanted: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return wanted.to_owned();
    }
    let mut name = wanted.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = wanted.extension() {
        name.push(".");
        name.push(extension);
    }
    wanted.with_file_name(name)
}
