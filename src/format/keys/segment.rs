//! One segment of a key, per column type. [format notes 9.2, 9.3]

use super::{EMPTY, KeyEnd, NULL, NULL_HIGH, SegmentType, SortKeys, VALUE};
use crate::format::schema::Coltyp;

/// Data bytes of a group of variable binary.
const GROUP: usize = 8;
/// What follows a group when more data come. [format notes 9.2]
const MORE: u8 = GROUP as u8 + 1;
/// Where the bytes of a GUID go: the node first, the time last. [format notes 9.2]
const GUID_ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];
/// The same with the .NET flag. [format notes 9.2, source only]
const GUID_ORDER_DOTNET: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
/// Bytes of a Unicode value that take part in a key of the default length. [format notes 9.4]
const UNICODE_BYTES: usize = 256;

/// Appends one segment of at most `room` bytes, prefix included.
///
/// A value shorter than its type is taken as if zeros followed.
pub fn push_segment(
    kind: SegmentType,
    value: Option<&[u8]>,
    room: usize,
    sort: &impl SortKeys,
    key: &mut Vec<u8>,
) -> KeyEnd {
    let start = key.len();
    let end = match value {
        None => {
            key.push(if kind.nulls_high { NULL_HIGH } else { NULL });
            KeyEnd::Whole
        }
        Some([]) if kind.coltyp.fixed_size().is_none() => {
            key.push(EMPTY);
            KeyEnd::Whole
        }
        Some(value) => {
            key.push(VALUE);
            push_value(kind, value, room.saturating_sub(1), sort, key)
        }
    };
    let end = if key.len() - start > room {
        key.truncate(start + room);
        end.max(KeyEnd::Cut)
    } else {
        end
    };
    if kind.descending {
        key[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    end
}

fn push_value(
    kind: SegmentType,
    value: &[u8],
    room: usize,
    sort: &impl SortKeys,
    key: &mut Vec<u8>,
) -> KeyEnd {
    match kind.coltyp {
        Coltyp::Bit => key.push(if value.first().is_some_and(|byte| *byte != 0) {
            0xFF
        } else {
            0
        }),
        Coltyp::Single | Coltyp::Double | Coltyp::DateTime => push_float(kind.coltyp, value, key),
        Coltyp::Guid => push_guid(kind, value, key),
        Coltyp::Text | Coltyp::LongText if kind.unicode => {
            return push_unicode(value, room, sort, key);
        }
        Coltyp::Text | Coltyp::LongText => return push_ascii(value, room, key),
        Coltyp::Binary if kind.fixed => key.extend_from_slice(value),
        Coltyp::Binary | Coltyp::LongBinary | Coltyp::Deleted | Coltyp::Slv => {
            push_binary(value, room, key);
        }
        integer => push_integer(integer, value, key),
    }
    KeyEnd::Whole
}

/// Big-endian, the sign bit of signed types inverted. [format notes 9.2]
fn push_integer(coltyp: Coltyp, value: &[u8], key: &mut Vec<u8>) {
    let signed = matches!(
        coltyp,
        Coltyp::Short | Coltyp::Long | Coltyp::Currency | Coltyp::LongLong
    );
    let size = coltyp.fixed_size().unwrap_or(value.len());
    let at = key.len();
    key.extend((0..size).rev().map(|byte| byte_or_zero(value, byte)));
    if signed && let Some(first) = key.get_mut(at) {
        *first ^= 0x80;
    }
}

/// Big-endian; negative numbers inverted, others with the sign bit set. [format notes 9.2]
fn push_float(coltyp: Coltyp, value: &[u8], key: &mut Vec<u8>) {
    let size = coltyp.fixed_size().unwrap_or(value.len());
    let negative = byte_or_zero(value, size - 1) & 0x80 != 0;
    let at = key.len();
    key.extend((0..size).rev().map(|byte| byte_or_zero(value, byte)));
    if negative {
        key[at..].iter_mut().for_each(|byte| *byte = !*byte);
    } else if let Some(first) = key.get_mut(at) {
        *first |= 0x80;
    }
}

fn push_guid(kind: SegmentType, value: &[u8], key: &mut Vec<u8>) {
    let order = if kind.dotnet_guid {
        GUID_ORDER_DOTNET
    } else {
        GUID_ORDER
    };
    key.extend(order.map(|byte| byte_or_zero(value, byte)));
}

/// Groups of 8 bytes, each followed by 9, the last one zero-padded and followed by its length.
/// [format notes 9.2]
fn push_binary(value: &[u8], room: usize, key: &mut Vec<u8>) {
    // What lies beyond the room is cut off again; do not normalise megabytes.
    let groups = room / (GROUP + 1) + 1;
    let shown = &value[..value.len().min(groups * GROUP + 1)];
    for (number, group) in shown.chunks(GROUP).enumerate() {
        key.extend_from_slice(group);
        if value.len() > (number + 1) * GROUP {
            key.push(MORE);
        } else {
            key.extend(std::iter::repeat_n(0, GROUP - group.len()));
            key.push(group.len() as u8);
        }
    }
}

/// Up to the first zero byte, letters a to z folded, a zero at the end. When there is no room for
/// all of it the zero is missing and the last byte has 0x20 subtracted whatever it is: the engine
/// does so, and keys must compare equal to its keys. [format notes 9.3]
fn push_ascii(value: &[u8], room: usize, key: &mut Vec<u8>) -> KeyEnd {
    let len = value.iter().position(|byte| *byte == 0);
    let text = &value[..len.unwrap_or(value.len())];
    if text.len() < room {
        key.extend(text.iter().map(u8::to_ascii_uppercase));
        key.push(0);
        return KeyEnd::Whole;
    }
    let text = &text[..room];
    key.extend(text.iter().map(u8::to_ascii_uppercase));
    if let (Some(last), Some(raw)) = (key.last_mut(), text.last()) {
        *last = raw.wrapping_sub(0x20);
    }
    KeyEnd::Cut
}

fn push_unicode(value: &[u8], room: usize, sort: &impl SortKeys, key: &mut Vec<u8>) -> KeyEnd {
    if sort.sort_key(&shown_text(value, room), key) {
        KeyEnd::Whole
    } else {
        KeyEnd::Unknown
    }
}

/// The characters of a Unicode value that the engine shows to NLS: only the start of the text while the key is short, of
/// which `room` bytes are left behind the prefix. [format notes 9.4]
pub(super) fn shown_text(value: &[u8], room: usize) -> Vec<u16> {
    let shown = if room < UNICODE_BYTES {
        &value[..value.len().min(UNICODE_BYTES)]
    } else {
        value
    };
    let (units, _) = shown.as_chunks::<2>();
    units.iter().map(|unit| u16::from_le_bytes(*unit)).collect()
}

fn byte_or_zero(value: &[u8], at: usize) -> u8 {
    value.get(at).copied().unwrap_or(0)
}
