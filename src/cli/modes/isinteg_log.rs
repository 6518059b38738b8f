//! The log of `isinteg -l`, in the layout of Exchange 5.5. `[cli facts 7.1: Q254230]`

use std::io::Write as _;

use super::isinteg_text::{changes, finding_lines, missing_lines, remarks, shown, summary, time};
use crate::cli::escape::escape_lines;
use crate::format::stamp::LogTime;
use crate::ops::isinteg::{IsintegOptions, IsintegReport, TestResult};

/// What the log tells of.
pub(super) struct Told<'t> {
    pub report: &'t IsintegReport,
    pub options: &'t IsintegOptions,
    pub started: LogTime,
    pub log: &'t str,
    pub verbose: bool,
}

/// Writes the log; that it cannot be written is said, and is no reason to end otherwise.
pub(super) fn write(told: &Told<'_>) {
    let mut text = String::new();
    for line in lines(told) {
        text.push_str(&escape_lines(&line));
        text.push('\n');
    }
    let written =
        std::fs::File::create(told.log).and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        eprintln!("exutil: cannot write '{}': {error}", told.log);
    }
}

fn lines(told: &Told<'_>) -> Vec<String> {
    let (report, options) = (told.report, told.options);
    let mode = match (&options.fix, report.dry_run) {
        (Some(_), false) => "check and fix",
        (Some(_), true) => "check, and tell what a fix would do",
        (None, _) => "check only",
    };
    let mut lines = vec![
        format!(
            "exutil {}: store integrity tests",
            env!("CARGO_PKG_VERSION")
        ),
        format!("Started:    {}", told.started),
        format!("Store path: {}", report.path.display()),
        format!("Store size: {} bytes", report.bytes),
        format!("Output log: {}", told.log),
        format!("Check mode: {mode}"),
        format!("Options: -test {}", options.tests.join(",")),
    ];
    lines.extend(remarks(report));
    let count = report.tests.len();
    for (number, test) in (1..).zip(&report.tests) {
        lines.push(format!(
            "Starting test {number} of {count}, '{}'",
            test.title
        ));
        if told.verbose {
            lines.extend(missing_lines(test));
        }
        lines.extend(shown(test, told.verbose).flat_map(finding_lines));
        if test.findings_not_kept > 0 {
            lines.push(format!("and {} more", test.findings_not_kept));
        }
        lines.push(finished(test));
    }
    lines.push(String::new());
    lines.extend(summary(report, 0));
    lines.extend(changes(report));
    lines
}

fn finished(test: &TestResult) -> String {
    if !test.available {
        let why = test.missing.first().map_or("", |missing| &missing.why);
        return format!(
            "Finished {}: not available in this database: {why}.",
            test.title
        );
    }
    let mut line = format!(
        "Finished {}, number of rows = {}. Time: {}",
        test.title,
        test.rows,
        time(test.millis)
    );
    for (word, count) in [
        ("warnings", test.warnings),
        ("errors", test.errors),
        ("fixes", test.fixes),
    ] {
        if count > 0 {
            line.push_str(&format!(", number of {word} = {count}"));
        }
    }
    line
}
