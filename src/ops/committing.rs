//! The moment in which a command changes files, and who must know of it.

use std::path::PathBuf;

use crate::error::Result;
use crate::progress::{Left, Progress};
use crate::undo::{Applier, UndoWriter};

/// As [`UndoWriter::commit`]; `progress` hears what is left if the command ends meanwhile.
pub(super) fn commit<'d>(
    writer: UndoWriter<'d>,
    keep: bool,
    progress: &dyn Progress,
    apply: impl FnOnce(&mut Applier<'d>) -> Result<()>,
) -> Result<Option<PathBuf>> {
    let (disk, path) = (writer.disk(), writer.path().to_owned());
    // Before, while it is made durable, nothing has changed.
    let done = writer.commit(keep, |applier| {
        progress.leaves(Left::Changing { undo: Some(&path) });
        apply(applier)
    });
    match &done {
        Ok(undo) => progress.leaves(Left::Changed {
            undo: undo.as_deref(),
        }),
        // Where the changes could not be taken back the undo file is still there.
        Err(_) if disk.exists(&path).unwrap_or(true) => {}
        Err(_) => progress.leaves(Left::Unchanged),
    }
    done
}
