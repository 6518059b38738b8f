//! `mp`: the header of a flush map (`.jfm`), and the checksums of its data pages.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::identify::{self, FileKind};
use crate::error::{Error, Result};
use crate::format::checksum::Verdict;
use crate::format::flushmap::{self, FlushMapHeader};
use crate::jet::JetError;
use crate::problem::{self, Finding, Place, Problem, Severity};
use crate::storage::Pages;

/// A flush map.
#[derive(Debug, Clone, Serialize)]
pub struct FlushMapReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Checksum in the header.
    pub stored_checksum: u64,
    /// Checksum of its content.
    pub computed_checksum: u64,
    /// The header's fields.
    #[serde(flatten)]
    pub header: FlushMapHeader,
    /// Data pages in the file.
    pub data_pages: u64,
    /// What is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl FlushMapReport {
    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        if problem::worst(&self.findings) == Some(Severity::Error) {
            JetError::READ_VERIFY_FAILURE
        } else {
            JetError::SUCCESS
        }
    }
}

/// Reads the flush map at `path`.
///
/// # Errors
/// [`Error::Io`]; [`Error::WrongFileType`] for another kind of file; [`Error::FlushMapCorrupt`] when
/// the header's checksum is wrong.
pub fn read_flush_map(path: &Path) -> Result<FlushMapReport> {
    let (file, start, kind) = identify::open(path)?;
    if let Some(mode) = kind.dump_mode().filter(|_| kind != FileKind::FlushMap) {
        return Err(Error::WrongFileType {
            path: path.to_owned(),
            found: kind.words(),
            mode,
        });
    }
    let corrupt = || Error::FlushMapCorrupt {
        path: path.to_owned(),
    };
    let page = start.get(..flushmap::PAGE.bytes()).ok_or_else(corrupt)?;
    let (stored_checksum, computed_checksum) = flushmap::header_sums(page);
    if stored_checksum != computed_checksum {
        return Err(corrupt());
    }
    let header = FlushMapHeader::parse(page).map_err(|source| Error::Malformed {
        path: path.to_owned(),
        source,
    })?;
    let pages = Pages::new(&file, flushmap::PAGE);
    let (count, _) = pages
        .count()
        .map_err(|error| Error::io(path, "read", error))?;
    let data_pages = count.saturating_sub(1);
    let mut findings = Vec::new();
    let mut buffer = vec![0; flushmap::PAGE.bytes()];
    for number in 0..data_pages {
        let problem = match pages.read_physical(number + 1, &mut buffer) {
            Err(_) => Some(Problem::PageReadError),
            Ok(()) => match flushmap::verify_data_page(&buffer, number as u32) {
                Verdict::Good | Verdict::Uninitialized => None,
                Verdict::Correctable { .. } => Some(Problem::PageCorrectable),
                Verdict::Bad { .. } => Some(Problem::PageBadChecksum),
            },
        };
        findings.extend(problem.map(|problem| {
            let offset = (number + 1) * flushmap::PAGE.bytes() as u64;
            let place = Place {
                offset: Some(offset),
                ..Place::default()
            };
            Finding::new(problem, place).with_detail(format!("flush map data page {number}"))
        }));
    }
    Ok(FlushMapReport {
        path: path.to_owned(),
        stored_checksum,
        computed_checksum,
        header,
        data_pages,
        findings,
    })
}
