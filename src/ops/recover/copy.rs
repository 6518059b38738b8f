//! Recovery of a copy: the files of the stream and its databases are copied first, the originals stay as they are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::RecoverOptions;
use super::begin::checkpoint_name;
use super::beside::databases_in;
use crate::error::{Error, Result};
use crate::format::ids::Generation;
use crate::format::logrec::{Record, RecordKind};
use crate::log::generation::LoadedLog;
use crate::log::names::find_any_case;
use crate::ops::checkpoint::read_checkpoint;
use crate::progress::{Progress, Task};
use crate::recover::attach::{Places, last_part};
use crate::recover::stream::LogStream;
use crate::storage::{Disk, files_in, make_dir};

/// End of the name of a copy that is not whole yet.
pub const PART: &str = ".exutil-part";
/// Bytes copied at once.
const CHUNK: usize = 1 << 20;

/// Where is written, and who hears of it.
type Watched<'a> = (&'a dyn Disk, &'a dyn Progress);

/// Copies everything that the recovery reads into `to`, which must be empty or not there; the options for the copy.
pub fn into(
    options: &RecoverOptions,
    to: &Path,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<RecoverOptions> {
    let disk = (disk, progress);
    check_target(to)?;
    make_dir(to)?;
    let stream = LogStream::find(&options.log_dir, &options.base)?;
    for path in stream.from(Generation::default()) {
        copy(disk, &path, to, name_of(&path))?;
    }
    if let Some(path) = find_any_case(&options.system_dir, &checkpoint_name(&stream)) {
        copy(disk, &path, to, name_of(&path))?;
    }
    let logged = || logged_paths(options, &stream);
    let places = match &options.places {
        Places::In(path) if path.is_file() => {
            let copied = copy(disk, path, to, name_of(path))?;
            // The others are looked for beside it.
            let dir = path.parent().unwrap_or(Path::new(""));
            for name in logged() {
                let Some(beside) = find_any_case(dir, last_part(&name)) else {
                    continue;
                };
                let target = to.join(name_of(&beside));
                if beside.is_file() && !target.exists() {
                    copy(disk, &beside, to, name_of(&beside))?;
                }
            }
            Places::In(copied)
        }
        Places::In(dir) => {
            for (path, _) in databases_in(dir) {
                copy(disk, &path, to, name_of(&path))?;
            }
            Places::In(to.to_owned())
        }
        Places::Logged => {
            let mut copied = Vec::new();
            copy_logged(disk, logged(), to, &mut copied)?;
            Places::Moved(copied, false)
        }
        Places::Moved(moves, others) => {
            let mut copied: Vec<(PathBuf, String)> = Vec::new();
            for (new, old) in moves {
                let file = if new.is_dir() {
                    new.join(last_part(old))
                } else {
                    new.clone()
                };
                let name = free_name(&copied, to, &name_of(&file).to_string_lossy());
                copied.push((copy(disk, &file, to, name.as_ref())?, old.clone()));
            }
            if *others {
                copy_logged(disk, logged(), to, &mut copied)?;
            }
            Places::Moved(copied, false)
        }
    };
    Ok(RecoverOptions {
        log_dir: to.to_owned(),
        system_dir: to.to_owned(),
        places,
        to: None,
        ..options.clone()
    })
}

/// Refuses a folder that has files.
pub fn check_target(to: &Path) -> Result<()> {
    if files_in(to).is_empty() {
        return Ok(());
    }
    let source = std::io::Error::new(
        std::io::ErrorKind::AlreadyExists,
        "the folder for the copies is not empty",
    );
    Err(Error::io(to, "copy into", source))
}

/// Every path by which the stream calls a database, in the order in which they come. What is wrong with a log the
/// recovery tells.
fn logged_paths(options: &RecoverOptions, stream: &LogStream) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut note = |path: &str| {
        if !found.iter().any(|other| other.eq_ignore_ascii_case(path)) {
            found.push(path.to_owned());
        }
    };
    let checkpoint = find_any_case(&options.system_dir, &checkpoint_name(stream));
    if let Some(report) = checkpoint.and_then(|path| read_checkpoint(&path).ok()) {
        report.attachments.iter().for_each(|at| note(&at.path));
    }
    for path in stream.from(Generation::default()) {
        let Ok(log) = LoadedLog::load(&path) else {
            continue;
        };
        log.head.attachments.iter().for_each(|at| note(&at.path));
        let mut records = log.records();
        while let Ok(Some(placed)) = records.next() {
            let kind = placed.bytes.first().copied().map(RecordKind::new);
            if !matches!(kind, Some(RecordKind::CREATE_DB | RecordKind::ATTACH_DB)) {
                continue;
            }
            match Record::parse(placed.bytes) {
                Ok(Record::CreateDb(create)) => note(&create.path),
                Ok(Record::AttachDb(attach)) => note(&attach.path),
                _ => {}
            }
        }
    }
    found
}

/// Copies the databases that are where the log says, and notes where each of them is then. One that is not there is
/// noted all the same: if the logs hold its creation it is made among the copies.
fn copy_logged(
    disk: Watched<'_>,
    logged: Vec<String>,
    to: &Path,
    copied: &mut Vec<(PathBuf, String)>,
) -> Result<()> {
    for old in logged {
        if copied
            .iter()
            .any(|(_, other)| other.eq_ignore_ascii_case(&old))
        {
            continue;
        }
        let name = free_name(copied, to, last_part(&old));
        let path = Path::new(&old);
        if path.is_file() {
            copy(disk, path, to, name.as_ref())?;
        }
        copied.push((to.join(name), old));
    }
    Ok(())
}

/// `wanted`, or `2-wanted`, ...: databases of one name may come from several folders.
fn free_name(copied: &[(PathBuf, String)], to: &Path, wanted: &str) -> String {
    let is_free = |name: &String| {
        let path = to.join(name);
        !path.exists() && copied.iter().all(|(other, _)| *other != path)
    };
    std::iter::once(wanted.to_owned())
        .chain((2..).map(|number: u32| format!("{number}-{wanted}")))
        .find(is_free)
        .unwrap_or_default()
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

fn copy((disk, progress): Watched<'_>, from: &Path, to: &Path, name: &OsStr) -> Result<PathBuf> {
    let target = to.join(name);
    copy_file(disk, from, &target, progress)?;
    Ok(target)
}

/// Copies a file to a new one, and makes that durable. The copy has its name only when it is whole.
///
/// # Errors
/// [`Error::Io`]; `AlreadyExists` when there is a file of that name.
pub fn copy_file(
    disk: &dyn Disk,
    from: &Path,
    target: &Path,
    progress: &dyn Progress,
) -> Result<()> {
    if disk.exists(target)? {
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(Error::io(target, "create", source));
    }
    let mut part = target.as_os_str().to_owned();
    part.push(PART);
    let part = PathBuf::from(part);
    if disk.exists(&part)? {
        disk.remove(&part)?;
    }
    let copied = fill(disk, from, &part, progress).and_then(|()| disk.rename(&part, target));
    if copied.is_err() {
        // What is left of it helps nobody; that it cannot be removed is not what went wrong.
        let _ = disk.remove(&part);
    }
    copied?;
    let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty());
    disk.sync_dir(dir.unwrap_or(Path::new(".")))
}

fn fill(disk: &dyn Disk, from: &Path, part: &Path, progress: &dyn Progress) -> Result<()> {
    let source = disk.open(from)?;
    let dest = disk.create(part)?;
    let read = |error| Error::io(from, "read", error);
    let write = |error| Error::io(part, "write", error);
    progress.start(Task::bytes("copying", source.len().map_err(read)?).unseen());
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let have = source.read_at(at, &mut buffer).map_err(read)?;
        if have == 0 {
            let synced = dest.sync().map_err(write);
            progress.finish();
            return synced;
        }
        dest.write_at(at, &buffer[..have]).map_err(write)?;
        progress.advance(have as u64);
        at += have as u64;
    }
}
