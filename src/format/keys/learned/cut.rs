//! The sort keys within a whole index key. [format notes 9.1, 9.4]

use crate::format::keys::entries::MAX_SEGMENTS;
use crate::format::keys::segment::shown_text;
use crate::format::keys::{IndexRules, NoSortKeys, RowValues, SegmentType, VALUE, push_segment};

/// Texts with their sort keys.
type Found = Vec<(Vec<u16>, Vec<u8>)>;

/// Ways in which a row's values can make entries that are tried; a row with more of them is left out.
const WAYS_MOST: usize = 64;

/// The texts of a row that are in an entry, each with its sort key; `None` when the entry does not fit the row, or fits it in
/// several ways.
pub(super) fn sort_keys_in(rules: &IndexRules, row: &impl RowValues, key: &[u8]) -> Option<Found> {
    if rules.tuples.is_some() {
        return None;
    }
    let used = rules.segments.len().min(MAX_SEGMENTS);
    let counts = rules.instance_counts(row);
    let mut instances = [0; MAX_SEGMENTS];
    let (instances, counts) = (&mut instances[..used], &counts[..used]);
    let mut found = None;
    for _ in 0..WAYS_MOST {
        if let Some(one) = read(rules, row, instances, key)
            && found.replace(one).is_some()
        {
            return None;
        }
        if !rules.advance(instances, counts) {
            return found;
        }
    }
    None
}

fn is_text(kind: SegmentType) -> bool {
    kind.unicode && kind.coltyp.is_text()
}

/// Reads the entry that these values of the row would make.
fn read(
    rules: &IndexRules,
    row: &impl RowValues,
    instances: &[usize],
    key: &[u8],
) -> Option<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut made = Vec::new();
    for (segment, instance) in rules.segments.iter().zip(instances) {
        let room = rules.limits.key_most.saturating_sub(at);
        if room == 0 {
            break;
        }
        let kind = segment.kind;
        let room = if kind.coltyp.fixed_size().is_some() {
            room
        } else {
            room.min(rules.limits.var_seg_mac)
        };
        let rest = key.get(at..)?;
        match row.value(segment.fid, *instance) {
            Some(value) if is_text(kind) && !value.is_empty() => {
                let flip = if kind.descending { 0xFF } else { 0 };
                let (prefix, rest) = rest.split_first()?;
                let len = 1 + rest.iter().position(|byte| byte ^ flip == 0)?;
                // One that fills its room may have been cut, and the zero be another segment's.
                if prefix ^ flip != VALUE || 1 + len >= room {
                    return None;
                }
                let sort_key = rest[..len].iter().map(|byte| byte ^ flip).collect();
                found.push((shown_text(value, room.saturating_sub(1)), sort_key));
                at += 1 + len;
            }
            value => {
                made.clear();
                push_segment(kind, value, room, &NoSortKeys, &mut made);
                if !rest.starts_with(&made) {
                    return None;
                }
                at += made.len();
            }
        }
    }
    (at == key.len()).then_some(found)
}
