//! Xpress, the plain LZ77 of MS-XCA. [format notes 10.2, verified]

use crate::format::bytes::{u16_at, u32_at};

/// Shortest match; the stored lengths count from here.
const MATCH_LEAST: usize = 3;
/// A length field of three bits that is full goes on in a nibble, ...
const SHORT_FULL: usize = 7;
/// ... a full nibble in a byte, ...
const NIBBLE_FULL: usize = 15;
/// ... and a full byte in a `u16` that counts the three parts itself.
const BYTE_FULL: u8 = 0xFF;
const FLAGS: u32 = 32;

struct Reader<'a> {
    stream: &'a [u8],
    at: usize,
    /// Where the byte lies whose upper nibble is the next long length.
    nibble: Option<usize>,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.stream.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn word(&mut self) -> Option<u16> {
        let word = u16_at(self.stream, self.at)?;
        self.at += 2;
        Some(word)
    }

    fn double(&mut self) -> Option<u32> {
        let double = u32_at(self.stream, self.at)?;
        self.at += 4;
        Some(double)
    }

    /// Two long lengths share one byte: the first takes its lower nibble where it reads it, the
    /// second comes back for the upper one.
    fn shared_nibble(&mut self) -> Option<usize> {
        if let Some(at) = self.nibble.take() {
            return self.stream.get(at).map(|byte| usize::from(byte >> 4));
        }
        self.nibble = Some(self.at);
        self.byte().map(|byte| usize::from(byte & 15))
    }

    fn match_len(&mut self, short: usize) -> Option<usize> {
        if short < SHORT_FULL {
            return Some(short + MATCH_LEAST);
        }
        let nibble = self.shared_nibble()?;
        if nibble < NIBBLE_FULL {
            return Some(nibble + SHORT_FULL + MATCH_LEAST);
        }
        let byte = self.byte()?;
        if byte < BYTE_FULL {
            return Some(usize::from(byte) + NIBBLE_FULL + SHORT_FULL + MATCH_LEAST);
        }
        let word = usize::from(self.word()?);
        let whole = match word {
            0 => usize::try_from(self.double()?).ok()?,
            word => word,
        };
        // What the nibble and the three bits could say must be in it.
        (whole >= NIBBLE_FULL + SHORT_FULL).then_some(whole.checked_add(MATCH_LEAST)?)
    }
}

/// Appends exactly `size` bytes; `None` when the stream is corrupt or ends too early.
pub(super) fn append(stream: &[u8], size: usize, into: &mut Vec<u8>) -> Option<()> {
    let start = into.len();
    let end = start + size;
    let mut reader = Reader {
        stream,
        at: 0,
        nibble: None,
    };
    let (mut flags, mut left) = (0, 0);
    into.reserve(size);
    while into.len() < end {
        if left == 0 {
            flags = reader.double()?;
            left = FLAGS;
        }
        left -= 1;
        if flags >> left & 1 == 0 {
            into.push(reader.byte()?);
            continue;
        }
        let word = usize::from(reader.word()?);
        let len = reader.match_len(word & SHORT_FULL)?;
        let from = into.len().checked_sub((word >> 3) + 1)?;
        if from < start || len > end - into.len() {
            return None;
        }
        copy_within(into, from, len);
    }
    Some(())
}

/// Appends `len` bytes found at `from`, which may overlap what is appended: then they repeat.
pub(super) fn copy_within(into: &mut Vec<u8>, from: usize, len: usize) {
    let mut left = len;
    while left > 0 {
        let part = left.min(into.len() - from);
        into.extend_from_within(from..from + part);
        left -= part;
    }
}
