//! Where the trees of a rebuilt database come from.

use std::ops::ControlFlow;

use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::page::PageFlags;
use crate::jet::JetError;

/// What a tree holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TreeKind {
    /// The rows of a table.
    Data,
    /// Its long values.
    LongValues,
    /// A secondary index.
    Index,
    /// Free pages of an obsolete streaming file.
    SlvAvail,
    /// Owners of the pages of an obsolete streaming file.
    SlvSpaceMap,
}

/// A tree, as the catalog describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeInfo {
    /// Object id of the table.
    pub table: Objid,
    /// The table's name.
    pub table_name: String,
    /// Name of the catalog's row: the table's, the index's, or "LV".
    pub name: String,
    /// What it holds.
    pub kind: TreeKind,
    /// Object id of the tree.
    pub objid: Objid,
    /// Its root in the source.
    pub root: Pgno,
    /// How full its leaves are to be, in percent, 1 to 100.
    pub density: u8,
}

impl TreeInfo {
    /// Belongs to a cache of the engine: how many pages each object owns and has free. After a rebuilding nothing in it is
    /// true, and the engine fills it again. [format notes 6.9]
    pub(super) fn is_space_cache(&self) -> bool {
        self.table_name
            .eq_ignore_ascii_case("MSysExtentPageCountCache")
    }
}

/// What the root of a tree says beyond its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Page flags: of them the kind of tree, uniqueness and record format are taken over.
    pub flags: PageFlags,
    /// The highest auto-increment value, where the root keeps it.
    pub auto_increment: Option<u64>,
}

impl TreeHead {
    /// The flags that are taken over.
    pub(super) const KEPT: u32 = PageFlags::INDEX
        | PageFlags::LONG_VALUE
        | PageFlags::SLV
        | PageFlags::NON_UNIQUE
        | PageFlags::NEW_RECORD_FORMAT;
}

/// A live node: neither deleted nor with anything left of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node<'n> {
    /// The whole key.
    pub key: &'n [u8],
    /// The data.
    pub data: &'n [u8],
}

/// Why a tree of the source cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tree}: page {page}: {what}")]
pub struct SourceError {
    /// The tree, in words.
    pub tree: String,
    /// The page, null when it is none in particular.
    pub page: Pgno,
    /// The number that Eseutil gives.
    pub jet: JetError,
    /// What is wrong.
    pub what: String,
}

/// A database whose trees are to be written anew. It need not be sound, but what it shows must be: nodes of a tree in ascending
/// order of their keys (with their data, where the tree is not unique), every key and its data not empty and small enough
/// for a page.
pub trait Source {
    /// Page size of both databases.
    fn page_size(&self) -> PageSize;

    /// Update major of the format, which decides the form of checksums and space headers.
    fn update_major(&self) -> u32;

    /// About how many pages there are to be copied, for the progress.
    fn pages(&self) -> u64;

    /// What the root of the catalog says.
    ///
    /// # Errors
    /// When nothing is known about it.
    fn catalog_head(&self) -> Result<TreeHead, SourceError>;

    /// Shows every row of `MSysObjects` in key order, the rows about itself and its shadow among them.
    ///
    /// # Errors
    /// When rows are missing that there should be.
    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError>;

    /// The tables that will be asked for, in this order, each with its data tree and the others, so that they can be
    /// prepared.
    fn announce(&self, _tables: &mut dyn Iterator<Item = (&TreeInfo, &[TreeInfo])>) {}

    /// What the root of a tree says.
    ///
    /// # Errors
    /// When nothing is known about it.
    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError>;

    /// Shows every node of a tree in key order, until `show` breaks off; then nothing more is asked for.
    ///
    /// # Errors
    /// When nodes are missing that there should be.
    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError>;
}

impl std::fmt::Display for TreeInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            TreeKind::Data => write!(f, "table {}", self.table_name),
            TreeKind::LongValues => write!(f, "long values of table {}", self.table_name),
            _ => write!(f, "index {} of table {}", self.name, self.table_name),
        }
    }
}
