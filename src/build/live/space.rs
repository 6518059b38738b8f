//! Pages from and to the space of a tree. [format notes chapter 5; log notes 7.5]

use super::{CONVERT2_SINCE, Live, LiveError, Tree};
use crate::build::logs::LogFormat;
use crate::format::ids::{Objid, Pgno};
use crate::format::logrec::Replace;
use crate::format::logrec::{NodeHead, PageHead, ProcId, RceId, Record, RecordKind, SpaceTrees};
use crate::format::page::{PageFlags, TAG_BYTES};

/// Flag of a space header: the object has space trees.
const MULTIPLE: u32 = 1;
/// Pages by which a tree grows.
const GROWTH: u32 = 6;
/// External header of the root of a space tree: nothing kept for its own splits.
const SPLIT_BUFFER: [u8; 16] = [0; 16];
/// The database itself.
const ROOT: Tree = Tree {
    root: Pgno::new(1),
    objid: Objid::SYSTEM_ROOT,
};

/// A run of pages in a space tree, at a line of its root.
#[derive(Debug, Clone, Copy)]
struct Run {
    line: usize,
    last: u32,
    count: u32,
}

impl Run {
    const fn first(self) -> u32 {
        self.last + 1 - self.count
    }
}

/// The four numbers of a space header: pages, parent, flags, bits of free pages or root of the owned extents.
type SpaceHeader = [u32; 4];

fn pack(header: SpaceHeader) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (place, value) in bytes.chunks_exact_mut(4).zip(header) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

impl Live {
    fn space_header(&self, tree: Tree) -> Result<SpaceHeader, LiveError> {
        let external = self.pages.view(tree.root)?.external_header();
        let (words, []) = external.as_chunks::<4>() else {
            return Err(LiveError::Contradiction("space header"));
        };
        match words {
            [a, b, c, d] => Ok([*a, *b, *c, *d].map(u32::from_le_bytes)),
            _ => Err(LiveError::Contradiction("space header")),
        }
    }

    /// A free page of the tree; the tree grows where it has none.
    pub(super) fn allocate(&mut self, procid: ProcId, tree: usize) -> Result<Pgno, LiveError> {
        let tree = self.tree(tree)?;
        let header = self.space_header(tree)?;
        let pgno = if header[2] & MULTIPLE == 0 {
            self.allocate_small(procid, tree, header)?
        } else {
            self.allocate_large(procid, tree)?
        };
        // What the page was before must not get in the way of what it will be: without images pages wait for each
        // other, and they would wait for themselves.
        if self.without_images() || self.random.once_in(3) {
            self.flush_page(pgno)?;
        }
        Ok(pgno)
    }

    fn allocate_small(
        &mut self,
        procid: ProcId,
        tree: Tree,
        header: SpaceHeader,
    ) -> Result<Pgno, LiveError> {
        let [pages, parent, flags, bits] = header;
        if bits == 0 {
            self.convert(procid, tree, header)?;
            return self.allocate_large(procid, tree);
        }
        let bit = bits.trailing_zeros();
        let header = pack([pages, parent, flags, bits & !(1 << bit)]);
        self.set_space_header(procid, tree, header)?;
        Ok(Pgno::new(tree.root.get() + 1 + bit))
    }

    fn set_space_header(
        &mut self,
        procid: ProcId,
        tree: Tree,
        header: [u8; 16],
    ) -> Result<(), LiveError> {
        let after = self.next_dbtime();
        let kind = RecordKind::SET_EXTERNAL_HEADER;
        let head = self.space_head(kind, procid, tree, (tree.root, 0), after)?;
        let number = self.append(&Record::SetExternalHeader(head, &header))?;
        self.pages
            .edit(tree.root)?
            .set_external_header(&[&header])?;
        self.stamp(tree.root, after, number, number)
    }

    fn space_head(
        &self,
        kind: RecordKind,
        procid: ProcId,
        tree: Tree,
        (pgno, line): (Pgno, usize),
        after: crate::format::ids::DbTime,
    ) -> Result<NodeHead, LiveError> {
        let mut page = self.page_head(kind, procid, pgno, after)?;
        page.line = line as u16;
        page.flags = PageHead::FLAG_UNIQUE | PageHead::FLAG_SPACE;
        Ok(NodeHead {
            page,
            rceid: RceId(0),
            pgno_fdp: tree.root,
            objid: tree.objid,
        })
    }

    /// The runs in the root of a space tree.
    fn runs(&self, root: Pgno) -> Result<Vec<Run>, LiveError> {
        let page = self.pages.view(root)?;
        if !page.flags().is_leaf() {
            return Err(LiveError::Contradiction("a space tree of several pages"));
        }
        let mut runs = Vec::new();
        for (line, node) in page.nodes().enumerate() {
            let node = node.map_err(|_| LiveError::Contradiction("a node of a space tree"))?;
            let (key, data) = (node.key(), <[u8; 4]>::try_from(node.data));
            let (Some(last), Ok(count)) = (key.last_chunk::<4>(), data) else {
                return Err(LiveError::Contradiction("a node of a space tree"));
            };
            runs.push(Run {
                line,
                last: u32::from_be_bytes(*last),
                count: u32::from_le_bytes(count),
            });
        }
        Ok(runs)
    }

    /// Takes the first pages of a run in a space tree.
    fn take(
        &mut self,
        procid: ProcId,
        tree: Tree,
        space: Pgno,
        count: u32,
    ) -> Result<Option<Pgno>, LiveError> {
        let runs = self.runs(space)?;
        let Some(run) = runs.iter().find(|run| run.count >= count).copied() else {
            return Ok(None);
        };
        let left = run.count - count;
        if left == 0 {
            self.remove_run(procid, tree, space, run)?;
        } else {
            self.resize_run(procid, tree, space, run, left)?;
        }
        Ok(Some(Pgno::new(run.first())))
    }

    fn resize_run(
        &mut self,
        procid: ProcId,
        tree: Tree,
        space: Pgno,
        run: Run,
        count: u32,
    ) -> Result<(), LiveError> {
        let after = self.next_dbtime();
        let place = (space, run.line);
        let head = self.space_head(RecordKind::REPLACE, procid, tree, place, after)?;
        let data = count.to_le_bytes();
        let number = self.append(&Record::Replace(
            head,
            Replace {
                old_len: data.len() as u16,
                new_len: data.len() as u16,
                data: &data,
                diff: None,
            },
        ))?;
        self.pages.edit(space)?.replace_data(run.line, &data)?;
        self.stamp(space, after, number, number)
    }

    fn remove_run(
        &mut self,
        procid: ProcId,
        tree: Tree,
        space: Pgno,
        run: Run,
    ) -> Result<(), LiveError> {
        let after = self.next_dbtime();
        let place = (space, run.line);
        let head = self.space_head(RecordKind::DELETE, procid, tree, place, after)?;
        let number = self.append(&Record::Delete(head))?;
        self.pages.edit(space)?.delete_node(run.line);
        self.stamp(space, after, number, number)
    }

    /// Adds a run; false when the root of the space tree has no room for it.
    fn add_run(
        &mut self,
        procid: ProcId,
        tree: Tree,
        space: Pgno,
        last: u32,
        count: u32,
    ) -> Result<bool, LiveError> {
        let runs = self.runs(space)?;
        let line = runs.iter().filter(|run| run.last < last).count();
        let (key, data) = (last.to_be_bytes(), count.to_le_bytes());
        if self.pages.view(space)?.free() < 2 * TAG_BYTES + key.len() + data.len() {
            return Ok(false);
        }
        let after = self.next_dbtime();
        let head = self.space_head(RecordKind::INSERT, procid, tree, (space, line), after)?;
        let number = self.append(&Record::Insert(head, &[], &key, &data))?;
        self.pages
            .edit(space)?
            .insert_node(line, 0, &key, &data, 0)?;
        self.stamp(space, after, number, number)?;
        Ok(true)
    }

    fn allocate_large(&mut self, procid: ProcId, tree: Tree) -> Result<Pgno, LiveError> {
        let owned = Pgno::new(self.space_header(tree)?[3]);
        if let Some(pgno) = self.take(procid, tree, owned.next(), 1)? {
            return Ok(pgno);
        }
        let first = self.take_from_root(procid, GROWTH)?;
        let last = first.get() + GROWTH - 1;
        let done = self.add_run(procid, tree, owned, last, GROWTH)?
            && self.add_run(procid, tree, owned.next(), last, GROWTH)?;
        let taken = self.take(procid, tree, owned.next(), 1)?;
        taken.filter(|_| done).ok_or(LiveError::Full)
    }

    fn take_from_root(&mut self, procid: ProcId, count: u32) -> Result<Pgno, LiveError> {
        let available = Pgno::new(self.space_header(ROOT)?[3]).next();
        let taken = self.take(procid, ROOT, available, count)?;
        taken.ok_or(LiveError::Full)
    }

    /// A small tree gets a second extent, and space trees in it.
    fn convert(
        &mut self,
        procid: ProcId,
        tree: Tree,
        [pages, parent, flags, bits]: SpaceHeader,
    ) -> Result<(), LiveError> {
        let extent = GROWTH + 2;
        let owned = self.take_from_root(procid, extent)?;
        let available = owned.next();
        let without = matches!(self.options.format, LogFormat::Ranges { .. })
            && self.options.version.0 < CONVERT2_SINCE;
        let root_flags = self.pages.view(tree.root)?.flags().bits();
        let roles = PageFlags::ROOT | PageFlags::LEAF | PageFlags::PARENT_OF_LEAF;
        let plain = root_flags & !roles & !PageFlags::FLUSH_TYPE & !PageFlags::SCRUBBED;
        let after = self.next_dbtime();
        let kind = if without {
            RecordKind::CONVERT_FDP_OLD
        } else {
            RecordKind::CONVERT_FDP
        };
        let head = self.page_head(kind, procid, tree.root, after)?;
        let number = self.append(&Record::ConvertFdp(
            head,
            SpaceTrees {
                objid: tree.objid,
                oe: owned,
                ae: available,
                parent: Pgno::new(parent),
                secondary_first: owned,
                primary_pages: pages.cast_signed(),
                secondary_pages: extent.cast_signed(),
                free_bits: (!without).then_some(bits),
                page_flags: (!without).then_some(plain),
            },
        ))?;
        let second_last = owned.get() + extent - 1;
        let first_last = tree.root.get() + pages - 1;
        let mut own = vec![(first_last, pages), (second_last, extent)];
        let mut free = vec![(second_last, extent - 2)];
        for bit in (0..32).filter(|bit| bits >> bit & 1 != 0) {
            free.push((tree.root.get() + 1 + bit, 1));
        }
        own.sort_unstable();
        free.sort_unstable();
        for (root, runs) in [(owned, own), (available, free)] {
            let flags = plain | PageFlags::ROOT | PageFlags::LEAF | PageFlags::SPACE_TREE;
            let mut page = self.pages.edit(root)?;
            page.init(root, tree.objid, PageFlags::new(flags), after);
            page.set_external_header(&[&SPLIT_BUFFER])?;
            for (line, (last, count)) in runs.into_iter().enumerate() {
                page.insert_node(line, 0, &last.to_be_bytes(), &count.to_le_bytes(), 0)?;
            }
            self.stamp(root, after, number, number)?;
            if without {
                self.pages.depend(tree.root, root, number);
            }
        }
        let header = pack([pages, parent, flags & !4 | MULTIPLE, owned.get()]);
        self.pages
            .edit(tree.root)?
            .set_external_header(&[&header])?;
        self.stamp(tree.root, after, number, number)
    }

    /// Gives a page back to its tree's space. It is lost, as the engine may lose one, when its place is full.
    pub(super) fn free(
        &mut self,
        procid: ProcId,
        tree: usize,
        pgno: Pgno,
    ) -> Result<(), LiveError> {
        let tree = self.tree(tree)?;
        let [pages, parent, flags, last] = self.space_header(tree)?;
        if flags & MULTIPLE == 0 {
            let bit = pgno.get().wrapping_sub(tree.root.get() + 1);
            if bit < pages.saturating_sub(1).min(32) {
                let header = pack([pages, parent, flags, last | 1 << bit]);
                self.set_space_header(procid, tree, header)?;
            }
            return Ok(());
        }
        let available = Pgno::new(last).next();
        let runs = self.runs(available)?;
        let behind = runs.iter().find(|run| run.first() == pgno.get() + 1);
        match behind.copied() {
            Some(run) => self.resize_run(procid, tree, available, run, run.count + 1),
            None => self
                .add_run(procid, tree, available, pgno.get(), 1)
                .map(|_| ()),
        }
    }
}
