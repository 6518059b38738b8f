//! Tagged columns with other values.

use super::{Change, SetError};
use crate::format::record::decode::{Record, RecordLayout};
use crate::format::record::encode::{Instance, TaggedValue, header_of, push_instances};
use crate::format::record::tagged::TaggedHeader;
use crate::format::record::{tagged_new, tagged_old};
use crate::format::schema::Fid;

/// First byte of a long value in the old layout: it is in the record.
const OLD_INTRINSIC: u8 = 0;

/// A column as it is to be written.
struct Part<'p, S> {
    order: (bool, Fid),
    what: What<'p, S>,
}

enum What<'p, S> {
    /// As it was.
    Same(S),
    New(Change<'p>),
}

/// Appends the tagged columns.
pub(super) fn write(
    record: &Record<'_>,
    changes: &[Change<'_>],
    out: &mut Vec<u8>,
) -> Result<(), SetError> {
    let area = record.tagged_bytes();
    if changes.is_empty() {
        out.extend_from_slice(area);
        return Ok(());
    }
    match record.layout() {
        RecordLayout::Old => old(area, changes, out),
        RecordLayout::Small => new(area, false, changes, out),
        RecordLayout::Large => new(area, true, changes, out),
    }
}

/// Takes the place of what was there; columns of which nothing needs to be said are left out.
fn merge<'p, S>(
    mut parts: Vec<Part<'p, S>>,
    changes: &[Change<'p>],
) -> impl Iterator<Item = Part<'p, S>> + use<'p, S> {
    let of = |order| {
        move |change: &&Change<'p>| {
            let change: &Change<'p> = change;
            change.column.order() == order
        }
    };
    parts.retain(|part| !changes.iter().any(|change| of(part.order)(&change)));
    let said = changes
        .iter()
        .filter(|change| !change.values.is_empty() || change.column.has_default);
    parts.extend(said.map(|change| Part {
        order: change.column.order(),
        what: What::New(*change),
    }));
    parts.sort_by_key(|part| part.order);
    parts.into_iter()
}

/// The array with its new offsets, and the values.
fn new(
    area: &[u8],
    large: bool,
    changes: &[Change<'_>],
    out: &mut Vec<u8>,
) -> Result<(), SetError> {
    let mut walk = tagged_new::NewColumns::new(area, large);
    let mask = walk.mask();
    let mut parts = Vec::new();
    while let Some((element, tagged)) = walk.step_raw()? {
        parts.push(Part {
            order: (!tagged.derived, tagged.fid),
            what: What::Same((element.word & !mask, element.bytes)),
        });
    }
    let parts: Vec<_> = merge(parts, changes).collect();
    let start = out.len();
    out.resize(start + parts.len() * tagged_new::ELEMENT, 0);
    for (number, part) in parts.iter().enumerate() {
        let at = out.len() - start;
        let offset = u16::try_from(at).ok().filter(|offset| *offset <= mask);
        let most = mask.into();
        let offset = offset.ok_or(SetError::TooLong { bytes: at, most })?;
        let flags = match &part.what {
            What::Same((flags, bytes)) => {
                out.extend_from_slice(bytes);
                *flags
            }
            What::New(change) => push_new(change, large, out)?,
        };
        let element = start + number * tagged_new::ELEMENT;
        let (_, fid) = part.order;
        out[element..element + 2].copy_from_slice(&fid.get().to_le_bytes());
        let word = (flags | offset).to_le_bytes();
        out[element + 2..element + tagged_new::ELEMENT].copy_from_slice(&word);
    }
    Ok(())
}

/// Appends header byte and values; returns the flags for the array.
fn push_new(change: &Change<'_>, large: bool, out: &mut Vec<u8>) -> Result<u16, SetError> {
    let column = change.column;
    let instances = change.values.iter();
    let value = TaggedValue {
        fid: column.fid,
        derived: column.derived,
        long: column.long,
        instances: instances.map(|value| Instance::Intrinsic(value)).collect(),
    };
    let mut header = header_of(&value, large)?;
    if value.instances.is_empty() && column.long {
        // The engine says the column's type also where it is null.
        header = header.map(|header| header | TaggedHeader::LONG);
    }
    let mut flags = if column.derived {
        tagged_new::DERIVED
    } else {
        0
    };
    if !large {
        flags |= match header {
            None if value.instances.is_empty() => tagged_new::SMALL_NULL,
            None => 0,
            Some(_) => tagged_new::SMALL_EXTENDED,
        };
    }
    out.extend(header);
    push_instances(&value, header.unwrap_or(0), out)?;
    Ok(flags)
}

/// One entry after the other.
fn old(area: &[u8], changes: &[Change<'_>], out: &mut Vec<u8>) -> Result<(), SetError> {
    let mut walk = tagged_old::OldColumns::new(area);
    let mut rest = area;
    let mut parts = Vec::new();
    while let Some(tagged) = walk.step()? {
        parts.push(Part {
            order: (!tagged.derived, tagged.fid),
            what: What::Same(&rest[..rest.len() - walk.rest().len()]),
        });
        rest = walk.rest();
    }
    for part in merge(parts, changes) {
        match part.what {
            What::Same(bytes) => out.extend_from_slice(bytes),
            What::New(change) => push_old(&change, out)?,
        }
    }
    // Too short for another entry.
    out.extend_from_slice(rest);
    Ok(())
}

/// Appends one entry a value, or the one that says that there is none.
fn push_old(change: &Change<'_>, out: &mut Vec<u8>) -> Result<(), SetError> {
    let column = change.column;
    let derived = if column.derived {
        tagged_old::DERIVED
    } else {
        0
    };
    let mut entry = |word: u16, bytes: &[u8]| {
        out.extend_from_slice(&column.fid.get().to_le_bytes());
        out.extend_from_slice(&(word | derived).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    if change.values.is_empty() {
        entry(tagged_old::NULL, &[]);
        return Ok(());
    }
    let mut stored = Vec::new();
    for value in change.values {
        stored.clear();
        if column.long {
            stored.push(OLD_INTRINSIC);
        }
        stored.extend_from_slice(value);
        let bytes = stored.len();
        let most = tagged_old::LEN_MASK;
        let len = u16::try_from(bytes).ok().filter(|len| *len <= most);
        let len = len.ok_or(SetError::TooLong {
            bytes,
            most: most.into(),
        })?;
        let long = if column.long { tagged_old::LONG } else { 0 };
        entry(len | long, &stored);
    }
    Ok(())
}
