//! Bodies of the records that change the shape of a tree. [log notes 6.5, 6.6, 6.8]

use super::body::Raw;
use super::{DbId, ProcId, RecordFault, RecordKind};
use crate::format::compress::decompress;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::page::rehydrate;

/// What a split does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitKind {
    /// 0: the root's nodes go to a new page below it.
    Vertical,
    /// 1: part of the page goes to a new page on its right.
    Right,
    /// 2: only the new node goes to a new page on its right.
    Append,
}

/// The operation that made a split necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitOper {
    /// 0.
    None,
    /// 1.
    Insert,
    /// 2.
    Replace,
    /// 3.
    FlagInsertAndReplaceData,
}

/// What a page held before the group, in whole or shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageImage<'a> {
    /// 1: the gap between lines and tags is left out.
    pub dehydrated: bool,
    /// 2: compressed with Xpress.
    pub compressed: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> PageImage<'a> {
    fn new(flags: u32, bytes: &'a [u8]) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self {
            dehydrated: flags & 1 != 0,
            compressed: flags & 2 != 0,
            bytes,
        })
    }

    /// The whole page; `None` when the image is none.
    #[must_use]
    pub fn unpack(&self, size: PageSize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(size.bytes());
        if self.compressed {
            decompress(self.bytes, None, &mut bytes).ok()?;
        } else {
            bytes.extend_from_slice(self.bytes);
        }
        if self.dehydrated {
            bytes = rehydrate(&bytes, size)?;
        }
        (bytes.len() == size.bytes()).then_some(bytes)
    }
}

/// Types 27 and 62: one level of a split. While `new` is null the level itself is not split and only the pointer to the
/// new child goes in; the fields from `kind` on then mean nothing, and may hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'a> {
    /// 32.
    pub new: Pgno,
    /// 36: right sibling of the split page; leaves only.
    pub right: Pgno,
    /// 40.
    pub right_before: DbTime,
    /// 48: the page above.
    pub parent: Pgno,
    /// 52.
    pub parent_before: DbTime,
    /// 60.
    pub pgno_fdp: Pgno,
    /// 64.
    pub objid: Objid,
    /// 68, as stored.
    pub kind_number: u8,
    /// 69, as stored.
    pub oper_number: u8,
    /// 70: line of the operation.
    pub line_oper: u16,
    /// 72: first line that moves, counted with the new node.
    pub line_split: u16,
    /// 74: lines in all, the new node included.
    pub lines: u16,
    /// 76: flags of the new page.
    pub new_flags: u32,
    /// 80: flags of the split page.
    pub split_flags: u32,
    /// 84: uncommitted free bytes of the split page after.
    pub uncommitted_split: u16,
    /// 86: of the new page after.
    pub uncommitted_new: u16,
    /// 88: line whose key is the split page's new prefix; -1 none.
    pub prefix_line_split: i32,
    /// 92: the same for the new page, counted from `line_split`; -1 none.
    pub prefix_line_new: i32,
    /// The key that separates the two pages, for the page above.
    pub parent_key: &'a [u8],
    /// The split page's prefix before.
    pub prefix_old: &'a [u8],
    /// Its prefix after.
    pub prefix_new: &'a [u8],
    /// The split page before; type 62 only.
    pub image: Option<PageImage<'a>>,
}

impl<'a> Split<'a> {
    pub(super) fn parse(kind: RecordKind, raw: Raw<'a>) -> Self {
        let with_image = kind == RecordKind::SPLIT;
        let fixed = if with_image { 110 } else { 102 };
        let (key, old, new) = (
            usize::from(raw.u16(100)),
            usize::from(raw.u16(96)),
            usize::from(raw.u16(98)),
        );
        let image = with_image
            .then(|| {
                let at = fixed + key + old + new;
                PageImage::new(raw.u32(102), raw.bytes(at, raw.u32(106) as usize))
            })
            .flatten();
        Self {
            new: raw.pgno(32),
            right: raw.pgno(36),
            right_before: raw.dbtime(40),
            parent: raw.pgno(48),
            parent_before: raw.dbtime(52),
            pgno_fdp: raw.pgno(60),
            objid: raw.objid(64),
            kind_number: raw.u8(68),
            oper_number: raw.u8(69),
            line_oper: raw.u16(70),
            line_split: raw.u16(72),
            lines: raw.u16(74),
            new_flags: raw.u32(76),
            split_flags: raw.u32(80),
            uncommitted_split: raw.u16(84),
            uncommitted_new: raw.u16(86),
            prefix_line_split: raw.u32(88).cast_signed(),
            prefix_line_new: raw.u32(92).cast_signed(),
            parent_key: raw.bytes(fixed, key),
            prefix_old: raw.bytes(fixed + key, old),
            prefix_new: raw.bytes(fixed + key + old, new),
            image,
        }
    }

    /// What the split does.
    ///
    /// # Errors
    /// [`RecordFault::Contradiction`] for a number that no engine wrote.
    pub fn split_kind(&self) -> Result<SplitKind, RecordFault> {
        match self.kind_number {
            0 => Ok(SplitKind::Vertical),
            1 => Ok(SplitKind::Right),
            2 => Ok(SplitKind::Append),
            _ => Err(RecordFault::Contradiction {
                kind: RecordKind::SPLIT,
            }),
        }
    }

    /// The operation that made it necessary.
    ///
    /// # Errors
    /// [`RecordFault::Contradiction`] for a number that no engine wrote.
    pub fn oper(&self) -> Result<SplitOper, RecordFault> {
        match self.oper_number {
            0 => Ok(SplitOper::None),
            1 => Ok(SplitOper::Insert),
            2 => Ok(SplitOper::Replace),
            3 => Ok(SplitOper::FlagInsertAndReplaceData),
            _ => Err(RecordFault::Contradiction {
                kind: RecordKind::SPLIT,
            }),
        }
    }
}

/// What a merge does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeKind {
    /// 0: nothing on this level.
    None,
    /// 1: an empty page leaves the tree.
    EmptyPage,
    /// 2: all nodes go to the right sibling.
    FullRight,
    /// 3: the last nodes go to the right sibling.
    PartialRight,
    /// 4: the tree is emptied.
    EmptyTree,
    /// 5: all nodes go to the left sibling.
    FullLeft,
    /// 6: the first nodes go to the left sibling.
    PartialLeft,
    /// 7: the page moves.
    PageMove,
}

/// Types 28 and 63: one level of a merge; the head's line is that of the child pointer on internal levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge<'a> {
    /// 32.
    pub right: Pgno,
    /// 36.
    pub right_before: DbTime,
    /// 44.
    pub left: Pgno,
    /// 48.
    pub left_before: DbTime,
    /// 56.
    pub parent: Pgno,
    /// 60.
    pub parent_before: DbTime,
    /// 68.
    pub pgno_fdp: Pgno,
    /// 72.
    pub objid: Objid,
    /// 76: bytes that move.
    pub size_total: u16,
    /// 78: the most that they may need again.
    pub size_max_total: u16,
    /// 80: uncommitted free bytes of the page that takes the nodes, after.
    pub uncommitted_dest: u16,
    /// 82: first (right) or last (left) node that moves.
    pub line_merge: u16,
    /// 84: 1 the key changes, 2 the node goes, 4 the page empties.
    pub flags: u8,
    /// 85, as stored.
    pub kind_number: u8,
    /// The new separating key.
    pub separator: &'a [u8],
    /// The source page before; type 63 only.
    pub image: Option<PageImage<'a>>,
}

impl<'a> Merge<'a> {
    /// The key of the pointer changes.
    pub const KEY_CHANGE: u8 = 1;
    /// The pointer goes.
    pub const DELETE_NODE: u8 = 2;
    /// The page loses its last node and leaves the tree.
    pub const EMPTY_PAGE: u8 = 4;

    pub(super) fn parse(kind: RecordKind, raw: Raw<'a>) -> Self {
        let with_image = kind == RecordKind::MERGE;
        let fixed = if with_image { 96 } else { 88 };
        let key = usize::from(raw.u16(86));
        let image = with_image
            .then(|| PageImage::new(raw.u32(88), raw.bytes(fixed + key, raw.u32(92) as usize)))
            .flatten();
        Self {
            right: raw.pgno(32),
            right_before: raw.dbtime(36),
            left: raw.pgno(44),
            left_before: raw.dbtime(48),
            parent: raw.pgno(56),
            parent_before: raw.dbtime(60),
            pgno_fdp: raw.pgno(68),
            objid: raw.objid(72),
            size_total: raw.u16(76),
            size_max_total: raw.u16(78),
            uncommitted_dest: raw.u16(80),
            line_merge: raw.u16(82),
            flags: raw.u8(84),
            kind_number: raw.u8(85),
            separator: raw.bytes(fixed, key),
            image,
        }
    }

    /// True when a flag is set.
    #[must_use]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What the merge does.
    ///
    /// # Errors
    /// [`RecordFault::Contradiction`] for a number that no engine wrote.
    pub fn merge_kind(&self) -> Result<MergeKind, RecordFault> {
        Ok(match self.kind_number {
            0 => MergeKind::None,
            1 => MergeKind::EmptyPage,
            2 => MergeKind::FullRight,
            3 => MergeKind::PartialRight,
            4 => MergeKind::EmptyTree,
            5 => MergeKind::FullLeft,
            6 => MergeKind::PartialLeft,
            7 => MergeKind::PageMove,
            _ => {
                return Err(RecordFault::Contradiction {
                    kind: RecordKind::MERGE,
                });
            }
        })
    }
}

/// Type 65.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageMove<'a> {
    /// 32: the new number; the head's page is the old one.
    pub dest: Pgno,
    /// 36.
    pub left: Pgno,
    /// 40.
    pub right: Pgno,
    /// 44.
    pub parent: Pgno,
    /// 48.
    pub left_before: DbTime,
    /// 56.
    pub right_before: DbTime,
    /// 64.
    pub parent_before: DbTime,
    /// 72.
    pub pgno_fdp: Pgno,
    /// 76.
    pub objid: Objid,
    /// 80: line of the pointer in the page above.
    pub parent_line: i32,
    /// 84: 0 any page, 1 a root, 2 root of the owned extents, 4 root of the available extents.
    pub flags: u32,
    /// The page up to the end of its lines.
    pub header: &'a [u8],
    /// The page's tags.
    pub trailer: &'a [u8],
}

impl<'a> PageMove<'a> {
    pub(super) fn parse(raw: Raw<'a>) -> Self {
        let (header, trailer) = (raw.u32(88) as usize, raw.u32(92) as usize);
        Self {
            dest: raw.pgno(32),
            left: raw.pgno(36),
            right: raw.pgno(40),
            parent: raw.pgno(44),
            left_before: raw.dbtime(48),
            right_before: raw.dbtime(56),
            parent_before: raw.dbtime(64),
            pgno_fdp: raw.pgno(72),
            objid: raw.objid(76),
            parent_line: raw.u32(80).cast_signed(),
            flags: raw.u32(84),
            header: raw.bytes(96, header),
            trailer: raw.bytes(96 + header, trailer),
        }
    }
}

/// Type 96: begins the group that moves a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootPageMove {
    /// 1.
    pub dbtime: DbTime,
    /// 9.
    pub dbid: DbId,
    /// 10.
    pub objid: Objid,
    /// 14.
    pub procid: ProcId,
}

/// Type 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrub<'a> {
    /// 44: 1 the page is not in use.
    pub flags: u32,
    /// 48: number of nodes.
    pub count: u32,
    /// 54: for each node: 0 nothing, 1 its data, 2 its chunk of a long value is overwritten.
    pub opers: &'a [u8],
}
