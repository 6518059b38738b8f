//! The records of one generation in order. [log notes 3.5 and 4.3]

use crate::format::bytes::{all_zero, u16_at, u32_at};
use crate::format::logrec::{RecordFault, RecordKind, record_len};
use crate::format::stamp::Lgpos;

use super::generation::LoadedLog;
use super::segments::{DATA, SEGMENT_BYTES};

/// A record and where it begins.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// Its position.
    pub at: Lgpos,
    /// Its bytes, put together again where it was cut into pieces.
    pub bytes: &'a [u8],
    /// Offset of the first byte behind it in the file.
    pub behind: usize,
}

/// Records that cannot be read on (-501).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("log record at {at}: {fault}")]
pub struct RecordsFault {
    /// Where the record begins.
    pub at: Lgpos,
    /// What is wrong with it.
    pub fault: RecordFault,
}

/// Reads records one by one. Padding is left out, but for [`RecordReader::with_padding`].
#[derive(Debug)]
pub struct RecordReader<'a> {
    log: &'a LoadedLog,
    at: usize,
    old: bool,
    padding: bool,
    next_dead: usize,
    /// Nothing but further pieces of a record has been met; its beginning is not in this log. [engine: skipped]
    leading: bool,
    pieces: Vec<u8>,
}

/// What is at the reader's place.
enum Step {
    /// A record of `len` bytes at this offset.
    Whole(usize, usize),
    /// A record in pieces that began at this offset; its bytes are in the reader.
    Pieces(usize),
    End,
}

impl<'a> RecordReader<'a> {
    /// From the first record on.
    #[must_use]
    pub fn new(log: &'a LoadedLog) -> Self {
        Self {
            log,
            at: log.extent.start,
            old: log.head.header.is_old_format(),
            padding: false,
            next_dead: 0,
            leading: true,
            pieces: Vec::new(),
        }
    }

    /// NOP, NOP2 and LRCHECKSUM records come too.
    #[must_use]
    pub const fn with_padding(mut self) -> Self {
        self.padding = true;
        self
    }

    /// From `position` on, which must be that of a record.
    #[must_use]
    pub fn from(mut self, position: Lgpos) -> Self {
        self.at = self.log.offset(position).max(self.log.extent.start);
        self
    }

    /// The next record; `None` at the end of the log.
    ///
    /// # Errors
    /// [`RecordsFault`] when the bytes are no record; the reader then stays where it is.
    #[allow(
        clippy::should_implement_trait,
        reason = "the records borrow from the reader"
    )]
    pub fn next(&mut self) -> Result<Option<Placed<'_>>, RecordsFault> {
        let step = if self.old {
            self.step_old()?
        } else {
            self.step_new()?
        };
        Ok(match step {
            Step::Whole(at, len) => Some(Placed {
                at: self.log.position(at),
                bytes: &self.log.bytes[at..at + len],
                behind: self.at,
            }),
            Step::Pieces(at) => Some(Placed {
                at: self.log.position(at),
                bytes: &self.pieces,
                behind: self.at,
            }),
            Step::End => None,
        })
    }

    fn fault(&self, fault: RecordFault) -> RecordsFault {
        RecordsFault {
            at: self.log.position(self.at),
            fault,
        }
    }

    fn is_padding(kind: RecordKind) -> bool {
        matches!(
            kind,
            RecordKind::NOP | RecordKind::NOP2 | RecordKind::CHECKSUM
        )
    }

    fn step_old(&mut self) -> Result<Step, RecordsFault> {
        let extent = &self.log.extent;
        loop {
            while extent
                .dead
                .get(self.next_dead)
                .is_some_and(|dead| dead.1 <= self.at)
            {
                self.next_dead += 1;
            }
            let dead = extent.dead.get(self.next_dead).copied();
            if let Some((start, end)) = dead.filter(|dead| self.at >= dead.0) {
                debug_assert!(self.at < end && start <= self.at);
                self.at = end;
                continue;
            }
            if self.at >= extent.end {
                return Ok(Step::End);
            }
            let rest = &self.log.bytes[self.at..extent.end];
            let len = match record_len(rest) {
                Ok(len) => len,
                // The fixed part is cut off by the end or by a dead stretch.
                Err(RecordFault::Short { need, .. }) => need,
                Err(fault) => {
                    return Err(self.fault(fault));
                }
            };
            if let Some((start, end)) = dead
                && self.at + len > start
            {
                // Written before a crash and given up: a later run goes on behind the stretch.
                self.at = end;
                continue;
            }
            if len > rest.len() {
                // The rest of the record was never written.
                self.at = extent.end;
                return Ok(Step::End);
            }
            let (at, kind) = (self.at, RecordKind::new(rest[0]));
            if matches!(kind, RecordKind::FRAGMENT_BEGIN | RecordKind::FRAGMENT) {
                return Err(self.fault(RecordFault::Unknown { kind }));
            }
            self.at += len;
            if self.padding || !Self::is_padding(kind) {
                return Ok(Step::Whole(at, len));
            }
        }
    }

    fn step_new(&mut self) -> Result<Step, RecordsFault> {
        loop {
            let inside = self.at % SEGMENT_BYTES;
            if inside == 0 {
                self.at += DATA;
            }
            if self.at >= self.log.extent.end {
                return Ok(Step::End);
            }
            let end = (self.at / SEGMENT_BYTES + 1) * SEGMENT_BYTES;
            let rest = &self.log.bytes[self.at..end];
            let len = record_len(rest).map_err(|fault| self.fault(fault))?;
            let kind = RecordKind::new(rest[0]);
            if len > rest.len() || kind == RecordKind::CHECKSUM {
                return Err(self.fault(RecordFault::Short { kind, need: len }));
            }
            let at = self.at;
            self.at += len;
            self.leading &= matches!(kind, RecordKind::FRAGMENT | RecordKind::NOP);
            match kind {
                RecordKind::FRAGMENT_BEGIN => {
                    if self.join(at, len)? {
                        return Ok(Step::Pieces(at));
                    }
                }
                RecordKind::FRAGMENT if self.leading => continue,
                RecordKind::FRAGMENT => {
                    self.at = at;
                    return Err(self.fault(RecordFault::Contradiction { kind }));
                }
                _ if Self::is_padding(kind) && !self.padding => {}
                _ => return Ok(Step::Whole(at, len)),
            }
        }
    }

    /// Puts the pieces of a record together. False when the record was given up: the log ends, or a recovery went on
    /// behind it.
    fn join(&mut self, begin: usize, len: usize) -> Result<bool, RecordsFault> {
        let bytes = &self.log.bytes;
        let contradiction = RecordsFault {
            at: self.log.position(begin),
            fault: RecordFault::Contradiction {
                kind: RecordKind::FRAGMENT_BEGIN,
            },
        };
        let total = u32_at(bytes, begin + 1).unwrap_or_default() as usize;
        // A record that fits in its first piece is not cut. [engine: refused]
        if total > self.log.extent.end || len - 7 >= total {
            return Err(contradiction);
        }
        self.pieces.clear();
        self.pieces
            .extend_from_slice(&bytes[begin + 7..begin + len]);
        while self.pieces.len() < total {
            let next = self.at.next_multiple_of(SEGMENT_BYTES) + DATA;
            if next >= self.log.extent.end {
                self.at = self.log.extent.end;
                return Ok(false);
            }
            let piece = usize::from(u16_at(bytes, next + 1).unwrap_or_default());
            match RecordKind::new(bytes[next]) {
                RecordKind::FRAGMENT if next % SEGMENT_BYTES + 3 + piece <= SEGMENT_BYTES => {
                    self.pieces
                        .extend_from_slice(&bytes[next + 3..next + 3 + piece]);
                    self.at = next + 3 + piece;
                }
                // A segment that holds nothing lies between. [verified: a recovery that ended here]
                RecordKind::NOP => {
                    let end = next.next_multiple_of(SEGMENT_BYTES);
                    if !all_zero(&bytes[next..end]) {
                        return Err(contradiction);
                    }
                    self.at = end;
                }
                kind if goes_on_after_crash(kind, &bytes[next..]) => {
                    self.at = next;
                    return Ok(false);
                }
                _ => return Err(contradiction),
            }
        }
        if self.pieces.len() != total || record_len(&self.pieces) != Ok(total) {
            return Err(contradiction);
        }
        Ok(true)
    }
}

/// Records that a recovery begins with after a crash in the middle of a record. [log notes 4.3]
fn goes_on_after_crash(kind: RecordKind, bytes: &[u8]) -> bool {
    match kind {
        RecordKind::RECOVERY_UNDO | RecordKind::RECOVERY_UNDO2 | RecordKind::UNDO_INFO => true,
        RecordKind::FRAGMENT_BEGIN => {
            bytes.get(7).copied().map(RecordKind::new) == Some(RecordKind::UNDO_INFO)
        }
        _ => false,
    }
}
