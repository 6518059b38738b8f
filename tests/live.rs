//! Recovery of databases that crashed under the live writer: whatever had reached the disk, recovery must arrive
//! at what was committed, from the crashed file as from the one before the log began.

#[path = "common/engine.rs"]
mod engine;
#[path = "common/kinds.rs"]
mod kinds;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::collections::BTreeMap;
use std::path::Path;

use engine::{Run, SESSIONS, TABLES};
use exutil::build::live::CrashState;
use exutil::build::logs::Tail;
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::dbheader::DbState;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::logrec::{Record, RecordKind};
use exutil::format::page::{NodeFlags, Page, PageFlags};
use exutil::format::stamp::LogTime;
use exutil::log::generation::LoadedLog;
use exutil::ops::recover::{RecoverOptions, RecoverReport, recover};
use exutil::progress::Silent;
use exutil::storage::{Memory, RealDisk};
use exutil::tree::walk::{Descent, Visit};
use kinds::{Kind, WITH_IMAGES, WITHOUT_IMAGES};

fn options(dir: &Path) -> RecoverOptions {
    RecoverOptions {
        keep_undo: false,
        ..RecoverOptions::new("E00", dir, LogTime::utc((2026, 5, 5), (5, 5, 5), 5))
    }
}

/// Lays a crash down in `dir` and recovers it; gives back the recovered file.
fn recovered(dir: &Path, state: &CrashState, from_original: bool) -> (RecoverReport, Vec<u8>) {
    for log in &state.logs {
        std::fs::write(dir.join(&log.name), &log.bytes).unwrap();
    }
    let path = dir.join("live.edb");
    if from_original {
        std::fs::write(&path, &state.original).unwrap();
    } else {
        std::fs::write(&path, &state.database).unwrap();
        std::fs::write(dir.join("E00.chk"), &state.checkpoint).unwrap();
    }
    let report = recover(&options(dir), &RealDisk, &Silent).unwrap();
    assert!(report.replayed);
    assert_eq!(report.databases.len(), 1, "{:?}", report.skipped);
    assert_eq!(report.databases[0].state, DbState::CleanShutdown);
    (report, std::fs::read(path).unwrap())
}

/// Live nodes of a table of the file.
fn content(db: &Database, table: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let schema = exutil::db::catalog::Schema::read(db);
    let root = schema
        .tables
        .values()
        .find(|found| found.name == table)
        .unwrap()
        .root;
    let mut nodes = BTreeMap::new();
    Descent::new(db, root).walk(&mut |visit| match visit {
        Visit::Leaf(_, page) => {
            for node in page.nodes() {
                let node = node.unwrap();
                if !node.flags.is_deleted() {
                    nodes.insert(node.key(), node.data.to_vec());
                }
            }
        }
        Visit::Internal(..) => {}
        Visit::Failed(pgno, _, failure) => panic!("page {pgno}: {failure}"),
    });
    nodes
}

/// What a page is, apart from where its lines lie and from what means nothing when no transaction is open.
fn meaning(bytes: &[u8], size: PageSize) -> impl PartialEq + std::fmt::Debug + use<> {
    let page = Page::new(bytes, size).unwrap();
    let own = PageFlags::FLUSH_TYPE | PageFlags::SCRUBBED;
    let lines: Vec<_> = page
        .nodes()
        .map(|node| {
            let node = node.unwrap();
            let flags = node.flags.bits() & !NodeFlags::VERSION;
            (node.prefix.len(), node.key(), node.data.to_vec(), flags)
        })
        .collect();
    (
        (page.dbtime(), page.prev(), page.next(), page.objid()),
        (page.flags().bits() & !own, page.free(), page.tag_state()),
        page.external_header().to_vec(),
        lines,
    )
}

/// Compares all pages that at least one of the files uses.
fn same_pages(a: &[u8], b: &[u8], size: PageSize, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let pages = a
        .chunks_exact(size.bytes())
        .zip(b.chunks_exact(size.bytes()));
    for (number, (a, b)) in pages.enumerate().skip(2) {
        if a != b {
            let (a, b) = (meaning(a, size), meaning(b, size));
            assert!(a == b, "{what}: page {}\n{a:?}\n{b:?}", number - 1);
        }
    }
}

fn verify(path: &Path, state: &CrashState) {
    let db = Database::open(path, None).unwrap();
    for (table, model) in ["large", "small"].iter().zip(&state.model) {
        let found = content(&db, table);
        let lost: Vec<_> = model
            .iter()
            .filter(|(key, data)| found.get(*key) != Some(data))
            .collect();
        let more: Vec<_> = found
            .iter()
            .filter(|(key, data)| model.get(*key) != Some(data))
            .collect();
        assert!(
            lost.is_empty() && more.is_empty(),
            "{table}: lost {lost:?}, more {more:?}"
        );
    }
    let report = check(&db, None, &CheckOptions::default(), &Silent);
    let errors: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.problem != exutil::problem::Problem::SpaceLeaked)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// What was seen in the logs: record types, and what splits and merges did.
type Seen = BTreeMap<String, u64>;

/// Counts the records of a crash's logs.
fn count(state: &CrashState, seen: &mut Seen) {
    for log in &state.logs {
        let storage = Memory::new(log.bytes.clone());
        let log = LoadedLog::from_storage(&storage, Path::new(&log.name)).unwrap();
        let mut reader = log.records();
        while let Some(placed) = reader.next().unwrap() {
            let kind = RecordKind::new(placed.bytes[0]);
            *seen.entry(kind.to_string()).or_default() += 1;
            let what = match Record::parse(placed.bytes).unwrap() {
                Record::Split(_, split) if split.new.is_null() => "pointer".to_owned(),
                Record::Split(_, split) => {
                    let leaf = split.new_flags & PageFlags::LEAF != 0;
                    let level = if leaf { "leaf" } else { "internal" };
                    format!(
                        "{level} {:?} {:?}",
                        split.split_kind().unwrap(),
                        split.oper().unwrap()
                    )
                }
                Record::Merge(_, merge) => format!("{:?}", merge.merge_kind().unwrap()),
                _ => continue,
            };
            *seen.entry(what).or_default() += 1;
        }
    }
}

/// Runs one seed; adds to what was seen.
fn run(kind: Kind, seed: u64, seen: &mut Seen) {
    let mut run = Run::new(kind, seed);
    let steps = 100 + run.noise.below(900);
    for _ in 0..steps {
        run.step();
        run.sound();
    }
    let state = run.crash();
    // Where nothing was lost and nothing open, recovery arrives at the writer's own pages.
    for session in SESSIONS {
        while run.live.level(session) > 0 {
            run.live.commit(session).unwrap();
        }
    }
    let (_, all) = run.live.keepable();
    let at_end = run.live.crash(all, Tail::Whole).unwrap();
    assert_eq!(at_end.open, 0);
    let whole = tempfile::tempdir().unwrap();
    let (_, file) = recovered(whole.path(), &at_end, seed.is_multiple_of(2));
    count(&at_end, seen);
    let mut own = file.clone();
    for (at, page) in own
        .chunks_exact_mut(kind.page_size.bytes())
        .enumerate()
        .skip(2)
    {
        page.copy_from_slice(run.live.page(Pgno::new(at as u32 - 1)).unwrap());
    }
    same_pages(&file, &own, kind.page_size, "recovered against memory");
    let crashed = tempfile::tempdir().unwrap();
    let (_, one) = recovered(crashed.path(), &state, false);
    verify(&crashed.path().join("live.edb"), &state);
    // Nothing is left to do.
    let again = recover(&options(crashed.path()), &RealDisk, &Silent).unwrap();
    assert!(!again.replayed);
    assert!(std::fs::read(crashed.path().join("live.edb")).unwrap() == one);
    let original = tempfile::tempdir().unwrap();
    let (_, other) = recovered(original.path(), &state, true);
    verify(&original.path().join("live.edb"), &state);
    same_pages(&one, &other, kind.page_size, "crashed against original");
    assert_eq!(state.model.len(), TABLES.len());
}

/// Runs seeds of several kinds.
fn runs(kinds: &[Kind], seeds: std::ops::Range<u64>) -> Seen {
    let mut seen = Seen::new();
    for seed in seeds {
        for (at, kind) in kinds.iter().enumerate() {
            let seed = seed * 100 + at as u64;
            let done = std::panic::catch_unwind(|| {
                let mut seen = Seen::new();
                run(*kind, seed, &mut seen);
                seen
            });
            let Ok(new) = done else {
                panic!("{kind:?}, seed {seed}");
            };
            for (what, count) in new {
                *seen.entry(what).or_default() += count;
            }
        }
    }
    println!("{seen:#?}");
    seen
}

/// What every engine logs.
const COMMON: [&str; 26] = [
    "Insert",
    "FlagInsert",
    "FlagInsertAndReplaceData",
    "FlagDelete",
    "Replace",
    "ReplaceD",
    "Delete",
    "Delta",
    "Undo",
    "UndoInfo",
    "SetExternalHeader",
    "Rollback",
    "pointer",
    "leaf Vertical None",
    "leaf Vertical Insert",
    "leaf Append Insert",
    "leaf Right None",
    "leaf Right Insert",
    "leaf Right Replace",
    "leaf Right FlagInsertAndReplaceData",
    "internal Vertical None",
    "internal Vertical Insert",
    "internal Right Insert",
    "EmptyPage",
    "FullRight",
    "PartialRight",
];

fn assert_seen(seen: &Seen, more: &[&str]) {
    for what in COMMON.iter().chain(more) {
        let times = seen.get(*what).copied().unwrap_or(0);
        assert!(times > 0, "{what} was not tried");
    }
}

#[test]
fn old_logs_without_images() {
    let seen = runs(&WITHOUT_IMAGES, 0..4);
    assert_seen(&seen, &["Split", "Merge", "ConvertFDP", "ConvertFDP2"]);
}

#[test]
fn old_logs_with_images() {
    let seen = runs(&WITH_IMAGES[..4], 0..4);
    assert_seen(&seen, &["Split2", "Merge2", "ConvertFDP2"]);
}

#[test]
fn new_logs() {
    let seen = runs(&WITH_IMAGES[4..], 0..4);
    let more = ["Split2", "Merge2", "ConvertFDP2", "Delta64"];
    assert_seen(&seen, &more);
    assert_seen(&seen, &["FullLeft", "PartialLeft"]);
}

/// Many seeds; `EXUTIL_SEEDS` says how many.
#[test]
#[ignore = "takes minutes"]
fn many_seeds() {
    let seeds = std::env::var("EXUTIL_SEEDS").map_or(20, |seeds| seeds.parse().unwrap());
    runs(&WITHOUT_IMAGES, 1000..1000 + seeds);
    runs(&WITH_IMAGES, 1000..1000 + seeds);
}

/// A page that was written after its split lends the image of its former self to the new page. It must not be taken
/// back to that: changes since then may belong to a transaction that began before the checkpoint.
#[test]
fn a_page_behind_an_image_stays_as_it_is() {
    run(WITH_IMAGES[9], 100_515, &mut Seen::new());
}
