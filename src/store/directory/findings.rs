//! Findings about rows by their numbers, until their keys are known.

use std::collections::BTreeMap;
use std::io;

use crate::db::catalog::Table;
use crate::store::finding::{Change, FindingSeverity, Found, RowRef};
use crate::store::profile::DirectoryRule;
use crate::store::relations::Tell;
use crate::store::rows::View;

/// A finding about a row of `datatable`.
pub(super) struct Pending {
    rule: DirectoryRule,
    ordinal: u32,
    detail: String,
    at_most: Option<FindingSeverity>,
    fix: Option<(String, Change)>,
    careful: bool,
}

impl Pending {
    pub const fn new(rule: DirectoryRule, ordinal: u32, detail: String) -> Self {
        Self {
            rule,
            ordinal,
            detail,
            at_most: None,
            fix: None,
            careful: false,
        }
    }

    /// Something less than the rule says.
    pub const fn only(mut self, severity: FindingSeverity) -> Self {
        self.at_most = Some(severity);
        self
    }

    pub fn fixed_by(mut self, what: String, change: Change) -> Self {
        self.fix = Some((what, change));
        self
    }

    /// Fixed only for who trusts the profile, if `careful`.
    pub const fn careful(mut self, careful: bool) -> Self {
        self.careful |= careful;
        self
    }
}

/// One cause is told of once, with how many it concerns.
pub(super) fn times(detail: String, count: u64, what: &str) -> String {
    match count {
        0 | 1 => detail,
        _ => format!("{detail}; {count} {what}"),
    }
}

/// All findings of a directory.
pub(super) struct Findings {
    /// Numbers of the checks that are asked for.
    wanted: BTreeMap<DirectoryRule, usize>,
    rows: Vec<Pending>,
    others: Vec<(usize, Found)>,
}

impl Findings {
    /// `others` are there already.
    pub const fn new(wanted: BTreeMap<DirectoryRule, usize>, others: Vec<(usize, Found)>) -> Self {
        Self {
            wanted,
            rows: Vec::new(),
            others,
        }
    }

    /// Whether a rule is asked for.
    pub fn wants(&self, rule: DirectoryRule) -> bool {
        self.wanted.contains_key(&rule)
    }

    /// About a row of `datatable`.
    pub fn add(&mut self, pending: Pending) {
        if self.wants(pending.rule) {
            self.rows.push(pending);
        }
    }

    /// About something else.
    pub fn about(&mut self, rule: DirectoryRule, subject: String, detail: String) {
        self.found(rule, Found::about(subject, detail));
    }

    /// About a row of another table.
    pub fn found(&mut self, rule: DirectoryRule, found: Found) {
        if let Some(check) = self.wanted.get(&rule) {
            self.others.push((*check, found));
        }
    }

    /// Tells of everything; `data` is `datatable`.
    pub fn tell(mut self, view: &View<'_>, data: &Table, tell: &mut Tell<'_>) -> io::Result<()> {
        self.rows
            .sort_by_key(|pending| (pending.rule, pending.ordinal));
        let mut keys: BTreeMap<u64, Vec<u8>> = self
            .rows
            .iter()
            .map(|pending| (u64::from(pending.ordinal), Vec::new()))
            .collect();
        if !keys.is_empty() {
            // What cannot be read was told of by the pass before.
            let _ = view.rows(data, &[], &mut |row| {
                if let Some(key) = keys.get_mut(&row.ordinal) {
                    row.key.clone_into(key);
                }
                Ok(())
            })?;
        }
        let mut all = self.others;
        for pending in self.rows {
            let ordinal = u64::from(pending.ordinal);
            let row = RowRef {
                table: data.objid,
                ordinal,
                key: keys.get(&ordinal).cloned().unwrap_or_default(),
            };
            let mut found = Found::row(row, pending.detail);
            found.at_most = pending.at_most;
            found.fix = pending.fix;
            found.careful = pending.careful;
            if let Some(check) = self.wanted.get(&pending.rule) {
                all.push((*check, found));
            }
        }
        all.sort_by_key(|(check, _)| *check);
        all.into_iter()
            .try_for_each(|(check, found)| tell(check, found))
    }
}
