//! Values to the bytes of a log: records of every type that recovery appends and that made streams
//! need, the segments of the new format and the ranges of the old one.
//!
//! Layouts: log notes chapter 6, proved on real logs by `tests/log_writer.rs`, which takes every
//! record of the corpus apart and makes it again. Reading is the business of other modules.

pub mod control;
pub mod database;
pub mod kind;
pub mod node;
pub mod range;
pub mod segment;
pub mod space;
pub mod structure;

use std::io::Cursor;

use binrw::BinWrite;

use super::ids::{DbTime, Objid, Pgno};

/// A part of a record that is longer than its length field can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} of a log record is too long: {len} bytes")]
pub struct TooLong {
    /// Which part.
    pub what: &'static str,
    /// Its length in bytes.
    pub len: usize,
}

/// The bytes of a record, or which part of it is too long.
pub type Encoded = Result<Vec<u8>, TooLong>;

/// What every operation on a page says first, 32 bytes with the type. [log notes 6.1, verified]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageHead {
    /// Session.
    pub procid: u16,
    /// Database, 1 to 6.
    pub dbid: u8,
    /// The page.
    pub pgno: Pgno,
    /// Its time after the operation.
    pub dbtime: DbTime,
    /// Its time before; [`NOT_GIVEN`] when the operation is part of a split.
    pub dbtime_before: DbTime,
    /// Transaction id.
    pub trx: u32,
    /// Transaction level of the operation.
    pub level: u8,
    /// Line in the page, the external header not counted.
    pub line: u16,
    /// 1 versioned, 2 deleted, 4 unique tree, 8 space operation, 0x10 index under construction, 0x20
    /// system task.
    pub flags: u8,
}

/// The time before of an operation that has none.
pub const NOT_GIVEN: DbTime = DbTime::new(u64::MAX);

/// What every operation on a node says first, 44 bytes with the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeHead {
    /// The page.
    pub page: PageHead,
    /// Id of the entry in the version store; undo refers to it.
    pub rceid: u32,
    /// Root of the tree.
    pub pgno_fdp: Pgno,
    /// The tree.
    pub objid_fdp: Objid,
}

/// A record under construction; every number little-endian.
struct Put(Vec<u8>);

impl Put {
    fn new(kind: u8) -> Self {
        Self(vec![kind])
    }

    fn page(kind: u8, head: &PageHead) -> Self {
        Self::new(kind)
            .u16(head.procid)
            .u8(head.dbid)
            .pgno(head.pgno)
            .dbtime(head.dbtime)
            .dbtime(head.dbtime_before)
            .u32(head.trx)
            .u8(head.level)
            .u16(head.line)
            .u8(head.flags)
    }

    fn node(kind: u8, head: &NodeHead) -> Self {
        Self::page(kind, &head.page)
            .u32(head.rceid)
            .pgno(head.pgno_fdp)
            .objid(head.objid_fdp)
    }

    /// A record of the kind that old readers skip: type, length, content.
    fn skippable(kind: u8, content: Self) -> Vec<u8> {
        let content = &content.0[1..];
        let mut record = Self::new(kind).u32(content.len() as u32).0;
        record.extend_from_slice(content);
        record
    }

    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn pgno(self, value: Pgno) -> Self {
        self.u32(value.get())
    }

    fn objid(self, value: Objid) -> Self {
        self.u32(value.get())
    }

    fn dbtime(self, value: DbTime) -> Self {
        self.u64(value.get())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A structure that knows its own layout.
    fn part<T>(mut self, part: &T) -> Self
    where
        T: BinWrite,
        for<'a> T::Args<'a>: Default,
    {
        let end = self.0.len() as u64;
        let mut cursor = Cursor::new(&mut self.0);
        cursor.set_position(end);
        part.write_le(&mut cursor).expect("a Vec takes every byte");
        self
    }

    /// The length of `bytes` as 16 bits.
    fn len16(self, bytes: &[u8], what: &'static str) -> Result<Self, TooLong> {
        let len = bytes.len();
        let value = u16::try_from(len).map_err(|_| TooLong { what, len })?;
        Ok(self.u16(value))
    }

    /// The length of `bytes` as 32 bits.
    fn len32(self, bytes: &[u8], what: &'static str) -> Result<Self, TooLong> {
        let len = bytes.len();
        let value = u32::try_from(len).map_err(|_| TooLong { what, len })?;
        Ok(self.u32(value))
    }

    fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A path as records hold it, terminated: UTF-16LE or ASCII.
fn path_bytes(path: &str, utf16: bool) -> Vec<u8> {
    if utf16 {
        let units = path.encode_utf16().chain([0]);
        return units.flat_map(u16::to_le_bytes).collect();
    }
    path.bytes().chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::{NodeHead, PageHead, Put};
    use crate::format::ids::{DbTime, Objid, Pgno};

    #[test]
    fn heads_are_as_long_as_they_must_be() {
        let page = PageHead {
            procid: 0x0102,
            dbid: 3,
            pgno: Pgno::new(0x0405_0607),
            dbtime: DbTime::new(0x08),
            dbtime_before: DbTime::new(0x09),
            trx: 0x0A,
            level: 1,
            line: 0x0B0C,
            flags: 5,
        };
        let record = Put::page(99, &page).done();
        assert_eq!(record.len(), 32);
        assert_eq!(record[..8], [99, 2, 1, 3, 7, 6, 5, 4]);
        assert_eq!(record[28..], [1, 0x0C, 0x0B, 5]);
        let node = NodeHead {
            page,
            rceid: 1,
            pgno_fdp: Pgno::new(2),
            objid_fdp: Objid::new(3),
        };
        assert_eq!(Put::node(99, &node).done().len(), 44);
        let skippable = Put::skippable(71, Put::new(0).u16(7));
        assert_eq!(skippable, [71, 2, 0, 0, 0, 7, 0]);
    }
}
