//! A database file as a whole: its header, its pages by number, its space and its catalog.

pub mod catalog;
pub mod flush_map;
pub mod leaves;
pub mod long_values;
pub mod space;

use std::path::{Path, PathBuf};

use self::flush_map::FlushMap;
use crate::error::{Error, Result};
use crate::format::checksum::{self, Verdict};
use crate::format::dbheader::{DbHeader, HeaderCopies};
use crate::format::filekind::{self, FileKind};
use crate::format::ids::{HEADER_PAGES, PageSize, Pgno};
use crate::format::page::Page;
use crate::jet::JetError;
pub use crate::storage::ReadBuffer;
use crate::storage::{FileStorage, Memory, Moved, PageFault, Pages, Relocated, Storage};

/// Why a page cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The number is not one of the file's pages (-4001).
    #[error("page is beyond the end of the file")]
    Beyond,
    /// The disk or the file's end stands in the way (-1022, -1021).
    #[error(transparent)]
    Storage(#[from] PageFault),
    /// All zero (-1019).
    #[error("page is not initialised")]
    Uninitialized,
    /// Wrong checksum (-1018).
    #[error("page checksum failed")]
    Checksum {
        /// The page whose content this is, when only the number is wrong.
        belongs_to: Option<Pgno>,
    },
    /// A large page that carries another number (-1118).
    #[error("page says that it is page {0}")]
    WrongNumber(Pgno),
    /// The flush map knows of a later write (-1119).
    #[error("the last write of the page was lost")]
    LostWrite,
}

impl PageError {
    /// The JET number.
    #[must_use]
    pub const fn jet(&self) -> JetError {
        match self {
            Self::Beyond => JetError::FILE_IO_BEYOND_EOF,
            Self::Storage(fault) => fault.jet(),
            Self::Uninitialized => JetError::PAGE_NOT_INITIALIZED,
            Self::Checksum { .. } => JetError::READ_VERIFY_FAILURE,
            Self::WrongNumber(_) => JetError::READ_PGNO_VERIFY_FAILURE,
            Self::LostWrite => JetError::READ_LOST_FLUSH_VERIFY_FAILURE,
        }
    }
}

/// A page's bytes, kept and used again for the next page.
#[derive(Debug, Clone)]
pub struct PageBytes {
    bytes: Vec<u8>,
    size: PageSize,
    /// The wrong bit that was corrected while reading, if any.
    corrected: Option<u32>,
}

impl PageBytes {
    /// Room for one page.
    #[must_use]
    pub fn new(size: PageSize) -> Self {
        Self {
            bytes: vec![0; size.bytes()],
            size,
            corrected: None,
        }
    }

    /// The page that was read last.
    #[must_use]
    pub fn page(&self) -> Page<'_> {
        Page::new(&self.bytes, self.size).expect("the buffer is made for this page size")
    }

    /// The first wrong bit that reading corrected.
    #[must_use]
    pub const fn corrected(&self) -> Option<u32> {
        self.corrected
    }

    /// The raw bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// An open database. Reading never changes it.
pub struct Database {
    storage: Box<dyn Storage>,
    path: PathBuf,
    header: DbHeader,
    size: PageSize,
    /// Whole pages of the file without the header pages: the last page number it holds.
    last_page: Pgno,
    /// Pages of which only a bit of the stored checksum is wrong are taken for good.
    mends_sums: bool,
    /// Pages must be as they were last written.
    flush_map: Option<FlushMap>,
}

impl Database {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::NoDatabaseHeader`] when neither header copy is good.
    pub fn open(path: &Path, page_size: Option<PageSize>) -> Result<Self> {
        let file = FileStorage::open(path)?;
        Self::from_storage(Box::new(file), path, page_size)
    }

    /// Takes a storage as a database; `path` is what errors name it.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn from_storage(
        storage: Box<dyn Storage>,
        path: &Path,
        page_size: Option<PageSize>,
    ) -> Result<Self> {
        let io = |error| Error::io(path, "read", error);
        let start = storage.read_start(HeaderCopies::PROBE_BYTES).map_err(io)?;
        let kind = filekind::identify(&start);
        if let FileKind::Log { .. } | FileKind::Checkpoint | FileKind::FlushMap | FileKind::Undo =
            kind
        {
            // Their headers look like one of a database as far as the choice of a copy goes.
            return Err(Error::WrongFileType {
                path: path.to_owned(),
                found: kind.words(),
                mode: kind.dump_mode().unwrap_or("mh"),
            });
        }
        let no_header = || Error::NoDatabaseHeader {
            path: path.to_owned(),
        };
        let copies = HeaderCopies::read(&start, page_size).ok_or_else(no_header)?;
        // With a forced page size and no good copy the primary's fields are all there is.
        let header = copies
            .header()
            .or(copies.primary.header.as_deref())
            .ok_or_else(no_header)?
            .clone();
        let size = copies.page_size;
        Self::with_header(storage, path, header, size).map_err(io)
    }

    /// Takes a storage as a database with this header and page size; the header copies are not looked at. `path` is
    /// what reports name it.
    ///
    /// # Errors
    /// When the storage's length cannot be had.
    pub fn with_header(
        storage: Box<dyn Storage>,
        path: &Path,
        header: DbHeader,
        size: PageSize,
    ) -> std::io::Result<Self> {
        let (count, _) = Pages::new(storage.as_ref(), size).count()?;
        let last = count
            .saturating_sub(HEADER_PAGES)
            .min(Pgno::MAX.get().into());
        Ok(Self {
            storage,
            path: path.to_owned(),
            header,
            size,
            last_page: Pgno::new(last as u32),
            mends_sums: false,
            flush_map: None,
        })
    }

    /// The same pages under another header.
    #[must_use]
    pub fn replace_header(self, header: DbHeader) -> Self {
        Self { header, ..self }
    }

    /// From now on also corrects a single wrong bit of a stored checksum, which the engine does not: for those who want
    /// what is on the page.
    pub const fn mend_sums(&mut self) {
        self.mends_sums = true;
    }

    /// From now on takes no page that this map, which belongs to the database, knows to be older than its last write.
    pub fn heed(&mut self, flush_map: FlushMap) {
        self.flush_map = Some(flush_map);
    }

    /// From now on reads these pages from where they lie; there may then be more pages than before.
    ///
    /// # Errors
    /// When the storage's length cannot be had.
    pub fn relocate(&mut self, moved: Vec<Moved>) -> std::io::Result<()> {
        let base = std::mem::replace(&mut self.storage, Box::new(Memory::default()));
        self.storage = Box::new(Relocated::new(base, self.size, moved));
        let (count, _) = Pages::new(self.storage.as_ref(), self.size).count()?;
        let last = count.saturating_sub(HEADER_PAGES);
        self.last_page = Pgno::new(last.min(Pgno::MAX.get().into()) as u32);
        Ok(())
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header that counts.
    #[must_use]
    pub const fn header(&self) -> &DbHeader {
        &self.header
    }

    /// The page size.
    #[must_use]
    pub const fn page_size(&self) -> PageSize {
        self.size
    }

    /// The last page that the file holds.
    #[must_use]
    pub const fn last_page(&self) -> Pgno {
        self.last_page
    }

    /// The bytes under it.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// Reads a page and verifies it; a single wrong bit is corrected in `into`.
    ///
    /// # Errors
    /// [`PageError`]; `into` then holds what could be read.
    pub fn read<'b>(
        &self,
        pgno: Pgno,
        into: &'b mut PageBytes,
    ) -> std::result::Result<Page<'b>, PageError> {
        if pgno.is_null() || pgno > self.last_page {
            return Err(PageError::Beyond);
        }
        let pages = Pages::new(self.storage.as_ref(), self.size);
        pages.read(pgno, &mut into.bytes)?;
        into.corrected = self.judge(pgno, &mut into.bytes)?;
        Ok(into.page())
    }

    /// Reads `count` pages from `first` on with one call. What could not be read is left to be read
    /// page by page.
    ///
    /// # Errors
    /// [`PageError`] when any of them cannot be had.
    pub fn read_run(
        &self,
        first: Pgno,
        count: usize,
        into: &mut ReadBuffer,
    ) -> std::result::Result<(), PageError> {
        // Not more than the file has: the buffer is made before anything is read.
        if first.is_null() || count > self.last_page.get() as usize {
            return Err(PageError::Beyond);
        }
        into.resize(count * self.size.bytes());
        self.read_pages(first, into)
    }

    /// Reads the pages from `first` on that fill the buffer with one call, as [`Database::read_run`].
    ///
    /// # Errors
    /// [`PageError`] when any of them cannot be had.
    pub fn read_pages(&self, first: Pgno, into: &mut [u8]) -> std::result::Result<(), PageError> {
        let count = into.len() / self.size.bytes();
        let last = u64::from(first.get()) + count as u64;
        if first.is_null() || last > u64::from(self.last_page.get()) + 1 {
            return Err(PageError::Beyond);
        }
        let pages = Pages::new(self.storage.as_ref(), self.size);
        Ok(pages.read_physical(first.physical(), into)?)
    }

    /// Verifies the bytes of page `pgno`, correcting a single wrong bit in place; returns that bit.
    ///
    /// # Errors
    /// [`PageError`].
    pub fn judge(
        &self,
        pgno: Pgno,
        bytes: &mut [u8],
    ) -> std::result::Result<Option<u32>, PageError> {
        let mut corrected = None;
        match checksum::verify(bytes, self.size, pgno) {
            Verdict::Good => {}
            Verdict::Correctable { bit } => {
                if checksum::correct(bytes, self.size, pgno).is_none() {
                    return Err(PageError::Checksum { belongs_to: None });
                }
                corrected = Some(bit);
            }
            Verdict::Uninitialized => {
                let map = self.flush_map.as_ref();
                return Err(match map.map_or(0, |map| map.flush_type(pgno)) {
                    0 => PageError::Uninitialized,
                    _ => PageError::LostWrite,
                });
            }
            Verdict::Bad { belongs_to } => {
                let mended = checksum::wrong_bit_of_sum(bytes, self.size, pgno);
                corrected = mended.filter(|_| self.mends_sums);
                if corrected.is_none() {
                    return Err(PageError::Checksum { belongs_to });
                }
            }
        }
        let page = Page::new(bytes, self.size);
        match page.and_then(Page::own_pgno) {
            Some(own) if own != pgno => return Err(PageError::WrongNumber(own)),
            _ => {}
        }
        let lost = |map: &FlushMap| page.is_some_and(|page| map.lost(pgno, page));
        if self.flush_map.as_ref().is_some_and(lost) {
            return Err(PageError::LostWrite);
        }
        Ok(corrected)
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.path)
            .field("size", &self.size)
            .field("last_page", &self.last_page)
            .finish_non_exhaustive()
    }
}
