//! Step 1 of a commit: before-images.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::xxh3_64;

use super::aside::{filetime, traits};
use super::handles::ReadHandle;
use super::lock::{in_use, lock};
use super::{SealedUndo, header, paths};
use crate::error::{Error, Result};
use crate::format::undofile::{
    AsideEntry, ENTRIES_AT, FileEntry, RANGE_MOST, RangeEntry, SECTOR, UndoEntry, UndoHeader,
    UndoPlan, UndoStatus, sector_hash, sectors, write_entry,
};
use crate::storage::{Disk, Storage};

/// Entries are written when so many bytes of them have come together.
const WRITE_AT: usize = 1 << 20;

/// An undo file that is being written. Nothing that it saves may change before it is sealed; dropped
/// before that it removes itself. At any time it holds some 3 MiB of content, and the paths of the files.
pub struct UndoWriter<'d> {
    disk: &'d dyn Disk,
    path: PathBuf,
    /// Taken out when sealed.
    file: Option<Box<dyn Storage>>,
    header: UndoHeader,
    /// Entries not written yet, which lie at `position`.
    out: Vec<u8>,
    position: u64,
    entries: u64,
    files: Vec<Row>,
    /// By the names that the caller uses, and by canonical paths.
    numbers: HashMap<PathBuf, usize>,
    /// What originals are put aside as.
    asides: Vec<PathBuf>,
    run: Option<RangeEntry>,
    reader: ReadHandle,
    spare: Vec<u8>,
    failed: bool,
}

/// A file that is saved.
struct Row {
    path: PathBuf,
    plan: UndoPlan,
    before_len: u64,
    /// Ranges come in order: the next starts here or later.
    next: u64,
    len_saved: bool,
}

fn misuse(path: &Path, what: &'static str) -> Error {
    let error = io::Error::new(io::ErrorKind::InvalidInput, what);
    Error::io(path, "save", error)
}

impl<'d> UndoWriter<'d> {
    /// Creates the undo file at `path`, where there is none (see [`super::prepare`]); `operation` tells
    /// people what was done (`r E00`).
    ///
    /// # Errors
    /// [`Error::Io`]; the file is then removed. `PermissionDenied` when another command has taken the name meanwhile.
    pub fn create(disk: &'d dyn Disk, path: &Path, operation: &str) -> Result<Self> {
        let path = disk.canonical(path)?;
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH);
        let since = since.unwrap_or(Duration::ZERO);
        let seed = format!(
            "{} {} {}",
            since.as_nanos(),
            std::process::id(),
            path.display()
        );
        let header = UndoHeader {
            sequence: 0,
            status: UndoStatus::Unsealed,
            identity: xxh3_64(seed.as_bytes()),
            created: filetime(now),
            end: 0,
            operation: operation.to_owned(),
        };
        let file = disk.create(&path).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                in_use(&path)
            }
            other => other,
        })?;
        lock(file.as_ref(), &path)?;
        if !disk.exists(&path)? {
            // Between the two steps another command took it for one that was left behind, and removed it.
            return Err(in_use(&path));
        }
        header::write(file.as_ref(), &path, &header)
            .and_then(|()| path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir)))
            .inspect_err(|_| {
                let _ = disk.remove(&path);
            })?;
        Ok(Self {
            disk,
            path,
            file: Some(file),
            header,
            out: Vec::new(),
            position: ENTRIES_AT,
            entries: 0,
            files: Vec::new(),
            numbers: HashMap::new(),
            asides: Vec::new(),
            run: None,
            reader: ReadHandle::default(),
            spare: Vec::new(),
            failed: false,
        })
    }

    /// The disk that it is on.
    pub(crate) const fn disk(&self) -> &'d dyn Disk {
        self.disk
    }

    /// Where the undo file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How large an undo file of so many bytes of before-images can become when the ranges have the
    /// size of a page (2 KiB) or more.
    #[must_use]
    pub const fn space_needed(bytes: u64) -> u64 {
        bytes + bytes / 64 + bytes / 32 + (1 << 20)
    }

    /// The bytes of `path` from `offset` on will become `new`, behind its end too. Ranges of one file come in
    /// the order of their offsets and do not overlap.
    ///
    /// # Errors
    /// [`Error::Io`], after which the undo file cannot be sealed; `InvalidInput` for a range out of order, or of
    /// a file that is said to be created, replaced or removed.
    pub fn save_range(&mut self, path: &Path, offset: u64, new: &[u8]) -> Result<()> {
        self.guarded(|it| {
            let number = it.changed(path)?;
            let row = &mut it.files[number];
            let end = offset.checked_add(new.len() as u64);
            match end {
                Some(end) if offset >= row.next => row.next = end,
                _ => return Err(misuse(path, "ranges must come in order")),
            }
            let inside = row.before_len.saturating_sub(offset).min(new.len() as u64);
            let (inside, behind) = new.split_at(inside as usize);
            it.add(number, offset, inside, true)?;
            it.add(number, offset + inside.len() as u64, behind, false)
        })
    }

    /// `path` will have the length `new_len`. Where it is cut, no range may follow, and the tail is saved.
    ///
    /// # Errors
    /// As [`UndoWriter::save_range`].
    pub fn save_len(&mut self, path: &Path, new_len: u64) -> Result<()> {
        self.guarded(|it| {
            let number = it.changed(path)?;
            it.flush_run()?;
            let row = &mut it.files[number];
            let cut = new_len < row.before_len;
            if std::mem::replace(&mut row.len_saved, true) {
                return Err(misuse(path, "its length is saved already"));
            }
            if row.next > new_len {
                return Err(misuse(path, "a range lies behind the new end"));
            }
            let before_len = row.before_len;
            if cut {
                row.next = u64::MAX;
            }
            it.put(&UndoEntry::Length {
                file: number as u32,
                len: new_len,
            })?;
            it.save_content(number, new_len..before_len)
        })
    }

    /// A file will be created at `path`, where there is none, with `after_len` bytes whose xxh3-64 is
    /// `after`.
    ///
    /// # Errors
    /// As [`UndoWriter::save_range`]; `AlreadyExists` when there is one.
    pub fn will_create(&mut self, path: &Path, after_len: u64, after: u64) -> Result<()> {
        self.guarded(|it| {
            if it.disk.exists(path)? {
                let error = io::ErrorKind::AlreadyExists.into();
                return Err(Error::io(path, "create", error));
            }
            it.add_file(path, UndoPlan::Create, (after_len, after), None)
                .map(drop)
        })
    }

    /// All of `path` will be replaced with `after_len` bytes whose xxh3-64 is `after`.
    ///
    /// # Errors
    /// As [`UndoWriter::save_range`].
    pub fn will_replace(&mut self, path: &Path, after_len: u64, after: u64) -> Result<()> {
        self.guarded(|it| {
            let number = it.add_file(path, UndoPlan::Replace, (after_len, after), None)?;
            it.save_content(number, 0..it.files[number].before_len)
        })
    }

    /// `path` will be removed.
    ///
    /// # Errors
    /// As [`UndoWriter::save_range`].
    pub fn will_remove(&mut self, path: &Path) -> Result<()> {
        self.guarded(|it| {
            let number = it.add_file(path, UndoPlan::Remove, (0, 0), None)?;
            it.save_content(number, 0..it.files[number].before_len)
        })
    }

    /// `path` will get the name `aside`, which nothing has yet, and `new_file` will take its own: a file that is complete
    /// and durable already. Nothing of either is saved; of each the length and the first 64 KiB are remembered, of the
    /// original also when it was last changed.
    ///
    /// # Errors
    /// As [`UndoWriter::save_range`]; `AlreadyExists` when something has the name `aside`; `InvalidInput` when the three,
    /// links followed, are not in one folder, or when the two files cannot be told apart.
    pub fn will_put_aside(&mut self, path: &Path, aside: &Path, new_file: &Path) -> Result<()> {
        self.guarded(|it| {
            if it.disk.exists(aside)? {
                let error = io::ErrorKind::AlreadyExists.into();
                return Err(Error::io(aside, "create", error));
            }
            let place = it.disk.canonical(path)?;
            let names = [aside, new_file].map(|path| it.disk.canonical(path));
            let [kept, new] = names;
            let (kept, new) = (kept?, new?);
            for other in [&kept, &new] {
                if other.parent() != place.parent() {
                    return Err(misuse(other, "it is not in the folder of the other file"));
                }
                if *other == it.path || it.numbers.contains_key(other) {
                    return Err(misuse(other, "it is the undo file, or saved already"));
                }
            }
            if kept == new || kept == place || new == place {
                return Err(misuse(path, "it and the others are not three"));
            }
            let look = |path: &Path| traits(it.disk.open(path)?.as_ref(), path);
            let (before, after) = (look(&place)?, look(&new)?);
            if (before.len, before.hash) == (after.len, after.hash) {
                return Err(misuse(&new, "it cannot be told from the other file"));
            }
            let name = |path: &Path| {
                let name = path.file_name().map(Path::new).and_then(paths::to_bytes);
                name.ok_or_else(|| misuse(path, "its name cannot be kept"))
            };
            let entry = AsideEntry {
                aside: name(&kept)?,
                new_file: name(&new)?,
                before_hash: before.hash,
                modified: before.modified,
            };
            let after = (after.len, after.hash);
            let number = it.add_file(path, UndoPlan::Aside, after, Some(entry))?;
            // No other entry may speak of these two.
            it.numbers.insert(kept.clone(), number);
            it.numbers.insert(new, number);
            it.asides.push(kept);
            Ok(())
        })
    }

    /// Step 2: makes everything durable. From here on the originals may be changed.
    ///
    /// # Errors
    /// [`Error::Io`]; the undo file is then removed. Also when anything failed before.
    pub fn seal(mut self) -> Result<SealedUndo<'d>> {
        self.guarded(|it| {
            it.flush_run()?;
            it.put(&UndoEntry::End {
                entries: it.entries,
            })?;
            it.write_out()?;
            it.header.end = it.position;
            let file = it
                .file
                .as_deref()
                .ok_or_else(|| misuse(&it.path, "sealed"))?;
            file.sync()
                .map_err(|error| Error::io(&it.path, "sync", error))?;
            header::advance(file, &it.path, &mut it.header, UndoStatus::Sealed)
        })?;
        let file = self.file.take();
        let file = file.ok_or_else(|| misuse(&self.path, "sealed"))?;
        Ok(SealedUndo::new(
            self.disk,
            self.path.clone(),
            file,
            self.header.clone(),
            std::mem::take(&mut self.asides),
        ))
    }

    /// Runs a step; after a failure no other may follow, lest something is missing in a sealed file.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.failed {
            return Err(misuse(&self.path, "saving failed before"));
        }
        let result = step(self);
        self.failed = result.is_err();
        result
    }

    /// The number of a file of which parts change.
    fn changed(&mut self, path: &Path) -> Result<usize> {
        let number = match self.numbers.get(path) {
            Some(number) => *number,
            None => {
                let canonical = self.disk.canonical(path)?;
                match self.numbers.get(&canonical).copied() {
                    Some(number) => {
                        self.numbers.insert(path.to_owned(), number);
                        number
                    }
                    None => self.add_file(path, UndoPlan::Change, (0, 0), None)?,
                }
            }
        };
        match self.files[number].plan {
            UndoPlan::Change => Ok(number),
            _ => Err(misuse(path, "all of it is saved already")),
        }
    }

    /// Notes a file that is not noted yet.
    fn add_file(
        &mut self,
        path: &Path,
        plan: UndoPlan,
        after: (u64, u64),
        aside: Option<AsideEntry>,
    ) -> Result<usize> {
        self.flush_run()?;
        let canonical = self.disk.canonical(path)?;
        if canonical == self.path || self.numbers.contains_key(&canonical) {
            return Err(misuse(path, "it is the undo file, or saved already"));
        }
        let before_len = if plan == UndoPlan::Create {
            0
        } else {
            let file = self.disk.open(&canonical)?;
            file.len()
                .map_err(|error| Error::io(&canonical, "read", error))?
        };
        let odd_name = || misuse(path, "its name cannot be kept");
        let below = self
            .path
            .parent()
            .and_then(|dir| canonical.strip_prefix(dir).ok());
        let relative = below.map_or(Some(Vec::new()), paths::to_bytes);
        let number = self.files.len();
        self.put(&UndoEntry::File(FileEntry {
            plan,
            before_len,
            after_len: if plan == UndoPlan::Change {
                before_len
            } else {
                after.0
            },
            after_hash: after.1,
            absolute: paths::to_bytes(&canonical).ok_or_else(odd_name)?,
            relative: relative.ok_or_else(odd_name)?,
            aside,
        }))?;
        self.numbers.insert(path.to_owned(), number);
        self.numbers.insert(canonical.clone(), number);
        self.files.push(Row {
            path: canonical,
            plan,
            before_len,
            next: 0,
            len_saved: false,
        });
        Ok(number)
    }

    /// Adds a range to the run, or starts another; `before` tells whether it lies inside of the file.
    fn add(&mut self, number: usize, mut offset: u64, mut new: &[u8], before: bool) -> Result<()> {
        while !new.is_empty() {
            let joins = |run: &RangeEntry| {
                run.file == number as u32
                    && run.before.is_some() == before
                    && run.offset + u64::from(run.len) == offset
                    // A joint within a sector would make two hashes of one.
                    && offset.is_multiple_of(SECTOR as u64)
                    && run.len as usize + SECTOR <= RANGE_MOST
            };
            if !self.run.as_ref().is_some_and(joins) {
                self.flush_run()?;
            }
            let run = self.run.get_or_insert_with(|| RangeEntry {
                file: number as u32,
                offset,
                len: 0,
                after: Some(Vec::new()),
                before: before.then(Vec::new),
            });
            let mut count = new.len().min(RANGE_MOST - run.len as usize);
            if count < new.len() {
                count -= ((offset + count as u64) % SECTOR as u64) as usize;
            }
            let (now, later) = new.split_at(count);
            let mut rest = now;
            for part in sectors(offset, count) {
                let (sector, more) = rest.split_at(part);
                run.after.get_or_insert_default().push(sector_hash(sector));
                rest = more;
            }
            run.len += count as u32;
            offset += count as u64;
            new = later;
        }
        Ok(())
    }

    /// Reads the before-image of the run and makes an entry of it.
    fn flush_run(&mut self) -> Result<()> {
        let Some(mut run) = self.run.take() else {
            return Ok(());
        };
        if run.before.is_some() {
            run.before = Some(self.read(run.file as usize, run.offset, run.len as usize)?);
        }
        self.put_range(run)
    }

    /// Makes an entry of a range, and keeps its buffer for the next.
    fn put_range(&mut self, range: RangeEntry) -> Result<()> {
        let entry = UndoEntry::Range(range);
        self.put(&entry)?;
        if let UndoEntry::Range(range) = entry {
            self.spare = range.before.unwrap_or_default();
        }
        Ok(())
    }

    /// Saves bytes that are cut off or replaced as a whole.
    fn save_content(&mut self, number: usize, range: std::ops::Range<u64>) -> Result<()> {
        let mut offset = range.start;
        while offset < range.end {
            let len = (range.end - offset).min(RANGE_MOST as u64) as usize;
            let before = self.read(number, offset, len)?;
            self.put_range(RangeEntry {
                file: number as u32,
                offset,
                len: len as u32,
                after: None,
                before: Some(before),
            })?;
            offset += len as u64;
        }
        Ok(())
    }

    fn read(&mut self, number: usize, offset: u64, len: usize) -> Result<Vec<u8>> {
        let path = &self.files[number].path;
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.resize(len, 0);
        self.reader
            .file(self.disk, number, path)?
            .read_exact_at(offset, &mut bytes)
            .map_err(|error| Error::io(path, "read", error))?;
        Ok(bytes)
    }

    fn put(&mut self, entry: &UndoEntry) -> Result<()> {
        let position = self.position + self.out.len() as u64;
        write_entry(&mut self.out, self.header.identity, position, entry);
        self.entries += 1;
        if self.out.len() >= WRITE_AT {
            self.write_out()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        let file = self.file.as_deref();
        let file = file.ok_or_else(|| misuse(&self.path, "sealed"))?;
        file.write_at(self.position, &self.out)
            .map_err(|error| Error::io(&self.path, "write", error))?;
        self.position += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }
}

impl Drop for UndoWriter<'_> {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Best effort: what stays is not sealed, and the next command removes it.
            let removed = self.disk.remove(&self.path);
            if let (Ok(()), Some(dir)) = (removed, self.path.parent()) {
                let _ = self.disk.sync_dir(dir);
            }
        }
    }
}
