//! The catalog: what tables, columns, indexes and long value trees a database has.
//! [format notes chapter 6]

pub mod columns;
pub mod make;
pub mod recovered;
mod row;
mod shape;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::db::Database;
use crate::format::ids::{Objid, Pgno};
use crate::format::record::prune::{ColumnSet, FixedPlace};
use crate::format::record::{CatalogLimits, RecordLayout};
use crate::format::schema::{
    CatalogType, Coltyp, Fid, FidKind, KeySegment, column_flags, index_flags, table_flags,
};
use crate::format::value::CodePage;
use crate::tree::walk::for_each_node;

pub use row::{CatalogRow, RowFault};

/// Root of `MSysObjects`. [verified: never moves]
pub const CATALOG_ROOT: Pgno = Pgno::new(4);
/// Root of the catalog's index over object, type and name.
pub const CATALOG_NAME_ROOT: Pgno = Pgno::new(7);
/// Root of the catalog's index over the names of tables.
pub const CATALOG_TABLES_ROOT: Pgno = Pgno::new(10);
/// Root of `MSysObjectsShadow`.
pub const SHADOW_ROOT: Pgno = Pgno::new(24);

/// Everything that the catalog says.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Tables by object id.
    pub tables: BTreeMap<Objid, Table>,
    /// Rows that could not be read, or that belong to no table.
    pub faults: Vec<CatalogFault>,
    /// Rows read.
    pub rows: u64,
}

/// A part of the catalog that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFault {
    /// The page it is on.
    pub page: Pgno,
    /// What is wrong.
    pub what: String,
    /// The page itself cannot be used, so that any number of rows may be missing.
    pub page_lost: bool,
}

/// A table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Table {
    /// Object id.
    pub objid: Objid,
    /// Name.
    pub name: String,
    /// Root of its data tree.
    pub root: Pgno,
    /// See [`table_flags`].
    pub flags: u32,
    /// Fill factor in percent.
    pub density: u32,
    /// Pages at creation.
    pub initial_pages: u32,
    /// Name of the template, for a derived table.
    pub template: Option<String>,
    /// When its root was last set, a FILETIME.
    pub root_set_time: u64,
    /// Long value chunk size, where it is not the page size's.
    pub lv_chunk_max: Option<u32>,
    /// Columns in order of their ids.
    pub columns: Vec<Column>,
    /// Indexes in order of their object ids, the primary one among them.
    pub indexes: Vec<Index>,
    /// Its long value tree.
    pub long_values: Option<LongValueTree>,
}

/// A column.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// Id.
    pub fid: Fid,
    /// Name.
    pub name: String,
    /// Type; deleted columns keep their row.
    pub coltyp: Coltyp,
    /// Longest value.
    pub max_len: u32,
    /// See [`column_flags`].
    pub flags: u32,
    /// 1252, 1200, or 0.
    pub code_page: u32,
    /// Offset in the record, for fixed columns.
    pub record_offset: u16,
    /// Default value as stored, where the flag says that there is one.
    #[serde(skip)]
    pub default: Option<Vec<u8>>,
    /// Callback that computes the default.
    pub callback: Option<String>,
}

/// An index.
#[derive(Debug, Clone, Serialize)]
pub struct Index {
    /// Object id of its tree; the table's own for the primary index.
    pub objid: Objid,
    /// Name.
    pub name: String,
    /// Root of its tree.
    pub root: Pgno,
    /// See [`index_flags`].
    pub flags: u32,
    /// Fill factor in percent.
    pub density: u32,
    /// Columns of the key.
    pub segments: Vec<KeySegment>,
    /// Columns that decide whether a record has an entry.
    pub conditions: Vec<KeySegment>,
    /// Longest key; 255 when the catalog says nothing.
    pub key_most: u16,
    /// Longest variable segment.
    pub var_seg_mac: u16,
    /// Substrings that are indexed.
    pub tuple: Option<TupleLimits>,
    /// Language id of old databases.
    pub lcid: u32,
    /// Locale name of newer ones.
    pub locale: Option<String>,
    /// Flags of the sort key function.
    pub map_flags: u32,
    /// Version of the sort order: NLS version, defined version.
    pub sort_version: Option<(u32, u32)>,
    /// When its root was last set, a FILETIME.
    pub root_set_time: u64,
}

/// Limits of a tuple index. [format notes 9.5]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TupleLimits {
    /// Shortest substring in characters.
    pub min: u32,
    /// Longest.
    pub max: u32,
    /// How many characters of the value are looked at.
    pub to_index: u32,
    /// Step from one start to the next.
    pub increment: u32,
    /// First start.
    pub start: u32,
}

/// A table's long value tree.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LongValueTree {
    /// Object id.
    pub objid: Objid,
    /// Root.
    pub root: Pgno,
    /// When its root was last set, a FILETIME.
    pub root_set_time: u64,
}

impl Schema {
    /// Reads the catalog.
    #[must_use]
    pub fn read(db: &Database) -> Self {
        Self::read_from(db, CATALOG_ROOT)
    }

    /// Reads the shadow catalog.
    #[must_use]
    pub fn read_shadow(db: &Database) -> Self {
        Self::read_from(db, SHADOW_ROOT)
    }

    /// What catalog rows say that were read elsewhere: the data of each, and how it is laid out. `old_segments` tells
    /// the form of index columns, see [`CatalogRow::index`]; faults have no page.
    pub fn from_rows<'r>(
        rows: impl IntoIterator<Item = (&'r [u8], RecordLayout)>,
        old_segments: bool,
    ) -> Self {
        let mut schema = Self::default();
        for (data, layout) in rows {
            schema.rows += 1;
            match CatalogRow::with_layout(data, layout) {
                Ok(row) => schema.add(&row, Pgno::NULL, old_segments),
                Err(fault) => schema.fault(Pgno::NULL, fault.to_string()),
            }
        }
        schema
    }

    fn read_from(db: &Database, root: Pgno) -> Self {
        let mut schema = Self::default();
        let mut faults = Vec::new();
        let old_segments = db.header().update_major < 7;
        for_each_node(
            db,
            root,
            |page, view, node| {
                schema.rows += 1;
                match CatalogRow::parse(node.data, view) {
                    Ok(row) => schema.add(&row, page, old_segments),
                    Err(fault) => schema.fault(page, fault.to_string()),
                }
            },
            |page, failure| {
                faults.push(CatalogFault {
                    page,
                    what: failure.to_string(),
                    page_lost: true,
                })
            },
        );
        schema.faults.extend(faults);
        schema
    }

    fn fault(&mut self, page: Pgno, what: String) {
        /// A wrecked catalog page would otherwise fill memory with the same complaint.
        const KEPT: usize = 1000;
        if self.faults.len() < KEPT {
            self.faults.push(CatalogFault {
                page,
                what,
                page_lost: false,
            });
        }
    }

    fn add(&mut self, row: &CatalogRow, page: Pgno, old_segments: bool) {
        let table = self.tables.entry(row.table).or_default();
        match row.kind {
            CatalogType::Table => table.define(row),
            CatalogType::Column => match row.column() {
                Some(column) => table.columns.push(column),
                None => self.fault(
                    page,
                    format!("column row of object {} is broken", row.table),
                ),
            },
            CatalogType::Index => table.indexes.push(row.index(old_segments)),
            CatalogType::LongValue => table.long_values = Some(row.long_values()),
            CatalogType::Callback | CatalogType::SlvAvail | CatalogType::SlvSpaceMap => {}
        }
    }

    /// The table of this name, without case.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables
            .values()
            .find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The template that a derived table inherits from.
    #[must_use]
    pub fn template_of(&self, table: &Table) -> Option<&Table> {
        table.template.as_deref().and_then(|name| self.table(name))
    }

    /// A column of a table by id; `template` looks in the template of a derived table. A template's
    /// own indexes mark their columns so too. [verified: clean-*, table tmpl]
    #[must_use]
    pub fn column<'s>(&'s self, table: &'s Table, fid: Fid, template: bool) -> Option<&'s Column> {
        let own = match &table.template {
            Some(_) if template => self.template_of(table)?,
            _ => table,
        };
        own.column(fid)
    }

    /// Columns of the table and its template that are deleted: their rows stay, and their data may still be in the
    /// records. The ids of fixed and variable columns of a template and its tables are of one series.
    #[must_use]
    pub fn deleted_columns(&self, table: &Table) -> ColumnSet {
        let template = self.template_of(table);
        let of = |table: &'_ Table| table.columns.clone();
        let mut fixed: Vec<Column> = template.into_iter().chain([table]).flat_map(of).collect();
        fixed.retain(|column| column.fid.kind() == FidKind::Fixed);
        fixed.sort_by_key(|column| column.fid);
        let mut deleted = ColumnSet::default();
        for (number, column) in fixed.iter().enumerate() {
            if column.coltyp == Coltyp::Deleted {
                deleted.add_fixed(FixedPlace {
                    fid: column.fid,
                    start: column.record_offset.into(),
                    end: fixed.get(number + 1).map(|next| next.record_offset.into()),
                });
            }
        }
        for (derived, table) in template
            .map(|table| (true, table))
            .into_iter()
            .chain([(false, table)])
        {
            let columns = table.columns.iter();
            for column in columns.filter(|column| column.coltyp == Coltyp::Deleted) {
                deleted.add(column.fid, derived);
            }
        }
        deleted
    }

    /// The last columns that records of the table may have. [format notes 13.5]
    #[must_use]
    pub fn limits(&self, table: &Table) -> CatalogLimits {
        let template = self.template_of(table);
        let last = |kind: FidKind, none: u16| {
            let of = |table: &Table| {
                let fids = table.columns.iter().map(|column| column.fid);
                fids.filter(|fid| fid.kind() == kind).max()
            };
            let own = of(table);
            let inherited = template.filter(|_| kind != FidKind::Tagged).and_then(of);
            own.max(inherited).unwrap_or(Fid::new(none))
        };
        CatalogLimits {
            fixed: last(FidKind::Fixed, 0),
            variable: last(FidKind::Variable, 127),
            tagged: last(FidKind::Tagged, 255),
        }
    }
}

impl Table {
    fn define(&mut self, row: &CatalogRow) {
        self.objid = row.table;
        self.name.clone_from(&row.name);
        self.root = Pgno::new(row.coltyp_or_root);
        self.flags = row.flags;
        self.density = row.space_usage;
        self.initial_pages = row.pages_or_locale;
        self.template.clone_from(&row.template);
        self.root_set_time = row.root_set_time;
        self.lv_chunk_max = row.lv_chunk_max;
    }

    /// True when the catalog has a row for the table itself.
    #[must_use]
    pub fn is_defined(&self) -> bool {
        !self.root.is_null()
    }

    /// A column by id.
    #[must_use]
    pub fn column(&self, fid: Fid) -> Option<&Column> {
        let at = self.columns.binary_search_by_key(&fid, |column| column.fid);
        at.ok().map(|at| &self.columns[at])
    }

    /// The primary index, if the table has one.
    #[must_use]
    pub fn primary_index(&self) -> Option<&Index> {
        self.indexes
            .iter()
            .find(|index| index.flags & index_flags::PRIMARY != 0)
    }

    /// All indexes with a tree of their own.
    pub fn secondary_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes
            .iter()
            .filter(|index| index.flags & index_flags::PRIMARY == 0)
    }

    /// True for tables of the engine's own.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        self.flags & table_flags::SYSTEM != 0
    }
}

impl Column {
    /// How its text is encoded.
    #[must_use]
    pub const fn text_page(&self) -> CodePage {
        CodePage::from_catalog(self.code_page)
    }

    /// True for several values.
    #[must_use]
    pub const fn is_multi_valued(&self) -> bool {
        self.flags & column_flags::MULTI_VALUED != 0
    }
}
