//! The part of `isinteg`'s manual that tells, test by test, what is known, inferred and unknown. It is made from the profiles, so
//! that it says what the command does.

use clap_mangen::roff::{Roff, bold, roman};

use crate::store::profile::{CheckFact, Confidence, FixKind, Profile, Rule, embedded};
use crate::store::test_list::{GROUPS, STRUCTURE, TESTS};

const INTRODUCTION: &str = "Two layers answer for a result. The rules themselves are generic and tested: rows that refer to others, \
    trees, counts, unique ids, blobs. That a table, a column or a rule means what is said here rests on public sources, each of which is \
    named. High: two independent sources, or seen in a real file. Medium: one good public source. Inferred: concluded, \
    never seen; such a finding is at most a warning, and is fixed only with --trust-profile. \
    No real Exchange store was at hand to confirm any of it: the tests of Exchange were tried on stores that were made for that. \
    The tests of directories were measured on two real files, an Active Directory of Server 2012 R2 and an AD LDS of 2008, \
    neither of which has phantoms, tombstones, deleted links or SIDs. A test that is not available has not passed.";

/// Adds the sections.
pub(super) fn add(out: &mut Roff) {
    out.control("SH", ["STORES AND TESTS"]);
    out.text([roman(INTRODUCTION)]);
    out.control("PP", []);
    out.text([
        bold(STRUCTURE),
        roman(" is the integrity check (exutil g), which every database has; groups are "),
    ]);
    for (group, tests) in GROUPS {
        out.text([bold(*group), roman(format!(" ({}), ", tests.join(", ")))]);
    }
    out.text([roman("and "), bold("alltests"), roman(".")]);
    // The texts are part of the program, and a test reads them.
    for profile in embedded().unwrap_or_default() {
        of_profile(out, &profile);
    }
}

fn of_profile(out: &mut Roff, profile: &Profile) {
    out.control("SS", [profile.title.as_str()]);
    out.text([roman(words(&profile.about))]);
    // What it takes over has been told.
    if let Some(base) = &profile.extends {
        out.text([roman(format!("The tests are those of {base}."))]);
        return;
    }
    for (short, long) in &profile.sources {
        out.text([roman(format!("{short}: {}.", long.trim_end_matches('.')))]);
    }
    for test in &profile.tests {
        of_test(out, profile, (&test.name, &test.title, &test.about));
    }
    let own = |name: &str| profile.tests.iter().any(|test| test.name == name);
    for test in TESTS.iter().filter(|test| !own(test.name)) {
        let has_checks = checks(profile, test.name).next().is_some();
        if has_checks || profile.recognise.isinteg {
            let about = format!("{} (Isinteg {})", test.about, test.versions);
            of_test(out, profile, (test.name, test.title, &about));
        }
    }
}

fn checks<'p>(profile: &'p Profile, test: &str) -> impl Iterator<Item = &'p CheckFact> {
    let of_test = move |check: &&CheckFact| check.tests.iter().any(|name| name == test);
    profile.checks.iter().filter(of_test)
}

fn of_test(out: &mut Roff, profile: &Profile, (name, title, about): (&str, &str, &str)) {
    out.control("TP", []);
    out.text([bold(name)]);
    out.text([roman(format!("{title}: {about}."))]);
    let mut known = false;
    for check in checks(profile, name) {
        known = true;
        out.control("br", []);
        out.text([bold(format!("{}: ", check.id)), roman(described(check))]);
    }
    if !known {
        out.control("br", []);
        out.text([roman(
            "Unknown: nothing public tells where it is stored. Not available in any database.",
        )]);
    }
}

/// `says [confidence; source; fix]`
fn described(check: &CheckFact) -> String {
    let mut marks = vec![check.confidence.word().to_owned(), check.source.clone()];
    if check.warning && check.confidence != Confidence::Inferred {
        marks.push("a warning only".to_owned());
    }
    if let Rule::Directory { .. } = check.rule {
        marks.push("docs/directory-rules.md".to_owned());
    }
    let fix = match check.fix {
        FixKind::None => "no fix",
        FixKind::Write => "fix: the right value is written",
        FixKind::DropRow => "fix: the row is deleted",
        FixKind::DropValue => "fix: the value is taken out of its list",
    };
    let trust = check.careful || check.confidence == Confidence::Inferred;
    marks.push(match trust && check.fix != FixKind::None {
        true => format!("{fix}, with --trust-profile"),
        false => fix.to_owned(),
    });
    format!("{} [{}]", words(&check.says), marks.join("; "))
}

/// One line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
