//! Records of Exchange 5.5 in the newer layout. The engine converts a page when it first writes it, so that a tree may
//! hold both; a tree that is written anew holds one. [format notes 7.4]

use super::encode::{self, EncodeError, Instance as Stored, TaggedValue as NewColumn};
use super::fault::RecordFault;
use super::tagged::{Instance, TaggedHeader};
use super::{Record, RecordLayout};
use crate::format::ids::PageSize;

/// Why a record cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// It cannot be read.
    #[error(transparent)]
    Fault(#[from] RecordFault),
    /// It does not fit the newer layout.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Appends an old record to `out` as it is laid out on newer pages of this size. Fixed and variable columns are the same
/// in both.
///
/// # Errors
/// [`ConvertError`]; `out` may then hold a part of the record.
pub fn to_new(data: &[u8], size: PageSize, out: &mut Vec<u8>) -> Result<(), ConvertError> {
    let record = Record::with_layout(data, RecordLayout::Old)?;
    let area = record.tagged_bytes();
    out.extend_from_slice(&data[..data.len() - area.len()]);
    let mut ids: Vec<[u8; 8]> = Vec::new();
    for separated in record.separated() {
        ids.push(separated.lid.get().to_le_bytes());
    }
    let mut ids = ids.iter();
    let mut columns = Vec::new();
    for tagged in record.tagged() {
        let tagged = tagged?;
        let instances = tagged.values().map(|value| match value {
            Instance::Intrinsic { bytes, .. } => Stored::Intrinsic(bytes),
            // As many as were collected, in the same order.
            Instance::Separated(lid) => {
                let bytes = ids
                    .next()
                    .map_or(&[][..], |bytes| &bytes[..lid.record_len()]);
                Stored::Separated(bytes)
            }
        });
        columns.push(NewColumn {
            fid: tagged.fid,
            derived: tagged.derived,
            long: tagged.header.any(TaggedHeader::LONG),
            instances: instances.collect(),
        });
    }
    encode::push_tagged(&columns, size, out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::to_new;
    use crate::format::ids::PageSize;
    use crate::format::record::{Record, RecordLayout};
    use crate::format::schema::Fid;

    /// A short value, two long ones of one column, a separated one, a null.
    fn old() -> Vec<u8> {
        let mut data = vec![0, 127, 4, 0];
        let mut add = |fid: u16, flags: u16, bytes: &[u8]| {
            data.extend(fid.to_le_bytes());
            data.extend((bytes.len() as u16 | flags).to_le_bytes());
            data.extend(bytes);
        };
        add(256, 0, b"abc");
        add(257, 0x8000, b"\0first");
        add(257, 0x8000, b"\0second");
        add(258, 0x8000, &[1, 7, 0, 0, 0]);
        add(259, 0x4000, b"");
        data
    }

    #[test]
    fn values_stay_the_same() {
        for (size, layout) in [
            (PageSize::K4, RecordLayout::Small),
            (PageSize::K32, RecordLayout::Large),
        ] {
            let data = old();
            let mut new = Vec::new();
            to_new(&data, size, &mut new).unwrap();
            let (before, after) = (
                Record::with_layout(&data, RecordLayout::Old).unwrap(),
                Record::with_layout(&new, layout).unwrap(),
            );
            after
                .check(crate::format::record::CatalogLimits::ANY)
                .unwrap();
            for fid in 256..=260 {
                let values = |record: &Record<'_>| {
                    let tagged = record.find_tagged(Fid::new(fid), false).unwrap();
                    let values = |tagged: super::super::Tagged<'_>| {
                        let shown = tagged.values().map(|value| format!("{value:?}"));
                        shown.collect::<Vec<_>>()
                    };
                    tagged.map(values)
                };
                assert_eq!(values(&before), values(&after), "{fid}");
            }
            assert_eq!(before.separated().next().unwrap().lid.get(), 7);
        }
    }
}
