//! Names of log files: `<base>.log`, `<base>GGGGG.log`, `<base>GGGGGGGG.log`, and `.jtx` likewise.
//! [log notes 1.1]

use std::io;
use std::path::{Path, PathBuf};

use crate::format::ids::Generation;

/// Length of a base name (`E00`, `edb`, `V01`).
pub const BASE_LEN: usize = 3;

/// Which log of its stream a name speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogNumber {
    /// A closed generation.
    Archived(Generation),
    /// The generation being written; it sorts after all others.
    Current,
}

/// The parts of a log file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogName {
    /// The whole name.
    pub file_name: String,
    /// The base name, as written.
    pub base: String,
    /// Which log.
    pub number: LogNumber,
    /// `log` or `jtx`, in lower case.
    pub extension: String,
}

impl LogName {
    /// Takes a name apart; `None` when it is not a log's (reserve logs and the prepared `tmp` log
    /// are none).
    #[must_use]
    pub fn parse(file_name: &str) -> Option<Self> {
        let (stem, extension) = file_name.rsplit_once('.')?;
        let extension = extension.to_ascii_lowercase();
        if !matches!(extension.as_str(), "log" | "jtx") || !stem.is_ascii() {
            return None;
        }
        let (base, digits) = stem.split_at_checked(BASE_LEN)?;
        let number = match digits.len() {
            0 => LogNumber::Current,
            5 | 8 if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                LogNumber::Archived(Generation::new(u32::from_str_radix(digits, 16).ok()?))
            }
            _ => return None,
        };
        Some(Self {
            file_name: file_name.to_owned(),
            base: base.to_owned(),
            number,
            extension,
        })
    }

    /// How many digits the name has, if it is numbered.
    #[must_use]
    pub fn digits(&self) -> Option<usize> {
        let stem = self
            .file_name
            .len()
            .checked_sub(self.extension.len() + 1 + BASE_LEN)?;
        (stem > 0).then_some(stem)
    }
}

/// The log files of a directory, sorted by base name (without case), then number.
///
/// # Errors
/// When the directory cannot be read.
pub fn in_directory(dir: &Path) -> io::Result<Vec<LogName>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().and_then(LogName::parse) {
            found.push(name);
        }
    }
    found.sort_by(|a, b| {
        let key = |name: &LogName| (name.base.to_ascii_lowercase(), name.number);
        key(a)
            .cmp(&key(b))
            .then_with(|| a.file_name.cmp(&b.file_name))
    });
    Ok(found)
}

/// The logs of one stream in `dir`, archived ones in order, the current one last. As the engine
/// does, `.jtx` is looked for first, then `.log`.
///
/// # Errors
/// When the directory cannot be read.
pub fn of_stream(dir: &Path, base: &str) -> io::Result<Vec<LogName>> {
    let all = in_directory(dir)?;
    let of = |extension: &str| -> Vec<LogName> {
        all.iter()
            .filter(|name| name.base.eq_ignore_ascii_case(base) && name.extension == extension)
            .cloned()
            .collect()
    };
    let newer = of("jtx");
    Ok(if newer.is_empty() { of("log") } else { newer })
}

/// The file in `dir` that is called `name`, whatever the case of its letters.
#[must_use]
pub fn find_any_case(dir: &Path, name: &str) -> Option<PathBuf> {
    let exact = dir.join(name);
    if exact.exists() {
        return Some(exact);
    }
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|other| other.eq_ignore_ascii_case(name))
        .collect();
    found.sort();
    Some(dir.join(found.first()?))
}

#[cfg(test)]
mod tests {
    use super::{LogName, LogNumber};
    use crate::format::ids::Generation;

    #[test]
    fn names_are_taken_apart() {
        let number = |name: &str| LogName::parse(name).map(|parsed| parsed.number);
        let archived = |n| Some(LogNumber::Archived(Generation::new(n)));
        assert_eq!(number("E00.log"), Some(LogNumber::Current));
        assert_eq!(number("E0000012.LOG"), archived(0x12));
        assert_eq!(number("edb0000007E.jtx"), archived(0x7E));
        for other in [
            "res1.log",
            "edbtmp.log",
            "E00.chk",
            "E00res00001.jrs",
            "E00123456.log",
            "",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
        assert_eq!(LogName::parse("E0000012.LOG").unwrap().digits(), Some(5));
        assert_eq!(LogName::parse("E00.log").unwrap().digits(), None);
    }
}
