//! One file per mode: options in, operation, report out.

mod advise;
mod checkpoint;
mod checksum;
mod consent;
mod copy_file;
mod defrag;
mod defrag_text;
mod export;
mod export_files;
mod flushmap;
mod header_text;
mod headers;
mod integrity;
mod isinteg;
mod isinteg_log;
mod isinteg_other;
mod isinteg_text;
mod log_csv;
mod log_json;
mod log_print;
mod log_text;
mod logs;
mod meta;
mod meta_text;
mod new_file_text;
mod node_text;
mod page;
mod page_text;
mod recover;
mod repair;
mod repair_text;
mod restore;
mod restore_text;
mod space;
mod space_cells;
mod space_fields;
mod space_text;
mod sweep;
mod sweep_text;
mod undo;

pub(super) use log_text::environment as log_environment;

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::docs;
use super::exit::ExitStatus;
use super::session::Session;
use crate::error::Error;
use crate::format::ids::PageSize;
use crate::jet::JetError;

/// Runs the mode that was asked for.
pub fn run(matches: &ArgMatches) -> ExitStatus {
    let Some((name, matches)) = matches.subcommand() else {
        return ExitStatus::Usage;
    };
    if name == "completions" {
        return docs::print_completions(matches);
    }
    if let Some(threads) = matches.get_one::<u16>("threads") {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(*threads));
        if let Err(error) = pool.build_global() {
            eprintln!("exutil: {error}");
            return ExitStatus::Operational;
        }
    }
    match name {
        "mh" => headers::run(matches),
        "mk" => checkpoint::run(matches),
        "ml" => logs::run(matches),
        "m" => page::run(matches),
        "mm" => meta::run(matches),
        "mp" => flushmap::run(matches),
        "ms" => space::run(matches),
        "k" => checksum::run(matches),
        "r" => recover::run(matches),
        "cc" => restore::run(matches),
        "cm" => restore::describe(matches),
        "export" => export::run(matches),
        "g" => integrity::run(matches),
        "d" => defrag::run(matches),
        "isinteg" => isinteg::run(matches),
        "p" => repair::run(matches),
        "y" => copy_file::run(matches),
        "undo" => undo::run(matches),
        "sweep" => sweep::run(matches),
        "advise" => advise::run(matches),
        _ => ExitStatus::Usage,
    }
}

/// The files of the command line.
fn files(matches: &ArgMatches) -> impl Iterator<Item = &Path> {
    matches
        .get_many::<PathBuf>("files")
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
}

/// The page size of the command line.
fn page_size(matches: &ArgMatches) -> Option<PageSize> {
    let kib: u32 = matches.get_one::<String>("page-size")?.parse().ok()?;
    PageSize::from_header(kib * 1024)
}

/// What Eseutil prints when a file cannot be opened as a database; where the system or another file
/// type is the reason, a sentence says so.
fn access_failed(path: &Path, error: &Error) -> String {
    let jet = error.jet();
    let first = format!(
        "Error: Access to source database '{}' failed with Jet error {}.\n",
        path.display(),
        jet.code()
    );
    match error {
        Error::NoDatabaseHeader { .. } => format!(
            "{first}\nThis may have happenned due to a corrupted database header. Explicitly \
             setting a page size might bypass this failure.\n"
        ),
        _ if jet == JetError::FILE_NOT_FOUND => first,
        _ => format!("{first}\n{error}\n"),
    }
}

/// As [`access_failed`], without advice: what Eseutil prints before it ends.
fn refused_access(path: &Path, error: &Error) -> String {
    let first = format!(
        "Error: Access to source database '{}' failed with Jet error {}.\n",
        path.display(),
        error.jet().code()
    );
    match error {
        Error::NoDatabaseHeader { .. } => first,
        _ if error.jet() == JetError::FILE_NOT_FOUND => first,
        _ => format!("{first}\n{error}\n"),
    }
}

/// A line for errors of the modes that do not go through Eseutil's access check.
fn plain_failure(session: &mut Session, path: &Path, error: &Error) {
    session.failure(path, error, &format!("\nError: {error}\n"));
}

/// `k` of a checkpoint or flush map: its own dump reads and judges all there is.
fn flushmap_or_checkpoint(session: &mut Session, path: &Path) {
    let verdict = match crate::ops::checkpoint::read_checkpoint(path) {
        Ok(report) => Ok((report.findings, JetError::SUCCESS)),
        Err(Error::WrongFileType { .. }) => {
            crate::ops::flushmap::read_flush_map(path).map(|report| {
                let jet = report.jet();
                (report.findings, jet)
            })
        }
        Err(error) => Err(error),
    };
    match verdict {
        Ok((findings, jet)) => session.report(path, jet, &findings, &(), || {
            let mut out = super::layout::Layout::new();
            for finding in &findings {
                out.text(format!(
                    "{}: {}",
                    finding.problem.info().text,
                    finding.detail
                ));
            }
            out
        }),
        Err(error) => plain_failure(session, path, &error),
    }
}
