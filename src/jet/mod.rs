//! JET error numbers: one newtype, one table of names and texts.
//!
//! Eseutil prints `number (name, text)` and scripts match on it, so names and texts are kept exactly.

mod table;

use std::fmt;

/// A JET error (negative) or warning (positive) number; 0 is success.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JetError(i32);

impl JetError {
    /// `JET_errSuccess`.
    pub const SUCCESS: Self = Self(0);
    /// `JET_errLogFileCorrupt`.
    pub const LOG_FILE_CORRUPT: Self = Self(-501);
    /// `JET_errLogGenerationMismatch`.
    pub const LOG_GENERATION_MISMATCH: Self = Self(-513);
    /// `JET_errBadLogVersion`.
    pub const BAD_LOG_VERSION: Self = Self(-514);
    /// `JET_errInvalidLogSequence`.
    pub const INVALID_LOG_SEQUENCE: Self = Self(-515);
    /// `JET_errMissingLogFile`.
    pub const MISSING_LOG_FILE: Self = Self(-528);
    /// `JET_errBadLogSignature`.
    pub const BAD_LOG_SIGNATURE: Self = Self(-530);
    /// `JET_errCheckpointCorrupt`.
    pub const CHECKPOINT_CORRUPT: Self = Self(-533);
    /// `JET_errDatabaseStreamingFileMismatch`.
    pub const DATABASE_STREAMING_FILE_MISMATCH: Self = Self(-540);
    /// `JET_errLogFileSizeMismatch`.
    pub const LOG_FILE_SIZE_MISMATCH: Self = Self(-541);
    /// `JET_errBadPageLink`.
    pub const BAD_PAGE_LINK: Self = Self(-327);
    /// `JET_errBadParentPageLink`.
    pub const BAD_PARENT_PAGE_LINK: Self = Self(-338);
    /// `JET_errDatabaseDirtyShutdown`.
    pub const DATABASE_DIRTY_SHUTDOWN: Self = Self(-550);
    /// `JET_errConsistentTimeMismatch`.
    pub const CONSISTENT_TIME_MISMATCH: Self = Self(-551);
    /// `JET_errBadPatchPage`.
    pub const BAD_PATCH_PAGE: Self = Self(-535);
    /// `JET_errRedoAbruptEnded`.
    pub const REDO_ABRUPTLY_ENDED: Self = Self(-536);
    /// `JET_errPatchFileMissing`.
    pub const PATCH_FILE_MISSING: Self = Self(-538);
    /// `JET_errStartingRestoreLogTooHigh`.
    pub const STARTING_RESTORE_LOG_TOO_HIGH: Self = Self(-554);
    /// `JET_errEndingRestoreLogTooLow`.
    pub const ENDING_RESTORE_LOG_TOO_LOW: Self = Self(-553);
    /// `JET_errGivenLogFileHasBadSignature`.
    pub const GIVEN_LOG_FILE_HAS_BAD_SIGNATURE: Self = Self(-555);
    /// `JET_errGivenLogFileIsNotContiguous`.
    pub const GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS: Self = Self(-556);
    /// `JET_errMissingRestoreLogFiles`.
    pub const MISSING_RESTORE_LOG_FILES: Self = Self(-557);
    /// `JET_errMissingCurrentLogFiles`.
    pub const MISSING_CURRENT_LOG_FILES: Self = Self(-565);
    /// `JET_errBadRestoreTargetInstance`.
    pub const BAD_RESTORE_TARGET_INSTANCE: Self = Self(-577);
    /// `JET_errExistingLogFileHasBadSignature`.
    pub const EXISTING_LOG_FILE_HAS_BAD_SIGNATURE: Self = Self(-610);
    /// `JET_errExistingLogFileIsNotContiguous`.
    pub const EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS: Self = Self(-611);
    /// `JET_errRestoreOfNonBackupDatabase`.
    pub const RESTORE_OF_NON_BACKUP_DATABASE: Self = Self(-615);
    /// `JET_errDatabasePatchFileMismatch`.
    pub const DATABASE_PATCH_FILE_MISMATCH: Self = Self(-552);
    /// `JET_errLogSequenceChecksumMismatch`.
    pub const LOG_SEQUENCE_CHECKSUM_MISMATCH: Self = Self(-590);
    /// `JET_errSoftRecoveryOnBackupDatabase`.
    pub const SOFT_RECOVERY_ON_BACKUP_DATABASE: Self = Self(-544);
    /// `JET_errDatabaseLeakInSpace`.
    pub const DATABASE_LEAK_IN_SPACE: Self = Self(-348);
    /// `JET_errReadLostFlushVerifyFailure`.
    pub const READ_LOST_FLUSH_VERIFY_FAILURE: Self = Self(-1119);
    /// `JET_errObjectNotFound`.
    pub const OBJECT_NOT_FOUND: Self = Self(-1305);
    /// `JET_errSecondaryIndexCorrupted`.
    pub const SECONDARY_INDEX_CORRUPTED: Self = Self(-1414);
    /// `JET_errColumnNotFound`.
    pub const COLUMN_NOT_FOUND: Self = Self(-1507);
    /// `JET_errInvalidParameter`.
    pub const INVALID_PARAMETER: Self = Self(-1003);
    /// `JET_errReadVerifyFailure`.
    pub const READ_VERIFY_FAILURE: Self = Self(-1018);
    /// `JET_errPageNotInitialized`.
    pub const PAGE_NOT_INITIALIZED: Self = Self(-1019);
    /// `JET_errDiskReadVerificationFailure`.
    pub const DISK_READ_VERIFICATION_FAILURE: Self = Self(-1021);
    /// `JET_errDiskIO`.
    pub const DISK_IO: Self = Self(-1022);
    /// `JET_errReadPgnoVerifyFailure`.
    pub const READ_PGNO_VERIFY_FAILURE: Self = Self(-1118);
    /// `JET_errFileIOBeyondEOF`.
    pub const FILE_IO_BEYOND_EOF: Self = Self(-4001);
    /// `JET_errCatalogCorrupted`.
    pub const CATALOG_CORRUPTED: Self = Self(-1220);
    /// `JET_errOutOfMemory`.
    pub const OUT_OF_MEMORY: Self = Self(-1011);
    /// `JET_errInvalidPath`.
    pub const INVALID_PATH: Self = Self(-1023);
    /// `JET_errDatabaseSignInUse`.
    pub const DATABASE_SIGN_IN_USE: Self = Self(-1222);
    /// `JET_errFileAccessDenied`.
    pub const FILE_ACCESS_DENIED: Self = Self(-1032);
    /// `JET_errDatabaseCorrupted`.
    pub const DATABASE_CORRUPTED: Self = Self(-1206);
    /// `JET_errPageSizeMismatch`.
    pub const PAGE_SIZE_MISMATCH: Self = Self(-1213);
    /// `JET_errDiskFull`.
    pub const DISK_FULL: Self = Self(-1808);
    /// `JET_errDatabaseCorruptedNoRepair`.
    pub const DATABASE_REPAIR_REFUSED: Self = Self(-1224);
    /// `JET_errFileAlreadyExists`.
    pub const FILE_ALREADY_EXISTS: Self = Self(-1814);
    /// `JET_wrnDatabaseRepaired`.
    pub const DATABASE_REPAIRED: Self = Self(595);
    /// `JET_errFileNotFound`.
    pub const FILE_NOT_FOUND: Self = Self(-1811);
    /// `JET_errFileInvalidType`.
    pub const FILE_INVALID_TYPE: Self = Self(-1812);

    /// `JET_errDbTimeCorrupted`.
    pub const DB_TIME_CORRUPTED: Self = Self(-344);
    /// `JET_errBadLineCount`.
    pub const BAD_LINE_COUNT: Self = Self(-354);
    /// `JET_errDatabaseBufferDependenciesCorrupted`.
    pub const DATABASE_BUFFER_DEPENDENCIES_CORRUPTED: Self = Self(-255);
    /// `JET_errLogWriteFail`.
    pub const LOG_WRITE_FAIL: Self = Self(-510);
    /// `JET_errMissingPreviousLogFile`.
    pub const MISSING_PREVIOUS_LOG_FILE: Self = Self(-509);
    /// `JET_errLogSequenceEnd`.
    pub const LOG_SEQUENCE_END: Self = Self(-519);
    /// `JET_errRequiredLogFilesMissing`.
    pub const REQUIRED_LOG_FILES_MISSING: Self = Self(-543);
    /// `JET_errDbTimeTooOld`.
    pub const DB_TIME_TOO_OLD: Self = Self(-566);
    /// `JET_errDbTimeTooNew`.
    pub const DB_TIME_TOO_NEW: Self = Self(-567);
    /// `JET_errRecoveredWithoutUndo`.
    pub const RECOVERED_WITHOUT_UNDO: Self = Self(-579);
    /// `JET_errRecoveredWithoutUndoDatabasesConsistent`.
    pub const RECOVERED_WITHOUT_UNDO_DATABASES_CONSISTENT: Self = Self(-584);
    /// `JET_errCommittedLogFilesMissing`.
    pub const COMMITTED_LOG_FILES_MISSING: Self = Self(-582);
    /// `JET_errCommittedLogFileCorrupt`.
    pub const COMMITTED_LOG_FILE_CORRUPT: Self = Self(-586);
    /// `JET_wrnCommittedLogFilesLost`.
    pub const COMMITTED_LOG_FILES_LOST: Self = Self(585);
    /// `JET_wrnCommittedLogFilesRemoved`.
    pub const COMMITTED_LOG_FILES_REMOVED: Self = Self(587);
    /// `JET_errDbTimeBeyondMaxRequired`.
    pub const DB_TIME_BEYOND_MAX_REQUIRED: Self = Self(-625);
    /// `JET_errRecoveryVerifyFailure`.
    pub const RECOVERY_VERIFY_FAILURE: Self = Self(-1123);
    /// `JET_errAttachedDatabaseMismatch`.
    pub const ATTACHED_DATABASE_MISMATCH: Self = Self(-1216);
    /// `JET_errDatabaseIncompleteIncrementalReseed`.
    pub const DATABASE_INCOMPLETE_INCREMENTAL_RESEED: Self = Self(-1226);
    /// ``.
    pub const DATABASE_INCOMPLETE_REVERT: Self = Self(-1935);
    /// `JET_errLogCorrupted`.
    pub const LOG_CORRUPTED: Self = Self(-1852);
    /// `JET_errNodeCorrupted`.
    pub const NODE_CORRUPTED: Self = Self(-358);
    /// `JET_errRecordDeleted`.
    pub const RECORD_DELETED: Self = Self(-1017);

    /// Wraps any number; one that is not in the table has no name.
    #[must_use]
    pub const fn new(code: i32) -> Self {
        Self(code)
    }

    /// The signed number, as Eseutil prints it.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.0
    }

    /// True for errors; warnings and success are not.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 0
    }

    /// The `JET_err...` name, or `"JET_errUnknown"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        table::find(self.0).map_or("JET_errUnknown", |row| row.1)
    }

    /// The sentence that Eseutil prints after the name.
    #[must_use]
    pub fn text(self) -> &'static str {
        table::find(self.0).map_or("Unknown error", |row| row.2)
    }

    /// Every error and warning in the table, in numeric order.
    pub fn all() -> impl Iterator<Item = Self> {
        table::TABLE.iter().map(|row| Self(row.0))
    }
}

impl fmt::Display for JetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.0, self.name(), self.text())
    }
}

impl fmt::Debug for JetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

impl serde::Serialize for JetError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut out = serializer.serialize_struct("JetError", 3)?;
        out.serialize_field("code", &self.0)?;
        out.serialize_field("name", self.name())?;
        out.serialize_field("text", self.text())?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{JetError, table};

    #[test]
    fn table_is_sorted_and_unique() {
        for pair in table::TABLE.windows(2) {
            assert!(
                pair[0].0 < pair[1].0,
                "{} is not before {}",
                pair[0].0,
                pair[1].0
            );
            assert_ne!(pair[0].1, pair[1].1);
        }
    }

    #[test]
    fn every_constant_has_a_name() {
        for (error, name) in [
            (JetError::LOG_FILE_CORRUPT, "JET_errLogFileCorrupt"),
            (JetError::CHECKPOINT_CORRUPT, "JET_errCheckpointCorrupt"),
            (
                JetError::DATABASE_STREAMING_FILE_MISMATCH,
                "JET_errDatabaseStreamingFileMismatch",
            ),
            (
                JetError::LOG_SEQUENCE_CHECKSUM_MISMATCH,
                "JET_errLogSequenceChecksumMismatch",
            ),
            (JetError::FILE_INVALID_TYPE, "JET_errFileInvalidType"),
            (
                JetError::DISK_READ_VERIFICATION_FAILURE,
                "JET_errDiskReadVerificationFailure",
            ),
        ] {
            assert_eq!(error.name(), name);
        }
    }
}
