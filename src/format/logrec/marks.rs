//! Bodies of records that stand beside changes: pages of a group, what an application says, ranges of the old format.

use super::body::Raw;
use super::{DbId, ProcId, RecordKind, TrxId};
use crate::format::ids::{DbTime, Pgno};

/// Types 67 and 73: the pages of the group before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacroPages<'a> {
    /// 5, type 73. Type 67 does not name the database; it is number 1. [engine source]
    pub dbid: DbId,
    list: &'a [u8],
}

impl<'a> MacroPages<'a> {
    pub(super) fn parse(kind: RecordKind, raw: Raw<'a>) -> Self {
        if kind == RecordKind::MACRO_INFO {
            return Self {
                dbid: DbId(1),
                list: raw.rest(5),
            };
        }
        // 6: how many.
        let bytes = (raw.u32(6) as usize).saturating_mul(4);
        Self {
            dbid: raw.dbid(5),
            list: raw.bytes(10, bytes),
        }
    }

    /// The pages.
    pub fn pages(&self) -> impl ExactSizeIterator<Item = Pgno> + Clone + 'a {
        self.list
            .as_chunks::<4>()
            .0
            .iter()
            .map(|pgno| Pgno::new(u32::from_le_bytes(*pgno)))
    }
}

/// Type 69: what the application says of a commit. The flags came with log 8.4000.4.8 and 8.4000.5.2; the record
/// itself does not say whether it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitContext<'a> {
    /// 5.
    pub procid: ProcId,
    body: &'a [u8],
}

impl<'a> CommitContext<'a> {
    /// A callback is wanted after the commit.
    pub const CALLBACK: u8 = 1;
    /// The bytes are a customer's.
    pub const CUSTOMER_DATA: u8 = 2;
    /// A callback is wanted before the commit.
    pub const PRE_COMMIT: u8 = 4;

    pub(super) fn parse(raw: Raw<'a>) -> Self {
        Self {
            procid: raw.procid(5),
            body: raw.rest(7),
        }
    }

    /// True when logs of this version (update major, update minor) hold the flags. [engine source]
    #[must_use]
    pub const fn has_flags(version: (u32, u32)) -> bool {
        match version {
            (4, minor) => minor >= 8,
            (5, minor) => minor >= 2,
            (major, _) => major > 5,
        }
    }

    /// Flags and bytes, in a log with flags (else the flags are 0) or without.
    #[must_use]
    pub fn flags_and_bytes(&self, with_flags: bool) -> (u8, &'a [u8]) {
        match self.body.split_first() {
            Some((flags, bytes)) if with_flags => (*flags, bytes),
            _ => (0, self.body),
        }
    }
}

/// Type 74.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeFdp {
    /// 5.
    pub dbid: DbId,
    /// 6: root of the tree.
    pub pgno: Pgno,
    /// 10: the transaction that dropped it.
    pub trx: TrxId,
    /// 14: 1 a table; else an index.
    pub kind: u8,
}

impl FreeFdp {
    /// A table goes.
    pub const TABLE: u8 = 1;
}

/// Type 66.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PagePatch {
    /// 1.
    pub dbid: DbId,
    /// 2.
    pub pgno: Pgno,
    /// 6.
    pub dbtime: DbTime,
}

/// Type 42: a range of the old log format. [log notes 3.2]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeCheck {
    /// 1: bytes before it that it covers.
    pub backwards: u32,
    /// 5: bytes behind it.
    pub forwards: u32,
    /// 9: to the next one.
    pub next: u32,
    /// 13: checksum of all.
    pub checksum: u32,
    /// 17 and 21: checksum of the first sector, where the range has more than one.
    pub short: Option<u32>,
}

impl RangeCheck {
    pub(super) fn parse(raw: Raw<'_>) -> Self {
        Self {
            backwards: raw.u32(1),
            forwards: raw.u32(5),
            next: raw.u32(9),
            checksum: raw.u32(13),
            short: (raw.u8(21) == 0x9A).then(|| raw.u32(17)),
        }
    }
}
