//! `p`: repair of a database that no log and no backup can bring back.
//!
//! 1. The file is opened, with a header made from its pages where both copies are lost (`open`), and checked as `g`
//!    checks it. A sound database stays as it is; single bits and one bad header copy are mended in place (`mend`).
//! 2. Otherwise everything that can be kept is written into a new file ([`crate::repair`]), with the header that the
//!    engine's repair leaves (`header`), made durable, and checked in its turn.
//! 3. Only then it takes the place of the original, which is put aside under another name (`replace`); an undo file gives
//!    it back.

mod header;
mod mend;
mod open;
mod report;

use std::path::{Path, PathBuf};

use crate::check::{self, CheckOptions, CheckReport};
use crate::db::Database;
use crate::db::catalog::Schema;
use crate::db::flush_map::FlushMap;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::DbState;
use crate::format::ids::PageSize;
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::ops::recover::Leftovers;
use crate::ops::replace::{self, Asked, Endings, Place, Placed};
use crate::ops::required_logs;
use crate::ops::temp_file::scratch_in;
use crate::problem::{Finding, Problem, Severity};
use crate::progress::{Progress, Silent};
use crate::repair::{RepairOptions, Rewritten, rewrite};
use crate::salvage::{Inventory, misplaced};
use crate::storage::{Discard, Disk, Storage};
use crate::undo::UndoWriter;

use mend::Mended;
use open::Opened;

pub use super::temp_file::Space;
pub use report::{NewFile, Outcome, RepairReport};

/// What its files are called.
const ENDINGS: Endings = Endings {
    temp: ".TEMPREPAIR.EDB",
    aside: ".before-repair",
};
/// Memory for sorting the entries of indexes.
const SORT_MEMORY: usize = 128 << 20;

/// What a repair is asked to do.
#[derive(Debug, Clone)]
pub struct RepairFileOptions {
    /// The database.
    pub path: PathBuf,
    /// Take this page size, and make a header from the pages where both copies are bad.
    pub page_size: Option<PageSize>,
    /// The temporary file, or a folder for it; `None`: beside the database.
    pub temp: Option<PathBuf>,
    /// Write the repaired database here and leave the original as it is.
    pub to: Option<PathBuf>,
    /// Tell what would be done, change nothing.
    pub dry_run: bool,
    /// Take nodes that can be proved sound from pages with a wrong checksum.
    pub trust_damaged_pages: bool,
    /// Drop records that refer to a long value that is lost.
    pub drop_incomplete: bool,
    /// Keep long values that no record refers to, in tables of their own.
    pub keep_orphans: bool,
    /// Where the undo file goes; `None`: beside the database, named after it.
    pub undo_file: Option<PathBuf>,
    /// Keep the undo file and the original when all is done.
    pub keep_undo: bool,
    /// The time to write.
    pub now: LogTime,
}

impl RepairFileOptions {
    /// A repair in place. The undo file and the original are kept.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, now: LogTime) -> Self {
        Self {
            path: path.into(),
            page_size: None,
            temp: None,
            to: None,
            dry_run: false,
            trust_damaged_pages: false,
            drop_incomplete: false,
            keep_orphans: false,
            undo_file: None,
            keep_undo: true,
            now,
        }
    }
}

/// What the repair is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The check of the database as it is.
    Checking {
        /// It was not shut down cleanly.
        dirty: bool,
    },
    /// The catalog is good, its shadow is not.
    RebuildingShadow,
    /// The shadow is good, the catalog is not.
    RebuildingCatalog,
    /// Neither is.
    RebuildingBoth,
    /// Every page is looked at.
    Scanning,
    /// The new file is written.
    Repairing,
    /// The new file is checked.
    Verifying,
}

/// Hears what the repair is at; progress is that of the stage.
pub trait Stages: Progress {
    /// A stage begins.
    fn stage(&self, stage: Stage);

    /// The check found damage: go on? Asked only where something would be changed.
    fn proceed(&self, check: &CheckReport) -> bool;
}

/// Nobody watches, and nobody is asked: what was called for is done.
impl Stages for Silent {
    fn stage(&self, _stage: Stage) {}

    fn proceed(&self, _check: &CheckReport) -> bool {
        true
    }
}

/// Repairs a database in the file system.
///
/// # Errors
/// As [`repair`].
pub fn repair_file(options: &RepairFileOptions, stages: &dyn Stages) -> Result<RepairReport> {
    repair(options, &crate::storage::RealDisk, stages)
}

/// Repairs a database; what is written goes to `disk`, but for scratch files.
///
/// # Errors
/// The engine's number with what is wrong and what can be done; the database is then as it was.
pub fn repair(
    options: &RepairFileOptions,
    disk: &dyn Disk,
    stages: &dyn Stages,
) -> Result<RepairReport> {
    let asked = Asked {
        path: &options.path,
        temp: options.temp.as_deref(),
        to: options.to.as_deref(),
        dry_run: options.dry_run,
        endings: ENDINGS,
    };
    let place = Place::new(&asked, disk)?;
    let left = Leftovers::new(
        options.undo_file.as_deref(),
        vec![place.undo_name()],
        format!("p {}", place.name()),
    );
    let mut writer = None;
    let mut taken_back = Vec::new();
    if options.dry_run || options.to.is_some() {
        left.refuse(disk, "run it again in place and without --dry-run")?;
        if !options.dry_run {
            place.clear()?;
        }
    } else {
        let (undo_path, before) = left.take_back(disk, stages)?;
        taken_back = before;
        // Made so early because it is locked: who finds it knows that this run is alive.
        writer = Some(UndoWriter::create(disk, &undo_path, left.operation())?);
        place.clear()?;
    }
    let opened = open::open(options, disk)?;
    let mut job = Job {
        options,
        stages,
        place,
        report: begin(options, &opened, taken_back),
        opened,
    };
    job.run(writer)?;
    Ok(job.report)
}

/// One repair under way.
struct Job<'j> {
    options: &'j RepairFileOptions,
    stages: &'j dyn Stages,
    place: Place<'j>,
    opened: Opened,
    report: RepairReport,
}

impl<'j> Job<'j> {
    fn run(&mut self, writer: Option<UndoWriter<'j>>) -> Result<()> {
        let db = &self.opened.db;
        let dirty = db.header().db_state() != DbState::CleanShutdown;
        self.stages.stage(Stage::Checking { dirty });
        let flush_map = FlushMap::beside(db);
        self.report.check = check::check(
            db,
            flush_map.as_ref(),
            &CheckOptions::default(),
            self.stages,
        );
        let findings = &mut self.report.check.findings;
        findings.splice(0..0, self.opened.findings.iter().cloned());
        findings.dedup();
        let is_sound = self.report.check.is_sound() && self.opened.made.is_none();
        if is_sound && !dirty {
            let mended = mend::find(&self.opened, &self.report.check);
            // Elsewhere there is nothing to be mended in place.
            if mended.is_nothing() || self.options.to.is_none() {
                return self.mend(&mended, writer);
            }
        }
        self.refuse_directory()?;
        if !self.options.dry_run && !self.stages.proceed(&self.report.check) {
            self.report.outcome = Outcome::Cancelled;
            return Ok(());
        }
        self.tell_catalog();
        self.opened.db.mend_sums();
        let db = &self.opened.db;
        self.stages.stage(Stage::Scanning);
        let mut inventory = Inventory::scan(db, flush_map.as_ref(), self.stages);
        let moved = misplaced(db, &inventory);
        if !moved.is_empty() {
            self.report.pages_found_elsewhere = moved.iter().map(|run| run.pages).sum();
            let db = &mut self.opened.db;
            let relocated = db.relocate(moved);
            relocated.map_err(|error| Error::io(db.path(), "read", error))?;
            inventory = Inventory::scan(db, flush_map.as_ref(), self.stages);
        }
        self.check_space(&inventory)?;
        self.rebuild(&inventory, writer)
    }

    /// Nothing is wrong beyond what can be mended where it stands.
    fn mend(&mut self, mended: &Mended, writer: Option<UndoWriter<'j>>) -> Result<()> {
        self.report.bits_mended = mended.pages.len() as u64;
        self.report.header_mended = mended.header;
        if mended.is_nothing() {
            return Ok(());
        }
        if !self.options.dry_run && !self.stages.proceed(&self.report.check) {
            self.report.outcome = Outcome::Cancelled;
            return Ok(());
        }
        self.report.outcome = Outcome::Mended;
        if let Some(writer) = writer {
            self.report.undo_file = mended.write(
                &self.opened,
                &self.place,
                writer,
                (self.options.keep_undo, self.stages),
            )?;
        }
        Ok(())
    }

    /// The engine repairs no Active Directory. [format notes 13.10] A copy of one can be looked into.
    fn refuse_directory(&self) -> Result<()> {
        let db = &self.opened.db;
        let is_directory = [Schema::read(db), Schema::read_shadow(db)]
            .iter()
            .any(|schema| {
                ["datatable", "hiddentable"]
                    .iter()
                    .all(|name| schema.table(name).is_some())
            });
        if !is_directory || self.options.dry_run || self.options.to.is_some() {
            return Ok(());
        }
        let what =
            "this is the database of an Active Directory, which repair would leave inconsistent";
        Err(Trouble::new(JetError::DATABASE_REPAIR_REFUSED, what)
            .of(db.path())
            .advise(
                "restore it, or demote and promote the server again; 'p --to FILE' repairs a copy, to read what is in it",
            )
            .into())
    }

    /// Tells which copy of the catalog is made from which.
    fn tell_catalog(&self) {
        let serious = |name: &str| {
            self.report.check.findings.iter().any(|finding| {
                finding.problem.info().severity == Severity::Error
                    && finding.place.table.as_deref() == Some(name)
            })
        };
        match (serious("MSysObjects"), serious("MSysObjectsShadow")) {
            (false, false) => {}
            (false, true) => self.stages.stage(Stage::RebuildingShadow),
            (true, false) => self.stages.stage(Stage::RebuildingCatalog),
            (true, true) => self.stages.stage(Stage::RebuildingBoth),
        }
    }

    fn check_space(&mut self, inventory: &Inventory) -> Result<()> {
        let db = &self.opened.db;
        self.report.space = self.place.space(db, inventory);
        if self.options.dry_run {
            return Ok(());
        }
        let advice = "make room; or '--to FILE' on a disk that has it";
        replace::require_room(&self.report.space, db.path(), advice)
    }

    fn rebuild(&mut self, inventory: &Inventory, writer: Option<UndoWriter<'j>>) -> Result<()> {
        let db = &self.opened.db;
        self.stages.stage(Stage::Repairing);
        let header = header::repaired(db.header(), inventory, self.options.now);
        let scratch_dir = self.place.scratch_dir();
        let scratch = scratch_in(scratch_dir);
        let options = RepairOptions {
            trust_damaged_pages: self.options.trust_damaged_pages,
            drop_incomplete: self.options.drop_incomplete,
            keep_orphans: self.options.keep_orphans,
            memory: SORT_MEMORY,
            scratch: &scratch,
            amendments: None,
        };
        let write = |out: &dyn Storage| -> Result<Rewritten> {
            let check = &self.report.check;
            let out = (out, Some(&header));
            rewrite(db, inventory, check, &options, out, self.stages).map_err(|error| {
                Trouble::new(error.jet(), error.to_string())
                    .of(db.path())
                    .into()
            })
        };
        let only_entries = is_only_entries(&self.report.check);
        if self.options.dry_run || only_entries {
            let written = write(&Discard::default())?;
            if only_entries && cannot_do_better(&self.report.check, &written) {
                // As an earlier repair left it.
                self.report.left = serious(&self.report.check.findings);
                return Ok(());
            }
            if self.options.dry_run {
                self.report.losses = Some(written.losses);
                self.report.outcome = Outcome::Repaired;
                return Ok(());
            }
        }
        let Replaced {
            written,
            placed,
            left,
        } = self.replace(&write, writer)?;
        self.report.left = left;
        self.report.new_file = Some(NewFile {
            path: placed.new_file,
            last_page: written.rebuilt.last_page,
            bytes: written.rebuilt.bytes,
            nodes: written.rebuilt.nodes,
        });
        self.report.original = placed.original;
        self.report.undo_file = placed.undo_file;
        self.report.losses = Some(written.losses);
        self.report.outcome = Outcome::Repaired;
        Ok(())
    }

    /// Writes the new file and gives it its place.
    fn replace(
        &self,
        write: &dyn Fn(&dyn Storage) -> Result<Rewritten>,
        writer: Option<UndoWriter<'j>>,
    ) -> Result<Replaced> {
        let temp = self.place.create_temp(self.stages)?;
        let written = write(temp.storage())?;
        let temp = self.place.beside(temp, self.stages)?;
        self.stages.stage(Stage::Verifying);
        let disk = self.place.disk();
        // What is checked is in memory still, while the disk takes it.
        let (synced, left) = rayon::join(
            || temp.sync(),
            || verify((disk, temp.path()), &written, self.stages),
        );
        synced?;
        let left = left?;
        let placed = self
            .place
            .put(temp, writer, (self.options.keep_undo, self.stages))?;
        Ok(Replaced {
            written,
            placed,
            left,
        })
    }
}

/// The new file in its place.
struct Replaced {
    written: Rewritten,
    placed: Placed,
    left: Vec<Finding>,
}

/// Nothing is known yet but what the header says.
fn begin(options: &RepairFileOptions, opened: &Opened, taken_back: Vec<PathBuf>) -> RepairReport {
    let db = &opened.db;
    let dir = options.path.parent().map_or_else(
        || Path::new("."),
        |dir| {
            if dir.as_os_str().is_empty() {
                Path::new(".")
            } else {
                dir
            }
        },
    );
    RepairReport {
        path: options.path.clone(),
        dry_run: options.dry_run,
        outcome: Outcome::Sound,
        state: db.header().db_state(),
        page_size: db.page_size(),
        made_header: opened.made.clone(),
        required_logs: required_logs::find(db.header(), None, Some(dir)),
        check: CheckReport {
            state: db.header().db_state(),
            stages: Vec::new(),
            tables: Vec::new(),
            findings: Vec::new(),
            findings_not_kept: 0,
        },
        bits_mended: 0,
        header_mended: false,
        pages_found_elsewhere: 0,
        losses: None,
        space: Vec::new(),
        new_file: None,
        original: None,
        undo_file: None,
        taken_back,
        left: Vec::new(),
    }
}

/// Findings that are more than notes.
fn serious(findings: &[Finding]) -> Vec<Finding> {
    let serious = findings.iter();
    let serious = serious.filter(|finding| finding.problem.info().severity > Severity::Note);
    serious.cloned().collect()
}

/// Nothing is wrong in a clean database but entries that indexes lack.
fn is_only_entries(check: &CheckReport) -> bool {
    check.state == DbState::CleanShutdown
        && serious(&check.findings)
            .iter()
            .all(|finding| finding.problem == Problem::IndexEntryMissing)
}

/// All entries that are missing would be missing again: their sort keys are not known.
fn cannot_do_better(check: &CheckReport, written: &Rewritten) -> bool {
    let tables = &written.losses.tables;
    let indexes = tables.iter().flat_map(|table| &table.indexes);
    let missing: u64 = indexes.map(|index| index.missing.count).sum();
    missing >= serious(&check.findings).len() as u64
}

/// The new file must be sound. Only an index of which entries are known to be missing may lack them.
fn verify(
    (disk, path): (&dyn Disk, &Path),
    written: &Rewritten,
    stages: &dyn Stages,
) -> Result<Vec<Finding>> {
    let db = Database::from_storage(disk.open(path)?, path, None)?;
    let is_told = |finding: &Finding| {
        let place = &finding.place;
        written.losses.tables.iter().any(|table| {
            place.table.as_deref() == Some(&*table.name)
                && table.indexes.iter().any(|index| {
                    !index.missing.is_empty() && place.index.as_deref() == Some(&*index.name)
                })
        })
    };
    let options = CheckOptions::default();
    let (_, left) = replace::verify(&db, &options, &is_told, stages)?;
    Ok(left)
}
