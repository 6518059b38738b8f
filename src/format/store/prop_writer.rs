//! Writes property blobs, for databases in the making and for tests. [store notes 3, "Blob grammar"]
//!
//! What the notes leave open is written as [`PropBlob`](super::prop_blob::PropBlob) reads it first:
//! types as numbers, texts as UTF-16 with their length in bytes.

use super::super::value::Guid;
use super::compact::{MANY, PropType, put_integer};
use super::prop_blob::{MAGIC, MANY_SHIFTED, VERSION, VERSION_LONG};

/// A property blob in the making. Properties stand in the order in which they are added; the store's
/// own blobs ascend by id.
#[derive(Debug, Clone, Default)]
pub struct PropBlobWriter {
    long: bool,
    entries: Vec<(u8, u16)>,
    values: Vec<u8>,
    /// The first property that was too long.
    too_long: Option<u16>,
}

/// A blob that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobTooLong {
    /// A value of more than 65,535 bytes, or as many values of one property.
    #[error("property {0:#06x} is too long for a property blob")]
    Value(u16),
    /// More than 65,535 properties.
    #[error("{0} properties are too many for a property blob")]
    Count(usize),
}

impl PropBlobWriter {
    /// A blob of version 0x0400.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A blob of version 0x0401; the 4 bytes more in its header are 0.
    #[must_use]
    pub fn long() -> Self {
        Self {
            long: true,
            ..Self::default()
        }
    }

    fn entry(&mut self, id: u16, kind: PropType, many: bool) {
        let many = if many { MANY_SHIFTED } else { 0 };
        self.entries.push((kind.code() | many, id));
    }

    /// A value behind the first marker of its type.
    fn fixed(&mut self, id: u16, kind: PropType, form: u8, data: &[u8]) -> &mut Self {
        self.entry(id, kind, false);
        self.values.push(kind.marker() | form);
        self.values.extend_from_slice(data);
        self
    }

    fn integer(&mut self, id: u16, kind: PropType, full: u8, value: i64) -> &mut Self {
        self.entry(id, kind, false);
        put_integer(kind, full, value, &mut self.values);
        self
    }

    /// A marker and a length or count, in as few bytes as it needs.
    fn sized(&mut self, id: u16, marker: u8, len: usize) {
        match (len, u8::try_from(len), u16::try_from(len)) {
            (0, ..) => self.values.push(marker),
            (_, Ok(len), _) => self.values.extend_from_slice(&[marker | 1, len]),
            (_, _, Ok(len)) => {
                self.values.push(marker | 2);
                self.values.extend_from_slice(&len.to_le_bytes());
            }
            _ => self.too_long = self.too_long.or(Some(id)),
        }
    }

    fn put_text(&mut self, id: u16, value: &str) {
        let len = 2 * value.encode_utf16().count();
        // 0x48, 0x4D, 0x4E: bit 2 is set where there is a length.
        let bit = if len == 0 { 0 } else { 4 };
        self.sized(id, PropType::Text.marker() | bit, len);
        let bytes = value.encode_utf16().flat_map(u16::to_le_bytes);
        self.values.extend(bytes);
    }

    fn put_binary(&mut self, id: u16, value: &[u8]) {
        self.sized(id, PropType::Binary.marker(), value.len());
        self.values.extend_from_slice(value);
    }

    fn many(&mut self, id: u16, kind: PropType, count: usize) {
        self.entry(id, kind, true);
        self.sized(id, kind.marker() | MANY, count);
    }

    /// True or false.
    pub fn bool(&mut self, id: u16, value: bool) -> &mut Self {
        self.fixed(id, PropType::Bool, value.into(), &[])
    }

    /// 16-bit integer.
    pub fn i16(&mut self, id: u16, value: i16) -> &mut Self {
        self.integer(id, PropType::Short, 2, value.into())
    }

    /// 32-bit integer.
    pub fn i32(&mut self, id: u16, value: i32) -> &mut Self {
        self.integer(id, PropType::Long, 4, value.into())
    }

    /// 64-bit integer.
    pub fn i64(&mut self, id: u16, value: i64) -> &mut Self {
        self.integer(id, PropType::Int64, 8, value)
    }

    /// 8-byte floating point number.
    pub fn double(&mut self, id: u16, value: f64) -> &mut Self {
        self.fixed(id, PropType::Double, 0, &value.to_le_bytes())
    }

    /// Time, 100 ns since 1601.
    pub fn filetime(&mut self, id: u16, value: u64) -> &mut Self {
        self.fixed(id, PropType::Time, 0, &value.to_le_bytes())
    }

    /// GUID.
    pub fn guid(&mut self, id: u16, value: Guid) -> &mut Self {
        self.fixed(id, PropType::Guid, 0, &value.0)
    }

    /// Text.
    pub fn text(&mut self, id: u16, value: &str) -> &mut Self {
        self.entry(id, PropType::Text, false);
        self.put_text(id, value);
        self
    }

    /// Bytes.
    pub fn binary(&mut self, id: u16, value: &[u8]) -> &mut Self {
        self.entry(id, PropType::Binary, false);
        self.put_binary(id, value);
        self
    }

    /// Many 32-bit integers.
    pub fn many_i32(&mut self, id: u16, values: &[i32]) -> &mut Self {
        self.many(id, PropType::Long, values.len());
        for value in values {
            put_integer(PropType::Long, 4, i64::from(*value), &mut self.values);
        }
        self
    }

    /// Many texts.
    pub fn many_text(&mut self, id: u16, values: &[&str]) -> &mut Self {
        self.many(id, PropType::Text, values.len());
        for value in values {
            self.put_text(id, value);
        }
        self
    }

    /// Many byte strings.
    pub fn many_binary(&mut self, id: u16, values: &[&[u8]]) -> &mut Self {
        self.many(id, PropType::Binary, values.len());
        for value in values {
            self.put_binary(id, value);
        }
        self
    }

    /// A property that was deleted.
    pub fn deleted(&mut self, id: u16, kind: PropType) -> &mut Self {
        self.entry(id, kind, false);
        self.values.push(PropType::Deleted.marker());
        self
    }

    /// A property whose value is in a column of its own; nothing but the marker 0x78 is written.
    pub fn elsewhere(&mut self, id: u16, kind: PropType) -> &mut Self {
        self.entry(id, kind, false);
        self.values.push(PropType::Elsewhere.marker());
        self
    }

    /// The blob.
    ///
    /// # Errors
    /// [`BlobTooLong`] when something does not fit in 16 bits.
    pub fn finish(&self) -> Result<Vec<u8>, BlobTooLong> {
        if let Some(id) = self.too_long {
            return Err(BlobTooLong::Value(id));
        }
        let count = self.entries.len();
        let stored = u16::try_from(count).map_err(|_| BlobTooLong::Count(count))?;
        let version = if self.long { VERSION_LONG } else { VERSION };
        let mut blob = Vec::with_capacity(12 + 3 * count + self.values.len());
        blob.extend_from_slice(&MAGIC);
        blob.extend_from_slice(&version.to_le_bytes());
        blob.extend_from_slice(&stored.to_le_bytes());
        if self.long {
            blob.extend_from_slice(&[0; 4]);
        }
        for (kind, id) in &self.entries {
            blob.push(*kind);
            blob.extend_from_slice(&id.to_le_bytes());
        }
        blob.extend_from_slice(&self.values);
        Ok(blob)
    }
}

#[cfg(test)]
mod tests {
    use super::{BlobTooLong, PropBlobWriter};

    #[test]
    fn bytes_as_in_the_notes() {
        let mut writer = PropBlobWriter::long();
        writer.bool(0x1234, true).text(0x1235, "a");
        assert_eq!(
            writer.finish().expect("short"),
            b"ProP\x01\x04\x02\0\0\0\0\0\x01\x34\x12\x09\x35\x12\x09\x4D\x02a\0"
        );
    }

    #[test]
    fn what_does_not_fit() {
        let mut writer = PropBlobWriter::new();
        writer.binary(1, &[0; 65_535]);
        assert!(writer.finish().is_ok());
        writer.binary(2, &[0; 65_536]).i32(3, 3);
        assert_eq!(writer.finish(), Err(BlobTooLong::Value(2)));
        let mut writer = PropBlobWriter::new();
        for _ in 0..65_536 {
            writer.bool(1, true);
        }
        assert_eq!(writer.finish(), Err(BlobTooLong::Count(65_536)));
    }
}
