//! What an amendment tells.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::is_serious;
use super::source::Checked;
use crate::ops::repair::NewFile;
use crate::ops::temp_file::Space;
use crate::problem::Finding;
use crate::repair::Rewritten;

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct AmendReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Rows that have other values now; those that had them already are not counted.
    pub rows_changed: u64,
    /// Rows that are gone.
    pub rows_removed: u64,
    /// What the check found before, less notes: damage of indexes, which are new now, and what is no damage.
    pub findings: Vec<Finding>,
    /// Room that was asked for.
    pub space: Vec<Space>,
    /// The new database; `None` when nothing was to be changed.
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
}

impl AmendReport {
    pub(super) fn new(path: &Path, source: &Checked, taken_back: Vec<PathBuf>) -> Self {
        let findings = source.check.findings.iter();
        Self {
            path: path.to_owned(),
            rows_changed: 0,
            rows_removed: 0,
            findings: findings.filter(is_serious).cloned().collect(),
            space: Vec::new(),
            new_file: None,
            original: None,
            undo_file: None,
            taken_back,
        }
    }

    pub(super) fn note(&mut self, written: &Rewritten) {
        let tables = &written.losses.tables;
        self.rows_changed = tables.iter().map(|table| table.amended).sum();
        self.rows_removed = tables.iter().map(|table| table.removed).sum();
    }
}
