//! The order of nodes: by key, in a non-unique tree then by data. Separators of internal pages are compared with key
//! and data put together, as the engine makes them. [format notes 4.2]

use std::cmp::Ordering;

use crate::format::page::Node;

/// The place of a node in its tree's order, kept longer than its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SortKey {
    /// Key, followed by the data in a non-unique tree.
    bytes: Box<[u8]>,
    key_len: usize,
}

impl SortKey {
    /// The place of a node.
    pub fn of(node: &Node<'_>, non_unique: bool) -> Self {
        let data = if non_unique { node.data } else { &[] };
        Self {
            bytes: [node.prefix, node.suffix, data].concat().into(),
            key_len: node.key_len(),
        }
    }

    /// The key alone.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len]
    }

    /// Key and data put together.
    pub fn whole(&self) -> &[u8] {
        &self.bytes
    }

    /// Compares with a node of the same tree.
    pub fn cmp_node(&self, node: &Node<'_>, non_unique: bool) -> Ordering {
        let by_key = node.cmp_key_to(self.key()).reverse();
        if non_unique {
            by_key.then_with(|| self.bytes[self.key_len..].cmp(node.data))
        } else {
            by_key
        }
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let data = |of: &Self| of.key_len;
        self.key()
            .cmp(other.key())
            .then_with(|| self.bytes[data(self)..].cmp(&other.bytes[data(other)..]))
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two nodes of one tree.
pub(super) fn cmp_nodes(a: &Node<'_>, b: &Node<'_>, non_unique: bool) -> Ordering {
    match a.cmp_key(b) {
        Ordering::Equal if non_unique => a.data.cmp(b.data),
        order => order,
    }
}

/// The part of the order that an internal page leaves to a child: from `lower` on, and below `upper`; an empty string
/// is no bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Range {
    pub lower: Vec<u8>,
    pub upper: Vec<u8>,
}

impl Range {
    /// True when key and data put together lie in it.
    pub fn holds(&self, whole: &[u8]) -> bool {
        whole >= &self.lower[..] && (self.upper.is_empty() || whole < &self.upper[..])
    }

    /// True when the node lies in it.
    pub fn holds_node(&self, node: &Node<'_>, non_unique: bool) -> bool {
        if !non_unique {
            return node.cmp_key_to(&self.lower) != Ordering::Less
                && (self.upper.is_empty() || node.cmp_key_to(&self.upper) == Ordering::Less);
        }
        self.holds(&[node.prefix, node.suffix, node.data].concat())
    }

    /// True when nothing can lie in it.
    pub fn is_empty(&self) -> bool {
        !self.upper.is_empty() && self.upper <= self.lower
    }
}
