//! The records with which a stream is closed after a recovery, as the engine and Eseutil leave it.
//!
//! ```text
//! log ended in the middle          log ended with Term2 or RecoveryQuit2
//!   RecoveryUndo2                    (nothing)
//!   per open macro: MacroAbort
//!   per session: UndoInfo, Undo, Rollback 1 per level
//!   ShutDownMark                   <- databases are consistent as of here
//!   NOP2 to the end of the segment
//!   RecoveryQuit2, NOP2
//!   Init2, ShutDownMark, NOP2       Init2, ShutDownMark, NOP2
//!   Term2                           Term2           <- the checkpoint
//! ```
//!
//! Where a part meets the end of a generation, [`LogWriter`] tells what happens. [engine: 70 recovered
//! sets of the corpus, byte for byte but for times]

use crate::format::checkpoint::{CHECKPOINT_BYTES, Checkpoint};
use crate::format::ids::DbTime;
use crate::format::loghdr::{Attachment, Environment, LogHeader, PathField};
use crate::format::logrec::{ProcId, RecordKind};
use crate::format::logwrite::control::{
    init2, macro_abort, recovery_quit2, recovery_undo2, rollback, shut_down_mark, term2,
};
use crate::format::stamp::{Lgpos, LogTime, Signature};

use super::changes::LogFileChange;
use super::writer::{LogWriter, WriteFault, is_outdated};

/// File type of a checkpoint.
const CHECKPOINT_FILE: u32 = 4;

/// The settings that Eseutil's engine writes down when it recovers: those of the new logs, of Init2 and
/// of the checkpoint. `directory` ends with its separator; what is beyond 260 bytes is cut off. The
/// number of log sectors is filled in by the writer. [engine: every recovered set of the corpus]
#[must_use]
pub fn recovery_environment(directory: &str) -> Environment {
    let mut path = [0; 261];
    let len = directory.len().min(path.len() - 1);
    path[..len].copy_from_slice(&directory.as_bytes()[..len]);
    Environment {
        system_path: PathField(path),
        log_path: PathField(path),
        flags: 0,
        sessions: 16,
        open_tables: 300,
        version_pages: 64,
        cursors: 1024,
        log_buffers: 126,
        log_sectors: 0,
        cache_pages: 0xFFFD_FFDF,
        reserved: [0; 16],
    }
}

/// How the last log ended, filler aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEnd {
    /// With Term, Term2, RecoveryQuit or RecoveryQuit2: nothing is undone.
    Closed,
    /// With a ShutDownMark only: all was undone and written, but Term is missing. No RecoveryUndo2 is
    /// written. [engine source]
    ShutDownMark,
    /// Anything else.
    Open,
}

impl LogEnd {
    /// By the last record that is no filler; `None` for a stream without records.
    #[must_use]
    pub fn after(last: Option<RecordKind>) -> Self {
        match last {
            Some(
                RecordKind::TERM
                | RecordKind::TERM2
                | RecordKind::RECOVERY_QUIT
                | RecordKind::RECOVERY_QUIT2
                | RecordKind::RECOVERY_QUIT_KEEP_ATTACHMENTS,
            ) => Self::Closed,
            Some(RecordKind::SHUTDOWN_MARK) => Self::ShutDownMark,
            _ => Self::Open,
        }
    }
}

/// Writes the end of a recovery. Call the methods in the order in which they stand.
#[derive(Debug)]
pub struct Closing {
    writer: LogWriter,
    redo_from: Lgpos,
    undo: Lgpos,
    shut_down: Option<Lgpos>,
    hard: bool,
}

/// What a closed stream is.
#[derive(Debug)]
pub struct Closed {
    /// How its files change, in the order in which that is to be done.
    pub changes: Vec<LogFileChange>,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Position of the last Term2, or of RecoveryQuit2 when the engine was not started again.
    pub end: Lgpos,
}

impl Closing {
    /// Begins the end of a recovery that found something to do: redo from `redo_from`, and the log
    /// ended as `end` says. `writer` stands where [`LogWriter::resume`] or
    /// [`LogWriter::new_generation`] put it behind a log with the header `last`.
    ///
    /// # Errors
    /// What [`LogWriter::append`] says.
    pub fn begin(
        mut writer: LogWriter,
        last: &LogHeader,
        redo_from: Lgpos,
        end: LogEnd,
    ) -> Result<Self, WriteFault> {
        let mut undo = Lgpos::default();
        if end == LogEnd::Open {
            if is_outdated(last) {
                writer.roll()?;
            }
            undo = writer.append(&recovery_undo2(writer.surroundings().now))?;
        }
        Ok(Self {
            writer,
            redo_from,
            undo,
            shut_down: None,
            hard: false,
        })
    }

    /// Says in the closing record that a backup was restored.
    pub const fn set_hard(&mut self) {
        self.hard = true;
    }

    /// The writer, to change the time, the attachments, or to look where it stands.
    pub const fn writer_mut(&mut self) -> &mut LogWriter {
        &mut self.writer
    }

    /// Drops an open macro.
    ///
    /// # Errors
    /// What [`LogWriter::append`] says.
    pub fn abort_macro(&mut self, procid: ProcId, dbtime: DbTime) -> Result<Lgpos, WriteFault> {
        self.writer.append(&macro_abort(procid, dbtime))
    }

    /// Appends a record of undo: UndoInfo or Undo.
    ///
    /// # Errors
    /// What [`LogWriter::append`] says.
    pub fn undo(&mut self, record: &[u8]) -> Result<Lgpos, WriteFault> {
        self.writer.append(record)
    }

    /// Ends one level of a session's transaction.
    ///
    /// # Errors
    /// What [`LogWriter::append`] says.
    pub fn roll_back(&mut self, procid: ProcId) -> Result<Lgpos, WriteFault> {
        self.writer.append(&rollback(procid, 1))
    }

    /// Marks that all is undone and written; databases are consistent as of the position given back.
    ///
    /// # Errors
    /// What [`LogWriter::append`] says.
    pub fn shut_down(&mut self) -> Result<Lgpos, WriteFault> {
        let at = self.writer.append(&shut_down_mark())?;
        self.writer.flush();
        self.writer.new_segment()?;
        self.shut_down = Some(at);
        Ok(at)
    }

    /// Ends recovery.
    ///
    /// # Errors
    /// What [`LogWriter::append`] says.
    pub fn quit(mut self) -> Result<Quit, WriteFault> {
        if self.shut_down.is_none() {
            self.shut_down()?;
        }
        let now = self.writer.surroundings().now;
        let record = recovery_quit2(self.undo, self.redo_from, self.hard, now);
        // Databases are detached from here on; only a generation begun for this record still lists
        // them.
        let at = self.writer.append(&record)?;
        self.writer.surroundings_mut().attachments.clear();
        self.writer.new_segment()?;
        Ok(Quit {
            writer: self.writer,
            at,
        })
    }
}

/// A stream whose recovery has ended.
#[derive(Debug)]
pub struct Quit {
    writer: LogWriter,
    at: Lgpos,
}

impl Quit {
    /// Begins behind a log that was closed in order: nothing was recovered.
    ///
    /// The header of a generation that has to be begun says (1,1,0) for the checkpoint then, as the
    /// engine's does. [engine: term-attached]
    #[must_use]
    pub const fn already_closed(writer: LogWriter, last_end: Lgpos) -> Self {
        Self {
            writer,
            at: last_end,
        }
    }

    /// The writer, to change the time.
    pub const fn writer_mut(&mut self) -> &mut LogWriter {
        &mut self.writer
    }

    /// Where recovery ended.
    #[must_use]
    pub const fn position(&self) -> Lgpos {
        self.at
    }

    /// The engine starts and ends once more, as Eseutil's engine does behind each recovery.
    ///
    /// # Errors
    /// What [`LogWriter::append`] says.
    pub fn restart(mut self) -> Result<Self, WriteFault> {
        let writer = &mut self.writer;
        writer.surroundings_mut().attachments.clear();
        let mut environment = writer.surroundings().environment.clone();
        environment.log_sectors = u32::from(writer.header().file_sectors);
        let init = writer.append(&init2(&environment, writer.surroundings().now))?;
        writer.surroundings_mut().checkpoint = init;
        writer.append(&shut_down_mark())?;
        writer.new_segment()?;
        self.at = writer.append(&term2(init, writer.surroundings().now))?;
        Ok(self)
    }

    /// The changes; `before` is the checkpoint that was there.
    #[must_use]
    pub fn finish(self, before: Option<&Checkpoint>) -> Closed {
        let header = self.writer.header();
        let mut environment = self.writer.surroundings().environment.clone();
        environment.log_sectors = u32::from(header.file_sectors);
        let checkpoint = closing_checkpoint(before, header.sign_log, &environment, self.at);
        Closed {
            changes: self.writer.finish(),
            checkpoint,
            end: self.at,
        }
    }
}

/// Everything behind the last undo in one call: marks, quits, starts and ends. Gives back the position
/// that databases are consistent as of, too.
///
/// # Errors
/// What [`LogWriter::append`] says.
pub fn close(
    mut closing: Closing,
    before: Option<&Checkpoint>,
) -> Result<(Lgpos, Closed), WriteFault> {
    let consistent = closing.shut_down()?;
    Ok((consistent, closing.quit()?.restart()?.finish(before)))
}

/// The checkpoint as the engine leaves it when it ended in order: at its Term2, without attachments.
/// Marks of backups are kept from the checkpoint before, when it belongs to the stream.
#[must_use]
pub fn closing_checkpoint(
    before: Option<&Checkpoint>,
    sign_log: Signature,
    environment: &Environment,
    term: Lgpos,
) -> Checkpoint {
    let before = before.filter(|checkpoint| checkpoint.sign_log == sign_log);
    let mut checkpoint = Checkpoint {
        checksum: 0,
        last_full_backup_checkpoint: Lgpos::default(),
        checkpoint: term,
        sign_log,
        environment: environment.clone(),
        full_backup: Lgpos::default(),
        full_backup_time: LogTime::default(),
        incremental_backup: Lgpos::default(),
        incremental_backup_time: LogTime::default(),
        flags: 0,
        db_consistency: term,
        reserved: [0; 11],
        filetype: CHECKPOINT_FILE,
        reserved2: [0; 8],
    };
    if let Some(before) = before {
        checkpoint.last_full_backup_checkpoint = before.last_full_backup_checkpoint;
        checkpoint.full_backup = before.full_backup;
        checkpoint.full_backup_time = before.full_backup_time;
        checkpoint.incremental_backup = before.incremental_backup;
        checkpoint.incremental_backup_time = before.incremental_backup_time;
    }
    checkpoint
}

/// A checkpoint file: two copies.
#[must_use]
pub fn checkpoint_file(checkpoint: &Checkpoint, attachments: &[Attachment]) -> Vec<u8> {
    let mut bytes = vec![0; 2 * CHECKPOINT_BYTES];
    for copy in bytes.chunks_exact_mut(CHECKPOINT_BYTES) {
        checkpoint.write_to(attachments, copy);
    }
    bytes
}
