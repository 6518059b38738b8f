//! `k`.

use std::path::Path;

use clap::ArgMatches;

use super::{access_failed, files, flushmap_or_checkpoint, logs, page_size};
use crate::cli::escape::escape_lines;
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::progress::{Both, EseutilBar};
use crate::cli::session::{Format, Session, write_out};
use crate::error::Error;
use crate::jet::JetError;
use crate::ops::checksum::{BadKind, BadRun, ChecksumOptions, ChecksumReport, check_file};
use crate::ops::identify::{self, FileKind};
use crate::ops::logs::{Quiet, read_log};
use crate::progress::{Left, Progress, Task};

/// Lines about single pages that are printed; the counts go on, and `--list` prints all.
const LINES_AT_MOST: u64 = 10_000;

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("k", matches);
    let mut options = ChecksumOptions {
        page_size: page_size(matches),
        pages: None,
    };
    if let Some(text) = matches.get_one::<String>("page") {
        match parse_range(text) {
            Some(range) => options.pages = Some(range),
            None => {
                let text = escape_lines(text);
                eprintln!("Usage Error: Invalid page specification '{text}'.");
                return ExitStatus::Usage;
            }
        }
    }
    let list = matches.get_flag("list");
    for path in files(matches) {
        check(&mut session, path, &options, list);
    }
    if list {
        session.status()
    } else {
        session.close()
    }
}

/// `7`, `7-9`, `-1-0`.
fn parse_range(text: &str) -> Option<(i64, i64)> {
    if let Ok(page) = text.parse() {
        return Some((page, page));
    }
    let dash = text.get(1..)?.find('-')? + 1;
    let (from, to) = (text[..dash].parse().ok()?, text[dash + 1..].parse().ok()?);
    (from <= to).then_some((from, to))
}

fn check(session: &mut Session, path: &Path, options: &ChecksumOptions, list: bool) {
    if let Some(base) = logs::stream_base(path) {
        session.head("CHECKSUM");
        logs::dump_stream(session, path, base);
        return;
    }
    match identify::open(path).map(|(_, _, kind)| kind) {
        Ok(FileKind::Log { .. }) => check_log(session, path),
        Ok(FileKind::Checkpoint | FileKind::FlushMap) => {
            session.head("CHECKSUM");
            flushmap_or_checkpoint(session, path);
        }
        Ok(FileKind::Database { .. } | FileKind::Streaming { .. } | FileKind::Undo) | Err(_) => {
            check_pages(session, path, options, list);
        }
        Ok(_) if options.page_size.is_some() => check_pages(session, path, options, list),
        Ok(_) => {
            let error = Error::NoDatabaseHeader {
                path: path.to_owned(),
            };
            session.banner();
            session.failure(path, &error, &access_failed(path, &error));
        }
    }
}

fn check_log(session: &mut Session, path: &Path) {
    session.head("CHECKSUM");
    session.eseutil("\n");
    match read_log(path, &mut Quiet) {
        Ok(report) => session.report(path, report.jet(), &report.findings, &report, || {
            let mut out = Layout::new();
            if report.troubles.is_empty() {
                out.text(format!(
                    "Integrity check passed for log file: {}",
                    path.display()
                ));
            }
            for trouble in &report.troubles {
                out.text(format!("      {}", super::log_text::trouble_text(trouble)));
            }
            out
        }),
        Err(error) => super::plain_failure(session, path, &error),
    }
}

fn check_pages(session: &mut Session, path: &Path, options: &ChecksumOptions, list: bool) {
    let text = session.format == Format::Eseutil && !list;
    let head = format!(
        "        Database: {0}\n  Temp. Database: TEMPCHKSUM{1}.EDB\n\n\nFile: {0}\n\n",
        path.display(),
        std::process::id()
    );
    let announced = Announced {
        text: text.then_some(head),
        bar: text.then(|| EseutilBar::new("Checksum")),
    };
    if text {
        session.banner();
    }
    let live = session.live(path);
    let result = check_file(path, options, &Both(&live, &announced));
    drop(live);
    match result {
        Err(error) => session.failure(path, &error, &access_failed(path, &error)),
        Ok(report) if list => {
            session.note(report.jet());
            write_out(&bad_page_list(&report));
        }
        Ok(report) => {
            if text {
                complain(&report);
            }
            session.report(path, report.jet(), &report.findings, &report, || {
                layout(&report)
            });
        }
    }
}

/// Eseutil names the mode and the file only when the file could be opened as a database: so the
/// lines come with the start of the scan.
struct Announced {
    text: Option<String>,
    bar: Option<EseutilBar>,
}

impl Progress for Announced {
    fn start(&self, task: Task) {
        if let Some(text) = &self.text {
            write_out("Initiating CHECKSUM mode...\n");
            write_out(&escape_lines(text));
        }
        self.bar.iter().for_each(|bar| bar.start(task));
    }

    fn advance(&self, amount: u64) {
        self.bar.iter().for_each(|bar| bar.advance(amount));
    }

    fn finish(&self) {
        self.bar.iter().for_each(Progress::finish);
    }

    fn leaves(&self, _left: Left<'_>) {}
}

/// The lines about single pages, on standard error as in the original.
fn complain(report: &ChecksumReport) {
    let mut lines = 0;
    for run in &report.bad_pages {
        for page in run.pages() {
            if lines == LINES_AT_MOST {
                eprintln!("(more bad pages follow; --list names them all)");
                return;
            }
            eprintln!("{}", page_line(run, page, report));
            lines += 1;
        }
    }
}

fn page_line(run: &BadRun, page: i64, report: &ChecksumReport) -> String {
    match run.kind {
        BadKind::Header => format!("ERROR: page {page} (header) checksum failed"),
        BadKind::Checksum | BadKind::Misplaced(_) | BadKind::Trailer => {
            format!("ERROR: page {page} checksum failed")
        }
        BadKind::Correctable(bit) => format!(
            "WARNING: page {page} checksum verification failed but the corruption ( bit {bit} ) can be corrected"
        ),
        BadKind::ReadError | BadKind::CutOff => {
            let bytes = report.page_size.bytes();
            let offset = (page + 1).max(0) as u64 * bytes as u64;
            let jet = run.kind.jet();
            format!(
                "Read at offset 0x{offset:016x} for {bytes} bytes failed with error {} ({}, {}).",
                jet.code(),
                jet.name(),
                jet.text()
            )
        }
    }
}

fn layout(report: &ChecksumReport) -> Layout {
    let mut out = Layout::new();
    if report.temporary {
        out.text("This is a temporary database. Checksums are not maintained for such databases.");
    }
    let (counts, cost) = (&report.counts, &report.cost);
    out.blank();
    out.text(format!("{} pages seen", counts.seen));
    out.text(format!("{} bad checksums", counts.bad));
    out.text(format!("{} correctable checksums", counts.correctable));
    out.text(format!("{} uninitialized pages", counts.uninitialized));
    // The current engine counts a misplaced page as a bad checksum and never here.
    out.text("0 wrong page numbers");
    out.text(format!(
        "0x{:x} highest dbtime (pgno 0x{:x})",
        counts.highest_dbtime.get(),
        counts.highest_dbtime_page.get()
    ));
    if counts.unreadable > 0 {
        out.text(format!("{} unreadable pages", counts.unreadable));
    }
    let megabytes = cost.bytes >> 20;
    let seconds = cost.elapsed.as_secs_f64().ceil().max(1.0) as u64;
    let millis = cost.reading.as_millis() as u64;
    out.blank();
    out.text(format!("{} reads performed", cost.reads));
    out.text(format!("{megabytes} MB read"));
    out.text(format!("{seconds} seconds taken"));
    out.text(format!(
        "{} MB/second",
        (megabytes as f64 / cost.elapsed.as_secs_f64().max(0.001)) as u64
    ));
    out.text(format!("{millis} milliseconds used"));
    out.text(format!(
        "{} milliseconds per read",
        millis.checked_div(cost.reads).unwrap_or(0)
    ));
    out.text(format!(
        "{} milliseconds for the slowest read",
        cost.slowest.as_millis()
    ));
    out.text(format!(
        "{} milliseconds for the fastest read",
        cost.fastest.as_millis()
    ));
    out.blank();
    out
}

/// Page, kind, detail; a tab between them.
fn bad_page_list(report: &ChecksumReport) -> String {
    let mut out = String::new();
    for run in &report.bad_pages {
        let (kind, detail) = match run.kind {
            BadKind::Checksum => ("checksum", String::new()),
            BadKind::Misplaced(real) => ("misplaced", real.to_string()),
            BadKind::Correctable(bit) => ("correctable", bit.to_string()),
            BadKind::ReadError => ("read-error", JetError::DISK_IO.code().to_string()),
            BadKind::CutOff => (
                "cut-off",
                JetError::DISK_READ_VERIFICATION_FAILURE.code().to_string(),
            ),
            BadKind::Header => ("header", String::new()),
            BadKind::Trailer => ("trailer", String::new()),
        };
        for page in run.pages() {
            out.push_str(&format!("{page}\t{kind}\t{detail}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn page_ranges() {
        assert_eq!(parse_range("7"), Some((7, 7)));
        assert_eq!(parse_range("-1"), Some((-1, -1)));
        assert_eq!(parse_range("7-9"), Some((7, 9)));
        assert_eq!(parse_range("-1-0"), Some((-1, 0)));
        for bad in ["", "9-7", "a", "1-", "-", "1-2-3"] {
            assert_eq!(parse_range(bad), None, "{bad}");
        }
    }
}
