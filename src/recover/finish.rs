//! What a database's header says when the replay is through with it. [log notes 9.3, 9.4, 10.5]

use crate::error::Result;
use crate::format::dbheader::DbHeader;
use crate::format::ids::{DbTime, Generation, Pgno};
use crate::format::stamp::{BackupInfo, Lgpos, LogTime, Signature};

use super::attached::Attached;
use super::replay::Replay;

/// States in the header.
const DIRTY: u32 = 2;
const CLEAN: u32 = 3;
/// From this revision on the header remembers where the file was resized last. [engine: format 0x620,110,240]
pub(super) const TRACKS_RESIZE: u32 = 110;
/// Revision that the engine creates a database with; a SetDbVersion record raises it. [verified: every corpus database]
const CREATED_UPDATE: u32 = 20;

/// What an attach record does to a header.
pub fn attach_by_record(
    header: &mut DbHeader,
    dbid: u8,
    at: Lgpos,
    sign_log: Signature,
    now: LogTime,
) {
    if header.db_state() != crate::format::dbheader::DbState::DirtyAndPatchedShutdown {
        header.state = DIRTY;
    }
    header.last_attach = at;
    header.last_attach_time = now;
    header.last_detach = Lgpos::default();
    header.last_detach_time = LogTime::default();
    header.dbid = dbid.into();
    header.backup_full_cur = BackupInfo::default();
    header.backup_snapshot_cur = BackupInfo::default();
    if header.sign_log != sign_log {
        header.last_consistent = Lgpos::default();
        header.last_consistent_time = LogTime::default();
        header.last_resize = Lgpos::default();
        header.backup_full_prev = BackupInfo::default();
        header.backup_incremental_prev = BackupInfo::default();
        header.backup_copy_prev = BackupInfo::default();
        header.backup_differential_prev = BackupInfo::default();
        header.sign_log = sign_log;
    }
    if header.update_major >= TRACKS_RESIZE {
        header.last_resize = header.last_resize.max(at);
    }
}

/// Marks a database as complete without logs as of `mark`.
pub fn close(database: &mut Attached, mark: Lgpos, now: LogTime) {
    detach(database, mark, now);
    if database.restored {
        let header = &mut database.header;
        header.backup_copy_prev = BackupInfo::default();
        header.backup_differential_prev = BackupInfo::default();
    }
}

/// The same by a record that detaches it, which leaves two of the former backups in the header.
pub fn detach(database: &mut Attached, mark: Lgpos, now: LogTime) {
    let header = &mut database.header;
    // A restored database must not count as backed up: increments to that backup would not fit it. [engine]
    if database.restored {
        header.backup_full_prev = BackupInfo::default();
        header.backup_full_prev_kind = 0;
    }
    if database.restored || header.backup_full_cur.low.get() != 0 {
        header.backup_incremental_prev = BackupInfo::default();
        header.backup_incremental_prev_kind = 0;
    }
    header.dbtime = header.dbtime.max(database.dbtime);
    header.objid_last = header.objid_last.max(database.objid_last);
    header.state = CLEAN;
    header.last_consistent = mark;
    header.last_consistent_time = now;
    header.last_detach = mark;
    header.last_detach_time = now;
    header.required_low = Generation::default();
    header.required_high = Generation::default();
    header.committed_high = Generation::default();
    header.committed_high_time = LogTime::default();
    header.required_high_time = LogTime::default();
    header.recovering = Generation::default();
    header.consistent_low = Generation::default();
    header.pre_redo_consistent_low = Generation::default();
    header.pre_redo_required_low = Generation::default();
    header.backup_full_cur = BackupInfo::default();
    header.backup_snapshot_cur = BackupInfo::default();
    if header.update_major >= TRACKS_RESIZE {
        header.last_resize = mark;
    }
    database.touched = true;
}

/// A header for a database that the log creates.
#[must_use]
pub fn created_header(
    page_size: u32,
    dbid: u8,
    sign_db: Signature,
    at: Lgpos,
    sign_log: Signature,
    now: LogTime,
) -> DbHeader {
    let mut header = DbHeader::empty();
    header.filetype = 1;
    header.page_size = page_size;
    header.update_major = CREATED_UPDATE;
    header.create_version = header.version;
    header.create_update = header.update_major;
    header.sign_db = sign_db;
    header.sign_log = sign_log;
    header.dbid = dbid.into();
    header.state = DIRTY;
    header.last_attach = at;
    header.last_attach_time = now;
    header.dbtime = DbTime::ZERO;
    header
}

impl Replay {
    /// Gives the file the length that the space tree of the whole database says: the last page of the last extent that
    /// the root owns. A root that cannot be read leaves the length as it is. Older logs do not tell of growth at all,
    /// not even of a new file's.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] of the scratch file.
    pub fn fit_file(&mut self, place: usize) -> Result<()> {
        const ROOT: Pgno = Pgno::new(1);
        let Ok(root) = self.must_load(place, ROOT) else {
            return Ok(());
        };
        let header = self.pool.page(root).external_header().to_vec();
        let start = usize::from(header.len() != 16);
        let Some(oe) = crate::format::bytes::u32_at(&header, start + 12) else {
            return Ok(());
        };
        let mut pgno = Pgno::new(oe);
        for _ in 0..64 {
            let Ok(id) = self.must_load(place, pgno) else {
                return Ok(());
            };
            let page = self.pool.page(id);
            let Some(last) = page.node_count().checked_sub(1) else {
                return Ok(());
            };
            let Ok(node) = page.node(last) else {
                return Ok(());
            };
            if !page.flags().is_leaf() {
                let Ok(child) = <[u8; 4]>::try_from(node.data) else {
                    return Ok(());
                };
                pgno = Pgno::new(u32::from_le_bytes(child));
                continue;
            }
            let key = node.key();
            if let Some(number) = key.last_chunk::<4>() {
                let slot = self.databases[place].slot;
                let last = Pgno::new(u32::from_be_bytes(*number));
                // Logs that tell how the file grows leave nothing to be made longer: what is missing there was cut off.
                let longer = !self.growth_logged && last <= Pgno::MAX;
                let have = self.pool.last_page(slot);
                if last < have || (longer && last > have) {
                    self.pool.set_last_page(slot, last);
                    self.databases[place].touched = true;
                }
            }
            return Ok(());
        }
        Ok(())
    }
}
