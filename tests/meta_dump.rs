//! Metadata dumps of the sample databases, whole and damaged.

#[path = "common/cli.rs"]
mod cli;

use std::path::Path;

use exutil::db::catalog::{CATALOG_ROOT, CATALOG_TABLES_ROOT};
use exutil::format::ids::{PageSize, Pgno};
use exutil::jet::JetError;
use exutil::ops::meta_dump::{MetaDump, MetaOptions, dump_meta, guid};

fn dump(path: &Path) -> MetaDump {
    let options = MetaOptions {
        details: true,
        ..MetaOptions::default()
    };
    dump_meta(path, &options).unwrap()
}

fn names(dump: &MetaDump) -> Vec<&str> {
    dump.tables
        .iter()
        .map(|table| table.name.as_str())
        .collect()
}

fn with_bad_page(pgno: Pgno) -> tempfile::NamedTempFile {
    cli::damaged("mini-4k.edb", |bytes| {
        cli::spoil(bytes, pgno.offset(PageSize::K4));
    })
}

#[test]
fn tables_columns_and_indexes_stand_by_name() {
    let report = dump(&cli::testdata("priv1.edb"));
    assert_eq!(report.jet(), JetError::SUCCESS);
    let names = names(&report);
    assert!(names.contains(&"Msg") && names.contains(&"MSysObjects"));
    let upper = |name: &str| name.to_ascii_uppercase();
    assert!(names.is_sorted_by_key(|name| upper(name)));
    for table in &report.tables {
        let columns = table.columns.iter().map(|meta| upper(&meta.column.name));
        assert!(columns.is_sorted(), "{}", table.name);
        let indexes = table.indexes.iter().map(|meta| upper(&meta.index.name));
        assert!(indexes.is_sorted(), "{}", table.name);
        for meta in &table.indexes {
            assert_eq!(meta.key.len(), meta.index.segments.len());
        }
    }
}

#[test]
fn a_damaged_catalog_is_told_from_its_shadow() {
    let whole = dump(&cli::testdata("mini-4k.edb"));
    for root in [CATALOG_ROOT, CATALOG_TABLES_ROOT] {
        let copy = with_bad_page(root);
        let report = dump(copy.path());
        assert_eq!(report.jet(), JetError::READ_VERIFY_FAILURE);
        assert_eq!(report.stopped.unwrap().stop.page, Some(root));
        assert_eq!(names(&report), names(&whole));
        for (table, sound) in report.tables.iter().zip(&whole.tables) {
            assert_eq!(table.columns.len(), sound.columns.len());
            let keys = |table: &exutil::ops::meta_dump::TableMeta| {
                let indexes = table.indexes.iter().map(|meta| meta.key.clone());
                indexes.collect::<Vec<_>>()
            };
            assert_eq!(keys(table), keys(sound));
        }
    }
}

#[test]
fn one_table_alone() {
    let options = MetaOptions {
        table: Some("TYPES".to_owned()),
        ..MetaOptions::default()
    };
    let report = dump_meta(&cli::testdata("mini-4k.edb"), &options).unwrap();
    assert_eq!(names(&report), ["types"]);
}

#[test]
fn sort_ids_are_written_as_windows_does() {
    let bytes = *b"\x01\x00\x00\x00\xee\x57\x5c\x1e\x00\xb4\xd0\x00\x0b\xb1\xe1\x1e";
    assert_eq!(guid(&bytes), "00000001-57ee-1e5c-00b4-d0000bb1e11e");
}

#[test]
fn the_dump_reads_as_eseutil_has_it() {
    insta::assert_snapshot!("priv1", cli::run(&["mm", "priv1.edb", "/o"]));
    insta::assert_snapshot!(
        "priv1_msg",
        cli::run(&["/mm", "priv1.edb", "/v", "/tMsg", "/o"])
    );
    let types = cli::run(&["/mm", "mini-4k.edb", "/v", "/ttypes", "/o"]);
    insta::assert_snapshot!("mini_4k_types", types);
    insta::assert_snapshot!("dirty", cli::run(&["mm", "dirty.edb", "/o"]));
    let none = cli::run(&["mm", "priv1.edb", "/tnothing", "/o"]);
    insta::assert_snapshot!("no_such_table", none);
}

#[test]
fn tables_and_json_hold_the_whole_schema() {
    let table = cli::run(&["mm", "mini-2k.edb", "--format", "table", "/o"]);
    insta::assert_snapshot!("mini_2k_table", table);
    let json = cli::run(&["mm", "mini-4k.edb", "--format", "json", "/o"]);
    let (_, json) = json.split_once('\n').unwrap();
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    let tables = document["result"]["tables"].as_array().unwrap();
    let types = tables
        .iter()
        .find(|table| table["name"] == "types")
        .unwrap();
    assert!(types["columns"].as_array().unwrap().len() > 20);
    assert!(types["columns"][0]["coltyp"].is_string());
    assert!(!types["indexes"][0]["key"].as_array().unwrap().is_empty());
}
