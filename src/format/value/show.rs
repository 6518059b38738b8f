//! Values as JSON and as CSV.

use std::fmt;
use std::fmt::Write;

use serde::{Serialize, Serializer};

use super::Value;

/// Bytes as lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The value alone, as a person would write it; null is empty.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bit(value) => value.fmt(f),
            Self::U8(value) => value.fmt(f),
            Self::I16(value) => value.fmt(f),
            Self::I32(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            // Debug writes the shortest form, with an exponent where digits would be endless.
            Self::F32(value) => write!(f, "{value:?}"),
            Self::F64(value) => write!(f, "{value:?}"),
            Self::DateTime(value) => value.fmt(f),
            Self::U16(value) => value.fmt(f),
            Self::U32(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::Guid(value) => value.fmt(f),
            Self::Binary(value) => Hex(value).fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// JSON: text as a string, binary as hexadecimal digits, dates as an object with the raw number and
/// a readable form, floats that JSON has no number for as strings.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bit(value) => serializer.serialize_bool(*value),
            Self::U8(value) => serializer.serialize_u8(*value),
            Self::I16(value) => serializer.serialize_i16(*value),
            Self::I32(value) => serializer.serialize_i32(*value),
            Self::I64(value) => serializer.serialize_i64(*value),
            Self::F32(value) if value.is_finite() => serializer.serialize_f32(*value),
            Self::F64(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::F32(_) | Self::F64(_) | Self::Guid(_) => serializer.collect_str(self),
            Self::DateTime(value) => value.serialize(serializer),
            Self::U16(value) => serializer.serialize_u16(*value),
            Self::U32(value) => serializer.serialize_u32(*value),
            Self::U64(value) => serializer.serialize_u64(*value),
            Self::Binary(value) => Hex(value).serialize(serializer),
            Self::Text(value) => value.serialize(serializer),
        }
    }
}

/// A value as a field of a CSV file (RFC 4180): quoted where it must be. Null is an empty field,
/// a text without characters is a pair of quotes.
#[derive(Debug, Clone, Copy)]
pub struct CsvField<'a>(pub Value<'a>);

impl fmt::Display for CsvField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            Value::Text(text) => text,
            Value::Binary([]) => return f.write_str("\"\""),
            // Numbers, dates, identifiers and hexadecimal digits need no quotes.
            other => return other.fmt(f),
        };
        let mut characters = text.chars().peekable();
        let padded = characters.peek().is_none_or(|first| first.is_whitespace());
        if !padded
            && !characters.any(|character| matches!(character, ',' | ';' | '"' | '\r' | '\n'))
        {
            return text.fmt(f);
        }
        f.write_char('"')?;
        for character in text.chars() {
            if character == '"' {
                f.write_char('"')?;
            }
            f.write_char(character)?;
        }
        f.write_char('"')
    }
}
