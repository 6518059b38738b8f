//! Pass 4, the leaves of a table's data: records, their primary keys, what they refer to, and the
//! index entries that they must have. (format notes 13.5 R1 to R9, 9.5)

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::context::{Context, Subject};
use super::index_plan::{Comparable, FetchLongValue, Plan, PlannedIndex, RowView};
use super::tree::Leaves;
use crate::digest::{Sum, Tally, hash_bookmark, hash_entry, hash_number};
use crate::format::ids::Pgno;
use crate::format::keys::{KeyEnd, NoSortKeys};
use crate::format::page::{Node, Page};
use crate::format::record::{CatalogLimits, Record, RecordLayout};
use crate::problem::{Finding, Problem};

/// The checker of a data tree's leaves.
pub(super) struct Records<'a, 'c, F> {
    pub context: &'a Context<'c>,
    pub subject: Subject<'a>,
    pub limits: CatalogLimits,
    pub has_long_values: bool,
    pub plan: &'a Plan,
    pub fetch: F,
    /// Live records.
    pub count: AtomicU64,
    /// References to long values.
    pub references: Tally,
    /// What each secondary index must hold, in the plan's order.
    pub expected: Vec<Tally>,
    /// Records with a value that could not be had: their index entries are unknown.
    pub incomplete: AtomicU64,
    /// Index entries are to be compared at all.
    pub with_indexes: bool,
}

thread_local! {
    static KEYS: RefCell<Keys> = RefCell::default();
}

/// Buffers of one worker.
#[derive(Default)]
struct Keys {
    primary: Vec<u8>,
    entry: Vec<u8>,
    /// Hashes of one record's entries in one index, to leave out equal ones.
    seen: Vec<u128>,
}

/// Sums of one leaf, merged into the shared ones once.
struct LeafSums {
    references: Sum,
    expected: Vec<Sum>,
}

thread_local! {
    static SUMS: RefCell<Vec<Sum>> = const { RefCell::new(Vec::new()) };
}

impl<F: FetchLongValue + Sync> Records<'_, '_, F> {
    fn report(&self, problem: Problem, at: (Pgno, usize), detail: String) {
        let place = self.subject.node(at.0, at.1);
        self.context
            .report(Finding::new(problem, place).with_detail(detail));
    }

    fn record<'r>(
        &'r self,
        at: (Pgno, usize),
        node: &Node<'r>,
        layout: RecordLayout,
        view: &mut RowView<'r, 'r>,
        keys: &mut Keys,
        sums: &mut LeafSums,
    ) {
        let record = match Record::with_layout(node.data, layout) {
            Ok(record) => record,
            Err(fault) => return self.report(Problem::RecordCorrupt, at, fault.to_string()),
        };
        if let Err(fault) = record.check(self.limits) {
            return self.report(Problem::RecordCorrupt, at, fault.to_string());
        }
        for separated in record.separated() {
            sums.references.add(hash_number(separated.lid.get()), 1);
            if !self.has_long_values {
                let detail = format!(
                    "table has no LV tree but record references LV (lid {:#x})",
                    separated.lid.get()
                );
                self.report(Problem::LvMissing, at, detail);
            }
        }
        if !self.with_indexes || self.plan.slots.is_empty() {
            return;
        }
        match view.load(&record, &self.fetch) {
            Ok(true) => self.entries(at, node, view, keys, sums),
            Ok(false) => {
                self.incomplete.fetch_add(1, Ordering::Relaxed);
            }
            Err(fault) => self.report(Problem::RecordCorrupt, at, fault.to_string()),
        }
    }

    fn entries(
        &self,
        at: (Pgno, usize),
        node: &Node<'_>,
        view: &RowView<'_, '_>,
        keys: &mut Keys,
        sums: &mut LeafSums,
    ) {
        if let Some(primary) = &self.plan.primary {
            self.primary_key(at, node, primary, view, keys);
        }
        node.key_into(&mut keys.primary);
        let bookmark = hash_bookmark(&keys.primary);
        for (index, sum) in self.plan.secondary.iter().zip(&mut sums.expected) {
            expected_entries(
                index,
                view,
                bookmark,
                (&mut keys.entry, &mut keys.seen),
                |hash| {
                    sum.add(hash, 1);
                },
            );
        }
    }

    /// R9.
    fn primary_key(
        &self,
        at: (Pgno, usize),
        node: &Node<'_>,
        primary: &PlannedIndex,
        view: &RowView<'_, '_>,
        keys: &mut Keys,
    ) {
        if primary.comparable != Comparable::Keys {
            return;
        }
        match primary
            .rules
            .primary_key(view, &NoSortKeys, &mut keys.primary)
        {
            Ok(KeyEnd::Unknown) => {}
            Ok(KeyEnd::Whole | KeyEnd::Cut) => {
                if node.cmp_key_to(&keys.primary).is_ne() {
                    let detail = "constructed primary key differs from real primary key".into();
                    self.report(Problem::RecordKey, at, detail);
                }
            }
            Err(null) => self.report(Problem::RecordKey, at, null.to_string()),
        }
    }
}

/// Calls `enter` with the hash of every entry that a row must have in an index, equal ones once.
pub(super) fn expected_entries(
    index: &PlannedIndex,
    view: &RowView<'_, '_>,
    bookmark: u64,
    (key, seen): (&mut Vec<u8>, &mut Vec<u128>),
    mut enter: impl FnMut(u128),
) {
    match index.comparable {
        Comparable::Nothing | Comparable::Existence => {}
        Comparable::Bookmarks => {
            // The key is not known, but whether there is one is.
            let mut has_entry = false;
            let _ = index
                .rules
                .keys(view, &NoSortKeys, key, |_, _| has_entry = true);
            if has_entry {
                enter(hash_entry(&[], bookmark));
            }
        }
        Comparable::Keys => {
            seen.clear();
            let _ = index.rules.keys(view, &NoSortKeys, key, |key, _| {
                seen.push(hash_entry(key, bookmark));
            });
            if seen.len() > 1 {
                seen.sort_unstable();
                seen.dedup();
            }
            seen.iter().copied().for_each(enter);
        }
    }
}

impl<F: FetchLongValue + Sync> Leaves for Records<'_, '_, F> {
    type Edge = ();

    fn leaf(&self, pgno: Pgno, page: Page<'_>) {
        let layout = RecordLayout::of_page(page);
        let mut live = 0;
        let mut expected = SUMS.take();
        expected.clear();
        expected.resize(self.expected.len(), Sum::default());
        let mut sums = LeafSums {
            references: Sum::default(),
            expected,
        };
        KEYS.with_borrow_mut(|keys| {
            let mut view = RowView::new(self.plan);
            for (line, node) in page.nodes().enumerate() {
                let Ok(node) = node else { continue };
                if !node.flags.is_deleted() {
                    live += 1;
                    self.record((pgno, line), &node, layout, &mut view, keys, &mut sums);
                }
            }
        });
        self.count.fetch_add(live, Ordering::Relaxed);
        self.references.merge(&sums.references);
        for (tally, sum) in self.expected.iter().zip(&sums.expected) {
            tally.merge(sum);
        }
        SUMS.set(sums.expected);
    }

    fn join(&self, (): (), (): ()) {}
}

/// The checker of a secondary index's leaves.
pub(super) struct IndexEntries {
    pub comparable: Comparable,
    /// What the index holds.
    pub found: Tally,
    /// Entries that are not deleted.
    pub count: AtomicU64,
    /// Bookmarks to be looked up one by one.
    pub bookmarks: Mutex<Vec<(Pgno, usize, Vec<u8>)>>,
}

impl IndexEntries {
    /// Nothing seen yet.
    pub fn new(comparable: Comparable) -> Self {
        Self {
            comparable,
            found: Tally::default(),
            count: AtomicU64::new(0),
            bookmarks: Mutex::default(),
        }
    }
}

/// Bookmarks of an index over several Unicode values are looked up in batches of this many.
const LOOKUPS_AT_MOST: usize = 200_000;

impl Leaves for IndexEntries {
    type Edge = ();

    fn leaf(&self, pgno: Pgno, page: Page<'_>) {
        let mut sum = Sum::default();
        let mut count = 0;
        KEYS.with_borrow_mut(|keys| {
            for (line, node) in page.nodes().enumerate() {
                let Ok(node) = node else { continue };
                if node.flags.is_deleted() {
                    continue;
                }
                count += 1;
                match self.comparable {
                    Comparable::Nothing => {}
                    Comparable::Existence => {
                        let mut bookmarks = self
                            .bookmarks
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner);
                        if bookmarks.len() < LOOKUPS_AT_MOST {
                            bookmarks.push((pgno, line, node.data.to_vec()));
                        }
                    }
                    Comparable::Bookmarks => sum.add(hash_entry(&[], hash_bookmark(node.data)), 1),
                    Comparable::Keys => {
                        node.key_into(&mut keys.primary);
                        sum.add(hash_entry(&keys.primary, hash_bookmark(node.data)), 1);
                    }
                }
            }
        });
        self.count.fetch_add(count, Ordering::Relaxed);
        self.found.merge(&sum);
    }

    fn join(&self, (): (), (): ()) {}
}
