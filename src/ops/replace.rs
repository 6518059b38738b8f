//! A database that is written anew and replaces the old one, which is put aside: where the new file grows, how it is
//! checked, and how it gets its place. What repairs and amendments share.

use std::io;
use std::path::{Path, PathBuf};

use crate::check::{self, CheckOptions};
use crate::db::Database;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::HeaderCopies;
use crate::format::ids::Pgno;
use crate::jet::JetError;
use crate::ops::committing::commit;
use crate::ops::identify::{FileKind, identify};
use crate::ops::temp_file::{Space, TempFile, UNFINISHED, folder, same_folder, space, with_ending};
use crate::problem::{Finding, Problem, Severity};
use crate::progress::{Left, Progress};
use crate::salvage::{Inventory, PageVerdict};
use crate::storage::Disk;
use crate::undo::UndoWriter;

/// Names for an original that is put aside are numbered up to this.
const NAMES_MOST: u32 = 1000;

/// What the files of a command are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endings {
    /// The new file while it grows.
    pub temp: &'static str,
    /// The original when it is put aside.
    pub aside: &'static str,
}

/// What is to be replaced, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The database.
    pub path: &'a Path,
    /// The temporary file, or a folder for it; `None`: beside the database.
    pub temp: Option<&'a Path>,
    /// The new file goes here, and the original stays as it is.
    pub to: Option<&'a Path>,
    /// Nothing is to be written.
    pub dry_run: bool,
    /// What the files are called.
    pub endings: Endings,
}

/// Names and folders of one run.
pub(super) struct Place<'p> {
    disk: &'p dyn Disk,
    database: PathBuf,
    to: Option<PathBuf>,
    /// Where the new file grows.
    temp: PathBuf,
    /// The user named it.
    temp_is_named: bool,
    endings: Endings,
}

/// Where everything is in the end.
pub(super) struct Placed {
    pub new_file: PathBuf,
    pub original: Option<PathBuf>,
    pub undo_file: Option<PathBuf>,
}

impl<'p> Place<'p> {
    /// Works out the names.
    pub fn new(asked: &Asked<'_>, disk: &'p dyn Disk) -> Result<Self> {
        let database = disk.canonical(asked.path)?;
        let target = asked.to.unwrap_or(&database);
        let ending = asked.endings.temp;
        let beside = with_ending(target, ending);
        let (temp, temp_is_named) = match asked.temp {
            None => (beside, false),
            Some(named) if named.is_dir() => {
                // Databases of one name may be at work at once.
                let whole = xxhash_rust::xxh3::xxh3_64(target.as_os_str().as_encoded_bytes());
                let name = with_ending(target, &format!(".{whole:016x}{ending}"));
                (named.join(name.file_name().unwrap_or_default()), false)
            }
            Some(named) => (named.to_owned(), true),
        };
        let place = Self {
            disk,
            database,
            to: asked.to.map(Path::to_owned),
            temp,
            temp_is_named,
            endings: asked.endings,
        };
        if !asked.dry_run {
            place.refuse_taken()?;
        }
        Ok(place)
    }

    /// Names that the user gave must be free.
    fn refuse_taken(&self) -> Result<()> {
        let named = Some(&self.temp).filter(|_| self.temp_is_named);
        for path in self.to.iter().chain(named) {
            if self.disk.exists(path)? {
                return Err(Error::Copy {
                    path: path.clone(),
                    jet: JetError::FILE_ALREADY_EXISTS,
                    what: "the file exists".to_owned(),
                    advice: Some("name another one, or remove it".to_owned()),
                });
            }
        }
        Ok(())
    }

    /// Where files are.
    pub const fn disk(&self) -> &'p dyn Disk {
        self.disk
    }

    /// Name of the database, for the undo file.
    pub fn name(&self) -> String {
        let name = self.database.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The database itself, whatever links lead to it.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Where the undo file goes by itself.
    pub fn undo_name(&self) -> PathBuf {
        with_ending(&self.database, ".undo")
    }

    /// Removes what a run that was killed left.
    pub fn clear(&self) -> Result<()> {
        if self.temp_is_named || !self.disk.exists(&self.temp)? {
            return Ok(());
        }
        let left = self.disk.open(&self.temp)?;
        let start = left.read_start(HeaderCopies::PROBE_BYTES);
        let start = start.map_err(|error| Error::io(&self.temp, "read", error))?;
        // The headers of an unfinished file are zero.
        let is_ours = matches!(
            identify(&start),
            FileKind::Database { .. } | FileKind::DamagedDatabase
        ) || start.iter().take(UNFINISHED).all(|byte| *byte == 0);
        if !is_ours || !left.try_lock() {
            let what = "the file exists, and is not what an earlier run left, or one is at work";
            return Err(Error::Copy {
                path: self.temp.clone(),
                jet: JetError::FILE_ALREADY_EXISTS,
                what: what.to_owned(),
                advice: Some("remove it, or name another one with /t".to_owned()),
            });
        }
        drop(left);
        self.disk.remove(&self.temp)
    }

    /// Where sorting may spill to.
    pub fn scratch_dir(&self) -> PathBuf {
        folder(&self.temp).to_owned()
    }

    /// What is needed where, and what is free there: the new file has no more pages than the old one has in use.
    pub fn space(&self, db: &Database, inventory: &Inventory) -> Vec<Space> {
        let size = db.page_size().bytes() as u64;
        let used = inventory.count(PageVerdict::Sound) + inventory.count(PageVerdict::Corrected);
        let needed = (used + Pgno::new(32).physical()) * size;
        let target = self.to.as_deref().unwrap_or(&self.database);
        space(&self.temp, target, needed)
    }

    /// Makes the new file, empty.
    pub fn create_temp(&self, progress: &dyn Progress) -> Result<TempFile<'p>> {
        let temp = TempFile::create(self.disk, self.temp.clone(), &self.database)?;
        if self.temp_is_named {
            // What the user named may be the user's: no later run removes it.
            progress.leaves(Left::Unfinished { file: &self.temp });
        }
        Ok(temp)
    }

    /// Gives the new file, which is durable, its place.
    pub fn put(
        &self,
        temp: TempFile<'p>,
        writer: Option<UndoWriter<'p>>,
        (keep, progress): (bool, &dyn Progress),
    ) -> Result<Placed> {
        let target = self.to.as_deref().unwrap_or(&self.database);
        // A run that leaves the original alone has none.
        let Some(mut writer) = writer else {
            return self.put_elsewhere(temp, target, progress);
        };
        let aside = self.aside()?;
        let path = temp.path().to_owned();
        writer.will_put_aside(target, &aside, &path)?;
        let undo_file = commit(writer, keep, progress, |applier| {
            applier.put_aside(target, &aside, &path)
        })?;
        temp.keep();
        Ok(Placed {
            new_file: target.to_owned(),
            original: keep.then_some(aside),
            undo_file,
        })
    }

    fn put_elsewhere(
        &self,
        temp: TempFile<'p>,
        target: &Path,
        progress: &dyn Progress,
    ) -> Result<Placed> {
        // Somebody may have made it meanwhile.
        self.refuse_taken_target(target)?;
        progress.leaves(Left::Changing { undo: None });
        self.disk.rename(temp.path(), target)?;
        progress.leaves(Left::Changed { undo: None });
        self.disk.sync_dir(folder(target))?;
        temp.keep();
        Ok(Placed {
            new_file: target.to_owned(),
            original: None,
            undo_file: None,
        })
    }

    fn refuse_taken_target(&self, target: &Path) -> Result<()> {
        if !self.disk.exists(target)? {
            return Ok(());
        }
        Err(Error::io(
            target,
            "create",
            io::ErrorKind::AlreadyExists.into(),
        ))
    }

    /// The new file in the folder where it will stay, so that it only has to be renamed.
    pub fn beside(&self, temp: TempFile<'p>, progress: &dyn Progress) -> Result<TempFile<'p>> {
        let target = self.to.as_deref().unwrap_or(&self.database);
        if same_folder(folder(temp.path()), folder(target)) {
            return Ok(temp);
        }
        let beside = with_ending(target, self.endings.temp);
        let moved = temp.moved(beside, &self.database, progress)?;
        progress.leaves(Left::Unchanged);
        Ok(moved)
    }

    /// A free name for the original.
    fn aside(&self) -> Result<PathBuf> {
        for number in 1..=NAMES_MOST {
            let ending = match number {
                1 => self.endings.aside.to_owned(),
                _ => format!("{}-{number}", self.endings.aside),
            };
            let path = with_ending(&self.database, &ending);
            if !self.disk.exists(&path)? {
                return Ok(path);
            }
        }
        let exists = io::ErrorKind::AlreadyExists.into();
        Err(Error::io(&self.database, "put aside", exists))
    }
}

/// True when there is room everywhere, as far as the system tells.
///
/// # Errors
/// -1808 with `advice`.
pub(super) fn require_room(space: &[Space], database: &Path, advice: &str) -> Result<()> {
    let short = space
        .iter()
        .find(|space| space.free.is_some_and(|free| free < space.needed));
    let Some(short) = short else { return Ok(()) };
    let what = format!(
        "'{}' has {} bytes free, the new file may need {}",
        short.folder.display(),
        short.free.unwrap_or_default(),
        short.needed
    );
    Err(Trouble::new(JetError::DISK_FULL, what)
        .of(database)
        .advise(advice)
        .into())
}

/// Checks the new file `db`: it must be sound, but for errors that are known. What is found is given back, less notes.
///
/// # Errors
/// -1206 when anything else is wrong.
pub(super) fn verify(
    db: &Database,
    options: &CheckOptions,
    is_known: &dyn Fn(&Finding) -> bool,
    progress: &dyn Progress,
) -> Result<(check::CheckReport, Vec<Finding>)> {
    let mut report = check::check(db, None, options, progress);
    let findings = std::mem::take(&mut report.findings).into_iter();
    let left: Vec<Finding> = findings
        .filter(|finding| finding.problem.info().severity > Severity::Note)
        .collect();
    let wrong = left
        .iter()
        .find(|f| f.problem.info().severity == Severity::Error && !is_known(f));
    match wrong {
        None => Ok((report, left)),
        Some(wrong) => Err(not_sound(db.path(), wrong)),
    }
}

fn not_sound(path: &Path, finding: &Finding) -> Error {
    debug_assert!(finding.problem != Problem::HeaderDirty);
    let info = finding.problem.info();
    let what = format!(
        "the new file would not be sound: {} {} {}",
        info.code, info.text, finding.detail
    );
    Trouble::new(JetError::DATABASE_CORRUPTED, what)
        .of(path)
        .advise("the database was left as it is; 'export' reads what can be read of it")
        .into()
}
