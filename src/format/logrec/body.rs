//! Bodies of the records about sessions, nodes, space and marks. Offsets stand beside the fields.

use super::{DbId, ProcId, RceId, RecordKind, TrxId};
use crate::format::bytes::{u16_at, u32_at, u64_at};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::stamp::{Lgpos, LogTime};

/// Types 1 and 49.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Init<'a> {
    /// 1: the environment, 567 bytes, as in a log header ([`crate::format::loghdr::Environment`]).
    pub environment: &'a [u8],
    /// 568: when; type 49 only.
    pub time: Option<LogTime>,
}

/// How a run of the engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// In order.
    Term,
    /// After a recovery.
    RecoveryQuit,
    /// After a recovery that leaves its databases attached.
    KeepAttachments,
}

/// Types 2, 18, 50, 52, 80.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// Which.
    pub kind: CloseKind,
    /// 1: position of the Init or RecoveryUndo that it belongs to.
    pub of: Lgpos,
    /// 9: where redo had begun; none without recovery.
    pub redo_from: Lgpos,
    /// 17: after a hard recovery.
    pub hard: bool,
    /// 18: when; types 50, 52, 80 only.
    pub time: Option<LogTime>,
}

/// Types 5, 8, 53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// 1: the session.
    pub procid: ProcId,
    /// 3, low half: its level before.
    pub from: u8,
    /// 3, high half: how many levels begin.
    pub levels: u8,
    /// 4: the transaction; types 8 and 53 only.
    pub trx: Option<TrxId>,
    /// Type 53.
    pub distributed: bool,
}

/// Types 6, 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// 1: the session.
    pub procid: ProcId,
    /// 3: its level after.
    pub to: u8,
    /// 4: id of the commit; type 9 only.
    pub trx: Option<TrxId>,
}

/// Types 11 to 13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacroStep {
    /// Opens the group.
    Begin,
    /// Executes it.
    Commit,
    /// Drops it.
    Abort,
}

/// Types 24, 25 and 26, 58: a tree and its space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceTrees {
    /// 32: the tree.
    pub objid: Objid,
    /// 36: root of the owned extents; null for a small tree.
    pub oe: Pgno,
    /// 40: root of the available extents; null for a small tree.
    pub ae: Pgno,
    /// 44 (type 25: 36): the tree that gave the space.
    pub parent: Pgno,
    /// 48, types 26 and 58: first page of the second extent; else null.
    pub secondary_first: Pgno,
    /// 48 (type 25: 40; 26 and 58: 52): pages of the first extent.
    pub primary_pages: i32,
    /// 56, types 26 and 58: pages of the second extent.
    pub secondary_pages: i32,
    /// 60, type 58: the space header's bits of free pages; type 26 does not hold them.
    pub free_bits: Option<u32>,
    /// 52 (type 25: 44; 58: 64): flags for the pages; type 26 does not hold them.
    pub page_flags: Option<u32>,
}

/// Types 33 and 34.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replace<'a> {
    /// 46: length of the data before.
    pub old_len: u16,
    /// 48: length after.
    pub new_len: u16,
    /// 50: the new data, or the difference.
    pub data: &'a [u8],
    /// Type 34: `data` is a difference; true when its headers are wide.
    pub diff: Option<bool>,
}

/// What an Undo undoes. [log notes 6.2]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperKind {
    /// 1.
    Insert,
    /// 2.
    Replace,
    /// 3.
    FlagDelete,
    /// 4.
    Delta,
    /// 9.
    Delta64,
    /// Any other number.
    Other(u16),
}

impl OperKind {
    /// From the record.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        match number {
            1 => Self::Insert,
            2 => Self::Replace,
            3 => Self::FlagDelete,
            4 => Self::Delta,
            9 => Self::Delta64,
            other => Self::Other(other),
        }
    }

    /// The number in the record.
    #[must_use]
    pub const fn get(self) -> u16 {
        match self {
            Self::Insert => 1,
            Self::Replace => 2,
            Self::FlagDelete => 3,
            Self::Delta => 4,
            Self::Delta64 => 9,
            Self::Other(other) => other,
        }
    }
}

/// Type 36.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoInfo<'a> {
    /// 48: the operation that this is about.
    pub oper: OperKind,
    /// 50: largest size that the node had in the transaction.
    pub max_size: i16,
    /// 52: how much smaller the node became.
    pub delta: i16,
    /// 56: key of the node.
    pub key: &'a [u8],
    /// Behind the key: data that belong to the bookmark in trees of non-unique keys.
    pub bookmark_data: &'a [u8],
    /// Behind those: what the node held before.
    pub before: &'a [u8],
}

/// Type 39.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undo<'a> {
    /// 48: the operation undone.
    pub oper: OperKind,
    /// 50: level of the transaction.
    pub level: u8,
    /// 51: key of the node.
    pub key: &'a [u8],
    /// Behind the key: the bookmark's data.
    pub bookmark_data: &'a [u8],
}

/// Types 37 and 93.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta<'a> {
    /// 48: what is added.
    pub delta: i64,
    /// 52 (type 93: 56): where in the node's data.
    pub offset: u16,
    /// Type 93: the number has 64 bits.
    pub wide: bool,
    /// Key of the node.
    pub key: &'a [u8],
    /// Behind the key: the bookmark's data.
    pub bookmark_data: &'a [u8],
}

/// One page of type 48.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmptyTreeEntry {
    /// 0: the page's time before.
    pub before: DbTime,
    /// 8: the page.
    pub pgno: Pgno,
    /// 12: its flags, for information.
    pub page_flags: u32,
}

impl EmptyTreeEntry {
    /// Bytes of an entry.
    const BYTES: usize = 16;

    /// The entries of a list.
    pub fn all(list: &[u8]) -> impl ExactSizeIterator<Item = Self> + Clone + '_ {
        list.as_chunks::<{ Self::BYTES }>()
            .0
            .iter()
            .map(|entry| Self {
                before: DbTime::new(u64_at(entry, 0).unwrap_or_default()),
                pgno: Pgno::new(u32_at(entry, 8).unwrap_or_default()),
                page_flags: u32_at(entry, 12).unwrap_or_default(),
            })
    }
}

/// Type 95.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPage {
    /// 1: the session.
    pub procid: ProcId,
    /// 3: the database.
    pub dbid: DbId,
    /// 4: the page.
    pub pgno: Pgno,
    /// 8: its tree.
    pub objid: Objid,
    /// 12: its time after.
    pub after: DbTime,
}

/// How the length of the file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResizeKind {
    /// Type 68: it grows so that `last` exists.
    Extend,
    /// Types 78, 94, 99: it ends with `last`; the time is type 99's.
    Shrink {
        /// 6: pages cut off.
        pages: u32,
        /// 10: time of the cut.
        after: Option<DbTime>,
    },
    /// Type 81: `pages` pages from `last` on hold nothing.
    Trim {
        /// 6: how many.
        pages: u32,
    },
}

/// Types 100 and 101.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// 1.
    pub dbid: DbId,
    /// 2: first page.
    pub first: Pgno,
    /// 6: how many.
    pub pages: u32,
    /// 10: 1 the root of a table, 2 its tree was deleted.
    pub flags: u8,
    /// 11, type 101.
    pub after: Option<DbTime>,
}

/// Types 70 and 98: what a page looked like to a scan; recovery may compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanCheck {
    /// 5 (98: 1).
    pub dbid: DbId,
    /// 6 (98: 2).
    pub pgno: Pgno,
    /// 98 only, 6: two bits say who scanned, 0x80 the object id is not valid, 0x40 the page is empty.
    pub source: Option<u8>,
    /// 26 (98: 7): the page's time.
    pub page_dbtime: DbTime,
    /// 34 (98: 15): the database's time.
    pub current_dbtime: DbTime,
    /// 42 (98: 23): checksum of the page, folded.
    pub checksum: u32,
}

/// Types 19 to 22, 45, 59, 61: words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note<'a> {
    /// Which.
    pub kind: RecordKind,
    /// The session, where the record names one.
    pub procid: Option<ProcId>,
    /// 1, type 46: 0 full, 1 incremental, 2 and 3 a snapshot begins and ends, 4 logs truncated, 5 and 6 OS snapshot,
    /// full and incremental; else 0.
    pub detail: u8,
    /// The text as it is stored: ASCII, or UTF-16 in type 59.
    pub text: &'a [u8],
}

/// A reader over a record whose length has been checked.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(pub &'a [u8]);

impl<'a> Raw<'a> {
    pub fn u8(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    pub fn u16(self, at: usize) -> u16 {
        u16_at(self.0, at).unwrap_or_default()
    }

    pub fn u32(self, at: usize) -> u32 {
        u32_at(self.0, at).unwrap_or_default()
    }

    pub fn u64(self, at: usize) -> u64 {
        u64_at(self.0, at).unwrap_or_default()
    }

    pub fn pgno(self, at: usize) -> Pgno {
        Pgno::new(self.u32(at))
    }

    pub fn objid(self, at: usize) -> Objid {
        Objid::new(self.u32(at))
    }

    pub fn dbtime(self, at: usize) -> DbTime {
        DbTime::new(self.u64(at))
    }

    pub fn procid(self, at: usize) -> ProcId {
        ProcId(self.u16(at))
    }

    pub fn rceid(self, at: usize) -> RceId {
        RceId(self.u32(at))
    }

    pub fn dbid(self, at: usize) -> DbId {
        DbId(self.u8(at))
    }

    pub fn lgpos(self, at: usize) -> Lgpos {
        Lgpos::new(
            crate::format::ids::Generation::new(self.u32(at + 4)),
            self.u16(at + 2),
            self.u16(at),
        )
    }

    pub fn time(self, at: usize) -> LogTime {
        LogTime(self.u64(at).to_le_bytes())
    }

    /// `len` bytes at `at`; fewer where the record ends before.
    pub fn bytes(self, at: usize, len: usize) -> &'a [u8] {
        let start = at.min(self.0.len());
        let end = at.saturating_add(len).min(self.0.len());
        &self.0[start..end.max(start)]
    }

    pub fn rest(self, at: usize) -> &'a [u8] {
        self.0.get(at..).unwrap_or_default()
    }
}
