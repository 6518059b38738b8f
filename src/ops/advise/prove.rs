//! The first command that is advised, run as a dry run: in memory, nothing changes.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{GroupAdvice, Way};
use crate::check::CheckReport;
use crate::error::Result;
use crate::format::ids::PageSize;
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::ops::recover::{Places, RecoverOptions, recover_files};
use crate::ops::repair::{Outcome, RepairFileOptions, Stage, Stages, repair_file};
use crate::ops::restore::{PlayForward, RestoreOptions, restore_files};
use crate::ops::survey::group::Group;
use crate::ops::survey::record::{Facts, FileRecord};
use crate::progress::{Progress, Silent};

/// What a dry run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// The mode that was tried.
    pub mode: &'static str,
    /// What it ended with.
    pub jet: JetError,
    /// In words.
    pub text: String,
}

impl Proof {
    fn of(mode: &'static str, result: Result<(JetError, String)>) -> Self {
        match result {
            Ok((jet, text)) => Self { mode, jet, text },
            Err(error) => {
                let advice = error
                    .advice()
                    .map_or_else(String::new, |advice| format!("; {advice}"));
                Self {
                    mode,
                    jet: error.jet(),
                    text: format!("{error}{advice}"),
                }
            }
        }
    }
}

pub(super) fn prove(advice: &GroupAdvice, files: &[FileRecord], now: LogTime) -> Option<Proof> {
    let group = &advice.group;
    match advice.way {
        Way::Recover | Way::RecoverWithLoss => {
            let lossy = advice.way == Way::RecoverWithLoss;
            Some(Proof::of("r", recovery(group, lossy, now)?))
        }
        Way::Restore => {
            let step = group.next.iter().find(|step| step.mode == "cc")?;
            Some(Proof::of("cc", restore(&step.about, group, now)))
        }
        Way::Repair => {
            let step = group.next.iter().find(|step| step.mode == "p")?;
            let size =
                files
                    .iter()
                    .find(|file| file.path == step.about)
                    .and_then(|file| match file.facts {
                        Some(Facts::Pages { page_size }) => Some(page_size),
                        _ => None,
                    });
            Some(Proof::of("p", repair(Path::new(&step.about), size, now)))
        }
        Way::Nothing | Way::Find | Way::Copy | Way::Backup => None,
    }
}

fn folder(path: &str) -> PathBuf {
    PathBuf::from(if path.is_empty() { "." } else { path })
}

fn recovery(group: &Group, lossy: bool, now: LogTime) -> Option<Result<(JetError, String)>> {
    let logs = group.logs.as_ref()?;
    let log_dir = folder(&logs.folder);
    let system_dir = group.checkpoint.as_ref().map_or_else(
        || log_dir.clone(),
        |checkpoint| folder(checkpoint.rsplit_once('/').map_or("", |(folder, _)| folder)),
    );
    let mut folders: Vec<PathBuf> = group
        .databases
        .iter()
        .map(|database| {
            folder(
                database
                    .path
                    .rsplit_once('/')
                    .map_or("", |(folder, _)| folder),
            )
        })
        .collect();
    folders.dedup();
    let places = match &folders[..] {
        [one] => Places::In(one.clone()),
        _ => {
            let moved = group.databases.iter().map(|database| {
                let path = PathBuf::from(&database.path);
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                (path, name)
            });
            Places::Moved(moved.collect(), false)
        }
    };
    let options = RecoverOptions {
        base: logs.base.clone(),
        log_dir,
        system_dir,
        places,
        ignore_missing: group
            .next
            .first()
            .is_some_and(|step| step.command.contains("--ignore-missing")),
        lossy,
        stop_after: None,
        ignore_checkpoint: false,
        cache: None,
        dry_run: true,
        to: None,
        undo_file: None,
        keep_undo: true,
        truncate_logs: false,
        now,
    };
    Some(recover_files(&options, &Silent).map(|report| {
        let states: Vec<String> = report
            .databases
            .iter()
            .map(|database| {
                format!(
                    "{} would be in {}",
                    database.path.display(),
                    database.state.words()
                )
            })
            .collect();
        (
            report.jet,
            format!("{} logs replayed; {}", report.logs, states.join(", ")),
        )
    }))
}

fn restore(dir: &str, group: &Group, now: LogTime) -> Result<(JetError, String)> {
    let options = RestoreOptions {
        dir: folder(dir),
        forward: group
            .play_forward
            .as_ref()
            .map_or(PlayForward::Unsaid, |logs| PlayForward::From(folder(logs))),
        keep: true,
        databases: Vec::new(),
        log_base: None,
        environment: None,
        ignore_trailer: false,
        to: None,
        cache: None,
        dry_run: true,
        undo_file: None,
        keep_undo: true,
        now,
    };
    let report = restore_files(&options, &mut |_| {}, &Silent)?;
    let states: Vec<String> = report
        .recovery
        .databases
        .iter()
        .map(|database| {
            format!(
                "{} would be in {}",
                database.path.display(),
                database.state.words()
            )
        })
        .collect();
    Ok((
        report.recovery.jet,
        format!(
            "{} logs replayed; {}",
            report.recovery.logs,
            states.join(", ")
        ),
    ))
}

struct Unasked;

impl Progress for Unasked {
    fn start(&self, _total: u64) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
}

impl Stages for Unasked {
    fn stage(&self, _stage: Stage) {}

    fn proceed(&self, _check: &CheckReport) -> bool {
        true
    }
}

fn repair(path: &Path, page_size: Option<PageSize>, now: LogTime) -> Result<(JetError, String)> {
    let options = RepairFileOptions {
        path: path.to_owned(),
        page_size,
        temp: None,
        to: None,
        dry_run: true,
        trust_damaged_pages: false,
        drop_incomplete: false,
        keep_orphans: false,
        undo_file: None,
        keep_undo: true,
        now,
    };
    let report = repair_file(&options, &Unasked)?;
    let text = match report.outcome {
        Outcome::Sound => {
            "nothing is damaged: the pages are whole, only what the logs hold is missing".to_owned()
        }
        Outcome::Mended => {
            "only single bits or a copy of the header are wrong: nothing would be lost".to_owned()
        }
        Outcome::Repaired | Outcome::Cancelled => {
            let losses = report.losses.as_ref();
            let tables = losses.map_or(&[][..], |losses| &losses.tables);
            let records: u64 = tables.iter().map(|table| table.records).sum();
            let losing: Vec<&str> = tables
                .iter()
                .filter(|table| table.has_losses())
                .map(|table| table.name.as_str())
                .collect();
            let lost = if losing.is_empty() {
                "no record would be lost".to_owned()
            } else {
                format!("records or values of {} would be lost", losing.join(", "))
            };
            format!(
                "{} damaged tables would be made anew with {records} records, {} copied as they are; {lost}",
                tables.len(),
                losses.map_or(0, |losses| losses.sound_tables)
            )
        }
    };
    Ok((report.jet(), text))
}
