//! Looks into one file, as deep as asked, and tells what is known of it. Nothing that is wrong with a file is an error here:
//! it is in the record.

use std::path::Path;

use super::classify::{Class, classify, role};
use super::record::{
    AttachedDatabase, CheckpointFacts, ChecksumFacts, DatabaseFacts, Depth, FINDINGS_KEPT, Facts,
    FileRecord, FlushMapFacts, IntegrityFacts, Kind, LogFacts, Role, State,
};
use crate::error::Error;
use crate::format::dbheader::{CopyState, DbHeader, DbState, HeaderCopies};
use crate::format::ids::PageSize;
use crate::format::loghdr::Attachment;
use crate::format::stamp::Signature;
use crate::format::trailer::Trailer;
use crate::jet::JetError;
use crate::log::verify::{self, ReadHeader};
use crate::ops::checkpoint::read_checkpoint;
use crate::ops::checksum::{ChecksumOptions, check_file};
use crate::ops::flushmap::read_flush_map;
use crate::ops::headers::{HeaderOptions, read_headers};
use crate::ops::identify;
use crate::ops::integrity::{IntegrityOptions, check_database};
use crate::ops::logs::{LogTrouble, Quiet, read_log};
use crate::problem::{Finding, Place, Problem, Severity};
use crate::progress::Silent;
use crate::storage::FileStorage;

/// Looks into the file at `path` and calls it `name` in the record.
#[must_use]
pub fn examine(path: &Path, name: String, depth: Depth) -> FileRecord {
    let (file, start) = match identify::open(path) {
        Ok((file, start, _)) => (file, start),
        Err(error) => return unreadable(path, name, depth, &error),
    };
    let Class { kind, page_size } = classify(&file, &start, path);
    let mut look = Look {
        path,
        depth,
        record: FileRecord::new(name, kind, depth),
    };
    look.record.bytes = crate::storage::Storage::len(&file).unwrap_or_default();
    match kind {
        Kind::Database | Kind::StreamingFile | Kind::PatchFile | Kind::TemporaryDatabase => {
            look.database(&start);
        }
        Kind::HeadlessDatabase => look.headless(page_size),
        Kind::Log => look.log(&file),
        Kind::Checkpoint => look.checkpoint(),
        Kind::FlushMap => look.flush_map(),
        Kind::DamagedLog => look.ends_with(JetError::LOG_FILE_CORRUPT),
        Kind::DamagedCheckpoint => look.ends_with(JetError::CHECKPOINT_CORRUPT),
        Kind::DamagedFlushMap => look.ends_with(JetError::READ_VERIFY_FAILURE),
        Kind::Empty | Kind::Zeroed | Kind::Other => look.nameless(),
        Kind::ReserveLog | Kind::UndoFile | Kind::Unreadable => {}
    }
    look.record
}

/// What is said of a file or folder that cannot be opened or read.
#[must_use]
pub fn unreadable(path: &Path, name: String, depth: Depth, error: &Error) -> FileRecord {
    FileRecord {
        named: role(path),
        jet: error.jet().code(),
        error: Some(error.to_string()),
        ..FileRecord::new(name, Kind::Unreadable, depth)
    }
}

struct Look<'a> {
    path: &'a Path,
    depth: Depth,
    record: FileRecord,
}

impl Look<'_> {
    /// Of several ends the first that is an error counts.
    fn ends_with(&mut self, jet: JetError) {
        if self.record.jet == 0 && jet.is_error() {
            self.record.jet = jet.code();
        }
    }

    fn failed(&mut self, error: &Error) {
        self.ends_with(error.jet());
        self.record.error.get_or_insert_with(|| error.to_string());
    }

    fn findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            let value = serde_json::to_value(finding).unwrap_or_default();
            if self.record.findings.contains(&value) {
                continue;
            }
            if self.record.findings.len() < FINDINGS_KEPT {
                self.record.findings.push(value);
            } else {
                self.record.findings_left_out += 1;
            }
        }
    }

    fn database(&mut self, start: &[u8]) {
        let Some(copies) = HeaderCopies::read(start, None) else {
            return;
        };
        let mut trailer = None;
        match read_headers(self.path, &HeaderOptions::default()) {
            Ok(report) => {
                trailer = report.trailer;
                self.ends_with(report.jet());
                self.findings(&report.findings);
            }
            Err(error) => self.failed(&error),
        }
        let Some(mut facts) = database_facts(&copies, trailer.as_ref()) else {
            return;
        };
        if self.record.kind != Kind::PatchFile {
            facts.checksums = self.checksums(None);
        }
        if self.record.kind == Kind::Database && self.depth >= Depth::Integrity {
            facts.integrity = self.integrity();
        }
        self.record.facts = Some(Facts::Database(Box::new(facts)));
    }

    fn headless(&mut self, page_size: Option<PageSize>) {
        self.ends_with(JetError::DATABASE_CORRUPTED);
        let problem = Problem::HeaderBothBad;
        self.findings(&[Finding::new(problem, Place::default())]);
        if let Some(page_size) = page_size {
            self.record.facts = Some(Facts::Pages { page_size });
            self.checksums(Some(page_size));
        }
    }

    /// At the depth for it.
    fn checksums(&mut self, page_size: Option<PageSize>) -> Option<ChecksumFacts> {
        if self.depth < Depth::Checksum {
            return None;
        }
        let options = ChecksumOptions {
            page_size,
            ..ChecksumOptions::default()
        };
        match check_file(self.path, &options, &Silent) {
            // What a sorting database holds was never meant to outlive the server.
            Ok(report) if report.temporary => None,
            Ok(report) => {
                self.ends_with(report.jet());
                self.findings(&report.findings);
                let counts = report.counts;
                Some(ChecksumFacts {
                    seen: counts.seen,
                    bad: counts.bad,
                    correctable: counts.correctable,
                    uninitialized: counts.uninitialized,
                    unreadable: counts.unreadable,
                })
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn integrity(&mut self) -> Option<IntegrityFacts> {
        match check_database(self.path, &IntegrityOptions::default(), &Silent) {
            Ok(report) => {
                self.ends_with(report.jet());
                self.findings(&report.check.findings);
                Some(IntegrityFacts {
                    errors: report.count(Severity::Error) as u64,
                    warnings: report.count(Severity::Warning) as u64,
                })
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn log(&mut self, file: &FileStorage) {
        let (head, torn, damage) = self.blocks(file);
        self.ends_with(damage);
        // Wrong in size or version, it still says whose it is.
        if let Some(head) = head.or_else(|| verify::read_header(self.path).ok()) {
            let facts = log_facts(&head, damage, torn);
            self.record.facts = Some(Facts::Log(Box::new(facts)));
        }
    }

    /// The header of a log that can be used, whether its last write was torn, and what is wrong, as deep as asked.
    fn blocks(&mut self, file: &FileStorage) -> (Option<ReadHeader>, bool, JetError) {
        match self.depth {
            Depth::Headers => match verify::check_head(file) {
                Ok(head) => (Some(head), false, JetError::SUCCESS),
                Err(fault) => (None, false, fault.jet()),
            },
            Depth::Checksum => match verify::check_storage(file) {
                Ok((head, scan)) => {
                    let damage = scan.damage.map_or(JetError::SUCCESS, |damage| damage.jet);
                    (Some(head), scan.torn, damage)
                }
                Err(fault) => (None, false, fault.jet()),
            },
            Depth::Integrity => match read_log(self.path, &mut Quiet) {
                Ok(report) => {
                    self.findings(&report.findings);
                    let trouble = report.troubles.first();
                    let damage = trouble.map_or(JetError::SUCCESS, LogTrouble::jet);
                    let torn = report.check.as_ref().is_some_and(|check| check.scan.torn);
                    (report.check.map(|check| check.head), torn, damage)
                }
                Err(error) => {
                    self.failed(&error);
                    (None, false, error.jet())
                }
            },
        }
    }

    fn checkpoint(&mut self) {
        match read_checkpoint(self.path) {
            Ok(report) => {
                self.findings(&report.findings);
                self.record.facts = Some(Facts::Checkpoint(Box::new(CheckpointFacts {
                    sign_log: set(report.checkpoint.sign_log),
                    generation: report.checkpoint.checkpoint.generation,
                    one_copy_damaged: report.copies_good != [true; 2],
                    attached: attached(&report.attachments),
                })));
            }
            Err(error) => self.failed(&error),
        }
    }

    fn flush_map(&mut self) {
        match read_flush_map(self.path) {
            Ok(report) => {
                self.ends_with(report.jet());
                self.findings(&report.findings);
                self.record.facts = Some(Facts::FlushMap(Box::new(FlushMapFacts {
                    sign_flush_map: set(report.header.sign_flush_map),
                    clean: report.header.is_clean(),
                })));
            }
            Err(error) => self.failed(&error),
        }
    }

    fn nameless(&mut self) {
        self.record.named = role(self.path);
        match self.record.named {
            Some(Role::Database | Role::StreamingFile) => {
                self.ends_with(JetError::DATABASE_CORRUPTED)
            }
            Some(Role::Log) => self.ends_with(JetError::LOG_FILE_CORRUPT),
            Some(Role::Checkpoint) => self.ends_with(JetError::CHECKPOINT_CORRUPT),
            Some(Role::FlushMap | Role::PatchFile | Role::ReserveLog) | None => {}
        }
    }
}

fn set(signature: Signature) -> Option<Signature> {
    signature.is_set().then_some(signature)
}

fn database_facts(copies: &HeaderCopies, trailer: Option<&Trailer>) -> Option<DatabaseFacts> {
    let header = copies.header()?;
    let trailer = trailer.filter(|trailer| trailer.has_generations());
    let (low, high, committed) = trailer.map_or(
        (
            header.required_low,
            header.required_high,
            header.committed_high,
        ),
        |trailer| {
            (
                trailer.required_low,
                trailer.required_high,
                trailer.committed_high,
            )
        },
    );
    let created = trailer.map_or(header.required_high_time, |trailer| {
        trailer.required_high_time
    });
    let good = |state: CopyState| state == CopyState::Good;
    Some(DatabaseFacts {
        page_size: copies.page_size,
        version: [header.version, header.update_major, header.update_minor],
        state: state(header),
        state_words: header.db_state().words().to_owned(),
        sign_db: set(header.sign_db),
        sign_log: set(header.sign_log),
        sign_streaming: set(header.sign_slv),
        sign_flush_map: set(header.sign_flush_map),
        has_streaming_file: header.has_streaming_file(),
        required_low: low,
        required_high: high,
        required_high_created: created.is_set().then_some(created),
        committed_high: committed,
        attached: header
            .last_attach
            .generation
            .max(header.last_reattach.generation),
        repairs: header.repair_count,
        one_header_damaged: good(copies.primary.state) != good(copies.shadow.state),
        checksums: None,
        integrity: None,
    })
}

fn state(header: &DbHeader) -> State {
    if header.is_backup_copy() {
        return State::BackupCopy;
    }
    match header.db_state() {
        DbState::JustCreated => State::JustCreated,
        DbState::DirtyShutdown | DbState::DirtyAndPatchedShutdown => State::Dirty,
        DbState::CleanShutdown => State::Clean,
        DbState::Illegal
        | DbState::BeingConverted
        | DbState::IncrementalReseedInProgress
        | DbState::RevertInProgress => State::Unusable,
    }
}

fn log_facts(head: &ReadHeader, damage: JetError, torn: bool) -> LogFacts {
    let header = &head.header;
    LogFacts {
        generation: header.generation,
        created: header.created,
        previous_created: header.prev_created,
        sign_log: set(header.sign_log),
        version: [
            header.major,
            header.minor,
            header.update_major,
            header.update_minor,
        ],
        page_size: PageSize::from_header(u32::from(header.page_size)),
        damage: damage.code(),
        torn,
        attached: attached(&head.attachments),
    }
}

fn attached(list: &[Attachment]) -> Vec<AttachedDatabase> {
    let one = |attachment: &Attachment| AttachedDatabase {
        path: attachment.path.clone(),
        sign_db: set(attachment.sign_db),
    };
    list.iter().map(one).collect()
}
