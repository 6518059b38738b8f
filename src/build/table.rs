//! One table: its rows, long values and indexes.

use std::io::{Seek, Write};

use super::catalog;
use super::core::Core;
use super::error::BuildError;
use super::index;
use super::longvalue::LongValues;
use super::schema::{Index, Row, Table};
use super::values::{self, Parts, RecordLimits};
use crate::db::catalog::make::LV_DENSITY;
use crate::format::ids::{Objid, Pgno};
use crate::format::keys::{self, IndexRules};
use crate::format::page::{NodeFlags, PageFlags};
use crate::format::record::encode::{FixedSlot, max_record};
use crate::tree::space::SpacePlan;
use crate::tree::stores::{ChildStore, TableStore};
use crate::tree::{TreeSummary, TreeWriter};

/// A secondary index, its entries collected until all rows are there.
pub(super) struct Secondary {
    pub index: Index,
    rules: IndexRules,
    pub objid: Objid,
    /// Present when it has its place already, as the catalog's have.
    pub space: Option<SpacePlan>,
    entries: Vec<Entry>,
}

/// An entry of a secondary index, in the order of its tree.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: Box<[u8]>,
    bookmark: Box<[u8]>,
}

impl Secondary {
    pub fn new(table: &Table, index: Index, objid: Objid, space: Option<SpacePlan>) -> Self {
        let rules = index::rules(table, &index);
        Self {
            index,
            rules,
            objid,
            space,
            entries: Vec::new(),
        }
    }
}

/// Takes the rows of one table, in the order of its primary index.
pub struct TableWriter<'b, W> {
    core: &'b mut Core<W>,
    table: Table,
    primary: Option<(Index, IndexRules)>,
    slots: Vec<FixedSlot>,
    objid: Objid,
    space: SpacePlan,
    data: TreeWriter,
    lv: Option<LongValues>,
    indexes: Vec<Secondary>,
    rows: u32,
    limits: RecordLimits,
}

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableInfo {
    /// Its object id.
    pub objid: Objid,
    /// Root page of its data.
    pub root: Pgno,
    /// Size of its data tree.
    pub data: TreeSummary,
}

/// A table whose pages are all written.
pub(super) struct Closed<'b, W> {
    core: &'b mut Core<W>,
    table: Table,
    pub info: TableInfo,
    indexes: Vec<(Index, Placed)>,
    long_values: Option<Placed>,
}

/// Where a finished tree stands in the catalog.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub objid: Objid,
    pub root: Pgno,
}

impl<'b, W: Write + Seek> TableWriter<'b, W> {
    pub(super) fn new(
        core: &'b mut Core<W>,
        table: Table,
        objid: Objid,
        space: SpacePlan,
        indexes: Vec<Secondary>,
    ) -> Self {
        let primary = table.primary.clone().map(|primary| {
            let rules = index::rules(&table, &primary);
            (primary, rules)
        });
        let flags = core.flags(0);
        let data = core.tree(space.fdp(), objid, flags, table.density);
        let max_key = keys::max_key(core.page_size, core.format.major);
        let limits = RecordLimits {
            page_size: core.page_size,
            record_most: max_record(core.page_size, max_key),
            intrinsic_most: table.intrinsic_most,
            lid_bytes: if core.lid64 { 8 } else { 4 },
        };
        Self {
            slots: values::slots(&table),
            core,
            table,
            primary,
            objid,
            space,
            data,
            lv: None,
            indexes,
            rows: 0,
            limits,
        }
    }

    /// Adds a row, which must come after all others in the order of the primary index.
    ///
    /// # Errors
    /// [`BuildError`]; the table cannot be continued then.
    pub fn row(&mut self, row: &Row) -> Result<(), BuildError> {
        let row = values::prepare(&self.table, row)?;
        self.rows += 1;
        let mut key = Vec::new();
        match &self.primary {
            Some((index, rules)) => {
                index::primary_key(&self.table, (index, rules), &row, &mut key)?;
            }
            None => key.extend(keys::record_number(self.rows)),
        }
        let record = self.record(&row)?;
        self.raw_row(&key, &record)?;
        for secondary in &mut self.indexes {
            let rules = (&secondary.index, &secondary.rules);
            index::keys(&self.table, rules, &row, |entry| {
                secondary.entries.push(Entry {
                    key: entry.into(),
                    bookmark: key[..].into(),
                });
            })?;
        }
        Ok(())
    }

    /// Adds a record as it is under `key`, without entries in secondary indexes: for copies of
    /// existing tables.
    ///
    /// # Errors
    /// [`BuildError`]; the table cannot be continued then.
    pub fn raw_row(&mut self, key: &[u8], record: &[u8]) -> Result<(), BuildError> {
        let mut store = TableStore {
            file: &mut self.core.file,
            space: &mut self.space,
        };
        self.data
            .push(&mut store, key, record, NodeFlags::default())
            .map_err(|error| BuildError::in_tree(&self.table.name, error))
    }

    /// Adds a node of the long value tree as it is; nodes come in the order of their keys, before,
    /// between or after the rows.
    ///
    /// # Errors
    /// [`BuildError`]; the table cannot be continued then.
    pub fn raw_long_value(&mut self, key: &[u8], data: &[u8]) -> Result<(), BuildError> {
        let lv = match &mut self.lv {
            Some(lv) => lv,
            empty => empty.insert(new_long_values(
                self.core,
                &mut self.space,
                self.limits.lid_bytes,
            )?),
        };
        lv.push(&mut self.core.file, &mut self.space, key, data)
    }

    /// Adds an entry to secondary index number `index` of the table, in any order; false when the
    /// table has no such index.
    pub fn raw_entry(&mut self, index: usize, key: &[u8], bookmark: &[u8]) -> bool {
        let secondary = self.indexes.get_mut(index);
        let found = secondary.is_some();
        if let Some(secondary) = secondary {
            secondary.entries.push(Entry {
                key: key.into(),
                bookmark: bookmark.into(),
            });
        }
        found
    }

    /// Writes what is left: long values, indexes, space, catalog rows.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn finish(self) -> Result<TableInfo, BuildError> {
        let closed = self.close()?;
        let own = Placed {
            objid: closed.info.objid,
            root: closed.info.root,
        };
        let trees = (&closed.indexes[..], closed.long_values);
        catalog::describe(closed.core, &closed.table, own, trees);
        Ok(closed.info)
    }

    /// Everything but the catalog rows.
    pub(super) fn close(mut self) -> Result<Closed<'b, W>, BuildError> {
        let mut store = TableStore {
            file: &mut self.core.file,
            space: &mut self.space,
        };
        let data = self
            .data
            .finish(&mut store)
            .map_err(|error| BuildError::in_tree(&self.table.name, error))?;
        let long_values = match self.lv {
            Some(lv) => Some(finish_long_values(self.core, &mut self.space, lv)?),
            None => None,
        };
        let mut indexes = Vec::new();
        for secondary in self.indexes {
            indexes.push(finish_index(self.core, &mut self.space, secondary)?);
        }
        if let Some(tail) = self.space.trim()
            && !self.core.file.give_back(tail)
        {
            self.space.reclaim(tail);
        }
        let info = TableInfo {
            objid: self.objid,
            root: self.space.fdp(),
            data: data.summary,
        };
        let flags = self.core.flags(0);
        self.core.close(&self.space, self.objid, flags, data)?;
        Ok(Closed {
            core: self.core,
            table: self.table,
            info,
            indexes,
            long_values,
        })
    }

    fn record(&mut self, row: &Row) -> Result<Vec<u8>, BuildError> {
        let mut record = Vec::new();
        let mut parts = Parts::new(&self.table, row);
        let apart = parts.separate(self.limits, &self.slots, &mut record)?;
        let mut lids = Vec::with_capacity(apart.len());
        if !apart.is_empty() && self.lv.is_none() {
            self.lv = Some(new_long_values(
                self.core,
                &mut self.space,
                self.limits.lid_bytes,
            )?);
        }
        if let Some(lv) = &mut self.lv {
            for value in &apart {
                lids.push(lv.add(&mut self.core.file, &mut self.space, value.bytes)?);
            }
        }
        for (value, lid) in apart.iter().zip(&lids) {
            parts.set_lid(value, &lid[..self.limits.lid_bytes]);
        }
        record.clear();
        parts.encode(&self.slots, self.limits.page_size, &mut record)?;
        let (bytes, most) = (record.len(), self.limits.record_most);
        if bytes > most {
            return Err(BuildError::RecordTooLong { bytes, most });
        }
        Ok(record)
    }
}

/// The first page of a new tree inside a table's space.
fn child_space<W: Write + Seek>(
    core: &mut Core<W>,
    table: &mut SpacePlan,
) -> Result<SpacePlan, BuildError> {
    let parent = table.fdp();
    let mut store = TableStore {
        file: &mut core.file,
        space: table,
    };
    Ok(SpacePlan::new(store.take_run(1)?, parent))
}

fn new_long_values<W: Write + Seek>(
    core: &mut Core<W>,
    table: &mut SpacePlan,
    lid_bytes: usize,
) -> Result<LongValues, BuildError> {
    let space = child_space(core, table)?;
    let objid = core.next_objid();
    let flags = core.flags(PageFlags::LONG_VALUE);
    let tree = core.tree(space.fdp(), objid, flags, LV_DENSITY);
    Ok(LongValues::new(
        tree,
        space,
        objid,
        core.page_size,
        lid_bytes,
    ))
}

fn finish_long_values<W: Write + Seek>(
    core: &mut Core<W>,
    table: &mut SpacePlan,
    mut lv: LongValues,
) -> Result<Placed, BuildError> {
    let mut store = ChildStore {
        table: TableStore {
            file: &mut core.file,
            space: table,
        },
        space: &mut lv.space,
    };
    let finished = lv
        .tree
        .finish(&mut store)
        .map_err(|error| BuildError::in_tree("long values", error))?;
    if let Some(tail) = lv.space.trim() {
        table.release(tail);
    }
    let flags = core.flags(PageFlags::LONG_VALUE);
    core.close(&lv.space, lv.objid, flags, finished)?;
    Ok(Placed {
        objid: lv.objid,
        root: lv.space.fdp(),
    })
}

/// Sorts the entries and writes the tree.
fn finish_index<W: Write + Seek>(
    core: &mut Core<W>,
    table: &mut SpacePlan,
    secondary: Secondary,
) -> Result<(Index, Placed), BuildError> {
    let Secondary {
        index,
        rules: _,
        objid,
        space,
        mut entries,
    } = secondary;
    let mut space = match space {
        Some(space) => space,
        None => child_space(core, table)?,
    };
    entries.sort_unstable();
    // A record enters the same key once. [format notes 9.5 rule 5]
    entries.dedup();
    if index.is_unique() && entries.windows(2).any(|pair| pair[0].key == pair[1].key) {
        return Err(BuildError::Duplicate(index.name));
    }
    let kind = if index.is_unique() {
        0
    } else {
        PageFlags::NON_UNIQUE
    };
    let flags = core.flags(PageFlags::INDEX | kind);
    let mut tree = core.tree(space.fdp(), objid, flags, index.density);
    let mut store = ChildStore {
        table: TableStore {
            file: &mut core.file,
            space: table,
        },
        space: &mut space,
    };
    let name = |error| BuildError::in_tree(&index.name, error);
    for entry in &entries {
        tree.push(
            &mut store,
            &entry.key,
            &entry.bookmark,
            NodeFlags::default(),
        )
        .map_err(name)?;
    }
    let finished = tree.finish(&mut store).map_err(name)?;
    if let Some(tail) = space.trim() {
        table.release(tail);
    }
    core.close(&space, objid, flags, finished)?;
    let root = space.fdp();
    Ok((index, Placed { objid, root }))
}
