//! Runs checks, and collects what would put right what they find. Fixes are tried out on a view of the rows before anything is
//! written: one may make another necessary, and none may break anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::report::{Left, UnreadTable};
use crate::db::Database;
use crate::db::catalog::Schema;
use crate::format::ids::Objid;
use crate::progress::Progress;
use crate::repair::Amendments;
use crate::store::bound::Bound;
use crate::store::directory::Summary;
use crate::store::engine::{self, Resources};
use crate::store::finding::{Change, FindingSeverity, Found, StoreFinding};
use crate::store::profile::{CheckFact, Confidence, FixKind};
use crate::store::row_label;
use crate::store::rows::View;

/// A fix may make another necessary; more than this in a row is no fix.
const ROUNDS_MOST: usize = 16;
/// Rows that one run changes; the next run goes on. Some 200 bytes of memory each.
const CHANGES_MOST: usize = 1_000_000;
/// Findings of one check that are written out.
const WRITTEN_MOST: usize = super::report::KEPT;

/// What is to be run, on what.
pub(super) struct Rounds<'r> {
    pub db: &'r Database,
    pub schema: &'r Schema,
    pub bound: &'r Bound,
    pub checks: &'r [usize],
    pub resources: &'r Resources,
    pub progress: &'r dyn Progress,
}

/// Which fixes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixing {
    No,
    Sure,
    /// Inferred facts too.
    Trusting,
}

/// What all rounds found.
#[derive(Default)]
pub(super) struct Outcome {
    /// Findings by check: those of the first round, and what fixes made necessary.
    pub findings: BTreeMap<usize, Vec<StoreFinding>>,
    /// More of them.
    pub not_kept: BTreeMap<usize, Left>,
    /// Fixes by check.
    pub fixes: BTreeMap<usize, u64>,
    pub amendments: Amendments,
    pub left: Left,
    pub rows: BTreeMap<String, u64>,
    pub unread: Vec<UnreadTable>,
    pub directory: Option<Summary>,
}

/// What a finding is about; the same one is not told of twice.
type Identity = (usize, Option<(Objid, Vec<u8>)>, String);

impl Rounds<'_> {
    /// Runs the checks until there is nothing more to fix.
    pub fn run(&self, fixing: Fixing) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut known: BTreeSet<Identity> = BTreeSet::new();
        for round in 0..ROUNDS_MOST {
            let before = outcome.amendments.clone();
            let mut left = Left::default();
            let mut changes = Vec::new();
            let view = View {
                db: self.db,
                schema: self.schema,
                amendments: Some(&before).filter(|before| !before.is_empty()),
            };
            let plain = View {
                amendments: None,
                ..view
            };
            let looked = engine::run(
                &view,
                self.bound,
                self.checks,
                self.resources,
                self.progress,
                &mut |check, found| {
                    let Some(fact) = self.bound.profile.checks.get(check) else {
                        return Ok(());
                    };
                    let severity = severity(fact, &found);
                    let may = may_fix(fact, fixing) && found.fix.is_some();
                    count(&mut left, severity);
                    let of_row = found.row.as_ref().map(|row| (row.table, row.key.clone()));
                    // Details change while other fixes are made; of rows the place alone counts then.
                    let detail = match (&of_row, round) {
                        (None, _) => {
                            format!("{:?}: {}", found.subject, found.detail)
                        }
                        (Some(_), 0) => found.detail.clone(),
                        (Some(_), _) => String::new(),
                    };
                    let seen = round > 0 && known.contains(&(check, of_row.clone(), String::new()));
                    let is_new = !seen && known.insert((check, of_row.clone(), detail));
                    known.insert((check, of_row, String::new()));
                    if may {
                        changes.push((check, is_new, found.clone()));
                    }
                    if is_new {
                        self.note(&mut outcome, (check, fact), &plain, severity, found, may);
                    }
                    Ok(())
                },
            )?;
            if round == 0 {
                outcome.rows = looked.rows;
                outcome.unread = looked.unread.into_iter().map(UnreadTable::of).collect();
                outcome.directory = looked.directory;
            }
            outcome.left = left;
            self.amend(&mut outcome, changes);
            if outcome.amendments == before {
                break;
            }
        }
        Ok(outcome)
    }

    fn amend(&self, outcome: &mut Outcome, changes: Vec<(usize, bool, Found)>) {
        for (check, is_new, found) in changes {
            let (Some(row), Some((_, change))) = (found.row, found.fix) else {
                continue;
            };
            if outcome.amendments.len() >= CHANGES_MOST {
                return;
            }
            match change {
                Change::Drop => outcome.amendments.drop_row(row.table, &row.key),
                Change::Set(columns) => {
                    for column in columns {
                        outcome.amendments.set(row.table, &row.key, column);
                    }
                }
            }
            *outcome.fixes.entry(check).or_default() += u64::from(is_new);
        }
    }

    /// Writes a finding out.
    fn note(
        &self,
        outcome: &mut Outcome,
        (check, fact): (usize, &CheckFact),
        view: &View<'_>,
        severity: FindingSeverity,
        found: Found,
        fixed: bool,
    ) {
        let kept = outcome.findings.entry(check).or_default();
        if kept.len() >= WRITTEN_MOST {
            let more = outcome.not_kept.entry(check).or_default();
            count(more, severity);
            return;
        }
        let subject = match (&found.row, found.subject) {
            (Some(row), _) => row_label(view, self.bound, row),
            (None, subject) => subject.unwrap_or_default(),
        };
        kept.push(StoreFinding {
            check: fact.id.clone(),
            severity,
            subject,
            says: fact.says.clone(),
            detail: found.detail,
            fix: found.fix.map(|(what, _)| what).filter(|_| fixed),
        });
    }
}

fn count(left: &mut Left, severity: FindingSeverity) {
    match severity {
        FindingSeverity::Error => left.errors += 1,
        FindingSeverity::Warning => left.warnings += 1,
        FindingSeverity::Note => {}
    }
}

/// How bad a finding is: what is inferred is at most a warning.
fn severity(fact: &CheckFact, found: &Found) -> FindingSeverity {
    let most = if fact.warning || fact.confidence == Confidence::Inferred {
        FindingSeverity::Warning
    } else {
        FindingSeverity::Error
    };
    found.at_most.map_or(most, |at_most| at_most.min(most))
}

fn may_fix(fact: &CheckFact, fixing: Fixing) -> bool {
    let sure = fact.confidence != Confidence::Inferred && !fact.careful;
    fact.fix != FixKind::None
        && match fixing {
            Fixing::No => false,
            Fixing::Sure => sure,
            Fixing::Trusting => true,
        }
}
