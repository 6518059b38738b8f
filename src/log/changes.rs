//! How the files of a log stream change: what a writer hands out, for others to do.

use crate::format::ids::Generation;

/// Which file of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogRole {
    /// A closed generation, `<base>GGGGGGGG.log`.
    Archived(Generation),
    /// `<base>.log`.
    Current,
    /// The log that is prepared for later, `<base>tmp.log`.
    Temp,
}

/// What a file becomes. Pieces are offsets and bytes; where two overlap the later one holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogContent {
    /// Only these places of an existing file change; none when it only gets another name.
    Patch(Vec<(u64, Vec<u8>)>),
    /// The file is new, or replaces what has its name: `len` bytes, zero except for these places.
    New {
        /// Size in bytes.
        len: u64,
        /// What is not zero.
        pieces: Vec<(u64, Vec<u8>)>,
    },
}

/// One file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFileChange {
    /// What it is in the end.
    pub role: LogRole,
    /// It is `<base>.log` before: patched first, then renamed to its number.
    pub was_current: bool,
    /// What it becomes.
    pub content: LogContent,
}

impl LogContent {
    /// The file afterwards; `before` is what it was, if it was there.
    #[must_use]
    pub fn applied_to(&self, before: &[u8]) -> Vec<u8> {
        let (mut bytes, pieces) = match self {
            Self::Patch(pieces) => (before.to_vec(), pieces),
            Self::New { len, pieces } => (vec![0; usize::try_from(*len).unwrap_or(0)], pieces),
        };
        for (offset, piece) in pieces {
            let start = usize::try_from(*offset).unwrap_or(usize::MAX);
            let place = start
                .checked_add(piece.len())
                .and_then(|end| bytes.get_mut(start..end));
            if let Some(place) = place {
                place.copy_from_slice(piece);
            }
        }
        bytes
    }
}

/// How the files of a stream are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamNaming {
    /// Three characters, as written in the names that are there.
    pub base: String,
    /// `log` or `jtx`.
    pub extension: String,
    /// Digits of archived generations: 5 or 8.
    pub digits: usize,
}

/// The highest generation that 5 digits can name.
const FIVE_DIGITS_MOST: u32 = 0xF_FFFF;

impl StreamNaming {
    /// The name of a file.
    #[must_use]
    pub fn name(&self, role: LogRole) -> String {
        let Self {
            base, extension, ..
        } = self;
        match role {
            LogRole::Current => format!("{base}.{extension}"),
            LogRole::Temp => format!("{base}tmp.{extension}"),
            LogRole::Archived(generation) => {
                let number = generation.get();
                let digits = if number > FIVE_DIGITS_MOST {
                    8
                } else {
                    self.digits
                };
                format!("{base}{number:0digits$X}.{extension}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LogContent, LogRole, StreamNaming};
    use crate::format::ids::Generation;
    use crate::log::names::LogName;

    #[test]
    fn names_read_as_they_are_written() {
        for digits in [5, 8] {
            let naming = StreamNaming {
                base: "E00".into(),
                extension: "log".into(),
                digits,
            };
            let name = naming.name(LogRole::Archived(Generation::new(0x1A)));
            assert_eq!(LogName::parse(&name).unwrap().digits(), Some(digits));
            let far = naming.name(LogRole::Archived(Generation::new(0x12_3456)));
            assert_eq!(far, "E0000123456.log");
            assert_eq!(naming.name(LogRole::Temp), "E00tmp.log");
        }
    }

    #[test]
    fn pieces_outside_of_a_file_are_left_out() {
        let content = LogContent::New {
            len: 4,
            pieces: vec![(1, vec![7]), (4, vec![9]), (u64::MAX, vec![9])],
        };
        assert_eq!(content.applied_to(&[]), [0, 7, 0, 0]);
        let patch = LogContent::Patch(vec![(0, vec![1]), (0, vec![2])]);
        assert_eq!(patch.applied_to(&[5, 5]), [2, 5]);
    }
}
