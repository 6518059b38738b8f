//! What is exported: tables with their columns, those of the template included, from the catalog or,
//! where it is damaged, from its shadow.

use std::collections::{BTreeMap, BTreeSet};

use super::loss::{Loss, Reason};
use crate::db::Database;
use crate::db::catalog::{Column, Schema, Table};
use crate::format::ids::Pgno;
use crate::format::schema::{Coltyp, Fid, column_flags, table_flags};
use crate::format::value::CodePage;

/// Bit of a column id that says "of the template". [engine: `JET_COLUMNID`]
const TEMPLATE_COLUMN: u32 = 0x8000_0000;

/// One column of an exported table.
#[derive(Debug, Clone)]
pub struct ExportColumn {
    /// Its name, made unique within the table.
    pub name: String,
    /// Its id within the table or the template.
    pub fid: Fid,
    /// Inherited from the template, or of a template table itself.
    pub template: bool,
    /// Its type.
    pub coltyp: Coltyp,
    /// How its text is encoded.
    pub code_page: CodePage,
    /// It may have several values.
    pub multi_valued: bool,
    /// Values of the record carry the template's mark.
    pub(super) derived: bool,
    pub(super) offset: usize,
    pub(super) size: usize,
    pub(super) default: Option<Vec<u8>>,
    pub(super) callback: Option<String>,
}

impl ExportColumn {
    fn new(column: &Column, template: bool, derived: bool) -> Self {
        let computed = column.flags & column_flags::USER_DEFINED_DEFAULT != 0;
        let longest = usize::try_from(column.max_len).unwrap_or(usize::MAX);
        Self {
            name: column.name.clone(),
            fid: column.fid,
            template,
            coltyp: column.coltyp,
            code_page: column.text_page(),
            multi_valued: column.is_multi_valued(),
            derived,
            offset: column.record_offset.into(),
            size: column.coltyp.fixed_size().unwrap_or(longest),
            default: column.default.clone().filter(|_| !computed),
            callback: computed.then(|| column.callback.clone().unwrap_or_default()),
        }
    }

    /// Where a fixed column is in the record.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes of a fixed column, the longest value of any other.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// It is inherited: records mark its values as the template's.
    #[must_use]
    pub const fn is_derived(&self) -> bool {
        self.derived
    }

    /// The column id that the engine shows to applications.
    #[must_use]
    pub fn columnid(&self) -> u32 {
        let template = if self.template { TEMPLATE_COLUMN } else { 0 };
        u32::from(self.fid.get()) | template
    }
}

/// A table as it is exported.
#[derive(Debug, Clone)]
pub struct ExportTable<'s> {
    /// What the catalog says.
    pub table: &'s Table,
    /// Its columns and the template's in the order of their ids; deleted ones are left out.
    pub columns: Vec<ExportColumn>,
}

impl<'s> ExportTable<'s> {
    /// The table with everything that it inherits; the reason tells what that is not.
    #[must_use]
    pub fn new(schema: &'s Schema, table: &'s Table) -> (Self, Option<Reason>) {
        let template = schema.template_of(table);
        let is_template = table.flags & table_flags::TEMPLATE != 0;
        let own = table.columns.iter();
        let own = own.map(|column| ExportColumn::new(column, is_template, false));
        let inherited = template.into_iter().flat_map(|template| &template.columns);
        let inherited = inherited.map(|column| ExportColumn::new(column, true, true));
        let mut columns: Vec<_> = own
            .chain(inherited)
            .filter(|column| column.coltyp != Coltyp::Deleted)
            .collect();
        columns.sort_by_key(ExportColumn::columnid);
        columns.dedup_by_key(|column| column.columnid());
        make_unique(&mut columns);
        let missing = match (&table.template, template) {
            (Some(name), None) => Some(Reason::Template(name.clone())),
            _ => None,
        };
        (Self { table, columns }, missing)
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &'s str {
        &self.table.name
    }
}

/// In a sound catalog names are unique; in a damaged one the id tells them apart.
fn make_unique(columns: &mut [ExportColumn]) {
    let mut seen = BTreeSet::new();
    for column in columns {
        if column.name.is_empty() || !seen.insert(column.name.clone()) {
            column.name = format!("{}#{}", column.name, column.columnid());
            seen.insert(column.name.clone());
        }
    }
}

/// The catalog, completed from its shadow when it is damaged, and what is wrong with it.
pub fn read_schema(db: &Database) -> (Schema, Vec<Loss>) {
    let mut schema = Schema::read(db);
    let mut losses: Vec<Loss> = Vec::new();
    let faults = std::mem::take(&mut schema.faults);
    let incomplete = schema.tables.values().any(|table| !table.is_defined());
    if !faults.is_empty() || incomplete {
        let shadow = Schema::read_shadow(db);
        let whole = shadow.faults.is_empty() && shadow.rows > 0;
        let mut lose = |page, reason| losses.push(Loss::of_table(String::new(), page, reason));
        for fault in faults {
            lose(
                fault.page,
                match whole {
                    true => Reason::CatalogFromShadow(fault.what),
                    false => Reason::Catalog(fault.what),
                },
            );
        }
        for fault in &shadow.faults {
            let what = format!("shadow: {}", fault.what);
            lose(fault.page, Reason::Catalog(what));
        }
        complete(&mut schema, shadow);
    }
    for (objid, _) in schema
        .tables
        .iter()
        .filter(|(_, table)| !table.is_defined())
    {
        let reason = Reason::NoTable(*objid);
        losses.push(Loss::of_table(String::new(), Pgno::NULL, reason));
    }
    for table in schema.tables.values_mut() {
        table.columns.sort_by_key(|column| column.fid);
    }
    (schema, losses)
}

/// Adds to `schema` what only the shadow has.
fn complete(schema: &mut Schema, shadow: Schema) {
    for (objid, other) in shadow.tables {
        let Some(table) = schema.tables.get_mut(&objid) else {
            schema.tables.insert(objid, other);
            continue;
        };
        if !table.is_defined() {
            let own = std::mem::replace(table, other.clone());
            table.columns = own.columns;
            table.indexes = own.indexes;
            table.long_values = own.long_values;
        }
        let known: BTreeSet<_> = table.columns.iter().map(|column| column.fid).collect();
        let new = other.columns.into_iter();
        table
            .columns
            .extend(new.filter(|column| !known.contains(&column.fid)));
        let known: BTreeSet<_> = table.indexes.iter().map(|index| index.objid).collect();
        let new = other.indexes.into_iter();
        table
            .indexes
            .extend(new.filter(|index| !known.contains(&index.objid)));
        table.long_values = table.long_values.or(other.long_values);
    }
}

/// The tables to export, in the order of their names without case: those named, or all that are not
/// the engine's own (all at all with `system`).
///
/// # Errors
/// The first name that no table has.
pub fn select<'s>(
    schema: &'s Schema,
    names: &[String],
    system: bool,
) -> Result<Vec<&'s Table>, String> {
    let mut tables = BTreeMap::new();
    let mut add = |table: &'s Table| {
        tables.insert((table.name.to_uppercase(), table.objid), table);
    };
    for name in names {
        let found = schema.table(name).filter(|table| table.is_defined());
        add(found.ok_or_else(|| name.clone())?);
    }
    if names.is_empty() {
        let defined = schema.tables.values().filter(|table| table.is_defined());
        defined
            .filter(|table| system || !is_engine_owned(table))
            .for_each(add);
    }
    Ok(tables.into_values().collect())
}

/// By flag, or by the prefix that only the engine gives out.
fn is_engine_owned(table: &Table) -> bool {
    let prefix = table.name.get(..4);
    table.is_system() || prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("MSys"))
}
