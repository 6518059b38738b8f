//! From one log to the next: what must agree, and what is done where it does not. [log notes 1.3, 11.4]

use super::{LOSSY_ADVICE, Next, Recovery};
use crate::error::{Error, Result, Trouble};
use crate::format::ids::Generation;
use crate::format::loghdr::LogHeader;
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::log::generation::LoadedLog;
use crate::recover::attached::Attached;
use crate::recover::stream;

/// From this update minor on a log holds the checksum of the one before.
const PREVIOUS_SUM_SINCE: u32 = 13;

impl Recovery<'_> {
    /// A log whose blocks are damaged ends the replay, or makes it fail. With `/a` it is given up with all after it,
    /// as long as no database needs them.
    pub(super) fn damaged(&mut self, log: &LoadedLog) -> Result<bool> {
        let Some(damage) = log.scan.damage else {
            return Ok(false);
        };
        if let Some(restored) = &self.plan.restored
            && restored.needs(log.generation())
        {
            let what = format!(
                "'{}', a log of the backup, is damaged ({})",
                log.path.display(),
                damage.jet
            );
            return Err(Trouble::new(JetError::REDO_ABRUPTLY_ENDED, what)
                .at(damage.at)
                .advise("restore this log file from the backup again")
                .into());
        }
        let trouble = Trouble::new(damage.jet, format!("'{}' is damaged", log.path.display()))
            .at(damage.at)
            .advise("find a good copy of this log file");
        self.give_up_from(log.generation(), trouble).map(|()| true)
    }

    /// Decides on a log that cannot be replayed. [engine: corrective options]
    fn give_up_from(&mut self, bad: Generation, trouble: Trouble) -> Result<()> {
        let before = Generation::new(bad.get().saturating_sub(1));
        let check = self.generations_suffice(before);
        let is_sequence = trouble.jet == JetError::INVALID_LOG_SEQUENCE;
        match check.as_ref().map_err(Error::jet) {
            Ok(()) if !self.plan.lossy => return Err(trouble.into()),
            Ok(()) => {}
            Err(JetError::COMMITTED_LOG_FILES_MISSING) if self.plan.lossy => {}
            Err(JetError::COMMITTED_LOG_FILES_MISSING) => {
                let mut trouble = trouble;
                trouble.jet = if is_sequence {
                    JetError::COMMITTED_LOG_FILES_MISSING
                } else {
                    JetError::COMMITTED_LOG_FILE_CORRUPT
                };
                trouble.advice = Some(LOSSY_ADVICE.to_owned());
                return Err(trouble.into());
            }
            Err(_) => return Err(trouble.into()),
        }
        if self.start.generation >= bad {
            return Err(trouble.into());
        }
        self.lost = JetError::COMMITTED_LOG_FILES_REMOVED;
        self.removed = self.stream.from(bad);
        Ok(())
    }

    /// Whether `generation`, the last that can be had, is enough for every database.
    pub(super) fn generations_suffice(&self, generation: Generation) -> Result<()> {
        for database in &self.replay.databases {
            let (_, required, _) = database.needed;
            if generation < required {
                return Err(self.too_few(
                    database,
                    generation,
                    required,
                    JetError::REQUIRED_LOG_FILES_MISSING,
                ));
            }
        }
        for database in &self.replay.databases {
            let (_, _, committed) = database.needed;
            if generation < committed {
                return Err(self.too_few(
                    database,
                    generation,
                    committed,
                    JetError::COMMITTED_LOG_FILES_MISSING,
                ));
            }
        }
        Ok(())
    }

    fn too_few(
        &self,
        database: &Attached,
        have: Generation,
        need: Generation,
        jet: JetError,
    ) -> Error {
        let names = self.stream.range_name(have.next(), need);
        let what = if jet == JetError::REQUIRED_LOG_FILES_MISSING {
            format!("the database needs the log files {names}, which are not there")
        } else {
            format!("the log files {names}, which hold committed transactions, are not there")
        };
        let advice = if jet == JetError::REQUIRED_LOG_FILES_MISSING {
            "bring the missing log files (the last may be called by the base name alone); without them the database \
             can only be repaired"
        } else {
            LOSSY_ADVICE
        };
        Trouble::new(jet, what)
            .of(&database.path)
            .advise(advice)
            .into()
    }

    /// The last required log must be the very one that the database was written under.
    pub(super) fn check_creation_time(&self, log: &LoadedLog) -> Result<()> {
        if self.plan.lossy {
            return Ok(());
        }
        let header = &log.head.header;
        for database in &self.replay.databases {
            let (_, required, committed) = database.needed;
            if required != header.generation {
                continue;
            }
            let db = &database.header;
            let expected = if db.required_high_time.is_set() {
                db.required_high_time
            } else if required == committed {
                db.committed_high_time
            } else {
                LogTime::default()
            };
            if expected.is_set() && expected != header.created {
                return Err(Trouble::new(
                    JetError::REQUIRED_LOG_FILES_MISSING,
                    format!(
                        "'{}' was created at {}, but the database needs the one created at {expected}",
                        log.path.display(),
                        header.created
                    ),
                )
                .of(&database.path)
                .advise("this log is another one of the same number; find the one of the database's own time")
                .into());
            }
        }
        Ok(())
    }

    /// Loads the log after `log`.
    pub(super) fn next_log(&mut self, log: &LoadedLog, is_current: bool) -> Result<Next> {
        if is_current {
            return Ok(Next::End);
        }
        let wanted = log.generation().next();
        let archived = self.stream.archived(wanted);
        let current = archived.is_none();
        let Some(path) = archived.or_else(|| self.stream.current()) else {
            return self.no_more(wanted);
        };
        let ready = match self.ahead.take(&path) {
            Ok(next) => next,
            Err(fault) => return Err(stream::unusable(&path, &fault).into()),
        };
        let header = &ready.log.head.header;
        if header.sign_log != self.sign_log {
            return Err(Trouble::new(
                JetError::BAD_LOG_SIGNATURE,
                format!("'{}' belongs to another log stream", path.display()),
            )
            .advise("keep the logs of different streams in different folders")
            .into());
        }
        if !current && header.generation != wanted {
            return Err(Trouble::new(
                JetError::LOG_GENERATION_MISMATCH,
                format!(
                    "'{}' is generation {:#X}, not what its name says",
                    path.display(),
                    header.generation.get()
                ),
            )
            .advise("give the file its right name")
            .into());
        }
        if header.prev_created != log.head.header.created || header.generation != wanted {
            let what = if header.generation == wanted {
                format!(
                    "'{}' is not the successor of '{}'",
                    path.display(),
                    log.path.display()
                )
            } else {
                format!(
                    "{} is not there: the next log, '{}', is generation {:#X}",
                    self.stream.name(wanted),
                    path.display(),
                    header.generation.get()
                )
            };
            let trouble = Trouble::new(JetError::INVALID_LOG_SEQUENCE, what).advise(
                "bring the missing log file; a log of another time under this number does not help",
            );
            self.give_up_from(wanted, trouble)?;
            return Ok(Next::End);
        }
        if keeps_previous_sum(header) && header.prev_segments_checksum != log.scan.segments_checksum
        {
            return Err(Trouble::new(
                JetError::LOG_SEQUENCE_CHECKSUM_MISMATCH,
                format!(
                    "'{}' was followed by another log than '{}', or part of it is lost",
                    log.path.display(),
                    path.display()
                ),
            )
            .advise("find a complete copy of the former")
            .into());
        }
        Ok(Next::Log(Box::new(ready), current))
    }

    /// There is no next log: the end, or a hole.
    fn no_more(&mut self, wanted: Generation) -> Result<Next> {
        if let Some((_, high)) = self.stream.range()
            && high > wanted
        {
            return Err(Trouble::new(
                JetError::MISSING_LOG_FILE,
                format!(
                    "{} is not there, but later logs are",
                    self.stream.name(wanted)
                ),
            )
            .advise("bring the missing log file")
            .into());
        }
        if self.plan.lossy {
            let last = Generation::new(wanted.get().saturating_sub(1));
            match self.generations_suffice(last) {
                Err(error) if error.jet() == JetError::COMMITTED_LOG_FILES_MISSING => {
                    self.lost = JetError::COMMITTED_LOG_FILES_LOST;
                }
                other => other?,
            }
        }
        Ok(Next::End)
    }

    /// Starts loading the log after `log` in the background.
    pub(super) fn read_ahead(&mut self, log: &LoadedLog, is_current: bool) {
        if is_current {
            return;
        }
        let wanted = log.generation().next();
        let path = self
            .stream
            .archived(wanted)
            .or_else(|| self.stream.current());
        if let Some(path) = path {
            self.ahead.begin(path, self.replay.sources());
        }
    }
}

fn keeps_previous_sum(header: &LogHeader) -> bool {
    header.is_new_format()
        && (header.update_major, header.update_minor) >= (5, PREVIOUS_SUM_SINCE)
        && header.update_minor >= PREVIOUS_SUM_SINCE
}
