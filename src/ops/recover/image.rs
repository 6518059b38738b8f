//! A database as it will be: its headers and the pages that change.

use std::path::Path;

use super::closing::Closing;
use crate::error::{Error, Result};
use crate::format::checksum::header_is_good;
use crate::format::dbheader::{DbHeader, DbState, HeaderCopies};
use crate::format::ids::{HEADER_PAGES, PageSize, Pgno};
use crate::format::undofile::SECTOR;
use crate::recover::Attached;
use crate::recover::driver::Outcome;
use crate::storage::Storage;

/// Pages that are saved and written at once.
const BATCH_BYTES: usize = 1 << 20;

/// A database as it will be.
pub struct Image<'a> {
    outcome: &'a Outcome,
    header: &'a DbHeader,
    database: &'a Attached,
    size: PageSize,
    last: Pgno,
}

impl<'a> Image<'a> {
    /// That of one of the databases of `outcome`.
    pub fn new(outcome: &'a Outcome, closing: &'a Closing, database: &'a Attached) -> Self {
        Self {
            outcome,
            header: closing.header_of(database),
            database,
            size: outcome.replay.pool.size(),
            last: outcome.replay.pool.last_page(database.slot),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.database.path
    }

    /// The replay made it: there is no file yet, or none that counts.
    pub const fn is_new(&self) -> bool {
        self.database.created
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        (u64::from(self.last.get()) + HEADER_PAGES) * self.size.bytes() as u64
    }

    /// Bytes of the pages that change.
    pub fn changed_bytes(&self) -> u64 {
        let pool = &self.outcome.replay.pool;
        let pages = if self.is_new() {
            u64::from(self.last.get())
        } else {
            pool.changed(self.database.slot).len() as u64
        };
        pages * self.size.bytes() as u64
    }

    /// The two headers, which lie at the start of the file. `old` is the file as it is, unless it is new.
    pub fn headers(&self, old: Option<&dyn Storage>) -> Result<Vec<u8>> {
        let size = self.size.bytes();
        let mut headers = match old {
            // Bytes behind the known fields belong to a newer engine and stay as they are.
            Some(old) => self.read_headers(old)?,
            None => vec![0; 2 * size],
        };
        let (primary, shadow) = headers.split_at_mut(size);
        if !header_is_good(primary) && header_is_good(shadow) {
            primary.copy_from_slice(shadow);
        }
        self.header.write_to(primary);
        shadow.copy_from_slice(primary);
        Ok(headers)
    }

    fn read_headers(&self, old: &dyn Storage) -> Result<Vec<u8>> {
        let mut headers = vec![0; 2 * self.size.bytes()];
        let have = old
            .read_at(0, &mut headers)
            .map_err(|error| Error::io(&self.database.path, "read", error))?;
        headers[have..].fill(0);
        Ok(headers)
    }

    /// What to write over each header before the first page: nothing (`None`) where they say already that the
    /// database was not shut down; else a sector of the new headers, its offset in the header first. Alone it makes
    /// the checksum of the header wrong, so that nobody takes the pages behind it for sound. Any other mark would be
    /// neither what was there nor what will be, and the undo file knows only these two.
    pub fn mark_of_writing(&self, old: &dyn Storage) -> Result<Option<(usize, Vec<u8>)>> {
        let before = self.read_headers(old)?;
        let says_clean = HeaderCopies::read(&before, Some(self.size)).is_some_and(|copies| {
            copies
                .header()
                .is_some_and(|header| header.db_state() == DbState::CleanShutdown)
        });
        if !says_clean {
            return Ok(None);
        }
        let size = self.size.bytes();
        let after = self.headers(Some(old))?;
        let new = &after[..size];
        for at in (0..size).step_by(SECTOR) {
            let sector = &new[at..at + SECTOR];
            let spoils = |copy: &[u8]| {
                let mut mixed = copy.to_vec();
                mixed[at..at + SECTOR].copy_from_slice(sector);
                !header_is_good(&mixed)
            };
            if before.chunks(size).all(spoils) {
                return Ok(Some((at, sector.to_vec())));
            }
        }
        Ok(None)
    }

    /// Length of one header in bytes; the second lies behind the first.
    pub const fn header_bytes(&self) -> usize {
        self.size.bytes()
    }

    /// Visits the pages that change, in order and in runs. A new file is visited whole, its unused pages as zero.
    pub fn each_page(&self, mut visit: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let size = self.size.bytes();
        let pool = &self.outcome.replay.pool;
        let changed = pool.changed(self.database.slot);
        let all: Box<dyn Iterator<Item = (Pgno, bool)>> = if self.is_new() {
            let mut changed = changed.into_iter().peekable();
            Box::new((1..=self.last.get()).map(move |number| {
                let pgno = Pgno::new(number);
                (pgno, changed.next_if_eq(&pgno).is_some())
            }))
        } else {
            Box::new(changed.into_iter().map(|pgno| (pgno, true)))
        };
        let mut run = Run::new(size);
        for (pgno, has_content) in all {
            if pgno > self.last {
                break;
            }
            if !run.takes(pgno) {
                run.flush(self.size, &mut visit)?;
            }
            let place = run.add(pgno, size);
            if has_content {
                pool.sealed(self.database.slot, pgno, place)?;
            }
        }
        run.flush(self.size, &mut visit)
    }
}

/// Neighbouring pages that are visited together.
struct Run {
    first: Option<Pgno>,
    pages: usize,
    bytes: Vec<u8>,
}

impl Run {
    fn new(page: usize) -> Self {
        Self {
            first: None,
            pages: 0,
            bytes: Vec::with_capacity(BATCH_BYTES.max(page)),
        }
    }

    fn takes(&self, pgno: Pgno) -> bool {
        self.first
            .is_none_or(|first| first.get() as usize + self.pages == pgno.get() as usize)
            && self.bytes.len() < BATCH_BYTES
    }

    fn add(&mut self, pgno: Pgno, size: usize) -> &mut [u8] {
        self.first.get_or_insert(pgno);
        self.pages += 1;
        let start = self.bytes.len();
        self.bytes.resize(start + size, 0);
        &mut self.bytes[start..]
    }

    fn flush(
        &mut self,
        size: PageSize,
        visit: &mut impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Some(first) = self.first.take() {
            visit(first.offset(size), &self.bytes)?;
        }
        self.pages = 0;
        self.bytes.clear();
        Ok(())
    }
}
