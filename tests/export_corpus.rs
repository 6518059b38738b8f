//! The content of real databases against what the engine itself says that they hold. The files are
//! not part of the project: `EXUTIL_CORPUS` names the directory.

use std::fs;
use std::path::{Path, PathBuf};

use exutil::db::Database;
use exutil::ops::export::content::{Content, dump_table};
use exutil::ops::export::{Exporter, Loss, Summary, read_schema, select};

/// What a comparison came to.
#[derive(Default, Debug)]
struct Tally {
    /// The same content, line for line.
    equal: Vec<String>,
    /// The engine refused the database or broke off; ours still has every line that it has.
    broke_off: Vec<String>,
    /// Told apart.
    different: Vec<String>,
    /// No content in the expectation: the engine refused the database.
    refused: usize,
    rows: u64,
}

fn content_of(path: &Path) -> Result<(String, Summary, Vec<Loss>), String> {
    let db = Database::open(path, None).map_err(|error| error.to_string())?;
    let (schema, found) = read_schema(&db);
    let tables = select(&schema, &[], false)?;
    let mut exporter = Exporter::new(&db, false);
    let (mut out, mut losses) = (Vec::new(), found.clone());
    let mut content = Content::new(&mut out, |loss: &Loss| losses.push(loss.clone()));
    for table in tables {
        dump_table(&mut exporter, &schema, table, &mut content).expect("memory takes every text");
    }
    let summary = exporter.summary();
    drop(content);
    let text = String::from_utf8_lossy(&out).into_owned();
    Ok((text, summary, losses))
}

/// The lines of a dump that speak of content; what the driver says of itself is left out.
fn lines(text: &str) -> Vec<&str> {
    let is_content = |line: &&str| line.starts_with("TABLE ") || line.starts_with("  ");
    text.lines().filter(is_content).map(str::trim_end).collect()
}

fn database_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_database = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        ["edb", "dit", "sdb", "dat", "mdb"]
            .iter()
            .any(|it| extension == *it)
    };
    let mut found: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(is_database)
        .collect();
    found.sort();
    found
}

/// Stages with an expectation: its text and the folder that it is about.
fn stages(corpus: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for kind in ["engine", "real"] {
        for case in fs::read_dir(corpus.join(kind))
            .into_iter()
            .flatten()
            .flatten()
        {
            for entry in fs::read_dir(case.path()).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if let Some(stage) = name.strip_suffix("-content.txt") {
                    let folder = case.path().join(stage);
                    if folder.is_dir() {
                        found.push((entry.path(), folder));
                    }
                }
            }
        }
    }
    found.sort();
    found
}

fn compare(expected: &str, path: &Path, label: &str, tally: &mut Tally) {
    let wanted = lines(expected);
    if wanted.is_empty() {
        tally.refused += 1;
        return;
    }
    let (text, summary, losses) = match content_of(path) {
        Ok(found) => found,
        Err(error) => {
            tally.different.push(format!("{label}: {error}"));
            return;
        }
    };
    let got = lines(&text);
    tally.rows += summary.rows;
    // The engine's dump ends where it met damage; ours goes on.
    let broken = expected
        .lines()
        .any(|line| line.contains("ended err") || line.starts_with("ERR "));
    if broken {
        let have: std::collections::HashSet<&str> = got.iter().copied().collect();
        let lacking = wanted.iter().filter(|line| {
            let word = line.trim_start().split(' ').next().unwrap_or_default();
            !matches!(word, "SCAN" | "ROWS" | "INDEX") && !have.contains(**line)
        });
        match lacking.count() {
            0 => tally.broke_off.push(label.to_owned()),
            number => tally
                .different
                .push(format!("{label}: {number} lines lacking")),
        }
        return;
    }
    if wanted == got {
        tally.equal.push(label.to_owned());
        return;
    }
    let first = wanted
        .iter()
        .zip(&got)
        .position(|(one, other)| one != other);
    let at = first.unwrap_or(wanted.len().min(got.len()));
    tally.different.push(format!(
        "{label}: line {at}: expected {:?}, got {:?}; {} losses{}",
        wanted.get(at),
        got.get(at),
        losses.len(),
        losses
            .iter()
            .take(3)
            .map(|loss| format!("; {loss}"))
            .collect::<String>()
    ));
}

#[test]
fn content_equals_the_engines_own_dump() {
    let Some(corpus) = std::env::var_os("EXUTIL_CORPUS") else {
        println!("SKIPPED: EXUTIL_CORPUS is not set; nothing was compared with the engine's dumps");
        return;
    };
    let mut tally = Tally::default();
    for (text, folder) in stages(Path::new(&corpus)) {
        let expected = String::from_utf8_lossy(&fs::read(&text).expect("a text")).into_owned();
        let databases = database_in(&folder);
        let case = text
            .strip_prefix(&corpus)
            .unwrap_or(&text)
            .display()
            .to_string();
        match &databases[..] {
            [] => {}
            [one] => compare(&expected, one, &case, &mut tally),
            // The expectation is of the first database that the case is about.
            several => {
                let main = several.iter().find(|path| path.ends_with("test.edb"));
                compare(&expected, main.unwrap_or(&several[0]), &case, &mut tally);
            }
        }
    }
    for different in &tally.different {
        println!("DIFFERENT {different}");
    }
    println!(
        "{} equal, {} more than the engine could read, {} refused by the engine, {} different; {} rows",
        tally.equal.len(),
        tally.broke_off.len(),
        tally.refused,
        tally.different.len(),
        tally.rows
    );
    assert!(tally.different.is_empty());
}
