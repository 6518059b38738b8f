//! Databases that come from a backup: their headers as the set makes them, and pages from patch files.
//!
//! The copy of a database was read while it changed: its pages are of different ages, and the logs of the backup bring
//! them together. Before logs held what a split moves, pages that such a copy cannot do without were put in a patch
//! file; of both the newer counts. [log notes 12]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::dbheader::DbHeader;
use crate::format::ids::{Generation, Pgno};
use crate::format::page::Page;
use crate::format::stamp::Signature;
use crate::storage::{FileStorage, Storage};

use super::page_file::PageState;
use super::pool::{Pool, Slot};

/// What a backup gives to a recovery.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Its databases.
    pub databases: Vec<Prepared>,
    /// Its last generation: no log up to it may be missing or damaged.
    pub high: Generation,
}

/// A database of a backup.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The file.
    pub path: PathBuf,
    /// Its header, with what the trailer page or the patch file adds.
    pub header: DbHeader,
    /// Its last page; a trailer page lies behind it.
    pub last: Pgno,
    /// The pages of its patch file.
    pub patch: Option<PatchPages>,
}

/// The newest of each page in a patch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchPages {
    /// The patch file.
    pub path: PathBuf,
    /// Where in it each page lies.
    pub offsets: BTreeMap<Pgno, u64>,
}

impl Restored {
    /// The database of this identity.
    #[must_use]
    pub fn of_signature(&self, sign_db: &Signature) -> Option<&Prepared> {
        self.databases
            .iter()
            .find(|database| database.header.sign_db == *sign_db)
    }

    /// The database of this file.
    #[must_use]
    pub fn of_path(&self, path: &Path) -> Option<&Prepared> {
        self.databases.iter().find(|database| database.path == path)
    }

    /// True for a log that belongs to the backup itself.
    #[must_use]
    pub fn needs(&self, generation: Generation) -> bool {
        generation <= self.high
    }
}

impl Prepared {
    /// Leaves the trailer page out, and puts in the pages of the patch file that are newer.
    ///
    /// # Errors
    /// [`Error::Io`] when the patch file or the scratch file cannot be read.
    pub fn apply(&self, pool: &mut Pool, slot: Slot) -> Result<()> {
        if self.last < pool.last_page(slot) {
            pool.set_last_page(slot, self.last);
        }
        let Some(patch) = &self.patch else {
            return Ok(());
        };
        let file = FileStorage::open(&patch.path)?;
        let mut page = vec![0; pool.size().bytes()];
        for (&pgno, &offset) in &patch.offsets {
            file.read_exact_at(offset, &mut page)
                .map_err(|error| Error::io(&patch.path, "read", error))?;
            let newer = Page::new(&page, pool.size()).map(Page::dbtime);
            let (id, state) = pool.load(slot, pgno)?;
            if state == PageState::Sound && Some(pool.page(id).dbtime()) >= newer {
                continue;
            }
            // Whoever read the patch file has judged the page.
            if pool.restore(id, &page) == PageState::Sound {
                pool.settle_new(slot, pgno, id);
            }
            pool.trim()?;
        }
        Ok(())
    }
}
