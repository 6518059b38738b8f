//! What can be mended where it stands: single wrong bits, and one copy of the header from the other.

use std::path::PathBuf;

use super::open::Opened;
use crate::check::CheckReport;
use crate::db::PageBytes;
use crate::error::{Result, Trouble};
use crate::format::ids::Pgno;
use crate::ops::committing::commit;
use crate::ops::replace::Place;
use crate::problem::Problem;
use crate::progress::Progress;
use crate::undo::{Applier, UndoWriter};

/// What there is to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mended {
    /// Pages with one wrong bit, in order.
    pub pages: Vec<Pgno>,
    /// One copy of the header is bad.
    pub header: bool,
}

/// Looks for it in what the check found.
pub(super) fn find(opened: &Opened, check: &CheckReport) -> Mended {
    let correctable = check
        .findings
        .iter()
        .filter(|finding| finding.problem == Problem::PageCorrectable);
    let mut pages: Vec<Pgno> = correctable
        .filter_map(|finding| finding.place.page)
        .collect();
    pages.sort_unstable();
    pages.dedup();
    Mended {
        pages,
        header: opened.header_copy().is_some(),
    }
}

impl Mended {
    /// True when there is none.
    pub fn is_nothing(&self) -> bool {
        self.pages.is_empty() && !self.header
    }

    /// Mends it; gives the undo file back, if it is kept.
    pub fn write<'d>(
        &self,
        opened: &Opened,
        place: &Place<'_>,
        mut writer: UndoWriter<'d>,
        (keep, progress): (bool, &dyn Progress),
    ) -> Result<Option<PathBuf>> {
        let path = place.database();
        self.each(opened, &mut |offset, bytes| {
            writer.save_range(path, offset, bytes)
        })?;
        commit(writer, keep, progress, |applier: &mut Applier<'_>| {
            self.each(opened, &mut |offset, bytes| {
                applier.write_range(path, offset, bytes)
            })
        })
    }

    /// Shows what is to be written where.
    fn each(&self, opened: &Opened, show: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let db = &opened.db;
        if let Some((offset, bytes)) = opened.header_copy() {
            show(offset, bytes)?;
        }
        let mut bytes = PageBytes::new(db.page_size());
        for pgno in &self.pages {
            db.read(*pgno, &mut bytes).map_err(|error| {
                Trouble::new(error.jet(), format!("page {pgno}: {error}")).of(db.path())
            })?;
            show(pgno.offset(db.page_size()), bytes.bytes())?;
        }
        Ok(())
    }
}
