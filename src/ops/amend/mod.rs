//! Changes of rows of a sound database: values of columns, and rows that go. For commands that know what is wrong with
//! what rows mean, where nothing is wrong with the database itself.
//!
//! 1. The file is opened; it must be in Clean Shutdown, and nothing but secondary indexes may be damaged, which are made
//!    anew.
//! 2. It is written anew with the changes ([`crate::repair::rewrite`]), so that long values, their counts and all
//!    indexes follow. If anything would be lost, or a change cannot be made, the database stays as it is.
//! 3. The new file gets the header of a database all of whose pages are new, is made durable, and checked; tables that
//!    are not concerned must hold what they held. Then the caller looks at it.
//! 4. Only then it takes the place of the original, which is put aside (`replace`); an undo file gives it back.

mod report;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::check::{CheckOptions, CheckReport, TableReport};
use crate::db::Database;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::DbHeader;
use crate::format::ids::Objid;
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::ops::new_header::without_past;
use crate::ops::recover::Leftovers;
use crate::ops::repair::NewFile;
use crate::ops::replace::{self, Asked, Endings, Place, Placed};
use crate::ops::temp_file::scratch_in;
use crate::problem::Severity;
use crate::progress::Progress;
use crate::repair::{Amendments, RepairOptions, Rewritten, TableRepair, rewrite};
use crate::salvage::Inventory;
use crate::storage::{Disk, Storage};
use crate::undo::UndoWriter;

use source::Checked;

pub use report::AmendReport;

/// What its files are called.
const ENDINGS: Endings = Endings {
    temp: ".TEMPISINTEG.EDB",
    aside: ".before-isinteg",
};
/// Memory for sorting the entries of indexes.
const SORT_MEMORY: usize = 128 << 20;

/// How a database is amended.
#[derive(Debug, Clone)]
pub struct AmendOptions {
    /// The database.
    pub path: PathBuf,
    /// The temporary file, or a folder for it; `None`: beside the database.
    pub temp: Option<PathBuf>,
    /// Where the undo file goes; `None`: beside the database, named after it.
    pub undo_file: Option<PathBuf>,
    /// Keep the undo file and the original when all is done.
    pub keep_undo: bool,
    /// The command, as the undo file names it.
    pub operation: String,
    /// The time to write.
    pub now: LogTime,
}

impl AmendOptions {
    /// Changes in place, on behalf of this command. The undo file and the original are kept.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, operation: impl Into<String>, now: LogTime) -> Self {
        Self {
            path: path.into(),
            temp: None,
            undo_file: None,
            keep_undo: true,
            operation: operation.into(),
            now,
        }
    }
}

/// Makes the changes; what is written goes to `disk`, but for scratch files. `verify` sees the new file, which is sound, before
/// it takes the place of the original. Where all rows are already as they are to be, nothing is written and `verify` is not
/// asked.
///
/// # Errors
/// -550 when the database was not shut down cleanly, -1206 when it is damaged or something of it would be lost, -1003 when
/// a change cannot be made, the error of `verify`, or what the disk gives. The database is then as it was.
pub fn amend(
    options: &AmendOptions,
    amendments: &Amendments,
    verify: &mut dyn FnMut(&Database) -> Result<()>,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<AmendReport> {
    let (place, left) = places(options, disk)?;
    let (undo_path, taken_back) = left.take_back(disk, progress)?;
    // Made so early because it is locked: who finds it knows that this run is alive.
    let writer = UndoWriter::create(disk, &undo_path, left.operation())?;
    place.clear()?;
    let source = source::open(options, disk, progress)?;
    let mut job = Job {
        options,
        amendments,
        progress,
        report: AmendReport::new(&options.path, &source, taken_back),
        place,
        source,
    };
    job.run(writer, verify)?;
    Ok(job.report)
}

/// Whether a database is one that [`amend`] would change. Nothing is written.
///
/// # Errors
/// -550 when it was not shut down cleanly, -1206 when it is damaged, or what the disk gives.
pub fn may_amend(options: &AmendOptions, disk: &dyn Disk, progress: &dyn Progress) -> Result<()> {
    source::open(options, disk, progress).map(drop)
}

/// Takes back what a run left that was killed, as [`amend`] does at its beginning: whoever looks into the database to find out
/// what is to be changed must do this first. Gives the undo files that were used.
///
/// # Errors
/// What the disk gives; -1032 when another run is at work.
pub fn take_back(
    options: &AmendOptions,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>> {
    let (_, left) = places(options, disk)?;
    left.take_back(disk, progress)
        .map(|(_, taken_back)| taken_back)
}

fn places<'d>(options: &AmendOptions, disk: &'d dyn Disk) -> Result<(Place<'d>, Leftovers)> {
    let asked = Asked {
        path: &options.path,
        temp: options.temp.as_deref(),
        to: None,
        dry_run: false,
        endings: ENDINGS,
    };
    let place = Place::new(&asked, disk)?;
    let left = Leftovers::new(
        options.undo_file.as_deref(),
        vec![place.undo_name()],
        format!("{} {}", options.operation, place.name()),
    );
    Ok((place, left))
}

/// One run.
struct Job<'j> {
    options: &'j AmendOptions,
    amendments: &'j Amendments,
    progress: &'j dyn Progress,
    place: Place<'j>,
    source: Checked,
    report: AmendReport,
}

impl<'j> Job<'j> {
    fn run(
        &mut self,
        writer: UndoWriter<'j>,
        verify: &mut dyn FnMut(&Database) -> Result<()>,
    ) -> Result<()> {
        if self.amendments.is_empty() {
            return Ok(());
        }
        let db = &self.source.db;
        let inventory = Inventory::scan(db, self.source.flush_map.as_ref(), self.progress);
        self.report.space = self.place.space(db, &inventory);
        replace::require_room(
            &self.report.space,
            db.path(),
            "make room, or name another disk for the temporary file",
        )?;
        let temp = self.place.create_temp(self.progress)?;
        let written = self.write(&inventory, temp.storage())?;
        self.require_all(&written)?;
        self.report.note(&written);
        if self.report.rows_changed + self.report.rows_removed == 0 {
            return Ok(());
        }
        let temp = self.place.beside(temp, self.progress)?;
        let disk = self.place.disk();
        // What is checked is in memory still, while the disk takes it.
        let (synced, checked) = rayon::join(|| temp.sync(), || self.check(disk, temp.path()));
        synced?;
        {
            let new = checked?;
            verify(&new)?;
        }
        let Placed {
            new_file,
            original,
            undo_file,
        } = self
            .place
            .put(temp, Some(writer), (self.options.keep_undo, self.progress))?;
        self.report.new_file = Some(NewFile {
            path: new_file,
            last_page: written.rebuilt.last_page,
            bytes: written.rebuilt.bytes,
            nodes: written.rebuilt.nodes,
        });
        self.report.original = original;
        self.report.undo_file = undo_file;
        Ok(())
    }

    fn write(&self, inventory: &Inventory, out: &dyn Storage) -> Result<Rewritten> {
        let db = &self.source.db;
        let header = amended(db.header(), self.options.now);
        let dir = self.place.scratch_dir();
        let scratch = scratch_in(dir);
        let options = RepairOptions {
            trust_damaged_pages: false,
            drop_incomplete: false,
            keep_orphans: false,
            memory: SORT_MEMORY,
            scratch: &scratch,
            amendments: Some(self.amendments),
        };
        let (check, out) = (&self.source.check, (out, Some(&header)));
        rewrite(db, inventory, check, &options, out, self.progress).map_err(|error| {
            Trouble::new(error.jet(), error.to_string())
                .of(db.path())
                .advise("the database was left as it is")
                .into()
        })
    }

    /// Everything that was there must be there still, and every change be made.
    fn require_all(&self, written: &Rewritten) -> Result<()> {
        let losses = &written.losses;
        let path = self.source.db.path();
        for table in &losses.tables {
            if let Some(row) = table.not_amended.listed.first() {
                let what = format!(
                    "row {} of table '{}' (object {}) cannot be changed: {}{}",
                    row.key,
                    table.name,
                    table.objid,
                    row.why,
                    others(table.not_amended.count),
                );
                return Err(Trouble::new(JetError::INVALID_PARAMETER, what)
                    .of(path)
                    .advise("the database was left as it is")
                    .into());
            }
        }
        let what = match losses.catalog_changes.first() {
            Some(change) => Some(format!("the catalog would change: {}", change.what)),
            None => losses.tables.iter().find_map(lost),
        };
        what.map_or(Ok(()), |what| Err(source::damaged(path, &what)))
    }

    /// Checks the new file, and compares what it holds of the tables that are not concerned.
    fn check(&self, disk: &dyn Disk, path: &Path) -> Result<Database> {
        let db = Database::from_storage(disk.open(path)?, path, None)?;
        let options = CheckOptions {
            sums: true,
            ..CheckOptions::default()
        };
        let (check, _) = replace::verify(&db, &options, &|_| false, self.progress)?;
        let concerned: BTreeSet<u32> = self.amendments.tables().map(Objid::get).collect();
        let after = data_sums(&check);
        let others = self.source.check.tables.iter();
        for table in others.filter(|table| !concerned.contains(&table.objid)) {
            let same = after.get(&table.objid).copied() == Some(data_sum(table));
            if !same && !follows_from_catalog(&table.name) {
                return Err(differs(self.source.db.path(), &table.name));
            }
        }
        Ok(db)
    }
}

/// The engine's tables that name roots, which are others now.
fn follows_from_catalog(name: &str) -> bool {
    name.starts_with("MSysObj")
}

/// Both halves of a sum, and how many records are in it.
type Sum = (u64, u64, u64);

/// What the data tree of a table holds.
fn data_sum(table: &TableReport) -> Sum {
    let own = table
        .sums
        .iter()
        .find(|(objid, _)| objid.get() == table.objid);
    // A tree without a node has none.
    own.map_or((0, 0, 0), |(_, sum)| (sum.low, sum.high, sum.count))
}

fn data_sums(check: &CheckReport) -> BTreeMap<u32, Sum> {
    let tables = check.tables.iter();
    tables.map(|table| (table.objid, data_sum(table))).collect()
}

fn differs(path: &Path, table: &str) -> Error {
    let what =
        format!("table '{table}' is not the same in the new file, though it was not changed");
    Trouble::new(JetError::READ_VERIFY_FAILURE, what)
        .of(path)
        .advise("the database was left as it is; a disk or memory may be failing: run it again")
        .into()
}

/// What of a table would be lost, if anything.
fn lost(table: &TableRepair) -> Option<String> {
    if !table.has_losses() {
        return None;
    }
    let name = &table.name;
    if let Some(record) = table.dropped.listed.first() {
        let more = others(table.dropped.count);
        return Some(format!(
            "row {} of table '{name}' would be lost: {}{more}",
            record.key, record.why
        ));
    }
    let lacking = table.indexes.iter().find(|index| !index.missing.is_empty());
    if let Some(index) = lacking {
        let row = index.missing.listed.first();
        let row = row.map_or_else(String::new, |key| format!(" of row {key}"));
        return Some(format!(
            "the entry{row} in index '{}' of table '{name}' would be lost: the sort key of its text is not known{}",
            index.name,
            others(index.missing.count)
        ));
    }
    if let Some(value) = table.lost_values.listed.first() {
        let more = others(table.lost_values.count);
        return Some(format!(
            "a value of column '{}' of row {} of table '{name}' would be lost{more}",
            value.column, value.key
        ));
    }
    Some(format!("rows of table '{name}' would be lost"))
}

/// How many there are beside the one that is named.
fn others(count: u64) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    }
}

/// The header before as the header afterwards: it was no repair, and nothing is known of the new pages yet.
fn amended(before: &DbHeader, now: LogTime) -> DbHeader {
    let mut header = before.clone();
    without_past(&mut header, now);
    if !before.sign_flush_map.is_set() {
        // The engines that it is for have no flush maps.
        header.sign_flush_map = before.sign_flush_map;
        header.sign_header_flush = before.sign_header_flush;
    }
    header
}

/// True for a finding that is more than a note.
fn is_serious(finding: &&crate::problem::Finding) -> bool {
    finding.problem.info().severity > Severity::Note
}
