//! Where a subtree must lie: the keys that bound it, and the children of a page with theirs.

use std::cmp::Ordering;
use std::ops::Range;

use crate::format::ids::Pgno;
use crate::format::page::Node;

/// Bounds of a subtree: keys from `lower` (inclusive) to `upper` (exclusive, empty for none).
#[derive(Clone, Copy)]
pub(super) struct Bounds<'k> {
    pub lower: &'k [u8],
    pub upper: &'k [u8],
    pub parent: Pgno,
    pub line: usize,
    pub depth: usize,
    /// What the parent says of this level: `None` at the root.
    pub leaf_expected: Option<bool>,
}

/// The children of an internal page, with what bounds them.
pub(super) struct Children<'k> {
    pub parent: Pgno,
    pub parent_of_leaf: bool,
    pub depth: usize,
    /// Bound of the first child.
    pub lower: &'k [u8],
    /// Each child with its upper bound, which is the next one's lower.
    pub list: Vec<(Pgno, Vec<u8>)>,
}

impl Children<'_> {
    /// The bounds of one child.
    pub fn bounds(&self, line: usize) -> Bounds<'_> {
        Bounds {
            lower: match line {
                0 => self.lower,
                _ => &self.list[line - 1].1,
            },
            upper: &self.list[line].1,
            parent: self.parent,
            line,
            depth: self.depth,
            leaf_expected: Some(self.parent_of_leaf),
        }
    }

    /// Children that lie side by side, at most `most` together.
    pub fn runs(&self, most: usize) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (line, (pgno, _)) in self.list.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if run.len() < most && self.list[line - 1].0.next() == *pgno => {
                    run.end += 1;
                }
                _ => runs.push(line..line + 1),
            }
        }
        runs
    }
}

/// Compares a leaf node with a separator. In non-unique trees separators are prefixes of key and
/// data together. [format notes 4.2]
pub(super) fn cmp_separator(node: &Node<'_>, separator: &[u8], whole: bool) -> Ordering {
    let key_len = node.key_len();
    if !whole || separator.len() <= key_len {
        let order = node.cmp_key_to(separator);
        return if whole && order == Ordering::Equal {
            Ordering::Greater
        } else {
            order
        };
    }
    let (key_part, data_part) = separator.split_at(key_len);
    node.cmp_key_to(key_part)
        .then_with(|| node.data.cmp(data_part))
}
