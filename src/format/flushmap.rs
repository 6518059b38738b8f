//! The flush map file (`.jfm`): header and data pages. [format notes 11.2, verified]

use std::io::Cursor;

use binrw::{BinRead as _, BinWrite as _, binrw};
use serde::Serialize;

use super::bytes::{Truncated, u32_at};
use super::checksum::{self, PageSums, Verdict};
use super::ids::{DbTime, Generation, PageSize, Pgno};
use super::stamp::{LogTime, Signature};

/// Pages of a flush map are always of this size.
pub const PAGE: PageSize = PageSize::K8;
/// Database pages that one data page speaks of: (8192 - 64) * 4.
pub const PGNOS_PER_PAGE: u32 = 32512;
/// Bytes of a data page before its bitmap.
const BITMAP_OFFSET: usize = 64;
/// Bytes of the header with a meaning.
const FIELDS_END: usize = 671;
/// Flag of a map that was closed in order.
const CLEAN: u32 = 1;
/// File type of a flush map.
const FILE_TYPE: u32 = 7;
/// Version of every file seen.
const VERSION: [u32; 3] = [3, 0, 0];
/// Where a data page has the highest database time, its number and its flags. [format notes 11.2]
const DBTIME_OFFSET: usize = 8;
const NUMBER_OFFSET: usize = 16;
const FLAGS_OFFSET: usize = 36;

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

    /// The header of a new map that was closed in order, as the engine leaves it beside a new database. [verified:
    /// post-d of clean-4k]
    #[must_use]
    pub fn new(sign_header_flush: Signature, sign_flush_map: Signature, now: LogTime) -> Self {
        Self {
            checksum: 0,
            version: VERSION,
            reserved: [0; 20],
            flags: CLEAN,
            created: now,
            attached: now,
            detached: now,
            required_low: Generation::default(),
            required_low_next: Generation::default(),
            flush_started: now,
            flush_completed: now,
            sign_header_flush,
            sign_flush_map,
            filetype: FILE_TYPE,
        }
    }

    /// The header's page, sealed. Its checksum is of the old kind, as in every file seen.
    #[must_use]
    pub fn page(&self) -> Vec<u8> {
        let mut fields = Cursor::new(Vec::with_capacity(FIELDS_END));
        self.write(&mut fields).expect("a Vec takes every byte");
        let mut page = fields.into_inner();
        page.resize(PAGE.bytes(), 0);
        checksum::seal_header(&mut page);
        page
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

/// Data page `number` of a map, sealed: the flush type of each page that it speaks of, from `number` times
/// [`PGNOS_PER_PAGE`] on, and a database time that none of them exceeds.
#[must_use]
pub fn data_page(number: u32, dbtime: DbTime, kind: impl Fn(u32) -> u8) -> Vec<u8> {
    let mut page = vec![0; PAGE.bytes()];
    page[DBTIME_OFFSET..][..8].copy_from_slice(&dbtime.get().to_le_bytes());
    page[NUMBER_OFFSET..][..4].copy_from_slice(&number.to_le_bytes());
    page[FLAGS_OFFSET..][..4].copy_from_slice(&checksum::NEW_FORMAT_FLAG.to_le_bytes());
    for index in 0..PGNOS_PER_PAGE {
        let bits = kind(number * PGNOS_PER_PAGE + index) & 3;
        page[BITMAP_OFFSET + index as usize / 4] |= bits << (6 - 2 * (index % 4));
    }
    checksum::seal(&mut page, PAGE, Pgno::new(number));
    page
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
