//! What is to be written, tree by tree: sound tables as they are, damaged ones as they were salvaged.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;

use super::report::TableRepair;
use super::table::{Show, TableWork};
use super::{Known, Shared};
use crate::db::PageBytes;
use crate::db::catalog::CatalogRow;
use crate::db::space::SpaceHeader;
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::page::PageFlags;
use crate::format::record::RecordLayout;
use crate::format::schema::index_flags;
use crate::jet::JetError;
use crate::rebuild::{Node, Sound, Source, SourceError, TreeHead, TreeInfo, TreeKind, objids};
use crate::salvage::TreeKind as SalvagedKind;

/// The database as it is to be written.
pub(super) struct Salvaged<'s> {
    shared: &'s Shared<'s>,
    sound: Sound<'s>,
    work: RefCell<Option<TableWork<'s>>>,
    done: RefCell<Done>,
}

/// What comes of it.
#[derive(Default)]
pub(super) struct Done {
    pub tables: Vec<TableRepair>,
    /// What a further round must know.
    pub learned: Known,
}

impl<'s> Salvaged<'s> {
    pub fn new(shared: &'s Shared<'s>) -> Self {
        Self {
            shared,
            sound: Sound::new(shared.db),
            work: RefCell::new(None),
            done: RefCell::default(),
        }
    }

    /// All trees were written.
    pub fn finish(self) -> Done {
        self.close_table();
        self.done.into_inner()
    }

    fn close_table(&self) {
        if let Some(mut work) = self.work.take() {
            let mut done = self.done.borrow_mut();
            let orphans = std::mem::take(&mut work.orphans);
            if self.shared.options.keep_orphans && !orphans.is_empty() {
                done.learned.orphans.insert(work.table.objid, orphans);
            }
            let strays = std::mem::take(&mut work.strays);
            if !strays.is_empty() {
                done.learned.strays.insert(work.table.objid, strays);
            }
            if work.is_newer {
                done.learned.newer.insert(work.table.objid);
            }
            done.tables.push(work.finish());
        }
    }

    fn is_sound(&self, table: Objid) -> bool {
        self.shared.sound.contains(&table)
    }

    /// A sound tree; one that is not so after all is taken for damaged in the next round.
    fn as_it_is(&self, tree: &TreeInfo, show: &mut Show<'_>) -> Result<(), SourceError> {
        let read = self.sound.nodes(tree, show);
        if read.is_err() {
            let learned = &mut self.done.borrow_mut().learned;
            learned.damaged.insert(tree.table);
        }
        read
    }

    /// Begins a damaged table.
    fn open(&self, tree: &TreeInfo) -> Result<(), SourceError> {
        self.close_table();
        let Some(table) = self.shared.schema.tables.get(&tree.table) else {
            return Ok(());
        };
        let head = self.head(tree)?;
        let new_format = head.flags.any(PageFlags::NEW_RECORD_FORMAT);
        let layout = RecordLayout::new(self.page_size().is_large(), new_format);
        let work = TableWork::new(self.shared, table, layout).map_err(|e| scratch(tree, &e))?;
        self.work.replace(Some(work));
        Ok(())
    }

    /// What any usable page of a tree says; the root first.
    fn head_from_pages(&self, objid: Objid, kind: SalvagedKind, root: Pgno) -> Option<TreeHead> {
        let (db, inventory) = (self.shared.db, self.shared.inventory);
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
                    .filter(|_| !self.shared.is_torn()),
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
}

impl Source for Salvaged<'_> {
    fn page_size(&self) -> PageSize {
        self.shared.db.page_size()
    }

    fn update_major(&self) -> u32 {
        self.shared.db.header().update_major
    }

    fn pages(&self) -> u64 {
        self.shared.db.last_page().get().into()
    }

    fn catalog_head(&self) -> Result<TreeHead, SourceError> {
        Ok(TreeHead {
            flags: super::catalog::flags(self.shared.db, self.shared.inventory),
            auto_increment: None,
        })
    }

    fn catalog(&self, show: &mut dyn FnMut(Node<'_>)) -> Result<(), SourceError> {
        for row in self.shared.rows {
            show(Node {
                key: &row.key,
                data: &row.data,
            });
        }
        Ok(())
    }

    fn head(&self, tree: &TreeInfo) -> Result<TreeHead, SourceError> {
        if self.is_sound(tree.table) {
            let head = self.sound.head(tree);
            if head.is_err() {
                let learned = &mut self.done.borrow_mut().learned;
                learned.damaged.insert(tree.table);
            }
            return head;
        }
        if self.shared.orphan_tables.contains_key(&tree.table) {
            let long_values = tree.kind == TreeKind::LongValues;
            let mark = if long_values {
                PageFlags::LONG_VALUE
            } else {
                0
            };
            return Ok(TreeHead {
                flags: PageFlags::new(PageFlags::NEW_RECORD_FORMAT | mark),
                auto_increment: None,
            });
        }
        let unique = self
            .shared
            .schema
            .tables
            .get(&tree.table)
            .is_some_and(|table| {
                let mut indexes = table.secondary_indexes();
                indexes.any(|i| i.objid == tree.objid && i.flags & index_flags::UNIQUE != 0)
            });
        let (kind, mark) = match tree.kind {
            TreeKind::Data => (SalvagedKind::Data, 0),
            TreeKind::LongValues => (SalvagedKind::LongValues, PageFlags::LONG_VALUE),
            TreeKind::Index => (
                SalvagedKind::Index {
                    non_unique: !unique,
                },
                if unique {
                    PageFlags::INDEX
                } else {
                    PageFlags::INDEX | PageFlags::NON_UNIQUE
                },
            ),
            TreeKind::SlvAvail | TreeKind::SlvSpaceMap => {
                let lost = |_| TreeHead {
                    flags: PageFlags::new(PageFlags::SLV | PageFlags::NEW_RECORD_FORMAT),
                    auto_increment: None,
                };
                return Ok(self.sound.head(tree).unwrap_or_else(lost));
            }
        };
        if let Some(head) = self.head_from_pages(tree.objid, kind, tree.root) {
            let mut bits = head.flags.bits() & !PageFlags::NON_UNIQUE | mark;
            if self.shared.known.newer.contains(&tree.table) {
                bits |= PageFlags::NEW_RECORD_FORMAT;
            }
            return Ok(TreeHead {
                flags: PageFlags::new(bits),
                ..head
            });
        }
        // Nothing is left of it: its records would have been as those of the catalog, or of its table.
        let format = if tree.kind == TreeKind::Data {
            super::catalog::flags(self.shared.db, self.shared.inventory)
        } else {
            let table = self.head_from_pages(tree.table, SalvagedKind::Data, Pgno::NULL);
            table.map_or_else(
                || super::catalog::flags(self.shared.db, self.shared.inventory),
                |head| head.flags,
            )
        };
        Ok(TreeHead {
            flags: PageFlags::new(format.bits() & PageFlags::NEW_RECORD_FORMAT | mark),
            auto_increment: None,
        })
    }

    fn nodes(
        &self,
        tree: &TreeInfo,
        show: &mut dyn FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        if self.is_sound(tree.table) {
            return self.as_it_is(tree, show);
        }
        if let Some(from) = self.shared.orphan_tables.get(&tree.table) {
            super::orphans::nodes(self.shared, *from, tree.kind, show);
            return Ok(());
        }
        if tree.kind == TreeKind::Data {
            self.open(tree)?;
        }
        let mut work = self.work.borrow_mut();
        let Some(work) = work.as_mut().filter(|work| work.table.objid == tree.table) else {
            return Ok(());
        };
        match tree.kind {
            TreeKind::Data if work.table.name == objids::NAME && work.table.is_system() => {
                let rows = self.shared.rows.iter();
                let rows: Vec<CatalogRow> = rows
                    .filter_map(|row| CatalogRow::with_layout(&row.data, row.layout).ok())
                    .collect();
                let size = self.shared.db.page_size();
                let trees = objids::trees(&rows);
                if let Some(shown) = objids::nodes(&trees, work.table, size, show) {
                    work.report.records = shown;
                    return Ok(());
                }
                work_data(work, tree, show)
            }
            TreeKind::Data => work_data(work, tree, show),
            TreeKind::LongValues => {
                work.long_values(tree.objid, tree.root, show);
                Ok(())
            }
            TreeKind::Index => {
                let mut losers = BTreeSet::new();
                let emitted = work.index(
                    tree.objid,
                    &mut |bookmark| {
                        losers.insert(bookmark.to_vec());
                    },
                    show,
                );
                if !losers.is_empty() {
                    let learned = &mut self.done.borrow_mut().learned;
                    learned
                        .losers
                        .entry(tree.table)
                        .or_default()
                        .append(&mut losers);
                }
                emitted.map_err(|error| scratch(tree, &error))
            }
            // The streaming file that they describe is repaired by nobody; the engine makes them anew.
            TreeKind::SlvAvail | TreeKind::SlvSpaceMap => Ok(()),
        }
    }
}

fn work_data(
    work: &mut TableWork<'_>,
    tree: &TreeInfo,
    show: &mut Show<'_>,
) -> Result<(), SourceError> {
    work.data(show).map_err(|error| scratch(tree, &error))
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

/// Records that lose against others, by table.
pub(super) type Losers = BTreeMap<Objid, BTreeSet<Vec<u8>>>;
