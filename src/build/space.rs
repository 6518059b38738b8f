//! Which pages an object owns and which of them are free. [format notes chapter 5]

use crate::format::ids::Pgno;

/// Largest primary extent that a single-extent object can describe bit by bit. [format notes 5.2]
const SINGLE_MAX: u32 = 32;
/// Bytes of a space header and of a split buffer. [format notes 2.6]
pub(super) const SPACE_HEADER: usize = 16;
/// Flags of a space header. [format notes 5.1]
const MULTIPLE: u8 = 1;
const NON_UNIQUE: u8 = 2;
const VERSION_2: u8 = 4;
/// Least number of pages by which an object grows. [format notes 5.6]
const GROW_MIN: u32 = 4;
/// It grows by this part of what it has, so that even the largest object has so few extents that
/// the root of a space tree holds them all.
const GROW_PART: u32 = 8;

/// A run of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    pub first: u32,
    pub count: u32,
}

impl Extent {
    pub const fn new(first: u32, count: u32) -> Self {
        Self { first, count }
    }

    const fn end(self) -> u32 {
        self.first + self.count
    }

    pub const fn last(self) -> u32 {
        self.first + self.count - 1
    }
}

/// The space of one table, index or long value tree.
#[derive(Debug)]
pub(super) struct ObjectSpace {
    fdp: u32,
    parent: Pgno,
    primary: u32,
    last_alloc: u32,
    owned: Vec<Extent>,
    free: Vec<Extent>,
    /// Root of the owned-extents tree, followed by that of the available-extents tree; none while
    /// the space header describes everything.
    oe: Option<u32>,
    grown: bool,
}

impl ObjectSpace {
    /// The object whose first extent is `primary`, its root on the first page.
    pub fn new(primary: Extent, parent: Pgno) -> Self {
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
        space.release(Extent::new(primary.first + 1, primary.count - 1));
        if primary.count > SINGLE_MAX {
            space.make_multiple();
        }
        space
    }

    /// The same with space trees from the start; `primary` has at least three pages.
    pub fn multiple(primary: Extent, parent: Pgno) -> Self {
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

    pub const fn fdp(&self) -> Pgno {
        Pgno::new(self.fdp)
    }

    pub const fn is_multiple(&self) -> bool {
        self.oe.is_some()
    }

    /// Roots of the owned-extents and available-extents trees.
    pub fn trees(&self) -> Option<(Pgno, Pgno)> {
        self.oe.map(|oe| (Pgno::new(oe), Pgno::new(oe + 1)))
    }

    pub fn owned(&self) -> &[Extent] {
        &self.owned
    }

    pub fn free(&self) -> &[Extent] {
        &self.free
    }

    /// Number of pages by which it should grow.
    pub fn wanted(&self) -> u32 {
        let owned: u32 = self.owned.iter().map(|extent| extent.count).sum();
        (owned / GROW_PART).max(GROW_MIN)
    }

    pub fn take(&mut self) -> Option<Pgno> {
        self.take_run(1).map(|run| Pgno::new(run.first))
    }

    /// The first free run of `count` pages.
    pub fn take_run(&mut self, count: u32) -> Option<Extent> {
        let at = self.free.iter().position(|run| run.count >= count)?;
        let run = &mut self.free[at];
        let taken = Extent::new(run.first, count);
        *run = Extent::new(run.first + count, run.count - count);
        if run.count == 0 {
            self.free.remove(at);
        }
        Some(taken)
    }

    /// Takes over a further extent; an object that had one extent spends two of its pages on space
    /// trees. [format notes 5.6]
    pub fn grow(&mut self, extent: Extent) {
        insert(&mut self.owned, extent);
        let mut rest = extent;
        if self.oe.is_none() {
            self.oe = Some(extent.first);
            rest = Extent::new(extent.first + 2, extent.count - 2);
        }
        self.release(rest);
        self.last_alloc = extent.count;
        self.grown = true;
    }

    /// Pages that it owns and does not use any more.
    pub fn release(&mut self, extent: Extent) {
        insert(&mut self.free, extent);
    }

    /// Gives up the free pages at the end of its last extent.
    pub fn trim(&mut self) -> Option<Extent> {
        let (owned, free) = (*self.owned.last()?, *self.free.last()?);
        let kept = free.first.max(self.fdp + self.primary);
        if !self.grown || owned.end() != free.end() || kept >= free.end() {
            return None;
        }
        self.owned.pop();
        self.free.pop();
        if kept > owned.first {
            let left = Extent::new(owned.first, kept - owned.first);
            self.last_alloc = self.last_alloc.min(left.count);
            self.owned.push(left);
        }
        self.release(Extent::new(free.first, kept - free.first));
        Some(Extent::new(kept, free.end() - kept))
    }

    /// Takes back what [`ObjectSpace::trim`] gave up.
    pub fn reclaim(&mut self, extent: Extent) {
        insert(&mut self.owned, extent);
        self.release(extent);
    }

    /// The database itself: all pages, of which the last ones are free. [format notes 5.7]
    pub fn database(pages: u32, free: u32) -> Self {
        let mut space = Self::multiple(Extent::new(1, pages), Pgno::NULL);
        space.free.clear();
        space.release(Extent::new(pages - free + 1, free));
        space
    }

    /// The space header. Version 2 knows the size of the last extent. [format notes 5.1]
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
fn insert(runs: &mut Vec<Extent>, run: Extent) {
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
    use super::{Extent, ObjectSpace};
    use crate::format::ids::Pgno;

    #[test]
    fn a_small_object_describes_itself_in_bits() {
        let mut space = ObjectSpace::new(Extent::new(33, 4), Pgno::new(1));
        assert_eq!(space.take(), Some(Pgno::new(34)));
        let header = space.header(false, true);
        assert_eq!(header, *b"\x04\0\0\0\x01\0\0\0\0\0\0\0\x06\0\0\0");
        assert!(space.trim().is_none());
    }

    #[test]
    fn growth_makes_space_trees() {
        let mut space = ObjectSpace::new(Extent::new(33, 1), Pgno::new(1));
        assert_eq!(space.take(), None);
        space.grow(Extent::new(40, 6));
        assert_eq!(space.trees(), Some((Pgno::new(40), Pgno::new(41))));
        assert_eq!(space.take(), Some(Pgno::new(42)));
        let header = space.header(true, true);
        assert_eq!(header, *b"\x06\0\0\0\x01\0\0\0\x07\0\0\0\x28\0\0\0");
        assert_eq!(space.trim(), Some(Extent::new(43, 3)));
        assert_eq!(space.owned(), [Extent::new(33, 1), Extent::new(40, 3)]);
        assert!(space.free().is_empty());
    }

    #[test]
    fn the_catalog_has_its_trees_where_they_always_are() {
        let mut space = ObjectSpace::multiple(Extent::new(4, 20), Pgno::new(1));
        assert_eq!(space.trees(), Some((Pgno::new(5), Pgno::new(6))));
        assert_eq!(space.take_run(3), Some(Extent::new(7, 3)));
        assert_eq!(space.free(), [Extent::new(10, 14)]);
        let header = space.header(false, true);
        assert_eq!(header, *b"\x14\0\0\0\x01\0\0\0\x01\0\0\0\x05\0\0\0");
    }
}
