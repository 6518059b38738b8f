//! `replPropertyMetaData`: when each attribute of a directory object was changed, where, and under
//! which local USN. [directory rules 16; measured on two databases]
//!
//! ```text
//! 0   u32 version 1 (that it is 32 bits wide is inferred; the 4 bytes behind it are not looked at)
//! 8   u32 count
//! 16  count times 48 bytes: 0 attribute id (u32), 40 local USN (i64)
//! ```

use super::super::bytes::{u32_at, u64_at};

const HEADER: usize = 16;
const ENTRY: usize = 48;
const LOCAL_USN: usize = 40;

/// What is wrong with a vector of replication metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplFault {
    /// There are fewer bytes than a header has.
    #[error("its header is cut off, {0} bytes are there")]
    Header(usize),
    /// The version is not 1.
    #[error("its version is {0}")]
    Version(u32),
    /// Its length is not what its count asks for.
    #[error("{count} entries do not take {len} bytes")]
    Length {
        /// The stored count.
        count: u32,
        /// Bytes at hand.
        len: usize,
    },
}

/// A sound vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplMetaData {
    /// Entries, one an attribute.
    pub count: u32,
    /// The highest local USN, which is to be the object's uSNChanged; `None` without entries.
    pub highest_usn: Option<i64>,
    /// Attribute ids ascend, none twice, as signed or as unsigned numbers: of ids from 0x80000000 on
    /// none was ever seen.
    pub ascending: bool,
}

/// Reads a vector.
///
/// # Errors
/// [`ReplFault`].
pub fn parse(bytes: &[u8]) -> Result<ReplMetaData, ReplFault> {
    let len = bytes.len();
    let header = ReplFault::Header(len);
    let body = bytes.get(HEADER..).ok_or(header)?;
    let version = u32_at(bytes, 0).ok_or(header)?;
    if version != 1 {
        return Err(ReplFault::Version(version));
    }
    let count = u32_at(bytes, 8).ok_or(header)?;
    let (entries, rest) = body.as_chunks::<ENTRY>();
    if u32::try_from(entries.len()) != Ok(count) || !rest.is_empty() {
        return Err(ReplFault::Length { count, len });
    }
    let id = |entry: &[u8; ENTRY]| u32_at(entry, 0).unwrap_or(0);
    let usn = |entry: &[u8; ENTRY]| u64_at(entry, LOCAL_USN).map(u64::cast_signed);
    Ok(ReplMetaData {
        count,
        highest_usn: entries.iter().filter_map(usn).max(),
        ascending: entries.is_sorted_by(|a, b| id(a) < id(b))
            || entries.is_sorted_by(|a, b| id(a).cast_signed() < id(b).cast_signed()),
    })
}

/// Writes a vector of (attribute id, local USN), for tests; all else in its entries is zero.
#[must_use]
pub fn write(entries: &[(u32, i64)]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![0; HEADER + ENTRY * entries.len()];
    let (header, body) = bytes.split_at_mut(HEADER);
    header[..4].copy_from_slice(&1_u32.to_le_bytes());
    header[8..12].copy_from_slice(&count.to_le_bytes());
    for ((id, usn), entry) in entries.iter().zip(body.as_chunks_mut::<ENTRY>().0) {
        entry[..4].copy_from_slice(&id.to_le_bytes());
        entry[LOCAL_USN..].copy_from_slice(&usn.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::testing::batter;
    use super::{ReplFault, ReplMetaData, parse, write};

    #[test]
    fn what_is_written_is_read_back() {
        let cases = [
            (&[][..], None, true),
            (&[(0, 5), (3, 9), (0x9_0001, 7)], Some(9), true),
            (&[(3, 5), (0, -1)], Some(5), false),
            (&[(3, -5), (3, -6)], Some(-5), false),
            (&[(0x8000_0001, 1), (3, 1)], Some(1), true),
        ];
        for (entries, highest_usn, ascending) in cases {
            let found = parse(&write(entries)).expect("sound");
            let count = u32::try_from(entries.len()).expect("few");
            assert_eq!(
                found,
                ReplMetaData {
                    count,
                    highest_usn,
                    ascending
                }
            );
        }
    }

    #[test]
    fn each_fault() {
        let bytes = write(&[(0, 5), (3, 9)]);
        assert_eq!(parse(&bytes[..15]), Err(ReplFault::Header(15)));
        let (count, len) = (2, bytes.len() - 1);
        assert_eq!(parse(&bytes[..len]), Err(ReplFault::Length { count, len }));
        let mut changed = bytes.clone();
        changed[8] = 3;
        let (count, len) = (3, bytes.len());
        assert_eq!(parse(&changed), Err(ReplFault::Length { count, len }));
        changed[0] = 2;
        assert_eq!(parse(&changed), Err(ReplFault::Version(2)));
    }

    #[test]
    fn nothing_panics() {
        batter(&write(&[(0, 5), (3, 9)]), |bytes| {
            let _ = parse(bytes);
        });
    }
}
