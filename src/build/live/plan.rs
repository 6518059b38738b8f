//! How a page is to be split, worked out before anything is changed.

use super::lines::{self, Line};
use super::path::Path;
use super::{Live, LiveError};
use crate::format::ids::Pgno;
use crate::format::logrec::{RceId, SplitKind, SplitOper};
use crate::format::page::{NodeFlags, TAG_BYTES};

/// So many pointers an internal page has that is split without need.
const MANY_POINTERS: usize = 5;
/// Of so many splits below it one does that.
const UNNEEDED: usize = 10;

/// The operation that a split is to take along.
#[derive(Debug, Clone)]
pub(super) struct Oper {
    pub kind: SplitOper,
    /// Line where it belongs in the page before.
    pub line: usize,
    pub key: Vec<u8>,
    pub data: Vec<u8>,
    pub rceid: RceId,
    pub rceid_replace: Option<RceId>,
}

/// One level of a split.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub pgno: Pgno,
    /// Line of the pointer to the level below.
    pub line: usize,
    /// `None`: the page takes a pointer and is not split.
    pub split: Option<Parts>,
}

/// A page that is split.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub kind: SplitKind,
    pub oper: SplitOper,
    pub line_oper: usize,
    /// First line of the new page.
    pub first: usize,
    /// All lines, the operation done. On internal levels the pointer behind the new one is set later.
    pub lines: Vec<Line>,
    pub prefix_split: Option<usize>,
    /// Counted from `first`.
    pub prefix_new: Option<usize>,
    /// What separates the two pages.
    pub separator: Vec<u8>,
    /// The new page; known once it is allocated.
    pub new: Pgno,
}

impl Parts {
    /// Nodes of the old page go to the new one.
    pub fn moves_nodes(&self) -> bool {
        let only_new = self.kind == SplitKind::Right
            && self.oper == SplitOper::Insert
            && self.first == self.line_oper
            && self.line_oper + 1 == self.lines.len();
        self.kind != SplitKind::Append && !only_new
    }

    /// The split page is left as it is, prefix and all.
    pub fn keeps_source(&self) -> bool {
        self.kind == SplitKind::Append
    }
}

/// What to do.
pub(super) enum Plan {
    /// Levels from the leaf upwards; the operation goes along if the leaf's parts say so.
    Levels(Vec<Level>),
    /// The root is full: its nodes must go one level down first.
    RootFirst,
}

impl Live {
    /// Room of a page for nodes and prefix.
    pub(super) fn room(&self, pgno: Pgno) -> Result<usize, LiveError> {
        let page = self.pages.view(pgno)?;
        let header = if page.flags().is_root() {
            page.external_header().len()
        } else {
            0
        };
        Ok(page.room() - TAG_BYTES - header)
    }

    /// Plans a split that makes room for `oper` in the leaf of `path`.
    pub(super) fn plan(
        &mut self,
        tree: usize,
        path: &Path,
        oper: Option<&Oper>,
    ) -> Result<Plan, LiveError> {
        let leaf = self.plan_leaf(tree, path, oper)?;
        let is_root = path.above.is_empty();
        let mut separator = leaf.separator.clone();
        let mut child = path.leaf;
        let mut levels = vec![Level {
            pgno: path.leaf,
            line: path.line,
            split: Some(leaf),
        }];
        if is_root {
            return Ok(Plan::Levels(levels));
        }
        for &(pgno, line) in path.above.iter().rev() {
            let page = self.pages.view(pgno)?;
            let prefix = lines::prefix_of(page);
            let fits = lines::cost(&prefix, &separator, size_of::<u32>()) <= page.free();
            // Now and then as if there were no room, so that small trees get several levels, too.
            let many = page.node_count() >= MANY_POINTERS;
            if fits && !(many && self.random.once_in(UNNEEDED)) {
                levels.push(Level {
                    pgno,
                    line,
                    split: None,
                });
                return Ok(Plan::Levels(levels));
            }
            let mut all = lines::read(page);
            all.insert(line, Line::pointer(&separator, child));
            let parts = self.plan_internal(pgno, line, all)?;
            let Some(parts) = parts else {
                return Ok(Plan::RootFirst);
            };
            let vertical = parts.kind == SplitKind::Vertical;
            separator.clone_from(&parts.separator);
            child = pgno;
            levels.push(Level {
                pgno,
                line,
                split: Some(parts),
            });
            if vertical {
                return Ok(Plan::Levels(levels));
            }
        }
        Err(LiveError::Contradiction("a split without an end"))
    }

    /// The root goes one level down as it is.
    pub(super) fn plan_root(&mut self, root: Pgno) -> Result<Parts, LiveError> {
        let all = lines::read(self.pages.view(root)?);
        let also = self.random.below(all.len());
        let (prefix_new, _) = lines::best_prefix(&all, also);
        Ok(Parts {
            kind: SplitKind::Vertical,
            oper: SplitOper::None,
            line_oper: 0,
            first: 0,
            lines: all,
            prefix_split: None,
            prefix_new,
            separator: Vec::new(),
            new: Pgno::NULL,
        })
    }

    /// An internal page with a pointer more. `None` for a root that must go down first.
    fn plan_internal(
        &mut self,
        pgno: Pgno,
        line: usize,
        all: Vec<Line>,
    ) -> Result<Option<Parts>, LiveError> {
        let is_root = self.pages.view(pgno)?.flags().is_root();
        let parts =
            |kind, first, separator, prefixes: (Option<usize>, Option<usize>), lines| Parts {
                kind,
                oper: SplitOper::Insert,
                line_oper: line,
                first,
                lines,
                prefix_split: prefixes.0,
                prefix_new: prefixes.1,
                separator,
                new: Pgno::NULL,
            };
        if is_root {
            let also = self.random.below(all.len());
            let (prefix, bytes) = lines::best_prefix(&all, also);
            let fits = bytes <= self.pages.view(pgno)?.room() - TAG_BYTES;
            let together = fits && self.random.once_in(2);
            return Ok(
                together.then(|| parts(SplitKind::Vertical, 0, Vec::new(), (None, prefix), all))
            );
        }
        let room = self.room(pgno)?;
        let Some((first, prefixes)) = self.divide(room, &all, &vec![0; all.len()]) else {
            return Err(LiveError::Contradiction("an internal page of one node"));
        };
        let separator = all[first - 1].key.clone();
        Ok(Some(parts(
            SplitKind::Right,
            first,
            separator,
            prefixes,
            all,
        )))
    }

    fn plan_leaf(
        &mut self,
        tree: usize,
        path: &Path,
        oper: Option<&Oper>,
    ) -> Result<Parts, LiveError> {
        let page = self.pages.view(path.leaf)?;
        let (is_root, is_last) = (page.flags().is_root(), page.next().is_null());
        let whole = page.room() - TAG_BYTES;
        let before = lines::read(page);
        let room = self.room(path.leaf)?;
        // Now and then the split only makes room.
        let mut oper = oper.filter(|_| before.len() < 2 || !self.random.once_in(5));
        if is_root {
            if let Some(oper) = oper {
                let all = with_oper(&before, oper);
                let kept: usize = self.kept(tree, &all, Some(oper)).iter().sum();
                let also = self.random.below(all.len());
                let (prefix, bytes) = lines::best_prefix(&all, also);
                if bytes + kept <= whole {
                    let mut parts = self.plan_root(path.leaf)?;
                    (parts.oper, parts.line_oper) = (oper.kind, oper.line);
                    (parts.lines, parts.prefix_new) = (all, prefix);
                    return Ok(parts);
                }
            }
            return self.plan_root(path.leaf);
        }
        loop {
            let all = match oper {
                Some(oper) => with_oper(&before, oper),
                None => before.clone(),
            };
            let inserts = oper.is_some_and(|oper| oper.kind == SplitOper::Insert);
            let at_end = oper.is_some_and(|oper| inserts && oper.line == before.len());
            let line_oper = oper.map_or(0, |oper| oper.line);
            let kind = oper.map_or(SplitOper::None, |oper| oper.kind);
            let parts = |kind_of,
                         first: usize,
                         prefixes: (Option<usize>, Option<usize>),
                         all: Vec<Line>| Parts {
                kind: kind_of,
                oper: kind,
                line_oper,
                first,
                separator: lines::separator(&all[first - 1].key, &all[first].key),
                lines: all,
                prefix_split: prefixes.0,
                prefix_new: prefixes.1,
                new: Pgno::NULL,
            };
            if at_end && !before.is_empty() && is_last && !self.random.once_in(4) {
                let first = before.len();
                return Ok(parts(SplitKind::Append, first, (None, None), all));
            }
            let kept = self.kept(tree, &all, oper);
            if let Some((first, prefixes)) = self.divide(room, &all, &kept) {
                return Ok(parts(SplitKind::Right, first, prefixes, all));
            }
            if oper.take().is_none() {
                return Err(LiveError::Contradiction("a page that cannot be split"));
            }
        }
    }

    /// What rolling back may need, line by line.
    fn kept(&self, tree: usize, all: &[Line], oper: Option<&Oper>) -> Vec<usize> {
        let keep = |line: &Line| {
            let kept = self.reserve(tree, &line.key, line.data.len());
            match oper {
                Some(oper) if oper.key == line.key && oper.kind != SplitOper::Insert => {
                    let path = self.descend(tree, &line.key).ok();
                    let old = path.and_then(|path| path.found).map_or(0, |n| n.data.len());
                    kept.max(old.saturating_sub(line.data.len()))
                }
                _ => kept,
            }
        };
        all.iter().map(keep).collect()
    }

    /// Chooses where to divide lines among two pages, and the prefixes of both.
    #[allow(
        clippy::type_complexity,
        reason = "the line, and a prefix for each page"
    )]
    fn divide(
        &mut self,
        room: usize,
        all: &[Line],
        kept: &[usize],
    ) -> Option<(usize, (Option<usize>, Option<usize>))> {
        let also = self.random.below(all.len());
        let mut fitting = Vec::new();
        for first in 1..all.len() {
            let (left, bytes) = lines::best_prefix(&all[..first], also);
            if bytes + kept[..first].iter().sum::<usize>() > room {
                break;
            }
            let (right, bytes) = lines::best_prefix(&all[first..], also);
            if bytes + kept[first..].iter().sum::<usize>() <= room {
                fitting.push((first, (left, right)));
            }
        }
        // Anywhere; the middle is likelier.
        let pick = (self.random.below(fitting.len()) + self.random.below(fitting.len())) / 2;
        fitting.get(pick).copied()
    }
}

/// The lines of a page with the operation done.
fn with_oper(before: &[Line], oper: &Oper) -> Vec<Line> {
    let mut all = before.to_vec();
    if oper.kind == SplitOper::Insert {
        all.insert(
            oper.line.min(all.len()),
            Line {
                key: oper.key.clone(),
                data: oper.data.clone(),
                flags: NodeFlags::VERSION,
            },
        );
    } else if let Some(line) = all.get_mut(oper.line) {
        line.data.clone_from(&oper.data);
        line.flags |= NodeFlags::VERSION;
        if oper.kind == SplitOper::FlagInsertAndReplaceData {
            line.flags &= !NodeFlags::DELETED;
        }
    }
    all
}
