//! The catalog of the new database: which tables stay, and which object ids their trees have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::db::catalog::{CatalogRow, Schema, Table};
use crate::format::ids::Objid;
use crate::format::page::PageFlags;
use crate::format::record::RecordLayout;
use crate::format::schema::CatalogType;
use crate::rebuild::objids::{self, Trees};
use crate::rebuild::{RebuildError, Sound, Source, TreeInfo, TreeKind};

/// Tables in which the engine remembers what it is doing: counts of pages, and how far a defragmentation or a scan of
/// the running server has come. None of it is true of the new file. [format notes 6.9, 14.3]
const LEFT_BEHIND: [&str; 4] = [
    "MSysExtentPageCountCache",
    "MSysDefrag1",
    "MSysDefrag2",
    "MSysDatabaseMaintenance",
];
/// Which languages the indexes use: no object ids in it. [format notes 6.9]
const LOCALES: &str = "MSysLocales";
/// The catalog's two indexes have the ids behind those of the catalog and its shadow. [format notes 6.1]
const CATALOG_LAST: u32 = 5;

/// A row of the new catalog.
pub(super) struct NewRow {
    pub key: Vec<u8>,
    pub data: Vec<u8>,
}

/// The new catalog.
pub(super) struct NewCatalog {
    /// In the order of their keys.
    pub rows: Vec<NewRow>,
    /// Object ids of before by those of now.
    old: BTreeMap<Objid, Objid>,
    /// Names of tables that are left behind.
    pub dropped: Vec<String>,
    pub renumbered: bool,
    /// The new id of the table that tells the table of every tree, where it is made anew.
    pub objids_table: Option<Objid>,
    /// What is in it.
    pub trees: Trees,
}

/// A row that is still as it was.
struct OldRow {
    key: Vec<u8>,
    row: CatalogRow,
    data: Vec<u8>,
}

impl NewCatalog {
    pub fn new(sound: &Sound<'_>, schema: &Schema) -> Result<Self, RebuildError> {
        let old_rows = read(sound)?;
        agrees_with_shadow(sound, &old_rows)?;
        let own = |table: Objid| matches!(table, Objid::CATALOG | Objid::CATALOG_SHADOW);
        let system = |name: &str| schema.table(name).filter(|table| table.is_system());
        let objids = system(objids::NAME);
        // Without it nothing else tells what belongs to what; with columns that are not known it must stay as it is.
        let may_change = objids.is_none_or(objids::can_be_made);
        let mut dropped: BTreeSet<Objid> = LEFT_BEHIND
            .iter()
            .filter_map(|name| system(name))
            .filter(|_| may_change)
            .map(|table| table.objid)
            .collect();
        for table in schema.tables.values().filter(|table| table.is_defined()) {
            if is_being_deleted(sound, table)? {
                dropped.insert(table.objid);
            }
        }
        let kept: Vec<&OldRow> = old_rows
            .iter()
            .filter(|old| !dropped.contains(&old.row.table))
            .collect();
        let renumbered = may_change && !has_unknown_ids(sound, schema, &dropped)?;
        let new_ids = if renumbered {
            number(&kept, own)
        } else {
            BTreeMap::new()
        };
        let new_id = |old: Objid| new_ids.get(&old).copied().unwrap_or(old);
        let mut rows = Vec::with_capacity(kept.len());
        let mut changed = Vec::with_capacity(kept.len());
        for (number, old) in kept.iter().enumerate() {
            let mut row = old.row.clone();
            let mut data = old.data.clone();
            row.table = new_id(row.table);
            if is_tree(row.kind) {
                row.id = new_id(Objid::new(row.id)).get();
            }
            if !CatalogRow::set_objids(&mut data, row.table, row.id) {
                let fault = crate::format::record::RecordFault::Size.into();
                return Err(RebuildError::Row { row: number, fault });
            }
            rows.push(NewRow {
                key: row.key(),
                data,
            });
            changed.push(row);
        }
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        let names = dropped.iter().filter_map(|id| schema.tables.get(id));
        Ok(Self {
            rows,
            old: new_ids.iter().map(|(old, new)| (*new, *old)).collect(),
            dropped: names.map(|table| table.name.clone()).collect(),
            renumbered,
            objids_table: objids
                .filter(|_| may_change)
                .map(|table| new_id(table.objid)),
            trees: objids::trees(&changed),
        })
    }

    /// What a tree's object id was before.
    pub fn old(&self, new: Objid) -> Objid {
        self.old.get(&new).copied().unwrap_or(new)
    }
}

/// A table whose deletion was under way is never opened again. [engine; format notes 2.2]
fn is_being_deleted(sound: &Sound<'_>, table: &Table) -> Result<bool, RebuildError> {
    let own = matches!(table.objid, Objid::CATALOG | Objid::CATALOG_SHADOW);
    if own || table.root.is_null() {
        return Ok(false);
    }
    let head = sound.head(&data_tree(table))?;
    Ok(head.flags.any(PageFlags::FDP_DELETE))
}

/// The table's own tree.
fn data_tree(table: &Table) -> TreeInfo {
    TreeInfo {
        table: table.objid,
        table_name: table.name.clone(),
        name: table.name.clone(),
        kind: TreeKind::Data,
        objid: table.objid,
        root: table.root,
        density: 100,
    }
}

/// How the catalog's records are laid out.
fn layout(sound: &Sound<'_>) -> Result<RecordLayout, RebuildError> {
    let head = sound.catalog_head()?;
    let new_format = head.flags.any(PageFlags::NEW_RECORD_FORMAT);
    Ok(RecordLayout::new(sound.page_size().is_large(), new_format))
}

fn read(sound: &Sound<'_>) -> Result<Vec<OldRow>, RebuildError> {
    let layout = layout(sound)?;
    let (mut rows, mut wrong) = (Vec::new(), None);
    sound.catalog(
        &mut |node| match CatalogRow::with_layout(node.data, layout) {
            Ok(row) => rows.push(OldRow {
                key: node.key.to_vec(),
                row,
                data: node.data.to_vec(),
            }),
            Err(fault) => {
                let row = rows.len();
                wrong.get_or_insert(RebuildError::Row { row, fault });
            }
        },
    )?;
    wrong.map_or(Ok(rows), Err)
}

/// A row that only the shadow has was lost from the catalog, and with it would go what it describes. A shadow that cannot be
/// read proves nothing; the engine does not look at it either. [verified: d.txt of c-bad-shadow]
fn agrees_with_shadow(sound: &Sound<'_>, rows: &[OldRow]) -> Result<(), RebuildError> {
    let layout = layout(sound)?;
    let mut wrong = 0;
    sound.shadow(&mut |node| {
        let found = rows.binary_search_by(|row| row.key[..].cmp(node.key));
        let same = found.is_ok_and(|at| {
            let (row, copy) = (&rows[at], CatalogRow::with_layout(node.data, layout));
            row.data == node.data || copy.is_ok_and(|copy| copy.says_the_same(&row.row))
        });
        wrong += u64::from(!same);
    });
    match wrong {
        0 => Ok(()),
        _ => Err(RebuildError::Shadow(wrong)),
    }
}

/// True for rows whose id is that of a tree.
const fn is_tree(kind: CatalogType) -> bool {
    !matches!(kind, CatalogType::Column | CatalogType::Callback)
}

/// True when a table of the engine's own has rows that may hold object ids and are not known here: entries of
/// Unicode indexes that are to be looked at when the sort order changes, entries that are still to be made.
fn has_unknown_ids(
    sound: &Sound<'_>,
    schema: &Schema,
    dropped: &BTreeSet<Objid>,
) -> Result<bool, RebuildError> {
    let known = [objids::NAME, LOCALES];
    let is_unknown = |table: &&Table| {
        table.is_system()
            && table.is_defined()
            && !matches!(table.objid, Objid::CATALOG | Objid::CATALOG_SHADOW)
            && !dropped.contains(&table.objid)
            && !known
                .iter()
                .any(|name| table.name.eq_ignore_ascii_case(name))
    };
    for table in schema.tables.values().filter(is_unknown) {
        let mut has_rows = false;
        sound.nodes(&data_tree(table), &mut |_| {
            has_rows = true;
            ControlFlow::Break(())
        })?;
        if has_rows {
            return Ok(true);
        }
    }
    Ok(false)
}

/// New ids of all trees but the catalog's own: tables of the engine first, as it makes them first, then templates and
/// other tables by name, then derived tables; of each its indexes, the last one first, then its long values. [format notes
/// 14.3; verified: every clean-*/post-d]
fn number(rows: &[&OldRow], own: impl Fn(Objid) -> bool) -> BTreeMap<Objid, Objid> {
    let of_catalog = rows
        .iter()
        .filter(|old| own(old.row.table) && is_tree(old.row.kind));
    let mut next = of_catalog
        .map(|old| old.row.id)
        .max()
        .unwrap_or_default()
        .max(CATALOG_LAST);
    let mut trees: BTreeMap<Objid, Vec<&CatalogRow>> = BTreeMap::new();
    let others = rows.iter().filter(|old| !own(old.row.table));
    for old in others.filter(|old| is_tree(old.row.kind)) {
        trees.entry(old.row.table).or_default().push(&old.row);
    }
    let mut order: Vec<(&Objid, &Vec<&CatalogRow>)> = trees.iter().collect();
    order.sort_by_cached_key(|(objid, rows)| {
        let table = rows.iter().find(|row| row.kind == CatalogType::Table);
        let system =
            table.is_some_and(|row| row.flags & crate::format::schema::table_flags::SYSTEM != 0);
        let derived = table.is_some_and(|row| row.template.is_some());
        let name = table
            .filter(|_| !system)
            .map(|row| row.name.to_ascii_uppercase());
        (!system, derived, name, **objid)
    });
    let mut new = BTreeMap::new();
    let mut give = |old: Objid| {
        // The database itself, to which trees of a streaming file belong, keeps its number.
        if old > Objid::CATALOG_SHADOW {
            new.entry(old).or_insert_with(|| {
                next += 1;
                Objid::new(next)
            });
        }
    };
    for (objid, rows) in order {
        give(*objid);
        let with_indexes = |wanted: bool| {
            rows.iter()
                .filter(move |row| (row.kind == CatalogType::Index) == wanted)
        };
        for row in with_indexes(true).rev().chain(with_indexes(false)) {
            give(Objid::new(row.id));
        }
    }
    new
}
