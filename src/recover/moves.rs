//! Pages that move to another number. [log notes 6.8, 7.8]

use crate::error::Result;
use crate::format::ids::{DbTime, Pgno};
use crate::format::logrec::{PageHead, PageMove, Record, RecordFault, RecordKind};
use crate::format::page::PageFlags;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;

use super::attached::Sight;
use super::page_file::PageState;
use super::pool::FrameId;
use super::replay::Replay;

/// Flags of a move: the page is a root, of a tree, of its owned or its available extents.
const ROOT_FDP: u32 = 1;

impl Replay {
    /// A page other than a root moves.
    ///
    /// # Errors
    /// Pages that do not fit the record.
    pub(super) fn page_move(
        &mut self,
        place: usize,
        head: &PageHead,
        page_move: &PageMove<'_>,
    ) -> Result<()> {
        let after = head.after;
        let parent = self.sight(place, page_move.parent, page_move.parent_before, after)?;
        let mut source = self.sight(place, head.pgno, head.before, after)?;
        let mut sibling = |pgno: Pgno, before: DbTime| {
            if pgno.is_null() {
                Ok(Sight::Gone)
            } else {
                self.sight(place, pgno, before, after)
            }
        };
        let left = sibling(page_move.left, page_move.left_before)?;
        let right = sibling(page_move.right, page_move.right_before)?;
        let need_new = self.sight_new(place, page_move.dest, after)?;
        if need_new {
            let from = match source.to_apply() {
                Some(id) => id,
                None => {
                    let id = self.restore_parts(place, head, page_move)?;
                    source = Sight::Apply(id);
                    id
                }
            };
            let bytes = self.pool.page(from).bytes().to_vec();
            self.place_image(place, page_move.dest, &bytes, after)?;
        }
        if let Some(id) = source.to_apply() {
            self.empty_page(id);
            self.stamp(id, after);
        }
        if let Some(id) = parent.to_apply() {
            let line = usize::try_from(page_move.parent_line).unwrap_or(usize::MAX);
            self.set_pointer(place, id, line, page_move.dest)?;
            self.stamp(id, after);
        }
        if let Some(id) = left.to_apply() {
            self.pool.edit(id).set_next(page_move.dest);
            self.stamp(id, after);
        }
        if let Some(id) = right.to_apply() {
            self.pool.edit(id).set_prev(page_move.dest);
            self.stamp(id, after);
        }
        self.databases[place].touched = true;
        Ok(())
    }

    /// The page that a record holds in two parts, without the gap between them.
    fn whole(&self, place: usize, pgno: Pgno, page_move: &PageMove<'_>) -> Result<Vec<u8>> {
        let size = self.pool.size().bytes();
        let (header, trailer) = (page_move.header, page_move.trailer);
        if header.len() + trailer.len() > size {
            let what = "the image of it in the log is longer than a page";
            return Err(self
                .misfit(place, pgno, JetError::LOG_CORRUPTED, what)
                .into());
        }
        let mut bytes = vec![0; size];
        bytes[..header.len()].copy_from_slice(header);
        bytes[size - trailer.len()..].copy_from_slice(trailer);
        Ok(bytes)
    }

    fn restore_parts(
        &mut self,
        place: usize,
        head: &PageHead,
        page_move: &PageMove<'_>,
    ) -> Result<FrameId> {
        let bytes = self.whole(place, head.pgno, page_move)?;
        let (id, _) = self.pool.load(self.databases[place].slot, head.pgno)?;
        self.stood_in.push(self.pool.keep(id));
        self.restored(place, id, &bytes)?;
        self.pool.edit(id).set_dbtime(head.before);
        Ok(id)
    }

    fn restored(&mut self, place: usize, id: FrameId, bytes: &[u8]) -> Result<()> {
        if self.pool.restore(id, bytes) == PageState::Sound {
            return Ok(());
        }
        let what = "the image of it in the log is no page";
        let pgno = self.pool.pgno(id);
        Err(self
            .misfit(place, pgno, JetError::LOG_CORRUPTED, what)
            .into())
    }

    /// Makes page `pgno` from an image.
    fn place_image(
        &mut self,
        place: usize,
        pgno: Pgno,
        bytes: &[u8],
        after: DbTime,
    ) -> Result<FrameId> {
        let slot = self.databases[place].slot;
        let (id, before) = self.pool.load(slot, pgno)?;
        let kept = match before {
            PageState::Sound => self.pool.page(id).flags().bits() & PageFlags::FLUSH_TYPE,
            _ => 0,
        };
        self.restored(place, id, bytes)?;
        self.pool.settle_new(slot, pgno, id);
        let flags = self.pool.page(id).flags().bits() & !PageFlags::FLUSH_TYPE | kept;
        let mut page = self.pool.edit(id);
        page.set_flags(PageFlags::new(flags));
        page.set_dbtime(after);
        Ok(id)
    }

    /// The root of a tree moves, with the roots of its space trees, and everything that knows its number.
    ///
    /// # Errors
    /// Pages that do not fit the records, records that contradict each other.
    pub(super) fn root_page_move(&mut self, records: &[(Lgpos, Record<'_>)]) -> Result<()> {
        let Some((_, Record::RootPageMove(step))) = records.first() else {
            return Ok(());
        };
        let Some(place) = self.place(step.dbid) else {
            return Ok(());
        };
        self.databases[place].count(step.dbtime, step.objid);
        if !self.databases[place].concerns(self.at) {
            return Ok(());
        }
        let after = step.dbtime;
        let new_oe = records.iter().find_map(|(_, record)| match record {
            Record::PageMove(_, page_move) if page_move.flags == 2 => Some(page_move.dest),
            _ => None,
        });
        for (_, record) in &records[1..] {
            match record {
                Record::PageMove(head, page_move) => {
                    self.root_moves(place, head, page_move, new_oe)?;
                }
                Record::SetExternalHeader(head, data) => {
                    let page = &head.page;
                    let sight = self.sight(place, page.pgno, page.before, after)?;
                    if let Sight::Apply(id) = sight {
                        let done = match <&[u8; 16]>::try_from(*data) {
                            Ok(header) => {
                                self.header_of(place, id, header)?;
                                Ok(())
                            }
                            Err(_) => self.pool.edit(id).set_external_header(&[data]),
                        };
                        self.fits(place, page.pgno, done)?;
                        self.stamp(id, after);
                    }
                }
                Record::Replace(head, replace) => {
                    let page = &head.page;
                    // Two rows on one page: the second finds the page changed by the first, in this very group.
                    let sight =
                        self.sight_in_group(place, page.pgno, page.before, after, records)?;
                    if let Some(id) = sight {
                        let done = self
                            .pool
                            .edit(id)
                            .replace_data(page.line.into(), replace.data);
                        self.fits(place, page.pgno, done)?;
                        self.stamp(id, after);
                    }
                }
                _ => {
                    let kind = RecordKind::ROOT_PAGE_MOVE;
                    return Err(self.unreadable(RecordFault::Contradiction { kind }).into());
                }
            }
        }
        self.databases[place].touched = true;
        Ok(())
    }

    /// Like [`Replay::sight`], but a page that an earlier record of the same group changed is still to be changed.
    fn sight_in_group(
        &mut self,
        place: usize,
        pgno: Pgno,
        before: DbTime,
        after: DbTime,
        records: &[(Lgpos, Record<'_>)],
    ) -> Result<Option<FrameId>> {
        let twice = records
            .iter()
            .filter(
                |(_, record)| matches!(record, Record::Replace(head, _) if head.page.pgno == pgno),
            )
            .count()
            > 1;
        let slot = self.databases[place].slot;
        if twice && self.group_pages.contains(&(slot, pgno, after)) {
            let (id, _) = self.pool.load(slot, pgno)?;
            return Ok(Some(id));
        }
        let sight = self.sight(place, pgno, before, after)?;
        if sight.to_apply().is_some() {
            self.group_pages.clear();
            self.group_pages.push((slot, pgno, after));
        }
        Ok(sight.to_apply())
    }

    fn root_moves(
        &mut self,
        place: usize,
        head: &PageHead,
        page_move: &PageMove<'_>,
        new_oe: Option<Pgno>,
    ) -> Result<()> {
        let after = head.after;
        let source = self.sight(place, head.pgno, head.before, after)?;
        if self.sight_new(place, page_move.dest, after)? {
            let bytes = self.whole(place, page_move.dest, page_move)?;
            let id = self.place_image(place, page_move.dest, &bytes, after)?;
            if page_move.flags == ROOT_FDP {
                self.point_at_oe(place, id, new_oe)?;
            }
        }
        if let Some(id) = source.to_apply() {
            self.empty_page(id);
            self.stamp(id, after);
        }
        Ok(())
    }

    /// Writes the new root of the owned extents into a moved root's space header.
    fn point_at_oe(&mut self, place: usize, id: FrameId, new_oe: Option<Pgno>) -> Result<()> {
        let old = self.pool.page(id).external_header().to_vec();
        // Newer roots may begin with a byte that says what more there is.
        let start = usize::from(old.len() != 16);
        let header: Option<[u8; 16]> = old
            .get(start..start + 16)
            .and_then(|header| header.try_into().ok());
        if let (Some(mut header), Some(oe)) = (header, new_oe) {
            header[12..].copy_from_slice(&oe.get().to_le_bytes());
            self.header_of(place, id, &header)?;
        }
        Ok(())
    }
}
