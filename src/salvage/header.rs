//! A header for a database that has lost both copies of its own: made from what the pages tell, and from those fields
//! of the damaged copies that can be believed.
//!
//! It is enough to read, check, salvage and rebuild the database. What no page knows stays zero: the identity of
//! database and log stream (where no copy has it), times, backups, counters of page errors, and the logs required.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::clues::{Clue, Clues};
use super::inventory::{Inventory, PageVerdict};
use super::pagesize::{PageSizeGuess, guess_page_size};
use super::remains::{self, FILETYPE_DATABASE, KeptField, Remains};
use crate::db::Database;
use crate::format::dbheader::DbHeader;
use crate::format::ids::{DbTime, Objid, PageSize};
use crate::format::version::{DB_VERSION, DbFormat};
use crate::progress::Progress;
use crate::storage::{Shifted, Storage};

/// `dbstate` of a database that needs logs. [format notes 1.5]
const DIRTY: u32 = 2;
/// Databases are created in this format and raised at once to a later one. [verified: every database above it]
const CREATED_AT_MOST: u32 = 20;
/// The last object of a database without tables. [format notes 5.9]
const LAST_SYSTEM_OBJID: u32 = 5;

/// Formats that databases are found in, for those clues that tell no more than a lowest one: what products wrote up to
/// 0x14, then the update that the clue is of. [format notes 12.1, 12.2]
const FORMATS: [DbFormat; 10] = [
    known(2, 0, 0),
    known(8, 0, 0),
    known(9, 0, 0),
    known(0xB, 0, 0),
    known(0xC, 0, 0),
    known(0x11, 0, 0),
    known(0x14, 0, 0),
    known(30, 40, 8960),
    known(70, 160, 9080),
    known(270, 560, 9560),
];

const fn known(major: u32, minor: u32, engine: u32) -> DbFormat {
    DbFormat {
        major,
        minor,
        engine,
    }
}

/// What a made header rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeaderEvidence {
    /// Page size and what is missing in front.
    pub guess: PageSizeGuess,
    /// What the pages tell of the format.
    pub clues: Clues,
    /// The update that the pages alone tell; the made header has a higher one where a damaged copy names it.
    pub told_by_pages: u32,
    /// Damaged header copies that were looked at (0 to 2).
    pub copies: u64,
    /// Fields taken over from them.
    pub kept: Vec<KeptField>,
    /// Pages in use on which all this rests.
    pub sound_pages: u64,
}

/// A database that was opened without its header.
#[derive(Debug)]
pub struct Headless {
    /// The database, under the made header; shifted, where its first pages are missing.
    pub db: Database,
    /// Its pages.
    pub inventory: Inventory,
    /// What the header rests on.
    pub evidence: HeaderEvidence,
}

impl Headless {
    /// Opens a file both of whose header copies are bad. `forced` names the page size instead of guessing it. `None`
    /// when no page of the file can be read as one of a database: then there is nothing to make a header from.
    ///
    /// The whole file is read once, besides the samples of [`guess_page_size`].
    ///
    /// # Errors
    /// When the length of the storage cannot be had.
    pub fn open(
        storage: Box<dyn Storage>,
        path: &Path,
        forced: Option<PageSize>,
        progress: &dyn Progress,
    ) -> io::Result<Option<Self>> {
        let guesses = guess_page_size(storage.as_ref())?;
        let fits = |guess: &PageSizeGuess| match forced {
            Some(size) => guess.size == size,
            None => guess.is_supported(),
        };
        let Some(guess) = guesses.into_iter().find(fits) else {
            return Ok(None);
        };
        let storage: Box<dyn Storage> = if guess.missing == 0 {
            storage
        } else {
            Box::new(Shifted::new(storage, guess.missing, guess.size))
        };
        let db = Database::with_header(storage, path, provisional(guess.size), guess.size)?;
        let inventory = Inventory::scan(&db, None, progress);
        let Some((header, evidence)) = HeaderFromPages::make(&db, &inventory, guess) else {
            return Ok(None);
        };
        Ok(Some(Self {
            db: db.replace_header(header),
            inventory,
            evidence,
        }))
    }
}

/// The header that pages are looked at with before there is one.
fn provisional(size: PageSize) -> DbHeader {
    let mut header = DbHeader::empty();
    header.page_size = size.header_value();
    header.state = DIRTY;
    header
}

/// Makes headers.
#[derive(Debug)]
pub struct HeaderFromPages;

impl HeaderFromPages {
    /// A header for this database, whose own is not looked at, in state "Dirty Shutdown", so that nobody takes the
    /// database for clean. `None` when not a single page is sound.
    #[must_use]
    pub fn make(
        db: &Database,
        inventory: &Inventory,
        guess: PageSizeGuess,
    ) -> Option<(DbHeader, HeaderEvidence)> {
        let sound_pages =
            inventory.count(PageVerdict::Sound) + inventory.count(PageVerdict::Corrected);
        let clues = Clues::collect(db, inventory);
        if clues.pages == 0 {
            return None;
        }
        let format = format_of(&clues);
        let mut header = provisional(db.page_size());
        header.filetype = FILETYPE_DATABASE;
        header.update_major = format.major;
        header.update_minor = format.minor;
        header.attached_by = format.engine;
        header.create_version = DB_VERSION;
        header.create_update = format.major.min(CREATED_AT_MOST);
        header.dbid = 1;
        header.dbtime = DbTime::new(inventory.highest_dbtime().get().saturating_add(1));
        header.objid_last = inventory.highest_objid().max(Objid::new(LAST_SYSTEM_OBJID));
        // The database presents missing pages as zeros, so that its copies lie where they should.
        let copies = remains::copies(db.storage(), db.page_size(), 0);
        let mut taken = Remains {
            copies: &copies,
            kept: Vec::new(),
        };
        taken.take(&mut header, clues.least());
        let evidence = HeaderEvidence {
            guess,
            told_by_pages: format.major,
            copies: copies.len() as u64,
            kept: taken.kept,
            sound_pages,
            clues,
        };
        Some((header, evidence))
    }
}

/// The oldest format that the clues allow and that databases are found in.
fn format_of(clues: &Clues) -> DbFormat {
    let mut least = clues.least();
    if least == Clue::NewChecksum.since() && !clues.catalog_described {
        // 0xB was short-lived; only a catalog that does not know the length of keys proves it.
        least = Clue::KeyMost.since();
    }
    let found = FORMATS.into_iter().find(|format| format.major >= least);
    found.unwrap_or(FORMATS[FORMATS.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::{Clue, Clues, format_of};

    fn major(seen: &[Clue], catalog_described: bool) -> u32 {
        let clues = Clues {
            seen: seen.iter().copied().collect(),
            catalog_described,
            ..Clues::default()
        };
        format_of(&clues).major
    }

    #[test]
    fn clues_lead_to_formats_of_products() {
        assert_eq!(major(&[], false), 2);
        assert_eq!(major(&[Clue::Page], true), 2);
        assert_eq!(major(&[Clue::WideSegments], true), 8);
        assert_eq!(major(&[Clue::NewRecords, Clue::WideSegments], true), 9);
        assert_eq!(major(&[Clue::NewChecksum], true), 0xB);
        assert_eq!(major(&[Clue::NewChecksum], false), 0xC);
        assert_eq!(major(&[Clue::KeyMost], true), 0xC);
        assert_eq!(major(&[Clue::SpaceHeader2], true), 0x11);
        assert_eq!(major(&[Clue::LocaleNames], true), 0x14);
        assert_eq!(major(&[Clue::FlaggedHeader], true), 30);
        assert_eq!(major(&[Clue::WideLids, Clue::SystemTables], true), 70);
        assert_eq!(major(&[Clue::ReservedTags], true), 270);
    }
}
