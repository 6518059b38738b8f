//! `MSysObjids`: which table each tree belongs to, by object id. [format notes 6.9, 15.3]

use std::io::{Seek, Write};

use super::catalog;
use super::core::Core;
use super::error::BuildError;
use super::schema::{Column, Index, Row, Table};
use super::table::{Placed, TableWriter};
use crate::format::ids::{Objid, Pgno};
use crate::format::schema::{CatalogType, Coltyp, Fid, table_flags};
use crate::tree::space::{Run, SpacePlan};

/// First format whose databases have the table from their creation on. [verified: 0x14 and newer
/// have it, 9 and 0xC do not]
pub(super) const SINCE: u32 = 0x14;
/// Its object id. [format notes, verified]
const OBJID: Objid = Objid::new(6);
/// It is only ever appended to. [verified: 0x64 in its catalog row]
const DENSITY: u8 = 100;
/// Its columns. [format notes 6.9]
const COLUMNS: [(&str, Coltyp); 3] = [
    ("objid", Coltyp::Long),
    ("objidTable", Coltyp::Long),
    ("type", Coltyp::Short),
];

/// Writes the table, whose first page was set aside; the rows of all other tables are known now.
pub(super) fn write<W: Write + Seek>(core: &mut Core<W>, first: Run) -> Result<(), BuildError> {
    let mut table = Table::new("MSysObjids");
    table.flags = table_flags::SYSTEM | table_flags::FIXED_DDL | table_flags::DYNAMIC_SYSTEM;
    table.pages = 0;
    table.density = DENSITY;
    let fids = COLUMNS.map(|(name, coltyp)| table.add(Column::tagged(name, coltyp)));
    let mut primary = Index::new("primary").ascending(fids[0]);
    primary.density = DENSITY;
    table.primary(primary);

    let own = Placed {
        objid: OBJID,
        root: Pgno::new(first.first),
    };
    catalog::describe(core, &table, own, (&[], None));
    let trees = trees(core);
    let space = SpacePlan::new(first, Pgno::new(1));
    let mut writer = TableWriter::new(core, table, OBJID, space, Vec::new());
    for (id, table, kind) in trees {
        writer.row(&row(fids, id, table, kind))?;
    }
    writer.close()?;
    Ok(())
}

fn row(fids: [Fid; 3], id: u32, table: Objid, kind: CatalogType) -> Row {
    Row::new()
        .set(fids[0], id.to_le_bytes())
        .set(fids[1], table.get().to_le_bytes())
        .set(fids[2], (kind as i16 + 1).to_le_bytes())
}

/// One row per tree: tables, secondary indexes, long value trees. [format notes 6.9]
fn trees<W>(core: &Core<W>) -> Vec<(u32, Objid, CatalogType)> {
    let mut trees = catalog::system_trees();
    let keys = core.catalog.iter().map(|row| row.key);
    trees.extend(keys.filter_map(|(table, kind, id)| {
        let has_tree = match kind {
            CatalogType::Table | CatalogType::LongValue => true,
            CatalogType::Index => id != table.get(),
            _ => false,
        };
        has_tree.then_some((id, table, kind))
    }));
    trees.sort_unstable();
    trees
}
