//! What a table holds, as sums that do not depend on pages, on where records lie in them, or on how often a long value is
//! referred to.

use super::{hash_bookmark, hash_entry};
use crate::db::catalog::{Schema, Table};
use crate::format::lv::{LvKey, LvPart};
use crate::format::record::prune::ColumnSet;
use crate::format::record::{Field, Record, RecordLayout};
use crate::format::schema::{Coltyp, Fid, FidKind};
use xxhash_rust::xxh3::Xxh3;

/// Bytes of the reference count at the start of a long value's root.
const COUNT: usize = size_of::<u32>();

/// How the records of one table are summed up.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Columns that are deleted, whose data may be left or not.
    deleted: ColumnSet,
    /// The other fixed columns, with offset and size; only where some are deleted.
    fixed: Vec<(Fid, usize, usize)>,
}

impl Content {
    /// What is to be known of a table.
    #[must_use]
    pub fn new(schema: &Schema, table: &Table) -> Self {
        let deleted = schema.deleted_columns(table);
        if deleted.is_empty() {
            return Self::default();
        }
        let template = schema.template_of(table);
        let columns = template.into_iter().chain([table]).flat_map(|t| &t.columns);
        let fixed = columns.filter(|column| column.fid.kind() == FidKind::Fixed);
        let place = |column: &crate::db::catalog::Column| {
            let size = match column.coltyp {
                Coltyp::Deleted => return None,
                Coltyp::Binary | Coltyp::Text => column.max_len as usize,
                other => other.fixed_size()?,
            };
            Some((column.fid, column.record_offset.into(), size))
        };
        Self {
            fixed: fixed.filter_map(place).collect(),
            deleted,
        }
    }

    /// Columns that are deleted.
    #[must_use]
    pub const fn deleted(&self) -> &ColumnSet {
        &self.deleted
    }

    /// Hash of a record under its key.
    #[must_use]
    pub fn record(&self, key: &[u8], data: &[u8], layout: RecordLayout) -> u128 {
        let key = hash_bookmark(key);
        if self.deleted.is_empty() {
            return hash_entry(data, key);
        }
        let mut hash = Xxh3::with_seed(key);
        if self.columns(data, layout, &mut hash).is_none() {
            // Nothing that can be read column by column: then byte for byte.
            return hash_entry(data, key);
        }
        hash.digest128()
    }

    /// Every column that is not deleted, one after the other.
    fn columns(&self, data: &[u8], layout: RecordLayout, hash: &mut Xxh3) -> Option<()> {
        let record = Record::with_layout(data, layout).ok()?;
        let mut field = |fid: Fid, field: Field<'_>| {
            let (mark, bytes): (u8, &[u8]) = match field {
                Field::Absent => return,
                Field::Null => (0, &[]),
                Field::Value(bytes) => (1, bytes),
            };
            value(hash, (fid, mark), bytes);
        };
        for (fid, offset, size) in &self.fixed {
            field(*fid, record.fixed(*fid, *offset, *size).ok()?);
        }
        for (fid, found) in record.variables() {
            let found = found.ok()?;
            if !self.deleted.has(fid) {
                field(fid, found);
            }
        }
        for tagged in record.tagged() {
            let tagged = tagged.ok()?;
            if self.deleted.has_tagged(tagged.fid, tagged.derived) {
                continue;
            }
            let mark = u8::from(tagged.derived);
            value(hash, (tagged.fid, mark), &[tagged.header.bits()]);
            for instance in tagged.values() {
                match instance {
                    crate::format::record::Instance::Intrinsic { bytes, .. } => {
                        value(hash, (tagged.fid, 2), bytes);
                    }
                    crate::format::record::Instance::Separated(lid) => {
                        value(hash, (tagged.fid, 3), &lid.get().to_le_bytes());
                    }
                }
            }
        }
        Some(())
    }

    /// Hash of a node of a long value tree, whatever the count of references.
    #[must_use]
    pub fn long_value(key: &[u8], data: &[u8]) -> u128 {
        let is_root = matches!(LvKey::parse(key), Ok(key) if key.part == LvPart::Root);
        let data = if is_root {
            data.get(COUNT..).unwrap_or(data)
        } else {
            data
        };
        Self::entry(key, data)
    }

    /// Hash of an entry of an index, or of any other node.
    #[must_use]
    pub fn entry(key: &[u8], data: &[u8]) -> u128 {
        hash_entry(data, hash_bookmark(key))
    }
}

fn value(hash: &mut Xxh3, (fid, mark): (Fid, u8), bytes: &[u8]) {
    hash.update(&fid.get().to_le_bytes());
    hash.update(&[mark]);
    hash.update(&(bytes.len() as u32).to_le_bytes());
    hash.update(bytes);
}
