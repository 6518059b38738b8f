//! The types of log records, their names, and how long a record is.
//! [log notes 6.2; sizes verified on every corpus log]

use std::fmt;

use serde::Serialize;

use super::RecordFault;
use crate::format::bytes::{u16_at, u32_at};

/// The first byte of a log record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKind(u8);

macro_rules! kinds {
    ($($number:literal $constant:ident $name:literal $doc:literal;)*) => {
        impl RecordKind {
            $(#[doc = $doc] pub const $constant: Self = Self($number);)*

            /// The name of the record's type; `None` for a number that was never given.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    75 | 82..=91 => Some("Ignored"),
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    0 NOP "NOP" "Padding of one byte.";
    1 INIT "Init" "The engine started, without a time (before 7.3704).";
    2 TERM "Term" "The engine stopped in order, without a time.";
    3 MS "MS" "A flush mark of logs before 7.37.";
    4 END "End" "End of log, before 7.37.";
    5 BEGIN "Begin" "A nested transaction begins.";
    6 COMMIT "Commit" "A nested transaction is merged into the one around it.";
    7 ROLLBACK "Rollback" "Transaction levels were rolled back.";
    8 BEGIN0 "Begin0" "An outermost transaction begins.";
    9 COMMIT0 "Commit0" "An outermost transaction is committed.";
    10 REFRESH "Refresh" "A transaction gets a new id.";
    11 MACRO_BEGIN "MacroBegin" "A group of page changes begins that is done whole or not at all.";
    12 MACRO_COMMIT "MacroCommit" "The group takes effect.";
    13 MACRO_ABORT "MacroAbort" "The group is dropped.";
    14 CREATE_DB "CreateDB" "A database is created.";
    15 ATTACH_DB "AttachDB" "A database is attached.";
    16 DETACH_DB "DetachDB" "A database is detached.";
    17 RECOVERY_UNDO "RecoveryUndo" "A recovery began to roll back, without a time.";
    18 RECOVERY_QUIT "RecoveryQuit" "A recovery ended, without a time.";
    19 FULL_BACKUP "FullBackup" "A full backup (before 7.3704.5).";
    20 INC_BACKUP "IncBackup" "An incremental backup (before 7.3704.5).";
    21 JET_OP "JetOp" "An API call, written by test builds.";
    22 TRACE "Trace" "A remark of the engine.";
    23 SHUTDOWN_MARK "ShutDownMark" "Everything before it is in the databases.";
    24 CREATE_MULTIPLE_EXTENT_FDP "CreateMultipleExtentFDP" "A tree with space trees of its own is made.";
    25 CREATE_SINGLE_EXTENT_FDP "CreateSingleExtentFDP" "A small tree is made.";
    26 CONVERT_FDP_OLD "ConvertFDP" "A small tree gets space trees (before 7.3704.7).";
    27 SPLIT_OLD "Split" "A page is split (before 7.3704.11).";
    28 MERGE_OLD "Merge" "Two pages are merged (before 7.3704.11).";
    29 INSERT "Insert" "A node is inserted.";
    30 FLAG_INSERT "FlagInsert" "A node flagged deleted comes back.";
    31 FLAG_INSERT_AND_REPLACE_DATA "FlagInsertAndReplaceData" "A node flagged deleted comes back with new data.";
    32 FLAG_DELETE "FlagDelete" "A node is flagged deleted.";
    33 REPLACE "Replace" "The data of a node are replaced.";
    34 REPLACE_D "ReplaceD" "The data of a node are replaced; the record holds the difference.";
    35 DELETE "Delete" "A node is removed.";
    36 UNDO_INFO "UndoInfo" "What a node held before, for rolling back.";
    37 DELTA "Delta" "A number of 32 bits in a node is changed by a sum.";
    38 SET_EXTERNAL_HEADER "SetExternalHeader" "The external header of a page is replaced.";
    39 UNDO "Undo" "An operation was rolled back.";
    40 SLV_PAGE_APPEND "SLVPageAppend" "Exchange 2000 and 2003: content of the streaming file.";
    41 SLV_SPACE "SLVSpace" "Exchange 2000 and 2003: space of the streaming file.";
    42 CHECKSUM "Checksum" "LRCHECKSUM: a range of the old log format.";
    43 SLV_PAGE_MOVE "SLVPageMove" "Exchange 2000 and 2003: a page of the streaming file moves.";
    44 FORCE_DETACH_DB "ForceDetachDB" "Exchange 2000 to 2007: a database was detached by force.";
    45 EXT_RESTORE "ExtRestore" "A restore from outside, ASCII.";
    46 BACKUP "Backup" "A step of a backup.";
    47 UPGRADE_DB "UpgradeDB" "Never written by a shipped version.";
    48 EMPTY_TREE "EmptyTree" "All pages of a tree but its root are given back.";
    49 INIT2 "Init2" "The engine started.";
    50 TERM2 "Term2" "The engine stopped in order.";
    51 RECOVERY_UNDO2 "RecoveryUndo2" "A recovery began to roll back.";
    52 RECOVERY_QUIT2 "RecoveryQuit2" "A recovery ended.";
    53 BEGIN_DT "BeginDT" "A distributed transaction begins.";
    54 PREP_COMMIT "PrepCommit" "A distributed transaction is prepared.";
    55 PREP_ROLLBACK "PrepRollback" "A distributed transaction is given up.";
    56 DB_LIST "DbList" "Unused.";
    57 FORCE_WRITE_LOG "ForceWriteLog" "The log was flushed on demand.";
    58 CONVERT_FDP "ConvertFDP2" "A small tree gets space trees of its own.";
    59 EXT_RESTORE2 "ExtRestore2" "A restore from outside, UTF-16.";
    60 BACKUP2 "Backup2" "A step of a backup.";
    61 FORCE_LOG_ROLLOVER "ForceLogRollover" "A new log was begun on demand.";
    62 SPLIT "Split2" "A page is split.";
    63 MERGE "Merge2" "Two pages are merged.";
    64 SCRUB "Scrub" "Deleted content of a page is overwritten.";
    65 PAGE_MOVE "PageMove" "A page moves to another number.";
    66 PAGE_PATCH_REQUEST "PagePatchRequest" "A good copy of a page was asked for.";
    67 MACRO_INFO "MacroInfo" "The pages of the group before.";
    68 EXTEND_DB "ExtendDB" "The file grows.";
    69 COMMIT_CTX "CommitCtx" "What the application says of a commit.";
    70 SCAN_CHECK "ScanCheck" "What a page looked like to a scan.";
    71 NOP2 "NOP2" "Padding of any length.";
    72 RE_ATTACH "ReAttach" "A database was attached again without a detach.";
    73 MACRO_INFO2 "MacroInfo2" "The pages of the group before, with their database.";
    74 FREE_FDP "FreeFDP" "A tree is no longer in use.";
    76 FRAGMENT_BEGIN "FragmentBegin" "The first piece of a record that does not fit in its segment.";
    77 FRAGMENT "Fragment" "A further piece.";
    78 SHRINK_DB "ShrinkDB" "The file is cut.";
    79 CREATE_DB_FINISH "CreateDBFinish" "A new database is complete.";
    80 RECOVERY_QUIT_KEEP_ATTACHMENTS "RecoveryQuitKeepAttachments" "A recovery ended, its databases stay attached.";
    81 TRIM_DB "TrimDB" "Unused pages are given back to the file system.";
    92 SET_DB_VERSION "SetDbVersion" "The format of a database is raised.";
    93 DELTA64 "Delta64" "A number of 64 bits in a node is changed by a sum.";
    94 SHRINK_DB2 "ShrinkDB2" "The file is cut.";
    95 NEW_PAGE "NewPage" "A page is taken into use.";
    96 ROOT_PAGE_MOVE "RootPageMove" "The root of a tree moves.";
    97 SIGNAL_ATTACH_DB "SignalAttachDb" "The attach before it is complete.";
    98 SCAN_CHECK2 "ScanCheck2" "What a page looked like to a scan.";
    99 SHRINK_DB3 "ShrinkDB3" "The file is cut, with a time.";
    100 EXTENT_FREED "ExtentFreed" "An extent is given back.";
    101 EXTENT_FREED2 "ExtentFreed2" "An extent is given back, with a time.";
}

/// Bytes of the environment in Init records.
pub(super) const ENVIRONMENT: usize = 567;

impl RecordKind {
    /// The highest number that was ever given.
    pub const LAST: Self = Self::EXTENT_FREED2;

    /// Wraps the first byte of a record.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// True for records that begin with a length and may be skipped when they are not known.
    #[must_use]
    pub const fn is_ignored_shape(self) -> bool {
        matches!(self.0, 67..=75 | 82..=91)
    }

    /// True for types that Exchange 2000 to 2007 wrote and whose layout is not public: what follows them cannot be read.
    #[must_use]
    pub const fn is_undocumented(self) -> bool {
        matches!(self.0, 40 | 41 | 43 | 44 | 47 | 56)
    }

    /// Length of the fixed part; `None` for types whose layout is not known.
    #[must_use]
    pub const fn fixed_len(self) -> Option<usize> {
        Some(match self.0 {
            0 | 4 | 17 | 23 => 1,
            1 => 1 + ENVIRONMENT,
            49 => 1 + ENVIRONMENT + 8,
            2 | 18 => 18,
            3 | 51 => 9,
            50 | 52 | 80 => 26,
            5..=7 | 21 | 79 => 4,
            8 | 9 | 53 => 8,
            10 | 16 | 54 => 7,
            11..=13 | 100 => 11,
            14 => 43,
            15 => 75,
            19 | 20 | 45 | 55 | 57 | 59 => 3,
            22 | 46 | 61 => 5,
            24 => 56,
            25 | 30 => 48,
            26 => 60,
            27 => 102,
            28 => 88,
            29 | 33 | 34 => 50,
            31 => 52,
            32 | 35 => 44,
            36 => 56,
            37 | 64 => 54,
            38 | 48 | 66 => 46,
            39 => 51,
            42 => 22,
            58 => 68,
            60 => 35,
            62 => 110,
            63 | 65 => 96,
            67..=75 | 82..=91 => 5,
            76 => 7,
            77 => 3,
            78 | 81 | 94 => 10,
            92 => 14,
            93 => 58,
            95 => 20,
            96 => 16,
            97 => 2,
            98 => 27,
            99 => 18,
            101 => 19,
            _ => return None,
        })
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

impl fmt::Debug for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RecordKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Length of the whole record that `bytes` begin with. The result may be longer than `bytes`: the
/// fixed part must be there, what follows need not.
///
/// # Errors
/// [`RecordFault::Unknown`] for a type that does not exist or whose layout is not known,
/// [`RecordFault::Short`] when the fixed part is cut off.
#[inline]
pub fn record_len(bytes: &[u8]) -> Result<usize, RecordFault> {
    let kind = RecordKind(*bytes.first().ok_or(RecordFault::Short {
        kind: RecordKind::NOP,
        need: 1,
    })?);
    let fixed = kind.fixed_len().ok_or(RecordFault::Unknown { kind })?;
    let head = bytes
        .get(..fixed)
        .ok_or(RecordFault::Short { kind, need: fixed })?;
    let u16_of = |at: usize| usize::from(u16_at(head, at).unwrap_or_default());
    let u32_of = |at: usize| u32_at(head, at).unwrap_or_default() as usize;
    let rest = match kind.0 {
        14 => u16_of(40) + if head[42] & 4 != 0 { 4 } else { 0 },
        15 => u16_of(72),
        16 => u16_of(4),
        19 | 20 | 45 | 59 => u16_of(1),
        22 | 46 | 61 => u16_of(3),
        27 => u16_of(96) + u16_of(98) + u16_of(100),
        62 => u16_of(96) + u16_of(98) + u16_of(100) + u32_of(106),
        28 => u16_of(86),
        63 => u16_of(86) + u32_of(92),
        29 => u16_of(44) + u16_of(46) + u16_of(48),
        30 | 31 => u16_of(44) + u16_of(46),
        33 | 34 => u16_of(44) & 0x7FFF,
        36 => u16_of(44) + u16_of(46) + u16_of(54),
        37 | 39 | 93 => u16_of(44) + u16_of(46),
        38 | 48 => u16_of(44),
        54 => u32_of(3),
        60 => u16_of(33),
        64 => u16_of(52),
        65 => u32_of(88).saturating_add(u32_of(92)),
        67..=75 | 82..=91 => u32_of(1),
        76 => u16_of(5),
        77 => u16_of(1),
        _ => 0,
    };
    Ok(fixed.saturating_add(rest))
}
