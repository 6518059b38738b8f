//! What is to be said of one leaf: it is in its place, partly there, somewhere else, or damaged.

use super::inventory::PageVerdict;
use super::keys::{Range, SortKey};
use super::reach::{Class, Extra, Found, Source, Worker, gap};
use super::report::LossCause;
use crate::db::PageError;
use crate::format::ids::Pgno;
use crate::format::page::{Page, PageFlags};

impl Source<'_> {
    /// What a pointer to a leaf leads to.
    pub fn leaf(&self, pgno: Pgno, range: &Range, worker: &mut Worker) -> Found {
        let cause = match self.read(pgno, &mut worker.bytes) {
            Ok(page) if page.flags().is_leaf() => {
                return self.placed(pgno, range, worker).unwrap_or_else(|| {
                    // Nothing on it belongs here: the pointer is wrong, not the page.
                    Found::Gap(gap(pgno, range, LossCause::WrongPointer, true))
                });
            }
            Ok(_) => LossCause::WrongPointer,
            Err(cause) => cause,
        };
        if cause == LossCause::WrongPointer
            && let Some(extra) = self.vouched(pgno, range, worker)
        {
            return Found::Foreign(Box::new(extra));
        }
        let lost = gap(pgno, range, cause, cause != LossCause::PageLost);
        if cause == LossCause::PageLost
            && self.options.trust_damaged_pages
            && let Some(extra) = self.damaged(pgno, Some(range), worker)
        {
            return Found::Damaged(lost, Box::new(extra));
        }
        Found::Gap(lost)
    }

    /// A sound leaf in its place, or only partly there.
    fn placed(&self, pgno: Pgno, range: &Range, worker: &mut Worker) -> Option<Found> {
        let non_unique = self.kind.is_non_unique();
        let page = worker.bytes.page();
        let lines = worker.leaves.sound(page, self.kind, self.options);
        let nodes = lines
            .order
            .iter()
            .flat_map(|line| page.node((*line).into()));
        let (mut inside, mut all) = (0, 0);
        // In order: when both ends are inside, all are.
        let (Some(first), Some(last)) = (lines.order.first(), lines.order.last()) else {
            return Some(Found::Leaf(pgno));
        };
        let ends = [first, last].map(|line| page.node((*line).into()));
        if let [Ok(first), Ok(last)] = ends
            && range.holds_node(&first, non_unique)
            && range.holds_node(&last, non_unique)
        {
            return Some(Found::Leaf(pgno));
        }
        for node in nodes {
            all += 1;
            inside += u32::from(range.holds_node(&node, non_unique));
        }
        debug_assert!(inside < all);
        if inside == 0 {
            return None;
        }
        let extra = self.extra(pgno, page, &lines.order, Class::Tree)?;
        Some(Found::OutOfPlace(Box::new(extra)))
    }

    /// A sound leaf that names another object, but that everything else says is of this tree: its parent, its
    /// neighbours, which point back at it, its kind, and all its keys.
    fn vouched(&self, pgno: Pgno, range: &Range, worker: &mut Worker) -> Option<Extra> {
        let page = self.db.read(pgno, &mut worker.bytes).ok()?;
        let flags = page.flags();
        let in_use = !flags.any(PageFlags::EMPTY | PageFlags::PRE_INIT);
        if page.objid() == self.objid || !flags.is_leaf() || !self.kind.fits(flags) || !in_use {
            return None;
        }
        let lines = worker.leaves.sound(page, self.kind, self.options);
        let mut extra = self.extra(pgno, page, &lines.order, Class::Tree)?;
        if !range.holds(extra.first.whole()) || !range.holds(extra.last.whole()) {
            return None;
        }
        extra.foreign = true;
        let mut links = 0;
        for (neighbour, is_left) in [(extra.prev, true), (extra.next, false)] {
            let Ok(page) = self.read(neighbour, &mut worker.bytes) else {
                continue;
            };
            let back = if is_left { page.next() } else { page.prev() };
            if back != pgno {
                return None;
            }
            links += 1;
        }
        (links > 0).then_some(extra)
    }

    /// A leaf with the ends of what it holds; `None` when it holds nothing.
    pub fn extra(&self, pgno: Pgno, page: Page<'_>, order: &[u16], class: Class) -> Option<Extra> {
        let key = |line: Option<&u16>| {
            let node = page.node((*line?).into()).ok()?;
            Some(SortKey::of(&node, self.kind.is_non_unique()))
        };
        Some(Extra {
            pgno,
            class,
            damaged: false,
            foreign: false,
            newer: false,
            dbtime: page.dbtime(),
            prev: page.prev(),
            next: page.next(),
            first: key(order.first())?,
            last: key(order.last())?,
            cover_end: None,
            range: None,
        })
    }

    /// A leaf with a wrong checksum, if some of its nodes are proved.
    pub fn damaged(&self, pgno: Pgno, range: Option<&Range>, worker: &mut Worker) -> Option<Extra> {
        let state = self.inventory.state(pgno)?;
        let read = self.db.read(pgno, &mut worker.bytes).map(|_| ());
        if state.verdict() != PageVerdict::Bad || !matches!(read, Err(PageError::Checksum { .. })) {
            return None;
        }
        let page = worker.bytes.page();
        if !self.is_of_tree(page) || !page.flags().is_leaf() {
            return None;
        }
        let lines = worker.leaves.damaged(page, self.kind, range, self.options);
        let mut extra = self.extra(pgno, page, &lines.order, Class::Tree)?;
        extra.damaged = true;
        extra.range = range.map(|range| Box::new(range.clone()));
        Some(extra)
    }
}
