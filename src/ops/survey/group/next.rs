//! The command to run next, and those that follow when it has gone well, as a shell takes them.

use serde::{Serialize, Serializer};

use super::cluster::Cluster;
use super::paths::{folder_or_dot, quoted};
use super::stream::Stream;
use super::{Group, GroupKind, Verdict};
use crate::ops::survey::record::{Depth, Facts, FileRecord, Kind};

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
        Self {
            mode,
            about: about.to_owned(),
            dry_run: options.ends_with("--dry-run"),
            command: format!("exutil {mode} {}{space}{options}", quoted(about)),
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
        (_, Verdict::Recoverable | Verdict::RecoverableWithLoss) => {
            recover(group, cluster, records)
        }
        (_, Verdict::Clean | Verdict::NoDatabase) => check(group, cluster, records),
        (_, Verdict::NeedsRepair | Verdict::Unreadable) => repair(group, cluster, records),
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
    if stream.folder.is_empty() {
        stream.base.clone()
    } else {
        format!("{}/{}", stream.folder.trim_end_matches('/'), stream.base)
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

/// `r`: over folders as they are, with what is missing left out.
fn recover(group: &Group, cluster: &Cluster, records: &[FileRecord]) -> Vec<NextStep> {
    let Some(stream) = Stream::of(cluster, records) else {
        return Vec::new();
    };
    let mut options = format!("--log-path {}", quoted(folder_or_dot(&stream.folder)));
    if let Some(checkpoint) = &group.checkpoint {
        let folder = checkpoint.rsplit_once('/').map_or("", |(folder, _)| folder);
        options += &format!(" --system-path {}", quoted(folder_or_dot(folder)));
    }
    let dirty: Vec<&String> = cluster
        .databases
        .iter()
        .zip(&group.databases)
        .filter(|(at, _)| records[**at].database().is_some())
        .map(|(_, database)| &database.path)
        .collect();
    let folder = |path: &str| {
        path.rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned()
    };
    let mut folders: Vec<String> = dirty.iter().map(|path| folder(path)).collect();
    folders.dedup();
    if let [one] = &folders[..] {
        options += &format!(" --databases={}", quoted(folder_or_dot(one)));
    } else {
        for path in dirty {
            options += &format!(" --moved {}", quoted(path));
        }
    }
    if lacks_databases(cluster, records, &stream) {
        options += " --ignore-missing";
    }
    if group.verdict == Verdict::RecoverableWithLoss {
        options += " --lossy";
    }
    let recovery = NextStep::new("r", &stream.base, &options);
    [recovery].into_iter().chain(checks(group)).collect()
}

fn checks(group: &Group) -> impl Iterator<Item = NextStep> {
    let databases = group.databases.iter();
    databases.map(|database| NextStep::new("g", &database.path, ""))
}

/// True when the newest log names a database that is not in the group.
fn lacks_databases(cluster: &Cluster, records: &[FileRecord], stream: &Stream<'_>) -> bool {
    stream.attached().any(|attached| {
        let there = cluster.databases.iter().any(|at| {
            let own = records[*at].database().and_then(|facts| facts.sign_db);
            own.is_some() && own == attached.sign_db
        });
        !there && attached.sign_db.is_some()
    })
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
