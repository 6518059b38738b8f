//! What an interrupted sweep has found out, so that the next one need not look again: one line a file, written when it is
//! known. A file counts as known while its length and the time of its last change are the same.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::survey::record::{Depth, FileRecord};

/// The first line; another number is another form of the lines that follow.
const FIRST_LINE: &str = r#"{"exutil_sweep_state":1}"#;

#[derive(Serialize, Deserialize)]
struct Line {
    bytes: u64,
    modified: u128,
    record: FileRecord,
}

/// A state file.
pub(super) struct StateFile {
    path: PathBuf,
    known: HashMap<String, Line>,
    file: Mutex<std::fs::File>,
}

impl StateFile {
    /// Opens a state file, or begins one. A line that was cut off ends what is known.
    ///
    /// # Errors
    /// [`Error::Io`]; `AlreadyExists` when the file is something else.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |action| move |error| Error::io(path, action, error);
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(io("open"))?;
        let mut known = HashMap::new();
        let mut lines = BufReader::new(&file).lines();
        let mut ends_whole = true;
        match lines.next() {
            None => {
                let first = format!("{FIRST_LINE}\n");
                file.write_all(first.as_bytes()).map_err(io("write"))?;
            }
            Some(Ok(first)) if first == FIRST_LINE => {
                for line in lines {
                    let line: Option<Line> =
                        line.ok().and_then(|line| serde_json::from_str(&line).ok());
                    ends_whole = line.is_some();
                    if let Some(line) = line {
                        known.insert(line.record.path.clone(), line);
                    }
                }
            }
            Some(_) => {
                let error = std::io::Error::new(
                    std::io::ErrorKind::AlreadyExists,
                    "it is no state file of a sweep",
                );
                return Err(io("use")(error));
            }
        }
        if !ends_whole {
            file.write_all(b"\n").map_err(io("write"))?;
        }
        Ok(Self {
            path: path.to_owned(),
            known,
            file: Mutex::new(file),
        })
    }

    /// What is known of a file that is as it was.
    pub fn known(
        &self,
        path: &str,
        stamp: Option<(u64, u128)>,
        depth: Depth,
    ) -> Option<FileRecord> {
        let line = self.known.get(path)?;
        let same = stamp == Some((line.bytes, line.modified)) && line.record.depth == depth;
        same.then(|| line.record.clone())
    }

    /// Keeps what was found out.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep(&self, stamp: Option<(u64, u128)>, record: &FileRecord) -> Result<()> {
        let Some((bytes, modified)) = stamp else {
            return Ok(());
        };
        let line = Line {
            bytes,
            modified,
            record: record.clone(),
        };
        let mut text = serde_json::to_string(&line)
            .map_err(|error| Error::io(&self.path, "write", std::io::Error::other(error)))?;
        text.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(text.as_bytes());
        written.map_err(|error| Error::io(&self.path, "write", error))
    }
}

#[cfg(test)]
mod tests {
    use super::StateFile;
    use crate::ops::survey::record::{Depth, FileRecord, Kind};

    #[test]
    fn what_was_found_out_is_known_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let record = FileRecord::new("a/b.edb".into(), Kind::Empty, Depth::Headers);
        let stamp = Some((5, 77));
        StateFile::open(&path)
            .unwrap()
            .keep(stamp, &record)
            .unwrap();
        // A line that was cut off by a crash.
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"bytes\":5,\"modif");
        std::fs::write(&path, text).unwrap();
        let other = FileRecord::new("c".into(), Kind::Empty, Depth::Headers);
        StateFile::open(&path).unwrap().keep(stamp, &other).unwrap();
        let state = StateFile::open(&path).unwrap();
        assert_eq!(state.known("a/b.edb", stamp, Depth::Headers), Some(record));
        assert_eq!(state.known("c", stamp, Depth::Headers), Some(other));
        assert_eq!(state.known("a/b.edb", Some((5, 78)), Depth::Headers), None);
        assert_eq!(state.known("a/b.edb", None, Depth::Headers), None);
        assert_eq!(state.known("a/b.edb", stamp, Depth::Checksum), None);
        assert_eq!(state.known("x", stamp, Depth::Headers), None);
    }

    #[test]
    fn what_is_no_state_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("priv1.edb");
        for content in [&b"database"[..], b"\xFF\xFE\n\n", b"{}\n"] {
            std::fs::write(&path, content).unwrap();
            assert!(StateFile::open(&path).is_err());
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }
}
