use super::{
    MakeError, NewTable, SeenColumns, free_name, orphaned_long_value, orphaned_long_values,
    orphaned_long_values_name, recovered_name, recovered_table,
};
use crate::db::catalog::make::NewRow;
use crate::db::catalog::{Schema, Table};
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::lv::Lid;
use crate::format::record::{CatalogLimits, Field, Instance, Record, RecordLayout};
use crate::format::schema::{Coltyp, Fid, FidKind};
use crate::format::testing::Lcg;

const LAYOUTS: [RecordLayout; 3] = [RecordLayout::Old, RecordLayout::Small, RecordLayout::Large];

fn new_table(name: &str) -> NewTable<'_> {
    NewTable {
        objid: Objid::new(17),
        name,
        root: Pgno::new(40),
        long_values: Some((Objid::new(18), Pgno::new(41))),
    }
}

/// What the catalog's reader makes of rows; the same in every layout.
fn read_back(rows: &[NewRow]) -> (Schema, Table) {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let encoded: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| {
            let (mut key, mut data) = (Vec::new(), Vec::new());
            row.key(&mut key);
            assert!(keys.last().is_none_or(|last| *last < key), "rows in order");
            keys.push(key);
            row.encode(&mut data).expect("a row");
            data
        })
        .collect();
    let mut schemas = LAYOUTS.map(|layout| {
        let rows = encoded.iter().map(|data| (&data[..], layout));
        Schema::from_rows(rows, false)
    });
    let tables = schemas.each_ref().map(|schema| {
        assert!(schema.faults.is_empty(), "{:?}", schema.faults);
        assert_eq!(schema.tables.len(), 1);
        format!("{:?}", schema.tables)
    });
    assert!(tables.iter().all(|table| *table == tables[0]));
    let schema = std::mem::take(&mut schemas[0]);
    let table = schema.tables[&Objid::new(17)].clone();
    (schema, table)
}

fn record(bytes: &[u8]) -> Record<'_> {
    let record = Record::with_layout(bytes, RecordLayout::Small).expect("a record");
    record.check(CatalogLimits::ANY).expect("sound");
    record
}

/// Column, type, longest value and offset of the fixed columns.
fn fixed(table: &Table) -> Vec<(u16, Coltyp, u32, u16)> {
    let columns = table.columns.iter();
    columns
        .filter(|column| column.fid.kind() == FidKind::Fixed)
        .map(|column| {
            (
                column.fid.get(),
                column.coltyp,
                column.max_len,
                column.record_offset,
            )
        })
        .collect()
}

#[test]
fn columns_come_from_records() {
    let mut seen = SeenColumns::new();
    // Three fixed columns of 9 bytes, two variable ones, then own tagged columns 256, 258 and 300.
    let one = b"\x03\x81\x0E\0ABBCCCCCC\xF8\x01\0\x01\x80v\
        \0\x01\x0C\0\x02\x01\x0D\x40\x2C\x01\x12\x20x\x05\x07\0\0\0";
    seen.add(&record(one)).expect("sound");
    // An older one: only the first fixed column.
    seen.add(&record(b"\x01\x7F\x06\0A\xFE")).expect("sound");
    // A derived column; and several values of 258.
    let two = b"\0\x7F\x04\0\0\x01\x08\xC0\x02\x01\x0A\x40\x01x\x09\x04\0\x05\0ab";
    assert!(!seen.has_derived());
    seen.add(&record(two)).expect("sound");
    assert!(seen.has_derived());

    let rows = recovered_table(&new_table("recovered-17"), &seen).expect("rows");
    let (schema, table) = read_back(&rows);
    assert_eq!(table.name, recovered_name(Objid::new(17)));
    assert_eq!((table.root, table.density), (Pgno::new(40), 80));
    assert!(table.is_defined() && !table.is_system() && table.indexes.is_empty());
    let lv = table.long_values.expect("a tree");
    assert_eq!((lv.objid.get(), lv.root.get()), (18, 41));

    let expected = [
        (1, Coltyp::UnsignedByte, 1, 4),
        (2, Coltyp::UnsignedByte, 1, 5),
        (3, Coltyp::Binary, 7, 6),
    ];
    assert_eq!(fixed(&table), expected);
    let others: Vec<_> = table.columns[3..]
        .iter()
        .map(|column| (&column.name[..], column.coltyp, column.is_multi_valued()))
        .collect();
    let expected = [
        ("variable-128", Coltyp::Binary, false),
        ("variable-129", Coltyp::Binary, false),
        ("tagged-256", Coltyp::Binary, false),
        ("tagged-258", Coltyp::LongBinary, true),
        ("tagged-300", Coltyp::LongBinary, false),
    ];
    assert_eq!(others, expected);
    let limits = schema.limits(&table);
    record(one).check(limits).expect("in the catalog");
    assert_eq!(
        (
            limits.fixed.get(),
            limits.variable.get(),
            limits.tagged.get()
        ),
        (3, 129, 300)
    );
}

/// A record of `sizes.len()` fixed columns.
fn of_sizes(sizes: &[u16]) -> Vec<u8> {
    let area: u16 = sizes.iter().sum();
    let end = 4 + area + (sizes.len() as u16).div_ceil(8);
    let mut bytes = vec![sizes.len() as u8, 0x7F];
    bytes.extend(end.to_le_bytes());
    bytes.resize(end.into(), 0);
    bytes
}

/// Whatever the sizes are: columns follow one another, none is longer than it may be, together they are
/// the fixed area, and those of each record lie in it.
#[test]
fn fixed_columns_of_any_sizes() {
    let mut random = Lcg::new(21);
    for _ in 0..500 {
        let count = 1 + random.below(40);
        let sizes: Vec<u16> = (0..count)
            .map(|_| match random.below(3) {
                0 => 255,
                1 => 1,
                _ => 1 + random.below(255) as u16,
            })
            .collect();
        let mut seen = SeenColumns::new();
        let records: Vec<Vec<u8>> = (0..=random.below(4))
            .map(|number| match number {
                0 => of_sizes(&sizes),
                _ => of_sizes(&sizes[..random.below(count)]),
            })
            .collect();
        for bytes in &records {
            seen.add(&record(bytes)).expect("sound");
        }
        let (_, table) = read_back(&recovered_table(&new_table("t"), &seen).expect("rows"));
        let columns = fixed(&table);
        assert_eq!(columns.len(), count);
        let mut end = 4;
        for (_, coltyp, size, offset) in &columns {
            assert_eq!(u32::from(*offset), end);
            assert!((1..=255).contains(size));
            assert_eq!(*coltyp == Coltyp::UnsignedByte, *size == 1);
            end += size;
        }
        assert_eq!(
            end,
            4 + sizes.iter().map(|size| u32::from(*size)).sum::<u32>()
        );
        for bytes in &records {
            let record = record(bytes);
            for (fid, _, size, offset) in &columns {
                let field = record.fixed(Fid::new(*fid), (*offset).into(), *size as usize);
                let present = *fid <= record.fixed_last().get();
                let value = matches!(field, Ok(Field::Value(_)));
                assert!(value == present && field.is_ok(), "{field:?}");
            }
        }
    }
}

/// Records that contradict one another give some columns, never a panic.
#[test]
fn contradictions() {
    let mut random = Lcg::new(4);
    for _ in 0..2_000 {
        let mut seen = SeenColumns::new();
        for _ in 0..random.below(6) {
            let last = random.below(128) as u8;
            let area = match random.below(3) {
                0 => random.below(32_000),
                _ => random.below(200),
            };
            let end = 4 + area + usize::from(last).div_ceil(8);
            let mut bytes = vec![last, 0x7F];
            bytes.extend((end as u16).to_le_bytes());
            bytes.resize(end, 0);
            seen.add(&record(&bytes)).expect("sound");
        }
        let (_, table) = read_back(&recovered_table(&new_table("t"), &seen).expect("rows"));
        for (number, (fid, ..)) in (1..).zip(fixed(&table)) {
            assert_eq!(fid, number);
        }
    }
}

#[test]
fn nothing_seen() {
    let table = NewTable {
        long_values: None,
        ..new_table("empty")
    };
    let rows = recovered_table(&table, &SeenColumns::new()).expect("a row");
    let (schema, table) = read_back(&rows);
    assert!(table.columns.is_empty() && table.long_values.is_none());
    record(b"\0\x7F\x04\0")
        .check(schema.limits(&table))
        .expect("in the catalog");
}

#[test]
fn what_cannot_be_a_table() {
    let seen = SeenColumns::new();
    let name = recovered_table(&new_table("a.b"), &seen);
    assert_eq!(name, Err(MakeError::Name("a.b".to_owned())));
    let table = NewTable {
        root: Pgno::NULL,
        ..new_table("t")
    };
    assert_eq!(
        recovered_table(&table, &seen),
        Err(MakeError::NoRoot(Objid::new(17)))
    );
    let table = NewTable {
        long_values: Some((Objid::new(18), Pgno::NULL)),
        ..new_table("t")
    };
    assert_eq!(
        orphaned_long_values(&table),
        Err(MakeError::NoRoot(Objid::new(18)))
    );
}

#[test]
fn names_that_are_taken_get_a_number() {
    let taken = ["RECOVERED-7", "RECOVERED-7-2"];
    let name = |objid| {
        free_name(recovered_name(Objid::new(objid)), |name| {
            taken.contains(&name)
        })
    };
    assert_eq!(
        (name(6), name(7)),
        ("recovered-6".into(), "recovered-7-3".into())
    );
}

#[test]
fn a_table_of_orphaned_long_values() {
    let objid = Objid::new(17);
    let name = orphaned_long_values_name(objid);
    assert_eq!(name, "orphaned-long-values-17");
    assert!(orphaned_long_values_name(Objid::new(u32::MAX)).len() <= 64);
    let rows = orphaned_long_values(&new_table(&name)).expect("rows");
    let (schema, table) = read_back(&rows);
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|column| &column.name[..])
        .collect();
    assert_eq!(names, ["lid", "size", "value"]);
    for (size, number) in [(PageSize::K4, 7), (PageSize::K32, 1 << 63 | 7)] {
        let lid = Lid::new(number).expect("an id");
        let mut bytes = Vec::new();
        orphaned_long_value(lid, 4321, size, &mut bytes).expect("a record");
        let layout = RecordLayout::new(size.is_large(), true);
        let record = Record::with_layout(&bytes, layout).expect("a record");
        record.check(schema.limits(&table)).expect("sound");
        let field = |number: usize| {
            let column = &table.columns[number];
            let (offset, len) = (column.record_offset.into(), column.max_len as usize);
            record
                .fixed(column.fid, offset, len)
                .expect("sound")
                .value()
        };
        assert_eq!(field(0), Some(&number.to_be_bytes()[..]));
        assert_eq!(field(1), Some(&4321_u32.to_le_bytes()[..]));
        let value = record
            .find_tagged(table.columns[2].fid, false)
            .expect("sound");
        let values: Vec<_> = value.expect("a value").values().collect();
        assert_eq!(values, [Instance::Separated(lid)]);
    }
}
