//! Operations on one node, and how they are undone.

use super::{Encoded, NodeHead, Put, TooLong, kind};

/// Operations as UndoInfo and Undo name them. [log notes 6.2]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Operation {
    /// A node was inserted.
    Insert = 1,
    /// Its data was replaced.
    Replace = 2,
    /// It was marked deleted.
    FlagDelete = 3,
    /// A number in it was raised.
    Delta = 4,
    /// A 64-bit number in it was raised.
    Delta64 = 9,
}

/// A node is found again by its key, in trees that are not unique by key and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bookmark<'a> {
    /// Its whole key.
    pub key: &'a [u8],
    /// Its data; empty in unique trees.
    pub data: &'a [u8],
}

impl Bookmark<'_> {
    fn lens(&self, put: Put) -> Result<Put, TooLong> {
        put.len16(self.key, "bookmark key")?
            .len16(self.data, "bookmark data")
    }
}

/// A node is inserted. The key is `prefix` (what it shares with the page's prefix) and `suffix`.
///
/// # Errors
/// [`TooLong`] for a part of more than 65535 bytes.
pub fn insert(head: &NodeHead, prefix: &[u8], suffix: &[u8], data: &[u8]) -> Encoded {
    let put = Put::node(kind::INSERT, head)
        .len16(suffix, "key suffix")?
        .len16(prefix, "key prefix")?
        .len16(data, "data")?;
    Ok(put.bytes(prefix).bytes(suffix).bytes(data).done())
}

/// A node that was marked deleted lives again with its old data.
///
/// # Errors
/// [`TooLong`] for a part of more than 65535 bytes.
pub fn flag_insert(head: &NodeHead, key: &[u8], data: &[u8]) -> Encoded {
    let put = Put::node(kind::FLAG_INSERT, head)
        .len16(key, "key")?
        .len16(data, "data")?;
    Ok(put.bytes(key).bytes(data).done())
}

/// A node that was marked deleted lives again with other data; `rceid_replace` is the second entry of
/// the version store.
///
/// # Errors
/// [`TooLong`] for a part of more than 65535 bytes.
pub fn flag_insert_and_replace_data(
    head: &NodeHead,
    rceid_replace: u32,
    key: &[u8],
    data: &[u8],
) -> Encoded {
    let put = Put::node(kind::FLAG_INSERT_AND_REPLACE_DATA, head)
        .len16(key, "key")?
        .len16(data, "data")?
        .u32(rceid_replace);
    Ok(put.bytes(key).bytes(data).done())
}

/// A node is marked deleted.
#[must_use]
pub fn flag_delete(head: &NodeHead) -> Vec<u8> {
    Put::node(kind::FLAG_DELETE, head).done()
}

/// A node is removed from its page.
#[must_use]
pub fn delete(head: &NodeHead) -> Vec<u8> {
    Put::node(kind::DELETE, head).done()
}

/// The length field of a replacement has 15 bits; the highest says which form a diff has.
const REPLACE_LEN: usize = 0x7FFF;
/// The longer form of diff, for pages from 16 KiB on.
const LONG_DIFF: u16 = 0x8000;

fn replacement(
    kind: u8,
    head: &NodeHead,
    (old_len, new_len): (u16, u16),
    content: &[u8],
    form: u16,
) -> Encoded {
    let len = content.len();
    if len > REPLACE_LEN {
        let what = "replacement";
        return Err(TooLong { what, len });
    }
    let put = Put::node(kind, head)
        .u16(len as u16 | form)
        .u16(old_len)
        .u16(new_len);
    Ok(put.bytes(content).done())
}

/// The data of a node, `old_len` bytes long, is replaced by `data`.
///
/// # Errors
/// [`TooLong`] for more than 32767 bytes.
pub fn replace(head: &NodeHead, old_len: u16, data: &[u8]) -> Encoded {
    let new_len = u16::try_from(data.len()).unwrap_or(u16::MAX);
    replacement(kind::REPLACE, head, (old_len, new_len), data, 0)
}

/// The data of a node changes by `diff`, from `lens.0` to `lens.1` bytes; `long` says which form of
/// diff it is.
///
/// # Errors
/// [`TooLong`] for a diff of more than 32767 bytes.
pub fn replace_d(head: &NodeHead, lens: (u16, u16), diff: &[u8], long: bool) -> Encoded {
    let form = if long { LONG_DIFF } else { 0 };
    replacement(kind::REPLACE_D, head, lens, diff, form)
}

/// The 32-bit number at `offset` of a node's data is raised.
///
/// # Errors
/// [`TooLong`] for a part of more than 65535 bytes.
pub fn delta(head: &NodeHead, bookmark: Bookmark<'_>, delta: i32, offset: u16) -> Encoded {
    let put = bookmark.lens(Put::node(kind::DELTA, head))?;
    let put = put.bytes(&delta.to_le_bytes()).u16(offset);
    Ok(put.bytes(bookmark.key).bytes(bookmark.data).done())
}

/// The 64-bit number at `offset` of a node's data is raised.
///
/// # Errors
/// [`TooLong`] for a part of more than 65535 bytes.
pub fn delta64(head: &NodeHead, bookmark: Bookmark<'_>, delta: i64, offset: u16) -> Encoded {
    let put = bookmark.lens(Put::node(kind::DELTA64, head))?;
    let put = put.bytes(&delta.to_le_bytes()).u16(offset);
    Ok(put.bytes(bookmark.key).bytes(bookmark.data).done())
}

/// The external header of a page is set.
///
/// # Errors
/// [`TooLong`] for more than 65535 bytes.
pub fn set_external_header(head: &NodeHead, data: &[u8]) -> Encoded {
    let put = Put::node(kind::SET_EXTERNAL_HEADER, head).len16(data, "external header")?;
    Ok(put.bytes(data).done())
}

/// What an operation replaced, written before the page may reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoInfo<'a> {
    /// The operation's head; both its times are [`super::NOT_GIVEN`].
    pub head: NodeHead,
    /// Which operation.
    pub operation: Operation,
    /// The most bytes that the node may need again.
    pub max_size: i16,
    /// Bytes that the operation added.
    pub size_change: i16,
    /// The node.
    pub bookmark: Bookmark<'a>,
    /// Its data before.
    pub before: &'a [u8],
}

impl UndoInfo<'_> {
    /// The record.
    ///
    /// # Errors
    /// [`TooLong`] for a part of more than 65535 bytes.
    pub fn encode(&self) -> Encoded {
        let put = self
            .bookmark
            .lens(Put::node(kind::UNDO_INFO, &self.head))?
            .u16(self.operation as u16)
            .bytes(&self.max_size.to_le_bytes())
            .bytes(&self.size_change.to_le_bytes())
            .len16(self.before, "before image")?;
        Ok(put
            .bytes(self.bookmark.key)
            .bytes(self.bookmark.data)
            .bytes(self.before)
            .done())
    }
}

/// An operation is undone: the head says where its node is now and what times the page gets,
/// `level` at which level the operation was.
///
/// # Errors
/// [`TooLong`] for a part of more than 65535 bytes.
pub fn undo(head: &NodeHead, operation: Operation, level: u8, bookmark: Bookmark<'_>) -> Encoded {
    let put = bookmark
        .lens(Put::node(kind::UNDO, head))?
        .u16(operation as u16)
        .u8(level);
    Ok(put.bytes(bookmark.key).bytes(bookmark.data).done())
}
