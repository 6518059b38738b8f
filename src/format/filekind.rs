//! What a file is, by its first bytes and never by its name.

use serde::Serialize;

use super::bytes::u32_at;
use super::checkpoint::CHECKPOINT_BYTES;
use super::checksum::header_is_good;
use super::dbheader::{FILETYPE_OFFSET, FileType, HeaderCopies, MAGIC};
use super::flushmap;
use super::ids::{Generation, PageSize};
use super::loghdr::{LOG_HEADER_BYTES, LogHeader};
use super::undofile::{UNDO_MAGIC, has_header};

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
    /// What a command that changes files has saved of them.
    Undo,
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
            Self::Undo => "an undo file".into(),
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
            Self::Undo => Some("undo"),
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
    if start.starts_with(UNDO_MAGIC) {
        return FileKind::Undo;
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
    // One whose first header is lost.
    if has_header(start) {
        return FileKind::Undo;
    }
    if start.iter().all(|byte| *byte == 0) {
        FileKind::Zeroed
    } else {
        FileKind::Unknown
    }
}
