//! Which header copy counts, chosen as the engine chooses (format notes 1.2).
//!
//! For every page size, small to large, the bytes at 0 are a good primary header if their checksum
//! over that size is right and they name that size; the bytes at that size likewise are a good
//! shadow. The primary wins over the shadow; of several sizes the largest wins.

use serde::Serialize;

use super::DbHeader;
use crate::format::bytes::u32_at;
use crate::format::checksum::{header_is_good, header_sum};
use crate::format::ids::PageSize;

/// Bytes from the start of the file that decide: two headers of the largest size.
const PROBE_BYTES: usize = 2 * PageSize::MAX_BYTES;
/// Offset of the page size in a header.
const PAGE_SIZE_OFFSET: usize = 236;

/// One of the two header pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhichCopy {
    /// At offset 0.
    Primary,
    /// One page further.
    Shadow,
}

/// What is wrong with a header copy, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// Checksum right, page size plausible.
    Good,
    /// Checksum wrong.
    BadChecksum,
    /// Nothing but zero bytes.
    Zeroed,
    /// The file ends before the end of the copy.
    Missing,
    /// Checksum right, but the header names another page size than where it lies.
    WrongSize,
}

/// One header page as it was found.
#[derive(Debug, Clone, Serialize)]
pub struct HeaderCopy {
    /// What is wrong with it.
    pub state: CopyState,
    /// Checksum in the page.
    pub stored_checksum: u32,
    /// Checksum of its content.
    pub computed_checksum: u32,
    /// Its fields, right or wrong; `None` when the page is not there.
    pub header: Option<Box<DbHeader>>,
}

/// Both header pages of a database, and the one to believe.
#[derive(Debug, Clone, Serialize)]
pub struct HeaderCopies {
    /// The page size that the headers agree on, or that was forced.
    pub page_size: PageSize,
    /// The copy to use; `None` when both are bad (only when the page size was forced).
    pub chosen: Option<WhichCopy>,
    /// True when both pages are the same byte for byte.
    pub identical: bool,
    /// At offset 0.
    pub primary: HeaderCopy,
    /// One page further.
    pub shadow: HeaderCopy,
}

impl HeaderCopies {
    /// Bytes of a file's start that [`HeaderCopies::read`] wants; fewer when the file is shorter.
    pub const PROBE_BYTES: usize = PROBE_BYTES;

    /// Judges the first bytes of a file. `forced` names the page size instead of probing for it.
    ///
    /// Returns `None` when no page size fits either copy and none was forced: then the file is not
    /// recognised as a database.
    #[must_use]
    pub fn read(start: &[u8], forced: Option<PageSize>) -> Option<Self> {
        let fits = |size: PageSize, at: usize| {
            start
                .get(at * size.bytes()..(at + 1) * size.bytes())
                .is_some_and(|page| {
                    u32_at(page, PAGE_SIZE_OFFSET).and_then(PageSize::from_header) == Some(size)
                        && header_is_good(page)
                })
        };
        let candidates = PageSize::ALL
            .into_iter()
            .filter(|size| forced.is_none_or(|f| f == *size));
        let (mut primary, mut shadow) = (None, None);
        for size in candidates {
            primary = fits(size, 0).then_some(size).or(primary);
            shadow = fits(size, 1).then_some(size).or(shadow);
        }
        let chosen = match (primary, shadow) {
            (Some(_), _) => Some(WhichCopy::Primary),
            (None, Some(_)) => Some(WhichCopy::Shadow),
            (None, None) => None,
        };
        let page_size = primary.or(shadow).or(forced)?;
        let page = |at: usize| start.get(at * page_size.bytes()..(at + 1) * page_size.bytes());
        Some(Self {
            page_size,
            chosen,
            identical: page(0).is_some() && page(0) == page(1),
            primary: HeaderCopy::judge(page(0), page_size),
            shadow: HeaderCopy::judge(page(1), page_size),
        })
    }

    /// The copy to believe.
    #[must_use]
    pub fn best(&self) -> Option<&HeaderCopy> {
        self.chosen.map(|which| match which {
            WhichCopy::Primary => &self.primary,
            WhichCopy::Shadow => &self.shadow,
        })
    }

    /// The fields of the copy to believe.
    #[must_use]
    pub fn header(&self) -> Option<&DbHeader> {
        self.best().and_then(|copy| copy.header.as_deref())
    }
}

impl HeaderCopy {
    fn judge(page: Option<&[u8]>, size: PageSize) -> Self {
        let Some(page) = page else {
            return Self {
                state: CopyState::Missing,
                stored_checksum: 0,
                computed_checksum: 0,
                header: None,
            };
        };
        let (stored, computed) = (u32_at(page, 0).unwrap_or_default(), header_sum(page));
        let named = u32_at(page, PAGE_SIZE_OFFSET).and_then(PageSize::from_header);
        let state = if page.iter().all(|byte| *byte == 0) {
            CopyState::Zeroed
        } else if stored != computed {
            CopyState::BadChecksum
        } else if named != Some(size) {
            CopyState::WrongSize
        } else {
            CopyState::Good
        };
        let header = DbHeader::parse(page).ok().map(Box::new);
        Self {
            state,
            stored_checksum: stored,
            computed_checksum: computed,
            header,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CopyState, HeaderCopies, WhichCopy};
    use crate::format::dbheader::DbHeader;
    use crate::format::ids::PageSize;

    fn file(size: PageSize) -> Vec<u8> {
        let mut header = DbHeader::empty();
        header.page_size = size.header_value();
        let mut page = vec![0; size.bytes()];
        header.write_to(&mut page);
        let mut file = page.clone();
        file.extend(page);
        file.resize(4 * PageSize::MAX_BYTES, 0);
        file
    }

    #[test]
    fn every_size_is_recognised() {
        for size in PageSize::ALL {
            let copies = HeaderCopies::read(&file(size), None).unwrap();
            assert_eq!(copies.page_size, size);
            assert_eq!(copies.chosen, Some(WhichCopy::Primary));
            assert!(copies.identical);
        }
    }

    #[test]
    fn the_shadow_stands_in_for_a_bad_primary() {
        for damage in [CopyState::BadChecksum, CopyState::Zeroed] {
            let mut bytes = file(PageSize::K8);
            match damage {
                CopyState::Zeroed => bytes[..8192].fill(0),
                _ => bytes[100] ^= 1,
            }
            let copies = HeaderCopies::read(&bytes, None).unwrap();
            assert_eq!(copies.chosen, Some(WhichCopy::Shadow));
            assert_eq!(copies.primary.state, damage);
            assert_eq!(copies.shadow.state, CopyState::Good);
            assert!(!copies.identical);
        }
    }

    #[test]
    fn two_bad_headers_need_a_forced_size() {
        let mut bytes = file(PageSize::K4);
        bytes[100] ^= 1;
        bytes[4196] ^= 1;
        assert!(HeaderCopies::read(&bytes, None).is_none());
        let forced = HeaderCopies::read(&bytes, Some(PageSize::K4)).unwrap();
        assert_eq!(forced.chosen, None);
        assert!(forced.best().is_none());
    }

    #[test]
    fn short_files_are_no_database() {
        assert!(HeaderCopies::read(&[], None).is_none());
        let bytes = file(PageSize::K4);
        assert!(HeaderCopies::read(&bytes[..4095], None).is_none());
        let one = HeaderCopies::read(&bytes[..4096], None).unwrap();
        assert_eq!(one.shadow.state, CopyState::Missing);
    }
}
