//! Space: the header of a tree's root, and the extents in its OE and AE trees.
//! [format notes chapter 5]

use crate::format::bytes::u32_at;
use crate::format::ids::{Objid, Pgno};
use crate::format::page::{Node, Page};
use crate::tree::walk::{Descent, Visit};

use super::Database;

/// Bytes of a plain space header.
const PLAIN_LEN: usize = 16;
/// Flagged form: the space header is present.
const HAS_SPACE: u8 = 1;
/// Flagged form: the highest auto-increment value is present.
const HAS_AUTO_INCREMENT: u8 = 2;
/// Space header flag: the object has OE and AE trees.
const MULTIPLE: u32 = 1;
/// Space header flag: the tree is not unique.
const NON_UNIQUE: u32 = 2;
/// Space header flag: version 2, the first field is the size of the last extent.
const VERSION_2: u32 = 4;
/// Pages that the bitmap of a single extent can speak of.
const BITMAP_PAGES: u32 = 32;

/// The space header of a tree's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceHeader {
    /// Version 1: pages of the primary extent. Version 2: size of the last extent allocated.
    pub pages: u32,
    /// The root of the tree that the space came from; null for the database's own.
    pub parent: Pgno,
    /// Multiple extents, non-unique, version 2.
    flags: u32,
    /// The bitmap, or the root of the OE tree.
    last: u32,
    /// Highest auto-increment value, where the header keeps it (from 0x620,30 on).
    pub auto_increment: Option<u64>,
}

/// Where the extents of an object are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtentKind {
    /// One extent that starts at the root; set bits are free pages behind the root.
    Single {
        /// Bit i stands for page root + 1 + i.
        free: u32,
    },
    /// Trees of owned and of available extents.
    Multiple {
        /// Root of the owned extents.
        owned: Pgno,
        /// Root of the available extents.
        available: Pgno,
    },
}

impl SpaceHeader {
    /// Reads the external header of a root page; `None` when it has no legal size.
    #[must_use]
    pub fn parse(external: &[u8]) -> Option<Self> {
        if external.len() == PLAIN_LEN {
            return Self::plain(external, None);
        }
        // Flagged form: a byte of what follows, then the fields in bit order. [format notes 2.6]
        let (flags, rest) = external.split_first()?;
        let counter = flags & HAS_AUTO_INCREMENT != 0;
        let expected = PLAIN_LEN + if counter { 8 } else { 0 };
        if flags & HAS_SPACE == 0 || flags & !3 != 0 || rest.len() != expected {
            return None;
        }
        let auto_increment = counter
            .then(|| crate::format::bytes::u64_at(rest, PLAIN_LEN))
            .flatten();
        Self::plain(&rest[..PLAIN_LEN], auto_increment)
    }

    /// True for an external header that says what it holds, as from 0x620,30 on. [format notes 2.6]
    #[must_use]
    pub fn is_flagged(external: &[u8]) -> bool {
        external.len() != PLAIN_LEN && Self::parse(external).is_some()
    }

    fn plain(bytes: &[u8], auto_increment: Option<u64>) -> Option<Self> {
        Some(Self {
            pages: u32_at(bytes, 0)?,
            parent: Pgno::new(u32_at(bytes, 4)?),
            flags: u32_at(bytes, 8)?,
            last: u32_at(bytes, 12)?,
            auto_increment,
        })
    }

    /// True when the tree's keys may repeat.
    #[must_use]
    pub const fn is_non_unique(&self) -> bool {
        self.flags & NON_UNIQUE != 0
    }

    /// True when the first field is the size of the last extent.
    #[must_use]
    pub const fn is_version_2(&self) -> bool {
        self.flags & VERSION_2 != 0
    }

    /// Where the extents are. The AE tree always follows the OE tree.
    #[must_use]
    pub const fn kind(&self) -> ExtentKind {
        if self.flags & MULTIPLE != 0 {
            let owned = Pgno::new(self.last);
            ExtentKind::Multiple {
                owned,
                available: owned.next(),
            }
        } else {
            ExtentKind::Single { free: self.last }
        }
    }
}

/// A run of pages: the last, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Extent {
    /// Its last page.
    pub last: Pgno,
    /// How many pages.
    pub count: u32,
}

impl Extent {
    /// An extent by its first page.
    #[must_use]
    pub const fn starting(first: Pgno, count: u32) -> Self {
        Self {
            last: Pgno::new(first.get().saturating_add(count).saturating_sub(1)),
            count,
        }
    }

    /// Its first page; null when the count runs below page 1.
    #[must_use]
    pub const fn first(&self) -> Pgno {
        Pgno::new((self.last.get().saturating_add(1)).saturating_sub(self.count))
    }
}

/// What an available extent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// 0: anything.
    General,
    /// 1: contiguous growth; entries of no page are markers.
    Continuous,
    /// 2: pages beyond the end of the file, set aside. Only under the database root.
    Shelved,
    /// A number that no engine uses.
    Unknown(u8),
}

/// One entry of a space tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceEntry {
    /// The run.
    pub extent: Extent,
    /// Its pool; `None` for the short form of the key, which means the general pool.
    pub pool: Option<Pool>,
}

/// A node of a space tree that is not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpaceFault {
    /// The key has neither 4 nor 5 bytes, or its pool byte is not one.
    #[error("key of {0} bytes")]
    Key(usize),
    /// The data has not 4 bytes.
    #[error("data of {0} bytes")]
    Data(usize),
}

impl SpaceEntry {
    /// Reads a node of an OE or AE tree.
    ///
    /// # Errors
    /// [`SpaceFault`].
    pub fn parse(node: &Node<'_>) -> Result<Self, SpaceFault> {
        let mut key = [0; 5];
        let len = node.key_len();
        if len > key.len() {
            return Err(SpaceFault::Key(len));
        }
        for (to, from) in key.iter_mut().zip(node.key_bytes()) {
            *to = from;
        }
        let (pool, number) = match len {
            4 => (None, [key[0], key[1], key[2], key[3]]),
            // 0x80 marks the pool byte, its low three bits number the pool.
            5 if key[0] & 0xF8 == 0x80 => {
                let pool = match key[0] & 7 {
                    0 => Pool::General,
                    1 => Pool::Continuous,
                    2 => Pool::Shelved,
                    other => Pool::Unknown(other),
                };
                (Some(pool), [key[1], key[2], key[3], key[4]])
            }
            _ => return Err(SpaceFault::Key(len)),
        };
        let count = match node.data {
            [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
            other => return Err(SpaceFault::Data(other.len())),
        };
        let last = Pgno::new(u32::from_be_bytes(number));
        Ok(Self {
            extent: Extent { last, count },
            pool,
        })
    }

    /// The pool, with the short form spelled out.
    #[must_use]
    pub fn pool(&self) -> Pool {
        self.pool.unwrap_or(Pool::General)
    }
}

/// The two runs of pages kept for splits of a space tree itself; the external header of the OE and
/// AE roots. Empty in databases that only ESE 97 wrote. [format notes 5.5]
#[must_use]
pub fn split_buffer(root: Page<'_>) -> Option<[Extent; 2]> {
    match root.external_header() {
        [] => Some(
            [Extent {
                last: Pgno::NULL,
                count: 0,
            }; 2],
        ),
        bytes if bytes.len() == PLAIN_LEN => {
            let extent = |at: usize| {
                Some(Extent {
                    last: Pgno::new(u32_at(bytes, at)?),
                    count: u32_at(bytes, at + 4)?,
                })
            };
            Some([extent(0)?, extent(8)?])
        }
        _ => None,
    }
}

/// All space of one object, as its header and trees say; nothing is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectSpace {
    /// Extents that the object owns.
    pub owned: Vec<Extent>,
    /// Extents free within them (general and continuous pools).
    pub available: Vec<Extent>,
    /// Pages set aside beyond the end of the file.
    pub shelved: Vec<Extent>,
    /// Split buffers of both trees.
    pub split_buffers: Vec<Extent>,
    /// Highest auto-increment value of the root's header.
    pub auto_increment: Option<u64>,
    /// Pages that could not be read or did not parse.
    pub unreadable: u32,
    /// More than one extent.
    pub multiple: bool,
    /// Pages of the OE and AE trees.
    pub tree_pages: u32,
}

impl ObjectSpace {
    /// Reads the space of the tree with this root.
    #[must_use]
    pub fn read(db: &Database, root: Pgno) -> Self {
        let mut space = Self::default();
        let mut bytes = super::PageBytes::new(db.page_size());
        let header = match db.read(root, &mut bytes) {
            Ok(page) => SpaceHeader::parse(page.external_header()),
            Err(_) => None,
        };
        let Some(header) = header else {
            space.unreadable = 1;
            return space;
        };
        space.auto_increment = header.auto_increment;
        match header.kind() {
            ExtentKind::Single { free } => space.single(root, header.pages, free),
            ExtentKind::Multiple { owned, available } => {
                space.multiple = true;
                space.tree(db, owned, true);
                space.tree(db, available, false);
            }
        }
        space
    }

    /// One extent: the bitmap speaks of the first 32 pages behind the root, all others are free.
    fn single(&mut self, root: Pgno, pages: u32, free: u32) {
        self.owned.push(Extent::starting(root, pages.max(1)));
        for bit in (0..BITMAP_PAGES.min(pages.saturating_sub(1))).filter(|bit| free >> bit & 1 == 1)
        {
            self.available
                .push(Extent::starting(Pgno::new(root.get() + 1 + bit), 1));
        }
        let beyond = pages.saturating_sub(1 + BITMAP_PAGES);
        if beyond > 0 {
            let first = Pgno::new(root.get() + 1 + BITMAP_PAGES);
            self.available.push(Extent::starting(first, beyond));
        }
    }

    fn tree(&mut self, db: &Database, root: Pgno, owned: bool) {
        Descent::new(db, root).walk(&mut |visit| match visit {
            Visit::Internal(..) => self.tree_pages += 1,
            Visit::Leaf(_, page) => {
                self.tree_pages += 1;
                for node in page
                    .nodes()
                    .flatten()
                    .filter(|node| !node.flags.is_deleted())
                {
                    match SpaceEntry::parse(&node) {
                        Ok(entry) => self.entry(entry, owned),
                        Err(_) => self.unreadable += 1,
                    }
                }
            }
            Visit::Failed(..) => self.unreadable += 1,
        });
        let mut bytes = super::PageBytes::new(db.page_size());
        if let Ok(page) = db.read(root, &mut bytes) {
            let buffers = split_buffer(page).into_iter().flatten();
            self.split_buffers
                .extend(buffers.filter(|extent| extent.count > 0));
        }
    }

    fn entry(&mut self, entry: SpaceEntry, owned: bool) {
        match (owned, entry.pool()) {
            (true, _) => self.owned.push(entry.extent),
            (false, Pool::Shelved) => self.shelved.push(entry.extent),
            (false, _) if entry.extent.count > 0 => self.available.push(entry.extent),
            (false, _) => {}
        }
    }

    /// Pages owned.
    #[must_use]
    pub fn owned_pages(&self) -> u64 {
        self.owned
            .iter()
            .map(|extent| u64::from(extent.count))
            .sum()
    }

    /// Pages available, split buffers not counted.
    #[must_use]
    pub fn available_pages(&self) -> u64 {
        self.available
            .iter()
            .map(|extent| u64::from(extent.count))
            .sum()
    }
}

/// The root of an object, for naming its trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeId {
    /// Object id.
    pub objid: Objid,
    /// Root page.
    pub root: Pgno,
}
