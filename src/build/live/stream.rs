//! The log that the engine writes, kept record by record so that it can be cut behind any of them.

use std::collections::BTreeMap;

use super::LiveError;
use crate::build::logs::{BuiltFile, LogBuilder, StreamOptions, Tail};
use crate::format::checkpoint::Checkpoint;
use crate::format::ids::Generation;
use crate::format::loghdr::Attachment;
use crate::format::logrec::{Record, RecordKind};
use crate::format::logwrite::encode;
use crate::format::stamp::Lgpos;

/// What was done to the log.
#[derive(Debug, Clone)]
enum Entry {
    /// A record.
    Record(Vec<u8>),
    /// All before was written.
    Flush,
    /// The generation ended here.
    Roll,
}

/// The log.
pub(super) struct Stream {
    options: StreamOptions,
    builder: LogBuilder,
    entries: Vec<Entry>,
    /// For each entry where it stands, and the database's time behind it.
    placed: Vec<(Lgpos, u64)>,
    attachments: Option<(usize, Vec<Attachment>)>,
    /// So many entries are on disk for certain.
    durable: usize,
    counts: BTreeMap<RecordKind, u64>,
}

impl Stream {
    pub fn new(options: StreamOptions) -> Result<Self, LiveError> {
        Ok(Self {
            builder: LogBuilder::new(options.clone())?,
            options,
            entries: Vec::new(),
            placed: Vec::new(),
            attachments: None,
            durable: 0,
            counts: BTreeMap::new(),
        })
    }

    /// Appends a record; gives back its number.
    pub fn append(&mut self, record: &Record<'_>, dbtime: u64) -> Result<usize, LiveError> {
        self.append_bytes(encode(record)?, dbtime)
    }

    pub fn append_bytes(&mut self, bytes: Vec<u8>, dbtime: u64) -> Result<usize, LiveError> {
        let at = self.builder.append(&bytes)?;
        let kind = RecordKind::new(bytes.first().copied().unwrap_or_default());
        *self.counts.entry(kind).or_default() += 1;
        self.entries.push(Entry::Record(bytes));
        self.placed.push((at, dbtime));
        Ok(self.entries.len() - 1)
    }

    /// Later generations name these databases in their headers.
    pub fn attach(&mut self, attachments: Vec<Attachment>) {
        self.builder
            .surroundings_mut()
            .attachments
            .clone_from(&attachments);
        self.attachments = Some((self.entries.len(), attachments));
    }

    /// Ends a range or a segment here.
    pub fn flush(&mut self, dbtime: u64) -> Result<(), LiveError> {
        self.builder.flush()?;
        self.entries.push(Entry::Flush);
        self.placed.push((self.builder.position(), dbtime));
        Ok(())
    }

    /// Ends the generation here, unless nothing stands in the new one yet, and says which is the last that is closed
    /// now. All so far is on disk then.
    pub fn close_generation(&mut self, dbtime: u64) -> Result<Generation, LiveError> {
        let records = self.entries.iter().zip(&self.placed).rev();
        let last = records
            .filter(|(entry, _)| matches!(entry, Entry::Record(_)))
            .map(|(_, placed)| placed.0.generation)
            .next()
            .ok_or(LiveError::Contradiction("a log without a record"))?;
        if self.builder.position().generation == last {
            self.builder.roll()?;
            self.entries.push(Entry::Roll);
            self.placed.push((self.builder.position(), dbtime));
        }
        self.durable = self.entries.len();
        Ok(last)
    }

    /// The closed generations among the first `keep` entries, each with its number.
    pub fn closed(&self, keep: usize) -> Result<Vec<(Generation, BuiltFile)>, LiveError> {
        let mut files = self.files(keep, Tail::Whole)?;
        files.pop();
        let mut generation = self.options.first.0;
        let numbered = files.into_iter().map(|file| {
            let number = generation;
            generation = generation.next();
            (number, file)
        });
        Ok(numbered.collect())
    }

    /// Everything up to record `number` is on disk from here on.
    pub fn force(&mut self, number: usize) {
        self.durable = self.durable.max(number + 1);
    }

    pub const fn durable(&self) -> usize {
        self.durable
    }

    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where an entry stands.
    pub fn position(&self, number: usize) -> Lgpos {
        self.placed
            .get(number)
            .map_or(self.builder.position(), |placed| placed.0)
    }

    /// The database's time behind so many entries.
    pub fn dbtime(&self, entries: usize) -> Option<u64> {
        Some(self.placed.get(entries.checked_sub(1)?)?.1)
    }

    pub fn attachments(&self) -> &[Attachment] {
        self.attachments.as_ref().map_or(&[], |(_, list)| list)
    }

    pub const fn counts(&self) -> &BTreeMap<RecordKind, u64> {
        &self.counts
    }

    pub fn checkpoint_at(&self, at: Lgpos) -> Checkpoint {
        self.builder.checkpoint_at(at)
    }

    /// The files with the first `keep` entries.
    pub fn files(&self, keep: usize, tail: Tail) -> Result<Vec<BuiltFile>, LiveError> {
        let mut builder = LogBuilder::new(self.options.clone())?;
        for (number, entry) in self.entries.iter().take(keep).enumerate() {
            if let Some((from, list)) = &self.attachments
                && *from == number
            {
                builder.surroundings_mut().attachments.clone_from(list);
            }
            match entry {
                Entry::Record(bytes) => {
                    builder.append(bytes)?;
                }
                Entry::Flush => builder.flush()?,
                Entry::Roll => builder.roll()?,
            }
        }
        Ok(builder.finish(tail))
    }
}
