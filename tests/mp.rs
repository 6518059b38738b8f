//! `mp`: flush maps.

mod common;

use common::{line, make, snapshot};

fn folder(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("priv1.jfm"), bytes).unwrap();
    dir
}

#[test]
fn sound_flush_map() {
    let dir = folder(&make::flush_map(2));
    snapshot("mp", &line(dir.path(), "mp priv1.jfm"));
    snapshot(
        "mp_table",
        &line(dir.path(), "/mp priv1.jfm /o --format table"),
    );
    snapshot(
        "mp_json",
        &line(dir.path(), "-m -p priv1.jfm --format json"),
    );
    let k = line(dir.path(), "k priv1.jfm");
    assert_eq!(k.status, 0, "{k:?}");
}

#[test]
fn bad_pages_are_named() {
    let mut bytes = make::flush_map(3);
    bytes[2 * 8192 + 1000..2 * 8192 + 1100].fill(0xAA);
    bytes[3 * 8192 + 1000] ^= 4;
    let dir = folder(&bytes);
    let run = line(dir.path(), "mp priv1.jfm --format json");
    let json = run.one_json();
    let found = |at: usize| {
        let finding = &json["findings"][at];
        (
            finding["code"].as_str().unwrap(),
            finding["place"]["offset"].as_u64().unwrap(),
        )
    };
    assert_eq!(
        (found(0), found(1)),
        (("P001", 2 * 8192), ("P002", 3 * 8192))
    );
    assert_eq!((run.status, json["jet"]["code"].as_i64()), (4, Some(-1018)));
    assert_eq!(line(dir.path(), "k priv1.jfm").status, 4);
}

#[test]
fn a_bad_header_is_damage() {
    let mut bytes = make::flush_map(1);
    bytes[50] ^= 1;
    snapshot("mp_bad", &line(folder(&bytes).path(), "mp priv1.jfm"));
}
