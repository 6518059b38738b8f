//! What an earlier run left half done: undo files that are sealed, and not complete.
//!
//! They are looked for beside the logs and where this run would put its own, under every name that a run gives them,
//! however it is spelled, and under any name if they say that they are of this stream.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::RecoverOptions;
use crate::error::{Error, Result, Trouble};
use crate::format::undofile::{UNDO_MAGIC, UndoStatus};
use crate::jet::JetError;
use crate::storage::{Disk, files_in};
use crate::undo::{Glance, Settled, UndoFile, prepare, settle};

/// Where the undo file of a run goes if nothing is kept from an earlier one.
pub fn undo_name(options: &RecoverOptions) -> PathBuf {
    let given = options.undo_file.clone();
    given.unwrap_or_else(|| default_name(options))
}

fn default_name(options: &RecoverOptions) -> PathBuf {
    options.log_dir.join(format!("{}.undo", options.base))
}

/// What the undo file says that it is of.
pub fn operation(options: &RecoverOptions) -> String {
    format!("r {}", options.base)
}

/// Takes back what earlier runs left half done, the last first; gives the name for this run's undo file, and what was
/// taken back.
///
/// # Errors
/// As [`settle`]; `PermissionDenied` when the other run is still alive.
pub fn take_back(disk: &dyn Disk, options: &RecoverOptions) -> Result<(PathBuf, Vec<PathBuf>)> {
    let mut taken_back = Vec::new();
    let mut note = |path: PathBuf, became: &Settled| {
        if matches!(became, Settled::RolledBack(_)) {
            taken_back.push(path);
        }
    };
    for (path, glance) in of_stream(disk, options)? {
        if matches!(glance.status, UndoStatus::Sealed | UndoStatus::Unsealed) {
            let became = settle(disk, &path)?;
            note(path, &became);
        }
    }
    let (free, settled) = prepare(disk, &undo_name(options))?;
    for (path, became) in settled {
        note(path, &became);
    }
    Ok((free, taken_back))
}

/// A run that was killed left the files in between: what a run over copies or in memory would see is not what the next
/// run would. `instead` says what to do.
///
/// # Errors
/// -1032 when there is such a run, or one that is still alive.
pub fn refuse(disk: &dyn Disk, options: &RecoverOptions, instead: &str) -> Result<()> {
    let left = of_stream(disk, options)?;
    let Some((undo, _)) = left
        .iter()
        .find(|(_, glance)| glance.status == UndoStatus::Sealed)
    else {
        return Ok(());
    };
    let undo = undo.display();
    Err(Trouble::new(
        JetError::FILE_ACCESS_DENIED,
        format!("'{undo}' says that a recovery was interrupted while it wrote"),
    )
    .advise(format!(
        "{instead}, which takes it back first; or 'exutil undo {undo}'"
    ))
    .into())
}

/// The undo files of the stream, the newest first.
fn of_stream(disk: &dyn Disk, options: &RecoverOptions) -> Result<Vec<(PathBuf, Glance)>> {
    let wanted = [undo_name(options), default_name(options)];
    let dirs: BTreeSet<PathBuf> = wanted
        .iter()
        .map(|name| match name.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        })
        .collect();
    let mut found: Vec<(PathBuf, Glance)> = Vec::new();
    let mut seen = BTreeSet::new();
    for path in dirs.iter().flat_map(|dir| files_in(dir)) {
        let is_named = wanted.iter().any(|name| is_numbered(&path, name));
        let Some(glance) = look(disk, &path, is_named)? else {
            continue;
        };
        let ours = glance.operation.eq_ignore_ascii_case(&operation(options));
        if (is_named || ours) && seen.insert(disk.canonical(&path)?) {
            found.push((path, glance));
        }
    }
    found.sort_by_key(|(_, glance)| std::cmp::Reverse(glance.created));
    Ok(found)
}

/// What a file says, if it is an undo file; one that has the name, and is none, concerns only who wants the name.
fn look(disk: &dyn Disk, path: &Path, is_named: bool) -> Result<Option<Glance>> {
    let magic = || -> Result<bool> {
        let file = disk.open(path)?;
        let start = file.read_start(UNDO_MAGIC.len());
        Ok(start.is_ok_and(|start| start == UNDO_MAGIC))
    };
    // A file that cannot be read is not ours, or whoever needs it will say so.
    let is_undo = magic().unwrap_or(false);
    if !is_undo && !is_named {
        return Ok(None);
    }
    match UndoFile::glance(disk, path) {
        Ok(glance) => Ok(Some(glance)),
        Err(Error::UndoUnusable { .. } | Error::WrongFileType { .. }) if !is_undo || !is_named => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// True for `edb.undo`, `edb-2.undo`, ... of `edb.undo`, in letters of any case.
fn is_numbered(path: &Path, name: &Path) -> bool {
    let part = |text: Option<&std::ffi::OsStr>| {
        text.and_then(|text| text.to_str())
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let (stem, wanted) = (part(path.file_stem()), part(name.file_stem()));
    let rest = stem.strip_prefix(&wanted);
    part(path.extension()) == part(name.extension())
        && rest.is_some_and(|rest| {
            let number = rest.strip_prefix('-').unwrap_or_default();
            rest.is_empty()
                || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        })
}
