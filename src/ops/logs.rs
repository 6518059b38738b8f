//! `ml`: one log file, or all logs of a stream and whether they follow each other.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::format::ids::Generation;
use crate::format::loghdr::LogHeader;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::log::names::{self, LogName, LogNumber};
use crate::log::verify::{self, HeaderFault, LogCheck};
use crate::ops::identify::{self, FileKind};
use crate::problem::{Finding, Place, Problem};

/// What is wrong with one log of a stream; the texts are the command line's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "problem")]
pub enum LogTrouble {
    /// The header is of no use.
    Header {
        /// Why.
        jet: JetError,
    },
    /// The current log is not the generation that should follow.
    MissingBefore {
        /// What it is.
        generation: Generation,
        /// What it should be.
        expected: Generation,
    },
    /// Its predecessor was created at another time than it remembers.
    TimeChain {
        /// What it remembers.
        found: crate::format::stamp::LogTime,
        /// The predecessor's.
        expected: crate::format::stamp::LogTime,
    },
    /// Its predecessor's segments have another sum than it remembers.
    SegmentChain {
        /// What it remembers.
        found: u64,
        /// The predecessor's.
        expected: u64,
    },
    /// Another stream.
    Signature {
        /// Its own.
        found: crate::format::stamp::Signature,
        /// The predecessor's.
        expected: crate::format::stamp::Signature,
    },
    /// The name says another generation.
    Name {
        /// In the header.
        generation: Generation,
        /// In the name.
        expected: Generation,
    },
    /// Blocks are damaged.
    Damaged {
        /// The number.
        jet: JetError,
        /// From here on.
        at: Lgpos,
    },
}

impl LogTrouble {
    /// The JET number.
    #[must_use]
    pub const fn jet(&self) -> JetError {
        match self {
            Self::Header { jet } | Self::Damaged { jet, .. } => *jet,
            Self::MissingBefore { .. } => JetError::MISSING_LOG_FILE,
            Self::TimeChain { .. } => JetError::INVALID_LOG_SEQUENCE,
            Self::SegmentChain { .. } => JetError::LOG_SEQUENCE_CHECKSUM_MISMATCH,
            Self::Signature { .. } => JetError::BAD_LOG_SIGNATURE,
            Self::Name { .. } => JetError::LOG_GENERATION_MISMATCH,
        }
    }

    const fn problem(&self) -> Problem {
        match self {
            Self::Header { jet } if jet.code() == -541 => Problem::LogSizeMismatch,
            Self::Header { jet } if jet.code() == -514 => Problem::LogVersion,
            Self::Header { .. } => Problem::LogHeaderUnreadable,
            Self::MissingBefore { .. } => Problem::LogMissing,
            Self::TimeChain { .. } => Problem::LogTimeChain,
            Self::SegmentChain { .. } => Problem::LogSegmentChain,
            Self::Signature { .. } => Problem::LogSignature,
            Self::Name { .. } => Problem::LogGenerationMismatch,
            Self::Damaged { .. } => Problem::LogDamaged,
        }
    }
}

/// One log of a stream, or a hole in it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum StreamEntry {
    /// A file that is there.
    Log {
        /// Its path.
        path: PathBuf,
        /// Its generation, if the header can be read.
        generation: Option<Generation>,
        /// The last write was torn, which recovery mends.
        torn: bool,
        /// What is wrong with it; empty for a good one.
        troubles: Vec<LogTrouble>,
    },
    /// Generations for which there is no file.
    Missing {
        /// First missing.
        first: Generation,
        /// Last missing.
        last: Generation,
        /// The names they would have.
        names: (String, String),
    },
}

/// A whole log stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamReport {
    /// The base name as it was asked for.
    pub base: String,
    /// Where the logs are.
    pub dir: PathBuf,
    /// Logs and holes in order.
    pub entries: Vec<StreamEntry>,
    /// The first error, which is what the operation ends with.
    pub jet: JetError,
    /// Everything that is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// One log file.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// Header and blocks; `None` when the header is of no use.
    #[serde(flatten)]
    pub check: Option<LogCheck>,
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Where the checkpoint beside it stands.
    pub checkpoint: Option<Lgpos>,
    /// What is wrong with it.
    pub troubles: Vec<LogTrouble>,
    /// The same as findings.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl LogReport {
    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        self.troubles
            .first()
            .map_or(JetError::SUCCESS, LogTrouble::jet)
    }
}

/// Checks one log file.
///
/// # Errors
/// [`Error::Io`] when it cannot be read; [`Error::WrongFileType`] for a database, checkpoint or
/// flush map.
pub fn read_log(path: &Path) -> Result<LogReport> {
    let (_, _, kind) = identify::open(path)?;
    let foreign = !matches!(kind, FileKind::Log { .. });
    if let Some(mode) = kind.dump_mode().filter(|_| foreign) {
        return Err(Error::WrongFileType {
            path: path.to_owned(),
            found: kind.words(),
            mode,
        });
    }
    let (check, troubles) = match verify::check_log(path) {
        Ok(check) => {
            let damage = check.scan.damage.map(|d| LogTrouble::Damaged {
                jet: d.jet,
                at: d.at,
            });
            (Some(check), damage.into_iter().collect::<Vec<_>>())
        }
        Err(HeaderFault::Io(error)) => return Err(Error::io(path, "read", error)),
        Err(fault) => (None, vec![LogTrouble::Header { jet: fault.jet() }]),
    };
    let findings = troubles
        .iter()
        .map(|trouble| finding(trouble, path))
        .collect();
    Ok(LogReport {
        checkpoint: checkpoint_beside(path),
        check,
        path: path.to_owned(),
        troubles,
        findings,
    })
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
pub fn read_stream(dir: &Path, base: &str) -> Result<StreamReport> {
    let logs = names::of_stream(dir, base).map_err(|error| Error::io(dir, "read", error))?;
    if logs.is_empty() {
        return Err(Error::NoLogs {
            dir: dir.to_owned(),
            base: base.to_owned(),
        });
    }
    let digits = logs.iter().find_map(LogName::digits).unwrap_or(8);
    let mut entries = Vec::new();
    let mut walk = Walk::default();
    for name in &logs {
        if let (LogNumber::Archived(number), Some(last)) = (name.number, walk.last_number)
            && number != last.next()
            && number > last
        {
            let (first, end) = (last.next(), Generation::new(number.get() - 1));
            let of = |g: Generation| format!("{base}{:0digits$X}.{}", g.get(), name.extension);
            entries.push(StreamEntry::Missing {
                first,
                last: end,
                names: (of(first), of(end)),
            });
            walk.adjacent = false;
        }
        entries.push(walk.visit(dir, name));
    }
    let findings = entries.iter().flat_map(entry_findings).collect();
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
            ..
        } => {
            let torn =
                torn.then(|| Finding::new(Problem::LogTorn, Place::file(path.to_string_lossy())));
            troubles
                .iter()
                .map(|trouble| finding(trouble, path))
                .chain(torn)
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
    if let LogTrouble::Damaged { at, .. } = trouble {
        place.lgpos = Some(*at);
    }
    Finding::new(trouble.problem(), place)
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
}

impl Walk {
    fn visit(&mut self, dir: &Path, name: &LogName) -> StreamEntry {
        let path = dir.join(&name.file_name);
        if let LogNumber::Archived(number) = name.number {
            self.last_number = Some(number);
        }
        let was_adjacent = std::mem::take(&mut self.adjacent);
        let check = match verify::check_log(&path) {
            Ok(check) => check,
            Err(fault) => {
                let troubles = vec![LogTrouble::Header { jet: fault.jet() }];
                return StreamEntry::Log {
                    path,
                    generation: None,
                    torn: false,
                    troubles,
                };
            }
        };
        let header = &check.head.header;
        let before = self.last.as_ref().filter(|_| was_adjacent);
        let mut troubles: Vec<_> = before
            .and_then(|before| compare(before, header))
            .into_iter()
            .collect();
        if troubles.is_empty() {
            let damage = check.scan.damage.map(|d| LogTrouble::Damaged {
                jet: d.jet,
                at: d.at,
            });
            troubles.extend(damage);
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
            self.last = Some((header.clone(), check.scan.segments_checksum));
        }
        StreamEntry::Log {
            generation: Some(header.generation),
            torn: check.scan.torn,
            path,
            troubles,
        }
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
