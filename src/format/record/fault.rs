//! What can be wrong with a record. [format notes 13.5]

use crate::format::lv::Lid;
use crate::format::schema::Fid;

/// A contradiction inside a record, or between it and the catalog. The messages are the engine's,
/// so that a report can be compared with one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// Shorter than a header, or longer than any record of the page size. Engine: "Record is an
    /// invalid size."
    #[error("Record is an invalid size.")]
    Size,
    /// The null bitmap does not fit between header and variable columns. Engine: "Record corrupted:
    /// PbFixedNullBitMap is past the end of the record".
    #[error("Record corrupted: PbFixedNullBitMap is past the end of the record")]
    NullBitmap,
    /// The variable offset table leaves the record. Engine: "Record corrupted: PbVarData is past the
    /// end of the record".
    #[error("Record corrupted: PbVarData is past the end of the record")]
    VariableTable,
    /// The variable data leave the record. Engine: "Record corrupted: PbTaggedData is past the end
    /// of the record" (the check of the tagged array alone says "Start of tagged columns is out of
    /// record range.").
    #[error("Record corrupted: PbTaggedData is past the end of the record")]
    TaggedStart,
    /// A fixed column that the table does not have. Engine: "Record corrupted: last fixed column ID
    /// not in catalog (fid: %d, catalog last: %d)".
    #[error(
        "Record corrupted: last fixed column ID not in catalog (fid: {fid}, catalog last: {last})"
    )]
    FixedNotInCatalog {
        /// The record's last.
        fid: Fid,
        /// The catalog's last.
        last: Fid,
    },
    /// A variable column that the table does not have. Engine: "Record corrupted: last variable
    /// column ID not in catalog (fid: %d, catalog last: %d)".
    #[error(
        "Record corrupted: last variable column ID not in catalog (fid: {fid}, catalog last: {last})"
    )]
    VariableNotInCatalog {
        /// The record's last.
        fid: Fid,
        /// The catalog's last.
        last: Fid,
    },
    /// A tagged column that the table does not have. Engine: "Record corrupted: last tagged column
    /// ID not in catalog (fid: %d, catalog last: %d)".
    #[error(
        "Record corrupted: last tagged column ID not in catalog (fid: {fid}, catalog last: {last})"
    )]
    TaggedNotInCatalog {
        /// The record's last own tagged column.
        fid: Fid,
        /// The catalog's last.
        last: Fid,
    },
    /// A fixed column at an offset where the record has none; the catalog is at fault as well as the
    /// record may be. The engine has no such check.
    #[error("Record corrupted: fixed column {fid} lies outside the fixed columns of the record")]
    FixedOutside {
        /// The column.
        fid: Fid,
    },
    /// A variable column ends before it starts. Engine: "Record corrupted: variable field offsets
    /// not increasing (fid: %d, start: %d, end: %d)".
    #[error(
        "Record corrupted: variable field offsets not increasing (fid: {fid}, start: {start}, end: {end})"
    )]
    VariableOrder {
        /// The column.
        fid: Fid,
        /// End of the column before.
        start: u16,
        /// Its own end.
        end: u16,
    },
    /// A null variable column has data. Engine: "Record corrupted: NULL variable field not zero
    /// length (fid: %d, length: %d)".
    #[error("Record corrupted: NULL variable field not zero length (fid: {fid}, length: {len})")]
    VariableNullNotEmpty {
        /// The column.
        fid: Fid,
        /// Its length.
        len: u16,
    },
    /// A variable column starts after the record's end. Engine: "Record corrupted: variable field is
    /// not in record (fid: %d, length: %d)".
    #[error("Record corrupted: variable field is not in record (fid: {fid}, length: {len})")]
    VariableOutside {
        /// The column.
        fid: Fid,
        /// Its length.
        len: u16,
    },
    /// A variable column ends after the record's end. Engine: "Record corrupted: variable field is
    /// too long (fid: %d, length: %d)".
    #[error("Record corrupted: variable field is too long (fid: {fid}, length: {len})")]
    VariableTooLong {
        /// The column.
        fid: Fid,
        /// Its length.
        len: u16,
    },
    /// The first offset, which tells the number of tagged columns, cannot be. Engine: "First TAGFLD
    /// has an invalid Ib."
    #[error("First TAGFLD has an invalid Ib.")]
    FirstTagged,
    /// A fixed or variable column id in the tagged array. Engine: "FID %d is not a tagged column."
    #[error("FID {fid} is not a tagged column.")]
    NotTagged {
        /// The column.
        fid: Fid,
    },
    /// A derived column after an own one. Engine: "Derived/NonDerived columns out of order."
    #[error("Derived/NonDerived columns out of order.")]
    DerivedOrder,
    /// Engine: "Columns are not in monotonically-increasing FID order (FID %d <= FID %d)."
    #[error("Columns are not in monotonically-increasing FID order (FID {fid} <= FID {previous}).")]
    TaggedOrder {
        /// The column.
        fid: Fid,
        /// The one before it.
        previous: Fid,
    },
    /// Engine: "TAGFLD %d either overlaps previous TAGFLD or is out of record range."
    #[error("TAGFLD {fid} either overlaps previous TAGFLD or is out of record range.")]
    TaggedOverlap {
        /// The column.
        fid: Fid,
    },
    /// Engine: "TAGFLD %d has both NULL and ExtendedInfo flags set."
    #[error("TAGFLD {fid} has both NULL and ExtendedInfo flags set.")]
    NullAndExtended {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Current TAGFLD is NULL but not zero-length."
    #[error("Current TAGFLD is NULL but not zero-length.")]
    NullNotEmpty {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Last TAGFLD is NULL but does not point to the end of the tagged data."
    #[error("Last TAGFLD is NULL but does not point to the end of the tagged data.")]
    LastNullNotAtEnd {
        /// The column.
        fid: Fid,
    },
    /// Engine: "TAGFLD header (%x) has invalid bits set."
    #[error("TAGFLD header ({header:x}) has invalid bits set.")]
    HeaderBits {
        /// The header byte.
        header: u8,
    },
    /// A header byte that a small page would not need, or none where there must be one (then the
    /// engine takes the next column's byte for it). Engine: "Column %d has inappropriate header
    /// byte."
    #[error("Column {fid} has inappropriate header byte.")]
    Header {
        /// The column.
        fid: Fid,
    },
    /// Engine: "TAGFLD %d is marked as TwoValues but not MultiValues."
    #[error("TAGFLD {fid} is marked as TwoValues but not MultiValues.")]
    TwoNotMulti {
        /// The column.
        fid: Fid,
    },
    /// Engine: "TAGFLD %d is marked as TwoValues but cannot be a LongValue, or Separated."
    #[error("TAGFLD {fid} is marked as TwoValues but cannot be a LongValue, or Separated.")]
    TwoLong {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Column is too small to contain TwoValues."
    #[error("Column is too small to contain TwoValues.")]
    TwoTooSmall {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Column is larger than maximum possible size for TWOVALUES."
    #[error("Column is larger than maximum possible size for TWOVALUES.")]
    TwoTooLarge {
        /// The column.
        fid: Fid,
    },
    /// Engine: "First TWOVALUE is too long."
    #[error("First TWOVALUE is too long.")]
    TwoFirstTooLong {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Column is too small to contain MultiValues."
    #[error("Column is too small to contain MultiValues.")]
    MultiTooSmall {
        /// The column.
        fid: Fid,
    },
    /// Engine: "First MULTIVALUE has invalid Ib."
    #[error("First MULTIVALUE has invalid Ib.")]
    MultiFirst {
        /// The column.
        fid: Fid,
    },
    /// Engine: "MULTIVALUE either overlaps previous MULTIVALUE or is out of TAGFLD range."
    #[error("MULTIVALUE either overlaps previous MULTIVALUE or is out of TAGFLD range.")]
    MultiOverlap {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Separated multi-value list not currently supported."
    #[error("Separated multi-value list not currently supported.")]
    MultiSeparated {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Separated column %d is not a LongValue."
    #[error("Separated column {fid} is not a LongValue.")]
    SeparatedNotLong {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Separated column %d has invalid LID."
    #[error("Separated column {fid} has invalid LID.")]
    BadLid {
        /// The column.
        fid: Fid,
    },
    /// Engine: "Column %d is greater than 255 bytes, but is not a LongValue column."
    #[error("Column {fid} is greater than 255 bytes, but is not a LongValue column.")]
    TooLong {
        /// The column.
        fid: Fid,
    },
    /// A separated value in a table that has no long value tree. Engine: "separated LV was not
    /// expected (columnid: %d, itag: %d, lid: 0x%I64x)".
    #[error("separated LV was not expected (columnid: {fid}, itag: {itag}, lid: {lid})")]
    SeparatedUnexpected {
        /// The column.
        fid: Fid,
        /// Which of its values, from 1 on.
        itag: u16,
        /// The reference.
        lid: Lid,
    },
}
