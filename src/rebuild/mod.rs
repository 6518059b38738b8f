//! A database written anew, compactly, from the trees of another: what repair and defragmentation share.
//!
//! A [`Source`] shows the rows of a catalog and the nodes of each tree in key order; [`Sound`] is the one that reads a
//! sound database. [`write()`] makes a new file of them:
//!
//! * Object ids, long value ids and records stay as they are, so that every reference in a row stays right; only
//!   the root pages in the catalog's rows change.
//! * Catalog and shadow lie where the engine has them. Tables follow one another, templates before the tables derived from
//!   them, else by name; each owns one run of pages: its data, its long values, its secondary indexes, each of which again
//!   owns one run. A run of up to 32 pages is described by the space header alone, a larger one by space trees,
//!   which are its last two pages. No page of a table is free, and none is lost.
//! * Only the catalogs' first extents, whose size is fixed, may have free pages, and the end of the file as many as
//!   [`Options::spare_pages`] asks for.
//!
//! Memory: the catalog once, some pages a tree level, and some buffers of 1 MiB that wait to be written; nothing a row.

mod catalog;
pub mod objids;
mod output;
mod plan;
mod sound;
mod source;
mod tables;

use std::collections::BTreeMap;
use std::io;

use crate::db::catalog::RowFault;
use crate::format::dbheader::DbHeader;
use crate::format::ids::{DbTime, HEADER_PAGES, Objid, PageSize, Pgno};
use crate::format::page::PageFlags;
use crate::jet::JetError;
use crate::progress::{Progress, Task};
use crate::storage::Storage;
use crate::tree::space::{Run, SpacePlan, first_user_page};
use crate::tree::stores::RootOnly;
use crate::tree::{TreeError, TreeSpec, TreeSummary, TreeWriter};

use output::Output;
use plan::{Plan, TablePlan};
use tables::{Clock, Written};

pub use sound::Sound;
pub use source::{Node, Source, SourceError, TreeHead, TreeInfo, TreeKind};

/// First revision whose pages have the new checksum. [format notes 12.1]
const NEW_CHECKSUM_SINCE: u32 = 0xB;

/// What stands in the place of the first header until there is one, behind [`MARK_AT`] zero bytes.
pub const UNFINISHED: &[u8] = b"exutil is writing this database";
/// Where it stands.
pub const MARK_AT: u64 = 512;

/// How the new file is to be made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The header, both copies of which are written; its page size, last database time and last object id are set
    /// here. `None` leaves the file without one, and [marked](UNFINISHED) as such, for the caller to
    /// [write](write_header).
    pub header: Option<DbHeader>,
    /// Every tree gets a database time of its own, all of them above this one.
    pub after: DbTime,
    /// Free pages to leave at the end of the file.
    pub spare_pages: u32,
    /// The flush type of every page that is written, for a flush map; 0 for none.
    pub flush_type: u8,
}

/// What is to become of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is copied.
    Keep,
    /// It is left out.
    Drop,
    /// It is copied with the data that was put into the buffer.
    Replace,
}

/// Decides about every node of every tree but the catalogs: the tree, the node's key and data, and an empty buffer for
/// other data. Nodes of one tree come in key order, the trees of one table one after another: data, long values,
/// indexes.
pub type Filter<'f> = dyn FnMut(&TreeInfo, &[u8], &[u8], &mut Vec<u8>) -> Verdict + 'f;

/// Keeps every node.
pub fn keep_all(_: &TreeInfo, _: &[u8], _: &[u8], _: &mut Vec<u8>) -> Verdict {
    Verdict::Keep
}

/// Numbers of the new database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Its last page.
    pub last_page: Pgno,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// A time above that of every page: the header's.
    pub dbtime: DbTime,
    /// The highest object id.
    pub objid_last: Objid,
    /// Tables, the catalogs among them.
    pub tables: u64,
    /// Nodes written into all trees but those of space.
    pub nodes: u64,
    /// Nodes that the filter left out.
    pub dropped: u64,
    /// Nodes that it changed.
    pub changed: u64,
    /// The new root of every tree, by object id.
    pub roots: BTreeMap<Objid, Pgno>,
    /// Pages up to the last that were not written, because they are free.
    pub unwritten: Vec<Run>,
}

/// Why a database cannot be written anew.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A row of the catalog cannot be understood.
    #[error("catalog row {row}: {fault}")]
    Row {
        /// Its number, from 0.
        row: usize,
        /// What is wrong.
        fault: RowFault,
    },
    /// The catalog lacks what its shadow has, or says something else.
    #[error("the catalog and its shadow do not agree, as far as the shadow can be read: {0} rows")]
    Shadow(u64),
    /// Two trees of one object id.
    #[error("the catalog names object {0} twice")]
    Twice(Objid),
    /// Nodes that do not make a tree: out of order, empty, too large.
    #[error("{tree}: {what}")]
    Tree {
        /// The tree.
        tree: String,
        /// What is wrong.
        what: String,
    },
    /// More pages than a page number can count.
    #[error("too many pages")]
    TooManyPages,
    /// An object has more extents than one page of a space tree holds.
    #[error("object {0} is too fragmented")]
    Fragmented(Objid),
    /// The output failed.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
}

impl RebuildError {
    /// The JET number.
    #[must_use]
    pub fn jet(&self) -> JetError {
        match self {
            Self::Source(error) => error.jet,
            Self::Row { .. } | Self::Twice(_) | Self::Shadow(_) => JetError::CATALOG_CORRUPTED,
            Self::Tree { .. } | Self::Fragmented(_) => JetError::DATABASE_CORRUPTED,
            Self::TooManyPages => JetError::DISK_FULL,
            Self::Io(error) if error.kind() == io::ErrorKind::StorageFull => JetError::DISK_FULL,
            Self::Io(_) => JetError::DISK_IO,
        }
    }

    /// Names the tree.
    fn in_tree(tree: &str, error: TreeError<Self>) -> Self {
        match error {
            TreeError::Store(error) => error,
            other => Self::Tree {
                tree: tree.to_owned(),
                what: other.to_string(),
            },
        }
    }
}

/// Writes the database that `source` shows into `out`, whose content is given up; `out` is not synced.
///
/// # Errors
/// [`RebuildError`]; `out` then holds nothing of use.
pub fn write(
    source: &dyn Source,
    out: &dyn Storage,
    options: &Options,
    filter: &mut Filter<'_>,
    progress: &dyn Progress,
) -> Result<Rebuilt, RebuildError> {
    let size = source.page_size().bytes();
    progress.start(Task::pages("writing", source.pages(), size));
    let result = write_all(source, out, options, filter, progress);
    progress.finish();
    result
}

/// The header with the numbers of the new database.
fn finished_header(
    header: &DbHeader,
    size: PageSize,
    dbtime: DbTime,
    objid_last: Objid,
) -> DbHeader {
    let mut header = header.clone();
    header.page_size = size.header_value();
    header.dbtime = dbtime;
    header.objid_last = objid_last.max(header.objid_last);
    header
}

/// Both copies, which are the same. [format notes 1.1]
fn header_pages(header: &DbHeader, size: PageSize) -> Vec<u8> {
    let mut page = vec![0; size.bytes()];
    header.write_to(&mut page);
    page.repeat(HEADER_PAGES as usize)
}

/// The header that a database written without one is to get: page size, last database time and last object id are those of
/// the new database.
#[must_use]
pub fn header_of(header: &DbHeader, size: PageSize, rebuilt: &Rebuilt) -> DbHeader {
    finished_header(header, size, rebuilt.dbtime, rebuilt.objid_last)
}

/// Writes both copies of a header; only then the file is a database. Whatever of it becomes durable, the file has its
/// [mark](UNFINISHED) or its magic number.
///
/// # Errors
/// What the system says.
pub fn write_header(out: &dyn Storage, header: &DbHeader, size: PageSize) -> io::Result<()> {
    let pages = header_pages(header, size);
    let (first, others) = pages.split_at(MARK_AT as usize);
    out.write_at(0, first)?;
    out.sync()?;
    out.write_at(MARK_AT, others)
}

fn write_all(
    source: &dyn Source,
    out: &dyn Storage,
    options: &Options,
    filter: &mut Filter<'_>,
    progress: &dyn Progress,
) -> Result<Rebuilt, RebuildError> {
    let plan = Plan::read(source)?;
    source.announce(&mut plan.tables.iter().filter_map(TablePlan::announced));
    let form = Form {
        page_size: source.page_size(),
        major: source.update_major(),
        flush_type: options.flush_type,
    };
    out.set_len(0)?;
    out.write_at(MARK_AT, UNFINISHED)?;
    // It must not be lost while pages behind it are there already.
    out.sync()?;
    let first = first_user_page(form.major, form.page_size);
    std::thread::scope(|scope| {
        let job = Job {
            source,
            form,
            file: Output::new(out, form.page_size, first, progress, scope),
            clock: Clock::after(options.after),
            written: Written::default(),
        };
        job.all(plan, options, filter)
    })
}

/// What all pages of the new database have in common.
#[derive(Debug, Clone, Copy)]
struct Form {
    page_size: PageSize,
    major: u32,
    flush_type: u8,
}

impl Form {
    /// The flags of a tree's pages, with the checksum format of the database.
    const fn flags(self, tree: u32) -> PageFlags {
        let checksum = if self.major >= NEW_CHECKSUM_SINCE {
            PageFlags::NEW_CHECKSUM
        } else {
            0
        };
        PageFlags::new(tree | checksum).with_flush_type(self.flush_type)
    }
}

/// One rebuilding under way.
struct Job<'j, 's> {
    source: &'j dyn Source,
    form: Form,
    file: Output<'j, 's>,
    clock: Clock,
    written: Written,
}

impl Job<'_, '_> {
    fn all(
        mut self,
        plan: Plan,
        options: &Options,
        filter: &mut Filter<'_>,
    ) -> Result<Rebuilt, RebuildError> {
        for table in &plan.tables {
            self.table(table, filter)?;
        }
        let tables = plan.tables.len() as u64 + 2;
        let objid_last = plan.objid_last;
        self.catalogs(plan)?;
        let (last_page, bytes) = self.root(options.spare_pages)?;
        let dbtime = self.clock.next();
        if let Some(header) = &options.header {
            // Last of all: a file without one is unfinished.
            let header = finished_header(header, self.form.page_size, dbtime, objid_last);
            let pages = header_pages(&header, self.form.page_size);
            self.file.put_at(0, &pages)?;
        }
        self.file.finish()?;
        Ok(Rebuilt {
            last_page,
            bytes,
            dbtime,
            objid_last,
            tables,
            nodes: self.written.nodes,
            dropped: self.written.dropped,
            changed: self.written.changed,
            roots: self.written.roots,
            unwritten: self.written.unwritten,
        })
    }

    /// The database's own space: all pages, free the last `spare` ones. Returns the last page and the bytes of the file.
    fn root(&mut self, spare: u32) -> Result<(Pgno, u64), RebuildError> {
        let used = self.file.next() - 1;
        let last = used
            .checked_add(spare)
            .filter(|last| *last <= Pgno::MAX.get());
        let last = last.ok_or(RebuildError::TooManyPages)?;
        let space = SpacePlan::database(last, last - used);
        let spec = TreeSpec {
            page_size: self.form.page_size,
            root: space.fdp(),
            objid: Objid::SYSTEM_ROOT,
            flags: self.form.flags(PageFlags::NEW_RECORD_FORMAT),
            dbtime: self.clock.next(),
            root_header: crate::tree::space::SPACE_HEADER,
            density: 100,
        };
        let mut store = RootOnly {
            file: &mut self.file,
            objid: spec.objid,
        };
        let finished = TreeWriter::new(spec)
            .finish(&mut store)
            .map_err(|error| RebuildError::in_tree("root", error))?;
        self.close(spec, &space, None, finished)?;
        let bytes = Pgno::new(last).next().offset(self.form.page_size);
        self.file.end(bytes)?;
        Ok((Pgno::new(last), bytes))
    }

    /// Writes root and space trees of a finished tree, and counts it.
    fn close(
        &mut self,
        spec: TreeSpec,
        space: &SpacePlan,
        auto_increment: Option<u64>,
        finished: crate::tree::FinishedTree,
    ) -> Result<TreeSummary, RebuildError> {
        let summary = finished.summary;
        let non_unique = spec.flags.any(PageFlags::NON_UNIQUE);
        let version_2 = crate::tree::space::has_version_2(self.form.major);
        let header = space.root_header(non_unique, version_2, auto_increment);
        let clock = &mut self.clock;
        crate::tree::stores::close_tree(&mut self.file, spec, space, &header, finished, || {
            clock.next()
        })
        .map_err(|error| RebuildError::in_tree(&format!("object {}", spec.objid), error))?;
        self.written.nodes += summary.nodes;
        self.written.unwritten.extend_from_slice(space.free());
        self.written.roots.insert(spec.objid, spec.root);
        Ok(summary)
    }
}
