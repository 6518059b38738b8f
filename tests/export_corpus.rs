//! The content of real databases against what the engine itself says that they hold. The files are
//! not part of the project: `EXUTIL_CORPUS` names the directory.

use std::collections::HashSet;
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
    /// The engine broke off; ours has every line that it has, and more.
    more: Vec<String>,
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

fn databases_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_database = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        let other = [
            "chk", "log", "jrs", "jfm", "jtx", "jcp", "stm", "pat", "env",
        ];
        path.is_file() && !other.iter().any(|it| extension == *it)
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
    if wanted == got {
        tally.equal.push(label.to_owned());
        return;
    }
    // The engine's dump ends where it met damage; ours goes on, and lacks nothing that it has.
    let lacking = lacking(&wanted, &got);
    if lacking.is_empty() && is_damaged(label) {
        tally.more.push(label.to_owned());
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

/// Lines of the expectation that ours has not, but for counts, and for what the engine says of its
/// own failure to read on.
fn lacking<'w>(wanted: &[&'w str], got: &[&str]) -> Vec<&'w str> {
    let have: HashSet<&str> = got.iter().copied().collect();
    let is_there = |line: &str| {
        let word = line.trim_start().split(' ').next().unwrap_or_default();
        let unreadable = |(start, _): (&str, &str)| {
            let ours = format!("{start} UNREADABLE");
            got.iter().any(|line| line.starts_with(&ours))
        };
        matches!(word, "SCAN" | "ROWS" | "INDEX")
            || have.contains(line)
            || line.split_once(" ERR ").is_some_and(unreadable)
    };
    let mut lines = wanted.to_vec();
    lines.retain(|line| !is_there(line));
    lines
}

/// Physical and logical damage was done on purpose to the cases of these names.
fn is_damaged(case: &str) -> bool {
    case.starts_with("engine/c-") || case.starts_with("engine/l-")
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
        let databases = databases_in(&folder);
        let case = text
            .strip_prefix(&corpus)
            .unwrap_or(&text)
            .display()
            .to_string();
        // Where a case has several databases, the text does not say which it is about.
        let wanted = lines(&expected);
        let is_equal =
            |path: &&PathBuf| content_of(path).is_ok_and(|(text, ..)| lines(&text) == wanted);
        if let Some(path) = databases.iter().find(is_equal).or(databases.first()) {
            compare(&expected, path, &case, &mut tally);
        }
    }
    for different in &tally.different {
        println!("DIFFERENT {different}");
    }
    for more in &tally.more {
        println!("MORE {more}");
    }
    println!(
        "{} equal, {} more than the engine could read, {} refused by the engine, {} different; {} rows",
        tally.equal.len(),
        tally.more.len(),
        tally.refused,
        tally.different.len(),
        tally.rows
    );
    assert!(tally.different.is_empty());
}
