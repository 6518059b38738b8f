//! One row of the catalog. The layout of its own table is fixed, so that the catalog can be read
//! before anything is known. [format notes 6.2, verified]

use super::columns::{fid, place};
use crate::db::catalog::{Column, Index, LongValueTree, TupleLimits};
use crate::format::bytes::{u16_at, u32_at, u64_at};
use crate::format::ids::{Objid, Pgno};
use crate::format::keys::{KeyLimits, NoSortKeys, SegmentType, build_key};
use crate::format::page::Page;
use crate::format::record::{Field, Instance, Record, RecordFault, RecordLayout};
use crate::format::schema::{CatalogType, Coltyp, Fid, FidKind, KeySegment, column_flags};

/// Flags of the sort key function when the catalog names none: sort key, ignore case, kana, width.
const DEFAULT_MAP_FLAGS: u32 = 0x3_0401;
/// Longest key when the catalog names none.
const DEFAULT_KEY_MOST: u16 = 255;
/// Longest value of a fixed column.
const FIXED_MOST: u32 = 255;

/// Why a catalog row cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// The record itself is broken.
    #[error(transparent)]
    Record(#[from] RecordFault),
    /// A column that every row has is not there.
    #[error("catalog row without column {0}")]
    Missing(Fid),
    /// A type of row that is not known.
    #[error("catalog row of type {0}")]
    Kind(i16),
}

/// A catalog row, columns by their meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    /// Object id of the table.
    pub table: Objid,
    /// What the row describes.
    pub kind: CatalogType,
    /// Object id (table, index, long values) or column id.
    pub id: u32,
    /// Column type, or root page.
    pub coltyp_or_root: u32,
    /// Longest value, or density.
    pub space_usage: u32,
    /// Flags.
    pub flags: u32,
    /// Pages, code page or language.
    pub pages_or_locale: u32,
    /// Offset of a fixed column.
    pub record_offset: u16,
    /// Flags of the sort key function.
    pub map_flags: Option<u32>,
    /// Longest key.
    pub key_most: Option<u16>,
    /// Long value chunk size.
    pub lv_chunk_max: Option<u32>,
    /// FILETIME.
    pub root_set_time: u64,
    /// Name, code page 1252.
    pub name: String,
    /// The same as stored.
    pub name_bytes: Vec<u8>,
    /// Template table, or callback.
    pub template: Option<String>,
    /// Longest variable segment.
    pub var_seg_mac: Option<u16>,
    /// The sort order's GUID, as stored.
    pub sort_id: Vec<u8>,
    /// Length of the data that a column's callback gets.
    pub callback_data_len: usize,
    /// Space hints, packed. [format notes 6.8]
    pub space_hints: Vec<u8>,
    /// Space hints of a long value tree that does not exist yet, packed.
    pub deferred_lv_hints: Vec<u8>,
    /// Default value of a column, as stored.
    pub default: Option<Vec<u8>>,
    key_fids: Vec<u8>,
    conditions: Vec<u8>,
    tuple_limits: Vec<u8>,
    version: Vec<u8>,
    locale: Option<String>,
}

impl CatalogRow {
    /// Reads the data of a node of the catalog's tree.
    ///
    /// # Errors
    /// [`RowFault`].
    pub fn parse(data: &[u8], page: Page<'_>) -> Result<Self, RowFault> {
        Self::with_layout(data, RecordLayout::of_page(page))
    }

    /// Reads a row that is no longer on its page; `layout` is what the page's records have.
    ///
    /// # Errors
    /// [`RowFault`].
    pub fn with_layout(data: &[u8], layout: RecordLayout) -> Result<Self, RowFault> {
        let record = Record::with_layout(data, layout)?;
        let fixed = |fid: Fid| -> Result<Option<&[u8]>, RecordFault> {
            match place(fid.get().into()) {
                Some((offset, size)) => Ok(record.fixed(fid, offset, size)?.value()),
                None => Ok(None),
            }
        };
        let long = |fid: Fid| -> Result<Option<u32>, RecordFault> {
            Ok(fixed(fid)?.and_then(|bytes| u32_at(bytes, 0)))
        };
        let short = |fid: Fid| -> Result<Option<u16>, RecordFault> {
            Ok(fixed(fid)?.and_then(|bytes| u16_at(bytes, 0)))
        };
        let needed = |fid: Fid| long(fid)?.ok_or(RowFault::Missing(fid));
        let variable = |fid: Fid| -> Result<Option<&[u8]>, RecordFault> {
            match record.variable(fid)? {
                Field::Value(bytes) => Ok(Some(bytes)),
                Field::Absent | Field::Null => Ok(None),
            }
        };
        let bytes = |fid| Ok::<_, RecordFault>(variable(fid)?.unwrap_or_default().to_vec());
        let long_bytes = |fid| Ok::<_, RecordFault>(tagged(&record, fid)?.unwrap_or_default());
        let kind = short(fid::TYPE)?.ok_or(RowFault::Missing(fid::TYPE))? as i16;
        Ok(Self {
            table: Objid::new(needed(fid::OBJID_TABLE)?),
            kind: CatalogType::from_catalog(kind).ok_or(RowFault::Kind(kind))?,
            id: needed(fid::ID)?,
            coltyp_or_root: needed(fid::COLTYP_OR_PGNO)?,
            space_usage: long(fid::SPACE_USAGE)?.unwrap_or_default(),
            flags: long(fid::FLAGS)?.unwrap_or_default(),
            pages_or_locale: long(fid::PAGES_OR_LOCALE)?.unwrap_or_default(),
            record_offset: short(fid::RECORD_OFFSET)?.unwrap_or_default(),
            map_flags: long(fid::LCMAP_FLAGS)?,
            key_most: short(fid::KEY_MOST)?,
            lv_chunk_max: long(fid::LV_CHUNK_MAX)?,
            root_set_time: fixed(fid::ROOT_SET_TIME)?
                .and_then(|bytes| u64_at(bytes, 0))
                .unwrap_or_default(),
            name: ansi(variable(fid::NAME)?.unwrap_or_default()),
            name_bytes: bytes(fid::NAME)?,
            template: variable(fid::TEMPLATE)?
                .map(ansi)
                .filter(|name| !name.is_empty()),
            sort_id: bytes(fid::SORT_ID)?,
            callback_data_len: long_bytes(fid::CALLBACK_DATA)?.len(),
            space_hints: long_bytes(fid::SPACE_HINTS)?,
            deferred_lv_hints: long_bytes(fid::DEFERRED_LV_HINTS)?,
            default: variable(fid::DEFAULT_VALUE)?.map(<[u8]>::to_vec),
            key_fids: bytes(fid::KEY_FIDS)?,
            conditions: bytes(fid::CONDITIONS)?,
            var_seg_mac: variable(fid::VAR_SEG_MAC)?.and_then(|bytes| u16_at(bytes, 0)),
            tuple_limits: bytes(fid::TUPLE_LIMITS)?,
            version: bytes(fid::VERSION)?,
            locale: tagged(&record, fid::LOCALE_NAME)?.map(|bytes| utf16(&bytes)),
        })
    }

    /// The key that a row belongs under: table, type, id. \[format notes 6.1\]
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let fixed = |coltyp| SegmentType {
            fixed: true,
            ..SegmentType::ascending(coltyp)
        };
        let (table, kind) = (self.table.get().to_le_bytes(), self.kind as i16 + 1);
        let segments = [
            (fixed(Coltyp::Long), Some(&table[..])),
            (fixed(Coltyp::Short), Some(&kind.to_le_bytes()[..])),
            (fixed(Coltyp::Long), Some(&self.id.to_le_bytes()[..])),
        ];
        let mut key = Vec::new();
        build_key(segments, KeyLimits::default(), &NoSortKeys, &mut key);
        key
    }

    /// True when both say the same. The time at which a root was last set is written to one catalog only. [verified:
    /// ops-shrink-16k after recovery]
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless = |row: &Self| Self {
            root_set_time: 0,
            ..row.clone()
        };
        timeless(self) == timeless(other)
    }

    /// Writes another root into the data of a row whose column 4 is one; false when the row has no such column.
    pub fn set_root(data: &mut [u8], root: Pgno) -> bool {
        Self::set_number(data, fid::COLTYP_OR_PGNO, root.get())
    }

    /// Writes other flags into the data of a row; false when the row has no such column.
    pub fn set_flags(data: &mut [u8], flags: u32) -> bool {
        Self::set_number(data, fid::FLAGS, flags)
    }

    fn set_number(data: &mut [u8], fid: Fid, number: u32) -> bool {
        let place = place(fid.get().into());
        let field = place.and_then(|(offset, size)| data.get_mut(offset..offset + size));
        let found = field.is_some();
        if let Some(field) = field {
            field.copy_from_slice(&number.to_le_bytes());
        }
        found
    }

    /// Writes other object ids into the data of a row: of the table, and of the tree where the row is about one; false when
    /// the row has no such columns.
    pub fn set_objids(data: &mut [u8], table: Objid, id: u32) -> bool {
        Self::set_number(data, fid::OBJID_TABLE, table.get()) && Self::set_number(data, fid::ID, id)
    }

    /// As a column; `None` when id or type are none. The catalog's rows about its own columns all give
    /// the offset of the first one. [verified: clean-4k and every other engine-made file]
    #[must_use]
    pub fn column(&self) -> Option<Column> {
        let has_default = self.flags & column_flags::DEFAULT != 0;
        let of_catalog = matches!(self.table, Objid::CATALOG | Objid::CATALOG_SHADOW);
        let own = place(self.id).filter(|_| of_catalog);
        let fid = Fid::new(u16::try_from(self.id).ok()?);
        let coltyp = Coltyp::from_catalog(self.coltyp_or_root)?;
        let default = self.default.clone().filter(|_| has_default);
        Some(Column {
            fid,
            name: self.name.clone(),
            coltyp,
            max_len: self.space_usage,
            flags: self.flags,
            code_page: self.pages_or_locale,
            record_offset: own.map_or(self.record_offset, |(offset, _)| offset as u16),
            default: default.map(|value| filled_up(value, (fid, coltyp), self.space_usage)),
            callback: self.template.clone(),
        })
    }

    /// As an index; `old_segments` before revision 7.
    #[must_use]
    pub fn index(&self, old_segments: bool) -> Index {
        let key_most = self.key_most.unwrap_or(DEFAULT_KEY_MOST);
        Index {
            objid: Objid::new(self.id),
            name: self.name.clone(),
            root: Pgno::new(self.coltyp_or_root),
            flags: self.flags,
            density: self.space_usage,
            segments: segments(&self.key_fids, old_segments),
            conditions: segments(&self.conditions, old_segments),
            key_most,
            var_seg_mac: self.var_seg_mac.unwrap_or(key_most),
            tuple: tuple_limits(&self.tuple_limits),
            lcid: self.pages_or_locale,
            locale: self.locale.clone(),
            map_flags: self.map_flags.unwrap_or(DEFAULT_MAP_FLAGS),
            sort_version: u32_at(&self.version, 0).zip(u32_at(&self.version, 4)),
            root_set_time: self.root_set_time,
        }
    }

    /// Whether each column of the index takes four bytes, as from revision 7 on, or two; `None` where the bytes allow
    /// both. [format notes 6.6]
    #[must_use]
    pub fn has_wide_segments(&self) -> Option<bool> {
        are_wide(&self.key_fids)
    }

    /// As a long value tree.
    #[must_use]
    pub fn long_values(&self) -> LongValueTree {
        LongValueTree {
            objid: Objid::new(self.id),
            root: Pgno::new(self.coltyp_or_root),
            root_set_time: self.root_set_time,
        }
    }
}

/// From revision 7 on four bytes a segment: flags, zero, column id; before, a signed column id whose
/// sign says "descending". [format notes 6.6]
fn segments(bytes: &[u8], old: bool) -> Vec<KeySegment> {
    if old {
        let (pairs, _) = bytes.as_chunks::<2>();
        let segment = |pair: &[u8; 2]| {
            let id = i16::from_le_bytes(*pair);
            KeySegment {
                descending: id < 0,
                ..KeySegment::ascending(Fid::new(id.unsigned_abs()))
            }
        };
        return pairs.iter().map(segment).collect();
    }
    let (quads, _) = bytes.as_chunks::<4>();
    quads
        .iter()
        .map(|[flags, _, low, high]| KeySegment {
            fid: Fid::new(u16::from_le_bytes([*low, *high])),
            template: flags & 0x80 != 0,
            descending: flags & 0x40 != 0,
            must_be_null: flags & 0x20 != 0,
        })
        .collect()
}

/// Three numbers in old catalogs, five in newer ones. [format notes 6.2]
fn tuple_limits(bytes: &[u8]) -> Option<TupleLimits> {
    Some(TupleLimits {
        min: u32_at(bytes, 0)?,
        max: u32_at(bytes, 4)?,
        to_index: u32_at(bytes, 8)?,
        increment: u32_at(bytes, 12).unwrap_or(1).max(1),
        start: u32_at(bytes, 16).unwrap_or(0),
    })
}

/// A tagged column's first value, decompressed. Catalog rows keep such values in the record.
fn tagged(record: &Record<'_>, fid: Fid) -> Result<Option<Vec<u8>>, RecordFault> {
    let Some(column) = record.find_tagged(fid, false)? else {
        return Ok(None);
    };
    Ok(column.values().next().and_then(Instance::unpacked))
}

/// Object names are code page 1252; every name seen is ASCII.
fn ansi(bytes: &[u8]) -> String {
    crate::format::value::Text::new(bytes, crate::format::value::CodePage::Ansi).to_string()
}

fn utf16(bytes: &[u8]) -> String {
    crate::format::value::Text::new(bytes, crate::format::value::CodePage::Unicode).to_string()
}

/// Whether the elements of KeyFldIDs are of four bytes. [format notes 6.6]
fn are_wide(elements: &[u8]) -> Option<bool> {
    // Four bytes begin with flags and a zero, two are a column id, which is never zero.
    let wide = |element: &[u8]| element.len() == 4 && element[0] & !0xE0 == 0 && element[1] == 0;
    let narrow = |element: &[u8]| element.len() == 2 && element != [0, 0];
    let may_be_wide = elements.chunks(4).all(wide);
    let may_be_narrow = elements.chunks(2).all(narrow);
    (may_be_wide != may_be_narrow).then_some(may_be_wide)
}

/// A default as a record would hold it: a fixed column is filled up.
fn filled_up(mut value: Vec<u8>, (fid, coltyp): (Fid, Coltyp), most: u32) -> Vec<u8> {
    let size = most.min(FIXED_MOST) as usize;
    let has_length = matches!(coltyp, Coltyp::Text | Coltyp::Binary);
    if fid.kind() == FidKind::Fixed && has_length && (1..size).contains(&value.len()) {
        value.resize(size, coltyp.padding());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{are_wide, filled_up};
    use crate::format::schema::{Coltyp, Fid};

    #[test]
    fn defaults_of_fixed_columns_are_filled_up() {
        let default = |fid, coltyp| filled_up(b"ab".to_vec(), (Fid::new(fid), coltyp), 4);
        assert_eq!(default(3, Coltyp::Text), b"ab  ");
        assert_eq!(default(3, Coltyp::Binary), b"ab\0\0");
        assert_eq!(default(128, Coltyp::Text), b"ab");
        assert_eq!(default(256, Coltyp::Binary), b"ab");
        let none = filled_up(Vec::new(), (Fid::new(3), Coltyp::Text), 4);
        assert!(none.is_empty());
    }

    #[test]
    fn the_width_of_index_columns_shows() {
        // MSysObjects by object, type, id: both forms.
        assert_eq!(are_wide(&[0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0]), Some(true));
        assert_eq!(are_wide(&[1, 0, 2, 0, 3, 0]), Some(false));
        assert_eq!(are_wide(&[1, 0, 2, 0]), Some(false));
        // Descending: a flag, or a negative number.
        assert_eq!(are_wide(&[0x40, 0, 1, 0, 0, 0, 2, 0]), Some(true));
        assert_eq!(are_wide(&[0xFF, 0xFF, 2, 0]), Some(false));
        // Column 0x40, or the flag; nothing at all; neither form.
        assert_eq!(are_wide(&[0x40, 0, 1, 0]), None);
        assert_eq!(are_wide(&[]), None);
        assert_eq!(are_wide(&[1, 0, 0]), None);
    }
}
