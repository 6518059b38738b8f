//! The output of `isinteg`: result lines and summary as Isinteg 2000 and later prints them. `[cli facts 7.1]`

use crate::cli::layout::Layout;
use crate::format::dbheader::DbState;
use crate::ops::isinteg::{
    FindingSeverity, IsintegReport, ProfileState, StoreFinding, TestResult, UnreadTable,
};

/// Findings of one test that are printed.
const NAMED: usize = 100;

/// `0h:0m:2s`
pub(super) fn time(millis: u64) -> String {
    let seconds = millis / 1000;
    format!(
        "{}h:{}m:{}s",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The lines of a finding: what is wrong, and what was done.
pub(super) fn finding_lines(finding: &StoreFinding) -> Vec<String> {
    let word = match finding.severity {
        FindingSeverity::Error => "Error",
        FindingSeverity::Warning => "Warning",
        FindingSeverity::Note => "Note",
    };
    let says = finding.says.trim_end_matches('.');
    let says = match finding.detail.is_empty() {
        true => says.to_owned(),
        false => format!("{says}: {}", finding.detail),
    };
    let mut lines = vec![format!("{word}: {}: {says}.", finding.subject)];
    if let Some(fix) = &finding.fix {
        lines.push(format!("Fix: {}: {fix}.", finding.subject));
    }
    lines
}

/// What is left out of a test.
pub(super) fn missing_lines(test: &TestResult) -> Vec<String> {
    let parts = test
        .missing
        .iter()
        .filter(|missing| !missing.check.is_empty());
    parts
        .map(|missing| {
            format!(
                "Note: {}: not available in this database: {}.",
                missing.check, missing.why
            )
        })
        .collect()
}

/// Findings that are shown: notes only when they are asked for.
pub(super) fn shown(test: &TestResult, verbose: bool) -> impl Iterator<Item = &StoreFinding> {
    test.findings
        .iter()
        .filter(move |finding| verbose || finding.severity > FindingSeverity::Note)
}

/// Sentences about the whole store.
pub(super) fn remarks(report: &IsintegReport) -> Vec<String> {
    let mut lines = Vec::new();
    match &report.profile {
        Some(profile) => {
            let side = report.side.map(|side| format!(", {} store", side.word()));
            lines.push(format!("Store: {}{}", profile.title, side.unwrap_or_default()));
        }
        None => lines.push(
            "This is no store and no directory that is known here: only its structure can be tested. A profile of your own can be given with '--profile'."
                .to_owned(),
        ),
    }
    if report.state != DbState::CleanShutdown {
        lines.push(
            "The database was not shut down cleanly: what its logs hold may explain what is found."
                .to_owned(),
        );
    }
    if let Some(summary) = &report.directory {
        lines.push(format!("Records scanned: {}", summary.records));
        lines.push(format!(
            "    objects: {}, deleted: {}, phantoms: {}, not under the root: {}",
            summary.objects, summary.deleted, summary.phantoms, summary.not_under_root
        ));
        lines.push(format!("SDs scanned: {}", summary.descriptors));
    }
    for table in &report.unread {
        lines.push(unread_line(table));
    }
    lines
}

/// A table that could not be read to its end.
pub(super) fn unread_line(table: &UnreadTable) -> String {
    format!(
        "Error: table {}: {} pages and {} rows cannot be read: {}. What is told is not the whole truth.",
        table.table, table.pages, table.rows, table.why
    )
}

/// The result line of a test.
fn result_line(test: &TestResult) -> String {
    if !test.available {
        let why = test.missing.first().map_or("", |missing| &missing.why);
        return format!(
            "Test {} result: not available in this database: {why}",
            test.title
        );
    }
    format!(
        "Test {} result: {} error(s); {} warning(s); {} fix(es); {} row(s); time: {}",
        test.title,
        test.errors,
        test.warnings,
        test.fixes,
        test.rows,
        time(test.millis)
    )
}

/// The summary, labels padded to `width`.
pub(super) fn summary(report: &IsintegReport, width: usize) -> Vec<String> {
    let (warnings, errors, fixes) = report.sums();
    let run = report.tests.iter().filter(|test| test.available).count();
    let missing = report.tests.len() - run;
    let millis = report.tests.iter().map(|test| test.millis).sum();
    let line = |label: &str, value: String| format!("{label:width$}: {value}");
    let mut lines = vec![
        ". . . . . SUMMARY . . . . .".to_owned(),
        line("Total number of tests", run.to_string()),
        line("Total number of warnings", warnings.to_string()),
        line("Total number of errors", errors.to_string()),
        line("Total number of fixes", fixes.to_string()),
        line("Total time", time(millis)),
    ];
    if missing > 0 {
        lines.push(line("Tests that are not available", missing.to_string()));
    }
    lines
}

/// What a fix did to the files, and what it left.
pub(super) fn changes(report: &IsintegReport, trusts: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if !report.fixing {
        return lines;
    }
    if report.dry_run {
        lines.push("Nothing was changed (--dry-run).".to_owned());
    }
    for undo in &report.taken_back {
        lines.push(format!(
            "An earlier run was interrupted: what it had changed was taken back first ({}).",
            undo.display()
        ));
    }
    if let Some(refusal) = &report.refusal {
        lines.push(format!("Nothing was fixed: {}", refusal.why));
    }
    if let Some(amended) = &report.amended {
        lines.push(format!(
            "{} rows changed, {} removed.",
            amended.rows_changed, amended.rows_removed
        ));
        if let (Some(original), Some(undo)) = (&amended.original, &amended.undo_file) {
            lines.push(format!("The database as it was: {}", original.display()));
            lines.push(format!("'exutil undo {}' gives it back.", undo.display()));
        }
    }
    let left = report.left;
    if left.errors > 0 || left.warnings > 0 {
        lines.push(format!(
            "Left: {} error(s), {} warning(s).",
            left.errors, left.warnings
        ));
        if !trusts {
            lines.push(
                "What rests on inferred facts is fixed with --trust-profile only; add --dry-run to see what it would do."
                    .to_owned(),
            );
        }
    }
    lines
}

/// The report.
pub(super) fn layout(report: &IsintegReport, verbose: bool, trusts: bool) -> Layout {
    let mut out = Layout::new();
    for line in remarks(report) {
        out.text(line);
    }
    out.blank();
    for test in &report.tests {
        if verbose {
            missing_lines(test).into_iter().for_each(|line| {
                out.text(line);
            });
        }
        for finding in shown(test, verbose).take(NAMED) {
            finding_lines(finding).into_iter().for_each(|line| {
                out.text(line);
            });
        }
        let more = shown(test, verbose).count().saturating_sub(NAMED) as u64;
        if more + test.findings_not_kept > 0 {
            out.text(format!(
                "and {} more (all of them: -l FILE or --format json)",
                more + test.findings_not_kept
            ));
        }
        out.text(result_line(test));
    }
    out.blank();
    for line in summary(report, 32) {
        out.text(line);
    }
    let changes = changes(report, trusts);
    if !changes.is_empty() {
        out.blank();
    }
    for line in changes {
        out.text(line);
    }
    out
}

/// `--list-tests`.
pub(super) fn tests(state: &ProfileState) -> Layout {
    let mut out = Layout::new();
    out.text(head(state));
    out.blank();
    for test in &state.tests {
        let what = match (test.available, test.missing.first()) {
            (true, None) => "available".to_owned(),
            (true, Some(_)) => "available in part".to_owned(),
            (false, missing) => format!(
                "not available in this database: {}",
                missing.map_or("", |missing| &missing.why)
            ),
        };
        out.text(format!("{:20} {:40} {what}", test.name, test.title));
    }
    out.blank();
    for (group, tests) in crate::store::test_list::GROUPS {
        out.text(format!("{group:20} {}", tests.join(", ")));
    }
    out.text(format!(
        "{:20} everything",
        crate::store::test_list::ALL_TESTS
    ));
    out
}

fn head(state: &ProfileState) -> String {
    match &state.profile {
        Some(profile) => {
            let side = state.side.map(|side| format!(", {} store", side.word()));
            format!(
                "{} ({}){}",
                profile.title,
                profile.name,
                side.unwrap_or_default()
            )
        }
        None => "No profile fits this database.".to_owned(),
    }
}

/// `--show-profile`.
pub(super) fn profile(state: &ProfileState) -> Layout {
    let mut out = Layout::new();
    out.text(head(state));
    if !state.about.is_empty() {
        out.text(state.about.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    for table in &state.tables {
        out.blank();
        let name = match (&table.name, table.tables) {
            (Some(name), 1) => format!("table {name}"),
            (Some(name), tables) => format!("{tables} tables, as {name}"),
            (None, _) => "not recognised".to_owned(),
        };
        let confidence = table.confidence.word();
        out.text(format!(
            "{}: {name} [{confidence}; {}]",
            table.role, table.source
        ));
        for column in &table.columns {
            let name = match &column.name {
                None => "not recognised".to_owned(),
                Some(name) if column.tables < table.tables => {
                    format!("{name}, in {} of them", column.tables)
                }
                Some(name) => name.clone(),
            };
            let confidence = column.confidence.word();
            out.text(format!(
                "    {:20} {name:28} [{confidence}; {}]",
                column.role, column.source
            ));
        }
    }
    for test in &state.tests {
        let missing = missing_lines(test);
        if missing.is_empty() && test.available {
            continue;
        }
        out.blank();
        out.text(format!("Test {}:", test.name));
        if !test.available {
            let why = test.missing.first().map_or("", |missing| &missing.why);
            out.text(format!("    not available in this database: {why}"));
        }
        for line in missing {
            out.text(format!("    {}", line.trim_start_matches("Note: ")));
        }
    }
    out
}
