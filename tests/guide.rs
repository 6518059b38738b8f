//! docs/recovery-guide.md, walked through command by command, in order, in an empty folder: what each command
//! prints and how it ends is what the guide shows (`tests/common/console.rs`).

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;

use common::{console, needs, root};

/// What the guide must show at work.
const MODES: &[&str] = &[
    "sweep", "advise", "mh", "mk", "ml", "k", "g", "r", "cc", "cm", "p", "d", "isinteg", "export",
    "y", "undo", "ms", "mm",
];

fn guide() -> String {
    std::fs::read_to_string(root().join("docs/recovery-guide.md")).unwrap()
}

#[test]
fn every_command_does_what_the_guide_shows() {
    let (Some(corpus), Some(_)) = (needs::corpus(), needs::program("esedbexport")) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(common::testdata(), dir.path().join("testdata")).unwrap();
    let corpus = corpus.canonicalize().unwrap();
    let variables = [format!("EXUTIL_CORPUS={}", corpus.display())];
    let commands = console::walk("docs/recovery-guide.md", &guide(), dir.path(), &variables);
    assert!(commands >= 60, "{commands}");
}

#[test]
fn every_mode_is_shown_with_output() {
    let blocks = console::blocks(&guide());
    let commands = blocks.iter().flatten();
    let mut shown = BTreeSet::new();
    for command in commands.filter(|command| !command.shown.is_empty()) {
        let mut words = command.line.split(' ');
        if words.next() == Some("exutil") {
            shown.extend(words.next().map(str::to_owned));
        }
    }
    for mode in MODES {
        assert!(shown.contains(*mode), "{mode} is not shown");
    }
}

fn shows(shown: &[&str], printed: &str) -> bool {
    let shown: Vec<String> = shown.iter().map(|line| (*line).to_owned()).collect();
    console::shows(&shown, printed)
}

#[test]
fn lines_are_compared_one_by_one() {
    let printed = "one\n\ntwo\nthree\ndone in 5 seconds.\n";
    assert!(shows(
        &["one", "two", "three", "done in 7 seconds."],
        printed
    ));
    assert!(shows(&["one", "...", "done in 7 seconds."], printed));
    assert!(shows(&["...", "two", "three", "..."], printed));
    assert!(shows(&["one", "...", "th... e...", "..."], "one\nthe e\n"));
    assert!(shows(&[], "\n"));
    // Left out without saying so, at the start, between, at the end; in another order; not printed.
    assert!(!shows(&["two", "three", "done in 7 seconds."], printed));
    assert!(!shows(&["one", "three", "..."], printed));
    assert!(!shows(&["one", "two"], printed));
    assert!(!shows(&["...", "three", "...", "two", "..."], printed));
    assert!(!shows(&["one", "...", "four"], printed));
    assert!(!shows(&["one", "one"], "one\n"));
    assert!(!shows(&["one", "...", "one"], "one\n"));
    assert!(!shows(&["tw...", "..."], printed));
    assert!(!shows(&[], printed));
}

#[test]
fn only_what_a_clock_says_may_differ() {
    for (shown, printed) in [
        (
            "error -1206 (x) after 0.1 seconds.",
            "error -1206 (x) after 12.25 seconds.",
        ),
        ("2 reads performed", "16 reads performed"),
        ("1 seconds taken", "3 seconds taken"),
        ("5 row(s); time: 0h:0m:0s", "5 row(s); time: 0h:2m:1s"),
        ("Total time     : 0h:0m:0s", "Total time     : 1h:0m:7s"),
        (
            "  Temp. Database: TEMPCHKSUM12.EDB",
            "  Temp. Database: TEMPCHKSUM9876.EDB",
        ),
    ] {
        assert!(shows(&[shown], printed), "{shown}");
    }
    for (shown, printed) in [
        (
            "error -1206 (x) after 0.1 seconds.",
            "error -1018 (x) after 0.1 seconds.",
        ),
        ("5 row(s); time: 0h:0m:0s", "6 row(s); time: 0h:0m:0s"),
        ("1 bad checksums", "2 bad checksums"),
        ("8 minutes", "9 minutes"),
        ("File: TEMP1/a.edb", "File: TEMP1/b.edb"),
    ] {
        assert!(!shows(&[shown], printed), "{shown}");
    }
}

#[test]
fn a_block_is_one_shell_and_tells_each_status() {
    let dir = tempfile::tempdir().unwrap();
    let text = "```console\n$ mkdir a\n$ ls; ls missing\na\nls: ...\n$ echo $?\n2\n```\n";
    assert_eq!(console::walk("text", text, dir.path(), &[]), 3);
    let block = &console::blocks("```console\n$ false\n$ exutil mk nothing\n```\n")[0];
    let printed = console::run(dir.path(), &[], block);
    assert_eq!((printed[0].status, printed[1].status), (1, 8));
    assert!(
        printed[1].text.contains("Operation terminated"),
        "{printed:?}"
    );
}

#[test]
#[should_panic(expected = "status 1, which is not shown")]
fn a_status_that_is_not_shown_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    console::walk("text", "```console\n$ false\n```\n", dir.path(), &[]);
}

#[test]
#[should_panic(expected = "--- printed")]
fn a_command_that_shows_nothing_of_its_output_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    console::walk("text", "```console\n$ echo a\n...\n```\n", dir.path(), &[]);
}
