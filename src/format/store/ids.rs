//! Ids of folders, messages and message instances. [store notes 1.5, 3]
//!
//! All of them are a counter of 48 bits that belongs to a replica. The classic store (to 2007) names
//! the replica with 16 bits ("replid"), Exchange 2013 and later with a GUID and the replid.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::super::bytes::all_zero;
use super::super::value::Guid;

/// Counters have 48 bits.
const COUNTER_MASK: u64 = (1 << 48) - 1;
/// Bytes of a GID: GUID and counter.
const GID: usize = 22;
/// Bytes of a `LongTermID`: GID and 2 zero bytes.
const LONG_TERM: usize = 24;
/// Bytes of an id in a column of Exchange 2013 and later: `LongTermID` and replid.
const WIDE: usize = 26;

/// The 8-byte id of the classic store; replids come first in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StoreId {
    /// Number of the replica in this database; 0 is none.
    pub replid: u16,
    /// The counter; only its lower 48 bits are stored.
    pub counter: u64,
}

impl StoreId {
    /// An id; bits of the counter above 48 are dropped.
    #[must_use]
    pub const fn new(replid: u16, counter: u64) -> Self {
        Self {
            replid,
            counter: counter & COUNTER_MASK,
        }
    }

    /// From a `Q` column of 8 bytes, which is big-endian so that it sorts [store notes 1.2]. That the
    /// replid stands first is inferred.
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 8]) -> Self {
        Self::from_u64(u64::from_be_bytes(bytes))
    }

    /// What a `Q` column of 8 bytes holds.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 8] {
        self.to_u64().to_be_bytes()
    }

    /// From a `Q` column of type CURRENCY. That the replid is in the upper 16 bits is inferred: so
    /// the number is the same in both kinds of columns.
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        Self::new((value >> 48) as u16, value)
    }

    /// What a `Q` column of type CURRENCY holds.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        (self.replid as u64) << 48 | self.counter & COUNTER_MASK
    }

    /// From the form of the open protocols, in which the replid is little-endian and the counter
    /// big-endian: `01 00 00 00 00 00 00 0d` is counter 0xD of replica 1. [store notes 1.5]
    #[must_use]
    pub const fn from_wire([low, high, counter @ ..]: [u8; 8]) -> Self {
        Self::new(u16::from_le_bytes([low, high]), counter_of(counter))
    }
}

const fn counter_of([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

const fn counter_bytes(counter: u64) -> [u8; 6] {
    let [_, _, a, b, c, d, e, f] = counter.to_be_bytes();
    [a, b, c, d, e, f]
}

impl fmt::Display for StoreId {
    /// Isinteg's form: `0001-0000000A6703`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}-{:012X}", self.replid, self.counter)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({self})")
    }
}

impl Serialize for StoreId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no id of the form {0}")]
pub struct NoId(&'static str);

/// The number that hexadecimal digits of either case mean; signs are none.
fn hex(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u64::from_str_radix(digits, 16).ok())?
}

impl FromStr for StoreId {
    type Err = NoId;

    /// Reads the form `0001-0000000A6703`: 4 and 12 digits of either case.
    fn from_str(text: &str) -> Result<Self, NoId> {
        text.split_once('-')
            .filter(|(replid, counter)| replid.len() == 4 && counter.len() == 12)
            .and_then(|(replid, counter)| {
                let replid = u16::try_from(hex(replid)?).ok()?;
                Some(Self::new(replid, hex(counter)?))
            })
            .ok_or(NoId("0001-0000000A6703"))
    }
}

/// The name of a folder's own table in the classic store: its id in hexadecimal without leading
/// zeros, as `1-5AB2`. [store notes 1.1; medium confidence]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(pub StoreId);

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}-{:X}", self.0.replid, self.0.counter)
    }
}

impl FromStr for TableName {
    type Err = NoId;

    /// Reads a table's name; digits may be of either case, as names of tables are.
    fn from_str(text: &str) -> Result<Self, NoId> {
        let number = |digits: &str, most: usize| {
            let plain = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
            hex(digits).filter(|_| plain && digits.len() <= most)
        };
        text.split_once('-')
            .and_then(|(replid, counter)| {
                let replid = u16::try_from(number(replid, 4)?).ok()?;
                Some(Self(StoreId::new(replid, number(counter, 12)?)))
            })
            .ok_or(NoId("1-5AB2"))
    }
}

/// Why bytes are no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdFault {
    /// Another length than an id of this kind has.
    #[error("an id has {want} bytes, not {have}")]
    Length {
        /// Bytes of such an id.
        want: usize,
        /// Bytes at hand.
        have: usize,
    },
    /// The 2 bytes behind the counter are not zero.
    #[error("the 2 bytes behind the counter are {0:#06x}, not zero")]
    Padding(u16),
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], IdFault> {
    bytes.try_into().map_err(|_| IdFault::Length {
        want: N,
        have: bytes.len(),
    })
}

/// A counter with the GUID of its replica: the global id. [store notes 1.5]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gid {
    /// The replica.
    pub guid: Guid,
    /// The counter; only its lower 48 bits are stored.
    pub counter: u64,
}

impl Gid {
    fn from_bytes(bytes: &[u8; GID]) -> Self {
        let mut guid = [0; 16];
        let mut counter = [0; 6];
        let (first, last) = bytes.split_at(guid.len());
        guid.copy_from_slice(first);
        counter.copy_from_slice(last);
        Self {
            guid: Guid(guid),
            counter: counter_of(counter),
        }
    }

    /// Reads a GID: GUID (16 bytes), counter (6, big-endian).
    ///
    /// # Errors
    /// [`IdFault::Length`] unless there are 22 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdFault> {
        exactly(bytes).map(Self::from_bytes)
    }

    /// Reads a `LongTermID`: a GID and 2 zero bytes.
    ///
    /// # Errors
    /// [`IdFault`] unless there are 24 bytes, the last two of them zero.
    pub fn parse_long_term(bytes: &[u8]) -> Result<Self, IdFault> {
        Self::from_long_term(exactly(bytes)?)
    }

    fn from_long_term(bytes: &[u8; LONG_TERM]) -> Result<Self, IdFault> {
        let [gid @ .., a, b] = bytes;
        match u16::from_be_bytes([*a, *b]) {
            0 => Ok(Self::from_bytes(gid)),
            other => Err(IdFault::Padding(other)),
        }
    }

    /// The 22 bytes of the id.
    #[must_use]
    pub fn to_bytes(self) -> [u8; GID] {
        let mut bytes = [0; GID];
        let (guid, counter) = bytes.split_at_mut(self.guid.0.len());
        guid.copy_from_slice(&self.guid.0);
        counter.copy_from_slice(&counter_bytes(self.counter));
        bytes
    }
}

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012X}@{}", self.counter, self.guid)
    }
}

/// The 26-byte id of folders and messages in Exchange 2013 and later: GUID (16 bytes), counter (6,
/// big-endian), 2 zero bytes, replid (2, little-endian). [store notes 3; inferred, fits every public
/// sample]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WideId {
    /// GUID of the replica, and counter.
    pub gid: Gid,
    /// Number of the replica in the mailbox.
    pub replid: u16,
}

impl WideId {
    /// What stands in place of an id where there is none: a root folder's parent. [store notes 3]
    pub const NONE: [u8; WIDE] = [0; WIDE];

    /// Reads an id; `None` for 26 zero bytes.
    ///
    /// # Errors
    /// [`IdFault`] when the length is another, or the 2 bytes behind the counter are not zero.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, IdFault> {
        let bytes: &[u8; WIDE] = exactly(bytes)?;
        if all_zero(bytes) {
            return Ok(None);
        }
        let [long_term @ .., a, b] = bytes;
        Ok(Some(Self {
            gid: Gid::from_long_term(long_term)?,
            replid: u16::from_le_bytes([*a, *b]),
        }))
    }

    /// The 26 bytes of the id.
    #[must_use]
    pub fn to_bytes(self) -> [u8; WIDE] {
        let mut bytes = Self::NONE;
        let (gid, rest) = bytes.split_at_mut(GID);
        gid.copy_from_slice(&self.gid.to_bytes());
        let (_, replid) = rest.split_at_mut(LONG_TERM - GID);
        replid.copy_from_slice(&self.replid.to_le_bytes());
        bytes
    }
}

impl fmt::Display for WideId {
    /// Replid, counter and GUID: `0001-00000000007A@fdc1e668-...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}-{}", self.replid, self.gid)
    }
}

impl Serialize for WideId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::batter;
    use super::{Gid, IdFault, StoreId, TableName, WideId};

    /// The public sample of the notes.
    const SAMPLE: [u8; 26] = [
        0x68, 0xE6, 0xC1, 0xFC, 0x8D, 0xDA, 0x73, 0x40, 0x98, 0xCF, 0xC1, 0x21, 0xB3, 0x37, 0x90,
        0xF3, 0, 0, 0, 0, 0, 0x7A, 0, 0, 1, 0,
    ];

    #[test]
    fn classic_ids() {
        let id: StoreId = "0001-0000000A6703".parse().expect("an id");
        assert_eq!((id.replid, id.counter), (1, 0xA6703));
        assert_eq!(id.to_string(), "0001-0000000A6703");
        assert_eq!(id.to_be_bytes(), [0, 1, 0, 0, 0, 0x0A, 0x67, 0x03]);
        assert_eq!(StoreId::from_be_bytes(id.to_be_bytes()), id);
        assert_eq!(StoreId::from_u64(id.to_u64()), id);
        assert_eq!(
            StoreId::from_wire([1, 0, 0, 0, 0, 0, 0, 0x0D]),
            StoreId::new(1, 0x0D)
        );
        let most = StoreId::new(u16::MAX, u64::MAX);
        assert_eq!(most.to_u64(), u64::MAX);
        assert_eq!(most.to_string().parse(), Ok(most));
        assert!(StoreId::new(1, 9) < StoreId::new(2, 0));
        for text in [
            "",
            "-",
            "1-23",
            "0001-0000000A670",
            "0001-0000000A67030",
            "+001-0000000A6703",
            "0001-+000000A6703",
            "0001-0000000A670G",
            "00ä-0000000A6703",
        ] {
            assert!(text.parse::<StoreId>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_tables() {
        for text in ["1-5AB2", "1-23", "FFFF-FFFFFFFFFFFF", "1-0"] {
            let name: TableName = text.parse().expect("a name");
            assert_eq!(name.to_string(), text);
        }
        assert_eq!("1-5ab2".parse(), Ok(TableName(StoreId::new(1, 0x5AB2))));
        for text in [
            "",
            "-",
            "1-",
            "-1",
            "01-5AB2",
            "1-05AB2",
            "1-5AB2-3",
            "1-+5",
            "10000-1",
            "1-1000000000000",
            "Msg",
            "1_23",
        ] {
            assert!(text.parse::<TableName>().is_err(), "{text}");
        }
    }

    #[test]
    fn wide_ids() {
        let id = WideId::parse(&SAMPLE).expect("sound").expect("not zero");
        assert_eq!((id.gid.counter, id.replid), (0x7A, 1));
        assert_eq!(
            id.to_string(),
            "0001-00000000007A@fcc1e668-da8d-4073-98cf-c121b33790f3"
        );
        assert_eq!(id.to_bytes(), SAMPLE);
        assert_eq!(WideId::parse(&WideId::NONE), Ok(None));
        let gid = Gid::parse(&SAMPLE[..22]).expect("sound");
        assert_eq!(gid, id.gid);
        assert_eq!(gid.to_bytes(), SAMPLE[..22]);
        assert_eq!(Gid::parse_long_term(&SAMPLE[..24]), Ok(gid));
        let (want, have) = (26, 24);
        assert_eq!(
            WideId::parse(&SAMPLE[..24]),
            Err(IdFault::Length { want, have })
        );
        let mut padded = SAMPLE;
        padded[23] = 7;
        assert_eq!(WideId::parse(&padded), Err(IdFault::Padding(7)));
        assert_eq!(
            Gid::parse_long_term(&padded[..24]),
            Err(IdFault::Padding(7))
        );
    }

    #[test]
    fn nothing_panics() {
        batter(&SAMPLE, |bytes| {
            if let Ok(Some(id)) = WideId::parse(bytes) {
                assert_eq!(id.to_bytes(), bytes);
            }
            let _ = (Gid::parse(bytes), Gid::parse_long_term(bytes));
            let text = String::from_utf8_lossy(bytes);
            let _ = (text.parse::<StoreId>(), text.parse::<TableName>());
        });
        batter(b"0001-0000000A6703", |bytes| {
            let text = String::from_utf8_lossy(bytes);
            if let Ok(id) = text.parse::<StoreId>() {
                assert!(id.to_string().eq_ignore_ascii_case(&text));
            }
            if let Ok(name) = text.parse::<TableName>() {
                assert!(name.to_string().eq_ignore_ascii_case(&text));
            }
        });
    }
}
