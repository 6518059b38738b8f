//! `ml`.

use std::path::Path;

use clap::ArgMatches;

use super::log_csv::CsvWriter;
use super::log_json::JsonPrinter;
use super::log_print::{Printer, Wanted};
use super::{files, log_text};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::{Format, Session};
use crate::error::Error;
use crate::format::ids::Generation;
use crate::format::logrec::Record;
use crate::jet::JetError;
use crate::log::names::BASE_LEN;
use crate::log::verify::directory_of;
use crate::ops::log_checks::StreamCheck;
use crate::ops::log_records::{RecordPlace, RecordSink, Tally, walk};
use crate::ops::logs::{
    GenerationRange, LogVisit, LogVisitor, Quiet, StreamEntry, StreamReport, read_log,
    read_stream_watched,
};
use crate::problem::Finding;
use crate::progress::{Left, Progress as _};

/// The options of a run.
#[derive(Debug, Clone, Copy, Default)]
struct Options {
    wanted: Wanted,
    /// The layout of Eseutil is printed while the logs are read.
    live: bool,
    range: GenerationRange,
}

impl Options {
    /// A document for each record.
    fn json_records(&self, session: &Session) -> bool {
        session.format == Format::Json && self.wanted.records && self.wanted.data
    }
}

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let range = match matches.get_one::<String>("generations") {
        Some(text) => match range_of(text) {
            Some(range) => range,
            None => {
                eprintln!("Usage Error: Invalid log generation range specification.");
                return ExitStatus::Usage;
            }
        },
        None => GenerationRange::default(),
    };
    let mut session = Session::new("ml", matches);
    let wanted = Wanted {
        data: matches.get_flag("verbose"),
        records: matches.get_flag("verbose") || matches.get_flag("structure"),
        summary: matches.get_flag("summary"),
        deep: matches.get_flag("deep"),
    };
    let options = Options {
        wanted,
        live: session.format == Format::Eseutil,
        range,
    };
    session.head("FILE DUMP");
    if let Some(file) = matches.get_one::<String>("csv") {
        write_csv(&mut session, Path::new(file), options.range, files(matches));
        return session.close();
    }
    for path in files(matches) {
        match stream_base(path) {
            Some(base) => dump(&mut session, path, base, options),
            None => dump_log(&mut session, path, options),
        }
    }
    session.close()
}

/// All records of the logs into one file; the logs are checked meanwhile.
fn write_csv<'a>(
    session: &mut Session,
    file: &Path,
    range: GenerationRange,
    paths: impl Iterator<Item = &'a Path>,
) {
    session.eseutil(&format!("\n      Csv file: {}\n", file.display()));
    let failed = |session: &mut Session, error| {
        super::plain_failure(session, file, &Error::io(file, "write", error));
    };
    let mut writer = match CsvWriter::create(file) {
        Ok(writer) => writer,
        Err(error) => return failed(session, error),
    };
    for path in paths {
        let live = session.live(path);
        live.leaves(Left::Unfinished { file });
        if let Some(base) = stream_base(path) {
            session.eseutil(&format!(
                "\nVerifying log files...\n     Base name: {base}\n"
            ));
            let read = read_stream_watched(directory_of(path), base, range, &mut writer, &live);
            match read {
                Ok(report) => session.report(path, report.jet, &report.findings, &report, || {
                    layout(&report)
                }),
                Err(error) => super::plain_failure(session, path, &error),
            }
            continue;
        }
        match read_log(path, &mut writer) {
            Ok(report) => session.report(path, report.jet(), &report.findings, &report, || {
                log_text::layout(&report)
            }),
            Err(error) => super::plain_failure(session, path, &error),
        }
    }
    if let Err(error) = writer.finish() {
        failed(session, error);
    }
}

/// `12-1F`, `12`: hexadecimal, 0 for an open end. [eseutil]
fn range_of(text: &str) -> Option<GenerationRange> {
    let number = |digits: &str| {
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let number = u32::from_str_radix(digits, 16).ok()?;
        (number <= i32::MAX.cast_unsigned()).then_some(number)
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, 0),
    };
    let set = |number: u32| (number > 0).then(|| Generation::new(number));
    (last == 0 || last >= first).then(|| GenerationRange {
        first: set(first),
        last: set(last),
    })
}

/// A name of three characters that is no file is the base name of a stream.
pub fn stream_base(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    (name.len() == BASE_LEN && path.extension().is_none() && !path.is_file()).then_some(name)
}

fn dump_log(session: &mut Session, path: &Path, options: Options) {
    session.eseutil(&format!(
        "      Base name: {}\n      Log file: {}\n",
        path.file_name()
            .and_then(|name| name.to_str()?.get(..BASE_LEN))
            .unwrap_or_default(),
        shown(path)
    ));
    let mut printer = Printer::new(options.wanted, false);
    let report = if options.live {
        let report = read_log(path, &mut printer);
        printer.flush();
        report
    } else if options.json_records(session) {
        let mut printer = JsonPrinter::new(options.wanted.deep);
        let report = read_log(path, &mut printer);
        printer.flush();
        report
    } else {
        let wanted = options.wanted;
        read_log(
            path,
            &mut Counter::new(wanted, wanted.records || wanted.summary),
        )
    };
    match report {
        Ok(report) => session.report(path, report.jet(), &report.findings, &report, || {
            if options.live {
                let mut out = Layout::new();
                deep_findings(&mut out, &report.findings);
                out
            } else {
                log_text::layout(&report)
            }
        }),
        Err(error) => super::plain_failure(session, path, &error),
    }
}

/// All logs of a stream, checked only.
pub fn dump_stream(session: &mut Session, path: &Path, base: &str) {
    dump(session, path, base, Options::default());
}

fn dump(session: &mut Session, path: &Path, base: &str, options: Options) {
    let live = options.live && options.wanted.records;
    let indent = if live { "      " } else { "     " };
    session.eseutil(&format!(
        "\nVerifying log files...\n{indent}Base name: {base}\n"
    ));
    let range = options.range;
    if range != GenerationRange::default() {
        let first = range.first.map_or(1, Generation::get);
        let last = range.last.map_or(0x7FFF_FA01, Generation::get);
        session.eseutil(&format!(
            "{indent}Log generation range: 0x{first:X}-0x{last:X}\n"
        ));
    }
    let dir = directory_of(path);
    let wanted = options.wanted;
    let watch = match live || options.json_records(session) {
        true => session.live_while_printing(path),
        false => session.live(path),
    };
    let read =
        |visitor: &mut dyn LogVisitor| read_stream_watched(dir, base, range, visitor, &watch);
    let report = if live {
        let mut printer = Printer::new(wanted, true);
        let report = read(&mut printer);
        printer.flush();
        report
    } else if options.json_records(session) {
        let mut printer = JsonPrinter::new(wanted.deep);
        let report = read(&mut printer);
        printer.flush();
        report
    } else if wanted.records || wanted.deep {
        read(&mut Counter::new(wanted, wanted.records))
    } else {
        read(&mut Quiet)
    };
    drop(watch);
    match report {
        Ok(report) => session.report(path, report.jet, &report.findings, &report, || {
            let mut out = if live {
                end_of_stream(&report)
            } else {
                layout(&report)
            };
            deep_findings(&mut out, &report.findings);
            out
        }),
        Err(error) if error.jet() == JetError::FILE_NOT_FOUND => session.failure(path, &error, ""),
        Err(error) => super::plain_failure(session, path, &error),
    }
}

/// Counts and checks without printing, for tables.
struct Counter {
    counts: bool,
    check: Option<StreamCheck>,
}

impl Counter {
    fn new(wanted: Wanted, counts: bool) -> Self {
        Self {
            counts,
            check: wanted.deep.then(StreamCheck::default),
        }
    }
}

impl RecordSink for Counter {
    fn record(&mut self, place: RecordPlace, _bytes: &[u8], record: &Record<'_>) {
        if let Some(check) = &mut self.check {
            check.record(place.at, record);
        }
    }
}

impl LogVisitor for Counter {
    fn missing(&mut self, _first: &str, _last: &str) {
        if let Some(check) = &mut self.check {
            check.gap();
        }
    }

    fn log(&mut self, visit: &LogVisit<'_>) -> Tally {
        let tally = visit
            .readable()
            .map_or_else(Tally::default, |log| walk(log, Some(self)));
        if visit.is_broken() {
            self.missing("", "");
        }
        tally
    }

    fn wants_summary(&self) -> bool {
        self.counts
    }

    fn findings(&mut self) -> Vec<Finding> {
        let found = self.check.as_mut().map(StreamCheck::take_findings);
        found.unwrap_or_default()
    }
}

/// What `--deep` found, for the layout of Eseutil, which has no such lines.
fn deep_findings(out: &mut Layout, findings: &[Finding]) {
    use crate::problem::Problem;
    for finding in findings {
        if !matches!(
            finding.problem,
            Problem::LogPageTimes | Problem::LogEmptyMacro | Problem::LogUnread
        ) {
            continue;
        }
        let info = finding.problem.info();
        let at = finding.place.lgpos.unwrap_or_default();
        let page = finding
            .place
            .page
            .map(|page| format!(" page {page}"))
            .unwrap_or_default();
        let colon = if finding.detail.is_empty() { "" } else { ": " };
        out.spacing(format!(
            "{} {at}{page}: {}{colon}{}",
            info.code, info.text, finding.detail
        ));
    }
}

fn end_of_stream(report: &StreamReport) -> Layout {
    let mut out = Layout::new();
    out.blank();
    if !report.jet.is_error() {
        out.text("No damaged log files were found.").blank();
    }
    out
}

fn layout(report: &StreamReport) -> Layout {
    let mut out = Layout::new();
    out.blank();
    for entry in &report.entries {
        match entry {
            StreamEntry::Log {
                path,
                troubles,
                records,
                ..
            } => {
                if troubles.is_empty() {
                    out.text(format!("      Log file: {} - OK", shown(path)));
                } else {
                    out.text(format!("      Log file: {}", shown(path)));
                }
                for trouble in troubles {
                    out.text(format!("{:16}{}", "", log_text::trouble_text(trouble)));
                }
                if let Some(records) = records {
                    log_text::histogram_grid(&mut out, records);
                }
            }
            StreamEntry::Missing {
                names: (first, last),
                ..
            } => {
                out.text(missing_line(&report.base, first, last));
            }
        }
    }
    out.blank();
    if !report.jet.is_error() {
        out.text("No damaged log files were found.").blank();
    }
    out
}

/// The line for a gap.
pub fn missing_line(base: &str, first: &str, last: &str) -> String {
    if first == last {
        format!("      Missing log file: {first}")
    } else {
        format!("      Missing log files: {}", joined(base, first, last))
    }
}

/// Logs of the current directory are shown by their names alone.
pub fn shown(path: &Path) -> std::path::Display<'_> {
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
