//! What is done ahead of the replay, on another thread: the next log is read, verified, and asked which pages it
//! changes.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crate::format::ids::Pgno;
use crate::format::logrec::{DbId, Record};
use crate::format::page::CheckScratch;
use crate::format::stamp::Lgpos;
use crate::log::generation::LoadedLog;
use crate::log::verify::HeaderFault;

use super::page_file::{PageSource, ReadPage};
use super::pool::{Key, KeyHasher};

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
pub struct ReadyLog {
    /// The log.
    pub log: LoadedLog,
    /// What its records change, in their order.
    pub touched: Vec<Touched>,
    /// Pages that it changes.
    pub pages: Vec<ReadPage>,
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
        Self {
            log,
            touched,
            pages: Vec::new(),
        }
    }
}

/// What pages are read ahead from.
pub struct Sources {
    /// The databases by their numbers in the log.
    pub databases: Vec<(DbId, PageSource)>,
    /// Pages to read for one log, at most.
    pub most: usize,
    /// Pages to remember as read, at most: about as many as fit into memory.
    pub remember: usize,
}

/// Loads one log ahead, and the pages that it changes and that no log before it did.
#[derive(Default)]
pub struct Ahead {
    next: Option<(PathBuf, Loading)>,
    seen: Seen,
}

type Loading = JoinHandle<(Seen, Result<ReadyLog, HeaderFault>)>;

/// Pages that were read. A page that has left the memory since is read again when it is needed.
type Seen = HashSet<Key, BuildHasherDefault<KeyHasher>>;

impl Ahead {
    /// Begins to load a log.
    pub fn begin(&mut self, path: PathBuf, sources: Sources) {
        let file = path.clone();
        let mut seen = std::mem::take(&mut self.seen);
        let thread = std::thread::spawn(move || {
            let loaded = LoadedLog::load(&file).map(|log| {
                let mut ready = ReadyLog::new(log, None);
                ready.pages = sources.read(&ready.touched, &mut seen);
                ready
            });
            (seen, loaded)
        });
        self.next = Some((path, thread));
    }

    /// The log in this file, which was loaded ahead if it is the one that was begun.
    ///
    /// # Errors
    /// [`HeaderFault`] when its header cannot be used.
    pub fn take(&mut self, path: &Path) -> Result<ReadyLog, HeaderFault> {
        if let Some((ready, thread)) = self.next.take()
            && ready == path
            && let Ok((seen, loaded)) = thread.join()
        {
            self.seen = seen;
            return loaded;
        }
        LoadedLog::load(path).map(|log| ReadyLog::new(log, None))
    }
}

impl Sources {
    /// Reads pages that were not seen yet, in the order of the file.
    fn read(&self, touched: &[Touched], seen: &mut Seen) -> Vec<ReadPage> {
        if seen.len() > self.remember {
            seen.clear();
        }
        let mut wanted = Vec::new();
        for touched in touched {
            let of_database = self
                .databases
                .iter()
                .find(|(dbid, _)| *dbid == touched.dbid);
            let Some((_, source)) = of_database.filter(|(_, source)| source.has(touched.pgno))
            else {
                continue;
            };
            if wanted.len() < self.most && seen.insert(Key::new(source.slot, touched.pgno)) {
                wanted.push((source, touched.pgno));
            }
        }
        wanted.sort_unstable_by_key(|(source, pgno)| (source.slot, *pgno));
        let mut scratch = CheckScratch::default();
        let read = |(source, pgno): (&PageSource, Pgno)| source.read(pgno, &mut scratch);
        wanted.into_iter().map(read).collect()
    }
}
