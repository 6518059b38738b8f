//! Runs over real databases, and over such as the engine made: damaged, dirty, with logs of both formats, with backups.

use std::path::Path;

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use super::Judge;

/// Cases with a damaged database `test.edb`.
const DAMAGED: [&str; 24] = [
    "c-bad-catalogleaf",
    "c-bad-catalogroot",
    "c-bad-dbae",
    "c-bad-dbroot",
    "c-bad-index",
    "c-bad-internal",
    "c-bad-leaf",
    "c-bad-lv",
    "c-bad-oe",
    "c-bad-shadow-8k",
    "c-bit1-catalog",
    "c-hdr-both",
    "c-hdr1",
    "c-lostflush",
    "c-trunc-half",
    "c-trunc-hdr",
    "c-wrongpgno",
    "c-zero-catalog",
    "c-zero-leaf",
    "l-child",
    "l-lv-missing",
    "l-objid",
    "l-rec-missing",
    "l-order",
];

/// Cases with logs.
const LOGGED: [&str; 27] = [
    "crash-2dbs",
    "crash-basename",
    "crash-created",
    "crash-ddl2",
    "crash-efv9400",
    "crash-flush-4k",
    "crash-noflush-32k",
    "ops-backup",
    "ops-ctx",
    "ops-ddl-rollback",
    "ops-delta64",
    "ops-emptytree",
    "ops-extfreed-efv9400",
    "ops-lv",
    "ops-merge",
    "ops-old2-killed",
    "ops-reattach",
    "ops-resize-shim",
    "ops-scan",
    "ops-scrub",
    "ops-shrink-16k",
    "ops-split-16k",
    "ops-upgrade-dirty",
    "r-badmid",
    "r-lossy-nolast",
    "r-nodb",
    "r-zeropage",
];

/// All of them.
pub fn run_all(judge: &Judge, corpus: &Path) {
    let engine = corpus.join("engine");
    DAMAGED.into_par_iter().for_each(|name| {
        let dir = copy_of(&engine.join(name).join("pre"));
        let dir = dir.path();
        for words in [
            "mh",
            "mm",
            "ms",
            "k",
            "g",
            "p --dry-run",
            "p --dry-run --page-size=4",
            "p --yes --keep-orphans --drop-incomplete",
            "undo --list",
        ] {
            let file = match words {
                "undo --list" => "test.edb.undo",
                _ => "test.edb",
            };
            judge.line(dir, &format!("{words} {file}"));
        }
    });
    LOGGED.into_par_iter().for_each(|name| {
        let dir = copy_of(&engine.join(name).join("pre"));
        let dir = dir.path();
        let base = base_of(dir);
        for words in [
            "ml --verbose --deep",
            "k",
            "r --databases=. --dry-run",
            "r --databases=.",
            "ml --summary",
        ] {
            let (mode, options) = words.split_once(' ').unwrap_or((words, "--no-logo"));
            judge.line(dir, &format!("{mode} {base} {options}"));
        }
        judge.line(dir, "advise .");
    });
    for name in ["clean-4k", "clean-ddl2"] {
        let dir = engine.join(name).join("db");
        judge.line(&dir, "mm test.edb --verbose");
        judge.line(&dir, "ms test.edb");
    }
    for name in ["backup-full", "backup-legacy"] {
        let dir = copy_of(&engine.join(name).join("pre").join("bk"));
        let mut dir = dir.path().to_owned();
        if dir.join("new").is_dir() {
            dir.push("new");
        }
        for words in ["cm", "cc --dry-run", "cc", "sweep . --depth checksum"] {
            judge.line(&dir, words);
        }
    }
    // A log that is missing in one place lies in another.
    let dir = copy_of(&engine.join("crash-noflush-4k").join("pre"));
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("old")).unwrap();
    std::fs::rename(at("edb00000004.log"), at("old/edb00000004.log")).unwrap();
    judge.line(dir.path(), "sweep .");
    let real = corpus.join("real");
    let directory = real.join("ntds-2012r2/pre");
    for words in [
        "mh",
        "ms",
        "k",
        "isinteg -test alltests",
        "isinteg --show-profile",
    ] {
        judge.line(&directory, &format!("{words} ntds.dit"));
    }
    judge.line(&real.join("devices-jfm/pre"), "sweep . --depth integrity");
    judge.line(&real, "sweep . --all");
}

/// The base name of the logs in a folder.
fn base_of(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let log = names
        .filter(|name| name.ends_with(".log") || name.ends_with(".jtx"))
        .min();
    log.map_or_else(|| "edb".to_owned(), |name| name[..3].to_owned())
}

fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(dir, copy.path());
    copy
}

fn copy_into(dir: &Path, to: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_into(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}
