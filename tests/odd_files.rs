//! Names that are no text, and files that are none: a report is told all the same, and nothing waits for ever.

#![cfg(unix)]

#[path = "common/backup.rs"]
mod backup;
mod common;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use common::{exutil, make};
use exutil::build::live::BackupForm;
use exutil::cli::spec::MODES;

use backup::{Run, WITH_IMAGES};

/// A folder in a folder; its name is no text.
fn odd_folder(dir: &tempfile::TempDir) -> PathBuf {
    let odd = dir.path().join(OsStr::from_bytes(b"o\xFFd"));
    std::fs::create_dir(&odd).unwrap();
    odd
}

#[test]
fn what_was_restored_is_told_whatever_the_folder_is_called() {
    let mut writer = Run::new(WITH_IMAGES[5], 21);
    writer.steps(200);
    let made = writer.backup(BackupForm::Trailer);
    let parent = tempfile::tempdir().unwrap();
    let odd = odd_folder(&parent);
    std::fs::write(odd.join("live.edb"), made.database).unwrap();
    for log in made.logs {
        std::fs::write(odd.join(log.name), log.bytes).unwrap();
    }
    for words in [["cm"].as_slice(), &["cc"]] {
        let mut words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        words.extend([odd.as_os_str(), OsStr::new("--format=json")]);
        let run = exutil(parent.path(), &words);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stderr.is_empty(), "{run:?}");
        let json = run.one_json();
        assert!(json["result"].is_object(), "{run:?}");
        if json["mode"] == "cc" {
            let ends = json["result"]["ends"][0][0].as_str().unwrap();
            assert!(ends.ends_with("o\u{FFFD}d/live.edb"), "{json}");
            let path = json["result"]["databases"][0]["path"].as_str().unwrap();
            assert!(path.ends_with("o\u{FFFD}d/live.edb"), "{json}");
        }
    }
    // And a soft recovery of what is clean now.
    let words = [
        OsStr::new("r"),
        OsStr::new("E00"),
        OsStr::new("--format=json"),
    ];
    let run = exutil(&odd, &words);
    assert_eq!(run.one_json()["status"], run.status, "{run:?}");
}

#[test]
fn what_was_looked_at_is_told_whatever_the_folder_is_called() {
    let parent = tempfile::tempdir().unwrap();
    let odd = odd_folder(&parent);
    make::write_stream(&odd, 1..=3);
    let base = odd.join("E00");
    let words = [
        OsStr::new("ml"),
        base.as_os_str(),
        OsStr::new("--format=json"),
    ];
    let run = exutil(parent.path(), &words);
    let json = run.one_json();
    assert_eq!(run.status, 0, "{run:?}");
    let dir = json["result"]["dir"].as_str().unwrap();
    assert!(dir.ends_with("o\u{FFFD}d"), "{json}");
    assert_eq!(json["result"]["entries"].as_array().unwrap().len(), 3);
}

/// A pipe blocks whoever opens it until somebody writes to it.
#[test]
fn no_mode_waits_for_a_pipe_or_reads_a_device() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("E00.log");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for mode in MODES {
        for file in ["E00.log", "/dev/null", "/dev/zero"] {
            let run = exutil(dir.path(), &[mode.name, file]);
            assert_eq!(run.status, 8, "{run:?}");
        }
    }
    for file in ["E00.log", "/dev/null", "/dev/zero"] {
        let run = exutil(dir.path(), &["y", file, "/d", "copy"]);
        assert!(run.stdout.contains("neither a file nor a disk"), "{run:?}");
        assert!(run.stdout.contains("-1812"), "{run:?}");
        assert!(!dir.path().join("copy").exists());
    }
}
