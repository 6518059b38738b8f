use super::{Record, RecordFault, RecordKind, record_len};
use crate::format::ids::{DbTime, Objid, Pgno};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The vectors of log notes 15.2.
#[test]
fn known_records_are_read() {
    let bytes = hex("08 0500 10 04000000");
    let Record::Begin(begin) = Record::parse(&bytes).unwrap() else {
        panic!("not a Begin0")
    };
    assert_eq!((begin.procid.0, begin.from, begin.levels), (5, 0, 1));
    assert_eq!(begin.trx.unwrap().0, 4);

    let bytes = hex(
        "20 0500 01 1A000000 2401000000000000 0F01000000000000 0C000000 02 0000 0C 00000000 18000000 03000000",
    );
    let Record::FlagDelete(head) = Record::parse(&bytes).unwrap() else {
        panic!("not a FlagDelete")
    };
    assert_eq!(head.page.pgno, Pgno::new(26));
    assert_eq!(
        (head.page.after, head.page.before),
        (DbTime::new(0x124), DbTime::new(0x10F))
    );
    assert!(head.page.is_unique() && !head.page.is_versioned());
    assert_eq!((head.pgno_fdp, head.objid), (Pgno::new(24), Objid::new(3)));

    let bytes = hex("5C 01 20060000 6E000000 F0000000");
    let Record::SetDbVersion(version) = Record::parse(&bytes).unwrap() else {
        panic!("not a SetDbVersion")
    };
    assert_eq!(
        (version.major, version.update_major, version.update_minor),
        (0x620, 110, 240)
    );
}

#[test]
fn every_type_that_is_cut_off_says_so() {
    for number in 0..=u8::MAX {
        let mut bytes = vec![0; 700];
        bytes[0] = number;
        match record_len(&bytes) {
            Ok(len) => {
                assert!(Record::parse(&bytes[..len]).is_ok(), "{number}");
                assert!(
                    Record::parse(&bytes[..len - 1]).is_err(),
                    "{number} with {len} bytes"
                );
            }
            Err(fault) => {
                let kind = RecordKind::new(number);
                assert_eq!(fault, RecordFault::Unknown { kind });
            }
        }
    }
    assert!(record_len(&[]).is_err());
}

#[test]
fn lengths_count_the_variable_parts() {
    let mut insert = vec![0; 50];
    insert[0] = 29;
    insert[44..50].copy_from_slice(&[3, 0, 2, 0, 4, 0]);
    assert_eq!(record_len(&insert), Ok(59));
    insert.extend(b"PPSSSdata");
    let Record::Insert(_, prefix, suffix, data) = Record::parse(&insert).unwrap() else {
        panic!("not an Insert")
    };
    assert_eq!(
        (prefix, suffix, data),
        (&b"PP"[..], &b"SSS"[..], &b"data"[..])
    );
}
