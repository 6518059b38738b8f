//! Headers and entries come back, damage is seen.

use super::{
    AsideEntry, BODY_MOST, FileEntry, HEAD_BODY, HEAD_BYTES, HEAD_FLAGS, HEAD_SUM, RangeEntry,
    SLOT_BYTES, SLOT_SUM, START_BYTES, Slot, UndoEntry, UndoHeader, UndoPlan, UndoStatus, VERSION,
    body_len, entry_sum, read_entry, sectors, start_hash, write_entry, xxh3_64,
};

fn header() -> UndoHeader {
    UndoHeader {
        sequence: 3,
        status: UndoStatus::Complete,
        identity: 77,
        created: 5,
        end: 9000,
        operation: "r E00".into(),
    }
}

#[test]
fn a_slot_comes_back_and_a_flipped_bit_is_seen() {
    let bytes = header().bytes();
    assert_eq!(UndoHeader::parse(&bytes), Slot::Good(header()));
    for at in 0..SLOT_BYTES {
        let mut bad = bytes;
        bad[at] ^= 4;
        assert_eq!(UndoHeader::parse(&bad), Slot::Bad, "{at}");
    }
    assert_eq!(UndoHeader::parse(&[0; SLOT_BYTES]), Slot::Empty);
    assert_eq!(UndoHeader::parse(&bytes[..100]), Slot::Bad);
}

#[test]
fn a_long_operation_is_clipped_between_characters() {
    let long = UndoHeader {
        operation: "ä".repeat(200) + "x",
        ..header()
    };
    let Slot::Good(back) = UndoHeader::parse(&long.bytes()) else {
        panic!("not good");
    };
    assert_eq!(back.operation, "ä".repeat(128));
    let odd = UndoHeader {
        operation: "x".to_owned() + &"ä".repeat(200),
        ..header()
    };
    assert!(
        matches!(UndoHeader::parse(&odd.bytes()), Slot::Good(back) if back.operation.len() == 255)
    );
}

#[test]
fn a_later_version_is_told_as_such() {
    let mut bytes = header().bytes();
    bytes[VERSION] = 9;
    let sum = xxh3_64(&bytes[..SLOT_SUM]);
    bytes[SLOT_SUM..].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(UndoHeader::parse(&bytes), Slot::Version(9));
}

#[test]
fn sectors_cut_where_the_disk_does() {
    let parts = |offset, len| sectors(offset, len).collect::<Vec<_>>();
    assert_eq!(parts(0, 1024), [512, 512]);
    assert_eq!(parts(500, 600), [12, 512, 76]);
    assert_eq!(parts(10, 20), [20]);
    assert!(parts(10, 0).is_empty());
}

#[test]
fn entries_come_back_and_flipped_bits_are_seen() {
    let entries = [
        UndoEntry::File(FileEntry {
            plan: UndoPlan::Remove,
            before_len: 10,
            after_len: 0,
            after_hash: 9,
            absolute: b"/a/b".to_vec(),
            relative: b"b".to_vec(),
            aside: None,
        }),
        put_aside(),
        UndoEntry::Range(RangeEntry {
            file: 0,
            offset: 500,
            len: 20,
            after: Some(vec![1, 2]),
            before: Some(vec![7; 20]),
        }),
        UndoEntry::Range(RangeEntry {
            file: 0,
            offset: 520,
            len: 20,
            after: None,
            before: None,
        }),
        UndoEntry::Length { file: 0, len: 44 },
        UndoEntry::End { entries: 3 },
    ];
    for entry in entries {
        let mut bytes = Vec::new();
        write_entry(&mut bytes, 7, 9000, &entry);
        let read = |bytes: &[u8], identity, position| {
            let (head, body) = bytes.split_first_chunk().unwrap();
            read_entry(identity, position, head, body)
        };
        let head = bytes.first_chunk().unwrap();
        assert_eq!(body_len(head), Some(bytes.len() - HEAD_BYTES));
        assert_eq!(read(&bytes, 7, 9000), Some(entry));
        assert_eq!(read(&bytes, 8, 9000), None);
        assert_eq!(read(&bytes, 7, 9512), None);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(read(&bad, 7, 9000), None, "{at}");
        }
    }
}

fn put_aside() -> UndoEntry {
    UndoEntry::File(FileEntry {
        plan: UndoPlan::Aside,
        before_len: 10,
        after_len: 12,
        after_hash: 9,
        absolute: b"/a/b.edb".to_vec(),
        relative: b"b.edb".to_vec(),
        aside: Some(AsideEntry {
            aside: b"b.old".to_vec(),
            new_file: b"b.tmp".to_vec(),
            before_hash: 8,
            modified: 7,
        }),
    })
}

/// With a right checksum, but cut off anywhere, longer than it says, or of the wrong plan.
#[test]
fn what_is_kept_of_a_file_put_aside_is_whole_or_refused() {
    let mut bytes = Vec::new();
    write_entry(&mut bytes, 7, 9000, &put_aside());
    let (head, body) = bytes.split_first_chunk::<HEAD_BYTES>().unwrap();
    let read = |plan: u32, body: &[u8]| {
        let mut head = *head;
        head[HEAD_FLAGS..HEAD_FLAGS + 4].copy_from_slice(&plan.to_le_bytes());
        head[HEAD_BODY..HEAD_FLAGS].copy_from_slice(&(body.len() as u32).to_le_bytes());
        let sum = entry_sum(7, 9000, &head[..HEAD_SUM], body);
        head[HEAD_SUM..].copy_from_slice(&sum.to_le_bytes());
        read_entry(7, 9000, &head, body)
    };
    assert_eq!(read(4, body), Some(put_aside()));
    for len in 0..body.len() {
        assert_eq!(read(4, &body[..len]), None, "{len}");
    }
    assert_eq!(read(4, &[body, b"x"].concat()), None);
    for plan in [0, 1, 2, 3, 5, u32::MAX] {
        assert_eq!(read(plan, body), None, "{plan}");
    }
    // Lengths of names beyond all measure.
    for at in (0..body.len() - 4).filter(|at| ![0, 4].contains(at)) {
        let mut bad = body.to_vec();
        bad[at..at + 4].fill(0xFF);
        let _ = read(4, &bad);
    }
}

/// An undo file of before this plan was known, byte for byte.
#[test]
fn entries_of_older_undo_files_are_read_as_ever() {
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([0; 8]);
    let body = [&[9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0][..], b"/a", &[0; 4]].concat();
    bytes.extend([body.len() as u8, 0, 0, 0, 3, 0, 0, 0]);
    let sum = entry_sum(7, 9000, &bytes, &body);
    bytes.extend(sum.to_le_bytes());
    let read = read_entry(7, 9000, bytes.first_chunk().unwrap(), &body);
    let expected = FileEntry {
        plan: UndoPlan::Remove,
        before_len: 10,
        after_len: 0,
        after_hash: 9,
        absolute: b"/a".to_vec(),
        relative: Vec::new(),
        aside: None,
    };
    assert_eq!(read, Some(UndoEntry::File(expected)));
}

#[test]
fn only_the_start_of_a_file_counts() {
    let bytes = vec![7; START_BYTES + 1];
    assert_eq!(start_hash(&bytes), start_hash(&bytes[..START_BYTES]));
    assert_ne!(start_hash(&bytes), start_hash(&bytes[1..START_BYTES]));
}

#[test]
fn a_body_beyond_all_measure_is_refused() {
    let mut head = [0xFF; HEAD_BYTES];
    assert_eq!(body_len(&head), None);
    head[HEAD_BODY..HEAD_FLAGS].copy_from_slice(&(BODY_MOST as u32).to_le_bytes());
    assert_eq!(body_len(&head), Some(BODY_MOST));
}
