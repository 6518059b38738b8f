//! Which records are gone: a secondary index that is whole still points to them.

use std::io;
use std::ops::ControlFlow;

use super::Shared;
use super::indexes::sorter;
use super::report::{KeyBytes, Listed};
use crate::db::catalog::{Index, Table};
use crate::format::record::CatalogLimits;
use crate::format::schema::index_flags;
use crate::salvage::{SalvageOptions, SalvagedTree, TreeKind};
use crate::sorting::{Sorted, Sorter};

/// Memory for the bookmarks of one index.
const MEMORY: usize = 16 << 20;

/// Keys of records that an index of the table knows and no page holds. None when no index is whole.
pub(super) fn keys(
    shared: &Shared<'_>,
    table: &Table,
    limits: CatalogLimits,
) -> io::Result<Listed<KeyBytes>> {
    let mut lost = Listed::default();
    // One that has an entry of every record is the best witness.
    let mut indexes: Vec<&Index> = table.secondary_indexes().collect();
    indexes.sort_by_key(|index| (index.tuple.is_some(), !index.conditions.is_empty()));
    for index in indexes {
        if let Some(sorted) = bookmarks(shared, index)? {
            compare(shared, table, limits, sorted, &mut lost)?;
            return Ok(lost);
        }
    }
    Ok(lost)
}

/// The bookmarks of an index in order, if it is whole.
fn bookmarks(shared: &Shared<'_>, index: &Index) -> io::Result<Option<Sorted>> {
    let mut sorter: Sorter = sorter(MEMORY, shared.options.scratch);
    let mut failed = Ok(());
    let kind = TreeKind::Index {
        non_unique: index.flags & index_flags::UNIQUE == 0,
    };
    let report = SalvagedTree::read(
        shared.db,
        shared.inventory,
        (index.objid, kind),
        Some(index.root).filter(|root| !root.is_null()),
        &SalvageOptions::default(),
        &mut |node| {
            failed = sorter.push(node.data, &[]);
            if failed.is_ok() && !shared.is_cancelled() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        },
    );
    failed?;
    if !report.is_whole() {
        return Ok(None);
    }
    sorter.finish().map(Some)
}

/// Both are in the order of the keys.
fn compare(
    shared: &Shared<'_>,
    table: &Table,
    limits: CatalogLimits,
    mut sorted: Sorted,
    lost: &mut Listed<KeyBytes>,
) -> io::Result<()> {
    let mut next = owned(&mut sorted)?;
    let mut failed = Ok(());
    let options = SalvageOptions {
        torn: true,
        trust_damaged_pages: shared.options.trust_damaged_pages,
        limits,
        ..SalvageOptions::default()
    };
    SalvagedTree::read(
        shared.db,
        shared.inventory,
        (table.objid, TreeKind::Data),
        Some(table.root).filter(|root| !root.is_null()),
        &options,
        &mut |node| {
            while let Some(bookmark) = next.take_if(|bookmark| bookmark.as_slice() <= node.key) {
                if bookmark != node.key {
                    note(lost, bookmark);
                }
                match owned(&mut sorted) {
                    Ok(following) => next = following,
                    Err(error) => {
                        failed = Err(error);
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        },
    );
    failed?;
    while let Some(bookmark) = next {
        note(lost, bookmark);
        next = owned(&mut sorted)?;
    }
    Ok(())
}

/// A record with several entries is one record.
fn note(lost: &mut Listed<KeyBytes>, bookmark: Vec<u8>) {
    if lost.listed.last().is_none_or(|last| last.0 != bookmark) {
        lost.push(KeyBytes(bookmark));
    }
}

fn owned(sorted: &mut Sorted) -> io::Result<Option<Vec<u8>>> {
    Ok(sorted.next()?.map(|(key, _)| key.to_vec()))
}
