//! Column values: bytes to typed values, and values to JSON and CSV. [format notes 6.5, 7.3]

mod show;
mod text;
mod time;

#[cfg(test)]
mod tests;

use std::fmt;

use super::schema::Coltyp;

pub use show::{CsvField, Hex};
pub use text::{CodePage, Text};
pub use time::DateTime;

/// A value of a column, borrowed from the record where it has a length of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// Bit.
    Bit(bool),
    /// Unsigned byte.
    U8(u8),
    /// Short.
    I16(i16),
    /// Long.
    I32(i32),
    /// Currency (in ten-thousandths, where used as such) and long long.
    I64(i64),
    /// Single.
    F32(f32),
    /// Double.
    F64(f64),
    /// Date and time.
    DateTime(DateTime),
    /// Unsigned short.
    U16(u16),
    /// Unsigned long.
    U32(u32),
    /// Unsigned long long.
    U64(u64),
    /// GUID.
    Guid(Guid),
    /// Binary, long binary, and whatever has no type any more.
    Binary(&'a [u8]),
    /// Text and long text.
    Text(Text<'a>),
}

/// A value of a type with a fixed size has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value of type {coltyp:?} has {got} bytes")]
pub struct ValueFault {
    /// The type.
    pub coltyp: Coltyp,
    /// The length found.
    pub got: usize,
}

impl<'a> Value<'a> {
    /// Reads a value that is not null, is uncompressed, and of which all bytes are at hand.
    ///
    /// # Errors
    /// [`ValueFault`] when the type has a fixed size and there are more or fewer bytes.
    pub fn decode(
        bytes: &'a [u8],
        coltyp: Coltyp,
        code_page: CodePage,
    ) -> Result<Self, ValueFault> {
        let fault = ValueFault {
            coltyp,
            got: bytes.len(),
        };
        Self::of_fixed(bytes, coltyp)
            .unwrap_or(Some(match coltyp.is_text() {
                true => Self::Text(Text::new(bytes, code_page)),
                false => Self::Binary(bytes),
            }))
            .ok_or(fault)
    }

    /// The outer `None`: not a type with a fixed size; the inner one: not that size.
    fn of_fixed(bytes: &[u8], coltyp: Coltyp) -> Option<Option<Self>> {
        Some(match coltyp {
            Coltyp::Bit => array(bytes).map(|[byte]| Self::Bit(byte != 0)),
            Coltyp::UnsignedByte => array(bytes).map(|[byte]| Self::U8(byte)),
            Coltyp::Short => array(bytes).map(i16::from_le_bytes).map(Self::I16),
            Coltyp::Long => array(bytes).map(i32::from_le_bytes).map(Self::I32),
            Coltyp::Currency | Coltyp::LongLong => {
                array(bytes).map(i64::from_le_bytes).map(Self::I64)
            }
            Coltyp::Single => array(bytes).map(f32::from_le_bytes).map(Self::F32),
            Coltyp::Double => array(bytes).map(f64::from_le_bytes).map(Self::F64),
            Coltyp::DateTime => array(bytes)
                .map(u64::from_le_bytes)
                .map(|raw| Self::DateTime(DateTime::from_raw(raw))),
            Coltyp::UnsignedShort => array(bytes).map(u16::from_le_bytes).map(Self::U16),
            Coltyp::UnsignedLong => array(bytes).map(u32::from_le_bytes).map(Self::U32),
            Coltyp::UnsignedLongLong => array(bytes).map(u64::from_le_bytes).map(Self::U64),
            Coltyp::Guid => array(bytes).map(Guid).map(Self::Guid),
            Coltyp::Deleted
            | Coltyp::Binary
            | Coltyp::Text
            | Coltyp::LongBinary
            | Coltyp::LongText
            | Coltyp::Slv => return None,
        })
    }

    /// True for null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// A GUID in the order of a Windows structure: the first three groups are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GROUPS: [&[usize]; 5] = [
            &[3, 2, 1, 0],
            &[5, 4],
            &[7, 6],
            &[8, 9],
            &[10, 11, 12, 13, 14, 15],
        ];
        for (number, group) in GROUPS.iter().enumerate() {
            if number > 0 {
                f.write_str("-")?;
            }
            for at in *group {
                write!(f, "{:02x}", self.0[*at])?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}
