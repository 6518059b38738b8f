//! An original that is put aside: whatever happens at whatever moment, it is there, and comes back.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{Random, line};
use exutil::error::{Error, Result};
use exutil::format::undofile::{
    AsideEntry, ENTRIES_AT, FileEntry, RangeEntry, UndoEntry, UndoHeader, UndoPlan, UndoStatus,
    write_entry,
};
use exutil::storage::{Crash, Disk, MemoryDisk, RealDisk};
use exutil::undo::{Applier, Discarded, Settled, UndoFile, UndoWriter, settle};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const UNDO: &str = "p.undo";
/// Larger than what is hashed.
const LEN: usize = 100_000;

/// A database, a repaired one beside it, and a small file that is changed together with them.
struct Plan {
    dir: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Plan {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            old: Random(1).bytes(LEN),
            new: Random(2).bytes(LEN + 5_000),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn files(&self, files: &[(&str, &[u8])]) -> Files {
        let file = |(name, bytes): &(&str, &[u8])| (self.path(name), bytes.to_vec());
        files.iter().map(file).collect()
    }

    /// With the new file beside.
    fn ready(&self) -> Files {
        self.files(&[("a.edb", &self.old), ("a.tmp", &self.new), ("log", b"old")])
    }

    /// Without it: what an operation that is taken back leaves.
    fn before(&self) -> Files {
        self.files(&[("a.edb", &self.old), ("log", b"old")])
    }

    fn after(&self) -> Files {
        self.files(&[("a.edb", &self.new), ("a.old", &self.old), ("log", b"new")])
    }

    /// With neither the way back nor the original.
    fn discarded(&self) -> Files {
        self.files(&[("a.edb", &self.new), ("log", b"new")])
    }

    fn save<'d>(&self, disk: &'d dyn Disk) -> Result<UndoWriter<'d>> {
        let mut undo = UndoWriter::create(disk, &self.path(UNDO), "p a.edb")?;
        undo.save_range(&self.path("log"), 0, b"new")?;
        undo.will_put_aside(
            &self.path("a.edb"),
            &self.path("a.old"),
            &self.path("a.tmp"),
        )?;
        Ok(undo)
    }

    fn apply(&self, applier: &mut Applier<'_>) -> Result<()> {
        applier.write_range(&self.path("log"), 0, b"new")?;
        applier.put_aside(
            &self.path("a.edb"),
            &self.path("a.old"),
            &self.path("a.tmp"),
        )
    }

    fn run(&self, disk: &dyn Disk, keep: bool) -> Result<Option<PathBuf>> {
        self.save(disk)?.commit(keep, |applier| self.apply(applier))
    }

    /// As a process that is killed leaves it: nobody rolls anything back.
    fn run_killed(&self, disk: &dyn Disk, keep: bool) -> Result<()> {
        let sealed = self.save(disk)?.seal()?;
        let mut applier = Applier::new(disk);
        self.apply(&mut applier)?;
        applier.sync_all()?;
        if keep {
            sealed.complete().map(drop)
        } else {
            sealed.discard()
        }
    }
}

fn memory(links: bool) -> (MemoryDisk, Plan) {
    let plan = Plan::new(Path::new("/data"));
    let disk = MemoryDisk::new(plan.ready());
    let disk = if links { disk } else { disk.without_links() };
    (disk, plan)
}

fn folder() -> (tempfile::TempDir, Plan) {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new(&dir.path().canonicalize().unwrap());
    for (path, bytes) in plan.ready() {
        std::fs::write(path, bytes).unwrap();
    }
    (dir, plan)
}

fn done() -> (tempfile::TempDir, Plan) {
    let (dir, plan) = folder();
    plan.run(&RealDisk, true).unwrap();
    (dir, plan)
}

fn real_files(dir: &Path) -> Files {
    let entries = std::fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    without_undo(
        paths
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect(),
    )
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

fn undo(disk: &dyn Disk, path: &Path, force: bool) -> Result<()> {
    UndoFile::open(disk, path)?.restore(force).map(drop)
}

#[test]
fn put_aside_and_brought_back_on_a_real_disk() {
    let (dir, plan) = folder();
    let kept = plan.run(&RealDisk, true).unwrap().unwrap();
    assert_same(&real_files(&plan.dir), &plan.after(), "after");
    let saved = std::fs::metadata(&kept).unwrap().len();
    assert!(saved < 10_000, "nothing of the database is saved: {saved}");
    let mut file = UndoFile::open(&RealDisk, &kept).unwrap();
    let of = &file.files()[1];
    assert_eq!(
        (of.plan, of.before_len, of.after_len, of.saved),
        (UndoPlan::Aside, LEN as u64, LEN as u64 + 5_000, 0)
    );
    let aside = of.aside.as_ref().unwrap();
    assert_eq!(aside.path, plan.path("a.old"));
    assert_eq!(aside.new_file, plan.path("a.tmp"));
    assert!(aside.modified > 0);
    assert_eq!(file.check().unwrap(), []);
    let kept_status = Settled::Kept(UndoStatus::Complete);
    assert_eq!(settle(&RealDisk, &kept).unwrap(), kept_status);
    assert_eq!(file.restore(false).unwrap().files.len(), 2);
    assert_same(&real_files(&plan.dir), &plan.before(), "undone");
    assert_eq!(file.restore(false).unwrap().was, UndoStatus::Restored);
    undo(&RealDisk, &kept, false).unwrap();
    assert_same(&real_files(&plan.dir), &plan.before(), "undone twice");
    drop(dir);
}

/// What a server that starts at that very moment finds under the name.
#[track_caller]
fn assert_named(files: &Files, plan: &Plan, what: &str) {
    let found = files.get(&plan.path("a.edb"));
    let whole = found.is_some_and(|bytes| *bytes == plan.old || *bytes == plan.new);
    assert!(whole, "{what}: neither the old nor the new has the name");
}

/// Killed, or the power lost, at every step; then settled, which is killed too.
#[test]
fn killed_at_every_step() {
    let mut random = Random(7);
    let mut seen = BTreeMap::new();
    let mut nameless = 0;
    for round in 0..16 {
        let (links, power) = (round % 2 == 0, round >= 4);
        for steps in 0.. {
            let (disk, plan) = memory(links);
            let ended = plan.run_killed(&Crash::after(disk.clone(), steps), true);
            let lost = |disk: MemoryDisk, random: &mut Random| match power {
                true => disk.power_lost(|| random.below(2) == 0),
                false => disk,
            };
            let disk = lost(disk, &mut random);
            let what = format!("round {round}, step {steps}");
            if links {
                assert_named(&disk.files(), &plan, &what);
            } else {
                nameless += i32::from(!disk.files().contains_key(&plan.path("a.edb")));
            }
            let crash = Crash::after(disk.clone(), random.below(20) as u64);
            let _ = settle(&crash, &plan.path(UNDO));
            let disk = lost(disk, &mut random);
            if links {
                assert_named(&disk.files(), &plan, &what);
            }
            let became = settle(&disk, &plan.path(UNDO)).unwrap();
            let what = format!("{what}: {became:?}");
            let name = match became {
                Settled::Kept(UndoStatus::Complete) => {
                    assert_same(&without_undo(disk.files()), &plan.after(), &what);
                    undo(&disk, &plan.path(UNDO), false).unwrap();
                    "complete"
                }
                Settled::RolledBack(_) => "rolled back",
                // Also after the settling that was killed had removed it.
                Settled::Deleted | Settled::Absent => "nothing",
                // The settling was killed before it had removed the undo file.
                Settled::Kept(_) => "restored",
            };
            *seen.entry(name).or_insert(0) += 1;
            let mut found = without_undo(disk.files());
            if name == "nothing" {
                // Before the undo file is sealed, the new file is its writer's to remove.
                found.remove(&plan.path("a.tmp"));
            }
            assert_same(&found, &plan.before(), &what);
            if ended.is_ok() {
                break;
            }
        }
    }
    assert!(seen["rolled back"] > 20 && seen["complete"] > 5, "{seen:?}");
    assert!(nameless > 5, "{nameless}");
}

#[test]
fn killed_at_every_step_on_a_real_disk() {
    for steps in 0.. {
        let (_dir, plan) = folder();
        let ended = plan.run_killed(&Crash::after(RealDisk, steps), true);
        let what = format!("step {steps}");
        assert_named(&real_files(&plan.dir), &plan, &what);
        let became = settle(&RealDisk, &plan.path(UNDO)).unwrap();
        let mut found = real_files(&plan.dir);
        match became {
            Settled::Kept(_) => {
                assert_same(&found, &plan.after(), &what);
                break;
            }
            Settled::RolledBack(_) => {}
            _ => drop(found.remove(&plan.path("a.tmp"))),
        }
        assert_same(&found, &plan.before(), &what);
        assert!(ended.is_err());
    }
}

/// Taken back from wherever it stopped, killed at every step of that, again and again.
#[test]
fn killed_at_every_step_of_restoring() {
    let mut random = Random(4);
    let mut total = 0;
    for round in 0..200 {
        let links = round % 2 == 0;
        // From where it begins to change files to its end.
        let begun = 8 + random.below(9) as u64;
        for steps in 0.. {
            let (disk, plan) = memory(links);
            let _ = plan.run_killed(&Crash::after(disk.clone(), begun), true);
            if UndoFile::open(&disk, &plan.path(UNDO)).unwrap().status() == UndoStatus::Unsealed {
                break;
            }
            let mut disk = disk;
            let ended = undo(&Crash::after(disk.clone(), steps), &plan.path(UNDO), false);
            for _ in 0..2 {
                disk = disk.power_lost(|| random.below(2) == 0);
                if links {
                    assert_named(&disk.files(), &plan, "restoring");
                }
                let again = Crash::after(disk.clone(), steps + 1);
                let _ = undo(&again, &plan.path(UNDO), false);
            }
            undo(&disk, &plan.path(UNDO), false).unwrap();
            let what = format!("{links} {begun} {steps}");
            assert_same(&without_undo(disk.files()), &plan.before(), &what);
            total += 1;
            if ended.is_ok() {
                break;
            }
        }
    }
    assert!(total > 400, "{total}");
}

/// Without a way back: the original goes after the undo file, never before.
#[test]
fn killed_at_every_step_of_discarding() {
    let mut random = Random(5);
    let mut leftovers = 0;
    for round in 0..12 {
        let links = round % 2 == 0;
        for steps in 0.. {
            let (disk, plan) = memory(links);
            let ended = plan.run_killed(&Crash::after(disk.clone(), steps), false);
            let disk = disk.power_lost(|| random.below(2) == 0);
            let what = format!("round {round}, step {steps}");
            let became = settle(&disk, &plan.path(UNDO)).unwrap();
            let mut found = without_undo(disk.files());
            if found[&plan.path("a.edb")] == plan.new {
                assert_eq!(became, Settled::Absent, "{what}");
                leftovers += i32::from(found.remove(&plan.path("a.old")).is_some());
                assert_same(&found, &plan.discarded(), &what);
            } else {
                if !matches!(became, Settled::RolledBack(_)) {
                    found.remove(&plan.path("a.tmp"));
                }
                assert_same(&found, &plan.before(), &what);
            }
            if ended.is_ok() {
                break;
            }
        }
    }
    assert!(leftovers > 0, "{leftovers}");
    for links in [true, false] {
        let (disk, plan) = memory(links);
        assert_eq!(plan.run(&disk, false).unwrap(), None);
        assert_same(&disk.files(), &plan.discarded(), "discarded");
    }
}

/// A failure that the process survives: it takes back by itself what it did.
#[test]
fn a_failure_rolls_back_by_itself() {
    let (disk, plan) = memory(true);
    // Somebody takes the name at the last moment.
    let ended = plan.save(&disk).unwrap().commit(true, |applier| {
        disk.create(&plan.path("a.old"))?.write_at(0, b"x").unwrap();
        plan.apply(applier)
    });
    assert!(ended.is_err());
    let mut expected = plan.before();
    expected.insert(plan.path("a.old"), b"x".to_vec());
    assert_same(&disk.files(), &expected, "the name was taken");
    for links in [true, false] {
        let (disk, plan) = memory(links);
        let ended = plan.save(&disk).unwrap().commit(true, |applier| {
            plan.apply(applier)?;
            Err(Error::io(
                &plan.dir,
                "write",
                std::io::ErrorKind::Other.into(),
            ))
        });
        assert!(ended.is_err());
        assert_same(&disk.files(), &plan.before(), "rolled back");
    }
}

fn change(path: &Path, with: impl Fn(&mut Vec<u8>)) {
    let time = std::fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    with(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    set_time(path, time);
}

fn set_time(path: &Path, time: SystemTime) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn what_was_changed_since_is_refused_without_force() {
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, u64, Change<'_>); 8] = [
        ("a.edb", 0, &|path| change(path, |bytes| bytes[20] ^= 1)),
        ("a.edb", 4_000, &|path| change(path, |b| b.truncate(4_000))),
        ("a.edb", 0, &|path| std::fs::remove_file(path).unwrap()),
        ("a.edb", 0, &|path| change(path, Vec::clear)),
        ("a.old", 0, &|path| change(path, |bytes| bytes[20] ^= 1)),
        ("a.old", 0, &|path| change(path, |bytes| bytes[65_535] ^= 1)),
        ("a.old", LEN as u64 + 1, &|path| change(path, |b| b.push(1))),
        ("a.old", 0, &|path| {
            set_time(path, SystemTime::now() + Duration::from_secs(60));
        }),
    ];
    for (number, (name, at, with)) in cases.into_iter().enumerate() {
        let (_dir, plan) = done();
        with(&plan.path(name));
        let left = real_files(&plan.dir);
        match undo(&RealDisk, &plan.path(UNDO), false) {
            Err(Error::ChangedSince { path, offset, .. }) => {
                assert_eq!((path, offset), (plan.path(name), at), "{number}");
            }
            other => panic!("{number}: {other:?}"),
        }
        assert_same(&real_files(&plan.dir), &left, &number.to_string());
        undo(&RealDisk, &plan.path(UNDO), true).unwrap();
        let mut expected = plan.before();
        if name == "a.old" {
            expected.insert(plan.path("a.edb"), left[&plan.path("a.old")].clone());
        }
        assert_same(&real_files(&plan.dir), &expected, &number.to_string());
    }
}

#[test]
fn an_original_that_is_gone_is_told_and_not_made_up() {
    let (_dir, plan) = done();
    std::fs::remove_file(plan.path("a.old")).unwrap();
    for force in [false, true] {
        let error = undo(&RealDisk, &plan.path(UNDO), force).unwrap_err();
        assert!(error.to_string().contains("a.old"), "{error}");
        assert!(error.to_string().contains("is missing"), "{error}");
    }
    assert!(std::fs::read(plan.path("a.edb")).unwrap() == plan.new);
}

#[test]
fn what_was_brought_back_by_hand_is_taken_as_it_is() {
    let (_dir, plan) = done();
    std::fs::rename(plan.path("a.old"), plan.path("a.edb")).unwrap();
    undo(&RealDisk, &plan.path(UNDO), false).unwrap();
    assert_same(&real_files(&plan.dir), &plan.before(), "renamed");
    let (_dir, plan) = done();
    std::fs::copy(plan.path("a.old"), plan.path("a.edb")).unwrap();
    undo(&RealDisk, &plan.path(UNDO), false).unwrap();
    assert_same(&real_files(&plan.dir), &plan.before(), "copied");
}

/// Killed before the database was put aside, which is then mounted: nothing of it need be written.
#[test]
fn an_original_that_never_lost_its_name_is_left_alone() {
    let (_dir, plan) = folder();
    drop(plan.save(&RealDisk).unwrap().seal().unwrap());
    change(&plan.path("a.edb"), |bytes| bytes[9] ^= 1);
    let left = std::fs::read(plan.path("a.edb")).unwrap();
    let became = settle(&RealDisk, &plan.path(UNDO)).unwrap();
    assert!(matches!(became, Settled::RolledBack(_)), "{became:?}");
    let mut expected = plan.before();
    expected.insert(plan.path("a.edb"), left);
    assert_same(&real_files(&plan.dir), &expected, "settled");
}

#[test]
fn a_moved_folder_is_restored_where_it_is() {
    let (dir, plan) = done();
    let other = tempfile::tempdir().unwrap();
    let moved = other.path().canonicalize().unwrap().join("moved");
    std::fs::rename(dir.path(), &moved).unwrap();
    std::fs::create_dir(dir.path()).unwrap();
    // Other files where the folder was: they are not meant.
    std::fs::write(plan.path("a.edb"), b"other").unwrap();
    undo(&RealDisk, &moved.join(UNDO), false).unwrap();
    assert_same(&real_files(&moved), &Plan::new(&moved).before(), "moved");
    assert_eq!(std::fs::read(plan.path("a.edb")).unwrap(), b"other");
}

/// Only the other name of the original tells that the folder was moved.
#[test]
fn a_moved_folder_without_the_name_is_restored_where_it_is() {
    let plan = Plan::new(Path::new("/data"));
    let disk = MemoryDisk::new(plan.ready());
    let mut undo_file = UndoWriter::create(&disk, &plan.path(UNDO), "p a.edb").unwrap();
    let [path, aside, new] = ["a.edb", "a.old", "a.tmp"].map(|name| plan.path(name));
    undo_file.will_put_aside(&path, &aside, &new).unwrap();
    drop(undo_file.seal().unwrap());
    disk.rename(&path, &aside).unwrap();
    let to = Plan::new(Path::new("/elsewhere"));
    let moved = |(path, bytes): (PathBuf, Vec<u8>)| {
        (to.path(path.file_name().unwrap().to_str().unwrap()), bytes)
    };
    let disk = MemoryDisk::new(disk.files().into_iter().map(moved));
    undo(&disk, &to.path(UNDO), false).unwrap();
    assert_same(&without_undo(disk.files()), &to.before(), "moved");
}

#[test]
fn what_makes_no_sense_is_refused_and_never_sealed() {
    let (disk, plan) = memory(true);
    let copy = disk.create(&plan.path("same")).unwrap();
    copy.write_at(0, &plan.old).unwrap();
    disk.create(Path::new("/other/file")).unwrap();
    let before = disk.files();
    let cases = [
        ("/data/a.edb", "/data/log", "/data/a.tmp", "exist"),
        ("/data/a.edb", "/data/x", "/data/none", ""),
        ("/data/none", "/data/x", "/data/a.tmp", ""),
        ("/data/a.edb", "/other/x", "/data/a.tmp", "in the folder"),
        ("/data/a.edb", "/data/x", "/other/file", "in the folder"),
        ("/data/a.edb", "/data/x", "/data/a.edb", "three"),
        ("/data/a.edb", "/data/x", "/data/same", "told from"),
        ("/data/a.edb", "/data/x", "/data/p.undo", "undo file"),
        ("/data/p.undo", "/data/x", "/data/a.tmp", "undo file"),
    ];
    for (path, aside, new, what) in cases {
        let mut undo = UndoWriter::create(&disk, &plan.path(UNDO), "x").unwrap();
        let [path, aside, new] = [path, aside, new].map(Path::new);
        let error = undo.will_put_aside(path, aside, new).unwrap_err();
        assert!(error.to_string().contains(what), "{what}: {error}");
        assert!(undo.seal().is_err());
        assert_same(&disk.files(), &before, what);
    }
    // Nothing else may become of any of the three.
    for name in ["a.edb", "a.old", "a.tmp"] {
        let mut undo = plan.save(&disk).unwrap();
        assert!(
            undo.save_range(&plan.path(name), 0, b"x").is_err(),
            "{name}"
        );
        let mut undo = plan.save(&disk).err();
        assert!(undo.take().is_some());
    }
}

/// An undo file with these entries, each with a right checksum, and the files of a finished operation.
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
    let plan = Plan::new(Path::new("/data"));
    let mut files = plan.after();
    files.insert(plan.path(UNDO), bytes);
    MemoryDisk::new(files)
}

#[test]
fn hostile_entries_with_right_checksums_are_refused() {
    let plan = Plan::new(Path::new("/data"));
    let good = FileEntry {
        plan: UndoPlan::Aside,
        before_len: LEN as u64,
        after_len: plan.new.len() as u64,
        after_hash: exutil::format::undofile::start_hash(&plan.new),
        absolute: b"/data/a.edb".to_vec(),
        relative: b"a.edb".to_vec(),
        aside: Some(AsideEntry {
            aside: b"a.old".to_vec(),
            new_file: b"a.tmp".to_vec(),
            before_hash: exutil::format::undofile::start_hash(&plan.old),
            modified: 0,
        }),
    };
    let end = |entries| UndoEntry::End { entries };
    let alone = |with: &dyn Fn(&mut FileEntry, &mut AsideEntry)| {
        let mut file = good.clone();
        let mut aside = file.aside.take().unwrap();
        with(&mut file, &mut aside);
        file.aside = Some(aside);
        vec![UndoEntry::File(file), end(1)]
    };
    let disk = crafted(&alone(&|_, _| ()));
    undo(&disk, &plan.path(UNDO), false).unwrap();
    assert!(disk.files()[&plan.path("a.edb")] == plan.old);
    let range = UndoEntry::Range(RangeEntry {
        file: 0,
        offset: 0,
        len: 10,
        after: Some(vec![0]),
        before: Some(vec![7; 10]),
    });
    let mut bad = vec![
        alone(&|file, aside| {
            file.after_len = file.before_len;
            file.after_hash = aside.before_hash;
        }),
        alone(&|_, aside| aside.new_file = aside.aside.clone()),
        alone(&|_, aside| aside.new_file = b"a.edb".to_vec()),
        alone(&|file, _| file.absolute = b"/data/../a.edb".to_vec()),
        vec![UndoEntry::File(good.clone()), range, end(2)],
        vec![
            UndoEntry::File(good.clone()),
            UndoEntry::Length { file: 0, len: 1 },
            end(2),
        ],
        // Cut off: the plan says that there is more.
        vec![
            UndoEntry::File(FileEntry {
                aside: None,
                ..good.clone()
            }),
            end(1),
        ],
        vec![
            UndoEntry::File(FileEntry {
                plan: UndoPlan::Remove,
                ..good.clone()
            }),
            end(1),
        ],
    ];
    for name in [
        &b""[..],
        b".",
        b"..",
        b"../x",
        b"/etc/x",
        b"d/x",
        b"x/",
        b"a.edb",
    ] {
        bad.push(alone(&|_, aside| aside.aside = name.to_vec()));
        bad.push(alone(&|_, aside| aside.new_file = name.to_vec()));
    }
    for (number, entries) in bad.iter().enumerate() {
        let disk = crafted(entries);
        let before = disk.files();
        let ended = undo(&disk, &plan.path(UNDO), true);
        let refused = matches!(ended, Err(Error::UndoUnusable { .. }));
        assert!(refused, "{number}: {ended:?}");
        assert!(disk.files() == before, "{number}");
    }
}

#[test]
fn a_flipped_bit_is_refused_or_does_no_harm() {
    let (disk, plan) = memory(true);
    plan.run(&disk, true).unwrap();
    let files = disk.files();
    let whole = files[&plan.path(UNDO)].clone();
    for at in (0..520).chain(4_090..4_620).chain(8_192..whole.len()) {
        let mut files = files.clone();
        files.get_mut(&plan.path(UNDO)).unwrap()[at] ^= 1 << (at % 8);
        let disk = MemoryDisk::new(files.clone());
        match undo(&disk, &plan.path(UNDO), false) {
            Ok(()) => {
                assert!(at < 8_192, "{at}");
                assert_same(&without_undo(disk.files()), &plan.before(), &at.to_string());
            }
            Err(error) => {
                assert!(matches!(error, Error::UndoUnusable { .. }), "{at}: {error}");
                assert!(disk.files() == files, "{at}");
            }
        }
    }
}

/// The original is removed only where nothing is lost that way.
#[test]
fn discarding_removes_the_original_only_when_all_is_as_it_was_left() {
    let open = |disk: &MemoryDisk, plan: &Plan| {
        let discarded = UndoFile::open(disk, &plan.path(UNDO)).unwrap().discard();
        discarded.unwrap()
    };
    let removed = |plan: &Plan| Discarded {
        removed: vec![plan.path("a.old")],
        left: Vec::new(),
    };
    let left = |plan: &Plan| Discarded {
        removed: Vec::new(),
        left: vec![plan.path("a.old")],
    };
    let done = || {
        let (disk, plan) = memory(true);
        plan.run(&disk, true).unwrap();
        (disk, plan)
    };
    let (disk, plan) = done();
    // The database has been mounted since.
    let file = disk.open_rw(&plan.path("a.edb")).unwrap();
    file.write_at(7, b"x").unwrap();
    assert_eq!(open(&disk, &plan), removed(&plan));
    assert!(!disk.exists(&plan.path("a.old")).unwrap());
    let (disk, plan) = done();
    disk.remove(&plan.path("a.edb")).unwrap();
    assert_eq!(open(&disk, &plan), left(&plan));
    assert!(disk.files()[&plan.path("a.old")] == plan.old);
    let (disk, plan) = done();
    let file = disk.open_rw(&plan.path("a.old")).unwrap();
    file.write_at(7, b"x").unwrap();
    assert_eq!(open(&disk, &plan), left(&plan));
    let (disk, plan) = memory(true);
    let sealed = plan.save(&disk).unwrap().seal().unwrap();
    plan.apply(&mut Applier::new(&disk)).unwrap();
    drop(sealed);
    assert_eq!(open(&disk, &plan), left(&plan));
    assert!(!disk.exists(&plan.path(UNDO)).unwrap());
    let (disk, plan) = done();
    undo(&disk, &plan.path(UNDO), false).unwrap();
    assert_eq!(open(&disk, &plan), Discarded::default());
    // Killed at every step: the way back goes first.
    for steps in 0.. {
        let (disk, plan) = done();
        let crash = Crash::after(disk.clone(), steps);
        let ended = UndoFile::open(&crash, &plan.path(UNDO)).unwrap().discard();
        let disk = disk.power_lost(|| steps % 2 == 0);
        let whole = disk.exists(&plan.path("a.old")).unwrap();
        assert!(whole || !disk.exists(&plan.path(UNDO)).unwrap(), "{steps}");
        if ended.is_ok() {
            break;
        }
    }
}

#[cfg(unix)]
#[test]
fn the_command_shows_and_restores() {
    let (dir, plan) = done();
    let text = |line: &str| {
        let run = common::line(dir.path(), line);
        assert_eq!(run.status, 0, "{run:?}");
        run.output().replace(plan.dir.to_str().unwrap(), "DIR")
    };
    let list = text("undo p.undo --list");
    assert!(
        list.contains(
            "put aside  DIR/a.edb\n           100000 bytes before, 105000 after, 0 saved\n           \
             the original is kept as: DIR/a.old\n"
        ),
        "{list}"
    );
    let dry = text("undo p.undo --dry-run");
    assert!(dry.contains("All of this can be restored."), "{dry}");
    let table = text("undo p.undo --list --format table");
    assert!(table.contains("Original"), "{table}");
    let run = text("undo p.undo");
    assert!(
        run.contains("0 saved, 0 written back\n           the original has its name again, and not any more: DIR/a.old"),
        "{run}"
    );
    assert_same(&real_files(&plan.dir), &plan.before(), "restored");
    let again = text("undo p.undo");
    assert!(again.contains("There is nothing to undo."), "{again}");
    text("undo p.undo --discard");
    assert_same(&real_files(&plan.dir), &plan.before(), "discarded");
}

#[test]
fn the_command_in_json_and_discarding() {
    let (dir, plan) = done();
    let json = |words: &str| line(dir.path(), &format!("{words} --format json")).one_json();
    let list = json("undo p.undo --list");
    let file = &list["result"]["files"][1];
    assert_eq!(file["plan"], "aside");
    assert_eq!(file["aside"]["outcome"], serde_json::Value::Null);
    assert!(file["aside"]["path"].as_str().unwrap().ends_with("a.old"));
    assert_eq!(list["result"]["files"][0]["aside"], serde_json::Value::Null);
    std::fs::rename(plan.path("a.old"), plan.path("b.old")).unwrap();
    let dry = json("undo p.undo --dry-run");
    assert_eq!(dry["result"]["outcome"], "would_refuse");
    let since = &dry["result"]["files"][1]["changed_since"];
    assert_eq!(since["what"], "the original that was put aside is missing");
    assert_eq!(line(dir.path(), "undo p.undo --force").status, 4);
    std::fs::rename(plan.path("b.old"), plan.path("a.old")).unwrap();
    let copy = std::fs::read(plan.path(UNDO)).unwrap();
    let gone = json("undo p.undo --discard");
    assert_eq!(gone["result"]["outcome"], "discarded");
    assert_eq!(gone["result"]["files"][1]["aside"]["outcome"], "removed");
    assert_same(&real_files(&plan.dir), &plan.discarded(), "discarded");
    std::fs::write(plan.path(UNDO), copy).unwrap();
    std::fs::write(plan.path("a.old"), b"other").unwrap();
    let left = line(dir.path(), "undo p.undo --discard");
    assert!(left.stdout.contains("not removed, for it"), "{left:?}");
    assert_eq!(std::fs::read(plan.path("a.old")).unwrap(), b"other");
}
