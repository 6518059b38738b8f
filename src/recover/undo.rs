//! Rolling back what never committed. [log notes 10.2]

use std::cmp::Ordering;

use crate::error::{Result, Trouble};
use crate::format::ids::{DbTime, Pgno};
use crate::format::logrec::{DbId, OperKind, ProcId};
use crate::format::page::NodeFlags;
use crate::jet::JetError;

use super::pool::FrameId;
use super::replay::Replay;
use super::session::{Change, Version};
use super::undo_log::{undo_info, undo_record};

/// Trees are never deeper; more means a loop.
const DEEPEST: usize = 64;
/// Siblings that a search of a node may look through.
const SIBLINGS: usize = 4096;

/// A step of rolling back, as the log will tell it.
#[derive(Debug, Clone)]
pub enum UndoStep {
    /// An open group is dropped.
    Abort(ProcId, DbTime),
    /// A change is undone: what was there before, if no log holds that yet, and the record of the undoing.
    Undo {
        /// An UndoInfo record.
        info: Option<Box<[u8]>>,
        /// An Undo record.
        undo: Box<[u8]>,
    },
    /// Levels of a session are gone.
    Rollback(ProcId, u8),
}

/// A change that was undone.
pub(super) struct Undone {
    /// The session.
    pub(super) procid: ProcId,
    /// The transaction.
    pub(super) trx: crate::format::logrec::TrxId,
    /// What was undone.
    pub(super) version: Version,
    /// The page that it was on.
    pub(super) pgno: Pgno,
    /// The node.
    pub(super) line: u16,
    /// The page's time before.
    pub(super) before: DbTime,
    /// Its time after.
    pub(super) after: DbTime,
}

impl Replay {
    /// Drops open groups and rolls back open transactions, sessions in ascending order, newest changes first.
    /// Returns what was done, in order.
    ///
    /// # Errors
    /// A node that is to be undone cannot be found, or its former content is not known.
    pub fn roll_back(&mut self) -> Result<Vec<UndoStep>> {
        let mut steps = Vec::new();
        let sessions = std::mem::take(&mut self.sessions);
        for (procid, session) in &sessions {
            for dbtime in session.groups.keys() {
                steps.push(UndoStep::Abort(*procid, *dbtime));
            }
        }
        for (procid, mut session) in sessions {
            if session.level == 0 {
                continue;
            }
            self.counts.rolled_back += 1;
            for (dbid, pgno) in session.take_deferred() {
                self.leave(dbid, pgno)?;
            }
            while session.level > 0 {
                while let Some(version) = session
                    .versions
                    .pop_if(|version| version.level >= session.level)
                {
                    if let Some(undone) = self.undo_version(procid, session.trx, version)? {
                        let info = undo_info(&undone)?;
                        let undo = undo_record(&undone)?;
                        steps.push(UndoStep::Undo { info, undo });
                    }
                    self.pool.trim()?;
                }
                steps.push(UndoStep::Rollback(procid, 1));
                session.level -= 1;
            }
        }
        Ok(steps)
    }

    /// A page holds a change that must be rolled back, but not what was there before, and neither does the log. The
    /// engine leaves the change and says nothing; here it is told. Where the page is newer than the log the end of
    /// the log is missing, and nothing is sure.
    fn leave(&mut self, dbid: DbId, pgno: Pgno) -> Result<()> {
        let Some(place) = self.place(dbid) else {
            return Ok(());
        };
        let id = self.must_load(place, pgno)?;
        let dbtime = self.pool.page(id).dbtime();
        if dbtime > self.databases[place].dbtime {
            return Err(self.beyond_log(place, pgno, dbtime).into());
        }
        let path = self.databases[place].path.clone();
        self.not_undone.push((path, pgno));
        Ok(())
    }

    #[cold]
    fn beyond_log(&self, place: usize, pgno: Pgno, dbtime: DbTime) -> Trouble {
        let what = format!(
            "page {pgno} has the time {:#x}, but the log ends at {:#x}: the end of the log is missing",
            dbtime.get(),
            self.databases[place].dbtime.get()
        );
        Trouble::new(JetError::DB_TIME_CORRUPTED, what)
            .of(&self.databases[place].path)
            .advise("find a complete copy of the last log files; without them the database can only be repaired")
    }

    fn undo_version(
        &mut self,
        procid: ProcId,
        trx: crate::format::logrec::TrxId,
        version: Version,
    ) -> Result<Option<Undone>> {
        let Some(place) = self.place(version.dbid) else {
            return Ok(None);
        };
        if matches!(version.change.oper(), OperKind::Other(_)) {
            return Ok(None);
        }
        let (id, line) = self.find(place, &version)?;
        let page = self.pool.page(id);
        let (pgno, before) = (self.pool.pgno(id), page.dbtime());
        let after = self.databases[place].next_dbtime();
        if before >= after {
            self.databases[place].dbtime = DbTime::new(after.get() - 1);
            return Err(self.beyond_log(place, pgno, before).into());
        }
        self.undo_on_page(place, id, line, &version.change)?;
        self.stamp(id, after);
        self.counts.undone += 1;
        Ok(Some(Undone {
            procid,
            trx,
            version,
            pgno,
            line: line as u16,
            before,
            after,
        }))
    }

    /// Undoes a change of a node in its page. The node itself stays, flagged: space is given back by nobody here.
    pub(super) fn undo_on_page(
        &mut self,
        place: usize,
        id: FrameId,
        line: usize,
        change: &Change,
    ) -> Result<()> {
        self.node_exists(place, id, line)?;
        let page = self.pool.page(id);
        let flags = page.node(line).map_or(0, |node| node.flags.bits());
        match change {
            Change::Insert => {
                let flags = flags | NodeFlags::DELETED;
                self.pool.edit(id).set_node_flags(line, flags);
                Ok(())
            }
            Change::FlagDelete => {
                let flags = flags & !NodeFlags::DELETED;
                self.pool.edit(id).set_node_flags(line, flags);
                Ok(())
            }
            Change::Replace(before) => {
                let done = self.pool.edit(id).replace_data(line, before);
                self.fits(place, self.pool.pgno(id), done)
            }
            Change::Delta { by, offset, wide } => {
                self.add_number(place, id, line, *offset, by.wrapping_neg(), *wide)
            }
        }
    }

    /// Finds the node that a version is about, from the root of its tree.
    fn find(&mut self, place: usize, version: &Version) -> Result<(FrameId, usize)> {
        let both;
        let sought = if version.unique {
            &*version.key
        } else {
            // In trees of keys that repeat, the data belong to the separators.
            both = [&*version.key, &*version.bookmark_data].concat();
            &both
        };
        let mut pgno = version.pgno_fdp;
        for _ in 0..DEEPEST {
            let id = self.must_load(place, pgno)?;
            let page = self.pool.page(id);
            if page.flags().is_leaf() {
                return self.find_in_leaves(place, id, version);
            }
            let child = page.node(page.child_line(sought)).map(|node| node.data);
            match child.map(<[u8; 4]>::try_from) {
                Ok(Ok(child)) => pgno = Pgno::new(u32::from_le_bytes(child)),
                _ => break,
            }
        }
        Err(self.lost(place, version, pgno).into())
    }

    fn find_in_leaves(
        &mut self,
        place: usize,
        mut id: FrameId,
        version: &Version,
    ) -> Result<(FrameId, usize)> {
        for _ in 0..SIBLINGS {
            let page = self.pool.page(id);
            let is_key = |line: &usize| {
                page.node(*line)
                    .is_ok_and(|node| node.cmp_key_to(&version.key).is_eq())
            };
            let same_key = (page.lower_bound(&version.key)..page.node_count()).take_while(is_key);
            let found = same_key.into_iter().find(|line| {
                let data = page.node(*line).map(|node| node.data);
                version.unique || data == Ok(&*version.bookmark_data)
            });
            if let Some(line) = found {
                return Ok((id, line));
            }
            let beyond = page
                .node_count()
                .checked_sub(1)
                .and_then(|last| page.node(last).ok())
                .is_some_and(|node| node.cmp_key_to(&version.key) == Ordering::Greater);
            let next = page.next();
            if beyond || next.is_null() {
                break;
            }
            id = self.must_load(place, next)?;
        }
        Err(self.lost(place, version, self.pool.pgno(id)).into())
    }

    #[cold]
    fn lost(&self, place: usize, version: &Version, pgno: Pgno) -> Trouble {
        self.misfit(
            place,
            pgno,
            JetError::RECORD_DELETED,
            &format!(
                "the node that log record {} changed is not in tree {}, so it cannot be rolled back",
                version.at, version.objid
            ),
        )
    }
}
