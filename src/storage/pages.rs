//! A storage seen as pages.

use super::Storage;
use crate::format::ids::{PageSize, Pgno};
use crate::jet::JetError;

/// Why a page's bytes cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PageFault {
    /// The disk refused (-1022).
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file ends before the page does (-1021).
    #[error("file ends before the page does")]
    CutOff,
}

impl PageFault {
    /// The JET number.
    #[must_use]
    pub const fn jet(&self) -> JetError {
        match self {
            Self::Io(_) => JetError::DISK_IO,
            Self::CutOff => JetError::DISK_READ_VERIFICATION_FAILURE,
        }
    }
}

/// Pages of one size in a storage.
#[derive(Debug)]
pub struct Pages<'a, S: ?Sized> {
    storage: &'a S,
    size: PageSize,
}

// Derived, these would ask the same of the storage.
impl<S: ?Sized> Clone for Pages<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ?Sized> Copy for Pages<'_, S> {}

impl<'a, S: Storage + ?Sized> Pages<'a, S> {
    /// Looks at a storage as pages.
    pub const fn new(storage: &'a S, size: PageSize) -> Self {
        Self { storage, size }
    }

    /// The page size.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.size
    }

    /// Whole pages in the storage, header pages included, and the bytes after the last.
    ///
    /// # Errors
    /// What the system says.
    pub fn count(&self) -> std::io::Result<(u64, u64)> {
        let len = self.storage.len()?;
        let page = self.size.bytes() as u64;
        Ok((len / page, len % page))
    }

    /// Reads `buffer.len() / page size` pages from physical page `first` on (0 is the header).
    ///
    /// # Errors
    /// [`PageFault`] when any of the bytes cannot be had.
    pub fn read_physical(&self, first: u64, buffer: &mut [u8]) -> Result<(), PageFault> {
        let have = self
            .storage
            .read_at(first * self.size.bytes() as u64, buffer)?;
        if have == buffer.len() {
            Ok(())
        } else {
            Err(PageFault::CutOff)
        }
    }

    /// Reads one page.
    ///
    /// # Errors
    /// [`PageFault`] when it cannot be had.
    pub fn read(&self, pgno: Pgno, buffer: &mut [u8]) -> Result<(), PageFault> {
        self.read_physical(pgno.physical(), buffer)
    }
}
