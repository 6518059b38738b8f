//! Text in the two code pages that columns may have. [format notes 6.5]

use std::fmt;
use std::fmt::Write;

use serde::{Serialize, Serializer};

/// Windows-1252 differs from Latin-1 in 0x80 to 0x9F; the five bytes that it leaves undefined are
/// the control characters that Windows makes of them.
const HIGH_CONTROLS: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2C6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];

/// Code page of a text column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CodePage {
    /// 1252, "ASCII".
    #[default]
    Ansi,
    /// 1200, UTF-16.
    Unicode,
}

impl CodePage {
    /// From the catalog. Only 1200 and 1252 are legal; whatever else a column says (0 for columns
    /// that are no text) is read as 1252, which loses no byte.
    #[must_use]
    pub const fn from_catalog(number: u32) -> Self {
        match number {
            1200 => Self::Unicode,
            _ => Self::Ansi,
        }
    }

    /// The catalog's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Ansi => 1252,
            Self::Unicode => 1200,
        }
    }
}

/// Text as stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    bytes: &'a [u8],
    code_page: CodePage,
}

impl<'a> Text<'a> {
    /// Text in a code page.
    #[must_use]
    pub const fn new(bytes: &'a [u8], code_page: CodePage) -> Self {
        Self { bytes, code_page }
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The code page.
    #[must_use]
    pub const fn code_page(self) -> CodePage {
        self.code_page
    }

    /// The characters; what is no character (a lone surrogate, half a UTF-16 unit at the end)
    /// becomes U+FFFD.
    pub fn chars(self) -> impl Iterator<Item = char> {
        let (ansi, wide) = match self.code_page {
            CodePage::Ansi => (self.bytes, &[][..]),
            CodePage::Unicode => (&[][..], self.bytes),
        };
        let (units, half) = wide.as_chunks::<2>();
        let wide = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .chain(half.iter().map(|_| char::REPLACEMENT_CHARACTER));
        ansi.iter().copied().map(ansi_char).chain(wide)
    }
}

fn ansi_char(byte: u8) -> char {
    byte.checked_sub(0x80)
        .and_then(|high| HIGH_CONTROLS.get(usize::from(high)))
        .copied()
        .unwrap_or(char::from(byte))
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars()
            .try_for_each(|character| f.write_char(character))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
