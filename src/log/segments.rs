//! The new physical log format (8.4000): segments of 4096 bytes, each with its own checksum.
//! [log notes chapter 4, verified on 13 892 segments]

use std::io;

use crate::format::bytes::{all_zero, u32_at, u64_at};
use crate::format::checksum::{self, Verdict};
use crate::format::ids::{Generation, PageSize, Pgno};
use crate::format::loghdr::LogHeader;
use crate::format::stamp::Lgpos;
use crate::storage::Storage;

use super::verify::{BlockScan, Damage};
use crate::jet::JetError;

/// Bytes of a segment.
pub const SEGMENT_BYTES: usize = 4096;
/// A segment is checked like a small page whose number is its place in the file.
const SEGMENT: PageSize = PageSize::K4;
/// Segments read at once.
const BATCH: usize = 64;
/// Unused segments are zero from 8.4000.2 on; before they hold the fill pattern.
const ZERO_FILL_SINCE: u32 = 2;

/// What one segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Holds records of this generation; the stored checksum.
    Valid(u64),
    /// Nothing of this generation: zero, pattern, shadow, or left over from an older use.
    Empty,
    /// Belongs to a later position than it lies at.
    Ahead,
    /// None of these.
    Garbage,
}

/// Walks all segments of a log and judges them as the engine does.
///
/// # Errors
/// What the storage says.
pub fn scan(storage: &dyn Storage, header: &LogHeader) -> io::Result<BlockScan> {
    let first = u32::from(header.header_sectors).max(1);
    // The last segment of the file is kept for a shadow copy and never holds records.
    let end = u32::from(header.file_sectors).saturating_sub(1).max(first);
    let zero_filled = header.update_major >= ZERO_FILL_SINCE || header.major > 8;
    let mut scan = BlockScan::new(position(header.generation, first));
    let mut first_empty = None;
    let mut buffer = vec![0; (BATCH + 1) * SEGMENT_BYTES];
    let mut at = first;
    while at < end {
        let count = (end - at).min(BATCH as u32);
        // One segment more than judged: the shadow of the last one may stand there.
        let wanted = (count as usize + 1) * SEGMENT_BYTES;
        let have = storage.read_at(u64::from(at) * SEGMENT_BYTES as u64, &mut buffer[..wanted])?;
        buffer[have..].fill(0);
        let (segments, _) = buffer.as_chunks::<SEGMENT_BYTES>();
        for (number, pair) in (at..at + count).zip(segments.windows(2)) {
            let here = position(header.generation, number);
            match (
                classify(&pair[0], number, header.generation, zero_filled),
                first_empty,
            ) {
                (Kind::Valid(sum), None) => {
                    scan.accept(sum, position(header.generation, number + 1))
                }
                (Kind::Empty, None) => first_empty = Some(here),
                (Kind::Empty, Some(_)) => {}
                (Kind::Garbage, None) if is_copy(&pair[1], number, header.generation) => {
                    // The segment was torn; its shadow behind it is whole and recovery uses it.
                    let sum = u64_at(&pair[1], 0).unwrap_or_default();
                    scan.accept(sum, position(header.generation, number + 1));
                    scan.torn = true;
                }
                (Kind::Valid(_), Some(hole)) => return Ok(scan.damaged(hole)),
                (Kind::Ahead | Kind::Garbage, hole) => {
                    return Ok(scan.damaged(hole.unwrap_or(here)));
                }
            }
        }
        at += count;
    }
    Ok(scan)
}

impl BlockScan {
    fn accept(&mut self, sum: u64, end: Lgpos) {
        self.segments_checksum ^= sum;
        self.end = end;
    }

    fn damaged(mut self, at: Lgpos) -> Self {
        self.damage = Some(Damage {
            jet: JetError::LOG_FILE_CORRUPT,
            at,
        });
        self.end = at;
        self
    }
}

/// Segment numbers are 16 bits in a position; a log never has more.
const fn position(generation: Generation, segment: u32) -> Lgpos {
    Lgpos::new(generation, segment as u16, 0)
}

fn classify(segment: &[u8], number: u32, generation: Generation, zero_filled: bool) -> Kind {
    if all_zero(segment) {
        return if zero_filled {
            Kind::Empty
        } else {
            Kind::Garbage
        };
    }
    if !zero_filled && super::legacy::is_fill_pattern(segment, 0) {
        return Kind::Empty;
    }
    if !checksum::is_new_format(segment) {
        return Kind::Garbage;
    }
    match checksum::verify(segment, SEGMENT, Pgno::new(number)) {
        Verdict::Good | Verdict::Correctable { .. } => {
            match own_position(segment).cmp(&position(generation, number)) {
                std::cmp::Ordering::Equal => Kind::Valid(u64_at(segment, 0).unwrap_or_default()),
                std::cmp::Ordering::Less => Kind::Empty,
                std::cmp::Ordering::Greater => Kind::Ahead,
            }
        }
        Verdict::Bad {
            belongs_to: Some(real),
        } if real.next() == Pgno::new(number) => Kind::Empty,
        Verdict::Bad { .. } | Verdict::Uninitialized => Kind::Garbage,
    }
}

/// True when `segment` is a whole copy of segment `number`, standing one place behind it.
fn is_copy(segment: &[u8], number: u32, generation: Generation) -> bool {
    checksum::is_new_format(segment)
        && checksum::verify(segment, SEGMENT, Pgno::new(number)).is_usable()
        && own_position(segment) == position(generation, number)
}

fn own_position(segment: &[u8]) -> Lgpos {
    let raw = u64_at(segment, 8).unwrap_or_default();
    let generation = Generation::new(u32_at(segment, 12).unwrap_or_default());
    Lgpos::new(generation, (raw >> 16) as u16, raw as u16)
}
