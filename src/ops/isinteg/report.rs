//! What the tests of a store found and changed.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::Error;
use crate::format::dbheader::DbState;
use crate::jet::JetError;
use crate::ops::amend::AmendReport;
use crate::store::bound::RoleState;
use crate::store::directory::Summary;
use crate::store::finding::{FindingSeverity, StoreFinding};
use crate::store::rows::Unread;
use crate::store::test_list::StoreSide;

/// Findings of one test that are kept; more are counted.
pub const KEPT: usize = 10_000;

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct IsintegReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// State of the database.
    pub state: DbState,
    /// What it was recognised as; `None`: as nothing that has store-level tests.
    pub profile: Option<ProfileReport>,
    /// Private or public, where that can be told.
    pub side: Option<StoreSide>,
    /// The tests, in the order in which they ran.
    pub tests: Vec<TestResult>,
    /// Tables of which something could not be read, so that findings about them are not the whole truth.
    pub unread: Vec<UnreadTable>,
    /// Of a directory: what its rows are.
    pub directory: Option<Summary>,
    /// What is wrong still, once the fixes are made: errors and warnings. The same as what was found where nothing is fixed.
    pub left: Left,
    /// Changes were made, or with a dry run would be.
    pub fixing: bool,
    /// Nothing was written.
    pub dry_run: bool,
    /// The fixes, when they were written.
    pub amended: Option<AmendReport>,
    /// Why they were not, or with a dry run could not be.
    pub refusal: Option<Refusal>,
    /// Undo files of interrupted runs that were taken back first.
    #[serde(serialize_with = "crate::storage::path_text")]
    pub taken_back: Vec<PathBuf>,
    /// Sums of all tests.
    pub totals: Totals,
}

/// Why fixes cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The number.
    pub jet: JetError,
    /// In words, with what can be done.
    pub why: String,
}

impl Refusal {
    pub(super) fn new(error: &Error) -> Self {
        Self {
            jet: error.jet(),
            why: error.to_string(),
        }
    }
}

/// Sums of all tests. A finding of a check that several tests have is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Warnings.
    pub warnings: u64,
    /// Errors.
    pub errors: u64,
    /// Fixes.
    pub fixes: u64,
}

impl Totals {
    pub(super) const fn add(&mut self, test: &TestResult) {
        self.warnings += test.warnings;
        self.errors += test.errors;
        self.fixes += test.fixes;
    }
}

/// What is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Errors.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
}

/// The profile that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfileReport {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub title: String,
}

/// A table that could not be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadTable {
    /// Its name.
    pub table: String,
    /// Pages left out.
    pub pages: u64,
    /// Rows left out.
    pub rows: u64,
    /// The first reason.
    pub why: String,
}

impl UnreadTable {
    pub(super) fn of((table, unread): (String, Unread)) -> Self {
        Self {
            table,
            pages: unread.pages,
            rows: unread.rows,
            why: unread.first.unwrap_or_default(),
        }
    }
}

/// One test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestResult {
    /// Its name on the command line.
    pub name: String,
    /// Its name in results.
    pub title: String,
    /// It could run. One that could not has not passed.
    pub available: bool,
    /// What of it could not, and why.
    pub missing: Vec<Missing>,
    /// Rows that it looked at.
    pub rows: u64,
    /// Errors.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
    /// Fixes that were made, or with a dry run would be.
    pub fixes: u64,
    /// The findings: the first ten thousand.
    pub findings: Vec<StoreFinding>,
    /// How many more there are.
    pub findings_not_kept: u64,
    /// Milliseconds; tests that look at the same rows share one pass, whose time is that of the first of them.
    pub millis: u64,
}

/// A check that could not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Its name; empty for all of a test.
    pub check: String,
    /// Why.
    pub why: String,
}

/// What a profile recognises in a database.
#[derive(Debug, Clone, Serialize)]
pub struct ProfileState {
    /// The profile; `None`: none fits.
    pub profile: Option<ProfileReport>,
    /// What is known and what is not.
    pub about: String,
    /// Private or public.
    pub side: Option<StoreSide>,
    /// Its tables and columns.
    pub tables: Vec<RoleState>,
    /// Every test, with what can run.
    pub tests: Vec<TestResult>,
}

impl TestResult {
    pub(super) fn add(&mut self, finding: StoreFinding) {
        match finding.severity {
            FindingSeverity::Error => self.errors += 1,
            FindingSeverity::Warning => self.warnings += 1,
            FindingSeverity::Note => {}
        }
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        } else {
            self.findings_not_kept += 1;
        }
    }
}

impl IsintegReport {
    /// Sums of all tests: warnings, errors, fixes.
    #[must_use]
    pub const fn sums(&self) -> (u64, u64, u64) {
        let Totals {
            warnings,
            errors,
            fixes,
        } = self.totals;
        (warnings, errors, fixes)
    }

    /// Errors are left, or something could not be read.
    #[must_use]
    pub fn has_errors_left(&self) -> bool {
        self.left.errors > 0 || !self.unread.is_empty()
    }

    /// Something was put right, or would be.
    #[must_use]
    pub const fn has_fixes(&self) -> bool {
        self.totals.fixes > 0
    }

    /// The fixes were refused: what was found is left.
    pub(super) fn nothing_fixed(&mut self) {
        self.totals.fixes = 0;
        for test in &mut self.tests {
            test.fixes = 0;
            test.findings.iter_mut().for_each(|found| found.fix = None);
        }
        self.left = Left {
            errors: self.totals.errors,
            warnings: self.totals.warnings,
        };
    }

    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        if let Some(refusal) = &self.refusal {
            refusal.jet
        } else if self.has_errors_left() {
            JetError::DATABASE_CORRUPTED
        } else {
            JetError::SUCCESS
        }
    }
}
