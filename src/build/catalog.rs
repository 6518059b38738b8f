//! The catalog: what its rows say of tables, columns, indexes and long value trees.
//! [format notes chapter 6]

use std::io::{Seek, Write};

use super::core::Core;
use super::error::BuildError;
use super::objids;
use super::schema::{CODE_PAGE_ASCII, CODE_PAGE_UNICODE, Column, Index, Row, Table};
use super::table::{Placed, Secondary, TableWriter};
use crate::db::catalog::columns::{FIXED, TAGGED, VARIABLE, fid};
use crate::db::catalog::make::{NewColumn, NewRow, NewTree};
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::keys::{DEFAULT_KEY_MOST, TupleLimits, max_key};
use crate::format::record::encode::FIXED_START;
use crate::format::schema::{
    CatalogType, Coltyp, FidKind, KeySegment, column_flags, index_flags, table_flags,
};
use crate::tree::space::{CATALOG, CATALOG_NAMES, CATALOG_TABLES, Run, SpacePlan, shadow_extent};

/// Fixed columns that may not be null, and the name. [format notes, verified]
const NOT_NULL: usize = 7;

/// First revision whose indexes name their locale instead of numbering it. [format notes 6.2]
const LOCALE_NAMES_SINCE: u32 = 0x12;
/// First revision with the `KeyMost` column. [format notes 12.1]
const KEY_MOST_SINCE: u32 = 0xC;
/// English (United States), as every old database has it. [format notes, verified]
const LOCALE_ID: u32 = 0x409;
/// The same by name.
const LOCALE: &str = "en-US";
/// Sort key, ignoring case, kana and width. [format notes 6.6]
const LCMAP_FLAGS: u32 = 0x0003_0401;

const NAME_INDEX: Placed = Placed {
    objid: Objid::new(4),
    root: Pgno::new(CATALOG_NAMES.first),
};
const ROOT_OBJECTS_INDEX: Placed = Placed {
    objid: Objid::new(5),
    root: Pgno::new(CATALOG_TABLES.first),
};
/// Last object id that the catalogs and their indexes have.
const LAST_CATALOG_OBJID: u32 = 5;

/// Last object id that every database of a format has.
pub(super) const fn last_system_objid(major: u32) -> u32 {
    if major >= objids::SINCE {
        LAST_CATALOG_OBJID + 1
    } else {
        LAST_CATALOG_OBJID
    }
}

/// The trees of the catalogs: object id, table, kind.
pub(super) fn system_trees() -> Vec<(u32, Objid, CatalogType)> {
    let (main, shadow) = (Objid::CATALOG, Objid::CATALOG_SHADOW);
    let index = |index: Placed| (index.objid.get(), main, CatalogType::Index);
    vec![
        (main.get(), main, CatalogType::Table),
        (shadow.get(), shadow, CatalogType::Table),
        index(NAME_INDEX),
        index(ROOT_OBJECTS_INDEX),
    ]
}

/// A row of both catalogs, with its key.
pub(super) struct CatalogRow {
    pub key: (Objid, CatalogType, u32),
    row: Row,
}

/// Adds the rows of a finished table: itself, its columns, indexes and long value tree.
pub(super) fn describe<W: Write + Seek>(
    core: &mut Core<W>,
    table: &Table,
    own: Placed,
    (indexes, lv): (&[(Index, Placed)], Option<Placed>),
) {
    let major = core.format.major;
    core.catalog.push(table_row(table, own));
    core.catalog.extend(column_rows(table, own.objid));
    let primary = table.primary.iter().map(|index| (index, own));
    let secondary = indexes.iter().map(|(index, placed)| (index, *placed));
    for (index, placed) in primary.chain(secondary) {
        let tree = placed.tree(index.density);
        let row = NewRow::index(own.objid, tree, &index.name, index.flags, locale(major));
        let mut entry = CatalogRow::new(&row);
        entry.row = index_details(entry.row, index, major);
        entry.row.merge(&index.extra);
        core.catalog.push(entry);
    }
    if let Some(lv) = lv {
        let row = NewRow::long_values(own.objid, lv.objid, lv.root);
        core.catalog.push(CatalogRow::new(&row));
    }
}

impl Placed {
    const fn tree(self, density: u8) -> NewTree {
        NewTree {
            objid: self.objid,
            root: self.root,
            density,
        }
    }
}

impl CatalogRow {
    fn new(new: &NewRow) -> Self {
        let row = new
            .values()
            .into_iter()
            .fold(Row::new(), |row, (fid, value)| row.set(fid, value));
        let key = (new.table, new.kind, new.id);
        Self { key, row }
    }
}

fn table_row(table: &Table, own: Placed) -> CatalogRow {
    let tree = own.tree(table.density);
    let row = NewRow::table(tree, &table.name, table.flags, table.pages);
    let mut entry = CatalogRow::new(&row);
    entry.row.merge(&table.extra);
    entry
}

fn column_rows(table: &Table, objid: Objid) -> Vec<CatalogRow> {
    // The catalogs say 4 of all their columns; their layout is known without them. [format notes, verified]
    let is_catalog = matches!(objid, Objid::CATALOG | Objid::CATALOG_SHADOW);
    let mut offset = FIXED_START as u16;
    let rows = table.columns.iter().map(|(fid, column)| {
        let described = NewColumn {
            fid: *fid,
            coltyp: column.coltyp,
            max: column.max,
            flags: column.flags,
            code_page: column.code_page,
            offset,
        };
        let mut entry = CatalogRow::new(&NewRow::column(objid, &column.name, described));
        if fid.kind() == FidKind::Fixed && !is_catalog {
            offset += column.max as u16;
        }
        if let Some(default) = &column.default {
            entry.row = entry.row.set(fid::DEFAULT_VALUE, default.clone());
        }
        entry.row.merge(&column.extra);
        entry
    });
    rows.collect()
}

/// What an index row says of its language where it does not name it.
const fn locale(major: u32) -> u32 {
    if major < LOCALE_NAMES_SINCE {
        LOCALE_ID
    } else {
        0
    }
}

fn index_details(row: Row, index: &Index, major: u32) -> Row {
    let mut row = row
        .set(fid::LCMAP_FLAGS, LCMAP_FLAGS.to_le_bytes())
        .set(fid::KEY_FIDS, segments(&index.segments));
    let key_most = usize::from(index.key_most);
    if key_most != DEFAULT_KEY_MOST && major >= KEY_MOST_SINCE {
        row = row.set(fid::KEY_MOST, index.key_most.to_le_bytes());
    }
    if index.var_seg_mac < index.key_most {
        row = row.set(fid::VAR_SEG_MAC, index.var_seg_mac.to_le_bytes());
    }
    if !index.conditions.is_empty() {
        row = row.set(fid::CONDITIONS, segments(&index.conditions));
    }
    if let Some(tuples) = &index.tuples {
        row = row.set(fid::TUPLE_LIMITS, tuple_limits(tuples));
    }
    if major >= LOCALE_NAMES_SINCE {
        let name: Vec<u8> = LOCALE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        row = row.set(fid::LOCALE_NAME, name);
    }
    row
}

/// Five numbers. [format notes 6.2]
fn tuple_limits(limits: &TupleLimits) -> Vec<u8> {
    let numbers = [
        limits.least,
        limits.most,
        limits.count,
        limits.step,
        limits.start,
    ];
    numbers
        .into_iter()
        .flat_map(|number| (number as u32).to_le_bytes())
        .collect()
}

/// Four bytes per segment: flags, zero, column id. [format notes 6.6]
fn segments(segments: &[KeySegment]) -> Vec<u8> {
    let flags = |segment: &KeySegment| {
        u8::from(segment.template) << 7
            | u8::from(segment.descending) << 6
            | u8::from(segment.must_be_null) << 5
    };
    segments
        .iter()
        .flat_map(|segment| {
            let [low, high] = segment.fid.get().to_le_bytes();
            [flags(segment), 0, low, high]
        })
        .collect()
}

/// Writes both catalogs, whose rows describe themselves too.
pub(super) fn write<W: Write + Seek>(core: &mut Core<W>) -> Result<(), BuildError> {
    let shadow_space = shadow_extent(core.format.major, core.page_size);
    let main = system_table("MSysObjects", core.format.major, CATALOG.count);
    let shadow = system_table("MSysObjectsShadow", core.format.major, shadow_space.count);
    let indexes = [
        (name_index(), NAME_INDEX),
        (root_objects_index(), ROOT_OBJECTS_INDEX),
    ];
    let placed = |objid, first| Placed {
        objid,
        root: Pgno::new(first),
    };
    let main_place = placed(Objid::CATALOG, CATALOG.first);
    let shadow_place = placed(Objid::CATALOG_SHADOW, shadow_space.first);
    describe(core, &main, main_place, (&indexes, None));
    describe(core, &shadow, shadow_place, (&[], None));
    let mut rows = std::mem::take(&mut core.catalog);
    rows.sort_unstable_by_key(|row| row.key);

    let root = Pgno::new(1);
    let mut space = SpacePlan::multiple(CATALOG, root);
    let secondary = indexes
        .into_iter()
        .map(|(index, placed)| {
            let pages = CATALOG_NAMES.count;
            let run = space.take_run(pages);
            let run = run.unwrap_or(Run::new(placed.root.get(), pages));
            let space = SpacePlan::multiple(run, space.fdp());
            Secondary::new(&main, index, placed.objid, Some(space))
        })
        .collect();
    write_one(core, (main, Objid::CATALOG), space, secondary, &rows)?;
    let space = SpacePlan::multiple(shadow_space, root);
    let shadow = (shadow, Objid::CATALOG_SHADOW);
    write_one(core, shadow, space, Vec::new(), &rows)
}

fn write_one<W: Write + Seek>(
    core: &mut Core<W>,
    (table, objid): (Table, Objid),
    space: SpacePlan,
    secondary: Vec<Secondary>,
    rows: &[CatalogRow],
) -> Result<(), BuildError> {
    let mut writer = TableWriter::new(core, table, objid, space, secondary);
    for row in rows {
        writer.row(&row.row)?;
    }
    writer.close()?;
    Ok(())
}

/// How many fixed, variable and tagged columns the catalog has. [verified for revisions 9, 0xC,
/// 0x14 and newer; the numbers between follow from format notes 12.1]
const fn column_counts(major: u32) -> (usize, usize, usize) {
    match major {
        0..0xC => (10, 9, 2),
        0xC => (11, 9, 2),
        0xD..0x12 => (11, 9, 5),
        0x12..0x14 => (11, 10, 6),
        0x14 => (12, 10, 6),
        _ => (13, 10, 6),
    }
}

fn system_table(name: &str, major: u32, pages: u32) -> Table {
    let mut table = Table::new(name);
    table.flags = table_flags::SYSTEM | table_flags::FIXED_DDL;
    table.pages = pages;
    let (fixed, variable, tagged) = column_counts(major);
    for (number, (name, coltyp, _)) in FIXED.into_iter().take(fixed).enumerate() {
        let column = Column::fixed(name, coltyp);
        let not_null = number < NOT_NULL;
        table.add(ascii(if not_null { column.not_null() } else { column }));
    }
    for (number, (name, coltyp)) in VARIABLE.into_iter().take(variable).enumerate() {
        let column = Column::variable(name, coltyp);
        table.add(ascii(if number == 0 {
            column.not_null()
        } else {
            column
        }));
    }
    for name in TAGGED.into_iter().take(tagged) {
        table.add(ascii(Column::tagged(name, Coltyp::LongBinary)));
    }
    let key = [fid::OBJID_TABLE, fid::TYPE, fid::ID];
    table.primary(key.into_iter().fold(strict_index("Id"), Index::ascending));
    table
}

/// The catalog gives all its own columns the ASCII code page, numbers too. [format notes, verified]
const fn ascii(mut column: Column) -> Column {
    column.code_page = CODE_PAGE_ASCII;
    column
}

/// An index that allows no null. [format notes 6.1]
fn strict_index(name: &str) -> Index {
    let nulls = index_flags::ALLOW_ALL_NULLS
        | index_flags::ALLOW_FIRST_NULL
        | index_flags::ALLOW_SOME_NULLS;
    Index::new(name).with_flags(index_flags::NO_NULL_SEGMENT, nulls)
}

fn name_index() -> Index {
    let key = [fid::OBJID_TABLE, fid::TYPE, fid::NAME];
    key.into_iter()
        .fold(strict_index("Name").unique(), Index::ascending)
}

/// Tables only: their root flag is not null. [format notes 6.1]
fn root_objects_index() -> Index {
    let key = [fid::ROOT_FLAG, fid::NAME];
    let index = key
        .into_iter()
        .fold(strict_index("RootObjects").unique(), Index::ascending);
    index.with_flags(index_flags::ALLOW_SOME_NULLS, index_flags::NO_NULL_SEGMENT)
}

/// Gives the indexes of a table the limits that a format can keep: before [`KEY_MOST_SINCE`] its catalog has no place for the
/// length of keys, so that keys which were cut elsewhere would be wrong to every reader. [format notes 6.6, 9.1]
pub(super) fn fit_limits(table: &mut Table, page_size: PageSize, major: u32) {
    let most = max_key(page_size, major) as u16;
    for index in table.primary.iter_mut().chain(&mut table.indexes) {
        index.key_most = if major < KEY_MOST_SINCE {
            DEFAULT_KEY_MOST as u16
        } else {
            index.key_most.min(most)
        };
    }
}

/// True where a column's description makes sense to the engine.
pub(super) fn check_table(table: &Table) -> Result<(), BuildError> {
    for (fid, column) in &table.columns {
        let sized = column.coltyp.fixed_size();
        let wrong = column.coltyp.is_long() && column.kind == FidKind::Fixed
            || sized.is_some_and(|size| column.max as usize != size)
            || column.coltyp == Coltyp::Deleted
            || column.kind == FidKind::Fixed && !(1..=255).contains(&column.max)
            || column.flags & column_flags::MULTI_VALUED != 0 && column.kind != FidKind::Tagged
            || column.code_page == CODE_PAGE_UNICODE && !column.coltyp.is_text()
            || fid.kind() != column.kind;
        if wrong {
            return Err(BuildError::NoColumn(*fid));
        }
    }
    let indexes = table.primary.iter().chain(&table.indexes);
    let segments = indexes.flat_map(|index| index.segments.iter().chain(&index.conditions));
    match segments
        .map(|s| s.fid)
        .find(|fid| table.column(*fid).is_none())
    {
        Some(fid) => Err(BuildError::NoColumn(fid)),
        None => Ok(()),
    }
}
