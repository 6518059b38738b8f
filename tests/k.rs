//! `k`: checksums of pages.

mod common;

use std::path::Path;

use common::{exutil, line, sample, snapshot, testdata};

/// Offset of a page in a file of 4 KiB pages.
const fn offset(page: usize) -> usize {
    (page + 1) * 4096
}

/// `name`, changed, in a folder of its own.
fn folder(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = sample(name);
    change(&mut bytes);
    std::fs::write(dir.path().join(name), bytes).unwrap();
    dir
}

/// Bad pages of several kinds: a wrong bit, garbage, another page's content, a zeroed page.
fn damaged() -> tempfile::TempDir {
    folder("mini-4k.edb", |bytes| {
        bytes[offset(5) + 1000] ^= 0x10;
        bytes[offset(9) + 100..offset(9) + 200].fill(0xEE);
        bytes[offset(10) + 100..offset(10) + 200].fill(0xEE);
        let other = bytes[offset(12)..offset(13)].to_vec();
        bytes[offset(20)..offset(21)].copy_from_slice(&other);
        bytes[offset(14)..offset(15)].fill(0);
    })
}

#[test]
fn sound_databases() {
    snapshot("k_clean", &line(&testdata(), "k priv1.edb"));
    snapshot(
        "k_clean_table",
        &line(&testdata(), "k mini-8k.edb --format table"),
    );
    snapshot(
        "k_clean_json",
        &line(&testdata(), "k mini-32k.edb --format json"),
    );
    let all = [
        "priv1", "mini-2k", "mini-4k", "mini-8k", "mini-32k", "dirty",
    ];
    let mut args: Vec<_> = all.iter().map(|name| format!("{name}.edb")).collect();
    args.insert(0, "k".into());
    args.push("--format=json".into());
    let run = exutil(&testdata(), &args);
    assert_eq!((run.status, run.json().len()), (0, all.len()));
    for document in run.json() {
        assert_eq!(document["result"]["bad"], 0, "{document}");
        assert_eq!(document["findings"].as_array().map(Vec::len), Some(0));
    }
}

#[test]
fn damaged_pages() {
    let dir = damaged();
    snapshot("k_damaged", &line(dir.path(), "k mini-4k.edb"));
    snapshot(
        "k_damaged_table",
        &line(dir.path(), "k mini-4k.edb --format table"),
    );
    snapshot(
        "k_damaged_json",
        &line(dir.path(), "k mini-4k.edb --format json"),
    );
    snapshot("k_damaged_list", &line(dir.path(), "k --list mini-4k.edb"));
}

#[test]
fn correctable_bits_alone_are_no_error() {
    let dir = folder("mini-4k.edb", |bytes| bytes[offset(5) + 1000] ^= 0x10);
    let run = line(dir.path(), "k mini-4k.edb --format json");
    let json = run.one_json();
    assert_eq!(
        (run.status, json["result"]["correctable"].as_u64()),
        (0, Some(1))
    );
    assert_eq!(json["findings"][0]["place"]["bit"], 1000 * 8 + 4);
    // The old format knows no correction: the same bit is damage.
    let dir = folder("priv1.edb", |bytes| bytes[offset(5) + 1000] ^= 0x10);
    let run = line(dir.path(), "k priv1.edb --format json");
    assert_eq!(
        (run.status, run.one_json()["result"]["bad"].as_u64()),
        (4, Some(1))
    );
}

#[test]
fn ranges_of_pages() {
    let dir = damaged();
    for (range, seen, bad) in [("9-10", 2, 2), ("20", 1, 1), ("-1-0", 2, 0), ("1-8", 8, 0)] {
        let run = exutil(
            dir.path(),
            &["k", "--page", range, "mini-4k.edb", "--format=json"],
        );
        let result = run.one_json()["result"].clone();
        let counts = (result["seen"].as_u64(), result["bad"].as_u64());
        assert_eq!(counts, (Some(seen), Some(bad)), "{range}");
    }
    for wrong in ["9-7", "x", ""] {
        let run = exutil(
            dir.path(),
            &["k", &format!("--page={wrong}"), "mini-4k.edb"],
        );
        assert_eq!(run.status, 16, "{wrong}: {run:?}");
    }
}

#[test]
fn a_bad_header_page_is_counted() {
    let dir = folder("mini-4k.edb", |bytes| bytes[100] ^= 1);
    let json = line(dir.path(), "k mini-4k.edb --format json").one_json();
    assert_eq!(json["findings"][0]["code"], "P006");
    assert_eq!(json["result"]["bad"], 1);
}

#[test]
fn a_cut_file_is_scanned_to_its_end() {
    let dir = folder("mini-4k.edb", |bytes| bytes.truncate(offset(30) + 1234));
    let json = line(dir.path(), "k mini-4k.edb --format json").one_json();
    assert_eq!(json["findings"][0]["code"], "F001");
    assert_eq!(json["result"]["seen"], 31);
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let dir = damaged();
    let with = |threads: &str| {
        let run = exutil(
            dir.path(),
            &["k", "--threads", threads, "mini-4k.edb", "--format=json"],
        );
        (run.status, run.stdout)
    };
    let one = with("1");
    assert_eq!(one.0, 4);
    for threads in ["2", "3", "16"] {
        assert_eq!(with(threads), one);
    }
}

#[test]
fn switches_of_the_original() {
    let body = |text: &str| {
        text.lines()
            .filter(|l| l.contains("checksums"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let dir = damaged();
    let plain = line(dir.path(), "k mini-4k.edb");
    for spelling in [
        "/k mini-4k.edb",
        "-K mini-4k.edb /o",
        "/k /i /8 /4 mini-4k.edb",
        "/k mini-4k.edb /tTEMP.EDB",
        "/k mini-4k.edb -t TEMP.EDB",
        "/ksomething mini-4k.edb",
    ] {
        let run = line(dir.path(), spelling);
        if spelling.contains("/8") {
            assert_eq!(run.status, 16, "{spelling}: two page sizes");
            continue;
        }
        assert_eq!(run.status, plain.status, "{spelling}");
        assert_eq!(body(&run.stdout), body(&plain.stdout), "{spelling}");
        assert_eq!(run.stderr, plain.stderr, "{spelling}");
    }
    assert!(!dir.path().join("TEMP.EDB").exists());
}

#[test]
fn a_missing_file_is_a_missing_file_however_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone.edb");
    assert_eq!(
        exutil(dir.path(), &["k".as_ref(), gone.as_os_str()]).status,
        8
    );
    let odd = Path::new("/2003/priv1.edb");
    assert_eq!(
        exutil(dir.path(), &["k".as_ref(), odd.as_os_str()]).status,
        8
    );
}
