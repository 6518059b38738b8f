//! The undo file: whatever happens at whatever moment, the files are as before the operation, or as after
//! it.

mod common;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use common::Random;
use exutil::error::{Error, Result};
use exutil::format::undofile::{
    AsideEntry, ENTRIES_AT, FileEntry, RangeEntry, UndoEntry, UndoHeader, UndoPlan, UndoStatus,
    sectors, write_entry,
};
use exutil::jet::JetError;
use exutil::storage::{Crash, Disk, MemoryDisk, RealDisk};
use exutil::undo::{Applier, Settled, UndoFile, UndoWriter, prepare, settle};
use xxhash_rust::xxh3::xxh3_64;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What an operation makes of a folder: every kind of change there is.
struct Plan {
    dir: PathBuf,
    new: Vec<u8>,
}

const UNDO: &str = "E00.undo";

impl Plan {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            new: Random(5).bytes(40_000),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The files before.
    fn before(&self) -> Files {
        let mut random = Random(1);
        let sizes = [
            ("priv1.edb", 30_000),
            ("cut.log", 10_000),
            ("longer.log", 5_001),
            ("replaced.chk", 9_000),
            ("removed.log", 7_777),
            ("empty", 0),
            ("bystander", 600),
        ];
        let file = |(name, size): (&str, usize)| (self.path(name), random.bytes(size));
        sizes.into_iter().map(file).collect()
    }

    /// (file, offset, length of what is written): neighbours, gaps, unaligned, over the end.
    const RANGES: [(&'static str, u64, usize); 10] = [
        ("priv1.edb", 0, 4096),
        ("priv1.edb", 4096, 4096),
        ("priv1.edb", 12_288, 4096),
        ("priv1.edb", 20_003, 700),
        ("priv1.edb", 24_000, 100),
        ("priv1.edb", 24_100, 300),
        ("longer.log", 100, 50),
        ("longer.log", 4_608, 2_048),
        ("longer.log", 9_000, 10),
        ("cut.log", 1_024, 512),
    ];

    fn save<'d>(&self, disk: &'d dyn Disk) -> Result<UndoWriter<'d>> {
        let mut undo = UndoWriter::create(disk, &self.path(UNDO), "r E00")?;
        for (name, offset, len) in Self::RANGES {
            undo.save_range(&self.path(name), offset, &self.new[..len])?;
        }
        undo.save_len(&self.path("cut.log"), 3_333)?;
        undo.save_len(&self.path("longer.log"), 12_345)?;
        let hash = xxh3_64(&self.new[..3_000]);
        undo.will_create(&self.path("created.log"), 3_000, hash)?;
        undo.will_replace(&self.path("replaced.chk"), 3_000, hash)?;
        undo.will_replace(&self.path("empty"), 3_000, hash)?;
        undo.will_remove(&self.path("removed.log"))?;
        Ok(undo)
    }

    fn apply(&self, applier: &mut Applier<'_>) -> Result<()> {
        for (name, offset, len) in Self::RANGES {
            applier.write_range(&self.path(name), offset, &self.new[..len])?;
        }
        applier.set_len(&self.path("cut.log"), 3_333)?;
        applier.set_len(&self.path("longer.log"), 12_345)?;
        applier.create_file(&self.path("created.log"), &self.new[..3_000])?;
        applier.replace_file(&self.path("replaced.chk"), &self.new[..3_000])?;
        applier.replace_file(&self.path("empty"), &self.new[..3_000])?;
        applier.remove(&self.path("removed.log"))
    }

    /// All of it in one piece, rolled back by itself when it fails.
    fn run(&self, disk: &dyn Disk) -> Result<Option<PathBuf>> {
        self.save(disk)?.commit(true, |applier| self.apply(applier))
    }

    /// All of it step by step, as a process that is killed leaves it: nobody rolls anything back.
    fn run_killed(&self, disk: &dyn Disk) -> Result<()> {
        let sealed = self.save(disk)?.seal()?;
        let mut applier = Applier::new(disk);
        self.apply(&mut applier)?;
        applier.sync_all()?;
        sealed.complete().map(drop)
    }

    /// The files after, told without any of the code under test.
    fn after(&self) -> Files {
        let mut files = self.before();
        for (name, offset, len) in Self::RANGES {
            let file = files.get_mut(&self.path(name)).unwrap();
            let end = offset as usize + len;
            file.resize(file.len().max(end), 0);
            file[offset as usize..end].copy_from_slice(&self.new[..len]);
        }
        let resized = [("cut.log", 3_333), ("longer.log", 12_345)];
        for (name, len) in resized {
            files.get_mut(&self.path(name)).unwrap().resize(len, 0);
        }
        for name in ["created.log", "replaced.chk", "empty"] {
            files.insert(self.path(name), self.new[..3_000].to_vec());
        }
        files.remove(&self.path("removed.log"));
        files
    }
}

/// The files of a folder on disk, but for undo files.
fn real_files(dir: &Path) -> Files {
    let entries = std::fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_none_or(|extension| extension != "undo"))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn without_undo(mut files: Files) -> Files {
    files.retain(|path, _| path.extension().is_none_or(|extension| extension != "undo"));
    files
}

#[track_caller]
fn assert_same(found: &Files, expected: &Files, what: &str) {
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}");
    for (path, bytes) in expected {
        let same = found[path] == *bytes;
        assert!(same, "{what}: {} differs", path.display());
    }
}

/// A folder on disk with the files before.
fn folder() -> (tempfile::TempDir, Plan) {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new(&dir.path().canonicalize().unwrap());
    for (path, bytes) in plan.before() {
        std::fs::write(path, bytes).unwrap();
    }
    (dir, plan)
}

/// A disk in memory with the files before.
fn memory() -> (MemoryDisk, Plan) {
    let plan = Plan::new(Path::new("/data"));
    (MemoryDisk::new(plan.before()), plan)
}

fn undo(disk: &dyn Disk, path: &Path, force: bool) -> Result<()> {
    UndoFile::open(disk, path)?.restore(force).map(drop)
}

#[test]
fn complete_and_undone_on_a_real_disk() {
    let (dir, plan) = folder();
    let kept = plan.run(&RealDisk).unwrap().unwrap();
    assert_same(&real_files(dir.path()), &plan.after(), "after");
    {
        let file = UndoFile::open(&RealDisk, &kept).unwrap();
        assert_eq!(
            (file.status(), file.operation()),
            (UndoStatus::Complete, "r E00")
        );
        assert!(file.created().unwrap().starts_with("20"));
        assert_eq!(file.files().len(), 7);
        assert_eq!(file.check().unwrap(), []);
        let lens = file.files().iter().map(|it| (it.before_len, it.after_len));
        let lens: Vec<_> = lens.collect();
        assert_eq!(
            lens[..3],
            [(30_000, 30_000), (5_001, 12_345), (10_000, 3_333)]
        );
    }
    assert_eq!(
        settle(&RealDisk, &kept).unwrap(),
        Settled::Kept(UndoStatus::Complete)
    );
    let mut file = UndoFile::open(&RealDisk, &kept).unwrap();
    let report = file.restore(false).unwrap();
    assert_eq!((report.was, report.files.len()), (UndoStatus::Complete, 7));
    assert_same(&real_files(dir.path()), &plan.before(), "undone");
    // Once more changes nothing.
    assert_eq!(file.restore(false).unwrap().was, UndoStatus::Restored);
    undo(&RealDisk, &kept, false).unwrap();
    assert_same(&real_files(dir.path()), &plan.before(), "undone twice");
}

#[test]
fn nothing_is_left_where_no_undo_file_is_wanted() {
    let (disk, plan) = memory();
    let none = plan.save(&disk).unwrap();
    let none = none.commit(false, |applier| plan.apply(applier)).unwrap();
    assert_eq!(none, None);
    assert_same(&disk.files(), &plan.after(), "after");
}

/// Killed at every step of saving, applying and completing: then settled.
#[test]
fn killed_at_every_step() {
    let (mut steps, mut seen) = (0, BTreeMap::new());
    loop {
        let (dir, plan) = folder();
        let disk = Crash::after(RealDisk, steps);
        let ended = plan.run_killed(&disk);
        let became = settle(&RealDisk, &plan.path(UNDO)).unwrap();
        let what = format!("{steps}: {became:?}");
        let name = match became {
            Settled::Kept(UndoStatus::Complete) => {
                assert_same(&real_files(dir.path()), &plan.after(), &what);
                undo(&RealDisk, &plan.path(UNDO), false).unwrap();
                "complete"
            }
            Settled::RolledBack(_) => "rolled back",
            Settled::Deleted => "deleted",
            Settled::Absent => "absent",
            Settled::Kept(status) => panic!("{steps}: {status:?}"),
        };
        *seen.entry(name).or_insert(0) += 1;
        assert_same(&real_files(dir.path()), &plan.before(), &what);
        // And then the operation can be run.
        if name != "complete" {
            plan.run(&RealDisk).unwrap();
            assert_same(&real_files(dir.path()), &plan.after(), &what);
        }
        if ended.is_ok() {
            break;
        }
        steps += 1;
    }
    assert!(seen["deleted"] > 2 && seen["rolled back"] > 15, "{seen:?}");
}

/// Killed at every step of taking back, again and again, until it is through.
#[test]
fn killed_at_every_step_of_restoring() {
    let mut random = Random(4);
    for complete in [true, false] {
        let mut steps = 0;
        loop {
            let (disk, plan) = memory();
            if complete {
                plan.run(&disk).unwrap();
            } else {
                let sealed = plan.save(&disk).unwrap().seal().unwrap();
                plan.apply(&mut Applier::new(&disk)).unwrap();
                drop(sealed);
            }
            let crash = Crash::after(disk.clone(), steps);
            let ended = undo(&crash, &plan.path(UNDO), false);
            let disk = if steps % 2 == 0 {
                disk.power_lost(|| random.below(2) == 0)
            } else {
                disk
            };
            // The second attempt is killed too, a step later.
            let _ = undo(
                &Crash::after(disk.clone(), steps + 1),
                &plan.path(UNDO),
                false,
            );
            undo(&disk, &plan.path(UNDO), false).unwrap();
            let what = format!("{complete} {steps}");
            assert_same(&without_undo(disk.files()), &plan.before(), &what);
            if ended.is_ok() {
                break;
            }
            steps += 1;
        }
        assert!(steps > 10, "{steps}");
    }
}

/// The power goes at every step: of what was not synced any part may be on the disk, sector by sector.
#[test]
fn power_lost_at_every_step() {
    let mut random = Random(9);
    let mut seen = BTreeMap::new();
    for round in 0..6 {
        let mut steps = 0;
        loop {
            let (disk, plan) = memory();
            let ended = plan.run_killed(&Crash::after(disk.clone(), steps));
            let limit = [2, 2, 10, 10, 1, 1000][round];
            let disk = disk.power_lost(|| (random.below(limit) == 0) == (round % 2 == 0));
            // And once more while it is being settled.
            let crash = Crash::after(disk.clone(), random.below(40) as u64);
            let _ = settle(&crash, &plan.path(UNDO));
            let disk = disk.power_lost(|| random.below(2) == 0);
            let became = settle(&disk, &plan.path(UNDO)).unwrap();
            let what = format!("round {round}, step {steps}: {became:?}");
            if became == Settled::Kept(UndoStatus::Complete) {
                assert_same(&without_undo(disk.files()), &plan.after(), &what);
                undo(&disk, &plan.path(UNDO), false).unwrap();
            }
            assert_same(&without_undo(disk.files()), &plan.before(), &what);
            *seen
                .entry(format!("{became:?}").split('(').next().unwrap().to_owned())
                .or_insert(0) += 1;
            if ended.is_ok() {
                break;
            }
            steps += 1;
        }
    }
    assert!(seen["RolledBack"] > 50 && seen["Kept"] > 5, "{seen:?}");
}

#[test]
fn a_failure_rolls_back_by_itself() {
    let mut steps = 0;
    let mut full = 0;
    loop {
        let (disk, plan) = memory();
        // One step fails, those after it work: as when a disk is full for one file.
        let one = OneFails::new(disk.clone(), steps);
        let ended = plan.run(&one);
        match &ended {
            Ok(_) => assert_same(&without_undo(disk.files()), &plan.after(), "after"),
            Err(error) => {
                assert_eq!(error.jet(), JetError::DISK_FULL, "{error}");
                let what = format!("{steps}");
                assert_same(&without_undo(disk.files()), &plan.before(), &what);
                assert!(!disk.exists(&plan.path(UNDO)).unwrap(), "{steps}");
                full += 1;
            }
        }
        if ended.is_ok() {
            break;
        }
        steps += 1;
    }
    assert!(full > 20, "{full}");
}

/// A disk of which one step fails for lack of space: made of two that crash.
struct OneFails {
    disk: MemoryDisk,
    failing: Crash<MemoryDisk>,
    at: u64,
}

impl OneFails {
    fn new(disk: MemoryDisk, at: u64) -> Self {
        let failing = Crash::failing(disk.clone(), at, io::ErrorKind::StorageFull);
        Self { disk, failing, at }
    }

    fn now(&self) -> &dyn Disk {
        if self.failing.steps() <= self.at {
            &self.failing
        } else {
            &self.disk
        }
    }
}

impl Disk for OneFails {
    fn open(&self, path: &Path) -> Result<Box<dyn exutil::storage::Storage>> {
        self.now().open(path)
    }
    fn open_rw(&self, path: &Path) -> Result<Box<dyn exutil::storage::Storage>> {
        self.now().open_rw(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn exutil::storage::Storage>> {
        self.now().create(path)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.now().remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.now().rename(from, to)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.now().exists(path)
    }
    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.now().canonical(path)
    }
    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.now().sync_dir(dir)
    }
}

/// Changes one file after the operation, expects to be refused, and forces.
fn changed_since(name: &str, change: impl Fn(&mut Vec<u8>), at: u64) {
    let (dir, plan) = folder();
    let kept = plan.run(&RealDisk).unwrap().unwrap();
    let path = plan.path(name);
    let mut bytes = std::fs::read(&path).unwrap_or_default();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let left = real_files(dir.path());
    let undo_bytes = std::fs::read(&kept).unwrap();
    match undo(&RealDisk, &kept, false) {
        Err(Error::ChangedSince {
            path: named,
            offset,
            ..
        }) => {
            assert_eq!((&named, offset), (&path, at), "{name}");
        }
        other => panic!("{name}: {other:?}"),
    }
    assert_same(&real_files(dir.path()), &left, name);
    assert_eq!(std::fs::read(&kept).unwrap(), undo_bytes);
    undo(&RealDisk, &kept, true).unwrap();
    let mut expected = plan.before();
    if name == "priv1.edb" {
        // Only what the operation changed is known; the rest is the file's own.
        let now = std::fs::read(&path).unwrap();
        expected.insert(path, now);
    }
    assert_same(&real_files(dir.path()), &expected, name);
}

#[test]
fn what_was_changed_since_is_refused_without_force() {
    changed_since("priv1.edb", |bytes| bytes[4_096 + 700] ^= 1, 4_096 + 512);
    changed_since("priv1.edb", |bytes| bytes[20_702] ^= 1, 20_480);
    changed_since("priv1.edb", |bytes| bytes.truncate(29_999), 29_999);
    changed_since("longer.log", |bytes| bytes[5_500] ^= 1, 5_120);
    changed_since("longer.log", |bytes| bytes.push(1), 12_346);
    changed_since("cut.log", |bytes| bytes.push(1), 3_334);
    changed_since("created.log", |bytes| bytes[2_999] ^= 1, 0);
    changed_since("replaced.chk", |bytes| bytes[0] ^= 1, 0);
    changed_since("replaced.chk", Vec::clear, 0);
    changed_since("removed.log", |bytes| bytes.push(3), 1);
    changed_since("empty", |bytes| bytes.push(3), 3_001);
}

#[test]
fn a_file_that_is_gone_is_told_and_not_made_up() {
    let (_dir, plan) = folder();
    let kept = plan.run(&RealDisk).unwrap().unwrap();
    std::fs::remove_file(plan.path("priv1.edb")).unwrap();
    for force in [false, true] {
        let error = undo(&RealDisk, &kept, force).unwrap_err();
        assert!(error.to_string().contains("priv1.edb"), "{error}");
        assert!(error.to_string().contains("missing"), "{error}");
    }
    assert!(!plan.path("priv1.edb").exists());
}

#[test]
fn bytes_that_the_operation_left_alone_are_left_alone() {
    let (_dir, plan) = folder();
    let kept = plan.run(&RealDisk).unwrap().unwrap();
    let mut bytes = std::fs::read(plan.path("priv1.edb")).unwrap();
    bytes[9_000] ^= 0xFF;
    std::fs::write(plan.path("priv1.edb"), bytes).unwrap();
    undo(&RealDisk, &kept, false).unwrap();
    let mut expected = plan.before()[&plan.path("priv1.edb")].clone();
    expected[9_000] ^= 0xFF;
    assert!(std::fs::read(plan.path("priv1.edb")).unwrap() == expected);
}

#[test]
fn a_moved_folder_is_restored_where_it_is() {
    let (dir, plan) = folder();
    plan.run(&RealDisk).unwrap();
    let other = tempfile::tempdir().unwrap();
    let moved = other.path().canonicalize().unwrap().join("moved");
    std::fs::create_dir(&moved).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, moved.join(path.file_name().unwrap())).unwrap();
    }
    undo(&RealDisk, &moved.join(UNDO), false).unwrap();
    assert_same(&real_files(&moved), &Plan::new(&moved).before(), "moved");
    assert_same(&real_files(dir.path()), &plan.after(), "the old place");
    // The undo file alone, elsewhere: the absolute paths count.
    let alone = other.path().join(UNDO);
    std::fs::rename(plan.path(UNDO), &alone).unwrap();
    undo(&RealDisk, &alone, false).unwrap();
    assert_same(&real_files(dir.path()), &plan.before(), "from elsewhere");
}

#[test]
fn a_cut_undo_file_is_refused_at_every_length() {
    let (disk, plan) = memory();
    plan.run(&disk).unwrap();
    let files = disk.files();
    let whole = files[&plan.path(UNDO)].clone();
    let step = 97;
    for len in (0..whole.len())
        .step_by(step)
        .chain(whole.len() - 60..whole.len())
    {
        let mut files = files.clone();
        files.insert(plan.path(UNDO), whole[..len].to_vec());
        let disk = MemoryDisk::new(files.clone());
        let ended = undo(&disk, &plan.path(UNDO), true);
        // Without a byte it is one that never came to be: nothing to do.
        assert_eq!(ended.is_ok(), len == 0, "{len}: {ended:?}");
        assert!(disk.files() == files, "{len}");
    }
}

#[test]
fn a_flipped_bit_is_refused_or_does_no_harm() {
    let (disk, plan) = memory();
    plan.run(&disk).unwrap();
    let files = disk.files();
    let whole = files[&plan.path(UNDO)].clone();
    let (mut refused, mut restored) = (0, 0);
    let places = (0..520)
        .chain(4_090..4_620)
        .chain((8_192..whole.len()).step_by(61));
    for at in places.chain(whole.len() - 40..whole.len()) {
        let mut files = files.clone();
        files.get_mut(&plan.path(UNDO)).unwrap()[at] ^= 1 << (at % 8);
        let disk = MemoryDisk::new(files.clone());
        match undo(&disk, &plan.path(UNDO), false) {
            Ok(()) => {
                // A header is there twice, and what lies between the headers means nothing.
                assert!(at < 8_192, "{at}");
                assert_same(&without_undo(disk.files()), &plan.before(), &at.to_string());
                restored += 1;
            }
            Err(error) => {
                assert!(matches!(error, Error::UndoUnusable { .. }), "{at}: {error}");
                assert_eq!(error.jet(), JetError::READ_VERIFY_FAILURE);
                assert!(disk.files() == files, "{at}");
                refused += 1;
            }
        }
        // Nothing is done unasked when it is not sure what is right.
        let disk = MemoryDisk::new(files.clone());
        let became = settle(&disk, &plan.path(UNDO));
        let kept = matches!(became, Ok(Settled::Kept(UndoStatus::Complete)));
        assert!(kept || became.is_err(), "{at}: {became:?}");
        assert!(disk.files() == files, "{at}");
    }
    assert!(refused > 500 && restored > 1000, "{refused} {restored}");
}

#[test]
fn a_damaged_header_of_an_interrupted_operation_is_not_taken_for_unsealed() {
    for slot in [0, 4096] {
        let (disk, plan) = memory();
        let sealed = plan.save(&disk).unwrap().seal().unwrap();
        plan.apply(&mut Applier::new(&disk)).unwrap();
        drop(sealed);
        let file = disk.open_rw(&plan.path(UNDO)).unwrap();
        file.write_at(slot + 20, b"x").unwrap();
        let error = settle(&disk, &plan.path(UNDO)).unwrap_err();
        assert!(error.to_string().contains("exutil undo"), "{error}");
        undo(&disk, &plan.path(UNDO), false).unwrap();
        assert_same(&without_undo(disk.files()), &plan.before(), "restored");
    }
}

#[test]
fn other_files_are_never_taken_for_undo_files() {
    let dir = common::folder_with(&["priv1.edb"]);
    let path = dir.path().join("priv1.edb");
    let error = settle(&RealDisk, &path).unwrap_err();
    assert!(error.to_string().contains("use 'exutil mh'"), "{error}");
    // A database whose headers are wiped out must not be deleted as an unsealed undo file.
    let mut bytes = common::sample("priv1.edb");
    bytes[..8192].fill(0);
    for content in [bytes, b"text".to_vec(), vec![0; 8_193]] {
        std::fs::write(&path, &content).unwrap();
        assert!(matches!(
            settle(&RealDisk, &path),
            Err(Error::UndoUnusable { .. })
        ));
        assert!(std::fs::read(&path).unwrap() == content);
    }
}

#[test]
fn names_are_found_and_interrupted_operations_settled() {
    let (disk, plan) = memory();
    let wanted = plan.path(UNDO);
    assert_eq!(prepare(&disk, &wanted).unwrap(), (wanted.clone(), vec![]));
    plan.run(&disk).unwrap();
    let (second, settled) = prepare(&disk, &wanted).unwrap();
    assert_eq!(second, plan.path("E00-2.undo"));
    let kept = Settled::Kept(UndoStatus::Complete);
    assert_eq!(settled, [(wanted.clone(), kept.clone())]);
    let mut third = UndoWriter::create(&disk, &plan.path("E00-3.undo"), "x").unwrap();
    third
        .save_range(&plan.path("bystander"), 0, b"new")
        .unwrap();
    let sealed = third.seal().unwrap();
    let mut applier = Applier::new(&disk);
    applier
        .write_range(&plan.path("bystander"), 0, b"new")
        .unwrap();
    drop(sealed);
    let (free, settled) = prepare(&disk, &wanted).unwrap();
    assert_eq!((free, settled.len()), (second, 2));
    assert!(matches!(&settled[0], (path, Settled::RolledBack(_)) if path.ends_with("E00-3.undo")));
    assert_same(
        &without_undo(disk.files()),
        &plan.after(),
        "the third is taken back",
    );
}

#[test]
fn what_makes_no_sense_is_refused_and_never_sealed() {
    let (disk, plan) = memory();
    type Step<'a> = &'a dyn Fn(&mut UndoWriter<'_>) -> Result<()>;
    let edb = plan.path("priv1.edb");
    let wrong: [Step<'_>; 8] = [
        &|undo| {
            undo.save_range(&edb, 4_096, &[1; 10])?;
            undo.save_range(&edb, 4_100, &[1; 10])
        },
        &|undo| undo.save_range(&edb, u64::MAX - 3, &[1; 10]),
        &|undo| undo.save_range(&plan.path("none"), 0, &[1; 10]),
        &|undo| undo.will_create(&edb, 0, 0),
        &|undo| {
            undo.save_range(&edb, 0, &[1])?;
            undo.will_remove(&edb)
        },
        &|undo| {
            undo.will_remove(&edb)?;
            undo.save_range(&edb, 0, &[1])
        },
        &|undo| {
            undo.save_len(&edb, 100)?;
            undo.save_range(&edb, 200, &[1])
        },
        &|undo| undo.will_remove(&plan.path(UNDO)),
    ];
    for (number, step) in wrong.into_iter().enumerate() {
        let mut undo = UndoWriter::create(&disk, &plan.path(UNDO), "x").unwrap();
        assert!(step(&mut undo).is_err(), "{number}");
        assert!(undo.save_range(&plan.path("cut.log"), 0, &[1]).is_err());
        assert!(undo.seal().is_err(), "{number}");
        assert_same(&disk.files(), &plan.before(), &number.to_string());
    }
}

/// Many ranges, and large ones: what is saved stays within the room that was asked for.
#[test]
fn large_and_many_ranges_within_the_room_that_was_asked_for() {
    let mut random = Random(3);
    let before = random.bytes(6 << 20);
    let path = PathBuf::from("/d/large.edb");
    let disk = MemoryDisk::new([(path.clone(), before.clone())]);
    let new = random.bytes(3 << 20);
    let mut undo = UndoWriter::create(&disk, Path::new("/d/x.undo"), "x").unwrap();
    // Unaligned and larger than an entry; then every other page.
    let mut ranges = vec![(1_001, new.len() - 7)];
    ranges.extend((800..1_536).step_by(2).map(|page| (page * 4_096, 4_096)));
    let mut saved = 0;
    for (offset, len) in &ranges {
        undo.save_range(&path, *offset, &new[..*len]).unwrap();
        saved += *len as u64;
    }
    let sealed = undo.seal().unwrap();
    let size = disk.open(sealed.path()).unwrap().len().unwrap();
    assert!(
        size > saved && size < UndoWriter::space_needed(saved),
        "{size} {saved}"
    );
    let mut applier = Applier::new(&disk);
    for (offset, len) in &ranges {
        applier.write_range(&path, *offset, &new[..*len]).unwrap();
    }
    applier.sync_all().unwrap();
    let kept = sealed.complete().unwrap();
    assert_eq!(UndoFile::open(&disk, &kept).unwrap().check().unwrap(), []);
    undo_and_compare(&disk, &kept, &path, &before);
}

fn undo_and_compare(disk: &MemoryDisk, kept: &Path, path: &Path, before: &[u8]) {
    undo(disk, kept, false).unwrap();
    assert!(disk.files()[path] == before);
}

/// An undo file of these entries, each with a right checksum, and one file beside it.
fn crafted(entries: &[UndoEntry]) -> MemoryDisk {
    let header = UndoHeader {
        sequence: 1,
        status: UndoStatus::Complete,
        identity: 5,
        created: 0,
        end: 0,
        operation: String::new(),
    };
    let mut bytes = vec![0; ENTRIES_AT as usize];
    bytes[4096..4096 + 512].copy_from_slice(&header.bytes());
    for entry in entries {
        let position = bytes.len() as u64;
        write_entry(&mut bytes, 5, position, entry);
    }
    MemoryDisk::new([
        ("/d/x.undo".into(), bytes),
        ("/d/file".into(), vec![7; 100]),
    ])
}

#[test]
fn hostile_entries_with_right_checksums_are_refused() {
    let file = |plan, before_len, absolute: &str, relative: &str| {
        UndoEntry::File(FileEntry {
            plan,
            before_len,
            after_len: before_len,
            after_hash: 0,
            absolute: absolute.into(),
            relative: relative.into(),
            aside: None,
        })
    };
    let change = || file(UndoPlan::Change, 100, "/d/file", "file");
    let aside = |name: &str, aside: &str, new_file: &str| {
        UndoEntry::File(FileEntry {
            plan: UndoPlan::Aside,
            before_len: 100,
            after_len: 50,
            after_hash: 0,
            absolute: format!("/d/{name}").into(),
            relative: name.into(),
            aside: Some(AsideEntry {
                aside: aside.into(),
                new_file: new_file.into(),
                before_hash: 1,
                modified: 0,
            }),
        })
    };
    let range = |file, offset, len: u32, after: bool, before: bool| {
        let parts = sectors(offset, len as usize).count();
        UndoEntry::Range(RangeEntry {
            file,
            offset,
            len,
            after: after.then(|| vec![0; parts]),
            before: before.then(|| vec![7; len as usize]),
        })
    };
    let end = |entries| UndoEntry::End { entries };
    let length = |len| UndoEntry::Length { file: 0, len };
    let remove = || file(UndoPlan::Remove, 100, "/d/file", "file");
    let good: [Vec<UndoEntry>; 4] = [
        vec![end(0)],
        vec![change(), range(0, 0, 10, true, true), end(2)],
        vec![change(), length(60), range(0, 60, 40, false, true), end(3)],
        vec![remove(), range(0, 0, 100, false, true), end(2)],
    ];
    for (number, entries) in good.iter().enumerate() {
        undo(&crafted(entries), Path::new("/d/x.undo"), true)
            .unwrap_or_else(|error| panic!("{number}: {error}"));
    }
    let bad: Vec<Vec<UndoEntry>> = vec![
        vec![],
        vec![end(1)],
        vec![change()],
        vec![range(0, 0, 10, true, true), end(1)],
        vec![change(), range(1, 0, 10, true, true), end(2)],
        vec![change(), range(0, 0, 0, true, true), end(2)],
        vec![change(), range(0, 0, 10, false, false), end(2)],
        // Over the end, and behind it with a before-image.
        vec![change(), range(0, 95, 10, true, true), end(2)],
        vec![change(), range(0, 95, 10, true, false), end(2)],
        // Twice the same, in the wrong order.
        vec![
            change(),
            range(0, 0, 10, true, true),
            range(0, 5, 10, true, true),
            end(3),
        ],
        // A tail without a cut, and cuts without all of the tail.
        vec![change(), range(0, 60, 40, false, true), end(2)],
        vec![change(), length(60), end(2)],
        vec![change(), length(60), range(0, 60, 30, false, true), end(3)],
        vec![change(), length(60), length(60), end(3)],
        vec![UndoEntry::Length { file: 0, len: 1 }, end(1)],
        // Content with a hole, of a file that goes.
        vec![remove(), range(0, 0, 50, false, true), end(2)],
        vec![remove(), range(0, 1, 99, false, true), end(2)],
        vec![remove(), length(5), range(0, 0, 100, false, true), end(3)],
        vec![
            file(UndoPlan::Create, 0, "/d/new", "new"),
            range(0, 0, 5, true, true),
            end(2),
        ],
        // Paths that lead elsewhere.
        vec![file(UndoPlan::Change, 100, "file", "file"), end(1)],
        vec![file(UndoPlan::Change, 100, "/d/../d/file", ""), end(1)],
        vec![file(UndoPlan::Change, 100, "/d/file", "../d/file"), end(1)],
        vec![file(UndoPlan::Change, 100, "/d/file", "/d/file"), end(1)],
        vec![file(UndoPlan::Change, 100, "", ""), end(1)],
        // One file under two numbers, in whatever spelling, and the undo file itself.
        vec![change(), change(), end(2)],
        vec![
            change(),
            file(UndoPlan::Create, 0, "/d/./file", "./file"),
            end(2),
        ],
        vec![file(UndoPlan::Change, 50, "/d/x.undo", "x.undo"), end(1)],
        vec![file(UndoPlan::Create, 0, "/d/x.undo", ""), end(1)],
        vec![
            aside("file", "kept", "new"),
            aside("other", "kept", "newer"),
            end(2),
        ],
        vec![aside("file", "x.undo", "new"), end(1)],
    ];
    for (number, entries) in bad.iter().enumerate() {
        let disk = crafted(entries);
        let before = disk.files();
        let ended = undo(&disk, Path::new("/d/x.undo"), true);
        assert!(
            matches!(ended, Err(Error::UndoUnusable { .. })),
            "{number}: {ended:?}"
        );
        assert!(disk.files() == before, "{number}");
    }
}

/// The command, on a folder with a complete or an interrupted operation.
mod command {
    use super::*;
    use common::line;

    fn done() -> (tempfile::TempDir, Plan) {
        let (dir, plan) = folder();
        plan.run(&RealDisk).unwrap();
        (dir, plan)
    }

    /// The run without what differs from folder to folder.
    #[cfg(unix)]
    fn text(run: &common::Run, dir: &Path) -> String {
        let dir = dir.canonicalize().unwrap();
        let mut text = run.output().replace(dir.to_str().unwrap(), "DIR");
        for start in ["Created: ", "completed successfully in ", "error -551"] {
            if let Some(at) = text.find(start).map(|at| at + start.len()) {
                let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
                text.replace_range(at..end, "...");
            }
        }
        text
    }

    // Windows writes paths in another way.
    #[cfg(unix)]
    #[test]
    fn a_list_and_a_restoring_as_they_are_printed() {
        let (dir, plan) = done();
        let list = line(dir.path(), "undo E00.undo --list");
        assert_eq!(list.status, 0);
        let shown = text(&list, dir.path());
        let body = shown.split("Initiating").nth(1).unwrap();
        assert_eq!(
            body,
            " UNDO mode...\n      Undo file: E00.undo\n\n\
             \x20     Operation: r E00\n        Created: ...\n          \
             State: Complete (the operation has finished)\n\n\
             \x20 changed  DIR/priv1.edb\n           30000 bytes before, 30000 after, 13388 saved\n\
             \x20 changed  DIR/longer.log\n           5001 bytes before, 12345 after, 443 saved\n\
             \x20 changed  DIR/cut.log\n           10000 bytes before, 3333 after, 7179 saved\n\
             \x20 created  DIR/created.log\n           0 bytes before, 3000 after, 0 saved\n\
             \x20replaced  DIR/replaced.chk\n           9000 bytes before, 3000 after, 9000 saved\n\
             \x20replaced  DIR/empty\n           0 bytes before, 3000 after, 0 saved\n\
             \x20 removed  DIR/removed.log\n           7777 bytes before, 0 after, 7777 saved\n\n\
             Nothing was changed.\n\n\nOperation completed successfully in ...\n\n\n"
        );
        assert_same(&real_files(dir.path()), &plan.after(), "listed");
        let run = line(dir.path(), "/undo E00.undo /o");
        assert_eq!(run.status, 0, "{run:?}");
        assert!(
            run.stdout
                .contains("7777 bytes before, 0 after, 7777 saved, 7777 written back")
        );
        assert!(
            run.stdout
                .contains("Every file is as it was before the operation.")
        );
        assert_same(&real_files(dir.path()), &plan.before(), "restored");
        let again = line(dir.path(), "undo E00.undo");
        assert_eq!(again.status, 0);
        assert!(again.stdout.contains("nothing to undo"), "{again:?}");
        let gone = line(dir.path(), "undo E00.undo --discard");
        assert!(gone.status == 0 && !plan.path(UNDO).exists(), "{gone:?}");
    }

    #[test]
    fn json_tells_what_was_changed_since() {
        let (dir, plan) = done();
        let dry = line(dir.path(), "undo E00.undo --dry-run --format json").one_json();
        assert_eq!(dry["result"]["outcome"], "can_restore");
        assert_eq!(dry["result"]["undo_status"], "complete");
        std::fs::write(plan.path("removed.log"), "new").unwrap();
        let run = line(dir.path(), "undo E00.undo --dry-run --format json");
        let json = run.one_json();
        assert_eq!((run.status, json["jet"]["code"].as_i64()), (4, Some(-551)));
        assert_eq!(json["result"]["outcome"], "would_refuse");
        let since = &json["result"]["files"][6]["changed_since"];
        assert_eq!(
            (
                since["offset"].as_i64(),
                &json["result"]["files"][0]["changed_since"]
            ),
            (Some(3), &serde_json::Value::Null)
        );
        let refused = line(dir.path(), "undo E00.undo");
        assert_eq!(refused.status, 4, "{refused:?}");
        assert!(
            refused
                .stdout
                .contains("removed.log' has been changed since, at offset 0x3"),
            "{refused:?}"
        );
        let forced = line(dir.path(), "undo E00.undo --force --format json").one_json();
        assert_eq!(forced["result"]["files"][6]["written_bytes"], 7777);
        assert_same(&real_files(dir.path()), &plan.before(), "forced");
        let text = std::fs::read_to_string(common::root().join("docs/json.md")).unwrap();
        let result = json["result"].as_object().unwrap();
        let file = result["files"][6].as_object().unwrap();
        for name in result.keys().chain(file.keys()) {
            assert!(text.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn an_interrupted_operation_is_restored_and_not_discarded() {
        let (dir, plan) = folder();
        let sealed = plan.save(&RealDisk).unwrap().seal().unwrap();
        plan.apply(&mut Applier::new(&RealDisk)).unwrap();
        drop(sealed);
        let kept = line(dir.path(), "undo E00.undo --discard");
        assert_eq!(kept.status, 8, "{kept:?}");
        assert!(kept.stdout.contains("interrupted") && plan.path(UNDO).exists());
        let table = line(dir.path(), "undo E00.undo --format table");
        assert_eq!(table.status, 0, "{table:?}");
        assert!(
            table
                .stdout
                .contains("Sealed (the operation was interrupted)"),
            "{table:?}"
        );
        assert_same(&real_files(dir.path()), &plan.before(), "restored");
    }

    #[test]
    fn a_database_or_folder_has_its_undo_files_listed() {
        let (dir, plan) = done();
        // A second change of another file, and a file that only has the name.
        let writer = UndoWriter::create(&RealDisk, &plan.path("other.undo"), "p other").unwrap();
        writer.commit(true, |_| Ok(())).unwrap();
        std::fs::write(plan.path("none.undo"), vec![7; 20_000]).unwrap();
        let of_file = line(dir.path(), "undo priv1.edb --list");
        assert_eq!(of_file.status, 0, "{of_file:?}");
        let names =
            |run: &common::Run, name: &str| run.stdout.contains(&format!("Undo file: {name}"));
        assert!(names(&of_file, "E00.undo") && !names(&of_file, "other.undo"));
        // Nothing is restored that is not named, and a script hears of it.
        let refused = line(dir.path(), "undo priv1.edb");
        assert_eq!(refused.status, 16, "{refused:?}");
        assert!(
            refused.output().contains("exutil undo E00.undo"),
            "{refused:?}"
        );
        let json = common::exutil(dir.path(), &["undo", "priv1.edb", "--format", "json"]);
        assert!(json.stdout.contains("nothing was restored"), "{json:?}");
        // One that the command has removed counts as its file as well.
        assert!(names(&line(dir.path(), "undo removed.log"), "E00.undo"));
        let of_folder = line(dir.path(), "undo .");
        assert!(names(&of_folder, "E00.undo") && !names(&of_folder, "none.undo"));
        let try_out = line(dir.path(), "undo priv1.edb --dry-run");
        assert!(try_out.stdout.contains("can be restored"), "{try_out:?}");
        assert_same(
            &real_files(dir.path()),
            &plan.after(),
            "listing changes nothing",
        );
        // What has none, and what is to be removed, are not guessed at.
        let none = line(dir.path(), "undo bystander");
        assert_eq!(none.status, 8, "{none:?}");
        assert!(
            none.stdout.contains("no undo file of 'bystander'"),
            "{none:?}"
        );
        assert_eq!(line(dir.path(), "undo priv1.edb --discard").status, 4);
        assert_eq!(line(dir.path(), "undo nothing.edb").status, 8);
        // A link leads to the folder of the database itself, and one sound header is enough.
        #[cfg(unix)]
        {
            let other = common::folder_with(&[]);
            let link = other.path().join("link.edb");
            std::os::unix::fs::symlink(plan.path("priv1.edb"), link).unwrap();
            let linked = line(other.path(), "undo link.edb --list");
            assert!(linked.stdout.contains("E00.undo"), "{linked:?}");
        }
        let sound = std::fs::read(plan.path(UNDO)).unwrap();
        for slot in [0, 4096] {
            let mut bytes = sound.clone();
            bytes[slot..slot + 512].fill(0);
            std::fs::write(plan.path(UNDO), &bytes).unwrap();
            let listed = line(dir.path(), "undo E00.undo --list");
            assert!(
                listed.stdout.contains("priv1.edb"),
                "slot {slot}: {listed:?}"
            );
        }
        std::fs::write(plan.path(UNDO), sound).unwrap();
        // Restored, it is told no more as what is to be done.
        assert_eq!(line(dir.path(), "undo E00.undo").status, 0);
        let after = line(dir.path(), "undo priv1.edb");
        assert!(
            names(&after, "E00.undo") && !after.stdout.contains("exutil undo E00"),
            "{after:?}"
        );
    }

    #[test]
    fn other_modes_point_here_and_damage_is_told() {
        let (dir, plan) = done();
        for mode in ["mh", "mk", "ml", "mm", "mp", "ms", "k", "g"] {
            let run = line(dir.path(), &format!("{mode} E00.undo"));
            assert_eq!(run.status, 8, "{run:?}");
            assert!(run.output().contains("use 'exutil undo'"), "{run:?}");
        }
        let mut bytes = std::fs::read(plan.path(UNDO)).unwrap();
        bytes[9_000] ^= 1;
        std::fs::write(plan.path(UNDO), bytes).unwrap();
        let run = line(dir.path(), "undo E00.undo");
        assert_eq!(run.status, 4, "{run:?}");
        assert!(run.stdout.contains("the entry at offset 0x2"), "{run:?}");
        assert_same(&real_files(dir.path()), &plan.after(), "nothing written");
    }
}
