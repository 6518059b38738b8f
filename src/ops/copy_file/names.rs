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

    /// The folder that all of them are in.
    pub fn dir(&self) -> &Path {
        self.dest.parent().unwrap_or_else(|| Path::new("/"))
    }

    /// Every path.
    pub fn all(&self) -> [&Path; 4] {
        [&self.dest, &self.part, &self.map, &self.new_map]
    }
}
