//! The property blob of Exchange 2013 and later (`PropertyBlob`, `OffPagePropertyBlob`), which holds
//! the properties that have no column of their own. [store notes 3, "Blob grammar"]
//!
//! ```text
//! 0  "ProP"
//! 4  u16 version: 0x0400 or 0x0401
//! 6  u16 count
//! 8  u32, with version 0x0401 only; its meaning is not known
//! .. count times: u8 type, u16 property id
//! .. count values: marker byte, then what the marker says (see `compact`)
//! ```
//!
//! Two things are open, and both are read in each way that the notes allow; a blob is only faulty if
//! no reading fits all of it:
//! - the type byte: the upper bits of a marker "repeat the type", either shifted down (1 to 10, 0x10
//!   for many values) or where they are (0x08 to 0x50, 0x80 for many);
//! - the length of a text: bytes, or UTF-16 units.
//!
//! After a value that is stored elsewhere (or is otherwise in a form of unknown length) nothing says
//! where the next one begins: the blob is then judged up to there, see [`PropBlob::judged`].

use super::super::bytes::u16_at;
use super::compact::{CompactFault, MANY, PropType, TextLength, integer, take};

pub(super) const MAGIC: [u8; 4] = *b"ProP";
pub(super) const VERSION: u16 = 0x0400;
/// The version with 4 more bytes in the header.
pub(super) const VERSION_LONG: u16 = 0x0401;
const HEADER: usize = 8;
const HEADER_LONG: usize = 12;
/// Bytes of an entry of the list: type and id.
const ENTRY: usize = 3;
/// Many values, in a type byte that is shifted down.
pub(super) const MANY_SHIFTED: u8 = MANY >> 3;

/// What is wrong with a property blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobFault {
    /// There are fewer bytes than a header has.
    #[error("its header is cut off, {0} bytes are there")]
    Header(usize),
    /// The first 4 bytes are others.
    #[error("it does not begin with ProP")]
    Magic,
    /// A version that is not known.
    #[error("its version is {0:#06x}")]
    Version(u16),
    /// The list of types and ids goes on behind the end.
    #[error("its list of {0} properties is cut off")]
    List(u16),
    /// A type byte that is not known.
    #[error("property {id:#06x} has type {kind:#04x}, which does not exist")]
    Type {
        /// The property.
        id: u16,
        /// Its type byte.
        kind: u8,
    },
    /// A value of another type than the list says.
    #[error("the value of property {id:#06x} begins with {marker:#04x}, its type is {kind:#04x}")]
    Marker {
        /// The property.
        id: u16,
        /// The byte before its value.
        marker: u8,
        /// Its type byte.
        kind: u8,
    },
    /// A value goes on behind the end.
    #[error("the value of property {0:#06x} is cut off")]
    Cut(u16),
    /// Bytes behind the last value.
    #[error("{0} bytes follow its last value")]
    Trailing(usize),
}

/// How the open points of the notes are read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// Types are numbers, not markers.
    shifted: bool,
    text: TextLength,
}

/// All readings, the likeliest first.
const READINGS: [Reading; 4] = [
    Reading {
        shifted: true,
        text: TextLength::Bytes,
    },
    Reading {
        shifted: false,
        text: TextLength::Bytes,
    },
    Reading {
        shifted: true,
        text: TextLength::Units,
    },
    Reading {
        shifted: false,
        text: TextLength::Units,
    },
];

impl Reading {
    /// The type that a type byte means, and whether there are many values.
    fn kind(self, byte: u8) -> Option<(PropType, bool)> {
        let (code, many, none) = if self.shifted {
            (byte & 0x0F, byte & MANY_SHIFTED, byte & 0xE0)
        } else {
            (byte >> 3 & 0x0F, byte & MANY, byte & 7)
        };
        let kind = PropType::from_code(code).filter(|_| none == 0)?;
        Some((kind, many != 0))
    }
}

/// One property and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PropValue<'a> {
    /// Property id; from 0x8000 on it is a named one. [store notes 1.5]
    pub id: u16,
    /// Its type.
    pub kind: PropType,
    /// `data` holds many compact values, each with a marker.
    pub many: bool,
    /// The byte before the value; 0: the property was deleted.
    pub marker: u8,
    /// The bytes of the value, without marker, length or count.
    pub data: &'a [u8],
}

impl PropValue<'_> {
    /// True when the property was deleted ("tombstone").
    #[must_use]
    pub const fn is_deleted(&self) -> bool {
        self.marker == 0
    }

    /// The value of a `Bool`: the marker's last bit. (0x08 false, 0x09 true: inferred.)
    #[must_use]
    pub fn bool(&self) -> Option<bool> {
        (self.kind == PropType::Bool && !self.many && !self.is_deleted())
            .then_some(self.marker & 1 != 0)
    }

    /// The value of an integer. Forms that are shorter than the type are taken as unsigned (inferred).
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let full = match self.kind {
            PropType::Short => 2,
            PropType::Long => 4,
            PropType::Int64 => 8,
            _ => return None,
        };
        if self.many || self.is_deleted() {
            return None;
        }
        integer(self.data, full)
    }
}

/// A property blob that is sound as far as it can be judged.
#[derive(Debug, Clone, Copy)]
pub struct PropBlob<'a> {
    /// 0x0400 or 0x0401.
    pub version: u16,
    /// Properties in the list.
    pub count: u16,
    /// How many values could be read; fewer than `count` when one is of unknown length.
    pub judged: u16,
    /// Ids ascend, none twice. Only inferred to be a rule, so no fault. [store notes 3]
    pub ascending: bool,
    walk: Walk<'a>,
}

/// A place in the list and in the values.
#[derive(Debug, Clone, Copy)]
struct Walk<'a> {
    entries: &'a [[u8; ENTRY]],
    values: &'a [u8],
    reading: Reading,
}

const fn id_of([_, low, high]: [u8; ENTRY]) -> u16 {
    u16::from_le_bytes([low, high])
}

impl<'a> Walk<'a> {
    /// The next value; `None` behind the last one and at one of unknown length.
    fn step(&mut self) -> Result<Option<PropValue<'a>>, BlobFault> {
        let Some((entry, entries)) = self.entries.split_first() else {
            return Ok(None);
        };
        let (id, byte) = (id_of(*entry), entry[0]);
        let kind = self
            .reading
            .kind(byte)
            .ok_or(BlobFault::Type { id, kind: byte })?;
        let (marker, behind) = self.values.split_first().ok_or(BlobFault::Cut(id))?;
        let fault = |fault| match fault {
            CompactFault::Cut => BlobFault::Cut(id),
            CompactFault::Marker => BlobFault::Marker {
                id,
                marker: *marker,
                kind: byte,
            },
        };
        let Some((data, rest)) = take(*marker, kind, self.reading.text, behind).map_err(fault)?
        else {
            return Ok(None);
        };
        (self.entries, self.values) = (entries, rest);
        Ok(Some(PropValue {
            id,
            kind: kind.0,
            many: kind.1,
            marker: *marker,
            data,
        }))
    }

    /// Reads all values: how many there were, and what is wrong.
    fn judge(mut self) -> (u16, Result<(), BlobFault>) {
        // Types behind a value of unknown length can still be told.
        let unknown = |entry: &&[u8; ENTRY]| self.reading.kind(entry[0]).is_none();
        if let Some(entry) = self.entries.iter().find(unknown) {
            let (id, kind) = (id_of(*entry), entry[0]);
            return (0, Err(BlobFault::Type { id, kind }));
        }
        let mut judged = 0;
        loop {
            match self.step() {
                Ok(Some(_)) => judged += 1,
                Ok(None) => break,
                Err(fault) => return (judged, Err(fault)),
            }
        }
        let trailing = self.entries.is_empty() && !self.values.is_empty();
        let fault = trailing.then_some(BlobFault::Trailing(self.values.len()));
        (judged, fault.map_or(Ok(()), Err))
    }
}

impl<'a> PropBlob<'a> {
    /// Reads a blob to its exact end, or to the first value of unknown length.
    ///
    /// # Errors
    /// [`BlobFault`]; of the readings that are possible the one that went furthest says what.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BlobFault> {
        let header = BlobFault::Header(bytes.len());
        if *bytes.first_chunk::<4>().ok_or(header)? != MAGIC {
            return Err(BlobFault::Magic);
        }
        let version = u16_at(bytes, 4).ok_or(header)?;
        let len = match version {
            VERSION => HEADER,
            VERSION_LONG => HEADER_LONG,
            other => return Err(BlobFault::Version(other)),
        };
        let count = u16_at(bytes, 6).ok_or(header)?;
        let (list, values) = bytes
            .get(len..)
            .ok_or(header)?
            .split_at_checked(usize::from(count) * ENTRY)
            .ok_or(BlobFault::List(count))?;
        let (entries, _) = list.as_chunks();
        let mut furthest = None;
        for reading in READINGS {
            let walk = Walk {
                entries,
                values,
                reading,
            };
            let (judged, result) = walk.judge();
            match result {
                Ok(()) => {
                    return Ok(Self {
                        version,
                        count,
                        judged,
                        ascending: entries.is_sorted_by(|a, b| id_of(*a) < id_of(*b)),
                        walk,
                    });
                }
                Err(fault) if furthest.is_none_or(|(most, _)| judged > most) => {
                    furthest = Some((judged, fault));
                }
                Err(_) => {}
            }
        }
        Err(furthest.map_or(BlobFault::Trailing(values.len()), |(_, fault)| fault))
    }

    /// True when every value could be read.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.judged == self.count
    }

    /// The first property that could not be judged, and the byte before its value; `None` when the
    /// blob was read to its end.
    #[must_use]
    pub fn stopped_at(&self) -> Option<(u16, u8)> {
        let mut walk = self.walk;
        while let Ok(Some(_)) = walk.step() {}
        Some((id_of(*walk.entries.first()?), *walk.values.first()?))
    }

    /// The values that could be read, as they are stored.
    pub fn values(&self) -> impl Iterator<Item = PropValue<'a>> + use<'a> {
        let mut walk = self.walk;
        std::iter::from_fn(move || walk.step().ok().flatten())
    }

    /// The ids of all properties in the list, as they are stored.
    pub fn ids(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.walk.entries.iter().map(|entry| id_of(*entry))
    }
}

#[cfg(test)]
mod tests;
