//! What a copy ends with.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::ranges::Ranges;
use crate::format::filekind::FileKind;
use crate::format::ids::{HEADER_PAGES, PageSize, Pgno};
use crate::jet::JetError;
use crate::ops::checksum::{BadRun, Counts};
use crate::problem::{Finding, Place, Problem};

/// Findings of one kind that are kept; the lists of ranges and pages are whole.
const FINDINGS: usize = 10_000;

/// What became of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyOutcome {
    /// Every byte is there.
    Copied,
    /// The file is made, with zeroes for what could not be read.
    Filled,
    /// The file is not made: something could not be read.
    Incomplete,
}

/// Bytes that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UnreadRange {
    /// Where they begin in the file.
    pub offset: u64,
    /// How many.
    pub bytes: u64,
}

/// Neighbouring pages, as Eseutil numbers them: -1 header, 0 shadow header, then the page number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PageRun {
    /// The first.
    pub first: i64,
    /// How many.
    pub count: u64,
}

/// What the checksums of a database's pages say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The counters of `k`; pages that could not be read are not seen.
    #[serde(flatten)]
    pub counts: Counts,
    /// Pages that are bad or can be corrected, in order.
    pub bad_pages: Vec<BadRun>,
    /// How many runs were left out of the list.
    pub runs_not_listed: u64,
}

/// What was copied.
#[derive(Debug, Clone, Serialize)]
pub struct CopyReport {
    /// The source.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub source: PathBuf,
    /// The destination.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub dest: PathBuf,
    /// What became of it.
    pub outcome: CopyOutcome,
    /// What the source is, by its content.
    pub kind: FileKind,
    /// Its page size, where it has pages.
    pub page_size: Option<PageSize>,
    /// Its length.
    pub bytes: u64,
    /// Bytes that this run read from it.
    pub bytes_read: u64,
    /// Bytes that an earlier run had copied.
    pub bytes_before: u64,
    /// Bytes that this run wrote.
    pub bytes_written: u64,
    /// Zeroes that this run did not write, because the file holds zeroes anyway.
    pub bytes_left_out: u64,
    /// Reads that failed, of any size; what failed was tried again in smaller pieces.
    pub failed_reads: u64,
    /// What the system said at the first of them.
    pub cause: Option<String>,
    /// What could not be read in the end. Of an incomplete copy without map only the first.
    pub unread: Vec<UnreadRange>,
    /// The pages that these bytes belong to; empty where there are no pages.
    pub unread_pages: Vec<PageRun>,
    /// Part file and map, where they are kept for another run.
    pub kept: Option<Kept>,
    /// The checksums of pages, where they were judged.
    pub verified: Option<Verified>,
    /// What is wrong with the copied log, where it was judged: success when nothing is.
    pub verified_log: Option<JetError>,
    /// How long it took.
    #[serde(skip)]
    pub elapsed: Duration,
    /// The above as findings, at most 10,000 of a kind.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// What an incomplete copy leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What was copied.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub part: PathBuf,
    /// What of it is good.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub map: PathBuf,
}

impl CopyReport {
    /// What the operation ends with: -1022 when the copy was not made; -1206 or the log's number when it was, and
    /// what was verified is damaged; as in Eseutil 595 when it has zeroes for what could not be read.
    #[must_use]
    pub fn jet(&self) -> JetError {
        if self.outcome == CopyOutcome::Incomplete {
            return JetError::DISK_IO;
        }
        if self.verified.as_ref().is_some_and(|it| it.counts.bad > 0) {
            return JetError::DATABASE_CORRUPTED;
        }
        match self.verified_log {
            Some(jet) if jet.is_error() => jet,
            _ if self.outcome == CopyOutcome::Filled => JetError::DATABASE_REPAIRED,
            _ => JetError::SUCCESS,
        }
    }

    /// Bytes that could not be read.
    #[must_use]
    pub fn unread_bytes(&self) -> u64 {
        self.unread.iter().map(|range| range.bytes).sum()
    }

    /// Pages that they belong to.
    #[must_use]
    pub fn unread_page_count(&self) -> u64 {
        self.unread_pages.iter().map(|run| run.count).sum()
    }

    /// Makes the findings of what the report holds.
    pub(super) fn find(&mut self) {
        let problem = match self.outcome {
            CopyOutcome::Incomplete => Problem::CopyUnread,
            _ => Problem::CopyFilled,
        };
        let mut findings: Vec<Finding> = if self.page_size.is_some() {
            let runs = self.unread_pages.iter().take(FINDINGS);
            runs.map(|run| page_finding(problem, run)).collect()
        } else {
            let ranges = self.unread.iter().take(FINDINGS);
            ranges.map(|range| range_finding(problem, range)).collect()
        };
        if let Some(verified) = &self.verified {
            let runs = verified.bad_pages.iter().take(FINDINGS);
            findings.extend(runs.map(BadRun::finding));
        }
        if let Some(jet) = self.verified_log.filter(|jet| jet.is_error()) {
            let place = Place::file(self.dest.to_string_lossy());
            findings.push(Finding::new(Problem::LogDamaged, place).with_detail(jet.to_string()));
        }
        self.findings = findings;
    }
}

fn page_finding(problem: Problem, run: &PageRun) -> Finding {
    let page = u32::try_from(run.first).ok().filter(|page| *page > 0);
    let place = Place {
        page: page.map(Pgno::new),
        ..Place::default()
    };
    let last = run.first.saturating_add_unsigned(run.count) - 1;
    let detail = match (run.first, run.count) {
        (-1, 1) => "primary header".into(),
        (0, 1) => "shadow header".into(),
        (_, 1) => String::new(),
        (first, count) => format!("{count} pages, {first} to {last}"),
    };
    Finding::new(problem, place).with_detail(detail)
}

fn range_finding(problem: Problem, range: &UnreadRange) -> Finding {
    let place = Place {
        offset: Some(range.offset),
        ..Place::default()
    };
    Finding::new(problem, place).with_detail(format!(
        "{} bytes at offset {:#x}",
        range.bytes, range.offset
    ))
}

/// The ranges as the report lists them.
pub(super) fn unread(bad: &Ranges) -> Vec<UnreadRange> {
    bad.iter()
        .map(|range| UnreadRange {
            offset: range.start,
            bytes: range.end - range.start,
        })
        .collect()
}

/// The pages that ranges belong to.
pub(super) fn pages_of(bad: &Ranges, size: PageSize) -> Vec<PageRun> {
    let size = size.bytes() as u64;
    let mut pages = Ranges::default();
    for range in bad.iter() {
        pages.insert(range.start / size..range.end.div_ceil(size));
    }
    let number = |physical: u64| physical as i64 - (HEADER_PAGES as i64 - 1);
    pages
        .iter()
        .map(|range| PageRun {
            first: number(range.start),
            count: range.end - range.start,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{PageRun, pages_of};
    use crate::format::ids::PageSize;
    use crate::ops::copy_file::ranges::Ranges;

    #[test]
    fn sectors_belong_to_pages() {
        let mut bad = Ranges::default();
        for sector in [0, 7, 8, 15, 16, 100] {
            bad.insert(sector * 512..(sector + 1) * 512);
        }
        let run = |first, count| PageRun { first, count };
        assert_eq!(pages_of(&bad, PageSize::K4), [run(-1, 3), run(11, 1)]);
        assert_eq!(pages_of(&bad, PageSize::K32), [run(-1, 2)]);
        assert!(pages_of(&Ranges::default(), PageSize::K8).is_empty());
    }
}
