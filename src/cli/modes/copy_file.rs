//! `y`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::{files, page_size};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::progress::{Both, EseutilBar};
use crate::cli::session::{Format, Session};
use crate::error::Error;
use crate::jet::JetError;
use crate::ops::checksum::BadKind;
use crate::ops::copy_file::{CopyOptions, CopyOutcome, CopyReport, PageRun, copy_file};

/// Ranges and runs of pages that are printed in Eseutil's layout; JSON has them all.
const LINES_AT_MOST: usize = 1000;
/// Width of the labels at the head.
const LABEL: usize = 16;

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let dest = matches.get_one::<String>("destination").map(Path::new);
    let several = files(matches).nth(1).is_some();
    if several && dest.is_some_and(|dest| !dest.is_dir()) {
        eprintln!("Usage Error: Several files need a folder as destination.");
        return ExitStatus::Usage;
    }
    let mut session = Session::new("y", matches);
    session.head("COPY FILE");
    for source in files(matches) {
        let options = CopyOptions {
            source: source.to_owned(),
            dest: dest_of(source, dest),
            ignore_errors: matches.get_flag("ignore-errors"),
            resume: matches.get_flag("resume"),
            verify: matches.get_flag("verify"),
            force: matches.get_flag("force"),
            page_size: page_size(matches),
        };
        copy(&mut session, &options);
    }
    session.close()
}

/// As Eseutil, without a destination the same name in the current folder.
fn dest_of(source: &Path, dest: Option<&Path>) -> PathBuf {
    let name = source.file_name().unwrap_or_default();
    match dest {
        Some(dir) if dir.is_dir() => dir.join(name),
        Some(file) => file.to_owned(),
        None => PathBuf::from(name),
    }
}

fn copy(session: &mut Session, options: &CopyOptions) {
    session.eseutil(&format!(
        "{:>LABEL$}: {}\n{:>LABEL$}: {}\n\n",
        "Source File",
        options.source.display(),
        "Destination File",
        options.dest.display()
    ));
    let bar = (session.format == Format::Eseutil).then(|| EseutilBar::titled("Copy Progress"));
    let live = session.live(&options.source);
    let result = copy_file(options, &Both(&live, bar));
    drop(live);
    match result {
        Ok(report) => {
            let status = status(&report);
            session.report_as(
                status,
                &options.source,
                report.jet(),
                &report.findings,
                &report,
                || layout(&report),
            );
        }
        Err(error) => session.failure(&options.source, &error, &failure(&error)),
    }
}

/// A copy with zeroes in it ends with a warning in Eseutil; but nothing was mended, the pages are lost.
fn status(report: &CopyReport) -> ExitStatus {
    match report.outcome {
        CopyOutcome::Filled => ExitStatus::ProblemsLeft,
        _ => ExitStatus::of(report.jet()),
    }
}

fn failure(error: &Error) -> String {
    let mut text = format!("\n\nError: {error}\n");
    if let Some(advice) = error.advice() {
        text += &format!("       What to do: {advice}.\n");
    }
    text
}

fn layout(report: &CopyReport) -> Layout {
    let mut out = Layout::new();
    if report.outcome == CopyOutcome::Incomplete {
        // The bar has not ended its line.
        out.blank();
    }
    out.note("Destination", report.dest.display());
    let unread = report.unread_bytes();
    for range in report.unread.iter().take(LINES_AT_MOST) {
        out.spacing(format!(
            "Read at offset 0x{:016x} for {} bytes failed with error {}.",
            range.offset,
            range.bytes,
            JetError::DISK_IO
        ));
    }
    more(&mut out, report.unread.len());
    out.blank();
    counter(&mut out, "Total bytes read", report.bytes_read, "MB");
    counter(&mut out, "Total bytes written", report.bytes_written, "MB");
    if report.outcome == CopyOutcome::Filled {
        number(&mut out, "Number of read errors", report.unread.len());
        counter(&mut out, "Bytes affected by read errors", unread, "kB");
        number(&mut out, "Number of write errors", 0);
        counter(&mut out, "Bytes affected by write errors", 0, "kB");
    }
    out.blank();
    facts(&mut out, report);
    out.blank();
    sentence(&mut out, report);
    out
}

/// What Eseutil does not tell.
fn facts(out: &mut Layout, report: &CopyReport) {
    let seconds = report.elapsed.as_secs_f64().max(0.001);
    let rate = (report.bytes_read >> 20) as f64 / seconds;
    out.text(format!("{} MB/second", rate as u64));
    if report.bytes_before > 0 {
        out.text(format!(
            "{} bytes had been copied by an earlier run",
            report.bytes_before
        ));
    }
    if report.failed_reads > 0 {
        out.text(format!(
            "{} reads failed ({}); they were tried again in smaller pieces",
            report.failed_reads,
            report.cause.as_deref().unwrap_or_default()
        ));
    }
    if let Some(verified) = &report.verified {
        let counts = &verified.counts;
        out.text(format!(
            "{} pages verified: {} bad, {} correctable, {} uninitialized",
            counts.seen, counts.bad, counts.correctable, counts.uninitialized
        ));
        for run in verified.bad_pages.iter().take(LINES_AT_MOST) {
            let what = match run.kind {
                BadKind::Correctable(bit) => format!("bit {bit} is wrong and can be corrected"),
                BadKind::Misplaced(real) => format!("holds the content of page {real}"),
                _ => "checksum failed".into(),
            };
            let pages = pages(&PageRun {
                first: run.first,
                count: run.count,
            });
            out.spacing(format!("    {pages}: {what}"));
        }
        more(out, verified.bad_pages.len());
    }
    match report.verified_log {
        Some(JetError::SUCCESS) => {
            out.text("The blocks of the log are sound.");
        }
        Some(jet) => {
            out.text(format!("The log is damaged: {jet}."));
        }
        None => {}
    }
}

fn sentence(out: &mut Layout, report: &CopyReport) {
    let what = match report.unread_page_count() {
        0 => format!("{} bytes", report.unread_bytes()),
        1 => format!("{} bytes on 1 page", report.unread_bytes()),
        count => format!("{} bytes on {count} pages", report.unread_bytes()),
    };
    let rest = match report.kept {
        Some(_) => "",
        None => ", and the rest was not tried",
    };
    match report.outcome {
        CopyOutcome::Copied => out.text("The copy is whole."),
        CopyOutcome::Filled => out.text(format!(
            "The copy is NOT whole: {what} could not be read and are zero in it."
        )),
        CopyOutcome::Incomplete => out.text(format!(
            "The copy was NOT made: {what} could not be read{rest}."
        )),
    };
    for run in report.unread_pages.iter().take(LINES_AT_MOST) {
        out.spacing(format!("    {}", pages(run)));
    }
    more(out, report.unread_pages.len());
    match &report.kept {
        Some(kept) => out.text(format!(
            "What was read is kept in '{}'. Use --resume to try again what is missing, with /i to have zeroes for it.",
            kept.part.display()
        )),
        None if report.outcome == CopyOutcome::Incomplete => out.text(
            "Use /i to have zeroes for what cannot be read, or --resume to read all that can be read and keep it.",
        ),
        None => out,
    };
}

fn pages(run: &PageRun) -> String {
    match (run.first, run.count) {
        (-1, 1) => "page -1 (header)".into(),
        (0, 1) => "page 0 (shadow header)".into(),
        (page, 1) => format!("page {page}"),
        (first, count) => format!(
            "pages {first} to {}",
            first.saturating_add_unsigned(count) - 1
        ),
    }
}

fn more(out: &mut Layout, count: usize) {
    if count > LINES_AT_MOST {
        let rest = count - LINES_AT_MOST;
        out.spacing(format!("    (and {rest} more; --format json has them all)"));
    }
}

fn number(out: &mut Layout, label: &str, number: usize) {
    out.spacing(format!("\t{label:<31} = {number}"));
    out.note(label, number);
}

/// Eseutil's line of a number of bytes, in hexadecimal and decimal; zero has no prefix there.
fn counter(out: &mut Layout, label: &str, bytes: u64, unit: &str) {
    let large = match unit {
        "MB" => bytes >> 20,
        _ => bytes >> 10,
    };
    let hex = match bytes {
        0 => "0".to_owned(),
        _ => format!("{bytes:#x}"),
    };
    out.spacing(format!("\t{label:<31} = {hex} ({bytes}) ({large} {unit})"));
    out.note(label, bytes);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{failure, layout, status};
    use crate::cli::exit::ExitStatus;
    use crate::error::Error;
    use crate::format::filekind::FileKind;
    use crate::format::ids::PageSize;
    use crate::jet::JetError;
    use crate::ops::copy_file::{CopyOutcome, CopyReport, Kept, PageRun, UnreadRange};

    fn report(outcome: CopyOutcome) -> CopyReport {
        let page_size = PageSize::K4;
        let unread = |offset, bytes| UnreadRange { offset, bytes };
        CopyReport {
            source: "/mnt/bad/priv1.edb".into(),
            dest: "priv1.edb".into(),
            outcome,
            kind: FileKind::Database { page_size },
            page_size: Some(page_size),
            bytes: 4 << 20,
            bytes_read: 3 << 20,
            bytes_before: 0,
            bytes_written: 2 << 20,
            bytes_left_out: 1 << 20,
            failed_reads: 12,
            cause: Some("Input/output error".into()),
            unread: vec![unread(0x200, 512), unread(0x1_5200, 1024)],
            unread_pages: vec![
                PageRun {
                    first: -1,
                    count: 1,
                },
                PageRun {
                    first: 20,
                    count: 3,
                },
            ],
            kept: None,
            verified: None,
            verified_log: None,
            elapsed: Duration::from_secs(1),
            findings: Vec::new(),
        }
    }

    #[test]
    fn a_filled_copy_is_no_success() {
        let report = report(CopyOutcome::Filled);
        assert_eq!(report.jet(), JetError::DATABASE_REPAIRED);
        assert_eq!(status(&report), ExitStatus::ProblemsLeft);
        assert_eq!(
            layout(&report).eseutil(),
            "Read at offset 0x0000000000000200 for 512 bytes failed with error -1022 (JET_errDiskIO, Disk IO error).\n\
             Read at offset 0x0000000000015200 for 1024 bytes failed with error -1022 (JET_errDiskIO, Disk IO error).\n\
             \n    Total bytes read                = 0x300000 (3145728) (3 MB)\
             \n    Total bytes written             = 0x200000 (2097152) (2 MB)\
             \n    Number of read errors           = 2\
             \n    Bytes affected by read errors   = 0x600 (1536) (1 kB)\
             \n    Number of write errors          = 0\
             \n    Bytes affected by write errors  = 0 (0) (0 kB)\
             \n\n3 MB/second\
             \n12 reads failed (Input/output error); they were tried again in smaller pieces\
             \n\nThe copy is NOT whole: 1536 bytes on 4 pages could not be read and are zero in it.\
             \n    page -1 (header)\
             \n    pages 20 to 22\n"
        );
    }

    #[test]
    fn an_incomplete_copy_says_how_to_go_on() {
        let mut report = report(CopyOutcome::Incomplete);
        assert_eq!(status(&report), ExitStatus::Operational);
        let text = layout(&report).eseutil();
        assert!(text.contains("The copy was NOT made") && text.contains("the rest was not tried"));
        assert!(
            text.contains("Use /i") && text.contains("--resume"),
            "{text}"
        );
        // Eseutil counts errors only where they are ignored.
        assert!(!text.contains("Number of read errors"), "{text}");
        report.kept = Some(Kept {
            part: "priv1.edb.part".into(),
            map: "priv1.edb.map".into(),
        });
        let text = layout(&report).eseutil();
        assert!(
            text.contains("kept in 'priv1.edb.part'") && !text.contains("not tried"),
            "{text}"
        );
    }

    #[test]
    fn no_error_looks_like_success() {
        let error = Error::Copy {
            path: "x".into(),
            jet: JetError::DISK_FULL,
            what: "the disk is full".into(),
            advice: Some("make room".into()),
        };
        assert_eq!(
            failure(&error),
            "\n\nError: 'x': the disk is full\n       What to do: make room.\n"
        );
        for outcome in [CopyOutcome::Copied, CopyOutcome::Filled] {
            let mut report = report(outcome);
            report.verified_log = Some(JetError::LOG_FILE_CORRUPT);
            assert_eq!(report.jet(), JetError::LOG_FILE_CORRUPT);
            assert_eq!(status(&report), ExitStatus::ProblemsLeft);
        }
    }
}
