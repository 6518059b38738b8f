//! Step 3 of a commit: the changes themselves.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::handles::Handles;
use crate::error::{Error, Result};
use crate::storage::Disk;

/// Changes files; what it changes must be saved in a sealed undo file before.
pub struct Applier<'d> {
    disk: &'d dyn Disk,
    handles: Handles<'d>,
    /// Canonical paths by the names that the caller uses: to find them costs more than to write a page.
    names: HashMap<PathBuf, PathBuf>,
}

impl<'d> Applier<'d> {
    /// Has changed nothing yet.
    #[must_use]
    pub fn new(disk: &'d dyn Disk) -> Self {
        Self {
            disk,
            handles: Handles::new(disk),
            names: HashMap::new(),
        }
    }

    /// Overwrites bytes of a file that exists; behind its end it grows.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_range(&mut self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let path = self.canonical(path)?;
        let file = self.handles.file(&path)?;
        file.write_at(offset, bytes)
            .map_err(|error| Error::io(&path, "write", error))
    }

    /// Cuts or extends a file that exists.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_len(&mut self, path: &Path, len: u64) -> Result<()> {
        let path = self.canonical(path)?;
        let file = self.handles.file(&path)?;
        file.set_len(len)
            .map_err(|error| Error::io(&path, "change the length of", error))
    }

    /// Creates a file that does not exist. A large one is created with its first bytes, the others follow
    /// with [`Applier::write_range`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create_file(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        let path = self.canonical(path)?;
        let file = self.handles.create(&path)?;
        file.write_at(0, bytes)
            .map_err(|error| Error::io(&path, "write", error))
    }

    /// Gives a file that exists another content, in place: it keeps its owner and its rights.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn replace_file(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.set_len(path, bytes.len() as u64)?;
        self.write_range(path, 0, bytes)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&mut self, path: &Path) -> Result<()> {
        let path = self.canonical(path)?;
        self.handles.remove(&path)
    }

    /// Gives the file at `path` the name `aside`, and its name to `new_file`, which is complete and durable; all three are
    /// in one folder, and durable when it returns. At every moment there is the one file or the other under
    /// `path`; on a file system without hard links there is none for a moment, in which a kill is healed as every other.
    ///
    /// # Errors
    /// [`Error::Io`]; `AlreadyExists` when something has the name `aside`.
    pub fn put_aside(&mut self, path: &Path, aside: &Path, new_file: &Path) -> Result<()> {
        let path = self.canonical(path)?;
        let aside = self.canonical(aside)?;
        let new_file = self.canonical(new_file)?;
        // Windows does not rename a file that is open.
        self.handles.release(&path)?;
        self.handles.release(&new_file)?;
        let disk = self.disk;
        match disk.hard_link(&path, &aside) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::Unsupported => {
                if disk.exists(&aside)? {
                    let error = io::ErrorKind::AlreadyExists.into();
                    return Err(Error::io(&aside, "create", error));
                }
                disk.rename(&path, &aside)?;
            }
            linked => linked?,
        }
        let dir = path.parent().unwrap_or(Path::new("/"));
        // The original's other name must be durable before the new file takes the first.
        disk.sync_dir(dir)?;
        disk.rename(&new_file, &path)?;
        disk.sync_dir(dir)
    }

    /// Returns when every change is durable.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync_all(&mut self) -> Result<()> {
        self.handles.sync_all()
    }

    fn canonical(&mut self, path: &Path) -> Result<PathBuf> {
        if let Some(found) = self.names.get(path) {
            return Ok(found.clone());
        }
        let found = self.disk.canonical(path)?;
        self.names.insert(path.to_owned(), found.clone());
        Ok(found)
    }
}
