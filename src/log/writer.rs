//! Writing a log stream in the new format (8.4000): records go in, changes of files come out. Nothing
//! here touches a disk.
//!
//! Rules, from the engine's behaviour on every recovered set of the corpus (`tests/log_writer.rs`):
//!
//! - Records stand in segments 1 to n - 2 of a file of n; a record that would reach the end of the last one,
//!   even exactly, goes to a new generation, and the rest of the old one is filled with NOPs (zero).
//! - A generation that is left at the start of a segment, with nothing before it waiting to be written,
//!   gets a segment of NOPs whose time is zero.
//! - A segment that is written before it is full stands in the next place, too, as its shadow.

use crate::format::loghdr::{Attachment, Environment, LOG_HEADER_BYTES, LogHeader};
use crate::format::logwrite::TooLong;
use crate::format::logwrite::control::{NOP2_FIXED, nop2};
use crate::format::logwrite::segment::{Fit, SEGMENT_BYTES, SegmentBuilder, end_after};
use crate::format::stamp::{Lgpos, LogTime};
use crate::format::version::NEWEST;

use super::changes::{LogContent, LogFileChange, LogRole};
use super::generation::LoadedLog;

/// Update major and minor of the oldest version that new generations get.
/// [engine: sets of 8.4000.4.x and 8.4000.5.13 go on as 8.4000.5.14]
pub const OLDEST_WRITTEN: (u32, u32) = (5, 14);
/// The last generation that recovery may begin. [log notes 1.1]
const LAST_GENERATION: u32 = 0x7FFF_FA00;
/// A log has a header, a place for a shadow, and room for records between them.
const FEWEST_SEGMENTS: u64 = 4;
/// Flag of a log header: circular logging is on.
const CIRCULAR_NOW: u8 = 2;
/// Flag of a log header: it was on before.
const CIRCULAR_BEFORE: u8 = 4;
/// File type of a log.
const LOG_FILE: u32 = 3;

/// Why a record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteFault {
    /// A part of it is too long for its field.
    #[error(transparent)]
    Record(#[from] TooLong),
    /// It is longer than a whole log. (-517 in the engine)
    #[error("a log record of {len} bytes does not fit into a log of {segments} segments")]
    TooLongForLog {
        /// Its length.
        len: usize,
        /// Segments of a log.
        segments: u16,
    },
    /// The log's size leaves no room for records, or is not a number of whole segments.
    #[error("logs of {bytes} bytes cannot be written")]
    LogSize {
        /// The size.
        bytes: u64,
    },
    /// No generation number is left. (-519)
    #[error("the log stream has no generation numbers left")]
    SequenceEnd,
}

/// The last usable generation of a stream, as `log::verify` finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastLog<'a> {
    /// Its header.
    pub header: &'a LogHeader,
    /// The position behind its last valid segment.
    pub end: Lgpos,
    /// XOR of the checksums of its segments; 0 when it is not known.
    pub segments_checksum: u64,
    /// Whether it is `<base>.log` (which a new generation archives) or has its number already.
    pub is_current: bool,
    /// The segment that was torn and is whole in its shadow: its place, and what belongs there.
    pub mended: Option<(u16, &'a [u8])>,
}

impl<'a> LastLog<'a> {
    /// The log as it was read. A torn segment of the current log is mended on disk, too; logs of the old
    /// format stay as they are. \[engine\]
    #[must_use]
    pub fn new(log: &'a LoadedLog, is_current: bool) -> Self {
        let header = &log.head.header;
        let end = log.scan.end;
        let mends = log.scan.torn && is_current && header.is_new_format();
        let mended = end.isec.checked_sub(1).filter(|_| mends).and_then(|isec| {
            let at = usize::from(isec) * SEGMENT_BYTES;
            Some((isec, log.bytes.get(at..at + SEGMENT_BYTES)?))
        });
        Self {
            header,
            end,
            segments_checksum: log.scan.segments_checksum,
            is_current,
            mended,
        }
    }

    fn pieces(&self) -> Vec<(u64, Vec<u8>)> {
        let piece = |(isec, bytes): (u16, &[u8])| (offset_of(isec), bytes.to_vec());
        self.mended.map(piece).into_iter().collect()
    }
}

/// Where a segment lies in its file.
fn offset_of(number: u16) -> u64 {
    u64::from(number) * SEGMENT_BYTES as u64
}

/// What new headers say beside what they inherit. All of it may change on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The environment that writes; its number of log sectors is filled in.
    pub environment: Environment,
    /// Databases that are attached.
    pub attachments: Vec<Attachment>,
    /// The checkpoint: where redo began.
    pub checkpoint: Lgpos,
    /// The time now.
    pub now: LogTime,
    /// Update major and minor that new generations have at least: [`OLDEST_WRITTEN`] for what the
    /// engine does.
    pub least_version: (u32, u32),
}

/// A file of the stream while it is written.
#[derive(Debug)]
struct OpenLog {
    header: LogHeader,
    /// Whether the file is new. Else it is there and gets only what changes.
    fresh: bool,
    /// Whether it is `<base>.log` now.
    is_current: bool,
    pieces: Vec<(u64, Vec<u8>)>,
    /// XOR of the checksums of all segments so far.
    segments_checksum: u64,
}

/// Appends records to a stream. See the module.
#[derive(Debug)]
pub struct LogWriter {
    log: OpenLog,
    /// The segment that records go to, and its place.
    segment: SegmentBuilder,
    number: u16,
    /// The first place that is not yet on disk, as the engine would have written.
    unwritten: u16,
    /// The current segment has been written while it was not full.
    has_shadow: bool,
    surroundings: Surroundings,
    done: Vec<LogFileChange>,
    began_generations: bool,
}

impl LogWriter {
    /// Goes on behind the end of the last log. When that is full, or of the old format, a new generation
    /// begins at once.
    ///
    /// # Errors
    /// [`WriteFault::LogSize`], [`WriteFault::SequenceEnd`].
    pub fn resume(last: LastLog<'_>, surroundings: Surroundings) -> Result<Self, WriteFault> {
        let header = last.header;
        let full = last.end.isec >= header.file_sectors.saturating_sub(1);
        if header.is_old_format() || full {
            return Self::new_generation(last, surroundings);
        }
        sectors(header)?;
        Ok(Self {
            log: OpenLog {
                header: header.clone(),
                fresh: false,
                is_current: last.is_current,
                pieces: last.pieces(),
                segments_checksum: last.segments_checksum,
            },
            segment: SegmentBuilder::default(),
            number: last.end.isec,
            unwritten: last.end.isec,
            has_shadow: false,
            surroundings,
            done: Vec::new(),
            began_generations: false,
        })
    }

    /// Goes on in a new generation behind `last`, whatever room is left in it.
    ///
    /// # Errors
    /// [`WriteFault::LogSize`], [`WriteFault::SequenceEnd`].
    pub fn new_generation(
        last: LastLog<'_>,
        surroundings: Surroundings,
    ) -> Result<Self, WriteFault> {
        let header = successor(last.header, last.segments_checksum, &surroundings)?;
        let mut done = Vec::new();
        if last.is_current {
            done.push(LogFileChange {
                role: LogRole::Archived(last.header.generation),
                was_current: true,
                content: LogContent::Patch(last.pieces()),
            });
        }
        Ok(Self::begin(header, surroundings, done, true))
    }

    /// Begins a stream of its own with this header; what it says of its own version, size, signature and
    /// predecessor is taken as it is.
    ///
    /// # Errors
    /// [`WriteFault::LogSize`].
    pub fn first(header: LogHeader, surroundings: Surroundings) -> Result<Self, WriteFault> {
        sectors(&header)?;
        Ok(Self::begin(header, surroundings, Vec::new(), false))
    }

    fn begin(
        header: LogHeader,
        surroundings: Surroundings,
        done: Vec<LogFileChange>,
        began_generations: bool,
    ) -> Self {
        let number = header.header_sectors;
        let log = OpenLog::fresh(header, &surroundings.attachments);
        Self {
            log,
            segment: SegmentBuilder::default(),
            number,
            unwritten: number,
            has_shadow: false,
            surroundings,
            done,
            began_generations,
        }
    }

    /// The header of the generation that is being written.
    #[must_use]
    pub const fn header(&self) -> &LogHeader {
        &self.log.header
    }

    /// What the next headers will say.
    pub const fn surroundings_mut(&mut self) -> &mut Surroundings {
        &mut self.surroundings
    }

    /// What the next headers will say.
    #[must_use]
    pub const fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Where the next record goes, if it fits there.
    #[must_use]
    pub const fn position(&self) -> Lgpos {
        Lgpos::new(self.log.header.generation, self.number, self.segment.ib())
    }

    /// Appends a record and says where it stands.
    ///
    /// # Errors
    /// [`WriteFault::TooLongForLog`], [`WriteFault::SequenceEnd`].
    pub fn append(&mut self, record: &[u8]) -> Result<Lgpos, WriteFault> {
        self.append_group(&[record])
    }

    /// Appends records that must not be parted by the end of a generation, as the engine does with those
    /// of a macro. Says where the first stands.
    ///
    /// # Errors
    /// [`WriteFault::TooLongForLog`], [`WriteFault::SequenceEnd`].
    pub fn append_group(&mut self, records: &[&[u8]]) -> Result<Lgpos, WriteFault> {
        let lens: Vec<usize> = records.iter().map(|record| record.len()).collect();
        if !self.fits(&lens) {
            self.roll()?;
            if !self.fits(&lens) {
                return Err(WriteFault::TooLongForLog {
                    len: lens.iter().sum(),
                    segments: self.log.header.file_sectors,
                });
            }
        }
        let mut first = None;
        for record in records {
            let at = self.put(record);
            first = first.or(Some(at));
        }
        Ok(first.unwrap_or(self.position()))
    }

    /// True when the records end before the end of the last segment for records.
    fn fits(&self, lens: &[usize]) -> bool {
        let end = end_after(self.segment.used(), lens) / SEGMENT_BYTES;
        usize::from(self.number) + end + 1 < usize::from(self.log.header.file_sectors)
    }

    fn put(&mut self, record: &[u8]) -> Lgpos {
        let now = self.surroundings.now;
        if self.segment.fit(record.len()) == Fit::Next {
            self.close_segment();
        }
        self.segment.begin(now);
        let at = self.position();
        if self.segment.fit(record.len()) == Fit::Whole {
            self.segment.put(record);
        } else {
            let mut rest = self.segment.put_first_piece(record);
            while !rest.is_empty() {
                self.close_segment();
                self.segment.begin(now);
                rest = self.segment.put_next_piece(rest);
            }
        }
        if self.segment.is_full() {
            self.close_segment();
        }
        at
    }

    /// The segment is as it will stay; the next begins.
    fn close_segment(&mut self) {
        let bytes = self.seal_segment();
        self.log.piece(self.number, bytes);
        self.number = self.number.saturating_add(1);
        self.segment = SegmentBuilder::default();
        self.has_shadow = false;
    }

    fn seal_segment(&mut self) -> Vec<u8> {
        let generation = self.log.header.generation;
        let (bytes, sum) = self.segment.seal(generation, self.number);
        self.log.segments_checksum ^= sum;
        bytes
    }

    /// Writes what there is. The segment goes on afterwards; until it is full its shadow stands behind
    /// it.
    pub const fn flush(&mut self) {
        self.has_shadow = !self.segment.is_untouched();
        self.unwritten = self.number;
    }

    /// Fills the segment, so that the next record begins one, and writes it: NOP2 in general, NOPs and a new
    /// generation in the last segment of a log. With fewer than 5 bytes left nothing is filled, as
    /// the engine does.
    ///
    /// # Errors
    /// [`WriteFault::SequenceEnd`].
    pub fn new_segment(&mut self) -> Result<(), WriteFault> {
        let room = self.segment.room();
        if self.segment.is_untouched() {
            self.unwritten = self.number;
            return Ok(());
        }
        if room < NOP2_FIXED {
            self.flush();
            return Ok(());
        }
        if self.fits(&[room]) {
            let filler = nop2(room)?;
            self.segment.put(&filler);
            self.close_segment();
            self.unwritten = self.number;
            return Ok(());
        }
        self.roll()?;
        Ok(())
    }

    /// Ends this generation and begins the next.
    ///
    /// # Errors
    /// [`WriteFault::SequenceEnd`].
    pub fn roll(&mut self) -> Result<(), WriteFault> {
        if !self.segment.is_untouched() {
            let shadow = self.has_shadow;
            self.close_segment();
            // Nothing else overwrites the shadow any more: it is made to agree.
            if let (true, Some((_, bytes))) = (shadow, self.log.pieces.last()) {
                let bytes = bytes.clone();
                self.log.piece(self.number, bytes);
            }
        } else if self.unwritten == self.number {
            self.segment.begin(LogTime::default());
            self.close_segment();
        }
        let header = successor(
            &self.log.header,
            self.log.segments_checksum,
            &self.surroundings,
        )?;
        let number = header.header_sectors;
        let next = OpenLog::fresh(header, &self.surroundings.attachments);
        let full = std::mem::replace(&mut self.log, next);
        let generation = full.header.generation;
        self.done
            .push(full.into_change(LogRole::Archived(generation)));
        self.number = number;
        self.unwritten = number;
        self.began_generations = true;
        Ok(())
    }

    /// Writes what there is and says how the files change, in the order in which that is to be done.
    /// After a new generation the prepared log is empty.
    #[must_use]
    pub fn finish(mut self) -> Vec<LogFileChange> {
        if !self.segment.is_untouched() {
            let bytes = self.seal_segment();
            self.log.piece(self.number, bytes.clone());
            self.log.piece(self.number.saturating_add(1), bytes);
        }
        let temp = LogContent::New {
            len: self.log.header.file_bytes(),
            pieces: Vec::new(),
        };
        self.done.push(self.log.into_change(LogRole::Current));
        if self.began_generations {
            self.done.push(LogFileChange {
                role: LogRole::Temp,
                was_current: false,
                content: temp,
            });
        }
        self.done
    }
}

impl OpenLog {
    fn fresh(header: LogHeader, attachments: &[Attachment]) -> Self {
        let mut page = vec![0; LOG_HEADER_BYTES];
        header.write_to(attachments, &mut page);
        Self {
            header,
            fresh: true,
            is_current: false,
            pieces: vec![(0, page)],
            segments_checksum: 0,
        }
    }

    fn piece(&mut self, number: u16, bytes: Vec<u8>) {
        self.pieces.push((offset_of(number), bytes));
    }

    fn into_change(self, role: LogRole) -> LogFileChange {
        let len = self.header.file_bytes();
        LogFileChange {
            role,
            was_current: self.is_current,
            content: if self.fresh {
                LogContent::New {
                    len,
                    pieces: self.pieces,
                }
            } else {
                LogContent::Patch(self.pieces)
            },
        }
    }
}

/// Segments of a log of the size that this header gives.
fn sectors(header: &LogHeader) -> Result<u16, WriteFault> {
    let bytes = header.file_bytes();
    let count = bytes / SEGMENT_BYTES as u64;
    if count < FEWEST_SEGMENTS || !bytes.is_multiple_of(SEGMENT_BYTES as u64) {
        return Err(WriteFault::LogSize { bytes });
    }
    u16::try_from(count).map_err(|_| WriteFault::LogSize { bytes })
}

/// The header of the generation behind `last`.
fn successor(
    last: &LogHeader,
    segments_checksum: u64,
    surroundings: &Surroundings,
) -> Result<LogHeader, WriteFault> {
    let generation = last.generation.next();
    if generation.get() > LAST_GENERATION {
        return Err(WriteFault::SequenceEnd);
    }
    let file_sectors = sectors(last)?;
    let mut environment = surroundings.environment.clone();
    environment.log_sectors = u32::from(file_sectors);
    let circular_now = if environment.circular_logging() {
        CIRCULAR_NOW
    } else {
        0
    };
    let circular_before = match last.flags & (CIRCULAR_NOW | CIRCULAR_BEFORE) {
        0 => 0,
        _ => CIRCULAR_BEFORE,
    };
    Ok(LogHeader {
        checksum: 0,
        generation,
        sector_size: SEGMENT_BYTES as u16,
        header_sectors: 1,
        file_sectors,
        page_size: if last.page_size == 0 {
            4096
        } else {
            last.page_size
        },
        created: surroundings.now,
        prev_created: last.created,
        major: last.major.max(8),
        minor: 4000,
        // Each number by itself, so that 7.3704.15 becomes 8.4000.15.14. [vs-dirty-car4]
        update_major: last.update_major.max(surroundings.least_version.0),
        sign_log: last.sign_log,
        environment,
        flags: circular_now | circular_before,
        checkpoint: surroundings.checkpoint,
        update_minor: last.update_minor.max(surroundings.least_version.1),
        disk_sector_note: 0,
        prev_segments_checksum: segments_checksum,
        written_by: NEWEST.engine,
        reserved: 0,
        filetype: LOG_FILE,
    })
}

/// True when the engine would not write to a log of this version any more, but begin a new generation
/// before it says RecoveryUndo2.
#[must_use]
pub fn is_outdated(header: &LogHeader) -> bool {
    (header.major, header.update_major, header.update_minor)
        < (8, OLDEST_WRITTEN.0, OLDEST_WRITTEN.1)
}

#[cfg(test)]
mod tests;
