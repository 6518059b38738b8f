//! `y`: copies a database or log off a disk that may be bad.
//!
//! The copy grows as `DEST.part` and gets its name when it is whole and durable: a file called `DEST` is never half a copy.
//! What cannot be read in large pieces is read in smaller ones (`reader`); what cannot be read at all ends the copy, or with
//! [`CopyOptions::ignore_errors`] becomes zero and is listed. With [`CopyOptions::resume`] a map (`map`) of what was read lies
//! beside the part file, and a later run goes on; then everything that can be read is read before the run ends.
//!
//! Memory: one chunk of 1 MiB, and what is listed: ranges that cannot be read, runs of bad pages.

mod map;
mod names;
mod prepare;
mod ranges;
mod reader;
mod report;
mod samples;
mod target;
mod verify;
mod work;

use std::path::PathBuf;

use crate::error::Result;
use crate::format::ids::PageSize;
use crate::progress::Progress;
use crate::storage::{Disk, RealDisk};

pub use reader::CHUNK;
pub use report::{CopyOutcome, CopyReport, Kept, PageRun, UnreadRange, Verified};

/// What to copy, and how.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// The file to copy.
    pub source: PathBuf,
    /// The file to make.
    pub dest: PathBuf,
    /// Make zeroes of what cannot be read, and finish the copy all the same.
    pub ignore_errors: bool,
    /// Keep part file and map when the copy does not become whole, and go on where an earlier run ended.
    pub resume: bool,
    /// Judge the checksums of the pages, or of the log's blocks, on the way.
    pub verify: bool,
    /// Replace a destination that exists; without `resume`, also what an earlier run left.
    pub force: bool,
    /// Take this page size instead of the header's.
    pub page_size: Option<PageSize>,
}

/// Copies on the file system of this machine.
///
/// # Errors
/// As [`copy_on`].
pub fn copy_file(options: &CopyOptions, progress: &dyn Progress) -> Result<CopyReport> {
    copy_on(options, &RealDisk, progress)
}

/// Copies on any disk. That bytes cannot be read, or that pages are bad, is in the report.
///
/// When this returns a report with an outcome other than [`CopyOutcome::Incomplete`], the destination is whole and durable,
/// its name included. In all other cases there is no new file under that name, but for one: when the folder cannot be
/// synced after the file got its name. The part file is then removed, or kept with the map if the run can be resumed.
///
/// # Errors
/// [`crate::error::Error::Io`] when a file cannot be opened or made, or the copy not be written or synced;
/// [`crate::error::Error::Copy`] when source and destination are the same, the destination names a folder that is not
/// there, a destination, an earlier run's part file or somebody's file is in the way, the part file belongs to another source
/// or to a run that is under way, the source changes while it is read, or there is nothing to verify in it; [`crate::error::Error::NoDatabaseHeader`] when a database is to be verified whose page size nobody tells.
pub fn copy_on(
    options: &CopyOptions,
    disk: &dyn Disk,
    progress: &dyn Progress,
) -> Result<CopyReport> {
    work::run(options, disk, progress)
}
