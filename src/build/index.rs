//! The rules of an index, and the values of a row as they need them.

use super::error::BuildError;
use super::schema::{CODE_PAGE_UNICODE, Index, Row, Table};
use super::values::{value, value_count};
use crate::format::keys::{
    IndexRules, IndexSegment, KeyEnd, KeyLimits, NoSortKeys, RowValues, SegmentType,
};
use crate::format::schema::{Fid, FidKind, KeySegment, column_flags, index_flags};

/// A row of a table, defaults included.
struct Values<'v> {
    table: &'v Table,
    row: &'v Row,
}

impl RowValues for Values<'_> {
    fn value(&self, fid: Fid, instance: usize) -> Option<&[u8]> {
        value(self.table, self.row, fid, instance)
    }

    fn count(&self, fid: Fid) -> usize {
        value_count(self.table, self.row, fid)
    }
}

/// What decides the entries of `index`; its columns exist.
pub(super) fn rules(table: &Table, index: &Index) -> IndexRules {
    let segment = |segment: &KeySegment| {
        let column = table.column(segment.fid)?;
        Some(IndexSegment {
            fid: segment.fid,
            kind: SegmentType {
                coltyp: column.coltyp,
                unicode: column.code_page == CODE_PAGE_UNICODE,
                fixed: column.kind == FidKind::Fixed,
                descending: segment.descending,
                nulls_high: index.flags & index_flags::SORT_NULLS_HIGH != 0,
                dotnet_guid: index.flags & index_flags::DOTNET_GUID != 0,
            },
            multi_valued: column.flags & column_flags::MULTI_VALUED != 0,
        })
    };
    IndexRules {
        segments: index.segments.iter().filter_map(segment).collect(),
        conditions: index.conditions.clone(),
        flags: index.flags,
        limits: KeyLimits {
            key_most: index.key_most.into(),
            var_seg_mac: index.var_seg_mac.into(),
        },
        tuples: index.tuples,
    }
}

/// Calls `enter` with the key of every entry that `row` has in `index`.
pub(super) fn keys(
    table: &Table,
    (index, rules): (&Index, &IndexRules),
    row: &Row,
    mut enter: impl FnMut(&[u8]),
) -> Result<(), BuildError> {
    let mut worst = KeyEnd::Whole;
    rules
        .keys(
            &Values { table, row },
            &NoSortKeys,
            &mut Vec::new(),
            |key, end| {
                worst = worst.max(end);
                enter(key);
            },
        )
        .map_err(|null| BuildError::Null(null.0))?;
    judge(index, worst)
}

/// The key of a row in the primary index.
pub(super) fn primary_key(
    table: &Table,
    (index, rules): (&Index, &IndexRules),
    row: &Row,
    key: &mut Vec<u8>,
) -> Result<(), BuildError> {
    let end = rules
        .primary_key(&Values { table, row }, &NoSortKeys, key)
        .map_err(|null| BuildError::Null(null.0))?;
    judge(index, end)
}

fn judge(index: &Index, end: KeyEnd) -> Result<(), BuildError> {
    let forbidden = index.flags & index_flags::DISALLOW_TRUNCATION != 0;
    match end {
        KeyEnd::Unknown => Err(BuildError::Unicode(index.name.clone())),
        KeyEnd::Cut if forbidden => Err(BuildError::KeyTruncated(index.name.clone())),
        KeyEnd::Whole | KeyEnd::Cut => Ok(()),
    }
}
