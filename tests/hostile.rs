//! Files that are not what they should be: every mode says so in a line, ends with the right status
//! and in time, and never panics. The damage comes from a seed and is the same in every run.

mod common;

use std::path::Path;

use common::{Random, Run, exutil, make, sample};

const MODES: [&str; 5] = ["mh", "mk", "ml", "mp", "k"];
/// Clean, problems left, operational error; nothing else fits a file.
const STATUSES: [i32; 3] = [0, 4, 8];

/// Runs every mode, in Eseutil's layout and in JSON, and checks what must hold for any file.
fn every_mode(dir: &Path, name: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    for mode in MODES {
        let text = exutil(dir, &[mode, name]);
        let json = exutil(dir, &[mode, name, "--format", "json"]);
        assert!(STATUSES.contains(&text.status), "{text:?}");
        assert_eq!(text.status, json.status, "{text:?}\n{json:?}");
        let closing = if text.status == 0 {
            "Operation completed successfully"
        } else {
            "Operation terminated with error -"
        };
        assert!(text.stdout.contains(closing), "{text:?}");
        for document in json.json() {
            assert_eq!(document["status"].as_i64(), Some(json.status.into()));
        }
        runs.push(text);
    }
    runs
}

fn statuses(bytes: Option<&[u8]>) -> Vec<i32> {
    let dir = tempfile::tempdir().unwrap();
    if let Some(bytes) = bytes {
        std::fs::write(dir.path().join("priv1.edb"), bytes).unwrap();
    }
    let runs = every_mode(dir.path(), "priv1.edb");
    runs.iter().map(|run| run.status).collect()
}

#[test]
fn nothing_there_and_nothing_in_it() {
    assert_eq!(statuses(None), [8; 5]);
    assert_eq!(statuses(Some(&[])), [4; 5]);
    assert_eq!(statuses(Some(&[0; 100_000])), [4; 5]);
    assert_eq!(statuses(Some(b"x")), [4; 5]);
    assert_eq!(statuses(Some(&Random(7).bytes(100_000))), [4; 5]);
}

#[test]
fn a_folder_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("folder.edb")).unwrap();
    for run in every_mode(dir.path(), "folder.edb") {
        assert_eq!(run.status, 8, "{run:?}");
        assert!(run.output().contains("directory"), "{run:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = common::folder_with(&["priv1.edb"]);
    let path = dir.path().join("priv1.edb");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        eprintln!("the superuser may read everything: nothing to test");
        return;
    }
    for run in every_mode(dir.path(), "priv1.edb") {
        assert_eq!(run.status, 8, "{run:?}");
        assert!(run.output().contains("-1032"), "{run:?}");
    }
}

/// One kind of damage.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let len = bytes.len();
    // Half of the damage goes to where the headers are.
    let near = if random.below(2) == 0 {
        len.min(8192)
    } else {
        len
    };
    let at = random.below(near);
    let end = (at + 1 + random.below(600)).min(len);
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes[at..end].fill(0),
        2 => {
            let noise = random.bytes(end - at);
            bytes[at..end].copy_from_slice(&noise);
        }
        3 => bytes[at] ^= 1 << random.below(8),
        _ => bytes[at..end].fill(0xFF),
    }
}

/// Seals the first header again, so that what is in it is believed.
fn reseal(bytes: &mut [u8], header: usize) {
    if let Some(page) = bytes.get_mut(..header) {
        exutil::format::checksum::seal_header(page);
    }
}

fn torture(name: &str, sound: &[u8], header: usize, rounds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut damaged = 0;
    for seed in 0..rounds {
        let mut random = Random(seed);
        let mut bytes = sound.to_vec();
        for _ in 0..=random.below(3) {
            if !bytes.is_empty() {
                damage(&mut bytes, &mut random);
            }
        }
        if seed % 2 == 0 {
            reseal(&mut bytes, header);
        }
        std::fs::write(dir.path().join(name), &bytes).unwrap();
        let runs = every_mode(dir.path(), name);
        damaged += usize::from(runs.iter().all(|run| run.status != 0));
    }
    assert!(damaged > 0, "no damage was ever noticed in {name}");
}

#[test]
fn damaged_databases() {
    torture("priv1.edb", &sample("priv1.edb"), 4096, 24);
    torture("mini-2k.edb", &sample("mini-2k.edb"), 2048, 16);
    torture(
        "mini-32k.edb",
        &sample("mini-32k.edb")[..300_000],
        32768,
        12,
    );
    torture("dirty.edb", &sample("dirty.edb"), 4096, 16);
}

#[test]
fn damaged_logs_checkpoints_and_flush_maps() {
    torture("E00.log", &make::log(1, 0).0, 4096, 30);
    torture("E00.chk", &make::checkpoint(), 4096, 30);
    torture("priv1.jfm", &make::flush_map(2), 8192, 20);
}

#[test]
fn an_old_log_full_of_noise() {
    let mut header = make::log_header(1, 0);
    (header.major, header.minor, header.update_major) = (7, 3704, 15);
    for (sector, header_sectors) in [(512, 8), (4096, 1), (0, 0), (1, 1), (u16::MAX, 3)] {
        header.sector_size = sector;
        header.header_sectors = header_sectors;
        let (mut bytes, _) = make::log_with(&header);
        let noise = Random(3).bytes(bytes.len() - 4096);
        bytes[4096..].copy_from_slice(&noise);
        let wanted = usize::from(sector) * usize::from(make::SEGMENTS);
        bytes.resize(wanted.clamp(4096, 1 << 20), 0x2A);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("E00.log"), bytes).unwrap();
        every_mode(dir.path(), "E00.log");
    }
}

#[test]
fn names_cannot_steer_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let mut header = make::log_header(1, 0);
    let escape = b"\x1b[31mred\x07\0";
    header.environment.log_path.0[..escape.len()].copy_from_slice(escape);
    std::fs::write(dir.path().join("E00.log"), make::log_with(&header).0).unwrap();
    for format in ["eseutil", "table", "json"] {
        let run = exutil(dir.path(), &["ml", "E00.log", "--format", format]);
        assert_eq!(run.status, 0);
        assert!(!run.stdout.contains(['\x1b', '\x07']), "{format}: {run:?}");
        assert!(run.stdout.contains("red"));
    }
}

#[test]
fn a_file_name_cannot_steer_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let name = "a\x1b[31m.edb";
    for present in [false, true] {
        if present {
            std::fs::write(dir.path().join(name), sample("priv1.edb")).unwrap();
        }
        for mode in MODES {
            for format in ["eseutil", "table", "json"] {
                let run = exutil(dir.path(), &[mode, name, "--format", format]);
                assert!(!run.output().contains('\x1b'), "{mode} {format}: {run:?}");
            }
        }
    }
}

#[test]
fn a_switch_cannot_steer_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    for words in [["mh", "/\x1b[31m"], ["k", "--page=\x1b[31m"]] {
        let run = exutil(dir.path(), &[&words[..], &["a"]].concat());
        assert_eq!(run.status, 16, "{run:?}");
        assert!(!run.output().contains('\x1b'), "{run:?}");
    }
}
