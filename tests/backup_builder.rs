//! Online backups that the live writer makes: what the set says of itself, and that its copy and its logs, replayed,
//! give what was committed, from pages of different ages, with a patch file and without.

#[path = "common/backup.rs"]
mod backup;
#[path = "common/cli.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod cli;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;
#[path = "common/recovery.rs"]
mod recovery;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::path::Path;

use backup::{Kind, Run, WITH_IMAGES, WITHOUT_IMAGES, compare};
use cli::{run as exutil, testdata};
use exutil::build::live::{BackupForm, BackupSet, Content, Live, LiveError};
use exutil::build::logs::{BuiltFile, Tail};
use exutil::build::stamp_backup;
use exutil::format::checksum::{Verdict, verify};
use exutil::format::dbheader::DbState;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::page::Page;
use exutil::format::patchfile;
use exutil::format::stamp::{BackupInfo, Lgpos, LogTime};
use exutil::format::trailer::Trailer;
use exutil::jet::JetError;
use exutil::log::generation::LoadedLog;
use exutil::ops::checksum::{ChecksumOptions, check_file};
use exutil::ops::headers::{HeaderOptions, read_headers};
use exutil::ops::logs::{GenerationRange, Quiet, read_stream};
use exutil::ops::recover::recover_files;
use exutil::progress::Silent;
use exutil::storage::Memory;
use recovery::{Files, change_header, folder_of, header_of};

/// Newest version of every page, the trailer page left out: what a restore begins with.
fn patched(set: &BackupSet, size: PageSize, use_patch: bool) -> Vec<u8> {
    let mut database = set.database.clone();
    let time = |page: &[u8]| Page::new(page, size).unwrap().dbtime();
    match &set.patch {
        Some(patch) if use_patch => {
            for (pgno, page) in patchfile::pages(patch, size) {
                let start = pgno.offset(size) as usize;
                let place = &mut database[start..start + size.bytes()];
                if time(page) > time(place) {
                    place.copy_from_slice(page);
                }
            }
        }
        Some(_) => {}
        None => database.truncate(database.len() - size.bytes()),
    }
    change_header(&mut database, |header| {
        header.backup_full_cur = BackupInfo::default();
        header.required_low = set.low;
        header.required_high = set.high;
        header.committed_high = set.high;
    });
    database
}

/// The folder of a restore: the copy ready for redo, its logs, and `later` ones.
fn restored(set: &BackupSet, size: PageSize, use_patch: bool, later: &[BuiltFile]) -> Files {
    let mut files = Files::new();
    for log in set.logs.iter().chain(later) {
        files.insert(log.name.clone(), log.bytes.clone());
    }
    files.insert("live.edb".into(), patched(set, size, use_patch));
    files
}

/// Replays the logs of a folder and says what is wrong with the result.
fn replay(files: &Files, model: &[Content]) -> Result<(), String> {
    let dir = folder_of(files);
    let mut options = recovery::options(dir.path());
    options.base = "E00".into();
    let report = recover_files(&options, &Silent).map_err(|error| error.to_string())?;
    let database = report
        .databases
        .first()
        .ok_or_else(|| format!("{:?}", report.skipped))?;
    if database.state != DbState::CleanShutdown {
        return Err(format!("{:?}", database.state));
    }
    compare(&dir.path().join("live.edb"), model)
}

/// What the set says of itself.
fn judge(set: &BackupSet, kind: Kind, form: BackupForm) {
    let header = header_of(&set.database).unwrap();
    let size = kind.page_size;
    assert_eq!(header.db_state(), DbState::DirtyShutdown);
    assert!(header.is_backup_copy());
    assert_eq!(header.backup_full_cur.mark, set.mark);
    assert_eq!(header.required_low, set.low);
    assert!(set.low <= set.mark.generation && set.mark.generation <= set.high);
    match &set.patch {
        None => {
            let at = set.database.len() - size.bytes();
            let trailer = Trailer::read(&set.database[at..]).unwrap();
            assert_eq!(trailer.sign_db, header.sign_db);
            assert_eq!(trailer.sign_log, header.sign_log);
            assert_eq!(trailer.backup.mark, set.mark);
            assert_eq!(
                (trailer.backup.low, trailer.backup.high),
                (set.low, set.high)
            );
            assert_eq!(trailer.has_generations(), form == BackupForm::Trailer);
            if trailer.has_generations() {
                assert_eq!(
                    (trailer.required_low, trailer.required_high),
                    (set.low, set.high)
                );
            }
        }
        Some(patch) => {
            let own = header_of(patch).unwrap();
            assert_eq!(
                (own.sign_db, own.sign_log),
                (header.sign_db, header.sign_log)
            );
            let info = own.backup_full_cur;
            assert_eq!(
                (info.low, info.high, info.mark),
                (set.low, set.high, set.mark)
            );
            for (pgno, page) in patchfile::pages(patch, size) {
                assert_eq!(verify(page, size, pgno), Verdict::Good);
            }
            assert_eq!(patchfile::pages(patch, size).count(), set.patched);
        }
    }
    let mut files = Files::from([("live.edb".to_owned(), set.database.clone())]);
    for log in &set.logs {
        files.insert(log.name.clone(), log.bytes.clone());
    }
    let dir = folder_of(&files);
    let path = dir.path().join("live.edb");
    let report = check_file(&path, &ChecksumOptions::default(), &Silent).unwrap();
    assert_eq!(
        (report.counts.bad, report.findings.len()),
        (0, 0),
        "{:?}",
        report.findings
    );
    if set.patch.is_none() {
        let report = read_headers(&path, &HeaderOptions::default()).unwrap();
        assert_eq!(report.trailer.unwrap().backup.high, set.high);
    }
    judge_logs(set, dir.path());
}

/// The logs are complete, closed, and each the successor of the one before.
fn judge_logs(set: &BackupSet, dir: &Path) {
    let generations: Vec<u32> = set
        .logs
        .iter()
        .map(|log| {
            let storage = Memory::new(log.bytes.clone());
            let loaded = LoadedLog::from_storage(&storage, Path::new(&log.name)).unwrap();
            let number = &log.name[3..log.name.len() - 4];
            assert_eq!(
                u32::from_str_radix(number, 16).unwrap(),
                loaded.generation().get()
            );
            loaded.generation().get()
        })
        .collect();
    let all: Vec<u32> = (set.low.get()..=set.high.get()).collect();
    assert_eq!(generations, all);
    let report = read_stream(dir, "E00", GenerationRange::default(), &mut Quiet).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.jet, JetError::SUCCESS);
}

/// What was seen in a run, and over many.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    runs: usize,
    /// Copies with pages from before the mark that were changed in these logs, and with pages from after it.
    mixed: usize,
    /// Patch files that are not empty, and that are needed.
    patched: usize,
    needed: usize,
    /// Sets of several logs, and with transactions that are open at their end.
    several: usize,
    open: usize,
    /// Sets that begin behind the first log of the stream.
    late: usize,
    /// Logs played forward behind a set.
    forward: usize,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.mixed += other.mixed;
        self.patched += other.patched;
        self.needed += other.needed;
        self.several += other.several;
        self.open += other.open;
        self.late += other.late;
        self.forward += other.forward;
    }
}

/// Pages of the copy that do not have all that the logs say, and pages that were changed after the mark.
fn ages(set: &BackupSet, live: &Live, size: PageSize) -> (usize, usize) {
    let pages = set.database.chunks_exact(size.bytes()).enumerate().skip(2);
    let (mut older, mut newer) = (0, 0);
    for (at, bytes) in pages {
        let Some(now) = live.page(Pgno::new(at as u32 - 1)) else {
            continue;
        };
        let [copy, now] = [bytes, now].map(|bytes| Page::new(bytes, size).unwrap().dbtime().get());
        older += usize::from(copy <= set.dbtime && now > set.dbtime);
        newer += usize::from(copy > set.dbtime);
    }
    (older, newer)
}

fn run(kind: Kind, seed: u64, form: BackupForm) -> Seen {
    let size = kind.page_size;
    let mut run = Run::new(kind, seed);
    run.steps(400);
    if run.noise.below(2) == 0 {
        run.settle();
        run.steps(40);
    }
    let set = run.backup(form);
    judge(&set, kind, form);
    let (older, newer) = ages(&set, &run.live, size);
    replay(&restored(&set, size, true, &[]), &set.model).unwrap();
    let needed = set.patched > 0 && replay(&restored(&set, size, false, &[]), &set.model).is_err();
    // The writer has gone on; its logs go on behind the set's.
    run.steps(200);
    let more = run.live.incremental_backup(set.high).unwrap();
    assert_eq!((more.low, more.logs.is_empty()), (set.high.next(), false));
    let files = restored(&set, size, true, &more.logs);
    replay(&files, &more.model).unwrap();
    run.steps(60);
    let (low, high) = run.live.keepable();
    let keep = low + run.noise.below((high - low + 1) as u64) as usize;
    let state = run.live.crash(keep, Tail::Shadow).unwrap();
    let last = &set.logs.last().unwrap().name;
    let behind = |log: &&BuiltFile| log.name == "E00.log" || log.name > *last;
    let later: Vec<BuiltFile> = state.logs.iter().filter(behind).cloned().collect();
    replay(&restored(&set, size, true, &later), &state.model).unwrap();
    Seen {
        runs: 1,
        mixed: usize::from(older > 0 && newer > 0),
        patched: usize::from(set.patched > 0),
        needed: usize::from(needed),
        several: usize::from(set.logs.len() > 1),
        open: usize::from(set.open > 0),
        late: usize::from(state.logs[0].name < set.logs[0].name),
        forward: later.len(),
    }
}

fn runs(kinds: &[Kind], seeds: std::ops::Range<u64>, forms: &[BackupForm]) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        for (at, kind) in kinds.iter().enumerate() {
            let form = forms[(seed as usize + at) % forms.len()];
            let seed = seed * 100 + at as u64;
            let done = std::panic::catch_unwind(|| run(*kind, seed, form));
            seen.add(done.unwrap_or_else(|_| panic!("{kind:?}, seed {seed}, {form:?}")));
        }
    }
    println!("{seen:?}");
    seen
}

#[test]
fn copies_with_a_trailer_page() {
    let forms = [BackupForm::Trailer, BackupForm::OldTrailer];
    let seen = runs(&WITH_IMAGES, 0..4, &forms);
    assert!(seen.mixed * 4 > seen.runs * 3, "{seen:?}");
    assert!(
        seen.several > 0 && seen.open > 0 && seen.late > 3,
        "{seen:?}"
    );
    assert!(seen.patched == 0 && seen.forward > seen.runs, "{seen:?}");
}

#[test]
fn copies_with_a_patch_file() {
    let seen = runs(&WITHOUT_IMAGES, 0..6, &[BackupForm::PatchFile]);
    assert!(seen.mixed * 4 > seen.runs * 3, "{seen:?}");
    assert!(seen.patched > 0 && seen.needed > 0, "{seen:?}");
    assert!(
        seen.several > 0 && seen.open > 0 && seen.late > 3,
        "{seen:?}"
    );
}

/// Where the log has images, nothing has to go to the patch file.
#[test]
fn a_patch_file_beside_images_is_empty() {
    let seen = runs(&WITH_IMAGES[..6], 50..51, &[BackupForm::PatchFile]);
    assert_eq!((seen.runs, seen.patched), (6, 0));
}

/// The new page of a split goes to the patch file although the split page was copied before: that one gets there itself
/// later, because of a third page behind it.
#[test]
fn pages_that_wait_for_each_other_in_a_chain() {
    for seed in [100_304, 100_504] {
        let seen = run(WITHOUT_IMAGES[4], seed, BackupForm::PatchFile);
        assert_eq!(seen.patched, 1);
    }
}

#[test]
fn backups_come_one_after_the_other() {
    let mut run = Run::new(WITHOUT_IMAGES[0], 7);
    let refused = |result: Result<(), LiveError>| {
        assert!(matches!(result, Err(LiveError::Contradiction(_))));
    };
    refused(run.live.begin_backup(BackupForm::Trailer));
    refused(run.live.copy_pages(1).map(|_| ()));
    refused(run.live.end_backup().map(|_| ()));
    run.steps(100);
    let first = run.backup(BackupForm::PatchFile);
    run.live.begin_backup(BackupForm::PatchFile).unwrap();
    refused(run.live.begin_backup(BackupForm::PatchFile));
    refused(run.live.incremental_backup(first.high).map(|_| ()));
    run.steps(100);
    let second = run.live.end_backup().unwrap();
    assert!(second.low >= first.low && second.mark > first.mark);
    let size = run.kind.page_size;
    replay(&restored(&second, size, true, &[]), &second.model).unwrap();
    // The logs of the second lead the first to the same content.
    let behind = |log: &&BuiltFile| log.name > first.logs.last().unwrap().name;
    let later: Vec<BuiltFile> = second.logs.iter().filter(behind).cloned().collect();
    replay(&restored(&first, size, true, &later), &second.model).unwrap();
    // Nothing happened since: its own records are all that a generation holds.
    let empty = run.live.incremental_backup(second.high).unwrap();
    assert_eq!((empty.logs.len(), empty.high), (1, second.high.next()));
}

/// What the engine made, made again: header and trailer page to the last byte.
#[test]
fn stamping_gives_what_the_engine_wrote() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    for case in ["backup-full/pre/bk/new", "backup-legacy/pre/bk"] {
        let path = corpus.join("engine").join(case).join("test.edb");
        let theirs = std::fs::read(path).unwrap();
        let at = theirs.len() - 4096;
        let trailer = Trailer::read(&theirs[at..]).unwrap();
        let mut ours = theirs[..at].to_vec();
        change_header(&mut ours, |header| {
            header.backup_full_cur = BackupInfo::default()
        });
        stamp_backup(&mut ours, trailer.backup, true).unwrap();
        assert!(ours == theirs, "{case}");
    }
}

/// A crashed database with a stamp is a copy to the commands.
#[test]
fn a_stamped_database_is_a_copy_to_all() {
    let mut bytes = std::fs::read(testdata("dirty.edb")).unwrap();
    let header = header_of(&bytes).unwrap();
    let backup = BackupInfo {
        mark: Lgpos::new(header.required_high, 3, 4),
        time: LogTime::utc((2026, 1, 2), (3, 4, 5), 6),
        low: header.required_low,
        high: header.required_high,
    };
    stamp_backup(&mut bytes, backup, true).unwrap();
    let dir = folder_of(&Files::from([("copy.edb".to_owned(), bytes)]));
    let path = dir.path().join("copy.edb");
    let path = path.to_str().unwrap();
    let shown = exutil(&["mh", path]);
    assert!(shown.contains("Patch Current Full Backup:"), "{shown}");
    let clean = exutil(&["k", path]);
    assert!(clean.starts_with("status 0"), "{clean}");
}

/// Many seeds; `EXUTIL_SEEDS` says how many.
#[test]
#[ignore = "takes minutes"]
fn many_seeds() {
    let seeds = std::env::var("EXUTIL_SEEDS").map_or(20, |seeds| seeds.parse().unwrap());
    let seeds = 1000..1000 + seeds;
    runs(
        &WITH_IMAGES,
        seeds.clone(),
        &[BackupForm::Trailer, BackupForm::OldTrailer],
    );
    runs(&WITHOUT_IMAGES, seeds, &[BackupForm::PatchFile]);
}
