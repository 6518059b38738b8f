//! Splits: the group of records, then the pages. [log notes 6.5, 7.6]

use super::lines;
use super::path::Path;
use super::plan::{Level, Oper, Parts, Plan};
use super::{Live, LiveError, Tree};
use crate::format::ids::{DbTime, Pgno};
use crate::format::logrec::{
    MacroStep, NodeHead, PageImage, ProcId, Record, RecordKind, Replace, Split, SplitKind,
    SplitOper,
};
use crate::format::page::{PageFlags, dehydrate};

/// The time before of an operation inside a group is not given.
const NOT_GIVEN: DbTime = DbTime::new(u64::MAX);
/// Flags that are a page's own.
const OWN_FLAGS: u32 = PageFlags::FLUSH_TYPE | PageFlags::SCRUBBED;

impl Live {
    /// Makes room for `oper` in the leaf of `path`. True when the operation went along.
    pub(super) fn split(
        &mut self,
        procid: ProcId,
        tree: usize,
        path: &Path,
        oper: Option<&Oper>,
    ) -> Result<bool, LiveError> {
        let (levels, oper) = match self.plan(tree, path, oper)? {
            Plan::Levels(levels) => (levels, oper),
            Plan::RootFirst => {
                let root = self.tree(tree)?.root;
                let level = Level {
                    pgno: root,
                    line: 0,
                    split: Some(self.plan_root(root)?),
                };
                (vec![level], None)
            }
        };
        let goes_along = |level: &Level| {
            let parts = level.split.as_ref();
            parts.is_some_and(|parts| parts.oper != SplitOper::None)
        };
        let leaf_is_leaf = levels.first().is_some_and(|level| level.pgno == path.leaf);
        let oper = oper.filter(|_| leaf_is_leaf && levels.first().is_some_and(goes_along));
        self.execute(procid, tree, levels, oper, path)?;
        Ok(oper.is_some())
    }

    /// Splits some leaf without need, or a root that has nodes enough; false when there was nothing to split.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn split_some(&mut self, procid: ProcId, tree: usize) -> Result<bool, LiveError> {
        let leaf = self.some_leaf(tree)?;
        let Some(path) = self.path_to(tree, leaf)? else {
            return Ok(false);
        };
        if self.pages.view(leaf)?.node_count() < 2 {
            return Ok(false);
        }
        self.split(procid, tree, &path, None)?;
        Ok(true)
    }

    fn execute(
        &mut self,
        procid: ProcId,
        tree: usize,
        mut levels: Vec<Level>,
        oper: Option<&Oper>,
        path: &Path,
    ) -> Result<(), LiveError> {
        for level in &mut levels {
            if let Some(parts) = &mut level.split {
                parts.new = self.allocate(procid, tree)?;
            }
        }
        let after = self.next_dbtime();
        let owner = self.tree(tree)?;
        let first = self.append(&Record::Macro(procid, after, MacroStep::Begin))?;
        for at in (0..levels.len()).rev() {
            let parent = levels.get(at + 1).map(|above| above.pgno);
            self.log_level(procid, owner, &levels[at], parent, after)?;
        }
        if let Some(oper) = oper {
            self.log_oper(procid, tree, &levels[0], oper, path, after)?;
        }
        let last = self.append(&Record::Macro(procid, after, MacroStep::Commit))?;
        let old = path.found.clone();
        for at in (0..levels.len()).rev() {
            let child = at.checked_sub(1).map(|below| &levels[below]);
            self.change_level(owner, &levels[at], child, after, (first, last))?;
        }
        if let Some(Level {
            pgno,
            split: Some(parts),
            ..
        }) = levels.first()
        {
            if let Some(oper) = oper {
                let pages = [*pgno, parts.new];
                match (oper.kind, &old) {
                    (SplitOper::Replace, Some(old)) => {
                        self.replaced(procid, tree, oper, &pages, old);
                    }
                    _ => self.inserted(procid, tree, oper, &pages, old.as_ref()),
                }
            }
            self.versions_moved(tree, parts.new)?;
        }
        Ok(())
    }

    fn log_level(
        &mut self,
        procid: ProcId,
        owner: Tree,
        level: &Level,
        parent: Option<Pgno>,
        after: DbTime,
    ) -> Result<(), LiveError> {
        let old = self.without_images();
        let kind = if old {
            RecordKind::SPLIT_OLD
        } else {
            RecordKind::SPLIT
        };
        let mut head = self.page_head(kind, procid, level.pgno, after)?;
        head.line = level.line as u16;
        let parent_before = match parent {
            Some(parent) => self.pages.view(parent)?.dbtime(),
            None => DbTime::ZERO,
        };
        let mut split = Split {
            new: Pgno::NULL,
            right: Pgno::NULL,
            right_before: DbTime::ZERO,
            parent: parent.unwrap_or(Pgno::NULL),
            parent_before,
            pgno_fdp: owner.root,
            objid: owner.objid,
            // The engine leaves what was in memory here; readers must not look at it.
            kind_number: 0xA5,
            oper_number: 0x5A,
            line_oper: 0xFFFF,
            line_split: 283,
            lines: 0,
            new_flags: 0x7FFF_FFFF,
            split_flags: 0x55,
            uncommitted_split: 0xEEEE,
            uncommitted_new: 0xEEEE,
            prefix_line_split: 1_847_398_791,
            prefix_line_new: -7,
            parent_key: &[],
            prefix_old: &[],
            prefix_new: &[],
            image: None,
        };
        let Some(parts) = &level.split else {
            self.append(&Record::Split(head, split))?;
            return Ok(());
        };
        let page = self.pages.view(level.pgno)?;
        let prefix_old = lines::prefix_of(page);
        let flags = page.flags().bits() & !OWN_FLAGS;
        let vertical = parts.kind == SplitKind::Vertical;
        split.new = parts.new;
        if page.flags().is_leaf() && !vertical && !page.next().is_null() {
            split.right = page.next();
            split.right_before = self.pages.view(page.next())?.dbtime();
        }
        (split.kind_number, split.oper_number) = numbers(parts);
        split.line_oper = parts.line_oper as u16;
        split.line_split = parts.first as u16;
        split.lines = parts.lines.len() as u16;
        split.new_flags = flags & !PageFlags::ROOT;
        split.split_flags = root_flags(flags, vertical);
        split.uncommitted_split = 0;
        split.uncommitted_new = 0;
        split.prefix_line_split = line_number(parts.prefix_split);
        split.prefix_line_new = line_number(parts.prefix_new);
        split.parent_key = &parts.separator;
        if !parts.keeps_source() && !vertical {
            split.prefix_old = &prefix_old;
            if let Some(line) = parts.prefix_split {
                split.prefix_new = &parts.lines[line].key;
            }
        }
        // The engine's image has the time of the page afterwards already.
        let mut image = page.bytes().to_vec();
        let size = self.pages.size;
        if let Some(mut page) = crate::format::page::PageMut::new(&mut image, size) {
            page.set_dbtime(after);
        }
        let short = dehydrate(&image, size).filter(|_| self.random.once_in(2));
        if !old && (parts.moves_nodes() || self.random.once_in(4)) {
            split.image = Some(PageImage {
                dehydrated: short.is_some(),
                compressed: false,
                bytes: short.as_deref().unwrap_or(&image),
            });
        }
        self.append(&Record::Split(head, split))?;
        Ok(())
    }

    fn log_oper(
        &mut self,
        procid: ProcId,
        tree: usize,
        leaf: &Level,
        oper: &Oper,
        path: &Path,
        after: DbTime,
    ) -> Result<(), LiveError> {
        let kind = RecordKind::INSERT;
        let place = (leaf.pgno, oper.line);
        let mut head: NodeHead = self.node_head(kind, procid, tree, place, after)?;
        head.page.before = NOT_GIVEN;
        head.rceid = oper.rceid;
        let record = match oper.kind {
            SplitOper::Replace => Record::Replace(
                head,
                Replace {
                    old_len: path.found.as_ref().map_or(0, |node| node.data.len()) as u16,
                    new_len: oper.data.len() as u16,
                    data: &oper.data,
                    diff: None,
                },
            ),
            SplitOper::FlagInsertAndReplaceData => Record::FlagInsertAndReplaceData(
                head,
                &oper.key,
                &oper.data,
                oper.rceid_replace.unwrap_or(oper.rceid),
            ),
            SplitOper::Insert | SplitOper::None => Record::Insert(head, &[], &oper.key, &oper.data),
        };
        self.append(&record)?;
        Ok(())
    }

    fn change_level(
        &mut self,
        owner: Tree,
        level: &Level,
        child: Option<&Level>,
        after: DbTime,
        (first, last): (usize, usize),
    ) -> Result<(), LiveError> {
        let below = child.and_then(|child| Some((child.pgno, child.split.as_ref()?)));
        let Some(parts) = &level.split else {
            if let Some((pgno, parts)) = below {
                let pointer = lines::Line::pointer(&parts.separator, pgno);
                let mut page = self.pages.edit(level.pgno)?;
                let shared = lines::shared(&lines::prefix_of(page.view()), &pointer.key);
                let suffix = &pointer.key[shared..];
                page.insert_node(level.line, shared, suffix, &pointer.data, 0)?;
                point_at(&mut page, level.line + 1, parts.new)?;
            }
            return self.stamp(level.pgno, after, first, last);
        };
        let mut all = parts.lines.clone();
        if let (Some((_, parts)), Some(next)) = (below, all.get_mut(level.line + 1)) {
            next.data = parts.new.get().to_le_bytes().to_vec();
        }
        let vertical = parts.kind == SplitKind::Vertical;
        let page = self.pages.view(level.pgno)?;
        let (flags, right) = (page.flags().bits() & !OWN_FLAGS, page.next());
        let is_leaf = page.flags().is_leaf();
        let new_flags = PageFlags::new(flags & !PageFlags::ROOT);
        let prefix = parts
            .prefix_new
            .map(|at| &parts.lines[parts.first + at].key[..]);
        let mut new = self.pages.edit(parts.new)?;
        new.init(parts.new, owner.objid, new_flags, after);
        new.set_external_header(&[prefix.unwrap_or_default()])?;
        lines::append(&mut new, &all[parts.first..])?;
        if is_leaf && !vertical {
            new.set_prev(level.pgno);
            new.set_next(right);
        }
        let mut page = self.pages.edit(level.pgno)?;
        if vertical {
            lines::clear(&mut page);
            page.set_flags(PageFlags::new(root_flags(flags, true)));
            page.insert_node(0, 0, &[], &parts.new.get().to_le_bytes(), 0)?;
        } else if !parts.keeps_source() {
            lines::clear(&mut page);
            let prefix = parts.prefix_split.map(|at| &parts.lines[at].key[..]);
            page.set_external_header(&[])?;
            page.set_external_header(&[prefix.unwrap_or_default()])?;
            lines::append(&mut page, &all[..parts.first])?;
        }
        if is_leaf && !vertical {
            page.set_next(parts.new);
            if !right.is_null() {
                self.pages.edit(right)?.set_prev(parts.new);
                self.stamp(right, after, first, last)?;
            }
        }
        self.stamp(parts.new, after, first, last)?;
        if self.without_images() {
            self.pages.depend(level.pgno, parts.new, last);
        }
        self.stamp(level.pgno, after, first, last)
    }
}

/// Points node `line` of an internal page at `child`.
pub(super) fn point_at(
    page: &mut crate::format::page::PageMut<'_>,
    line: usize,
    child: Pgno,
) -> Result<(), LiveError> {
    match page.node_data_mut(line) {
        Some(data) if data.len() == size_of::<u32>() => {
            data.copy_from_slice(&child.get().to_le_bytes());
            Ok(())
        }
        _ => Err(LiveError::Contradiction("no pointer")),
    }
}

const fn numbers(parts: &Parts) -> (u8, u8) {
    let kind = match parts.kind {
        SplitKind::Vertical => 0,
        SplitKind::Right => 1,
        SplitKind::Append => 2,
    };
    let oper = match parts.oper {
        SplitOper::None => 0,
        SplitOper::Insert => 1,
        SplitOper::Replace => 2,
        SplitOper::FlagInsertAndReplaceData => 3,
    };
    (kind, oper)
}

fn line_number(line: Option<usize>) -> i32 {
    line.map_or(-1, |line| line as i32)
}

/// The split page's flags: a root that goes down is no leaf afterwards.
const fn root_flags(flags: u32, vertical: bool) -> u32 {
    if !vertical {
        flags
    } else if flags & PageFlags::LEAF != 0 {
        flags & !PageFlags::LEAF | PageFlags::PARENT_OF_LEAF
    } else {
        flags & !PageFlags::PARENT_OF_LEAF
    }
}
