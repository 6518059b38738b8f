//! A disk that stops at a given step, as if the process were killed there: for tests that try every
//! step.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::{Disk, Storage};
use crate::error::{Error, Result};

/// Writes are torn between sectors.
const SECTOR: u64 = 512;

/// A disk of which only the first steps work. A step is a write, a change of length, a sync, a file
/// created, linked, renamed or removed, a folder synced; opening and reading are none. The write at which it stops is done
/// to the half, everything after it fails.
#[derive(Debug)]
pub struct Crash<D> {
    disk: D,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Gate {
    steps: AtomicU64,
    stop: u64,
    /// What the step that is refused, and all later ones, fail with.
    kind: io::ErrorKind,
}

impl Gate {
    /// Counts a step: its number, or the error from the one on that must not be done.
    fn pass(&self) -> std::result::Result<(), (u64, io::Error)> {
        let number = self.steps.fetch_add(1, Ordering::SeqCst);
        if number < self.stop {
            Ok(())
        } else {
            Err((number, self.kind.into()))
        }
    }
}

impl<D: Disk> Crash<D> {
    /// Lets `steps` steps pass and stops at the next.
    pub fn after(disk: D, steps: u64) -> Self {
        Self::failing(disk, steps, io::ErrorKind::Other)
    }

    /// As [`Crash::after`], with this kind of error from then on: a full disk, say.
    pub fn failing(disk: D, steps: u64, kind: io::ErrorKind) -> Self {
        let gate = Gate {
            steps: AtomicU64::new(0),
            stop: steps,
            kind,
        };
        Self {
            disk,
            gate: Arc::new(gate),
        }
    }

    /// Steps so far, those refused included.
    pub fn steps(&self) -> u64 {
        self.gate.steps.load(Ordering::SeqCst)
    }

    /// The disk underneath, as the crash left it.
    pub fn into_inner(self) -> D {
        self.disk
    }

    fn pass(&self, path: &Path, action: &'static str) -> Result<()> {
        self.gate
            .pass()
            .map_err(|(_, error)| Error::io(path, action, error))
    }

    fn storage(&self, inner: Box<dyn Storage>) -> Box<dyn Storage> {
        Box::new(CrashFile {
            inner,
            gate: Arc::clone(&self.gate),
        })
    }
}

impl<D: Disk> Disk for Crash<D> {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        self.disk.open(path)
    }

    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        Ok(self.storage(self.disk.open_rw(path)?))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        self.pass(path, "create")?;
        Ok(self.storage(self.disk.create(path)?))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.pass(path, "remove")?;
        self.disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.pass(from, "rename")?;
        self.disk.rename(from, to)
    }

    fn hard_link(&self, path: &Path, link: &Path) -> Result<()> {
        self.pass(path, "link")?;
        self.disk.hard_link(path, link)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.disk.exists(path)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.disk.canonical(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.pass(dir, "sync")?;
        self.disk.sync_dir(dir)
    }
}

struct CrashFile {
    inner: Box<dyn Storage>,
    gate: Arc<Gate>,
}

impl CrashFile {
    fn pass(&self) -> io::Result<()> {
        self.gate.pass().map_err(|(_, error)| error)
    }
}

impl Storage for CrashFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.gate.pass().or_else(|(number, error)| {
            if number == self.gate.stop {
                let middle = (offset + bytes.len() as u64 / 2) / SECTOR * SECTOR;
                let half = middle.saturating_sub(offset) as usize;
                self.inner.write_at(offset, &bytes[..half])?;
            }
            Err(error)
        })?;
        self.inner.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.pass()?;
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.pass()?;
        self.inner.sync()
    }

    fn try_lock(&self) -> bool {
        self.inner.try_lock()
    }

    fn modified(&self) -> io::Result<Option<SystemTime>> {
        self.inner.modified()
    }
}
