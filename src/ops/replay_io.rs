//! The pages that the records of a log change or read, and what input and output a replay would need for them.
//! The model is the engine's, which `ml` prints. [engine source; equal on 100 dumps]

use serde::Serialize;

use super::engine_sort::sort;
use crate::format::ids::Pgno;
use crate::format::logrec::{DbId, EmptyTreeEntry, NodeHead, PageHead, Record};

/// More references than this are counted, but not kept: 32 MiB. A log of 1 MiB has some 10,000.
const KEPT: usize = 4 << 20;
/// Bytes that one read or write may have, and that may lie between two pages of one read.
const RUN_BYTES: u64 = 512 * 1024;

/// The page is read.
const READ: u64 = 1;
/// The page is written.
const WRITE: u64 = 2;

/// Page numbers are ordered as signed numbers: the last page of a scan is called -2, and comes first. [verified]
const SIGN: u32 = 1 << 31;

/// References in the order of the log.
#[derive(Debug, Clone, Default)]
pub struct PageRefs {
    /// Database, page, then two bits: ordered by database and page without them.
    kept: Vec<u64>,
    count: u64,
}

/// What a replay has to read and write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct IoCounts {
    /// References to pages.
    pub references: u64,
    /// Different pages.
    pub pages: u64,
    /// Reads.
    pub reads: u64,
    /// Pages that these take in, those between two wanted ones included.
    pub pages_read: u64,
    /// Writes.
    pub writes: u64,
    /// Pages that these write.
    pub pages_written: u64,
}

/// The counts of one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DatabaseIo {
    /// Its id in the records.
    pub dbid: DbId,
    /// The counts.
    #[serde(flatten)]
    pub counts: IoCounts,
}

/// The counts of every database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IoModel {
    /// Databases with references, in order.
    pub databases: Vec<DatabaseIo>,
    /// The sum.
    pub total: IoCounts,
}

impl PageRefs {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Forgets all; the memory stays.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.count = 0;
    }

    fn push(&mut self, dbid: DbId, pgno: Pgno, how: u64) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept
                .push(u64::from(dbid.0) << 34 | u64::from(pgno.get() ^ SIGN) << 2 | how);
        }
    }

    fn each(&mut self, dbid: DbId, pages: &[(Pgno, u64)]) {
        for (pgno, how) in pages.iter().filter(|(pgno, _)| !pgno.is_null()) {
            self.push(dbid, *pgno, *how);
        }
    }

    fn node(&mut self, head: &PageHead) {
        self.push(head.dbid, head.pgno, READ | WRITE);
    }

    /// Notes the pages of one record.
    pub fn add(&mut self, record: &Record<'_>) {
        const BOTH: u64 = READ | WRITE;
        match record {
            Record::Insert(NodeHead { page, .. }, ..)
            | Record::FlagInsert(NodeHead { page, .. }, ..)
            | Record::FlagInsertAndReplaceData(NodeHead { page, .. }, ..)
            | Record::FlagDelete(NodeHead { page, .. })
            | Record::Replace(NodeHead { page, .. }, _)
            | Record::Delete(NodeHead { page, .. })
            | Record::Delta(NodeHead { page, .. }, _)
            | Record::SetExternalHeader(NodeHead { page, .. }, _)
            | Record::Undo(NodeHead { page, .. }, _)
            | Record::Scrub(NodeHead { page, .. }, _) => self.node(page),
            Record::Split(head, split) => self.each(
                head.dbid,
                &[
                    (head.pgno, BOTH),
                    (split.new, WRITE),
                    (split.parent, BOTH),
                    (split.right, BOTH),
                ],
            ),
            Record::Merge(head, merge) => self.each(
                head.dbid,
                &[
                    (head.pgno, BOTH),
                    (merge.right, BOTH),
                    (merge.left, BOTH),
                    (merge.parent, BOTH),
                ],
            ),
            Record::CreateFdp(head, trees) if trees.oe.is_null() => {
                self.push(head.dbid, head.pgno, WRITE);
            }
            Record::CreateFdp(head, trees) | Record::ConvertFdp(head, trees) => {
                self.node(head);
                self.push(head.dbid, trees.oe, WRITE);
                self.push(head.dbid, trees.ae, WRITE);
            }
            Record::EmptyTree(head, list) => {
                for entry in EmptyTreeEntry::all(list) {
                    self.push(head.page.dbid, entry.pgno, BOTH);
                }
            }
            Record::PageMove(head, moved) => self.each(
                head.dbid,
                &[
                    (head.pgno, BOTH),
                    (moved.dest, WRITE),
                    (moved.parent, BOTH),
                    (moved.left, BOTH),
                    (moved.right, BOTH),
                ],
            ),
            Record::ScanCheck(scan) => self.push(scan.dbid, scan.pgno, READ),
            Record::NewPage(new) => self.push(new.dbid, new.pgno, WRITE),
            Record::ExtentFreed(freed) => self.extent(freed.dbid, freed.first, freed.pages),
            _ => {}
        }
    }

    /// All pages of an extent; those that would not be kept are counted at once.
    fn extent(&mut self, dbid: DbId, first: Pgno, pages: u32) {
        let kept = u64::from(pages).min((KEPT - self.kept.len()) as u64);
        for page in 0..kept {
            let pgno = first.get().wrapping_add(page as u32);
            self.push(dbid, Pgno::new(pgno), READ);
        }
        self.count += u64::from(pages) - kept;
    }

    /// What a replay has to do for them in a database with pages of `page_bytes`; `None` when there are more
    /// references than are kept. Sorts them.
    pub fn model(&mut self, page_bytes: u32) -> Option<IoModel> {
        if self.count > self.kept.len() as u64 {
            return None;
        }
        sort(&mut self.kept, |it| it >> 2);
        let most_pages = RUN_BYTES / u64::from(page_bytes.max(1));
        let mut found = IoModel::default();
        let mut last = None;
        let mut reads = Run::new(most_pages, most_pages);
        let mut writes = Run::new(most_pages, 0);
        for it in &self.kept {
            let (dbid, pgno) = ((it >> 34) as u8, (it >> 2) as u32 ^ SIGN);
            if found
                .databases
                .last()
                .is_none_or(|found| found.dbid.0 != dbid)
            {
                let (dbid, counts) = (DbId(dbid), IoCounts::default());
                found.databases.push(DatabaseIo { dbid, counts });
                (reads.last, writes.last) = (None, None);
            }
            let Some(DatabaseIo { counts, .. }) = found.databases.last_mut() else {
                continue;
            };
            counts.references += 1;
            if last == Some(it >> 2) {
                continue;
            }
            last = Some(it >> 2);
            counts.pages += 1;
            if it & READ != 0 {
                reads.take(pgno, &mut counts.reads, &mut counts.pages_read);
            }
            if it & WRITE != 0 {
                writes.take(pgno, &mut counts.writes, &mut counts.pages_written);
            }
        }
        for DatabaseIo { counts, .. } in &found.databases {
            let total = &mut found.total;
            total.references += counts.references;
            total.pages += counts.pages;
            total.reads += counts.reads;
            total.pages_read += counts.pages_read;
            total.writes += counts.writes;
            total.pages_written += counts.pages_written;
        }
        Some(found)
    }
}

/// Pages put together to one read or write.
struct Run {
    most_pages: u64,
    gap: u64,
    start: u32,
    last: Option<u32>,
}

impl Run {
    const fn new(most_pages: u64, gap: u64) -> Self {
        Self {
            most_pages,
            gap,
            start: 0,
            last: None,
        }
    }

    /// Adds the next page in order.
    fn take(&mut self, pgno: u32, operations: &mut u64, pages: &mut u64) {
        let length = u64::from(pgno.wrapping_sub(self.start)) + 1;
        let step = self.last.map(|last| u64::from(pgno.wrapping_sub(last)));
        match step {
            Some(step) if step <= self.gap + 1 && length <= self.most_pages => *pages += step,
            _ => {
                self.start = pgno;
                *operations += 1;
                *pages += 1;
            }
        }
        self.last = Some(pgno);
    }
}

#[cfg(test)]
mod tests {
    use super::{PageRefs, READ, WRITE};
    use crate::format::ids::Pgno;
    use crate::format::logrec::DbId;

    #[test]
    fn near_pages_are_read_at_once_and_written_one_run_each() {
        let mut refs = PageRefs::default();
        for (pgno, how) in [
            (9, READ | WRITE),
            (1, READ | WRITE),
            (2, WRITE),
            (2, READ),
            (200, READ),
        ] {
            refs.push(DbId(1), Pgno::new(pgno), how);
        }
        let model = refs.model(4096).unwrap();
        let counts = model.total;
        assert_eq!((counts.references, counts.pages), (5, 4));
        // 1 and 9 with what lies between; 200 is too far. Page 2 is new: the first reference counts.
        assert_eq!((counts.reads, counts.pages_read), (2, 10));
        assert_eq!((counts.writes, counts.pages_written), (2, 3));
        assert_eq!(model.databases.len(), 1);
    }

    #[test]
    fn a_hostile_extent_is_counted_only() {
        let mut refs = PageRefs::default();
        refs.extent(DbId(1), Pgno::new(5), u32::MAX);
        refs.extent(DbId(1), Pgno::new(5), u32::MAX);
        assert_eq!(refs.count(), 2 * u64::from(u32::MAX));
        assert_eq!(refs.model(4096), None);
    }
}
