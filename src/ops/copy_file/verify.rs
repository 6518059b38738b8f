//! The checksums of pages as they pass.

use super::map::CopyMap;
use super::report::Verified;
use crate::format::filekind::FileKind;
use crate::format::ids::{HEADER_PAGES, PageSize};
use crate::ops::checksum::{Outcome, judge};

/// Judges pages; they come in order.
pub struct Verifier {
    size: PageSize,
    /// Pages in the file.
    total: u64,
    /// Pages that have a checksum: of a streaming file only the headers.
    judged: u64,
    found: Outcome,
}

impl Verifier {
    /// For a file of so many bytes.
    pub fn new(kind: FileKind, size: PageSize, bytes: u64) -> Self {
        let total = bytes / size.bytes() as u64;
        let judged = match kind {
            FileKind::Streaming { .. } => total.min(HEADER_PAGES),
            _ => total,
        };
        Self {
            size,
            total,
            judged,
            found: Outcome::default(),
        }
    }

    /// Judges the whole pages of a chunk, which begins where a page does, but for those with bytes that could not be
    /// read.
    pub fn chunk(&mut self, offset: u64, bytes: &[u8], map: &CopyMap) {
        let size = self.size.bytes() as u64;
        let pages = bytes.chunks_exact(size as usize);
        for (physical, page) in (offset / size..self.judged).zip(pages) {
            if !map.bad.touches(&(physical * size..(physical + 1) * size)) {
                judge(&mut self.found, page, self.size, physical, self.total);
            }
        }
    }

    /// What was found.
    pub fn finish(mut self) -> Verified {
        self.found.settle();
        Verified {
            counts: self.found.counts,
            bad_pages: self.found.runs,
            runs_not_listed: self.found.runs_not_listed,
        }
    }
}
