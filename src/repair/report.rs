//! What the rewriting of a damaged database kept, changed and lost.

use serde::{Serialize, Serializer};

use crate::format::ids::{Objid, Pgno};
use crate::salvage::{CatalogReport, OrphanTree, TreeReport};

/// Entries of one kind that a report keeps; more are only counted.
const KEPT: usize = 10_000;

/// A list that is cut off when it gets too long; the rest is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// The first ten thousand.
    pub listed: Vec<T>,
    /// How many there are in all.
    pub count: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            listed: Vec::new(),
            count: 0,
        }
    }
}

impl<T> Listed<T> {
    /// Adds one.
    pub fn push(&mut self, entry: T) {
        self.count += 1;
        if self.listed.len() < KEPT {
            self.listed.push(entry);
        }
    }

    /// True when there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A key in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBytes(pub Vec<u8>);

impl std::fmt::Display for KeyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for KeyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A record that could be read and was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DroppedRecord {
    /// Its key.
    pub key: KeyBytes,
    /// The page that it was on.
    pub page: Pgno,
    /// Why.
    pub why: String,
}

/// A row that was to be changed and was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotAmended {
    /// Its key.
    pub key: KeyBytes,
    /// Why.
    pub why: String,
}

/// A value of a record that is lost: its column is null now, or has one value less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostValue {
    /// Key of the record.
    pub key: KeyBytes,
    /// Name of the column.
    pub column: String,
    /// Which of its values, from 1 on.
    pub instance: u16,
    /// The long value that is lost.
    pub lid: u64,
}

/// A long value that was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LostLongValue {
    /// Its id.
    pub lid: u64,
    /// Why.
    pub why: LongValueLoss,
}

/// Why a long value was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LongValueLoss {
    /// Its root is gone, and how long it was cannot be told.
    NoRoot,
    /// Chunks are missing or of the wrong size.
    Incomplete,
    /// The engine had wiped it.
    Scrubbed,
}

/// How an index came to its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexMethod {
    /// All keys were computed from the records.
    Computed,
    /// Unicode text: entries that survived, for records that are there; others as far as their sort keys are known.
    Survivors,
    /// A column's values come from a callback, or the index was never filled: entries that survived.
    Copied,
}

/// What became of a secondary index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexRepair {
    /// Name.
    pub name: String,
    /// Object.
    pub objid: Objid,
    /// How.
    pub method: IndexMethod,
    /// Entries that it has now.
    pub entries: u64,
    /// Entries of its former self that point to no record.
    pub stale: u64,
    /// Keys of records whose entry is missing, because the sort key of their text is not known.
    pub missing: Listed<KeyBytes>,
}

/// What became of a table that was damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableRepair {
    /// Name.
    pub name: String,
    /// Object.
    pub objid: Objid,
    /// Records that it has now.
    pub records: u64,
    /// How its pages were read.
    pub data: Option<TreeReport>,
    /// Records that were read and not kept.
    pub dropped: Listed<DroppedRecord>,
    /// Keys of records that an index knows and that are gone with their pages.
    pub lost_keys: Listed<KeyBytes>,
    /// Values that are lost in records that were kept.
    pub lost_values: Listed<LostValue>,
    /// Long values that it has now.
    pub long_values: u64,
    /// How the pages of its long values were read.
    pub long_value_tree: Option<TreeReport>,
    /// Long values that were not kept though something of them was left.
    pub lost_long_values: Listed<LostLongValue>,
    /// Long values that no record refers to.
    pub orphans: Listed<u64>,
    /// Long values whose root was made anew.
    pub new_roots: u64,
    /// Long values whose reference count was corrected.
    pub counts_corrected: u64,
    /// Rows that got other values, as was asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub amended: u64,
    /// Rows that were left out, as was asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub removed: u64,
    /// Rows that are not, or not as was asked for.
    #[serde(skip_serializing_if = "Listed::is_empty")]
    pub not_amended: Listed<NotAmended>,
    /// Its secondary indexes.
    pub indexes: Vec<IndexRepair>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl TableRepair {
    /// A table of which nothing is known yet.
    pub(super) fn new(name: &str, objid: Objid) -> Self {
        Self {
            name: name.to_owned(),
            objid,
            records: 0,
            data: None,
            dropped: Listed::default(),
            lost_keys: Listed::default(),
            lost_values: Listed::default(),
            long_values: 0,
            long_value_tree: None,
            lost_long_values: Listed::default(),
            orphans: Listed::default(),
            new_roots: 0,
            counts_corrected: 0,
            amended: 0,
            removed: 0,
            not_amended: Listed::default(),
            indexes: Vec::new(),
        }
    }

    /// True when records are lost, or may be.
    #[must_use]
    pub fn has_lost_records(&self) -> bool {
        !self.dropped.is_empty()
            || !self.lost_keys.is_empty()
            || self.data.as_ref().is_some_and(TreeReport::has_lost_nodes)
    }

    /// True when something that a user had put there is gone, or was not changed as was asked for.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        self.has_lost_records()
            || !self.lost_values.is_empty()
            || !self.not_amended.is_empty()
            || self.indexes.iter().any(|index| !index.missing.is_empty())
    }
}

/// A change of the catalog beyond new roots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatalogChange {
    /// The table's object.
    pub table: Objid,
    /// In words.
    pub what: String,
}

/// What the rewriting kept, changed and lost.
#[derive(Debug, Clone, Serialize)]
pub struct Losses {
    /// How the catalog was read.
    pub catalog: CatalogReport,
    /// Rows of it that were left out, made or changed.
    pub catalog_changes: Vec<CatalogChange>,
    /// Trees that no row names though the catalog has lost none: what dropped tables left behind. They are not kept.
    pub unnamed_trees: Vec<OrphanTree>,
    /// Every table that was damaged.
    pub tables: Vec<TableRepair>,
    /// Tables that were copied as they are.
    pub sound_tables: u64,
}
