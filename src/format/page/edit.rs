//! The writing twin of [`Page`]: makes pages and changes their lines.

use super::{
    DBTIME, FLAGS, FREE, LARGE_PGNO, MIC_FREE, NEXT, OBJID, PREV, Page, PageFlags, TAG_BYTES,
    TAG_COUNT_MASK, TAG_STATE, UNCOMMITTED_FREE,
};
use crate::format::checksum;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};

/// The page has not enough free bytes for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line of {need} bytes does not fit into {free} free bytes")]
pub struct NoRoom {
    /// Bytes of the line and its tag.
    pub need: usize,
    /// Free bytes of the page.
    pub free: usize,
}

/// An owned page. Invariant between calls: the accounting of lines, tags and free bytes holds.
#[derive(Clone)]
pub struct PageBuf {
    data: Vec<u8>,
    size: PageSize,
    pgno: Pgno,
}

impl PageBuf {
    /// A page with an empty external header (tag 0) and no nodes.
    #[must_use]
    pub fn new(size: PageSize, pgno: Pgno, objid: Objid, flags: PageFlags) -> Self {
        let mut page = Self {
            data: vec![0; size.bytes()],
            size,
            pgno,
        };
        page.set_u32(OBJID, objid.get());
        page.set_u32(FLAGS, flags.bits());
        page.set_u16(TAG_STATE, 1);
        let free = page.view().room() - TAG_BYTES;
        page.set_u16(FREE, free as u16);
        if size.is_large() {
            page.set_u32(LARGE_PGNO, pgno.get());
        }
        page
    }

    /// Takes over the bytes of an existing page; `None` when the length is wrong.
    #[must_use]
    pub fn from_bytes(data: Vec<u8>, size: PageSize, pgno: Pgno) -> Option<Self> {
        (data.len() == size.bytes()).then_some(Self { data, size, pgno })
    }

    /// The reading twin.
    #[must_use]
    pub fn view(&self) -> Page<'_> {
        Page {
            data: &self.data,
            size: self.size,
        }
    }

    /// The page's number.
    #[must_use]
    pub const fn pgno(&self) -> Pgno {
        self.pgno
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

    /// Bytes that a new line and its tag may take.
    #[must_use]
    pub fn free(&self) -> usize {
        self.view().free()
    }

    /// Replaces the external header.
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
    pub fn set_external_header(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.replace_line(0, &[bytes], 0)
    }

    /// Adds a node after all others: key prefix count (0 for none), key suffix, data, version and
    /// deleted flags.
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
    pub fn push_node(
        &mut self,
        prefix: usize,
        suffix: &[u8],
        data: &[u8],
        flags: u8,
    ) -> Result<(), NoRoom> {
        let at = self.view().node_count();
        self.insert_node(at, prefix, suffix, data, flags)
    }

    /// Inserts a node before node `line`; see [`PageBuf::push_node`].
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
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

    /// Replaces node `line`; see [`PageBuf::push_node`].
    ///
    /// # Errors
    /// [`NoRoom`] when it does not fit; the page is then as before.
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

    /// Removes node `line`; a line that is not there is no error.
    pub fn remove_node(&mut self, line: usize) {
        let itag = line + self.view().reserved_tags();
        let count = self.view().tag_count();
        if itag >= count {
            return;
        }
        let cb = self.view().tag(itag).map_or(0, |tag| usize::from(tag.cb));
        let start = self.tag_at(count - 1);
        let end = self.tag_at(itag);
        self.data.copy_within(start..end, start + TAG_BYTES);
        self.set_tag_count(count - 1);
        self.set_free(self.free() + cb + TAG_BYTES);
        self.compact();
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

    fn insert_line(&mut self, itag: usize, parts: &[&[u8]], flags: u8) -> Result<(), NoRoom> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let need = len + TAG_BYTES;
        let free = self.free();
        if need > free {
            return Err(NoRoom { need, free });
        }
        let count = self.view().tag_count();
        if self.view().mic_free() + len + (count + 1) * TAG_BYTES > self.view().room() {
            self.compact();
        }
        let start = self.tag_at(count) + TAG_BYTES;
        let end = self.tag_at(itag) + TAG_BYTES;
        self.data.copy_within(start..end, start - TAG_BYTES);
        self.set_tag_count(count + 1);
        self.set_free(free - need);
        self.append_line(itag, parts, len, flags);
        Ok(())
    }

    fn replace_line(&mut self, itag: usize, parts: &[&[u8]], flags: u8) -> Result<(), NoRoom> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let old = self.view().tag(itag).map_or(0, |tag| usize::from(tag.cb));
        let free = self.free() + old;
        if len > free {
            return Err(NoRoom { need: len, free });
        }
        self.set_free(free - len);
        self.set_tag(itag, 0, 0, 0);
        let tags = self.view().tag_count() * TAG_BYTES;
        if self.view().mic_free() + len + tags > self.view().room() {
            self.compact();
        }
        self.append_line(itag, parts, len, flags);
        Ok(())
    }

    /// Copies the parts to the end of the used space and points tag `itag` at them.
    fn append_line(&mut self, itag: usize, parts: &[&[u8]], len: usize, flags: u8) {
        let ib = self.view().mic_free();
        let mut at = self.size.page_header() + ib;
        for part in parts {
            self.data[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.set_tag(itag, len, ib, flags);
        self.set_u16(MIC_FREE, (ib + len) as u16);
    }

    /// Moves all lines to the start of the page, in tag order, and zeroes what they leave.
    fn compact(&mut self) {
        let header = self.size.page_header();
        let old = self.data.clone();
        let view = Page {
            data: &old,
            size: self.size,
        };
        let mut ib = 0;
        for itag in 0..view.tag_count() {
            let (Some(tag), Some(line)) = (view.tag(itag), view.line(itag)) else {
                continue;
            };
            self.data[header + ib..header + ib + line.len()].copy_from_slice(line);
            self.set_tag(itag, line.len(), ib, tag.flags);
            ib += line.len();
        }
        let tags = self.data.len() - view.tag_count() * TAG_BYTES;
        self.data[header + ib..tags].fill(0);
        self.set_u16(MIC_FREE, ib as u16);
    }

    /// The finished bytes, with the checksum that the page's flags ask for.
    #[must_use]
    pub fn seal(mut self) -> Vec<u8> {
        checksum::seal(&mut self.data, self.size, self.pgno);
        self.data
    }

    fn tag_at(&self, itag: usize) -> usize {
        self.data.len() - TAG_BYTES * (itag + 1)
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

    fn set_tag_count(&mut self, count: usize) {
        let kept = super::u16_at(&self.data, TAG_STATE).unwrap_or_default() & !TAG_COUNT_MASK;
        self.set_u16(TAG_STATE, kept | count as u16);
    }

    fn set_free(&mut self, free: usize) {
        self.set_u16(FREE, free as u16);
    }

    fn set_u16(&mut self, offset: usize, value: u16) {
        self.data[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn set_u32(&mut self, offset: usize, value: u32) {
        self.data[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }
}

const fn with_compression(flags: u8, prefix: usize) -> u8 {
    let plain = flags & !super::NodeFlags::COMPRESSED;
    if prefix > 0 {
        plain | super::NodeFlags::COMPRESSED
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::{PageBuf, PageFlags};
    use crate::format::checksum::{Verdict, verify};
    use crate::format::ids::{Objid, PageSize, Pgno};
    use crate::format::page::Page;

    fn accounting_holds(page: Page<'_>) {
        let lines: usize = (0..page.tag_count())
            .map(|t| usize::from(page.tag(t).unwrap().cb))
            .sum();
        assert_eq!(lines + page.free() + 4 * page.tag_count(), page.room());
    }

    #[test]
    fn nodes_come_back_as_they_went_in() {
        for size in PageSize::ALL {
            for flags in [0x802, 0x2802] {
                let pgno = Pgno::new(5);
                let mut page = PageBuf::new(size, pgno, Objid::new(7), PageFlags::new(flags));
                page.set_external_header(b"prefix").unwrap();
                page.push_node(0, b"a", b"1", 0).unwrap();
                page.push_node(4, b"z", b"3", 2).unwrap();
                page.insert_node(1, 0, b"m", b"2", 1).unwrap();
                page.replace_node(0, 0, b"aa", b"one", 0).unwrap();
                accounting_holds(page.view());
                let nodes: Vec<_> = page.view().nodes().map(|node| node.unwrap()).collect();
                let seen: Vec<_> = nodes
                    .iter()
                    .map(|n| (n.key(), n.data.to_vec(), n.flags.bits()))
                    .collect();
                assert_eq!(
                    seen,
                    [
                        (b"aa".to_vec(), b"one".to_vec(), 0),
                        (b"m".to_vec(), b"2".to_vec(), 1),
                        (b"prefz".to_vec(), b"3".to_vec(), 6),
                    ]
                );
                page.remove_node(1);
                accounting_holds(page.view());
                assert_eq!(page.view().node_count(), 2);
                assert_eq!(verify(&page.seal(), size, pgno), Verdict::Good);
            }
        }
    }

    #[test]
    fn a_full_page_says_so_and_stays_whole() {
        let mut page = PageBuf::new(
            PageSize::K4,
            Pgno::new(1),
            Objid::new(2),
            PageFlags::new(0x802),
        );
        let mut count = 0u32;
        while page.push_node(0, &count.to_be_bytes(), &[7; 93], 0).is_ok() {
            count += 1;
        }
        assert_eq!(count, (4096 - 40 - 4) / (4 + 2 + 4 + 93));
        accounting_holds(page.view());
        for _ in 0..count / 2 {
            page.remove_node(0);
        }
        page.push_node(0, b"large", &vec![1; 1500], 0).unwrap();
        accounting_holds(page.view());
    }
}
