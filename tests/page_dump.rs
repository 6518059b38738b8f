//! Page and node dumps: of the samples, against the engine's own dumps, and of hostile pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use exutil::db::Database;
use exutil::format::ids::Pgno;
use exutil::format::page::Page;
use exutil::ops::export::read_schema;
use exutil::ops::page_dump::{dump_node, dump_page, dump_tag, line_count};
use exutil::storage::Memory;

fn sample(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    dir.join(name)
}

fn run(arguments: &[&str], database: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_exutil"))
        .args(arguments)
        .arg(database)
        .output()
        .expect("the command runs");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The dump without what names the file and the time.
fn dump(arguments: &[&str], database: &str) -> String {
    let text = run(arguments, &sample(database));
    let lines = text.lines().filter(|line| {
        let volatile = ["      Database:", "exutil ", "Operation completed"];
        !volatile.iter().any(|start| line.starts_with(start))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn pages_of_every_kind() {
    let db = Database::open(&sample("priv1.edb"), None).expect("a database");
    let mut text = String::new();
    let mut seen = std::collections::BTreeSet::new();
    for number in 1..=db.last_page().get() {
        let Ok(page) = dump_page(&db, Pgno::new(number)) else {
            continue;
        };
        if seen.insert(page.kinds.clone()) {
            text += &dump(
                &["m", "--no-logo", &format!("--page={number}")],
                "priv1.edb",
            );
            text.push('\n');
        }
    }
    assert!(seen.len() > 8, "{seen:?}");
    // Pages with many tags would make a snapshot that nobody reads.
    let lines = text.lines().filter(|line| {
        let tag = line.strip_prefix("TAG ").and_then(|rest| rest.get(..3));
        tag.and_then(|tag| tag.trim().parse().ok())
            .is_none_or(|tag: u32| tag < 3)
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_large_page() {
    insta::assert_snapshot!(dump(&["m", "--no-logo", "/p1"], "mini-32k.edb"));
}

#[test]
fn nodes_of_every_kind() {
    let db = Database::open(&sample("mini-8k.edb"), None).expect("a database");
    let (schema, _) = read_schema(&db);
    let types = schema.table("types").expect("a table");
    let long_values = types.long_values.expect("long values").root;
    let index = types.secondary_indexes().next().expect("an index").root;
    let mut text = String::new();
    let data = dump_page(&db, types.root).expect("a page");
    let places = [
        ("2:0".to_owned(), "space"),
        (format!("{}:0", data.page), "record"),
        (format!("{long_values}:0"), "long value"),
        (format!("{index}:0"), "index"),
    ];
    for (place, what) in places {
        text += &format!("=== {what}\n");
        text += &dump(&["m", "--no-logo", &format!("/n{place}")], "mini-8k.edb");
        text.push('\n');
    }
    insta::assert_snapshot!(text);
    insta::assert_snapshot!("tag", dump(&["m", "--no-logo", "/i2:0"], "mini-8k.edb"));
}

#[test]
fn json_and_tables() {
    let json = |argument: &str| {
        let text = run(&["m", argument, "--format", "json"], &sample("mini-8k.edb"));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let page = json("/p4");
    assert_eq!(page["result"]["checksum"]["verdict"], "good");
    assert_eq!(page["result"]["tags"][0]["kind"], "reserved");
    let node = json("/n4:0");
    assert!(
        node["result"]["lines"][0]["meaning"]["kind"].is_string(),
        "{node}"
    );
    let all = json("/n2:-1");
    assert_eq!(all["result"]["lines"][0]["meaning"]["kind"], "extent");
    assert_eq!(json("/i2:0")["result"]["lines"][0]["type"], "external");
    let table = run(&["m", "/p2", "--format", "table"], &sample("mini-8k.edb"));
    assert!(table.contains("Tag 1"), "{table}");
}

#[test]
fn what_is_not_there() {
    let status = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_exutil"));
        let output = command.args(arguments).arg(sample("mini-8k.edb")).output();
        output.expect("the command runs").status.code()
    };
    assert_eq!(status(&["m", "/p99999"]), Some(4));
    assert_eq!(status(&["m", "/n1:500"]), Some(16));
    assert_eq!(status(&["m", "/n1"]), Some(16));
    assert_eq!(status(&["m", "/p-1"]), Some(0));
    assert_eq!(status(&["m", "/p-2"]), Some(16));
}

#[test]
fn damaged_pages_are_shown() {
    let mut bytes = fs::read(sample("mini-8k.edb")).expect("a sample");
    let at = 5 * 8192;
    bytes[at + 100] ^= 4;
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bit.edb");
    fs::write(&path, &bytes).expect("a file");
    let text = run(&["m", "/p4", "/o"], &path);
    assert!(
        text.contains("checksum error is correctable: bit 802 is corrupted"),
        "{text}"
    );
    bytes[at..at + 8192].fill(0);
    fs::write(&path, &bytes).expect("a file");
    assert!(run(&["m", "/p4", "/o"], &path).contains("[No tags found]"));
    bytes[at..at + 8192].fill(0xFF);
    fs::write(&path, &bytes).expect("a file");
    let text = run(&["m", "/p4", "/v"], &path);
    assert!(text.contains("checksum mismatch") && text.contains("00001ff0    ffffffff"));
}

#[test]
fn hostile_pages_do_not_panic() {
    let mut state = 0xF00D_u64;
    let mut random = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % limit
    };
    for name in ["mini-2k.edb", "mini-8k.edb", "mini-32k.edb", "priv1.edb"] {
        let whole = fs::read(sample(name)).expect("a sample");
        let open =
            |bytes| Database::from_storage(Box::new(Memory::new(bytes)), Path::new(name), None);
        let size = open(whole.clone()).expect("a database").page_size();
        let (schema, _) = read_schema(&open(whole.clone()).expect("a database"));
        let pages = whole.len() / size.bytes() - 2;
        for _ in 0..20 {
            let mut bytes = whole.clone();
            for number in 0..pages {
                let page = &mut bytes[(number + 2) * size.bytes()..][..size.bytes()];
                for _ in 0..random(8) {
                    let at = match random(3) {
                        0 => random(size.page_header() + 100),
                        1 => page.len() - 1 - random(60),
                        _ => random(page.len()),
                    };
                    page[at] = random(256) as u8;
                }
            }
            let Ok(db) = open(bytes) else {
                continue;
            };
            for number in 1..=db.last_page().get() {
                let dump = dump_page(&db, Pgno::new(number)).expect("a page");
                let page = Page::new(&dump.bytes, size).expect("a page");
                for line in 0..line_count(page) {
                    let _ = dump_node(page, line, &schema);
                }
                for itag in 0..page.tag_count() {
                    let _ = dump_tag(page, itag, &schema);
                }
            }
        }
    }
}

/// The engine's dump names addresses of its memory where ours names offsets in the page.
fn without_addresses(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_end);
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once("<0x") {
            Some((label, rest)) => format!("{label}<{}", rest.get(16..).unwrap_or_default()),
            None => line.to_owned(),
        })
        .collect()
}

#[test]
fn pages_equal_the_engines_own_dumps() {
    let Some(corpus) = std::env::var_os("EXUTIL_CORPUS") else {
        println!("SKIPPED: EXUTIL_CORPUS is not set; no page was compared with the engine's dumps");
        return;
    };
    let (mut equal, mut different) = (0, Vec::new());
    let cases = fs::read_dir(Path::new(&corpus).join("engine"));
    for case in cases.into_iter().flatten().flatten() {
        let Ok(expected) = fs::read(case.path().join("pages.txt")) else {
            continue;
        };
        let expected = String::from_utf8_lossy(&expected).into_owned();
        let database = case.path().join("db/test.edb");
        for part in expected.split("Page: ").skip(1) {
            let (number, part) = part.split_once('\n').expect("a number");
            let text = run(&["m", "--no-logo", &format!("/p{number}")], &database);
            let (_, text) = text
                .split_once(&format!("Page: {number}\n"))
                .expect("a page");
            let (text, _) = text.split_once("\n\nOperation").expect("an end");
            if without_addresses(part) == without_addresses(text) {
                equal += 1;
            } else {
                different.push(format!("{} page {number}", case.path().display()));
            }
        }
    }
    println!("{equal} pages equal, {} different", different.len());
    assert!(equal > 0 && different.is_empty(), "{different:?}");
}
