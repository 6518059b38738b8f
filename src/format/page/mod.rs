//! The one page model: a borrowed view over a page's bytes, for every page size and revision.
//!
//! Checksum, integrity check, replay, repair and defragmentation all look at pages through
//! [`Page`]; [`PageBuf`] is its writing twin. Only this room knows where a page field lies.
//!
//! ```text
//!        0        4        8                16       20       24       28     30     32     34     36
//!        +--------+--------+----------------+--------+--------+--------+------+------+------+------+-----+
//! small  | sum    | sum or | dbtime         | prev   | next   | objid  | free | unc. | mic  | tags |flags|
//!        |        | pgno   |                |        |        |        |      | free |      |      |     |
//!        +--------+--------+----------------+--------+--------+--------+------+------+------+------+-----+
//! large  | the same, then 40: sums of blocks 1 to 3 (24), 64: pgno (4), 68: zero (12)                  |
//!        +----------------------------------------------------------------------------------------------+
//!        lines grow upwards from the header's end; tags grow downwards from the page's end
//! ```
//! [format notes 2.1, 2.5, 3; verified on every corpus page]

mod check;
mod edit;
mod flags;
mod node;
mod redo;
mod search;

use super::bytes::{u16_at, u32_at, u64_at};
use super::ids::{DbTime, Objid, PageSize, Pgno};

pub use check::{CheckScratch, StructureFault};
pub use edit::{NoRoom, PageBuf};
pub use flags::PageFlags;
pub use node::{Node, NodeFault, NodeFlags};
pub use redo::{PageMut, dehydrate, rehydrate};

/// What processors read at once.
const CACHE_LINE: usize = 64;

const DBTIME: usize = 8;
const PREV: usize = DBTIME + size_of::<u64>();
const NEXT: usize = PREV + size_of::<u32>();
const OBJID: usize = NEXT + size_of::<u32>();
const FREE: usize = OBJID + size_of::<u32>();
const UNCOMMITTED_FREE: usize = FREE + size_of::<u16>();
const MIC_FREE: usize = UNCOMMITTED_FREE + size_of::<u16>();
const TAG_STATE: usize = MIC_FREE + size_of::<u16>();
const FLAGS: usize = TAG_STATE + size_of::<u16>();
/// Large pages only: the page's own number, after three block checksums.
const LARGE_PGNO: usize = FLAGS + size_of::<u32>() + 3 * size_of::<u64>();

/// Bytes of one tag.
pub const TAG_BYTES: usize = 4;
/// Tag count in the low bits of the tag state; the upper four hold the reserved tags from revision
/// 0x10E on and are zero before, because no page has room for 4096 tags.
const TAG_COUNT_MASK: u16 = 0x0FFF;

/// One entry of the tag array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Length of the line in bytes.
    pub cb: u16,
    /// Start of the line, counted from the end of the page header.
    pub ib: u16,
    /// Node flags of small pages; large pages keep them in the line.
    flags: u8,
}

impl Tag {
    /// End of the line, counted from the end of the page header.
    #[must_use]
    pub const fn end(self) -> usize {
        self.ib as usize + self.cb as usize
    }
}

/// A page's bytes with their meaning. Nothing is checked when it is made; every accessor that could
/// leave the page returns an `Option` or a fault.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    data: &'a [u8],
    size: PageSize,
}

impl<'a> Page<'a> {
    /// Looks at `data` as a page; `None` when it is not `size.bytes()` long.
    #[must_use]
    pub fn new(data: &'a [u8], size: PageSize) -> Option<Self> {
        (data.len() == size.bytes()).then_some(Self { data, size })
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.data
    }

    /// The page size.
    #[must_use]
    pub const fn size(self) -> PageSize {
        self.size
    }

    /// Bytes after the page header: what tags, lines and free space share.
    #[must_use]
    pub const fn room(self) -> usize {
        self.size.bytes() - self.size.page_header()
    }

    /// Time of the last change.
    #[must_use]
    pub fn dbtime(self) -> DbTime {
        DbTime::new(u64_at(self.data, DBTIME).unwrap_or_default())
    }

    /// Left sibling; null on internal pages and at the left edge.
    #[must_use]
    pub fn prev(self) -> Pgno {
        Pgno::new(self.u32(PREV))
    }

    /// Right sibling; null on internal pages and at the right edge.
    #[must_use]
    pub fn next(self) -> Pgno {
        Pgno::new(self.u32(NEXT))
    }

    /// The tree that the page belongs to.
    #[must_use]
    pub fn objid(self) -> Objid {
        Objid::new(self.u32(OBJID))
    }

    /// Free bytes in total, contiguous or not.
    #[must_use]
    pub fn free(self) -> usize {
        self.u16(FREE).into()
    }

    /// Part of the free bytes that open transactions may still claim back.
    #[must_use]
    pub fn uncommitted_free(self) -> usize {
        self.u16(UNCOMMITTED_FREE).into()
    }

    /// End of the highest line, counted from the end of the page header.
    #[must_use]
    pub fn mic_free(self) -> usize {
        self.u16(MIC_FREE).into()
    }

    /// Number of tags, tag 0 and reserved tags included.
    #[must_use]
    pub fn tag_count(self) -> usize {
        (self.u16(TAG_STATE) & TAG_COUNT_MASK).into()
    }

    /// The tag count and the reserved tags as they are stored (`itagState`).
    #[must_use]
    pub fn tag_state(self) -> u16 {
        self.u16(TAG_STATE)
    }

    /// Number of tags that hold no node: tag 0, and from revision 0x10E on perhaps more.
    #[must_use]
    pub fn reserved_tags(self) -> usize {
        usize::from(self.u16(TAG_STATE) >> 12 & 7).max(1)
    }

    /// What the page is.
    #[must_use]
    pub fn flags(self) -> PageFlags {
        PageFlags::new(self.u32(FLAGS))
    }

    /// The page number that the page itself carries: on large pages, and in the old checksum format.
    #[must_use]
    pub fn own_pgno(self) -> Option<Pgno> {
        if self.size.is_large() {
            Some(Pgno::new(self.u32(LARGE_PGNO)))
        } else {
            (!self.flags().has_new_checksum()).then(|| Pgno::new(self.u32(4)))
        }
    }

    /// Tag `itag`, whether or not the page counts it; `None` beyond the page.
    #[must_use]
    #[inline]
    pub fn tag(self, itag: usize) -> Option<Tag> {
        let at = self
            .data
            .len()
            .checked_sub(TAG_BYTES.checked_mul(itag + 1)?)?;
        let (cb, ib) = (u16_at(self.data, at)?, u16_at(self.data, at + 2)?);
        Some(if self.size.is_large() {
            Tag {
                cb: cb & 0x7FFF,
                ib: ib & 0x7FFF,
                flags: 0,
            }
        } else {
            Tag {
                cb: cb & 0x1FFF,
                ib: ib & 0x1FFF,
                flags: (ib >> 13) as u8,
            }
        })
    }

    /// The node flags of a tag: of the tag itself on small pages, of the line on large ones. None are
    /// set where the line is too short to hold them.
    #[must_use]
    pub fn tag_flags(self, itag: usize) -> NodeFlags {
        if self.size.is_large() {
            let first = self.line(itag).and_then(|line| u16_at(line, 0));
            return NodeFlags::new((first.unwrap_or_default() >> 13) as u8);
        }
        NodeFlags::new(self.tag(itag).map(|tag| tag.flags).unwrap_or_default())
    }

    /// The bytes of a line; `None` when the tag is beyond the page's count or the line leaves the
    /// page.
    #[must_use]
    #[inline]
    pub fn line(self, itag: usize) -> Option<&'a [u8]> {
        if itag >= self.tag_count() {
            return None;
        }
        self.tag(itag).and_then(|tag| self.line_of(tag))
    }

    #[inline]
    fn line_of(self, tag: Tag) -> Option<&'a [u8]> {
        let lines = self.data.get(self.size.page_header()..)?;
        lines.get(tag.ib.into()..tag.end())
    }

    /// Tag 0: the space header of a root, the key prefix of any other page. Empty when it is broken.
    #[must_use]
    #[inline]
    pub fn external_header(self) -> &'a [u8] {
        self.line(0).unwrap_or_default()
    }

    /// Number of nodes.
    #[must_use]
    #[inline]
    pub fn node_count(self) -> usize {
        self.tag_count().saturating_sub(self.reserved_tags())
    }

    /// Node `line` (0 is the first). Its key prefix is resolved against `prefix`, which is the
    /// page's external header for every page but a root, where no node may use one.
    ///
    /// # Errors
    /// [`NodeFault`] when the tag, the prefix or the suffix leaves its room.
    #[inline]
    pub fn node(self, line: usize) -> Result<Node<'a>, NodeFault> {
        let itag = line + self.reserved_tags();
        if itag >= self.tag_count() {
            return Err(NodeFault::NoSuchNode);
        }
        let tag = self.tag(itag).ok_or(NodeFault::LineOutside)?;
        let bytes = self.line_of(tag).ok_or(NodeFault::LineOutside)?;
        Node::parse(bytes, tag.flags, self)
    }

    /// Reads a byte of every cache line of node `line`, and gives back their sum, which means nothing: a change of
    /// many pages does this ahead, so that the processor waits for their memory once and not one after the other.
    #[must_use]
    #[inline]
    pub fn touch_line(self, line: usize) -> u64 {
        let tag = self.tag(line.saturating_add(self.reserved_tags()));
        let bytes = tag.and_then(|tag| self.line_of(tag)).unwrap_or_default();
        bytes
            .iter()
            .step_by(CACHE_LINE)
            .map(|byte| u64::from(*byte))
            .sum()
    }

    /// All nodes in order.
    pub fn nodes(self) -> impl DoubleEndedIterator<Item = Result<Node<'a>, NodeFault>> {
        (0..self.node_count()).map(move |line| self.node(line))
    }

    #[inline]
    fn u16(self, offset: usize) -> u16 {
        u16_at(self.data, offset).unwrap_or_default()
    }

    #[inline]
    fn u32(self, offset: usize) -> u32 {
        u32_at(self.data, offset).unwrap_or_default()
    }
}

impl std::fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page")
            .field("size", &self.size)
            .field("objid", &self.objid())
            .field("dbtime", &self.dbtime())
            .field("flags", &self.flags())
            .field("tags", &self.tag_count())
            .finish_non_exhaustive()
    }
}
