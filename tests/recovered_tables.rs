//! New rows of the catalog against those that the builder and the engine wrote; and tables whose rows are all lost,
//! described anew from their records.

#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::catalog::make::{NewColumn, NewRow, NewTree};
use exutil::db::catalog::recovered::{NewTable, SeenColumns, recovered_name, recovered_table};
use exutil::db::catalog::{CATALOG_ROOT, CatalogRow, Schema, Table};
use exutil::format::ids::{Objid, PageSize};
use exutil::format::record::{Field, Record, RecordLayout};
use exutil::format::schema::{CatalogType, Coltyp, Fid, FidKind};
use exutil::progress::Silent;
use exutil::rebuild::{
    self, Node, Options, Sound, Source, SourceError, TreeHead, TreeInfo, keep_all,
};
use exutil::storage::Memory;
use exutil::tree::walk::for_each_node;

fn database(bytes: &[u8]) -> Database {
    let storage = Box::new(Memory::new(bytes.to_vec()));
    Database::from_storage(storage, Path::new("sample"), None).unwrap()
}

/// The row once more, as far as a new row says what it says; `None` where it has more columns.
fn again(row: &CatalogRow, record: &Record<'_>) -> Option<NewRow> {
    let more = record.fixed_last() > Fid::new(9)
        || record.variable_last() > Fid::new(128)
        || record.tagged().next().is_some();
    if more {
        return None;
    }
    let tree = NewTree {
        objid: Objid::new(row.id),
        root: exutil::format::ids::Pgno::new(row.coltyp_or_root),
        density: row.space_usage as u8,
    };
    Some(match row.kind {
        CatalogType::Table => NewRow::table(tree, &row.name, row.flags, row.pages_or_locale),
        CatalogType::LongValue => NewRow::long_values(row.table, tree.objid, tree.root),
        CatalogType::Column => {
            let column = NewColumn {
                fid: Fid::new(row.id as u16),
                coltyp: Coltyp::from_catalog(row.coltyp_or_root)?,
                max: row.space_usage,
                flags: row.flags,
                code_page: row.pages_or_locale as u16,
                offset: row.record_offset,
            };
            NewRow::column(row.table, &row.name, column)
        }
        _ => return None,
    })
}

/// Rows that are the same byte for byte when they are made anew, by kind; and those that are not.
fn same_rows(db: &Database) -> ([usize; 3], Vec<String>) {
    let (mut same, mut different) = ([0; 3], Vec::new());
    for_each_node(
        db,
        CATALOG_ROOT,
        |_, page, node| {
            let record = Record::with_layout(node.data, RecordLayout::of_page(page)).unwrap();
            let row = CatalogRow::parse(node.data, page).unwrap();
            let Some(new) = again(&row, &record) else {
                return;
            };
            let (mut key, mut data) = (Vec::new(), Vec::new());
            new.key(&mut key);
            new.encode(&mut data).unwrap();
            assert_eq!(key, node.key(), "{row:?}");
            if data == node.data {
                same[match row.kind {
                    CatalogType::Table => 0,
                    CatalogType::Column => 1,
                    _ => 2,
                }] += 1;
            } else {
                different.push(format!("{row:?}\n{data:x?}\n{:x?}", node.data));
            }
        },
        |pgno, failure| panic!("{pgno}: {failure}"),
    );
    (same, different)
}

/// What the records of a table tell of its columns.
fn seen(db: &Database, table: &Table) -> SeenColumns {
    let mut seen = SeenColumns::new();
    for_each_record(db, table, |record| seen.add(&record).unwrap());
    seen
}

fn for_each_record(db: &Database, table: &Table, mut show: impl FnMut(Record<'_>)) {
    for_each_node(
        db,
        table.root,
        |_, page, node| {
            show(Record::with_layout(node.data, RecordLayout::of_page(page)).unwrap());
        },
        |_, _| {},
    );
}

/// The rows of `table` as if it had lost its own.
fn rows_for(db: &Database, table: &Table) -> Vec<NewRow> {
    let name = recovered_name(table.objid);
    let new = NewTable {
        objid: table.objid,
        name: &name,
        root: table.root,
        long_values: table.long_values.map(|tree| (tree.objid, tree.root)),
    };
    recovered_table(&new, &seen(db, table)).unwrap()
}

/// The catalogs' own columns are known, and what rows say of them is not believed.
fn users(schema: &Schema) -> impl Iterator<Item = &Table> {
    schema
        .tables
        .values()
        .filter(|table| table.is_defined() && table.objid > Objid::CATALOG_SHADOW)
}

/// Every record of the table passes the check, and all its values can be read, by the new columns.
fn reads_all(db: &Database, table: &Table) -> usize {
    let encoded: Vec<Vec<u8>> = rows_for(db, table)
        .iter()
        .map(|row| {
            let mut data = Vec::new();
            row.encode(&mut data).unwrap();
            data
        })
        .collect();
    let layout = RecordLayout::new(db.page_size().is_large(), true);
    let schema = Schema::from_rows(encoded.iter().map(|data| (&data[..], layout)), false);
    assert!(schema.faults.is_empty());
    let new = &schema.tables[&table.objid];
    let limits = schema.limits(new);
    let mut records = 0;
    for_each_record(db, table, |record| {
        records += 1;
        record.check(limits).unwrap();
        let mut area = 0;
        for column in &new.columns {
            let (offset, size) = (column.record_offset.into(), column.max_len as usize);
            match column.fid.kind() {
                FidKind::Fixed => {
                    let field = record.fixed(column.fid, offset, size).unwrap();
                    if field != Field::Absent {
                        area += size;
                    }
                }
                FidKind::Variable => {
                    let value = record.variable(column.fid).unwrap().value();
                    assert!(value.is_none_or(|value| value.len() <= size));
                }
                FidKind::Tagged => {}
            }
        }
        // The columns that the record has are its fixed area, no more and no less.
        assert_eq!(area, record.fixed_bytes().len(), "{}", table.name);
        for tagged in record.tagged() {
            let tagged = tagged.unwrap();
            let column = new.column(tagged.fid).filter(|_| !tagged.derived);
            assert!(column.is_some() || tagged.derived, "{}", tagged.fid);
        }
    });
    records
}

#[test]
fn rows_and_records_of_every_format() {
    let mut majors = std::collections::BTreeSet::new();
    for (size, major) in samples::formats() {
        majors.insert(major);
        let bytes = samples::wide(samples::options(size, major, 3).unwrap(), 60).unwrap();
        let db = database(&bytes);
        let (same, different) = same_rows(&db);
        assert!(different.is_empty(), "{size} {major}: {different:?}");
        assert!(
            same.iter().all(|count| *count > 0),
            "{size} {major}: {same:?}"
        );
        let schema = Schema::read(&db);
        let mut records = 0;
        for table in users(&schema) {
            records += reads_all(&db, table);
        }
        assert!(records > 100, "{records}");
    }
    assert!(
        [9, 12, 17, 20].iter().all(|major| majors.contains(major)),
        "{majors:?}"
    );
}

/// A database whose catalog lost all rows of one table, and has new ones for it.
struct Recovered<'d> {
    sound: Sound<'d>,
    table: Objid,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Source for Recovered<'_> {
    fn page_size(&self) -> PageSize {
        self.sound.page_size()
    }
    fn update_major(&self) -> u32 {
        self.sound.update_major()
    }
    fn pages(&self) -> u64 {
        self.sound.pages()
    }
    fn catalog_head(&self) -> Result<TreeHead, SourceError> {
        self.sound.catalog_head()
    }
    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError> {
        let mut prefix = vec![0x7F];
        prefix.extend((self.table.get() ^ 0x8000_0000).to_be_bytes());
        let mut pending = Some(&self.rows);
        self.sound.catalog(&mut |node| {
            if node.key.starts_with(&prefix) {
                for (key, data) in pending.take().into_iter().flatten() {
                    show(Node { key, data });
                }
            } else {
                show(node);
            }
        })
    }
    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError> {
        self.sound.head(tree)
    }
    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.sound.nodes(tree, show)
    }
}

/// The integrity check takes a database with a recovered table for sound, but for what the table of all trees
/// says of its indexes, which are gone.
#[test]
fn a_recovered_table_passes_the_check() {
    for (size, major) in samples::formats() {
        let bytes = samples::wide(samples::options(size, major, 3).unwrap(), 60).unwrap();
        let db = database(&bytes);
        let schema = Schema::read(&db);
        for table in users(&schema).filter(|table| !table.is_system()) {
            let rows = rows_for(&db, table);
            let rows = rows.iter().map(|row| {
                let (mut key, mut data) = (Vec::new(), Vec::new());
                row.key(&mut key);
                row.encode(&mut data).unwrap();
                (key, data)
            });
            let source = Recovered {
                sound: Sound::new(&db),
                table: table.objid,
                rows: rows.collect(),
            };
            let out = Memory::default();
            let options = Options {
                header: Some(db.header().clone()),
                after: db.header().dbtime,
                spare_pages: 0,
                flush_type: 0,
            };
            rebuild::write(&source, &out, &options, &mut keep_all, &Silent).unwrap();
            let new = database(&out.into_bytes());
            let report = check(&new, None, &CheckOptions::default(), &Silent);
            assert!(
                report.is_sound(),
                "{size} {major} {}: {:?}",
                table.name,
                report.findings
            );
            let name = recovered_name(table.objid);
            assert!(Schema::read(&new).table(&name).is_some());
        }
    }
}

fn databases(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            databases(&path, into);
        } else if path
            .extension()
            .is_some_and(|e| ["edb", "dit", "dat", "mdb"].iter().any(|one| e == *one))
        {
            into.push(path);
        }
    }
}

/// Rows of databases that the engine wrote, made once more: the same but for what the engine left in null columns.
#[test]
fn rows_of_the_engine() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut files = Vec::new();
    for case in ["engine/clean-4k", "real"] {
        databases(&corpus.join(case), &mut files);
    }
    let (mut rows, mut records, mut without_primary) = ([0; 3], 0, 0);
    for file in files {
        let Ok(db) = Database::open(&file, None) else {
            continue;
        };
        let schema = Schema::read(&db);
        if !schema.faults.is_empty() {
            continue;
        }
        let (same, different) = same_rows(&db);
        for (sum, count) in rows.iter_mut().zip(same) {
            *sum += count;
        }
        assert!(different.is_empty(), "{}: {different:#?}", file.display());
        for table in users(&schema) {
            if table.primary_index().is_none() {
                // No row of type 3 has the table's own object id.
                assert!(table.indexes.iter().all(|index| index.objid != table.objid));
                without_primary += 1;
            }
            records += reads_all(&db, table);
        }
    }
    assert!(rows.iter().all(|count| *count > 5), "{rows:?}");
    assert!(
        records > 3_000 && without_primary > 0,
        "{records} {without_primary}"
    );
}
