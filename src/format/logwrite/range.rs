//! Ranges of the old log format: an LRCHECKSUM and what it covers. [log notes 3.2, 3.3, 3.7]
//!
//! ```text
//! offset 0   1               5              9          13         17               21
//!        +---+---------------+--------------+----------+----------+----------------+---------+
//!        |42 | bytes before  | bytes after  | to the   | checksum | checksum of    | 0x9A or |
//!        |   | that it covers| it covers    | next one | of all   | the 1st sector | 0xD1    |
//!        +---+---------------+--------------+----------+----------+----------------+---------+
//! ```

use crate::format::ids::Generation;
use crate::format::logrec::RecordKind;

use super::Put;

/// Bytes of an LRCHECKSUM.
pub const CHECKSUM_RECORD: usize = 22;
/// Flag byte: the short checksum covers the first sector of a longer range.
pub const SHORT_IN_USE: u8 = 0x9A;
/// Flag byte: the range lies within one sector, there is no short checksum.
pub const SHORT_NOT_IN_USE: u8 = 0xD1;
const LONG_SEED: u32 = 0xFEED_BEAF;
const SHORT_SEED: u32 = 0xDEAD_C0DE;
/// XORed into the checksum of a shadow sector.
pub const SHADOW_MARK: u32 = 0x5AD0_5EC7;

/// Fills bytes that start at `offset` of their file with the pattern of unused space: 0xDA, but
/// every 16th byte counts up.
pub fn fill_pattern(bytes: &mut [u8], offset: usize) {
    for (byte, at) in bytes.iter_mut().zip(offset..) {
        let step = if at.is_multiple_of(16) {
            (at % 256) as u8
        } else {
            0
        };
        *byte = 0xDA_u8.wrapping_add(step);
    }
}

/// Where an LRCHECKSUM lies in a log and what it covers; all offsets count from the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The record.
    pub at: usize,
    /// Bytes before it in its sector that it covers.
    pub backwards: usize,
    /// Bytes behind it that it covers.
    pub forwards: usize,
    /// From its end to the next LRCHECKSUM, 0 for none.
    pub next: usize,
}

/// The two checksums of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeSums {
    /// Of all that it covers.
    pub long: u32,
    /// Of what lies in its first sector; 0 when it has no other.
    pub short: u32,
    /// [`SHORT_IN_USE`] or [`SHORT_NOT_IN_USE`].
    pub flag: u8,
}

impl Range {
    /// The checksums of what the range covers in `log`, a whole file. `None` when it does not lie within
    /// the file.
    #[must_use]
    pub fn sums(&self, log: &[u8], sector: usize, generation: Generation) -> Option<RangeSums> {
        let after = self.at.checked_add(CHECKSUM_RECORD)?;
        let covered = log.get(after..after.checked_add(self.forwards)?)?;
        let before = log.get(self.at.checked_sub(self.backwards)?..self.at)?;
        let sector_end = self.at - self.at.checked_rem(sector)? + sector;
        let first = covered.get(..sector_end.checked_sub(after)?);
        let several = first.filter(|first| first.len() < covered.len());
        let flag = match several {
            Some(_) => SHORT_IN_USE,
            None => SHORT_NOT_IN_USE,
        };
        let head = xor_words(before)
            ^ self.backwards as u32
            ^ self.forwards as u32
            ^ self.next as u32
            ^ u32::from(flag)
            ^ generation.get();
        Some(RangeSums {
            long: LONG_SEED ^ head ^ xor_words(covered),
            short: several.map_or(0, |first| SHORT_SEED ^ head ^ xor_words(first)),
            flag,
        })
    }

    /// Writes the LRCHECKSUM over its place in `log`, a whole file; `shadow` gives it the mark of a
    /// shadow sector. Nothing is written when the range does not lie within the file.
    pub fn seal(&self, log: &mut [u8], sector: usize, generation: Generation, shadow: bool) {
        let Some(sums) = self.sums(log, sector, generation) else {
            return;
        };
        let record = Put::new(RecordKind::CHECKSUM)
            .u32(self.backwards as u32)
            .u32(self.forwards as u32)
            .u32(self.next as u32)
            .u32(sums.long ^ if shadow { SHADOW_MARK } else { 0 })
            .u32(sums.short)
            .u8(sums.flag)
            .done();
        log[self.at..][..CHECKSUM_RECORD].copy_from_slice(&record);
    }
}

/// XOR of the bytes as little-endian words from the first byte on, whatever its alignment; the last
/// 1 to 3 bytes fill the low bytes of a word.
fn xor_words(bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..tail.len()].copy_from_slice(tail);
    words.iter().fold(u32::from_le_bytes(last), |all, word| {
        all ^ u32::from_le_bytes(*word)
    })
}
