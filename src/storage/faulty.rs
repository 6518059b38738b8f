//! A failing disk: the twin that tests use to see what an operation does with errors.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::Storage;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Reading any byte of this range fails as a bad sector does.
    BadRange {
        /// First bad byte.
        offset: u64,
        /// Number of bad bytes.
        len: u64,
    },
    /// Reads find the end here although the length says otherwise: cut off under our feet.
    EndsAt(u64),
    /// The write with this number (0 is the first) and all after it fail; nothing of them is kept.
    StopAtWrite(u64),
    /// The sync with this number and everything after it fails.
    StopAtSync(u64),
    /// Writes beyond this many bytes fail: the disk is full.
    Full(u64),
}

/// `inner` with faults.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Vec<Fault>,
    writes: AtomicU64,
    syncs: AtomicU64,
}

impl<S: Storage> Faulty<S> {
    /// Puts faults over `inner`.
    pub const fn new(inner: S, faults: Vec<Fault>) -> Self {
        Self {
            inner,
            faults,
            writes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        }
    }

    /// What survives: the storage as it was when the faults struck.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn stopped(&self) -> bool {
        let syncs = self.syncs.load(Ordering::SeqCst);
        self.faults
            .iter()
            .any(|fault| matches!(fault, Fault::StopAtSync(at) if syncs > *at))
    }
}

fn bad_sector() -> io::Error {
    io::Error::other("bad sector")
}

impl<S: Storage> Storage for Faulty<S> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = offset + buffer.len() as u64;
        let mut want = buffer.len();
        for fault in &self.faults {
            match *fault {
                Fault::BadRange { offset: bad, len } if offset < bad + len && bad < end => {
                    return Err(bad_sector());
                }
                Fault::EndsAt(at) => want = want.min(at.saturating_sub(offset) as usize),
                _ => {}
            }
        }
        self.inner.read_at(offset, &mut buffer[..want])
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        if self.stopped() {
            return Err(bad_sector());
        }
        for fault in &self.faults {
            match *fault {
                Fault::StopAtWrite(at) if number >= at => return Err(bad_sector()),
                Fault::Full(limit) if offset + bytes.len() as u64 > limit => {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                _ => {}
            }
        }
        self.inner.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.stopped() {
            return Err(bad_sector());
        }
        if self
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::Full(limit) if len > *limit))
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.set_len(len)
    }

    fn modified(&self) -> io::Result<Option<SystemTime>> {
        self.inner.modified()
    }

    fn sync(&self) -> io::Result<()> {
        let number = self.syncs.fetch_add(1, Ordering::SeqCst);
        if self
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::StopAtSync(at) if number >= *at))
        {
            return Err(bad_sector());
        }
        self.inner.sync()
    }
}
