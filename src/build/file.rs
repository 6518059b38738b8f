//! The output file: pages in any order, page numbers handed out upwards.

use std::io::{Seek, SeekFrom, Write};

use super::error::BuildError;
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::tree::space::Run;
use crate::tree::stores::PageFile;

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

    /// Takes back pages that lie at the end; others stay lost, so do not ask for it.
    pub fn give_back(&mut self, extent: Run) -> bool {
        let at_end = extent.first + extent.count == self.next;
        if at_end {
            self.next = extent.first;
        }
        at_end
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

impl<W: Write + Seek> PageFile for DbFile<W> {
    type Error = BuildError;

    fn take(&mut self, count: u32) -> Result<Run, BuildError> {
        let end = self.next.checked_add(count);
        if end.is_none_or(|end| end > Pgno::MAX.get()) {
            return Err(BuildError::TooManyPages);
        }
        let extent = Run::new(self.next, count);
        self.next += count;
        Ok(extent)
    }

    fn put(&mut self, pgno: Pgno, page: &[u8]) -> Result<(), BuildError> {
        self.put_at(pgno.offset(self.page_size), page)
    }

    fn fragmented(&self, objid: Objid) -> BuildError {
        BuildError::Fragmented(objid.get())
    }
}
