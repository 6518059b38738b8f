//! What the catalog knows of a table's records, for setting columns in them.

use super::{Column, Schema, Table};
use crate::format::ids::PageSize;
use crate::format::keys::DEFAULT_KEY_MOST;
use crate::format::record::encode::max_record;
use crate::format::record::{ColumnShape, Record, RecordShape};
use crate::format::schema::{Coltyp, column_flags};

/// Longest value of a column that is no long value.
const SHORT_MOST: usize = 255;

impl Schema {
    /// The shape of the records of a table on pages of this size: its own columns and those of its template, without deleted
    /// ones.
    #[must_use]
    pub fn record_shape(&self, table: &Table, size: PageSize) -> RecordShape {
        let template = self.template_of(table).map(|table| (true, table));
        let of = |(derived, table): (bool, &Table)| {
            let there = table.columns.iter().filter(|c| c.coltyp != Coltyp::Deleted);
            there
                .map(|column| shape_of(column, derived))
                .collect::<Vec<_>>()
        };
        let columns = template.into_iter().chain([(false, table)]).flat_map(of);
        let key_most = table
            .primary_index()
            .map_or(DEFAULT_KEY_MOST, |index| index.key_most.into());
        let longest = max_record(size, key_most).min(Record::len_most(size));
        RecordShape::new(columns.collect(), longest)
    }
}

fn shape_of(column: &Column, derived: bool) -> ColumnShape {
    let has = |flag: u32| column.flags & flag != 0;
    let most = match column.max_len as usize {
        0 => usize::MAX,
        most => most,
    };
    ColumnShape {
        fid: column.fid,
        derived,
        long: column.coltyp.is_long(),
        size: column.coltyp.fixed_size(),
        longest: if column.coltyp.is_long() {
            most
        } else {
            most.min(SHORT_MOST)
        },
        offset: column.record_offset.into(),
        pad: column.coltyp.padding(),
        default: column.default.clone(),
        has_default: column.default.is_some()
            || has(column_flags::DEFAULT | column_flags::USER_DEFINED_DEFAULT),
        not_null: has(column_flags::NOT_NULL),
        encrypted: has(column_flags::ENCRYPTED),
    }
}
