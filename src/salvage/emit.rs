//! The last pass: the nodes in order, from leaves that follow one another and from leaves that are merged into them.

use std::cmp::{Ordering, Reverse};
use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::keys::{Range, SortKey, cmp_nodes};
use super::leaf::{LeafReader, Lines};
use super::plan::{Edge, Plan};
use super::reach::{Class, Extra, Rank, Source};
use super::report::{DropReason, Loss, LossCause, Refill, Taken, TakenHow, TreeReport};
use super::tree::SalvagedNode;
use crate::db::{PageBytes, ReadBuffer};
use crate::format::ids::Pgno;
use crate::format::page::{Node, NodeFlags, Page};
use crate::format::record::RecordLayout;

/// Bytes that are read at once where leaves lie side by side.
const RUN_BYTES: usize = 256 * 1024;
/// Leaves that are merged at one place at the most: 32 MiB on pages of 32 KiB.
const OPEN_MOST: usize = 1024;

type Visit<'v> = &'v mut dyn FnMut(&SalvagedNode<'_>) -> ControlFlow<()>;

/// A leaf whose nodes are being given.
struct Open {
    pgno: Pgno,
    bytes: Vec<u8>,
    order: Vec<u16>,
    at: usize,
    rank: Rank,
    /// What is told about it, and what it covers; `None` for a leaf in its place.
    extra: Option<Extra>,
    given: u32,
}

impl Open {
    fn page<'p>(&'p self, source: &Source<'_>) -> Option<Page<'p>> {
        Page::new(&self.bytes, source.db.page_size())
    }

    /// The next node; lines that cannot be read are not in the order.
    fn node<'p>(&'p self, source: &Source<'_>) -> Option<Node<'p>> {
        let line = *self.order.get(self.at)?;
        self.page(source)?.node(line.into()).ok()
    }

    /// True when no page that counts less can have the key of this node.
    fn covers(&self, node: &Node<'_>, non_unique: bool) -> bool {
        self.extra.as_ref().is_some_and(|extra| {
            extra.first.cmp_node(node, non_unique) != Ordering::Greater
                && !self.is_past(node, non_unique)
        })
    }

    /// True when it covers nothing at this node or behind it.
    fn is_past(&self, node: &Node<'_>, non_unique: bool) -> bool {
        self.extra.as_ref().is_none_or(|extra| {
            extra.last.cmp_node(node, non_unique) == Ordering::Less
                && extra
                    .cover_end
                    .as_ref()
                    .is_none_or(|end| end.cmp_node(node, non_unique) != Ordering::Greater)
        })
    }
}

/// The leaves that follow one another, some at a time.
struct InOrder {
    leaves: VecDeque<Pgno>,
    run: ReadBuffer,
    /// Pages of the run that were shown.
    taken: usize,
    ready: VecDeque<Pgno>,
}

struct Emitter<'s, 'v, 'r> {
    source: &'s Source<'s>,
    report: &'r mut TreeReport,
    visit: Visit<'v>,
    reader: LeafReader,
    key: Vec<u8>,
    ended: bool,
}

impl Source<'_> {
    /// Gives the nodes of a plan.
    pub fn emit(&self, mut plan: Plan, report: &mut TreeReport, visit: Visit<'_>) {
        let mut emitter = Emitter {
            source: self,
            report,
            visit,
            reader: LeafReader::default(),
            key: Vec::new(),
            ended: false,
        };
        let mut leaves = InOrder {
            leaves: std::mem::take(&mut plan.leaves).into(),
            run: ReadBuffer::default(),
            taken: 0,
            ready: VecDeque::new(),
        };
        if plan.extras.is_empty() {
            emitter.in_order(&mut leaves);
        } else {
            let Plan {
                extras,
                open,
                low_edge,
                high_edge,
                ..
            } = plan;
            let limits = Limits {
                open,
                low_edge,
                high_edge,
            };
            emitter.merge(&mut leaves, extras, &limits);
        }
    }
}

impl Emitter<'_, '_, '_> {
    fn non_unique(&self) -> bool {
        self.source.kind.is_non_unique()
    }

    fn in_order(&mut self, leaves: &mut InOrder) {
        while let Some(open) = self.next_leaf(leaves) {
            self.whole(&open);
            if self.ended {
                return;
            }
        }
    }

    /// The next leaf in its place; neighbours in the file are read with one call.
    fn next_leaf(&mut self, leaves: &mut InOrder) -> Option<Open> {
        let size = self.source.db.page_size().bytes();
        loop {
            if leaves.ready.is_empty() {
                let first = *leaves.leaves.front()?;
                let most = (RUN_BYTES / size).max(1);
                let follows = |(at, pgno): &(u32, &Pgno)| pgno.get() == first.get() + at;
                let count = (0u32..)
                    .zip(&leaves.leaves)
                    .take(most)
                    .take_while(follows)
                    .count();
                if self
                    .source
                    .db
                    .read_run(first, count, &mut leaves.run)
                    .is_err()
                {
                    // The disk fails now, after it had not: page by page.
                    leaves.run.resize(0);
                }
                leaves.ready = leaves.leaves.drain(..count).collect();
                leaves.taken = 0;
            }
            let pgno = leaves.ready.pop_front()?;
            let mut bytes = PageBytes::new(self.source.db.page_size());
            let read = if leaves.run.is_empty() {
                let read = self.source.db.read(pgno, &mut bytes).map(|_| ());
                read.map(|()| bytes.bytes().to_vec())
            } else {
                let at = leaves.taken * size;
                leaves.taken += 1;
                let mut page = leaves.run[at..at + size].to_vec();
                self.source.db.judge(pgno, &mut page).map(|bit| {
                    if let Some(bit) = bit {
                        self.report.correct(pgno, bit);
                    }
                    page
                })
            };
            match read {
                Ok(bytes) => return Some(self.open(pgno, bytes, None)),
                Err(_) => self.lost(pgno, LossCause::PageLost),
            }
        }
    }

    fn lost(&mut self, page: Pgno, cause: LossCause) {
        self.report.lose(Loss {
            page,
            cause,
            lower: Vec::new(),
            upper: Vec::new(),
            refill: Refill::Nothing,
        });
    }

    /// A leaf with its nodes in order; what is left out is reported.
    fn open(&mut self, pgno: Pgno, bytes: Vec<u8>, extra: Option<Extra>) -> Open {
        let source = self.source;
        let Lines {
            order,
            broken,
            doubles,
            unproved,
            sorted,
        } = match Page::new(&bytes, source.db.page_size()) {
            None => Lines::default(),
            Some(page) => match &extra {
                Some(extra) if extra.damaged => {
                    let range = extra.range.as_deref();
                    self.reader
                        .damaged(page, source.kind, range, source.options)
                }
                _ => self.reader.sound(page, source.kind, source.options),
            },
        };
        self.report.drop_nodes(pgno, broken, DropReason::Broken);
        self.report.drop_nodes(pgno, doubles, DropReason::Double);
        self.report.drop_nodes(pgno, unproved, DropReason::Unproved);
        self.report.sorted += u64::from(sorted);
        let rank = extra.as_ref().map(Extra::rank).unwrap_or_else(|| {
            let page = Page::new(&bytes, source.db.page_size());
            let dbtime = page.map(Page::dbtime).unwrap_or_default();
            (Class::Tree, Reverse(dbtime), Reverse(pgno))
        });
        Open {
            pgno,
            bytes,
            order,
            at: 0,
            rank,
            extra,
            given: 0,
        }
    }

    fn open_extra(&mut self, extra: Extra) -> Option<Open> {
        let mut bytes = PageBytes::new(self.source.db.page_size());
        let read = self.source.db.read(extra.pgno, &mut bytes).is_ok();
        if !read && !extra.damaged {
            self.lost(extra.pgno, LossCause::PageLost);
            return None;
        }
        if let Some(bit) = bytes.corrected().filter(|_| read) {
            self.report.correct(extra.pgno, bit);
        }
        Some(self.open(extra.pgno, bytes.bytes().to_vec(), Some(extra)))
    }

    fn merge(&mut self, leaves: &mut InOrder, extras: Vec<Extra>, limits: &Limits) {
        let non_unique = self.non_unique();
        let mut waiting = VecDeque::from(extras);
        let mut open: Vec<Open> = Vec::new();
        let mut placed = self.next_leaf(leaves);
        let mut last: Option<SortKey> = None;
        while !self.ended {
            while placed
                .as_ref()
                .is_some_and(|leaf| leaf.at >= leaf.order.len())
            {
                placed = self.next_leaf(leaves);
            }
            // Far from any damage leaves are given as they are.
            if open.is_empty()
                && let Some(leaf) = placed.take_if(|leaf| self.is_before(leaf, waiting.front()))
            {
                last = self.whole(&leaf).or(last);
                placed = self.next_leaf(leaves);
                continue;
            }
            let source = self.source;
            let nodes = open
                .iter()
                .chain(&placed)
                .filter_map(|leaf| leaf.node(source));
            let least = nodes.min_by(|a, b| cmp_nodes(a, b, non_unique));
            let opens = waiting.front().is_some_and(|extra| {
                least
                    .is_none_or(|node| extra.first.cmp_node(&node, non_unique) != Ordering::Greater)
            });
            if opens {
                let extra = waiting.pop_front();
                open.extend(extra.and_then(|extra| self.open_extra(extra)));
                self.limit(&mut open);
                continue;
            }
            let Some(least) = least else { break };
            let key = SortKey::of(&least, non_unique);
            self.step(&key, &mut open, placed.as_mut(), limits, &mut last);
            // A leaf stays while it covers something.
            let past = |leaf: &Open| {
                leaf.at >= leaf.order.len()
                    && leaf.extra.as_ref().is_none_or(|extra| {
                        let end = extra.cover_end.as_ref();
                        extra.last < key && end.is_none_or(|end| *end <= key)
                    })
            };
            for leaf in open.extract_if(.., |leaf| past(leaf)) {
                self.report_taken(&leaf);
            }
        }
        for leaf in &open {
            self.report_taken(leaf);
        }
    }

    /// True when all nodes of a leaf, of which none was given, come before the next that is to be merged.
    fn is_before(&self, leaf: &Open, next: Option<&Extra>) -> bool {
        let last = leaf.order.last();
        let node = last.and_then(|line| leaf.page(self.source)?.node((*line).into()).ok());
        leaf.at == 0
            && node.is_some_and(|node| {
                next.is_none_or(|extra| extra.first.cmp_node(&node, self.non_unique()).is_gt())
            })
    }

    /// Gives all nodes of a leaf; the place of the last.
    fn whole(&mut self, leaf: &Open) -> Option<SortKey> {
        let page = leaf.page(self.source)?;
        let mut last = None;
        for line in &leaf.order {
            let node = page.node((*line).into()).ok();
            if let Some(node) = node.filter(|_| !self.ended) {
                self.give(leaf.pgno, page, &node);
            }
            last = node.or(last);
        }
        last.map(|node| SortKey::of(&node, self.non_unique()))
    }

    /// Gives the node with this key of the leaf that counts most, if it may, and passes it on all of them.
    fn step(
        &mut self,
        key: &SortKey,
        open: &mut [Open],
        placed: Option<&mut Open>,
        limits: &Limits,
        last: &mut Option<SortKey>,
    ) {
        let (source, non_unique) = (self.source, self.non_unique());
        let mut all: Vec<&mut Open> = open.iter_mut().chain(placed).collect();
        let has = |leaf: &Open| {
            let node = leaf.node(source);
            node.is_some_and(|node| key.cmp_node(&node, non_unique) == Ordering::Equal)
        };
        let ranked = (0..all.len()).filter(|at| has(all[*at]));
        let Some(best) = ranked.min_by_key(|at| all[*at].rank) else {
            return;
        };
        let holders = (0..all.len()).filter(|at| has(all[*at])).count();
        self.report.superseded += holders as u64 - 1;
        let rank = all[best].rank;
        let admitted = match (all[best].node(source), all[best].page(source)) {
            (Some(node), Some(page)) => {
                let covered = all
                    .iter()
                    .any(|leaf| leaf.rank < rank && leaf.covers(&node, non_unique));
                let admitted = rank.0 <= Class::Linked || limits.allow(key, rank) && !covered;
                if !admitted {
                    self.report.superseded += 1;
                } else if last.as_ref().is_none_or(|last| last < key) {
                    self.give(all[best].pgno, page, &node);
                    *last = Some(key.clone());
                }
                admitted
            }
            _ => false,
        };
        all[best].given += u32::from(admitted);
        for leaf in &mut all {
            if has(leaf) {
                leaf.at += 1;
            }
        }
    }

    fn give(&mut self, pgno: Pgno, page: Page<'_>, node: &Node<'_>) {
        if node.flags.is_deleted() {
            self.report.deleted += 1;
            if !self.source.options.keep_deleted {
                return;
            }
        }
        node.key_into(&mut self.key);
        let salvaged = SalvagedNode {
            key: &self.key,
            data: node.data,
            flags: NodeFlags::new(node.flags.bits() & !NodeFlags::COMPRESSED),
            page: pgno,
            dbtime: page.dbtime(),
            layout: RecordLayout::of_page(page),
        };
        self.report.nodes += 1;
        self.ended = (self.visit)(&salvaged).is_break();
    }

    /// Holds no more leaves at once than memory is set aside for: what counts least goes.
    fn limit(&mut self, open: &mut Vec<Open>) {
        if open.len() <= OPEN_MOST {
            return;
        }
        let worst = (0..open.len()).max_by_key(|at| open[*at].rank);
        if let Some(leaf) = worst.map(|at| open.swap_remove(at)) {
            if leaf.at < leaf.order.len() {
                self.lost(leaf.pgno, LossCause::TooManyOverlap);
            }
            self.report_taken(&leaf);
        }
    }

    fn report_taken(&mut self, leaf: &Open) {
        let Some(extra) = &leaf.extra else { return };
        let how = match extra.class {
            Class::Tree if extra.foreign => TakenHow::WrongObject,
            Class::Tree if extra.newer => TakenHow::Newer,
            Class::Tree => TakenHow::OutOfPlace,
            Class::Linked => TakenHow::Linked,
            Class::Chained => TakenHow::Chained,
            Class::Alone => TakenHow::Alone,
        };
        if leaf.given == 0 {
            self.report.left_aside += u64::from(!extra.damaged && !extra.foreign);
            return;
        }
        self.report.take(Taken {
            page: leaf.pgno,
            how,
            damaged: extra.damaged,
            nodes: leaf.given,
        });
    }
}

/// Where leaves that nothing leads to may give nodes.
struct Limits {
    /// Ranges that rise.
    open: Vec<Range>,
    low_edge: Option<Edge>,
    high_edge: Option<Edge>,
}

impl Limits {
    fn allow(&self, key: &SortKey, rank: Rank) -> bool {
        let before = |edge: &Edge| edge.rank < rank && *key < edge.key;
        let behind = |edge: &Edge| edge.rank < rank && *key > edge.key;
        if self.low_edge.as_ref().is_some_and(before) || self.high_edge.as_ref().is_some_and(behind)
        {
            return false;
        }
        let at = self
            .open
            .partition_point(|range| !range.upper.is_empty() && range.upper[..] <= *key.whole());
        self.open
            .get(at)
            .is_some_and(|range| range.holds(key.whole()))
    }
}
