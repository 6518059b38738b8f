//! From the bytes of a record to its fields.

use super::body::{
    Begin, Close, CloseKind, Commit, Delta, Freed, Init, MacroStep, NewPage, Note, OperKind, Raw,
    Replace, ResizeKind, ScanCheck, SpaceTrees, Undo, UndoInfo,
};
use super::database::{AttachDb, BackupStep, CreateDb, DetachDb, ReAttach, SetDbVersion, text};
use super::kind::{ENVIRONMENT, RecordKind, record_len};
use super::marks::{CommitContext, FreeFdp, MacroPages, PagePatch, RangeCheck};
use super::structure::{Merge, PageMove, RootPageMove, Scrub, Split};
use super::{DbId, NodeHead, PageHead, ProcId, RceId, RecordFault, TrxId};
use crate::format::ids::{DbTime, Pgno};
use crate::format::stamp::{BackupInfo, LogTime, Signature};

/// A log record. Borrows its variable parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// 0 and 71: padding.
    Padding,
    /// 1, 49.
    Init(Init<'a>),
    /// 2, 18, 50, 52, 80.
    Close(Close),
    /// 5, 8, 53.
    Begin(Begin),
    /// 6, 9.
    Commit(Commit),
    /// 7.
    Rollback(ProcId, u8),
    /// 10.
    Refresh(ProcId, TrxId),
    /// 11 to 13.
    Macro(ProcId, DbTime, MacroStep),
    /// 14.
    CreateDb(CreateDb),
    /// 79.
    CreateDbFinish(ProcId, DbId),
    /// 15.
    AttachDb(AttachDb),
    /// 97.
    SignalAttachDb(DbId),
    /// 16.
    DetachDb(DetachDb),
    /// 72.
    ReAttach(ReAttach),
    /// 92.
    SetDbVersion(SetDbVersion),
    /// 17, 51.
    RecoveryUndo(Option<LogTime>),
    /// 23.
    ShutdownMark,
    /// 24, 25.
    CreateFdp(PageHead, SpaceTrees),
    /// 26, 58.
    ConvertFdp(PageHead, SpaceTrees),
    /// 27, 62.
    Split(PageHead, Split<'a>),
    /// 28, 63.
    Merge(PageHead, Merge<'a>),
    /// 29: the part of the key that the page's prefix holds, the rest of the key, data.
    Insert(NodeHead, &'a [u8], &'a [u8], &'a [u8]),
    /// 30: key, data.
    FlagInsert(NodeHead, &'a [u8], &'a [u8]),
    /// 31: key, data, version of the replace.
    FlagInsertAndReplaceData(NodeHead, &'a [u8], &'a [u8], RceId),
    /// 32.
    FlagDelete(NodeHead),
    /// 33, 34.
    Replace(NodeHead, Replace<'a>),
    /// 35.
    Delete(NodeHead),
    /// 36.
    UndoInfo(NodeHead, UndoInfo<'a>),
    /// 37, 93.
    Delta(NodeHead, Delta<'a>),
    /// 38.
    SetExternalHeader(NodeHead, &'a [u8]),
    /// 39.
    Undo(NodeHead, Undo<'a>),
    /// 48: a list for [`super::EmptyTreeEntry::all`].
    EmptyTree(NodeHead, &'a [u8]),
    /// 64.
    Scrub(NodeHead, Scrub<'a>),
    /// 65.
    PageMove(PageHead, PageMove<'a>),
    /// 96.
    RootPageMove(RootPageMove),
    /// 95.
    NewPage(NewPage),
    /// 68, 78, 81, 94, 99: the database and a page.
    Resize(DbId, Pgno, ResizeKind),
    /// 100, 101.
    ExtentFreed(Freed),
    /// 70, 98.
    ScanCheck(ScanCheck),
    /// 60.
    Backup(BackupStep),
    /// 19, 20, 22, 45, 46, 59, 61.
    Note(Note<'a>),
    /// 67, 73.
    MacroPages(MacroPages<'a>),
    /// 69.
    CommitContext(CommitContext<'a>),
    /// 74.
    FreeFdp(FreeFdp),
    /// 66.
    PagePatch(PagePatch),
    /// 57.
    ForceWriteLog(ProcId),
    /// 42: old format only.
    RangeCheck(RangeCheck),
    /// 76, 77: a part of the physical format.
    Physical(RecordKind),
    /// Known or at least skippable, and nothing that recovery acts upon: the bytes behind the fixed part.
    Other(RecordKind, &'a [u8]),
}

impl<'a> Record<'a> {
    /// Reads the record that `bytes` hold from the first to the last.
    ///
    /// # Errors
    /// [`RecordFault`] when the type is not known, or the bytes are fewer than the record says.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordFault> {
        let need = record_len(bytes)?;
        let kind = RecordKind::new(bytes[0]);
        let bytes = bytes.get(..need).ok_or(RecordFault::Short { kind, need })?;
        let raw = Raw(bytes);
        Ok(match kind.get() {
            0 | 71 => Self::Padding,
            1 | 49 => Self::Init(Init {
                environment: raw.bytes(1, ENVIRONMENT),
                time: (kind == RecordKind::INIT2).then(|| raw.time(1 + ENVIRONMENT)),
            }),
            2 | 18 | 50 | 52 | 80 => Self::Close(close(kind, raw)),
            5 | 8 | 53 => Self::Begin(Begin {
                procid: raw.procid(1),
                from: raw.u8(3) & 0xF,
                levels: raw.u8(3) >> 4,
                trx: (kind != RecordKind::BEGIN).then(|| TrxId(raw.u32(4))),
                distributed: kind == RecordKind::BEGIN_DT,
            }),
            6 | 9 => Self::Commit(Commit {
                procid: raw.procid(1),
                to: raw.u8(3),
                trx: (kind == RecordKind::COMMIT0).then(|| TrxId(raw.u32(4))),
            }),
            7 => Self::Rollback(raw.procid(1), raw.u8(3)),
            10 => Self::Refresh(raw.procid(1), TrxId(raw.u32(3))),
            11 => Self::Macro(raw.procid(1), raw.dbtime(3), MacroStep::Begin),
            12 => Self::Macro(raw.procid(1), raw.dbtime(3), MacroStep::Commit),
            13 => Self::Macro(raw.procid(1), raw.dbtime(3), MacroStep::Abort),
            14 => Self::CreateDb(create_db(raw)),
            15 => Self::AttachDb(attach_db(raw)),
            16 => Self::DetachDb(DetachDb {
                procid: raw.procid(1),
                dbid: raw.dbid(3),
                flags: raw.u8(6),
                path: text(raw.rest(7), raw.u8(6) & 0x10 != 0),
            }),
            17 => Self::RecoveryUndo(None),
            51 => Self::RecoveryUndo(Some(raw.time(1))),
            23 => Self::ShutdownMark,
            24 | 25 => Self::CreateFdp(page_head(kind, raw), space_trees(kind, raw)),
            26 | 58 => Self::ConvertFdp(page_head(kind, raw), space_trees(kind, raw)),
            27 | 62 => Self::Split(page_head(kind, raw), Split::parse(kind, raw)),
            28 | 63 => Self::Merge(page_head(kind, raw), Merge::parse(kind, raw)),
            29 => {
                let (suffix, prefix) = (usize::from(raw.u16(44)), usize::from(raw.u16(46)));
                let at = 50 + prefix;
                Self::Insert(
                    node_head(kind, raw),
                    raw.bytes(50, prefix),
                    raw.bytes(at, suffix),
                    raw.rest(at + suffix),
                )
            }
            30 | 31 => flag_insert(kind, raw),
            32 => Self::FlagDelete(node_head(kind, raw)),
            33 | 34 => Self::Replace(node_head(kind, raw), replace(kind, raw)),
            35 => Self::Delete(node_head(kind, raw)),
            36 => Self::UndoInfo(node_head(kind, raw), undo_info(raw)),
            37 | 93 => Self::Delta(node_head(kind, raw), delta(kind, raw)),
            38 => Self::SetExternalHeader(node_head(kind, raw), raw.rest(46)),
            39 => {
                let key = usize::from(raw.u16(44));
                let undo = Undo {
                    oper: OperKind::new(raw.u16(48)),
                    level: raw.u8(50),
                    key: raw.bytes(51, key),
                    bookmark_data: raw.rest(51 + key),
                };
                Self::Undo(node_head(kind, raw), undo)
            }
            48 => Self::EmptyTree(node_head(kind, raw), raw.rest(46)),
            64 => {
                let scrub = Scrub {
                    flags: raw.u32(44),
                    count: raw.u32(48),
                    opers: raw.rest(54),
                };
                Self::Scrub(node_head(kind, raw), scrub)
            }
            65 => Self::PageMove(page_head(kind, raw), PageMove::parse(raw)),
            96 => Self::RootPageMove(RootPageMove {
                dbtime: raw.dbtime(1),
                dbid: raw.dbid(9),
                objid: raw.objid(10),
                procid: raw.procid(14),
            }),
            95 => Self::NewPage(NewPage {
                procid: raw.procid(1),
                dbid: raw.dbid(3),
                pgno: raw.pgno(4),
                objid: raw.objid(8),
                after: raw.dbtime(12),
            }),
            60 => Self::Backup(backup(raw)),
            42 => Self::RangeCheck(RangeCheck::parse(raw)),
            76 | 77 => Self::Physical(kind),
            _ => rare(kind, raw),
        })
    }
}

impl Record<'_> {
    /// The head of a record that changes a node.
    #[must_use]
    pub const fn node_head(&self) -> Option<&NodeHead> {
        match self {
            Self::Insert(head, ..)
            | Self::FlagInsert(head, ..)
            | Self::FlagInsertAndReplaceData(head, ..)
            | Self::FlagDelete(head)
            | Self::Replace(head, _)
            | Self::Delete(head)
            | Self::UndoInfo(head, _)
            | Self::Delta(head, _)
            | Self::SetExternalHeader(head, _)
            | Self::Undo(head, _)
            | Self::EmptyTree(head, _)
            | Self::Scrub(head, _) => Some(head),
            _ => None,
        }
    }

    /// The head of a record that changes a page.
    #[must_use]
    pub const fn page_head(&self) -> Option<&PageHead> {
        match self {
            Self::CreateFdp(head, _)
            | Self::ConvertFdp(head, _)
            | Self::Split(head, _)
            | Self::Merge(head, _)
            | Self::PageMove(head, _) => Some(head),
            _ => match self.node_head() {
                Some(head) => Some(&head.page),
                None => None,
            },
        }
    }
}

fn rare(kind: RecordKind, raw: Raw<'_>) -> Record<'_> {
    let resize = |what| Record::Resize(raw.dbid(1), raw.pgno(2), what);
    match kind.get() {
        68 => Record::Resize(raw.dbid(5), raw.pgno(6), ResizeKind::Extend),
        78 | 94 | 99 => resize(ResizeKind::Shrink {
            pages: raw.u32(6),
            after: (kind == RecordKind::SHRINK_DB3).then(|| raw.dbtime(10)),
        }),
        81 => resize(ResizeKind::Trim { pages: raw.u32(6) }),
        92 => Record::SetDbVersion(SetDbVersion {
            dbid: raw.dbid(1),
            major: raw.u32(2),
            update_major: raw.u32(6),
            update_minor: raw.u32(10),
        }),
        66 => Record::PagePatch(PagePatch {
            dbid: raw.dbid(1),
            pgno: raw.pgno(2),
            dbtime: raw.dbtime(6),
        }),
        67 | 73 => Record::MacroPages(MacroPages::parse(kind, raw)),
        69 => Record::CommitContext(CommitContext::parse(raw)),
        74 => Record::FreeFdp(FreeFdp {
            dbid: raw.dbid(5),
            pgno: raw.pgno(6),
            trx: TrxId(raw.u32(10)),
            kind: raw.u8(14),
        }),
        79 => Record::CreateDbFinish(raw.procid(1), raw.dbid(3)),
        97 => Record::SignalAttachDb(raw.dbid(1)),
        72 => Record::ReAttach(ReAttach {
            dbid: raw.dbid(5),
            attached: raw.lgpos(6),
            consistent: raw.lgpos(14),
            sign_db: signature(raw, 22),
        }),
        100 | 101 => Record::ExtentFreed(Freed {
            dbid: raw.dbid(1),
            first: raw.pgno(2),
            pages: raw.u32(6),
            flags: raw.u8(10),
            after: (kind == RecordKind::EXTENT_FREED2).then(|| raw.dbtime(11)),
        }),
        70 => Record::ScanCheck(ScanCheck {
            dbid: raw.dbid(5),
            pgno: raw.pgno(6),
            source: None,
            page_dbtime: raw.dbtime(26),
            current_dbtime: raw.dbtime(34),
            checksum: raw.u16(42).into(),
        }),
        98 => Record::ScanCheck(ScanCheck {
            dbid: raw.dbid(1),
            pgno: raw.pgno(2),
            source: Some(raw.u8(6)),
            page_dbtime: raw.dbtime(7),
            current_dbtime: raw.dbtime(15),
            checksum: raw.u32(23),
        }),
        19 | 20 | 45 | 59 => note(kind, None, 0, raw.rest(3)),
        22 | 61 => note(kind, Some(raw.procid(1)), 0, raw.rest(5)),
        46 => note(kind, None, raw.u8(1), raw.rest(5)),
        57 => Record::ForceWriteLog(raw.procid(1)),
        _ => Record::Other(kind, raw.rest(kind.fixed_len().unwrap_or_default())),
    }
}

const fn note(kind: RecordKind, procid: Option<ProcId>, detail: u8, text: &[u8]) -> Record<'_> {
    Record::Note(Note {
        kind,
        procid,
        detail,
        text,
    })
}

#[inline]
fn page_head(kind: RecordKind, raw: Raw<'_>) -> PageHead {
    PageHead {
        kind,
        procid: raw.procid(1),
        dbid: raw.dbid(3),
        pgno: raw.pgno(4),
        after: raw.dbtime(8),
        before: raw.dbtime(16),
        trx: TrxId(raw.u32(24)),
        level: raw.u8(28),
        line: raw.u16(29),
        flags: raw.u8(31),
    }
}

#[inline]
fn node_head(kind: RecordKind, raw: Raw<'_>) -> NodeHead {
    NodeHead {
        page: page_head(kind, raw),
        rceid: raw.rceid(32),
        pgno_fdp: raw.pgno(36),
        objid: raw.objid(40),
    }
}

fn signature(raw: Raw<'_>, at: usize) -> Signature {
    let mut computer = [0; 16];
    let stored = raw.bytes(at + 12, 16);
    computer[..stored.len()].copy_from_slice(stored);
    Signature {
        random: raw.u32(at),
        created: raw.time(at + 4),
        computer,
    }
}

fn close(kind: RecordKind, raw: Raw<'_>) -> Close {
    Close {
        kind: match kind.get() {
            2 | 50 => CloseKind::Term,
            80 => CloseKind::KeepAttachments,
            _ => CloseKind::RecoveryQuit,
        },
        of: raw.lgpos(1),
        redo_from: raw.lgpos(9),
        hard: raw.u8(17) != 0,
        time: matches!(kind.get(), 50 | 52 | 80).then(|| raw.time(18)),
    }
}

fn create_db(raw: Raw<'_>) -> CreateDb {
    let flags = raw.u8(42);
    let versioned = flags & 4 != 0;
    CreateDb {
        procid: raw.procid(1),
        dbid: raw.dbid(3),
        grbit: raw.u32(4),
        max_pages: raw.u32(8),
        sign_db: signature(raw, 12),
        flags,
        version: versioned.then(|| (raw.u16(43), raw.u16(45))),
        path: text(raw.rest(if versioned { 47 } else { 43 }), flags & 8 != 0),
    }
}

fn attach_db(raw: Raw<'_>) -> AttachDb {
    AttachDb {
        procid: raw.procid(1),
        dbid: raw.dbid(3),
        max_pages: raw.u32(4),
        consistent: raw.lgpos(8),
        sign_db: signature(raw, 16),
        sign_log: signature(raw, 44),
        flags: raw.u8(74),
        path: text(raw.rest(75), raw.u8(74) & 8 != 0),
    }
}

fn backup(raw: Raw<'_>) -> BackupStep {
    BackupStep {
        phase: raw.u8(1),
        kind: raw.u32(2),
        scope: raw.u8(6),
        dbid: raw.dbid(7),
        info: BackupInfo {
            mark: raw.lgpos(8),
            time: raw.time(16),
            low: crate::format::ids::Generation::new(raw.u32(24)),
            high: crate::format::ids::Generation::new(raw.u32(28)),
        },
        text: text(raw.rest(35), true),
    }
}

fn space_trees(kind: RecordKind, raw: Raw<'_>) -> SpaceTrees {
    let large = kind != RecordKind::CREATE_SINGLE_EXTENT_FDP;
    let convert = matches!(kind, RecordKind::CONVERT_FDP_OLD | RecordKind::CONVERT_FDP);
    let pgno_of = |is: bool, at| if is { raw.pgno(at) } else { Pgno::NULL };
    let i32_of = |at| raw.u32(at).cast_signed();
    SpaceTrees {
        objid: raw.objid(32),
        oe: pgno_of(large, 36),
        ae: pgno_of(large, 40),
        parent: raw.pgno(if large { 44 } else { 36 }),
        secondary_first: pgno_of(convert, 48),
        primary_pages: match (large, convert) {
            (false, _) => i32_of(40),
            (true, false) => i32_of(48),
            (true, true) => i32_of(52),
        },
        secondary_pages: if convert { i32_of(56) } else { 0 },
        free_bits: (kind == RecordKind::CONVERT_FDP).then(|| raw.u32(60)),
        page_flags: match kind {
            RecordKind::CREATE_SINGLE_EXTENT_FDP => Some(raw.u32(44)),
            RecordKind::CREATE_MULTIPLE_EXTENT_FDP => Some(raw.u32(52)),
            RecordKind::CONVERT_FDP => Some(raw.u32(64)),
            _ => None,
        },
    }
}

fn flag_insert(kind: RecordKind, raw: Raw<'_>) -> Record<'_> {
    let key = usize::from(raw.u16(44));
    let head = node_head(kind, raw);
    if kind == RecordKind::FLAG_INSERT {
        return Record::FlagInsert(head, raw.bytes(48, key), raw.rest(48 + key));
    }
    let (key_bytes, data) = (raw.bytes(52, key), raw.rest(52 + key));
    Record::FlagInsertAndReplaceData(head, key_bytes, data, raw.rceid(48))
}

#[inline]
fn replace(kind: RecordKind, raw: Raw<'_>) -> Replace<'_> {
    Replace {
        old_len: raw.u16(46),
        new_len: raw.u16(48),
        data: raw.rest(50),
        diff: (kind == RecordKind::REPLACE_D).then(|| raw.u16(44) & 0x8000 != 0),
    }
}

fn undo_info(raw: Raw<'_>) -> UndoInfo<'_> {
    let (key, data) = (usize::from(raw.u16(44)), usize::from(raw.u16(46)));
    UndoInfo {
        oper: OperKind::new(raw.u16(48)),
        max_size: raw.u16(50).cast_signed(),
        delta: raw.u16(52).cast_signed(),
        key: raw.bytes(56, key),
        bookmark_data: raw.bytes(56 + key, data),
        before: raw.rest(56 + key + data),
    }
}

fn delta(kind: RecordKind, raw: Raw<'_>) -> Delta<'_> {
    let wide = kind == RecordKind::DELTA64;
    let (key, at) = (usize::from(raw.u16(44)), if wide { 58 } else { 54 });
    Delta {
        delta: if wide {
            raw.u64(48).cast_signed()
        } else {
            i64::from(raw.u32(48).cast_signed())
        },
        offset: raw.u16(at - 2),
        wide,
        key: raw.bytes(at, key),
        bookmark_data: raw.rest(at + key),
    }
}
