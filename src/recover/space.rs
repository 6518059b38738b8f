//! Trees and their space: creation, conversion, new pages, the length of the file. [log notes 7.5, 7.8]

use crate::error::Result;
use crate::format::bytes::u32_at;
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::logrec::{Freed, NewPage, PageHead, RecordKind, ResizeKind, SpaceTrees};
use crate::format::page::PageFlags;
use crate::jet::JetError;

use super::attached::Sight;
use super::finish::TRACKS_RESIZE;
use super::page_file::PageState;
use super::pool::FrameId;
use super::replay::Replay;

/// Free pages of a small tree that its root can tell apart.
const SMALL_SPACE: i32 = 32;
/// Flag in a space header: the tree has space trees of its own.
const MULTIPLE_EXTENT: u32 = 1;
/// Flag in a space header: the tree's keys are not unique.
const NON_UNIQUE: u32 = 2;
/// External header of the root of a space tree: the split buffer, empty.
const SPLIT_BUFFER: [u8; 16] = [0; 16];

/// The external header of a root, 16 bytes: pages of the first extent, parent, flags, then either one bit for each free
/// page or the root of the owned extents. [format notes, verified]
fn space_header(primary: i32, parent: Pgno, flags: u32, last: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (place, value) in
        bytes
            .chunks_exact_mut(4)
            .zip([primary.cast_unsigned(), parent.get(), flags, last])
    {
        place.copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// The bits of all pages of a small tree that are free at first: all but the root.
fn free_bits(primary: i32) -> u32 {
    match primary {
        ..=1 => 0,
        2..=SMALL_SPACE => (1u32 << (primary - 1)) - 1,
        _ => u32::MAX,
    }
}

/// The free extents of a small tree, the highest first: last page, pages. Bit 31 stands for the page 32 behind the
/// root, bit 0 for the one right behind it.
fn small_extents(root: Pgno, primary: i32, bits: u32) -> Vec<(u32, i32)> {
    let mut extents: Vec<(u32, i32)> = Vec::new();
    if primary > SMALL_SPACE + 1 {
        let last = root.get().wrapping_add((primary - 1).cast_unsigned());
        extents.push((last, primary - SMALL_SPACE - 1));
    }
    for bit in (0..32u32).rev().filter(|bit| bits >> bit & 1 != 0) {
        let page = root.get().wrapping_add(bit + 1);
        match extents.last_mut() {
            Some((last, count)) if last.wrapping_sub(count.cast_unsigned()) == page => *count += 1,
            _ => extents.push((page, 1)),
        }
    }
    extents
}

impl Replay {
    /// Types 24 and 25.
    pub(super) fn create_fdp(
        &mut self,
        place: usize,
        head: &PageHead,
        trees: &SpaceTrees,
    ) -> Result<()> {
        let flags = trees.page_flags.unwrap_or_default();
        let unique = if head.is_unique() { 0 } else { NON_UNIQUE };
        let multiple = head.kind == RecordKind::CREATE_MULTIPLE_EXTENT_FDP;
        let root = flags | PageFlags::ROOT | PageFlags::LEAF;
        if self.sight_new(place, head.pgno, head.after)? {
            let header = if multiple {
                space_header(
                    trees.primary_pages,
                    trees.parent,
                    unique | MULTIPLE_EXTENT,
                    trees.oe.get(),
                )
            } else {
                let bits = free_bits(trees.primary_pages);
                space_header(trees.primary_pages, trees.parent, unique, bits)
            };
            let id = self.new_root(place, head.pgno, trees.objid, root, head.after)?;
            self.header_of(place, id, &header)?;
        }
        if multiple {
            let last = head
                .pgno
                .get()
                .wrapping_add((trees.primary_pages.wrapping_sub(1)).cast_unsigned());
            for (pgno, pages) in [
                (trees.oe, trees.primary_pages),
                (trees.ae, trees.primary_pages.wrapping_sub(3)),
            ] {
                if self.sight_new(place, pgno, head.after)? {
                    let extents: &[_] = if pages == 0 { &[] } else { &[(last, pages)] };
                    self.new_space_root(place, pgno, trees.objid, root, head.after, extents)?;
                }
            }
        }
        Ok(())
    }

    /// Types 26 and 58. The old one does not hold the free pages and the flags: the root must still show them.
    pub(super) fn convert_fdp(
        &mut self,
        place: usize,
        head: &PageHead,
        trees: &SpaceTrees,
    ) -> Result<()> {
        let sight = self.sight(place, head.pgno, head.before, head.after)?;
        let need_oe = self.sight_new(place, trees.oe, head.after)?;
        let need_ae = self.sight_new(place, trees.ae, head.after)?;
        if !matches!(sight, Sight::Apply(_)) && !need_oe && !need_ae {
            return Ok(());
        }
        let (bits, flags) = match (trees.free_bits, trees.page_flags, sight) {
            (Some(bits), Some(flags), _) => (bits, flags),
            (_, _, Sight::Apply(id)) => {
                let page = self.pool.page(id);
                let kept = PageFlags::INDEX
                    | PageFlags::LONG_VALUE
                    | PageFlags::NON_UNIQUE
                    | PageFlags::NEW_RECORD_FORMAT
                    | PageFlags::SLV;
                let bits = u32_at(page.external_header(), 12).unwrap_or_default();
                (bits, page.flags().bits() & kept)
            }
            (_, _, Sight::Done(_) | Sight::Gone) => {
                let what = "its free pages were written nowhere but in the root, which has been written since";
                let jet = JetError::DATABASE_BUFFER_DEPENDENCIES_CORRUPTED;
                return Err(self.misfit(place, head.pgno, jet, what).into());
            }
        };
        let unique = if head.is_unique() { 0 } else { NON_UNIQUE };
        let root = flags | PageFlags::ROOT | PageFlags::LEAF;
        let secondary_last = trees
            .secondary_first
            .get()
            .wrapping_add((trees.secondary_pages.wrapping_sub(1)).cast_unsigned());
        let primary_last = head
            .pgno
            .get()
            .wrapping_add((trees.primary_pages.wrapping_sub(1)).cast_unsigned());
        if need_oe {
            let extents = [
                (secondary_last, trees.secondary_pages),
                (primary_last, trees.primary_pages),
            ];
            self.new_space_root(place, trees.oe, trees.objid, root, head.after, &extents)?;
        }
        if need_ae {
            let mut extents = small_extents(head.pgno, trees.primary_pages, bits);
            if trees.secondary_pages > 2 {
                extents.push((secondary_last, trees.secondary_pages - 2));
            }
            self.new_space_root(place, trees.ae, trees.objid, root, head.after, &extents)?;
        }
        if let Sight::Apply(id) = sight {
            let header = space_header(
                trees.primary_pages,
                trees.parent,
                unique | MULTIPLE_EXTENT,
                trees.secondary_first.get(),
            );
            self.header_of(place, id, &header)?;
            self.pool.edit(id).set_dbtime(head.after);
            self.clamp_uncommitted(id);
        }
        Ok(())
    }

    /// Type 95: a place holder that a later record fills.
    pub(super) fn new_page(&mut self, place: usize, page: &NewPage) -> Result<()> {
        let seen = self
            .sessions
            .get(&page.procid)
            .is_some_and(|session| session.seen_begin);
        if !seen || !self.sight_new(place, page.pgno, page.after)? {
            return Ok(());
        }
        let slot = self.databases[place].slot;
        let flags = PageFlags::new(PageFlags::PRE_INIT);
        let id = self
            .pool
            .create(slot, page.pgno, page.objid, flags, page.after)?;
        let flags = self.pool.page(id).flags();
        let mut edit = self.pool.edit(id);
        edit.init_bare(page.pgno, page.objid, flags, page.after);
        self.databases[place].touched = true;
        Ok(())
    }

    fn new_root(
        &mut self,
        place: usize,
        pgno: Pgno,
        objid: Objid,
        flags: u32,
        dbtime: DbTime,
    ) -> Result<FrameId> {
        let slot = self.databases[place].slot;
        self.databases[place].touched = true;
        self.pool
            .create(slot, pgno, objid, PageFlags::new(flags), dbtime)
    }

    fn new_space_root(
        &mut self,
        place: usize,
        pgno: Pgno,
        objid: Objid,
        root_flags: u32,
        dbtime: DbTime,
        extents: &[(u32, i32)],
    ) -> Result<()> {
        let flags = root_flags | PageFlags::SPACE_TREE;
        let id = self.new_root(place, pgno, objid, flags, dbtime)?;
        let done = self.pool.edit(id).set_external_header(&[&SPLIT_BUFFER]);
        self.fits(place, pgno, done)?;
        let mut sorted = extents.to_vec();
        sorted.sort_unstable();
        for (line, (last, pages)) in sorted.into_iter().enumerate() {
            let (key, data) = (last.to_be_bytes(), pages.to_le_bytes());
            let done = self.pool.edit(id).insert_node(line, 0, &key, &data, 0);
            self.fits(place, pgno, done)?;
        }
        Ok(())
    }

    /// Replaces the space header of a root. Newer roots may hold more behind a byte that says what. [engine]
    pub(super) fn header_of(&mut self, place: usize, id: FrameId, header: &[u8; 16]) -> Result<()> {
        let old = self.pool.page(id).external_header().to_vec();
        let pgno = self.pool.pgno(id);
        let done = match old.get(1 + header.len()..) {
            Some(more) if old.len() > header.len() => {
                self.pool
                    .edit(id)
                    .set_external_header(&[&old[..1], header, more])
            }
            _ => self.pool.edit(id).set_external_header(&[header]),
        };
        self.fits(place, pgno, done)
    }

    /// Types 68, 78, 81, 94, 99: the file grows, is cut, or loses what pages in it held.
    pub(super) fn resize(&mut self, place: usize, last: Pgno, what: ResizeKind) -> Result<()> {
        let at = self.at;
        let database = &mut self.databases[place];
        let (slot, ahead) = (database.slot, database.ahead);
        let resized = database.header.last_resize;
        let tracks_resize = database.header.update_major >= TRACKS_RESIZE;
        match what {
            ResizeKind::Extend => {
                database.header.extend.count += 1;
                database.header.extend.last = self.now;
                if tracks_resize {
                    database.header.last_resize = resized.max(at);
                }
                // The file never gets shorter here.
                if last > self.pool.last_page(slot) {
                    self.pool.set_last_page(slot, last);
                }
            }
            ResizeKind::Shrink { pages, after } => {
                if !database.concerns(at) {
                    return Ok(());
                }
                let first = last.next();
                let cut_last = first.get().saturating_add(pages).saturating_sub(1);
                let end = cut_last.max(self.pool.last_page(slot).get());
                let database = &mut self.databases[place];
                database
                    .unsettled
                    .retain(|pgno, _| *pgno < first || pgno.get() > end);
                if let Some(after) = after {
                    database.count(after, Objid::default());
                }
                let done_before = !resized.is_none() && resized > at;
                if done_before {
                    if let Some(after) = after {
                        self.mark_shrunk(place, first, cut_last, after)?;
                    }
                } else if !(ahead && resized.is_none()) {
                    let database = &mut self.databases[place];
                    database.header.shrink.count += 1;
                    database.header.shrink.last = self.now;
                    if tracks_resize {
                        database.header.last_resize = at;
                    }
                    self.pool.set_last_page(slot, last);
                }
            }
            ResizeKind::Trim { pages } => {
                let end = last.get().saturating_add(pages).saturating_sub(1);
                database
                    .unsettled
                    .retain(|pgno, _| *pgno < last || pgno.get() > end);
                if ahead || end >= self.pool.last_page(slot).get() {
                    return Ok(());
                }
                self.databases[place].header.trim_count += 1;
                for pgno in last.get()..=end {
                    self.pool.zero(slot, Pgno::new(pgno))?;
                    self.pool.trim()?;
                }
            }
        }
        self.databases[place].touched = true;
        Ok(())
    }

    /// Pages that a cut removed and a later growth brought back with their old content are marked, so that no record
    /// from before the cut takes them for its own.
    fn mark_shrunk(&mut self, place: usize, first: Pgno, last: u32, after: DbTime) -> Result<()> {
        let slot = self.databases[place].slot;
        let last = last.min(self.pool.last_page(slot).get());
        for pgno in (first.get()..=last).map(Pgno::new) {
            let (id, state) = self.pool.load(slot, pgno)?;
            let dbtime = self.pool.page(id).dbtime();
            match state {
                PageState::Sound if dbtime > DbTime::ZERO && dbtime < after => {
                    let none = (Objid::default(), PageFlags::default());
                    self.pool
                        .create(slot, pgno, none.0, none.1, DbTime::SHRUNK)?;
                }
                PageState::Bad(jet) => {
                    let what = "it was cut off and cannot be read to see whether it came back";
                    return Err(self.misfit(place, pgno, jet, what).into());
                }
                _ => {}
            }
            self.pool.trim()?;
        }
        Ok(())
    }

    /// Types 100 and 101: pages that a revert had made new are explained by their being freed.
    pub(super) fn extent_freed(&mut self, place: usize, freed: &Freed) {
        let last = freed
            .first
            .get()
            .saturating_add(freed.pages)
            .saturating_sub(1);
        let reverted = JetError::RECOVERY_VERIFY_FAILURE;
        self.databases[place]
            .unsettled
            .retain(|pgno, page| *pgno < freed.first || pgno.get() > last || page.jet != reverted);
    }
}

#[cfg(test)]
mod tests {
    use super::{free_bits, small_extents};
    use crate::format::ids::Pgno;

    #[test]
    fn small_trees_tell_their_free_pages_by_bits() {
        assert_eq!(
            [1, 2, 4, 32, 33, 40].map(free_bits),
            [0, 1, 7, 0x7FFF_FFFF, u32::MAX, u32::MAX]
        );
        let root = Pgno::new(63);
        assert_eq!(small_extents(root, 1, 0), []);
        assert_eq!(small_extents(root, 8, 0b101_1000), [(70, 1), (68, 2)]);
        assert_eq!(small_extents(root, 40, u32::MAX), [(102, 39)]);
        assert_eq!(small_extents(root, 40, 1), [(102, 7), (64, 1)]);
    }
}
