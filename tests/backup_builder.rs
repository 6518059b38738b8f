//! Online backups that the live writer makes: what the set says of itself, and that its copy and its logs, replayed,
//! give what was committed, from pages of different ages, with a patch file and without.

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

use std::io::Cursor;
use std::path::Path;

use cli::{run as exutil, testdata};
use exutil::build::live::{BackupForm, BackupSet, Content, Live, LiveError, LiveOptions, LiveRows};
use exutil::build::logs::{BuiltFile, LogFormat, Tail};
use exutil::build::{DatabaseBuilder, stamp_backup};
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::checksum::{Verdict, verify};
use exutil::format::dbheader::DbState;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::logrec::ProcId;
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
use exutil::problem::Problem;
use exutil::progress::Silent;
use exutil::storage::Memory;
use exutil::tree::walk::{Descent, Visit};
use recovery::{Files, change_header, folder_of, header_of};
use samples::Noise;

const SESSIONS: [ProcId; 3] = [ProcId(5), ProcId(9), ProcId(0x0B)];
const TABLES: [&str; 2] = ["large", "small"];

/// One kind of database and log.
#[derive(Debug, Clone, Copy)]
struct Kind {
    page_size: PageSize,
    major: u32,
    format: LogFormat,
    version: (u32, u32),
    digits: usize,
}

const fn old(page_size: PageSize, major: u32, sector: u16, update: u32, digits: usize) -> Kind {
    let format = LogFormat::Ranges { sector };
    Kind {
        page_size,
        major,
        format,
        version: (update, 0),
        digits,
    }
}

const fn new(page_size: PageSize, major: u32, version: (u32, u32), digits: usize) -> Kind {
    Kind {
        page_size,
        major,
        format: LogFormat::Segments,
        version,
        digits,
    }
}

/// Logs without page images.
const WITHOUT_IMAGES: [Kind; 6] = [
    old(PageSize::K4, 9, 512, 6, 5),
    old(PageSize::K2, 9, 512, 6, 5),
    old(PageSize::K8, 0xC, 512, 7, 5),
    old(PageSize::K4, 0xC, 4096, 9, 8),
    old(PageSize::K8, 0x11, 4096, 10, 8),
    old(PageSize::K32, 0x11, 4096, 10, 5),
];
const WITH_IMAGES: [Kind; 10] = [
    old(PageSize::K4, 0x11, 512, 11, 5),
    old(PageSize::K16, 20, 4096, 12, 8),
    old(PageSize::K8, 20, 4096, 15, 5),
    old(PageSize::K2, 20, 512, 17, 8),
    new(PageSize::K2, 20, (2, 2), 5),
    new(PageSize::K4, 20, (4, 4), 8),
    new(PageSize::K8, 20, (5, 16), 5),
    new(PageSize::K8, 290, (130, 280), 8),
    new(PageSize::K16, 290, (130, 280), 5),
    new(PageSize::K32, 290, (4, 4), 8),
];

/// A run of the writer.
struct Run {
    kind: Kind,
    noise: Noise,
    rows: Vec<LiveRows>,
    live: Live,
    /// Names that were used, for each table.
    names: [Vec<Vec<u8>>; 2],
}

impl Run {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let mut options = samples::options(kind.page_size, kind.major, seed as u32).unwrap();
        options.spare_pages = 300;
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let rows = vec![
            LiveRows::new(TABLES[0], 100, kind.page_size),
            LiveRows::new(TABLES[1], 5, kind.page_size),
        ];
        let mut roots = Vec::new();
        let mut names = [Vec::new(), Vec::new()];
        for (at, table) in rows.iter().enumerate() {
            names[at] = (0..[600, 3][at]).map(|n| name(n * 140)).collect();
            let body = kind.page_size.bytes() / 40;
            let made = names[at]
                .iter()
                .map(|name| table.row(name, 1, 2, &noise.bytes(body)));
            let info = builder.add_table(table.table(), made).unwrap();
            roots.push((info.root, info.objid));
        }
        let file = builder.finish().unwrap().0.into_inner();
        let bytes = (kind.page_size.bytes() * 5).max(24 << 10);
        let sector = match kind.format {
            LogFormat::Ranges { sector } => usize::from(sector),
            LogFormat::Segments => 4096,
        };
        let options = LiveOptions {
            format: kind.format,
            version: kind.version,
            digits: kind.digits,
            file_sectors: (bytes / sector) as u16,
            seed,
        };
        let live = Live::open(file, &roots, options).unwrap();
        Self {
            kind,
            noise,
            rows,
            live,
            names,
        }
    }

    /// One random thing.
    fn step(&mut self) {
        let table = usize::from(self.noise.below(4) == 0);
        let session = SESSIONS[self.noise.below(3) as usize];
        if self.live.level(session) == 0 {
            self.live.begin(session).unwrap();
        }
        let most = self.kind.page_size.bytes() as u64 / 8;
        let len = self.noise.below(most) as usize;
        let body = self.noise.bytes(len);
        let name = name(self.noise.below(90_000) as usize);
        let (key, data) = self.rows[table].node(&name, 7, -5, &body).unwrap();
        match self.noise.below(40) {
            0..=14 => {
                self.live.insert(session, table, &key, &data).unwrap();
                self.names[table].push(name);
            }
            15..=17 => {
                let key = self.live.content(table).unwrap().into_keys().next();
                if let Some(key) = key {
                    let add = (3, LiveRows::COUNT_OFFSET, false);
                    self.live.add(session, table, &key, add).unwrap();
                }
            }
            18..=21 => {
                let names = &self.names[table];
                let name = &names[self.noise.below(names.len() as u64) as usize];
                let (key, data) = self.rows[table].node(name, 8, -6, &body).unwrap();
                self.live.replace(session, table, &key, &data).unwrap();
            }
            22 => self.delete_many(session, table),
            23 => {
                self.live.clean_up(table).unwrap();
            }
            24..=27 => {
                self.live.merge_some(table).unwrap();
            }
            28..=30 => {
                self.live.split_some(session, table).unwrap();
            }
            31 => self.live.flush_log().unwrap(),
            32 => self.live.rollback(session).unwrap(),
            _ => self.live.commit(session).unwrap(),
        }
        if self.noise.below(3) == 0 {
            let dirty = self.live.dirty_pages();
            if !dirty.is_empty() {
                let page = dirty[self.noise.below(dirty.len() as u64) as usize];
                self.live.flush_page(page).unwrap();
            }
        }
        if self.noise.below(200) == 0 {
            for page in self.live.dirty_pages() {
                self.live.flush_page(page).unwrap();
            }
        }
    }

    /// Deletes neighbours, so that whole leaves become empty and their pages free.
    fn delete_many(&mut self, session: ProcId, table: usize) {
        let content = self.live.content(table).unwrap();
        let from = self.noise.below(content.len() as u64 + 1) as usize;
        for key in content.keys().skip(from).take(40) {
            self.live.delete(session, table, key).unwrap();
        }
        while self.live.level(session) > 0 {
            self.live.commit(session).unwrap();
        }
        for _ in 0..8 {
            self.live.merge_some(table).unwrap();
        }
    }

    /// Ends all transactions and writes all pages, so that a recovery can begin late.
    fn settle(&mut self) {
        for session in SESSIONS {
            while self.live.level(session) > 0 {
                self.live.commit(session).unwrap();
            }
        }
        for page in self.live.dirty_pages() {
            self.live.flush_page(page).unwrap();
        }
    }

    fn steps(&mut self, most: u64) {
        for _ in 0..self.noise.below(most) {
            self.step();
        }
    }

    /// A backup in the middle of the work.
    fn backup(&mut self, form: BackupForm) -> BackupSet {
        self.live.begin_backup(form).unwrap();
        loop {
            let pages = 1 + self.noise.below(4) as usize;
            if self.live.copy_pages(pages).unwrap() == 0 {
                break;
            }
            self.steps(6);
        }
        self.steps(30);
        self.live.end_backup().unwrap()
    }
}

fn name(number: usize) -> Vec<u8> {
    format!("Top/{number:08}").into_bytes()
}

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
    let db = Database::open(&dir.path().join("live.edb"), None).map_err(|e| e.to_string())?;
    for (table, model) in TABLES.iter().zip(model) {
        let found = content(&db, table)?;
        let wrong = |(key, data): &(&Vec<u8>, &Vec<u8>)| found.get(*key) != Some(*data);
        let lost = model.iter().filter(wrong).count();
        if lost > 0 || found.len() != model.len() {
            return Err(format!(
                "{table}: {lost} nodes are wrong, {} for {}",
                found.len(),
                model.len()
            ));
        }
    }
    let report = check(&db, None, &CheckOptions::default(), &Silent);
    let leaks = |problem| problem == Problem::SpaceLeaked;
    match report
        .findings
        .iter()
        .find(|finding| !leaks(finding.problem))
    {
        Some(finding) => Err(format!("{finding:?}")),
        None => Ok(()),
    }
}

fn content(db: &Database, table: &str) -> Result<Content, String> {
    let schema = exutil::db::catalog::Schema::read(db);
    let found = schema.tables.values().find(|found| found.name == table);
    let root = found.ok_or("no table")?.root;
    let mut nodes = Content::new();
    let mut wrong = None;
    Descent::new(db, root).walk(&mut |visit| match visit {
        Visit::Leaf(_, page) => {
            for node in page.nodes().flatten() {
                if !node.flags.is_deleted() {
                    nodes.insert(node.key(), node.data.to_vec());
                }
            }
        }
        Visit::Internal(..) => {}
        Visit::Failed(pgno, _, failure) => wrong = Some(format!("page {pgno}: {failure}")),
    });
    wrong.map_or(Ok(nodes), Err)
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
