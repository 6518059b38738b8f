//! Stores that were made to keep a checker busy.

use std::io::{Cursor, Seek, Write};

use exutil::build::{BuildError, Column, DatabaseBuilder, Index, Options, Row, Table, format_of};
use exutil::format::ids::PageSize;
use exutil::format::schema::Coltyp;

use super::classic::{BY_NAME, FolderKind, Maker, fid};
use super::counts;
use super::rows::Store;

/// A public store whose folders `first..first + count` are each the child of the one before, the first of the last.
pub fn cycle(count: u64) -> Store {
    let mut maker = Maker::new(7);
    maker.folder(0x10, None, "", FolderKind::Root);
    let first = 0x100;
    for number in 0..count {
        let parent = first + (number + count - 1) % count;
        let name = format!("Turn {number}");
        maker.folder(first + number, Some(fid(parent)), &name, FolderKind::Bare);
    }
    counts::classic(&mut maker.store);
    maker.store
}

/// A chain of folders, each the child of the one before.
pub fn chain(depth: u64) -> Store {
    let mut maker = Maker::new(8);
    maker.folder(0x10, None, "", FolderKind::Root);
    for number in 0..depth {
        let parent = if number == 0 { 0x10 } else { 0xFF + number };
        let name = format!("Step {number}");
        maker.folder(0x100 + number, Some(fid(parent)), &name, FolderKind::Bare);
    }
    counts::classic(&mut maker.store);
    maker.store
}

/// The tables of a public store, without rows.
pub fn empty() -> Store {
    let mut store = Maker::new(9).store;
    store.sheets.iter_mut().for_each(|sheet| sheet.rows.clear());
    store
}

/// The tables of a store of Exchange 2013, without rows.
pub fn empty_modern() -> Store {
    let mut store = super::modern::store();
    store.sheets.iter_mut().for_each(|sheet| sheet.rows.clear());
    store
}

/// Child folders of each folder of a store with many.
const CHILDREN: u64 = 20;

/// Writes a public store of so many folders, all sound: searches, which need no table. The rows are not kept in memory.
pub fn many_folders<W: Write + Seek>(count: u64, out: W) -> Result<W, BuildError> {
    let format = format_of(9).ok_or(BuildError::Format("unknown revision"))?;
    let mut builder = DatabaseBuilder::new(out, Options::new(PageSize::K4, format, 10))?;
    let mut table = Table::new("Folders");
    let kind = table.add(Column::fixed("L3601", Coltyp::Long));
    let children = table.add(Column::fixed("L6638", Coltyp::Long));
    let own = table.add(Column::variable("Q6748", Coltyp::Binary));
    let parent = table.add(Column::variable("Q6749", Coltyp::Binary));
    let name = table.add(Column::tagged("S3001", Coltyp::Text));
    // No folder has been deleted.
    table.add(Column::tagged("T668f", Coltyp::Currency));
    table.primary(Index::new("+Q6749+Q6748").ascending(parent).ascending(own));
    let by_name = Index::new(BY_NAME).ascending(parent).ascending(name);
    table.index(by_name.ascending(own));
    let mut writer = builder.table(table)?;
    for number in 0..count {
        let below = (CHILDREN * number + 1).min(count)..(CHILDREN * (number + 1) + 1).min(count);
        let row = Row::new().set(own, fid(0x100 + number));
        let row = row.set(children, ((below.end - below.start) as i32).to_le_bytes());
        let row = row.set(name, format!("Folder {number}"));
        writer.row(&match number.checked_sub(1) {
            None => row.set(kind, 0i32.to_le_bytes()),
            Some(before) => row
                .set(parent, fid(0x100 + before / CHILDREN))
                .set(kind, 2i32.to_le_bytes()),
        })?;
    }
    writer.finish()?;
    for name in ["Msg", "Global"] {
        let mut table = Table::new(name);
        let column = table.add(Column::fixed("Le08", Coltyp::Long));
        let rows = (name == "Global").then(|| Row::new().set(column, [0; 4]));
        builder.add_table(table, rows)?;
    }
    Ok(builder.finish()?.0)
}

/// The same in memory.
pub fn many_folders_in_memory(count: u64) -> Result<Vec<u8>, BuildError> {
    Ok(many_folders(count, Cursor::new(Vec::new()))?.into_inner())
}
