//! The new file: pages come nearly in order and are written in large pieces.

use crate::format::ids::{Objid, PageSize, Pgno};
use crate::progress::Progress;
use crate::storage::Storage;
use crate::tree::space::Run;
use crate::tree::stores::PageFile;

use super::RebuildError;

/// Bytes that are written with one call.
const PIECE: usize = 1 << 20;

/// The file being written. Pages behind `start` wait in `piece` until it is full; pages before it are written at once: roots,
/// and the parents that overtook the last leaf of a piece.
pub(super) struct Output<'o> {
    out: &'o dyn Storage,
    page_size: PageSize,
    progress: &'o dyn Progress,
    /// First page that belongs to nobody yet.
    next: u32,
    /// Where the piece begins.
    start: u64,
    piece: Vec<u8>,
}

impl<'o> Output<'o> {
    pub fn new(
        out: &'o dyn Storage,
        page_size: PageSize,
        next: u32,
        progress: &'o dyn Progress,
    ) -> Self {
        Self {
            out,
            page_size,
            progress,
            next,
            start: Pgno::new(next).offset(page_size),
            piece: Vec::with_capacity(PIECE),
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
        Ok(self.out.set_len(bytes)?)
    }

    pub fn put_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), RebuildError> {
        let Some(behind) = offset.checked_sub(self.start) else {
            return Ok(self.out.write_at(offset, bytes)?);
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
        if !self.piece.is_empty() {
            self.out.write_at(self.start, &self.piece)?;
            self.start += self.piece.len() as u64;
            self.piece.clear();
        }
        Ok(())
    }
}

impl PageFile for Output<'_> {
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
    use super::{Output, PIECE};
    use crate::format::ids::{PageSize, Pgno};
    use crate::progress::Silent;
    use crate::storage::{Memory, Storage as _};
    use crate::tree::stores::PageFile as _;

    #[test]
    fn pages_in_any_order_arrive() {
        let memory = Memory::default();
        let size = PageSize::K4;
        let pages = 3 * PIECE / size.bytes();
        let mut file = Output::new(&memory, size, 29, &Silent);
        let run = file.take(pages as u32).unwrap();
        let content = |pgno: u32| vec![(pgno % 251) as u8 + 1; size.bytes()];
        // Neighbours change places, also across the ends of pieces; the first page comes last.
        for pair in (run.first + 1..run.end()).collect::<Vec<_>>().chunks(2) {
            for pgno in pair.iter().rev() {
                file.put(Pgno::new(*pgno), &content(*pgno)).unwrap();
            }
        }
        file.put(Pgno::new(run.first), &content(run.first)).unwrap();
        file.end(Pgno::new(run.end()).offset(size)).unwrap();
        for pgno in run.first..run.end() {
            let mut page = vec![0; size.bytes()];
            memory
                .read_exact_at(Pgno::new(pgno).offset(size), &mut page)
                .unwrap();
            assert!(page == content(pgno), "{pgno}");
        }
    }
}
