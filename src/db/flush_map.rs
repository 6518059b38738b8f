//! Lost writes: what the flush map beside a database remembers of each page's last write.
//! [format notes 11.2]

use std::path::{Path, PathBuf};

use super::Database;
use crate::format::flushmap::{self, FlushMapHeader, PGNOS_PER_PAGE};
use crate::format::ids::Pgno;
use crate::format::page::Page;
use crate::storage::{Disk as _, FileStorage, Pages, RealDisk, Storage};

/// A flush map in memory: two bits a page.
#[derive(Debug)]
pub struct FlushMap {
    data_pages: Vec<Vec<u8>>,
}

impl FlushMap {
    /// Reads a flush map if it belongs to the database and was closed in order; any other is of no
    /// use, because it speaks of other writes. [format notes 11.2]
    #[must_use]
    pub fn read(storage: &dyn Storage, db: &Database) -> Option<Self> {
        let header_page = storage.read_start(flushmap::PAGE.bytes()).ok()?;
        let header = FlushMapHeader::parse(&header_page).ok()?;
        let (stored, computed) = flushmap::header_sums(&header_page);
        let ours = header.sign_flush_map == db.header().sign_flush_map;
        if stored != computed || !ours || !header.sign_flush_map.is_set() || !header.is_clean() {
            return None;
        }
        let pages = Pages::new(storage, flushmap::PAGE);
        let wanted = u64::from(db.last_page().get() / PGNOS_PER_PAGE) + 1;
        let count = pages.count().ok()?.0.saturating_sub(1).min(wanted);
        let data_pages = (0..count)
            .map(|number| {
                let mut page = vec![0; flushmap::PAGE.bytes()];
                let read = pages.read_physical(number + 1, &mut page);
                let good =
                    read.is_ok() && flushmap::verify_data_page(&page, number as u32).is_usable();
                if good { page } else { Vec::new() }
            })
            .collect();
        Some(Self { data_pages })
    }

    /// The flush type that a page must have; 0 when the map does not know.
    #[must_use]
    pub fn flush_type(&self, pgno: Pgno) -> u8 {
        let page = self.data_pages.get((pgno.get() / PGNOS_PER_PAGE) as usize);
        page.and_then(|page| flushmap::flush_type(page, pgno.get() % PGNOS_PER_PAGE))
            .unwrap_or(0)
    }

    /// True when the page is not what was last written: that write was lost.
    #[must_use]
    pub fn lost(&self, pgno: Pgno, page: Page<'_>) -> bool {
        match self.flush_type(pgno) {
            0 => false,
            known => page.flags().flush_type() != known,
        }
    }

    /// The map beside the database, if there is one that belongs to it; where a link leads to the database, beside what it
    /// leads to.
    #[must_use]
    pub fn beside(db: &Database) -> Option<Self> {
        let at = |path: &Path| {
            let file = FileStorage::open(path).ok()?;
            Self::read(&file, db)
        };
        at(&Self::path_beside(db)).or_else(|| {
            let real = RealDisk.canonical(db.path()).ok()?;
            at(&real.with_extension("jfm"))
        })
    }

    /// Where the map of a database lies.
    #[must_use]
    pub fn path_beside(db: &Database) -> PathBuf {
        db.path().with_extension("jfm")
    }
}
