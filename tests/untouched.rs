//! No mode changes a byte of what it is given, or leaves a file behind.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{exutil, make};

fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn every_mode_leaves_every_byte() {
    let samples = ["priv1.edb", "mini-2k.edb", "mini-32k.edb", "dirty.edb"];
    let dir = common::folder_with(&samples);
    make::write_stream(dir.path(), 1..=3);
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("E00.chk", make::checkpoint());
    write("priv1.jfm", make::flush_map(2));
    let mut broken = common::sample("mini-4k.edb");
    broken[100] ^= 1;
    broken[6 * 4096 + 900] ^= 1;
    broken[8 * 4096..9 * 4096].fill(0xA5);
    write("broken.edb", broken);
    let before = content(dir.path());
    assert_eq!(before.len(), samples.len() + 3 + 3);
    let mut worked = 0;
    for mode in ["mh", "mk", "ml", "mp", "k"] {
        for name in before.keys().map(String::as_str).chain(["E00"]) {
            for more in [
                &[][..],
                &["--format=json"],
                &["--format=table", "--no-logo"],
            ] {
                let run = exutil(dir.path(), &[&[mode, name], more].concat());
                worked += usize::from(run.status == 0);
            }
        }
    }
    for more in [&[][..], &["--format=json"], &["."]] {
        let run = exutil(dir.path(), &[&["cm"], more].concat());
        assert_eq!(run.status, 8, "{run:?}");
    }
    let options = ["mh", "/v", "--logs", "/spriv1.edb", "/4", "broken.edb"];
    assert_ne!(exutil(dir.path(), &options).status, 16);
    let options = [
        "k",
        "/i",
        "/tTEMP.EDB",
        "--list",
        "--page=1-9",
        "broken.edb",
    ];
    assert_eq!(exutil(dir.path(), &options).status, 4);
    assert!(worked > 40, "only {worked} runs had anything to read");
    let after = content(dir.path());
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in before {
        assert!(after[&name] == bytes, "{name} was changed");
    }
}
