//! Repair against what the engine's own repair left of the same damaged databases. The files are not part of the
//! project: `EXUTIL_CORPUS` names the directory.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::content::content_of;
use common::{line, needs};
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::format::dbheader::DbState;

/// Records by table, with their values.
type Records = std::collections::BTreeMap<(String, String), Vec<String>>;

fn records(text: &str) -> Records {
    let mut found = Records::new();
    let (mut table, mut at) = (String::new(), None);
    for line in text.lines().map(str::trim_end) {
        if let Some(name) = line.strip_prefix("TABLE ") {
            (table, at) = (name.to_owned(), None);
        } else if let Some(bookmark) = line.trim_start().strip_prefix("ROW bm=") {
            at = Some((table.clone(), bookmark.to_owned()));
            found
                .entry((table.clone(), bookmark.to_owned()))
                .or_default();
        } else if line.starts_with("    ") {
            if let Some(values) = at.as_ref().and_then(|key| found.get_mut(key)) {
                values.push(line.to_owned());
            }
        } else {
            at = None;
        }
    }
    found
}

/// Values that differ for a reason: ours is the newer version of the record.
const OTHER_VALUES: [(&str, &str, &str); 1] = [("r-nologs", "full", "7f80000001")];

/// The number that the engine's repair ends with.
fn verdict(path: &Path) -> Option<i64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with("Operation "))?;
    let number = |line: &str| line.split(' ').next()?.parse().ok();
    match line.split_once(" with ").or(line.split_once(" error ")) {
        Some((_, rest)) => number(rest.trim_start_matches("error ")),
        None => Some(0),
    }
}

fn case(corpus: &Path, name: &str, expected: &str) -> Result<String, String> {
    let case = corpus.join("engine").join(name);
    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(case.join("pre")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    let words = "p test.edb /o --format=json";
    let run = line(dir.path(), words).one_json();
    let theirs = records(&std::fs::read_to_string(case.join(expected)).unwrap());
    let code = run["jet"]["code"].as_i64().unwrap();
    if let Some(verdict) = verdict(&case.join("p.txt"))
        && verdict != code
    {
        return Err(format!("ends with {code}, the engine with {verdict}"));
    }
    if code < 0 {
        // Where the engine gave up as well nothing can be compared.
        return match theirs.len() {
            0 => Ok(format!("refused with {code}, as the engine")),
            count => Err(format!("{code}, the engine kept {count} records: {run}")),
        };
    }
    if theirs.is_empty() {
        return Err("nothing to compare with".to_owned());
    }
    let again = line(dir.path(), words).one_json();
    if again["jet"]["code"] != 0 || again["result"]["outcome"] != "sound" {
        return Err(format!("the second run: {}", again["jet"]));
    }
    let ours = records(&content_of(&dir.path().join("test.edb")));
    let lacking: Vec<_> = theirs
        .keys()
        .filter(|key| !ours.contains_key(*key))
        .collect();
    if !lacking.is_empty() {
        return Err(format!(
            "{} lacking: {:?}",
            lacking.len(),
            &lacking[..lacking.len().min(4)]
        ));
    }
    let is_known = |(table, bookmark): &(String, String)| {
        OTHER_VALUES.contains(&(name, &**table, &**bookmark))
    };
    let differing: BTreeSet<_> = theirs
        .iter()
        .filter(|(key, values)| ours[*key] != **values && !is_known(key))
        .map(|(key, values)| format!("{key:?}: {values:?} {:?}", ours[key]))
        .collect();
    if let Some(first) = differing.first() {
        return Err(format!("{} differ: {first}", differing.len()));
    }
    Ok(format!(
        "{code}, {} records more",
        ours.len() - theirs.len()
    ))
}

#[test]
fn nothing_is_lost_that_the_engine_keeps() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut names: Vec<String> = std::fs::read_dir(corpus.join("engine"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("c-") || name.starts_with("l-"))
        .collect();
    names.sort();
    assert!(names.len() > 40, "{names:?}");
    let mut cases: Vec<_> = names
        .iter()
        .map(|name| (&**name, "post-p-content.txt"))
        .collect();
    cases.push(("r-nologs", "post-r2-content.txt"));
    let (mut failed, mut repaired) = (Vec::new(), 0);
    for (name, expected) in cases {
        match case(&corpus, name, expected) {
            Ok(what) => {
                println!("{name}: {what}");
                repaired += usize::from(what.starts_with("595"));
            }
            Err(what) => failed.push(format!(
                "{name}: {}",
                &what[..what.floor_char_boundary(600)]
            )),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(repaired > 25, "{repaired}");
}

/// Real databases that were never shut down: repaired into another file, in which nothing is found.
#[test]
fn dirty_real_databases_become_sound() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut count = 0;
    for case in std::fs::read_dir(corpus.join("real")).unwrap() {
        let pre = case.unwrap().path().join("pre");
        for file in std::fs::read_dir(&pre).into_iter().flatten() {
            let path = file.unwrap().path();
            let is_dirty = Database::open(&path, None)
                .is_ok_and(|db| db.header().db_state() == DbState::DirtyShutdown);
            if !is_dirty {
                continue;
            }
            let name = path.display().to_string();
            let dir = tempfile::tempdir().unwrap();
            let run = line(dir.path(), &format!("p {name} /o --to new.edb"));
            assert_eq!(run.status, 1, "{run:?}");
            let check = line(dir.path(), "g new.edb");
            assert_eq!(check.status, 0, "{name}: {check:?}");
            count += 1;
        }
    }
    println!("{count} repaired");
    assert!(count > 3, "{count}");
}

/// The database of an Active Directory is repaired only into another file.
#[test]
fn a_directory_is_refused() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(corpus.join("real/adamntds-2008/pre/adamntds.dit")).unwrap();
    damage(&mut bytes, Damage::UnsortedKeys, 3).unwrap();
    let path = dir.path().join("ntds.dit");
    std::fs::write(&path, &bytes).unwrap();
    let run = line(dir.path(), "p ntds.dit /o --format=json");
    assert_eq!(run.status, 4, "{run:?}");
    assert_eq!(run.one_json()["jet"]["code"], -1224);
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let run = line(dir.path(), "p ntds.dit /o --to new.dit");
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(line(dir.path(), "g new.dit").status, 0);
    assert!(std::fs::read(&path).unwrap() == bytes);
}
