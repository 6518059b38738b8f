//! One database of a backup set: what its header, its trailer page or its patch file say of the backup.

use std::path::{Path, PathBuf};

use super::patch;
use super::placement::folder_of;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::{DbHeader, DbState, HeaderCopies};
use crate::format::filekind::{FileKind, identify};
use crate::format::ids::{Generation, PageSize, Pgno};
use crate::format::stamp::{BackupInfo, LogTime};
use crate::format::trailer::Trailer;
use crate::jet::JetError;
use crate::log::names::find_any_case;
use crate::recover::restored::{PatchPages, Prepared};
use crate::storage::{FileStorage, Storage};

use super::logs::SetLogs;

/// How the end of the backup is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndOfBackup {
    /// By a trailer page.
    Trailer,
    /// By a patch file.
    PatchFile,
    /// The header says it: an earlier restore put it there, or the backup was a snapshot.
    Header,
    /// It is not known: the trailer page is damaged, and the user takes the logs of the set for all of them.
    Unknown,
}

/// A database file in a backup set.
#[derive(Debug, Clone)]
pub struct SetDatabase {
    /// The file.
    pub path: PathBuf,
    /// Its header as it is in the file.
    pub header: DbHeader,
    /// Its page size.
    pub size: PageSize,
    /// First and last log that the backup needs.
    pub range: (Generation, Generation),
    /// How its end is known.
    pub end: EndOfBackup,
    /// Its last page.
    pub last: Pgno,
    /// The trailer page.
    pub trailer: Option<Trailer>,
    /// The patch file beside it, even an empty one.
    pub patch_file: Option<PathBuf>,
    /// The pages in it.
    pub patch: Option<PatchPages>,
    /// Where it is to be copied before it is restored.
    pub target: Option<PathBuf>,
}

/// What a file in the folder of a backup is.
#[derive(Debug)]
pub enum Found {
    /// No database.
    Other,
    /// A database in Clean Shutdown: it needs no restore.
    Clean(Box<DbHeader>),
    /// A copy made by a backup.
    Backup(Box<SetDatabase>),
}

/// Looks at a file of the set.
///
/// # Errors
/// -535, -538, -552 for trailer page and patch file, -615 for a database that no backup made, -1206 for one without a
/// sound header; [`Error::Io`].
pub fn look(path: &Path, ignore_trailer: bool) -> Result<Found> {
    let io = |error| Error::io(path, "read", error);
    let file = FileStorage::open(path)?;
    let start = file.read_start(HeaderCopies::PROBE_BYTES).map_err(io)?;
    let is_patch = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("pat"));
    match identify(&start) {
        _ if is_patch => return Ok(Found::Other),
        FileKind::Database { .. } => {}
        FileKind::DamagedDatabase => {
            return Err(Error::NoDatabaseHeader {
                path: path.to_owned(),
            });
        }
        _ => return Ok(Found::Other),
    }
    let copies = HeaderCopies::read(&start, None);
    let header = copies.as_ref().and_then(HeaderCopies::header).cloned();
    let (Some(copies), Some(header)) = (copies, header) else {
        return Err(Error::NoDatabaseHeader {
            path: path.to_owned(),
        });
    };
    let size = copies.page_size;
    let whole = file.len().map_err(io)? / size.bytes() as u64;
    let mut found = SetDatabase {
        path: path.to_owned(),
        size,
        range: (header.backup_full_cur.low, header.backup_full_cur.high),
        end: EndOfBackup::Header,
        last: Pgno::new(u32::try_from(whole.saturating_sub(2)).unwrap_or(u32::MAX)),
        trailer: None,
        patch_file: None,
        patch: None,
        target: None,
        header,
    };
    let snapshot = found.header.backup_snapshot_cur;
    if !snapshot.mark.is_none() {
        found.range = (snapshot.low, snapshot.high);
        return Ok(Found::Backup(Box::new(found)));
    }
    if found.header.backup_full_cur.low.get() == 0 {
        if found.header.db_state() == DbState::CleanShutdown {
            return Ok(Found::Clean(Box::new(found.header)));
        }
        return Err(not_of_a_backup(path).into());
    }
    found.patch_file = patch_beside(path);
    if found.header.is_backup_copy() {
        found.find_end(&file, ignore_trailer)?;
    }
    Ok(Found::Backup(Box::new(found)))
}

fn not_of_a_backup(path: &Path) -> Trouble {
    Trouble::new(
        JetError::RESTORE_OF_NON_BACKUP_DATABASE,
        "the database was not shut down cleanly, and no backup made it",
    )
    .of(path)
    .advise("recover it with 'exutil r'; or name the databases of the backup with --database")
}

fn patch_beside(path: &Path) -> Option<PathBuf> {
    let name = path.with_extension("pat");
    find_any_case(folder_of(path), name.file_name()?.to_str()?)
}

impl SetDatabase {
    /// Reads the trailer page, or else the patch file.
    fn find_end(&mut self, file: &FileStorage, ignore_trailer: bool) -> Result<()> {
        let mut page = vec![0; self.size.bytes()];
        if self.last.get() > 0 {
            file.read_exact_at(self.last.offset(self.size), &mut page)
                .map_err(|error| Error::io(&self.path, "read", error))?;
        }
        let before_it = Pgno::new(self.last.get().saturating_sub(1));
        if let Some(trailer) = Trailer::read(&page).filter(|trailer| trailer.backup.high.get() != 0)
        {
            if !trailer.is_of(&self.header) {
                return Err(Trouble::new(
                    JetError::DATABASE_PATCH_FILE_MISMATCH,
                    "the trailer page is of another backup than the header",
                )
                .of(&self.path)
                .advise("restore the file from the backup again")
                .into());
            }
            self.end = EndOfBackup::Trailer;
            self.range.1 = trailer.backup.high;
            self.trailer = Some(trailer);
            self.last = before_it;
            return Ok(());
        }
        if let Some(read) = self.read_patch()? {
            self.end = EndOfBackup::PatchFile;
            self.range.1 = read.backup.high;
            self.patch = Some(read.pages);
            return Ok(());
        }
        // A page of the database has a number or a time; a trailer page has neither.
        let is_trailer = Trailer::looks_like(&page) && page.iter().any(|byte| *byte != 0);
        // Where there is none the file is cut off, and nobody knows how far.
        if ignore_trailer && is_trailer {
            self.end = EndOfBackup::Unknown;
            self.last = before_it;
            return Ok(());
        }
        let trouble = if is_trailer {
            Trouble::new(
                JetError::BAD_PATCH_PAGE,
                "the trailer page, which says which logs the backup needs, is damaged",
            )
            .advise(
                "restore the file from the backup again; or, if the folder is known to hold every log of the backup, \
                 give --ignore-trailer",
            )
        } else {
            let name = self.path.with_extension("pat");
            Trouble::new(
                JetError::PATCH_FILE_MISSING,
                format!(
                    "the backup has neither a trailer page at the end of the database nor a patch file '{}'",
                    name.display()
                ),
            )
            .advise(
                "the copy of the database may be cut off: restore it from the backup again, and the patch file if \
                 there was one",
            )
        };
        Err(trouble.of(&self.path).into())
    }

    fn read_patch(&self) -> Result<Option<patch::PatchFile>> {
        let Some(path) = &self.patch_file else {
            return Ok(None);
        };
        let Some(read) = patch::read(path, self.size)? else {
            return Ok(None);
        };
        let header = &read.header;
        if header.sign_db != self.header.sign_db
            || header.sign_log != self.header.sign_log
            || read.backup.mark != self.header.backup_full_cur.mark
        {
            return Err(Trouble::new(
                JetError::DATABASE_PATCH_FILE_MISMATCH,
                format!("'{}' is the patch file of another backup", path.display()),
            )
            .of(&self.path)
            .advise("restore database and patch file from one and the same backup")
            .into());
        }
        Ok(Some(read))
    }

    /// Whether the logs of the set are all that this database needs.
    ///
    /// # Errors
    /// -552 when the logs are of another stream, -553 when they end, -554 when they begin too soon.
    pub fn suits(&self, logs: &SetLogs) -> Result<()> {
        if self.header.sign_log != logs.sign_log {
            return Err(Trouble::new(
                JetError::DATABASE_PATCH_FILE_MISMATCH,
                "the database is of another backup than the logs: its log signature is not theirs",
            )
            .of(&self.path)
            .advise("keep the sets of different storage groups in different folders, or name the databases with --database")
            .into());
        }
        let (low, high) = self.range;
        if low < logs.low {
            let before = Generation::new(logs.low.get().saturating_sub(1));
            return Err(self.lacks(logs, low, before, JetError::STARTING_RESTORE_LOG_TOO_HIGH));
        }
        if high > logs.high {
            let first = logs.high.next();
            return Err(self.lacks(logs, first, high, JetError::ENDING_RESTORE_LOG_TOO_LOW));
        }
        Ok(())
    }

    fn lacks(&self, logs: &SetLogs, low: Generation, high: Generation, jet: JetError) -> Error {
        let names = logs.stream.range_name(low, high);
        Trouble::new(
            jet,
            format!("the backup needs the log files {names}, which are not in the set"),
        )
        .of(&self.path)
        .advise("restore the missing log files from the backup")
        .into()
    }

    /// The header with which the restore begins: all logs of the set are required. [engine]
    #[must_use]
    pub fn prepared(&self, high: Generation) -> Prepared {
        let mut header = self.header.clone();
        if self.end != EndOfBackup::Header || header.backup_full_cur.low.get() != 0 {
            header.backup_full_cur = BackupInfo {
                high,
                ..header.backup_full_cur
            };
        }
        if let Some(trailer) = &self.trailer {
            let low = trailer.required_low;
            if low.get() != 0 && low < header.required_low {
                header.required_low = low;
            }
        }
        // When the logs that are added were created the header does not know.
        if high > header.committed_high {
            header.committed_high = high;
            header.committed_high_time = LogTime::default();
        }
        if high > header.required_high {
            header.required_high = high;
            header.required_high_time = LogTime::default();
        }
        header.consistent_low = header.required_low;
        header.pre_redo_consistent_low = Generation::default();
        header.pre_redo_required_low = Generation::default();
        Prepared {
            path: self.path.clone(),
            header,
            last: self.last,
            patch: self.patch.clone(),
        }
    }
}
