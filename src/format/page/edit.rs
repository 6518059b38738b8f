//! The writing twin of [`Page`]: makes pages and changes their lines.

use super::{Page, PageFlags, PageMut};
use crate::format::checksum;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};

/// The page has not enough free bytes for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line of {need} bytes does not fit into {free} free bytes")]
pub struct NoRoom {
    /// Bytes of the line and its tag.
    pub need: usize,
    /// Free bytes of the page.
    pub free: usize,
}

/// An owned page. Invariant between calls: the accounting of lines, tags and free bytes holds.
#[derive(Clone)]
pub struct PageBuf {
    data: Vec<u8>,
    size: PageSize,
    pgno: Pgno,
}

impl PageBuf {
    /// A page with an empty external header (tag 0) and no nodes.
    #[must_use]
    pub fn new(size: PageSize, pgno: Pgno, objid: Objid, flags: PageFlags) -> Self {
        let mut page = Self {
            data: vec![0; size.bytes()],
            size,
            pgno,
        };
        page.edit().init(pgno, objid, flags, DbTime::ZERO);
        page
    }

    /// Takes over the bytes of an existing page; `None` when the length is wrong.
    #[must_use]
    pub fn from_bytes(data: Vec<u8>, size: PageSize, pgno: Pgno) -> Option<Self> {
        (data.len() == size.bytes()).then_some(Self { data, size, pgno })
    }

    /// The reading twin.
    #[must_use]
    pub fn view(&self) -> Page<'_> {
        Page {
            data: &self.data,
            size: self.size,
        }
    }

    /// The page's number.
    #[must_use]
    pub const fn pgno(&self) -> Pgno {
        self.pgno
    }

    /// Sets the time of the last change.
    pub fn set_dbtime(&mut self, dbtime: DbTime) {
        self.edit().set_dbtime(dbtime);
    }

    /// Sets the left sibling.
    pub fn set_prev(&mut self, prev: Pgno) {
        self.edit().set_prev(prev);
    }

    /// Sets the right sibling.
    pub fn set_next(&mut self, next: Pgno) {
        self.edit().set_next(next);
    }

    /// Sets the owner tree.
    pub fn set_objid(&mut self, objid: Objid) {
        self.edit().set_objid(objid);
    }

    /// Sets the flag word.
    pub fn set_flags(&mut self, flags: PageFlags) {
        self.edit().set_flags(flags);
    }

    /// Sets the free bytes that open transactions may claim back.
    pub fn set_uncommitted_free(&mut self, bytes: u16) {
        self.edit().set_uncommitted_free(bytes);
    }

    /// Bytes that a new line and its tag may take.
    #[must_use]
    pub fn free(&self) -> usize {
        self.view().free()
    }

    /// Replaces the external header.
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
    pub fn set_external_header(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.edit().set_external_header(&[bytes])
    }

    /// Adds a node after all others: key prefix count (0 for none), key suffix, data, version and
    /// deleted flags.
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
    pub fn push_node(
        &mut self,
        prefix: usize,
        suffix: &[u8],
        data: &[u8],
        flags: u8,
    ) -> Result<(), NoRoom> {
        let at = self.view().node_count();
        self.insert_node(at, prefix, suffix, data, flags)
    }

    /// Inserts a node before node `line`; see [`PageBuf::push_node`].
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
    pub fn insert_node(
        &mut self,
        line: usize,
        prefix: usize,
        suffix: &[u8],
        data: &[u8],
        flags: u8,
    ) -> Result<(), NoRoom> {
        self.edit().insert_node(line, prefix, suffix, data, flags)
    }

    /// Replaces node `line`; see [`PageBuf::push_node`].
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
    pub fn replace_node(
        &mut self,
        line: usize,
        prefix: usize,
        suffix: &[u8],
        data: &[u8],
        flags: u8,
    ) -> Result<(), NoRoom> {
        self.edit().replace_node(line, prefix, suffix, data, flags)
    }

    /// Removes node `line`; a line that is not there is no error.
    pub fn remove_node(&mut self, line: usize) {
        self.edit().delete_node(line);
    }

    fn edit(&mut self) -> PageMut<'_> {
        PageMut {
            data: &mut self.data,
            size: self.size,
            counts_reserved: false,
        }
    }

    /// The finished bytes, with the checksum that the page's flags ask for.
    #[must_use]
    pub fn seal(mut self) -> Vec<u8> {
        checksum::seal(&mut self.data, self.size, self.pgno);
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::{PageBuf, PageFlags};
    use crate::format::checksum::{Verdict, verify};
    use crate::format::ids::{Objid, PageSize, Pgno};
    use crate::format::page::{Page, dehydrate, rehydrate};

    fn accounting_holds(page: Page<'_>) {
        let lines: usize = (0..page.tag_count())
            .map(|t| usize::from(page.tag(t).unwrap().cb))
            .sum();
        assert_eq!(lines + page.free() + 4 * page.tag_count(), page.room());
    }

    #[test]
    fn nodes_come_back_as_they_went_in() {
        for size in PageSize::ALL {
            for flags in [0x802, 0x2802] {
                let pgno = Pgno::new(5);
                let mut page = PageBuf::new(size, pgno, Objid::new(7), PageFlags::new(flags));
                page.set_external_header(b"prefix").unwrap();
                page.push_node(0, b"a", b"1", 0).unwrap();
                page.push_node(4, b"z", b"3", 2).unwrap();
                page.insert_node(1, 0, b"m", b"2", 1).unwrap();
                page.replace_node(0, 0, b"aa", b"one", 0).unwrap();
                accounting_holds(page.view());
                let nodes: Vec<_> = page.view().nodes().map(|node| node.unwrap()).collect();
                let seen: Vec<_> = nodes
                    .iter()
                    .map(|n| (n.key(), n.data.to_vec(), n.flags.bits()))
                    .collect();
                assert_eq!(
                    seen,
                    [
                        (b"aa".to_vec(), b"one".to_vec(), 0),
                        (b"m".to_vec(), b"2".to_vec(), 1),
                        (b"prefz".to_vec(), b"3".to_vec(), 6),
                    ]
                );
                page.remove_node(1);
                accounting_holds(page.view());
                assert_eq!(page.view().node_count(), 2);
                assert_eq!(verify(&page.seal(), size, pgno), Verdict::Good);
            }
        }
    }

    #[test]
    fn a_page_without_its_gap_gets_it_back() {
        for size in PageSize::ALL {
            let (pgno, flags) = (Pgno::new(5), PageFlags::new(0x2802));
            let mut page = PageBuf::new(size, pgno, Objid::new(7), flags);
            page.push_node(0, b"a", b"1", 0).unwrap();
            page.push_node(0, b"z", b"2", 1).unwrap();
            let bytes = page.view().bytes().to_vec();
            let short = dehydrate(&bytes, size).unwrap();
            assert!(short.len() < 120);
            assert_eq!(rehydrate(&short, size).unwrap(), bytes);
            assert_eq!(dehydrate(&short, size), None);
        }
    }

    #[test]
    fn a_full_page_says_so_and_stays_whole() {
        let mut page = PageBuf::new(
            PageSize::K4,
            Pgno::new(1),
            Objid::new(2),
            PageFlags::new(0x802),
        );
        let mut count = 0u32;
        while page.push_node(0, &count.to_be_bytes(), &[7; 93], 0).is_ok() {
            count += 1;
        }
        assert_eq!(count, (4096 - 40 - 4) / (4 + 2 + 4 + 93));
        accounting_holds(page.view());
        for _ in 0..count / 2 {
            page.remove_node(0);
        }
        page.push_node(0, b"large", &vec![1; 1500], 0).unwrap();
        accounting_holds(page.view());
    }
}
