//! Lost writes: what the flush map beside a database remembers of each page's last write.
//! [format notes 11.2]

use std::path::Path;

use crate::db::Database;
use crate::format::checksum::Verdict;
use crate::format::flushmap::{self, FlushMapHeader, PGNOS_PER_PAGE};
use crate::format::ids::Pgno;
use crate::format::page::Page;
use crate::storage::{FileStorage, Pages};

/// The flush types of a database's pages.
pub(super) struct FlushStates {
    /// Data pages; `None` where one cannot be trusted.
    pages: Vec<Option<Vec<u8>>>,
}

impl FlushStates {
    /// The map beside the database, if there is one that belongs to it and was closed in order.
    pub fn beside(db: &Database) -> Option<Self> {
        let path = db.path().with_extension("jfm");
        let mut states = Self::read(&path, db)?;
        states.pages.shrink_to_fit();
        Some(states)
    }

    fn read(path: &Path, db: &Database) -> Option<Self> {
        let file = FileStorage::open(path).ok()?;
        let pages = Pages::new(&file, flushmap::PAGE);
        let mut buffer = vec![0; flushmap::PAGE.bytes()];
        pages.read_physical(0, &mut buffer).ok()?;
        let (stored, computed) = flushmap::header_sums(&buffer);
        let header = FlushMapHeader::parse(&buffer).ok()?;
        let belongs = header.sign_flush_map == db.header().sign_flush_map;
        if stored != computed || !header.is_clean() || !belongs {
            return None;
        }
        let needed = db.last_page().get() / PGNOS_PER_PAGE + 1;
        let mut page = |number: u32| {
            pages
                .read_physical(u64::from(number) + 1, &mut buffer)
                .ok()?;
            let good = flushmap::verify_data_page(&buffer, number) == Verdict::Good;
            good.then(|| buffer.clone())
        };
        Some(Self {
            pages: (0..needed).map(&mut page).collect(),
        })
    }

    /// True when the page is not what was last written.
    pub fn lost(&self, pgno: Pgno, page: Page<'_>) -> bool {
        let number = (pgno.get() / PGNOS_PER_PAGE) as usize;
        let Some(data) = self.pages.get(number).and_then(Option::as_deref) else {
            return false;
        };
        match flushmap::flush_type(data, pgno.get() % PGNOS_PER_PAGE) {
            None | Some(0) => false,
            Some(known) => page.flags().flush_type() != known,
        }
    }
}
