//! Rows that both copies of the catalog have lost, from what else knows of them: trees that no row names, the catalog's
//! index of names, the space headers of roots, the records themselves.
//!
//! Only where both copies have lost rows is a tree without a row a loss; else it is what a dropped table left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use super::catalog::{Parsed, entry};
use super::report::CatalogChange;
use crate::build::{DatabaseBuilder, Options, format_of};
use crate::db::Database;
use crate::db::catalog::make::{DENSITY, NewRow, NewTree};
use crate::db::catalog::recovered::{SeenColumns, free_name, recovered_name};
use crate::db::catalog::{CATALOG_ROOT, CatalogRow};
use crate::format::ids::{Objid, Pgno};
use crate::format::record::{Record, RecordLayout};
use crate::format::schema::{CatalogType, Fid, FidKind};
use crate::salvage::{
    CatalogEntry, Inventory, OrphanTree, PageContent, SalvageOptions, SalvagedTree, TreeKind,
};
use crate::storage::Memory;
use crate::tree::walk::for_each_node;

/// What is looked at.
pub(super) struct Witnesses<'w> {
    pub db: &'w Database,
    pub inventory: &'w Inventory,
    pub options: SalvageOptions<'w>,
    /// How the catalog's own rows are laid out.
    pub layout: RecordLayout,
    pub orphans: &'w [OrphanTree],
}

impl Witnesses<'_> {
    /// Adds the rows that can be made. Gives the columns that were described anew: what type they had is not known.
    pub fn add_rows(
        &self,
        rows: &mut Vec<Parsed>,
        changes: &mut Vec<CatalogChange>,
    ) -> BTreeSet<(Objid, Fid)> {
        let mut made = Vec::new();
        self.tables(rows, &mut made, changes);
        self.long_values(rows, &mut made, changes);
        self.columns(rows, &mut made, changes);
        for orphan in self
            .orphans
            .iter()
            .filter(|o| o.content == PageContent::Index)
        {
            changes.push(CatalogChange {
                table: orphan.objid,
                what: format!(
                    "index object {} left out: no row says what its columns are",
                    orphan.objid
                ),
            });
        }
        rows.extend(made.iter().filter_map(|row| self.parsed(row)));
        self.own_rows(rows, changes);
        let columns = made.iter().filter(|row| row.kind == CatalogType::Column);
        let guessed = columns
            .map(|row| (row.table, Fid::new(row.id as u16)))
            .collect();
        rows.sort_by(|a, b| a.entry.key.cmp(&b.entry.key));
        guessed
    }

    /// Rows that describe the catalog itself: the same in every new database of this format.
    fn own_rows(&self, rows: &mut Vec<Parsed>, changes: &mut Vec<CatalogChange>) {
        let have: BTreeSet<&[u8]> = rows.iter().map(|parsed| &parsed.entry.key[..]).collect();
        let new = new_catalog(self.db).unwrap_or_default();
        let missing: Vec<Parsed> = new
            .into_iter()
            .filter(|entry| !have.contains(&entry.key[..]) && entry.layout == self.layout)
            .filter_map(|entry| {
                let row = CatalogRow::with_layout(&entry.data, entry.layout).ok()?;
                let own = [Objid::CATALOG, Objid::CATALOG_SHADOW].contains(&row.table);
                own.then_some(Parsed { entry, row })
            })
            .collect();
        if !missing.is_empty() {
            changes.push(CatalogChange {
                table: Objid::CATALOG,
                what: format!("{} rows about the catalog itself made anew", missing.len()),
            });
        }
        rows.extend(missing);
    }

    fn parsed(&self, row: &NewRow) -> Option<Parsed> {
        let entry = entry(row, self.layout)?;
        Some(Parsed {
            row: CatalogRow::with_layout(&entry.data, self.layout).ok()?,
            entry,
        })
    }

    /// Tables without a row of their own.
    fn tables(&self, rows: &[Parsed], made: &mut Vec<NewRow>, changes: &mut Vec<CatalogChange>) {
        let mut names: BTreeSet<String> = rows
            .iter()
            .filter(|parsed| parsed.row.kind == CatalogType::Table)
            .map(|parsed| parsed.row.name.to_ascii_uppercase())
            .collect();
        for orphan in self
            .orphans
            .iter()
            .filter(|o| o.content == PageContent::Data)
        {
            let Some(root) = self.root(orphan, TreeKind::Data) else {
                continue;
            };
            let known = orphan.name.clone();
            let known = known.filter(|name| crate::db::catalog::make::is_name(name));
            let free = known.filter(|name| !names.contains(&name.to_ascii_uppercase()));
            let name = free.unwrap_or_else(|| {
                free_name(recovered_name(orphan.objid), |name| names.contains(name))
            });
            names.insert(name.to_ascii_uppercase());
            let tree = NewTree {
                objid: orphan.objid,
                root,
                density: DENSITY,
            };
            made.push(NewRow::table(tree, &name, 0, 1));
            changes.push(CatalogChange {
                table: orphan.objid,
                what: format!(
                    "table {name} described anew: its row is lost, {} leaves of it are there",
                    orphan.leaves
                ),
            });
        }
    }

    /// The root, or any page of the tree: what matters is that it has one.
    fn root(&self, orphan: &OrphanTree, kind: TreeKind) -> Option<Pgno> {
        orphan
            .root
            .or_else(|| self.inventory.leaves(orphan.objid, kind).next())
    }

    /// Long value trees go to the table that their space comes from.
    fn long_values(
        &self,
        rows: &[Parsed],
        made: &mut Vec<NewRow>,
        changes: &mut Vec<CatalogChange>,
    ) {
        let mut roots: BTreeMap<Pgno, Objid> = BTreeMap::new();
        let mut have: BTreeSet<Objid> = BTreeSet::new();
        for parsed in rows {
            match parsed.row.kind {
                CatalogType::Table => {
                    roots.insert(Pgno::new(parsed.row.coltyp_or_root), parsed.row.table);
                }
                CatalogType::LongValue => drop(have.replace(parsed.row.table)),
                _ => {}
            }
        }
        for row in made.iter() {
            roots.insert(Pgno::new(row.coltyp_or_root), row.table);
        }
        for orphan in self
            .orphans
            .iter()
            .filter(|o| o.content == PageContent::LongValues)
        {
            let owner = orphan.parent.and_then(|parent| roots.get(&parent).copied());
            let root = self.root(orphan, TreeKind::LongValues);
            let what = match (owner, root) {
                (Some(table), Some(root)) if have.insert(table) => {
                    made.push(NewRow::long_values(table, orphan.objid, root));
                    format!("long values {} given back to table {table}", orphan.objid)
                }
                _ => format!(
                    "long values {} left out: nothing says whose they are",
                    orphan.objid
                ),
            };
            changes.push(CatalogChange {
                table: owner.unwrap_or(orphan.objid),
                what,
            });
        }
    }

    /// Columns that records have and no row describes.
    fn columns(&self, rows: &[Parsed], made: &mut Vec<NewRow>, changes: &mut Vec<CatalogChange>) {
        let mut tables: BTreeMap<Objid, (Pgno, SeenColumns, BTreeSet<Fid>)> = BTreeMap::new();
        let own = [Objid::CATALOG, Objid::CATALOG_SHADOW];
        let stated = rows.iter().map(|parsed| &parsed.row);
        for row in stated.clone().filter(|row| row.kind == CatalogType::Table) {
            if !own.contains(&row.table) {
                let root = Pgno::new(row.coltyp_or_root);
                tables.insert(row.table, (root, SeenColumns::new(), BTreeSet::new()));
            }
        }
        for row in made.iter().filter(|row| row.kind == CatalogType::Table) {
            let root = Pgno::new(row.coltyp_or_root);
            tables.insert(row.table, (root, SeenColumns::new(), BTreeSet::new()));
        }
        let templates: BTreeMap<String, Objid> = stated
            .clone()
            .filter(|row| row.kind == CatalogType::Table)
            .map(|row| (row.name.to_ascii_uppercase(), row.table))
            .collect();
        // What a derived table inherits is known too.
        let mut inherits: BTreeMap<Objid, Vec<Objid>> = BTreeMap::new();
        for row in stated.clone() {
            let template = row.template.as_ref().map(|name| name.to_ascii_uppercase());
            if let Some(template) = template.and_then(|name| templates.get(&name)) {
                inherits.entry(*template).or_default().push(row.table);
            }
        }
        for row in stated.filter(|row| row.kind == CatalogType::Column) {
            let Some(column) = row.column() else { continue };
            let heirs = inherits.get(&row.table).into_iter().flatten().copied();
            let heirs = heirs.filter(|_| column.fid.kind() != FidKind::Tagged);
            for table in heirs.chain([row.table]) {
                if let Some((_, seen, known)) = tables.get_mut(&table) {
                    known.insert(column.fid);
                    if column.fid.kind() == FidKind::Fixed {
                        let size = column.coltyp.fixed_size();
                        let size = size.unwrap_or(column.max_len as usize);
                        seen.add_known(column.fid, column.record_offset, size as u16);
                    }
                }
            }
        }
        for (table, (root, mut seen, known)) in tables {
            self.look(table, root, &mut seen);
            let names: Vec<NewRow> = seen
                .columns()
                .into_iter()
                .filter(|column| !known.contains(&column.fid))
                .map(|column| {
                    let kind = match column.fid.kind() {
                        FidKind::Fixed => "fixed",
                        FidKind::Variable => "variable",
                        FidKind::Tagged => "tagged",
                    };
                    NewRow::column(table, &format!("{kind}-{}", column.fid), column)
                })
                .collect();
            if !names.is_empty() {
                changes.push(CatalogChange {
                    table,
                    what: format!("{} columns of object {table} described anew", names.len()),
                });
            }
            made.extend(names);
        }
    }

    /// Looks at all records of a table.
    fn look(&self, table: Objid, root: Pgno, seen: &mut SeenColumns) {
        let tree = (table, TreeKind::Data);
        let root = Some(root).filter(|root| !root.is_null());
        let mut look = |node: &crate::salvage::SalvagedNode<'_>| {
            if let Ok(record) = Record::with_layout(node.data, node.layout) {
                // Damage is met again when the record is to be kept.
                let _ = seen.add(&record);
            }
            ControlFlow::Continue(())
        };
        SalvagedTree::read(
            self.db,
            self.inventory,
            tree,
            root,
            &self.options,
            &mut look,
        );
    }
}

/// The catalog of an empty database of the same format and page size.
pub(super) fn new_catalog(db: &Database) -> Option<Vec<CatalogEntry>> {
    let major = db.header().update_major;
    let format = (0..=major).rev().find_map(format_of)?;
    let options = Options::new(db.page_size(), format, 1);
    let out = std::io::Cursor::new(Vec::new());
    let (out, _) = DatabaseBuilder::new(out, options).ok()?.finish().ok()?;
    let storage = Box::new(Memory::new(out.into_inner()));
    let db = Database::from_storage(storage, Path::new("new"), None).ok()?;
    let mut rows = Vec::new();
    for_each_node(
        &db,
        CATALOG_ROOT,
        |_, page, node| {
            rows.push(CatalogEntry {
                key: node.key(),
                data: node.data.to_vec(),
                layout: RecordLayout::of_page(page),
                in_both: false,
            });
        },
        |_, _| {},
    );
    Some(rows)
}
