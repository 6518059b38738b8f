//! Values to the bytes of a log: records of every type that recovery appends and that made streams
//! need, the segments of the new format and the ranges of the old one.
//!
//! Layouts: log notes chapter 6, proved on real logs by `tests/log_records.rs`, which takes every
//! record of the corpus apart and makes it again. Reading is the business of [`super::logrec`].

pub mod control;
pub mod range;
mod record;
pub mod segment;

use std::io::Cursor;

use binrw::BinWrite;

use super::ids::{DbTime, Objid, Pgno};
use super::logrec::{NodeHead, PageHead, RecordKind};

pub use record::{EncodeFault, encode};

/// A part of a record that is longer than its length field can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} of a log record is too long: {len} bytes")]
pub struct TooLong {
    /// Which part.
    pub what: &'static str,
    /// Its length in bytes.
    pub len: usize,
}

/// A record under construction; every number little-endian.
struct Put(Vec<u8>);

impl Put {
    fn new(kind: RecordKind) -> Self {
        Self(vec![kind.get()])
    }

    fn page(kind: RecordKind, head: &PageHead) -> Self {
        Self::new(kind)
            .u16(head.procid.0)
            .u8(head.dbid.0)
            .pgno(head.pgno)
            .dbtime(head.after)
            .dbtime(head.before)
            .u32(head.trx.0)
            .u8(head.level)
            .u16(head.line)
            .u8(head.flags)
    }

    fn node(kind: RecordKind, head: &NodeHead) -> Self {
        Self::page(kind, &head.page)
            .u32(head.rceid.0)
            .pgno(head.pgno_fdp)
            .objid(head.objid)
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

    fn i32(self, value: i32) -> Self {
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
