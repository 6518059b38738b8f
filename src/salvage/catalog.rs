//! The catalog from whatever is left of it: its own tree, its shadow, its indexes, and the trees that no row names.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use serde::Serialize;

use super::inventory::Inventory;
use super::orphans::{self, OrphanTree};
use super::report::TreeReport;
use super::tree::{SalvagedNode, SalvagedTree};
use super::{SalvageOptions, TreeKind};
use crate::db::Database;
use crate::db::catalog::{CATALOG_ROOT, CatalogRow, SHADOW_ROOT, Schema};
use crate::format::ids::{DbTime, Objid, Pgno};
use crate::format::record::RecordLayout;
use crate::format::schema::CatalogType;

/// A row of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Primary key: object id of the table, type, id. [format notes 6.1]
    pub key: Vec<u8>,
    /// The record.
    pub data: Vec<u8>,
    /// How the record is laid out.
    pub layout: RecordLayout,
    /// Both copies have it.
    pub in_both: bool,
}

/// What became of the two copies of the catalog.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogReport {
    /// The catalog's own tree.
    pub main: TreeReport,
    /// Its shadow.
    pub shadow: TreeReport,
    /// Rows that both have, the same.
    pub same: u64,
    /// Rows that only the catalog itself has.
    pub only_main: u64,
    /// Rows that only the shadow has.
    pub only_shadow: u64,
    /// Rows that differ, decided for the catalog itself: the shadow's cannot be read, or its page is older.
    pub differ_main: u64,
    /// Rows that differ, decided for the shadow.
    pub differ_shadow: u64,
    /// Rows that cannot be read in either; they are left out.
    pub unreadable: u64,
}

/// The catalog as far as it could be had.
#[derive(Debug, Clone)]
pub struct SalvagedCatalog {
    /// Rows in the order of their keys.
    pub rows: Vec<CatalogEntry>,
    /// Trees in the file that no row names, tables first.
    pub orphans: Vec<OrphanTree>,
    /// Where the rows came from.
    pub report: CatalogReport,
}

/// A row with what decides between two of them.
struct Candidate {
    entry: CatalogEntry,
    dbtime: DbTime,
    readable: bool,
}

impl SalvagedCatalog {
    /// Reads both copies and unites them: a row that only one of them has is taken, of two that differ the one that can
    /// be read, else the one on the page that was changed last. The catalog is held in memory, as everywhere.
    #[must_use]
    pub fn read(db: &Database, inventory: &Inventory, options: &SalvageOptions<'_>) -> Self {
        let options = SalvageOptions {
            keep_deleted: false,
            ..*options
        };
        let (main, main_report) = copy(db, inventory, (Objid::CATALOG, CATALOG_ROOT), &options);
        let (shadow, shadow_report) = copy(
            db,
            inventory,
            (Objid::CATALOG_SHADOW, SHADOW_ROOT),
            &options,
        );
        let mut report = CatalogReport {
            main: main_report,
            shadow: shadow_report,
            same: 0,
            only_main: 0,
            only_shadow: 0,
            differ_main: 0,
            differ_shadow: 0,
            unreadable: 0,
        };
        let rows = unite(main, shadow, &mut report);
        let mut catalog = Self {
            rows,
            orphans: Vec::new(),
            report,
        };
        let schema = catalog.schema(db);
        catalog.orphans = orphans::find(db, inventory, &schema, &options);
        catalog
    }

    /// What the rows say.
    #[must_use]
    pub fn schema(&self, db: &Database) -> Schema {
        // Before revision 7 index columns have another form. [format notes 6.6]
        let old_segments = db.header().update_major < 7;
        let rows = self.rows.iter().map(|row| (&row.data[..], row.layout));
        Schema::from_rows(rows, old_segments)
    }
}

fn copy(
    db: &Database,
    inventory: &Inventory,
    (objid, root): (Objid, Pgno),
    options: &SalvageOptions<'_>,
) -> (Vec<Candidate>, TreeReport) {
    let mut rows = Vec::new();
    let mut add = |node: &SalvagedNode<'_>| {
        rows.push(Candidate {
            readable: is_plausible(node),
            entry: CatalogEntry {
                key: node.key.to_vec(),
                data: node.data.to_vec(),
                layout: node.layout,
                in_both: false,
            },
            dbtime: node.dbtime,
        });
        ControlFlow::Continue(())
    };
    let tree = (objid, TreeKind::Data);
    let report = SalvagedTree::read(db, inventory, tree, Some(root), options, &mut add);
    (rows, report)
}

/// True when a row can be read, says something, and stands under its own key. A page of which a checksum has corrected the
/// wrong bit may hold others.
fn is_plausible(node: &SalvagedNode<'_>) -> bool {
    CatalogRow::with_layout(node.data, node.layout).is_ok_and(|row| {
        let says = row.kind != CatalogType::Column || row.column().is_some();
        says && row.key() == node.key
    })
}

/// Both lists are in the order of the keys, and so is what comes of them.
fn unite(
    main: Vec<Candidate>,
    shadow: Vec<Candidate>,
    report: &mut CatalogReport,
) -> Vec<CatalogEntry> {
    let mut rows = Vec::with_capacity(main.len().max(shadow.len()));
    let (mut main, mut shadow) = (main.into_iter().peekable(), shadow.into_iter().peekable());
    loop {
        let order = match (main.peek(), shadow.peek()) {
            (None, None) => return rows,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.entry.key.cmp(&b.entry.key),
        };
        let of_main = if order.is_le() { main.next() } else { None };
        let of_shadow = if order.is_ge() { shadow.next() } else { None };
        let (row, counter) = match (of_main, of_shadow) {
            (Some(mut a), Some(b)) if a.entry == b.entry => {
                a.entry.in_both = true;
                (a, &mut report.same)
            }
            (Some(a), Some(b)) => {
                // The shadow is written after the catalog, so at equal times the catalog counts.
                if (a.readable, a.dbtime) >= (b.readable, b.dbtime) {
                    (a, &mut report.differ_main)
                } else {
                    (b, &mut report.differ_shadow)
                }
            }
            (Some(a), None) => (a, &mut report.only_main),
            (None, Some(b)) => (b, &mut report.only_shadow),
            (None, None) => return rows,
        };
        if row.readable {
            *counter += 1;
            rows.push(row.entry);
        } else {
            report.unreadable += 1;
        }
    }
}
