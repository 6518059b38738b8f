//! Steps 2 to 4 of a commit.

use std::path::{Path, PathBuf};

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
}

impl<'d> SealedUndo<'d> {
    pub(super) fn new(
        disk: &'d dyn Disk,
        path: PathBuf,
        file: Box<dyn Storage>,
        header: UndoHeader,
    ) -> Self {
        Self {
            disk,
            path,
            file,
            header,
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

    /// Step 4, after every change is durable, for those who want no undo file.
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
            remove(self.disk, &self.path)
        }
    }
}

/// Removes an undo file for good.
pub(super) fn remove(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk.remove(path)?;
    path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}

impl<'d> UndoWriter<'d> {
    /// Steps 2 to 4: seals, lets `apply` change the files, makes that durable, and says so. With `keep` the
    /// undo file stays, and its path comes back.
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
