//! `mh`.

use std::path::PathBuf;

use clap::ArgMatches;

use super::{access_failed, files, header_text, page_size};
use crate::cli::exit::ExitStatus;
use crate::cli::session::{Format, Session};
use crate::ops::headers::{HeaderOptions, LogSearch, read_headers};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("mh", matches);
    session.head("FILE DUMP");
    let named = matches.get_one::<String>("log-path").map(PathBuf::from);
    let wanted =
        matches.get_flag("logs") || session.for_people() || session.format != Format::Eseutil;
    let options = HeaderOptions {
        page_size: page_size(matches),
        streaming: matches
            .get_one::<String>("streaming-file")
            .map(PathBuf::from),
        logs: match named {
            Some(dir) => LogSearch::In(dir),
            None if wanted => LogSearch::Beside,
            None => LogSearch::No,
        },
    };
    let verbose = matches.get_flag("verbose");
    for path in files(matches) {
        match read_headers(path, &options) {
            Ok(report) => {
                session.report(path, report.jet(), &report.findings, &report, || {
                    header_text::layout(&report, verbose)
                });
            }
            Err(error) => session.failure(path, &error, &access_failed(path, &error)),
        }
    }
    session.close()
}
