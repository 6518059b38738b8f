//! The first pass: every page once, in the order of the file, by all processors.

use std::sync::{Mutex, PoisonError};

use crate::db::flush_map::FlushMap;
use crate::db::{Database, PageError, ReadBuffer};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::page::{Page, PageFlags};
use crate::format::trailer::Trailer;
use crate::progress::{Progress, Task};

use super::inventory::{Inventory, PageState, PageVerdict};

/// Bytes that a worker reads at once, as in the checksum scan.
const CHUNK_BYTES: usize = 256 * 1024;
/// Flags that a page may have; a header with any other is damaged. [format notes 2.2]
const KNOWN_FLAGS: u32 = 0x7_EFFF;

impl Inventory {
    /// Looks at every page of the file. With its flush map, pages whose last write was lost are told from sound ones.
    #[must_use]
    pub fn scan(db: &Database, flush_map: Option<&FlushMap>, progress: &dyn Progress) -> Self {
        let last = db.last_page().get();
        let count = last as usize + 1;
        let chunk_pages = (CHUNK_BYTES / db.page_size().bytes()).max(1);
        let (mut states, mut owners) = (vec![0u8; count], vec![0u32; count]);
        // One worker after the other takes the next chunk, so that the disk sees one pass in order.
        let numbered = states[1..]
            .chunks_mut(chunk_pages)
            .zip(owners[1..].chunks_mut(chunk_pages))
            .zip((1u32..).step_by(chunk_pages));
        let chunks = Mutex::new(numbered);
        let highest = Mutex::new(DbTime::ZERO);
        progress.start(Task::pages(
            "looking at",
            last.into(),
            db.page_size().bytes(),
        ));
        rayon::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                scope.spawn(|_| {
                    let mut worker = Worker::new(db, flush_map);
                    loop {
                        let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(((states, owners), first)) = next else {
                            break;
                        };
                        worker.chunk(Pgno::new(first), states, owners);
                        progress.advance(states.len() as u64);
                    }
                    let mut highest = highest.lock().unwrap_or_else(PoisonError::into_inner);
                    *highest = worker.highest.max(*highest);
                });
            }
        });
        progress.finish();
        let highest = highest.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self::new(states, &owners, highest)
    }
}

struct Worker<'a> {
    db: &'a Database,
    flush_map: Option<&'a FlushMap>,
    buffer: ReadBuffer,
    highest: DbTime,
}

impl<'a> Worker<'a> {
    fn new(db: &'a Database, flush_map: Option<&'a FlushMap>) -> Self {
        Self {
            db,
            flush_map,
            buffer: ReadBuffer::default(),
            highest: DbTime::ZERO,
        }
    }

    fn chunk(&mut self, first: Pgno, states: &mut [u8], owners: &mut [u32]) {
        let size = self.db.page_size().bytes();
        let mut buffer = std::mem::take(&mut self.buffer);
        let whole = self.db.read_run(first, states.len(), &mut buffer).is_ok();
        for (at, (state, owner)) in states.iter_mut().zip(owners).enumerate() {
            let pgno = Pgno::new(first.get() + at as u32);
            let (found, objid) = if whole {
                self.judge(pgno, &mut buffer[at * size..(at + 1) * size])
            } else {
                // Some page of the chunk cannot be read: one by one, so that only that one is given up.
                match self.db.read_run(pgno, 1, &mut buffer) {
                    Ok(()) => self.judge(pgno, &mut buffer[..size]),
                    Err(_) => (PageState::bare(PageVerdict::Unreadable), Objid::default()),
                }
            };
            *state = found.bits();
            *owner = objid.get();
        }
        self.buffer = buffer;
    }

    fn judge(&mut self, pgno: Pgno, bytes: &mut [u8]) -> (PageState, Objid) {
        let nobody = |verdict| (PageState::bare(verdict), Objid::default());
        let is_trailer = pgno == self.db.last_page() && Trailer::read(bytes).is_some();
        let judged = self.db.judge(pgno, bytes);
        let Some(page) = Page::new(bytes, self.db.page_size()) else {
            return nobody(PageVerdict::Unreadable);
        };
        let verdict = match judged {
            Ok(_) if self.flush_map.is_some_and(|map| map.lost(pgno, page)) => PageVerdict::Stale,
            Ok(None) => PageVerdict::Sound,
            Ok(Some(_)) => PageVerdict::Corrected,
            Err(PageError::LostWrite) => PageVerdict::Stale,
            Err(PageError::Uninitialized) => return nobody(PageVerdict::Zero),
            Err(_) if is_trailer => return nobody(PageVerdict::Zero),
            Err(PageError::WrongNumber(_)) => return nobody(PageVerdict::Misplaced),
            // The code misses some damage of many bytes; a number that the file does not have tells that this was
            // damage and no misplaced write.
            Err(PageError::Checksum {
                belongs_to: Some(real),
            }) if !real.is_null() && real <= self.db.last_page() => {
                return nobody(PageVerdict::Misplaced);
            }
            Err(PageError::Checksum { .. }) if Self::is_plausible(page) => PageVerdict::Bad,
            Err(PageError::Checksum { .. }) => return nobody(PageVerdict::Bad),
            Err(PageError::Beyond | PageError::Storage(_)) => {
                return nobody(PageVerdict::Unreadable);
            }
        };
        if verdict.is_usable() && !page.dbtime().is_special() {
            self.highest = self.highest.max(page.dbtime());
        }
        (PageState::of_page(verdict, page), page.objid())
    }

    /// True when a page with a wrong checksum still has a header and tags as a leaf has them, so that looking at its
    /// nodes one by one is worth while.
    fn is_plausible(page: Page<'_>) -> bool {
        let flags = page.flags();
        flags.bits() & !KNOWN_FLAGS == 0
            && flags.is_leaf()
            && !flags.any(PageFlags::PARENT_OF_LEAF)
            && page.tag_count() > page.reserved_tags()
            && page.tag_count() < page.room() / crate::format::page::TAG_BYTES
            && page.objid() != Objid::default()
    }
}
