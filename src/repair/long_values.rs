//! The long values of a damaged table: which of them are whole, and how often records refer to them.

use std::collections::{BTreeMap, HashSet};

use roaring::RoaringTreemap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::report::{Listed, LongValueLoss, LostLongValue};
use crate::format::compress;
use crate::format::ids::Pgno;
use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot};

/// What a first look at all nodes of a long value tree tells. Memory: some bits a long value, by runs of ids.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Whole, root and all.
    whole: RoaringTreemap,
    /// Whole but for the root, with their length in bytes.
    rootless: BTreeMap<u64, u32>,
    /// Not whole.
    pub lost: Listed<LostLongValue>,
    /// Ids in the order of the tree, with the page on which each page's first node lies; empty unless asked for.
    pub pages: Vec<(u64, Pgno)>,
    /// Hashes of the nodes that were taken from pages with a wrong checksum; empty unless asked for.
    believed: HashSet<u64>,
}

/// The long value whose nodes are being seen.
struct Open {
    lid: Lid,
    root: Option<LvRoot>,
    /// Bytes seen without a gap.
    seen: u64,
    whole: bool,
    scrubbed: bool,
    /// The last chunk was raw and shorter than a whole one, so that none can follow.
    ended: bool,
    page: Pgno,
}

/// Takes nodes in the order of the tree.
pub(super) struct CensusTaker {
    chunk: ChunkSize,
    with_pages: bool,
    open: Option<Open>,
    census: Census,
}

impl CensusTaker {
    pub fn new(chunk: ChunkSize, with_pages: bool) -> Self {
        Self {
            chunk,
            with_pages,
            open: None,
            census: Census::default(),
        }
    }

    /// Looks at a node.
    pub fn node(&mut self, key: &[u8], data: &[u8], page: Pgno) {
        // What is no key of a long value is left out again when the tree is written.
        let Ok(key) = LvKey::parse(key) else { return };
        let pages = &mut self.census.pages;
        if self.with_pages && pages.last().is_none_or(|(_, last)| *last != page) {
            pages.push((key.lid.get(), page));
        }
        let other = self.open.as_ref().is_none_or(|open| open.lid != key.lid);
        if other || key.part == LvPart::Root {
            self.close(page);
            let root = match key.part {
                LvPart::Root => LvRoot::parse(data).ok(),
                LvPart::Chunk(_) => None,
            };
            self.open = Some(Open {
                lid: key.lid,
                root,
                seen: 0,
                whole: true,
                scrubbed: false,
                ended: false,
                page,
            });
        }
        let chunk = self.chunk;
        if let (Some(open), LvPart::Chunk(offset)) = (&mut self.open, key.part) {
            open.page = page;
            open.chunk(offset, data, chunk);
        }
    }

    /// The node is of a page with a wrong checksum, others of which are not to be believed.
    pub fn believe(&mut self, key: &[u8], data: &[u8]) {
        if self.with_pages {
            self.census.believed.insert(hash(key, data));
        }
    }

    fn close(&mut self, next_page: Pgno) {
        let Some(open) = self.open.take() else { return };
        let lid = open.lid.get();
        // Another long value behind it on the same page proves that nothing is missing between them.
        let at_end = open.ended || open.page == next_page;
        let mut lose = |why| self.census.lost.push(LostLongValue { lid, why });
        match open.root {
            // A long value that is being deleted is as good as gone.
            Some(root) if root.references == LvRoot::BEING_DELETED => {}
            Some(root) if root.is_orphan() && (open.scrubbed || !open.whole) => {}
            Some(_) if open.scrubbed => lose(LongValueLoss::Scrubbed),
            Some(root) if open.whole && open.seen >= u64::from(root.size) => {
                self.census.whole.insert(lid);
            }
            Some(_) => lose(LongValueLoss::Incomplete),
            None if open.whole && open.seen > 0 && at_end => match u32::try_from(open.seen) {
                Ok(size) => drop(self.census.rootless.insert(lid, size)),
                Err(_) => lose(LongValueLoss::NoRoot),
            },
            None => lose(LongValueLoss::NoRoot),
        }
    }

    /// All nodes were seen.
    pub fn finish(mut self) -> Census {
        self.close(Pgno::NULL);
        self.census
    }
}

impl Open {
    fn chunk(&mut self, offset: u32, data: &[u8], chunk: ChunkSize) {
        if u64::from(offset) != self.seen || self.ended {
            self.whole = false;
            return;
        }
        let Some(root) = self.root else {
            return self.rootless_chunk(data, chunk);
        };
        if compress::is_scrubbed(data) && !root.encrypted {
            self.scrubbed = true;
            return;
        }
        let Some(expected) = root.chunk_len(offset, chunk) else {
            self.whole = false;
            return;
        };
        self.seen += expected as u64;
        self.whole &= root.encrypted || stands_for(data, expected);
    }

    /// Without the root only chunks that are certainly stored raw tell how long the long value is.
    fn rootless_chunk(&mut self, data: &[u8], chunk: ChunkSize) {
        let full = chunk.get() as usize;
        if data.len() == full {
            self.seen += full as u64;
        } else if data.len() < full && !compress::is_scrubbed(data) && is_raw(data, full) {
            self.seen += data.len() as u64;
            self.ended = true;
        } else {
            self.whole = false;
        }
    }
}

/// True when a chunk can stand for `expected` bytes. [format notes 13.6 L11]
fn stands_for(data: &[u8], expected: usize) -> bool {
    if data.len() < expected {
        compress::uncompressed_len(data).is_ok_and(|len| len.is_none_or(|len| len == expected))
    } else {
        data.len() == expected
    }
}

/// True when the bytes can be no compressed chunk.
fn is_raw(data: &[u8], full: usize) -> bool {
    match compress::uncompressed_len(data) {
        Err(_) => true,
        Ok(len) => len.is_some_and(|len| len <= data.len() || len > full),
    }
}

fn hash(key: &[u8], data: &[u8]) -> u64 {
    xxh3_64_with_seed(data, xxh3_64(key))
}

impl Census {
    /// True when a node of a page with a wrong checksum was taken.
    pub fn believes(&self, key: &[u8], data: &[u8]) -> bool {
        self.believed.contains(&hash(key, data))
    }

    /// True when a record may refer to it.
    pub fn has(&self, lid: Lid) -> bool {
        let lid = lid.get();
        self.whole.contains(lid) || self.rootless.contains_key(&lid)
    }

    /// True when it has a root of its own.
    pub fn has_root(&self, lid: Lid) -> bool {
        self.whole.contains(lid.get())
    }

    /// The length of one that needs a new root.
    pub fn rootless(&self, lid: Lid) -> Option<u32> {
        self.rootless.get(&lid.get()).copied()
    }
}

/// How often records refer to each long value. Most are referred to once: the rest are counted one by one.
#[derive(Debug, Default)]
pub(super) struct References {
    once: RoaringTreemap,
    more: BTreeMap<u64, u32>,
}

impl References {
    pub fn add(&mut self, lid: Lid) {
        let lid = lid.get();
        if !self.once.insert(lid) {
            let more = self.more.entry(lid).or_default();
            *more = more.saturating_add(1);
        }
    }

    pub fn count(&self, lid: Lid) -> u32 {
        let lid = lid.get();
        let more = self.more.get(&lid).copied().unwrap_or_default();
        u32::from(self.once.contains(lid)).saturating_add(more)
    }
}

#[cfg(test)]
mod tests {
    use super::{Census, CensusTaker};
    use crate::format::ids::{PageSize, Pgno};
    use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart};

    fn taken(nodes: &[(u64, LvPart, Vec<u8>, u32)]) -> Census {
        let chunk = ChunkSize::new(PageSize::K4, Some(10));
        let mut taker = CensusTaker::new(chunk, false);
        for (lid, part, data, page) in nodes {
            let mut key = Vec::new();
            let lid = Lid::new(*lid).unwrap();
            LvKey { lid, part: *part }.write(&mut key);
            taker.node(&key, data, Pgno::new(*page));
        }
        taker.finish()
    }

    fn root(size: u32) -> Vec<u8> {
        [1u32.to_le_bytes(), size.to_le_bytes()].concat()
    }

    fn raw(len: usize) -> Vec<u8> {
        vec![0xFF; len]
    }

    #[test]
    fn only_whole_long_values_count() {
        let census = taken(&[
            (1, LvPart::Root, root(15), 5),
            (1, LvPart::Chunk(0), raw(10), 5),
            (1, LvPart::Chunk(10), raw(5), 5),
            (2, LvPart::Root, root(15), 5),
            (2, LvPart::Chunk(0), raw(10), 5),
            (3, LvPart::Root, root(15), 6),
            (3, LvPart::Chunk(10), raw(5), 6),
            (4, LvPart::Root, root(0), 6),
        ]);
        let has = [1, 2, 3, 4].map(|lid| census.has(Lid::new(lid).unwrap()));
        assert_eq!(has, [true, false, false, true]);
        assert_eq!(census.lost.count, 2);
    }

    #[test]
    fn a_root_is_made_where_the_length_is_certain() {
        let census = taken(&[
            (1, LvPart::Chunk(0), raw(10), 5),
            (1, LvPart::Chunk(10), raw(5), 5),
            // Whole chunks only, the next long value on the same page.
            (2, LvPart::Chunk(0), raw(10), 6),
            (3, LvPart::Chunk(0), raw(10), 6),
            // Whole chunks only at the end of a page: more may have followed.
            (4, LvPart::Chunk(0), raw(10), 7),
        ]);
        let sizes = [1, 2, 3, 4].map(|lid| census.rootless(Lid::new(lid).unwrap()));
        assert_eq!(sizes, [Some(15), Some(10), None, None]);
    }
}
