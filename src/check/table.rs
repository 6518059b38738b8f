//! Pass 4 and 5 for tables: long values, data, indexes of one table after the other; tables in
//! parallel, and the subtrees of each.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::context::{Context, Subject};
use super::index_plan::{FetchLongValue, Plan};
use super::long_values::LongValues;
use super::owners::Owners;
use super::records::{IndexEntries, Records};
use super::summed::{Kind, Summed};
use super::tree::{self, TreeSpec};
use super::{CheckOptions, TableReport, locate, pages};
use crate::db::catalog::{Index, Schema, Table};
use crate::db::{Database, PageBytes};
use crate::digest::{Content, Tally};
use crate::format::compress;
use crate::format::ids::{Objid, Pgno};
use crate::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot, append_chunk};
use crate::format::page::PageFlags;
use crate::problem::{Finding, Problem};
use crate::tree::walk::seek;

/// Bytes of a long value that an index can use: the longest key, and what a tuple index looks at.
pub(crate) const FETCHED_AT_MOST: usize = 70_000;

/// Checks all tables of the schema, or those that the options name.
pub(super) fn check_all(
    context: &Context<'_>,
    schema: &Schema,
    owners: &Owners,
    options: &CheckOptions,
    cross: bool,
) -> Vec<TableReport> {
    let wanted = |table: &Table| {
        options.tables.is_empty()
            || options
                .tables
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&table.name))
    };
    let tables: Vec<&Table> = schema
        .tables
        .values()
        .filter(|table| table.is_defined() && wanted(table))
        .collect();
    tables
        .into_par_iter()
        .with_max_len(1)
        .map(|table| {
            let with_indexes = cross && !options.skip_indexes;
            TableCheck {
                context,
                schema,
                owners,
                table,
                sums: options.sums,
            }
            .run(with_indexes, cross)
        })
        .collect()
}

struct TableCheck<'a, 'c> {
    context: &'a Context<'c>,
    schema: &'a Schema,
    owners: &'a Owners,
    table: &'a Table,
    sums: bool,
}

/// Reads long values of one table for its indexes.
pub(crate) struct LongValueReader<'a> {
    pub db: &'a Database,
    pub root: Option<Pgno>,
    pub chunk: ChunkSize,
}

impl FetchLongValue for LongValueReader<'_> {
    fn fetch(&self, lid: Lid) -> Option<Vec<u8>> {
        let root = self.root?;
        let mut bytes = PageBytes::new(self.db.page_size());
        let mut key = Vec::new();
        LvKey {
            lid,
            part: LvPart::Root,
        }
        .write(&mut key);
        let (_, page) = seek(self.db, root, &key, &mut bytes).ok()?;
        let node = page.node(page.lower_bound(&key)).ok()?;
        if node.cmp_key_to(&key).is_ne() {
            return None;
        }
        let head = LvRoot::parse(node.data)
            .ok()
            .filter(|head| !head.encrypted)?;
        let mut value = Vec::new();
        let wanted = (head.size as usize).min(FETCHED_AT_MOST);
        while value.len() < wanted {
            let offset = value.len() as u32;
            key.clear();
            LvKey {
                lid,
                part: LvPart::Chunk(offset),
            }
            .write(&mut key);
            let (_, page) = seek(self.db, root, &key, &mut bytes).ok()?;
            let node = page.node(page.lower_bound(&key)).ok()?;
            if node.cmp_key_to(&key).is_ne() || compress::is_scrubbed(node.data) {
                return None;
            }
            let expected = head.chunk_len(offset, self.chunk)?;
            append_chunk(node.data, expected, &mut value).ok()?;
        }
        Some(value)
    }
}

impl TableCheck<'_, '_> {
    fn run(&self, with_indexes: bool, cross: bool) -> TableReport {
        let (db, table) = (self.context.db, self.table);
        let subject = Subject {
            table: Some(&table.name),
            index: None,
            objid: table.objid,
        };
        let mut report = TableReport {
            name: table.name.clone(),
            objid: table.objid.get(),
            ..TableReport::default()
        };
        if self.is_being_deleted() {
            return report;
        }
        pages::space_trees(self.context, self.owners, subject, table.root, 0);
        let chunk = ChunkSize::new(db.page_size(), table.lv_chunk_max);
        let long_values = self.long_values(chunk, &mut report);
        let plan = Plan::new(self.schema, table, db.page_size(), db.header().update_major);
        let records = Records {
            context: self.context,
            subject,
            limits: self.schema.limits(table),
            has_long_values: table.long_values.is_some(),
            plan: &plan,
            fetch: LongValueReader {
                db,
                root: table.long_values.map(|lv| lv.root),
                chunk,
            },
            count: AtomicU64::new(0),
            references: Tally::default(),
            expected: plan.secondary.iter().map(|_| Tally::default()).collect(),
            incomplete: AtomicU64::new(0),
            with_indexes,
        };
        let spec = TreeSpec {
            subject,
            root: table.root,
            kind: 0,
            non_unique: false,
        };
        let content = if self.sums {
            Content::new(self.schema, table)
        } else {
            Content::default()
        };
        let summed = Summed::new(&records, Kind::Records(&content), self.sums);
        let data_whole = tree::check(self.context, self.owners, &spec, &summed).whole;
        self.note(table.objid, &summed, &mut report);
        report.records = records.count.load(Ordering::Relaxed);
        if let Some((values, whole)) = &long_values {
            report.long_values = values.count.load(Ordering::Relaxed);
            if cross && *whole && data_whole && values.references.sum() != records.references.sum()
            {
                locate::long_values(self.context, subject, table, &self.schema.limits(table));
            }
        }
        for (planned, tally) in plan.secondary.iter().zip(&records.expected) {
            let index = &table.indexes[planned.number];
            let (entries, index_whole) = self.index(index, planned.comparable, &mut report);
            report.index_entries += entries.count.load(Ordering::Relaxed);
            if with_indexes && data_whole && index_whole {
                let incomplete = records.incomplete.load(Ordering::Relaxed) > 0;
                self.compare(
                    &plan,
                    planned,
                    index,
                    &entries,
                    tally,
                    incomplete,
                    &mut report,
                );
            }
        }
        report
    }

    /// A table whose deletion was under way is no longer looked at. [engine]
    fn is_being_deleted(&self) -> bool {
        let mut bytes = PageBytes::new(self.context.db.page_size());
        let page = self.context.db.read(self.table.root, &mut bytes);
        page.is_ok_and(|page| page.flags().any(PageFlags::FDP_DELETE))
    }

    /// Keeps what a tree holds.
    fn note<L>(&self, objid: Objid, summed: &Summed<'_, L>, report: &mut TableReport) {
        if self.sums {
            report.sums.push((objid, summed.found.sum()));
        }
    }

    fn long_values(
        &self,
        chunk: ChunkSize,
        report: &mut TableReport,
    ) -> Option<(LongValues<'_, '_>, bool)> {
        let lv = self.table.long_values?;
        let subject = Subject {
            table: Some(&self.table.name),
            index: None,
            objid: lv.objid,
        };
        let kind = PageFlags::LONG_VALUE;
        pages::space_trees(self.context, self.owners, subject, lv.root, kind);
        let values = LongValues {
            context: self.context,
            subject,
            chunk,
            count: AtomicU64::new(0),
            references: Tally::default(),
        };
        let spec = TreeSpec {
            subject,
            root: lv.root,
            kind,
            non_unique: false,
        };
        let summed = Summed::new(&values, Kind::LongValues, self.sums);
        let checked = tree::check(self.context, self.owners, &spec, &summed);
        self.note(lv.objid, &summed, report);
        if checked.whole {
            values.finish(checked.edge);
        }
        Some((values, checked.whole))
    }

    fn index(
        &self,
        index: &Index,
        comparable: super::index_plan::Comparable,
        report: &mut TableReport,
    ) -> (IndexEntries, bool) {
        let subject = Subject {
            table: Some(&self.table.name),
            index: Some(&index.name),
            objid: index.objid,
        };
        let kind = PageFlags::INDEX;
        let non_unique = index.flags & crate::format::schema::index_flags::UNIQUE == 0;
        pages::space_trees(self.context, self.owners, subject, index.root, kind);
        let entries = IndexEntries::new(comparable);
        let spec = TreeSpec {
            subject,
            root: index.root,
            kind,
            non_unique,
        };
        let summed = Summed::new(&entries, Kind::Entries, self.sums);
        let whole = tree::check(self.context, self.owners, &spec, &summed).whole;
        self.note(index.objid, &summed, report);
        (entries, whole)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call, all of it from the caller's locals"
    )]
    fn compare(
        &self,
        plan: &Plan,
        planned: &super::index_plan::PlannedIndex,
        index: &Index,
        entries: &IndexEntries,
        expected: &Tally,
        incomplete: bool,
        report: &mut TableReport,
    ) {
        use super::index_plan::Comparable;
        let subject = Subject {
            table: Some(&self.table.name),
            index: Some(&index.name),
            objid: index.objid,
        };
        match planned.comparable {
            Comparable::Keys => report.indexes_compared += 1,
            Comparable::Bookmarks | Comparable::Existence => {
                report.indexes_not_recomputed += 1;
                let place = subject.page(index.root);
                self.context
                    .report(Finding::new(Problem::IndexNotRecomputed, place));
            }
            Comparable::Nothing => {}
        }
        if planned.comparable == Comparable::Existence {
            let bookmarks = std::mem::take(
                &mut *entries
                    .bookmarks
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
            );
            return locate::bookmarks(self.context, subject, self.table, &bookmarks);
        }
        if planned.comparable == Comparable::Nothing || expected.sum() == entries.found.sum() {
            return;
        }
        if incomplete {
            // Some long value could not be read, which is reported; what is missing here follows.
            let place = subject.page(index.root);
            self.context
                .report(Finding::new(Problem::IndexNotRecomputed, place));
            return;
        }
        let fetch = LongValueReader {
            db: self.context.db,
            root: self.table.long_values.map(|lv| lv.root),
            chunk: ChunkSize::new(self.context.db.page_size(), self.table.lv_chunk_max),
        };
        locate::index(self.context, subject, self.table, plan, planned, &fetch);
    }
}
