//! The strings of a binary file of unknown layout.
//!
//! A string is taken in one of these forms, and no byte for two of them: a length (u32 or u16, in bytes or
//! characters, a final NUL counted or not) with the text behind it; a text that ends with a NUL; several of those
//! behind each other, as in a list that ends with two NULs. Texts are UTF-16LE or ASCII, of at least three
//! printable characters. Every byte is looked at a bounded number of times.

use std::ops::Range;

use super::{EnvFault, STRINGS_MOST, StringEncoding};
use crate::format::bytes::{u16_at, u32_at};

/// The fewest characters of a string.
const CHARS_LEAST: usize = 3;
/// The most; longer ones are not texts. (Paths end at 260.)
const CHARS_MOST: usize = 4096;
/// How many strings with lengths before them, and nothing between, are followed to see that the first is one.
const CHAIN_MOST: usize = 32;

/// A string and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where its length begins, or the text if it has none.
    pub from: usize,
    /// Where the text begins.
    pub at: usize,
    /// Where the text ends, before any NUL.
    pub text_end: usize,
    /// Where what belongs to it ends: behind its NUL, if that is known to be one.
    pub end: usize,
    /// The text.
    pub text: String,
    /// `Ascii` or `Utf16Le`.
    pub encoding: StringEncoding,
    /// Nothing but one NUL is between the string before and this one.
    pub follows: bool,
}

/// Bytes of a character.
pub(super) const fn unit(encoding: StringEncoding) -> usize {
    match encoding {
        StringEncoding::Ascii | StringEncoding::Utf8 => 1,
        StringEncoding::Utf16Le | StringEncoding::Utf16Be => 2,
    }
}

/// True for a path that says where it begins: `D:\x` or `\\server\x`.
fn is_absolute(text: &str) -> bool {
    match text.as_bytes() {
        [drive, b':', b'\\', ..] => drive.is_ascii_alphabetic(),
        [b'\\', b'\\', next, ..] => *next != b'\\',
        _ => false,
    }
}

/// True for the absolute path of a database or of a streaming file.
pub(super) fn is_database_file(text: &str) -> bool {
    is_file(text, ".edb") || is_file(text, ".stm")
}

/// True for an absolute path of a file with this extension.
pub(super) fn is_file(text: &str, extension: &str) -> bool {
    is_absolute(text)
        && has_extension(text, extension)
        && !text.contains(['<', '>', '"', '|', '?', '*', '/'])
}

/// True when a path ends so, in whichever case.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    let tail = path.len().checked_sub(extension.len());
    tail.and_then(|at| path.get(at..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(extension))
}

/// All strings of the bytes, in their order.
///
/// # Errors
/// [`EnvFault::TooManyStrings`].
pub(super) fn find(bytes: &[u8]) -> Result<Vec<Found>, EnvFault> {
    let mut scanner = Scanner {
        bytes,
        runs: [(0, 0); 3],
    };
    let mut found: Vec<Found> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let step = match scanner.declared(at) {
            Some(string) => Step::Found(string),
            None => scanner.bare(at),
        };
        match step {
            Step::Skip(to) => at = to.max(at + 1),
            Step::Found(mut string) => {
                at = string.end.max(at + 1);
                string.follows = found.last().is_some_and(|last| {
                    let ended = last.end > last.text_end && last.end == string.at;
                    ended && last.encoding == string.encoding
                });
                found.push(string);
                if found.len() > STRINGS_MOST {
                    return Err(EnvFault::TooManyStrings);
                }
            }
        }
    }
    Ok(found)
}

enum Step {
    Found(Found),
    Skip(usize),
}

struct Scanner<'a> {
    bytes: &'a [u8],
    /// The run of printable characters asked for last: ASCII, UTF-16 at even places, at odd ones. Without it
    /// a long run would be read again for each of its bytes.
    runs: [(usize, usize); 3],
}

impl Scanner<'_> {
    fn printable(&self, at: usize, encoding: StringEncoding) -> bool {
        match encoding {
            StringEncoding::Ascii => self.bytes.get(at).is_some_and(|byte| is_ascii(*byte)),
            _ => u16_at(self.bytes, at).is_some_and(is_character),
        }
    }

    /// True when an ASCII character is at this place, in this encoding.
    fn latin(&self, at: usize, encoding: StringEncoding) -> bool {
        let high = match encoding {
            StringEncoding::Ascii => Some(&0),
            _ => self.bytes.get(at + 1),
        };
        self.printable(at, encoding)
            && high == Some(&0)
            && self.bytes.get(at).is_some_and(|byte| is_ascii(*byte))
    }

    fn nul(&self, at: usize, encoding: StringEncoding) -> bool {
        let character = self.bytes.get(at..at + unit(encoding));
        character.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
    }

    /// Where the printable characters from `at` on end.
    fn run(&mut self, at: usize, encoding: StringEncoding) -> usize {
        let slot = match encoding {
            StringEncoding::Ascii => 0,
            _ => 1 + at % 2,
        };
        let (from, end) = self.runs[slot];
        if (from..end).contains(&at) {
            return end;
        }
        let mut to = at;
        while self.printable(to, encoding) {
            to += unit(encoding);
            if to == from && from < end {
                to = end;
                break;
            }
        }
        if to > at {
            self.runs[slot] = (at, to);
        }
        to
    }

    fn string(&self, from: usize, at: usize, text_end: usize, encoding: StringEncoding) -> Found {
        let bytes = self.bytes.get(at..text_end).unwrap_or_default();
        let text = match encoding {
            StringEncoding::Ascii => String::from_utf8_lossy(bytes).into_owned(),
            _ => {
                let (units, _) = bytes.as_chunks::<2>();
                let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
                String::from_utf16_lossy(&units)
            }
        };
        let ended = self.nul(text_end, encoding);
        Found {
            from,
            at,
            text_end,
            end: text_end + if ended { unit(encoding) } else { 0 },
            text,
            encoding,
            follows: false,
        }
    }

    /// A string whose length stands at `at`. Where several readings of the length fit, the one that gives the
    /// path of a database or streaming file is right.
    fn declared(&mut self, at: usize) -> Option<Found> {
        let mut fallback = None;
        for width in [4, 2] {
            let length = match width {
                4 => u32_at(self.bytes, at)? as usize,
                _ => usize::from(u16_at(self.bytes, at)?),
            };
            if !(CHARS_LEAST..=2 * CHARS_MOST).contains(&length) {
                continue;
            }
            let start = at + width;
            for encoding in [StringEncoding::Utf16Le, StringEncoding::Ascii] {
                // Two bytes are a length by chance too often for a text that begins with any character; and
                // the `D` of `D:\` may be one by chance.
                if width == 2 && (!self.latin(start, encoding) || self.begins_path(at)) {
                    continue;
                }
                // ASCII in pairs is UTF-16 too, of rare characters.
                if !self.latin(start, encoding)
                    && self.run(start, StringEncoding::Ascii) >= start + CHARS_LEAST
                {
                    continue;
                }
                let unit = unit(encoding);
                let run = self.run(start, encoding);
                if run - start < CHARS_LEAST * unit {
                    continue;
                }
                for scale in 1..=unit {
                    let bytes = length * scale;
                    let end = start.saturating_add(bytes);
                    if !bytes.is_multiple_of(unit) || end > self.bytes.len() {
                        continue;
                    }
                    let text_end = end.min(run);
                    let fits = if end > run {
                        // The NUL, or both of a list, are counted.
                        end - run <= 2 * unit
                            && self.nul(run, encoding)
                            && self.nul(end - unit, encoding)
                    } else {
                        end - start >= CHARS_LEAST * unit
                            && self.ends(start..end, run, width, encoding, scale)
                    };
                    if !fits || text_end - start > CHARS_MOST * unit {
                        continue;
                    }
                    let string = self.string(at, start, text_end, encoding);
                    if is_database_file(&string.text) {
                        return Some(string);
                    }
                    fallback = fallback.or(Some(string));
                }
            }
        }
        fallback
    }

    /// True when a text without a NUL, whose length says that it ends at `end`, may: the printable characters
    /// end there, or the one more is the low byte of a number; or ASCII ends there, which four characters are
    /// enough to be; or further such texts lead to the end.
    fn ends(
        &self,
        declared: Range<usize>,
        run: usize,
        width: usize,
        encoding: StringEncoding,
        scale: usize,
    ) -> bool {
        let unit = unit(encoding);
        let mut end = declared.end;
        if declared.len() > CHARS_LEAST * unit
            && !self.latin(end, encoding)
            && declared.step_by(unit).all(|at| self.latin(at, encoding))
        {
            return true;
        }
        for _ in 0..CHAIN_MOST {
            if run.saturating_sub(end) <= unit {
                return end <= run + unit;
            }
            if width != 2 {
                return false;
            }
            let Some(length) = u16_at(self.bytes, end).map(usize::from) else {
                return false;
            };
            if length < CHARS_LEAST || !(length * scale).is_multiple_of(unit) {
                return false;
            }
            end += width + length * scale;
        }
        true
    }

    /// A string without a length at `at`, or where to look next.
    fn bare(&mut self, at: usize) -> Step {
        for encoding in [StringEncoding::Utf16Le, StringEncoding::Ascii] {
            let unit = unit(encoding);
            // Two ASCII characters, so that a number before ASCII text does not begin UTF-16.
            if !self.latin(at, encoding) || !self.latin(at + unit, encoding) {
                continue;
            }
            let run = self.run(at, encoding);
            if run - at < CHARS_LEAST * unit {
                continue;
            }
            let last = run + unit > self.bytes.len();
            let ended = (self.nul(run, encoding) || last) && run - at <= CHARS_MOST * unit;
            let string = ended.then(|| self.string(at, at, run, encoding));
            let certain =
                |string: &Found| encoding == StringEncoding::Utf16Le || is_absolute(&string.text);
            if !string.as_ref().is_some_and(certain) {
                // The last bytes may be the length of the next string, or the first of a path.
                for tail in [run - 2, run - 1].into_iter().filter(|tail| *tail > at) {
                    if self.declared(tail).is_some() || self.wide(tail, run, encoding) {
                        return Step::Skip(tail);
                    }
                }
            }
            if let Some(string) = string {
                return Step::Found(string);
            }
            return Step::Skip(run);
        }
        Step::Skip(at + 1)
    }

    /// True when the last byte of an ASCII run is the drive of a UTF-16 path. (Of other UTF-16 strings it may as
    /// well be the last character of an ASCII one.)
    fn wide(&self, at: usize, run: usize, encoding: StringEncoding) -> bool {
        encoding == StringEncoding::Ascii && at + 1 == run && self.begins_path(at)
    }

    /// True when an absolute path in UTF-16 begins here.
    fn begins_path(&self, at: usize) -> bool {
        let end = (at + 6).min(self.bytes.len());
        is_absolute(&self.string(at, at, end, StringEncoding::Utf16Le).text)
    }
}

const fn is_ascii(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E)
}

/// Printable characters of the first plane; no surrogates, none of the private area.
const fn is_character(unit: u16) -> bool {
    matches!(unit, 0x20..=0x7E | 0xA0..=0xD7FF | 0xF900..=0xFFFD)
}
