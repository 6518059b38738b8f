//! The output file: pages in any order, page numbers handed out upwards.

use std::io::{Seek, SeekFrom, Write};

use super::error::BuildError;
use super::space::{Extent, ObjectSpace};
use crate::format::ids::{PageSize, Pgno};
use crate::tree::TreeStore;

/// The file being written.
pub(super) struct DbFile<W> {
    out: W,
    page_size: PageSize,
    /// First page that belongs to nobody yet.
    next: u32,
    /// Where the output stands; seeking is not free.
    position: Option<u64>,
    /// End of what was written.
    end: u64,
}

impl<W: Write + Seek> DbFile<W> {
    pub const fn new(out: W, page_size: PageSize, next: u32) -> Self {
        Self {
            out,
            page_size,
            next,
            position: None,
            end: 0,
        }
    }

    pub const fn next(&self) -> u32 {
        self.next
    }

    /// New pages at the end.
    pub fn take(&mut self, count: u32) -> Result<Extent, BuildError> {
        let end = self.next.checked_add(count);
        if end.is_none_or(|end| end > Pgno::MAX.get()) {
            return Err(BuildError::TooManyPages);
        }
        let extent = Extent::new(self.next, count);
        self.next += count;
        Ok(extent)
    }

    /// Takes back pages that lie at the end; others stay lost, so do not ask for it.
    pub fn give_back(&mut self, extent: Extent) -> bool {
        let at_end = extent.first + extent.count == self.next;
        if at_end {
            self.next = extent.first;
        }
        at_end
    }

    pub fn put(&mut self, pgno: Pgno, page: &[u8]) -> Result<(), BuildError> {
        self.put_at(pgno.offset(self.page_size), page)
    }

    pub fn put_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), BuildError> {
        if self.position != Some(offset) {
            self.position = None;
            self.out.seek(SeekFrom::Start(offset))?;
        }
        self.out.write_all(bytes)?;
        let end = offset + bytes.len() as u64;
        self.position = Some(end);
        self.end = self.end.max(end);
        Ok(())
    }

    /// Makes the file `bytes` long; pages that nobody wrote are zero.
    pub fn extend_to(&mut self, bytes: u64) -> Result<(), BuildError> {
        if self.end < bytes {
            let page = vec![0; self.page_size.bytes()];
            self.put_at(bytes - page.len() as u64, &page)?;
        }
        Ok(())
    }

    pub fn into_inner(mut self) -> Result<W, BuildError> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Pages of a table: from its own space, which grows at the end of the file.
pub(super) struct TableStore<'a, W> {
    pub file: &'a mut DbFile<W>,
    pub space: &'a mut ObjectSpace,
}

impl<W: Write + Seek> TableStore<'_, W> {
    fn grow(&mut self, count: u32) -> Result<(), BuildError> {
        let trees = if self.space.is_multiple() { 0 } else { 2 };
        let extent = self.file.take(count + trees)?;
        self.space.grow(extent);
        Ok(())
    }

    /// A run of pages for a child object.
    pub fn take_run(&mut self, count: u32) -> Result<Extent, BuildError> {
        loop {
            if let Some(run) = self.space.take_run(count) {
                return Ok(run);
            }
            self.grow(count)?;
        }
    }
}

impl<W: Write + Seek> TreeStore for TableStore<'_, W> {
    type Error = BuildError;

    fn allocate(&mut self) -> Result<Pgno, BuildError> {
        loop {
            if let Some(pgno) = self.space.take() {
                return Ok(pgno);
            }
            self.grow(self.space.wanted())?;
        }
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), BuildError> {
        self.file.put(pgno, &page)
    }
}

/// Pages of an index or long value tree: from its own space, which grows inside its table's.
pub(super) struct ChildStore<'a, W> {
    pub table: TableStore<'a, W>,
    pub space: &'a mut ObjectSpace,
}

impl<W: Write + Seek> TreeStore for ChildStore<'_, W> {
    type Error = BuildError;

    fn allocate(&mut self) -> Result<Pgno, BuildError> {
        loop {
            if let Some(pgno) = self.space.take() {
                return Ok(pgno);
            }
            let trees = if self.space.is_multiple() { 0 } else { 2 };
            let run = self.table.take_run(self.space.wanted() + trees)?;
            self.space.grow(run);
        }
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), BuildError> {
        self.table.put(pgno, page)
    }
}

/// Pages of a space tree, which has its root only.
pub(super) struct RootOnly<'a, W> {
    pub file: &'a mut DbFile<W>,
    pub objid: u32,
}

impl<W: Write + Seek> TreeStore for RootOnly<'_, W> {
    type Error = BuildError;

    fn allocate(&mut self) -> Result<Pgno, BuildError> {
        Err(BuildError::Fragmented(self.objid))
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), BuildError> {
        self.file.put(pgno, &page)
    }
}
