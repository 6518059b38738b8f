//! `mm`: what the catalog says of tables, columns and indexes. [format notes chapter 6]

mod collect;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::db::Database;
use crate::db::catalog::{Column, Index};
use crate::error::Result;
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::stamp::LogTime;
use crate::jet::JetError;
use crate::problem::Finding;

pub use super::engine_read::Stop;
pub use super::maintenance::KeyValue;
pub use super::space_hints::SpaceHints;

/// What to collect.
#[derive(Debug, Clone, Default)]
pub struct MetaOptions {
    /// Take this page size.
    pub page_size: Option<PageSize>,
    /// Only this table.
    pub table: Option<String>,
    /// The versions of sort orders too; a damaged column row then ends the dump.
    pub details: bool,
}

/// A table with everything that belongs to it. Columns, indexes and callbacks stand in the order of
/// their names, as the catalog's index has them.
#[derive(Debug, Clone, Serialize)]
pub struct TableMeta {
    /// Name.
    pub name: String,
    /// Object id.
    pub objid: Objid,
    /// Root of its data.
    pub root: Pgno,
    /// When the root was last set.
    pub root_set_time: LogTime,
    /// See [`table_flags`](crate::format::schema::table_flags).
    pub flags: u32,
    /// Pages at creation.
    pub initial_pages: u32,
    /// Fill factor in percent.
    pub density: u32,
    /// The template that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Size of the pieces of long values.
    pub long_value_chunk: u32,
    /// Its long value tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_values: Option<LongValueMeta>,
    /// Space hints.
    pub hints: SpaceHints,
    /// Space hints for a long value tree that does not exist yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred_long_value_hints: Option<SpaceHints>,
    /// Columns.
    pub columns: Vec<ColumnMeta>,
    /// Indexes, the primary one among them.
    pub indexes: Vec<IndexMeta>,
    /// Callbacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callbacks: Vec<CallbackMeta>,
}

/// A long value tree.
#[derive(Debug, Clone, Serialize)]
pub struct LongValueMeta {
    /// Object id.
    pub objid: Objid,
    /// Root.
    pub root: Pgno,
    /// When the root was last set.
    pub root_set_time: LogTime,
}

/// A column, with what the dump shows beyond [`Column`].
#[derive(Debug, Clone, Serialize)]
pub struct ColumnMeta {
    /// The column.
    #[serde(flatten)]
    pub column: Column,
    /// Offset as the catalog has it, which for its own columns is not the true one.
    #[serde(skip)]
    pub stored_offset: u16,
    /// Length of its default value.
    pub default_len: usize,
    /// Length of the data for its callback.
    #[serde(skip_serializing_if = "is_zero")]
    pub callback_data_len: usize,
}

/// An index, with what the dump shows beyond [`Index`].
#[derive(Debug, Clone, Serialize)]
pub struct IndexMeta {
    /// The index.
    #[serde(flatten)]
    pub index: Index,
    /// Columns of the key by name, `-` before those that sort downwards.
    pub key: Vec<String>,
    /// Columns of its conditions by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub condition_columns: Vec<String>,
    /// Longest key, where the catalog says it.
    #[serde(skip)]
    pub own_key_most: Option<u16>,
    /// Longest variable segment, where the catalog says it.
    #[serde(skip)]
    pub own_segment_most: Option<u16>,
    /// Flags of the sort key function, where the catalog says them.
    #[serde(skip)]
    pub own_map_flags: Option<u32>,
    /// The sort order's id.
    #[serde(serialize_with = "guid_text", skip_serializing_if = "Option::is_none")]
    pub sort_id: Option<[u8; 16]>,
    /// When the root was last set.
    #[serde(rename = "root_set_at")]
    pub root_set_time: LogTime,
    /// Space hints.
    pub hints: SpaceHints,
}

/// A callback.
#[derive(Debug, Clone, Serialize)]
pub struct CallbackMeta {
    /// When it is called: a bit set.
    pub when: u32,
    /// Its name, `library!function`.
    pub callback: String,
}

/// How far the engine would have come.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stopped {
    /// The error.
    #[serde(flatten)]
    pub stop: Stop,
    /// Whole tables that it would have shown; `None` when it would not even have begun.
    #[serde(skip)]
    pub tables: Option<usize>,
    /// Indexes of the table after those, if it came to show that one.
    #[serde(skip)]
    pub indexes: Option<usize>,
    /// Columns of that table.
    #[serde(skip)]
    pub columns: usize,
}

/// The metadata of a database.
#[derive(Debug, Clone, Serialize)]
pub struct MetaDump {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Page size in bytes.
    pub page_size: PageSize,
    /// Entries of the table of sort order versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locales: Vec<KeyValue>,
    /// Tables by name.
    pub tables: Vec<TableMeta>,
    /// Where the engine would have ended, unless it reads all there is.
    #[serde(rename = "first_error", skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// What is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

impl MetaDump {
    /// What the operation ends with.
    #[must_use]
    pub fn jet(&self) -> JetError {
        self.stopped
            .map_or(JetError::SUCCESS, |stopped| stopped.stop.jet)
    }
}

/// Reads the metadata of the database at `path`.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io),
/// [`Error::NoDatabaseHeader`](crate::error::Error::NoDatabaseHeader). Damage beyond the header is
/// part of the report.
pub fn dump_meta(path: &Path, options: &MetaOptions) -> Result<MetaDump> {
    Ok(meta_of(&Database::open(path, options.page_size)?, options))
}

/// The metadata of an opened database.
#[must_use]
pub fn meta_of(db: &Database, options: &MetaOptions) -> MetaDump {
    let collected = collect::collect(db, options);
    let stop = collected.stopped.map(|stopped| stopped.stop);
    MetaDump {
        path: db.path().to_owned(),
        page_size: db.page_size(),
        locales: collected.locales,
        tables: collected.tables,
        stopped: collected.stopped,
        findings: stop
            .and_then(super::space_dump::finding)
            .into_iter()
            .collect(),
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A GUID with its first three groups little-endian, as Windows writes it.
#[must_use]
pub fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let head = u32::from_le_bytes([*a, *b, *c, *d]);
    let (second, third) = (u16::from_le_bytes([*e, *f]), u16::from_le_bytes([*g, *h]));
    let tail: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{head:08x}-{second:04x}-{third:04x}-{}-{}",
        &tail[..4],
        &tail[4..]
    )
}

#[allow(clippy::ref_option, reason = "serde hands out references")]
fn guid_text<S: Serializer>(
    bytes: &Option<[u8; 16]>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => serializer.serialize_str(&guid(bytes)),
        None => serializer.serialize_none(),
    }
}
