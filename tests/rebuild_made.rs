//! Rebuilding databases that the builder made: all page sizes and formats, schemas at random, large catalogs; and what a
//! filter, a damaged source and a full disk do.

#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "common/walk.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod walk;

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;

use exutil::build::{Column, DatabaseBuilder, Index, Row, Table};
use exutil::check::{CheckOptions, check};
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::format::ids::{DbTime, Objid, PageSize};
use exutil::format::schema::{Coltyp, Fid};
use exutil::jet::JetError;
use exutil::progress::Silent;
use exutil::rebuild::{
    self, Filter, Node, Options, RebuildError, Rebuilt, Sound, Source, SourceError, TreeHead,
    TreeInfo, TreeKind, Verdict, keep_all,
};
use exutil::storage::{Fault, Faulty, Memory, Storage};

use samples::Noise;

fn database(bytes: &[u8]) -> Database {
    let storage = Box::new(Memory::new(bytes.to_vec()));
    Database::from_storage(storage, Path::new("sample"), None).unwrap()
}

fn options(db: &Database, spare_pages: u32) -> Options {
    Options {
        header: Some(db.header().clone()),
        after: db.header().dbtime,
        spare_pages,
        flush_type: 0,
    }
}

fn rebuild_with(bytes: &[u8], filter: &mut Filter<'_>) -> Result<(Vec<u8>, Rebuilt), RebuildError> {
    let db = database(bytes);
    let out = Memory::default();
    let rebuilt = rebuild::write(&Sound::new(&db), &out, &options(&db, 0), filter, &Silent)?;
    Ok((out.into_bytes(), rebuilt))
}

/// Rebuilds, and compares every tree, by a walk that shares nothing with the library's.
fn same(bytes: &[u8], label: &str) -> Vec<u8> {
    let (new, rebuilt) = rebuild_with(bytes, &mut keep_all).unwrap();
    assert_eq!(new.len() as u64, rebuilt.bytes, "{label}");
    assert!(new.len() <= bytes.len(), "{label}");
    let (one, other) = (walk::check(bytes), walk::check(&new));
    assert!(one.keys().eq(other.keys()), "{label}");
    for ((table, tree), old) in &one {
        let new = &other[&(table.clone(), tree.clone())];
        if table.starts_with("MSysObjects") && tree.is_empty() {
            // The rows name other pages.
            assert_eq!(old.entries.len(), new.entries.len(), "{label} {table}");
        } else {
            assert!(old.entries == new.entries, "{label} {table} {tree}");
        }
    }
    let report = check(&database(&new), None, &CheckOptions::default(), &Silent);
    assert!(report.is_sound(), "{label}: {:?}", report.findings);
    let (again, _) = rebuild_with(&new, &mut keep_all).unwrap();
    assert_eq!(again.len(), new.len(), "{label}");
    new
}

fn made(
    size: PageSize,
    major: u32,
    seed: u32,
    tables: impl IntoIterator<Item = (Table, Vec<Row>)>,
) -> Vec<u8> {
    let options = samples::options(size, major, seed).unwrap();
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
        same(&samples::wide(options, rows).unwrap(), &label);
    }
}

/// A table with up to 12 columns of any kind and up to 5 indexes.
fn any_table(noise: &mut Noise, number: u64) -> (Table, Vec<Row>) {
    let mut table = Table::new(&format!("t{number}"));
    let id = table.add(Column::fixed("id", Coltyp::Long));
    let coltyps = [
        Coltyp::Long,
        Coltyp::Binary,
        Coltyp::Text,
        Coltyp::LongBinary,
    ];
    let columns: Vec<(Fid, Coltyp)> = (0..noise.below(12))
        .map(|column| {
            let coltyp = coltyps[noise.below(4) as usize];
            let name = format!("c{column}");
            let column = match (coltyp.is_long(), coltyp, noise.below(2)) {
                (true, ..) | (_, _, 0) => Column::tagged(&name, coltyp),
                (_, Coltyp::Long, _) => Column::fixed(&name, coltyp),
                _ => Column::variable(&name, coltyp),
            };
            (table.add(column), coltyp)
        })
        .collect();
    if noise.below(4) > 0 {
        table.primary(Index::new("pk").ascending(id));
    }
    table.density = 20 + noise.below(81) as u8;
    table.pages = 1 + noise.below(40) as u32;
    for (number, (fid, _)) in columns.iter().take(noise.below(6) as usize).enumerate() {
        let index = Index::new(&format!("i{number}"));
        table.index(match noise.below(3) {
            0 => index.descending(*fid),
            1 => index.ascending(*fid).ascending(id),
            _ => index.ascending(*fid),
        });
    }
    // Often few, sometimes thousands.
    let most = [0, 3, 40, 400, 3000][noise.below(5) as usize];
    let rows = (0..noise.below(most + 1)).map(|number| {
        let mut row = Row::new().set(id, (number as i32).to_le_bytes());
        for (fid, coltyp) in &columns {
            let len = match coltyp {
                Coltyp::LongBinary => noise.below(3000) / (1 + noise.below(40)),
                _ => noise.below(60),
            } as usize;
            row = match (coltyp, noise.below(4)) {
                (_, 0) => row,
                (Coltyp::Long, few) => {
                    row.set(*fid, ((noise.below(50) * few) as i32).to_le_bytes())
                }
                (Coltyp::Text, _) => row.set(*fid, noise.words(len)),
                (_, few) => row.set(*fid, noise.bytes(if few == 1 { len.min(2) } else { len })),
            };
        }
        row
    });
    let rows = rows.collect();
    (table, rows)
}

#[test]
fn schemas_at_random() {
    for (seed, (size, major)) in (1..).zip(samples::formats().chain(samples::formats())) {
        let mut noise = Noise::new(seed);
        let tables: Vec<_> = (0..1 + noise.below(6))
            .map(|number| any_table(&mut noise, number))
            .collect();
        same(
            &made(size, major, 1, tables),
            &format!("{size} {major} seed {seed}"),
        );
    }
}

/// Objects around the number of pages from which on they need space trees.
#[test]
fn tables_of_every_small_size() {
    for size in [PageSize::K2, PageSize::K4, PageSize::K32] {
        let per_page = size.bytes() / 2 - 100;
        let tables = (25..45).map(|pages| {
            let mut table = Table::new(&format!("p{pages}"));
            let id = table.add(Column::fixed("id", Coltyp::Long));
            let value = table.add(Column::tagged("v", Coltyp::LongBinary));
            table.primary(Index::new("pk").ascending(id));
            table.index(Index::new("by_id").ascending(id));
            table.intrinsic_most = 16_000;
            let row = |id_of: u32| {
                Row::new()
                    .set(id, (id_of as i32).to_le_bytes())
                    .set(value, vec![id_of as u8; per_page])
            };
            (table, (0..2 * pages).map(row).collect())
        });
        same(&made(size, 20, 1, tables), &size.to_string());
    }
}

/// Catalogs that need more than their first extents, and their indexes too.
#[test]
fn catalogs_of_many_tables() {
    for (size, major) in [(PageSize::K2, 9), (PageSize::K4, 20), (PageSize::K16, 290)] {
        let tables = (0..700).map(|number| {
            let mut table = Table::new(&format!("a table with a long name, number {number}"));
            let id = table.add(Column::fixed("id", Coltyp::Long));
            for column in 0..7 {
                table.add(Column::tagged(
                    &format!("a column with a long name, number {column}"),
                    Coltyp::Text,
                ));
            }
            table.index(Index::new("an index with a long name too").ascending(id));
            (table, Vec::new())
        });
        same(&made(size, major, 1, tables), &size.to_string());
    }
}

fn one_table() -> Vec<u8> {
    samples::wide(samples::options(PageSize::K4, 290, 5).unwrap(), 300).unwrap()
}

#[test]
fn a_filter_drops_and_replaces() {
    let bytes = one_table();
    let mut seen = 0;
    let mut filter = |tree: &TreeInfo, key: &[u8], data: &[u8], into: &mut Vec<u8>| {
        assert!(into.is_empty());
        assert!(!tree.table_name.is_empty());
        if tree.table_name != "sequence" || tree.kind != TreeKind::Data {
            return Verdict::Keep;
        }
        seen += 1;
        match key.last() {
            Some(last) if last % 3 == 0 => Verdict::Drop,
            Some(last) if last % 3 == 1 => {
                into.extend_from_slice(data);
                into.extend_from_slice(b"more");
                Verdict::Replace
            }
            _ => Verdict::Keep,
        }
    };
    let (new, rebuilt) = rebuild_with(&bytes, &mut filter).unwrap();
    assert_eq!(seen, 300);
    let tree = ("sequence".to_owned(), String::new());
    let old = walk::check(&bytes)[&tree].entries.clone();
    let new = walk::check(&new)[&tree].entries.clone();
    let mut expected = Vec::new();
    for (key, data) in old {
        match key[key.len() - 1] % 3 {
            0 => {}
            1 => expected.push((key, [data, b"more".to_vec()].concat())),
            _ => expected.push((key, data)),
        }
    }
    assert_eq!(new, expected);
    assert_eq!(rebuilt.dropped, 300 - expected.len() as u64);
    assert!(rebuilt.changed >= 100);
}

#[test]
fn spare_pages_are_free_and_times_are_new() {
    let bytes = one_table();
    let db = database(&bytes);
    let out = Memory::default();
    let mut options = options(&db, 7);
    options.after = DbTime::new(1_000_000);
    let rebuilt = rebuild::write(&Sound::new(&db), &out, &options, &mut keep_all, &Silent).unwrap();
    let new = database(&out.into_bytes());
    let space = exutil::db::space::ObjectSpace::read(&new, exutil::format::ids::Pgno::new(1));
    assert_eq!(space.available_pages(), 7);
    assert_eq!(new.last_page(), rebuilt.last_page);
    assert_eq!(new.header().dbtime, rebuilt.dbtime);
    let mut page = exutil::db::PageBytes::new(new.page_size());
    let mut times = Vec::new();
    for pgno in 1..=new.last_page().get() {
        if let Ok(page) = new.read(exutil::format::ids::Pgno::new(pgno), &mut page) {
            times.push(page.dbtime().get());
        }
    }
    assert!(times.len() > 100);
    assert!(
        times
            .iter()
            .all(|time| (1_000_001..rebuilt.dbtime.get()).contains(time))
    );
}

/// Shows everything of a database but one table and one index.
struct Without<'d>(Sound<'d>, Vec<u8>);

impl Source for Without<'_> {
    fn page_size(&self) -> PageSize {
        self.0.page_size()
    }
    fn update_major(&self) -> u32 {
        self.0.update_major()
    }
    fn pages(&self) -> u64 {
        0
    }
    fn catalog_head(&self) -> Result<TreeHead, SourceError> {
        self.0.catalog_head()
    }
    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError> {
        self.0.catalog(&mut |node| {
            if !node.key.starts_with(&self.1) {
                show(node);
            }
        })
    }
    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError> {
        self.0.head(tree)
    }
    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.0.nodes(tree, show)
    }
}

#[test]
fn a_source_may_show_less() {
    let bytes = samples::wide(samples::options(PageSize::K4, 9, 5).unwrap(), 300).unwrap();
    let db = database(&bytes);
    let schema = exutil::db::catalog::Schema::read(&db);
    let gone = schema.table("sequence").unwrap().objid;
    let mut prefix = vec![0x7F];
    prefix.extend((gone.get() ^ 0x8000_0000).to_be_bytes());
    let source = Without(Sound::new(&db), prefix);
    let out = Memory::default();
    rebuild::write(&source, &out, &options(&db, 0), &mut keep_all, &Silent).unwrap();
    let content = walk::check(&out.into_bytes());
    assert!(content.keys().any(|(table, _)| table == "types"));
    assert!(!content.keys().any(|(table, _)| table == "sequence"));
}

#[test]
fn damaged_sources_end_with_an_error_or_a_whole_file() {
    let (mut refused, mut whole) = (0, 0);
    for name in ["priv1.edb", "mini-2k.edb", "mini-4k.edb", "mini-32k.edb"] {
        let bytes = std::fs::read(Path::new("testdata").join(name)).unwrap();
        for kind in Damage::ALL {
            for seed in 0..8 {
                let mut harmed = bytes.clone();
                if damage(&mut harmed, kind, seed).is_none() {
                    continue;
                }
                let storage = Box::new(Memory::new(harmed));
                let Ok(db) = Database::from_storage(storage, Path::new(name), None) else {
                    continue;
                };
                let out = Memory::default();
                let source = Sound::new(&db);
                match rebuild::write(&source, &out, &options(&db, 0), &mut keep_all, &Silent) {
                    Ok(rebuilt) => {
                        assert_eq!(rebuilt.bytes, out.len().unwrap());
                        whole += 1;
                    }
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 100 && whole > 60, "{refused} {whole}");
}

#[test]
fn a_failing_disk_is_an_error() {
    let bytes = one_table();
    let db = database(&bytes);
    for fault in [
        Fault::Full(300_000),
        Fault::StopAtWrite(0),
        Fault::StopAtWrite(5),
    ] {
        let out = Faulty::new(Memory::default(), vec![fault]);
        let result = rebuild::write(
            &Sound::new(&db),
            &out,
            &options(&db, 0),
            &mut keep_all,
            &Silent,
        );
        assert!(
            matches!(result, Err(RebuildError::Io(_))),
            "{fault:?}: {result:?}"
        );
    }
}

#[test]
fn trees_are_told_by_their_ids() {
    let bytes = one_table();
    let (_, rebuilt) = rebuild_with(&bytes, &mut keep_all).unwrap();
    assert_eq!(rebuilt.roots[&Objid::CATALOG].get(), 4);
    assert_eq!(rebuilt.roots[&Objid::CATALOG_SHADOW].get(), 24);
    assert_eq!(rebuilt.objid_last, database(&bytes).header().objid_last);
}

/// A catalog that names one tree twice would have it copied as often as it names it.
struct Twice<'d>(Without<'d>);

impl Source for Twice<'_> {
    fn page_size(&self) -> PageSize {
        self.0.page_size()
    }
    fn update_major(&self) -> u32 {
        self.0.update_major()
    }
    fn pages(&self) -> u64 {
        0
    }
    fn catalog_head(&self) -> Result<TreeHead, SourceError> {
        self.0.catalog_head()
    }
    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError> {
        self.0.catalog(show)?;
        self.0.catalog(show)
    }
    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError> {
        self.0.head(tree)
    }
    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.0.nodes(tree, show)
    }
}

#[test]
fn a_tree_is_copied_once() {
    let bytes = one_table();
    let db = database(&bytes);
    let source = Twice(Without(Sound::new(&db), b"no such key".to_vec()));
    let out = Memory::default();
    let error =
        rebuild::write(&source, &out, &options(&db, 0), &mut keep_all, &Silent).unwrap_err();
    assert!(matches!(error, RebuildError::Twice(_)), "{error}");
    assert_eq!(error.jet(), JetError::CATALOG_CORRUPTED);
}
