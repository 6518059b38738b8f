//! The leaves of a large tree in key order, read ahead by another thread in the order of the file.
//!
//! Leaves that follow one another in a tree may lie anywhere in the file. The reading thread therefore goes down the
//! inner pages, takes the numbers of some megabytes of leaves, reads them in ascending order, neighbours with one call, and
//! verifies them; the caller sees them in key order while the next ones are read. That no leaf is missing their links tell.

use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::walk::{Failure, MAX_DEPTH, child_of};
use crate::db::{Database, PageBytes, PageError, ReadBuffer};
use crate::format::ids::{Objid, Pgno};
use crate::format::page::{Page, PageFlags};

/// Bytes of leaves that are read together: a disk that has to move its head then does so once for many of them.
const BATCH_BYTES: usize = 4 << 20;
/// Neighbours are read with calls of at most so many bytes.
const RUN_BYTES: usize = 1 << 20;
/// Batches that wait for the caller. With the one that is read and the one that is looked at four are in memory.
const WAITING: usize = 2;

/// Leaves that were read together.
struct Batch {
    /// Their bytes, in the order of the file.
    bytes: ReadBuffer,
    /// In key order: the page, and where its bytes are, or why it cannot be used.
    leaves: Vec<(Pgno, Result<usize, Failure>)>,
}

/// What the reading thread hands over.
enum Handed {
    Leaves(Batch),
    Failed(Pgno, Failure),
}

/// Shows every leaf of the tree, whose root is no leaf, in key order, until `show` breaks off.
///
/// # Errors
/// The first page that cannot be used, and why; the leaves before it were shown.
pub fn leaves(
    db: &Database,
    root: Pgno,
    objid: Objid,
    show: &mut dyn FnMut(Pgno, Page<'_>) -> ControlFlow<()>,
) -> Result<(), (Pgno, Failure)> {
    let (to_caller, batches) = sync_channel(WAITING);
    let (used, to_reader) = sync_channel(WAITING + 2);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut reader = Reader {
                db,
                objid,
                shown: 0,
                wanted: Vec::new(),
                batches: to_caller,
                used: to_reader,
                last: (Pgno::NULL, None),
            };
            // An end before the last leaf is the caller's wish.
            let _ = reader.read(root);
        });
        // Dropped before the thread is waited for, so that it does not wait for us.
        let batches: Receiver<Handed> = batches;
        for handed in batches {
            let batch = match handed {
                Handed::Leaves(batch) => batch,
                Handed::Failed(pgno, failure) => return Err((pgno, failure)),
            };
            let Batch { bytes, leaves } = batch;
            for (pgno, place) in leaves {
                let at = place.map_err(|failure| (pgno, failure))?;
                let bytes = &bytes[at..at + db.page_size().bytes()];
                let Some(page) = Page::new(bytes, db.page_size()) else {
                    return Err((pgno, Failure::Page(PageError::Beyond)));
                };
                if show(pgno, page).is_break() {
                    return Ok(());
                }
            }
            // It may have ended already.
            let _ = used.try_send(bytes);
        }
        Ok(())
    })
}

/// The reading thread.
struct Reader<'d> {
    db: &'d Database,
    objid: Objid,
    shown: u32,
    /// Leaves of the batch to be read, in key order.
    wanted: Vec<Pgno>,
    batches: SyncSender<Handed>,
    /// Buffers that were looked at, to be used again.
    used: Receiver<ReadBuffer>,
    /// The last leaf that was read, and the one that it says comes next.
    last: (Pgno, Option<Pgno>),
}

/// Nobody waits for more.
struct Done;

impl Reader<'_> {
    fn read(&mut self, root: Pgno) -> Result<(), Done> {
        self.down(root, 0, true)?;
        self.hand_over()?;
        match self.last {
            // A leaf that no parent names any more.
            (last, Some(next)) if !next.is_null() => self.fail(last, Failure::Links(next)),
            _ => Ok(()),
        }
    }

    /// `edge`: the page is the last of its level, whose last key is open.
    fn down(&mut self, pgno: Pgno, depth: usize, edge: bool) -> Result<(), Done> {
        let mut bytes = PageBytes::new(self.db.page_size());
        let page = match self.inner(pgno, depth, &mut bytes) {
            Ok(page) => page,
            Err(failure) => return self.fail(pgno, failure),
        };
        let above_leaves = page.flags().any(PageFlags::PARENT_OF_LEAF);
        let count = page.node_count();
        for line in 0..count {
            let last = edge && line + 1 == count;
            let node = page.node(line).ok();
            let node = node.filter(|node| (node.key_len() == 0) == last);
            let Some(child) = node.as_ref().and_then(child_of) else {
                return self.fail(pgno, Failure::BadChild(line));
            };
            if !above_leaves {
                self.down(child, depth + 1, last)?;
                continue;
            }
            if let Err(failure) = self.count() {
                return self.fail(child, failure);
            }
            self.wanted.push(child);
            if self.wanted.len() >= BATCH_BYTES / self.db.page_size().bytes() {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    fn inner<'b>(
        &mut self,
        pgno: Pgno,
        depth: usize,
        bytes: &'b mut PageBytes,
    ) -> Result<Page<'b>, Failure> {
        if depth >= MAX_DEPTH {
            return Err(Failure::TooDeep);
        }
        self.count()?;
        let page = self.db.read(pgno, bytes)?;
        self.own(page)?;
        if page.flags().is_leaf() {
            return Err(Failure::WrongLevel);
        }
        Ok(page)
    }

    /// Counts one page more.
    const fn count(&mut self) -> Result<(), Failure> {
        if self.shown > self.db.last_page().get() {
            return Err(Failure::TooManyPages);
        }
        self.shown += 1;
        Ok(())
    }

    fn own(&self, page: Page<'_>) -> Result<(), Failure> {
        if page.objid() == self.objid {
            Ok(())
        } else {
            Err(Failure::WrongTree(page.objid()))
        }
    }

    /// What comes before the failure is handed over first.
    fn fail(&mut self, pgno: Pgno, failure: Failure) -> Result<(), Done> {
        self.hand_over()?;
        let _ = self.batches.send(Handed::Failed(pgno, failure));
        Err(Done)
    }

    fn hand_over(&mut self) -> Result<(), Done> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let size = self.db.page_size().bytes();
        let wanted = std::mem::take(&mut self.wanted);
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_unstable_by_key(|number| wanted[*number]);
        let mut bytes = self.used.try_recv().unwrap_or_default();
        bytes.resize(wanted.len() * size);
        let mut places: Vec<Result<usize, Failure>> = (0..wanted.len()).map(|_| Ok(0)).collect();
        let mut start = 0;
        while start < order.len() {
            let run = neighbours(&wanted, &order, start, RUN_BYTES / size);
            let first = wanted[order[start]];
            let area = &mut bytes[run.start * size..run.end * size];
            let together = self.db.read_pages(first, area).is_ok();
            for (at, number) in run.clone().zip(&order[run.clone()]) {
                let page = &mut bytes[at * size..][..size];
                places[*number] = self
                    .leaf(wanted[*number], page, together)
                    .map(|()| at * size);
            }
            start = run.end;
        }
        for (pgno, place) in wanted.iter().zip(&mut places) {
            if let Ok(at) = *place
                && let Err(failure) = self.link(*pgno, &bytes[at..at + size])
            {
                *place = Err(failure);
            }
        }
        let leaves = wanted.into_iter().zip(places).collect();
        let batch = Batch { bytes, leaves };
        self.batches.send(Handed::Leaves(batch)).map_err(|_| Done)
    }

    /// Leaves are linked in the order in which their parents name them: else one is missing, or too much.
    fn link(&mut self, pgno: Pgno, bytes: &[u8]) -> Result<(), Failure> {
        let page = Page::new(bytes, self.db.page_size());
        let page = page.ok_or(Failure::Page(PageError::Beyond))?;
        let (before, named) = self.last;
        self.last = (pgno, Some(page.next()));
        match named {
            Some(next) if next != pgno => Err(Failure::Links(next)),
            _ if page.prev() != before => Err(Failure::Links(page.prev())),
            _ => Ok(()),
        }
    }

    /// Judges a page that was read, or reads it by itself where its neighbours could not be.
    fn leaf(&self, pgno: Pgno, bytes: &mut [u8], is_read: bool) -> Result<(), Failure> {
        if !is_read {
            self.db.read_pages(pgno, bytes)?;
        }
        self.db.judge(pgno, bytes)?;
        let page = Page::new(bytes, self.db.page_size());
        let page = page.ok_or(Failure::Page(PageError::Beyond))?;
        self.own(page)?;
        if !page.flags().is_leaf() {
            return Err(Failure::WrongLevel);
        }
        if page.node_count() == 0 {
            return Err(Failure::Empty);
        }
        Ok(())
    }
}

/// Places from `start` on, at most `most`, whose pages follow one another in the file.
fn neighbours(wanted: &[Pgno], order: &[usize], start: usize, most: usize) -> Range<usize> {
    let mut end = start + 1;
    while end < order.len()
        && end - start < most.max(1)
        && wanted[order[end]] == wanted[order[end - 1]].next()
    {
        end += 1;
    }
    start..end
}
