//! What the tests of salvage share.

use std::ops::ControlFlow;
use std::path::Path;

use exutil::db::catalog::{CATALOG_NAME_ROOT, CATALOG_ROOT, SHADOW_ROOT, Schema};
use exutil::db::space::SpaceHeader;
use exutil::db::{Database, PageBytes};
use exutil::format::ids::{Objid, PageSize, Pgno};
use exutil::progress::Silent;
use exutil::salvage::{Inventory, SalvageOptions, SalvagedTree, TreeKind, TreeReport};
use exutil::storage::Memory;
use exutil::tree::walk::for_each_node;

/// Nodes: key and data.
pub type Nodes = Vec<(Vec<u8>, Vec<u8>)>;

/// A tree of a sound database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    pub objid: Objid,
    pub root: Pgno,
    pub kind: TreeKind,
}

impl PartialOrd for Tree {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tree {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.objid, self.root).cmp(&(other.objid, other.root))
    }
}

/// A database in memory with its inventory.
pub struct Work {
    pub db: Database,
    pub inventory: Inventory,
}

pub fn open(bytes: Vec<u8>) -> Database {
    Database::from_storage(Box::new(Memory::new(bytes)), Path::new("sample"), None).unwrap()
}

pub fn plain() -> SalvageOptions<'static> {
    SalvageOptions::default()
}

impl Work {
    pub fn new(bytes: Vec<u8>) -> Self {
        let db = open(bytes);
        let inventory = Inventory::scan(&db, None, &Silent);
        Self { db, inventory }
    }

    pub fn read(
        &self,
        tree: Tree,
        root: Option<Pgno>,
        options: &SalvageOptions<'_>,
    ) -> (Nodes, TreeReport) {
        let mut nodes = Nodes::new();
        let mut visit = |node: &exutil::salvage::SalvagedNode<'_>| {
            nodes.push((node.key.to_vec(), node.data.to_vec()));
            ControlFlow::Continue(())
        };
        let named = (tree.objid, tree.kind);
        let report =
            SalvagedTree::read(&self.db, &self.inventory, named, root, options, &mut visit);
        (nodes, report)
    }

    /// The nodes on a leaf.
    #[allow(dead_code, reason = "not every test asks")]
    pub fn nodes_of(&self, pgno: Pgno) -> Nodes {
        let bytes = page_of(self, pgno);
        let nodes = bytes.page().nodes().flatten();
        let live = nodes.filter(|node| !node.flags.is_deleted());
        live.map(|node| (node.key(), node.data.to_vec())).collect()
    }
}

#[allow(dead_code, reason = "not every test asks")]
pub fn page_of(work: &Work, pgno: Pgno) -> PageBytes {
    let mut bytes = PageBytes::new(work.db.page_size());
    work.db.read(pgno, &mut bytes).unwrap();
    bytes
}

#[allow(dead_code, reason = "not every test asks")]
pub fn page_bytes(bytes: &mut [u8], size: PageSize, pgno: Pgno) -> &mut [u8] {
    let at = pgno.offset(size) as usize;
    &mut bytes[at..at + size.bytes()]
}

/// All trees of a sound database but the space trees.
pub fn trees(db: &Database) -> Vec<Tree> {
    let tree = |objid: u32, root: Pgno, kind| Tree {
        objid: Objid::new(objid),
        root,
        kind,
    };
    let index = |non_unique| TreeKind::Index { non_unique };
    let mut trees = vec![
        tree(2, CATALOG_ROOT, TreeKind::Data),
        tree(3, SHADOW_ROOT, TreeKind::Data),
        tree(4, CATALOG_NAME_ROOT, index(false)),
    ];
    let schema = Schema::read(db);
    for table in schema
        .tables
        .values()
        .filter(|table| table.objid > Objid::new(5))
    {
        trees.push(tree(table.objid.get(), table.root, TreeKind::Data));
        for index in table.secondary_indexes() {
            let mut bytes = PageBytes::new(db.page_size());
            let page = db.read(index.root, &mut bytes).unwrap();
            let header = SpaceHeader::parse(page.external_header()).unwrap();
            let non_unique = header.is_non_unique();
            trees.push(tree(
                index.objid.get(),
                index.root,
                TreeKind::Index { non_unique },
            ));
        }
        if let Some(values) = table.long_values {
            trees.push(tree(values.objid.get(), values.root, TreeKind::LongValues));
        }
    }
    trees
}

/// The nodes as the ordinary walk of a sound tree gives them.
pub fn walk(db: &Database, tree: Tree) -> Nodes {
    let mut nodes = Nodes::new();
    for_each_node(
        db,
        tree.root,
        |_, _, node| nodes.push((node.key(), node.data.to_vec())),
        |pgno, failure| panic!("page {pgno}: {failure}"),
    );
    nodes
}

#[allow(dead_code, reason = "not every test asks")]
pub fn is_rising(nodes: &Nodes, tree: Tree) -> bool {
    nodes.is_sorted_by(|a, b| {
        if tree.kind.is_non_unique() {
            a < b
        } else {
            a.0 < b.0
        }
    })
}
