//! `export`: every row of every table, with typed values, to a [`RowSink`]. What is damaged is told
//! of and left out; one row and one value are held at a time.

pub mod content;
pub mod csv;
mod hash;
pub mod json;
mod loss;
mod row;
mod tables;
mod text;

use std::io;

pub use hash::Fnv;
pub use loss::{Loss, Reason};
pub use row::{Cell, CellPlace, LongCell, Row, ShowCell, WHOLE_MOST};
pub use tables::{ExportColumn, ExportTable, read_schema, select};

use crate::db::Database;
use crate::db::catalog::{Schema, Table};
use crate::db::leaves::{Leaf, Salvage, for_each_leaf};
use crate::db::long_values::LongValues;
use crate::format::ids::Pgno;
use crate::format::page::{Node, Page};
use crate::format::record::{Record, RecordLayout};
use crate::progress::{Progress, Silent};
use row::RowPlace;

/// Receives the rows. Everything is borrowed: what is not written at once must be copied.
pub trait RowSink {
    /// A table begins.
    ///
    /// # Errors
    /// When it cannot be written; the export then ends.
    fn table(&mut self, table: &ExportTable<'_>) -> io::Result<()>;

    /// A row.
    ///
    /// # Errors
    /// When it cannot be written; the export then ends.
    fn row(&mut self, row: &mut Row<'_, '_>) -> io::Result<()>;

    /// The table ends.
    ///
    /// # Errors
    /// When it cannot be written; the export then ends.
    fn table_end(&mut self, table: &ExportTable<'_>, rows: u64) -> io::Result<()>;

    /// Something is left out.
    ///
    /// # Errors
    /// When it cannot be written; the export then ends.
    fn loss(&mut self, loss: &Loss) -> io::Result<()>;
}

/// How values of the long value tree are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongMode {
    /// With all their bytes.
    #[default]
    Whole,
    /// By length and hash.
    Hash,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Tables.
    pub tables: u64,
    /// Rows that are not deleted.
    pub rows: u64,
    /// Deleted rows.
    pub deleted: u64,
    /// Losses that were told of: pages, rows, values.
    pub left_out: u64,
}

/// An export in progress.
pub struct Exporter<'d> {
    db: &'d Database,
    progress: &'d dyn Progress,
    deleted: bool,
    salvage: Salvage,
    summary: Summary,
    key: Vec<u8>,
    buffer: Vec<u8>,
}

impl<'d> Exporter<'d> {
    /// An export of this database; with `deleted`, of deleted rows that are still present too.
    #[must_use]
    pub fn new(db: &'d Database, deleted: bool) -> Self {
        Self {
            db,
            progress: &Silent,
            deleted,
            salvage: Salvage::default(),
            summary: Summary::default(),
            key: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// `progress` hears of each leaf that is read.
    #[must_use]
    pub fn watched(self, progress: &'d dyn Progress) -> Self {
        Self { progress, ..self }
    }

    /// What was exported so far.
    #[must_use]
    pub const fn summary(&self) -> Summary {
        self.summary
    }

    /// Tells of losses that were found outside the tables: those of [`read_schema`].
    ///
    /// # Errors
    /// The sink's.
    pub fn tell(&mut self, losses: &[Loss], sink: &mut dyn RowSink) -> io::Result<()> {
        losses.iter().try_for_each(|loss| self.lose(loss, sink))
    }

    /// Exports one table.
    ///
    /// # Errors
    /// The sink's. Damage is no error.
    pub fn table(
        &mut self,
        schema: &Schema,
        table: &Table,
        sink: &mut dyn RowSink,
    ) -> io::Result<()> {
        let (export, missing) = ExportTable::new(schema, table);
        self.summary.tables += 1;
        sink.table(&export)?;
        if let Some(reason) = missing {
            let loss = Loss::of_table(table.name.clone(), Pgno::NULL, reason);
            self.lose(&loss, sink)?;
        }
        let before = self.summary.rows + self.summary.deleted;
        let mut long = LongValues::new(self.db, table);
        let mut salvage = std::mem::take(&mut self.salvage);
        let tree = (table.root, table.objid);
        let done = for_each_leaf(self.db, tree, &mut salvage, &mut |leaf| match leaf {
            Leaf::Page(pgno, page) => {
                self.progress.advance(1);
                self.leaf(&export, (pgno, page), &mut long, sink)
            }
            Leaf::Lost(pgno, failure) => {
                let reason = Reason::Page(failure.to_string());
                self.lose(&Loss::of_table(table.name.clone(), pgno, reason), sink)
            }
            Leaf::Beside(count) => {
                let reason = Reason::Beside(count);
                self.lose(
                    &Loss::of_table(table.name.clone(), Pgno::NULL, reason),
                    sink,
                )
            }
        });
        self.salvage = salvage;
        done?;
        let rows = self.summary.rows + self.summary.deleted - before;
        sink.table_end(&export, rows)
    }

    fn leaf(
        &mut self,
        table: &ExportTable<'_>,
        (pgno, page): (Pgno, Page<'_>),
        long: &mut LongValues<'d>,
        sink: &mut dyn RowSink,
    ) -> io::Result<()> {
        for node in page.nodes() {
            match node {
                Ok(node) if node.flags.is_deleted() && !self.deleted => {}
                Ok(node) => self.node(table, (pgno, page), &node, long, sink)?,
                Err(fault) => {
                    let reason = Reason::Node(fault);
                    self.lose(&Loss::of_table(table.name().to_owned(), pgno, reason), sink)?;
                }
            }
        }
        Ok(())
    }

    fn node(
        &mut self,
        table: &ExportTable<'_>,
        (pgno, page): (Pgno, Page<'_>),
        node: &Node<'_>,
        long: &mut LongValues<'d>,
        sink: &mut dyn RowSink,
    ) -> io::Result<()> {
        let mut key = std::mem::take(&mut self.key);
        let mut buffer = std::mem::take(&mut self.buffer);
        node.key_into(&mut key);
        let deleted = node.flags.is_deleted();
        let losses = match Record::with_layout(node.data, RecordLayout::of_page(page)) {
            Ok(record) => {
                let place = RowPlace {
                    page: pgno,
                    key: &key,
                    deleted,
                };
                let mut row = Row::new(table, &place, record, long, &mut buffer);
                sink.row(&mut row)?;
                match deleted {
                    true => self.summary.deleted += 1,
                    false => self.summary.rows += 1,
                }
                row.take_losses()
            }
            Err(fault) => vec![Loss {
                key: Some(key.clone()),
                deleted,
                ..Loss::of_table(table.name().to_owned(), pgno, Reason::Record(fault))
            }],
        };
        self.key = key;
        self.buffer = buffer;
        self.tell(&losses, sink)
    }

    fn lose(&mut self, loss: &Loss, sink: &mut dyn RowSink) -> io::Result<()> {
        if loss.is_left_out() {
            self.summary.left_out += 1;
        }
        sink.loss(loss)
    }
}
