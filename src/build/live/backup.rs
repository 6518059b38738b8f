//! Online backups: the file copied page by page while it is written to, and the logs that make the copy whole.
//!
//! The pages of a copy are of different ages. Redo from the backup's first log mends that: a page that was copied early
//! gets what came after, one that was copied late has it already. It fails in one place. Where the log holds no page
//! images, the new page of a split can be redone only from the split page as it was before, so the engine writes the new
//! page first. On disk that is enough; in a copy it is not: the new page N may be copied before the split, and the split
//! page S, behind it in the file, after the split and after both were written. Then neither has the nodes that moved.
//! The same holds for a merge (the page that takes the nodes, and the one that loses them) and for the conversion of a
//! small tree (its two space trees, and the root that had their extents).
//!
//! The patch file is for that. Call a page's best version that with the highest dbtime among its copy and its versions
//! in the patch file. Needed is, for every such pair and the record r that made it: if the best S has r, so has the
//! best N. A page goes to the patch file when it is written after it was copied, while a page in memory waits for that
//! ([`Pages::is_awaited`](super::pages::Pages::is_awaited)). Then it holds, for S cannot be on disk with r before N is:
//!
//! * S was copied with r. N was on disk with r by then: either it was copied later, with r; or it was copied before that
//!   write, and the write, which S waited for, went to the patch file.
//! * S went to the patch file with r, because a third page waited for it. The same again: N had been written with r
//!   before, either before it was copied or into the patch file. For this reason it does not matter whether S has been
//!   copied: a rule that leaves out pages whose S was copied without r looks enough, and is not, because S itself may
//!   get into the patch file later.
//! * The best S is without r: redo makes both anew, or finds N done.
//!
//! Later writes of N need not go there: its best version has r. And versions of a page only grow, so that the later of
//! two in the patch file is the newer. Pages in the copy are never newer than the log, which is closed behind the last.

use super::{Content, DBID, Live, LiveError, time};
use crate::build::logs::BuiltFile;
use crate::build::stamp_backup;
use crate::format::dbheader::DbHeader;
use crate::format::ids::{Generation, Pgno};
use crate::format::logrec::{BackupStep, DbId, Record};
use crate::format::patchfile;
use crate::format::stamp::{BackupInfo, Lgpos};

/// Before it is copied a dirty page is written once in so many times.
const WRITTEN_FIRST: usize = 3;
/// The two headers before page 1.
const HEADER_PAGES: usize = 2;
/// Phases of a backup in the log. [log notes; verified on `backup-full`]
const BEGIN: u8 = 1;
const PREPARE_LOGS: u8 = 2;
const UPDATE_HEADER: u8 = 4;
const STOP: u8 = 6;
/// What a backup is of.
const FULL: u8 = 1;
const INCREMENTAL: u8 = 2;

/// What stands beside the pages of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupForm {
    /// A trailer page with the logs that are needed.
    Trailer,
    /// A trailer page that does not say which logs are needed, as older engines wrote it.
    OldTrailer,
    /// A patch file, and no trailer page.
    PatchFile,
}

/// An online backup.
#[derive(Debug, Clone)]
pub struct BackupSet {
    /// The copy of the database: dirty, with its trailer page if it has one.
    pub database: Vec<u8>,
    /// The patch file, if the form has one.
    pub patch: Option<Vec<u8>>,
    /// The logs from `low` to `high`, all closed.
    pub logs: Vec<BuiltFile>,
    /// First generation.
    pub low: Generation,
    /// Last generation.
    pub high: Generation,
    /// Where the log was when the copy began.
    pub mark: Lgpos,
    /// The database's time at the mark: newer pages were copied after a change.
    pub dbtime: u64,
    /// What is in the database when exactly these logs are replayed, table by table.
    pub model: Vec<Content>,
    /// Transactions that are rolled back then.
    pub open: usize,
    /// Pages in the patch file.
    pub patched: usize,
}

/// An incremental backup: logs behind those of a full one.
#[derive(Debug, Clone)]
pub struct IncrementalSet {
    /// The logs from `low` to `high`, all closed.
    pub logs: Vec<BuiltFile>,
    /// First generation.
    pub low: Generation,
    /// Last generation.
    pub high: Generation,
    /// What is in the database when the logs are replayed to here, table by table.
    pub model: Vec<Content>,
    /// Transactions that are rolled back then.
    pub open: usize,
}

/// A backup that is under way.
pub(super) struct Backup {
    form: BackupForm,
    info: BackupInfo,
    header: DbHeader,
    dbtime: u64,
    /// What is copied so far, the header's two pages included.
    copy: Vec<u8>,
    /// Pages for the patch file.
    patch: Vec<u8>,
}

impl Live {
    /// Begins an online backup: fixes its mark and its first log, and copies the header.
    ///
    /// # Errors
    /// [`LiveError::Contradiction`] when one is under way, and for a form without a patch file where the log has no
    /// page images: such a copy cannot always be recovered. [`LiveError::Log`].
    pub fn begin_backup(&mut self, form: BackupForm) -> Result<(), LiveError> {
        if self.backup.is_some() {
            return Err(LiveError::Contradiction("a backup is under way"));
        }
        if self.without_images() && form != BackupForm::PatchFile {
            return Err(LiveError::Contradiction(
                "without page images in the log a copy needs a patch file",
            ));
        }
        let (checkpoint, _) = self.some_checkpoint(self.log.len());
        let mark = self.log.position(self.log.len());
        let begin = self.log_backup(BEGIN, FULL, BackupInfo::default())?;
        self.log.force(begin);
        let info = BackupInfo {
            mark,
            time: time(),
            low: checkpoint.generation,
            high: Generation::default(),
        };
        let mut header = self.dirty_header(checkpoint);
        header.required_high_time = time();
        header.backup_full_cur = info;
        let size = self.pages.size.bytes();
        let mut copy = vec![0; HEADER_PAGES * size];
        for page in copy.chunks_exact_mut(size) {
            header.write_to(page);
        }
        self.backup = Some(Backup {
            form,
            info,
            header,
            dbtime: self.dbtime,
            copy,
            patch: Vec::new(),
        });
        Ok(())
    }

    /// Copies the next pages of the file, at most `pages`, as they are on disk; some are written before that. Gives back
    /// how many are still to come.
    ///
    /// # Errors
    /// [`LiveError::Contradiction`] when no backup is under way; as [`Live::flush_page`].
    pub fn copy_pages(&mut self, pages: usize) -> Result<usize, LiveError> {
        let size = self.pages.size.bytes();
        for _ in 0..pages {
            let at = self.backup()?.copy.len();
            if at >= self.pages.disk().len() {
                break;
            }
            let pgno = Pgno::new((at / size - HEADER_PAGES + 1) as u32);
            let dirty = self
                .pages
                .dirt(pgno)
                .is_some_and(|dirt| dirt.first.is_some());
            if dirty && self.random.once_in(WRITTEN_FIRST) {
                self.flush_page(pgno)?;
            }
            if let (Some(backup), Some(page)) =
                (&mut self.backup, self.pages.disk().get(at..at + size))
            {
                backup.copy.extend_from_slice(page);
            }
        }
        let copied = self.backup()?.copy.len();
        Ok((self.pages.disk().len() - copied) / size)
    }

    /// Copies what is left of the file, closes the generation and gives back the set. The writer can go on, with
    /// another backup or to a crash, whose logs go on behind those of the set.
    ///
    /// # Errors
    /// [`LiveError::Contradiction`] when no backup is under way; [`LiveError::Log`].
    pub fn end_backup(&mut self) -> Result<BackupSet, LiveError> {
        while self.copy_pages(1 << 10)? > 0 {}
        let Some(backup) = self.backup.take() else {
            return Err(LiveError::Contradiction("no backup is under way"));
        };
        let (keep, info) = self.close_logs(FULL, backup.info)?;
        let high = info.high;
        let mut database = backup.copy;
        let size = self.pages.size;
        let patched = backup.patch.len() / size.bytes();
        let mut patch = None;
        match backup.form {
            BackupForm::PatchFile => {
                let mut header = backup.header;
                header.backup_full_cur = info;
                patch = Some(patchfile::write(&header, size, &backup.patch));
            }
            form => stamp_backup(&mut database, info, form == BackupForm::Trailer)?,
        }
        Ok(BackupSet {
            database,
            patch,
            logs: self.closed_logs(keep, info.low)?,
            low: info.low,
            high,
            mark: info.mark,
            dbtime: backup.dbtime,
            model: self.model(keep),
            open: self.open_at(keep).len(),
            patched,
        })
    }

    /// Closes the generation and gives back the logs behind generation `after`, the last of an earlier backup.
    ///
    /// # Errors
    /// [`LiveError::Contradiction`] when a full backup is under way; [`LiveError::Log`].
    pub fn incremental_backup(&mut self, after: Generation) -> Result<IncrementalSet, LiveError> {
        if self.backup.is_some() {
            return Err(LiveError::Contradiction("a backup is under way"));
        }
        let info = BackupInfo {
            mark: self.log.position(self.log.len()),
            time: time(),
            low: after.next(),
            high: Generation::default(),
        };
        self.log_backup(BEGIN, INCREMENTAL, BackupInfo::default())?;
        let (keep, info) = self.close_logs(INCREMENTAL, info)?;
        Ok(IncrementalSet {
            logs: self.closed_logs(keep, info.low)?,
            low: info.low,
            high: info.high,
            model: self.model(keep),
            open: self.open_at(keep).len(),
        })
    }

    /// Closes the generation, which is the backup's last, and logs the end of the backup behind it. Gives back the
    /// number of records in closed logs.
    fn close_logs(
        &mut self,
        scope: u8,
        info: BackupInfo,
    ) -> Result<(usize, BackupInfo), LiveError> {
        let high = self.log.close_generation(self.dbtime)?;
        let keep = self.log.len();
        let info = BackupInfo { high, ..info };
        // What the engine logs now stands behind the set's logs. [verified: backup-full]
        self.log_backup(PREPARE_LOGS, scope, BackupInfo::default())?;
        self.log_backup(UPDATE_HEADER, scope, info)?;
        let stop = self.log_backup(STOP, scope, BackupInfo::default())?;
        self.log.force(stop);
        Ok((keep, info))
    }

    /// The closed logs among the first `keep` records, from `low` on.
    fn closed_logs(&self, keep: usize, low: Generation) -> Result<Vec<BuiltFile>, LiveError> {
        let logs = self.log.closed(keep)?.into_iter();
        let logs = logs.filter(|(generation, _)| *generation >= low);
        Ok(logs.map(|(_, file)| file).collect())
    }

    fn backup(&self) -> Result<&Backup, LiveError> {
        let backup = self.backup.as_ref();
        backup.ok_or(LiveError::Contradiction("no backup is under way"))
    }

    fn log_backup(&mut self, phase: u8, scope: u8, info: BackupInfo) -> Result<usize, LiveError> {
        // Only the change of a header is about one database.
        let dbid = if phase == UPDATE_HEADER {
            DBID
        } else {
            DbId(0)
        };
        self.append(&Record::Backup(BackupStep {
            phase,
            kind: 0,
            scope,
            dbid,
            info: BackupInfo {
                time: time(),
                ..info
            },
            text: String::new(),
        }))
    }

    /// Puts a page that is about to be written into the patch file of the backup under way, if it belongs there (see the
    /// module).
    pub(super) fn patch(&mut self, pgno: Pgno) -> Result<(), LiveError> {
        let awaited = self.pages.is_awaited(pgno);
        let size = self.pages.size;
        let bytes = self.pages.view(pgno)?.bytes();
        let Some(backup) = &mut self.backup else {
            return Ok(());
        };
        let copied = pgno.offset(size) < backup.copy.len() as u64;
        if backup.form == BackupForm::PatchFile && copied && awaited {
            let at = backup.patch.len();
            backup.patch.extend_from_slice(bytes);
            patchfile::seal(&mut backup.patch[at..], size, pgno);
        }
        Ok(())
    }
}
