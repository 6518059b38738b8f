//! Repair of what two witnesses have lost together, of pages in the place of others, and of records in the place of
//! others.

#[path = "common/repairing.rs"]
mod repairing;

use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::checksum::seal;
use exutil::format::ids::{Objid, Pgno};
use exutil::format::page::PageFlags;
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
