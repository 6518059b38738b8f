//! Databases that can be found without the log's help.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::RecoverOptions;
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::Generation;
use crate::recover::attach::{Places, Reason, header_of};
use crate::recover::driver::Outcome;
use crate::storage::{Disk, RealDisk, files_in};

/// The databases in a folder; files that cannot be read or have no sound header are none.
pub fn databases_in(dir: &Path) -> Vec<(PathBuf, DbHeader)> {
    files_in(dir)
        .into_iter()
        .filter_map(|path| header_of(&path).map(|header| (path, header)))
        .collect()
}

/// Who still needs logs after the recovery: the first generation, and why in words. `None`: nobody.
pub fn still_needed(options: &RecoverOptions, outcome: &Outcome) -> Option<(Generation, String)> {
    let missing = outcome
        .skipped
        .iter()
        .find(|skipped| skipped.reason != Reason::Future);
    if let Some(skipped) = missing {
        let detail = format!("{}: {}", skipped.logged_path, skipped.reason.words());
        return Some((Generation::default(), detail));
    }
    let sign_log = outcome.last.head.header.sign_log;
    let done: BTreeSet<PathBuf> = outcome
        .databases
        .iter()
        .map(|database| canonical(&database.path))
        .collect();
    folders(options, outcome)
        .iter()
        .flat_map(|dir| databases_in(dir))
        .filter(|(path, header)| {
            header.sign_log == sign_log
                && header.db_state() != DbState::CleanShutdown
                && header.required_low.get() != 0
                && !done.contains(&canonical(path))
        })
        .min_by_key(|(_, header)| header.required_low)
        .map(|(path, header)| {
            let low = header.required_low;
            let detail = format!(
                "'{}' needs those from generation {:#X} on",
                path.display(),
                low.get()
            );
            (low, detail)
        })
}

/// Where databases of the stream may be: beside the logs, where the user says, where those were that are recovered.
fn folders(options: &RecoverOptions, outcome: &Outcome) -> BTreeSet<PathBuf> {
    let mut dirs = BTreeSet::from([canonical(&options.log_dir)]);
    let mut note = |path: &Path| {
        let dir = if path.is_dir() {
            Some(path)
        } else {
            path.parent()
        };
        dirs.extend(dir.filter(|dir| dir.is_dir()).map(canonical));
    };
    match &options.places {
        Places::Logged => {}
        Places::In(path) => note(path),
        Places::Moved(moves, _) => moves.iter().for_each(|(path, _)| note(path)),
    }
    for database in &outcome.databases {
        note(&database.path);
    }
    for path in outcome
        .skipped
        .iter()
        .filter_map(|skipped| skipped.path.as_ref())
    {
        note(path);
    }
    dirs
}

fn canonical(path: &Path) -> PathBuf {
    RealDisk.canonical(path).unwrap_or_else(|_| path.to_owned())
}
