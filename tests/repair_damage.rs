//! Random damage, seeded, over all page sizes: repair never panics, keeps every record of every page that was left
//! alone, and leaves a database in which nothing is found.

#[path = "common/harm.rs"]
mod harm;
#[path = "common/repairing.rs"]
mod repairing;

use std::path::Path;

use exutil::damage::mend_headers;
use exutil::format::ids::PageSize;
use exutil::ops::repair::{Outcome, RepairReport, repair};
use exutil::problem::{Finding, Problem, Severity};
use exutil::progress::Silent;
use exutil::storage::MemoryDisk;
use exutil::undo::UndoFile;
use harm::harm;
use repairing::{Records, checked, open, options, records, repaired, sample};

const FILES: [&str; 5] = [
    "priv1.edb",
    "mini-2k.edb",
    "mini-4k.edb",
    "mini-8k.edb",
    "mini-32k.edb",
];
/// Seeds for each file.
const SEEDS: u64 = 200;

fn try_seed(file: &str, bytes: &[u8], before: &Records, seed: u64) -> Result<bool, String> {
    let mut bytes = bytes.to_vec();
    let (changed, told) = harm(&mut bytes, seed);
    let mut db = open(bytes);
    let sound = checked(&db).is_sound();
    let fail = |what: String| Err(format!("{file} seed {seed} ({told}): {what}"));
    let (new, written) = match repaired(&mut db) {
        Ok(done) => done,
        Err(error) => return fail(error),
    };
    let db = open(new);
    let report = checked(&db);
    let serious = report.findings.iter();
    let serious: Vec<_> = serious
        .filter(|finding| finding.problem.info().severity > Severity::Note)
        .collect();
    let told_missing = written
        .losses
        .tables
        .iter()
        .any(|table| table.indexes.iter().any(|index| !index.missing.is_empty()));
    // Entries whose sort keys are not known are told, and all that may be left.
    let is_told =
        |finding: &&Finding| told_missing && finding.problem == Problem::IndexEntryMissing;
    if let Some(other) = serious.iter().find(|finding| !is_told(finding)) {
        return fail(format!("{other:?}"));
    }
    let after = records(&db);
    for (objid, records) in before {
        for (key, (pgno, _)) in records {
            if changed.contains(pgno) {
                continue;
            }
            if !after
                .get(objid)
                .is_some_and(|table| table.contains_key(key))
            {
                let changes = &written.losses.catalog_changes;
                return fail(format!(
                    "object {objid}: page {pgno} lost {key:x?}; {changes:?}"
                ));
            }
        }
    }
    Ok(sound)
}

#[test]
fn every_record_of_an_undamaged_page_survives() {
    let mut failed = Vec::new();
    let mut sound = 0;
    for file in FILES {
        let bytes = sample(file);
        let before = records(&open(bytes.clone()));
        for seed in 0..SEEDS {
            match try_seed(file, &bytes, &before, seed) {
                Ok(was_sound) => sound += u64::from(was_sound),
                Err(what) => failed.push(what),
            }
        }
    }
    let (count, first) = (failed.len(), failed.iter().take(12));
    let first: Vec<_> = first.map(String::as_str).collect();
    assert!(failed.is_empty(), "{count} failed:\n{}", first.join("\n"));
    assert!(sound < FILES.len() as u64 * SEEDS / 3, "{sound} were sound");
}

fn run(
    disk: &MemoryDisk,
    path: &Path,
    page_size: Option<PageSize>,
) -> Result<RepairReport, String> {
    repair(&options(path, page_size), disk, &Silent).map_err(|error| error.to_string())
}

/// The whole command on files in memory: the database as it was comes back to the byte, and a second run finds nothing.
/// A third of the databases is dirty, a third has lost both headers.
#[test]
fn the_way_back_is_exact_and_the_second_run_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.edb");
    let mut repaired = 0;
    for file in FILES {
        let bytes = sample(file);
        let size = open(bytes.clone()).page_size();
        for seed in 1000..1045 {
            let mut harmed = bytes.clone();
            let (_, told) = harm(&mut harmed, seed);
            let forced = match seed % 3 {
                0 => {
                    harmed[52] = 2;
                    harmed[size.bytes() + 52] = 2;
                    mend_headers(&mut harmed, size);
                    None
                }
                1 => {
                    harmed[..2 * size.bytes()].fill(0);
                    Some(size)
                }
                _ => None,
            };
            let name = format!("{file} seed {seed} ({told})");
            let disk = MemoryDisk::new([(path.clone(), harmed.clone())]);
            let first = run(&disk, &path, forced).unwrap_or_else(|e| panic!("{name}: {e}"));
            let is_bad = seed % 3 != 2;
            assert!(!is_bad || first.outcome == Outcome::Repaired, "{name}");
            let (mut second, undo) = (first.left.len(), first.undo_file);
            let on_it = MemoryDisk::new([(path.clone(), disk.files()[&path].clone())]);
            // An entry that could not be made may be made once those that contradicted it are gone.
            for round in 0..3 {
                let again = run(&on_it, &path, None).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert!(again.left.len() <= second, "{name}: {:?}", again.left);
                if again.outcome == Outcome::Sound {
                    break;
                }
                assert!(second > 0 && round < 2, "{name}: repaired again");
                second = again.left.len();
            }
            if let Some(undo) = &undo {
                repaired += 1;
                UndoFile::open(&disk, undo).unwrap().restore(false).unwrap();
                assert!(disk.files()[&path] == harmed, "{name}");
            } else {
                assert!(disk.files()[&path] == harmed, "{name}");
            }
        }
    }
    assert!(repaired > 150, "{repaired}");
}
