//! Which tests are to run on a store, and which checks each of them has there.

use std::collections::BTreeSet;

use super::bound::Bound;
use super::directory::needs::needs;
use super::profile::load::names;
use super::profile::{CheckFact, Condition, Counter, Rule, Side};
use super::test_list::{ALL_TESTS, GROUPS, STRUCTURE, StoreSide, TESTS};

/// A test that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteTest {
    /// Its name.
    pub name: String,
    /// How results name it.
    pub title: String,
    /// Numbers of its checks that can run, in the profile's list.
    pub checks: Vec<usize>,
    /// Its checks that cannot, and why.
    pub missing: Vec<(String, String)>,
    /// It is for the other kind of store, or nothing is known about it: why.
    pub unknown: Option<String>,
}

impl SuiteTest {
    /// Something of it can run.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.name == STRUCTURE || !self.checks.is_empty()
    }
}

/// A name that no test has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no test '{0}'")]
pub struct UnknownTest(pub String);

/// What of Isinteg's tests is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Choice {
    /// Tests that Isinteg runs only with `-detailed`.
    pub detailed: bool,
    /// The kind of store.
    pub side: Option<StoreSide>,
}

/// The tests with these names, groups resolved, in the order in which they run; each once.
///
/// # Errors
/// [`UnknownTest`].
pub fn suite(
    wanted: &[String],
    bound: Option<&Bound>,
    choice: Choice,
) -> Result<Vec<SuiteTest>, UnknownTest> {
    let own = bound.map_or(&[][..], |bound| &bound.profile.tests);
    // Of a kind of store that Isinteg did not know only those of its tests are run that something is known about.
    let is_isinteg = bound.is_some_and(|bound| bound.profile.recognise.isinteg);
    let is_used = |name: &str| {
        let checks = bound.map_or(&[][..], |bound| &bound.profile.checks);
        checks
            .iter()
            .any(|check| check.tests.iter().any(|test| test == name))
    };
    let mut named: BTreeSet<String> = BTreeSet::new();
    for word in wanted {
        let name = word.trim().to_ascii_lowercase();
        let is_own = own
            .iter()
            .find(|test| test.name.eq_ignore_ascii_case(&name));
        let group = GROUPS.iter().find(|(group, _)| *group == name);
        let known = TESTS
            .iter()
            .find(|test| test.name == name || test.alias == Some(&*name));
        if name == ALL_TESTS {
            named.insert(STRUCTURE.to_owned());
            named.extend(own.iter().map(|test| test.name.clone()));
            let isinteg = TESTS.iter().filter(|test| {
                let other_side =
                    test.side.is_some() && choice.side.is_some() && test.side != choice.side;
                let is_asked = choice.detailed || !test.detailed;
                (is_isinteg || is_used(test.name)) && !other_side && is_asked
            });
            named.extend(isinteg.map(|test| test.name.to_owned()));
        } else if let Some((_, tests)) = group {
            named.extend(tests.iter().map(|test| (*test).to_owned()));
        } else if name == STRUCTURE {
            named.insert(name);
        } else if let Some(test) = is_own {
            named.insert(test.name.clone());
        } else if let Some(test) = known {
            named.insert(test.name.to_owned());
        } else {
            return Err(UnknownTest(word.clone()));
        }
    }
    let mut order: Vec<(String, String, Option<StoreSide>)> =
        vec![(STRUCTURE.to_owned(), "Structure".to_owned(), None)];
    let isinteg = TESTS
        .iter()
        .filter(|test| !own.iter().any(|own| own.name == test.name));
    let profiles = own
        .iter()
        .map(|test| (test.name.clone(), test.title.clone(), None));
    order.extend(profiles);
    order.extend(isinteg.map(|test| (test.name.to_owned(), test.title.to_owned(), test.side)));
    let tests = order
        .into_iter()
        .filter(|(name, ..)| named.contains(name))
        .map(|(name, title, side)| one(name, title, side, bound, choice));
    Ok(tests.collect())
}

fn one(
    name: String,
    title: String,
    side: Option<StoreSide>,
    bound: Option<&Bound>,
    choice: Choice,
) -> SuiteTest {
    let mut test = SuiteTest {
        name,
        title,
        checks: Vec::new(),
        missing: Vec::new(),
        unknown: None,
    };
    if test.name == STRUCTURE {
        return test;
    }
    if let (Some(of), Some(this)) = (side, choice.side)
        && of != this
    {
        test.unknown = Some(format!("it is for {} stores", of.word()));
        return test;
    }
    let Some(bound) = bound else {
        test.unknown = Some("no profile fits this database".to_owned());
        return test;
    };
    for (number, check) in bound.profile.checks.iter().enumerate() {
        if !check.tests.contains(&test.name) {
            continue;
        }
        match why_not(bound, check) {
            None => test.checks.push(number),
            Some(why) => test.missing.push((check.id.clone(), why)),
        }
    }
    if test.checks.is_empty() && test.missing.is_empty() {
        test.unknown = Some("nothing is known about what it would look at".to_owned());
    }
    test
}

/// Every check that can run here.
#[must_use]
pub fn every_check(bound: &Bound) -> BTreeSet<usize> {
    let checks = bound.profile.checks.iter().enumerate();
    let can_run = checks.filter(|(_, check)| why_not(bound, check).is_none());
    can_run.map(|(number, _)| number).collect()
}

/// Why a check cannot run here.
fn why_not(bound: &Bound, check: &CheckFact) -> Option<String> {
    if let Rule::Present { .. } = check.rule {
        return None;
    }
    if let Rule::Directory { rule } = check.rule {
        let needs = needs(rule).iter();
        return first_missing(bound, needs.map(|(table, column)| (*table, Some(*column))));
    }
    if let Rule::Counts { of, counters } = &check.rule {
        let keys = of.key.iter().map(|column| (&*of.table, Some(&**column)));
        let missing = [(&*of.table, None)].into_iter().chain(keys);
        let missing = missing.chain(telling(of));
        return first_missing(bound, missing).or_else(|| {
            // One of its counters is enough.
            let why = counters
                .iter()
                .map(|counter| counter_missing(bound, &of.table, counter));
            let why: Vec<Option<String>> = why.collect();
            if why.iter().any(Option::is_none) {
                return None;
            }
            why.into_iter().flatten().next()
        });
    }
    // Who else names roots need not be there: a public store has no mailboxes.
    if let Rule::Tree { roots, .. } = &check.rule {
        let gone = roots
            .iter()
            .filter(|side| bound.tables(&side.table).is_empty());
        let gone: BTreeSet<&str> = gone.map(|side| side.table.as_str()).collect();
        let named = names(&check.rule).into_iter();
        return first_missing(bound, named.filter(|(table, _)| !gone.contains(table)));
    }
    let lenient: BTreeSet<&str> = lenient(&check.rule).collect();
    let named = names(&check.rule).into_iter();
    first_missing(
        bound,
        named.filter(|(_, column)| !column.is_some_and(|column| lenient.contains(column))),
    )
}

/// Columns of a side's conditions that must be there.
fn telling(side: &Side) -> impl Iterator<Item = (&str, Option<&str>)> {
    let conditions = side.conditions.iter();
    let telling = conditions.filter(|condition| !is_lenient(condition));
    telling.map(|condition| (&*side.table, Some(&*condition.column)))
}

/// A column that is not there is absent in every row; whether that is meant, the profile must say.
const fn is_lenient(condition: &Condition) -> bool {
    condition.optional
}

fn counter_missing(bound: &Bound, table: &str, counter: &Counter) -> Option<String> {
    let own = [(table, Some(&*counter.column))];
    let from = &counter.from;
    let keys = from.key.iter().chain(&counter.add);
    let keys = keys.map(|column| (&*from.table, Some(&**column)));
    let all = own.into_iter().chain([(&*from.table, None)]).chain(keys);
    first_missing(bound, all.chain(telling(from)))
}

fn first_missing<'n>(
    bound: &Bound,
    named: impl IntoIterator<Item = (&'n str, Option<&'n str>)>,
) -> Option<String> {
    named
        .into_iter()
        .find_map(|(table, column)| bound.missing(table, column))
}

/// Columns of conditions that need not be there.
fn lenient(rule: &Rule) -> impl Iterator<Item = &str> {
    let sides: Vec<_> = match rule {
        Rule::Form { conditions, .. } | Rule::Compare { conditions, .. } => vec![conditions],
        Rule::Unique { of } => vec![&of.conditions],
        Rule::Refers { from, to, .. } => vec![&from.conditions, &to.conditions],
        Rule::Mirror { one, other } => vec![&one.conditions, &other.conditions],
        Rule::Referenced { of, by } => {
            let sides = [of].into_iter().chain(by);
            sides.map(|side| &side.conditions).collect()
        }
        Rule::Tables { rows, .. } => vec![&rows.conditions],
        _ => Vec::new(),
    };
    let conditions = sides.into_iter().flatten();
    let lenient = conditions.filter(|condition| is_lenient(condition));
    lenient.map(|condition| condition.column.as_str())
}
