//! `p`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::consent::{ask, has_somebody};
use super::recover::{now, told};
use super::{files, page_size, repair_text};
use crate::check::CheckReport;
use crate::cli::exit::ExitStatus;
use crate::cli::live::Live;
use crate::cli::progress::{Both, StageBars};
use crate::cli::session::{Format, Session, write_out};
use crate::error::Error;
use crate::jet::JetError;
use crate::ops::identify;
use crate::ops::repair::{Outcome, RepairFileOptions, Stage, Stages, repair_file};
use crate::progress::{Left, Progress, Task};

/// How the mode is named where there is nobody to ask.
const MODE: &str =
    "p changes the database and there is no terminal to ask on: give /o or --yes, or --dry-run";

/// What Eseutil's message box says.
const QUESTION: &str = "You should only run Repair on damaged or corrupted databases. Repair will not apply \
    information in the transaction log files to the database and may cause information to be lost. \
    Do you wish to proceed?";

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("p", matches);
    let asked = Consent::of(matches);
    if !matches.get_flag("unattended") {
        session.banner();
    }
    for path in files(matches) {
        let options = options(matches, path);
        if session.format == Format::Eseutil {
            session.eseutil(&repair_text::head(&options));
        }
        if !options.dry_run && is_there(path) && !asked.before() {
            return ExitStatus::Cancelled;
        }
        let shown = Shown::new(&session, path, asked);
        let repaired = repair_file(&options, &shown);
        drop(shown);
        match repaired {
            Ok(report) if report.outcome == Outcome::Cancelled => return ExitStatus::Cancelled,
            Ok(report) => {
                if let Some(prefix) = matches.get_one::<String>("report") {
                    repair_text::write_report(path, prefix, &report);
                }
                let jet = report.jet();
                let status = if report.left.is_empty() {
                    ExitStatus::of(jet)
                } else {
                    ExitStatus::ProblemsLeft
                };
                let findings = &report.check.findings;
                session.report_as(status, path, jet, findings, &report, || {
                    repair_text::layout(&report, &options)
                });
            }
            Err(error) => session.failure(path, &error, &failure(path, &error)),
        }
    }
    session.close()
}

/// False for what will be refused without a question: no file, or one of another kind.
fn is_there(path: &Path) -> bool {
    identify::open(path).is_ok_and(|(_, _, kind)| kind.dump_mode().is_none_or(|mode| mode == "mh"))
}

fn options(matches: &ArgMatches, path: &Path) -> RepairFileOptions {
    let path_of = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    RepairFileOptions {
        path: path.to_owned(),
        page_size: page_size(matches),
        temp: path_of("temp"),
        to: path_of("to"),
        dry_run: matches.get_flag("dry-run"),
        trust_damaged_pages: matches.get_flag("trust-damaged-pages"),
        drop_incomplete: matches.get_flag("drop-incomplete"),
        keep_orphans: matches.get_flag("keep-orphans"),
        undo_file: path_of("undo-file"),
        keep_undo: !matches.get_flag("discard-undo"),
        now: now(),
    }
}

fn failure(path: &Path, error: &Error) -> String {
    if error.jet() == JetError::DATABASE_CORRUPTED {
        // As Eseutil, and then why.
        let first = format!(
            "Error: Access to source database '{}' failed with Jet error {}.",
            path.display(),
            error.jet().code()
        );
        return format!("{first}{}", told(error));
    }
    told(error)
}

/// When, and whether, the user is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    /// Said on the command line.
    Given,
    /// Asked before anything is done.
    First,
    /// Asked when the check has found damage (`/g`).
    AfterCheck,
}

impl Consent {
    fn of(matches: &ArgMatches) -> Self {
        // `/g` asks even where `/o` is given; `--yes` answers that too. [cli facts 1.5]
        let yes = matches.get_flag("yes");
        let quiet = matches.get_flag("unattended");
        match (yes, matches.get_flag("check-first"), quiet) {
            (true, _, _) | (false, false, true) => Self::Given,
            (false, true, _) => Self::AfterCheck,
            (false, false, false) => Self::First,
        }
    }

    /// Asks before the work begins, if that is when to ask. Without anybody to ask the answer is no.
    fn before(self) -> bool {
        match self {
            Self::Given => true,
            Self::First => ask(MODE, QUESTION),
            Self::AfterCheck => has_somebody(MODE),
        }
    }
}

/// What is shown meanwhile.
struct Shown {
    eseutil: bool,
    consent: Consent,
    bars: Both<Live, StageBars>,
}

impl Shown {
    fn new(session: &Session, path: &Path, consent: Consent) -> Self {
        let eseutil = session.format == Format::Eseutil;
        let bars = StageBars::new("Scanning", eseutil);
        Self {
            eseutil,
            consent,
            bars: Both(session.live(path), bars),
        }
    }
}

impl Progress for Shown {
    fn start(&self, task: Task) {
        self.bars.start(task);
    }

    fn advance(&self, amount: u64) {
        self.bars.advance(amount);
    }

    fn finish(&self) {
        self.bars.finish();
    }

    fn leaves(&self, left: Left<'_>) {
        self.bars.leaves(left);
    }
}

impl Stages for Shown {
    fn stage(&self, stage: Stage) {
        if self.eseutil {
            write_out(&repair_text::stage(stage));
        }
    }

    fn proceed(&self, check: &CheckReport) -> bool {
        if self.consent != Consent::AfterCheck {
            return true;
        }
        let errors = check
            .findings
            .iter()
            .filter(|finding| finding.problem.info().severity == crate::problem::Severity::Error);
        let question = format!("{} problems were found. {QUESTION}", errors.count());
        ask(MODE, &question)
    }
}
