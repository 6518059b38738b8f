//! Random damage, seeded, over all page sizes: repair never panics, keeps every record of every page that was left
//! alone, and leaves a database in which nothing is found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use exutil::check::{CheckOptions, CheckReport, check};
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::dbheader::DbHeader;
use exutil::format::ids::{Objid, Pgno};
use exutil::problem::Severity;
use exutil::progress::Silent;
use exutil::repair::{RepairOptions, Rewritten, Scratch, rewrite};
use exutil::salvage::Inventory;
use exutil::storage::{Memory, Storage};
use exutil::tree::walk::for_each_node;

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

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new("testdata").join(name)).unwrap()
}

fn open(bytes: Vec<u8>) -> Database {
    Database::from_storage(Box::new(Memory::new(bytes)), Path::new("sample"), None).unwrap()
}

fn checked(db: &Database) -> CheckReport {
    check(db, None, &CheckOptions::default(), &Silent)
}

/// The repaired file, and what it lacks.
fn repaired(db: &Database) -> Result<(Vec<u8>, Rewritten), String> {
    let inventory = Inventory::scan(db, None, &Silent);
    let scratch: Scratch = Arc::new(|| Ok(Box::new(Memory::default()) as Box<dyn Storage>));
    let options = RepairOptions {
        trust_damaged_pages: false,
        drop_incomplete: false,
        keep_orphans: false,
        memory: 1 << 20,
        scratch: &scratch,
    };
    let out = Memory::default();
    let header = DbHeader {
        state: 3,
        ..db.header().clone()
    };
    let written = rewrite(
        db,
        &inventory,
        &checked(db),
        &options,
        (&out, Some(&header)),
        &Silent,
    )
    .map_err(|error| error.to_string())?;
    Ok((out.into_bytes(), written))
}

/// Keys of the records of each table, with the page that each is on.
type Records = BTreeMap<Objid, BTreeMap<Vec<u8>, (Pgno, Vec<u8>)>>;

fn records(db: &Database) -> Records {
    let schema = Schema::read(db);
    let mut all = Records::new();
    for table in schema
        .tables
        .values()
        .filter(|table| table.objid > Objid::new(5))
    {
        let records = all.entry(table.objid).or_default();
        for_each_node(
            db,
            table.root,
            |pgno, _, node| {
                records.insert(node.key(), (pgno, node.data.to_vec()));
            },
            |_, _| {},
        );
    }
    all
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
    let db = open(bytes);
    let sound = checked(&db).is_sound();
    let fail = |what: String| Err(format!("{file} seed {seed} ({told}): {what}"));
    let (new, written) = match repaired(&db) {
        Ok(done) => done,
        Err(error) => return fail(error),
    };
    let db = open(new);
    let report = checked(&db);
    let serious = report.findings.iter();
    let serious: Vec<_> = serious
        .filter(|finding| finding.problem.info().severity > Severity::Note)
        .take(3)
        .collect();
    let told_missing = written
        .losses
        .tables
        .iter()
        .any(|table| table.indexes.iter().any(|index| !index.missing.is_empty()));
    if !serious.is_empty() && !told_missing {
        return fail(format!("{serious:?}"));
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
