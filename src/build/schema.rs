//! What a table looks like, as its maker describes it.

use crate::db::catalog::make::DENSITY;
use crate::format::keys::{DEFAULT_KEY_MOST, TupleLimits};
use crate::format::schema::{Coltyp, Fid, FidKind, KeySegment, column_flags, index_flags};

/// Code page of ASCII text columns. [format notes 6.5]
pub const CODE_PAGE_ASCII: u16 = 1252;
/// Code page of Unicode text columns. [format notes 6.5]
pub const CODE_PAGE_UNICODE: u16 = 1200;
/// Longest value of a short variable or tagged column. [format notes 6.5]
const SHORT_MOST: u32 = 255;

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Fixed, variable or tagged.
    pub kind: FidKind,
    /// Type.
    pub coltyp: Coltyp,
    /// [`column_flags`].
    pub flags: u32,
    /// Longest value; 0 is "no limit" for long values.
    pub max: u32,
    /// 0 unless it is text.
    pub code_page: u16,
    /// Default value.
    pub default: Option<Vec<u8>>,
    /// Further columns of its catalog row, or other values than the builder would write, by the
    /// column ids of the format notes 6.2.
    pub extra: Row,
}

impl Column {
    /// A column of a kind and type, text in ASCII.
    #[must_use]
    pub fn new(name: &str, kind: FidKind, coltyp: Coltyp) -> Self {
        let max = match coltyp.fixed_size() {
            Some(size) => size as u32,
            None if coltyp.is_long() => 0,
            None => SHORT_MOST,
        };
        Self {
            name: name.to_owned(),
            kind,
            coltyp,
            flags: 0,
            max,
            code_page: if coltyp.is_text() { CODE_PAGE_ASCII } else { 0 },
            default: None,
            extra: Row::new(),
        }
    }

    /// A fixed column.
    #[must_use]
    pub fn fixed(name: &str, coltyp: Coltyp) -> Self {
        Self::new(name, FidKind::Fixed, coltyp)
    }

    /// A variable column.
    #[must_use]
    pub fn variable(name: &str, coltyp: Coltyp) -> Self {
        Self::new(name, FidKind::Variable, coltyp)
    }

    /// A tagged column.
    #[must_use]
    pub fn tagged(name: &str, coltyp: Coltyp) -> Self {
        Self::new(name, FidKind::Tagged, coltyp)
    }

    /// Sets the longest value: of a fixed text or binary column, its size.
    #[must_use]
    pub const fn max(mut self, bytes: u32) -> Self {
        self.max = bytes;
        self
    }

    /// Text in UTF-16.
    #[must_use]
    pub const fn unicode(mut self) -> Self {
        self.code_page = CODE_PAGE_UNICODE;
        self
    }

    /// May not be null.
    #[must_use]
    pub const fn not_null(mut self) -> Self {
        self.flags |= column_flags::NOT_NULL;
        self
    }

    /// May have several values.
    #[must_use]
    pub const fn multi_valued(mut self) -> Self {
        self.flags |= column_flags::MULTI_VALUED;
        self
    }

    /// Sets the default value.
    #[must_use]
    pub fn default_value(mut self, value: &[u8]) -> Self {
        self.flags |= column_flags::DEFAULT;
        self.default = Some(value.to_vec());
        self
    }
}

/// An index.
#[derive(Debug, Clone)]
pub struct Index {
    /// Name.
    pub name: String,
    /// The columns of the key.
    pub segments: Vec<KeySegment>,
    /// Conditions that a row must meet to be entered.
    pub conditions: Vec<KeySegment>,
    /// [`index_flags`].
    pub flags: u32,
    /// Longest key.
    pub key_most: u16,
    /// Longest segment of a variable-length column.
    pub var_seg_mac: u16,
    /// Present in a tuple index, which has one segment.
    pub tuples: Option<TupleLimits>,
    /// How full pages are made, in percent.
    pub density: u8,
    /// Further columns of its catalog row, or other values than the builder would write, by the
    /// column ids of the format notes 6.2.
    pub extra: Row,
}

impl Index {
    /// An index without columns that enters every row, not unique.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            segments: Vec::new(),
            conditions: Vec::new(),
            flags: index_flags::ALLOW_ALL_NULLS
                | index_flags::ALLOW_FIRST_NULL
                | index_flags::ALLOW_SOME_NULLS
                | index_flags::EXTENDED_COLUMN_IDS,
            key_most: DEFAULT_KEY_MOST as u16,
            var_seg_mac: DEFAULT_KEY_MOST as u16,
            tuples: None,
            density: DENSITY,
            extra: Row::new(),
        }
    }

    /// Adds an ascending column.
    #[must_use]
    pub fn ascending(mut self, fid: Fid) -> Self {
        self.segments.push(KeySegment::ascending(fid));
        self
    }

    /// Adds a descending column.
    #[must_use]
    pub fn descending(mut self, fid: Fid) -> Self {
        let mut segment = KeySegment::ascending(fid);
        segment.descending = true;
        self.segments.push(segment);
        self
    }

    /// Enters only rows where `fid` is null (or is not).
    #[must_use]
    pub fn only_if(mut self, fid: Fid, null: bool) -> Self {
        let mut condition = KeySegment::ascending(fid);
        condition.must_be_null = null;
        self.conditions.push(condition);
        self
    }

    /// Keys are unique.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.flags |= index_flags::UNIQUE;
        self
    }

    /// Sets `set` and clears `clear` of the flags.
    #[must_use]
    pub const fn with_flags(mut self, set: u32, clear: u32) -> Self {
        self.flags = (self.flags | set) & !clear;
        self
    }

    /// Sets the limits of keys and of their variable segments. A format without room for the first keeps its own.
    #[must_use]
    pub const fn limits(mut self, key_most: u16, var_seg_mac: u16) -> Self {
        self.key_most = key_most;
        self.var_seg_mac = var_seg_mac;
        self
    }

    /// Enters pieces of the values instead of the values.
    #[must_use]
    pub const fn tuples(mut self, limits: TupleLimits) -> Self {
        self.tuples = Some(limits);
        self
    }

    /// True when [`index_flags::UNIQUE`] is set.
    #[must_use]
    pub const fn is_unique(&self) -> bool {
        self.flags & index_flags::UNIQUE != 0
    }
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Name.
    pub name: String,
    /// [`table_flags`](crate::format::schema::table_flags).
    pub flags: u32,
    /// Columns with their ids, in order of the ids.
    pub columns: Vec<(Fid, Column)>,
    /// The primary index; without one the rows are numbered.
    pub primary: Option<Index>,
    /// Secondary indexes.
    pub indexes: Vec<Index>,
    /// How full pages are made, in percent.
    pub density: u8,
    /// Pages of the first extent.
    pub pages: u32,
    /// Long values above this length are kept apart. [format notes 7.5: 1023 by default]
    pub intrinsic_most: usize,
    /// Further columns of its catalog row, or other values than the builder would write, by the
    /// column ids of the format notes 6.2.
    pub extra: Row,
}

impl Table {
    /// A table without columns.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            flags: 0,
            columns: Vec::new(),
            primary: None,
            indexes: Vec::new(),
            density: DENSITY,
            pages: 1,
            intrinsic_most: 1023,
            extra: Row::new(),
        }
    }

    /// Adds a column; its id is the next of its kind.
    pub fn add(&mut self, column: Column) -> Fid {
        let first = match column.kind {
            FidKind::Fixed => 1,
            FidKind::Variable => Fid::FIRST_VARIABLE.get(),
            FidKind::Tagged => Fid::FIRST_TAGGED.get(),
        };
        let same = self.columns.iter().filter(|c| c.1.kind == column.kind);
        let fid = Fid::new(first + same.count() as u16);
        let at = self.columns.partition_point(|c| c.0 < fid);
        self.columns.insert(at, (fid, column));
        fid
    }

    /// Sets the primary index; it is made unique and primary.
    pub fn primary(&mut self, index: Index) {
        let flags = index_flags::UNIQUE | index_flags::PRIMARY;
        self.primary = Some(index.with_flags(flags, 0));
    }

    /// Adds a secondary index.
    pub fn index(&mut self, index: Index) {
        self.indexes.push(index);
    }

    /// The column with an id.
    #[must_use]
    pub fn column(&self, fid: Fid) -> Option<&Column> {
        let at = self.columns.binary_search_by_key(&fid, |c| c.0).ok()?;
        Some(&self.columns[at].1)
    }
}

/// A row: values by column. A column that is not named has its default value, or is null.
#[derive(Debug, Clone, Default)]
pub struct Row {
    values: Vec<(Fid, Vec<Vec<u8>>)>,
}

impl Row {
    /// A row without values.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Sets the value of a column, or adds one more to a multi-valued column.
    #[must_use]
    pub fn set(mut self, fid: Fid, value: impl Into<Vec<u8>>) -> Self {
        self.slot(fid).push(value.into());
        self
    }

    /// Sets a column to null, also where it has a default value.
    #[must_use]
    pub fn null(mut self, fid: Fid) -> Self {
        self.slot(fid).clear();
        self
    }

    /// Takes over all columns of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (fid, values) in &other.values {
            values.clone_into(self.slot(*fid));
        }
    }

    fn slot(&mut self, fid: Fid) -> &mut Vec<Vec<u8>> {
        let at = self.values.partition_point(|value| value.0 < fid);
        if self.values.get(at).is_none_or(|value| value.0 != fid) {
            self.values.insert(at, (fid, Vec::new()));
        }
        &mut self.values[at].1
    }

    /// The values of a column, none when it is null; `None` when the row does not name it.
    #[must_use]
    pub fn get(&self, fid: Fid) -> Option<&[Vec<u8>]> {
        let at = self.values.binary_search_by_key(&fid, |v| v.0).ok()?;
        Some(&self.values[at].1)
    }

    /// All named columns in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (Fid, &[Vec<u8>])> {
        self.values.iter().map(|(fid, values)| (*fid, &values[..]))
    }
}
