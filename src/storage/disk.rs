//! The write side: files by name. Everything that changes files of a user goes through this trait, so that a test
//! can put a disk under it that stops at any step ([`super::Crash`]) or that loses power
//! ([`super::MemoryDisk`]).

use std::path::{Path, PathBuf};

use super::Storage;
use crate::error::{Error, Result};

/// A file system. What is written through it is durable only after [`Storage::sync`] of the file, a
/// name that comes or goes only after [`Disk::sync_dir`] of its folder.
pub trait Disk: Send + Sync {
    /// Opens a file for reading only.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>>;

    /// Opens a file that exists for reading and writing.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>>;

    /// Creates a file that does not exist, for reading and writing.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`]; `AlreadyExists` when there is one.
    fn create(&self, path: &Path) -> Result<Box<dyn Storage>>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    fn remove(&self, path: &Path) -> Result<()>;

    /// Gives a file another name in the same folder, all at once: a file that has that name already is replaced.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`], also when what has that name is no file: a device, a link, a folder.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Gives a file a second name in the same folder, which nothing has yet.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`]; `AlreadyExists` when something has the name, `Unsupported` when the file system
    /// knows only one name for a file (FAT, some of the network), as does one that does not say otherwise.
    fn hard_link(&self, path: &Path, link: &Path) -> Result<()> {
        let _ = link;
        let error = std::io::ErrorKind::Unsupported.into();
        Err(Error::io(path, "link", error))
    }

    /// Gives a file the rights of another, and its owner as far as that is allowed: a copy must not be open to more people
    /// than the original. Where a disk knows no rights nothing is to be done.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    fn copy_rights(&self, from: &Path, to: &Path) -> Result<()> {
        let _ = (from, to);
        Ok(())
    }

    /// Whether there is anything of that name, a link that leads nowhere included.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] when that cannot be told.
    fn exists(&self, path: &Path) -> Result<bool>;

    /// The absolute path without links: of a file that exists, or of a name in a folder that does.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    fn canonical(&self, path: &Path) -> Result<PathBuf>;

    /// Returns when the names that came and went in this folder are durable.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    fn sync_dir(&self, dir: &Path) -> Result<()>;
}
