//! The columns of the catalog's own table, which are the same in every database. [format notes 6.2, verified]

use crate::format::schema::Coltyp;

/// Column ids.
pub mod fid {
    use crate::format::schema::Fid;

    /// Object id of the table that a row belongs to.
    pub const OBJID_TABLE: Fid = Fid::new(1);
    /// What a row describes.
    pub const TYPE: Fid = Fid::new(2);
    /// Object id, or column id.
    pub const ID: Fid = Fid::new(3);
    /// A column's type, or a tree's root.
    pub const COLTYP_OR_PGNO: Fid = Fid::new(4);
    /// Longest value of a column, or density of a tree.
    pub const SPACE_USAGE: Fid = Fid::new(5);
    /// Flags.
    pub const FLAGS: Fid = Fid::new(6);
    /// First pages of a tree, code page of a column, or language of an index.
    pub const PAGES_OR_LOCALE: Fid = Fid::new(7);
    /// True for tables, else null.
    pub const ROOT_FLAG: Fid = Fid::new(8);
    /// Where a fixed column lies.
    pub const RECORD_OFFSET: Fid = Fid::new(9);
    /// Flags of an index's sort keys.
    pub const LCMAP_FLAGS: Fid = Fid::new(10);
    /// Longest key of an index.
    pub const KEY_MOST: Fid = Fid::new(11);
    /// Chunk size of a table's long values.
    pub const LV_CHUNK_MAX: Fid = Fid::new(12);
    /// When a root was last set.
    pub const ROOT_SET_TIME: Fid = Fid::new(13);
    /// Name.
    pub const NAME: Fid = Fid::new(128);
    /// Template of a table, or callback of a column.
    pub const TEMPLATE: Fid = Fid::new(130);
    /// Default value of a column.
    pub const DEFAULT_VALUE: Fid = Fid::new(131);
    /// Columns of an index.
    pub const KEY_FIDS: Fid = Fid::new(132);
    /// Longest segment of an index.
    pub const VAR_SEG_MAC: Fid = Fid::new(133);
    /// Conditions of an index.
    pub const CONDITIONS: Fid = Fid::new(134);
    /// Limits of a tuple index.
    pub const TUPLE_LIMITS: Fid = Fid::new(135);
    /// Version of an index's sort order.
    pub const VERSION: Fid = Fid::new(136);
    /// Its GUID.
    pub const SORT_ID: Fid = Fid::new(137);
    /// What a column's callback gets.
    pub const CALLBACK_DATA: Fid = Fid::new(256);
    /// Space hints.
    pub const SPACE_HINTS: Fid = Fid::new(259);
    /// Space hints of a long value tree that is not there yet.
    pub const DEFERRED_LV_HINTS: Fid = Fid::new(260);
    /// Name of an index's locale.
    pub const LOCALE_NAME: Fid = Fid::new(261);
}

/// Fixed columns from id 1 on: name, type, offset in the record. Older revisions lack the last ones.
pub const FIXED: [(&str, Coltyp, u16); 13] = [
    ("ObjidTable", Coltyp::Long, 4),
    ("Type", Coltyp::Short, 8),
    ("Id", Coltyp::Long, 10),
    ("ColtypOrPgnoFDP", Coltyp::Long, 14),
    ("SpaceUsage", Coltyp::Long, 18),
    ("Flags", Coltyp::Long, 22),
    ("PagesOrLocale", Coltyp::Long, 26),
    ("RootFlag", Coltyp::Bit, 30),
    ("RecordOffset", Coltyp::Short, 31),
    ("LCMapFlags", Coltyp::Long, 33),
    ("KeyMost", Coltyp::UnsignedShort, 37),
    ("LVChunkMax", Coltyp::Long, 39),
    ("PgnoFDPLastSetTime", Coltyp::DateTime, 43),
];

/// Variable columns from id 128 on.
pub const VARIABLE: [(&str, Coltyp); 10] = [
    ("Name", Coltyp::Text),
    ("Stats", Coltyp::Binary),
    ("TemplateTable", Coltyp::Text),
    ("DefaultValue", Coltyp::Binary),
    ("KeyFldIDs", Coltyp::Binary),
    ("VarSegMac", Coltyp::Binary),
    ("ConditionalColumns", Coltyp::Binary),
    ("TupleLimits", Coltyp::Binary),
    ("Version", Coltyp::Binary),
    ("SortID", Coltyp::Binary),
];

/// Tagged columns from id 256 on, all long binary.
pub const TAGGED: [&str; 6] = [
    "CallbackData",
    "CallbackDependencies",
    "SeparateLV",
    "SpaceHints",
    "SpaceDeferredLVHints",
    "LocaleName",
];

/// Where fixed column `fid` lies in a row, and its size; `None` when there is no such column.
#[must_use]
pub fn place(fid: u32) -> Option<(usize, usize)> {
    let index = usize::try_from(fid).ok()?.checked_sub(1)?;
    let (_, coltyp, offset) = FIXED.get(index)?;
    Some(((*offset).into(), coltyp.fixed_size()?))
}

#[cfg(test)]
mod tests {
    use super::{FIXED, place};

    #[test]
    fn fixed_columns_follow_one_another() {
        let mut end = 4;
        for number in 1..=FIXED.len() {
            let (offset, size) = place(number as u32).expect("a column");
            assert_eq!(offset, end, "{number}");
            end += size;
        }
        assert_eq!(end, 51);
        assert_eq!((place(0), place(14)), (None, None));
    }
}
