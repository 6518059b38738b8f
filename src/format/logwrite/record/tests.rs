//! Types that the corpus lacks; the others are proved in `tests/log_records.rs`.

use super::{EncodeFault, encode};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::logrec::{
    DbId, Merge, NodeHead, OperKind, PageHead, ProcId, RceId, Record, RecordKind, Replace,
    SpaceTrees, Split, TrxId, Undo,
};

fn page(kind: RecordKind) -> PageHead {
    PageHead {
        kind,
        procid: ProcId(0x0102),
        dbid: DbId(3),
        pgno: Pgno::new(4),
        after: DbTime::new(5),
        before: DbTime::new(6),
        trx: TrxId(7),
        level: 1,
        line: 8,
        flags: 9,
    }
}

fn node(kind: RecordKind) -> NodeHead {
    NodeHead {
        page: page(kind),
        rceid: RceId(1),
        pgno_fdp: Pgno::new(2),
        objid: Objid::new(3),
    }
}

fn round_trip(record: &Record<'_>, len: usize) {
    let bytes = encode(record).unwrap();
    assert_eq!(bytes.len(), len, "{record:?}");
    assert_eq!(&Record::parse(&bytes).unwrap(), record);
}

#[test]
fn types_before_2007() {
    let trees = SpaceTrees {
        objid: Objid::new(1),
        oe: Pgno::new(2),
        ae: Pgno::new(3),
        parent: Pgno::new(4),
        secondary_first: Pgno::new(5),
        primary_pages: 6,
        secondary_pages: 7,
        free_bits: None,
        page_flags: None,
    };
    let head = page(RecordKind::CONVERT_FDP_OLD);
    round_trip(&Record::ConvertFdp(head, trees), 60);
    let split = Split {
        new: Pgno::new(1),
        right: Pgno::NULL,
        right_before: DbTime::ZERO,
        parent: Pgno::new(2),
        parent_before: DbTime::new(3),
        pgno_fdp: Pgno::new(4),
        objid: Objid::new(5),
        kind_number: 1,
        oper_number: 1,
        line_oper: 2,
        line_split: 3,
        lines: 4,
        new_flags: 5,
        split_flags: 6,
        uncommitted_split: 7,
        uncommitted_new: 8,
        prefix_line_split: -1,
        prefix_line_new: -1,
        parent_key: b"key",
        prefix_old: b"old",
        prefix_new: b"n",
        image: None,
    };
    round_trip(&Record::Split(page(RecordKind::SPLIT_OLD), split), 102 + 7);
    round_trip(&Record::Split(page(RecordKind::SPLIT), split), 110 + 7);
    let merge = Merge {
        right: Pgno::new(1),
        right_before: DbTime::new(2),
        left: Pgno::new(3),
        left_before: DbTime::new(4),
        parent: Pgno::new(5),
        parent_before: DbTime::new(6),
        pgno_fdp: Pgno::new(7),
        objid: Objid::new(8),
        size_total: 9,
        size_max_total: 10,
        uncommitted_dest: 11,
        line_merge: 12,
        flags: 1,
        kind_number: 2,
        separator: b"k",
        image: None,
    };
    round_trip(&Record::Merge(page(RecordKind::MERGE_OLD), merge), 89);
}

#[test]
fn an_undo_of_an_entry_with_a_bookmark() {
    let undo = Undo {
        oper: OperKind::FlagDelete,
        level: 1,
        key: b"key",
        bookmark_data: b"data",
    };
    round_trip(&Record::Undo(node(RecordKind::UNDO), undo), 51 + 7);
}

#[test]
fn what_is_too_long_is_refused() {
    let data = vec![0; 0x8000];
    let replace = Replace {
        old_len: 0,
        new_len: 0,
        data: &data,
        diff: None,
    };
    let record = Record::Replace(node(RecordKind::REPLACE), replace);
    assert!(matches!(encode(&record), Err(EncodeFault::TooLong(_))));
    let long = vec![0; 0x1_0000];
    let record = Record::FlagInsert(node(RecordKind::FLAG_INSERT), &long, &[]);
    assert!(matches!(encode(&record), Err(EncodeFault::TooLong(_))));
    assert_eq!(encode(&Record::Padding), Err(EncodeFault::NotWritten));
}
