//! What all passes share: the database, the findings, the flush map, progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::db::flush_map::FlushMap;
use crate::db::{Database, PageBytes, PageError};
use crate::format::ids::{Objid, Pgno};
use crate::format::page::Page;
use crate::problem::{Finding, Place, Problem};
use crate::progress::Progress;

/// Findings that are kept. More than this nobody reads; they are still counted.
const KEPT: usize = 100_000;

/// What all passes share.
pub(super) struct Context<'a> {
    pub db: &'a Database,
    flush_map: Option<&'a FlushMap>,
    progress: &'a dyn Progress,
    findings: Mutex<Vec<Finding>>,
    not_kept: AtomicU64,
}

impl<'a> Context<'a> {
    pub fn new(
        db: &'a Database,
        flush_map: Option<&'a FlushMap>,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            db,
            flush_map,
            progress,
            findings: Mutex::default(),
            not_kept: AtomicU64::new(0),
        }
    }

    /// Notes a finding.
    pub fn report(&self, finding: Finding) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() < KEPT {
            findings.push(finding);
        } else {
            self.not_kept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells that pages were looked at.
    pub fn advance(&self, pages: u64) {
        self.progress.advance(pages);
    }

    /// Reads a page of a tree and reports it when it cannot be used.
    pub fn read<'b>(
        &self,
        pgno: Pgno,
        place: &Subject<'_>,
        into: &'b mut PageBytes,
    ) -> Option<Page<'b>> {
        let read = self.db.read(pgno, into).map(|_| ());
        let outcome = read.map(|()| (into.corrected(), into.page()));
        self.accept(pgno, place, outcome)
    }

    /// As [`Context::read`], for bytes that are already here; they are corrected in place.
    pub fn judge<'b>(
        &self,
        pgno: Pgno,
        place: &Subject<'_>,
        bytes: &'b mut [u8],
    ) -> Option<Page<'b>> {
        let verdict = self.db.judge(pgno, bytes);
        let page = Page::new(bytes, self.db.page_size())?;
        self.accept(pgno, place, verdict.map(|corrected| (corrected, page)))
    }

    fn accept<'b>(
        &self,
        pgno: Pgno,
        place: &Subject<'_>,
        outcome: Result<(Option<u32>, Page<'b>), PageError>,
    ) -> Option<Page<'b>> {
        let problem = match outcome {
            Ok((corrected, page)) => {
                if self.flush_map.is_some_and(|map| map.lost(pgno, page)) {
                    self.bad_page(pgno, Problem::PageLostFlush, place, -1119);
                    return None;
                }
                if let Some(bit) = corrected {
                    let mut at = place.page(pgno);
                    at.bit = Some(bit);
                    self.report(Finding::new(Problem::PageCorrectable, at));
                }
                return Some(page);
            }
            Err(error) => error,
        };
        let kind = match &problem {
            PageError::Beyond => Problem::PageBeyond,
            PageError::Storage(crate::storage::PageFault::CutOff) => Problem::PageCutOff,
            PageError::Storage(_) => Problem::PageReadError,
            PageError::Uninitialized => {
                // A page that was written once and is zero now: that write was lost.
                match self.flush_map.map_or(0, |map| map.flush_type(pgno)) {
                    0 => Problem::PageUninitialized,
                    _ => Problem::PageLostFlush,
                }
            }
            PageError::Checksum {
                belongs_to: Some(_),
            } => Problem::PageMisplaced,
            PageError::Checksum { belongs_to: None } => Problem::PageBadChecksum,
            PageError::WrongNumber(_) => Problem::PageNumber,
            PageError::LostWrite => Problem::PageLostFlush,
        };
        self.bad_page(pgno, kind, place, kind.info().jet.code());
        None
    }

    fn bad_page(&self, pgno: Pgno, problem: Problem, place: &Subject<'_>, jet: i32) {
        let detail = format!("page {pgno}: error {jet} on read");
        self.report(Finding::new(problem, place.page(pgno)).with_detail(detail));
    }

    /// All findings in an order that does not depend on threads.
    pub fn into_findings(self) -> (Vec<Finding>, u64) {
        let mut findings = self
            .findings
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        findings.sort_by(|a, b| {
            let key = |f: &Finding| (f.problem, f.place.objid, f.place.page, f.place.line);
            key(a).cmp(&key(b)).then_with(|| a.detail.cmp(&b.detail))
        });
        findings.dedup();
        (findings, self.not_kept.into_inner())
    }
}

/// What a pass is looking at, for the place of its findings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Subject<'a> {
    pub table: Option<&'a str>,
    pub index: Option<&'a str>,
    pub objid: Objid,
}

impl Subject<'_> {
    /// A page of it.
    pub fn page(&self, pgno: Pgno) -> Place {
        Place {
            page: (!pgno.is_null()).then_some(pgno),
            objid: Some(self.objid),
            table: self.table.map(str::to_owned),
            index: self.index.map(str::to_owned),
            ..Place::default()
        }
    }

    /// A node of it.
    pub fn node(&self, pgno: Pgno, line: usize) -> Place {
        Place {
            line: Some(line),
            ..self.page(pgno)
        }
    }
}
