//! Reading as the engine reads: page by page in its order, ending with the first error.
//!
//! The dumps end with the number of the first page that the engine could not read, so the order of
//! reading is part of what they tell. [verified: c-bad-*, c-zero-*, c-trunc-*]

use std::ops::ControlFlow;

use serde::Serialize;

use crate::db::{Database, PageBytes};
use crate::format::dbheader::DbState;
use crate::format::ids::Pgno;
use crate::format::page::{Node, Page};
use crate::jet::JetError;
use crate::tree::walk::{MAX_DEPTH, child_of};

use crate::db::flush_map::FlushMap;

/// Why reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The number that the engine gives.
    pub jet: JetError,
    /// The page that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Pgno>,
}

impl Stop {
    /// An error that no page is the reason of.
    #[must_use]
    pub const fn new(jet: JetError) -> Self {
        Self { jet, page: None }
    }

    /// An error of this page.
    #[must_use]
    pub const fn at(jet: JetError, page: Pgno) -> Self {
        Self {
            jet,
            page: Some(page),
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.jet.code())?;
        match self.page {
            Some(page) => write!(f, " at page {page}"),
            None => Ok(()),
        }
    }
}

/// Result of a step.
pub(super) type Step<T> = Result<T, Stop>;

/// What to do with each node: its page's number, the page, the node.
pub(super) type Show<'s> = dyn FnMut(Pgno, Page<'_>, &Node<'_>) -> Step<ControlFlow<()>> + 's;

/// A database, read strictly.
pub(super) struct Reader<'d> {
    pub db: &'d Database,
    flushes: Option<FlushMap>,
}

impl<'d> Reader<'d> {
    /// Strict reading; the flush map beside the database is asked whether writes were lost.
    pub fn new(db: &'d Database) -> Self {
        Self {
            db,
            flushes: FlushMap::beside(db),
        }
    }

    /// A buffer for one page.
    pub fn buffer(&self) -> PageBytes {
        PageBytes::new(self.db.page_size())
    }

    /// Reads and verifies a page.
    pub fn page<'b>(&self, pgno: Pgno, into: &'b mut PageBytes) -> Step<Page<'b>> {
        let read = self.db.read(pgno, into).map(|_| ());
        match read {
            // Only a page that is sound in itself can tell of a lost write; one that was never
            // written looks so too. [verified: c-zero-index]
            Ok(()) | Err(crate::db::PageError::Uninitialized)
                if self
                    .flushes
                    .as_ref()
                    .is_some_and(|flushes| flushes.lost(pgno, into.page())) =>
            {
                Err(Stop::at(JetError::READ_LOST_FLUSH_VERIFY_FAILURE, pgno))
            }
            Ok(()) => Ok(into.page()),
            Err(error) => Err(Stop::at(error.jet(), pgno)),
        }
    }

    /// Shows every node of a tree's leaves from the key `from` on, until `show` breaks.
    pub fn walk(&self, root: Pgno, from: &[u8], show: &mut Show<'_>) -> Step<()> {
        let mut walk = Walk {
            reader: self,
            from,
            left: self.db.last_page().get().saturating_add(1),
            spare: Vec::new(),
            show,
        };
        walk.down(root, 0).map(|_| ())
    }

    /// What the engine reads when it attaches: the state, the root, the last owned page.
    pub fn attach(&self) -> Step<()> {
        if let Some(jet) = refused(self.db) {
            return Err(Stop::new(jet));
        }
        let mut bytes = self.buffer();
        self.page(Pgno::new(1), &mut bytes)?;
        // The last entry of the root's owned extents.
        let mut pgno = Pgno::new(2);
        for _ in 0..MAX_DEPTH {
            let page = self.page(pgno, &mut bytes)?;
            let last = page.node_count().checked_sub(1);
            let node = last.and_then(|line| page.node(line).ok());
            match node.as_ref().and_then(child_of) {
                Some(child) if !page.flags().is_leaf() => pgno = child,
                _ => break,
            }
        }
        self.page(crate::db::catalog::CATALOG_ROOT, &mut bytes)?;
        Ok(())
    }
}

/// A walk over the nodes of one tree's leaves.
struct Walk<'w, 's> {
    reader: &'w Reader<'w>,
    from: &'w [u8],
    /// Pages that may still be read; a tree that points into itself ends here.
    left: u32,
    /// Buffers of the levels, used again page after page.
    spare: Vec<PageBytes>,
    show: &'w mut Show<'s>,
}

impl Walk<'_, '_> {
    fn down(&mut self, pgno: Pgno, depth: usize) -> Step<ControlFlow<()>> {
        let spare = self.spare.pop();
        let mut bytes = spare.unwrap_or_else(|| self.reader.buffer());
        let go_on = self.page(pgno, depth, &mut bytes)?;
        self.spare.push(bytes);
        Ok(go_on)
    }

    fn page(&mut self, pgno: Pgno, depth: usize, bytes: &mut PageBytes) -> Step<ControlFlow<()>> {
        let broken = Stop::at(JetError::DATABASE_CORRUPTED, pgno);
        self.left = self.left.checked_sub(1).ok_or(broken)?;
        let page = self.reader.page(pgno, bytes)?;
        let leaf = page.flags().is_leaf();
        if depth >= MAX_DEPTH {
            return Err(broken);
        }
        for line in 0..page.node_count() {
            let node = page.node(line).map_err(|_| broken)?;
            let go_on = if leaf {
                if node.key_bytes().lt(self.from.iter().copied()) {
                    continue;
                }
                (self.show)(pgno, page, &node)?
            } else {
                // The key of a child is an exclusive upper bound; the last one has none.
                if node.key_len() > 0 && node.key_bytes().le(self.from.iter().copied()) {
                    continue;
                }
                self.down(child_of(&node).ok_or(broken)?, depth + 1)?
            };
            if go_on.is_break() {
                return Ok(go_on);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Why the engine would not open a database whose pages it has not looked at yet. [engine]
fn refused(db: &Database) -> Option<JetError> {
    let header = db.header();
    match header.db_state() {
        DbState::CleanShutdown => None,
        DbState::BeingConverted => Some(JetError::new(-563)),
        DbState::IncrementalReseedInProgress => Some(JetError::new(-1226)),
        _ if header.backup_full_cur.low.get() != 0 => {
            Some(JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE)
        }
        _ => Some(JetError::DATABASE_DIRTY_SHUTDOWN),
    }
}
