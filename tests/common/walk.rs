//! A small strict walk over a whole database that trusts nothing but the page view: checksums, tree
//! invariants T1 to T9, space accounting, long values, bookmarks of indexes.

use std::collections::{BTreeMap, BTreeSet};

use exutil::format::checksum::{Verdict, verify};
use exutil::format::dbheader::DbHeader;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::page::{Page, PageFlags};

/// A node of a leaf: key and data.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A whole database in memory.
pub struct Database<'a> {
    bytes: &'a [u8],
    size: PageSize,
    pub header: DbHeader,
    /// Owner of each page, by walking; 0 is nobody.
    owner: Vec<u32>,
    /// Which pages a tree uses or offers.
    state: Vec<&'static str>,
}

/// One tree as walked.
#[derive(Default)]
pub struct Tree {
    pub entries: Vec<Entry>,
    pub depth: usize,
    pub root_header: Vec<u8>,
}

struct Walk<'w> {
    objid: u32,
    flags: u32,
    root: u32,
    last_leaf: u32,
    leaf_next: u32,
    leaf_depth: Option<usize>,
    pages: &'w mut Vec<u32>,
    tree: Tree,
}

const KIND: u32 = PageFlags::SPACE_TREE
    | PageFlags::INDEX
    | PageFlags::LONG_VALUE
    | PageFlags::NON_UNIQUE
    | PageFlags::NEW_RECORD_FORMAT;

impl<'a> Database<'a> {
    pub fn open(bytes: &'a [u8]) -> Self {
        let header = DbHeader::parse(bytes).unwrap();
        let size = header.page_size().unwrap();
        assert_eq!(bytes.len() % size.bytes(), 0);
        let two = &bytes[..2 * size.bytes()];
        assert_eq!(two[..size.bytes()], two[size.bytes()..], "shadow header");
        assert!(exutil::format::checksum::header_is_good(
            &bytes[..size.bytes()]
        ));
        let pages = bytes.len() / size.bytes() - 1;
        Self {
            bytes,
            size,
            header,
            owner: vec![0; pages],
            state: vec![""; pages],
        }
    }

    pub fn last_page(&self) -> u32 {
        self.owner.len() as u32 - 1
    }

    pub fn page(&self, pgno: u32) -> Page<'a> {
        let at = Pgno::new(pgno).offset(self.size) as usize;
        Page::new(&self.bytes[at..at + self.size.bytes()], self.size).unwrap()
    }

    /// Walks a tree; the pages it uses are added to `pages`.
    pub fn tree(&self, root: u32, objid: u32, pages: &mut Vec<u32>) -> Tree {
        let page = self.page(root);
        let mut walk = Walk {
            objid,
            flags: page.flags().bits() & KIND,
            root,
            last_leaf: 0,
            leaf_next: 0,
            leaf_depth: None,
            pages,
            tree: Tree::default(),
        };
        walk.tree.root_header = page.external_header().to_vec();
        assert!(page.flags().is_root(), "page {root} is no root");
        self.walk(&mut walk, root, 0, &[], None);
        assert_eq!(walk.leaf_next, 0, "last leaf of {objid}");
        walk.tree.depth = walk.leaf_depth.unwrap() + 1;
        self.check_leaf_order(&walk.tree, objid, walk.flags);
        walk.tree
    }

    /// `low` and `high` are the keys left and right of the pointer to this page; `high` is `None`
    /// for the root.
    fn walk(&self, walk: &mut Walk<'_>, pgno: u32, depth: usize, low: &[u8], high: Option<&[u8]>) {
        let page = self.page(pgno);
        self.check_page(walk, page, pgno);
        walk.pages.push(pgno);
        let keys: Vec<Vec<u8>> = page.nodes().map(|node| node.unwrap().key()).collect();
        for node in page.nodes() {
            let node = node.unwrap();
            assert!(node.prefix.is_empty() || node.prefix.len() >= 3);
            assert!(pgno != walk.root || node.prefix.is_empty());
        }
        if page.flags().is_leaf() {
            self.leaf(walk, page, pgno, depth, low, high);
            return;
        }
        assert!(!keys.is_empty(), "empty internal page {pgno}");
        assert!(page.prev().is_null() && page.next().is_null());
        let last = keys.last().unwrap();
        // T2: the last key is the one that points here; empty on the right edge.
        assert_eq!(&last[..], high.unwrap_or(&[]), "T2 of page {pgno}");
        let mut left = low.to_vec();
        for (number, key) in keys.iter().enumerate() {
            assert!(
                number + 1 == keys.len() || !key.is_empty(),
                "T3 of page {pgno}"
            );
            assert!(key.is_empty() || *key > left, "T5 of page {pgno}");
            let child = page.node(number).unwrap().data;
            let child = u32::from_le_bytes(child.try_into().unwrap());
            let is_leaf = self.page(child).flags().is_leaf();
            assert_eq!(is_leaf, page.flags().any(PageFlags::PARENT_OF_LEAF));
            self.walk(walk, child, depth + 1, &left, Some(key));
            left = key.clone();
        }
    }

    fn leaf(
        &self,
        walk: &mut Walk<'_>,
        page: Page<'_>,
        pgno: u32,
        depth: usize,
        low: &[u8],
        high: Option<&[u8]>,
    ) {
        assert_eq!(*walk.leaf_depth.get_or_insert(depth), depth);
        assert_eq!(page.prev().get(), walk.last_leaf, "left link of {pgno}");
        assert!(walk.last_leaf == 0 || walk.leaf_next == pgno);
        walk.last_leaf = if depth == 0 { 0 } else { pgno };
        walk.leaf_next = page.next().get();
        assert!(depth == 0 || page.node_count() > 0, "T8 of page {pgno}");
        if let Some(high) = high {
            assert_eq!(high.is_empty(), page.next().is_null(), "T4 of page {pgno}");
        }
        let non_unique = walk.flags & PageFlags::NON_UNIQUE != 0;
        for node in page.nodes() {
            let node = node.unwrap();
            assert!(node.key_len() > 0 && !node.data.is_empty());
            let mut whole = node.key();
            if non_unique {
                whole.extend_from_slice(node.data);
            }
            assert!(whole[..] >= *low, "T1 (low) of page {pgno}");
            if let Some(high) = high.filter(|high| !high.is_empty()) {
                assert!(whole[..] < *high, "T1 (high) of page {pgno}");
            }
            walk.tree.entries.push((node.key(), node.data.to_vec()));
        }
    }

    fn check_page(&self, walk: &Walk<'_>, page: Page<'_>, pgno: u32) {
        let number = Pgno::new(pgno);
        assert_eq!(verify(page.bytes(), self.size, number), Verdict::Good);
        assert_eq!(page.objid().get(), walk.objid, "owner of page {pgno}");
        assert_eq!(page.flags().bits() & KIND, walk.flags, "flags of {pgno}");
        assert_eq!(page.flags().is_root(), pgno == walk.root);
        assert!(page.dbtime() <= self.header.dbtime, "T9 of page {pgno}");
        let lines = (0..page.tag_count()).map(|tag| usize::from(page.tag(tag).unwrap().cb));
        let used = lines.sum::<usize>() + page.free() + 4 * page.tag_count();
        assert_eq!(used, page.room(), "P25 of page {pgno}");
        assert!(page.mic_free() <= page.room() && page.uncommitted_free() == 0);
    }

    fn check_leaf_order(&self, tree: &Tree, objid: u32, flags: u32) {
        let rises = |pair: &[Entry]| {
            if flags & PageFlags::NON_UNIQUE == 0 {
                pair[0].0 < pair[1].0
            } else {
                pair[0] < pair[1]
            }
        };
        assert!(tree.entries.windows(2).all(rises), "T6 of object {objid}");
    }

    /// Walks an object and its space trees and registers its pages; `parent` owned them before.
    pub fn object(&mut self, root: u32, objid: u32, parent: (u32, u32), non_unique: bool) -> Tree {
        let (parent_root, parent_objid) = parent;
        let mut pages = Vec::new();
        let tree = self.tree(root, objid, &mut pages);
        let header: [u8; 16] = tree.root_header[..].try_into().unwrap();
        let field = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        assert_eq!(field(4), parent_root, "parent of object {objid}");
        assert_eq!(field(8) & 2 != 0, non_unique);
        let (mut owned, mut free) = (Vec::new(), Vec::new());
        if field(8) & 1 == 0 {
            owned.push((root + field(0) - 1, field(0)));
            let bits = (0..32u32).filter(|bit| field(12) >> bit & 1 != 0);
            free.extend(bits.map(|bit| (root + 1 + bit, 1)));
        } else {
            let oe = field(12);
            owned = self.extents(oe, objid, &mut pages);
            free = self.extents(oe + 1, objid, &mut pages);
        }
        for pgno in run_pages(&owned) {
            let owner = &mut self.owner[pgno as usize];
            assert_eq!(*owner, parent_objid, "page {pgno} of object {objid}");
            assert_eq!(self.state[pgno as usize], "", "page {pgno} was not free");
            *owner = objid;
        }
        for pgno in run_pages(&free) {
            self.register(pgno, objid, "free");
        }
        for pgno in pages {
            self.register(pgno, objid, "used");
        }
        tree
    }

    fn register(&mut self, pgno: u32, objid: u32, state: &'static str) {
        let at = pgno as usize;
        assert_eq!(self.owner[at], objid, "{state} page {pgno}");
        assert_eq!(self.state[at], "", "{state} page {pgno} of object {objid}");
        self.state[at] = state;
    }

    fn extents(&self, root: u32, objid: u32, pages: &mut Vec<u32>) -> Vec<(u32, u32)> {
        let tree = self.tree(root, objid, pages);
        assert_eq!(tree.root_header, [0; 16]);
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        let extents = tree.entries.iter().map(|(key, data)| {
            let count = u32::from_le_bytes(data[..].try_into().unwrap());
            (number(key), count)
        });
        let extents: Vec<(u32, u32)> = extents.collect();
        let apart = |pair: &[(u32, u32)]| pair[0].0 < pair[1].0 - pair[1].1 + 1;
        assert!(extents.windows(2).all(apart), "extents of object {objid}");
        extents
    }

    /// Pages that somebody owns and nobody uses or offers, children being done already.
    pub fn leaked(&self) -> Vec<u32> {
        (1..=self.last_page())
            .filter(|pgno| self.state[*pgno as usize].is_empty())
            .collect()
    }
}

fn run_pages(runs: &[(u32, u32)]) -> Vec<u32> {
    runs.iter()
        .flat_map(|(last, count)| last - count + 1..=*last)
        .collect()
}

/// What a catalog row says, as far as the walk needs it.
#[derive(Debug, Clone)]
pub struct Object {
    pub table: u32,
    pub kind: u16,
    pub id: u32,
    pub root: u32,
    pub flags: u32,
    pub name: String,
}

/// The fixed part of a catalog row and its name. [format notes 6.2, 15.3]
pub fn object_of(record: &[u8]) -> Object {
    let u32_at = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
    let u16_at = |at: usize| u16::from_le_bytes(record[at..at + 2].try_into().unwrap());
    let variable = usize::from(u16_at(2));
    let count = usize::from(record[1]) - 127;
    let name = &record[variable + 2 * count..][..usize::from(u16_at(variable))];
    Object {
        table: u32_at(4),
        kind: u16_at(8),
        id: u32_at(10),
        root: u32_at(14),
        flags: u32_at(22),
        name: String::from_utf8(name.to_vec()).unwrap(),
    }
}

/// Everything of one database: nodes of each tree by table name and tree name ("" for the data).
pub type Content = BTreeMap<(String, String), Tree>;

/// Checks a whole database and returns what its trees hold.
pub fn check(bytes: &[u8]) -> Content {
    let mut db = Database::open(bytes);
    let mut content = Content::new();
    db.object(1, 1, (0, 0), false);
    assert_eq!(
        db.owner.iter().filter(|owner| **owner == 1).count() as u32,
        db.last_page()
    );
    let catalog = db.tree(4, 2, &mut Vec::new());
    let shadow = db.tree(24, 3, &mut Vec::new());
    assert_eq!(catalog.entries, shadow.entries, "shadow catalog");
    let objects: Vec<Object> = catalog.entries.iter().map(|e| object_of(&e.1)).collect();
    for table in objects.iter().filter(|object| object.kind == 1) {
        let data = db.object(table.root, table.id, (1, 1), false);
        let bookmarks: BTreeSet<Vec<u8>> = data.entries.iter().map(|e| e.0.clone()).collect();
        let own = objects.iter().filter(|object| object.table == table.id);
        for child in own.filter(|o| matches!(o.kind, 3 | 4) && o.id != table.id) {
            assert!(child.id <= db.header.objid_last.get());
            let non_unique = child.kind == 3 && child.flags & 1 == 0;
            let tree = db.object(child.root, child.id, (table.root, table.id), non_unique);
            if child.kind == 3 {
                assert!(tree.entries.iter().all(|e| bookmarks.contains(&e.1)));
            } else {
                check_long_values(&tree);
            }
            content.insert((table.name.clone(), child.name.clone()), tree);
        }
        content.insert((table.name.clone(), String::new()), data);
    }
    assert_eq!(db.leaked(), Vec::<u32>::new(), "leaked pages");
    content
}

/// Roots with their chunks complete and in place. [format notes 8.1, 8.2]
fn check_long_values(tree: &Tree) {
    let mut expected = (Vec::new(), 0, 0);
    for (key, data) in &tree.entries {
        let is_root = key.len() == 4 || key.len() == 8 && key[0] & 0x80 != 0;
        if is_root {
            assert_eq!(expected.1, expected.2, "long value too short");
            let size = u32::from_le_bytes(data[4..8].try_into().unwrap());
            assert_eq!(data[..4], [1, 0, 0, 0]);
            expected = (key.clone(), size, 0);
        } else {
            let (lid, offset) = key.split_at(key.len() - 4);
            assert_eq!(lid, expected.0);
            assert_eq!(u32::from_be_bytes(offset.try_into().unwrap()), expected.2);
            expected.2 += data.len() as u32;
        }
    }
    assert_eq!(expected.1, expected.2, "long value too short");
}
