//! The house rules: which room uses which, who touches the file system, how large a file may be, and
//! that what is generated or listed in documents is current.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::root;
use exutil::cli::{docs, spec::MODES};
use exutil::problem::Problem;

/// Each room (a folder or file of `src`) and the rooms that it uses; ARCHITECTURE.md draws the same.
/// A room missing here fails the test.
const ROOMS: &[(&str, &[&str])] = &[
    ("format", &[]),
    ("jet", &[]),
    ("progress", &[]),
    ("problem", &["format", "jet"]),
    ("error", &["format", "jet"]),
    ("storage", &["error", "format", "jet"]),
    // Walks need pages by number, the catalog needs walks: one floor in two folders.
    ("tree", &["db", "format"]),
    ("db", &["error", "format", "jet", "storage", "tree"]),
    ("log", &["error", "format", "jet", "storage"]),
    ("undo", &["error", "format", "progress", "storage"]),
    (
        "recover",
        &["error", "format", "jet", "log", "progress", "storage"],
    ),
    ("build", &["db", "format", "log", "tree"]),
    ("digest", &["db", "format"]),
    (
        "rebuild",
        &["db", "format", "jet", "progress", "storage", "tree"],
    ),
    (
        "check",
        &[
            "db", "digest", "format", "problem", "progress", "storage", "tree",
        ],
    ),
    ("compact", &["db", "digest", "format", "jet", "rebuild"]),
    ("salvage", &["db", "format", "progress", "storage", "tree"]),
    ("sorting", &["storage"]),
    (
        "repair",
        &[
            "build", "check", "db", "format", "jet", "problem", "progress", "rebuild", "salvage",
            "sorting", "storage", "tree",
        ],
    ),
    ("damage", &["db", "format", "problem", "storage"]),
    (
        "store",
        &["db", "format", "progress", "repair", "sorting", "tree"],
    ),
    (
        "ops",
        &[
            "check", "compact", "db", "error", "format", "jet", "log", "problem", "progress",
            "rebuild", "recover", "repair", "salvage", "storage", "store", "tree", "undo",
        ],
    ),
    (
        "cli",
        &[
            "check", "db", "error", "format", "jet", "log", "ops", "problem", "progress", "repair",
            "salvage", "storage", "store",
        ],
    ),
];

/// The only files that may name `std::fs`, and why.
const FILE_SYSTEM: &[(&str, &str)] = &[
    ("src/cli/docs.rs", "writes man pages"),
    (
        "src/cli/modes/export_files.rs",
        "creates the files of an export",
    ),
    (
        "src/cli/modes/integrity.rs",
        "writes the report where asked",
    ),
    ("src/cli/modes/isinteg.rs", "reads a profile of the user's"),
    ("src/cli/modes/isinteg_log.rs", "writes the log where asked"),
    ("src/cli/modes/log_csv.rs", "creates the file of ml --csv"),
    ("src/log/names.rs", "lists a folder of logs"),
    (
        "src/ops/logs/mod.rs",
        "looks for the checkpoint beside a log",
    ),
    (
        "src/ops/space_dump/mod.rs",
        "asks for the size of the file on disk",
    ),
    ("src/ops/sweep/state.rs", "keeps the state of a sweep"),
    ("src/ops/sweep/walk.rs", "asks on which device a file lies"),
    ("src/storage/file.rs", "opens files"),
];

/// Lines that a file of `src` may have.
const LINES_AT_MOST: usize = 600;

/// Every Rust file of the library, with its text.
fn sources() -> BTreeMap<String, String> {
    fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    assert!(files.len() > 50, "sources are not where they were");
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        (
            name.replace('\\', "/"),
            std::fs::read_to_string(&path).unwrap(),
        )
    };
    files.into_iter().map(named).collect()
}

/// Lines of code: no comments, and nothing behind the tests of a file.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
}

/// The room of a file.
fn room(file: &str) -> &str {
    let rest = file.strip_prefix("src/").unwrap();
    rest.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Every `crate::room` in a line, braces at the top included.
fn used(line: &str) -> Vec<String> {
    let identifier = |text: &str| -> String {
        let end = |c: char| !(c.is_alphanumeric() || c == '_');
        text.trim_start()
            .split(end)
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    line.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split(',').map(identifier).collect(),
            None => vec![identifier(rest)],
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn rooms_use_only_what_they_may() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let from = room(&file);
        if ["lib", "main"].contains(&from) || file.ends_with("/tests.rs") {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == from) else {
            wrong.push(format!("{file}: the room {from} is not in the list"));
            continue;
        };
        for line in code(&text) {
            for to in used(line).into_iter().filter(|to| to != from) {
                if !allowed.contains(&to.as_str()) {
                    wrong.push(format!("{file}: {from} must not use {to}"));
                }
                seen.entry(from.to_owned()).or_default().insert(to);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The list says what is, not what might be.
    for (room, allowed) in ROOMS {
        let seen = seen.remove(*room).unwrap_or_default();
        let allowed: BTreeSet<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(seen, allowed, "what {room} uses");
    }
}

#[test]
fn imports_are_found_in_every_form() {
    assert_eq!(used("use crate::format::ids::Pgno;"), ["format"]);
    assert_eq!(used("use crate::{error::Error, jet};"), ["error", "jet"]);
    assert_eq!(
        used("    let x = crate::ops::f(crate::jet::y);"),
        ["ops", "jet"]
    );
    assert!(used("use super::ids::Pgno;").is_empty());
}

#[test]
fn few_files_touch_the_file_system() {
    let sources = sources();
    let touches =
        |text: &str| code(text).any(|line| line.contains("std::fs") || line.contains("fs::"));
    let found: BTreeSet<&str> = sources
        .iter()
        .filter(|(_, text)| touches(text))
        .map(|(file, _)| file.as_str())
        .collect();
    let allowed: BTreeSet<&str> = FILE_SYSTEM.iter().map(|(file, _)| *file).collect();
    assert_eq!(found, allowed);
}

#[test]
fn only_the_command_line_prints() {
    for (file, text) in sources() {
        let prints = ["println!", "print!", "eprintln!", "eprint!"];
        for line in code(&text).filter(|_| room(&file) != "cli") {
            assert!(
                !prints.iter().any(|print| line.contains(print)),
                "{file}: {line}"
            );
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES_AT_MOST, "{file} has {lines} lines");
    }
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn architecture_names_every_folder() {
    let text = document("ARCHITECTURE.md");
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            assert!(text.contains(&format!("`{name}`")), "src/{name}");
        }
    }
    for (room, _) in ROOMS {
        assert!(text.contains(&format!("`{room}`")), "{room}");
    }
}

#[test]
fn man_pages_are_current() {
    let dir = root().join("man");
    let pages = docs::man_pages().unwrap();
    for page in &pages {
        let committed = std::fs::read(dir.join(&page.file_name)).unwrap_or_default();
        assert!(
            committed == page.content,
            "{} is old: cargo run --example man_pages -- man",
            page.file_name
        );
        let text = String::from_utf8(committed).unwrap();
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "SIGNALS",
            "ENVIRONMENT",
            "BUGS",
        ] {
            let [plain, quoted] = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            assert!(text.contains(&plain) || text.contains(&quoted), "{section}");
        }
    }
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), pages.len());
}

#[test]
fn problems_are_documented() {
    let text = document("docs/problems.md").replace("\r\n", "\n");
    assert!(
        text == docs::problem_table(),
        "docs/problems.md is old: cargo run --example problem_table > docs/problems.md"
    );
    for problem in Problem::ALL {
        assert!(text.contains(&format!("| {} |", problem.info().code)));
    }
}

#[test]
fn modes_are_documented() {
    for name in ["README.md", "docs/json.md", "CHANGELOG.md"] {
        let text = document(name);
        for mode in MODES {
            assert!(
                text.contains(&format!("`{}`", mode.name)),
                "{name}: {}",
                mode.name
            );
        }
    }
}

/// The examples of the README print what it shows (`tests/common/console.rs`).
#[test]
#[cfg(unix)]
fn readme_examples_are_real() {
    let text = document("README.md");
    let commands = common::console::walk("README.md", &text, root(), &[]);
    assert!(commands >= 10, "{commands}");
}
