//! Boring bounded readers: a field outside its buffer is an error with a name, never a panic.

/// A field that does not fit in the bytes at hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {need} bytes needed at offset {offset:#x}, {have} there")]
pub struct Truncated {
    /// The field's name.
    pub what: &'static str,
    /// Where it should begin.
    pub offset: usize,
    /// Its length in bytes.
    pub need: usize,
    /// The length of the buffer from `offset` on.
    pub have: usize,
}

/// `len` bytes at `offset`, or which field was cut off.
///
/// # Errors
/// [`Truncated`] when the range is not inside `data`.
pub fn slice<'a>(
    data: &'a [u8],
    offset: usize,
    len: usize,
    what: &'static str,
) -> Result<&'a [u8], Truncated> {
    data.get(offset..)
        .and_then(|rest| rest.get(..len))
        .ok_or(Truncated {
            what,
            offset,
            need: len,
            have: data.len().saturating_sub(offset),
        })
}

/// Little-endian `u16` at `offset`; `None` outside the buffer.
#[must_use]
#[inline]
pub fn u16_at(data: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(offset..)?.first_chunk()?))
}

/// Little-endian `u32` at `offset`; `None` outside the buffer.
#[must_use]
#[inline]
pub fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(offset..)?.first_chunk()?))
}

/// Little-endian `u64` at `offset`; `None` outside the buffer.
#[must_use]
#[inline]
pub fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(offset..)?.first_chunk()?))
}

/// True when every byte is zero.
#[must_use]
pub fn all_zero(data: &[u8]) -> bool {
    let (words, tail) = data.as_chunks::<64>();
    words
        .iter()
        .all(|word| word.iter().fold(0, |all, byte| all | byte) == 0)
        && tail.iter().all(|byte| *byte == 0)
}
