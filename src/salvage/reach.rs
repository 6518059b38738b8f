//! The walk down from a tree's root: which leaves sound internal pages lead to, and what is missing between them.
//!
//! Memory: 4 bytes a leaf, and the bounds of each page above the leaves.

use std::cmp::Reverse;
use std::collections::HashSet;

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};

use super::inventory::{Inventory, PageVerdict};
use super::keys::{Range, SortKey};
use super::leaf::LeafReader;
use super::report::{Loss, LossCause, Refill, TreeReport};
use super::{SalvageOptions, TreeKind};
use crate::db::{Database, PageBytes, PageError};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::page::{CheckScratch, Page, PageFlags};
use crate::tree::walk::{MAX_DEPTH, child_of};

/// Pages above the leaves that are worked on before their outcome is collected.
const BATCH: usize = 1024;

/// Root and space trees of the database itself; no other object owns one of these pages. [format notes 5.9]
const LAST_SYSTEM_PAGE: Pgno = Pgno::new(3);

/// The tree that is read.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub db: &'a Database,
    pub inventory: &'a Inventory,
    pub objid: Objid,
    pub kind: TreeKind,
    pub options: &'a SalvageOptions<'a>,
}

/// How much a leaf counts against others that hold the same keys; the first counts most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Internal pages lead to it.
    Tree,
    /// The leaf links of the tree lead to it, there and back.
    Linked,
    /// It and another leaf that nothing leads to link to each other.
    Chained,
    /// Only its object says that it belongs to the tree.
    Alone,
}

/// A leaf that does not simply follow in the order of the tree.
#[derive(Debug)]
pub(super) struct Extra {
    pub pgno: Pgno,
    pub class: Class,
    /// Its checksum is wrong.
    pub damaged: bool,
    /// It names another object.
    pub foreign: bool,
    /// It is newer than what the walk reached in its place.
    pub newer: bool,
    pub dbtime: DbTime,
    pub prev: Pgno,
    pub next: Pgno,
    pub first: SortKey,
    pub last: SortKey,
    /// Keys below this one, if they are above `first`, cannot be on a page that counts less.
    pub cover_end: Option<SortKey>,
    /// Where a damaged page stands in the tree.
    pub range: Option<Box<Range>>,
}

/// What decides between leaves that hold the same key; the least counts most.
pub(super) type Rank = (Class, Reverse<DbTime>, Reverse<Pgno>);

impl Extra {
    /// How much it counts: by how it was found, then the newer.
    pub fn rank(&self) -> Rank {
        (self.class, Reverse(self.dbtime), Reverse(self.pgno))
    }
}

/// A part of the tree that the walk did not reach.
#[derive(Debug)]
pub(super) struct Gap {
    /// It comes before so many of the leaves that were reached.
    pub at: usize,
    pub range: Range,
    pub page: Pgno,
    pub cause: LossCause,
    /// Any leaf of the object may belong here. A leaf that is lost itself leaves a gap that is not open: what else
    /// claims these keys is an older state of it.
    pub open: bool,
    /// Some nodes were taken from the damaged page itself.
    pub partly: bool,
}

/// What the walk found.
#[derive(Default)]
pub(super) struct Reached {
    /// Leaves in the order of the tree, each within its bounds.
    pub leaves: Vec<Pgno>,
    pub gaps: Vec<Gap>,
    pub extras: Vec<Extra>,
    /// Leaves that were reached, by their place among the object's pages in the inventory.
    marks: Vec<u64>,
}

/// What a pointer leads to.
pub(super) enum Found {
    Leaf(Pgno),
    Gap(Box<Gap>),
    OutOfPlace(Box<Extra>),
    /// A leaf in its place that names another object.
    Foreign(Box<Extra>),
    /// A damaged leaf of which some nodes are proved.
    Damaged(Box<Gap>, Box<Extra>),
}

/// A part of the upper tree, in order.
enum Upper {
    /// A page whose children are leaves.
    Parent(Pgno, Range),
    /// A leaf that hangs higher: the root of a small tree.
    Leaf(Pgno, Range),
    Gap(Gap),
}

/// The children of an internal page with what is left to each.
pub(super) struct Children {
    pub list: Vec<(Pgno, Range)>,
    /// What the last key leaves out.
    pub missing: Option<Gap>,
}

/// Buffers of one worker.
pub(super) struct Worker {
    pub bytes: PageBytes,
    pub leaves: LeafReader,
    pub scratch: CheckScratch,
}

impl Worker {
    pub fn new(db: &Database) -> Self {
        Self {
            bytes: PageBytes::new(db.page_size()),
            leaves: LeafReader::default(),
            scratch: CheckScratch::default(),
        }
    }
}

impl Reached {
    /// True when the leaf was reached.
    pub fn has(&self, source: &Source<'_>, pgno: Pgno) -> bool {
        let pages = source.inventory.pages_of(source.objid);
        pages.binary_search(&pgno.get()).is_ok_and(|at| {
            self.marks
                .get(at / 64)
                .is_some_and(|word| word >> (at % 64) & 1 == 1)
        })
    }

    /// Marks the leaf; false when it was marked before.
    fn mark(&mut self, source: &Source<'_>, pgno: Pgno) -> bool {
        let pages = source.inventory.pages_of(source.objid);
        let Ok(at) = pages.binary_search(&pgno.get()) else {
            return false;
        };
        self.marks.resize(pages.len().div_ceil(64), 0);
        let before = self.marks[at / 64];
        self.marks[at / 64] |= 1 << (at % 64);
        self.marks[at / 64] != before
    }

    fn add(&mut self, source: &Source<'_>, found: Found) {
        match found {
            Found::Leaf(pgno) => {
                if self.mark(source, pgno) {
                    self.leaves.push(pgno);
                }
            }
            Found::OutOfPlace(extra) => {
                if self.mark(source, extra.pgno) {
                    self.extras.push(*extra);
                }
            }
            // Among its own object's pages it has no place to be marked; no other place can hold its keys.
            Found::Foreign(extra) => self.extras.push(*extra),
            Found::Gap(mut gap) => {
                gap.at = self.leaves.len();
                self.gaps.push(*gap);
            }
            Found::Damaged(mut gap, extra) => {
                if self.mark(source, extra.pgno) {
                    gap.partly = true;
                    self.extras.push(*extra);
                }
                gap.at = self.leaves.len();
                self.gaps.push(*gap);
            }
        }
    }
}

impl Source<'_> {
    /// Walks down from `root`; when it is lost or not known, from the pages below it, if they are all there.
    pub fn reach(&self, root: Option<Pgno>, report: &mut TreeReport) -> Reached {
        let mut upper = Vec::new();
        let mut worker = Worker::new(self.db);
        let mut seen = HashSet::new();
        let whole = Range::default();
        match root {
            Some(root) => {
                let to = &mut (&mut worker, &mut seen, &mut upper, &mut *report);
                self.upper(root, whole, 0, to);
            }
            None => upper.push(Upper::Gap(*gap(
                Pgno::NULL,
                &whole,
                LossCause::PageLost,
                true,
            ))),
        }
        if let [Upper::Gap(lost)] = &upper[..]
            && let Some(tops) = self.below_root(lost.page, &mut worker)
        {
            report.lose(Loss {
                page: lost.page,
                cause: lost.cause,
                lower: Vec::new(),
                upper: Vec::new(),
                refill: Refill::Whole,
            });
            upper.clear();
            for (top, range) in tops {
                let to = &mut (&mut worker, &mut seen, &mut upper, &mut *report);
                self.upper(top, range, 0, to);
            }
        }
        let mut reached = Reached::default();
        for batch in upper.chunks(BATCH) {
            let parts: Vec<Vec<Found>> = batch
                .par_iter()
                .with_max_len(1)
                .map_init(
                    || (Worker::new(self.db), Worker::new(self.db)),
                    |(parent, worker), part| self.lower(part, parent, worker),
                )
                .collect();
            for found in parts.into_iter().flatten() {
                reached.add(self, found);
            }
        }
        reached
    }

    fn upper(
        &self,
        pgno: Pgno,
        range: Range,
        depth: usize,
        to: &mut (
            &mut Worker,
            &mut HashSet<Pgno>,
            &mut Vec<Upper>,
            &mut TreeReport,
        ),
    ) {
        let (worker, seen, found, report) = to;
        let mut lost = |cause, range| {
            found.push(Upper::Gap(Gap {
                at: 0,
                range,
                page: pgno,
                cause,
                open: true,
                partly: false,
            }));
        };
        if depth >= MAX_DEPTH || seen.contains(&pgno) {
            return lost(LossCause::WrongPointer, range);
        }
        let page = match self.read(pgno, &mut worker.bytes) {
            Ok(page) => page,
            // What the page was is told by its level only where its parent's flag can be believed, and a lost leaf
            // is met below, not here: this is the root, or an internal page.
            Err(cause) => return lost(cause, range),
        };
        if page.flags().is_leaf() {
            // Leaves hang below their parents' level, or are the whole tree: a leaf elsewhere is what a lost write left.
            if depth > 0 {
                return lost(LossCause::WrongPointer, range);
            }
            found.push(Upper::Leaf(pgno, range));
            return;
        }
        seen.insert(pgno);
        if page.flags().any(PageFlags::PARENT_OF_LEAF) {
            if let Some(bit) = worker.bytes.corrected() {
                report.correct(pgno, bit);
            }
            found.push(Upper::Parent(pgno, range));
            return;
        }
        let Some(Children { list, missing }) =
            self.children(pgno, page, &range, &mut worker.scratch)
        else {
            return lost(LossCause::BrokenInternal, range);
        };
        if let Some(bit) = worker.bytes.corrected() {
            report.correct(pgno, bit);
        }
        for (child, range) in list {
            self.upper(child, range, depth + 1, to);
        }
        to.2.extend(missing.map(Upper::Gap));
    }

    fn lower(&self, part: &Upper, parent: &mut Worker, worker: &mut Worker) -> Vec<Found> {
        match part {
            Upper::Gap(gap) => vec![Found::Gap(Box::new(Gap {
                range: gap.range.clone(),
                ..*gap
            }))],
            Upper::Leaf(pgno, range) => vec![self.leaf(*pgno, range, worker)],
            Upper::Parent(pgno, range) => {
                let lost = |cause| vec![Found::Gap(gap(*pgno, range, cause, true))];
                let page = match self.read(*pgno, &mut parent.bytes) {
                    Ok(page) => page,
                    Err(cause) => return lost(cause),
                };
                let children = self.children(*pgno, page, range, &mut worker.scratch);
                let Some(Children { list, missing }) = children else {
                    return lost(LossCause::BrokenInternal);
                };
                let mut found: Vec<Found> = Vec::with_capacity(list.len());
                for (child, range) in &list {
                    found.push(self.leaf(*child, range, worker));
                }
                found.extend(missing.map(|gap| Found::Gap(Box::new(gap))));
                found
            }
        }
    }

    /// A page of the tree, of whatever level.
    pub fn read<'b>(&self, pgno: Pgno, into: &'b mut PageBytes) -> Result<Page<'b>, LossCause> {
        let state = self.inventory.state(pgno);
        if state.is_some_and(|state| state.verdict() == PageVerdict::Stale) {
            return Err(LossCause::PageLost);
        }
        let page = self.db.read(pgno, into).map_err(|error| match error {
            PageError::Beyond if pgno.is_null() => LossCause::WrongPointer,
            // Whatever is lost there, it was no page of this tree.
            _ if pgno <= LAST_SYSTEM_PAGE && self.objid != Objid::SYSTEM_ROOT => {
                LossCause::WrongPointer
            }
            _ => LossCause::PageLost,
        })?;
        if self.is_of_tree(page) {
            Ok(page)
        } else {
            Err(LossCause::WrongPointer)
        }
    }

    /// True when a page says that it is one of this tree, and in use.
    pub fn is_of_tree(&self, page: Page<'_>) -> bool {
        let flags = page.flags();
        page.objid() == self.objid
            && self.kind.fits(flags)
            && !flags.any(PageFlags::EMPTY | PageFlags::PRE_INIT)
    }

    /// The children of an internal page; `None` when its structure is not that of one.
    pub fn children(
        &self,
        pgno: Pgno,
        page: Page<'_>,
        range: &Range,
        scratch: &mut CheckScratch,
    ) -> Option<Children> {
        let structure = page.check_structure(self.kind.is_non_unique(), scratch);
        if structure.is_err() || page.node_count() == 0 || page.flags().is_leaf() {
            return None;
        }
        let mut children = Vec::with_capacity(page.node_count());
        let mut lower = range.lower.clone();
        for node in page.nodes() {
            let node = node.ok()?;
            if node.flags.is_illegal_on_internal() {
                return None;
            }
            let child = child_of(&node)?;
            let mut upper = node.key();
            // A key beyond what the parent leaves to the page, or before it, leaves nothing to the child.
            if upper.is_empty() || !range.upper.is_empty() && upper > range.upper {
                upper.clone_from(&range.upper);
            } else if upper < lower {
                upper.clone_from(&lower);
            }
            let next = upper.clone();
            children.push((child, Range { lower, upper }));
            lower = next;
        }
        let rest = Range {
            lower,
            upper: range.upper.clone(),
        };
        let reaches_end = rest.lower == rest.upper;
        let missing = (!reaches_end).then(|| *gap(pgno, &rest, LossCause::MissingPointer, true));
        Some(Children {
            list: children,
            missing,
        })
    }
}

/// A gap whose place is not known yet.
pub(super) fn gap(page: Pgno, range: &Range, cause: LossCause, open: bool) -> Box<Gap> {
    Box::new(Gap {
        at: 0,
        range: range.clone(),
        page,
        cause,
        open,
        partly: false,
    })
}
