//! The first command that is advised, run as a dry run: in memory, nothing changes.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{GroupAdvice, Way};
use crate::check::CheckReport;
use crate::error::Result;
use crate::format::ids::PageSize;
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::ops::recover::{DatabaseReport, Places, RecoverOptions, RecoverReport, recover_files};
use crate::ops::repair::{Outcome, RepairFileOptions, Stage, Stages, repair_file};
use crate::ops::restore::{PlayForward, RestoreOptions, restore_files};
use crate::ops::survey::group::{Group, RecoveryPlan};
use crate::ops::survey::record::{Facts, FileRecord};
use crate::progress::{Left, Progress, Task};

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

/// Nobody is asked, and only how far it is counts.
struct Tried<'p>(&'p dyn Progress);

impl Progress for Tried<'_> {
    fn start(&self, task: Task) {
        self.0.start(task);
    }

    fn advance(&self, amount: u64) {
        self.0.advance(amount);
    }

    fn finish(&self) {
        self.0.finish();
    }

    fn leaves(&self, left: Left<'_>) {
        self.0.leaves(left);
    }
}

impl Stages for Tried<'_> {
    fn stage(&self, _stage: Stage) {}

    fn proceed(&self, _check: &CheckReport) -> bool {
        true
    }
}

pub(super) fn prove(
    advice: &GroupAdvice,
    files: &[FileRecord],
    now: LogTime,
    progress: &dyn Progress,
) -> Option<Proof> {
    let group = &advice.group;
    match advice.way {
        Way::Recover | Way::RecoverWithLoss => Some(Proof::of(
            "r",
            recovery(group.recovery.as_ref()?, now, progress),
        )),
        Way::Restore => {
            let step = group.next.iter().find(|step| step.mode == "cc")?;
            Some(Proof::of("cc", restore(&step.about, group, now, progress)))
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
            Some(Proof::of(
                "p",
                repair(Path::new(&step.about), size, now, progress),
            ))
        }
        Way::Nothing | Way::Find | Way::Copy | Way::Backup => None,
    }
}

fn folder(path: &str) -> PathBuf {
    PathBuf::from(if path.is_empty() { "." } else { path })
}

fn recovery(
    plan: &RecoveryPlan,
    now: LogTime,
    progress: &dyn Progress,
) -> Result<(JetError, String)> {
    let places = match plan.folder() {
        Some(one) => Places::In(one.into()),
        // The logs know them by the last part of their names.
        None => {
            let moved = plan
                .databases
                .iter()
                .map(|path| (path.into(), path.clone()));
            Places::Moved(moved.collect(), false)
        }
    };
    let options = RecoverOptions {
        system_dir: PathBuf::from(plan.system.as_ref().unwrap_or(&plan.logs)),
        places,
        ignore_missing: plan.ignore_missing,
        lossy: plan.lossy,
        dry_run: true,
        ..RecoverOptions::new(plan.base.as_str(), &plan.logs, now)
    };
    recover_files(&options, progress).map(|report| came_to(&report))
}

fn restore(
    dir: &str,
    group: &Group,
    now: LogTime,
    progress: &dyn Progress,
) -> Result<(JetError, String)> {
    let forward = match &group.play_forward {
        Some(logs) => PlayForward::From(folder(logs)),
        None => PlayForward::Unsaid,
    };
    let options = RestoreOptions {
        forward,
        keep: true,
        dry_run: true,
        ..RestoreOptions::new(folder(dir), now)
    };
    restore_files(&options, &mut |_| {}, progress).map(|report| came_to(&report.recovery))
}

fn came_to(report: &RecoverReport) -> (JetError, String) {
    let state = |database: &DatabaseReport| {
        let path = database.path.display();
        format!("{path} would be in {}", database.state.words())
    };
    let states: Vec<String> = report.databases.iter().map(state).collect();
    let text = format!("{} logs replayed; {}", report.logs, states.join(", "));
    (report.jet, text)
}

fn repair(
    path: &Path,
    page_size: Option<PageSize>,
    now: LogTime,
    progress: &dyn Progress,
) -> Result<(JetError, String)> {
    let options = RepairFileOptions {
        page_size,
        dry_run: true,
        ..RepairFileOptions::new(path, now)
    };
    let report = repair_file(&options, &Tried(progress))?;
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
