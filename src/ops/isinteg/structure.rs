//! The test of the database itself: the integrity check.

use super::report::TestResult;
use crate::check::{self, CheckOptions};
use crate::db::Database;
use crate::db::flush_map::FlushMap;
use crate::problem::{Finding, Severity};
use crate::progress::Progress;
use crate::store::finding::{FindingSeverity, StoreFinding};

/// Checks the database, and adds what is wrong to the test.
pub(super) fn run(db: &Database, progress: &dyn Progress, test: &mut TestResult) {
    let flush_map = FlushMap::beside(db);
    let report = check::check(db, flush_map.as_ref(), &CheckOptions::default(), progress);
    test.rows = report.tables.iter().map(|table| table.records).sum();
    for finding in &report.findings {
        if let Some(finding) = as_store(finding) {
            test.add(finding);
        }
    }
    test.findings_not_kept += report.findings_not_kept;
}

fn as_store(finding: &Finding) -> Option<StoreFinding> {
    let info = finding.problem.info();
    let severity = match info.severity {
        Severity::Note => return None,
        Severity::Warning => FindingSeverity::Warning,
        Severity::Error => FindingSeverity::Error,
    };
    let place = &finding.place;
    let names = [&place.table, &place.index];
    let mut subject: Vec<String> = names.into_iter().flatten().cloned().collect();
    subject.extend(place.page.map(|page| format!("page {page}")));
    Some(StoreFinding {
        check: info.code.to_owned(),
        severity,
        subject: match subject.is_empty() {
            true => "The database".to_owned(),
            false => subject.join(", "),
        },
        says: info.text.to_owned(),
        detail: finding.detail.clone(),
        fix: None,
    })
}
