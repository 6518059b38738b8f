//! `export` on the command line: where the rows go, and what it ends with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn sample(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    dir.join(name)
}

fn export(arguments: &[&str], database: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_exutil"))
        .arg("export")
        .args(arguments)
        .arg(database)
        .output()
        .expect("the command runs")
}

fn status(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn rows_on_standard_output_and_a_summary_beside_them() {
    let output = export(
        &["--table", "Mailbox", "--table=folders"],
        &sample("priv1.edb"),
    );
    assert_eq!(status(&output), Some(0));
    let rows = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(rows.lines().count(), 65);
    assert!(rows.starts_with("{\"table\":\"Folders\",\"key\":\"7f"));
    let summary = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        summary.ends_with(": 2 tables, 65 rows, nothing left out\n"),
        "{summary}"
    );
}

#[test]
fn a_file_for_each_table_and_none_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let into = dir.path().join("rows");
    let to = into.to_string_lossy().into_owned();
    let csv = ["--format", "csv", "--output", &to];
    assert_eq!(status(&export(&csv, &sample("priv1.edb"))), Some(0));
    let mut names: Vec<_> = fs::read_dir(&into)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["Attachments.csv", "Folders.csv", "Mailbox.csv", "Msg.csv"]
    );
    let mailbox = fs::read_to_string(into.join("Mailbox.csv")).expect("a file");
    assert!(
        mailbox.starts_with("$key,L3602,N676a,Q6748,S3001\n"),
        "{mailbox}"
    );
    assert_eq!(mailbox.lines().count(), 6);
    let before = mailbox;
    assert_eq!(status(&export(&csv, &sample("priv1.edb"))), Some(8));
    assert_eq!(
        fs::read_to_string(into.join("Mailbox.csv")).expect("a file"),
        before
    );

    let one = dir.path().join("all.jsonl");
    let to = one.to_string_lossy().into_owned();
    assert_eq!(
        status(&export(&["--output", &to], &sample("priv1.edb"))),
        Some(0)
    );
    assert_eq!(
        fs::read_to_string(&one).expect("a file").lines().count(),
        153
    );
    assert_eq!(
        status(&export(&["--output", &to], &sample("priv1.edb"))),
        Some(8)
    );
}

#[test]
fn what_it_ends_with() {
    let priv1 = sample("priv1.edb");
    assert_eq!(status(&export(&["--format", "csv"], &priv1)), Some(16));
    assert_eq!(status(&export(&["--format", "table"], &priv1)), Some(16));
    assert_eq!(status(&export(&["--table", "none"], &priv1)), Some(16));
    assert_eq!(status(&export(&[], Path::new("no/such.edb"))), Some(8));
    let one = export(&["--format", "csv", "--table", "Mailbox"], &priv1);
    assert_eq!((status(&one), one.stdout.is_empty()), (Some(0), false));

    let dir = tempfile::tempdir().expect("a folder");
    let damaged = dir.path().join("damaged.edb");
    let mut bytes = fs::read(&priv1).expect("a sample");
    let half = bytes.len() / 2 / 4096 * 4096;
    bytes[half..].fill(0xAB);
    fs::write(&damaged, &bytes).expect("a file");
    let output = export(&["--lv", "hash"], &damaged);
    assert_eq!(status(&output), Some(4));
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        told.contains("E001 table ") && told.contains(" losses: see above"),
        "{told}"
    );
}
