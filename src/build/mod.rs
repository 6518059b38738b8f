//! Writes valid databases from nothing: for tests, for benchmarks, and as the base of tools that
//! make a database anew.
//!
//! ```
//! use exutil::build::{Column, DatabaseBuilder, Index, Options, Row, Table, format_of};
//! use exutil::format::{ids::PageSize, schema::Coltyp};
//!
//! # fn main() -> Result<(), exutil::build::BuildError> {
//! let mut table = Table::new("Folders");
//! let id = table.add(Column::fixed("id", Coltyp::Long).not_null());
//! let name = table.add(Column::variable("name", Coltyp::Text));
//! table.primary(Index::new("pk").ascending(id));
//! table.index(Index::new("by_name").ascending(name));
//!
//! let format = format_of(20).expect("a known format");
//! let options = Options::new(PageSize::K4, format, 1);
//! let out = std::io::Cursor::new(Vec::new());
//! let mut builder = DatabaseBuilder::new(out, options)?;
//! let mut rows = builder.table(table)?;
//! rows.row(&Row::new().set(id, 1i32.to_le_bytes()).set(name, "Inbox"))?;
//! rows.finish()?;
//! let (out, summary) = builder.finish()?;
//! assert_eq!(out.get_ref().len() as u64, summary.bytes);
//! # Ok(())
//! # }
//! ```
//!
//! Pages are written as soon as they are full, so a database may be larger than memory; only the
//! entries of one table's secondary indexes are collected until the table is finished.

mod backup;
mod catalog;
mod core;
mod error;
mod file;
mod index;
pub mod live;
pub mod logs;
mod longvalue;
mod objids;
mod old_log;
mod options;
mod schema;
mod table;
mod values;

use std::io::{Seek, Write};

use self::core::Core;
use self::file::DbFile;
use self::table::Secondary;
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::{DbTime, Generation, Objid, Pgno};
use crate::format::stamp::Lgpos;
use crate::tree::space::{self, Run, SpacePlan};
use crate::tree::stores::{PageFile as _, RootOnly};

pub use backup::stamp_backup;
pub use error::BuildError;
pub use options::{Options, format_of};
pub use schema::{CODE_PAGE_ASCII, CODE_PAGE_UNICODE, Column, Index, Row, Table};
pub use table::{TableInfo, TableWriter};

/// File type of a database. [format notes 1.5]
const FILETYPE_DATABASE: u32 = 1;
/// State of a database that needs its logs. [log notes 9.1]
const DIRTY: u32 = 2;
/// Where a clean database was last consistent, when it has logs.
const CONSISTENT: Lgpos = Lgpos::new(Generation::new(2), 8, 0);

/// Numbers of a finished database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Last page.
    pub last_page: Pgno,
    /// Length of the file.
    pub bytes: u64,
}

/// Builds one database; see the module.
pub struct DatabaseBuilder<W> {
    core: Core<W>,
    options: Options,
    /// First page of `MSysObjids`, where the format has it.
    objids: Option<Run>,
}

impl<W: Write + Seek> DatabaseBuilder<W> {
    /// Begins a database at the start of `out`, which should be empty.
    ///
    /// # Errors
    /// [`BuildError::Format`] when page size and format do not go together.
    pub fn new(out: W, options: Options) -> Result<Self, BuildError> {
        if let Some(fault) = options.fault() {
            return Err(BuildError::Format(fault));
        }
        let first = space::first_user_page(options.format.major, options.page_size);
        let mut file = DbFile::new(out, options.page_size, first);
        let objids = if options.format.major >= objids::SINCE {
            Some(file.take(1)?)
        } else {
            None
        };
        let core = Core {
            file,
            page_size: options.page_size,
            format: options.format,
            lid64: options.lid64,
            // The first times are those of the root. [verified: page 1 has 6 everywhere]
            clock: 0x10,
            objid_last: catalog::last_system_objid(options.format.major),
            catalog: Vec::new(),
        };
        Ok(Self {
            core,
            options,
            objids,
        })
    }

    /// Begins a table; [`TableWriter::finish`] ends it.
    ///
    /// # Errors
    /// [`BuildError::NoColumn`] when a column's description contradicts itself or an index names a
    /// column that is not there.
    pub fn table(&mut self, mut table: Table) -> Result<TableWriter<'_, W>, BuildError> {
        catalog::check_table(&table)?;
        catalog::fit_limits(&mut table, self.core.page_size, self.core.format.major);
        values::fill_defaults(&mut table);
        let objid = self.core.next_objid();
        let extent = self.core.file.take(table.pages.max(1))?;
        let space = SpacePlan::new(extent, Pgno::new(1));
        let mut indexes = Vec::new();
        for index in &table.indexes {
            let objid = self.core.next_objid();
            indexes.push(Secondary::new(&table, index.clone(), objid, None));
        }
        Ok(TableWriter::new(
            &mut self.core,
            table,
            objid,
            space,
            indexes,
        ))
    }

    /// A whole table with its rows.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn add_table(
        &mut self,
        table: Table,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<TableInfo, BuildError> {
        let mut writer = self.table(table)?;
        for row in rows {
            writer.row(&row)?;
        }
        writer.finish()
    }

    /// Length of the file up to now, without the catalog that is still to come.
    pub const fn bytes_so_far(&self) -> u64 {
        Pgno::new(self.core.file.next()).offset(self.options.page_size)
    }

    /// Writes catalog, root space and headers.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn finish(mut self) -> Result<(W, Summary), BuildError> {
        if let Some(first) = self.objids {
            objids::write(&mut self.core, first)?;
        }
        catalog::write(&mut self.core)?;
        let used = self.core.file.next() - 1;
        let last = (used + self.options.spare_pages).max(self.options.least_pages);
        let last_page = Pgno::new(last);
        let bytes = last_page.next().offset(self.options.page_size);
        if last > Pgno::MAX.get() {
            return Err(BuildError::TooManyPages);
        }
        self.core.file.extend_to(bytes)?;
        let space = SpacePlan::database(last, last - used);
        let flags = self.core.flags(0);
        let root = self.core.tree(space.fdp(), Objid::SYSTEM_ROOT, flags, 100);
        let mut store = RootOnly {
            file: &mut self.core.file,
            objid: Objid::SYSTEM_ROOT,
        };
        let finished = root
            .finish(&mut store)
            .map_err(|error| BuildError::in_tree("root", error))?;
        self.core
            .close(&space, Objid::SYSTEM_ROOT, flags, finished)?;
        self.write_headers()?;
        let out = self.core.file.into_inner()?;
        Ok((out, Summary { last_page, bytes }))
    }

    /// Both copies are the same. [format notes 1.1]
    fn write_headers(&mut self) -> Result<(), BuildError> {
        let mut page = vec![0; self.options.page_size.bytes()];
        self.header().write_to(&mut page);
        self.core.file.put_at(0, &page)?;
        self.core.file.put_at(page.len() as u64, &page)
    }

    fn header(&self) -> DbHeader {
        let options = &self.options;
        let mut header = DbHeader::empty();
        header.dbtime = DbTime::new(self.core.clock + 1);
        header.sign_db = options.sign_db;
        header.sign_log = options.sign_log;
        header.dbid = 1;
        header.objid_last = Objid::new(self.core.objid_last);
        header.os_version = options::os_version(options.format.major);
        header.update_major = options.format.major;
        header.update_minor = options.format.minor;
        header.attached_by = options.format.engine;
        header.page_size = options.page_size.header_value();
        header.create_version = header.version;
        header.create_update = options.format.major;
        header.filetype = FILETYPE_DATABASE;
        header.last_attach_time = options.time;
        header.last_attach = Lgpos::new(Generation::new(1), 8, 0);
        header.state = match options.state {
            DbState::JustCreated => 1,
            DbState::DirtyShutdown => 2,
            DbState::CleanShutdown | DbState::Illegal => 3,
            DbState::BeingConverted => 4,
            DbState::IncrementalReseedInProgress => 6,
            DbState::DirtyAndPatchedShutdown => 7,
            DbState::RevertInProgress => 8,
        };
        if options.state == DbState::CleanShutdown {
            header.last_consistent = CONSISTENT;
            header.last_consistent_time = options.time;
            header.last_detach = CONSISTENT;
            header.last_detach_time = options.time;
        } else {
            (header.required_low, header.required_high) = options.required;
            header.committed_high = header.required_high;
            header.consistent_low = header.required_low;
            header.committed_high_time = options.time;
        }
        header
    }
}
