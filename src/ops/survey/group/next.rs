//! The command to run next, and those that follow when it has gone well, as a shell takes them.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::cluster::Cluster;
use super::paths::{folder_or_dot, quoted};
use super::stream::Stream;
use super::{Group, GroupKind, NAMES_AT_MOST, Verdict, needed};
use crate::ops::survey::record::{Depth, Facts, FileRecord, Kind, folder_of};

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// The mode.
    pub mode: &'static str,
    /// The database or folder that it is about.
    pub about: String,
    /// It only tells what it would do.
    pub dry_run: bool,
    /// The whole command line.
    pub command: String,
}

impl NextStep {
    fn new(mode: &'static str, about: &str, options: &str) -> Self {
        let space = if options.is_empty() { "" } else { " " };
        // A name that begins as an option does is taken for one.
        let dash = if about.starts_with('-') { "./" } else { "" };
        Self {
            mode,
            about: about.to_owned(),
            dry_run: options.ends_with("--dry-run"),
            command: format!(
                "exutil {mode} {}{space}{options}",
                quoted(&format!("{dash}{about}"))
            ),
        }
    }
}

impl Serialize for NextStep {
    /// The command line alone.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.command)
    }
}

pub(super) fn steps(group: &Group, cluster: &Cluster, records: &[FileRecord]) -> Vec<NextStep> {
    match (group.kind, group.verdict) {
        (GroupKind::LogsOnly, _) => logs_only(cluster, records),
        (
            GroupKind::BackupSet,
            Verdict::NeedsRepair | Verdict::Recoverable | Verdict::RecoverableWithLoss,
        ) => restore(group, cluster, records),
        (_, Verdict::Clean | Verdict::NoDatabase) => check(group, cluster, records),
        (_, verdict) => {
            // Before a recovery of the others, which writes logs of its own.
            if let Some(steps) = bring_together(group, cluster, records) {
                return steps;
            }
            // Recovery loses nothing, so that it comes first for those that it can help.
            let mut steps: Vec<NextStep> = group.recovery.iter().map(RecoveryPlan::step).collect();
            if verdict >= Verdict::NeedsRepair {
                steps.extend(repair(group, cluster, records));
            } else {
                steps.extend(checks(group));
            }
            steps
        }
    }
}

fn logs_only(cluster: &Cluster, records: &[FileRecord]) -> Vec<NextStep> {
    Stream::of(cluster, records)
        .map(|stream| NextStep::new("ml", &base_path(&stream), ""))
        .into_iter()
        .collect()
}

/// The base name behind its folder.
fn base_path(stream: &Stream<'_>) -> String {
    in_folder(&stream.folder, &stream.base)
}

fn in_folder(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{}/{name}", folder.trim_end_matches('/'))
    }
}

/// Sound as far as it was looked into: look deeper.
fn check(group: &Group, cluster: &Cluster, records: &[FileRecord]) -> Vec<NextStep> {
    let databases = cluster.databases.iter().zip(&group.databases);
    databases
        .filter(|(at, _)| records[**at].depth < Depth::Integrity)
        .map(|(_, database)| NextStep::new("g", &database.path, ""))
        .collect()
}

/// What soft recovery of a group is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPlan {
    /// First three letters of the logs' names.
    pub base: String,
    /// Folder of the logs.
    pub logs: String,
    /// Folder of the checkpoint, if there is one.
    pub system: Option<String>,
    /// The databases that have a header.
    pub databases: Vec<String>,
    /// The stream has databases that are not among them.
    pub ignore_missing: bool,
    /// Give up what cannot be recovered.
    pub lossy: bool,
}

impl RecoveryPlan {
    /// The folder of the databases, if it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&str> {
        let mut folders = self.databases.iter().map(|path| folder_of(path));
        let first = folders.next()?;
        folders
            .all(|folder| folder == first)
            .then_some(folder_or_dot(first))
    }

    fn step(&self) -> NextStep {
        let mut options = format!("--log-path {}", quoted(&self.logs));
        if let Some(system) = &self.system {
            options += &format!(" --system-path {}", quoted(system));
        }
        match self.folder() {
            Some(folder) => options += &format!(" --databases={}", quoted(folder)),
            None => {
                for path in &self.databases {
                    options += &format!(" --moved {}", quoted(path));
                }
            }
        }
        if self.ignore_missing {
            options += " --ignore-missing";
        }
        if self.lossy {
            options += " --lossy";
        }
        NextStep::new("r", &self.base, &options)
    }
}

/// Soft recovery, if a database of the group can be recovered.
pub(super) fn recovery(
    group: &Group,
    cluster: &Cluster,
    records: &[FileRecord],
) -> Option<RecoveryPlan> {
    let recoverable =
        |verdict| matches!(verdict, Verdict::Recoverable | Verdict::RecoverableWithLoss);
    let mut verdicts = group.databases.iter().map(|database| database.verdict);
    if group.kind != GroupKind::StorageGroup || !verdicts.clone().any(recoverable) {
        return None;
    }
    let stream = Stream::of(cluster, records)?;
    let known = |at: &&usize| records[**at].database().is_some();
    let databases: Vec<usize> = cluster.databases.iter().filter(known).copied().collect();
    let missing = stream.attached().any(|attached| {
        let own = |at: &usize| records[*at].database().and_then(|facts| facts.sign_db);
        attached.sign_db.is_some() && !databases.iter().any(|at| own(at) == attached.sign_db)
    });
    Some(RecoveryPlan {
        base: stream.base.clone(),
        logs: folder_or_dot(&stream.folder).to_owned(),
        system: group
            .checkpoint
            .as_ref()
            .map(|path| folder_or_dot(folder_of(path)).to_owned()),
        // What cannot be recovered with the others must not stand in their way.
        ignore_missing: missing || group.verdict >= Verdict::NeedsRepair,
        lossy: verdicts.any(|verdict| verdict == Verdict::RecoverableWithLoss),
        databases: databases
            .iter()
            .map(|at| records[*at].path.clone())
            .collect(),
    })
}

/// Where all logs that a group lacks lie elsewhere: a copy of each beside the others, and another look.
fn bring_together(
    group: &Group,
    cluster: &Cluster,
    records: &[FileRecord],
) -> Option<Vec<NextStep>> {
    if group.verdict < Verdict::NeedsRepair {
        return None;
    }
    let (low, last) = needed(&group.databases)?;
    let stream = Stream::of(cluster, records)?;
    let missing = stream.missing(low, last, NAMES_AT_MOST);
    if missing.is_empty() || missing.len() == NAMES_AT_MOST {
        return None;
    }
    let copies = missing.into_iter().map(|generation| {
        let copy = group
            .elsewhere
            .iter()
            .find(|copy| copy.generation == generation)?;
        let to = in_folder(&stream.folder, &stream.name(generation));
        let options = format!("--destination {}", quoted(&to));
        Some(NextStep::new("y", &copy.path, &options))
    });
    let mut steps = copies.collect::<Option<Vec<_>>>()?;
    let databases = group
        .databases
        .iter()
        .map(|database| folder_of(&database.path));
    let folders: BTreeSet<&str> = databases.collect();
    let others = folders.iter().filter(|folder| **folder != stream.folder);
    let others: Vec<String> = others.map(|folder| quoted(folder_or_dot(folder))).collect();
    let folder = folder_or_dot(&stream.folder);
    steps.push(NextStep::new("sweep", folder, &others.join(" ")));
    Some(steps)
}

fn checks(group: &Group) -> impl Iterator<Item = NextStep> {
    let databases = group.databases.iter();
    databases.map(|database| NextStep::new("g", &database.path, ""))
}

/// `cc`; where logs of the server go on from the set, they are played forward, after a look at what that would do.
fn restore(group: &Group, cluster: &Cluster, records: &[FileRecord]) -> Vec<NextStep> {
    let Some(first) = cluster.databases.first() else {
        return Vec::new();
    };
    let folder = records[*first].folder_and_name().0;
    let apart = cluster
        .logs
        .iter()
        .any(|at| records[*at].folder_and_name().0 != folder);
    let folder = folder_or_dot(folder);
    // What is missing must be put there first; this says what.
    if apart || group.verdict == Verdict::NeedsRepair {
        return vec![NextStep::new("cm", folder, "")];
    }
    let options = match &group.play_forward {
        Some(logs) => format!("--keep --play-forward {}", quoted(folder_or_dot(logs))),
        None => "--keep".to_owned(),
    };
    let mut steps = vec![
        NextStep::new("cc", folder, &format!("{options} --dry-run")),
        NextStep::new("cc", folder, &options),
    ];
    steps.extend(checks(group));
    steps
}

/// The sequence of the guides: repair, defragment, test; a backup comes before it.
fn repair(group: &Group, cluster: &Cluster, records: &[FileRecord]) -> Vec<NextStep> {
    let mut steps = Vec::new();
    for backup in &group.backups {
        steps.push(NextStep::new(
            "cc",
            folder_or_dot(backup),
            "--keep --dry-run",
        ));
    }
    for (at, database) in cluster.databases.iter().zip(&group.databases) {
        if database.verdict < Verdict::NeedsRepair {
            continue;
        }
        let record = &records[*at];
        let path = &database.path;
        if record.kind == Kind::Unreadable {
            let copy = quoted(record.folder_and_name().1);
            let options = format!("--destination {copy} --ignore-errors --resume");
            steps.push(NextStep::new("y", path, &options));
            continue;
        }
        let size = match &record.facts {
            Some(Facts::Pages { page_size }) => format!("--page-size {}", page_size.bytes() / 1024),
            Some(_) => String::new(),
            // Nothing is left that a repair could read.
            None => continue,
        };
        let dry = format!("{size} --dry-run");
        steps.push(NextStep::new("p", path, dry.trim_start()));
        steps.push(NextStep::new("p", path, &size));
        steps.push(NextStep::new("d", path, ""));
        steps.push(NextStep::new("isinteg", path, "-fix -test alltests"));
    }
    steps
}
