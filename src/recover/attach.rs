//! Whether a database file is the one that a log speaks of. [log notes 9.2]

use std::path::{Path, PathBuf};

use crate::error::{Result, Trouble};
use crate::format::dbheader::{DbHeader, DbState, HeaderCopies};
use crate::format::filekind::{FileKind, identify};
use crate::format::ids::Generation;
use crate::format::stamp::{Lgpos, Signature};
use crate::jet::JetError;
use crate::storage::{FileStorage, Storage};

/// What the log says of a database that is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// Where it was attached.
    pub attached: Lgpos,
    /// Where it had been consistent before.
    pub consistent: Lgpos,
    /// Its identity.
    pub sign_db: Signature,
    /// The log stream that it belonged to before; only the attach record says so.
    pub sign_log_before: Option<Signature>,
}

/// Where the replay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The identity of the log stream.
    pub sign_log: Signature,
    /// The record at hand; none while the replay takes over what was attached when it starts.
    pub at: Option<Lgpos>,
    /// The generation at hand.
    pub generation: Generation,
}

/// Whether a database fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Attach,
    /// Not here; perhaps at a later record.
    Later(Reason),
}

/// Why a database is left alone for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such file.
    Missing,
    /// There is no such file, and the log is too old to hold all of it.
    NotLogged,
    /// The file is no database, or its header is lost.
    NoHeader,
    /// Its pages have another size.
    PageSize,
    /// Its creation had not been finished.
    JustCreated,
    /// It has another identity.
    OtherDatabase,
    /// It belongs to another log stream.
    OtherStream,
    /// It was consistent at a later place of the log.
    Future,
    /// It was attached at a later place of the log.
    AttachedLater,
}

impl Reason {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Missing => "the file is not there",
            Self::NotLogged => {
                "the file is not there, and a log of this age does not hold the first pages of a new database"
            }
            Self::NoHeader => "the file has no sound database header",
            Self::PageSize => "the file has pages of another size than the log's",
            Self::JustCreated => "its creation was not finished",
            Self::OtherDatabase => {
                "the file is another database: its signature is not the one in the log"
            }
            Self::OtherStream => "the file belongs to another log stream",
            Self::Future => "the file is newer than these logs",
            Self::AttachedLater => "the file was attached at a later place of the log",
        }
    }
}

/// Judges the header of a database against what the log says.
///
/// # Errors
/// The engine's: -543, -551, -1206, -1216, -1226, -1935.
pub fn judge(path: &Path, header: &DbHeader, logged: &Logged, standing: &Standing) -> Result<Fit> {
    match header.db_state() {
        DbState::JustCreated => return Ok(Fit::Later(Reason::JustCreated)),
        DbState::IncrementalReseedInProgress => {
            return Err(Trouble::new(
                JetError::DATABASE_INCOMPLETE_INCREMENTAL_RESEED,
                "an incremental reseed of the database was not finished",
            )
            .of(path)
            .advise("its pages are of different times: take another copy of the database")
            .into());
        }
        DbState::RevertInProgress => {
            return Err(Trouble::new(
                JetError::DATABASE_INCOMPLETE_REVERT,
                "a revert of the database was not finished",
            )
            .of(path)
            .advise("its pages are of different times: let the engine finish the revert, or take another copy")
            .into());
        }
        DbState::Illegal | DbState::BeingConverted => {
            return Err(Trouble::new(
                JetError::DATABASE_CORRUPTED,
                format!("the header's state {} means nothing", header.state),
            )
            .of(path)
            .advise("the header is damaged: take another copy of the database, or repair it")
            .into());
        }
        DbState::DirtyShutdown | DbState::CleanShutdown | DbState::DirtyAndPatchedShutdown => {}
    }
    let same_database = header.sign_db == logged.sign_db;
    let (have, want) = (header.last_consistent, logged.consistent);
    let from_other_stream = header.sign_log != standing.sign_log;
    if from_other_stream {
        if logged.sign_log_before != Some(header.sign_log) {
            return Ok(Fit::Later(Reason::OtherStream));
        }
        return match (have == want, same_database) {
            (true, true) => attach_now(path, header, standing),
            (false, true) => Err(out_of_step(path, have, want)),
            (_, false) => Ok(Fit::Later(Reason::OtherDatabase)),
        };
    }
    let other_before = logged
        .sign_log_before
        .is_some_and(|before| before != header.sign_log);
    if have == want || have.is_none() || other_before {
        if !same_database {
            return Ok(Fit::Later(Reason::OtherDatabase));
        }
        return match header.last_attach.cmp(&logged.attached) {
            std::cmp::Ordering::Equal => attach_now(path, header, standing),
            std::cmp::Ordering::Less if logged.sign_log_before.is_some() => {
                attach_now(path, header, standing)
            }
            std::cmp::Ordering::Less => Err(Trouble::new(
                JetError::ATTACHED_DATABASE_MISMATCH,
                "the file is an older copy than the log says was attached",
            )
            .of(path)
            .advise("put the newest copy of the database in its place, or recover without the checkpoint file")
            .into()),
            std::cmp::Ordering::Greater => Ok(Fit::Later(Reason::AttachedLater)),
        };
    }
    if have > want && standing.at.is_none_or(|at| have > at) {
        return Ok(Fit::Later(Reason::Future));
    }
    if same_database {
        Err(out_of_step(path, have, want))
    } else {
        Ok(Fit::Later(Reason::OtherDatabase))
    }
}

fn out_of_step(path: &Path, have: Lgpos, want: Lgpos) -> crate::error::Error {
    let what = format!(
        "the database was last consistent at {have}, but the log says {want}: the two went different ways"
    );
    Trouble::new(JetError::CONSISTENT_TIME_MISMATCH, what)
        .of(path)
        .advise(
            "this file does not belong to these logs: find the logs of its own time, or the copy of the database that \
             these logs were written with",
        )
        .into()
}

fn attach_now(path: &Path, header: &DbHeader, standing: &Standing) -> Result<Fit> {
    let low = header.required_low;
    let patched = header.db_state() == DbState::DirtyAndPatchedShutdown;
    if low.get() != 0 && low < standing.generation && !patched {
        return Err(Trouble::new(
            JetError::REQUIRED_LOG_FILES_MISSING,
            format!(
                "the database needs the logs from generation {low} ({:#X}) on, but the replay begins at generation {} \
                 ({:#X})",
                low.get(),
                standing.generation,
                standing.generation.get()
            ),
        )
        .of(path)
        .advise("bring the missing log files; 'exutil mh --logs' lists their names")
        .into());
    }
    if header.is_backup_copy() {
        return Err(Trouble::new(
            JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE,
            "the file is the copy of an online backup",
        )
        .of(path)
        .advise("bring it back with 'exutil cc'")
        .into());
    }
    Ok(Fit::Attach)
}

/// Where databases are, as against where the log says they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Places {
    /// Where the log says.
    Logged,
    /// All in this folder, or all in this one file.
    In(PathBuf),
    /// Each `(new, old)`; the others where the log says, or (`false`) nowhere.
    Moved(Vec<(PathBuf, String)>, bool),
}

impl Places {
    /// The file that stands for `logged`, a Windows path; `None` when it is to be left out. The last part of a name is
    /// found whatever its case.
    #[must_use]
    pub fn of(&self, logged: &str) -> Option<PathBuf> {
        match self {
            Self::Logged => Some(PathBuf::from(logged)),
            Self::In(path) if path.is_dir() => {
                let name = last_part(logged);
                Some(
                    crate::log::names::find_any_case(path, name).unwrap_or_else(|| path.join(name)),
                )
            }
            Self::In(path) => {
                // Users name the one file that they think of; the stream may hold others beside it.
                let name = last_part(logged);
                let is_named = path
                    .file_name()
                    .is_some_and(|file| file.eq_ignore_ascii_case(name));
                let beside = path
                    .parent()
                    .filter(|_| !is_named)
                    .and_then(|dir| crate::log::names::find_any_case(dir, name));
                Some(beside.unwrap_or_else(|| path.clone()))
            }
            Self::Moved(moves, others) => {
                let moved = moves
                    .iter()
                    .find(|(_, old)| old.eq_ignore_ascii_case(logged));
                match moved {
                    Some((new, _)) if new.is_dir() => Some(new.join(last_part(logged))),
                    Some((new, _)) => Some(new.clone()),
                    None => others.then(|| PathBuf::from(logged)),
                }
            }
        }
    }
}

impl Places {
    /// As [`Places::of`]; where there is no file of that name in the folder given, a database of this identity under
    /// another name stands for it.
    #[must_use]
    pub fn find(&self, logged: &str, sign_db: &Signature) -> Option<PathBuf> {
        let path = self.of(logged)?;
        match self {
            Self::In(dir) if dir.is_dir() && !path.exists() => Some(
                crate::storage::files_in(dir)
                    .into_iter()
                    .find(|file| header_of(file).is_some_and(|header| header.sign_db == *sign_db))
                    .unwrap_or(path),
            ),
            _ => Some(path),
        }
    }
}

/// The header of a database file; `None` for any other file, and where neither copy is sound.
#[must_use]
pub fn header_of(path: &Path) -> Option<DbHeader> {
    let start = FileStorage::open(path)
        .ok()?
        .read_start(HeaderCopies::PROBE_BYTES)
        .ok()?;
    let is_database = matches!(identify(&start), FileKind::Database { .. });
    let copies = HeaderCopies::read(&start, None).filter(|_| is_database)?;
    copies.header().cloned()
}

/// The file's name in a path of Windows or of this system.
#[must_use]
pub fn last_part(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// False for a database that would be made where only the log says: a path of Windows names no place on another
/// system.
#[must_use]
pub fn can_be_made(path: &Path, logged: &str) -> bool {
    cfg!(windows) || path != Path::new(logged) || !logged.contains('\\')
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Fit, Logged, Places, Reason, Standing, judge};
    use crate::format::dbheader::DbHeader;
    use crate::format::ids::Generation;
    use crate::format::stamp::{Lgpos, Signature};

    fn at(generation: u32, isec: u16) -> Lgpos {
        Lgpos::new(Generation::new(generation), isec, 0)
    }

    fn sign(random: u32) -> Signature {
        Signature {
            random,
            ..Signature::default()
        }
    }

    /// The table of log notes 9.2, line by line.
    #[test]
    fn a_file_is_taken_left_or_refused() {
        let mut header = DbHeader::empty();
        header.state = 3;
        header.sign_db = sign(1);
        header.sign_log = sign(2);
        header.last_consistent = at(5, 1);
        header.last_attach = at(3, 1);
        let logged = Logged {
            attached: at(6, 1),
            consistent: at(5, 1),
            sign_db: sign(1),
            sign_log_before: Some(sign(2)),
        };
        let standing = Standing {
            sign_log: sign(2),
            at: Some(at(6, 1)),
            generation: Generation::new(6),
        };
        let check = |header: &DbHeader, logged: &Logged, standing: &Standing| {
            judge(Path::new("x"), header, logged, standing).map_err(|error| error.jet().code())
        };
        assert_eq!(check(&header, &logged, &standing), Ok(Fit::Attach));
        let mut other = header.clone();
        other.sign_db = sign(9);
        assert_eq!(
            check(&other, &logged, &standing),
            Ok(Fit::Later(Reason::OtherDatabase))
        );
        let mut other = header.clone();
        other.sign_log = sign(9);
        assert_eq!(
            check(&other, &logged, &standing),
            Ok(Fit::Later(Reason::OtherStream))
        );
        let mut older = header.clone();
        older.last_consistent = at(4, 1);
        assert_eq!(check(&older, &logged, &standing), Err(-551));
        let mut newer = header.clone();
        newer.last_consistent = at(9, 1);
        assert_eq!(
            check(&newer, &logged, &standing),
            Ok(Fit::Later(Reason::Future))
        );
        let mut needs = header.clone();
        needs.required_low = Generation::new(2);
        assert_eq!(check(&needs, &logged, &standing), Err(-543));
        let from_list = Logged {
            sign_log_before: None,
            ..logged
        };
        assert_eq!(check(&header, &from_list, &standing), Err(-1216));
        for (state, code) in [(6, -1226), (8, -1935), (5, -1206)] {
            let mut odd = header.clone();
            odd.state = state;
            assert_eq!(check(&odd, &logged, &standing), Err(code));
        }
    }

    #[test]
    fn places_are_found_whatever_the_log_says() {
        let logged = r"E:\db\Priv1.EDB";
        assert_eq!(Places::Logged.of(logged), Some(PathBuf::from(logged)));
        let file = Places::In("/nowhere/x.edb".into());
        assert_eq!(file.of(logged), Some(PathBuf::from("/nowhere/x.edb")));
        let moves = vec![("/nowhere/new.edb".into(), r"e:\DB\priv1.edb".to_owned())];
        let moved = Places::Moved(moves.clone(), false);
        assert_eq!(moved.of(logged), Some(PathBuf::from("/nowhere/new.edb")));
        assert_eq!(moved.of("other"), None);
        assert_eq!(
            Places::Moved(moves, true).of("other"),
            Some(PathBuf::from("other"))
        );
    }

    #[cfg(not(windows))]
    #[test]
    fn no_file_is_made_where_only_windows_has_a_place() {
        let logged = r"E:\db\Priv1.EDB";
        assert!(!super::can_be_made(Path::new(logged), logged));
        assert!(super::can_be_made(
            Path::new("/somewhere/Priv1.EDB"),
            logged
        ));
        assert!(super::can_be_made(Path::new("/db/x.edb"), "/db/x.edb"));
    }
}
