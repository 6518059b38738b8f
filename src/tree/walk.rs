//! Reading trees: all pages in key order, and the leaf that holds a key.
//!
//! Nothing is trusted: a tree that points into itself ends at the depth limit or when it has shown
//! more pages than the file has; what cannot be read is reported and left out.

use std::ops::{ControlFlow, Range};

use crate::db::{Database, PageBytes, PageError, ReadBuffer};
use crate::format::bytes::u32_at;
use crate::format::ids::{Objid, Pgno};
use crate::format::page::{Node, Page, PageFlags};

/// Levels that a sound tree may have; a cycle in a damaged one ends here instead of exhausting the
/// stack. [engine: depth limit 8]
pub const MAX_DEPTH: usize = 8;
/// Bytes of neighbouring leaves that are read at once.
const RUN_BYTES: usize = 256 * 1024;

/// A page that a descent came to.
pub enum Visit<'a> {
    /// An internal page, before its children.
    Internal(Pgno, Page<'a>),
    /// A leaf.
    Leaf(Pgno, Page<'a>),
    /// A page that is left out, with its parent (null for the root).
    Failed(Pgno, Pgno, &'a Failure),
}

/// Why part of a tree is left out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The page cannot be read.
    #[error(transparent)]
    Page(#[from] PageError),
    /// Deeper than a tree can be: it points into itself.
    #[error("tree is deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More pages than the file has: it points into itself.
    #[error("tree has more pages than the file")]
    TooManyPages,
    /// The page belongs to another tree.
    #[error("page belongs to object {0}")]
    WrongTree(Objid),
    /// A leaf above the lowest level, or an inner page on it.
    #[error("page is of another level of the tree")]
    WrongLevel,
    /// A leaf without a node, which no tree has but as its root.
    #[error("leaf is empty")]
    Empty,
    /// Leaves that are not linked in the order in which their parents name them.
    #[error("leaf is not linked with its neighbours, but with page {0}")]
    Links(Pgno),
    /// A node of an internal page that is not a child pointer.
    #[error("node {0} is not a child pointer")]
    BadChild(usize),
}

/// The page that an internal node points to.
#[must_use]
pub fn child_of(node: &Node<'_>) -> Option<Pgno> {
    (node.data.len() == size_of::<u32>())
        .then(|| u32_at(node.data, 0).map(Pgno::new))
        .flatten()
}

/// A walk over the pages of one tree.
pub struct Descent<'d> {
    db: &'d Database,
    root: Pgno,
    objid: Option<Objid>,
    shown: u32,
    /// Buffers of the levels, used again page after page.
    spare: Vec<PageBytes>,
    /// Leaves that lie side by side in the file.
    run: ReadBuffer,
}

impl<'d> Descent<'d> {
    /// A walk over the tree with this root. Pages of another object than the root's are left out.
    #[must_use]
    pub const fn new(db: &'d Database, root: Pgno) -> Self {
        Self {
            db,
            root,
            objid: None,
            shown: 0,
            spare: Vec::new(),
            run: ReadBuffer::empty(),
        }
    }

    /// The same walk, when the object is known: a root of another object is left out too.
    #[must_use]
    pub const fn of_object(mut self, objid: Objid) -> Self {
        self.objid = Some(objid);
        self
    }

    /// Shows every page in key order, parents before their children.
    pub fn walk(self, show: &mut dyn FnMut(Visit<'_>)) {
        let ended = self.walk_until(&mut |visit| {
            show(visit);
            ControlFlow::Continue(())
        });
        debug_assert!(ended.is_continue());
    }

    /// As [`Descent::walk`], until `show` breaks off.
    pub fn walk_until(
        mut self,
        show: &mut dyn FnMut(Visit<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.down(self.root, Pgno::NULL, 0, show)
    }

    fn down(
        &mut self,
        pgno: Pgno,
        parent: Pgno,
        depth: usize,
        show: &mut dyn FnMut(Visit<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let spare = self.spare.pop();
        let mut bytes = spare.unwrap_or_else(|| PageBytes::new(self.db.page_size()));
        let ended = self.page(pgno, parent, depth, &mut bytes, show);
        self.spare.push(bytes);
        ended
    }

    fn page(
        &mut self,
        pgno: Pgno,
        parent: Pgno,
        depth: usize,
        bytes: &mut PageBytes,
        show: &mut dyn FnMut(Visit<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let page = match self.enter(pgno, depth, bytes) {
            Ok(page) => page,
            Err(failure) => return show(Visit::Failed(pgno, parent, &failure)),
        };
        if page.flags().is_leaf() {
            return show(Visit::Leaf(pgno, page));
        }
        show(Visit::Internal(pgno, page))?;
        let most = if page.flags().any(PageFlags::PARENT_OF_LEAF) {
            RUN_BYTES / page.size().bytes()
        } else {
            1
        };
        let mut line = 0;
        while line < page.node_count() {
            let Some(child) = child_at(page, line) else {
                show(Visit::Failed(Pgno::NULL, pgno, &Failure::BadChild(line)))?;
                line += 1;
                continue;
            };
            let lines = neighbours(page, line, child, most);
            line = lines.end;
            self.children(child, lines.len(), (pgno, depth + 1), show)?;
        }
        ControlFlow::Continue(())
    }

    /// Children with neighbouring numbers, from `first` on: if there are several, they are leaves and read with one call.
    fn children(
        &mut self,
        first: Pgno,
        count: usize,
        (parent, depth): (Pgno, usize),
        show: &mut dyn FnMut(Visit<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut run = std::mem::take(&mut self.run);
        let together = count > 1 && self.db.read_run(first, count, &mut run).is_ok();
        let mut ended = ControlFlow::Continue(());
        let mut child = first;
        for number in 0..count {
            ended = if together {
                let size = self.db.page_size().bytes();
                self.leaf(
                    child,
                    (parent, depth),
                    &mut run[number * size..][..size],
                    show,
                )
            } else {
                self.down(child, parent, depth, show)
            };
            if ended.is_break() {
                break;
            }
            child = child.next();
        }
        self.run = run;
        ended
    }

    /// A page that was read and ought to be a leaf.
    fn leaf(
        &mut self,
        pgno: Pgno,
        (parent, depth): (Pgno, usize),
        bytes: &mut [u8],
        show: &mut dyn FnMut(Visit<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (db, size) = (self.db, self.db.page_size());
        let admitted = self.admit(depth).and_then(|()| {
            db.judge(pgno, bytes)?;
            Page::new(bytes, size).ok_or(Failure::Page(PageError::Beyond))
        });
        match admitted.and_then(|page| self.own(page)) {
            Ok(page) if page.flags().is_leaf() => show(Visit::Leaf(pgno, page)),
            // Counted once more, and gone through as any other page.
            Ok(_) => self.down(pgno, parent, depth, show),
            Err(failure) => show(Visit::Failed(pgno, parent, &failure)),
        }
    }

    fn enter<'b>(
        &mut self,
        pgno: Pgno,
        depth: usize,
        bytes: &'b mut PageBytes,
    ) -> Result<Page<'b>, Failure> {
        self.admit(depth)?;
        let page = self.db.read(pgno, bytes)?;
        self.own(page)
    }

    /// Counts one page more.
    fn admit(&mut self, depth: usize) -> Result<(), Failure> {
        if depth >= MAX_DEPTH {
            return Err(Failure::TooDeep);
        }
        if self.shown > self.db.last_page().get() {
            return Err(Failure::TooManyPages);
        }
        self.shown += 1;
        Ok(())
    }

    /// The page, if it is one of the tree.
    fn own<'b>(&mut self, page: Page<'b>) -> Result<Page<'b>, Failure> {
        let objid = *self.objid.get_or_insert(page.objid());
        if page.objid() != objid {
            return Err(Failure::WrongTree(page.objid()));
        }
        Ok(page)
    }
}

/// The page that line `line` of an internal page points to.
fn child_at(page: Page<'_>, line: usize) -> Option<Pgno> {
    page.node(line).ok().as_ref().and_then(child_of)
}

/// Lines from `line` on, at most `most`, whose children follow one another in the file.
fn neighbours(page: Page<'_>, line: usize, child: Pgno, most: usize) -> Range<usize> {
    let limit = page.node_count().min(line + most.max(1));
    let mut next = child.next();
    let mut end = line + 1;
    while end < limit && child_at(page, end) == Some(next) {
        next = next.next();
        end += 1;
    }
    line..end
}

/// Shows every node of the tree that is not deleted, in key order; `lost` is told of every page that
/// is left out.
pub fn for_each_node(
    db: &Database,
    root: Pgno,
    mut show: impl FnMut(Pgno, Page<'_>, Node<'_>),
    mut lost: impl FnMut(Pgno, &Failure),
) {
    Descent::new(db, root).walk(&mut |visit| match visit {
        Visit::Internal(..) => {}
        Visit::Leaf(pgno, page) => {
            for node in page
                .nodes()
                .flatten()
                .filter(|node| !node.flags.is_deleted())
            {
                show(pgno, page, node);
            }
        }
        Visit::Failed(pgno, _, failure) => lost(pgno, failure),
    });
}

/// Reads the leaf that would hold `key` into `bytes`.
///
/// # Errors
/// [`Failure`] when a page on the way cannot be used.
pub fn seek<'b>(
    db: &Database,
    root: Pgno,
    key: &[u8],
    bytes: &'b mut PageBytes,
) -> Result<(Pgno, Page<'b>), Failure> {
    let mut pgno = root;
    for _ in 0..MAX_DEPTH {
        let page = db.read(pgno, bytes)?;
        if page.flags().is_leaf() {
            // Read again: the borrow of the loop's page cannot leave the loop.
            return Ok((pgno, bytes.page()));
        }
        let line = page.child_line(key);
        let node = page.node(line).map_err(|_| Failure::BadChild(line))?;
        pgno = child_of(&node).ok_or(Failure::BadChild(line))?;
    }
    Err(Failure::TooDeep)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Descent, Visit};
    use crate::build::{Column, DatabaseBuilder, Index, Options, Row, Table, format_of};
    use crate::db::Database;
    use crate::format::ids::{PageSize, Pgno};
    use crate::format::schema::Coltyp;
    use crate::storage::{Fault, Faulty, Memory};

    /// A table of a few hundred leaves, and its root.
    fn table() -> (Vec<u8>, Pgno) {
        let options = Options::new(PageSize::K4, format_of(290).unwrap(), 1);
        let out = std::io::Cursor::new(Vec::new());
        let mut builder = DatabaseBuilder::new(out, options).unwrap();
        let mut table = Table::new("t");
        let id = table.add(Column::fixed("id", Coltyp::Long));
        let value = table.add(Column::variable("v", Coltyp::Binary));
        table.primary(Index::new("pk").ascending(id));
        let row = |n: i32| Row::new().set(id, n.to_le_bytes()).set(value, [7; 250]);
        let info = builder.add_table(table, (0..5000).map(row)).unwrap();
        (builder.finish().unwrap().0.into_inner(), info.root)
    }

    /// Leaves in the order of the walk, and pages that are left out.
    fn walked(bytes: &[u8], root: Pgno, faults: Vec<Fault>) -> (Vec<Pgno>, Vec<Pgno>) {
        let storage = Faulty::new(Memory::new(bytes.to_vec()), faults);
        let db = Database::from_storage(Box::new(storage), Path::new("t"), None).unwrap();
        let (mut leaves, mut failed) = (Vec::new(), Vec::new());
        Descent::new(&db, root).walk(&mut |visit| match visit {
            Visit::Internal(..) => {}
            Visit::Leaf(pgno, page) => {
                assert_eq!(page.own_pgno().unwrap_or(pgno), pgno);
                leaves.push(pgno);
            }
            Visit::Failed(pgno, ..) => failed.push(pgno),
        });
        (leaves, failed)
    }

    #[test]
    fn a_page_that_cannot_be_read_costs_no_neighbour() {
        let (mut bytes, root) = table();
        let (all, failed) = walked(&bytes, root, Vec::new());
        assert!(all.len() > 300 && failed.is_empty());
        let bad = all[150];
        let offset = bad.offset(PageSize::K4);
        let others: Vec<_> = all.iter().copied().filter(|leaf| *leaf != bad).collect();
        let sector = Fault::BadRange { offset, len: 512 };
        assert_eq!(
            walked(&bytes, root, vec![sector]),
            (others.clone(), vec![bad])
        );
        // One wrong bit is corrected, many are not.
        bytes[offset as usize + 100] ^= 4;
        assert_eq!(walked(&bytes, root, Vec::new()).0, all);
        bytes[offset as usize + 200..][..50].fill(0xA5);
        assert_eq!(walked(&bytes, root, Vec::new()), (others, vec![bad]));
    }
}
