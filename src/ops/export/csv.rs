//! CSV (RFC 4180, but lines end in a line feed): one table a file, a heading, one line a row.
//!
//! The first field is the key (`$key`); with deleted rows a second one says whether the row is
//! deleted (`$deleted`). Null is an empty field, a text without characters a pair of quotes. Of a
//! column with several values the field is a JSON array. With hashes, a value of the long value tree
//! is `size:fnv`. A value that cannot be shown is empty; the summary tells of it.

use std::io::{self, Write};

use super::json;
use super::row::{Cell, CellPlace, Row};
use super::text;
use super::{ExportTable, LongMode, Loss, RowSink};
use crate::format::value::{CodePage, CsvField, Hex, Text, Value};

/// Writes rows as CSV. The caller gives each table a writer of its own; where it does not, the
/// tables follow one another, each with its heading.
pub struct Csv<W, L> {
    out: W,
    mode: LongMode,
    deleted: bool,
    on_loss: L,
}

impl<W: Write, L: FnMut(&Loss)> Csv<W, L> {
    /// Rows go to `out`, losses to `on_loss`; `deleted` adds a column that tells deleted rows.
    pub const fn new(out: W, mode: LongMode, deleted: bool, on_loss: L) -> Self {
        Self {
            out,
            mode,
            deleted,
            on_loss,
        }
    }

    /// Puts another writer in place of the one in use, which it returns.
    pub fn replace(&mut self, out: W) -> W {
        std::mem::replace(&mut self.out, out)
    }
}

impl<W: Write, L: FnMut(&Loss)> RowSink for Csv<W, L> {
    fn table(&mut self, table: &ExportTable<'_>) -> io::Result<()> {
        self.out.write_all(b"$key")?;
        if self.deleted {
            self.out.write_all(b",$deleted")?;
        }
        for column in &table.columns {
            write!(self.out, ",{}", field(&column.name))?;
        }
        self.out.write_all(b"\n")
    }

    fn row(&mut self, row: &mut Row<'_, '_>) -> io::Result<()> {
        let (out, mode) = (&mut self.out, self.mode);
        write!(out, "{}", Hex(row.key))?;
        if self.deleted {
            out.write_all(if row.deleted { b",1" } else { b",0" })?;
        }
        let columns = row.table.columns.len();
        let mut begun = 0;
        let mut several = Vec::new();
        row.cells(&mut |place, cell| {
            while begun <= place.index {
                out.write_all(b",")?;
                begun += 1;
            }
            if !place.column.multi_valued && place.of == 1 {
                return write_cell(out, mode, place, cell);
            }
            several.write_all(if place.itag == 1 { b"[" } else { b"," })?;
            json::write_cell(&mut several, mode, place, cell)?;
            if place.itag == place.of {
                several.write_all(b"]")?;
                write!(out, "{}", field(&String::from_utf8_lossy(&several)))?;
                several.clear();
            }
            Ok(())
        })?;
        for _ in begun..columns {
            out.write_all(b",")?;
        }
        out.write_all(b"\n")
    }

    fn table_end(&mut self, _table: &ExportTable<'_>, _rows: u64) -> io::Result<()> {
        self.out.flush()
    }

    fn loss(&mut self, loss: &Loss) -> io::Result<()> {
        (self.on_loss)(loss);
        Ok(())
    }
}

/// UTF-8 text as a field: the quoting rules know text only as a column value.
fn field(text: &str) -> String {
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    CsvField(Value::Text(Text::new(&wide, CodePage::Unicode))).to_string()
}

fn write_cell(
    out: &mut dyn Write,
    mode: LongMode,
    place: CellPlace<'_>,
    mut cell: Cell<'_>,
) -> io::Result<()> {
    if let Some((size, hash)) = text::hashed(&mut cell, mode)? {
        return write!(out, "{size}:{hash}");
    }
    match cell {
        Cell::Value { value, .. } => match value {
            Value::DateTime(date) => {
                let readable = date.ole_iso().or_else(|| date.filetime_iso());
                write!(
                    out,
                    "{}",
                    readable.unwrap_or_else(|| date.raw().to_string())
                )
            }
            value => write!(out, "{}", CsvField(value)),
        },
        Cell::Long(long) => text::quoted(out, place, long, |out, text| {
            out.write_all(text.replace('"', "\"\"").as_bytes())
        }),
        Cell::Unreadable(_) => Ok(()),
    }
}
