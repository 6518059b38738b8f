//! Secondary indexes of a damaged table. Their keys are computed from the records that are kept and sorted; what
//! cannot be computed is taken from the entries that survived.

use std::io;
use std::ops::ControlFlow;

use super::report::{IndexMethod, IndexRepair, KeyBytes, Listed};
use super::{Scratch, Shared};
use crate::check::index_plan::{Comparable, FetchLongValue, Plan, PlannedIndex, RowView};
use crate::db::catalog::Index;
use crate::db::{Database, PageBytes};
use crate::format::ids::Pgno;
use crate::format::keys::{KeyEnd, LearnedSortKeys, NoSortKeys, SortKeys, SortOrder};
use crate::format::record::{ColumnChange, Record, RecordLayout};
use crate::format::schema::index_flags;
use crate::rebuild::Node;
use crate::salvage::{SalvageOptions, SalvagedTree, TreeKind};
use crate::sorting::{Sorted, Sorter};
use crate::tree::walk::seek;

/// Memory for the texts of one row.
const OWN_MEMORY: usize = 1 << 20;
/// Texts are found as they were seen, and nothing is put together.
const NO_ORDER: SortOrder<'static> = SortOrder {
    lcid: 0,
    locale: None,
    map_flags: 0,
};

/// Bytes that the making of one index may take.
pub(super) struct IndexMemory {
    /// For sorting, which spills what does not fit.
    pub sorting: usize,
    /// For sort keys of texts. What does not fit is not known, so that it must not depend on the number of threads.
    pub learning: usize,
}

/// One index that is being made.
pub(super) struct IndexWork {
    /// Which of the plan's secondary indexes.
    planned: usize,
    root: Pgno,
    unique: bool,
    entries: Sorter,
    survivors: Option<Survivors>,
    key: Vec<u8>,
    pub report: IndexRepair,
}

/// Entries of the former index, by bookmark, and what is to be made of records that have none.
struct Survivors {
    sorted: Sorted,
    /// The next one: bookmark and key.
    next: Option<(Vec<u8>, Vec<u8>)>,
    /// Keys of the record at hand.
    keys: Vec<Vec<u8>>,
    /// Nothing of the former index is lost.
    whole: bool,
    learned: LearnedSortKeys,
    /// Records whose entries are to be made at the end: bookmark, and surviving keys with the record.
    pending: Sorter,
}

/// A record with what was decoded of it.
pub(super) struct Row<'a, 'p, 'r> {
    pub bookmark: &'a [u8],
    pub data: &'a [u8],
    pub view: &'a RowView<'p, 'r>,
    /// How it was, and what was changed in it.
    pub before: Option<Before<'a, 'p, 'r>>,
}

/// A row that was changed, before that.
#[derive(Clone, Copy)]
pub(super) struct Before<'a, 'p, 'r> {
    pub view: &'a RowView<'p, 'r>,
    pub changes: &'a [ColumnChange],
}

impl IndexWork {
    /// Prepares index number `planned` of the plan.
    pub fn new(
        shared: &Shared<'_>,
        index: &Index,
        (number, planned): (usize, &PlannedIndex),
        memory: &IndexMemory,
    ) -> io::Result<Self> {
        let scratch = shared.options.scratch;
        let unique = index.flags & index_flags::UNIQUE != 0;
        let method = match planned.comparable {
            Comparable::Keys => IndexMethod::Computed,
            Comparable::Bookmarks | Comparable::Existence => IndexMethod::Survivors,
            Comparable::Nothing => IndexMethod::Copied,
        };
        let survivors = match method {
            IndexMethod::Computed => None,
            _ => Some(Survivors::read(shared, index, memory)?),
        };
        Ok(Self {
            planned: number,
            root: index.root,
            unique,
            entries: sorter(memory.sorting / 2, scratch),
            survivors,
            key: Vec::new(),
            report: IndexRepair {
                name: index.name.clone(),
                objid: index.objid,
                method,
                entries: 0,
                stale: 0,
                missing: Listed::default(),
            },
        })
    }

    /// Enters what a record has in this index. Records come in the order of their keys.
    pub fn record(&mut self, plan: &Plan, row: &Row<'_, '_, '_>) -> io::Result<()> {
        let planned = &plan.secondary[self.planned];
        let (entries, key) = (&mut self.entries, &mut self.key);
        let knows = row.view.knows(&planned.rules);
        let Some(survivors) = &mut self.survivors else {
            if !knows {
                self.report.missing.push(KeyBytes(row.bookmark.to_vec()));
                return Ok(());
            }
            let mut failed = Ok(());
            // A null where none may be makes no entry; the check says so too.
            let _ = planned.rules.keys(row.view, &NoSortKeys, key, |key, _| {
                if failed.is_ok() {
                    failed = entries.push(key, row.bookmark);
                }
            });
            return failed;
        };
        self.report.stale += survivors.advance(row.bookmark)?;
        if let Some(before) = &row.before
            && plan.is_changed(&planned.rules, before.changes, (before.view, row.view))
        {
            return self.changed_record(plan, row, before);
        }
        if self.report.method == IndexMethod::Copied || !knows {
            return survivors
                .keys
                .iter()
                .try_for_each(|found| entries.push(found, row.bookmark));
        }
        let (mut unknown, mut known) = (0usize, Vec::new());
        let keys = &survivors.keys;
        let mut prefixes: Vec<Vec<u8>> = Vec::new();
        let _ = planned.rules.keys(row.view, &NoSortKeys, key, |key, end| {
            if end == KeyEnd::Unknown {
                unknown += 1;
                prefixes.push(key.to_vec());
            } else {
                known.push(key.to_vec());
            }
        });
        known
            .iter()
            .try_for_each(|found| entries.push(found, row.bookmark))?;
        if unknown == 0 {
            self.report.stale += keys.iter().filter(|key| !known.contains(key)).count() as u64;
            return Ok(());
        }
        let fits = |found: &&Vec<u8>| {
            !known.contains(found) && prefixes.iter().any(|prefix| found.starts_with(prefix))
        };
        let fitting: Vec<&Vec<u8>> = keys.iter().filter(fits).collect();
        let single = planned.comparable == Comparable::Bookmarks;
        if single && fitting.len() == 1 {
            survivors
                .learned
                .learn_from_entry(&planned.rules, row.view, fitting[0]);
            return entries.push(fitting[0], row.bookmark);
        }
        if !single && survivors.whole && !fitting.is_empty() {
            return fitting
                .iter()
                .try_for_each(|found| entries.push(found, row.bookmark));
        }
        survivors.put_aside(row)
    }

    /// Enters a record that has other values in this index than its entries say. The sort keys of its texts are in them.
    fn changed_record(
        &mut self,
        plan: &Plan,
        row: &Row<'_, '_, '_>,
        before: &Before<'_, '_, '_>,
    ) -> io::Result<()> {
        let planned = &plan.secondary[self.planned];
        let rules = &planned.rules;
        let Some(survivors) = &mut self.survivors else {
            return Ok(());
        };
        let old_keys = std::mem::take(&mut survivors.keys);
        if self.report.method == IndexMethod::Copied || !row.view.knows(rules) {
            // One that the engine is to fill later has no entries to be changed.
            let waits = rules.flags & index_flags::DEFERRED_POPULATE != 0 && old_keys.is_empty();
            if !waits {
                self.report.missing.push(KeyBytes(row.bookmark.to_vec()));
            }
            return Ok(());
        }
        let mut own = LearnedSortKeys::new(NO_ORDER, OWN_MEMORY);
        if before.view.knows(rules) {
            for key in &old_keys {
                own.learn_from_entry(rules, before.view, key);
                survivors.learned.learn_from_entry(rules, before.view, key);
            }
        }
        match computed((planned, row.view), &own, &mut self.key) {
            Some(keys) => keys
                .iter()
                .try_for_each(|key| self.entries.push(key, row.bookmark)),
            // Its text is another: perhaps its characters are known in the end.
            None => survivors.put_aside(row),
        }
    }

    /// Makes the entries of records that had none, now that all has been learned that can be.
    pub fn settle(
        &mut self,
        plan: &Plan,
        layout: RecordLayout,
        fetch: &impl FetchLongValue,
    ) -> io::Result<()> {
        let planned = &plan.secondary[self.planned];
        let Some(mut survivors) = self.survivors.take() else {
            return Ok(());
        };
        self.report.stale += survivors.rest()?;
        survivors.learned.settle();
        let mut pending = survivors.pending.finish()?;
        while let Some((bookmark, packed)) = pending.next()? {
            let Some((keys, data)) = unpack(packed) else {
                continue;
            };
            let made = computed_from(
                (plan, planned),
                (data, layout),
                fetch,
                &survivors.learned,
                &mut self.key,
            );
            let (found, complete) = match made {
                Some(made) => (made, true),
                None => (keys, false),
            };
            for key in &found {
                self.entries.push(key, bookmark)?;
            }
            if !complete {
                self.report.missing.push(KeyBytes(bookmark.to_vec()));
            }
        }
        Ok(())
    }

    /// Gives the entries in order. Of two records with one key in a unique index the one that the former index had
    /// there stays; the bookmarks of the others are given to `conflict`.
    pub fn emit(
        &mut self,
        shared: &Shared<'_>,
        conflict: &mut dyn FnMut(&[u8]),
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let scratch = shared.options.scratch;
        let entries = std::mem::replace(&mut self.entries, sorter(0, scratch));
        let mut sorted = entries.finish()?;
        let mut held: Option<(Vec<u8>, Vec<u8>)> = None;
        loop {
            let next = sorted.next()?;
            if let (Some((key, data)), Some((held_key, held_data))) = (next, &mut held) {
                if held_key == key && held_data == data {
                    continue;
                }
                if self.unique && held_key == key {
                    if self.root_has(shared.db, key, data) {
                        conflict(held_data);
                        data.clone_into(held_data);
                    } else {
                        conflict(data);
                    }
                    continue;
                }
            }
            if let Some((key, data)) = &held {
                self.report.entries += 1;
                if show(Node { key, data }).is_break() {
                    return Ok(());
                }
            }
            let Some((key, data)) = next else {
                return Ok(());
            };
            let (held_key, held_data) = held.get_or_insert_default();
            key.clone_into(held_key);
            data.clone_into(held_data);
        }
    }

    /// True when the former index has this entry, as far as it can be read.
    fn root_has(&self, db: &Database, key: &[u8], bookmark: &[u8]) -> bool {
        let mut bytes = PageBytes::new(db.page_size());
        seek(db, self.root, key, &mut bytes).is_ok_and(|(_, page)| {
            page.node(page.lower_bound(key))
                .is_ok_and(|node| node.cmp_key_to(key).is_eq() && node.data == bookmark)
        })
    }
}

/// All keys of a record in an index over Unicode text; `None` when one of them is not known.
fn computed_from(
    (plan, planned): (&Plan, &PlannedIndex),
    (data, layout): (&[u8], RecordLayout),
    fetch: &impl FetchLongValue,
    learned: &impl SortKeys,
    buffer: &mut Vec<u8>,
) -> Option<Vec<Vec<u8>>> {
    let record = Record::with_layout(data, layout).ok()?;
    let mut view = RowView::new(plan);
    if !view.load(&record, fetch).ok()? {
        return None;
    }
    computed((planned, &view), learned, buffer)
}

/// The same of a record that was decoded.
fn computed(
    (planned, view): (&PlannedIndex, &RowView<'_, '_>),
    learned: &impl SortKeys,
    buffer: &mut Vec<u8>,
) -> Option<Vec<Vec<u8>>> {
    let (mut keys, mut known) = (Vec::new(), true);
    let _ = planned.rules.keys(view, learned, buffer, |key, end| {
        known &= end != KeyEnd::Unknown;
        keys.push(key.to_vec());
    });
    known.then_some(keys)
}

impl Survivors {
    fn read(shared: &Shared<'_>, index: &Index, memory: &IndexMemory) -> io::Result<Self> {
        let scratch = shared.options.scratch;
        let mut by_bookmark = sorter(memory.sorting / 4, scratch);
        let mut failed = Ok(());
        let kind = TreeKind::Index {
            non_unique: index.flags & index_flags::UNIQUE == 0,
        };
        let options = SalvageOptions {
            trust_damaged_pages: shared.options.trust_damaged_pages,
            torn: shared.may_lack_leaves(),
            ..SalvageOptions::default()
        };
        let report = SalvagedTree::read(
            shared.db,
            shared.inventory,
            (index.objid, kind),
            Some(index.root).filter(|root| !root.is_null()),
            &options,
            &mut |node| {
                failed = by_bookmark.push(node.data, node.key);
                if failed.is_ok() && !shared.is_cancelled() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            },
        );
        failed?;
        let order = SortOrder {
            lcid: index.lcid,
            locale: index.locale.as_deref(),
            map_flags: index.map_flags,
        };
        let mut sorted = by_bookmark.finish()?;
        let next = owned(&mut sorted)?;
        Ok(Self {
            sorted,
            next,
            keys: Vec::new(),
            whole: report.is_whole(),
            learned: LearnedSortKeys::new(order, memory.learning),
            pending: sorter(memory.sorting / 4, scratch),
        })
    }

    /// Collects the keys of a record; returns how many entries lie before it and so point to none.
    fn advance(&mut self, bookmark: &[u8]) -> io::Result<u64> {
        let mut stale = 0;
        self.keys.clear();
        while let Some((of, key)) = self.next.take() {
            match of.as_slice().cmp(bookmark) {
                std::cmp::Ordering::Less => stale += 1,
                std::cmp::Ordering::Equal => self.keys.push(key),
                std::cmp::Ordering::Greater => {
                    self.next = Some((of, key));
                    break;
                }
            }
            self.next = owned(&mut self.sorted)?;
        }
        Ok(stale)
    }

    /// Counts what is left: entries behind the last record.
    fn rest(&mut self) -> io::Result<u64> {
        let mut stale = u64::from(self.next.take().is_some());
        while self.sorted.next()?.is_some() {
            stale += 1;
        }
        Ok(stale)
    }

    fn put_aside(&mut self, row: &Row<'_, '_, '_>) -> io::Result<()> {
        let mut packed = Vec::with_capacity(row.data.len() + 64);
        packed.extend_from_slice(&(self.keys.len() as u32).to_le_bytes());
        for key in &self.keys {
            packed.extend_from_slice(&(key.len() as u32).to_le_bytes());
            packed.extend_from_slice(key);
        }
        packed.extend_from_slice(row.data);
        self.pending.push(row.bookmark, &packed)
    }
}

/// What [`Survivors::put_aside`] packed: surviving keys, record.
fn unpack(packed: &[u8]) -> Option<(Vec<Vec<u8>>, &[u8])> {
    let (count, mut rest) = packed.split_first_chunk::<4>()?;
    let mut keys = Vec::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (key, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        keys.push(key.to_vec());
        rest = after;
    }
    Some((keys, rest))
}

fn owned(sorted: &mut Sorted) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let next = sorted.next()?;
    Ok(next.map(|(key, data)| (key.to_vec(), data.to_vec())))
}

/// A sorter that spills to scratch files.
pub(super) fn sorter(memory: usize, scratch: &Scratch) -> Sorter {
    let scratch = scratch.clone();
    Sorter::new(memory, Box::new(move || scratch()))
}
