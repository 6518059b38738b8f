//! Bodies of the records about whole databases. [log notes 6.4]

use super::{DbId, ProcId};
use crate::format::stamp::{BackupInfo, Lgpos, Signature};

/// Type 14.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDb {
    /// 1.
    pub procid: ProcId,
    /// 3.
    pub dbid: DbId,
    /// 4: options of the call.
    pub grbit: u32,
    /// 8: largest size in pages, 0 for none.
    pub max_pages: u32,
    /// 12: identity of the new database.
    pub sign_db: Signature,
    /// 42: flags: 4 a version follows, 8 the path is UTF-16, 0x10 sparse file.
    pub flags: u8,
    /// 43: version (2,0): every page of the new database is in the log; (1,0) or none: the engine made the
    /// first pages by itself.
    pub version: Option<(u16, u16)>,
    /// Where it was.
    pub path: String,
}

impl CreateDb {
    /// True when every page of the new database is in the log.
    #[must_use]
    pub fn is_fully_logged(&self) -> bool {
        self.version.is_some_and(|(major, _)| major >= 2)
    }

    /// True for a sparse file.
    #[must_use]
    pub const fn is_sparse(&self) -> bool {
        self.flags & 0x10 != 0
    }
}

/// Type 15.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachDb {
    /// 1.
    pub procid: ProcId,
    /// 3.
    pub dbid: DbId,
    /// 4: largest size in pages, 0 for none.
    pub max_pages: u32,
    /// 8: where the database was consistent before this attach.
    pub consistent: Lgpos,
    /// 16: its identity.
    pub sign_db: Signature,
    /// 44: the log stream it belonged to before this attach.
    pub sign_log: Signature,
    /// 74: flags: 8 the path is UTF-16, 0x10 sparse file.
    pub flags: u8,
    /// 75: where it was.
    pub path: String,
}

impl AttachDb {
    /// True for a sparse file.
    #[must_use]
    pub const fn is_sparse(&self) -> bool {
        self.flags & 0x10 != 0
    }
}

/// Type 16.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachDb {
    /// 1.
    pub procid: ProcId,
    /// 3.
    pub dbid: DbId,
    /// 6: flags: 0x10 the path is UTF-16.
    pub flags: u8,
    /// 7: where it was.
    pub path: String,
}

/// Type 72.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReAttach {
    /// 5.
    pub dbid: DbId,
    /// 6: where it was attached.
    pub attached: Lgpos,
    /// 14: where it was consistent.
    pub consistent: Lgpos,
    /// 22: its identity.
    pub sign_db: Signature,
}

/// Type 92.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetDbVersion {
    /// 1.
    pub dbid: DbId,
    /// 2: 0x620.
    pub major: u32,
    /// 6.
    pub update_major: u32,
    /// 10.
    pub update_minor: u32,
}

/// Type 60.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupStep {
    /// 1: 1 begin, 2 prepare logs, 3 truncate, 4 header update, 5 abort, 6 stop.
    pub phase: u8,
    /// 2: 0 normal, 1 OS snapshot, 2 snapshot, 3 surrogate.
    pub kind: u32,
    /// 6: 1 full, 2 incremental, 5 copy, 6 differential.
    pub scope: u8,
    /// 7.
    pub dbid: DbId,
    /// 8: what the header is to remember.
    pub info: BackupInfo,
    /// 35: a remark.
    pub text: String,
}

/// Text up to its first zero: UTF-16LE or single bytes, lossy.
pub(super) fn text(bytes: &[u8], utf16: bool) -> String {
    if utf16 {
        let units = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair));
        char::decode_utf16(units.take_while(|unit| *unit != 0))
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    } else {
        let end = bytes
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}
