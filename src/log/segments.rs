//! The new physical log format (8.4000): segments of 4096 bytes, each with its own checksum.
//! [log notes chapter 4, verified on 13 892 segments]

use std::io;

use crate::format::bytes::{all_zero, u32_at, u64_at};
use crate::format::checksum::{self, Verdict};
use crate::format::ids::{Generation, PageSize, Pgno};
use crate::format::loghdr::LogHeader;
use crate::format::stamp::{Lgpos, LogTime};
use crate::storage::Storage;

use super::generation::Extent;
use super::verify::{BlockScan, Damage};
use crate::jet::JetError;

pub use crate::format::logwrite::segment::{SEGMENT_BYTES, SEGMENT_HEADER as DATA};

/// A segment is checked like a small page whose number is its place in the file.
const SEGMENT: PageSize = PageSize::K4;
/// Segments read at once.
const BATCH: usize = 64;
/// Unused segments are zero from 8.4000.2 on; before they hold the fill pattern.
const ZERO_FILL_SINCE: u32 = 2;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHead {
    /// 0: its checksum.
    pub checksum: u64,
    /// 8: its place.
    pub at: Lgpos,
    /// 16: when it was begun; not set in the last one of a log that ended early.
    pub started: LogTime,
}

impl SegmentHead {
    /// The head of a segment; `None` when fewer than 24 bytes are given.
    #[must_use]
    pub fn parse(segment: &[u8]) -> Option<Self> {
        Some(Self {
            checksum: u64_at(segment, 0)?,
            at: own_position(segment),
            started: LogTime(u64_at(segment, 16)?.to_le_bytes()),
        })
    }
}

/// What one segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Holds records of this generation: the stored checksum, the bit that is wrong.
    Valid { sum: u64, bit: Option<usize> },
    /// Nothing of this generation: zero, pattern, shadow, or left over from an older use.
    Empty,
    /// Belongs to a later position than it lies at.
    Ahead,
    /// None of these.
    Garbage,
}

/// True when the first bytes of a file hold a segment where it says that it is: a log, whatever its header is.
#[must_use]
pub fn looks_like(start: &[u8]) -> bool {
    let (segments, _) = start.as_chunks::<SEGMENT_BYTES>();
    segments
        .iter()
        .zip(0u32..)
        .skip(1)
        .any(|(segment, number)| {
            let own = own_position(segment);
            own.generation.get() != 0 && is_copy(segment, number, own.generation)
        })
}

/// Walks all segments of a log and judges them as the engine does.
///
/// # Errors
/// What the storage says.
pub fn scan(storage: &dyn Storage, header: &LogHeader) -> io::Result<BlockScan> {
    let mut walk = Walk::new(header);
    let mut buffer = vec![0; (BATCH + 1) * SEGMENT_BYTES];
    let mut at = walk.first;
    while at < walk.end {
        let count = (walk.end - at).min(BATCH as u32);
        // One segment more than judged: the shadow of the last one may stand there.
        let wanted = (count as usize + 1) * SEGMENT_BYTES;
        let have = storage.read_at(u64::from(at) * SEGMENT_BYTES as u64, &mut buffer[..wanted])?;
        buffer[have..].fill(0);
        let (segments, _) = buffer.as_chunks::<SEGMENT_BYTES>();
        for (number, pair) in (at..at + count).zip(segments.windows(2)) {
            if matches!(walk.judge(number, &pair[0], &pair[1]), Judged::Stop) {
                return Ok(walk.scan);
            }
        }
        at += count;
    }
    Ok(walk.scan)
}

/// The same over a log in memory; single wrong bits are mended, a torn segment is replaced by its shadow.
pub(super) fn scan_bytes(bytes: &mut [u8], header: &LogHeader) -> (BlockScan, Extent) {
    let mut walk = Walk::new(header);
    let (segments, _) = bytes.as_chunks_mut::<SEGMENT_BYTES>();
    let start = walk.first as usize * SEGMENT_BYTES;
    let mut extent = Extent {
        start: start + DATA,
        end: start,
        dead: Vec::new(),
    };
    let none = [0; SEGMENT_BYTES];
    for number in walk.first..walk.end {
        let at = number as usize;
        let Some(segment) = segments.get(at) else {
            break;
        };
        let next = segments.get(at + 1).unwrap_or(&none);
        match walk.judge(number, segment, next) {
            Judged::Use { bit } => {
                if let Some(bit) = bit {
                    segments[at][bit / 8] ^= 1 << (bit % 8);
                }
            }
            Judged::UseShadow => segments[at] = segments[at + 1],
            Judged::Skip => continue,
            Judged::Stop => break,
        }
        extent.end = (at + 1) * SEGMENT_BYTES;
    }
    (walk.scan, extent)
}

/// What to do with a segment.
enum Judged {
    /// It holds records; the bit that is wrong.
    Use { bit: Option<usize> },
    /// It was torn; the copy behind it is whole and recovery uses it.
    UseShadow,
    /// It holds nothing.
    Skip,
    /// Damage.
    Stop,
}

struct Walk {
    scan: BlockScan,
    generation: Generation,
    first: u32,
    end: u32,
    zero_filled: bool,
    first_empty: Option<Lgpos>,
}

impl Walk {
    fn new(header: &LogHeader) -> Self {
        let first = u32::from(header.header_sectors).max(1);
        Self {
            scan: BlockScan::new(position(header.generation, first)),
            generation: header.generation,
            first,
            // The last segment of the file is kept for a shadow copy and never holds records.
            end: u32::from(header.file_sectors).saturating_sub(1).max(first),
            zero_filled: header.update_major >= ZERO_FILL_SINCE || header.major > 8,
            first_empty: None,
        }
    }

    fn judge(
        &mut self,
        number: u32,
        segment: &[u8; SEGMENT_BYTES],
        next: &[u8; SEGMENT_BYTES],
    ) -> Judged {
        let here = position(self.generation, number);
        let behind = position(self.generation, number + 1);
        let kind = classify(segment, number, self.generation, self.zero_filled);
        match (kind, self.first_empty) {
            (Kind::Valid { sum, bit }, None) => {
                self.scan.accept(sum, behind);
                Judged::Use { bit }
            }
            (Kind::Empty, None) => {
                self.first_empty = Some(here);
                Judged::Skip
            }
            (Kind::Empty, Some(_)) => Judged::Skip,
            (Kind::Garbage, None) if is_copy(next, number, self.generation) => {
                let sum = u64_at(next, 0).unwrap_or_default();
                self.scan.accept(sum, behind);
                self.scan.torn = true;
                Judged::UseShadow
            }
            (Kind::Valid { .. } | Kind::Ahead | Kind::Garbage, hole) => {
                self.scan = self.scan.damaged(hole.unwrap_or(here));
                Judged::Stop
            }
        }
    }
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
        verdict @ (Verdict::Good | Verdict::Correctable { .. }) => {
            let bit = match verdict {
                Verdict::Correctable { bit } => Some(bit as usize),
                _ => None,
            };
            let sum = u64_at(segment, 0).unwrap_or_default();
            match own_position(segment).cmp(&position(generation, number)) {
                std::cmp::Ordering::Equal => Kind::Valid { sum, bit },
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
