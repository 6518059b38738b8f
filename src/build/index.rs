//! Which entries a row has in an index. [format notes 9.5]

use super::error::BuildError;
use super::schema::{Index, Row, Table};
use super::values::{value, value_count};
use crate::format::keys::{KeyEnd, KeyLimits, NoSortKeys, SegmentType, build_key};
use crate::format::schema::{FidKind, KeySegment, column_flags, index_flags};

/// Calls `enter` with the key of every entry that `row` has in `index`.
pub(super) fn keys(
    table: &Table,
    index: &Index,
    row: &Row,
    mut enter: impl FnMut(&[u8]),
) -> Result<(), BuildError> {
    let failed = |condition: &KeySegment| {
        value(table, row, condition.fid, 0).is_none() != condition.must_be_null
    };
    if index.conditions.iter().any(failed) {
        return Ok(());
    }
    let counts = instance_counts(table, index, row);
    let mut instances = vec![0; counts.len()];
    let mut key = Vec::new();
    loop {
        if null_rule(table, index, row, &instances)? {
            make_key(table, index, row, &instances, &mut key)?;
            enter(&key);
        }
        if !advance(&mut instances, &counts) {
            return Ok(());
        }
    }
}

/// The key of a row in the primary index.
pub(super) fn primary_key(
    table: &Table,
    index: &Index,
    row: &Row,
    key: &mut Vec<u8>,
) -> Result<(), BuildError> {
    let first = vec![0; index.segments.len()];
    null_rule(table, index, row, &first)?;
    make_key(table, index, row, &first, key)
}

/// How many values of each segment take part: all of the first multi-valued column, or of every one
/// in a cross product; else one. [format notes 9.5 rule 3]
fn instance_counts(table: &Table, index: &Index, row: &Row) -> Vec<usize> {
    let all = index.flags & index_flags::CROSS_PRODUCT != 0;
    let mut seen = false;
    let multi = index.flags & index_flags::MULTI_VALUED != 0;
    let counts = index.segments.iter().map(|segment| {
        let column = table.column(segment.fid);
        let many = column.is_some_and(|c| c.flags & column_flags::MULTI_VALUED != 0);
        if !(many && multi && (all || !seen)) {
            return 1;
        }
        seen = true;
        value_count(table, row, segment.fid).max(1)
    });
    counts.collect()
}

/// The next combination, the last segment running fastest.
fn advance(instances: &mut [usize], counts: &[usize]) -> bool {
    for (at, count) in counts.iter().enumerate().rev() {
        instances[at] += 1;
        if instances[at] < *count {
            return true;
        }
        instances[at] = 0;
    }
    false
}

/// True when the nulls among the segments allow an entry. [format notes 9.5 rule 2]
fn null_rule(
    table: &Table,
    index: &Index,
    row: &Row,
    instances: &[usize],
) -> Result<bool, BuildError> {
    let nulls: Vec<bool> = index
        .segments
        .iter()
        .zip(instances)
        .map(|(segment, instance)| value(table, row, segment.fid, *instance).is_none())
        .collect();
    let Some(null) = nulls.iter().position(|null| *null) else {
        return Ok(true);
    };
    if index.flags & index_flags::NO_NULL_SEGMENT != 0 {
        return Err(BuildError::Null(index.segments[null].fid));
    }
    let needed = if nulls.iter().all(|null| *null) {
        index_flags::ALLOW_ALL_NULLS
    } else if null == 0 {
        index_flags::ALLOW_FIRST_NULL
    } else {
        index_flags::ALLOW_SOME_NULLS
    };
    Ok(index.flags & needed != 0)
}

fn make_key(
    table: &Table,
    index: &Index,
    row: &Row,
    instances: &[usize],
    key: &mut Vec<u8>,
) -> Result<(), BuildError> {
    let segments = index.segments.iter().zip(instances);
    let parts = segments.filter_map(|(segment, instance)| {
        let kind = segment_type(table, index, segment)?;
        Some((kind, value(table, row, segment.fid, *instance)))
    });
    let limits = KeyLimits {
        key_most: index.key_most.into(),
        var_seg_mac: index.var_seg_mac.into(),
    };
    let end = build_key(parts, limits, &NoSortKeys, key);
    let forbidden = index.flags & index_flags::DISALLOW_TRUNCATION != 0;
    match end {
        KeyEnd::Unknown => Err(BuildError::Unicode(index.name.clone())),
        KeyEnd::Cut if forbidden => Err(BuildError::KeyTruncated(index.name.clone())),
        KeyEnd::Whole | KeyEnd::Cut => Ok(()),
    }
}

fn segment_type(table: &Table, index: &Index, segment: &KeySegment) -> Option<SegmentType> {
    let column = table.column(segment.fid)?;
    Some(SegmentType {
        coltyp: column.coltyp,
        unicode: column.code_page == super::schema::CODE_PAGE_UNICODE,
        fixed: column.kind == FidKind::Fixed,
        descending: segment.descending,
        nulls_high: index.flags & index_flags::SORT_NULLS_HIGH != 0,
        dotnet_guid: index.flags & index_flags::DOTNET_GUID != 0,
    })
}
