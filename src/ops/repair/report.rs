//! What a repair tells.

use std::path::PathBuf;

use serde::Serialize;

use crate::check::CheckReport;
use crate::format::dbheader::DbState;
use crate::format::ids::{PageSize, Pgno};
use crate::jet::JetError;
use crate::ops::required_logs::RequiredLogs;
use crate::ops::temp_file::Space;
use crate::problem::Finding;
use crate::repair::Losses;
use crate::salvage::HeaderEvidence;

/// What came of a repair, or would come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing is wrong; the file was not touched.
    Sound,
    /// Single bits, or one copy of the header, were mended in place; nothing else was wrong.
    Mended,
    /// It was written anew.
    Repaired,
    /// The user said no.
    Cancelled,
}

/// The new database.
#[derive(Debug, Clone, Serialize)]
pub struct NewFile {
    /// Where it is.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub path: PathBuf,
    /// Its last page.
    pub last_page: Pgno,
    /// Its length in bytes.
    pub bytes: u64,
    /// Records, entries and long value nodes in it.
    pub nodes: u64,
}

/// The result of a repair.
#[derive(Debug, Clone, Serialize)]
pub struct RepairReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Nothing was changed; it tells what would be done.
    pub dry_run: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// State before.
    pub state: DbState,
    /// Page size.
    #[serde(serialize_with = "page_size_bytes")]
    pub page_size: PageSize,
    /// The header was made from the pages.
    pub made_header: Option<HeaderEvidence>,
    /// Logs that would bring a dirty database to the end of its transactions, which is better than a repair.
    pub required_logs: Option<RequiredLogs>,
    /// What the check found before.
    pub check: CheckReport,
    /// Pages in which a wrong bit was corrected in place.
    pub bits_mended: u64,
    /// A copy of the header was written from the other.
    pub header_mended: bool,
    /// Pages that were read from another place than their own.
    pub pages_found_elsewhere: u64,
    /// What was kept, changed and lost.
    pub losses: Option<Losses>,
    /// Room that was asked for.
    pub space: Vec<Space>,
    /// The new database.
    pub new_file: Option<NewFile>,
    /// Where the original is now.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub original: Option<PathBuf>,
    /// The undo file that gives the original back.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub undo_file: Option<PathBuf>,
    /// Undo files of interrupted runs that were taken back first.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub taken_back: Vec<PathBuf>,
    /// What is still wrong: entries of indexes over Unicode text whose sort keys are not known.
    pub left: Vec<Finding>,
}

impl RepairReport {
    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        match self.outcome {
            Outcome::Sound if !self.left.is_empty() => JetError::SECONDARY_INDEX_CORRUPTED,
            Outcome::Sound => JetError::SUCCESS,
            Outcome::Mended if self.dry_run => JetError::SUCCESS,
            Outcome::Mended => JetError::SUCCESS,
            // What the plan tells is damage that is still there.
            Outcome::Repaired if self.dry_run => JetError::DATABASE_CORRUPTED,
            Outcome::Repaired => JetError::DATABASE_REPAIRED,
            Outcome::Cancelled => JetError::INVALID_PARAMETER,
        }
    }
}

fn page_size_bytes<S: serde::Serializer>(size: &PageSize, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(size.bytes() as u64)
}
