//! Open files that are written to, and the folders whose names change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::storage::{Disk, Storage};

/// So many files are kept open; a log stream may have thousands.
const OPEN_MOST: usize = 32;

/// Files that are being written.
pub struct Handles<'d> {
    disk: &'d dyn Disk,
    /// The one used last is the last.
    open: Vec<(PathBuf, Box<dyn Storage>)>,
    dirs: BTreeSet<PathBuf>,
}

impl<'d> Handles<'d> {
    /// None open.
    pub const fn new(disk: &'d dyn Disk) -> Self {
        Self {
            disk,
            open: Vec::new(),
            dirs: BTreeSet::new(),
        }
    }

    /// The file of this canonical path, which exists.
    pub fn file(&mut self, path: &Path) -> Result<&dyn Storage> {
        if let Some(at) = self.open.iter().rposition(|(name, _)| name == path) {
            let found = self.open.remove(at);
            self.open.push(found);
        } else {
            let file = self.disk.open_rw(path)?;
            self.keep(path, file)?;
        }
        self.last(path)
    }

    /// A new file of this canonical path.
    pub fn create(&mut self, path: &Path) -> Result<&dyn Storage> {
        let file = self.disk.create(path)?;
        self.dirs.extend(path.parent().map(Path::to_owned));
        self.keep(path, file)?;
        self.last(path)
    }

    /// Removes the file of this canonical path.
    pub fn remove(&mut self, path: &Path) -> Result<()> {
        self.open.retain(|(name, _)| name != path);
        self.disk.remove(path)?;
        self.dirs.extend(path.parent().map(Path::to_owned));
        Ok(())
    }

    /// Closes the file of this canonical path, durable, so that its name can change.
    pub fn release(&mut self, path: &Path) -> Result<()> {
        while let Some(at) = self.open.iter().position(|(name, _)| name == path) {
            let (name, file) = self.open.remove(at);
            sync(&name, file.as_ref())?;
        }
        Ok(())
    }

    /// Gives the file of this canonical path the name of another, which is replaced. Where both are names of one file,
    /// the first goes.
    pub fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.release(from)?;
        self.release(to)?;
        self.disk.rename(from, to)?;
        self.dirs.extend(to.parent().map(Path::to_owned));
        // POSIX does nothing then.
        if self.disk.exists(from)? {
            self.disk.remove(from)?;
        }
        Ok(())
    }

    fn keep(&mut self, path: &Path, file: Box<dyn Storage>) -> Result<()> {
        if self.open.len() >= OPEN_MOST {
            let (name, oldest) = self.open.remove(0);
            // Through the handle that wrote: only that one is sure to hear of a failed write.
            sync(&name, oldest.as_ref())?;
        }
        self.open.push((path.to_owned(), file));
        Ok(())
    }

    fn last(&self, path: &Path) -> Result<&dyn Storage> {
        let none = || Error::io(path, "open", std::io::ErrorKind::NotFound.into());
        self.open
            .last()
            .map(|(_, file)| file.as_ref())
            .ok_or_else(none)
    }

    /// Makes everything durable: contents first, then names.
    pub fn sync_all(&mut self) -> Result<()> {
        for (name, file) in self.open.drain(..) {
            sync(&name, file.as_ref())?;
        }
        for dir in std::mem::take(&mut self.dirs) {
            self.disk.sync_dir(&dir)?;
        }
        Ok(())
    }
}

fn sync(path: &Path, file: &dyn Storage) -> Result<()> {
    file.sync().map_err(|error| Error::io(path, "sync", error))
}

/// One file at a time that is open for reading.
#[derive(Default)]
pub struct ReadHandle {
    open: Option<(usize, Box<dyn Storage>)>,
}

impl ReadHandle {
    /// The file with this number and path.
    pub fn file(&mut self, disk: &dyn Disk, number: usize, path: &Path) -> Result<&dyn Storage> {
        if self.open.as_ref().is_none_or(|(at, _)| *at != number) {
            self.open = Some((number, disk.open(path)?));
        }
        let none = || Error::io(path, "open", std::io::ErrorKind::NotFound.into());
        let file = self.open.as_ref().map(|(_, file)| file.as_ref());
        file.ok_or_else(none)
    }
}
