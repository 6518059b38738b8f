//! Writes a B+ tree from nodes in ascending order, leaves first, one open page per level.
//!
//! The finished tree obeys the invariants T1 to T9 of the format notes (4.2): separators are the
//! shortest strings that part two leaves, the last key of an internal page is the key that points
//! to it, and only the right edge has empty keys. The root stays where the catalog says; a tree
//! whose nodes fit into it has no other page.

use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::page::{NodeFlags, PageBuf, PageFlags, TAG_BYTES};

/// The engine shares a key prefix only when it saves something: from 3 bytes on.
/// [format notes chapter 3: minimum over 170 000 nodes]
const MIN_PREFIX: usize = 3;
/// Largest count that a node can store (13 bits). [format notes chapter 3]
const MAX_KEY: usize = 0x1FFF;
/// Bytes of the page number that an internal node holds.
const CHILD_BYTES: usize = size_of::<u32>();
/// Bytes of one key count at the start of a line.
const COUNT_BYTES: usize = size_of::<u16>();

/// Where a tree's pages come from and go to.
pub trait TreeStore {
    /// What can go wrong.
    type Error;

    /// Hands out a page that belongs to the tree.
    ///
    /// # Errors
    /// When there is no page left.
    fn allocate(&mut self) -> Result<Pgno, Self::Error>;

    /// Takes a finished, sealed page.
    ///
    /// # Errors
    /// When the page cannot be stored.
    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), Self::Error>;
}

/// Why a tree cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] E),
    /// A node does not come after its predecessor.
    #[error("node {node} is not in ascending order")]
    OutOfOrder {
        /// Number of the node, from 0.
        node: u64,
    },
    /// Leaf keys may not be empty.
    #[error("node {node} has an empty key")]
    EmptyKey {
        /// Number of the node, from 0.
        node: u64,
    },
    /// Nodes without data are corruption (structural check P21).
    #[error("node {node} has no data")]
    NoData {
        /// Number of the node, from 0.
        node: u64,
    },
    /// The node does not fit into an empty page.
    #[error("node {node} of {bytes} bytes does not fit into a page")]
    TooLarge {
        /// Number of the node, from 0.
        node: u64,
        /// Bytes of key and data.
        bytes: usize,
    },
}

/// What all pages of a tree have in common.
#[derive(Debug, Clone, Copy)]
pub struct TreeSpec {
    /// Page size.
    pub page_size: PageSize,
    /// Page of the root (FDP); it is never asked from the store.
    pub root: Pgno,
    /// The tree.
    pub objid: Objid,
    /// Flags of every page: kind of tree, record and checksum format. Root, leaf and parent-of-leaf
    /// are set by the writer; [`PageFlags::NON_UNIQUE`] also decides how nodes are ordered.
    pub flags: PageFlags,
    /// Time of the last change of every page.
    pub dbtime: DbTime,
    /// Bytes of the root's external header, which [`FinishedTree`] leaves to the caller.
    pub root_header: usize,
    /// How full a leaf is made, in percent.
    pub density: u8,
}

/// Numbers of a finished tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeSummary {
    /// Nodes of all leaves.
    pub nodes: u64,
    /// Pages, the root included.
    pub pages: u64,
    /// Levels: 1 when the root is a leaf.
    pub depth: usize,
}

/// A tree whose pages are all written but the root: the caller knows the space header only now.
#[must_use]
pub struct FinishedTree {
    /// The root, its external header zero bytes of the announced length.
    pub root: PageBuf,
    /// How large the tree is.
    pub summary: TreeSummary,
}

/// The writer; see the module.
pub struct TreeWriter {
    spec: TreeSpec,
    /// The open leaf; the root as long as everything fits into it.
    leaf: PageBuf,
    in_root: bool,
    levels: Vec<Level>,
    last_key: Vec<u8>,
    last_data: Vec<u8>,
    summary: TreeSummary,
}

/// The open page of an internal level.
#[derive(Default)]
struct Level {
    nodes: Vec<(Vec<u8>, Pgno)>,
    used: usize,
}

impl TreeWriter {
    /// Begins an empty tree.
    #[must_use]
    pub fn new(spec: TreeSpec) -> Self {
        let flags = with(spec.flags, PageFlags::ROOT | PageFlags::LEAF);
        let mut leaf = PageBuf::new(spec.page_size, spec.root, spec.objid, flags);
        leaf.set_dbtime(spec.dbtime);
        // The smallest page has room for 2004 bytes; headers have 16 to 25.
        let _ = leaf.set_external_header(&vec![0; spec.root_header]);
        Self {
            spec,
            leaf,
            in_root: true,
            levels: Vec::new(),
            last_key: Vec::new(),
            last_data: Vec::new(),
            summary: TreeSummary {
                pages: 1,
                ..TreeSummary::default()
            },
        }
    }

    /// Number of nodes so far.
    #[must_use]
    pub const fn nodes(&self) -> u64 {
        self.summary.nodes
    }

    /// Adds a node after all others. `flags` are [`NodeFlags`] bits; the prefix flag is set here.
    ///
    /// # Errors
    /// [`TreeError`] when the node is out of order, has no key or data, or does not fit.
    pub fn push<S: TreeStore>(
        &mut self,
        store: &mut S,
        key: &[u8],
        data: &[u8],
        flags: NodeFlags,
    ) -> Result<(), TreeError<S::Error>> {
        self.check(key, data)?;
        if self.in_root && !self.push_to_root(key, data, flags) {
            self.leave_root(store)?;
        }
        if !self.in_root {
            self.push_to_leaf(store, key, data, flags)?;
        }
        key.clone_into(&mut self.last_key);
        if self.non_unique() {
            data.clone_into(&mut self.last_data);
        }
        self.summary.nodes += 1;
        Ok(())
    }

    /// Writes all open pages but the root.
    ///
    /// # Errors
    /// [`TreeError::Store`].
    pub fn finish<S: TreeStore>(
        mut self,
        store: &mut S,
    ) -> Result<FinishedTree, TreeError<S::Error>> {
        if self.in_root {
            self.summary.depth = 1;
            return Ok(FinishedTree {
                root: self.leaf,
                summary: self.summary,
            });
        }
        let leaf = self.leaf.clone();
        self.put(store, leaf.pgno(), leaf)?;
        self.add_child(store, 0, Vec::new(), self.leaf.pgno())?;
        let mut level = 0;
        loop {
            let is_top = level + 1 == self.levels.len();
            if is_top && let Some(root) = self.internal_root(level) {
                self.summary.depth = level + 2;
                return Ok(FinishedTree {
                    root,
                    summary: self.summary,
                });
            }
            self.close_level(store, level)?;
            level += 1;
        }
    }

    fn non_unique(&self) -> bool {
        self.spec.flags.any(PageFlags::NON_UNIQUE)
    }

    fn check<E>(&self, key: &[u8], data: &[u8]) -> Result<(), TreeError<E>> {
        let node = self.summary.nodes;
        if key.is_empty() {
            return Err(TreeError::EmptyKey { node });
        }
        if data.is_empty() {
            return Err(TreeError::NoData { node });
        }
        if key.len() > MAX_KEY {
            let bytes = key.len() + data.len();
            return Err(TreeError::TooLarge { node, bytes });
        }
        let rises = if self.non_unique() {
            (key, data) > (&self.last_key, &self.last_data)
        } else {
            key > &self.last_key[..]
        };
        if rises || node == 0 {
            Ok(())
        } else {
            Err(TreeError::OutOfOrder { node })
        }
    }

    /// True while the node fits into the root, which has no prefix. [format notes 2.6]
    fn push_to_root(&mut self, key: &[u8], data: &[u8], flags: NodeFlags) -> bool {
        let need = TAG_BYTES + COUNT_BYTES + key.len() + data.len();
        let is_first = self.leaf.view().node_count() == 0;
        (is_first || self.within_density(need)) && push(&mut self.leaf, 0, key, data, flags)
    }

    /// Moves the root's nodes to the first leaf proper.
    fn leave_root<S: TreeStore>(&mut self, store: &mut S) -> Result<(), TreeError<S::Error>> {
        self.in_root = false;
        let old = self.leaf.clone();
        let first = store.allocate()?;
        let first_key = old.view().node(0).map_or(&[][..], |node| node.suffix);
        self.leaf = self.new_leaf(first, first_key);
        for node in old.view().nodes().flatten() {
            self.push_to_leaf(store, node.suffix, node.data, node.flags)?;
            node.suffix.clone_into(&mut self.last_key);
            node.data.clone_into(&mut self.last_data);
        }
        Ok(())
    }

    fn new_leaf(&mut self, pgno: Pgno, prefix: &[u8]) -> PageBuf {
        let flags = with(self.spec.flags, PageFlags::LEAF);
        let mut page = PageBuf::new(self.spec.page_size, pgno, self.spec.objid, flags);
        page.set_dbtime(self.spec.dbtime);
        if prefix.len() >= MIN_PREFIX {
            // A prefix that does not fit is done without.
            let _ = page.set_external_header(prefix);
        }
        self.summary.pages += 1;
        page
    }

    fn within_density(&self, need: usize) -> bool {
        let room = self.leaf.view().room();
        let keep = room * (100 - usize::from(self.spec.density.clamp(1, 100))) / 100;
        self.leaf.free() >= need + keep
    }

    fn push_to_leaf<S: TreeStore>(
        &mut self,
        store: &mut S,
        key: &[u8],
        data: &[u8],
        flags: NodeFlags,
    ) -> Result<(), TreeError<S::Error>> {
        let shared = shared_prefix(self.leaf.view().external_header(), key);
        let counts = if shared > 0 { 2 } else { 1 } * COUNT_BYTES;
        let need = TAG_BYTES + counts + key.len() - shared + data.len();
        let fits = if self.leaf.view().node_count() == 0 {
            need <= self.leaf.free()
        } else {
            self.within_density(need)
        };
        if fits && push(&mut self.leaf, shared, key, data, flags) {
            return Ok(());
        }
        if self.leaf.view().node_count() > 0 {
            self.next_leaf(store, key, data)?;
            let shared = shared_prefix(self.leaf.view().external_header(), key);
            if push(&mut self.leaf, shared, key, data, flags) {
                return Ok(());
            }
        }
        // Key and prefix together may be too much for a page that the node alone fits into.
        let _ = self.leaf.set_external_header(&[]);
        if push(&mut self.leaf, 0, key, data, flags) {
            return Ok(());
        }
        Err(TreeError::TooLarge {
            node: self.summary.nodes,
            bytes: key.len() + data.len(),
        })
    }

    /// Writes the open leaf and opens the one that begins with `key`.
    fn next_leaf<S: TreeStore>(
        &mut self,
        store: &mut S,
        key: &[u8],
        data: &[u8],
    ) -> Result<(), TreeError<S::Error>> {
        let next = store.allocate()?;
        let mut page = self.new_leaf(next, key);
        page.set_prev(self.leaf.pgno());
        let mut full = std::mem::replace(&mut self.leaf, page);
        full.set_next(next);
        let child = full.pgno();
        let separator = self.separator(key, data);
        self.put(store, child, full)?;
        self.add_child(store, 0, separator, child)
    }

    /// The shortest string above the last node and not above (`key`, `data`).
    /// [format notes 4.2, separators]
    fn separator(&self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let common = common_len(&self.last_key, key);
        if common < key.len() {
            return key[..=common].to_vec();
        }
        let common = common_len(&self.last_data, data);
        let data = &data[..data.len().min(common + 1)];
        [key, data].concat()
    }

    fn add_child<S: TreeStore>(
        &mut self,
        store: &mut S,
        level: usize,
        key: Vec<u8>,
        child: Pgno,
    ) -> Result<(), TreeError<S::Error>> {
        if level == self.levels.len() {
            self.levels.push(Level::default());
        }
        let room = self.spec.page_size.bytes() - self.spec.page_size.page_header() - TAG_BYTES;
        let full = {
            let open = &self.levels[level];
            open.used + open.cost(&key) > room && !open.nodes.is_empty()
        };
        if full {
            self.close_level(store, level)?;
        }
        let open = &mut self.levels[level];
        open.used += open.cost(&key);
        open.nodes.push((key, child));
        Ok(())
    }

    /// Writes the open page of a level and tells the level above.
    fn close_level<S: TreeStore>(
        &mut self,
        store: &mut S,
        level: usize,
    ) -> Result<(), TreeError<S::Error>> {
        let closed = std::mem::take(&mut self.levels[level]);
        let flags = with(self.spec.flags, level_flag(level));
        let pgno = store.allocate()?;
        let mut page = PageBuf::new(self.spec.page_size, pgno, self.spec.objid, flags);
        page.set_dbtime(self.spec.dbtime);
        let mut fits = page.set_external_header(closed.prefix()).is_ok();
        for (key, child) in &closed.nodes {
            let shared = shared_prefix(closed.prefix(), key);
            let child = child.get().to_le_bytes();
            fits &= push(&mut page, shared, key, &child, NodeFlags::default());
        }
        if !fits {
            let bytes = closed.used;
            let node = self.summary.nodes;
            return Err(TreeError::TooLarge { node, bytes });
        }
        self.summary.pages += 1;
        self.put(store, pgno, page)?;
        let key = closed.nodes.last().map_or_else(Vec::new, |n| n.0.clone());
        self.add_child(store, level + 1, key, pgno)
    }

    /// The nodes of the top level as the root, when they fit without a prefix.
    fn internal_root(&self, level: usize) -> Option<PageBuf> {
        let spec = &self.spec;
        let flags = with(spec.flags, PageFlags::ROOT | level_flag(level));
        let mut root = PageBuf::new(spec.page_size, spec.root, spec.objid, flags);
        root.set_dbtime(spec.dbtime);
        root.set_external_header(&vec![0; spec.root_header]).ok()?;
        for (key, child) in &self.levels[level].nodes {
            root.push_node(0, key, &child.get().to_le_bytes(), 0).ok()?;
        }
        Some(root)
    }

    fn put<S: TreeStore>(
        &self,
        store: &mut S,
        pgno: Pgno,
        page: PageBuf,
    ) -> Result<(), TreeError<S::Error>> {
        Ok(store.put(pgno, page.seal())?)
    }
}

impl Level {
    /// The prefix of the page to be: the first key, which the others mostly begin like.
    fn prefix(&self) -> &[u8] {
        self.nodes
            .first()
            .map(|node| &node.0[..])
            .filter(|key| key.len() >= MIN_PREFIX)
            .unwrap_or_default()
    }

    /// Bytes that one more node takes; the first also brings the prefix.
    fn cost(&self, key: &[u8]) -> usize {
        let plain = TAG_BYTES + COUNT_BYTES + CHILD_BYTES;
        if self.nodes.is_empty() {
            return plain + COUNT_BYTES + key.len();
        }
        match shared_prefix(self.prefix(), key) {
            0 => plain + key.len(),
            shared => plain + COUNT_BYTES + key.len() - shared,
        }
    }
}

fn push(page: &mut PageBuf, shared: usize, key: &[u8], data: &[u8], flags: NodeFlags) -> bool {
    page.push_node(shared, &key[shared..], data, flags.bits())
        .is_ok()
}

const fn with(flags: PageFlags, more: u32) -> PageFlags {
    PageFlags::new(flags.bits() | more)
}

const fn level_flag(level: usize) -> u32 {
    if level == 0 {
        PageFlags::PARENT_OF_LEAF
    } else {
        0
    }
}

fn common_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Bytes of `key` that the page prefix provides: none rather than fewer than three.
fn shared_prefix(prefix: &[u8], key: &[u8]) -> usize {
    Some(common_len(prefix, key))
        .filter(|len| *len >= MIN_PREFIX)
        .unwrap_or(0)
}
