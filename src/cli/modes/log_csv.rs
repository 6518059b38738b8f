//! The records of logs as Eseutil's `/ml /c<file>` writes them: UTF-16 with a byte order mark, lines without a heading,
//! fields separated by a comma and a blank. [engine source; no sample of the real tool was at hand]
//!
//! ```text
//! LHGI, signature, generation, header checksum, created, created before, version, circular logging, sector size
//! LHAI, dbid, "path", bytes of the signature                                     a database in the header
//! LRPI, position, length, checksum, type, page, object, dbid, time before, time after    a page that changes
//! LRDI, position, length, checksum, type, dbid, "path", bytes of the signature
//! LRRI and LRTI, position, length, checksum, type, dbid                          the file's size
//! LRCI, position, length, both checksums                                         a range of the old format
//! LRMI, position, length, checksum, type                                         everything else
//! LTEL                                                                           the end of a sound log
//! ```

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crate::cli::log_line::short_name;
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::logrec::{
    DbId, EmptyTreeEntry, NodeHead, PageHead, Record, RecordKind, ResizeKind,
};
use crate::format::stamp::{Lgpos, LogTime, Signature};
use crate::log::generation::LoadedLog;
use crate::ops::log_records::{RecordPlace, RecordSink, Tally, walk};
use crate::ops::logs::{LogVisit, LogVisitor};

/// A page, its object and database, its times before and after.
type Change = (Pgno, Objid, DbId, DbTime, DbTime);

/// "Not given" and "a page that did not exist".
const NO_TIME: DbTime = DbTime::new(u64::MAX);

/// Pages of cut files that get a line each in one run; a damaged record may speak of billions.
const CUT_PAGES: u32 = 1 << 24;

/// Writes the file while logs are read.
pub struct CsvWriter {
    cut_pages: u32,
    out: BufWriter<File>,
    line: String,
    failed: Option<io::Error>,
}

impl CsvWriter {
    /// Makes the file; one that is there is left as it is.
    ///
    /// # Errors
    /// What the system says, also that the file exists.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create_new(path)?);
        out.write_all(&0xFEFF_u16.to_le_bytes())?;
        Ok(Self {
            cut_pages: CUT_PAGES,
            out,
            line: String::new(),
            failed: None,
        })
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    /// The first error of all writes.
    pub fn finish(mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        self.line.clear();
        let _ = self.line.write_fmt(text);
        for unit in self.line.encode_utf16().chain([13, 10]) {
            if let Err(error) = self.out.write_all(&unit.to_le_bytes()) {
                self.failed.get_or_insert(error);
                return;
            }
        }
    }

    fn header(&mut self, log: &LoadedLog) {
        let header = &log.head.header;
        self.line(format_args!(
            "LHGI, {}, {:08X}, {:08X}, {}, {}, {}.{}.{}.{}, {}, {}",
            header.sign_log,
            header.generation.get(),
            header.checksum,
            header.created.without_zone(),
            header.prev_created.without_zone(),
            header.major,
            header.minor,
            header.update_major,
            header.update_minor,
            if header.flags & 2 != 0 { "0x1" } else { "0x0" },
            header.sector_size
        ));
        for attached in &log.head.attachments {
            self.line(format_args!(
                "LHAI, {}, \"{}\", {}",
                attached.dbid,
                attached.path,
                Bytes(&attached.sign_db)
            ));
        }
    }

    fn pages(&mut self, entry: &Entry, pages: &[Change]) {
        for (number, (pgno, objid, dbid, before, after)) in pages.iter().enumerate() {
            self.line(format_args!(
                "LRPI{entry:#}, {:04X}, {:016X}, {}, {:08X}, {:08X}, {:08X}, {:016X}, {:016X}",
                // Only the first line of a record counts its bytes.
                if number == 0 { entry.len } else { 0 },
                entry.checksum,
                short_name(entry.kind),
                pgno.get(),
                objid.get(),
                dbid.0,
                before.get(),
                after.get()
            ));
        }
    }

    fn database(&mut self, entry: &Entry, dbid: DbId, path: &str, signature: &Signature) {
        self.line(format_args!(
            "LRDI{entry}, {}, \"{path}\", {}",
            dbid.0,
            Bytes(signature)
        ));
    }
}

/// The 28 bytes of a signature.
struct Bytes<'a>(&'a Signature);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogTime(created) = self.0.created;
        let random = self.0.random.to_le_bytes();
        let all = random.iter().chain(&created).chain(&self.0.computer);
        all.into_iter()
            .try_for_each(|byte| write!(f, "{byte:02X} "))
    }
}

/// What every line of a record begins with; `{:#}` is its position alone.
struct Entry {
    at: Lgpos,
    len: usize,
    checksum: u32,
    kind: RecordKind,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        write!(
            f,
            ", {:08X}:{:04X}:{:04X}",
            at.generation.get(),
            at.isec,
            at.ib
        )?;
        if f.alternate() {
            return Ok(());
        }
        write!(
            f,
            ", {:04X}, {:016X}, {}",
            self.len,
            self.checksum,
            short_name(self.kind)
        )
    }
}

impl LogVisitor for CsvWriter {
    fn log(&mut self, visit: &LogVisit<'_>) -> Tally {
        let Some(log) = visit.readable() else {
            return Tally::default();
        };
        self.header(log);
        let tally = walk(log, Some(self));
        if log.scan.damage.is_none() && tally.fault.is_none() {
            self.line(format_args!("LTEL"));
        }
        tally
    }
}

/// XOR of the words and of the position. [engine]
fn checksum(at: Lgpos, bytes: &[u8]) -> u32 {
    let seed = at.generation.get() ^ (u32::from(at.isec) << 16 | u32::from(at.ib));
    bytes.chunks(4).fold(seed, |sum, word| {
        let mut four = [0; 4];
        four[..word.len()].copy_from_slice(word);
        sum ^ u32::from_le_bytes(four)
    })
}

/// How many bytes of a record the checksum covers: its fixed part, and for most types what follows.
fn covered(kind: RecordKind, len: usize, record: &Record<'_>) -> usize {
    let fixed = kind.fixed_len().unwrap_or(len);
    match record {
        Record::FlagInsert(..) | Record::Delta(..) | Record::Undo(..) => fixed,
        // The fields that the newer types add are not covered.
        Record::Split(..) => RecordKind::SPLIT_OLD.fixed_len().unwrap_or(fixed),
        Record::Merge(_, merge) => {
            RecordKind::MERGE_OLD.fixed_len().unwrap_or(fixed) + merge.separator.len()
        }
        Record::UndoInfo(_, undo) => fixed + undo.before.len(),
        Record::Note(note)
            if matches!(kind, RecordKind::TRACE | RecordKind::FORCE_LOG_ROLLOVER) =>
        {
            let end = note.text.iter().position(|byte| *byte == 0);
            fixed + end.unwrap_or(note.text.len())
        }
        _ => len,
    }
}

impl RecordSink for CsvWriter {
    fn record(&mut self, place: RecordPlace, bytes: &[u8], record: &Record<'_>) {
        let kind = RecordKind::new(bytes.first().copied().unwrap_or_default());
        if kind == RecordKind::NOP {
            return;
        }
        let at = place.printed;
        let covered = covered(kind, bytes.len(), record).min(bytes.len());
        let entry = Entry {
            at,
            len: bytes.len(),
            checksum: checksum(at, &bytes[..covered]),
            kind,
        };
        match record {
            Record::CreateDb(create) => {
                self.database(&entry, create.dbid, &create.path, &create.sign_db);
            }
            Record::AttachDb(attach) => {
                self.database(&entry, attach.dbid, &attach.path, &attach.sign_db);
            }
            Record::DetachDb(detach) => {
                self.database(&entry, detach.dbid, &detach.path, &Signature::default());
            }
            Record::Resize(dbid, pgno, ResizeKind::Shrink { pages, after })
                if kind != RecordKind::SHRINK_DB =>
            {
                let told = (*pages).min(self.cut_pages.max(1));
                self.cut_pages = self.cut_pages.saturating_sub(told);
                for page in 1..=told {
                    let pgno = Pgno::new(pgno.get().wrapping_add(page));
                    let after = after.unwrap_or(NO_TIME);
                    self.pages(&entry, &[(pgno, Objid::default(), *dbid, NO_TIME, after)]);
                    if self.failed.is_some() {
                        return;
                    }
                }
            }
            Record::Resize(dbid, _, what) => {
                let label = match what {
                    ResizeKind::Trim { .. } => "LRTI",
                    _ => "LRRI",
                };
                self.line(format_args!("{label}{entry}, {}", dbid.0));
            }
            Record::RangeCheck(range) => self.line(format_args!(
                "LRCI{entry:#}, {:04X}, {:08X}{:08X}",
                entry.len,
                range.short.unwrap_or_default(),
                range.checksum
            )),
            _ => match changes(record) {
                Some(pages) => self.pages(&entry, &pages),
                None => self.line(format_args!("LRMI{entry}")),
            },
        }
    }
}

/// The pages that a record changes, with their objects and times; `None` for other records.
fn changes(record: &Record<'_>) -> Option<Vec<Change>> {
    let of = |head: &PageHead, objid: Objid, pages: &[(Pgno, DbTime)]| {
        let one = |(pgno, before): &(Pgno, DbTime)| (*pgno, objid, head.dbid, *before, head.after);
        pages.iter().map(one).collect::<Vec<_>>()
    };
    let present = |pages: &[(Pgno, DbTime)]| -> Vec<(Pgno, DbTime)> {
        let there = pages.iter().filter(|(pgno, _)| !pgno.is_null());
        there.copied().collect()
    };
    Some(match record {
        Record::Split(head, split) if split.new.is_null() => {
            of(head, split.objid, &[(head.pgno, head.before)])
        }
        Record::Split(head, split) => of(
            head,
            split.objid,
            &present(&[
                (head.pgno, head.before),
                (split.new, NO_TIME),
                (split.parent, split.parent_before),
                (split.right, split.right_before),
            ]),
        ),
        Record::Merge(head, merge) => of(
            head,
            merge.objid,
            &present(&[
                (head.pgno, head.before),
                (merge.parent, merge.parent_before),
                (merge.right, merge.right_before),
                (merge.left, merge.left_before),
            ]),
        ),
        Record::PageMove(head, moved) => of(
            head,
            moved.objid,
            &present(&[
                (head.pgno, head.before),
                (moved.dest, NO_TIME),
                (moved.parent, moved.parent_before),
                (moved.left, moved.left_before),
                (moved.right, moved.right_before),
            ]),
        ),
        Record::CreateFdp(head, trees) if head.kind == RecordKind::CREATE_SINGLE_EXTENT_FDP => of(
            head,
            trees.objid,
            &[(head.pgno, head.before), (trees.parent, NO_TIME)],
        ),
        Record::CreateFdp(head, trees) => of(
            head,
            trees.objid,
            &[
                (head.pgno, head.before),
                (trees.oe, NO_TIME),
                (trees.ae, NO_TIME),
                (trees.parent, NO_TIME),
            ],
        ),
        Record::ConvertFdp(head, trees) => of(
            head,
            trees.objid,
            &[
                (head.pgno, head.before),
                (trees.parent, NO_TIME),
                (trees.oe, NO_TIME),
                (trees.ae, NO_TIME),
                (trees.secondary_first, NO_TIME),
            ],
        ),
        Record::EmptyTree(NodeHead { page, objid, .. }, list) => {
            let root = (page.pgno, page.before);
            let entries = EmptyTreeEntry::all(list).map(|entry| (entry.pgno, entry.before));
            let pages: Vec<_> = std::iter::once(root).chain(entries).collect();
            of(page, *objid, &pages)
        }
        Record::NewPage(new) => vec![(new.pgno, new.objid, new.dbid, NO_TIME, new.after)],
        Record::MacroPages(pages) => pages
            .pages()
            .map(|pgno| {
                (
                    pgno,
                    Objid::default(),
                    pages.dbid,
                    DbTime::ZERO,
                    DbTime::ZERO,
                )
            })
            .collect(),
        Record::Insert(NodeHead { page, objid, .. }, ..)
        | Record::FlagInsert(NodeHead { page, objid, .. }, ..)
        | Record::FlagInsertAndReplaceData(NodeHead { page, objid, .. }, ..)
        | Record::FlagDelete(NodeHead { page, objid, .. })
        | Record::Replace(NodeHead { page, objid, .. }, _)
        | Record::Delete(NodeHead { page, objid, .. })
        | Record::UndoInfo(NodeHead { page, objid, .. }, _)
        | Record::Delta(NodeHead { page, objid, .. }, _)
        | Record::SetExternalHeader(NodeHead { page, objid, .. }, _)
        | Record::Undo(NodeHead { page, objid, .. }, _)
        | Record::Scrub(NodeHead { page, objid, .. }, _) => {
            of(page, *objid, &[(page.pgno, page.before)])
        }
        _ => return None,
    })
}
