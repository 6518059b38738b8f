//! A profile from its text, and those that are built in.

use std::collections::BTreeSet;

use super::model::{Profile, Rule, Side};
use super::validate::{temper, validate};

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is not TOML, or not of this form.
    #[error("{0}")]
    Syntax(String),
    /// It extends a profile that there is not.
    #[error("there is no profile '{0}' to extend")]
    Base(String),
    /// A check names a table or column that the profile does not describe.
    #[error("check '{check}' names '{name}', which the profile does not describe")]
    Unknown {
        /// The check.
        check: String,
        /// The role.
        name: String,
    },
    /// A check contradicts itself.
    #[error("check '{check}': {what}")]
    Check {
        /// The check.
        check: String,
        /// How.
        what: String,
    },
    /// Something else than a check is wrong.
    #[error("{0}")]
    Other(String),
}

/// Names and texts of the embedded profiles; the first that fits a database is taken.
const EMBEDDED: [(&str, &str); 4] = [
    ("directory", include_str!("../profiles/directory.toml")),
    (
        "exchange-2013",
        include_str!("../profiles/exchange-2013.toml"),
    ),
    (
        "exchange-2000-2007",
        include_str!("../profiles/exchange-2000-2007.toml"),
    ),
    (
        "exchange-5.5",
        include_str!("../profiles/exchange-5.5.toml"),
    ),
];

/// The embedded profiles in the order in which they are tried.
///
/// # Errors
/// None: a test reads them all.
pub fn embedded() -> Result<Vec<Profile>, ProfileError> {
    EMBEDDED.iter().map(|(_, text)| parse(text)).collect()
}

/// Reads a profile, with what it takes over from another.
///
/// # Errors
/// [`ProfileError`].
pub fn parse(text: &str) -> Result<Profile, ProfileError> {
    let profile = read(text)?;
    let profile = match &profile.extends {
        None => profile,
        Some(base) => {
            let found = EMBEDDED.iter().find(|(name, _)| name == base);
            let (_, text) = found.ok_or_else(|| ProfileError::Base(base.clone()))?;
            merge(read(text)?, profile)
        }
    };
    let mut profile = profile;
    validate(&profile)?;
    temper(&mut profile);
    Ok(profile)
}

fn read(text: &str) -> Result<Profile, ProfileError> {
    toml::from_str(text).map_err(|error| ProfileError::Syntax(error.to_string()))
}

/// What `own` says goes before what `base` says.
fn merge(base: Profile, mut own: Profile) -> Profile {
    let roles: BTreeSet<String> = own.tables.iter().map(|table| table.role.clone()).collect();
    let tables = base.tables.into_iter();
    own.tables
        .extend(tables.filter(|table| !roles.contains(&table.role)));
    let names: BTreeSet<String> = own.tests.iter().map(|test| test.name.clone()).collect();
    let tests = base.tests.into_iter();
    own.tests
        .extend(tests.filter(|test| !names.contains(&test.name)));
    let ids: BTreeSet<String> = own.checks.iter().map(|check| check.id.clone()).collect();
    let checks = base.checks.into_iter();
    own.checks
        .extend(checks.filter(|check| !ids.contains(&check.id)));
    for (short, long) in base.sources {
        own.sources.entry(short).or_insert(long);
    }
    own
}

/// What stands for `*` or `{id}` in a table's name.
pub(crate) const TABLE_PART: &str = "@table";

/// Tables and columns that a rule names.
pub(crate) fn names(rule: &Rule) -> Vec<(&str, Option<&str>)> {
    match rule {
        Rule::Present { table, columns } | Rule::Index { table, columns } => {
            let named = columns.iter().map(|column| (&**table, Some(&**column)));
            named.chain([(&**table, None)]).collect()
        }
        Rule::Rows { table, .. } => vec![(table, None)],
        Rule::Form {
            table,
            column,
            conditions,
            ..
        } => {
            let conditions = conditions.iter().map(|condition| &condition.column);
            of_table(table, conditions.chain([column]))
        }
        Rule::Compare {
            table,
            left,
            right,
            conditions,
            ..
        } => {
            let conditions = conditions.iter().map(|condition| &condition.column);
            of_table(table, conditions.chain([left]).chain(right))
        }
        Rule::OneOf { table, column, .. } | Rule::PropertyList { table, column } => {
            of_table(table, [column])
        }
        Rule::Hash {
            table, column, of, ..
        } => of_table(table, [column, of]),
        Rule::Unique { of } => of_side(of),
        Rule::Refers { from, to, .. } => [of_side(from), of_side(to)].concat(),
        Rule::Mirror { one, other } => [of_side(one), of_side(other)].concat(),
        Rule::Referenced { of, by } => [of].into_iter().chain(by).flat_map(of_side).collect(),
        Rule::Tree {
            table,
            key,
            parent,
            roots,
            ..
        } => {
            let mut named = of_table(table, key.iter().chain(parent));
            named.extend(roots.iter().flat_map(of_side));
            named
        }
        Rule::Tables { rows, tables } => {
            let mut named = of_side(rows);
            named.push((tables, None));
            named
        }
        Rule::Counts { of, counters } => {
            let mut named = of_side(of);
            for counter in counters {
                named.push((&of.table, Some(&counter.column)));
                named.extend(of_side(&counter.from));
                named.extend(
                    counter
                        .add
                        .iter()
                        .map(|add| (&*counter.from.table, Some(&**add))),
                );
            }
            named
        }
        Rule::Directory { .. } => Vec::new(),
    }
}

fn of_table<'r>(
    table: &'r str,
    columns: impl IntoIterator<Item = &'r String>,
) -> Vec<(&'r str, Option<&'r str>)> {
    let named = columns.into_iter().map(|column| (table, Some(&**column)));
    named.collect()
}

fn of_side(side: &Side) -> Vec<(&str, Option<&str>)> {
    let conditions = side.conditions.iter().map(|condition| &condition.column);
    let mut named = of_table(&side.table, side.key.iter().chain(conditions));
    named.push((&side.table, None));
    named
}
