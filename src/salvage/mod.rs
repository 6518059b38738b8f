//! Reading what is left of a damaged database: all nodes of a tree in key order, whether or not its root and its
//! internal pages can be read, and the rows of a damaged catalog.
//!
//! 1. [`Inventory::scan`] looks at every page once, in the order of the file: its verdict, whose it is, what it is.
//! 2. [`SalvagedTree::read`] finds the leaves of one tree: those that sound internal pages lead to, and for what damage
//!    cut off, those that the inventory knows. It reads them in the order of the file, settles what contradicts
//!    itself, and then gives the nodes in key order.
//! 3. [`SalvagedCatalog::read`] unites the catalog with its shadow and names the trees that no row knows.
//! 4. [`Headless::open`] opens a database whose header copies are both bad: [`guess_page_size`], then
//!    [`HeaderFromPages::make`].
//!
//! Nothing here writes. Damage is never an error: it is in the reports.

mod below;
mod catalog;
mod clues;
mod emit;
mod header;
mod inventory;
mod keys;
mod leaf;
mod misplaced;
mod orphans;
mod pagesize;
mod place;
mod plan;
mod reach;
mod remains;
mod report;
mod scan;
mod torn;
mod tree;

pub use catalog::{CatalogEntry, CatalogReport, SalvagedCatalog};
pub use clues::{Clue, Clues};
pub use header::{HeaderEvidence, HeaderFromPages, Headless};
pub use inventory::{Inventory, PageContent, PageState, PageVerdict};
pub use misplaced::misplaced;
pub use orphans::OrphanTree;
pub use pagesize::{PageSizeGuess, guess_page_size};
pub use remains::KeptField;
pub use report::{
    Corrected, DropReason, Dropped, Loss, LossCause, Refill, Taken, TakenHow, TreeReport,
};
pub use tree::{SalvagedNode, SalvagedTree};

use crate::format::lv::ChunkSize;
use crate::format::page::PageFlags;
use crate::format::record::{CatalogLimits, RecordLayout};

/// Which kind of tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeKind {
    /// Records of a table, and the catalog.
    Data,
    /// Long values of a table.
    LongValues,
    /// Entries of a secondary index.
    Index {
        /// Keys may repeat; the order is then that of key and data. The catalog says so, because pages that a repair
        /// wrote may lack the flag. [verified: c-bad-leaf after repair]
        non_unique: bool,
    },
}

impl TreeKind {
    /// Flags that tell kinds of trees apart. [format notes 2.2]
    const MASK: u32 =
        PageFlags::SPACE_TREE | PageFlags::INDEX | PageFlags::LONG_VALUE | PageFlags::SLV;

    /// True when pages with these flags can belong to a tree of this kind.
    #[must_use]
    pub const fn fits(self, flags: PageFlags) -> bool {
        flags.bits() & Self::MASK
            == match self {
                Self::Data => 0,
                Self::LongValues => PageFlags::LONG_VALUE,
                Self::Index { .. } => PageFlags::INDEX,
            }
    }

    /// True when equal keys are told apart by their data.
    #[must_use]
    pub const fn is_non_unique(self) -> bool {
        matches!(self, Self::Index { non_unique: true })
    }

    /// As the inventory calls its pages.
    #[must_use]
    pub const fn content(self) -> PageContent {
        match self {
            Self::Data => PageContent::Data,
            Self::LongValues => PageContent::LongValues,
            Self::Index { .. } => PageContent::Index,
        }
    }
}

/// Says whether key and data can be a node of the tree. It is asked about nodes of damaged pages only.
pub type Proof<'p> = dyn Fn(&[u8], &[u8], RecordLayout) -> bool + Sync + 'p;

/// How a tree is read.
#[derive(Clone, Copy)]
pub struct SalvageOptions<'o> {
    /// Take those nodes of a page with a wrong checksum that can be proved sound, each by itself.
    pub trust_damaged_pages: bool,
    /// Give nodes that are flagged deleted too.
    pub keep_deleted: bool,
    /// Pages may have been written at different times, as in a dirty database, and where writes were lost: leaves that
    /// nothing leads to may be newer than those that have their keys.
    pub torn: bool,
    /// The last columns that records may have; part of the proof for nodes of damaged data pages.
    pub limits: CatalogLimits,
    /// Chunk size of the table's long values; part of the proof for nodes of damaged long value pages.
    pub chunk: Option<ChunkSize>,
    /// A further proof, for example that the record's primary key is the node's.
    pub proof: Option<&'o Proof<'o>>,
}

impl Default for SalvageOptions<'_> {
    fn default() -> Self {
        Self {
            trust_damaged_pages: false,
            keep_deleted: false,
            torn: false,
            limits: CatalogLimits::ANY,
            chunk: None,
            proof: None,
        }
    }
}

impl std::fmt::Debug for SalvageOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SalvageOptions")
            .field("trust_damaged_pages", &self.trust_damaged_pages)
            .field("keep_deleted", &self.keep_deleted)
            .field("torn", &self.torn)
            .field("limits", &self.limits)
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}
