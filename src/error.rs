//! Why an operation could not go on. Damage in a file is not an error but a finding
//! ([`crate::problem`]); an error says that there is nothing more to be found.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::format::bytes::Truncated;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;

/// Result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// An operation's failure, with the file, the place in it, and the JET number that Eseutil would
/// give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {action} '{}': {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, for "cannot ...".
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Neither header copy is that of a database.
    #[error("'{}' has no valid database header", path.display())]
    NoDatabaseHeader {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else than the operation wants.
    #[error("'{}' is {found}: use 'exutil {mode}'", path.display())]
    WrongFileType {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        found: String,
        /// The mode that takes it.
        mode: &'static str,
    },
    /// Both copies of a checkpoint are bad.
    #[error("'{}' has no valid checkpoint", path.display())]
    CheckpointCorrupt {
        /// The file.
        path: PathBuf,
    },
    /// A flush map header with a wrong checksum or of the wrong kind.
    #[error("'{}' has no valid flush map header", path.display())]
    FlushMapCorrupt {
        /// The file.
        path: PathBuf,
    },
    /// The trailer page of a backup copy is missing, damaged, or of another backup.
    #[error("the trailer page of '{}' does not belong to its header", path.display())]
    TrailerMismatch {
        /// The file.
        path: PathBuf,
    },
    /// A structure in a header that cannot be read although its checksum is right.
    #[error("'{}': {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The field that does not fit.
        source: Truncated,
    },
    /// A page that is asked for cannot be had.
    #[error("'{}': {what}", path.display())]
    Page {
        /// The file.
        path: PathBuf,
        /// The number that Eseutil gives.
        jet: JetError,
        /// Why.
        what: String,
    },
    /// A log cannot be replayed, or a database not be brought to the end of its logs.
    #[error("{0}")]
    Recovery(Box<Trouble>),
    /// A copy that was not made, or not made whole.
    #[error("'{}': {what}", path.display())]
    Copy {
        /// The file concerned.
        path: PathBuf,
        /// The number that the run ends with.
        jet: JetError,
        /// What is wrong, in words.
        what: String,
        /// What can be done about it.
        advice: Option<String>,
    },
    /// No log file of that base name.
    #[error("no log files '{base}*' in '{}'", dir.display())]
    NoLogs {
        /// Where they were looked for.
        dir: PathBuf,
        /// The base name.
        base: String,
    },
    /// Nothing that would take back a change.
    #[error("no undo file of '{}' beside it", path.display())]
    NoUndoFile {
        /// The file or folder.
        path: PathBuf,
    },
    /// An undo file that is damaged, cut off, or of a version that is not known.
    #[error("undo file '{}' cannot be used: {what}", path.display())]
    UndoUnusable {
        /// The undo file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file is neither as the operation found it nor as it left it.
    #[error("'{}' has been changed since, at offset {offset:#x}: {what}", path.display())]
    ChangedSince {
        /// The file that was to be restored.
        path: PathBuf,
        /// The first byte that is not as expected.
        offset: u64,
        /// How it differs.
        what: String,
    },
}

/// What stands in the way of a recovery, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The number that Eseutil gives.
    pub jet: JetError,
    /// The log record at which it was met.
    pub at: Option<Lgpos>,
    /// The database concerned.
    pub database: Option<PathBuf>,
    /// What is wrong, in words.
    pub what: String,
    /// What can be done about it.
    pub advice: Option<String>,
}

impl Trouble {
    /// Trouble that is met at no record in particular.
    #[must_use]
    pub fn new(jet: JetError, what: impl Into<String>) -> Self {
        Self {
            jet,
            at: None,
            database: None,
            what: what.into(),
            advice: None,
        }
    }

    /// Names the database.
    #[must_use]
    pub fn of(mut self, database: &Path) -> Self {
        self.database = Some(database.to_owned());
        self
    }

    /// Names the record.
    #[must_use]
    pub const fn at(mut self, at: Lgpos) -> Self {
        self.at = Some(at);
        self
    }

    /// Says what can be done.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "'{}': ", database.display())?;
        }
        f.write_str(&self.what)?;
        if let Some(at) = self.at {
            write!(f, " (log position {at})")?;
        }
        Ok(())
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self::Recovery(Box::new(trouble))
    }
}

impl Error {
    /// The file that it is about, where it is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::NoDatabaseHeader { path }
            | Self::WrongFileType { path, .. }
            | Self::CheckpointCorrupt { path }
            | Self::FlushMapCorrupt { path }
            | Self::TrailerMismatch { path }
            | Self::Malformed { path, .. }
            | Self::Page { path, .. }
            | Self::Copy { path, .. }
            | Self::NoUndoFile { path }
            | Self::UndoUnusable { path, .. }
            | Self::ChangedSince { path, .. } => Some(path),
            Self::NoLogs { dir, .. } => Some(dir),
            Self::Recovery(trouble) => trouble.database.as_deref(),
        }
    }

    /// What can be done about it, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Recovery(trouble) => trouble.advice.as_deref(),
            Self::Copy { advice, .. } => advice.as_deref(),
            _ => None,
        }
    }

    /// Wraps an I/O error.
    pub fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    /// The number that Eseutil ends with in this case.
    #[must_use]
    pub fn jet(&self) -> JetError {
        match self {
            Self::Io { source, .. } => jet_of_io(source),
            Self::NoDatabaseHeader { .. } | Self::Malformed { .. } => JetError::DATABASE_CORRUPTED,
            Self::WrongFileType { .. } => JetError::FILE_INVALID_TYPE,
            Self::CheckpointCorrupt { .. } => JetError::CHECKPOINT_CORRUPT,
            Self::FlushMapCorrupt { .. } | Self::UndoUnusable { .. } => {
                JetError::READ_VERIFY_FAILURE
            }
            Self::ChangedSince { .. } => JetError::CONSISTENT_TIME_MISMATCH,
            Self::TrailerMismatch { .. } => JetError::DATABASE_PATCH_FILE_MISMATCH,
            Self::NoLogs { .. } | Self::NoUndoFile { .. } => JetError::FILE_NOT_FOUND,
            Self::Recovery(trouble) => trouble.jet,
            Self::Page { jet, .. } | Self::Copy { jet, .. } => *jet,
        }
    }
}

/// The JET number of an I/O error.
#[must_use]
pub fn jet_of_io(error: &io::Error) -> JetError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => JetError::FILE_NOT_FOUND,
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::ReadOnlyFilesystem => JetError::FILE_ACCESS_DENIED,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JetError::DISK_FULL,
        io::ErrorKind::AlreadyExists => JetError::FILE_ALREADY_EXISTS,
        // The system's own has a number, and may be the disk's; without one it is ours: no file, or no name of one.
        io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => {
            JetError::FILE_INVALID_TYPE
        }
        io::ErrorKind::UnexpectedEof => JetError::DISK_READ_VERIFICATION_FAILURE,
        _ => JetError::DISK_IO,
    }
}

#[cfg(test)]
mod tests {
    use super::jet_of_io;
    use crate::jet::JetError;
    use std::io;

    #[test]
    fn io_errors_have_the_number_that_says_what_to_do() {
        for (kind, jet) in [
            (io::ErrorKind::NotFound, JetError::FILE_NOT_FOUND),
            (io::ErrorKind::AlreadyExists, JetError::FILE_ALREADY_EXISTS),
            (io::ErrorKind::InvalidInput, JetError::FILE_INVALID_TYPE),
            (
                io::ErrorKind::PermissionDenied,
                JetError::FILE_ACCESS_DENIED,
            ),
            (io::ErrorKind::Other, JetError::DISK_IO),
        ] {
            assert_eq!(jet_of_io(&kind.into()), jet, "{kind:?}");
        }
    }
}
