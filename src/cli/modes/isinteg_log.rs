//! The log of `isinteg -l`, in the layout of Exchange 5.5. `[cli facts 7.1: Q254230]`

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::isinteg_text::{changes, finding_lines, missing_lines, remarks, shown, summary, time};
use crate::cli::escape::escape_lines;
use crate::format::stamp::LogTime;
use crate::ops::isinteg::{IsintegOptions, IsintegReport, TestResult};

/// What the log tells of.
pub(super) struct Told<'t> {
    pub report: &'t IsintegReport,
    pub options: &'t IsintegOptions,
    pub started: LogTime,
    pub verbose: bool,
}

/// How every log begins; nothing else is written over.
const BEGIN: &str = "exutil isinteg ";

/// A log that can be written.
pub(super) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens it before the work begins. A file that is there and is no log stays as it is.
    pub fn create(path: &str) -> std::io::Result<Self> {
        let path = PathBuf::from(path);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path)?;
        let mut start = vec![0; BEGIN.len()];
        let len = file.metadata()?.len();
        let is_log = len >= BEGIN.len() as u64
            && file.read_exact(&mut start).is_ok()
            && start == BEGIN.as_bytes();
        if len > 0 && !is_log {
            let what = "the file exists, and is no log of isinteg";
            return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, what));
        }
        file.set_len(0)?;
        file.rewind()?;
        Ok(Self { path, file })
    }

    /// Adds the log of one database.
    pub fn add(&mut self, told: &Told<'_>) -> std::io::Result<()> {
        let mut text = String::new();
        for line in lines(told, &self.path) {
            text.push_str(&escape_lines(&line));
            text.push('\n');
        }
        self.file.write_all(text.as_bytes())
    }
}

fn lines(told: &Told<'_>, log: &Path) -> Vec<String> {
    let (report, options) = (told.report, told.options);
    let mode = match (&options.fix, report.dry_run) {
        (Some(_), false) => "check and fix",
        (Some(_), true) => "check, and tell what a fix would do",
        (None, _) => "check only",
    };
    let mut lines = vec![
        format!(
            "{BEGIN}{}: store integrity tests",
            env!("CARGO_PKG_VERSION")
        ),
        format!("Started:    {}", told.started),
        format!("Store path: {}", report.path.display()),
        format!("Store size: {} bytes", report.bytes),
        format!("Output log: {}", log.display()),
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
    lines.extend(changes(report, told.options.trusts_profile()));
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
