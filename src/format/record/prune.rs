//! A record without what is left of deleted columns: their data stay in the records when a column is deleted, and only
//! a rewriting of the table takes them out.
//!
//! ```text
//!  fixed      the place stays, as the columns behind it have their offsets in the catalog; it becomes null and zero
//!  variable   becomes null, of no length; those behind the last one that is left lose their place
//!  tagged     goes altogether
//! ```
//! [format notes 7.1, 7.4, 7.5]

use super::decode::{Field, Record, RecordLayout};
use super::fault::RecordFault;
use super::{tagged_new, tagged_old};
use crate::format::schema::{Fid, FidKind};

/// Null bit of a variable column's end offset.
const VARIABLE_NULL: u16 = 0x8000;

/// A fixed column that is to be taken out, and the bytes of the record that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedPlace {
    /// The column.
    pub fid: Fid,
    /// First byte, from the record's start.
    pub start: usize,
    /// The byte behind it, where the catalog tells: of the last column it does not.
    pub end: Option<usize>,
}

/// Columns of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnSet {
    fixed: Vec<FixedPlace>,
    variable: Vec<Fid>,
    tagged: Vec<(Fid, bool)>,
}

impl ColumnSet {
    /// Adds a fixed column.
    pub fn add_fixed(&mut self, place: FixedPlace) {
        self.fixed.push(place);
    }

    /// Adds a variable column, or a tagged one, which may belong to the template table.
    pub fn add(&mut self, fid: Fid, derived: bool) {
        match fid.kind() {
            FidKind::Fixed => {}
            FidKind::Variable => self.variable.push(fid),
            FidKind::Tagged => self.tagged.push((fid, derived)),
        }
    }

    /// True when there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.variable.is_empty() && self.tagged.is_empty()
    }

    /// True for a fixed or variable column of the set.
    #[must_use]
    pub fn has(&self, fid: Fid) -> bool {
        self.variable.contains(&fid) || self.fixed.iter().any(|place| place.fid == fid)
    }

    /// True for a tagged column of the set.
    #[must_use]
    pub fn has_tagged(&self, fid: Fid, derived: bool) -> bool {
        self.tagged.contains(&(fid, derived))
    }
}

/// Appends the record `data` to `out`, without what it holds of `columns`; false when it holds nothing of them: then nothing
/// is appended.
///
/// # Errors
/// [`RecordFault`]; `out` is then as it was.
pub fn without_columns(
    data: &[u8],
    layout: RecordLayout,
    columns: &ColumnSet,
    out: &mut Vec<u8>,
) -> Result<bool, RecordFault> {
    let record = Record::with_layout(data, layout)?;
    let start = out.len();
    let done = write(&record, columns, out);
    let changed = done.as_ref().is_ok_and(|()| out[start..] != *data);
    if !changed {
        out.truncate(start);
    }
    done.map(|()| changed)
}

fn write(record: &Record<'_>, columns: &ColumnSet, out: &mut Vec<u8>) -> Result<(), RecordFault> {
    let start = out.len();
    fixed(record, columns, out);
    variable(record, columns, start, out)?;
    let area = record.tagged_bytes();
    match record.layout() {
        RecordLayout::Old => old(area, columns, out),
        RecordLayout::Small => new(area, false, columns, out),
        RecordLayout::Large => new(area, true, columns, out),
    }
}

/// Header, fixed data, null bits.
fn fixed(record: &Record<'_>, columns: &ColumnSet, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&record.bytes()[..record.end_of_fixed()]);
    let bitmap = record.null_bits_at();
    for place in &columns.fixed {
        let Some(index) = usize::from(place.fid.get()).checked_sub(1) else {
            continue;
        };
        if place.fid > record.fixed_last() {
            continue;
        }
        out[start + bitmap + index / 8] |= 1 << (index % 8);
        let end = place.end.unwrap_or(bitmap).min(bitmap);
        if let Some(bytes) = out.get_mut(start + place.start..start + end) {
            bytes.fill(0);
        }
    }
}

/// End offsets and data.
fn variable(
    record: &Record<'_>,
    columns: &ColumnSet,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), RecordFault> {
    let last = record
        .variables()
        .map(|(fid, _)| fid)
        .filter(|fid| !columns.variable.contains(fid))
        .last()
        .unwrap_or(Fid::new(Fid::FIRST_VARIABLE.get() - 1));
    out[start + 1] = last.get() as u8;
    let table = out.len();
    let kept = || record.variables().take_while(|(fid, _)| *fid <= last);
    out.resize(table + 2 * kept().count(), 0);
    let data = out.len();
    for (index, (fid, field)) in kept().enumerate() {
        let field = field?;
        let mut null = 0;
        match field {
            Field::Value(bytes) if !columns.variable.contains(&fid) => out.extend_from_slice(bytes),
            _ => null = VARIABLE_NULL,
        }
        let word = (out.len() - data) as u16 | null;
        out[table + 2 * index..][..2].copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

/// The array with its new offsets, and the values.
fn new(
    area: &[u8],
    large: bool,
    columns: &ColumnSet,
    out: &mut Vec<u8>,
) -> Result<(), RecordFault> {
    let mut walk = tagged_new::NewColumns::new(area, large);
    let mut left = 0;
    while let Some((_, tagged)) = walk.step_raw()? {
        left += usize::from(!columns.has_tagged(tagged.fid, tagged.derived));
    }
    let start = out.len();
    out.resize(start + left * tagged_new::ELEMENT, 0);
    let mut at = start;
    let mut walk = tagged_new::NewColumns::new(area, large);
    let mask = walk.mask();
    while let Some((element, tagged)) = walk.step_raw()? {
        if columns.has_tagged(tagged.fid, tagged.derived) {
            continue;
        }
        // Not above the old offset, so that it fits.
        let word = element.word & !mask | (out.len() - start) as u16 & mask;
        out.extend_from_slice(element.bytes);
        out[at..at + 2].copy_from_slice(&tagged.fid.get().to_le_bytes());
        out[at + 2..at + tagged_new::ELEMENT].copy_from_slice(&word.to_le_bytes());
        at += tagged_new::ELEMENT;
    }
    Ok(())
}

/// One entry after the other.
fn old(area: &[u8], columns: &ColumnSet, out: &mut Vec<u8>) -> Result<(), RecordFault> {
    let mut walk = tagged_old::OldColumns::new(area);
    let mut rest = area;
    while let Some(tagged) = walk.step()? {
        if !columns.has_tagged(tagged.fid, tagged.derived) {
            out.extend_from_slice(&rest[..rest.len() - walk.rest().len()]);
        }
        rest = walk.rest();
    }
    // Too short for another entry.
    out.extend_from_slice(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ColumnSet, FixedPlace, without_columns};
    use crate::format::ids::PageSize;
    use crate::format::record::encode::{FixedSlot, Instance, PlainValue, TaggedValue, encode};
    use crate::format::record::{Field, Record, RecordLayout};
    use crate::format::schema::Fid;

    const FIXED: [FixedSlot; 3] = [
        FixedSlot {
            fid: Fid::new(1),
            offset: 4,
            size: 4,
            pad: 0,
        },
        FixedSlot {
            fid: Fid::new(2),
            offset: 8,
            size: 2,
            pad: 0,
        },
        FixedSlot {
            fid: Fid::new(3),
            offset: 10,
            size: 1,
            pad: 0,
        },
    ];

    fn plain(fid: u16, bytes: &[u8]) -> PlainValue<'_> {
        PlainValue {
            fid: Fid::new(fid),
            bytes: Some(bytes),
        }
    }

    fn tagged(fid: u16, bytes: &[u8]) -> TaggedValue<'_> {
        TaggedValue {
            fid: Fid::new(fid),
            derived: false,
            long: true,
            instances: vec![Instance::Intrinsic(bytes)],
        }
    }

    fn record(size: PageSize, tags: &[u16], variables: &[u16]) -> Vec<u8> {
        let fixed = [
            plain(1, b"\x01\x02\x03\x04"),
            plain(2, b"\x05\x06"),
            plain(3, b"\x07"),
        ];
        let variable: Vec<_> = variables.iter().map(|fid| plain(*fid, b"var")).collect();
        let tagged: Vec<_> = tags.iter().map(|fid| tagged(*fid, b"value")).collect();
        let mut data = Vec::new();
        encode(&FIXED, &fixed, &variable, &tagged, size, &mut data).unwrap();
        data
    }

    fn set(fixed: &[(u16, usize, Option<usize>)], others: &[u16]) -> ColumnSet {
        let mut set = ColumnSet::default();
        for (fid, start, end) in fixed {
            set.add_fixed(FixedPlace {
                fid: Fid::new(*fid),
                start: *start,
                end: *end,
            });
        }
        for fid in others {
            set.add(Fid::new(*fid), false);
        }
        set
    }

    #[test]
    fn what_is_left_is_as_if_the_columns_had_never_been() {
        for size in [PageSize::K8, PageSize::K32] {
            let layout = RecordLayout::new(size.is_large(), true);
            let before = record(size, &[256, 257, 300], &[128, 129, 130]);
            let mut after = Vec::new();
            let columns = set(&[(2, 8, Some(10))], &[130, 257]);
            assert!(without_columns(&before, layout, &columns, &mut after).unwrap());
            let view = Record::with_layout(&after, layout).unwrap();
            assert_eq!(view.fixed(Fid::new(2), 8, 2).unwrap(), Field::Null);
            assert_eq!(
                view.fixed(Fid::new(3), 10, 1).unwrap(),
                Field::Value(b"\x07")
            );
            assert_eq!(&view.fixed_bytes()[4..6], [0, 0]);
            assert_eq!(view.variable_last(), Fid::new(129));
            // The same as a record that never had them, but for the fixed column.
            let expected = record(size, &[256, 300], &[128, 129]);
            assert_eq!(
                after[view.end_of_fixed()..],
                expected[view.end_of_fixed()..]
            );
            // Nothing of them is left.
            let mut again = Vec::new();
            assert!(!without_columns(&after, layout, &columns, &mut again).unwrap());
            assert!(again.is_empty());
        }
    }

    #[test]
    fn a_variable_column_between_others_keeps_its_place() {
        let layout = RecordLayout::Small;
        let before = record(PageSize::K4, &[], &[128, 129, 130]);
        let mut after = Vec::new();
        assert!(without_columns(&before, layout, &set(&[], &[129]), &mut after).unwrap());
        let view = Record::with_layout(&after, layout).unwrap();
        assert_eq!(view.variable(Fid::new(129)).unwrap(), Field::Null);
        assert_eq!(view.variable(Fid::new(130)).unwrap(), Field::Value(b"var"));
        assert!(view.tagged_bytes().is_empty());
        // All of them.
        let mut none = Vec::new();
        let all = set(&[], &[128, 129, 130]);
        assert!(without_columns(&before, layout, &all, &mut none).unwrap());
        let view = Record::with_layout(&none, layout).unwrap();
        assert_eq!(view.variable_last(), Fid::new(127));
        assert_eq!(none.len(), view.end_of_fixed());
    }

    #[test]
    fn the_old_layout_loses_its_entries() {
        // No fixed, no variable columns; two entries of three bytes.
        let mut data = vec![0, 127, 4, 0];
        for fid in [256u16, 257] {
            data.extend_from_slice(&fid.to_le_bytes());
            data.extend_from_slice(&3u16.to_le_bytes());
            data.extend_from_slice(b"abc");
        }
        let mut after = Vec::new();
        let changed = without_columns(&data, RecordLayout::Old, &set(&[], &[256]), &mut after);
        assert!(changed.unwrap());
        assert_eq!(after, [&data[..4], &data[11..]].concat());
    }
}
