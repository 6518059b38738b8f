//! The way from a root to a leaf.

use super::lines::Line;
use super::{Content, Live, LiveError};
use crate::format::ids::Pgno;
use crate::format::page::Page;

/// Trees are never deeper; more means a loop.
const DEEPEST: usize = 32;

/// The way to a leaf.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// Internal pages from the root on, each with the line of the pointer that leads on.
    pub above: Vec<(Pgno, usize)>,
    pub leaf: Pgno,
    /// The first node of the leaf that is not below the key.
    pub line: usize,
    /// The node there, if it has the very key.
    pub found: Option<Line>,
}

/// The page that a node of an internal page leads to.
fn child(page: Page<'_>, line: usize) -> Option<Pgno> {
    let data: [u8; 4] = page.node(line).ok()?.data.try_into().ok()?;
    Some(Pgno::new(u32::from_le_bytes(data)))
}

impl Live {
    /// Descends to the leaf where `key` is or would be.
    pub(super) fn descend(&self, tree: usize, key: &[u8]) -> Result<Path, LiveError> {
        let mut above = Vec::new();
        let mut pgno = self.tree(tree)?.root;
        for _ in 0..DEEPEST {
            let page = self.pages.view(pgno)?;
            let count = page.node_count();
            if page.flags().is_leaf() {
                let line = (0..count)
                    .find(|line| page.node(*line).is_ok_and(|node| node.key()[..] >= *key))
                    .unwrap_or(count);
                let node = page.node(line).ok();
                let found = node.map(|node| Line::of(&node)).filter(|l| l.key == key);
                return Ok(Path {
                    above,
                    leaf: pgno,
                    line,
                    found,
                });
            }
            let goes_on = |line: &usize| {
                page.node(*line)
                    .is_ok_and(|node| node.key_len() == 0 || node.key()[..] > *key)
            };
            let line = (0..count).find(goes_on).unwrap_or(count.saturating_sub(1));
            above.push((pgno, line));
            pgno = child(page, line).ok_or(LiveError::Contradiction("no pointer"))?;
        }
        Err(LiveError::Contradiction("a tree without leaves"))
    }

    /// Leaves from left to right.
    pub(super) fn leaves(&self, tree: usize) -> Result<Vec<Pgno>, LiveError> {
        let mut leaf = self.descend(tree, &[])?.leaf;
        let mut leaves = Vec::new();
        while !leaf.is_null() {
            leaves.push(leaf);
            leaf = self.pages.view(leaf)?.next();
        }
        Ok(leaves)
    }

    /// What a tree holds now, uncommitted changes included.
    ///
    /// # Errors
    /// [`LiveError::Contradiction`] when there is no such tree.
    pub fn content(&self, tree: usize) -> Result<Content, LiveError> {
        let mut content = Content::new();
        for leaf in self.leaves(tree)? {
            for node in self.pages.view(leaf)?.nodes().flatten() {
                if !node.flags.is_deleted() {
                    content.insert(node.key(), node.data.to_vec());
                }
            }
        }
        Ok(content)
    }

    /// Keys of a leaf that is chosen at random, deleted nodes included.
    pub(super) fn some_leaf(&mut self, tree: usize) -> Result<Pgno, LiveError> {
        let leaves = self.leaves(tree)?;
        let at = self.random.below(leaves.len());
        leaves
            .get(at)
            .copied()
            .ok_or(LiveError::Contradiction("a tree without leaves"))
    }

    /// The way to a leaf by its first key; `None` for an empty leaf.
    pub(super) fn path_to(&self, tree: usize, leaf: Pgno) -> Result<Option<Path>, LiveError> {
        let key = match self.pages.view(leaf)?.node(0) {
            Ok(node) => node.key(),
            Err(_) => return Ok(None),
        };
        let path = self.descend(tree, &key)?;
        Ok((path.leaf == leaf).then_some(path))
    }
}
