//! A tree whose root is lost, but not the pages right below it: those that no other internal page points to.
//!
//! They are taken in the place of the root only when they are all there: their last keys rise, the last one has none
//! (the right edge), and the leaf links run from the one to the next without a gap. A stale internal page breaks that,
//! and then the leaves are found one by one.

use std::collections::HashSet;

use super::keys::Range;
use super::reach::{Source, Worker};
use crate::format::ids::Pgno;
use crate::format::page::PageFlags;
use crate::tree::walk::{MAX_DEPTH, child_of};

/// A leaf at the edge of a part of the tree.
struct EdgeLeaf {
    pgno: Pgno,
    prev: Pgno,
    next: Pgno,
}

impl Source<'_> {
    /// The pages right below the lost `root`, in order, with what is left to each.
    pub fn below_root(&self, root: Pgno, worker: &mut Worker) -> Option<Vec<(Pgno, Range)>> {
        let mut tops: Vec<(Vec<u8>, Pgno)> = Vec::new();
        let mut inner = HashSet::new();
        let pages = self.inventory.internal_pages(self.objid, self.kind);
        for pgno in pages.filter(|pgno| *pgno != root) {
            let page = self.read(pgno, &mut worker.bytes).ok()?;
            let children = self.children(pgno, page, &Range::default(), &mut worker.scratch)?;
            let last = page.node(page.node_count().checked_sub(1)?).ok()?;
            if !page.flags().any(PageFlags::PARENT_OF_LEAF) {
                inner.extend(children.list.iter().map(|(child, _)| *child));
            }
            tops.push((last.key(), pgno));
        }
        tops.retain(|(_, pgno)| !inner.contains(pgno));
        // No key is above every other.
        tops.sort_by(|a, b| (a.0.is_empty(), &a.0).cmp(&(b.0.is_empty(), &b.0)));
        let rise = tops.windows(2).all(|pair| pair[0].0 != pair[1].0);
        if !rise || !tops.last()?.0.is_empty() {
            return None;
        }
        let mut before: Option<EdgeLeaf> = None;
        let mut lower = Vec::new();
        let mut parts = Vec::with_capacity(tops.len());
        for (upper, pgno) in tops {
            let first = self.edge_leaf(pgno, true, worker)?;
            let (left, back) =
                before.map_or((Pgno::NULL, first.pgno), |leaf| (leaf.pgno, leaf.next));
            if first.prev != left || back != first.pgno {
                return None;
            }
            before = Some(self.edge_leaf(pgno, false, worker)?);
            let next = upper.clone();
            parts.push((pgno, Range { lower, upper }));
            lower = next;
        }
        before?.next.is_null().then_some(parts)
    }

    /// The first or the last leaf below a page.
    fn edge_leaf(&self, top: Pgno, first: bool, worker: &mut Worker) -> Option<EdgeLeaf> {
        let mut pgno = top;
        for _ in 0..MAX_DEPTH {
            let page = self.read(pgno, &mut worker.bytes).ok()?;
            if page.flags().is_leaf() {
                return Some(EdgeLeaf {
                    pgno,
                    prev: page.prev(),
                    next: page.next(),
                });
            }
            let line = if first {
                0
            } else {
                page.node_count().checked_sub(1)?
            };
            pgno = child_of(&page.node(line).ok()?)?;
        }
        None
    }
}
