//! `mh`: the headers of a database or streaming file.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::identify::{self, FileKind};
use super::required_logs::{self, RequiredLogs};
use crate::error::{Error, Result};
use crate::format::dbheader::{CopyState, DbHeader, DbState, HeaderCopies, WhichCopy};
use crate::format::ids::PageSize;
use crate::format::trailer::Trailer;
use crate::jet::JetError;
use crate::problem::{Finding, Place, Problem};
use crate::storage::{FileStorage, Storage as _};

/// What to look at beside the header.
#[derive(Debug, Clone, Default)]
pub struct HeaderOptions {
    /// Take this page size instead of probing for it.
    pub page_size: Option<PageSize>,
    /// Look for the logs that the database needs: beside it, or in this directory.
    pub logs: LogSearch,
    /// Streaming file that should belong to the database.
    pub streaming: Option<PathBuf>,
}

/// Where to look for the required logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LogSearch {
    /// Do not look.
    #[default]
    No,
    /// In the database's directory.
    Beside,
    /// In this directory.
    In(PathBuf),
}

/// The headers of one file.
#[derive(Debug, Clone, Serialize)]
pub struct HeaderReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Database or streaming file.
    pub streaming_file: bool,
    /// State in words.
    pub state: Option<DbState>,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Both copies and the choice between them.
    #[serde(flatten)]
    pub copies: HeaderCopies,
    /// The trailer page of a backup copy.
    pub trailer: Option<Trailer>,
    /// The logs that recovery needs, if they were looked for and any are needed.
    pub required_logs: Option<RequiredLogs>,
    /// Whether the streaming file asked about belongs to the database.
    pub streaming_pair: Option<StreamingPair>,
    /// What is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// A database and a streaming file compared.
#[derive(Debug, Clone, Serialize)]
pub struct StreamingPair {
    /// The streaming file.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub path: PathBuf,
    /// True when its signature is the database's.
    pub belongs: bool,
}

impl HeaderReport {
    /// The fields of the copy to believe.
    #[must_use]
    pub fn header(&self) -> Option<&DbHeader> {
        self.copies.header()
    }

    /// What the operation ends with. Bad copies are told, but as long as one is good Eseutil calls
    /// the dump a success, and scripts rely on it.
    #[must_use]
    pub fn jet(&self) -> JetError {
        if self.copies.chosen.is_none() {
            JetError::DATABASE_CORRUPTED
        } else if self
            .streaming_pair
            .as_ref()
            .is_some_and(|pair| !pair.belongs)
        {
            JetError::DATABASE_STREAMING_FILE_MISMATCH
        } else {
            JetError::SUCCESS
        }
    }
}

/// Reads the headers of the file at `path`.
///
/// # Errors
/// [`Error::Io`]; [`Error::WrongFileType`] for logs, checkpoints, flush maps;
/// [`Error::NoDatabaseHeader`] when neither copy is good and no page size was forced;
/// [`Error::TrailerMismatch`] for a backup copy whose trailer page is not its own.
pub fn read_headers(path: &Path, options: &HeaderOptions) -> Result<HeaderReport> {
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
    let copies =
        HeaderCopies::read(&start, options.page_size).ok_or_else(|| Error::NoDatabaseHeader {
            path: path.to_owned(),
        })?;
    let header = copies.header();
    let mut report = HeaderReport {
        path: path.to_owned(),
        streaming_file: header.is_some_and(DbHeader::is_streaming_file),
        state: header.map(DbHeader::db_state),
        file_bytes: file.len().map_err(|error| Error::io(path, "read", error))?,
        trailer: None,
        required_logs: None,
        streaming_pair: None,
        findings: judge_copies(&copies),
        copies,
    };
    let Some(header) = report.header().cloned() else {
        return Ok(report);
    };
    if header.is_backup_copy() {
        report.trailer = Some(read_trailer(&file, path, &header, report.copies.page_size)?);
    }
    judge_file(&mut report, &header);
    let required = report.trailer.filter(Trailer::has_generations);
    report.required_logs = match &options.logs {
        LogSearch::No => None,
        LogSearch::Beside => required_logs::find(&header, required.as_ref(), path.parent()),
        LogSearch::In(dir) => required_logs::find(&header, required.as_ref(), Some(dir)),
    };
    if let Some(streaming) = &options.streaming {
        let pair = pair_with(&header, streaming)?;
        if !pair.belongs {
            let place = Place::file(streaming.to_string_lossy());
            report
                .findings
                .push(Finding::new(Problem::FileStreamingMismatch, place));
        }
        report.streaming_pair = Some(pair);
    }
    Ok(report)
}

pub(super) fn judge_copies(copies: &HeaderCopies) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |problem, detail: &str| {
        findings.push(Finding::new(problem, Place::default()).with_detail(detail));
    };
    match copies.chosen {
        None => add(Problem::HeaderBothBad, ""),
        Some(WhichCopy::Primary) if copies.shadow.state != CopyState::Good => {
            add(
                Problem::HeaderShadowBad,
                copy_state_words(copies.shadow.state),
            );
        }
        Some(WhichCopy::Primary) if !copies.identical => add(Problem::HeaderCopiesDiffer, ""),
        Some(WhichCopy::Primary) => {}
        Some(WhichCopy::Shadow) => {
            add(
                Problem::HeaderPrimaryBad,
                copy_state_words(copies.primary.state),
            );
        }
    }
    if copies.page_size == PageSize::K2 {
        add(Problem::HeaderLegacyPageSize, "");
    }
    findings
}

const fn copy_state_words(state: CopyState) -> &'static str {
    match state {
        CopyState::Good => "good",
        CopyState::BadChecksum => "wrong checksum",
        CopyState::Zeroed => "all zero",
        CopyState::Missing => "file too short",
        CopyState::WrongSize => "names another page size",
    }
}

fn judge_file(report: &mut HeaderReport, header: &DbHeader) {
    let page = report.copies.page_size.bytes() as u64;
    if !report.file_bytes.is_multiple_of(page) {
        let detail = format!(
            "{} bytes, {} more than whole pages",
            report.file_bytes,
            report.file_bytes % page
        );
        report
            .findings
            .push(Finding::new(Problem::FileUneven, Place::default()).with_detail(detail));
    }
    if !matches!(header.db_state(), DbState::CleanShutdown) && !report.streaming_file {
        let detail = format!("state: {}", header.db_state().words());
        report
            .findings
            .push(Finding::new(Problem::HeaderDirty, Place::default()).with_detail(detail));
    }
}

/// The trailer page is the last whole page of the file; it must carry the signatures and the backup
/// mark of the header. [engine source]
fn read_trailer(
    file: &FileStorage,
    path: &Path,
    header: &DbHeader,
    size: PageSize,
) -> Result<Trailer> {
    let len = file.len().map_err(|error| Error::io(path, "read", error))?;
    let page_bytes = size.bytes() as u64;
    let last = (len / page_bytes).saturating_sub(1) * page_bytes;
    let mut page = vec![0; size.bytes()];
    file.read_exact_at(last, &mut page)
        .map_err(|error| Error::io(path, "read", error))?;
    Trailer::read(&page)
        .filter(|trailer| trailer.is_of(header))
        .ok_or_else(|| Error::TrailerMismatch {
            path: path.to_owned(),
        })
}

/// A streaming file belongs to a database when the streaming signatures are equal; files from before
/// that signature existed are compared by the database signature. [format notes 11.3]
fn pair_with(header: &DbHeader, streaming: &Path) -> Result<StreamingPair> {
    let (_, start, kind) = identify::open(streaming)?;
    let other = HeaderCopies::read(&start, None)
        .filter(|_| matches!(kind, FileKind::Streaming { .. }))
        .ok_or_else(|| Error::WrongFileType {
            path: streaming.to_owned(),
            found: format!("{}, not a streaming file", kind.words()),
            mode: kind.dump_mode().unwrap_or("mh"),
        })?;
    let belongs = other.header().is_some_and(|other| {
        if header.sign_slv.is_set() || other.sign_slv.is_set() {
            header.sign_slv == other.sign_slv
        } else {
            header.sign_db == other.sign_db
        }
    });
    Ok(StreamingPair {
        path: streaming.to_owned(),
        belongs,
    })
}
