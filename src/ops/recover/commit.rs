//! What a recovery writes, and how: everything behind an undo file, so that a run that is killed is taken back by the
//! next, and one that is done can be undone.
//!
//! The stream is closed as the engine closes it ([`crate::log::closing`]): the records of undo are appended, the
//! checkpoint moves to their end. So the databases stay in their stream: the engine mounts them and goes on with the
//! very next record, and a second recovery finds nothing to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::RecoverOptions;
use super::begin::checkpoint_name;
use super::steps::{cannot_log, log_step};
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::DbHeader;
use crate::format::ids::{HEADER_PAGES, PageSize, Pgno};
use crate::format::loghdr::Attachment;
use crate::format::stamp::{Lgpos, LogTime, Signature};
use crate::format::undofile::UndoStatus;
use crate::jet::JetError;
use crate::log::changes::{LogRole, StreamNaming};
use crate::log::closing::{Closed, Closing as LogClosing, LogEnd, Quit, checkpoint_file};
use crate::log::names::find_any_case;
use crate::log::writer::{LastLog, LogWriter, OLDEST_WRITTEN, Surroundings};
use crate::ops::checkpoint::read_checkpoint;
use crate::recover::driver::Outcome;
use crate::recover::stream::LogStream;
use crate::recover::{Attached, finish};
use crate::storage::{Disk, FileStorage, Storage};
use crate::undo::{Applier, Settled, UndoFile, UndoWriter, prepare};

/// Pages that are saved and written at once.
const BATCH_BYTES: usize = 1 << 20;

/// Takes back what an earlier run left half done; gives the name for this run's undo file, and what was taken back.
pub fn take_back(disk: &dyn Disk, wanted: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let (free, settled) = prepare(disk, wanted)?;
    let taken_back = settled
        .into_iter()
        .filter(|(_, became)| matches!(became, Settled::RolledBack(_)))
        .map(|(path, _)| path)
        .collect();
    Ok((free, taken_back))
}

/// A run that was killed left the files in between: what a dry run would see is not what the next run would.
pub fn refuse_half_done(disk: &dyn Disk, undo: &Path) -> Result<()> {
    let half_done = disk.exists(undo)?
        && UndoFile::open(disk, undo).is_ok_and(|file| file.status() == UndoStatus::Sealed);
    if !half_done {
        return Ok(());
    }
    Err(Trouble::new(
        JetError::FILE_ACCESS_DENIED,
        format!(
            "'{}' says that a recovery was interrupted while it wrote",
            undo.display()
        ),
    )
    .advise(format!(
        "run it again without --dry-run, which takes it back first; or 'exutil undo {}'",
        undo.display()
    ))
    .into())
}

/// The end of the stream and of the headers, worked out and not yet written.
pub struct Closing {
    /// Where databases that were attached to the end are consistent.
    mark: Option<Lgpos>,
    /// Files of the stream as they will be; `None`: gone.
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    headers: Vec<(PathBuf, DbHeader)>,
}

impl Closing {
    /// Works out what the end of the recovery is.
    ///
    /// # Errors
    /// [`Error::Io`]; -519 when the stream has no generation left.
    pub fn of(options: &RecoverOptions, stream: &LogStream, outcome: &Outcome) -> Result<Self> {
        let mut closing = Self {
            mark: None,
            files: BTreeMap::new(),
            headers: Vec::new(),
        };
        if !outcome.stopped {
            let closed = closing.close_stream(options, stream, outcome)?;
            closing.stream_files(stream, outcome, &closed)?;
            let name = checkpoint_name(stream);
            let path = find_any_case(&options.system_dir, &name)
                .unwrap_or_else(|| options.system_dir.join(&name));
            let bytes = checkpoint_file(&closed.checkpoint, &[]);
            closing.files.insert(path, Some(bytes));
            if options.truncate_logs {
                closing.truncate(stream, outcome);
            }
        }
        for database in &outcome.databases {
            let mut database = database.clone();
            if outcome.stopped {
                stay_dirty(&mut database, outcome);
            } else if let Some(mark) = closing.mark.filter(|_| !super::is_clean(&database)) {
                finish::close(&mut database, mark, options.now);
            }
            new_flush_signatures(&mut database.header, options.now);
            closing.headers.push((database.path, database.header));
        }
        Ok(closing)
    }

    /// The header that a database gets.
    pub fn header_of<'a>(&'a self, database: &'a Attached) -> &'a DbHeader {
        self.headers
            .iter()
            .find(|(path, _)| *path == database.path)
            .map_or(&database.header, |(_, header)| header)
    }

    fn close_stream(
        &mut self,
        options: &RecoverOptions,
        stream: &LogStream,
        outcome: &Outcome,
    ) -> Result<Closed> {
        let header = &outcome.last.head.header;
        let attachments = outcome
            .databases
            .iter()
            .filter(|database| !super::is_clean(database))
            .map(attachment)
            .collect();
        let surroundings = Surroundings {
            environment: header.environment.clone(),
            attachments,
            checkpoint: outcome.start,
            now: options.now,
            least_version: OLDEST_WRITTEN,
        };
        let last = LastLog::new(&outcome.last, outcome.last_is_current);
        let writer = if outcome.last_is_current {
            LogWriter::resume(last, surroundings)
        } else {
            LogWriter::new_generation(last, surroundings)
        };
        let writer = writer.map_err(cannot_log)?;
        let before = find_any_case(&options.system_dir, &checkpoint_name(stream))
            .and_then(|path| read_checkpoint(&path).ok())
            .map(|report| report.checkpoint);
        let closed = match outcome.ended_at {
            Some(end) => Quit::already_closed(writer, end)
                .restart()
                .map_err(cannot_log)?
                .finish(before.as_ref()),
            None => {
                let end = if outcome.ends_with_mark {
                    LogEnd::ShutDownMark
                } else {
                    LogEnd::Open
                };
                let mut closing =
                    LogClosing::begin(writer, header, outcome.start, end).map_err(cannot_log)?;
                for step in &outcome.steps {
                    log_step(&mut closing, step)?;
                }
                let (mark, closed) =
                    crate::log::closing::close(closing, before.as_ref()).map_err(cannot_log)?;
                self.mark = Some(mark);
                closed
            }
        };
        Ok(closed)
    }

    /// The log files as they will be.
    fn stream_files(
        &mut self,
        stream: &LogStream,
        outcome: &Outcome,
        closed: &Closed,
    ) -> Result<()> {
        for path in &outcome.removed {
            self.files.insert(path.clone(), None);
        }
        let naming = StreamNaming {
            base: stream.base.clone(),
            extension: stream.extension.clone(),
            digits: stream.digits(),
        };
        let current = stream
            .current()
            .unwrap_or_else(|| stream.dir.join(naming.name(LogRole::Current)));
        for change in &closed.changes {
            let path = match change.role {
                LogRole::Current => current.clone(),
                role => {
                    let name = naming.name(role);
                    find_any_case(&stream.dir, &name).unwrap_or_else(|| stream.dir.join(name))
                }
            };
            let before = if change.was_current { &current } else { &path };
            let bytes = match &change.content {
                crate::log::changes::LogContent::New { .. } => Vec::new(),
                crate::log::changes::LogContent::Patch(_) => read_all(before)?,
            };
            self.files
                .insert(path, Some(change.content.applied_to(&bytes)));
        }
        Ok(())
    }

    /// Closed generations that nothing needs any more.
    fn truncate(&mut self, stream: &LogStream, outcome: &Outcome) {
        let last = outcome.last.generation();
        for path in stream.from(crate::format::ids::Generation::default()) {
            let is_current = stream.current().as_ref() == Some(&path);
            let is_last = stream.archived(last).as_ref() == Some(&path);
            if !is_current && !is_last {
                self.files.entry(path).or_insert(None);
            }
        }
    }
}

/// A database that was rolled forward, not back, can be rolled further: it needs the logs as before, and those that
/// were replayed.
fn stay_dirty(database: &mut Attached, outcome: &Outcome) {
    if super::is_clean(database) {
        return;
    }
    let header = &mut database.header;
    header.dbtime = header.dbtime.max(database.dbtime);
    header.objid_last = header.objid_last.max(database.objid_last);
    header.state = 2;
    let last = outcome.last.generation();
    let created = outcome.last.head.header.created;
    if header.required_low.get() == 0 {
        header.required_low = outcome.start.generation;
    }
    if header.required_high < last && header.required_high_time.is_set() {
        header.required_high_time = created;
    }
    if header.committed_high < last {
        header.committed_high_time = created;
    }
    header.required_high = header.required_high.max(last);
    header.committed_high = header.committed_high.max(last);
    header.recovering = last;
}

/// The flush map no longer knows how the pages were written: new signatures say that it does not belong to the
/// database any more, and the engine makes a new one. Databases from before there were flush maps get none.
/// [engine; verified: r-badjfm]
fn new_flush_signatures(header: &mut DbHeader, now: LogTime) {
    use std::hash::{BuildHasher, Hasher};
    if header.update_major < FLUSH_MAPS_SINCE {
        return;
    }
    let fresh = || Signature {
        random: std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish() as u32,
        created: now,
        computer: [0; 16],
    };
    header.sign_header_flush = fresh();
    header.sign_flush_map = fresh();
}

/// Revision of Windows 8 and Exchange 2013.
const FLUSH_MAPS_SINCE: u32 = 20;

fn attachment(database: &Attached) -> Attachment {
    let header = &database.header;
    Attachment {
        dbid: database.dbid.0,
        flags: UTF16,
        dbtime: database.dbtime,
        objid_last: database.objid_last,
        max_pages: 0,
        attached: header.last_attach,
        consistent: header.last_consistent,
        sign_db: header.sign_db,
        path: database.logged_path.clone(),
    }
}

/// Flag of an attachment: its path is UTF-16.
const UTF16: u8 = 0x20;

fn read_all(path: &Path) -> Result<Vec<u8>> {
    let file = FileStorage::open(path)?;
    let io = |error| Error::io(path, "read", error);
    let len = usize::try_from(file.len().map_err(io)?).unwrap_or(usize::MAX);
    file.read_start(len).map_err(io)
}

/// Saves, writes, and makes durable. Gives the undo file back, if it is kept.
pub fn commit(
    options: &RecoverOptions,
    disk: &dyn Disk,
    undo_path: &Path,
    outcome: &Outcome,
    closing: &Closing,
) -> Result<Option<PathBuf>> {
    let mut writer = UndoWriter::create(disk, undo_path, &format!("r {}", options.base))?;
    if let Err(error) = save(&mut writer, disk, outcome, closing) {
        drop(writer);
        let _ = disk.remove(undo_path);
        return Err(error);
    }
    writer.commit(options.keep_undo, |applier| {
        write(applier, disk, outcome, closing)
    })
}

fn save(
    writer: &mut UndoWriter<'_>,
    disk: &dyn Disk,
    outcome: &Outcome,
    closing: &Closing,
) -> Result<()> {
    for database in &outcome.databases {
        let image = Image::new(outcome, closing, database);
        if database.created {
            let mut hash = Xxh3::new();
            image.each_part(None, |_, bytes| {
                hash.update(bytes);
                Ok(())
            })?;
            replace_or_create(writer, disk, &database.path, image.len(), hash.digest())?;
            continue;
        }
        let storage = disk.open(&database.path)?;
        image.each_part(Some(&*storage), |offset, bytes| {
            writer.save_range(&database.path, offset, bytes)
        })?;
        writer.save_len(&database.path, image.len())?;
    }
    for (path, bytes) in &closing.files {
        match bytes {
            Some(bytes) => {
                let hash = xxhash_rust::xxh3::xxh3_64(bytes);
                replace_or_create(writer, disk, path, bytes.len() as u64, hash)?;
            }
            None if disk.exists(path)? => writer.will_remove(path)?,
            None => {}
        }
    }
    Ok(())
}

fn replace_or_create(
    writer: &mut UndoWriter<'_>,
    disk: &dyn Disk,
    path: &Path,
    len: u64,
    hash: u64,
) -> Result<()> {
    if disk.exists(path)? {
        writer.will_replace(path, len, hash)
    } else {
        writer.will_create(path, len, hash)
    }
}

fn write(
    applier: &mut Applier<'_>,
    disk: &dyn Disk,
    outcome: &Outcome,
    closing: &Closing,
) -> Result<()> {
    for (path, bytes) in &closing.files {
        match bytes {
            Some(bytes) if disk.exists(path)? => applier.replace_file(path, bytes)?,
            Some(bytes) => applier.create_file(path, bytes)?,
            None if disk.exists(path)? => applier.remove(path)?,
            None => {}
        }
    }
    for database in &outcome.databases {
        let image = Image::new(outcome, closing, database);
        let path = &database.path;
        if database.created {
            if disk.exists(path)? {
                applier.replace_file(path, &[])?;
            } else {
                applier.create_file(path, &[])?;
            }
            image.each_part(None, |offset, bytes| {
                applier.write_range(path, offset, bytes)
            })?;
        } else {
            let storage = disk.open(path)?;
            image.each_part(Some(&*storage), |offset, bytes| {
                applier.write_range(path, offset, bytes)
            })?;
            applier.set_len(path, image.len())?;
        }
    }
    Ok(())
}

/// A database as it will be.
struct Image<'a> {
    outcome: &'a Outcome,
    header: &'a DbHeader,
    database: &'a Attached,
    size: PageSize,
    last: Pgno,
}

impl<'a> Image<'a> {
    fn new(outcome: &'a Outcome, closing: &'a Closing, database: &'a Attached) -> Self {
        Self {
            outcome,
            header: closing.header_of(database),
            database,
            size: outcome.replay.pool.size(),
            last: outcome.replay.pool.last_page(database.slot),
        }
    }

    fn len(&self) -> u64 {
        (u64::from(self.last.get()) + HEADER_PAGES) * self.size.bytes() as u64
    }

    /// Visits what changes, in order: the two headers, then pages in runs. A new file is visited whole, its unused
    /// pages as zero.
    fn each_part(
        &self,
        old: Option<&dyn Storage>,
        mut visit: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let size = self.size.bytes();
        let mut headers = vec![0; 2 * size];
        if let Some(old) = old {
            // Bytes behind the known fields belong to a newer engine and stay as they are.
            let have = old
                .read_at(0, &mut headers)
                .map_err(|error| Error::io(&self.database.path, "read", error))?;
            headers[have..].fill(0);
            self.choose_header(&mut headers);
        }
        let (primary, shadow) = headers.split_at_mut(size);
        self.header.write_to(primary);
        shadow.copy_from_slice(primary);
        visit(0, &headers)?;
        let pool = &self.outcome.replay.pool;
        let changed = pool.changed(self.database.slot);
        let all: Box<dyn Iterator<Item = (Pgno, bool)>> = if old.is_none() {
            let mut changed = changed.into_iter().peekable();
            Box::new((1..=self.last.get()).map(move |number| {
                let pgno = Pgno::new(number);
                (pgno, changed.next_if_eq(&pgno).is_some())
            }))
        } else {
            Box::new(changed.into_iter().map(|pgno| (pgno, true)))
        };
        let mut run = Run::new(size);
        for (pgno, has_content) in all {
            if pgno > self.last {
                break;
            }
            if !run.takes(pgno) {
                run.flush(self.size, &mut visit)?;
            }
            let place = run.add(pgno, size);
            if has_content {
                pool.sealed(self.database.slot, pgno, place)?;
            }
        }
        run.flush(self.size, &mut visit)
    }

    /// Takes the bytes of the good header copy for both.
    fn choose_header(&self, headers: &mut [u8]) {
        let (primary, shadow) = headers.split_at_mut(self.size.bytes());
        if !crate::format::checksum::header_is_good(primary)
            && crate::format::checksum::header_is_good(shadow)
        {
            primary.copy_from_slice(shadow);
        }
    }
}

/// Neighbouring pages that are visited together.
struct Run {
    first: Option<Pgno>,
    pages: usize,
    bytes: Vec<u8>,
}

impl Run {
    fn new(page: usize) -> Self {
        Self {
            first: None,
            pages: 0,
            bytes: Vec::with_capacity(BATCH_BYTES.max(page)),
        }
    }

    fn takes(&self, pgno: Pgno) -> bool {
        self.first
            .is_none_or(|first| first.get() as usize + self.pages == pgno.get() as usize)
            && self.bytes.len() < BATCH_BYTES
    }

    fn add(&mut self, pgno: Pgno, size: usize) -> &mut [u8] {
        self.first.get_or_insert(pgno);
        self.pages += 1;
        let start = self.bytes.len();
        self.bytes.resize(start + size, 0);
        &mut self.bytes[start..]
    }

    fn flush(
        &mut self,
        size: PageSize,
        visit: &mut impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Some(first) = self.first.take() {
            visit(first.offset(size), &self.bytes)?;
        }
        self.pages = 0;
        self.bytes.clear();
        Ok(())
    }
}
