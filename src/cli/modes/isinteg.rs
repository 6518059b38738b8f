//! `isinteg`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::consent::ask_or_read;
use super::isinteg_log::{Log, Told};
use super::recover::{now, told};
use super::{files, isinteg_other, isinteg_text, page_size};
use crate::cli::exit::ExitStatus;
use crate::cli::session::Session;
use crate::ops::isinteg::{
    FixOptions, IsintegOptions, IsintegReport, StoreSide, isinteg, show_profile,
};
use crate::storage::RealDisk;
use crate::store::profile::{Profile, parse};

/// Where there is nobody to ask.
const NOBODY: &str = "isinteg -fix changes the database and there is no terminal to ask on: give --yes, or --dry-run";
const QUESTION: &str =
    "Fixes will be written to the database, and an undo file beside it. Do you wish to proceed?";
const SERVER: &str =
    "-s names a server, and exutil tests files: it is ignored. Name the database file";

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("isinteg", matches);
    session.banner();
    if matches.contains_id("server") {
        eprintln!("exutil: {SERVER}");
    }
    let profile = match profile(matches) {
        Ok(profile) => profile,
        Err(status) => return status,
    };
    let shows = ["show-profile", "list-tests"].map(|flag| matches.get_flag(flag));
    let tests = tests(matches);
    if tests.is_empty() && matches.contains_id("test") {
        eprintln!("exutil: -test names no test");
        return ExitStatus::Usage;
    }
    if matches.get_flag("pri") && matches.get_flag("pub") {
        eprintln!("exutil: -pri and -pub exclude each other");
        return ExitStatus::Usage;
    }
    let fixes = matches.get_flag("fix") && !matches.get_flag("dry-run");
    if fixes && !matches.get_flag("yes") && !shows.contains(&true) && !ask_or_read(NOBODY, QUESTION)
    {
        return ExitStatus::Cancelled;
    }
    let mut log = match matches
        .get_one::<String>("log")
        .map(|path| Log::create(path))
    {
        None => None,
        Some(Ok(log)) => Some(log),
        Some(Err(error)) => {
            eprintln!("exutil: the log cannot be written: {error}");
            return ExitStatus::Operational;
        }
    };
    for path in files(matches) {
        let options = options(matches, path, &tests, profile.as_ref());
        if shows.contains(&true) {
            show(&mut session, &options, shows[1]);
        } else if matches.get_flag("dump") {
            isinteg_other::dump(&mut session, &options);
        } else if matches.get_flag("patch") {
            let fix = fix(matches);
            if isinteg_other::patch(&mut session, &options, &fix, matches.get_flag("yes")) {
                return ExitStatus::Cancelled;
            }
        } else {
            test(&mut session, &options, log.as_mut(), matches);
        }
    }
    session.close()
}

fn test(
    session: &mut Session,
    options: &IsintegOptions,
    log: Option<&mut Log>,
    matches: &ArgMatches,
) {
    let path = &options.path;
    let started = now();
    let live = session.live(path);
    let tested = isinteg(options, &RealDisk, &live);
    drop(live);
    match tested {
        Ok(report) => {
            let told = Told {
                report: &report,
                options,
                started,
                verbose: matches.get_flag("verbose"),
            };
            let written = log.map_or(Ok(()), |log| log.add(&told));
            if let Err(error) = written {
                eprintln!("exutil: the log cannot be written: {error}");
                session.fail();
            }
            let verbose = matches.get_flag("verbose");
            let trusts = options.trusts_profile();
            session.report_as(status(&report), path, report.jet(), &[], &report, || {
                isinteg_text::layout(&report, verbose, trusts)
            });
        }
        Err(error) => session.failure(path, &error, &told(&error)),
    }
}

fn show(session: &mut Session, options: &IsintegOptions, only_tests: bool) {
    let path = &options.path;
    match show_profile(options, &RealDisk) {
        Ok(state) => {
            let jet = crate::jet::JetError::SUCCESS;
            session.report(path, jet, &[], &state, || match only_tests {
                true => isinteg_text::tests(&state),
                false => isinteg_text::profile(&state),
            });
        }
        Err(error) => session.failure(path, &error, &told(&error)),
    }
}

/// After fsck(8).
fn status(report: &IsintegReport) -> ExitStatus {
    let refused = report
        .refusal
        .as_ref()
        .map(|refusal| ExitStatus::of(refusal.jet));
    if let Some(refused) = refused {
        refused.max(ExitStatus::ProblemsLeft)
    } else if report.dry_run && report.sums().1 > 0 {
        // Nothing has been corrected.
        ExitStatus::ProblemsLeft
    } else if report.has_errors_left() {
        ExitStatus::ProblemsLeft
    } else if report.has_fixes() && !report.dry_run {
        ExitStatus::Corrected
    } else {
        ExitStatus::Clean
    }
}

fn tests(matches: &ArgMatches) -> Vec<String> {
    let words = matches.get_many::<String>("test").into_iter().flatten();
    words
        .flat_map(|word| word.split([',', ' ']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The profile of the command line.
fn profile(matches: &ArgMatches) -> Result<Option<Profile>, ExitStatus> {
    let Some(path) = matches.get_one::<String>("profile") else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        eprintln!("exutil: cannot read '{path}': {error}");
        match error.kind() {
            std::io::ErrorKind::InvalidData => ExitStatus::Usage,
            _ => ExitStatus::Operational,
        }
    })?;
    parse(&text).map(Some).map_err(|error| {
        eprintln!("exutil: '{path}' is no profile: {error}");
        ExitStatus::Usage
    })
}

fn fix(matches: &ArgMatches) -> FixOptions {
    let undo_file = matches.get_one::<String>("undo-file");
    FixOptions {
        trust_profile: matches.get_flag("trust-profile"),
        dry_run: matches.get_flag("dry-run"),
        undo_file: undo_file.map(PathBuf::from),
        keep_undo: !matches.get_flag("discard-undo"),
        now: now(),
    }
}

fn options(
    matches: &ArgMatches,
    path: &Path,
    tests: &[String],
    profile: Option<&Profile>,
) -> IsintegOptions {
    let path_of = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    let side = match (matches.get_flag("pri"), matches.get_flag("pub")) {
        (true, _) => Some(StoreSide::Private),
        (_, true) => Some(StoreSide::Public),
        _ => None,
    };
    let fix = matches.get_flag("fix").then(|| fix(matches));
    let tests = match tests.is_empty() {
        true => vec![crate::store::test_list::ALL_TESTS.to_owned()],
        false => tests.to_vec(),
    };
    IsintegOptions {
        path: path.to_owned(),
        page_size: page_size(matches),
        tests,
        side,
        profile: profile.cloned(),
        fix,
        detailed: matches.get_flag("detailed"),
        temp: path_of("temp"),
    }
}
