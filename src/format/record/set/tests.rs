use super::{ColumnChange, ColumnShape, RecordShape, SetError, with_columns};
use crate::format::ids::PageSize;
use crate::format::record::encode::{
    FixedSlot, Instance as Stored, PlainValue, TaggedValue as NewColumn, encode,
};
use crate::format::record::{CatalogLimits, Field, Instance, Record, RecordLayout};
use crate::format::schema::{Fid, FidKind};
use crate::format::testing::Lcg;

/// Fixed columns: width and default.
const FIXED: [(usize, Option<&[u8]>); 5] = [
    (4, None),
    (2, Some(b"\x07\x07")),
    (1, None),
    (8, Some(b"DEFAULT!")),
    (4, None),
];
const VARIABLES: u16 = 4;
/// Tagged columns: id, of the template, long, default.
const TAGGED: [(u16, bool, bool, bool); 6] = [
    (256, true, false, false),
    (300, true, true, true),
    (256, false, false, true),
    (257, false, true, false),
    (258, false, true, true),
    (400, false, false, false),
];

fn slots() -> Vec<FixedSlot> {
    let mut offset = 4;
    let place = |(number, (size, _)): (usize, &(usize, Option<&[u8]>))| {
        let slot = FixedSlot {
            fid: Fid::new(number as u16 + 1),
            offset,
            size: *size as u16,
            pad: 0,
        };
        offset += *size as u16;
        slot
    };
    FIXED.iter().enumerate().map(place).collect()
}

fn shape(longest: usize) -> RecordShape {
    let column = |fid, derived, long, size, default: Option<&[u8]>| ColumnShape {
        fid: Fid::new(fid),
        derived,
        long,
        size,
        longest: if long { usize::MAX } else { 255 },
        offset: 0,
        pad: 0,
        default: default.map(<[u8]>::to_vec),
        has_default: default.is_some(),
        not_null: false,
        encrypted: false,
    };
    let mut columns = Vec::new();
    for (slot, (size, default)) in slots().iter().zip(FIXED) {
        columns.push(ColumnShape {
            offset: slot.offset.into(),
            ..column(slot.fid.get(), false, false, Some(size), default)
        });
    }
    for number in 0..VARIABLES {
        let default = (number == 2).then_some(&b"var default"[..]);
        columns.push(column(128 + number, false, false, None, default));
    }
    for (fid, derived, long, has_default) in TAGGED {
        let default = has_default.then_some(&b"tagged default"[..]);
        columns.push(column(fid, derived, long, None, default));
    }
    columns.reverse();
    RecordShape::new(columns, longest)
}

/// The values of a column; separated ones by their ids.
type Values = Vec<Result<Vec<u8>, u64>>;

/// What a record says of every column, defaults included.
fn meaning(data: &[u8], layout: RecordLayout) -> Vec<Values> {
    let record = Record::with_layout(data, layout).unwrap();
    record.check(CatalogLimits::ANY).unwrap();
    let shape = shape(0);
    let each = |column: &ColumnShape| -> Values {
        let default = || column.default.clone().map(Ok).into_iter().collect();
        let field = match column.fid.kind() {
            FidKind::Fixed => record.fixed(column.fid, column.offset, column.size.unwrap()),
            FidKind::Variable => record.variable(column.fid),
            FidKind::Tagged => {
                let tagged = record.find_tagged(column.fid, column.derived).unwrap();
                let bytes = |instance| match instance {
                    Instance::Separated(lid) => Err(lid.get()),
                    inside => Ok(inside.unpacked().unwrap()),
                };
                return tagged.map_or_else(default, |t| t.values().map(bytes).collect());
            }
        };
        match field.unwrap() {
            Field::Absent => default(),
            Field::Null => Vec::new(),
            Field::Value(bytes) => vec![Ok(bytes.to_vec())],
        }
    };
    shape.columns.iter().map(each).collect()
}

/// Values for a column, none now and then.
fn values(random: &mut Lcg, column: &ColumnShape) -> Vec<Vec<u8>> {
    let count = match column.fid.kind() {
        FidKind::Tagged => [0, 1, 1, 2, 3][random.below(5)],
        _ => random.below(3).min(1),
    };
    let len = |random: &mut Lcg| match column.size {
        Some(size) => size,
        None => random.below(40),
    };
    (0..count)
        .map(|_| {
            let len = len(random);
            random.bytes(len)
        })
        .collect()
}

fn lid(id: u8) -> [u8; 4] {
    [id + 1, 0, 0, 0]
}

/// A record at random, in one of the newer layouts.
fn record(random: &mut Lcg, size: PageSize) -> Vec<u8> {
    let shape = shape(0);
    let last_fixed = random.below(6) as u16;
    let last_variable = 127 + random.below(usize::from(VARIABLES) + 1) as u16;
    let mut all: Vec<(ColumnShape, Vec<Vec<u8>>, bool)> = Vec::new();
    for column in &shape.columns {
        let fid = column.fid.get();
        let there = match column.fid.kind() {
            FidKind::Fixed => fid <= last_fixed,
            FidKind::Variable => fid <= last_variable,
            FidKind::Tagged => random.below(2) == 0,
        };
        if there {
            let mut values = values(random, column);
            let apart = column.long && values.len() == 1 && random.below(2) == 0;
            if apart {
                values = vec![lid(random.below(200) as u8).to_vec()];
            }
            all.push((column.clone(), values, apart));
        }
    }
    let plain = |kind: FidKind| -> Vec<PlainValue<'_>> {
        let own = all.iter().filter(|(column, ..)| column.fid.kind() == kind);
        own.map(|(column, values, _)| PlainValue {
            fid: column.fid,
            bytes: values.first().map(Vec::as_slice),
        })
        .collect()
    };
    let tagged: Vec<NewColumn<'_>> = all
        .iter()
        .filter(|(column, ..)| column.fid.kind() == FidKind::Tagged)
        .map(|(column, values, apart)| NewColumn {
            fid: column.fid,
            derived: column.derived,
            long: column.long,
            instances: values
                .iter()
                .map(|value| match apart {
                    true => Stored::Separated(value),
                    false => Stored::Intrinsic(value),
                })
                .collect(),
        })
        .collect();
    let mut data = Vec::new();
    let (fixed, variable) = (plain(FidKind::Fixed), plain(FidKind::Variable));
    encode(&slots(), &fixed, &variable, &tagged, size, &mut data).unwrap();
    data
}

/// The same record in the oldest layout.
fn to_old(data: &[u8], layout: RecordLayout) -> Vec<u8> {
    let record = Record::with_layout(data, layout).unwrap();
    let mut old = data[..data.len() - record.tagged_bytes().len()].to_vec();
    for tagged in record.tagged() {
        let tagged = tagged.unwrap();
        let long = TAGGED
            .iter()
            .any(|known| known.0 == tagged.fid.get() && known.1 == tagged.derived && known.2);
        let derived = if tagged.derived { 0x2000 } else { 0 };
        let mut entry = |flags: u16, value: &[u8]| {
            old.extend(tagged.fid.get().to_le_bytes());
            old.extend((value.len() as u16 | flags | derived).to_le_bytes());
            old.extend(value);
        };
        if tagged.values().next().is_none() {
            entry(0x4000, b"");
        }
        for value in tagged.values() {
            match (value, long) {
                (Instance::Intrinsic { bytes, .. }, true) => {
                    entry(0x8000, &[&[0], bytes].concat());
                }
                (Instance::Intrinsic { bytes, .. }, false) => entry(0, bytes),
                (Instance::Separated(lid), _) => {
                    let id = (lid.get() as u32).to_le_bytes();
                    entry(0x8000, &[&[1][..], &id].concat());
                }
            }
        }
    }
    old
}

fn set(data: &[u8], layout: RecordLayout, changes: &[ColumnChange]) -> Result<Vec<u8>, SetError> {
    let mut out = b"before".to_vec();
    let done = with_columns(data, layout, &shape(100_000), changes, &mut out);
    assert!(out.starts_with(b"before"));
    assert!(done.is_ok() || out.len() == 6);
    done.map(|()| out.split_off(6))
}

#[test]
fn only_the_columns_that_are_set_change() {
    let mut random = Lcg::new(11);
    let shape = shape(0);
    for round in 0..3000 {
        let (size, layout) = match round % 3 {
            0 => (PageSize::K8, RecordLayout::Small),
            1 => (PageSize::K32, RecordLayout::Large),
            _ => (PageSize::K8, RecordLayout::Old),
        };
        let mut data = record(&mut random, size);
        if layout == RecordLayout::Old {
            data = to_old(&data, RecordLayout::Small);
        }
        let before = meaning(&data, layout);
        let mut expected = before.clone();
        let mut changes = Vec::new();
        for (number, column) in shape.columns.iter().enumerate() {
            if random.below(6) == 0 {
                let values = values(&mut random, column);
                expected[number] = values.iter().cloned().map(Ok).collect();
                changes.push(ColumnChange {
                    fid: column.fid,
                    derived: column.derived,
                    values,
                });
            }
        }
        let after = set(&data, layout, &changes).unwrap();
        assert_eq!(
            meaning(&after, layout),
            expected,
            "{round} {layout:?} {data:02x?} {changes:?}"
        );
        // Again: the same bytes.
        assert_eq!(set(&after, layout, &changes).unwrap(), after, "{round}");
        // Nothing to do.
        assert_eq!(set(&data, layout, &[]).unwrap(), data, "{round}");
        // And the values that it had.
        let back: Vec<ColumnChange> = shape
            .columns
            .iter()
            .zip(&before)
            .filter(|(_, values)| values.iter().all(Result::is_ok))
            .map(|(column, values)| ColumnChange {
                fid: column.fid,
                derived: column.derived,
                values: values.iter().cloned().filter_map(Result::ok).collect(),
            })
            .collect();
        assert_eq!(
            meaning(&set(&data, layout, &back).unwrap(), layout),
            before,
            "{round}"
        );
    }
}

fn change(fid: u16, values: &[&[u8]]) -> ColumnChange {
    ColumnChange {
        fid: Fid::new(fid),
        derived: false,
        values: values.iter().map(|value| value.to_vec()).collect(),
    }
}

/// A record that ends before the column: what lies between says its default, or null.
#[test]
fn a_record_is_made_longer() {
    let data = [0, 127, 4, 0];
    let after = set(&data, RecordLayout::Small, &[change(5, &[b"five"])]).unwrap();
    let expected = b"\x05\x7F\x18\0****\x07\x07*DEFAULT!five\xE5";
    assert_eq!(after, expected);
    let after = set(&data, RecordLayout::Small, &[change(131, &[b"x"])]).unwrap();
    assert_eq!(after, b"\0\x83\x04\0\0\x80\0\x80\x0B\0\x0C\0var defaultx");
    // Null without a default is null already; with one it must be said.
    for fid in [1, 3, 5, 128, 131] {
        let after = set(&data, RecordLayout::Small, &[change(fid, &[])]).unwrap();
        assert_eq!(after, data, "{fid}");
    }
    let after = set(&data, RecordLayout::Small, &[change(2, &[])]).unwrap();
    assert_eq!(after, b"\x02\x7F\x0B\0******\xFF");
    let after = set(&data, RecordLayout::Small, &[change(130, &[])]).unwrap();
    assert_eq!(after, b"\0\x82\x04\0\0\x80\0\x80\0\x80");
}

#[test]
fn a_null_is_said_where_a_default_would_speak() {
    let data = [0, 127, 4, 0];
    for (layout, null) in [
        (RecordLayout::Small, &b"\x02\x01\x04\x20"[..]),
        (RecordLayout::Large, b"\x02\x01\x04\0\x21"),
        (RecordLayout::Old, b"\x02\x01\0\x40"),
    ] {
        let after = set(&data, layout, &[change(258, &[])]).unwrap();
        assert_eq!(after[4..], *null);
        let after = set(&after, layout, &[change(257, &[])]).unwrap();
        assert_eq!(after[4..], *null);
        // The later change counts.
        let twice = [change(258, &[b"x"]), change(258, &[])];
        assert_eq!(set(&data, layout, &twice).unwrap(), after);
    }
}

/// A compressed value, a separated one of several, and what is left of an end stay byte for byte.
#[test]
fn what_is_stored_in_special_ways_stays() {
    // 257: compressed; 258: two values, the second apart.
    let tagged = b"\x01\x01\x08\x40\x02\x01\x0C\x40\x03\x10hx\x09\x04\0\x07\x80abc\x07\0\0\0";
    let data = [&[0, 127, 4, 0][..], tagged].concat();
    let after = set(&data, RecordLayout::Small, &[change(256, &[b"new"])]).unwrap();
    assert_eq!(after[8..16], *b"\x01\x01\x0F\x40\x02\x01\x13\x40");
    assert_eq!(after[16..19], *b"new");
    assert_eq!(after[19..], data[12..]);
    let back = set(&after, RecordLayout::Small, &[change(256, &[])]);
    // Column 256 has a default, so that its null stands there.
    assert_eq!(back.unwrap().len(), data.len() + 4);
    // Two bytes are no entry.
    let old = b"\0\x7F\x04\0\x90\x01\x01\0Z\xAA\xBB";
    let after = set(old, RecordLayout::Old, &[change(400, &[b"YY"])]).unwrap();
    assert_eq!(after, b"\0\x7F\x04\0\x90\x01\x02\0YY\xAA\xBB");
}

#[test]
fn what_cannot_be_is_refused() {
    let layout = RecordLayout::Small;
    let data = [0, 127, 4, 0];
    let error = |changes: &[ColumnChange]| set(&data, layout, changes).unwrap_err();
    let fid = Fid::new;
    assert_eq!(error(&[change(6, &[])]), SetError::NoColumn { fid: fid(6) });
    let derived = ColumnChange {
        derived: true,
        ..change(257, &[])
    };
    assert_eq!(error(&[derived]), SetError::NoColumn { fid: fid(257) });
    let size = |number, len| SetError::Size {
        fid: fid(number),
        len,
    };
    assert_eq!(error(&[change(1, &[b"abc"])]), size(1, 3));
    assert_eq!(error(&[change(128, &[&[0; 256]])]), size(128, 256));
    assert_eq!(
        error(&[change(1, &[b"1234", b"5678"])]),
        SetError::Several { fid: fid(1) }
    );
    let broken = set(&data[..3], layout, &[]).unwrap_err();
    assert!(matches!(broken, SetError::Fault(_)));
    // Thirteen bits of offsets.
    let long = vec![7; 9000];
    let far = [change(257, &[&long]), change(400, &[b"x"])];
    assert!(matches!(error(&far), SetError::TooLong { .. }));
    let old = set(&data, RecordLayout::Old, &[change(257, &[&long])]);
    assert!(matches!(old, Err(SetError::TooLong { .. })));
    // One that is too long already may stay so, but not grow.
    let long = [&data[..], b"\x90\x01\x04\0abcdef"].concat();
    let with = |value: &[u8]| {
        let mut out = Vec::new();
        let changes = [change(400, &[value])];
        with_columns(&long, layout, &shape(10), &changes, &mut out).map(|()| out)
    };
    assert!(with(b"ghijkl").is_ok());
    let most = SetError::TooLong {
        bytes: 15,
        most: 10,
    };
    assert_eq!(with(b"ghijklm"), Err(most));
    let mut one = shape(100).columns;
    one.retain(|column| column.fid == fid(1));
    let refuses = |change_it: fn(&mut ColumnShape), values: &[&[u8]]| {
        let mut columns = one.clone();
        change_it(&mut columns[0]);
        let shape = RecordShape::new(columns, 100);
        let changes = [change(1, values)];
        with_columns(&data, layout, &shape, &changes, &mut Vec::new()).unwrap_err()
    };
    let not_null = refuses(|column| column.not_null = true, &[]);
    assert_eq!(not_null, SetError::NotNull { fid: fid(1) });
    let encrypted = refuses(|column| column.encrypted = true, &[b"1234"]);
    assert_eq!(encrypted, SetError::Encrypted { fid: fid(1) });
    let misplaced = refuses(|column| column.offset = 2, &[b"1234"]);
    assert_eq!(misplaced, SetError::Misplaced { fid: fid(1) });
}

/// Bytes of any kind give an error or a record, and never more.
#[test]
fn any_bytes_are_survived() {
    let mut random = Lcg::new(5);
    for round in 0..3000u64 {
        let layout =
            [RecordLayout::Old, RecordLayout::Small, RecordLayout::Large][(round % 3) as usize];
        let size = if layout == RecordLayout::Large {
            PageSize::K32
        } else {
            PageSize::K8
        };
        let mut data = record(&mut random, size);
        for _ in 0..1 + random.below(4) {
            let at = random.below(data.len());
            data[at] = random.below(256) as u8;
        }
        let changes = [
            change(5, &[b"five"]),
            change(130, &[]),
            change(257, &[b"a", b"b"]),
        ];
        let _ = set(&data, layout, &changes);
    }
}
