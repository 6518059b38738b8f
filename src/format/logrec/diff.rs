//! The difference that a ReplaceD record holds. [log notes 6.7, verified on 105 806 records]

use crate::format::bytes::u16_at;

/// A difference that does not fit the data it is applied to (-1852).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the difference does not fit the record it changes")]
pub struct DiffFault;

const SAME_LENGTH: u8 = 0x20;
const INSERT: u8 = 0x40;
const TWO_BYTES: u8 = 0x80;

/// One step of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffPiece<'a> {
    /// Where in the old data.
    pub offset: usize,
    /// Its lengths have two bytes.
    pub long: bool,
    /// What happens there.
    pub change: DiffChange,
    /// The new bytes.
    pub new: &'a [u8],
}

/// What a step of a difference does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffChange {
    /// New bytes go in.
    Insert,
    /// As many old bytes as there are new ones are replaced.
    SameLength,
    /// This many old bytes are replaced.
    Replace(usize),
}

impl DiffPiece<'_> {
    /// Old bytes that go.
    #[must_use]
    pub const fn removed(&self) -> usize {
        match self.change {
            DiffChange::Insert => 0,
            DiffChange::SameLength => self.new.len(),
            DiffChange::Replace(count) => count,
        }
    }
}

/// The steps of a difference; after an error there are no more.
#[derive(Debug, Clone)]
pub struct DiffPieces<'a> {
    reader: Reader<'a>,
    wide: bool,
}

/// The steps of `diff`. `wide`: the headers have three bytes (bit 15 of the record's length).
#[must_use]
pub const fn diff_pieces(diff: &[u8], wide: bool) -> DiffPieces<'_> {
    DiffPieces {
        reader: Reader(diff),
        wide,
    }
}

impl<'a> DiffPieces<'a> {
    fn piece(&mut self) -> Result<DiffPiece<'a>, DiffFault> {
        let reader = &mut self.reader;
        let first = reader.u16()?;
        let (offset, flags) = if self.wide {
            (usize::from(first), reader.u8()?)
        } else {
            (usize::from(first & 0x1FFF), (first >> 8) as u8 & 0xE0)
        };
        let long = flags & TWO_BYTES != 0;
        let count = reader.length(long)?;
        let change = if flags & INSERT != 0 {
            DiffChange::Insert
        } else if flags & SAME_LENGTH != 0 {
            DiffChange::SameLength
        } else {
            DiffChange::Replace(reader.length(long)?)
        };
        Ok(DiffPiece {
            offset,
            long,
            change,
            new: reader.take(count)?,
        })
    }
}

impl<'a> Iterator for DiffPieces<'a> {
    type Item = Result<DiffPiece<'a>, DiffFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.0.is_empty() {
            return None;
        }
        let piece = self.piece();
        if piece.is_err() {
            self.reader = Reader(&[]);
        }
        Some(piece)
    }
}

/// Applies `diff` to `old` and puts the result into `out`, which is cleared first. `wide`: the headers have three
/// bytes (bit 15 of the record's length).
///
/// # Errors
/// [`DiffFault`] when an offset goes backwards or beyond the data, or the result would be longer than `limit` bytes.
pub fn apply_diff(
    old: &[u8],
    diff: &[u8],
    wide: bool,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), DiffFault> {
    out.clear();
    let mut cursor = 0;
    for piece in diff_pieces(diff, wide) {
        let piece = piece?;
        out.extend_from_slice(old.get(cursor..piece.offset).ok_or(DiffFault)?);
        cursor = piece.offset + piece.removed();
        if cursor > old.len() {
            return Err(DiffFault);
        }
        out.extend_from_slice(piece.new);
        if out.len() > limit {
            return Err(DiffFault);
        }
    }
    out.extend_from_slice(old.get(cursor..).ok_or(DiffFault)?);
    if out.len() > limit {
        return Err(DiffFault);
    }
    Ok(())
}

#[derive(Debug, Clone)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DiffFault> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(DiffFault)?;
        self.0 = rest;
        Ok(head)
    }

    fn u8(&mut self) -> Result<u8, DiffFault> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, DiffFault> {
        u16_at(self.take(2)?, 0).ok_or(DiffFault)
    }

    fn length(&mut self, two: bool) -> Result<usize, DiffFault> {
        if two {
            self.u16().map(usize::from)
        } else {
            self.u8().map(usize::from)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DiffFault, apply_diff};

    fn apply(old: &[u8], diff: &[u8], wide: bool) -> Result<Vec<u8>, DiffFault> {
        let mut out = vec![9];
        apply_diff(old, diff, wide, 64, &mut out).map(|()| out)
    }

    #[test]
    fn pieces_replace_insert_and_remove() {
        // At 1: two bytes for two. At 4: insert one. At 5: one byte goes.
        let diff = [1, 0x20, 2, b'X', b'Y', 4, 0x40, 1, b'+', 5, 0, 0, 1];
        assert_eq!(apply(b"abcdefg", &diff, false).unwrap(), b"aXYd+eg");
        let wide = [
            1, 0, 0x20, 2, b'X', b'Y', 4, 0, 0x40, 1, b'+', 5, 0, 0, 0, 1,
        ];
        assert_eq!(apply(b"abcdefg", &wide, true).unwrap(), b"aXYd+eg");
        assert_eq!(apply(b"abc", &[], false).unwrap(), b"abc");
        let long = [0, 0x80, 3, 0, 2, 0, b'x', b'y', b'z'];
        assert_eq!(apply(b"abc", &long, false).unwrap(), b"xyzc");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for diff in [
            &[1][..],
            &[9, 0x20, 1, 0],
            &[2, 0x20, 1, b'x', 1, 0x20, 1, b'y'],
            &[0, 0, 0, 9],
            &[0, 0x40, 9, 1],
        ] {
            assert_eq!(apply(b"abc", diff, false), Err(DiffFault), "{diff:?}");
        }
        let grows = [0, 0xC0, 60, 0];
        let diff = [&grows[..], &[0; 60]].concat();
        assert!(apply(&[0; 40], &diff, false).is_err());
    }
}
