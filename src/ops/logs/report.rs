//! What the check of logs tells.

use std::path::PathBuf;

use serde::Serialize;

use crate::format::ids::Generation;
use crate::format::logrec::RecordKind;
use crate::format::stamp::{Lgpos, LogTime, Signature};
use crate::jet::JetError;
use crate::log::verify::LogCheck;
use crate::ops::log_records::RecordSummary;
use crate::problem::{Finding, Problem};

/// What is wrong with one log of a stream; the texts are the command line's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "problem")]
pub enum LogTrouble {
    /// The header is of no use.
    Header {
        /// Why.
        jet: JetError,
    },
    /// The current log is not the generation that should follow.
    MissingBefore {
        /// What it is.
        generation: Generation,
        /// What it should be.
        expected: Generation,
    },
    /// Its predecessor was created at another time than it remembers.
    TimeChain {
        /// What it remembers.
        found: LogTime,
        /// The predecessor's.
        expected: LogTime,
    },
    /// Its predecessor's segments have another sum than it remembers.
    SegmentChain {
        /// What it remembers.
        found: u64,
        /// The predecessor's.
        expected: u64,
    },
    /// Another stream.
    Signature {
        /// Its own.
        found: Signature,
        /// The predecessor's.
        expected: Signature,
    },
    /// The name says another generation.
    Name {
        /// In the header.
        generation: Generation,
        /// In the name.
        expected: Generation,
    },
    /// Blocks are damaged.
    Damaged {
        /// The number.
        jet: JetError,
        /// From here on.
        at: Lgpos,
    },
    /// The blocks are sound, but what they hold is no record.
    Record {
        /// The number.
        jet: JetError,
        /// Where it should begin.
        at: Lgpos,
        /// What is wrong with it.
        what: String,
    },
}

impl LogTrouble {
    /// The JET number.
    #[must_use]
    pub const fn jet(&self) -> JetError {
        match self {
            Self::Header { jet } | Self::Damaged { jet, .. } | Self::Record { jet, .. } => *jet,
            Self::MissingBefore { .. } => JetError::MISSING_LOG_FILE,
            Self::TimeChain { .. } => JetError::INVALID_LOG_SEQUENCE,
            Self::SegmentChain { .. } => JetError::LOG_SEQUENCE_CHECKSUM_MISMATCH,
            Self::Signature { .. } => JetError::BAD_LOG_SIGNATURE,
            Self::Name { .. } => JetError::LOG_GENERATION_MISMATCH,
        }
    }

    pub(super) const fn problem(&self) -> Problem {
        match self {
            Self::Header { jet } if jet.code() == -541 => Problem::LogSizeMismatch,
            Self::Header { jet } if jet.code() == -514 => Problem::LogVersion,
            Self::Header { .. } => Problem::LogHeaderUnreadable,
            Self::MissingBefore { .. } => Problem::LogMissing,
            Self::TimeChain { .. } => Problem::LogTimeChain,
            Self::SegmentChain { .. } => Problem::LogSegmentChain,
            Self::Signature { .. } => Problem::LogSignature,
            Self::Name { .. } => Problem::LogGenerationMismatch,
            Self::Damaged { .. } => Problem::LogDamaged,
            Self::Record { .. } => Problem::LogRecord,
        }
    }
}

/// Where the records of a log could not be read on though nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The first record that was not read.
    pub at: Lgpos,
    /// Its type: streaming files (Exchange 2000 and 2003), forced detach.
    pub kind: RecordKind,
}

/// One log of a stream, or a hole in it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum StreamEntry {
    /// A file that is there.
    Log {
        /// Its path.
        #[serde(serialize_with = "crate::storage::path_text")]
        path: PathBuf,
        /// Its generation, if the header can be read.
        generation: Option<Generation>,
        /// The last write was torn, which recovery mends.
        torn: bool,
        /// What is wrong with it; empty for a good one.
        troubles: Vec<LogTrouble>,
        /// Its records, if they were asked for and the log could be looked at.
        #[serde(skip_serializing_if = "Option::is_none")]
        records: Option<Box<RecordSummary>>,
        /// Records behind this one are of a kind whose layout is not public, and were not looked at.
        #[serde(skip_serializing_if = "Option::is_none")]
        unread: Option<Unread>,
    },
    /// Generations for which there is no file.
    Missing {
        /// First missing.
        first: Generation,
        /// Last missing.
        last: Generation,
        /// The names they would have.
        names: (String, String),
    },
}

/// A whole log stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamReport {
    /// The base name as it was asked for.
    pub base: String,
    /// Where the logs are.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub dir: PathBuf,
    /// Logs and holes in order.
    pub entries: Vec<StreamEntry>,
    /// The first error, which is what the operation ends with.
    pub jet: JetError,
    /// Everything that is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// One log file.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// Header and blocks; `None` when the header is of no use.
    #[serde(flatten)]
    pub check: Option<LogCheck>,
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Where the checkpoint beside it stands.
    pub checkpoint: Option<Lgpos>,
    /// What is wrong with it.
    pub troubles: Vec<LogTrouble>,
    /// Its records, if it could be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordSummary>,
    /// Where they were not read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
    /// The same as findings.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl LogReport {
    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        self.troubles
            .first()
            .map_or(JetError::SUCCESS, LogTrouble::jet)
    }
}
