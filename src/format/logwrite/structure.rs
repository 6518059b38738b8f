//! Splits, merges and moves of pages: parts of macros. [log notes 6.5 to 6.8]

use crate::format::ids::{DbTime, Objid, Pgno};

use super::{Encoded, PageHead, Put, kind};

/// A page before the change, in newer records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Image<'a> {
    /// 1 the unused middle is left out, 2 compressed.
    pub flags: u32,
    /// The page; empty when it is not needed.
    pub bytes: &'a [u8],
}

/// One level of a split; the head names the page that is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'a> {
    /// The page that is split, or only gets a pointer when `new` is 0.
    pub head: PageHead,
    /// The new page; 0 when this level is not split.
    pub new: Pgno,
    /// Right neighbour of a leaf.
    pub right: Pgno,
    /// Its time before.
    pub right_before: DbTime,
    /// The page above.
    pub parent: Pgno,
    /// Its time before.
    pub parent_before: DbTime,
    /// Root of the tree.
    pub pgno_fdp: Pgno,
    /// The tree.
    pub objid_fdp: Objid,
    /// 0 vertical, 1 right, 2 append.
    pub split_type: u8,
    /// 0 none, 1 insert, 2 replace, 3 flag-insert and replace.
    pub operation: u8,
    /// Line of the operation.
    pub line_operation: u16,
    /// First line that goes to the new page.
    pub line_split: u16,
    /// Lines, the new one counted.
    pub lines: u16,
    /// Page flags of the new page.
    pub new_flags: u32,
    /// Page flags of the page that is split.
    pub split_flags: u32,
    /// Uncommitted free bytes of the page that is split.
    pub uncommitted_source: i16,
    /// Uncommitted free bytes of the new page.
    pub uncommitted_new: i16,
    /// Line whose key is the new prefix of the old page, -1 none.
    pub prefix_line_split: i32,
    /// The same of the new page, counted from `line_split`.
    pub prefix_line_new: i32,
    /// Key for the page above.
    pub parent_key: &'a [u8],
    /// Prefix that the old page gets.
    pub split_prefix: &'a [u8],
    /// Prefix that the new page gets.
    pub new_prefix: &'a [u8],
    /// The page before. None in records before 7.3704.11.
    pub image: Option<Image<'a>>,
}

impl Split<'_> {
    /// The record: Split2, or Split without an image.
    ///
    /// # Errors
    /// [`super::TooLong`] for a key or prefix of more than 65535 bytes.
    pub fn encode(&self) -> Encoded {
        let kind = match self.image {
            Some(_) => kind::SPLIT2,
            None => kind::SPLIT,
        };
        let mut put = Put::page(kind, &self.head)
            .pgno(self.new)
            .pgno(self.right)
            .dbtime(self.right_before)
            .pgno(self.parent)
            .dbtime(self.parent_before)
            .pgno(self.pgno_fdp)
            .objid(self.objid_fdp)
            .u8(self.split_type)
            .u8(self.operation)
            .u16(self.line_operation)
            .u16(self.line_split)
            .u16(self.lines)
            .u32(self.new_flags)
            .u32(self.split_flags)
            .bytes(&self.uncommitted_source.to_le_bytes())
            .bytes(&self.uncommitted_new.to_le_bytes())
            .bytes(&self.prefix_line_split.to_le_bytes())
            .bytes(&self.prefix_line_new.to_le_bytes())
            .len16(self.split_prefix, "prefix")?
            .len16(self.new_prefix, "prefix")?
            .len16(self.parent_key, "key")?;
        if let Some(image) = self.image {
            put = put.u32(image.flags).len32(image.bytes, "page image")?;
        }
        put = put
            .bytes(self.parent_key)
            .bytes(self.split_prefix)
            .bytes(self.new_prefix);
        Ok(put
            .bytes(self.image.map_or(&[][..], |image| image.bytes))
            .done())
    }
}

/// One level of a merge; the head names the page that is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge<'a> {
    /// The page whose nodes move.
    pub head: PageHead,
    /// Right neighbour.
    pub right: Pgno,
    /// Its time before.
    pub right_before: DbTime,
    /// Left neighbour.
    pub left: Pgno,
    /// Its time before.
    pub left_before: DbTime,
    /// The page above.
    pub parent: Pgno,
    /// Its time before.
    pub parent_before: DbTime,
    /// Root of the tree.
    pub pgno_fdp: Pgno,
    /// The tree.
    pub objid_fdp: Objid,
    /// Bytes of the nodes that move.
    pub size_total: u16,
    /// The most that they may need again.
    pub size_max_total: u16,
    /// Uncommitted free bytes of the page that takes them.
    pub uncommitted_dest: u16,
    /// First line that moves.
    pub line_merge: u16,
    /// 1 key changes, 2 node is deleted, 4 page becomes empty.
    pub flags: u8,
    /// 0 none, 1 empty page, 2 full right, 3 partial right, 4 empty tree, 5 full left, 6 partial left,
    /// 7 page move.
    pub merge_type: u8,
    /// New key of the page above.
    pub separator: &'a [u8],
    /// The page before. None in records before 7.3704.11.
    pub image: Option<Image<'a>>,
}

impl Merge<'_> {
    /// The record: Merge2, or Merge without an image.
    ///
    /// # Errors
    /// [`super::TooLong`] for a key of more than 65535 bytes.
    pub fn encode(&self) -> Encoded {
        let kind = match self.image {
            Some(_) => kind::MERGE2,
            None => kind::MERGE,
        };
        let mut put = Put::page(kind, &self.head)
            .pgno(self.right)
            .dbtime(self.right_before)
            .pgno(self.left)
            .dbtime(self.left_before)
            .pgno(self.parent)
            .dbtime(self.parent_before)
            .pgno(self.pgno_fdp)
            .objid(self.objid_fdp)
            .u16(self.size_total)
            .u16(self.size_max_total)
            .u16(self.uncommitted_dest)
            .u16(self.line_merge)
            .u8(self.flags)
            .u8(self.merge_type)
            .len16(self.separator, "key")?;
        if let Some(image) = self.image {
            put = put.u32(image.flags).len32(image.bytes, "page image")?;
        }
        put = put.bytes(self.separator);
        Ok(put
            .bytes(self.image.map_or(&[][..], |image| image.bytes))
            .done())
    }
}

/// A page moves; the head names where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageMove<'a> {
    /// The page.
    pub head: PageHead,
    /// Where it goes.
    pub dest: Pgno,
    /// Left neighbour.
    pub left: Pgno,
    /// Right neighbour.
    pub right: Pgno,
    /// The page above.
    pub parent: Pgno,
    /// Time before of the left neighbour.
    pub left_before: DbTime,
    /// Time before of the right neighbour.
    pub right_before: DbTime,
    /// Time before of the page above.
    pub parent_before: DbTime,
    /// Root of the tree.
    pub pgno_fdp: Pgno,
    /// The tree.
    pub objid_fdp: Objid,
    /// Line of the pointer in the page above.
    pub line_parent: i32,
    /// 0 plain, 1 root, 2 root of owned extents, 4 root of available extents.
    pub flags: u32,
    /// The page up to its unused middle.
    pub header: &'a [u8],
    /// The page behind it.
    pub trailer: &'a [u8],
}

impl PageMove<'_> {
    /// The record.
    ///
    /// # Errors
    /// [`super::TooLong`] for an image of more than 32 bits of bytes.
    pub fn encode(&self) -> Encoded {
        let put = Put::page(kind::PAGE_MOVE, &self.head)
            .pgno(self.dest)
            .pgno(self.left)
            .pgno(self.right)
            .pgno(self.parent)
            .dbtime(self.left_before)
            .dbtime(self.right_before)
            .dbtime(self.parent_before)
            .pgno(self.pgno_fdp)
            .objid(self.objid_fdp)
            .bytes(&self.line_parent.to_le_bytes())
            .u32(self.flags)
            .len32(self.header, "page image")?
            .len32(self.trailer, "page image")?;
        Ok(put.bytes(self.header).bytes(self.trailer).done())
    }
}
