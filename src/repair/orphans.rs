//! Long values that no record refers to, kept in tables of their own where that is asked for: each a record with its
//! id, its size, and the value.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use roaring::RoaringTreemap;

use super::Shared;
use super::catalog::Repaired;
use super::report::CatalogChange;
use super::table::Show;
use crate::db::catalog::Table;
use crate::db::catalog::recovered::{
    NewTable, free_name, orphaned_long_value, orphaned_long_values, orphaned_long_values_name,
};
use crate::format::ids::{Objid, Pgno};
use crate::format::lv::{LvKey, LvPart, LvRoot};
use crate::format::record::RecordLayout;
use crate::rebuild::{Node, TreeKind};
use crate::salvage::{SalvageOptions, SalvagedNode, SalvagedTree, TreeKind as SalvagedKind};

/// Ids of the whole long values of each table that nothing refers to.
pub(super) type Orphans = BTreeMap<Objid, RoaringTreemap>;

/// Tables that were made for orphans: by their object, the table that the long values come from.
pub(super) type OrphanTables = BTreeMap<Objid, Objid>;

/// Adds the rows of a table for the orphans of each table.
pub(super) fn add_tables(
    catalog: &mut Repaired,
    orphans: &Orphans,
    highest: Objid,
) -> OrphanTables {
    let mut made = OrphanTables::new();
    // Records of these tables are written in the newer format only.
    if catalog.layout == RecordLayout::Old {
        return made;
    }
    let in_rows = catalog.schema.tables.keys().next_back().copied();
    let mut last = highest.max(in_rows.unwrap_or_default()).get();
    for table in catalog.schema.tables.values() {
        let trees = table.secondary_indexes().map(|index| index.objid.get());
        let long_values = table.long_values.map(|tree| tree.objid.get());
        last = trees.chain(long_values).fold(last, u32::max);
    }
    let mut names: BTreeSet<String> = catalog
        .schema
        .tables
        .values()
        .map(|table| table.name.to_ascii_uppercase())
        .collect();
    for (table, ids) in orphans.iter().filter(|(_, ids)| !ids.is_empty()) {
        let name = free_name(orphaned_long_values_name(*table), |name| {
            names.contains(name)
        });
        names.insert(name.to_ascii_uppercase());
        let (own, tree) = (Objid::new(last + 1), Objid::new(last + 2));
        let new = NewTable {
            objid: own,
            name: &name,
            // Any page but none: the new file's come later.
            root: Pgno::new(1),
            long_values: Some((tree, Pgno::new(1))),
        };
        let Ok(rows) = orphaned_long_values(&new) else {
            continue;
        };
        last += 2;
        catalog.add(&rows);
        catalog.changes.push(CatalogChange {
            table: *table,
            what: format!(
                "{} long values of object {table} without a reference kept in table {}",
                ids.len(),
                new.name
            ),
        });
        made.insert(own, *table);
    }
    made
}

/// Shows a tree of a table that was made for orphans.
pub(super) fn nodes(shared: &Shared<'_>, from: Objid, kind: TreeKind, show: &mut Show<'_>) {
    let table = shared.schema.tables.get(&from);
    let tree = table.and_then(|table: &Table| table.long_values);
    let (Some(tree), Some(ids)) = (tree, shared.known.orphans.get(&from)) else {
        return;
    };
    let options = SalvageOptions {
        torn: true,
        trust_damaged_pages: shared.options.trust_damaged_pages,
        ..SalvageOptions::default()
    };
    let size = shared.db.page_size();
    let (mut number, mut data) = (0_u32, Vec::new());
    let mut visit = |node: &SalvagedNode<'_>| {
        let Ok(key) = LvKey::parse(node.key) else {
            return ControlFlow::Continue(());
        };
        if !ids.contains(key.lid.get()) {
            return ControlFlow::Continue(());
        }
        let root = LvRoot::parse(node.data).ok();
        data.clear();
        match (kind, key.part, root) {
            (TreeKind::Data, LvPart::Root, Some(root)) => {
                number += 1;
                if orphaned_long_value(key.lid, root.size, size, &mut data).is_err() {
                    return ControlFlow::Continue(());
                }
                // Without a primary index records are numbered. [format notes 9.1]
                show(Node {
                    key: &number.to_be_bytes(),
                    data: &data,
                })
            }
            (TreeKind::Data, ..) => ControlFlow::Continue(()),
            (_, LvPart::Root, _) => {
                data.extend_from_slice(node.data);
                LvRoot::set_references(&mut data, 1);
                show(Node {
                    key: node.key,
                    data: &data,
                })
            }
            _ => show(Node {
                key: node.key,
                data: node.data,
            }),
        }
    };
    SalvagedTree::read(
        shared.db,
        shared.inventory,
        (tree.objid, SalvagedKind::LongValues),
        Some(tree.root).filter(|root| !root.is_null()),
        &options,
        &mut visit,
    );
}
