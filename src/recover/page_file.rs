//! Pages as the databases of a replay hold them: read, verified, judged.

use std::path::PathBuf;
use std::sync::Arc;

use crate::format::checksum::{self, Verdict};
use crate::format::ids::{PageSize, Pgno};
use crate::format::page::{CheckScratch, Page};
use crate::jet::JetError;
use crate::storage::Storage;

use super::pool::Slot;

/// What is known of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageState {
    /// It can be used.
    Sound,
    /// The file ends before it (-4001).
    Beyond,
    /// All zero (-1019).
    Uninitialized,
    /// It cannot be used; the number says why.
    Bad(JetError),
}

impl PageState {
    /// The number for a page that should have been usable.
    #[must_use]
    pub const fn jet(self) -> JetError {
        match self {
            Self::Sound => JetError::SUCCESS,
            Self::Beyond => JetError::FILE_IO_BEYOND_EOF,
            Self::Uninitialized => JetError::PAGE_NOT_INITIALIZED,
            Self::Bad(jet) => jet,
        }
    }
}

/// Where the pages of one database come from.
pub(super) struct PageFile {
    /// What errors call it.
    pub path: PathBuf,
    /// The file; `None` for a database that the replay creates.
    pub storage: Option<Arc<dyn Storage>>,
    /// Pages of the file, header pages not counted, as the replay sees it.
    pub pages: u32,
    /// Pages that the storage really holds.
    pub stored: u32,
    pub style: PageStyle,
    /// Pages that were read with a wrong checksum.
    pub bad: u32,
}

/// What pages of a database look like, depending on its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageStyle {
    /// They say how many tags are reserved.
    pub counts_reserved: bool,
    /// New ones get the newer checksum.
    pub new_checksum: bool,
}

/// A page as its database holds it.
pub struct ReadPage {
    pub(super) slot: Slot,
    pub(super) pgno: Pgno,
    pub(super) bytes: Box<[u8]>,
    pub(super) state: PageState,
}

/// Where pages of one database can be read, on whatever thread. The file does not change during a replay.
#[derive(Clone)]
pub struct PageSource {
    pub(super) slot: Slot,
    pub(super) storage: Arc<dyn Storage>,
    /// Pages that it holds.
    pub(super) stored: u32,
    pub(super) size: PageSize,
}

impl PageSource {
    /// True when there is such a page in the file.
    #[must_use]
    pub const fn has(&self, pgno: Pgno) -> bool {
        !pgno.is_null() && pgno.get() <= self.stored
    }

    /// Reads and judges a page.
    #[must_use]
    pub fn read(&self, pgno: Pgno, scratch: &mut CheckScratch) -> ReadPage {
        let mut bytes = vec![0; self.size.bytes()].into_boxed_slice();
        let state = read_page(&*self.storage, self.size, pgno, &mut bytes, scratch);
        ReadPage {
            slot: self.slot,
            pgno,
            bytes,
            state,
        }
    }
}

/// Reads a page that is in the file. A single wrong bit is mended.
pub(super) fn read_page(
    storage: &dyn Storage,
    size: PageSize,
    pgno: Pgno,
    bytes: &mut [u8],
    scratch: &mut CheckScratch,
) -> PageState {
    if storage.read_exact_at(pgno.offset(size), bytes).is_err() {
        return PageState::Bad(JetError::DISK_IO);
    }
    match checksum::verify(bytes, size, pgno) {
        Verdict::Good => {}
        Verdict::Correctable { .. } => {
            checksum::correct(bytes, size, pgno);
        }
        Verdict::Uninitialized => return PageState::Uninitialized,
        Verdict::Bad { .. } => return PageState::Bad(JetError::READ_VERIFY_FAILURE),
    }
    judge(bytes, size, scratch)
}

/// Whether bytes with a good checksum are a page that can be worked on.
pub(super) fn judge(bytes: &[u8], size: PageSize, scratch: &mut CheckScratch) -> PageState {
    let Some(page) = Page::new(bytes, size) else {
        return PageState::Bad(JetError::DATABASE_CORRUPTED);
    };
    match page.check_frame(scratch) {
        Ok(()) => PageState::Sound,
        Err(_) => PageState::Bad(JetError::DATABASE_CORRUPTED),
    }
}
