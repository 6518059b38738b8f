//! What a defragmentation tells.

use std::path::PathBuf;

use serde::Serialize;

use super::{DefragOptions, Space, Written};
use crate::db::Database;
use crate::format::ids::{PageSize, Pgno};
use crate::problem::Finding;

/// The result of a defragmentation.
#[derive(Debug, Clone, Serialize)]
pub struct DefragReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Nothing was changed; it tells what would come of it.
    pub dry_run: bool,
    /// Page size.
    #[serde(serialize_with = "page_size_bytes")]
    pub page_size: PageSize,
    /// Bytes of the file before.
    pub bytes_before: u64,
    /// Bytes of the new one.
    pub bytes_after: u64,
    /// Last page of the new one.
    pub last_page: Pgno,
    /// Tables of the new one, the catalogs among them.
    pub tables: u64,
    /// Records, index entries and nodes of long values in it.
    pub nodes: u64,
    /// Trees have new object ids.
    pub renumbered: bool,
    /// Tables that were left behind: some of the engine's own, and those whose deletion was under way.
    pub left_behind: Vec<String>,
    /// Long values that no record refers to, left behind.
    pub orphans: u64,
    /// Reference counts of long values that were corrected.
    pub counts_corrected: u64,
    /// Records that held something of deleted columns, without it now.
    pub records_pruned: u64,
    /// Indexes were damaged and made anew.
    pub indexes_made: bool,
    /// What the check of the old file found, where it was looked at because of them.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// The new file was checked, and what it holds compared.
    pub verified: bool,
    /// Room that was asked for.
    pub space: Vec<Space>,
    /// The new database, or where it was left.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub new_file: Option<PathBuf>,
    /// Its flush map.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub flush_map: Option<PathBuf>,
    /// Why the new flush map did not get its place; the database has its own by then, and the engine makes another map.
    pub map_trouble: Option<String>,
    /// Where the original is now.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub backup: Option<PathBuf>,
    /// Unfinished files of earlier runs that were removed.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub removed: Vec<PathBuf>,
    /// Finished files of earlier runs, which somebody may have kept.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub left: Vec<PathBuf>,
}

impl DefragReport {
    /// Nothing is known yet but what there is.
    pub(super) fn new(options: &DefragOptions, db: &Database, space: Vec<Space>) -> Self {
        Self {
            path: options.path.clone(),
            dry_run: options.dry_run,
            page_size: db.page_size(),
            bytes_before: db.storage().len().unwrap_or_default(),
            bytes_after: 0,
            last_page: Pgno::NULL,
            tables: 0,
            nodes: 0,
            renumbered: false,
            left_behind: Vec::new(),
            orphans: 0,
            counts_corrected: 0,
            records_pruned: 0,
            indexes_made: false,
            findings: Vec::new(),
            map_trouble: None,
            verified: false,
            space,
            new_file: None,
            flush_map: None,
            backup: None,
            removed: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Takes over what was written.
    pub(super) fn note(&mut self, written: &Written) {
        let Written {
            rebuilt,
            kept,
            left_behind,
            renumbered,
            indexes_made,
            findings,
            flush_type: _,
        } = written;
        self.bytes_after = rebuilt.bytes;
        self.last_page = rebuilt.last_page;
        self.tables = rebuilt.tables;
        self.nodes = rebuilt.nodes;
        self.renumbered = *renumbered;
        self.left_behind.clone_from(left_behind);
        self.orphans = kept.orphans;
        self.counts_corrected = kept.counts_corrected;
        self.records_pruned = kept.records_pruned;
        self.indexes_made = *indexes_made;
        self.findings.clone_from(findings);
    }
}

fn page_size_bytes<S: serde::Serializer>(size: &PageSize, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(size.bytes() as u64)
}
