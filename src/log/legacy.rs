//! The old physical log format (7.3704): one byte stream of records, cut into ranges by LRCHECKSUM
//! records (type 42, 22 bytes). [log notes chapter 3, verified on 2407 ranges]
//!
//! ```text
//! offset 0   1               5              9          13         17               21
//!        +---+---------------+--------------+----------+----------+----------------+---------+
//!        |42 | bytes before  | bytes after  | to the   | checksum | checksum of    | 0x9A or |
//!        |   | that it covers| it covers    | next one | of all   | the 1st sector | 0xD1    |
//!        +---+---------------+--------------+----------+----------+----------------+---------+
//! ```

use std::io;

use crate::format::bytes::u32_at;
use crate::format::ids::Generation;
use crate::format::loghdr::LogHeader;
use crate::format::logrec::RecordKind;
use crate::format::logwrite::range::{
    CHECKSUM_RECORD as RECORD, Range, RangeSums, SHADOW_MARK, SHORT_IN_USE, SHORT_NOT_IN_USE,
};
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::storage::Storage;

use super::generation::Extent;
use super::verify::{BlockScan, Damage};

/// True when `bytes`, which start at `offset` in their file, hold only the fill pattern: 0xDA, but
/// every 16th byte counts up. [verified: both log versions and reserve logs]
#[must_use]
pub fn is_fill_pattern(bytes: &[u8], offset: usize) -> bool {
    bytes.iter().zip(offset..).all(|(byte, at)| {
        let step = if at % 16 == 0 { (at % 256) as u8 } else { 0 };
        *byte == 0xDAu8.wrapping_add(step)
    })
}

/// One LRCHECKSUM record.
#[derive(Debug, Clone, Copy)]
struct RangeSum {
    /// Offset of the record in the file.
    at: usize,
    backwards: usize,
    forwards: usize,
    next: usize,
    long: u32,
    short: u32,
    flag: u8,
}

/// A whole log in memory; it has at most 65535 sectors of 4096 bytes.
struct Log<'a> {
    bytes: &'a [u8],
    sector: usize,
    generation: Generation,
}

/// Which checksums of a range are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RangeState {
    Good,
    /// Only the first sector is.
    FirstSectorGood,
    Bad,
}

/// Walks the chain of ranges and finds the end of the log.
///
/// # Errors
/// What the storage says.
pub fn scan(storage: &dyn Storage, header: &LogHeader) -> io::Result<BlockScan> {
    let len = usize::try_from(header.file_bytes().min(storage.len()?)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len];
    storage.read_exact_at(0, &mut bytes)?;
    Ok(walk(&bytes, header).0)
}

/// The same over a log in memory; a sector that was torn is replaced by its shadow.
pub(super) fn scan_bytes(bytes: &mut [u8], header: &LogHeader) -> (BlockScan, Extent) {
    let (scan, mut extent, shadow) = walk(bytes, header);
    let sector = usize::from(header.sector_size);
    if let Some(at) = shadow {
        let torn = at - at % sector;
        bytes.copy_within(torn + sector..torn + 2 * sector, torn);
        let forwards = u32_at(bytes, at + 5).unwrap_or_default() as usize;
        extent.end = at + RECORD + forwards;
        if u32_at(bytes, at + 1) == Some(0) && at > torn {
            extent.dead.push((torn, at));
        }
    }
    (scan, extent)
}

/// Follows the chain. Third: the offset of a last LRCHECKSUM that only the shadow of its sector holds.
fn walk(bytes: &[u8], header: &LogHeader) -> (BlockScan, Extent, Option<usize>) {
    let sector = usize::from(header.sector_size);
    let log = Log {
        bytes,
        sector,
        generation: header.generation,
    };
    let start = usize::from(header.header_sectors) * sector;
    let mut scan = BlockScan::new(log.position(start));
    let mut extent = Extent {
        start,
        end: start,
        dead: Vec::new(),
    };
    if sector == 0 || start >= bytes.len() {
        return (scan, extent, None);
    }
    let (mut at, mut before) = (start, None);
    loop {
        let dead = log.dead_before(at);
        match log.step(at, before) {
            Step::Next { end, next } => {
                scan.end = log.position(end);
                extent.end = end;
                extent.dead.extend(dead);
                before = Some(at);
                at = next;
            }
            Step::End { end, torn, shadow } => {
                scan.end = log.position(end);
                scan.torn = torn;
                if end > at {
                    extent.end = end;
                    extent.dead.extend(dead);
                }
                return (scan, extent, shadow.then_some(at));
            }
            Step::Corrupt(at) => {
                let at = log.position(at);
                scan.damage = Some(Damage {
                    jet: JetError::LOG_FILE_CORRUPT,
                    at,
                });
                scan.end = at;
                return (scan, extent, None);
            }
        }
    }
}

/// What follows from one link of the chain.
enum Step {
    /// The range is good up to `end`; the next LRCHECKSUM is at `next`, which is always further on.
    Next { end: usize, next: usize },
    /// The log ends here.
    End {
        end: usize,
        torn: bool,
        /// The last sector is to be taken from its shadow.
        shadow: bool,
    },
    /// Damage from here on.
    Corrupt(usize),
}

impl Log<'_> {
    /// Judges the LRCHECKSUM that should be at `at` (log notes 3.6, cases 1 to 5); `before` is the
    /// offset of the one that led here.
    fn step(&self, at: usize, before: Option<usize>) -> Step {
        let sector_start = at - at % self.sector;
        let Some(range) = self.read(at) else {
            return self.no_record(at, sector_start, before);
        };
        match self.judge(&range) {
            RangeState::Good => {
                let end = at + RECORD + range.forwards;
                if range.next == 0 {
                    return Step::End {
                        end,
                        torn: false,
                        shadow: false,
                    };
                }
                Step::Next {
                    end,
                    next: at + RECORD + range.next,
                }
            }
            RangeState::FirstSectorGood if self.is_torn(&range) => Step::End {
                end: sector_start + self.sector,
                torn: true,
                shadow: false,
            },
            RangeState::Bad
                if range.flag == SHORT_NOT_IN_USE && self.has_shadow(sector_start, at) =>
            {
                Step::End {
                    end: sector_start + self.sector,
                    torn: true,
                    shadow: true,
                }
            }
            RangeState::FirstSectorGood | RangeState::Bad => Step::Corrupt(sector_start),
        }
    }

    /// Cases 1 and 4: no record where the chain points to. The shadow of the sector stands in for
    /// it; or the sector is still the shadow of the one before (`vs-dirty-car4`), or nothing but fill
    /// pattern follows: then the range before was the last one written.
    fn no_record(&self, at: usize, sector_start: usize, before: Option<usize>) -> Step {
        if self.has_shadow(sector_start, at) {
            return Step::End {
                end: sector_start + self.sector,
                torn: true,
                shadow: true,
            };
        }
        let Some(before) = before else {
            return Step::Corrupt(sector_start);
        };
        let old_shadow = self.has_shadow(before - before % self.sector, before);
        let unused_from = if old_shadow {
            sector_start + self.sector
        } else {
            sector_start
        };
        let rest = self.bytes.get(unused_from..).unwrap_or_default();
        if is_fill_pattern(rest, unused_from) {
            Step::End {
                end: sector_start,
                torn: true,
                shadow: false,
            }
        } else {
            Step::Corrupt(sector_start)
        }
    }

    /// The bytes before the LRCHECKSUM at `at` in its sector, if it gives them up: the range was written by a run
    /// after a crash, and covers nothing backwards. [log notes 3.5]
    fn dead_before(&self, at: usize) -> Option<(usize, usize)> {
        let range = self.read(at)?;
        let start = at - at % self.sector;
        (range.backwards == 0 && at > start).then_some((start, at))
    }

    /// The record at `at` if it is well-formed (log notes 3.4).
    fn read(&self, at: usize) -> Option<RangeSum> {
        let record = self.bytes.get(at..at + RECORD)?;
        let field = |offset: usize| u32_at(record, offset).unwrap_or_default();
        let range = RangeSum {
            at,
            backwards: field(1) as usize,
            forwards: field(5) as usize,
            next: field(9) as usize,
            long: field(13),
            short: field(17),
            flag: record[21],
        };
        let ib = at % self.sector;
        let reach = ib + RECORD + range.forwards;
        let well_formed = RecordKind::new(record[0]) == RecordKind::CHECKSUM
            && ib + RECORD <= self.sector
            && (range.backwards == 0 || range.backwards == ib)
            && at + RECORD + range.forwards <= self.bytes.len()
            && match range.flag {
                SHORT_IN_USE => reach > self.sector && reach.is_multiple_of(self.sector),
                SHORT_NOT_IN_USE => reach <= self.sector && range.short == 0,
                _ => false,
            }
            && (range.next == 0 || self.links_well(&range, reach));
        well_formed.then_some(range)
    }

    /// A link must lead from a range that ends on a sector boundary into the sector behind it.
    fn links_well(&self, range: &RangeSum, reach: usize) -> bool {
        let target = range.at + RECORD + range.next;
        reach >= self.sector
            && reach.is_multiple_of(self.sector)
            && target / self.sector == range.at / self.sector + reach / self.sector
            && target < self.bytes.len()
    }

    fn judge(&self, range: &RangeSum) -> RangeState {
        match self.sums(range) {
            Some(sums) if sums.long == range.long => RangeState::Good,
            Some(sums) if range.flag == SHORT_IN_USE && sums.short == range.short => {
                RangeState::FirstSectorGood
            }
            _ => RangeState::Bad,
        }
    }

    fn sums(&self, range: &RangeSum) -> Option<RangeSums> {
        let covered = Range {
            at: range.at,
            backwards: range.backwards,
            forwards: range.forwards,
            next: range.next,
        };
        covered.sums(self.bytes, self.sector, self.generation)
    }

    /// Case 2: the first sector arrived, the rest did not: behind the range there is only pattern,
    /// and inside it at least one sector is still pattern.
    fn is_torn(&self, range: &RangeSum) -> bool {
        let end = range.at + RECORD + range.forwards;
        let second = range.at - range.at % self.sector + self.sector;
        is_fill_pattern(&self.bytes[end..], end)
            && (second..end)
                .step_by(self.sector)
                .any(|at| is_fill_pattern(&self.bytes[at..at + self.sector], at))
    }

    /// A shadow is a copy of a sector in the place behind it, whose LRCHECKSUM ends the chain and
    /// carries the shadow mark.
    fn has_shadow(&self, sector_start: usize, at: usize) -> bool {
        let Some(shadow) = self.read(at + self.sector) else {
            return false;
        };
        debug_assert!(shadow.at > sector_start);
        shadow.flag == SHORT_NOT_IN_USE
            && shadow.next == 0
            && self
                .sums(&shadow)
                .is_some_and(|sums| sums.long ^ SHADOW_MARK == shadow.long)
    }

    fn position(&self, offset: usize) -> Lgpos {
        let (isec, ib) = match self.sector {
            0 => (0, 0),
            sector => (offset / sector, offset % sector),
        };
        Lgpos::new(self.generation, isec as u16, ib as u16)
    }
}
