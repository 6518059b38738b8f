//! What is known of one file: a plain value that can be written as a line of JSON and read back, so that the judgement
//! over many files ([`super::group`]) is the same whether they were just read, or come from an earlier run or another
//! machine.

use serde::{Deserialize, Serialize};

use crate::format::ids::{Generation, PageSize};
use crate::format::stamp::{LogTime, Signature};

/// What a file is, by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A database with a good header.
    Database,
    /// A database both of whose headers are damaged or gone.
    HeadlessDatabase,
    /// A database that the engine makes for sorting, and deletes.
    TemporaryDatabase,
    /// A streaming file (`.stm`).
    StreamingFile,
    /// A log file.
    Log,
    /// A log file whose header is damaged.
    DamagedLog,
    /// Made ready as the next log, or kept for a full disk: the engine's fill pattern, no content.
    ReserveLog,
    /// A checkpoint.
    Checkpoint,
    /// A checkpoint both of whose copies are damaged.
    DamagedCheckpoint,
    /// A flush map (`.jfm`).
    FlushMap,
    /// A flush map whose header is damaged.
    DamagedFlushMap,
    /// A patch file of an old online backup (`.pat`).
    PatchFile,
    /// An undo file of this program.
    UndoFile,
    /// No byte in it.
    Empty,
    /// Nothing but zero bytes as far as looked.
    Zeroed,
    /// It cannot be opened or read.
    Unreadable,
    /// Not one of the engine's files.
    Other,
}

impl Kind {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::HeadlessDatabase => "database without a header",
            Self::TemporaryDatabase => "temporary database",
            Self::StreamingFile => "streaming file",
            Self::Log => "log",
            Self::DamagedLog => "damaged log",
            Self::ReserveLog => "reserve log",
            Self::Checkpoint => "checkpoint",
            Self::DamagedCheckpoint => "damaged checkpoint",
            Self::FlushMap => "flush map",
            Self::DamagedFlushMap => "damaged flush map",
            Self::PatchFile => "patch file",
            Self::UndoFile => "undo file",
            Self::Empty => "empty",
            Self::Zeroed => "zeroed",
            Self::Unreadable => "unreadable",
            Self::Other => "other",
        }
    }

    /// True for a file that the engine or this program wrote, whole or damaged.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        !matches!(
            self,
            Self::Empty | Self::Zeroed | Self::Unreadable | Self::Other
        )
    }

    /// True for a log, whole or damaged.
    #[must_use]
    pub const fn is_log(self) -> bool {
        matches!(self, Self::Log | Self::DamagedLog)
    }
}

/// What a name says that a file should be, where its content does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// `.edb`, `.dit`, ...
    Database,
    /// `.stm`.
    StreamingFile,
    /// A name that a log has.
    Log,
    /// `res1.log`, `E00res00001.jrs`: room for a full disk, without content; `E00tmp.log`: made ready as the next log.
    ReserveLog,
    /// `.chk`, `.jcp`.
    Checkpoint,
    /// `.jfm`.
    FlushMap,
    /// `.pat`.
    PatchFile,
}

impl Role {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Database => "a database",
            Self::StreamingFile => "a streaming file",
            Self::Log => "a log",
            Self::ReserveLog => "a reserve log",
            Self::Checkpoint => "a checkpoint",
            Self::FlushMap => "a flush map",
            Self::PatchFile => "a patch file",
        }
    }
}

/// How far a file was looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Headers only: 64 KiB a file.
    #[default]
    Headers,
    /// The checksum of every page and every log block too.
    Checksum,
    /// The integrity check of databases, every record of logs.
    Integrity,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its path as the sweep found it.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// What its name says, where its content does not tell.
    pub named: Option<Role>,
    /// Bytes; 0 where that cannot be had.
    pub bytes: u64,
    /// How far it was looked into.
    pub depth: Depth,
    /// What the check ended with: a JET number, 0 for success.
    pub jet: i32,
    /// Why it could not be read.
    pub error: Option<String>,
    /// Findings of the checks, as every mode prints them; of more than [`FINDINGS_KEPT`] the first.
    pub findings: Vec<serde_json::Value>,
    /// How many were left out of the list.
    pub findings_left_out: u64,
    /// What it says of itself; null where nothing helps.
    pub facts: Option<Facts>,
}

/// Findings that are kept of one file.
pub const FINDINGS_KEPT: usize = 20;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    /// Of a database, a streaming file, a patch file.
    Database(Box<DatabaseFacts>),
    /// Of a log.
    Log(Box<LogFacts>),
    /// Of a checkpoint.
    Checkpoint(Box<CheckpointFacts>),
    /// Of a flush map.
    FlushMap(Box<FlushMapFacts>),
    /// Of a database without a header: the page size that its pages speak for.
    Pages {
        /// That size.
        page_size: PageSize,
    },
}

/// A database's state, as far as the judgement needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Created a moment before the end.
    JustCreated,
    /// Logs are needed.
    Dirty,
    /// Complete without logs.
    Clean,
    /// The copy of an online backup, not restored yet.
    BackupCopy,
    /// A conversion, a reseed or a revert that was not finished, or a number without a meaning.
    Unusable,
}

/// What the header of a database says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// Page size in bytes.
    pub page_size: PageSize,
    /// The numbers of its format: 0x620, update major, update minor.
    pub version: [u32; 3],
    /// Its state, for the judgement.
    pub state: State,
    /// Its state in Eseutil's words.
    pub state_words: String,
    /// Identity of the database.
    pub sign_db: Option<Signature>,
    /// Identity of its log stream.
    pub sign_log: Option<Signature>,
    /// Identity of its streaming file.
    pub sign_streaming: Option<Signature>,
    /// What its flush map carries too.
    pub sign_flush_map: Option<Signature>,
    /// The header says that a streaming file belongs to it.
    pub has_streaming_file: bool,
    /// First generation that recovery needs; 0: none.
    pub required_low: Generation,
    /// Last generation that recovery needs.
    pub required_high: Generation,
    /// Creation of that log, where the format keeps it.
    pub required_high_created: Option<LogTime>,
    /// Last generation with commits.
    pub committed_high: Generation,
    /// Where it was attached last; in a format without a required range recovery begins there.
    pub attached: Generation,
    /// How often it was repaired.
    pub repairs: u32,
    /// One of the two header copies is damaged.
    pub one_header_damaged: bool,
    /// Pages, as the checksums are: null at depth `headers`.
    pub checksums: Option<ChecksumFacts>,
    /// Findings of the integrity check: null below that depth.
    pub integrity: Option<IntegrityFacts>,
}

/// Counts of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksumFacts {
    /// Pages looked at.
    pub seen: u64,
    /// Wrong beyond correction.
    pub bad: u64,
    /// With a single wrong bit.
    pub correctable: u64,
    /// All zero.
    pub uninitialized: u64,
    /// Could not be read.
    pub unreadable: u64,
}

/// Counts of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrityFacts {
    /// Damage.
    pub errors: u64,
    /// What may be left as it is.
    pub warnings: u64,
}

/// What the header of a log says, and how its blocks are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFacts {
    /// Its generation.
    pub generation: Generation,
    /// When it was made.
    pub created: LogTime,
    /// When the one before was made.
    pub previous_created: LogTime,
    /// Identity of the stream.
    pub sign_log: Option<Signature>,
    /// Version: major, minor, update major, update minor.
    pub version: [u32; 4],
    /// Page size of its databases.
    pub page_size: Option<PageSize>,
    /// The JET number for what is wrong with size, version, blocks or records; 0 if nothing is, as far as looked.
    pub damage: i32,
    /// The last write was torn, which recovery mends.
    pub torn: bool,
    /// Databases that were attached when it was made.
    pub attached: Vec<AttachedDatabase>,
}

/// A database in the list of a log or checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedDatabase {
    /// Its path on the server.
    pub path: String,
    /// Its identity.
    pub sign_db: Option<Signature>,
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointFacts {
    /// Identity of the stream.
    pub sign_log: Option<Signature>,
    /// The log that recovery begins with.
    pub generation: Generation,
    /// One of its two copies is damaged.
    pub one_copy_damaged: bool,
    /// Databases that were attached.
    pub attached: Vec<AttachedDatabase>,
}

/// What a flush map says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushMapFacts {
    /// What its database carries too.
    pub sign_flush_map: Option<Signature>,
    /// It was closed in order.
    pub clean: bool,
}

fn folder_and_name(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => ("", path),
    }
}

/// The folder part of the path of a record, empty for the current folder.
#[must_use]
pub fn folder_of(path: &str) -> &str {
    folder_and_name(path).0
}

impl FileRecord {
    /// A file of which nothing is known yet.
    #[must_use]
    pub const fn new(path: String, kind: Kind, depth: Depth) -> Self {
        Self {
            path,
            kind,
            named: None,
            bytes: 0,
            depth,
            jet: 0,
            error: None,
            findings: Vec::new(),
            findings_left_out: 0,
            facts: None,
        }
    }

    /// The folder part of the path, empty for the current folder, and the name.
    #[must_use]
    pub fn folder_and_name(&self) -> (&str, &str) {
        folder_and_name(&self.path)
    }

    /// What its header says, if it is a database.
    #[must_use]
    pub const fn database(&self) -> Option<&DatabaseFacts> {
        match &self.facts {
            Some(Facts::Database(facts)) => Some(facts),
            _ => None,
        }
    }

    /// What its header says, if it is a log.
    #[must_use]
    pub const fn log(&self) -> Option<&LogFacts> {
        match &self.facts {
            Some(Facts::Log(facts)) => Some(facts),
            _ => None,
        }
    }

    /// What it says, if it is a checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> Option<&CheckpointFacts> {
        match &self.facts {
            Some(Facts::Checkpoint(facts)) => Some(facts),
            _ => None,
        }
    }

    /// What it says, if it is a flush map.
    #[must_use]
    pub const fn flush_map(&self) -> Option<&FlushMapFacts> {
        match &self.facts {
            Some(Facts::FlushMap(facts)) => Some(facts),
            _ => None,
        }
    }

    /// Identity of the log stream that the file belongs to.
    #[must_use]
    pub fn sign_log(&self) -> Option<Signature> {
        match self.facts.as_ref()? {
            Facts::Database(facts) => facts.sign_log,
            Facts::Log(facts) => facts.sign_log,
            Facts::Checkpoint(facts) => facts.sign_log,
            Facts::FlushMap(_) | Facts::Pages { .. } => None,
        }
    }

    /// True when a sweep lists the file: one of the engine's, one that should be by its name, one that cannot be read.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.kind.is_ours() || self.named.is_some() || matches!(self.kind, Kind::Unreadable)
    }
}
