//! The safety net of every command that changes files: an undo file.
//!
//! A mutating operation first works everything out: changed pages, changed logs, new files. Then it
//! commits in four steps:
//!
//! 1. [`UndoWriter`] saves the before-image of every byte that will change, and which files come and go;
//! 2. [`UndoWriter::seal`] makes that durable and says so in the undo file's header;
//! 3. an [`Applier`] changes the files and makes the changes durable;
//! 4. [`SealedUndo::complete`] says so in the header, or [`SealedUndo::discard`] removes the undo file.
//!
//! [`UndoWriter::commit`] does steps 2 to 4 in order, and takes the changes back when one of them fails.
//! Killed before 2, the originals are untouched; killed between 2 and 4, [`settle`] or
//! [`UndoFile::restore`] brings every byte back; later, [`UndoFile::restore`] does the same for a
//! user who asks for it. The format is in [`crate::format::undofile`] and `docs/undo.md`.
//!
//! A file that is too large to be saved is put aside instead ([`UndoWriter::will_put_aside`], [`Applier::put_aside`]): it
//! keeps its content under another name, and a new file, written beforehand, takes its own.
//!
//! Everything goes through a [`Disk`](crate::storage::Disk), so that one test can stop at every step.
//! The undo file is locked from its creation to the end of the command, and while it is restored:
//! a second command that meets it is refused.

mod apply;
mod aside;
mod check;
mod handles;
mod header;
mod lock;
mod paths;
mod reader;
mod restore;
mod sealed;
mod settle;
mod writer;

pub use apply::Applier;
pub use aside::Aside;
pub use check::Conflict;
pub use reader::{Glance, SavedFile, UndoFile};
pub use restore::{RestoreReport, RestoredFile};
pub use sealed::{Discarded, SealedUndo};
pub use settle::{Settled, prepare, settle};
pub use writer::UndoWriter;
