//! Tagged columns since Exchange 2000: an array of ids and offsets, then the values.
//!
//! ```text
//!  +-----+--------+-----+--------+-- ... --+----------------------+---------+-- ...
//!  | fid | offset | fid | offset |         | header byte (or not) | value   |
//!  +-----+--------+-----+--------+-- ... --+----------------------+---------+-- ...
//!          offsets count from the start of the array; the first one tells its length
//! ```
//! [format notes 7.5, verified]

use super::fault::RecordFault;
use super::tagged::{Instance, MultiValue, Order, SHORT_MOST, Tagged, TaggedHeader, TaggedValue};
use crate::format::bytes::u16_at;
use crate::format::lv::Lid;
use crate::format::schema::Fid;

/// Bytes of one element of the array.
pub(super) const ELEMENT: usize = 4;
pub(super) const DERIVED: u16 = 0x8000;
pub(super) const SMALL_EXTENDED: u16 = 0x4000;
pub(super) const SMALL_NULL: u16 = 0x2000;
const SMALL_MASK: u16 = 0x1FFF;
const LARGE_MASK: u16 = 0x7FFF;

#[derive(Clone, Debug)]
pub(super) struct NewColumns<'a> {
    area: &'a [u8],
    large: bool,
    next: usize,
    order: Order,
}

/// An element of the array with the bytes that it stands for.
pub(super) struct Element<'a> {
    fid: Fid,
    /// Offset and flags.
    pub word: u16,
    /// Header byte, where there is one, and value.
    pub bytes: &'a [u8],
    last: bool,
}

impl<'a> NewColumns<'a> {
    pub(super) const fn new(area: &'a [u8], large: bool) -> Self {
        Self {
            area,
            large,
            next: 0,
            order: Order::START,
        }
    }

    /// The bits of an element's word that are the offset; the others are flags.
    pub(super) const fn mask(&self) -> u16 {
        if self.large { LARGE_MASK } else { SMALL_MASK }
    }

    fn offset(&self, index: usize) -> Option<usize> {
        u16_at(self.area, index * ELEMENT + 2).map(|word| usize::from(word & self.mask()))
    }

    /// Elements of the array.
    pub(super) fn count(&self) -> Result<usize, RecordFault> {
        if self.area.is_empty() {
            return Ok(0);
        }
        match self.offset(0) {
            Some(first) if first >= ELEMENT && first <= self.area.len() && first % ELEMENT == 0 => {
                Ok(first / ELEMENT)
            }
            _ => Err(RecordFault::FirstTagged),
        }
    }

    pub(super) fn step(&mut self) -> Result<Option<Tagged<'a>>, RecordFault> {
        Ok(self.step_raw()?.map(|(_, tagged)| tagged))
    }

    /// The next column, as it is stored and what it means.
    pub(super) fn step_raw(&mut self) -> Result<Option<(Element<'a>, Tagged<'a>)>, RecordFault> {
        let (index, count) = (self.next, self.count()?);
        if index >= count {
            return Ok(None);
        }
        self.next += 1;
        let at = index * ELEMENT;
        let (Some(fid), Some(word)) = (u16_at(self.area, at), u16_at(self.area, at + 2)) else {
            return Err(RecordFault::FirstTagged);
        };
        let fid = Fid::new(fid);
        let derived = word & DERIVED != 0;
        self.order.check(fid, derived)?;
        let last = index + 1 == count;
        let start = usize::from(word & self.mask());
        let end = match last {
            true => Some(self.area.len()),
            false => self.offset(index + 1),
        };
        let bytes = end
            .and_then(|end| self.area.get(start..end))
            .ok_or(RecordFault::TaggedOverlap { fid })?;
        let element = Element {
            fid,
            word,
            bytes,
            last,
        };
        let (header, value) = if self.large {
            large(&element)
        } else {
            small(&element)
        }?;
        let tagged = Tagged {
            fid,
            derived,
            header,
            value,
        };
        Ok(Some((element, tagged)))
    }
}

type Parsed<'a> = Result<(TaggedHeader, TaggedValue<'a>), RecordFault>;

fn small<'a>(element: &Element<'a>) -> Parsed<'a> {
    let fid = element.fid;
    let extended = element.word & SMALL_EXTENDED != 0;
    if element.word & SMALL_NULL != 0 {
        return if extended {
            Err(RecordFault::NullAndExtended { fid })
        } else if !element.bytes.is_empty() {
            Err(null_not_empty(element))
        } else {
            Ok((TaggedHeader::default(), TaggedValue::Null))
        };
    }
    if !extended {
        return if element.bytes.len() > SHORT_MOST {
            Err(RecordFault::TooLong { fid })
        } else {
            let value = TaggedValue::Single(Instance::plain(element.bytes));
            Ok((TaggedHeader::default(), value))
        };
    }
    let (header, body) = split_header(element)?;
    if !header.any(TaggedHeader::LONG | TaggedHeader::MULTI) {
        // Two values without several is the more telling fault, but the engine comes here first.
        return Err(RecordFault::Header { fid });
    }
    Ok((header, extended_value(fid, header, body)?))
}

fn large<'a>(element: &Element<'a>) -> Parsed<'a> {
    let (header, body) = split_header(element)?;
    if !header.any(TaggedHeader::NULL) {
        return Ok((header, extended_value(element.fid, header, body)?));
    }
    if !body.is_empty() {
        return Err(null_not_empty(element));
    }
    if header.any(TaggedHeader::MULTI | TaggedHeader::TWO | TaggedHeader::SEPARATED) {
        // These need data, which null has not: whatever the header says besides is false.
        extended_value(element.fid, header, body)?;
    }
    Ok((header, TaggedValue::Null))
}

fn null_not_empty(element: &Element<'_>) -> RecordFault {
    let fid = element.fid;
    if element.last {
        RecordFault::LastNullNotAtEnd { fid }
    } else {
        RecordFault::NullNotEmpty { fid }
    }
}

fn split_header<'a>(element: &Element<'a>) -> Result<(TaggedHeader, &'a [u8]), RecordFault> {
    let (&header, body) = element
        .bytes
        .split_first()
        .ok_or(RecordFault::Header { fid: element.fid })?;
    if header & !TaggedHeader::KNOWN != 0 {
        return Err(RecordFault::HeaderBits { header });
    }
    Ok((TaggedHeader::new(header), body))
}

fn extended_value(
    fid: Fid,
    header: TaggedHeader,
    body: &[u8],
) -> Result<TaggedValue<'_>, RecordFault> {
    if header.any(TaggedHeader::TWO) {
        return two_values(fid, header, body);
    }
    if header.any(TaggedHeader::MULTI) {
        return if header.any(TaggedHeader::SEPARATED) {
            Err(RecordFault::MultiSeparated { fid })
        } else {
            MultiValue::parse(fid, header, body).map(TaggedValue::Multi)
        };
    }
    if header.any(TaggedHeader::SEPARATED) {
        if !header.any(TaggedHeader::LONG) {
            return Err(RecordFault::SeparatedNotLong { fid });
        }
        let lid = Lid::from_record(body).ok_or(RecordFault::BadLid { fid })?;
        return Ok(TaggedValue::Single(Instance::Separated(lid)));
    }
    Ok(TaggedValue::Single(Instance::Intrinsic {
        bytes: body,
        compressed: header.any(TaggedHeader::COMPRESSED),
        encrypted: header.any(TaggedHeader::ENCRYPTED),
    }))
}

fn two_values(fid: Fid, header: TaggedHeader, body: &[u8]) -> Result<TaggedValue<'_>, RecordFault> {
    if !header.any(TaggedHeader::MULTI) {
        return Err(RecordFault::TwoNotMulti { fid });
    }
    if header.any(TaggedHeader::LONG | TaggedHeader::SEPARATED) {
        return Err(RecordFault::TwoLong { fid });
    }
    let (&first_len, values) = body.split_first().ok_or(RecordFault::TwoTooSmall { fid })?;
    if values.len() > 2 * SHORT_MOST {
        return Err(RecordFault::TwoTooLarge { fid });
    }
    let (first, second) = values
        .split_at_checked(first_len.into())
        .ok_or(RecordFault::TwoFirstTooLong { fid })?;
    if second.len() > SHORT_MOST {
        return Err(RecordFault::TooLong { fid });
    }
    Ok(TaggedValue::Two(first, second))
}
