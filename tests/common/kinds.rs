//! Kinds of databases and logs that the live writer makes for tests.

#![allow(dead_code, reason = "no test binary uses all of it")]

use exutil::build::live::LiveOptions;
use exutil::build::logs::LogFormat;
use exutil::format::ids::PageSize;

/// One kind of database and log.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub page_size: PageSize,
    pub major: u32,
    pub format: LogFormat,
    pub version: (u32, u32),
    pub digits: usize,
}

const fn old(page_size: PageSize, major: u32, sector: u16, update: u32, digits: usize) -> Kind {
    let format = LogFormat::Ranges { sector };
    Kind {
        page_size,
        major,
        format,
        version: (update, 0),
        digits,
    }
}

const fn new(page_size: PageSize, major: u32, version: (u32, u32), digits: usize) -> Kind {
    Kind {
        page_size,
        major,
        format: LogFormat::Segments,
        version,
        digits,
    }
}

/// Logs without page images.
pub const WITHOUT_IMAGES: [Kind; 6] = [
    old(PageSize::K4, 9, 512, 6, 5),
    old(PageSize::K2, 9, 512, 6, 5),
    old(PageSize::K8, 0xC, 512, 7, 5),
    old(PageSize::K4, 0xC, 4096, 9, 8),
    old(PageSize::K8, 0x11, 4096, 10, 8),
    old(PageSize::K32, 0x11, 4096, 10, 5),
];
/// Logs with page images.
pub const WITH_IMAGES: [Kind; 10] = [
    old(PageSize::K4, 0x11, 512, 11, 5),
    old(PageSize::K16, 20, 4096, 12, 8),
    old(PageSize::K8, 20, 4096, 15, 5),
    old(PageSize::K2, 20, 512, 17, 8),
    new(PageSize::K2, 20, (2, 2), 5),
    new(PageSize::K4, 20, (4, 4), 8),
    new(PageSize::K8, 20, (5, 16), 5),
    new(PageSize::K8, 290, (130, 280), 8),
    new(PageSize::K16, 290, (130, 280), 5),
    new(PageSize::K32, 290, (4, 4), 8),
];

impl Kind {
    /// What the writer is to be like: log files of `least` bytes at least, and of five pages.
    pub fn live_options(self, least: usize, seed: u64) -> LiveOptions {
        let bytes = (self.page_size.bytes() * 5).max(least);
        let sector = match self.format {
            LogFormat::Ranges { sector } => usize::from(sector),
            LogFormat::Segments => 4096,
        };
        LiveOptions {
            format: self.format,
            version: self.version,
            digits: self.digits,
            file_sectors: (bytes / sector) as u16,
            seed,
        }
    }
}
