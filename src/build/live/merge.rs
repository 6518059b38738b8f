//! Merges of leaves. [log notes 6.6, 7.7]

use super::lines::{self, Line};
use super::path::Path;
use super::split::point_at;
use super::{Live, LiveError, TASKS, Tree};
use crate::build::logs::LogFormat;
use crate::format::ids::{DbTime, Pgno};
use crate::format::logrec::{MacroStep, Merge, MergeKind, PageImage, Record, RecordKind};
use crate::format::page::{PageFlags, PageMut, TAG_BYTES, dehydrate};

/// What happens to a pointer in an internal page.
#[derive(Debug, Clone)]
enum Pointer {
    /// It goes.
    Gone,
    /// It gets another key; the line may be the one before.
    Key(usize, Vec<u8>),
    /// It leads to the left sibling, and the pointer before it goes.
    Left,
}

struct Plan {
    kind: MergeKind,
    /// First node that moves to the right, or the last that moves to the left.
    line: usize,
    moved: Vec<Line>,
    stay: Vec<Line>,
    left: Pgno,
    right: Pgno,
    /// Internal pages from the leaf upwards.
    above: Vec<(Pgno, usize, Pointer)>,
}

impl Live {
    /// Merges some leaf with a sibling, or takes it out of the tree when all its nodes are flagged deleted and no
    /// transaction holds them. `None` when the leaf that was chosen cannot be merged.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn merge_some(&mut self, tree: usize) -> Result<Option<MergeKind>, LiveError> {
        let leaf = self.some_leaf(tree)?;
        let Some(path) = self.path_to(tree, leaf)? else {
            return Ok(None);
        };
        let Some(plan) = self.plan_merge(tree, &path)? else {
            return Ok(None);
        };
        self.begin(TASKS)?;
        self.execute_merge(tree, &path, &plan)?;
        let partial = matches!(plan.kind, MergeKind::PartialLeft | MergeKind::PartialRight);
        if !partial {
            self.free(TASKS, tree, leaf)?;
        }
        self.commit(TASKS)?;
        Ok(Some(plan.kind))
    }

    fn plan_merge(&mut self, tree: usize, path: &Path) -> Result<Option<Plan>, LiveError> {
        let Some(&(parent, line)) = path.above.last() else {
            return Ok(None);
        };
        let count = self.pages.view(parent)?.node_count();
        if count < 2 {
            return Ok(None);
        }
        let page = self.pages.view(path.leaf)?;
        let (left, right) = (page.prev(), page.next());
        let nodes = lines::read(page);
        let held = |node: &Line| self.has_versions(tree, &node.key);
        if nodes.iter().any(|node| node.is_deleted() && held(node)) {
            return Ok(None);
        }
        let empty = nodes.iter().all(Line::is_deleted);
        let segments = matches!(self.options.format, LogFormat::Segments);
        let (has_right, has_left) = (line + 1 < count, line > 0 && segments);
        let kinds = [
            (MergeKind::EmptyPage, empty),
            (MergeKind::FullRight, has_right),
            (MergeKind::PartialRight, has_right && nodes.len() > 1),
            (MergeKind::FullLeft, has_left),
            (MergeKind::PartialLeft, has_left && nodes.len() > 1),
        ];
        let possible: Vec<MergeKind> = kinds
            .into_iter()
            .filter(|(_, possible)| *possible)
            .map(|(kind, _)| kind)
            .collect();
        // A leaf without nodes mostly goes as a whole.
        let whole = empty && !self.random.once_in(4);
        let pick = if whole {
            0
        } else {
            self.random.below(possible.len())
        };
        let Some(kind) = possible.get(pick).copied() else {
            return Ok(None);
        };
        let at = match kind {
            MergeKind::PartialRight => 1 + self.random.below(nodes.len() - 1),
            MergeKind::PartialLeft => self.random.below(nodes.len() - 1),
            MergeKind::FullLeft => nodes.len() - 1,
            _ => 0,
        };
        let (moved, stay) = match kind {
            MergeKind::FullRight => (nodes, Vec::new()),
            MergeKind::PartialRight => (nodes[at..].to_vec(), nodes[..at].to_vec()),
            MergeKind::FullLeft => (nodes, Vec::new()),
            MergeKind::PartialLeft => (nodes[..=at].to_vec(), nodes[at + 1..].to_vec()),
            _ => (Vec::new(), nodes),
        };
        let plan = Plan {
            kind,
            line: at,
            above: self.plan_above(path, kind, &moved, &stay)?,
            moved: moved
                .into_iter()
                .filter(|line| !line.is_deleted())
                .collect(),
            stay,
            left,
            right,
        };
        Ok(self.merge_fits(tree, &plan)?.then_some(plan))
    }

    /// The page that takes the nodes.
    const fn dest(plan: &Plan) -> Option<Pgno> {
        match plan.kind {
            MergeKind::FullRight | MergeKind::PartialRight => Some(plan.right),
            MergeKind::FullLeft | MergeKind::PartialLeft => Some(plan.left),
            _ => None,
        }
    }

    fn merge_fits(&self, tree: usize, plan: &Plan) -> Result<bool, LiveError> {
        if let Some(dest) = Self::dest(plan) {
            let page = self.pages.view(dest)?;
            let prefix = lines::prefix_of(page);
            let kept = |line: &Line| self.reserve(tree, &line.key, line.data.len());
            let moved: usize = plan
                .moved
                .iter()
                .map(|line| lines::cost(&prefix, &line.key, line.data.len()) + kept(line))
                .sum();
            if moved + self.reserve_of_page(tree, dest)? > page.free() {
                return Ok(false);
            }
        }
        for (pgno, line, pointer) in &plan.above {
            let page = self.pages.view(*pgno)?;
            let (at, key) = match pointer {
                Pointer::Key(at, key) => (*at, &key[..]),
                Pointer::Gone if page.node(*line).is_ok_and(|node| node.key_len() == 0) => {
                    (*line, &[][..])
                }
                Pointer::Gone | Pointer::Left => continue,
            };
            let prefix = lines::prefix_of(page);
            let node = page.node(at).map(|node| node.key()).unwrap_or_default();
            let old = lines::cost(&prefix, &node, size_of::<u32>());
            if lines::cost(&prefix, key, size_of::<u32>()) > page.free() + old - TAG_BYTES {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What happens in the internal pages.
    fn plan_above(
        &self,
        path: &Path,
        kind: MergeKind,
        moved: &[Line],
        stay: &[Line],
    ) -> Result<Vec<(Pgno, usize, Pointer)>, LiveError> {
        let Some((&(parent, line), higher)) = path.above.split_last() else {
            return Ok(Vec::new());
        };
        let between = |left: &[Line], right: &[Line]| match (left.last(), right.first()) {
            (Some(left), Some(right)) => lines::separator(&left.key, &right.key),
            _ => Vec::new(),
        };
        let pointer = match kind {
            MergeKind::PartialRight => Pointer::Key(line, between(stay, moved)),
            MergeKind::PartialLeft => Pointer::Key(line - 1, between(moved, stay)),
            MergeKind::FullLeft => Pointer::Left,
            _ => Pointer::Gone,
        };
        let gone = matches!(pointer, Pointer::Gone);
        let mut above = vec![(parent, line, pointer)];
        let page = self.pages.view(parent)?;
        let (count, last) = (page.node_count(), page.node(line).map(|node| node.key()));
        let had_key = last.is_ok_and(|key| !key.is_empty());
        if !gone || line + 1 < count || !had_key {
            return Ok(above);
        }
        // The page ends with another key now, and so does the pointer to it.
        let Some(before) = line.checked_sub(1) else {
            return Ok(above);
        };
        let key = page.node(before).map(|node| node.key()).unwrap_or_default();
        for &(pgno, line) in higher.iter().rev() {
            above.push((pgno, line, Pointer::Key(line, key.clone())));
            let page = self.pages.view(pgno)?;
            if line + 1 < page.node_count() {
                break;
            }
        }
        Ok(above)
    }

    fn execute_merge(&mut self, tree: usize, path: &Path, plan: &Plan) -> Result<(), LiveError> {
        let owner = self.tree(tree)?;
        let after = self.next_dbtime();
        let first = self.append(&Record::Macro(TASKS, after, MacroStep::Begin))?;
        for at in (0..plan.above.len()).rev() {
            self.log_pointer(owner, plan, at, path, after)?;
        }
        self.log_leaf(owner, plan, path, after)?;
        let last = self.append(&Record::Macro(TASKS, after, MacroStep::Commit))?;
        let records = (first, last);
        self.change_leaves(tree, path, plan, after, records)?;
        for (pgno, line, pointer) in &plan.above {
            let mut page = self.pages.edit(*pgno)?;
            match pointer {
                Pointer::Gone => remove_pointer(&mut page, *line)?,
                Pointer::Key(line, key) => rekey(&mut page, *line, key)?,
                Pointer::Left => {
                    point_at(&mut page, *line, plan.left)?;
                    page.delete_node(line.saturating_sub(1));
                }
            }
            self.stamp(*pgno, after, first, last)?;
        }
        Ok(())
    }

    fn change_leaves(
        &mut self,
        tree: usize,
        path: &Path,
        plan: &Plan,
        after: DbTime,
        (first, last): (usize, usize),
    ) -> Result<(), LiveError> {
        let partial = matches!(plan.kind, MergeKind::PartialLeft | MergeKind::PartialRight);
        if let Some(dest) = Self::dest(plan) {
            let mut page = self.pages.edit(dest)?;
            let front = dest == plan.right;
            let prefix = lines::prefix_of(page.view());
            let start = if front { 0 } else { page.view().node_count() };
            for (at, line) in plan.moved.iter().enumerate() {
                let shared = lines::shared(&prefix, &line.key);
                let suffix = &line.key[shared..];
                page.insert_node(start + at, shared, suffix, &line.data, line.flags)?;
            }
            self.versions_moved(tree, dest)?;
            if self.without_images() {
                self.pages.depend(path.leaf, dest, last);
            }
        }
        let mut page = self.pages.edit(path.leaf)?;
        if partial {
            let count = page.view().node_count();
            let gone = match plan.kind {
                MergeKind::PartialRight => plan.line..count,
                _ => 0..plan.line + 1,
            };
            for line in gone.rev() {
                page.delete_node(line);
            }
        } else {
            lines::clear(&mut page);
            page.set_external_header(&[])?;
            let flags = page.view().flags().bits() | PageFlags::EMPTY;
            page.set_flags(PageFlags::new(flags));
        }
        self.stamp(path.leaf, after, first, last)?;
        if !plan.left.is_null() {
            if !partial {
                self.pages.edit(plan.left)?.set_next(plan.right);
            }
            self.stamp(plan.left, after, first, last)?;
        }
        if !plan.right.is_null() {
            if !partial {
                self.pages.edit(plan.right)?.set_prev(plan.left);
            }
            self.stamp(plan.right, after, first, last)?;
        }
        Ok(())
    }

    fn merge_kind_record(&self) -> RecordKind {
        if self.without_images() {
            RecordKind::MERGE_OLD
        } else {
            RecordKind::MERGE
        }
    }

    fn log_pointer(
        &mut self,
        owner: Tree,
        plan: &Plan,
        at: usize,
        path: &Path,
        after: DbTime,
    ) -> Result<(), LiveError> {
        let (pgno, line, pointer) = &plan.above[at];
        let parent = plan.above.get(at + 1).map(|above| above.0);
        let mut head = self.page_head(self.merge_kind_record(), TASKS, *pgno, after)?;
        head.line = *line as u16;
        let mut merge = self.empty_merge(owner, parent)?;
        match pointer {
            Pointer::Gone => merge.flags = Merge::DELETE_NODE,
            Pointer::Left => merge.flags = Merge::DELETE_NODE | Merge::KEY_CHANGE,
            Pointer::Key(..) => merge.flags = Merge::KEY_CHANGE,
        }
        debug_assert!(at > 0 || path.above.last().is_some_and(|above| above.0 == *pgno));
        self.append(&Record::Merge(head, merge))?;
        Ok(())
    }

    fn empty_merge(&self, owner: Tree, parent: Option<Pgno>) -> Result<Merge<'static>, LiveError> {
        let parent_before = match parent {
            Some(parent) => self.pages.view(parent)?.dbtime(),
            None => DbTime::ZERO,
        };
        Ok(Merge {
            right: Pgno::NULL,
            right_before: DbTime::ZERO,
            left: Pgno::NULL,
            left_before: DbTime::ZERO,
            parent: parent.unwrap_or(Pgno::NULL),
            parent_before,
            pgno_fdp: owner.root,
            objid: owner.objid,
            size_total: 0,
            size_max_total: 0,
            uncommitted_dest: 0,
            line_merge: 0,
            flags: 0,
            kind_number: 0,
            separator: &[],
            image: None,
        })
    }

    fn log_leaf(
        &mut self,
        owner: Tree,
        plan: &Plan,
        path: &Path,
        after: DbTime,
    ) -> Result<(), LiveError> {
        let kind = self.merge_kind_record();
        let head = self.page_head(kind, TASKS, path.leaf, after)?;
        let parent = path.above.last().map(|above| above.0);
        let mut merge = self.empty_merge(owner, parent)?;
        let time_of = |live: &Self, pgno: Pgno| match pgno.is_null() {
            true => Ok(DbTime::ZERO),
            false => live.pages.view(pgno).map(|page| page.dbtime()),
        };
        (merge.left, merge.left_before) = (plan.left, time_of(self, plan.left)?);
        (merge.right, merge.right_before) = (plan.right, time_of(self, plan.right)?);
        merge.size_total = lines::total(&[], &plan.moved) as u16;
        merge.size_max_total = merge.size_total;
        merge.line_merge = plan.line as u16;
        // The key stands here, whichever level gets it. [engine]
        let key = plan.above.iter().find_map(|(_, _, pointer)| match pointer {
            Pointer::Key(_, key) => Some(&key[..]),
            Pointer::Gone | Pointer::Left => None,
        });
        merge.separator = key.unwrap_or_default();
        merge.kind_number = match plan.kind {
            MergeKind::FullRight => 2,
            MergeKind::PartialRight => 3,
            MergeKind::FullLeft => 5,
            MergeKind::PartialLeft => 6,
            _ => 1,
        };
        let partial = matches!(plan.kind, MergeKind::PartialLeft | MergeKind::PartialRight);
        debug_assert!(!partial || !plan.stay.is_empty());
        if !partial {
            merge.flags = Merge::EMPTY_PAGE;
        }
        let size = self.pages.size;
        let mut image = self.pages.view(path.leaf)?.bytes().to_vec();
        if let Some(mut page) = PageMut::new(&mut image, size) {
            page.set_dbtime(after);
        }
        let short = dehydrate(&image, size).filter(|_| self.random.once_in(2));
        if kind == RecordKind::MERGE && Self::dest(plan).is_some() {
            merge.image = Some(PageImage {
                dehydrated: short.is_some(),
                compressed: false,
                bytes: short.as_deref().unwrap_or(&image),
            });
        }
        self.append(&Record::Merge(head, merge))?;
        Ok(())
    }
}

/// Takes a pointer out; the last pointer of the right edge has no key.
fn remove_pointer(page: &mut PageMut<'_>, line: usize) -> Result<(), LiveError> {
    let edge = page.view().node(line).is_ok_and(|node| node.key_len() == 0);
    page.delete_node(line);
    match page.view().node_count().checked_sub(1) {
        Some(last) if edge => rekey(page, last, &[]),
        _ => Ok(()),
    }
}

/// Gives a pointer another key.
fn rekey(page: &mut PageMut<'_>, line: usize, key: &[u8]) -> Result<(), LiveError> {
    let node = page.view().node(line).map(|node| Line::of(&node));
    let node = node.map_err(|_| LiveError::Contradiction("no pointer"))?;
    let shared = lines::shared(&lines::prefix_of(page.view()), key);
    page.delete_node(line);
    page.insert_node(line, shared, &key[shared..], &node.data, 0)?;
    Ok(())
}
