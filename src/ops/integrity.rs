//! `g`: the integrity check of a database, with the flush map beside it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::check::{self, CheckOptions, CheckReport};
use crate::db::Database;
use crate::db::flush_map::FlushMap;
use crate::error::Result;
use crate::format::dbheader::DbState;
use crate::format::ids::PageSize;
use crate::jet::JetError;
use crate::ops::headers::{HeaderOptions, read_headers};
use crate::problem::Severity;
use crate::progress::Progress;

/// What to check, and how to open the file.
#[derive(Debug, Clone, Default)]
pub struct IntegrityOptions {
    /// Take this page size instead of the header's.
    pub page_size: Option<PageSize>,
    /// What to check.
    pub check: CheckOptions,
}

/// The result of an integrity check.
#[derive(Debug, Clone, Serialize)]
pub struct IntegrityReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// The flush map that was used.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub flush_map: Option<PathBuf>,
    /// What was found.
    #[serde(flatten)]
    pub check: CheckReport,
    /// Time of the last full backup, for the closing sentence.
    pub last_full_backup: crate::format::stamp::LogTime,
}

impl IntegrityReport {
    /// What the operation ends with: a dirty database is -550 whatever is found in it, because its
    /// logs may hold the rest; damage in a clean one is -1206.
    #[must_use]
    pub fn jet(&self) -> JetError {
        if self.check.state != DbState::CleanShutdown {
            JetError::DATABASE_DIRTY_SHUTDOWN
        } else if self.check.is_sound() {
            JetError::SUCCESS
        } else {
            JetError::DATABASE_CORRUPTED
        }
    }

    /// Number of findings of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let of = |finding: &&crate::problem::Finding| finding.problem.info().severity == severity;
        self.check.findings.iter().filter(of).count()
    }
}

/// Checks the database at `path`. It is opened for reading only.
///
/// # Errors
/// [`crate::error::Error`] when it cannot be opened as a database.
pub fn check_database(
    path: &Path,
    options: &IntegrityOptions,
    progress: &dyn Progress,
) -> Result<IntegrityReport> {
    let headers = read_headers(
        path,
        &HeaderOptions {
            page_size: options.page_size,
            ..HeaderOptions::default()
        },
    )?;
    let db = Database::open(path, options.page_size)?;
    let flush_map = FlushMap::beside(&db);
    let mut check = check::check(&db, flush_map.as_ref(), &options.check, progress);
    check.findings.splice(0..0, headers.findings);
    check.findings.dedup();
    Ok(IntegrityReport {
        path: path.to_owned(),
        flush_map: flush_map.is_some().then(|| FlushMap::path_beside(&db)),
        check,
        last_full_backup: db.header().backup_full_prev.time,
    })
}
