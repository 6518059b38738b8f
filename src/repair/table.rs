//! A damaged table: its records, long values and indexes as they are to be written.
//!
//! Long values are looked at first, so that it is known which of them are whole. Then the records are read; each is
//! checked, its references are counted, and what it has in each index is put into that index's sorter. Long values
//! are then read again and written with the counts that are right, and the sorted entries become the indexes.

use std::io;
use std::ops::ControlFlow;

use roaring::RoaringTreemap;

use super::Shared;
use super::fetch::Fetch;
use super::indexes::{IndexWork, Row};
use super::long_values::{Census, CensusTaker, References};
use super::report::{DroppedRecord, KeyBytes, LostValue, TableRepair};
use crate::check::index_plan::{Comparable, Plan, RowView};
use crate::db::catalog::Table;
use crate::format::ids::{Objid, Pgno};
use crate::format::keys::{KeyEnd, NoSortKeys};
use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot};
use crate::format::record::convert::to_new;
use crate::format::record::edit::{LostValue as LostInstance, without_separated};
use crate::format::record::{CatalogLimits, Record, RecordLayout};
use crate::rebuild::Node;
use crate::salvage::{SalvageOptions, SalvagedNode, SalvagedTree, TreeKind, TreeReport};

/// Less memory than this an index does not get.
const SORT_LEAST: usize = 4 << 20;

/// A table at work.
pub(super) struct TableWork<'s> {
    shared: &'s Shared<'s>,
    pub table: &'s Table,
    layout: RecordLayout,
    limits: CatalogLimits,
    chunk: ChunkSize,
    plan: Plan,
    census: Option<Census>,
    references: References,
    indexes: Vec<IndexWork>,
    /// Whole long values that no record refers to.
    pub orphans: RoaringTreemap,
    /// There are records of the newer layout, though its root is of the older one.
    pub is_newer: bool,
    pub report: TableRepair,
}

/// Shows nodes to the writer.
pub(super) type Show<'s> = dyn FnMut(Node<'_>) -> ControlFlow<()> + 's;

impl<'s> TableWork<'s> {
    /// Prepares a table whose records are laid out as `layout` says.
    pub fn new(shared: &'s Shared<'s>, table: &'s Table, layout: RecordLayout) -> io::Result<Self> {
        let (db, schema) = (shared.db, shared.schema);
        let plan = Plan::new(schema, table, db.page_size(), db.header().update_major);
        let mut work = Self {
            shared,
            table,
            layout,
            limits: schema.limits(table),
            chunk: ChunkSize::new(db.page_size(), table.lv_chunk_max),
            plan,
            census: None,
            references: References::default(),
            indexes: Vec::new(),
            orphans: RoaringTreemap::new(),
            is_newer: false,
            report: TableRepair::new(&table.name, table.objid),
        };
        work.census = work.take_census();
        let share = shared.options.memory / work.plan.secondary.len().max(1);
        for (number, planned) in work.plan.secondary.iter().enumerate() {
            let index = &table.indexes[planned.number];
            let memory = share.max(SORT_LEAST);
            let made = IndexWork::new(shared, index, (number, planned), memory)?;
            work.indexes.push(made);
        }
        Ok(work)
    }

    fn options(&self) -> SalvageOptions<'static> {
        SalvageOptions {
            trust_damaged_pages: self.shared.options.trust_damaged_pages,
            keep_deleted: false,
            torn: self.shared.is_torn(),
            limits: self.limits,
            chunk: Some(self.chunk),
            proof: None,
        }
    }

    /// Which long values are whole.
    fn take_census(&mut self) -> Option<Census> {
        let tree = self.table.long_values?;
        // Only an index over long values asks where they are.
        let with_pages = !self.plan.slots.is_empty();
        let mut taker = CensusTaker::new(self.chunk, with_pages);
        let report = self.read(
            (tree.objid, TreeKind::LongValues),
            tree.root,
            &self.options(),
            &mut |node| {
                taker.node(node.key, node.data, node.page);
                ControlFlow::Continue(())
            },
        );
        let mut census = taker.finish();
        if report.is_whole() {
            census.pages = Vec::new();
        }
        self.report.lost_long_values = std::mem::take(&mut census.lost);
        self.report.long_value_tree = Some(report);
        Some(census)
    }

    fn read(
        &self,
        (objid, kind): (Objid, TreeKind),
        root: Pgno,
        options: &SalvageOptions<'_>,
        visit: &mut dyn FnMut(&SalvagedNode<'_>) -> ControlFlow<()>,
    ) -> TreeReport {
        SalvagedTree::read(
            self.shared.db,
            self.shared.inventory,
            (objid, kind),
            Some(root).filter(|root| !root.is_null()),
            options,
            visit,
        )
    }

    /// Shows the records that are kept.
    pub fn data(&mut self, show: &mut Show<'_>) -> io::Result<()> {
        let Self {
            shared,
            table,
            layout,
            limits,
            plan,
            census,
            references,
            indexes,
            report,
            ..
        } = self;
        let fetch = Fetch::new(shared.db, table, census.as_ref());
        let census = census.as_ref();
        let losers = shared.known.losers.get(&table.objid);
        let (mut edited, mut converted) = (Vec::new(), Vec::new());
        let size = shared.db.page_size();
        let mut is_newer = false;
        let mut primary = Vec::new();
        let mut failed = Ok(());
        let proof =
            |key: &[u8], data: &[u8], of: RecordLayout| proves_key(plan, &fetch, (key, data, of));
        let options = SalvageOptions {
            trust_damaged_pages: shared.options.trust_damaged_pages,
            keep_deleted: false,
            torn: shared.is_torn(),
            limits: *limits,
            chunk: None,
            proof: Some(&proof),
        };
        let mut visit = |node: &SalvagedNode<'_>| {
            let is_lost = |lid: Lid| census.is_none_or(|census| !census.has(lid));
            let mut data = node.data;
            let mut unfit = None;
            if node.layout != *layout {
                converted.clear();
                if node.layout == RecordLayout::Old {
                    unfit = to_new(data, size, &mut converted).err();
                    data = &converted;
                } else {
                    // The next round writes all records in that layout.
                    is_newer = true;
                    return ControlFlow::Continue(());
                }
            }
            let judge = || -> Result<bool, String> {
                if let Some(error) = unfit {
                    return Err(error.to_string());
                }
                if losers.is_some_and(|losers| losers.contains(node.key)) {
                    return Err("another record has its key in a unique index".to_owned());
                }
                let record =
                    Record::with_layout(data, *layout).map_err(|fault| fault.to_string())?;
                record.check(*limits).map_err(|fault| fault.to_string())?;
                Ok(record.separated().any(|separated| is_lost(separated.lid)))
            };
            let mut drop_it = |why: String| {
                report.dropped.push(DroppedRecord {
                    key: KeyBytes(node.key.to_vec()),
                    page: node.page,
                    why,
                });
                ControlFlow::Continue(())
            };
            let incomplete = match judge() {
                Ok(incomplete) => incomplete,
                Err(why) => return drop_it(why),
            };
            if incomplete {
                if shared.options.drop_incomplete {
                    return drop_it("it refers to a long value that is lost".to_owned());
                }
                edited.clear();
                let lost = match without_separated(data, *layout, &is_lost, &mut edited) {
                    Ok(lost) => lost,
                    Err(fault) => return drop_it(fault.to_string()),
                };
                for value in lost {
                    report
                        .lost_values
                        .push(lost_value(shared, table, node.key, &value));
                }
                data = &edited;
            }
            let Ok(record) = Record::with_layout(data, *layout) else {
                return drop_it("it cannot be read".to_owned());
            };
            if !plan.slots.is_empty() {
                let mut view = RowView::new(plan);
                // A value that cannot be had counts as empty, and so does the check.
                if let Err(fault) = view.load(&record, &fetch) {
                    return drop_it(fault.to_string());
                }
                if let Some(why) = wrong_key(plan, &view, node.key, &mut primary) {
                    return drop_it(why);
                }
                let row = Row {
                    bookmark: node.key,
                    data,
                    view: &view,
                };
                for index in indexes.iter_mut() {
                    failed = index.record(plan, &row);
                    if failed.is_err() {
                        return ControlFlow::Break(());
                    }
                }
            }
            for separated in record.separated() {
                references.add(separated.lid);
            }
            report.records += 1;
            show(Node {
                key: node.key,
                data,
            })
        };
        let tree = SalvagedTree::read(
            shared.db,
            shared.inventory,
            (table.objid, TreeKind::Data),
            Some(table.root).filter(|root| !root.is_null()),
            &options,
            &mut visit,
        );
        failed?;
        self.is_newer = is_newer;
        report.data = Some(tree);
        for index in indexes {
            index.settle(plan, *layout, &fetch)?;
        }
        if report.data.as_ref().is_some_and(TreeReport::has_lost_nodes) {
            report.lost_keys = super::lost::keys(shared, table, *limits)?;
        }
        Ok(())
    }

    /// Shows the long values that records refer to, with the right counts.
    pub fn long_values(&mut self, objid: Objid, root: Pgno, show: &mut Show<'_>) {
        let Some(census) = self.census.take() else {
            return;
        };
        let mut report = std::mem::replace(
            &mut self.report,
            TableRepair::new(&self.table.name, self.table.objid),
        );
        let references = &self.references;
        let mut orphans = RoaringTreemap::new();
        let (mut current, mut kept) = (None, false);
        let (mut root_key, mut root_data) = (Vec::new(), Vec::new());
        let options = self.options();
        self.read((objid, TreeKind::LongValues), root, &options, &mut |node| {
            let Ok(key) = LvKey::parse(node.key) else {
                return ControlFlow::Continue(());
            };
            let first = current != Some(key.lid);
            if first {
                current = Some(key.lid);
                kept = census.has(key.lid);
                let count = references.count(key.lid);
                if kept && count == 0 {
                    report.orphans.push(key.lid.get());
                    if census.has_root(key.lid) {
                        orphans.insert(key.lid.get());
                    }
                    kept = false;
                }
                report.long_values += u64::from(kept);
                if let (true, Some(size)) = (kept, census.rootless(key.lid)) {
                    root_key.clear();
                    let made = LvKey {
                        lid: key.lid,
                        part: LvPart::Root,
                    };
                    made.write(&mut root_key);
                    report.new_roots += 1;
                    let data = &LvRoot::bytes(count, size);
                    show(Node {
                        key: &root_key,
                        data,
                    })?;
                }
            }
            if !kept {
                return ControlFlow::Continue(());
            }
            let mut data = node.data;
            if key.part == LvPart::Root {
                if !census.has_root(key.lid) {
                    return ControlFlow::Continue(());
                }
                let count = references.count(key.lid);
                if LvRoot::parse(data).is_ok_and(|root| root.references != count) {
                    report.counts_corrected += 1;
                    data.clone_into(&mut root_data);
                    LvRoot::set_references(&mut root_data, count);
                    data = &root_data;
                }
            }
            show(Node {
                key: node.key,
                data,
            })
        });
        self.orphans = orphans;
        self.report = report;
        self.census = Some(census);
    }

    /// Shows the entries of an index; `conflict` is given the bookmarks of records that cannot be in it beside others.
    pub fn index(
        &mut self,
        objid: Objid,
        conflict: &mut dyn FnMut(&[u8]),
        show: &mut Show<'_>,
    ) -> io::Result<()> {
        let Some(index) = self.indexes.iter_mut().find(|i| i.report.objid == objid) else {
            return Ok(());
        };
        index.emit(self.shared, conflict, show)
    }

    /// All trees were shown.
    pub fn finish(mut self) -> TableRepair {
        self.report.indexes = self.indexes.into_iter().map(|index| index.report).collect();
        self.report
    }
}

/// What the report says of a value that is lost.
fn lost_value(shared: &Shared<'_>, table: &Table, key: &[u8], lost: &LostInstance) -> LostValue {
    let column = shared.schema.column(table, lost.fid, lost.derived);
    LostValue {
        key: KeyBytes(key.to_vec()),
        column: column.map_or_else(|| lost.fid.to_string(), |column| column.name.clone()),
        instance: lost.instance,
        lid: lost.lid.get(),
    }
}

/// Why a record is not where its values belong; `None` when it is, or when that cannot be told.
fn wrong_key(
    plan: &Plan,
    view: &RowView<'_, '_>,
    key: &[u8],
    buffer: &mut Vec<u8>,
) -> Option<String> {
    let primary = plan.primary.as_ref()?;
    if primary.comparable != Comparable::Keys {
        return None;
    }
    match primary.rules.primary_key(view, &NoSortKeys, buffer) {
        Ok(KeyEnd::Unknown) => None,
        Ok(KeyEnd::Whole | KeyEnd::Cut) if buffer == key => None,
        Ok(_) => Some("its values are not those of its key".to_owned()),
        Err(null) => Some(null.to_string()),
    }
}

/// A node of a page with a wrong checksum is believed when its values give its key.
fn proves_key(
    plan: &Plan,
    fetch: &Fetch<'_>,
    (key, data, layout): (&[u8], &[u8], RecordLayout),
) -> bool {
    let Some(primary) = &plan.primary else {
        // Nothing contradicts it.
        return true;
    };
    if primary.comparable != Comparable::Keys {
        return true;
    }
    let Ok(record) = Record::with_layout(data, layout) else {
        return false;
    };
    let mut view = RowView::new(plan);
    if view.load(&record, fetch).is_err() {
        return false;
    }
    wrong_key(plan, &view, key, &mut Vec::new()).is_none()
}
