//! `ml`: one log file, or all logs of a stream and whether they follow each other.

mod report;
mod visit;

use std::path::Path;

use crate::error::{Error, Result};
use crate::format::ids::Generation;
use crate::format::loghdr::LogHeader;
use crate::format::logrec::RecordFault;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::log::generation::LoadedLog;
use crate::log::names::{self, LogName, LogNumber};
use crate::log::records::RecordsFault;
use crate::log::verify::{self, HeaderFault, LogCheck};
use crate::ops::identify::{self, FileKind};
use crate::ops::log_records::Tally;
use crate::problem::{Finding, Place, Problem};
use crate::progress::{Progress, Silent, Task};

pub use report::{LogReport, LogTrouble, StreamEntry, StreamReport, Unread};
pub use visit::{GenerationRange, LogVisit, LogVisitor, Quiet};

/// Checks one log file.
///
/// # Errors
/// [`Error::Io`] when it cannot be read; [`Error::WrongFileType`] for a database, checkpoint or
/// flush map.
pub fn read_log(path: &Path, visitor: &mut dyn LogVisitor) -> Result<LogReport> {
    let (_, _, kind) = identify::open(path)?;
    let foreign = !matches!(kind, FileKind::Log { .. });
    if let Some(mode) = kind.dump_mode().filter(|_| foreign) {
        return Err(Error::WrongFileType {
            path: path.to_owned(),
            found: kind.words(),
            mode,
        });
    }
    let loaded = match LoadedLog::load(path) {
        Err(HeaderFault::Io(error)) => return Err(Error::io(path, "read", error)),
        loaded => loaded,
    };
    let checkpoint = checkpoint_beside(path);
    let visit = LogVisit {
        path,
        log: loaded.as_ref().map_err(HeaderFault::jet),
        chain: None,
        checkpoint,
    };
    let mut tally = visitor.log(&visit);
    let mut troubles = Vec::new();
    let mut unread = None;
    match &loaded {
        Ok(log) => unread = judge(log, &tally, &mut troubles),
        Err(fault) => troubles.push(LogTrouble::Header { jet: fault.jet() }),
    }
    visitor.checked(path, &troubles);
    let mut findings: Vec<_> = troubles
        .iter()
        .map(|trouble| finding(trouble, path))
        .chain(unread.map(|unread| unread_finding(unread, path)))
        .collect();
    findings.extend(visitor.findings());
    let records = match &loaded {
        Ok(log) if visitor.wants_summary() => Some(tally.summary(log.head.header.page_size)),
        _ => None,
    };
    Ok(LogReport {
        checkpoint,
        check: loaded.ok().map(|log| LogCheck {
            path: log.path,
            head: log.head,
            scan: log.scan,
        }),
        path: path.to_owned(),
        troubles,
        records,
        unread,
        findings,
    })
}

/// Damage of blocks; if there is none, of records.
fn judge(log: &LoadedLog, tally: &Tally, troubles: &mut Vec<LogTrouble>) -> Option<Unread> {
    if let Some(damage) = log.scan.damage {
        troubles.push(LogTrouble::Damaged {
            jet: damage.jet,
            at: damage.at,
        });
        return None;
    }
    match tally.fault {
        Some(RecordsFault {
            at,
            fault: RecordFault::Unknown { kind },
        }) if kind.is_undocumented() => return Some(Unread { at, kind }),
        Some(fault) => troubles.push(LogTrouble::Record {
            jet: JetError::LOG_FILE_CORRUPT,
            at: fault.at,
            what: fault.fault.to_string(),
        }),
        // The old format begins with the LRCHECKSUM of its first range. [engine source]
        None if tally.histogram.total().records == 0 => troubles.push(LogTrouble::Damaged {
            jet: JetError::LOG_FILE_CORRUPT,
            at: log.scan.end,
        }),
        None => {}
    }
    None
}

fn unread_finding(unread: Unread, path: &Path) -> Finding {
    let mut place = Place::file(path.to_string_lossy());
    place.lgpos = Some(unread.at);
    Finding::new(Problem::LogUnread, place).with_detail(unread.kind.to_string())
}

/// The checkpoint of the stream that a log belongs to, by the first letters of its name.
fn checkpoint_beside(log: &Path) -> Option<Lgpos> {
    let base = log
        .file_name()?
        .to_str()?
        .get(..names::BASE_LEN)?
        .to_ascii_lowercase();
    let wanted = [format!("{base}.jcp"), format!("{base}.chk")];
    let mut found: Vec<_> = std::fs::read_dir(verify::directory_of(log))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| {
            let rank = wanted
                .iter()
                .position(|w| *w == name.to_ascii_lowercase())?;
            Some((rank, name))
        })
        .collect();
    found.sort();
    let path = verify::directory_of(log).join(&found.first()?.1);
    super::checkpoint::read_checkpoint(&path)
        .ok()
        .map(|report| report.checkpoint.checkpoint)
}

/// Checks all logs with the base name `base` in `dir`, in order, each against the one before.
///
/// # Errors
/// [`Error::Io`] when the directory cannot be read; [`Error::NoLogs`] when there are none.
pub fn read_stream(
    dir: &Path,
    base: &str,
    range: GenerationRange,
    visitor: &mut dyn LogVisitor,
) -> Result<StreamReport> {
    read_stream_watched(dir, base, range, visitor, &Silent)
}

/// The same; `progress` hears how far it is.
///
/// # Errors
/// As [`read_stream`].
pub fn read_stream_watched(
    dir: &Path,
    base: &str,
    range: GenerationRange,
    visitor: &mut dyn LogVisitor,
    progress: &dyn Progress,
) -> Result<StreamReport> {
    let mut logs = names::of_stream(dir, base).map_err(|error| Error::io(dir, "read", error))?;
    logs.retain(|name| range.holds(name.number));
    if logs.is_empty() {
        return Err(Error::NoLogs {
            dir: dir.to_owned(),
            base: base.to_owned(),
        });
    }
    let digits = logs.iter().find_map(LogName::digits).unwrap_or(8);
    let mut entries = Vec::new();
    let mut walk = Walk {
        checkpoint: checkpoint_beside(&dir.join(&logs[0].file_name)),
        ..Walk::default()
    };
    progress.start(Task::things("reading", logs.len() as u64, "logs"));
    for name in &logs {
        if let (LogNumber::Archived(number), Some(last)) = (name.number, walk.last_number)
            && number != last.next()
            && number > last
        {
            let (first, end) = (last.next(), Generation::new(number.get() - 1));
            let of = |g: Generation| format!("{base}{:0digits$X}.{}", g.get(), name.extension);
            visitor.missing(&of(first), &of(end));
            entries.push(StreamEntry::Missing {
                first,
                last: end,
                names: (of(first), of(end)),
            });
            walk.adjacent = false;
        }
        entries.push(walk.visit(dir, name, visitor));
        progress.advance(1);
    }
    progress.finish();
    let mut findings: Vec<_> = entries.iter().flat_map(entry_findings).collect();
    findings.extend(visitor.findings());
    let jet = entries
        .iter()
        .find_map(first_error)
        .unwrap_or(JetError::SUCCESS);
    Ok(StreamReport {
        base: base.to_owned(),
        dir: dir.to_owned(),
        entries,
        jet,
        findings,
    })
}

fn first_error(entry: &StreamEntry) -> Option<JetError> {
    match entry {
        StreamEntry::Log { troubles, .. } => troubles.first().map(LogTrouble::jet),
        StreamEntry::Missing { .. } => Some(JetError::MISSING_LOG_FILE),
    }
}

fn entry_findings(entry: &StreamEntry) -> Vec<Finding> {
    match entry {
        StreamEntry::Log {
            path,
            troubles,
            torn,
            unread,
            ..
        } => {
            let unread = unread.map(|unread| unread_finding(unread, path));
            let torn =
                torn.then(|| Finding::new(Problem::LogTorn, Place::file(path.to_string_lossy())));
            troubles
                .iter()
                .map(|trouble| finding(trouble, path))
                .chain(torn)
                .chain(unread)
                .collect()
        }
        StreamEntry::Missing {
            names: (first, last),
            ..
        } => {
            let detail = if first == last {
                first.clone()
            } else {
                format!("{first} to {last}")
            };
            vec![Finding::new(Problem::LogMissing, Place::default()).with_detail(detail)]
        }
    }
}

fn finding(trouble: &LogTrouble, path: &Path) -> Finding {
    let mut place = Place::file(path.to_string_lossy());
    if let LogTrouble::Damaged { at, .. } | LogTrouble::Record { at, .. } = trouble {
        place.lgpos = Some(*at);
    }
    let found = Finding::new(trouble.problem(), place);
    match trouble {
        LogTrouble::Record { what, .. } => found.with_detail(what),
        _ => found,
    }
}

/// What one log leaves for the next to be compared with.
#[derive(Default)]
struct Walk {
    /// Number in the last name.
    last_number: Option<Generation>,
    /// The last header that could be read, with the sum of its segments.
    last: Option<(LogHeader, u64)>,
    /// The last header is that of the log right before, and was sound. As in the engine a log that
    /// fails a comparison is not compared with by its successor.
    adjacent: bool,
    /// Of the stream.
    checkpoint: Option<Lgpos>,
}

impl Walk {
    fn visit(&mut self, dir: &Path, name: &LogName, visitor: &mut dyn LogVisitor) -> StreamEntry {
        let path = dir.join(&name.file_name);
        if let LogNumber::Archived(number) = name.number {
            self.last_number = Some(number);
        }
        let was_adjacent = std::mem::take(&mut self.adjacent);
        let loaded = LoadedLog::load(&path);
        let before = self.last.as_ref().filter(|_| was_adjacent);
        let chain = match (&loaded, before) {
            (Ok(log), Some(before)) => compare(before, &log.head.header),
            _ => None,
        };
        let mut tally = visitor.log(&LogVisit {
            path: &path,
            log: loaded.as_ref().map_err(HeaderFault::jet),
            chain: chain.as_ref(),
            checkpoint: self.checkpoint,
        });
        let mut troubles: Vec<_> = chain.into_iter().collect();
        let mut entry = (None, false, None, None);
        match loaded {
            Err(fault) => troubles.push(LogTrouble::Header { jet: fault.jet() }),
            Ok(log) => {
                let unread = if troubles.is_empty() {
                    self.follow(&log, name, &tally, &mut troubles)
                } else {
                    None
                };
                let page_size = log.head.header.page_size;
                let summary = (visitor.wants_summary() && tally.histogram.total().records > 0)
                    .then(|| Box::new(tally.summary(page_size)));
                entry = (Some(log.generation()), log.scan.torn, summary, unread);
            }
        }
        visitor.checked(&path, &troubles);
        let (generation, torn, records, unread) = entry;
        StreamEntry::Log {
            path,
            generation,
            torn,
            troubles,
            records,
            unread,
        }
    }

    /// Judges a log that follows the one before, which is what the next one is then compared with.
    fn follow(
        &mut self,
        log: &LoadedLog,
        name: &LogName,
        tally: &Tally,
        troubles: &mut Vec<LogTrouble>,
    ) -> Option<Unread> {
        let header = &log.head.header;
        let unread = judge(log, tally, troubles);
        self.adjacent = true;
        let misnamed = match name.number {
            LogNumber::Archived(number) if number != header.generation => Some(number),
            _ => None,
        };
        if let Some(expected) = misnamed.filter(|_| troubles.is_empty()) {
            troubles.push(LogTrouble::Name {
                generation: header.generation,
                expected,
            });
            self.adjacent = false;
        }
        self.last = Some((header.clone(), log.scan.segments_checksum));
        unread
    }
}

/// The engine's comparisons of a log with the one before, in its order: generation, time, segment
/// sum, signature. [log notes 1.3, 13]
fn compare((before, sum): &(LogHeader, u64), header: &LogHeader) -> Option<LogTrouble> {
    let expected = before.generation.next();
    if header.generation != expected {
        return Some(LogTrouble::MissingBefore {
            generation: header.generation,
            expected,
        });
    }
    if header.prev_created != before.created {
        let (found, expected) = (header.prev_created, before.created);
        return Some(LogTrouble::TimeChain { found, expected });
    }
    let remembered = header.prev_segments_checksum;
    if remembered != 0 && remembered != *sum {
        return Some(LogTrouble::SegmentChain {
            found: remembered,
            expected: *sum,
        });
    }
    (header.sign_log != before.sign_log).then_some(LogTrouble::Signature {
        found: header.sign_log,
        expected: before.sign_log,
    })
}
