//! What a profile must obey beyond its syntax: a rule that could never find anything would pass for one that holds.

use std::collections::BTreeSet;

use super::load::{ProfileError, TABLE_PART, names};
use super::model::{
    CheckFact, Condition, Confidence, FixKind, Form, Profile, Rule, Side, TableFact,
};
use crate::store::test_list::{ALL_TESTS, GROUPS, STRUCTURE, TESTS};

/// Checks have numbers of 16 bits.
const CHECKS_MOST: usize = 10_000;
/// Counters of one check have numbers of 8 bits.
const COUNTERS_MOST: usize = 200;

/// Every name that is used must be described, and every rule must be able to find something.
pub(super) fn validate(profile: &Profile) -> Result<(), ProfileError> {
    if profile.checks.len() > CHECKS_MOST {
        let what = format!("{} checks are too many", profile.checks.len());
        return Err(ProfileError::Other(what));
    }
    tables(profile)?;
    once("test", profile.tests.iter().map(|test| &test.name))?;
    once("check", profile.checks.iter().map(|check| &check.id))?;
    for test in &profile.tests {
        let is_taken = [ALL_TESTS, STRUCTURE].contains(&&*test.name)
            || GROUPS.iter().any(|(group, _)| *group == test.name);
        if is_taken || test.name.is_empty() || test.name.contains([',', ' ']) {
            let what = format!("a test cannot be called '{}'", test.name);
            return Err(ProfileError::Other(what));
        }
    }
    for check in &profile.checks {
        of_check(profile, check)?;
    }
    Ok(())
}

fn once<'n>(kind: &str, names: impl Iterator<Item = &'n String>) -> Result<(), ProfileError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            let what = format!("there are two: {kind} '{name}'");
            return Err(ProfileError::Other(what));
        }
    }
    Ok(())
}

fn tables(profile: &Profile) -> Result<(), ProfileError> {
    once("table", profile.tables.iter().map(|table| &table.role))?;
    for table in &profile.tables {
        let columns = table.columns.iter().map(|column| &column.role);
        once(&format!("column of {}", table.role), columns)?;
        let nameless = table
            .columns
            .iter()
            .find(|column| column.prop.is_none() && column.names.is_empty());
        if table.names.is_empty() || nameless.is_some() {
            let what = nameless.map_or(&table.role, |column| &column.role);
            return Err(ProfileError::Other(format!("'{what}' has no names")));
        }
        let shown = table.shown.iter().map(|(_, column)| column);
        for column in shown.chain(&table.display) {
            known(table, column)?;
        }
    }
    for (role, columns) in &profile.recognise.tables {
        let table = table_of(profile, role)?;
        for column in columns {
            known(table, column)?;
        }
    }
    if let Some(role) = &profile.recognise.private_sign {
        table_of(profile, role)?;
    }
    Ok(())
}

fn table_of<'p>(profile: &'p Profile, role: &str) -> Result<&'p TableFact, ProfileError> {
    let found = profile.tables.iter().find(|table| table.role == role);
    found.ok_or_else(|| ProfileError::Other(format!("there is no table with the role '{role}'")))
}

fn known(table: &TableFact, column: &str) -> Result<(), ProfileError> {
    if table.columns.iter().any(|fact| fact.role == column) {
        return Ok(());
    }
    let what = format!(
        "table '{}' has no column with the role '{column}'",
        table.role
    );
    Err(ProfileError::Other(what))
}

fn of_check(profile: &Profile, check: &CheckFact) -> Result<(), ProfileError> {
    let wrong = |what: String| ProfileError::Check {
        check: check.id.clone(),
        what,
    };
    let is_test = |name: &String| {
        profile.tests.iter().any(|test| test.name == *name)
            || TESTS.iter().any(|test| test.name == name)
    };
    if check.tests.is_empty() {
        return Err(wrong("it belongs to no test".to_owned()));
    }
    if let Some(name) = check.tests.iter().find(|name| !is_test(name)) {
        return Err(wrong(format!("there is no test '{name}'")));
    }
    for (table, column) in names(&check.rule) {
        let unknown = |name: &str| ProfileError::Unknown {
            check: check.id.clone(),
            name: name.to_owned(),
        };
        let found = profile.tables.iter().find(|fact| fact.role == table);
        let fact = found.ok_or_else(|| unknown(table))?;
        let Some(column) = column else { continue };
        if column == TABLE_PART {
            let is_pattern = |name: &String| name.contains('*') || name.contains("{id}");
            if !fact.names.iter().all(is_pattern) {
                return Err(wrong(format!(
                    "'{table}' is one table: @table says nothing"
                )));
            }
            continue;
        }
        let (name, part) = column.split_once('.').unwrap_or((column, ""));
        let of_role = fact.columns.iter().find(|fact| fact.role == name);
        let form = of_role.ok_or_else(|| unknown(name))?.form;
        let has_part = match part {
            "" => !column.contains('.'),
            "replid" | "counter" => matches!(form, Form::Id | Form::Ids | Form::LongId),
            "guid" => form == Form::LongId,
            _ => false,
        };
        if !has_part {
            return Err(wrong(format!("'{name}' has no part '{part}'")));
        }
    }
    for condition in conditions(&check.rule) {
        asks(condition).map_err(|what| wrong(what.to_owned()))?;
    }
    contradictions(profile, check).map_err(|what| wrong(what.to_owned()))
}

/// Every condition of a rule.
fn conditions(rule: &Rule) -> Vec<&Condition> {
    match rule {
        Rule::Form { conditions, .. } | Rule::Compare { conditions, .. } => {
            conditions.iter().collect()
        }
        rule => {
            let of_sides = sides(rule).into_iter();
            of_sides.flat_map(|side| &side.conditions).collect()
        }
    }
}

fn asks(condition: &Condition) -> Result<(), &'static str> {
    let questions = [
        condition.is.is_some(),
        condition.equals.is_some(),
        condition.not.is_some(),
    ];
    match questions.iter().filter(|asked| **asked).count() {
        0 => Err("a condition asks nothing"),
        _ if condition.column == TABLE_PART => Err("a condition needs a column"),
        _ if condition.mask == Some(0) => Err("a mask of no bits"),
        1 => Ok(()),
        _ => Err("a condition asks one thing"),
    }
}

/// Every side of a rule.
fn sides(rule: &Rule) -> Vec<&Side> {
    match rule {
        Rule::Unique { of } => vec![of],
        Rule::Refers { from, to, .. } => vec![from, to],
        Rule::Referenced { of, by } => [of].into_iter().chain(by).collect(),
        Rule::Mirror { one, other } => vec![one, other],
        Rule::Tree { roots, .. } => roots.iter().collect(),
        Rule::Tables { rows, .. } => vec![rows],
        Rule::Counts { of, counters } => {
            let from = counters.iter().map(|counter| &counter.from);
            [of].into_iter().chain(from).collect()
        }
        _ => Vec::new(),
    }
}

fn contradictions(profile: &Profile, check: &CheckFact) -> Result<(), &'static str> {
    let same = |one: &Side, other: &Side| one.key.len() == other.key.len();
    let lengths = "both sides need keys of the same number of columns";
    let rule = &check.rule;
    if sides(rule).iter().any(|side| side.key.is_empty()) {
        return Err("a key needs a column");
    }
    let fits = match (check.fix, rule) {
        (FixKind::None, _) | (_, Rule::Directory { .. }) => true,
        (FixKind::Write, rule) => matches!(rule, Rule::Counts { .. }),
        (FixKind::DropRow, rule) => matches!(rule, Rule::Refers { .. }),
        (FixKind::DropValue, rule) => matches!(rule, Rule::Refers { .. } | Rule::Unique { .. }),
    };
    if !fits {
        return Err("a rule of this kind has no such fix");
    }
    let numeric = |table: &str, column: &str| {
        let fact = profile.tables.iter().find(|fact| fact.role == table);
        let columns = fact.into_iter().flat_map(|fact| &fact.columns);
        let name = column.split('.').next().unwrap_or_default();
        columns.filter(|fact| fact.role == name).all(|fact| {
            column.contains('.')
                || matches!(
                    fact.form,
                    Form::Int | Form::Bool | Form::Time | Form::PropBlob
                )
        })
    };
    match rule {
        Rule::Compare {
            table,
            left,
            right,
            value,
            ..
        } => {
            if right.is_some() == value.is_some() {
                return Err("a comparison needs 'right' or 'value'");
            }
            let all = [left].into_iter().chain(right);
            if !all.into_iter().all(|column| numeric(table, column)) {
                return Err("only numbers are compared");
            }
        }
        Rule::OneOf { table, column, .. } if !numeric(table, column) => {
            return Err("only numbers are compared");
        }
        Rule::Refers { from, to, .. } if !same(from, to) => return Err(lengths),
        Rule::Referenced { of, by } if !by.iter().all(|by| same(of, by)) => return Err(lengths),
        Rule::Mirror { one, other } if !same(one, other) => return Err(lengths),
        Rule::Tree { key, parent, .. } if key.len() != parent.len() || key.is_empty() => {
            return Err(lengths);
        }
        Rule::Counts { of, counters } => {
            if counters.is_empty() || counters.len() > COUNTERS_MOST {
                return Err("it counts nothing, or too much");
            }
            if !counters.iter().all(|counter| same(of, &counter.from)) {
                return Err(lengths);
            }
        }
        Rule::Tables { rows, tables } => {
            if rows.key.len() != 1 {
                return Err("the key must be one column");
            }
            let fact = profile.tables.iter().find(|fact| fact.role == *tables);
            let is_pattern = |name: &String| name.contains('*') || name.contains("{id}");
            if !fact.is_some_and(|fact| fact.names.iter().all(is_pattern)) {
                return Err("'tables' needs a name with * or {id}");
            }
        }
        _ => {}
    }
    Ok(())
}

/// A check is no surer than what it rests on: tables and columns. Who else names roots does not count: without them the rule
/// is the same.
pub(super) fn temper(profile: &mut Profile) {
    let tables = profile.tables.clone();
    for check in &mut profile.checks {
        let roots: Vec<&str> = match &check.rule {
            Rule::Tree { roots, .. } => roots.iter().map(|side| side.table.as_str()).collect(),
            _ => Vec::new(),
        };
        let named = names(&check.rule).into_iter();
        let least = named
            .filter(|(table, _)| !roots.contains(table))
            .filter_map(|(table, column)| confidence(&tables, table, column))
            .min();
        check.confidence = least.map_or(check.confidence, |least| least.min(check.confidence));
    }
}

fn confidence(tables: &[TableFact], role: &str, column: Option<&str>) -> Option<Confidence> {
    let table = tables.iter().find(|table| table.role == role)?;
    let Some(column) = column.and_then(|column| column.split('.').next()) else {
        return Some(table.confidence);
    };
    let fact = table.columns.iter().find(|fact| fact.role == column)?;
    Some(fact.confidence)
}
