//! A file that is put aside: it keeps its content under another name, and a new file has its name. What the three
//! names hold tells how far that came, and what is to be done to take it back.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Conflict, SavedFile, paths};
use crate::error::{Error, Result};
use crate::format::undofile::{AsideEntry, START_BYTES, start_hash};
use crate::storage::{Disk, Storage};

/// From 1601 to 1970, in steps of 100 ns.
pub const FILETIME_1970: u64 = 116_444_736_000_000_000;
/// Times of change so close are the same: FAT counts in steps of two seconds, archives in steps of one.
const SAME_TIME: u64 = 20_000_000;

/// What an undo file knows of a file that is put aside, besides what it knows of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// The other name of the original.
    pub path: PathBuf,
    /// The name that the new file had before it took the original's.
    pub new_file: PathBuf,
    /// Hash of the original's first 64 KiB.
    pub before_hash: u64,
    /// When the original was last changed, as FILETIME (UTC); 0 where that is not known.
    pub modified: u64,
}

impl Aside {
    /// What an entry says of the file at `path`; `None` for names that cannot be, or that are not three.
    pub fn of(entry: &AsideEntry, path: &Path) -> Option<Self> {
        let aside = path.with_file_name(paths::name(&entry.aside)?);
        let new_file = path.with_file_name(paths::name(&entry.new_file)?);
        (aside != path && new_file != path && aside != new_file).then_some(Self {
            path: aside,
            new_file,
            before_hash: entry.before_hash,
            modified: entry.modified,
        })
    }
}

/// What of a file tells it from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// In bytes.
    pub len: u64,
    /// Of its first 64 KiB.
    pub hash: u64,
    /// When it was last changed, as FILETIME (UTC); 0 where that is not known.
    pub modified: u64,
}

/// Reads them.
pub fn traits(file: &dyn Storage, path: &Path) -> Result<Traits> {
    let read = |error| Error::io(path, "read", error);
    let modified = file.modified().ok().flatten();
    Ok(Traits {
        len: file.len().map_err(read)?,
        hash: start_hash(&file.read_start(START_BYTES).map_err(read)?),
        modified: modified.map_or(0, filetime),
    })
}

/// Steps of 100 ns since 1601, UTC; 0 for a time before that.
pub fn filetime(time: SystemTime) -> u64 {
    let steps = |time: std::time::Duration| (time.as_nanos() / 100) as u64;
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => FILETIME_1970 + steps(since),
        Err(before) => FILETIME_1970.saturating_sub(steps(before.duration())),
    }
}

/// What is found under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Missing,
    Old,
    New,
    Other,
}

fn held(disk: &dyn Disk, path: &Path, file: &SavedFile, aside: &Aside) -> Result<(Held, u64)> {
    if !disk.exists(path)? {
        return Ok((Held::Missing, 0));
    }
    let found = traits(disk.open(path)?.as_ref(), path)?;
    let held = match (found.len, found.hash) {
        old if old == (file.before_len, aside.before_hash) => Held::Old,
        new if new == (file.after_len, file.after_hash) => Held::New,
        _ => Held::Other,
    };
    let known = found.modified != 0 && aside.modified != 0;
    // Only of the original under its other name it counts: whoever brought it back by hand may have copied it.
    if held == Held::Old
        && path == aside.path
        && known
        && found.modified.abs_diff(aside.modified) > SAME_TIME
    {
        return Ok((Held::Other, found.len));
    }
    Ok((held, found.len))
}

/// How a file that was put aside is found.
pub struct Found {
    /// The original is to get its name back.
    pub put_back: bool,
    /// The new file lies under the name that it had at first.
    pub new_waits: bool,
    /// The original has its other name.
    pub kept: bool,
    /// Something has the file's own name.
    pub named: bool,
    /// What speaks against restoring.
    pub conflict: Option<Conflict>,
}

/// Looks at all three names; `mixed` when the operation, or its undoing, may have stopped anywhere.
pub fn find(disk: &dyn Disk, file: &SavedFile, aside: &Aside, mixed: bool) -> Result<Found> {
    let (name, len) = held(disk, &file.path, file, aside)?;
    let (kept, kept_len) = held(disk, &aside.path, file, aside)?;
    let new_waits = mixed && held(disk, &aside.new_file, file, aside)?.0 == Held::New;
    let conflict = |path: &Path, offset, what: &str, hopeless| Conflict {
        path: path.to_owned(),
        offset,
        what: what.to_owned(),
        hopeless,
    };
    let gone = "the original that was put aside is missing";
    let changed = "the original that was put aside is not as it was";
    // A length that is another tells where the difference is.
    let at = |len, right| if len == right { 0 } else { len };
    let kept_changed = || {
        let offset = at(kept_len, file.before_len);
        Some(conflict(&aside.path, offset, changed, false))
    };
    let (put_back, conflict) = match (name, kept) {
        // Never put aside, or brought back; another file of the other name is not ours.
        (Held::Old, Held::Missing | Held::New | Held::Other) => (false, None),
        // Two names of one file, or a copy that somebody has made.
        (Held::Old | Held::New, Held::Old) => (true, None),
        // Changed since, by another, before it could be put aside.
        (Held::Other, Held::Missing) if new_waits => (false, None),
        (_, Held::Missing) => (false, Some(conflict(&aside.path, 0, gone, true))),
        // As before, or the two names of one file that was changed since.
        (Held::Other, Held::New | Held::Other) if new_waits => (false, kept_changed()),
        (_, Held::New | Held::Other) => (true, kept_changed()),
        (Held::Missing, Held::Old) if mixed => (true, None),
        (Held::Missing, Held::Old) => {
            let missing = conflict(&file.path, 0, "the file is missing", false);
            (true, Some(missing))
        }
        (Held::Other, Held::Old) => {
            let offset = at(len, file.after_len);
            // It is not lost: another command may have put something better in the place of what was written.
            let kept = aside.path.display();
            let what = format!("not what was written; as it was before, it is '{kept}'");
            (true, Some(conflict(&file.path, offset, &what, false)))
        }
    };
    Ok(Found {
        put_back,
        new_waits,
        kept: kept == Held::Old,
        named: name != Held::Missing,
        conflict,
    })
}

/// Removes originals that nothing claims any more. What cannot be removed stays: it is a file too many, and does no harm.
pub fn remove_left(disk: &dyn Disk, asides: &[PathBuf]) {
    for path in asides {
        let removed = disk.remove(path);
        if let (Ok(()), Some(dir)) = (removed, path.parent()) {
            let _ = disk.sync_dir(dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FILETIME_1970, filetime};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn times_before_and_after_1970() {
        let hour = Duration::from_secs(3600);
        assert_eq!(filetime(UNIX_EPOCH), FILETIME_1970);
        assert_eq!(filetime(UNIX_EPOCH + hour), FILETIME_1970 + 36_000_000_000);
        assert_eq!(
            UNIX_EPOCH.checked_sub(hour).map(filetime),
            Some(FILETIME_1970 - 36_000_000_000)
        );
    }
}
