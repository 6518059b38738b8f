//! `d`: a database written anew, compactly, which takes the old one's place when it is whole and verified.
//!
//! 1. The file is opened; it must be in Clean Shutdown, and there must be room for the new one (`place`).
//! 2. What is to be kept of it ([`crate::compact`]) is written into a new file, with the header that the engine's own
//!    defragmentation leaves (`header`), and made durable. Where only indexes are damaged they are made anew (`mend`).
//! 3. The new file is checked as `g` checks it, and what every table holds is compared with what was read (`verify`).
//! 4. Only then it takes the name of the original, which keeps another name where that is asked for; the new flush map
//!    follows (`place`, `flush_map`).

mod flush_map;
mod header;
mod leftovers;
mod mend;
mod place;
mod report;
mod verify;

use std::path::PathBuf;
use std::time::SystemTime;

use crate::compact::{Compact, Keeper, Kept};
use crate::db::Database;
use crate::db::catalog::{CATALOG_ROOT, Schema};
use crate::db::flush_map::FlushMap;
use crate::db::space::ObjectSpace;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::{DbTime, PageSize, Pgno};
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::ops::identify::refuse_streaming;
use crate::ops::recover::Leftovers;
use crate::ops::required_logs;
use crate::problem::Finding;
use crate::progress::{Progress, Silent};
use crate::rebuild::{self, RebuildError, Rebuilt};
use crate::storage::{Discard, Disk, Storage};

use super::temp_file::{TempFile, with_ending};
use place::Place;

pub use super::temp_file::Space;
pub use report::DefragReport;

/// Room that is asked for, in percent of the pages in use: pages become as full as the catalog says, not as full as they
/// are. The guides for the original say the same number.
const ROOM_PERCENT: u64 = 110;

/// What a defragmentation is asked to do.
#[derive(Debug, Clone)]
pub struct DefragOptions {
    /// The database.
    pub path: PathBuf,
    /// Take this page size.
    pub page_size: Option<PageSize>,
    /// The temporary file, or a folder for it; `None`: `TEMPDFRG*.EDB` in the current folder.
    pub temp: Option<PathBuf>,
    /// Leave the original as it is, and the new file where it is.
    pub keep_temp: bool,
    /// Another name for the original.
    pub backup: Option<PathBuf>,
    /// Check the new file, and compare what it holds, before it takes the original's place.
    pub verify: bool,
    /// Go on though there seems to be too little room.
    pub ignore_room: bool,
    /// Tell what would come of it, change nothing.
    pub dry_run: bool,
    /// The time to write.
    pub now: LogTime,
}

impl DefragOptions {
    /// A defragmentation whose new file is verified, and takes the place of the original.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, now: LogTime) -> Self {
        Self {
            path: path.into(),
            page_size: None,
            temp: None,
            keep_temp: false,
            backup: None,
            verify: true,
            ignore_room: false,
            dry_run: false,
            now,
        }
    }
}

/// What a defragmentation is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The new file is written.
    Copying,
    /// An index is damaged: the whole database is looked at to make it anew.
    MakingIndexes,
    /// The new file is checked.
    Verifying,
    /// A file is being given its name.
    Moving(PathBuf, PathBuf),
    /// It has it.
    Moved,
}

/// Hears what the defragmentation is at; progress is that of the stage.
pub trait Stages: Progress {
    /// A stage begins.
    fn stage(&self, stage: &Stage);
}

/// Nobody watches.
impl Stages for Silent {
    fn stage(&self, _stage: &Stage) {}
}

/// Defragments a database in the file system.
///
/// # Errors
/// As [`defragment`].
pub fn defragment_file(options: &DefragOptions, stages: &dyn Stages) -> Result<DefragReport> {
    defragment(options, &crate::storage::RealDisk, stages)
}

/// Defragments a database; what is written goes to `disk`, but for scratch files.
///
/// # Errors
/// The engine's number with what is wrong and what can be done; the database is then as it was.
pub fn defragment(
    options: &DefragOptions,
    disk: &dyn Disk,
    stages: &dyn Stages,
) -> Result<DefragReport> {
    let place = Place::new(options, disk)?;
    // A repair that was killed may have left the names of its files in between.
    let undo = vec![with_ending(place.database(), ".undo")];
    let name = place.database().file_name().unwrap_or_default();
    Leftovers::new(None, undo, format!("d {}", name.to_string_lossy()))
        .refuse(disk, "run it again")?;
    let source = Source::open(options, &place)?;
    let found = if options.dry_run {
        leftovers::Found::default()
    } else {
        let found = leftovers::clear(&place, &source.db)?;
        place.refuse_taken()?;
        found
    };
    let job = Job {
        options,
        stages,
        place,
        source,
    };
    let mut report = job.run()?;
    report.removed = found.removed;
    report.left = found.left;
    Ok(report)
}

/// The old database, and how it was when it was opened.
struct Source {
    db: Database,
    before: (u64, Option<SystemTime>),
}

impl Source {
    fn open(options: &DefragOptions, place: &Place<'_>) -> Result<Self> {
        let path = &options.path;
        let io = |error| Error::io(path, "read", error);
        let storage = place.disk().open(place.database())?;
        if !storage.try_lock() {
            return Err(Trouble::new(
                JetError::FILE_ACCESS_DENIED,
                "another command is at work on it",
            )
            .of(path)
            .into());
        }
        let start = storage
            .read_start(crate::format::dbheader::HeaderCopies::PROBE_BYTES)
            .map_err(io)?;
        refuse_streaming(path, &start)?;
        let before = state_of(storage.as_ref()).map_err(io)?;
        let mut db = Database::from_storage(storage, path, options.page_size)?;
        require_clean(&db)?;
        if db.last_page() < CATALOG_ROOT {
            let what = format!("the file ends with page {}: no catalog", db.last_page());
            return Err(Trouble::new(JetError::FILE_IO_BEYOND_EOF, what)
                .of(path)
                .into());
        }
        if let Some(map) = FlushMap::beside(&db) {
            db.heed(map);
        }
        Ok(Self { db, before })
    }

    /// The file must not have changed meanwhile.
    fn require_same(&self, place: &Place<'_>) -> Result<()> {
        let path = self.db.path();
        let read = |error| Error::io(path, "read", error);
        // Through the handle, and what has the name now.
        let named = place.disk().open(place.database())?;
        let [own, named] = [self.db.storage(), named.as_ref()].map(state_of);
        if own.map_err(read)? == self.before && named.map_err(read)? == self.before {
            return Ok(());
        }
        let what = "the file was changed while it was read";
        Err(Trouble::new(JetError::FILE_ACCESS_DENIED, what)
            .of(path)
            .advise("see to it that nothing else has it open, and run it again")
            .into())
    }
}

fn state_of(storage: &dyn Storage) -> std::io::Result<(u64, Option<SystemTime>)> {
    Ok((storage.len()?, storage.modified().ok().flatten()))
}

/// The engine defragments nothing else.
fn require_clean(db: &Database) -> Result<()> {
    let state = db.header().db_state();
    if state == DbState::CleanShutdown {
        return Ok(());
    }
    let what = format!("the database is in the state '{}'", state.words());
    let logs = required_logs::find(db.header(), None, db.path().parent());
    let named = logs.map_or_else(String::new, |logs| {
        let names: Vec<&str> = logs.logs.iter().take(3).map(|log| &*log.name).collect();
        match names.len() {
            0 => String::new(),
            _ => format!(" (it needs {}, ...)", names.join(", ")),
        }
    });
    Err(Trouble::new(JetError::DATABASE_DIRTY_SHUTDOWN, what)
        .of(db.path())
        .advise(format!(
            "recover it first, with its logs: 'exutil r BASE /d'{named}; where the logs are lost, 'exutil p'"
        ))
        .into())
}

/// One defragmentation under way.
struct Job<'j> {
    options: &'j DefragOptions,
    stages: &'j dyn Stages,
    place: Place<'j>,
    source: Source,
}

/// The new database: durable, and verified where that is asked for.
struct New<'j> {
    temp: TempFile<'j>,
    map: Option<TempFile<'j>>,
    written: Written,
}

/// What was written.
struct Written {
    rebuilt: Rebuilt,
    kept: Kept,
    left_behind: Vec<String>,
    renumbered: bool,
    /// Indexes were made anew: only what is named in the sums can be compared.
    indexes_made: bool,
    /// What was wrong with them.
    findings: Vec<Finding>,
    /// Of every page.
    flush_type: u8,
}

impl<'j> Job<'j> {
    fn run(&self) -> Result<DefragReport> {
        let db = &self.source.db;
        let space = self.check_room()?;
        let header = header::defragmented(db.header(), self.options.now);
        let mut report = DefragReport::new(self.options, db, space);
        if self.options.dry_run {
            self.stages.stage(&Stage::Copying);
            let nowhere = Discard::default();
            let written = match self.write(&nowhere) {
                Ok(written) => written,
                Err(error) => {
                    let error = self.trouble(&error);
                    let mended = match is_about_content(&error) {
                        true => mend::rewrite(self, &nowhere)?,
                        false => None,
                    };
                    mended.ok_or(error)?
                }
            };
            report.note(&written);
            return Ok(report);
        }
        let New { temp, map, written } = self.new_file(&header)?;
        report.note(&written);
        report.verified = self.options.verify;
        if self.options.keep_temp {
            report.new_file = Some(temp.path().to_owned());
            report.flush_map = map.as_ref().map(|map| map.path().to_owned());
            temp.keep();
            if let Some(map) = map {
                map.keep();
            }
            return Ok(report);
        }
        self.source.require_same(&self.place)?;
        self.place.swap(temp, map, self.stages, &mut report)?;
        Ok(report)
    }

    /// The new file, durable and verified, in the folder where it will stay.
    fn new_file(&self, header: &DbHeader) -> Result<New<'j>> {
        let error = match self.copied(header) {
            Err(error) if is_about_content(&error) => error,
            other => return other,
        };
        // Nothing but indexes may be wrong.
        let temp = self.place.create_temp()?;
        match mend::rewrite(self, temp.storage())? {
            Some(written) => self.finish(temp, written, header),
            None => Err(error),
        }
    }

    /// The new file with what the old one holds.
    fn copied(&self, header: &DbHeader) -> Result<New<'j>> {
        let temp = self.place.create_temp()?;
        self.stages.stage(&Stage::Copying);
        match self.write(temp.storage()) {
            Ok(written) => self.finish(temp, written, header),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Makes what was written durable, and verifies it.
    fn finish(&self, temp: TempFile<'j>, written: Written, header: &DbHeader) -> Result<New<'j>> {
        let temp = if self.options.keep_temp {
            temp
        } else {
            self.place.beside(temp, self.stages)?
        };
        let size = self.source.db.page_size();
        let header = rebuild::header_of(header, size, &written.rebuilt);
        let map = self.flush_map(&header, &written)?;
        if self.options.verify {
            self.stages.stage(&Stage::Verifying);
            let before = Schema::read(&self.source.db);
            let new = verify::NewFile {
                before: &before,
                disk: self.place.disk(),
                path: temp.path(),
                header: &header,
                size,
                map: map.as_ref().map(TempFile::storage),
            };
            // What is checked is in memory still, while the disk takes it.
            let (synced, verified) = rayon::join(
                || temp.sync(),
                || verify::verify(&new, &written, self.stages),
            );
            synced?;
            verified?;
        } else {
            temp.sync()?;
        }
        rebuild::write_header(temp.storage(), &header, size)
            .map_err(|error| Error::io(temp.path(), "write", error))?;
        temp.sync()?;
        Ok(New { temp, map, written })
    }

    fn write(&self, out: &dyn Storage) -> std::result::Result<Written, RebuildError> {
        let compact = Compact::new(&self.source.db)?;
        let mut keeper = Keeper::new(&compact);
        let mut filter =
            |tree: &_, key: &_, data: &_, changed: &mut _| keeper.judge(tree, key, data, changed);
        let settings = rebuild::Options {
            // It is written when everything else is found to be right.
            header: None,
            after: DbTime::ZERO,
            spare_pages: 0,
            flush_type: flush_map::flush_type(&self.source.db),
        };
        let rebuilt = rebuild::write(&compact, out, &settings, &mut filter, self.stages)?;
        let kept = keeper.finish();
        if let Some((tree, fault)) = &kept.fault {
            return Err(RebuildError::Tree {
                tree: tree.clone(),
                what: format!("a record cannot be read: {fault}"),
            });
        }
        Ok(Written {
            rebuilt,
            kept,
            left_behind: compact.left_behind().to_vec(),
            renumbered: compact.renumbers(),
            indexes_made: false,
            findings: Vec::new(),
            flush_type: settings.flush_type,
        })
    }

    /// The new flush map, durable, beside the new file; none where the database has none.
    fn flush_map(&self, header: &DbHeader, written: &Written) -> Result<Option<TempFile<'j>>> {
        if flush_map::flush_type(&self.source.db) == 0 {
            return Ok(None);
        }
        let temp = self.place.create_map()?;
        flush_map::write(temp.storage(), header, written, self.options.now)
            .map_err(|error| Error::io(temp.path(), "write", error))?;
        temp.sync()?;
        Ok(Some(temp))
    }

    fn trouble(&self, error: &RebuildError) -> Error {
        let trouble = Trouble::new(error.jet(), error.to_string()).of(self.source.db.path());
        match error {
            RebuildError::Source(_)
            | RebuildError::Tree { .. }
            | RebuildError::Row { .. }
            | RebuildError::Shadow(_) => trouble.advise(
                "the database is damaged and was left as it is: 'exutil g' says where, 'exutil p' repairs it",
            ),
            RebuildError::Io(_) if error.jet() == JetError::DISK_FULL => {
                trouble.advise("the database was left as it is; make room, or name another disk with /t")
            }
            _ => trouble,
        }
        .into()
    }

    fn check_room(&self) -> Result<Vec<Space>> {
        let db = &self.source.db;
        let used = pages_in_use(db).saturating_mul(db.page_size().bytes() as u64);
        let needed = used / 100 * ROOM_PERCENT;
        let space = self.place.space(needed);
        let short = space
            .iter()
            .find(|space| space.free.is_some_and(|free| free < space.needed));
        let ignored = self.options.dry_run || self.options.ignore_room;
        let Some(short) = short.filter(|_| !ignored) else {
            return Ok(space);
        };
        let what = format!(
            "'{}' has {} bytes free, the new file may need {}",
            short.folder.display(),
            short.free.unwrap_or_default(),
            short.needed
        );
        Err(Trouble::new(JetError::DISK_FULL, what)
            .of(db.path())
            .advise(
                "make room, or name another disk with /t; '--dry-run' tells the exact size of the new file, \
                 '--ignore-room' goes on all the same",
            )
            .into())
    }
}

/// True when it is the database that does not do, and not a disk.
fn is_about_content(error: &Error) -> bool {
    matches!(error, Error::Recovery(_))
        && !matches!(
            error.jet(),
            JetError::DISK_FULL | JetError::DISK_IO | JetError::CATALOG_CORRUPTED
        )
}

/// Pages that the space trees do not call free, the header's included; what cannot be read of them is taken for in use.
fn pages_in_use(db: &Database) -> u64 {
    let all = u64::from(db.last_page().get());
    let schema = Schema::read(db);
    let mut free = ObjectSpace::read(db, Pgno::new(1)).available_pages();
    for table in schema.tables.values() {
        let trees = [table.root]
            .into_iter()
            .chain(table.long_values.map(|lv| lv.root))
            .chain(table.secondary_indexes().map(|index| index.root));
        free += trees
            .map(|root| ObjectSpace::read(db, root).available_pages())
            .sum::<u64>();
    }
    all.saturating_sub(free) + Pgno::new(1).physical()
}
