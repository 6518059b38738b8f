//! `y` on the command line: Eseutil's spellings and lines, exit statuses, JSON.

mod common;
#[path = "common/copying.rs"]
mod copying;

use std::path::Path;

use common::{Run, exutil, folder_with, line, make, sample};
use copying::Faults;

fn same(dir: &Path, name: &str, bytes: &[u8]) {
    assert!(std::fs::read(dir.join(name)).unwrap() == bytes, "{name}");
}

/// The names in a folder.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn json(run: &Run) -> serde_json::Value {
    let json = run.one_json();
    assert_eq!(json["status"].as_i64(), Some(run.status.into()), "{json}");
    json
}

#[test]
fn every_spelling_copies() {
    let bytes = sample("priv1.edb");
    for words in [
        "/y priv1.edb /d out.edb",
        "-Y priv1.edb -dout.edb /o",
        "y /d:out.edb /i priv1.edb",
        "/y priv1.edb /d .\\sub\\..\\out.edb",
        "y priv1.edb --destination=out.edb --ignore-errors --verify --resume",
        "y priv1.edb --page-size 4 --verify --destination out.edb --format table",
    ] {
        let dir = folder_with(&["priv1.edb"]);
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let run = line(dir.path(), words);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.contains("The copy is whole."), "{run:?}");
        assert!(run.stdout.contains("completed successfully in"), "{run:?}");
        same(dir.path(), "out.edb", &bytes);
        assert_eq!(names(dir.path()), ["out.edb", "priv1.edb", "sub"]);
    }
}

#[test]
fn the_lines_are_those_of_eseutil() {
    let dir = folder_with(&["priv1.edb"]);
    let run = line(dir.path(), "/y priv1.edb /d out.edb /o");
    let expected = "Initiating COPY FILE mode...\n     Source File: priv1.edb\nDestination File: out.edb\n\n\
        \u{20}                     Copy Progress (% complete)\n\n\
        \u{20}         0    10   20   30   40   50   60   70   80   90  100\n\
        \u{20}         |----|----|----|----|----|----|----|----|----|----|\n\
        \u{20}         ...................................................\n\n\n\
        \u{20}   Total bytes read                = 0x6d000 (446464) (0 MB)\n\
        \u{20}   Total bytes written             = 0x5e000 (385024) (0 MB)\n";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
}

#[test]
fn without_a_destination_it_goes_into_the_current_folder() {
    let (from, to) = (folder_with(&["priv1.edb", "mini-8k.edb"]), folder_with(&[]));
    let source = from.path().join("priv1.edb");
    let run = exutil(to.path(), &["/y", source.to_str().unwrap()]);
    assert_eq!(run.status, 0, "{run:?}");
    same(to.path(), "priv1.edb", &sample("priv1.edb"));
    // In the folder of the source that is the source itself.
    let run = line(from.path(), "/y priv1.edb /i");
    assert_eq!(run.status, 8, "{run:?}");
    assert!(
        run.stdout.contains("same file") && run.stdout.contains("error -1032"),
        "{run:?}"
    );
    same(from.path(), "priv1.edb", &sample("priv1.edb"));
    // A folder takes several.
    std::fs::create_dir(from.path().join("sub")).unwrap();
    let run = line(from.path(), "y priv1.edb mini-8k.edb /d sub");
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(
        names(&from.path().join("sub")),
        ["mini-8k.edb", "priv1.edb"]
    );
    let run = line(from.path(), "y priv1.edb mini-8k.edb /d one.edb");
    assert_eq!(run.status, 16, "{run:?}");
    assert!(!from.path().join("one.edb").exists());
}

#[test]
fn what_is_in_the_way_stays() {
    let dir = folder_with(&["priv1.edb", "mini-8k.edb"]);
    let run = line(dir.path(), "y priv1.edb /d mini-8k.edb");
    assert_eq!(run.status, 8, "{run:?}");
    assert!(
        run.stdout.contains("error -1814 (JET_errFileAlreadyExists"),
        "{run:?}"
    );
    assert!(run.stdout.contains("--force"), "{run:?}");
    same(dir.path(), "mini-8k.edb", &sample("mini-8k.edb"));
    let run = line(dir.path(), "y priv1.edb /d mini-8k.edb --format json");
    let json = json(&run);
    assert_eq!(json["jet"]["code"], -1814);
    assert!(json["result"].is_null() && json["error"].is_string());
    let run = line(dir.path(), "y priv1.edb /d mini-8k.edb --force");
    assert_eq!(run.status, 0, "{run:?}");
    same(dir.path(), "mini-8k.edb", &sample("priv1.edb"));
    assert_eq!(names(dir.path()), ["mini-8k.edb", "priv1.edb"]);
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let dir = folder_with(&["priv1.edb"]);
    for dest in ["nodir/", "nodir/.", "nodir\\", "./sub/nodir/"] {
        std::fs::create_dir_all(dir.path().join("sub")).unwrap();
        let run = line(dir.path(), &format!("y priv1.edb /d {dest}"));
        assert_eq!(run.status, 8, "{run:?}");
        assert!(
            run.stdout.contains("no such folder") && run.stdout.contains("-1811"),
            "{run:?}"
        );
        assert_eq!(names(dir.path()), ["priv1.edb", "sub"]);
        assert!(names(&dir.path().join("sub")).is_empty());
    }
    let run = line(dir.path(), "y priv1.edb /d sub/");
    assert_eq!(run.status, 0, "{run:?}");
    same(dir.path(), "sub/priv1.edb", &sample("priv1.edb"));
}

#[test]
fn files_of_others_stay() {
    let dir = folder_with(&["priv1.edb"]);
    for (name, words) in [
        ("out.edb.map", "--force"),
        ("out.edb.map", "--resume"),
        ("out.edb.map.new", "--resume"),
        ("out.edb.map.new", "--resume --force"),
        ("out.edb.part", "--resume"),
    ] {
        std::fs::write(dir.path().join(name), b"mine").unwrap();
        let run = line(dir.path(), &format!("y priv1.edb /d out.edb {words}"));
        assert_eq!(run.status, 8, "{run:?}");
        assert!(
            run.stdout.contains(name) && run.stdout.contains("-1814"),
            "{run:?}"
        );
        same(dir.path(), name, b"mine");
        std::fs::remove_file(dir.path().join(name)).unwrap();
        assert_eq!(names(dir.path()), ["priv1.edb"]);
    }
}

#[test]
fn a_missing_value_or_option_is_a_usage_error() {
    let dir = folder_with(&["priv1.edb"]);
    let run = line(dir.path(), "/y priv1.edb /d");
    assert_eq!(run.status, 16);
    assert!(
        run.stderr
            .contains("Missing destination file specification"),
        "{run:?}"
    );
    let run = line(dir.path(), "/y priv1.edb /vss");
    assert_eq!(run.status, 16);
    assert_eq!(names(dir.path()), ["priv1.edb"]);
}

#[test]
fn damage_is_copied_and_told() {
    let dir = folder_with(&["priv1.edb"]);
    let mut bytes = sample("priv1.edb");
    // Page 5.
    bytes[6 * 4096 + 100..6 * 4096 + 200].fill(0xA5);
    std::fs::write(dir.path().join("bad.edb"), &bytes).unwrap();
    let run = line(dir.path(), "y bad.edb /d out.edb --verify");
    assert_eq!(run.status, 4, "{run:?}");
    for part in [
        "109 pages verified: 1 bad",
        "    page 5: checksum failed",
        "error -1206",
    ] {
        assert!(run.stdout.contains(part), "{part}: {run:?}");
    }
    same(dir.path(), "out.edb", &bytes);
    // Without --verify nobody asked.
    assert_eq!(line(dir.path(), "y bad.edb /d out2.edb").status, 0);
    let run = line(dir.path(), "y bad.edb /d out3.edb --verify --format json");
    let json = json(&run);
    assert_eq!((run.status, &json["jet"]["code"]), (4, &(-1206).into()));
    assert_eq!(json["result"]["outcome"], "copied");
    assert_eq!(json["result"]["verified"]["bad_pages"][0]["first"], 5);
    assert_eq!(json["findings"][0]["code"], "P001");
}

#[test]
fn logs_and_other_files() {
    let dir = folder_with(&[]);
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let log = make::log(1, 0).0;
    write("E00.log", &log);
    let run = line(dir.path(), "y E00.log /d copy.log --verify");
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.stdout.contains("The blocks of the log are sound."),
        "{run:?}"
    );
    same(dir.path(), "copy.log", &log);
    write("text", b"no database");
    assert_eq!(line(dir.path(), "y text /d copy").status, 0);
    let run = line(dir.path(), "y text /d copy2 --verify");
    assert_eq!(run.status, 8, "{run:?}");
    assert!(
        run.stdout.contains("What to do: copy it without --verify."),
        "{run:?}"
    );
    assert_eq!(names(dir.path()), ["E00.log", "copy", "copy.log", "text"]);
}

/// What an earlier run left is gone on with only if it is asked for, and only of the same source.
#[test]
fn a_part_file_is_gone_on_with() {
    let dir = folder_with(&[]);
    let bytes = sample("priv1.edb");
    std::fs::write(dir.path().join("a"), &bytes).unwrap();
    let mut options = copying::options_at(dir.path());
    options.resume = true;
    let faulty = Faults::on_real(&options.source, vec![copying::bad(100_000, 3000)]);
    let report = copying::copy(&options, &faulty).unwrap();
    let unread = report.unread_bytes();
    assert_eq!(unread, 3584);
    let left = ["a", "b.map", "b.part"];
    let run = line(dir.path(), "y a /d b");
    assert_eq!(run.status, 8, "{run:?}");
    assert!(
        run.stdout.contains("-1814") && run.stdout.contains("go on with it by --resume"),
        "{run:?}"
    );
    std::fs::write(dir.path().join("other"), &bytes[1..]).unwrap();
    let run = line(dir.path(), "y other /d b --resume");
    assert_eq!(run.status, 4, "{run:?}");
    assert!(
        run.stdout.contains("-551") && run.stdout.contains("another source"),
        "{run:?}"
    );
    std::fs::remove_file(dir.path().join("other")).unwrap();
    assert_eq!(names(dir.path()), left);
    let run = line(dir.path(), "y a /d b --resume --format json");
    let json = json(&run);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(json["result"]["bytes_read"], unread);
    assert_eq!(json["result"]["bytes_before"], bytes.len() as u64 - unread);
    same(dir.path(), "b", &bytes);
    assert_eq!(names(dir.path()), ["a", "b"]);
}
