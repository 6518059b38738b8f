//! `mk`: checkpoints.

mod common;

use common::{exutil, line, make, snapshot};

fn folder(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("E00.chk"), bytes).unwrap();
    dir
}

#[test]
fn sound_checkpoint() {
    let dir = folder(&make::checkpoint());
    snapshot("mk", &line(dir.path(), "mk E00.chk"));
    snapshot("mk_table", &line(dir.path(), "mk E00.chk --format table"));
    snapshot("mk_json", &line(dir.path(), "mk E00.chk --format json"));
    let one = line(dir.path(), "/mk E00.chk /o");
    let other = line(dir.path(), "/m /k E00.chk -o");
    assert_eq!(one.stdout.lines().nth(3), other.stdout.lines().nth(3));
    assert_eq!((one.status, other.status), (0, 0));
}

#[test]
fn one_bad_copy_is_told() {
    for (at, name) in [(100, "first copy"), (4096 + 100, "second copy")] {
        let mut bytes = make::checkpoint();
        bytes[at] ^= 1;
        let run = line(folder(&bytes).path(), "mk E00.chk --format json");
        let json = run.one_json();
        assert_eq!(
            (run.status, json["findings"][0]["code"].as_str()),
            (0, Some("C001"))
        );
        assert_eq!(json["findings"][0]["detail"], name);
        assert_eq!(json["result"]["checkpoint"]["generation"], 2);
    }
}

#[test]
fn two_bad_copies_are_damage() {
    let mut bytes = make::checkpoint();
    bytes[100] ^= 1;
    bytes[4096 + 100] ^= 1;
    snapshot("mk_bad", &line(folder(&bytes).path(), "mk E00.chk"));
}

#[test]
fn several_files_and_k() {
    let dir = folder(&make::checkpoint());
    let run = exutil(
        dir.path(),
        &["mk", "E00.chk", "E00.chk", "gone.chk", "--format=json"],
    );
    assert_eq!((run.json().len(), run.status), (3, 8));
    let k = line(dir.path(), "k E00.chk");
    assert_eq!(k.status, 0, "{k:?}");
}
