//! Taking an operation back.

use std::path::PathBuf;

use super::aside;
use super::handles::Handles;
use super::{SavedFile, UndoFile};
use crate::error::{Error, Result};
use crate::format::undofile::{UndoEntry, UndoPlan, UndoStatus};
use crate::progress::{Left, Progress, Silent, Task};

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredFile {
    /// The file.
    pub path: PathBuf,
    /// What the operation had done to it.
    pub plan: UndoPlan,
    /// Bytes of it that had to be written; what was as before is not written again.
    pub written: u64,
}

/// What a restoring did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// What the status was.
    pub was: UndoStatus,
    /// Every file; empty when there was nothing to do.
    pub files: Vec<RestoredFile>,
}

impl UndoFile<'_> {
    /// Brings every file back to what it was before the operation, byte for byte, and says so in the header.
    /// Does nothing when the operation never began to write, or when it is undone already. It can be killed at
    /// any moment and begun anew. With `force` also files are restored that were changed since.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::UndoUnusable`] when the undo file is damaged, [`Error::ChangedSince`] when a file is neither
    /// as before nor as after the operation; `PermissionDenied` when another command is at work with
    /// it: in all these cases nothing was written.
    pub fn restore(&mut self, force: bool) -> Result<RestoreReport> {
        self.restore_watched(force, &Silent)
    }

    /// The same; `progress` hears how far it is, and what is left if it ends.
    ///
    /// # Errors
    /// As [`UndoFile::restore`].
    pub fn restore_watched(
        &mut self,
        force: bool,
        progress: &dyn Progress,
    ) -> Result<RestoreReport> {
        let was = self.status();
        if matches!(was, UndoStatus::Unsealed | UndoStatus::Restored) {
            return Ok(RestoreReport {
                was,
                files: Vec::new(),
            });
        }
        self.take()?;
        let stops = |conflict: &super::Conflict| !force || conflict.hopeless;
        if let Some(conflict) = self.check_watched(progress)?.into_iter().find(stops) {
            return Err(conflict.error());
        }
        progress.leaves(Left::Changing {
            undo: Some(&self.path),
        });
        if was == UndoStatus::Complete {
            // From here on the files are a mixture, as those of an interrupted operation.
            self.advance(UndoStatus::Sealed)?;
        }
        let files = self.write_back(progress)?;
        self.advance(UndoStatus::Restored)?;
        progress.leaves(Left::Changed { undo: None });
        self.state.damaged = false;
        Ok(RestoreReport { was, files })
    }

    fn write_back(&self, progress: &dyn Progress) -> Result<Vec<RestoredFile>> {
        let mut handles = Handles::new(self.disk);
        for file in self.files() {
            self.come_or_go(file, &mut handles)?;
        }
        let mut written = vec![0; self.files().len()];
        let mut now = Vec::new();
        progress.start(Task::bytes("restoring", self.saved_bytes()));
        self.walk(|_, entry| {
            let UndoEntry::Range(range) = entry else {
                return Ok(());
            };
            let number = range.file as usize;
            let (Some(file), Some(before)) = (self.files().get(number), range.before) else {
                return Ok(());
            };
            progress.advance(before.len() as u64);
            let open = handles.file(&file.path)?;
            now.resize(before.len(), 0);
            let read = |error| Error::io(&file.path, "read", error);
            let have = open.read_at(range.offset, &mut now).map_err(read)?;
            if now[..have] != before {
                open.write_at(range.offset, &before)
                    .map_err(|error| Error::io(&file.path, "write", error))?;
                written[number] += before.len() as u64;
            }
            Ok(())
        })?;
        handles.sync_all()?;
        progress.finish();
        let report = |(file, written): (&SavedFile, u64)| RestoredFile {
            path: file.path.clone(),
            plan: file.plan,
            written,
        };
        Ok(self.files().iter().zip(written).map(report).collect())
    }

    /// Removes what the operation created, creates what it removed, gives the others their length.
    fn come_or_go(&self, file: &SavedFile, handles: &mut Handles<'_>) -> Result<()> {
        if let Some(aside) = &file.aside {
            let found = aside::find(self.disk, file, aside, true)?;
            if found.put_back {
                handles.rename(&aside.path, &file.path)?;
            }
            if found.new_waits {
                // Last: that it is there tells that the original never lost its name.
                handles.remove(&aside.new_file)?;
            }
            return Ok(());
        }
        let there = self.disk.exists(&file.path)?;
        match (file.plan, there) {
            (UndoPlan::Create, true) => return handles.remove(&file.path),
            (UndoPlan::Create, false) => return Ok(()),
            (UndoPlan::Remove | UndoPlan::Replace, false) => {
                handles.create(&file.path)?;
            }
            _ => {}
        }
        let open = handles.file(&file.path)?;
        let failed = |error| Error::io(&file.path, "change the length of", error);
        if open.len().map_err(failed)? != file.before_len {
            open.set_len(file.before_len).map_err(failed)?;
        }
        Ok(())
    }
}
