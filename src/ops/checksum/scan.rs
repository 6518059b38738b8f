//! The parallel walk over a file's pages.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Cost, Counts};
use crate::format::bytes::u32_at;
use crate::format::checksum::{self, Verdict};
use crate::format::dbheader::MAGIC;
use crate::format::ids::{DbTime, HEADER_PAGES, PageSize, Pgno};
use crate::format::page::Page;
use crate::format::trailer::Trailer;
use crate::jet::JetError;
use crate::problem::{Finding, Place, Problem};
use crate::progress::{Progress, Task};
use crate::storage::{PageFault, Pages, ReadBuffer, Storage};

/// Bytes that a worker reads at once: small enough to stay in the processor's second-level cache
/// while it is judged, large enough that calls do not count.
const CHUNK_BYTES: usize = 256 * 1024;
/// Runs of bad pages that are kept: 24 MiB at the most.
pub const MAX_RUNS: usize = 1 << 20;

/// What is wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BadKind {
    /// Wrong checksum.
    Checksum,
    /// Wrong checksum, but right for this page number.
    Misplaced(Pgno),
    /// This bit is wrong and can be corrected.
    Correctable(u32),
    /// The disk refused it.
    ReadError,
    /// The file ended before it.
    CutOff,
    /// A header page with a wrong checksum.
    Header,
    /// The trailer page of a backup copy with a wrong checksum.
    Trailer,
}

impl BadKind {
    /// True when the page's bytes could not be had at all.
    #[must_use]
    pub const fn is_unreadable(self) -> bool {
        matches!(self, Self::ReadError | Self::CutOff)
    }

    /// The JET number of this kind.
    #[must_use]
    pub const fn jet(self) -> JetError {
        self.problem().info().jet
    }

    const fn problem(self) -> Problem {
        match self {
            Self::Checksum => Problem::PageBadChecksum,
            Self::Misplaced(_) => Problem::PageMisplaced,
            Self::Correctable(_) => Problem::PageCorrectable,
            Self::ReadError => Problem::PageReadError,
            Self::CutOff => Problem::PageCutOff,
            Self::Header => Problem::HeaderPageChecksum,
            Self::Trailer => Problem::TrailerBad,
        }
    }
}

/// Neighbouring pages with the same thing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BadRun {
    /// The first page, as Eseutil numbers it: -1 header, 0 shadow header, then the page number.
    pub first: i64,
    /// How many.
    pub count: u64,
    /// What.
    pub kind: BadKind,
}

impl BadRun {
    /// The numbers of the pages.
    pub fn pages(&self) -> Range<i64> {
        self.first..self.first.saturating_add(self.count as i64)
    }

    /// As a finding.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let mut place = Place::default();
        match u32::try_from(self.first) {
            Ok(page) if page > 0 => place.page = Some(Pgno::new(page)),
            _ => {}
        }
        match self.kind {
            BadKind::Correctable(bit) => place.bit = Some(bit),
            BadKind::Misplaced(real) => place.other_page = Some(real),
            _ => {}
        }
        let detail = match (self.first, self.count) {
            (-1, 1) => "primary header".into(),
            (0, 1) => "shadow header".into(),
            (_, 1) => String::new(),
            (first, count) => format!("{count} pages, {first} to {}", first + count as i64 - 1),
        };
        Finding::new(self.kind.problem(), place).with_detail(detail)
    }
}

/// What all workers found together.
#[derive(Default)]
pub(in crate::ops) struct Outcome {
    pub counts: Counts,
    pub runs: Vec<BadRun>,
    pub runs_not_listed: u64,
    pub cost: Cost,
}

/// Judges the physical pages of `range`; `total` is the number of pages in the file.
pub(super) fn run<S: Storage + ?Sized>(
    pages: &Pages<'_, S>,
    total: u64,
    range: Range<u64>,
    progress: &dyn Progress,
) -> Outcome {
    let chunk_pages = (CHUNK_BYTES / pages.size().bytes()) as u64;
    let next = AtomicU64::new(range.start);
    let all = Mutex::new(Outcome::default());
    let count = range.end - range.start;
    progress.start(Task::pages("checking", count, pages.size().bytes()));
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| {
                let mut worker = Worker::new(*pages, total);
                loop {
                    let first = next.fetch_add(chunk_pages, Ordering::Relaxed);
                    if first >= range.end {
                        break;
                    }
                    let count = chunk_pages.min(range.end - first);
                    worker.chunk(first, count);
                    progress.advance(count);
                }
                all.lock()
                    .unwrap_or_else(|poison| poison.into_inner())
                    .add(worker.found);
            });
        }
    });
    progress.finish();
    let mut all = all
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner());
    all.settle();
    all
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.cost.add(&other.cost);
        self.runs.extend(other.runs);
        self.runs_not_listed += other.runs_not_listed;
    }

    /// Puts the runs in order and joins those that meet. A worker's list is in order, so what it
    /// left out comes after everything that is kept: the result is the same for any worker count.
    pub(in crate::ops) fn settle(&mut self) {
        self.runs.sort_unstable_by_key(|run| run.first);
        let extra = self.runs.len().saturating_sub(MAX_RUNS);
        self.runs.truncate(MAX_RUNS);
        self.runs_not_listed += extra as u64;
        self.runs.dedup_by(|next, run| {
            let joins = run.kind == next.kind
                && run.pages().end == next.first
                && !matches!(run.kind, BadKind::Correctable(_) | BadKind::Misplaced(_));
            if joins {
                run.count += next.count;
            }
            joins
        });
    }

    fn bad(&mut self, physical: u64, kind: BadKind) {
        let page = display_number(physical);
        match kind {
            BadKind::Correctable(_) => self.counts.correctable += 1,
            BadKind::ReadError | BadKind::CutOff => self.counts.unreadable += 1,
            BadKind::Misplaced(_) => {
                self.counts.misplaced += 1;
                self.counts.bad += 1;
            }
            BadKind::Checksum | BadKind::Header | BadKind::Trailer => self.counts.bad += 1,
        }
        if self.runs.len() < MAX_RUNS {
            self.runs.push(BadRun {
                first: page,
                count: 1,
                kind,
            });
        } else {
            self.runs_not_listed += 1;
        }
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.bad += other.bad;
        self.correctable += other.correctable;
        self.uninitialized += other.uninitialized;
        self.misplaced += other.misplaced;
        self.unreadable += other.unreadable;
        self.note_dbtime(other.highest_dbtime, other.highest_dbtime_page);
    }

    /// Of pages with the same time the first counts, so that the order of chunks does not matter.
    fn note_dbtime(&mut self, dbtime: DbTime, page: Pgno) {
        let higher = dbtime > self.highest_dbtime
            || (dbtime == self.highest_dbtime
                && dbtime != DbTime::ZERO
                && page < self.highest_dbtime_page);
        if higher {
            self.highest_dbtime = dbtime;
            self.highest_dbtime_page = page;
        }
    }
}

impl Cost {
    fn add(&mut self, other: &Self) {
        self.fastest = match (self.reads, other.reads) {
            (0, _) => other.fastest,
            (_, 0) => self.fastest,
            _ => self.fastest.min(other.fastest),
        };
        self.reads += other.reads;
        self.bytes += other.bytes;
        self.reading += other.reading;
        self.slowest = self.slowest.max(other.slowest);
    }

    fn note(&mut self, bytes: usize, took: Duration) {
        self.add(&Self {
            reads: 1,
            bytes: bytes as u64,
            elapsed: Duration::ZERO,
            reading: took,
            slowest: took,
            fastest: took,
        });
    }
}

/// Eseutil's number of a physical page: the headers are -1 and 0.
const fn display_number(physical: u64) -> i64 {
    physical as i64 - (HEADER_PAGES as i64 - 1)
}

struct Worker<'a, S: ?Sized> {
    pages: Pages<'a, S>,
    total: u64,
    buffer: ReadBuffer,
    found: Outcome,
}

impl<'a, S: Storage + ?Sized> Worker<'a, S> {
    fn new(pages: Pages<'a, S>, total: u64) -> Self {
        Self {
            pages,
            total,
            buffer: ReadBuffer::new(CHUNK_BYTES),
            found: Outcome::default(),
        }
    }

    fn chunk(&mut self, first: u64, count: u64) {
        let size = self.pages.size();
        let bytes = count as usize * size.bytes();
        let started = Instant::now();
        let read = self.pages.read_physical(first, &mut self.buffer[..bytes]);
        self.found.cost.note(bytes, started.elapsed());
        if read.is_ok() {
            for (physical, page) in (first..).zip(self.buffer[..bytes].chunks_exact(size.bytes())) {
                judge(&mut self.found, page, size, physical, self.total);
            }
            return;
        }
        // Some page of the chunk cannot be read: one by one, so that only that page is given up.
        for physical in first..first + count {
            let page = &mut self.buffer[..size.bytes()];
            match self.pages.read_physical(physical, page) {
                Ok(()) => judge(&mut self.found, page, size, physical, self.total),
                Err(fault) => {
                    self.found.counts.seen += 1;
                    let kind = match fault {
                        PageFault::Io(_) => BadKind::ReadError,
                        PageFault::CutOff => BadKind::CutOff,
                    };
                    self.found.bad(physical, kind);
                }
            }
        }
    }
}

/// Judges one page as Eseutil does: the first two are headers, the last one may be a trailer.
pub(in crate::ops) fn judge(
    found: &mut Outcome,
    page: &[u8],
    size: PageSize,
    physical: u64,
    total: u64,
) {
    found.counts.seen += 1;
    if physical < HEADER_PAGES {
        judge_header(found, page, physical);
        return;
    }
    let pgno = Pgno::new((physical - (HEADER_PAGES - 1)) as u32);
    if physical + 1 == total && Trailer::looks_like(page) && u32_at(page, 0) != Some(0) {
        if !checksum::header_is_good(page) {
            found.bad(physical, BadKind::Trailer);
        }
        return;
    }
    match checksum::verify(page, size, pgno) {
        Verdict::Uninitialized => found.counts.uninitialized += 1,
        Verdict::Good => note_dbtime(found, page, size, pgno),
        Verdict::Correctable { bit } => {
            note_dbtime(found, page, size, pgno);
            found.bad(physical, BadKind::Correctable(bit));
        }
        // The code misses some damage of many bytes; a page number that the file does not have
        // tells that this was damage and no misplaced write.
        Verdict::Bad {
            belongs_to: Some(real),
        } if !real.is_null() && real.physical() < total => {
            found.bad(physical, BadKind::Misplaced(real));
        }
        Verdict::Bad { .. } => found.bad(physical, BadKind::Checksum),
    }
}

/// A zeroed header counts as uninitialised, as in Eseutil: the other copy is used.
fn judge_header(found: &mut Outcome, page: &[u8], physical: u64) {
    if checksum::header_is_good(page) {
        return;
    }
    if u32_at(page, 4) != Some(MAGIC) && page.iter().all(|byte| *byte == 0) {
        found.counts.uninitialized += 1;
    } else {
        found.bad(physical, BadKind::Header);
    }
}

fn note_dbtime(found: &mut Outcome, page: &[u8], size: PageSize, pgno: Pgno) {
    if let Some(page) = Page::new(page, size) {
        found.counts.note_dbtime(page.dbtime(), pgno);
    }
}
