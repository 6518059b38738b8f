//! Changes of a page in place, laid out as the engine lays them out: a line that shrinks stays where it is, one that
//! grows moves to the end of the used space, and lines are moved together only when the free bytes at the end do
//! not suffice. So a replayed page comes out like the engine's own, but for bytes that nothing uses.
//! [format notes 3; log notes 7.1, verified on the corpus's recovered pages]

use super::{
    DBTIME, FLAGS, FREE, LARGE_PGNO, MIC_FREE, NEXT, NoRoom, NodeFlags, OBJID, PREV, Page,
    PageFlags, TAG_BYTES, TAG_COUNT_MASK, TAG_STATE, UNCOMMITTED_FREE,
};
use crate::format::bytes::u16_at;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};

/// A page that may be changed. Its structure must have been found sound ([`Page::check_structure`]); every method
/// keeps it so.
///
/// [`Page::check_structure`]: super::Page::check_structure
#[derive(Debug)]
pub struct PageMut<'a> {
    pub(super) data: &'a mut [u8],
    pub(super) size: PageSize,
    /// Pages of this database say how many tags are reserved.
    pub(super) counts_reserved: bool,
}

impl<'a> PageMut<'a> {
    /// Wraps a page's bytes; `None` when the length is wrong.
    #[must_use]
    pub const fn new(data: &'a mut [u8], size: PageSize) -> Option<Self> {
        if data.len() == size.bytes() {
            Some(Self {
                data,
                size,
                counts_reserved: false,
            })
        } else {
            None
        }
    }

    /// The reading twin.
    #[must_use]
    pub const fn view(&self) -> Page<'_> {
        Page {
            data: self.data,
            size: self.size,
        }
    }

    /// Pages of newer databases (revision 0x10E on) say how many tags are reserved, one at least; a page gets that when
    /// its number of tags changes. [engine; verified: crash-none-4k]
    #[must_use]
    pub const fn counting_reserved(mut self, yes: bool) -> Self {
        self.counts_reserved = yes;
        self
    }

    /// Makes the page new: zero, with an empty external header and no nodes.
    pub fn init(&mut self, pgno: Pgno, objid: Objid, flags: PageFlags, dbtime: DbTime) {
        self.init_bare(pgno, objid, flags, dbtime);
        self.set_tag_count(1);
        let free = self.view().room() - TAG_BYTES;
        self.set_u16(FREE, free as u16);
    }

    /// Makes the page a place holder, without even an external header: what a NewPage record leaves.
    pub fn init_bare(&mut self, pgno: Pgno, objid: Objid, flags: PageFlags, dbtime: DbTime) {
        self.data.fill(0);
        self.set_u32(OBJID, objid.get());
        self.set_flags(flags);
        self.set_dbtime(dbtime);
        let free = self.view().room();
        self.set_u16(FREE, free as u16);
        if self.size.is_large() {
            self.set_u32(LARGE_PGNO, pgno.get());
        }
    }

    /// Takes over another page's bytes, but keeps its own number.
    pub fn copy_from(&mut self, bytes: &[u8], pgno: Pgno) {
        if bytes.len() == self.data.len() {
            self.data.copy_from_slice(bytes);
            if self.size.is_large() {
                self.set_u32(LARGE_PGNO, pgno.get());
            }
        }
    }

    /// Sets the time of the last change.
    pub fn set_dbtime(&mut self, dbtime: DbTime) {
        self.data[DBTIME..PREV].copy_from_slice(&dbtime.get().to_le_bytes());
    }

    /// Sets the left sibling.
    pub fn set_prev(&mut self, prev: Pgno) {
        self.set_u32(PREV, prev.get());
    }

    /// Sets the right sibling.
    pub fn set_next(&mut self, next: Pgno) {
        self.set_u32(NEXT, next.get());
    }

    /// Sets the owner tree.
    pub fn set_objid(&mut self, objid: Objid) {
        self.set_u32(OBJID, objid.get());
    }

    /// Sets the flag word.
    pub fn set_flags(&mut self, flags: PageFlags) {
        self.set_u32(FLAGS, flags.bits());
    }

    /// Sets the free bytes that open transactions may claim back.
    pub fn set_uncommitted_free(&mut self, bytes: u16) {
        self.set_u16(UNCOMMITTED_FREE, bytes);
    }

    /// Replaces the external header.
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
    pub fn set_external_header(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
        self.replace_line(0, parts, 0)
    }

    /// Inserts a node before node `line`: count of key bytes taken from the page's prefix (0 for none), rest of the
    /// key in parts, data in parts, version and deleted flags.
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit, or there is no such place; the page is then as before.
    pub fn insert_node(
        &mut self,
        line: usize,
        prefix: usize,
        suffix: &[u8],
        data: &[u8],
        flags: u8,
    ) -> Result<(), NoRoom> {
        let itag = line + self.view().reserved_tags();
        let flags = with_compression(flags, prefix);
        let (counts, used) = self.counts(prefix, suffix.len(), flags);
        self.insert_line(itag, &[&counts[..used], suffix, data], flags)
    }

    /// Replaces node `line` as a whole; see [`PageMut::insert_node`].
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit, or there is no such node; the page is then as before.
    pub fn replace_node(
        &mut self,
        line: usize,
        prefix: usize,
        suffix: &[u8],
        data: &[u8],
        flags: u8,
    ) -> Result<(), NoRoom> {
        let itag = line + self.view().reserved_tags();
        let flags = with_compression(flags, prefix);
        let (counts, used) = self.counts(prefix, suffix.len(), flags);
        self.replace_line(itag, &[&counts[..used], suffix, data], flags)
    }

    /// Replaces the data of node `line`; key and flags stay.
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit, or there is no such node; the page is then as before.
    pub fn replace_data(&mut self, line: usize, data: &[u8]) -> Result<(), NoRoom> {
        let page = self.view();
        let itag = line + page.reserved_tags();
        let (Ok(node), Some(old)) = (page.node(line), page.line(itag)) else {
            return Err(NoRoom {
                need: data.len(),
                free: 0,
            });
        };
        let kept = old.len() - node.data.len();
        let flags = node.flags.bits();
        if kept + data.len() <= old.len() {
            // The line stays where it is, so its start need not be copied.
            let start = self.size.page_header() + self.tag_ib(itag) + kept;
            self.resize_in_place(itag, kept + data.len(), flags);
            self.data[start..start + data.len()].copy_from_slice(data);
            return Ok(());
        }
        let mut head = [0; KEY_ROOM];
        let Some(head) = head.get_mut(..kept) else {
            return Err(NoRoom {
                need: kept,
                free: KEY_ROOM,
            });
        };
        head.copy_from_slice(&old[..kept]);
        self.replace_line(itag, &[head, data], flags)
    }

    /// Removes node `line`; a line that is not there is no error.
    pub fn delete_node(&mut self, line: usize) {
        let page = self.view();
        let (itag, count) = (line + page.reserved_tags(), page.tag_count());
        if itag >= count {
            return;
        }
        let Some(tag) = page.tag(itag) else { return };
        let (cb, end) = (usize::from(tag.cb), tag.end());
        let (free, mic) = (page.free() + cb + TAG_BYTES, page.mic_free());
        if end == mic {
            self.set_u16(MIC_FREE, (mic - cb) as u16);
        }
        self.set_u16(FREE, free as u16);
        let start = self.tag_at(count - 1);
        self.data
            .copy_within(start..self.tag_at(itag), start + TAG_BYTES);
        self.set_tag_count(count - 1);
        if free + TAG_BYTES + self.size.page_header() == self.data.len() {
            self.set_u16(MIC_FREE, 0);
        }
    }

    /// Sets version and deleted flags of node `line`; whether its key is compressed stays.
    pub fn set_node_flags(&mut self, line: usize, flags: u8) {
        let itag = line + self.view().reserved_tags();
        if itag >= self.view().tag_count() {
            return;
        }
        let kept = self.view().tag_flags(itag).bits() & NodeFlags::COMPRESSED;
        self.write_flags(itag, flags & !NodeFlags::COMPRESSED | kept);
    }

    /// The bytes of node `line`'s data, to be changed without changing their number.
    #[must_use]
    pub fn node_data_mut(&mut self, line: usize) -> Option<&mut [u8]> {
        let page = self.view();
        let len = page.node(line).ok()?.data.len();
        let end = self.size.page_header() + page.tag(line + page.reserved_tags())?.end();
        self.data.get_mut(end.checked_sub(len)?..end)
    }

    /// Fills every byte that no line and no tag uses with `pattern`; the lines stay where they are.
    pub fn overwrite_unused(&mut self, pattern: u8) {
        let header = self.size.page_header();
        let mut free_from = 0;
        self.each_line_in_place(|page, _, ib, cb| {
            // The start of an empty line means nothing.
            if cb > 0 {
                if ib > free_from {
                    page.data[header + free_from..header + ib].fill(pattern);
                }
                free_from = free_from.max(ib + cb);
            }
        });
        let free_from = self.highest_end();
        self.set_u16(MIC_FREE, free_from as u16);
        let end = self.data.len() - self.view().tag_count() * TAG_BYTES;
        self.data[header + free_from..end].fill(pattern);
    }

    /// End of the line that lies last.
    fn highest_end(&self) -> usize {
        let page = self.view();
        let ends = (0..page.tag_count()).filter_map(|itag| page.tag(itag));
        ends.filter(|tag| tag.cb > 0)
            .map(|tag| tag.end())
            .max()
            .unwrap_or(0)
    }

    fn insert_line(&mut self, itag: usize, parts: &[&[u8]], flags: u8) -> Result<(), NoRoom> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let (need, free) = (len + TAG_BYTES, self.view().free());
        let count = self.view().tag_count();
        if need > free || itag > count {
            return Err(NoRoom { need, free });
        }
        self.make_room(need);
        let start = self.tag_at(count) + TAG_BYTES;
        let end = self.tag_at(itag) + TAG_BYTES;
        self.data.copy_within(start..end, start - TAG_BYTES);
        self.set_tag_count(count + 1);
        self.set_u16(FREE, (free - need) as u16);
        self.append_line(itag, parts, len, flags);
        Ok(())
    }

    /// Replaces a line; the parts must not lie in the page.
    fn replace_line(&mut self, itag: usize, parts: &[&[u8]], flags: u8) -> Result<(), NoRoom> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let page = self.view();
        let old = page.tag(itag).map_or(0, |tag| usize::from(tag.cb));
        let free = page.free() + old;
        if len > free || itag >= page.tag_count() {
            return Err(NoRoom { need: len, free });
        }
        let is_last = page
            .tag(itag)
            .is_some_and(|tag| tag.end() == page.mic_free());
        if len <= old || (is_last && self.contiguous() >= len - old) {
            self.resize_in_place(itag, len, flags);
            let at = self.size.page_header() + self.tag_ib(itag);
            self.copy_parts(at, parts);
            self.write_flags(itag, flags);
            return Ok(());
        }
        self.set_u16(FREE, free as u16);
        self.set_tag(itag, 0, 0, 0);
        self.make_room(len);
        self.set_u16(FREE, (free - len) as u16);
        self.append_line(itag, parts, len, flags);
        Ok(())
    }

    /// Gives a line that stays where it is another length.
    fn resize_in_place(&mut self, itag: usize, len: usize, flags: u8) {
        let page = self.view();
        let Some(tag) = page.tag(itag) else { return };
        let (old, ib) = (usize::from(tag.cb), usize::from(tag.ib));
        let (free, mic) = (page.free() + old - len, page.mic_free());
        if tag.end() == mic {
            self.set_u16(MIC_FREE, (ib + len) as u16);
        }
        self.set_u16(FREE, free as u16);
        self.set_tag(itag, len, ib, flags);
    }

    /// Copies the parts to the end of the used space and points tag `itag` at them.
    fn append_line(&mut self, itag: usize, parts: &[&[u8]], len: usize, flags: u8) {
        let ib = self.view().mic_free();
        self.copy_parts(self.size.page_header() + ib, parts);
        self.set_tag(itag, len, ib, flags);
        self.set_u16(MIC_FREE, (ib + len) as u16);
        self.write_flags(itag, flags);
    }

    fn copy_parts(&mut self, mut at: usize, parts: &[&[u8]]) {
        for part in parts {
            self.data[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
    }

    /// Free bytes between the lines and the tags.
    fn contiguous(&self) -> usize {
        let page = self.view();
        page.room()
            .saturating_sub(page.mic_free() + page.tag_count() * TAG_BYTES)
    }

    fn make_room(&mut self, need: usize) {
        if self.contiguous() < need {
            self.compact();
        }
    }

    /// Moves the lines together, in the order in which they lie.
    fn compact(&mut self) {
        let header = self.size.page_header();
        let mut to = 0;
        self.each_line_in_place(|page, itag, from, cb| {
            page.data
                .copy_within(header + from..header + from + cb, header + to);
            page.set_tag_ib(itag, to);
            to += cb;
        });
        self.set_u16(MIC_FREE, to as u16);
    }

    /// Visits the lines in the order in which they lie: tag, start, length.
    fn each_line_in_place(&mut self, mut visit: impl FnMut(&mut Self, usize, usize, usize)) {
        let count = self.view().tag_count();
        // A page of 32 KiB has at most 8,172 tags.
        let mut order = [(0u16, 0u16); PageSize::MAX_BYTES / TAG_BYTES];
        let order = &mut order[..count];
        for (itag, place) in order.iter_mut().enumerate() {
            *place = (self.tag_ib(itag) as u16, itag as u16);
        }
        order.sort_unstable();
        for &mut (from, itag) in order {
            let itag = usize::from(itag);
            let cb = self.view().tag(itag).map_or(0, |tag| usize::from(tag.cb));
            visit(self, itag, usize::from(from), cb);
        }
    }

    /// The counts that precede a key; on large pages the first carries the node flags.
    fn counts(&self, prefix: usize, suffix: usize, flags: u8) -> ([u8; 4], usize) {
        let first = if prefix > 0 { prefix } else { suffix } as u16;
        let flag_bits = if self.size.is_large() {
            u16::from(flags) << 13
        } else {
            0
        };
        let mut counts = [0; 4];
        counts[..2].copy_from_slice(&(first | flag_bits).to_le_bytes());
        counts[2..].copy_from_slice(&(suffix as u16).to_le_bytes());
        (counts, if prefix > 0 { 4 } else { 2 })
    }

    fn tag_at(&self, itag: usize) -> usize {
        self.data.len() - TAG_BYTES * (itag + 1)
    }

    fn tag_ib(&self, itag: usize) -> usize {
        self.view().tag(itag).map_or(0, |tag| usize::from(tag.ib))
    }

    fn set_tag_ib(&mut self, itag: usize, ib: usize) {
        let at = self.tag_at(itag) + 2;
        let flag_bits = if self.size.is_large() {
            0
        } else {
            u16_at(self.data, at).unwrap_or_default() & !0x1FFF
        };
        self.set_u16(at, ib as u16 | flag_bits);
    }

    fn set_tag(&mut self, itag: usize, cb: usize, ib: usize, flags: u8) {
        let flag_bits = if self.size.is_large() {
            0
        } else {
            u16::from(flags) << 13
        };
        let at = self.tag_at(itag);
        self.set_u16(at, cb as u16);
        self.set_u16(at + 2, ib as u16 | flag_bits);
    }

    /// Writes all flags of a line: into its tag on small pages, into the line itself on large ones (but not into
    /// tag 0, which has none).
    fn write_flags(&mut self, itag: usize, flags: u8) {
        if !self.size.is_large() {
            let (cb, ib) = self
                .view()
                .tag(itag)
                .map_or((0, 0), |tag| (tag.cb.into(), tag.ib.into()));
            self.set_tag(itag, cb, ib, flags);
        } else if itag >= self.view().reserved_tags() {
            let at = self.size.page_header() + self.tag_ib(itag);
            let count = u16_at(self.data, at).unwrap_or_default() & 0x1FFF;
            self.set_u16(at, count | u16::from(flags) << 13);
        }
    }

    fn set_tag_count(&mut self, count: usize) {
        const ONE_RESERVED: u16 = TAG_COUNT_MASK + 1;
        let mut kept = u16_at(self.data, TAG_STATE).unwrap_or_default() & !TAG_COUNT_MASK;
        if self.counts_reserved {
            kept = kept.max(ONE_RESERVED);
        }
        self.set_u16(TAG_STATE, kept | count as u16);
    }

    fn set_u16(&mut self, offset: usize, value: u16) {
        if let Some(place) = self.data.get_mut(offset..offset + 2) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }

    fn set_u32(&mut self, offset: usize, value: u32) {
        self.data[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }
}

/// Gives a shortened page its gap between lines and tags back; `None` when the bytes are no page. The free bytes that
/// it counts grow by the gap. [log notes 7.6]
#[must_use]
pub fn rehydrate(bytes: &[u8], size: PageSize) -> Option<Vec<u8>> {
    let gap = size.bytes().checked_sub(bytes.len())?;
    let tags = usize::from(u16_at(bytes, TAG_STATE)? & TAG_COUNT_MASK) * TAG_BYTES;
    let lines = bytes.len().checked_sub(tags)?;
    let free = u16_at(bytes, FREE)?.checked_add(gap as u16)?;
    let mut page = Vec::with_capacity(size.bytes());
    page.extend_from_slice(&bytes[..lines]);
    page.resize(lines + gap, 0);
    page.extend_from_slice(&bytes[lines..]);
    page[FREE..FREE + 2].copy_from_slice(&free.to_le_bytes());
    Some(page)
}

/// The way back of [`rehydrate`]: a page without the gap between lines and tags; `None` when the bytes are no page.
/// [log notes 7.6]
#[must_use]
pub fn dehydrate(bytes: &[u8], size: PageSize) -> Option<Vec<u8>> {
    let view = Page::new(bytes, size)?;
    let lines = size.page_header() + view.mic_free();
    let tags = size.bytes().checked_sub(view.tag_count() * TAG_BYTES)?;
    let gap = tags.checked_sub(lines)?;
    let free = u16::try_from(view.free().checked_sub(gap)?).ok()?;
    let mut short = bytes[..lines].to_vec();
    short.extend_from_slice(&bytes[tags..]);
    short[FREE..FREE + 2].copy_from_slice(&free.to_le_bytes());
    Some(short)
}

/// The longest key with its counts: 2000 bytes and 4, with room to spare.
const KEY_ROOM: usize = 0x1FFF + 4;

const fn with_compression(flags: u8, prefix: usize) -> u8 {
    let plain = flags & !NodeFlags::COMPRESSED;
    if prefix > 0 {
        plain | NodeFlags::COMPRESSED
    } else {
        plain
    }
}
