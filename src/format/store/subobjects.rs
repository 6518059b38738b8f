//! `SubobjectsBlob` of Exchange 2013 and later: which attachments a message has. [store notes 3]
//!
//! Compact integers (see `compact`): version 0, count n, then pairs (index, Inid); an Inid is the key
//! of a row of `Attachment_N`. The notes say "then pairs ending in (index, Inid)", which leaves room
//! for something before the pairs: the last n pairs count, and integers before them are let be.

use super::compact::{CompactFault, PropType, put_integer, take_integer};

/// What is wrong with a list of attachments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubobjectsFault {
    /// The version is not 0.
    #[error("its version is {0}")]
    Version(i64),
    /// A byte that begins no integer.
    #[error("no integer begins with {marker:#04x} at offset {offset}")]
    Marker {
        /// The byte.
        marker: u8,
        /// Where it is, in bytes.
        offset: usize,
    },
    /// It ends within an integer, or before version and count.
    #[error("it is cut off after {0} bytes")]
    Cut(usize),
    /// Fewer pairs than its count says.
    #[error("{count} attachments are announced, {integers} integers follow")]
    Count {
        /// The stored count.
        count: i64,
        /// Integers behind it.
        integers: usize,
    },
}

/// A sound list of attachments.
#[derive(Debug, Clone, Copy)]
pub struct Subobjects<'a> {
    /// Attachments.
    pub count: usize,
    /// Integers between the count and the pairs; 0 unless there is something the notes do not know.
    pub extra: usize,
    integers: &'a [u8],
}

impl<'a> Subobjects<'a> {
    /// Reads the list to its exact end.
    ///
    /// # Errors
    /// [`SubobjectsFault`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SubobjectsFault> {
        let next = |rest: &'a [u8]| {
            take_integer(rest).map_err(|fault| match (fault, rest.first()) {
                (CompactFault::Marker, Some(marker)) => SubobjectsFault::Marker {
                    marker: *marker,
                    offset: bytes.len() - rest.len(),
                },
                _ => SubobjectsFault::Cut(bytes.len()),
            })
        };
        let (version, rest) = next(bytes)?;
        if version != 0 {
            return Err(SubobjectsFault::Version(version));
        }
        let (count, integers) = next(rest)?;
        let (mut rest, mut seen) = (integers, 0);
        while !rest.is_empty() {
            (_, rest) = next(rest)?;
            seen += 1;
        }
        let fault = SubobjectsFault::Count {
            count,
            integers: seen,
        };
        let count = usize::try_from(count).map_err(|_| fault)?;
        let extra = count
            .checked_mul(2)
            .and_then(|pairs| seen.checked_sub(pairs))
            .ok_or(fault)?;
        Ok(Self {
            count,
            extra,
            integers,
        })
    }

    /// The pairs (index, Inid), as they are stored.
    pub fn pairs(&self) -> impl Iterator<Item = (i64, i64)> + use<'a> {
        let mut rest = self.integers;
        let mut next = move || {
            let (value, behind) = take_integer(rest).ok()?;
            rest = behind;
            Some(value)
        };
        for _ in 0..self.extra {
            next();
        }
        std::iter::from_fn(move || Some((next()?, next()?)))
    }

    /// The Inids, as they are stored.
    pub fn inids(&self) -> impl Iterator<Item = i64> + use<'a> {
        self.pairs().map(|(_, inid)| inid)
    }
}

/// Writes a list of attachments, for databases in the making and for tests: version, count and
/// indexes as 32-bit integers, Inids as 64-bit ones (they come after 0x21 in the notes).
#[must_use]
pub fn write(pairs: &[(i32, i64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + 8 * pairs.len());
    put_integer(PropType::Long, 4, 0, &mut bytes);
    let count = i64::try_from(pairs.len()).unwrap_or(i64::MAX);
    put_integer(PropType::Long, 4, count, &mut bytes);
    for (index, inid) in pairs {
        put_integer(PropType::Long, 4, i64::from(*index), &mut bytes);
        put_integer(PropType::Int64, 8, *inid, &mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::testing::batter;
    use super::{Subobjects, SubobjectsFault, write};

    const PAIRS: [(i32, i64); 4] = [(0, 5), (1, 200), (2, 70_000), (300, 1 << 40)];

    fn fault(bytes: &[u8]) -> SubobjectsFault {
        Subobjects::parse(bytes).expect_err("a fault")
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = write(&PAIRS);
        assert_eq!(bytes[..5], [0x18, 0x19, 4, 0x18, 0x21]);
        let list = Subobjects::parse(&bytes).expect("sound");
        assert_eq!((list.count, list.extra), (4, 0));
        assert!(
            list.pairs()
                .eq(PAIRS.map(|(index, inid)| (index.into(), inid)))
        );
        assert!(list.inids().eq(PAIRS.map(|(_, inid)| inid)));
        let none = write(&[]);
        assert_eq!(Subobjects::parse(&none).expect("sound").inids().count(), 0);
    }

    #[test]
    fn what_stands_before_the_pairs_is_let_be() {
        let list = Subobjects::parse(&[0x18, 0x19, 1, 0x10, 0x11, 9, 0x18, 0x18, 0x21, 7]);
        let list = list.expect("sound");
        assert_eq!((list.count, list.extra), (1, 3));
        assert!(list.inids().eq([7]));
    }

    #[test]
    fn each_fault() {
        assert_eq!(fault(&[]), SubobjectsFault::Cut(0));
        assert_eq!(fault(&[0x18]), SubobjectsFault::Cut(1));
        assert_eq!(fault(&[0x19, 1, 0x18]), SubobjectsFault::Version(1));
        let marker = |marker, offset| SubobjectsFault::Marker { marker, offset };
        assert_eq!(fault(&[0x18, 0x50]), marker(0x50, 1));
        assert_eq!(fault(&[0x18, 0x1C]), marker(0x1C, 1));
        let (count, integers) = (2, 2);
        assert_eq!(
            fault(&[0x18, 0x19, 2, 0x18, 0x21, 1]),
            SubobjectsFault::Count { count, integers }
        );
        assert_eq!(
            fault(&[0x18, 0x1B, 255, 255, 255, 255]),
            SubobjectsFault::Count {
                count: -1,
                integers: 0
            }
        );
        let bytes = write(&PAIRS);
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(fault(cut), SubobjectsFault::Cut(cut.len()));
    }

    #[test]
    fn nothing_panics() {
        batter(&write(&PAIRS), |bytes| {
            if let Ok(list) = Subobjects::parse(bytes) {
                assert_eq!(list.inids().count(), list.count);
            }
        });
    }
}
