//! The integrity check: passes with a charter each, over one parsed page model.
//!
//! 1. `header`: copies, state, size (no page is read).
//! 2. `space`: the space header and trees of every object, parents first; leaves an owner for every
//!    page (`owners`), on which every later pass relies. Memory: 2 to 4 bytes and 2 bits a page.
//! 3. `catalog`: rows plausible, objects where they should be, shadow equal to the original.
//! 4. `trees`: every page of every tree once, in parallel: checksum, structure, order, links, owner;
//!    with it, on the same visit, records, long values and index entries. Memory: an internal page a
//!    level and thread.
//! 5. `cross references`: long value counts and index entries against records. Both are first
//!    compared as sums over hashes, which need no memory that grows with the rows; only a table whose
//!    sums differ is read again to say where.
//!
//! Nothing is ever written.

mod bounds;
mod catalog;
mod context;
pub(crate) mod index_plan;
mod locate;
mod long_values;
mod objects;
mod owners;
mod pages;
mod records;
mod space;
mod summed;
pub(crate) mod table;
mod tree;

use std::time::Instant;

use serde::Serialize;

use crate::db::Database;
use crate::db::catalog::Schema;
use crate::db::flush_map::FlushMap;
use crate::digest::Sum;
use crate::format::dbheader::DbState;
use crate::format::ids::{Objid, Pgno};
use crate::problem::{Finding, Place, Problem, Severity};
use crate::progress::{Progress, Task};

use context::Context;

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Only these tables; empty for all.
    pub tables: Vec<String>,
    /// Only these stages; empty for all.
    pub stages: Vec<Stage>,
    /// Do not compare indexes with records.
    pub skip_indexes: bool,
    /// Sum up what every tree of the tables holds.
    pub sums: bool,
}

/// A pass of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Header and file.
    Header,
    /// Space.
    Space,
    /// Catalog.
    Catalog,
    /// Trees, records, long values.
    Trees,
    /// Long value counts and indexes against records.
    CrossReferences,
}

impl Stage {
    /// All of them in order.
    pub const ALL: [Self; 5] = [
        Self::Header,
        Self::Space,
        Self::Catalog,
        Self::Trees,
        Self::CrossReferences,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Space => "space",
            Self::Catalog => "catalog",
            Self::Trees => "trees",
            Self::CrossReferences => "cross-references",
        }
    }
}

/// What the check found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// State of the database, which decides how much a finding means.
    pub state: DbState,
    /// What each stage counted and how long it took.
    pub stages: Vec<StageReport>,
    /// Tables with what was counted in them.
    pub tables: Vec<TableReport>,
    /// Everything found, in order of pass and page.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// Findings beyond those that are kept.
    pub findings_not_kept: u64,
}

/// One stage of the check.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// Milliseconds.
    pub millis: u128,
}

/// One table of the check.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TableReport {
    /// Name.
    pub name: String,
    /// Object id.
    pub objid: u32,
    /// Live records.
    pub records: u64,
    /// Long values.
    pub long_values: u64,
    /// Entries of all secondary indexes.
    pub index_entries: u64,
    /// Indexes whose keys were compared with the records.
    pub indexes_compared: u64,
    /// Indexes over Unicode text, whose sort keys were not recomputed; everything else of them was.
    pub indexes_not_recomputed: u64,
    /// What each of its trees holds, by object id, where that was asked for; see [`crate::digest::Content`].
    #[serde(skip)]
    pub sums: Vec<(Objid, Sum)>,
}

impl CheckReport {
    /// True when no finding is an error.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self
            .findings
            .iter()
            .any(|finding| finding.problem.info().severity == Severity::Error)
    }
}

/// Checks a database. `flush_map` is the flush map that belongs to it, if there is one.
#[must_use]
pub fn check(
    db: &Database,
    flush_map: Option<&FlushMap>,
    options: &CheckOptions,
    progress: &dyn Progress,
) -> CheckReport {
    let context = Context::new(db, flush_map, progress);
    let mut stages = Vec::new();
    let wanted = |stage: Stage| options.stages.is_empty() || options.stages.contains(&stage);
    let mut timed = |stage: Stage, work: &mut dyn FnMut()| {
        if wanted(stage) {
            let started = Instant::now();
            work();
            stages.push(StageReport {
                stage,
                millis: started.elapsed().as_millis(),
            });
        }
    };
    let pages = u64::from(db.last_page().get());
    progress.start(Task::pages("checking", pages, db.page_size().bytes()));
    timed(Stage::Header, &mut || header(&context));
    let schema = Schema::read(db);
    let shadow = Schema::read_shadow(db);
    // Where the catalog is damaged its shadow still tells what to look at.
    let guide = if schema.tables.len() >= shadow.tables.len() {
        &schema
    } else {
        &shadow
    };
    let objects = objects::of(guide);
    let mut owners = None;
    let judged = wanted(Stage::Space);
    let mut register = || owners = Some(space::register(&context, &objects, judged));
    if judged {
        timed(Stage::Space, &mut register);
    } else {
        // Later passes rely on the owners even when what is wrong with them is not asked for.
        register();
    }
    let owners = owners.unwrap_or_else(|| owners::Owners::new(db.last_page(), &objects));
    timed(Stage::Catalog, &mut || {
        catalog::check(&context, (&schema, &shadow, guide), &owners)
    });
    let mut tables = Vec::new();
    let cross = wanted(Stage::CrossReferences);
    timed(Stage::Trees, &mut || {
        pages::system_trees(&context, &owners, options);
        tables = table::check_all(&context, guide, &owners, options, cross);
    });
    if wanted(Stage::Trees) && options.tables.is_empty() {
        owners.report_leaks(&context, &objects);
    }
    progress.finish();
    let (findings, findings_not_kept) = context.into_findings();
    CheckReport {
        state: db.header().db_state(),
        stages,
        tables,
        findings,
        findings_not_kept,
    }
}

/// Pass 1. The header's copies were judged when the file was opened; here the file as a whole.
fn header(context: &Context<'_>) {
    let header = context.db.header();
    if header.objid_last.get() == 0 {
        context.report(
            Finding::new(Problem::HeaderObjid, Place::default())
                .with_detail("objidLast is objidNil (0)"),
        );
    }
    if header.db_state() != DbState::CleanShutdown {
        let detail = format!("state: {}", header.db_state().words());
        context.report(Finding::new(Problem::HeaderDirty, Place::default()).with_detail(detail));
    }
    debug_assert!(context.db.last_page() <= Pgno::MAX);
}
