//! Writing a copy: blocks of zeroes are left out, so that they take no space where the file system can do without.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::format::bytes::all_zero;
use crate::storage::Storage;

/// What file systems give or do not give; blocks are aligned.
const BLOCK: usize = 4096;

/// The part file.
pub struct Target {
    /// The open file, as long as the source.
    pub file: Box<dyn Storage>,
    /// Its path.
    pub path: PathBuf,
    /// Made by this run: what was not written in it is zero.
    pub fresh: bool,
    /// Zeroes that were not written.
    pub left_out: u64,
    /// Bytes that were.
    pub written: u64,
}

impl Target {
    /// Nothing is written yet.
    pub fn new(file: Box<dyn Storage>, path: PathBuf, fresh: bool) -> Self {
        Self {
            file,
            path,
            fresh,
            left_out: 0,
            written: 0,
        }
    }

    /// Its length now.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn bytes(&self) -> Result<u64> {
        let len = self.file.len();
        len.map_err(|error| Error::io(&self.path, "read", error))
    }

    /// Writes bytes, but for blocks of zeroes where the file holds zeroes anyway.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        // From where on bytes wait to be written.
        let mut from = 0;
        let mut at = 0;
        while at < bytes.len() {
            let here = offset + at as u64;
            let end = (at + BLOCK - (here % BLOCK as u64) as usize).min(bytes.len());
            if all_zero(&bytes[at..end]) && self.holds_zero(here, end - at) {
                self.flush(offset + from as u64, &bytes[from..at])?;
                self.left_out += (end - at) as u64;
                from = end;
            }
            at = end;
        }
        self.flush(offset + from as u64, &bytes[from..])
    }

    fn flush(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self.file.write_at(offset, bytes);
        written.map_err(|error| Error::io(&self.path, "write", error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// What an earlier run wrote there, and had no time to note, may be anything.
    fn holds_zero(&self, offset: u64, len: usize) -> bool {
        if self.fresh {
            return true;
        }
        let mut block = [0; BLOCK];
        let block = &mut block[..len];
        self.file.read_exact_at(offset, block).is_ok() && all_zero(block)
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let read = self.file.read_exact_at(offset, buffer);
        read.map_err(|error| Error::io(&self.path, "read", error))
    }

    /// Returns when everything written is durable.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<()> {
        let synced = self.file.sync();
        synced.map_err(|error| Error::io(&self.path, "sync", error))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{BLOCK, Target};
    use crate::storage::{Memory, Storage};

    /// Tells what was written.
    struct Listening(Memory, &'static Mutex<Vec<(u64, usize)>>);

    impl Storage for Listening {
        fn len(&self) -> std::io::Result<u64> {
            self.0.len()
        }
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read_at(offset, buffer)
        }
        fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
            self.1.lock().unwrap().push((offset, bytes.len()));
            self.0.write_at(offset, bytes)
        }
        fn set_len(&self, len: u64) -> std::io::Result<()> {
            self.0.set_len(len)
        }
        fn sync(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn target(content: Vec<u8>, fresh: bool) -> (Target, &'static Mutex<Vec<(u64, usize)>>) {
        let writes: &'static Mutex<_> = Box::leak(Box::default());
        let file = Box::new(Listening(Memory::new(content), writes));
        (Target::new(file, "x".into(), fresh), writes)
    }

    #[test]
    fn blocks_of_zeroes_are_left_out_and_the_rest_is_written_at_once() {
        let mut bytes = vec![1; 6 * BLOCK];
        bytes[2 * BLOCK..4 * BLOCK].fill(0);
        bytes[5 * BLOCK..].fill(0);
        // Half a block of zeroes is written: the block exists anyway.
        bytes[..BLOCK / 2].fill(0);
        let (mut fresh, writes) = target(vec![0; 6 * BLOCK], true);
        fresh.write(0, &bytes).unwrap();
        let block = BLOCK as u64;
        assert_eq!(
            *writes.lock().unwrap(),
            [(0, 2 * BLOCK), (4 * block, BLOCK)]
        );
        assert_eq!((fresh.left_out, fresh.written), (3 * block, 3 * block));
        assert!(fresh.file.read_start(6 * BLOCK).unwrap() == bytes);
        // Blocks are those of the file, wherever the bytes begin.
        writes.lock().unwrap().clear();
        fresh.write(block - 10, &[0; 30]).unwrap();
        assert!(writes.lock().unwrap().is_empty());
    }

    #[test]
    fn zeroes_are_written_over_what_an_earlier_run_left() {
        let (mut old, writes) = target(vec![7; 2 * BLOCK], false);
        old.file.write_at(0, &[0; BLOCK]).unwrap();
        writes.lock().unwrap().clear();
        old.write(0, &[0; 2 * BLOCK]).unwrap();
        assert_eq!(*writes.lock().unwrap(), [(BLOCK as u64, BLOCK)]);
        assert!(old.file.read_start(2 * BLOCK).unwrap() == [0; 2 * BLOCK]);
    }
}
