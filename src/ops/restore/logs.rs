//! The logs of a backup set, and those to play forward: whether each is the successor of the one before.
//!
//! The engine checks them all before it begins, and so its verdicts differ from those of a soft recovery: -555 to -557
//! for the logs of the set, -565, -610 and -611 for those behind them. [engine; log notes 12.3]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, Trouble};
use crate::format::ids::Generation;
use crate::format::loghdr::{Attachment, LogHeader};
use crate::format::stamp::{LogTime, Signature};
use crate::jet::JetError;
use crate::log::names;
use crate::log::verify::{ReadHeader, read_header};
use crate::recover::stream::{LogStream, unusable};

/// The logs of a backup, found whole.
#[derive(Debug, Clone)]
pub struct SetLogs {
    /// The files.
    pub stream: LogStream,
    /// Those that are the backup's.
    pub files: Vec<PathBuf>,
    /// First generation.
    pub low: Generation,
    /// Last generation.
    pub high: Generation,
    /// The identity of the stream.
    pub sign_log: Signature,
    /// When each log was created.
    created: BTreeMap<Generation, LogTime>,
    /// The databases that the first and the last log name.
    pub attachments: Vec<Attachment>,
}

/// The base names of the streams in a folder, in upper case, each with the identity of its first log that can be read.
pub fn streams_in(dir: &Path) -> Result<Vec<(String, Option<Signature>)>> {
    let logs = names::in_directory(dir).map_err(|error| Error::io(dir, "read", error))?;
    let mut found: Vec<(String, Option<Signature>)> = Vec::new();
    for name in logs {
        let base = name.base.to_ascii_uppercase();
        if !found.iter().any(|(other, _)| *other == base) {
            found.push((base, None));
        }
        if let Some((_, signature @ None)) = found.last_mut() {
            *signature = read_header(&dir.join(&name.file_name))
                .ok()
                .map(|head| head.header.sign_log);
        }
    }
    Ok(found)
}

/// The logs of a stream in a folder that was named for them; `None` when there are none.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn later_in(dir: &Path, base: &str) -> Result<Option<LogStream>> {
    let logs = names::of_stream(dir, base).map_err(|error| Error::io(dir, "read", error))?;
    if logs.is_empty() {
        return Ok(None);
    }
    LogStream::find(dir, base).map(Some)
}

fn head_of(path: &Path) -> Result<ReadHeader> {
    read_header(path).map_err(|fault| Error::from(unusable(path, &fault)))
}

impl SetLogs {
    /// Checks the logs of a set against each other.
    ///
    /// # Errors
    /// -555, -556, -557; what is wrong with a header that cannot be used.
    pub fn check(stream: LogStream) -> Result<Self> {
        let mut files: Vec<(Generation, PathBuf)> = Vec::new();
        if let Some((low, high)) = stream.range() {
            let numbers = (low.get()..=high.get()).map(Generation::new);
            let missing: Vec<Generation> = numbers
                .clone()
                .filter(|number| stream.archived(*number).is_none())
                .take(MOST_NAMED)
                .collect();
            if !missing.is_empty() {
                return Err(gap(&stream, &missing).into());
            }
            files.extend(numbers.filter_map(|number| Some((number, stream.archived(number)?))));
        }
        if let Some(path) = stream.current() {
            let generation = head_of(&path)?.header.generation;
            if let Some((last, _)) = files.last()
                && generation != last.next()
            {
                let missing = [last.next()];
                return Err(gap(&stream, &missing).into());
            }
            files.push((generation, path));
        }
        let mut logs = Self {
            low: files.first().map(|(number, _)| *number).unwrap_or_default(),
            high: files.last().map(|(number, _)| *number).unwrap_or_default(),
            stream,
            files: files.iter().map(|(_, path)| path.clone()).collect(),
            sign_log: Signature::default(),
            created: BTreeMap::new(),
            attachments: Vec::new(),
        };
        let mut before: Option<LogHeader> = None;
        for (number, path) in files {
            let head = head_of(&path)?;
            if head.header.generation != number {
                let what = format!(
                    "'{}' is generation {:#X}, not what its name says",
                    path.display(),
                    head.header.generation.get()
                );
                return Err(Trouble::new(JetError::LOG_GENERATION_MISMATCH, what)
                    .advise("give the file its right name")
                    .into());
            }
            if let Some(before) = &before {
                follows(before, &head.header, &path, GIVEN)?;
            } else {
                logs.sign_log = head.header.sign_log;
            }
            if number == logs.low || number == logs.high {
                logs.attachments.extend(head.attachments);
            }
            logs.created.insert(number, head.header.created);
            before = Some(head.header);
        }
        Ok(logs)
    }

    /// Checks the logs in another folder that are to be played forward, and joins them; tells which generations they add.
    ///
    /// # Errors
    /// -565, -610, -611.
    pub fn join(
        &self,
        forward: &LogStream,
    ) -> Result<(LogStream, Option<(Generation, Generation)>)> {
        let mut before: Option<(Generation, LogHeader)> = None;
        if let Some(path) = self.files.last() {
            before = Some((self.high, head_of(path)?.header));
        }
        // A current log was still growing when the set was copied: the server's own is the whole one.
        let grows = self.stream.current().is_some();
        let mut later = BTreeSet::new();
        let mut own = self.stream.clone();
        for path in forward.from(self.low) {
            let head = head_of(&path)?.header;
            let number = head.generation;
            if number < self.low {
                continue;
            }
            if let Some(created) = self.created.get(&number) {
                self.is_the_same(&path, &head, *created)?;
                if grows && number == self.high {
                    own = own.without_current();
                    later.insert(path);
                } else if forward.current().as_ref() == Some(&path) {
                    return Err(current_is_old(forward, &path, number).into());
                }
                continue;
            }
            if let Some((highest, before)) = &before {
                follows_if_next(forward, *highest, before, &head, &path)?;
            }
            before = Some((number, head));
            later.insert(path);
        }
        let last = before.map_or(self.high, |(number, _)| number);
        let joined = own.followed_by(forward, self.high, &later);
        Ok((joined, (last > self.high).then(|| (self.high.next(), last))))
    }

    /// A log that the set holds, too, must be the same log.
    fn is_the_same(&self, path: &Path, head: &LogHeader, created: LogTime) -> Result<()> {
        if head.sign_log != self.sign_log {
            return Err(other_signature(path, EXISTING).into());
        }
        if created != head.created {
            let what = format!(
                "'{}' is another log than the one of this number in the backup set",
                path.display()
            );
            return Err(Trouble::new(EXISTING.not_contiguous, what)
                .advise(EXISTING.advice)
                .into());
        }
        Ok(())
    }
}

/// The stream would go on behind it, and the set holds it as a closed log.
fn current_is_old(forward: &LogStream, path: &Path, number: Generation) -> Trouble {
    let what = format!(
        "'{}' is generation {:#X}, which the backup set holds already",
        path.display(),
        number.get()
    );
    let advice = format!(
        "nothing can be played forward behind it: give it its number ({}), or give /t instead of /f",
        forward.name(number)
    );
    Trouble::new(EXISTING.not_contiguous, what).advise(advice)
}

/// Missing logs are named one by one, so many of them.
const MOST_NAMED: usize = 100;

fn gap(stream: &LogStream, missing: &[Generation]) -> Trouble {
    let names: Vec<String> = missing.iter().map(|number| stream.name(*number)).collect();
    let what = if let [name] = &names[..] {
        format!("the backup set lacks the log file {name}")
    } else {
        format!("the backup set lacks the log files {}", names.join(", "))
    };
    Trouble::new(JetError::MISSING_RESTORE_LOG_FILES, what)
        .advise("restore the missing log files from the backup")
}

/// What the engine says of logs that do not go together.
struct Verdicts {
    bad_signature: JetError,
    not_contiguous: JetError,
    advice: &'static str,
}

const GIVEN: Verdicts = Verdicts {
    bad_signature: JetError::GIVEN_LOG_FILE_HAS_BAD_SIGNATURE,
    not_contiguous: JetError::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS,
    advice: "the set holds logs of several backups or streams: keep only those of this backup",
};

const EXISTING: Verdicts = Verdicts {
    bad_signature: JetError::EXISTING_LOG_FILE_HAS_BAD_SIGNATURE,
    not_contiguous: JetError::EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS,
    advice: "these logs do not go on from the backup; to restore only what the backup holds, give /t instead of /f",
};

fn other_signature(path: &Path, verdicts: Verdicts) -> Trouble {
    let what = format!("'{}' belongs to another log stream", path.display());
    Trouble::new(verdicts.bad_signature, what).advise(verdicts.advice)
}

fn follows(before: &LogHeader, head: &LogHeader, path: &Path, verdicts: Verdicts) -> Result<()> {
    if head.sign_log != before.sign_log {
        return Err(other_signature(path, verdicts).into());
    }
    if head.prev_created != before.created {
        let what = format!(
            "'{}' is not the successor of the log of generation {:#X}: that was created at {}, not at {}",
            path.display(),
            before.generation.get(),
            head.prev_created,
            before.created
        );
        return Err(Trouble::new(verdicts.not_contiguous, what)
            .advise(verdicts.advice)
            .into());
    }
    Ok(())
}

fn follows_if_next(
    forward: &LogStream,
    highest: Generation,
    before: &LogHeader,
    head: &LogHeader,
    path: &Path,
) -> Result<()> {
    if head.sign_log != before.sign_log {
        return Err(other_signature(path, EXISTING).into());
    }
    if head.generation != highest.next() {
        let high = Generation::new(head.generation.get().saturating_sub(1));
        let names = forward.range_name(highest.next(), high);
        let what = format!("{names} is not there, but '{}' is", path.display());
        return Err(Trouble::new(JetError::MISSING_CURRENT_LOG_FILES, what)
            .advise("bring the missing log files; or restore only what the backup holds with /t instead of /f")
            .into());
    }
    follows(before, head, path, EXISTING)
}
