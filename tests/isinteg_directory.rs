//! `isinteg` on the two real directories: nothing is wrong with them, and each of 23 seeded defects is found by exactly one
//! rule. Those that have a fix are put right, and nothing else changes. What may have another cause is not put right for who does
//! not ask for it. `docs/directory-rules.md`

mod common;
#[path = "common/directory_seeds.rs"]
mod seeds;

use std::path::{Path, PathBuf};

use common::content::content_of;
use common::needs;
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::checksum::seal;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::stamp::LogTime;
use exutil::ops::isinteg::{FindingSeverity, FixOptions, IsintegOptions, IsintegReport, isinteg};
use exutil::ops::undo::{UndoOptions, undo_file};
use exutil::problem::Severity;
use exutil::progress::Silent;
use exutil::storage::RealDisk;
use seeds::{Fix, Patch, SEEDS};

const FILES: [&str; 2] = [
    "real/ntds-2012r2/pre/ntds.dit",
    "real/adamntds-2008/pre/adamntds.dit",
];

/// GUIDs of DNT 13 in both files, and of DNT 15, which is found by what stands behind it in the same way.
const GUID_OF_13: [(u32, u64); 2] = [(290, 0x24_7857), (104, 0xD_3908)];

fn files() -> Option<[PathBuf; 2]> {
    let corpus = needs::corpus()?;
    Some(FILES.map(|name| corpus.join(name)))
}

/// A copy with patches, whose pages have their checksums.
fn seeded(file: &Path, patches: &[Patch]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    for (page, at, before, after) in patches {
        patch(&mut bytes, *page, *at, before, after);
    }
    std::fs::write(copy_in(&dir), bytes).unwrap();
    dir
}

fn patch(bytes: &mut [u8], page: u32, at: u64, before: &[u8], after: &[u8]) {
    let size = PageSize::K8;
    let place = &mut bytes[at as usize..][..before.len()];
    assert_eq!(place, before, "the file is not what it was: {at:#x}");
    place.copy_from_slice(after);
    let pgno = Pgno::new(page);
    let start = pgno.offset(size) as usize;
    assert!((start..start + size.bytes()).contains(&(at as usize)));
    seal(&mut bytes[start..start + size.bytes()], size, pgno);
}

fn copy_in(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("dir.dit")
}

fn fix(trust: bool, dry_run: bool) -> FixOptions {
    FixOptions {
        trust_profile: trust,
        dry_run,
        undo_file: None,
        keep_undo: true,
        now: LogTime::default(),
    }
}

/// Every test but that of the structure, which `check` is for: a patched value makes its index wrong too.
const TESTS: &str = "dnt,ancestors,nc,self,rdn,refcount,phantom,sd.ref,sd.hash,sd.valid,guid,sid,links,subrefs,dangling,schema,usn,hidden";

fn run(path: &Path, fix: Option<FixOptions>) -> IsintegReport {
    let mut options = IsintegOptions::new(path);
    options.tests = TESTS.split(',').map(str::to_owned).collect();
    options.fix = fix;
    isinteg(&options, &RealDisk, &Silent).unwrap()
}

/// Every finding but notes, as test and rule.
fn found(report: &IsintegReport) -> Vec<(String, String)> {
    let tests = report.tests.iter();
    tests
        .flat_map(|test| {
            let serious = test.findings.iter();
            let serious = serious.filter(|finding| finding.severity > FindingSeverity::Note);
            serious.map(|finding| (test.name.clone(), finding.check.clone()))
        })
        .collect()
}

fn is_sound(path: &Path) -> bool {
    let db = Database::open(path, None).unwrap();
    let report = check(&db, None, &CheckOptions::default(), &Silent);
    let errors = report.findings.iter();
    let mut errors = errors.filter(|finding| finding.problem.info().severity == Severity::Error);
    errors.next().is_none()
}

#[test]
fn the_real_directories_have_no_errors() {
    let Some(files) = files() else { return };
    for file in files {
        let report = isinteg(&IsintegOptions::new(&file), &RealDisk, &Silent).unwrap();
        let profile = report.profile.as_ref().map(|profile| profile.name.as_str());
        assert_eq!(profile, Some("directory"));
        assert_eq!(report.sums(), (0, 0, 0), "{}", file.display());
        assert!(
            report
                .tests
                .iter()
                .all(|test| test.available && test.rows > 0)
        );
        assert_eq!(report.tests.len(), 19);
        assert!(report.unread.is_empty());
    }
}

#[test]
fn each_defect_is_found_by_its_own_rule_alone() {
    let Some(files) = files() else { return };
    for (number, file) in files.iter().enumerate() {
        for seed in SEEDS {
            let dir = seeded(file, seed.patches[number]);
            let report = run(&copy_in(&dir), None);
            let expected = [(seed.test.to_owned(), seed.check.to_owned())];
            assert_eq!(
                found(&report),
                expected,
                "{} in {}",
                seed.name,
                file.display()
            );
            // Named alone, the test finds it too; the smaller file will do.
            if number == 0 {
                continue;
            }
            let mut options = IsintegOptions::new(copy_in(&dir));
            options.tests = vec![seed.test.to_owned()];
            let alone = isinteg(&options, &RealDisk, &Silent).unwrap();
            assert_eq!(found(&alone), expected, "{} alone", seed.name);
        }
    }
}

#[test]
fn two_rows_with_one_guid() {
    let Some(files) = files() else { return };
    for (file, (page, at)) in files.iter().zip(GUID_OF_13) {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = std::fs::read(file).unwrap();
        let before = bytes[at as usize..][..16].to_vec();
        // The GUID of the root is known: zeros.
        patch(&mut bytes, page, at, &before, &[0; 16]);
        std::fs::write(copy_in(&dir), bytes).unwrap();
        let report = run(&copy_in(&dir), None);
        assert_eq!(
            found(&report),
            [("guid".to_owned(), "guid.unique".to_owned())]
        );
    }
}

#[test]
fn fixes_put_right_what_was_seeded_and_nothing_else() {
    let Some(files) = files() else { return };
    for (number, file) in files.iter().enumerate() {
        let whole = content_of(file);
        for seed in SEEDS {
            // Of the larger file one seed of each table will do.
            let samples = ["a chain", "a reference count", "a descriptor's hash"];
            if number == 0 && !samples.contains(&seed.name) {
                continue;
            }
            let dir = seeded(file, seed.patches[number]);
            let path = copy_in(&dir);
            let before = std::fs::read(&path).unwrap();
            let name = format!("{} in {}", seed.name, file.display());
            let dry = run(&path, Some(fix(true, true)));
            assert_eq!(dry.has_fixes(), seed.fix.is_some(), "{name}");
            assert_eq!(std::fs::read(&path).unwrap(), before, "{name}: a dry run");
            let plain = run(&path, Some(fix(false, false)));
            assert_eq!(plain.has_fixes(), seed.fix == Some(Fix::Plain), "{name}");
            if seed.fix != Some(Fix::Plain) {
                assert_eq!(
                    std::fs::read(&path).unwrap(),
                    before,
                    "{name}: no fix, no change"
                );
            }
            let fixed = match seed.fix {
                None => continue,
                Some(Fix::Plain) => plain,
                Some(Fix::Trust) => run(&path, Some(fix(true, false))),
            };
            assert_eq!(fixed.left.errors, 0, "{name}");
            assert!(is_sound(&path), "{name}");
            let again = run(&path, Some(fix(true, false)));
            assert_eq!(
                (again.sums(), again.amended.is_none()),
                ((0, 0, 0), true),
                "{name}"
            );
            if seed.fix == Some(Fix::Plain) {
                assert_eq!(content_of(&path), whole, "{name}");
            }
            let undo = fixed.amended.unwrap().undo_file.unwrap();
            undo_file(&undo, UndoOptions::default()).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), before, "{name}: undo");
        }
    }
}

/// The smaller file with patches.
fn small(patches: &[Patch]) -> Option<tempfile::TempDir> {
    files().map(|files| seeded(&files[1], patches))
}

/// The details of all findings but notes, by rule.
fn details(report: &IsintegReport) -> Vec<(&str, &str)> {
    let findings = report.tests.iter().flat_map(|test| &test.findings);
    let serious = findings.filter(|finding| finding.severity > FindingSeverity::Note);
    serious
        .map(|finding| (finding.check.as_str(), finding.detail.as_str()))
        .collect()
}

/// Whether there is a fix for everybody, and one for who trusts the profile.
fn fixes(dir: &tempfile::TempDir) -> [bool; 2] {
    [false, true].map(|trust| run(&copy_in(dir), Some(fix(trust, true))).has_fixes())
}

const SD_TYPE: [Patch; 2] = [
    (14, 0x1_EE9A, &[11, 0, 0, 0], &[12, 0, 0, 0]),
    (28, 0x3_AE9A, &[11, 0, 0, 0], &[12, 0, 0, 0]),
];
/// The type of `objectCategory`, to that of text and to that of bytes.
const CATEGORY_TYPE: [[Patch; 2]; 2] = [
    [
        (19, 0x2_8370, &[4, 0, 0, 0], &[12, 0, 0, 0]),
        (29, 0x3_C370, &[4, 0, 0, 0], &[12, 0, 0, 0]),
    ],
    [
        (19, 0x2_8370, &[4, 0, 0, 0], &[11, 0, 0, 0]),
        (29, 0x3_C370, &[4, 0, 0, 0], &[11, 0, 0, 0]),
    ],
];

#[test]
fn what_cannot_be_read_proves_nothing() {
    let Some(dir) = small(&SD_TYPE) else { return };
    let what = "its type cannot hold values of this syntax";
    let report = run(&copy_in(&dir), None);
    assert_eq!(details(&report), [("schema", what)]);
    assert_eq!(fixes(&dir), [false, false]);
    for types in &CATEGORY_TYPE {
        let Some(dir) = small(types) else { return };
        let report = run(&copy_in(&dir), None);
        assert_eq!(details(&report), [("schema", what)]);
        let notes = report.tests.iter().find(|test| test.name == "refcount");
        let notes = &notes.unwrap().findings;
        assert!(!notes.is_empty());
        let why = "not all references could be read";
        assert!(notes.iter().all(|note| note.detail.ends_with(why)));
        assert_eq!(fixes(&dir), [false, false]);
    }
}

#[test]
fn two_counts_that_are_wrong_by_as_much_may_be_right() {
    // The root's descriptor, and a category.
    const SD: Patch = (104, 0xD_20EC, &[1, 0, 0, 0], &[3, 0, 0, 0]);
    const CATEGORY: Patch = (104, 0xD_394F, &[14, 0, 0, 0], &[15, 0, 0, 0]);
    for (patch, check) in [(SD, "sd.ref"), (CATEGORY, "refcount")] {
        let Some(dir) = small(&[patch]) else { return };
        let report = run(&copy_in(&dir), None);
        let checks: Vec<&str> = details(&report).iter().map(|(check, _)| *check).collect();
        assert_eq!(checks, [check, check]);
        assert_eq!(fixes(&dir), [false, true]);
        let path = copy_in(&dir);
        run(&path, Some(fix(true, false)));
        // A descriptor that nobody uses since then is still there: that it goes is another decision.
        let rest = run(&path, None);
        assert_eq!(rest.sums().1, 0);
        assert!(
            details(&rest)
                .iter()
                .all(|(check, _)| *check == "sd.unused")
        );
    }
}

#[test]
fn rows_below_know_whether_a_head_is_one() {
    const SEEDS: [(&str, Patch, &str, &str); 4] = [
        (
            "a head of many",
            (104, 0xD_23E2, &[13, 0, 0, 0], &[12, 0, 0, 0]),
            "nc",
            "its instanceType (or OBJ_col) says that it is no naming context, but 313 rows below it say it is",
        ),
        (
            "the head above",
            (104, 0xD_219F, &[5, 0, 0, 0], &[4, 0, 0, 0]),
            "nc",
            "its instanceType (or OBJ_col) says that it is no naming context, but 2 rows below it say it is",
        ),
        (
            "no head",
            (104, 0xD_34D5, &[4, 0, 0, 0], &[13, 0, 0, 0]),
            "subrefs",
            "subRefs lacks 13",
        ),
        (
            "a head that names itself",
            (104, 0xD_2144, &[2, 0, 0, 0], &[4, 0, 0, 0]),
            "nc",
            "NCDNT_col is 4, should be 2",
        ),
    ];
    for (name, patch, check, detail) in SEEDS {
        let Some(dir) = small(&[patch]) else { return };
        let report = run(&copy_in(&dir), None);
        let found = details(&report);
        let rest = found.iter().filter(|found| **found != (check, detail));
        assert_eq!(rest.clone().count() + 1, found.len(), "{name}: {found:?}");
        assert!(
            rest.clone().all(|(check, _)| *check == "subrefs.odd"),
            "{name}: {found:?}"
        );
        // One row that says another than its head has no other witness.
        assert_eq!(
            fixes(&dir),
            [false, name == "a head that names itself"],
            "{name}"
        );
    }
}

#[test]
fn one_cause_is_one_finding() {
    const MISSING: &[u8] = &[0x9F, 0x86, 1, 0];
    let cases: [(&[Patch], &str, &str); 5] = [
        (
            &[
                (104, 0xD_33BC, &[5, 0, 0, 0], MISSING),
                (104, 0xD_3BE8, &[5, 0, 0, 0], MISSING),
            ],
            "dnt",
            "PDNT_col 99999 is not there; 2 rows have it",
        ),
        (
            &[
                (104, 0xD_394F, &[14, 0, 0, 0], MISSING),
                (104, 0xD_3DCF, &[14, 0, 0, 0], MISSING),
            ],
            "dangling",
            "ATTb590606: 99999 is not there; 2 values",
        ),
        (
            &[(195, 0x18_8042, &[1, 0x10], &[1, 0])],
            "usn",
            "usn_col is 1, but ",
        ),
        (
            &[(195, 0x18_8053, b"0", b"1")],
            "sd.ref",
            "descriptors are still to be moved into their table: not tested",
        ),
        (&[(104, 0xD_33C0, &[1], &[3])], "phantom", "OBJ_col is 3"),
    ];
    for (patches, check, detail) in cases {
        let Some(dir) = small(patches) else { return };
        let report = run(&copy_in(&dir), None);
        let found = details(&report);
        let is_it = |found: &(&str, &str)| found.0 == check && found.1.starts_with(detail);
        assert!(
            found.len() == 1 && found.iter().all(is_it),
            "{detail}: {found:?}"
        );
    }
    // What only objects have.
    let Some(dir) = small(&[(104, 0xD_33C0, &[1], &[0])]) else {
        return;
    };
    let report = run(&copy_in(&dir), None);
    let has = "OBJ_col is 0, but it has objectClass, instanceType, nTSecurityDescriptor";
    assert_eq!(details(&report), [("phantom", has)]);
}
