//! What fills the parts of a tree that the walk did not reach.
//!
//! The leaves of an object that nothing leads to are of two kinds: those that the damage cut off, and those that the
//! tree gave up long ago (freed by a merge, copies of an older time), whose records were changed or deleted since. The
//! rules that keep the second out:
//!
//! - Where sound internal pages lead to a leaf, no other page has a say about the keys that they leave to it.
//! - A leaf that is lost itself (its parent still points at it) leaves its keys to nobody: what else holds such keys is
//!   older. Only the links of its neighbours can say that the pointer was wrong.
//! - Into the gap of a lost internal page the leaf links lead from its edges. They count only there and back: a page
//!   that was given up still points at its former neighbours, but they no longer point at it. Leaves found like this
//!   are as good as those of the walk, and nothing lies between two of them. When the links meet, the gap is whole.
//! - When they end on both sides at the same page, that page is lost, and with it what the links do not cover.
//! - What is left of a gap may be filled by any leaf of the object that no sound space tree calls free: those first
//!   that link to another such leaf, then the newer ones. A page takes no key from between the first and the last of
//!   one that counts more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};

use super::inventory::PageContent;
use super::keys::{Range, SortKey};
use super::reach::{Class, Extra, Gap, Rank, Reached, Source, Worker};
use super::report::{Loss, Refill, TreeReport};
use crate::db::PageBytes;
use crate::db::space::{Extent, ExtentKind, ObjectSpace, SpaceEntry, SpaceHeader};
use crate::format::ids::{DbTime, Pgno};
use crate::format::page::Page;
use crate::tree::walk::for_each_node;

/// What is to be given, and in which order.
pub(super) struct Plan {
    /// Leaves that follow one another.
    pub leaves: Vec<Pgno>,
    /// Leaves to be merged into them, by their first keys.
    pub extras: Vec<Extra>,
    /// Where leaves that nothing leads to may give nodes, in order.
    pub open: Vec<Range>,
    /// The first leaf of a tree whose root is lost, as far as links tell: it has no left neighbour, and its right one
    /// knows it. Before it no page that counts less gives a node.
    pub low_edge: Option<Edge>,
    /// The last one.
    pub high_edge: Option<Edge>,
}

/// An end of a tree.
pub(super) struct Edge {
    pub rank: Rank,
    pub key: SortKey,
}

/// Gaps between the same two leaves.
struct Hole<'g> {
    gaps: &'g [Gap],
    left: Option<Pgno>,
    right: Option<Pgno>,
}

/// How far leaf links lead into a hole from one side.
struct Side {
    /// The outermost key that was reached.
    key: Option<SortKey>,
    /// The last page that was reached.
    page: Pgno,
    /// The page that it points to.
    next: Pgno,
}

impl Source<'_> {
    /// Settles what fills the gaps.
    pub fn plan(&self, root: Option<Pgno>, reached: Reached, report: &mut TreeReport) -> Plan {
        report.leaves = reached.leaves.len() as u64;
        let all = self.inventory.leaves(self.objid, self.kind);
        let newer = if self.options.torn {
            self.newer(root, &reached, &mut Worker::new(self.db))
        } else {
            Vec::new()
        };
        if reached.gaps.is_empty() {
            let unreached = all.filter(|pgno| !reached.has(self, *pgno)).count();
            report.left_aside = unreached.saturating_sub(newer.len()) as u64;
            return Plan::of(reached, newer);
        }
        let mut found = self.candidates(root, &reached);
        found.retain(|extra| newer.iter().all(|other| other.pgno != extra.pgno));
        found.extend(newer);
        let by_pgno: HashMap<Pgno, usize> = found.iter().map(|extra| extra.pgno).zip(0..).collect();
        let mut open = Vec::new();
        let mut start = 0;
        let mut refills = Vec::with_capacity(reached.gaps.len());
        while let Some(first) = reached.gaps.get(start) {
            let len = reached.gaps[start..].partition_point(|gap| gap.at == first.at);
            let hole = Hole {
                gaps: &reached.gaps[start..start + len],
                left: first.at.checked_sub(1).map(|at| reached.leaves[at]),
                right: reached.leaves.get(first.at).copied(),
            };
            let whole = self.follow_links(&hole, &mut found, &by_pgno, &mut open);
            refills.extend(std::iter::repeat_n(whole, len));
            start += len;
        }
        open.retain(|range| !range.is_empty());
        found.retain(|extra| {
            extra.class <= Class::Linked || !meeting(&open, |range| range, extra).is_empty()
        });
        self.chain(&mut found);
        let mut filled = vec![false; reached.gaps.len()];
        for extra in &found {
            filled[meeting(&reached.gaps, |gap| &gap.range, extra)].fill(true);
        }
        for ((gap, whole), filled) in reached.gaps.iter().zip(refills).zip(filled) {
            let refill = match whole {
                true => Refill::Whole,
                false if gap.partly || filled => Refill::Partly,
                false => Refill::Nothing,
            };
            report.lose(Loss {
                page: gap.page,
                cause: gap.cause,
                lower: gap.range.lower.clone(),
                upper: gap.range.upper.clone(),
                refill,
            });
        }
        let unreached = all.filter(|pgno| !reached.has(self, *pgno)).count();
        let taken = found.iter().filter(|extra| !extra.damaged).count();
        report.left_aside = unreached.saturating_sub(taken) as u64;
        let edge = |is_edge: fn(&Extra) -> bool, key: fn(&Extra) -> &SortKey| {
            let chained = found.iter().filter(|extra| extra.class == Class::Chained);
            let best = chained
                .filter(|extra| is_edge(extra))
                .min_by_key(|extra| extra.rank());
            best.map(|extra| Edge {
                rank: extra.rank(),
                key: key(extra).clone(),
            })
        };
        let low_edge = edge(|extra| extra.prev.is_null(), |extra| &extra.first);
        let high_edge = edge(|extra| extra.next.is_null(), |extra| &extra.last);
        let plan = Plan::of(reached, found);
        Plan {
            open,
            low_edge,
            high_edge,
            ..plan
        }
    }

    /// Leaves that the walk did not reach and that hold keys of a gap, read in the order of the file.
    fn candidates(&self, root: Option<Pgno>, reached: &Reached) -> Vec<Extra> {
        let wanted = self.wanted(root, reached);
        let sound = self.inventory.leaves(self.objid, self.kind);
        let mut pages: Vec<(Pgno, bool)> =
            sound.filter(&wanted).map(|pgno| (pgno, false)).collect();
        if self.options.trust_damaged_pages {
            let damaged = self.inventory.damaged_leaves(self.objid, self.kind);
            pages.extend(damaged.filter(&wanted).map(|pgno| (pgno, true)));
            pages.sort_unstable();
        }
        let read = |worker: &mut Worker, (pgno, damaged): &(Pgno, bool)| {
            let extra = self.candidate(*pgno, *damaged, worker)?;
            let gaps = meeting(&reached.gaps, |gap| &gap.range, &extra);
            (!gaps.is_empty()).then_some(extra)
        };
        let found: Vec<Option<Extra>> = pages
            .par_iter()
            .with_min_len(16)
            .map_init(|| Worker::new(self.db), read)
            .collect();
        found.into_iter().flatten().collect()
    }

    /// Says of a leaf whether the walk did not reach it, and no space tree calls it free.
    fn wanted(&self, root: Option<Pgno>, reached: &Reached) -> impl Fn(&Pgno) -> bool {
        let free = self.free_pages(root);
        move |pgno| {
            let at = free.partition_point(|(extent, _)| extent.last < *pgno);
            let entry = free.get(at).filter(|(extent, _)| extent.first() <= *pgno);
            !entry.is_some_and(|(_, since)| self.is_not_since(*pgno, *since))
                && !reached.has(self, *pgno)
        }
    }

    /// False when a page was taken into use after it was called free: what the space tree says is as old as its page.
    fn is_not_since(&self, pgno: Pgno, free_since: DbTime) -> bool {
        let mut bytes = PageBytes::new(self.db.page_size());
        let page = self.db.read(pgno, &mut bytes);
        !self.options.torn || page.is_ok_and(|page| page.dbtime() <= free_since)
    }

    /// Usable leaves of that kind.
    pub fn unreached(&self, root: Option<Pgno>, reached: &Reached) -> Vec<Pgno> {
        let leaves = self.inventory.leaves(self.objid, self.kind);
        leaves.filter(self.wanted(root, reached)).collect()
    }

    /// What a leaf holds, if it is one of this tree.
    pub fn candidate(&self, pgno: Pgno, damaged: bool, worker: &mut Worker) -> Option<Extra> {
        if damaged {
            let mut extra = self.damaged(pgno, None, worker)?;
            extra.class = Class::Alone;
            return Some(extra);
        }
        let page = self.db.read(pgno, &mut worker.bytes).ok()?;
        if !self.is_of_tree(page) || !page.flags().is_leaf() {
            return None;
        }
        let lines = worker.leaves.sound(page, self.kind, self.options);
        self.extra(pgno, page, &lines.order, Class::Alone)
    }

    /// Follows the leaf links into a hole from both sides; true when they meet. What they leave is added to `open`.
    fn follow_links(
        &self,
        hole: &Hole<'_>,
        found: &mut [Extra],
        by_pgno: &HashMap<Pgno, usize>,
        open: &mut Vec<Range>,
    ) -> bool {
        let range = Range {
            lower: hole.gaps[0].range.lower.clone(),
            upper: hole.gaps[hole.gaps.len() - 1].range.upper.clone(),
        };
        let inside =
            |extra: &Extra| range.holds(extra.first.whole()) && range.holds(extra.last.whole());
        let mut bytes = PageBytes::new(self.db.page_size());
        let mut edge = |pgno: Option<Pgno>, forward: bool| {
            let page = self.db.read(pgno?, &mut bytes).ok()?;
            Some(Side {
                key: None,
                page: pgno?,
                next: if forward { page.next() } else { page.prev() },
            })
        };
        let mut left = edge(hole.left, true);
        let mut right = edge(hole.right, false);
        if let Some(side) = &mut left {
            while let Some(extra) = by_pgno.get(&side.next).map(|at| &mut found[*at]) {
                let follows = side.key.as_ref().is_none_or(|key| *key < extra.first);
                if extra.class <= Class::Linked
                    || extra.prev != side.page
                    || !follows
                    || !inside(extra)
                {
                    break;
                }
                extra.class = Class::Linked;
                *side = Side {
                    key: Some(extra.last.clone()),
                    page: extra.pgno,
                    next: extra.next,
                };
            }
        }
        let limit = left.as_ref().and_then(|side| side.key.clone());
        // At an edge of the tree the links end with none, unless a page beyond names the last one its neighbour.
        let ends = |side: &Side, found: &[Extra], back: fn(&Extra) -> Pgno| {
            let claimed = || {
                found
                    .iter()
                    .any(|extra| extra.class > Class::Linked && back(extra) == side.page)
            };
            side.next.is_null() && side.key.is_some() && !claimed()
        };
        let met = |left: &Option<Side>, right: &Option<Side>, found: &[Extra]| match (left, right) {
            (Some(left), Some(right)) => left.next == right.page && right.next == left.page,
            (Some(left), None) => hole.right.is_none() && ends(left, found, |extra| extra.prev),
            (None, Some(right)) => hole.left.is_none() && ends(right, found, |extra| extra.next),
            (None, None) => false,
        };
        let mut whole = met(&left, &right, found);
        if let Some(side) = &mut right {
            while !whole && let Some(extra) = by_pgno.get(&side.next).map(|at| &mut found[*at]) {
                let follows = side.key.as_ref().is_none_or(|key| *key > extra.last)
                    && limit.as_ref().is_none_or(|limit| *limit < extra.first);
                if extra.class <= Class::Linked
                    || extra.next != side.page
                    || !follows
                    || !inside(extra)
                {
                    break;
                }
                extra.class = Class::Linked;
                *side = Side {
                    key: Some(extra.first.clone()),
                    page: extra.pgno,
                    next: extra.prev,
                };
            }
            whole = whole || met(&left, &right, found);
        }
        let ends_at = |side: &Option<Side>| side.as_ref().map(|side| side.next);
        let same_page_lost = ends_at(&left).is_some_and(|next| {
            !next.is_null() && ends_at(&right) == Some(next) && !self.is_usable(next)
        });
        if !whole && !same_page_lost {
            let low = left.and_then(|side| side.key).map(|key| {
                // The least string above it.
                [key.whole(), &[0]].concat()
            });
            let high = right
                .and_then(|side| side.key)
                .map(|key| key.whole().to_vec());
            for gap in hole.gaps.iter().filter(|gap| gap.open) {
                let mut range = gap.range.clone();
                if let Some(low) = &low {
                    range.lower = range.lower.max(low.clone());
                }
                if let Some(high) = &high
                    && (range.upper.is_empty() || *high < range.upper)
                {
                    range.upper.clone_from(high);
                }
                open.push(range);
            }
        }
        whole
    }

    fn is_usable(&self, pgno: Pgno) -> bool {
        let state = self.inventory.state(pgno);
        state.is_some_and(|state| state.verdict().is_usable())
    }

    /// Leaves that nothing leads to, but that link to each other there and back, and what lies between them.
    fn chain(&self, found: &mut [Extra]) {
        let mut by_pgno = HashMap::new();
        // Leaves by their left neighbour, where only one names it.
        let mut by_prev: HashMap<Pgno, Option<usize>> = HashMap::new();
        for (at, extra) in found.iter().enumerate() {
            if extra.class <= Class::Linked {
                continue;
            }
            by_pgno.insert(extra.pgno, at);
            match by_prev.entry(extra.prev) {
                Entry::Vacant(entry) => {
                    entry.insert(Some(at));
                }
                Entry::Occupied(mut entry) => {
                    entry.insert(None);
                }
            }
        }
        for at in 0..found.len() {
            let extra = &found[at];
            if extra.class <= Class::Linked || extra.next.is_null() {
                continue;
            }
            let there = by_pgno.get(&extra.next).copied();
            let neighbour = match there {
                Some(next) if found[next].prev == extra.pgno => Some((next, true)),
                Some(_) => None,
                // Both name the same lost page: it lay between them, and nothing else.
                None if !self.is_usable(extra.next) => {
                    let other = by_prev.get(&extra.next).copied().flatten();
                    other.map(|next| (next, false))
                }
                None => None,
            };
            let Some((next, linked)) = neighbour else {
                continue;
            };
            if found[next].first <= extra.last {
                continue;
            }
            let cover = found[next].first.clone();
            found[at].cover_end = Some(cover);
            if linked {
                found[at].class = Class::Chained;
                found[next].class = Class::Chained;
            }
        }
    }

    /// Pages that the tree's own space tree calls free, and the time of the page that says so; nothing when it is not
    /// sound.
    fn free_pages(&self, root: Option<Pgno>) -> Vec<(Extent, DbTime)> {
        let mut bytes = PageBytes::new(self.db.page_size());
        let header = root.and_then(|root| {
            let page = self.db.read(root, &mut bytes).ok()?;
            SpaceHeader::parse(page.external_header())
        });
        let available = match header.map(|header| header.kind()) {
            Some(ExtentKind::Multiple { available, .. }) => available,
            Some(ExtentKind::Single { .. }) => {
                let root = root.unwrap_or_default();
                let page = self.db.read(root, &mut bytes);
                let time = page.map_or(DbTime::default(), Page::dbtime);
                let available = ObjectSpace::read(self.db, root).available;
                return available.into_iter().map(|extent| (extent, time)).collect();
            }
            // Without the root: the second of two roots of space trees side by side. [format notes 5.3]
            None => {
                let roots = self.inventory.roots(self.objid, PageContent::Space);
                let roots: Vec<Pgno> = roots.take(3).collect();
                match roots[..] {
                    [owned, available] if owned.next() == available => available,
                    _ => return Vec::new(),
                }
            }
        };
        let (mut sound, mut reached) = (true, true);
        let mut free = Vec::new();
        for_each_node(
            self.db,
            available,
            |_, page, node| match SpaceEntry::parse(&node) {
                Ok(entry) if page.flags().is_space_tree() => {
                    free.push((entry.extent, page.dbtime()));
                }
                _ => sound = false,
            },
            |_, _| reached = false,
        );
        free.retain(|(extent, _)| extent.count > 0);
        free.sort_unstable();
        // An overlap says that the tree is not what it was.
        sound &= reached
            && free
                .windows(2)
                .all(|pair| pair[0].0.last < pair[1].0.first());
        if sound { free } else { Vec::new() }
    }
}

/// Which of the ranges, which rise, may hold a node of the leaf.
fn meeting<T>(list: &[T], range: impl Fn(&T) -> &Range, extra: &Extra) -> std::ops::Range<usize> {
    let start = list.partition_point(|entry| {
        let upper = &range(entry).upper;
        !upper.is_empty() && upper[..] <= *extra.first.whole()
    });
    let len = list[start..].partition_point(|entry| range(entry).lower[..] <= *extra.last.whole());
    start..start + len
}

impl Plan {
    fn of(reached: Reached, found: Vec<Extra>) -> Self {
        let mut extras = reached.extras;
        extras.extend(found);
        extras.sort_by(|a, b| a.first.cmp(&b.first).then(a.pgno.cmp(&b.pgno)));
        Self {
            leaves: reached.leaves,
            extras,
            open: Vec::new(),
            low_edge: None,
            high_edge: None,
        }
    }
}
