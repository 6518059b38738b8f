//! What the tests of recovery share: cases of the corpus in a folder of their own, options, and files as a whole.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exutil::error::Error;
use exutil::format::dbheader::{DbHeader, HeaderCopies};
use exutil::format::filekind::{FileKind, identify};
use exutil::format::ids::PageSize;
use exutil::format::stamp::{LogTime, Signature};
use exutil::ops::recover::{RecoverOptions, RecoverReport, recover};
use exutil::progress::Silent;
use exutil::storage::{Disk, RealDisk};

/// The time that every run writes.
pub const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A folder that is gone in the end; in memory where the system has such a place, because recovery waits for the disk,
/// unless `TMPDIR` says where.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() && std::env::var_os("TMPDIR").is_none() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Every file of a folder.
pub fn read_files(dir: &Path) -> Files {
    let mut files = Files::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

/// A folder with these files.
pub fn folder_of(files: &Files) -> tempfile::TempDir {
    let dir = folder();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// Makes the files of a folder these again: others go, changed ones are written.
pub fn reset(dir: &Path, files: &Files) {
    for (name, bytes) in read_files(dir) {
        if files.get(&name) != Some(&bytes) {
            std::fs::remove_file(dir.join(&name)).unwrap();
        }
    }
    for (name, bytes) in files {
        if !dir.join(name).exists() {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
    }
}

/// Names of the files that differ, and how.
pub fn differences(have: &Files, want: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in have {
        match want.get(name) {
            None => found.push(format!("{name} should not be there")),
            Some(wanted) if wanted == bytes => {}
            Some(wanted) => {
                let pairs = bytes.iter().zip(wanted).enumerate();
                let at: Vec<_> = pairs
                    .filter(|(_, (a, b))| a != b)
                    .map(|(at, (a, b))| format!("{at:#x}: {a:x} for {b:x}"))
                    .take(40)
                    .collect();
                found.push(format!(
                    "{name}: {} bytes for {}, differences {at:?} {:?}",
                    bytes.len(),
                    wanted.len(),
                    header_difference(bytes, wanted)
                ));
            }
        }
    }
    for name in want.keys().filter(|name| !have.contains_key(*name)) {
        found.push(format!("{name} is missing"));
    }
    found
}

/// Fields of the header that differ, if these are databases.
pub fn header_difference(have: &[u8], want: &[u8]) -> Vec<String> {
    let fields = |bytes| serde_json::to_value(header_of(bytes)).unwrap();
    let (have, want) = (fields(have), fields(want));
    let Some(have) = have.as_object() else {
        return Vec::new();
    };
    let differing = have.iter().filter(|(name, value)| want[*name] != **value);
    differing
        .map(|(name, value)| format!("{name}: {value} for {}", want[name]))
        .collect()
}

/// Files without undo files, and databases with the signatures that are new in every run set to nothing.
pub fn comparable(files: &Files) -> Files {
    let mut result = Files::new();
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with(".undo")) {
        let mut bytes = bytes.clone();
        change_header(&mut bytes, |header| {
            header.sign_header_flush = Signature::default();
            header.sign_flush_map = Signature::default();
        });
        result.insert(name.clone(), bytes);
    }
    result
}

/// Changes both headers, if these are the bytes of a database.
pub fn change_header(bytes: &mut [u8], change: impl FnOnce(&mut DbHeader)) {
    if let Some(mut header) = header_of(bytes) {
        change(&mut header);
        let size = header.page_size().unwrap().bytes();
        let (primary, rest) = bytes.split_at_mut(size);
        header.write_to(primary);
        if let Some(shadow) = rest.get_mut(..size) {
            header.write_to(shadow);
        }
    }
}

/// The header, if these are the bytes of a database.
pub fn header_of(bytes: &[u8]) -> Option<DbHeader> {
    let start = &bytes[..bytes.len().min(HeaderCopies::PROBE_BYTES)];
    let is_database = matches!(identify(start), FileKind::Database { .. });
    let copies = HeaderCopies::read(start, None).filter(|_| is_database)?;
    copies.header().cloned()
}

/// Names of the databases among these files.
pub fn databases(files: &Files) -> Vec<String> {
    files
        .iter()
        .filter(|(_, bytes)| header_of(bytes).is_some())
        .map(|(name, _)| name.clone())
        .collect()
}

/// The page size of a database.
pub fn page_size(bytes: &[u8]) -> PageSize {
    header_of(bytes).unwrap().page_size().unwrap()
}

/// `exutil r edb /d` in `dir`.
pub fn options(dir: &Path) -> RecoverOptions {
    RecoverOptions {
        cache: Some(64 << 20),
        ..RecoverOptions::new("edb", dir, NOW)
    }
}

/// One run, on the real disk.
pub fn run(options: &RecoverOptions) -> Result<RecoverReport, Error> {
    run_on(options, &RealDisk)
}

/// One run.
pub fn run_on(options: &RecoverOptions, disk: &dyn Disk) -> Result<RecoverReport, Error> {
    recover(options, disk, &Silent)
}

/// The folder of a case.
pub fn case(corpus: &Path, name: &str) -> PathBuf {
    let found = ["engine", "real"]
        .map(|kind| corpus.join(kind).join(name))
        .into_iter()
        .find(|dir| dir.is_dir());
    found.unwrap_or_else(|| panic!("no case {name} in {}", corpus.display()))
}

/// The files before the recovery of a case.
pub fn before(corpus: &Path, name: &str) -> Files {
    read_files(&case(corpus, name).join("pre"))
}

/// The files after an uninterrupted run over `files`.
pub fn recovered(files: &Files) -> Files {
    let dir = folder_of(files);
    run(&options(dir.path())).unwrap();
    read_files(dir.path())
}

/// The databases alone, as [`comparable`].
pub fn only_databases(files: &Files) -> Files {
    let mut files = comparable(files);
    let names = databases(&files);
    files.retain(|name, _| names.contains(name));
    files
}

/// Fails, saying how, unless these are the same files.
#[track_caller]
pub fn assert_same(have: &Files, want: &Files, what: &str) {
    let found = differences(have, want);
    assert!(found.is_empty(), "{what}: {}", found.join("; "));
}
