//! Which entries a row has in an index: conditions, nulls, several values, tuples.
//! [format notes 9.5]

use super::{KeyEnd, KeyLimits, SegmentType, SortKeys, build_key};
use crate::format::schema::{Fid, KeySegment, index_flags};

/// Most columns that a key may have; a damaged catalog's further ones are ignored. [engine]
pub const MAX_SEGMENTS: usize = 16;

/// One column of an index key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSegment {
    /// The column.
    pub fid: Fid,
    /// How it is normalised.
    pub kind: SegmentType,
    /// The column may have several values.
    pub multi_valued: bool,
}

/// Limits of a tuple index, which enters pieces of a text or binary value. Counted in characters.
/// [format notes 6.2, 9.5 rule 4; verified: a row without a value has no entry]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TupleLimits {
    /// Shortest piece.
    pub least: usize,
    /// Longest piece.
    pub most: usize,
    /// Most pieces of one value.
    pub count: usize,
    /// Characters from one piece to the next.
    pub step: usize,
    /// Characters before the first piece.
    pub start: usize,
}

/// Everything about an index that decides its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRules {
    /// The columns of the key.
    pub segments: Vec<IndexSegment>,
    /// What a row must be like to be entered at all.
    pub conditions: Vec<KeySegment>,
    /// [`index_flags`].
    pub flags: u32,
    /// Lengths of keys and segments.
    pub limits: KeyLimits,
    /// Present in a tuple index.
    pub tuples: Option<TupleLimits>,
}

/// The values of a row, defaults included.
pub trait RowValues {
    /// Value number `instance` (from 0) of a column; `None` is null.
    fn value(&self, fid: Fid, instance: usize) -> Option<&[u8]>;

    /// How many values a column has; 0 when it is null.
    fn count(&self, fid: Fid) -> usize;
}

/// A null where the index allows none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("column {0} may not be null")]
pub struct NullSegment(pub Fid);

impl IndexRules {
    /// Calls `enter` with every key of a row, and how far it could be made. Two equal keys of one
    /// row are one entry; sorting them out is left to the caller. [format notes 9.5 rule 5]
    ///
    /// # Errors
    /// [`NullSegment`] when a segment is null and the index flags forbid it.
    pub fn keys(
        &self,
        row: &impl RowValues,
        sort: &impl SortKeys,
        key: &mut Vec<u8>,
        mut enter: impl FnMut(&[u8], KeyEnd),
    ) -> Result<(), NullSegment> {
        if !self.conditions_hold(row) {
            return Ok(());
        }
        let used = self.segments.len().min(MAX_SEGMENTS);
        let counts = self.instance_counts(row);
        let mut instances = [0; MAX_SEGMENTS];
        let (instances, counts) = (&mut instances[..used], &counts[..used]);
        loop {
            if self.nulls_allow(row, instances)? {
                match self.tuples {
                    None => {
                        let end = self.key(row, instances, sort, key);
                        enter(key, end);
                    }
                    Some(tuples) => {
                        self.tuple_keys(row, instances, tuples, (sort, key), &mut enter)
                    }
                }
            }
            if !self.advance(instances, counts) {
                return Ok(());
            }
        }
    }

    /// The key of a row in the primary index.
    ///
    /// # Errors
    /// [`NullSegment`] when a segment is null and the index flags forbid it.
    pub fn primary_key(
        &self,
        row: &impl RowValues,
        sort: &impl SortKeys,
        key: &mut Vec<u8>,
    ) -> Result<KeyEnd, NullSegment> {
        let first = &[0; MAX_SEGMENTS][..self.segments.len().min(MAX_SEGMENTS)];
        self.nulls_allow(row, first)?;
        Ok(self.key(row, first, sort, key))
    }

    /// Rule 1: each column is null or is not, as the condition says.
    fn conditions_hold(&self, row: &impl RowValues) -> bool {
        self.conditions
            .iter()
            .all(|condition| (row.count(condition.fid) == 0) == condition.must_be_null)
    }

    /// Rule 3: all values of the first multi-valued column, or of each one in cross products and
    /// nested tables; one value of any other column.
    pub(super) fn instance_counts(&self, row: &impl RowValues) -> [usize; MAX_SEGMENTS] {
        let every = self.has(index_flags::CROSS_PRODUCT | index_flags::NESTED_TABLE);
        let mut seen = false;
        let mut counts = [1; MAX_SEGMENTS];
        for (segment, count) in self.segments.iter().zip(&mut counts) {
            let takes_all = segment.multi_valued && self.has(index_flags::MULTI_VALUED);
            if takes_all && (every || !seen) {
                seen = true;
                *count = row.count(segment.fid).max(1);
            }
        }
        counts
    }

    /// The next combination of values: the last segment runs fastest; in a nested table all run
    /// together.
    pub(super) fn advance(&self, instances: &mut [usize], counts: &[usize]) -> bool {
        if self.has(index_flags::NESTED_TABLE) {
            let many = instances.iter_mut().zip(counts).filter(|(_, c)| **c > 1);
            let mut more = false;
            for (instance, count) in many {
                *instance += 1;
                more |= *instance < *count;
            }
            return more;
        }
        for (instance, count) in instances.iter_mut().zip(counts).rev() {
            *instance += 1;
            if *instance < *count {
                return true;
            }
            *instance = 0;
        }
        false
    }

    /// Rule 2: which nulls still make an entry.
    fn nulls_allow(&self, row: &impl RowValues, instances: &[usize]) -> Result<bool, NullSegment> {
        let (mut first_null, mut nulls) = (None, 0);
        for (at, (segment, instance)) in self.segments.iter().zip(instances).enumerate() {
            if row.value(segment.fid, *instance).is_none() {
                first_null = first_null.or(Some((at, segment.fid)));
                nulls += 1;
            }
        }
        let Some((at, fid)) = first_null else {
            return Ok(true);
        };
        if self.has(index_flags::NO_NULL_SEGMENT) {
            return Err(NullSegment(fid));
        }
        Ok(self.has(if nulls == self.segments.len() {
            index_flags::ALLOW_ALL_NULLS
        } else if at == 0 {
            index_flags::ALLOW_FIRST_NULL
        } else {
            index_flags::ALLOW_SOME_NULLS
        }))
    }

    fn key(
        &self,
        row: &impl RowValues,
        instances: &[usize],
        sort: &impl SortKeys,
        key: &mut Vec<u8>,
    ) -> KeyEnd {
        let values = self
            .segments
            .iter()
            .zip(instances)
            .map(|(segment, instance)| (segment.kind, row.value(segment.fid, *instance)));
        build_key(values, self.limits, sort, key)
    }

    /// Rule 4: the pieces of the only segment's value.
    fn tuple_keys(
        &self,
        row: &impl RowValues,
        instances: &[usize],
        tuples: TupleLimits,
        (sort, key): (&impl SortKeys, &mut Vec<u8>),
        enter: &mut impl FnMut(&[u8], KeyEnd),
    ) {
        let (Some(segment), Some(instance)) = (self.segments.first(), instances.first()) else {
            return;
        };
        let Some(value) = row.value(segment.fid, *instance) else {
            return;
        };
        let width = if segment.kind.unicode { 2 } else { 1 };
        let characters = value.len() / width;
        let starts = (tuples.start..characters).step_by(tuples.step.max(1));
        for start in starts.take(tuples.count) {
            let len = (characters - start).min(tuples.most);
            if len < tuples.least {
                return;
            }
            let piece = value.get(start * width..(start + len) * width);
            let end = build_key([(segment.kind, piece)], self.limits, sort, key);
            enter(key, end);
        }
    }

    const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}
