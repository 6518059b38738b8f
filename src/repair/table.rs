//! A damaged table: its records, long values and indexes as they are to be written.
//!
//! Long values are looked at first, so that it is known which of them are whole. Then the records are read; each is
//! checked, its references are counted, and what it has in each index is put into that index's sorter. Long values
//! are then read again and written with the counts that are right, and the sorted entries become the indexes.

use std::io;
use std::ops::ControlFlow;

use roaring::RoaringTreemap;

use super::Shared;
use super::amend::Amending;
use super::fetch::Fetch;
use super::indexes::{IndexMemory, IndexWork};
use super::long_values::{Census, CensusTaker, References};
use super::records::{Buffers, Keeper, Strays, proves_key};
use super::report::{KeyBytes, NotAmended, TableRepair};
use crate::check::index_plan::Plan;
use crate::db::catalog::Table;
use crate::format::ids::{Objid, Pgno};
use crate::format::lv::{ChunkSize, LvKey, LvPart, LvRoot};
use crate::format::record::{CatalogLimits, RecordLayout};
use crate::rebuild::Node;
use crate::salvage::{
    PageVerdict, SalvageOptions, SalvagedNode, SalvagedTree, TreeKind, TreeReport,
};

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
    /// Records that are not where their values belong.
    pub strays: Strays,
    /// There are records of the newer layout, though its root is of the older one.
    pub is_newer: bool,
    pub report: TableRepair,
}

/// Shows nodes to the writer.
pub(super) type Show<'s> = dyn FnMut(Node<'_>) -> ControlFlow<()> + 's;

impl<'s> TableWork<'s> {
    /// Prepares a table whose records are laid out as `layout` says, one of so many that are worked at together.
    pub fn new(
        shared: &'s Shared<'s>,
        table: &'s Table,
        layout: RecordLayout,
        together: usize,
    ) -> io::Result<Self> {
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
            strays: Strays::default(),
            is_newer: false,
            report: TableRepair::new(&table.name, table.objid),
        };
        work.census = work.take_census();
        let share = shared.options.memory / work.plan.secondary.len().max(1);
        let memory = IndexMemory {
            sorting: (share / together).max(SORT_LEAST),
            learning: share.max(SORT_LEAST) / 8,
        };
        for (number, planned) in work.plan.secondary.iter().enumerate() {
            let index = &table.indexes[planned.number];
            let made = IndexWork::new(shared, index, (number, planned), &memory)?;
            work.indexes.push(made);
        }
        Ok(work)
    }

    fn options(&self) -> SalvageOptions<'static> {
        SalvageOptions {
            trust_damaged_pages: self.shared.options.trust_damaged_pages,
            keep_deleted: false,
            torn: self.shared.may_lack_leaves(),
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
                if self.shared.is_cancelled() {
                    return ControlFlow::Break(());
                }
                taker.node(node.key, node.data, node.page);
                let state = self.shared.inventory.state(node.page);
                if state.is_some_and(|state| state.verdict() == PageVerdict::Bad) {
                    taker.believe(node.key, node.data);
                }
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
        let proof =
            |key: &[u8], data: &[u8], of: RecordLayout| proves_key(plan, &fetch, (key, data, of));
        let options = SalvageOptions {
            trust_damaged_pages: shared.options.trust_damaged_pages,
            keep_deleted: false,
            torn: shared.may_lack_leaves(),
            limits: *limits,
            chunk: None,
            proof: Some(&proof),
        };
        let amendments = shared.options.amendments.filter(|_| !table.is_system());
        let amending = amendments.and_then(|amendments| {
            Amending::new(amendments, shared.schema, table, shared.db.page_size())
        });
        let mut keeper = Keeper {
            shared,
            table,
            layout: *layout,
            limits: *limits,
            plan,
            fetch: &fetch,
            census: census.as_ref(),
            references,
            indexes,
            report,
            learned: Strays::default(),
            is_newer: false,
            amending,
            failed: Ok(()),
            buffers: Buffers::default(),
        };
        let known = shared.known.strays.get(&table.objid);
        let mut strays = known.into_iter().flatten().peekable();
        let tree = SalvagedTree::read(
            shared.db,
            shared.inventory,
            (table.objid, TreeKind::Data),
            Some(table.root).filter(|root| !root.is_null()),
            &options,
            &mut |node| {
                while let Some((key, stray)) = strays.next_if(|(key, _)| &key[..] < node.key) {
                    keeper.stray(key, stray, show)?;
                }
                let here = strays.next_if(|(key, _)| &key[..] == node.key);
                let kept = keeper.report.records;
                keeper.node(node, show)?;
                match here {
                    // The record that was here belongs elsewhere too.
                    Some((key, stray)) if keeper.report.records == kept => {
                        keeper.stray(key, stray, show)
                    }
                    Some((key, stray)) => {
                        keeper.taken(key, stray);
                        ControlFlow::Continue(())
                    }
                    None => ControlFlow::Continue(()),
                }
            },
        );
        for (key, stray) in strays {
            if keeper.stray(key, stray, show).is_break() {
                break;
            }
        }
        let Keeper {
            failed,
            is_newer,
            learned,
            amending,
            ..
        } = keeper;
        failed?;
        self.is_newer = is_newer;
        self.strays = learned;
        let unseen = amending.as_ref().map_or_else(Vec::new, Amending::unseen);
        drop(amending);
        for key in unseen {
            report.not_amended.push(NotAmended {
                key: KeyBytes(key),
                why: "no row has this key".to_owned(),
            });
        }
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
