//! What runs that were killed left: new files that are not finished, which nobody needs, and finished ones, which somebody
//! may have kept (`/p`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::place::{MAP, Place, TEMP};
use crate::db::Database;
use crate::error::{Error, Result};
use crate::format::filekind::FileKind;
use crate::format::flushmap::{FlushMapHeader, PAGE};
use crate::ops::identify::identify;
use crate::ops::temp_file::{Leftover, UNFINISHED, folder};
use crate::storage::files_in;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Removed: it was not finished.
    pub removed: Vec<PathBuf>,
    /// Named only.
    pub left: Vec<PathBuf>,
}

/// Looks for files of this run's names, and for others of such names in its folders.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn clear(place: &Place<'_>, db: &Database) -> Result<Found> {
    let mut found = Found::default();
    let names = names(place)?;
    for path in names.iter().filter(|path| !is_map(path)) {
        judge(place, path, &mut found)?;
    }
    for map in &names {
        let map = if is_map(map) {
            map.clone()
        } else {
            map.with_extension(MAP)
        };
        if place.disk().exists(&map)? {
            adopt(place, db, &map, &mut found)?;
        }
    }
    Ok(found)
}

/// Each once, whatever it is called.
fn names(place: &Place<'_>) -> Result<BTreeSet<PathBuf>> {
    let ours = |path: &PathBuf| has_our_name(path, TEMP.1) || has_our_name(path, ".JFM");
    let found = place.folders().into_iter().flat_map(files_in).filter(ours);
    let all = place.own_names().into_iter().chain(found);
    all.map(|path| place.disk().canonical(&path)).collect()
}

fn is_map(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case(MAP))
}

/// `TEMPDFRG1234.EDB`, in whatever case.
fn has_our_name(path: &Path, ending: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_uppercase();
    name.strip_prefix(TEMP.0)
        .and_then(|rest| rest.strip_suffix(ending))
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn judge(place: &Place<'_>, path: &Path, found: &mut Found) -> Result<()> {
    match Leftover::of(place.disk(), path)? {
        Leftover::Unfinished => {
            place.disk().remove(path)?;
            found.removed.push(path.to_owned());
        }
        Leftover::Finished if *path == place.waiting() => {
            // Verified, but not swapped in: this run makes it again.
            place.disk().remove(path)?;
            found.removed.push(path.to_owned());
        }
        Leftover::Finished => found.left.push(path.to_owned()),
        Leftover::None | Leftover::InUse | Leftover::Other => {}
    }
    Ok(())
}

/// A flush map whose database has got its place already gets its own; one without a database is of no use.
fn adopt(place: &Place<'_>, db: &Database, map: &Path, found: &mut Found) -> Result<()> {
    let disk = place.disk();
    for ending in [TEMP.1.trim_start_matches('.'), "edb"] {
        if disk.exists(&map.with_extension(ending))? {
            return Ok(());
        }
    }
    let file = disk.open(map)?;
    let start = file.read_start(PAGE.bytes());
    let start = start.map_err(|error| Error::io(map, "read", error))?;
    drop(file);
    let target = place.database().with_extension(MAP);
    let header = FlushMapHeader::parse(&start);
    let is_of_database = header.is_ok_and(|header| {
        header.sign_flush_map.is_set() && header.sign_flush_map == db.header().sign_flush_map
    });
    if is_of_database && folder(map) == folder(&target) {
        disk.rename(map, &target)?;
        return disk.sync_dir(folder(&target));
    }
    // What the user named may be the user's.
    let is_ours = has_our_name(map, ".JFM") || *map == place.waiting().with_extension(MAP);
    let mut first = start.iter().take(UNFINISHED);
    let is_unfinished = start.len() < PAGE.bytes() || first.all(|byte| *byte == 0);
    if is_ours && (is_unfinished || matches!(identify(&start), FileKind::FlushMap)) {
        disk.remove(map)?;
        found.removed.push(map.to_owned());
    }
    Ok(())
}
