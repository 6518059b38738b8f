//! What is to be done with each row: for each role the columns to read, the rules that look at one row alone, and the entries
//! that it makes for those that compare rows.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use super::bound::{Bound, StoreTable};
use super::columns::Values;
use super::entries::{DEFINITION, Entries, Origin, REFERENCE};
use super::keys::{KeyOf, Slots, Where};
use super::profile::{Counter, Form, Rule, Side, Take};
use super::row_rules::RowRule;
use super::trees::NAMED_ROOT;

/// All roles that some rule looks at.
pub(super) type Plan = BTreeMap<String, RolePlan>;

/// What is done with the rows of a role.
#[derive(Default)]
pub(super) struct RolePlan {
    pub slots: Slots,
    pub rules: Vec<(usize, RowRule)>,
    pub emitters: Vec<Emitter>,
}

/// Makes entries of rows.
pub(super) struct Emitter {
    rule: u16,
    kind: u8,
    key: KeyOf,
    conditions: Where,
    values: Vec<ValueOf>,
    zero: Zero,
    /// Contributions with the same key one after the other are put together.
    held: Option<Held>,
    buffer: Vec<u8>,
    made: Vec<Option<i64>>,
    /// Of some row it could not be read whether, or what, it has to say: what follows from the others proves nothing.
    uncertain: bool,
}

/// What is done with a key of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zero {
    /// It is a key like others.
    Key,
    /// It is none.
    None,
}

/// A value that goes with an entry.
enum ValueOf {
    /// What stands in a column.
    Column(usize),
    /// One, if the row meets these.
    Holds(Where),
    /// What a row adds to a counter.
    Contribution {
        conditions: Where,
        add: Option<usize>,
        take: Take,
    },
}

/// A contribution that may grow.
struct Held {
    key: Vec<u8>,
    table: crate::format::ids::Objid,
    ordinal: u64,
    bookmark: Vec<u8>,
    values: Vec<Option<i64>>,
}

/// The form of a column of a role.
pub(super) fn form_of<'b>(bound: &'b Bound, role: &str) -> impl Fn(&str) -> Form + use<'b> {
    let fact = bound.roles.get(role).map(|role| &role.fact);
    move |column| {
        let columns = fact.into_iter().flat_map(|fact| &fact.columns);
        let mut columns = columns.filter(|fact| fact.role == column);
        columns.next().map_or(Form::Bytes, |fact| fact.form)
    }
}

/// The plan of these checks, which are numbers in the profile's list.
pub(super) fn plan(bound: &Bound, checks: &[usize]) -> Plan {
    let mut plan = Plan::new();
    for number in checks {
        let Some(check) = bound.profile.checks.get(*number) else {
            continue;
        };
        match &check.rule {
            Rule::Present { .. }
            | Rule::Index { .. }
            | Rule::Directory { .. }
            | Rule::PropertyList { .. } => {}
            Rule::Rows { table, .. } => {
                plan.entry(table.clone()).or_default();
            }
            Rule::Form { table, .. }
            | Rule::Compare { table, .. }
            | Rule::OneOf { table, .. }
            | Rule::Hash { table, .. } => {
                let form = form_of(bound, table);
                let role = plan.entry(table.clone()).or_default();
                if let Some(rule) = RowRule::new(&check.rule, &mut role.slots, &form) {
                    role.rules.push((*number, rule));
                }
            }
            rule => emitters(&mut plan, bound, *number, rule),
        }
    }
    plan
}

fn emitters(plan: &mut Plan, bound: &Bound, number: usize, rule: &Rule) {
    if let Rule::Tables { rows, .. } = rule {
        // Any row may have a table; the conditions say which must.
        let form = form_of(bound, &rows.table);
        let role = plan.entry(rows.table.clone()).or_default();
        let key = KeyOf::new(&rows.key, &mut role.slots, form);
        let must = ValueOf::Holds(Where::new(&rows.conditions, &mut role.slots));
        let of_all = Where::new(&[], &mut role.slots);
        let emitter = Emitter::new((number, DEFINITION), key, of_all, vec![must], Zero::Key);
        role.emitters.push(emitter);
        return;
    }
    let mut add = |side: &Side, kind: u8, zero: Zero, counters: Vec<&Counter>| {
        let form = form_of(bound, &side.table);
        let role = plan.entry(side.table.clone()).or_default();
        let key = KeyOf::new(&side.key, &mut role.slots, form);
        let conditions = Where::new(&side.conditions, &mut role.slots);
        let values = counters.into_iter().map(|counter| {
            if kind == DEFINITION {
                return ValueOf::Column(role.slots.of(&counter.column));
            }
            ValueOf::Contribution {
                conditions: Where::new(&counter.from.conditions, &mut role.slots),
                add: counter.add.as_ref().map(|add| role.slots.of(add)),
                take: counter.take,
            }
        });
        let values = values.collect();
        let emitter = Emitter::new((number, kind), key, conditions, values, zero);
        role.emitters.push(emitter);
    };
    let plain = Vec::new;
    match rule {
        Rule::Unique { of } => add(of, DEFINITION, Zero::Key, plain()),
        Rule::Refers {
            from,
            to,
            zero_is_none,
        } => {
            let zero = if *zero_is_none { Zero::None } else { Zero::Key };
            add(to, DEFINITION, Zero::Key, plain());
            add(from, REFERENCE, zero, plain());
        }
        Rule::Referenced { of, by } => {
            add(of, DEFINITION, Zero::Key, plain());
            by.iter()
                .for_each(|side| add(side, REFERENCE, Zero::Key, plain()));
        }
        Rule::Mirror { one, other } => {
            add(one, DEFINITION, Zero::Key, plain());
            add(other, REFERENCE, Zero::Key, plain());
        }
        Rule::Counts { of, counters } => {
            add(of, DEFINITION, Zero::Key, counters.iter().collect());
            for group in groups(counters) {
                let side = Side {
                    conditions: Vec::new(),
                    ..counters[group[0]].from.clone()
                };
                let of_group = group.iter().map(|at| &counters[*at]).collect();
                add(&side, REFERENCE + group[0] as u8, Zero::Key, of_group);
            }
        }
        // Entries of the rows themselves are made by `trees`.
        Rule::Tree { roots, .. } => roots
            .iter()
            .for_each(|side| add(side, NAMED_ROOT, Zero::Key, plain())),
        _ => {}
    }
}

/// Counters that count rows of one table by one key share their entries.
pub(super) fn groups(counters: &[Counter]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (number, counter) in counters.iter().enumerate() {
        let same = |group: &&mut Vec<usize>| {
            let first = &counters[group[0]].from;
            first.table == counter.from.table && first.key == counter.from.key
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(number),
            None => groups.push(vec![number]),
        }
    }
    groups
}

impl Emitter {
    fn new(
        (rule, kind): (usize, u8),
        key: KeyOf,
        conditions: Where,
        values: Vec<ValueOf>,
        zero: Zero,
    ) -> Self {
        Self {
            rule: rule as u16,
            kind,
            key,
            conditions,
            values,
            zero,
            held: None,
            buffer: Vec::new(),
            made: Vec::new(),
            uncertain: false,
        }
    }

    /// The rule, if some row of it could not be read.
    pub fn uncertain_rule(&self) -> Option<u16> {
        self.uncertain.then_some(self.rule)
    }

    /// A column that it reads has a value that cannot be read.
    fn cannot_tell(&self, values: &Values) -> bool {
        let of_values = self.values.iter().flat_map(ValueOf::slots);
        let slots = self.key.slots().chain(self.conditions.slots());
        values.has_faults()
            && slots
                .chain(of_values)
                .any(|slot| values.fault(slot).is_some())
    }

    /// Makes the entries of a row.
    pub fn row(
        &mut self,
        table: &StoreTable,
        origin: &Origin<'_>,
        values: &Values,
        entries: &mut Entries,
    ) -> io::Result<()> {
        self.uncertain = self.uncertain || self.cannot_tell(values);
        if !self.conditions.holds(values) {
            return Ok(());
        }
        let mut key_buffer = std::mem::take(&mut self.buffer);
        let mut made = std::mem::take(&mut self.made);
        made.clear();
        made.extend(self.values.iter().map(|value| value.of(values)));
        let contributes = matches!(self.values.first(), Some(ValueOf::Contribution { .. }));
        let mut failed = Ok(());
        let key = std::mem::take(&mut self.key);
        key.each(
            table.part.as_ref(),
            values,
            &mut key_buffer,
            &mut |key, is_zero| {
                if is_zero && self.zero == Zero::None {
                    return ControlFlow::Continue(());
                }
                failed = if contributes {
                    self.contribute(key, origin, &made, entries)
                } else {
                    entries.push((self.rule, self.kind), key, origin, &made)
                };
                match failed {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            },
        );
        self.key = key;
        self.made = made;
        self.buffer = key_buffer;
        failed
    }

    fn contribute(
        &mut self,
        key: &[u8],
        origin: &Origin<'_>,
        made: &[Option<i64>],
        entries: &mut Entries,
    ) -> io::Result<()> {
        let values = &self.values;
        if let Some(held) = self.held.as_mut().filter(|held| held.key == key) {
            for ((sum, more), value) in held.values.iter_mut().zip(made).zip(values) {
                *sum = value.together(*sum, *more);
            }
            return Ok(());
        }
        self.flush(entries)?;
        self.held = Some(Held {
            key: key.to_vec(),
            table: origin.table,
            ordinal: origin.ordinal,
            bookmark: origin.bookmark.to_vec(),
            values: made.to_vec(),
        });
        Ok(())
    }

    /// Makes an entry of what was put together.
    pub fn flush(&mut self, entries: &mut Entries) -> io::Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let origin = Origin {
            table: held.table,
            ordinal: held.ordinal,
            bookmark: &held.bookmark,
        };
        entries.push((self.rule, self.kind), &held.key, &origin, &held.values)
    }
}

impl ValueOf {
    /// The slots of its columns.
    fn slots(&self) -> Vec<usize> {
        match self {
            Self::Column(slot) => vec![*slot],
            Self::Holds(conditions) => conditions.slots().collect(),
            Self::Contribution {
                conditions, add, ..
            } => conditions.slots().chain(*add).collect(),
        }
    }

    fn of(&self, values: &Values) -> Option<i64> {
        match self {
            Self::Column(slot) => values.int(*slot),
            Self::Holds(conditions) => conditions.holds(values).then_some(1),
            Self::Contribution {
                conditions, add, ..
            } => {
                if !conditions.holds(values) {
                    return None;
                }
                add.map_or(Some(1), |slot| values.int(slot))
            }
        }
    }

    fn together(&self, one: Option<i64>, other: Option<i64>) -> Option<i64> {
        let take = match self {
            Self::Column(_) | Self::Holds(_) => Take::Sum,
            Self::Contribution { take, .. } => *take,
        };
        together(take, one, other)
    }
}

/// Two contributions to a counter. A sum that leaves its range stays at its end.
pub(super) fn together(take: Take, one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(match take {
            Take::Sum => one.saturating_add(other),
            Take::Max => one.max(other),
            Take::Min => one.min(other),
        }),
        (one, other) => one.or(other),
    }
}
