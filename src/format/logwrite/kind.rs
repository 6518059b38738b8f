//! Numbers of the record types that this library writes. [log notes 6.2, verified]

/// One byte of filler.
pub const NOP: u8 = 0;
/// Begin of a transaction below the outermost level.
pub const BEGIN: u8 = 5;
/// Commit to a level above zero.
pub const COMMIT: u8 = 6;
/// Levels given up.
pub const ROLLBACK: u8 = 7;
/// Begin of an outermost transaction.
pub const BEGIN0: u8 = 8;
/// Commit of an outermost transaction.
pub const COMMIT0: u8 = 9;
/// Begin of a macro.
pub const MACRO_BEGIN: u8 = 11;
/// A macro takes effect.
pub const MACRO_COMMIT: u8 = 12;
/// A macro is dropped.
pub const MACRO_ABORT: u8 = 13;
/// A database is created.
pub const CREATE_DB: u8 = 14;
/// A database is attached.
pub const ATTACH_DB: u8 = 15;
/// A database is detached.
pub const DETACH_DB: u8 = 16;
/// All pages are on disk; databases are consistent as of here.
pub const SHUT_DOWN_MARK: u8 = 23;
/// A tree with space trees of its own.
pub const CREATE_MULTIPLE_EXTENT_FDP: u8 = 24;
/// A tree without.
pub const CREATE_SINGLE_EXTENT_FDP: u8 = 25;
/// A tree gets space trees, before 7.3704.7.
pub const CONVERT_FDP: u8 = 26;
/// Split, before 7.3704.11.
pub const SPLIT: u8 = 27;
/// Merge, before 7.3704.11.
pub const MERGE: u8 = 28;
/// A node is inserted.
pub const INSERT: u8 = 29;
/// A deleted node lives again.
pub const FLAG_INSERT: u8 = 30;
/// A deleted node lives again with other data.
pub const FLAG_INSERT_AND_REPLACE_DATA: u8 = 31;
/// A node is marked deleted.
pub const FLAG_DELETE: u8 = 32;
/// Data is replaced.
pub const REPLACE: u8 = 33;
/// Data is replaced; the record holds what is different.
pub const REPLACE_D: u8 = 34;
/// A node is removed.
pub const DELETE: u8 = 35;
/// What an operation replaced, for undo.
pub const UNDO_INFO: u8 = 36;
/// A number is raised.
pub const DELTA: u8 = 37;
/// The external header is set.
pub const SET_EXTERNAL_HEADER: u8 = 38;
/// An operation is undone.
pub const UNDO: u8 = 39;
/// LRCHECKSUM of the old format.
pub const CHECKSUM: u8 = 42;
/// A tree becomes empty.
pub const EMPTY_TREE: u8 = 48;
/// The engine starts.
pub const INIT2: u8 = 49;
/// The engine ends.
pub const TERM2: u8 = 50;
/// Recovery has redone all and begins to undo.
pub const RECOVERY_UNDO2: u8 = 51;
/// Recovery is done.
pub const RECOVERY_QUIT2: u8 = 52;
/// A tree gets space trees.
pub const CONVERT_FDP2: u8 = 58;
/// Split.
pub const SPLIT2: u8 = 62;
/// Merge.
pub const MERGE2: u8 = 63;
/// Deleted content is overwritten.
pub const SCRUB: u8 = 64;
/// A page moves.
pub const PAGE_MOVE: u8 = 65;
/// Pages of the macro before.
pub const MACRO_INFO: u8 = 67;
/// The file grows.
pub const EXTEND_DB: u8 = 68;
/// Filler of any length from 5 bytes on.
pub const NOP2: u8 = 71;
/// First piece of a record that is cut.
pub const FRAGMENT_BEGIN: u8 = 76;
/// Every other piece.
pub const FRAGMENT: u8 = 77;
/// A created database is complete.
pub const CREATE_DB_FINISH: u8 = 79;
/// Pages are given back to the file system.
pub const TRIM_DB: u8 = 81;
/// A database gets a newer version.
pub const SET_DB_VERSION: u8 = 92;
/// A 64-bit number is raised.
pub const DELTA64: u8 = 93;
/// A page is new.
pub const NEW_PAGE: u8 = 95;
/// A root moves.
pub const ROOT_PAGE_MOVE: u8 = 96;
/// The file shrinks.
pub const SHRINK_DB3: u8 = 99;
