//! `isinteg` on stores that were made: nothing is found in a sound one; of each defect exactly what it is, by exactly the
//! tests that are for it; what can be fixed is fixed, and nothing else changes. No real store was at hand for that.

mod common;
#[path = "../examples/build_testdata/stores/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stores;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use common::content::content_of;
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::stamp::LogTime;
use exutil::ops::isinteg::{FindingSeverity, FixOptions, IsintegOptions, IsintegReport, isinteg};
use exutil::ops::undo::{UndoOptions, undo_file};
use exutil::problem::Severity as ProblemSeverity;
use exutil::progress::Silent;
use exutil::storage::RealDisk;
use exutil::store::profile::embedded;
use stores::defects::{self, Defect, Fix, Severity};
use stores::rows::Store;
use stores::{StoreKind, classic, counts, hostile, private, public};

const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);
/// What a store of some thousand rows may take, however it is twisted.
const SOON: Duration = Duration::from_secs(60);

/// A store in a folder of its own.
struct Scene {
    dir: tempfile::TempDir,
    options: IsintegOptions,
    before: Vec<u8>,
}

impl Scene {
    fn new(store: &Store) -> Self {
        Self::of(store.build().unwrap())
    }

    fn of(bytes: Vec<u8>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.edb");
        std::fs::write(&path, &bytes).unwrap();
        Self {
            dir,
            options: IsintegOptions::new(path),
            before: bytes,
        }
    }

    fn path(&self) -> &Path {
        &self.options.path
    }

    fn run(&self, options: &IsintegOptions) -> IsintegReport {
        isinteg(options, &RealDisk, &Silent).unwrap_or_else(|error| panic!("{error}"))
    }

    fn look(&self) -> IsintegReport {
        self.run(&self.options)
    }

    fn only(&self, test: &str) -> IsintegReport {
        let mut options = self.options.clone();
        options.tests = vec![test.to_owned()];
        self.run(&options)
    }

    fn fix(&self, trust_profile: bool) -> IsintegReport {
        let mut options = self.options.clone();
        options.fix = Some(FixOptions {
            trust_profile,
            dry_run: false,
            undo_file: Some(self.dir.path().join("store.undo")),
            keep_undo: true,
            now: NOW,
        });
        self.run(&options)
    }

    fn is_untouched(&self) -> bool {
        std::fs::read(self.path()).unwrap() == self.before
    }
}

/// What was found: test, check, severity.
type Findings = BTreeSet<(String, String, FindingSeverity)>;

fn findings(report: &IsintegReport) -> Findings {
    let tests = report.tests.iter();
    let all = tests.flat_map(|test| {
        let findings = test.findings.iter();
        findings.map(|found| (test.name.clone(), found.check.clone(), found.severity))
    });
    all.collect()
}

fn expected(defect: &Defect) -> Findings {
    let found = defect.found.iter();
    let all = found.flat_map(|found| {
        let severity = match found.severity {
            Severity::Warning => FindingSeverity::Warning,
            Severity::Error => FindingSeverity::Error,
        };
        let tests = found.tests.iter();
        tests.map(move |test| ((*test).to_owned(), found.check.to_owned(), severity))
    });
    all.collect()
}

fn text(report: &IsintegReport) -> String {
    let tests = report.tests.iter();
    let lines = tests.flat_map(|test| {
        let findings = test.findings.iter();
        findings.map(|found| format!("{}: {found:?}\n", test.name))
    });
    lines.collect()
}

fn is_sound_database(path: &Path) -> bool {
    let db = Database::open(path, None).unwrap();
    let report = check(&db, None, &CheckOptions::default(), &Silent);
    let mut findings = report.findings.iter();
    findings.all(|finding| finding.problem.info().severity == ProblemSeverity::Note)
}

#[test]
fn nothing_is_wrong_with_a_sound_store() {
    for kind in StoreKind::ALL {
        let scene = Scene::new(&kind.store());
        let mut options = scene.options.clone();
        options.detailed = true;
        let report = scene.run(&options);
        assert_eq!(
            findings(&report),
            Findings::new(),
            "{kind:?}\n{}",
            text(&report)
        );
        assert_eq!(report.sums(), (0, 0, 0), "{kind:?}");
        let missing = report.tests.iter().flat_map(|test| &test.missing);
        let missing: Vec<_> = missing
            .filter(|missing| !missing.check.is_empty())
            .collect();
        assert!(missing.is_empty(), "{kind:?}: {missing:?}");
        assert!(
            report
                .tests
                .iter()
                .any(|test| test.name == "folder" && test.rows > 0)
        );
        let fixed = scene.fix(true);
        assert_eq!(fixed.sums(), (0, 0, 0), "{kind:?}");
        assert!(scene.is_untouched(), "{kind:?}");
    }
}

#[test]
fn the_profile_of_an_older_store_has_the_same_rules() {
    let mut profiles = embedded().unwrap().into_iter();
    let old = profiles
        .find(|profile| profile.name == "exchange-5.5")
        .unwrap();
    assert!(old.checks.len() > 50 && old.tables.len() > 5);
    let scene = Scene::new(&StoreKind::Private.store());
    let mut options = scene.options.clone();
    options.profile = Some(old);
    assert_eq!(scene.run(&options).sums(), (0, 0, 0));
}

/// Every check of the profiles has a defect.
#[test]
fn every_check_is_put_to_the_test() {
    let known: BTreeSet<(bool, &str)> = defects::all()
        .flat_map(|defect| {
            let is_modern = defect.store == StoreKind::Modern;
            defect
                .found
                .iter()
                .map(move |found| (is_modern, found.check))
        })
        .collect();
    for profile in embedded().unwrap() {
        let is_modern = match profile.name.as_str() {
            "exchange-2013" => true,
            "exchange-2000-2007" => false,
            _ => continue,
        };
        for check in &profile.checks {
            assert!(
                known.contains(&(is_modern, &*check.id)),
                "{}: {}",
                profile.name,
                check.id
            );
        }
    }
}

#[test]
fn each_defect_is_found_by_its_tests_and_by_no_other() {
    let mut wrong = Vec::new();
    for defect in defects::all() {
        let scene = Scene::new(&defect.store());
        let report = scene.look();
        let (found, wanted) = (findings(&report), expected(defect));
        if found != wanted {
            let name = (defect.store, defect.name);
            wrong.push(format!(
                "{name:?}: wanted {wanted:?}, found\n{}",
                text(&report)
            ));
            continue;
        }
        let tests: BTreeSet<&str> = wanted.iter().map(|(test, ..)| &**test).collect();
        for test in tests {
            let own = wanted.iter().filter(|(of, ..)| of == test).cloned();
            let own: Findings = own.collect();
            let alone = findings(&scene.only(test));
            if alone != own {
                wrong.push(format!("{} with {test} alone: {alone:?}", defect.name));
            }
        }
        if !scene.is_untouched() {
            wrong.push(format!("{}: changed without a fix", defect.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} defects:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What a store is to be after the fix: where a row goes, that of the counts that speak of it; else as it was without the defect.
fn mended(defect: &Defect) -> Store {
    let folder = match defect.name {
        "no-message" => private::PROJECTS,
        "public-no-message" => public::ARCHIVE,
        _ => return defect.store.store(),
    };
    let mut store = defect.store();
    let nobody = classic::inid(private::NOBODY);
    let rows = &mut store.sheet(&classic::table_of(folder)).rows;
    rows.retain(|row| row.get("Q674d") != Some(&nobody));
    counts::classic(&mut store);
    store
}

/// Nothing about a defect is fixed.
fn stays(scene: &Scene, defect: &Defect, trust: bool) -> Result<(), String> {
    let report = scene.fix(trust);
    if report.sums().2 != 0 || report.amended.is_some() || !scene.is_untouched() {
        return Err(format!(
            "{}: fixed, trust {trust}\n{}",
            defect.name,
            text(&report)
        ));
    }
    if findings(&report) != expected(defect) {
        return Err(format!("{}: {}", defect.name, text(&report)));
    }
    Ok(())
}

fn is_fixed(scene: &Scene, defect: &Defect, trust: bool) -> Result<(), String> {
    let fail = |what: &str, report: &IsintegReport| {
        Err(format!("{}: {what}\n{}", defect.name, text(report)))
    };
    let report = scene.fix(trust);
    let (.., fixes) = report.sums();
    if fixes == 0 || report.amended.is_none() {
        return fail("not fixed", &report);
    }
    if report.left.errors + report.left.warnings > 0 {
        return fail("something is left", &report);
    }
    let again = scene.look();
    if again.sums() != (0, 0, 0) {
        return fail("found again", &again);
    }
    if !is_sound_database(scene.path()) {
        return fail("no sound database", &report);
    }
    let sound = Scene::new(&mended(defect));
    if content_of(scene.path()) != content_of(sound.path()) {
        return fail("other content", &report);
    }
    let undo = scene.dir.path().join("store.undo");
    let undone = undo_file(&undo, UndoOptions::default());
    undone.map_err(|error| format!("{}: {error}", defect.name))?;
    if !scene.is_untouched() {
        return fail("undone to something else", &report);
    }
    Ok(())
}

#[test]
fn what_can_be_fixed_is_fixed_and_nothing_else_changes() {
    let mut wrong = Vec::new();
    for defect in defects::all() {
        let scene = Scene::new(&defect.store());
        let can = |fix: Fix| defect.found.iter().any(|found| found.fix == fix);
        let result = match (can(Fix::Plain), can(Fix::Trust)) {
            (true, _) => is_fixed(&scene, defect, false),
            (false, true) => {
                stays(&scene, defect, false).and_then(|()| is_fixed(&scene, defect, true))
            }
            (false, false) => stays(&scene, defect, true),
        };
        wrong.extend(result.err());
    }
    assert!(
        wrong.is_empty(),
        "{} defects:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Several defects at once: all that can be fixed is, in one run.
#[test]
fn many_defects_are_fixed_at_once() {
    let mut store = StoreKind::Private.store();
    let wanted = content_of(Scene::new(&store).path());
    let mut applied = 0;
    for defect in defects::all().filter(|defect| defect.store == StoreKind::Private) {
        let is_fixable = defect.found.iter().all(|found| found.fix != Fix::None);
        if is_fixable && defect.name != "no-message" {
            defect.apply_to(&mut store);
            applied += 1;
        }
    }
    assert!(applied > 10);
    let scene = Scene::new(&store);
    let report = scene.fix(true);
    assert_eq!(
        (report.left.errors, report.left.warnings),
        (0, 0),
        "{}",
        text(&report)
    );
    assert_eq!(scene.look().sums(), (0, 0, 0));
    assert_eq!(content_of(scene.path()), wanted);
}

fn soon(scene: &Scene, tests: &[&str]) -> IsintegReport {
    let started = Instant::now();
    let mut options = scene.options.clone();
    options.tests = tests.iter().map(|test| (*test).to_owned()).collect();
    let report = scene.run(&options);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    report
}

#[test]
fn loops_of_folders_end() {
    for count in [1, 2, 1000] {
        let scene = Scene::new(&hostile::cycle(count));
        let report = soon(&scene, &["alltests"]);
        let found = findings(&report);
        // One that is its own parent may be a root.
        let severity = match count {
            1 => FindingSeverity::Warning,
            _ => FindingSeverity::Error,
        };
        let wanted = ("folder".to_owned(), "folder.parent".to_owned(), severity);
        assert_eq!(
            found,
            Findings::from([wanted]),
            "{count}\n{}",
            text(&report)
        );
    }
    let scene = Scene::new(&hostile::chain(1000));
    assert_eq!(soon(&scene, &["alltests"]).sums(), (0, 0, 0));
}

#[test]
fn stores_without_rows_end() {
    let report = soon(&Scene::new(&hostile::empty()), &["alltests"]);
    let wanted = (
        "global".to_owned(),
        "global.rows".to_owned(),
        FindingSeverity::Error,
    );
    assert_eq!(
        findings(&report),
        Findings::from([wanted]),
        "{}",
        text(&report)
    );
    let report = soon(&Scene::new(&hostile::empty_modern()), &["alltests"]);
    // Tables of mailboxes that are not there, and nothing else.
    let mut wrong = report.tests.iter().filter(|test| test.errors > 0);
    let tables = wrong.next().map(|test| (test.name.as_str(), test.errors));
    assert_eq!(tables, Some(("tables", 8)), "{}", text(&report));
    assert!(wrong.next().is_none(), "{}", text(&report));
    assert!(
        report
            .tests
            .iter()
            .all(|test| test.name != "folder" || test.available)
    );
}

#[test]
fn twenty_thousand_folders_end() {
    let scene = Scene::of(hostile::many_folders_in_memory(20_000).unwrap());
    let report = soon(&scene, &["folder", "fldsub"]);
    assert_eq!(report.sums(), (0, 0, 0), "{}", text(&report));
    assert!(report.tests.iter().all(|test| test.rows >= 20_000));
}

/// Six seconds, 115 MB of memory, some hundred MB of disk.
#[test]
#[ignore = "long"]
fn a_million_folders_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.edb");
    hostile::many_folders(1_000_000, std::fs::File::create(&path).unwrap()).unwrap();
    let mut options = IsintegOptions::new(path);
    options.tests = vec!["folder".to_owned(), "fldsub".to_owned()];
    let report = isinteg(&options, &RealDisk, &Silent).unwrap();
    assert_eq!(report.sums(), (0, 0, 0));
}
