//! Rows to records: defaults, padding, and which long values are kept apart.

use std::borrow::Cow;

use super::error::BuildError;
use super::schema::{Row, Table};
use crate::format::ids::PageSize;
use crate::format::record::encode::{
    self, FIXED_START, FixedSlot, Instance, PlainValue, TaggedValue,
};
use crate::format::schema::{Fid, FidKind};

/// A long value id while it is not known yet.
const NO_LID: [u8; 8] = [0; 8];

/// The values of one row, ready to be encoded.
pub(super) struct Parts<'v> {
    fixed: Vec<PlainValue<'v>>,
    variable: Vec<PlainValue<'v>>,
    tagged: Vec<TaggedValue<'v>>,
}

/// A value that leaves its record: which column, which value of it, its bytes.
pub(super) struct Apart<'v> {
    column: usize,
    instance: usize,
    pub bytes: &'v [u8],
}

/// The fixed columns lie one after the other. [format notes 7.1]
pub(super) fn slots(table: &Table) -> Vec<FixedSlot> {
    let mut offset = FIXED_START as u16;
    let fixed = table.columns.iter().filter(|c| c.1.kind == FidKind::Fixed);
    fixed
        .map(|(fid, column)| {
            let size = column.max as u16;
            let slot = FixedSlot {
                fid: *fid,
                offset,
                size,
                pad: column.coltyp.padding(),
            };
            offset += size;
            slot
        })
        .collect()
}

/// Fills up the defaults of fixed columns, as their values are.
pub(super) fn fill_defaults(table: &mut Table) {
    let fixed = table.columns.iter_mut().map(|(_, column)| column);
    for column in fixed.filter(|column| column.kind == FidKind::Fixed) {
        let size = column.max as usize;
        if let Some(default) = column
            .default
            .as_mut()
            .filter(|d| (1..size).contains(&d.len()))
        {
            default.resize(size, column.coltyp.padding());
        }
    }
}

/// Checks that the columns exist; fills up fixed values, whose keys are those of the padded value.
pub(super) fn prepare<'r>(table: &Table, row: &'r Row) -> Result<Cow<'r, Row>, BuildError> {
    let mut padded = Cow::Borrowed(row);
    for (fid, values) in row.iter() {
        let column = table.column(fid).ok_or(BuildError::NoColumn(fid))?;
        let size = column.max as usize;
        if column.kind == FidKind::Fixed
            && let [value] = values
            && value.len() < size
        {
            let mut value = value.clone();
            value.resize(size, column.coltyp.padding());
            padded = Cow::Owned(padded.into_owned().null(fid).set(fid, value));
        }
    }
    Ok(padded)
}

/// The value number `instance` of a column, its default included.
pub(super) fn value<'v>(
    table: &'v Table,
    row: &'v Row,
    fid: Fid,
    instance: usize,
) -> Option<&'v [u8]> {
    match row.get(fid) {
        Some(values) => values.get(instance).map(|value| &value[..]),
        None if instance == 0 => table.column(fid)?.default.as_deref(),
        None => None,
    }
}

/// Number of values of a column, its default included.
pub(super) fn value_count(table: &Table, row: &Row, fid: Fid) -> usize {
    match row.get(fid) {
        Some(values) => values.len(),
        None => usize::from(value(table, row, fid, 0).is_some()),
    }
}

impl<'v> Parts<'v> {
    /// Everything intrinsic.
    pub fn new(table: &'v Table, row: &'v Row) -> Self {
        let plain = |kind| plain_values(table, row, kind);
        let tagged = row
            .iter()
            .filter(|(fid, _)| fid.kind() == FidKind::Tagged)
            .filter_map(|(fid, values)| {
                let column = table.column(fid)?;
                // A null needs to be said only where a default would speak. [format notes 7.2]
                let stored = !values.is_empty() || column.default.is_some();
                stored.then(|| TaggedValue {
                    fid,
                    derived: false,
                    long: column.coltyp.is_long(),
                    instances: values.iter().map(|v| Instance::Intrinsic(v)).collect(),
                })
            })
            .collect();
        Self {
            fixed: plain(FidKind::Fixed),
            variable: plain(FidKind::Variable),
            tagged,
        }
    }

    /// Replaces long values by placeholders until the record fits. [format notes 7.5: above the
    /// table's limit, and when the record would not fit]
    pub fn separate(
        &mut self,
        limits: RecordLimits,
        slots: &[FixedSlot],
        record: &mut Vec<u8>,
    ) -> Result<Vec<Apart<'v>>, BuildError> {
        let mut apart = Vec::new();
        while let Some((column, instance, bytes)) = self.longest(limits) {
            if bytes.len() <= limits.intrinsic_most {
                record.clear();
                self.encode(slots, limits.page_size, record)?;
                if record.len() <= limits.record_most {
                    break;
                }
            }
            let lid = &NO_LID[..limits.lid_bytes];
            self.tagged[column].instances[instance] = Instance::Separated(lid);
            apart.push(Apart {
                column,
                instance,
                bytes,
            });
        }
        apart.sort_unstable_by_key(|value| (value.column, value.instance));
        Ok(apart)
    }

    /// The longest value that may and should leave the record.
    fn longest(&self, limits: RecordLimits) -> Option<(usize, usize, &'v [u8])> {
        let columns = self.tagged.iter().enumerate().filter(|c| c.1.long);
        columns
            .flat_map(|(column, value)| {
                let instances = value.instances.iter().enumerate();
                instances.filter_map(move |(number, instance)| match instance {
                    Instance::Intrinsic(bytes) => Some((column, number, *bytes)),
                    Instance::Separated(_) => None,
                })
            })
            .filter(|(_, _, bytes)| bytes.len() > limits.lid_bytes)
            .max_by_key(|(_, _, bytes)| bytes.len())
    }

    /// Puts the id of a separated value in its place.
    pub fn set_lid(&mut self, apart: &Apart<'_>, lid: &'v [u8]) {
        self.tagged[apart.column].instances[apart.instance] = Instance::Separated(lid);
    }

    /// Appends the record.
    pub fn encode(
        &self,
        slots: &[FixedSlot],
        page_size: PageSize,
        record: &mut Vec<u8>,
    ) -> Result<(), BuildError> {
        let (fixed, variable) = (&self.fixed, &self.variable);
        encode::encode(slots, fixed, variable, &self.tagged, page_size, record)?;
        Ok(())
    }
}

/// What a record may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordLimits {
    pub page_size: PageSize,
    pub record_most: usize,
    pub intrinsic_most: usize,
    pub lid_bytes: usize,
}

/// Values and explicit nulls up to the last column that needs to be stored; defaults before it are
/// stored too. [format notes 7.2]
fn plain_values<'v>(table: &'v Table, row: &'v Row, kind: FidKind) -> Vec<PlainValue<'v>> {
    let speaks = |(fid, values): &(Fid, &[Vec<u8>])| {
        let has_default = table.column(*fid).is_some_and(|c| c.default.is_some());
        fid.kind() == kind && (!values.is_empty() || has_default)
    };
    let Some((last, _)) = row.iter().filter(speaks).last() else {
        return Vec::new();
    };
    let columns = table.columns.iter().map(|(fid, _)| *fid);
    columns
        .filter(|fid| fid.kind() == kind && *fid <= last)
        .map(|fid| PlainValue {
            fid,
            bytes: value(table, row, fid, 0),
        })
        .collect()
}
