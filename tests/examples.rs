//! Every file of `examples` is run, and does what it says; every operation has one.

mod common;
#[path = "common/engine.rs"]
mod engine;
#[path = "common/kinds.rs"]
mod kinds;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "../examples/build_testdata/stores/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stores;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{folder_with, line, make, root};
use engine::Run;
use exutil::build::live::BackupForm;
use exutil::damage::{Damage, damage};
use kinds::WITH_IMAGES;
use stores::{StoreKind, defects};

/// Operations without an example of their own, and why.
const NONE: [(&str, &str); 1] = [(
    "replay_io",
    "what it counts is part of the summary that `logs` and `log_records` make",
)];

/// Examples that show no operation, but write files of the project.
const OTHERS: [&str; 2] = ["man_pages", "problem_table"];

/// The names of the files in a folder of the project that end so.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

/// Cargo puts the examples beside the folder of this test.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = target.join("examples").join(file);
    assert!(
        program.is_file(),
        "{}: cargo makes the examples for all tests, but not for one; then: cargo build --examples",
        program.display()
    );
    program
}

/// Runs examples, and notes which.
#[derive(Default)]
struct Shown(BTreeSet<String>);

impl Shown {
    /// Runs one in `dir`; it must print each of `parts`.
    #[track_caller]
    fn run(&mut self, dir: &Path, words: &str, parts: &[&str]) {
        let mut words = words.split(' ');
        let name = words.next().unwrap();
        let run = common::run(&program(name), dir, &words.collect::<Vec<_>>());
        assert_eq!(run.status, 0, "{name}: {run:?}");
        for part in parts {
            assert!(run.stdout.contains(part), "{name}: {part}: {run:?}");
        }
        self.0.insert(name.to_owned());
    }

    /// Runs one that must refuse.
    #[track_caller]
    fn refuses(dir: &Path, words: &[&str]) {
        let run = common::run(&program(words[0]), dir, &words[1..]);
        assert!(run.status == 1 && run.stderr.contains("Error"), "{run:?}");
    }
}

#[test]
fn every_example_does_what_it_says() {
    let mut shown = Shown::default();
    reading(&mut shown);
    logs(&mut shown);
    restoring(&mut shown);
    changing(&mut shown);
    let mut expected = names("examples", ".rs");
    expected.retain(|name| !OTHERS.contains(&&name[..]));
    assert_eq!(shown.0, expected);
}

fn reading(shown: &mut Shown) {
    let dir = folder_with(&["priv1.edb", "dirty.edb", "mini-8k.edb"]);
    let dir = dir.path();
    let mut bytes = common::sample("mini-4k.edb");
    damage(&mut bytes, Damage::Noise, 1).unwrap();
    std::fs::write(dir.join("bad.edb"), bytes).unwrap();
    std::fs::write(dir.join("E00.chk"), make::checkpoint()).unwrap();
    std::fs::write(dir.join("a.jfm"), make::flush_map(3)).unwrap();
    shown.run(
        dir,
        "checksum priv1.edb",
        &["of 4096 bytes", "0 bad, 0 corr", "ends with 0"],
    );
    shown.run(dir, "checksum bad.edb", &["1 bad", "-1206"]);
    shown.run(dir, "integrity priv1.edb", &["Folders: ", "ends with 0"]);
    shown.run(dir, "integrity bad.edb", &["P0", "-1206"]);
    shown.run(
        dir,
        "headers priv1.edb",
        &["Clean Shutdown, pages of 4096 bytes"],
    );
    shown.run(
        dir,
        "headers dirty.edb",
        &["Dirty Shutdown", "needs E", "Missing"],
    );
    shown.run(
        dir,
        "required_logs dirty.edb .",
        &["needs generations", "Missing"],
    );
    shown.run(dir, "required_logs priv1.edb .", &["needs no logs"]);
    shown.run(dir, "identify priv1.edb", &["a database"]);
    shown.run(dir, "identify a.jfm", &["a flush map"]);
    shown.run(
        dir,
        "checkpoint E00.chk",
        &["checkpoint (0x2,8,2B7)", "E:\\db\\priv1.edb"],
    );
    shown.run(dir, "flushmap a.jfm", &["version [3, 0, 0], 3 pages"]);
    shown.run(dir, "meta_dump priv1.edb", &["Folders\n", "    index "]);
    shown.run(
        dir,
        "space_dump priv1.edb",
        &["    Folders: owns ", " pages are free"],
    );
    shown.run(
        dir,
        "page_dump priv1.edb 4",
        &["page 4 of object 2", "its checksum is good"],
    );
    shown.run(
        dir,
        "export priv1.edb Folders",
        &["{\"table\":\"Folders\",\"key\":\""],
    );
    shown.run(
        dir,
        "survey dirty.edb",
        &["Dirty Shutdown, repaired 0 times"],
    );
    shown.run(dir, "sweep .", &["dirty.edb: ", "exutil ", "6 files"]);
    shown.run(dir, "advise .", &["exutil ", "ends with "]);
    shown.run(
        dir,
        "copy_file priv1.edb copy.edb",
        &["Copied, ", "0 bad pages"],
    );
    assert!(std::fs::read(dir.join("copy.edb")).unwrap() == common::sample("priv1.edb"));
    for words in [
        vec!["checksum"],
        vec!["checksum", "missing.edb"],
        vec!["integrity", "E00.chk"],
        vec!["export", "priv1.edb", "NoSuchTable"],
        vec!["amend", "priv1.edb", "Folders"],
    ] {
        Shown::refuses(dir, &words);
    }
}

fn logs(shown: &mut Shown) {
    let mut run = Run::new(WITH_IMAGES[5], 3);
    run.steps(300);
    let state = run.crash();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for log in &state.logs {
        std::fs::write(dir.join(&log.name), &log.bytes).unwrap();
    }
    std::fs::write(dir.join("live.edb"), &state.database).unwrap();
    std::fs::write(dir.join("E00.chk"), &state.checkpoint).unwrap();
    shown.run(dir, "logs . E00", &["E00.log: sound", "ends with 0"]);
    shown.run(dir, "log_records E00.log", &[" records, ", " bytes, page "]);
    shown.run(dir, "log_checks . E00", &["0 findings"]);
    shown.run(
        dir,
        "recover . E00",
        &["live.edb: Clean Shutdown", "E00.undo gives"],
    );
    assert_eq!(line(dir, "g live.edb").status, 0);
    shown.run(dir, "undo E00.undo", &["'r E00': CanRestore", "Restored"]);
    assert!(std::fs::read(dir.join("live.edb")).unwrap() == state.database);
}

fn restoring(shown: &mut Shown) {
    let mut run = Run::new(WITH_IMAGES[5], 4);
    run.steps(200);
    let set = run.backup(BackupForm::Trailer);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for log in &set.logs {
        std::fs::write(dir.join(&log.name), &log.bytes).unwrap();
    }
    std::fs::write(dir.join("live.edb"), &set.database).unwrap();
    shown.run(
        dir,
        "restore .",
        &["told by Trailer", "live.edb: Clean Shutdown"],
    );
    assert_eq!(line(dir, "g live.edb").status, 0);
}

fn changing(shown: &mut Shown) {
    let dir = folder_with(&["priv1.edb"]);
    let dir = dir.path();
    let mut bytes = common::sample("mini-4k.edb");
    damage(&mut bytes, Damage::UnsortedKeys, 3).unwrap();
    std::fs::write(dir.join("bad.edb"), bytes).unwrap();
    shown.run(
        dir,
        "repair bad.edb",
        &[": Repaired", "bad.edb.before-repair"],
    );
    assert_eq!(line(dir, "g bad.edb").status, 0);
    shown.run(dir, "repair priv1.edb", &["0 findings: Sound"]);

    let rows = common::run(&program("export"), dir, &["priv1.edb", "Folders"]);
    let first: serde_json::Value = rows.json().swap_remove(0);
    let key = first["key"].as_str().unwrap();
    shown.run(
        dir,
        &format!("amend priv1.edb Folders {key}"),
        &["1 rows removed"],
    );
    let fewer = common::run(&program("export"), dir, &["priv1.edb", "Folders"]);
    assert_eq!(fewer.json().len() + 1, rows.json().len());

    shown.run(dir, "defrag priv1.edb", &["bytes before", "verified: true"]);
    assert_eq!(line(dir, "g priv1.edb").status, 0);

    let store = defects::named(StoreKind::Modern, "children").expect("a defect of this name");
    std::fs::write(dir.join("store.edb"), store.build().unwrap()).unwrap();
    shown.run(dir, "isinteg store.edb", &["1 errors"]);
    shown.run(dir, "isinteg store.edb fix", &["1 fixes"]);
    assert_eq!(line(dir, "isinteg store.edb -test alltests").status, 0);
}

#[test]
fn every_operation_has_an_example() {
    let list = std::fs::read_to_string(root().join("src/ops/mod.rs")).unwrap();
    let operations: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    let mut shown = names("examples", ".rs");
    shown.retain(|name| !OTHERS.contains(&&name[..]));
    shown.extend(NONE.iter().map(|(name, _)| (*name).to_owned()));
    assert_eq!(operations, shown);
}

/// What the crate's documentation says of them is so.
#[test]
fn the_documentation_of_the_crate_names_them_all() {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for name in names("examples", ".rs") {
        let file = format!("`examples/{name}.rs`");
        assert!(
            OTHERS.contains(&&name[..]) || text.contains(&file),
            "{file}"
        );
    }
}
