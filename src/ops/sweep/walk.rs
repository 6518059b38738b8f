//! The files below some folders, in the order of a sweep, one after the other; nothing is held but one folder a level.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::order::by_path;
use crate::error::Error;

/// One thing that the walk came upon.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// The same as text, which is what records are about.
    pub name: String,
    /// What tells a changed file from the one that was seen: bytes, and nanoseconds of the last change.
    pub stamp: Option<(u64, u128)>,
    /// The device that it lies on.
    pub device: u64,
    /// Why it, or the folder that it is, cannot be read.
    pub error: Option<Error>,
}

/// Walks `roots`. Links to folders are not followed, other file systems are.
pub(super) struct Walk {
    roots: std::vec::IntoIter<PathBuf>,
    current: Option<walkdir::IntoIter>,
}

impl Walk {
    /// Roots that lie in others are left out.
    pub fn new(roots: &[PathBuf]) -> Self {
        let mut roots: Vec<PathBuf> = roots.to_vec();
        roots.sort_by(|a, b| by_path(&text(a), &text(b)));
        roots.dedup();
        let inside = |root: &PathBuf| {
            roots
                .iter()
                .any(|other| other != root && root.starts_with(other))
        };
        let outer: Vec<PathBuf> = roots.iter().filter(|root| !inside(root)).cloned().collect();
        Self {
            roots: outer.into_iter(),
            current: None,
        }
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let Some(current) = &mut self.current else {
                let root = self.roots.next()?;
                let walk =
                    WalkDir::new(root).sort_by(|a, b| in_order(a.file_name(), b.file_name()));
                self.current = Some(walk.into_iter());
                continue;
            };
            match current.next() {
                None => self.current = None,
                Some(Err(error)) => return Some(failed(error)),
                Some(Ok(entry)) => {
                    if let Some(found) = file(entry) {
                        return Some(found);
                    }
                }
            }
        }
    }
}

fn in_order(a: &OsStr, b: &OsStr) -> std::cmp::Ordering {
    let text = a.to_string_lossy().cmp(&b.to_string_lossy());
    text.then_with(|| a.cmp(b))
}

/// A path as records have it: text, with the slashes of POSIX, and without the `./` of the current folder.
fn text(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.into_owned()
    };
    match text.strip_prefix("./") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => text,
    }
}

/// A regular file, or a link to one; nothing else can hold a database.
fn file(entry: DirEntry) -> Option<Found> {
    if entry.file_type().is_dir() {
        return None;
    }
    let path = entry.path().to_owned();
    let metadata = if entry.path_is_symlink() {
        path.metadata().ok()
    } else {
        entry.metadata().ok()
    };
    if metadata
        .as_ref()
        .is_some_and(|metadata| !metadata.is_file())
    {
        return None;
    }
    let stamp = metadata.as_ref().and_then(|metadata| {
        let modified = metadata.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((metadata.len(), since.as_nanos()))
    });
    Some(Found {
        name: text(&path),
        stamp,
        device: metadata.as_ref().map_or(0, device),
        error: None,
        path,
    })
}

fn failed(error: walkdir::Error) -> Found {
    let path = error.path().unwrap_or(Path::new("")).to_owned();
    let source = error
        .into_io_error()
        .unwrap_or_else(|| std::io::Error::other("a link leads back to its own folder"));
    Found {
        name: text(&path),
        stamp: None,
        device: 0,
        error: Some(Error::io(&path, "read", source)),
        path,
    }
}

#[cfg(unix)]
fn device(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::dev(metadata)
}

#[cfg(not(unix))]
fn device(_metadata: &std::fs::Metadata) -> u64 {
    0
}
