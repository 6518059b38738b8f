//! Files that belong together, one verdict a group, and what to do next.
//!
//! A storage group is what shares a log stream: databases, logs and checkpoint with one log signature in one folder;
//! folders that hold only a part join the nearest one that has the rest. Streaming files and flush maps belong to the
//! database with their signature. What is too damaged to have a signature belongs where its name and its neighbours say.

mod cluster;
mod families;
mod next;
mod paths;
mod stream;
mod verdict;

use serde::Serialize;

use super::record::FileRecord;
use crate::format::ids::Generation;
use crate::format::stamp::Signature;

pub use next::{NextStep, RecoveryPlan};
pub use paths::quoted;

/// What a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Databases with the logs of their stream, or without.
    StorageGroup,
    /// What an online backup left, to be restored with `cc`.
    BackupSet,
    /// Logs whose databases are not among the files.
    LogsOnly,
}

impl GroupKind {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::StorageGroup => "storage group",
            Self::BackupSet => "backup set",
            Self::LogsOnly => "logs without a database",
        }
    }
}

/// What is to be thought of a group or of one database; the worst of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Complete without logs, and sound as far as it was looked into.
    Clean,
    /// The logs are there: nothing is lost.
    Recoverable,
    /// No database is among the files, only logs.
    NoDatabase,
    /// What the first missing or damaged log held is lost, and all after it.
    RecoverableWithLoss,
    /// Logs that are required are missing, or pages are damaged.
    NeedsRepair,
    /// Nothing can be read of it.
    Unreadable,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Recoverable => "recoverable (logs present)",
            Self::NoDatabase => "no database",
            Self::RecoverableWithLoss => "recoverable with loss",
            Self::NeedsRepair => "needs repair",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One database of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedDatabase {
    /// Its path.
    pub path: String,
    /// What is to be thought of it.
    pub verdict: Verdict,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// First and last generation that it needs, and the last with commits; null when it needs none.
    pub needs: Option<[Generation; 3]>,
    /// The streaming file that belongs to it.
    pub streaming_file: Option<String>,
    /// The flush map that belongs to it.
    pub flush_map: Option<String>,
}

/// The logs of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogRange {
    /// First three letters of their names.
    pub base: String,
    /// The folder that most of them lie in.
    pub folder: String,
    /// First generation there is.
    pub first: Generation,
    /// Last generation there is.
    pub last: Generation,
    /// Log files, damaged ones among them.
    pub count: u64,
    /// Names of logs between the first that is needed and the last that is known of, which are not there; of many the
    /// first [`NAMES_AT_MOST`].
    pub missing: Vec<String>,
    /// Paths of logs that are damaged, or do not follow the one before.
    pub damaged: Vec<String>,
}

/// Missing logs that are named one by one.
pub const NAMES_AT_MOST: usize = 64;

/// A log that would fill a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// Its generation.
    pub generation: Generation,
    /// Where it lies.
    pub path: String,
}

/// Files that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its number, from 1, in the order of the files.
    pub group: u32,
    /// What it is.
    pub kind: GroupKind,
    /// What is to be thought of it.
    pub verdict: Verdict,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// Commands, the next one first; the others follow when it has gone well.
    pub next: Vec<NextStep>,
    /// Identity of the log stream.
    pub sign_log: Option<Signature>,
    /// Its databases.
    pub databases: Vec<JudgedDatabase>,
    /// Its logs.
    pub logs: Option<LogRange>,
    /// Copies of missing or damaged logs that lie elsewhere among the files.
    pub elsewhere: Vec<Elsewhere>,
    /// Its checkpoint.
    pub checkpoint: Option<String>,
    /// What soft recovery of it is to be given, where that is the way.
    #[serde(skip)]
    pub recovery: Option<RecoveryPlan>,
    /// Of a backup set: the folder whose logs go on where it ends.
    pub play_forward: Option<String>,
    /// Folders of backup sets that hold the same databases.
    pub backups: Vec<String>,
    /// Every file of it, in order.
    pub files: Vec<String>,
}

/// First and last generation that databases need or know of, taken together.
fn needed(databases: &[JudgedDatabase]) -> Option<(Generation, Generation)> {
    let needs = databases.iter().filter_map(|database| database.needs);
    let ranges = needs.map(|[low, high, committed]| (low, high.max(committed)));
    ranges.reduce(|(low, last), (other_low, other_last)| (low.min(other_low), last.max(other_last)))
}

/// Finds what belongs together and judges it. `records` must be in the order of a sweep; the result is the same for the
/// same records.
#[must_use]
pub fn groups(records: &[FileRecord]) -> Vec<Group> {
    let clusters = cluster::find(records);
    let mut judged: Vec<Group> = clusters
        .iter()
        .map(|cluster| verdict::judge(cluster, records))
        .collect();
    families::backups(&clusters, records, &mut judged);
    families::play_forward(&clusters, records, &mut judged);
    families::elsewhere(&clusters, records, &mut judged);
    for (group, cluster) in judged.iter_mut().zip(&clusters) {
        group.recovery = next::recovery(group, cluster, records);
        group.next = next::steps(group, cluster, records);
    }
    judged.sort_by(|a, b| a.files.cmp(&b.files));
    for (group, number) in judged.iter_mut().zip(1..) {
        group.group = number;
    }
    judged
}
