//! Damage of every kind, seeded, over all page sizes: the integrity check names what was done, on the
//! page where it was done, never panics, and finds nothing in the undamaged file.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use exutil::check::{CheckOptions, CheckReport, check};
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::problem::{Problem, Severity};
use exutil::progress::Silent;
use exutil::storage::Memory;

const FILES: [&str; 5] = [
    "priv1.edb",
    "mini-2k.edb",
    "mini-4k.edb",
    "mini-8k.edb",
    "mini-32k.edb",
];

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new("testdata").join(name)).unwrap()
}

fn checked(bytes: Vec<u8>) -> CheckReport {
    let db =
        Database::from_storage(Box::new(Memory::new(bytes)), Path::new("sample"), None).unwrap();
    check(&db, None, &CheckOptions::default(), &Silent)
}

#[test]
fn sound_samples_have_no_findings() {
    for file in FILES {
        let report = checked(sample(file));
        let serious: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.problem.info().severity > Severity::Note)
            .collect();
        assert!(serious.is_empty(), "{file}: {serious:#?}");
        assert!(report.tables.iter().map(|table| table.records).sum::<u64>() > 0);
    }
}

#[test]
fn every_kind_of_damage_is_found_where_it_was_done() {
    let mut done_by_kind: BTreeMap<Damage, u32> = BTreeMap::new();
    for file in FILES {
        let bytes = sample(file);
        for kind in Damage::ALL
            .into_iter()
            .filter(|kind| *kind != Damage::PrimaryHeader)
        {
            for seed in 0..12 {
                let mut harmed = bytes.clone();
                let Some(done) = damage(&mut harmed, kind, seed) else {
                    continue;
                };
                *done_by_kind.entry(kind).or_default() += 1;
                let report = checked(harmed);
                let named = report.findings.iter().any(|finding| {
                    let place = &finding.place;
                    kind.found_as().contains(&finding.problem)
                        && (place.page == Some(done.page)
                            || place.page.is_some()
                                && matches!(kind, Damage::WrongChild | Damage::ChildCycle))
                });
                assert!(
                    named,
                    "{file} {kind:?} seed {seed} page {}: {:#?}",
                    done.page, report.findings
                );
            }
        }
    }
    for kind in Damage::ALL
        .into_iter()
        .filter(|kind| *kind != Damage::PrimaryHeader)
    {
        assert!(
            done_by_kind.get(&kind).copied().unwrap_or(0) >= 12,
            "{kind:?} was hardly tried"
        );
    }
}

#[test]
fn damage_stays_where_it_is() {
    // Damage to one table says nothing about the others.
    for seed in 0..20 {
        let mut bytes = sample("priv1.edb");
        let done = damage(&mut bytes, Damage::Noise, seed).unwrap();
        let report = checked(bytes);
        let tables: std::collections::BTreeSet<_> = report
            .findings
            .iter()
            .filter(|finding| finding.problem.info().severity == Severity::Error)
            .filter(|finding| finding.problem != Problem::CatalogObject)
            .filter_map(|finding| finding.place.table.clone())
            .collect();
        assert!(
            tables.len() <= 1,
            "page {}: {tables:?} {:#?}",
            done.page,
            report.findings
        );
    }
}

#[test]
fn the_same_seed_does_the_same_harm_and_threads_agree() {
    let bytes = sample("mini-4k.edb");
    for kind in Damage::ALL {
        let (mut one, mut two) = (bytes.clone(), bytes.clone());
        assert_eq!(damage(&mut one, kind, 7), damage(&mut two, kind, 7));
        assert_eq!(one, two);
        let mut reports = [1, 4].into_iter().map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| checked(one.clone())).findings
        });
        assert_eq!(reports.next(), reports.next(), "{kind:?}");
    }
}
