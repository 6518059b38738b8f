//! Where the writer's pages come from: the space of a table, which grows at the end of the file, and that of an index or
//! long value tree, which grows within its table's; and the end of every tree, when its space is known.

use super::space::{Run, SpacePlan};
use super::writer::{FinishedTree, TreeError, TreeSpec, TreeStore, TreeWriter};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::page::{NodeFlags, PageFlags};

/// Space trees are written full: nothing is ever inserted here.
const FULL: u8 = 100;

/// A file that pages are written to in any order, while their numbers are handed out upwards.
pub trait PageFile {
    /// What can go wrong.
    type Error;

    /// New pages at the end.
    ///
    /// # Errors
    /// When there are no more page numbers.
    fn take(&mut self, count: u32) -> Result<Run, Self::Error>;

    /// Takes a finished, sealed page.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn put(&mut self, pgno: Pgno, page: &[u8]) -> Result<(), Self::Error>;

    /// What it is called when the object has more extents than the root of a space tree holds.
    fn fragmented(&self, objid: Objid) -> Self::Error;
}

/// Pages of a table: from its own space, which grows at the end of the file.
pub struct TableStore<'a, F> {
    /// The file.
    pub file: &'a mut F,
    /// The table's space.
    pub space: &'a mut SpacePlan,
}

impl<F: PageFile> TableStore<'_, F> {
    fn grow(&mut self, count: u32) -> Result<(), F::Error> {
        let trees = if self.space.is_multiple() { 0 } else { 2 };
        let extent = self.file.take(count + trees)?;
        self.space.grow(extent);
        Ok(())
    }

    /// A run of pages for a child object.
    ///
    /// # Errors
    /// What the file says.
    pub fn take_run(&mut self, count: u32) -> Result<Run, F::Error> {
        loop {
            if let Some(run) = self.space.take_run(count) {
                return Ok(run);
            }
            self.grow(count)?;
        }
    }
}

impl<F: PageFile> TreeStore for TableStore<'_, F> {
    type Error = F::Error;

    fn allocate(&mut self) -> Result<Pgno, F::Error> {
        loop {
            if let Some(pgno) = self.space.take() {
                return Ok(pgno);
            }
            self.grow(self.space.wanted())?;
        }
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), F::Error> {
        self.file.put(pgno, &page)
    }
}

/// Pages of an index or long value tree: from its own space, which grows inside its table's.
pub struct ChildStore<'a, F> {
    /// The table.
    pub table: TableStore<'a, F>,
    /// The tree's space.
    pub space: &'a mut SpacePlan,
}

impl<F: PageFile> TreeStore for ChildStore<'_, F> {
    type Error = F::Error;

    fn allocate(&mut self) -> Result<Pgno, F::Error> {
        loop {
            if let Some(pgno) = self.space.take() {
                return Ok(pgno);
            }
            let trees = if self.space.is_multiple() { 0 } else { 2 };
            let run = self.table.take_run(self.space.wanted() + trees)?;
            self.space.grow(run);
        }
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), F::Error> {
        self.table.put(pgno, page)
    }
}

/// Pages of an object that is written whole, before anything else is: each the next of the file.
pub struct EndStore<'a, F> {
    /// The file.
    pub file: &'a mut F,
}

impl<F: PageFile> TreeStore for EndStore<'_, F> {
    type Error = F::Error;

    fn allocate(&mut self) -> Result<Pgno, F::Error> {
        Ok(Pgno::new(self.file.take(1)?.first))
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), F::Error> {
        self.file.put(pgno, &page)
    }
}

/// Pages of a space tree, which has its root only.
pub struct RootOnly<'a, F> {
    /// The file.
    pub file: &'a mut F,
    /// Whose space it is.
    pub objid: Objid,
}

impl<F: PageFile> TreeStore for RootOnly<'_, F> {
    type Error = F::Error;

    fn allocate(&mut self) -> Result<Pgno, F::Error> {
        Err(self.file.fragmented(self.objid))
    }

    fn put(&mut self, pgno: Pgno, page: Vec<u8>) -> Result<(), F::Error> {
        self.file.put(pgno, &page)
    }
}

/// Writes what is left of a finished tree: the root with its space header, and the space trees.
///
/// `root_header` is what stands in front of all nodes of the root: as many bytes as `spec` announced. Every space tree
/// has a time of its own.
///
/// # Errors
/// What the file says; [`TreeError::TooLarge`] when the header is not of the announced length.
pub fn close_tree<F: PageFile>(
    file: &mut F,
    spec: TreeSpec,
    space: &SpacePlan,
    root_header: &[u8],
    finished: FinishedTree,
    mut next_time: impl FnMut() -> DbTime,
) -> Result<(), TreeError<F::Error>> {
    let mut root = finished.root;
    root.set_external_header(root_header)
        .map_err(|no_room| TreeError::TooLarge {
            node: finished.summary.nodes,
            bytes: no_room.need,
        })?;
    file.put(space.fdp(), &root.seal())?;
    if let Some((owned, available)) = space.trees() {
        for (root, runs) in [(owned, space.owned()), (available, space.free())] {
            let spec = TreeSpec {
                root,
                flags: PageFlags::new(spec.flags.bits() | PageFlags::SPACE_TREE),
                dbtime: next_time(),
                root_header: super::space::SPACE_HEADER,
                density: FULL,
                ..spec
            };
            space_tree(file, spec, runs)?;
        }
    }
    Ok(())
}

/// One node per run: last page big-endian, number of pages. The header is the split buffer, empty. [format notes 5.3 to
/// 5.5]
fn space_tree<F: PageFile>(
    file: &mut F,
    spec: TreeSpec,
    runs: &[Run],
) -> Result<(), TreeError<F::Error>> {
    let mut tree = TreeWriter::new(spec);
    let mut store = RootOnly {
        file,
        objid: spec.objid,
    };
    for run in runs {
        let (key, data) = (run.last().to_be_bytes(), run.count.to_le_bytes());
        tree.push(&mut store, &key, &data, NodeFlags::default())?;
    }
    let finished = tree.finish(&mut store)?;
    Ok(file.put(spec.root, &finished.root.seal())?)
}
