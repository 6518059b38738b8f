//! A damaged database written anew with everything that can be kept.
//!
//! What the integrity check found sound is copied as it is. Of every other table the records are salvaged from their
//! leaves, judged one by one, and their long values, reference counts and indexes are made to agree with them; see
//! `table`. [`crate::rebuild`] writes the file, so that pages, space and catalog are new throughout.
//!
//! What is only known at the end (two records with one key in a unique index, a table that was not sound after
//! all) is remembered, and everything is written once more.

mod ahead;
mod amend;
mod catalog;
mod damaged;
mod fetch;
mod indexes;
mod long_values;
mod lost;
mod orphans;
mod records;
mod report;
mod source;
mod table;
mod witnesses;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::check::CheckReport;
use crate::db::Database;
use crate::db::catalog::Schema;
use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::{DbTime, Objid};
use crate::progress::Progress;
use crate::rebuild::{self, RebuildError, Rebuilt, keep_all, objids};
use crate::salvage::{CatalogEntry, Inventory};
use crate::storage::Storage;

use orphans::{OrphanTables, Orphans};
use records::Strays;
use source::{Losers, Salvaged};

pub use amend::{Amendments, RowChange};
pub use report::{
    CatalogChange, DroppedRecord, IndexMethod, IndexRepair, KeyBytes, Listed, LongValueLoss,
    Losses, LostLongValue, LostValue, NotAmended, TableRepair,
};

/// Each round learns something that the next must know. Two or three do, but for damage that is found only on the way.
const ROUNDS: usize = 64;

/// Makes scratch files.
pub type Scratch = Arc<dyn Fn() -> io::Result<Box<dyn Storage>> + Send + Sync>;

/// How a database is repaired.
#[derive(Clone)]
pub struct RepairOptions<'o> {
    /// Take those nodes of a page with a wrong checksum that can be proved sound, each by itself.
    pub trust_damaged_pages: bool,
    /// Drop records that refer to a long value that is lost, as the engine does; else the column becomes null.
    pub drop_incomplete: bool,
    /// Keep long values that no record refers to, in a table of their own.
    pub keep_orphans: bool,
    /// Bytes of memory for sorting the entries of indexes.
    pub memory: usize,
    /// Where sorting spills to.
    pub scratch: &'o Scratch,
    /// Rows that are to be changed or left out, in a clean database in which nothing but indexes is damaged.
    pub amendments: Option<&'o Amendments>,
}

/// What earlier rounds learned.
#[derive(Debug, Default, Clone, PartialEq)]
struct Known {
    /// Tables that are not sound, though nothing was found in them.
    damaged: BTreeSet<Objid>,
    /// Tables whose root is of the older record layout, and of whose records some are of the newer one.
    newer: BTreeSet<Objid>,
    /// Records that another one excludes.
    losers: Losers,
    /// Long values that no record refers to.
    orphans: Orphans,
    /// Records that are not where their values belong.
    strays: BTreeMap<Objid, Strays>,
}

impl Known {
    /// Takes over; false when nothing of it is new.
    fn add(&mut self, learned: Self) -> bool {
        let before = self.clone();
        self.merge(learned);
        *self != before
    }

    fn merge(&mut self, learned: Self) {
        self.damaged.extend(learned.damaged);
        self.newer.extend(learned.newer);
        for (table, mut keys) in learned.losers {
            self.losers.entry(table).or_default().append(&mut keys);
        }
        for (table, mut records) in learned.strays {
            self.strays.entry(table).or_default().append(&mut records);
        }
        for (table, ids) in learned.orphans {
            *self.orphans.entry(table).or_default() |= ids;
        }
    }
}

/// What all tables share in one round.
struct Shared<'s> {
    db: &'s Database,
    inventory: &'s Inventory,
    schema: &'s Schema,
    rows: &'s [CatalogEntry],
    /// Tables that are copied as they are.
    sound: BTreeSet<Objid>,
    options: &'s RepairOptions<'s>,
    known: Known,
    orphan_tables: OrphanTables,
    /// The writer has given up: nobody wants what is worked at.
    cancelled: AtomicBool,
}

impl Shared<'_> {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Pages of a dirty database were written at different times.
    fn is_torn(&self) -> bool {
        self.db.header().db_state() != DbState::CleanShutdown
    }

    /// Leaves that nothing leads to may be newer than those of the tree. In a database that is to be amended, which is
    /// sound, they are what the tree gave up.
    fn may_lack_leaves(&self) -> bool {
        self.is_torn() || self.options.amendments.is_none()
    }
}

/// The new database, and what it lacks.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// Numbers of the new file.
    pub rebuilt: Rebuilt,
    /// What was kept, changed and lost.
    pub losses: Losses,
}

/// Writes what can be kept of `db` into `out`, whose content is given up; `out` is not synced. `header` is written
/// with page size, time and object id set; without one the header pages stay zero. `inventory` and `check` must be of
/// the same file, unchanged.
///
/// # Errors
/// [`RebuildError`]: the output or a scratch file failed, or what was salvaged cannot be made a database; `out` then
/// holds nothing of use.
pub fn rewrite(
    db: &Database,
    inventory: &Inventory,
    check: &CheckReport,
    options: &RepairOptions<'_>,
    (out, header): (&dyn Storage, Option<&DbHeader>),
    progress: &dyn Progress,
) -> Result<Rewritten, RebuildError> {
    let found = catalog::Repaired::read(db, inventory);
    let mut known = Known::default();
    for _ in 0..ROUNDS {
        let mut catalog = found.clone();
        let orphan_tables =
            orphans::add_tables(&mut catalog, &known.orphans, inventory.highest_objid());
        let mut sound = catalog.sound_tables(check, &known.damaged, objids::NAME);
        for table in amendable(options, &catalog.schema) {
            sound.remove(&table);
        }
        let shared = Shared {
            db,
            inventory,
            schema: &catalog.schema,
            rows: &catalog.rows,
            sound,
            options,
            known: known.clone(),
            orphan_tables,
            cancelled: AtomicBool::new(false),
        };
        let sound_tables = shared.sound.len() as u64;
        let settings = rebuild::Options {
            header: header.cloned(),
            after: inventory.highest_dbtime().max(DbTime::new(1)),
            spare_pages: 0,
            flush_type: 0,
        };
        let (written, done) = std::thread::scope(|scope| {
            let source = Salvaged::new(&shared, scope);
            let written = rebuild::write(&source, out, &settings, &mut keep_all, progress);
            (written, source.finish())
        });
        // What fails is the disk: no other round would go better.
        if let Err(error @ RebuildError::Io(_)) = written {
            return Err(error);
        }
        if known.add(done.learned) {
            continue;
        }
        let mut tables = done.tables;
        if let Some(amendments) = options.amendments {
            let made: BTreeSet<Objid> = amendable(options, &catalog.schema)
                .filter(|objid| tables.iter().any(|table| table.objid == *objid))
                .collect();
            let others = amendments.tables().filter(|objid| !made.contains(objid));
            tables.extend(others.map(|objid| amendments.not_made(objid, &catalog.schema)));
        }
        return Ok(Rewritten {
            rebuilt: written?,
            losses: Losses {
                catalog: catalog.report,
                catalog_changes: catalog.changes,
                unnamed_trees: catalog.unnamed,
                tables,
                sound_tables,
            },
        });
    }
    // What the last round learned is not in the file: records would be missing from it.
    Err(RebuildError::Tree {
        tree: "the database".to_owned(),
        what: "it contradicts itself in ever new ways".to_owned(),
    })
}

/// Tables of which rows are to be changed. What the engine's own tables hold follows from other things.
fn amendable<'a>(
    options: &'a RepairOptions<'_>,
    schema: &'a Schema,
) -> impl Iterator<Item = Objid> {
    let tables = options.amendments.into_iter().flat_map(Amendments::tables);
    tables.filter(|objid| {
        let table = schema.tables.get(objid);
        table.is_some_and(|table| table.is_defined() && !table.is_system())
    })
}
