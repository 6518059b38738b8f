//! `sweep`: every file of the engine below some folders, whatever its name, the groups that they form, and one verdict a
//! group. Reads only; a bad file is a line of the result and never the end of it.
//!
//! Workers take files in the order of the walk (`lanes.rs`) and look into them ([`crate::ops::survey::examine()`]); the lines
//! come out in that order, however many workers there are. When all are done the groups are judged from the lines alone,
//! so that a sweep in parts ([`Shard`]) comes to the same groups when its parts are merged ([`merge`]).
//!
//! Memory: what is known of the engine's own files, some hundred bytes each; of other files nothing.

mod lanes;
mod merge;
pub mod order;
mod shard;
mod state;
mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use self::lanes::{Lanes, Task};
use self::state::StateFile;
use self::walk::Walk;
use super::survey::group::{Group, Verdict, groups};
use super::survey::record::{Depth, FileRecord, Kind};
use super::survey::{examine, unreadable};
use crate::error::{Error, Result};
use crate::storage::disk_turns;

pub use merge::{Merged, merge};
pub use shard::Shard;

/// What to sweep, and how.
#[derive(Debug, Clone, Default)]
pub struct SweepOptions {
    /// Folders, or files.
    pub roots: Vec<PathBuf>,
    /// How far to look into files.
    pub depth: Depth,
    /// Workers; 0: one a processor, but only one on a disk that turns.
    pub jobs: usize,
    /// Where to keep what is known, to go on after an interruption.
    pub state: Option<PathBuf>,
    /// Only this part of the files, without groups.
    pub shard: Option<Shard>,
    /// Tell of every file, not only of those that are the engine's or should be.
    pub all: bool,
}

/// What a sweep counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Files looked at.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files of each kind.
    pub kinds: BTreeMap<Kind, u64>,
}

impl Counts {
    fn add(&mut self, record: &FileRecord) {
        self.files += 1;
        self.bytes += record.bytes;
        *self.kinds.entry(record.kind).or_default() += 1;
    }

    fn add_all(&mut self, other: &Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        for (kind, count) in &other.kinds {
            *self.kinds.entry(*kind).or_default() += count;
        }
    }
}

/// The end of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// The groups, in the order of their files; none for a part of a sweep.
    pub groups: Vec<Group>,
    /// What was counted.
    pub counts: Counts,
    /// The part, if it is one.
    pub shard: Option<Shard>,
}

impl SweepReport {
    /// How many groups there are of each verdict.
    #[must_use]
    pub fn verdicts(&self) -> BTreeMap<Verdict, u64> {
        let mut verdicts = BTreeMap::new();
        for group in &self.groups {
            *verdicts.entry(group.verdict).or_default() += 1;
        }
        verdicts
    }
}

/// How far a sweep is; calls come from several threads.
pub trait Watch: Sync {
    /// A worker begins with this file.
    fn begins(&self, path: &str);
    /// It is done.
    fn ends(&self);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn begins(&self, _path: &str) {}
    fn ends(&self) {}
}

/// Lines in the order of the files, and what they add up to.
struct Lines<'a> {
    next: u64,
    /// Done before their turn.
    early: BTreeMap<u64, FileRecord>,
    kept: Vec<FileRecord>,
    counts: Counts,
    all: bool,
    keep: bool,
    show: &'a mut (dyn FnMut(&FileRecord) + Send),
    failure: Option<Error>,
}

impl Lines<'_> {
    fn take(&mut self, number: u64, record: FileRecord) {
        self.early.insert(number, record);
        while let Some(record) = self.early.remove(&self.next) {
            self.next += 1;
            self.counts.add(&record);
            if record.is_listed() || self.all {
                (self.show)(&record);
            }
            if record.is_listed() && self.keep {
                self.kept.push(record);
            }
        }
    }
}

/// Sweeps. `show` is given each file's record in the order of the files, as early as that order allows; it is called by
/// one worker at a time.
///
/// # Errors
/// [`Error::Io`] when a root is not there, or the state file cannot be used; nothing that is wrong with a file.
pub fn sweep(
    options: &SweepOptions,
    watch: &dyn Watch,
    show: &mut (dyn FnMut(&FileRecord) + Send),
) -> Result<SweepReport> {
    for root in &options.roots {
        let metadata = root
            .metadata()
            .map_err(|error| Error::io(root, "find", error))?;
        if !metadata.is_dir() && !metadata.is_file() {
            let error = std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is neither a folder nor a file",
            );
            return Err(Error::io(root, "sweep", error));
        }
    }
    let state = match &options.state {
        Some(path) => {
            refuse_inside(path, &options.roots)?;
            Some(StateFile::open(path)?)
        }
        None => None,
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (workers, turns): (usize, fn(u64) -> bool) = match options.jobs {
        0 => (processors, disk_turns),
        jobs => (jobs, |_| false),
    };
    let shard = options.shard;
    let files = Walk::new(&options.roots)
        .filter(move |found| shard.is_none_or(|shard| shard.takes(&found.name)));
    let lanes = Lanes::new(files, workers, turns);
    let lines = Mutex::new(Lines {
        next: 0,
        early: BTreeMap::new(),
        kept: Vec::new(),
        counts: Counts::default(),
        all: options.all,
        keep: shard.is_none(),
        show,
        failure: None,
    });
    let work = || {
        while let Some(Task { number, found }) = lanes.take() {
            watch.begins(&found.name);
            let known = state
                .as_ref()
                .and_then(|state| state.known(&found.name, found.stamp, options.depth));
            let fresh = known.is_none();
            let record = known.unwrap_or_else(|| match &found.error {
                Some(error) => unreadable(&found.path, found.name.clone(), options.depth, error),
                None => examine(&found.path, found.name.clone(), options.depth),
            });
            // Others are looked at again faster than they are kept.
            let kept = match &state {
                Some(state) if fresh && record.kind.is_ours() => state.keep(found.stamp, &record),
                _ => Ok(()),
            };
            watch.ends();
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.take(number, record);
            if let Err(error) = kept {
                lines.failure.get_or_insert(error);
            }
            let done_below = lines.next;
            drop(lines);
            lanes.done(found.device, done_below);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = lines.failure {
        return Err(error);
    }
    Ok(SweepReport {
        groups: groups(&settled(lines.kept)),
        counts: lines.counts,
        shard,
    })
}

/// Records as they come back from their lines: so that groups are the same whether or not they were merged.
fn settled(records: Vec<FileRecord>) -> Vec<FileRecord> {
    let settle = |record: FileRecord| {
        let text = serde_json::to_string(&record).ok();
        text.and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(record)
    };
    records.into_iter().map(settle).collect()
}

/// A sweep never writes beside the files: neither does its state.
fn refuse_inside(state: &Path, roots: &[PathBuf]) -> Result<()> {
    let folder = state
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let folder = folder
        .canonicalize()
        .map_err(|error| Error::io(state, "create", error))?;
    let inside = roots.iter().any(|root| {
        root.canonicalize()
            .is_ok_and(|root| folder.starts_with(root))
    });
    if inside {
        let error = std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "it lies below a folder that is swept, where nothing is ever written: give another place",
        );
        return Err(Error::io(state, "keep the state of the sweep in", error));
    }
    Ok(())
}
