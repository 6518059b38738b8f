//! Long values by id: a seek in the table's long value tree, then chunk after chunk.

use super::leaves::long_value_leaves;
use crate::db::catalog::Table;
use crate::db::{Database, PageBytes};
use crate::format::compress::CompressFault;
use crate::format::ids::{Objid, Pgno};
use crate::format::lv::{ChunkSize, Lid, LvFault, LvKey, LvPart, LvRoot, append_chunk};
use crate::format::page::{Node, Page, PageFlags};
use crate::tree::walk::{Failure, MAX_DEPTH, child_of};

/// Why a long value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LongFault {
    /// The table has no long value tree.
    #[error("long value {0}: the table has no long values")]
    NoTree(Lid),
    /// A page on the way to it.
    #[error("long value {lid}: page {page}: {what}")]
    Page {
        /// Which.
        lid: Lid,
        /// The page.
        page: Pgno,
        /// What is wrong with it.
        what: String,
    },
    /// No node with its id.
    #[error("long value {0} is missing")]
    Missing(Lid),
    /// One of its chunks is not there.
    #[error("long value {lid}: the chunk at byte {offset} is missing")]
    MissingChunk {
        /// Which.
        lid: Lid,
        /// Where the chunk starts.
        offset: u32,
    },
    /// Its root node.
    #[error("long value {lid}: {fault}")]
    Root {
        /// Which.
        lid: Lid,
        /// What is wrong.
        fault: LvFault,
    },
    /// A chunk that does not become what it should.
    #[error("long value {lid}: the chunk at byte {offset}: {fault}")]
    Chunk {
        /// Which.
        lid: Lid,
        /// Where the chunk starts.
        offset: u32,
        /// What is wrong.
        fault: CompressFault,
    },
    /// Encrypted; only the application has the key.
    #[error("long value {0} is encrypted")]
    Encrypted(Lid),
}

/// Pages kept: the way down a deep tree, and some leaves. Rows refer to long values that lie close
/// together, because ids are given out in the order of insertion.
const KEPT: usize = 12;

/// Reads the long values of one table.
pub struct LongValues<'d> {
    db: &'d Database,
    tree: Option<(Pgno, Objid)>,
    chunk_size: ChunkSize,
    kept: Vec<Kept>,
    clock: u64,
    key: Vec<u8>,
    /// Where the last node found was: the next chunk is mostly the next node.
    last: Option<Found>,
    /// All leaves by their first keys, once the tree has shown to be broken.
    leaves: Option<Vec<(Vec<u8>, Pgno)>>,
}

struct Kept {
    pgno: Pgno,
    bytes: PageBytes,
    used: u64,
}

#[derive(Clone, Copy)]
struct Found {
    pgno: Pgno,
    line: usize,
}

/// A long value whose root has been read.
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    lid: Lid,
    root: LvRoot,
}

impl Opened {
    /// Its length in bytes.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.root.size
    }
}

impl<'d> LongValues<'d> {
    /// Those of this table.
    #[must_use]
    pub fn new(db: &'d Database, table: &Table) -> Self {
        Self {
            db,
            tree: table.long_values.map(|tree| (tree.root, tree.objid)),
            chunk_size: ChunkSize::new(db.page_size(), table.lv_chunk_max),
            kept: Vec::new(),
            clock: 0,
            key: Vec::new(),
            last: None,
            leaves: None,
        }
    }

    /// Appends a whole value, or as much of it as lies in the chunks that hold its first `most` bytes. Returns its length.
    ///
    /// # Errors
    /// [`LongFault`]; what was read before the fault has been appended.
    pub fn read(&mut self, lid: Lid, most: u32, into: &mut Vec<u8>) -> Result<u32, LongFault> {
        let opened = self.open(lid)?;
        for offset in self.offsets(&opened).take_while(|offset| *offset < most) {
            self.append(&opened, offset, into)?;
        }
        Ok(opened.size())
    }

    /// Finds a long value.
    ///
    /// # Errors
    /// [`LongFault`].
    pub fn open(&mut self, lid: Lid) -> Result<Opened, LongFault> {
        let part = LvPart::Root;
        let found = self.find(LvKey { lid, part })?;
        let found = found.ok_or(LongFault::Missing(lid))?;
        let root = LvRoot::parse(self.node_at(found, lid)?.data)
            .map_err(|fault| LongFault::Root { lid, fault })?;
        if root.encrypted {
            return Err(LongFault::Encrypted(lid));
        }
        Ok(Opened { lid, root })
    }

    /// Where the chunks of a long value start.
    pub fn offsets(&self, long: &Opened) -> impl Iterator<Item = u32> + use<> {
        let step = self.chunk_size.get() as usize;
        (0..long.root.size).step_by(step)
    }

    /// Appends the chunk that starts at `offset`.
    ///
    /// # Errors
    /// [`LongFault`].
    pub fn append(
        &mut self,
        long: &Opened,
        offset: u32,
        into: &mut Vec<u8>,
    ) -> Result<(), LongFault> {
        let lid = long.lid;
        let missing = LongFault::MissingChunk { lid, offset };
        let part = LvPart::Chunk(offset);
        let found = self.find(LvKey { lid, part })?;
        let found = found.ok_or_else(|| missing.clone())?;
        let chunk_size = self.chunk_size;
        let expected = long.root.chunk_len(offset, chunk_size).ok_or(missing)?;
        append_chunk(self.node_at(found, lid)?.data, expected, into)
            .map_err(|fault| LongFault::Chunk { lid, offset, fault })
    }

    fn node_at(&mut self, found: Found, lid: Lid) -> Result<Node<'_>, LongFault> {
        let page = found.pgno;
        let node = self.page(page, lid)?.node(found.line);
        node.map_err(|fault| LongFault::Page {
            lid,
            page,
            what: fault.to_string(),
        })
    }

    fn find(&mut self, wanted: LvKey) -> Result<Option<Found>, LongFault> {
        let lid = wanted.lid;
        if let Some(Found { pgno, line }) = self.last {
            let next = Found {
                pgno,
                line: line + 1,
            };
            let page = self.page(pgno, lid)?;
            if is_at(page, next.line, wanted) {
                self.last = Some(next);
                return Ok(self.last);
            }
        }
        self.last = self.seek(wanted)?;
        Ok(self.last)
    }

    fn seek(&mut self, wanted: LvKey) -> Result<Option<Found>, LongFault> {
        let lid = wanted.lid;
        let (root, objid) = self.tree.ok_or(LongFault::NoTree(lid))?;
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        wanted.write(&mut key);
        let found = match self.descend((root, objid), wanted, &key) {
            // The leaf may be sound although the way to it is not.
            Err(fault) => match self.seek_beside(objid, wanted, &key) {
                Some(found) => Ok(Some(found)),
                None => Err(fault),
            },
            found => found,
        };
        self.key = key;
        found
    }

    fn descend(
        &mut self,
        (root, objid): (Pgno, Objid),
        wanted: LvKey,
        key: &[u8],
    ) -> Result<Option<Found>, LongFault> {
        let lid = wanted.lid;
        let mut pgno = root;
        for _ in 0..MAX_DEPTH {
            let page = self.page(pgno, lid)?;
            if page.objid() != objid || !page.flags().any(PageFlags::LONG_VALUE) {
                return Err(fault(lid, pgno, &Failure::WrongTree(page.objid())));
            }
            if page.flags().is_leaf() {
                let line = page.lower_bound(key);
                return Ok(is_at(page, line, wanted).then_some(Found { pgno, line }));
            }
            let line = page.child_line(key);
            let child = page.node(line).ok().as_ref().and_then(child_of);
            pgno = child.ok_or_else(|| fault(lid, pgno, &Failure::BadChild(line)))?;
        }
        Err(fault(lid, root, &Failure::TooDeep))
    }

    /// Looks at all leaves of the object, whether or not its tree leads to them.
    fn seek_beside(&mut self, objid: Objid, wanted: LvKey, key: &[u8]) -> Option<Found> {
        let db = self.db;
        let leaves = self
            .leaves
            .get_or_insert_with(|| long_value_leaves(db, objid));
        let after = leaves.partition_point(|(first, _)| first.as_slice() <= key);
        let (_, pgno) = *leaves.get(after.checked_sub(1)?)?;
        let page = self.page(pgno, wanted.lid).ok()?;
        let line = page.lower_bound(key);
        is_at(page, line, wanted).then_some(Found { pgno, line })
    }

    /// A page, read or kept.
    fn page(&mut self, pgno: Pgno, lid: Lid) -> Result<Page<'_>, LongFault> {
        self.clock += 1;
        let at = match self.kept.iter().position(|kept| kept.pgno == pgno) {
            Some(at) => at,
            None => self.load(pgno, lid)?,
        };
        let kept = &mut self.kept[at];
        kept.used = self.clock;
        Ok(kept.bytes.page())
    }

    fn load(&mut self, pgno: Pgno, lid: Lid) -> Result<usize, LongFault> {
        if self.kept.len() < KEPT {
            self.kept.push(Kept {
                pgno: Pgno::NULL,
                bytes: PageBytes::new(self.db.page_size()),
                used: 0,
            });
        }
        let oldest = self
            .kept
            .iter()
            .enumerate()
            .min_by_key(|(_, kept)| kept.used);
        let at = oldest.map_or(0, |(at, _)| at);
        let kept = &mut self.kept[at];
        kept.pgno = Pgno::NULL;
        kept.used = 0;
        if let Err(error) = self.db.read(pgno, &mut kept.bytes) {
            return Err(fault(lid, pgno, &Failure::Page(error)));
        }
        kept.pgno = pgno;
        Ok(at)
    }
}

fn fault(lid: Lid, page: Pgno, failure: &Failure) -> LongFault {
    LongFault::Page {
        lid,
        page,
        what: failure.to_string(),
    }
}

/// True when this node is there, is not deleted, and has this key.
fn is_at(page: Page<'_>, line: usize, wanted: LvKey) -> bool {
    page.node(line)
        .is_ok_and(|node| !node.flags.is_deleted() && LvKey::of_node(&node) == Ok(wanted))
}
