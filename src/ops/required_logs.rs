//! Which log files a dirty database needs, by name, and which of them are there.

use std::path::Path;

use serde::Serialize;

use crate::format::dbheader::DbHeader;
use crate::format::ids::Generation;
use crate::format::stamp::Signature;
use crate::format::trailer::Trailer;
use crate::log::names::{self, LogName, LogNumber};
use crate::log::verify;

/// A header can claim a range of two thousand million generations; this many are named one by one.
const NAMED_AT_MOST: usize = 256;

/// The logs that recovery of a database needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequiredLogs {
    /// First generation.
    pub low: Generation,
    /// Last generation that must be there.
    pub high: Generation,
    /// Last generation with commits; logs up to it should be there, `/a` gives them up.
    pub committed: Generation,
    /// Each log in order; of a longer range the first.
    pub logs: Vec<NeededLog>,
    /// How many more there would be.
    pub not_named: u64,
}

/// One log that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeededLog {
    /// Its generation.
    pub generation: Generation,
    /// The name it has, or should have; `Enn` stands for a base name that nothing tells.
    pub name: String,
    /// False for a log that is committed but not required.
    pub required: bool,
    /// What was found.
    pub state: LogState,
}

/// What was found of a needed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogState {
    /// Its header fits and its blocks are good.
    Present,
    /// No file of that generation.
    Missing,
    /// A file is there, but it is damaged.
    Damaged,
    /// A file is there, but it belongs to another log stream.
    OtherSignature,
}

impl LogState {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "MISSING",
            Self::Damaged => "DAMAGED",
            Self::OtherSignature => "of another signature",
        }
    }
}

/// Looks for the logs that `header` needs (or `trailer`, which overrides it) in `dir`. `None` when
/// the database needs none.
#[must_use]
pub fn find(
    header: &DbHeader,
    trailer: Option<&Trailer>,
    dir: Option<&Path>,
) -> Option<RequiredLogs> {
    let (low, high, committed) = match trailer {
        Some(trailer) => (
            trailer.required_low,
            trailer.required_high,
            trailer.committed_high,
        ),
        None => (
            header.required_low,
            header.required_high,
            header.committed_high,
        ),
    };
    let last = high.max(committed);
    if low.get() == 0 || last < low {
        return None;
    }
    let dir = dir
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let there = Beside::look(dir, &header.sign_log);
    let total = u64::from(last.get() - low.get()) + 1;
    let logs = (low.get()..=last.get())
        .take(NAMED_AT_MOST)
        .map(Generation::new)
        .map(|generation| there.needed(generation, generation <= high, header))
        .collect::<Vec<_>>();
    let not_named = total - logs.len() as u64;
    Some(RequiredLogs {
        low,
        high,
        committed,
        logs,
        not_named,
    })
}

/// The log files of a directory, with the base name that the database's own stream has there.
struct Beside<'a> {
    dir: &'a Path,
    logs: Vec<(LogName, Option<Generation>, bool)>,
    base: Option<String>,
    digits: Option<usize>,
}

impl<'a> Beside<'a> {
    fn look(dir: &'a Path, sign_log: &Signature) -> Self {
        let logs: Vec<_> = names::in_directory(dir)
            .unwrap_or_default()
            .into_iter()
            .map(|name| {
                let header = verify::read_header(&dir.join(&name.file_name)).ok();
                let generation = header.as_ref().map(|h| h.header.generation);
                let ours = header.is_some_and(|h| h.header.sign_log == *sign_log);
                (name, generation, ours)
            })
            .collect();
        let own = logs.iter().find(|(_, _, ours)| *ours).or(logs.first());
        let base = own.map(|(name, _, _)| name.base.clone());
        let digits = logs.iter().find_map(|(name, _, _)| name.digits());
        Self {
            dir,
            logs,
            base,
            digits,
        }
    }

    fn needed(&self, generation: Generation, required: bool, header: &DbHeader) -> NeededLog {
        let candidates: Vec<_> = self
            .logs
            .iter()
            .filter(|(name, found, _)| match name.number {
                LogNumber::Archived(number) => number == generation,
                LogNumber::Current => *found == Some(generation),
            })
            .collect();
        let best = candidates
            .iter()
            .find(|(_, _, ours)| *ours)
            .or(candidates.first());
        let state = match best {
            None => LogState::Missing,
            Some((_, None, _)) => LogState::Damaged,
            Some((_, Some(_), false)) => LogState::OtherSignature,
            Some((name, Some(found), true)) => {
                let sound = *found == generation
                    && verify::check_log(&self.dir.join(&name.file_name))
                        .is_ok_and(|check| check.scan.damage.is_none());
                if sound {
                    LogState::Present
                } else {
                    LogState::Damaged
                }
            }
        };
        let name = best.map_or_else(
            || self.expected_name(generation, header),
            |(name, _, _)| name.file_name.clone(),
        );
        NeededLog {
            generation,
            name,
            required,
            state,
        }
    }

    /// Exchange 2000 and 2003 wrote five digits, later engines eight. [log notes 1.1]
    fn expected_name(&self, generation: Generation, header: &DbHeader) -> String {
        let digits = self
            .digits
            .unwrap_or(if header.update_major <= 10 { 5 } else { 8 });
        let base = self.base.as_deref().unwrap_or("Enn");
        format!("{base}{:0digits$X}.log", generation.get())
    }
}
