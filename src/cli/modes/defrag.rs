//! `d`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ArgMatches;

use super::recover::{now, told};
use super::{defrag_text, files, page_size};
use crate::cli::exit::ExitStatus;
use crate::cli::progress::{Bar, EseutilBar, LiveBar, StageBars};
use crate::cli::session::{Format, Session};
use crate::error::Error;
use crate::jet::JetError;
use crate::ops::defrag::{DefragOptions, Stage, Stages, defragment_file};
use crate::progress::Progress;

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("d", matches);
    for path in files(matches) {
        session.head("DEFRAGMENTATION");
        session.eseutil(&format!("            Database: {}\n\n", path.display()));
        let options = options(matches, path);
        let shown = Shown::new(&session);
        match defragment_file(&options, &shown) {
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
                let failed = if shown.moving.load(Ordering::Relaxed) {
                    " FAILED!"
                } else {
                    ""
                };
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
    bars: StageBars,
    /// The bar that Eseutil shows is that of the copying; of other stages only people see one.
    copying: Arc<AtomicBool>,
    moving: AtomicBool,
}

impl Shown {
    fn new(session: &Session) -> Self {
        let format = session.format;
        let copying = Arc::new(AtomicBool::new(false));
        let is_copying = Arc::clone(&copying);
        let bars = StageBars::new(move || -> Option<Bar> {
            match format {
                Format::Eseutil if is_copying.load(Ordering::Relaxed) => {
                    Some(Box::new(EseutilBar::new("Defragmentation")))
                }
                Format::Eseutil | Format::Table => Some(Box::new(LiveBar::new())),
                Format::Json => None,
            }
        });
        Self {
            eseutil: format == Format::Eseutil,
            bars,
            copying,
            moving: AtomicBool::new(false),
        }
    }
}

impl Progress for Shown {
    fn start(&self, total: u64) {
        self.bars.start(total);
    }

    fn advance(&self, amount: u64) {
        self.bars.advance(amount);
    }

    fn finish(&self) {
        self.bars.finish();
    }
}

impl Stages for Shown {
    fn stage(&self, stage: &Stage) {
        self.copying
            .store(*stage == Stage::Copying, Ordering::Relaxed);
        let is_moving = matches!(stage, Stage::Moving(..));
        self.moving.store(is_moving, Ordering::Relaxed);
        if self.eseutil {
            crate::cli::session::write_escaped(&defrag_text::stage(stage));
        }
    }
}
