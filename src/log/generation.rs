//! One generation in memory, mended as recovery mends it, ready to be read record by record.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::format::ids::Generation;
use crate::format::stamp::Lgpos;
use crate::storage::{FileStorage, Storage};

use super::records::RecordReader;
use super::verify::{BlockScan, HeaderFault, ReadHeader, check_head};
use super::{legacy, segments};

/// The bytes of a log that hold records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// First byte of the first record.
    pub start: usize,
    /// Behind the last good byte.
    pub end: usize,
    /// Old format: stretches that a later run of the engine gave up; their bytes look like records and are none.
    pub dead: Vec<(usize, usize)>,
}

/// A log file read whole: at most 65,535 sectors of 4096 bytes.
#[derive(Debug, Clone)]
pub struct LoadedLog {
    /// The file.
    pub path: PathBuf,
    /// Its header.
    pub head: ReadHeader,
    /// Its content. What a torn write left is replaced by the shadow copy, single wrong bits are mended.
    pub bytes: Vec<u8>,
    /// What was found.
    pub scan: BlockScan,
    /// Where the records are.
    pub extent: Extent,
}

impl LoadedLog {
    /// Reads a log and judges header, size, version and blocks. Damage of blocks is in [`LoadedLog::scan`]; the
    /// records before it can be read.
    ///
    /// # Errors
    /// [`HeaderFault`] when the header cannot be used.
    pub fn load(path: &Path) -> Result<Self, HeaderFault> {
        let file = FileStorage::open(path).map_err(|error| match error {
            Error::Io { source, .. } => source,
            other => std::io::Error::other(other.to_string()),
        })?;
        Self::from_storage(&file, path)
    }

    /// The same from any storage.
    ///
    /// # Errors
    /// [`HeaderFault`] when the header cannot be used.
    pub fn from_storage(storage: &dyn Storage, path: &Path) -> Result<Self, HeaderFault> {
        let head = check_head(storage)?;
        let mut bytes = vec![0; usize::try_from(storage.len()?).unwrap_or(usize::MAX)];
        storage.read_exact_at(0, &mut bytes)?;
        let (scan, extent) = if head.header.is_old_format() {
            legacy::scan_bytes(&mut bytes, &head.header)
        } else {
            segments::scan_bytes(&mut bytes, &head.header)
        };
        Ok(Self {
            path: path.to_owned(),
            head,
            bytes,
            scan,
            extent,
        })
    }

    /// Its number.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.head.header.generation
    }

    /// Its records from the first on.
    #[must_use]
    pub fn records(&self) -> RecordReader<'_> {
        RecordReader::new(self)
    }

    /// Its records from a position on, or from the first.
    #[must_use]
    pub fn records_from(&self, position: Option<Lgpos>) -> RecordReader<'_> {
        let reader = self.records();
        match position {
            Some(position) => reader.from(position),
            None => reader,
        }
    }

    /// Position of a byte of the file; the first record of a segment has byte 0. [log notes 4.1]
    #[must_use]
    pub fn position(&self, offset: usize) -> Lgpos {
        let sector = usize::from(self.head.header.sector_size).max(1);
        let (isec, ib) = (offset / sector, offset % sector);
        let ib = if !self.head.header.is_old_format() && ib == segments::DATA {
            0
        } else {
            ib
        };
        Lgpos::new(self.generation(), isec as u16, ib as u16)
    }

    /// Offset of a position, the inverse of [`LoadedLog::position`].
    #[must_use]
    pub fn offset(&self, position: Lgpos) -> usize {
        let sector = usize::from(self.head.header.sector_size);
        let ib = usize::from(position.ib);
        let ib = if !self.head.header.is_old_format() && ib == 0 {
            segments::DATA
        } else {
            ib
        };
        usize::from(position.isec) * sector + ib
    }
}
