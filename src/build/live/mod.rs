//! A miniature engine for tests and benchmarks: it works on a database that the builder made, logs what it does
//! as the engine would, and may crash at any moment, so that recovery can be tried without files from outside.
//!
//! It keeps two images of every page, in memory and on disk, and obeys the rules of write-ahead logging: log
//! before page, former contents (UndoInfo) before a page with an uncommitted change, and, where splits and merges
//! are logged without page images, new page before split page. It shares the primitives of `format::page` with
//! recovery, but none of its logic. [log notes chapters 6 to 10]
//!
//! | file | what it does |
//! |---|---|
//! | `rows` | a table, and its rows as keys and records |
//! | `sessions` | transactions, what they must undo, room kept for that |
//! | `nodes` | insert, replace, sums, delete, clean-up |
//! | `split`, `merge` | the shape of a tree |
//! | `space` | pages from and to the space trees |
//! | `lines`, `pages`, `stream` | nodes as values, page images, the log |
//! | `crash` | flushing, and what a crash leaves |
//! | `backup` | copies of the database made while it is written to, with their logs |

mod backup;
mod crash;
mod lines;
mod merge;
mod nodes;
mod pages;
mod path;
mod plan;
mod rows;
mod sessions;
mod space;
mod split;
mod stream;

use std::collections::BTreeMap;

use super::error::BuildError;
use super::logs::{LogFormat, StreamOptions};
use crate::format::dbheader::DbHeader;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::loghdr::{Attachment, Environment};
use crate::format::logrec::{AttachDb, DbId, ProcId, Record, RecordKind};
use crate::format::logwrite::control::init2;
use crate::format::logwrite::{EncodeFault, TooLong};
use crate::format::page::NoRoom;
use crate::format::stamp::{Lgpos, LogTime};
use crate::log::changes::StreamNaming;
use crate::log::writer::WriteFault;

use sessions::{Session, Span};
use stream::Stream;

pub use backup::{BackupForm, BackupSet, IncrementalSet};
pub use crash::CrashState;
pub use nodes::Done;
pub use rows::LiveRows;

/// From this update on, splits and merges hold images of pages. [log notes 6.2]
const IMAGES_SINCE: u32 = 11;
/// From this update on, the conversion of a small tree says which pages are free. [log notes 6.2]
const CONVERT2_SINCE: u32 = 7;
/// The number of the database in the log.
const DBID: DbId = DbId(1);
/// The session of clean-up.
const TASKS: ProcId = ProcId(0x40);
/// The path in the log; the file's name is what recovery looks for.
const LOGGED_PATH: &str = r"E:\db\live.edb";

/// What a live writer is to be like.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Physical format of the log.
    pub format: LogFormat,
    /// Update major and minor of the log: in the old format 6 to 17 and 0.
    pub version: (u32, u32),
    /// Digits of a generation in the names of logs, 5 or 8.
    pub digits: usize,
    /// Sectors or segments of a log file.
    pub file_sectors: u16,
    /// Everything random comes from it.
    pub seed: u64,
}

/// Why the live writer cannot do something. None of it happens on a sound database with room.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The log cannot be written.
    #[error(transparent)]
    Log(#[from] WriteFault),
    /// A record cannot be made.
    #[error(transparent)]
    Encode(#[from] EncodeFault),
    /// A part of a record is too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// A page overflowed.
    #[error(transparent)]
    Page(#[from] NoRoom),
    /// A row cannot be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The database has no free pages left.
    #[error("no free pages left")]
    Full,
    /// Something that must not be.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// A tree of the live writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tree {
    root: Pgno,
    objid: Objid,
}

/// What one table holds: key to data.
pub type Content = BTreeMap<Vec<u8>, Vec<u8>>;

/// The writer; see the module.
pub struct Live {
    options: LiveOptions,
    pages: pages::Pages,
    log: Stream,
    /// The header as the builder wrote it.
    header: DbHeader,
    original: Vec<u8>,
    attached: Lgpos,
    dbtime: u64,
    next_rceid: u32,
    next_trx: u32,
    trees: Vec<Tree>,
    initial: Vec<Content>,
    sessions: BTreeMap<ProcId, Session>,
    spans: Vec<Span>,
    /// The record with which the transaction began that the last page record belongs to.
    acting: std::cell::Cell<usize>,
    /// Number of the record of each commit, and what was committed.
    history: Vec<(usize, Vec<sessions::Effect>)>,
    random: Random,
    /// The backup that is under way.
    backup: Option<backup::Backup>,
}

/// A repeatable stream of numbers (xorshift).
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % limit.max(1) as u64) as usize
    }

    /// True once in `in_all` times.
    fn once_in(&mut self, in_all: usize) -> bool {
        self.below(in_all) == 0
    }
}

impl Live {
    /// Opens a database that the builder made, as its bytes; `roots` are the tables to be written to. Begins a log
    /// and attaches the database.
    ///
    /// # Errors
    /// [`LiveError`] when the bytes are no such database or the log has no room.
    pub fn open(
        file: Vec<u8>,
        roots: &[(Pgno, Objid)],
        options: LiveOptions,
    ) -> Result<Self, LiveError> {
        let header =
            DbHeader::parse(&file).map_err(|_| LiveError::Contradiction("no database header"))?;
        let size = header
            .page_size()
            .ok_or(LiveError::Contradiction("no page size"))?;
        let log = Stream::new(stream_options(&options, &header, size))?;
        let pages = pages::Pages::new(file.clone(), size, header.update_major);
        let mut live = Self {
            random: Random::new(options.seed),
            options,
            pages,
            log,
            original: file,
            attached: Lgpos::default(),
            dbtime: header.dbtime.get(),
            // Old engines count from small numbers, new ones pass the highest number soon. [verified]
            next_rceid: if header.update_major < 20 {
                1
            } else {
                0xFFFF_FFC1
            },
            next_trx: 7,
            trees: roots
                .iter()
                .map(|&(root, objid)| Tree { root, objid })
                .collect(),
            initial: Vec::new(),
            sessions: BTreeMap::new(),
            spans: Vec::new(),
            acting: std::cell::Cell::new(usize::MAX),
            history: Vec::new(),
            backup: None,
            header,
        };
        live.initial = (0..live.trees.len())
            .map(|tree| live.content(tree))
            .collect::<Result<_, _>>()?;
        live.attach()?;
        Ok(live)
    }

    fn attach(&mut self) -> Result<(), LiveError> {
        let init = init2(
            &Environment::small(u32::from(self.options.file_sectors)),
            time(),
        );
        self.log.append_bytes(init, self.dbtime)?;
        let record = Record::AttachDb(AttachDb {
            procid: TASKS,
            dbid: DBID,
            max_pages: 0,
            consistent: self.header.last_consistent,
            sign_db: self.header.sign_db,
            sign_log: self.header.sign_log,
            flags: 0,
            path: LOGGED_PATH.to_owned(),
        });
        let number = self.log.append(&record, self.dbtime)?;
        self.attached = self.log.position(number);
        self.log.attach(vec![Attachment {
            dbid: DBID.0,
            flags: 0,
            dbtime: self.header.dbtime,
            objid_last: self.header.objid_last,
            max_pages: 0,
            attached: self.attached,
            consistent: self.header.last_consistent,
            sign_db: self.header.sign_db,
            path: LOGGED_PATH.to_owned(),
        }]);
        // The header is written as dirty before anything else happens.
        self.log.force(number);
        Ok(())
    }

    /// How many records of each type were logged.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<RecordKind, u64> {
        self.log.counts()
    }

    /// Ends a range (old format) or a segment (new format) of the log here.
    ///
    /// # Errors
    /// [`LiveError::Log`].
    pub fn flush_log(&mut self) -> Result<(), LiveError> {
        self.log.flush(self.dbtime)
    }

    /// True when splits and merges have no page images.
    const fn without_images(&self) -> bool {
        matches!(self.options.format, LogFormat::Ranges { .. })
            && self.options.version.0 < IMAGES_SINCE
    }

    const fn next_dbtime(&mut self) -> DbTime {
        self.dbtime += 1;
        DbTime::new(self.dbtime)
    }

    /// The bytes of a page as it is in memory, its checksum aside; `None` beyond the file.
    #[must_use]
    pub fn page(&self, pgno: Pgno) -> Option<&[u8]> {
        self.pages.view(pgno).ok().map(|page| page.bytes())
    }

    fn tree(&self, tree: usize) -> Result<Tree, LiveError> {
        self.trees
            .get(tree)
            .copied()
            .ok_or(LiveError::Contradiction("no such tree"))
    }

    fn append(&mut self, record: &Record<'_>) -> Result<usize, LiveError> {
        self.log.append(record, self.dbtime)
    }
}

const fn time() -> LogTime {
    LogTime::utc((2026, 3, 4), (5, 6, 7), 8)
}

fn stream_options(options: &LiveOptions, header: &DbHeader, size: PageSize) -> StreamOptions {
    StreamOptions {
        naming: StreamNaming {
            base: "E00".into(),
            extension: "log".into(),
            digits: options.digits,
        },
        format: options.format,
        version: options.version,
        file_sectors: options.file_sectors,
        page_size: size.bytes() as u16,
        sign_log: header.sign_log,
        // The stream goes on behind the generation in which the database was last consistent.
        first: (
            header.last_consistent.generation.next(),
            header.last_consistent_time,
        ),
        created: time(),
        environment: Environment::small(u32::from(options.file_sectors)),
    }
}
