//! The space of one tree, read in the engine's order: the root, the owned extents, the available
//! ones, the split buffers.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::db::space::{Extent, ExtentKind, Pool, SpaceEntry, SpaceHeader, split_buffer};
use crate::format::ids::Pgno;
use crate::format::page::{Page, PageFlags};
use crate::jet::JetError;
use crate::ops::engine_read::{Reader, Step, Stop};
use crate::tree::walk::{MAX_DEPTH, child_of};

/// Pages of a single extent that its bitmap speaks of.
const BITMAP_PAGES: u32 = 32;

/// What a run of available pages is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpacePool {
    /// Splits of the tree of owned extents.
    OwnedSplits,
    /// Splits of the tree of available extents.
    AvailableSplits,
    /// The rest of a single extent.
    Primary,
    /// An entry of the tree of available extents.
    Entry(Pool),
}

/// A run of available pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PooledExtent {
    /// The run; one of no page is a marker.
    pub extent: Extent,
    /// Its pool.
    pub pool: SpacePool,
}

/// The space of one tree, in pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SpaceNumbers {
    /// Owned.
    pub owned: u64,
    /// Available in all pools but the shelf.
    pub available: u64,
    /// Available, kept for contiguous growth.
    pub reserved: u64,
    /// Set aside beyond the end of the file; only the database has such.
    pub shelved: u64,
    /// Kept for splits of the space trees.
    pub split_buffers: u64,
    /// Pages of the first extent; 0 when the root does not tell.
    pub primary: u32,
    /// More than one extent.
    pub multiple: bool,
    /// Root of the tree of owned extents, null for a single extent.
    pub owned_root: Pgno,
    /// Root of the tree of available extents.
    pub available_root: Pgno,
    /// Highest auto-increment value, where the root keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_increment: Option<u64>,
    /// The extents owned, in key order.
    #[serde(skip)]
    pub owned_extents: Vec<Extent>,
    /// Everything available, split buffers first, then in key order.
    #[serde(skip)]
    pub available_extents: Vec<PooledExtent>,
    /// Pages of the two space trees themselves.
    #[serde(skip)]
    pub tree_pages: [SpaceTree; 2],
}

/// Pages of a space tree itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpaceTree {
    /// Internal pages.
    pub internal: u64,
    /// Leaves.
    pub leaves: u64,
    /// Levels.
    pub depth: u32,
    /// No entry at all.
    pub empty: bool,
}

/// The pages of a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TreePages {
    /// Internal pages.
    pub internal: u64,
    /// Leaves.
    pub data: u64,
    /// Levels.
    pub depth: u32,
    /// One page without a node.
    pub empty: bool,
}

impl SpaceNumbers {
    /// Reads the space of the tree at `root`; `None` for a root that is to be deleted.
    pub(super) fn read(reader: &Reader<'_>, root: Pgno) -> Step<Option<Self>> {
        let mut bytes = reader.buffer();
        let page = reader.page(root, &mut bytes)?;
        if page.flags().any(PageFlags::FDP_DELETE) {
            return Ok(None);
        }
        let header = SpaceHeader::parse(page.external_header())
            .ok_or(Stop::at(JetError::DATABASE_CORRUPTED, root))?;
        let mut space = Self {
            auto_increment: header.auto_increment,
            primary: if header.is_version_2() {
                0
            } else {
                header.pages
            },
            ..Self::default()
        };
        match header.kind() {
            ExtentKind::Single { free } => space.single(root, header.pages, free),
            ExtentKind::Multiple { owned, available } => {
                space.multiple = true;
                (space.owned_root, space.available_root) = (owned, available);
                space.read_owned(reader, owned)?;
                space.read_available(reader, available)?;
                space.read_split_buffers(reader)?;
            }
        }
        Ok(Some(space))
    }

    /// One extent: the bitmap speaks of the pages behind the root, all beyond it are free.
    fn single(&mut self, root: Pgno, pages: u32, free: u32) {
        self.owned_extents.push(Extent::starting(root, pages));
        self.owned = pages.into();
        let mut add = |first: u32, count: u32| {
            self.available += u64::from(count);
            let extent = Extent::starting(Pgno::new(root.get().saturating_add(first)), count);
            let pool = SpacePool::Primary;
            match self.available_extents.last_mut() {
                Some(last) if last.extent.last.next() == extent.first() => {
                    last.extent.last = extent.last;
                    last.extent.count += count;
                }
                _ => self.available_extents.push(PooledExtent { extent, pool }),
            }
        };
        for bit in (0..BITMAP_PAGES.min(pages.saturating_sub(1))).filter(|bit| free >> bit & 1 == 1)
        {
            add(1 + bit, 1);
        }
        let beyond = pages.saturating_sub(1 + BITMAP_PAGES);
        if beyond > 0 {
            add(1 + BITMAP_PAGES, beyond);
        }
    }

    fn read_owned(&mut self, reader: &Reader<'_>, root: Pgno) -> Step<()> {
        self.tree_pages[0] = entries(reader, root, |entry| {
            self.owned += u64::from(entry.extent.count);
            self.owned_extents.push(entry.extent);
        })?;
        Ok(())
    }

    fn read_available(&mut self, reader: &Reader<'_>, root: Pgno) -> Step<()> {
        let last_page = reader.db.last_page();
        self.tree_pages[1] = entries(reader, root, |entry| {
            let pages = u64::from(entry.extent.count);
            match entry.pool() {
                Pool::Shelved if entry.extent.last > last_page => self.shelved += pages,
                Pool::Shelved => {}
                pool => {
                    self.available += pages;
                    if pool == Pool::Continuous {
                        self.reserved += pages;
                    }
                }
            }
            self.available_extents.push(PooledExtent {
                extent: entry.extent,
                pool: SpacePool::Entry(entry.pool()),
            });
        })?;
        Ok(())
    }

    fn read_split_buffers(&mut self, reader: &Reader<'_>) -> Step<()> {
        let mut bytes = reader.buffer();
        let mut found = Vec::new();
        for (root, pool) in [
            (self.owned_root, SpacePool::OwnedSplits),
            (self.available_root, SpacePool::AvailableSplits),
        ] {
            let buffers = split_buffer(reader.page(root, &mut bytes)?);
            let used = buffers.into_iter().flatten().filter(|run| run.count > 0);
            found.extend(used.map(|extent| PooledExtent { extent, pool }));
        }
        let pages = found.iter().map(|run| u64::from(run.extent.count));
        self.split_buffers = pages.sum();
        self.available_extents.splice(0..0, found);
        Ok(())
    }

    /// First page owned, null when there is none.
    #[must_use]
    pub fn first_owned(&self) -> Pgno {
        let first = self.owned_extents.iter().map(Extent::first).min();
        first.unwrap_or(Pgno::NULL)
    }

    /// Last page owned, null when there is none.
    #[must_use]
    pub fn last_owned(&self) -> Pgno {
        let last = self.owned_extents.iter().map(|extent| extent.last).max();
        last.unwrap_or(Pgno::NULL)
    }
}

/// Shows every entry of a space tree and counts the tree's pages.
fn entries(reader: &Reader<'_>, root: Pgno, mut show: impl FnMut(SpaceEntry)) -> Step<SpaceTree> {
    reader.walk(root, &[], &mut |pgno, _, node| {
        if !node.flags.is_deleted() {
            show(
                SpaceEntry::parse(node)
                    .map_err(|_| Stop::at(JetError::DATABASE_CORRUPTED, pgno))?,
            );
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let pages = TreePages::count(reader, root)?;
    Ok(SpaceTree {
        internal: pages.internal,
        leaves: pages.data,
        depth: pages.depth,
        empty: pages.empty,
    })
}

impl TreePages {
    /// Counts the pages of a tree without reading its leaves: their number is that of the nodes
    /// above them. [engine]
    pub(super) fn count(reader: &Reader<'_>, root: Pgno) -> Step<Self> {
        let mut pages = Self::default();
        let mut left = reader.db.last_page().get();
        pages.down(reader, root, 1, &mut left)?;
        Ok(pages)
    }

    fn down(&mut self, reader: &Reader<'_>, pgno: Pgno, level: u32, left: &mut u32) -> Step<()> {
        let broken = Stop::at(JetError::DATABASE_CORRUPTED, pgno);
        *left = left.checked_sub(1).ok_or(broken)?;
        let mut bytes = reader.buffer();
        let page = reader.page(pgno, &mut bytes)?;
        let flags = page.flags();
        if flags.is_leaf() {
            (self.data, self.depth) = (self.data + 1, level);
            self.empty = level == 1 && page.node_count() == 0;
            return Ok(());
        }
        self.internal += 1;
        if flags.any(PageFlags::PARENT_OF_LEAF) {
            self.data += page.node_count() as u64;
            self.depth = level + 1;
            return Ok(());
        }
        if level as usize >= MAX_DEPTH {
            return Err(broken);
        }
        for line in 0..page.node_count() {
            let child = child_at(page, line).ok_or(broken)?;
            self.down(reader, child, level + 1, left)?;
        }
        Ok(())
    }
}

fn child_at(page: Page<'_>, line: usize) -> Option<Pgno> {
    page.node(line).ok().as_ref().and_then(child_of)
}
