//! Compressed column values and long value chunks. [format notes chapter 10]
//!
//! ```text
//!  0          1                3
//!  +----------+----------------+---------------------------------------------+
//!  | scheme 5 | 7-bit: the packed characters                                 |
//!  | data   3 | Xpress, LZ4: size (u16)  | stream                            |
//!  |          | Xpress9:  CRC-32C (u32)  | stream                            |
//!  |          | Xpress10: size (u16), CRC-32C (u32), CRC-64 (u64) | stream   |
//!  +----------+-------------------------------------------------------------+
//! ```

mod lz4;
mod sevenbit;
mod xpress;

#[cfg(test)]
mod tests;

use std::fmt;

use super::bytes::u16_at;

/// Most bytes that a compressed value may become when its length is not known beforehand. No page
/// holds a stream that honestly becomes more: the sizes of Xpress and LZ4 have 16 bits, and 32 KiB
/// of 7-bit Unicode are 75 KB.
pub const OUTPUT_MOST: usize = 128 * 1024;

/// First byte of the stream after the header byte and a 16-bit size.
const SIZED_HEADER: usize = 3;
const XPRESS10_HEADER: usize = 15;
const XPRESS9_HEADER: usize = 5;

/// The compression scheme: the upper five bits of the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// 0: the bytes themselves; never written by the engine.
    None,
    /// 1: characters of 7 bits.
    SevenBitAscii,
    /// 2: 16-bit characters of 7 bits.
    SevenBitUnicode,
    /// 3: plain LZ77.
    Xpress,
    /// 4: overwritten when its long value had lost all references; the data is gone.
    Scrubbed,
    /// 5.
    Xpress9,
    /// 6.
    Xpress10,
    /// 7: LZ4 block.
    Lz4,
}

impl Scheme {
    /// The scheme that a header byte names.
    #[must_use]
    pub const fn from_header(header: u8) -> Option<Self> {
        Some(match header >> 3 {
            0 => Self::None,
            1 => Self::SevenBitAscii,
            2 => Self::SevenBitUnicode,
            3 => Self::Xpress,
            4 => Self::Scrubbed,
            5 => Self::Xpress9,
            6 => Self::Xpress10,
            7 => Self::Lz4,
            _ => return None,
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no compression",
            Self::SevenBitAscii => "7-bit ASCII",
            Self::SevenBitUnicode => "7-bit Unicode",
            Self::Xpress => "Xpress",
            Self::Scrubbed => "scrubbed",
            Self::Xpress9 => "Xpress9",
            Self::Xpress10 => "Xpress10",
            Self::Lz4 => "LZ4",
        })
    }
}

/// Why bytes cannot be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompressFault {
    /// No bytes, or the header is cut off.
    #[error("compressed data is too short for its header")]
    Header,
    /// A scheme that does not exist.
    #[error("unknown compression scheme {0}")]
    UnknownScheme(u8),
    /// A codec that this library does not have.
    #[error("{scheme} data cannot be decompressed here")]
    Unsupported {
        /// Which one.
        scheme: Scheme,
        /// The uncompressed size, where the header tells.
        size: Option<usize>,
    },
    /// The data was overwritten by database maintenance; nothing is left to decompress.
    #[error("the data was scrubbed")]
    Scrubbed,
    /// The stream contradicts itself.
    #[error("corrupt {scheme} data")]
    Corrupt {
        /// The scheme.
        scheme: Scheme,
    },
    /// More or fewer bytes than there should be.
    #[error("decompressed length is {got}, expected {expected}")]
    Length {
        /// What the long value's size or the caller says.
        expected: usize,
        /// What the data says.
        got: usize,
    },
    /// Longer than any honest value.
    #[error("decompressed length {0} is over the limit")]
    TooLong(usize),
}

/// The uncompressed length, as far as the header alone tells: `None` for schemes that do not store
/// it (Xpress9) and for scrubbed data, which has none.
///
/// # Errors
/// [`CompressFault`] when the header is cut off, contradicts itself or names no scheme.
pub fn uncompressed_len(bytes: &[u8]) -> Result<Option<usize>, CompressFault> {
    let scheme = scheme_of(bytes)?;
    let sized = |header| {
        let size = u16_at(bytes, 1).ok_or(CompressFault::Header)?;
        if bytes.len() < header {
            return Err(CompressFault::Header);
        }
        Ok(Some(usize::from(size)))
    };
    match scheme {
        Scheme::None => Ok(Some(bytes.len() - 1)),
        Scheme::SevenBitAscii => Ok(Some(sevenbit::characters(bytes, scheme)?)),
        Scheme::SevenBitUnicode => Ok(Some(2 * sevenbit::characters(bytes, scheme)?)),
        Scheme::Xpress | Scheme::Lz4 => sized(SIZED_HEADER),
        Scheme::Xpress10 => sized(XPRESS10_HEADER),
        Scheme::Xpress9 if bytes.len() < XPRESS9_HEADER => Err(CompressFault::Header),
        Scheme::Xpress9 | Scheme::Scrubbed => Ok(None),
    }
}

fn scheme_of(bytes: &[u8]) -> Result<Scheme, CompressFault> {
    let header = *bytes.first().ok_or(CompressFault::Header)?;
    Scheme::from_header(header).ok_or(CompressFault::UnknownScheme(header >> 3))
}

/// Appends the uncompressed bytes to `into`: exactly `expected_len` of them when that is given, in
/// no case more than [`OUTPUT_MOST`] unless it is given.
///
/// # Errors
/// [`CompressFault`]; `into` is then as it was.
pub fn decompress(
    bytes: &[u8],
    expected_len: Option<usize>,
    into: &mut Vec<u8>,
) -> Result<(), CompressFault> {
    let scheme = scheme_of(bytes)?;
    let size = uncompressed_len(bytes)?;
    if let Scheme::Scrubbed = scheme {
        return Err(CompressFault::Scrubbed);
    }
    if let Some(got) = size {
        match expected_len {
            Some(expected) if expected != got => {
                return Err(CompressFault::Length { expected, got });
            }
            None if got > OUTPUT_MOST => return Err(CompressFault::TooLong(got)),
            _ => {}
        }
    }
    let (Some(size), false) = (size, scheme == Scheme::Xpress10) else {
        return Err(CompressFault::Unsupported { scheme, size });
    };
    let start = into.len();
    let done = match scheme {
        Scheme::SevenBitAscii => sevenbit::append_ascii(&bytes[1..], size, into),
        Scheme::SevenBitUnicode => sevenbit::append_unicode(&bytes[1..], size / 2, into),
        Scheme::Xpress => xpress::append(&bytes[SIZED_HEADER..], size, into),
        Scheme::Lz4 => lz4::append(&bytes[SIZED_HEADER..], size, into),
        _ => {
            into.extend_from_slice(&bytes[1..]);
            Some(())
        }
    };
    done.ok_or_else(|| {
        into.truncate(start);
        CompressFault::Corrupt { scheme }
    })
}

/// True for a chunk that maintenance has overwritten: scheme 4 and nothing but the fill characters
/// `l` and `L`. Such a chunk is legal only in a long value without references. [format notes 8.2]
#[must_use]
pub fn is_scrubbed(bytes: &[u8]) -> bool {
    bytes.split_first().is_some_and(|(header, rest)| {
        Scheme::from_header(*header) == Some(Scheme::Scrubbed)
            && rest.iter().all(|byte| matches!(byte, b'l' | b'L'))
    })
}
