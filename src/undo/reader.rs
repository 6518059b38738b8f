//! An undo file that is read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::aside::Aside;
use super::header::{self, State};
use super::lock::{in_use, lock};
use super::paths;
use crate::error::{Error, Result};
use crate::format::undofile::{
    AsideEntry, ENTRIES_AT, FileEntry, HEAD_BYTES, RangeEntry, UndoEntry, UndoHeader, UndoPlan,
    UndoStatus, body_len, read_entry,
};
use crate::format::value::DateTime;
use crate::storage::{Disk, Storage};

/// A file as the undo file knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFile {
    /// Where it is now: seen from the folder of the undo file, if that was moved together with it.
    pub path: PathBuf,
    /// What the operation does to it.
    pub plan: UndoPlan,
    /// Its length in bytes before the operation; 0 where it did not exist.
    pub before_len: u64,
    /// Its length in bytes after the operation.
    pub after_len: u64,
    /// xxh3-64 of its content after the operation, where it is created or replaced; of the first 64 KiB of the new file,
    /// where it is put aside.
    pub after_hash: u64,
    /// Bytes of it that are saved.
    pub saved: u64,
    /// Where it is put aside, and what is known of it: with [`UndoPlan::Aside`], and only with it.
    pub aside: Option<Aside>,
}

/// What the header of an undo file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// How far the operation is.
    pub status: UndoStatus,
    /// What it was, in the words of its command; empty where not even that was written.
    pub operation: String,
    /// When the undo file was created: steps of 100 ns since 1601, UTC.
    pub created: u64,
}

/// An undo file, opened and found sound from the first to the last byte.
pub struct UndoFile<'d> {
    pub(super) disk: &'d dyn Disk,
    pub(super) path: PathBuf,
    pub(super) state: State,
    file: Box<dyn Storage>,
    /// `file` is locked and can be written.
    taken: bool,
    files: Vec<SavedFile>,
}

impl<'d> UndoFile<'d> {
    /// Opens the undo file at `path` and reads all of it. One that was never sealed has no files.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::WrongFileType`] for a file of the engine; [`Error::UndoUnusable`] for one that is
    /// damaged or cut off.
    pub fn open(disk: &'d dyn Disk, path: &Path) -> Result<Self> {
        let canonical = disk.canonical(path)?;
        // By the name that was given, for the sake of who reads an error.
        let file = disk.open(path)?;
        let state = header::read(file.as_ref(), path)?;
        let mut undo = Self {
            disk,
            path: canonical,
            state,
            file,
            taken: false,
            files: Vec::new(),
        };
        if undo.status() != UndoStatus::Unsealed {
            let mut gather = Gather::default();
            undo.walk(|position, entry| gather.take(entry).ok_or_else(|| undo.damaged(position)))?;
            let (entries, files) = gather.finish().ok_or_else(|| undo.damaged(ENTRIES_AT))?;
            undo.files = files;
            undo.locate(&entries)?;
        }
        Ok(undo)
    }

    /// Reads only the header of the undo file at `path`.
    ///
    /// # Errors
    /// As [`UndoFile::open`]; [`Error::Io`] with `PermissionDenied` when another command is at work with it.
    pub fn glance(disk: &dyn Disk, path: &Path) -> Result<Glance> {
        let file = disk.open(path)?;
        lock(file.as_ref(), path)?;
        let header = header::read(file.as_ref(), path)?.header;
        Ok(Glance {
            status: header.status,
            operation: header.operation,
            created: header.created,
        })
    }

    /// Takes the undo file for this value alone, before anything is written or removed.
    ///
    /// # Errors
    /// [`Error::Io`]; with `PermissionDenied` when another command is at work with it, or was since it was opened.
    pub fn take(&mut self) -> Result<()> {
        if self.taken {
            return Ok(());
        }
        // One handle for all: on Windows a lock keeps out the other handles of the same process too.
        let file = self.disk.open_rw(&self.path)?;
        lock(file.as_ref(), &self.path)?;
        if header::read(file.as_ref(), &self.path)?.header != self.state.header {
            return Err(in_use(&self.path));
        }
        self.file = file;
        self.taken = true;
        Ok(())
    }

    /// Writes the header with another status.
    pub(super) fn advance(&mut self, status: UndoStatus) -> Result<()> {
        let (file, path) = (self.file.as_ref(), &self.path);
        let mut header = self.state.header.clone();
        header::advance(file, path, &mut header, status)?;
        self.state.header = header;
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the operation is.
    #[must_use]
    pub fn status(&self) -> UndoStatus {
        self.state.header.status
    }

    /// True when one of the two headers is damaged, so that the status may be an older one.
    #[must_use]
    pub fn header_damaged(&self) -> bool {
        self.state.damaged
    }

    /// What the operation was, in the words of its command.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.state.header.operation
    }

    /// When the undo file was created: ISO 8601, UTC.
    #[must_use]
    pub fn created(&self) -> Option<String> {
        DateTime::from_raw(self.state.header.created).filetime_iso()
    }

    /// The files that the operation touches, in the order in which they were saved.
    #[must_use]
    pub fn files(&self) -> &[SavedFile] {
        &self.files
    }

    /// Bytes of all files that are saved.
    pub(super) fn saved_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.saved).sum()
    }

    /// Calls `with` for every entry before the last, with its position.
    pub(super) fn walk(&self, mut with: impl FnMut(u64, UndoEntry) -> Result<()>) -> Result<()> {
        let UndoHeader { identity, end, .. } = self.state.header;
        let mut position = ENTRIES_AT;
        let mut head = [0; HEAD_BYTES];
        let mut body = Vec::new();
        let mut count = 0;
        loop {
            self.read(position, &mut head)?;
            let len = body_len(&head).ok_or_else(|| self.damaged(position))?;
            body.resize(len, 0);
            self.read(position + HEAD_BYTES as u64, &mut body)?;
            let entry = read_entry(identity, position, &head, &body);
            let entry = entry.ok_or_else(|| self.damaged(position))?;
            let next = position + (HEAD_BYTES + len) as u64;
            if let UndoEntry::End { entries } = entry {
                // The end is not known where the header that told it is lost.
                let right = entries == count && (end == 0 || end == next);
                return right.then_some(()).ok_or_else(|| self.damaged(position));
            }
            with(position, entry)?;
            position = next;
            count += 1;
        }
    }

    fn read(&self, position: u64, buffer: &mut [u8]) -> Result<()> {
        match self.file.read_at(position, buffer) {
            Ok(count) if count == buffer.len() => Ok(()),
            Ok(_) => Err(self.unusable(format!("it is cut off at offset {position:#x}"))),
            Err(error) => Err(Error::io(&self.path, "read", error)),
        }
    }

    pub(super) fn damaged(&self, position: u64) -> Error {
        self.unusable(format!("the entry at offset {position:#x} is damaged"))
    }

    fn unusable(&self, what: String) -> Error {
        Error::UndoUnusable {
            path: self.path.clone(),
            what,
        }
    }

    /// Finds out where the files are now. When any of those that lay below the undo file's folder is still
    /// below it, the folder counts, and else the absolute path.
    fn locate(&mut self, entries: &[FileEntry]) -> Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("/")).to_owned();
        let below = |entry: &FileEntry| {
            let relative = paths::relative(&entry.relative).filter(|_| !entry.relative.is_empty());
            relative.map(|relative| dir.join(relative))
        };
        let mut moved_along = false;
        for path in entries.iter().filter_map(below) {
            moved_along = moved_along || self.disk.exists(&path)?;
        }
        // While it is put aside, a file may be there under its other name only.
        for entry in entries {
            let aside = entry.aside.as_ref().zip(below(entry));
            let aside = aside.and_then(|(aside, path)| Aside::of(aside, &path));
            moved_along =
                moved_along || aside.map_or(Ok(false), |aside| self.disk.exists(&aside.path))?;
        }
        let mut places = Vec::new();
        for entry in entries {
            let absolute = paths::absolute(&entry.absolute);
            let fits = entry.relative.is_empty() || paths::relative(&entry.relative).is_some();
            match (absolute, below(entry).filter(|_| moved_along)) {
                (Some(_), Some(path)) | (Some(path), None) if fits => places.push(path),
                _ => return Err(self.unusable("it names a path that cannot be".into())),
            }
        }
        let mut asides = Vec::new();
        for (entry, path) in entries.iter().zip(&places) {
            let aside = entry.aside.as_ref().map(|aside| Aside::of(aside, path));
            asides.push(match aside {
                Some(None) => return Err(self.unusable("it names a path that cannot be".into())),
                aside => aside.flatten(),
            });
        }
        for (file, (path, aside)) in self.files.iter_mut().zip(places.into_iter().zip(asides)) {
            (file.path, file.aside) = (path, aside);
        }
        self.refuse_same_names()
    }

    /// No file may be named twice, under any of its names, nor the undo file itself: what is said of it here and there
    /// could not both be brought back. The writer refuses the same.
    fn refuse_same_names(&self) -> Result<()> {
        let mut seen = HashSet::from([self.path.as_path()]);
        for file in &self.files {
            let others = file.aside.iter();
            let others = others.flat_map(|aside| [&aside.path, &aside.new_file]);
            for name in [&file.path].into_iter().chain(others) {
                if !seen.insert(name) {
                    let what = format!("it names '{}' twice, or as itself", name.display());
                    return Err(self.unusable(what));
                }
            }
        }
        Ok(())
    }
}

/// The files of the entries, and whether the entries make sense together.
#[derive(Default)]
struct Gather {
    entries: Vec<FileEntry>,
    files: Vec<SavedFile>,
    /// For each file: where its next range may start, and the length that it is said to have.
    next: Vec<(u64, Option<u64>)>,
}

impl Gather {
    /// Takes one entry; `None` when it does not fit to those before.
    fn take(&mut self, entry: UndoEntry) -> Option<()> {
        match entry {
            UndoEntry::File(entry) => {
                // The two could not be told apart.
                let same = |aside: &AsideEntry| {
                    (entry.before_len, aside.before_hash) == (entry.after_len, entry.after_hash)
                };
                if entry.aside.as_ref().is_some_and(same) {
                    return None;
                }
                self.files.push(SavedFile {
                    path: PathBuf::new(),
                    plan: entry.plan,
                    before_len: entry.before_len,
                    after_len: entry.after_len,
                    after_hash: entry.after_hash,
                    saved: 0,
                    aside: None,
                });
                self.entries.push(entry);
                self.next.push((0, None));
            }
            UndoEntry::Range(range) => self.range(&range)?,
            UndoEntry::Length { file, len } => {
                let number = file as usize;
                let plan = self.files.get(number)?.plan;
                let (_, length) = self.next.get_mut(number)?;
                if plan != UndoPlan::Change || length.replace(len).is_some() {
                    return None;
                }
            }
            UndoEntry::End { .. } => return None,
        }
        Some(())
    }

    fn range(&mut self, range: &RangeEntry) -> Option<()> {
        let number = range.file as usize;
        let file = self.files.get_mut(number)?;
        let (next, length) = self.next.get_mut(number)?;
        let end = range.offset.checked_add(range.len.into())?;
        let inside = end <= file.before_len;
        let behind = range.offset >= file.before_len;
        let sound = match (file.plan, &range.before, &range.after) {
            (UndoPlan::Change, Some(_), Some(_)) => inside,
            // The tail that is cut off.
            (UndoPlan::Change, Some(_), None) => {
                inside && length.is_some_and(|len| range.offset >= len)
            }
            (UndoPlan::Change, None, Some(_)) => behind,
            (UndoPlan::Replace | UndoPlan::Remove, Some(_), None) => {
                inside && range.offset == *next
            }
            _ => false,
        };
        if !sound || range.len == 0 || range.offset < *next {
            return None;
        }
        *next = end;
        if range.after.is_some() {
            file.after_len = file.after_len.max(end);
        }
        file.saved += range.before.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Some(())
    }

    /// The files; `None` when something of one is missing.
    fn finish(mut self) -> Option<(Vec<FileEntry>, Vec<SavedFile>)> {
        for (file, (next, length)) in self.files.iter_mut().zip(&self.next) {
            match (file.plan, length) {
                (UndoPlan::Change, Some(len)) if *len < file.before_len => {
                    // The tail comes last, and all of it is there.
                    if *next != file.before_len {
                        return None;
                    }
                    file.after_len = *len;
                }
                (UndoPlan::Change, Some(len)) => file.after_len = file.after_len.max(*len),
                (UndoPlan::Replace | UndoPlan::Remove, _) if file.saved != file.before_len => {
                    return None;
                }
                _ => {}
            }
        }
        Some((self.entries, self.files))
    }
}
