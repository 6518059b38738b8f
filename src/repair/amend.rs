//! Changes of rows that are made while a table is written anew: values of columns, and rows that are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{KeyBytes, NotAmended, TableRepair};
use crate::db::catalog::{Schema, Table};
use crate::format::ids::{Objid, PageSize};
use crate::format::record::{
    ColumnChange, ColumnShape, Field, Instance, Record, RecordFault, RecordLayout, RecordShape,
    with_columns,
};
use crate::format::schema::{Fid, FidKind};

/// What is to become of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// It goes, and with it what only it refers to.
    Drop,
    /// These columns get other values.
    Set(Vec<ColumnChange>),
}

/// Changes by table and by the key of the row's node (its bookmark).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amendments {
    tables: BTreeMap<Objid, Rows>,
}

type Rows = BTreeMap<Vec<u8>, RowChange>;

impl Amendments {
    /// Sets a column of a row. A later change of the same column counts; a row that is dropped stays so.
    pub fn set(&mut self, table: Objid, key: &[u8], change: ColumnChange) {
        let rows = self.tables.entry(table).or_default();
        let row = rows
            .entry(key.to_vec())
            .or_insert_with(|| RowChange::Set(Vec::new()));
        let RowChange::Set(changes) = row else {
            return;
        };
        let column = |change: &ColumnChange| {
            let tagged = change.fid.kind() == FidKind::Tagged;
            (change.fid, tagged && change.derived)
        };
        match changes
            .iter_mut()
            .find(|other| column(other) == column(&change))
        {
            Some(earlier) => *earlier = change,
            None => changes.push(change),
        }
    }

    /// Leaves out a row, whatever else is to be changed in it.
    pub fn drop_row(&mut self, table: Objid, key: &[u8]) {
        let rows = self.tables.entry(table).or_default();
        rows.insert(key.to_vec(), RowChange::Drop);
    }

    /// True when there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// How many rows are to be changed or left out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.values().map(BTreeMap::len).sum()
    }

    /// The tables that are concerned.
    pub fn tables(&self) -> impl Iterator<Item = Objid> {
        self.tables.keys().copied()
    }

    /// What is to become of one row.
    #[must_use]
    pub fn get(&self, table: Objid, key: &[u8]) -> Option<&RowChange> {
        self.tables.get(&table)?.get(key)
    }

    /// The rows of one table, in the order of their keys.
    pub fn rows(&self, table: Objid) -> impl Iterator<Item = (&[u8], &RowChange)> {
        let rows = self.tables.get(&table).into_iter().flatten();
        rows.map(|(key, change)| (key.as_slice(), change))
    }

    /// What to report of a table that was not written row by row: nothing of it was done.
    pub(super) fn not_made(&self, objid: Objid, schema: &Schema) -> TableRepair {
        let table = schema.tables.get(&objid);
        let (name, why) = match table {
            Some(table) if table.is_defined() => {
                (table.name.clone(), "it is a table of the engine's own")
            }
            _ => (String::new(), "the database has no such table"),
        };
        let mut report = TableRepair::new(&name, objid);
        for (key, _) in self.rows(objid) {
            report.not_amended.push(NotAmended {
                key: KeyBytes(key.to_vec()),
                why: why.to_owned(),
            });
        }
        report
    }
}

/// The changes of one table at work.
pub(super) struct Amending<'a> {
    rows: &'a Rows,
    shape: RecordShape,
    /// Columns of the primary index: fixed and variable ones are of no template.
    key_columns: BTreeSet<(Fid, bool)>,
    seen: BTreeSet<&'a [u8]>,
    /// The record with its changes.
    record: Vec<u8>,
}

/// What becomes of a row.
pub(super) enum Amended<'a> {
    /// Nothing is to be changed, or it has these values.
    Same,
    /// It goes.
    Dropped,
    /// Its record is [`Amending::record`]; these columns are concerned.
    Changed(&'a [ColumnChange]),
    /// The change cannot be made: why.
    Impossible(String),
}

impl<'a> Amending<'a> {
    /// `None` when nothing of the table is to be changed.
    pub fn new(
        amendments: &'a Amendments,
        schema: &Schema,
        table: &Table,
        size: PageSize,
    ) -> Option<Self> {
        let rows = amendments.tables.get(&table.objid)?;
        let segments = table
            .primary_index()
            .into_iter()
            .flat_map(|index| &index.segments);
        let key_columns = segments.map(|segment| {
            let derived = segment.template && table.template.is_some();
            (
                segment.fid,
                derived && segment.fid.kind() == FidKind::Tagged,
            )
        });
        Some(Self {
            rows,
            shape: schema.record_shape(table, size),
            key_columns: key_columns.collect(),
            seen: BTreeSet::new(),
            record: Vec::new(),
        })
    }

    /// The record of the row that was changed last.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// Makes the change of a row, if there is one.
    pub fn apply(&mut self, key: &[u8], data: &[u8], layout: RecordLayout) -> Amended<'a> {
        let Some((key, change)) = self.rows.get_key_value(key) else {
            return Amended::Same;
        };
        self.seen.insert(key);
        let changes = match change {
            RowChange::Drop => return Amended::Dropped,
            RowChange::Set(changes) => changes,
        };
        self.record.clear();
        let made = with_columns(data, layout, &self.shape, changes, &mut self.record);
        if let Err(error) = made {
            return Amended::Impossible(error.to_string());
        }
        if self.record == data {
            return Amended::Same;
        }
        match self.changes_key(data, layout, changes) {
            Ok(false) => Amended::Changed(changes),
            Ok(true) => Amended::Impossible("it would have another key".to_owned()),
            Err(fault) => Amended::Impossible(fault.to_string()),
        }
    }

    /// True when a column of the primary index gets another value.
    fn changes_key(
        &self,
        data: &[u8],
        layout: RecordLayout,
        changes: &[ColumnChange],
    ) -> Result<bool, RecordFault> {
        for change in changes {
            let tagged = change.fid.kind() == FidKind::Tagged;
            if !self
                .key_columns
                .contains(&(change.fid, tagged && change.derived))
            {
                continue;
            }
            let Some(column) = self.shape.column(change.fid, change.derived) else {
                continue;
            };
            let before = Record::with_layout(data, layout)?;
            let after = Record::with_layout(&self.record, layout)?;
            if values(&before, column)? != values(&after, column)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Rows that were asked for and not seen.
    pub fn unseen(&self) -> Vec<Vec<u8>> {
        let keys = self.rows.keys();
        let unseen = keys.filter(|key| !self.seen.contains(key.as_slice()));
        unseen.cloned().collect()
    }
}

/// The values of a column as far as they are in the record, the default included.
fn values(record: &Record<'_>, column: &ColumnShape) -> Result<Vec<Option<Vec<u8>>>, RecordFault> {
    let default = || column.default.clone().map(Some).into_iter().collect();
    let width = column.size.unwrap_or(column.longest);
    let field = match column.fid.kind() {
        FidKind::Fixed => record.fixed(column.fid, column.offset, width)?,
        FidKind::Variable => record.variable(column.fid)?,
        FidKind::Tagged => {
            let tagged = record.find_tagged(column.fid, column.derived)?;
            let of = |instance: Instance<'_>| instance.unpacked();
            return Ok(tagged.map_or_else(default, |tagged| tagged.values().map(of).collect()));
        }
    };
    Ok(match field {
        Field::Absent => default(),
        Field::Null => Vec::new(),
        Field::Value(bytes) => vec![Some(bytes.to_vec())],
    })
}

#[cfg(test)]
mod tests {
    use super::{Amendments, RowChange};
    use crate::format::ids::Objid;
    use crate::format::record::ColumnChange;
    use crate::format::schema::Fid;

    fn change(fid: u16, value: &[u8]) -> ColumnChange {
        ColumnChange {
            fid: Fid::new(fid),
            derived: false,
            values: vec![value.to_vec()],
        }
    }

    #[test]
    fn changes_of_one_row_are_one() {
        let table = Objid::new(9);
        let mut all = Amendments::default();
        assert!(all.is_empty());
        all.set(table, b"a", change(1, b"x"));
        all.set(table, b"a", change(300, b"y"));
        all.set(table, b"a", change(1, b"z"));
        all.set(table, b"b", change(1, b"x"));
        assert_eq!(all.len(), 2);
        let mut rows = all.rows(table);
        let both = RowChange::Set(vec![change(1, b"z"), change(300, b"y")]);
        assert_eq!(rows.next(), Some((&b"a"[..], &both)));
        drop(rows);
        all.drop_row(table, b"a");
        all.set(table, b"a", change(1, b"again"));
        let mut rows = all.rows(table);
        assert_eq!(rows.next(), Some((&b"a"[..], &RowChange::Drop)));
        drop(rows);
        assert_eq!((all.len(), all.tables().count()), (2, 1));
    }
}
