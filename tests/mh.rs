//! `mh`: headers of databases.

mod common;

use common::{exutil, folder_with, line, make, snapshot, testdata};

const PRIMARY: std::ops::Range<usize> = 0..4096;
const SHADOW: std::ops::Range<usize> = 4096..8192;

/// A copy of a sample with these bytes of it set to zero.
fn zeroed(sample: &str, range: std::ops::Range<usize>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = common::sample(sample);
    bytes[range].fill(0);
    std::fs::write(dir.path().join(sample), bytes).unwrap();
    dir
}

#[test]
fn clean_database() {
    snapshot("mh_clean", &line(&testdata(), "mh priv1.edb"));
    snapshot(
        "mh_clean_table",
        &line(&testdata(), "mh mini-32k.edb --format table"),
    );
    snapshot(
        "mh_clean_json",
        &line(&testdata(), "mh priv1.edb --format json"),
    );
}

#[test]
fn dirty_database_and_the_logs_that_it_needs() {
    snapshot("mh_dirty", &line(&testdata(), "mh dirty.edb --no-logo"));
    snapshot(
        "mh_dirty_logs",
        &line(&testdata(), "mh dirty.edb /o --logs"),
    );
    let json = line(&testdata(), "mh dirty.edb --format json").one_json();
    assert_eq!(json["findings"][0]["code"], "H005");
    assert_eq!(json["status"], 0);
    let needed = &json["result"]["required_logs"];
    assert_eq!(
        (needed["low"].as_u64(), needed["high"].as_u64()),
        (Some(3), Some(5))
    );
    assert_eq!(needed["logs"].as_array().unwrap().len(), 3);
    assert_eq!(needed["logs"][1]["state"], "missing");
}

#[test]
fn logs_of_another_stream_are_not_taken() {
    let dir = folder_with(&["dirty.edb"]);
    make::write_stream(dir.path(), 3..=5);
    let run = line(dir.path(), "mh dirty.edb --format json");
    let logs = run.one_json()["result"]["required_logs"]["logs"].clone();
    for log in logs.as_array().unwrap() {
        assert_eq!(log["state"], "other_signature", "{log}");
    }
    assert_eq!(logs[2]["name"], "E00.log");
    // In another folder there is nothing.
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().to_str().unwrap();
    for option in [format!("/l{path}"), format!("--log-path={path}")] {
        let run = exutil(dir.path(), &["mh", "dirty.edb", &option, "--format=json"]);
        assert_eq!(
            run.one_json()["result"]["required_logs"]["logs"][2]["state"],
            "missing"
        );
    }
}

#[test]
fn one_good_copy_is_enough() {
    let dir = zeroed("priv1.edb", PRIMARY);
    let run = line(dir.path(), "mh priv1.edb --format json");
    let json = run.one_json();
    assert_eq!(json["findings"][0]["code"], "H001");
    assert_eq!(
        (run.status, json["result"]["chosen"].as_str()),
        (0, Some("shadow"))
    );
    snapshot("mh_primary_bad", &line(dir.path(), "mh priv1.edb /o /v"));

    let dir = zeroed("priv1.edb", SHADOW);
    let run = line(dir.path(), "mh priv1.edb --format json");
    assert_eq!(run.one_json()["findings"][0]["code"], "H002");
    assert_eq!(run.status, 0);
}

#[test]
fn no_good_copy_is_damage() {
    let dir = zeroed("priv1.edb", 0..8192);
    snapshot("mh_both_bad", &line(dir.path(), "mh priv1.edb"));
    // The page size that Eseutil asks for lets it show what is left.
    let run = line(dir.path(), "mh /4 priv1.edb --format json");
    assert_eq!(run.status, 4);
    assert_eq!(run.one_json()["findings"][0]["code"], "H004");
}

#[test]
fn two_kib_pages_and_odd_sizes_are_told() {
    let run = line(&testdata(), "mh mini-2k.edb --format json");
    assert_eq!(run.one_json()["findings"][0]["code"], "H006");
    let dir = folder_with(&["mini-4k.edb"]);
    let mut bytes = common::sample("mini-4k.edb");
    bytes.extend([7; 100]);
    std::fs::write(dir.path().join("mini-4k.edb"), bytes).unwrap();
    let run = line(dir.path(), "mh mini-4k.edb --format json");
    assert_eq!(
        (run.status, run.one_json()["findings"][0]["code"].as_str()),
        (0, Some("F001"))
    );
}

#[test]
fn every_spelling_gives_the_same() {
    let plain = line(&testdata(), "mh priv1.edb").stdout;
    let body = |text: &str| text.split("Operation").next().unwrap().to_owned();
    for spelling in [
        "/mh priv1.edb",
        "-mh priv1.edb",
        "/MH priv1.edb",
        "/m /h priv1.edb",
        "/m priv1.edb",
        "-m priv1.edb -h",
        "/mh priv1.edb /4",
        "/mh .\\priv1.edb",
        "/mh /!10240 /8 priv1.edb --page-size 4",
    ] {
        let run = line(&testdata(), spelling);
        assert_eq!(
            run.status,
            if spelling.contains("/8") { 16 } else { 0 },
            "{spelling}"
        );
        if run.status == 0 {
            let out = body(&run.stdout).replace("./priv1.edb", "priv1.edb");
            assert_eq!(out, body(&plain), "{spelling}");
        }
    }
}

#[cfg(unix)]
#[test]
fn links_with_the_names_of_the_original() {
    let dir = folder_with(&["priv1.edb"]);
    let plain = line(dir.path(), "k priv1.edb --format json").stdout;
    for name in ["eseutil", "esentutl"] {
        let link = dir.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_exutil"), &link).unwrap();
        let run = common::run(&link, dir.path(), &["/k", "priv1.edb", "--format", "json"]);
        assert_eq!((run.status, run.stdout), (0, plain.clone()), "{name}");
    }
}

#[test]
fn of_several_files_the_worst_counts() {
    let run = line(
        &testdata(),
        "mh priv1.edb gone.edb mini-8k.edb --format json",
    );
    let documents = run.json();
    let status = |at: usize| documents[at]["status"].as_i64();
    assert_eq!(documents.len(), 3);
    assert_eq!(
        (status(0), status(1), status(2)),
        (Some(0), Some(8), Some(0))
    );
    assert_eq!(run.status, 8);
    snapshot("mh_several", &line(&testdata(), "mh gone.edb README.md"));
}

#[test]
fn a_file_that_is_no_streaming_file_cannot_be_paired() {
    let run = line(&testdata(), "mh priv1.edb /smini-4k.edb");
    assert_ne!(run.status, 0);
    assert!(run.output().contains("not a streaming file"), "{run:?}");
}
