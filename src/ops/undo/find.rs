//! Which undo files lie in a folder, and which of them tell of a file.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{UndoAction, UndoOptions, UndoReport, undo_file};
use crate::error::{Error, Result};
use crate::format::bytes::all_zero;
use crate::format::undofile::{ENTRIES_AT, has_header};
use crate::storage::{Disk, RealDisk};

/// An undo file that was looked for.
#[derive(Debug)]
pub struct FoundUndo {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it, as [`UndoAction::List`] tells, or why it cannot be used.
    pub listed: Result<UndoReport>,
}

impl FoundUndo {
    /// It knows the file under its name, or as an original that is put aside.
    fn tells_of(&self, file: &Path) -> bool {
        // As the report has it, also where it is no text.
        let name = file.to_string_lossy();
        let is_it = |path: &str| path == name;
        let Ok(report) = &self.listed else {
            return true;
        };
        report.files.iter().any(|saved| {
            is_it(&saved.path) || saved.aside.as_ref().is_some_and(|aside| is_it(&aside.path))
        })
    }
}

/// The undo files of `path`, told by their content, the newest first: of a folder all that lie directly in it; of a file those
/// that lie beside it and tell of it, also where it is not there any more. One that is too damaged to say what it tells of counts
/// too, and comes last. `None` for an undo file itself, and for a name that leads to nothing.
///
/// # Errors
/// [`Error::Io`] when `path` or its folder cannot be read.
pub fn undo_files_of(path: &Path) -> Result<Option<Vec<FoundUndo>>> {
    let whole = RealDisk.canonical(path)?;
    let is_folder = whole.is_dir();
    let is_there = RealDisk.exists(&whole)?;
    if is_there && !is_folder && may_be_undo_file(&whole)? {
        return Ok(None);
    }
    let named = match path.parent() {
        _ if is_folder => path,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A command puts its undo file beside the database itself, not beside a link to it.
    let folder = match whole.parent() {
        Some(parent) if !is_folder && RealDisk.canonical(named)? != parent => parent,
        _ => named,
    };
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).min_depth(1).max_depth(1) {
        let entry = entry.map_err(|error| Error::io(folder, "list", error.into()))?;
        // What cannot be read is not known to be one, and stands in nobody's way.
        if !entry.file_type().is_file() || !is_undo_file(entry.path()).unwrap_or(false) {
            continue;
        }
        // As it would have been named: 'E00.undo', not './E00.undo'.
        let path = entry.path();
        let path = path.strip_prefix(".").unwrap_or(path).to_owned();
        let options = UndoOptions {
            action: UndoAction::List,
            force: false,
        };
        let listed = undo_file(&path, options);
        let undo = FoundUndo { path, listed };
        if is_folder || undo.tells_of(&whole) {
            found.push(undo);
        }
    }
    if found.is_empty() && !is_there {
        return Ok(None);
    }
    found.sort_by_cached_key(|undo| {
        let report = undo.listed.as_ref().ok();
        let created = report.and_then(|report| report.created.clone());
        (Reverse(created), undo.path.clone())
    });
    Ok(Some(found))
}

/// True for an undo file, and for one that is as empty as one whose run ended before it had a header.
fn may_be_undo_file(path: &Path) -> Result<bool> {
    let file = RealDisk.open(path)?;
    let read = || Ok((file.len()?, file.read_start(ENTRIES_AT as usize)?));
    let (len, start) = read().map_err(|error| Error::io(path, "read", error))?;
    Ok(has_header(&start) || len <= ENTRIES_AT && all_zero(&start))
}

/// True when a file begins as undo files do.
fn is_undo_file(path: &Path) -> Result<bool> {
    let file = RealDisk.open(path)?;
    let start = file.read_start(ENTRIES_AT as usize);
    let start = start.map_err(|error| Error::io(path, "read", error))?;
    Ok(has_header(&start))
}
