//! Fixed and variable columns with other values.

use super::{Change, RecordShape, SetError};
use crate::format::record::decode::{Field, Record};
use crate::format::record::encode::{FIXED_START, NULL_FILL};
use crate::format::schema::Fid;

/// Null bit of a variable column's end offset. [format notes 7.1]
const VARIABLE_NULL: u16 = 0x8000;

/// The last column that the record must have: columns behind its end that become null without a default are so already.
fn last_of(changes: &[Change<'_>], have: Fid) -> Fid {
    let said = changes
        .iter()
        .filter(|change| !change.values.is_empty() || change.column.has_default);
    said.map(|change| change.column.fid).fold(have, Fid::max)
}

/// What a column between the former end of the record and the new one says.
fn value_of<'v>(
    column: &'v super::ColumnShape,
    changes: &[Change<'v>],
) -> Result<Option<&'v [u8]>, SetError> {
    let fid = column.fid;
    let own = |change: &&Change<'v>| change.column.fid == fid;
    if let Some(change) = changes.iter().find(own) {
        return Ok(change.value());
    }
    match &column.default {
        None if column.has_default => Err(SetError::UnknownDefault { fid }),
        default => Ok(default.as_deref()),
    }
}

/// Header, fixed data, null bits.
pub(super) fn fixed(
    record: &Record<'_>,
    shape: &RecordShape,
    changes: &[Change<'_>],
    out: &mut Vec<u8>,
) -> Result<(), SetError> {
    let start = out.len();
    let (bytes, bitmap) = (record.bytes(), record.null_bits_at());
    if changes.is_empty() {
        out.extend_from_slice(&bytes[..record.end_of_fixed()]);
        return Ok(());
    }
    let have = record.fixed_last();
    let last = last_of(changes, have);
    let mut nulls = bytes[bitmap..record.end_of_fixed()].to_vec();
    // Spare bits of the bitmap are set. [format notes 7.1]
    nulls.resize(usize::from(last.get()).div_ceil(8), 0xFF);
    for index in have.get()..last.get() {
        set_null(&mut nulls, index, true);
    }
    out.extend_from_slice(&bytes[..bitmap]);
    for change in changes.iter().filter(|change| change.column.fid <= have) {
        let (column, width) = (change.column, change.column.width());
        let end = column.offset.saturating_add(width);
        if column.offset < FIXED_START || end > bitmap {
            return Err(SetError::Misplaced { fid: column.fid });
        }
        put(
            &mut out[start + column.offset..start + end],
            change.value(),
            column.pad,
        );
        set_null(&mut nulls, column.fid.get() - 1, change.value().is_none());
    }
    for column in shape.between(have, last) {
        let fid = column.fid;
        let end = column.offset.saturating_add(column.width());
        // Between two columns lie those that were deleted.
        if column.offset < out.len() - start || end > usize::from(u16::MAX) {
            return Err(SetError::Misplaced { fid });
        }
        let value = value_of(column, changes)?;
        if value.is_some_and(|value| value.len() > column.width()) {
            return Err(SetError::UnknownDefault { fid });
        }
        out.resize(start + end, NULL_FILL);
        put(&mut out[start + column.offset..], value, column.pad);
        set_null(&mut nulls, fid.get() - 1, value.is_none());
    }
    out.extend_from_slice(&nulls);
    out[start] = last.get() as u8;
    let end = offset(out.len() - start)?;
    out[start + 2..start + FIXED_START].copy_from_slice(&end.to_le_bytes());
    Ok(())
}

/// Writes a value into its place, which is at least as long.
fn put(place: &mut [u8], value: Option<&[u8]>, pad: u8) {
    let Some(value) = value else {
        place.fill(NULL_FILL);
        return;
    };
    let (own, rest) = place.split_at_mut(value.len());
    own.copy_from_slice(value);
    rest.fill(pad);
}

fn set_null(nulls: &mut [u8], index: u16, null: bool) {
    if let Some(byte) = nulls.get_mut(usize::from(index / 8)) {
        let bit = 1 << (index % 8);
        *byte = if null { *byte | bit } else { *byte & !bit };
    }
}

/// End offsets and data; `start` is where the record begins in `out`.
pub(super) fn variable(
    record: &Record<'_>,
    shape: &RecordShape,
    changes: &[Change<'_>],
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), SetError> {
    let bytes = record.bytes();
    if changes.is_empty() {
        let end = bytes.len() - record.tagged_bytes().len();
        out.extend_from_slice(&bytes[record.end_of_fixed()..end]);
        return Ok(());
    }
    let have = record.variable_last();
    let last = last_of(changes, have);
    let mut values = Vec::new();
    for number in Fid::FIRST_VARIABLE.get()..=last.get() {
        let fid = Fid::new(number);
        let change = changes.iter().find(|change| change.column.fid == fid);
        values.push(match (change, shape.column(fid, false)) {
            (Some(change), _) => change.value(),
            (None, _) if fid <= have => match record.variable(fid)? {
                Field::Value(bytes) => Some(bytes),
                Field::Absent | Field::Null => None,
            },
            (None, Some(column)) => value_of(column, changes)?,
            (None, None) => None,
        });
    }
    out[start + 1] = last.get() as u8;
    let mut end = 0;
    for value in &values {
        end += value.map_or(0, <[u8]>::len);
        let null = if value.is_none() { VARIABLE_NULL } else { 0 };
        out.extend_from_slice(&(offset(end)? | null).to_le_bytes());
    }
    for value in values.into_iter().flatten() {
        out.extend_from_slice(value);
    }
    Ok(())
}

/// An offset of 15 bits; the 16th is a flag.
fn offset(bytes: usize) -> Result<u16, SetError> {
    let most = usize::from(u16::MAX >> 1);
    u16::try_from(bytes)
        .ok()
        .filter(|_| bytes <= most)
        .ok_or(SetError::TooLong { bytes, most })
}
