//! How much room a command needs, and whether it is there.

use std::path::Path;

use serde::Serialize;

use crate::ops::survey::group::{Group, NextStep};
use crate::ops::survey::record::{FileRecord, folder_of};
use crate::storage::free_space;

/// Room in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Room {
    /// The folder.
    pub folder: String,
    /// Bytes that are needed there at most.
    pub needed: u64,
    /// Bytes that are free there, where the system tells.
    pub free: Option<u64>,
    /// How the number comes about.
    pub rule: &'static str,
}

/// The guides' rule for defragmentation, in percent of the database.
const DEFRAGMENTATION: u64 = 110;
/// The guides' rule for repair, for temporary files, beside the new file that this program writes.
const REPAIR: u64 = 100 + 20;

/// What a command needs; `None` for one that writes nothing.
pub(super) fn of(step: &NextStep, group: &Group, files: &[FileRecord]) -> Option<Room> {
    let bytes = |path: &str| {
        files
            .iter()
            .find(|file| file.path == path)
            .map_or(0, |file| file.bytes)
    };
    let folder = |path: &str| folder_of(path).to_owned();
    let all: u64 = group
        .databases
        .iter()
        .map(|database| bytes(&database.path))
        .sum();
    let (folder, needed, rule) = match step.mode {
        _ if step.dry_run => return None,
        "r" => (
            group
                .logs
                .as_ref()
                .map_or(".", |logs| logs.folder.as_str())
                .to_owned(),
            all,
            "what the logs change is saved first: at most the databases themselves",
        ),
        "cc" => (
            step.about.clone(),
            all,
            "what the logs change is saved first: at most the databases themselves",
        ),
        "p" => (
            folder(&step.about),
            bytes(&step.about) * REPAIR / 100,
            "20 % of the database for temporary files, as the guides say, and the new file beside the old one (/t puts it elsewhere)",
        ),
        "d" => (
            folder(&step.about),
            bytes(&step.about) * DEFRAGMENTATION / 100,
            "110 % of the database, as the guides say (/t puts the new file elsewhere)",
        ),
        "isinteg" => (
            folder(&step.about),
            bytes(&step.about) * DEFRAGMENTATION / 100,
            "110 % of the database when something is fixed: it is written anew",
        ),
        "y" => (".".to_owned(), bytes(&step.about), "the copy"),
        _ => return None,
    };
    Some(Room {
        free: free_space(Path::new(if folder.is_empty() { "." } else { &folder })),
        folder,
        needed,
        rule,
    })
}
