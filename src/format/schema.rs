//! The vocabulary of the catalog: column types, column ids, flags of tables, columns and indexes.
//! [format notes 6.3 to 6.6]

use std::fmt;

use serde::Serialize;

/// A column id (`fid`): 1 to 127 fixed, 128 to 255 variable, from 256 on tagged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Fid(u16);

/// Which of the three kinds a column id belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FidKind {
    /// Stored at a fixed offset.
    Fixed,
    /// Stored in the variable area.
    Variable,
    /// Stored in the tagged area; may be absent or have several values.
    Tagged,
}

impl Fid {
    /// First variable id.
    pub const FIRST_VARIABLE: Self = Self(128);
    /// First tagged id.
    pub const FIRST_TAGGED: Self = Self(256);

    /// Wraps a number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Where a column with this id is stored.
    #[must_use]
    pub const fn kind(self) -> FidKind {
        match self.0 {
            0..=127 => FidKind::Fixed,
            128..=255 => FidKind::Variable,
            _ => FidKind::Tagged,
        }
    }
}

impl fmt::Display for Fid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Fid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fid({})", self.0)
    }
}

/// Column types (`JET_coltyp`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coltyp {
    /// 0: a deleted column; its data may still be in the records.
    Deleted,
    /// 1: 0x00 or 0xFF.
    Bit,
    /// 2.
    UnsignedByte,
    /// 3.
    Short,
    /// 4.
    Long,
    /// 5: 8 bytes, signed.
    Currency,
    /// 6.
    Single,
    /// 7.
    Double,
    /// 8: OLE date, or a FILETIME where so used.
    DateTime,
    /// 9: up to 255 bytes.
    Binary,
    /// 10: up to 255 bytes.
    Text,
    /// 11.
    LongBinary,
    /// 12.
    LongText,
    /// 13: obsolete.
    Slv,
    /// 14.
    UnsignedLong,
    /// 15.
    LongLong,
    /// 16.
    Guid,
    /// 17.
    UnsignedShort,
    /// 18.
    UnsignedLongLong,
}

impl Coltyp {
    /// From the catalog's number.
    #[must_use]
    pub const fn from_catalog(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Deleted,
            1 => Self::Bit,
            2 => Self::UnsignedByte,
            3 => Self::Short,
            4 => Self::Long,
            5 => Self::Currency,
            6 => Self::Single,
            7 => Self::Double,
            8 => Self::DateTime,
            9 => Self::Binary,
            10 => Self::Text,
            11 => Self::LongBinary,
            12 => Self::LongText,
            13 => Self::Slv,
            14 => Self::UnsignedLong,
            15 => Self::LongLong,
            16 => Self::Guid,
            17 => Self::UnsignedShort,
            18 => Self::UnsignedLongLong,
            _ => return None,
        })
    }

    /// The engine's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deleted => "<deleted>",
            Self::Bit => "Bit",
            Self::UnsignedByte => "UnsignedByte",
            Self::Short => "Short",
            Self::Long => "Long",
            Self::Currency => "Currency",
            Self::Single => "IEEESingle",
            Self::Double => "IEEEDouble",
            Self::DateTime => "DateTime",
            Self::Binary => "Binary",
            Self::Text => "Text",
            Self::LongBinary => "LongBinary",
            Self::LongText => "LongText",
            Self::Slv => "SLV",
            Self::UnsignedLong => "UnsignedLong",
            Self::LongLong => "LongLong",
            Self::Guid => "GUID",
            Self::UnsignedShort => "UnsignedShort",
            Self::UnsignedLongLong => "UnsignedLongLong",
        }
    }

    /// The catalog's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Size of a value, for the types that have one.
    #[must_use]
    pub const fn fixed_size(self) -> Option<usize> {
        match self {
            Self::Bit | Self::UnsignedByte => Some(1),
            Self::Short | Self::UnsignedShort => Some(2),
            Self::Long | Self::Single | Self::UnsignedLong => Some(4),
            Self::Currency
            | Self::Double
            | Self::DateTime
            | Self::LongLong
            | Self::UnsignedLongLong => Some(8),
            Self::Guid => Some(16),
            _ => None,
        }
    }

    /// Long values: may be stored in the long value tree.
    #[must_use]
    pub const fn is_long(self) -> bool {
        matches!(self, Self::LongBinary | Self::LongText)
    }

    /// Text, long or short.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::LongText)
    }

    /// What fills up a value of a fixed column that is shorter than the column.
    #[must_use]
    pub const fn padding(self) -> u8 {
        if self.is_text() { b' ' } else { 0 }
    }
}

/// Flag bits of a table row. [verified: system, fixed DDL, dynamic]
pub mod table_flags {
    /// A table of the engine's own.
    pub const SYSTEM: u32 = 0x8000_0000;
    /// Columns and indexes may not change.
    pub const FIXED_DDL: u32 = 0x4000_0000;
    /// A template for derived tables.
    pub const TEMPLATE: u32 = 0x2000_0000;
    /// Derived from a template.
    pub const DERIVED: u32 = 0x1000_0000;
    /// A system table that the engine can make anew.
    pub const DYNAMIC_SYSTEM: u32 = 0x0800_0000;
}

/// Flag bits of a column row.
pub mod column_flags {
    /// May not be null.
    pub const NOT_NULL: u32 = 0x1;
    /// Changes with each update of the row.
    pub const VERSION: u32 = 0x2;
    /// Numbered by the engine.
    pub const AUTO_INCREMENT: u32 = 0x4;
    /// May have several values.
    pub const MULTI_VALUED: u32 = 0x8;
    /// Has a default value.
    pub const DEFAULT: u32 = 0x10;
    /// Escrow updates.
    pub const ESCROW: u32 = 0x20;
    /// Finalize when it becomes zero.
    pub const FINALIZE: u32 = 0x40;
    /// The default comes from a callback.
    pub const USER_DEFINED_DEFAULT: u32 = 0x80;
    /// Template column of the old scheme.
    pub const TEMPLATE_OLD: u32 = 0x100;
    /// The row goes when the column becomes zero.
    pub const DELETE_ON_ZERO: u32 = 0x200;
    /// Placeholder in the primary index.
    pub const PRIMARY_PLACEHOLDER: u32 = 0x800;
    /// May be stored compressed.
    pub const COMPRESSED: u32 = 0x1000;
    /// Stored encrypted.
    pub const ENCRYPTED: u32 = 0x2000;
}

/// Flag bits of an index row.
pub mod index_flags {
    /// Keys are unique.
    pub const UNIQUE: u32 = 0x1;
    /// An entry is made when all segments are null.
    pub const ALLOW_ALL_NULLS: u32 = 0x2;
    /// An entry is made when the first segment is null.
    pub const ALLOW_FIRST_NULL: u32 = 0x4;
    /// An entry is made when some segment is null.
    pub const ALLOW_SOME_NULLS: u32 = 0x8;
    /// No segment may be null.
    pub const NO_NULL_SEGMENT: u32 = 0x10;
    /// The primary index.
    pub const PRIMARY: u32 = 0x20;
    /// A locale is set.
    pub const LOCALE_SET: u32 = 0x40;
    /// A segment has several values.
    pub const MULTI_VALUED: u32 = 0x80;
    /// Index of a template table.
    pub const TEMPLATE: u32 = 0x100;
    /// Index that a derived table inherited.
    pub const DERIVED: u32 = 0x200;
    /// A segment is Unicode text.
    pub const LOCALIZED_TEXT: u32 = 0x400;
    /// Nulls sort after values.
    pub const SORT_NULLS_HIGH: u32 = 0x800;
    /// Fixups of Unicode entries were recorded.
    pub const UNICODE_FIXUP: u32 = 0x1000;
    /// All combinations of several multi-valued segments.
    pub const CROSS_PRODUCT: u32 = 0x2000;
    /// A key that must be cut is an error.
    pub const DISALLOW_TRUNCATION: u32 = 0x4000;
    /// The i-th values of all multi-valued segments together.
    pub const NESTED_TABLE: u32 = 0x8000;
    /// Segments are 4 bytes each.
    pub const EXTENDED_COLUMN_IDS: u32 = 0x1_0000;
    /// GUIDs sort as .NET sorts them.
    pub const DOTNET_GUID: u32 = 0x2_0000;
    /// To be filled later.
    pub const DEFERRED_POPULATE: u32 = 0x4_0000;
    /// Unique only where asked.
    pub const OPTIONALLY_UNIQUE: u32 = 0x8_0000;
}

/// One segment of an index key, or one condition of a conditional index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeySegment {
    /// The column.
    pub fid: Fid,
    /// The column belongs to the template table.
    pub template: bool,
    /// Sorted downwards.
    pub descending: bool,
    /// In conditions: the column must be null (else it must not be).
    pub must_be_null: bool,
}

impl KeySegment {
    /// An ascending segment over a column of the table itself.
    #[must_use]
    pub const fn ascending(fid: Fid) -> Self {
        Self {
            fid,
            template: false,
            descending: false,
            must_be_null: false,
        }
    }
}

/// Kinds of rows in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogType {
    /// 1.
    Table,
    /// 2.
    Column,
    /// 3.
    Index,
    /// 4.
    LongValue,
    /// 5.
    Callback,
    /// 6: obsolete streaming file objects.
    SlvAvail,
    /// 7.
    SlvSpaceMap,
}

impl CatalogType {
    /// From the row's `Type` column.
    #[must_use]
    pub const fn from_catalog(number: i16) -> Option<Self> {
        Some(match number {
            1 => Self::Table,
            2 => Self::Column,
            3 => Self::Index,
            4 => Self::LongValue,
            5 => Self::Callback,
            6 => Self::SlvAvail,
            7 => Self::SlvSpaceMap,
            _ => return None,
        })
    }
}
