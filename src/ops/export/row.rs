//! One row: its columns with their values, defaults applied, long values fetched.

use std::io;

use super::loss::{Loss, Reason};
use super::tables::{ExportColumn, ExportTable};
use crate::db::long_values::{LongFault, LongValues, Opened};
use crate::format::compress;
use crate::format::ids::Pgno;
use crate::format::lv::Lid;
use crate::format::record::{Field, Instance, Record, RecordFault, RecordLayout, Tagged};
use crate::format::schema::FidKind;
use crate::format::value::Value;

/// Long values up to this size are put together in memory; larger ones are handed out in pieces.
pub const WHOLE_MOST: u32 = 1024 * 1024;

/// Which value a cell is.
#[derive(Debug, Clone, Copy)]
pub struct CellPlace<'r> {
    /// The column.
    pub column: &'r ExportColumn,
    /// The column's position in [`ExportTable::columns`].
    pub index: usize,
    /// Which of the column's values, from 1 on.
    pub itag: usize,
    /// How many values the column has in this row.
    pub of: usize,
}

/// One value of a row; null values are not shown at all.
pub enum Cell<'c> {
    /// A value in memory.
    Value {
        /// With its type.
        value: Value<'c>,
        /// As it is stored, but decompressed.
        bytes: &'c [u8],
        /// It comes from the long value tree.
        separated: bool,
    },
    /// A long value that is better not held in memory.
    Long(&'c mut dyn LongCell),
    /// A value that is there but cannot be shown.
    Unreadable(&'c Reason),
}

/// A long value that is handed out in pieces. All of it has been read once, so that the pieces are
/// known to be sound.
pub trait LongCell {
    /// Its length in bytes.
    fn size(&self) -> u32;

    /// Gives out the bytes from the first to the last.
    ///
    /// # Errors
    /// What `piece` returns; an error of its own when the file has changed meanwhile.
    fn pieces(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>;
}

/// What a sink does with the cells of a row.
pub type ShowCell<'s> = &'s mut dyn FnMut(CellPlace<'_>, Cell<'_>) -> io::Result<()>;

/// A row, as a sink sees it.
pub struct Row<'r, 'd> {
    /// The table.
    pub table: &'r ExportTable<'r>,
    /// The page that it is on.
    pub page: Pgno,
    /// Its key, which is its bookmark too.
    pub key: &'r [u8],
    /// It is deleted, but still present.
    pub deleted: bool,
    record: Record<'r>,
    tagged: Vec<Tagged<'r>>,
    fault: Option<RecordFault>,
    long: &'r mut LongValues<'d>,
    buffer: &'r mut Vec<u8>,
    losses: Vec<Loss>,
}

/// Where a row comes from.
pub(super) struct RowPlace<'r> {
    pub page: Pgno,
    pub key: &'r [u8],
    pub deleted: bool,
}

impl<'r, 'd> Row<'r, 'd> {
    pub(super) fn new(
        table: &'r ExportTable<'r>,
        place: &RowPlace<'r>,
        record: Record<'r>,
        long: &'r mut LongValues<'d>,
        buffer: &'r mut Vec<u8>,
    ) -> Self {
        let mut tagged = Vec::new();
        let mut fault = None;
        for column in record.tagged() {
            match column {
                Ok(column) => tagged.push(column),
                Err(found) => fault = Some(found),
            }
        }
        let mut row = Self {
            table,
            page: place.page,
            key: place.key,
            deleted: place.deleted,
            record,
            tagged,
            fault,
            long,
            buffer,
            losses: Vec::new(),
        };
        if let Some(fault) = row.fault {
            row.lose(None, Reason::Tagged(fault));
        }
        row
    }

    /// Why columns may be missing, when the record is broken at some point.
    #[must_use]
    pub const fn fault(&self) -> Option<RecordFault> {
        self.fault
    }

    /// Shows every value that is not null, in the order of column ids and of values.
    ///
    /// # Errors
    /// What `show` returns.
    pub fn cells(&mut self, show: ShowCell<'_>) -> io::Result<()> {
        let table = self.table;
        let mut tagged = Tags::default();
        for (index, column) in table.columns.iter().enumerate() {
            let place = CellPlace {
                column,
                index,
                itag: 1,
                of: 1,
            };
            let field = match column.fid.kind() {
                FidKind::Fixed => self.record.fixed(column.fid, column.offset, column.size),
                FidKind::Variable => self.record.variable(column.fid),
                FidKind::Tagged => match tagged.find(&self.tagged, column, self.record.layout()) {
                    Some(found) => {
                        self.instances(place, found, show)?;
                        continue;
                    }
                    // Past the fault nobody knows whether the column has a value.
                    None if self.fault.is_some() => continue,
                    None => Ok(Field::Absent),
                },
            };
            match field {
                Ok(Field::Value(bytes)) => self.plain(place, bytes, show)?,
                Ok(Field::Null) => {}
                Ok(Field::Absent) => self.default_of(place, show)?,
                Err(fault) => self.unreadable(place, Reason::Column(fault), show)?,
            }
        }
        Ok(())
    }

    pub(super) fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    fn default_of(&mut self, place: CellPlace<'r>, show: ShowCell<'_>) -> io::Result<()> {
        let column = place.column;
        if let Some(callback) = &column.callback {
            let reason = Reason::CallbackDefault(callback.clone());
            return self.unreadable(place, reason, show);
        }
        match &column.default {
            Some(bytes) => self.plain(place, bytes, show),
            None => Ok(()),
        }
    }

    fn instances(
        &mut self,
        place: CellPlace<'r>,
        found: Tagged<'r>,
        show: ShowCell<'_>,
    ) -> io::Result<()> {
        let of = found.values().count();
        for (itag, instance) in (1..).zip(found.values()) {
            let place = CellPlace { itag, of, ..place };
            match instance {
                Instance::Separated(lid) => self.separated(place, lid, show)?,
                Instance::Intrinsic {
                    encrypted: true, ..
                } => {
                    self.unreadable(place, Reason::Encrypted, show)?;
                }
                Instance::Intrinsic {
                    bytes,
                    compressed: true,
                    ..
                } => self.compressed(place, bytes, show)?,
                Instance::Intrinsic { bytes, .. } => self.plain(place, bytes, show)?,
            }
        }
        Ok(())
    }

    fn plain(&mut self, place: CellPlace<'r>, bytes: &[u8], show: ShowCell<'_>) -> io::Result<()> {
        let column = place.column;
        match Value::decode(bytes, column.coltyp, column.code_page) {
            Ok(value) => show(
                place,
                Cell::Value {
                    value,
                    bytes,
                    separated: false,
                },
            ),
            Err(fault) => self.unreadable(place, Reason::Value(fault), show),
        }
    }

    fn compressed(
        &mut self,
        place: CellPlace<'r>,
        bytes: &[u8],
        show: ShowCell<'_>,
    ) -> io::Result<()> {
        let mut buffer = std::mem::take(self.buffer);
        buffer.clear();
        let done = match compress::decompress(bytes, None, &mut buffer) {
            Ok(()) => self.plain(place, &buffer, show),
            Err(fault) => self.unreadable(place, Reason::Compressed(fault), show),
        };
        *self.buffer = buffer;
        done
    }

    fn separated(&mut self, place: CellPlace<'r>, lid: Lid, show: ShowCell<'_>) -> io::Result<()> {
        let mut buffer = std::mem::take(self.buffer);
        buffer.clear();
        let done = match self.fetch(lid, &mut buffer) {
            Ok(None) => {
                let (bytes, column) = (&buffer[..], place.column);
                match Value::decode(bytes, column.coltyp, column.code_page) {
                    Ok(value) => show(
                        place,
                        Cell::Value {
                            value,
                            bytes,
                            separated: true,
                        },
                    ),
                    Err(fault) => self.unreadable(place, Reason::Value(fault), show),
                }
            }
            Ok(Some(opened)) => {
                let mut pieces = Pieces {
                    long: self.long,
                    opened,
                    buffer: &mut buffer,
                };
                show(place, Cell::Long(&mut pieces))
            }
            Err(fault) => self.unreadable(place, Reason::Long(fault), show),
        };
        *self.buffer = buffer;
        done
    }

    /// The whole value in `buffer`, or the value itself when it is large and has been read once.
    fn fetch(&mut self, lid: Lid, buffer: &mut Vec<u8>) -> Result<Option<Opened>, LongFault> {
        let opened = self.long.open(lid)?;
        let is_large = opened.size() > WHOLE_MOST;
        for offset in self.long.offsets(&opened) {
            if is_large {
                buffer.clear();
            }
            self.long.append(&opened, offset, buffer)?;
        }
        Ok(is_large.then_some(opened))
    }

    fn unreadable(
        &mut self,
        place: CellPlace<'r>,
        reason: Reason,
        show: ShowCell<'_>,
    ) -> io::Result<()> {
        let shown = show(place, Cell::Unreadable(&reason));
        self.lose(Some(place.column), reason);
        shown
    }

    fn lose(&mut self, column: Option<&ExportColumn>, reason: Reason) {
        self.losses.push(Loss {
            table: self.table.name().to_owned(),
            page: self.page,
            key: Some(self.key.to_vec()),
            column: column.map(|column| (column.fid, column.name.clone())),
            deleted: self.deleted,
            reason,
        });
    }
}

struct Pieces<'p, 'd> {
    long: &'p mut LongValues<'d>,
    opened: Opened,
    buffer: &'p mut Vec<u8>,
}

impl LongCell for Pieces<'_, '_> {
    fn size(&self) -> u32 {
        self.opened.size()
    }

    fn pieces(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        for offset in self.long.offsets(&self.opened) {
            self.buffer.clear();
            self.long
                .append(&self.opened, offset, self.buffer)
                .map_err(io::Error::other)?;
            piece(self.buffer)?;
        }
        Ok(())
    }
}

/// Finds the tagged columns of a record. Both they and the table's columns are in the order of their
/// ids within the own and within the inherited ones, so that one step forward mostly suffices.
#[derive(Default)]
struct Tags {
    next: usize,
}

impl Tags {
    fn find<'r>(
        &mut self,
        tagged: &[Tagged<'r>],
        column: &ExportColumn,
        layout: RecordLayout,
    ) -> Option<Tagged<'r>> {
        let is_it = |found: &Tagged<'_>| {
            // The oldest layout has no such mark: own ids begin above the template's.
            // [format notes 6.7]
            let marked = layout == RecordLayout::Old || found.derived == column.derived;
            found.fid == column.fid && marked
        };
        if let Some(found) = tagged.get(self.next).filter(|found| is_it(found)) {
            self.next += 1;
            return Some(*found);
        }
        let at = tagged.iter().position(is_it)?;
        self.next = at + 1;
        Some(tagged[at])
    }
}
