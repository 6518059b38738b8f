//! Databases from the builder are whole, whatever their page size and format; the committed samples
//! are exactly what the builder writes.

#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "common/walk.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod walk;

use std::io::Cursor;
use std::path::Path;

use exutil::build::{Column, DatabaseBuilder, Index, Row, Table, TableWriter};
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::ids::PageSize;
use exutil::format::keys;
use exutil::format::schema::{Coltyp, Fid};
use exutil::progress::Silent;
use exutil::storage::Memory;

#[test]
fn every_page_size_and_revision_is_whole() {
    for (size, major) in samples::formats() {
        let rows = 3 * size.bytes() as i32 / 64;
        let bytes = samples::wide(samples::options(size, major, 5).unwrap(), rows).unwrap();
        let content = walk::check(&bytes);
        let get = |table: &str, tree: &str| &content[&(table.to_owned(), tree.to_owned())];
        let data = get("types", "");
        assert_eq!(data.entries.len(), rows as usize, "{size} {major}");
        assert!(data.depth > 1 && get("types", "LV").depth > 1);
        assert_eq!(get("sequence", "").entries.len(), rows as usize);
        assert_eq!(get("empty", "").entries.len(), 0);
        // Unique indexes with the id in the key have one entry per row.
        assert_eq!(get("types", "ub").entries.len(), rows as usize);
        // A multi-valued index has more entries than rows.
        assert!(get("types", "mv").entries.len() > rows as usize);
        assert!(get("types", "some").entries.len() < rows as usize);
        let has_objids = content.contains_key(&("MSysObjids".to_owned(), String::new()));
        assert_eq!(has_objids, major >= 20);
        let tables = if has_objids { 6 } else { 5 };
        assert_eq!(get("MSysObjects", "RootObjects").entries.len(), tables);
        if has_objids {
            // All trees but the root's; each tree of the content belongs to one table.
            let trees = get("MSysObjids", "").entries.len();
            assert_eq!(trees, content.len());
        }
    }
}

#[test]
fn small_databases_are_whole() {
    for (size, major) in samples::formats() {
        let bytes = samples::mini(samples::options(size, major, 5).unwrap()).unwrap();
        walk::check(&bytes);
    }
}

#[test]
fn wide_long_value_ids() {
    let mut options = samples::options(PageSize::K8, 290, 5).unwrap();
    options.lid64 = true;
    let bytes = samples::wide(options, 300).unwrap();
    let content = walk::check(&bytes);
    let lv = &content[&("types".to_owned(), "LV".to_owned())];
    assert_eq!(lv.entries[0].0, 0x8000_0000_8000_0001u64.to_be_bytes());
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let build = |seed| samples::mini(samples::options(PageSize::K4, 20, seed).unwrap()).unwrap();
    assert_eq!(build(3), build(3));
    assert_ne!(build(3), build(4));
}

#[test]
fn committed_samples_are_what_the_builder_writes() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for (name, bytes) in samples::all().unwrap() {
        walk::check(&bytes);
        let committed = std::fs::read(dir.join(name)).unwrap();
        assert!(committed == bytes, "{name}: run the example build_testdata");
    }
}

#[test]
fn the_sample_store_has_trees_of_several_levels() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/priv1.edb");
    let content = walk::check(&std::fs::read(path).unwrap());
    let depth = |table: &str, tree: &str| content[&(table.to_owned(), tree.to_owned())].depth;
    assert_eq!((depth("Msg", ""), depth("Msg", "LV")), (2, 2));
    assert_eq!(depth("Folders", "+Q6749+S3001+Q6748 409"), 1);
}

type Writer<'b> = TableWriter<'b, Cursor<Vec<u8>>>;

#[test]
fn a_table_can_be_copied_node_by_node() {
    let name = Fid::new(128);
    let table = || {
        let mut table = Table::new("copied");
        let id = table.add(Column::fixed("id", Coltyp::Long));
        assert_eq!(table.add(Column::variable("name", Coltyp::Text)), name);
        table.add(Column::tagged("body", Coltyp::LongBinary));
        table.primary(Index::new("pk").ascending(id));
        table.index(Index::new("by_name").descending(name));
        // The time when its root was last moved. [format notes 6.2, column 13]
        table.extra = Row::new().set(Fid::new(13), [1, 2, 3, 4, 5, 6, 7, 8]);
        table
    };
    let build = |fill: &dyn Fn(&mut Writer<'_>)| {
        let options = samples::options(PageSize::K4, 290, 1).unwrap();
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let mut writer = builder.table(table()).unwrap();
        fill(&mut writer);
        writer.finish().unwrap();
        builder.finish().unwrap().0.into_inner()
    };
    let original = build(&|writer| {
        for number in 0..500i32 {
            let row = Row::new().set(Fid::new(1), number.to_le_bytes());
            let row = row.set(name, format!("row {}", number % 90));
            let body = vec![number as u8; number as usize * 9];
            writer.row(&row.set(Fid::new(256), body)).unwrap();
        }
    });
    let content = walk::check(&original);
    let tree = |name: &str| &content[&("copied".to_owned(), name.to_owned())].entries;
    let copy = build(&|writer| {
        for (key, data) in tree("LV") {
            writer.raw_long_value(key, data).unwrap();
        }
        for (key, data) in tree("") {
            writer.raw_row(key, data).unwrap();
        }
        for (key, data) in tree("by_name").iter().rev() {
            assert!(writer.raw_entry(0, key, data));
        }
        assert!(!writer.raw_entry(1, b"key", b"data"));
    });
    let copied = walk::check(&copy);
    for name in ["", "LV", "by_name"] {
        let entries = &copied[&("copied".to_owned(), name.to_owned())].entries;
        assert_eq!(entries, tree(name));
    }
}

#[test]
fn limits_of_keys_are_those_that_the_format_can_keep() {
    for (size, major) in samples::formats() {
        let mut table = Table::new("limits");
        let name = table.add(Column::variable("name", Coltyp::Binary).not_null());
        table.primary(Index::new("pk").ascending(name));
        table.index(Index::new("short").ascending(name).limits(60, 60));
        table.index(
            Index::new("long")
                .ascending(name)
                .limits(u16::MAX, u16::MAX),
        );
        let options = samples::options(size, major, 5).unwrap();
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let row = |number: u8| Row::new().set(name, [vec![number; 40], vec![7; 160]].concat());
        builder.add_table(table, (1..9).map(row)).unwrap();
        let bytes = builder.finish().unwrap().0.into_inner();
        let db = Database::from_storage(Box::new(Memory::new(bytes)), Path::new("limits"), None)
            .unwrap();
        let report = check(&db, None, &CheckOptions::default(), &Silent);
        assert!(report.is_sound(), "{size} {major}: {:?}", report.findings);
        let schema = Schema::read(&db);
        let limits = |name: &str| {
            let mut indexes = schema.table("limits").unwrap().indexes.iter();
            usize::from(indexes.find(|index| index.name == name).unwrap().key_most)
        };
        let kept = if major < 0xC { 255 } else { 60 };
        assert_eq!(limits("short"), kept, "{size} {major}");
        assert_eq!(limits("long"), keys::max_key(size, major), "{size} {major}");
    }
}

#[test]
fn impossible_formats_are_refused() {
    let refused = |size, major| {
        samples::options(size, major, 1)
            .and_then(samples::mini)
            .is_err()
    };
    assert!(refused(PageSize::K2, 290));
    assert!(refused(PageSize::K4, 8));
    assert!(refused(PageSize::K4, 35));
}
