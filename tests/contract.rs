//! What holds for every mode, those to come included: help, usage errors, missing files, files of
//! another kind, JSON.

mod common;

use common::{exutil, make, testdata};
use exutil::cli::spec::MODES;

/// Modes that print one JSON document a file. `export` prints rows instead, with formats of its own,
/// and tells of errors on standard error; `m` without a page is `mh`; `sweep` prints one for each file it finds.
fn document_modes() -> impl Iterator<Item = &'static exutil::cli::spec::ModeSpec> {
    MODES
        .iter()
        .filter(|mode| !matches!(mode.name, "export" | "m" | "sweep"))
}

/// True for modes that take a database.
fn takes_database(mode: &str) -> bool {
    matches!(
        mode,
        "mh" | "m" | "mm" | "ms" | "k" | "g" | "export" | "p" | "d" | "isinteg"
    )
}

/// The command line of a mode over files, with what keeps it from asking.
fn words<'w>(mode: &'w str, rest: &[&'w str]) -> Vec<&'w str> {
    let mut words = vec![mode];
    words.extend(rest);
    if mode == "p" {
        words.push("--dry-run");
    }
    // The sample is a database, but no store that could pass.
    if mode == "isinteg" {
        words.push("--test=structure");
    }
    words
}

#[test]
fn help_has_an_example_and_the_exit_status() {
    for mode in MODES {
        let name = mode.name;
        let slash = format!("/{name}");
        for words in [[name, "--help"], [name, "/?"], [&slash, "/?"]] {
            let run = exutil(&testdata(), &words);
            assert_eq!(run.status, 0, "{run:?}");
            for part in [
                "EXAMPLE:",
                &format!("exutil {name} "),
                "EXIT STATUS:",
                "Usage: exutil",
            ] {
                assert!(run.stdout.contains(part), "{part} {run:?}");
            }
        }
    }
    for words in ["--help", "/?", "-?", "help"] {
        let run = exutil(&testdata(), &[words]);
        assert_eq!(run.status, 0, "{run:?}");
        for mode in MODES {
            assert!(run.stdout.contains(mode.about), "{run:?}");
        }
    }
}

#[test]
fn usage_errors_are_16() {
    let mut wrong = vec![
        vec![],
        vec!["/x"],
        vec!["priv1.edb"],
        vec!["--nonsense"],
        vec!["completions"],
        vec!["completions", "tcsh"],
    ];
    for mode in MODES {
        // In brackets: the current folder stands for what is not named.
        if !mode.files.starts_with('[') {
            wrong.push(vec![mode.name]);
        }
        wrong.push(vec![mode.name, "priv1.edb", "--nonsense"]);
        wrong.push(vec![mode.name, "priv1.edb", "/q"]);
        wrong.push(vec![mode.name, "priv1.edb", "--format=xml"]);
        wrong.push(vec![mode.name, "priv1.edb", "--threads=0"]);
    }
    for words in wrong {
        let run = exutil(&testdata(), &words);
        assert_eq!(run.status, 16, "{run:?}");
        assert!(!run.output().is_empty(), "{words:?}");
    }
}

#[test]
fn a_missing_file_is_8_and_named() {
    for mode in MODES {
        let text = exutil(&testdata(), &words(mode.name, &["gone.file"]));
        assert_eq!(text.status, 8, "{text:?}");
        assert!(text.output().contains("gone.file"), "{text:?}");
        assert!(text.output().contains("-1811"), "{text:?}");
    }
    for mode in document_modes() {
        let text = exutil(&testdata(), &words(mode.name, &["gone.file"]));
        assert!(
            text.stdout.contains("-1811 (JET_errFileNotFound"),
            "{text:?}"
        );
        let json = exutil(
            &testdata(),
            &words(mode.name, &["gone.file", "--format=json"]),
        )
        .one_json();
        assert_eq!(
            (json["status"].as_i64(), json["jet"]["code"].as_i64()),
            (Some(8), Some(-1811))
        );
        assert!(json["error"].as_str().unwrap().contains("gone.file"));
    }
}

/// A folder with one sound file of each kind, and the mode that dumps it.
fn one_of_each() -> (tempfile::TempDir, [(&'static str, &'static str); 4]) {
    let dir = common::folder_with(&["priv1.edb"]);
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("E00.log", make::log(1, 0).0);
    write("E00.chk", make::checkpoint());
    write("priv1.jfm", make::flush_map(1));
    let files = [
        ("priv1.edb", "mh"),
        ("E00.log", "ml"),
        ("E00.chk", "mk"),
        ("priv1.jfm", "mp"),
    ];
    (dir, files)
}

#[test]
fn another_kind_of_file_points_to_its_mode() {
    let (dir, files) = one_of_each();
    // y copies whatever it is; sweep and advise tell what it is; undo looks for what tells of it.
    let any = ["y", "sweep", "advise", "undo"];
    for mode in MODES.iter().filter(|mode| !any.contains(&mode.name)) {
        for (file, own) in files {
            let run = exutil(dir.path(), &words(mode.name, &[file]));
            let database = own == "mh" && takes_database(mode.name);
            if mode.name == own || mode.name == "k" || database {
                assert_eq!(run.status, 0, "{run:?}");
                continue;
            }
            assert_eq!(run.status, 8, "{run:?}");
            assert!(
                run.output().contains(&format!("use 'exutil {own}'")),
                "{run:?}"
            );
            if !document_modes().any(|other| other.name == mode.name) {
                continue;
            }
            let json = exutil(dir.path(), &words(mode.name, &[file, "--format=json"])).one_json();
            assert_eq!(json["jet"]["code"], -1812, "{json}");
        }
    }
}

#[test]
fn json_has_its_envelope() {
    let (dir, files) = one_of_each();
    let others = [("gone.edb", ""), ("E01", "")];
    for mode in document_modes() {
        for (file, _) in files.into_iter().chain(others) {
            let run = exutil(dir.path(), &words(mode.name, &[file, "--format=json"]));
            let json = run.one_json();
            assert_eq!(json["schema"], "exutil/1");
            assert_eq!(json["mode"], mode.name);
            assert_eq!(json["file"], file);
            assert_eq!(json["status"].as_i64(), Some(run.status.into()));
            for part in ["code", "name", "text"] {
                assert!(!json["jet"][part].is_null(), "{json}");
            }
            assert!(json["findings"].is_array(), "{json}");
            assert!(json.get("result").is_some(), "{json}");
            assert_eq!(
                json["result"].is_null() && run.status != 0,
                json.get("error").is_some()
            );
            assert!(run.stderr.is_empty(), "{run:?}");
        }
    }
}

#[test]
fn the_worst_of_several_files_and_the_first_error() {
    let (dir, _) = one_of_each();
    for mode in document_modes() {
        let run = exutil(
            dir.path(),
            &words(mode.name, &["gone.1", "gone.2", "--format=json"]),
        );
        assert_eq!((run.status, run.json().len()), (8, 2), "{run:?}");
    }
}

#[test]
fn quiet_without_the_banner_and_versioned() {
    for mode in MODES {
        let run = exutil(&testdata(), &[mode.name, "/o", "gone.file"]);
        assert!(!run.stdout.contains("offline utilities"), "{run:?}");
    }
    let run = exutil(&testdata(), &["-V"]);
    let version = format!("exutil {}", env!("CARGO_PKG_VERSION"));
    assert_eq!((run.status, run.stdout.trim_end()), (0, &*version));
}

#[test]
fn the_long_version_tells_the_formats() {
    let run = exutil(&testdata(), &["--version"]);
    assert_eq!(run.status, 0, "{run:?}");
    let mut lines = run.stdout.lines();
    assert_eq!(
        lines.next(),
        Some(&*format!("exutil {}", env!("CARGO_PKG_VERSION")))
    );
    for fact in [
        "0x620",
        "revisions 9 ",
        "to 290 ",
        "2, 4, 8, 16 and 32 KiB",
        "XOR",
        "ECC",
        "7.3704",
        "8.4000.130.280",
    ] {
        assert!(run.stdout.contains(fact), "{fact}: {run:?}");
    }
    for line in run.stdout.lines() {
        assert!(line.len() <= 80, "{line}");
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn completions_know_every_mode() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = exutil(&testdata(), &["completions", shell]);
        assert_eq!(run.status, 0, "{run:?}");
        for mode in MODES {
            let known = |line: &str| {
                line.split(|c: char| !c.is_alphanumeric())
                    .any(|w| w == mode.name)
            };
            assert!(run.stdout.lines().any(known), "{shell}: {}", mode.name);
        }
        assert!(run.stdout.contains("page-size"), "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn an_early_end_of_the_pipe_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_exutil"))
        .args(["mh", "priv1.edb"])
        .current_dir(testdata())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

/// Every name of a field in a value, at any depth, but for those of a database header: its fields are
/// listed where its offsets are.
fn fields(value: &serde_json::Value, into: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                into.insert(name.clone());
                if name != "header" || value.get("magic").is_none() {
                    fields(value, into);
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| fields(value, into)),
        _ => {}
    }
}

#[test]
fn json_fields_are_documented() {
    let text = std::fs::read_to_string(common::root().join("docs/json.md")).unwrap();
    let (dir, files) = one_of_each();
    let stream = tempfile::tempdir().unwrap();
    make::write_stream(stream.path(), 1..=4);
    std::fs::remove_file(stream.path().join("E0000000002.log")).unwrap();
    let mut runs: Vec<_> = files
        .iter()
        .flat_map(|(file, mode)| [(*mode, *file), ("k", *file), ("mh", "gone")])
        .map(|(mode, file)| exutil(dir.path(), &[mode, file, "--format=json"]))
        .collect();
    runs.push(exutil(stream.path(), &["ml", "E00", "--format=json"]));
    runs.push(exutil(&testdata(), &["mh", "dirty.edb", "--format=json"]));
    runs.push(exutil(&testdata(), &["g", "priv1.edb", "--format=json"]));
    let copy = [
        "y",
        "priv1.edb",
        "/d",
        "copy.edb",
        "--verify",
        "--format=json",
    ];
    runs.push(exutil(dir.path(), &copy));
    let mut names = std::collections::BTreeSet::new();
    for run in runs {
        fields(&run.one_json(), &mut names);
    }
    assert!(names.len() > 60, "{names:?}");
    let undocumented: Vec<_> = names
        .iter()
        .filter(|name| {
            !text.contains(&format!("`{name}`")) && !text.contains(&format!("\"{name}\""))
        })
        .collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
}

#[test]
fn json_examples_are_json() {
    let text = std::fs::read_to_string(common::root().join("docs/json.md")).unwrap();
    let examples: Vec<_> = text.split("```json\n").skip(1).collect();
    assert!(examples.len() >= 6);
    for example in examples {
        let example = example.split("\n```").next().unwrap();
        // Some are fields without the braces around them.
        let whole = if example.starts_with('{') {
            example.to_owned()
        } else {
            format!("{{{example}}}")
        };
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&whole);
        assert!(parsed.is_ok(), "{parsed:?}: {whole}");
    }
}
