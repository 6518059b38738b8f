//! One tree, from its leaves.

use std::ops::ControlFlow;

use super::inventory::Inventory;
use super::reach::Source;
use super::report::TreeReport;
use super::{SalvageOptions, TreeKind};
use crate::db::{Database, PageBytes, PageError};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::page::NodeFlags;
use crate::format::record::RecordLayout;

/// A node, and where it was found.
#[derive(Debug, Clone, Copy)]
pub struct SalvagedNode<'n> {
    /// Its whole key.
    pub key: &'n [u8],
    /// Its data: record, long value root or chunk, bookmark.
    pub data: &'n [u8],
    /// Its flags.
    pub flags: NodeFlags,
    /// The page it was on.
    pub page: Pgno,
    /// When that page was last changed.
    pub dbtime: DbTime,
    /// How records on that page are laid out.
    pub layout: RecordLayout,
}

/// The salvage of one tree.
#[derive(Debug)]
pub struct SalvagedTree;

impl SalvagedTree {
    /// Gives all nodes of the tree to `visit`, until it breaks off: in strictly ascending order of their keys, in a
    /// non-unique index of key and data. The tree is known by its object; its root helps where it is known. `inventory`
    /// must be of the same file, unchanged.
    ///
    /// Memory: 4 bytes a leaf; for each leaf that damage cut off from the root its first and last key and some 350
    /// bytes; the pages that overlap at one place, 1024 at the most.
    pub fn read(
        db: &Database,
        inventory: &Inventory,
        (objid, kind): (Objid, TreeKind),
        root: Option<Pgno>,
        options: &SalvageOptions<'_>,
        visit: &mut dyn FnMut(&SalvagedNode<'_>) -> ControlFlow<()>,
    ) -> TreeReport {
        let mut report = TreeReport::new(objid, kind);
        let source = Source {
            db,
            inventory,
            objid,
            kind,
            options,
        };
        let used = source.usable_root(root);
        report.root = used;
        let reached = source.reach(used, &mut report);
        let plan = source.plan(used, reached, &mut report);
        source.emit(plan, &mut report, visit);
        report
    }
}

impl Source<'_> {
    /// The root that is named, or where that page is another tree's, the only one that the object has.
    fn usable_root(&self, named: Option<Pgno>) -> Option<Pgno> {
        let mut bytes = PageBytes::new(self.db.page_size());
        if let Some(named) = named {
            match self.db.read(named, &mut bytes) {
                // What is no root leads to a part of the tree at the most.
                Ok(page) if self.is_of_tree(page) && page.flags().is_root() => return Some(named),
                Ok(_) | Err(PageError::Beyond) => {}
                // It may be a damaged leaf of which nodes can be proved; the walk sees to that.
                Err(_) => return Some(named),
            }
        }
        let mut roots = self.inventory.roots(self.objid, self.kind.content());
        let root = roots.next();
        if roots.next().is_none() { root } else { None }
    }
}
