//! A whole recovery: which logs, from where, which databases, and what the outcome is. [log notes 11]

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::DbHeader;
use crate::format::ids::{Generation, PageSize, Pgno};
use crate::format::loghdr::{Attachment, LogHeader};
use crate::format::logrec::{AttachDb, CloseKind, CreateDb, DbId, Record};
use crate::format::stamp::{Lgpos, LogTime, Signature};
use crate::jet::JetError;
use crate::log::generation::LoadedLog;
use crate::progress::Progress;
use crate::storage::{FileStorage, Storage};

use super::ahead::{Ahead, ReadyLog};
use super::attach::{Fit, Logged, Places, Reason, Standing, judge};
use super::attached::Attached;
use super::finish;
use super::pool::{PageState, PageStyle, Pool, Slot, WARM_AT_ONCE};
use super::replay::{Replay, Request};
use super::stream::{self, LogStream};
use super::undo::UndoStep;

/// From 8.4000.4.3 on the checkpoint holds the attached databases.
const CHECKPOINT_ATTACHMENTS_SINCE: (u32, u32) = (4, 3);
/// From this revision on pages say how many tags are reserved. [engine]
const COUNTS_RESERVED_SINCE: u32 = 270;
/// From this update minor on a log holds the checksum of the one before.
const PREVIOUS_SUM_SINCE: u32 = 13;

/// What a recovery is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the databases are.
    pub places: Places,
    /// Databases that are not there or do not fit are left alone (`/i`).
    pub ignore_missing: bool,
    /// Committed logs may be lost (`/a`).
    pub lossy: bool,
    /// Stop after this position, without rolling back (`/u`).
    pub stop_after: Option<Lgpos>,
    /// Bytes of pages to keep in memory.
    pub cache: usize,
    /// The time to write.
    pub now: LogTime,
}

/// What the checkpoint says, as far as it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where to begin.
    pub at: Lgpos,
    /// The databases attached there; `None`: those of the header of that generation.
    pub attachments: Option<Vec<Attachment>>,
}

/// A database that the replay did not touch.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Skipped {
    /// What the log calls it.
    pub logged_path: String,
    /// Where it was looked for.
    pub path: Option<PathBuf>,
    /// Why.
    pub reason: Reason,
    /// Where its file was last consistent.
    pub consistent: Option<Lgpos>,
}

/// What a replay leaves, before anything is written.
pub struct Outcome {
    /// Pages and databases, those that are closed included.
    pub replay: Replay,
    /// Databases to be written.
    pub databases: Vec<Attached>,
    /// Databases that were left alone.
    pub skipped: Vec<Skipped>,
    /// What rolling back did.
    pub steps: Vec<UndoStep>,
    /// The last log replayed.
    pub last: LoadedLog,
    /// It is the current log.
    pub last_is_current: bool,
    /// Where the replay began.
    pub start: Lgpos,
    /// The last record replayed.
    pub end: Lgpos,
    /// The log ended in order: position of its last record.
    pub ended_at: Option<Lgpos>,
    /// The log ended with a ShutDownMark: nothing to roll back.
    pub ends_with_mark: bool,
    /// Logs that must go because they cannot be replayed (`/a`).
    pub removed: Vec<PathBuf>,
    /// 585 or 587 when committed logs were lost.
    pub lost: JetError,
    /// Stopped before rolling back.
    pub stopped: bool,
    /// Bytes of log read.
    pub log_bytes: u64,
    /// Logs read.
    pub logs: u32,
}

/// The state of a recovery.
pub struct Recovery<'a> {
    plan: &'a Plan,
    stream: &'a LogStream,
    progress: &'a dyn Progress,
    replay: Replay,
    /// Closed by the log itself.
    closed: Vec<Attached>,
    deferred: Vec<(DbId, Skipped)>,
    sign_log: Signature,
    generation: Generation,
    /// Engine format version of the log's writer.
    written_by: u32,
    start: Lgpos,
    log_bytes: u64,
    logs: u32,
    lost: JetError,
    removed: Vec<PathBuf>,
    ahead: Ahead,
}

/// What comes after a generation.
enum Next {
    Log(Box<ReadyLog>, bool),
    End,
}

impl<'a> Recovery<'a> {
    /// Prepares a recovery of `stream`; `size` is the page size of its databases.
    #[must_use]
    pub fn new(
        plan: &'a Plan,
        stream: &'a LogStream,
        pool: Pool,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            plan,
            stream,
            progress,
            replay: Replay::new(pool, plan.now),
            closed: Vec::new(),
            deferred: Vec::new(),
            sign_log: Signature::default(),
            generation: Generation::default(),
            written_by: 0,
            start: Lgpos::default(),
            log_bytes: 0,
            logs: 0,
            lost: JetError::SUCCESS,
            removed: Vec::new(),
            ahead: Ahead::default(),
        }
    }

    /// Replays from `start` to the end of the stream, and rolls back.
    ///
    /// # Errors
    /// [`Error::Recovery`] with the engine's number; nothing has been written then.
    pub fn run(
        mut self,
        first: LoadedLog,
        first_is_current: bool,
        start: &Start,
    ) -> Result<Outcome> {
        self.sign_log = first.head.header.sign_log;
        self.generation = first.generation();
        self.start = start.at;
        let attachments = match &start.attachments {
            Some(list) => list.clone(),
            None => first.head.attachments.clone(),
        };
        for attachment in &attachments {
            self.take_over(attachment)?;
        }
        let (mut ready, mut is_current) = (ReadyLog::new(first, Some(start.at)), first_is_current);
        let mut from = Some(start.at);
        let mut stopped = false;
        loop {
            let log = &ready.log;
            self.read_ahead(log, is_current);
            self.replay.begin_generation(log.generation())?;
            self.generation = log.generation();
            self.written_by = log.head.header.written_by;
            if self.damaged(log)? {
                break;
            }
            self.log_bytes += log.extent.end.saturating_sub(log.extent.start) as u64;
            self.logs += 1;
            if self.replay_log(&ready, from.take())? {
                stopped = true;
                break;
            }
            self.check_creation_time(log)?;
            match self.next_log(log, is_current)? {
                Next::Log(next, current) => (ready, is_current) = (*next, current),
                Next::End => break,
            }
        }
        self.finish(ready.log, is_current, stopped)
    }

    /// A log whose blocks are damaged ends the replay, or makes it fail. With `/a` it is given up with all after it,
    /// as long as no database needs them.
    fn damaged(&mut self, log: &LoadedLog) -> Result<bool> {
        let Some(damage) = log.scan.damage else {
            return Ok(false);
        };
        let trouble = Trouble::new(damage.jet, format!("'{}' is damaged", log.path.display()))
            .at(damage.at)
            .advise("find a good copy of this log file");
        self.give_up_from(log.generation(), trouble).map(|()| true)
    }

    /// Decides on a log that cannot be replayed. [engine: corrective options]
    fn give_up_from(&mut self, bad: Generation, trouble: Trouble) -> Result<()> {
        let before = Generation::new(bad.get().saturating_sub(1));
        let check = self.generations_suffice(before);
        let is_sequence = trouble.jet == JetError::INVALID_LOG_SEQUENCE;
        match check.as_ref().map_err(Error::jet) {
            Ok(()) if !self.plan.lossy => return Err(trouble.into()),
            Ok(()) => {}
            Err(JetError::COMMITTED_LOG_FILES_MISSING) if self.plan.lossy => {}
            Err(JetError::COMMITTED_LOG_FILES_MISSING) => {
                let mut trouble = trouble;
                trouble.jet = if is_sequence {
                    JetError::COMMITTED_LOG_FILES_MISSING
                } else {
                    JetError::COMMITTED_LOG_FILE_CORRUPT
                };
                trouble.advice = Some(LOSSY_ADVICE.to_owned());
                return Err(trouble.into());
            }
            Err(_) => return Err(trouble.into()),
        }
        if self.start.generation >= bad {
            return Err(trouble.into());
        }
        self.lost = JetError::COMMITTED_LOG_FILES_REMOVED;
        self.removed = self.stream.from(bad);
        Ok(())
    }

    /// Whether `generation`, the last that can be had, is enough for every database.
    fn generations_suffice(&self, generation: Generation) -> Result<()> {
        for database in &self.replay.databases {
            let (_, required, _) = database.needed;
            if generation < required {
                return Err(self.too_few(
                    database,
                    generation,
                    required,
                    JetError::REQUIRED_LOG_FILES_MISSING,
                ));
            }
        }
        for database in &self.replay.databases {
            let (_, _, committed) = database.needed;
            if generation < committed {
                return Err(self.too_few(
                    database,
                    generation,
                    committed,
                    JetError::COMMITTED_LOG_FILES_MISSING,
                ));
            }
        }
        Ok(())
    }

    fn too_few(
        &self,
        database: &Attached,
        have: Generation,
        need: Generation,
        jet: JetError,
    ) -> Error {
        let names = self.stream.range_name(have.next(), need);
        let what = if jet == JetError::REQUIRED_LOG_FILES_MISSING {
            format!("the database needs the log files {names}, which are not there")
        } else {
            format!("the log files {names}, which hold committed transactions, are not there")
        };
        let advice = if jet == JetError::REQUIRED_LOG_FILES_MISSING {
            "bring the missing log files (the last may be called by the base name alone); without them the database \
             can only be repaired"
        } else {
            LOSSY_ADVICE
        };
        Trouble::new(jet, what)
            .of(&database.path)
            .advise(advice)
            .into()
    }

    /// The last required log must be the very one that the database was written under.
    fn check_creation_time(&self, log: &LoadedLog) -> Result<()> {
        if self.plan.lossy {
            return Ok(());
        }
        let header = &log.head.header;
        for database in &self.replay.databases {
            let (_, required, committed) = database.needed;
            if required != header.generation {
                continue;
            }
            let db = &database.header;
            let expected = if db.required_high_time.is_set() {
                db.required_high_time
            } else if required == committed {
                db.committed_high_time
            } else {
                LogTime::default()
            };
            if expected.is_set() && expected != header.created {
                return Err(Trouble::new(
                    JetError::REQUIRED_LOG_FILES_MISSING,
                    format!(
                        "'{}' was created at {}, but the database needs the one created at {expected}",
                        log.path.display(),
                        header.created
                    ),
                )
                .of(&database.path)
                .advise("this log is another one of the same number; find the one of the database's own time")
                .into());
            }
        }
        Ok(())
    }

    /// Redoes the records of a log. True when the position to stop at was reached.
    fn replay_log(&mut self, ready: &ReadyLog, from: Option<Lgpos>) -> Result<bool> {
        let mut reader = ready.log.records_from(from);
        let mut to_come = ready.touched.as_slice();
        self.progress.advance(1);
        for record in 0.. {
            if to_come.first().is_some_and(|next| next.record <= record) {
                let (now, later) = to_come.split_at(to_come.len().min(WARM_AT_ONCE));
                self.replay.warm(now);
                to_come = later;
            }
            let placed = match reader.next() {
                Ok(Some(placed)) => placed,
                Ok(None) => return Ok(false),
                Err(fault) => {
                    return Err(Trouble::new(JetError::LOG_FILE_CORRUPT, fault.to_string())
                        .advise("the log is damaged here; a good copy of this log file is needed to go on")
                        .into());
                }
            };
            if self.plan.stop_after.is_some_and(|stop| placed.at > stop) {
                return Ok(true);
            }
            let (at, bytes) = (placed.at, placed.bytes);
            match self.replay.apply(at, bytes)? {
                Request::None => {}
                Request::Closed(kind) => self.close_all(kind)?,
                Request::Database(record) => self.database_record(at, &record)?,
            }
        }
        Ok(false)
    }

    /// Loads the log after `log`.
    fn next_log(&mut self, log: &LoadedLog, is_current: bool) -> Result<Next> {
        if is_current {
            return Ok(Next::End);
        }
        let wanted = log.generation().next();
        let archived = self.stream.archived(wanted);
        let current = archived.is_none();
        let Some(path) = archived.or_else(|| self.stream.current()) else {
            return self.no_more(wanted);
        };
        let ready = match self.ahead.take(&path) {
            Ok(next) => next,
            Err(fault) => return Err(stream::unusable(&path, &fault).into()),
        };
        let header = &ready.log.head.header;
        if header.sign_log != self.sign_log {
            return Err(Trouble::new(
                JetError::BAD_LOG_SIGNATURE,
                format!("'{}' belongs to another log stream", path.display()),
            )
            .advise("keep the logs of different streams in different folders")
            .into());
        }
        if !current && header.generation != wanted {
            return Err(Trouble::new(
                JetError::LOG_GENERATION_MISMATCH,
                format!(
                    "'{}' is generation {:#X}, not what its name says",
                    path.display(),
                    header.generation.get()
                ),
            )
            .advise("give the file its right name")
            .into());
        }
        if header.prev_created != log.head.header.created || header.generation != wanted {
            let what = if header.generation == wanted {
                format!(
                    "'{}' is not the successor of '{}'",
                    path.display(),
                    log.path.display()
                )
            } else {
                format!(
                    "{} is not there: the next log, '{}', is generation {:#X}",
                    self.stream.name(wanted),
                    path.display(),
                    header.generation.get()
                )
            };
            let trouble = Trouble::new(JetError::INVALID_LOG_SEQUENCE, what).advise(
                "bring the missing log file; a log of another time under this number does not help",
            );
            self.give_up_from(wanted, trouble)?;
            return Ok(Next::End);
        }
        if keeps_previous_sum(header) && header.prev_segments_checksum != log.scan.segments_checksum
        {
            return Err(Trouble::new(
                JetError::LOG_SEQUENCE_CHECKSUM_MISMATCH,
                format!(
                    "'{}' was followed by another log than '{}', or part of it is lost",
                    log.path.display(),
                    path.display()
                ),
            )
            .advise("find a complete copy of the former")
            .into());
        }
        Ok(Next::Log(Box::new(ready), current))
    }

    /// There is no next log: the end, or a hole.
    fn no_more(&mut self, wanted: Generation) -> Result<Next> {
        if let Some((_, high)) = self.stream.range()
            && high > wanted
        {
            return Err(Trouble::new(
                JetError::MISSING_LOG_FILE,
                format!(
                    "{} is not there, but later logs are",
                    self.stream.name(wanted)
                ),
            )
            .advise("bring the missing log file")
            .into());
        }
        if self.plan.lossy {
            let last = Generation::new(wanted.get().saturating_sub(1));
            match self.generations_suffice(last) {
                Err(error) if error.jet() == JetError::COMMITTED_LOG_FILES_MISSING => {
                    self.lost = JetError::COMMITTED_LOG_FILES_LOST;
                }
                other => other?,
            }
        }
        Ok(Next::End)
    }

    /// Starts loading the log after `log` in the background.
    fn read_ahead(&mut self, log: &LoadedLog, is_current: bool) {
        if is_current {
            return;
        }
        let wanted = log.generation().next();
        let path = self
            .stream
            .archived(wanted)
            .or_else(|| self.stream.current());
        if let Some(path) = path {
            self.ahead.begin(path);
        }
    }

    fn standing(&self, at: Option<Lgpos>) -> Standing {
        Standing {
            sign_log: self.sign_log,
            at,
            generation: self.generation,
        }
    }

    fn defer(
        &mut self,
        dbid: DbId,
        logged_path: &str,
        path: Option<PathBuf>,
        reason: Reason,
        header: Option<&DbHeader>,
    ) {
        self.deferred.retain(|(other, _)| *other != dbid);
        let skipped = Skipped {
            logged_path: logged_path.to_owned(),
            path,
            reason,
            consistent: header.map(|header| header.last_consistent),
        };
        self.deferred.push((dbid, skipped));
    }

    /// A database that was attached when the replay begins.
    fn take_over(&mut self, attachment: &Attachment) -> Result<()> {
        let dbid = DbId(attachment.dbid);
        let Some(path) = self.plan.places.of(&attachment.path) else {
            self.defer(dbid, &attachment.path, None, Reason::Missing, None);
            return Ok(());
        };
        let Some((header, storage)) = self.open(&path)? else {
            self.defer(dbid, &attachment.path, Some(path), Reason::Missing, None);
            return Ok(());
        };
        let logged = Logged {
            attached: attachment.attached,
            consistent: attachment.consistent,
            sign_db: attachment.sign_db,
            sign_log_before: None,
        };
        match judge(&path, &header, &logged, &self.standing(None))? {
            Fit::Attach => {
                self.attach(dbid, path, header, storage, &attachment.path)?;
                if let Some(database) = self.replay.database_mut(dbid) {
                    database.count(attachment.dbtime, attachment.objid_last);
                }
            }
            Fit::Later(reason) => {
                self.defer(dbid, &attachment.path, Some(path), reason, Some(&header));
            }
        }
        Ok(())
    }

    /// Reads the header of a database file; `None` when there is no file.
    fn open(&self, path: &Path) -> Result<Option<(DbHeader, FileStorage)>> {
        let storage = match FileStorage::open(path) {
            Ok(storage) => storage,
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let header = read_header(path, &storage)?;
        let size = header.page_size().unwrap_or(PageSize::K4);
        if size != self.replay.pool.size() {
            return Err(Trouble::new(
                JetError::PAGE_SIZE_MISMATCH,
                format!(
                    "the database has pages of {size} bytes, its log says {}",
                    self.replay.pool.size()
                ),
            )
            .of(path)
            .advise("these logs are not those of this database")
            .into());
        }
        Ok(Some((header, storage)))
    }

    fn attach(
        &mut self,
        dbid: DbId,
        path: PathBuf,
        header: DbHeader,
        storage: FileStorage,
        logged_path: &str,
    ) -> Result<()> {
        let slot = self.replay.pool.add(&path, Some(Box::new(storage)))?;
        self.attach_slot(dbid, path, header, slot, logged_path, false);
        Ok(())
    }

    fn attach_slot(
        &mut self,
        dbid: DbId,
        path: PathBuf,
        header: DbHeader,
        slot: Slot,
        logged_path: &str,
        created: bool,
    ) {
        self.deferred.retain(|(other, _)| *other != dbid);
        let style = self.style_of(slot, &header);
        self.replay.pool.set_style(slot, style);
        let needed = (
            header.required_low,
            header.required_high,
            header.committed_high.max(header.required_high),
        );
        self.replay.attach(Attached {
            dbid,
            slot,
            path,
            logged_path: logged_path.to_owned(),
            dbtime: header.dbtime,
            objid_last: header.objid_last,
            ahead: self.generation <= header.required_high,
            unsettled: std::collections::BTreeMap::new(),
            created,
            creating: created,
            touched: true,
            state_before: header.db_state(),
            pages_before: self.replay.pool.last_page(slot),
            needed,
            header,
        });
    }

    /// What pages of a database look like. Whether new ones get the newer checksum the first page tells.
    fn style_of(&mut self, slot: Slot, header: &DbHeader) -> PageStyle {
        let first = self.replay.pool.load(slot, Pgno::new(1));
        let new_checksum = match first {
            Ok((id, PageState::Sound)) => self.replay.pool.page(id).flags().has_new_checksum(),
            _ => true,
        };
        PageStyle {
            counts_reserved: header.update_major >= COUNTS_RESERVED_SINCE,
            new_checksum,
        }
    }

    /// A record about a whole database.
    fn database_record(&mut self, at: Lgpos, record: &Record<'_>) -> Result<()> {
        match record {
            Record::CreateDb(create) => self.create_db(at, create),
            Record::CreateDbFinish(_, dbid) => {
                if let Some(database) = self.replay.database_mut(*dbid) {
                    database.creating = false;
                }
                Ok(())
            }
            Record::AttachDb(attach) => self.attach_db(at, attach),
            Record::DetachDb(detach) => {
                self.deferred.retain(|(dbid, _)| *dbid != detach.dbid);
                if let Some(place) = self.replay.place(detach.dbid) {
                    self.replay.settle(place)?;
                    self.replay.fit_file(place)?;
                }
                if let Some(mut database) = self.replay.detach(detach.dbid) {
                    if database.concerns(at) {
                        finish::close(&mut database, at, self.plan.now);
                        database.header.recovering = self.generation;
                    }
                    self.closed.push(database);
                }
                Ok(())
            }
            Record::ReAttach(again) => {
                if let Some(database) = self.replay.database_mut(again.dbid) {
                    database.header.last_reattach = at;
                    database.header.last_reattach_time = self.plan.now;
                }
                Ok(())
            }
            Record::SetDbVersion(version) => {
                if let Some(database) = self.replay.database_mut(version.dbid)
                    && database.concerns(at)
                {
                    let header = &mut database.header;
                    let old = (header.update_major, header.update_minor);
                    if (version.update_major, version.update_minor) > old {
                        header.update_major = version.update_major;
                        header.update_minor = version.update_minor;
                    }
                    let (slot, header) = (database.slot, database.header.clone());
                    let style = self.style_of(slot, &header);
                    self.replay.pool.set_style(slot, style);
                }
                Ok(())
            }
            Record::Backup(step) => {
                self.backup(at, step);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The header remembers a backup that was finished. [log notes 9.4]
    fn backup(&mut self, at: Lgpos, step: &crate::format::logrec::BackupStep) {
        const UPDATE_HEADER: u8 = 4;
        let Some(database) = self.replay.database_mut(step.dbid) else {
            return;
        };
        if step.phase != UPDATE_HEADER || !database.concerns(at) {
            return;
        }
        let header = &mut database.header;
        match step.scope {
            1 => {
                header.backup_full_prev = step.info;
                header.backup_full_prev_kind = step.kind;
                header.backup_incremental_prev = Default::default();
            }
            2 => {
                header.backup_incremental_prev = step.info;
                header.backup_incremental_prev_kind = step.kind;
            }
            5 => {
                header.backup_copy_prev = step.info;
                header.backup_copy_prev_kind = step.kind;
            }
            6 => {
                header.backup_differential_prev = step.info;
                header.backup_differential_prev_kind = step.kind;
            }
            _ => {}
        }
    }

    /// A database that an earlier record closed.
    fn take_closed(&mut self, path: &Path) -> Option<Attached> {
        let place = self
            .closed
            .iter()
            .rposition(|database| database.path == path)?;
        Some(self.closed.remove(place))
    }

    fn attach_db(&mut self, at: Lgpos, attach: &AttachDb) -> Result<()> {
        if self.replay.database(attach.dbid).is_some() {
            // It was attached when the replay began.
            return Ok(());
        }
        let Some(path) = self.plan.places.of(&attach.path) else {
            self.defer(attach.dbid, &attach.path, None, Reason::Missing, None);
            return Ok(());
        };
        let logged = Logged {
            attached: at,
            consistent: attach.consistent,
            sign_db: attach.sign_db,
            sign_log_before: Some(attach.sign_log),
        };
        let standing = self.standing(Some(at));
        if let Some(mut database) = self.take_closed(&path) {
            return match judge(&path, &database.header, &logged, &standing)? {
                Fit::Attach => {
                    finish::attach_by_record(
                        &mut database.header,
                        attach.dbid.0,
                        at,
                        self.sign_log,
                        self.plan.now,
                    );
                    database.dbid = attach.dbid;
                    self.deferred.retain(|(other, _)| *other != attach.dbid);
                    self.replay.attach(database);
                    Ok(())
                }
                Fit::Later(reason) => {
                    self.defer(
                        attach.dbid,
                        &attach.path,
                        Some(path),
                        reason,
                        Some(&database.header),
                    );
                    self.closed.push(database);
                    Ok(())
                }
            };
        }
        let Some((mut header, storage)) = self.open(&path)? else {
            self.defer(attach.dbid, &attach.path, Some(path), Reason::Missing, None);
            return Ok(());
        };
        match judge(&path, &header, &logged, &standing)? {
            Fit::Attach => {
                let redone = header.last_attach == at;
                if !redone {
                    finish::attach_by_record(
                        &mut header,
                        attach.dbid.0,
                        at,
                        self.sign_log,
                        self.plan.now,
                    );
                }
                self.attach(attach.dbid, path, header, storage, &attach.path)
            }
            Fit::Later(reason) => {
                self.defer(attach.dbid, &attach.path, Some(path), reason, Some(&header));
                Ok(())
            }
        }
    }

    fn create_db(&mut self, at: Lgpos, create: &CreateDb) -> Result<()> {
        let Some(path) = self.plan.places.of(&create.path) else {
            self.defer(create.dbid, &create.path, None, Reason::Missing, None);
            return Ok(());
        };
        let existing = match self.open(&path) {
            Err(Error::NoDatabaseHeader { .. }) => None,
            other => other?,
        };
        let Some((header, storage)) = existing else {
            return self.make_new(at, create, path);
        };
        use crate::format::dbheader::DbState;
        if header.db_state() == DbState::JustCreated {
            return self.make_new(at, create, path);
        }
        let reason = if header.sign_log != self.sign_log {
            Reason::OtherStream
        } else if header.last_attach == at && header.sign_db == create.sign_db {
            if header.last_attach <= header.last_consistent {
                Reason::Future
            } else {
                if header.required_low.get() != 0 && header.required_low < self.generation {
                    return judge(
                        &path,
                        &header,
                        &Logged {
                            attached: at,
                            consistent: header.last_consistent,
                            sign_db: create.sign_db,
                            sign_log_before: Some(self.sign_log),
                        },
                        &self.standing(Some(at)),
                    )
                    .map(|_| ());
                }
                return self.attach(create.dbid, path, header, storage, &create.path);
            }
        } else if header.last_attach > at {
            Reason::AttachedLater
        } else {
            Reason::OtherDatabase
        };
        self.defer(create.dbid, &create.path, Some(path), reason, Some(&header));
        Ok(())
    }

    /// Makes a database from nothing but the log.
    fn make_new(&mut self, at: Lgpos, create: &CreateDb, path: PathBuf) -> Result<()> {
        if !create.is_fully_logged() {
            return Err(Trouble::new(
                JetError::ATTACHED_DATABASE_MISMATCH,
                "the file is not there, and a log of this age does not hold the first pages of a new database",
            )
            .of(&path)
            .at(at)
            .advise("put a copy of the database there, however old, or leave it out with /i")
            .into());
        }
        let mut header = finish::created_header(
            self.replay.pool.size().header_value(),
            create.dbid.0,
            create.sign_db,
            at,
            self.sign_log,
            self.plan.now,
        );
        header.attached_by = self.written_by;
        let slot = self.replay.pool.add(&path, None)?;
        self.attach_slot(create.dbid, path, header, slot, &create.path, true);
        Ok(())
    }

    /// A run of the engine ended: everything attached is complete as of the last ShutDownMark.
    fn close_all(&mut self, kind: CloseKind) -> Result<()> {
        self.deferred
            .retain(|(_, skipped)| skipped.reason == Reason::Future);
        if kind == CloseKind::KeepAttachments {
            return Ok(());
        }
        let mark = self.replay.shutdown_mark.unwrap_or(self.replay.at);
        while let Some(dbid) = self.replay.databases.first().map(|database| database.dbid) {
            self.replay.settle(0)?;
            self.replay.fit_file(0)?;
            if let Some(mut database) = self.replay.detach(dbid) {
                finish::close(&mut database, mark, self.plan.now);
                // As the engine leaves it when redo, not its own end, closes a database.
                database.header.recovering = self.generation;
                self.closed.push(database);
            }
        }
        Ok(())
    }

    /// The header counts pages that were read with a wrong checksum.
    fn count_bad_pages(&mut self) {
        let now = self.plan.now;
        let pool = &self.replay.pool;
        for database in self.replay.databases.iter_mut().chain(&mut self.closed) {
            let bad = pool.bad_pages(database.slot);
            if bad > 0 {
                database.header.bad_checksum.count += bad;
                database.header.bad_checksum.last = now;
            }
        }
    }

    fn finish(mut self, last: LoadedLog, last_is_current: bool, stopped: bool) -> Result<Outcome> {
        for place in 0..self.replay.databases.len() {
            self.replay.settle(place)?;
        }
        let ends_with_mark = self.replay.last_was_shutdown;
        let ended_at = self.replay.ended_at;
        let mut steps = Vec::new();
        if !stopped {
            if self.lost == JetError::SUCCESS {
                self.generations_suffice(last.generation())?;
            }
            self.check_deferred(ends_with_mark)?;
            steps = self.replay.roll_back()?;
            // A creation that was not finished leaves no database.
            let unfinished: Vec<_> = self
                .replay
                .databases
                .iter()
                .filter(|database| database.creating)
                .map(|database| database.dbid)
                .collect();
            for dbid in unfinished {
                self.replay.detach(dbid);
            }
            for place in 0..self.replay.databases.len() {
                self.replay.fit_file(place)?;
            }
        }
        self.count_bad_pages();
        let mut databases = std::mem::take(&mut self.closed);
        databases.append(&mut self.replay.databases);
        Ok(Outcome {
            end: self.replay.at,
            replay: self.replay,
            databases,
            skipped: self
                .deferred
                .into_iter()
                .map(|(_, skipped)| skipped)
                .collect(),
            steps,
            last,
            last_is_current,
            start: self.start,
            ended_at,
            ends_with_mark,
            removed: self.removed,
            lost: self.lost,
            stopped,
            log_bytes: self.log_bytes,
            logs: self.logs,
        })
    }

    /// Databases that were attached and never found.
    fn check_deferred(&self, ends_with_mark: bool) -> Result<()> {
        if self.plan.ignore_missing || ends_with_mark {
            return Ok(());
        }
        let Some((_, skipped)) = self
            .deferred
            .iter()
            .find(|(_, skipped)| skipped.reason != Reason::Future)
        else {
            return Ok(());
        };
        let name = super::attach::last_part(&skipped.logged_path);
        let advice = match self.plan.places {
            Places::Logged => format!(
                "give the folder that holds {name} now with /d (no path: the current folder); or leave this database \
                 out with /i"
            ),
            _ => format!("put the right {name} there, or leave this database out with /i"),
        };
        let mut trouble = Trouble::new(
            JetError::ATTACHED_DATABASE_MISMATCH,
            format!(
                "the log needs the database it calls '{}': {}",
                skipped.logged_path,
                skipped.reason.words()
            ),
        )
        .advise(advice);
        trouble.database = skipped.path.clone();
        Err(trouble.into())
    }
}

const LOSSY_ADVICE: &str = "bring the missing or damaged log files; or give them up with /a: the database then becomes \
                            sound, without the transactions in them";

fn keeps_previous_sum(header: &LogHeader) -> bool {
    header.is_new_format()
        && (header.update_major, header.update_minor) >= (5, PREVIOUS_SUM_SINCE)
        && header.update_minor >= PREVIOUS_SUM_SINCE
}

/// True when a log of this version has its attachments in the checkpoint.
#[must_use]
pub fn checkpoint_has_attachments(header: &LogHeader) -> bool {
    header.is_new_format()
        && (header.update_major, header.update_minor) >= CHECKPOINT_ATTACHMENTS_SINCE
}

fn read_header(path: &Path, storage: &FileStorage) -> Result<DbHeader> {
    use crate::format::dbheader::HeaderCopies;
    let start = storage
        .read_start(HeaderCopies::PROBE_BYTES)
        .map_err(|error| Error::io(path, "read", error))?;
    HeaderCopies::read(&start, None)
        .and_then(|copies| copies.header().cloned())
        .ok_or_else(|| Error::NoDatabaseHeader {
            path: path.to_owned(),
        })
}
