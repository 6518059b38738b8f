//! The new file: pages come nearly in order and are written in large pieces, by a thread of its own, while another waits
//! for the disk.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use super::RebuildError;
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::progress::Progress;
use crate::storage::Storage;
use crate::tree::space::Run;
use crate::tree::stores::PageFile;

/// Bytes that are written with one call.
const PIECE: usize = 1 << 20;
/// Pieces that wait to be written.
const WAITING: usize = 4;
/// Bytes after which the disk is set to work: a system that has memory to spare would begin only when the file is to be
/// durable, and everybody would wait for it.
const SYNC_EVERY: u64 = 64 << 20;

/// What the writing thread is to do.
enum Order {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

/// The file being written. Pages behind `start` wait in `piece` until it is full; pages before it are written at once: roots,
/// and the parents that overtook the last leaf of a piece. What was ordered first is written first.
pub(super) struct Output<'o, 's> {
    page_size: PageSize,
    progress: &'o dyn Progress,
    /// First page that belongs to nobody yet.
    next: u32,
    /// Where the piece begins.
    start: u64,
    piece: Vec<u8>,
    orders: Option<SyncSender<Order>>,
    /// Pieces that were written, to be filled again.
    written: Receiver<Vec<u8>>,
    writer: Option<ScopedJoinHandle<'s, io::Result<()>>>,
}

impl<'o, 's> Output<'o, 's> {
    /// Starts the writing thread.
    pub fn new<'env: 's>(
        out: &'env dyn Storage,
        page_size: PageSize,
        next: u32,
        progress: &'o dyn Progress,
        scope: &'s Scope<'s, 'env>,
    ) -> Self {
        let (orders, to_do) = sync_channel(WAITING);
        let (done, written) = sync_channel(WAITING + 1);
        let writer = scope.spawn(move || write_all(out, &to_do, &done));
        Self {
            page_size,
            progress,
            next,
            start: Pgno::new(next).offset(page_size),
            piece: Vec::with_capacity(PIECE),
            orders: Some(orders),
            written,
            writer: Some(writer),
        }
    }

    pub const fn next(&self) -> u32 {
        self.next
    }

    /// Takes back pages that lie at the end; false when they do not.
    pub fn give_back(&mut self, run: Run) -> bool {
        let at_end = run.end() == self.next;
        if at_end {
            self.next = run.first;
        }
        at_end
    }

    /// Writes what waits, and makes the file `bytes` long.
    pub fn end(&mut self, bytes: u64) -> Result<(), RebuildError> {
        self.flush()?;
        self.order(Order::SetLen(bytes))
    }

    /// Returns when everything is written.
    pub fn finish(&mut self) -> Result<(), RebuildError> {
        let flushed = self.flush();
        self.orders = None;
        match self.writer.take().map(ScopedJoinHandle::join) {
            Some(Ok(written)) => written?,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => {}
        }
        flushed
    }

    pub fn put_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), RebuildError> {
        let Some(behind) = offset.checked_sub(self.start) else {
            return self.order(Order::Write(offset, bytes.to_vec()));
        };
        let end = behind + bytes.len() as u64;
        if end > PIECE as u64 {
            self.flush()?;
            self.start = offset;
            self.piece.extend_from_slice(bytes);
            return Ok(());
        }
        // Both fit into a piece.
        let (at, end) = (behind as usize, end as usize);
        if self.piece.len() < end {
            self.piece.resize(end, 0);
        }
        self.piece[at..end].copy_from_slice(bytes);
        Ok(())
    }

    /// A page that is still missing from the piece is zero in it and written later.
    fn flush(&mut self) -> Result<(), RebuildError> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let empty = self
            .written
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let piece = std::mem::replace(&mut self.piece, empty);
        let start = self.start;
        self.start += piece.len() as u64;
        self.order(Order::Write(start, piece))
    }

    fn order(&mut self, order: Order) -> Result<(), RebuildError> {
        let sent = self.orders.as_ref().map(|orders| orders.send(order));
        match sent {
            Some(Ok(())) => Ok(()),
            // The thread has ended, which it does only when the disk refuses.
            _ => {
                self.piece.clear();
                self.finish()?;
                Err(io::Error::other("the file is finished already").into())
            }
        }
    }
}

/// The writing thread; a second one sees to it that what is written becomes durable meanwhile.
fn write_all(
    out: &dyn Storage,
    to_do: &Receiver<Order>,
    done: &SyncSender<Vec<u8>>,
) -> io::Result<()> {
    std::thread::scope(|scope| {
        let (written, to_sync) = sync_channel(1);
        let syncing = scope.spawn(move || to_sync.iter().try_for_each(|()| out.sync()));
        let result = carry_out(out, to_do, done, &written);
        drop(written);
        // The system tells an error of the disk once: whoever makes the file durable at last would not hear of it.
        let synced = syncing
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result.and(synced)
    })
}

/// Returns early when `written`, who is told now and then, does not listen any more.
fn carry_out(
    out: &dyn Storage,
    to_do: &Receiver<Order>,
    done: &SyncSender<Vec<u8>>,
    written: &SyncSender<()>,
) -> io::Result<()> {
    let mut behind = 0;
    for order in to_do {
        match order {
            Order::Write(offset, mut bytes) => {
                out.write_at(offset, &bytes)?;
                behind += bytes.len() as u64;
                if behind >= SYNC_EVERY {
                    match written.try_send(()) {
                        Ok(()) => behind = 0,
                        // It is at work still.
                        Err(TrySendError::Full(())) => {}
                        Err(TrySendError::Disconnected(())) => return Ok(()),
                    }
                }
                if bytes.capacity() >= PIECE {
                    bytes.clear();
                    let _ = done.try_send(bytes);
                }
            }
            Order::SetLen(bytes) => out.set_len(bytes)?,
        }
    }
    Ok(())
}

impl PageFile for Output<'_, '_> {
    type Error = RebuildError;

    fn take(&mut self, count: u32) -> Result<Run, RebuildError> {
        let end = self.next.checked_add(count);
        if end.is_none_or(|end| end > Pgno::MAX.get()) {
            return Err(RebuildError::TooManyPages);
        }
        let run = Run::new(self.next, count);
        self.next += count;
        Ok(run)
    }

    fn put(&mut self, pgno: Pgno, page: &[u8]) -> Result<(), RebuildError> {
        self.progress.advance(1);
        self.put_at(pgno.offset(self.page_size), page)
    }

    fn fragmented(&self, objid: Objid) -> RebuildError {
        RebuildError::Fragmented(objid)
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, PIECE, SYNC_EVERY};
    use crate::format::ids::{PageSize, Pgno};
    use crate::progress::Silent;
    use crate::rebuild::RebuildError;
    use crate::storage::{Discard, Fault, Faulty, Memory, Storage as _};
    use crate::tree::stores::PageFile as _;

    #[test]
    fn what_cannot_be_made_durable_on_the_way_is_told() {
        let out = Faulty::new(Discard::default(), vec![Fault::StopAtSync(0)]);
        let size = PageSize::K32;
        // Nothing is written behind the sync that fails: nothing else could tell.
        let pages = SYNC_EVERY as usize / size.bytes();
        let page = vec![1; size.bytes()];
        let ended = std::thread::scope(|scope| {
            let mut file = Output::new(&out, size, 29, &Silent, scope);
            let run = file.take(pages as u32)?;
            for pgno in run.first..run.end() {
                file.put(Pgno::new(pgno), &page)?;
            }
            file.finish()
        });
        assert!(matches!(ended, Err(RebuildError::Io(_))));
    }

    #[test]
    fn pages_in_any_order_arrive() {
        let memory = Memory::default();
        let size = PageSize::K4;
        let pages = 3 * PIECE / size.bytes();
        let content = |pgno: u32| vec![(pgno % 251) as u8 + 1; size.bytes()];
        let run = std::thread::scope(|scope| {
            let mut file = Output::new(&memory, size, 29, &Silent, scope);
            let run = file.take(pages as u32).unwrap();
            // Neighbours change places, also across the ends of pieces; the first page comes last.
            for pair in (run.first + 1..run.end()).collect::<Vec<_>>().chunks(2) {
                for pgno in pair.iter().rev() {
                    file.put(Pgno::new(*pgno), &content(*pgno)).unwrap();
                }
            }
            file.put(Pgno::new(run.first), &content(run.first)).unwrap();
            file.end(Pgno::new(run.end()).offset(size)).unwrap();
            file.finish().unwrap();
            run
        });
        for pgno in run.first..run.end() {
            let mut page = vec![0; size.bytes()];
            memory
                .read_exact_at(Pgno::new(pgno).offset(size), &mut page)
                .unwrap();
            assert!(page == content(pgno), "{pgno}");
        }
    }
}
