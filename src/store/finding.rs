//! What a test found.

use serde::Serialize;

use crate::format::ids::Objid;
use crate::format::record::ColumnChange;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// Worth knowing, and explained by another finding, or normal.
    Note,
    /// Perhaps wrong: what it rests on is inferred, or it does no harm.
    Warning,
    /// Wrong.
    Error,
}

/// What would put it right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Columns of the row get these values.
    Set(Vec<ColumnChange>),
    /// The row goes.
    Drop,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowRef {
    /// Its table.
    pub table: Objid,
    /// Its number in the table, from 1 on.
    pub ordinal: u64,
    /// Its key.
    pub key: Vec<u8>,
}

/// One violation, as a check sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The row that it is about; `None`: a table, or the store.
    pub row: Option<RowRef>,
    /// What it is about where there is no row.
    pub subject: Option<String>,
    /// Values, in words.
    pub detail: String,
    /// Less than the check would make of it.
    pub at_most: Option<FindingSeverity>,
    /// What a fix would do, in words, and the change.
    pub fix: Option<(String, Change)>,
    /// Only who trusts the profile gets this fix: something else may be what is wrong.
    pub careful: bool,
}

impl Found {
    /// About a row.
    #[must_use]
    pub const fn row(row: RowRef, detail: String) -> Self {
        Self {
            row: Some(row),
            subject: None,
            detail,
            at_most: None,
            fix: None,
            careful: false,
        }
    }

    /// About something that is no row.
    #[must_use]
    pub fn about(subject: impl Into<String>, detail: String) -> Self {
        Self {
            row: None,
            subject: Some(subject.into()),
            detail,
            at_most: None,
            fix: None,
            careful: false,
        }
    }

    /// With a fix.
    #[must_use]
    pub fn fixed_by(mut self, what: impl Into<String>, change: Change) -> Self {
        self.fix = Some((what.into(), change));
        self
    }

    /// Fixed only for who trusts the profile.
    #[must_use]
    pub const fn careful(mut self) -> Self {
        self.careful = true;
        self
    }

    /// Only a warning, whatever the check says.
    #[must_use]
    pub const fn only(mut self, severity: FindingSeverity) -> Self {
        self.at_most = Some(severity);
        self
    }
}

/// One violation, as it is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreFinding {
    /// The rule.
    pub check: String,
    /// How bad it is.
    pub severity: FindingSeverity,
    /// The row or table that it is about, with its ids and its name.
    pub subject: String,
    /// What is wrong.
    pub says: String,
    /// The values.
    pub detail: String,
    /// What a fix does, or did; `None`: there is none.
    pub fix: Option<String>,
}
