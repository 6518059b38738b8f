use super::super::compact::PropType;
use super::super::prop_writer::PropBlobWriter;
use super::super::testing::batter;
use super::{BlobFault, PropBlob, PropValue};
use crate::format::value::Guid;

/// A property of every kind, in ascending order.
fn sample() -> Vec<u8> {
    let mut writer = PropBlobWriter::new();
    writer
        .bool(0x0E1B, true)
        .i16(0x3000, -2)
        .i32(0x3001, 70_000)
        .i64(0x3002, 1 << 40)
        .double(0x3003, 1.5)
        .filetime(0x3007, 0x01D0_0000_0000_0000)
        .guid(0x3008, Guid([7; 16]))
        .text(0x3009, "")
        .text(0x300A, "Größe")
        .binary(0x300B, b"bytes")
        .binary(0x300C, &[9; 300])
        .many_i32(0x3010, &[1, -1, 0])
        .many_text(0x3011, &["a", "bc"])
        .many_binary(0x3012, &[b"x", b""])
        .deleted(0x3013, PropType::Text)
        .i32(0x8001, 0);
    writer.finish().expect("short enough")
}

/// Where the list of a blob with the short header begins, and where the values do.
fn parts(blob: &[u8]) -> (usize, usize) {
    (
        8,
        8 + 3 * usize::from(u16::from_le_bytes([blob[6], blob[7]])),
    )
}

fn fault(blob: &[u8]) -> BlobFault {
    PropBlob::parse(blob).expect_err("a fault")
}

#[test]
fn what_is_written_is_read_back() {
    let bytes = sample();
    let blob = PropBlob::parse(&bytes).expect("sound");
    assert_eq!((blob.version, blob.count, blob.judged), (0x0400, 16, 16));
    assert!(blob.ascending && blob.is_whole() && blob.stopped_at().is_none());
    let values: Vec<PropValue<'_>> = blob.values().collect();
    assert_eq!(values.len(), 16);
    assert!(blob.ids().eq(values.iter().map(|value| value.id)));
    assert_eq!(values[0].bool(), Some(true));
    let integers: Vec<_> = values.iter().filter_map(PropValue::integer).collect();
    assert_eq!(integers, [-2, 70_000, 1 << 40, 0]);
    assert_eq!(values[4].data, 1.5_f64.to_le_bytes());
    assert_eq!(values[5].kind, PropType::Time);
    assert_eq!(values[6].data, [7; 16]);
    assert_eq!(values[7].data, b"");
    assert_eq!(values[8].data.len(), 10);
    assert_eq!(values[9].data, b"bytes");
    assert_eq!(values[10].data, [9; 300]);
    assert!(values[11].many && values[11].integer().is_none());
    assert_eq!(values[13].data, [0x51, 1, b'x', 0x50]);
    assert!(values[14].is_deleted() && values[14].kind == PropType::Text);
}

#[test]
fn no_properties_and_the_longer_header() {
    let empty = PropBlobWriter::new().finish().expect("short");
    assert_eq!(empty, b"ProP\0\x04\0\0");
    assert!(PropBlob::parse(&empty).expect("sound").is_whole());
    let mut writer = PropBlobWriter::long();
    writer.i32(5, 6);
    let long = writer.finish().expect("short");
    let blob = PropBlob::parse(&long).expect("sound");
    assert_eq!((blob.version, blob.count), (0x0401, 1));
    assert_eq!(fault(&long[..11]), BlobFault::Header(11));
}

#[test]
fn types_may_be_markers() {
    let mut bytes = sample();
    let (list, values) = parts(&bytes);
    for at in (list..values).step_by(3) {
        bytes[at] <<= 3;
    }
    let blob = PropBlob::parse(&bytes).expect("the other reading");
    assert_eq!((blob.judged, blob.values().count()), (16, 16));
    // Not both in one blob.
    bytes[values - 3] >>= 3;
    assert!(matches!(fault(&bytes), BlobFault::Type { .. }));
}

#[test]
fn lengths_of_text_may_count_units() {
    let bytes = b"ProP\0\x04\x02\0\x09\x01\x30\x03\x02\x30\x4D\x02a\0b\0\x19\x05";
    let blob = PropBlob::parse(bytes).expect("the other reading");
    let values: Vec<_> = blob.values().collect();
    assert_eq!(values[0].data, b"a\0b\0");
    assert_eq!(values[1].integer(), Some(5));
}

#[test]
fn order_is_told_apart() {
    for ids in [[2, 1], [1, 1]] {
        let mut writer = PropBlobWriter::new();
        for id in ids {
            writer.bool(id, false);
        }
        let bytes = writer.finish().expect("short");
        assert!(!PropBlob::parse(&bytes).expect("no fault").ascending);
    }
}

#[test]
fn a_value_elsewhere_ends_the_judgement() {
    let mut writer = PropBlobWriter::new();
    writer.i32(1, 1).elsewhere(2, PropType::Binary).i32(3, 3);
    let bytes = writer.finish().expect("short");
    let blob = PropBlob::parse(&bytes).expect("no fault");
    assert_eq!((blob.count, blob.judged), (3, 1));
    assert!(!blob.is_whole());
    assert_eq!(blob.stopped_at(), Some((2, 0x78)));
    let ids: Vec<_> = blob.values().map(|value| value.id).collect();
    assert_eq!(ids, [1]);
}

#[test]
fn each_fault() {
    let bytes = sample();
    let (list, values) = parts(&bytes);
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        fault(&bytes)
    };
    assert_eq!(fault(b"Pro"), BlobFault::Header(3));
    assert_eq!(fault(b"ProP\0\x04\0"), BlobFault::Header(7));
    assert_eq!(changed(3, b'p'), BlobFault::Magic);
    assert_eq!(changed(4, 2), BlobFault::Version(0x0402));
    assert_eq!(changed(7, 0xF0), BlobFault::List(0xF010));
    assert_eq!(
        changed(list, 0x0B),
        BlobFault::Type {
            id: 0x0E1B,
            kind: 0x0B
        }
    );
    assert_eq!(
        changed(values, 0x19),
        BlobFault::Marker {
            id: 0x0E1B,
            marker: 0x19,
            kind: 1
        }
    );
    // The last value is a marker alone; without it nothing is left of it.
    assert_eq!(fault(&bytes[..bytes.len() - 1]), BlobFault::Cut(0x8001));
    let mut longer = bytes.clone();
    longer.extend_from_slice(&[1, 2]);
    assert_eq!(fault(&longer), BlobFault::Trailing(2));
    // One more property in the list than there are values: every byte is then another's.
    assert!(PropBlob::parse(&[&bytes[..6], &[17], &bytes[7..]].concat()).is_err());
}

#[test]
fn nothing_panics() {
    batter(&sample(), |bytes| {
        if let Ok(blob) = PropBlob::parse(bytes) {
            assert_eq!(blob.values().count(), usize::from(blob.judged));
            assert!(blob.values().all(|value| value.data.len() < bytes.len()));
            assert_eq!(blob.stopped_at().is_none(), blob.is_whole());
            for value in blob.values() {
                let _ = (value.bool(), value.integer());
            }
        }
    });
}
