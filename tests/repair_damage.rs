//! Random damage, seeded, over all page sizes: repair never panics, keeps every record of every page that was left
//! alone, and leaves a database in which nothing is found.

#[path = "common/repairing.rs"]
mod repairing;

use std::collections::BTreeSet;
use std::path::Path;

use exutil::check::CheckReport;
use exutil::damage::{Damage, damage, mend_headers};
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::stamp::LogTime;
use exutil::ops::repair::{Outcome, RepairFileOptions, RepairReport, Stage, Stages, repair};
use exutil::problem::{Finding, Problem, Severity};
use exutil::progress::Progress;
use exutil::storage::MemoryDisk;
use exutil::undo::UndoFile;
use repairing::{Records, checked, open, records, repaired, sample};

const FILES: [&str; 5] = [
    "priv1.edb",
    "mini-2k.edb",
    "mini-4k.edb",
    "mini-8k.edb",
    "mini-32k.edb",
];
/// Seeds for each file.
const SEEDS: u64 = 200;

/// A small generator of numbers: the same seed, the same numbers.
struct Seeded(u64);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// Does harm to one or several places; gives the pages that are no longer what they were.
fn harm(bytes: &mut Vec<u8>, seed: u64) -> (BTreeSet<Pgno>, String) {
    let before = bytes.clone();
    let size = open(before.clone()).page_size().bytes();
    let mut numbers = Seeded::new(seed);
    let mut told = Vec::new();
    for round in 0..numbers.below(5) + 1 {
        let pages = (bytes.len() / size) as u64;
        let page = (2 + numbers.below(pages - 2)) as usize;
        let at = page * size;
        let what = numbers.below(20);
        told.push(format!("{what}@{}", page - 1));
        match what {
            0 => bytes[at..at + size].fill(0),
            1 => bytes[at..at + size].fill_with(|| numbers.below(256) as u8),
            // A torn write: half of the page.
            2 => bytes[at + size / 2..at + size].fill(0xAA),
            // Anything at all, the catalog and the roots among it.
            3 => {
                let run = (numbers.below(3) as usize + 1).min(pages as usize - page);
                bytes[at..at + run * size].fill(0xFF);
            }
            4 if round == 0 && numbers.below(4) == 0 => {
                let least = 40.min(pages);
                let keep = least + numbers.below(pages - least + 1);
                bytes.truncate(keep as usize * size + numbers.below(size as u64) as usize);
            }
            5 => {
                let from = (2 + numbers.below(pages - 2)) as usize * size;
                bytes.copy_within(from..from + size, at);
            }
            kind => {
                let kinds = Damage::ALL;
                let kind = kinds[kind as usize % kinds.len()];
                if kind != Damage::PrimaryHeader {
                    let _ = damage(bytes, kind, numbers.below(u64::MAX));
                }
            }
        }
    }
    let changed = (2..before.len() / size)
        .filter(|page| {
            let range = page * size..(page + 1) * size;
            bytes.get(range.clone()) != before.get(range)
        })
        .map(|page| Pgno::new(page as u32 - 1));
    (changed.collect(), told.join(" "))
}

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

struct Quiet;

impl Progress for Quiet {
    fn start(&self, _total: u64) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
}

impl Stages for Quiet {
    fn stage(&self, _stage: Stage) {}
    fn proceed(&self, _check: &CheckReport) -> bool {
        true
    }
}

fn run(
    disk: &MemoryDisk,
    path: &Path,
    page_size: Option<PageSize>,
) -> Result<RepairReport, String> {
    let options = RepairFileOptions {
        path: path.to_owned(),
        page_size,
        temp: None,
        to: None,
        dry_run: false,
        trust_damaged_pages: false,
        drop_incomplete: false,
        keep_orphans: false,
        undo_file: None,
        keep_undo: true,
        now: LogTime::utc((2026, 11, 20), (12, 0, 0), 0),
    };
    repair(&options, disk, &Quiet).map_err(|error| error.to_string())
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
