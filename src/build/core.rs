//! What all tables of a database share while it is built: the file, the clock, the ids.

use std::io::{Seek, Write};

use super::catalog::CatalogRow;
use super::error::BuildError;
use super::file::{DbFile, RootOnly};
use super::space::{Extent, ObjectSpace, SPACE_HEADER};
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::page::{NodeFlags, PageFlags};
use crate::format::version::DbFormat;
use crate::tree::{FinishedTree, TreeSpec, TreeWriter};

/// First revision whose pages have the new checksum. [format notes 12.1]
const NEW_CHECKSUM_SINCE: u32 = 0xB;
/// First revision of the space header's second version. [format notes 5.1]
const SPACE_HEADER_2_SINCE: u32 = 0xD;
/// Space trees are written full: nothing is ever inserted here.
const FULL: u8 = 100;

/// The shared state.
pub(super) struct Core<W> {
    pub file: DbFile<W>,
    pub page_size: PageSize,
    pub format: DbFormat,
    pub lid64: bool,
    pub clock: u64,
    pub objid_last: u32,
    pub catalog: Vec<CatalogRow>,
}

impl<W: Write + Seek> Core<W> {
    pub const fn next_objid(&mut self) -> Objid {
        self.objid_last += 1;
        Objid::new(self.objid_last)
    }

    /// The flags that every page of the database has, and those of a kind of tree.
    pub const fn flags(&self, kind: u32) -> PageFlags {
        let checksum = if self.format.major >= NEW_CHECKSUM_SINCE {
            PageFlags::NEW_CHECKSUM
        } else {
            0
        };
        PageFlags::new(kind | checksum | PageFlags::NEW_RECORD_FORMAT)
    }

    /// Begins a tree; every tree is written at a later time than the one before.
    pub fn tree(&mut self, root: Pgno, objid: Objid, flags: PageFlags, density: u8) -> TreeWriter {
        self.clock += 1;
        TreeWriter::new(TreeSpec {
            page_size: self.page_size,
            root,
            objid,
            flags,
            dbtime: DbTime::new(self.clock),
            root_header: SPACE_HEADER,
            density,
        })
    }

    /// Writes the root of a finished tree and its space trees.
    pub fn close(
        &mut self,
        space: &ObjectSpace,
        objid: Objid,
        flags: PageFlags,
        finished: FinishedTree,
    ) -> Result<(), BuildError> {
        let non_unique = flags.any(PageFlags::NON_UNIQUE);
        let version_2 = self.format.major >= SPACE_HEADER_2_SINCE;
        let mut root = finished.root;
        let header = space.header(non_unique, version_2);
        root.set_external_header(&header)
            .map_err(|error| BuildError::Tree {
                tree: format!("object {objid}"),
                problem: error.to_string(),
            })?;
        self.file.put(space.fdp(), &root.seal())?;
        if let Some((owned, available)) = space.trees() {
            self.space_tree(owned, objid, flags, space.owned())?;
            self.space_tree(available, objid, flags, space.free())?;
        }
        Ok(())
    }

    /// One node per extent: last page big-endian, number of pages. [format notes 5.3, 5.4]
    fn space_tree(
        &mut self,
        root: Pgno,
        objid: Objid,
        flags: PageFlags,
        extents: &[Extent],
    ) -> Result<(), BuildError> {
        let flags = PageFlags::new(flags.bits() | PageFlags::SPACE_TREE);
        let mut tree = self.tree(root, objid, flags, FULL);
        let mut store = RootOnly {
            file: &mut self.file,
            objid: objid.get(),
        };
        let name = |error| BuildError::in_tree("space tree", error);
        for extent in extents {
            let (key, data) = (extent.last().to_be_bytes(), extent.count.to_le_bytes());
            tree.push(&mut store, &key, &data, NodeFlags::default())
                .map_err(name)?;
        }
        let finished = tree.finish(&mut store).map_err(name)?;
        self.file.put(root, &finished.root.seal())
    }
}
