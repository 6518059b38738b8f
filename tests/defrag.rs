//! Defragmentation of databases that the builder made: everything is kept that somebody put there, nothing else is, and
//! nothing that is wrong gets into the old one's place.

mod common;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "../examples/build_testdata/scatter.rs"]
mod scatter;
#[path = "common/walk.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod walk;

use std::io::{self, Cursor};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use common::defragging::options;
use exutil::build::{Column, DatabaseBuilder, Index, Row, Table};
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::catalog::{CatalogRow, Schema};
use exutil::db::flush_map::FlushMap;
use exutil::error::{Error, Result};
use exutil::format::checksum::seal;
use exutil::format::dbheader::{DbHeader, DbState};
use exutil::format::ids::{DbTime, Objid, PageSize, Pgno};
use exutil::format::lv::LvRoot;
use exutil::format::page::{NodeFlags, Page, PageFlags, PageMut};
use exutil::format::record::{Record, RecordLayout};
use exutil::format::schema::{CatalogType, Coltyp, table_flags};
use exutil::format::stamp::Signature;
use exutil::ops::defrag::{
    DefragOptions, DefragReport, Stage, Stages, defragment, defragment_file,
};
use exutil::progress::{Left, Progress, Silent, Task};
use exutil::rebuild::{
    self, Node, Sound, Source, SourceError, TreeHead, TreeInfo, TreeKind, Verdict, keep_all,
};
use exutil::storage::{Disk, FileStorage, Memory, RealDisk, Storage};
use exutil::tree::walk::{Descent, Visit};

/// A folder with one database in it.
struct Scene {
    dir: tempfile::TempDir,
    options: DefragOptions,
}

impl Scene {
    fn new(bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.edb");
        std::fs::write(&path, bytes).unwrap();
        let mut options = options(&path);
        options.temp = Some(dir.path().join("TEMPDFRG1.EDB"));
        Self { dir, options }
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.options.path).unwrap()
    }

    fn run(&self) -> Result<DefragReport> {
        defragment_file(&self.options, &Silent)
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn database(bytes: &[u8]) -> Database {
    let storage = Box::new(Memory::new(bytes.to_vec()));
    Database::from_storage(storage, Path::new("sample"), None).unwrap()
}

fn assert_sound(bytes: &[u8], label: &str) {
    let report = check(&database(bytes), None, &CheckOptions::default(), &Silent);
    assert!(report.is_sound(), "{label}: {:?}", report.findings);
}

/// Defragments, and compares every tree, by a walk that shares nothing with the library's.
fn same(bytes: &[u8], label: &str) -> (Vec<u8>, DefragReport) {
    let scene = Scene::new(bytes);
    let report = scene.run().unwrap();
    assert!(report.verified && !report.indexes_made, "{label}");
    let new = scene.bytes();
    assert_eq!(new.len() as u64, report.bytes_after, "{label}");
    assert!(new.len() <= bytes.len(), "{label}");
    let (one, other) = (walk::check(bytes), walk::check(&new));
    assert!(one.keys().eq(other.keys()), "{label}");
    for ((table, tree), old) in &one {
        let new = &other[&(table.clone(), tree.clone())];
        // Catalog rows have other roots and ids.
        if table.starts_with("MSysObj") {
            assert_eq!(old.entries.len(), new.entries.len(), "{label} {table}");
        } else {
            assert!(old.entries == new.entries, "{label} {table} {tree}");
        }
    }
    assert_sound(&new, label);
    assert_eq!(scene.files().len(), 1, "{label}");
    (new, report)
}

fn made(
    size: PageSize,
    major: u32,
    tables: impl IntoIterator<Item = (Table, Vec<Row>)>,
) -> Vec<u8> {
    let options = samples::options(size, major, 1).unwrap();
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
    for (table, rows) in tables {
        builder.add_table(table, rows).unwrap();
    }
    builder.finish().unwrap().0.into_inner()
}

#[test]
fn every_page_size_and_format() {
    for (size, major) in samples::formats() {
        let label = format!("{size} {major}");
        let options = samples::options(size, major, 5).unwrap();
        same(&samples::mini(options.clone()).unwrap(), &label);
        let rows = 3 * size.bytes() as i32 / 64;
        let wide = samples::wide(options, rows).unwrap();
        let (new, _) = same(&wide, &label);
        let (before, after) = (database(&wide), database(&new));
        let (before, after) = (before.header(), after.header());
        assert_eq!(after.db_state(), DbState::CleanShutdown, "{label}");
        assert_ne!(after.sign_db, before.sign_db, "{label}");
        assert_eq!(after.update_major, before.update_major, "{label}");
        assert_eq!(after.update_minor, before.update_minor, "{label}");
        assert!(
            !after.sign_log.is_set() && after.last_attach.is_none(),
            "{label}"
        );
        let (again, _) = same(&new, &label);
        assert_eq!(again.len(), new.len(), "{label}");
    }
}

/// A table of many leaves, with indexes and long values.
fn large(name: &str, rows: u32) -> (Table, Vec<Row>) {
    let mut table = Table::new(name);
    let id = table.add(Column::fixed("id", Coltyp::Long));
    let dead = table.add(Column::fixed("dead", Coltyp::Long));
    let last = table.add(Column::fixed("last", Coltyp::Short));
    let text = table.add(Column::variable("text", Coltyp::Text));
    let old_text = table.add(Column::variable("old text", Coltyp::Binary));
    let blob = table.add(Column::tagged("blob", Coltyp::LongBinary));
    let old_blob = table.add(Column::tagged("old blob", Coltyp::LongBinary));
    table.primary(Index::new("pk").ascending(id));
    table.index(Index::new("by text").ascending(text));
    table.index(Index::new("by last").descending(last).ascending(id));
    table.intrinsic_most = 200;
    let row = |n: u32| {
        let row = Row::new()
            .set(id, (n as i32).to_le_bytes())
            .set(dead, (n as i32 * 7).to_le_bytes())
            .set(last, (n as i16 % 100).to_le_bytes())
            .set(
                text,
                format!("row {} of many", n.wrapping_mul(2_654_435_761)).into_bytes(),
            )
            .set(old_text, vec![n as u8; 40]);
        // Some in the record, some in the tree.
        let row = row.set(blob, vec![n as u8; (n as usize * 37) % 700]);
        if n.is_multiple_of(2) {
            row.set(old_blob, vec![!(n as u8); 100 + (n as usize * 53) % 900])
        } else {
            row
        }
    };
    (table, (0..rows).map(row).collect())
}

#[test]
fn object_ids_are_given_anew_by_name() {
    let tables = ["z", "middle", "a"].map(|name| large(name, 50));
    let bytes = made(PageSize::K4, 290, tables);
    let (new, report) = same(&bytes, "three");
    assert!(report.renumbered);
    let schema = Schema::read(&database(&new));
    let objid = |name: &str| schema.table(name).unwrap().objid;
    assert!(objid("a") < objid("middle") && objid("middle") < objid("z"));
    // Without a gap behind those of the catalog.
    let mut ids: Vec<u32> = Vec::new();
    for table in schema.tables.values() {
        ids.push(table.objid.get());
        ids.extend(table.secondary_indexes().map(|index| index.objid.get()));
        ids.extend(table.long_values.map(|lv| lv.objid.get()));
    }
    ids.sort_unstable();
    ids.dedup();
    let expected: Vec<u32> = (2..2 + ids.len() as u32).collect();
    assert_eq!(ids, expected);
    let header = database(&new).header().clone();
    assert_eq!(header.objid_last.get(), *ids.last().unwrap());
}

/// Where the pages of a tree lie is of no account: the new file is the same, but for its signatures.
#[test]
fn scattered_pages_come_into_order() {
    for size in [PageSize::K4, PageSize::K32] {
        let bytes = made(size, 290, [large("t", 20_000), large("u", 10)]);
        let scattered = scatter::scatter(bytes.clone(), 7).unwrap();
        assert_ne!(bytes, scattered);
        assert_sound(&scattered, "scattered");
        let (one, other) = (same(&bytes, "in order").0, same(&scattered, "scattered").0);
        let headers = 2 * size.bytes();
        assert!(one[headers..] == other[headers..], "{size}");
    }
}

/// What a system table holds may be object ids.
#[test]
fn object_ids_stay_where_somebody_may_know_them() {
    let (mut system, rows) = large("MSysUnicodeFixupVer2", 5);
    system.flags |= table_flags::SYSTEM;
    let bytes = made(
        PageSize::K4,
        290,
        [large("z", 50), (system, rows), large("a", 50)],
    );
    let (new, report) = same(&bytes, "fixup");
    assert!(!report.renumbered);
    let ids = |bytes: &[u8]| -> Vec<(Objid, String)> {
        let schema = Schema::read(&database(bytes));
        let tables = schema.tables.values();
        tables
            .map(|table| (table.objid, table.name.clone()))
            .collect()
    };
    assert_eq!(ids(&new), ids(&bytes));
}

#[test]
fn what_the_engine_only_remembers_is_left_behind() {
    let (mut system, rows) = large("MSysDefrag2", 5);
    system.flags |= table_flags::SYSTEM;
    let (user, user_rows) = large("MSysDefrag1", 5);
    let scene = Scene::new(&made(
        PageSize::K4,
        290,
        [large("a", 50), (system, rows), (user, user_rows)],
    ));
    let report = scene.run().unwrap();
    assert_eq!(report.left_behind, ["MSysDefrag2"]);
    assert!(report.renumbered);
    let schema = Schema::read(&database(&scene.bytes()));
    assert!(schema.table("MSysDefrag2").is_none());
    // The name alone does not make it one of the engine's.
    assert!(schema.table("MSysDefrag1").is_some());
}

/// A table whose deletion was under way must not come back to life.
#[test]
fn tables_that_are_being_deleted_go() {
    let mut bytes = made(PageSize::K8, 290, [large("t", 50), large("gone", 50)]);
    let root = Schema::read(&database(&bytes)).table("gone").unwrap().root;
    let at = root.offset(PageSize::K8) as usize;
    let page = &mut bytes[at..at + 8192];
    let flags = Page::new(page, PageSize::K8).unwrap().flags().bits() | PageFlags::FDP_DELETE;
    let mut edit = PageMut::new(page, PageSize::K8).unwrap();
    edit.set_flags(PageFlags::new(flags));
    seal(page, PageSize::K8, root);
    let scene = Scene::new(&bytes);
    let report = scene.run().unwrap();
    assert_eq!(report.left_behind, ["gone"]);
    let schema = Schema::read(&database(&scene.bytes()));
    assert!(schema.table("gone").is_none() && schema.table("t").is_some());
    assert_sound(&scene.bytes(), "gone");
}

/// A database whose catalog says that some columns are deleted.
struct Deleted<'d>(Sound<'d>, RecordLayout, &'d [&'d str]);

impl Source for Deleted<'_> {
    fn page_size(&self) -> PageSize {
        self.0.page_size()
    }
    fn update_major(&self) -> u32 {
        self.0.update_major()
    }
    fn pages(&self) -> u64 {
        self.0.pages()
    }
    fn catalog_head(&self) -> std::result::Result<TreeHead, SourceError> {
        self.0.catalog_head()
    }
    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> std::result::Result<(), SourceError> {
        self.0.catalog(&mut |node| {
            let row = CatalogRow::with_layout(node.data, self.1).unwrap();
            let mut data = node.data.to_vec();
            if row.kind == CatalogType::Column && self.2.contains(&&*row.name) {
                // The type of a column stands where the root of a tree does.
                assert!(CatalogRow::set_root(&mut data, Pgno::NULL));
            }
            show(Node {
                key: node.key,
                data: &data,
            });
        })
    }
    fn head(&self, tree: &TreeInfo) -> std::result::Result<TreeHead, SourceError> {
        self.0.head(tree)
    }
    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> std::result::Result<(), SourceError> {
        self.0.nodes(tree, show)
    }
}

#[test]
fn deleted_columns_take_their_data_with_them() {
    for (size, major) in [(PageSize::K4, 9), (PageSize::K8, 20), (PageSize::K32, 290)] {
        let label = format!("{size} {major}");
        let bytes = made(size, major, [large("t", 400)]);
        let db = database(&bytes);
        let layout = RecordLayout::new(size.is_large(), true);
        let names = ["dead", "old text", "old blob"];
        let source = Deleted(Sound::new(&db), layout, &names);
        let settings = rebuild::Options {
            header: Some(db.header().clone()),
            after: DbTime::ZERO,
            spare_pages: 0,
            flush_type: 0,
        };
        let out = Memory::default();
        rebuild::write(&source, &out, &settings, &mut keep_all, &Silent).unwrap();
        let before = out.into_bytes();

        let scene = Scene::new(&before);
        let report = scene.run().unwrap();
        assert_eq!(report.records_pruned, 400, "{label}");
        assert!(report.orphans > 150, "{label}: {}", report.orphans);
        let after = scene.bytes();
        assert!(
            after.len() < before.len(),
            "{label}: {} {}",
            after.len(),
            before.len()
        );
        assert_sound(&after, &label);
        let (one, other) = (walk::check(&before), walk::check(&after));
        let tree = |name: &str| ("t".to_owned(), name.to_owned());
        for index in ["by text", "by last"] {
            assert!(
                one[&tree(index)].entries == other[&tree(index)].entries,
                "{label}"
            );
        }
        let records = |content: &walk::Content| content[&tree("")].entries.clone();
        for ((key, old), (new_key, new)) in records(&one).iter().zip(&records(&other)) {
            assert_eq!(key, new_key);
            let (old, new) = (view(old, layout), view(new, layout));
            assert_eq!(old.0, new.0, "{label}");
            assert!(new.1.is_empty(), "{label}: {:?}", new.1);
        }
        // Nothing is left to be left behind.
        let again = scene.run().unwrap();
        assert_eq!((again.records_pruned, again.orphans), (0, 0), "{label}");
        assert_eq!(again.bytes_after, report.bytes_after, "{label}");
    }
}

/// What a record of [`large`] holds of the columns that stay, and of the others.
fn view(data: &[u8], layout: RecordLayout) -> (Vec<String>, Vec<String>) {
    use exutil::format::record::Field;
    use exutil::format::schema::Fid;
    let record = Record::with_layout(data, layout).unwrap();
    let (mut kept, mut others) = (Vec::new(), Vec::new());
    for (number, (offset, size)) in (1..).zip([(4, 4), (8, 4), (12, 2)]) {
        let field = record.fixed(Fid::new(number), offset, size).unwrap();
        let to = if number == 2 { &mut others } else { &mut kept };
        if let Field::Value(bytes) = field {
            to.push(format!("{number} {bytes:?}"));
        }
    }
    for (fid, field) in record.variables() {
        if let Field::Value(bytes) = field.unwrap() {
            let to = if fid.get() == 129 {
                &mut others
            } else {
                &mut kept
            };
            to.push(format!("{fid} {bytes:?}"));
        }
    }
    for tagged in record.tagged() {
        let tagged = tagged.unwrap();
        let to = if tagged.fid.get() == 257 {
            &mut others
        } else {
            &mut kept
        };
        to.push(format!(
            "{} {:?}",
            tagged.fid,
            tagged.values().collect::<Vec<_>>()
        ));
    }
    (kept, others)
}

/// The table without some records, their long values left, and with wrong counts.
#[test]
fn long_values_without_a_reference_and_wrong_counts() {
    let (mut table, rows) = large("t", 300);
    table.indexes.clear();
    let bytes = made(PageSize::K8, 290, [(table, rows)]);
    let db = database(&bytes);
    let settings = rebuild::Options {
        header: Some(db.header().clone()),
        after: DbTime::ZERO,
        spare_pages: 0,
        flush_type: 0,
    };
    let (mut record, mut root) = (0, 0);
    let mut filter = |tree: &TreeInfo, _: &[u8], data: &[u8], changed: &mut Vec<u8>| {
        if tree.table_name != "t" {
            return Verdict::Keep;
        }
        match (tree.kind, LvRoot::parse(data)) {
            (TreeKind::Data, _) => {
                record += 1;
                if record % 3 == 0 {
                    Verdict::Drop
                } else {
                    Verdict::Keep
                }
            }
            (TreeKind::LongValues, Ok(_)) => {
                root += 1;
                changed.extend_from_slice(data);
                LvRoot::set_references(changed, [1, 2, 0][root % 3]);
                Verdict::Replace
            }
            _ => Verdict::Keep,
        }
    };
    let out = Memory::default();
    rebuild::write(&Sound::new(&db), &out, &settings, &mut filter, &Silent).unwrap();
    let scene = Scene::new(&out.into_bytes());
    let report = scene.run().unwrap();
    assert!(
        report.orphans > 50 && report.counts_corrected > 50,
        "{report:?}"
    );
    // The walk wants every long value to have one reference.
    let content = walk::check(&scene.bytes());
    assert_eq!(content[&("t".to_owned(), String::new())].entries.len(), 200);
    assert_sound(&scene.bytes(), "counts");
    assert_eq!(scene.run().unwrap().orphans, 0);
}

/// A leaf of a tree.
fn leaf(bytes: &[u8], root: Pgno, number: usize) -> Pgno {
    let db = database(bytes);
    let mut leaves = Vec::new();
    Descent::new(&db, root).walk(&mut |visit| {
        if let Visit::Leaf(pgno, _) = visit {
            leaves.push(pgno);
        }
    });
    leaves[number]
}

fn noise_at(bytes: &mut [u8], pgno: Pgno, size: PageSize) {
    let at = pgno.offset(size) as usize;
    bytes[at + 200..at + 300].fill(0xA7);
}

#[test]
fn a_damaged_index_is_made_anew() {
    let bytes = made(PageSize::K4, 290, [large("t", 2000), large("u", 10)]);
    let schema = Schema::read(&database(&bytes));
    let index = schema
        .table("t")
        .unwrap()
        .secondary_indexes()
        .last()
        .unwrap()
        .clone();
    let content = walk::check(&bytes);
    // Its root, and one of its leaves.
    for page in [index.root, leaf(&bytes, index.root, 3)] {
        let mut harmed = bytes.clone();
        noise_at(&mut harmed, page, PageSize::K4);
        let mut scene = Scene::new(&harmed);
        scene.options.dry_run = true;
        let plan = scene.run().unwrap();
        assert!(plan.indexes_made && scene.bytes() == harmed, "{plan:?}");
        scene.options.dry_run = false;
        let report = scene.run().unwrap();
        assert!(report.indexes_made && report.verified, "{report:?}");
        assert_eq!(report.bytes_after, plan.bytes_after);
        let after = walk::check(&scene.bytes());
        for (tree, old) in content
            .iter()
            .filter(|((table, _), _)| !table.starts_with("MSysObj"))
        {
            assert!(old.entries == after[tree].entries, "{tree:?}");
        }
        assert_sound(&scene.bytes(), "made anew");
        assert_eq!(scene.files().len(), 1);
    }
}

#[test]
fn damaged_tables_are_refused() {
    let bytes = made(PageSize::K4, 290, [large("t", 2000)]);
    let schema = Schema::read(&database(&bytes));
    let table = schema.table("t").unwrap();
    let lv = table.long_values.unwrap();
    let leaves = [leaf(&bytes, table.root, 5), leaf(&bytes, lv.root, 5)];
    for page in [table.root, leaves[0], leaves[1], Pgno::new(4)] {
        let mut harmed = bytes.clone();
        noise_at(&mut harmed, page, PageSize::K4);
        let scene = Scene::new(&harmed);
        let error = scene.run().unwrap_err();
        assert_eq!(error.jet().code(), -1018, "{error}");
        assert!(error.advice().unwrap().contains("exutil p"), "{error}");
        assert!(scene.bytes() == harmed);
        assert_eq!(scene.files().len(), 1);
    }
    // What it does not read does not matter: the space trees, the shadow of the catalog.
    for page in [Pgno::new(2), Pgno::new(3), Pgno::new(24)] {
        let mut harmed = bytes.clone();
        noise_at(&mut harmed, page, PageSize::K4);
        let scene = Scene::new(&harmed);
        scene.run().unwrap();
        assert_sound(&scene.bytes(), "space");
    }
}

/// Changes a page and makes its checksum right again.
fn edit(bytes: &mut [u8], pgno: Pgno, size: PageSize, change: impl FnOnce(&mut PageMut<'_>)) {
    let at = pgno.offset(size) as usize;
    let page = &mut bytes[at..at + size.bytes()];
    change(&mut PageMut::new(page, size).unwrap());
    seal(page, size, pgno);
}

/// A table without indexes and long values, in which no cross check would notice that records are missing.
fn plain(name: &str, rows: u32) -> (Table, Vec<Row>) {
    let mut table = Table::new(name);
    let id = table.add(Column::fixed("id", Coltyp::Long));
    let text = table.add(Column::variable("text", Coltyp::Text));
    table.primary(Index::new("pk").ascending(id));
    let row = |n: u32| {
        Row::new()
            .set(id, (n as i32).to_le_bytes())
            .set(text, vec![b'x'; 200])
    };
    (table, (0..rows).map(row).collect())
}

/// A parent that was not written after a split: the leaf that it does not name is only linked.
#[test]
fn a_leaf_that_no_parent_names_is_missed() {
    let size = PageSize::K4;
    let bytes = made(size, 290, [plain("t", 500)]);
    let root = Schema::read(&database(&bytes)).table("t").unwrap().root;
    let db = database(&bytes);
    let children = {
        let mut page = exutil::db::PageBytes::new(size);
        db.read(root, &mut page).unwrap().node_count()
    };
    assert!(children > 10);
    // The first, one in the middle, the last but one, the last: whose key the root keeps open.
    for line in [0, 5, children - 2, children - 1] {
        let mut harmed = bytes.clone();
        edit(&mut harmed, root, size, |page| page.delete_node(line));
        let scene = Scene::new(&harmed);
        let error = scene.run().unwrap_err();
        // Without the last one no key of the root is open.
        let expected = if line + 1 == children { -1206 } else { -327 };
        assert_eq!(error.jet().code(), expected, "{line}: {error}");
        assert!(scene.bytes() == harmed);
        assert_eq!(scene.files().len(), 1);
    }
}

/// Rows of the catalog that only the shadow still has.
#[test]
fn a_table_that_only_the_shadow_knows_is_missed() {
    let size = PageSize::K4;
    let bytes = made(size, 290, [plain("t", 50), plain("u", 50)]);
    let db = database(&bytes);
    let gone = Schema::read(&db).table("u").unwrap().objid;
    let layout = RecordLayout::new(false, true);
    let mut rows = Vec::new();
    Descent::new(&db, Pgno::new(4)).walk(&mut |visit| {
        if let Visit::Leaf(pgno, page) = visit {
            for (line, node) in page.nodes().flatten().enumerate() {
                if CatalogRow::with_layout(node.data, layout).unwrap().table == gone {
                    rows.push((pgno, line));
                }
            }
        }
    });
    assert!(rows.len() > 2);
    let mut harmed = bytes.clone();
    for (pgno, line) in rows {
        edit(&mut harmed, pgno, size, |page| {
            page.set_node_flags(line, NodeFlags::DELETED);
        });
    }
    let scene = Scene::new(&harmed);
    for verify in [true, false] {
        let mut scene = Scene::new(&harmed);
        scene.options.verify = verify;
        let error = scene.run().unwrap_err();
        assert_eq!(error.jet().code(), -1220, "{error}");
        assert!(
            error.advice().unwrap_or_default().contains("exutil p"),
            "{error}"
        );
    }
    assert!(scene.bytes() == harmed);
    // Whatever else of the shadow cannot be read.
    let shadow = leaf(&bytes, Pgno::new(24), 0);
    noise_at(&mut harmed, shadow, size);
    let error = Scene::new(&harmed).run().unwrap_err();
    assert_eq!(error.jet().code(), -1220, "{error}");
}

/// Entries of indexes tell of records that are lost.
#[test]
fn index_entries_without_a_record_are_no_reason_to_make_the_index_anew() {
    let (mut table, rows) = large("t", 200);
    table.indexes.truncate(1);
    let bytes = made(PageSize::K8, 290, [(table, rows)]);
    let db = database(&bytes);
    let settings = rebuild::Options {
        header: Some(db.header().clone()),
        after: DbTime::ZERO,
        spare_pages: 0,
        flush_type: 0,
    };
    let mut number = 0;
    let mut filter = |tree: &TreeInfo, _: &[u8], _: &[u8], _: &mut Vec<u8>| {
        number += u32::from(tree.table_name == "t" && tree.kind == TreeKind::Data);
        if number == 100 && tree.kind == TreeKind::Data {
            number += 1;
            return Verdict::Drop;
        }
        Verdict::Keep
    };
    let out = Memory::default();
    rebuild::write(&Sound::new(&db), &out, &settings, &mut filter, &Silent).unwrap();
    let harmed = out.into_bytes();
    let scene = Scene::new(&harmed);
    let error = scene.run().unwrap_err();
    assert_eq!(error.jet().code(), -1414, "{error}");
    assert!(scene.bytes() == harmed);
    assert_eq!(scene.files().len(), 1);
}

/// A leaf that has lost all its nodes.
#[test]
fn an_empty_leaf_is_missed() {
    let size = PageSize::K4;
    let mut bytes = made(size, 290, [plain("t", 500)]);
    let root = Schema::read(&database(&bytes)).table("t").unwrap().root;
    let page = leaf(&bytes, root, 3);
    edit(&mut bytes, page, size, |page| {
        while page.view().node_count() > 0 {
            page.delete_node(0);
        }
    });
    let error = Scene::new(&bytes).run().unwrap_err();
    assert_eq!(error.jet().code(), -1206, "{error}");
}

/// Nobody knows what a record refers to that cannot be read: its long values must not go as orphans.
#[test]
fn long_values_of_records_that_cannot_be_read_stay() {
    let size = PageSize::K4;
    let bytes = made(size, 290, [large("t", 100)]);
    let root = Schema::read(&database(&bytes)).table("t").unwrap().root;
    let page = leaf(&bytes, root, 1);
    let mut harmed = bytes.clone();
    edit(&mut harmed, page, size, |page| {
        let data = page.node_data_mut(2).unwrap();
        // Where its fixed columns end.
        data[2..4].copy_from_slice(&0xFFFF_u16.to_le_bytes());
    });
    for verify in [true, false] {
        let mut scene = Scene::new(&harmed);
        scene.options.verify = verify;
        let error = scene.run().unwrap_err();
        assert_eq!(error.jet().code(), -1206, "{error}");
        assert!(scene.bytes() == harmed);
        assert_eq!(scene.files().len(), 1);
    }
}

/// What has gone well must not be called a failure, and what nobody needs any more not be kept.
#[test]
fn a_flush_map_that_has_no_place_is_told() {
    let mut bytes = made(PageSize::K4, 290, [plain("t", 50)]);
    let mut header = DbHeader::parse(&bytes).unwrap();
    header.sign_flush_map = Signature::fresh(common::defragging::NOW);
    for page in bytes[..8192].chunks_mut(4096) {
        header.write_to(page);
    }
    // It works where there is a place.
    let scene = Scene::new(&bytes);
    let report = scene.run().unwrap();
    assert!(report.flush_map.is_some() && report.map_trouble.is_none());
    let db = Database::open(&scene.options.path, None).unwrap();
    assert!(FlushMap::beside(&db).is_some());
    // And through a link.
    #[cfg(unix)]
    {
        let link = tempfile::tempdir().unwrap();
        let path = link.path().join("link.edb");
        std::os::unix::fs::symlink(&scene.options.path, &path).unwrap();
        let db = Database::open(&path, None).unwrap();
        assert!(FlushMap::beside(&db).is_some());
    }
    let scene = Scene::new(&bytes);
    std::fs::create_dir(scene.dir.path().join("a.jfm")).unwrap();
    let report = scene.run().unwrap();
    assert!(report.map_trouble.is_some() && report.flush_map.is_none());
    assert_sound(&scene.bytes(), "without a place");
    assert_eq!(scene.files().len(), 2);
    // A temporary file whose map would have the name of the database's own.
    let mut scene = Scene::new(&bytes);
    scene.options.temp = Some(scene.dir.path().join("a.tmp"));
    scene.options.backup = Some(scene.dir.path().join("old.edb"));
    let report = scene.run().unwrap();
    assert!(report.map_trouble.is_none(), "{report:?}");
    assert_eq!(scene.files().len(), 3);
}

/// Names that are used on the way are taken from nobody.
#[test]
fn files_of_others_on_the_way_stay() {
    let bytes = made(PageSize::K4, 290, [plain("t", 50)]);
    let Some(other) = elsewhere() else { return };
    let mine = b"precious".to_vec();
    let part = other.path().join("old.edb.TEMPDFRG.EDB");
    std::fs::write(&part, &mine).unwrap();
    let mut scene = Scene::new(&bytes);
    scene.options.backup = Some(other.path().join("old.edb"));
    if let Err(error) = scene.run() {
        // Where the folder is on another file system a copy would need that name.
        assert_eq!(error.jet().code(), -1814, "{error}");
        assert!(scene.bytes() == bytes);
    }
    assert!(std::fs::read(&part).unwrap() == mine);
    let mut scene = Scene::new(&bytes);
    let waiting = scene.dir.path().join("a.edb.TEMPDFRG.EDB");
    std::fs::write(&waiting, &mine).unwrap();
    scene.options.temp = Some(other.path().to_owned());
    let error = scene.run().unwrap_err();
    assert_eq!(error.jet().code(), -1814, "{error}");
    assert!(std::fs::read(&waiting).unwrap() == mine);
    // What a copy that was killed left goes.
    let mut half = vec![0; 100_000];
    half[512..543].copy_from_slice(rebuild::UNFINISHED);
    std::fs::write(&waiting, half).unwrap();
    scene.run().unwrap();
    assert_eq!(scene.files().len(), 1);
}

/// A disk that does not write what it is told to.
struct Lying {
    writes: AtomicU64,
    wrong: u64,
}

struct LyingFile<'l> {
    file: Box<dyn Storage>,
    disk: &'l Lying,
}

impl Disk for &'static Lying {
    fn open(&self, path: &Path) -> Result<Box<dyn Storage>> {
        RealDisk.open(path)
    }
    fn open_rw(&self, path: &Path) -> Result<Box<dyn Storage>> {
        RealDisk.open_rw(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn Storage>> {
        let file = RealDisk.create(path)?;
        Ok(Box::new(LyingFile { file, disk: self }))
    }
    fn remove(&self, path: &Path) -> Result<()> {
        RealDisk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        RealDisk.rename(from, to)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        RealDisk.exists(path)
    }
    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        RealDisk.canonical(path)
    }
    fn sync_dir(&self, dir: &Path) -> Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl Storage for LyingFile<'static> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let number = self.disk.writes.fetch_add(1, Ordering::SeqCst);
        if number != self.disk.wrong {
            return self.file.write_at(offset, bytes);
        }
        // One page of it gets lost.
        let mut bytes = bytes.to_vec();
        let half = bytes.len() / 2 / 4096 * 4096;
        for byte in bytes.iter_mut().skip(half).take(4096) {
            *byte = 0;
        }
        self.file.write_at(offset, &bytes)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

#[test]
fn a_disk_that_loses_a_page_is_found_out() {
    let bytes = made(PageSize::K4, 290, [large("t", 3000)]);
    let mut refused = 0;
    // The first write is the mark of an unfinished file, the last is the header.
    for wrong in 1..4 {
        let scene = Scene::new(&bytes);
        let disk = Box::leak(Box::new(Lying {
            writes: AtomicU64::new(0),
            wrong,
        }));
        let disk: &'static Lying = disk;
        match defragment(&scene.options, &disk, &Silent) {
            Ok(_) => assert_sound(&scene.bytes(), "lying"),
            Err(error) => {
                assert!(error.jet().is_error());
                assert!(scene.bytes() == bytes, "{wrong}");
                assert_eq!(scene.files().len(), 1, "{wrong}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 1, "{refused}");
}

/// Somebody writes into the database while it is copied.
struct Meddler(PathBuf);

impl Progress for Meddler {
    fn start(&self, _task: Task) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
    fn leaves(&self, _left: Left<'_>) {}
}

impl Stages for Meddler {
    fn stage(&self, stage: &Stage) {
        if *stage == Stage::Verifying {
            let file = FileStorage::open_rw(&self.0).unwrap();
            let end = file.len().unwrap();
            file.write_at(end, &[0; 4096]).unwrap();
        }
    }
}

#[test]
fn a_database_that_changes_meanwhile_keeps_its_place() {
    let bytes = made(PageSize::K4, 290, [large("t", 100)]);
    let scene = Scene::new(&bytes);
    let meddler = Meddler(scene.options.path.clone());
    let error = defragment_file(&scene.options, &meddler).unwrap_err();
    assert_eq!(error.jet().code(), -1032, "{error}");
    assert!(scene.bytes()[..bytes.len()] == bytes);
    assert_eq!(scene.files().len(), 1);
}

#[test]
fn two_at_once_are_refused() {
    let scene = Scene::new(&made(PageSize::K4, 290, [large("t", 100)]));
    let held = FileStorage::open(&scene.options.path).unwrap();
    assert!(held.try_lock());
    let error = scene.run().unwrap_err();
    assert_eq!(error.jet().code(), -1032, "{error}");
    drop(held);
    scene.run().unwrap();
}

/// Another file system, where there is one.
fn elsewhere() -> Option<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").ok()
}

#[test]
fn the_new_file_may_grow_on_another_disk() {
    let bytes = made(PageSize::K4, 290, [large("t", 1000)]);
    let other = tempfile::tempdir().unwrap();
    let shm = elsewhere();
    let dirs = [
        Some(other.path()),
        shm.as_ref().map(tempfile::TempDir::path),
    ];
    for dir in dirs.into_iter().flatten() {
        for temp in [dir.to_owned(), dir.join("new.edb")] {
            let mut scene = Scene::new(&bytes);
            scene.options.temp = Some(temp);
            scene.options.backup = Some(dir.join("old.edb"));
            scene.run().unwrap();
            assert_sound(&scene.bytes(), "elsewhere");
            assert_eq!(scene.files().len(), 1);
            assert!(std::fs::read(dir.join("old.edb")).unwrap() == bytes);
            std::fs::remove_file(dir.join("old.edb")).unwrap();
            assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0);
        }
    }
}

#[cfg(unix)]
#[test]
fn rights_and_links_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new(&made(PageSize::K4, 290, [large("t", 100)]));
    let path = &scene.options.path;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = scene.dir.path().join("link.edb");
    std::os::unix::fs::symlink(path, &link).unwrap();
    let options = DefragOptions {
        path: link.clone(),
        ..scene.options.clone()
    };
    defragment_file(&options, &Silent).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_sound(&scene.bytes(), "link");
}

#[test]
fn names_that_are_taken_are_refused() {
    let bytes = made(PageSize::K4, 290, [large("t", 100)]);
    let named = |change: &dyn Fn(&mut DefragOptions, &Path)| {
        let mut scene = Scene::new(&bytes);
        let taken = scene.dir.path().join("taken.edb");
        std::fs::write(&taken, b"of somebody else").unwrap();
        change(&mut scene.options, &taken);
        let error = scene.run().unwrap_err();
        assert!(std::fs::read(&taken).unwrap() == b"of somebody else");
        assert!(scene.bytes() == bytes);
        error.jet().code()
    };
    assert_eq!(
        named(&|options, taken| options.temp = Some(taken.to_owned())),
        -1814
    );
    assert_eq!(
        named(&|options, taken| options.backup = Some(taken.to_owned())),
        -1814
    );
    let own = |options: &mut DefragOptions, _: &Path| options.temp = Some(options.path.clone());
    assert_eq!(named(&own), -1003);
    let own = |options: &mut DefragOptions, _: &Path| options.backup = Some(options.path.clone());
    assert_eq!(named(&own), -1003);
    // The original keeps its name.
    let both = |options: &mut DefragOptions, taken: &Path| {
        options.backup = Some(taken.with_extension("old"));
        options.keep_temp = true;
    };
    assert_eq!(named(&both), -1003);
}

#[test]
fn an_empty_file_is_no_database() {
    let scene = Scene::new(b"");
    let error = scene.run().unwrap_err();
    assert!(matches!(error, Error::NoDatabaseHeader { .. }), "{error}");
}
