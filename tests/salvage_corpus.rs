//! Salvage of what the engine's own repair had to do with: no table has fewer records than the repair kept. Skips
//! without the corpus of engine-made files.

#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod needs;
#[path = "common/salvage.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exutil::db::Database;
use exutil::db::flush_map::FlushMap;
use exutil::progress::Silent;
use exutil::salvage::{Inventory, SalvageOptions, SalvagedCatalog, TreeKind};

use tools::{Tree, Work, plain, trees, walk};

/// Records of each table in a dump of the content.
fn dumped(file: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut tables = BTreeMap::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("TABLE ") {
            name.trim().clone_into(&mut table);
            tables.insert(table.clone(), 0);
        } else if line.trim_start().starts_with("ROW bm=") {
            *tables.entry(table.clone()).or_default() += 1;
        }
    }
    tables
}

fn work(file: &Path, flush_map: bool) -> Option<Work> {
    let db = Database::open(file, None).ok()?;
    let map = flush_map.then(|| FlushMap::beside(&db)).flatten();
    let inventory = Inventory::scan(&db, map.as_ref(), &Silent);
    Some(Work { db, inventory })
}

/// Salvaged records of each table, by the salvaged catalog.
fn salvaged(work: &Work, trust: bool) -> BTreeMap<String, usize> {
    let catalog = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
    let schema = catalog.schema(&work.db);
    let mut counts = BTreeMap::new();
    for table in schema.tables.values() {
        let options = SalvageOptions {
            trust_damaged_pages: trust,
            limits: schema.limits(table),
            ..plain()
        };
        let tree = Tree {
            objid: table.objid,
            root: table.root,
            kind: TreeKind::Data,
        };
        let (nodes, _) = work.read(tree, Some(table.root), &options);
        assert!(tools::is_rising(&nodes, tree));
        counts.insert(table.name.clone(), nodes.len());
    }
    counts
}

fn engine() -> Option<PathBuf> {
    needs::corpus().map(|corpus| corpus.join("engine"))
}

#[test]
fn no_record_is_lost_that_the_engines_repair_keeps() {
    let Some(engine) = engine() else { return };
    let mut cases: Vec<PathBuf> = std::fs::read_dir(engine)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    let mut seen = 0;
    let mut fewer = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let content = case.join("post-p-content.txt");
        if !(name.starts_with("c-") || name.starts_with("l-")) || !content.exists() {
            continue;
        }
        let kept = dumped(&content);
        let Some(work) = work(&case.join("pre/test.edb"), true) else {
            assert!(
                kept.values().sum::<usize>() == 0,
                "{name}: the engine could open it"
            );
            println!("{name}: no header, and nothing kept");
            continue;
        };
        let (plain, trust) = (salvaged(&work, false), salvaged(&work, true));
        for (table, engine) in &kept {
            let ours = plain.get(table).copied().unwrap_or(0);
            let more = trust.get(table).copied().unwrap_or(0);
            println!("{name} {table}: engine {engine}, salvaged {ours}, trusting {more}");
            if ours < *engine || more < ours {
                fewer.push(format!("{name} {table}: {engine} {ours} {more}"));
            }
        }
        seen += 1;
    }
    assert!(fewer.is_empty(), "{fewer:#?}");
    assert!(seen > 30, "{seen}");
}

#[test]
fn sound_engine_files_come_back_whole() {
    let Some(engine) = engine() else { return };
    let mut seen = 0;
    for case in [
        "clean-4k",
        "clean-8k",
        "clean-16k",
        "clean-32k",
        "clean-ddl2",
    ] {
        let file = engine.join(case).join("db/test.edb");
        let Some(work) = work(&file, true) else {
            continue;
        };
        for tree in trees(&work.db) {
            let (nodes, report) = work.read(tree, Some(tree.root), &plain());
            assert!(nodes == walk(&work.db, tree), "{case} {tree:?} {report:?}");
            assert!(report.is_whole(), "{case} {report:?}");
        }
        let catalog = SalvagedCatalog::read(&work.db, &work.inventory, &plain());
        assert_eq!(catalog.report.same, catalog.rows.len() as u64, "{case}");
        println!("{case}: orphans {:?}", catalog.orphans);
        seen += 1;
    }
    assert!(seen >= 4);
}
