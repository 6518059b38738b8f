//! Independent readers agree with each other and with us about the sample databases: libesedb
//! (`esedbinfo`, `esedbexport`) and dissect.esedb. Samples older than 0x620,9 or with pages below
//! 4 KiB are not asked of them.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{needs, testdata};
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::format::dbheader::DbHeader;
use exutil::progress::Silent;
use exutil::rebuild;
use exutil::storage::FileStorage;

/// Rows by table.
type Rows = BTreeMap<String, usize>;

/// Prints `table<TAB>rows` of every table, reading every column of every row.
const DISSECT: &str = "
import sys
from dissect.esedb import EseDB
with open(sys.argv[1], 'rb') as file:
    for table in EseDB(file).tables():
        rows = 0
        for record in table.records():
            record.as_dict()
            rows += 1
        print(table.name, rows, sep='\\t')
";

fn samples() -> Vec<PathBuf> {
    let fits = |path: &PathBuf| {
        let header = DbHeader::parse(&std::fs::read(path).unwrap()).unwrap();
        header.update_major >= 9 && header.page_size().is_some_and(|size| size.bytes() >= 4096)
    };
    let mut found: Vec<_> = std::fs::read_dir(testdata())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "edb"))
        .filter(fits)
        .collect();
    found.sort();
    assert!(found.len() >= 4, "{found:?}");
    found
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text
}

/// The engine's own tables are not shown by every reader in the same way.
fn is_users(table: &str) -> bool {
    !table.starts_with("MSys")
}

fn by_dissect(python: &Path, file: &Path) -> Rows {
    rows(&output(
        Command::new(python).args(["-c", DISSECT]).arg(file),
    ))
}

/// The same; `None` where it refuses the file, as it does some columns.
fn if_dissect_can(python: &Path, file: &Path) -> Option<Rows> {
    let mut command = Command::new(python);
    let output = command.args(["-c", DISSECT]).arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| rows(&text))
}

fn rows(text: &str) -> Rows {
    text.lines()
        .map(|line| line.split_once('\t').unwrap())
        .filter(|(table, _)| is_users(table))
        .map(|(table, rows)| (table.to_owned(), rows.parse().unwrap()))
        .collect()
}

/// `esedbexport` writes one file a table, a line of names and a line a row.
fn by_libesedb(esedbexport: &Path, file: &Path) -> Rows {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    output(Command::new(esedbexport).arg("-t").arg(&target).arg(file));
    std::fs::read_dir(dir.path().join("out.export"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let lines = std::fs::read(&path)
                .unwrap()
                .iter()
                .filter(|b| **b == b'\n')
                .count();
            // The number of the table follows its name.
            let table = path.file_stem().unwrap().to_string_lossy().into_owned();
            (table, lines.saturating_sub(1))
        })
        .filter(|(table, _)| is_users(table))
        .collect()
}

#[test]
fn readers_agree() {
    let (Some(export), Some(python)) = (needs::program("esedbexport"), needs::dissect()) else {
        return;
    };
    for file in samples() {
        let (one, other) = (by_libesedb(&export, &file), by_dissect(&python, &file));
        assert_eq!(one, other, "{}", file.display());
        assert!(one.values().sum::<usize>() > 0, "{}", file.display());
    }
}

#[test]
fn libesedb_sees_what_the_header_says() {
    let Some(info) = needs::program("esedbinfo") else {
        return;
    };
    for file in samples() {
        let header = DbHeader::parse(&std::fs::read(&file).unwrap()).unwrap();
        let text = output(Command::new(&info).arg(&file));
        let format = format!("0x620,{}", header.update_major);
        let size = format!("{} bytes", header.page_size().unwrap().bytes());
        for part in [format, size] {
            assert!(text.contains(&part), "{}: {part}: {text}", file.display());
        }
    }
}

/// Rows by table, as libesedb counts them; `None` where it refuses the file.
fn if_libesedb_can(esedbexport: &Path, file: &Path) -> Option<Rows> {
    let dir = tempfile::tempdir().unwrap();
    let probe = Command::new(esedbexport)
        .arg("-t")
        .arg(dir.path().join("probe"))
        .arg(file)
        .output()
        .unwrap();
    probe
        .status
        .success()
        .then(|| by_libesedb(esedbexport, file))
}

/// libesedb reads what `r` leaves exactly where it reads what the engine's own recovery left, and sees the same
/// rows. (dissect.esedb reads every one of them in the comparison with the reference's content.)
#[test]
fn recovered_databases_open_elsewhere() {
    let (Some(export), Some(corpus)) = (needs::program("esedbexport"), needs::corpus()) else {
        return;
    };
    let (mut read, mut compared) = (0, 0);
    for kind in ["engine", "real"] {
        for case in std::fs::read_dir(corpus.join(kind)).unwrap() {
            let case = case.unwrap().path();
            let (before, after) = (case.join("pre"), case.join("post-r"));
            let text = std::fs::read_to_string(case.join("r.txt")).unwrap_or_default();
            if !after.is_dir() || !text.contains("\n[exit code: 0]") {
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            for file in std::fs::read_dir(before).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
            }
            let run = common::line(dir.path(), "r edb /d /i");
            assert_eq!(run.status, 0, "{}: {run:?}", case.display());
            for name in ["test.edb", "second.edb", "storage.ide"] {
                if !after.join(name).is_file() {
                    continue;
                }
                let ours = if_libesedb_can(&export, &dir.path().join(name));
                let theirs = if_libesedb_can(&export, &after.join(name));
                assert_eq!(ours, theirs, "{} {name}", case.display());
                read += usize::from(ours.is_some());
                compared += 1;
            }
        }
    }
    // Most samples have columns that libesedb refuses, whoever wrote them.
    assert!(read >= 7 && compared > 60, "{read} of {compared}");
}

/// The same of what `cc` leaves. (Again dissect.esedb reads it in the comparison with the reference's content.)
#[test]
fn restored_databases_open_elsewhere() {
    let (Some(export), Some(corpus)) = (needs::program("esedbexport"), needs::corpus()) else {
        return;
    };
    for (case, set) in [("backup-full", "bk/new"), ("backup-legacy", "bk")] {
        let case = corpus.join("engine").join(case);
        let dir = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(case.join("pre").join(set)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
        let run = common::line(dir.path(), "cc /t");
        assert_eq!(run.status, 0, "{run:?}");
        let ours = if_libesedb_can(&export, &dir.path().join("test.edb"));
        let theirs = if_libesedb_can(&export, &case.join("post-restore/test.edb"));
        assert_eq!(ours, theirs, "{}", case.display());
    }
}

/// The same of what `isinteg` writes: another value in one row, and all rows there.
#[test]
fn amended_databases_open_elsewhere() {
    let (Some(export), Some(python)) = (needs::program("esedbexport"), needs::dissect()) else {
        return;
    };
    let name = "store-2003-priv.edb";
    let dir = common::folder_with(&[name]);
    let profile = common::root().join("src/store/profiles/exchange-5.5.toml");
    std::fs::copy(profile, dir.path().join("old.toml")).unwrap();
    let words = format!("isinteg {name} --profile old.toml -patch --trust-profile --yes");
    let run = common::line(dir.path(), &words);
    assert_eq!(run.status, 1, "{run:?}");
    let (before, after) = (testdata().join(name), dir.path().join(name));
    assert_ne!(
        std::fs::read(&before).unwrap(),
        std::fs::read(&after).unwrap()
    );
    assert_eq!(by_dissect(&python, &before), by_dissect(&python, &after));
    assert_eq!(by_libesedb(&export, &before), by_libesedb(&export, &after));
}

/// Both see the same rows in a database written anew as in the one that it was written from.
#[test]
fn rebuilt_databases_open_elsewhere() {
    let (Some(export), Some(python)) = (needs::program("esedbexport"), needs::dissect()) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    for file in samples() {
        let new = dir.path().join(file.file_name().unwrap());
        let db = Database::open(&file, None).unwrap();
        let out = FileStorage::create(&new).unwrap();
        let options = rebuild::Options {
            header: Some(db.header().clone()),
            after: db.header().dbtime,
            spare_pages: 0,
            flush_type: 0,
        };
        let source = rebuild::Sound::new(&db);
        rebuild::write(&source, &out, &options, &mut rebuild::keep_all, &Silent).unwrap();
        let name = file.display();
        assert_eq!(
            by_dissect(&python, &file),
            by_dissect(&python, &new),
            "{name}"
        );
        assert_eq!(
            by_libesedb(&export, &file),
            by_libesedb(&export, &new),
            "{name}"
        );
    }
}

/// Both read the same rows of what a repair leaves, and libesedb reads it wherever it reads what the engine's repair left.
#[test]
fn repaired_databases_open_elsewhere() {
    let (Some(export), Some(python)) = (needs::program("esedbexport"), needs::dissect()) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    for file in samples() {
        for (seed, kind) in (0..).zip([Damage::Noise, Damage::ZeroPage, Damage::UnsortedKeys]) {
            let mut bytes = std::fs::read(&file).unwrap();
            damage(&mut bytes, kind, seed).unwrap();
            let new = dir.path().join(format!("{seed}.edb"));
            std::fs::write(&new, bytes).unwrap();
            let run = common::line(dir.path(), &format!("p {seed}.edb --yes --discard-undo"));
            // 4: an entry of an index over Unicode text is missing.
            assert!(matches!(run.status, 1 | 4), "{}: {run:?}", file.display());
            let rows = by_dissect(&python, &new);
            assert_eq!(
                rows,
                by_libesedb(&export, &new),
                "{} {kind:?}",
                file.display()
            );
            assert!(!rows.is_empty());
        }
    }
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut opened = 0;
    for case in std::fs::read_dir(corpus.join("engine")).unwrap() {
        let case = case.unwrap().path();
        let (before, after) = (case.join("pre/test.edb"), case.join("post-p/test.edb"));
        let text = std::fs::read_to_string(case.join("p.txt")).unwrap_or_default();
        if !after.is_file() || !text.contains("\n[exit code: 0]") {
            continue;
        }
        let new = dir.path().join("test.edb");
        std::fs::copy(before, &new).unwrap();
        let run = common::line(dir.path(), "p test.edb --yes --discard-undo");
        assert!(matches!(run.status, 0 | 1), "{}: {run:?}", case.display());
        let ours = if_libesedb_can(&export, &new).is_some();
        let theirs = if_libesedb_can(&export, &after).is_some();
        assert!(ours || !theirs, "{}", case.display());
        opened += 1;
    }
    assert!(opened > 35, "{opened}");
}

/// Both see the same rows in a defragmented database as in the original; of the corpus libesedb reads what it read before.
#[test]
fn defragmented_databases_open_elsewhere() {
    let (Some(export), Some(python)) = (needs::program("esedbexport"), needs::dissect()) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("test.edb");
    let defragment = |file: &Path| {
        std::fs::copy(file, &new).unwrap();
        let run = common::line(dir.path(), "d test.edb");
        assert_eq!(run.status, 0, "{}: {run:?}", file.display());
    };
    for file in samples() {
        if !file.ends_with("dirty.edb") {
            defragment(&file);
            let name = file.display();
            let (one, other) = (by_dissect(&python, &file), by_dissect(&python, &new));
            assert_eq!(one, other, "{name}");
            let (one, other) = (by_libesedb(&export, &file), by_libesedb(&export, &new));
            assert_eq!(one, other, "{name}");
        }
    }
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let (mut read, mut compared) = (0, 0);
    for case in std::fs::read_dir(corpus.join("engine")).unwrap() {
        let file = case.unwrap().path().join("db/test.edb");
        if file.is_file() {
            defragment(&file);
            let (before, after) = (
                if_libesedb_can(&export, &file),
                if_libesedb_can(&export, &new),
            );
            assert_eq!(before, after, "{}", file.display());
            let (one, other) = (
                if_dissect_can(&python, &file),
                if_dissect_can(&python, &new),
            );
            assert_eq!(one, other, "{}", file.display());
            read += usize::from(after.is_some());
            compared += 1;
        }
    }
    for name in ["adamntds-2008", "ntds-2012r2"] {
        for state in ["pre", "db"] {
            for file in std::fs::read_dir(corpus.join("real").join(name).join(state))
                .into_iter()
                .flatten()
            {
                let file = file.unwrap().path();
                if file.extension().is_some_and(|ending| ending == "dit") {
                    defragment(&file);
                    let (one, other) = (by_dissect(&python, &file), by_dissect(&python, &new));
                    assert_eq!(one, other, "{}", file.display());
                    compared += 1;
                }
            }
        }
    }
    assert!(compared >= 12, "{read} of {compared}");
}
