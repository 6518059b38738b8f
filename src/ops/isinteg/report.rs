//! What the tests of a store found and changed.

use std::path::PathBuf;

use serde::Serialize;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub fn sums(&self) -> (u64, u64, u64) {
        let sum = |of: &dyn Fn(&TestResult) -> u64| self.tests.iter().map(of).sum();
        (sum(&|t| t.warnings), sum(&|t| t.errors), sum(&|t| t.fixes))
    }

    /// Errors are left, or something could not be read.
    #[must_use]
    pub fn has_errors_left(&self) -> bool {
        self.left.errors > 0 || !self.unread.is_empty()
    }

    /// Something was put right, or would be.
    #[must_use]
    pub fn has_fixes(&self) -> bool {
        self.tests.iter().any(|test| test.fixes > 0)
    }

    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        if self.has_errors_left() {
            JetError::DATABASE_CORRUPTED
        } else {
            JetError::SUCCESS
        }
    }
}
