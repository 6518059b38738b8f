//! What a recovery writes besides pages: headers, logs, checkpoint.
//!
//! The stream is closed as the engine closes it ([`crate::log::closing`]): the records of undo are appended, the
//! checkpoint moves to their end. So the databases stay in their stream: the engine mounts them and goes on with the
//! very next record, and a second recovery finds nothing to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::begin::checkpoint_name;
use super::beside::still_needed;
use super::steps::{cannot_log, log_step};
use super::{After, RecoverOptions};
use crate::error::{Error, Result};
use crate::format::dbheader::DbHeader;
use crate::format::loghdr::Attachment;
use crate::format::stamp::Lgpos;
use crate::log::changes::{LogRole, StreamNaming};
use crate::log::closing::{Closed, Closing as LogClosing, LogEnd, Quit, checkpoint_file};
use crate::log::names::{LogName, LogNumber, find_any_case};
use crate::log::writer::{LastLog, LogWriter, OLDEST_WRITTEN, Surroundings};
use crate::ops::checkpoint::read_checkpoint;
use crate::problem::{Finding, Place, Problem};
use crate::recover::driver::Outcome;
use crate::recover::stream::LogStream;
use crate::recover::{Attached, finish};
use crate::storage::{FileStorage, Storage};

/// Files of the stream as they will be; `None`: gone.
pub type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// The end of the stream and of the headers, worked out and not yet written.
pub struct Closing {
    /// Where databases that were attached to the end are consistent.
    mark: Option<Lgpos>,
    /// Logs as they will be.
    pub logs: Files,
    /// The checkpoint.
    pub checkpoint: Files,
    /// Logs that nothing needs any more.
    pub truncated: Files,
    headers: Vec<(PathBuf, DbHeader)>,
    /// What is worth knowing.
    pub findings: Vec<Finding>,
}

impl Closing {
    /// Works out what the end of the recovery is.
    ///
    /// # Errors
    /// [`Error::Io`]; -519 when the stream has no generation left.
    pub fn of(
        options: &RecoverOptions,
        stream: &LogStream,
        outcome: &Outcome,
        after: &After,
    ) -> Result<Self> {
        let mut closing = Self {
            mark: None,
            logs: Files::new(),
            checkpoint: Files::new(),
            truncated: Files::new(),
            headers: Vec::new(),
            findings: Vec::new(),
        };
        if !outcome.stopped {
            let closed = closing.close_stream(options, stream, outcome, after.hard)?;
            closing.stream_files(stream, outcome, &closed)?;
            let name = checkpoint_name(stream);
            let path = find_any_case(&options.system_dir, &name)
                .unwrap_or_else(|| options.system_dir.join(&name));
            let bytes = checkpoint_file(&closed.checkpoint, &[]);
            if after.drops_stream {
                closing.logs.clear();
            } else {
                closing.checkpoint.insert(path, Some(bytes));
            }
            if options.truncate_logs {
                closing.truncate(options, stream, outcome);
            }
            let gone = after.remove.iter().map(|path| (path.clone(), None));
            closing.truncated.extend(gone);
        }
        for database in &outcome.databases {
            let mut database = database.clone();
            if outcome.stopped {
                stay_dirty(&mut database, outcome);
            } else if let Some(mark) = closing.mark.filter(|_| !super::is_clean(&database)) {
                finish::close(&mut database, mark, options.now);
            }
            database.header.renew_flush_signatures(options.now);
            closing.headers.push((database.path, database.header));
        }
        Ok(closing)
    }

    /// Every file of the stream that changes, with its new content.
    pub fn each_file(&self) -> impl Iterator<Item = (&Path, Option<&[u8]>)> {
        [&self.logs, &self.checkpoint, &self.truncated]
            .into_iter()
            .flatten()
            .map(|(path, bytes)| (path.as_path(), bytes.as_deref()))
    }

    /// The header that a database gets.
    pub fn header_of<'a>(&'a self, database: &'a Attached) -> &'a DbHeader {
        self.headers
            .iter()
            .find(|(path, _)| *path == database.path)
            .map_or(&database.header, |(_, header)| header)
    }

    fn close_stream(
        &mut self,
        options: &RecoverOptions,
        stream: &LogStream,
        outcome: &Outcome,
        hard: bool,
    ) -> Result<Closed> {
        let header = &outcome.last.head.header;
        let attachments = outcome
            .databases
            .iter()
            .filter(|database| !super::is_clean(database))
            .map(attachment)
            .collect();
        let surroundings = Surroundings {
            environment: header.environment.clone(),
            attachments,
            checkpoint: outcome.start,
            now: options.now,
            least_version: OLDEST_WRITTEN,
        };
        let last = LastLog::new(&outcome.last, outcome.last_is_current);
        let writer = if outcome.last_is_current {
            LogWriter::resume(last, surroundings)
        } else {
            LogWriter::new_generation(last, surroundings)
        };
        let writer = writer.map_err(cannot_log)?;
        let before = find_any_case(&options.system_dir, &checkpoint_name(stream))
            .and_then(|path| read_checkpoint(&path).ok())
            .map(|report| report.checkpoint);
        let closed = match outcome.ended_at {
            Some(end) => Quit::already_closed(writer, end)
                .restart()
                .map_err(cannot_log)?
                .finish(before.as_ref()),
            None => {
                let end = if outcome.ends_with_mark {
                    LogEnd::ShutDownMark
                } else {
                    LogEnd::Open
                };
                let mut closing =
                    LogClosing::begin(writer, header, outcome.start, end).map_err(cannot_log)?;
                if hard {
                    closing.set_hard();
                }
                for step in &outcome.steps {
                    log_step(&mut closing, step)?;
                }
                let (mark, closed) =
                    crate::log::closing::close(closing, before.as_ref()).map_err(cannot_log)?;
                self.mark = Some(mark);
                closed
            }
        };
        Ok(closed)
    }

    /// The log files as they will be.
    fn stream_files(
        &mut self,
        stream: &LogStream,
        outcome: &Outcome,
        closed: &Closed,
    ) -> Result<()> {
        for path in &outcome.removed {
            self.logs.insert(path.clone(), None);
        }
        let naming = StreamNaming {
            base: stream.base.clone(),
            extension: stream.extension.clone(),
            digits: stream.digits(),
        };
        let current = stream
            .current()
            .unwrap_or_else(|| stream.dir.join(naming.name(LogRole::Current)));
        for change in &closed.changes {
            let path = match change.role {
                LogRole::Current => current.clone(),
                role => {
                    let name = naming.name(role);
                    find_any_case(&stream.dir, &name).unwrap_or_else(|| stream.dir.join(name))
                }
            };
            let before = if change.was_current { &current } else { &path };
            let bytes = match &change.content {
                crate::log::changes::LogContent::New { .. } => Vec::new(),
                crate::log::changes::LogContent::Patch(_) => read_all(before)?,
            };
            self.logs
                .insert(path, Some(change.content.applied_to(&bytes)));
        }
        Ok(())
    }

    /// Closed generations that nothing needs any more.
    fn truncate(&mut self, options: &RecoverOptions, stream: &LogStream, outcome: &Outcome) {
        let last = outcome.last.generation();
        let needed = still_needed(options, outcome);
        let kept = |path: &Path| {
            let number = path
                .file_name()
                .and_then(|name| LogName::parse(name.to_str()?))
                .map(|name| name.number);
            let low = needed.as_ref().map(|(low, _)| LogNumber::Archived(*low));
            low.is_some_and(|low| number.is_none_or(|number| number >= low))
        };
        let mut keeps = false;
        for path in stream.from(crate::format::ids::Generation::default()) {
            let is_current = stream.current().as_ref() == Some(&path);
            let is_last = stream.archived(last).as_ref() == Some(&path);
            if !is_current && !is_last && !self.logs.contains_key(&path) {
                if kept(&path) {
                    keeps = true;
                } else {
                    self.truncated.insert(path, None);
                }
            }
        }
        if let (true, Some((_, detail))) = (keeps, needed) {
            let place = Place::file(stream.dir.to_string_lossy());
            self.findings
                .push(Finding::new(Problem::LogsKept, place).with_detail(detail));
        }
    }
}

/// A database that was rolled forward, not back, can be rolled further: it needs the logs as before, and those that
/// were replayed.
fn stay_dirty(database: &mut Attached, outcome: &Outcome) {
    if super::is_clean(database) {
        return;
    }
    let header = &mut database.header;
    header.dbtime = header.dbtime.max(database.dbtime);
    header.objid_last = header.objid_last.max(database.objid_last);
    header.state = 2;
    let last = outcome.last.generation();
    let created = outcome.last.head.header.created;
    if header.required_low.get() == 0 {
        header.required_low = outcome.start.generation;
    }
    if header.required_high < last && header.required_high_time.is_set() {
        header.required_high_time = created;
    }
    if header.committed_high < last {
        header.committed_high_time = created;
    }
    header.required_high = header.required_high.max(last);
    header.committed_high = header.committed_high.max(last);
    header.recovering = last;
}

fn attachment(database: &Attached) -> Attachment {
    let header = &database.header;
    Attachment {
        dbid: database.dbid.0,
        flags: UTF16,
        dbtime: database.dbtime,
        objid_last: database.objid_last,
        max_pages: 0,
        attached: header.last_attach,
        consistent: header.last_consistent,
        sign_db: header.sign_db,
        path: database.logged_path.clone(),
    }
}

/// Flag of an attachment: its path is UTF-16.
const UTF16: u8 = 0x20;

fn read_all(path: &Path) -> Result<Vec<u8>> {
    let file = FileStorage::open(path)?;
    let io = |error| Error::io(path, "read", error);
    let len = usize::try_from(file.len().map_err(io)?).unwrap_or(usize::MAX);
    file.read_start(len).map_err(io)
}
