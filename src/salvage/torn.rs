//! Trees whose pages were written at different times.
//!
//! In a dirty database a page may be on disk as it was long ago while others are new: a root that is still the only
//! leaf, though the records have moved into leaves below it; a leaf that was split, under a parent that does not know
//! its other half. The walk from the root then reaches everything that it should, and yet not everything there is.
//!
//! A leaf that a tree gives up is changed by that for the last time, together with those that take over its keys. So one that
//! is newer than the page that has its keys now was never given up. [format notes 4.3; verified: r-nologs]

use std::collections::{BTreeMap, BTreeSet};

use super::keys::SortKey;
use super::reach::{Class, Extra, Reached, Source, Worker};
use crate::db::PageBytes;
use crate::format::ids::{DbTime, Pgno};
use crate::tree::walk::seek;

impl Source<'_> {
    /// Leaves that were not reached, and that belong to the tree none the less: those that are newer than what was
    /// reached in their place, and those to which leaves of the tree are linked there and back.
    pub fn newer(&self, root: Option<Pgno>, reached: &Reached, worker: &mut Worker) -> Vec<Extra> {
        let Some(root) = root else {
            return Vec::new();
        };
        let mut waiting: BTreeMap<Pgno, Extra> = BTreeMap::new();
        for pgno in self.unreached(Some(root), reached) {
            if let Some(extra) = self.candidate(pgno, false, worker) {
                waiting.insert(pgno, extra);
            }
        }
        let mut bytes = PageBytes::new(self.db.page_size());
        let mut accepted = BTreeSet::new();
        for (pgno, extra) in &waiting {
            let mut is_older = |key: &SortKey| {
                let place = seek(self.db, root, key.whole(), &mut bytes);
                place.is_ok_and(|(_, page)| self.is_of_tree(page) && page.dbtime() < extra.dbtime)
            };
            if extra.dbtime > DbTime::default() && is_older(&extra.first) && is_older(&extra.last) {
                accepted.insert(*pgno);
            }
        }
        self.link(reached, &waiting, &mut accepted);
        waiting.retain(|pgno, _| accepted.contains(pgno));
        let mut found: Vec<Extra> = waiting.into_values().collect();
        for extra in &mut found {
            extra.class = Class::Tree;
            extra.newer = true;
        }
        found
    }

    /// Adds leaves whose neighbour is one of the tree and knows them.
    fn link(
        &self,
        reached: &Reached,
        waiting: &BTreeMap<Pgno, Extra>,
        accepted: &mut BTreeSet<Pgno>,
    ) {
        let mut bytes = PageBytes::new(self.db.page_size());
        let mut links = |pgno: Pgno| {
            let page = self.read(pgno, &mut bytes).ok()?;
            page.flags().is_leaf().then(|| (page.prev(), page.next()))
        };
        loop {
            let before = accepted.len();
            for (pgno, extra) in waiting {
                if accepted.contains(pgno) {
                    continue;
                }
                let is_of_tree = |pgno: Pgno| accepted.contains(&pgno) || reached.has(self, pgno);
                let follows = is_of_tree(extra.prev)
                    && links(extra.prev).is_some_and(|(_, next)| next == *pgno);
                let precedes = is_of_tree(extra.next)
                    && links(extra.next).is_some_and(|(prev, _)| prev == *pgno);
                if follows || precedes {
                    accepted.insert(*pgno);
                }
            }
            if accepted.len() == before {
                return;
            }
        }
    }
}
