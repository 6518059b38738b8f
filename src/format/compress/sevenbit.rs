//! Characters of seven bits, packed from the lowest bit on. [format notes 10.1, verified]

use super::{CompressFault, Scheme};

const BITS: usize = 7;
const MASK: u32 = 0x7F;

/// Number of characters. The low three bits of the header are the bits used in the last byte, less
/// one; bits that are no whole character are a contradiction.
pub(super) fn characters(bytes: &[u8], scheme: Scheme) -> Result<usize, CompressFault> {
    let (Some(header), Some(whole)) = (bytes.first(), bytes.len().checked_sub(2)) else {
        return Err(CompressFault::Header);
    };
    let bits = whole * 8 + usize::from(header & 7) + 1;
    if bits % BITS == 0 {
        Ok(bits / BITS)
    } else {
        Err(CompressFault::Corrupt { scheme })
    }
}

fn unpack(packed: &[u8], count: usize) -> impl Iterator<Item = u8> {
    let mut rest = packed.iter();
    let mut pending = 0_u32;
    let mut have = 0;
    (0..count).map(move |_| {
        if have < BITS {
            // The caller took the count from the length, so there is always a byte left.
            pending |= u32::from(rest.next().copied().unwrap_or_default()) << have;
            have += 8;
        }
        let character = (pending & MASK) as u8;
        pending >>= BITS;
        have -= BITS;
        character
    })
}

pub(super) fn append_ascii(packed: &[u8], count: usize, into: &mut Vec<u8>) -> Option<()> {
    into.extend(unpack(packed, count));
    Some(())
}

pub(super) fn append_unicode(packed: &[u8], count: usize, into: &mut Vec<u8>) -> Option<()> {
    into.reserve(2 * count);
    for character in unpack(packed, count) {
        into.extend_from_slice(&[character, 0]);
    }
    Some(())
}
