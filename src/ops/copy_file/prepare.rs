//! Before the first byte is copied: what is there already, and whether it may be touched.

use std::path::{Path, PathBuf};

use super::CopyOptions;
use super::map::{CopyMap, SourceId};
use super::names::Names;
use super::target::Target;
use crate::error::{Error, Result};
use crate::jet::JetError;
use crate::storage::Disk;

/// Where to begin.
pub enum Begin {
    /// With this part file, of which the map says what is in it.
    Part(Target, CopyMap),
    /// An earlier run had finished all but the last step: the destination has its name.
    Finished(Target, CopyMap),
}

fn refuse(path: &Path, jet: JetError, what: String, advice: &str) -> Error {
    Error::Copy {
        path: path.to_owned(),
        jet,
        what,
        advice: Some(advice.to_owned()),
    }
}

/// The names of the copy's files; none of them may be the source.
///
/// # Errors
/// [`Error::Copy`] when one is; [`Error::Io`] when the folder of the destination is not there.
pub fn names(options: &CopyOptions, disk: &dyn Disk) -> Result<Names> {
    let source = disk.canonical(&options.source)?;
    let names = Names::new(&disk.canonical(&options.dest)?)?;
    for path in names.all() {
        let path: PathBuf = disk.canonical(path)?;
        if path == source {
            return Err(refuse(
                &options.source,
                JetError::FILE_ACCESS_DENIED,
                "source and destination are the same file".into(),
                "name another destination with /d",
            ));
        }
    }
    Ok(names)
}

/// Refuses a destination that exists, unless it may be replaced.
///
/// # Errors
/// [`Error::Copy`].
pub fn check_free(options: &CopyOptions, disk: &dyn Disk, names: &Names) -> Result<()> {
    if options.force || !disk.exists(&names.dest)? {
        return Ok(());
    }
    Err(refuse(
        &options.dest,
        JetError::FILE_ALREADY_EXISTS,
        "the destination exists".into(),
        "name another destination with /d, or use --force to replace it",
    ))
}

/// Looks at what earlier runs left, and makes or opens the part file.
///
/// # Errors
/// [`Error::Io`], [`Error::Copy`].
pub fn begin(
    options: &CopyOptions,
    disk: &dyn Disk,
    names: &Names,
    source: &SourceId,
) -> Result<Begin> {
    let part = disk.exists(&names.part)?;
    let map = disk.exists(&names.map)?;
    if options.resume && map {
        let map = load(disk, names, source)?;
        if part {
            check_free(options, disk, names)?;
            return go_on(disk, names, map);
        }
        if map.complete && disk.exists(&names.dest)? {
            return finished(disk, names, map);
        }
        // The part file never became durable, or is gone: so is what was in it.
    } else if part || map {
        if !options.force || options.resume {
            let left = if part { &names.part } else { &names.map };
            let advice = if map {
                "go on with it by --resume, or start over with --force"
            } else {
                "remove it, or use --force without --resume to replace it"
            };
            let what = "an earlier run has left this file".into();
            return Err(refuse(left, JetError::FILE_ALREADY_EXISTS, what, advice));
        }
        check_free(options, disk, names)?;
        start_over(disk, names)?;
    }
    check_free(options, disk, names)?;
    let mut map = CopyMap::new(source.clone());
    if options.resume {
        // First the map: with it the part file is known as one that may be gone on with.
        map.save(disk, names)?;
    }
    let file = disk.create(&names.part)?;
    let target = Target {
        file,
        path: names.part.clone(),
        fresh: true,
        left_out: 0,
        written: 0,
    };
    Ok(Begin::Part(lock(target)?, map))
}

/// Removes what an earlier run left, the map first: a map without its part file is worth nothing, a part file without
/// its map nothing either, but nobody takes it for another.
fn start_over(disk: &dyn Disk, names: &Names) -> Result<()> {
    if disk.exists(&names.part)? {
        // Another process may be writing to it.
        let file = disk.open_rw(&names.part)?;
        lock(Target {
            file,
            path: names.part.clone(),
            fresh: false,
            left_out: 0,
            written: 0,
        })?;
    }
    for path in [&names.map, &names.part] {
        if disk.exists(path)? {
            disk.remove(path)?;
        }
    }
    Ok(())
}

fn load(disk: &dyn Disk, names: &Names, source: &SourceId) -> Result<CopyMap> {
    let map = CopyMap::load(disk, &names.map)?;
    if map.source.is_same(source) {
        return Ok(map);
    }
    let what = format!(
        "this map is of another source, or the source has changed since: it had {} bytes, now it has {}{}",
        map.source.bytes,
        source.bytes,
        if map.source.bytes == source.bytes {
            ", but was written to"
        } else {
            ""
        }
    );
    let advice = "use --force without --resume to start over";
    let jet = JetError::CONSISTENT_TIME_MISMATCH;
    Err(refuse(&names.map, jet, what, advice))
}

fn go_on(disk: &dyn Disk, names: &Names, map: CopyMap) -> Result<Begin> {
    let target = lock(Target {
        file: disk.open_rw(&names.part)?,
        path: names.part.clone(),
        fresh: false,
        left_out: 0,
        written: 0,
    })?;
    let len = target.file.len();
    let len = len.map_err(|error| Error::io(&names.part, "read", error))?;
    // Where nothing is finished yet, not even the length needs to be durable.
    if len != map.source.bytes && !(map.finished.is_empty() && map.bad.is_empty()) {
        let what = format!(
            "this file has {len} bytes, and its map says {}",
            map.source.bytes
        );
        let advice = "use --force without --resume to start over";
        let jet = JetError::READ_VERIFY_FAILURE;
        return Err(refuse(&names.part, jet, what, advice));
    }
    Ok(Begin::Part(target, map))
}

fn finished(disk: &dyn Disk, names: &Names, map: CopyMap) -> Result<Begin> {
    let file = disk.open(&names.dest)?;
    let len = file.len();
    let len = len.map_err(|error| Error::io(&names.dest, "read", error))?;
    if len != map.source.bytes {
        let what = format!(
            "this file has {len} bytes, and the map of the copy says {}",
            map.source.bytes
        );
        let advice = "use --force without --resume to start over";
        let jet = JetError::FILE_ALREADY_EXISTS;
        return Err(refuse(&names.dest, jet, what, advice));
    }
    let target = Target {
        file,
        path: names.dest.clone(),
        fresh: false,
        left_out: 0,
        written: 0,
    };
    Ok(Begin::Finished(target, map))
}

fn lock(target: Target) -> Result<Target> {
    if target.file.try_lock() {
        return Ok(target);
    }
    Err(refuse(
        &target.path,
        JetError::FILE_ACCESS_DENIED,
        "another run is writing to this file".into(),
        "wait until it has ended",
    ))
}
