//! Where the new file grows, and how it takes the place of the original.
//!
//! At every moment there is the one file or the other under the database's name: the new one is renamed over the old one,
//! which got its other name before, as a second name or, where the file system knows no such, as a copy.

use std::io;
use std::path::{Path, PathBuf};

use super::report::DefragReport;
use super::{DefragOptions, Stage, Stages};
use crate::error::{Error, Result, Trouble};
use crate::format::filekind::FileKind;
use crate::format::flushmap::PAGE;
use crate::jet::JetError;
use crate::ops::identify::identify;
use crate::ops::temp_file::{Space, TempFile, copy_all, folder, same_folder, space, with_ending};
use crate::progress::{Left, Progress};
use crate::storage::Disk;

/// What temporary files are called, but for the number of the process. [cli facts 1.1]
pub(super) const TEMP: (&str, &str) = ("TEMPDFRG", ".EDB");
/// What a database is called that waits beside the place that it is for.
const WAITING: &str = ".TEMPDFRG.EDB";
/// Ending of flush maps.
pub(super) const MAP: &str = "jfm";

/// Names and folders of one defragmentation.
pub(super) struct Place<'p> {
    disk: &'p dyn Disk,
    database: PathBuf,
    /// Where the new file grows.
    temp: PathBuf,
    /// As the user knows it.
    shown: PathBuf,
    backup: Option<PathBuf>,
    keep_temp: bool,
}

impl<'p> Place<'p> {
    /// Works out the names.
    pub fn new(options: &DefragOptions, disk: &'p dyn Disk) -> Result<Self> {
        let database = disk.canonical(&options.path)?;
        let number = std::process::id();
        let own = PathBuf::from(format!("{}{number}{}", TEMP.0, TEMP.1));
        let temp = match &options.temp {
            None => own,
            Some(named) if named.is_dir() => named.join(own),
            Some(named) => named.clone(),
        };
        Ok(Self {
            disk,
            shown: options.path.clone(),
            temp,
            backup: options.backup.clone(),
            keep_temp: options.keep_temp,
            database,
        })
    }

    /// Names that are to be given must be free.
    pub fn refuse_taken(&self) -> Result<()> {
        if self.keep_temp
            && let Some(backup) = &self.backup
        {
            let what = "with /p the original keeps its name, and needs no other";
            return Err(refused(backup, JetError::INVALID_PARAMETER, what));
        }
        let map = self.map_name();
        let named = [&self.temp, &map].into_iter().chain(&self.backup);
        for path in named {
            if self.disk.canonical(path)? == self.database {
                let what = "the name is that of the database itself";
                return Err(refused(path, JetError::INVALID_PARAMETER, what));
            }
            if self.disk.exists(path)? {
                return Err(refused(
                    path,
                    JetError::FILE_ALREADY_EXISTS,
                    "the file exists",
                ));
            }
        }
        Ok(())
    }

    /// Where files are.
    pub const fn disk(&self) -> &'p dyn Disk {
        self.disk
    }

    /// The database itself, whatever links lead to it.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Folders in which an earlier run may have left something.
    pub fn folders(&self) -> [&Path; 2] {
        [folder(&self.temp), folder(&self.database)]
    }

    /// What this run's own files are called.
    pub fn own_names(&self) -> [PathBuf; 2] {
        [self.temp.clone(), self.waiting()]
    }

    /// What a file that waits beside the database is called.
    pub fn waiting(&self) -> PathBuf {
        with_ending(&self.database, WAITING)
    }

    /// Where sorting may spill to.
    pub fn scratch_dir(&self) -> PathBuf {
        folder(&self.temp).to_owned()
    }

    /// What is needed where, and what is free there.
    pub fn space(&self, needed: u64) -> Vec<Space> {
        let target = if self.keep_temp {
            &self.temp
        } else {
            &self.database
        };
        space(&self.temp, target, needed)
    }

    /// Makes the new file, empty.
    pub fn create_temp(&self) -> Result<TempFile<'p>> {
        TempFile::create(self.disk, self.temp.clone(), &self.database)
    }

    /// Makes the new flush map, empty, beside the new file.
    pub fn create_map(&self) -> Result<TempFile<'p>> {
        TempFile::take_over(self.disk, self.map_name(), &self.database)
    }

    /// What the new flush map is called until it has its place.
    fn map_name(&self) -> PathBuf {
        let beside_temp = self.temp.with_extension(MAP);
        let stays = self.keep_temp || self.in_place();
        // The temporary file may be called as the database, but for its ending.
        if stays && beside_temp != self.database.with_extension(MAP) {
            beside_temp
        } else {
            self.waiting().with_extension(MAP)
        }
    }

    /// True when the new file only has to be renamed.
    fn in_place(&self) -> bool {
        same_folder(folder(&self.temp), folder(&self.database))
    }

    /// The new file in the folder where it will stay.
    pub fn beside(&self, temp: TempFile<'p>, progress: &dyn Progress) -> Result<TempFile<'p>> {
        if self.in_place() {
            return Ok(temp);
        }
        temp.moved(self.waiting(), &self.database, progress)
    }

    /// Gives the new file, which is durable, its place, and its flush map the one beside.
    pub fn swap(
        &self,
        temp: TempFile<'p>,
        map: Option<TempFile<'p>>,
        stages: &dyn Stages,
        report: &mut DefragReport,
    ) -> Result<()> {
        let disk = self.disk;
        if let Some(backup) = &self.backup {
            self.name_backup(backup, stages)?;
        }
        stages.stage(&Stage::Moving(self.temp.clone(), self.shown.clone()));
        stages.leaves(Left::Changing { undo: None });
        if let Err(error) = disk.rename(temp.path(), &self.database) {
            // The original has its own name still: it needs no other.
            if let Some(backup) = &self.backup {
                let _ = disk.remove(backup);
            }
            return Err(error);
        }
        temp.keep();
        stages.leaves(Left::Changed { undo: None });
        stages.stage(&Stage::Moved);
        report.backup.clone_from(&self.backup);
        report.new_file = Some(self.shown.clone());
        disk.sync_dir(folder(&self.database))
            .map_err(|error| self.not_durable(&error))?;
        // Without a map the database is whole: the engine makes another.
        if let Some(map) = map
            && let Err(error) = self.put_map(map, stages, report)
        {
            report.map_trouble = Some(error.to_string());
        }
        Ok(())
    }

    fn put_map(
        &self,
        map: TempFile<'p>,
        stages: &dyn Stages,
        report: &mut DefragReport,
    ) -> Result<()> {
        let place = self.database.with_extension(MAP);
        let shown = self.shown.with_extension(MAP);
        if self.disk.exists(&place)? && !self.is_map(&place)? {
            let exists = io::ErrorKind::AlreadyExists.into();
            return Err(Error::io(&place, "take the place of", exists));
        }
        self.name_backup_map(&place);
        self.disk.rename(map.path(), &place)?;
        map.keep();
        stages.stage(&Stage::Moving(self.temp.with_extension(MAP), shown.clone()));
        stages.stage(&Stage::Moved);
        report.flush_map = Some(shown);
        self.disk.sync_dir(folder(&place))
    }

    /// True for a flush map, or what is left of one.
    fn is_map(&self, path: &Path) -> Result<bool> {
        let start = self.disk.open(path)?.read_start(PAGE.bytes());
        let start = start.map_err(|error| Error::io(path, "read", error))?;
        let blank = start.iter().all(|byte| *byte == 0);
        Ok(blank || matches!(identify(&start), FileKind::FlushMap))
    }

    fn not_durable(&self, error: &Error) -> Error {
        let what = format!(
            "the new file has the database's name, but whether that is durable is not known: {error}"
        );
        Trouble::new(error.jet(), what)
            .of(&self.database)
            .advise("see to the disk before the machine is switched off")
            .into()
    }

    /// Gives the original a second name, durably; if that does not go well, it has none.
    fn name_backup(&self, backup: &Path, progress: &dyn Progress) -> Result<()> {
        let disk = self.disk;
        match disk.hard_link(&self.database, backup) {
            Err(Error::Io { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::Unsupported | io::ErrorKind::CrossesDevices
                ) =>
            {
                // Under another name until it is whole.
                let part = with_ending(backup, WAITING);
                progress.leaves(Left::Unfinished { file: &part });
                let copy = TempFile::take_over(disk, part, &self.database)?;
                let from = disk.open(&self.database)?;
                let paths = (self.database.as_path(), copy.path());
                copy_all(from.as_ref(), copy.storage(), paths, progress)?;
                copy.sync()?;
                disk.rename(copy.path(), backup)?;
                copy.keep();
            }
            linked => linked?,
        }
        disk.sync_dir(folder(backup)).inspect_err(|_| {
            let _ = disk.remove(backup);
        })
    }

    /// The flush map of the original goes with it, where there is a name for it.
    fn name_backup_map(&self, map: &Path) {
        let Some(backup) = &self.backup else { return };
        let name = backup.with_extension(MAP);
        if same_folder(folder(map), folder(&name))
            && matches!(self.disk.exists(&name), Ok(false))
            && matches!(self.disk.exists(map), Ok(true))
        {
            // The engine makes another if this does not go well.
            let _ = self.disk.rename(map, &name);
        }
    }
}

fn refused(path: &Path, jet: JetError, what: &str) -> Error {
    Trouble::new(jet, format!("'{}': {what}", path.display()))
        .advise("name another one, or remove it")
        .into()
}
