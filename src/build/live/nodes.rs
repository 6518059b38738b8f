//! Changes of single nodes.

use super::lines::{self, Line};
use super::path::Path;
use super::plan::Oper;
use super::sessions::{Change, Effect};
use super::{Live, LiveError, TASKS};
use crate::format::ids::Pgno;
use crate::format::logrec::{Delta, ProcId, RceId, Record, RecordKind, Replace, SplitOper};
use crate::format::page::NodeFlags;

/// Splits that one operation may need: one a level and some that only make room.
const TRIES: usize = 16;
/// Offsets and the bit layout of a narrow difference. [log notes 6.7]
const NARROW_OFFSET: usize = 0x1FFF;
const SAME_LENGTH: u8 = 0x20;
const INSERT: u8 = 0x40;
const TWO_BYTES: u8 = 0x80;

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was done.
    Yes,
    /// Another transaction has the node.
    Locked,
    /// The node is there already, or it is not there.
    No,
}

/// Adds to a number in a node's data; nothing happens where there is none.
pub(super) fn apply_sum(data: &mut [u8], by: i64, offset: u16, wide: bool) {
    let at = usize::from(offset);
    let Some(rest) = data.get_mut(at..) else {
        return;
    };
    if wide {
        if let Some(number) = rest.first_chunk_mut::<8>() {
            *number = i64::from_le_bytes(*number).wrapping_add(by).to_le_bytes();
        }
    } else if let Some(number) = rest.first_chunk_mut::<4>() {
        let sum = i32::from_le_bytes(*number).wrapping_add(by as i32);
        *number = sum.to_le_bytes();
    }
}

impl Live {
    /// Inserts a node; the session must be in a transaction.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn insert(
        &mut self,
        procid: ProcId,
        tree: usize,
        key: &[u8],
        data: &[u8],
    ) -> Result<Done, LiveError> {
        if self.is_locked(procid, tree, key, false) {
            return Ok(Done::Locked);
        }
        for _ in 0..TRIES {
            let path = self.descend(tree, key)?;
            let oper = match &path.found {
                Some(node) if !node.is_deleted() => return Ok(Done::No),
                Some(node) if node.data == data => {
                    self.flag_insert(procid, tree, &path, node)?;
                    return Ok(Done::Yes);
                }
                Some(_) => self.oper(SplitOper::FlagInsertAndReplaceData, &path, key, data),
                None => self.oper(SplitOper::Insert, &path, key, data),
            };
            if self.has_room(tree, &path, &oper)? {
                match &path.found {
                    Some(node) => self.come_back(procid, tree, &path, &oper, node)?,
                    None => self.insert_here(procid, tree, &path, &oper)?,
                }
                return Ok(Done::Yes);
            }
            if self.split(procid, tree, &path, Some(&oper))? {
                return Ok(Done::Yes);
            }
        }
        Err(LiveError::Contradiction("no room after many splits"))
    }

    /// Replaces the data of a node.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn replace(
        &mut self,
        procid: ProcId,
        tree: usize,
        key: &[u8],
        data: &[u8],
    ) -> Result<Done, LiveError> {
        if self.is_locked(procid, tree, key, false) {
            return Ok(Done::Locked);
        }
        for _ in 0..TRIES {
            let path = self.descend(tree, key)?;
            let Some(node) = path.found.as_ref().filter(|node| !node.is_deleted()) else {
                return Ok(Done::No);
            };
            let oper = self.oper(SplitOper::Replace, &path, key, data);
            if self.has_room(tree, &path, &oper)? {
                self.replace_here(procid, tree, &path, &oper, node)?;
                return Ok(Done::Yes);
            }
            if self.split(procid, tree, &path, Some(&oper))? {
                return Ok(Done::Yes);
            }
        }
        Err(LiveError::Contradiction("no room after many splits"))
    }

    /// Adds `by` to the number at `offset`, of 64 bits if `wide`.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn add(
        &mut self,
        procid: ProcId,
        tree: usize,
        key: &[u8],
        (by, offset, wide): (i64, u16, bool),
    ) -> Result<Done, LiveError> {
        if self.is_locked(procid, tree, key, true) {
            return Ok(Done::Locked);
        }
        let path = self.descend(tree, key)?;
        let bytes = if wide { 8 } else { 4 };
        let long_enough = |node: &&Line| node.data.len() >= usize::from(offset) + bytes;
        let node = path.found.as_ref().filter(|node| !node.is_deleted());
        let Some(node) = node.filter(long_enough) else {
            return Ok(Done::No);
        };
        let after = self.next_dbtime();
        let place = (path.leaf, path.line);
        let mut head = self.node_head(RecordKind::DELTA, procid, tree, place, after)?;
        head.rceid = self.next_rceid();
        let number = self.append(&Record::Delta(
            head,
            Delta {
                delta: by,
                offset,
                wide,
                key,
                bookmark_data: &[],
            },
        ))?;
        let mut page = self.pages.edit(path.leaf)?;
        if let Some(data) = page.node_data_mut(path.line) {
            apply_sum(data, by, offset, wide);
        }
        page.set_node_flags(path.line, node.flags | NodeFlags::VERSION);
        self.stamp(path.leaf, after, number, number)?;
        let effect = Effect::Sum(tree, key.to_vec(), by, offset, wide);
        let change = Change::Sum { by, offset, wide };
        self.add_version(procid, (head.rceid, tree, key), change, &[], Some(effect));
        Ok(Done::Yes)
    }

    /// Flags a node deleted.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn delete(&mut self, procid: ProcId, tree: usize, key: &[u8]) -> Result<Done, LiveError> {
        if self.is_locked(procid, tree, key, false) {
            return Ok(Done::Locked);
        }
        let path = self.descend(tree, key)?;
        let Some(node) = path.found.as_ref().filter(|node| !node.is_deleted()) else {
            return Ok(Done::No);
        };
        let after = self.next_dbtime();
        let place = (path.leaf, path.line);
        let mut head = self.node_head(RecordKind::FLAG_DELETE, procid, tree, place, after)?;
        head.rceid = self.next_rceid();
        let number = self.append(&Record::FlagDelete(head))?;
        let flags = node.flags | NodeFlags::DELETED | NodeFlags::VERSION;
        self.pages.edit(path.leaf)?.set_node_flags(path.line, flags);
        self.stamp(path.leaf, after, number, number)?;
        let effect = Effect::Remove(tree, key.to_vec());
        let name = (head.rceid, tree, key);
        self.add_version(procid, name, Change::FlagDelete, &[path.leaf], Some(effect));
        Ok(Done::Yes)
    }

    /// Clean-up: removes nodes flagged deleted, that no transaction holds, from some leaf; one node stays.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn clean_up(&mut self, tree: usize) -> Result<usize, LiveError> {
        let leaf = self.some_leaf(tree)?;
        let nodes = lines::read(self.pages.view(leaf)?);
        let is_root = self.pages.view(leaf)?.flags().is_root();
        let mut left = nodes.len();
        let mut removed = 0;
        for (line, node) in nodes.iter().enumerate().rev() {
            if !node.is_deleted() || self.has_versions(tree, &node.key) || (left == 1 && !is_root) {
                continue;
            }
            if removed == 0 {
                self.begin(TASKS)?;
            }
            let after = self.next_dbtime();
            let kind = RecordKind::DELETE;
            let mut head = self.node_head(kind, TASKS, tree, (leaf, line), after)?;
            head.page.flags = crate::format::logrec::PageHead::FLAG_UNIQUE
                | crate::format::logrec::PageHead::FLAG_SYSTEM_TASK;
            let number = self.append(&Record::Delete(head))?;
            self.pages.edit(leaf)?.delete_node(line);
            self.stamp(leaf, after, number, number)?;
            left -= 1;
            removed += 1;
        }
        if removed > 0 {
            self.commit(TASKS)?;
        }
        Ok(removed)
    }

    fn oper(&mut self, kind: SplitOper, path: &Path, key: &[u8], data: &[u8]) -> Oper {
        let rceid = self.next_rceid();
        let replaces = kind == SplitOper::FlagInsertAndReplaceData;
        Oper {
            kind,
            line: path.line,
            key: key.to_vec(),
            data: data.to_vec(),
            rceid,
            rceid_replace: replaces.then(|| self.next_rceid()),
        }
    }

    /// Whether the operation fits the leaf, with all that rolling back may need.
    fn has_room(&self, tree: usize, path: &Path, oper: &Oper) -> Result<bool, LiveError> {
        let page = self.pages.view(path.leaf)?;
        let kept = self.reserve_of_page(tree, path.leaf)?;
        let need = match &path.found {
            None => lines::cost(&lines::prefix_of(page), &oper.key, oper.data.len()),
            Some(node) => {
                // What is kept for this node already is part of its growth, and a shrinking one keeps the difference.
                let own = self.reserve(tree, &oper.key, node.data.len());
                let own_after = self
                    .reserve(tree, &oper.key, oper.data.len())
                    .max(node.data.len().saturating_sub(oper.data.len()));
                let grown = oper.data.len() + own_after;
                grown.saturating_sub(node.data.len() + own)
            }
        };
        Ok(need + kept <= page.free())
    }

    fn insert_here(
        &mut self,
        procid: ProcId,
        tree: usize,
        path: &Path,
        oper: &Oper,
    ) -> Result<(), LiveError> {
        let prefix = lines::prefix_of(self.pages.view(path.leaf)?);
        let shared = lines::shared(&prefix, &oper.key);
        let (start, suffix) = oper.key.split_at(shared);
        let after = self.next_dbtime();
        let place = (path.leaf, path.line);
        let mut head = self.node_head(RecordKind::INSERT, procid, tree, place, after)?;
        head.rceid = oper.rceid;
        let number = self.append(&Record::Insert(head, start, suffix, &oper.data))?;
        let mut page = self.pages.edit(path.leaf)?;
        page.insert_node(path.line, shared, suffix, &oper.data, NodeFlags::VERSION)?;
        self.stamp(path.leaf, after, number, number)?;
        self.inserted(procid, tree, oper, &[path.leaf], None);
        Ok(())
    }

    /// A node flagged deleted comes back as it was.
    fn flag_insert(
        &mut self,
        procid: ProcId,
        tree: usize,
        path: &Path,
        node: &Line,
    ) -> Result<(), LiveError> {
        let after = self.next_dbtime();
        let place = (path.leaf, path.line);
        let mut head = self.node_head(RecordKind::FLAG_INSERT, procid, tree, place, after)?;
        head.rceid = self.next_rceid();
        let number = self.append(&Record::FlagInsert(head, &node.key, &node.data))?;
        let flags = node.flags & !NodeFlags::DELETED | NodeFlags::VERSION;
        self.pages.edit(path.leaf)?.set_node_flags(path.line, flags);
        self.stamp(path.leaf, after, number, number)?;
        let effect = Effect::Put(tree, node.key.clone(), node.data.clone());
        let name = (head.rceid, tree, &node.key[..]);
        self.add_version(procid, name, Change::Insert, &[], Some(effect));
        Ok(())
    }

    /// A node flagged deleted comes back with other data.
    fn come_back(
        &mut self,
        procid: ProcId,
        tree: usize,
        path: &Path,
        oper: &Oper,
        node: &Line,
    ) -> Result<(), LiveError> {
        let after = self.next_dbtime();
        let place = (path.leaf, path.line);
        let kind = RecordKind::FLAG_INSERT_AND_REPLACE_DATA;
        let mut head = self.node_head(kind, procid, tree, place, after)?;
        head.rceid = oper.rceid;
        let replace = oper.rceid_replace.unwrap_or(oper.rceid);
        let record = Record::FlagInsertAndReplaceData(head, &oper.key, &oper.data, replace);
        let number = self.append(&record)?;
        let mut page = self.pages.edit(path.leaf)?;
        page.replace_data(path.line, &oper.data)?;
        let flags = node.flags & !NodeFlags::DELETED | NodeFlags::VERSION;
        page.set_node_flags(path.line, flags);
        self.stamp(path.leaf, after, number, number)?;
        self.inserted(procid, tree, oper, &[path.leaf], Some(node));
        Ok(())
    }

    fn replace_here(
        &mut self,
        procid: ProcId,
        tree: usize,
        path: &Path,
        oper: &Oper,
        node: &Line,
    ) -> Result<(), LiveError> {
        let wide = self.pages.size.is_large();
        let diff = self
            .random
            .once_in(2)
            .then(|| difference(&node.data, &oper.data, wide))
            .flatten();
        let after = self.next_dbtime();
        let place = (path.leaf, path.line);
        let mut head = self.node_head(RecordKind::REPLACE, procid, tree, place, after)?;
        head.rceid = oper.rceid;
        let record = Record::Replace(
            head,
            Replace {
                old_len: node.data.len() as u16,
                new_len: oper.data.len() as u16,
                data: diff.as_deref().unwrap_or(&oper.data),
                diff: diff.as_ref().map(|_| wide),
            },
        );
        let number = self.append(&record)?;
        let mut page = self.pages.edit(path.leaf)?;
        page.replace_data(path.line, &oper.data)?;
        page.set_node_flags(path.line, node.flags | NodeFlags::VERSION);
        self.stamp(path.leaf, after, number, number)?;
        self.replaced(procid, tree, oper, &[path.leaf], node);
        Ok(())
    }

    /// Remembers how to undo an insertion; `old` is the node that came back with other data.
    pub(super) fn inserted(
        &mut self,
        procid: ProcId,
        tree: usize,
        oper: &Oper,
        pages: &[Pgno],
        old: Option<&Line>,
    ) {
        let effect = Effect::Put(tree, oper.key.clone(), oper.data.clone());
        let name = (oper.rceid, tree, &oper.key[..]);
        self.add_version(procid, name, Change::Insert, pages, Some(effect));
        if let (Some(old), Some(rceid)) = (old, oper.rceid_replace) {
            let change = Change::Replace(old.data.clone());
            self.add_version(procid, (rceid, tree, &oper.key[..]), change, pages, None);
        }
    }

    /// Remembers how to undo a replacement.
    pub(super) fn replaced(
        &mut self,
        procid: ProcId,
        tree: usize,
        oper: &Oper,
        pages: &[Pgno],
        old: &Line,
    ) {
        let effect = Effect::Put(tree, oper.key.clone(), oper.data.clone());
        let name: (RceId, usize, &[u8]) = (oper.rceid, tree, &oper.key);
        let change = Change::Replace(old.data.clone());
        self.add_version(procid, name, change, pages, Some(effect));
    }
}

/// The difference as a ReplaceD record holds it, in one piece; `None` where it cannot be said.
fn difference(old: &[u8], new: &[u8], wide: bool) -> Option<Vec<u8>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - start;
    let ends = old.iter().rev().zip(new.iter().rev()).take(most);
    let end = ends.take_while(|(a, b)| a == b).count();
    let (gone, come) = (old.len() - start - end, &new[start..new.len() - end]);
    if start > NARROW_OFFSET && !wide {
        return None;
    }
    let mut flags = if gone == come.len() {
        SAME_LENGTH
    } else if gone == 0 {
        INSERT
    } else {
        0
    };
    let two = gone.max(come.len()) > usize::from(u8::MAX);
    if two {
        flags |= TWO_BYTES;
    }
    let mut diff = Vec::new();
    let offset = start as u16;
    if wide {
        diff.extend_from_slice(&offset.to_le_bytes());
        diff.push(flags);
    } else {
        diff.extend_from_slice(&(offset | u16::from(flags) << 8).to_le_bytes());
    }
    let mut put = |len: usize| {
        let bytes = (len as u16).to_le_bytes();
        diff.extend_from_slice(&bytes[..if two { 2 } else { 1 }]);
    };
    put(come.len());
    if flags & (SAME_LENGTH | INSERT) == 0 {
        put(gone);
    }
    diff.extend_from_slice(come);
    Some(diff)
}

#[cfg(test)]
mod tests {
    use super::{apply_sum, difference};
    use crate::format::logrec::apply_diff;

    #[test]
    fn differences_lead_to_the_new_data() {
        let long = [7; 600];
        let words: [&[u8]; 7] = [b"", b"a", b"abc", b"abd", b"xabc", b"abcabc", &long];
        for wide in [false, true] {
            for old in words {
                for new in words {
                    let diff = difference(old, new, wide).unwrap();
                    let mut out = Vec::new();
                    apply_diff(old, &diff, wide, 10_000, &mut out).unwrap();
                    assert_eq!(out, new);
                }
            }
        }
    }

    #[test]
    fn sums_stay_within_the_data() {
        let mut data = [1, 0, 0, 0, 9];
        apply_sum(&mut data, -3, 0, false);
        assert_eq!(data, [0xFE, 0xFF, 0xFF, 0xFF, 9]);
        apply_sum(&mut data, 1, 2, false);
        apply_sum(&mut data, 1, 0, true);
        assert_eq!(data, [0xFE, 0xFF, 0xFF, 0xFF, 9]);
    }
}
