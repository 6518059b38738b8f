//! Segments of the new log format: how records lie in them and how they are cut. [log notes 4.1 to 4.3]
//!
//! ```text
//! 0          8          16        24        36       40
//! +----------+----------+---------+---------+--------+---------------------
//! | checksum | position | started | 0       | flags  | records, then filler
//! +----------+----------+---------+---------+--------+---------------------
//! ```

use crate::format::checksum::{NEW_FORMAT_FLAG, seal};
use crate::format::ids::{Generation, PageSize, Pgno};
use crate::format::logrec::RecordKind;
use crate::format::stamp::{Lgpos, LogTime};

use super::Put;

/// Bytes of a segment.
pub const SEGMENT_BYTES: usize = 4096;
/// Bytes before the first record.
pub const SEGMENT_HEADER: usize = 40;
/// Less room than this at the end of a segment is filled, not used for a piece.
const MIN_PIECE: usize = 32;
/// Fixed bytes of a first piece.
const FIRST_PIECE: usize = 7;
/// Fixed bytes of every other piece.
const NEXT_PIECE: usize = 3;
const POSITION: usize = 8;
const STARTED: usize = 16;
const FLAGS: usize = 36;

/// Where bytes that begin at `at` lie when records of these lengths follow, both counted from the start of
/// a segment: the headers, fixed parts and fillers of all segments in between are added.
#[must_use]
pub fn end_after(at: usize, lens: &[usize]) -> usize {
    lens.iter().fold(at, |at, len| end_of_one(at, *len))
}

fn end_of_one(mut at: usize, len: usize) -> usize {
    let room = |at: usize| SEGMENT_BYTES - at % SEGMENT_BYTES;
    if at.is_multiple_of(SEGMENT_BYTES) {
        at += SEGMENT_HEADER;
    }
    if room(at) < len && room(at) < MIN_PIECE {
        at += room(at) + SEGMENT_HEADER;
    }
    if len <= room(at) {
        return at + len;
    }
    let mut left = len - (room(at) - FIRST_PIECE);
    at += room(at);
    let most = SEGMENT_BYTES - SEGMENT_HEADER - NEXT_PIECE;
    while left > 0 {
        let piece = left.min(most);
        at += SEGMENT_HEADER + NEXT_PIECE + piece;
        left -= piece;
    }
    at
}

/// What becomes of a record at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It lies here.
    Whole,
    /// The rest of the segment is filled; it lies at the start of the next.
    Next,
    /// It is cut; so many bytes of it lie here.
    Cut(usize),
}

/// A segment under construction.
#[derive(Debug, Clone)]
pub struct SegmentBuilder {
    bytes: Box<[u8; SEGMENT_BYTES]>,
    /// Bytes in use; 0 before anything was begun.
    used: usize,
}

impl Default for SegmentBuilder {
    fn default() -> Self {
        Self {
            bytes: Box::new([0; SEGMENT_BYTES]),
            used: 0,
        }
    }
}

impl SegmentBuilder {
    /// True before anything was begun.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        self.used == 0
    }

    /// True when nothing more fits.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.used == SEGMENT_BYTES
    }

    /// Bytes in use, the header counted once something was begun.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.used
    }

    /// Bytes that are left once the segment is begun.
    #[must_use]
    pub const fn room(&self) -> usize {
        SEGMENT_BYTES
            - if self.used == 0 {
                SEGMENT_HEADER
            } else {
                self.used
            }
    }

    /// The `ib` of a position here: 0 for the first record, else its offset. [log notes 4.1]
    #[must_use]
    pub const fn ib(&self) -> u16 {
        if self.used <= SEGMENT_HEADER {
            0
        } else {
            self.used as u16
        }
    }

    /// Begins the segment, if nothing has begun it yet.
    pub fn begin(&mut self, now: LogTime) {
        if self.used == 0 {
            self.bytes[STARTED..STARTED + 8].copy_from_slice(&now.0);
            self.used = SEGMENT_HEADER;
        }
    }

    /// What becomes of a record of `len` bytes here.
    #[must_use]
    pub const fn fit(&self, len: usize) -> Fit {
        let room = self.room();
        if len <= room {
            Fit::Whole
        } else if room < MIN_PIECE {
            Fit::Next
        } else {
            Fit::Cut(room - FIRST_PIECE)
        }
    }

    /// Puts bytes that fit; what does not fit is left out.
    pub fn put(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(SEGMENT_BYTES - self.used);
        self.bytes[self.used..][..len].copy_from_slice(&bytes[..len]);
        self.used += len;
    }

    /// Puts the first piece of a record; it takes the whole rest of the segment. Gives back what is
    /// left of the record.
    pub fn put_first_piece<'a>(&mut self, record: &'a [u8]) -> &'a [u8] {
        let piece = self.room().saturating_sub(FIRST_PIECE).min(record.len());
        let head = Put::new(RecordKind::FRAGMENT_BEGIN)
            .u32(record.len() as u32)
            .u16(piece as u16);
        self.put(&head.0);
        self.put(&record[..piece]);
        &record[piece..]
    }

    /// Puts a further piece. Gives back what is left.
    pub fn put_next_piece<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let piece = self.room().saturating_sub(NEXT_PIECE).min(rest.len());
        self.put(&Put::new(RecordKind::FRAGMENT).u16(piece as u16).0);
        self.put(&rest[..piece]);
        &rest[piece..]
    }

    /// The finished segment at this place of a generation, filled with NOPs (zero), and its checksum.
    #[must_use]
    pub fn seal(&self, generation: Generation, number: u16) -> (Vec<u8>, u64) {
        let mut bytes = self.bytes.to_vec();
        let position = Put(Vec::with_capacity(8)).part(&Lgpos::new(generation, number, 0));
        bytes[POSITION..POSITION + 8].copy_from_slice(&position.0);
        bytes[FLAGS..FLAGS + 4].copy_from_slice(&NEW_FORMAT_FLAG.to_le_bytes());
        seal(&mut bytes, PageSize::K4, Pgno::new(u32::from(number)));
        let sum = bytes
            .first_chunk()
            .map_or(0, |sum| u64::from_le_bytes(*sum));
        (bytes, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fit, SEGMENT_BYTES, SEGMENT_HEADER, SegmentBuilder, end_after};
    use crate::format::checksum::{Verdict, verify};
    use crate::format::ids::{Generation, PageSize, Pgno};
    use crate::format::stamp::LogTime;

    #[test]
    fn records_are_cut_and_counted_alike() {
        let now = LogTime::utc((2026, 1, 2), (3, 4, 5), 6);
        for len in [1, 31, 4056, 4057, 5000, 8100, 20_000] {
            for start in [0, 41, 4000, 4064, 4065, 4090, 4095] {
                let mut segment = SegmentBuilder::default();
                segment.begin(now);
                if start > 0 {
                    segment.put(&vec![1; start - SEGMENT_HEADER]);
                } else {
                    segment = SegmentBuilder::default();
                }
                let record = vec![7; len];
                let mut segments = 0;
                if segment.fit(len) == Fit::Next {
                    segment = SegmentBuilder::default();
                    segments += 1;
                }
                segment.begin(now);
                match segment.fit(len) {
                    Fit::Whole => segment.put(&record),
                    _ => {
                        let mut rest = segment.put_first_piece(&record);
                        while !rest.is_empty() {
                            assert!(segment.is_full());
                            segment = SegmentBuilder::default();
                            segments += 1;
                            segment.begin(now);
                            rest = segment.put_next_piece(rest);
                        }
                    }
                }
                let end = segments * SEGMENT_BYTES + segment.used();
                assert_eq!(end_after(start, &[len]), end, "{start} {len}");
            }
        }
    }

    #[test]
    fn a_sealed_segment_verifies() {
        let mut segment = SegmentBuilder::default();
        assert_eq!(segment.ib(), 0);
        segment.begin(LogTime::default());
        segment.put(&[23]);
        assert_eq!(segment.ib(), 41);
        let (mut bytes, sum) = segment.seal(Generation::new(9), 3);
        assert_eq!(
            verify(&bytes, PageSize::K4, Pgno::new(3)),
            Verdict::Good,
            "{sum:x}"
        );
        assert_eq!(bytes[8..16], [0, 0, 3, 0, 9, 0, 0, 0]);
        bytes[50..52].copy_from_slice(&[1, 2]);
        assert!(!verify(&bytes, PageSize::K4, Pgno::new(3)).is_usable());
    }
}
