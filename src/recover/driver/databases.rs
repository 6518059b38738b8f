//! Databases come and go: attached when the replay begins, attached, detached, created, closed by records.
//! [log notes 9.2 to 9.5]

use std::path::{Path, PathBuf};

use super::{Recovery, Skipped};
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::{PageSize, Pgno};
use crate::format::loghdr::Attachment;
use crate::format::logrec::{AttachDb, CloseKind, CreateDb, DbId, Record};
use crate::format::stamp::Lgpos;
use crate::jet::JetError;
use crate::recover::attach::{Fit, Logged, Reason, Standing, can_be_made, judge};
use crate::recover::attached::Attached;
use crate::recover::finish;
use crate::recover::page_file::{PageState, PageStyle};
use crate::recover::pool::Slot;
use crate::storage::{FileStorage, Storage};

/// From this revision on pages say how many tags are reserved. [engine]
const COUNTS_RESERVED_SINCE: u32 = 270;

impl Recovery<'_> {
    fn standing(&self, at: Option<Lgpos>) -> Standing {
        Standing {
            sign_log: self.sign_log,
            at,
            generation: self.generation,
        }
    }

    fn defer(
        &mut self,
        dbid: DbId,
        logged_path: &str,
        path: Option<PathBuf>,
        reason: Reason,
        header: Option<&DbHeader>,
    ) {
        self.deferred.retain(|(other, _)| *other != dbid);
        let skipped = Skipped {
            logged_path: logged_path.to_owned(),
            path,
            reason,
            consistent: header.map(|header| header.last_consistent),
        };
        self.deferred.push((dbid, skipped));
    }

    /// A database that was attached when the replay begins.
    pub(super) fn take_over(&mut self, attachment: &Attachment) -> Result<()> {
        let dbid = DbId(attachment.dbid);
        self.number_is_free(dbid, attachment.attached)?;
        let Some(path) = self.plan.place(&attachment.path, &attachment.sign_db) else {
            self.defer(dbid, &attachment.path, None, Reason::Missing, None);
            return Ok(());
        };
        let Some((header, storage)) = self.open_attached(dbid, &attachment.path, &path)? else {
            return Ok(());
        };
        let logged = Logged {
            attached: attachment.attached,
            consistent: attachment.consistent,
            sign_db: attachment.sign_db,
            sign_log_before: None,
        };
        match judge(&path, &header, &logged, &self.standing(None))? {
            Fit::Attach => {
                self.attach(dbid, path, header, storage, &attachment.path)?;
                if let Some(database) = self.replay.database_mut(dbid) {
                    database.count(attachment.dbtime, attachment.objid_last);
                }
            }
            Fit::Later(reason) => {
                self.defer(dbid, &attachment.path, Some(path), reason, Some(&header));
            }
        }
        Ok(())
    }

    /// Opens the file of a database that the log attaches; `None` when it is to be done without. One that is no database
    /// of this stream whatever the log says is left out with `/i`, and an error without.
    fn open_attached(
        &mut self,
        dbid: DbId,
        logged_path: &str,
        path: &Path,
    ) -> Result<Option<(DbHeader, FileStorage)>> {
        let reason = match self.open(path) {
            Ok(Some(opened)) => return Ok(Some(opened)),
            Ok(None) => Reason::Missing,
            Err(error) if !self.plan.ignore_missing => return Err(error),
            Err(Error::NoDatabaseHeader { .. }) => Reason::NoHeader,
            Err(error) if error.jet() == JetError::PAGE_SIZE_MISMATCH => Reason::PageSize,
            Err(error) => return Err(error),
        };
        self.defer(dbid, logged_path, Some(path.to_owned()), reason, None);
        Ok(None)
    }

    /// Reads the header of a database file; `None` when there is no file.
    fn open(&self, path: &Path) -> Result<Option<(DbHeader, FileStorage)>> {
        let storage = match FileStorage::open(path) {
            Ok(storage) => storage,
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let header = match self.plan.prepared(path) {
            Some(prepared) => prepared.header.clone(),
            None => read_header(path, &storage)?,
        };
        let size = header.page_size().unwrap_or(PageSize::K4);
        if size != self.replay.pool.size() {
            return Err(Trouble::new(
                JetError::PAGE_SIZE_MISMATCH,
                format!(
                    "the database has pages of {size} bytes, its log says {}",
                    self.replay.pool.size()
                ),
            )
            .of(path)
            .advise("these logs are not those of this database")
            .into());
        }
        Ok(Some((header, storage)))
    }

    fn attach(
        &mut self,
        dbid: DbId,
        path: PathBuf,
        header: DbHeader,
        storage: FileStorage,
        logged_path: &str,
    ) -> Result<()> {
        let slot = self
            .replay
            .pool
            .add(&path, Some(std::sync::Arc::new(storage)))?;
        if let Some(prepared) = self.plan.prepared(&path) {
            prepared.apply(&mut self.replay.pool, slot)?;
        }
        self.attach_slot(dbid, path, header, slot, logged_path, false);
        Ok(())
    }

    /// A number stands for one database at a time.
    fn number_is_free(&self, dbid: DbId, at: Lgpos) -> Result<()> {
        if self.replay.database(dbid).is_none() {
            return Ok(());
        }
        let what = format!("database number {} is given twice", dbid.0);
        Err(Trouble::new(JetError::LOG_FILE_CORRUPT, what).at(at).into())
    }

    fn attach_slot(
        &mut self,
        dbid: DbId,
        path: PathBuf,
        header: DbHeader,
        slot: Slot,
        logged_path: &str,
        created: bool,
    ) {
        self.deferred.retain(|(other, _)| *other != dbid);
        let style = self.style_of(slot, &header);
        self.replay.pool.set_style(slot, style);
        let restored = self.plan.prepared(&path).is_some();
        let needed = (
            header.required_low,
            header.required_high,
            header.committed_high.max(header.required_high),
        );
        self.replay.attach(Attached {
            dbid,
            slot,
            path,
            logged_path: logged_path.to_owned(),
            dbtime: header.dbtime,
            objid_last: header.objid_last,
            ahead: self.generation <= header.required_high,
            unsettled: std::collections::BTreeMap::new(),
            created,
            creating: created,
            restored,
            touched: true,
            state_before: header.db_state(),
            pages_before: self.replay.pool.last_page(slot),
            needed,
            header,
        });
    }

    /// What pages of a database look like. Whether new ones get the newer checksum the first page tells.
    fn style_of(&mut self, slot: Slot, header: &DbHeader) -> PageStyle {
        let first = self.replay.pool.load(slot, Pgno::new(1));
        let new_checksum = match first {
            Ok((id, PageState::Sound)) => self.replay.pool.page(id).flags().has_new_checksum(),
            _ => true,
        };
        PageStyle {
            counts_reserved: header.update_major >= COUNTS_RESERVED_SINCE,
            new_checksum,
        }
    }

    /// A record about a whole database.
    pub(super) fn database_record(&mut self, at: Lgpos, record: &Record<'_>) -> Result<()> {
        match record {
            Record::CreateDb(create) => self.create_db(at, create),
            Record::CreateDbFinish(_, dbid) => {
                if let Some(database) = self.replay.database_mut(*dbid) {
                    database.creating = false;
                }
                Ok(())
            }
            Record::AttachDb(attach) => self.attach_db(at, attach),
            Record::DetachDb(detach) => {
                self.deferred.retain(|(dbid, _)| *dbid != detach.dbid);
                if let Some(place) = self.replay.place(detach.dbid) {
                    self.replay.settle(place)?;
                    self.replay.fit_file(place)?;
                }
                if let Some(mut database) = self.replay.detach(detach.dbid) {
                    if database.concerns(at) {
                        finish::detach(&mut database, at, self.plan.now);
                        database.header.recovering = self.generation;
                    }
                    self.closed.push(database);
                }
                Ok(())
            }
            Record::ReAttach(again) => {
                if let Some(database) = self.replay.database_mut(again.dbid) {
                    database.header.last_reattach = at;
                    database.header.last_reattach_time = self.plan.now;
                }
                Ok(())
            }
            Record::SetDbVersion(version) => {
                if let Some(database) = self.replay.database_mut(version.dbid)
                    && database.concerns(at)
                {
                    let header = &mut database.header;
                    let old = (header.update_major, header.update_minor);
                    if (version.update_major, version.update_minor) > old {
                        header.update_major = version.update_major;
                        header.update_minor = version.update_minor;
                    }
                    let (slot, header) = (database.slot, database.header.clone());
                    let style = self.style_of(slot, &header);
                    self.replay.pool.set_style(slot, style);
                }
                Ok(())
            }
            Record::Backup(step) => {
                self.backup(at, step);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The header remembers a backup that was finished. [log notes 9.4]
    fn backup(&mut self, at: Lgpos, step: &crate::format::logrec::BackupStep) {
        const UPDATE_HEADER: u8 = 4;
        let Some(database) = self.replay.database_mut(step.dbid) else {
            return;
        };
        if step.phase != UPDATE_HEADER || !database.concerns(at) {
            return;
        }
        let header = &mut database.header;
        match step.scope {
            1 => {
                header.backup_full_prev = step.info;
                header.backup_full_prev_kind = step.kind;
                header.backup_incremental_prev = Default::default();
            }
            2 => {
                header.backup_incremental_prev = step.info;
                header.backup_incremental_prev_kind = step.kind;
            }
            5 => {
                header.backup_copy_prev = step.info;
                header.backup_copy_prev_kind = step.kind;
            }
            6 => {
                header.backup_differential_prev = step.info;
                header.backup_differential_prev_kind = step.kind;
            }
            _ => {}
        }
    }

    /// A database that an earlier record closed.
    fn take_closed(&mut self, path: &Path) -> Option<Attached> {
        let place = self
            .closed
            .iter()
            .rposition(|database| database.path == path)?;
        Some(self.closed.remove(place))
    }

    fn attach_db(&mut self, at: Lgpos, attach: &AttachDb) -> Result<()> {
        if self.replay.database(attach.dbid).is_some() {
            // It was attached when the replay began.
            return Ok(());
        }
        let Some(path) = self.plan.place(&attach.path, &attach.sign_db) else {
            self.defer(attach.dbid, &attach.path, None, Reason::Missing, None);
            return Ok(());
        };
        let logged = Logged {
            attached: at,
            consistent: attach.consistent,
            sign_db: attach.sign_db,
            sign_log_before: Some(attach.sign_log),
        };
        let standing = self.standing(Some(at));
        if let Some(mut database) = self.take_closed(&path) {
            return match judge(&path, &database.header, &logged, &standing)? {
                Fit::Attach => {
                    finish::attach_by_record(
                        &mut database.header,
                        attach.dbid.0,
                        at,
                        self.sign_log,
                        self.plan.now,
                    );
                    database.dbid = attach.dbid;
                    self.deferred.retain(|(other, _)| *other != attach.dbid);
                    self.replay.attach(database);
                    Ok(())
                }
                Fit::Later(reason) => {
                    self.defer(
                        attach.dbid,
                        &attach.path,
                        Some(path),
                        reason,
                        Some(&database.header),
                    );
                    self.closed.push(database);
                    Ok(())
                }
            };
        }
        let Some((mut header, storage)) = self.open_attached(attach.dbid, &attach.path, &path)?
        else {
            return Ok(());
        };
        match judge(&path, &header, &logged, &standing)? {
            Fit::Attach => {
                let redone = header.last_attach == at;
                if !redone {
                    finish::attach_by_record(
                        &mut header,
                        attach.dbid.0,
                        at,
                        self.sign_log,
                        self.plan.now,
                    );
                }
                self.attach(attach.dbid, path, header, storage, &attach.path)
            }
            Fit::Later(reason) => {
                self.defer(attach.dbid, &attach.path, Some(path), reason, Some(&header));
                Ok(())
            }
        }
    }

    fn create_db(&mut self, at: Lgpos, create: &CreateDb) -> Result<()> {
        self.number_is_free(create.dbid, at)?;
        let Some(path) = self.plan.place(&create.path, &create.sign_db) else {
            self.defer(create.dbid, &create.path, None, Reason::Missing, None);
            return Ok(());
        };
        let existing = match self.open(&path) {
            Err(Error::NoDatabaseHeader { .. }) => None,
            other => other?,
        };
        let Some((header, storage)) = existing else {
            if !can_be_made(&path, &create.path) {
                self.defer(create.dbid, &create.path, Some(path), Reason::Missing, None);
                return Ok(());
            }
            return self.make_new(at, create, path);
        };
        let logged = Logged {
            attached: at,
            consistent: header.last_consistent,
            sign_db: create.sign_db,
            sign_log_before: Some(self.sign_log),
        };
        match header.db_state() {
            // A header that says nothing was written while the database was made. [engine]
            DbState::JustCreated | DbState::Illegal | DbState::BeingConverted => {
                return self.make_new(at, create, path);
            }
            DbState::IncrementalReseedInProgress | DbState::RevertInProgress => {
                return judge(&path, &header, &logged, &self.standing(Some(at))).map(|_| ());
            }
            DbState::DirtyShutdown | DbState::CleanShutdown | DbState::DirtyAndPatchedShutdown => {}
        }
        let reason = if header.sign_log != self.sign_log {
            Reason::OtherStream
        } else if header.last_attach == at && header.sign_db == create.sign_db {
            if header.last_attach <= header.last_consistent {
                Reason::Future
            } else {
                if header.required_low.get() != 0 && header.required_low < self.generation {
                    return judge(&path, &header, &logged, &self.standing(Some(at))).map(|_| ());
                }
                return self.attach(create.dbid, path, header, storage, &create.path);
            }
        } else if header.last_attach > at {
            Reason::AttachedLater
        } else {
            Reason::OtherDatabase
        };
        self.defer(create.dbid, &create.path, Some(path), reason, Some(&header));
        Ok(())
    }

    /// Makes a database from nothing but the log.
    fn make_new(&mut self, at: Lgpos, create: &CreateDb, path: PathBuf) -> Result<()> {
        if !create.is_fully_logged() {
            let reason = Reason::NotLogged;
            self.defer(create.dbid, &create.path, Some(path), reason, None);
            return Ok(());
        }
        // One that was made, closed and deleted before this one was made.
        self.closed
            .retain(|database| !(database.created && database.path == path));
        let mut header = finish::created_header(
            self.replay.pool.size().header_value(),
            create.dbid.0,
            create.sign_db,
            at,
            self.sign_log,
            self.plan.now,
        );
        header.attached_by = self.written_by;
        let slot = self.replay.pool.add(&path, None)?;
        self.attach_slot(create.dbid, path, header, slot, &create.path, true);
        Ok(())
    }

    /// A run of the engine ended: everything attached is complete as of the last ShutDownMark.
    pub(super) fn close_all(&mut self, kind: CloseKind) -> Result<()> {
        self.deferred
            .retain(|(_, skipped)| skipped.reason == Reason::Future);
        if kind == CloseKind::KeepAttachments {
            return Ok(());
        }
        let mark = self.replay.shutdown_mark.unwrap_or(self.replay.at);
        while let Some(dbid) = self.replay.databases.first().map(|database| database.dbid) {
            self.replay.settle(0)?;
            self.replay.fit_file(0)?;
            if let Some(mut database) = self.replay.detach(dbid) {
                finish::close(&mut database, mark, self.plan.now);
                // As the engine leaves it when redo, not its own end, closes a database.
                database.header.recovering = self.generation;
                self.closed.push(database);
            }
        }
        Ok(())
    }

    /// The header counts pages that were read with a wrong checksum.
    pub(super) fn count_bad_pages(&mut self) {
        let now = self.plan.now;
        let pool = &self.replay.pool;
        for database in self.replay.databases.iter_mut().chain(&mut self.closed) {
            let bad = pool.bad_pages(database.slot);
            if bad > 0 {
                database.header.bad_checksum.count += bad;
                database.header.bad_checksum.last = now;
            }
        }
    }
}

fn read_header(path: &Path, storage: &FileStorage) -> Result<DbHeader> {
    use crate::format::dbheader::HeaderCopies;
    let start = storage
        .read_start(HeaderCopies::PROBE_BYTES)
        .map_err(|error| Error::io(path, "read", error))?;
    HeaderCopies::read(&start, None)
        .and_then(|copies| copies.header().cloned())
        .ok_or_else(|| Error::NoDatabaseHeader {
            path: path.to_owned(),
        })
}
