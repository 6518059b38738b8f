//! A record without some of its separated values: what is left to do when their long values are lost.
//!
//! ```text
//!  column                        becomes
//!  one value, lost               null, said explicitly: a default must not speak in its place
//!  several values, all lost      the same
//!  several values, some lost     the others. An empty value in their place would keep all numbers, but libesedb refuses
//!                                records that have one
//! ```
//! [format notes 7.4, 7.5]

use super::decode::{Record, RecordLayout};
use super::fault::RecordFault;
use super::tagged::{Instance, MultiValue, Tagged, TaggedHeader, TaggedValue};
use super::{tagged_new, tagged_old};
use crate::format::lv::Lid;
use crate::format::schema::Fid;

/// A separated value that was taken out of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostValue {
    /// The column.
    pub fid: Fid,
    /// It belongs to the template table.
    pub derived: bool,
    /// Which of the column's values, from 1 on.
    pub instance: u16,
    /// The long value that it referred to.
    pub lid: Lid,
}

/// Appends the record `data` to `out`, without the references to long values that `is_lost` names. It is asked
/// once about each reference. What is not such a reference stays as it is, byte for byte; the record never becomes
/// longer. Returns what was taken out, in the order of columns and values; nothing when `out` got `data` itself.
///
/// # Errors
/// [`RecordFault`] of the header or the tagged columns, which alone are looked at; `out` is then as it was.
pub fn without_separated(
    data: &[u8],
    layout: RecordLayout,
    is_lost: &dyn Fn(Lid) -> bool,
    out: &mut Vec<u8>,
) -> Result<Vec<LostValue>, RecordFault> {
    let record = Record::with_layout(data, layout)?;
    let mut lost = Vec::new();
    for tagged in record.tagged() {
        let tagged = tagged?;
        for (instance, value) in (1..).zip(tagged.values()) {
            if let Instance::Separated(lid) = value
                && is_lost(lid)
            {
                lost.push(LostValue {
                    fid: tagged.fid,
                    derived: tagged.derived,
                    instance,
                    lid,
                });
            }
        }
    }
    if lost.is_empty() {
        out.extend_from_slice(data);
        return Ok(lost);
    }
    let area = record.tagged_bytes();
    let start = out.len();
    out.extend_from_slice(&data[..data.len() - area.len()]);
    let mut rest = &lost[..];
    let written = match layout {
        RecordLayout::Old => old(area, &mut rest, out),
        RecordLayout::Small => new(area, false, &mut rest, out),
        RecordLayout::Large => new(area, true, &mut rest, out),
    };
    if let Err(fault) = written {
        // The same bytes were read above, so that nothing can be found here.
        out.truncate(start);
        return Err(fault);
    }
    Ok(lost)
}

/// What becomes of a column.
enum Fate<'l> {
    /// It stays.
    Same,
    /// Nothing of it is left.
    Null,
    /// These of its values go.
    Fewer(&'l [LostValue]),
}

/// Takes the lost values of a column, which come next, from the front of `lost`.
fn fate<'l>(tagged: &Tagged<'_>, lost: &mut &'l [LostValue]) -> Fate<'l> {
    let of_column = |value: &&LostValue| value.fid == tagged.fid && value.derived == tagged.derived;
    let (own, others) = lost.split_at(lost.iter().take_while(of_column).count());
    *lost = others;
    let count = match tagged.value {
        TaggedValue::Multi(multi) => multi.len(),
        TaggedValue::Run(run) => run.remaining(),
        // None of these has two values of which one is separated.
        TaggedValue::Null | TaggedValue::Single(_) | TaggedValue::Two(..) => 1,
    };
    match own.len() {
        0 => Fate::Same,
        all if all == count => Fate::Null,
        _ => Fate::Fewer(own),
    }
}

/// True for value `index`, from 0 on. A damaged record may have thousands, so that it matters how it is looked for.
fn is_in(lost: &[LostValue], index: usize) -> bool {
    lost.binary_search_by_key(&(index + 1), |value| value.instance.into())
        .is_ok()
}

/// The array with its new offsets, and the values.
fn new(
    area: &[u8],
    large: bool,
    lost: &mut &[LostValue],
    out: &mut Vec<u8>,
) -> Result<(), RecordFault> {
    let mut columns = tagged_new::NewColumns::new(area, large);
    let (start, mask) = (out.len(), columns.mask());
    let array = columns.count()? * tagged_new::ELEMENT;
    out.extend_from_slice(area.get(..array).unwrap_or_default());
    let mut element_at = start;
    while let Some((element, tagged)) = columns.step_raw()? {
        // Not above the old offset, so that it fits.
        let offset = (out.len() - start) as u16 & mask;
        let mut flags = element.word & !mask;
        match fate(&tagged, lost) {
            Fate::Same => out.extend_from_slice(element.bytes),
            Fate::Null if large => {
                // The engine leaves the bit that says what type the column has.
                let long = tagged.header.bits() & TaggedHeader::LONG;
                out.push(long | TaggedHeader::NULL);
            }
            Fate::Null => flags = flags & tagged_new::DERIVED | tagged_new::SMALL_NULL,
            Fate::Fewer(own) => {
                if let TaggedValue::Multi(multi) = tagged.value {
                    fewer(&multi, tagged.header, own, out);
                }
            }
        }
        out[element_at + 2..element_at + tagged_new::ELEMENT]
            .copy_from_slice(&(flags | offset).to_le_bytes());
        element_at += tagged_new::ELEMENT;
    }
    Ok(())
}

/// Header byte, offsets and values of a column with several values, of which one at least stays.
fn fewer(multi: &MultiValue<'_>, header: TaggedHeader, lost: &[LostValue], out: &mut Vec<u8>) {
    let mut bits = header.bits();
    if is_in(lost, 0) {
        // It speaks of the first value.
        bits &= !TaggedHeader::COMPRESSED;
    }
    let stays = |index: &usize| !is_in(lost, *index);
    let count = (0..multi.len()).filter(stays).count();
    let kept = (0..multi.len())
        .filter(stays)
        .filter_map(|index| multi.raw(index));
    if count == 1 {
        for (bytes, separated) in kept {
            let mark = if separated {
                TaggedHeader::SEPARATED
            } else {
                0
            };
            out.push(bits & !TaggedHeader::MULTI | mark);
            out.extend_from_slice(bytes);
        }
        return;
    }
    out.push(bits);
    let start = out.len();
    out.resize(start + count * MultiValue::OFFSET, 0);
    for (index, (bytes, separated)) in kept.enumerate() {
        let mut word = (out.len() - start) as u16;
        if separated {
            word |= MultiValue::SEPARATED;
        }
        let at = start + index * MultiValue::OFFSET;
        out[at..at + MultiValue::OFFSET].copy_from_slice(&word.to_le_bytes());
        out.extend_from_slice(bytes);
    }
}

/// One entry after the other; a column of which nothing is left keeps one.
fn old(area: &[u8], lost: &mut &[LostValue], out: &mut Vec<u8>) -> Result<(), RecordFault> {
    let mut columns = tagged_old::OldColumns::new(area);
    let mut rest = area;
    while let Some(tagged) = columns.step()? {
        let own = match fate(&tagged, lost) {
            Fate::Same => {
                out.extend_from_slice(&rest[..rest.len() - columns.rest().len()]);
                rest = columns.rest();
                continue;
            }
            Fate::Null => {
                if let Some(entry) = tagged_old::Entry::parse(rest)? {
                    let cleared = tagged_old::LEN_MASK | tagged_old::LONG;
                    let word = entry.word & !cleared | tagged_old::NULL;
                    out.extend_from_slice(&entry.fid.get().to_le_bytes());
                    out.extend_from_slice(&word.to_le_bytes());
                }
                rest = columns.rest();
                continue;
            }
            Fate::Fewer(own) => own,
        };
        for index in 0.. {
            if rest.len() <= columns.rest().len() {
                break;
            }
            let Some(entry) = tagged_old::Entry::parse(rest)? else {
                break;
            };
            if !is_in(own, index) {
                out.extend_from_slice(&rest[..rest.len() - entry.rest.len()]);
            }
            rest = entry.rest;
        }
    }
    // Too short for another entry.
    out.extend_from_slice(rest);
    Ok(())
}

#[cfg(test)]
mod tests;
