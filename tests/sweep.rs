//! `sweep` and `advise`: every file told by its content, groups and verdicts as the reference's own recovery came out, the
//! same lines for any number of workers, parts and runs, and nothing written where it looks.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use common::{exutil, folder_with, make, needs, testdata};

/// The lines of one kind of a sweep with JSON.
fn records<'v>(lines: &'v [Value], record: &'v str) -> impl Iterator<Item = &'v Value> {
    lines
        .iter()
        .filter(move |line| line["result"]["record"] == record)
}

fn sweep(dir: &Path, options: &[&str]) -> Vec<Value> {
    let words: Vec<&str> = ["sweep", "."].iter().chain(options).copied().collect();
    let mut words = words;
    words.push("--format=json");
    exutil(dir, &words).json()
}

/// Every file below a folder with its content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    files
}

/// A folder with one database of each page size, a dirty one, logs, a checkpoint, and things of no concern.
fn mixed() -> tempfile::TempDir {
    let dir = folder_with(&["priv1.edb", "mini-8k.edb", "dirty.edb"]);
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("logs")).unwrap();
    make::write_stream(&at("logs"), 1..=4);
    std::fs::write(at("logs/E00.chk"), make::checkpoint()).unwrap();
    std::fs::write(at("disguised.txt"), common::sample("mini-4k.edb")).unwrap();
    std::fs::write(at("notes.txt"), "nothing of ours").unwrap();
    std::fs::write(at("empty.edb"), "").unwrap();
    std::fs::write(at("zero.edb"), [0; 100_000]).unwrap();
    dir
}

#[test]
fn files_are_told_by_their_content() {
    let dir = mixed();
    let lines = sweep(dir.path(), &["--all"]);
    let kind = |name: &str| {
        let line = records(&lines, "file")
            .find(|line| line["file"] == name)
            .unwrap();
        line["result"]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind("priv1.edb"), "database");
    assert_eq!(kind("disguised.txt"), "database");
    assert_eq!(kind("logs/E0000000001.log"), "log");
    assert_eq!(kind("logs/E00.chk"), "checkpoint");
    assert_eq!(kind("notes.txt"), "other");
    assert_eq!(kind("empty.edb"), "empty");
    assert_eq!(kind("zero.edb"), "zeroed");
    // Without --all what is of no concern has no line, but is counted.
    let fewer = sweep(dir.path(), &[]);
    assert_eq!(
        records(&fewer, "file").count() + 1,
        records(&lines, "file").count()
    );
    let summary = records(&fewer, "summary").next().unwrap();
    assert_eq!(summary["result"]["counts"]["files"], 12);
    assert_eq!(summary["result"]["counts"]["kinds"]["other"], 1);
}

#[test]
fn the_lines_are_the_same_for_any_number_of_workers_and_parts() {
    let dir = mixed();
    let before = tree(dir.path());
    let out = tempfile::tempdir().unwrap();
    for depth in ["headers", "checksum", "integrity"] {
        let depth = format!("--depth={depth}");
        let words = |more: &[&str]| {
            let mut words = vec![
                "sweep".to_owned(),
                ".".to_owned(),
                depth.clone(),
                "--format=json".to_owned(),
            ];
            words.extend(more.iter().map(|word| (*word).to_owned()));
            words
        };
        let one = exutil(dir.path(), &words(&["--jobs=1"]));
        let four = exutil(dir.path(), &words(&["--jobs=4"]));
        assert_eq!(one.stdout, four.stdout);
        assert_eq!(one.status, 4, "{one:?}");
        // Three processes at the same time.
        let parts: Vec<PathBuf> = (1..=3)
            .map(|part| out.path().join(format!("{part}.jsonl")))
            .collect();
        let children: Vec<_> = parts
            .iter()
            .zip(1..)
            .map(|(path, part)| {
                Command::new(env!("CARGO_BIN_EXE_exutil"))
                    .args(words(&[&format!("--shard={part}/3")]))
                    .current_dir(dir.path())
                    .stdout(std::fs::File::create(path).unwrap())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().code().is_some());
        }
        let mut merge = vec!["sweep", "--merge", "--format=json"];
        merge.extend(parts.iter().map(|path| path.to_str().unwrap()));
        let merged = exutil(dir.path(), &merge);
        assert_eq!(merged.stdout, one.stdout);
        assert_eq!(merged.status, 4, "{merged:?}");
        // A part that is missing is no whole.
        let lacking = exutil(dir.path(), &merge[..5]);
        assert_eq!(lacking.status, 8, "{lacking:?}");
        assert!(
            lacking.stderr.contains("part 3 of 3 is missing"),
            "{lacking:?}"
        );
    }
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_part_that_was_cut_off_is_told() {
    let dir = mixed();
    let out = tempfile::tempdir().unwrap();
    let whole = exutil(dir.path(), &["sweep", ".", "--format=json"]);
    let path = out.path().join("cut.jsonl");
    std::fs::write(&path, &whole.stdout[..whole.stdout.len() / 2]).unwrap();
    let merged = exutil(dir.path(), &["sweep", "--merge", path.to_str().unwrap()]);
    assert_eq!(merged.status, 8, "{merged:?}");
    assert!(
        merged.stderr.contains("a line that is cut off"),
        "{merged:?}"
    );
    assert!(merged.stderr.contains("did not end"), "{merged:?}");
    let other = exutil(dir.path(), &["sweep", "--merge", "notes.txt"]);
    assert_eq!(other.status, 8, "{other:?}");
}

#[test]
fn a_state_spares_what_has_not_changed() {
    let dir = mixed();
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let option = format!("--state={}", state.display());
    let first = sweep(dir.path(), &[&option]);
    // What the state says is believed, so that one sees that it is read.
    let text = std::fs::read_to_string(&state).unwrap();
    let marked = text.replace(
        "\"path\":\"dirty.edb\",\"kind\":\"database\"",
        "\"path\":\"dirty.edb\",\"kind\":\"undo_file\"",
    );
    assert_ne!(text, marked);
    // The last line is cut off, as a run that was killed leaves it.
    std::fs::write(&state, &marked[..marked.len() - 20]).unwrap();
    let second = sweep(dir.path(), &[&option]);
    let kind = |lines: &[Value]| {
        let line = records(lines, "file")
            .find(|line| line["file"] == "dirty.edb")
            .cloned();
        line.unwrap()["result"]["kind"].clone()
    };
    assert_eq!(
        (kind(&first), kind(&second)),
        ("database".into(), "undo_file".into())
    );
    assert_eq!(
        records(&first, "file").count(),
        records(&second, "file").count()
    );
    // A file that was written since is looked at again.
    let path = dir.path().join("dirty.edb");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(10);
    std::fs::File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(sweep(dir.path(), &[&option]), first);
    // Nothing is written where files are swept, nor over what is no state.
    for wrong in ["--state=state", "--state=./logs/state"] {
        let run = exutil(dir.path(), &["sweep", ".", wrong]);
        assert_eq!(run.status, 8, "{run:?}");
        assert!(
            run.stdout.contains("below a folder that is swept"),
            "{run:?}"
        );
    }
    let precious = place.path().join("precious");
    std::fs::write(&precious, "mine").unwrap();
    let run = exutil(
        dir.path(),
        &["sweep", ".", &format!("--state={}", precious.display())],
    );
    assert_eq!(run.status, 8, "{run:?}");
    assert_eq!(std::fs::read(&precious).unwrap(), b"mine");
}

#[test]
fn wrong_words_are_refused() {
    for wrong in [
        &["--jobs=0"][..],
        &["--jobs=many"],
        &["--shard=0/3"],
        &["--shard=4/3"],
        &["--shard=1"],
        &["--depth=deep"],
        &["--merge", "--shard=1/2"],
    ] {
        let words: Vec<&str> = ["sweep", "."].iter().chain(wrong).copied().collect();
        let run = exutil(&testdata(), &words);
        assert_eq!(run.status, 16, "{run:?}");
    }
}

#[cfg(unix)]
#[test]
fn odd_things_on_a_disk_do_not_stop_it() {
    let dir = mixed();
    let at = |name: &str| dir.path().join(name);
    std::os::unix::fs::symlink("nowhere", at("dangling.edb")).unwrap();
    std::os::unix::fs::symlink(".", at("loop")).unwrap();
    std::os::unix::fs::symlink("priv1.edb", at("link.edb")).unwrap();
    let fifo = Command::new("mkfifo").arg(at("pipe.edb")).status();
    assert!(fifo.is_ok_and(|status| status.success()));
    let lines = sweep(dir.path(), &["--depth=integrity"]);
    let names: std::collections::BTreeSet<&str> = records(&lines, "file")
        .filter_map(|line| line["file"].as_str())
        .collect();
    assert!(
        names.contains("link.edb") && names.contains("priv1.edb"),
        "{names:?}"
    );
    assert!(names.contains("dangling.edb"), "{names:?}");
    assert!(!names.contains("pipe.edb"), "{names:?}");
    assert!(
        !names.iter().any(|name| name.starts_with("loop/")),
        "{names:?}"
    );
    let dangling = records(&lines, "file")
        .find(|line| line["file"] == "dangling.edb")
        .unwrap();
    assert_eq!(dangling["result"]["kind"], "unreadable");
    assert_eq!(dangling["jet"]["code"], -1811);
}

#[test]
fn text_and_table_name_groups_and_commands() {
    let dir = mixed();
    for format in ["eseutil", "table"] {
        let run = exutil(dir.path(), &["sweep", ".", &format!("--format={format}")]);
        assert_eq!(run.status, 4, "{run:?}");
        let text = run.output().replace(['\n', '│', '┆'], " ");
        assert!(text.contains("exutil p dirty.edb --dry-run"), "{text}");
        assert!(text.to_lowercase().contains("needs repair"), "{text}");
    }
    let clean = exutil(&testdata(), &["sweep", "priv1.edb"]);
    assert_eq!(clean.status, 0, "{clean:?}");
    assert!(clean.stdout.contains("exutil g priv1.edb"), "{clean:?}");
}

#[test]
fn advice_is_in_words() {
    let dir = folder_with(&["dirty.edb"]);
    let run = exutil(dir.path(), &["advise", "."]);
    assert_eq!(run.status, 4, "{run:?}");
    for part in [
        "What lies in .:",
        "Dirty Shutdown",
        "Missing:",
        "generations 3 to 5",
        "What to do:",
        "exutil p dirty.edb --dry-run",
        "Lost on this way:",
        "20 %",
        "110 %",
    ] {
        assert!(run.stdout.contains(part), "{part}: {run:?}");
    }
    let one = exutil(&testdata(), &["advise", "priv1.edb", "--format=json"]).one_json();
    assert_eq!(one["mode"], "advise");
    let empty = tempfile::tempdir().unwrap();
    let none = exutil(empty.path(), &["advise", "."]);
    assert_eq!(none.status, 0, "{none:?}");
    assert!(
        none.stdout.contains("No database, log or checkpoint"),
        "{none:?}"
    );
}

/// The file whose header the case's own text says was damaged: byte 100 of a log, or of a checkpoint or flush map.
fn damaged_in(case: &str) -> Option<String> {
    let line = case.lines().find(|line| line.contains("produced from"))?;
    let (_, rest) = line.split_once("bytes [100] of ")?;
    Some(rest.split(' ').next()?.to_owned())
}

/// What a file of the corpus is: by its name, but for what the text of its case says was done to it.
fn truth(text: &str, state: &str, name: &str, bytes: u64) -> &'static [&'static str] {
    let extension = name
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    let harmed = damaged_in(text).as_deref() == Some(name);
    let no_header = text.contains("byte 700 of both headers") || text.contains("to 1024 bytes");
    match extension.as_str() {
        _ if bytes == 0 => &["empty"],
        // What the reference refused to repair is as it was.
        "edb" if no_header => &["headless_database"],
        "edb" | "dit" | "mdb" | "ide" | "db" | "dat" | "xbim" => &["database"],
        "stm" => &["streaming_file"],
        // Logs stay as they are, the others are made anew by a recovery.
        "log" | "jtx" if harmed => &["damaged_log"],
        "jfm" if state == "pre" && text.contains("test.jfm changed") => &["damaged_flush_map"],
        "jfm" => &["flush_map"],
        "chk" | "jcp" if state == "pre" && text.contains("edb.chk changed") => {
            &["damaged_checkpoint"]
        }
        "chk" | "jcp" if state == "pre" && text.contains("overwritten with zeros") => &["zeroed"],
        "chk" | "jcp" => &["checkpoint"],
        // Made ready as the next log (of an older one that is used again), or kept for a full disk.
        "log" | "jtx" if stem.ends_with("tmp") => &["zeroed", "reserve_log", "log"],
        "log" if stem == "res1" || stem == "res2" => &["reserve_log"],
        "log" | "jtx" => &["log"],
        _ if name.starts_with("catdb") => &["database"],
        _ => &[],
    }
}

#[test]
fn every_file_of_the_corpus_is_named_rightly() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let first = exutil(
        &corpus,
        &["sweep", ".", "--all", "--depth=checksum", "--format=json"],
    );
    let again = exutil(
        &corpus,
        &[
            "sweep",
            ".",
            "--all",
            "--depth=checksum",
            "--format=json",
            "--jobs=3",
        ],
    );
    assert_eq!(first.stdout, again.stdout);
    let lines = first.json();
    let mut seen = 0;
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for line in records(&lines, "file") {
        let path = line["file"].as_str().unwrap();
        let parts: Vec<&str> = path.split('/').collect();
        let [kind_of_case, case, state, .., name] = parts[..] else {
            let kind = line["result"]["kind"].as_str().unwrap();
            assert!(["other", "empty"].contains(&kind), "{path}: {kind}");
            continue;
        };
        let bytes = line["result"]["bytes"].as_u64().unwrap();
        let text = texts.entry(case.to_owned()).or_insert_with(|| {
            let path = corpus.join(kind_of_case).join(case).join("CASE.md");
            std::fs::read_to_string(path).unwrap()
        });
        let kinds = truth(text, state, name, bytes);
        let kind = line["result"]["kind"].as_str().unwrap();
        if kinds.is_empty() {
            assert_eq!(kind, "other", "{path}");
        } else {
            assert!(kinds.contains(&kind), "{path}: {kind}");
            seen += 1;
        }
    }
    assert!(seen > 2000, "{seen}");
}

/// What the reference's recovery ended with.
fn exit_of(case: &Path, run: &str) -> Option<i32> {
    let text = std::fs::read(case.join(run)).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| line.starts_with("[exit code"))?;
    line.trim_end_matches(']')
        .rsplit([' ', ':'])
        .next()?
        .parse()
        .ok()
}

/// `recoverable` where `/r` succeeded, `recoverable_with_loss` where only `/r /a` did, `needs_repair` where neither.
#[test]
fn verdicts_are_what_the_reference_came_to() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut judged = 0;
    for kind in ["engine", "real"] {
        for entry in std::fs::read_dir(corpus.join(kind)).unwrap() {
            let case = entry.unwrap().path();
            let plain = exit_of(&case, "r.txt").or_else(|| exit_of(&case, "r1.txt"));
            let Some(plain) = plain.filter(|_| case.join("pre").is_dir()) else {
                continue;
            };
            // The second run of some cases is a repair.
            let second = std::fs::read_to_string(case.join("r2.txt")).unwrap_or_default();
            let lossy = exit_of(&case, "r2.txt").filter(|_| second.contains("eseutil /r "));
            let lossy = lossy.unwrap_or(plain);
            let lines = sweep(&case.join("pre"), &["--depth=checksum"]);
            let groups: Vec<&Value> = records(&lines, "group").collect();
            let worst = groups
                .iter()
                .filter(|group| group["result"]["kind"] == "storage_group")
                .map(|group| group["result"]["verdict"].as_str().unwrap());
            for verdict in worst {
                let fits = match verdict {
                    // Recovery has nothing to do, or refuses logs that the database does not need.
                    "clean" => says_clean(&case),
                    "recoverable" => plain >= 0 || needs_a_replay(&case),
                    "recoverable_with_loss" => plain < 0 && lossy >= 0,
                    "needs_repair" => plain < 0 && lossy < 0,
                    _ => false,
                };
                assert!(
                    fits,
                    "{}: {verdict}, reference {plain} and {lossy}",
                    case.display()
                );
                judged += 1;
            }
        }
    }
    assert!(judged > 60, "{judged}");
}

/// What the reference says of every database of the case as it was found.
fn says_clean(case: &Path) -> bool {
    let text = std::fs::read(case.join("pre-mh.txt")).unwrap();
    let text = String::from_utf8_lossy(&text);
    let mut states = text
        .lines()
        .filter(|line| line.trim_start().starts_with("State:"));
    states.clone().count() > 0 && states.all(|state| state.contains("Clean Shutdown"))
}

/// What is wrong here is seen only when the logs are replayed: their headers and checksums are right.
fn needs_a_replay(case: &Path) -> bool {
    case.ends_with("r-torn-tail-req")
}

/// The commands of a sweep are run as they stand, in a folder with a blank in its name.
#[cfg(unix)]
#[test]
fn the_next_command_does_what_it_says() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_exutil")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for (case, from, expected) in [
        ("crash-noflush-4k", "pre", "recoverable"),
        ("crash-2dbs", "pre", "recoverable"),
        ("r-lossy-nolast", "pre", "recoverable_with_loss"),
        ("c-bad-leaf", "pre", "needs_repair"),
        ("c-hdr-both", "pre", "needs_repair"),
        ("backup-full", "pre/bk/new", "recoverable"),
    ] {
        let dir = root.path().join(format!("First Storage Group {case}"));
        std::fs::create_dir(&dir).unwrap();
        for entry in std::fs::read_dir(corpus.join("engine").join(case).join(from)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
        let name = dir.file_name().unwrap().to_str().unwrap();
        let of_group = || {
            let words = ["sweep", name, "--depth=checksum", "--format=json"];
            let lines = exutil(root.path(), &words).json();
            let groups: Vec<Value> = records(&lines, "group").cloned().collect();
            assert_eq!(groups.len(), 1, "{case}: {groups:?}");
            groups[0]["result"].clone()
        };
        let group = of_group();
        assert_eq!(group["verdict"], expected, "{case}");
        for command in group["next"].as_array().unwrap() {
            let command = command.as_str().unwrap();
            // What needs a yes gets one; the tests of stores are not for these databases.
            let command = match command.split(' ').nth(1) {
                Some("isinteg") => continue,
                Some("p") if !command.ends_with("--dry-run") => format!("{command} --yes"),
                _ => command.to_owned(),
            };
            let output = Command::new("sh")
                .args(["-c", &command])
                .env("PATH", &path)
                .current_dir(root.path())
                .output()
                .unwrap();
            let status = output.status.code().unwrap();
            // What only tells of damage ends with 4.
            let most = if command.contains(" p ") && command.ends_with("--dry-run") {
                4
            } else {
                1
            };
            assert!(status <= most, "{case}: {command}: {output:?}");
        }
        assert_eq!(of_group()["verdict"], "clean", "{case}");
    }
}

#[test]
fn advice_is_proved_in_memory() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for (case, way, mode, code) in [
        ("crash-noflush-4k/pre", "recover", "r", 0),
        ("r-lossy-nolast/pre", "recover_with_loss", "r", 585),
        ("backup-full/pre/bk", "restore", "cc", 0),
        ("c-bad-leaf/pre", "repair", "p", -1206),
        // Only the replay sees it.
        ("r-torn-tail-req/pre", "recover", "r", -344),
    ] {
        let dir = corpus.join("engine").join(case);
        let before = tree(&dir);
        let words = [
            "advise",
            ".",
            "--prove",
            "--depth=checksum",
            "--format=json",
        ];
        let advice = exutil(&dir, &words).one_json();
        let group = &advice["result"]["groups"][0];
        assert_eq!(group["way"], way, "{case}");
        assert_eq!(group["proof"]["mode"], mode, "{case}");
        assert_eq!(
            group["proof"]["jet"]["code"], code,
            "{case}: {}",
            group["proof"]
        );
        assert_eq!(tree(&dir), before, "{case}");
    }
}

/// Logs on one disk, databases on two others, a log that is missing in one place and lies in another.
#[test]
fn what_lies_apart_is_brought_together() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let pre = corpus.join("engine/crash-noflush-4k/pre");
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for folder in ["logs", "data", "old"] {
        std::fs::create_dir(at(folder)).unwrap();
    }
    for entry in std::fs::read_dir(&pre).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let folder = if name.starts_with("test") {
            "data"
        } else {
            "logs"
        };
        std::fs::copy(entry.path(), at(folder).join(name)).unwrap();
    }
    let group = |lines: &[Value]| {
        let groups: Vec<Value> = records(lines, "group").cloned().collect();
        groups
            .iter()
            .find(|group| group["result"]["kind"] == "storage_group")
            .unwrap()["result"]
            .clone()
    };
    let together = group(&sweep(dir.path(), &[]));
    assert_eq!(together["verdict"], "recoverable", "{together}");
    let next = together["next"][0].as_str().unwrap();
    for part in ["--log-path logs", "--system-path logs", "--databases=data"] {
        assert!(next.contains(part), "{next}");
    }
    std::fs::rename(at("logs/edb00000004.log"), at("old/edb00000004.log")).unwrap();
    let lacking = group(&sweep(dir.path(), &[]));
    assert_eq!(lacking["verdict"], "needs_repair", "{lacking}");
    assert_eq!(
        lacking["logs"]["missing"][0], "edb00000004.log",
        "{lacking}"
    );
    assert_eq!(
        lacking["elsewhere"][0]["path"], "old/edb00000004.log",
        "{lacking}"
    );
    // A copy of it beside the others, and recovery is the way again.
    let next = lacking["next"].as_array().unwrap();
    let runs: Vec<_> = next
        .iter()
        .map(|command| {
            let words: Vec<&str> = command.as_str().unwrap().split(' ').skip(1).collect();
            exutil(dir.path(), &words)
        })
        .collect();
    assert_eq!(runs.len(), 2, "{next:?}");
    assert_eq!(runs[0].status, 0, "{runs:?}");
    assert!(runs[1].stdout.contains("exutil r edb "), "{runs:?}");
    let again = group(&sweep(dir.path(), &[]));
    assert_eq!(again["verdict"], "recoverable", "{again}");
}

/// One database of two has lost its headers: the other is recovered first, then this one is repaired.
#[test]
fn recovery_comes_before_the_repair_of_another_database() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut databases = Vec::new();
    for entry in std::fs::read_dir(corpus.join("engine/crash-2dbs/pre")).unwrap() {
        let entry = entry.unwrap();
        let path = dir.path().join(entry.file_name());
        std::fs::copy(entry.path(), &path).unwrap();
        if path.extension().is_some_and(|extension| extension == "edb") {
            databases.push(path);
        }
    }
    databases.sort();
    assert_eq!(databases.len(), 2);
    let mut bytes = std::fs::read(&databases[0]).unwrap();
    bytes[..2 * 4096].fill(0);
    std::fs::write(&databases[0], bytes).unwrap();
    let lines = sweep(dir.path(), &[]);
    let groups: Vec<&Value> = records(&lines, "group").collect();
    assert_eq!(groups.len(), 1, "{groups:?}");
    let next: Vec<&str> = groups[0]["result"]["next"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        next[0].starts_with("exutil r edb") && next[0].contains("--ignore-missing"),
        "{next:?}"
    );
    assert!(
        next[1].starts_with("exutil p ") && next[1].contains("--page-size 4"),
        "{next:?}"
    );
    let words: Vec<&str> = next[0].split(' ').skip(1).collect();
    let run = exutil(dir.path(), &words);
    assert!(run.status <= 1, "{run:?}");
    let header = exutil(dir.path(), &["mh", databases[1].to_str().unwrap()]);
    assert!(header.stdout.contains("Clean Shutdown"), "{header:?}");
}

/// Databases whose first 64 KiB are gone, under any name, and noise that is none.
#[test]
fn a_database_without_its_start_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    for sample in ["priv1.edb", "mini-32k.edb"] {
        let mut bytes = common::sample(sample);
        bytes[..64 * 1024].fill(0);
        write(&format!("{sample}.wiped"), &bytes);
        bytes[..64 * 1024].fill(0xA5);
        write(&format!("{sample}.overwritten"), &bytes);
    }
    let noise: Vec<u8> = (0..300_000u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    write("noise", &noise);
    let lines = sweep(dir.path(), &["--all"]);
    for line in records(&lines, "file") {
        let expected = if line["file"] == "noise" {
            "other"
        } else {
            "headless_database"
        };
        assert_eq!(line["result"]["kind"], expected, "{line}");
    }
    assert_eq!(records(&lines, "file").count(), 5);
}
