//! Trees that are in the file and that no catalog row names: tables whose rows are lost in both copies of the catalog,
//! and what dropped tables left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde::Serialize;

use super::inventory::{Inventory, PageContent};
use super::tree::{SalvagedNode, SalvagedTree};
use super::{SalvageOptions, TreeKind};
use crate::db::catalog::recovered::recovered_name;
use crate::db::catalog::{CATALOG_NAME_ROOT, Schema};
use crate::db::space::{Extent, ObjectSpace, SpaceHeader};
use crate::db::{Database, PageBytes};
use crate::format::ids::{Objid, Pgno};
use crate::format::schema::CatalogType;

/// Objects that every database has: its root, the catalog, its shadow, and two indexes of the catalog.
/// [format notes 5.9]
const LAST_FIXED: Objid = Objid::new(5);
/// The catalog's index over table, type and name. [format notes 5.9]
const NAME_INDEX: Objid = Objid::new(4);
/// What precedes every value in a key. [format notes 9.1]
const PRESENT: u8 = 0x7F;

/// A tree that no catalog row names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrphanTree {
    /// Its object.
    pub objid: Objid,
    /// What it holds.
    pub content: PageContent,
    /// The name in the catalog's index, in upper case, where that still has it; for a table else `recovered-<objid>`.
    pub name: Option<String>,
    /// Its root, where exactly one can be read.
    pub root: Option<Pgno>,
    /// Root of the tree that it takes its space from: of the table, for long values and indexes; page 1, for a table.
    pub parent: Option<Pgno>,
    /// Keys may repeat, as its root says.
    pub non_unique: bool,
    /// Leaves that can be read and that no sound space tree of the database calls free.
    pub leaves: u64,
    /// All its pages in use, bad ones included.
    pub pages: u64,
}

/// Trees that no row of `schema` names, tables first, by object.
pub(super) fn find(
    db: &Database,
    inventory: &Inventory,
    schema: &Schema,
    options: &SalvageOptions<'_>,
) -> Vec<OrphanTree> {
    let mut known: BTreeSet<Objid> = BTreeSet::new();
    for table in schema.tables.values() {
        if table.is_defined() {
            known.insert(table.objid);
        }
        known.extend(table.secondary_indexes().map(|index| index.objid));
        known.extend(table.long_values.map(|tree| tree.objid));
    }
    let unknown: Vec<Objid> = inventory
        .objects()
        .filter(|objid| *objid > LAST_FIXED && !known.contains(objid))
        .collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    // Pages of dropped tables went back to the database.
    let space = ObjectSpace::read(db, Pgno::new(1));
    let mut free = if space.unreadable == 0 {
        space.available
    } else {
        Vec::new()
    };
    free.sort_unstable();
    let names = names(db, inventory, options);
    let mut found: Vec<OrphanTree> = unknown
        .into_iter()
        .filter_map(|objid| tree(db, inventory, objid, &free))
        .collect();
    for tree in &mut found {
        let name = names.get(&tree.objid).cloned();
        tree.name = match tree.content {
            PageContent::Data => Some(name.unwrap_or_else(|| recovered_name(tree.objid))),
            _ => None,
        };
    }
    found.sort_by_key(|tree| (tree.content, tree.objid));
    found
}

/// What the pages of an object say of it; `None` when none of them is a usable page of a tree in use.
fn tree(db: &Database, inventory: &Inventory, objid: Objid, free: &[Extent]) -> Option<OrphanTree> {
    let is_free = |pgno: Pgno| {
        let at = free.partition_point(|extent| extent.last < pgno);
        free.get(at).is_some_and(|extent| extent.first() <= pgno)
    };
    let mut by_content: BTreeMap<PageContent, (u64, u64, u64)> = BTreeMap::new();
    for pgno in inventory
        .pages_of(objid)
        .iter()
        .map(|pgno| Pgno::new(*pgno))
    {
        let Some(state) = inventory.state(pgno) else {
            continue;
        };
        if state.is_empty() || state.content() == PageContent::Space || is_free(pgno) {
            continue;
        }
        let usable = state.verdict().is_usable();
        let (sound, leaves, pages) = by_content.entry(state.content()).or_default();
        *sound += u64::from(usable);
        *leaves += u64::from(usable && state.is_leaf());
        *pages += 1;
    }
    // An object is one tree; pages of another kind are stale or damaged.
    let (content, (_, leaves, pages)) = by_content
        .into_iter()
        .max_by_key(|(_, (sound, _, _))| *sound)
        .filter(|(_, (sound, _, _))| *sound > 0)?;
    let mut roots = inventory
        .roots(objid, content)
        .filter(|root| !is_free(*root));
    let root = roots.next().filter(|_| roots.next().is_none());
    let mut bytes = PageBytes::new(db.page_size());
    let header = root.and_then(|root| {
        let page = db.read(root, &mut bytes).ok()?;
        SpaceHeader::parse(page.external_header())
    });
    Some(OrphanTree {
        objid,
        content,
        name: None,
        root,
        parent: header.map(|header| header.parent),
        non_unique: header.is_some_and(|header| header.is_non_unique()),
        leaves,
        pages,
    })
}

/// Names of tables, in upper case, from the catalog's index over them.
fn names(
    db: &Database,
    inventory: &Inventory,
    options: &SalvageOptions<'_>,
) -> BTreeMap<Objid, String> {
    let mut names = BTreeMap::new();
    let mut add = |node: &SalvagedNode<'_>| {
        if let Some((objid, name)) = table_name(node.key) {
            names.insert(objid, name);
        }
        ControlFlow::Continue(())
    };
    let tree = (NAME_INDEX, TreeKind::Index { non_unique: false });
    let root = Some(CATALOG_NAME_ROOT);
    SalvagedTree::read(db, inventory, tree, root, options, &mut add);
    names
}

/// Object and name of a table row's entry: object id, type, and upper-case ASCII up to a zero. [format notes 6.1]
fn table_name(key: &[u8]) -> Option<(Objid, String)> {
    let (&[p1, a, b, c, d, p2, high, low, p3], name) = key.split_first_chunk::<9>()?;
    if [p1, p2, p3] != [PRESENT; 3] {
        return None;
    }
    // Signed numbers have their first bit turned in keys. [format notes 9.2]
    let objid = u32::from_be_bytes([a ^ 0x80, b, c, d]);
    let kind = i16::from_be_bytes([high ^ 0x80, low]);
    let name = name.split(|byte| *byte == 0).next()?;
    let is_table = CatalogType::from_catalog(kind) == Some(CatalogType::Table);
    let printable = !name.is_empty() && name.iter().all(|byte| (b' '..=b'~').contains(byte));
    (is_table && printable)
        .then(|| Some((Objid::new(objid), String::from_utf8(name.to_vec()).ok()?)))?
}

#[cfg(test)]
mod tests {
    use super::table_name;
    use crate::format::ids::Objid;

    #[test]
    fn names_are_read_from_keys() {
        // [format notes 6.1]
        let key = b"\x7f\x80\0\0\x02\x7f\x80\x01\x7fMSYSOBJECTS\0";
        let named = table_name(key).unwrap();
        assert_eq!(named, (Objid::new(2), "MSYSOBJECTS".to_owned()));
        assert_eq!(
            table_name(b"\x7f\x80\0\0\x02\x7f\x80\x02\x7fCOLUMN\0"),
            None
        );
        assert_eq!(table_name(b"\x7f\x80\0\0\x02\x7f\x80\x01\x7f\x01\0"), None);
        assert_eq!(table_name(b"\x7f\x80"), None);
    }
}
