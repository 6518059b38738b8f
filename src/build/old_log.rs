//! One log of the old format (7.3704) in memory: a stream of bytes, in ranges with an LRCHECKSUM each.
//! [log notes chapter 3]

use crate::format::loghdr::{Attachment, LOG_HEADER_BYTES, LogHeader};
use crate::format::logrec::RecordKind;
use crate::format::logwrite::range::{CHECKSUM_RECORD, Range, fill_pattern};
use crate::format::stamp::Lgpos;

/// What a crash left of the end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tail {
    /// The last write arrived as a whole.
    #[default]
    Whole,
    /// The last sector, written while it was not full, has its shadow behind it. Only when the last range
    /// lies within a sector.
    Shadow,
    /// As [`Tail::Shadow`], and the sector itself is gone.
    ShadowOnly,
    /// Of the last range that has several sectors only the first arrived, and nothing behind it.
    Torn,
}

/// A log of the old format under construction.
#[derive(Debug)]
pub(super) struct OldLog {
    pub(super) header: LogHeader,
    bytes: Vec<u8>,
    sector: usize,
    /// Where the next record goes.
    at: usize,
    ranges: Vec<Range>,
}

impl OldLog {
    /// An empty log; sectors and counts come from the header.
    pub(super) fn new(header: LogHeader, attachments: &[Attachment]) -> Self {
        let sector = usize::from(header.sector_size).max(512);
        let start = (usize::from(header.header_sectors) * sector).max(LOG_HEADER_BYTES);
        let mut bytes =
            vec![0; (sector * usize::from(header.file_sectors)).max(start + 2 * sector)];
        fill_pattern(&mut bytes, 0);
        header.write_to(attachments, &mut bytes[..LOG_HEADER_BYTES]);
        let mut log = Self {
            header,
            bytes,
            sector,
            at: start,
            ranges: Vec::new(),
        };
        log.begin_range(0);
        log
    }

    /// Where records must end: the last sector is kept for a shadow.
    fn limit(&self) -> usize {
        self.bytes.len() - self.sector
    }

    pub(super) fn position(&self) -> Lgpos {
        let (isec, ib) = (self.at / self.sector, self.at % self.sector);
        Lgpos::new(self.header.generation, isec as u16, ib as u16)
    }

    /// True when the record and an LRCHECKSUM behind it have room.
    pub(super) fn fits(&self, len: usize) -> bool {
        self.at + len + CHECKSUM_RECORD <= self.limit()
    }

    /// Appends a record, across sectors where it must; the caller has asked whether it fits.
    pub(super) fn append(&mut self, record: &[u8]) -> Lgpos {
        let position = self.position();
        self.put(record);
        position
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = (self.at + bytes.len()).min(self.limit());
        self.bytes[self.at..end].copy_from_slice(&bytes[..end - self.at]);
        self.at = end;
    }

    fn begin_range(&mut self, backwards: usize) {
        self.ranges.push(Range {
            at: self.at,
            backwards,
            forwards: 0,
            next: 0,
        });
        self.at += CHECKSUM_RECORD;
    }

    fn fill_sector(&mut self) {
        let end = self.at.next_multiple_of(self.sector).min(self.limit());
        self.bytes[self.at..end].fill(RecordKind::NOP.get());
        self.at = end;
    }

    /// Ends the open range where it may end: at once within its own sector, else at the last sector
    /// boundary. Says where it ended.
    fn end_range(&mut self) -> usize {
        let (at, sector) = (self.at, self.sector);
        let Some(range) = self.ranges.last_mut() else {
            return at;
        };
        let after = range.at + CHECKSUM_RECORD;
        let first_end = range.at - range.at % sector + sector;
        let end = if at <= first_end {
            at
        } else {
            at - at % sector
        };
        range.forwards = end - after;
        end
    }

    /// All so far is written: the range ends, and another begins in the sector that is not full.
    pub(super) fn flush(&mut self) {
        let Some(range) = self.ranges.last().copied() else {
            return;
        };
        if self.at == range.at + CHECKSUM_RECORD {
            // Nothing came since. At the end of a sector a link from here would be 0, which means that there is none.
            return;
        }
        let same_sector = self.at < range.at - range.at % self.sector + self.sector;
        if same_sector {
            self.end_range();
            return;
        }
        if self.at % self.sector + CHECKSUM_RECORD > self.sector {
            self.fill_sector();
        }
        self.end_range();
        self.link(self.at % self.sector);
    }

    /// Leads from the last range to a new one that begins here, if there is room for one.
    fn link(&mut self, backwards: usize) {
        if self.at + CHECKSUM_RECORD > self.limit() {
            return;
        }
        let at = self.at;
        if let Some(range) = self.ranges.last_mut() {
            range.next = at - (range.at + CHECKSUM_RECORD);
        }
        self.begin_range(backwards);
    }

    /// A crash left `dead` bytes at the start of a sector; the log went on behind them, in a range that
    /// does not cover them.
    pub(super) fn leave_dead(&mut self, dead: &[u8]) {
        self.fill_sector();
        self.end_range();
        let most = self.sector - CHECKSUM_RECORD;
        self.put(&dead[..dead.len().min(most)]);
        self.link(0);
    }

    /// The log is full: NOPs up to its end.
    pub(super) fn fill(&mut self) {
        let end = self.limit();
        self.bytes[self.at..end].fill(RecordKind::NOP.get());
        self.at = end;
    }

    /// The whole file.
    pub(super) fn finish(mut self, tail: Tail) -> Vec<u8> {
        let full = self.at == self.limit();
        if !full {
            self.flush();
        }
        self.end_range();
        let generation = self.header.generation;
        for range in &self.ranges {
            range.seal(&mut self.bytes, self.sector, generation, false);
        }
        match tail {
            Tail::Whole => {}
            Tail::Shadow => self.shadow(false),
            Tail::ShadowOnly => self.shadow(true),
            Tail::Torn => self.tear(),
        }
        self.bytes
    }

    fn shadow(&mut self, destroy: bool) {
        let Some(last) = self.ranges.last().copied() else {
            return;
        };
        let start = last.at - last.at % self.sector;
        if last.at + CHECKSUM_RECORD + last.forwards > start + self.sector {
            return;
        }
        let copy = self.bytes[start..start + self.sector].to_vec();
        let behind = start + self.sector;
        self.bytes[behind..behind + self.sector].copy_from_slice(&copy);
        let shadow = Range {
            at: last.at + self.sector,
            ..last
        };
        shadow.seal(&mut self.bytes, self.sector, self.header.generation, true);
        if destroy {
            self.bytes[start..behind].fill(0xEE);
        }
    }

    fn tear(&mut self) {
        let sector = self.sector;
        let several =
            |range: &&Range| range.at % sector + CHECKSUM_RECORD + range.forwards > sector;
        let Some(range) = self.ranges.iter().rev().find(several) else {
            return;
        };
        let from = range.at - range.at % sector + sector;
        fill_pattern(&mut self.bytes[from..], from);
    }
}
