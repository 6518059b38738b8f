//! `cc` and `cm`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use serde::Serialize;

use super::restore_text::{
    COMPLETE_DUMP_WIDTH, COMPLETE_WIDTH, DUMP_WIDTH, field, restore_log_file,
};
use super::{files, recover, restore_text};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::progress::{Both, StageBars};
use crate::cli::session::{Format, Session};
use crate::error::{Error, Trouble};
use crate::format::restore_env::RestoreEnvironment;
use crate::jet::JetError;
use crate::ops::restore::{
    Description, PlayForward, RestoreOptions, RestoreReport, describe as describe_set,
    restore_files, write_environment,
};

/// Width of the labels of the result, as of a recovery.
const RESULT_LABEL: usize = 21;

/// So many removed files are named one by one; JSON has them all.
const MOST_NAMED: usize = 8;

/// `cc`.
pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("cc", matches);
    session.banner();
    let jobs = match jobs(matches) {
        Ok(jobs) => jobs,
        Err(status) => return status,
    };
    for (path, options) in jobs {
        if let Some(error) = no_instance(matches) {
            session.failure(&path, &error, &recover::told(&error));
            continue;
        }
        let eseutil = session.format == Format::Eseutil;
        let print = |environment: &RestoreEnvironment| {
            let first = field("Using restore environment", COMPLETE_WIDTH, "");
            let folder = path.to_string_lossy();
            let dump = restore_text::layout(environment, COMPLETE_DUMP_WIDTH);
            first + &restore_log_file(&folder, COMPLETE_WIDTH) + &dump.eseutil() + &head(&options)
        };
        let mut begun = |environment: &RestoreEnvironment| session.eseutil(&print(environment));
        let shown = Both(session.live(&path), StageBars::new("Restore", eseutil));
        let done = restore_files(&options, &mut begun, &shown);
        drop(shown);
        match done {
            Ok(report) => {
                let recovery = &report.recovery;
                session.report(&path, recovery.jet, &recovery.findings, &report, || {
                    layout(&report)
                });
            }
            Err(error) => session.failure(&path, &error, &recover::told(&error)),
        }
    }
    session.close()
}

/// `cm`.
pub fn describe(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("cm", matches);
    session.banner();
    let jobs = match jobs(matches) {
        Ok(jobs) => jobs,
        Err(status) => return status,
    };
    for (path, options) in jobs {
        session.eseutil(&restore_log_file(&path.to_string_lossy(), DUMP_WIDTH));
        let described = describe_set(&options).and_then(|known| {
            if let Some(file) = matches.get_one::<String>("write") {
                write_environment(&known.environment, Path::new(file))?;
            }
            Ok(known)
        });
        match described {
            Ok(known) => {
                let jet = known.faults.first().map_or(JetError::SUCCESS, Error::jet);
                session.report(&path, jet, &known.findings, &Shown::of(&known), || {
                    let mut out = restore_text::layout(&known.environment, DUMP_WIDTH);
                    for fault in &known.faults {
                        out.spacing(recover::told(fault));
                    }
                    recover::notes(&mut out, &known.findings);
                    out
                });
            }
            Err(error) => session.failure(&path, &error, &recover::told(&error)),
        }
    }
    session.close()
}

/// What JSON shows.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    environment: &'a RestoreEnvironment,
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    jet: JetError,
    what: String,
    advice: Option<String>,
}

impl<'a> Shown<'a> {
    fn of(known: &'a Description) -> Self {
        let faults = known.faults.iter().map(|fault| Fault {
            jet: fault.jet(),
            what: fault.to_string(),
            advice: fault.advice().map(str::to_owned),
        });
        Self {
            environment: &known.environment,
            faults: faults.collect(),
        }
    }
}

/// The folders of the command line, the current one where none is named, and what is asked of each.
fn jobs(matches: &ArgMatches) -> Result<Vec<(PathBuf, RestoreOptions)>, ExitStatus> {
    let mut folders: Vec<PathBuf> = files(matches).map(Path::to_owned).collect();
    if folders.is_empty() {
        folders.push(PathBuf::from("."));
    }
    folders
        .into_iter()
        .map(|dir| match options(matches, &dir) {
            Ok(options) => Ok((dir, options)),
            Err(text) => {
                eprintln!("exutil: {text}");
                Err(ExitStatus::Usage)
            }
        })
        .collect()
}

fn options(matches: &ArgMatches, dir: &Path) -> Result<RestoreOptions, String> {
    let text = |name: &str| {
        matches
            .try_get_one::<String>(name)
            .ok()
            .flatten()
            .map(String::as_str)
    };
    let flag = |name: &str| matches!(matches.try_get_one::<bool>(name), Ok(Some(true)));
    let forward = match (text("target-instance"), text("play-forward")) {
        (Some(_), Some(_)) => return Err("/t and /f do not go together".to_owned()),
        (Some(_), None) => PlayForward::No,
        (None, Some(dir)) => PlayForward::From(PathBuf::from(dir)),
        (None, None) => PlayForward::Unsaid,
    };
    Ok(RestoreOptions {
        dir: dir.to_owned(),
        forward,
        keep: flag("keep"),
        databases: matches
            .get_many::<String>("database")
            .into_iter()
            .flatten()
            .map(PathBuf::from)
            .collect(),
        log_base: text("log-base").map(str::to_owned),
        environment: text("environment").map(PathBuf::from),
        ignore_trailer: flag("ignore-trailer"),
        to: text("to").map(PathBuf::from),
        cache: recover::cache(text("cache"))?,
        dry_run: flag("dry-run"),
        undo_file: text("undo-file").map(PathBuf::from),
        keep_undo: !flag("discard-undo"),
        now: recover::now(),
    })
}

/// A storage group of a running server cannot be asked for its logs.
fn no_instance(matches: &ArgMatches) -> Option<Error> {
    let name = matches.get_one::<String>("target-instance")?;
    if name.is_empty() {
        return None;
    }
    let what = format!("there is no running instance '{name}' here");
    Some(
        Trouble::new(JetError::BAD_RESTORE_TARGET_INSTANCE, what)
            .advise(
                "give the folder of its logs with /f; or /t alone, to replay only those of the set",
            )
            .into(),
    )
}

fn head(options: &RestoreOptions) -> String {
    let mut text = "\nRestoring ....\n".to_owned();
    if let PlayForward::From(dir) = &options.forward {
        text += &format!("{:>RESULT_LABEL$}: {}\n", "Play forward", dir.display());
    }
    if options.dry_run {
        text += "    (nothing is changed: --dry-run)\n";
    }
    text
}

fn layout(report: &RestoreReport) -> Layout {
    let mut out = Layout::new();
    out.blank();
    if report.recovery.databases.is_empty() {
        out.field(
            RESULT_LABEL,
            "Restored",
            "nothing: the databases of the set are in Clean Shutdown",
        );
    }
    for (from, to) in &report.copied {
        let text = format!("{} to {}", from.display(), to.display());
        out.field(RESULT_LABEL, "Copied", text);
    }
    recover::results(&mut out, &report.recovery);
    if let Some((low, high)) = report.played_forward {
        let text = format!("logs of generations {:#X} to {:#X}", low.get(), high.get());
        out.field(RESULT_LABEL, "Played forward", text);
    }
    match &report.removed[..] {
        [first, .., last] if report.removed.len() > MOST_NAMED => {
            let number = report.removed.len();
            let text = format!("{number} files, {} to {}", first.display(), last.display());
            out.field(RESULT_LABEL, "Removed", text);
        }
        few => few.iter().for_each(|path| {
            out.field(RESULT_LABEL, "Removed", path.display());
        }),
    }
    recover::notes(&mut out, &report.recovery.findings);
    recover::undo_line(&mut out, &report.recovery);
    out
}
