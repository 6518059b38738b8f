//! Reading from a bad disk: large first, and where that fails in ever smaller pieces, down to a sector.

use std::ops::Range;

use crate::storage::Storage;

/// Sizes of reads, each tried where the one before failed. The last is the sector of old disks: less is never lost,
/// though a system that reads 4096 bytes at once may refuse all eight sectors of a block for one.
const STEPS: [usize; 4] = [CHUNK, 64 << 10, 4096, SECTOR];
/// What is read at once while the disk is sound, and what all chunks are aligned to.
pub const CHUNK: usize = 1 << 20;
const SECTOR: usize = 512;

/// The source ended before its length said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrunk {
    /// Where it ends now.
    pub at: u64,
}

/// Reads, and counts what fails.
pub struct Reader<'a> {
    source: &'a dyn Storage,
    /// Give up at the first sector that cannot be read.
    first_only: bool,
    /// Reads that failed, of any size.
    pub failed: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What the system said at the first failure.
    pub cause: Option<String>,
}

impl<'a> Reader<'a> {
    /// From this source.
    pub const fn new(source: &'a dyn Storage, first_only: bool) -> Self {
        Self {
            source,
            first_only,
            failed: 0,
            bytes: 0,
            cause: None,
        }
    }

    /// Reads all of `buffer` at `offset`. What cannot be read becomes zero and is returned, in order. With `first_only`
    /// that is the first sector, and what follows was not tried.
    ///
    /// # Errors
    /// [`Shrunk`].
    pub fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<Vec<Range<u64>>, Shrunk> {
        let mut bad = Vec::new();
        self.step(0, offset, buffer, &mut bad)?;
        Ok(bad)
    }

    fn step(
        &mut self,
        step: usize,
        offset: u64,
        buffer: &mut [u8],
        bad: &mut Vec<Range<u64>>,
    ) -> Result<(), Shrunk> {
        if self.first_only && !bad.is_empty() {
            return Ok(());
        }
        match self.source.read_at(offset, buffer) {
            Ok(count) if count == buffer.len() => {
                self.bytes += count as u64;
                return Ok(());
            }
            Ok(count) => {
                return Err(Shrunk {
                    at: offset + count as u64,
                });
            }
            Err(error) => {
                self.failed += 1;
                self.cause.get_or_insert_with(|| error.to_string());
            }
        }
        let Some(size) = STEPS.get(step + 1) else {
            buffer.fill(0);
            bad.push(offset..offset + buffer.len() as u64);
            return Ok(());
        };
        let mut at = 0;
        while at < buffer.len() {
            let here = offset + at as u64;
            // Pieces end where a block or sector of the disk does.
            let rest = size - (here % *size as u64) as usize;
            let end = (at + rest).min(buffer.len());
            self.step(step + 1, here, &mut buffer[at..end], bad)?;
            at = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Reader, Shrunk};
    use crate::storage::{Fault, Faulty, Memory};

    fn content() -> Vec<u8> {
        (0..CHUNK + 1000).map(|at| (at / 7) as u8 | 1).collect()
    }

    #[test]
    fn only_the_bad_sectors_are_lost() {
        // One byte, and two sectors that meet across a block.
        let bad = |offset, len| Fault::BadRange { offset, len };
        let faults = vec![bad(70_000, 1), bad(8191, 2), bad(CHUNK as u64 + 512, 1)];
        let disk = Faulty::new(Memory::new(content()), faults);
        let mut reader = Reader::new(&disk, false);
        let mut buffer = vec![9; CHUNK + 1000];
        let lost = reader.read(0, &mut buffer).unwrap();
        let sector = |at: u64| at / 512 * 512..(at / 512 + 1) * 512;
        let end = CHUNK as u64 + 512;
        assert_eq!(
            lost,
            [sector(8191), sector(8192), sector(70_000), end..end + 488]
        );
        let mut expected = content();
        for range in &lost {
            expected[range.start as usize..range.end as usize].fill(0);
        }
        assert!(buffer == expected);
        assert_eq!(reader.bytes, (CHUNK + 1000 - 3 * 512 - 488) as u64);
        assert!(reader.failed > 4 && reader.cause.as_deref() == Some("bad sector"));

        let mut reader = Reader::new(&disk, true);
        assert_eq!(reader.read(0, &mut buffer).unwrap(), [sector(8191)]);
        assert!(reader.bytes < 65_536, "it went on");
    }

    #[test]
    fn a_source_that_ends_early_is_no_bad_sector() {
        let disk = Faulty::new(Memory::new(content()), vec![Fault::EndsAt(5000)]);
        let mut reader = Reader::new(&disk, false);
        let mut buffer = vec![0; 8192];
        assert_eq!(reader.read(0, &mut buffer), Err(Shrunk { at: 5000 }));
        assert_eq!(reader.read(6000, &mut buffer), Err(Shrunk { at: 6000 }));
    }
}
