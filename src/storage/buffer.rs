//! Memory that many pages at once are read into.

use std::ops::{Deref, DerefMut};

/// A page of the system's memory.
const ALIGNED: usize = 4096;

/// Bytes that begin where a page of memory begins. An allocator puts large blocks 16 bytes behind that, and there the copy
/// instruction of some processors (AMD, Zen 3) is three times as slow: a read from the page cache is nothing but that copy
/// (`benches/README.md`).
#[derive(Debug, Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl ReadBuffer {
    /// No bytes yet, and no memory for them.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            len: 0,
        }
    }

    /// Zeroes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let mut buffer = Self::default();
        buffer.resize(len);
        buffer
    }

    /// Makes it `len` bytes long. What was in it may stay, or not.
    pub fn resize(&mut self, len: usize) {
        if self.start + len > self.bytes.len() {
            self.bytes = vec![0; len + ALIGNED - 1];
            // Where nobody can tell, any place does.
            self.start = self.bytes.as_ptr().align_offset(ALIGNED) % ALIGNED;
        }
        self.len = len;
    }
}

impl Deref for ReadBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..][..self.len]
    }
}

impl DerefMut for ReadBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::{ALIGNED, ReadBuffer};

    #[test]
    fn every_length_begins_a_page_of_memory() {
        let mut buffer = ReadBuffer::default();
        assert!(buffer.is_empty());
        for len in [1, 4096, 262_144, 100, 262_145, 0, 1 << 20] {
            buffer.resize(len);
            assert_eq!(buffer.len(), len);
            buffer.fill(7);
            let moved = buffer;
            assert!(len == 0 || moved.as_ptr().addr().is_multiple_of(ALIGNED));
            assert!(moved.iter().all(|byte| *byte == 7));
            buffer = moved;
        }
        assert_eq!(ReadBuffer::new(3)[..], [0, 0, 0]);
    }
}
