use super::{CatalogLimits, Field, Instance, Record, RecordFault, TaggedHeader, TaggedValue};
use crate::format::lv::Lid;
use crate::format::schema::Fid;
use crate::format::testing::Lcg;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn small(data: &[u8]) -> Record<'_> {
    Record::parse(data, false, true).expect("a record")
}

fn check(tagged: &str, large: bool) -> Result<(), RecordFault> {
    let data = [hex("007F0400"), hex(tagged)].concat();
    Record::parse(&data, large, true)?.check(CatalogLimits::ANY)
}

fn values<'a>(record: &Record<'a>, fid: u16) -> Vec<Instance<'a>> {
    let tagged = record.find_tagged(Fid::new(fid), false).expect("no fault");
    tagged.expect("the column").values().collect()
}

#[test]
fn catalog_row_of_a_table() {
    let mut data =
        hex("08802000 02000000 0100 02000000 04000000 50000000 000000C0 14000000 FF 00 0B00");
    data.extend_from_slice(b"MSysObjects");
    let record = small(&data);
    record.check(CatalogLimits::ANY).expect("sound");
    assert_eq!(
        (record.fixed_last().get(), record.variable_last().get()),
        (8, 128)
    );
    assert_eq!(record.end_of_fixed(), 32);
    let fixed = |fid, offset, size| record.fixed(Fid::new(fid), offset, size);
    assert_eq!(fixed(1, 4, 4), Ok(Field::Value(&[2, 0, 0, 0])));
    assert_eq!(fixed(2, 8, 2), Ok(Field::Value(&[1, 0])));
    assert_eq!(fixed(8, 30, 1), Ok(Field::Value(&[0xFF])));
    assert_eq!(fixed(9, 31, 2), Ok(Field::Absent));
    let outside = RecordFault::FixedOutside { fid: Fid::new(8) };
    assert_eq!(fixed(8, 30, 2), Err(outside));
    assert_eq!(fixed(8, usize::MAX, 2), Err(outside));
    assert!(fixed(0, 4, 4).is_err());
    let variable = |fid| record.variable(Fid::new(fid));
    assert_eq!(variable(128), Ok(Field::Value(b"MSysObjects")));
    assert_eq!(variable(129), Ok(Field::Absent));
    assert_eq!(record.tagged().count(), 0);
    assert_eq!(
        record.check(CatalogLimits {
            fixed: Fid::new(7),
            ..CatalogLimits::ANY
        }),
        Err(RecordFault::FixedNotInCatalog {
            fid: Fid::new(8),
            last: Fid::new(7)
        })
    );
}

#[test]
fn catalog_row_of_a_column_has_a_null() {
    let mut data = hex(
        "09802300 02000000 0200 01000000 04000000 04000000 01000000 E4040000 2A 0400 80FE 0A00",
    );
    data.extend_from_slice(b"ObjidTable");
    let record = small(&data);
    record.check(CatalogLimits::ANY).expect("sound");
    assert_eq!(record.fixed(Fid::new(8), 30, 1), Ok(Field::Null));
    assert_eq!(record.fixed(Fid::new(9), 31, 2), Ok(Field::Value(&[4, 0])));
}

#[test]
fn object_ids_row() {
    let data = hex("007F0400 0001 0C00 0101 1000 0201 1400 02000000 02000000 0100");
    let record = small(&data);
    record.check(CatalogLimits::ANY).expect("sound");
    assert_eq!(values(&record, 256), [Instance::plain(&[2, 0, 0, 0])]);
    assert_eq!(values(&record, 257), [Instance::plain(&[2, 0, 0, 0])]);
    assert_eq!(values(&record, 258), [Instance::plain(&[1, 0])]);
    assert!(
        record
            .find_tagged(Fid::new(259), false)
            .expect("no fault")
            .is_none()
    );
    assert_eq!(
        record.check(CatalogLimits {
            tagged: Fid::new(257),
            ..CatalogLimits::ANY
        }),
        Err(RecordFault::TaggedNotInCatalog {
            fid: Fid::new(258),
            last: Fid::new(257)
        })
    );
}

#[test]
fn two_values_and_many() {
    let data = hex("017F0900 01000000 FE 0001 0840 0101 0C40 180100FF 08 0600 0700 0800 007FFF");
    let record = small(&data);
    record.check(CatalogLimits::ANY).expect("sound");
    assert_eq!(
        values(&record, 256),
        [Instance::plain(&[0]), Instance::plain(&[0xFF])]
    );
    assert_eq!(
        values(&record, 257),
        [
            Instance::plain(&[0]),
            Instance::plain(&[0x7F]),
            Instance::plain(&[0xFF])
        ]
    );
}

#[test]
fn only_the_first_of_several_is_compressed() {
    let data = hex("007F0400 0F01 0440 0B 0600 0800 0A00 0E61 6262 6363");
    let record = small(&data);
    record.check(CatalogLimits::ANY).expect("sound");
    let compressed = |bytes, compressed| Instance::Intrinsic {
        bytes,
        compressed,
        encrypted: false,
    };
    assert_eq!(
        values(&record, 271),
        [
            compressed(&[0x0E, 0x61], true),
            compressed(b"bb", false),
            compressed(b"cc", false)
        ]
    );
}

#[test]
fn separated_values() {
    let data =
        hex("007F0400 0001 0840 0101 0D40 05 01000000 09 0400 0880 3130 3433 3400008000000080");
    let record = small(&data);
    record.check(CatalogLimits::ANY).expect("sound");
    let lids: Vec<_> = record
        .separated()
        .map(|it| (it.fid.get(), it.itag, it.lid.get()))
        .collect();
    assert_eq!(lids, [(256, 1, 1), (257, 2, 0x8000_0000_8000_0034)]);
    assert_eq!(
        record.check_nothing_separated(),
        Err(RecordFault::SeparatedUnexpected {
            fid: Fid::new(256),
            itag: 1,
            lid: Lid::new(1).expect("an id"),
        })
    );
}

#[test]
fn large_pages_have_a_header_byte_always() {
    // 256 derived and null, 256 own with data, 300 compressed and encrypted.
    let data = hex("007F0400 0001 0C80 0001 0D00 2C01 1000 20 00AABB 430E61");
    let record = Record::parse(&data, true, true).expect("a record");
    record.check(CatalogLimits::ANY).expect("sound");
    let first = record
        .find_tagged(Fid::new(256), true)
        .expect("no fault")
        .expect("there");
    assert!(matches!(first.value, TaggedValue::Null) && first.header.any(TaggedHeader::NULL));
    assert_eq!(first.values().count(), 0);
    assert_eq!(values(&record, 256), [Instance::plain(&[0xAA, 0xBB])]);
    assert_eq!(
        values(&record, 300),
        [Instance::Intrinsic {
            bytes: &[0x0E, 0x61],
            compressed: true,
            encrypted: true
        }]
    );
}

#[test]
fn old_layout() {
    let data = hex(
        "007F0400 0001 0200 AAAA 0101 0040 0201 0100 01 0201 0100 02 0301 0580 01 07000000
         0301 0380 00 6162",
    );
    let record = Record::parse(&data, true, false).expect("a record");
    record.check(CatalogLimits::ANY).expect("sound");
    assert_eq!(record.tagged().count(), 4);
    assert_eq!(values(&record, 256), [Instance::plain(&[0xAA, 0xAA])]);
    assert_eq!(values(&record, 257), []);
    assert_eq!(
        values(&record, 258),
        [Instance::plain(&[1]), Instance::plain(&[2])]
    );
    let lid = Lid::new(7).expect("an id");
    assert_eq!(
        values(&record, 259),
        [Instance::Separated(lid), Instance::plain(b"ab")]
    );
}

#[test]
fn header_faults() {
    let parse = |text| Record::parse(&hex(text), false, true).map(|_| ());
    assert_eq!(parse("007F04"), Err(RecordFault::Size));
    assert_eq!(parse("007F0500"), Err(RecordFault::NullBitmap));
    assert_eq!(parse("017F0400"), Err(RecordFault::NullBitmap));
    assert_eq!(parse("00800400"), Err(RecordFault::VariableTable));
    assert_eq!(parse("00000400"), Err(RecordFault::VariableTable));
    assert_eq!(parse("00800400 0100"), Err(RecordFault::TaggedStart));
    assert!(matches!(
        parse("FF7F0400"),
        Err(RecordFault::FixedNotInCatalog { .. })
    ));
    assert_eq!(parse("007F0400"), Ok(()));
}

#[test]
fn variable_faults() {
    let check = |text| {
        let data = hex(text);
        Record::parse(&data, false, true)?.check(CatalogLimits::ANY)
    };
    let fid = Fid::new(129);
    assert_eq!(
        check("00810400 0200 0100 AABB"),
        Err(RecordFault::VariableOrder {
            fid,
            start: 2,
            end: 1
        })
    );
    assert_eq!(
        check("00810400 0100 0280 AABB"),
        Err(RecordFault::VariableNullNotEmpty { fid, len: 1 })
    );
    assert_eq!(
        check("00820400 0100 0900 0200 AABB"),
        Err(RecordFault::VariableTooLong { fid, len: 8 })
    );
    let data = hex("00820400 0180 0180 0200 AABB");
    let record = small(&data);
    assert!(matches!(
        record.variable(Fid::new(128)),
        Err(RecordFault::VariableNullNotEmpty { .. })
    ));
    assert_eq!(record.variable(fid), Ok(Field::Null));
    assert_eq!(record.variable(Fid::new(130)), Ok(Field::Value(&[0xBB])));
}

#[test]
fn tagged_array_faults() {
    let fid = Fid::new(256);
    let cases = [
        ("0001", RecordFault::FirstTagged),
        ("0001 0300 00", RecordFault::FirstTagged),
        ("0001 0800 00", RecordFault::FirstTagged),
        ("FF00 0400", RecordFault::NotTagged { fid: Fid::new(255) }),
        ("0001 0800 0101 0880", RecordFault::DerivedOrder),
        (
            "0001 0800 0001 0800",
            RecordFault::TaggedOrder { fid, previous: fid },
        ),
        (
            "0001 0880 0001 0880",
            RecordFault::TaggedOrder { fid, previous: fid },
        ),
        ("0001 0800 0101 0700", RecordFault::TaggedOverlap { fid }),
        ("0001 0460", RecordFault::NullAndExtended { fid }),
        ("0001 0820 0101 0900 00", RecordFault::NullNotEmpty { fid }),
        ("0001 0420 00", RecordFault::LastNullNotAtEnd { fid }),
        ("0001 0440 80", RecordFault::HeaderBits { header: 0x80 }),
        ("0001 0440 00", RecordFault::Header { fid }),
        ("0001 0440", RecordFault::Header { fid }),
        ("0001 0440 11 00", RecordFault::TwoNotMulti { fid }),
        ("0001 0440 19 00", RecordFault::TwoLong { fid }),
        ("0001 0440 18", RecordFault::TwoTooSmall { fid }),
        ("0001 0440 18 0300FF", RecordFault::TwoFirstTooLong { fid }),
        ("0001 0440 08 020003", RecordFault::MultiTooSmall { fid }),
        ("0001 0440 08 02000300", RecordFault::MultiFirst { fid }),
        ("0001 0440 08 05000500 00", RecordFault::MultiFirst { fid }),
        ("0001 0440 08 04000300", RecordFault::MultiOverlap { fid }),
        ("0001 0440 08 04000600", RecordFault::MultiOverlap { fid }),
        (
            "0001 0440 08 04000480 01000000",
            RecordFault::SeparatedNotLong { fid },
        ),
        ("0001 0440 09 04000480 010000", RecordFault::BadLid { fid }),
        ("0001 0440 0D 04000400", RecordFault::MultiSeparated { fid }),
        ("0001 0440 05 000000", RecordFault::BadLid { fid }),
        ("0001 0440 05 00000000", RecordFault::BadLid { fid }),
    ];
    for (tagged, fault) in cases {
        assert_eq!(check(tagged, false), Err(fault), "{tagged}");
    }
}

#[test]
fn tagged_values_too_long() {
    let fid = Fid::new(256);
    let too_long = "00".repeat(256);
    let long = RecordFault::TooLong { fid };
    assert_eq!(check(&format!("0001 0400 {too_long}"), false), Err(long));
    assert_eq!(
        check(&format!("0001 0440 18 00 {too_long}"), false),
        Err(long)
    );
    assert_eq!(
        check(&format!("0001 0440 08 04000400 {too_long}"), false),
        Err(long)
    );
    let two = RecordFault::TwoTooLarge { fid };
    assert_eq!(
        check(&format!("0001 0440 18 00 {}", "00".repeat(511)), false),
        Err(two)
    );
}

#[test]
fn tagged_faults_of_large_pages() {
    let fid = Fid::new(256);
    assert_eq!(
        check("0001 0400 04 01000000", true),
        Err(RecordFault::SeparatedNotLong { fid })
    );
    assert_eq!(
        check("0001 0400 20 00", true),
        Err(RecordFault::LastNullNotAtEnd { fid })
    );
}

/// Everything that can be asked of a record, with the number of values counted.
fn read_everything(data: &[u8], large: bool, new: bool) {
    let Ok(record) = Record::parse(data, large, new) else {
        return;
    };
    let sound = record.check(CatalogLimits::ANY).is_ok();
    for fid in 0..300 {
        let fixed = record.fixed(Fid::new(fid), usize::from(fid), 4);
        assert!(fixed.is_err() || fid < 128);
        assert!(record.variable(Fid::new(fid)).is_ok() || !sound);
    }
    let (mut columns, mut values) = (0, 0);
    for tagged in record.tagged() {
        columns += 1;
        let Ok(tagged) = tagged else {
            assert!(!sound);
            break;
        };
        values += tagged.values().count();
    }
    assert!(columns <= data.len() / 4 + 1, "{columns} columns");
    assert!(
        values <= data.len(),
        "{values} values in {} bytes",
        data.len()
    );
    assert!(record.separated().count() <= values);
}

#[test]
fn random_bytes_neither_panic_nor_run_on() {
    let mut random = Lcg::new(11);
    for round in 0..40_000 {
        let mut data = random.bytes(round % 120);
        if round % 3 > 0 && data.len() > 12 {
            // A sound header and a first offset, so that the rest is read at all.
            data[..4].copy_from_slice(&[0, 0x7F, 4, 0]);
            let count = 1 + random.below(3) as u8;
            data[5] = 1;
            data[6] = 4 * count;
            data[7] &= 0xC0;
        }
        for (large, new) in [(false, true), (true, true), (false, false)] {
            read_everything(&data, large, new);
        }
    }
}

#[test]
fn damaged_records_neither_panic_nor_run_on() {
    let sound = hex("01810900 01000000 FE 0200 0480 6161 6262
         0001 0C40 0101 1040 0201 1A40 180100FF 08 0600 0700 0800 007FFF 05 01000000");
    let mut random = Lcg::new(5);
    for _ in 0..20_000 {
        let mut data = sound.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(data.len());
            data[at] = random.next() as u8;
        }
        data.truncate(sound.len() - random.below(4));
        read_everything(&data, false, true);
        read_everything(&data, true, true);
    }
}
