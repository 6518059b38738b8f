//! The database header: fields, states, file types, and which of its two copies to believe.

mod choose;

use std::io::Cursor;

use binrw::{BinRead as _, BinWrite as _, binrw};
use serde::Serialize;

use super::bytes::Truncated;
use super::ids::{DbTime, Generation, Objid, PageSize, Pgno};
use super::stamp::{BackupInfo, Lgpos, LogTime, Signature};
use super::version::DB_VERSION;

pub use choose::{CopyState, HeaderCopies, HeaderCopy, WhichCopy};

/// `ulMagic` of database and streaming files.
pub const MAGIC: u32 = 0x89AB_CDEF;
/// Bytes of the header that have a meaning in the newest public format; the rest of the page is
/// zero, or belongs to a newer engine and is kept as it is.
pub const HEADER_BYTES: usize = 748;
/// Offset of `filetype`, the same in every file of the engine, and unaligned.
pub const FILETYPE_OFFSET: usize = 667;

/// Two counters and a date of one kind of page error. [format notes 1.3]
#[binrw]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ErrorCount {
    /// Since the last repair.
    pub count: u32,
    /// The last time.
    pub last: LogTime,
    /// What the count was before the last repair.
    pub old: u32,
}

/// How often, and when last.
#[binrw]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Happened {
    /// How often.
    pub count: u32,
    /// The last time.
    pub last: LogTime,
}

/// Every field of the database header, in file order. Offsets stand at the first field of a group;
/// all are verified on real files unless the format notes (1.3) say otherwise.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DbHeader {
    /// 0: header checksum.
    pub checksum: u32,
    /// 4: [`MAGIC`].
    pub magic: u32,
    /// 8: format, 0x620.
    pub version: u32,
    /// 12: 0 database, 1 streaming file. Eseutil calls everything but 0 unknown.
    pub attrib: u32,
    /// 16: highest database time at the last header flush.
    pub dbtime: DbTime,
    /// 24: identity of the database.
    pub sign_db: Signature,
    /// 52: state, see [`DbState`].
    pub state: u32,
    /// 56: where in the log the database was last consistent; zero while dirty.
    pub last_consistent: Lgpos,
    /// 64.
    pub last_consistent_time: LogTime,
    /// 72.
    pub last_attach_time: LogTime,
    /// 80.
    pub last_attach: Lgpos,
    /// 88.
    pub last_detach_time: LogTime,
    /// 96.
    pub last_detach: Lgpos,
    /// 104: id in log records.
    pub dbid: u32,
    /// 108: identity of the log stream.
    pub sign_log: Signature,
    /// 136.
    pub backup_full_prev: BackupInfo,
    /// 160.
    pub backup_incremental_prev: BackupInfo,
    /// 184: the online backup that this copy comes from.
    pub backup_full_cur: BackupInfo,
    /// 208: byte 0: 1 shadow catalog off, 2 upgrade, 4 streaming file exists.
    pub flags: [u8; 4],
    /// 212: highest object id ever given.
    pub objid_last: Objid,
    /// 216: Windows version of the last attach: major, minor, build, service pack.
    pub os_version: [u32; 4],
    /// 232: the N of 0x620,N.
    pub update_major: u32,
    /// 236: page size, 0 means 4096.
    pub page_size: u32,
    /// 240.
    pub repair_count: u32,
    /// 244.
    pub repair_time: LogTime,
    /// 252: identity of the streaming file.
    pub sign_slv: Signature,
    /// 280.
    pub scrub_dbtime: DbTime,
    /// 288.
    pub scrub_time: LogTime,
    /// 296: first generation that recovery needs; 0 when clean.
    pub required_low: Generation,
    /// 300: last generation that recovery needs.
    pub required_high: Generation,
    /// 304: counters of the in-place upgrade from 5.5.
    pub upgrade_55_pages: i32,
    /// 308.
    pub upgrade_free_pages: i32,
    /// 312.
    pub upgrade_space_map_pages: i32,
    /// 316.
    pub backup_snapshot_cur: BackupInfo,
    /// 340: format at creation.
    pub create_version: u32,
    /// 344.
    pub create_update: u32,
    /// 348: creation time of the last committed generation.
    pub committed_high_time: LogTime,
    /// 356: kind of the previous full backup, see [`BackupKind`].
    pub backup_full_prev_kind: u32,
    /// 360.
    pub backup_incremental_prev_kind: u32,
    /// 364.
    pub repair_count_old: u32,
    /// 368.
    pub ecc_fixed: ErrorCount,
    /// 384.
    pub ecc_failed: ErrorCount,
    /// 400.
    pub bad_checksum: ErrorCount,
    /// 416: last generation with durable commits.
    pub committed_high: Generation,
    /// 420.
    pub backup_copy_prev: BackupInfo,
    /// 444.
    pub backup_differential_prev: BackupInfo,
    /// 468.
    pub backup_copy_prev_kind: u32,
    /// 472.
    pub backup_differential_prev_kind: u32,
    /// 476.
    pub reseed: ErrorCount,
    /// 492.
    pub page_patch: ErrorCount,
    /// 508: version of the Unicode sort order, old scheme.
    pub sort_version: u64,
    /// 516.
    pub dbscan_prev: LogTime,
    /// 524.
    pub dbscan_start: LogTime,
    /// 532.
    pub dbscan_highest_continuous: Pgno,
    /// 536.
    pub recovering: Generation,
    /// 540.
    pub extend: Happened,
    /// 552.
    pub shrink: Happened,
    /// 564.
    pub last_reattach_time: LogTime,
    /// 572.
    pub last_reattach: Lgpos,
    /// 580.
    pub trim_count: u32,
    /// 584: changes with each header flush.
    pub sign_header_flush: Signature,
    /// 612: equals the flush map's own signature while they belong together.
    pub sign_flush_map: Signature,
    /// 640.
    pub consistent_low: Generation,
    /// 644: the third number of the version.
    pub update_minor: u32,
    /// 648: engine format version of the last attaching engine.
    pub attached_by: u32,
    /// 652.
    pub dbscan_highest: Pgno,
    /// 656.
    pub last_resize: Lgpos,
    /// 664.
    #[serde(skip)]
    pub reserved: [u8; 3],
    /// 667: see [`FileType`].
    pub filetype: u32,
    /// 671.
    #[serde(skip)]
    pub pad: u8,
    /// 672: creation time of the last required generation.
    pub required_high_time: LogTime,
    /// 680.
    pub pre_redo_consistent_low: Generation,
    /// 684.
    pub pre_redo_required_low: Generation,
    /// 688: revert snapshot.
    pub sign_rbs: Signature,
    /// 716.
    pub revert_count: u32,
    /// 720.
    pub revert_from: LogTime,
    /// 728.
    pub revert_to: LogTime,
    /// 736.
    pub revert_page_count: u32,
    /// 740.
    pub commit_before_revert: Lgpos,
}

impl DbHeader {
    /// Reads the fields from the first bytes of a header page.
    ///
    /// # Errors
    /// [`Truncated`] when fewer than [`HEADER_BYTES`] bytes are given.
    pub fn parse(page: &[u8]) -> Result<Self, Truncated> {
        Self::read(&mut Cursor::new(page)).map_err(|_| Truncated {
            what: "database header",
            offset: 0,
            need: HEADER_BYTES,
            have: page.len(),
        })
    }

    /// Writes the fields over the first bytes of `page` and seals it; bytes after the known fields
    /// stay as they are. `page` must hold a whole page.
    pub fn write_to(&self, page: &mut [u8]) {
        let mut fields = Cursor::new(Vec::with_capacity(HEADER_BYTES));
        self.write(&mut fields).expect("a Vec takes every byte");
        page[..HEADER_BYTES].copy_from_slice(fields.get_ref());
        super::checksum::seal_header(page);
    }

    /// A header with every field zero but magic, version and file type.
    #[must_use]
    pub fn empty() -> Self {
        let mut header = Self::parse(&[0; HEADER_BYTES]).expect("748 bytes are given");
        header.magic = MAGIC;
        header.version = DB_VERSION;
        header
    }

    /// The state in words.
    #[must_use]
    pub const fn db_state(&self) -> DbState {
        DbState::from_header(self.state)
    }

    /// The page size, or `None` when the field holds no legal one.
    #[must_use]
    pub const fn page_size(&self) -> Option<PageSize> {
        PageSize::from_header(self.page_size)
    }

    /// The kind of file.
    #[must_use]
    pub const fn file_type(&self) -> FileType {
        FileType::from_header(self.filetype)
    }

    /// True when the header says that no shadow catalog is kept.
    #[must_use]
    pub const fn shadowing_disabled(&self) -> bool {
        self.flags[0] & 0x01 != 0
    }

    /// True when the header says that an `.stm` file belongs to the database.
    #[must_use]
    pub const fn has_streaming_file(&self) -> bool {
        self.flags[0] & 0x04 != 0
    }

    /// True for a streaming file (`.stm`): attribute 1, or file type 2.
    #[must_use]
    pub const fn is_streaming_file(&self) -> bool {
        self.attrib == 1 || matches!(self.file_type(), FileType::Streaming)
    }

    /// True while this file is the copy that an online backup wrote and nobody has recovered yet;
    /// then it ends with a trailer page. [engine: low set, high not]
    #[must_use]
    pub fn is_backup_copy(&self) -> bool {
        self.backup_full_cur.low.get() != 0 && self.backup_full_cur.high.get() == 0
    }

    /// The flush map no longer knows how the pages were written: new signatures say that it does not belong to the
    /// database any more, and the engine makes a new one. Databases from before there were flush maps get none.
    /// \[engine; verified: r-badjfm\]
    pub fn renew_flush_signatures(&mut self, now: LogTime) {
        if self.update_major >= FLUSH_MAPS_SINCE {
            self.sign_header_flush = Signature::fresh(now);
            self.sign_flush_map = Signature::fresh(now);
        }
    }
}

/// Revision of Windows 8 and Exchange 2013.
const FLUSH_MAPS_SINCE: u32 = 20;

/// State of a database. Scripts match the words, so they are Eseutil's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DbState {
    /// 0, 5 and every number not known.
    Illegal,
    /// 1.
    JustCreated,
    /// 2: logs are needed.
    DirtyShutdown,
    /// 3: complete without logs.
    CleanShutdown,
    /// 4: format conversion under way.
    BeingConverted,
    /// 6.
    IncrementalReseedInProgress,
    /// 7.
    DirtyAndPatchedShutdown,
    /// 8.
    RevertInProgress,
}

impl DbState {
    /// The header's field at 52 of a database that is complete.
    pub const CLEAN: u32 = 3;

    /// From the header's field at 52.
    #[must_use]
    pub const fn from_header(state: u32) -> Self {
        match state {
            1 => Self::JustCreated,
            2 => Self::DirtyShutdown,
            3 => Self::CleanShutdown,
            4 => Self::BeingConverted,
            6 => Self::IncrementalReseedInProgress,
            7 => Self::DirtyAndPatchedShutdown,
            8 => Self::RevertInProgress,
            _ => Self::Illegal,
        }
    }

    /// Eseutil's words. 5 was "Force Detach" up to Exchange 2003; the current engine prints it as
    /// "Illegal", and so does this.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Illegal => "Illegal",
            Self::JustCreated => "Just Created",
            Self::DirtyShutdown => "Dirty Shutdown",
            Self::CleanShutdown => "Clean Shutdown",
            Self::BeingConverted => "Being Converted",
            Self::IncrementalReseedInProgress => "Incremental Reseed In Progress",
            Self::DirtyAndPatchedShutdown => "Dirty and Patched Shutdown",
            Self::RevertInProgress => "Database Revert in Progress",
        }
    }
}

impl Serialize for DbState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.words())
    }
}

/// What kind of file a header says it heads. [engine; 1, 3, 4, 7 verified]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    /// 0: written before the field existed, or not one of ours.
    Unknown,
    /// 1.
    Database,
    /// 2: `.stm`.
    Streaming,
    /// 3.
    Log,
    /// 4.
    Checkpoint,
    /// 5.
    TempDatabase,
    /// 7: `.jfm`.
    FlushMap,
    /// 6 and 8 to 11: trace logs, block cache, revert snapshots.
    Other,
}

impl FileType {
    /// From the field at [`FILETYPE_OFFSET`].
    #[must_use]
    pub const fn from_header(number: u32) -> Self {
        match number {
            1 => Self::Database,
            2 => Self::Streaming,
            3 => Self::Log,
            4 => Self::Checkpoint,
            5 => Self::TempDatabase,
            7 => Self::FlushMap,
            6 | 8..=11 => Self::Other,
            _ => Self::Unknown,
        }
    }
}

/// How a remembered backup was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupKind {
    /// 0: streaming.
    Normal,
    /// 1: volume shadow copy.
    OsSnapshot,
    /// 2.
    Snapshot,
    /// Anything else.
    Unknown,
}

impl BackupKind {
    /// From the header's fields at 356, 360, 468, 472.
    #[must_use]
    pub const fn from_header(kind: u32) -> Self {
        match kind {
            0 => Self::Normal,
            1 => Self::OsSnapshot,
            2 => Self::Snapshot,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DbHeader, DbState, FILETYPE_OFFSET, HEADER_BYTES};

    #[test]
    fn every_field_lies_where_it_should() {
        let page: Vec<u8> = (0..4096u32).map(|at| (at * 7 % 251) as u8).collect();
        let header = DbHeader::parse(&page).unwrap();
        let u32_at = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap());
        assert_eq!(header.state, u32_at(52));
        assert_eq!(header.objid_last.get(), u32_at(212));
        assert_eq!(header.page_size, u32_at(236));
        assert_eq!(header.required_low.get(), u32_at(296));
        assert_eq!(header.committed_high.get(), u32_at(416));
        assert_eq!(header.sign_flush_map.random, u32_at(612));
        assert_eq!(header.filetype, u32_at(FILETYPE_OFFSET));
        assert_eq!(header.revert_page_count, u32_at(736));
    }

    #[test]
    fn writing_changes_only_the_checksum() {
        let page: Vec<u8> = (0..4096u32).map(|at| (at * 13 % 253) as u8).collect();
        let mut copy = page.clone();
        DbHeader::parse(&page).unwrap().write_to(&mut copy);
        assert_eq!(page[4..], copy[4..]);
        assert!(crate::format::checksum::header_is_good(&copy));
    }

    #[test]
    fn short_input_is_refused() {
        assert!(DbHeader::parse(&[0; HEADER_BYTES - 1]).is_err());
        assert!(DbHeader::parse(&[]).is_err());
        assert_eq!(DbState::from_header(5).words(), "Illegal");
    }
}
