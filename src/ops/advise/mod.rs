//! `advise`: what to do with one folder, along the decision path of the disaster recovery guides: what each file is, what is
//! missing by name, which command is right, what would be lost, how much room it needs, and why. Reads only.
//!
//! The files and their groups come from [`crate::ops::sweep`]; this adds the reasons. With a proof the command that is
//! advised is run as a dry run, in memory, and its end is told.

mod prove;
mod room;

use std::path::PathBuf;

use serde::Serialize;

use self::room::Room;
use super::survey::group::{Group, GroupKind, JudgedDatabase, NextStep, Verdict};
use super::survey::record::{Depth, FileRecord};
use super::sweep::{SweepOptions, Watch, sweep};
use crate::error::Result;
use crate::format::stamp::LogTime;
use crate::progress::Progress;

pub use prove::Proof;

/// What to look at, and how.
#[derive(Debug, Clone)]
pub struct AdviseOptions {
    /// The folder; a file stands for the folder that it lies in.
    pub folder: PathBuf,
    /// How far to look into files.
    pub depth: Depth,
    /// Run what is advised as a dry run.
    pub prove: bool,
    /// The time that a dry run would write.
    pub now: LogTime,
}

impl AdviseOptions {
    /// Advice from the headers of a folder's files; nothing is tried.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, now: LogTime) -> Self {
        Self {
            folder: folder.into(),
            depth: Depth::Headers,
            prove: false,
            now,
        }
    }
}

/// Which way leads out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Nothing is to be done.
    Nothing,
    /// Soft recovery.
    Recover,
    /// Soft recovery that gives up what is lost.
    RecoverWithLoss,
    /// The restore of a backup.
    Restore,
    /// Find what is missing first.
    Find,
    /// Repair, then defragmentation, then tests.
    Repair,
    /// Copy off the disk what can be read, then look again.
    Copy,
    /// Only a backup from elsewhere helps.
    Backup,
}

/// One command, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The command line.
    pub command: NextStep,
    /// What it does, and what it changes.
    pub why: String,
    /// The room that it needs.
    pub room: Option<Room>,
}

/// The advice for one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupAdvice {
    /// What belongs together, and its verdict.
    #[serde(flatten)]
    pub group: Group,
    /// The way out.
    pub way: Way,
    /// Why this and no other.
    pub why: String,
    /// What is missing, by name.
    pub missing: Vec<String>,
    /// What would be lost on this way.
    pub lost: Vec<String>,
    /// The commands, in order.
    pub steps: Vec<Step>,
    /// What else could be tried, or what to do if it fails.
    pub otherwise: Vec<String>,
    /// What the dry run of the first command came to.
    pub proof: Option<Proof>,
}

/// The advice for a folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// Every file of it that is the engine's, or should be.
    pub files: Vec<FileRecord>,
    /// Files of no concern.
    pub others: u64,
    /// One advice a group.
    pub groups: Vec<GroupAdvice>,
}

/// Looks at a folder and says what to do. `watch` hears of its files, `progress` of what is tried out.
///
/// # Errors
/// [`crate::error::Error::Io`] when the folder is not there.
pub fn advise(
    options: &AdviseOptions,
    watch: &dyn Watch,
    progress: &dyn Progress,
) -> Result<Advice> {
    let folder = match options.folder.parent() {
        Some(parent) if options.folder.is_file() => {
            if parent.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                parent.to_owned()
            }
        }
        _ => options.folder.clone(),
    };
    let sweep_options = SweepOptions {
        roots: vec![folder],
        depth: options.depth,
        ..SweepOptions::default()
    };
    let mut files = Vec::new();
    let report = sweep(&sweep_options, watch, &mut |record| {
        files.push(record.clone())
    })?;
    let groups = report
        .groups
        .into_iter()
        .map(|group| {
            let mut advice = of_group(group, &files);
            if options.prove {
                advice.proof = prove::prove(&advice, &files, options.now, progress);
            }
            advice
        })
        .collect();
    Ok(Advice {
        others: report.counts.files - files.len() as u64,
        files,
        groups,
    })
}

fn of_group(group: Group, files: &[FileRecord]) -> GroupAdvice {
    let (way, why) = way(&group);
    let steps = group
        .next
        .iter()
        .map(|command| Step {
            why: purpose(command, way).to_owned(),
            room: room::of(command, &group, files),
            command: command.clone(),
        })
        .collect();
    GroupAdvice {
        missing: missing(&group),
        lost: lost(&group, way),
        otherwise: otherwise(&group, way),
        way,
        why: why.to_owned(),
        steps,
        proof: None,
        group,
    }
}

/// The decision path: nothing before a look at the state, recovery before a restore, a restore before a repair.
fn way(group: &Group) -> (Way, &'static str) {
    let copies = group.next.iter().any(|step| step.mode == "y");
    let repairs = group.next.iter().any(|step| step.mode == "p");
    match (group.kind, group.verdict) {
        (GroupKind::LogsOnly, _) => (
            Way::Find,
            "logs alone hold no mailbox: the databases that they belong to must be found first",
        ),
        (GroupKind::BackupSet, Verdict::Recoverable | Verdict::RecoverableWithLoss) => (
            Way::Restore,
            "the copy that an online backup makes is of no single moment: only 'cc' with the logs of the set makes it \
             whole, and neither 'r' nor 'p' may be used on it",
        ),
        (GroupKind::BackupSet, _) => (
            Way::Find,
            "the set is not whole: a restore needs every log of it",
        ),
        (_, Verdict::Clean) => (
            Way::Nothing,
            "the databases are in Clean Shutdown and can be mounted as they are; no log is needed for that",
        ),
        (_, Verdict::Recoverable) => (
            Way::Recover,
            "every log that is needed is there: soft recovery loses nothing that was committed, a repair would",
        ),
        (_, Verdict::RecoverableWithLoss) => (
            Way::RecoverWithLoss,
            "the databases can be made whole, but not brought to the end: logs that were written last cannot be used. \
             That still loses less than a repair, which applies no log at all",
        ),
        _ if !group.elsewhere.is_empty() => (
            Way::Find,
            "logs that are needed are missing here but lie elsewhere: with them beside the others recovery may do",
        ),
        _ if !group.backups.is_empty() => (
            Way::Restore,
            "a backup of the same database is at hand: a restore gives back a whole database, a repair what is left of one",
        ),
        _ if copies => (
            Way::Copy,
            "the file cannot be read as it lies: copy off the disk what can be read, and look at the copy",
        ),
        _ if repairs => (
            Way::Repair,
            "no log and no backup at hand brings it back: repair keeps what can be read. Defragmentation and the \
             tests of the store belong to it, in this order",
        ),
        _ => (
            Way::Backup,
            "nothing is left in the file that could be read: only a backup helps",
        ),
    }
}

fn purpose(step: &NextStep, way: Way) -> &'static str {
    match step.mode {
        "r" => {
            "replays the logs and rolls back what never committed. Nothing changes before the whole replay has gone well; \
             'exutil undo' on the undo file beside the logs takes it back. Add --dry-run to see first what it would do"
        }
        "cc" if step.dry_run => {
            "checks the set, replays in memory, tells what a restore would do; changes nothing"
        }
        "cc" => {
            "restores the set, with its logs and those that go on from it, and leaves the databases in Clean Shutdown"
        }
        "cm" => "tells what is known of the set and what it lacks; changes nothing",
        "p" if step.dry_run => {
            "tells by table and page what is damaged and what a repair would lose; changes nothing"
        }
        "p" => {
            "writes a new file with everything that can be read; the original stays beside it, 'exutil undo' gives it back"
        }
        "d" => {
            "writes the repaired file anew, compactly: what a repair leaves is valid but scattered"
        }
        "isinteg" => {
            "tests what stands on the tables and puts right what can be; repeat it until it finds nothing. Only for \
                      stores of Exchange and directories"
        }
        "g" if way == Way::Nothing => {
            "makes sure: every page, tree and index is looked at; changes nothing"
        }
        "g" => "makes sure that the result is sound; changes nothing",
        "y" => {
            "copies what can be read, tries bad places again, and fills the rest with zeroes; never writes to the source"
        }
        "sweep" => "looks anew at what is there then; changes nothing",
        _ => "tells what is in the logs; changes nothing",
    }
}

/// By name: logs, streaming files, databases.
fn missing(group: &Group) -> Vec<String> {
    let mut missing = Vec::new();
    if let Some(logs) = &group.logs {
        missing.extend(logs.missing.iter().cloned());
    }
    for database in &group.databases {
        if let (Some([low, high, committed]), None) = (database.needs, &group.logs) {
            let last = high.max(committed);
            missing.push(format!(
                "all logs of the stream, generations {low} to {last} (0x{:X} to 0x{:X})",
                low.get(),
                last.get()
            ));
        }
    }
    missing.dedup();
    missing
}

fn lost(group: &Group, way: Way) -> Vec<String> {
    let mut lost = Vec::new();
    match way {
        Way::Nothing => {}
        Way::Recover => lost.push("nothing that was committed".to_owned()),
        Way::Restore if group.kind == GroupKind::BackupSet => lost.push(match &group.play_forward {
            Some(_) => "nothing that the logs of the set and those that go on from it hold".to_owned(),
            None => "what was changed after the backup, unless logs from then are given with --play-forward".to_owned(),
        }),
        Way::Restore => lost.push("what was changed after the backup, as far as no logs from then are left".to_owned()),
        Way::RecoverWithLoss => {
            let losing =
                |database: &&JudgedDatabase| database.verdict == Verdict::RecoverableWithLoss;
            let databases = group.databases.iter().filter(losing);
            lost.extend(databases.filter_map(|database| database.reasons.first().cloned()));
        }
        Way::Find => lost.push("nothing yet: nothing is changed on this way".to_owned()),
        Way::Copy => lost.push("what the disk does not give back; the copy names it".to_owned()),
        Way::Backup => lost.push("everything that is not in a backup".to_owned()),
        Way::Repair => {
            if group.databases.iter().any(|database| database.needs.is_some()) {
                lost.push(
                    "every change that is only in the logs, and half of a change where a page was written and \
                     its neighbour was not"
                        .to_owned(),
                );
            }
            lost.push("records on pages that cannot be read; 'p --dry-run' names them by table".to_owned());
            lost.push("the use of older logs and backups: they do not belong to a repaired database".to_owned());
        }
    }
    lost
}

fn otherwise(group: &Group, way: Way) -> Vec<String> {
    let mut otherwise = Vec::new();
    match way {
        Way::Recover | Way::RecoverWithLoss => otherwise.push(
            "if recovery refuses, it says why with the engine's number, and has changed nothing; then a restore of a \
             backup, and only then 'exutil p'"
                .to_owned(),
        ),
        Way::Find => {
            let copied = |path: &str| group.next.iter().any(|step| step.mode == "y" && step.about == path);
            for log in group.elsewhere.iter().filter(|log| !copied(&log.path)) {
                otherwise.push(format!("copy {} beside the other logs (generation {})", log.path, log.generation));
            }
            if group.kind == GroupKind::StorageGroup {
                let repairs = group.next.iter().any(|step| step.mode == "p");
                otherwise.push(if repairs {
                    "if they cannot be had: the steps above".to_owned()
                } else {
                    "if they do not help: 'exutil p', then 'd', then 'isinteg'".to_owned()
                });
            }
        }
        Way::Repair => otherwise.push(
            "look for the missing logs and for a backup first: on other disks, in the server's log folder, in shadow copies"
                .to_owned(),
        ),
        Way::Restore if group.kind == GroupKind::StorageGroup => {
            otherwise.push("if the backup is too old: 'exutil p', then 'd', then 'isinteg'".to_owned());
        }
        Way::Nothing | Way::Restore | Way::Copy | Way::Backup => {}
    }
    otherwise
}
