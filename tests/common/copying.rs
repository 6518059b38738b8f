//! Copies on disks that fail.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use exutil::error::Result;
use exutil::ops::copy_file::{CopyOptions, CopyReport, copy_on};
use exutil::progress::Silent;
use exutil::storage::{Disk, Fault, Faulty, MemoryDisk, RealDisk, Storage};

pub const SOURCE: &str = "/d/a";
pub const DEST: &str = "/d/b";

pub fn at(name: &str) -> PathBuf {
    Path::new("/d").join(name)
}

pub fn files(list: &[(&str, &Vec<u8>)]) -> BTreeMap<PathBuf, Vec<u8>> {
    list.iter()
        .map(|(path, bytes)| (PathBuf::from(path), (*bytes).clone()))
        .collect()
}

/// A disk with the source on it.
pub fn disk(source: &[u8]) -> MemoryDisk {
    MemoryDisk::new([(SOURCE.into(), source.to_vec())])
}

pub fn options() -> CopyOptions {
    options_at(Path::new("/d"))
}

pub fn options_at(dir: &Path) -> CopyOptions {
    CopyOptions {
        source: dir.join("a"),
        dest: dir.join("b"),
        ..CopyOptions::default()
    }
}

pub fn copy(options: &CopyOptions, disk: &dyn Disk) -> Result<CopyReport> {
    copy_on(options, disk, &Silent)
}

pub fn bad(offset: u64, len: u64) -> Fault {
    Fault::BadRange { offset, len }
}

/// The map beside the destination.
pub fn map(disk: &MemoryDisk) -> Option<serde_json::Value> {
    let bytes = disk.files().remove(&at("b.map"))?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// The same files, and the same map: of a run that was killed early a next map may lie about.
pub fn same_but_for_map(a: &BTreeMap<PathBuf, Vec<u8>>, b: &BTreeMap<PathBuf, Vec<u8>>) -> bool {
    let mut a = a.clone();
    a.remove(&at("b.map.new"));
    a == *b
}

/// What goes wrong with a file.
#[derive(Clone, Default)]
enum Trouble {
    #[default]
    None,
    Faults(Vec<Fault>),
    /// Reads of this byte fail so many times.
    Flaky(u64, Arc<AtomicU64>),
    /// Somebody writes to it all the time.
    Restless(Arc<AtomicU64>),
    /// The first sync fails, and as in some systems the next does not tell any more.
    SyncFailsOnce(Arc<AtomicU64>),
    /// Writes beyond this byte find no room, though the file is longer.
    FullBehind(u64),
}

/// A disk of which one file, and those that are made, fail.
pub struct Faults {
    disk: Box<dyn Disk>,
    source: PathBuf,
    of_source: Trouble,
    of_others: Trouble,
}

impl Faults {
    fn on(disk: &MemoryDisk) -> Self {
        Self {
            disk: Box::new(disk.clone()),
            source: SOURCE.into(),
            of_source: Trouble::None,
            of_others: Trouble::None,
        }
    }

    pub fn of_source(disk: &MemoryDisk, faults: Vec<Fault>) -> Self {
        Self {
            of_source: Trouble::Faults(faults),
            ..Self::on(disk)
        }
    }

    pub fn of_dest(disk: &MemoryDisk, faults: Vec<Fault>) -> Self {
        Self {
            of_others: Trouble::Faults(faults),
            ..Self::on(disk)
        }
    }

    pub fn full_behind(disk: &MemoryDisk, end: u64) -> Self {
        Self {
            of_others: Trouble::FullBehind(end),
            ..Self::on(disk)
        }
    }

    pub fn sync_fails_once(disk: &MemoryDisk) -> Self {
        Self {
            of_others: Trouble::SyncFailsOnce(Arc::default()),
            ..Self::on(disk)
        }
    }

    pub fn restless(disk: &MemoryDisk) -> Self {
        Self {
            of_source: Trouble::Restless(Arc::default()),
            ..Self::on(disk)
        }
    }

    pub fn on_real(source: &Path, faults: Vec<Fault>) -> Self {
        Self {
            disk: Box::new(RealDisk),
            source: source.to_owned(),
            of_source: Trouble::Faults(faults),
            of_others: Trouble::None,
        }
    }

    fn wrap(&self, path: &Path, storage: Box<dyn Storage>) -> Box<dyn Storage> {
        let trouble = if path == self.source {
            &self.of_source
        } else {
            &self.of_others
        };
        let file = File {
            inner: storage,
            trouble: trouble.clone(),
        };
        match trouble {
            Trouble::Faults(faults) => Box::new(Faulty::new(file, faults.clone())),
            _ => Box::new(file),
        }
    }
}

/// A source that cannot be read at this byte so many times.
pub fn flaky(disk: &MemoryDisk, byte: u64, times: u64) -> Faults {
    Faults {
        of_source: Trouble::Flaky(byte, Arc::new(AtomicU64::new(times))),
        ..Faults::on(disk)
    }
}

impl Disk for Faults {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(self.wrap(path, self.disk.open(path)?))
    }

    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(self.wrap(path, self.disk.open_rw(path)?))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(self.wrap(path, self.disk.create(path)?))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.disk.exists(path)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.disk.canonical(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir)
    }
}

struct File {
    inner: Box<dyn Storage>,
    trouble: Trouble,
}

impl Storage for File {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Trouble::Flaky(byte, times) = &self.trouble
            && (offset..offset + buffer.len() as u64).contains(byte)
            && times.load(Ordering::SeqCst) > 0
        {
            times.fetch_sub(1, Ordering::SeqCst);
            return Err(io::Error::other("try again"));
        }
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.trouble {
            Trouble::FullBehind(end) if offset + bytes.len() as u64 > end => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => self.inner.write_at(offset, bytes),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        if let Trouble::SyncFailsOnce(count) = &self.trouble
            && self.inner.len()? > 10_000
            && count.fetch_add(1, Ordering::SeqCst) == 0
        {
            return Err(io::Error::other("lost"));
        }
        self.inner.sync()
    }

    fn try_lock(&self) -> bool {
        self.inner.try_lock()
    }

    fn modified(&self) -> io::Result<Option<SystemTime>> {
        match &self.trouble {
            Trouble::Restless(clock) => {
                let seconds = clock.fetch_add(1, Ordering::SeqCst);
                Ok(Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
            }
            _ => self.inner.modified(),
        }
    }
}
