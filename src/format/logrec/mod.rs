//! Log records: what each type holds, byte for byte. Both physical formats carry the same records.
//! [log notes chapter 6; verified on every corpus log where a type occurs]
//!
//! ```text
//! every page change            offset
//!   0 type   1 procid   3 dbid   4 pgno   8 dbtime after   16 dbtime before   24 transaction
//!   28 level   29 line   31 flags                                   = PageHead, 32 bytes
//! every node change
//!   32 rceid   36 pgno of the root   40 objid                       = NodeHead, 44 bytes
//! then what the type adds, then its variable parts
//! ```

mod body;
mod database;
mod diff;
mod kind;
mod marks;
mod parse;
mod structure;

use crate::format::ids::{DbTime, Objid, Pgno};

pub use body::{
    Begin, Close, CloseKind, Commit, Delta, EmptyTreeEntry, Freed, Init, MacroStep, NewPage, Note,
    OperKind, Replace, ResizeKind, ScanCheck, SpaceTrees, Undo, UndoInfo,
};
pub use database::{AttachDb, BackupStep, CreateDb, DetachDb, ReAttach, SetDbVersion};
pub use diff::{DiffChange, DiffFault, DiffPiece, DiffPieces, apply_diff, diff_pieces};
pub use kind::{RecordKind, record_len};
pub use marks::{CommitContext, FreeFdp, MacroPages, PagePatch, RangeCheck};
pub use parse::Record;
pub use structure::{
    Merge, MergeKind, PageImage, PageMove, RootPageMove, Scrub, Split, SplitKind, SplitOper,
};

/// Why a record cannot be read (-501).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// No such type, or one whose layout is not public.
    #[error("record type {} is not known", kind.get())]
    Unknown {
        /// The type.
        kind: RecordKind,
    },
    /// The record is longer than the bytes that hold it.
    #[error("{kind} record needs {need} bytes")]
    Short {
        /// The type.
        kind: RecordKind,
        /// Bytes needed.
        need: usize,
    },
    /// Lengths inside the record contradict each other.
    #[error("{kind} record contradicts itself")]
    Contradiction {
        /// The type.
        kind: RecordKind,
    },
}

/// A session of the engine that wrote the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct ProcId(pub u16);

/// A database of the log stream, 1 to 6 (0 is the temporary database).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct DbId(pub u8);

/// Id of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize)]
#[serde(transparent)]
pub struct TrxId(pub u32);

/// Id of an entry of the version store; what an Undo names its operation by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct RceId(pub u32);

/// What every page change begins with, 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageHead {
    /// The type.
    pub kind: RecordKind,
    /// The session.
    pub procid: ProcId,
    /// The database.
    pub dbid: DbId,
    /// The page.
    pub pgno: Pgno,
    /// The page's time after the change.
    pub after: DbTime,
    /// Its time before; all ones when the record does not say.
    pub before: DbTime,
    /// The transaction.
    pub trx: TrxId,
    /// Level of the transaction, 0 to 7.
    pub level: u8,
    /// The node, 0-based.
    pub line: u16,
    /// See the `FLAG_` constants.
    pub flags: u8,
}

impl PageHead {
    /// Bytes of the head.
    pub const BYTES: usize = 32;
    /// The operation has a version.
    pub const FLAG_VERSIONED: u8 = 1;
    /// The node was flagged deleted (obsolete).
    pub const FLAG_DELETED: u8 = 2;
    /// The tree has unique keys.
    pub const FLAG_UNIQUE: u8 = 4;
    /// The tree is a space tree.
    pub const FLAG_SPACE: u8 = 8;
    /// An index is being built meanwhile.
    pub const FLAG_CONCURRENT_INDEX: u8 = 0x10;
    /// Done by a task of the engine itself.
    pub const FLAG_SYSTEM_TASK: u8 = 0x20;

    /// True when the operation is part of a transaction that may be rolled back.
    #[must_use]
    pub const fn is_versioned(&self) -> bool {
        self.flags & Self::FLAG_VERSIONED != 0
    }

    /// True when the tree's keys are unique.
    #[must_use]
    pub const fn is_unique(&self) -> bool {
        self.flags & Self::FLAG_UNIQUE != 0
    }
}

/// What every node change begins with, 44 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeHead {
    /// The page change.
    pub page: PageHead,
    /// The version store's entry; 0 when there is none.
    pub rceid: RceId,
    /// Root of the tree.
    pub pgno_fdp: Pgno,
    /// The tree.
    pub objid: Objid,
}

impl NodeHead {
    /// Bytes of the head.
    pub const BYTES: usize = 44;
}

#[cfg(test)]
mod tests;
