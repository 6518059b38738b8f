//! LZ4 blocks, without a frame. [format notes chapter 10: the public block format]

use super::xpress::copy_within;

const MATCH_LEAST: usize = 4;
/// A length nibble that is full goes on in bytes, until one of them is not full.
const NIBBLE_FULL: usize = 15;

struct Reader<'a> {
    stream: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.stream.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let part = self.stream.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(part)
    }

    fn len(&mut self, nibble: u8) -> Option<usize> {
        let mut len = usize::from(nibble);
        if len == NIBBLE_FULL {
            loop {
                let more = self.byte()?;
                len += usize::from(more);
                if more != u8::MAX {
                    break;
                }
            }
        }
        Some(len)
    }
}

/// Appends exactly `size` bytes; `None` when the block is corrupt or ends too early.
pub(super) fn append(stream: &[u8], size: usize, into: &mut Vec<u8>) -> Option<()> {
    let start = into.len();
    let end = start + size;
    let mut reader = Reader { stream, at: 0 };
    into.reserve(size);
    while into.len() < end {
        let token = reader.byte()?;
        let literals = reader.len(token >> 4)?;
        if literals > end - into.len() {
            return None;
        }
        into.extend_from_slice(reader.take(literals)?);
        if into.len() == end {
            break;
        }
        let offset = usize::from(u16::from_le_bytes(reader.take(2)?.try_into().ok()?));
        let len = reader.len(token & 15)? + MATCH_LEAST;
        let from = into.len().checked_sub(offset)?;
        if offset == 0 || from < start || len > end - into.len() {
            return None;
        }
        copy_within(into, from, len);
    }
    Some(())
}
