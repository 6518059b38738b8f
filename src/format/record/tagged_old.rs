//! Tagged columns of Exchange 5.5: ids, lengths and values one after the other; a column with
//! several values is repeated. [format notes 7.4; no file of this kind was at hand]
//!
//! ```text
//!  +-----+----------------------------+-----------------------------------+-- ...
//!  | fid | length (12), flags (4 bit) | value; long values: flags (1) ... |
//!  +-----+----------------------------+-----------------------------------+-- ...
//! ```

use super::fault::RecordFault;
use super::tagged::{Instance, Order, SHORT_MOST, Tagged, TaggedHeader, TaggedValue};
use crate::format::bytes::u16_at;
use crate::format::lv::Lid;
use crate::format::schema::Fid;

/// Bytes of id, length and flags.
const HEADER: usize = 4;
pub(super) const LEN_MASK: u16 = 0x0FFF;
pub(super) const DERIVED: u16 = 0x2000;
pub(super) const NULL: u16 = 0x4000;
pub(super) const LONG: u16 = 0x8000;
/// First byte of a long value's data.
const LONG_SEPARATED: u8 = 1;

#[derive(Clone, Debug)]
pub(super) struct OldColumns<'a> {
    rest: &'a [u8],
    order: Order,
}

/// One id with one value.
pub(super) struct Entry<'a> {
    pub fid: Fid,
    /// Length and flags.
    pub word: u16,
    /// A long value begins with a byte of flags.
    pub bytes: &'a [u8],
    /// What follows.
    pub rest: &'a [u8],
}

impl<'a> Entry<'a> {
    /// `Ok(None)` at the end: when there is no room for another header.
    pub(super) fn parse(area: &'a [u8]) -> Result<Option<Self>, RecordFault> {
        let (Some(fid), Some(word)) = (u16_at(area, 0), u16_at(area, 2)) else {
            return Ok(None);
        };
        let fid = Fid::new(fid);
        area[HEADER..]
            .split_at_checked((word & LEN_MASK).into())
            .map(|(bytes, rest)| {
                Some(Self {
                    fid,
                    word,
                    bytes,
                    rest,
                })
            })
            .ok_or(RecordFault::TaggedOverlap { fid })
    }

    const fn is(&self, flag: u16) -> bool {
        self.word & flag != 0
    }

    fn instance(&self) -> Result<Instance<'a>, RecordFault> {
        let fid = self.fid;
        if !self.is(LONG) {
            return if self.bytes.len() > SHORT_MOST {
                Err(RecordFault::TooLong { fid })
            } else {
                Ok(Instance::plain(self.bytes))
            };
        }
        let (flags, value) = self
            .bytes
            .split_first()
            .ok_or(RecordFault::Header { fid })?;
        if flags & LONG_SEPARATED == 0 {
            return Ok(Instance::plain(value));
        }
        Lid::from_record(value)
            .map(Instance::Separated)
            .ok_or(RecordFault::BadLid { fid })
    }
}

impl<'a> OldColumns<'a> {
    pub(super) const fn new(area: &'a [u8]) -> Self {
        Self {
            rest: area,
            order: Order::START,
        }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn step(&mut self) -> Result<Option<Tagged<'a>>, RecordFault> {
        let Some(first) = Entry::parse(self.rest)? else {
            return Ok(None);
        };
        let (fid, derived) = (first.fid, first.is(DERIVED));
        self.order.check(fid, derived)?;
        let start = self.rest;
        self.rest = first.rest;
        let mut count = 1;
        let one = first.instance_or_null()?;
        while let Some(entry) = Entry::parse(self.rest)? {
            if entry.fid != fid || entry.is(DERIVED) != derived {
                break;
            }
            entry.instance()?;
            self.rest = entry.rest;
            count += 1;
        }
        let header = TaggedHeader::new(if first.is(LONG) {
            TaggedHeader::LONG
        } else {
            0
        });
        let value = match one {
            _ if count > 1 => TaggedValue::Run(OldRun {
                rest: start,
                left: count,
            }),
            Some(one) => TaggedValue::Single(one),
            None => TaggedValue::Null,
        };
        Ok(Some(Tagged {
            fid,
            derived,
            header,
            value,
        }))
    }
}

impl<'a> Entry<'a> {
    fn instance_or_null(&self) -> Result<Option<Instance<'a>>, RecordFault> {
        if !self.is(NULL) {
            return self.instance().map(Some);
        }
        if self.bytes.is_empty() {
            Ok(None)
        } else {
            Err(RecordFault::NullNotEmpty { fid: self.fid })
        }
    }
}

/// The values of a column that the old layout repeats.
#[derive(Clone, Copy, Debug)]
pub struct OldRun<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> OldRun<'a> {
    /// Number of values that are left, at first at least two.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.left
    }

    /// The next value.
    pub(super) fn next(&mut self) -> Option<Instance<'a>> {
        self.left = self.left.checked_sub(1)?;
        let entry = Entry::parse(self.rest).ok()??;
        self.rest = entry.rest;
        entry.instance().ok()
    }
}
