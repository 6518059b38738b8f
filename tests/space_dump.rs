//! Space dumps of the sample databases, whole and damaged.

#[path = "common/cli.rs"]
mod cli;

use std::path::Path;

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::ids::Pgno;
use exutil::jet::JetError;
use exutil::ops::space_dump::{
    CountPages, ObjectKind, ShapeOf, SpaceDump, SpaceOptions, dump_space,
};
use exutil::progress::Silent;

const SAMPLES: [&str; 6] = [
    "priv1.edb",
    "mini-2k.edb",
    "mini-4k.edb",
    "mini-8k.edb",
    "mini-32k.edb",
    "dirty.edb",
];

fn dump(path: &Path) -> SpaceDump {
    let options = SpaceOptions {
        pages: CountPages::Gladly,
        ..SpaceOptions::default()
    };
    dump_space(path, &options).unwrap()
}

#[test]
fn every_page_of_a_sound_database_is_accounted_for() {
    for name in SAMPLES {
        let report = dump(&cli::testdata(name));
        let dirty = name == "dirty.edb";
        let end = if dirty {
            JetError::DATABASE_DIRTY_SHUTDOWN
        } else {
            JetError::SUCCESS
        };
        assert_eq!(report.jet(), end, "{name}");
        assert_eq!(report.lost_pages(), (0, 0), "{name}");
        assert_eq!(report.shown().is_empty(), dirty, "{name}");
        let totals = report.totals;
        let used = totals.data.unwrap() + totals.overhead.unwrap();
        assert_eq!(totals.pages, used + totals.available, "{name}");
        for object in &report.objects {
            assert!(object.error.is_none(), "{name} {}", object.name);
        }
    }
}

fn shape(path: &Path, shape: ShapeOf) -> SpaceDump {
    let options = SpaceOptions {
        pages: CountPages::Strictly,
        shape,
        ..SpaceOptions::default()
    };
    dump_space(path, &options).unwrap()
}

#[test]
fn shapes_agree_with_what_counts_pages_and_with_the_integrity_check() {
    for name in SAMPLES {
        let path = cli::testdata(name);
        let report = shape(&path, ShapeOf::Everything);
        let db = Database::open(&path, None).unwrap();
        let checked = check(&db, None, &CheckOptions::default(), &Silent);
        for object in &report.objects {
            let (pages, shape) = (object.pages.unwrap(), object.shape.as_ref().unwrap());
            let data = shape.data.as_ref().unwrap();
            let what = format!("{name} {}", object.name);
            assert_eq!(shape.internal.nodes.count, pages.internal, "{what}");
            assert_eq!(data.nodes.count, pages.data, "{what}");
            assert_eq!(shape.leaf_runs.pages.total, pages.data, "{what}");
            assert_eq!(data.nodes.total, data.key_bytes.count, "{what}");
            let hits = data.nodes_histogram.hits();
            assert_eq!(hits.iter().sum::<u64>(), pages.data, "{what}");
            // Every internal node is a page below the root.
            let below = pages.internal + pages.data - 1;
            assert_eq!(shape.internal.nodes.total, below, "{what}");
            let is_long = object.kind == ObjectKind::LongValues;
            assert_eq!(shape.long_values.is_some(), is_long, "{what}");
            let table = checked
                .tables
                .iter()
                .find(|table| Some(&table.name) == object.table.as_ref());
            let live = data.nodes.total - data.deleted_bytes.count;
            if let (Some(table), ObjectKind::Table) = (table, object.kind) {
                assert_eq!(live, table.records, "{what}");
            }
            if let (Some(table), Some(long)) = (table, &shape.long_values) {
                assert_eq!(long.corrupt, 0, "{what}");
                assert_eq!(long.bytes.count, table.long_values, "{what}");
                assert!(long.highest > 0 && long.stored_bytes.total <= long.bytes.total);
            }
        }
    }
}

#[test]
fn a_damaged_leaf_matters_only_where_leaves_are_read() {
    let report = shape(&cli::testdata("priv1.edb"), ShapeOf::Nothing);
    let messages = report.objects.iter().find(|object| object.name == "Msg");
    let root = messages.unwrap().root;
    let db = Database::open(&cli::testdata("priv1.edb"), None).unwrap();
    let mut bytes = exutil::db::PageBytes::new(db.page_size());
    let page = db.read(root, &mut bytes).unwrap();
    let leaf = exutil::tree::walk::child_of(&page.node(1).unwrap()).unwrap();
    let copy = cli::damaged("priv1.edb", |bytes| {
        bytes[(leaf.get() as usize + 1) * 4096 + 2000] ^= 3;
    });
    for of in [ShapeOf::Nothing, ShapeOf::Internal] {
        assert_eq!(shape(copy.path(), of).jet(), JetError::SUCCESS);
    }
    let whole = shape(copy.path(), ShapeOf::Everything);
    assert_eq!(whole.stopped.unwrap().stop.page, Some(leaf));
}

#[test]
fn one_table_alone() {
    let options = SpaceOptions {
        table: Some("msg".to_owned()),
        ..SpaceOptions::default()
    };
    let path = cli::testdata("priv1.edb");
    let report = dump_space(&path, &options).unwrap();
    let tables = report.objects.iter();
    let tables = tables.filter(|object| object.kind == ObjectKind::Table);
    assert_eq!(tables.map(|table| &table.name).collect::<Vec<_>>(), ["Msg"]);
    let options = SpaceOptions {
        table: Some("nothing".to_owned()),
        ..options
    };
    let report = dump_space(&path, &options).unwrap();
    assert_eq!(report.jet(), JetError::OBJECT_NOT_FOUND);
}

#[test]
fn the_first_damaged_page_ends_the_dump_but_costs_one_object() {
    let whole = dump(&cli::testdata("mini-4k.edb"));
    let table = whole
        .objects
        .iter()
        .find(|object| object.name == "types")
        .unwrap();
    let copy = cli::damaged("mini-4k.edb", |bytes| {
        cli::spoil(bytes, table.root.offset(whole.page_size));
    });
    let report = dump(copy.path());
    assert_eq!(report.jet(), JetError::READ_VERIFY_FAILURE);
    assert!(report.shown().len() < report.objects.len());
    let bad: Vec<_> = report
        .objects
        .iter()
        .filter_map(|object| object.error.map(|stop| (object.name.as_str(), stop.page)))
        .collect();
    assert_eq!(bad, [("types", Some(table.root))]);
    // Its space trees are lost with it; the other objects are all there.
    assert_eq!(report.totals.indexes, whole.totals.indexes);
    assert_eq!(report.findings[0].place.page, Some(table.root));
}

#[test]
fn nothing_is_left_of_a_file_but_its_headers() {
    let copy = cli::damaged("mini-4k.edb", |bytes| bytes.truncate(8192));
    let report = dump(copy.path());
    assert_eq!(report.jet(), JetError::FILE_IO_BEYOND_EOF);
    assert_eq!(report.stopped.unwrap().stop.page, Some(Pgno::new(1)));
    assert!(dump_space(Path::new("/nonexistent.edb"), &SpaceOptions::default()).is_err());
}

#[test]
fn the_dump_reads_as_eseutil_has_it() {
    insta::assert_snapshot!("priv1", cli::run(&["ms", "priv1.edb", "/o"]));
    insta::assert_snapshot!(
        "mini_4k_verbose",
        cli::run(&["/ms", "mini-4k.edb", "/v", "/o"])
    );
    let legacy = cli::run(&["/ms", "mini-2k.edb", "/f#legacy", "/o"]);
    insta::assert_snapshot!("mini_2k_legacy", legacy);
    let leaked = cli::run(&["/ms", "mini-8k.edb", "/f#leaked", "/c", "/o"]);
    insta::assert_snapshot!("mini_8k_leaked_csv", leaked);
    let hints = cli::run(&["/ms", "mini-32k.edb", "/f#spacehints", "/v", "/o"]);
    insta::assert_snapshot!("mini_32k_hints", hints);
    let columns =
        "/fName,Type,IORuns,FwdScans,Int:KeySizes,Data:Nodes,Node%Tbl,cLVRefs,LV:Size,LV:Comp";
    insta::assert_snapshot!(
        "priv1_shape",
        cli::run(&["/ms", "priv1.edb", columns, "/v", "/o"])
    );
    let long = "/fName,LV:Size(histo),LV:Ratio(histo),lidMax";
    insta::assert_snapshot!(
        "priv1_long_values_csv",
        cli::run(&["/ms", "priv1.edb", long, "/v", "/c", "/o"])
    );
    insta::assert_snapshot!("dirty", cli::run(&["ms", "dirty.edb", "/o"]));
    insta::assert_snapshot!(
        "unknown_field",
        cli::run(&["/ms", "priv1.edb", "/fName,Size", "/o"])
    );
}

#[test]
fn tables_and_json_show_every_object() {
    let table = cli::run(&["ms", "mini-2k.edb", "--format", "table", "/o"]);
    insta::assert_snapshot!("mini_2k_table", table);
    let json = cli::run(&["ms", "dirty.edb", "--format", "json", "/o"]);
    let (_, json) = json.split_once('\n').unwrap();
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(document["jet"]["code"], -550);
    assert_eq!(document["findings"][0]["code"], "H005");
    let objects = document["result"]["objects"].as_array().unwrap();
    assert!(objects.iter().any(|object| object["name"] == "MSysObjects"));
    for object in objects {
        for field in ["owned", "available"] {
            assert!(object[field].is_u64(), "{object}");
        }
    }
}
