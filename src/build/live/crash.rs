//! Pages to the disk, and what a crash leaves.

use std::collections::BTreeSet;

use super::{Content, Live, LiveError, time};
use crate::build::DIRTY;
use crate::build::logs::{BuiltFile, LogFormat, Tail};
use crate::format::dbheader::DbHeader;
use crate::format::ids::{DbTime, Generation, Pgno};
use crate::format::stamp::Lgpos;
use crate::log::closing::checkpoint_file;

/// What a crash leaves.
#[derive(Debug, Clone)]
pub struct CrashState {
    /// The database file, dirty.
    pub database: Vec<u8>,
    /// The same as it was when the log began: clean, nothing of the log in it.
    pub original: Vec<u8>,
    /// The log files, the current one last.
    pub logs: Vec<BuiltFile>,
    /// The checkpoint file.
    pub checkpoint: Vec<u8>,
    /// Where it says that recovery begins.
    pub checkpoint_at: Lgpos,
    /// What recovery must arrive at, table by table.
    pub model: Vec<Content>,
    /// Transactions that are rolled back.
    pub open: usize,
}

impl Live {
    /// Pages that have changes which are not on disk.
    #[must_use]
    pub fn dirty_pages(&self) -> Vec<Pgno> {
        self.pages.dirty()
    }

    /// Writes a page to the disk if it is dirty, and before it what must be there first.
    ///
    /// # Errors
    /// [`LiveError`].
    pub fn flush_page(&mut self, pgno: Pgno) -> Result<(), LiveError> {
        self.flush_with(pgno, &mut BTreeSet::new())
    }

    fn flush_with(&mut self, pgno: Pgno, under_way: &mut BTreeSet<Pgno>) -> Result<(), LiveError> {
        let Some(dirt) = self.pages.dirt(pgno).cloned() else {
            return Ok(());
        };
        if dirt.first.is_none() {
            return Ok(());
        }
        if !under_way.insert(pgno) {
            return Err(LiveError::Contradiction("pages that wait for each other"));
        }
        for (other, record) in dirt.needs {
            let on_disk = self.pages.dirt(other).and_then(|dirt| dirt.on_disk);
            if on_disk.is_none_or(|on_disk| on_disk < record) {
                self.flush_with(other, under_way)?;
            }
        }
        under_way.remove(&pgno);
        let info = self.log_undo_info(pgno)?;
        self.log.force(dirt.last.max(info.unwrap_or(0)));
        self.patch(pgno)?;
        self.pages.write(pgno)
    }

    /// Records of which a crash may lose the last ones: at least, at most so many are kept.
    #[must_use]
    pub const fn keepable(&self) -> (usize, usize) {
        (self.log.durable(), self.log.len())
    }

    /// What a crash leaves that happens now, while of the log the first `keep` records (see [`Live::keepable`]) have
    /// reached the disk. `tail` counts in the old format only.
    ///
    /// # Errors
    /// [`LiveError::Log`].
    pub fn crash(&mut self, keep: usize, tail: Tail) -> Result<CrashState, LiveError> {
        let (low, high) = self.keepable();
        let keep = keep.clamp(low, high);
        let lost_from = self.log.position(keep);
        let (checkpoint_at, open) = self.some_checkpoint(keep);
        let model = self.model(keep);
        let attached = checkpoint_at > self.attached;
        let checkpoint = self.log.checkpoint_at(checkpoint_at);
        let attachments = if attached {
            self.log.attachments()
        } else {
            &[]
        };
        debug_assert!(lost_from >= checkpoint_at);
        Ok(CrashState {
            database: self.crashed(checkpoint_at),
            original: self.original.clone(),
            logs: self.log.files(keep, self.possible(tail))?,
            checkpoint: checkpoint_file(&checkpoint, attachments),
            checkpoint_at,
            model,
            open,
        })
    }

    /// Where recovery of the pages that are on disk may begin, if of the log the first `keep` records are there; and how
    /// many transactions it must roll back.
    pub(super) fn some_checkpoint(&mut self, keep: usize) -> (Lgpos, usize) {
        let open = self.open_at(keep);
        let oldest = open.iter().copied().chain(self.pages.oldest());
        let newest = oldest.min().unwrap_or(keep).min(keep.saturating_sub(1));
        // The checkpoint may lie behind what it could be, never before it.
        let back = self.random.below(newest + 1);
        let at = if self.random.once_in(2) { newest } else { back };
        let mut checkpoint_at = self.log.position(at);
        if checkpoint_at <= self.attached {
            checkpoint_at = self.log.position(0);
        }
        (checkpoint_at, open.len())
    }

    /// With which records the transactions began that are open behind the first `keep` records.
    pub(super) fn open_at(&self, keep: usize) -> Vec<usize> {
        self.spans
            .iter()
            .filter(|span| span.begin < keep && span.end.is_none_or(|end| end >= keep))
            .map(|span| span.begin)
            .collect()
    }

    const fn possible(&self, tail: Tail) -> Tail {
        match self.options.format {
            LogFormat::Segments => Tail::Whole,
            LogFormat::Ranges { .. } => tail,
        }
    }

    /// The file on disk with the header that goes with it.
    fn crashed(&self, checkpoint: Lgpos) -> Vec<u8> {
        let mut file = self.pages.disk().to_vec();
        let header = self.dirty_header(checkpoint);
        let size = self.pages.size.bytes();
        for copy in file.chunks_exact_mut(size).take(2) {
            header.write_to(copy);
        }
        file
    }

    /// The header while the database is attached and recovery would begin at `checkpoint`.
    pub(super) fn dirty_header(&self, checkpoint: Lgpos) -> DbHeader {
        let durable = self.log.durable();
        let last = self.log.position(durable.saturating_sub(1)).generation;
        let mut header = self.header.clone();
        header.state = DIRTY;
        header.dbid = 1;
        header.last_attach = self.attached;
        header.last_attach_time = time();
        header.last_detach = Lgpos::default();
        header.last_detach_time = Default::default();
        header.required_low = checkpoint.generation;
        header.required_high = last.max(checkpoint.generation);
        header.committed_high = header.required_high;
        header.committed_high_time = time();
        header.consistent_low = checkpoint.generation;
        header.recovering = Generation::default();
        if let Some(dbtime) = self.log.dbtime(durable) {
            header.dbtime = DbTime::new(dbtime);
        }
        header
    }

    /// What is committed within the first `keep` records.
    pub(super) fn model(&self, keep: usize) -> Vec<Content> {
        let mut content = self.initial.clone();
        for (number, effects) in &self.history {
            if *number < keep {
                for effect in effects {
                    effect.apply(&mut content);
                }
            }
        }
        content
    }
}
