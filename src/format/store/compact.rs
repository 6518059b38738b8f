//! The compact values of Exchange 2013 and later: a marker byte, then as few bytes as the value
//! needs. [store notes 3, "Blob grammar"]
//!
//! ```text
//! bit 7      many values: a count follows
//! bits 6-3   type (PropType)
//! bits 2-0   form: how many bytes follow, or how long their length is
//! ```
//!
//! The notes list markers, not this table; bits 6 to 3 follow from the list.

use super::super::bytes::u16_at;

/// Bit of a marker that says: many values.
pub(super) const MANY: u8 = 0x80;
/// Type code of a value that is stored elsewhere (markers 0x78 and 0x7A).
const ELSEWHERE: u8 = 15;

/// What kind of value a marker announces. [store notes 3]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PropType {
    /// No value: the property was deleted (marker 0, "tombstone").
    Deleted = 0,
    /// True or false, in the marker itself.
    Bool = 1,
    /// 16-bit integer.
    Short = 2,
    /// 32-bit integer.
    Long = 3,
    /// 64-bit integer.
    Int64 = 4,
    /// 4-byte floating point number.
    Float = 5,
    /// 8-byte floating point number.
    Double = 6,
    /// Time, 100 ns since 1601 in its 8-byte form.
    Time = 7,
    /// GUID, 16 bytes.
    Guid = 8,
    /// Text. Its encoding is not known.
    Text = 9,
    /// Bytes.
    Binary = 10,
    /// The value is in a column of its own (`SeparatedPropertyNN`).
    Elsewhere = 15,
}

impl PropType {
    /// The type with this number; `None` for one that the notes do not name.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Deleted,
            1 => Self::Bool,
            2 => Self::Short,
            3 => Self::Long,
            4 => Self::Int64,
            5 => Self::Float,
            6 => Self::Double,
            7 => Self::Time,
            8 => Self::Guid,
            9 => Self::Text,
            10 => Self::Binary,
            ELSEWHERE => Self::Elsewhere,
            _ => return None,
        })
    }

    /// Bits 6 to 3 of its markers, shifted down.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Its first marker.
    pub(super) const fn marker(self) -> u8 {
        self.code() << 3
    }
}

/// How to read what the notes leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextLength {
    /// The length of a text counts bytes.
    Bytes,
    /// It counts UTF-16 units of 2 bytes.
    Units,
}

/// Why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompactFault {
    /// The marker is of another type.
    Marker,
    /// The value goes on behind the end.
    Cut,
}

/// A value (its bytes behind marker and length or count) and what follows it.
pub(super) type Taken<'a> = (&'a [u8], &'a [u8]);

/// What follows a marker.
enum Tail {
    /// So many bytes.
    Fixed(usize),
    /// A length of so many bytes, then the value.
    Sized(usize),
}

/// What follows the marker of a single value with this form. The sizes of float, double and GUID
/// are those of their types; the rest is [store notes 3]. `None`: not listed there.
const fn tail(kind: PropType, form: u8) -> Option<Tail> {
    Some(match (kind, form) {
        (PropType::Deleted, 0) | (PropType::Bool, 0 | 1) => Tail::Fixed(0),
        (PropType::Short | PropType::Long | PropType::Int64, 0) => Tail::Fixed(0),
        (PropType::Short | PropType::Long | PropType::Int64, 1) => Tail::Fixed(1),
        (PropType::Short | PropType::Long | PropType::Int64, 2) => Tail::Fixed(2),
        (PropType::Long | PropType::Int64, 3) => Tail::Fixed(4),
        (PropType::Int64, 4) => Tail::Fixed(8),
        (PropType::Float, 0) | (PropType::Time, 1) => Tail::Fixed(4),
        (PropType::Double | PropType::Time, 0) => Tail::Fixed(8),
        (PropType::Guid, 0) => Tail::Fixed(16),
        (PropType::Text | PropType::Binary, 0) => Tail::Fixed(0),
        (PropType::Text, 5) | (PropType::Binary, 1) => Tail::Sized(1),
        (PropType::Text, 6) | (PropType::Binary, 2) => Tail::Sized(2),
        // 0x4A is a text off the page: what stands here instead of it is not known.
        _ => return None,
    })
}

/// Takes a length or count of `width` bytes (0: it is 0).
fn number(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let value = match width {
        0 => 0,
        1 => usize::from(*bytes.first()?),
        _ => usize::from(u16_at(bytes, 0)?),
    };
    Some((value, bytes.get(width..)?))
}

/// Takes the value that `marker` announces off the front of `bytes`, which begin behind it.
/// `Ok(None)`: the marker fits the type, but what follows it is not known, so that neither is where
/// the next value begins.
pub(super) fn take<'a>(
    marker: u8,
    (kind, many): (PropType, bool),
    text: TextLength,
    bytes: &'a [u8],
) -> Result<Option<Taken<'a>>, CompactFault> {
    if marker == 0 {
        // Any property may be deleted.
        return Ok(Some((&[], bytes)));
    }
    let code = marker >> 3 & 0x0F;
    if code == ELSEWHERE && matches!(marker & 7, 0 | 2) {
        // Any value may be elsewhere, many values of one property too.
        return Ok(None);
    }
    if code != kind.code() || (marker & MANY != 0) != many {
        return Err(CompactFault::Marker);
    }
    if many {
        return take_many(marker, kind, text, bytes);
    }
    let (len, bytes) = match tail(kind, marker & 7) {
        None => return Ok(None),
        Some(Tail::Fixed(len)) => (len, bytes),
        Some(Tail::Sized(width)) => {
            let (len, bytes) = number(bytes, width).ok_or(CompactFault::Cut)?;
            let doubled = kind == PropType::Text && text == TextLength::Units;
            (if doubled { 2 * len } else { len }, bytes)
        }
    };
    bytes
        .split_at_checked(len)
        .map(Some)
        .ok_or(CompactFault::Cut)
}

/// The two lower bits of the marker are the width of the count, as with bytes (inferred). The notes
/// do not say how the values of one property are stored: taken to be compact values of that type one
/// after the other. If they do not look so, their layout counts as unknown and not as damage.
fn take_many<'a>(
    marker: u8,
    kind: PropType,
    text: TextLength,
    bytes: &'a [u8],
) -> Result<Option<Taken<'a>>, CompactFault> {
    let width = match marker & 3 {
        3 => return Ok(None),
        width => usize::from(width),
    };
    let (count, values) = number(bytes, width).ok_or(CompactFault::Cut)?;
    if count > values.len() {
        // In any layout a value takes a byte.
        return Err(CompactFault::Cut);
    }
    let mut rest = values;
    for _ in 0..count {
        let Some((marker, behind)) = rest.split_first() else {
            return Ok(None);
        };
        match take(*marker, (kind, false), text, behind) {
            Ok(Some((_, behind))) if *marker != 0 => rest = behind,
            _ => return Ok(None),
        }
    }
    Ok(values
        .split_at_checked(values.len() - rest.len())
        .map(|(taken, _)| (taken, rest)))
}

/// The number in the bytes of an integer. A form shorter than `full` bytes is taken as unsigned
/// (inferred; the notes do not say), the full one as signed.
pub(super) fn integer(data: &[u8], full: usize) -> Option<i64> {
    Some(match *data {
        [] => 0,
        [byte] => i64::from(byte),
        [a, b] if full == 2 => i64::from(i16::from_le_bytes([a, b])),
        [a, b] => i64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] if full == 4 => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d] => i64::from(u32::from_le_bytes([a, b, c, d])),
        _ => i64::from_le_bytes(data.try_into().ok()?),
    })
}

/// Takes an integer of any of the three types, with its marker.
pub(super) fn take_integer(bytes: &[u8]) -> Result<(i64, &[u8]), CompactFault> {
    let (marker, behind) = bytes.split_first().ok_or(CompactFault::Cut)?;
    let (kind, full) = match marker >> 3 {
        2 => (PropType::Short, 2),
        3 => (PropType::Long, 4),
        4 => (PropType::Int64, 8),
        _ => return Err(CompactFault::Marker),
    };
    let (data, rest) =
        take(*marker, (kind, false), TextLength::Bytes, behind)?.ok_or(CompactFault::Marker)?;
    let value = integer(data, full).ok_or(CompactFault::Cut)?;
    Ok((value, rest))
}

/// Appends an integer of one of the three types, `full` bytes wide, with its marker. A shorter form
/// is only used where signed and unsigned reading agree.
pub(super) fn put_integer(kind: PropType, full: u8, value: i64, into: &mut Vec<u8>) {
    let (form, width) = match value {
        0 => (0, 0),
        1..=0x7F => (1, 1),
        0x80..=0x7FFF => (2, 2),
        0x8000..=0x7FFF_FFFF => (3, 4),
        // The last form of each type is the full one.
        _ => match full {
            2 => (2, 2),
            4 => (3, 4),
            _ => (4, 8),
        },
    };
    into.push(kind.marker() | form);
    into.extend_from_slice(&value.to_le_bytes()[..width]);
}

#[cfg(test)]
mod tests {
    use super::{CompactFault, PropType, TextLength, put_integer, take, take_integer};

    #[test]
    fn integers_come_back() {
        for (kind, full, values) in [
            (
                PropType::Short,
                2,
                &[0, 1, 127, 128, 0x7FFF, -1, -0x8000][..],
            ),
            (PropType::Long, 4, &[0, 255, 65536, 0x7FFF_FFFF, -1][..]),
            (
                PropType::Int64,
                8,
                &[0, 255, 1 << 31, i64::MAX, i64::MIN][..],
            ),
        ] {
            for value in values {
                let mut bytes = Vec::new();
                put_integer(kind, full, *value, &mut bytes);
                bytes.push(0xEE);
                assert_eq!(take_integer(&bytes), Ok((*value, &[0xEE][..])), "{kind:?}");
                let cut = &bytes[..bytes.len() - 2];
                assert!(take_integer(cut).is_err(), "{kind:?} {value}");
            }
        }
    }

    #[test]
    fn markers_of_the_notes() {
        let data = [0; 40];
        let lengths = [
            (0x00, 0),
            (0x08, 0),
            (0x09, 0),
            (0x10, 0),
            (0x11, 1),
            (0x12, 2),
            (0x18, 0),
            (0x19, 1),
            (0x1A, 2),
            (0x1B, 4),
            (0x20, 0),
            (0x21, 1),
            (0x22, 2),
            (0x23, 4),
            (0x24, 8),
            (0x28, 4),
            (0x30, 8),
            (0x38, 8),
            (0x39, 4),
            (0x40, 16),
            (0x48, 0),
            (0x4D, 1),
            (0x4E, 2),
            (0x50, 0),
            (0x51, 1),
            (0x52, 2),
            (0x91, 1),
            (0x92, 2),
        ];
        for (marker, used) in lengths {
            let kind = PropType::from_code(marker >> 3 & 0x0F).expect("a type");
            let taken = take(marker, (kind, marker & 0x80 != 0), TextLength::Bytes, &data);
            let (_, rest) = taken.expect("no fault").expect("known");
            assert_eq!(data.len() - rest.len(), used, "{marker:#x}");
        }
        for marker in [0x78, 0x7A, 0x4A, 0x53, 0x93] {
            let code = marker >> 3 & 0x0F;
            let kind = PropType::from_code(code).expect("a type");
            let taken = take(marker, (kind, marker & 0x80 != 0), TextLength::Bytes, &data);
            assert_eq!(taken, Ok(None), "{marker:#x}");
        }
        for marker in [0x18, 0xCD, 0x7F, 0xFF, 0x01] {
            let other = take(marker, (PropType::Text, false), TextLength::Bytes, &data);
            assert_eq!(other, Err(CompactFault::Marker), "{marker:#x}");
        }
    }
}
