//! A database as tables of rows whose values go by the names of columns: easy to change before it is built.

use std::collections::BTreeMap;
use std::io::Cursor;

use exutil::build::{BuildError, Column, DatabaseBuilder, Index, Options, Row, Table};
use exutil::format::keys::{KeyLimits, NoSortKeys, SegmentType, build_key};
use exutil::format::schema::{Coltyp, Fid};

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bit.
    Bit,
    /// 32 bits.
    Long,
    /// 64 bits, as old formats have them.
    Currency,
    /// 64 bits, as newer ones do.
    Wide,
    /// A GUID as a type of its own.
    Guid,
    /// A few bytes.
    Bytes,
    /// ASCII text, which may be in an index.
    Text,
    /// Unicode text, which may not: nobody knows its sort keys here.
    Unicode,
    /// Bytes without a limit.
    Blob,
    /// Several of these.
    Blobs,
}

impl Kind {
    fn column(self, name: &str) -> Column {
        match self {
            Self::Bit => Column::fixed(name, Coltyp::Bit),
            Self::Long => Column::fixed(name, Coltyp::Long),
            Self::Currency => Column::fixed(name, Coltyp::Currency),
            Self::Wide => Column::fixed(name, Coltyp::LongLong),
            Self::Guid => Column::fixed(name, Coltyp::Guid),
            Self::Bytes => Column::variable(name, Coltyp::Binary),
            Self::Text => Column::tagged(name, Coltyp::Text),
            Self::Unicode => Column::tagged(name, Coltyp::LongText).unicode(),
            Self::Blob => Column::tagged(name, Coltyp::LongBinary),
            Self::Blobs => Column::tagged(name, Coltyp::LongBinary).multi_valued(),
        }
    }
}

/// A row.
#[derive(Debug, Clone, Default)]
pub struct Record(BTreeMap<&'static str, Vec<Vec<u8>>>);

impl Record {
    /// A row without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more value.
    pub fn with(mut self, column: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.0.entry(column).or_default().push(value.into());
        self
    }

    /// With a Unicode text.
    pub fn text(self, column: &'static str, text: &str) -> Self {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.with(column, bytes)
    }

    /// Replaces the values of a column.
    pub fn set(&mut self, column: &'static str, value: impl Into<Vec<u8>>) {
        self.0.insert(column, vec![value.into()]);
    }

    /// Takes the values of a column away.
    pub fn clear(&mut self, column: &str) {
        self.0.remove(column);
    }

    /// The first value of a column.
    pub fn get(&self, column: &str) -> Option<&[u8]> {
        Some(self.0.get(column)?.first()?)
    }

    /// The first value of a column as a number of its width; none is zero.
    pub fn number(&self, column: &str) -> i64 {
        match self.get(column) {
            Some(&[a]) => a.into(),
            Some(&[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]).into(),
            Some(bytes) => bytes
                .first_chunk()
                .map_or(0, |bytes| i64::from_le_bytes(*bytes)),
            None => 0,
        }
    }

    /// Adds to a number that is there.
    pub fn add(&mut self, column: &'static str, by: i64) {
        let (number, width) = (
            self.number(column) + by,
            self.get(column).map_or(4, <[u8]>::len),
        );
        self.set(column, &number.to_le_bytes()[..width]);
    }
}

/// A table and its rows.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The table's name.
    pub name: String,
    columns: Vec<(&'static str, Kind)>,
    /// Columns that are to be called otherwise than the rows call them.
    renamed: BTreeMap<&'static str, &'static str>,
    primary: Option<&'static str>,
    indexes: Vec<&'static str>,
    /// The rows, in any order.
    pub rows: Vec<Record>,
}

impl Sheet {
    /// A table without rows and indexes.
    pub fn new(name: &str, columns: &[(&'static str, Kind)]) -> Self {
        Self {
            name: name.to_owned(),
            columns: columns.to_vec(),
            renamed: BTreeMap::new(),
            primary: None,
            indexes: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// With a primary index. The name of an index says what is in its key: `+` or `-` before each column; a space ends it.
    pub fn primary(mut self, index: &'static str) -> Self {
        self.primary = Some(index);
        self
    }

    /// With one more index.
    pub fn index(mut self, index: &'static str) -> Self {
        self.indexes.push(index);
        self
    }

    /// Adds an index.
    pub fn add_index(&mut self, index: &'static str) {
        self.indexes.push(index);
    }

    /// Takes an index away.
    pub fn drop_index(&mut self, index: &str) {
        self.indexes.retain(|name| *name != index);
    }

    /// Gives a column another name.
    pub fn rename(&mut self, column: &'static str, to: &'static str) {
        self.renamed.insert(column, to);
    }

    /// The first row with a value.
    pub fn row(&mut self, column: &str, value: &[u8]) -> &mut Record {
        let mut rows = self.rows.iter_mut();
        let found = rows.find(|row| row.get(column) == Some(value));
        found.unwrap_or_else(|| panic!("{}: no row with {column} {value:02X?}", self.name))
    }

    fn build(&self, builder: &mut DatabaseBuilder<Cursor<Vec<u8>>>) -> Result<(), BuildError> {
        let mut table = Table::new(&self.name);
        let mut fids = BTreeMap::new();
        for (name, kind) in &self.columns {
            let stored = self.renamed.get(name).unwrap_or(name);
            fids.insert(*name, table.add(kind.column(stored)));
        }
        for name in &self.indexes {
            table.index(index(name, &fids));
        }
        let rows = self.rows.iter().map(|record| {
            let values = record.0.iter();
            let values = values.flat_map(|(name, values)| values.iter().map(|v| (fids[name], v)));
            values.fold(Row::new(), |row, (fid, value)| row.set(fid, value.clone()))
        });
        let mut rows: Vec<Row> = rows.collect();
        if let Some(primary) = self.primary {
            let primary = index(primary, &fids);
            rows.sort_by_cached_key(|row| key(&table, &primary, row));
            table.primary(primary);
        }
        builder.add_table(table, rows)?;
        Ok(())
    }
}

fn index(name: &str, fids: &BTreeMap<&'static str, Fid>) -> Index {
    let mut index = Index::new(name);
    let key = name.split(' ').next().unwrap_or_default();
    for segment in key
        .split_inclusive(['+', '-'])
        .collect::<Vec<_>>()
        .windows(2)
    {
        let fid = fids[segment[1].trim_end_matches(['+', '-'])];
        index = match segment[0].ends_with('-') {
            true => index.descending(fid),
            false => index.ascending(fid),
        };
    }
    index
}

fn key(table: &Table, index: &Index, row: &Row) -> Vec<u8> {
    let mut key = Vec::new();
    let segments = index.segments.iter().filter_map(|segment| {
        let mut kind = SegmentType::ascending(table.column(segment.fid)?.coltyp);
        kind.descending = segment.descending;
        let values = row.get(segment.fid).unwrap_or_default();
        Some((kind, values.first().map(|value| &value[..])))
    });
    build_key(segments, KeyLimits::default(), &NoSortKeys, &mut key);
    key
}

/// A whole database.
#[derive(Debug, Clone)]
pub struct Store {
    /// Format and page size.
    pub options: Options,
    /// Its tables.
    pub sheets: Vec<Sheet>,
}

impl Store {
    /// A table.
    pub fn sheet(&mut self, name: &str) -> &mut Sheet {
        let found = self.sheets.iter_mut().find(|sheet| sheet.name == name);
        found.unwrap_or_else(|| panic!("no table {name}"))
    }

    /// The first row of a table with a value.
    pub fn row(&mut self, sheet: &str, column: &str, value: &[u8]) -> &mut Record {
        self.sheet(sheet).row(column, value)
    }

    /// Takes a table away.
    pub fn remove(&mut self, name: &str) {
        self.sheets.retain(|sheet| sheet.name != name);
    }

    /// The file.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let out = Cursor::new(Vec::new());
        let mut builder = DatabaseBuilder::new(out, self.options.clone())?;
        for sheet in &self.sheets {
            sheet.build(&mut builder)?;
        }
        Ok(builder.finish()?.0.into_inner())
    }
}
