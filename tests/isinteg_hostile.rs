//! `isinteg` on stores with damaged pages whose checksums are right, so that their content is believed: it ends, tells, and changes
//! nothing that it cannot prove.

mod common;

use common::{Random, folder_with, sample};
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::checksum::seal;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::stamp::LogTime;
use exutil::ops::isinteg::{FixOptions, IsintegOptions, isinteg};
use exutil::problem::Severity;
use exutil::progress::Silent;
use exutil::storage::RealDisk;

/// Damages of each sample.
const ROUNDS: u64 = 40;

/// Some bytes of some pages behind the headers.
fn damaged(bytes: &mut [u8], size: PageSize, random: &mut Random) {
    let pages = bytes.len() / size.bytes() - 2;
    for _ in 0..=random.below(4) {
        let pgno = Pgno::new(1 + random.below(pages) as u32);
        let start = pgno.offset(size) as usize;
        let page = &mut bytes[start..start + size.bytes()];
        for _ in 0..=random.below(12) {
            let at = 40 + random.below(size.bytes() - 40);
            let len = (1 + random.below(8)).min(size.bytes() - at);
            page[at..at + len].copy_from_slice(&random.bytes(len));
        }
        seal(page, size, pgno);
    }
}

#[test]
fn believed_damage_ends_and_is_never_made_worse() {
    for (name, size) in [
        ("store-2003-priv.edb", PageSize::K4),
        ("store-2003-pub.edb", PageSize::K4),
        ("store-2013.edb", PageSize::K32),
    ] {
        let dir = folder_with(&[]);
        let path = dir.path().join("x.edb");
        let mut found = 0;
        for seed in 0..ROUNDS {
            let mut random = Random(seed + 1);
            let mut bytes = sample(name);
            damaged(&mut bytes, size, &mut random);
            std::fs::write(&path, &bytes).unwrap();
            let mut options = IsintegOptions::new(&path);
            options.fix = Some(FixOptions {
                trust_profile: seed % 2 == 0,
                dry_run: false,
                undo_file: None,
                keep_undo: false,
                now: LogTime::default(),
            });
            // That it cannot be opened is an answer too.
            let Ok(report) = isinteg(&options, &RealDisk, &Silent) else {
                continue;
            };
            found += u64::from(report.totals.errors + report.totals.warnings > 0);
            let now = std::fs::read(&path).unwrap();
            let Some(amended) = &report.amended else {
                assert!(
                    now == bytes,
                    "{name} {seed}: nothing was fixed, and the file is another"
                );
                continue;
            };
            assert!(
                amended.rows_changed + amended.rows_removed > 0 || now == bytes,
                "{name} {seed}"
            );
            let db = Database::open(&path, None).unwrap();
            let checked = check(&db, None, &CheckOptions::default(), &Silent);
            let wrong = checked.findings.iter();
            let wrong: Vec<_> = wrong
                .filter(|finding| finding.problem.info().severity == Severity::Error)
                .collect();
            assert!(wrong.is_empty(), "{name} {seed}: {wrong:?}");
            let again = isinteg(&options, &RealDisk, &Silent).unwrap();
            assert!(again.amended.is_none(), "{name} {seed}: {:?}", again.totals);
        }
        assert!(found > ROUNDS / 8, "{name}: {found}");
    }
}
