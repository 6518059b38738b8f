//! What is written and never wanted: a plan is worked out as the deed is, and only the bytes go nowhere.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Storage;

/// Takes any bytes and keeps none; knows only how long it would be.
#[derive(Debug, Default)]
pub struct Discard {
    len: AtomicU64,
}

impl Storage for Discard {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len.load(Ordering::Relaxed))
    }

    fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        self.len.fetch_max(end, Ordering::Relaxed);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
