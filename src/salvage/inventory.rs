//! What each page of a file is, in one byte, and the pages of each object.
//!
//! Memory: 1 byte a page and 4 bytes for each page that names an object; 4 bytes a page more while it is made.
//! A file of 1 TiB on pages of 32 KiB takes 160 MiB, on pages of 4 KiB 1.3 GiB.

use serde::Serialize;

use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::page::{Page, PageFlags};

use super::TreeKind;

/// What can be said of a page's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageVerdict {
    /// The checksum is right.
    Sound,
    /// A single wrong bit was corrected.
    Corrected,
    /// All bytes zero, or the trailer page of a backup.
    Zero,
    /// The checksum is wrong.
    Bad,
    /// The content of another page.
    Misplaced,
    /// The last write to it was lost, as the flush map tells: an older state of the page.
    Stale,
    /// The disk refused it, or the file ends within it.
    Unreadable,
}

impl PageVerdict {
    const ALL: [Self; 7] = [
        Self::Sound,
        Self::Corrected,
        Self::Zero,
        Self::Bad,
        Self::Misplaced,
        Self::Stale,
        Self::Unreadable,
    ];

    /// True when the content can be believed.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Sound | Self::Corrected)
    }
}

/// What trees a page can belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageContent {
    /// Records.
    Data,
    /// Long values.
    LongValues,
    /// Entries of a secondary index.
    Index,
    /// Extents; also the obsolete trees of streaming files.
    Space,
}

impl PageContent {
    const ALL: [Self; 4] = [Self::Data, Self::LongValues, Self::Index, Self::Space];

    /// By the flags of a page. [format notes 2.2]
    #[must_use]
    pub const fn of_flags(flags: PageFlags) -> Self {
        if flags.any(PageFlags::SPACE_TREE | PageFlags::SLV) {
            Self::Space
        } else if flags.any(PageFlags::INDEX) {
            Self::Index
        } else if flags.any(PageFlags::LONG_VALUE) {
            Self::LongValues
        } else {
            Self::Data
        }
    }
}

/// One page in a byte: verdict (3 bits), leaf, root, content (2 bits), empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageState(u8);

impl PageState {
    const LEAF: u8 = 1 << 3;
    const ROOT: u8 = 1 << 4;
    const CONTENT: u8 = 5;
    const EMPTY: u8 = 1 << 7;

    /// A page of which nothing more is known.
    pub(super) const fn bare(verdict: PageVerdict) -> Self {
        Self(verdict as u8)
    }

    /// A page that says this of itself.
    pub(super) fn of_page(verdict: PageVerdict, page: Page<'_>) -> Self {
        let flags = page.flags();
        let mut bits = verdict as u8 | (PageContent::of_flags(flags) as u8) << Self::CONTENT;
        for (set, bit) in [
            (flags.is_leaf(), Self::LEAF),
            (flags.is_root(), Self::ROOT),
            (
                flags.any(PageFlags::EMPTY | PageFlags::PRE_INIT),
                Self::EMPTY,
            ),
        ] {
            if set {
                bits |= bit;
            }
        }
        Self(bits)
    }

    pub(super) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// What can be said of its bytes.
    #[must_use]
    pub fn verdict(self) -> PageVerdict {
        let number = usize::from(self.0 & 7);
        PageVerdict::ALL
            .get(number)
            .copied()
            .unwrap_or(PageVerdict::Bad)
    }

    /// What trees it can belong to; means nothing for a page without an object.
    #[must_use]
    pub fn content(self) -> PageContent {
        PageContent::ALL[usize::from(self.0 >> Self::CONTENT & 3)]
    }

    /// True for a leaf.
    #[must_use]
    pub const fn is_leaf(self) -> bool {
        self.0 & Self::LEAF != 0
    }

    /// True for the root of a tree, also of a space tree.
    #[must_use]
    pub const fn is_root(self) -> bool {
        self.0 & Self::ROOT != 0
    }

    /// True for a page that is no longer, or not yet, in use.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 & Self::EMPTY != 0
    }

    /// True for a leaf in use of this content, whatever its checksum says.
    fn is_leaf_of(self, content: PageContent) -> bool {
        self.is_leaf() && !self.is_empty() && self.content() == content
    }
}

/// What every page of a file is.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// By page number; number 0 is no page.
    states: Vec<u8>,
    /// Pages with an object, by object and number.
    pages: Vec<u32>,
    /// Where each object's pages begin in `pages`, by object; a last one marks the end.
    objects: Vec<(Objid, usize)>,
    highest_dbtime: DbTime,
    highest_objid: Objid,
    counts: [u64; PageVerdict::ALL.len()],
}

impl Inventory {
    /// Puts together what the scan found; `owners` are object ids by page number, 0 for nobody.
    pub(super) fn new(states: Vec<u8>, owners: &[u32], highest_dbtime: DbTime) -> Self {
        use rayon::slice::ParallelSliceMut as _;
        let owner = |pgno: u32| owners.get(pgno as usize).copied().unwrap_or(0);
        let last = owners.len() as u32;
        let owned = (1..last).filter(|pgno| owner(*pgno) != 0).count();
        let mut pages = Vec::with_capacity(owned);
        pages.extend((1..last).filter(|pgno| owner(*pgno) != 0));
        pages.par_sort_unstable_by_key(|pgno| (owner(*pgno), *pgno));
        let mut objects: Vec<(Objid, usize)> = Vec::new();
        for (at, pgno) in pages.iter().enumerate() {
            let objid = Objid::new(owner(*pgno));
            if objects.last().is_none_or(|(before, _)| *before != objid) {
                objects.push((objid, at));
            }
        }
        let mut counts = [0; PageVerdict::ALL.len()];
        let mut highest_objid = Objid::default();
        for (pgno, bits) in states.iter().enumerate().skip(1) {
            let state = PageState::from_bits(*bits);
            counts[state.verdict() as usize] += 1;
            if state.verdict().is_usable() {
                highest_objid = highest_objid.max(Objid::new(owner(pgno as u32)));
            }
        }
        Self {
            states,
            pages,
            objects,
            highest_dbtime,
            highest_objid,
            counts,
        }
    }

    /// The last page.
    #[must_use]
    pub fn last_page(&self) -> Pgno {
        Pgno::new(self.states.len().saturating_sub(1) as u32)
    }

    /// What is known of a page; `None` for one that the file does not have.
    #[must_use]
    pub fn state(&self, pgno: Pgno) -> Option<PageState> {
        let bits = self.states.get(pgno.get() as usize)?;
        (!pgno.is_null()).then_some(PageState::from_bits(*bits))
    }

    /// How many pages have this verdict.
    #[must_use]
    pub const fn count(&self, verdict: PageVerdict) -> u64 {
        self.counts[verdict as usize]
    }

    /// Pages that cannot be used, in order: neither sound, nor corrected, nor zero.
    pub fn bad_pages(&self) -> impl Iterator<Item = (Pgno, PageVerdict)> {
        self.numbered(|verdict| !verdict.is_usable() && verdict != PageVerdict::Zero)
    }

    /// Pages in which a bit was corrected, in order.
    pub fn corrected_pages(&self) -> impl Iterator<Item = Pgno> {
        self.numbered(|verdict| verdict == PageVerdict::Corrected)
            .map(|(pgno, _)| pgno)
    }

    fn numbered(
        &self,
        wanted: impl Fn(PageVerdict) -> bool,
    ) -> impl Iterator<Item = (Pgno, PageVerdict)> {
        let numbered = self.states.iter().enumerate().skip(1);
        numbered.filter_map(move |(pgno, bits)| {
            let verdict = PageState::from_bits(*bits).verdict();
            wanted(verdict).then_some((Pgno::new(pgno as u32), verdict))
        })
    }

    /// The highest time of any usable page.
    #[must_use]
    pub const fn highest_dbtime(&self) -> DbTime {
        self.highest_dbtime
    }

    /// The highest object that a usable page names.
    #[must_use]
    pub const fn highest_objid(&self) -> Objid {
        self.highest_objid
    }

    /// All objects that pages name, bad pages included, in order.
    pub fn objects(&self) -> impl Iterator<Item = Objid> {
        self.objects.iter().map(|(objid, _)| *objid)
    }

    /// Numbers of the pages that name this object, in order; bad pages that seem to are among them.
    #[must_use]
    pub fn pages_of(&self, objid: Objid) -> &[u32] {
        let Ok(at) = self
            .objects
            .binary_search_by_key(&objid, |(objid, _)| *objid)
        else {
            return &[];
        };
        let end = self
            .objects
            .get(at + 1)
            .map_or(self.pages.len(), |(_, start)| *start);
        &self.pages[self.objects[at].1..end]
    }

    /// Usable leaves of a tree, in the order of the file.
    pub fn leaves(&self, objid: Objid, kind: TreeKind) -> impl Iterator<Item = Pgno> {
        self.select(objid, move |state| {
            state.verdict().is_usable() && state.is_leaf_of(kind.content())
        })
    }

    /// Usable pages of a tree that are no leaves, in the order of the file.
    pub fn internal_pages(&self, objid: Objid, kind: TreeKind) -> impl Iterator<Item = Pgno> {
        self.select(objid, move |state| {
            state.verdict().is_usable()
                && !state.is_leaf()
                && !state.is_empty()
                && state.content() == kind.content()
        })
    }

    /// Pages with a wrong checksum whose header says that they are leaves of the tree.
    pub fn damaged_leaves(&self, objid: Objid, kind: TreeKind) -> impl Iterator<Item = Pgno> {
        self.select(objid, move |state| {
            state.verdict() == PageVerdict::Bad && state.is_leaf_of(kind.content())
        })
    }

    /// Usable roots of trees of this object and kind: one, unless copies of it lie about.
    pub fn roots(&self, objid: Objid, content: PageContent) -> impl Iterator<Item = Pgno> {
        self.select(objid, move |state| {
            state.verdict().is_usable()
                && state.is_root()
                && !state.is_empty()
                && state.content() == content
        })
    }

    fn select(
        &self,
        objid: Objid,
        wanted: impl Fn(PageState) -> bool,
    ) -> impl Iterator<Item = Pgno> {
        let pages = self.pages_of(objid).iter().map(|pgno| Pgno::new(*pgno));
        pages.filter(move |pgno| self.state(*pgno).is_some_and(&wanted))
    }
}
