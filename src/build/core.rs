//! What all tables of a database share while it is built: the file, the clock, the ids.

use std::io::{Seek, Write};

use super::catalog::CatalogRow;
use super::error::BuildError;
use super::file::DbFile;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::page::PageFlags;
use crate::format::version::DbFormat;
use crate::tree::space::{self, SPACE_HEADER, SpacePlan};
use crate::tree::stores;
use crate::tree::{FinishedTree, TreeSpec, TreeWriter};

/// First revision whose pages have the new checksum. [format notes 12.1]
const NEW_CHECKSUM_SINCE: u32 = 0xB;
/// Of no account for a tree that is finished.
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
        TreeWriter::new(self.spec(root, objid, flags, density))
    }

    const fn spec(&self, root: Pgno, objid: Objid, flags: PageFlags, density: u8) -> TreeSpec {
        TreeSpec {
            page_size: self.page_size,
            root,
            objid,
            flags,
            dbtime: DbTime::new(self.clock),
            root_header: SPACE_HEADER,
            density,
        }
    }

    /// Writes the root of a finished tree and its space trees.
    pub fn close(
        &mut self,
        space: &SpacePlan,
        objid: Objid,
        flags: PageFlags,
        finished: FinishedTree,
    ) -> Result<(), BuildError> {
        let non_unique = flags.any(PageFlags::NON_UNIQUE);
        let header = space.header(non_unique, space::has_version_2(self.format.major));
        let spec = self.spec(space.fdp(), objid, flags, FULL);
        let clock = &mut self.clock;
        let next_time = || {
            *clock += 1;
            DbTime::new(*clock)
        };
        stores::close_tree(&mut self.file, spec, space, &header, finished, next_time)
            .map_err(|error| BuildError::in_tree(&format!("object {objid}"), error))
    }
}
