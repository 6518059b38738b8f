//! `ms`: what space each object of a database owns, has free, uses, and has lost.
//! [format notes chapter 5]

mod collect;
mod read;
mod shape;
mod spread;
mod totals;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::db::Database;
use crate::error::{Error, Result};
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::jet::JetError;
use crate::problem::{Finding, Place, Problem};
use crate::progress::{Progress, Silent, Task};

pub use super::engine_read::Stop;
pub use super::maintenance::{RecordField, RecordValue, WorkTable};
pub use super::space_hints::SpaceHints;
pub use read::{PooledExtent, SpaceNumbers, SpacePool, TreePages};
pub use shape::{LeafRuns, LongValues, PageShape, ShapeOf, TreeShape};
pub use spread::{Histogram, Spread};
pub use totals::{EndUnused, Totals};

/// What to collect.
#[derive(Debug, Clone, Default)]
pub struct SpaceOptions {
    /// Take this page size.
    pub page_size: Option<PageSize>,
    /// Only this table.
    pub table: Option<String>,
    /// The pages of the trees themselves.
    pub pages: CountPages,
    /// What they look like. A damaged page then ends the dump.
    pub shape: ShapeOf,
}

/// Whether the pages of each tree are counted. It takes reading every internal page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountPages {
    /// Not at all, and pages lost stay unknown.
    #[default]
    No,
    /// Where they can be read; a damaged page costs the count of its tree only.
    Gladly,
    /// They are part of the dump: a damaged page ends it.
    Strictly,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// The database itself.
    Database,
    /// A table's data, the primary index.
    Table,
    /// A table's long values.
    LongValues,
    /// A secondary index.
    Index,
    /// The tree of owned extents of the object before.
    OwnedExtents,
    /// The tree of available extents.
    AvailableExtents,
}

impl ObjectKind {
    /// True for the trees that only keep space.
    #[must_use]
    pub const fn is_space_tree(self) -> bool {
        matches!(self, Self::OwnedExtents | Self::AvailableExtents)
    }
}

/// One object and its space.
#[derive(Debug, Clone, Serialize)]
pub struct SpaceObject {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// The table that it belongs to; for a table its own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Object id.
    pub objid: Objid,
    /// Root page.
    pub root: Pgno,
    /// How deep it stands: 0 the database, 1 a table, 2 its trees, 3 their space trees.
    pub level: u8,
    /// Its table is to be deleted; its space cannot be told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Its space, unless that cannot be read.
    #[serde(flatten)]
    pub space: Option<SpaceNumbers>,
    /// The pages of its tree, where counted.
    #[serde(rename = "tree", skip_serializing_if = "Option::is_none")]
    pub pages: Option<TreePages>,
    /// What they look like, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Box<TreeShape>>,
    /// Pages that it owns and that nothing accounts for; negative when more is accounted for than
    /// it owns. Known only where pages were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaked: Option<i64>,
    /// Space hints, where the catalog has a row for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hints: Option<SpaceHints>,
    /// Why its space, or its pages, are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Stop>,
}

impl SpaceObject {
    /// Pages owned; 0 when not known.
    #[must_use]
    pub fn owned(&self) -> u64 {
        self.space.as_ref().map_or(0, |space| space.owned)
    }

    /// Free pages, those kept for splits of the space trees included.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.space
            .as_ref()
            .map_or(0, |space| space.available + space.split_buffers)
    }
}

/// Where and why the engine would have ended.
#[derive(Debug, Clone, Serialize)]
pub struct Stopped {
    /// The error.
    #[serde(flatten)]
    pub stop: Stop,
    /// What it would have shown until then.
    #[serde(skip)]
    pub shown: Vec<SpaceObject>,
}

/// The space of a database.
#[derive(Debug, Clone, Serialize)]
pub struct SpaceDump {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Page size in bytes.
    pub page_size: PageSize,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// Bytes that the file takes on the disk, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Sums over all objects.
    pub totals: Totals,
    /// What the engine has noted of its own work: defragmentation, scans.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub work: Vec<WorkTable>,
    /// Every object that could be found, parents before their children.
    pub objects: Vec<SpaceObject>,
    /// Where the engine would have ended, unless it reads all there is.
    #[serde(rename = "first_error", skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// One table only.
    #[serde(skip)]
    pub one_table: bool,
    /// What is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl SpaceDump {
    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        self.stopped
            .as_ref()
            .map_or(JetError::SUCCESS, |stopped| stopped.stop.jet)
    }

    /// What Eseutil would show: everything, or what comes before the error it ends with.
    #[must_use]
    pub fn shown(&self) -> &[SpaceObject] {
        self.stopped
            .as_ref()
            .map_or(&self.objects, |stopped| &stopped.shown)
    }

    /// Pages overbooked and pages lost over all objects. Pages lost are no damage; pages that two
    /// objects own are.
    #[must_use]
    pub fn lost_pages(&self) -> (u64, u64) {
        let leaked = || self.objects.iter().filter_map(|object| object.leaked);
        let sum = |pages: &mut dyn Iterator<Item = i64>| pages.map(i64::unsigned_abs).sum();
        (
            sum(&mut leaked().filter(|pages| *pages < 0)),
            sum(&mut leaked().filter(|pages| *pages > 0)),
        )
    }
}

/// Reads the space of the database at `path`.
///
/// # Errors
/// [`Error::Io`]; [`Error::NoDatabaseHeader`]. Damage beyond the header is part of the report.
pub fn dump_space(path: &Path, options: &SpaceOptions) -> Result<SpaceDump> {
    dump_space_watched(path, options, &Silent)
}

/// The same; `progress` hears how far it is.
///
/// # Errors
/// As [`dump_space`].
pub fn dump_space_watched(
    path: &Path,
    options: &SpaceOptions,
    progress: &dyn Progress,
) -> Result<SpaceDump> {
    let db = Database::open(path, options.page_size)?;
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, "read", error))?;
    let pages = db.last_page().get().into();
    progress.start(Task::pages("reading", pages, db.page_size().bytes()));
    let collected = collect::collect(&db, options, progress);
    progress.finish();
    let mut findings = Vec::new();
    for stop in collected.errors() {
        findings.extend(finding(stop));
    }
    findings.dedup();
    Ok(SpaceDump {
        path: path.to_owned(),
        page_size: db.page_size(),
        file_bytes: metadata.len(),
        disk_bytes: disk_bytes(&metadata),
        totals: Totals::of(&collected.objects, options.pages != CountPages::No),
        work: collected.work,
        objects: collected.objects,
        stopped: collected.stopped,
        one_table: options.table.is_some(),
        findings,
    })
}

#[cfg(unix)]
fn disk_bytes(metadata: &std::fs::Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(metadata.blocks() * 512)
}

#[cfg(not(unix))]
const fn disk_bytes(_: &std::fs::Metadata) -> Option<u64> {
    None
}

/// The problem that an error of reading tells of, where the table of problems has it.
pub(super) fn finding(stop: Stop) -> Option<Finding> {
    let problem = match stop.jet {
        JetError::READ_VERIFY_FAILURE => Problem::PageBadChecksum,
        JetError::DISK_IO => Problem::PageReadError,
        JetError::DISK_READ_VERIFICATION_FAILURE => Problem::PageCutOff,
        JetError::DATABASE_DIRTY_SHUTDOWN => Problem::HeaderDirty,
        _ => return None,
    };
    let place = stop.page.map_or_else(Place::default, Place::page);
    Some(Finding::new(problem, place))
}
