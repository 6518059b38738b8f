//! One record after the other. [log notes 7.2, 7.3, 8]

use serde::Serialize;

use crate::error::{Result, Trouble};
use crate::format::ids::{DbTime, Generation, Objid, Pgno};
use crate::format::logrec::{
    Begin, CloseKind, Commit, DbId, MacroStep, PageHead, ProcId, Record, RecordFault, RecordKind,
};
use crate::format::stamp::{Lgpos, LogTime};
use crate::jet::JetError;

use super::ahead::{Sources, Touched};
use super::attached::{Attached, Sight, Unsettled};
use super::page_file::PageState;
use super::pool::{Kept, Pool, Slot};
use super::session::{Group, Sessions};

/// Databases of a stream: numbers 1 to 6, 0 is the temporary one.
const DBIDS: usize = 7;

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records read.
    pub records: u64,
    /// Changes of pages that were made.
    pub applied: u64,
    /// Changes that the pages had already.
    pub done_already: u64,
    /// Transactions that were rolled back because they never committed.
    pub rolled_back: u64,
    /// Changes of nodes undone.
    pub undone: u64,
}

/// The state of a replay between two records.
pub struct Replay {
    /// The pages.
    pub pool: Pool,
    /// The sessions.
    pub sessions: Sessions,
    /// The databases attached now.
    pub databases: Vec<Attached>,
    /// For each dbid its place in `databases`.
    by_dbid: [Option<u8>; DBIDS],
    /// The record at hand.
    pub at: Lgpos,
    /// What was done.
    pub counts: Counts,
    /// Position of the last ShutDownMark.
    pub shutdown_mark: Option<Lgpos>,
    /// The last record was a ShutDownMark, padding aside.
    pub last_was_shutdown: bool,
    /// The last record was a Term or the end of a recovery, and nothing came after.
    pub ended_at: Option<Lgpos>,
    /// What the clock says; one time for all that the replay writes.
    pub now: LogTime,
    pub(super) scratch: Vec<u8>,
    /// The logs hold a record for each growth of a file.
    pub growth_logged: bool,
    /// Changes of transactions that never committed and could not be undone: database, page.
    pub not_undone: Vec<(std::path::PathBuf, Pgno)>,
    /// Pages in whose place an image from the log stands while a group is executed.
    pub(super) stood_in: Vec<Kept>,
    /// The page that the group at hand changed last, where it changes one twice.
    pub(super) group_pages: Vec<(Slot, Pgno, DbTime)>,
}

/// What a record asks of whoever drives the replay, because it concerns whole files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// The record was dealt with.
    None,
    /// A record about a whole database.
    Database(Record<'a>),
    /// A run of the engine ended: all databases are closed.
    Closed(CloseKind),
}

impl Replay {
    /// A replay on the pages of `pool`.
    #[must_use]
    pub fn new(pool: Pool, now: LogTime) -> Self {
        Self {
            pool,
            sessions: Sessions::new(),
            databases: Vec::new(),
            by_dbid: [None; DBIDS],
            at: Lgpos::default(),
            counts: Counts::default(),
            shutdown_mark: None,
            last_was_shutdown: false,
            ended_at: None,
            now,
            scratch: Vec::new(),
            growth_logged: true,
            not_undone: Vec::new(),
            stood_in: Vec::new(),
            group_pages: Vec::new(),
        }
    }

    /// Adds a database to the replay.
    pub fn attach(&mut self, database: Attached) {
        let place = self.databases.len() as u8;
        if let Some(entry) = self.by_dbid.get_mut(usize::from(database.dbid.0)) {
            *entry = Some(place);
            self.databases.push(database);
        }
    }

    /// Takes a database out of the replay.
    pub fn detach(&mut self, dbid: DbId) -> Option<Attached> {
        let place = self.by_dbid.get_mut(usize::from(dbid.0))?.take()?;
        let database = self.databases.remove(usize::from(place));
        for entry in self.by_dbid.iter_mut().flatten() {
            if *entry > place {
                *entry -= 1;
            }
        }
        Some(database)
    }

    /// The database with this number, if it is attached.
    #[must_use]
    pub fn database(&self, dbid: DbId) -> Option<&Attached> {
        self.place(dbid).map(|place| &self.databases[place])
    }

    /// The same, to be changed.
    pub fn database_mut(&mut self, dbid: DbId) -> Option<&mut Attached> {
        self.place(dbid).map(|place| &mut self.databases[place])
    }

    #[inline]
    pub(super) fn place(&self, dbid: DbId) -> Option<usize> {
        let entry = self.by_dbid.get(usize::from(dbid.0))?;
        entry.map(usize::from)
    }

    /// A new generation begins: databases whose required range lies behind are no longer ahead of the log.
    ///
    /// # Errors
    /// Pages that no record has explained by then.
    pub fn begin_generation(&mut self, generation: Generation) -> Result<()> {
        for place in 0..self.databases.len() {
            let database = &mut self.databases[place];
            database.header.recovering = database.header.recovering.max(generation);
            if generation > database.header.required_high {
                if database.ahead {
                    self.settle(place)?;
                }
                self.databases[place].ahead = false;
            } else {
                database.ahead = true;
            }
        }
        Ok(())
    }

    /// Pages that did not fit a change must have been explained by now.
    ///
    /// # Errors
    /// The first that was not.
    pub fn settle(&mut self, place: usize) -> Result<()> {
        let database = &mut self.databases[place];
        let Some((pgno, unsettled)) = database.unsettled.pop_first() else {
            return Ok(());
        };
        let what = if unsettled.missing {
            format!("page {pgno} is not there, and no later record says why")
        } else {
            format!("page {pgno} is older than the log says, and no later record says why")
        };
        Err(Trouble::new(unsettled.jet, what)
            .of(&database.path)
            .at(unsettled.at)
            .advise(
                "a write to this page was lost, or the file is older than its header says; recover a better copy of \
                 the database, or repair it",
            )
            .into())
    }

    /// Where the pages of the databases can be read ahead.
    pub(super) fn sources(&self) -> Sources {
        let of = |database: &Attached| {
            let source = self.pool.source(database.slot)?;
            Some((database.dbid, source))
        };
        Sources {
            databases: self.databases.iter().filter_map(of).collect(),
            most: self.pool.ahead_most(),
            remember: self.pool.bound(),
        }
    }

    /// Brings what the next changes need near the processor; see [`Pool::warm`].
    pub(super) fn warm(&self, next: &[Touched]) {
        self.pool.warm(next.iter().filter_map(|touched| {
            let slot = self.databases[self.place(touched.dbid)?].slot;
            Some((slot, touched.pgno, touched.line))
        }));
    }

    /// Redoes one record.
    ///
    /// # Errors
    /// [`crate::error::Error::Recovery`] when the record cannot be read, or the database does not fit it.
    pub fn apply<'a>(&mut self, at: Lgpos, bytes: &'a [u8]) -> Result<Request<'a>> {
        self.at = at;
        self.counts.records += 1;
        let record = Record::parse(bytes).map_err(|fault| self.unreadable(fault))?;
        let is_mark = matches!(record, Record::ShutdownMark);
        let request = self.dispatch(record, bytes);
        // An image only lends its nodes to other pages. The page itself is newer and stays so: not every change since
        // then is replayed, for its transaction may have begun before the checkpoint. [engine]
        while let Some(kept) = self.stood_in.pop() {
            self.pool.put_back(kept);
        }
        let request = request?;
        self.pool.trim()?;
        if !matches!(request, Request::Closed(_)) {
            self.ended_at = None;
        }
        self.last_was_shutdown = is_mark;
        Ok(request)
    }

    fn dispatch<'a>(&mut self, record: Record<'a>, bytes: &[u8]) -> Result<Request<'a>> {
        match record {
            Record::Insert(head, ..)
            | Record::FlagInsert(head, ..)
            | Record::FlagInsertAndReplaceData(head, ..)
            | Record::FlagDelete(head)
            | Record::Replace(head, _)
            | Record::Delete(head)
            | Record::Delta(head, _)
            | Record::SetExternalHeader(head, _)
            | Record::Undo(head, _)
            | Record::UndoInfo(head, _)
            | Record::Scrub(head, _)
            | Record::EmptyTree(head, _) => {
                if let Some(place) = self.wanted(&head.page, head.objid, bytes) {
                    self.node_operation(place, head, record)?;
                }
            }
            Record::Split(head, ref split) => {
                self.only_in_group(&head, split.objid, bytes)?;
            }
            Record::Merge(head, ref merge) => {
                self.only_in_group(&head, merge.objid, bytes)?;
            }
            Record::PageMove(head, ref page_move) => {
                if let Some(place) = self.wanted(&head, page_move.objid, bytes) {
                    self.page_move(place, &head, page_move)?;
                }
            }
            Record::RootPageMove(step) => self.keep(step.procid, step.dbtime, bytes),
            Record::CreateFdp(head, trees) => {
                if let Some(place) = self.wanted(&head, trees.objid, bytes) {
                    self.create_fdp(place, &head, &trees)?;
                }
            }
            Record::ConvertFdp(head, trees) => {
                if let Some(place) = self.wanted(&head, trees.objid, bytes) {
                    self.convert_fdp(place, &head, &trees)?;
                }
            }
            Record::NewPage(page) => {
                if let Some(place) = self.place(page.dbid) {
                    self.databases[place].count(page.after, page.objid);
                    if self.databases[place].concerns(self.at) {
                        self.new_page(place, &page)?;
                    }
                }
            }
            Record::Resize(dbid, last, what) => {
                if let Some(place) = self.place(dbid) {
                    self.resize(place, last, what)?;
                }
            }
            Record::ExtentFreed(freed) => {
                if let Some(place) = self.place(freed.dbid) {
                    self.extent_freed(place, &freed);
                }
            }
            Record::Begin(begin) => self.begin(begin),
            Record::Commit(commit) => self.commit(commit),
            Record::Rollback(procid, levels) => {
                let session = self.sessions.entry(procid).or_default();
                if session.seen_begin {
                    session.rollback(levels);
                }
            }
            Record::Refresh(procid, trx) => {
                let session = self.sessions.entry(procid).or_default();
                if session.seen_begin {
                    session.level = 1;
                    session.trx = trx;
                }
            }
            Record::Macro(procid, dbtime, step) => self.group(procid, dbtime, step)?,
            Record::ShutdownMark => self.shutdown_mark = Some(self.at),
            Record::Init(_) => self.sessions.clear(),
            Record::Close(close) => {
                self.sessions.clear();
                // With its databases attached a stream is not at its end.
                self.ended_at = (close.kind != CloseKind::KeepAttachments).then_some(self.at);
                return Ok(Request::Closed(close.kind));
            }
            Record::CreateDb(_)
            | Record::CreateDbFinish(..)
            | Record::AttachDb(_)
            | Record::SignalAttachDb(_)
            | Record::DetachDb(_)
            | Record::ReAttach(_)
            | Record::SetDbVersion(_)
            | Record::Backup(_) => return Ok(Request::Database(record)),
            Record::Other(RecordKind::PREP_COMMIT, _) => {
                let procid = ProcId(u16::from_le_bytes([bytes[1], bytes[2]]));
                self.sessions.entry(procid).or_default().prepared = true;
            }
            // Marks for other tools; nothing in a database changes by them.
            Record::Padding
            | Record::RecoveryUndo(_)
            | Record::ScanCheck(_)
            | Record::Note(_)
            | Record::MacroPages(_)
            | Record::CommitContext(_)
            | Record::FreeFdp(_)
            | Record::PagePatch(_)
            | Record::RangeCheck(_)
            | Record::ForceWriteLog(_)
            | Record::Physical(_)
            | Record::Other(..) => {}
        }
        Ok(Request::None)
    }

    pub(super) fn unreadable(&self, fault: RecordFault) -> Trouble {
        Trouble::new(JetError::LOG_FILE_CORRUPT, fault.to_string())
            .at(self.at)
            .advise("the log is damaged here; a good copy of this log file is needed to go on")
    }

    /// Whether a page change is to be done now, and in which database. A change that belongs to an open group is
    /// kept for later.
    fn wanted(&mut self, head: &PageHead, objid: Objid, bytes: &[u8]) -> Option<usize> {
        let session = self.sessions.entry(head.procid).or_default();
        let seen = session.seen_begin;
        if seen
            && head.kind != RecordKind::UNDO_INFO
            && let Some(group) = session.groups.get_mut(&head.after)
        {
            group.push(self.at, bytes);
            return None;
        }
        let place = self.place(head.dbid)?;
        let database = &mut self.databases[place];
        if head.kind == RecordKind::UNDO_INFO {
            database.count(DbTime::ZERO, objid);
        } else {
            database.count(head.after, objid);
        }
        (seen && database.concerns(self.at)).then_some(place)
    }

    fn only_in_group(&mut self, head: &PageHead, objid: Objid, bytes: &[u8]) -> Result<()> {
        match self.wanted(head, objid, bytes) {
            None => Ok(()),
            Some(_) => Err(self
                .unreadable(RecordFault::Contradiction { kind: head.kind })
                .into()),
        }
    }

    fn keep(&mut self, procid: ProcId, dbtime: DbTime, bytes: &[u8]) {
        let session = self.sessions.entry(procid).or_default();
        if let Some(group) = session.groups.get_mut(&dbtime) {
            group.push(self.at, bytes);
        }
    }

    fn begin(&mut self, begin: Begin) {
        let session = self.sessions.entry(begin.procid).or_default();
        if begin.from == 0 {
            session.seen_begin = true;
            session.trx = begin.trx.unwrap_or_default();
            session.forget();
            session.prepared = false;
        }
        if session.seen_begin {
            let levels = begin.from + begin.levels;
            session.level = levels.min(super::session::LEVELS);
        }
    }

    fn commit(&mut self, commit: Commit) {
        let session = self.sessions.entry(commit.procid).or_default();
        if session.seen_begin {
            session.commit(commit.to);
        }
    }

    fn group(&mut self, procid: ProcId, dbtime: DbTime, step: MacroStep) -> Result<()> {
        let session = self.sessions.entry(procid).or_default();
        if !session.seen_begin {
            return Ok(());
        }
        match step {
            MacroStep::Begin => {
                session.groups.insert(dbtime, Group::default());
                Ok(())
            }
            MacroStep::Abort => {
                session.groups.remove(&dbtime);
                Ok(())
            }
            MacroStep::Commit => match session.groups.remove(&dbtime) {
                Some(group) => self.run_group(&group),
                None => Err(Trouble::new(
                    JetError::LOG_FILE_CORRUPT,
                    "a group of changes ends that never began",
                )
                .at(self.at)
                .into()),
            },
        }
    }

    fn run_group(&mut self, group: &Group) -> Result<()> {
        let mut records = Vec::new();
        for (at, bytes) in group.records() {
            let record = Record::parse(bytes).map_err(|fault| self.unreadable(fault))?;
            records.push((at, record));
        }
        match records.first() {
            None => Err(
                Trouble::new(JetError::LOG_FILE_CORRUPT, "a group of changes is empty")
                    .at(self.at)
                    .into(),
            ),
            Some((_, Record::Split(..))) => self.split(&records),
            Some((_, Record::Merge(..))) => self.merge(&records),
            Some((_, Record::RootPageMove(_))) => self.root_page_move(&records),
            Some(_) => Err(Trouble::new(
                JetError::LOG_FILE_CORRUPT,
                "a group of changes begins with a record that no group begins with",
            )
            .at(self.at)
            .into()),
        }
    }

    /// The database of a record in a group, if the record is for it.
    pub(super) fn group_database(&mut self, head: &PageHead, objid: Objid) -> Option<usize> {
        let place = self.place(head.dbid)?;
        let (at, database) = (self.at, &mut self.databases[place]);
        database.count(head.after, objid);
        database.concerns(at).then_some(place)
    }

    /// Whether a change of a page is to be made. [log notes 7.2]
    ///
    /// # Errors
    /// The page does not fit: its time is neither that before nor one after the change, or it cannot be read.
    #[inline]
    pub(super) fn sight(
        &mut self,
        place: usize,
        pgno: Pgno,
        before: DbTime,
        after: DbTime,
    ) -> Result<Sight> {
        let database = &self.databases[place];
        let (slot, ahead) = (database.slot, database.ahead);
        if !database.unsettled.is_empty() && database.unsettled.contains_key(&pgno) {
            return Ok(Sight::Gone);
        }
        let (id, state) = self.pool.load(slot, pgno)?;
        let dbtime = match state {
            PageState::Sound => self.pool.page(id).dbtime(),
            PageState::Beyond | PageState::Uninitialized => {
                return self.missing(place, pgno, state.jet());
            }
            PageState::Bad(jet) => return Err(self.bad_page(place, pgno, jet).into()),
        };
        if dbtime.is_special() {
            return self.missing(place, pgno, JetError::RECOVERY_VERIFY_FAILURE);
        }
        if dbtime >= after {
            if !ahead {
                return Err(self.too_new(place, pgno, dbtime, after).into());
            }
            self.counts.done_already += 1;
            return Ok(Sight::Done(id));
        }
        if dbtime == before {
            self.counts.applied += 1;
            return Ok(Sight::Apply(id));
        }
        if dbtime > before {
            return Err(self.diverged(place, pgno, dbtime, before, after).into());
        }
        if ahead {
            let at = self.at;
            self.databases[place].unsettled.insert(
                pgno,
                Unsettled {
                    jet: JetError::DB_TIME_TOO_OLD,
                    at,
                    missing: false,
                },
            );
            return Ok(Sight::Gone);
        }
        Err(self.too_old(place, pgno, dbtime, before).into())
    }

    #[cold]
    fn missing(&mut self, place: usize, pgno: Pgno, jet: JetError) -> Result<Sight> {
        let at = self.at;
        let database = &mut self.databases[place];
        if database.ahead {
            database.unsettled.insert(
                pgno,
                Unsettled {
                    jet,
                    at,
                    missing: true,
                },
            );
            return Ok(Sight::Gone);
        }
        Err(Trouble::new(jet, format!("page {pgno} is not there, but a log record changes it"))
            .of(&database.path)
            .at(at)
            .advise("the database file is cut off, or older than the logs; recover a better copy, or repair it")
            .into())
    }

    /// Whether a page that a change makes new is to be made. [log notes 7.2]
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] of the scratch file.
    pub(super) fn sight_new(&mut self, place: usize, pgno: Pgno, after: DbTime) -> Result<bool> {
        if pgno.is_null() || pgno > Pgno::MAX {
            let what = "there is no page of this number";
            return Err(self
                .misfit(place, pgno, JetError::LOG_FILE_CORRUPT, what)
                .into());
        }
        let database = &self.databases[place];
        if !database.ahead {
            self.counts.applied += 1;
            return Ok(true);
        }
        if database
            .unsettled
            .get(&pgno)
            .is_some_and(|page| page.missing)
        {
            return Ok(false);
        }
        let slot = database.slot;
        let (id, state) = self.pool.load(slot, pgno)?;
        let dbtime = self.pool.page(id).dbtime();
        // What cannot be read is made new like what is not there. [verified: r-badpage]
        let need = state != PageState::Sound || dbtime.is_special() || dbtime < after;
        if need {
            self.counts.applied += 1;
        } else {
            self.counts.done_already += 1;
        }
        Ok(need)
    }
}
