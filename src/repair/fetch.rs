//! The start of a long value, for an index over it, from a tree that may be damaged.

use std::collections::BTreeMap;

use crate::check::index_plan::FetchLongValue;
use crate::check::table::{FETCHED_AT_MOST, LongValueReader};
use crate::db::catalog::Table;
use crate::db::{Database, PageBytes, PageError};
use crate::format::ids::Pgno;
use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot, append_chunk};
use crate::format::page::Node;

use super::long_values::Census;

/// Reads long values by the tree, and where that does not lead to them, by what the census knows.
pub(super) struct Fetch<'a> {
    by_tree: LongValueReader<'a>,
    census: Option<&'a Census>,
}

impl<'a> Fetch<'a> {
    pub fn new(db: &'a Database, table: &Table, census: Option<&'a Census>) -> Self {
        Self {
            by_tree: LongValueReader {
                db,
                root: table.long_values.map(|tree| tree.root),
                chunk: ChunkSize::new(db.page_size(), table.lv_chunk_max),
            },
            census,
        }
    }

    /// From the pages on which its nodes were seen, in whatever order they are there.
    fn by_pages(&self, lid: Lid) -> Option<Vec<u8>> {
        let census = self.census?;
        let pages = &census.pages;
        let end = pages.partition_point(|(first, _)| *first <= lid.get());
        let start = pages.partition_point(|(first, _)| *first < lid.get());
        let mut nodes = BTreeMap::new();
        for (_, page) in pages.get(start.saturating_sub(1)..end)? {
            self.page(*page, lid, &mut nodes);
        }
        let root = nodes.remove(&LvPart::Root);
        let own = root.and_then(|data| LvRoot::parse(&data).ok());
        if own.is_some_and(|root| root.encrypted) {
            return None;
        }
        let root = LvRoot {
            references: 1,
            size: census.rootless(lid).or(own.map(|root| root.size))?,
            encrypted: false,
            has_flags: false,
        };
        let mut value = Vec::new();
        for (part, data) in nodes {
            let expected = match part {
                LvPart::Chunk(offset) if offset as usize == value.len() => {
                    root.chunk_len(offset, self.by_tree.chunk)
                }
                _ => None,
            };
            if let Some(expected) = expected {
                // What cannot be unpacked leaves the value too short.
                let _ = append_chunk(&data, expected, &mut value);
            }
        }
        let wanted = (root.size as usize).min(FETCHED_AT_MOST);
        (value.len() >= wanted).then_some(value)
    }

    /// The nodes of a long value on a page, as far as they are needed.
    fn page(&self, pgno: Pgno, lid: Lid, nodes: &mut BTreeMap<LvPart, Vec<u8>>) {
        let mut bytes = PageBytes::new(self.by_tree.db.page_size());
        let read = self.by_tree.db.read(pgno, &mut bytes).map(|_| ());
        let is_damaged = match read {
            Ok(()) => false,
            // What was believed of such a page is in the new file, and so in its indexes.
            Err(PageError::Checksum { .. }) => true,
            Err(_) => return,
        };
        let believed = |node: &Node<'_>| {
            let census = self.census.filter(|_| is_damaged);
            !is_damaged || census.is_some_and(|census| census.believes(&node.key(), node.data))
        };
        let live = |node: &Node<'_>| !node.flags.is_deleted();
        for node in bytes.page().nodes().flatten().filter(live) {
            let key = LvKey::of_node(&node);
            let Some(key) = key.ok().filter(|key| key.lid == lid && believed(&node)) else {
                continue;
            };
            let is_needed = match key.part {
                LvPart::Root => true,
                LvPart::Chunk(offset) => (offset as usize) < FETCHED_AT_MOST,
            };
            if is_needed {
                nodes.entry(key.part).or_insert_with(|| node.data.to_vec());
            }
        }
    }
}

impl FetchLongValue for Fetch<'_> {
    fn fetch(&self, lid: Lid) -> Option<Vec<u8>> {
        self.by_tree.fetch(lid).or_else(|| self.by_pages(lid))
    }
}
