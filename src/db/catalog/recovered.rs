//! Tables that a repair describes anew: one whose rows in the catalog are lost, its columns guessed from its records;
//! and one for long values that no record refers to.

use std::collections::BTreeMap;

use super::make::{DENSITY, NewColumn, NewRow, NewTree, is_name};
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::lv::Lid;
use crate::format::record::encode::{
    self, EncodeError, FIXED_START, FixedSlot, Instance, PlainValue, TaggedValue as NewTagged,
};
use crate::format::record::{Record, RecordFault, TaggedHeader, TaggedValue};
use crate::format::schema::{Coltyp, Fid, FidKind, column_flags};

/// Longest value of a column that is no long value. [format notes 6.5]
const SHORT_MOST: u16 = 255;
/// Bytes that a long value id takes where its width must not matter.
const LID_BYTES: u16 = 8;

/// What the records of a table tell about its columns.
///
/// A record tells how many fixed columns it has and how many bytes they take together; records of several ages, with
/// more or fewer columns, tell some of the boundaries. Memory: some bytes for each tagged column seen.
#[derive(Debug, Clone, Default)]
pub struct SeenColumns {
    /// Bytes of the fixed columns up to one that was the last of a record.
    fixed: BTreeMap<u16, u16>,
    variable_last: Option<Fid>,
    tagged: BTreeMap<Fid, SeenTagged>,
    derived: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct SeenTagged {
    /// Seen with the mark of a long value, and without.
    long: bool,
    short: bool,
    several: bool,
}

impl SeenColumns {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a sound record into account.
    ///
    /// # Errors
    /// The first [`RecordFault`] of its tagged columns; those before it have been taken into account.
    pub fn add(&mut self, record: &Record<'_>) -> Result<(), RecordFault> {
        let last = record.fixed_last().get();
        if last > 0 {
            let bytes = record.fixed_bytes().len() as u16;
            // Contradictions are damage; every record has room for the smaller.
            let known = self.fixed.entry(last).or_insert(bytes);
            *known = bytes.min(*known);
        }
        if record.variable_last() >= Fid::FIRST_VARIABLE {
            self.variable_last = self.variable_last.max(Some(record.variable_last()));
        }
        for tagged in record.tagged() {
            let tagged = tagged?;
            if tagged.derived {
                self.derived = true;
                continue;
            }
            let seen = self.tagged.entry(tagged.fid).or_default();
            match tagged.value {
                // On small pages it does not say what it is.
                TaggedValue::Null => {}
                _ if tagged.header.any(TaggedHeader::LONG) => seen.long = true,
                _ => seen.short = true,
            }
            seen.several |= matches!(
                tagged.value,
                TaggedValue::Two(..) | TaggedValue::Multi(_) | TaggedValue::Run(_)
            );
        }
        Ok(())
    }

    /// Takes a fixed column into account whose row is there: where it begins and ends, others end and begin.
    pub fn add_known(&mut self, fid: Fid, offset: u16, size: u16) {
        let Some(start) = offset.checked_sub(FIXED_START as u16) else {
            return;
        };
        for (last, end) in [
            (fid.get() - 1, start),
            (fid.get(), start.saturating_add(size)),
        ] {
            if last > 0 && end > 0 {
                self.fixed.insert(last, end);
            }
        }
    }

    /// True when records have tagged columns of a template table. Without the template no column row can name them.
    #[must_use]
    pub const fn has_derived(&self) -> bool {
        self.derived
    }

    /// Columns that let all values of the records be read, in order of their ids. What lies between two known boundaries of
    /// fixed columns is one byte for each but the last, which takes the rest.
    #[must_use]
    pub fn columns(&self) -> Vec<NewColumn> {
        let mut columns = self.fixed_columns();
        if let Some(last) = self.variable_last {
            let fids = Fid::FIRST_VARIABLE.get()..=last.get();
            columns.extend(fids.map(|fid| binary(Fid::new(fid), SHORT_MOST, 0)));
        }
        columns.extend(self.tagged.iter().map(|(fid, seen)| {
            let mut column = if seen.short && !seen.long {
                binary(*fid, SHORT_MOST, 0)
            } else {
                long_binary(*fid)
            };
            if seen.several {
                column.flags |= column_flags::MULTI_VALUED;
            }
            column
        }));
        columns
    }

    fn fixed_columns(&self) -> Vec<NewColumn> {
        let mut columns = Vec::new();
        let (mut done, mut start) = (0, 0);
        for (last, end) in self.boundaries() {
            let count = last - done;
            let mut sizes = vec![1_u16; count.into()];
            let mut rest = u16::saturating_sub(end - start, count);
            for size in sizes.iter_mut().rev() {
                let more = rest.min(SHORT_MOST - 1);
                *size += more;
                rest -= more;
            }
            let mut offset = FIXED_START as u16 + start;
            for (fid, size) in (done + 1..).zip(sizes) {
                let column = binary(Fid::new(fid), size, offset);
                columns.push(match size {
                    1 => NewColumn {
                        coltyp: Coltyp::UnsignedByte,
                        ..column
                    },
                    _ => column,
                });
                offset += size;
            }
            (done, start) = (last, end);
        }
        columns
    }

    /// Last column and end of each group of fixed columns; what cannot be together with a higher one is left out.
    fn boundaries(&self) -> Vec<(u16, u16)> {
        let holds = |columns: u16, bytes: u16| {
            columns <= bytes && u32::from(bytes) <= u32::from(columns) * u32::from(SHORT_MOST)
        };
        let mut kept: Vec<(u16, u16)> = Vec::new();
        for (last, end) in self.fixed.iter().rev() {
            let fits = match kept.last() {
                None => true,
                Some((above, above_end)) => {
                    holds(*last, *end) && *end < *above_end && holds(above - last, above_end - end)
                }
            };
            if fits {
                kept.push((*last, *end));
            }
        }
        kept.reverse();
        kept
    }
}

const fn binary(fid: Fid, max: u16, offset: u16) -> NewColumn {
    NewColumn {
        fid,
        coltyp: Coltyp::Binary,
        max: max as u32,
        flags: 0,
        code_page: 0,
        offset,
    }
}

const fn long_binary(fid: Fid) -> NewColumn {
    NewColumn {
        fid,
        coltyp: Coltyp::LongBinary,
        max: 0,
        flags: 0,
        code_page: 0,
        offset: 0,
    }
}

/// A table to be described.
#[derive(Debug, Clone, Copy)]
pub struct NewTable<'n> {
    /// Object id.
    pub objid: Objid,
    /// Name, see [`is_name`].
    pub name: &'n str,
    /// Root, or any page but the null page while it is not known: rows without a root say that there is no tree.
    pub root: Pgno,
    /// Object id and root of its long value tree.
    pub long_values: Option<(Objid, Pgno)>,
}

/// Why rows cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// The engine would not take the name.
    #[error("{0:?} cannot be the name of a table")]
    Name(String),
    /// A root is null.
    #[error("object {0} has no root")]
    NoRoot(Objid),
}

/// Name of a table whose own name is lost.
#[must_use]
pub fn recovered_name(objid: Objid) -> String {
    format!("recovered-{objid}")
}

/// Name of a table of long values that the records of table `objid` do not refer to.
#[must_use]
pub fn orphaned_long_values_name(objid: Objid) -> String {
    format!("orphaned-long-values-{objid}")
}

/// The name, with a number behind it if an earlier repair has given it away; a defragmentation numbers objects anew, so
/// that names of recovered tables say nothing of who has which number now. `is_taken` is asked with names in upper case.
#[must_use]
pub fn free_name(name: String, is_taken: impl Fn(&str) -> bool) -> String {
    let mut free = name.clone();
    let mut number = 2_u32;
    while is_taken(&free.to_ascii_uppercase()) {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

/// The catalog's rows, in the order of their keys, for a table with the records that were seen. It has no index: its
/// nodes keep the keys that they have.
///
/// # Errors
/// [`MakeError`].
pub fn recovered_table(table: &NewTable<'_>, seen: &SeenColumns) -> Result<Vec<NewRow>, MakeError> {
    let columns = seen.columns().into_iter().map(|column| {
        let kind = match column.fid.kind() {
            FidKind::Fixed => "fixed",
            FidKind::Variable => "variable",
            FidKind::Tagged => "tagged",
        };
        (format!("{kind}-{}", column.fid), column)
    });
    rows(table, columns)
}

/// Columns of a table of orphaned long values.
mod orphan {
    use crate::format::schema::Fid;

    /// Long value id, big-endian, so that ids sort and read as numbers.
    pub const LID: Fid = Fid::new(1);
    /// Bytes.
    pub const SIZE: Fid = Fid::new(2);
    /// The long value.
    pub const VALUE: Fid = Fid::new(256);
}

/// Bytes of the `size` column.
const SIZE_BYTES: u16 = 4;

/// The catalog's rows, in the order of their keys, for a table of orphaned long values: the id, the size in bytes, and the value.
/// Its records are made by [`orphaned_long_value`].
///
/// # Errors
/// [`MakeError`].
pub fn orphaned_long_values(table: &NewTable<'_>) -> Result<Vec<NewRow>, MakeError> {
    let start = FIXED_START as u16;
    let size = NewColumn {
        coltyp: Coltyp::Long,
        ..binary(orphan::SIZE, SIZE_BYTES, start + LID_BYTES)
    };
    let columns = [
        ("lid", binary(orphan::LID, LID_BYTES, start)),
        ("size", size),
        ("value", long_binary(orphan::VALUE)),
    ];
    rows(
        table,
        columns
            .into_iter()
            .map(|(name, column)| (name.to_owned(), column)),
    )
}

/// Appends a record for [`orphaned_long_values`], in the new layout: it refers to the long value, whose root must count that.
///
/// # Errors
/// [`EncodeError`] is what the encoder may say; such a record, short and in order, is never refused.
pub fn orphaned_long_value(
    lid: Lid,
    size: u32,
    page_size: PageSize,
    into: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let slot = |fid, offset, size| FixedSlot {
        fid,
        offset,
        size,
        pad: 0,
    };
    let start = FIXED_START as u16;
    let slots = [
        slot(orphan::LID, start, LID_BYTES),
        slot(orphan::SIZE, start + LID_BYTES, SIZE_BYTES),
    ];
    let (number, size, reference) = (
        lid.get().to_be_bytes(),
        size.to_le_bytes(),
        lid.get().to_le_bytes(),
    );
    let plain = |fid, bytes| PlainValue {
        fid,
        bytes: Some(bytes),
    };
    let fixed = [plain(orphan::LID, &number), plain(orphan::SIZE, &size)];
    let value = NewTagged {
        fid: orphan::VALUE,
        derived: false,
        long: true,
        instances: vec![Instance::Separated(&reference[..lid.record_len()])],
    };
    encode::encode(&slots, &fixed, &[], &[value], page_size, into)
}

fn rows(
    table: &NewTable<'_>,
    columns: impl Iterator<Item = (String, NewColumn)>,
) -> Result<Vec<NewRow>, MakeError> {
    if !is_name(table.name) {
        return Err(MakeError::Name(table.name.to_owned()));
    }
    let roots = [(table.objid, table.root)]
        .into_iter()
        .chain(table.long_values);
    if let Some((objid, _)) = { roots }.find(|(_, root)| root.is_null()) {
        return Err(MakeError::NoRoot(objid));
    }
    let tree = NewTree {
        objid: table.objid,
        root: table.root,
        density: DENSITY,
    };
    let mut rows = vec![NewRow::table(tree, table.name, 0, 1)];
    rows.extend(columns.map(|(name, column)| NewRow::column(table.objid, &name, column)));
    if let Some((objid, root)) = table.long_values {
        rows.push(NewRow::long_values(table.objid, objid, root));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
