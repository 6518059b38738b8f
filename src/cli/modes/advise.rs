//! `advise`.

use std::fmt::Write as _;
use std::path::Path;

use clap::ArgMatches;

use super::recover::now;
use super::sweep::{depth, status};
use super::{files, plain_failure, sweep_text};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::Session;
use crate::jet::JetError;
use crate::ops::advise::{Advice, AdviseOptions, GroupAdvice, Step, Way, advise};
use crate::ops::survey::group::Verdict;
use crate::progress::{Progress as _, Task};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("advise", matches);
    session.head("ADVISE");
    for path in files(matches) {
        let options = AdviseOptions {
            folder: path.to_owned(),
            depth: depth(matches),
            prove: matches.get_flag("prove"),
            now: now(),
        };
        let live = session.live(path);
        live.start(Task::things("looking", 0, "files"));
        let result = advise(&options, &live, &live);
        drop(live);
        match result {
            Ok(advice) => {
                let worst = advice
                    .groups
                    .iter()
                    .map(|group| status(group.group.verdict))
                    .max();
                let worst = worst.unwrap_or(ExitStatus::Clean);
                session.report_as(worst, path, JetError::SUCCESS, &[], &advice, || {
                    layout(path, &advice)
                });
            }
            Err(error) => plain_failure(&mut session, path, &error),
        }
    }
    session.close()
}

fn layout(path: &Path, advice: &Advice) -> Layout {
    let mut out = Layout::new();
    out.blank();
    out.text(format!("What lies in {}:", path.display()));
    for file in &advice.files {
        out.text(format!("    {}", sweep_text::file(file).trim_end()));
    }
    if advice.others > 0 {
        out.text(format!("    and {} files of no concern", advice.others));
    }
    if advice.groups.is_empty() {
        out.blank();
        out.text("No database, log or checkpoint is among them.");
    }
    for group in &advice.groups {
        of_group(&mut out, group);
    }
    out
}

fn of_group(out: &mut Layout, advice: &GroupAdvice) {
    let group = &advice.group;
    out.blank();
    out.text(format!(
        "Group {}, {}: {}.",
        group.group,
        group.kind.words(),
        group.verdict.words().to_uppercase()
    ));
    for database in &group.databases {
        for reason in &database.reasons {
            out.text(format!("    {}: {reason}.", database.path));
        }
    }
    for reason in &group.reasons {
        out.text(format!("    {reason}."));
    }
    list(out, "Missing:", &advice.missing);
    out.text(format!("What to do: {}.", way(advice.way)));
    out.text(format!("    {}.", advice.why));
    for (number, step) in advice.steps.iter().enumerate() {
        out.text(format!("{}. {}", number + 1, step.command.command));
        out.text(format!("    {}.", step.why));
        if let Some(text) = room(step) {
            out.text(format!("    {text}"));
        }
    }
    if advice.way != Way::Nothing || group.verdict != Verdict::Clean {
        list(out, "Lost on this way:", &advice.lost);
    }
    list(out, "Otherwise:", &advice.otherwise);
    if let Some(proof) = &advice.proof {
        out.text(format!(
            "Tried in memory: '{}' ends with {}",
            proof.mode, proof.jet
        ));
        out.text(format!("    {}", proof.text));
    }
}

fn list(out: &mut Layout, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.text(heading);
    for line in lines {
        out.text(format!("    - {line}"));
    }
}

const fn way(way: Way) -> &'static str {
    match way {
        Way::Nothing => "nothing",
        Way::Recover => "soft recovery, 'r'",
        Way::RecoverWithLoss => "soft recovery that gives up what is lost, 'r --lossy'",
        Way::Restore => "hard recovery of the backup, 'cc'",
        Way::Find => "find what is missing first",
        Way::Repair => "repair, then defragmentation, then tests: 'p', 'd', 'isinteg'",
        Way::Copy => "copy the file off the disk, 'y'",
        Way::Backup => "look for a backup",
    }
}

fn room(step: &Step) -> Option<String> {
    let room = step.room.as_ref()?;
    let folder = if room.folder.is_empty() {
        "."
    } else {
        &room.folder
    };
    let mut text = format!("Room: {} bytes in {folder}", room.needed);
    if let Some(free) = room.free {
        let enough = if free >= room.needed {
            "enough"
        } else {
            "NOT ENOUGH"
        };
        write!(text, ", {free} are free ({enough})").unwrap_or_default();
    }
    write!(text, ": {}.", room.rule).unwrap_or_default();
    Some(text)
}
