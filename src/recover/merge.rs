//! Merges of pages: a group of one record a level, from the top of the tree down to the leaf. [log notes 7.7]

use crate::error::Result;
use crate::format::ids::DbTime;
use crate::format::logrec::{Merge, MergeKind, PageHead, Record, RecordFault};
use crate::format::page::NodeFlags;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;

use super::attached::Sight;
use super::pool::FrameId;
use super::replay::Replay;
use super::split_lines::common;

struct Leaf<'a> {
    head: PageHead,
    merge: Merge<'a>,
    kind: MergeKind,
    source: Sight,
    left: Sight,
    right: Sight,
}

impl Replay {
    /// Executes a merge.
    ///
    /// # Errors
    /// Pages that do not fit the records, records that contradict each other.
    pub(super) fn merge(&mut self, records: &[(Lgpos, Record<'_>)]) -> Result<()> {
        let mut levels = Vec::new();
        for (_, record) in records {
            let Record::Merge(head, merge) = record else {
                let kind = crate::format::logrec::RecordKind::MERGE;
                return Err(self.unreadable(RecordFault::Contradiction { kind }).into());
            };
            levels.push((*head, *merge));
        }
        let Some(&(head, merge)) = levels.last() else {
            return Ok(());
        };
        let Some(place) = self.group_database(&head, merge.objid) else {
            return Ok(());
        };
        let kind = merge.merge_kind().map_err(|fault| self.unreadable(fault))?;
        // Every page is looked at before any is changed.
        let mut inner = Vec::new();
        for (head, merge) in &levels[..levels.len() - 1] {
            let sight = self.sight(place, head.pgno, head.before, head.after)?;
            inner.push((*head, *merge, sight));
        }
        let leaf = self.merge_leaf(place, head, merge, kind)?;
        self.merge_nodes(place, &leaf)?;
        for (head, merge, sight) in inner {
            if let Sight::Apply(id) = sight {
                self.merge_pointer(place, id, &head, &merge, &leaf)?;
                self.stamp(id, head.after);
            }
        }
        self.databases[place].touched = true;
        Ok(())
    }

    fn merge_leaf<'a>(
        &mut self,
        place: usize,
        head: PageHead,
        merge: Merge<'a>,
        kind: MergeKind,
    ) -> Result<Leaf<'a>> {
        let mut source = self.sight(place, head.pgno, head.before, head.after)?;
        let mut sibling = |pgno: crate::format::ids::Pgno, before: DbTime| {
            if pgno.is_null() {
                Ok(Sight::Gone)
            } else {
                self.sight(place, pgno, before, head.after)
            }
        };
        let left = sibling(merge.left, merge.left_before)?;
        let right = sibling(merge.right, merge.right_before)?;
        let dest = match kind {
            MergeKind::FullRight | MergeKind::PartialRight => right.to_apply(),
            MergeKind::FullLeft | MergeKind::PartialLeft => left.to_apply(),
            _ => None,
        };
        if dest.is_some() && source.to_apply().is_none() {
            source = Sight::Apply(self.restore_image(place, &head, merge.image)?);
        }
        Ok(Leaf {
            head,
            merge,
            kind,
            source,
            left,
            right,
        })
    }

    fn merge_nodes(&mut self, place: usize, leaf: &Leaf<'_>) -> Result<()> {
        let (merge, after) = (&leaf.merge, leaf.head.after);
        let line = usize::from(merge.line_merge);
        let source = leaf.source.to_apply();
        let count = source.map_or(0, |id| self.pool.page(id).node_count());
        let (moved, dest) = match leaf.kind {
            MergeKind::FullRight | MergeKind::PartialRight => {
                (line.min(count)..count, leaf.right.to_apply())
            }
            MergeKind::FullLeft | MergeKind::PartialLeft => {
                (0..(line + 1).min(count), leaf.left.to_apply())
            }
            _ => (0..0, None),
        };
        if let (Some(from), Some(to)) = (source, dest) {
            let front = matches!(leaf.kind, MergeKind::FullRight | MergeKind::PartialRight);
            self.move_nodes(place, from, to, moved.clone(), front)?;
            self.pool
                .edit(to)
                .set_uncommitted_free(merge.uncommitted_dest);
        }
        let partial = matches!(leaf.kind, MergeKind::PartialRight | MergeKind::PartialLeft);
        if let Some(id) = source {
            if partial {
                for line in moved.rev() {
                    self.pool.edit(id).delete_node(line);
                }
            }
            if merge.has(Merge::EMPTY_PAGE) {
                self.empty_page(id);
            }
            self.stamp(id, after);
        }
        if let Some(id) = leaf.left.to_apply() {
            if !partial {
                self.pool.edit(id).set_next(merge.right);
            }
            self.stamp(id, after);
        }
        if let Some(id) = leaf.right.to_apply() {
            if !partial {
                self.pool.edit(id).set_prev(merge.left);
            }
            self.stamp(id, after);
        }
        Ok(())
    }

    /// Copies nodes that are not flagged deleted to the front or the end of another page.
    fn move_nodes(
        &mut self,
        place: usize,
        from: FrameId,
        to: FrameId,
        lines: std::ops::Range<usize>,
        front: bool,
    ) -> Result<()> {
        let pgno = self.pool.pgno(to);
        let at = if front {
            0
        } else {
            self.pool.page(to).node_count()
        };
        let mut key = Vec::new();
        let mut data = Vec::new();
        for line in lines.rev() {
            self.node_exists(place, from, line)?;
            let page = self.pool.page(from);
            let Ok(node) = page.node(line) else { continue };
            if node.flags.is_deleted() {
                continue;
            }
            node.key_into(&mut key);
            data.clear();
            data.extend_from_slice(node.data);
            let flags = node.flags.bits() & !NodeFlags::COMPRESSED;
            let dest = self.pool.page(to);
            let shared = if dest.flags().is_root() {
                0
            } else {
                common(dest.external_header(), &key)
            };
            let done = self
                .pool
                .edit(to)
                .insert_node(at, shared, &key[shared..], &data, flags);
            self.fits(place, pgno, done)?;
        }
        Ok(())
    }

    /// What a merge changes in an internal page.
    fn merge_pointer(
        &mut self,
        place: usize,
        id: FrameId,
        head: &PageHead,
        merge: &Merge<'_>,
        leaf: &Leaf<'_>,
    ) -> Result<()> {
        let line = usize::from(head.line);
        let (delete, change) = (merge.has(Merge::DELETE_NODE), merge.has(Merge::KEY_CHANGE));
        if leaf.kind == MergeKind::FullLeft && delete && change {
            // The pointer now leads to the left sibling, which took the nodes; its own goes.
            self.set_pointer(place, id, line, leaf.merge.left)?;
            if let Some(before) = line.checked_sub(1) {
                self.pool.edit(id).delete_node(before);
            }
        } else if delete {
            self.node_exists(place, id, line)?;
            let page = self.pool.page(id);
            let had_no_key = page.node(line).is_ok_and(|node| node.key_len() == 0);
            self.pool.edit(id).delete_node(line);
            let count = self.pool.page(id).node_count();
            if had_no_key && count > 0 {
                self.rekey(place, id, count - 1, &[])?;
            }
        } else if change {
            let line = if leaf.kind == MergeKind::PartialLeft {
                line.wrapping_sub(1)
            } else {
                line
            };
            self.rekey(place, id, line, leaf.merge.separator)?;
        }
        if merge.has(Merge::EMPTY_PAGE) {
            self.empty_page(id);
        }
        Ok(())
    }

    /// Gives a pointer another key.
    fn rekey(&mut self, place: usize, id: FrameId, line: usize, key: &[u8]) -> Result<()> {
        let page = self.pool.page(id);
        let pointer: Option<[u8; 4]> = page
            .node(line)
            .ok()
            .and_then(|node| node.data.try_into().ok());
        let Some(pointer) = pointer else {
            let what = format!("node {line} is no pointer to a page");
            let pgno = self.pool.pgno(id);
            return Err(self
                .misfit(place, pgno, JetError::NODE_CORRUPTED, &what)
                .into());
        };
        self.pool.edit(id).delete_node(line);
        self.insert_compressed(place, id, line, key, &pointer)
    }
}
