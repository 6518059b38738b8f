//! Reads the records of a log from the first to the last, counts them, and hands them on.

use serde::Serialize;

use crate::format::logrec::{Record, RecordKind};
use crate::format::stamp::Lgpos;
use crate::log::generation::LoadedLog;
use crate::log::records::RecordsFault;
use crate::log::segments::{SEGMENT_BYTES, SegmentHead};

use super::replay_io::{IoModel, PageRefs};

/// Who wants to see the records.
pub trait RecordSink {
    /// A segment of the new format is entered; records that begin in it follow.
    fn segment(&mut self, _head: SegmentHead) {}

    /// A record. Padding of single bytes comes in the old format only, as in the engine's dump.
    fn record(&mut self, place: RecordPlace, bytes: &[u8], record: &Record<'_>);
}

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// Its position, which other records refer to it by.
    pub at: Lgpos,
    /// Where the padding before it begins, or `at`. The engine's dump prints this. \[verified\]
    pub printed: Lgpos,
}

/// Records of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KindCount {
    /// How many.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How many records of each type a log has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram([KindCount; KINDS]);

const KINDS: usize = RecordKind::LAST.get() as usize + 1;

impl Default for Histogram {
    fn default() -> Self {
        Self([KindCount::default(); KINDS])
    }
}

impl Histogram {
    fn add(&mut self, kind: RecordKind, bytes: usize) {
        if let Some(count) = self.0.get_mut(usize::from(kind.get())) {
            count.records += 1;
            count.bytes += bytes as u64;
        }
    }

    /// The types that occur, by number.
    pub fn kinds(&self) -> impl Iterator<Item = (RecordKind, KindCount)> + '_ {
        (0..)
            .map(RecordKind::new)
            .zip(self.0)
            .filter(|(_, count)| count.records > 0)
    }

    /// The sum of all types.
    #[must_use]
    pub fn total(&self) -> KindCount {
        self.0
            .iter()
            .fold(KindCount::default(), |sum, count| KindCount {
                records: sum.records + count.records,
                bytes: sum.bytes + count.bytes,
            })
    }
}

impl Serialize for Histogram {
    /// An object: the type's name to `records` and `bytes`.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.kinds().map(|(kind, count)| (kind.to_string(), count)))
    }
}

/// What a walk over the records of a log found.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Records by type.
    pub histogram: Histogram,
    /// Pages that they name; empty unless they were asked for.
    pub refs: PageRefs,
    /// Why it ended early.
    pub fault: Option<RecordsFault>,
}

/// What `ml` tells of the records of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordSummary {
    /// Records by type.
    pub histogram: Histogram,
    /// References to pages.
    pub page_references: u64,
    /// What a replay has to read and write; absent for a log with more references than a real one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io: Option<IoModel>,
}

impl Tally {
    /// The summary for a log of a database with pages of this size (0 is 4096, as in a log header).
    #[must_use]
    pub fn summary(&mut self, page_bytes: u16) -> RecordSummary {
        let page_bytes = if page_bytes == 0 { 4096 } else { page_bytes };
        RecordSummary {
            histogram: self.histogram.clone(),
            page_references: self.refs.count(),
            io: self.refs.model(page_bytes.into()),
        }
    }
}

/// Only checks that the records of a log can be read.
#[must_use]
pub fn check(log: &LoadedLog) -> Option<RecordsFault> {
    walk(log, None).fault
}

/// Reads all records. Without a sink nothing but their lengths and places is looked at.
pub fn walk(log: &LoadedLog, mut sink: Option<&mut dyn RecordSink>) -> Tally {
    let mut tally = Tally::default();
    let old = log.head.header.is_old_format();
    let mut reader = log.records().with_padding();
    let mut segments = Segments::new(log);
    let mut padding = None;
    loop {
        let placed = match reader.next() {
            Ok(Some(placed)) => placed,
            Ok(None) => {
                segments.enter(log.extent.end, &mut sink);
                break;
            }
            Err(fault) => {
                segments.enter(log.offset(fault.at) + 1, &mut sink);
                tally.fault = Some(fault);
                break;
            }
        };
        segments.enter(placed.behind, &mut sink);
        let kind = RecordKind::new(placed.bytes[0]);
        if kind == RecordKind::NOP && !old {
            // The rest of a segment.
            padding.get_or_insert(placed.at);
            continue;
        }
        let place = RecordPlace {
            at: placed.at,
            printed: padding.take().unwrap_or(placed.at),
        };
        tally.take(place, placed.bytes, &mut sink);
    }
    if tally.histogram.total().records == 0 && !old && tally.fault.is_none() {
        // An engine that finds nothing makes up one byte of padding, and prints it. [engine source]
        let at = log.position(log.extent.start);
        tally.take(RecordPlace { at, printed: at }, &[0], &mut sink);
    }
    tally
}

impl Tally {
    fn take(&mut self, place: RecordPlace, bytes: &[u8], sink: &mut Option<&mut dyn RecordSink>) {
        let kind = bytes.first().copied().unwrap_or_default();
        self.histogram.add(RecordKind::new(kind), bytes.len());
        let Some(sink) = sink else {
            return;
        };
        // The reader has measured the record with the same rules.
        if let Ok(record) = Record::parse(bytes) {
            self.refs.add(&record);
            sink.record(place, bytes, &record);
        }
    }
}

/// Tells of each segment when its first record is met.
struct Segments<'a> {
    log: &'a LoadedLog,
    next: usize,
}

impl<'a> Segments<'a> {
    fn new(log: &'a LoadedLog) -> Self {
        Self {
            log,
            next: if log.head.header.is_old_format() {
                usize::MAX
            } else {
                log.extent.start - log.extent.start % SEGMENT_BYTES
            },
        }
    }

    #[inline]
    fn enter(&mut self, behind: usize, sink: &mut Option<&mut dyn RecordSink>) {
        while self.next < behind.min(self.log.extent.end) {
            let segment = self.log.bytes.get(self.next..self.next + SEGMENT_BYTES);
            if let (Some(sink), Some(head)) = (sink.as_mut(), segment.and_then(SegmentHead::parse))
            {
                sink.segment(head);
            }
            self.next += SEGMENT_BYTES;
        }
    }
}
