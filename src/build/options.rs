//! How a database is to be made: page size, format, identity, state.

use crate::format::dbheader::DbState;
use crate::format::ids::{Generation, PageSize};
use crate::format::stamp::{LogTime, Signature};
use crate::format::version::{DbFormat, NEWEST};

/// Formats after 0x620,20: update major, update minor, engine version. [format notes 12.2]
const HISTORY: [(u32, u32, u32); 24] = [
    (30, 40, 8960),
    (40, 60, 8980),
    (50, 100, 9020),
    (60, 140, 9060),
    (70, 160, 9080),
    (80, 180, 9100),
    (90, 200, 9120),
    (100, 220, 9160),
    (110, 240, 9180),
    (120, 260, 9200),
    (130, 280, 9220),
    (140, 300, 9240),
    (150, 320, 9260),
    (160, 360, 9320),
    (170, 380, 9340),
    (180, 400, 9360),
    (190, 420, 9380),
    (200, 440, 9400),
    (210, 460, 9420),
    (230, 500, 9500),
    (250, 520, 9520),
    (260, 540, 9540),
    (270, 560, 9560),
    (280, 580, 9580),
];
/// The oldest format that is built: from it on, rows have the tagged layout of the format notes 7.5.
const OLDEST: u32 = 9;
/// The last format that knows 2 KiB pages here. [format notes 1.1: early engines only]
const LAST_WITH_2K: u32 = 20;
/// The first format with 8-byte long value ids. [format notes 8.1]
const LID64_SINCE: u32 = 70;

/// The format with an update major, if it is one that can be built.
#[must_use]
pub fn format_of(major: u32) -> Option<DbFormat> {
    if (OLDEST..=20).contains(&major) {
        return Some(DbFormat {
            major,
            minor: 0,
            engine: 0,
        });
    }
    if major == NEWEST.major {
        return Some(NEWEST);
    }
    let known = HISTORY.iter().find(|known| known.0 == major)?;
    Some(DbFormat {
        major,
        minor: known.1,
        engine: known.2,
    })
}

/// The Windows version that wrote databases of a format: major, minor, build, service pack.
pub(super) const fn os_version(major: u32) -> [u32; 4] {
    match major {
        0..0xC => [5, 2, 3790, 2],
        0xC..0x11 => [6, 0, 6002, 2],
        0x11..0x14 => [6, 1, 7601, 1],
        0x14 => [10, 0, 14393, 0],
        _ => [10, 0, 26100, 0],
    }
}

/// How a database is to be made. The same options and rows give the same bytes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Page size.
    pub page_size: PageSize,
    /// Format; see [`format_of`].
    pub format: DbFormat,
    /// Time of everything.
    pub time: LogTime,
    /// Identity of the database.
    pub sign_db: Signature,
    /// Identity of its log stream; all zero for none.
    pub sign_log: Signature,
    /// State to write into the header.
    pub state: DbState,
    /// First and last log generation that recovery needs; for a dirty database.
    pub required: (Generation, Generation),
    /// Least number of pages.
    pub least_pages: u32,
    /// Free pages to leave at the end.
    pub spare_pages: u32,
    /// Long value ids of 8 bytes.
    pub lid64: bool,
}

impl Options {
    /// A clean database; `seed` stands for everything that is random.
    #[must_use]
    pub const fn new(page_size: PageSize, format: DbFormat, seed: u32) -> Self {
        let time = LogTime::utc((2026, 1, 2), (3, 4, 5), 0);
        Self {
            page_size,
            format,
            time,
            sign_db: Signature {
                random: scramble(seed),
                created: time,
                computer: [0; 16],
            },
            sign_log: Signature {
                random: scramble(!seed),
                created: time,
                computer: [0; 16],
            },
            state: DbState::CleanShutdown,
            required: (Generation::new(0), Generation::new(0)),
            // The minimum of newer engines. [format notes 5.9]
            least_pages: 30,
            spare_pages: 0,
            lid64: false,
        }
    }

    /// What the format does not allow.
    pub(super) const fn fault(&self) -> Option<&'static str> {
        let major = self.format.major;
        if major < OLDEST {
            Some("older than 0x620,9")
        } else if matches!(self.page_size, PageSize::K2) && major > LAST_WITH_2K {
            Some("2 KiB pages after 0x620,20")
        } else if self.lid64 && major < LID64_SINCE {
            Some("8-byte long value ids before 0x620,70")
        } else {
            None
        }
    }
}

/// Some other number for each number (the finalizer of a well-known hash).
const fn scramble(seed: u32) -> u32 {
    let mixed = (seed ^ (seed >> 16)).wrapping_mul(0x85EB_CA6B);
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE35);
    mixed ^ (mixed >> 16)
}
