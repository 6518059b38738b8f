//! What a file is, by its content and never by its name.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::format::bytes::u32_at;
use crate::format::checkpoint::CHECKPOINT_BYTES;
use crate::format::checksum::header_is_good;
use crate::format::dbheader::{FILETYPE_OFFSET, FileType, HeaderCopies, MAGIC};
use crate::format::flushmap;
use crate::format::ids::{Generation, PageSize};
use crate::format::loghdr::{LOG_HEADER_BYTES, LogHeader};
use crate::storage::FileStorage;
use crate::storage::Storage as _;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FileKind {
    /// A database with at least one good header.
    Database {
        /// Its page size.
        page_size: PageSize,
    },
    /// A streaming file (`.stm`) with at least one good header.
    Streaming {
        /// Its page size.
        page_size: PageSize,
    },
    /// A database or streaming file by its magic number, but with no good header.
    DamagedDatabase,
    /// A log file.
    Log {
        /// Its generation.
        generation: Generation,
    },
    /// A checkpoint.
    Checkpoint,
    /// A flush map (`.jfm`).
    FlushMap,
    /// No byte in it.
    Empty,
    /// Nothing but zero bytes as far as looked.
    Zeroed,
    /// Not one of the engine's files, or too damaged to tell.
    Unknown,
}

impl FileKind {
    /// In words, with an article.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Database { .. } => "a database".into(),
            Self::Streaming { .. } => "a streaming file".into(),
            Self::DamagedDatabase => "a database without a valid header".into(),
            Self::Log { generation } => {
                format!(
                    "a log file, generation {generation} (0x{:X})",
                    generation.get()
                )
            }
            Self::Checkpoint => "a checkpoint".into(),
            Self::FlushMap => "a flush map".into(),
            Self::Empty => "empty".into(),
            Self::Zeroed => "nothing but zero bytes".into(),
            Self::Unknown => "not a file of the database engine".into(),
        }
    }

    /// The mode that dumps this kind of file.
    #[must_use]
    pub const fn dump_mode(self) -> Option<&'static str> {
        match self {
            Self::Database { .. } | Self::Streaming { .. } | Self::DamagedDatabase => Some("mh"),
            Self::Log { .. } => Some("ml"),
            Self::Checkpoint => Some("mk"),
            Self::FlushMap => Some("mp"),
            Self::Empty | Self::Zeroed | Self::Unknown => None,
        }
    }
}

/// Judges the first bytes of a file ([`HeaderCopies::PROBE_BYTES`], fewer if it is shorter).
#[must_use]
pub fn identify(start: &[u8]) -> FileKind {
    if start.is_empty() {
        return FileKind::Empty;
    }
    if let Some(copies) = HeaderCopies::read(start, None)
        && let Some(header) = copies.header()
        && header.magic == MAGIC
    {
        let page_size = copies.page_size;
        return if header.is_streaming_file() {
            FileKind::Streaming { page_size }
        } else {
            FileKind::Database { page_size }
        };
    }
    identify_others(start)
}

fn identify_others(start: &[u8]) -> FileKind {
    let copy = |at: usize| start.get(at * CHECKPOINT_BYTES..(at + 1) * CHECKPOINT_BYTES);
    let filetype =
        |page: &[u8]| FileType::from_header(u32_at(page, FILETYPE_OFFSET).unwrap_or_default());
    let good: Vec<&[u8]> = [copy(0), copy(1)]
        .into_iter()
        .flatten()
        .filter(|page| header_is_good(page))
        .collect();
    let log = good
        .first()
        .filter(|page| page.as_ptr() == start.as_ptr() && page.len() == LOG_HEADER_BYTES)
        .and_then(|page| LogHeader::parse(page).ok())
        .filter(LogHeader::is_log);
    if let Some(log) = log {
        return FileKind::Log {
            generation: log.generation,
        };
    }
    if good
        .iter()
        .any(|page| matches!(filetype(page), FileType::Checkpoint | FileType::Unknown))
    {
        return FileKind::Checkpoint;
    }
    if filetype(start) == FileType::FlushMap
        && start.get(..flushmap::PAGE.bytes()).is_some_and(|page| {
            let (stored, computed) = flushmap::header_sums(page);
            stored == computed
        })
    {
        return FileKind::FlushMap;
    }
    if u32_at(start, 4) == Some(MAGIC) {
        return FileKind::DamagedDatabase;
    }
    if start.iter().all(|byte| *byte == 0) {
        FileKind::Zeroed
    } else {
        FileKind::Unknown
    }
}

/// Opens a file and reads enough of its start to tell what it is.
///
/// # Errors
/// [`Error::Io`].
pub fn open(path: &std::path::Path) -> Result<(FileStorage, Vec<u8>, FileKind)> {
    let file = FileStorage::open(path)?;
    let start = file
        .read_start(HeaderCopies::PROBE_BYTES)
        .or_else(|_| read_start_piecewise(&file))
        .map_err(|error| Error::io(path, "read", error))?;
    let kind = identify(&start);
    Ok((file, start, kind))
}

/// A bad sector somewhere in the first 64 KiB must not hide a good header: what cannot be read is
/// taken as zero, as long as anything can.
fn read_start_piecewise(file: &FileStorage) -> std::io::Result<Vec<u8>> {
    const PIECE: usize = 512;
    let len = file.len()?.min(HeaderCopies::PROBE_BYTES as u64) as usize;
    let mut start = vec![0; len];
    let (mut readable, mut last_error) = (0, None);
    for (number, piece) in start.chunks_mut(PIECE).enumerate() {
        match file.read_at((number * PIECE) as u64, piece) {
            Ok(count) => readable += count,
            Err(error) => {
                piece.fill(0);
                last_error = Some(error);
            }
        }
    }
    match last_error {
        Some(error) if readable == 0 => Err(error),
        _ => Ok(start),
    }
}
