use std::collections::BTreeMap;

use super::{LearnedSortKeys, SortOrder};
use crate::format::keys::{
    IndexRules, IndexSegment, KeyEnd, KeyLimits, RowValues, SegmentType, SortKeys, TupleLimits,
};
use crate::format::schema::{Coltyp, Fid, index_flags};

const ENGLISH: SortOrder<'_> = SortOrder {
    lcid: 0,
    locale: Some("en-US"),
    map_flags: 0x400,
};
const HUNGARIAN: SortOrder<'_> = SortOrder {
    lcid: 0x40E,
    locale: None,
    map_flags: 0x400,
};

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// An order as Windows has them: accents and case on levels of their own, a word sort, one expansion, and two
/// letters that are one where `contracts`.
struct Order {
    contracts: bool,
}

impl SortKeys for Order {
    fn sort_key(&self, text: &[u16], into: &mut Vec<u8>) -> bool {
        let (mut diacritics, mut cases, mut special) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(unit) = text.get(at).filter(|unit| **unit != 0) {
            let lower = match *unit {
                0x41..=0x5A => unit + 32,
                0xC9 | 0xE9 => 0x65,
                other => other,
            };
            let pair = self.contracts && lower == 0x63 && text.get(at + 1) == Some(&0x73);
            match *unit {
                0x2D => {
                    special.extend((0xFFFF - at as u16).to_be_bytes());
                    special.extend([0x82, 0x12]);
                }
                // Two letters, as in "ae".
                0xBD => {
                    into.extend([0x0E, 0x63, 0x0E, 0x67]);
                    diacritics.extend([2, 2]);
                    cases.extend([2, 2]);
                }
                _ => {
                    into.extend([0x0E, if pair { 0xF0 } else { lower as u8 + 2 }]);
                    diacritics.push(if [0xC9, 0xE9].contains(unit) { 14 } else { 2 });
                    let upper = matches!(unit, 0x41..=0x5A | 0xC9);
                    cases.push(if upper { 18 } else { 2 });
                }
            }
            at += if pair { 2 } else { 1 };
        }
        for level in [diacritics, cases] {
            let end = level.iter().rposition(|weight| *weight != 2);
            into.push(1);
            into.extend(&level[..end.map_or(0, |last| last + 1)]);
        }
        into.extend([1, 1]);
        into.extend(special);
        into.push(0);
        true
    }
}

fn true_key(text: &str, contracts: bool) -> Vec<u8> {
    let mut key = Vec::new();
    Order { contracts }.sort_key(&units(text), &mut key);
    key
}

fn learned(order: SortOrder<'_>, texts: &[&str]) -> LearnedSortKeys {
    let mut keys = LearnedSortKeys::new(order, 1 << 20);
    for text in texts {
        keys.learn(&units(text), &true_key(text, order == HUNGARIAN));
    }
    keys.settle();
    keys
}

fn key(keys: &LearnedSortKeys, text: &str) -> Option<Vec<u8>> {
    let mut into = vec![9];
    let known = keys.sort_key(&units(text), &mut into);
    assert_eq!(into.remove(0), 9);
    assert_eq!(known, !into.is_empty(), "{text}");
    known.then_some(into)
}

#[test]
fn keys_of_other_texts_are_put_together() {
    let keys = learned(
        ENGLISH,
        &["Etna", "tEn", "sANTé", "satÉ", "ST", "é", "S", "aÉ"],
    );
    assert_eq!(keys.characters(), 9);
    for text in ["tEnt", "nÉt", "Satan", "étatS", "ÉÉ", "nEatEst", "T"] {
        assert_eq!(key(&keys, text), Some(true_key(text, false)), "{text}");
    }
    // A letter seen in one text only, one never seen, none at all.
    assert_eq!(key(&learned(ENGLISH, &["ab", "bb"]), "aa"), None);
    assert_eq!(key(&keys, "tent x"), None);
    assert_eq!(key(&keys, ""), None);
}

#[test]
fn texts_seen_are_known_before_anything_is_weighed() {
    let mut keys = LearnedSortKeys::new(ENGLISH, 1 << 20);
    for text in ["ab", "ba", "½ a"] {
        keys.learn(&units(text), &true_key(text, false));
        assert_eq!(key(&keys, text), Some(true_key(text, false)));
    }
    assert_eq!((key(&keys, "aa"), keys.texts()), (None, 3));
    keys.settle();
    assert_eq!(key(&keys, "aa"), Some(true_key("aa", false)));
    keys.learn(&units("bbb"), &true_key("bbb", false));
    assert_eq!(key(&keys, "aaa"), None, "to be weighed again");
}

#[test]
fn zeros_at_the_end_count_for_nothing_where_that_was_seen() {
    let keys = learned(ENGLISH, &["ab\0", "ba\0", "aab"]);
    assert_eq!(key(&keys, "bb\0"), Some(true_key("bb", false)));
    assert_eq!(key(&keys, "a\0b"), None);
    assert_eq!(key(&keys, "\0"), None);
    assert_eq!(key(&learned(ENGLISH, &["ab", "ba"]), "bb\0"), None);
}

#[test]
fn one_hyphen_has_its_place() {
    let keys = learned(ENGLISH, &["ab-a", "b-ab", "aab"]);
    for text in ["a-b", "bbbb-a"] {
        assert_eq!(key(&keys, text), Some(true_key(text, false)), "{text}");
    }
    for text in ["a-b-a", "-a", "a-"] {
        assert_eq!(key(&keys, text), None, "{text}");
    }
}

#[test]
fn letters_that_may_be_one_need_to_be_seen_side_by_side() {
    let seen = ["ca", "ac", "sa", "as", "aa", "cc"];
    let keys = learned(HUNGARIAN, &seen);
    assert_eq!(key(&keys, "saca"), Some(true_key("saca", true)));
    assert_eq!(key(&keys, "acs"), None);
    // Where the pair was seen as one letter, its letters are given up.
    let keys = learned(HUNGARIAN, &[&seen[..], &["acsa"]].concat());
    assert_eq!(key(&keys, "acsa"), Some(true_key("acsa", true)));
    assert_eq!(key(&keys, "ccaa"), None);
    assert_eq!(key(&keys, "aaa"), None);
}

#[test]
fn orders_are_told_apart() {
    let simple = |lcid, locale| {
        let map_flags = 0x400;
        SortOrder {
            lcid,
            locale,
            map_flags,
        }
        .is_simple()
    };
    for name in ["", "en-US", "en", "de-AT", "ru-RU"] {
        assert!(simple(0, Some(name)), "{name}");
    }
    for name in [
        "de-DE_phoneb",
        "hu-HU",
        "es-ES_tradnl",
        "enm",
        "cs-CZ",
        "da",
    ] {
        assert!(!simple(0, Some(name)), "{name}");
    }
    assert!(simple(0x409, None) && simple(0x7F, None));
    assert!(!simple(0x1_0407, None) && !simple(0x40E, None) && !simple(0x406, None));
    // Digits as numbers, upper case alone: texts as a whole only.
    for map_flags in [0x408, 0x200] {
        let order = SortOrder {
            map_flags,
            ..ENGLISH
        };
        let keys = learned(order, &["ab", "ba"]);
        assert_eq!(key(&keys, "ab"), Some(true_key("ab", false)));
        assert_eq!(key(&keys, "aa"), None);
    }
}

#[test]
fn contradictions_make_unknown() {
    let mut keys = learned(ENGLISH, &["ab", "ba", "bc", "cb"]);
    // The key of another text: its letters are not to be trusted any more.
    keys.learn(&units("aab"), &true_key("bab", false));
    keys.settle();
    assert_eq!(key(&keys, "aa"), None);
    assert_eq!(key(&keys, "bb"), Some(true_key("bb", false)));
    // Two keys of one text.
    keys.learn(&units("ab"), &true_key("abc", false));
    assert_eq!(key(&keys, "ab"), None);
    // A text of known letters whose key is not plain.
    let mut keys = learned(ENGLISH, &["ab", "ba", "bc", "cb"]);
    keys.learn(&units("abc"), &true_key("ab", false));
    keys.settle();
    assert_eq!((key(&keys, "aa"), keys.characters()), (None, 0));
}

#[test]
fn what_is_no_sort_key_is_left_out() {
    let mut keys = LearnedSortKeys::new(ENGLISH, 1 << 20);
    for bad in [&[][..], &[1], &[0x0E, 2, 0, 1, 0]] {
        keys.learn(&units("a"), bad);
    }
    keys.learn(&[], &[1, 1, 1, 1, 0]);
    assert_eq!(keys.texts(), 0);
    // Keys of no sense are kept for their text and teach nothing else.
    for (number, odd) in [&[0][..], &[1, 1, 1, 1, 1, 0], &[5, 1, 1, 1, 1, 0], &[1, 0]]
        .iter()
        .enumerate()
    {
        keys.learn(&units(&format!("a{number}")), odd);
    }
    keys.settle();
    assert_eq!((keys.texts(), keys.characters()), (4, 0));
}

#[test]
fn without_memory_characters_are_learned_all_the_same() {
    let mut keys = LearnedSortKeys::new(ENGLISH, 0);
    for text in ["ab", "ba", "bc", "cb"] {
        keys.learn(&units(text), &true_key(text, false));
    }
    keys.settle();
    assert_eq!(keys.texts(), 0);
    assert_eq!(key(&keys, "abc"), Some(true_key("abc", false)));
    // What cannot be kept as a warning takes its letters along: the unknown one, or all.
    keys.learn(&units("a½"), &true_key("a½", false));
    keys.learn(&units("d½"), &true_key("d½", false));
    keys.settle();
    assert_eq!(key(&keys, "abc"), Some(true_key("abc", false)));
    keys.learn(&units("ab"), &true_key("abb", false));
    keys.settle();
    assert_eq!((key(&keys, "aa"), key(&keys, "cc").is_some()), (None, true));
}

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

fn bytes(text: &str) -> Vec<u8> {
    units(text)
        .iter()
        .flat_map(|unit| unit.to_le_bytes())
        .collect()
}

/// A number, a text downwards, a text of several values, a binary of variable length.
fn rules() -> IndexRules {
    let segment = |fid, coltyp, unicode, descending| IndexSegment {
        fid: Fid::new(fid),
        kind: SegmentType {
            unicode,
            descending,
            ..SegmentType::ascending(coltyp)
        },
        multi_valued: fid == 256,
    };
    IndexRules {
        segments: vec![
            segment(1, Coltyp::Long, false, false),
            segment(2, Coltyp::Text, true, true),
            segment(256, Coltyp::LongText, true, false),
            segment(3, Coltyp::Binary, false, false),
        ],
        conditions: Vec::new(),
        flags: index_flags::MULTI_VALUED | index_flags::ALLOW_SOME_NULLS,
        limits: KeyLimits::default(),
        tuples: None,
    }
}

fn row(first: &str, many: &[&str]) -> Values {
    Values(BTreeMap::from([
        (1, vec![vec![7, 0, 0, 0]]),
        (2, vec![bytes(first)]),
        (256, many.iter().map(|text| bytes(text)).collect()),
        (3, vec![b"\0\0\x01binary".to_vec()]),
    ]))
}

fn entries(rules: &IndexRules, row: &Values) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let order = Order { contracts: false };
    rules
        .keys(row, &order, &mut Vec::new(), |key, end| {
            assert_ne!(end, KeyEnd::Unknown);
            keys.push(key.to_vec());
        })
        .unwrap();
    keys
}

#[test]
fn sort_keys_are_cut_out_of_entries() {
    let rules = rules();
    let one = row("first", &["Second"]);
    let entry = &entries(&rules, &one)[0];
    let mut keys = LearnedSortKeys::new(ENGLISH, 1 << 20);
    assert!(keys.learn_from_entry(&rules, &one, entry));
    assert_eq!(keys.texts(), 2);
    for text in ["first", "Second"] {
        assert_eq!(key(&keys, text), Some(true_key(text, false)));
    }
    // Empty and null texts are passed over.
    let empty = row("", &["third"]);
    assert!(keys.learn_from_entry(&rules, &empty, &entries(&rules, &empty)[0]));
    let null = row("fourth", &[]);
    assert!(keys.learn_from_entry(&rules, &null, &entries(&rules, &null)[0]));
    let neither = row("", &[]);
    assert!(!keys.learn_from_entry(&rules, &neither, &entries(&rules, &neither)[0]));
    assert_eq!(keys.texts(), 4);
}

#[test]
fn doubtful_entries_are_not_learned_from() {
    let rules = rules();
    let mut keys = LearnedSortKeys::new(ENGLISH, 1 << 20);
    let one = row("first", &["second"]);
    let entry = entries(&rules, &one).remove(0);
    // Every byte outside of the sort keys is compared, and none may be missing.
    let mut wrong = entry.clone();
    wrong[4] ^= 1;
    assert!(!keys.learn_from_entry(&rules, &one, &wrong));
    let last = entry.len() - 1;
    wrong.clone_from(&entry);
    wrong[last] ^= 1;
    assert!(!keys.learn_from_entry(&rules, &one, &wrong));
    for end in 0..entry.len() {
        assert!(!keys.learn_from_entry(&rules, &one, &entry[..end]), "{end}");
    }
    // Which of the values it is, the entry does not say.
    let two = row("first", &["second", "third"]);
    assert!(!keys.learn_from_entry(&rules, &two, &entry));
    // Cut at the limit of the key, of the segment.
    let long = row("first", &[&"x".repeat(200)]);
    assert!(!keys.learn_from_entry(&rules, &long, &entries(&rules, &long)[0]));
    let mut short = rules.clone();
    for var_seg_mac in 8..16 {
        // "first" has 15 bytes with prefix and zero; to fill the room is too near to being cut.
        short.limits.var_seg_mac = var_seg_mac;
        let entry = &entries(&short, &one)[0];
        assert!(!keys.learn_from_entry(&short, &one, entry), "{var_seg_mac}");
    }
    let mut tuples = rules.clone();
    tuples.tuples = Some(TupleLimits {
        least: 3,
        most: 6,
        count: 20,
        step: 1,
        start: 0,
    });
    assert!(!keys.learn_from_entry(&tuples, &one, &entry));
    assert_eq!(keys.texts(), 0);
    assert!(keys.learn_from_entry(&rules, &one, &entry));
}
