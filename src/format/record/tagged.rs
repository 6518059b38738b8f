//! Tagged columns: the iterator over a record's, and what one of them may hold.

use super::decode::RecordLayout;
use super::fault::RecordFault;
use super::tagged_new::NewColumns;
use super::tagged_old::{OldColumns, OldRun};
use crate::format::bytes::u16_at;
use crate::format::compress;
use crate::format::lv::Lid;
use crate::format::schema::{Fid, FidKind};

/// Longest value of a column that is no long value. [engine: the limit of Binary and Text]
pub(super) const SHORT_MOST: usize = 255;

/// The header byte of a tagged value; no bits where the layout needs none. [format notes 7.5]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TaggedHeader(u8);

impl TaggedHeader {
    /// The column is a long value.
    pub const LONG: u8 = 0x01;
    /// The (first) value is compressed.
    pub const COMPRESSED: u8 = 0x02;
    /// The value is in the long value tree.
    pub const SEPARATED: u8 = 0x04;
    /// More than one value.
    pub const MULTI: u8 = 0x08;
    /// Exactly two short values.
    pub const TWO: u8 = 0x10;
    /// Null; large pages only.
    pub const NULL: u8 = 0x20;
    /// The value is encrypted.
    pub const ENCRYPTED: u8 = 0x40;
    /// Everything with a meaning.
    pub(super) const KNOWN: u8 = 0x7F;

    /// Wraps the byte.
    #[must_use]
    pub const fn new(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// True when any of `mask` is set.
    #[must_use]
    pub const fn any(self, mask: u8) -> bool {
        self.0 & mask != 0
    }
}

/// One tagged column of a record.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a> {
    /// The column.
    pub fid: Fid,
    /// It belongs to the template table.
    pub derived: bool,
    /// The header byte.
    pub header: TaggedHeader,
    /// Its value or values.
    pub value: TaggedValue<'a>,
}

impl<'a> Tagged<'a> {
    /// The values in order; none when the column is null.
    #[must_use]
    pub const fn values(&self) -> Instances<'a> {
        Instances {
            value: self.value,
            next: 0,
        }
    }
}

/// What a tagged column holds.
#[derive(Clone, Copy, Debug)]
pub enum TaggedValue<'a> {
    /// Explicitly null, over a default.
    Null,
    /// One value.
    Single(Instance<'a>),
    /// Two short values.
    Two(&'a [u8], &'a [u8]),
    /// Several values behind an array of offsets.
    Multi(MultiValue<'a>),
    /// Several values of the old layout, one after the other.
    Run(OldRun<'a>),
}

/// One value of a tagged column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instance<'a> {
    /// In the record.
    Intrinsic {
        /// The bytes as stored: decrypt first, then decompress.
        bytes: &'a [u8],
        /// See [`crate::format::compress`].
        compressed: bool,
        /// Encrypted by the application's key.
        encrypted: bool,
    },
    /// In the table's long value tree.
    Separated(Lid),
}

impl<'a> Instance<'a> {
    /// A value in plain bytes.
    #[must_use]
    pub const fn plain(bytes: &'a [u8]) -> Self {
        Self::Intrinsic {
            bytes,
            compressed: false,
            encrypted: false,
        }
    }

    /// The value decompressed; `None` when it is not in the record, is encrypted, or is damaged.
    #[must_use]
    pub fn unpacked(self) -> Option<Vec<u8>> {
        match self {
            Self::Separated(_)
            | Self::Intrinsic {
                encrypted: true, ..
            } => None,
            Self::Intrinsic {
                bytes,
                compressed: true,
                ..
            } => {
                let mut plain = Vec::new();
                compress::decompress(bytes, None, &mut plain).ok()?;
                Some(plain)
            }
            Self::Intrinsic { bytes, .. } => Some(bytes.to_vec()),
        }
    }
}

/// The values of a column with several: `u16` offsets, then the data.
#[derive(Clone, Copy, Debug)]
pub struct MultiValue<'a> {
    /// The offsets and the data, without the header byte.
    body: &'a [u8],
    count: usize,
    header: TaggedHeader,
}

impl<'a> MultiValue<'a> {
    pub(super) const OFFSET: usize = size_of::<u16>();
    const OFFSET_MASK: u16 = 0x7FFF;
    pub(super) const SEPARATED: u16 = 0x8000;

    /// Checks every value, so that reading them cannot fail.
    pub(super) fn parse(
        fid: Fid,
        header: TaggedHeader,
        body: &'a [u8],
    ) -> Result<Self, RecordFault> {
        if body.len() < 2 * Self::OFFSET {
            return Err(RecordFault::MultiTooSmall { fid });
        }
        let first = usize::from(u16_at(body, 0).unwrap_or_default() & Self::OFFSET_MASK);
        if first < 2 * Self::OFFSET || first > body.len() || first % Self::OFFSET != 0 {
            return Err(RecordFault::MultiFirst { fid });
        }
        let multi = Self {
            body,
            count: first / Self::OFFSET,
            header,
        };
        for index in 0..multi.count {
            let (bytes, separated) = multi.raw(index).ok_or(RecordFault::MultiOverlap { fid })?;
            if !header.any(TaggedHeader::LONG) {
                if bytes.len() > SHORT_MOST {
                    return Err(RecordFault::TooLong { fid });
                }
                if separated {
                    return Err(RecordFault::SeparatedNotLong { fid });
                }
            }
            if separated {
                Lid::from_record(bytes).ok_or(RecordFault::BadLid { fid })?;
            }
        }
        Ok(multi)
    }

    /// The bytes of value `index`, and whether they are a reference.
    pub(super) fn raw(&self, index: usize) -> Option<(&'a [u8], bool)> {
        if index >= self.count {
            return None;
        }
        let word = u16_at(self.body, index * Self::OFFSET)?;
        let start = usize::from(word & Self::OFFSET_MASK);
        let end = match index + 1 < self.count {
            true => usize::from(u16_at(self.body, (index + 1) * Self::OFFSET)? & Self::OFFSET_MASK),
            false => self.body.len(),
        };
        Some((self.body.get(start..end)?, word & Self::SEPARATED != 0))
    }

    /// Number of values, at least two.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Value `index`, from 0 on.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Instance<'a>> {
        let (bytes, separated) = self.raw(index)?;
        if separated {
            return Lid::from_record(bytes).map(Instance::Separated);
        }
        Some(Instance::Intrinsic {
            bytes,
            // Only the first of several values is ever compressed. [format notes 7.5, verified]
            compressed: index == 0 && self.header.any(TaggedHeader::COMPRESSED),
            encrypted: self.header.any(TaggedHeader::ENCRYPTED),
        })
    }
}

/// The values of one column in order.
#[derive(Clone, Debug)]
pub struct Instances<'a> {
    value: TaggedValue<'a>,
    next: usize,
}

impl<'a> Iterator for Instances<'a> {
    type Item = Instance<'a>;

    fn next(&mut self) -> Option<Instance<'a>> {
        let index = self.next;
        self.next += 1;
        match (&mut self.value, index) {
            (TaggedValue::Single(one), 0) => Some(*one),
            (TaggedValue::Two(first, _), 0) => Some(Instance::plain(first)),
            (TaggedValue::Two(_, second), 1) => Some(Instance::plain(second)),
            (TaggedValue::Multi(multi), _) => multi.get(index),
            (TaggedValue::Run(run), _) => run.next(),
            (TaggedValue::Null | TaggedValue::Single(_) | TaggedValue::Two(..), _) => None,
        }
    }
}

/// The order that all layouts keep: derived columns before own ones, ids increasing among each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    own: bool,
    previous: u16,
}

impl Order {
    pub(super) const START: Self = Self {
        own: false,
        previous: 0,
    };

    pub(super) fn check(&mut self, fid: Fid, derived: bool) -> Result<(), RecordFault> {
        if fid.kind() != FidKind::Tagged {
            return Err(RecordFault::NotTagged { fid });
        }
        if derived && self.own {
            return Err(RecordFault::DerivedOrder);
        }
        // The first own column may have any id: its numbers are not the template's.
        if derived != self.own && fid.get() <= self.previous {
            return Err(RecordFault::TaggedOrder {
                fid,
                previous: Fid::new(self.previous),
            });
        }
        self.own = !derived;
        self.previous = fid.get();
        Ok(())
    }
}

/// The tagged columns of a record, each checked as it is read. Ends after the first fault.
#[derive(Clone, Debug)]
pub struct TaggedColumns<'a>(Option<Columns<'a>>);

#[derive(Clone, Debug)]
enum Columns<'a> {
    Old(OldColumns<'a>),
    New(NewColumns<'a>),
}

impl<'a> TaggedColumns<'a> {
    pub(super) const fn new(area: &'a [u8], layout: RecordLayout) -> Self {
        Self(Some(match layout {
            RecordLayout::Old => Columns::Old(OldColumns::new(area)),
            RecordLayout::Small => Columns::New(NewColumns::new(area, false)),
            RecordLayout::Large => Columns::New(NewColumns::new(area, true)),
        }))
    }
}

impl<'a> Iterator for TaggedColumns<'a> {
    type Item = Result<Tagged<'a>, RecordFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = match self.0.as_mut()? {
            Columns::Old(columns) => columns.step(),
            Columns::New(columns) => columns.step(),
        };
        match step {
            Ok(Some(tagged)) => Some(Ok(tagged)),
            Ok(None) => {
                self.0 = None;
                None
            }
            Err(fault) => {
                self.0 = None;
                Some(Err(fault))
            }
        }
    }
}
