//! What the pages of a tree look like: how full, how many nodes of what size, in what order on the
//! disk, and for long values how they lie in chunks. [engine]

use serde::Serialize;

use super::spread::{Histogram, Spread};
use crate::db::PageBytes;
use crate::format::ids::Pgno;
use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot, append_chunk};
use crate::format::page::{Node, Page, PageFlags};
use crate::jet::JetError;
use crate::ops::engine_read::{Reader, Step, Stop};
use crate::tree::walk::{MAX_DEPTH, child_of};

/// Bounds of the numbers of nodes on a page.
const NODES: [u64; 14] = [1, 2, 3, 4, 8, 16, 32, 64, 96, 128, 256, 512, 1024, u64::MAX];
/// Bounds of the lengths of runs, in pages.
const RUNS: [u64; 11] = [1, 2, 3, 4, 8, 16, 32, 64, 96, 128, u64::MAX];
/// Bounds of the sizes of long values, in bytes: 4 KiB and its doubles.
const SIZES: [u64; 11] = [
    1 << 12,
    1 << 13,
    1 << 14,
    1 << 15,
    1 << 16,
    1 << 17,
    1 << 18,
    1 << 19,
    1 << 20,
    1 << 21,
    u64::MAX,
];
/// Bounds of the ratio of compressed to whole size, in percent.
const RATIOS: [u64; 11] = [30, 40, 50, 60, 70, 80, 90, 93, 95, 97, 100];
/// What a node takes beside its key and data. [engine: the size of a tag]
const NODE_OVERHEAD: usize = 4;

/// Pages of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageShape {
    /// Free bytes of each page.
    pub free_bytes: Spread,
    /// Nodes of each page, deleted ones too.
    pub nodes: Spread,
    /// The same as a histogram.
    #[serde(skip)]
    pub nodes_histogram: Histogram<14>,
    /// Bytes of each key, prefix included.
    pub key_bytes: Spread,
    /// Bytes of the prefix of each compressed key.
    pub prefix_bytes: Spread,
    /// Bytes of each node's data.
    pub data_bytes: Spread,
    /// Bytes behind each reserved tag but the external header.
    pub reserved_tag_bytes: Spread,
    /// Bytes that each deleted node still takes.
    pub deleted_bytes: Spread,
    /// Nodes that are marked as versioned.
    pub versioned: u64,
}

impl PageShape {
    const fn new() -> Self {
        const NONE: Spread = Spread::none();
        Self {
            free_bytes: NONE,
            nodes: NONE,
            nodes_histogram: Histogram::new(NODES),
            key_bytes: NONE,
            prefix_bytes: NONE,
            data_bytes: NONE,
            reserved_tag_bytes: NONE,
            deleted_bytes: NONE,
            versioned: 0,
        }
    }

    fn page(&mut self, page: Page<'_>) {
        let nodes = page.node_count() as u64;
        self.free_bytes.add(page.free() as u64);
        self.nodes.add(nodes);
        self.nodes_histogram.add(nodes);
        for itag in 1..page.reserved_tags() {
            let bytes = page.line(itag).map_or(0, <[u8]>::len);
            self.reserved_tag_bytes.add(bytes as u64);
        }
    }

    fn node(&mut self, node: &Node<'_>) {
        self.key_bytes.add(node.key_len() as u64);
        self.data_bytes.add(node.data.len() as u64);
        if node.flags.is_compressed() {
            self.prefix_bytes.add(node.prefix.len() as u64);
        }
        if node.flags.is_deleted() {
            let bytes = NODE_OVERHEAD + node.key_len() + node.data.len();
            self.deleted_bytes.add(bytes as u64);
        }
        self.versioned += u64::from(node.flags.is_versioned());
    }
}

/// Runs of leaves that follow each other on the disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeafRuns {
    /// Pages of each run.
    pub pages: Spread,
    /// The same as a histogram.
    #[serde(skip)]
    pub histogram: Histogram<11>,
    /// How often one reads the file from lower to higher pages to read the tree in order.
    pub forward_scans: u64,
    #[serde(skip)]
    last: Pgno,
    #[serde(skip)]
    open: u64,
}

impl LeafRuns {
    const fn new() -> Self {
        Self {
            pages: Spread::none(),
            histogram: Histogram::new(RUNS),
            forward_scans: 0,
            last: Pgno::NULL,
            open: 0,
        }
    }

    fn leaf(&mut self, pgno: Pgno) {
        self.forward_scans += u64::from(pgno < self.last);
        if self.last.next() != pgno {
            self.close();
        }
        self.open += 1;
        self.last = pgno;
    }

    fn close(&mut self) {
        if self.open > 0 {
            self.pages.add(self.open);
            self.histogram.add(self.open);
            self.open = 0;
        }
    }

    fn end(&mut self) {
        self.close();
        self.forward_scans += u64::from(self.pages.count > 0);
    }
}

/// The long values of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LongValues {
    /// Sum of their reference counts; those that are being deleted count for nothing.
    pub references: u64,
    /// Nodes that do not fit what came before.
    pub corrupt: u64,
    /// Those whose root stands on another page than their first chunk.
    pub separated_roots: u64,
    /// Those that are being deleted.
    pub partly_deleted: u64,
    /// The highest id, deleted nodes included; 0 when there is none.
    pub highest: u64,
    /// Uncompressed bytes of a chunk.
    pub chunk: u32,
    /// Bytes of each whole value.
    pub bytes: Spread,
    /// The same as a histogram.
    #[serde(skip)]
    pub bytes_histogram: Histogram<11>,
    /// Bytes that each whole value takes as it is stored.
    pub stored_bytes: Spread,
    /// The same as a histogram.
    #[serde(skip)]
    pub stored_histogram: Histogram<11>,
    /// Stored bytes in percent of whole ones, as a histogram.
    #[serde(skip)]
    pub ratio_histogram: Histogram<11>,
    #[serde(skip)]
    current: Option<Current>,
    #[serde(skip)]
    buffer: Vec<u8>,
}

/// The long value whose chunks are expected next.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Current {
    lid: Lid,
    root: LvRoot,
    page: Pgno,
    bytes: u32,
    stored: u64,
}

impl LongValues {
    const fn new(chunk: ChunkSize) -> Self {
        Self {
            references: 0,
            corrupt: 0,
            separated_roots: 0,
            partly_deleted: 0,
            highest: 0,
            chunk: chunk.get(),
            bytes: Spread::none(),
            bytes_histogram: Histogram::new(SIZES),
            stored_bytes: Spread::none(),
            stored_histogram: Histogram::new(SIZES),
            ratio_histogram: Histogram::new(RATIOS),
            current: None,
            buffer: Vec::new(),
        }
    }

    fn node(&mut self, pgno: Pgno, node: &Node<'_>, chunk: ChunkSize) {
        let key = LvKey::of_node(node);
        if let Ok(key) = key {
            self.highest = self.highest.max(key.lid.get());
        }
        if node.flags.is_deleted() {
            return;
        }
        let fits = match key {
            Ok(LvKey {
                lid,
                part: LvPart::Root,
            }) => self.root(lid, pgno, node.data),
            Ok(LvKey {
                lid,
                part: LvPart::Chunk(offset),
            }) => self.chunk(lid, offset, pgno, node.data, chunk),
            Err(_) => None,
        };
        self.corrupt += u64::from(fits.is_none());
    }

    fn root(&mut self, lid: Lid, page: Pgno, data: &[u8]) -> Option<()> {
        let root = LvRoot::parse(data).ok()?;
        if root.references == LvRoot::BEING_DELETED {
            self.partly_deleted += 1;
        } else {
            self.references += u64::from(root.references);
        }
        self.current = Some(Current {
            lid,
            root,
            page,
            bytes: 0,
            stored: 0,
        });
        Some(())
    }

    fn chunk(
        &mut self,
        lid: Lid,
        offset: u32,
        page: Pgno,
        data: &[u8],
        chunk: ChunkSize,
    ) -> Option<()> {
        let current = self.current.as_mut().filter(|current| current.lid == lid)?;
        let deleting = current.root.references == LvRoot::BEING_DELETED;
        if offset != current.bytes && !deleting {
            return None;
        }
        let expected = current.root.chunk_len(current.bytes, chunk)?;
        if !current.root.encrypted && !deleting {
            self.buffer.clear();
            append_chunk(data, expected, &mut self.buffer).ok()?;
        }
        self.separated_roots += u64::from(page != current.page && current.stored == 0);
        current.bytes += expected as u32;
        current.stored += data.len() as u64;
        if current.bytes == current.root.size {
            let (whole, stored) = (u64::from(current.bytes), current.stored);
            self.bytes.add(whole);
            self.bytes_histogram.add(whole);
            self.stored_bytes.add(stored);
            self.stored_histogram.add(stored);
            self.ratio_histogram.add(stored * 100 / whole);
        }
        Some(())
    }
}

/// The shape of one tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TreeShape {
    /// Pages above the leaves.
    pub internal: PageShape,
    /// How the leaves lie on the disk.
    pub leaf_runs: LeafRuns,
    /// Leaves, where they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PageShape>,
    /// Long values, where the tree holds such and leaves were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_values: Option<LongValues>,
}

/// How much of each tree to look at for its shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShapeOf {
    /// Nothing.
    #[default]
    Nothing,
    /// The pages above the leaves, which tell where the leaves are.
    Internal,
    /// All pages.
    Everything,
}

impl TreeShape {
    /// Reads the tree at `root`; `chunk` says that it holds long values in chunks of that size.
    pub(super) fn read(
        reader: &Reader<'_>,
        root: Pgno,
        of: ShapeOf,
        chunk: Option<ChunkSize>,
    ) -> Step<Option<Box<Self>>> {
        let leaves = of == ShapeOf::Everything;
        if of == ShapeOf::Nothing {
            return Ok(None);
        }
        let mut walk = Walk {
            reader,
            leaves,
            chunk,
            left: reader.db.last_page().get(),
            spare: Vec::new(),
            shape: Box::new(Self {
                internal: PageShape::new(),
                leaf_runs: LeafRuns::new(),
                data: leaves.then(PageShape::new),
                long_values: chunk.filter(|_| leaves).map(LongValues::new),
            }),
        };
        walk.down(root, 1)?;
        walk.shape.leaf_runs.end();
        Ok(Some(walk.shape))
    }
}

struct Walk<'r> {
    reader: &'r Reader<'r>,
    leaves: bool,
    chunk: Option<ChunkSize>,
    /// Pages that may still be read; a tree that points into itself ends here.
    left: u32,
    /// Buffers of the levels, used again page after page.
    spare: Vec<PageBytes>,
    shape: Box<TreeShape>,
}

impl Walk<'_> {
    fn down(&mut self, pgno: Pgno, level: usize) -> Step<()> {
        let spare = self.spare.pop();
        let mut bytes = spare.unwrap_or_else(|| self.reader.buffer());
        self.page(pgno, level, &mut bytes)?;
        self.spare.push(bytes);
        Ok(())
    }

    fn page(&mut self, pgno: Pgno, level: usize, bytes: &mut PageBytes) -> Step<()> {
        let broken = Stop::at(JetError::DATABASE_CORRUPTED, pgno);
        self.left = self.left.checked_sub(1).ok_or(broken)?;
        let page = self.reader.page(pgno, bytes)?;
        if page.flags().is_leaf() {
            return self.leaf(pgno, page);
        }
        if level >= MAX_DEPTH {
            return Err(broken);
        }
        let above_leaves = page.flags().any(PageFlags::PARENT_OF_LEAF);
        self.shape.internal.page(page);
        for node in page.nodes() {
            let node = node.map_err(|_| broken)?;
            self.shape.internal.node(&node);
            let child = child_of(&node).ok_or(broken)?;
            if above_leaves && !self.leaves {
                self.shape.leaf_runs.leaf(child);
            } else {
                self.down(child, level + 1)?;
            }
        }
        Ok(())
    }

    fn leaf(&mut self, pgno: Pgno, page: Page<'_>) -> Step<()> {
        self.shape.leaf_runs.leaf(pgno);
        let Some(data) = &mut self.shape.data else {
            return Ok(());
        };
        data.page(page);
        for node in page.nodes() {
            let node = node.map_err(|_| Stop::at(JetError::DATABASE_CORRUPTED, pgno))?;
            data.node(&node);
            if let (Some(long), Some(chunk)) = (&mut self.shape.long_values, self.chunk) {
                long.node(pgno, &node, chunk);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkSize, LeafRuns, LongValues, Node, Pgno};
    use crate::format::ids::PageSize;
    use crate::format::page::NodeFlags;

    fn long_values(nodes: &[(u32, &[u8], &[u8])]) -> LongValues {
        let chunk = ChunkSize::new(PageSize::K4, Some(8));
        let mut long = LongValues::new(chunk);
        for (page, key, data) in nodes {
            let node = Node {
                prefix: &[],
                suffix: key,
                data,
                flags: NodeFlags::new(0),
            };
            long.node(Pgno::new(*page), &node, chunk);
        }
        long
    }

    /// One reference, eleven bytes.
    const ROOT: &[u8] = &[1, 0, 0, 0, 11, 0, 0, 0];
    const DELETED: &[u8] = &[255, 255, 255, 255, 11, 0, 0, 0];

    #[test]
    fn whole_long_values_are_counted() {
        let long = long_values(&[
            (7, &[0, 0, 0, 5], ROOT),
            (8, &[0, 0, 0, 5, 0, 0, 0, 0], b"01234567"),
            (8, &[0, 0, 0, 5, 0, 0, 0, 8], b"89a"),
        ]);
        assert_eq!((long.references, long.corrupt, long.highest), (1, 0, 5));
        assert_eq!((long.bytes.count, long.bytes.total), (1, 11));
        assert_eq!((long.separated_roots, long.partly_deleted), (1, 0));
        assert_eq!(long.ratio_histogram.hits()[10], 1);
    }

    #[test]
    fn what_does_not_fit_is_counted_too() {
        let chunk: (u32, &[u8], &[u8]) = (8, &[0, 0, 0, 5, 0, 0, 0, 0], b"01234567");
        // A chunk without its root, one at the wrong place, one too many, one of the wrong size,
        // a root of no known size, a key of none.
        assert_eq!(long_values(&[chunk]).corrupt, 1);
        let gap: (u32, &[u8], &[u8]) = (8, &[0, 0, 0, 5, 0, 0, 0, 8], b"89a");
        assert_eq!(long_values(&[(8, &chunk.1[..4], ROOT), gap]).corrupt, 1);
        let beyond: (u32, &[u8], &[u8]) = (8, &[0, 0, 0, 5, 0, 0, 0, 11], b"b");
        let all = [(8, &chunk.1[..4], ROOT), chunk, gap, beyond];
        assert_eq!(long_values(&all).corrupt, 1);
        let long: (u32, &[u8], &[u8]) = (8, chunk.1, b"012345678");
        assert_eq!(long_values(&[(8, &chunk.1[..4], ROOT), long]).corrupt, 1);
        assert_eq!(long_values(&[(8, &chunk.1[..4], &ROOT[..7])]).corrupt, 1);
        assert_eq!(long_values(&[(8, &[1, 2], ROOT)]).corrupt, 1);
        // Of one that is being deleted nothing needs to fit.
        let deleting = long_values(&[(8, &chunk.1[..4], DELETED), gap]);
        assert_eq!((deleting.corrupt, deleting.partly_deleted), (0, 1));
        assert_eq!(deleting.references, 0);
    }

    #[test]
    fn runs_end_where_pages_do_not_follow() {
        let mut runs = LeafRuns::new();
        for page in [5, 6, 7, 20, 21, 3] {
            runs.leaf(Pgno::new(page));
        }
        runs.end();
        let pages = runs.pages;
        assert_eq!((pages.count, pages.max, pages.total), (3, 3, 6));
        assert_eq!(runs.forward_scans, 2);
        let mut nothing = LeafRuns::new();
        nothing.end();
        assert_eq!(nothing.forward_scans, 0);
    }
}
