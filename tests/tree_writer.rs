//! The tree writer with many shapes of keys and data, into a store in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;

use exutil::format::checksum::{Verdict, verify};
use exutil::format::ids::{DbTime, Objid, PageSize, Pgno};
use exutil::format::page::{NodeFlags, Page, PageFlags};
use exutil::tree::{TreeError, TreeSpec, TreeStore, TreeSummary, TreeWriter};

const ROOT: u32 = 1;

#[derive(Default)]
struct Memory {
    last: u32,
    pages: BTreeMap<u32, Vec<u8>>,
}

impl TreeStore for Memory {
    type Error = Infallible;

    fn allocate(&mut self) -> Result<Pgno, Infallible> {
        self.last = self.last.max(ROOT) + 1;
        Ok(Pgno::new(self.last))
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), Infallible> {
        assert!(self.pages.insert(pgno.get(), page).is_none());
        Ok(())
    }
}

type Nodes = Vec<(Vec<u8>, Vec<u8>)>;

fn spec(page_size: PageSize, kind: u32, density: u8) -> TreeSpec {
    TreeSpec {
        page_size,
        root: Pgno::new(ROOT),
        objid: Objid::new(9),
        flags: PageFlags::new(kind | PageFlags::NEW_CHECKSUM | PageFlags::NEW_RECORD_FORMAT),
        dbtime: DbTime::new(1),
        root_header: 16,
        density,
    }
}

fn write(spec: TreeSpec, nodes: &Nodes) -> (Memory, TreeSummary) {
    let mut store = Memory::default();
    let mut tree = TreeWriter::new(spec);
    for (key, data) in nodes {
        tree.push(&mut store, key, data, NodeFlags::default())
            .unwrap();
    }
    let finished = tree.finish(&mut store).unwrap();
    store.pages.insert(ROOT, finished.root.seal());
    (store, finished.summary)
}

/// Reads the nodes back, checking T1 to T8 on the way down.
struct Reader<'s> {
    store: &'s Memory,
    size: PageSize,
    non_unique: bool,
    nodes: Nodes,
    last_leaf: u32,
    pages: u64,
    depth: usize,
}

impl Reader<'_> {
    fn read(&mut self, pgno: u32, level: usize, low: &[u8], high: &[u8]) {
        let bytes = &self.store.pages[&pgno];
        assert_eq!(verify(bytes, self.size, Pgno::new(pgno)), Verdict::Good);
        let page = Page::new(bytes, self.size).unwrap();
        self.pages += 1;
        assert_eq!(page.flags().is_root(), pgno == ROOT);
        if page.flags().is_leaf() {
            self.leaf(page, pgno, level, low, high);
            return;
        }
        let mut left = low.to_vec();
        assert!(page.node_count() > 0);
        for line in 0..page.node_count() {
            let node = page.node(line).unwrap();
            let key = node.key();
            let is_last = line + 1 == page.node_count();
            assert!(if is_last { key == high } else { key > left }, "T2, T5");
            let child = u32::from_le_bytes(node.data.try_into().unwrap());
            self.read(child, level + 1, &left, &key);
            left = key;
        }
    }

    fn leaf(&mut self, page: Page<'_>, pgno: u32, level: usize, low: &[u8], high: &[u8]) {
        assert_eq!(page.prev().get(), self.last_leaf);
        assert_eq!(page.next().is_null(), high.is_empty(), "T4");
        assert!(self.depth == 0 || self.depth == level + 1);
        self.depth = level + 1;
        self.last_leaf = if level == 0 { 0 } else { pgno };
        for node in page.nodes().map(Result::unwrap) {
            let mut whole = node.key();
            if self.non_unique {
                whole.extend_from_slice(node.data);
            }
            assert!(whole[..] >= *low, "T1");
            assert!(high.is_empty() || whole[..] < *high, "T1");
            self.nodes.push((node.key(), node.data.to_vec()));
        }
    }
}

fn comes_back(spec: TreeSpec, nodes: &Nodes) -> TreeSummary {
    let (store, summary) = write(spec, nodes);
    let mut reader = Reader {
        store: &store,
        size: spec.page_size,
        non_unique: spec.flags.any(PageFlags::NON_UNIQUE),
        nodes: Vec::new(),
        last_leaf: 0,
        pages: 0,
        depth: 0,
    };
    reader.read(ROOT, 0, &[], &[]);
    assert!(reader.nodes == *nodes, "{} nodes", nodes.len());
    assert_eq!(reader.pages, summary.pages);
    assert_eq!(store.pages.len() as u64, summary.pages);
    assert_eq!(reader.depth, summary.depth);
    assert_eq!(summary.nodes, nodes.len() as u64);
    summary
}

/// Repeatable numbers (xorshift).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % limit) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

#[test]
fn small_trees_are_one_page() {
    for size in PageSize::ALL {
        assert_eq!(comes_back(spec(size, 0, 80), &Vec::new()).pages, 1);
        let one = vec![(b"key".to_vec(), b"data".to_vec())];
        assert_eq!(comes_back(spec(size, 0, 1), &one).depth, 1);
    }
}

#[test]
fn random_keys_of_every_length() {
    for size in PageSize::ALL {
        let mut noise = Noise(77);
        for most in [3, 40, 450] {
            let keys = (0..3000).map(|_| {
                let len = 1 + noise.below(most);
                noise.bytes(len)
            });
            let mut nodes: Nodes = keys.map(|key| (key, vec![7; 30])).collect();
            nodes.sort_unstable();
            nodes.dedup_by(|a, b| a.0 == b.0);
            for density in [100, 80, 20] {
                comes_back(spec(size, 0, density), &nodes);
            }
        }
    }
}

#[test]
fn equal_keys_with_rising_data() {
    for size in PageSize::ALL {
        let mut noise = Noise(5);
        let mut nodes: Nodes = (0..4000)
            .map(|_| {
                let key = vec![0x7F, noise.below(3) as u8, 0x80, 0x90];
                let len = 1 + noise.below(60);
                (key, noise.bytes(len))
            })
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        let kind = PageFlags::INDEX | PageFlags::NON_UNIQUE;
        let summary = comes_back(spec(size, kind, 100), &nodes);
        assert!(summary.depth >= 2);
    }
}

#[test]
fn nodes_as_large_as_a_page() {
    for size in PageSize::ALL {
        // Largest line: page, header, tags of the external header and of itself; the root also
        // keeps its header. [format notes 2.5]
        let room = size.bytes() - size.page_header() - 8;
        let node = |number: u32, len: usize| {
            let key = number.to_be_bytes().to_vec();
            let data = vec![1; len - 2 - key.len()];
            (key, data)
        };
        let nodes = (1..40)
            .map(|number| node(number, if number % 3 == 0 { 20 } else { room }))
            .collect();
        comes_back(spec(size, 0, 100), &nodes);
        let mut store = Memory::default();
        let mut tree = TreeWriter::new(spec(size, 0, 100));
        let (key, data) = node(1, room + 1);
        let error = tree.push(&mut store, &key, &data, NodeFlags::default());
        assert!(matches!(error, Err(TreeError::TooLarge { node: 0, .. })));
    }
}

#[test]
fn long_keys_make_deep_trees() {
    let key = |number: u32| [vec![b'x'; 400], number.to_be_bytes().to_vec(), vec![0; 90]].concat();
    // Keys that differ at their start cannot share a prefix.
    let reversed = |number: u32| {
        let mut key = key(number);
        key.rotate_left(400);
        key
    };
    let nodes: Nodes = (0..3000).map(|n| (reversed(n << 12), vec![1])).collect();
    let summary = comes_back(spec(PageSize::K2, 0, 100), &nodes);
    assert!(summary.depth >= 2);
    let nodes: Nodes = (0..20_000).map(|n| (key(n), vec![1])).collect();
    let summary = comes_back(spec(PageSize::K2, 0, 100), &nodes);
    assert!(summary.depth >= 2 && summary.pages < 1300);
}

#[test]
fn disorder_is_refused() {
    let mut store = Memory::default();
    let flags = NodeFlags::default();
    let mut tree = TreeWriter::new(spec(PageSize::K4, 0, 80));
    tree.push(&mut store, b"b", b"1", flags).unwrap();
    for key in [b"b", b"a"] {
        let error = tree.push(&mut store, key, b"2", flags);
        assert!(matches!(error, Err(TreeError::OutOfOrder { node: 1 })));
    }
    let error = tree.push(&mut store, b"", b"2", flags);
    assert!(matches!(error, Err(TreeError::EmptyKey { .. })));
    let error = tree.push(&mut store, b"c", b"", flags);
    assert!(matches!(error, Err(TreeError::NoData { .. })));
    let kind = PageFlags::INDEX | PageFlags::NON_UNIQUE;
    let mut tree = TreeWriter::new(spec(PageSize::K4, kind, 80));
    tree.push(&mut store, b"b", b"1", flags).unwrap();
    tree.push(&mut store, b"b", b"2", flags).unwrap();
    assert!(tree.push(&mut store, b"b", b"2", flags).is_err());
    assert_eq!(tree.nodes(), 2);
}
