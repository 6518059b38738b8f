//! The catalog as the dumps read it: tables by name through the index of root objects, then the
//! objects of a table by name. [engine]

use std::ops::ControlFlow;

use crate::db::catalog::{
    CATALOG_NAME_ROOT, CATALOG_ROOT, CATALOG_TABLES_ROOT, CatalogRow, SHADOW_ROOT,
};
use crate::format::ids::{Objid, Pgno};
use crate::format::schema::{CatalogType, Fid, KeySegment, table_flags};
use crate::jet::JetError;
use crate::tree::walk::for_each_node;

use super::engine_read::{Reader, Step, Stop};

/// Marks a key column that is not null.
const NOT_NULL: u8 = 0x7F;

/// The catalog, read strictly.
pub(super) struct Catalog<'r> {
    reader: &'r Reader<'r>,
}

impl<'r> Catalog<'r> {
    pub const fn new(reader: &'r Reader<'r>) -> Self {
        Self { reader }
    }

    /// Shows the row of every table, by name.
    pub fn tables(&self, show: &mut dyn FnMut(&CatalogRow) -> Step<()>) -> Step<()> {
        self.entries(CATALOG_TABLES_ROOT, &[], show)
    }

    /// Shows the objects of one kind of a table, by name.
    pub fn objects(
        &self,
        table: Objid,
        kind: CatalogType,
        show: &mut dyn FnMut(&CatalogRow) -> Step<()>,
    ) -> Step<()> {
        self.entries(CATALOG_NAME_ROOT, &prefix(table, kind), show)
    }

    /// The first object of one kind of a table.
    pub fn first(&self, table: Objid, kind: CatalogType) -> Step<Option<CatalogRow>> {
        let mut found = None;
        self.objects(table, kind, &mut |row| {
            found.get_or_insert_with(|| row.clone());
            Ok(())
        })?;
        Ok(found)
    }

    /// The row of the table with this name.
    pub fn table(&self, name: &str) -> Step<Option<CatalogRow>> {
        let mut found = None;
        let key = table_key(name);
        self.entries(CATALOG_TABLES_ROOT, &key, &mut |row| {
            found = Some(row.clone());
            Ok(())
        })?;
        Ok(found)
    }

    /// One row by its primary key.
    pub fn row(&self, table: Objid, kind: CatalogType, id: u32) -> Step<Option<CatalogRow>> {
        let mut key = prefix(table, kind);
        key.push(NOT_NULL);
        key.extend(flipped(id));
        self.row_at(&key)
    }

    /// Shows the rows that the entries of an index whose keys start with `within` point to.
    fn entries(
        &self,
        root: Pgno,
        within: &[u8],
        show: &mut dyn FnMut(&CatalogRow) -> Step<()>,
    ) -> Step<()> {
        self.reader.walk(root, within, &mut |_, _, node| {
            if node.flags.is_deleted() {
                return Ok(ControlFlow::Continue(()));
            }
            if node.key_len() < within.len()
                || node
                    .key_bytes()
                    .take(within.len())
                    .ne(within.iter().copied())
            {
                return Ok(ControlFlow::Break(()));
            }
            let row = self.row_at(node.data)?;
            show(&row.ok_or(Stop::new(JetError::SECONDARY_INDEX_CORRUPTED))?)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }

    fn row_at(&self, key: &[u8]) -> Step<Option<CatalogRow>> {
        let mut found = None;
        self.reader
            .walk(CATALOG_ROOT, key, &mut |pgno, page, node| {
                if !node.flags.is_deleted() && node.key_bytes().eq(key.iter().copied()) {
                    let row = CatalogRow::parse(node.data, page)
                        .map_err(|_| Stop::at(JetError::CATALOG_CORRUPTED, pgno))?;
                    found = Some(row);
                }
                Ok(ControlFlow::Break(()))
            })?;
        Ok(found)
    }

    /// Names of the columns of a key, with their sort direction; of conditions, the names alone.
    pub fn segment_names(
        &self,
        table: &CatalogRow,
        segments: &[KeySegment],
        conditions: bool,
    ) -> Step<Vec<String>> {
        // The engine looks the table up again, whatever the segments. [engine]
        self.row(table.table, CatalogType::Table, table.table.get())?
            .ok_or(Stop::new(JetError::OBJECT_NOT_FOUND))?;
        let template = match &table.template {
            Some(name) if table.flags & table_flags::DERIVED != 0 => {
                let row = self.table(name)?;
                Some(row.ok_or(Stop::new(JetError::OBJECT_NOT_FOUND))?.table)
            }
            _ => None,
        };
        let name = |segment: &KeySegment| {
            let owner = match template {
                Some(template) if segment.template => template,
                _ => table.table,
            };
            let row = self
                .row(owner, CatalogType::Column, segment.fid.get().into())?
                .ok_or(Stop::new(JetError::COLUMN_NOT_FOUND))?;
            Ok(segment_text(segment, &row.name, conditions))
        };
        segments.iter().map(name).collect()
    }
}

/// A column of a key as the dump shows it.
pub(super) fn segment_text(segment: &KeySegment, name: &str, condition: bool) -> String {
    match (condition, segment.descending) {
        (true, _) => name.to_owned(),
        (false, true) => format!("-{name}"),
        (false, false) => format!("+{name}"),
    }
}

fn prefix(table: Objid, kind: CatalogType) -> Vec<u8> {
    let mut key = vec![NOT_NULL];
    key.extend(flipped(table.get()));
    key.push(NOT_NULL);
    // The catalog counts its kinds from 1. [format notes 6.3]
    key.extend((0x8000 | (kind as u16 + 1)).to_be_bytes());
    key
}

/// A signed number as keys have it: big-endian with the sign bit turned over.
const fn flipped(number: u32) -> [u8; 4] {
    (number ^ 0x8000_0000).to_be_bytes()
}

/// Names are upper-cased ASCII with a terminator. [format notes 6.1]
fn table_key(name: &str) -> Vec<u8> {
    let mut key = vec![NOT_NULL, 0xFF, NOT_NULL];
    key.extend(name.bytes().map(|byte| byte.to_ascii_uppercase()));
    key.push(0);
    key
}

/// The catalog without its indexes: every row that the catalog or its shadow still has.
pub(super) struct LooseCatalog {
    /// Rows in the order of table, kind and name.
    rows: Vec<CatalogRow>,
}

impl LooseCatalog {
    /// Reads both copies; a row of the shadow counts where the catalog has none.
    pub fn read(reader: &Reader<'_>) -> Self {
        let mut rows = std::collections::BTreeMap::new();
        for root in [CATALOG_ROOT, SHADOW_ROOT] {
            for_each_node(
                reader.db,
                root,
                |_, page, node| {
                    if let Ok(row) = CatalogRow::parse(node.data, page) {
                        rows.entry((row.table, row.kind, row.id)).or_insert(row);
                    }
                },
                |_, _| {},
            );
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by_cached_key(|row| (row.table, row.kind, row.name.to_ascii_uppercase()));
        Self { rows }
    }

    /// The rows of tables, by name.
    pub fn tables(&self) -> Vec<&CatalogRow> {
        let mut tables: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.kind == CatalogType::Table)
            .collect();
        tables.sort_by_cached_key(|row| row.name.to_ascii_uppercase());
        tables
    }

    /// The objects of one kind of a table, by name.
    pub fn objects(&self, table: Objid, kind: CatalogType) -> impl Iterator<Item = &CatalogRow> {
        let start = self
            .rows
            .partition_point(|row| (row.table, row.kind) < (table, kind));
        self.rows[start..]
            .iter()
            .take_while(move |row| (row.table, row.kind) == (table, kind))
    }

    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&CatalogRow> {
        self.rows
            .iter()
            .find(|row| row.kind == CatalogType::Table && row.name.eq_ignore_ascii_case(name))
    }

    /// Names of the columns of a key; a column without a row shows its number.
    pub fn segment_names(
        &self,
        table: &CatalogRow,
        segments: &[KeySegment],
        conditions: bool,
    ) -> Vec<String> {
        let template = table.template.as_deref().and_then(|name| self.table(name));
        let column = |owner: Objid, fid: Fid| {
            self.objects(owner, CatalogType::Column)
                .find(|row| row.id == u32::from(fid.get()))
        };
        let name = |segment: &KeySegment| {
            let owner = template
                .filter(|_| segment.template)
                .map_or(table.table, |row| row.table);
            let name = column(owner, segment.fid)
                .map_or_else(|| format!("#{}", segment.fid), |row| row.name.clone());
            segment_text(segment, &name, conditions)
        };
        segments.iter().map(name).collect()
    }
}
