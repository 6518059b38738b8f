//! New rows of the catalog: for databases made from nothing, and for tables whose own rows are lost.
//!
//! A row with no column after [`fid::RECORD_OFFSET`] and without tagged columns is
//! the same in every revision, on every page size and in every record layout; these are such rows. [format notes 6.2, 7.1]

use super::columns::{FIXED, fid};
use crate::format::ids::{Objid, PageSize, Pgno};
use crate::format::keys::{KeyLimits, NoSortKeys, SegmentType, build_key};
use crate::format::record::encode::{self, EncodeError, FixedSlot, PlainValue};
use crate::format::schema::{CatalogType, Coltyp, Fid, FidKind};

/// Default fill of pages in percent. [verified: 0x50 in catalogs of engine-written databases]
pub const DENSITY: u8 = 80;
/// Long value trees are only ever appended to. [verified: density 0x64 in their catalog rows]
pub const LV_DENSITY: u8 = 100;
/// Name of every long value tree. [format notes 6.3]
const LV_NAME: &str = "LV";
/// Root flag of table rows: true.
const ROOT_FLAG: u8 = 0xFF;
/// Longest name. [engine: JET_cbNameMost]
pub const NAME_MOST: usize = 64;

/// A row of the catalog that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// Object id of the table.
    pub table: Objid,
    /// What the row describes.
    pub kind: CatalogType,
    /// Object id (table, index, long values) or column id.
    pub id: u32,
    /// Name, in code page 1252.
    pub name: Vec<u8>,
    /// Type, or root page.
    pub coltyp_or_root: u32,
    /// Longest value, or density.
    pub space_usage: u32,
    /// Flags.
    pub flags: u32,
    /// Pages, code page or language.
    pub pages_or_locale: u32,
    /// Offset of a fixed column.
    pub record_offset: Option<u16>,
}

/// A tree as its row describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTree {
    /// Its object; that of the table for the table's own tree.
    pub objid: Objid,
    /// Its root.
    pub root: Pgno,
    /// Fill factor in percent.
    pub density: u8,
}

/// A column as its row describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewColumn {
    /// Id.
    pub fid: Fid,
    /// Type.
    pub coltyp: Coltyp,
    /// Longest value in bytes; 0 for no limit.
    pub max: u32,
    /// See [`column_flags`](crate::format::schema::column_flags).
    pub flags: u32,
    /// 1252, 1200, or 0.
    pub code_page: u16,
    /// Offset in the record; of account for fixed columns only.
    pub offset: u16,
}

impl NewRow {
    fn tree(table: Objid, kind: CatalogType, tree: NewTree, name: &str) -> Self {
        Self {
            table,
            kind,
            id: tree.objid.get(),
            name: name.as_bytes().to_vec(),
            coltyp_or_root: tree.root.get(),
            space_usage: tree.density.into(),
            flags: 0,
            pages_or_locale: 0,
            record_offset: None,
        }
    }

    /// The row of a table with the first extent of `pages`.
    #[must_use]
    pub fn table(tree: NewTree, name: &str, flags: u32, pages: u32) -> Self {
        Self {
            flags,
            pages_or_locale: pages,
            ..Self::tree(tree.objid, CatalogType::Table, tree, name)
        }
    }

    /// The row of a column of `table`.
    #[must_use]
    pub fn column(table: Objid, name: &str, column: NewColumn) -> Self {
        Self {
            table,
            kind: CatalogType::Column,
            id: column.fid.get().into(),
            name: name.as_bytes().to_vec(),
            coltyp_or_root: column.coltyp.number(),
            space_usage: column.max,
            flags: column.flags,
            pages_or_locale: column.code_page.into(),
            record_offset: (column.fid.kind() == FidKind::Fixed).then_some(column.offset),
        }
    }

    /// The row of an index, as far as all indexes have it: what its key is made of stands in further columns.
    #[must_use]
    pub fn index(table: Objid, tree: NewTree, name: &str, flags: u32, locale: u32) -> Self {
        Self {
            flags,
            pages_or_locale: locale,
            ..Self::tree(table, CatalogType::Index, tree, name)
        }
    }

    /// The row of a table's long value tree, the first extent of which is one page.
    #[must_use]
    pub fn long_values(table: Objid, objid: Objid, root: Pgno) -> Self {
        let tree = NewTree {
            objid,
            root,
            density: LV_DENSITY,
        };
        Self {
            pages_or_locale: 1,
            ..Self::tree(table, CatalogType::LongValue, tree, LV_NAME)
        }
    }

    /// The columns that the row stores, in order of their ids.
    #[must_use]
    pub fn values(&self) -> Vec<(Fid, Vec<u8>)> {
        let long = |number: u32| number.to_le_bytes().to_vec();
        let mut values = vec![
            (fid::OBJID_TABLE, long(self.table.get())),
            (fid::TYPE, (self.kind as i16 + 1).to_le_bytes().to_vec()),
            (fid::ID, long(self.id)),
            (fid::COLTYP_OR_PGNO, long(self.coltyp_or_root)),
            (fid::SPACE_USAGE, long(self.space_usage)),
            (fid::FLAGS, long(self.flags)),
            (fid::PAGES_OR_LOCALE, long(self.pages_or_locale)),
        ];
        if self.kind == CatalogType::Table {
            values.push((fid::ROOT_FLAG, vec![ROOT_FLAG]));
        }
        if let Some(offset) = self.record_offset {
            values.push((fid::RECORD_OFFSET, offset.to_le_bytes().to_vec()));
        }
        values.push((fid::NAME, self.name.clone()));
        values
    }

    /// Replaces `key` by the row's key in the catalog. [format notes 6.1]
    pub fn key(&self, key: &mut Vec<u8>) {
        let fixed = |coltyp| SegmentType {
            fixed: true,
            ..SegmentType::ascending(coltyp)
        };
        let (table, id) = (self.table.get().to_le_bytes(), self.id.to_le_bytes());
        let kind = (self.kind as i16 + 1).to_le_bytes();
        let segments = [
            (fixed(Coltyp::Long), Some(&table[..])),
            (fixed(Coltyp::Short), Some(&kind[..])),
            (fixed(Coltyp::Long), Some(&id[..])),
        ];
        build_key(segments, KeyLimits::default(), &NoSortKeys, key);
    }

    /// Appends the row's record, which is the same in all record layouts.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] for a name that no catalog may have.
    pub fn encode(&self, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        let slots: Vec<FixedSlot> = (1..)
            .zip(FIXED)
            .map(|(number, (_, coltyp, offset))| FixedSlot {
                fid: Fid::new(number),
                offset,
                size: coltyp.fixed_size().unwrap_or_default() as u16,
                pad: 0,
            })
            .collect();
        let values = self.values();
        let plain: Vec<PlainValue<'_>> = values
            .iter()
            .map(|(fid, bytes)| PlainValue {
                fid: *fid,
                bytes: Some(bytes),
            })
            .collect();
        let (fixed, variable) =
            plain.split_at(plain.partition_point(|value| value.fid.kind() == FidKind::Fixed));
        // The page size is of account for tagged columns only.
        encode::encode(&slots, fixed, variable, &[], PageSize::K4, into)
    }
}

/// True for what the engine takes as the name of a table: 1 to 64 characters, none of `!.[]` or control characters, no
/// space at either end. (It takes characters outside of ASCII too, which none of our names has.) [engine: JET_errInvalidName]
#[must_use]
pub fn is_name(name: &str) -> bool {
    let good = |byte: u8| matches!(byte, b' '..=b'~') && !b"!.[]".contains(&byte);
    (1..=NAME_MOST).contains(&name.len())
        && name.bytes().all(good)
        && !name.starts_with(' ')
        && !name.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::{NewColumn, NewRow, NewTree, is_name};
    use crate::format::ids::{Objid, Pgno};
    use crate::format::schema::{Coltyp, Fid};

    fn written(row: &NewRow) -> (Vec<u8>, Vec<u8>) {
        let (mut key, mut data) = (Vec::new(), Vec::new());
        row.key(&mut key);
        row.encode(&mut data).expect("a row");
        (key, data)
    }

    /// Rows of every engine-made database. [format notes 15.3]
    #[test]
    fn rows_of_the_catalog_about_itself() {
        let tree = NewTree {
            objid: Objid::CATALOG,
            root: Pgno::new(4),
            density: 80,
        };
        let (key, data) = written(&NewRow::table(tree, "MSysObjects", 0xC000_0000, 20));
        assert_eq!(key, b"\x7F\x80\0\0\x02\x7F\x80\x01\x7F\x80\0\0\x02");
        let expected = b"\x08\x80\x20\0\x02\0\0\0\x01\0\x02\0\0\0\x04\0\0\0\x50\0\0\0\
            \0\0\0\xC0\x14\0\0\0\xFF\0\x0B\0MSysObjects";
        assert_eq!(data, expected);

        let column = NewColumn {
            fid: Fid::new(1),
            coltyp: Coltyp::Long,
            max: 4,
            flags: 1,
            code_page: 1252,
            offset: 4,
        };
        let (_, data) = written(&NewRow::column(Objid::CATALOG, "ObjidTable", column));
        let expected = b"\x09\x80\x23\0\x02\0\0\0\x02\0\x01\0\0\0\x04\0\0\0\x04\0\0\0\
            \x01\0\0\0\xE4\x04\0\0\x2A\x04\0\x80\xFE\x0A\0ObjidTable";
        assert_eq!(data, expected);
    }

    #[test]
    fn names() {
        for name in ["a", "recovered-17", "two words", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            " a",
            "a ",
            "a.b",
            "[a",
            "a]",
            "a!",
            "a\n",
            "\u{e9}",
            &"x".repeat(65),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
