//! Pass 4, long value trees: roots, chunks in order, sizes. (format notes 13.6 L1 to L11)
//!
//! A long value may span leaves, which are checked in parallel. Each leaf therefore hands on what it
//! could not decide alone ([`Span`]): chunks at its start that belong to a root further left, and the
//! long value that is still open at its end.

use std::sync::atomic::{AtomicU64, Ordering};

use super::context::{Context, Subject};
use super::entries::Tally;
use super::tree::Leaves;
use crate::format::compress;
use crate::format::ids::Pgno;
use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot};
use crate::format::page::{Node, Page};
use crate::problem::{Finding, Problem};

/// Reference count of a long value that is being deleted.
const DELETING: u32 = u32::MAX;

/// The checker of a long value tree's leaves.
pub(super) struct LongValues<'a, 'c> {
    pub context: &'a Context<'c>,
    pub subject: Subject<'a>,
    pub chunk: ChunkSize,
    /// Long values seen.
    pub count: AtomicU64,
    /// Reference counts of all roots, to be compared with the records' references.
    pub references: Tally,
}

/// A long value that is not complete where a leaf begins or ends.
#[derive(Debug, Clone, Copy)]
struct Open {
    lid: Lid,
    /// Bytes seen, or the offset at which chunks begin when the root lies further left.
    seen: u64,
    root: Option<LvRoot>,
    /// Where it was met.
    at: (Pgno, usize),
}

/// What a run of leaves leaves open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    /// Chunks before the first root: (long value, first offset, offset after the last, place).
    head: Option<(Lid, u64, u64, (Pgno, usize))>,
    /// The long value open at the end.
    tail: Option<Open>,
    /// A root was met, so head and tail are different long values.
    has_root: bool,
}

impl LongValues<'_, '_> {
    fn report(&self, at: (Pgno, usize), lid: Lid, what: &str) {
        let finding = Finding::new(Problem::LvCorrupted, self.subject.node(at.0, at.1));
        self.context
            .report(finding.with_detail(format!("corrupted LV({:#x}) ({what})", lid.get())));
    }

    fn node(&self, span: &mut Span, at: (Pgno, usize), node: &Node<'_>) {
        let key = match LvKey::of_node(node) {
            Ok(key) => key,
            Err(fault) => {
                let finding = Finding::new(Problem::LvCorrupted, self.subject.node(at.0, at.1));
                return self.context.report(finding.with_detail(fault.to_string()));
            }
        };
        match key.part {
            LvPart::Root => self.root(span, at, key.lid, node.data),
            LvPart::Chunk(offset) => self.chunk(span, at, key.lid, offset, node.data),
        }
    }

    fn root(&self, span: &mut Span, at: (Pgno, usize), lid: Lid, data: &[u8]) {
        self.close(span.tail.take());
        span.has_root = true;
        match LvRoot::parse(data) {
            Ok(root) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                if root.references != DELETING {
                    self.references.add(lid.get(), root.references.into());
                }
                span.tail = Some(Open {
                    lid,
                    seen: 0,
                    root: Some(root),
                    at,
                });
            }
            Err(fault) => self.report(at, lid, &fault.to_string()),
        }
    }

    fn chunk(&self, span: &mut Span, at: (Pgno, usize), lid: Lid, offset: u32, data: &[u8]) {
        let offset = u64::from(offset);
        if !offset.is_multiple_of(self.chunk.get().into()) {
            return self.report(at, lid, &format!("incorrect offset: offset is {offset}"));
        }
        if span.has_root {
            let Some(open) = &mut span.tail else {
                return self.report(at, lid, "chunk without root");
            };
            if open.lid != lid {
                let size = open.root.map_or(0, |root| root.size);
                let what = format!(
                    "lid changed to {:#x} without root, size is {size} bytes",
                    lid.get()
                );
                let before = open.lid;
                span.tail = None;
                return self.report(at, before, &what);
            }
            if let Some(root) = open.root {
                let seen = open.seen;
                open.seen = offset + self.represents(root, offset);
                self.judge_chunk(at, lid, root, (offset, seen), data);
            }
            return;
        }
        let end = offset + u64::from(self.chunk.get());
        match &mut span.head {
            None => span.head = Some((lid, offset, end, at)),
            Some((head, _, next, _)) if *head == lid && *next == offset => *next = end,
            Some((head, ..)) if *head != lid => {
                self.report(at, lid, "chunk without root");
            }
            Some((_, _, next, _)) => {
                let what = format!("missing chunk: offset is {offset}, saw {next} bytes");
                *next = end;
                self.report(at, lid, &what);
            }
        }
    }

    /// Bytes that the chunk at `offset` stands for.
    fn represents(&self, root: LvRoot, offset: u64) -> u64 {
        u64::from(root.size)
            .saturating_sub(offset)
            .min(self.chunk.get().into())
    }

    fn judge_chunk(
        &self,
        at: (Pgno, usize),
        lid: Lid,
        root: LvRoot,
        (offset, seen): (u64, u64),
        data: &[u8],
    ) {
        let dead = matches!(root.references, 0 | DELETING);
        if compress::is_scrubbed(data) && !root.encrypted {
            if dead {
                let place = self.subject.node(at.0, at.1);
                self.context
                    .report(Finding::new(Problem::LvScrubbed, place));
            } else {
                let what = format!(
                    "scrubbed data on referenced LV: references {},total size {} bytes, saw {seen} bytes",
                    root.references, root.size
                );
                self.report(at, lid, &what);
            }
            return;
        }
        if dead {
            return;
        }
        let size = u64::from(root.size);
        if offset != seen {
            let what = format!(
                "missing chunk: offset is {offset}, saw {seen} bytes, size is {size} bytes"
            );
            return self.report(at, lid, &what);
        }
        let expected = self.represents(root, offset);
        if expected == 0 {
            let what = format!(
                "LV too long: expected {size} bytes, saw {} bytes",
                offset + data.len() as u64
            );
            return self.report(at, lid, &what);
        }
        self.judge_length(at, lid, root, expected, data);
    }

    /// L11: a chunk shorter than what it stands for is compressed and says so.
    fn judge_length(&self, at: (Pgno, usize), lid: Lid, root: LvRoot, expected: u64, data: &[u8]) {
        let stored = data.len() as u64;
        let wrong = if root.encrypted {
            false
        } else if stored < expected {
            match compress::uncompressed_len(data) {
                Ok(Some(len)) => len as u64 != expected,
                Ok(None) => false,
                Err(_) => true,
            }
        } else {
            stored > expected
        };
        if wrong {
            self.report(
                at,
                lid,
                &format!("node is wrong size: node is {stored} bytes"),
            );
        }
    }

    /// L3: the long value that ends here must be complete.
    fn close(&self, open: Option<Open>) {
        let Some(Open {
            lid,
            seen,
            root: Some(root),
            at,
        }) = open
        else {
            return;
        };
        if seen < u64::from(root.size) && !matches!(root.references, 0 | DELETING) {
            let what = format!(
                "LV too short: expected {} bytes, saw {seen} bytes",
                root.size
            );
            self.report(at, lid, &what);
        }
    }

    /// Judges what is left open at both ends of the whole tree.
    pub fn finish(&self, span: Option<Span>) {
        let Some(span) = span else { return };
        if let Some((lid, _, _, at)) = span.head {
            self.report(at, lid, "chunk without root");
        }
        self.close(span.tail);
    }
}

impl Leaves for LongValues<'_, '_> {
    type Edge = Span;

    fn leaf(&self, pgno: Pgno, page: Page<'_>) -> Span {
        let mut span = Span::default();
        for (line, node) in page.nodes().enumerate() {
            if let Ok(node) = node
                && !node.flags.is_deleted()
            {
                self.node(&mut span, (pgno, line), &node);
            }
        }
        span
    }

    fn join(&self, left: Span, right: Span) -> Span {
        let mut tail = left.tail;
        let mut head = left.head;
        if let Some((lid, first, end, at)) = right.head {
            match (&mut tail, &mut head) {
                (Some(open), _) if left.has_root => {
                    if open.lid != lid {
                        let size = open.root.map_or(0, |root| root.size);
                        let what = format!(
                            "lid changed to {:#x} without root, size is {size} bytes",
                            lid.get()
                        );
                        self.report(at, open.lid, &what);
                        tail = None;
                    } else {
                        if first != open.seen {
                            let what = format!(
                                "missing chunk: offset is {first}, saw {} bytes",
                                open.seen
                            );
                            self.report(at, lid, &what);
                        }
                        let size = open.root.map_or(end, |root| u64::from(root.size));
                        let chunk = u64::from(self.chunk.get());
                        if end >= size.saturating_add(chunk) {
                            let what =
                                format!("LV too long: expected {size} bytes, saw {end} bytes");
                            self.report(at, lid, &what);
                        }
                        open.seen = end.min(size);
                    }
                }
                (None, _) if left.has_root => self.report(at, lid, "chunk without root"),
                (_, None) => head = Some((lid, first, end, at)),
                (_, Some((before, _, next, _))) => {
                    if *before != lid || *next != first {
                        self.report(at, lid, "chunk without root");
                    }
                    *next = end;
                }
            }
        }
        if right.has_root {
            self.close(tail);
            tail = right.tail;
        }
        Span {
            head,
            tail,
            has_root: left.has_root || right.has_root,
        }
    }
}
