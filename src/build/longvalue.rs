//! The long value tree of a table. [format notes chapter 8]

use std::io::{Seek, Write};

use super::error::BuildError;
use super::file::DbFile;
use crate::format::ids::{Objid, PageSize};
use crate::format::page::NodeFlags;
use crate::tree::TreeWriter;
use crate::tree::space::SpacePlan;
use crate::tree::stores::{ChildStore, TableStore};

/// Long value ids of 8 bytes begin here. [format notes 8.1]
const FIRST_LID64: u64 = 0x8000_0000_8000_0001;

/// Bytes of long value per chunk. [format notes 8.2]
pub(super) const fn chunk_size(size: PageSize) -> usize {
    match size {
        PageSize::K2 => 1966,
        PageSize::K4 => 4014,
        PageSize::K8 => 8110,
        PageSize::K16 => 4050,
        PageSize::K32 => 8150,
    }
}

/// The tree being written.
pub(super) struct LongValues {
    pub tree: TreeWriter,
    pub space: SpacePlan,
    pub objid: Objid,
    next: u64,
    lid_bytes: usize,
    chunk: usize,
}

impl LongValues {
    pub const fn new(
        tree: TreeWriter,
        space: SpacePlan,
        objid: Objid,
        page_size: PageSize,
        lid_bytes: usize,
    ) -> Self {
        Self {
            tree,
            space,
            objid,
            next: if lid_bytes == 8 { FIRST_LID64 } else { 1 },
            lid_bytes,
            chunk: chunk_size(page_size),
        }
    }

    /// Stores a value that is referred to once; returns its id, little-endian as records hold it.
    pub fn add<W: Write + Seek>(
        &mut self,
        file: &mut DbFile<W>,
        table: &mut SpacePlan,
        bytes: &[u8],
    ) -> Result<[u8; 8], BuildError> {
        let lid = self.next;
        self.next += 1;
        let wide = lid.to_be_bytes();
        let mut key = wide[8 - self.lid_bytes..].to_vec();
        let mut root = [1, 0, 0, 0, 0, 0, 0, 0];
        root[4..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.push(file, table, &key, &root)?;
        for (number, chunk) in bytes.chunks(self.chunk).enumerate() {
            key.truncate(self.lid_bytes);
            key.extend_from_slice(&((number * self.chunk) as u32).to_be_bytes());
            self.push(file, table, &key, chunk)?;
        }
        Ok(lid.to_le_bytes())
    }

    /// Adds a node as it is.
    pub fn push<W: Write + Seek>(
        &mut self,
        file: &mut DbFile<W>,
        table: &mut SpacePlan,
        key: &[u8],
        data: &[u8],
    ) -> Result<(), BuildError> {
        let mut store = ChildStore {
            table: TableStore { file, space: table },
            space: &mut self.space,
        };
        self.tree
            .push(&mut store, key, data, NodeFlags::default())
            .map_err(|error| BuildError::in_tree("long values", error))
    }
}
