use super::{LostValue, without_separated};
use crate::format::ids::PageSize;
use crate::format::lv::Lid;
use crate::format::record::encode::{
    self, FixedSlot, Instance as Part, PlainValue, TaggedValue as Column,
};
use crate::format::record::{
    CatalogLimits, Instance, Record, RecordFault, RecordLayout, Separated, TaggedHeader,
};
use crate::format::schema::Fid;
use crate::format::testing::Lcg;

/// A tagged column of the model: derived, id, long, its values.
#[derive(Debug, Clone)]
struct Model {
    derived: bool,
    fid: u16,
    long: bool,
    values: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Here(Vec<u8>),
    Apart(Lid),
}

fn lid(random: &mut Lcg) -> Lid {
    let number = u64::from(random.next() % 1000 + 1);
    let wide = random.below(3) == 0;
    Lid::new(if wide { number | 1 << 63 } else { number }).expect("an id")
}

fn bytes_of(lid: Lid) -> Vec<u8> {
    lid.get().to_le_bytes()[..lid.record_len()].to_vec()
}

fn model(random: &mut Lcg) -> Vec<Model> {
    let mut columns = Vec::new();
    for derived in [true, false] {
        let mut fid = 255;
        for _ in 0..random.below(4) {
            fid += 1 + random.below(3) as u16;
            let long = random.below(3) > 0;
            let values = (0..random.below(5))
                .map(|_| match long && random.below(2) == 0 {
                    true => Value::Apart(lid(random)),
                    false => {
                        let len = random.below(9);
                        Value::Here(random.bytes(len))
                    }
                })
                .collect();
            columns.push(Model {
                derived,
                fid,
                long,
                values,
            });
        }
    }
    columns
}

/// The columns that are not tagged, and tagged ones of the new layouts.
fn encode(columns: &[Model], size: PageSize) -> Vec<u8> {
    let slot = |fid, offset, size| FixedSlot {
        fid: Fid::new(fid),
        offset,
        size,
        pad: 0,
    };
    let plain = |fid, bytes| PlainValue {
        fid: Fid::new(fid),
        bytes,
    };
    let fixed = [plain(1, Some(&b"wxyz"[..])), plain(2, None)];
    let variable = [plain(128, Some(&b"variable"[..])), plain(129, None)];
    let lids: Vec<Vec<Vec<u8>>> = columns
        .iter()
        .map(|column| {
            let bytes = column.values.iter().map(|value| match value {
                Value::Apart(lid) => bytes_of(*lid),
                Value::Here(bytes) => bytes.clone(),
            });
            bytes.collect()
        })
        .collect();
    let tagged: Vec<Column<'_>> = columns
        .iter()
        .zip(&lids)
        .map(|(column, bytes)| Column {
            fid: Fid::new(column.fid),
            derived: column.derived,
            long: column.long,
            instances: column
                .values
                .iter()
                .zip(bytes)
                .map(|(value, bytes)| match value {
                    Value::Apart(_) => Part::Separated(bytes),
                    Value::Here(_) => Part::Intrinsic(bytes),
                })
                .collect(),
        })
        .collect();
    let mut record = Vec::new();
    let slots = [slot(1, 4, 4), slot(2, 8, 2)];
    encode::encode(&slots, &fixed, &variable, &tagged, size, &mut record).expect("a record");
    record
}

/// The same with the old layout, which has no encoder because no engine that is left writes it.
fn encode_old(columns: &[Model]) -> Vec<u8> {
    let mut record = encode(&[], PageSize::K4);
    for column in columns {
        let derived = if column.derived { 0x2000 } else { 0 };
        let mut entry = |bits: u16, bytes: &[u8]| {
            let word = bits | derived | bytes.len() as u16;
            record.extend_from_slice(&column.fid.to_le_bytes());
            record.extend_from_slice(&word.to_le_bytes());
            record.extend_from_slice(bytes);
        };
        if column.values.is_empty() {
            entry(0x4000, &[]);
        }
        for value in &column.values {
            match value {
                Value::Apart(lid) => entry(0x8000, &[&[1], &bytes_of(*lid)[..]].concat()),
                Value::Here(bytes) if column.long => entry(0x8000, &[&[0], &bytes[..]].concat()),
                Value::Here(bytes) => entry(0, bytes),
            }
        }
    }
    record
}

fn encode_as(columns: &[Model], layout: RecordLayout) -> Vec<u8> {
    match layout {
        RecordLayout::Old => encode_old(columns),
        RecordLayout::Small => encode(columns, PageSize::K8),
        RecordLayout::Large => encode(columns, PageSize::K32),
    }
}

/// What should be read of the record when `is_lost` are lost.
fn after(columns: &[Model], is_lost: &dyn Fn(Lid) -> bool) -> Vec<Model> {
    let mut columns = columns.to_vec();
    for column in &mut columns {
        let gone = |value: &Value| matches!(value, Value::Apart(lid) if is_lost(*lid));
        column.values.retain(|value| !gone(value));
    }
    columns
}

fn read(record: &Record<'_>) -> Vec<(bool, u16, Vec<Value>)> {
    record
        .tagged()
        .map(|tagged| {
            let tagged = tagged.expect("sound");
            let values = tagged.values().map(|value| match value {
                Instance::Separated(lid) => Value::Apart(lid),
                Instance::Intrinsic { bytes, .. } => Value::Here(bytes.to_vec()),
            });
            (tagged.derived, tagged.fid.get(), values.collect())
        })
        .collect()
}

fn without(data: &[u8], layout: RecordLayout, ids: &[u64]) -> (Vec<u8>, Vec<LostValue>) {
    let mut out = Vec::new();
    let is_lost = |lid: Lid| ids.contains(&lid.get());
    let lost = without_separated(data, layout, &is_lost, &mut out).expect("a sound record");
    (out, lost)
}

const LAYOUTS: [RecordLayout; 3] = [RecordLayout::Old, RecordLayout::Small, RecordLayout::Large];

/// The record that comes out is the one that would have been written with the other values.
#[test]
fn random_records_in_every_layout() {
    let mut random = Lcg::new(77);
    let (mut emptied, mut nulls) = (0, 0);
    for _ in 0..4_000 {
        let columns = model(&mut random);
        let modulus = 1 + random.below(3) as u64;
        let is_lost = |lid: Lid| lid.get().is_multiple_of(modulus);
        let expected = after(&columns, &is_lost);
        for layout in LAYOUTS {
            let data = encode_as(&columns, layout);
            let mut out = b"before".to_vec();
            let lost = without_separated(&data, layout, &is_lost, &mut out).expect("sound");
            let out = out.strip_prefix(b"before").expect("what was there");
            assert!(out.len() <= data.len());

            let (old, new) = (
                Record::with_layout(&data, layout).expect("a record"),
                Record::with_layout(out, layout).expect("a record"),
            );
            new.check(CatalogLimits::ANY).expect("sound");
            let head = data.len() - old.tagged_bytes().len();
            assert_eq!(out[..head], data[..head]);
            let values: Vec<_> = expected
                .iter()
                .map(|column| (column.derived, column.fid, column.values.clone()))
                .collect();
            assert_eq!(read(&new), values, "{layout:?} {columns:?}");

            let gone: Vec<Separated> = lost
                .iter()
                .map(|value| Separated {
                    fid: value.fid,
                    derived: value.derived,
                    itag: value.instance,
                    lid: value.lid,
                })
                .collect();
            let named: Vec<_> = old.separated().filter(|one| is_lost(one.lid)).collect();
            assert_eq!(gone, named);
            assert!(new.separated().all(|one| !is_lost(one.lid)));
            // What the encoder would not write itself is tested below.
            let same_form = columns
                .iter()
                .zip(&expected)
                .all(|(before, after)| before.values == after.values || after.values.len() > 1);
            if same_form {
                assert_eq!(out, encode_as(&expected, layout), "{layout:?} {columns:?}");
            }
            if lost.is_empty() {
                assert_eq!(out, data);
            }
            for (before, after) in columns.iter().zip(&expected) {
                nulls += usize::from(after.values.is_empty() && !before.values.is_empty());
                emptied += usize::from(after.values != before.values && !after.values.is_empty());
            }
        }
    }
    assert!(emptied > 1000 && nulls > 1000, "{emptied} {nulls}");
}

/// Derived flags and header bytes of the other columns stay.
#[test]
fn a_small_page_loses_header_and_reference() {
    let data = b"\0\x7F\x04\0\
        \0\x01\x0C\x80\x01\x01\x0E\xC0\x02\x01\x13\x40\
        xy\x05\x07\0\0\0\x03\x0Ea";
    let (out, lost) = without(data, RecordLayout::Small, &[7]);
    let expected = b"\0\x7F\x04\0\
        \0\x01\x0C\x80\x01\x01\x0E\xA0\x02\x01\x0E\x40\
        xy\x03\x0Ea";
    assert_eq!(out, expected);
    let value = LostValue {
        fid: Fid::new(257),
        derived: true,
        instance: 1,
        lid: Lid::new(7).expect("an id"),
    };
    assert_eq!(lost, [value]);
}

#[test]
fn a_large_page_keeps_a_header_that_says_null() {
    let data = b"\0\x7F\x04\0\
        \0\x01\x08\0\x01\x01\x0D\0\
        \x05\x07\0\0\0\x43\x0Ea";
    let (out, _) = without(data, RecordLayout::Large, &[7]);
    let expected = b"\0\x7F\x04\0\
        \0\x01\x08\0\x01\x01\x09\0\
        \x21\x43\x0Ea";
    assert_eq!(out, expected);
    let record = Record::with_layout(&out, RecordLayout::Large).expect("a record");
    record.check(CatalogLimits::ANY).expect("sound");
    let first = record.tagged().next().expect("a column").expect("sound");
    assert!(first.header.any(TaggedHeader::NULL) && first.values().count() == 0);
}

/// A compressed first value stays compressed, as the only one too; the one behind a lost first is not.
#[test]
fn the_compressed_bit_goes_with_the_first_value() {
    let data = b"\0\x7F\x04\0\x0F\x01\x04\x40\x0B\x04\0\x06\x80\x0Ea\x07\0\0\0";
    let (out, _) = without(data, RecordLayout::Small, &[7]);
    assert_eq!(out, b"\0\x7F\x04\0\x0F\x01\x04\x40\x03\x0Ea");

    let data = b"\0\x7F\x04\0\x0F\x01\x04\x40\x0B\x04\x80\x08\0\x07\0\0\0bb";
    let (out, _) = without(data, RecordLayout::Small, &[7]);
    assert_eq!(out, b"\0\x7F\x04\0\x0F\x01\x04\x40\x01bb");
}

#[test]
fn several_values_of_which_none_is_left_are_null() {
    let data = b"\0\x7F\x04\0\0\x01\x04\x40\x09\x04\x80\x08\x80\x07\0\0\0\x08\0\0\0";
    let (out, lost) = without(data, RecordLayout::Small, &[7, 8]);
    assert_eq!(out, b"\0\x7F\x04\0\0\x01\x04\x20");
    let lost: Vec<_> = lost.iter().map(|value| value.instance).collect();
    assert_eq!(lost, [1, 2]);
    let mut large = data.to_vec();
    large[7] = 0;
    let (out, _) = without(&large, RecordLayout::Large, &[7, 8]);
    assert_eq!(out, b"\0\x7F\x04\0\0\x01\x04\0\x21");
}

/// Reserved bits, and bytes too few for another entry, stay.
#[test]
fn the_old_layout() {
    let data = b"\0\x7F\x04\0\
        \0\x01\x05\xB0\x01\x07\0\0\0\
        \x01\x01\x05\x80\x01\x07\0\0\0\x01\x01\x03\x80\0ab\x01\x01\x05\x80\x01\x08\0\0\0\
        \xFF";
    let (out, lost) = without(data, RecordLayout::Old, &[7]);
    let expected = b"\0\x7F\x04\0\
        \0\x01\0\x70\
        \x01\x01\x03\x80\0ab\x01\x01\x05\x80\x01\x08\0\0\0\
        \xFF";
    assert_eq!(out, expected);
    let lost: Vec<_> = lost
        .iter()
        .map(|value| (value.fid.get(), value.derived, value.instance))
        .collect();
    assert_eq!(lost, [(256, true, 1), (257, false, 1)]);
}

#[test]
fn a_fault_leaves_the_output_as_it_was() {
    let data = b"\0\x7F\x04\0\0\x01\x08\x40\x01\x01\x0D\x60\x05\x07\0\0\0";
    let mut out = b"before".to_vec();
    let fault = without_separated(data, RecordLayout::Small, &|_| true, &mut out);
    let fid = Fid::new(257);
    assert_eq!(fault, Err(RecordFault::NullAndExtended { fid }));
    assert_eq!(out, b"before");
    let fault = without_separated(&data[..3], RecordLayout::Small, &|_| true, &mut out);
    assert_eq!(fault, Err(RecordFault::Size));
}

/// Whatever the bytes are: no panic, never longer, and what was sound stays sound.
#[test]
fn damaged_records() {
    let mut random = Lcg::new(3);
    let mut edited = 0;
    for _ in 0..6_000 {
        let columns = model(&mut random);
        for layout in LAYOUTS {
            let mut data = encode_as(&columns, layout);
            for _ in 0..random.below(4) {
                let at = random.below(data.len());
                data[at] = random.next() as u8;
            }
            data.truncate(data.len() - random.below(3));
            let sound = |data: &[u8]| {
                Record::with_layout(data, layout)
                    .and_then(|record| record.check(CatalogLimits::ANY))
                    .is_ok()
            };
            let mut out = Vec::new();
            match without_separated(&data, layout, &|lid| lid.get().is_multiple_of(2), &mut out) {
                Ok(lost) => {
                    assert!(out.len() <= data.len());
                    assert!(
                        sound(&out) || !sound(&data),
                        "{layout:?} {data:x?} {out:x?}"
                    );
                    edited += usize::from(!lost.is_empty());
                }
                Err(_) => assert!(out.is_empty() && !sound(&data)),
            }
        }
    }
    assert!(edited > 1000, "{edited}");
}
