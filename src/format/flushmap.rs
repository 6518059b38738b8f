//! The flush map file (`.jfm`): header and data pages. [format notes 11.2, verified]

use std::io::Cursor;

use binrw::{BinRead as _, binrw};
use serde::Serialize;

use super::bytes::{Truncated, u32_at};
use super::checksum::{self, PageSums, Verdict};
use super::ids::{Generation, PageSize, Pgno};
use super::stamp::{LogTime, Signature};

/// Pages of a flush map are always of this size.
pub const PAGE: PageSize = PageSize::K8;
/// Database pages that one data page speaks of: (8192 - 64) * 4.
pub const PGNOS_PER_PAGE: u32 = 32512;
/// Bytes of a data page before its bitmap.
const BITMAP_OFFSET: usize = 64;
/// Bytes of the header with a meaning.
const FIELDS_END: usize = 671;

/// The header of a flush map.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlushMapHeader {
    /// 0: header checksum.
    pub checksum: u32,
    /// 4: version, three numbers; 3.0.0 in every file seen.
    pub version: [u32; 3],
    /// 16.
    #[serde(skip)]
    pub reserved: [u8; 20],
    /// 36: 1 clean, 0x2000 new checksum format.
    pub flags: u32,
    /// 40.
    pub created: LogTime,
    /// 48.
    pub attached: LogTime,
    /// 56.
    pub detached: LogTime,
    /// 64.
    pub required_low: Generation,
    /// 68.
    pub required_low_next: Generation,
    /// 72.
    pub flush_started: LogTime,
    /// 80.
    pub flush_completed: LogTime,
    /// 88: of the database's header, one write behind it while clean.
    pub sign_header_flush: Signature,
    /// 116: equals the database's field at 612 while the two belong together.
    pub sign_flush_map: Signature,
    /// 667, after 523 unused bytes: 7.
    #[brw(pad_before = 523)]
    pub filetype: u32,
}

impl FlushMapHeader {
    /// Reads the fields without judging them.
    ///
    /// # Errors
    /// [`Truncated`] when the page is shorter than the fields.
    pub fn parse(page: &[u8]) -> Result<Self, Truncated> {
        let short = |_| Truncated {
            what: "flush map header",
            offset: 0,
            need: FIELDS_END,
            have: page.len(),
        };
        Self::read(&mut Cursor::new(page)).map_err(short)
    }

    /// True when the map was closed in order and can be trusted.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.flags & 1 != 0
    }

    /// True when the header has the new checksum format.
    #[must_use]
    pub const fn has_new_checksum(&self) -> bool {
        self.flags & checksum::NEW_FORMAT_FLAG != 0
    }
}

/// Stored and computed checksum of the header page (8192 bytes).
#[must_use]
pub fn header_sums(page: &[u8]) -> (u64, u64) {
    if checksum::is_new_format(page) {
        let PageSums { stored, computed } = checksum::page_sums(page, PAGE, Pgno::NULL);
        return (stored[0], computed[0]);
    }
    (
        u64::from(u32_at(page, 0).unwrap_or_default()),
        u64::from(checksum::header_sum(page)),
    )
}

/// Judges data page `number` (0 is the first after the header).
#[must_use]
pub fn verify_data_page(page: &[u8], number: u32) -> Verdict {
    checksum::verify(page, PAGE, Pgno::new(number))
}

/// The flush type that a data page remembers for the `index`th page it speaks of: 0 unknown, else 1
/// to 3. Two bits a page, the most significant pair of each byte first.
#[must_use]
pub fn flush_type(data_page: &[u8], index: u32) -> Option<u8> {
    let byte = data_page.get(BITMAP_OFFSET + index as usize / 4)?;
    Some(byte >> (6 - 2 * (index % 4)) & 3)
}
