//! Who looks at the logs of a stream while they are checked.

use std::path::Path;

use super::report::LogTrouble;
use crate::format::ids::Generation;
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::log::generation::LoadedLog;
use crate::log::names::LogNumber;
use crate::ops::log_records::{self, Tally};
use crate::problem::Finding;

/// Which logs of a stream are wanted, by number; the current log counts as the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GenerationRange {
    /// The first; none: from the first on.
    pub first: Option<Generation>,
    /// The last; none: to the last, the current log included.
    pub last: Option<Generation>,
}

impl GenerationRange {
    pub(super) fn holds(&self, number: LogNumber) -> bool {
        match number {
            LogNumber::Current => self.last.is_none(),
            LogNumber::Archived(number) => {
                self.first.is_none_or(|first| number >= first)
                    && self.last.is_none_or(|last| number <= last)
            }
        }
    }
}

/// One log as a visitor meets it.
#[derive(Debug, Clone, Copy)]
pub struct LogVisit<'a> {
    /// The file.
    pub path: &'a Path,
    /// The log; the number if its header is of no use.
    pub log: Result<&'a LoadedLog, JetError>,
    /// Why it does not follow the one before; its records are then not looked at. \[engine\]
    pub chain: Option<&'a LogTrouble>,
    /// Where the checkpoint of the stream stands.
    pub checkpoint: Option<Lgpos>,
}

impl<'a> LogVisit<'a> {
    /// The log, if its records are looked at.
    #[must_use]
    pub fn readable(&self) -> Option<&'a LoadedLog> {
        self.log.ok().filter(|_| self.chain.is_none())
    }

    /// True when not all of its changes are seen: what the next log says of a page need not fit.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.readable().is_none_or(|log| log.scan.damage.is_some())
    }
}

/// Who looks at the logs while they are checked. One log at a time is in memory.
pub trait LogVisitor {
    /// Generations are missing: the names they would have.
    fn missing(&mut self, _first: &str, _last: &str) {}

    /// A log. Gives its records' tally; whoever does not want to see them leaves this as it is.
    fn log(&mut self, visit: &LogVisit<'_>) -> Tally {
        visit
            .readable()
            .map_or_else(Tally::default, |log| log_records::walk(log, None))
    }

    /// The same log after its check.
    fn checked(&mut self, _path: &Path, _troubles: &[LogTrouble]) {}

    /// True when the reports are to say what the records are.
    fn wants_summary(&self) -> bool {
        false
    }

    /// What the visitor itself found in the log.
    fn findings(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Looks at nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl LogVisitor for Quiet {}
