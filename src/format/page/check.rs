//! The structural check of a page: what a right checksum cannot promise. The conditions and their
//! texts are the engine's (format notes 2.8, P1 to P25; no false positive on any corpus page).

use std::cmp::Ordering;

use super::{NodeFault, NodeFlags, Page, PageFlags, TAG_BYTES};

/// What is wrong with a page's structure. The texts are the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StructureFault {
    /// P1.
    #[error("cbFree too large ({0} bytes, expected no more than {1} bytes)")]
    FreeTooLarge(usize, usize),
    /// P2.
    #[error("cbUncommittedFree too large ({0} bytes, CbPageFree() is {1} bytes)")]
    UncommittedTooLarge(usize, usize),
    /// P3.
    #[error("ibMicFree too large ({0} bytes, expected no more than {1} bytes)")]
    MicFreeTooLarge(usize, usize),
    /// P4, P6, P7.
    #[error("itagMicFree too large ({0})")]
    TooManyTags(usize),
    /// P5.
    #[error("Empty page without fPageEmpty or fPagePreInit flags set")]
    NoTags,
    /// P8.
    #[error("fPageEmpty and fPagePreInit flags must not be set at the same time")]
    EmptyAndPreInit,
    /// P10.
    #[error("corrupt flags = Pri+Idx (0x{0:x})")]
    PrimaryAndIndex(u32),
    /// P11.
    #[error("corrupt flags = LV+Idx (0x{0:x})")]
    LongValueAndIndex(u32),
    /// P12.
    #[error("repaired page (0x{0:x})")]
    Repaired(u32),
    /// P13.
    #[error("Non TAG-0 - TAG {0} has zero cb")]
    EmptyTag(usize),
    /// P14.
    #[error("TAG {tag} ends in free space (cb = {cb}, ib = {ib}, ibMicFree = {mic_free})")]
    EndsInFreeSpace {
        /// The tag.
        tag: usize,
        /// Its length.
        cb: usize,
        /// Its start.
        ib: usize,
        /// Where free space begins.
        mic_free: usize,
    },
    /// P15, P16.
    #[error("TAG {tag} starts, sizes, or ends off end (ib = {ib}, cb = {cb}, available = {room})")]
    OffEnd {
        /// The tag.
        tag: usize,
        /// Its length.
        cb: usize,
        /// Its start.
        ib: usize,
        /// Bytes that lines may take.
        room: usize,
    },
    /// P17, P18, P20, P22.
    #[error("TAG {0}: {1}")]
    Node(usize, NodeFault),
    /// P19.
    #[error("TAG {0} both prefix/suffix are zero length")]
    EmptyKey(usize),
    /// P21.
    #[error("TAG {0} data size is zero ... we don't have non-data nodes ... yet at least.")]
    NoData(usize),
    /// P23.
    #[error("TAG {0} out of order on the page compared to the previous tag")]
    OutOfOrder(usize),
    /// P24.
    #[error("TAG overlap")]
    Overlap,
    /// P25.
    #[error("space mismatch ({0} bytes accounted for, {1} bytes expected)")]
    SpaceMismatch(usize, usize),
}

/// Room that the check uses again for every page.
#[derive(Debug, Default)]
pub struct CheckScratch {
    /// Start and end of each line.
    lines: Vec<u32>,
}

impl Page<'_> {
    /// Checks header, tags and nodes. In a `non_unique` tree equal keys are ordered by their data;
    /// whether a tree is one the catalog says, because pages that a repair wrote lack the flag.
    /// [verified: c-bad-leaf after repair]
    ///
    /// # Errors
    /// The first [`StructureFault`] in the engine's order.
    pub fn check_structure(
        self,
        non_unique: bool,
        scratch: &mut CheckScratch,
    ) -> Result<(), StructureFault> {
        self.check_header()?;
        if self.flags().any(PageFlags::EMPTY) {
            // The lines of a page no longer in use are stale and mean nothing.
            return Ok(());
        }
        self.check_tags(scratch)?;
        if self.flags().is_space_tree() {
            Ok(())
        } else {
            self.check_nodes(non_unique)
        }
    }

    /// Checks header and tags, not the nodes: enough for lines to be changed without leaving the page.
    ///
    /// # Errors
    /// The first [`StructureFault`] in the engine's order.
    pub fn check_frame(self, scratch: &mut CheckScratch) -> Result<(), StructureFault> {
        self.check_header()?;
        self.check_tags(scratch)
    }

    fn check_header(self) -> Result<(), StructureFault> {
        use StructureFault as Fault;
        let (room, flags) = (self.room(), self.flags());
        let (free, uncommitted) = (self.free(), self.uncommitted_free());
        if free > room {
            return Err(Fault::FreeTooLarge(free, room));
        }
        if uncommitted > free {
            return Err(Fault::UncommittedTooLarge(uncommitted, free));
        }
        if self.mic_free() > room {
            return Err(Fault::MicFreeTooLarge(self.mic_free(), room));
        }
        let tags = self.tag_count();
        let (empty, pre_init) = (flags.any(PageFlags::EMPTY), flags.any(PageFlags::PRE_INIT));
        if tags == 0 && !empty && !pre_init {
            return Err(Fault::NoTags);
        }
        if empty && pre_init {
            return Err(Fault::EmptyAndPreInit);
        }
        // Tag 0 may have no bytes; every other needs four of data beside its own four.
        let data_needed = tags.saturating_sub(self.reserved_tags()) * 4;
        if tags >= room / TAG_BYTES || tags * TAG_BYTES + data_needed > room + TAG_BYTES {
            return Err(Fault::TooManyTags(tags));
        }
        if flags.any(PageFlags::LONG_VALUE) && flags.any(PageFlags::INDEX) {
            return Err(Fault::LongValueAndIndex(flags.bits()));
        }
        if flags.any(PageFlags::REPAIR) {
            return Err(Fault::Repaired(flags.bits()));
        }
        Ok(())
    }

    fn check_tags(self, scratch: &mut CheckScratch) -> Result<(), StructureFault> {
        use StructureFault as Fault;
        let tags = self.tag_count();
        let (mic_free, room) = (self.mic_free(), self.room());
        let available = room - tags * TAG_BYTES;
        scratch.lines.clear();
        let (mut used, mut sorted, mut last_end) = (0, true, 0);
        for itag in 0..tags {
            let tag = self.tag(itag).ok_or(Fault::TooManyTags(tags))?;
            let (cb, ib) = (usize::from(tag.cb), usize::from(tag.ib));
            if cb == 0 {
                // An empty tag's start is stale. [verified]
                if itag >= self.reserved_tags() {
                    return Err(Fault::EmptyTag(itag));
                }
                continue;
            }
            if ib + cb > available {
                return Err(Fault::OffEnd {
                    tag: itag,
                    cb,
                    ib,
                    room: available,
                });
            }
            if ib + cb > mic_free {
                return Err(Fault::EndsInFreeSpace {
                    tag: itag,
                    cb,
                    ib,
                    mic_free,
                });
            }
            used += cb;
            sorted &= ib >= last_end;
            last_end = ib + cb;
            scratch.lines.push((ib as u32) << 16 | (ib + cb) as u32);
        }
        if !sorted && overlaps(&mut scratch.lines) {
            return Err(Fault::Overlap);
        }
        let accounted = used + self.free() + tags * TAG_BYTES;
        if accounted != room {
            return Err(Fault::SpaceMismatch(accounted, room));
        }
        Ok(())
    }

    /// Keys, data and order of the nodes of a tree that is not a space tree.
    fn check_nodes(self, non_unique: bool) -> Result<(), StructureFault> {
        use StructureFault as Fault;
        let flags = self.flags();
        let leaf = flags.is_leaf();
        let non_unique = non_unique || flags.any(PageFlags::NON_UNIQUE);
        let first_tag = self.reserved_tags();
        let count = self.node_count();
        let mut before = None;
        for line in 0..count {
            let tag = line + first_tag;
            let node = self.node(line).map_err(|fault| Fault::Node(tag, fault))?;
            let last_internal = !leaf && line + 1 == count;
            if node.key_len() == 0 && !last_internal {
                return Err(Fault::EmptyKey(tag));
            }
            if node.data.is_empty() {
                return Err(Fault::NoData(tag));
            }
            if let Some(before) = before.replace(node) {
                let order = match before.cmp_key(&node) {
                    // The empty key of the last internal node is above every other.
                    _ if last_internal && node.key_len() == 0 => Ordering::Less,
                    Ordering::Equal if leaf && non_unique => before.data.cmp(node.data),
                    order => order,
                };
                if order != Ordering::Less {
                    return Err(Fault::OutOfOrder(tag));
                }
            }
        }
        Ok(())
    }
}

fn overlaps(lines: &mut [u32]) -> bool {
    lines.sort_unstable();
    lines
        .windows(2)
        .any(|pair| pair[1] >> 16 < pair[0] & 0xFFFF)
}

impl NodeFlags {
    /// True when a node of an internal page has a flag that only leaves may have.
    #[must_use]
    pub const fn is_illegal_on_internal(self) -> bool {
        self.is_deleted() || self.is_versioned()
    }
}
