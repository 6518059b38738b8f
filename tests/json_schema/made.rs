//! Runs over samples and over files that are made here.

use std::path::Path;

use exutil::build::live::BackupForm;
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::ops::copy_file::CopyOptions;
use exutil::storage::Memory;
use rayon::prelude::{IntoParallelIterator, ParallelIterator};
use serde_json::json;

use super::Judge;
use super::common::logs::{filled, new_log};
use super::common::{folder_with, make, root, sample};
use super::copying;
use super::engine::Run;
use super::kinds::{Kind, WITH_IMAGES, WITHOUT_IMAGES};
use super::recovery::change_header;
use super::stores::{StoreKind, defects};

const SAMPLES: [&str; 9] = [
    "dirty.edb",
    "mini-2k.edb",
    "mini-32k.edb",
    "mini-4k.edb",
    "mini-8k.edb",
    "priv1.edb",
    "store-2003-priv.edb",
    "store-2003-pub.edb",
    "store-2013.edb",
];

/// All of them.
pub fn run_all(judge: &Judge) {
    let parts: [fn(&Judge); 9] = [
        reading, refused, logs, recovery, backups, repairs, compaction, stores, surveys,
    ];
    parts.into_par_iter().for_each(|part| part(judge));
    copies(judge);
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn change(path: &Path, with: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    with(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// What only reads.
fn reading(judge: &Judge) {
    let dir = folder_with(&SAMPLES);
    let dir = dir.path();
    for (number, kind) in Damage::ALL.into_iter().enumerate() {
        let mut bytes = sample("mini-4k.edb");
        let page = damage(&mut bytes, kind, number as u64).unwrap().page;
        let name = format!("damaged{number}.edb");
        std::fs::write(dir.join(&name), bytes).unwrap();
        judge.line(dir, &format!("m {name} --page={page}"));
    }
    for name in names(dir) {
        for words in [
            "mh",
            "mm",
            "ms --leaks",
            "k",
            "g",
            "isinteg --test structure",
        ] {
            judge.line(dir, &format!("{words} {name}"));
        }
        judge.line(dir, &format!("ms {name} -f IORuns,Data:Nodes,LV:Bytes"));
        for page in [-1, 1, 2, 3, 4, 5, 9, 12, 20] {
            judge.line(dir, &format!("m {name} --page={page}"));
        }
        for page in [4, 5, 12] {
            judge.line(dir, &format!("m {name} --node {page}:-1"));
            judge.line(dir, &format!("m {name} --tag {page}:-1"));
        }
    }
    let mut stream = sample("mini-8k.edb");
    change_header(&mut stream, |header| {
        header.attrib = 1;
        header.filetype = 2;
    });
    std::fs::write(dir.join("pair.stm"), stream).unwrap();
    judge.line(dir, "mh mini-8k.edb --streaming-file pair.stm");
    judge.line(dir, "mh dirty.edb --logs");
    // Long values among the nodes.
    for page in 25..60 {
        judge.line(dir, &format!("m priv1.edb --node {page}:-1"));
    }
    std::fs::write(dir.join("map.jfm"), make::flush_map(3)).unwrap();
    std::fs::write(dir.join("E00.chk"), make::checkpoint()).unwrap();
    for words in ["mp map.jfm", "k map.jfm", "mk E00.chk", "k E00.chk"] {
        judge.line(dir, words);
    }
    change(&dir.join("map.jfm"), |bytes| bytes[8192 + 70] ^= 1);
    change(&dir.join("E00.chk"), |bytes| bytes[100] ^= 1);
    for words in ["mp map.jfm", "k map.jfm", "mk E00.chk", "k E00.chk"] {
        judge.line(dir, words);
    }
}

/// What cannot be done: a file that is not there, or is another.
fn refused(judge: &Judge) {
    let dir = folder_with(&["priv1.edb"]);
    let dir = dir.path();
    std::fs::write(dir.join("other.txt"), "nothing of ours").unwrap();
    std::fs::write(dir.join("empty.edb"), "").unwrap();
    std::fs::create_dir(dir.join("none")).unwrap();
    for file in ["missing.edb", "other.txt", "empty.edb"] {
        for words in [
            "mh",
            "mk",
            "ml",
            "mm",
            "mp",
            "ms",
            "k",
            "g",
            "r",
            "cc",
            "cm",
            "d",
            "isinteg",
            "y",
            "undo",
            "sweep",
            "advise",
            "p --yes",
            "m --page 4",
            "y --destination out",
        ] {
            judge.line(dir, &format!("{words} {file}"));
        }
    }
    for words in [
        "r E00",
        "cc none",
        "cm none",
        "ml E00",
        "mk priv1.edb",
        "mp priv1.edb",
        "ml priv1.edb",
        "undo priv1.edb",
        "m priv1.edb --page 4000",
        "sweep none",
        "advise none",
        "y priv1.edb --destination priv1.edb",
        "isinteg priv1.edb -test alltests",
        "isinteg priv1.edb -dump",
        "isinteg priv1.edb -patch --yes",
        "r priv1.edb",
    ] {
        judge.line(dir, words);
    }
}

/// One kind of each log format, with and without page images.
const KINDS: [Kind; 3] = [WITHOUT_IMAGES[0], WITH_IMAGES[3], WITH_IMAGES[7]];

/// A folder with a database that crashed, its logs, its checkpoint.
fn crashed(kind: Kind, seed: u64) -> tempfile::TempDir {
    let mut run = Run::new(kind, seed);
    run.steps(400);
    let state = run.crash();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for log in &state.logs {
        std::fs::write(at(&log.name), &log.bytes).unwrap();
    }
    std::fs::write(at("live.edb"), &state.database).unwrap();
    std::fs::write(at("E00.chk"), &state.checkpoint).unwrap();
    dir
}

fn logs(judge: &Judge) {
    for (seed, kind) in KINDS.into_iter().enumerate() {
        let dir = crashed(kind, seed as u64);
        let dir = dir.path();
        for words in [
            "ml E00",
            "ml E00 --verbose",
            "ml E00 --summary",
            "ml E00 --deep",
            "k E00",
            "mk E00.chk",
            "ml E00.log",
            "ml E00.log --structure",
            "k E00.log",
            "mh live.edb",
            "advise .",
        ] {
            judge.line(dir, words);
        }
        let log = names(dir).into_iter().find(|name| name.ends_with(".log"));
        change(&dir.join(log.unwrap()), |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle..middle + 5000].fill(0x5A);
        });
        judge.line(dir, "ml E00");
        judge.line(dir, "ml E00 --verbose --deep");
        for log in names(dir).iter().filter(|name| name.ends_with(".log")) {
            judge.line(dir, &format!("ml {log} --structure"));
        }
    }
    by_hand(judge);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make::write_stream(dir, 1..=5);
    std::fs::write(dir.join("E00.chk"), make::checkpoint()).unwrap();
    judge.line(dir, "ml E00.log");
    std::fs::remove_file(dir.join(make::log_name(2, 5))).unwrap();
    std::fs::rename(
        dir.join(make::log_name(4, 5)),
        dir.join(make::log_name(3, 5)),
    )
    .unwrap();
    let mut header = make::log_header(4, 77);
    header.sign_log = make::signature(5);
    header.prev_created = make::time(9);
    std::fs::write(dir.join(make::log_name(4, 5)), make::log_with(&header).0).unwrap();
    judge.line(dir, "ml E00");
    judge.line(dir, "k E00");
    change(&dir.join("E00.log"), |bytes| bytes[60] ^= 1);
    judge.line(dir, "ml E00");
    judge.line(dir, "ml E00.log");
    judge.line(dir, "sweep .");
}

/// Records that no engine at hand writes.
fn by_hand(judge: &Judge) {
    let of_length = |kind: u8, len: usize| {
        let mut bytes = vec![0; len];
        bytes[0] = kind;
        bytes
    };
    let mut records = vec![10, 5, 0, 1, 0, 0, 0];
    for (kind, len) in [(2, 18), (50, 26), (81, 10), (66, 46), (21, 4)] {
        records.extend(of_length(kind, len));
    }
    records.extend([59, 2, 0, 0x41, 0]);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("a.log"), new_log(3, &[filled(records)])).unwrap();
    std::fs::write(dir.join("b.log"), new_log(3, &[of_length(40, 60)])).unwrap();
    for name in ["a.log", "b.log"] {
        judge.line(dir, &format!("ml {name} --verbose"));
    }
}

fn recovery(judge: &Judge) {
    for (seed, kind) in KINDS.into_iter().enumerate() {
        let dir = crashed(kind, 20 + seed as u64);
        let dir = dir.path();
        judge.line(dir, "advise . --prove");
        for words in [
            "r E00 --databases=. --dry-run",
            "r E00 --databases=. --stop-after undo",
            "r E00 --databases=.",
            "undo E00.undo --list",
            "undo E00.undo --dry-run",
            "undo E00.undo",
            "undo E00.undo",
            "undo E00.undo --discard",
            "r E00 --databases=.",
            "r E00 --databases=.",
        ] {
            judge.line(dir, words);
        }
        // What a recovery has changed is changed by somebody else.
        let dir = crashed(kind, 25 + seed as u64);
        let dir = dir.path();
        judge.line(dir, "r E00 --databases=.");
        change(&dir.join("live.edb"), |bytes| bytes[300] ^= 1);
        judge.line(dir, "undo E00.undo --dry-run");
        judge.line(dir, "undo E00.undo");
        // A log is missing; a database is missing.
        let dir = crashed(kind, 30 + seed as u64);
        let dir = dir.path();
        std::fs::remove_file(dir.join("E00.log")).unwrap();
        std::fs::remove_file(dir.join("E00.chk")).unwrap();
        judge.line(dir, "r E00 --databases=.");
        judge.line(dir, "r E00 --databases=. --lossy");
        judge.line(dir, "advise .");
        let dir = crashed(kind, 40 + seed as u64);
        let dir = dir.path();
        std::fs::remove_file(dir.join("live.edb")).unwrap();
        judge.line(dir, "r E00 --databases=. --ignore-missing");
        judge.line(dir, "sweep . --depth integrity");
    }
}

/// Strings in the form that is not public, among them one without a meaning.
fn inferred_environment() -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 0];
    for text in [r"D:\sg1\live.edb", "SERVER1", "First Storage Group", "??"] {
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0, 0]);
    }
    bytes
}

fn backups(judge: &Judge) {
    let forms = [
        BackupForm::Trailer,
        BackupForm::OldTrailer,
        BackupForm::PatchFile,
    ];
    for (seed, form) in forms.into_iter().enumerate() {
        let mut run = Run::new(WITH_IMAGES[5], 50 + seed as u64);
        run.steps(200);
        let set = run.backup(form);
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::write(dir.join("live.edb"), &set.database).unwrap();
        if let Some(patch) = &set.patch {
            std::fs::write(dir.join("live.pat"), patch).unwrap();
        }
        for log in &set.logs {
            std::fs::write(dir.join(&log.name), &log.bytes).unwrap();
        }
        for content in [vec![7; 900], inferred_environment()] {
            std::fs::write(dir.join("Restore.env"), content).unwrap();
            judge.line(dir, "cm");
        }
        std::fs::remove_file(dir.join("Restore.env")).unwrap();
        for words in [
            "mh live.edb",
            "cm",
            "k live.edb",
            "sweep .",
            "advise . --prove",
            "cc --dry-run",
            "cc --keep",
            "undo restore.undo",
            "cc --to copy",
            "cm",
        ] {
            judge.line(dir, words);
        }
        if let Some(log) = set.logs.first() {
            std::fs::write(dir.join("live.edb"), &set.database).unwrap();
            std::fs::remove_file(dir.join(&log.name)).ok();
            judge.line(dir, "cm");
            judge.line(dir, "cc");
        }
    }
}

fn repairs(judge: &Judge) {
    let name = "mini-4k.edb";
    for (seed, kind) in Damage::ALL.into_iter().enumerate() {
        let dir = folder_with(&[name]);
        let dir = dir.path();
        change(&dir.join(name), |bytes| {
            // Bits that can be corrected on the way.
            for more in 0..6 {
                damage(bytes, Damage::BitFlip, more).unwrap();
            }
            damage(bytes, kind, seed as u64).unwrap();
        });
        let undo = format!("{name}.undo");
        for words in [
            &format!("p --dry-run {name}"),
            &format!("p --yes {name}"),
            &format!("undo --list {undo}"),
            &format!("undo --dry-run {undo}"),
            &format!("undo {undo}"),
            &format!("p --yes --keep-orphans --drop-incomplete {name}"),
            &format!("p --yes {name}"),
            &format!("d {name}"),
            &format!("undo --dry-run {undo}"),
            &format!("undo {undo}"),
            &format!("isinteg -test alltests {name}"),
        ] {
            judge.line(dir, words);
        }
    }
    // Neither header.
    let dir = folder_with(&[name]);
    let dir = dir.path();
    change(&dir.join(name), |bytes| {
        bytes[10..3000].fill(7);
        bytes[4096 + 10..4096 + 3000].fill(7);
    });
    for words in [
        "mh",
        "k",
        "p --dry-run",
        "p --dry-run --page-size=4",
        "p --yes --trust-damaged-pages",
        "sweep",
    ] {
        judge.line(dir, &format!("{words} {name}"));
    }
}

/// Noise in the root of the first secondary index there is.
fn damage_an_index(bytes: &mut [u8]) {
    let storage = Box::new(Memory::new(bytes.to_vec()));
    let db = Database::from_storage(storage, Path::new("a.edb"), None).unwrap();
    let schema = Schema::read(&db);
    let tables = schema
        .tables
        .values()
        .filter(|table| table.objid.get() > 10);
    let mut indexes = tables.flat_map(|table| table.secondary_indexes());
    if let Some(index) = indexes.next() {
        let at = index.root.offset(db.page_size()) as usize;
        bytes[at + 200..at + 300].fill(0xA7);
    }
}

fn compaction(judge: &Judge) {
    for name in SAMPLES {
        let dir = folder_with(&[name]);
        let dir = dir.path();
        judge.line(dir, &format!("d {name} --dry-run"));
        change(&dir.join(name), |bytes| damage_an_index(bytes));
        judge.line(dir, &format!("d {name} --dry-run"));
        std::fs::write(dir.join(name), sample(name)).unwrap();
        judge.line(dir, &format!("d {name} --backup old.edb"));
        judge.line(dir, &format!("d {name} --preserve-temp"));
    }
}

fn stores(judge: &Judge) {
    let sound = [
        "store-2003-priv.edb",
        "store-2003-pub.edb",
        "store-2013.edb",
    ];
    let dir = folder_with(&sound);
    for name in sound {
        for words in [
            "-test alltests",
            "--show-profile",
            "--list-tests",
            "-dump",
            "-patch --yes",
        ] {
            judge.line(dir.path(), &format!("isinteg {name} {words}"));
        }
    }
    defects::all()
        .collect::<Vec<_>>()
        .into_par_iter()
        .for_each(|defect| {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("a.edb"), defect.build().unwrap()).unwrap();
            for words in ["--dry-run", "--yes"] {
                let words = format!("isinteg a.edb -test alltests -fix {words}");
                judge.line(dir.path(), &words);
            }
        });
    // What cannot be fixed: a database that was not shut down cleanly, a table with a damaged page.
    let dir = folder_with(&["dirty.edb", "store-2003-priv.edb"]);
    judge.line(dir.path(), "isinteg dirty.edb -test structure -fix --yes");
    let profile = root().join("src/store/profiles/exchange-5.5.toml");
    std::fs::copy(profile, dir.path().join("old.toml")).unwrap();
    judge.line(
        dir.path(),
        "isinteg store-2003-priv.edb --profile old.toml -patch --trust-profile --yes",
    );
    for page in [20, 35, 50, 65, 80] {
        change(&dir.path().join("store-2003-priv.edb"), |bytes| {
            bytes[(page + 1) * 4096 + 200..][..100].fill(0xA7);
        });
    }
    judge.line(dir.path(), "isinteg store-2003-priv.edb -test alltests");
    judge.line(dir.path(), "isinteg store-2003-priv.edb -dump");
    let dir = tempfile::tempdir().unwrap();
    let store = StoreKind::Private.store().build().unwrap();
    std::fs::write(dir.path().join("a.edb"), store).unwrap();
    judge.line(dir.path(), "isinteg a.edb -test folder -pri");
}

fn surveys(judge: &Judge) {
    let dir = folder_with(&SAMPLES);
    let dir = dir.path();
    std::fs::create_dir(dir.join("logs")).unwrap();
    make::write_stream(&dir.join("logs"), 1..=4);
    std::fs::write(dir.join("logs/E00.chk"), make::checkpoint()).unwrap();
    std::fs::write(dir.join("map.jfm"), make::flush_map(3)).unwrap();
    std::fs::write(dir.join("empty.edb"), "").unwrap();
    std::fs::write(dir.join("zero.edb"), [0; 100_000]).unwrap();
    change(&dir.join("mini-8k.edb"), |bytes| {
        bytes[100_000..103_000].fill(9)
    });
    change(&dir.join("mini-2k.edb"), |bytes| bytes[..8000].fill(9));
    for depth in ["headers", "checksum", "integrity"] {
        judge.line(dir, &format!("sweep . --all --depth {depth}"));
    }
    judge.line(dir, "advise . --depth checksum");
    let parts = tempfile::tempdir().unwrap();
    for part in ["1/2", "2/2"] {
        let run = judge.line(dir, &format!("sweep . --shard {part}"));
        let file = parts.path().join(part.replace('/', "of"));
        std::fs::write(file, run.stdout).unwrap();
    }
    judge.line(parts.path(), "sweep 1of2 2of2 --merge");
}

/// Also what only a bad disk shows: the command cannot be given one.
fn copies(judge: &Judge) {
    let dir = folder_with(&["priv1.edb"]);
    let dir = dir.path();
    make::write_stream(dir, 1..=2);
    change(&dir.join("priv1.edb"), |bytes| {
        bytes[40_000..40_100].fill(9)
    });
    change(&dir.join("E00.log"), |bytes| bytes[9000..9100].fill(9));
    for words in [
        "y priv1.edb --destination a.edb --verify",
        "y E00.log --destination b.log --verify",
        "y priv1.edb --destination a.edb",
        "y priv1.edb --destination a.edb --force --resume",
    ] {
        judge.line(dir, words);
    }
    let disk = copying::disk(&sample("priv1.edb"));
    let bad = copying::Faults::of_source(&disk, vec![copying::bad(86_600, 100)]);
    for (ignore_errors, resume) in [(true, false), (false, true)] {
        let options = CopyOptions {
            dest: copying::at(if resume { "part" } else { "filled" }),
            ignore_errors,
            resume,
            verify: true,
            ..copying::options()
        };
        let report = copying::copy(&options, &bad).unwrap();
        let document = json!({
            "schema": "exutil/1", "mode": "y", "file": copying::SOURCE, "jet": report.jet(),
            "status": 4, "findings": report.findings, "result": report,
        });
        judge.document("a copy off a bad disk", document);
    }
}
