use super::{CompressFault, OUTPUT_MOST, Scheme, decompress, is_scrubbed, uncompressed_len};
use crate::format::testing::Lcg;

fn expand(bytes: &[u8]) -> Result<Vec<u8>, CompressFault> {
    let mut into = b"before".to_vec();
    let done = decompress(bytes, None, &mut into);
    assert!(into.starts_with(b"before"));
    if done.is_err() {
        assert_eq!(into, b"before", "nothing stays of a failure");
    }
    done.map(|()| into.split_off(6))
}

#[test]
fn seven_bit_ascii() {
    let packed = [0x0F, 0xE1, 0x70, 0x38, 0x1C, 0x0E, 0x87, 0xC3];
    assert_eq!(uncompressed_len(&packed), Ok(Some(8)));
    assert_eq!(expand(&packed), Ok(b"aaaaaaaa".to_vec()));
    // From a real file: 41 characters in 37 bytes, of the last of which seven bits count.
    let mut packed = vec![0x0E];
    packed.extend_from_slice(&[0xE1, 0x70, 0x38, 0x1C, 0x0E, 0x87, 0xC3].repeat(5));
    packed.push(0x61);
    assert_eq!(expand(&packed), Ok(b"a".repeat(41)));
}

#[test]
fn seven_bit_unicode() {
    let packed = [0x17, 0xE1, 0x70, 0x38, 0x1C, 0x0E, 0x87, 0xC3];
    assert_eq!(uncompressed_len(&packed), Ok(Some(16)));
    assert_eq!(expand(&packed), Ok(b"a\0".repeat(8)));
}

#[test]
fn seven_bit_streams_of_every_length() {
    for count in 1..40_usize {
        let text: Vec<u8> = (0..count).map(|i| (i * 37 % 128) as u8).collect();
        let bits = count * 7;
        let mut packed = vec![0; 1 + bits.div_ceil(8)];
        packed[0] = 0x08 | ((bits - 1) % 8) as u8;
        for bit in 0..bits {
            packed[1 + bit / 8] |= (text[bit / 7] >> (bit % 7) & 1) << (bit % 8);
        }
        assert_eq!(expand(&packed), Ok(text), "{count} characters");
    }
}

#[test]
fn seven_bit_contradictions() {
    assert_eq!(expand(&[0x08]), Err(CompressFault::Header));
    let scheme = Scheme::SevenBitAscii;
    assert_eq!(expand(&[0x08, 0]), Err(CompressFault::Corrupt { scheme }));
}

#[test]
fn xpress_with_a_long_match() {
    let mut stream = vec![0x18, 0x07, 0x08, 0xFF, 0xFF, 0x7F, 0x01];
    stream.extend_from_slice(b"Record ");
    stream.extend_from_slice(&[0x07, 0x00, 0x0F, 0xFF, 0xFC, 0x07, 0x30]);
    let mut value = b"Record ".to_vec();
    value.resize(7 + 2047, b' ');
    value.push(b'0');
    assert_eq!(uncompressed_len(&stream), Ok(Some(2055)));
    assert_eq!(expand(&stream), Ok(value));
    let mut into = Vec::new();
    assert_eq!(
        decompress(&stream, Some(2054), &mut into),
        Err(CompressFault::Length {
            expected: 2054,
            got: 2055
        })
    );
    for cut in 3..stream.len() {
        let scheme = Scheme::Xpress;
        let got = expand(&stream[..cut]);
        assert_eq!(got, Err(CompressFault::Corrupt { scheme }), "cut at {cut}");
    }
}

#[test]
fn xpress_lengths_share_a_nibble() {
    // "ab", then two matches of 13 and 15 bytes whose lengths are 3 and 5 in one byte.
    let mut stream = vec![0x18, 30, 0, 0, 0, 0, 0x30];
    stream.extend_from_slice(&[b'a', b'b', 0x0F, 0, 0x53, 0x0F, 0]);
    assert_eq!(expand(&stream), Ok(b"ab".repeat(15)));
}

#[test]
fn xpress_does_not_leave_its_room() {
    let scheme = Scheme::Xpress;
    // A match before the first byte: "before" in front of the output must not leak.
    let early = [0x18, 3, 0, 0, 0, 0, 0x80, 0, 0];
    assert_eq!(expand(&early), Err(CompressFault::Corrupt { scheme }));
    // A match past the size.
    let late = [0x18, 3, 0, 0, 0, 0, 0x40, b'a', 0, 0];
    assert_eq!(expand(&late), Err(CompressFault::Corrupt { scheme }));
}

#[test]
fn lz4_block() {
    // Three literals, a match of 4 + 5 bytes at distance 3, two literals at the end.
    let block = [0x38, 14, 0, 0x35, b'a', b'b', b'c', 3, 0, 0x20, b'x', b'y'];
    assert_eq!(expand(&block), Ok(b"abcabcabcabcxy".to_vec()));
    // 300 literals: 15 + 255 + 30.
    let mut long = vec![0x38, 0x2C, 1, 0xF0, 255, 30];
    long.extend_from_slice(&[b'z'; 300]);
    assert_eq!(expand(&long), Ok(vec![b'z'; 300]));
    let scheme = Scheme::Lz4;
    for cut in 3..block.len() {
        let got = expand(&block[..cut]);
        assert_eq!(got, Err(CompressFault::Corrupt { scheme }), "cut at {cut}");
    }
    let zero_distance = [0x38, 8, 0, 0x10, b'a', 0, 0];
    assert_eq!(
        expand(&zero_distance),
        Err(CompressFault::Corrupt { scheme })
    );
}

#[test]
fn schemes_without_a_codec() {
    assert_eq!(
        expand(&[0x28, 1, 2, 3, 4, 5]),
        Err(CompressFault::Unsupported {
            scheme: Scheme::Xpress9,
            size: None
        })
    );
    let mut ten = [0; 20];
    ten[..3].copy_from_slice(&[0x30, 0x34, 0x12]);
    assert_eq!(
        expand(&ten),
        Err(CompressFault::Unsupported {
            scheme: Scheme::Xpress10,
            size: Some(0x1234)
        })
    );
    assert_eq!(expand(&ten[..14]), Err(CompressFault::Header));
    assert_eq!(expand(&[0x20, b'l', b'l']), Err(CompressFault::Scrubbed));
    assert!(is_scrubbed(&[0x20, b'L', b'l']) && !is_scrubbed(&[0x20, b'x']));
    assert_eq!(expand(&[0x00, 7, 8]), Ok(vec![7, 8]));
    assert_eq!(expand(&[0x40]), Err(CompressFault::UnknownScheme(8)));
    assert_eq!(expand(&[]), Err(CompressFault::Header));
}

#[test]
fn random_bytes_neither_panic_nor_grow() {
    let mut random = Lcg::new(7);
    for round in 0..20_000 {
        let mut bytes = random.bytes(round % 90);
        if let Some(first) = bytes.first_mut() {
            *first &= 0x3F;
        }
        let mut into = Vec::new();
        let limit = random.below(3000);
        if decompress(&bytes, Some(limit), &mut into).is_ok() {
            assert_eq!(into.len(), limit);
        }
        into.clear();
        if decompress(&bytes, None, &mut into).is_ok() {
            assert_eq!(uncompressed_len(&bytes), Ok(Some(into.len())));
        }
        assert!(into.len() <= OUTPUT_MOST);
    }
}
