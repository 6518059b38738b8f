//! Rules that compare rows: the sorted entries, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::bound::Bound;
use super::entries::{DEFINITION, Entry, REFERENCE};
use super::finding::{Change, Found, RowRef};
use super::keys::key_text;
use super::lists::Dangling;
use super::plan::{form_of, groups, together};
use super::profile::{Counter, CounterOp, FixKind, Form, Rule, Side, Take};
use crate::format::record::ColumnChange;

/// Takes violations: the number of the check, and what was found.
pub(super) type Tell<'t> = dyn FnMut(usize, Found) -> io::Result<()> + 't;

/// Goes through the entries of one key after the other.
pub(super) struct Groups<'g> {
    bound: &'g Bound,
    group: Option<Group>,
    /// Rules of which some row could not be read: no fix can be sure.
    uncertain: BTreeSet<u16>,
    /// Counters that share entries, by rule.
    sharing: BTreeMap<u16, Vec<Vec<usize>>>,
    /// Dangling values that are to be taken out of lists.
    pub dangling: Vec<Dangling>,
}

/// What is known of one key so far.
struct Group {
    rule: u16,
    key: Vec<u8>,
    /// The first row that has it.
    definition: Option<(RowRef, Vec<Option<i64>>)>,
    /// Somebody refers to it.
    referenced: bool,
    /// What was counted.
    counted: Vec<Option<i64>>,
}

impl<'g> Groups<'g> {
    pub fn new(bound: &'g Bound, uncertain: BTreeSet<u16>) -> Self {
        let counting = (0u16..).zip(&bound.profile.checks);
        let sharing = counting.filter_map(|(number, check)| match &check.rule {
            Rule::Counts { counters, .. } => Some((number, groups(counters))),
            _ => None,
        });
        Self {
            bound,
            group: None,
            uncertain,
            sharing: sharing.collect(),
            dangling: Vec::new(),
        }
    }

    fn rule(&self, number: u16) -> Option<(&'g Rule, FixKind)> {
        let check = self.bound.profile.checks.get(usize::from(number))?;
        let fix = match self.uncertain.contains(&number) {
            true => FixKind::None,
            false => check.fix,
        };
        Some((&check.rule, fix))
    }

    /// The next entry in order.
    pub fn entry(&mut self, entry: &Entry<'_>, tell: &mut Tell<'_>) -> io::Result<()> {
        let is_next = self
            .group
            .as_ref()
            .is_none_or(|group| group.rule != entry.rule || group.key != entry.key);
        if is_next {
            self.finish(tell)?;
            self.group = Some(Group {
                rule: entry.rule,
                key: entry.key.to_vec(),
                definition: None,
                referenced: false,
                counted: Vec::new(),
            });
        }
        let Some((rule, fix)) = self.rule(entry.rule) else {
            return Ok(());
        };
        let bound = self.bound;
        let Some(group) = self.group.as_mut() else {
            return Ok(());
        };
        if entry.kind == DEFINITION {
            let again = group.define(bound, rule, entry);
            let Some(detail) = again else { return Ok(()) };
            if fix == FixKind::DropValue {
                self.dangling.push(Dangling::new(entry, detail, true));
                return Ok(());
            }
            return tell(usize::from(entry.rule), Found::row(entry.row(), detail));
        }
        group.referenced = true;
        match rule {
            Rule::Refers { from, .. } if group.definition.is_none() => {
                let detail = text(bound, from, entry.key);
                if fix == FixKind::DropValue {
                    // The list can be made when all that goes from it is known.
                    self.dangling.push(Dangling::new(entry, detail, false));
                    return Ok(());
                }
                let found = Found::row(entry.row(), detail);
                let found = match fix {
                    FixKind::DropRow => found.fixed_by("Deleting this row", Change::Drop),
                    _ => found,
                };
                tell(usize::from(entry.rule), found)
            }
            Rule::Mirror { one, .. } if group.definition.is_none() => {
                let detail = format!("{} is not said back", text(bound, one, entry.key));
                tell(usize::from(entry.rule), Found::row(entry.row(), detail))
            }
            Rule::Tables { tables, .. } if group.definition.is_none() => {
                let name = bound
                    .table(entry.table)
                    .map_or(&**tables, |table| &*table.name);
                let found =
                    Found::about(format!("table {name}"), "there is no such row".to_owned());
                tell(usize::from(entry.rule), found)
            }
            Rule::Counts { counters, .. } => {
                let sharing = self.sharing.get(&entry.rule);
                group.count(counters, sharing.map_or(&[], Vec::as_slice), entry);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The entries of a key are all there.
    pub fn finish(&mut self, tell: &mut Tell<'_>) -> io::Result<()> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        let Some((rule, fix)) = self.rule(group.rule) else {
            return Ok(());
        };
        let number = usize::from(group.rule);
        let Some((row, stored)) = group.definition else {
            return Ok(());
        };
        match rule {
            Rule::Referenced { of, .. } if !group.referenced => {
                tell(number, Found::row(row, text(self.bound, of, &group.key)))
            }
            Rule::Mirror { one, .. } if !group.referenced => {
                let detail = format!("{} is not said back", text(self.bound, one, &group.key));
                tell(number, Found::row(row, detail))
            }
            Rule::Tables { rows, .. } if !group.referenced && stored == [Some(1)] => {
                tell(number, Found::row(row, text(self.bound, rows, &group.key)))
            }
            Rule::Counts { of, counters } => {
                let stored = (&row, &stored[..]);
                counts(self.bound, (of, counters), stored, &group.counted, fix)
                    .into_iter()
                    .try_for_each(|found| tell(number, found))
            }
            _ => Ok(()),
        }
    }
}

impl Group {
    /// Takes a row that has the key; what is wrong, in words, if it is not the first and may not be there.
    fn define(&mut self, bound: &Bound, rule: &Rule, entry: &Entry<'_>) -> Option<String> {
        if let (Some((first, _)), Rule::Unique { of }) = (&self.definition, rule) {
            let key = text(bound, of, entry.key);
            return Some(format!("{key}, as row {}", first.ordinal));
        }
        if self.definition.is_none() {
            let count = match rule {
                Rule::Counts { counters, .. } => counters.len(),
                Rule::Tables { .. } => 1,
                _ => 0,
            };
            let values = (0..count).map(|number| entry.value(number)).collect();
            self.definition = Some((entry.row(), values));
        }
        None
    }

    fn count(&mut self, counters: &[Counter], groups: &[Vec<usize>], entry: &Entry<'_>) {
        self.counted.resize(counters.len(), None);
        let first = usize::from(entry.kind - REFERENCE);
        let Some(group) = groups.iter().find(|group| group[0] == first) else {
            return;
        };
        for (number, counter) in group.iter().enumerate() {
            let sum = &mut self.counted[*counter];
            *sum = together(counters[*counter].take, *sum, entry.value(number));
        }
    }
}

/// Compares counters with what was counted.
fn counts(
    bound: &Bound,
    (of, counters): (&Side, &[Counter]),
    (row, stored): (&RowRef, &[Option<i64>]),
    counted: &[Option<i64>],
    fix: FixKind,
) -> Vec<Found> {
    let table = bound.role_table(&of.table, row.table);
    let form = form_of(bound, &of.table);
    let mut found = Vec::new();
    for (number, counter) in counters.iter().enumerate() {
        let column = table.and_then(|table| table.columns.get(&counter.column));
        // A table of the role may lack a column that others have.
        let Some(column) = column else { continue };
        let there = bound.tables(&counter.from.table);
        let counted_column =
            |name: &String| there.iter().any(|table| table.columns.contains_key(name));
        if there.is_empty() || !counter.add.as_ref().is_none_or(counted_column) {
            continue;
        }
        let counted = counted.get(number).copied().flatten();
        let has = stored.get(number).copied().flatten();
        if has.is_none() && counter.absent_is_untested {
            continue;
        }
        // Of no rows there is no highest and no lowest value.
        let Some(right) = counted.or((counter.take == Take::Sum).then_some(0)) else {
            continue;
        };
        let holds = match counter.compare {
            CounterOp::Equal => has.unwrap_or(0) == right,
            CounterOp::AtLeast => has.unwrap_or(0) >= right,
            CounterOp::AtMost => has.unwrap_or(0) <= right,
        };
        if holds {
            continue;
        }
        let show = |number: i64| {
            let form = form(&counter.column);
            super::label::value_text(&number.to_be_bytes(), form)
        };
        let stored = has.map_or_else(|| "nothing".to_owned(), show);
        let detail = format!("{} is {stored}, should be {}", column.name, show(right));
        let mut one = Found::row(row.clone(), detail);
        let bytes = column.encode_int(right).filter(|_| fix == FixKind::Write);
        if let Some(bytes) = bytes {
            let change = ColumnChange {
                fid: column.fid,
                derived: column.derived,
                values: vec![bytes],
            };
            let what = format!("Fixed {} to {}", column.name, show(right));
            one = one.fixed_by(what, Change::Set(vec![change]));
        }
        found.push(one);
    }
    found
}

/// The key of a side, in words.
fn text(bound: &Bound, side: &Side, key: &[u8]) -> String {
    let form = form_of(bound, &side.table);
    let names = side
        .key
        .iter()
        .map(|component| match component.split_once('.') {
            Some((_, "guid")) => Form::Guid,
            Some(_) => Form::Int,
            None if component == super::profile::load::TABLE_PART => {
                let fact = bound.roles.get(&side.table).map(|role| &role.fact);
                match fact.is_some_and(|fact| fact.names.iter().any(|name| name.contains("{id}"))) {
                    true => Form::Id,
                    false => Form::Int,
                }
            }
            None => form(component),
        });
    key_text(key, &names.collect::<Vec<_>>())
}
