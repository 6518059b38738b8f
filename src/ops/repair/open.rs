//! Opening a database that may have lost its header.

use super::RepairFileOptions;
use crate::db::Database;
use crate::error::{Error, Result, Trouble};
use crate::format::dbheader::{CopyState, DbState, HeaderCopies, WhichCopy};
use crate::jet::JetError;
use crate::ops::identify::{FileKind, identify};
use crate::problem::{Finding, Place, Problem};
use crate::progress::Silent;
use crate::salvage::{HeaderEvidence, Headless, PageSizeGuess, guess_page_size};
use crate::storage::{Disk, Storage};

/// Pages without which no table can be found: the catalog's root is the fourth. [format notes 5.9]
const PAGES_LEAST: u32 = 4;

/// A database that can be looked at.
pub(super) struct Opened {
    pub db: Database,
    /// Its header was made from its pages.
    pub made: Option<HeaderEvidence>,
    /// What is wrong with the header and the file.
    pub findings: Vec<Finding>,
    /// The copy of the header that is to be written anew: its place and the good copy's bytes.
    mended_copy: Option<(u64, Vec<u8>)>,
}

impl Opened {
    /// Where a good copy of the header is to be written over a bad one.
    pub fn header_copy(&self) -> Option<(u64, &[u8])> {
        self.mended_copy
            .as_ref()
            .map(|(at, bytes)| (*at, &bytes[..]))
    }
}

/// Opens the database.
///
/// # Errors
/// [`Error::NoDatabaseHeader`] when both copies are lost and no page size was given; -4001 when the file ends before
/// the catalog.
pub(super) fn open(options: &RepairFileOptions, disk: &dyn Disk) -> Result<Opened> {
    let path = &options.path;
    let storage = disk.open(path)?;
    let start = storage
        .read_start(HeaderCopies::PROBE_BYTES)
        .map_err(|error| Error::io(path, "read", error))?;
    let copies = HeaderCopies::read(&start, options.page_size);
    let kind = identify(&start);
    if let FileKind::Streaming { .. } = kind {
        return Err(Error::WrongFileType {
            path: path.clone(),
            found: kind.words(),
            mode: "mh",
        });
    }
    // A page with the old checksum can look like one of these; who names a page size says that this is a database.
    let is_other = options.page_size.is_none()
        && matches!(
            kind,
            FileKind::Log { .. } | FileKind::Checkpoint | FileKind::FlushMap | FileKind::Undo
        );
    if !is_other && copies.as_ref().is_none_or(|copies| copies.chosen.is_none()) {
        return headless(options, storage);
    }
    let db = Database::from_storage(storage, path, options.page_size)?;
    let mended_copy = copies.as_ref().and_then(|copies| {
        let bad = bad_copy(copies)?;
        let size = copies.page_size.bytes();
        let (from, to) = match bad {
            WhichCopy::Primary => (size, 0),
            WhichCopy::Shadow => (0, size),
        };
        let bytes = start.get(from..from + size)?.to_vec();
        Some((to as u64, bytes))
    });
    let state = db.header().db_state();
    if matches!(
        state,
        DbState::JustCreated | DbState::BeingConverted | DbState::Illegal
    ) {
        let what = format!("the database is in the state '{}'", state.words());
        return Err(Trouble::new(JetError::DATABASE_CORRUPTED, what)
            .of(path)
            .advise("it was never finished: there is nothing that a repair could rely on")
            .into());
    }
    too_short(&db)?;
    Ok(Opened {
        db,
        made: None,
        findings: copies
            .as_ref()
            .map_or_else(Vec::new, crate::ops::headers::judge_copies),
        mended_copy,
    })
}

/// Opens a database both of whose header copies are lost.
fn headless(options: &RepairFileOptions, storage: Box<dyn Storage>) -> Result<Opened> {
    let path = &options.path;
    let io = |error| Error::io(path, "read", error);
    let guesses = guess_page_size(storage.as_ref()).map_err(io)?;
    let best = guesses.first().filter(|guess| guess.is_supported());
    let Some(size) = options.page_size else {
        let lost = Trouble::new(
            JetError::DATABASE_CORRUPTED,
            "both copies of the database header are lost",
        )
        .of(path);
        // That its pages are those of a database is for the user to say: any file has no header.
        let Some(best) = best else {
            return Err(lost.into());
        };
        let kib = best.size.bytes() / 1024;
        return Err(lost
            .advise(format!(
                "{} of {} pages tried are database pages of {kib} KiB: '--page-size {kib}' makes a header from them",
                best.good + best.correctable,
                best.tried
            ))
            .into());
    };
    let own = guesses.iter().find(|guess| guess.size == size);
    let good = |guess: &PageSizeGuess| guess.good + guess.correctable;
    if let Some(best) = best.filter(|best| best.size != size)
        && own.is_none_or(|own| good(own) * 4 < good(best))
    {
        let kib = best.size.bytes() / 1024;
        let what = format!("the pages are of {kib} KiB, as {} of them show", good(best));
        return Err(Trouble::new(JetError::PAGE_SIZE_MISMATCH, what)
            .of(path)
            .advise(format!("use '--page-size {kib}'"))
            .into());
    }
    let opened = Headless::open(storage, path, Some(size), &Silent).map_err(io)?;
    let Some(Headless { db, evidence, .. }) = opened else {
        return Err(Trouble::new(
            JetError::DATABASE_CORRUPTED,
            "no page of the file can be read as one of a database with this page size",
        )
        .of(path)
        .into());
    };
    too_short(&db)?;
    Ok(Opened {
        db,
        made: Some(evidence),
        findings: vec![Finding::new(Problem::HeaderBothBad, Place::default())],
        mended_copy: None,
    })
}

/// Without its fourth page a file has no catalog, and no place for one.
fn too_short(db: &Database) -> Result<()> {
    if db.last_page().get() >= PAGES_LEAST {
        return Ok(());
    }
    let what = format!("the file ends with page {}: no catalog", db.last_page());
    Err(Trouble::new(JetError::FILE_IO_BEYOND_EOF, what)
        .of(db.path())
        .into())
}

/// Which copy of the header is to be written anew.
fn bad_copy(copies: &HeaderCopies) -> Option<WhichCopy> {
    let good = |state| matches!(state, CopyState::Good);
    match copies.chosen? {
        WhichCopy::Primary if !good(copies.shadow.state) => Some(WhichCopy::Shadow),
        WhichCopy::Shadow if !good(copies.primary.state) => Some(WhichCopy::Primary),
        _ => None,
    }
}
