//! What the live writer leaves behind: a crash, or a backup made while it worked.

use std::path::Path;

use exutil::build::live::{BackupForm, BackupSet, Content, CrashState};
use exutil::build::logs::{BuiltFile, LogFormat};

use super::backup::compare;
use super::engine::Run;
use super::kinds::Kind;
use super::recovery::Files;
use super::samples::Noise;
use super::steps::{Backup, LIVE};

/// From this update on old logs hold images of pages, without which a copy needs a patch file.
const IMAGES_SINCE: u32 = 11;

fn logs_of(logs: &[BuiltFile]) -> Files {
    let pairs = logs.iter().map(|log| (log.name.clone(), log.bytes.clone()));
    pairs.collect()
}

/// The files of a crash: the database as it was on disk, or from before the log began, with a checkpoint or without.
pub fn crashed(state: &CrashState, noise: &mut Noise) -> (Files, &'static str) {
    let mut files = logs_of(&state.logs);
    if noise.below(4) == 0 {
        files.insert(LIVE.to_owned(), state.original.clone());
        return (files, "a crash, with the database from before");
    }
    files.insert(LIVE.to_owned(), state.database.clone());
    if noise.below(6) == 0 {
        return (files, "a crash, without a checkpoint");
    }
    files.insert("E00.chk".to_owned(), state.checkpoint.clone());
    (files, "a crash")
}

/// A backup of some form, with logs behind it or without; and what it must come to.
pub fn backed_up(run: &mut Run, noise: &mut Noise) -> (Backup, Vec<Content>, &'static str) {
    let form = form(run.kind, noise);
    let set = run.backup(form);
    let mut backup = Backup {
        form,
        set: files_of(&set),
        later: None,
    };
    match noise.below(3) {
        0 => (backup, set.model, "a backup"),
        1 => {
            run.steps(300);
            let more = run.live.incremental_backup(set.high).unwrap();
            backup.set.extend(logs_of(&more.logs));
            (backup, more.model, "a backup and an increment")
        }
        _ => {
            run.steps(300);
            let state = run.crash();
            backup.later = Some(logs_of(&state.logs));
            (backup, state.model, "a backup and the logs of a crash")
        }
    }
}

fn form(kind: Kind, noise: &mut Noise) -> BackupForm {
    let bare = matches!(kind.format, LogFormat::Ranges { .. }) && kind.version.0 < IMAGES_SINCE;
    match noise.below(3) {
        0 if !bare => BackupForm::Trailer,
        1 if !bare => BackupForm::OldTrailer,
        _ => BackupForm::PatchFile,
    }
}

fn files_of(set: &BackupSet) -> Files {
    let mut files = logs_of(&set.logs);
    files.insert(LIVE.to_owned(), set.database.clone());
    if let Some(patch) = &set.patch {
        files.insert("live.pat".to_owned(), patch.clone());
    }
    files
}

/// The tables of the writer hold what was committed.
pub fn holds(path: &Path, model: &[Content]) {
    if let Err(what) = compare(path, model) {
        panic!("{what}");
    }
}
