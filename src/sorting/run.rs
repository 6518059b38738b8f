//! One run on a scratch storage: written once from front to back, read once from front to back.

use std::io;

use super::{Entry, HEAD, prefix};
use crate::storage::Storage;

/// Where a run lies, in bytes of its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub start: u64,
    pub end: u64,
}

/// Writes a run in large pieces.
pub(super) struct RunWriter<'w> {
    storage: &'w dyn Storage,
    start: u64,
    written: u64,
    buffer: Vec<u8>,
    size: usize,
}

impl<'w> RunWriter<'w> {
    /// A run from `start` on, written through a buffer of `size` bytes.
    pub fn new(storage: &'w dyn Storage, start: u64, size: usize) -> Self {
        Self {
            storage,
            start,
            written: start,
            buffer: Vec::with_capacity(size),
            size,
        }
    }

    pub fn put(&mut self, entry: Entry<'_>) -> io::Result<()> {
        if self.buffer.len() + entry.bytes.len() > self.size {
            self.flush()?;
        }
        if entry.bytes.len() > self.size {
            self.storage.write_at(self.written, entry.bytes)?;
            self.written += entry.bytes.len() as u64;
        } else {
            self.buffer.extend_from_slice(entry.bytes);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.storage.write_at(self.written, &self.buffer)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<Run> {
        self.flush()?;
        Ok(Run {
            start: self.start,
            end: self.written,
        })
    }
}

/// Reads a run through a buffer, and stands on one of its entries.
pub(super) struct RunReader {
    buffer: Vec<u8>,
    /// The entry that it stands on: where it begins in the buffer, and its length; 0 behind the last one.
    start: usize,
    len: usize,
    key_len: usize,
    /// The first bytes of the key, to compare with.
    pub prefix: u64,
    /// Bytes of the buffer that were read.
    filled: usize,
    /// What is still to be read.
    rest: Run,
}

impl RunReader {
    /// Stands before the first entry.
    pub fn new(run: Run, size: usize) -> Self {
        Self {
            buffer: vec![0; size.max(HEAD)],
            start: 0,
            len: 0,
            key_len: 0,
            prefix: 0,
            filled: 0,
            rest: run,
        }
    }

    /// Goes to the next entry; false when there is none.
    pub fn advance(&mut self, storage: &dyn Storage) -> io::Result<bool> {
        self.start += self.len;
        self.len = 0;
        if self.start == self.filled && self.rest.start == self.rest.end {
            return Ok(false);
        }
        self.need(HEAD, storage)?;
        let (key_len, data_len) =
            Entry::lens(&self.buffer[self.start..]).ok_or(io::ErrorKind::InvalidData)?;
        let len = HEAD as u64 + key_len as u64 + data_len as u64;
        let there = (self.filled - self.start) as u64 + (self.rest.end - self.rest.start);
        let len = usize::try_from(len.min(there + 1)).map_err(|_| io::ErrorKind::InvalidData)?;
        self.need(len, storage)?;
        (self.len, self.key_len) = (len, key_len);
        self.prefix = prefix(self.entry().key(), 0);
        Ok(true)
    }

    /// The entry that it stands on.
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            bytes: &self.buffer[self.start..][..self.len],
            key_len: self.key_len,
        }
    }

    /// Reads on until the buffer holds `len` bytes from `start` on.
    fn need(&mut self, len: usize, storage: &dyn Storage) -> io::Result<()> {
        let have = self.filled - self.start;
        if have >= len {
            return Ok(());
        }
        if (len - have) as u64 > self.rest.end - self.rest.start {
            let what = "a run on the scratch storage ends within an entry";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        self.buffer.copy_within(self.start..self.filled, 0);
        (self.start, self.filled) = (0, have);
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let space = &mut self.buffer[have..];
        let most = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let count = space.len().min(most);
        storage.read_exact_at(self.rest.start, &mut space[..count])?;
        self.rest.start += count as u64;
        self.filled += count;
        Ok(())
    }
}
