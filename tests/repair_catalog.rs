//! Repair of what two witnesses have lost together, of pages in the place of others, and of records in the place of
//! others.

#[path = "common/repairing.rs"]
mod repairing;

use exutil::db::Database;
use exutil::db::catalog::{CatalogRow, Schema};
use exutil::format::checksum::seal;
use exutil::format::ids::{Objid, Pgno};
use exutil::format::page::{Page, PageFlags, PageMut};
use exutil::format::schema::{CatalogType, column_flags, index_flags};
use exutil::progress::Silent;
use exutil::salvage::{Inventory, TreeKind};
use repairing::{Records, checked, open, records, repaired, sample, serious};

const FILES: [&str; 5] = [
    "priv1.edb",
    "mini-2k.edb",
    "mini-4k.edb",
    "mini-8k.edb",
    "mini-32k.edb",
];

fn leaves(db: &Database, objid: Objid) -> Vec<Pgno> {
    let inventory = Inventory::scan(db, None, &Silent);
    inventory.leaves(objid, TreeKind::Data).collect()
}

/// Keys of all records, by object.
fn keys(records: &Records) -> Vec<(Objid, Vec<&Vec<u8>>)> {
    let all = records.iter().filter(|(_, table)| !table.is_empty());
    all.map(|(objid, table)| (*objid, table.keys().collect()))
        .collect()
}

#[test]
fn a_leaf_lost_in_both_catalogs_costs_no_record() {
    let mut tried = 0;
    for file in FILES {
        let bytes = sample(file);
        let db = open(bytes.clone());
        let size = db.page_size();
        let before = records(&db);
        for main in leaves(&db, Objid::CATALOG) {
            for shadow in leaves(&db, Objid::CATALOG_SHADOW) {
                let mut harmed = bytes.clone();
                for pgno in [main, shadow] {
                    let at = pgno.offset(size) as usize;
                    harmed[at + size.bytes() / 2..at + size.bytes()].fill(0xA5);
                }
                let name = format!("{file} pages {main} and {shadow}");
                let mut db = open(harmed);
                assert!(!checked(&db).is_sound(), "{name}");
                let (new, written) = repaired(&mut db).unwrap_or_else(|e| panic!("{name}: {e}"));
                let db = open(new);
                assert_eq!(
                    serious(&db),
                    [""; 0],
                    "{name} {:?}",
                    written.losses.catalog_changes
                );
                // That of a table that follows from the catalog may differ.
                let objids = Schema::read(&db)
                    .table("MSysObjids")
                    .map(|table| table.objid);
                let after = records(&db);
                for (objid, table) in keys(&before) {
                    if Some(objid) == objids {
                        continue;
                    }
                    let kept = after.get(&objid);
                    let lost = table
                        .iter()
                        .find(|key| !kept.is_some_and(|t| t.contains_key(**key)));
                    assert_eq!(lost, None, "{name}: object {objid}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn a_page_that_is_cut_out_costs_only_itself() {
    for file in FILES {
        let bytes = sample(file);
        let db = open(bytes.clone());
        let size = db.page_size();
        let before = records(&db);
        // The first is a copy of the header.
        for gone in [0, 1, 5, 30] {
            let at = (gone + 1) as usize * size.bytes();
            let mut harmed = bytes.clone();
            harmed.drain(at..at + size.bytes());
            let mut db = open(harmed);
            let (new, _) = repaired(&mut db).unwrap_or_else(|e| panic!("{file} {gone}: {e}"));
            let db = open(new);
            assert_eq!(serious(&db), [""; 0], "{file} {gone}");
            let after = records(&db);
            for (objid, table) in &before {
                for (key, (pgno, data)) in table {
                    if *pgno == Pgno::new(gone) {
                        continue;
                    }
                    let kept = after.get(objid).and_then(|table| table.get(key));
                    assert_eq!(
                        kept.map(|(_, data)| data),
                        Some(data),
                        "{file} {gone}: {objid}"
                    );
                }
            }
        }
    }
}

/// A leaf of a table whose keys can be computed, and two of its nodes that are equally long.
fn two_records(db: &Database, bytes: &[u8]) -> Option<(Pgno, [std::ops::Range<usize>; 2])> {
    let size = db.page_size();
    let schema = Schema::read(db);
    for table in schema
        .tables
        .values()
        .filter(|table| table.objid > Objid::new(6))
    {
        let coltyp = |index: &exutil::db::catalog::Index| {
            let segment = index.segments.first()?;
            let column = schema.column(table, segment.fid, segment.template)?;
            Some(!column.coltyp.is_text() && column.fid.get() < 128)
        };
        if table.primary_index().and_then(coltyp) != Some(true) {
            continue;
        }
        for pgno in leaves(db, table.objid) {
            let at = pgno.offset(size) as usize;
            let page = &bytes[at..at + size.bytes()];
            let page = exutil::format::page::Page::new(page, size)?;
            let mut seen: Vec<std::ops::Range<usize>> = Vec::new();
            for node in page.nodes().flatten() {
                let start = node.data.as_ptr() as usize - bytes.as_ptr() as usize;
                let range = start..start + node.data.len();
                if let Some(other) = seen.iter().find(|other| other.len() == range.len())
                    && bytes[other.start + 4..other.start + 8] != bytes[start + 4..start + 8]
                {
                    return Some((pgno, [other.clone(), range]));
                }
                seen.push(range);
            }
        }
    }
    None
}

#[test]
fn records_go_where_their_values_belong() {
    let mut tried = 0;
    for file in FILES {
        let mut bytes = sample(file);
        let db = open(bytes.clone());
        let Some((pgno, [a, b])) = two_records(&db, &bytes) else {
            continue;
        };
        let before = records(&db);
        let (one, two) = (bytes[a.clone()].to_vec(), bytes[b.clone()].to_vec());
        bytes[a].copy_from_slice(&two);
        bytes[b].copy_from_slice(&one);
        let size = db.page_size();
        let at = pgno.offset(size) as usize;
        seal(&mut bytes[at..at + size.bytes()], size, pgno);
        let mut db = open(bytes);
        assert!(!checked(&db).is_sound(), "{file}");
        let (new, written) = repaired(&mut db).unwrap();
        let db = open(new);
        assert_eq!(serious(&db), [""; 0], "{file}");
        let data = |records: &Records| -> Vec<String> {
            let tables = records.iter();
            let flat = tables.flat_map(|(objid, table)| table.iter().map(move |r| (objid, r)));
            flat.map(|(objid, (key, (_, data)))| format!("{objid} {key:x?} {data:x?}"))
                .collect()
        };
        assert_eq!(
            data(&before),
            data(&records(&db)),
            "{file} {:?}",
            written.losses.tables
        );
        tried += 1;
    }
    assert!(tried > 0);
}

#[test]
fn a_wrong_bit_of_a_checksum_costs_nothing() {
    let bytes = sample("mini-8k.edb");
    let db = open(bytes.clone());
    let before = records(&db);
    let size = db.page_size();
    let table = before
        .iter()
        .max_by_key(|(_, table)| table.len())
        .unwrap()
        .0;
    let pgno = leaves(&db, *table)[0];
    let at = pgno.offset(size) as usize;
    let page = exutil::format::page::Page::new(&bytes[at..at + size.bytes()], size).unwrap();
    assert!(page.flags().any(PageFlags::NEW_CHECKSUM));
    for bit in 0..64 {
        let mut harmed = bytes.clone();
        harmed[at + bit / 8] ^= 1 << (bit % 8);
        let mut db = open(harmed);
        assert!(!checked(&db).is_sound(), "{bit}");
        db.mend_sums();
        let (new, _) = repaired(&mut db).unwrap();
        assert_eq!(keys(&records(&open(new))), keys(&before), "{bit}");
    }
}

/// The rows of both catalogs of a sample, changed by `change`, which says whether it has.
fn with_catalog_rows(file: &str, change: &dyn Fn(&CatalogRow, &mut [u8]) -> bool) -> Vec<u8> {
    let mut bytes = sample(file);
    let db = open(bytes.clone());
    let size = db.page_size();
    let mut changed = 0;
    for objid in [Objid::CATALOG, Objid::CATALOG_SHADOW] {
        for pgno in leaves(&db, objid) {
            let at = pgno.offset(size) as usize;
            let place = &mut bytes[at..at + size.bytes()];
            let before = place.to_vec();
            let page = Page::new(&before, size).unwrap();
            let mut edit = PageMut::new(place, size).unwrap();
            for line in 0..page.node_count() {
                let row = CatalogRow::parse(page.node(line).unwrap().data, page).unwrap();
                // The catalog's own description stays.
                let ours = row.table > Objid::new(5);
                let data = edit.node_data_mut(line).unwrap();
                changed += usize::from(ours && change(&row, data));
            }
            seal(place, size, pgno);
        }
    }
    assert!(changed > 0 && changed % 2 == 0, "{file}: {changed}");
    bytes
}

/// Repairs it, and gives what was changed of the catalog; every record is kept.
fn put_right(file: &str, harmed: Vec<u8>) -> (Schema, Vec<String>) {
    let before = records(&open(sample(file)));
    let mut db = open(harmed);
    assert!(!checked(&db).is_sound(), "{file}");
    let (new, written) = repaired(&mut db).unwrap_or_else(|error| panic!("{file}: {error}"));
    let db = open(new);
    assert_eq!(serious(&db), [""; 0], "{file}");
    let after = records(&db);
    let objids = Schema::read(&db)
        .table("MSysObjids")
        .map(|table| table.objid);
    for (objid, table) in keys(&before) {
        if Some(objid) != objids {
            assert!(
                table.iter().all(|key| after[&objid].contains_key(*key)),
                "{file} {objid}"
            );
        }
    }
    let changes = written.losses.catalog_changes.into_iter();
    (
        Schema::read(&db),
        changes.map(|change| change.what).collect(),
    )
}

#[test]
fn an_escrow_column_without_a_default_is_an_ordinary_one() {
    for file in FILES {
        let is_plain = |row: &CatalogRow| {
            let column = row.column().filter(|_| row.kind == CatalogType::Column);
            column.is_some_and(|column| column.default.is_none())
        };
        let harmed = with_catalog_rows(file, &|row, data| {
            is_plain(row) && CatalogRow::set_flags(data, row.flags | column_flags::ESCROW)
        });
        let (schema, changes) = put_right(file, harmed);
        let columns = schema.tables.values().flat_map(|table| &table.columns);
        let mut without = columns.filter(|column| column.default.is_none());
        assert!(without.all(|column| column.flags & column_flags::ESCROW == 0));
        assert!(
            changes
                .iter()
                .any(|what| what.contains("no longer an escrow column"))
        );
    }
}

#[test]
fn indexes_that_contradict_themselves_are_left_out() {
    for file in FILES {
        let is_index = |row: &CatalogRow| row.kind == CatalogType::Index;
        // All the other way round.
        let harmed = with_catalog_rows(file, &|row, data| {
            is_index(row) && CatalogRow::set_flags(data, row.flags ^ index_flags::PRIMARY)
        });
        let (schema, changes) = put_right(file, harmed);
        let tables = schema
            .tables
            .values()
            .filter(|table| table.objid > Objid::new(5));
        assert!(
            tables.flat_map(|table| &table.indexes).next().is_none(),
            "{file}"
        );
        assert!(
            changes
                .iter()
                .any(|what| what.contains("contradicts itself"))
        );
    }
}

#[test]
fn an_index_over_a_deleted_column_is_left_out() {
    for file in FILES {
        let schema = Schema::read(&open(sample(file)));
        let tables = schema
            .tables
            .values()
            .filter(|table| table.objid > Objid::new(5));
        let mut indexes =
            tables.flat_map(|table| table.secondary_indexes().map(move |i| (table, i)));
        let (table, index) = indexes.next().unwrap();
        let fid = index.segments[0].fid;
        let harmed = with_catalog_rows(file, &|row, data| {
            let is_it = row.kind == CatalogType::Column && row.id == u32::from(fid.get());
            is_it && row.table == table.objid && CatalogRow::set_root(data, Pgno::NULL)
        });
        let (schema, _) = put_right(file, harmed);
        let kept = &schema.tables[&table.objid].indexes;
        assert!(kept.iter().all(|it| it.objid != index.objid), "{file}");
    }
}
