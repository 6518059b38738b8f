//! `g`.

use std::path::Path;

use clap::ArgMatches;

use super::{access_failed, files, page_size};
use crate::check::{CheckOptions, CheckReport, Stage};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::progress::{Both, EseutilBar};
use crate::cli::session::{Format, Session, write_out};
use crate::format::dbheader::DbState;
use crate::ops::integrity::{IntegrityOptions, IntegrityReport, check_database};
use crate::problem::{Finding, Severity};
use crate::progress::{Left, Progress, Task};

/// Findings that the text names before it refers to the report and to JSON.
const NAMED: usize = 100;

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("g", matches);
    let words = |name: &str| -> Vec<String> {
        matches
            .get_many::<String>(name)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    let stages = words("stage");
    let options = IntegrityOptions {
        page_size: page_size(matches),
        check: CheckOptions {
            sums: false,
            tables: words("table"),
            stages: Stage::ALL
                .into_iter()
                .filter(|s| stages.iter().any(|name| name == s.name()))
                .collect(),
            skip_indexes: matches.get_flag("skip-indexes"),
        },
    };
    let report_prefix = matches.get_one::<String>("report");
    for path in files(matches) {
        check(
            &mut session,
            path,
            &options,
            report_prefix.map(String::as_str),
        );
    }
    session.close()
}

fn check(session: &mut Session, path: &Path, options: &IntegrityOptions, prefix: Option<&str>) {
    let text = session.format == Format::Eseutil;
    let bar = Announced {
        head: text.then(|| {
            format!(
                "        Database: {}\n  Temp. Database: TEMPINTEG{}.EDB\n\nChecking database integrity.\n\n",
                path.display(),
                std::process::id()
            )
        }),
        bar: text.then(|| EseutilBar::new("Scanning")),
    };
    session.banner();
    let live = session.live(path);
    let result = check_database(path, options, &Both(&live, &bar));
    drop(live);
    match result {
        Err(error) => session.failure(path, &error, &access_failed(path, &error)),
        Ok(report) => {
            if let Some(prefix) = prefix {
                write_report(path, prefix, &report);
            }
            session.report(path, report.jet(), &report.check.findings, &report, || {
                layout(&report)
            });
        }
    }
}

/// The heading comes with the start of the work, when the file could be opened.
struct Announced {
    head: Option<String>,
    bar: Option<EseutilBar>,
}

impl Progress for Announced {
    fn start(&self, task: Task) {
        if let Some(head) = &self.head {
            write_out("Initiating INTEGRITY mode...\n");
            write_out(head);
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

fn layout(report: &IntegrityReport) -> Layout {
    let mut out = Layout::new();
    out.blank();
    if report.check.state != DbState::CleanShutdown {
        for line in not_up_to_date() {
            out.text(line);
        }
    }
    name_findings(&mut out, &report.check, NAMED);
    let verdict = if report.check.is_sound() {
        "Integrity check successful.".to_owned()
    } else if report.last_full_backup.is_set() {
        format!(
            "Integrity check completed.  Database is CORRUPTED, the last full backup of this database was on {}",
            report.last_full_backup
        )
    } else {
        "Integrity check completed.  Database is CORRUPTED!".to_owned()
    };
    out.text(verdict);
    out
}

/// What Eseutil says of a dirty database.
pub(super) const fn not_up_to_date() -> [&'static str; 6] {
    [
        "The database is not up-to-date. This operation may find that",
        "this database is corrupt because data from the log files has",
        "yet to be placed in the database.",
        "",
        "To ensure the database is up-to-date please use the 'Recovery' operation.",
        "",
    ]
}

/// Names findings that are more than notes, `most` at the most, and tells how many more there are.
pub(super) fn name_findings(out: &mut Layout, check: &CheckReport, most: usize) {
    let serious: Vec<_> = check
        .findings
        .iter()
        .filter(|f| f.problem.info().severity > Severity::Note)
        .collect();
    for finding in serious.iter().take(most) {
        out.text(finding_line(finding));
    }
    let more = serious.len().saturating_sub(most) as u64 + check.findings_not_kept;
    if more > 0 {
        out.text(format!(
            "and {more} more findings (all of them: --format json)"
        ));
    }
    if !serious.is_empty() {
        out.blank();
    }
}

/// A finding as Eseutil's detailed report has it, with its code.
pub(super) fn finding_line(finding: &Finding) -> String {
    let info = finding.problem.info();
    let place: Vec<_> = [&finding.place.table, &finding.place.index]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let severity = match info.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Note => "NOTE",
    };
    let what = if finding.detail.is_empty() {
        let page = finding
            .place
            .page
            .map(|page| format!("page {page}: "))
            .unwrap_or_default();
        format!("{page}{}", info.text)
    } else {
        finding.detail.clone()
    };
    match place.is_empty() {
        true => format!("{severity}: {} {what}", info.code),
        false => format!("{}: {severity}: {} {what}", place.join("."), info.code),
    }
}

/// The detailed report that Eseutil writes unasked: here only where a prefix was given.
fn write_report(path: &Path, prefix: &str, report: &IntegrityReport) {
    let mut text = format!("***** Integrity check of database '{}'\n\n", path.display());
    for table in &report.check.tables {
        text.push_str(&format!(
            "table \"{}\" ({}): {} records, {} long values, {} index entries\n",
            table.name, table.objid, table.records, table.long_values, table.index_entries
        ));
    }
    for finding in &report.check.findings {
        text.push_str(&finding_line(finding));
        text.push('\n');
    }
    write_raw(prefix, &text);
}

/// Writes a detailed report under Eseutil's name for it.
pub(super) fn write_raw(prefix: &str, text: &str) {
    let file = format!("{prefix}.INTEG.RAW");
    if let Err(error) = std::fs::write(&file, text) {
        eprintln!("exutil: cannot write '{file}': {error}");
    }
}
