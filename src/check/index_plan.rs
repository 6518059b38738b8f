//! How the indexes of a table read its records: each column that some index needs is a slot, and a
//! row is decoded once into its slots.
//!
//! A table and its template may use the same number for different tagged columns, so the rules of
//! [`crate::format::keys`] are given slot numbers in place of column ids.

use crate::db::catalog::{Column, Index, Schema, Table};
use crate::format::ids::PageSize;
use crate::format::keys::{
    IndexRules, IndexSegment, KeyLimits, RowValues, SegmentType, TupleLimits, max_key,
};
use crate::format::record::{
    ColumnChange, Field, Instance, MultiValue, Record, RecordFault, TaggedValue,
};
use crate::format::schema::{Coltyp, Fid, FidKind, KeySegment, column_flags, index_flags};
use crate::format::value::CodePage;

/// A column that an index reads.
#[derive(Debug)]
pub(crate) struct Slot {
    fid: Fid,
    /// The column belongs to the template.
    derived: bool,
    offset: usize,
    size: usize,
    default: Option<Vec<u8>>,
}

/// One index as it is compared with the records.
#[derive(Debug)]
pub(crate) struct PlannedIndex {
    /// Position among the table's indexes.
    pub number: usize,
    /// Its rules, by slots.
    pub rules: IndexRules,
    /// How far its entries can be recomputed.
    pub comparable: Comparable,
}

/// How much of an index can be recomputed from the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparable {
    /// Keys and bookmarks.
    Keys,
    /// Unicode text: only which records have an entry.
    Bookmarks,
    /// Unicode text with several values: only that entries point to records.
    Existence,
    /// Not at all: a column's default is computed by a callback, a segment's column is gone, or the
    /// index is to be filled later.
    Nothing,
}

/// All indexes of a table.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub slots: Vec<Slot>,
    pub primary: Option<PlannedIndex>,
    pub secondary: Vec<PlannedIndex>,
}

impl Plan {
    /// The plan of a table.
    pub fn new(schema: &Schema, table: &Table, size: PageSize, update_major: u32) -> Self {
        let mut plan = Self::default();
        for (number, index) in table.indexes.iter().enumerate() {
            let planned = plan.index(schema, table, index, number, max_key(size, update_major));
            if index.flags & index_flags::PRIMARY != 0 {
                plan.primary = Some(planned);
            } else {
                plan.secondary.push(planned);
            }
        }
        plan
    }

    fn index(
        &mut self,
        schema: &Schema,
        table: &Table,
        index: &Index,
        number: usize,
        longest: usize,
    ) -> PlannedIndex {
        let has = |flag: u32| index.flags & flag != 0;
        let mut comparable = Comparable::Keys;
        let mut unicode = false;
        let mut multi_valued = false;
        let mut segments = Vec::new();
        for segment in &index.segments {
            let Some(column) = schema.column(table, segment.fid, segment.template) else {
                comparable = Comparable::Nothing;
                continue;
            };
            if column.coltyp == Coltyp::Deleted
                || column.flags & column_flags::USER_DEFINED_DEFAULT != 0
            {
                comparable = Comparable::Nothing;
            }
            let text_unicode = column.coltyp.is_text() && column.text_page() == CodePage::Unicode;
            unicode |= text_unicode;
            multi_valued |= column.is_multi_valued();
            segments.push(IndexSegment {
                fid: self.slot(column, segment.template && table.template.is_some()),
                kind: SegmentType {
                    coltyp: column.coltyp,
                    unicode: text_unicode,
                    fixed: column.fid.kind() == FidKind::Fixed,
                    descending: segment.descending,
                    nulls_high: has(index_flags::SORT_NULLS_HIGH),
                    dotnet_guid: has(index_flags::DOTNET_GUID),
                },
                multi_valued: column.is_multi_valued(),
            });
        }
        let conditions = index
            .conditions
            .iter()
            .filter_map(|condition| {
                let column = schema.column(table, condition.fid, condition.template)?;
                Some(KeySegment {
                    fid: self.slot(column, condition.template && table.template.is_some()),
                    ..*condition
                })
            })
            .collect();
        let several = multi_valued && has(index_flags::MULTI_VALUED) || index.tuple.is_some();
        if comparable == Comparable::Keys && unicode {
            comparable = if several {
                Comparable::Existence
            } else {
                Comparable::Bookmarks
            };
        }
        if has(index_flags::DEFERRED_POPULATE) {
            comparable = Comparable::Nothing;
        }
        PlannedIndex {
            number,
            rules: IndexRules {
                segments,
                conditions,
                flags: index.flags,
                limits: KeyLimits {
                    key_most: usize::from(index.key_most).min(longest),
                    var_seg_mac: usize::from(index.var_seg_mac),
                },
                tuples: index.tuple.map(|tuple| TupleLimits {
                    least: tuple.min as usize,
                    most: tuple.max as usize,
                    count: tuple.to_index as usize,
                    step: tuple.increment as usize,
                    start: tuple.start as usize,
                }),
            },
            comparable,
        }
    }

    /// True when these changes of columns make the entries of a record other ones: the views show it before and after.
    pub fn is_changed(
        &self,
        rules: &IndexRules,
        changes: &[ColumnChange],
        (before, after): (&RowView<'_, '_>, &RowView<'_, '_>),
    ) -> bool {
        let touched = |fid: Fid| {
            let slot = self.slots.get(usize::from(fid.get()));
            slot.is_some_and(|slot| {
                let tagged = slot.fid.kind() == FidKind::Tagged;
                changes.iter().any(|change| {
                    change.fid == slot.fid && (!tagged || change.derived == slot.derived)
                })
            })
        };
        let same = |fid: Fid| {
            let known = !before.unknown.contains(&fid) && !after.unknown.contains(&fid);
            let count = before.count(fid);
            let mut values = 0..count;
            known
                && count == after.count(fid)
                && values.all(|at| before.value(fid, at) == after.value(fid, at))
        };
        let segments = rules.segments.iter().map(|segment| segment.fid);
        let conditions = rules.conditions.iter().map(|condition| condition.fid);
        segments
            .chain(conditions)
            .any(|fid| touched(fid) && !same(fid))
    }

    /// The slot of a column, as a number that the rules take for a column id.
    fn slot(&mut self, column: &Column, derived: bool) -> Fid {
        let known = self
            .slots
            .iter()
            .position(|slot| slot.fid == column.fid && slot.derived == derived);
        let at = known.unwrap_or_else(|| {
            self.slots.push(Slot {
                fid: column.fid,
                derived,
                offset: column.record_offset.into(),
                size: column
                    .coltyp
                    .fixed_size()
                    .unwrap_or(column.max_len as usize),
                default: column.default.clone(),
            });
            self.slots.len() - 1
        });
        Fid::new(at as u16)
    }
}

/// One column's values in a row.
enum SlotValue<'r> {
    Null,
    One(&'r [u8]),
    Two(&'r [u8], &'r [u8]),
    Many(MultiValue<'r>),
    /// Decompressed, or fetched from the long value tree.
    Owned(Vec<Vec<u8>>),
}

/// A row decoded for its indexes.
pub(crate) struct RowView<'p, 'r> {
    plan: &'p Plan,
    values: Vec<SlotValue<'r>>,
    /// Slots with a value that cannot be had.
    unknown: Vec<Fid>,
}

/// Fetches the start of a long value: as many bytes as an index can use.
pub(crate) trait FetchLongValue {
    /// The bytes, or `None` when the long value is not there or cannot be read.
    fn fetch(&self, lid: crate::format::lv::Lid) -> Option<Vec<u8>>;
}

impl<'p, 'r> RowView<'p, 'r> {
    /// A view with nothing in it.
    pub fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            values: Vec::with_capacity(plan.slots.len()),
            unknown: Vec::new(),
        }
    }

    /// Decodes a record. False when a value that an index needs cannot be had.
    pub fn load(
        &mut self,
        record: &Record<'r>,
        long_values: &impl FetchLongValue,
    ) -> Result<bool, RecordFault>
    where
        'p: 'r,
    {
        self.unknown.clear();
        self.values.clear();
        for (number, slot) in (0..).zip(&self.plan.slots) {
            let mut complete = true;
            let default = slot.default.as_deref();
            let absent = default.map_or(SlotValue::Null, SlotValue::One);
            let value = match slot.fid.kind() {
                FidKind::Fixed => match record.fixed(slot.fid, slot.offset, slot.size)? {
                    Field::Absent => absent,
                    Field::Null => SlotValue::Null,
                    Field::Value(bytes) => SlotValue::One(bytes),
                },
                FidKind::Variable => match record.variable(slot.fid)? {
                    Field::Absent => absent,
                    Field::Null => SlotValue::Null,
                    Field::Value(bytes) => SlotValue::One(bytes),
                },
                FidKind::Tagged => match record.find_tagged(slot.fid, slot.derived)? {
                    None => absent,
                    Some(tagged) => {
                        tagged_value(&tagged.value, tagged.values(), long_values, &mut complete)
                    }
                },
            };
            self.values.push(value);
            if !complete {
                self.unknown.push(Fid::new(number));
            }
        }
        Ok(self.unknown.is_empty())
    }

    /// False when a value that this index needs cannot be had.
    pub fn knows(&self, rules: &IndexRules) -> bool {
        let mut columns = rules.segments.iter().map(|segment| segment.fid);
        let mut conditions = rules.conditions.iter().map(|condition| condition.fid);
        let unknown = |fid: Fid| self.unknown.contains(&fid);
        self.unknown.is_empty() || !(columns.any(unknown) || conditions.any(unknown))
    }
}

fn tagged_value<'r>(
    value: &TaggedValue<'r>,
    instances: impl Iterator<Item = Instance<'r>>,
    long_values: &impl FetchLongValue,
    complete: &mut bool,
) -> SlotValue<'r> {
    let plain = |instance: &Instance<'r>| match *instance {
        Instance::Intrinsic {
            bytes,
            compressed: false,
            encrypted: false,
        } => Some(bytes),
        _ => None,
    };
    match value {
        TaggedValue::Null => SlotValue::Null,
        TaggedValue::Two(a, b) => SlotValue::Two(a, b),
        TaggedValue::Single(instance) if plain(instance).is_some() => {
            plain(instance).map_or(SlotValue::Null, SlotValue::One)
        }
        TaggedValue::Multi(multi)
            if (0..multi.len()).all(|at| multi.get(at).is_some_and(|i| plain(&i).is_some())) =>
        {
            SlotValue::Many(*multi)
        }
        _ => {
            let owned = instances.map(|instance| {
                let bytes = match instance {
                    Instance::Separated(lid) => long_values.fetch(lid),
                    inside => inside.unpacked(),
                };
                *complete &= bytes.is_some();
                bytes.unwrap_or_default()
            });
            SlotValue::Owned(owned.collect())
        }
    }
}

impl RowValues for RowView<'_, '_> {
    fn value(&self, slot: Fid, instance: usize) -> Option<&[u8]> {
        match (self.values.get(usize::from(slot.get()))?, instance) {
            (SlotValue::One(bytes), 0) => Some(bytes),
            (SlotValue::Two(first, _), 0) => Some(first),
            (SlotValue::Two(_, second), 1) => Some(second),
            (SlotValue::Many(multi), at) => match multi.get(at)? {
                Instance::Intrinsic { bytes, .. } => Some(bytes),
                Instance::Separated(_) => None,
            },
            (SlotValue::Owned(values), at) => values.get(at).map(Vec::as_slice),
            _ => None,
        }
    }

    fn count(&self, slot: Fid) -> usize {
        match self.values.get(usize::from(slot.get())) {
            None | Some(SlotValue::Null) => 0,
            Some(SlotValue::One(_)) => 1,
            Some(SlotValue::Two(..)) => 2,
            Some(SlotValue::Many(multi)) => multi.len(),
            Some(SlotValue::Owned(values)) => values.len(),
        }
    }
}
