//! Where the columns of a profile lie in the records of one table, and their values in one form whatever type the catalog
//! gives them.

use std::io;

use super::blobs;
use super::profile::Form;
use crate::db::catalog::Column;
use crate::db::long_values::LongValues;
use crate::format::compress;
use crate::format::record::{Field, Instance, Record, RecordFault};
use crate::format::schema::{Coltyp, Fid, FidKind, column_flags};
use crate::format::value::{CodePage, Text, Value};

/// Long values are read up to this; a longer one is said to be too long to be looked at.
const LONGEST: u32 = 16 << 20;

/// Once a row has so many bytes of values, no more long values of it are read.
const ROW_MOST: usize = 64 << 20;

/// A column of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnPlace {
    /// Its name in this database.
    pub name: String,
    /// Its id.
    pub fid: Fid,
    /// It belongs to the template, and the records mark it so.
    pub derived: bool,
    /// Its type.
    pub coltyp: Coltyp,
    /// How its values are read.
    pub form: Form,
    offset: usize,
    size: usize,
    code_page: CodePage,
    default: Option<Vec<u8>>,
}

impl ColumnPlace {
    /// The place of a column; `None` when its type cannot hold values of this form.
    #[must_use]
    pub fn new(column: &Column, derived: bool, form: Form) -> Option<Self> {
        let computed = column.flags & column_flags::USER_DEFINED_DEFAULT != 0;
        if computed || !holds(column.coltyp, form) {
            return None;
        }
        let longest = usize::try_from(column.max_len).unwrap_or(usize::MAX);
        Some(Self {
            name: column.name.clone(),
            fid: column.fid,
            derived,
            coltyp: column.coltyp,
            form,
            offset: column.record_offset.into(),
            size: column.coltyp.fixed_size().unwrap_or(longest),
            code_page: column.text_page(),
            default: column.default.clone(),
        })
    }

    /// The bytes that store a number in this column; `None` where it does not fit.
    #[must_use]
    pub fn encode_int(&self, number: i64) -> Option<Vec<u8>> {
        let (bytes, bytes_be) = (number.to_le_bytes(), number.to_be_bytes());
        match self.coltyp {
            Coltyp::Bit => Some(vec![if number == 0 { 0 } else { 0xFF }]),
            Coltyp::UnsignedByte => u8::try_from(number).ok().map(|number| vec![number]),
            Coltyp::Short => i16::try_from(number).ok().map(|n| n.to_le_bytes().to_vec()),
            Coltyp::UnsignedShort => u16::try_from(number).ok().map(|n| n.to_le_bytes().to_vec()),
            Coltyp::Long => i32::try_from(number).ok().map(|n| n.to_le_bytes().to_vec()),
            Coltyp::UnsignedLong => u32::try_from(number).ok().map(|n| n.to_le_bytes().to_vec()),
            Coltyp::Currency | Coltyp::LongLong | Coltyp::UnsignedLongLong | Coltyp::DateTime => {
                Some(bytes.to_vec())
            }
            // As wide as the column; where any width fits, nobody knows which is meant.
            Coltyp::Binary if (1..8).contains(&self.size) => {
                let (over, kept) = bytes_be.split_at(8 - self.size);
                over.iter().all(|byte| *byte == 0).then(|| kept.to_vec())
            }
            Coltyp::Binary if self.size == 8 => Some(bytes_be.to_vec()),
            _ => None,
        }
    }
}

/// Whether values of a form can be in a column of a type. `[store notes 1.2]`
const fn holds(coltyp: Coltyp, form: Form) -> bool {
    let binary = matches!(coltyp, Coltyp::Binary | Coltyp::LongBinary);
    let wide = matches!(
        coltyp,
        Coltyp::Currency | Coltyp::LongLong | Coltyp::UnsignedLongLong
    );
    let number = matches!(
        coltyp,
        Coltyp::Bit
            | Coltyp::UnsignedByte
            | Coltyp::Short
            | Coltyp::UnsignedShort
            | Coltyp::Long
            | Coltyp::UnsignedLong
    );
    match form {
        Form::Int | Form::Bool => number || wide || binary,
        Form::Time => wide || binary || matches!(coltyp, Coltyp::DateTime),
        Form::Text => binary || matches!(coltyp, Coltyp::Text | Coltyp::LongText),
        Form::Guid => binary || matches!(coltyp, Coltyp::Guid),
        Form::Id => binary || wide,
        Form::Any => true,
        Form::Bytes | Form::Ids | Form::LongId | Form::PropBlob | Form::Subobjects | Form::Tags => {
            binary
        }
    }
}

/// The values of one row, column by column; the memory is used again for each row.
///
/// | form | bytes of a value |
/// |---|---|
/// | numbers, times, tags, numbers of attachments, whether ids of a blob ascend | 8, highest first |
/// | `id`, `ids` | 8: replid, counter, highest first |
/// | others | as stored, decompressed; text in UTF-8 |
#[derive(Debug, Default)]
pub struct Values {
    bytes: Vec<u8>,
    /// Ends of the values in `bytes`.
    ends: Vec<usize>,
    /// For each column the number of the value after its last one.
    columns: Vec<usize>,
    /// Columns with a value that cannot be read or is not well-formed.
    faults: Vec<(usize, String)>,
    raw: Vec<u8>,
}

impl Values {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.columns.clear();
        self.faults.clear();
    }

    /// How many values a column has.
    #[must_use]
    pub fn count(&self, column: usize) -> usize {
        self.range(column).len()
    }

    fn range(&self, column: usize) -> std::ops::Range<usize> {
        let end = self.columns.get(column).copied().unwrap_or_default();
        let start = match column {
            0 => 0,
            _ => self.columns.get(column - 1).copied().unwrap_or(end),
        };
        start..end
    }

    /// The values of a column.
    pub fn all(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        self.range(column).map(|number| self.value(number))
    }

    fn value(&self, number: usize) -> &[u8] {
        let start = match number {
            0 => 0,
            _ => self.ends[number - 1],
        };
        &self.bytes[start..self.ends[number]]
    }

    /// The first value of a column.
    #[must_use]
    pub fn first(&self, column: usize) -> Option<&[u8]> {
        self.range(column).next().map(|number| self.value(number))
    }

    /// The first value of a column of numbers.
    #[must_use]
    pub fn int(&self, column: usize) -> Option<i64> {
        as_int(self.first(column)?)
    }

    /// There is a value, readable or not.
    #[must_use]
    pub fn is_present(&self, column: usize) -> bool {
        self.count(column) > 0 || self.fault(column).is_some()
    }

    /// Something of the row cannot be read.
    #[must_use]
    pub const fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// What is wrong with a value of a column.
    #[must_use]
    pub fn fault(&self, column: usize) -> Option<&str> {
        let found = self.faults.iter().find(|(of, _)| *of == column);
        found.map(|(_, what)| what.as_str())
    }

    /// Adds the values that a record has in the next column.
    pub fn read(
        &mut self,
        record: &Record<'_>,
        column: Option<&ColumnPlace>,
        long: &mut LongValues<'_>,
    ) {
        if let Some(column) = column
            && let Err(fault) = self.column(record, column, long)
        {
            self.faults.push((self.columns.len(), fault.to_string()));
        }
        self.columns.push(self.ends.len());
    }

    fn column(
        &mut self,
        record: &Record<'_>,
        column: &ColumnPlace,
        long: &mut LongValues<'_>,
    ) -> Result<(), RecordFault> {
        let field = match column.fid.kind() {
            FidKind::Fixed => record.fixed(column.fid, column.offset, column.size)?,
            FidKind::Variable => record.variable(column.fid)?,
            FidKind::Tagged => {
                if let Some(found) = record.find_tagged(column.fid, column.derived)? {
                    for instance in found.values() {
                        self.instance(column, instance, long);
                    }
                    return Ok(());
                }
                Field::Absent
            }
        };
        match field {
            Field::Value(bytes) => self.add(column, bytes),
            Field::Null => {}
            Field::Absent => {
                if let Some(default) = &column.default {
                    self.add(column, default);
                }
            }
        }
        Ok(())
    }

    fn instance(
        &mut self,
        column: &ColumnPlace,
        instance: Instance<'_>,
        long: &mut LongValues<'_>,
    ) {
        // Only whether there is a value is asked.
        if column.form == Form::Any {
            return self.push(&[]);
        }
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        match instance {
            Instance::Intrinsic {
                encrypted: true, ..
            } => self.fault_here("the value is encrypted".to_owned()),
            Instance::Intrinsic {
                bytes,
                compressed: true,
                ..
            } => match compress::decompress(bytes, None, &mut raw) {
                Ok(()) => self.add(column, &raw),
                Err(fault) => self.fault_here(fault.to_string()),
            },
            Instance::Intrinsic { bytes, .. } => self.add(column, bytes),
            Instance::Separated(_) if self.bytes.len() > ROW_MOST => {
                self.fault_here("the values of this row are too many to be looked at".to_owned());
            }
            Instance::Separated(lid) => match long.read(lid, LONGEST, &mut raw) {
                Ok(size) if size > LONGEST => {
                    self.fault_here(format!(
                        "a value of {size} bytes is too long to be looked at"
                    ));
                }
                Ok(_) => self.add(column, &raw),
                Err(fault) => self.fault_here(fault.to_string()),
            },
        }
        self.raw = raw;
    }

    fn fault_here(&mut self, what: String) {
        self.faults.push((self.columns.len(), what));
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    /// Adds what these bytes are in the column's form.
    fn add(&mut self, column: &ColumnPlace, bytes: &[u8]) {
        let added = match column.form {
            Form::Int | Form::Bool | Form::Time => number(column, bytes).map(|number| {
                self.push(&number.to_be_bytes());
            }),
            Form::Id => id(column, bytes).map(|id| self.push(&id)),
            Form::Ids => {
                let (ids, rest) = bytes.as_chunks::<8>();
                ids.iter().for_each(|id| self.push(id));
                match rest.len() {
                    0 => Ok(()),
                    over => Err(format!("{over} bytes follow the last id")),
                }
            }
            Form::Text => {
                let start = self.bytes.len();
                let wrote = io::Write::write_fmt(
                    &mut self.bytes,
                    format_args!("{}", Text::new(bytes, column.code_page)),
                );
                if wrote.is_err() {
                    self.bytes.truncate(start);
                }
                self.ends.push(self.bytes.len());
                Ok(())
            }
            Form::Guid => sized(bytes, 16).map(|()| self.push(bytes)),
            Form::LongId => blobs::check_long_id(bytes).map(|()| self.push(bytes)),
            Form::Bytes | Form::Any => {
                self.push(bytes);
                Ok(())
            }
            Form::PropBlob => blobs::prop_blob(bytes)
                .map(|ascending| self.push(&i64::from(ascending).to_be_bytes())),
            Form::Subobjects => {
                blobs::subobjects(bytes, &mut |number| self.push(&number.to_be_bytes()))
            }
            Form::Tags => blobs::tags(bytes, &mut |tag| self.push(&i64::from(tag).to_be_bytes())),
        };
        if let Err(what) = added {
            self.fault_here(what);
        }
    }
}

/// A value of a column of numbers.
#[must_use]
pub fn as_int(bytes: &[u8]) -> Option<i64> {
    bytes
        .first_chunk::<8>()
        .map(|bytes| i64::from_be_bytes(*bytes))
}

fn sized(bytes: &[u8], size: usize) -> Result<(), String> {
    match bytes.len() {
        len if len == size => Ok(()),
        len => Err(format!("{len} bytes instead of {size}")),
    }
}

fn number(column: &ColumnPlace, bytes: &[u8]) -> Result<i64, String> {
    let value = Value::decode(bytes, column.coltyp, column.code_page);
    Ok(match value.map_err(|fault| fault.to_string())? {
        Value::Bit(bit) => i64::from(bit),
        Value::U8(number) => number.into(),
        Value::I16(number) => number.into(),
        Value::U16(number) => number.into(),
        Value::I32(number) => number.into(),
        Value::U32(number) => number.into(),
        Value::I64(number) => number,
        Value::U64(number) => number.cast_signed(),
        Value::DateTime(time) => time.raw().cast_signed(),
        Value::Binary(bytes) if (1..=8).contains(&bytes.len()) => bytes
            .iter()
            .fold(0, |number, byte| number << 8 | i64::from(*byte)),
        _ => return Err(format!("{} bytes are no number", bytes.len())),
    })
}

/// Eight bytes, highest first. `[store notes 1.5]`
fn id(column: &ColumnPlace, bytes: &[u8]) -> Result<[u8; 8], String> {
    let eight: [u8; 8] = bytes
        .try_into()
        .map_err(|_| format!("{} bytes instead of 8", bytes.len()))?;
    Ok(match column.coltyp {
        Coltyp::Binary | Coltyp::LongBinary => eight,
        _ => u64::from_le_bytes(eight).to_be_bytes(),
    })
}
