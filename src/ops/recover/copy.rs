//! Recovery of a copy: the files of the stream and its databases are copied first, the originals stay as they are.

use std::path::{Path, PathBuf};

use super::RecoverOptions;
use super::begin::checkpoint_name;
use crate::error::{Error, Result};
use crate::format::filekind::{FileKind, identify};
use crate::log::names::find_any_case;
use crate::recover::attach::{Places, last_part};
use crate::recover::stream::LogStream;
use crate::storage::{Disk, FileStorage, Storage, files_in, make_dir};

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;

/// Copies everything that the recovery reads into `to`, which must be empty or not there; the options for the copy.
pub fn into(options: &RecoverOptions, to: &Path, disk: &dyn Disk) -> Result<RecoverOptions> {
    make_dir(to)?;
    if !files_in(to).is_empty() {
        let source = std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            "the folder for the copies is not empty",
        );
        return Err(Error::io(to, "copy into", source));
    }
    let stream = LogStream::find(&options.log_dir, &options.base)?;
    for path in stream.from(crate::format::ids::Generation::default()) {
        copy(disk, &path, to)?;
    }
    if let Some(path) = find_any_case(&options.system_dir, &checkpoint_name(&stream)) {
        copy(disk, &path, to)?;
    }
    let places = match &options.places {
        Places::In(path) if path.is_file() => Places::In(copy(disk, path, to)?),
        Places::In(dir) => {
            for path in databases_in(dir)? {
                copy(disk, &path, to)?;
            }
            Places::In(to.to_owned())
        }
        Places::Logged => Places::In(to.to_owned()),
        Places::Moved(moves, _) => {
            let mut copied = Vec::new();
            for (new, old) in moves {
                let file = if new.is_dir() {
                    new.join(last_part(old))
                } else {
                    new.clone()
                };
                copied.push((copy(disk, &file, to)?, old.clone()));
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

fn databases_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in files_in(dir) {
        let file = FileStorage::open(&path)?;
        let start = file
            .read_start(crate::format::dbheader::HeaderCopies::PROBE_BYTES)
            .map_err(|error| Error::io(&path, "read", error))?;
        if matches!(identify(&start), FileKind::Database { .. }) {
            found.push(path);
        }
    }
    Ok(found)
}

fn copy(disk: &dyn Disk, from: &Path, to: &Path) -> Result<PathBuf> {
    let target = to.join(from.file_name().unwrap_or_default());
    let source = disk.open(from)?;
    let dest = disk.create(&target)?;
    let read = |error| Error::io(from, "read", error);
    let write = |error| Error::io(&target, "write", error);
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let have = source.read_at(at, &mut buffer).map_err(read)?;
        if have == 0 {
            break;
        }
        dest.write_at(at, &buffer[..have]).map_err(write)?;
        at += have as u64;
    }
    dest.sync().map_err(write)?;
    Ok(target)
}
