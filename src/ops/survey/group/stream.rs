//! The logs of a group as a stream: which generations there are, which can be used, and how far they follow each other.

use std::collections::BTreeMap;

use super::cluster::{Cluster, log_name};
use super::{LogRange, NAMES_AT_MOST};
use crate::format::ids::Generation;
use crate::log::names::LogNumber;
use crate::ops::survey::record::{AttachedDatabase, FileRecord, LogFacts};

/// One generation of a stream.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    /// The file.
    at: usize,
    /// What its header says; `None` when it is damaged.
    facts: Option<&'a LogFacts>,
    /// It is sound as far as it was looked into, and holds the generation of its name.
    usable: bool,
}

/// The logs of one base name.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    records: &'a [FileRecord],
    /// First three letters of the names.
    pub base: String,
    /// Where most of them lie.
    pub folder: String,
    digits: usize,
    extension: String,
    generations: BTreeMap<Generation, Entry<'a>>,
    /// Damaged logs of which not even the generation is known.
    nameless: Vec<usize>,
    count: u64,
}

impl<'a> Stream<'a> {
    /// Of several base names in a group the one with most logs.
    pub fn of(cluster: &Cluster, records: &'a [FileRecord]) -> Option<Self> {
        let names: Vec<_> = cluster
            .logs
            .iter()
            .filter_map(|at| Some((*at, log_name(&records[*at])?)))
            .collect();
        let mut bases: BTreeMap<String, usize> = BTreeMap::new();
        for (_, name) in &names {
            *bases.entry(name.base.to_ascii_lowercase()).or_default() += 1;
        }
        // Of equal numbers the first in the alphabet.
        let (base, _) = bases.into_iter().rev().max_by_key(|(_, count)| *count)?;
        let ours = || {
            names
                .iter()
                .filter(|(_, name)| name.base.eq_ignore_ascii_case(&base))
        };
        let (first, name) = ours().next()?;
        let mut stream = Self {
            records,
            base: name.base.clone(),
            folder: records[*first].folder_and_name().0.to_owned(),
            digits: ours().find_map(|(_, name)| name.digits()).unwrap_or(8),
            extension: name.extension.clone(),
            generations: BTreeMap::new(),
            nameless: Vec::new(),
            count: 0,
        };
        for (at, name) in ours() {
            stream.count += 1;
            let facts = records[*at].log();
            let of_name = match name.number {
                LogNumber::Archived(number) => Some(number),
                LogNumber::Current => None,
            };
            // The engine opens a log by its name, and refuses one that holds another generation.
            let generation = of_name.or(facts.map(|facts| facts.generation));
            let Some(generation) = generation else {
                stream.nameless.push(*at);
                continue;
            };
            let usable =
                facts.is_some_and(|facts| facts.damage == 0 && facts.generation == generation);
            let entry = Entry {
                at: *at,
                facts,
                usable,
            };
            let known = stream.generations.entry(generation).or_insert(entry);
            if usable && !known.usable {
                *known = entry;
            }
        }
        Some(stream)
    }

    /// The name that the log of a generation has or should have.
    pub fn name(&self, generation: Generation) -> String {
        let digits = self.digits;
        format!(
            "{}{:0digits$X}.{}",
            self.base,
            generation.get(),
            self.extension
        )
    }

    /// The last generation there is.
    pub fn last(&self) -> Option<Generation> {
        self.generations.keys().next_back().copied()
    }

    /// The first generation from `low` on that cannot be used: it is not there, damaged, or does not follow the one
    /// before. Past the last log that is the one that would come next.
    pub fn first_break(&self, low: Generation) -> Generation {
        let mut before: Option<&LogFacts> = None;
        let mut expected = low;
        for (generation, entry) in self.generations.range(low..) {
            let Some(facts) = entry
                .facts
                .filter(|_| entry.usable && *generation == expected)
            else {
                return expected;
            };
            if before.is_some_and(|before| facts.previous_created != before.created) {
                return expected;
            }
            before = Some(facts);
            expected = generation.next();
        }
        expected
    }

    /// What the log of a generation says, if it can be used.
    pub fn usable(&self, generation: Generation) -> Option<&LogFacts> {
        let entry = self.generations.get(&generation)?;
        entry.facts.filter(|_| entry.usable)
    }

    /// What is wrong with a generation, in words.
    pub fn what_is_wrong(&self, generation: Generation) -> String {
        match self.generations.get(&generation) {
            None if !self.nameless.is_empty()
                && self.last().is_none_or(|last| generation > last) =>
            {
                let names = self
                    .nameless
                    .iter()
                    .map(|at| self.records[*at].folder_and_name().1);
                let names: Vec<_> = names.collect();
                format!(
                    "log {} (generation {generation}) is missing, or is {}, which is damaged",
                    self.name(generation),
                    names.join(", ")
                )
            }
            None => format!(
                "log {} (generation {generation}) is missing",
                self.name(generation)
            ),
            Some(entry) => {
                let name = self.records[entry.at].folder_and_name().1;
                match entry.facts {
                    None => format!(
                        "log {name} (generation {generation}) is damaged: its header cannot be read"
                    ),
                    Some(facts) if facts.damage != 0 => {
                        format!(
                            "log {name} (generation {generation}) is damaged ({})",
                            facts.damage
                        )
                    }
                    Some(facts) if facts.generation != generation => {
                        format!(
                            "log {name} holds generation {}, not the one of its name",
                            facts.generation
                        )
                    }
                    Some(_) => format!(
                        "log {name} (generation {generation}) does not follow the one before it"
                    ),
                }
            }
        }
    }

    /// The generations from `low` to `last` that are not there, at most so many.
    pub fn missing(&self, low: Generation, last: Generation, most: usize) -> Vec<Generation> {
        let mut missing = Vec::new();
        let mut expected = low;
        let there = self
            .generations
            .range(low..)
            .map(|(generation, _)| *generation);
        // One past the end closes the last gap.
        for generation in there
            .take_while(|generation| *generation <= last)
            .chain([last.next()])
        {
            while expected < generation && missing.len() < most {
                missing.push(expected);
                expected = expected.next();
            }
            expected = generation.next();
        }
        missing
    }

    /// What a report says of it; `needed` is the range from the first log that is needed to the last that is known of.
    pub fn range(&self, needed: Option<(Generation, Generation)>) -> LogRange {
        let damaged = |(generation, entry): (&Generation, &Entry<'_>)| {
            let before = self.generations.range(..generation).next_back();
            let follows = match (before, entry.facts) {
                (Some((number, before)), Some(facts)) if number.next() == *generation => before
                    .facts
                    .is_none_or(|before| facts.previous_created == before.created),
                _ => true,
            };
            (!entry.usable || !follows).then(|| self.records[entry.at].path.clone())
        };
        let nameless = self
            .nameless
            .iter()
            .map(|at| self.records[*at].path.clone());
        let missing = needed.map_or_else(Vec::new, |(low, last)| {
            self.missing(low, last, NAMES_AT_MOST)
        });
        LogRange {
            base: self.base.clone(),
            folder: self.folder.clone(),
            first: self.generations.keys().next().copied().unwrap_or_default(),
            last: self.last().unwrap_or_default(),
            count: self.count,
            missing: missing
                .into_iter()
                .map(|generation| self.name(generation))
                .collect(),
            damaged: self
                .generations
                .iter()
                .filter_map(damaged)
                .chain(nameless)
                .collect(),
        }
    }

    /// Databases that the newest log knows.
    pub fn attached(&self) -> impl Iterator<Item = &'a AttachedDatabase> {
        let newest = self
            .generations
            .values()
            .rev()
            .find_map(|entry| entry.facts);
        newest.into_iter().flat_map(|facts| &facts.attached)
    }
}
