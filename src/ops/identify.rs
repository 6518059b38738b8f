//! Opening a file and telling what it is, by its content and never by its name.

use crate::error::{Error, Result};
use crate::format::dbheader::HeaderCopies;
use crate::storage::FileStorage;
use crate::storage::Storage as _;

pub use crate::format::filekind::{FileKind, identify};

/// Opens a file and reads enough of its start to tell what it is.
///
/// # Errors
/// [`Error::Io`].
pub fn open(path: &std::path::Path) -> Result<(FileStorage, Vec<u8>, FileKind)> {
    let file = FileStorage::open(path)?;
    let start = file
        .read_start(HeaderCopies::PROBE_BYTES)
        .or_else(|_| read_start_piecewise(&file))
        .map_err(|error| Error::io(path, "read", error))?;
    let kind = identify(&start);
    Ok((file, start, kind))
}

/// Refuses what is a file of the engine, but no database.
///
/// # Errors
/// [`Error::WrongFileType`] for a streaming file; of other kinds the lack of a header tells.
pub fn refuse_streaming(path: &std::path::Path, start: &[u8]) -> Result<()> {
    let kind = identify(start);
    if let FileKind::Streaming { .. } = kind {
        return Err(Error::WrongFileType {
            path: path.to_owned(),
            found: kind.words(),
            mode: "mh",
        });
    }
    Ok(())
}

/// A bad sector somewhere in the first 64 KiB must not hide a good header: what cannot be read is
/// taken as zero, as long as anything can.
fn read_start_piecewise(file: &FileStorage) -> std::io::Result<Vec<u8>> {
    const PIECE: usize = 512;
    let len = file.len()?.min(HeaderCopies::PROBE_BYTES as u64) as usize;
    let mut start = vec![0; len];
    let (mut readable, mut last_error) = (0, None);
    for (number, piece) in start.chunks_mut(PIECE).enumerate() {
        match file.read_at((number * PIECE) as u64, piece) {
            Ok(count) => readable += count,
            Err(error) => {
                piece.fill(0);
                last_error = Some(error);
            }
        }
    }
    match last_error {
        Some(error) if readable == 0 => Err(error),
        _ => Ok(start),
    }
}
