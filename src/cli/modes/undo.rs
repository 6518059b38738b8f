//! `undo`.

use std::path::Path;

use clap::ArgMatches;

use super::{files, plain_failure};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::Session;
use crate::error::{Error, Result};
use crate::format::undofile::{UndoPlan, UndoStatus};
use crate::jet::JetError;
use crate::ops::survey::group::quoted;
use crate::ops::undo::{
    AsideOutcome, FoundUndo, UndoAction, UndoOptions, UndoOutcome, UndoReport, UndoneFile,
    undo_file_watched, undo_files_of,
};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let action = match ["list", "dry-run", "discard"].map(|name| matches.get_flag(name)) {
        [true, ..] => UndoAction::List,
        [_, true, _] => UndoAction::DryRun,
        [_, _, true] => UndoAction::Discard,
        _ => UndoAction::Restore,
    };
    let force = matches.get_flag("force");
    let mut session = Session::new("undo", matches);
    session.head("UNDO");
    let options = UndoOptions { action, force };
    for path in files(matches) {
        // What is to go is to be named.
        let found = match action {
            UndoAction::Discard => Ok(None),
            _ => undo_files_of(path),
        };
        match found {
            Ok(None) => {
                let done = one(&mut session, path, options);
                show(&mut session, path, done);
            }
            Ok(Some(found)) => several(&mut session, path, found, options),
            Err(error) => plain_failure(&mut session, path, &error),
        }
    }
    session.close()
}

fn one(session: &mut Session, path: &Path, options: UndoOptions) -> Result<UndoReport> {
    let live = session.live(path);
    undo_file_watched(path, options, &live)
}

/// True when there was something to take back.
fn show(session: &mut Session, path: &Path, done: Result<UndoReport>) -> bool {
    session.eseutil(&format!("      Undo file: {}\n\n", path.display()));
    match done {
        Ok(report) => {
            session.report(path, report.jet(), &[], &report, || layout(&report));
            matches!(
                report.undo_status,
                UndoStatus::Sealed | UndoStatus::Complete
            )
        }
        Err(error) => {
            plain_failure(session, path, &error);
            false
        }
    }
}

/// The undo files of a database or folder, the newest first. Nothing is restored: of several that build on one another the
/// order matters, so each is to be named.
fn several(session: &mut Session, of: &Path, found: Vec<FoundUndo>, options: UndoOptions) {
    if found.is_empty() {
        let path = of.to_owned();
        return plain_failure(session, of, &Error::NoUndoFile { path });
    }
    let mut newest = None;
    for FoundUndo { path, listed } in found {
        let done = match options.action {
            UndoAction::DryRun => one(session, &path, options),
            _ => listed,
        };
        let is_due = show(session, &path, done);
        newest = newest.or(is_due.then_some(path));
        session.eseutil("\n");
    }
    // A script that meant to restore must not take this for done.
    if let Some(newest) = newest.filter(|_| options.action == UndoAction::Restore) {
        let error = Error::Copy {
            path: of.to_owned(),
            jet: JetError::INVALID_PARAMETER,
            what: format!(
                "it is no undo file, and nothing was restored. The newest of those above is to be taken back first: \
                 exutil undo {}",
                quoted(&newest.to_string_lossy())
            ),
            advice: None,
        };
        plain_failure(session, of, &error);
    }
}

const LABEL: usize = 15;

fn layout(report: &UndoReport) -> Layout {
    let mut out = Layout::new();
    out.field(LABEL, "Operation", &report.operation);
    out.field(LABEL, "Created", report.created.as_deref().unwrap_or("-"));
    out.field(LABEL, "State", state(report));
    out.blank();
    for file in &report.files {
        out.spacing(format!("{:>9}  {}", verb(file.plan), file.path));
        out.spacing(format!("           {}", numbers(file)));
        if let Some(aside) = &file.aside {
            out.spacing(format!(
                "           {}: {}",
                kept(aside.outcome),
                aside.path
            ));
        }
        if let Some(conflict) = &file.changed_since {
            out.spacing(format!(
                "           changed since, at offset {:#x}: {}",
                conflict.offset, conflict.what
            ));
        }
    }
    if !report.files.is_empty() {
        out.blank();
    }
    let header = [
        "File",
        "Operation",
        "Bytes before",
        "Bytes after",
        "Saved",
        "Written",
        "Original",
        "Changed since",
    ];
    out.grid(&header, report.files.iter().map(row).collect());
    out.text(outcome(report.outcome));
    out
}

const fn state(report: &UndoReport) -> &'static str {
    match (report.undo_status, report.header_damaged) {
        (UndoStatus::Unsealed, _) => "Unsealed (the operation had changed nothing)",
        (UndoStatus::Sealed, false) => "Sealed (the operation was interrupted)",
        (UndoStatus::Sealed, true) => "Sealed, or later (a header of the undo file is damaged)",
        (UndoStatus::Complete, _) => "Complete (the operation has finished)",
        (UndoStatus::Restored, _) => "Restored (the operation is undone)",
    }
}

const fn verb(plan: UndoPlan) -> &'static str {
    match plan {
        UndoPlan::Change => "changed",
        UndoPlan::Create => "created",
        UndoPlan::Replace => "replaced",
        UndoPlan::Remove => "removed",
        UndoPlan::Aside => "put aside",
    }
}

/// What became of the original, before its other name.
const fn kept(outcome: Option<AsideOutcome>) -> &'static str {
    match outcome {
        None => "the original is kept as",
        Some(AsideOutcome::Restored) => "the original has its name again, and not any more",
        Some(AsideOutcome::Removed) => "the original is removed",
        Some(AsideOutcome::Left) => "not removed, for it or the file is not as it was left",
    }
}

fn numbers(file: &UndoneFile) -> String {
    let mut text = format!(
        "{} bytes before, {} after, {} saved",
        file.before_bytes, file.after_bytes, file.saved_bytes
    );
    if let Some(written) = file.written_bytes {
        text += &format!(", {written} written back");
    }
    text
}

fn row(file: &UndoneFile) -> Vec<String> {
    let since = file.changed_since.as_ref();
    vec![
        file.path.clone(),
        verb(file.plan).to_owned(),
        file.before_bytes.to_string(),
        file.after_bytes.to_string(),
        file.saved_bytes.to_string(),
        file.written_bytes
            .map_or_else(String::new, |n| n.to_string()),
        file.aside.as_ref().map_or_else(String::new, |aside| {
            format!("{}: {}", kept(aside.outcome), aside.path)
        }),
        since.map_or_else(String::new, |at| format!("{:#x}: {}", at.offset, at.what)),
    ]
}

const fn outcome(outcome: UndoOutcome) -> &'static str {
    match outcome {
        UndoOutcome::Listed => "Nothing was changed.",
        UndoOutcome::CanRestore => "All of this can be restored. Nothing was changed.",
        UndoOutcome::WouldRefuse => {
            "Restoring would be refused: files were changed since. Nothing was changed."
        }
        UndoOutcome::Restored => "Every file is as it was before the operation.",
        UndoOutcome::NothingToDo => "There is nothing to undo. The undo file can be removed.",
        UndoOutcome::Discarded => "The undo file is removed. The changes stay.",
        UndoOutcome::DiscardRefused => {
            "The undo file stays: its operation was interrupted, and without it the files cannot be \
             brought back. Undo first, or use --force."
        }
    }
}
