//! What a page says it is (`fFlags`). [format notes 2.2]

use std::fmt;

use crate::format::checksum::NEW_FORMAT_FLAG;

/// The flag word of a page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PageFlags(u32);

impl PageFlags {
    /// Root (FDP) of a tree, also of a space tree.
    pub const ROOT: u32 = 0x1;
    /// Leaf level.
    pub const LEAF: u32 = 0x2;
    /// The level above the leaves.
    pub const PARENT_OF_LEAF: u32 = 0x4;
    /// No longer in use; its lines are stale.
    pub const EMPTY: u32 = 0x8;
    /// Being rebuilt by repair.
    pub const REPAIR: u32 = 0x10;
    /// Page of an OE or AE tree.
    pub const SPACE_TREE: u32 = 0x20;
    /// Secondary index.
    pub const INDEX: u32 = 0x40;
    /// Long value tree.
    pub const LONG_VALUE: u32 = 0x80;
    /// Obsolete streaming file space trees.
    pub const SLV: u32 = 0x300;
    /// Non-unique secondary index.
    pub const NON_UNIQUE: u32 = 0x400;
    /// Records have the tagged column layout of Exchange 2000 and later.
    pub const NEW_RECORD_FORMAT: u32 = 0x800;
    /// The new checksum format.
    pub const NEW_CHECKSUM: u32 = NEW_FORMAT_FLAG;
    /// Zeroed by scrubbing.
    pub const SCRUBBED: u32 = 0x4000;
    /// Two bits that change with each write, compared with the flush map.
    pub const FLUSH_TYPE: u32 = 0x18000;
    /// Allocated, not yet initialised.
    pub const PRE_INIT: u32 = 0x20000;
    /// The tree is being deleted.
    pub const FDP_DELETE: u32 = 0x40000;

    /// Wraps a flag word.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// The flag word.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// True when any of `mask` is set.
    #[must_use]
    pub const fn any(self, mask: u32) -> bool {
        self.0 & mask != 0
    }

    /// True for the root of a tree.
    #[must_use]
    pub const fn is_root(self) -> bool {
        self.any(Self::ROOT)
    }

    /// True for a leaf.
    #[must_use]
    pub const fn is_leaf(self) -> bool {
        self.any(Self::LEAF)
    }

    /// True for a page of a space tree.
    #[must_use]
    pub const fn is_space_tree(self) -> bool {
        self.any(Self::SPACE_TREE)
    }

    /// True when lines must not be interpreted.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.any(Self::EMPTY)
    }

    /// True when the page has the new checksum format.
    #[must_use]
    pub const fn has_new_checksum(self) -> bool {
        self.any(Self::NEW_CHECKSUM)
    }

    /// The same with another flush type, 0 (unknown) to 3.
    #[must_use]
    pub const fn with_flush_type(self, kind: u8) -> Self {
        Self(self.0 & !Self::FLUSH_TYPE | (kind as u32) << 15 & Self::FLUSH_TYPE)
    }

    /// The flush type, 0 (unknown) to 3.
    #[must_use]
    pub const fn flush_type(self) -> u8 {
        ((self.0 & Self::FLUSH_TYPE) >> 15) as u8
    }
}

impl fmt::Debug for PageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
