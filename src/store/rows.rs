//! The rows of a table in key order, each with the values of the columns that are asked for.

use std::io;
use std::ops::ControlFlow;

use super::columns::{ColumnPlace, Values};
use crate::db::catalog::{Schema, Table};
use crate::db::long_values::LongValues;
use crate::db::{Database, PageBytes};
use crate::format::ids::Objid;
use crate::format::record::{Record, RecordLayout, RecordShape, with_columns};
use crate::repair::{Amendments, RowChange};
use crate::tree::walk::{Descent, Visit, seek};

/// A row.
pub struct Row<'r> {
    /// Its key, which is its bookmark too.
    pub key: &'r [u8],
    /// Its number in the table, from 1 on.
    pub ordinal: u64,
    /// Values of the columns that were asked for, in that order.
    pub values: &'r Values,
}

/// What stood in the way of reading all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// Pages that cannot be used.
    pub pages: u64,
    /// Nodes and records that cannot be read.
    pub rows: u64,
    /// The first of it, in words.
    pub first: Option<String>,
}

impl Unread {
    /// Something was left out.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        self.pages > 0 || self.rows > 0
    }

    fn row(&mut self, what: impl std::fmt::Display) {
        self.rows += 1;
        self.first.get_or_insert_with(|| what.to_string());
    }
}

/// A database as it would be with some rows changed.
#[derive(Clone, Copy)]
pub struct View<'d> {
    /// The database.
    pub db: &'d Database,
    /// Its catalog.
    pub schema: &'d Schema,
    /// What is to be changed.
    pub amendments: Option<&'d Amendments>,
}

impl<'d> View<'d> {
    /// Shows every row. Damage is no error: it is counted.
    ///
    /// # Errors
    /// What `show` returns.
    pub fn rows(
        &self,
        table: &Table,
        columns: &[Option<&ColumnPlace>],
        show: &mut dyn FnMut(&Row<'_>) -> io::Result<()>,
    ) -> io::Result<Unread> {
        let changes = self.changes(table);
        let mut long = LongValues::new(self.db, table);
        let (mut key, mut values) = (Vec::new(), Values::default());
        let mut amended_data = Vec::new();
        let (mut ordinal, mut unread, mut outcome) = (0, Unread::default(), Ok(()));
        let walk = Descent::new(self.db, table.root).of_object(table.objid);
        let ended = walk.walk_until(&mut |visit| {
            let page = match visit {
                Visit::Internal(..) => return ControlFlow::Continue(()),
                Visit::Leaf(_, page) => page,
                Visit::Failed(_, _, failure) => {
                    unread.pages += 1;
                    unread.first.get_or_insert_with(|| failure.to_string());
                    return ControlFlow::Continue(());
                }
            };
            let layout = RecordLayout::of_page(page);
            for node in page.nodes() {
                let node = match node {
                    Ok(node) if node.flags.is_deleted() => continue,
                    Ok(node) => node,
                    Err(fault) => {
                        unread.row(fault);
                        continue;
                    }
                };
                node.key_into(&mut key);
                ordinal += 1;
                let data = match amended(
                    changes.as_ref(),
                    &key,
                    (node.data, layout),
                    &mut amended_data,
                ) {
                    Amended::Same => node.data,
                    Amended::Changed => &amended_data,
                    Amended::Gone => continue,
                };
                let record = match Record::with_layout(data, layout) {
                    Ok(record) => record,
                    Err(fault) => {
                        unread.row(fault);
                        continue;
                    }
                };
                values.clear();
                for column in columns {
                    values.read(&record, *column, &mut long);
                }
                let row = Row {
                    key: &key,
                    ordinal,
                    values: &values,
                };
                outcome = show(&row);
                if outcome.is_err() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        debug_assert!(ended.is_continue() || outcome.is_err());
        outcome.map(|()| unread)
    }

    /// The values of one row; `None` when it is not there.
    #[must_use]
    pub fn row(
        &self,
        table: &Table,
        key: &[u8],
        columns: &[Option<&ColumnPlace>],
    ) -> Option<Values> {
        let mut bytes = PageBytes::new(self.db.page_size());
        let (_, page) = seek(self.db, table.root, key, &mut bytes).ok()?;
        let node = page.node(page.lower_bound(key)).ok()?;
        if node.cmp_key_to(key).is_ne() {
            return None;
        }
        let layout = RecordLayout::of_page(page);
        let mut changed = Vec::new();
        let changes = self.changes(table);
        let data = match amended(changes.as_ref(), key, (node.data, layout), &mut changed) {
            Amended::Same => node.data,
            Amended::Changed => &changed,
            Amended::Gone => return None,
        };
        let record = Record::with_layout(data, layout).ok()?;
        let mut long = LongValues::new(self.db, table);
        let mut values = Values::default();
        for column in columns {
            values.read(&record, *column, &mut long);
        }
        Some(values)
    }

    /// The changes of a table, with what its changed records must obey.
    fn changes(&self, table: &Table) -> Option<Changes<'d>> {
        let amendments = self.amendments?;
        let has_any = amendments.tables().any(|objid| objid == table.objid);
        has_any.then(|| Changes {
            amendments,
            table: table.objid,
            shape: self.schema.record_shape(table, self.db.page_size()),
        })
    }
}

/// Changes of one table.
struct Changes<'d> {
    amendments: &'d Amendments,
    table: Objid,
    shape: RecordShape,
}

fn amended(
    changes: Option<&Changes<'_>>,
    key: &[u8],
    (data, layout): (&[u8], RecordLayout),
    out: &mut Vec<u8>,
) -> Amended {
    let Some(changes) = changes else {
        return Amended::Same;
    };
    match changes.amendments.get(changes.table, key) {
        None => Amended::Same,
        Some(RowChange::Drop) => Amended::Gone,
        Some(RowChange::Set(columns)) => {
            out.clear();
            match with_columns(data, layout, &changes.shape, columns, out) {
                Ok(()) => Amended::Changed,
                // It is refused when the file is written; till then the row is as it was.
                Err(_) => Amended::Same,
            }
        }
    }
}

enum Amended {
    Same,
    Changed,
    Gone,
}
