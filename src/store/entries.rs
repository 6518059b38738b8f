//! What rows say about one another, sorted by what it is about: the role of Isinteg's Refer.mdb, in bounded memory and beyond
//! it in a scratch file.
//!
//! ```text
//! key   number of the rule (2), key of the row that it is about
//! data  kind (1), table (4), number of the row (8), count of values (1), values (1 + 8 each), bookmark
//! ```

use std::io;

use super::finding::RowRef;
use crate::format::ids::Objid;
use crate::sorting::{Sorted, Sorter};

/// The row that has the key; such entries come first.
pub(super) const DEFINITION: u8 = 0;
/// A row that says something about the row that has the key: from here on, one number for each side of a rule.
pub(super) const REFERENCE: u8 = 1;

/// Collects entries.
pub(super) struct Entries {
    sorter: Sorter,
    key: Vec<u8>,
    data: Vec<u8>,
}

/// One entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'e> {
    pub rule: u16,
    pub key: &'e [u8],
    pub kind: u8,
    pub table: Objid,
    pub ordinal: u64,
    values: &'e [u8],
    pub bookmark: &'e [u8],
}

/// The row that an entry is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'o> {
    pub table: Objid,
    pub ordinal: u64,
    pub bookmark: &'o [u8],
}

impl Entries {
    pub fn new(sorter: Sorter) -> Self {
        Self {
            sorter,
            key: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Adds one.
    pub fn push(
        &mut self,
        (rule, kind): (u16, u8),
        key: &[u8],
        origin: &Origin<'_>,
        values: &[Option<i64>],
    ) -> io::Result<()> {
        self.key.clear();
        self.key.extend_from_slice(&rule.to_be_bytes());
        self.key.extend_from_slice(key);
        let data = &mut self.data;
        data.clear();
        data.push(kind);
        data.extend_from_slice(&origin.table.get().to_be_bytes());
        data.extend_from_slice(&origin.ordinal.to_be_bytes());
        data.push(values.len() as u8);
        for value in values {
            data.push(u8::from(value.is_some()));
            data.extend_from_slice(&value.unwrap_or_default().to_be_bytes());
        }
        data.extend_from_slice(origin.bookmark);
        self.sorter.push(&self.key, data)
    }

    pub fn finish(self) -> io::Result<Sorted> {
        self.sorter.finish()
    }
}

const VALUE_BYTES: usize = 9;

impl<'e> Entry<'e> {
    /// What was pushed; `None` when the scratch file does not hold what was written.
    pub fn parse(key: &'e [u8], data: &'e [u8]) -> Option<Self> {
        let (rule, key) = key.split_first_chunk::<2>()?;
        let (kind, rest) = data.split_first()?;
        let (table, rest) = rest.split_first_chunk::<4>()?;
        let (ordinal, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first()?;
        let (values, bookmark) = rest.split_at_checked(usize::from(*count) * VALUE_BYTES)?;
        Some(Self {
            rule: u16::from_be_bytes(*rule),
            key,
            kind: *kind,
            table: Objid::new(u32::from_be_bytes(*table)),
            ordinal: u64::from_be_bytes(*ordinal),
            values,
            bookmark,
        })
    }

    /// A value.
    pub fn value(&self, number: usize) -> Option<i64> {
        let at = number * VALUE_BYTES;
        let bytes = self.values.get(at..at + VALUE_BYTES)?;
        let number = bytes[1..].first_chunk::<8>()?;
        (bytes[0] != 0).then(|| i64::from_be_bytes(*number))
    }

    /// The row.
    pub fn row(&self) -> RowRef {
        RowRef {
            table: self.table,
            ordinal: self.ordinal,
            key: self.bookmark.to_vec(),
        }
    }
}
