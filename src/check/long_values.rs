//! Pass 4, long value trees: roots, chunks in order, sizes. (format notes 13.6 L1 to L11)
//!
//! A long value may span leaves, which are checked in parallel. Each leaf therefore hands on what it
//! could not decide alone ([`Span`]): chunks at its start that belong to a root further left, and the
//! long value that is still open at its end.

use std::sync::atomic::{AtomicU64, Ordering};

use super::context::{Context, Subject};
use super::tree::Leaves;
use crate::digest::Tally;
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

/// Chunks whose root lies further left.
#[derive(Debug, Clone, Copy)]
struct Head {
    lid: Lid,
    /// Offset of the first chunk.
    first: u64,
    /// Offset of the last chunk.
    last: u64,
    /// Length of the last chunk as it is stored.
    stored: u64,
    /// Its length as its compression header says.
    plain: Option<u64>,
    /// Where the last chunk is.
    at: (Pgno, usize),
}

/// What a run of leaves leaves open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    /// Chunks before the first root.
    head: Option<Head>,
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
        self.head_chunk(span, at, lid, offset, data);
    }

    /// A chunk whose root is on a leaf further left: what can be judged without it.
    fn head_chunk(&self, span: &mut Span, at: (Pgno, usize), lid: Lid, offset: u64, data: &[u8]) {
        let chunk = u64::from(self.chunk.get());
        let plain = compress::uncompressed_len(data)
            .ok()
            .flatten()
            .map(|len| len as u64);
        let here = Head {
            lid,
            first: offset,
            last: offset,
            stored: data.len() as u64,
            plain,
            at,
        };
        match &mut span.head {
            None => span.head = Some(here),
            Some(head) if head.lid != lid => self.report(at, lid, "chunk without root"),
            Some(head) => {
                let next = head.last + chunk;
                if next != offset {
                    let what = format!("missing chunk: offset is {offset}, saw {next} bytes");
                    self.report(at, lid, &what);
                } else if !stands_for(head, chunk) {
                    let what = format!("node is wrong size: node is {} bytes", head.stored);
                    self.report(head.at, lid, &what);
                }
                *head = Head {
                    first: head.first,
                    ..here
                };
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

    /// Chunks on the next leaf against the long value that is open; false when they are another's.
    fn continues(&self, open: &mut Open, found: &Head) -> bool {
        let Some(root) = open.root else { return false };
        let size = u64::from(root.size);
        if open.lid != found.lid {
            let other = found.lid.get();
            let what = format!("lid changed to {other:#x} without root, size is {size} bytes");
            self.report(found.at, open.lid, &what);
            return false;
        }
        let last = self.represents(root, found.last);
        if !matches!(root.references, 0 | DELETING) {
            if found.first != open.seen {
                let what = format!(
                    "missing chunk: offset is {}, saw {} bytes, size is {size} bytes",
                    found.first, open.seen
                );
                self.report(found.at, open.lid, &what);
            }
            if last == 0 {
                let what = format!(
                    "LV too long: expected {size} bytes, saw {} bytes",
                    found.last
                );
                self.report(found.at, open.lid, &what);
            } else if !root.encrypted && !stands_for(found, last) {
                let what = format!("node is wrong size: node is {} bytes", found.stored);
                self.report(found.at, open.lid, &what);
            }
        }
        open.seen = found.last + last;
        true
    }

    /// Judges what is left open at both ends of the whole tree.
    pub fn finish(&self, span: Option<Span>) {
        let Some(span) = span else { return };
        if let Some(head) = span.head {
            self.report(head.at, head.lid, "chunk without root");
        }
        self.close(span.tail);
    }
}

/// True when the last chunk can stand for `expected` bytes: raw, or compressed from so many. A scheme
/// that does not tell the length proves nothing.
fn stands_for(head: &Head, expected: u64) -> bool {
    head.stored == expected
        || head.stored < expected && head.plain.is_none_or(|plain| plain == expected)
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
        if let Some(found) = right.head {
            match (&mut tail, &mut head) {
                (Some(open), _) if left.has_root => {
                    if !self.continues(open, &found) {
                        tail = None;
                    }
                }
                (None, _) if left.has_root => {
                    self.report(found.at, found.lid, "chunk without root")
                }
                (_, None) => head = Some(found),
                (_, Some(before)) => {
                    let chunk = u64::from(self.chunk.get());
                    if before.lid != found.lid || before.last + chunk != found.first {
                        self.report(found.at, found.lid, "chunk without root");
                    } else if !stands_for(before, chunk) {
                        let what = format!("node is wrong size: node is {} bytes", before.stored);
                        self.report(before.at, before.lid, &what);
                    }
                    *before = Head {
                        first: before.first,
                        ..found
                    };
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
