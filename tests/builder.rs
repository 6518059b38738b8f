//! Databases from the builder are whole, whatever their page size and format; the committed samples
//! are exactly what the builder writes.

#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "common/walk.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod walk;

use std::path::Path;

use exutil::format::ids::PageSize;

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
