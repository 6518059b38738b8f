//! One command at a time: whoever writes, or has before-images to write back, holds the undo file.

use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::storage::Storage;

/// Takes the undo file for this handle until it is dropped.
///
/// # Errors
/// [`Error::Io`] with `PermissionDenied` when another command has it.
pub fn lock(file: &dyn Storage, path: &Path) -> Result<()> {
    if file.try_lock() {
        Ok(())
    } else {
        Err(in_use(path))
    }
}

/// The error of who comes second.
pub fn in_use(path: &Path) -> Error {
    let error = io::Error::new(
        io::ErrorKind::PermissionDenied,
        "another run of exutil is at work with it; wait until that has ended",
    );
    Error::io(path, "use", error)
}
