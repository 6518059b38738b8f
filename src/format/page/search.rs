//! Where a key is, or would be, in a page whose nodes are in order.

use std::cmp::Ordering;

use super::{Node, Page};

impl Page<'_> {
    /// The child whose key, an exclusive upper bound, is the first above `key`; the last child's empty
    /// key is above everything. [format notes 4.2, T1]
    #[must_use]
    pub fn child_line(self, key: &[u8]) -> usize {
        let lines = self.node_count().saturating_sub(1);
        self.first_line(lines, |node| {
            node.is_some_and(|node| {
                node.key_len() == 0 || node.cmp_key_to(key) == Ordering::Greater
            })
        })
    }

    /// The first node of a leaf whose key is not below `key`.
    #[must_use]
    pub fn lower_bound(self, key: &[u8]) -> usize {
        self.first_line(self.node_count(), |node| {
            node.is_none_or(|node| node.cmp_key_to(key) != Ordering::Less)
        })
    }

    /// The first of `lines` nodes from which on `holds` is true; it is asked with `None` for one that cannot be read.
    fn first_line(self, lines: usize, holds: impl Fn(Option<Node<'_>>) -> bool) -> usize {
        let (mut low, mut high) = (0, lines);
        while low < high {
            let middle = (low + high) / 2;
            if holds(self.node(middle).ok()) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}
