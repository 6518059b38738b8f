use std::collections::BTreeMap;

use super::{
    IndexRules, IndexSegment, KeyEnd, KeyLimits, NoSortKeys, NullSegment, RowValues, SegmentType,
    TupleLimits,
};
use crate::format::schema::{Coltyp, Fid, KeySegment, index_flags};

struct Values(BTreeMap<u16, Vec<Vec<u8>>>);

impl RowValues for Values {
    fn value(&self, fid: Fid, instance: usize) -> Option<&[u8]> {
        self.0
            .get(&fid.get())?
            .get(instance)
            .map(|value| &value[..])
    }

    fn count(&self, fid: Fid) -> usize {
        self.0.get(&fid.get()).map_or(0, Vec::len)
    }
}

fn row(values: &[(u16, &[u8])]) -> Values {
    let mut row = Values(BTreeMap::new());
    for (fid, bytes) in values {
        let column = row.0.entry(*fid).or_default();
        column.extend(bytes.iter().map(|byte| vec![*byte]));
    }
    row
}

fn rules(fids: &[u16], flags: u32) -> IndexRules {
    let segment = |fid: &u16| IndexSegment {
        fid: Fid::new(*fid),
        kind: SegmentType::ascending(Coltyp::UnsignedByte),
        multi_valued: *fid >= 256,
    };
    IndexRules {
        segments: fids.iter().map(segment).collect(),
        conditions: Vec::new(),
        flags,
        limits: KeyLimits::default(),
        tuples: None,
    }
}

fn keys(rules: &IndexRules, row: &Values) -> Result<Vec<Vec<u8>>, NullSegment> {
    let mut keys = Vec::new();
    rules.keys(row, &NoSortKeys, &mut Vec::new(), |key, _| {
        keys.push(key.to_vec())
    })?;
    Ok(keys)
}

#[test]
fn nulls_need_their_flag() {
    let count = |flags, values: &[(u16, &[u8])]| {
        keys(&rules(&[1, 2], flags), &row(values)).map(|keys| keys.len())
    };
    let (all, first, some) = (
        index_flags::ALLOW_ALL_NULLS,
        index_flags::ALLOW_FIRST_NULL,
        index_flags::ALLOW_SOME_NULLS,
    );
    assert_eq!(count(0, &[(1, &[1]), (2, &[1])]), Ok(1));
    assert_eq!(count(all, &[]), Ok(1));
    assert_eq!(count(first | some, &[]), Ok(0));
    assert_eq!(count(first, &[(2, &[1])]), Ok(1));
    assert_eq!(count(all | some, &[(2, &[1])]), Ok(0));
    assert_eq!(count(some, &[(1, &[1])]), Ok(1));
    let strict = index_flags::NO_NULL_SEGMENT;
    assert_eq!(count(strict, &[(1, &[1])]), Err(NullSegment(Fid::new(2))));
}

#[test]
fn several_values_make_several_entries() {
    let values = row(&[(1, &[9]), (256, &[1, 2]), (257, &[3, 4])]);
    let multi = index_flags::MULTI_VALUED;
    let of = |flags| keys(&rules(&[1, 256, 257], flags), &values).unwrap();
    let key = |a: u8, b: u8| vec![0x7F, 9, 0x7F, a, 0x7F, b];
    assert_eq!(of(0), [key(1, 3)]);
    assert_eq!(of(multi), [key(1, 3), key(2, 3)]);
    assert_eq!(
        of(multi | index_flags::CROSS_PRODUCT),
        [key(1, 3), key(1, 4), key(2, 3), key(2, 4)]
    );
    assert_eq!(
        of(multi | index_flags::NESTED_TABLE),
        [key(1, 3), key(2, 4)]
    );
}

#[test]
fn conditions_decide_first() {
    let mut rules = rules(&[1], 0);
    rules.conditions = vec![KeySegment::ascending(Fid::new(2))];
    assert_eq!(keys(&rules, &row(&[(1, &[1])])).unwrap().len(), 0);
    assert_eq!(
        keys(&rules, &row(&[(1, &[1]), (2, &[1])])).unwrap().len(),
        1
    );
    rules.conditions[0].must_be_null = true;
    assert_eq!(keys(&rules, &row(&[(1, &[1])])).unwrap().len(), 1);
}

#[test]
fn tuples_are_pieces_of_the_value() {
    let mut rules = rules(&[1], index_flags::ALLOW_ALL_NULLS);
    rules.segments[0].kind = SegmentType::ascending(Coltyp::Text);
    rules.tuples = Some(TupleLimits {
        least: 3,
        most: 6,
        count: 20,
        step: 1,
        start: 0,
    });
    let text = |len: usize| Values(BTreeMap::from([(1, vec![vec![b'x'; len]])]));
    // Counted in an engine-written index of these limits. [format notes, verified]
    for (len, count) in [(48, 20), (6, 4), (23, 20), (13, 11), (12, 10), (2, 0)] {
        assert_eq!(keys(&rules, &text(len)).unwrap().len(), count, "{len}");
    }
    assert_eq!(keys(&rules, &row(&[])).unwrap().len(), 0);
    assert_eq!(keys(&rules, &text(8)).unwrap()[3], b"\x7FXXXXX\0");
}

#[test]
fn unknown_keys_are_counted_too() {
    let mut rules = rules(&[1], 0);
    rules.segments[0].kind = SegmentType::ascending(Coltyp::Text);
    rules.segments[0].kind.unicode = true;
    let mut ends = Vec::new();
    rules
        .keys(
            &row(&[(1, b"a")]),
            &NoSortKeys,
            &mut Vec::new(),
            |_, end| ends.push(end),
        )
        .unwrap();
    assert_eq!(ends, [KeyEnd::Unknown]);
}
