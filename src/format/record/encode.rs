//! Column values to record bytes, with the tagged columns in the new layout. [format notes 7.1-7.5]

use crate::format::ids::PageSize;
use crate::format::schema::{Fid, FidKind};

/// Bytes before the first fixed column.
pub const FIXED_START: usize = 4;
/// `fidVarLast` when no variable column is stored. [format notes 7.1]
const NO_VARIABLE: u8 = 127;
/// Null bit of a variable column's end offset. [format notes 7.1]
const VARIABLE_NULL: u16 = 0x8000;
/// What newer engines leave in null fixed columns. [format notes 2.7]
pub(super) const NULL_FILL: u8 = b'*';
/// Bytes of one element of the tagged array.
const TAGFLD: usize = 4;
/// Flags of a tagged element's offset word. [format notes 7.5]
const DERIVED: u16 = 0x8000;
const HAS_HEADER: u16 = 0x4000;
const SMALL_PAGE_NULL: u16 = 0x2000;
/// In the offsets of several values: this one is a long value id.
const SEPARATED_INSTANCE: u16 = 0x8000;

/// Bits of the header byte of a tagged value. [format notes 7.5]
pub mod header_byte {
    /// The column is a long value type.
    pub const LONG_VALUE: u8 = 0x01;
    /// The (first) value is compressed.
    pub const COMPRESSED: u8 = 0x02;
    /// The data is a long value id.
    pub const SEPARATED: u8 = 0x04;
    /// Several values.
    pub const MULTI_VALUES: u8 = 0x08;
    /// Exactly two short values.
    pub const TWO_VALUES: u8 = 0x10;
    /// Null, on large pages.
    pub const NULL: u8 = 0x20;
    /// Encrypted.
    pub const ENCRYPTED: u8 = 0x40;
}

/// A fixed column and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedSlot {
    /// Column id.
    pub fid: Fid,
    /// Offset from the start of the record.
    pub offset: u16,
    /// Bytes of a value.
    pub size: u16,
    /// What shorter values are filled up with: spaces for text. [format notes 7.3]
    pub pad: u8,
}

/// The value of a fixed or variable column; `None` is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainValue<'v> {
    /// Column id.
    pub fid: Fid,
    /// The bytes.
    pub bytes: Option<&'v [u8]>,
}

/// One value of a tagged column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instance<'v> {
    /// Stored in the record.
    Intrinsic(&'v [u8]),
    /// The long value id (4 or 8 bytes, little-endian) of a separated value.
    Separated(&'v [u8]),
}

impl<'v> Instance<'v> {
    const fn bytes(self) -> &'v [u8] {
        match self {
            Self::Intrinsic(bytes) | Self::Separated(bytes) => bytes,
        }
    }
}

/// A tagged column; no instance at all is an explicit null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedValue<'v> {
    /// Column id.
    pub fid: Fid,
    /// The column belongs to the template table.
    pub derived: bool,
    /// The column's type is a long value.
    pub long: bool,
    /// The values.
    pub instances: Vec<Instance<'v>>,
}

/// Why a record cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The column ids do not rise, or are of the wrong kind.
    #[error("column {0} is out of order or of the wrong kind")]
    Order(Fid),
    /// No such fixed column, or the value is longer than the column.
    #[error("value of {len} bytes does not fit fixed column {fid}")]
    FixedSize {
        /// The column.
        fid: Fid,
        /// The value's length.
        len: usize,
    },
    /// A separated value beside another one without multi-value room, or of a non-long column.
    #[error("column {0} cannot hold a separated value")]
    Separated(Fid),
    /// An offset leaves its field.
    #[error("record of {bytes} bytes is too long")]
    TooLong {
        /// Bytes so far.
        bytes: usize,
    },
}

/// The longest record of a table whose longest key is `max_key`. [format notes 7.2]
#[must_use]
pub const fn max_record(size: PageSize, max_key: usize) -> usize {
    let overhead = if size.is_large() {
        80 + 8 + 4 + max_key
    } else {
        let key = if max_key + 2 > 255 { max_key + 2 } else { 255 };
        40 + 8 + 2 + key
    };
    size.bytes() - overhead
}

/// Appends a record. `slots` are all fixed columns of the table in order of their ids; `fixed`,
/// `variable` and `tagged` hold the values to store, in order of their ids (derived columns first
/// among the tagged). Columns that are not given are null up to the last one given.
///
/// # Errors
/// [`EncodeError`]; `into` then holds a part of the record.
pub fn encode(
    slots: &[FixedSlot],
    fixed: &[PlainValue<'_>],
    variable: &[PlainValue<'_>],
    tagged: &[TaggedValue<'_>],
    size: PageSize,
    into: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    check_order(fixed, FidKind::Fixed)?;
    check_order(variable, FidKind::Variable)?;
    let start = into.len();
    let fixed_last = fixed.last().map_or(0, |value| value.fid.get() as u8);
    let variable_last = variable
        .last()
        .map_or(NO_VARIABLE, |value| value.fid.get() as u8);
    into.extend_from_slice(&[fixed_last, variable_last, 0, 0]);
    push_fixed(slots, fixed, fixed_last, into)?;
    let end = offset(into.len() - start)?;
    into[start + 2..start + FIXED_START].copy_from_slice(&end.to_le_bytes());
    push_variable(variable, into)?;
    push_tagged(tagged, size, into)
}

fn check_order(values: &[PlainValue<'_>], kind: FidKind) -> Result<(), EncodeError> {
    for (number, value) in values.iter().enumerate() {
        let rises = number == 0 || values[number - 1].fid < value.fid;
        if !rises || value.fid.kind() != kind || value.fid.get() == 0 {
            return Err(EncodeError::Order(value.fid));
        }
    }
    Ok(())
}

fn push_fixed(
    slots: &[FixedSlot],
    values: &[PlainValue<'_>],
    last: u8,
    into: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = into.len() - FIXED_START;
    // Spare bits of the bitmap are set. [format notes 7.1]
    let mut nulls = vec![0xFF; usize::from(last).div_ceil(8)];
    let stored = slots.iter().filter(|slot| slot.fid.get() <= last.into());
    for slot in stored {
        let (from, size) = (start + usize::from(slot.offset), usize::from(slot.size));
        if from < into.len() {
            return Err(EncodeError::Order(slot.fid));
        }
        into.resize(from + size, NULL_FILL);
        let value = values.iter().find(|value| value.fid == slot.fid);
        let Some(bytes) = value.and_then(|value| value.bytes) else {
            continue;
        };
        if bytes.len() > size {
            return Err(EncodeError::FixedSize {
                fid: slot.fid,
                len: bytes.len(),
            });
        }
        into[from..from + bytes.len()].copy_from_slice(bytes);
        into[from + bytes.len()..].fill(slot.pad);
        let bit = usize::from(slot.fid.get()) - 1;
        nulls[bit / 8] &= !(1 << (bit % 8));
    }
    let known = |fid| slots.iter().any(|slot| slot.fid == fid);
    if let Some(value) = values.iter().find(|value| !known(value.fid)) {
        let len = value.bytes.map_or(0, <[u8]>::len);
        return Err(EncodeError::FixedSize {
            fid: value.fid,
            len,
        });
    }
    into.extend_from_slice(&nulls);
    Ok(())
}

fn push_variable(values: &[PlainValue<'_>], into: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Some(last) = values.last() else {
        return Ok(());
    };
    let mut end = 0;
    for fid in Fid::FIRST_VARIABLE.get()..=last.fid.get() {
        let bytes = values
            .iter()
            .find(|value| value.fid.get() == fid)
            .and_then(|value| value.bytes);
        end += bytes.map_or(0, <[u8]>::len);
        let null = if bytes.is_none() { VARIABLE_NULL } else { 0 };
        into.extend_from_slice(&(offset(end)? | null).to_le_bytes());
    }
    for bytes in values.iter().filter_map(|value| value.bytes) {
        into.extend_from_slice(bytes);
    }
    Ok(())
}

pub(super) fn push_tagged(
    values: &[TaggedValue<'_>],
    size: PageSize,
    into: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = into.len();
    into.resize(start + TAGFLD * values.len(), 0);
    for (number, value) in values.iter().enumerate() {
        let order = |value: &TaggedValue<'_>| (!value.derived, value.fid);
        let rises = number == 0 || order(&values[number - 1]) < order(value);
        if !rises || value.fid.kind() != FidKind::Tagged {
            return Err(EncodeError::Order(value.fid));
        }
        let at = into.len() - start;
        let header = header_of(value, size.is_large())?;
        let mut word = offset(at)?;
        if value.derived {
            word |= DERIVED;
        }
        if !size.is_large() {
            // Offsets of small pages have 13 bits, and so have their records.
            if at > 0x1FFF {
                return Err(EncodeError::TooLong { bytes: into.len() });
            }
            word |= match header {
                None if value.instances.is_empty() => SMALL_PAGE_NULL,
                None => 0,
                Some(_) => HAS_HEADER,
            };
        }
        let element = start + TAGFLD * number;
        into[element..element + 2].copy_from_slice(&value.fid.get().to_le_bytes());
        into[element + 2..element + TAGFLD].copy_from_slice(&word.to_le_bytes());
        into.extend(header);
        push_instances(value, header.unwrap_or(0), into)?;
    }
    Ok(())
}

/// The header byte; small pages have none where it would say nothing. [format notes 7.5]
pub(super) fn header_of(value: &TaggedValue<'_>, large: bool) -> Result<Option<u8>, EncodeError> {
    let mut header = 0;
    if value.long && !value.instances.is_empty() {
        header |= header_byte::LONG_VALUE;
    }
    let separated = |instance: &Instance<'_>| matches!(instance, Instance::Separated(_));
    if !value.long && value.instances.iter().any(separated) {
        return Err(EncodeError::Separated(value.fid));
    }
    match &value.instances[..] {
        [] if large => header |= header_byte::NULL,
        [Instance::Separated(_)] => header |= header_byte::SEPARATED,
        [] | [_] => {}
        [first, _] if !value.long && first.bytes().len() <= 255 => {
            header |= header_byte::MULTI_VALUES | header_byte::TWO_VALUES;
        }
        _ => header |= header_byte::MULTI_VALUES,
    }
    Ok((header != 0 || large).then_some(header))
}

pub(super) fn push_instances(
    value: &TaggedValue<'_>,
    header: u8,
    into: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if header & header_byte::TWO_VALUES != 0 {
        let first = value.instances.first().map_or(0, |one| one.bytes().len());
        into.push(first as u8);
    } else if header & header_byte::MULTI_VALUES != 0 {
        let mut at = 2 * value.instances.len();
        for instance in &value.instances {
            let flag = match instance {
                Instance::Separated(_) => SEPARATED_INSTANCE,
                Instance::Intrinsic(_) => 0,
            };
            into.extend_from_slice(&(offset(at)? | flag).to_le_bytes());
            at += instance.bytes().len();
        }
    }
    for instance in &value.instances {
        into.extend_from_slice(instance.bytes());
    }
    Ok(())
}

/// An offset of 15 bits; the 16th is a flag everywhere.
fn offset(bytes: usize) -> Result<u16, EncodeError> {
    u16::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes < 0x8000)
        .ok_or(EncodeError::TooLong { bytes })
}

#[cfg(test)]
mod tests {
    use super::{FixedSlot, Instance, PlainValue, TaggedValue, encode};
    use crate::format::ids::PageSize;
    use crate::format::schema::Fid;

    fn slot(fid: u16, offset: u16, size: u16) -> FixedSlot {
        FixedSlot {
            fid: Fid::new(fid),
            offset,
            size,
            pad: 0,
        }
    }

    fn plain(fid: u16, bytes: &[u8]) -> PlainValue<'_> {
        PlainValue {
            fid: Fid::new(fid),
            bytes: Some(bytes),
        }
    }

    fn tagged(fid: u16, long: bool, instances: Vec<Instance<'_>>) -> TaggedValue<'_> {
        TaggedValue {
            fid: Fid::new(fid),
            derived: false,
            long,
            instances,
        }
    }

    /// The key-value row of format notes 15.3, vector 4.
    #[test]
    fn fixed_and_variable_columns() {
        let slots = [slot(1, 4, 1), slot(2, 5, 4)];
        let fixed = [plain(1, &[1]), plain(2, &[1, 0, 0, 0])];
        let mut record = Vec::new();
        encode(
            &slots,
            &fixed,
            &[plain(128, b"ab")],
            &[],
            PageSize::K4,
            &mut record,
        )
        .unwrap();
        assert_eq!(record, b"\x02\x80\x0A\0\x01\x01\0\0\0\xFC\x02\0ab");
    }

    /// The row of format notes 15.3, vector 3, and header bytes of vectors 5 and 6.
    #[test]
    fn tagged_columns() {
        let values = [
            tagged(256, false, vec![Instance::Intrinsic(&[2, 0, 0, 0])]),
            tagged(257, false, vec![Instance::Intrinsic(&[2, 0, 0, 0])]),
            tagged(258, false, vec![Instance::Intrinsic(&[1, 0])]),
        ];
        let mut record = Vec::new();
        encode(&[], &[], &[], &values, PageSize::K4, &mut record).unwrap();
        let expected =
            b"\0\x7F\x04\0\0\x01\x0C\0\x01\x01\x10\0\x02\x01\x14\0\x02\0\0\0\x02\0\0\0\x01\0";
        assert_eq!(record, expected);

        let two = [Instance::Intrinsic(&[0]), Instance::Intrinsic(&[0xFF])];
        let three = [0u8, 0x7F, 0xFF].map(|byte| vec![byte]);
        let values = [
            tagged(256, false, two.to_vec()),
            tagged(
                257,
                false,
                three.iter().map(|v| Instance::Intrinsic(v)).collect(),
            ),
            tagged(258, true, vec![Instance::Separated(&[1, 0, 0, 0])]),
        ];
        record.clear();
        encode(&[], &[], &[], &values, PageSize::K4, &mut record).unwrap();
        assert_eq!(
            record[4..16],
            *b"\0\x01\x0C\x40\x01\x01\x10\x40\x02\x01\x1A\x40"
        );
        assert_eq!(record[16..20], *b"\x18\x01\x00\xFF");
        assert_eq!(record[20..30], *b"\x08\x06\0\x07\0\x08\0\0\x7F\xFF");
        assert_eq!(record[30..], *b"\x05\x01\0\0\0");
    }

    #[test]
    fn nulls_and_large_pages() {
        let slots = [slot(1, 4, 1), slot(2, 5, 2)];
        let values = [tagged(256, true, vec![])];
        let null = PlainValue {
            fid: Fid::new(129),
            bytes: None,
        };
        let mut record = Vec::new();
        encode(
            &slots,
            &[plain(2, &[7, 0])],
            &[null],
            &values,
            PageSize::K16,
            &mut record,
        )
        .unwrap();
        assert_eq!(
            record,
            b"\x02\x81\x08\0*\x07\0\xFD\0\x80\0\x80\0\x01\x04\0\x20"
        );
        let big = vec![0; 40_000];
        let value = [plain(128, &big)];
        assert!(encode(&[], &[], &value, &[], PageSize::K32, &mut record).is_err());
    }
}
