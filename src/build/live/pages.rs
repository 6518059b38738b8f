//! Two images of every page: as it is in memory, and as it is on disk.

use std::collections::BTreeMap;

use super::LiveError;
use crate::format::checksum;
use crate::format::ids::{PageSize, Pgno};
use crate::format::page::{Page, PageMut};

/// From this revision on pages say how many tags are reserved. [engine]
const COUNTS_RESERVED_SINCE: u32 = 270;

/// What is known of a page that was changed. Numbers are those of log records.
#[derive(Debug, Clone, Default)]
pub(super) struct Dirt {
    /// The first change that is not on disk.
    pub first: Option<usize>,
    /// The last record that must be on disk before the page may be.
    pub last: usize,
    /// The last record that the page on disk has.
    pub on_disk: Option<usize>,
    /// Pages that must be on disk, with this record, before this one.
    pub needs: Vec<(Pgno, usize)>,
}

/// All pages.
pub(super) struct Pages {
    pub size: PageSize,
    counts_reserved: bool,
    current: Vec<u8>,
    disk: Vec<u8>,
    dirt: BTreeMap<Pgno, Dirt>,
}

impl Pages {
    pub fn new(file: Vec<u8>, size: PageSize, update_major: u32) -> Self {
        Self {
            size,
            counts_reserved: update_major >= COUNTS_RESERVED_SINCE,
            disk: file.clone(),
            current: file,
            dirt: BTreeMap::new(),
        }
    }

    fn range(&self, pgno: Pgno) -> Result<std::ops::Range<usize>, LiveError> {
        let start = usize::try_from(pgno.offset(self.size)).unwrap_or(usize::MAX);
        let end = start.saturating_add(self.size.bytes());
        if pgno.is_null() || end > self.current.len() {
            return Err(LiveError::Contradiction("a page beyond the file"));
        }
        Ok(start..end)
    }

    /// A page in memory.
    pub fn view(&self, pgno: Pgno) -> Result<Page<'_>, LiveError> {
        let range = self.range(pgno)?;
        Page::new(&self.current[range], self.size).ok_or(LiveError::Contradiction("page size"))
    }

    /// A page in memory, to be changed.
    pub fn edit(&mut self, pgno: Pgno) -> Result<PageMut<'_>, LiveError> {
        let range = self.range(pgno)?;
        let reserved = self.counts_reserved;
        PageMut::new(&mut self.current[range], self.size)
            .map(|page| page.counting_reserved(reserved))
            .ok_or(LiveError::Contradiction("page size"))
    }

    /// Records `first` to `last` changed the page.
    pub fn changed(&mut self, pgno: Pgno, first: usize, last: usize) {
        let dirt = self.dirt.entry(pgno).or_default();
        dirt.first = Some(dirt.first.map_or(first, |before| before.min(first)));
        dirt.last = last;
    }

    /// A dirty page must not reach the disk before `record` has.
    pub fn wait_for(&mut self, pgno: Pgno, record: usize) {
        if let Some(dirt) = self.dirt.get_mut(&pgno).filter(|dirt| dirt.first.is_some()) {
            dirt.last = dirt.last.max(record);
        }
    }

    /// `page` must not reach the disk before `other` has record `record` there.
    pub fn depend(&mut self, page: Pgno, other: Pgno, record: usize) {
        let dirt = self.dirt.entry(page).or_default();
        dirt.needs.push((other, record));
    }

    /// True when another page may reach the disk only after changes of this one that are not there yet.
    pub fn is_awaited(&self, pgno: Pgno) -> bool {
        let on_disk = self.dirt.get(&pgno).and_then(|dirt| dirt.on_disk);
        let needs = self.dirt.values().flat_map(|dirt| &dirt.needs);
        needs.into_iter().any(|(other, record)| {
            *other == pgno && on_disk.is_none_or(|on_disk| on_disk < *record)
        })
    }

    pub fn dirt(&self, pgno: Pgno) -> Option<&Dirt> {
        self.dirt.get(&pgno)
    }

    /// Pages whose last change is not on disk.
    pub fn dirty(&self) -> Vec<Pgno> {
        let dirty = self.dirt.iter().filter(|(_, dirt)| dirt.first.is_some());
        dirty.map(|(pgno, _)| *pgno).collect()
    }

    /// The first record that some page on disk does not have.
    pub fn oldest(&self) -> Option<usize> {
        self.dirt.values().filter_map(|dirt| dirt.first).min()
    }

    /// Copies a page to the disk; what must be there before it is the caller's business.
    pub fn write(&mut self, pgno: Pgno) -> Result<(), LiveError> {
        let range = self.range(pgno)?;
        let page = &mut self.disk[range.clone()];
        page.copy_from_slice(&self.current[range]);
        checksum::seal(page, self.size, pgno);
        if let Some(dirt) = self.dirt.get_mut(&pgno) {
            dirt.first = None;
            dirt.on_disk = Some(dirt.last);
            dirt.needs.clear();
        }
        Ok(())
    }

    /// The file on disk.
    pub fn disk(&self) -> &[u8] {
        &self.disk
    }
}
