//! `ml`.

use std::path::Path;

use clap::ArgMatches;

use super::{files, log_text};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::Session;
use crate::jet::JetError;
use crate::log::names::BASE_LEN;
use crate::log::verify::directory_of;
use crate::ops::logs::{StreamEntry, StreamReport, read_log, read_stream};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("ml", matches);
    session.head("FILE DUMP");
    for path in files(matches) {
        match stream_base(path) {
            Some(base) => dump_stream(&mut session, path, base),
            None => dump_log(&mut session, path),
        }
    }
    session.close()
}

/// A name of three characters that is no file is the base name of a stream.
pub fn stream_base(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    (name.len() == BASE_LEN && path.extension().is_none() && !path.is_file()).then_some(name)
}

fn dump_log(session: &mut Session, path: &Path) {
    session.eseutil(&format!(
        "      Base name: {}\n      Log file: {}\n",
        path.file_name()
            .and_then(|name| name.to_str()?.get(..BASE_LEN))
            .unwrap_or_default(),
        shown(path)
    ));
    match read_log(path) {
        Ok(report) => session.report(path, report.jet(), &report.findings, &report, || {
            log_text::layout(&report)
        }),
        Err(error) => super::plain_failure(session, path, &error),
    }
}

/// All logs of a stream.
pub fn dump_stream(session: &mut Session, path: &Path, base: &str) {
    session.eseutil(&format!(
        "\nVerifying log files...\n     Base name: {base}\n"
    ));
    match read_stream(directory_of(path), base) {
        Ok(report) => session.report(path, report.jet, &report.findings, &report, || {
            layout(&report)
        }),
        Err(error) if error.jet() == JetError::FILE_NOT_FOUND => session.failure(path, &error, ""),
        Err(error) => super::plain_failure(session, path, &error),
    }
}

fn layout(report: &StreamReport) -> Layout {
    let mut out = Layout::new();
    out.blank();
    for entry in &report.entries {
        match entry {
            StreamEntry::Log { path, troubles, .. } if troubles.is_empty() => {
                out.text(format!("      Log file: {} - OK", shown(path)));
            }
            StreamEntry::Log { path, troubles, .. } => {
                out.text(format!("      Log file: {}", shown(path)));
                for trouble in troubles {
                    out.text(format!("{:16}{}", "", log_text::trouble_text(trouble)));
                }
            }
            StreamEntry::Missing {
                names: (first, last),
                ..
            } if first == last => {
                out.text(format!("      Missing log file: {first}"));
            }
            StreamEntry::Missing {
                names: (first, last),
                ..
            } => {
                out.text(format!(
                    "      Missing log files: {}",
                    joined(&report.base, first, last)
                ));
            }
        }
    }
    out.blank();
    if !report.jet.is_error() {
        out.text("No damaged log files were found.").blank();
    }
    out
}

/// Logs of the current directory are shown by their names alone.
fn shown(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(".").unwrap_or(path).display()
}

/// `E00{0000007D - 0000007F}.log`
fn joined(base: &str, first: &str, last: &str) -> String {
    let digits = |name: &str| {
        name.get(base.len()..)
            .and_then(|rest| rest.split_once('.'))
            .map(|(n, _)| n.to_owned())
    };
    let extension = first
        .rsplit_once('.')
        .map_or("log", |(_, extension)| extension);
    format!(
        "{base}{{{} - {}}}.{extension}",
        digits(first).unwrap_or_default(),
        digits(last).unwrap_or_default()
    )
}
