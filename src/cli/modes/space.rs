//! `ms`.

use std::path::Path;

use clap::ArgMatches;

use super::space_fields::Columns;
use super::space_text::{Shown, file_information, layout};
use super::{files, page_size, refused_access};
use crate::cli::exit::ExitStatus;
use crate::cli::session::{Format, Session};
use crate::jet::JetError;
use crate::ops::space_dump::{CountPages, SpaceDump, SpaceOptions, dump_space_watched};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let spec = matches.get_one::<String>("fields").map(String::as_str);
    let columns = match Columns::parse(spec.unwrap_or_default()) {
        Ok(columns) => columns,
        Err(name) => {
            eprintln!("Did not recognize the field: {name}");
            return ExitStatus::Usage;
        }
    };
    let mut session = Session::new("ms", matches);
    session.head("FILE DUMP");
    let table = matches.get_one::<String>("table").cloned();
    let leaks = columns.leaks || matches.get_flag("leaks");
    let shown = Shown {
        small: columns.small || matches.get_flag("verbose") || table.is_some(),
        space_trees: columns.leaks || matches.get_flag("space-trees"),
        leaks,
        separator: if matches.get_flag("csv") { ',' } else { ' ' },
        columns,
    };
    let pages = match session.format {
        _ if leaks => CountPages::Strictly,
        Format::Eseutil => shown.columns.count(),
        // Tables and JSON tell what is lost, but not at the price of the rest.
        Format::Table | Format::Json => shown.columns.count().max(CountPages::Gladly),
    };
    let options = SpaceOptions {
        page_size: page_size(matches),
        table,
        pages,
        shape: shown.columns.shape(),
    };
    for path in files(matches) {
        dump(&mut session, path, &options, &shown);
    }
    session.close()
}

fn dump(session: &mut Session, path: &Path, options: &SpaceOptions, shown: &Shown) {
    let live = session.live(path);
    let dumped = dump_space_watched(path, options, &live);
    drop(live);
    match dumped {
        Ok(report) => {
            let name = path.display().to_string();
            session.eseutil(&file_information(
                &name,
                report.file_bytes,
                report.disk_bytes,
            ));
            session.eseutil(&format!("         Database: {name}\n\n"));
            session.report(
                path,
                verdict(&report, shown),
                &report.findings,
                &report,
                || layout(&report, shown),
            );
        }
        Err(error) => session.failure(path, &error, &refused_access(path, &error)),
    }
}

/// Asked for lost pages, Eseutil ends with an error when it finds any. [engine]
fn verdict(report: &SpaceDump, shown: &Shown) -> JetError {
    let jet = report.jet();
    if jet.is_error() || !shown.leaks {
        return jet;
    }
    match report.lost_pages() {
        (1.., _) => JetError::DATABASE_CORRUPTED,
        (0, 1..) => JetError::DATABASE_LEAK_IN_SPACE,
        (0, 0) => JetError::SUCCESS,
    }
}
