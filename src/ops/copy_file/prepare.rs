//! Before the first byte is copied: what is there already, and whether it may be touched.

use std::path::{Path, PathBuf};

use super::CopyOptions;
use super::map::{CopyMap, Likeness, SourceId};
use super::names::Names;
use super::samples::{Sampled, compare};
use super::target::Target;
use crate::error::{Error, Result};
use crate::jet::JetError;
use crate::storage::{Disk, Storage};

/// Attempts to have the part file alone; more only fail when runs come and go all the time.
const ATTEMPTS: usize = 5;
const START_OVER: &str = "use --force without --resume to start over";

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
/// [`Error::Copy`] when one is, or when the destination is written as a folder; [`Error::Io`] when the folder of the
/// destination is not there.
pub fn names(options: &CopyOptions, disk: &dyn Disk) -> Result<Names> {
    if Names::is_folder(&options.dest) {
        let (jet, what) = match disk.exists(&options.dest) {
            Ok(true) => (
                JetError::FILE_ACCESS_DENIED,
                "this is a folder, and no name of a file",
            ),
            _ => (JetError::FILE_NOT_FOUND, "there is no such folder"),
        };
        let advice = "make the folder, or name a file with /d";
        return Err(refuse(&options.dest, jet, what.into(), advice));
    }
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
    source: (&SourceId, &dyn Storage),
) -> Result<Begin> {
    let earlier = Earlier {
        options,
        disk,
        names,
        id: source.0,
        source: source.1,
    };
    if options.resume {
        earlier.go_on()
    } else {
        earlier.begin_anew()
    }
}

/// What earlier runs left, and maybe a run that is under way.
struct Earlier<'a> {
    options: &'a CopyOptions,
    disk: &'a dyn Disk,
    names: &'a Names,
    id: &'a SourceId,
    source: &'a dyn Storage,
}

impl Earlier<'_> {
    /// Without a map.
    fn begin_anew(&self) -> Result<Begin> {
        let (disk, names) = (self.disk, self.names);
        let part = disk.exists(&names.part)?;
        let map = match Likeness::of(disk, &names.map)? {
            Likeness::Missing => false,
            Likeness::Map => true,
            Likeness::Begun | Likeness::Foreign => return Err(Likeness::refuse(&names.map)),
        };
        if part || map {
            if !self.options.force {
                let left = if part { &names.part } else { &names.map };
                let advice = if map {
                    "go on with it by --resume, or start over with --force"
                } else {
                    "remove it, or use --force without --resume to replace it"
                };
                return Err(left_by_a_run(left, advice));
            }
            self.start_over()?;
        }
        check_free(self.options, disk, names)?;
        let target = Target::new(disk.create(&names.part)?, names.part.clone(), true);
        Ok(Begin::Part(lock(target)?, CopyMap::new(self.id.clone())))
    }

    /// Removes what an earlier run left, the map first: a map without its part file is worth nothing, a part file without
    /// its map nothing either, but nobody takes it for another.
    fn start_over(&self) -> Result<()> {
        let (disk, names) = (self.disk, self.names);
        let mut held = None;
        if disk.exists(&names.part)? {
            // Another process may be writing to it.
            let file = disk.open_rw(&names.part)?;
            held = Some(lock(Target::new(file, names.part.clone(), false))?);
        }
        for path in [&names.map, &names.new_map] {
            if Likeness::of(disk, path)? == Likeness::Map {
                disk.remove(path)?;
            }
        }
        if held.is_some() {
            disk.remove(&names.part)?;
        }
        Ok(())
    }

    /// With a map: first the part file is taken, then the map written, so that of two runs only one writes anything.
    fn go_on(&self) -> Result<Begin> {
        let (disk, names) = (self.disk, self.names);
        if let Some(map) = self.map()?
            && map.complete
            && !disk.exists(&names.part)?
            && disk.exists(&names.dest)?
            && let Some(target) = self.finished(&map)?
        {
            return Ok(Begin::Finished(target, map));
        }
        if Likeness::of(disk, &names.new_map)? == Likeness::Foreign {
            return Err(Likeness::refuse(&names.new_map));
        }
        check_free(self.options, disk, names)?;
        let (target, made) = self.take()?;
        match self.map_of(&target) {
            Ok(map) => Ok(Begin::Part(target, map)),
            Err(error) => {
                if made {
                    let _ = disk.remove(&names.part);
                }
                Err(error)
            }
        }
    }

    /// The map that is there, of this source as far as that can be told without reading it.
    fn map(&self) -> Result<Option<CopyMap>> {
        let path = &self.names.map;
        let map = match CopyMap::load(self.disk, path) {
            Ok(map) => map,
            Err(error) if error.jet() == JetError::FILE_NOT_FOUND && !self.disk.exists(path)? => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if map.source.is_same(self.id) {
            return Ok(Some(map));
        }
        let (then, now) = (map.source.bytes, self.id.bytes);
        let written = if then == now {
            ", but was written to"
        } else {
            ""
        };
        Err(self.other_source(&format!("it had {then} bytes, now it has {now}{written}")))
    }

    fn other_source(&self, why: &str) -> Error {
        let what = format!("this map is of another source, or the source has changed since: {why}");
        let jet = JetError::CONSISTENT_TIME_MISMATCH;
        refuse(&self.names.map, jet, what, START_OVER)
    }

    /// Makes or opens the part file, for this run alone. True when it made it.
    fn take(&self) -> Result<(Target, bool)> {
        let (disk, path) = (self.disk, &self.names.part);
        for _ in 0..ATTEMPTS {
            let (file, made) = match disk.create(path) {
                Ok(file) => (file, true),
                Err(error) if error.jet() == JetError::FILE_ALREADY_EXISTS => {
                    match disk.open_rw(path) {
                        Ok(file) => (file, false),
                        Err(_) if !disk.exists(path)? => continue,
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            };
            let mut target = lock(Target::new(file, path.clone(), made))?;
            // The run that had it may meanwhile have given it its final name, or removed it.
            if disk.exists(path)? {
                target.fresh = target.bytes()? == 0;
                return Ok((target, made));
            }
        }
        Err(busy(path))
    }

    /// The map of the part file that is taken.
    fn map_of(&self, target: &Target) -> Result<CopyMap> {
        let (disk, names) = (self.disk, self.names);
        check_free(self.options, disk, names)?;
        let len = target.bytes()?;
        let Some(map) = self.map()? else {
            if len > 0 {
                let advice = "remove it, or use --force without --resume to replace it";
                return Err(left_by_a_run(&names.part, advice));
            }
            return self.new_map();
        };
        if len == 0 && map.source.bytes > 0 {
            // The part file never became durable, or is gone: so is what was in it.
            return self.new_map();
        }
        // Where nothing is finished yet, not even the length needs to be durable.
        if map.finished.is_empty() && map.bad.is_empty() {
            return Ok(map);
        }
        if len != map.source.bytes {
            let expected = map.source.bytes;
            let what = format!("this file has {len} bytes, and its map says {expected}");
            let jet = JetError::READ_VERIFY_FAILURE;
            return Err(refuse(&names.part, jet, what, START_OVER));
        }
        match compare(self.source, target, &map.finished)? {
            Sampled::Same | Sampled::Unknown => Ok(map),
            Sampled::Differs(at) => Err(self.other_source(&format!(
                "at byte {at} it holds something else than was copied"
            ))),
        }
    }

    /// A map in which nothing is finished. It is there before anything is in the part file, which without it is known as
    /// ours only while it is empty.
    fn new_map(&self) -> Result<CopyMap> {
        let mut map = CopyMap::new(self.id.clone());
        map.save(self.disk, self.names)?;
        Ok(map)
    }

    /// The destination, if it is the copy that the map tells of, and not what was there before.
    fn finished(&self, map: &CopyMap) -> Result<Option<Target>> {
        let path = &self.names.dest;
        let target = lock(Target::new(self.disk.open(path)?, path.clone(), false))?;
        if target.bytes()? != map.source.bytes {
            return Ok(None);
        }
        match compare(self.source, &target, &map.finished)? {
            Sampled::Same => Ok(Some(target)),
            Sampled::Differs(_) => Ok(None),
            Sampled::Unknown => {
                let what = "an earlier run may have finished this copy, but too much of the source cannot be read any more to tell";
                let advice = format!(
                    "if this is the copy, remove '{}', else {START_OVER}",
                    self.names.map.display()
                );
                Err(refuse(path, JetError::DISK_IO, what.into(), &advice))
            }
        }
    }
}

fn left_by_a_run(path: &Path, advice: &str) -> Error {
    let what = "an earlier run has left this file".into();
    refuse(path, JetError::FILE_ALREADY_EXISTS, what, advice)
}

fn busy(path: &Path) -> Error {
    refuse(
        path,
        JetError::FILE_ACCESS_DENIED,
        "another run is writing to this file".into(),
        "wait until it has ended",
    )
}

fn lock(target: Target) -> Result<Target> {
    if target.file.try_lock() {
        return Ok(target);
    }
    Err(busy(&target.path))
}
