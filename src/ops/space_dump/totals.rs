//! Sums over all objects of a space dump.

use serde::Serialize;

use super::{ObjectKind, SpaceNumbers, SpaceObject, SpacePool};
use crate::db::space::Pool;
use crate::format::ids::Pgno;

/// What Eseutil prints for an end that is not there (the largest signed number).
const NO_END: u32 = i32::MAX as u32;

/// The unused pages at the end of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EndUnused {
    /// The first; one behind the last page when the end is in use.
    pub first: u32,
    /// The last; the largest signed number when the end is in use.
    pub last: u32,
}

/// Sums over all objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Pages of the database.
    pub pages: u64,
    /// Pages available, in the database itself and in all its objects.
    pub available: u64,
    /// Pages set aside beyond the end of the file.
    pub shelved: u64,
    /// Leaves of all trees but the space trees, and the root page of the database, where counted.
    pub data: Option<u64>,
    /// Internal pages, and pages of the space trees, where pages were counted.
    pub overhead: Option<u64>,
    /// Leaves and internal pages of the space trees.
    #[serde(skip)]
    pub space_trees: (u64, u64),
    /// Pages lost, where counted.
    pub leaked: Option<i64>,
    /// Tables.
    pub tables: u64,
    /// Space trees.
    pub internal_trees: u64,
    /// Long value trees.
    pub long_value_trees: u64,
    /// Secondary indexes.
    pub indexes: u64,
    /// First page that an object owns.
    pub first_used: Pgno,
    /// Last page that an object owns.
    pub last_used: Pgno,
    /// Unused pages at the end.
    pub end_unused: EndUnused,
    /// First page set aside.
    pub first_shelved: Pgno,
    /// Last page set aside.
    pub last_shelved: Pgno,
}

impl Totals {
    /// Sums up; the database itself comes first.
    pub(super) fn of(objects: &[SpaceObject], counted: bool) -> Self {
        let mut totals = Self::default();
        let (mut data, mut internal) = (0, 0);
        let mut first_used: Option<Pgno> = None;
        for object in objects {
            if object.deleted {
                continue;
            }
            totals.available += object.free();
            match object.kind {
                ObjectKind::Database => {
                    data += object.pages.map_or(0, |pages| pages.data);
                    if let Some(space) = &object.space {
                        totals.database(space);
                    }
                    continue;
                }
                ObjectKind::Table => totals.tables += 1,
                ObjectKind::LongValues => totals.long_value_trees += 1,
                ObjectKind::Index => totals.indexes += 1,
                ObjectKind::OwnedExtents | ObjectKind::AvailableExtents => {
                    totals.internal_trees += 1;
                    let pages = object.pages.unwrap_or_default();
                    totals.space_trees.0 += pages.data;
                    totals.space_trees.1 += pages.internal;
                    continue;
                }
            }
            if let Some(space) = &object.space {
                let first = space.first_owned();
                if !first.is_null() {
                    first_used = Some(first_used.map_or(first, |known| known.min(first)));
                }
                totals.last_used = totals.last_used.max(space.last_owned());
            }
            if let Some(pages) = object.pages {
                data += pages.data;
                internal += pages.internal;
            }
        }
        totals.first_used = first_used.unwrap_or(Pgno::NULL);
        if counted {
            totals.data = Some(data);
            let (leaves, above) = totals.space_trees;
            totals.overhead = Some(internal + leaves + above);
            let leaked = objects.iter().filter_map(|object| object.leaked);
            totals.leaked = Some(leaked.filter(|pages| *pages > 0).sum());
        }
        totals
    }

    fn database(&mut self, space: &SpaceNumbers) {
        self.pages = space.owned;
        self.shelved = space.shelved;
        self.end_unused = end_unused(space);
        for run in &space.available_extents {
            if run.pool == SpacePool::Entry(Pool::Shelved) {
                let first = run.extent.first();
                if self.first_shelved.is_null() || first < self.first_shelved {
                    self.first_shelved = first;
                }
                self.last_shelved = self.last_shelved.max(run.extent.last);
            }
        }
    }
}

/// The free run that the database ends with, pieced together from neighbouring extents. [engine]
fn end_unused(space: &SpaceNumbers) -> EndUnused {
    let owned = space.owned_extents.last().map_or(0, |run| run.last.get());
    let in_use = EndUnused {
        first: owned.saturating_add(1),
        last: NO_END,
    };
    let runs = &space.available_extents;
    let free = runs
        .iter()
        .rposition(|run| run.pool != SpacePool::Entry(Pool::Shelved))
        .map_or(&runs[..0], |last| &runs[..=last]);
    let Some((last, before)) = free.split_last() else {
        return in_use;
    };
    if last.extent.last.get() != owned || runs.last().is_some_and(|run| run.extent.count == 0) {
        return in_use;
    }
    let mut first = last.extent.first();
    for run in before.iter().rev() {
        if run.extent.last.next() != first {
            break;
        }
        first = run.extent.first();
    }
    EndUnused {
        first: first.get(),
        last: last.extent.last.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::{EndUnused, NO_END, end_unused};
    use crate::db::space::{Extent, Pool};
    use crate::format::ids::Pgno;
    use crate::ops::space_dump::{PooledExtent, SpaceNumbers, SpacePool};

    fn space(runs: &[(u32, u32, Pool)]) -> SpaceNumbers {
        let run = |&(last, count, pool): &(u32, u32, Pool)| PooledExtent {
            extent: Extent {
                last: Pgno::new(last),
                count,
            },
            pool: SpacePool::Entry(pool),
        };
        SpaceNumbers {
            owned_extents: vec![Extent::starting(Pgno::new(1), 100)],
            available_extents: runs.iter().map(run).collect(),
            ..SpaceNumbers::default()
        }
    }

    #[test]
    fn the_unused_end_is_pieced_together() {
        use Pool::{General, Shelved};
        let in_use = EndUnused {
            first: 101,
            last: NO_END,
        };
        assert_eq!(end_unused(&space(&[])), in_use);
        assert_eq!(end_unused(&space(&[(99, 5, General)])), in_use);
        let end = |first| EndUnused { first, last: 100 };
        assert_eq!(end_unused(&space(&[(100, 10, General)])), end(91));
        let runs = [(50, 9, General), (90, 5, General), (100, 10, General)];
        assert_eq!(end_unused(&space(&runs)), end(86));
        let runs = [(100, 10, General), (140, 1, Shelved)];
        assert_eq!(end_unused(&space(&runs)), end(91));
    }
}
