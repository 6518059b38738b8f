//! Where an export goes: standard output, one file, or a directory with a file for each table.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A place to write to.
pub enum Out {
    /// None yet.
    None,
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
    /// A file.
    File(BufWriter<File>),
}

impl Out {
    /// Writes out what is still in memory.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None => Err(io::Error::other("nothing to write to")),
            Self::Standard(out) => out.write(bytes),
            Self::File(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Standard(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}

/// Gives out the places, one table after the other.
pub enum Target {
    /// Everything to one place.
    One(Option<Out>),
    /// A file for each table.
    Directory {
        /// Where.
        dir: PathBuf,
        /// Behind the dot.
        extension: &'static str,
        /// File names in use, in lower case: some file systems do not tell case.
        used: BTreeSet<String>,
    },
}

impl Target {
    /// The place that the user named. A directory that is there takes a file for each table; with
    /// `several` the path is made one.
    pub fn new(path: Option<&Path>, extension: &'static str, several: bool) -> io::Result<Self> {
        let Some(path) = path else {
            let out = Out::Standard(BufWriter::new(io::stdout()));
            return Ok(Self::One(Some(out)));
        };
        if several {
            fs::create_dir_all(path)?;
        }
        Ok(if path.is_dir() {
            Self::Directory {
                dir: path.to_owned(),
                extension,
                used: BTreeSet::new(),
            }
        } else {
            Self::One(Some(create(path)?))
        })
    }

    /// The place for the next table; `last` was the one of the table before.
    pub fn next(&mut self, last: Out, table: &str) -> io::Result<Out> {
        match self {
            Self::One(first) => Ok(first.take().unwrap_or(last)),
            Self::Directory {
                dir,
                extension,
                used,
            } => {
                last.finish()?;
                let mut name = file_name(table);
                while !used.insert(name.to_lowercase()) {
                    name.push('~');
                }
                create(&dir.join(format!("{name}.{extension}")))
            }
        }
    }
}

fn create(path: &Path) -> io::Result<Out> {
    let file = File::create_new(path);
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("'{}': {error}", path.display()));
    Ok(Out::File(BufWriter::new(file.map_err(named)?)))
}

/// Table names come from the file: what could lead out of the directory, or means something to a
/// shell or a file system, is written as `%` and two digits.
fn file_name(table: &str) -> String {
    /// Leaves room for the extension in the 255 bytes that file systems take.
    const LONGEST: usize = 200;
    let mut name = String::new();
    for (at, byte) in table.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ' | b'$');
        if plain || (byte == b'.' && at > 0) {
            name.push(byte.into());
        } else {
            name += &format!("%{byte:02X}");
        }
        if name.len() > LONGEST {
            break;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn table_names_stay_in_the_directory() {
        assert_eq!(file_name("Msg"), "Msg");
        assert_eq!(file_name("../../etc/x"), "%2E.%2F..%2Fetc%2Fx");
        assert_eq!(file_name(".."), "%2E.");
        assert_eq!(file_name("{1A}"), "%7B1A%7D");
        assert!(file_name(&"\u{e9}".repeat(500)).len() < 220);
    }
}
