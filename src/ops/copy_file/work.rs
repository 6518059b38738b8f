//! The copying itself, and the last steps.

use std::ops::Range;
use std::time::Instant;

use super::CopyOptions;
use super::map::{CopyMap, MAX_BAD, SourceId};
use super::names::Names;
use super::prepare::{self, Begin};
use super::reader::{CHUNK, Reader, Shrunk};
use super::report::{CopyOutcome, CopyReport, Kept, Verified, pages_of, unread};
use super::target::Target;
use super::verify::Verifier;
use crate::error::{Error, Result};
use crate::format::dbheader::HeaderCopies;
use crate::format::filekind::{FileKind, identify};
use crate::format::ids::PageSize;
use crate::jet::JetError;
use crate::log::verify::{HeaderFault, check_storage};
use crate::progress::{Left, Progress, Task};
use crate::storage::{Disk, Storage};

/// So many bytes are copied between two saves of the map: what a kill can cost.
const SAVE_EVERY: u64 = 64 << 20;

/// See [`super::copy_on`].
pub fn run(options: &CopyOptions, disk: &dyn Disk, progress: &dyn Progress) -> Result<CopyReport> {
    let started = Instant::now();
    let source = disk.open(&options.source)?;
    let id = SourceId::of(&options.source, source.as_ref())?;
    let names = prepare::names(options, disk)?;
    let (target, map, finished) =
        match prepare::begin(options, disk, &names, (&id, source.as_ref()))? {
            Begin::Part(target, map) => (target, map, false),
            Begin::Finished(target, map) => (target, map, true),
        };
    progress.leaves(if finished {
        Left::Changed { undo: None }
    } else {
        left(options, &names, &map)
    });
    let mut work = Work {
        options,
        progress,
        disk,
        names: &names,
        source: source.as_ref(),
        id,
        before: map.finished.bytes(),
        reader: Reader::new(source.as_ref(), !options.ignore_errors && !options.resume),
        target,
        map,
        finished,
        unsaved: 0,
        sync_failed: false,
    };
    match work.go() {
        Ok(mut report) => {
            if report.outcome == CopyOutcome::Incomplete {
                work.give_up();
            }
            report.elapsed = started.elapsed();
            report.find();
            Ok(report)
        }
        Err(error) => {
            let error = work.explain(error);
            work.give_up();
            Err(error)
        }
    }
}

/// What a run leaves that ends now. Of a map it is what was in it when it was saved.
fn left<'a>(options: &CopyOptions, names: &'a Names, map: &CopyMap) -> Left<'a> {
    let file = names.part.as_path();
    if options.resume {
        Left::Kept {
            file,
            done: map.finished.bytes(),
            total: map.source.bytes,
        }
    } else {
        Left::Unfinished { file }
    }
}

struct Work<'a> {
    options: &'a CopyOptions,
    progress: &'a dyn Progress,
    disk: &'a dyn Disk,
    names: &'a Names,
    source: &'a dyn Storage,
    id: SourceId,
    reader: Reader<'a>,
    target: Target,
    map: CopyMap,
    /// The target has its name already; nothing is to be read or written.
    finished: bool,
    /// Bytes that an earlier run had copied.
    before: u64,
    /// Bytes copied since the map was saved.
    unsaved: u64,
    /// What is durable is not known any more, and a later sync would not tell.
    sync_failed: bool,
}

impl Work<'_> {
    fn go(&mut self) -> Result<CopyReport> {
        let progress = self.progress;
        if !self.finished {
            let sized = self.target.file.set_len(self.id.bytes);
            sized.map_err(|error| Error::io(&self.target.path, "change the length of", error))?;
        }
        let (kind, page_size) = self.identify()?;
        let mut verifier = self.verifier(kind, page_size)?;
        progress.start(Task::bytes("copying", self.id.bytes));
        self.copy(verifier.as_mut())?;
        let now = SourceId::of(&self.options.source, self.source)?;
        if !self.finished && !now.is_same(&self.id) {
            return Err(Error::Copy {
                path: self.options.source.clone(),
                jet: JetError::FILE_ACCESS_DENIED,
                what: "the file was written to while it was copied".into(),
                advice: Some("stop what writes to it, and copy it again".into()),
            });
        }
        let outcome = match (self.map.bad.is_empty(), self.options.ignore_errors) {
            (true, _) => CopyOutcome::Copied,
            _ if self.finished => CopyOutcome::Filled,
            (false, true) => CopyOutcome::Filled,
            (false, false) => CopyOutcome::Incomplete,
        };
        let mut verified_log = None;
        if outcome == CopyOutcome::Incomplete {
            if self.options.resume {
                self.save()?;
            }
        } else {
            progress.finish();
            if self.options.verify && matches!(kind, FileKind::Log { .. }) {
                verified_log = Some(self.judge_log()?);
            }
            self.give_name()?;
        }
        let kept = outcome == CopyOutcome::Incomplete && self.options.resume;
        let verified = verifier.map(Verifier::finish);
        Ok(self.report(outcome, (kind, page_size), verified, verified_log, kept))
    }

    fn report(
        &self,
        outcome: CopyOutcome,
        (kind, page_size): (FileKind, Option<PageSize>),
        verified: Option<Verified>,
        verified_log: Option<JetError>,
        kept: bool,
    ) -> CopyReport {
        CopyReport {
            source: self.options.source.clone(),
            dest: self.options.dest.clone(),
            outcome,
            kind,
            page_size,
            bytes: self.id.bytes,
            bytes_read: self.reader.bytes,
            bytes_before: self.before,
            bytes_written: self.target.written,
            bytes_left_out: self.target.left_out,
            failed_reads: self.reader.failed,
            cause: self.reader.cause.clone(),
            unread: unread(&self.map.bad),
            unread_pages: page_size.map_or_else(Vec::new, |size| pages_of(&self.map.bad, size)),
            kept: kept.then(|| Kept {
                part: self.names.part.clone(),
                map: self.names.map.clone(),
            }),
            verified,
            verified_log,
            elapsed: std::time::Duration::ZERO,
            findings: Vec::new(),
        }
    }

    /// What the source is, and its page size: from what was copied before, and what can be read of the rest.
    fn identify(&mut self) -> Result<(FileKind, Option<PageSize>)> {
        let len = self.id.bytes.min(HeaderCopies::PROBE_BYTES as u64);
        let mut start = vec![0; len as usize];
        let todo = self.todo(&(0..len));
        // What this costs is no part of the copy.
        let mut reader = Reader::new(self.source, false);
        self.fill(&mut reader, &todo, 0, &mut start)?;
        let kind = identify(&start);
        let is_database = matches!(
            kind,
            FileKind::Database { .. } | FileKind::Streaming { .. } | FileKind::DamagedDatabase
        );
        let in_header = || Some(HeaderCopies::read(&start, None)?.page_size);
        let page_size = self.options.page_size;
        let page_size = page_size.or_else(|| is_database.then(in_header).flatten());
        Ok((kind, page_size))
    }

    fn verifier(&self, kind: FileKind, size: Option<PageSize>) -> Result<Option<Verifier>> {
        let path = || self.options.source.clone();
        match (kind, size) {
            _ if !self.options.verify => Ok(None),
            (FileKind::Log { .. }, _) => Ok(None),
            (_, Some(size)) => Ok(Some(Verifier::new(kind, size, self.id.bytes))),
            (FileKind::DamagedDatabase, None) => Err(Error::NoDatabaseHeader { path: path() }),
            _ => Err(Error::Copy {
                path: path(),
                jet: JetError::FILE_INVALID_TYPE,
                what: format!("it is {}, which has no checksums to verify", kind.words()),
                advice: Some("copy it without --verify".into()),
            }),
        }
    }

    /// Which parts of a range are to be read from the source.
    fn todo(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        if self.finished {
            return Vec::new();
        }
        self.map.finished.missing(range)
    }

    /// Reads `todo` from the source into a buffer that begins at `offset`, and the rest from the part file. Returns what
    /// could not be read.
    fn fill(
        &self,
        reader: &mut Reader<'_>,
        todo: &[Range<u64>],
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Vec<Range<u64>>> {
        let all = offset..offset + buffer.len() as u64;
        if todo != std::slice::from_ref(&all) {
            self.target.read(offset, buffer)?;
        }
        let mut bad = Vec::new();
        for range in todo {
            let part = &mut buffer[within(range, offset)];
            let lost = reader.read(range.start, part);
            bad.extend(lost.map_err(|shrunk| self.shrunk(shrunk))?);
            if self.stops_at(&bad) {
                break;
            }
        }
        Ok(bad)
    }

    /// Without a map, and with nobody who wants zeroes, the first bad sector ends the copy.
    const fn stops_at(&self, bad: &[Range<u64>]) -> bool {
        !bad.is_empty() && !self.options.ignore_errors && !self.options.resume
    }

    fn shrunk(&self, shrunk: Shrunk) -> Error {
        Error::Copy {
            path: self.options.source.clone(),
            jet: JetError::DISK_READ_VERIFICATION_FAILURE,
            what: format!(
                "the file ends at byte {}, but should have {}",
                shrunk.at, self.id.bytes
            ),
            advice: Some("find out what cuts it off, and copy it again".into()),
        }
    }

    fn copy(&mut self, mut verifier: Option<&mut Verifier>) -> Result<()> {
        let len = self.id.bytes;
        let mut buffer = vec![0; CHUNK.min(usize::try_from(len).unwrap_or(CHUNK))];
        let mut at = 0;
        while at < len {
            let range = at..len.min(at + CHUNK as u64);
            let buffer = &mut buffer[..(range.end - at) as usize];
            let todo = self.todo(&range);
            if !todo.is_empty() || verifier.is_some() {
                if self.chunk(&range, &todo, buffer)? {
                    return Ok(());
                }
                if let Some(verifier) = &mut verifier {
                    verifier.chunk(at, buffer, &self.map);
                }
            }
            self.progress.advance(range.end - at);
            at = range.end;
        }
        Ok(())
    }

    /// Copies what is to be copied of one chunk, which is then in the buffer. True when the copy ends here.
    fn chunk(
        &mut self,
        range: &Range<u64>,
        todo: &[Range<u64>],
        buffer: &mut [u8],
    ) -> Result<bool> {
        let mut reader = std::mem::replace(&mut self.reader, Reader::new(self.source, true));
        let bad = self.fill(&mut reader, todo, range.start, buffer);
        self.reader = reader;
        let bad = bad?;
        if self.stops_at(&bad) {
            self.map.note(&[], &bad);
            return Ok(true);
        }
        for part in todo {
            let bytes = &buffer[within(part, range.start)];
            self.target.write(part.start, bytes)?;
            self.unsaved += part.end - part.start;
        }
        let bad_before = self.map.bad.inside(range);
        self.map.note(todo, &bad);
        if self.map.bad.len() > MAX_BAD {
            return Err(Error::Copy {
                path: self.options.source.clone(),
                jet: JetError::DISK_IO,
                what: format!("more than {MAX_BAD} separate places cannot be read"),
                advice: Some("make an image of the disk with a tool for that first".into()),
            });
        }
        // What was won from a bad disk is not read twice.
        let is_news = self.map.bad.inside(range) != bad_before;
        if self.options.resume && (is_news || self.unsaved >= SAVE_EVERY) {
            self.save()?;
        }
        Ok(false)
    }

    /// Saves the map, after what it will call finished.
    fn save(&mut self) -> Result<()> {
        self.sync()?;
        self.map.save(self.disk, self.names)?;
        self.unsaved = 0;
        self.progress
            .leaves(left(self.options, self.names, &self.map));
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.target.sync();
        self.sync_failed |= synced.is_err();
        synced
    }

    /// What is wrong with the blocks of the copied log.
    fn judge_log(&self) -> Result<JetError> {
        match check_storage(self.target.file.as_ref()) {
            Ok((_, scan)) => Ok(scan.damage.map_or(JetError::SUCCESS, |damage| damage.jet)),
            Err(HeaderFault::Io(error)) => Err(Error::io(&self.target.path, "read", error)),
            Err(fault) => Ok(fault.jet()),
        }
    }

    /// Makes the copy durable and gives it its name.
    fn give_name(&mut self) -> Result<()> {
        let dir = self.names.dir();
        if !self.finished {
            if self.options.resume {
                self.map.complete = true;
                self.save()?;
            } else {
                self.sync()?;
            }
            // Somebody may have made one since.
            prepare::check_free(self.options, self.disk, self.names)?;
            self.progress.leaves(Left::Changing { undo: None });
            self.disk.rename(&self.names.part, &self.names.dest)?;
            self.finished = true;
        }
        let synced = self.disk.sync_dir(dir);
        self.progress.leaves(Left::Changed { undo: None });
        synced.map_err(|error| Error::Copy {
            path: self.options.dest.clone(),
            jet: error.jet(),
            what: format!(
                "the copy is whole, but its name may not outlast a loss of power: {error}"
            ),
            advice: Some("copy it again with --force".into()),
        })?;
        // A map that stays says that the copy is whole, and so it is.
        if self.options.resume && self.disk.remove(&self.names.map).is_ok() {
            let _ = self.disk.sync_dir(dir);
        }
        Ok(())
    }

    /// Of a full disk: how much was wanted, and how much there was room for.
    fn explain(&self, error: Error) -> Error {
        if error.jet() != JetError::DISK_FULL {
            return error;
        }
        let advice = if self.options.resume {
            "make room and run it again, with --resume"
        } else {
            "make room, or name a destination on another disk with /d"
        };
        Error::Copy {
            path: self.options.dest.clone(),
            jet: JetError::DISK_FULL,
            what: format!(
                "the disk is full: {} of {} bytes had been copied",
                self.map.finished.bytes(),
                self.id.bytes
            ),
            advice: Some(advice.into()),
        }
    }

    /// The copy did not become whole: leaves what a later run can use, or nothing. What prevents that is not told: the
    /// reason for giving up is.
    fn give_up(mut self) {
        if self.finished {
            return;
        }
        let has_something = !self.map.finished.is_empty() || !self.map.bad.is_empty();
        if self.options.resume && has_something {
            if self.unsaved > 0 && !self.sync_failed {
                let _ = self.save();
            }
            return;
        }
        let (disk, names) = (self.disk, self.names);
        // As long as the part file is open nobody else takes it.
        if self.options.resume {
            let _ = disk.remove(&names.map);
        }
        let _ = disk.remove(&names.part);
        let _ = disk.sync_dir(names.dir());
    }
}

/// A range as indices of a buffer that begins at `offset`.
const fn within(range: &Range<u64>, offset: u64) -> Range<usize> {
    (range.start - offset) as usize..(range.end - offset) as usize
}
