//! Changes of single nodes, and what rolling them back needs. [log notes 7.4]

use crate::error::Result;
use crate::format::ids::Pgno;
use crate::format::logrec::{
    Delta, NodeHead, Record, RecordFault, Replace, Scrub, Undo, UndoInfo, apply_diff,
};
use crate::format::page::{NoRoom, NodeFlags, PageFlags};
use crate::jet::JetError;

use super::attached::Sight;
use super::page_file::PageState;
use super::pool::FrameId;
use super::replay::Replay;
use super::session::{Change, Version};

const VERSION: u8 = NodeFlags::VERSION;
const DELETED: u8 = NodeFlags::DELETED;
/// First byte of a chunk of a long value that was scrubbed: the number of that "compression" in the upper five bits.
/// [engine]
const SCRUBBED_CHUNK: u8 = 4 << 3;

impl Replay {
    /// Redoes a change of nodes in the database at `place`.
    pub(super) fn node_operation(
        &mut self,
        place: usize,
        head: NodeHead,
        record: Record<'_>,
    ) -> Result<()> {
        let page = &head.page;
        if let Record::UndoInfo(_, info) = record {
            self.undo_info(&head, &info);
            return Ok(());
        }
        let sight = self.sight(place, page.pgno, page.before, page.after)?;
        let line = usize::from(page.line);
        match record {
            Record::Insert(_, prefix, suffix, data) => {
                let key = [prefix, suffix];
                self.versioned(&head, &key, data, |_| Change::Insert);
                if let Sight::Apply(id) = sight {
                    let flags = if page.is_versioned() { VERSION } else { 0 };
                    let done =
                        self.pool
                            .edit(id)
                            .insert_node(line, prefix.len(), suffix, data, flags);
                    self.fits(place, page.pgno, done)?;
                }
            }
            Record::FlagInsert(_, key, data) => {
                self.versioned(&head, &[key], data, |_| Change::Insert);
                if let Sight::Apply(id) = sight {
                    self.flag(place, id, &head, 0, DELETED)?;
                }
            }
            Record::FlagInsertAndReplaceData(_, key, data, rceid_replace) => {
                self.versioned(&head, &[key], data, |_| Change::Insert);
                if let Sight::Apply(id) = sight {
                    let mut replace = head;
                    replace.rceid = rceid_replace;
                    self.version_of_node(place, id, &replace, |old| Change::Replace(old.into()))?;
                    let done = self.pool.edit(id).replace_data(line, data);
                    self.fits(place, page.pgno, done)?;
                    self.flag(place, id, &head, 0, DELETED)?;
                } else if page.is_versioned() {
                    self.defer(&head, rceid_replace);
                }
            }
            Record::FlagDelete(_) => {
                if let Sight::Apply(id) = sight {
                    self.version_of_node(place, id, &head, |_| Change::FlagDelete)?;
                    self.flag(place, id, &head, DELETED, 0)?;
                } else if page.is_versioned() {
                    self.defer(&head, head.rceid);
                }
            }
            Record::Replace(_, replace) => {
                if let Sight::Apply(id) = sight {
                    self.replace(place, id, &head, &replace)?;
                } else if page.is_versioned() {
                    self.defer(&head, head.rceid);
                }
            }
            Record::Delete(_) => {
                if let Sight::Apply(id) = sight {
                    self.node_exists(place, id, line)?;
                    self.pool.edit(id).delete_node(line);
                }
            }
            Record::Delta(_, delta) => {
                let change = Change::Delta {
                    by: delta.delta,
                    offset: delta.offset,
                    wide: delta.wide,
                };
                self.versioned_bookmark(&head, delta.key, delta.bookmark_data, change);
                if let Sight::Apply(id) = sight {
                    self.add_delta(place, id, line, &delta)?;
                    if page.is_versioned() {
                        self.flag(place, id, &head, 0, 0)?;
                    }
                }
            }
            Record::SetExternalHeader(_, data) => {
                if let Sight::Apply(id) = sight {
                    let done = self.pool.edit(id).set_external_header(&[data]);
                    self.fits(place, page.pgno, done)?;
                }
            }
            Record::Undo(_, undo) => self.redo_undo(place, &head, sight, &undo)?,
            Record::Scrub(_, scrub) => {
                if let Sight::Apply(id) = sight {
                    self.scrub(id, &scrub);
                }
            }
            Record::EmptyTree(_, list) => self.empty_tree(place, &head, sight, list)?,
            _ => {
                let kind = page.kind;
                return Err(self.unreadable(RecordFault::Contradiction { kind }).into());
            }
        }
        if let Sight::Apply(id) = sight {
            self.finish_change(id, &head, matches!(record, Record::Scrub(..)));
        }
        Ok(())
    }

    /// Stamps a changed page.
    fn finish_change(&mut self, id: FrameId, head: &NodeHead, scrubbed: bool) {
        let flags = self.pool.page(id).flags();
        let mut page = self.pool.edit(id);
        page.set_dbtime(head.page.after);
        if !scrubbed {
            page.set_flags(PageFlags::new(flags.bits() & !PageFlags::SCRUBBED));
        }
        self.clamp_uncommitted(id);
    }

    /// What open transactions may claim back is not logged; it must only never exceed the free bytes.
    pub(super) fn clamp_uncommitted(&mut self, id: FrameId) {
        let page = self.pool.page(id);
        let (uncommitted, free) = (page.uncommitted_free(), page.free());
        if uncommitted > free {
            self.pool.edit(id).set_uncommitted_free(free as u16);
        }
    }

    pub(super) fn fits(
        &mut self,
        place: usize,
        pgno: Pgno,
        done: std::result::Result<(), NoRoom>,
    ) -> Result<()> {
        done.map_err(|error| {
            self.misfit(
                place,
                pgno,
                JetError::DATABASE_CORRUPTED,
                &error.to_string(),
            )
            .into()
        })
    }

    pub(super) fn node_exists(&self, place: usize, id: FrameId, line: usize) -> Result<()> {
        let page = self.pool.page(id);
        match page.node(line) {
            Ok(_) => Ok(()),
            Err(fault) => {
                let what = format!("node {line}: {fault}");
                let jet = JetError::BAD_LINE_COUNT;
                Err(self.misfit(place, self.pool.pgno(id), jet, &what).into())
            }
        }
    }

    /// Sets and clears node flags, and the version flag if the change has a version.
    fn flag(
        &mut self,
        place: usize,
        id: FrameId,
        head: &NodeHead,
        set: u8,
        clear: u8,
    ) -> Result<()> {
        let line = usize::from(head.page.line);
        self.node_exists(place, id, line)?;
        let page = self.pool.page(id);
        let old = page.node(line).map_or(0, |node| node.flags.bits());
        let version = if head.page.is_versioned() { VERSION } else { 0 };
        self.pool
            .edit(id)
            .set_node_flags(line, old & !clear | set | version);
        Ok(())
    }

    fn replace(
        &mut self,
        place: usize,
        id: FrameId,
        head: &NodeHead,
        replace: &Replace<'_>,
    ) -> Result<()> {
        let line = usize::from(head.page.line);
        self.version_of_node(place, id, head, |old| Change::Replace(old.into()))?;
        let limit = self.pool.size().bytes();
        let mut scratch = std::mem::take(&mut self.scratch);
        let data = match replace.diff {
            None => Some(replace.data),
            Some(wide) => {
                let page = self.pool.page(id);
                page.node(line).ok().and_then(|node| {
                    apply_diff(node.data, replace.data, wide, limit, &mut scratch)
                        .ok()
                        .map(|()| scratch.as_slice())
                })
            }
        };
        let done = match data.filter(|data| data.len() == usize::from(replace.new_len)) {
            Some(data) => {
                let done = self.pool.edit(id).replace_data(line, data);
                self.fits(place, head.page.pgno, done)
            }
            None => Err(self
                .misfit(
                    place,
                    head.page.pgno,
                    JetError::LOG_CORRUPTED,
                    "the difference in the log does not fit the node",
                )
                .into()),
        };
        self.scratch = scratch;
        done?;
        if head.page.is_versioned() {
            self.flag(place, id, head, 0, 0)?;
        }
        Ok(())
    }

    fn add_delta(
        &mut self,
        place: usize,
        id: FrameId,
        line: usize,
        delta: &Delta<'_>,
    ) -> Result<()> {
        self.add_number(place, id, line, delta.offset, delta.delta, delta.wide)
    }

    /// Adds to a number in a node's data.
    pub(super) fn add_number(
        &mut self,
        place: usize,
        id: FrameId,
        line: usize,
        offset: u16,
        by: i64,
        wide: bool,
    ) -> Result<()> {
        let at = usize::from(offset);
        let mut page = self.pool.edit(id);
        let done = page.node_data_mut(line).and_then(|data| {
            if wide {
                let bytes: &mut [u8; 8] = data.get_mut(at..)?.first_chunk_mut()?;
                *bytes = i64::from_le_bytes(*bytes).wrapping_add(by).to_le_bytes();
            } else {
                let bytes: &mut [u8; 4] = data.get_mut(at..)?.first_chunk_mut()?;
                *bytes = i32::from_le_bytes(*bytes)
                    .wrapping_add(by as i32)
                    .to_le_bytes();
            }
            Some(())
        });
        match done {
            Some(()) => Ok(()),
            None => {
                let pgno = self.pool.pgno(id);
                let what = format!("node {line} has no number at offset {offset}");
                Err(self
                    .misfit(place, pgno, JetError::NODE_CORRUPTED, &what)
                    .into())
            }
        }
    }

    /// Adds a version whose bookmark the record gives.
    fn versioned(
        &mut self,
        head: &NodeHead,
        key: &[&[u8]],
        data: &[u8],
        change: impl FnOnce(&[u8]) -> Change,
    ) {
        if head.page.is_versioned() {
            // In a tree of unique keys the key alone finds the node.
            let data = if head.page.is_unique() { &[] } else { data };
            self.add_version(head, key.concat().into(), data.into(), change(&[]), None);
        }
    }

    fn versioned_bookmark(&mut self, head: &NodeHead, key: &[u8], data: &[u8], change: Change) {
        if head.page.is_versioned() {
            self.add_version(head, key.into(), data.into(), change, None);
        }
    }

    /// Adds a version whose bookmark and former content the page still holds.
    fn version_of_node(
        &mut self,
        place: usize,
        id: FrameId,
        head: &NodeHead,
        change: impl FnOnce(&[u8]) -> Change,
    ) -> Result<()> {
        if !head.page.is_versioned() {
            return Ok(());
        }
        let line = usize::from(head.page.line);
        self.node_exists(place, id, line)?;
        let page = self.pool.page(id);
        if let Ok(node) = page.node(line) {
            let (key, change) = (node.key(), change(node.data));
            let data = if head.page.is_unique() {
                &[][..]
            } else {
                node.data
            };
            let (data, size) = (data.into(), node.data.len() as i16);
            self.add_version(head, key.into(), data, change, Some(size));
        }
        Ok(())
    }

    fn add_version(
        &mut self,
        head: &NodeHead,
        key: Box<[u8]>,
        bookmark_data: Box<[u8]>,
        change: Change,
        from_page: Option<i16>,
    ) {
        let at = self.at;
        let session = self.sessions.entry(head.page.procid).or_default();
        session.add_version(Version {
            rceid: head.rceid,
            level: head.page.level.min(session.level),
            dbid: head.page.dbid,
            pgno_fdp: head.pgno_fdp,
            objid: head.objid,
            unique: head.page.is_unique(),
            key,
            bookmark_data,
            change,
            flags: head.page.flags,
            max_size: from_page.unwrap_or_default(),
            needs_info: from_page.is_some(),
            pgno: head.page.pgno,
            at,
        });
    }

    /// The page has the change; an UndoInfo must tell what was there before, should the change be undone.
    fn defer(&mut self, head: &NodeHead, rceid: crate::format::logrec::RceId) {
        let session = self.sessions.entry(head.page.procid).or_default();
        session.defer(rceid, head.page.dbid, head.page.pgno);
    }

    fn undo_info(&mut self, head: &NodeHead, info: &UndoInfo<'_>) {
        let session = self.sessions.entry(head.page.procid).or_default();
        if session.level == 0 {
            return;
        }
        session.deferred.remove(&head.rceid);
        let change = match info.oper {
            crate::format::logrec::OperKind::FlagDelete => Change::FlagDelete,
            _ => Change::Replace(info.before.into()),
        };
        self.add_version(
            head,
            info.key.into(),
            info.bookmark_data.into(),
            change,
            None,
        );
    }

    /// An operation that was rolled back while the log was written.
    fn redo_undo(
        &mut self,
        place: usize,
        head: &NodeHead,
        sight: Sight,
        undo: &Undo<'_>,
    ) -> Result<()> {
        let session = self.sessions.entry(head.page.procid).or_default();
        session.deferred.remove(&head.rceid);
        let version = session.take_version(head.rceid);
        let Sight::Apply(id) = sight else {
            return Ok(());
        };
        let line = usize::from(head.page.line);
        let Some(version) = version else {
            let what = format!(
                "the log rolls back a change ({:?}) whose former content it does not hold",
                undo.oper
            );
            let jet = JetError::LOG_CORRUPTED;
            return Err(self.misfit(place, head.page.pgno, jet, &what).into());
        };
        self.undo_on_page(place, id, line, &version.change)
    }

    fn scrub(&mut self, id: FrameId, scrub: &Scrub<'_>) {
        const UNUSED_PAGE: u32 = 1;
        let flags = self.pool.page(id).flags();
        let count = self.pool.page(id).node_count();
        let mut page = self.pool.edit(id);
        if scrub.flags & UNUSED_PAGE != 0 {
            for line in (0..count).rev() {
                page.delete_node(line);
            }
            page.overwrite_unused(b'U');
        } else {
            for (line, oper) in scrub.opers.iter().enumerate().take(count) {
                let Some(data) = page.node_data_mut(line) else {
                    continue;
                };
                match oper {
                    1 => data.fill(b'D'),
                    // A chunk of a long value says of itself that it was scrubbed.
                    2 => {
                        data.fill(b'L');
                        if let Some(first) = data.first_mut() {
                            *first = SCRUBBED_CHUNK;
                        }
                    }
                    _ => continue,
                }
                let old = page.view().node(line).map_or(0, |node| node.flags.bits());
                page.set_node_flags(line, old & !VERSION);
            }
            page.overwrite_unused(b'Z');
        }
        page.set_flags(PageFlags::new(flags.bits() | PageFlags::SCRUBBED));
    }

    /// A tree loses all its pages but the root.
    fn empty_tree(
        &mut self,
        place: usize,
        head: &NodeHead,
        root: Sight,
        list: &[u8],
    ) -> Result<()> {
        for entry in crate::format::logrec::EmptyTreeEntry::all(list) {
            let sight = self.sight(place, entry.pgno, entry.before, head.page.after)?;
            if let Sight::Apply(id) = sight {
                self.empty_page(id);
                self.pool.edit(id).set_dbtime(head.page.after);
            }
        }
        if let Sight::Apply(id) = root {
            let flags = self.pool.page(id).flags().bits();
            let count = self.pool.page(id).node_count();
            let mut page = self.pool.edit(id);
            for line in (0..count).rev() {
                page.delete_node(line);
            }
            page.set_flags(PageFlags::new(
                flags & !PageFlags::PARENT_OF_LEAF | PageFlags::LEAF,
            ));
        }
        Ok(())
    }

    /// A page leaves its tree: no header, no nodes, flagged empty. [log notes 7.7]
    pub(super) fn empty_page(&mut self, id: FrameId) {
        let flags = self.pool.page(id).flags().bits();
        let count = self.pool.page(id).node_count();
        let mut page = self.pool.edit(id);
        // Roots have no prefix: their header is that of the space, and stays. Else it only shrinks here.
        if flags & PageFlags::ROOT == 0 {
            let _ = page.set_external_header(&[]);
        }
        for line in (0..count).rev() {
            page.delete_node(line);
        }
        page.set_flags(PageFlags::new(flags | PageFlags::EMPTY));
    }

    /// The frame of a page that must be there, for rolling back.
    pub(super) fn must_load(&mut self, place: usize, pgno: Pgno) -> Result<FrameId> {
        let (id, state) = self.pool.load(self.databases[place].slot, pgno)?;
        match state {
            PageState::Sound => Ok(id),
            other => {
                let what = "it is needed for rolling back and cannot be read";
                Err(self.misfit(place, pgno, other.jet(), what).into())
            }
        }
    }
}
