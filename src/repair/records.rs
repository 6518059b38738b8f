//! The records of a damaged table, one by one: which are kept, and what becomes of them.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use super::Shared;
use super::amend::{Amended, Amending};
use super::fetch::Fetch;
use super::indexes::{Before, IndexWork, Row};
use super::long_values::{Census, References};
use super::report::{DroppedRecord, KeyBytes, LostValue, NotAmended, TableRepair};
use super::table::Show;
use crate::check::index_plan::{Comparable, Plan, RowView};
use crate::db::catalog::Table;
use crate::format::ids::Pgno;
use crate::format::keys::{KeyEnd, NoSortKeys};
use crate::format::lv::Lid;
use crate::format::record::convert::to_new;
use crate::format::record::edit::{LostValue as LostInstance, without_separated};
use crate::format::record::{CatalogLimits, ColumnChange, Record, RecordFault, RecordLayout};
use crate::rebuild::Node;
use crate::salvage::SalvagedNode;

/// Records of one table that are put where they belong; more are left out. They are held in memory.
const STRAYS_MOST: usize = 10_000;

/// A record whose node has another key than its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stray {
    data: Vec<u8>,
    page: Pgno,
}

/// Such records by the keys that they should have.
pub(super) type Strays = BTreeMap<Vec<u8>, Stray>;

/// A record before it was changed, and the changes.
struct Former<'f> {
    data: &'f [u8],
    changes: &'f [ColumnChange],
}

/// Memory that is used again for each record.
#[derive(Default)]
pub(super) struct Buffers {
    edited: Vec<u8>,
    converted: Vec<u8>,
    key: Vec<u8>,
}

/// Decides about records, and does what follows for indexes and counts.
pub(super) struct Keeper<'k> {
    pub shared: &'k Shared<'k>,
    pub table: &'k Table,
    pub layout: RecordLayout,
    pub limits: CatalogLimits,
    pub plan: &'k Plan,
    pub fetch: &'k Fetch<'k>,
    pub census: Option<&'k Census>,
    pub references: &'k mut References,
    pub indexes: &'k mut [IndexWork],
    pub report: &'k mut TableRepair,
    /// Records that are to be put elsewhere in the next round.
    pub learned: Strays,
    /// Some are of a newer layout than the table's root.
    pub is_newer: bool,
    /// Rows that are to be changed.
    pub amending: Option<Amending<'k>>,
    pub failed: io::Result<()>,
    pub buffers: Buffers,
}

impl Keeper<'_> {
    /// Shows the record of a node, if it is kept.
    pub fn node(&mut self, node: &SalvagedNode<'_>, show: &mut Show<'_>) -> ControlFlow<()> {
        if node.layout == self.layout {
            return self.amended((node.key, node.page), node.data, show);
        }
        if node.layout != RecordLayout::Old {
            // The next round writes all records in that layout.
            self.is_newer = true;
            return ControlFlow::Continue(());
        }
        let mut converted = std::mem::take(&mut self.buffers.converted);
        converted.clear();
        let size = self.shared.db.page_size();
        let shown = match to_new(node.data, size, &mut converted) {
            Ok(()) => self.amended((node.key, node.page), &converted, show),
            Err(error) => self.drop_it((node.key, node.page), error.to_string()),
        };
        self.buffers.converted = converted;
        shown
    }

    /// Shows a record where its values belong.
    pub fn stray(&mut self, key: &[u8], stray: &Stray, show: &mut Show<'_>) -> ControlFlow<()> {
        // What was to be changed in it was changed where it was found.
        self.record((key, stray.page), &stray.data, None, show)
    }

    /// Another record is where this one belongs.
    pub fn taken(&mut self, key: &[u8], stray: &Stray) {
        let why = "its values are not those of its key, and another record has the right one";
        let _ = self.drop_it((key, stray.page), why.to_owned());
    }

    /// A record as it is to be from now on.
    fn amended(
        &mut self,
        place: (&[u8], Pgno),
        data: &[u8],
        show: &mut Show<'_>,
    ) -> ControlFlow<()> {
        let Some(mut amending) = self.amending.take() else {
            return self.record(place, data, None, show);
        };
        let shown = match amending.apply(place.0, data, self.layout) {
            Amended::Same => self.record(place, data, None, show),
            Amended::Dropped => {
                self.report.removed += 1;
                ControlFlow::Continue(())
            }
            Amended::Changed(changes) => {
                let kept = self.report.records;
                let former = Former { data, changes };
                let shown = self.record(place, amending.record(), Some(&former), show);
                self.report.amended += self.report.records - kept;
                shown
            }
            Amended::Impossible(why) => {
                self.report.not_amended.push(NotAmended {
                    key: KeyBytes(place.0.to_vec()),
                    why,
                });
                self.record(place, data, None, show)
            }
        };
        self.amending = Some(amending);
        shown
    }

    fn drop_it(&mut self, (key, page): (&[u8], Pgno), why: String) -> ControlFlow<()> {
        self.report.dropped.push(DroppedRecord {
            key: KeyBytes(key.to_vec()),
            page,
            why,
        });
        ControlFlow::Continue(())
    }

    fn is_lost(&self, lid: Lid) -> bool {
        self.census.is_none_or(|census| !census.has(lid))
    }

    /// Whether a record can be kept, and refers to a long value that is lost.
    fn judge(&self, key: &[u8], data: &[u8]) -> Result<bool, String> {
        let losers = self.shared.known.losers.get(&self.table.objid);
        if losers.is_some_and(|losers| losers.contains(key)) {
            return Err("another record has its key in a unique index".to_owned());
        }
        let record = Record::with_layout(data, self.layout).map_err(|fault| fault.to_string())?;
        record
            .check(self.limits)
            .map_err(|fault| fault.to_string())?;
        Ok(record
            .separated()
            .any(|separated| self.is_lost(separated.lid)))
    }

    fn record(
        &mut self,
        place: (&[u8], Pgno),
        data: &[u8],
        former: Option<&Former<'_>>,
        show: &mut Show<'_>,
    ) -> ControlFlow<()> {
        match self.judge(place.0, data) {
            Err(why) => self.drop_it(place, why),
            Ok(false) => self.whole(place, data, former, show),
            Ok(true) if self.shared.options.drop_incomplete => {
                self.drop_it(place, "it refers to a long value that is lost".to_owned())
            }
            Ok(true) => {
                let mut edited = std::mem::take(&mut self.buffers.edited);
                edited.clear();
                let is_lost = |lid| self.is_lost(lid);
                let lost = without_separated(data, self.layout, &is_lost, &mut edited);
                let shown = match lost {
                    Ok(lost) => {
                        let before = self.report.records;
                        let shown = self.whole(place, &edited, former, show);
                        if self.report.records > before {
                            lost.iter().for_each(|value| self.lose(place.0, value));
                        }
                        shown
                    }
                    Err(fault) => self.drop_it(place, fault.to_string()),
                };
                self.buffers.edited = edited;
                shown
            }
        }
    }

    /// What the report says of a value that is lost.
    fn lose(&mut self, key: &[u8], lost: &LostInstance) {
        let column = self
            .shared
            .schema
            .column(self.table, lost.fid, lost.derived);
        self.report.lost_values.push(LostValue {
            key: KeyBytes(key.to_vec()),
            column: column.map_or_else(|| lost.fid.to_string(), |column| column.name.clone()),
            instance: lost.instance,
            lid: lost.lid.get(),
        });
    }

    /// A record all of whose references can be kept.
    fn whole(
        &mut self,
        (key, page): (&[u8], Pgno),
        data: &[u8],
        former: Option<&Former<'_>>,
        show: &mut Show<'_>,
    ) -> ControlFlow<()> {
        let Ok(record) = Record::with_layout(data, self.layout) else {
            return self.drop_it((key, page), "it cannot be read".to_owned());
        };
        let plan = self.plan;
        if !plan.slots.is_empty() {
            let mut view = RowView::new(plan);
            // An index that needs a value that cannot be had is told so by the view.
            if let Err(fault) = view.load(&record, self.fetch) {
                return self.drop_it((key, page), fault.to_string());
            }
            match key_of(plan, &view, &mut self.buffers.key) {
                Key::Computed if self.buffers.key != key => return self.astray((key, page), data),
                Key::Impossible(why) => return self.drop_it((key, page), why),
                Key::Computed | Key::Unknown => {}
            }
            let old = match former.map(|former| self.view_of(former)).transpose() {
                Ok(old) => old,
                Err(fault) => return self.drop_it((key, page), fault.to_string()),
            };
            let row = Row {
                bookmark: key,
                data,
                view: &view,
                before: old.as_ref().zip(former).map(|(view, former)| Before {
                    view,
                    changes: former.changes,
                }),
            };
            for index in self.indexes.iter_mut() {
                self.failed = index.record(plan, &row);
                if self.failed.is_err() {
                    return ControlFlow::Break(());
                }
            }
        }
        for separated in record.separated() {
            self.references.add(separated.lid);
        }
        self.report.records += 1;
        show(Node { key, data })
    }

    /// How a row was that has been changed.
    fn view_of<'r>(&self, former: &Former<'r>) -> Result<RowView<'r, 'r>, RecordFault>
    where
        Self: 'r,
    {
        let mut view = RowView::new(self.plan);
        let record = Record::with_layout(former.data, self.layout)?;
        view.load(&record, self.fetch)?;
        Ok(view)
    }

    /// The next round puts it where it belongs, unless it was there already.
    fn astray(&mut self, place: (&[u8], Pgno), data: &[u8]) -> ControlFlow<()> {
        let known = self.shared.known.strays.get(&self.table.objid);
        let right = &self.buffers.key;
        if known.is_some_and(|known| known.contains_key(right)) {
            return ControlFlow::Continue(());
        }
        let full = self.learned.len() + known.map_or(0, BTreeMap::len) >= STRAYS_MOST;
        if full || self.learned.contains_key(right) {
            return self.drop_it(place, "its values are not those of its key".to_owned());
        }
        let stray = Stray {
            data: data.to_vec(),
            page: place.1,
        };
        self.learned.insert(right.clone(), stray);
        ControlFlow::Continue(())
    }
}

/// What the values of a record say about its key.
enum Key {
    /// It is in the buffer.
    Computed,
    /// There is no telling.
    Unknown,
    /// They cannot make a key.
    Impossible(String),
}

fn key_of(plan: &Plan, view: &RowView<'_, '_>, buffer: &mut Vec<u8>) -> Key {
    let Some(primary) = plan.primary.as_ref() else {
        return Key::Unknown;
    };
    if primary.comparable != Comparable::Keys || !view.knows(&primary.rules) {
        return Key::Unknown;
    }
    match primary.rules.primary_key(view, &NoSortKeys, buffer) {
        Ok(KeyEnd::Unknown) => Key::Unknown,
        Ok(KeyEnd::Whole | KeyEnd::Cut) => Key::Computed,
        Err(null) => Key::Impossible(null.to_string()),
    }
}

/// A node of a page with a wrong checksum is believed when its values give its key, or when nothing tells.
pub(super) fn proves_key(
    plan: &Plan,
    fetch: &Fetch<'_>,
    (key, data, layout): (&[u8], &[u8], RecordLayout),
) -> bool {
    let Ok(record) = Record::with_layout(data, layout) else {
        return false;
    };
    let mut view = RowView::new(plan);
    if view.load(&record, fetch).is_err() {
        return false;
    }
    let mut buffer = Vec::new();
    match key_of(plan, &view, &mut buffer) {
        Key::Computed => buffer == key,
        Key::Unknown => true,
        Key::Impossible(_) => false,
    }
}
