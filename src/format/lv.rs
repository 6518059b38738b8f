//! Long values: ids, keys and roots of the long value tree, and its chunks. [format notes chapter 8]
//!
//! ```text
//!            key                                   data
//! root       LID (4 or 8 bytes, big-endian)        references (4), size (4) [, flags (1)]
//! chunk      LID, byte offset (4, big-endian)      bytes, perhaps compressed
//! ```

use std::fmt;

use serde::Serialize;

use super::bytes::{u32_at, u64_at};
use super::compress::{CompressFault, decompress};
use super::ids::PageSize;
use super::page::Node;

/// Set in every 64-bit long value id. [format notes 8.1, verified]
const LID64_FLAG: u64 = 1 << 63;
/// Longest key of a long value node: LID64 and offset.
const KEY_MOST: usize = size_of::<u64>() + size_of::<u32>();
/// Bytes of a root without flags.
const ROOT_BYTES: usize = 8;
/// Bytes of a root with flags.
const ROOT2_BYTES: usize = 9;
const ROOT_ENCRYPTED: u8 = 1;

/// Long value id; never 0. 64-bit ids have the topmost bit set, which is how the two kinds of ids,
/// and with them 8-byte keys, are told apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Lid(u64);

impl Lid {
    /// Wraps a number; `None` for 0, which is no id.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// Reads the reference that a record holds instead of a separated value: 4 or 8 bytes,
    /// little-endian, and the width must agree with the id. `None` when it cannot be an id.
    /// [format notes 7.5, 8.1]
    #[must_use]
    pub fn from_record(bytes: &[u8]) -> Option<Self> {
        let lid = match bytes.len() {
            4 => Self(u32_at(bytes, 0)?.into()),
            8 => Self(u64_at(bytes, 0)?),
            _ => return None,
        };
        (lid.0 != 0 && lid.record_len() == bytes.len()).then_some(lid)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// True for a 64-bit id.
    #[must_use]
    pub const fn is_64(self) -> bool {
        self.0 & LID64_FLAG != 0
    }

    /// Bytes of the id in a record and in a key.
    #[must_use]
    pub const fn record_len(self) -> usize {
        if self.is_64() { 8 } else { 4 }
    }
}

impl fmt::Display for Lid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Lid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lid({:#x})", self.0)
    }
}

/// Which node of a long value a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LvPart {
    /// The root: reference count and size.
    Root,
    /// The chunk that starts at this (uncompressed) byte.
    Chunk(u32),
}

/// The key of a node in a long value tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LvKey {
    /// The long value.
    pub lid: Lid,
    /// Root or chunk.
    pub part: LvPart,
}

/// Why a node of a long value tree cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LvFault {
    /// The key is not 4, 8 or 12 bytes long. Engine: "LVKEY size mismatch: expected %d or %d bytes,
    /// got %d bytes".
    #[error("LVKEY size mismatch: expected 8 or 12 bytes, got {0} bytes")]
    KeySize(usize),
    /// The id is 0, or its width does not agree with the key's length. Engine: "lid == lidmin".
    #[error("invalid long value id {0:#x} in a key")]
    KeyLid(u64),
    /// The root's data is not 8 or 9 bytes long. Engine: "LVROOT data mismatch: expected %d bytes,
    /// got %d bytes".
    #[error("LVROOT data mismatch: expected 8 bytes, got {0} bytes")]
    RootSize(usize),
}

impl LvKey {
    /// Reads a key. An 8-byte key is a 64-bit root when its first bit is set, else a 32-bit chunk.
    /// [format notes 8.1, verified]
    ///
    /// # Errors
    /// [`LvFault`] when it is no key of a long value tree.
    pub fn parse(key: &[u8]) -> Result<Self, LvFault> {
        let is_64 = key.first().is_some_and(|first| first & 0x80 != 0);
        let (id, part) = match (key.len(), is_64) {
            (4, false) | (8, true) => (key, LvPart::Root),
            (8, false) => key
                .split_last_chunk::<4>()
                .map(|(id, offset)| (id, LvPart::Chunk(u32::from_be_bytes(*offset))))
                .ok_or(LvFault::KeySize(key.len()))?,
            (12, true) => key
                .split_last_chunk::<4>()
                .map(|(id, offset)| (id, LvPart::Chunk(u32::from_be_bytes(*offset))))
                .ok_or(LvFault::KeySize(key.len()))?,
            (4 | 12, _) => return Err(LvFault::KeyLid(big_endian(&key[..key.len().min(8)]))),
            (other, _) => return Err(LvFault::KeySize(other)),
        };
        let number = big_endian(id);
        let lid = Lid::new(number).ok_or(LvFault::KeyLid(number))?;
        Ok(Self { lid, part })
    }

    /// Reads the key of a node without allocating.
    ///
    /// # Errors
    /// As [`LvKey::parse`].
    pub fn of_node(node: &Node<'_>) -> Result<Self, LvFault> {
        let len = node.key_len();
        let mut buffer = [0; KEY_MOST];
        let key = buffer.get_mut(..len).ok_or(LvFault::KeySize(len))?;
        let (prefix, suffix) = key.split_at_mut(node.prefix.len());
        prefix.copy_from_slice(node.prefix);
        suffix.copy_from_slice(node.suffix);
        Self::parse(key)
    }

    /// Appends the key as the tree stores it.
    pub fn write(&self, into: &mut Vec<u8>) {
        let id = self.lid.get().to_be_bytes();
        into.extend_from_slice(&id[id.len() - self.lid.record_len()..]);
        if let LvPart::Chunk(offset) = self.part {
            into.extend_from_slice(&offset.to_be_bytes());
        }
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The data of a long value's root node. [format notes 8.1, verified for 8 bytes]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LvRoot {
    /// Number of records' references.
    pub references: u32,
    /// Uncompressed bytes.
    pub size: u32,
    /// The chunks are encrypted.
    pub encrypted: bool,
    /// The root is of the longer kind, which has flags.
    pub has_flags: bool,
}

impl LvRoot {
    /// Reference count of a long value that is being deleted.
    pub const BEING_DELETED: u32 = u32::MAX;

    /// Reads the root.
    ///
    /// # Errors
    /// [`LvFault::RootSize`] unless there are 8 or 9 bytes.
    pub fn parse(data: &[u8]) -> Result<Self, LvFault> {
        let fault = LvFault::RootSize(data.len());
        if !matches!(data.len(), ROOT_BYTES | ROOT2_BYTES) {
            return Err(fault);
        }
        Ok(Self {
            references: u32_at(data, 0).ok_or(fault)?,
            size: u32_at(data, 4).ok_or(fault)?,
            encrypted: data
                .get(ROOT_BYTES)
                .is_some_and(|flags| flags & ROOT_ENCRYPTED != 0),
            has_flags: data.len() == ROOT2_BYTES,
        })
    }

    /// The data of a new root. \[format notes 8.1\]
    #[must_use]
    pub fn bytes(references: u32, size: u32) -> [u8; ROOT_BYTES] {
        let mut data = [0; ROOT_BYTES];
        let (count, length) = data.split_at_mut(4);
        count.copy_from_slice(&references.to_le_bytes());
        length.copy_from_slice(&size.to_le_bytes());
        data
    }

    /// Puts another reference count into a root's data; what is too short for one stays as it is.
    pub fn set_references(data: &mut [u8], references: u32) {
        if let Some(count) = data.first_chunk_mut::<4>() {
            *count = references.to_le_bytes();
        }
    }

    /// True when no record refers to it any more: its chunks may be missing or scrubbed, and most
    /// checks do not apply. [format notes 13.6]
    #[must_use]
    pub const fn is_orphan(&self) -> bool {
        matches!(self.references, 0 | Self::BEING_DELETED)
    }

    /// Uncompressed bytes of the chunk at `offset`; `None` when there should be none.
    #[must_use]
    pub const fn chunk_len(&self, offset: u32, chunk: ChunkSize) -> Option<usize> {
        match self.size.checked_sub(offset) {
            None | Some(0) => None,
            Some(rest) if rest < chunk.0 => Some(rest as usize),
            Some(_) => Some(chunk.0 as usize),
        }
    }
}

/// Uncompressed bytes per chunk of a table's long values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ChunkSize(u32);

impl ChunkSize {
    /// What the page size implies, unless the table's `LVChunkMax` says otherwise (0 says nothing).
    /// [format notes 8.2; 8110 and 8150 verified]
    #[must_use]
    pub const fn new(page: PageSize, lv_chunk_max: Option<u32>) -> Self {
        match lv_chunk_max {
            None | Some(0) => Self(match page {
                PageSize::K2 => 1966,
                PageSize::K4 => 4014,
                PageSize::K8 => 8110,
                PageSize::K16 => 4050,
                PageSize::K32 => 8150,
            }),
            Some(size) => Self(size),
        }
    }

    /// The number of bytes; never 0.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Appends the `expected` uncompressed bytes of a chunk of a long value that is not encrypted. A
/// chunk is compressed when it is shorter than what it stands for, which is all that tells.
/// [format notes 8.2]
///
/// # Errors
/// [`CompressFault`]; `into` is then as it was.
pub fn append_chunk(
    stored: &[u8],
    expected: usize,
    into: &mut Vec<u8>,
) -> Result<(), CompressFault> {
    if stored.len() < expected {
        return decompress(stored, Some(expected), into);
    }
    if stored.len() > expected {
        return Err(CompressFault::Length {
            expected,
            got: stored.len(),
        });
    }
    into.extend_from_slice(stored);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ChunkSize, Lid, LvFault, LvKey, LvPart, LvRoot, append_chunk};
    use crate::format::ids::PageSize;

    #[test]
    fn keys_of_both_widths() {
        let cases: [(&[u8], u64, LvPart); 4] = [
            (&[0, 0, 0, 1], 1, LvPart::Root),
            (&[0, 0, 0, 1, 0, 0, 0x1F, 0xAE], 1, LvPart::Chunk(8110)),
            (
                &[0x80, 0, 0, 0, 0x80, 0, 0, 0x66],
                0x8000_0000_8000_0066,
                LvPart::Root,
            ),
            (
                &[0x80, 0, 0, 0, 0x80, 0, 0, 0x66, 0, 0, 0x0F, 0xD2],
                0x8000_0000_8000_0066,
                LvPart::Chunk(4050),
            ),
        ];
        for (bytes, lid, part) in cases {
            let key = LvKey::parse(bytes).expect("a key");
            assert_eq!((key.lid.get(), key.part), (lid, part));
            let mut written = Vec::new();
            key.write(&mut written);
            assert_eq!(written, bytes);
        }
    }

    #[test]
    fn what_is_no_key() {
        for len in [0, 1, 3, 5, 7, 9, 11, 13, 40] {
            assert_eq!(
                LvKey::parse(&vec![0x80; len]),
                Err(LvFault::KeySize(len)),
                "{len}"
            );
        }
        assert_eq!(LvKey::parse(&[0; 4]), Err(LvFault::KeyLid(0)));
        assert_eq!(LvKey::parse(&[0; 8]), Err(LvFault::KeyLid(0)));
        assert_eq!(LvKey::parse(&[0; 12]), Err(LvFault::KeyLid(0)));
        assert_eq!(
            LvKey::parse(&[0x80, 0, 0, 0]),
            Err(LvFault::KeyLid(0x8000_0000))
        );
    }

    #[test]
    fn ids_in_records_are_little_endian() {
        assert_eq!(Lid::from_record(&[1, 2, 0, 0]), Lid::new(0x201));
        let wide = 0x8000_0000_8000_0034_u64;
        assert_eq!(Lid::from_record(&wide.to_le_bytes()), Lid::new(wide));
        assert_eq!(Lid::from_record(&[0; 4]), None);
        assert_eq!(
            Lid::from_record(&1_u64.to_le_bytes()),
            None,
            "a narrow id in a wide place"
        );
        assert_eq!(Lid::from_record(&[1, 2, 3]), None);
    }

    #[test]
    fn roots_and_chunk_lengths() {
        let root = LvRoot::parse(&[1, 0, 0, 0, 0x0E, 0x10, 0, 0]).expect("a root");
        assert_eq!(
            (root.references, root.size, root.encrypted),
            (1, 4110, false)
        );
        let chunk = ChunkSize::new(PageSize::K4, None);
        assert_eq!(root.chunk_len(0, chunk), Some(4014));
        assert_eq!(root.chunk_len(4014, chunk), Some(96));
        assert_eq!(root.chunk_len(4110, chunk), None);
        assert_eq!(root.chunk_len(u32::MAX, chunk), None);
        assert_eq!(ChunkSize::new(PageSize::K4, Some(1000)).get(), 1000);
        let long = LvRoot::parse(&[0, 0, 0, 0, 1, 0, 0, 0, 1]).expect("a root with flags");
        assert!(long.encrypted && long.has_flags && long.is_orphan());
        assert_eq!(LvRoot::parse(&[0; 7]), Err(LvFault::RootSize(7)));
    }

    #[test]
    fn a_raw_chunk_is_as_long_as_expected() {
        let mut value = b"ab".to_vec();
        append_chunk(b"cd", 2, &mut value).expect("raw");
        assert_eq!(value, b"abcd");
        assert!(append_chunk(b"cde", 2, &mut value).is_err());
        append_chunk(
            &[0x0F, 0xE1, 0x70, 0x38, 0x1C, 0x0E, 0x87, 0xC3],
            8 + 1,
            &mut value,
        )
        .expect_err("8 characters are not 9");
        assert_eq!(value, b"abcd");
    }
}
