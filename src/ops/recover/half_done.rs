//! What an earlier run left half done: undo files that are sealed, and not complete.
//!
//! They are looked for beside the logs and where this run would put its own, under every name that a run gives them,
//! however it is spelled, and under any name if they say that they are of this stream.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Places, RecoverOptions};
use crate::error::{Error, Result, Trouble};
use crate::format::undofile::{SLOTS, UNDO_MAGIC, UndoStatus};
use crate::jet::JetError;
use crate::progress::{Left, Progress};
use crate::storage::{Disk, files_in};
use crate::undo::{Glance, Settled, UndoFile, prepare, settle};

/// The undo files that belong to a command, by their names and by what they say.
#[derive(Debug, Clone)]
pub struct Leftovers {
    /// Where this run's goes, then where it would go by itself in each folder that the command works in.
    names: Vec<PathBuf>,
    /// Other folders whose files the command changes.
    folders: Vec<PathBuf>,
    operation: String,
}

impl Leftovers {
    /// Those of a soft recovery.
    pub fn of_recovery(options: &RecoverOptions) -> Self {
        let beside = options.log_dir.join(format!("{}.undo", options.base));
        let mut left = Self::new(
            options.undo_file.as_deref(),
            vec![beside],
            format!("r {}", options.base),
        );
        left.folders.push(options.system_dir.clone());
        if let Places::In(place) = &options.places {
            let folder = if place.is_dir() {
                Some(place.as_path())
            } else {
                place.parent()
            };
            left.folders.extend(folder.map(Path::to_owned));
        }
        left
    }

    /// Those of a command whose undo file would have the first of `names`, were it not called `given`.
    pub fn new(given: Option<&Path>, names: Vec<PathBuf>, operation: String) -> Self {
        Self {
            names: given.map(Path::to_owned).into_iter().chain(names).collect(),
            folders: Vec::new(),
            operation,
        }
    }

    /// Where the undo file of a run goes if nothing is kept from an earlier one.
    pub fn undo_name(&self) -> &Path {
        self.names.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// What the undo file says that it is of.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Takes back what earlier runs left half done, the last first; gives the name for this run's undo file, and what
    /// was taken back.
    ///
    /// # Errors
    /// As [`settle`]; `PermissionDenied` when the other run is still alive.
    pub fn take_back(
        &self,
        disk: &dyn Disk,
        progress: &dyn Progress,
    ) -> Result<(PathBuf, Vec<PathBuf>)> {
        self.refuse_others(disk)?;
        let mut taken_back = Vec::new();
        let mut note = |path: PathBuf, became: &Settled| {
            if matches!(became, Settled::RolledBack(_)) {
                taken_back.push(path);
            }
        };
        for (path, glance) in self.find(disk)? {
            if matches!(glance.status, UndoStatus::Sealed | UndoStatus::Unsealed) {
                if glance.status == UndoStatus::Sealed {
                    progress.leaves(Left::Changing { undo: Some(&path) });
                }
                let became = settle(disk, &path)?;
                progress.leaves(Left::Unchanged);
                note(path, &became);
            }
        }
        let (free, settled) = prepare(disk, self.undo_name())?;
        for (path, became) in settled {
            note(path, &became);
        }
        Ok((free, taken_back))
    }

    /// A run that was killed left the files in between: what a run over copies or in memory would see is not what the
    /// next run would. `instead` says what to do.
    ///
    /// # Errors
    /// -1032 when there is such a run, or one that is still alive.
    pub fn refuse(&self, disk: &dyn Disk, instead: &str) -> Result<()> {
        self.refuse_others(disk)?;
        let left = self.find(disk)?;
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

    /// Another command that was killed in these folders may have left the same files in between.
    fn refuse_others(&self, disk: &dyn Disk) -> Result<()> {
        let word = |operation: &str| operation.split(' ').next().map(str::to_owned);
        for path in self.dirs().iter().flat_map(|dir| files_in(dir)) {
            let Some(glance) = look(disk, &path, false)? else {
                continue;
            };
            if glance.status != UndoStatus::Sealed
                || word(&glance.operation) == word(&self.operation)
            {
                continue;
            }
            let undo = path.display();
            let what = format!(
                "'{undo}' says that 'exutil {}' was interrupted while it wrote",
                glance.operation
            );
            return Err(Trouble::new(JetError::FILE_ACCESS_DENIED, what)
                .advise(format!(
                    "run that again; or take it back with 'exutil undo {undo}'"
                ))
                .into());
        }
        Ok(())
    }

    fn dirs(&self) -> BTreeSet<PathBuf> {
        let of_names = self.names.iter().filter_map(|name| name.parent());
        of_names
            .chain(self.folders.iter().map(PathBuf::as_path))
            .map(|dir| match dir {
                dir if dir.as_os_str().is_empty() => PathBuf::from("."),
                dir => dir.to_owned(),
            })
            .collect()
    }

    /// The undo files, the newest first.
    fn find(&self, disk: &dyn Disk) -> Result<Vec<(PathBuf, Glance)>> {
        let mut found: Vec<(PathBuf, Glance)> = Vec::new();
        let mut seen = BTreeSet::new();
        for path in self.dirs().iter().flat_map(|dir| files_in(dir)) {
            let is_named = self.names.iter().any(|name| is_numbered(&path, name));
            let Some(glance) = look(disk, &path, is_named)? else {
                continue;
            };
            let ours = glance.operation.eq_ignore_ascii_case(&self.operation);
            if (is_named || ours) && seen.insert(disk.canonical(&path)?) {
                found.push((path, glance));
            }
        }
        found.sort_by_key(|(_, glance)| std::cmp::Reverse(glance.created));
        Ok(found)
    }
}

/// What a file says, if it is an undo file; one that has the name, and is none, concerns only who wants the name.
fn look(disk: &dyn Disk, path: &Path, is_named: bool) -> Result<Option<Glance>> {
    // Either header is enough, and where one cannot be read it may be the other. A file of which nothing can be read is not ours,
    // or whoever needs it will say so.
    let is_undo = disk.open(path).is_ok_and(|file| {
        SLOTS.iter().any(|at| {
            let mut magic = [0; UNDO_MAGIC.len()];
            file.read_at(*at, &mut magic).is_ok() && &magic == UNDO_MAGIC
        })
    });
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
