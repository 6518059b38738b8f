//! What is to be written: the catalog's rows, and in what order the trees that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::RebuildError;
use super::source::{Source, TreeHead, TreeInfo, TreeKind};
use crate::db::catalog::{CATALOG_ROOT, CatalogRow};
use crate::format::ids::{Objid, Pgno};
use crate::format::page::PageFlags;
use crate::format::record::RecordLayout;
use crate::format::schema::CatalogType;

/// Density of a tree about which the catalog says nothing sensible. [engine: the default of tables]
const DENSITY: u32 = 80;

/// The catalog, held once: all rows behind one another.
pub(super) struct Rows {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

/// One row.
pub(super) struct Row {
    key: Range<usize>,
    data: Range<usize>,
    /// What it describes.
    pub kind: CatalogType,
    /// Object id of its table.
    pub table: Objid,
    /// Object id of its tree, or column id.
    pub id: u32,
    name: Range<usize>,
}

impl Rows {
    fn push(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub fn all(&self) -> &[Row] {
        &self.rows
    }

    pub fn key(&self, row: &Row) -> &[u8] {
        &self.bytes[row.key.clone()]
    }

    pub fn data(&self, row: &Row) -> &[u8] {
        &self.bytes[row.data.clone()]
    }

    pub fn name(&self, row: &Row) -> &[u8] {
        &self.bytes[row.name.clone()]
    }

    /// Writes the new roots into the rows of trees.
    pub fn set_roots(&mut self, roots: &BTreeMap<Objid, Pgno>) {
        for row in &self.rows {
            let new = roots.get(&Objid::new(row.id));
            if let Some(root) = new.filter(|_| tree_kind(row.kind).is_some()) {
                CatalogRow::set_root(&mut self.bytes[row.data.clone()], *root);
            }
        }
    }
}

/// A table and its trees, its own first.
pub(super) struct TablePlan {
    /// The data tree; absent when trees belong to the database itself.
    pub data: Option<TreeInfo>,
    /// Long values, then secondary indexes by object id.
    pub children: Vec<TreeInfo>,
    derived: bool,
}

impl TablePlan {
    /// The trees of a table whose nodes will be asked for: the data tree, and the others.
    pub fn announced(&self) -> Option<(&TreeInfo, &[TreeInfo])> {
        let data = self.data.as_ref().filter(|data| !data.is_space_cache())?;
        Some((data, &self.children))
    }
}

/// Everything that is to be written.
pub(super) struct Plan {
    pub rows: Rows,
    pub head: TreeHead,
    /// Tables in the order of the file.
    pub tables: Vec<TablePlan>,
    /// What the catalog says of its own trees, those of the shadow included.
    pub own: Vec<TreeInfo>,
    pub objid_last: Objid,
}

/// What kind of tree a row is about.
const fn tree_kind(kind: CatalogType) -> Option<TreeKind> {
    match kind {
        CatalogType::Table => Some(TreeKind::Data),
        CatalogType::Index => Some(TreeKind::Index),
        CatalogType::LongValue => Some(TreeKind::LongValues),
        CatalogType::SlvAvail => Some(TreeKind::SlvAvail),
        CatalogType::SlvSpaceMap => Some(TreeKind::SlvSpaceMap),
        CatalogType::Column | CatalogType::Callback => None,
    }
}

impl Plan {
    pub fn read(source: &dyn Source) -> Result<Self, RebuildError> {
        let head = source.catalog_head()?;
        let new_format = head.flags.any(PageFlags::NEW_RECORD_FORMAT);
        let layout = RecordLayout::new(source.page_size().is_large(), new_format);
        let mut rows = Rows {
            bytes: Vec::new(),
            rows: Vec::new(),
        };
        let mut trees: BTreeMap<Objid, TablePlan> = BTreeMap::new();
        let mut objid_last = 0;
        let (mut wrong, mut seen) = (None, BTreeSet::new());
        source.catalog(&mut |node| {
            let row = match CatalogRow::with_layout(node.data, layout) {
                Ok(row) => row,
                Err(fault) => {
                    let row = rows.rows.len();
                    wrong.get_or_insert(RebuildError::Row { row, fault });
                    return;
                }
            };
            let stored = Row {
                key: rows.push(node.key),
                data: rows.push(node.data),
                name: rows.push(&row.name_bytes),
                kind: row.kind,
                table: row.table,
                id: row.id,
            };
            rows.rows.push(stored);
            if tree_kind(row.kind).is_some() {
                objid_last = objid_last.max(row.id);
                // A damaged catalog could otherwise have the same tree copied a thousand times.
                if add(&mut trees, &row) && !seen.insert(row.id) {
                    wrong.get_or_insert(RebuildError::Twice(Objid::new(row.id)));
                }
            }
        })?;
        if let Some(error) = wrong {
            return Err(error);
        }
        let is_own = |table: &Objid| matches!(*table, Objid::CATALOG | Objid::CATALOG_SHADOW);
        let (own, users): (Vec<_>, Vec<_>) =
            trees.into_iter().partition(|(table, _)| is_own(table));
        let own = own
            .into_iter()
            .flat_map(|(_, plan)| plan.data.into_iter().chain(plan.children));
        let mut tables: Vec<TablePlan> = users.into_iter().map(|(_, plan)| plan).collect();
        // As the engine does; the order is of no account to readers. [format notes 14.3]
        tables.sort_by_cached_key(|plan| {
            let name = plan
                .data
                .as_ref()
                .map(|data| data.name.to_ascii_uppercase());
            (plan.derived, name)
        });
        Ok(Self {
            rows,
            head,
            tables,
            own: own.collect(),
            objid_last: Objid::new(objid_last),
        })
    }

    /// The tree of the catalog or its shadow, as far as the catalog describes it.
    pub fn own_tree(&self, table: Objid, name: &str, kind: TreeKind) -> TreeInfo {
        let is = |tree: &&TreeInfo| {
            tree.table == table
                && tree.kind == kind
                && (kind == TreeKind::Data || tree.name.eq_ignore_ascii_case(name))
        };
        let found = self.own.iter().find(is).cloned();
        found.unwrap_or_else(|| TreeInfo {
            table,
            table_name: name.to_owned(),
            name: name.to_owned(),
            kind,
            objid: table,
            root: CATALOG_ROOT,
            density: DENSITY as u8,
        })
    }
}

/// Enters the tree that a row is about; false when it has none of its own.
fn add(trees: &mut BTreeMap<Objid, TablePlan>, row: &CatalogRow) -> bool {
    let plan = trees.entry(row.table).or_insert_with(|| TablePlan {
        data: None,
        children: Vec::new(),
        derived: false,
    });
    // The primary index is the table's own tree. A tree without a root has not been made yet.
    let is_primary = row.kind == CatalogType::Index && row.id == row.table.get();
    if is_primary || row.coltyp_or_root == 0 {
        return false;
    }
    let Some(kind) = tree_kind(row.kind) else {
        return false;
    };
    let density = Some(row.space_usage).filter(|percent| (1..=100).contains(percent));
    let mut tree = TreeInfo {
        table: row.table,
        table_name: plan
            .data
            .as_ref()
            .map_or_else(String::new, |data| data.name.clone()),
        name: row.name.clone(),
        kind,
        objid: Objid::new(row.id),
        root: Pgno::new(row.coltyp_or_root),
        density: density.unwrap_or(DENSITY) as u8,
    };
    match kind {
        TreeKind::Data => {
            plan.derived = row.template.is_some();
            tree.table_name.clone_from(&row.name);
            plan.data = Some(tree);
        }
        TreeKind::LongValues => plan.children.insert(0, tree),
        TreeKind::Index | TreeKind::SlvAvail | TreeKind::SlvSpaceMap => plan.children.push(tree),
    }
    true
}
