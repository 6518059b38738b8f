//! Damage on purpose: the same seed does the same harm, and the checksum is mended unless it is what
//! the harm is about, so that the damage reaches the layer that it is meant for.
//!
//! Tests of checking and repairing use it; it works on any database in memory.

use crate::db::{Database, PageBytes};
use crate::format::checksum::{seal, seal_header};
use crate::format::ids::{HEADER_PAGES, Objid, PageSize, Pgno};
use crate::format::page::{Page, PageFlags, TAG_BYTES};
use crate::problem::Problem;
use crate::storage::Memory;

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Damage {
    /// One bit of a page is flipped; the checksum is left wrong.
    BitFlip,
    /// Some bytes of a page become noise; the checksum is left wrong.
    Noise,
    /// A page becomes zero.
    ZeroPage,
    /// A page gets the bytes of another, checksum and all.
    StalePage,
    /// A page belongs to another object.
    WrongObject,
    /// A leaf's right neighbour is itself.
    SiblingCycle,
    /// Two neighbouring nodes change places.
    UnsortedKeys,
    /// A tag points past the end of the lines.
    TagPastEnd,
    /// An internal node points to a page of another tree.
    WrongChild,
    /// An internal node points to its own page.
    ChildCycle,
    /// A page's time is ahead of the database's.
    FutureDbtime,
    /// The primary header is noise.
    PrimaryHeader,
}

impl Damage {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::BitFlip,
        Self::Noise,
        Self::ZeroPage,
        Self::StalePage,
        Self::WrongObject,
        Self::SiblingCycle,
        Self::UnsortedKeys,
        Self::TagPastEnd,
        Self::WrongChild,
        Self::ChildCycle,
        Self::FutureDbtime,
        Self::PrimaryHeader,
    ];

    /// The problems of which the integrity check must report at least one.
    #[must_use]
    pub const fn found_as(self) -> &'static [Problem] {
        match self {
            // A flipped bit may be one that the code corrects, or one of the checksum itself.
            Self::BitFlip => &[
                Problem::PageCorrectable,
                Problem::PageBadChecksum,
                Problem::PageMisplaced,
            ],
            Self::Noise => &[Problem::PageBadChecksum, Problem::PageMisplaced],
            Self::ZeroPage => &[Problem::PageUninitialized],
            Self::StalePage => &[Problem::PageMisplaced, Problem::PageNumber],
            Self::WrongObject | Self::WrongChild => &[Problem::TreeWrongObject],
            Self::SiblingCycle => &[Problem::TreeLinks],
            Self::UnsortedKeys | Self::TagPastEnd => &[Problem::PageStructure],
            Self::ChildCycle => &[
                Problem::TreeVisitedTwice,
                Problem::TreeShape,
                Problem::TreeOrder,
                Problem::TreeFlags,
            ],
            Self::FutureDbtime => &[Problem::TreeDbtime],
            Self::PrimaryHeader => &[Problem::HeaderPrimaryBad],
        }
    }

    /// What a page must be for this damage to mean something.
    fn suits(self, page: Page<'_>) -> bool {
        let flags = page.flags();
        let plain = !flags.is_space_tree() && !flags.is_empty();
        match self {
            Self::SiblingCycle => plain && flags.is_leaf() && !flags.is_root(),
            Self::UnsortedKeys => plain && flags.is_leaf() && page.node_count() >= 2,
            Self::TagPastEnd => page.node_count() >= 1 && plain,
            Self::WrongChild | Self::ChildCycle => {
                plain && !flags.is_leaf() && page.node_count() >= 1
            }
            Self::PrimaryHeader => true,
            _ => plain && page.node_count() >= 1,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The kind.
    pub damage: Damage,
    /// The page; null for the header.
    pub page: Pgno,
}

/// Damages `bytes`, a whole database, once. `None` when it has no page that suits the kind.
pub fn damage(bytes: &mut [u8], kind: Damage, seed: u64) -> Option<Done> {
    let mut random = Random(seed);
    let pages = suitable(bytes, kind)?;
    if kind == Damage::PrimaryHeader {
        let at = 100 + random.below(300);
        bytes[at] ^= 0x5A;
        return Some(Done {
            damage: kind,
            page: Pgno::NULL,
        });
    }
    let (size, list) = pages;
    let &pgno = list.get(random.below(list.len().max(1)))?;
    let other = list.iter().copied().find(|other| *other != pgno);
    let start = pgno.offset(size) as usize;
    if kind == Damage::StalePage {
        let from = other?.offset(size) as usize;
        bytes.copy_within(from..from + size.bytes(), start);
        return Some(Done {
            damage: kind,
            page: pgno,
        });
    }
    let page = &mut bytes[start..start + size.bytes()];
    let mend = harm(page, kind, size, pgno, &mut random)?;
    if mend {
        seal(page, size, pgno);
    }
    Some(Done {
        damage: kind,
        page: pgno,
    })
}

/// Does the harm; true when the checksum is to be mended.
fn harm(
    page: &mut [u8],
    kind: Damage,
    size: PageSize,
    pgno: Pgno,
    random: &mut Random,
) -> Option<bool> {
    let view = Page::new(page, size)?;
    let reserved = view.reserved_tags();
    let tags = view.tag_count();
    let own = view.objid();
    match kind {
        Damage::BitFlip => {
            let bit = 64 + random.below(8 * page.len() - 64);
            page[bit / 8] ^= 1 << (bit % 8);
            return Some(false);
        }
        Damage::Noise => {
            let at = size.page_header() + random.below(page.len() - size.page_header() - 64);
            page[at..at + 64]
                .iter_mut()
                .for_each(|byte| *byte ^= random.byte() | 1);
            return Some(false);
        }
        Damage::ZeroPage => {
            page.fill(0);
            return Some(false);
        }
        Damage::WrongObject => put(page, 24, own.get() ^ 0x4000),
        Damage::SiblingCycle => put(page, 20, pgno.get()),
        Damage::FutureDbtime => page[8..16].copy_from_slice(&0x7FFF_FFFFu64.to_le_bytes()),
        Damage::UnsortedKeys => {
            let first =
                page.len() - TAG_BYTES * (reserved + 1 + random.below(tags - reserved - 1) + 1);
            let (low, high) = page[first..].split_at_mut(TAG_BYTES);
            low.swap_with_slice(&mut high[..TAG_BYTES]);
        }
        Damage::TagPastEnd => {
            let tag = reserved + random.below(tags - reserved);
            let at = page.len() - TAG_BYTES * (tag + 1) + 2;
            let keep = u16::from_le_bytes([page[at], page[at + 1]]);
            let (mask, end) = if size.is_large() {
                (0x7FFF, 0x7FF0)
            } else {
                (0x1FFF, 0x1FF0)
            };
            page[at..at + 2].copy_from_slice(&(keep & !mask | end).to_le_bytes());
        }
        Damage::WrongChild | Damage::ChildCycle => {
            let line = random.below(tags - reserved);
            let child = view.node(line).ok()?.data.as_ptr() as usize - page.as_ptr() as usize;
            // Page 2 is the root of the database's owned extents: a page of another tree for sure.
            let to = if kind == Damage::ChildCycle {
                pgno
            } else {
                Pgno::new(2)
            };
            put(page, child, to.get());
        }
        Damage::StalePage | Damage::PrimaryHeader => return None,
    }
    Some(true)
}

fn put(page: &mut [u8], at: usize, value: u32) {
    page[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Page size, and the pages of tables that the kind suits. The catalog and the database's own root
/// are left alone, so that what is damaged can be named.
fn suitable(bytes: &[u8], kind: Damage) -> Option<(PageSize, Vec<Pgno>)> {
    let storage = Box::new(Memory::new(bytes.to_vec()));
    let db = Database::from_storage(storage, std::path::Path::new("damaged"), None).ok()?;
    let mut buffer = PageBytes::new(db.page_size());
    let mut found = Vec::new();
    for pgno in (1..=db.last_page().get()).map(Pgno::new) {
        let Ok(page) = db.read(pgno, &mut buffer) else {
            continue;
        };
        if page.objid() > Objid::CATALOG_SHADOW && kind.suits(page) && is_of_table(page) {
            found.push(pgno);
        }
    }
    (!found.is_empty()).then_some((db.page_size(), found))
}

/// Indexes of the catalog have small object ids of their own, but carry the index flag.
fn is_of_table(page: Page<'_>) -> bool {
    !(page.flags().any(PageFlags::INDEX) && page.objid() <= Objid::new(5))
}

/// Mends both headers of a database in memory, for tests that change header fields.
pub fn mend_headers(bytes: &mut [u8], size: PageSize) {
    for page in bytes
        .chunks_exact_mut(size.bytes())
        .take(HEADER_PAGES as usize)
    {
        seal_header(page);
    }
}

/// A small generator of numbers: the same seed, the same numbers, on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}
