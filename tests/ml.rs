//! `ml`: logs and log streams.

mod common;

use std::path::Path;

use common::{line, make, snapshot};
use exutil::format::ids::Generation;

fn stream() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    make::write_stream(dir.path(), 1..=4);
    dir
}

fn damage(dir: &Path, name: &str, at: usize) {
    let path = dir.join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at..at + 40].copy_from_slice(&common::Random(1).bytes(40));
    std::fs::write(path, bytes).unwrap();
}

/// Runs `ml E00`, expects this JET number first and this code among the findings.
fn expect(dir: &Path, jet: i64, code: &str) {
    let run = line(dir, "ml E00 --format json");
    let json = run.one_json();
    assert_eq!(json["jet"]["code"].as_i64(), Some(jet), "{json}");
    let codes: Vec<_> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["code"])
        .collect();
    assert!(codes.iter().any(|found| **found == code), "{codes:?}");
    assert_ne!(run.status, 0);
}

#[test]
fn one_sound_log() {
    let dir = stream();
    std::fs::write(dir.path().join("E00.chk"), make::checkpoint()).unwrap();
    snapshot("ml_log", &line(dir.path(), "ml E0000000002.log"));
    snapshot(
        "ml_log_table",
        &line(dir.path(), "ml E0000000002.log --format table"),
    );
    snapshot(
        "ml_log_json",
        &line(dir.path(), "ml E0000000002.log --format json"),
    );
}

#[test]
fn a_sound_stream() {
    let dir = stream();
    snapshot("ml_stream", &line(dir.path(), "ml E00"));
    snapshot(
        "ml_stream_table",
        &line(dir.path(), "ml E00 --format table"),
    );
    snapshot("ml_stream_json", &line(dir.path(), "ml E00 --format json"));
    let k = line(dir.path(), "k E00");
    assert_eq!(k.status, 0, "{k:?}");
    // Behind a folder, in the spellings of the original.
    let named = dir.path().join("E00");
    for mode in [&["/ml"][..], &["-ml"], &["/m", "/l"]] {
        let mut args: Vec<&std::ffi::OsStr> = mode.iter().map(AsRef::as_ref).collect();
        args.push(named.as_os_str());
        let run = common::exutil(Path::new("/"), &args);
        assert_eq!(run.status, 0, "{run:?}");
        assert_eq!(run.stdout.matches(" - OK").count(), 4);
    }
}

#[test]
fn a_missing_log() {
    let dir = stream();
    std::fs::remove_file(dir.path().join("E0000000002.log")).unwrap();
    let run = line(dir.path(), "ml E00");
    snapshot("ml_missing", &run);
    assert_eq!(run.status, 8);
    expect(dir.path(), -528, "L004");
}

#[test]
fn damaged_logs_by_kind() {
    let dir = stream();
    damage(dir.path(), "E0000000003.log", 3 * make::SEGMENT + 200);
    snapshot("ml_damaged", &line(dir.path(), "ml E00"));
    expect(dir.path(), -501, "L003");

    let dir = stream();
    damage(dir.path(), "E0000000003.log", 100);
    expect(dir.path(), -501, "L001");

    let dir = stream();
    let path = dir.path().join("E0000000003.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(8 * make::SEGMENT);
    std::fs::write(path, bytes).unwrap();
    expect(dir.path(), -541, "L002");
}

#[test]
fn logs_that_do_not_belong() {
    // Each case changes the header of generation 3; its successor is then left out of it.
    type Change = fn(&mut exutil::format::loghdr::LogHeader);
    let cases: [(Change, i64, &str); 5] = [
        (|h| h.prev_created = make::time(40), -515, "L006"),
        (|h| h.prev_segments_checksum ^= 1, -590, "L007"),
        (|h| h.sign_log = make::signature(9), -530, "L008"),
        (|h| h.update_major = 9999, -514, "L009"),
        (|h| h.generation = Generation::new(9), -528, "L004"),
    ];
    for (change, jet, code) in cases {
        let dir = stream();
        let path = dir.path().join("E0000000003.log");
        let bytes = std::fs::read(&path).unwrap();
        let mut header = exutil::format::loghdr::LogHeader::parse(&bytes).unwrap();
        change(&mut header);
        std::fs::write(path, make::log_with(&header).0).unwrap();
        expect(dir.path(), jet, code);
    }
}

#[test]
fn a_log_under_a_wrong_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("E0000000007.log"), make::log(3, 0).0).unwrap();
    expect(dir.path(), -513, "L005");
}

#[test]
fn a_torn_end_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut bytes, _) = make::log(1, 0);
    // The last used segment is torn; its shadow stands behind it.
    let last = make::USED as usize * make::SEGMENT;
    let shadow = bytes[last..last + make::SEGMENT].to_vec();
    bytes[last + make::SEGMENT..][..make::SEGMENT].copy_from_slice(&shadow);
    bytes[last + 512..last + 4096].fill(0);
    std::fs::write(dir.path().join("E00.log"), bytes).unwrap();
    let run = line(dir.path(), "ml E00 --format json");
    let json = run.one_json();
    assert_eq!(
        (run.status, json["findings"][0]["code"].as_str()),
        (0, Some("L010"))
    );
    assert_eq!(json["result"]["entries"][0]["torn"], true);
}

#[test]
fn several_and_none() {
    let dir = stream();
    let run = line(
        dir.path(),
        "ml E0000000001.log E0000000002.log E01 --format json",
    );
    assert_eq!((run.json().len(), run.status), (3, 8));
    snapshot("ml_none", &line(dir.path(), "ml E01"));
}
