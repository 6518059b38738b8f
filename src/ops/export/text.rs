//! Long values as characters, piece by piece.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::LongMode;
use super::hash::Fnv;
use super::row::{Cell, CellPlace, LongCell};
use crate::format::schema::Coltyp;
use crate::format::value::{CodePage, Hex, Text};

/// Turns pieces of a long value into characters: text as text, everything else as hexadecimal
/// digits. A character that a piece boundary cuts is kept for the next piece.
struct Characters {
    code_page: Option<CodePage>,
    carry: Vec<u8>,
    text: String,
}

impl Characters {
    fn new(coltyp: Coltyp, code_page: CodePage) -> Self {
        Self {
            code_page: coltyp.is_text().then_some(code_page),
            carry: Vec::new(),
            text: String::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8], last: bool) -> &str {
        self.text.clear();
        let Some(code_page) = self.code_page else {
            write!(self.text, "{}", Hex(bytes)).expect("memory takes every text");
            return &self.text;
        };
        self.carry.extend_from_slice(bytes);
        let complete = match last {
            true => self.carry.len(),
            false => complete(&self.carry, code_page),
        };
        self.text
            .extend(Text::new(&self.carry[..complete], code_page).chars());
        self.carry.drain(..complete);
        &self.text
    }
}

/// How many of the bytes make whole characters, as far as that can be told without what follows.
fn complete(bytes: &[u8], code_page: CodePage) -> usize {
    if code_page == CodePage::Ansi {
        return bytes.len();
    }
    let even = bytes.len() & !1;
    match bytes[..even].last() {
        // The first half of a surrogate pair: its second half is in the next piece.
        Some(0xD8..=0xDB) => even - 2,
        _ => even,
    }
}

/// Writes a long value between quotation marks, each piece of its characters as `escape` has it.
pub(super) fn quoted(
    out: &mut dyn Write,
    place: CellPlace<'_>,
    long: &mut dyn LongCell,
    escape: fn(&mut dyn Write, &str) -> io::Result<()>,
) -> io::Result<()> {
    let mut characters = Characters::new(place.column.coltyp, place.column.code_page);
    out.write_all(b"\"")?;
    long.pieces(&mut |piece| escape(out, characters.feed(piece, false)))?;
    escape(out, characters.feed(&[], true))?;
    out.write_all(b"\"")
}

/// The hash of a long value.
pub(super) fn hash(long: &mut dyn LongCell) -> io::Result<Fnv> {
    let mut hash = Fnv::START;
    long.pieces(&mut |piece| {
        hash.update(piece);
        Ok(())
    })?;
    Ok(hash)
}

/// Size and hash of a cell that is to be shown by them: with `--lv hash` the values of the long
/// value tree.
pub(super) fn hashed(cell: &mut Cell<'_>, mode: LongMode) -> io::Result<Option<(u64, Fnv)>> {
    Ok(match (cell, mode) {
        (
            Cell::Value {
                bytes,
                separated: true,
                ..
            },
            LongMode::Hash,
        ) => Some((bytes.len() as u64, Fnv::of(bytes))),
        (Cell::Long(long), LongMode::Hash) => Some((long.size().into(), hash(*long)?)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::Characters;
    use crate::format::schema::Coltyp;
    use crate::format::value::{CodePage, Text};

    #[test]
    fn pieces_of_any_size_make_the_same_text() {
        let text = "a\u{1F600}b\u{E9}\u{1F601}";
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let broken = [&bytes[..], &[0x3D, 0xD8, 0x41, 0x00, 0x3D, 0xD8, 0x07]].concat();
        for bytes in [&bytes, &broken] {
            let whole = Text::new(bytes, CodePage::Unicode).to_string();
            for size in 1..bytes.len() {
                let mut characters = Characters::new(Coltyp::LongText, CodePage::Unicode);
                let mut got = String::new();
                for piece in bytes.chunks(size) {
                    got.push_str(characters.feed(piece, false));
                }
                got.push_str(characters.feed(&[], true));
                assert_eq!(got, whole, "pieces of {size}");
            }
        }
    }
}
