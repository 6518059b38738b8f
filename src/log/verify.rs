//! One log file judged as a whole: header, size, version, blocks.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Error;
use crate::format::checksum::header_is_good;
use crate::format::loghdr::{Attachment, LOG_HEADER_BYTES, LogHeader};
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::storage::{FileStorage, Storage};

use super::{legacy, segments};

/// Where a log is damaged, and the number that the engine gives for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The number.
    pub jet: JetError,
    /// The first position that cannot be used.
    pub at: Lgpos,
}

/// What a walk over the blocks of a log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlockScan {
    /// The position behind the last good block (new format) or record range (old format).
    pub end: Lgpos,
    /// XOR of the checksums of all valid segments; 0 in the old format.
    pub segments_checksum: u64,
    /// The last write was torn; recovery mends that.
    pub torn: bool,
    /// Damage that cannot be mended.
    pub damage: Option<Damage>,
}

impl BlockScan {
    /// Nothing found yet; the log begins at `start`.
    #[must_use]
    pub(super) const fn new(start: Lgpos) -> Self {
        Self {
            end: start,
            segments_checksum: 0,
            torn: false,
            damage: None,
        }
    }
}

/// A log header that could be read.
#[derive(Debug, Clone, Serialize)]
pub struct ReadHeader {
    /// Its fields.
    pub header: LogHeader,
    /// Databases attached when the log was made.
    pub attachments: Vec<Attachment>,
}

/// Why a log's header is of no use.
#[derive(Debug, thiserror::Error)]
pub enum HeaderFault {
    /// The file cannot be read at all.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Wrong checksum, or not a log's (-501).
    #[error("log header is damaged")]
    Corrupt,
    /// Shorter than a header (-4001).
    #[error("file ends before the log header does")]
    TooShort,
    /// A version that is not known (-514).
    #[error("log version is not known")]
    Version,
    /// The file has another size than the header says (-541).
    #[error("log file has the wrong size")]
    Size,
}

impl HeaderFault {
    /// The JET number.
    #[must_use]
    pub fn jet(&self) -> JetError {
        match self {
            Self::Io(error) => crate::error::jet_of_io(error),
            Self::Corrupt => JetError::LOG_FILE_CORRUPT,
            Self::TooShort => JetError::FILE_IO_BEYOND_EOF,
            Self::Version => JetError::BAD_LOG_VERSION,
            Self::Size => JetError::LOG_FILE_SIZE_MISMATCH,
        }
    }
}

/// A log file's header, without judging size and version.
///
/// # Errors
/// [`HeaderFault`] when it cannot be read or its checksum is wrong.
pub fn read_header(path: &Path) -> std::result::Result<ReadHeader, HeaderFault> {
    let file = FileStorage::open(path).map_err(|error| match error {
        Error::Io { source, .. } => source,
        other => io::Error::other(other.to_string()),
    })?;
    parse_header(&file.read_start(LOG_HEADER_BYTES)?)
}

fn parse_header(page: &[u8]) -> std::result::Result<ReadHeader, HeaderFault> {
    if page.len() < LOG_HEADER_BYTES {
        return Err(HeaderFault::TooShort);
    }
    if !header_is_good(page) {
        return Err(HeaderFault::Corrupt);
    }
    let header = LogHeader::parse(page).map_err(|_| HeaderFault::Corrupt)?;
    let attachments = LogHeader::attachments(page).map_err(|_| HeaderFault::Corrupt)?;
    Ok(ReadHeader {
        header,
        attachments,
    })
}

/// A log whose header can be used.
#[derive(Debug, Clone, Serialize)]
pub struct LogCheck {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Its header.
    #[serde(flatten)]
    pub head: ReadHeader,
    /// Its blocks.
    pub scan: BlockScan,
}

/// Checks header and blocks of one log in `storage`, in the engine's order: checksum, kind, version,
/// size, blocks.
///
/// # Errors
/// [`HeaderFault`] when the header cannot be used.
pub fn check_storage(
    storage: &dyn Storage,
) -> std::result::Result<(ReadHeader, BlockScan), HeaderFault> {
    let head = check_head(storage)?;
    let scan = if head.header.is_old_format() {
        legacy::scan(storage, &head.header)?
    } else {
        segments::scan(storage, &head.header)?
    };
    Ok((head, scan))
}

/// Checks the header of a log: checksum, kind, version, size, in the engine's order.
///
/// # Errors
/// [`HeaderFault`] when it cannot be used.
pub fn check_head(storage: &dyn Storage) -> std::result::Result<ReadHeader, HeaderFault> {
    let head = parse_header(&storage.read_start(LOG_HEADER_BYTES)?)?;
    if !matches!(head.header.filetype, 0 | 3) {
        return Err(HeaderFault::Corrupt);
    }
    if !head.header.version_is_known() {
        return Err(HeaderFault::Version);
    }
    // The sizes that disks and engines have; others would make positions mean nothing.
    let sector = head.header.sector_size;
    let fits = if head.header.is_old_format() {
        matches!(sector, 512 | 1024 | 2048 | 4096)
    } else {
        usize::from(sector) == segments::SEGMENT_BYTES
    };
    if !fits {
        return Err(HeaderFault::Corrupt);
    }
    if head.header.file_bytes() != storage.len()? {
        return Err(HeaderFault::Size);
    }
    Ok(head)
}

/// Checks header and blocks of the log at `path`.
///
/// # Errors
/// [`HeaderFault`] when the header cannot be used.
pub fn check_log(path: &Path) -> std::result::Result<LogCheck, HeaderFault> {
    let file = FileStorage::open(path).map_err(|error| match error {
        Error::Io { source, .. } => source,
        other => io::Error::other(other.to_string()),
    })?;
    let (head, scan) = check_storage(&file)?;
    Ok(LogCheck {
        path: path.to_owned(),
        head,
        scan,
    })
}

/// The directory part of a path, `.` when it has none.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
