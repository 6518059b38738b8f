//! A file on disk.

use std::fs::{File, FileType, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::{Disk, Storage};
use crate::error::{Error, Result};

/// An open file, read with positioned reads.
#[derive(Debug)]
pub struct FileStorage {
    file: File,
    path: PathBuf,
    locked: AtomicBool,
}

impl FileStorage {
    /// Opens for reading only: nothing that is done through it can change the file.
    ///
    /// # Errors
    /// [`Error::Io`]; what is neither a file nor a disk is refused without being opened: `IsADirectory`, `InvalidInput`.
    pub fn open(path: &Path) -> Result<Self> {
        let open = || {
            check_kind(&std::fs::metadata(path)?)?;
            let file = File::open(path)?;
            // Another may have come to have the name.
            check_kind(&file.metadata()?)?;
            Ok(file)
        };
        let file = open().map_err(|error| Error::io(path, "open", error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            locked: AtomicBool::new(false),
        })
    }

    /// Creates a new file for reading and writing; one that exists is refused.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| Error::io(path, "create", error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            locked: AtomicBool::new(false),
        })
    }

    /// Opens a file that exists for reading and writing.
    ///
    /// # Errors
    /// As [`FileStorage::open`].
    pub fn open_rw(path: &Path) -> Result<Self> {
        let open = || {
            check_kind(&std::fs::metadata(path)?)?;
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            check_kind(&file.metadata()?)?;
            Ok(file)
        };
        let file = open().map_err(|error| Error::io(path, "open for writing", error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            locked: AtomicBool::new(false),
        })
    }

    /// Creates a file for reading and writing that has no name and vanishes with this value.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn scratch(dir: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(dir)
            .map_err(|error| Error::io(dir, "create a scratch file in", error))?;
        Ok(Self {
            file,
            path: dir.join("scratch file"),
            locked: AtomicBool::new(false),
        })
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Refuses what is neither a file nor a disk. A pipe would block when it is opened, until somebody writes to it; a
/// character device ends nowhere, or tells no length.
fn check_kind(meta: &Metadata) -> io::Result<()> {
    let kind = meta.file_type();
    if kind.is_file() || is_disk(kind) {
        return Ok(());
    }
    Err(if kind.is_dir() {
        io::ErrorKind::IsADirectory.into()
    } else {
        let what = "it is neither a file nor a disk, but a device, pipe or socket";
        io::Error::new(io::ErrorKind::InvalidInput, what)
    })
}

#[cfg(unix)]
fn is_disk(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&kind)
}

/// There the system calls a disk a file.
#[cfg(windows)]
const fn is_disk(_kind: FileType) -> bool {
    false
}

#[cfg(unix)]
fn read_some(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_some(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(unix)]
fn write_some(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_some(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}

impl Storage for FileStorage {
    fn len(&self) -> io::Result<u64> {
        // A block device's metadata says 0; seeking to its end tells its size.
        let len = self.file.metadata()?.len();
        if len > 0 {
            return Ok(len);
        }
        io::Seek::seek(&mut &self.file, io::SeekFrom::End(0))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match read_some(&self.file, offset + done as u64, &mut buffer[done..]) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match write_some(&self.file, offset + done as u64, &bytes[done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn modified(&self) -> io::Result<Option<SystemTime>> {
        self.file.metadata()?.modified().map(Some)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn try_lock(&self) -> bool {
        match self.file.try_lock() {
            Ok(()) => self.locked.store(true, Ordering::Relaxed),
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Error(_)) => {}
        }
        true
    }
}

impl Drop for FileStorage {
    fn drop(&mut self) {
        // To close it is not enough: a child process that is just being started still has the file open.
        if *self.locked.get_mut() {
            let _ = self.file.unlock();
        }
    }
}

/// False for an error that a file system without hard links may answer with: there is no common one (not permitted, not
/// supported, invalid function, too many links).
const fn means_what_it_says(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Makes the names in a folder durable. Windows keeps them in a journal of its own and has no such call.
#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(windows)]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(Box::new(FileStorage::open(path)?))
    }

    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(Box::new(FileStorage::open_rw(path)?))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(Box::new(FileStorage::create(path)?))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(|error| Error::io(path, "remove", error))
    }

    fn copy_rights(&self, from: &Path, to: &Path) -> Result<()> {
        let meta = std::fs::metadata(from).map_err(|error| Error::io(from, "look at", error))?;
        // Before the rights, which some changes of the owner would take away again. Only root may give files away.
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let _ = std::os::unix::fs::chown(to, Some(meta.uid()), Some(meta.gid()));
        }
        std::fs::set_permissions(to, meta.permissions())
            .map_err(|error| Error::io(to, "set the rights of", error))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let renamed = match std::fs::symlink_metadata(to) {
            Ok(meta) if !meta.is_file() => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("'{}' is no file", to.display()),
            )),
            _ => std::fs::rename(from, to),
        };
        renamed.map_err(|error| Error::io(from, "rename", error))
    }

    fn hard_link(&self, path: &Path, link: &Path) -> Result<()> {
        std::fs::hard_link(path, link).map_err(|error| {
            Error::io(
                path,
                "link",
                if means_what_it_says(error.kind()) {
                    error
                } else {
                    io::Error::new(io::ErrorKind::Unsupported, error)
                },
            )
        })
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match std::fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(path, "look for", error)),
        }
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        let wrap = |error| Error::io(path, "find", error);
        if self.exists(path)? {
            return std::fs::canonicalize(path).map_err(wrap);
        }
        let name = path
            .file_name()
            .ok_or_else(|| wrap(io::ErrorKind::InvalidInput.into()))?;
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        Ok(std::fs::canonicalize(dir).map_err(wrap)?.join(name))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        sync_dir(dir).map_err(|error| Error::io(dir, "sync", error))
    }
}

/// The files in a folder, by name; none when it cannot be read.
#[must_use]
pub fn files_in(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

/// Bytes of memory that the machine has, where the system tells.
#[must_use]
pub fn memory_of_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// Bytes that a folder's disk has free for this user, where the system tells.
#[must_use]
pub fn free_space(dir: &Path) -> Option<u64> {
    fs4::available_space(dir).ok()
}

/// Opens a text for reading line by line.
///
/// # Errors
/// [`Error::Io`].
pub fn open_lines(path: &Path) -> Result<io::BufReader<File>> {
    let file = File::open(path).map_err(|error| Error::io(path, "open", error))?;
    Ok(io::BufReader::new(file))
}

/// True for a device whose disk turns, so that two readers only get in each other's way; false where the system does not
/// tell. `device` is the number that a file's metadata has.
#[must_use]
pub fn disk_turns(device: u64) -> bool {
    let major = (device >> 8 & 0xFFF) | (device >> 32 & !0xFFF);
    let minor = (device & 0xFF) | (device >> 12 & !0xFF);
    // A partition has its queue at the disk that it is a part of.
    ["", "/.."].iter().any(|above| {
        let path = format!("/sys/dev/block/{major}:{minor}{above}/queue/rotational");
        std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
    })
}

/// Makes a folder and those above it; one that is there is fine.
///
/// # Errors
/// [`Error::Io`].
pub fn make_dir(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|error| Error::io(dir, "create", error))
}
