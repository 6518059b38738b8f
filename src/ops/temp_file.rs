//! A database that is written beside the one that it is to replace: its file, the folders, the room there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::format::dbheader::HeaderCopies;
use crate::ops::identify::{FileKind, identify};
use crate::progress::{Progress, Task};
use crate::rebuild::{self, MARK_AT};
use crate::repair::Scratch;
use crate::storage::{Disk, FileStorage, Storage, free_space};

/// So many bytes at the start of an unfinished file are zero: a sector, which a disk writes whole or not at all.
pub(super) const UNFINISHED: usize = MARK_AT as usize;
/// Bytes that are copied with one call.
const PIECE: usize = 1 << 20;

/// Room for the new file.
#[derive(Debug, Clone, Serialize)]
pub struct Space {
    /// The folder.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub folder: PathBuf,
    /// Bytes that may be needed there.
    pub needed: u64,
    /// Bytes that are free there, where the system tells.
    pub free: Option<u64>,
}

/// What is needed in the folders of a temporary file and of the file that it becomes, and what is free there.
pub(super) fn space(temp: &Path, target: &Path, needed: u64) -> Vec<Space> {
    let mut folders = vec![folder(temp).to_owned()];
    let last = folder(target);
    if !same_folder(&folders[0], last) {
        folders.push(last.to_owned());
    }
    let space = |folder: PathBuf| Space {
        free: free_space(&folder),
        folder,
        needed,
    };
    folders.into_iter().map(space).collect()
}

/// Makes scratch files in a folder.
pub(super) fn scratch_in(dir: PathBuf) -> Scratch {
    Arc::new(move || {
        let file = FileStorage::scratch(&dir).map_err(std::io::Error::other)?;
        Ok(Box::new(file) as Box<dyn Storage>)
    })
}

/// The new file while it grows; dropped before it has its place, it is removed.
pub(super) struct TempFile<'p> {
    disk: &'p dyn Disk,
    path: PathBuf,
    storage: Box<dyn Storage>,
    placed: bool,
}

impl<'p> TempFile<'p> {
    /// Makes it, empty, so that only those may read it who may read the file at `like`.
    pub fn create(disk: &'p dyn Disk, path: PathBuf, like: &Path) -> Result<Self> {
        let storage = disk.create(&path)?;
        let temp = Self {
            disk,
            path,
            storage,
            placed: false,
        };
        // Whoever meets it knows that this run is alive.
        let locked = temp.storage.try_lock();
        if !locked || !disk.exists(&temp.path)? {
            // Between the two steps another run took it for one that was left behind.
            let error = std::io::ErrorKind::PermissionDenied.into();
            return Err(Error::io(&temp.path, "lock", error));
        }
        disk.copy_rights(like, &temp.path)?;
        Ok(temp)
    }

    /// The same under a name that only such files have, marked as unfinished: what an earlier run left under it goes.
    ///
    /// # Errors
    /// `AlreadyExists` when anything else has the name.
    pub fn take_over(disk: &'p dyn Disk, path: PathBuf, like: &Path) -> Result<Self> {
        match Leftover::of(disk, &path)? {
            Leftover::Unfinished | Leftover::Finished => disk.remove(&path)?,
            Leftover::None => {}
            Leftover::InUse | Leftover::Other => {
                let error = std::io::ErrorKind::AlreadyExists.into();
                return Err(Error::io(&path, "create", error));
            }
        }
        let temp = Self::create(disk, path, like)?;
        let write = |error| Error::io(&temp.path, "write", error);
        temp.storage
            .write_at(MARK_AT, rebuild::UNFINISHED)
            .map_err(write)?;
        temp.storage.sync().map_err(write)?;
        Ok(temp)
    }

    /// Its bytes.
    pub fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it durable, its name too.
    pub fn sync(&self) -> Result<()> {
        let sync = self.storage().sync();
        sync.map_err(|error| Error::io(&self.path, "make durable", error))?;
        self.disk.sync_dir(folder(&self.path))
    }

    /// It has its place.
    pub fn keep(mut self) {
        self.placed = true;
    }

    /// The file under another name, perhaps on another disk.
    ///
    /// # Errors
    /// As [`TempFile::take_over`].
    pub fn moved(mut self, path: PathBuf, like: &Path, progress: &dyn Progress) -> Result<Self> {
        // The name is taken first: a rename would replace whatever has it.
        let copy = Self::take_over(self.disk, path, like)?;
        if self.disk.rename(&self.path, &copy.path).is_ok() {
            self.path.clone_from(&copy.path);
            copy.keep();
            return Ok(self);
        }
        // Another disk.
        let paths = (self.path.as_path(), copy.path.as_path());
        copy_all(self.storage(), copy.storage(), paths, progress)?;
        Ok(copy)
    }
}

impl Drop for TempFile<'_> {
    fn drop(&mut self) {
        if !self.placed {
            // Whoever runs next removes it, if this does not.
            let _ = self.disk.remove(&self.path);
        }
    }
}

/// Copies every byte, the first ones last: a database without a header is no database.
pub(super) fn copy_all(
    from: &dyn Storage,
    to: &dyn Storage,
    (from_path, to_path): (&Path, &Path),
    progress: &dyn Progress,
) -> Result<()> {
    let read = |error| Error::io(from_path, "read", error);
    progress.start(Task::bytes("copying", from.len().map_err(read)?).unseen());
    let mut buffer = vec![0; PIECE];
    let mut piece = |offset| -> Result<u64> {
        let have = from.read_at(offset, &mut buffer).map_err(read)?;
        if have > 0 {
            // Nothing, written behind the end, would make the file longer.
            to.write_at(offset, &buffer[..have])
                .map_err(|error| Error::io(to_path, "write", error))?;
            progress.advance(have as u64);
        }
        Ok(have as u64)
    };
    let mut offset = PIECE as u64;
    loop {
        match piece(offset)? {
            0 => break,
            have => offset += have,
        }
    }
    piece(0)?;
    progress.finish();
    Ok(())
}

/// What a file under the name of a temporary one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftover {
    /// There is none.
    None,
    /// Of a run that did not come to its end, or empty: nobody needs it.
    Unfinished,
    /// Of a run that is alive.
    InUse,
    /// A whole database.
    Finished,
    /// Something else.
    Other,
}

impl Leftover {
    /// Looks at the file.
    pub fn of(disk: &dyn Disk, path: &Path) -> Result<Self> {
        if !disk.exists(path)? {
            return Ok(Self::None);
        }
        let file = disk.open(path)?;
        if !file.try_lock() {
            return Ok(Self::InUse);
        }
        let start = file.read_start(HeaderCopies::PROBE_BYTES);
        let start = start.map_err(|error| Error::io(path, "read", error))?;
        let blank = start.iter().take(UNFINISHED).all(|byte| *byte == 0);
        let mark = start.get(UNFINISHED..);
        let marked = mark.is_some_and(|rest| rest.starts_with(rebuild::UNFINISHED));
        Ok(match identify(&start) {
            _ if marked || blank && start.len() <= UNFINISHED => Self::Unfinished,
            FileKind::Database { .. } | FileKind::DamagedDatabase => Self::Finished,
            _ => Self::Other,
        })
    }
}

/// The folder that a path lies in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// True for two names of one folder.
pub(super) fn same_folder(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    a == b || real(a) == real(b)
}

/// The path with something behind its last name.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}
