//! A record with other values in some of its columns; everything else stays, byte for byte.
//!
//! ```text
//!  fixed      the value and its null bit are overwritten where they are. A record that ends before the column is made
//!             longer; the columns between keep their meaning, which is their default, now said explicitly, or null
//!  variable   the same, with end offsets in place of null bits
//!  tagged     the column is left out, and put in again where it belongs with all its values; none: it stays out, or is
//!             null, said explicitly, where something else would speak in its place
//! ```
//! Values go into the record as they are, never into the long value tree and never compressed. [format notes 7.1-7.5]

mod plain;
mod tagged;

use super::decode::{Record, RecordLayout};
use super::encode::EncodeError;
use super::fault::RecordFault;
use crate::format::schema::{Fid, FidKind};

/// The values that a column is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnChange {
    /// The column.
    pub fid: Fid,
    /// It belongs to the template table. Only for tagged columns this makes a difference: the ids of the others are of
    /// one series.
    pub derived: bool,
    /// Fixed and variable columns: one value at the most. None: null.
    pub values: Vec<Vec<u8>>,
}

/// What the catalog knows of a column, as far as its place in a record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnShape {
    /// The column.
    pub fid: Fid,
    /// It belongs to the template table.
    pub derived: bool,
    /// It is of a long value type.
    pub long: bool,
    /// Bytes of each value, for types that have a size.
    pub size: Option<usize>,
    /// Most bytes of a value; of a fixed column without a size of its type, the bytes that it takes.
    pub longest: usize,
    /// Where a fixed column lies, in bytes from the start of the record.
    pub offset: usize,
    /// What shorter values of fixed columns are filled up with.
    pub pad: u8,
    /// What speaks where a record says nothing of the column.
    pub default: Option<Vec<u8>>,
    /// Something does: the default, or a callback.
    pub has_default: bool,
    /// It may not be null.
    pub not_null: bool,
    /// Its values are encrypted with a key of the application's.
    pub encrypted: bool,
}

impl ColumnShape {
    /// Bytes that a fixed column takes.
    fn width(&self) -> usize {
        self.size.unwrap_or(self.longest)
    }

    /// Derived columns before own ones, ids increasing among each.
    const fn order(&self) -> (bool, Fid) {
        (!self.derived, self.fid)
    }

    fn allows(&self, values: &[Vec<u8>]) -> Result<(), SetError> {
        let fid = self.fid;
        if values.is_empty() && self.not_null {
            return Err(SetError::NotNull { fid });
        }
        if self.fid.kind() != FidKind::Tagged && values.len() > 1 {
            return Err(SetError::Several { fid });
        }
        if self.encrypted && !values.is_empty() {
            return Err(SetError::Encrypted { fid });
        }
        for value in values {
            let len = value.len();
            let fits = self.size.map_or(len <= self.longest, |size| size == len);
            if !fits {
                return Err(SetError::Size { fid, len });
            }
        }
        Ok(())
    }
}

/// What the catalog knows of the records of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordShape {
    /// By kind and id; among the tagged ones those of the template first.
    columns: Vec<ColumnShape>,
    longest: usize,
}

impl RecordShape {
    /// Columns in any order, without deleted ones, and the most bytes that a record may have.
    #[must_use]
    pub fn new(mut columns: Vec<ColumnShape>, longest: usize) -> Self {
        columns.sort_by_key(|column| match column.fid.kind() {
            FidKind::Fixed | FidKind::Variable => (false, false, column.fid),
            FidKind::Tagged => (true, !column.derived, column.fid),
        });
        Self { columns, longest }
    }

    /// A column; `derived` counts for tagged columns only.
    #[must_use]
    pub fn column(&self, fid: Fid, derived: bool) -> Option<&ColumnShape> {
        let tagged = fid.kind() == FidKind::Tagged;
        self.columns
            .iter()
            .find(|column| column.fid == fid && (!tagged || column.derived == derived))
    }

    /// Columns of a kind behind `after` and up to `last`, in order.
    fn between(&self, after: Fid, last: Fid) -> impl Iterator<Item = &ColumnShape> {
        let kind = last.kind();
        self.columns.iter().filter(move |column| {
            column.fid.kind() == kind && column.fid > after && column.fid <= last
        })
    }
}

/// Why a record cannot have such values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The record cannot be read.
    #[error(transparent)]
    Fault(#[from] RecordFault),
    /// It does not fit its layout.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The table has no such column.
    #[error("the table has no column {fid}")]
    NoColumn {
        /// The column.
        fid: Fid,
    },
    /// The column may not be null.
    #[error("column {fid} may not be null")]
    NotNull {
        /// The column.
        fid: Fid,
    },
    /// Several values for a column that holds one.
    #[error("column {fid} holds one value")]
    Several {
        /// The column.
        fid: Fid,
    },
    /// The column's values are encrypted.
    #[error("the values of column {fid} are encrypted")]
    Encrypted {
        /// The column.
        fid: Fid,
    },
    /// A value is not of the column's size, or too long for it.
    #[error("a value of {len} bytes does not fit column {fid}")]
    Size {
        /// The column.
        fid: Fid,
        /// Bytes of the value.
        len: usize,
    },
    /// Where the catalog places the column, the record has something else.
    #[error("column {fid} is not where the catalog places it")]
    Misplaced {
        /// The column.
        fid: Fid,
    },
    /// The record would have to say what the default of the column is, and only a callback can.
    #[error("the default of column {fid} is not known")]
    UnknownDefault {
        /// The column.
        fid: Fid,
    },
    /// The record would be too long.
    #[error("a record of {bytes} bytes is longer than the {most} that are allowed")]
    TooLong {
        /// Bytes that it would have.
        bytes: usize,
        /// The most that it may have.
        most: usize,
    },
}

/// A change that is allowed, and its column.
#[derive(Clone, Copy)]
struct Change<'c> {
    column: &'c ColumnShape,
    values: &'c [Vec<u8>],
}

impl<'c> Change<'c> {
    /// The value of a column that has one at the most.
    fn value(&self) -> Option<&'c [u8]> {
        self.values.first().map(Vec::as_slice)
    }
}

/// Appends the record `data` to `out`, with these columns set; of two changes of one column the later one counts. A
/// record that grows may have as many bytes as `shape` says.
///
/// # Errors
/// [`SetError`]; `out` is then as it was.
pub fn with_columns(
    data: &[u8],
    layout: RecordLayout,
    shape: &RecordShape,
    changes: &[ColumnChange],
    out: &mut Vec<u8>,
) -> Result<(), SetError> {
    let start = out.len();
    let written = write(data, layout, shape, changes, out).and_then(|()| {
        let bytes = out.len() - start;
        if bytes > shape.longest && bytes > data.len() {
            let most = shape.longest;
            return Err(SetError::TooLong { bytes, most });
        }
        Ok(())
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write(
    data: &[u8],
    layout: RecordLayout,
    shape: &RecordShape,
    changes: &[ColumnChange],
    out: &mut Vec<u8>,
) -> Result<(), SetError> {
    let record = Record::with_layout(data, layout)?;
    let changes = allowed(shape, changes)?;
    let of_kind = |kind| -> Vec<Change<'_>> {
        let own = changes.iter().copied();
        own.filter(|change| change.column.fid.kind() == kind)
            .collect()
    };
    let start = out.len();
    plain::fixed(&record, shape, &of_kind(FidKind::Fixed), out)?;
    plain::variable(&record, shape, &of_kind(FidKind::Variable), start, out)?;
    tagged::write(&record, &of_kind(FidKind::Tagged), out)
}

/// The changes in the order of the columns, each column once.
fn allowed<'c>(
    shape: &'c RecordShape,
    changes: &'c [ColumnChange],
) -> Result<Vec<Change<'c>>, SetError> {
    let mut allowed: Vec<Change<'c>> = Vec::with_capacity(changes.len());
    for change in changes {
        let fid = change.fid;
        let column = shape
            .column(fid, change.derived)
            .ok_or(SetError::NoColumn { fid })?;
        let values = &change.values[..];
        column.allows(values)?;
        let same = |other: &&mut Change<'c>| std::ptr::eq(other.column, column);
        match allowed.iter_mut().find(same) {
            Some(earlier) => earlier.values = values,
            None => allowed.push(Change { column, values }),
        }
    }
    allowed.sort_by_key(|change| change.column.order());
    Ok(allowed)
}

#[cfg(test)]
mod tests;
