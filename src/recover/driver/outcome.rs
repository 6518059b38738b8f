//! What a recovery is asked, and what it leaves.

use std::path::{Path, PathBuf};

use crate::format::loghdr::Attachment;
use crate::format::stamp::{Lgpos, LogTime, Signature};
use crate::jet::JetError;
use crate::log::generation::LoadedLog;

use crate::recover::attach::{Places, Reason};
use crate::recover::attached::Attached;
use crate::recover::replay::Replay;
use crate::recover::restored::{Prepared, Restored};
use crate::recover::undo::UndoStep;

/// What a recovery is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the databases are.
    pub places: Places,
    /// Databases that are not there or do not fit are left alone (`/i`).
    pub ignore_missing: bool,
    /// Committed logs may be lost (`/a`).
    pub lossy: bool,
    /// Stop after this position, without rolling back (`/u`).
    pub stop_after: Option<Lgpos>,
    /// Bytes of pages to keep in memory.
    pub cache: usize,
    /// The time to write.
    pub now: LogTime,
    /// The databases and logs of a backup; it alone says which files are which databases then.
    pub restored: Option<Restored>,
}

impl Plan {
    /// The file that stands for a database of the log; `None` when it is to be left out.
    pub(super) fn place(&self, logged: &str, sign_db: &Signature) -> Option<PathBuf> {
        match &self.restored {
            Some(restored) => restored
                .of_signature(sign_db)
                .map(|database| database.path.clone()),
            None => self.places.find(logged, sign_db),
        }
    }

    /// A database of the backup by its file.
    pub(super) fn prepared(&self, path: &Path) -> Option<&Prepared> {
        self.restored.as_ref()?.of_path(path)
    }
}

/// What the checkpoint says, as far as it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where to begin.
    pub at: Lgpos,
    /// The databases attached there; `None`: those of the header of that generation.
    pub attachments: Option<Vec<Attachment>>,
}

/// A database that the replay did not touch.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Skipped {
    /// What the log calls it.
    pub logged_path: String,
    /// Where it was looked for.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub path: Option<PathBuf>,
    /// Why.
    pub reason: Reason,
    /// Where its file was last consistent.
    pub consistent: Option<Lgpos>,
}

/// What a replay leaves, before anything is written.
pub struct Outcome {
    /// Pages and databases, those that are closed included.
    pub replay: Replay,
    /// Databases to be written.
    pub databases: Vec<Attached>,
    /// Databases that were left alone.
    pub skipped: Vec<Skipped>,
    /// What rolling back did.
    pub steps: Vec<UndoStep>,
    /// The last log replayed.
    pub last: LoadedLog,
    /// It is the current log.
    pub last_is_current: bool,
    /// Where the replay began.
    pub start: Lgpos,
    /// The last record replayed.
    pub end: Lgpos,
    /// The log ended in order: position of its last record.
    pub ended_at: Option<Lgpos>,
    /// The log ended with a ShutDownMark: nothing to roll back.
    pub ends_with_mark: bool,
    /// Logs that must go because they cannot be replayed (`/a`).
    pub removed: Vec<PathBuf>,
    /// 585 or 587 when committed logs were lost.
    pub lost: JetError,
    /// The names of those.
    pub lost_logs: Option<String>,
    /// Stopped before rolling back.
    pub stopped: bool,
    /// Stopped where pages must not be written as they are, because the log does not hold yet what a rolling back
    /// would need: the last position before it where they may, the beginning of all logs if there is none.
    pub stop_earlier: Option<Lgpos>,
    /// Bytes of log read.
    pub log_bytes: u64,
    /// Logs read.
    pub logs: u32,
}
