//! The content dump: tables, columns, rows, values and index keys in a form that can be compared
//! line by line with what the engine itself says that a database holds.
//!
//! ```text
//! TABLE name
//!   COL name id=number typ=number
//!   ROW bm=key
//!     name[itag] (length) digits, and from 48 bytes on a hash
//!   ROWS number
//!   INDEX name entries=number keyhash=hash
//! ```

use std::io::{self, Write};

use super::hash::Fnv;
use super::row::{Cell, CellPlace, Row};
use super::text;
use super::{ExportTable, Exporter, Loss, RowSink};
use crate::db::Database;
use crate::db::catalog::{Index, Schema, Table};
use crate::format::value::Hex;
use crate::tree::walk::for_each_node;

/// Bytes of a value that are shown.
const SHOWN_VALUE: usize = 48;
/// Bytes of a row's key that are shown.
const SHOWN_KEY: usize = 300;
/// Values of one column of one row that are shown; the reference stops here too.
const VALUES_MOST: usize = 199;

/// Writes a table: columns, rows, indexes.
///
/// # Errors
/// The writer's.
pub fn dump_table(
    exporter: &mut Exporter<'_>,
    schema: &Schema,
    table: &Table,
    content: &mut Content<impl Write, impl FnMut(&Loss)>,
) -> io::Result<()> {
    exporter.table(schema, table, content)?;
    let mut indexes: Vec<&Index> = table.indexes.iter().collect();
    indexes.sort_by_key(|index| index.name.to_uppercase());
    for index in indexes {
        content.index(exporter.db, index)?;
    }
    content.out.flush()
}

/// Writes rows in the form of a content dump.
pub struct Content<W, L> {
    out: W,
    on_loss: L,
    table: String,
}

impl<W: Write, L: FnMut(&Loss)> Content<W, L> {
    /// The dump goes to `out`, losses go to `on_loss` and, as a line of their own, to `out`.
    pub const fn new(out: W, on_loss: L) -> Self {
        Self {
            out,
            on_loss,
            table: String::new(),
        }
    }

    /// Puts another writer in place of the one in use, which it returns.
    pub fn replace(&mut self, out: W) -> W {
        std::mem::replace(&mut self.out, out)
    }

    fn index(&mut self, db: &Database, index: &Index) -> io::Result<()> {
        let (mut entries, mut hash) = (0_u64, Fnv::START);
        let mut lost = None;
        for_each_node(
            db,
            index.root,
            |_, _, node| {
                entries += 1;
                hash.update(node.prefix);
                hash.update(node.suffix);
            },
            |page, failure| {
                lost.get_or_insert_with(|| format!("page {page}: {failure}"));
            },
        );
        if let Some(what) = lost {
            writeln!(self.out, "  UNREADABLE index {}: {what}", index.name)?;
        }
        let name = &index.name;
        writeln!(self.out, "  INDEX {name} entries={entries} keyhash={hash}")
    }
}

impl<W: Write, L: FnMut(&Loss)> RowSink for Content<W, L> {
    fn table(&mut self, table: &ExportTable<'_>) -> io::Result<()> {
        table.name().clone_into(&mut self.table);
        writeln!(self.out, "TABLE {}", table.name())?;
        let mut columns: Vec<_> = table.columns.iter().collect();
        columns.sort_by(|one, two| one.name.cmp(&two.name));
        for column in columns {
            let (name, id, typ) = (&column.name, column.columnid(), column.coltyp.number());
            writeln!(self.out, "  COL {name} id={id} typ={typ}")?;
        }
        Ok(())
    }

    fn row(&mut self, row: &mut Row<'_, '_>) -> io::Result<()> {
        let out = &mut self.out;
        let mark = if row.deleted { " deleted" } else { "" };
        out.write_all(b"  ROW bm=")?;
        shown(out, row.key, SHOWN_KEY)?;
        writeln!(out, "{mark}")?;
        row.cells(&mut |place, cell| match place.itag {
            ..=VALUES_MOST => write_cell(out, place, cell),
            _ => Ok(()),
        })
    }

    fn table_end(&mut self, _table: &ExportTable<'_>, rows: u64) -> io::Result<()> {
        writeln!(self.out, "  ROWS {rows}")
    }

    fn loss(&mut self, loss: &Loss) -> io::Result<()> {
        (self.on_loss)(loss);
        let in_table = !loss.table.is_empty() && loss.table == self.table;
        if in_table && loss.is_left_out() {
            writeln!(self.out, "  UNREADABLE {loss}")?;
        }
        Ok(())
    }
}

fn write_cell(out: &mut dyn Write, place: CellPlace<'_>, cell: Cell<'_>) -> io::Result<()> {
    let (name, itag) = (&place.column.name, place.itag);
    match cell {
        Cell::Value { bytes, .. } => {
            write!(out, "    {name}[{itag}] ({}) ", bytes.len())?;
            shown(out, bytes, SHOWN_VALUE)?;
        }
        Cell::Long(long) => {
            let mut start = Vec::new();
            long.pieces(&mut |piece| {
                let room = SHOWN_VALUE - start.len();
                start.extend_from_slice(&piece[..piece.len().min(room)]);
                Ok(())
            })?;
            let (size, hash) = (long.size(), text::hash(long)?);
            let start = Hex(&start);
            write!(
                out,
                "    {name}[{itag}] ({size}) {start}..[{size} fnv={hash}]"
            )?;
        }
        Cell::Unreadable(reason) => write!(out, "    {name}[{itag}] UNREADABLE {reason}")?,
    }
    out.write_all(b"\n")
}

fn shown(out: &mut dyn Write, bytes: &[u8], most: usize) -> io::Result<()> {
    if bytes.len() <= most {
        return write!(out, "{}", Hex(bytes));
    }
    let (len, hash) = (bytes.len(), Fnv::of(bytes));
    write!(out, "{}..[{len} fnv={hash}]", Hex(&bytes[..most]))
}
