//! The files of a log stream: which are there, which is next, what their headers say of each other.
//! [log notes 1.3, 11.1]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Result, Trouble};
use crate::format::ids::Generation;
use crate::format::logrec::{Record, RecordKind};
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::log::generation::LoadedLog;
use crate::log::names::{self, LogName, LogNumber};
use crate::log::verify::HeaderFault;

/// The logs of one stream in a folder; a restored backup goes on in a second one.
#[derive(Debug, Clone)]
pub struct LogStream {
    /// The folder in which the stream goes on: that of its last logs.
    pub dir: PathBuf,
    /// The base name, as the files spell it.
    pub base: String,
    /// `log` or `jtx`.
    pub extension: String,
    /// Digits of the numbers in their names, where the folder tells.
    digits: Option<usize>,
    /// The logs with their folders, numbered ones in order, the current one last.
    logs: Vec<(LogName, PathBuf)>,
}

impl LogStream {
    /// Looks for the logs with the base name `base` in `dir`.
    ///
    /// # Errors
    /// -528 when there is none; [`crate::error::Error::Io`] when the folder cannot be read.
    pub fn find(dir: &Path, base: &str) -> Result<Self> {
        let logs = names::of_stream(dir, base)
            .map_err(|error| crate::error::Error::io(dir, "read", error))?;
        let Some(first) = logs.first() else {
            return Err(Trouble::new(
                JetError::MISSING_LOG_FILE,
                format!("no log files '{base}*.log' in '{}'", dir.display()),
            )
            .advise(
                "give the folder of the logs with /l, and the first three letters of their names",
            )
            .into());
        };
        Ok(Self {
            dir: dir.to_owned(),
            base: first.base.clone(),
            extension: first.extension.clone(),
            digits: logs.iter().find_map(LogName::digits),
            logs: logs
                .into_iter()
                .map(|name| (name, dir.to_owned()))
                .collect(),
        })
    }

    /// The logs of a backup up to generation `high`, and behind them those of `forward` that `goes_on` names. The stream
    /// goes on in the folder of the latter, under its names.
    #[must_use]
    pub fn followed_by(
        &self,
        forward: &Self,
        high: Generation,
        goes_on: &BTreeSet<PathBuf>,
    ) -> Self {
        let before = self.logs.iter().cloned().map(|(mut name, dir)| {
            // The current log of the set is one of many now.
            name.number = name.number.min(LogNumber::Archived(high));
            (name, dir)
        });
        let behind = forward.logs.iter().cloned();
        let behind = behind.filter(|(name, dir)| goes_on.contains(&dir.join(&name.file_name)));
        let mut logs: Vec<_> = before.chain(behind).collect();
        logs.sort_by_key(|(name, _)| name.number);
        Self {
            logs,
            digits: forward.digits.or(self.digits),
            ..forward.clone()
        }
    }

    /// The numbered logs alone.
    #[must_use]
    pub fn without_current(&self) -> Self {
        let mut numbered = self.clone();
        numbered
            .logs
            .retain(|(name, _)| name.number != LogNumber::Current);
        numbered
    }

    /// The logs of a backup up to generation `high`, to go on in another folder.
    #[must_use]
    pub fn going_on_in(&self, dir: &Path, high: Generation) -> Self {
        let empty = Self {
            dir: dir.to_owned(),
            logs: Vec::new(),
            ..self.clone()
        };
        self.followed_by(&empty, high, &BTreeSet::new())
    }

    /// The current log's file, if it is there.
    #[must_use]
    pub fn current(&self) -> Option<PathBuf> {
        self.file(LogNumber::Current)
    }

    /// The file of a closed generation, if it is there.
    #[must_use]
    pub fn archived(&self, generation: Generation) -> Option<PathBuf> {
        self.file(LogNumber::Archived(generation))
    }

    fn file(&self, number: LogNumber) -> Option<PathBuf> {
        let place = self.logs.partition_point(|(name, _)| name.number < number);
        let (name, dir) = self
            .logs
            .get(place)
            .filter(|(name, _)| name.number == number)?;
        Some(dir.join(&name.file_name))
    }

    /// Lowest and highest number of the closed generations.
    #[must_use]
    pub fn range(&self) -> Option<(Generation, Generation)> {
        let mut numbers = self.logs.iter().filter_map(|(name, _)| match name.number {
            LogNumber::Archived(number) => Some(number),
            LogNumber::Current => None,
        });
        let first = numbers.next()?;
        Some((first, numbers.next_back().unwrap_or(first)))
    }

    /// The closed generations from `generation` on, and the current log.
    #[must_use]
    pub fn from(&self, generation: Generation) -> Vec<PathBuf> {
        self.logs
            .iter()
            .filter(|(name, _)| match name.number {
                LogNumber::Archived(number) => number >= generation,
                LogNumber::Current => true,
            })
            .map(|(name, dir)| dir.join(&name.file_name))
            .collect()
    }

    /// How many digits the numbers in the names have, in the folder in which the stream goes on.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.digits.unwrap_or(8)
    }

    /// The name that the log of `generation` has or would have.
    #[must_use]
    pub fn name(&self, generation: Generation) -> String {
        let digits = self.digits();
        format!(
            "{}{:0digits$X}.{}",
            self.base,
            generation.get(),
            self.extension
        )
    }

    /// The names of a range of logs, for messages.
    #[must_use]
    pub fn range_name(&self, low: Generation, high: Generation) -> String {
        if low == high {
            self.name(low)
        } else {
            format!("{} to {}", self.name(low), self.name(high))
        }
    }
}

/// A log that cannot be used, in words.
pub fn unusable(path: &Path, fault: &HeaderFault) -> Trouble {
    let advice = match fault {
        HeaderFault::Size => "the file is cut off or too long: copy it again from its source",
        HeaderFault::Version => "the log is of a newer format than exutil knows",
        _ => "copy the log again from its source, or find another copy of it",
    };
    Trouble::new(fault.jet(), format!("'{}': {fault}", path.display())).advise(advice)
}

/// Position of the record that ended the last run in order; `None` when the log does not end so.
#[must_use]
pub fn ends_in_order(log: &LoadedLog) -> Option<Lgpos> {
    let mut reader = log.records();
    let mut last = None;
    while let Ok(Some(placed)) = reader.next() {
        last = Some((placed.at, RecordKind::new(placed.bytes[0])));
    }
    let (at, kind) = last?;
    let closes = matches!(
        kind,
        RecordKind::TERM
            | RecordKind::TERM2
            | RecordKind::RECOVERY_QUIT
            | RecordKind::RECOVERY_QUIT2
            | RecordKind::RECOVERY_QUIT_KEEP_ATTACHMENTS
    );
    closes.then_some(at)
}

/// True when a log holds no record at all.
#[must_use]
pub fn is_blank(log: &LoadedLog) -> bool {
    matches!(log.records().next(), Ok(None))
}

/// Where the environment of the last Init record in a log is, for the run that recovery itself logs.
#[must_use]
pub fn last_init(log: &LoadedLog) -> Option<Vec<u8>> {
    let mut reader = log.records();
    let mut found = None;
    while let Ok(Some(placed)) = reader.next() {
        if let Ok(Record::Init(init)) = Record::parse(placed.bytes) {
            found = Some(init.environment.to_vec());
        }
    }
    found
}
