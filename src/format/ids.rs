//! The field's numbers as types: page numbers, object ids, database times, generations, page sizes.

use std::fmt;

use binrw::binrw;
use serde::{Deserialize, Serialize};

/// Number of header pages before page 1: the header and its shadow.
/// [verified: every corpus database]
pub const HEADER_PAGES: u64 = 2;

/// A logical page number: 1 is the first page after the two header pages, 0 is "none".
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Pgno(u32);

impl Pgno {
    /// The null page number.
    pub const NULL: Self = Self(0);
    /// The largest legal page number. [engine: page numbers are signed in places]
    pub const MAX: Self = Self(0x7FEF_FFFF);

    /// Wraps a number read from a file; it may be out of range.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// True for 0.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Byte offset of this page in the file. Only this function knows of the two header pages.
    #[must_use]
    pub const fn offset(self, size: PageSize) -> u64 {
        (self.0 as u64 + HEADER_PAGES - 1) * size.bytes() as u64
    }

    /// Position of this page counted from the start of the file, header pages included.
    #[must_use]
    pub const fn physical(self) -> u64 {
        self.0 as u64 + HEADER_PAGES - 1
    }

    /// The next page number, saturating.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Pgno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Pgno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pgno({})", self.0)
    }
}

/// Object id: one per B+ tree (`objidFDP`).
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Objid(u32);

impl Objid {
    /// The database root itself.
    pub const SYSTEM_ROOT: Self = Self(1);
    /// The catalog, `MSysObjects`.
    pub const CATALOG: Self = Self(2);
    /// The catalog's copy, `MSysObjectsShadow`.
    pub const CATALOG_SHADOW: Self = Self(3);

    /// Wraps a number read from a file.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Objid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Objid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objid({})", self.0)
    }
}

/// The database's logical clock: it grows with every page change.
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct DbTime(u64);

impl DbTime {
    /// Zero: never changed.
    pub const ZERO: Self = Self(0);
    /// On a page that a cut of the file removed and that came back: no record from before is for it.
    pub const SHRUNK: Self = Self(0xFFFF_FFFF_FFFF_FFFD);

    /// Wraps a value read from a file.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The bare value.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The markers of pages that were shrunk away or reverted (0xFF..FB to 0xFF..FD); they are above
    /// every real time and must not be compared with the header's. [engine source]
    #[must_use]
    pub const fn is_special(self) -> bool {
        self.0 >= 0xFFFF_FFFF_FFFF_FFFB
    }
}

impl fmt::Debug for DbTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DbTime({:#x})", self.0)
    }
}

/// A log generation number; 0 is "none".
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u32);

impl Generation {
    /// Wraps a number read from a file.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The generation that follows, saturating.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({:#x})", self.0)
    }
}

/// The five page sizes that a database may have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PageSize {
    /// 2048 bytes: up to Windows 8.1 only; the current engine no longer opens it.
    K2,
    /// 4096 bytes: Exchange 5.5 to 2003, many Windows databases; what a zero in the header means.
    K4,
    /// 8192 bytes: Exchange 2007, Active Directory.
    K8,
    /// 16384 bytes.
    K16,
    /// 32768 bytes: Exchange 2010 and later.
    K32,
}

impl PageSize {
    /// All sizes, small to large: the order in which a header is probed.
    pub const ALL: [Self; 5] = [Self::K2, Self::K4, Self::K8, Self::K16, Self::K32];
    /// The largest size in bytes.
    pub const MAX_BYTES: usize = 32768;

    /// From the header's field at 236; a zero means 4096.
    #[must_use]
    pub const fn from_header(bytes: u32) -> Option<Self> {
        match bytes {
            2048 => Some(Self::K2),
            0 | 4096 => Some(Self::K4),
            8192 => Some(Self::K8),
            16384 => Some(Self::K16),
            32768 => Some(Self::K32),
            _ => None,
        }
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::K2 => 2048,
            Self::K4 => 4096,
            Self::K8 => 8192,
            Self::K16 => 16384,
            Self::K32 => 32768,
        }
    }

    /// The size as the header stores it.
    #[must_use]
    pub const fn header_value(self) -> u32 {
        match self {
            Self::K2 => 2048,
            Self::K4 => 4096,
            Self::K8 => 8192,
            Self::K16 => 16384,
            Self::K32 => 32768,
        }
    }

    /// 16 and 32 KiB pages: 80-byte headers, 15-bit tags, node flags in the node, four checksum
    /// blocks. It depends on the size alone, not on the revision. [verified: rev 9 to 300]
    #[must_use]
    pub const fn is_large(self) -> bool {
        matches!(self, Self::K16 | Self::K32)
    }

    /// Bytes of the page header.
    #[must_use]
    pub const fn page_header(self) -> usize {
        if self.is_large() { 80 } else { 40 }
    }

    /// Bytes of one checksum block: the page itself, or a quarter of a large page.
    #[must_use]
    pub const fn checksum_block(self) -> usize {
        if self.is_large() {
            self.bytes() / 4
        } else {
            self.bytes()
        }
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
    }
}

impl Serialize for PageSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.header_value())
    }
}

impl<'de> Deserialize<'de> for PageSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = u32::deserialize(deserializer)?;
        Self::from_header(bytes).ok_or_else(|| serde::de::Error::custom("not a page size"))
    }
}

#[cfg(test)]
mod tests {
    use super::{PageSize, Pgno};

    #[test]
    fn page_one_follows_the_two_headers() {
        assert_eq!(Pgno::new(1).offset(PageSize::K4), 8192);
        assert_eq!(Pgno::new(1).offset(PageSize::K32), 65536);
        assert_eq!(
            Pgno::new(u32::MAX).offset(PageSize::K32),
            0x1_0000_0000 << 15
        );
    }

    #[test]
    fn sizes_round_trip() {
        for size in PageSize::ALL {
            assert_eq!(PageSize::from_header(size.header_value()), Some(size));
            assert_eq!(size.header_value() as usize, size.bytes());
        }
        assert_eq!(PageSize::from_header(0), Some(PageSize::K4));
        assert_eq!(PageSize::from_header(12288), None);
    }
}
