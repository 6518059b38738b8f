//! Trees made and emptied, pages made, scrubbed and moved, the file grown and shrunk.

use crate::format::ids::{DbTime, Objid, Pgno};

use super::{Encoded, NodeHead, PageHead, Put, kind};

/// A tree with space trees of its own; the head names its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultipleExtents {
    /// The root.
    pub head: PageHead,
    /// The tree.
    pub objid: Objid,
    /// Root of the owned extents.
    pub owned: Pgno,
    /// Root of the available extents.
    pub available: Pgno,
    /// The tree that the space comes from.
    pub parent: Pgno,
    /// Pages of the first extent.
    pub primary_pages: i32,
    /// Page flags of the root.
    pub page_flags: u32,
}

impl MultipleExtents {
    /// The record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Put::page(kind::CREATE_MULTIPLE_EXTENT_FDP, &self.head)
            .objid(self.objid)
            .pgno(self.owned)
            .pgno(self.available)
            .pgno(self.parent)
            .bytes(&self.primary_pages.to_le_bytes())
            .u32(self.page_flags)
            .done()
    }
}

/// A tree whose space is listed in its root; the head names the root.
#[must_use]
pub fn create_single_extent_fdp(
    head: &PageHead,
    objid: Objid,
    parent: Pgno,
    primary_pages: i32,
    page_flags: u32,
) -> Vec<u8> {
    Put::page(kind::CREATE_SINGLE_EXTENT_FDP, head)
        .objid(objid)
        .pgno(parent)
        .bytes(&primary_pages.to_le_bytes())
        .u32(page_flags)
        .done()
}

/// A tree whose space was listed in its root gets space trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    /// The root.
    pub head: PageHead,
    /// The tree.
    pub objid: Objid,
    /// Root of the owned extents.
    pub owned: Pgno,
    /// Root of the available extents.
    pub available: Pgno,
    /// The tree that the space comes from.
    pub parent: Pgno,
    /// First page of the second extent.
    pub secondary_first: Pgno,
    /// Pages of the first extent.
    pub primary_pages: i32,
    /// Pages of the second extent.
    pub secondary_pages: i32,
    /// Which pages of the first extent are free, as bits, and the page flags of the root. None in
    /// records before 7.3704.7.
    pub available_bits_and_flags: Option<(u32, u32)>,
}

impl Conversion {
    /// The record, in the older form when nothing is said of free pages and flags.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self.available_bits_and_flags {
            Some(_) => kind::CONVERT_FDP2,
            None => kind::CONVERT_FDP,
        };
        let put = Put::page(kind, &self.head)
            .objid(self.objid)
            .pgno(self.owned)
            .pgno(self.available)
            .pgno(self.parent)
            .pgno(self.secondary_first)
            .bytes(&self.primary_pages.to_le_bytes())
            .bytes(&self.secondary_pages.to_le_bytes());
        match self.available_bits_and_flags {
            Some((bits, flags)) => put.u32(bits).u32(flags).done(),
            None => put.done(),
        }
    }
}

/// A page that an emptied tree gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmptiedPage {
    /// Its time before.
    pub dbtime_before: DbTime,
    /// The page.
    pub pgno: Pgno,
    /// Its flags.
    pub page_flags: u32,
}

/// A tree becomes empty.
///
/// # Errors
/// [`super::TooLong`] for more than 4095 pages.
pub fn empty_tree(head: &NodeHead, pages: &[EmptiedPage]) -> Encoded {
    let mut list = Vec::with_capacity(pages.len() * 16);
    for page in pages {
        list.extend(page.dbtime_before.get().to_le_bytes());
        list.extend(page.pgno.get().to_le_bytes());
        list.extend(page.page_flags.to_le_bytes());
    }
    let put = Put::node(kind::EMPTY_TREE, head).len16(&list, "page list")?;
    Ok(put.bytes(&list).done())
}

/// Deleted content of a page is overwritten: one byte a node says how (0 not, 1 data, 2 chunk of a long
/// value); `flags` 1 says that the whole page is unused, then there are no operations, but as many
/// bytes of `rest` as are overwritten.
///
/// # Errors
/// [`super::TooLong`] for more than 65535 bytes.
pub fn scrub(head: &NodeHead, flags: u32, operations: &[u8], rest: &[u8]) -> Encoded {
    let content = [operations, rest].concat();
    let put = Put::node(kind::SCRUB, head)
        .u32(flags)
        .u32(operations.len() as u32)
        .len16(&content, "scrub list")?;
    Ok(put.bytes(&content).done())
}

/// A page gets its first time, before what stands on it.
#[must_use]
pub fn new_page(procid: u16, dbid: u8, pgno: Pgno, objid: Objid, dbtime: DbTime) -> Vec<u8> {
    Put::new(kind::NEW_PAGE)
        .u16(procid)
        .u8(dbid)
        .pgno(pgno)
        .objid(objid)
        .dbtime(dbtime)
        .done()
}

/// The root of a tree moves; the moves of its pages follow in the same macro.
#[must_use]
pub fn root_page_move(procid: u16, dbid: u8, objid: Objid, dbtime: DbTime) -> Vec<u8> {
    Put::new(kind::ROOT_PAGE_MOVE)
        .dbtime(dbtime)
        .u8(dbid)
        .objid(objid)
        .u16(procid)
        .done()
}

/// The file grows up to this page.
#[must_use]
pub fn extend_db(dbid: u8, last: Pgno) -> Vec<u8> {
    let content = Put::new(0).u8(dbid).pgno(last);
    Put::skippable(kind::EXTEND_DB, content)
}

/// The file shrinks to this page, by so many pages.
#[must_use]
pub fn shrink_db3(dbid: u8, last: Pgno, pages: i32, dbtime: DbTime) -> Vec<u8> {
    Put::new(kind::SHRINK_DB3)
        .u8(dbid)
        .pgno(last)
        .bytes(&pages.to_le_bytes())
        .dbtime(dbtime)
        .done()
}

/// Pages are given back to the file system.
#[must_use]
pub fn trim_db(dbid: u8, first: Pgno, pages: i32) -> Vec<u8> {
    Put::new(kind::TRIM_DB)
        .u8(dbid)
        .pgno(first)
        .bytes(&pages.to_le_bytes())
        .done()
}
