use super::{KeyEnd, KeyLimits, NoSortKeys, SegmentType, build_key, max_key, record_number};
use crate::format::ids::PageSize;
use crate::format::schema::Coltyp;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn key_of(kind: SegmentType, value: Option<&[u8]>, limits: KeyLimits) -> (Vec<u8>, KeyEnd) {
    let mut key = vec![1, 2, 3];
    let end = build_key([(kind, value)], limits, &NoSortKeys, &mut key);
    (key, end)
}

fn key(coltyp: Coltyp, value: &[u8]) -> Vec<u8> {
    let kind = SegmentType::ascending(coltyp);
    key_of(kind, Some(value), KeyLimits::default()).0
}

#[test]
fn numbers_sort_as_bytes() {
    assert_eq!(key(Coltyp::Bit, &[0x10]), hex("7fff"));
    assert_eq!(key(Coltyp::UnsignedByte, &[0xC8]), hex("7fc8"));
    assert_eq!(key(Coltyp::Long, &4i32.to_le_bytes()), hex("7f80000004"));
    // Rows and keys of an engine-written database.
    assert_eq!(key(Coltyp::Long, &hex("0efaad42")), hex("7fc2adfa0e"));
    assert_eq!(key(Coltyp::Long, &hex("87928f64")), hex("7fe48f9287"));
    assert_eq!(key(Coltyp::Short, &(-2i16).to_le_bytes()), hex("7f7ffe"));
    assert_eq!(key(Coltyp::UnsignedShort, &[2, 1]), hex("7f0102"));
    assert_eq!(
        key(Coltyp::Currency, &1i64.to_le_bytes()),
        hex("7f8000000000000001")
    );
    assert_eq!(
        key(Coltyp::UnsignedLongLong, &1u64.to_le_bytes()),
        hex("7f0000000000000001")
    );
}

#[test]
fn floats_sort_as_bytes() {
    let numbers = [f64::NEG_INFINITY, -2.5, -0.1, 0.0, 1e-300, 3.0];
    let keys = numbers.map(|number| key(Coltyp::Double, &number.to_le_bytes()));
    assert!(keys.is_sorted());
    let numbers = [-7.0f32, -0.5, 0.25, 1e9];
    let keys = numbers.map(|number| key(Coltyp::Single, &number.to_le_bytes()));
    assert!(keys.is_sorted());
}

#[test]
fn descending_inverts_prefix_and_value() {
    let mut kind = SegmentType::ascending(Coltyp::DateTime);
    kind.descending = true;
    let limits = KeyLimits::default();
    let value = hex("96438b6c5304e840");
    assert_eq!(
        key_of(kind, Some(&value), limits).0,
        hex("803f17fbac9374bc69")
    );
    assert_eq!(key_of(kind, None, limits).0, [0xFF]);
}

#[test]
fn guids_begin_with_the_node() {
    let value = hex("0f8f6ceafd50cc6713e1d0a160da1d21");
    assert_eq!(
        key(Coltyp::Guid, &value),
        hex("7fd0a160da1d2113e1cc67fd500f8f6cea")
    );
    let mut kind = SegmentType::ascending(Coltyp::Guid);
    kind.dotnet_guid = true;
    let value: Vec<u8> = (0..16).collect();
    assert_eq!(
        key_of(kind, Some(&value), KeyLimits::default()).0,
        hex("7f030201000504070608090a0b0c0d0e0f")
    );
}

#[test]
fn binary_goes_in_groups_of_eight() {
    assert_eq!(
        key(Coltyp::LongBinary, &hex("3b8198")),
        hex("7f3b8198000000000003")
    );
    assert_eq!(
        key(Coltyp::LongBinary, &hex("43d736dc5bffee4b8b86abee")),
        hex("7f43d736dc5bffee4b098b86abee0000000004")
    );
    assert_eq!(
        key(
            Coltyp::LongBinary,
            &hex("888d94d582eb7440b6d528a6a71030521eea27c734e8c328")
        ),
        hex("7f888d94d582eb744009b6d528a6a7103052091eea27c734e8c32808")
    );
    assert_eq!(key(Coltyp::Binary, &[]), [0x40]);
    let mut kind = SegmentType::ascending(Coltyp::Binary);
    kind.fixed = true;
    assert_eq!(
        key_of(kind, Some(b"ab"), KeyLimits::default()).0,
        hex("7f6162")
    );
}

#[test]
fn long_segments_are_cut_to_their_limit() {
    let value = hex("1e54f4912e4098a95f5f5f5f68686868717171717a7a7a7a838383838c8c8c8c95");
    let limits = KeyLimits {
        key_most: 255,
        var_seg_mac: 32,
    };
    assert_eq!(
        key_of(
            SegmentType::ascending(Coltyp::LongBinary),
            Some(&value),
            limits
        ),
        (
            hex("7f1e54f4912e4098a9095f5f5f5f6868686809717171717a7a7a7a0983838383"),
            KeyEnd::Cut
        )
    );
    let long = vec![7; 1 << 20];
    let limits = KeyLimits::default();
    let (cut, _) = key_of(
        SegmentType::ascending(Coltyp::LongBinary),
        Some(&long),
        limits,
    );
    assert_eq!((cut.len(), cut[9], cut[252]), (255, 9, 9));
}

#[test]
fn ascii_text_is_folded_and_ended() {
    assert_eq!(key(Coltyp::Text, b"ep"), hex("7f455000"));
    assert_eq!(
        key(Coltyp::Text, b"iota beta "),
        hex("7f494f5441204245544120")
            .into_iter()
            .chain([0])
            .collect::<Vec<_>>()
    );
    assert_eq!(key(Coltyp::Text, b"a\xE4\0b"), hex("7f41e400"));
    assert_eq!(key(Coltyp::Text, b""), [0x40]);
}

#[test]
fn cut_text_loses_its_end_mark_and_a_bit_more() {
    let kind = SegmentType::ascending(Coltyp::LongText);
    let limits = KeyLimits::default();
    let (whole, end) = key_of(kind, Some(&[b'a'; 253]), limits);
    assert_eq!((whole.len(), whole[254], end), (255, 0, KeyEnd::Whole));
    let (cut, end) = key_of(kind, Some(&[b'a'; 254]), limits);
    assert_eq!((cut.len(), cut[254], end), (255, b'A', KeyEnd::Cut));
    let (cut, _) = key_of(kind, Some(&[b'!'; 300]), limits);
    assert_eq!((cut[253], cut[254]), (b'!', 1));
}

#[test]
fn several_segments_share_the_room() {
    let long = SegmentType::ascending(Coltyp::Long);
    let text = SegmentType::ascending(Coltyp::Text);
    let mut key = Vec::new();
    let four = 4i32.to_le_bytes();
    // The catalog's Name index. [format notes 6.1]
    let table = 2i32.to_le_bytes();
    let kind = 1i16.to_le_bytes();
    let short = SegmentType::ascending(Coltyp::Short);
    let parts = [
        (long, Some(&table[..])),
        (short, Some(&kind[..])),
        (text, Some(&b"MSysObjects"[..])),
    ];
    build_key(parts, KeyLimits::default(), &NoSortKeys, &mut key);
    assert_eq!(key, hex("7f800000027f80017f4d5359534f424a4543545300"));
    let limits = KeyLimits {
        key_most: 5,
        var_seg_mac: 5,
    };
    let parts = [(long, Some(&four[..])), (long, None)];
    assert_eq!(build_key(parts, limits, &NoSortKeys, &mut key), KeyEnd::Cut);
    assert_eq!(key, hex("7f80000004"));
}

#[test]
fn nulls_and_unknown_text() {
    let mut kind = SegmentType::ascending(Coltyp::Text);
    let limits = KeyLimits::default();
    assert_eq!(key_of(kind, None, limits).0, [0]);
    kind.nulls_high = true;
    assert_eq!(key_of(kind, None, limits).0, [0xC0]);
    kind.unicode = true;
    assert_eq!(key_of(kind, Some(b"a\0"), limits).1, KeyEnd::Unknown);
    assert_eq!(key_of(kind, Some(b""), limits), (vec![0x40], KeyEnd::Whole));
}

#[test]
fn limits_depend_on_page_and_revision() {
    assert_eq!(max_key(PageSize::K32, 9), 255);
    assert_eq!(max_key(PageSize::K4, 0xC), 1000);
    assert_eq!(record_number(258), [0, 0, 1, 2]);
}
