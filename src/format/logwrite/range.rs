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
/// The short checksum covers the first sector of a longer range.
const SHORT_IN_USE: u8 = 0x9A;
/// The range lies within one sector, there is no short checksum.
const SHORT_NOT_IN_USE: u8 = 0xD1;
const LONG_SEED: u32 = 0xFEED_BEAF;
const SHORT_SEED: u32 = 0xDEAD_C0DE;
/// XORed into the checksum of a shadow sector.
const SHADOW_MARK: u32 = 0x5AD0_5EC7;

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

impl Range {
    /// Writes the LRCHECKSUM over its place in `log`, a whole file; `shadow` gives it the mark of a
    /// shadow sector. Nothing is written when the range does not lie within the file.
    pub fn seal(&self, log: &mut [u8], sector: usize, generation: Generation, shadow: bool) {
        let after = self.at + CHECKSUM_RECORD;
        let end = after + self.forwards;
        let Some(before) = self.at.checked_sub(self.backwards) else {
            return;
        };
        if end > log.len() || sector == 0 {
            return;
        }
        let sector_end = self.at - self.at % sector + sector;
        let several = end > sector_end;
        let flag = if several {
            SHORT_IN_USE
        } else {
            SHORT_NOT_IN_USE
        };
        let common = self.backwards as u32
            ^ self.forwards as u32
            ^ self.next as u32
            ^ u32::from(flag)
            ^ generation.get();
        let head = xor_words(&log[before..self.at]) ^ common;
        let mut long = LONG_SEED ^ head ^ xor_words(&log[after..end]);
        if shadow {
            long ^= SHADOW_MARK;
        }
        let short = match several {
            true => SHORT_SEED ^ head ^ xor_words(&log[after..sector_end]),
            false => 0,
        };
        let record = Put::new(RecordKind::CHECKSUM)
            .u32(self.backwards as u32)
            .u32(self.forwards as u32)
            .u32(self.next as u32)
            .u32(long)
            .u32(short)
            .u8(flag)
            .done();
        log[self.at..after].copy_from_slice(&record);
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
