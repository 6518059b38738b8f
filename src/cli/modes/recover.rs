//! `r`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ArgMatches;

use super::files;
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::progress::{Both, StageBars};
use crate::cli::session::{Format, Session};
use crate::error::{Error, Trouble};
use crate::format::ids::Generation;
use crate::format::stamp::{Lgpos, LogTime};
use crate::jet::JetError;
use crate::ops::recover::{DatabaseReport, Places, RecoverOptions, RecoverReport, recover_files};
use crate::problem::Finding;

/// Width of the labels at the head.
const LABEL: usize = 21;

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("r", matches);
    session.head("RECOVERY");
    for path in files(matches) {
        let base = match base_of(path) {
            Ok(base) => base,
            Err(error) => {
                super::plain_failure(&mut session, path, &error);
                continue;
            }
        };
        let options = match options(matches, path, base) {
            Ok(options) => options,
            Err(text) => {
                eprintln!("exutil: {text}");
                return ExitStatus::Usage;
            }
        };
        session.eseutil(&head(matches, &options));
        let eseutil = session.format == Format::Eseutil;
        let shown = Both(session.live(path), StageBars::new("Restore", eseutil));
        let recovered = recover_files(&options, &shown);
        drop(shown);
        match recovered {
            Ok(report) => {
                session.report(path, report.jet, &report.findings, &report, || {
                    layout(&report)
                });
            }
            Err(error) => session.failure(path, &error, &failure(&error)),
        }
    }
    session.close()
}

/// The base name of a stream. A file is none, whatever it is; nor is anything that has not three letters.
fn base_of(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    match name {
        Some(name) if name.len() == crate::log::names::BASE_LEN && !path.is_file() => {
            Ok(name.to_owned())
        }
        Some(name) if !path.exists() => {
            let what = format!("'{}' is neither a file nor a base name", path.display());
            let advice = format!(
                "give the first three letters of the logs' names, such as E00{}",
                name.get(..crate::log::names::BASE_LEN)
                    .map_or_else(String::new, |base| format!(" or '{base}'"))
            );
            Err(Trouble::new(JetError::FILE_NOT_FOUND, what)
                .advise(advice)
                .into())
        }
        _ => {
            let (_, _, kind) = crate::ops::identify::open(path)?;
            Err(Error::WrongFileType {
                path: path.to_owned(),
                found: kind.words(),
                mode: kind.dump_mode().unwrap_or("mh"),
            })
        }
    }
}

fn options(matches: &ArgMatches, path: &Path, base: String) -> Result<RecoverOptions, String> {
    let text = |name: &str| matches.get_one::<String>(name);
    let beside = crate::log::verify::directory_of(path);
    let log_dir = text("log-path").map_or_else(|| beside.to_owned(), PathBuf::from);
    let system_dir = text("system-path").map_or_else(|| log_dir.clone(), PathBuf::from);
    Ok(RecoverOptions {
        base,
        log_dir,
        system_dir,
        places: places(matches)?,
        ignore_missing: matches.get_flag("ignore-missing"),
        lossy: matches.get_flag("lossy"),
        stop_after: text("stop-after").map(|at| position(at)).transpose()?,
        ignore_checkpoint: matches.get_flag("no-checkpoint"),
        cache: cache(text("cache").map(String::as_str))?,
        dry_run: matches.get_flag("dry-run"),
        to: text("to").map(PathBuf::from),
        undo_file: text("undo-file").map(PathBuf::from),
        keep_undo: !matches.get_flag("discard-undo"),
        truncate_logs: matches.get_flag("truncate-logs"),
        now: now(),
    })
}

/// The memory for pages.
pub(super) fn cache(mib: Option<&str>) -> Result<Option<usize>, String> {
    mib.map(|mib| {
        mib.parse::<usize>()
            .map(|mib| mib.saturating_mul(1 << 20))
            .map_err(|_| format!("'{mib}' is no number of MiB"))
    })
    .transpose()
}

/// The time to write.
pub(super) fn now() -> LogTime {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    LogTime::from_unix(now)
}

fn places(matches: &ArgMatches) -> Result<Places, String> {
    let moved: Vec<&String> = matches
        .get_many::<String>("moved")
        .into_iter()
        .flatten()
        .collect();
    match (matches.get_one::<String>("databases"), &moved[..]) {
        (Some(_), [_, ..]) => Err("/d and /n do not go together".to_owned()),
        (Some(dir), []) => Ok(Places::In(PathBuf::from(dir))),
        (None, []) => Ok(Places::Logged),
        (None, list) => {
            let others = list.iter().any(|item| *item == "*");
            let moves = list
                .iter()
                .filter(|item| **item != "*")
                .map(|item| match split_move(item) {
                    Some((new, old)) => (PathBuf::from(new), old.to_owned()),
                    None => (PathBuf::from(item.as_str()), (*item).clone()),
                })
                .collect();
            Ok(Places::Moved(moves, others))
        }
    }
}

/// `new:old`; a colon behind a single letter is that of a drive.
fn split_move(text: &str) -> Option<(&str, &str)> {
    let at = text
        .char_indices()
        .filter(|(at, letter)| *letter == ':' && *at > 1)
        .map(|(at, _)| at)
        .next()?;
    Some((&text[..at], &text[at + 1..]))
}

/// `12`, `12.5`, `12.5.1A0`: a generation, a sector, a byte, all decimal; `end`.
fn position(text: &str) -> Result<Lgpos, String> {
    let last = Lgpos::new(Generation::new(u32::MAX), u16::MAX, u16::MAX);
    if text == "end" {
        return Ok(last);
    }
    let mut parts = text.split('.');
    let mut number = |most: u32| match parts.next() {
        None => Ok(most),
        Some(part) => part
            .parse::<u32>()
            .ok()
            .filter(|number| *number <= most)
            .ok_or_else(|| format!("'{text}' is no place in a log")),
    };
    let generation = number(u32::MAX)?;
    let sector = number(u16::MAX.into())?;
    let byte = number(u16::MAX.into())?;
    Ok(Lgpos::new(
        Generation::new(generation),
        sector as u16,
        byte as u16,
    ))
}

fn head(matches: &ArgMatches, options: &RecoverOptions) -> String {
    let folder = |dir: &Path| {
        if dir == Path::new(".") {
            "<current directory>".to_owned()
        } else {
            dir.display().to_string()
        }
    };
    let mut text = format!(
        "{:>LABEL$}: {}\n{:>LABEL$}: {}\n{:>LABEL$}: {}\n",
        "Logfile base name",
        options.base,
        "Log files",
        folder(&options.log_dir),
        "System files",
        folder(&options.system_dir)
    );
    match &options.places {
        Places::In(dir) => {
            text += &format!("{:>LABEL$}: {}\n", "Database Directory", folder(dir));
        }
        Places::Moved(moves, _) => {
            for (new, old) in moves {
                text += &format!(
                    "    New Database Location: {}, Original Database Location: {old}\n",
                    new.display()
                );
            }
        }
        Places::Logged => {}
    }
    if matches.get_flag("dry-run") {
        text += "    (nothing is changed: --dry-run)\n";
    }
    text + "\nPerforming soft recovery...\n"
}

/// What went wrong, and what can be done about it.
pub(super) fn told(error: &Error) -> String {
    let mut text = format!("\n\nError: {error}\n");
    if let Some(advice) = error.advice() {
        text += &format!("       What to do: {advice}.\n");
    }
    text
}

fn failure(error: &Error) -> String {
    let mut text = told(error);
    match error.jet() {
        JetError::COMMITTED_LOG_FILES_MISSING | JetError::COMMITTED_LOG_FILE_CORRUPT => {
            text += "\n\tRecovery has indicated that there is a lossy recovery option.  Run recovery with the /a \
                     argument.\n";
        }
        JetError::MISSING_LOG_FILE => {
            text += "\n\tRecovery has indicated that there might be a lossy recovery option.  Run recovery with the \
                     /a argument.\n";
        }
        _ => {}
    }
    text
}

fn layout(report: &RecoverReport) -> Layout {
    let mut out = Layout::new();
    out.blank();
    if !report.replayed {
        out.field(
            LABEL,
            "Replayed",
            "nothing: the logs ended in order, and the checkpoint says so",
        );
    }
    results(&mut out, report);
    notes(&mut out, &report.findings);
    undo_line(&mut out, report);
    out
}

/// What was replayed, and what became of the databases.
pub(super) fn results(out: &mut Layout, report: &RecoverReport) {
    if let (Some(start), Some(end)) = (report.start, report.end) {
        out.field(
            LABEL,
            "Replayed",
            format!("{start} to {end}, {} logs", report.logs),
        );
        let counts = &report.counts;
        out.field(LABEL, "Records", counts.records);
        out.field(LABEL, "Changes made", counts.applied);
        out.field(LABEL, "Already made", counts.done_already);
        out.field(
            LABEL,
            "Rolled back",
            format!(
                "{} transactions, {} changes",
                counts.rolled_back, counts.undone
            ),
        );
    }
    for database in &report.databases {
        out.field(LABEL, "Database", describe(database));
    }
    for skipped in &report.skipped {
        let name = skipped.path.as_ref().map_or_else(
            || skipped.logged_path.clone(),
            |path| path.display().to_string(),
        );
        let text = format!("{name}: {}", skipped.reason.words());
        out.field(LABEL, "Left out", text);
    }
    for path in &report.removed_logs {
        out.field(LABEL, "Log given up", path.display());
    }
    for path in &report.taken_back {
        let text = format!("an interrupted run ({})", path.display());
        out.field(LABEL, "Taken back first", text);
    }
}

/// What is worth knowing.
pub(super) fn notes(out: &mut Layout, findings: &[Finding]) {
    for finding in findings {
        let place = finding.place.file.as_deref().unwrap_or_default();
        let mut text = format!("{place}: {}", finding.problem.info().text);
        if !finding.detail.is_empty() {
            text += &format!(": {}", finding.detail);
        }
        out.field(LABEL, "Note", text);
    }
}

/// How to go back.
pub(super) fn undo_line(out: &mut Layout, report: &RecoverReport) {
    if let Some(path) = &report.undo_file {
        let text = format!(
            "{path}; 'exutil undo {path}' takes everything back",
            path = path.display()
        );
        out.field(LABEL, "Undo file", text);
    }
}

fn describe(database: &DatabaseReport) -> String {
    format!(
        "{}: {}, consistent at {}, dbtime {}, {} pages changed",
        database.path.display(),
        database.state.words(),
        database.consistent,
        database.dbtime.get(),
        database.pages_changed
    )
}
