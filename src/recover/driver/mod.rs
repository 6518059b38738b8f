//! A whole recovery: which logs, from where, which databases, and what the outcome is. [log notes 11]

mod chain;
mod databases;
mod outcome;

pub use outcome::{Outcome, Plan, Skipped, Start};

use std::path::PathBuf;

use crate::error::{Result, Trouble};
use crate::format::ids::Generation;
use crate::format::loghdr::LogHeader;
use crate::format::logrec::DbId;
use crate::format::stamp::{Lgpos, Signature};
use crate::jet::JetError;
use crate::log::generation::LoadedLog;
use crate::progress::Progress;

use super::ahead::{Ahead, ReadyLog};
use super::attach::{Places, Reason, last_part};
use super::attached::Attached;
use super::pool::{Pool, WARM_AT_ONCE};
use super::replay::{Replay, Request};
use super::stream::LogStream;

/// From 8.4000.4.9 on every growth of a file is a record, that of a new one, too.
const GROWTH_LOGGED_SINCE: (u32, u32) = (4, 9);
/// From 8.4000.4.3 on the checkpoint holds the attached databases.
const CHECKPOINT_ATTACHMENTS_SINCE: (u32, u32) = (4, 3);

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
    /// When there is a place to stop at: the last record after which all pages could be written.
    writable: Lgpos,
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
            writable: Lgpos::default(),
            ahead: Ahead::default(),
        }
    }

    /// Replays from `start` to the end of the stream, and rolls back.
    ///
    /// # Errors
    /// [`crate::error::Error::Recovery`] with the engine's number; nothing has been written then.
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
        let mut ready = ReadyLog::new(first, Some(start.at));
        let mut is_current = first_is_current;
        let mut from = Some(start.at);
        let mut stopped = false;
        let mut before = None;
        loop {
            self.replay.pool.offer(std::mem::take(&mut ready.pages));
            if self.damaged(&ready.log)?
                && let Some(before) = before
            {
                // None of its records counts, not even those before the damage: the stream goes on behind the log before
                // it. [engine]
                return self.finish(before, false, false);
            }
            let log = &ready.log;
            self.read_ahead(log, is_current);
            self.replay.begin_generation(log.generation())?;
            self.generation = log.generation();
            self.written_by = log.head.header.written_by;
            self.replay.growth_logged = logs_growth(&log.head.header);
            self.log_bytes += log.extent.end.saturating_sub(log.extent.start) as u64;
            self.logs += 1;
            if self.replay_log(&ready, from.take())? {
                stopped = true;
                break;
            }
            self.check_creation_time(log)?;
            match self.next_log(log, is_current)? {
                Next::Log(next, current) => {
                    before = Some(std::mem::replace(&mut ready, *next).log);
                    is_current = current;
                }
                Next::End => break,
            }
        }
        self.finish(ready.log, is_current, stopped)
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
            if self.plan.stop_after.is_some() && !self.is_unlogged() {
                self.writable = at;
            }
        }
        Ok(false)
    }

    /// True while a transaction is open whose rolling back the log as it is does not allow. The engine writes no such
    /// page before it has logged the former content, which only the run that rolls back may do.
    fn is_unlogged(&self) -> bool {
        self.replay
            .sessions
            .values()
            .any(super::Session::is_unlogged)
    }

    /// The logs that were given up and that a database counts as committed.
    fn lost_logs(&self, last: &LoadedLog) -> Option<String> {
        let committed = self
            .replay
            .databases
            .iter()
            .map(|database| database.needed.2);
        let first = last.generation().next();
        let end = committed.max()?;
        (self.lost != JetError::SUCCESS && first <= end).then(|| self.stream.range_name(first, end))
    }

    fn finish(mut self, last: LoadedLog, last_is_current: bool, stopped: bool) -> Result<Outcome> {
        let ends_with_mark = self.replay.last_was_shutdown;
        let ended_at = self.replay.ended_at;
        // Told to stop behind the end of the logs. A stream that ended in order has nothing to roll back: then the
        // databases are closed already. [engine: -579 and -584]
        let stopped = stopped || (self.plan.stop_after.is_some() && ended_at.is_none());
        for place in 0..self.replay.databases.len() {
            // What explains a page may lie behind the place to stop at.
            if !(stopped && self.replay.databases[place].ahead) {
                self.replay.settle(place)?;
            }
        }
        let stop_earlier = (stopped && self.is_unlogged()).then_some(self.writable);
        let lost_logs = self.lost_logs(&last);
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
            lost_logs,
            stopped,
            stop_earlier,
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
        let name = last_part(&skipped.logged_path);
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

/// True when a log of this version has its attachments in the checkpoint.
#[must_use]
pub fn checkpoint_has_attachments(header: &LogHeader) -> bool {
    header.is_new_format()
        && (header.update_major, header.update_minor) >= CHECKPOINT_ATTACHMENTS_SINCE
}

fn logs_growth(header: &LogHeader) -> bool {
    header.is_new_format() && (header.update_major, header.update_minor) >= GROWTH_LOGGED_SINCE
}
