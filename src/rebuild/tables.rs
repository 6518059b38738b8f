//! Tables, one after another: each takes the pages from the end of the file until it is written.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::plan::TablePlan;
use super::source::{TreeHead, TreeInfo};
use super::{Filter, Job, RebuildError, Verdict};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::page::NodeFlags;
use crate::tree::space::{Run, SpacePlan};
use crate::tree::stores::{EndStore, PageFile as _};
use crate::tree::{FinishedTree, TreeSpec, TreeWriter};

/// Hands out database times.
pub(super) struct Clock(u64);

impl Clock {
    pub const fn after(time: DbTime) -> Self {
        Self(time.get())
    }

    pub const fn next(&mut self) -> DbTime {
        self.0 = self.0.saturating_add(1);
        DbTime::new(self.0)
    }
}

/// What was written so far.
#[derive(Default)]
pub(super) struct Written {
    pub nodes: u64,
    pub dropped: u64,
    pub changed: u64,
    pub roots: BTreeMap<Objid, Pgno>,
    pub unwritten: Vec<Run>,
}

/// A tree of which all is written but the root and the space.
struct Copied {
    spec: TreeSpec,
    auto_increment: Option<u64>,
    finished: FinishedTree,
}

impl Job<'_, '_> {
    /// Writes a table with all its trees.
    pub fn table(&mut self, plan: &TablePlan, filter: &mut Filter<'_>) -> Result<(), RebuildError> {
        let Some(data) = &plan.data else {
            // Trees without a table belong to the database itself.
            for tree in &plan.children {
                self.child(tree, Pgno::new(1), filter)?;
            }
            return Ok(());
        };
        let copied = self.copy(data, filter)?;
        let root = copied.spec.root;
        for tree in &plan.children {
            self.child(tree, root, filter)?;
        }
        self.close_whole(copied, Pgno::new(1))
    }

    fn child(
        &mut self,
        tree: &TreeInfo,
        parent: Pgno,
        filter: &mut Filter<'_>,
    ) -> Result<(), RebuildError> {
        let copied = self.copy(tree, filter)?;
        self.close_whole(copied, parent)
    }

    /// Everything from the tree's root to the end of the file is its own.
    fn close_whole(&mut self, copied: Copied, parent: Pgno) -> Result<(), RebuildError> {
        let first = copied.spec.root.get();
        let trees = if SpacePlan::needs_trees(self.file.next() - first) {
            Some(self.file.take(2)?.first)
        } else {
            None
        };
        let run = Run::new(first, self.file.next() - first);
        let space = SpacePlan::whole(run, trees, parent);
        self.close(copied.spec, &space, copied.auto_increment, copied.finished)?;
        Ok(())
    }

    fn copy(&mut self, tree: &TreeInfo, filter: &mut Filter<'_>) -> Result<Copied, RebuildError> {
        let head = self.source.head(tree)?;
        let root = Pgno::new(self.file.take(1)?.first);
        let spec = TreeSpec {
            page_size: self.form.page_size,
            root,
            objid: tree.objid,
            flags: self.form.flags(head.flags.bits() & TreeHead::KEPT),
            dbtime: self.clock.next(),
            root_header: SpacePlan::root_header_len(head.auto_increment),
            density: tree.density,
        };
        let mut writer = TreeWriter::new(spec);
        let mut store = EndStore {
            file: &mut self.file,
        };
        let (mut buffer, mut failure) = (Vec::new(), None);
        let written = &mut self.written;
        if !tree.is_space_cache() {
            self.source.nodes(tree, &mut |node| {
                buffer.clear();
                let data = match filter(tree, node.key, node.data, &mut buffer) {
                    Verdict::Keep => node.data,
                    Verdict::Replace => {
                        written.changed += 1;
                        &buffer[..]
                    }
                    Verdict::Drop => {
                        written.dropped += 1;
                        return ControlFlow::Continue(());
                    }
                };
                match writer.push(&mut store, node.key, data, NodeFlags::default()) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        failure = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })?;
        }
        let named = |error| RebuildError::in_tree(&tree.to_string(), error);
        if let Some(error) = failure {
            return Err(named(error));
        }
        let finished = writer.finish(&mut store).map_err(named)?;
        Ok(Copied {
            spec,
            auto_increment: head.auto_increment,
            finished,
        })
    }
}
