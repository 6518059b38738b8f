//! `undo`: takes back what a command has changed, from the undo file that it left.

mod find;

pub use find::{FoundUndo, undo_files_of};

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Result;
use crate::format::undofile::{UndoPlan, UndoStatus};
use crate::jet::JetError;
use crate::progress::{Progress, Silent};
use crate::storage::RealDisk;
use crate::undo::{Conflict, RestoredFile, UndoFile};

/// What to do with an undo file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UndoAction {
    /// Restore.
    #[default]
    Restore,
    /// Tell what is in it.
    List,
    /// Tell what restoring would do.
    DryRun,
    /// Remove it and keep the changes.
    Discard,
}

/// How to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UndoOptions {
    /// What to do.
    pub action: UndoAction,
    /// Restore files that were changed since; discard what an interrupted operation needs.
    pub force: bool,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoOutcome {
    /// Only looked.
    Listed,
    /// Restoring would work.
    CanRestore,
    /// Restoring would be refused.
    WouldRefuse,
    /// Everything is as before.
    Restored,
    /// There was nothing to restore: the operation changed nothing, or is undone already.
    NothingToDo,
    /// The undo file is gone.
    Discarded,
    /// The undo file stays: an interrupted operation needs it.
    DiscardRefused,
}

/// One file of an undo file.
#[derive(Debug, Clone, Serialize)]
pub struct UndoneFile {
    /// Where it is.
    pub path: String,
    /// What the operation does to it.
    pub plan: UndoPlan,
    /// Its length in bytes before the operation.
    pub before_bytes: u64,
    /// Its length in bytes after it.
    pub after_bytes: u64,
    /// Bytes of it in the undo file.
    pub saved_bytes: u64,
    /// Bytes that were written back; null when nothing was restored.
    pub written_bytes: Option<u64>,
    /// The original under another name, where that is how it is kept; null otherwise.
    pub aside: Option<UndoneAside>,
    /// How it differs from what the operation left; null when it does not, or was not looked at.
    pub changed_since: Option<UndoConflict>,
}

/// An original that was put aside.
#[derive(Debug, Clone, Serialize)]
pub struct UndoneAside {
    /// Its other name.
    pub path: String,
    /// What became of it; null when nothing did.
    pub outcome: Option<AsideOutcome>,
}

/// What became of an original that was put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AsideOutcome {
    /// It has its own name again.
    Restored,
    /// It is gone, with the undo file.
    Removed,
    /// It stays, though the undo file is gone: something is not as the operation left it.
    Left,
}

/// Where a file was changed since.
#[derive(Debug, Clone, Serialize)]
pub struct UndoConflict {
    /// First byte.
    pub offset: u64,
    /// How.
    pub what: String,
}

/// An undo file and what was done with it.
#[derive(Debug, Clone, Serialize)]
pub struct UndoReport {
    /// The undo file.
    #[serde(skip)]
    pub path: PathBuf,
    /// The operation that left it.
    pub operation: String,
    /// When it was made: ISO 8601, UTC; null when it was never finished.
    pub created: Option<String>,
    /// How far the operation was.
    pub undo_status: UndoStatus,
    /// One of its two headers is damaged.
    pub header_damaged: bool,
    /// What was done.
    pub outcome: UndoOutcome,
    /// Every file, in the order in which they were saved.
    pub files: Vec<UndoneFile>,
}

impl UndoReport {
    /// What the operation ends with.
    #[must_use]
    pub const fn jet(&self) -> JetError {
        match self.outcome {
            UndoOutcome::WouldRefuse => JetError::CONSISTENT_TIME_MISMATCH,
            UndoOutcome::DiscardRefused => JetError::FILE_ACCESS_DENIED,
            _ => JetError::SUCCESS,
        }
    }
}

/// Does what `options` say with the undo file at `path`.
///
/// # Errors
/// [`crate::error::Error::Io`]; [`crate::error::Error::WrongFileType`] for another kind of file;
/// [`crate::error::Error::UndoUnusable`] when it is damaged, [`crate::error::Error::ChangedSince`] when a file was changed since: both
/// before anything is written.
pub fn undo_file(path: &Path, options: UndoOptions) -> Result<UndoReport> {
    undo_file_watched(path, options, &Silent)
}

/// The same; `progress` hears how far it is, and what is left if it ends.
///
/// # Errors
/// As [`undo_file`].
pub fn undo_file_watched(
    path: &Path,
    options: UndoOptions,
    progress: &dyn Progress,
) -> Result<UndoReport> {
    let mut undo = UndoFile::open(&RealDisk, path)?;
    let mut report = describe(&undo, path);
    let nothing = matches!(undo.status(), UndoStatus::Unsealed | UndoStatus::Restored);
    match options.action {
        UndoAction::List => {}
        UndoAction::Discard if undo.status() == UndoStatus::Sealed && !options.force => {
            report.outcome = UndoOutcome::DiscardRefused;
        }
        UndoAction::Discard => {
            let done = undo.discard()?;
            note_asides(&mut report, &done.removed, AsideOutcome::Removed);
            note_asides(&mut report, &done.left, AsideOutcome::Left);
            report.outcome = UndoOutcome::Discarded;
        }
        UndoAction::DryRun | UndoAction::Restore if nothing => {
            report.outcome = UndoOutcome::NothingToDo;
        }
        UndoAction::DryRun => {
            // What a command that is at work will leave is not known.
            UndoFile::glance(&RealDisk, path)?;
            let conflicts = undo.check_watched(progress)?;
            let refuses = |conflict: &Conflict| conflict.hopeless || !options.force;
            report.outcome = if conflicts.iter().any(refuses) {
                UndoOutcome::WouldRefuse
            } else {
                UndoOutcome::CanRestore
            };
            note_conflicts(&mut report, conflicts);
        }
        UndoAction::Restore => {
            let restored = undo.restore_watched(options.force, progress)?;
            for (file, RestoredFile { written, .. }) in report.files.iter_mut().zip(restored.files)
            {
                file.written_bytes = Some(written);
                if let Some(aside) = &mut file.aside {
                    aside.outcome = Some(AsideOutcome::Restored);
                }
            }
            report.outcome = UndoOutcome::Restored;
        }
    }
    Ok(report)
}

fn describe(undo: &UndoFile<'_>, path: &Path) -> UndoReport {
    let file = |file: &crate::undo::SavedFile| UndoneFile {
        path: file.path.to_string_lossy().into_owned(),
        plan: file.plan,
        before_bytes: file.before_len,
        after_bytes: file.after_len,
        saved_bytes: file.saved,
        written_bytes: None,
        aside: file.aside.as_ref().map(|aside| UndoneAside {
            path: aside.path.to_string_lossy().into_owned(),
            outcome: None,
        }),
        changed_since: None,
    };
    UndoReport {
        path: path.to_owned(),
        operation: undo.operation().to_owned(),
        created: undo.created(),
        undo_status: undo.status(),
        header_damaged: undo.header_damaged(),
        outcome: UndoOutcome::Listed,
        files: undo.files().iter().map(file).collect(),
    }
}

fn note_asides(report: &mut UndoReport, paths: &[PathBuf], outcome: AsideOutcome) {
    let asides = report
        .files
        .iter_mut()
        .filter_map(|file| file.aside.as_mut());
    for aside in asides {
        if paths
            .iter()
            .any(|path| path.to_string_lossy() == aside.path)
        {
            aside.outcome = Some(outcome);
        }
    }
}

fn note_conflicts(report: &mut UndoReport, conflicts: Vec<Conflict>) {
    for conflict in conflicts {
        let name = conflict.path.to_string_lossy();
        let names = |file: &&mut UndoneFile| {
            file.path == name || file.aside.as_ref().is_some_and(|aside| aside.path == name)
        };
        let file = report.files.iter_mut().find(names);
        if let Some(file) = file {
            file.changed_since = Some(UndoConflict {
                offset: conflict.offset,
                what: conflict.what,
            });
        }
    }
}
