//! `d` as it is typed.

mod common;

use std::path::Path;

use common::{exutil, folder_with, line, sample};

const NAME: &str = "priv1.edb";

fn count(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[test]
fn every_spelling() {
    for words in [
        "d priv1.edb",
        "/d priv1.edb",
        "-D priv1.edb",
        "/defrag priv1.edb",
        "d priv1.edb /o /tTEMP.EDB",
        "d priv1.edb /t TEMP.EDB /i",
    ] {
        let dir = folder_with(&[NAME]);
        let run = line(dir.path(), words);
        assert_eq!(run.status, 0, "{run:?}");
        for text in [
            "Initiating DEFRAGMENTATION mode...",
            "            Database: priv1.edb",
            "Defragmentation Status (% complete)",
            "' to 'priv1.edb'... DONE!",
            "It is recommended that you immediately perform a full backup",
            "Operation completed successfully in",
        ] {
            assert!(run.stdout.contains(text), "{text}: {run:?}");
        }
        assert_eq!(count(dir.path()), 1);
        assert!(std::fs::read(dir.path().join(NAME)).unwrap() != sample(NAME));
        assert_eq!(line(dir.path(), "g priv1.edb").status, 0);
    }
}

#[test]
fn a_plan_changes_nothing() {
    let dir = folder_with(&[NAME]);
    let run = line(dir.path(), "d priv1.edb --dry-run");
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains("This is the plan"), "{run:?}");
    assert!(run.stdout.contains("bytes needed"), "{run:?}");
    assert!(std::fs::read(dir.path().join(NAME)).unwrap() == sample(NAME));
    assert_eq!(count(dir.path()), 1);
    // As large as it says.
    let planned = line(dir.path(), "d priv1.edb --dry-run --format json").one_json();
    let done = line(dir.path(), "d priv1.edb --format json").one_json();
    assert_eq!(
        planned["result"]["bytes_after"],
        done["result"]["bytes_after"]
    );
    let len = std::fs::metadata(dir.path().join(NAME)).unwrap().len();
    assert_eq!(done["result"]["bytes_after"], len);
    assert_eq!(done["result"]["verified"], true);
}

#[test]
fn the_new_file_beside_the_old_one() {
    let dir = folder_with(&[NAME]);
    let run = line(dir.path(), "d priv1.edb /p /tnew.edb");
    assert_eq!(run.status, 0, "{run:?}");
    assert!(!run.stdout.contains("Moving"), "{run:?}");
    assert!(std::fs::read(dir.path().join(NAME)).unwrap() == sample(NAME));
    assert_eq!(line(dir.path(), "g new.edb").status, 0);
    // Its name is taken now.
    let run = line(dir.path(), "d priv1.edb /p /tnew.edb");
    assert_eq!(run.status, 8, "{run:?}");
    assert!(run.stdout.contains("-1814"), "{run:?}");
    assert_eq!(count(dir.path()), 2);
}

#[test]
fn the_old_file_under_another_name() {
    let dir = folder_with(&[NAME]);
    let run = line(dir.path(), "d priv1.edb /bold.edb");
    assert_eq!(run.status, 0, "{run:?}");
    assert!(std::fs::read(dir.path().join("old.edb")).unwrap() == sample(NAME));
    assert_eq!(line(dir.path(), "g priv1.edb").status, 0);
    assert_eq!(count(dir.path()), 2);
}

#[test]
fn dirty_databases_are_told_what_to_do() {
    let dir = folder_with(&["dirty.edb"]);
    let run = line(dir.path(), "d dirty.edb");
    assert_eq!(run.status, 4, "{run:?}");
    assert!(run.stdout.contains("-550"), "{run:?}");
    assert!(run.stdout.contains("exutil r"), "{run:?}");
    assert!(std::fs::read(dir.path().join("dirty.edb")).unwrap() == sample("dirty.edb"));
    assert_eq!(count(dir.path()), 1);
}

#[test]
fn what_is_no_database_is_left_alone() {
    for (bytes, code) in [
        (Vec::new(), "-1206"),
        (vec![0; 50_000], "-1206"),
        (common::Random(7).bytes(50_000), "-1206"),
        (sample(NAME)[..9000].to_vec(), "-4001"),
    ] {
        let dir = folder_with(&[NAME]);
        std::fs::write(dir.path().join(NAME), &bytes).unwrap();
        let run = line(dir.path(), "d priv1.edb");
        assert!(matches!(run.status, 4 | 8), "{run:?}");
        assert!(run.stdout.contains(code), "{code}: {run:?}");
        assert!(std::fs::read(dir.path().join(NAME)).unwrap() == bytes);
        assert_eq!(count(dir.path()), 1);
    }
    let dir = folder_with(&[]);
    let run = line(dir.path(), "d gone.edb");
    assert_eq!(run.status, 8, "{run:?}");
    assert!(run.stdout.contains("-1811"), "{run:?}");
}

#[test]
fn several_files_and_names_with_spaces() {
    let dir = folder_with(&[NAME, "mini-4k.edb", "dirty.edb"]);
    let spaced = "a name.edb";
    std::fs::rename(dir.path().join("mini-4k.edb"), dir.path().join(spaced)).unwrap();
    let run = exutil(dir.path(), &["d", NAME, "dirty.edb", spaced, "/o"]);
    // The worst counts, and the others are done.
    assert_eq!(run.status, 4, "{run:?}");
    for name in [NAME, spaced] {
        assert_eq!(exutil(dir.path(), &["g", name]).status, 0);
        assert!(
            run.stdout.contains(&format!("to '{name}'... DONE!")),
            "{run:?}"
        );
    }
    assert_eq!(count(dir.path()), 3);
}

/// A run that was killed leaves its temporary file: the next one removes it, and leaves alone what is none of its own.
#[test]
fn what_an_earlier_run_left() {
    let dir = folder_with(&[NAME]);
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let mut unfinished = vec![0; 70_000];
    unfinished[512..543].copy_from_slice(b"exutil is writing this database");
    write("TEMPDFRG99999991.EDB", &unfinished);
    write("TEMPDFRG99999992.EDB", &sample(NAME));
    write("TEMPDFRG99999993.EDB", b"of somebody else");
    write("TEMPDFRG.edb.txt", b"of somebody else");
    let run = line(dir.path(), "d priv1.edb --format json").one_json();
    let names = |list: &serde_json::Value| -> Vec<String> {
        let paths = list.as_array().unwrap().iter();
        let name = |path: &serde_json::Value| {
            let path = Path::new(path.as_str().unwrap()).file_name().unwrap();
            path.to_string_lossy().into_owned()
        };
        paths.map(name).collect()
    };
    assert_eq!(names(&run["result"]["removed"]), ["TEMPDFRG99999991.EDB"]);
    assert_eq!(names(&run["result"]["left"]), ["TEMPDFRG99999992.EDB"]);
    assert_eq!(count(dir.path()), 4);
}
