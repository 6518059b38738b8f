//! Steps 2 to 4 of a commit.

use std::path::{Path, PathBuf};

use super::aside::{self, remove_left};
use super::{Applier, UndoFile, UndoWriter, header};
use crate::error::Result;
use crate::format::undofile::{UndoHeader, UndoStatus};
use crate::storage::{Disk, Storage};

/// An undo file that holds everything: the originals may be changed. Dropped, it stays as it is, that is
/// of an interrupted operation.
pub struct SealedUndo<'d> {
    disk: &'d dyn Disk,
    path: PathBuf,
    file: Box<dyn Storage>,
    header: UndoHeader,
    /// What originals are put aside as.
    asides: Vec<PathBuf>,
}

impl<'d> SealedUndo<'d> {
    pub(super) fn new(
        disk: &'d dyn Disk,
        path: PathBuf,
        file: Box<dyn Storage>,
        header: UndoHeader,
        asides: Vec<PathBuf>,
    ) -> Self {
        Self {
            disk,
            path,
            file,
            header,
            asides,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Step 4, after every change is durable: the operation has finished, and can be undone with
    /// the file that is left.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`]; the operation then counts as interrupted.
    pub fn complete(mut self) -> Result<PathBuf> {
        self.finish(true)?;
        Ok(self.path)
    }

    /// Step 4, after every change is durable, for those who want no undo file. When it is gone for good, what was put aside
    /// goes too; where that cannot be removed it stays, and no error says so: the operation has finished.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    pub fn discard(mut self) -> Result<()> {
        self.finish(false)
    }

    /// Takes back what was changed and removes the undo file.
    ///
    /// # Errors
    /// As [`UndoFile::restore`]; the undo file then stays.
    pub fn roll_back(self) -> Result<()> {
        let Self {
            disk, path, file, ..
        } = self;
        drop(file);
        UndoFile::open(disk, &path)?.restore(false)?;
        remove(disk, &path)
    }

    fn finish(&mut self, keep: bool) -> Result<()> {
        if keep {
            let file = self.file.as_ref();
            header::advance(file, &self.path, &mut self.header, UndoStatus::Complete)
        } else {
            // Before the undo file is gone for good it may claim them.
            remove(self.disk, &self.path)?;
            remove_left(self.disk, &self.asides);
            Ok(())
        }
    }
}

/// What became of the originals that an undo file had put aside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discarded {
    /// Originals that are gone, by the names that they had then.
    pub removed: Vec<PathBuf>,
    /// What stays: the operation did not finish, nothing else has the file's name, or it is not the original any more.
    pub left: Vec<PathBuf>,
}

impl UndoFile<'_> {
    /// Removes the undo file. Of a complete operation the originals that were put aside go too, if they are still as they
    /// were, and if there is a file of their first name; after all others they stay.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`]; with `PermissionDenied` when another command is at work with the undo file: nothing was
    /// removed then.
    pub fn discard(mut self) -> Result<Discarded> {
        self.take()?;
        let mut done = Discarded::default();
        // With a damaged header the operation may be half taken back.
        let complete = self.status() == UndoStatus::Complete && !self.header_damaged();
        for file in self.files() {
            let Some(aside) = &file.aside else { continue };
            if self.status() == UndoStatus::Restored || !self.disk.exists(&aside.path)? {
                continue;
            }
            let found = aside::find(self.disk, file, aside, false)?;
            if complete && found.kept && found.named {
                done.removed.push(aside.path.clone());
            } else {
                done.left.push(aside.path.clone());
            }
        }
        let (disk, path) = (self.disk, self.path.clone());
        // Windows keeps the name of a file that is open.
        drop(self);
        remove(disk, &path)?;
        for path in &done.removed {
            remove(disk, path)?;
        }
        Ok(done)
    }
}

/// Removes a file for good.
pub(super) fn remove(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk.remove(path)?;
    path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}

impl<'d> UndoWriter<'d> {
    /// Steps 2 to 4: seals, lets `apply` change the files, makes that durable, and says so. With `keep` the
    /// undo file stays, and its path comes back; without, it goes as in [`SealedUndo::discard`].
    ///
    /// # Errors
    /// What any step failed with, in which case the changes have been taken back and the undo file is
    /// gone; where even that fails it stays, sealed, for [`super::settle`].
    pub fn commit(
        self,
        keep: bool,
        apply: impl FnOnce(&mut Applier<'d>) -> Result<()>,
    ) -> Result<Option<PathBuf>> {
        let disk = self.disk();
        let mut sealed = self.seal()?;
        let mut applier = Applier::new(disk);
        let done = apply(&mut applier).and_then(|()| applier.sync_all());
        drop(applier);
        match done.and_then(|()| sealed.finish(keep)) {
            Ok(()) => Ok(keep.then_some(sealed.path)),
            Err(error) => {
                // The first error is the one to tell; a second leaves the sealed file behind.
                let _ = sealed.roll_back();
                Err(error)
            }
        }
    }
}
