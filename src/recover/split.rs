//! Splits of pages: a group of one record a level, from the top of the tree down to the leaf, and at last the
//! operation that needed the room. [log notes 7.6]

use crate::error::{Result, Trouble};
use crate::format::ids::Pgno;
use crate::format::logrec::{
    NodeHead, PageHead, PageImage, RceId, Record, RecordFault, Split, SplitOper,
};
use crate::format::page::PageFlags;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;

use super::attached::Sight;
use super::page_file::PageState;
use super::pool::FrameId;
use super::replay::Replay;
use super::session::{Change, Version};
use super::split_lines::common;

/// One level of the tree.
pub(super) struct Level<'a> {
    pub(super) head: PageHead,
    pub(super) split: Split<'a>,
    pub(super) source: Sight,
    /// The new page, if it is to be filled.
    pub(super) new: Option<FrameId>,
    right: Sight,
}

/// What comes in besides: a node, or the new data of one.
struct Oper<'a> {
    head: NodeHead,
    key: Vec<u8>,
    data: &'a [u8],
    rceid_replace: Option<RceId>,
}

impl Replay {
    /// Executes a split.
    ///
    /// # Errors
    /// Pages that do not fit the records, records that contradict each other.
    pub(super) fn split(&mut self, records: &[(Lgpos, Record<'_>)]) -> Result<()> {
        let mut levels: Vec<Level<'_>> = Vec::new();
        let mut oper = None;
        let Some((_, Record::Split(first, split))) = records.first() else {
            return Ok(());
        };
        let procid = first.procid;
        let Some(place) = self.group_database(first, split.objid) else {
            return Ok(());
        };
        for (_, record) in records {
            match record {
                Record::Split(head, split) => levels.push(self.split_level(place, *head, *split)?),
                other => oper = Some(self.split_oper(other)?),
            }
        }
        if levels.last().is_none_or(|leaf| leaf.split.new.is_null()) {
            return Err(self.contradiction(first).into());
        }
        if let Some(oper) = &oper {
            let leaf = &levels[levels.len() - 1];
            self.split_versions(leaf, oper)?;
        }
        debug_assert!(levels.iter().all(|level| level.head.procid == procid));
        for at in 0..levels.len() {
            let child = levels.get(at + 1).map(|child| (child.head, child.split));
            self.split_one(place, &levels[at], child, oper.as_ref())?;
        }
        self.databases[place].touched = true;
        Ok(())
    }

    pub(super) fn contradiction(&self, head: &PageHead) -> Trouble {
        self.unreadable(RecordFault::Contradiction { kind: head.kind })
    }

    /// Looks at the pages of a level; takes the split page back to what it was where the new page needs its nodes.
    fn split_level<'a>(
        &mut self,
        place: usize,
        head: PageHead,
        split: Split<'a>,
    ) -> Result<Level<'a>> {
        let mut source = self.sight(place, head.pgno, head.before, head.after)?;
        let mut level = Level {
            head,
            split,
            source,
            new: None,
            right: Sight::Gone,
        };
        if split.new.is_null() {
            return Ok(level);
        }
        let slot = self.databases[place].slot;
        let need_new = self.sight_new(place, split.new, head.after)?;
        if need_new && source.to_apply().is_none() && moves_nodes(&split) {
            source = Sight::Apply(self.restore_image(place, &head, split.image)?);
            level.source = source;
        }
        if need_new {
            let flags = PageFlags::new(split.new_flags);
            level.new = Some(
                self.pool
                    .create(slot, split.new, split.objid, flags, head.after)?,
            );
        }
        if !split.right.is_null() {
            level.right = self.sight(place, split.right, split.right_before, head.after)?;
        }
        Ok(level)
    }

    /// Puts the image in a record in place of a page that is newer on disk, until the group is done.
    pub(super) fn restore_image(
        &mut self,
        place: usize,
        head: &PageHead,
        image: Option<PageImage<'_>>,
    ) -> Result<FrameId> {
        let Some(image) = image else {
            let what = "its former content is needed, but the page has been written since and the log holds no image";
            let jet = JetError::DATABASE_BUFFER_DEPENDENCIES_CORRUPTED;
            return Err(self.misfit(place, head.pgno, jet, what).into());
        };
        let size = self.pool.size();
        let Some(bytes) = image.unpack(size) else {
            let what = "the image of it in the log cannot be unpacked";
            return Err(self
                .misfit(place, head.pgno, JetError::LOG_CORRUPTED, what)
                .into());
        };
        let (id, _) = self.pool.load(self.databases[place].slot, head.pgno)?;
        self.stood_in.push(self.pool.keep(id));
        if self.pool.restore(id, &bytes) != PageState::Sound {
            let what = "the image of it in the log is no page";
            return Err(self
                .misfit(place, head.pgno, JetError::LOG_CORRUPTED, what)
                .into());
        }
        self.pool.edit(id).set_dbtime(head.before);
        Ok(id)
    }

    fn split_oper<'a>(&self, record: &Record<'a>) -> Result<Oper<'a>> {
        let (head, key, data, rceid_replace) = match *record {
            Record::Insert(head, prefix, suffix, data) => {
                (head, [prefix, suffix].concat(), data, None)
            }
            Record::FlagInsertAndReplaceData(head, key, data, rceid) => {
                (head, key.to_vec(), data, Some(rceid))
            }
            Record::Replace(head, replace) if replace.diff.is_none() => {
                (head, Vec::new(), replace.data, None)
            }
            _ => {
                return Err(Trouble::new(
                    JetError::LOG_FILE_CORRUPT,
                    "a split ends with an operation that no split ends with",
                )
                .at(self.at)
                .into());
            }
        };
        Ok(Oper {
            head,
            key,
            data,
            rceid_replace,
        })
    }

    /// The page that the operation of a split goes to, if it is to be changed.
    fn oper_page(&self, leaf: &Level<'_>) -> Option<FrameId> {
        if leaf.split.line_oper < leaf.split.line_split {
            leaf.source.to_apply()
        } else {
            leaf.new
        }
    }

    /// Versions for rolling back the operation.
    fn split_versions(&mut self, leaf: &Level<'_>, oper: &Oper<'_>) -> Result<()> {
        let head = &oper.head;
        if !head.page.is_versioned() {
            return Ok(());
        }
        let kind = leaf.split.oper().map_err(|fault| self.unreadable(fault))?;
        // The node before is still in the split page: moving it needs that page, too.
        let node = self
            .oper_page(leaf)
            .and(leaf.source.to_apply())
            .and_then(|id| {
                let page = self.pool.page(id);
                let node = page.node(leaf.split.line_oper.into()).ok()?;
                Some((node.key(), node.data.to_vec()))
            });
        let at = self.at;
        let pgno = if leaf.split.line_oper < leaf.split.line_split {
            leaf.head.pgno
        } else {
            leaf.split.new
        };
        let session = self.sessions.entry(head.page.procid).or_default();
        let make = |rceid, key: &[u8], data: &[u8], change| Version {
            rceid,
            level: leaf.head.level,
            dbid: head.page.dbid,
            pgno_fdp: head.pgno_fdp,
            objid: head.objid,
            unique: head.page.is_unique(),
            key: key.into(),
            bookmark_data: if head.page.is_unique() { &[][..] } else { data }.into(),
            flags: head.page.flags,
            max_size: 0,
            needs_info: matches!(change, Change::Replace(_)),
            pgno,
            change,
            at,
        };
        match kind {
            SplitOper::None => {}
            SplitOper::Insert => {
                let version = make(head.rceid, &oper.key, oper.data, Change::Insert);
                session.add_version(version);
            }
            SplitOper::FlagInsertAndReplaceData => {
                session.add_version(make(head.rceid, &oper.key, oper.data, Change::Insert));
                let rceid = oper.rceid_replace.unwrap_or(head.rceid);
                if let Some((key, old)) = node {
                    session.add_version(make(rceid, &key, &[], Change::Replace(old.into())));
                }
            }
            SplitOper::Replace => match node {
                Some((key, old)) => {
                    session.add_version(make(head.rceid, &key, &[], Change::Replace(old.into())));
                }
                None => {
                    let place = (head.page.dbid, leaf.head.pgno);
                    session.deferred.insert(head.rceid, place);
                }
            },
        }
        Ok(())
    }

    /// Changes the pages of one level.
    fn split_one(
        &mut self,
        place: usize,
        level: &Level<'_>,
        child: Option<(PageHead, Split<'_>)>,
        oper: Option<&Oper<'_>>,
    ) -> Result<()> {
        let after = level.head.after;
        let child_split = child.filter(|(_, split)| !split.new.is_null());
        if level.split.new.is_null() {
            if let (Some(id), Some((child_head, child))) = (level.source.to_apply(), child_split) {
                self.insert_pointer(place, id, child.parent_key, child_head.pgno, child.new)?;
                self.stamp(id, after);
            }
            return Ok(());
        }
        let source = level.source.to_apply();
        if source.is_some() || level.new.is_some() {
            let pointer;
            let incoming = match (child_split, oper) {
                (Some((child_head, child)), _) => {
                    pointer = child_head.pgno.get().to_le_bytes();
                    Some((child.parent_key, &pointer[..], false))
                }
                (None, Some(oper)) => {
                    Some((&oper.key[..], oper.data, oper.head.page.is_versioned()))
                }
                (None, None) => None,
            };
            self.move_lines(place, level, incoming)?;
        }
        if let Some((_, child)) = child_split {
            // The pointer behind the new one leads to what is now the right half.
            let line = usize::from(level.split.line_oper) + 1;
            let first_moved = usize::from(level.split.line_split);
            let target = if line >= first_moved {
                level.new.map(|id| (id, line - first_moved))
            } else {
                source.map(|id| (id, line))
            };
            if let Some((id, line)) = target {
                self.set_pointer(place, id, line, child.new)?;
            }
        }
        self.fix_siblings(level);
        for id in [source, level.new, level.right.to_apply()]
            .into_iter()
            .flatten()
        {
            self.stamp(id, after);
        }
        Ok(())
    }

    pub(super) fn stamp(&mut self, id: FrameId, after: crate::format::ids::DbTime) {
        let flags = self.pool.page(id).flags().bits() & !PageFlags::SCRUBBED;
        let mut page = self.pool.edit(id);
        page.set_dbtime(after);
        page.set_flags(PageFlags::new(flags));
        self.clamp_uncommitted(id);
    }

    fn fix_siblings(&mut self, level: &Level<'_>) {
        let split = &level.split;
        if split.kind_number == 0 || split.new_flags & PageFlags::LEAF == 0 {
            return;
        }
        if let Some(id) = level.new {
            let mut page = self.pool.edit(id);
            page.set_prev(level.head.pgno);
            page.set_next(split.right);
        }
        if let Some(id) = level.source.to_apply() {
            self.pool.edit(id).set_next(split.new);
        }
        if let Some(id) = level.right.to_apply() {
            self.pool.edit(id).set_prev(split.new);
        }
    }

    /// Inserts a pointer into an internal page: the new separator leads to the left half, the pointer behind it to the
    /// right one.
    fn insert_pointer(
        &mut self,
        place: usize,
        id: FrameId,
        key: &[u8],
        left: Pgno,
        right: Pgno,
    ) -> Result<()> {
        let page = self.pool.page(id);
        let count = page.node_count();
        let line = (0..count)
            .find(|line| {
                page.node(*line).is_ok_and(|node| {
                    node.key_len() == 0 || node.cmp_key_to(key) != std::cmp::Ordering::Less
                })
            })
            .unwrap_or(count);
        self.insert_compressed(place, id, line, key, &left.get().to_le_bytes())?;
        self.set_pointer(place, id, line + 1, right)
    }

    /// Inserts a node, its key shortened by the page's prefix.
    pub(super) fn insert_compressed(
        &mut self,
        place: usize,
        id: FrameId,
        line: usize,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        let page = self.pool.page(id);
        let shared = if page.flags().is_root() {
            0
        } else {
            common(page.external_header(), key)
        };
        let done = self
            .pool
            .edit(id)
            .insert_node(line, shared, &key[shared..], data, 0);
        self.fits(place, self.pool.pgno(id), done)
    }

    /// Points node `line` of an internal page at `child`.
    pub(super) fn set_pointer(
        &mut self,
        place: usize,
        id: FrameId,
        line: usize,
        child: Pgno,
    ) -> Result<()> {
        let mut page = self.pool.edit(id);
        match page.node_data_mut(line) {
            Some(data) if data.len() == 4 => {
                data.copy_from_slice(&child.get().to_le_bytes());
                Ok(())
            }
            _ => {
                let what = format!("node {line} is no pointer to a page");
                let pgno = self.pool.pgno(id);
                Err(self
                    .misfit(place, pgno, JetError::NODE_CORRUPTED, &what)
                    .into())
            }
        }
    }
}

/// Whether nodes go from the split page to the new one, so that its former content is needed.
fn moves_nodes(split: &Split<'_>) -> bool {
    let only_the_new_one = split.kind_number == 1
        && split.oper_number == 1
        && split.line_split == split.line_oper
        && split.line_oper + 1 == split.lines;
    split.kind_number != 2 && !only_the_new_one
}
