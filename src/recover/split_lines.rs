//! The nodes of a page that is split: dealt out to it and the new page. [log notes 7.6]

use std::ops::Range;

use crate::error::Result;
use crate::format::logrec::{SplitKind, SplitOper};
use crate::format::page::{NodeFlags, PageFlags};
use crate::jet::JetError;

use super::pool::FrameId;
use super::replay::Replay;
use super::split::Level;

/// Shorter common prefixes are not worth their count. [engine]
const PREFIX_OVERHEAD: usize = 2;

/// The nodes of a page before a split, copied, with the new one among them.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    lines: Vec<LineCopy>,
}

#[derive(Clone)]
struct LineCopy {
    key: Range<usize>,
    data: Range<usize>,
    flags: u8,
    /// Bytes of the key that the page's prefix held.
    prefix: usize,
}

impl Lines {
    fn push(&mut self, at: usize, key: &[&[u8]], data: &[u8], flags: u8, prefix: usize) {
        let start = self.bytes.len();
        for part in key {
            self.bytes.extend_from_slice(part);
        }
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(data);
        let line = LineCopy {
            key: start..middle,
            data: middle..self.bytes.len(),
            flags,
            prefix,
        };
        self.lines.insert(at.min(self.lines.len()), line);
    }

    fn key(&self, line: usize) -> &[u8] {
        self.lines
            .get(line)
            .map_or(&[], |line| &self.bytes[line.key.clone()])
    }

    fn data(&self, line: usize) -> &[u8] {
        self.lines
            .get(line)
            .map_or(&[], |line| &self.bytes[line.data.clone()])
    }

    fn set_data(&mut self, line: usize, data: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        if let Some(line) = self.lines.get_mut(line) {
            line.data = start..self.bytes.len();
        }
    }
}

/// How much of `key` a page with this prefix need not store.
pub(super) fn common(prefix: &[u8], key: &[u8]) -> usize {
    let same = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
    if same > PREFIX_OVERHEAD { same } else { 0 }
}

impl Replay {
    /// Deals the lines of the split page out to it and the new page.
    pub(super) fn move_lines(
        &mut self,
        place: usize,
        level: &Level<'_>,
        incoming: Option<(&[u8], &[u8], bool)>,
    ) -> Result<()> {
        let split = &level.split;
        let fail = |this: &Self| this.contradiction(&level.head);
        let kind = split.split_kind().map_err(|fault| self.unreadable(fault))?;
        let oper_kind = split.oper().map_err(|fault| self.unreadable(fault))?;
        let (line_oper, first_moved) =
            (usize::from(split.line_oper), usize::from(split.line_split));
        let source = level.source.to_apply();
        let mut lines = Lines::default();
        if let Some(id) = source {
            self.copy_lines(place, id, &mut lines)?;
        } else {
            // Only the new node moves; the lines before it need not be known.
            for at in 0..line_oper {
                lines.push(at, &[], &[], 0, 0);
            }
        }
        let leaf = split.new_flags & PageFlags::LEAF != 0;
        let mut oper_flags = 0;
        match (oper_kind, incoming) {
            (SplitOper::None, _) => {}
            (SplitOper::Insert, Some((key, data, versioned))) => {
                if versioned && leaf {
                    oper_flags = NodeFlags::VERSION;
                }
                lines.push(line_oper, &[key], data, oper_flags, 0);
            }
            (kind, Some((_, data, versioned))) => {
                let Some(line) = lines.lines.get_mut(line_oper) else {
                    return Err(fail(self).into());
                };
                oper_flags = line.flags;
                if kind == SplitOper::FlagInsertAndReplaceData {
                    oper_flags &= !NodeFlags::DELETED;
                }
                if line_oper < first_moved {
                    oper_flags = 0;
                }
                if versioned && leaf {
                    oper_flags |= NodeFlags::VERSION;
                }
                line.flags = oper_flags;
                lines.set_data(line_oper, data);
            }
            (_, None) => return Err(fail(self).into()),
        }
        if source.is_some() && lines.lines.len() != usize::from(split.lines) {
            return Err(fail(self).into());
        }
        if first_moved > lines.lines.len() || (kind == SplitKind::Vertical) != (first_moved == 0) {
            return Err(fail(self).into());
        }
        if let Some(id) = level.new {
            self.fill_new(place, id, level, &lines)?;
        }
        if let Some(id) = source {
            let own = oper_kind != SplitOper::None && line_oper < first_moved;
            let keeps_prefix = kind == SplitKind::Append && !own;
            self.shrink_source(
                place,
                id,
                level,
                &lines,
                own.then_some(oper_kind),
                keeps_prefix,
            )?;
        }
        Ok(())
    }

    /// Copies the nodes of a page.
    fn copy_lines(&self, place: usize, id: FrameId, into: &mut Lines) -> Result<()> {
        let page = self.pool.page(id);
        for (at, node) in page.nodes().enumerate() {
            match node {
                Ok(node) => {
                    let flags = node.flags.bits() & !NodeFlags::COMPRESSED;
                    let key = [node.prefix, node.suffix];
                    into.push(at, &key, node.data, flags, node.prefix.len());
                }
                Err(fault) => {
                    let pgno = self.pool.pgno(id);
                    let what = format!("node {at}: {fault}");
                    return Err(self
                        .misfit(place, pgno, JetError::NODE_CORRUPTED, &what)
                        .into());
                }
            }
        }
        Ok(())
    }

    fn fill_new(
        &mut self,
        place: usize,
        id: FrameId,
        level: &Level<'_>,
        lines: &Lines,
    ) -> Result<()> {
        let split = &level.split;
        let first_moved = usize::from(split.line_split);
        let prefix = usize::try_from(split.prefix_line_new)
            .ok()
            .map_or(&[][..], |line| lines.key(first_moved + line));
        let is_root = split.new_flags & PageFlags::ROOT != 0;
        if !prefix.is_empty() && !is_root {
            let done = self.pool.edit(id).set_external_header(&[prefix]);
            self.fits(place, split.new, done)?;
        }
        for (at, line) in lines.lines.iter().enumerate().skip(first_moved) {
            let key = lines.key(at);
            let shared = if is_root { 0 } else { common(prefix, key) };
            let done = self.pool.edit(id).insert_node(
                at - first_moved,
                shared,
                &key[shared..],
                lines.data(at),
                line.flags,
            );
            self.fits(place, split.new, done)?;
        }
        if split.new_flags & PageFlags::LEAF != 0 {
            self.pool
                .edit(id)
                .set_uncommitted_free(split.uncommitted_new);
        }
        Ok(())
    }

    /// Takes the moved lines out of the split page, gives it its new prefix and the operation, if that stays here.
    fn shrink_source(
        &mut self,
        place: usize,
        id: FrameId,
        level: &Level<'_>,
        lines: &Lines,
        own: Option<SplitOper>,
        keeps_prefix: bool,
    ) -> Result<()> {
        let split = &level.split;
        let pgno = level.head.pgno;
        let (first_moved, line_oper) =
            (usize::from(split.line_split), usize::from(split.line_oper));
        let inserted = own == Some(SplitOper::Insert);
        let stay = first_moved - usize::from(inserted);
        for line in (stay..self.pool.page(id).node_count()).rev() {
            self.pool.edit(id).delete_node(line);
        }
        let prefix = if split.prefix_line_split >= 0 {
            split.prefix_new
        } else {
            &[]
        };
        let vertical = split.kind_number == 0;
        if !keeps_prefix && !vertical {
            let kept = (0..first_moved).filter(|line| !(inserted && *line == line_oper));
            let changed: Vec<(usize, usize, usize)> = kept
                .enumerate()
                .map(|(now, line)| (now, line, common(prefix, lines.key(line))))
                .collect();
            if !split.prefix_old.is_empty() {
                let done = self.pool.edit(id).set_external_header(&[]);
                self.fits(place, pgno, done)?;
            }
            // Lines that get shorter first, to make room for those that get longer.
            for grows in [true, false] {
                for &(now, line, shared) in &changed {
                    let old = lines.lines[line].prefix;
                    let wanted = if grows { shared > old } else { shared < old };
                    if !wanted || (own.is_some() && !inserted && line == line_oper) {
                        continue;
                    }
                    let done = self.pool.edit(id).replace_node(
                        now,
                        shared,
                        &lines.key(line)[shared..],
                        lines.data(line),
                        lines.lines[line].flags,
                    );
                    self.fits(place, pgno, done)?;
                }
            }
            if !prefix.is_empty() {
                let done = self.pool.edit(id).set_external_header(&[prefix]);
                self.fits(place, pgno, done)?;
            }
        }
        if own.is_some() {
            if !inserted {
                self.pool.edit(id).delete_node(line_oper);
            }
            let key = lines.key(line_oper);
            let shared = if keeps_prefix { 0 } else { common(prefix, key) };
            let done = self.pool.edit(id).insert_node(
                line_oper,
                shared,
                &key[shared..],
                lines.data(line_oper),
                lines.lines[line_oper].flags,
            );
            self.fits(place, pgno, done)?;
        }
        if split.new_flags & PageFlags::LEAF != 0 {
            self.pool
                .edit(id)
                .set_uncommitted_free(split.uncommitted_split);
        }
        if vertical {
            let kept = self.pool.page(id).flags().bits()
                & (PageFlags::NEW_CHECKSUM | PageFlags::FLUSH_TYPE);
            let flags = split.split_flags & !(PageFlags::NEW_CHECKSUM | PageFlags::FLUSH_TYPE);
            let mut page = self.pool.edit(id);
            page.set_flags(PageFlags::new(flags | kept));
            let done = page.insert_node(0, 0, &[], &split.new.get().to_le_bytes(), 0);
            self.fits(place, pgno, done)?;
        }
        Ok(())
    }
}
