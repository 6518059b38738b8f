//! `d`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ArgMatches;

use super::recover::{now, told};
use super::{defrag_text, files, page_size};
use crate::cli::exit::ExitStatus;
use crate::cli::live::Live;
use crate::cli::progress::{Both, StageBars};
use crate::cli::session::{Format, Session};
use crate::error::Error;
use crate::jet::JetError;
use crate::ops::defrag::{DefragOptions, Stage, Stages, defragment_file};
use crate::progress::{Left, Progress, Task};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("d", matches);
    for path in files(matches) {
        session.head("DEFRAGMENTATION");
        session.eseutil(&format!("            Database: {}\n\n", path.display()));
        let options = options(matches, path);
        let shown = Shown::new(&session, path);
        let done = defragment_file(&options, &shown);
        let was_moving = shown.moving.load(Ordering::Relaxed);
        drop(shown);
        match done {
            Ok(report) => {
                let for_people = session.for_people() || session.format == Format::Table;
                let status = if report.indexes_made {
                    ExitStatus::Corrected
                } else {
                    ExitStatus::Clean
                };
                let (jet, findings) = (JetError::SUCCESS, &report.findings);
                session.report_as(status, path, jet, findings, &report, || {
                    defrag_text::layout(&report, for_people)
                });
            }
            Err(error) => {
                let failed = if was_moving { " FAILED!" } else { "" };
                let text = format!("{failed}{}", failure(path, &error));
                session.failure(path, &error, &text);
            }
        }
    }
    session.close()
}

fn options(matches: &ArgMatches, path: &Path) -> DefragOptions {
    let path_of = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    DefragOptions {
        path: path.to_owned(),
        page_size: page_size(matches),
        temp: path_of("temp"),
        keep_temp: matches.get_flag("preserve-temp"),
        backup: path_of("backup"),
        verify: !matches.get_flag("no-verify"),
        ignore_room: matches.get_flag("ignore-room"),
        dry_run: matches.get_flag("dry-run"),
        now: now(),
    }
}

fn failure(path: &Path, error: &Error) -> String {
    match error {
        // As Eseutil, and then why.
        Error::NoDatabaseHeader { .. } | Error::Io { .. } => {
            format!("{}{}", super::refused_access(path, error), told(error))
        }
        _ => told(error),
    }
}

/// What is shown meanwhile.
struct Shown {
    eseutil: bool,
    /// The bar that Eseutil shows is that of the copying.
    bars: Both<Live, StageBars>,
    moving: AtomicBool,
}

impl Shown {
    fn new(session: &Session, path: &Path) -> Self {
        let bars = StageBars::new("Defragmentation", false);
        Self {
            eseutil: session.format == Format::Eseutil,
            bars: Both(session.live(path), bars),
            moving: AtomicBool::new(false),
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
    fn stage(&self, stage: &Stage) {
        let Both(_, bars) = &self.bars;
        bars.want(self.eseutil && *stage == Stage::Copying);
        let is_moving = matches!(stage, Stage::Moving(..));
        self.moving.store(is_moving, Ordering::Relaxed);
        if self.eseutil {
            crate::cli::session::write_escaped(&defrag_text::stage(stage));
        }
    }
}
