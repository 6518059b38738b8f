//! `sweep`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::ArgMatches;
use serde::Serialize;

use super::{files, plain_failure, sweep_text};
use crate::cli::escape::escape;
use crate::cli::exit::ExitStatus;
use crate::cli::session::{Format, Session, write_escaped};
use crate::error::Error;
use crate::jet::JetError;
use crate::ops::survey::group::{Group, Verdict};
use crate::ops::survey::record::{Depth, Facts, FileRecord, Kind, Role};
use crate::ops::sweep::{Counts, Merged, Shard, SweepOptions, SweepReport, merge, sweep};
use crate::progress::{Progress as _, Task};

/// What a line is about.
#[derive(Serialize)]
struct Line<'a, T> {
    record: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Serialize)]
struct Summary<'a> {
    depth: Depth,
    counts: &'a Counts,
    verdicts: BTreeMap<Verdict, u64>,
    shard: Option<Shard>,
}

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("sweep", matches);
    let options = match options(matches) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("Usage Error: {text}");
            return ExitStatus::Usage;
        }
    };
    session.head("SWEEP");
    if matches.get_flag("merge") {
        put_together(&mut session, &options);
    } else {
        walk(&mut session, &options);
    }
    session.close()
}

/// The depth of the command line.
pub(super) fn depth(matches: &ArgMatches) -> Depth {
    match matches.get_one::<String>("depth").map(String::as_str) {
        Some("checksum") => Depth::Checksum,
        Some("integrity") => Depth::Integrity,
        _ => Depth::Headers,
    }
}

fn options(matches: &ArgMatches) -> Result<SweepOptions, String> {
    let jobs = matches.get_one::<String>("jobs").map(|text| {
        let number = text
            .parse::<usize>()
            .ok()
            .filter(|jobs| (1..=1024).contains(jobs));
        number.ok_or_else(|| format!("'{text}' is no number of jobs: 1 to 1024"))
    });
    let shard = matches.get_one::<String>("shard").map(|text| text.parse());
    let options = SweepOptions {
        roots: files(matches).map(Path::to_owned).collect(),
        depth: depth(matches),
        jobs: jobs.transpose()?.unwrap_or(0),
        state: matches.get_one::<String>("state").map(PathBuf::from),
        shard: shard.transpose()?,
        all: matches.get_flag("all"),
    };
    if matches.get_flag("merge") && (options.shard.is_some() || options.state.is_some()) {
        return Err("--merge reads no files that could be shared out or kept in mind.".into());
    }
    Ok(options)
}

fn walk(session: &mut Session, options: &SweepOptions) {
    let live = session.live(&options.roots[0]);
    live.start(Task::things("looking", 0, "files"));
    let shown = Mutex::new(&mut *session);
    let mut show = |record: &FileRecord| {
        let mut session = shown.lock().unwrap_or_else(PoisonError::into_inner);
        live.aside(|| file(&mut session, record));
    };
    let result = sweep(options, &live, &mut show);
    drop(live);
    match result {
        Ok(report) => end(session, options, &report),
        Err(error) => failed(session, options, &error),
    }
}

fn failed(session: &mut Session, options: &SweepOptions, error: &Error) {
    let named = error.path().unwrap_or(&options.roots[0]);
    plain_failure(session, named, error);
}

fn put_together(session: &mut Session, options: &SweepOptions) {
    match merge(&options.roots) {
        Ok(Merged {
            records,
            report,
            troubles,
        }) => {
            for record in records
                .iter()
                .filter(|record| record.is_listed() || options.all)
            {
                file(session, record);
            }
            let depth = records
                .iter()
                .map(|record| record.depth)
                .max()
                .unwrap_or_default();
            let options = SweepOptions {
                depth,
                ..options.clone()
            };
            end(session, &options, &report);
            for trouble in troubles {
                let trouble = escape(&trouble).into_owned();
                eprintln!("exutil: {trouble}");
                session.fail();
            }
        }
        Err(error) => failed(session, options, &error),
    }
}

fn file(session: &mut Session, record: &FileRecord) {
    let jet = JetError::new(record.jet);
    // The envelope has path, number and findings of their own.
    #[derive(Serialize)]
    struct Content<'a> {
        kind: Kind,
        named: Option<Role>,
        bytes: u64,
        depth: Depth,
        error: &'a Option<String>,
        findings_left_out: u64,
        facts: &'a Option<Facts>,
    }
    let content = Content {
        kind: record.kind,
        named: record.named,
        bytes: record.bytes,
        depth: record.depth,
        error: &record.error,
        findings_left_out: record.findings_left_out,
        facts: &record.facts,
    };
    let line = Line {
        record: "file",
        content: &content,
    };
    let status = ExitStatus::of(jet);
    session.line(status, &record.path, jet, &record.findings, &line, || {
        sweep_text::file(record)
    });
}

/// What a verdict ends with.
pub(super) const fn status(verdict: Verdict) -> ExitStatus {
    match verdict {
        Verdict::Clean => ExitStatus::Clean,
        Verdict::Recoverable
        | Verdict::NoDatabase
        | Verdict::RecoverableWithLoss
        | Verdict::NeedsRepair
        | Verdict::Unreadable => ExitStatus::ProblemsLeft,
    }
}

fn end(session: &mut Session, options: &SweepOptions, report: &SweepReport) {
    if session.format == Format::Table && report.shard.is_none() {
        write_escaped(&sweep_text::groups_table(&report.groups));
    }
    for group in &report.groups {
        one_group(session, group);
    }
    let name = if report.shard.is_some() {
        "shard"
    } else {
        "summary"
    };
    let summary = Summary {
        depth: options.depth,
        counts: &report.counts,
        verdicts: report.verdicts(),
        shard: report.shard,
    };
    let line = Line {
        record: name,
        content: &summary,
    };
    let roots: Vec<_> = match report.shard {
        // What is merged has no roots: the line must be the same.
        None => Vec::new(),
        Some(_) => options
            .roots
            .iter()
            .map(|root| root.to_string_lossy())
            .collect(),
    };
    let success = JetError::SUCCESS;
    session.line(
        ExitStatus::Clean,
        &roots.join(", "),
        success,
        &[],
        &line,
        || sweep_text::summary(report),
    );
}

fn one_group(session: &mut Session, group: &Group) {
    let line = Line {
        record: "group",
        content: group,
    };
    let first = group.files.first().map_or("", String::as_str);
    let table = session.format == Format::Table;
    session.line(
        status(group.verdict),
        first,
        JetError::SUCCESS,
        &[],
        &line,
        || {
            if table {
                String::new()
            } else {
                sweep_text::group(group)
            }
        },
    );
}
