//! One damaged table, tree by tree, as it is to be written, and what its next round must know.

use std::collections::BTreeSet;
use std::io;

use super::report::TableRepair;
use super::table::{Show, TableWork};
use super::{Known, Shared};
use crate::db::PageBytes;
use crate::db::catalog::{CatalogRow, Table};
use crate::db::space::SpaceHeader;
use crate::format::ids::{Objid, Pgno};
use crate::format::page::PageFlags;
use crate::format::record::RecordLayout;
use crate::format::schema::index_flags;
use crate::jet::JetError;
use crate::rebuild::{Sound, Source as _, SourceError, TreeHead, TreeInfo, TreeKind, objids};
use crate::salvage::TreeKind as SalvagedKind;

/// A damaged table at work.
pub(super) struct DamagedTable<'s> {
    shared: &'s Shared<'s>,
    work: TableWork<'s>,
    learned: Known,
}

impl<'s> DamagedTable<'s> {
    /// Begins the table with this data tree, one of so many that are worked at together.
    pub fn begin(
        shared: &'s Shared<'s>,
        table: &'s Table,
        data: &TreeInfo,
        together: usize,
    ) -> Result<Self, SourceError> {
        let new_format = head(shared, data).flags.any(PageFlags::NEW_RECORD_FORMAT);
        let layout = RecordLayout::new(shared.db.page_size().is_large(), new_format);
        let work = TableWork::new(shared, table, layout, together);
        Ok(Self {
            shared,
            work: work.map_err(|error| scratch(data, &error))?,
            learned: Known::default(),
        })
    }

    /// Shows the nodes of one of its trees: first the data, then long values and indexes.
    pub fn nodes(&mut self, tree: &TreeInfo, show: &mut Show<'_>) -> Result<(), SourceError> {
        match tree.kind {
            TreeKind::Data if self.object_ids(show) => Ok(()),
            TreeKind::Data => {
                let shown = self.work.data(show);
                shown.map_err(|error| scratch(tree, &error))
            }
            TreeKind::LongValues => {
                self.work.long_values(tree.objid, tree.root, show);
                Ok(())
            }
            TreeKind::Index => self.index(tree, show),
            // The streaming file that they describe is repaired by nobody; the engine makes them anew.
            TreeKind::SlvAvail | TreeKind::SlvSpaceMap => Ok(()),
        }
    }

    /// Shows the rows of the table that says which table an object belongs to, if it is that; they follow from the catalog.
    fn object_ids(&mut self, show: &mut Show<'_>) -> bool {
        let (shared, table) = (self.shared, self.work.table);
        if table.name != objids::NAME || !table.is_system() {
            return false;
        }
        let rows = shared.rows.iter();
        let rows: Vec<CatalogRow> = rows
            .filter_map(|row| CatalogRow::with_layout(&row.data, row.layout).ok())
            .collect();
        let trees = objids::trees(&rows);
        let shown = objids::nodes(&trees, table, shared.db.page_size(), show);
        if let Some(shown) = shown {
            self.work.report.records = shown;
        }
        shown.is_some()
    }

    fn index(&mut self, tree: &TreeInfo, show: &mut Show<'_>) -> Result<(), SourceError> {
        let mut losers = BTreeSet::new();
        let mut conflict = |bookmark: &[u8]| {
            losers.insert(bookmark.to_vec());
        };
        let emitted = self.work.index(tree.objid, &mut conflict, show);
        if !losers.is_empty() {
            let known = self.learned.losers.entry(tree.table).or_default();
            known.append(&mut losers);
        }
        emitted.map_err(|error| scratch(tree, &error))
    }

    /// What became of the table, and what was learned of it.
    pub fn finish(mut self) -> (TableRepair, Known) {
        let (work, learned) = (&mut self.work, &mut self.learned);
        let objid = work.table.objid;
        let orphans = std::mem::take(&mut work.orphans);
        if self.shared.options.keep_orphans && !orphans.is_empty() {
            learned.orphans.insert(objid, orphans);
        }
        let strays = std::mem::take(&mut work.strays);
        if !strays.is_empty() {
            learned.strays.insert(objid, strays);
        }
        if work.is_newer {
            learned.newer.insert(objid);
        }
        (self.work.finish(), self.learned)
    }
}

/// What the root of a tree of a damaged table is to say.
pub(super) fn head(shared: &Shared<'_>, tree: &TreeInfo) -> TreeHead {
    let unique = || {
        let table = shared.schema.tables.get(&tree.table);
        table.is_some_and(|table| {
            let mut indexes = table.secondary_indexes();
            indexes.any(|i| i.objid == tree.objid && i.flags & index_flags::UNIQUE != 0)
        })
    };
    let (kind, mark) = match tree.kind {
        TreeKind::Data => (SalvagedKind::Data, 0),
        TreeKind::LongValues => (SalvagedKind::LongValues, PageFlags::LONG_VALUE),
        TreeKind::Index if unique() => {
            (SalvagedKind::Index { non_unique: false }, PageFlags::INDEX)
        }
        TreeKind::Index => (
            SalvagedKind::Index { non_unique: true },
            PageFlags::INDEX | PageFlags::NON_UNIQUE,
        ),
        TreeKind::SlvAvail | TreeKind::SlvSpaceMap => {
            let lost = |_| TreeHead {
                flags: PageFlags::new(PageFlags::SLV | PageFlags::NEW_RECORD_FORMAT),
                auto_increment: None,
            };
            return Sound::new(shared.db).head(tree).unwrap_or_else(lost);
        }
    };
    if let Some(head) = head_from_pages(shared, tree.objid, kind, tree.root) {
        let mut bits = head.flags.bits() & !PageFlags::NON_UNIQUE | mark;
        if shared.known.newer.contains(&tree.table) {
            bits |= PageFlags::NEW_RECORD_FORMAT;
        }
        return TreeHead {
            flags: PageFlags::new(bits),
            ..head
        };
    }
    // Nothing is left of it: its records would have been as those of the catalog, or of its table.
    let of_catalog = || super::catalog::flags(shared.db, shared.inventory);
    let format = if tree.kind == TreeKind::Data {
        of_catalog()
    } else {
        let table = head_from_pages(shared, tree.table, SalvagedKind::Data, Pgno::NULL);
        table.map_or_else(of_catalog, |head| head.flags)
    };
    TreeHead {
        flags: PageFlags::new(format.bits() & PageFlags::NEW_RECORD_FORMAT | mark),
        auto_increment: None,
    }
}

/// What any usable page of a tree says; the root first.
fn head_from_pages(
    shared: &Shared<'_>,
    objid: Objid,
    kind: SalvagedKind,
    root: Pgno,
) -> Option<TreeHead> {
    let (db, inventory) = (shared.db, shared.inventory);
    let mut bytes = PageBytes::new(db.page_size());
    let roots = [root]
        .into_iter()
        .chain(inventory.roots(objid, kind.content()));
    for pgno in roots {
        let Ok(page) = db.read(pgno, &mut bytes) else {
            continue;
        };
        let flags = page.flags();
        if page.objid() != objid || !flags.is_root() || !kind.fits(flags) {
            continue;
        }
        let header = SpaceHeader::parse(page.external_header());
        return Some(TreeHead {
            flags,
            // A root that is older than its leaves would hand out numbers twice; without one the engine looks for
            // the highest itself.
            auto_increment: header
                .and_then(|header| header.auto_increment)
                .filter(|_| !shared.is_torn()),
        });
    }
    let mut others = inventory
        .leaves(objid, kind)
        .chain(inventory.internal_pages(objid, kind));
    let page = others.find_map(|pgno| db.read(pgno, &mut bytes).ok().map(|page| page.flags()));
    page.map(|flags| TreeHead {
        flags,
        auto_increment: None,
    })
}

/// A scratch file that cannot be written or read.
fn scratch(tree: &TreeInfo, error: &io::Error) -> SourceError {
    SourceError {
        tree: tree.to_string(),
        page: Pgno::NULL,
        jet: if error.kind() == io::ErrorKind::StorageFull {
            JetError::DISK_FULL
        } else {
            JetError::DISK_IO
        },
        what: format!("scratch file: {error}"),
    }
}
