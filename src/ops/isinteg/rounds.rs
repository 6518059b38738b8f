//! Runs checks, and collects what would put right what they find. Fixes are tried out on a view of the rows before anything is
//! written: one may make another necessary, and none may break anything.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;

use xxhash_rust::xxh3::Xxh3;

use super::report::{Left, UnreadTable};
use crate::db::Database;
use crate::db::catalog::Schema;
use crate::progress::Progress;
use crate::repair::Amendments;
use crate::store::bound::Bound;
use crate::store::directory::Summary;
use crate::store::engine::{self, Resources};
use crate::store::finding::{Change, FindingSeverity, Found, RowRef, StoreFinding};
use crate::store::profile::{CheckFact, Confidence, FixKind};
use crate::store::row_label;
use crate::store::rows::View;

/// A fix may make another necessary; what is still to be fixed after so many rounds, the next run does.
const ROUNDS_MOST: usize = 32;
/// Rows that one run changes; the next run goes on. Some 200 bytes of memory each.
const CHANGES_MOST: usize = 1_000_000;
/// Findings of one check that are written out.
const WRITTEN_MOST: usize = super::report::KEPT;

/// What is to be run, on what.
pub(super) struct Rounds<'r> {
    pub db: &'r Database,
    pub schema: &'r Schema,
    pub bound: &'r Bound,
    /// The checks that are asked for.
    pub checks: &'r BTreeSet<usize>,
    /// With a fix all that can run: no fix may make another check find something.
    pub all: &'r BTreeSet<usize>,
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
    /// What is left of the checks that were asked for.
    pub left: Left,
    /// What all checks find before the fixes, and after them.
    pub before_of_all: Left,
    pub left_of_all: Left,
    pub rows: BTreeMap<String, u64>,
    pub unread: Vec<UnreadTable>,
    pub directory: Option<Summary>,
}

/// Hashes of findings, which are not to be told of twice. Not kept when nothing is fixed: then there is one round.
#[derive(Default)]
struct Known {
    exactly: HashSet<u64>,
    /// Of rows the place alone counts in later rounds: the details change while other fixes are made.
    places: HashSet<u64>,
}

impl Known {
    /// Takes a finding; true when it is new in this round.
    fn add(&mut self, round: usize, check: usize, found: &Found) -> bool {
        let place = hash(check, found, false);
        let is_new = match round {
            0 => self.exactly.insert(hash(check, found, true)),
            _ => !self.places.contains(&place) && self.exactly.insert(hash(check, found, true)),
        };
        self.places.insert(place);
        is_new
    }
}

fn hash(check: usize, found: &Found, with_detail: bool) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&check.to_le_bytes());
    match &found.row {
        Some(row) => {
            hash.update(&row.table.get().to_le_bytes());
            hash.update(&row.key);
        }
        // Where there is no row the words are the place.
        None => {
            hash.update(found.subject.as_deref().unwrap_or_default().as_bytes());
            hash.update(found.detail.as_bytes());
        }
    }
    if with_detail {
        hash.update(found.detail.as_bytes());
    }
    hash.digest()
}

/// What one round found.
#[derive(Default)]
struct Round {
    left: Left,
    left_of_all: Left,
    changes: Vec<(usize, bool, RowRef, Change)>,
}

impl Rounds<'_> {
    /// Runs the checks until there is nothing more to fix.
    pub fn run(&self, fixing: Fixing) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut known = Known::default();
        for round in 0..=ROUNDS_MOST {
            let before = outcome.amendments.clone();
            // The last one only looks.
            let fixing = if round == ROUNDS_MOST {
                Fixing::No
            } else {
                fixing
            };
            let found = self.round((round, fixing), &before, &mut known, &mut outcome)?;
            if round == 0 {
                outcome.before_of_all = found.left_of_all;
            }
            outcome.left = found.left;
            outcome.left_of_all = found.left_of_all;
            if outcome.unread.is_empty() {
                amend(&mut outcome, found.changes);
            } else {
                // Rows that cannot be read may explain everything.
                outcome
                    .findings
                    .values_mut()
                    .flatten()
                    .for_each(|f| f.fix = None);
            }
            if outcome.amendments == before {
                break;
            }
        }
        Ok(outcome)
    }

    fn round(
        &self,
        (round, fixing): (usize, Fixing),
        amendments: &Amendments,
        known: &mut Known,
        outcome: &mut Outcome,
    ) -> io::Result<Round> {
        let mut this = Round::default();
        let view = View {
            db: self.db,
            schema: self.schema,
            amendments: Some(amendments).filter(|amendments| !amendments.is_empty()),
        };
        let plain = View {
            amendments: None,
            ..view
        };
        let checks: Vec<usize> = match fixing {
            Fixing::No if round == 0 => self.checks.iter().copied().collect(),
            _ => self.all.iter().copied().collect(),
        };
        let looked = engine::run(
            &view,
            self.bound,
            &checks,
            self.resources,
            self.progress,
            &mut |check, found| {
                let Some(fact) = self.bound.profile.checks.get(check) else {
                    return Ok(());
                };
                let severity = severity(fact, &found);
                count(&mut this.left_of_all, severity);
                let is_asked = self.checks.contains(&check);
                if is_asked {
                    count(&mut this.left, severity);
                }
                let single = fixing == Fixing::No && round == 0;
                let is_new = single || known.add(round, check, &found);
                // What nobody asked for concerns us only where a fix has brought it about.
                let concerns = is_asked || round > 0 && is_new;
                let may = concerns && may_fix(fact, &found, fixing);
                if may
                    && this.changes.len() < CHANGES_MOST
                    && let (Some(row), Some((_, change))) = (&found.row, &found.fix)
                {
                    this.changes
                        .push((check, is_new, row.clone(), change.clone()));
                }
                if concerns && is_new {
                    self.note(outcome, (check, fact), &plain, severity, found, may);
                }
                Ok(())
            },
        )?;
        if round == 0 {
            outcome.rows = looked.rows;
            outcome.unread = looked.unread.into_iter().map(UnreadTable::of).collect();
            outcome.directory = looked.directory;
        }
        Ok(this)
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

fn amend(outcome: &mut Outcome, changes: Vec<(usize, bool, RowRef, Change)>) {
    for (check, is_new, row, change) in changes {
        let amendments = &mut outcome.amendments;
        if amendments.len() >= CHANGES_MOST {
            return;
        }
        match change {
            Change::Drop => amendments.drop_row(row.table, &row.key),
            Change::Set(columns) => {
                for column in columns {
                    amendments.set(row.table, &row.key, column);
                }
            }
        }
        *outcome.fixes.entry(check).or_default() += u64::from(is_new);
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

fn may_fix(fact: &CheckFact, found: &Found, fixing: Fixing) -> bool {
    let sure = fact.confidence != Confidence::Inferred && !fact.careful && !found.careful;
    let at_most_note = found.at_most == Some(FindingSeverity::Note);
    fact.fix != FixKind::None
        && !at_most_note
        && found.fix.is_some()
        && match fixing {
            Fixing::No => false,
            Fixing::Sure => sure,
            Fixing::Trusting => true,
        }
}
