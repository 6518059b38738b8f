//! `k`: the checksum of every page, in parallel, with the same result for any number of threads.
//!
//! Workers take chunks of the file in order from a shared counter, so that the disk is read nearly
//! sequentially, each into a buffer of its own. Memory: a chunk per worker, and at most
//! [`MAX_RUNS`] runs of bad pages; nothing grows with the file.

mod scan;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::identify::{self, FileKind};
use crate::error::{Error, Result};
use crate::format::dbheader::FileType;
use crate::format::dbheader::HeaderCopies;
use crate::format::ids::{DbTime, HEADER_PAGES, PageSize, Pgno};
use crate::jet::JetError;
use crate::problem::{Finding, Place, Problem};
use crate::progress::Progress;
use crate::storage::{Pages, Storage};

pub use scan::{BadKind, BadRun, MAX_RUNS};
pub(super) use scan::{Outcome, judge};

/// How to scan.
#[derive(Debug, Clone, Default)]
pub struct ChecksumOptions {
    /// Take this page size instead of the header's.
    pub page_size: Option<PageSize>,
    /// Only these pages, first to last; -1 and 0 are the two headers, as Eseutil numbers them.
    pub pages: Option<(i64, i64)>,
}

/// What the scan counted.
#[derive(Debug, Clone, Serialize)]
pub struct ChecksumReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Page size used.
    pub page_size: PageSize,
    /// True when the header says that this is a temporary database, whose checksums mean nothing.
    pub temporary: bool,
    /// The counters.
    #[serde(flatten)]
    pub counts: Counts,
    /// Pages that are bad, cannot be read, or can be corrected, in order; of more than
    /// [`MAX_RUNS`] runs the first.
    pub bad_pages: Vec<BadRun>,
    /// How many runs were left out of the list.
    pub runs_not_listed: u64,
    /// What it cost.
    #[serde(skip)]
    pub cost: Cost,
    /// Summary of the above as findings, one a run, at most as many as are listed.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// Counters of a scan, Eseutil's first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pages looked at, header and trailer pages included.
    pub seen: u64,
    /// Wrong beyond correction.
    pub bad: u64,
    /// With a single wrong bit (a block).
    pub correctable: u64,
    /// All zero.
    pub uninitialized: u64,
    /// Bad pages that hold the content of another page. Eseutil counts these as bad only.
    pub misplaced: u64,
    /// Pages that could not be read.
    pub unreadable: u64,
    /// Highest database time on a good page.
    pub highest_dbtime: DbTime,
    /// The first page that has it.
    pub highest_dbtime_page: Pgno,
}

/// Time and reads of a scan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Reads issued.
    pub reads: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Wall clock of the whole scan.
    pub elapsed: Duration,
    /// Sum of the time of all reads.
    pub reading: Duration,
    /// Slowest read.
    pub slowest: Duration,
    /// Fastest read.
    pub fastest: Duration,
}

impl ChecksumReport {
    /// What the operation ends with: as Eseutil, bad pages are -1206; an unreadable page without any
    /// bad one is its own error.
    #[must_use]
    pub fn jet(&self) -> JetError {
        if self.counts.bad > 0 || self.counts.seen == 0 {
            return JetError::DATABASE_CORRUPTED;
        }
        let unreadable = |run: &&BadRun| run.kind.is_unreadable();
        self.bad_pages
            .iter()
            .find(unreadable)
            .map_or(JetError::SUCCESS, |run| run.kind.jet())
    }
}

/// Checks every page of the database or streaming file at `path`.
///
/// # Errors
/// [`Error::Io`]; [`Error::NoDatabaseHeader`] when both headers are bad and no page size is forced;
/// [`Error::WrongFileType`] for logs, checkpoints and flush maps, which have checks of their own.
pub fn check_file(
    path: &Path,
    options: &ChecksumOptions,
    progress: &dyn Progress,
) -> Result<ChecksumReport> {
    let (file, start, kind) = identify::open(path)?;
    if let FileKind::Log { .. } | FileKind::Checkpoint | FileKind::FlushMap | FileKind::Undo = kind
    {
        let mode = kind.dump_mode().unwrap_or("mh");
        return Err(Error::WrongFileType {
            path: path.to_owned(),
            found: kind.words(),
            mode,
        });
    }
    let copies = HeaderCopies::read(&start, options.page_size);
    let page_size = options
        .page_size
        .or(copies.as_ref().map(|copies| copies.page_size))
        .ok_or_else(|| Error::NoDatabaseHeader {
            path: path.to_owned(),
        })?;
    let temporary = copies
        .as_ref()
        .and_then(HeaderCopies::header)
        .is_some_and(|header| header.file_type() == FileType::TempDatabase);
    let streaming = matches!(kind, FileKind::Streaming { .. });
    let mut report = check_storage(&file, page_size, options, streaming, progress)
        .map_err(|error| Error::io(path, "read", error))?;
    report.path = path.to_owned();
    report.temporary = temporary;
    Ok(report)
}

/// Checks every page of a storage. Of a streaming file only the two headers have checksums that the
/// file itself holds (those of its data live in the database), so only they are judged.
///
/// # Errors
/// When the storage's length cannot be had.
pub fn check_storage(
    storage: &dyn Storage,
    page_size: PageSize,
    options: &ChecksumOptions,
    streaming: bool,
    progress: &dyn Progress,
) -> std::io::Result<ChecksumReport> {
    let started = Instant::now();
    let pages = Pages::new(storage, page_size);
    let (count, tail) = pages.count()?;
    let end = if streaming {
        count.min(HEADER_PAGES)
    } else {
        count
    };
    let (first, end) = options.pages.map_or((0, end), |(from, to)| {
        let physical = |page: i64| page.saturating_add(HEADER_PAGES as i64 - 1).max(0) as u64;
        (
            physical(from).min(end),
            physical(to).saturating_add(1).min(end),
        )
    });
    let outcome = scan::run(&pages, count, first..end.max(first), progress);
    let mut findings: Vec<_> = outcome.runs.iter().map(BadRun::finding).collect();
    if tail > 0 {
        let detail = format!("{tail} bytes after the last whole page");
        findings.push(Finding::new(Problem::FileUneven, Place::default()).with_detail(detail));
    }
    Ok(ChecksumReport {
        path: PathBuf::new(),
        page_size,
        temporary: false,
        counts: outcome.counts,
        bad_pages: outcome.runs,
        runs_not_listed: outcome.runs_not_listed,
        cost: Cost {
            elapsed: started.elapsed(),
            ..outcome.cost
        },
        findings,
    })
}

#[cfg(test)]
mod tests;
