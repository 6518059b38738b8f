//! `p` as it is typed: consent, plan, repair, the way back, exit status.

mod common;

use std::path::Path;

use common::{Random, exutil, folder_with, line};
use exutil::damage::{Damage, damage};

const NAME: &str = "mini-4k.edb";

fn damaged() -> (tempfile::TempDir, Vec<u8>) {
    let dir = folder_with(&[NAME]);
    let bytes = change(dir.path(), |bytes| {
        damage(bytes, Damage::UnsortedKeys, 3).unwrap();
    });
    (dir, bytes)
}

fn change(dir: &Path, with: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = std::fs::read(dir.join(NAME)).unwrap();
    with(&mut bytes);
    std::fs::write(dir.join(NAME), &bytes).unwrap();
    bytes
}

#[track_caller]
fn assert_untouched(dir: &Path, bytes: &[u8]) {
    assert!(std::fs::read(dir.join(NAME)).unwrap() == bytes);
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1);
}

#[test]
fn nothing_is_done_without_consent() {
    let (dir, bytes) = damaged();
    for words in ["p mini-4k.edb", "p mini-4k.edb /g", "p mini-4k.edb /g /o"] {
        let run = line(dir.path(), words);
        assert_eq!(run.status, 32, "{run:?}");
        assert!(run.stderr.contains("--dry-run"), "{run:?}");
        assert_untouched(dir.path(), &bytes);
    }
}

#[test]
fn a_plan_changes_nothing() {
    let (dir, bytes) = damaged();
    let run = line(dir.path(), "p mini-4k.edb --dry-run");
    assert_eq!(run.status, 4, "{run:?}");
    assert!(run.stdout.contains("This is the plan"), "{run:?}");
    assert_untouched(dir.path(), &bytes);
}

#[test]
fn repaired_found_sound_and_taken_back() {
    for words in [
        "p mini-4k.edb /o",
        "p mini-4k.edb --yes",
        "/p mini-4k.edb /o",
        "-P mini-4k.edb -O",
        "eseutil /p mini-4k.edb /o",
    ] {
        let words = words.strip_prefix("eseutil ").unwrap_or(words);
        let (dir, bytes) = damaged();
        let run = line(dir.path(), words);
        assert_eq!(run.status, 1, "{run:?}");
        let done = "Repair completed. Database corruption has been repaired!";
        assert!(run.stdout.contains(done), "{run:?}");
        let repaired = std::fs::read(dir.path().join(NAME)).unwrap();
        let again = line(dir.path(), words);
        assert_eq!(again.status, 0, "{again:?}");
        let sound = "Integrity check successful.";
        assert!(again.stdout.contains(sound), "{again:?}");
        assert!(std::fs::read(dir.path().join(NAME)).unwrap() == repaired);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        let undone = line(dir.path(), "undo mini-4k.edb.undo");
        assert_eq!(undone.status, 0, "{undone:?}");
        assert!(std::fs::read(dir.path().join(NAME)).unwrap() == bytes);
    }
}

#[test]
fn changed_since_the_way_back_names_the_original() {
    let (dir, bytes) = damaged();
    assert_eq!(line(dir.path(), "p mini-4k.edb /o").status, 1);
    let changed = change(dir.path(), |bytes| bytes[20_000] ^= 1);
    let undone = line(dir.path(), "undo mini-4k.edb.undo");
    assert_eq!(undone.status, 4, "{undone:?}");
    let kept = "mini-4k.edb.before-repair'";
    assert!(undone.stdout.contains(kept), "{undone:?}");
    assert!(std::fs::read(dir.path().join(NAME)).unwrap() == changed);
    let forced = line(dir.path(), "undo mini-4k.edb.undo --force");
    assert_eq!(forced.status, 0, "{forced:?}");
    assert!(std::fs::read(dir.path().join(NAME)).unwrap() == bytes);
}

#[test]
fn a_sound_database_is_left_alone() {
    let dir = folder_with(&[NAME]);
    let bytes = common::sample(NAME);
    let run = line(dir.path(), "p mini-4k.edb /o");
    assert_eq!(run.status, 0, "{run:?}");
    assert_untouched(dir.path(), &bytes);
}

#[test]
fn into_another_file_and_with_a_report() {
    let (dir, bytes) = damaged();
    let run = line(
        dir.path(),
        "p mini-4k.edb /o --to new.edb /ftold --format=json",
    );
    assert_eq!(run.status, 1, "{run:?}");
    let json = run.one_json();
    assert_eq!(json["jet"]["code"], 595);
    assert_eq!(json["result"]["outcome"], "repaired");
    assert!(std::fs::read(dir.path().join(NAME)).unwrap() == bytes);
    assert_eq!(line(dir.path(), "g new.edb").status, 0);
    assert!(dir.path().join("told.INTEG.RAW").exists());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    let taken = line(dir.path(), "p mini-4k.edb /o --to new.edb");
    assert_eq!(taken.status, 8, "{taken:?}");
}

#[test]
fn both_headers_lost() {
    let dir = folder_with(&[NAME]);
    let bytes = change(dir.path(), |bytes| bytes[..2 * 4096].fill(0));
    let run = line(dir.path(), "p mini-4k.edb /o");
    assert_eq!(run.status, 4, "{run:?}");
    assert!(run.output().contains("--page-size 4"), "{run:?}");
    assert_untouched(dir.path(), &bytes);
    let run = line(dir.path(), "p mini-4k.edb /o --page-size 4");
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(line(dir.path(), "g mini-4k.edb").status, 0);
}

#[test]
fn what_is_no_database_is_left_alone() {
    for (what, len) in [("empty", 0), ("zero", 50_000), ("noise", 50_000)] {
        let dir = folder_with(&[NAME]);
        let bytes = change(dir.path(), |bytes| {
            *bytes = match what {
                "noise" => Random(9).bytes(len),
                _ => vec![0; len],
            };
        });
        let run = line(dir.path(), "p mini-4k.edb /o");
        assert!(matches!(run.status, 4 | 8), "{what}: {run:?}");
        assert_untouched(dir.path(), &bytes);
    }
}

#[test]
fn a_name_with_spaces() {
    let (dir, _) = damaged();
    let name = "a name.edb";
    std::fs::rename(dir.path().join(NAME), dir.path().join(name)).unwrap();
    let run = exutil(dir.path(), &["p", name, "/o"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(dir.path().join("a name.edb.before-repair").exists());
}
