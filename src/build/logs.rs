//! Log streams and checkpoints from nothing, in both formats: for tests, and to see what a reader makes
//! of them.

use crate::format::checkpoint::Checkpoint;
use crate::format::ids::Generation;
use crate::format::loghdr::{Environment, LogHeader};
use crate::format::logwrite::segment::SEGMENT_BYTES;
use crate::format::stamp::{Lgpos, LogTime, Signature};
use crate::log::changes::{LogRole, StreamNaming};
use crate::log::closing::closing_checkpoint;
use crate::log::writer::{LogWriter, Surroundings, WriteFault};

use super::old_log::OldLog;

pub use super::old_log::Tail;

/// Which physical format a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// 8.4000: segments of 4096 bytes.
    Segments,
    /// 7.3704: ranges in sectors of 512 or 4096 bytes.
    Ranges {
        /// Bytes of a sector.
        sector: u16,
    },
}

/// What a stream is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Names of its files.
    pub naming: StreamNaming,
    /// Format.
    pub format: LogFormat,
    /// Update major and minor of its version.
    pub version: (u32, u32),
    /// Sectors or segments of a file, the header counted; at least 4 segments, or 12 sectors.
    pub file_sectors: u16,
    /// Page size of its databases.
    pub page_size: u16,
    /// Its identity.
    pub sign_log: Signature,
    /// First generation, and when the one before it was made, if there was one.
    pub first: (Generation, LogTime),
    /// Time of the first generation.
    pub created: LogTime,
    /// What wrote it.
    pub environment: Environment,
}

/// A file that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Builds a stream record by record; it begins new generations by itself. See [`StreamOptions`].
#[derive(Debug)]
pub struct LogBuilder {
    options: StreamOptions,
    log: Log,
    done: Vec<BuiltFile>,
}

#[derive(Debug)]
enum Log {
    Segments(Box<LogWriter>),
    Ranges {
        log: Box<OldLog>,
        surroundings: Box<Surroundings>,
    },
}

impl LogBuilder {
    /// Begins a stream.
    ///
    /// # Errors
    /// [`WriteFault::LogSize`] when a log would have no room.
    pub fn new(options: StreamOptions) -> Result<Self, WriteFault> {
        let mut environment = options.environment.clone();
        environment.log_sectors = u32::from(options.file_sectors);
        let surroundings = Surroundings {
            environment,
            attachments: Vec::new(),
            checkpoint: Lgpos::new(options.first.0, header_sectors(options.format), 0),
            now: options.created,
            least_version: options.version,
        };
        let header = first_header(&options, &surroundings);
        let log = match options.format {
            LogFormat::Segments => Log::Segments(Box::new(LogWriter::first(header, surroundings)?)),
            LogFormat::Ranges { sector } => {
                let bytes = header.file_bytes();
                let fewest = u64::from(header_sectors(options.format) + 4) * u64::from(sector);
                if !matches!(sector, 512 | 4096) || bytes < fewest {
                    return Err(WriteFault::LogSize { bytes });
                }
                Log::Ranges {
                    log: Box::new(OldLog::new(header, &[])),
                    surroundings: Box::new(surroundings),
                }
            }
        };
        Ok(Self {
            options,
            log,
            done: Vec::new(),
        })
    }

    /// What the next headers will say: time, attachments, checkpoint.
    pub fn surroundings_mut(&mut self) -> &mut Surroundings {
        match &mut self.log {
            Log::Segments(writer) => writer.surroundings_mut(),
            Log::Ranges { surroundings, .. } => surroundings,
        }
    }

    /// Where the next record goes, if it fits there.
    #[must_use]
    pub fn position(&self) -> Lgpos {
        match &self.log {
            Log::Segments(writer) => writer.position(),
            Log::Ranges { log, .. } => log.position(),
        }
    }

    /// Appends a record and says where it stands.
    ///
    /// # Errors
    /// [`WriteFault::TooLongForLog`], [`WriteFault::SequenceEnd`].
    pub fn append(&mut self, record: &[u8]) -> Result<Lgpos, WriteFault> {
        if let Log::Segments(writer) = &mut self.log {
            return writer.append(record);
        }
        let fits = |log: &Log| match log {
            Log::Ranges { log, .. } => log.fits(record.len()),
            Log::Segments(_) => true,
        };
        if !fits(&self.log) {
            self.roll()?;
        }
        if !fits(&self.log) {
            return Err(WriteFault::TooLongForLog {
                len: record.len(),
                segments: self.options.file_sectors,
            });
        }
        match &mut self.log {
            Log::Ranges { log, .. } => Ok(log.append(record)),
            Log::Segments(writer) => writer.append(record),
        }
    }

    /// All so far is written: a new segment, or a new range.
    ///
    /// # Errors
    /// [`WriteFault::SequenceEnd`].
    pub fn flush(&mut self) -> Result<(), WriteFault> {
        match &mut self.log {
            Log::Segments(writer) => writer.new_segment(),
            Log::Ranges { log, .. } => {
                log.flush();
                Ok(())
            }
        }
    }

    /// Ends this generation and begins the next.
    ///
    /// # Errors
    /// [`WriteFault::SequenceEnd`].
    pub fn roll(&mut self) -> Result<(), WriteFault> {
        let (log, surroundings) = match &mut self.log {
            Log::Segments(writer) => return writer.roll(),
            Log::Ranges { log, surroundings } => (log, surroundings),
        };
        let before = &log.header;
        let next = LogHeader {
            generation: before.generation.next(),
            created: surroundings.now,
            prev_created: before.created,
            checkpoint: surroundings.checkpoint,
            environment: surroundings.environment.clone(),
            ..before.clone()
        };
        let next = OldLog::new(next, &surroundings.attachments);
        let mut full = std::mem::replace(&mut **log, next);
        let name = self
            .options
            .naming
            .name(LogRole::Archived(full.header.generation));
        full.fill();
        let bytes = full.finish(Tail::Whole);
        self.done.push(BuiltFile { name, bytes });
        Ok(())
    }

    /// In the old format: a crash left these bytes at the start of a sector, and the log went on behind
    /// them. Nothing happens in the new format.
    pub fn leave_dead(&mut self, dead: &[u8]) {
        if let Log::Ranges { log, .. } = &mut self.log {
            log.leave_dead(dead);
        }
    }

    /// A checkpoint of this stream at `at`; `log::closing::checkpoint_file` makes a file of it.
    #[must_use]
    pub fn checkpoint_at(&self, at: Lgpos) -> Checkpoint {
        let environment = match &self.log {
            Log::Segments(writer) => &writer.surroundings().environment,
            Log::Ranges { surroundings, .. } => &surroundings.environment,
        };
        closing_checkpoint(None, self.options.sign_log, environment, at)
    }

    /// The files, the current log last. In the old format its end is as `tail` says; the new format
    /// knows only [`Tail::Whole`] (with a shadow, unless a segment was just filled).
    #[must_use]
    pub fn finish(self, tail: Tail) -> Vec<BuiltFile> {
        let naming = &self.options.naming;
        let mut files = self.done;
        match self.log {
            Log::Segments(writer) => {
                for change in writer.finish() {
                    if change.role != LogRole::Temp {
                        files.push(BuiltFile {
                            name: naming.name(change.role),
                            bytes: change.content.applied_to(&[]),
                        });
                    }
                }
            }
            Log::Ranges { log, .. } => files.push(BuiltFile {
                name: naming.name(LogRole::Current),
                bytes: log.finish(tail),
            }),
        }
        files
    }
}

const fn header_sectors(format: LogFormat) -> u16 {
    match format {
        LogFormat::Ranges { sector: 512 } => 8,
        LogFormat::Ranges { .. } | LogFormat::Segments => 1,
    }
}

fn first_header(options: &StreamOptions, surroundings: &Surroundings) -> LogHeader {
    let (sector_size, major, minor) = match options.format {
        LogFormat::Segments => (SEGMENT_BYTES as u16, 8, 4000),
        LogFormat::Ranges { sector } => (sector, 7, 3704),
    };
    LogHeader {
        checksum: 0,
        generation: options.first.0,
        sector_size,
        header_sectors: header_sectors(options.format),
        file_sectors: options.file_sectors,
        page_size: options.page_size,
        created: options.created,
        prev_created: options.first.1,
        major,
        minor,
        update_major: options.version.0,
        sign_log: options.sign_log,
        environment: surroundings.environment.clone(),
        flags: 0,
        checkpoint: surroundings.checkpoint,
        update_minor: options.version.1,
        disk_sector_note: 0,
        prev_segments_checksum: 0,
        written_by: 0,
        reserved: 0,
        filetype: 3,
    }
}
