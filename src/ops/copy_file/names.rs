//! The files of a copy: the destination and what lies beside it until it is whole.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The destination.
    pub dest: PathBuf,
    /// `DEST.part`, where the copy grows.
    pub part: PathBuf,
    /// `DEST.map`, how far it is.
    pub map: PathBuf,
    /// `DEST.map.new`, the next map while it is written.
    pub new_map: PathBuf,
}

impl Names {
    /// Of the copy that becomes `dest`, an absolute path.
    ///
    /// # Errors
    /// [`Error::Io`] when it names no file.
    pub fn new(dest: &Path) -> Result<Self> {
        let invalid = || Error::io(dest, "create", std::io::ErrorKind::InvalidInput.into());
        let name = dest.file_name().ok_or_else(invalid)?;
        let beside = |extension: &str| {
            let mut name = name.to_owned();
            name.push(extension);
            dest.with_file_name(name)
        };
        Ok(Self {
            dest: dest.to_owned(),
            part: beside(".part"),
            map: beside(".map"),
            new_map: beside(".map.new"),
        })
    }

    /// True when a path, by how it is written, can only be that of a folder: `DIR/`, `DIR/.`.
    pub fn is_folder(path: &Path) -> bool {
        let bytes = path.as_os_str().as_encoded_bytes();
        let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
        bytes
            .last()
            .is_some_and(|last| std::path::is_separator(char::from(*last)))
    }

    /// The folder that all of them are in.
    pub fn dir(&self) -> &Path {
        self.dest.parent().unwrap_or_else(|| Path::new("/"))
    }

    /// Every path.
    pub fn all(&self) -> [&Path; 4] {
        [&self.dest, &self.part, &self.map, &self.new_map]
    }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use std::path::Path;

    #[test]
    fn folders_are_known_by_how_they_are_written() {
        for (path, is_folder) in [
            ("a/", true),
            ("a/b//", true),
            ("a/.", true),
            ("/", true),
            ("a", false),
            ("a/b.", false),
            ("a/b", false),
            ("", false),
        ] {
            assert_eq!(Names::is_folder(Path::new(path)), is_folder, "{path}");
        }
    }
}
