//! What is done ahead of the replay, on another thread: the next log is read, verified, and asked which pages it
//! changes.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crate::format::ids::Pgno;
use crate::format::logrec::{DbId, Record};
use crate::format::stamp::Lgpos;
use crate::log::generation::LoadedLog;
use crate::log::verify::HeaderFault;

/// A node that a record changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// How many records of the log stand before it.
    pub record: u32,
    /// The page.
    pub pgno: Pgno,
    /// The node.
    pub line: u16,
    /// The database.
    pub dbid: DbId,
}

/// A log that is ready to be replayed.
#[derive(Debug)]
pub struct ReadyLog {
    /// The log.
    pub log: LoadedLog,
    /// What its records change, in their order.
    pub touched: Vec<Touched>,
}

impl ReadyLog {
    /// Looks through the records of a log, from a position or from the first on. Those behind one that cannot be read
    /// are left out.
    #[must_use]
    pub fn new(log: LoadedLog, from: Option<Lgpos>) -> Self {
        let mut touched = Vec::new();
        let mut records = log.records_from(from);
        let mut record = 0;
        while let Ok(Some(placed)) = records.next() {
            let parsed = Record::parse(placed.bytes);
            if let Some(head) = parsed.as_ref().ok().and_then(Record::page_head) {
                touched.push(Touched {
                    record,
                    pgno: head.pgno,
                    line: head.line,
                    dbid: head.dbid,
                });
            }
            record += 1;
        }
        Self { log, touched }
    }

    fn load(path: &Path) -> Result<Self, HeaderFault> {
        LoadedLog::load(path).map(|log| Self::new(log, None))
    }
}

/// Loads one log ahead.
#[derive(Default)]
pub struct Ahead {
    next: Option<(PathBuf, JoinHandle<Result<ReadyLog, HeaderFault>>)>,
}

impl Ahead {
    /// Begins to load a log.
    pub fn begin(&mut self, path: PathBuf) {
        let file = path.clone();
        self.next = Some((path, std::thread::spawn(move || ReadyLog::load(&file))));
    }

    /// The log in this file, which was loaded ahead if it is the one that was begun.
    ///
    /// # Errors
    /// [`HeaderFault`] when its header cannot be used.
    pub fn take(&mut self, path: &Path) -> Result<ReadyLog, HeaderFault> {
        match self.next.take() {
            Some((ready, thread)) if ready == path => match thread.join() {
                Ok(loaded) => loaded,
                Err(_) => ReadyLog::load(path),
            },
            _ => ReadyLog::load(path),
        }
    }
}
