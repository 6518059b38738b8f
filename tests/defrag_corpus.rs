//! Defragmentation of every clean database of the corpus, and what the engine's own made of some of them. The files are not
//! part of the project: `EXUTIL_CORPUS` names the directory.

mod common;

use std::path::{Path, PathBuf};

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};

use common::content::content_of;
use common::{line, needs};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::dbheader::{DbHeader, DbState};

/// The states of a case that may hold clean databases.
const STATES: [&str; 6] = ["db", "pre", "post-r", "post-p", "post-restore", "post-d"];

/// Every clean database, with its case and state.
fn clean(corpus: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for kind in ["engine", "real"] {
        for case in std::fs::read_dir(corpus.join(kind)).unwrap() {
            let case = case.unwrap().path();
            for state in STATES {
                for file in std::fs::read_dir(case.join(state)).into_iter().flatten() {
                    let path = file.unwrap().path();
                    let header = |bytes: Vec<u8>| DbHeader::parse(&bytes).ok();
                    let header = std::fs::read(&path).ok().and_then(header);
                    let magic = header.as_ref().is_some_and(|h| h.magic == 0x89AB_CDEF);
                    let Ok(db) = Database::open(&path, None) else {
                        continue;
                    };
                    if magic && db.header().db_state() == DbState::CleanShutdown {
                        let name = case.file_name().unwrap().to_string_lossy();
                        found.push((format!("{name}/{state}"), path));
                    }
                }
            }
        }
    }
    found.sort();
    found
}

/// A folder with the database and its flush map.
fn folder_of(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("test.edb");
    std::fs::copy(path, &copy).unwrap();
    let map = path.with_extension("jfm");
    if map.is_file() {
        std::fs::copy(map, copy.with_extension("jfm")).unwrap();
    }
    (dir, copy)
}

/// What is wrong, or what came of it.
fn defragmented(name: &str, path: &Path) -> Result<Option<String>, String> {
    let (dir, copy) = folder_of(path);
    let sound = line(dir.path(), "g test.edb").status == 0;
    let before = content_of(&copy);
    let run = line(dir.path(), "d test.edb --format json").one_json();
    let code = run["jet"]["code"].as_i64().unwrap();
    if code != 0 {
        // Damaged ones may be refused, and are then as they were.
        let untouched = std::fs::read(path).unwrap() == std::fs::read(&copy).unwrap();
        return match (sound, untouched) {
            (false, true) => Ok(None),
            _ => Err(format!("{name}: {} (untouched: {untouched})", run["error"])),
        };
    }
    let again = line(dir.path(), "g test.edb");
    if again.status != 0 {
        return Err(format!("{name}: g: {}", again.output()));
    }
    let after = content_of(&copy);
    if sound && before != after {
        return Err(format!("{name}: other content"));
    }
    let result = &run["result"];
    let (old, new) = (&result["bytes_before"], &result["bytes_after"]);
    let (old, new) = (old.as_u64().unwrap(), new.as_u64().unwrap());
    let second = line(dir.path(), "d test.edb --format json").one_json();
    let second_bytes = second["result"]["bytes_after"].as_u64().unwrap_or_default();
    if second_bytes.abs_diff(new) * 100 > new {
        return Err(format!("{name}: {new} bytes, then {second_bytes}"));
    }
    let lost = content_of(&copy) != after;
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    if lost || left > 2 {
        return Err(format!("{name}: second run: {lost}, {left} files"));
    }
    Ok(Some(format!("{name}: {old} -> {new} bytes")))
}

#[test]
fn every_clean_database_keeps_what_it_holds() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let found = clean(&corpus);
    let results: Vec<_> = found
        .par_iter()
        .map(|(name, path)| defragmented(name, path))
        .collect();
    let (mut wrong, mut done) = (Vec::new(), 0);
    for result in results {
        match result {
            Ok(Some(what)) => {
                println!("{what}");
                done += 1;
            }
            Ok(None) => {}
            Err(what) => wrong.push(what),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(done >= 178, "{done} of {}", found.len());
}

/// Not larger than what the engine's own defragmentation left, by more than 2 %.
#[test]
fn as_small_as_the_engine_makes_them() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut compared = 0;
    for case in std::fs::read_dir(corpus.join("engine")).unwrap() {
        let case = case.unwrap().path();
        let (before, theirs) = (case.join("db/test.edb"), case.join("post-d/test.edb"));
        if !before.is_file() || !theirs.is_file() {
            continue;
        }
        let (dir, copy) = folder_of(&before);
        let run = line(dir.path(), "d test.edb");
        assert_eq!(run.status, 0, "{run:?}");
        let (ours, theirs) = (
            std::fs::metadata(&copy).unwrap().len(),
            std::fs::metadata(&theirs).unwrap().len(),
        );
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        println!("{name}: {ours} bytes, the engine's {theirs}");
        assert!(ours * 100 <= theirs * 102, "{name}: {ours} {theirs}");
        compared += 1;
    }
    assert!(compared >= 12, "{compared}");
}

/// The number that the engine ended with on a damaged database, where it refused it for what cannot be read. What it
/// refuses for space trees that are not needed, is done here.
#[test]
fn damaged_databases_end_as_with_the_engine() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    // Damage of the space trees, of which nothing is read; and records out of order, or a catalog that lacks a row about
    // itself, which a repair puts right.
    const OTHERS: [(&str, i64, i64); 8] = [
        ("c-bad-dbae", -1018, 0),
        ("c-bad-dbroot", -1018, 0),
        ("c-bad-dbroot-8k", -1018, 0),
        ("c-bad-oe", -1018, 0),
        // A leaf that says it is the last: the engine believes it.
        ("l-next0", 0, -327),
        // Entries without a record: it is lost, and the engine says nothing of it.
        ("l-rec-missing", 0, -1414),
        ("l-order", 0, -1206),
        ("l-cat-missing", 0, -1220),
    ];
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in std::fs::read_dir(corpus.join("engine")).unwrap() {
        let case = case.unwrap().path();
        let Ok(text) = std::fs::read_to_string(case.join("d.txt")) else {
            continue;
        };
        let exit = text.split("[exit code: ").nth(1).unwrap();
        let theirs: i64 = exit.split(']').next().unwrap().parse().unwrap();
        let state = ["pre", "db"].map(|state| case.join(state).join("test.edb"));
        let Some(path) = state.iter().find(|path| path.is_file()) else {
            continue;
        };
        let (dir, copy) = folder_of(path);
        let run = line(dir.path(), "d test.edb --format json").one_json();
        let ours = run["jet"]["code"].as_i64().unwrap();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let expected = OTHERS.iter().find(|other| other.0 == name);
        let expected = expected.map_or((theirs, theirs), |other| (other.1, other.2));
        if (theirs, ours) != expected {
            wrong.push(format!(
                "{name}: {ours}, the engine {theirs}: {}",
                run["error"]
            ));
        }
        if ours != 0 && std::fs::read(&copy).unwrap() != std::fs::read(path).unwrap() {
            wrong.push(format!("{name}: refused, and yet not as it was"));
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 50, "{compared}");
}

/// Tables, indexes and long value trees have the object ids that the engine gives them.
#[test]
fn object_ids_are_those_of_the_engine() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let ids = |path: &Path| -> Vec<(u32, String)> {
        let schema = Schema::read(&Database::open(path, None).unwrap());
        let mut ids = Vec::new();
        for table in schema.tables.values() {
            ids.push((table.objid.get(), table.name.clone()));
            for index in table.secondary_indexes() {
                ids.push((index.objid.get(), format!("{}.{}", table.name, index.name)));
            }
            if let Some(lv) = table.long_values {
                ids.push((lv.objid.get(), format!("{}, long values", table.name)));
            }
        }
        ids.sort();
        ids
    };
    let (mut compared, mut all_numbers) = (0, 0);
    for case in std::fs::read_dir(corpus.join("engine")).unwrap() {
        let case = case.unwrap().path();
        let (before, theirs) = (case.join("db/test.edb"), case.join("post-d/test.edb"));
        if !before.is_file() || !theirs.is_file() {
            continue;
        }
        let (dir, copy) = folder_of(&before);
        assert_eq!(line(dir.path(), "d test.edb").status, 0);
        let (mut ours, theirs) = (ids(&copy), ids(&theirs));
        // The engine makes no tree for long values where there are none; here an empty one stays, and takes a number.
        let has = |name: &str| theirs.iter().any(|(_, theirs)| theirs == name);
        ours.retain(|(_, name)| has(name) || !name.ends_with("long values"));
        let same_numbers = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
        let names = |ids: &[(u32, String)]| -> Vec<String> {
            ids.iter().map(|(_, name)| name.clone()).collect()
        };
        assert_eq!(names(&ours), names(&theirs), "{}", case.display());
        all_numbers += usize::from(same_numbers == theirs.len());
        compared += 1;
    }
    assert!(
        compared >= 12 && all_numbers >= 9,
        "{all_numbers} of {compared}"
    );
}
