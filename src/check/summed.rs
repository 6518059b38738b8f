//! The content of a tree summed up while its leaves are checked, for those who want to compare it with another's.

use std::cell::RefCell;

use super::tree::Leaves;
use crate::digest::{Content, Sum, Tally};
use crate::format::ids::Pgno;
use crate::format::page::Page;
use crate::format::record::RecordLayout;

/// How the nodes of a tree are hashed.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    /// Records.
    Records(&'a Content),
    /// Long values.
    LongValues,
    /// Index entries.
    Entries,
}

/// A checker of leaves that also sums them up, where that is asked for.
pub(super) struct Summed<'a, L> {
    pub inner: &'a L,
    pub kind: Kind<'a>,
    pub wanted: bool,
    pub found: Tally,
}

thread_local! {
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<'a, L> Summed<'a, L> {
    /// Nothing seen yet.
    pub fn new(inner: &'a L, kind: Kind<'a>, wanted: bool) -> Self {
        Self {
            inner,
            kind,
            wanted,
            found: Tally::default(),
        }
    }

    fn sum(&self, page: Page<'_>) -> Sum {
        let layout = RecordLayout::of_page(page);
        let mut sum = Sum::default();
        KEY.with_borrow_mut(|key| {
            for node in page
                .nodes()
                .flatten()
                .filter(|node| !node.flags.is_deleted())
            {
                node.key_into(key);
                let hash = match self.kind {
                    Kind::Records(content) => content.record(key, node.data, layout),
                    Kind::LongValues => Content::long_value(key, node.data),
                    Kind::Entries => Content::entry(key, node.data),
                };
                sum.add(hash, 1);
            }
        });
        sum
    }
}

impl<L: Leaves> Leaves for Summed<'_, L> {
    type Edge = L::Edge;

    fn leaf(&self, pgno: Pgno, page: Page<'_>) -> L::Edge {
        if self.wanted {
            self.found.merge(&self.sum(page));
        }
        self.inner.leaf(pgno, page)
    }

    fn join(&self, left: L::Edge, right: L::Edge) -> L::Edge {
        self.inner.join(left, right)
    }
}
