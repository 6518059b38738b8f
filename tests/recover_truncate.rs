//! Which logs a recovery with `/t` may remove: none that a database still needs. The files are not part of the
//! project: `EXUTIL_CORPUS` names the directory.

mod common;
#[path = "common/recovery.rs"]
mod recovery;

use std::collections::BTreeSet;

use common::needs;
use exutil::log::names::{LogName, LogNumber};
use exutil::ops::recover::RecoverReport;
use exutil::problem::Problem;
use recovery::{Files, before, databases, folder_of, header_of, options, read_files, run};

fn logs(files: &Files) -> BTreeSet<LogNumber> {
    files
        .keys()
        .filter_map(|name| LogName::parse(name))
        .map(|name| name.number)
        .collect()
}

/// Removes logs, leaves out what is not there; the logs that are left, and whether it was told that some were kept.
fn truncated(files: &Files) -> (BTreeSet<LogNumber>, RecoverReport, bool) {
    let dir = folder_of(files);
    let mut options = options(dir.path());
    options.truncate_logs = true;
    options.ignore_missing = true;
    let report = run(&options).unwrap();
    assert!(report.replayed);
    let told = report
        .findings
        .iter()
        .any(|finding| finding.problem == Problem::LogsKept);
    (logs(&read_files(dir.path())), report, told)
}

#[test]
fn no_log_is_removed_when_a_database_is_left_out() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut files = before(&corpus, "fuzz-001");
    let (all, report, told) = truncated(&files);
    assert!(!told && report.skipped.is_empty() && all.len() < logs(&files).len());
    files.remove("test.edb").unwrap();
    let (left, report, told) = truncated(&files);
    assert_eq!(report.skipped.len(), 1);
    assert!(told && left.is_superset(&logs(&files)), "{left:?}");
}

#[test]
fn logs_that_a_database_beside_needs_are_kept() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut seen = 0;
    for name in [
        "crash-2dbs",
        "crash-rollbacks",
        "crash-flush-4k",
        "fuzz-002",
    ] {
        let mut files = before(&corpus, name);
        let (least, _, told) = truncated(&files);
        assert!(!told, "{name}");
        let database = databases(&files).pop().unwrap();
        let header = header_of(&files[&database]).unwrap();
        assert_ne!(header.required_low.get(), 0, "{name}");
        // A copy that the logs do not name: nobody recovers it.
        files.insert("copy of it".to_owned(), files[&database].clone());
        let (left, _, told) = truncated(&files);
        let low = LogNumber::Archived(header.required_low);
        let needed: BTreeSet<_> = logs(&files).split_off(&low);
        let want: BTreeSet<_> = needed.union(&least).copied().collect();
        assert!(left.is_superset(&want), "{name}: {left:?}");
        assert!(
            left.iter().all(|log| want.contains(log) || *log >= low),
            "{name}: {left:?}"
        );
        assert_eq!(
            told,
            needed.len() > least.intersection(&needed).count(),
            "{name}"
        );
        seen += usize::from(told);
    }
    assert!(seen > 0);
}
