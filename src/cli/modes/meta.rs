//! `mm`.

use clap::ArgMatches;

use super::meta_text::layout;
use super::{files, page_size, refused_access};
use crate::cli::exit::ExitStatus;
use crate::cli::session::{Format, Session};
use crate::ops::meta_dump::{MetaOptions, dump_meta};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("mm", matches);
    session.head("FILE DUMP");
    let verbose = matches.get_flag("verbose");
    let options = MetaOptions {
        page_size: page_size(matches),
        table: matches.get_one::<String>("table").cloned(),
        details: verbose || session.format != Format::Eseutil,
    };
    for path in files(matches) {
        match dump_meta(path, &options) {
            Ok(report) => {
                session.eseutil(&format!("         Database: {}\n\n", path.display()));
                session.report(path, report.jet(), &report.findings, &report, || {
                    layout(&report, verbose)
                });
            }
            Err(error) => session.failure(path, &error, &refused_access(path, &error)),
        }
    }
    session.close()
}
