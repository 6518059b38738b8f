//! `isinteg` on the two real directories: nothing is wrong with them, and each of 23 seeded defects is found by exactly one
//! rule. Those that have a fix are put right, and nothing else changes. `docs/directory-rules.md`

mod common;

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

/// Page, offset in the file, bytes there, bytes instead.
type Patch = (u32, u64, &'static [u8], &'static [u8]);

/// A defect of both files.
struct Seed {
    name: &'static str,
    /// The test and the rule that find it.
    test: &'static str,
    check: &'static str,
    /// What a fix needs: `None`: there is none.
    fix: Option<Fix>,
    /// The patches of ntds.dit and of adamntds.dit.
    patches: [&'static [Patch]; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fix {
    Plain,
    Trust,
}

const FILES: [&str; 2] = [
    "real/ntds-2012r2/pre/ntds.dit",
    "real/adamntds-2008/pre/adamntds.dit",
];

macro_rules! seed {
    ($name:literal, $test:literal, $check:literal, $fix:expr, [$(($pa:literal, $oa:literal, $fa:expr, $ta:expr)),*], [$(($pb:literal, $ob:literal, $fb:expr, $tb:expr)),*]) => {
        Seed {
            name: $name,
            test: $test,
            check: $check,
            fix: $fix,
            patches: [&[$(($pa, $oa, $fa, $ta)),*], &[$(($pb, $ob, $fb, $tb)),*]],
        }
    };
}

const SEEDS: &[Seed] = &[
    seed!(
        "root's parent",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_6094, &[0; 4], &[1, 0, 0, 0])],
        [(104, 0xD_2090, &[0; 4], &[1, 0, 0, 0])]
    ),
    seed!(
        "a chain",
        "ancestors",
        "ancestors",
        Some(Fix::Plain),
        [(290, 0x24_772B, &[5, 0, 0, 0], &[4, 0, 0, 0])],
        [(104, 0xD_344F, &[5, 0, 0, 0], &[4, 0, 0, 0])]
    ),
    seed!(
        "a naming context",
        "nc",
        "nc",
        Some(Fix::Plain),
        [(290, 0x24_769F, &[5, 0, 0, 0], &[4, 0, 0, 0])],
        [(104, 0xD_33D1, &[5, 0, 0, 0], &[4, 0, 0, 0])]
    ),
    seed!(
        "a distinguished name",
        "self",
        "self",
        Some(Fix::Plain),
        [(290, 0x24_77A6, &[13, 0, 0, 0], &[15, 0, 0, 0])],
        [(104, 0xD_34B2, &[13, 0, 0, 0], &[15, 0, 0, 0])]
    ),
    seed!(
        "the attribute of a name",
        "rdn",
        "rdn",
        None,
        [(290, 0x24_768B, &[3, 0, 0, 0], &[10, 0, 0, 0])],
        [(104, 0xD_33C1, &[3, 0, 0, 0], &[10, 0, 0, 0])]
    ),
    seed!(
        "a reference count",
        "refcount",
        "refcount",
        Some(Fix::Plain),
        [(290, 0x24_768F, &[1, 0, 0, 0], &[2, 0, 0, 0])],
        [(104, 0xD_33C5, &[1, 0, 0, 0], &[2, 0, 0, 0])]
    ),
    seed!(
        "a descriptor's count",
        "sd.ref",
        "sd.ref",
        Some(Fix::Plain),
        [(1191, 0x95_00DC, &[2, 0, 0, 0], &[3, 0, 0, 0])],
        [(205, 0x19_C0DC, &[2, 0, 0, 0], &[3, 0, 0, 0])]
    ),
    seed!(
        "a descriptor's hash",
        "sd.hash",
        "sd.hash",
        Some(Fix::Plain),
        [(1191, 0x95_00CC, &[0xA5], &[0xA4])],
        [(205, 0x19_C0CC, &[0xA5], &[0xA4])]
    ),
    seed!(
        "a descriptor",
        "sd.valid",
        "sd.valid",
        None,
        [(1191, 0x95_00E6, &[1], &[2])],
        [(205, 0x19_C0E6, &[1], &[2])]
    ),
    seed!(
        "a link's attribute",
        "links",
        "links",
        None,
        [
            (1067, 0x85_8079, &[0xFA, 3, 0, 0], &[0x88, 0x13, 0, 0]),
            (1067, 0x85_8063, &[0x80, 0, 3, 0xFA], &[0x80, 0, 0x13, 0x88])
        ],
        [
            (257, 0x20_4079, &[0xFA, 3, 0, 0], &[0x88, 0x13, 0, 0]),
            (257, 0x20_4063, &[0x80, 0, 3, 0xFA], &[0x80, 0, 0x13, 0x88])
        ]
    ),
    seed!(
        "a head that is not told of",
        "subrefs",
        "subrefs.odd",
        None,
        [(290, 0x24_65B4, &[13, 0, 0, 0], &[5, 0, 0, 0])],
        [(104, 0xD_23E2, &[13, 0, 0, 0], &[5, 0, 0, 0])]
    ),
    seed!(
        "the root's dMDLocation",
        "dangling",
        "dangling",
        None,
        [(290, 0x24_60E5, &[3, 0, 0, 0], &[0, 0xFF, 0xFF, 0])],
        [(104, 0xD_20CF, &[3, 0, 0, 0], &[0, 0xFF, 0xFF, 0])]
    ),
    seed!(
        "a syntax",
        "schema",
        "schema",
        None,
        [(290, 0x24_77CA, &[0x10, 0, 8, 0], &[9, 0, 8, 0])],
        [(104, 0xD_38E2, &[0x10, 0, 8, 0], &[9, 0, 8, 0])]
    ),
    seed!(
        "a USN",
        "usn",
        "usn",
        None,
        [(
            290,
            0x24_77D6,
            &[6, 0, 0, 0, 0, 0, 0, 0],
            &[0x88, 0x13, 0, 0, 0, 0, 0, 0]
        )],
        [(
            104,
            0xD_3920,
            &[6, 0, 0, 0, 0, 0, 0, 0],
            &[0x88, 0x13, 0, 0, 0, 0, 0, 0]
        )]
    ),
    seed!(
        "the server's object",
        "hidden",
        "hidden.dsa",
        None,
        [(1057, 0x84_404A, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0])],
        [(195, 0x18_804A, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0])]
    ),
    seed!(
        "a parent that is not there",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_7686, &[5, 0, 0, 0], &[0x9F, 0x86, 1, 0])],
        [(104, 0xD_33BC, &[5, 0, 0, 0], &[0x9F, 0x86, 1, 0])]
    ),
    seed!(
        "its own parent",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_7686, &[5, 0, 0, 0], &[13, 0, 0, 0])],
        [(104, 0xD_33BC, &[5, 0, 0, 0], &[13, 0, 0, 0])]
    ),
    seed!(
        "another parent",
        "dnt",
        "dnt",
        None,
        [(290, 0x24_7686, &[5, 0, 0, 0], &[4, 0, 0, 0])],
        [(104, 0xD_33BC, &[5, 0, 0, 0], &[4, 0, 0, 0])]
    ),
    seed!(
        "a category that is not there",
        "dangling",
        "dangling",
        None,
        [(290, 0x24_7867, &[14, 0, 0, 0], &[0x9F, 0x86, 1, 0])],
        [(104, 0xD_394F, &[14, 0, 0, 0], &[0x9F, 0x86, 1, 0])]
    ),
    seed!(
        "a descriptor that is not there",
        "sd.ref",
        "sd.ref",
        None,
        [(
            290,
            0x24_784E,
            &[3, 0, 0, 0, 0, 0, 0, 0],
            &[0x4D, 0, 0, 0, 0, 0, 0, 0]
        )],
        [(
            104,
            0xD_38FB,
            &[3, 0, 0, 0, 0, 0, 0, 0],
            &[0x4D, 0, 0, 0, 0, 0, 0, 0]
        )]
    ),
    seed!(
        "a SID in a descriptor",
        "sd.hash",
        "sd.hash",
        None,
        [(1191, 0x95_019B, &[0x20, 2], &[0x21, 2])],
        [(205, 0x19_C193, &[0x20, 2], &[0x21, 2])]
    ),
    seed!(
        "a class that is not there",
        "schema",
        "schema",
        None,
        [(290, 0x24_61D5, &[4, 0, 1, 0], &[0xCF, 1, 1, 0])],
        [(104, 0xD_21AD, &[4, 0, 1, 0], &[0xCF, 1, 1, 0])]
    ),
    seed!(
        "a link of a row that is not there",
        "links",
        "links",
        Some(Fix::Trust),
        [
            (1067, 0x85_8071, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0]),
            (1067, 0x85_805E, &[0x80, 0, 0, 7], &[0x80, 1, 0x86, 0x9F])
        ],
        [
            (257, 0x20_4071, &[7, 0, 0, 0], &[0x9F, 0x86, 1, 0]),
            (257, 0x20_405E, &[0x80, 0, 0, 7], &[0x80, 1, 0x86, 0x9F])
        ]
    ),
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
            // Named alone, the test finds it too.
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
            // That nothing is changed where there is no fix, the smaller file shows as well.
            if seed.fix.is_none() && number == 0 {
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
