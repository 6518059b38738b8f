//! Which pages an object of a database in the making owns and which of them are free, and the space
//! header that says so. [format notes chapter 5]
//!
//! `db::space` is the reading twin, which judges nothing; this one only makes what is right.

use crate::format::ids::{PageSize, Pgno};

/// Largest primary extent that a single-extent object can describe bit by bit. [format notes 5.2]
const SINGLE_MAX: u32 = 32;
/// Bytes of a space header and of a split buffer. [format notes 2.6]
pub const SPACE_HEADER: usize = 16;
/// Flags of a space header. [format notes 5.1]
const MULTIPLE: u8 = 1;
const NON_UNIQUE: u8 = 2;
const VERSION_2: u8 = 4;
/// First byte of a root's header that holds more than the space header: that, and the highest auto-increment value.
const HAS_BOTH: u8 = 3;
/// Least number of pages by which an object grows. [format notes 5.6]
const GROW_MIN: u32 = 4;
/// It grows by this part of what it has, so that even the largest object has so few extents that
/// the root of a space tree holds them all.
const GROW_PART: u32 = 8;

/// Extent growth of an object that was written whole is left to the engine's least: 16 pages. Its first version of the
/// space header grows by a quarter of the number there. [engine]
const NEXT_GROWTH: u32 = 16;
const NEXT_GROWTH_PARTS: u32 = 4;
/// Pages that databases used to have at first; the root of a larger one says this too, so that
/// the engine does not add a quarter of it at once. [format notes 5.9]
const DATABASE_PRIMARY: u32 = 256;
/// First revision of the space header's second version. [format notes 5.1]
const VERSION_2_SINCE: u32 = 0xD;

/// First extent of the catalog. [format notes 5.9: never varies]
pub const CATALOG: Run = Run::new(4, 20);
/// First extents of the catalog's secondary indexes, which lie within its own. [format notes 5.9]
pub const CATALOG_NAMES: Run = Run::new(7, CATALOG_INDEX_PAGES);
/// The same of the index over the names of tables.
pub const CATALOG_TABLES: Run = Run::new(10, CATALOG_INDEX_PAGES);
const CATALOG_INDEX_PAGES: u32 = 3;
/// Root of the shadow catalog. [format notes 5.9]
const SHADOW_ROOT: u32 = 24;

/// First extent of the shadow catalog. [format notes 5.9]
#[must_use]
pub const fn shadow_extent(major: u32, page_size: PageSize) -> Run {
    let pages = match (major, page_size) {
        (0..0x14, _) => 9,
        (_, PageSize::K2) => 6,
        _ => 5,
    };
    Run::new(SHADOW_ROOT, pages)
}

/// The first page that no system table has from the start.
#[must_use]
pub const fn first_user_page(major: u32, page_size: PageSize) -> u32 {
    shadow_extent(major, page_size).end()
}

/// True when the databases of a format have version 2 of the space header in objects that grew.
#[must_use]
pub const fn has_version_2(major: u32) -> bool {
    major >= VERSION_2_SINCE
}

/// A run of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// Its first page.
    pub first: u32,
    /// How many pages.
    pub count: u32,
}

impl Run {
    /// A run.
    #[must_use]
    pub const fn new(first: u32, count: u32) -> Self {
        Self { first, count }
    }

    /// The page behind it.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.first + self.count
    }

    /// Its last page.
    #[must_use]
    pub const fn last(self) -> u32 {
        self.first + self.count - 1
    }
}

/// The space of one table, index or long value tree.
#[derive(Debug)]
pub struct SpacePlan {
    fdp: u32,
    parent: Pgno,
    primary: u32,
    last_alloc: u32,
    owned: Vec<Run>,
    free: Vec<Run>,
    /// Root of the owned-extents tree, followed by that of the available-extents tree; none while
    /// the space header describes everything.
    oe: Option<u32>,
    grown: bool,
}

impl SpacePlan {
    /// The object whose first extent is `primary`, its root on the first page.
    #[must_use]
    pub fn new(primary: Run, parent: Pgno) -> Self {
        let mut space = Self {
            fdp: primary.first,
            parent,
            primary: primary.count,
            last_alloc: primary.count,
            owned: vec![primary],
            free: Vec::new(),
            oe: None,
            grown: false,
        };
        space.release(Run::new(primary.first + 1, primary.count - 1));
        if primary.count > SINGLE_MAX {
            space.make_multiple();
        }
        space
    }

    /// The same with space trees from the start; `primary` has at least three pages.
    #[must_use]
    pub fn multiple(primary: Run, parent: Pgno) -> Self {
        let mut space = Self::new(primary, parent);
        space.make_multiple();
        space
    }

    /// The two pages after the root become the space trees. [format notes 5.6]
    fn make_multiple(&mut self) {
        if self.oe.is_none() {
            self.oe = self.take_run(2).map(|run| run.first);
        }
    }

    /// The root of the object.
    #[must_use]
    pub const fn fdp(&self) -> Pgno {
        Pgno::new(self.fdp)
    }

    /// True when it has space trees.
    #[must_use]
    pub const fn is_multiple(&self) -> bool {
        self.oe.is_some()
    }

    /// Roots of the owned-extents and available-extents trees.
    #[must_use]
    pub fn trees(&self) -> Option<(Pgno, Pgno)> {
        self.oe.map(|oe| (Pgno::new(oe), Pgno::new(oe + 1)))
    }

    /// What it owns, in order.
    #[must_use]
    pub fn owned(&self) -> &[Run] {
        &self.owned
    }

    /// What of that is free, in order.
    #[must_use]
    pub fn free(&self) -> &[Run] {
        &self.free
    }

    /// Number of pages by which it should grow.
    #[must_use]
    pub fn wanted(&self) -> u32 {
        let owned: u32 = self.owned.iter().map(|extent| extent.count).sum();
        (owned / GROW_PART).max(GROW_MIN)
    }

    /// The first free page.
    pub fn take(&mut self) -> Option<Pgno> {
        self.take_run(1).map(|run| Pgno::new(run.first))
    }

    /// The first free run of `count` pages.
    pub fn take_run(&mut self, count: u32) -> Option<Run> {
        let at = self.free.iter().position(|run| run.count >= count)?;
        let run = &mut self.free[at];
        let taken = Run::new(run.first, count);
        *run = Run::new(run.first + count, run.count - count);
        if run.count == 0 {
            self.free.remove(at);
        }
        Some(taken)
    }

    /// Takes over a further extent; an object that had one extent spends two of its pages on space
    /// trees. [format notes 5.6]
    pub fn grow(&mut self, extent: Run) {
        insert(&mut self.owned, extent);
        let mut rest = extent;
        if self.oe.is_none() {
            self.oe = Some(extent.first);
            rest = Run::new(extent.first + 2, extent.count - 2);
        }
        self.release(rest);
        self.last_alloc = extent.count;
        self.grown = true;
    }

    /// Pages that it owns and does not use any more.
    pub fn release(&mut self, extent: Run) {
        insert(&mut self.free, extent);
    }

    /// Gives up the free pages at the end of its last extent.
    pub fn trim(&mut self) -> Option<Run> {
        let (owned, free) = (*self.owned.last()?, *self.free.last()?);
        let kept = free.first.max(self.fdp + self.primary);
        if !self.grown || owned.end() != free.end() || kept >= free.end() {
            return None;
        }
        self.owned.pop();
        self.free.pop();
        if kept > owned.first {
            let left = Run::new(owned.first, kept - owned.first);
            self.last_alloc = self.last_alloc.min(left.count);
            self.owned.push(left);
        }
        self.release(Run::new(free.first, kept - free.first));
        Some(Run::new(kept, free.end() - kept))
    }

    /// Takes back what [`SpacePlan::trim`] gave up.
    pub fn reclaim(&mut self, extent: Run) {
        insert(&mut self.owned, extent);
        self.release(extent);
    }

    /// The database itself: all pages, of which the last `free` are free. [format notes 5.7]
    #[must_use]
    pub fn database(pages: u32, free: u32) -> Self {
        let mut space = Self::multiple(Run::new(1, pages), Pgno::NULL);
        space.free.clear();
        space.release(Run::new(pages.saturating_sub(free) + 1, free));
        space.primary = pages.min(DATABASE_PRIMARY);
        space
    }

    /// True when an object of this many pages, its root included, cannot do without space trees; they take
    /// two pages more. [format notes 5.2]
    #[must_use]
    pub const fn needs_trees(pages: u32) -> bool {
        pages > SINGLE_MAX
    }

    /// An object that was written whole: it owns the one run that begins with its root, and every page of it is used.
    /// `trees` is the first of the two pages of its space trees, if it has any.
    #[must_use]
    pub fn whole(run: Run, trees: Option<u32>, parent: Pgno) -> Self {
        let primary = match trees {
            Some(_) => run.count.min(NEXT_GROWTH * NEXT_GROWTH_PARTS),
            None => run.count,
        };
        Self {
            fdp: run.first,
            parent,
            primary,
            last_alloc: run.count.min(NEXT_GROWTH),
            owned: vec![run],
            free: Vec::new(),
            oe: trees,
            grown: trees.is_some(),
        }
    }

    /// The space header. Version 2 knows the size of the last extent. [format notes 5.1]
    #[must_use]
    pub fn header(&self, non_unique: bool, version_2: bool) -> [u8; SPACE_HEADER] {
        let mut flags = if non_unique { NON_UNIQUE } else { 0 };
        let mut pages = self.primary;
        let last = match self.oe {
            Some(oe) => {
                flags |= MULTIPLE;
                if self.grown && version_2 {
                    flags |= VERSION_2;
                    pages = self.last_alloc;
                }
                oe
            }
            None => self.free_bits(),
        };
        let mut header = [0; SPACE_HEADER];
        header[0..4].copy_from_slice(&pages.to_le_bytes());
        header[4..8].copy_from_slice(&self.parent.get().to_le_bytes());
        header[8] = flags;
        header[12..16].copy_from_slice(&last.to_le_bytes());
        header
    }

    /// What stands in front of all nodes of the root: the space header, and the highest auto-increment value where the root
    /// keeps it; then a byte in front says what follows, in the order of its bits. [format notes 2.6]
    #[must_use]
    pub fn root_header(
        &self,
        non_unique: bool,
        version_2: bool,
        auto_increment: Option<u64>,
    ) -> Vec<u8> {
        let header = self.header(non_unique, version_2);
        match auto_increment {
            None => header.to_vec(),
            Some(highest) => [&[HAS_BOTH][..], &header, &highest.to_le_bytes()].concat(),
        }
    }

    /// Bytes of [`SpacePlan::root_header`].
    #[must_use]
    pub const fn root_header_len(auto_increment: Option<u64>) -> usize {
        match auto_increment {
            None => SPACE_HEADER,
            Some(_) => 1 + SPACE_HEADER + size_of::<u64>(),
        }
    }

    /// Bit i: page FDP + 1 + i is free. [format notes 5.2]
    fn free_bits(&self) -> u32 {
        self.free
            .iter()
            .flat_map(|run| run.first..run.end())
            .map(|pgno| pgno - self.fdp - 1)
            .fold(0, |bits, bit| bits | 1 << bit)
    }
}

/// Puts a run into a sorted list, joined to its neighbours.
fn insert(runs: &mut Vec<Run>, run: Run) {
    if run.count == 0 {
        return;
    }
    let at = runs.partition_point(|other| other.first < run.first);
    runs.insert(at, run);
    if runs.get(at + 1).is_some_and(|next| run.end() == next.first) {
        runs[at].count += runs.remove(at + 1).count;
    }
    if at > 0 && runs[at - 1].end() == runs[at].first {
        runs[at - 1].count += runs.remove(at).count;
    }
}

#[cfg(test)]
mod tests {
    use super::{Run, SpacePlan};
    use crate::format::ids::Pgno;

    #[test]
    fn a_small_object_describes_itself_in_bits() {
        let mut space = SpacePlan::new(Run::new(33, 4), Pgno::new(1));
        assert_eq!(space.take(), Some(Pgno::new(34)));
        let header = space.header(false, true);
        assert_eq!(header, *b"\x04\0\0\0\x01\0\0\0\0\0\0\0\x06\0\0\0");
        assert!(space.trim().is_none());
    }

    #[test]
    fn growth_makes_space_trees() {
        let mut space = SpacePlan::new(Run::new(33, 1), Pgno::new(1));
        assert_eq!(space.take(), None);
        space.grow(Run::new(40, 6));
        assert_eq!(space.trees(), Some((Pgno::new(40), Pgno::new(41))));
        assert_eq!(space.take(), Some(Pgno::new(42)));
        let header = space.header(true, true);
        assert_eq!(header, *b"\x06\0\0\0\x01\0\0\0\x07\0\0\0\x28\0\0\0");
        assert_eq!(space.trim(), Some(Run::new(43, 3)));
        assert_eq!(space.owned(), [Run::new(33, 1), Run::new(40, 3)]);
        assert!(space.free().is_empty());
    }

    #[test]
    fn an_object_written_whole_has_nothing_free() {
        let space = SpacePlan::whole(Run::new(33, 4), None, Pgno::new(1));
        assert_eq!(
            space.header(false, true),
            *b"\x04\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0"
        );
        assert!(!SpacePlan::needs_trees(32) && SpacePlan::needs_trees(33));
        let space = SpacePlan::whole(Run::new(33, 1000), Some(1031), Pgno::new(1));
        assert_eq!(
            space.header(false, true),
            *b"\x10\0\0\0\x01\0\0\0\x05\0\0\0\x07\x04\0\0"
        );
        assert_eq!(
            space.header(false, false),
            *b"\x40\0\0\0\x01\0\0\0\x01\0\0\0\x07\x04\0\0"
        );
        assert_eq!(
            (space.owned(), space.free()),
            (&[Run::new(33, 1000)][..], &[][..])
        );
    }

    #[test]
    fn the_catalog_has_its_trees_where_they_always_are() {
        let mut space = SpacePlan::multiple(Run::new(4, 20), Pgno::new(1));
        assert_eq!(space.trees(), Some((Pgno::new(5), Pgno::new(6))));
        assert_eq!(space.take_run(3), Some(Run::new(7, 3)));
        assert_eq!(space.free(), [Run::new(10, 14)]);
        let header = space.header(false, true);
        assert_eq!(header, *b"\x14\0\0\0\x01\0\0\0\x01\0\0\0\x05\0\0\0");
    }
}
