//! `cc` and `cm` as they are typed: spellings, statuses, what they print.

#[path = "common/backup.rs"]
mod backup;
mod common;
#[path = "common/recovery.rs"]
mod recovery;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use common::exutil as run;
use exutil::build::live::BackupForm;

use backup::{Run, WITH_IMAGES};
use recovery::{Files, differences, folder, folder_of, read_files};

/// A set of a database and its logs.
fn set() -> Files {
    let mut writer = Run::new(WITH_IMAGES[5], 21);
    writer.steps(200);
    let made = writer.backup(BackupForm::Trailer);
    let mut files = Files::from([("live.edb".to_owned(), made.database)]);
    files.extend(made.logs.into_iter().map(|log| (log.name, log.bytes)));
    files
}

/// What differs from run to run stands as it is, what does not must not.
fn stable(text: &str, dir: &std::path::Path) -> String {
    let text = text.replace(&dir.display().to_string(), "DIR");
    let lines = text.lines().map(|line| {
        let line = if line.contains(" seconds") {
            "Operation ... seconds"
        } else {
            line
        };
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[test]
fn every_spelling_of_the_modes() {
    let files = set();
    for words in [
        vec!["cm"],
        vec!["/cm"],
        vec!["-CM", "."],
        vec!["/c", "/m"],
        vec!["/c", ".", "/m"],
        vec!["cm", "--format", "json"],
        vec!["/cc", "--dry-run"],
        vec!["/cc", ".", "/t", "--dry-run"],
        vec!["/c", "/c", "--dry-run", "/t"],
        vec!["cc", "/k", "/8", "/o", "--dry-run"],
    ] {
        let dir = folder_of(&files);
        let run = run(dir.path(), &words);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.output().contains("E00"), "{run:?}");
        let left = differences(&read_files(dir.path()), &files);
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    let files = set();
    let dir = folder_of(&files);
    for words in [
        vec!["/c"],
        vec!["/cx", "."],
        vec!["/cc", "/t", "/f."],
        vec!["/cc", "/x"],
        vec!["/cm", "/k"],
        vec!["/cm", "/t"],
        vec!["/cm", "/f."],
        vec!["/cc", "/f"],
        vec!["/cc", "--cache", "x"],
    ] {
        let run = run(dir.path(), &words);
        assert_eq!(run.status, 16, "{run:?}");
    }
    let named = run(dir.path(), &["/cc", "/tSG1"]);
    assert_eq!(named.status, 8, "{named:?}");
    assert!(
        named
            .stdout
            .contains("-577 (JET_errBadRestoreTargetInstance"),
        "{named:?}"
    );
    let left = differences(&read_files(dir.path()), &files);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_printed() {
    let dir = folder_of(&set());
    let shown = run(dir.path(), &["cm", "/o"]);
    insta::assert_snapshot!("cm", stable(&shown.stdout, dir.path()));
    let dry = run(dir.path(), &["cc", "/o", "--dry-run"]);
    insta::assert_snapshot!("cc_dry_run", stable(&dry.stdout, dir.path()));
    let done = run(dir.path(), &["cc", "/o", "/t"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains("Clean Shutdown"), "{done:?}");
    assert!(done.stdout.contains("Removed: "), "{done:?}");
    let again = run(dir.path(), &["cc", "/o", "/t"]);
    assert_eq!(again.status, 0, "{again:?}");
    assert!(again.stdout.contains("Restored: nothing"), "{again:?}");
}

#[test]
fn what_is_missing_is_named() {
    let mut files = set();
    let gone = files.keys().nth(1).unwrap().clone();
    files.remove(&gone);
    let dir = folder_of(&files);
    let shown = run(dir.path(), &["cm"]);
    assert_eq!(shown.status, 8, "{shown:?}");
    assert!(
        shown.stdout.contains(&gone) && shown.stdout.contains("-557"),
        "{shown:?}"
    );
    assert!(shown.stdout.contains("Database Name: live"), "{shown:?}");
    let json = run(dir.path(), &["cm", "--format", "json"]).one_json();
    assert_eq!(json["result"]["faults"][0]["jet"]["code"], -557);
    let refused = run(dir.path(), &["cc", "--format", "json"]).one_json();
    assert_eq!(refused["jet"]["code"], -557);
    assert!(refused["error"].as_str().unwrap().contains(&gone));
}

/// What `cm --write` writes is what `cc` takes.
#[test]
fn the_text_form_goes_from_one_to_the_other() {
    let files = set();
    let dir = folder_of(&files);
    let written = dir.path().join("restore-environment.toml");
    let shown = run(
        dir.path(),
        &[
            "cm",
            "--write",
            written.to_str().unwrap(),
            "--format",
            "json",
        ],
    );
    assert_eq!(shown.status, 0, "{shown:?}");
    let again = run(dir.path(), &["cm", "--write", written.to_str().unwrap()]);
    assert_eq!(again.status, 8, "no file is overwritten: {again:?}");
    let read = run(dir.path(), &["cm", "--format", "json"]).one_json();
    let mut first = shown.one_json()["result"].clone();
    assert_eq!(first["source"], "files");
    first["source"] = "text".into();
    assert_eq!(read["result"], first);
    // A range that the set does not have.
    let text = std::fs::read_to_string(&written).unwrap();
    let more = text.replace("high = \"0x", "high = \"0x1");
    assert_ne!(text, more);
    std::fs::write(&written, more).unwrap();
    let refused = run(dir.path(), &["cc", "/t"]);
    assert!(refused.stdout.contains("-557"), "{refused:?}");
    // Another place.
    let target = folder();
    let place = target.path().join("live.edb");
    let moved = format!("{text}destination = ['{}']\n", place.display());
    std::fs::write(&written, moved).unwrap();
    let done = run(dir.path(), &["cc", "/t"]);
    assert_eq!(done.status, 0, "{done:?}");
    let header = run(target.path(), &["mh", "live.edb"]);
    assert!(
        header.stdout.contains("State: Clean Shutdown"),
        "{header:?}"
    );
}

/// A Restore.env of the unpublished form helps where it can, and never stands in the way.
#[test]
fn a_restore_env_is_used_or_told() {
    let mut bytes = vec![1, 0, 0, 0];
    for text in [r"D:\sg1\live.edb", "SERVER1", "First Storage Group"] {
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0, 0]);
    }
    for (content, code) in [(bytes, "Y011"), (vec![7; 3000], "Y012")] {
        let mut files = set();
        files.insert("Restore.env".to_owned(), content);
        let dir = folder_of(&files);
        let json = run(dir.path(), &["cc", "/t", "--format", "json"]).one_json();
        assert_eq!(json["status"], 0, "{json}");
        let codes: Vec<_> = json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["code"].clone())
            .collect();
        assert!(codes.contains(&code.into()), "{json}");
        assert!(!read_files(dir.path()).contains_key("Restore.env"));
        let shown = json["result"]["environment"]["source"].clone();
        assert_eq!(shown, if code == "Y011" { "inferred" } else { "files" });
    }
}
