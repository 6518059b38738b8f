//! JSON Lines: one object a row.
//!
//! ```json
//! {"table":"T","key":"7f80000001","values":{"id":1,"tags":["a","b"],"blob":"00ff"}}
//! ```
//!
//! Null columns are left out. A column that may have several values is an array. Binary values are
//! hexadecimal digits. With hashes, a value of the long value tree is `{"size":n,"fnv":"..."}`. A
//! value that cannot be shown is `{"unreadable":"why"}`. `"deleted":true` marks a deleted row, and
//! `"incomplete":"why"` one whose record is broken from some column on.

use std::io::{self, Write};

use serde::Serialize;

use super::row::{Cell, CellPlace, Row};
use super::text;
use super::{ExportTable, LongMode, Loss, RowSink};
use crate::format::value::Hex;

/// Writes rows as JSON Lines.
pub struct JsonLines<W, L> {
    out: W,
    mode: LongMode,
    on_loss: L,
}

#[derive(Serialize)]
struct Hashed {
    size: u64,
    fnv: String,
}

#[derive(Serialize)]
struct Unreadable {
    unreadable: String,
}

impl<W: Write, L: FnMut(&Loss)> JsonLines<W, L> {
    /// Rows go to `out`, losses to `on_loss`.
    pub const fn new(out: W, mode: LongMode, on_loss: L) -> Self {
        Self { out, mode, on_loss }
    }

    /// Puts another writer in place of the one in use, which it returns.
    pub fn replace(&mut self, out: W) -> W {
        std::mem::replace(&mut self.out, out)
    }
}

impl<W: Write, L: FnMut(&Loss)> RowSink for JsonLines<W, L> {
    fn table(&mut self, _table: &ExportTable<'_>) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &mut Row<'_, '_>) -> io::Result<()> {
        let (out, mode) = (&mut self.out, self.mode);
        out.write_all(b"{\"table\":")?;
        json(out, row.table.name())?;
        write!(out, ",\"key\":\"{}\"", Hex(row.key))?;
        if row.deleted {
            out.write_all(b",\"deleted\":true")?;
        }
        out.write_all(b",\"values\":{")?;
        let mut any = false;
        row.cells(&mut |place, cell| {
            let is_array = place.column.multi_valued || place.of > 1;
            if std::mem::replace(&mut any, true) {
                out.write_all(b",")?;
            }
            if place.itag == 1 {
                json(out, &place.column.name)?;
                out.write_all(b":")?;
                if is_array {
                    out.write_all(b"[")?;
                }
            }
            write_cell(out, mode, place, cell)?;
            if is_array && place.itag == place.of {
                out.write_all(b"]")?;
            }
            Ok(())
        })?;
        out.write_all(b"}")?;
        if let Some(fault) = row.fault() {
            out.write_all(b",\"incomplete\":")?;
            json(out, &fault.to_string())?;
        }
        out.write_all(b"}\n")
    }

    fn table_end(&mut self, _table: &ExportTable<'_>, _rows: u64) -> io::Result<()> {
        self.out.flush()
    }

    fn loss(&mut self, loss: &Loss) -> io::Result<()> {
        (self.on_loss)(loss);
        Ok(())
    }
}

/// One value as JSON.
pub(super) fn write_cell(
    out: &mut dyn Write,
    mode: LongMode,
    place: CellPlace<'_>,
    mut cell: Cell<'_>,
) -> io::Result<()> {
    if let Some((size, hash)) = text::hashed(&mut cell, mode)? {
        let fnv = hash.to_string();
        return json(out, &Hashed { size, fnv });
    }
    match cell {
        Cell::Value { value, .. } => json(out, &value),
        Cell::Long(long) => text::quoted(out, place, long, |out, text| {
            let escaped = serde_json::to_string(text).map_err(io::Error::from)?;
            out.write_all(&escaped.as_bytes()[1..escaped.len() - 1])
        }),
        Cell::Unreadable(reason) => json(
            out,
            &Unreadable {
                unreadable: reason.to_string(),
            },
        ),
    }
}

fn json<T: Serialize + ?Sized>(out: &mut (impl Write + ?Sized), value: &T) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}
