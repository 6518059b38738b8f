//! Pass 4, the shape of a tree: levels, bounds, order, links, owners. (format notes 4, 13.5 B1 to B27)
//!
//! Children of an internal page are checked in parallel, each against the two keys of its parent
//! that bound it. What a subtree leaves for its neighbours is small ([`Edge`]): the outermost leaves
//! with their links, its depth, and what the leaf check wants to pass on.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering as AtomicOrdering};

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::bounds::{Bounds, Children, cmp_separator};
use super::context::{Context, Subject};
use super::owners::Owners;
use crate::db::{PageBytes, ReadBuffer};
use crate::format::ids::Pgno;
use crate::format::page::{CheckScratch, Page, PageFlags};
use crate::problem::{Finding, Place, Problem};
use crate::tree::walk::{MAX_DEPTH, child_of};

/// What is known of a tree before it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeSpec<'a> {
    pub subject: Subject<'a>,
    pub root: Pgno,
    /// Flags that every page must carry: space tree, index, long value.
    pub kind: u32,
    /// Keys may repeat; their data then rise.
    pub non_unique: bool,
}

/// Flags that tell kinds of trees apart. [format notes 2.2]
pub(super) const KIND_FLAGS: u32 =
    PageFlags::SPACE_TREE | PageFlags::INDEX | PageFlags::LONG_VALUE | PageFlags::SLV;

/// What is done with the leaves of a tree.
pub(super) trait Leaves: Sync {
    /// What one leaf leaves for its right neighbour; joined in key order.
    type Edge: Send;

    /// Checks the content of a leaf whose structure and order are sound.
    fn leaf(&self, pgno: Pgno, page: Page<'_>) -> Self::Edge;

    /// Joins two neighbours.
    fn join(&self, left: Self::Edge, right: Self::Edge) -> Self::Edge;
}

/// The outer leaves of a subtree, each with its outward link; `None` where the outer leaf could not
/// be read, so that its neighbour has nothing to be compared with.
struct Edge<E> {
    first: Option<(Pgno, Pgno)>,
    last: Option<(Pgno, Pgno)>,
    depth: usize,
    inner: E,
}

/// Bytes of neighbouring leaves that are read at once.
const RUN_BYTES: usize = 256 * 1024;

thread_local! {
    static RUN: RefCell<(ReadBuffer, CheckScratch)> = RefCell::default();
    static BUFFERS: RefCell<Option<(PageBytes, CheckScratch)>> = const { RefCell::new(None) };
}

/// What the check of a tree gives.
pub(super) struct Checked<E> {
    /// What its leaves left, if any leaf could be checked.
    pub edge: Option<E>,
    /// Every page of the tree could be checked: what was counted on the leaves is all there is.
    pub whole: bool,
}

/// Checks a tree.
pub(super) fn check<L: Leaves>(
    context: &Context<'_>,
    owners: &Owners,
    spec: &TreeSpec<'_>,
    leaves: &L,
) -> Checked<L::Edge> {
    let whole = AtomicBool::new(true);
    let walk = Walk {
        context,
        owners,
        spec,
        leaves,
        whole: &whole,
    };
    let bounds = Bounds {
        lower: &[],
        upper: &[],
        parent: Pgno::NULL,
        line: 0,
        depth: 0,
        leaf_expected: None,
    };
    let edge = walk.subtree(spec.root, bounds);
    let ends = edge
        .iter()
        .flat_map(|edge| [edge.first, edge.last])
        .flatten();
    for (pgno, link) in ends {
        if !link.is_null() {
            walk.report(
                Problem::TreeLinks,
                pgno,
                format!("page {pgno}: corrupt leaf links"),
            );
        }
    }
    Checked {
        edge: edge.map(|edge| edge.inner),
        whole: whole.into_inner(),
    }
}

struct Walk<'a, 'c, L> {
    context: &'a Context<'c>,
    owners: &'a Owners,
    spec: &'a TreeSpec<'a>,
    leaves: &'a L,
    whole: &'a AtomicBool,
}

impl<L: Leaves> Walk<'_, '_, L> {
    fn report(&self, problem: Problem, pgno: Pgno, detail: String) {
        let finding = Finding::new(problem, self.spec.subject.page(pgno));
        self.context.report(finding.with_detail(detail));
    }

    fn report_at(&self, problem: Problem, place: Place, detail: String) {
        self.context
            .report(Finding::new(problem, place).with_detail(detail));
    }

    fn subtree(&self, pgno: Pgno, bounds: Bounds<'_>) -> Option<Edge<L::Edge>> {
        let edge = self.descend(pgno, bounds);
        if edge.is_none() {
            self.whole.store(false, AtomicOrdering::Relaxed);
        }
        edge
    }

    fn descend(&self, pgno: Pgno, bounds: Bounds<'_>) -> Option<Edge<L::Edge>> {
        if bounds.depth >= MAX_DEPTH {
            let detail = format!("page {pgno}: tree is deeper than {MAX_DEPTH} levels");
            self.report(Problem::TreeShape, pgno, detail);
            return None;
        }
        self.context.advance(1);
        // A leaf needs its buffer only while it is looked at; an internal page keeps one while its
        // children are.
        let (mut buffer, mut scratch) = BUFFERS
            .take()
            .filter(|(bytes, _)| bytes.page().size() == self.context.db.page_size())
            .unwrap_or_else(|| {
                (
                    PageBytes::new(self.context.db.page_size()),
                    CheckScratch::default(),
                )
            });
        let outcome = match self.context.read(pgno, &self.spec.subject, &mut buffer) {
            None => None,
            Some(page) => self.visit(pgno, page, bounds, &mut scratch),
        };
        let edge = match outcome {
            None => None,
            Some(Visited::Leaf(edge)) => Some(edge),
            Some(Visited::Internal) => {
                let edge = self.children(pgno, buffer.page(), bounds);
                BUFFERS.set(Some((buffer, scratch)));
                return edge;
            }
        };
        BUFFERS.set(Some((buffer, scratch)));
        edge
    }

    fn visit(
        &self,
        pgno: Pgno,
        page: Page<'_>,
        bounds: Bounds<'_>,
        scratch: &mut CheckScratch,
    ) -> Option<Visited<L::Edge>> {
        if !self.page_belongs(pgno, page, bounds) {
            return None;
        }
        if let Err(fault) = page.check_structure(self.spec.non_unique, scratch) {
            self.report(
                Problem::PageStructure,
                pgno,
                format!("page ({pgno}): {fault}"),
            );
            return None;
        }
        if page.flags().is_empty() {
            self.report(
                Problem::TreeEmptyPage,
                pgno,
                format!("page {pgno}: page is no longer in use"),
            );
            return None;
        }
        if !self.level_fits(pgno, page, bounds) {
            return None;
        }
        if !page.flags().is_leaf() {
            return self
                .internal_page(pgno, page, bounds)
                .then_some(Visited::Internal);
        }
        if !self.leaf_page(pgno, page, bounds) {
            return None;
        }
        Some(Visited::Leaf(Edge {
            first: Some((pgno, page.prev())),
            last: Some((pgno, page.next())),
            depth: 0,
            inner: self.leaves.leaf(pgno, page),
        }))
    }

    /// B1, B3 to B6.
    fn page_belongs(&self, pgno: Pgno, page: Page<'_>, bounds: Bounds<'_>) -> bool {
        let spec = self.spec;
        let objid = spec.subject.objid;
        if page.objid() != objid {
            let detail = format!(
                "page {pgno}: page belongs to different tree (objid is {}, should be {objid})",
                page.objid()
            );
            self.report(Problem::TreeWrongObject, pgno, detail);
            return false;
        }
        if self.owners.has(pgno) && !self.owners.visit(pgno) {
            let (parent, line) = (bounds.parent, bounds.line);
            let detail = format!("node [{parent}:{line}]: page {pgno} is referred to twice");
            self.report(Problem::TreeVisitedTwice, pgno, detail);
            return false;
        }
        let flags = page.flags();
        // A former root that a repair put under a new one keeps its flag. [verified: r-nologs]
        if bounds.depth == 0 && !flags.is_root() {
            let detail = format!("page {pgno}: pgnoRoot is not a root page");
            self.report(Problem::TreeFlags, pgno, detail);
            return false;
        }
        if flags.bits() & KIND_FLAGS != spec.kind {
            let detail = format!(
                "page {pgno}: page flag mismatch with FDP (current flags: {:#x}, FDP flags {:#x})",
                flags.bits(),
                spec.kind
            );
            self.report(Problem::TreeFlags, pgno, detail);
            return false;
        }
        self.dbtime(pgno, page);
        self.owner(pgno);
        true
    }

    /// B5. A dirty database's pages may be ahead of its header.
    fn dbtime(&self, pgno: Pgno, page: Page<'_>) {
        let header = self.context.db.header();
        let clean = header.db_state() == crate::format::dbheader::DbState::CleanShutdown;
        let dbtime = page.dbtime();
        if clean && !dbtime.is_special() && dbtime > header.dbtime {
            let detail = format!(
                "page {pgno}: dbtime is larger than database dbtime ({:#x}, {:#x})",
                dbtime.get(),
                header.dbtime.get()
            );
            self.report(Problem::TreeDbtime, pgno, detail);
        }
    }

    /// B6. Without complete space trees a missing owner proves nothing.
    fn owner(&self, pgno: Pgno) {
        let (objid, owner) = (self.spec.subject.objid, self.owners.owner(pgno));
        if self.owners.is_complete() && owner != objid {
            let detail = format!(
                "page {pgno}: space allocation error. page is owned by objid {owner}, expecting {objid}"
            );
            self.report(Problem::SpaceOwned, pgno, detail);
        } else if self.owners.is_available(pgno) {
            let detail =
                format!("page {pgno}: space allocation error. page is available to objid {owner}");
            self.report(Problem::SpaceAvailable, pgno, detail);
        }
    }

    /// B8.
    fn level_fits(&self, pgno: Pgno, page: Page<'_>, bounds: Bounds<'_>) -> bool {
        let leaf = page.flags().is_leaf();
        match bounds.leaf_expected {
            Some(expected) if expected != leaf => {
                let detail = if leaf {
                    format!(
                        "page {}: child ({pgno}) is a leaf page but parent is not parent-of-leaf",
                        bounds.parent
                    )
                } else {
                    format!(
                        "page {}: child ({pgno}) is not a leaf page but parent is parent-of-leaf",
                        bounds.parent
                    )
                };
                self.report(Problem::TreeShape, pgno, detail);
                false
            }
            _ => true,
        }
    }

    /// B10, B14 to B22: an internal page's nodes, and its last key against its parent's.
    fn internal_page(&self, pgno: Pgno, page: Page<'_>, bounds: Bounds<'_>) -> bool {
        let count = page.node_count();
        if count == 0 {
            self.report(
                Problem::TreeNode,
                pgno,
                format!("page {pgno}: empty internal page"),
            );
            return false;
        }
        if !page.next().is_null() || !page.prev().is_null() {
            let other = if page.next().is_null() {
                page.prev()
            } else {
                page.next()
            };
            self.report(
                Problem::TreeLinks,
                pgno,
                format!("page {pgno}: pgno next is non-NULL ({other})"),
            );
        }
        for (line, node) in page.nodes().enumerate() {
            let Ok(node) = node else { return false };
            let fault = if node.flags.is_illegal_on_internal() {
                "versioned or deleted node on internal page"
            } else if child_of(&node).is_none() {
                "bad internal data size"
            } else if node.key_len() == 0 && line + 1 < count {
                "NULL key is not last key in page"
            } else if node.flags.is_compressed() && node.prefix.len() == 1 {
                "incorrectly compressed key"
            } else {
                continue;
            };
            let place = self.spec.subject.node(pgno, line);
            self.report_at(
                Problem::TreeNode,
                place,
                format!("node [{pgno}:{line}]: {fault}"),
            );
            return false;
        }
        self.internal_bounds(pgno, page, bounds)
    }

    fn internal_bounds(&self, pgno: Pgno, page: Page<'_>, bounds: Bounds<'_>) -> bool {
        let (Ok(first), Ok(last)) = (page.node(0), page.node(page.node_count() - 1)) else {
            return false;
        };
        // T2: the last key is the parent's, byte for byte; both are empty at the right edge.
        if last.cmp_key_to(bounds.upper) != Ordering::Equal {
            self.report(
                Problem::TreeOrder,
                pgno,
                format!("page {pgno}: bad page pointer to internal page"),
            );
            return false;
        }
        if first.key_len() > 0
            && first.cmp_key_to(bounds.lower) != Ordering::Greater
            && !bounds.lower.is_empty()
        {
            let detail = format!("page {pgno}: prev parent pointer > first node on internal page");
            self.report(Problem::TreeOrder, pgno, detail);
            return false;
        }
        true
    }

    /// B20 to B27 of one leaf.
    fn leaf_page(&self, pgno: Pgno, page: Page<'_>, bounds: Bounds<'_>) -> bool {
        let count = page.node_count();
        if count == 0 {
            if bounds.depth > 0 {
                self.report(
                    Problem::TreeEmptyPage,
                    pgno,
                    format!("page {pgno}: empty leaf page (non-root)"),
                );
            }
            return bounds.depth == 0;
        }
        let (Ok(first), Ok(last)) = (page.node(0), page.node(count - 1)) else {
            return false;
        };
        let whole = self.spec.non_unique;
        if !bounds.lower.is_empty() && cmp_separator(&first, bounds.lower, whole) == Ordering::Less
        {
            let detail = format!("page {pgno}: prev parent pointer > first node on leaf page");
            self.report(Problem::TreeOrder, pgno, detail);
            return false;
        }
        if !bounds.upper.is_empty() && cmp_separator(&last, bounds.upper, whole) != Ordering::Less {
            self.report(
                Problem::TreeOrder,
                pgno,
                format!("page {pgno}: bad page pointer to leaf page"),
            );
            return false;
        }
        self.leaf_end(pgno, page, bounds)
    }

    /// T4: the right edge, and only it, has no right neighbour.
    fn leaf_end(&self, pgno: Pgno, page: Page<'_>, bounds: Bounds<'_>) -> bool {
        let detail = match (bounds.upper.is_empty(), page.next().is_null()) {
            (false, true) => {
                format!("page {pgno}: non-NULL page pointer to leaf page with no pgnoNext")
            }
            (true, false) => format!("page {pgno}: NULL page pointer to leaf page with pgnoNext"),
            _ => return true,
        };
        self.report(Problem::TreeLinks, pgno, detail);
        // The content can still be judged.
        true
    }

    fn children(&self, pgno: Pgno, page: Page<'_>, bounds: Bounds<'_>) -> Option<Edge<L::Edge>> {
        let parent_of_leaf = page.flags().any(PageFlags::PARENT_OF_LEAF);
        let nodes = page.nodes().flatten();
        let children = Children {
            parent: pgno,
            parent_of_leaf,
            depth: bounds.depth + 1,
            lower: bounds.lower,
            list: nodes
                .filter_map(|node| Some((child_of(&node)?, node.key())))
                .collect(),
        };
        let edges: Vec<Option<Edge<L::Edge>>> = if parent_of_leaf {
            let most = (RUN_BYTES / page.size().bytes()).max(1);
            let runs = children.runs(most);
            let leaves = runs
                .into_par_iter()
                .map(|run| self.leaf_run(&children, run));
            leaves.collect::<Vec<_>>().into_iter().flatten().collect()
        } else {
            let lines = (0..children.list.len()).into_par_iter();
            let edge = |line: usize| self.subtree(children.list[line].0, children.bounds(line));
            lines.with_max_len(1).map(edge).collect()
        };
        self.join(pgno, edges)
    }

    /// Leaves that lie side by side in the file are read with one call.
    fn leaf_run(&self, children: &Children<'_>, run: Range<usize>) -> Vec<Option<Edge<L::Edge>>> {
        let size = self.context.db.page_size().bytes();
        let (mut bytes, mut scratch) = RUN.take();
        let first = children.list[run.start].0;
        let read = self.context.db.read_run(first, run.len(), &mut bytes);
        let edges = if read.is_ok() && children.depth < MAX_DEPTH {
            let pages = run.zip(bytes.chunks_exact_mut(size));
            let leaf = |(line, page)| self.leaf_here(children, line, page, &mut scratch);
            pages.map(leaf).collect()
        } else {
            run.map(|line| self.subtree(children.list[line].0, children.bounds(line)))
                .collect()
        };
        RUN.set((bytes, scratch));
        edges
    }

    fn leaf_here(
        &self,
        children: &Children<'_>,
        line: usize,
        bytes: &mut [u8],
        scratch: &mut CheckScratch,
    ) -> Option<Edge<L::Edge>> {
        self.context.advance(1);
        let pgno = children.list[line].0;
        let page = self.context.judge(pgno, &self.spec.subject, bytes);
        let visited = page.and_then(|page| self.visit(pgno, page, children.bounds(line), scratch));
        match visited {
            Some(Visited::Leaf(edge)) => Some(edge),
            // An internal page below a parent of leaves was reported as such.
            Some(Visited::Internal) | None => {
                self.whole.store(false, AtomicOrdering::Relaxed);
                None
            }
        }
    }

    /// Puts neighbours together; links are compared only where both are there.
    fn join(&self, pgno: Pgno, edges: Vec<Option<Edge<L::Edge>>>) -> Option<Edge<L::Edge>> {
        let mut joined: Option<Edge<L::Edge>> = None;
        let mut gap = false;
        for edge in edges {
            let Some(mut right) = edge else {
                gap = true;
                if let Some(left) = &mut joined {
                    left.last = None;
                }
                continue;
            };
            if std::mem::take(&mut gap) {
                right.first = None;
            }
            joined = Some(match joined.take() {
                None => right,
                Some(left) => self.neighbours(pgno, left, right),
            });
        }
        let mut joined = joined?;
        joined.depth += 1;
        Some(joined)
    }

    fn neighbours(&self, pgno: Pgno, left: Edge<L::Edge>, right: Edge<L::Edge>) -> Edge<L::Edge> {
        if left.depth != right.depth {
            self.report(
                Problem::TreeShape,
                pgno,
                format!("page {pgno}: b-tree depth different"),
            );
        }
        if let (Some((left_leaf, next)), Some((right_leaf, prev))) = (left.last, right.first)
            && (next != right_leaf || prev != left_leaf)
        {
            let at = if next == right_leaf {
                right_leaf
            } else {
                left_leaf
            };
            self.report(
                Problem::TreeLinks,
                at,
                format!("page {at}: bad leaf page links"),
            );
        }
        Edge {
            first: left.first,
            last: right.last,
            depth: left.depth,
            inner: self.leaves.join(left.inner, right.inner),
        }
    }
}

enum Visited<E> {
    Leaf(Edge<E>),
    Internal,
}
