//! `y`: what is copied is the source, byte for byte, or it is said what is not; and no file has the final name that is
//! not whole and durable.

mod common;
#[path = "common/copying.rs"]
mod copying;

use std::path::Path;
use std::sync::Mutex;

use common::{Random, make, sample};
use copying::{DEST, Faults, SOURCE, at, bad, copy, disk, files, flaky, options, options_at};
use exutil::error::Error;
use exutil::format::ids::Pgno;
use exutil::jet::JetError;
use exutil::ops::checksum::{BadKind, ChecksumOptions, check_storage};
use exutil::ops::copy_file::{CHUNK, CopyOutcome, PageRun, UnreadRange, copy_file, copy_on};
use exutil::progress::{Left, Progress, Silent, Task};
use exutil::storage::{Crash, Disk, Fault, Memory, MemoryDisk, RealDisk};

const SAMPLES: [&str; 6] = [
    "priv1.edb",
    "dirty.edb",
    "mini-2k.edb",
    "mini-4k.edb",
    "mini-8k.edb",
    "mini-32k.edb",
];

/// Several chunks, with stretches of zeroes, and an end in the middle of a block.
fn long() -> Vec<u8> {
    let mut bytes = Random(3).bytes(3 * CHUNK + 12_345);
    bytes[CHUNK / 2..CHUNK + 5000].fill(0);
    let len = bytes.len();
    bytes[len - 9000..].fill(0);
    bytes
}

fn error_of<T: std::fmt::Debug>(result: Result<T, Error>) -> (i32, String) {
    let error = result.unwrap_err();
    let advice = error.advice().unwrap_or_default();
    (error.jet().code(), format!("{error}; {advice}"))
}

#[test]
fn sound_files_are_copied_byte_for_byte() {
    let mut sources: Vec<(String, Vec<u8>)> = SAMPLES
        .iter()
        .map(|name| ((*name).to_owned(), sample(name)))
        .collect();
    sources.push(("log".into(), make::log(1, 0).0));
    sources.push(("empty".into(), Vec::new()));
    sources.push(("zeroes".into(), vec![0; 2 * CHUNK]));
    sources.push(("long".into(), long()));
    for (name, bytes) in sources {
        for resume in [false, true] {
            let disk = disk(&bytes);
            let mut options = options();
            options.resume = resume;
            let report = copy_on(&options, &disk, &Silent).unwrap();
            assert_eq!(report.outcome, CopyOutcome::Copied, "{name}");
            assert_eq!(report.jet(), JetError::SUCCESS, "{name}");
            assert_eq!(report.bytes_read, bytes.len() as u64, "{name}");
            // Nothing else is left, and all of it is durable.
            let whole = files(&[(SOURCE, &bytes), (DEST, &bytes)]);
            assert!(disk.files() == whole, "{name}");
            assert!(disk.power_lost(|| false).files() == whole, "{name}");
        }
    }
}

#[cfg(unix)]
#[test]
fn zeroes_take_no_space() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = vec![0; 16 * CHUNK];
    bytes[5 * CHUNK] = 1;
    bytes[9 * CHUNK..9 * CHUNK + 100].fill(2);
    std::fs::write(dir.path().join("a"), &bytes).unwrap();
    let report = copy_file(&options_at(dir.path()), &Silent).unwrap();
    assert_eq!(report.bytes_left_out, (16 * CHUNK - 2 * 4096) as u64);
    assert_eq!(report.bytes_written, 2 * 4096);
    let copied = dir.path().join("b");
    let space = std::fs::metadata(&copied).unwrap().blocks() * 512;
    assert!(space <= 64 << 10, "{space}");
    assert!(std::fs::read(copied).unwrap() == bytes);
}

#[test]
fn a_bad_sector_ends_the_copy_and_is_named() {
    let bytes = sample("priv1.edb");
    // Byte 700 of page 20.
    let offset = Pgno::new(20).physical() * 4096;
    let disk = disk(&bytes);
    let twin = Faults::of_source(&disk, vec![bad(offset + 700, 1), bad(offset + 9000, 1)]);
    let report = copy_on(&options(), &twin, &Silent).unwrap();
    assert_eq!(report.outcome, CopyOutcome::Incomplete);
    assert_eq!(report.jet(), JetError::DISK_IO);
    // The first one only: the copy ended there.
    let unread = UnreadRange {
        offset: offset + 512,
        bytes: 512,
    };
    assert_eq!(report.unread, [unread]);
    assert_eq!(
        report.unread_pages,
        [PageRun {
            first: 20,
            count: 1
        }]
    );
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].problem.info().code, "F004");
    assert_eq!(report.findings[0].place.page, Some(Pgno::new(20)));
    assert!(report.kept.is_none() && report.cause.is_some());
    assert_eq!(report.bytes_written, 0);
    assert!(disk.files() == files(&[(SOURCE, &bytes)]));
}

#[test]
fn what_cannot_be_read_becomes_zero_and_nothing_else() {
    for name in SAMPLES {
        let bytes = sample(name);
        let page = match name {
            "mini-2k.edb" => 2048,
            "mini-8k.edb" => 8192,
            "mini-32k.edb" => 32_768,
            _ => 4096,
        };
        // One byte of page 7, two sectors across pages 9 and 10, the header.
        let page_at = |pgno: u32| Pgno::new(pgno).physical() * page;
        let (one, two) = (page_at(7) + 1000, page_at(10) - 1);
        let disk = disk(&bytes);
        let twin = Faults::of_source(&disk, vec![bad(one, 1), bad(two, 2), bad(0, 10)]);
        let mut options = options();
        options.ignore_errors = true;
        let report = copy_on(&options, &twin, &Silent).unwrap();
        assert_eq!(report.outcome, CopyOutcome::Filled, "{name}");
        assert_eq!(report.jet(), JetError::DATABASE_REPAIRED);
        let mut expected = bytes.clone();
        for at in [0, one, two, two + 1] {
            let sector = at as usize / 512 * 512;
            expected[sector..sector + 512].fill(0);
        }
        assert!(expected != bytes);
        assert!(
            disk.files() == files(&[(SOURCE, &bytes), (DEST, &expected)]),
            "{name}"
        );
        let runs = [(-1, 1), (7, 1), (9, 2)].map(|(first, count)| PageRun { first, count });
        assert_eq!(report.unread_pages, runs, "{name}");
        assert_eq!(report.unread_bytes(), 4 * 512);
        let codes: Vec<_> = report
            .findings
            .iter()
            .map(|it| it.problem.info().code)
            .collect();
        assert_eq!(codes, ["F003"; 3]);
    }
}

#[test]
fn a_sector_that_gets_better_is_copied() {
    let bytes = long();
    for (times, outcome) in [(3, CopyOutcome::Copied), (1000, CopyOutcome::Incomplete)] {
        let disk = disk(&bytes);
        let twin = flaky(&disk, 2 * CHUNK as u64 + 77, times);
        let report = copy_on(&options(), &twin, &Silent).unwrap();
        assert_eq!(report.outcome, outcome);
        assert!(report.failed_reads >= 3);
        if outcome == CopyOutcome::Copied {
            assert_eq!(report.jet(), JetError::SUCCESS);
            assert!(disk.files()[Path::new(DEST)] == bytes);
        }
    }
}

#[test]
fn a_source_that_is_cut_off_is_an_error() {
    let bytes = long();
    for end in [
        0,
        100,
        CHUNK as u64,
        2 * CHUNK as u64 + 5,
        bytes.len() as u64 - 1,
    ] {
        for ignore_errors in [false, true] {
            let disk = disk(&bytes);
            let twin = Faults::of_source(&disk, vec![Fault::EndsAt(end)]);
            let mut options = options();
            options.ignore_errors = ignore_errors;
            let (jet, text) = error_of(copy_on(&options, &twin, &Silent));
            assert_eq!(jet, -1021);
            assert!(text.contains(&format!("ends at byte {end},")), "{text}");
            assert!(disk.files() == files(&[(SOURCE, &bytes)]), "{end}");
        }
    }
}

#[test]
fn a_source_that_is_written_to_is_an_error() {
    let bytes = long();
    for resume in [false, true] {
        let disk = disk(&bytes);
        let mut options = options();
        options.resume = resume;
        let (jet, text) = error_of(copy_on(&options, &Faults::restless(&disk), &Silent));
        assert_eq!(jet, -1032);
        assert!(text.contains("written to"), "{text}");
        assert!(!disk.files().contains_key(Path::new(DEST)));
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let bytes = long();
    for part in 0..20 {
        let room = bytes.len() as u64 * part / 20;
        let disk = disk(&bytes);
        let twin = Faults::of_dest(&disk, vec![Fault::Full(room)]);
        let (jet, text) = error_of(copy_on(&options(), &twin, &Silent));
        assert_eq!(jet, -1808);
        assert!(text.contains("make room"), "{text}");
        assert!(disk.files() == files(&[(SOURCE, &bytes)]), "{room}");
    }
}

#[test]
fn a_disk_that_fills_up_can_be_gone_on_with() {
    let bytes = long();
    let disk = disk(&bytes);
    let mut options = options();
    options.resume = true;
    // Room in the file, but writes beyond it fail: as where a sparse file finds no block.
    let twin = Faults::full_behind(&disk, 2 * CHUNK as u64 + 10);
    let (jet, text) = error_of(copy_on(&options, &twin, &Silent));
    assert_eq!(jet, -1808);
    assert!(
        text.contains(&format!("{} of {}", 2 * CHUNK, bytes.len())),
        "{text}"
    );
    assert_eq!(disk.files().len(), 3);
    let report = copy_on(&options, &disk, &Silent).unwrap();
    assert_eq!(report.bytes_before, 2 * CHUNK as u64);
    assert_eq!(report.bytes_read, (CHUNK + 12_345) as u64);
    assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &bytes)]));
}

#[test]
fn a_failing_sync_is_no_success() {
    let bytes = long();
    for (resume, once) in [(false, false), (true, false), (false, true), (true, true)] {
        let disk = disk(&bytes);
        // Of the part file: a map is shorter.
        let twin = match once {
            true => Faults::sync_fails_once(&disk),
            false => Faults::of_dest(&disk, vec![Fault::StopAtSync(0)]),
        };
        let mut options = options();
        options.resume = resume;
        let (jet, _) = error_of(copy_on(&options, &twin, &Silent));
        assert_eq!(jet, -1022);
        assert!(!disk.files().contains_key(Path::new(DEST)));
        if !resume {
            assert!(disk.files() == files(&[(SOURCE, &bytes)]));
            continue;
        }
        // Nothing is claimed of what the sync may have lost.
        let map = copying::map(&disk);
        assert_eq!(
            map.map_or(0, |map| map["finished"].as_array().unwrap().len()),
            0
        );
    }
}

/// Makes a destination while the copy runs.
struct Meddler(MemoryDisk);

impl Progress for Meddler {
    fn start(&self, _task: Task) {
        let made = self.0.create(Path::new(DEST)).unwrap();
        made.write_at(0, b"mine").unwrap();
    }
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
    fn leaves(&self, _left: Left<'_>) {}
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let bytes = long();
    let disk = disk(&bytes);
    let (jet, _) = error_of(copy_on(&options(), &disk, &Meddler(disk.clone())));
    assert_eq!(jet, -1814);
    assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &b"mine".to_vec())]));
}

/// Two bad sectors in different chunks: the map is saved in between.
fn with_bad_sectors(disk: &MemoryDisk) -> Faults {
    let sector = CHUNK as u64 + 512;
    Faults::of_source(disk, vec![bad(5000, 1), bad(sector, 512)])
}

#[test]
fn killed_or_without_power_at_any_step_it_goes_on() {
    let bytes = long();
    let random = Mutex::new(Random(11));
    let coin = || random.lock().unwrap().below(2) == 0;
    for (ignore_errors, force) in [(true, false), (false, false), (true, true)] {
        let mut options = options();
        (options.resume, options.ignore_errors, options.force) = (true, ignore_errors, force);
        let old = b"what was there".to_vec();
        let start = || match force {
            true => MemoryDisk::new(files(&[(SOURCE, &bytes), (DEST, &old)])),
            false => disk(&bytes),
        };
        let whole = start();
        let counting = Crash::after(with_bad_sectors(&whole), u64::MAX);
        let report = copy_on(&options, &counting, &Silent).unwrap();
        let steps = counting.steps();
        assert!(steps > 20, "{steps}");
        assert_eq!(report.outcome == CopyOutcome::Filled, ignore_errors);
        let whole = whole.files();
        for stop in 0..steps {
            let killed = start();
            let crash = Crash::after(with_bad_sectors(&killed), stop);
            let ended = copy_on(&options, &crash, &Silent);
            let want = whole.get(Path::new(DEST));
            if ended.is_ok_and(|report| report.outcome != CopyOutcome::Incomplete) {
                // Only the map was still to be removed.
                assert!(stop + 2 >= steps);
                let durable = killed.power_lost(|| false).files();
                assert!(durable.get(Path::new(DEST)) == want, "{stop}");
            }
            let mut left = vec![killed.power_lost(|| true), killed.power_lost(|| false)];
            left.extend((0..4).map(|_| killed.power_lost(coin)));
            left.push(MemoryDisk::new(killed.files()));
            for disk in left {
                let left = disk.files();
                let found = left.get(Path::new(DEST));
                let untouched = found == force.then_some(&old);
                assert!(
                    untouched || found == want,
                    "{stop}: half a copy has its name"
                );
                let again = copy_on(&options, &with_bad_sectors(&disk), &Silent);
                if found == want && ignore_errors && !force && !left.contains_key(&at("b.map")) {
                    // It had been finished; the map is gone too.
                    assert_eq!(error_of(again).0, -1814);
                    assert!(disk.files() == left);
                    continue;
                }
                let again = again.unwrap_or_else(|error| panic!("{stop}: {error}"));
                assert_eq!(again.outcome, report.outcome, "{stop}");
                assert_eq!(again.unread, report.unread, "{stop}");
                assert!(copying::same_but_for_map(&disk.files(), &whole), "{stop}");
            }
        }
    }
}

#[test]
fn killed_without_a_map_it_leaves_no_half_copy() {
    let bytes = long();
    let whole = disk(&bytes);
    let counting = Crash::after(whole.clone(), u64::MAX);
    copy_on(&options(), &counting, &Silent).unwrap();
    for stop in 0..counting.steps() {
        let killed = disk(&bytes);
        let crash = Crash::after(killed.clone(), stop);
        assert!(copy_on(&options(), &crash, &Silent).is_err(), "{stop}");
        for disk in [
            killed.clone(),
            killed.power_lost(|| false),
            killed.power_lost(|| true),
        ] {
            let found = disk.files().remove(Path::new(DEST));
            assert!(found.is_none_or(|found| found == bytes), "{stop}");
        }
    }
}

#[test]
fn a_later_run_tries_again_what_could_not_be_read() {
    let bytes = long();
    let disk = disk(&bytes);
    let mut options = options();
    options.resume = true;
    let report = copy_on(&options, &with_bad_sectors(&disk), &Silent).unwrap();
    assert_eq!(
        (report.outcome, report.unread.len()),
        (CopyOutcome::Incomplete, 2)
    );
    assert_eq!(report.bytes_read, bytes.len() as u64 - 1024);
    let kept = report.kept.unwrap();
    assert_eq!((kept.part, kept.map), (at("b.part"), at("b.map")));
    assert!(!disk.files().contains_key(Path::new(DEST)));
    // Without --resume it is neither touched nor taken for something else.
    let before = disk.files();
    let (jet, text) = error_of(copy_on(&copying::options(), &disk, &Silent));
    assert_eq!(jet, -1814);
    assert!(
        text.contains("b.part") && text.contains("--resume"),
        "{text}"
    );
    assert!(disk.files() == before);
    // One of the two gets better, then the other.
    let one = Faults::of_source(&disk, vec![bad(5000, 1)]);
    let report = copy_on(&options, &one, &Silent).unwrap();
    assert_eq!(
        (report.outcome, report.bytes_read),
        (CopyOutcome::Incomplete, 512)
    );
    let report = copy_on(&options, &disk, &Silent).unwrap();
    assert_eq!(
        (report.outcome, report.bytes_read),
        (CopyOutcome::Copied, 512)
    );
    assert_eq!(report.bytes_before, bytes.len() as u64 - 512);
    assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &bytes)]));
}

#[test]
fn zeroes_can_be_had_in_the_end() {
    let bytes = long();
    let disk = disk(&bytes);
    let mut options = options();
    options.resume = true;
    copy_on(&options, &with_bad_sectors(&disk), &Silent).unwrap();
    options.ignore_errors = true;
    let report = copy_on(&options, &with_bad_sectors(&disk), &Silent).unwrap();
    assert_eq!(
        (report.outcome, report.bytes_read),
        (CopyOutcome::Filled, 0)
    );
    let mut expected = bytes.clone();
    expected[4608..5120].fill(0);
    expected[CHUNK + 512..CHUNK + 1024].fill(0);
    assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &expected)]));
}

#[test]
fn another_source_is_not_gone_on_with() {
    let bytes = long();
    let disk = disk(&bytes);
    let mut options = options();
    options.resume = true;
    copy_on(&options, &with_bad_sectors(&disk), &Silent).unwrap();
    let kept = disk.files();
    let other = MemoryDisk::new(kept.clone());
    other_source(&other, &bytes[1..]);
    let (jet, text) = error_of(copy_on(&options, &other, &Silent));
    assert_eq!(jet, -551);
    assert!(
        text.contains("another source") && text.contains("--force"),
        "{text}"
    );
    assert!(other.files()[&at("b.part")] == kept[&at("b.part")]);
    // A part file of another length, a map that is damaged.
    let map = &kept[&at("b.map")];
    for (name, content) in [
        ("b.part", vec![0; 10]),
        ("b.map", map[..map.len() - 5].to_vec()),
    ] {
        let mut changed = kept.clone();
        changed.insert(at(name), content);
        let changed = MemoryDisk::new(changed);
        let before = changed.files();
        let (jet, text) = error_of(copy_on(&options, &changed, &Silent));
        assert_eq!(jet, -1018);
        assert!(text.contains(name), "{text}");
        assert!(changed.files() == before);
        // Start over.
        let mut force = copying::options();
        force.force = true;
        copy_on(&force, &changed, &Silent).unwrap();
        assert!(changed.files() == files(&[(SOURCE, &bytes), (DEST, &bytes)]));
    }
}

/// Nobody tells the time of a file in memory: as where two files have the same.
#[test]
fn a_source_of_the_same_length_and_time_is_known_by_its_content() {
    let bytes = long();
    let disk = disk(&bytes);
    let mut options = options();
    options.resume = true;
    copy_on(&options, &with_bad_sectors(&disk), &Silent).unwrap();
    let kept = disk.files();
    let last = bytes.len() - 1;
    for place in [0, 1000, 600_000, 2 * CHUNK, last] {
        // So much that some sample meets it.
        let end = (place + (256 << 10)).min(bytes.len());
        let mut others = bytes.clone();
        others[place..end].iter_mut().for_each(|byte| *byte ^= 0x20);
        let other = MemoryDisk::new(kept.clone());
        other_source(&other, &others);
        let before = other.files();
        for force in [false, true] {
            options.force = force;
            let (jet, text) = error_of(copy_on(&options, &other, &Silent));
            assert_eq!(jet, -551, "{place}");
            assert!(
                text.contains("b.map") && text.contains("another source"),
                "{text}"
            );
            assert!(other.files() == before, "{place}");
        }
        options.force = false;
        // The samples that cannot be read now say nothing.
        let start = place.saturating_sub(CHUNK) as u64;
        let unread = bad(start, end as u64 + CHUNK as u64 - start);
        let twin = Faults::of_source(&other, vec![unread]);
        copy_on(&options, &twin, &Silent).unwrap();
    }
    // The same file is gone on with.
    let report = copy_on(&options, &disk, &Silent).unwrap();
    assert_eq!(report.bytes_read, 1024);
    assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &bytes)]));
}

/// What is left when a run is killed just before the copy gets its name, or just behind.
fn killed_at_the_name(bytes: &[u8], dest: &[u8], renamed: bool) -> MemoryDisk {
    let mut options = options();
    (options.resume, options.force) = (true, true);
    for stop in 0.. {
        let disk = MemoryDisk::new(files(&[(SOURCE, &bytes.to_vec()), (DEST, &dest.to_vec())]));
        let killed = copy_on(&options, &Crash::after(disk.clone(), stop), &Silent);
        let map = copying::map(&disk);
        assert!(killed.is_err() || map.is_some(), "there is no such moment");
        let complete = map.is_some_and(|map| map["complete"] == true);
        if complete && disk.files().contains_key(&at("b.part")) != renamed {
            return disk;
        }
    }
    unreachable!()
}

#[test]
fn a_destination_is_not_the_copy_because_a_map_lies_beside_it() {
    let bytes = long();
    let mut options = options();
    options.resume = true;
    for old in [vec![0; bytes.len()], b"short".to_vec()] {
        let disk = killed_at_the_name(&bytes, &old, false);
        disk.remove(&at("b.part")).unwrap();
        let before = disk.files();
        let (jet, text) = error_of(copy_on(&options, &disk, &Silent));
        assert_eq!(jet, -1814);
        assert!(text.contains("--force"), "{text}");
        assert!(disk.files() == before);
        let mut force = options.clone();
        force.force = true;
        let report = copy_on(&force, &disk, &Silent).unwrap();
        assert_eq!(report.bytes_read, bytes.len() as u64);
        assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &bytes)]));
    }
    // If it is the copy, that is enough; where that cannot be told, nothing is said and nothing replaced.
    let disk = killed_at_the_name(&bytes, b"old", true);
    let before = disk.files();
    for force in [false, true] {
        options.force = force;
        let unread = Faults::of_source(&disk, vec![bad(2 * CHUNK as u64, CHUNK as u64)]);
        let (jet, text) = error_of(copy_on(&options, &unread, &Silent));
        assert_eq!(jet, -1022);
        assert!(text.contains("b.map") && text.contains("remove"), "{text}");
        assert!(disk.files() == before);
    }
    options.force = false;
    let report = copy_on(&options, &disk, &Silent).unwrap();
    assert_eq!(
        (report.outcome, report.bytes_read),
        (CopyOutcome::Copied, 0)
    );
    assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &bytes)]));
}

#[test]
fn files_of_others_stay_whatever_they_are_called() {
    let (bytes, mine) = (long(), b"my own".to_vec());
    for (name, resume, force, refused) in [
        ("b.map", false, false, true),
        ("b.map", false, true, true),
        ("b.map", true, false, true),
        ("b.map", true, true, true),
        ("b.map.new", true, false, true),
        ("b.map.new", true, true, true),
        // Nobody needs this name.
        ("b.map.new", false, true, false),
        ("b.part", false, false, true),
        ("b.part", true, false, true),
        ("b.part", true, true, true),
    ] {
        let disk = disk(&bytes);
        let file = disk.create(&at(name)).unwrap();
        file.write_at(0, &mine).unwrap();
        let before = disk.files();
        let mut options = options();
        (options.resume, options.force) = (resume, force);
        let result = copy_on(&options, &disk, &Silent);
        assert!(disk.files()[&at(name)] == mine, "{name}");
        if refused {
            let (jet, text) = error_of(result);
            assert_eq!(jet, -1814, "{name}");
            assert!(text.contains(name), "{text}");
            assert!(disk.files() == before, "{name}");
        } else {
            result.unwrap();
        }
    }
    // One that comes while the copy is made; and where a part file would go with a map of somebody.
    let left = MemoryDisk::new(files(&[(SOURCE, &bytes)]));
    for name in ["b.part", "b.map"] {
        left.create(&at(name)).unwrap().write_at(0, &mine).unwrap();
    }
    let before = left.files();
    let mut options = options();
    options.force = true;
    let (jet, text) = error_of(copy_on(&options, &left, &Silent));
    assert!(jet == -1814 && text.contains("b.map"), "{text}");
    assert!(left.files() == before);
}

#[test]
fn a_folder_that_is_not_there_does_not_become_a_file() {
    let bytes = long();
    for dest in ["/d/nodir/", "/d/nodir/.", "/d/nodir//"] {
        let disk = disk(&bytes);
        let mut options = options();
        (options.dest, options.force) = (dest.into(), true);
        let (jet, text) = error_of(copy_on(&options, &disk, &Silent));
        assert_eq!(jet, -1811);
        assert!(text.contains("no such folder"), "{text}");
        assert_eq!(disk.files().len(), 1);
    }
}

fn other_source(disk: &MemoryDisk, bytes: &[u8]) {
    disk.remove(Path::new(SOURCE)).unwrap();
    disk.create(Path::new(SOURCE))
        .unwrap()
        .write_at(0, bytes)
        .unwrap();
}

#[test]
fn a_source_with_another_time_is_another_source() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, long()).unwrap();
    let mut options = options_at(dir.path());
    options.resume = true;
    let real = Faults::on_real(&path, vec![bad(5000, 1)]);
    copy_on(&options, &real, &Silent).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    file.set_modified(time + std::time::Duration::from_millis(10))
        .unwrap();
    let (jet, text) = error_of(copy_file(&options, &Silent));
    assert_eq!(jet, -551);
    assert!(text.contains("written to"), "{text}");
    file.set_modified(time).unwrap();
    assert_eq!(copy_file(&options, &Silent).unwrap().bytes_read, 512);
    assert!(std::fs::read(dir.path().join("b")).unwrap() == long());
}

#[test]
fn two_runs_do_not_write_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, long()).unwrap();
    let mut options = options_at(dir.path());
    options.resume = true;
    copy_on(
        &options,
        &Faults::on_real(&path, vec![bad(5000, 1)]),
        &Silent,
    )
    .unwrap();
    let part = RealDisk.open_rw(&dir.path().join("b.part")).unwrap();
    assert!(part.try_lock());
    for (resume, force) in [(true, false), (false, true)] {
        (options.resume, options.force) = (resume, force);
        let (jet, text) = error_of(copy_file(&options, &Silent));
        assert_eq!(jet, -1032);
        assert!(text.contains("another run"), "{text}");
    }
    drop(part);
    (options.resume, options.force) = (true, false);
    copy_file(&options, &Silent).unwrap();
}

/// One that has only begun: there is no map yet.
#[test]
fn a_run_that_begins_is_not_disturbed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), long()).unwrap();
    let part = RealDisk.create(&dir.path().join("b.part")).unwrap();
    assert!(part.try_lock());
    let mut options = options_at(dir.path());
    options.resume = true;
    let (jet, text) = error_of(copy_file(&options, &Silent));
    assert_eq!(jet, -1032);
    assert!(text.contains("another run"), "{text}");
    assert!(!dir.path().join("b.map").exists() && !dir.path().join("b.map.new").exists());
    // It was killed then.
    drop(part);
    copy_file(&options, &Silent).unwrap();
    assert!(std::fs::read(dir.path().join("b")).unwrap() == long());
    assert!(!dir.path().join("b.part").exists());
}

#[test]
fn of_two_runs_at_once_one_copies_and_the_other_says_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = long();
    std::fs::write(dir.path().join("a"), &bytes).unwrap();
    let mut options = options_at(dir.path());
    options.resume = true;
    for round in 0..40 {
        let start = std::sync::Barrier::new(3);
        let results: Vec<_> = std::thread::scope(|scope| {
            let run = || {
                start.wait();
                copy_file(&options, &Silent)
            };
            let runs: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert!(!made.is_empty(), "{round}: {refused:?}");
        for result in refused {
            let (jet, text) = error_of(result);
            let busy = jet == -1032 && text.contains("another run is writing");
            let done = jet == -1814 && text.contains("the destination exists");
            assert!(busy || done, "{round}: {text}");
        }
        assert!(std::fs::read(dir.path().join("b")).unwrap() == bytes);
        std::fs::remove_file(dir.path().join("b")).unwrap();
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 1, "{round}: only the source");
    }
}

#[test]
fn pages_are_verified_on_the_way() {
    for (name, page_size) in [("priv1.edb", 4096), ("mini-32k.edb", 32_768)] {
        let mut bytes = sample(name);
        let page = |pgno: u32| (Pgno::new(pgno).physical() * page_size) as usize;
        bytes[page(5) + 1000..page(5) + 1100].fill(0x5A);
        let disk = disk(&bytes);
        let mut options = options();
        options.verify = true;
        let report = copy_on(&options, &disk, &Silent).unwrap();
        let verified = report.verified.clone().unwrap();
        assert_eq!(verified.counts.seen, bytes.len() as u64 / page_size);
        assert_eq!(verified.counts.bad, 1);
        assert_eq!(
            (verified.bad_pages[0].first, verified.bad_pages[0].kind),
            (5, BadKind::Checksum)
        );
        // The copy is made, and its damage told.
        assert_eq!(report.outcome, CopyOutcome::Copied);
        assert_eq!(report.jet(), JetError::DATABASE_CORRUPTED);
        assert_eq!(report.findings[0].problem.info().code, "P001");
        assert!(disk.files()[Path::new(DEST)] == bytes);

        let clean = copying::disk(&sample(name));
        let report = copy_on(&options, &clean, &Silent).unwrap();
        assert_eq!(report.jet(), JetError::SUCCESS);
        assert_eq!(report.verified.unwrap().counts.bad, 0);
    }
}

/// Also those that an earlier run copied; and pages that could not be read are not called bad.
#[test]
fn every_page_is_verified_once_whatever_run_copied_it() {
    let bytes = sample("mini-32k.edb");
    let mut damaged = bytes.clone();
    let at = (Pgno::new(5).physical() * 32_768) as usize;
    damaged[at + 1000] ^= 0x18;
    damaged[at + 2000] ^= 0x81;
    let disk = disk(&damaged);
    let mut options = options();
    (options.resume, options.verify) = (true, true);
    let sector = bad(Pgno::new(34).physical() * 32_768, 512);
    let report = copy_on(&options, &Faults::of_source(&disk, vec![sector]), &Silent).unwrap();
    assert_eq!(report.outcome, CopyOutcome::Incomplete);
    assert_eq!(report.unread_pages[0].first, 34);
    let counts = report.verified.unwrap().counts;
    assert_eq!((counts.seen, counts.bad), (35, 1));
    let report = copy_on(&options, &disk, &Silent).unwrap();
    let counts = report.verified.as_ref().unwrap().counts;
    assert_eq!((counts.seen, counts.bad, report.bytes_read), (36, 1, 512));
    assert_eq!(report.jet(), JetError::DATABASE_CORRUPTED);
}

/// `k` finds the same, whatever the file is.
#[test]
fn what_is_verified_is_what_the_checksum_mode_finds() {
    let mut random = Random(5);
    for name in SAMPLES {
        for _ in 0..10 {
            let mut bytes = sample(name);
            for _ in 0..random.below(6) {
                let len = random.below(3000);
                // The headers stay, so that the page size is known.
                let at = 2 * 32_768 + random.below(bytes.len() - len - 2 * 32_768);
                let junk = random.bytes(len);
                bytes[at..at + len].copy_from_slice(&junk);
            }
            bytes.truncate(bytes.len() - random.below(2) * random.below(5000));
            let mut options = options();
            options.verify = true;
            let disk = disk(&bytes);
            let report = copy_on(&options, &disk, &Silent).unwrap();
            assert!(disk.files()[Path::new(DEST)] == bytes, "{name}");
            let checked = check_storage(
                &Memory::new(bytes),
                report.page_size.unwrap(),
                &ChecksumOptions::default(),
                false,
                &Silent,
            );
            let checked = checked.unwrap();
            let verified = report.verified.unwrap();
            assert_eq!(verified.counts, checked.counts, "{name}");
            assert_eq!(verified.bad_pages, checked.bad_pages, "{name}");
        }
    }
}

#[test]
fn logs_are_verified_too_and_other_files_cannot_be() {
    let (log, _) = make::log(1, 0);
    let mut damaged = log.clone();
    damaged[2 * make::SEGMENT + 100..2 * make::SEGMENT + 300].fill(7);
    let mut options = options();
    options.verify = true;
    for (bytes, good) in [(&log, true), (&damaged, false)] {
        let disk = disk(bytes);
        let report = copy_on(&options, &disk, &Silent).unwrap();
        assert_eq!(report.verified_log.map(JetError::is_error), Some(!good));
        assert_eq!(report.jet().is_error(), !good);
        assert!(disk.files()[Path::new(DEST)] == *bytes);
    }
    let disk = disk(&long());
    let (jet, text) = error_of(copy_on(&options, &disk, &Silent));
    assert_eq!(jet, -1812);
    assert!(text.contains("without --verify"), "{text}");
    assert_eq!(disk.files().len(), 1);
}

#[test]
fn a_destination_is_replaced_only_when_asked_and_only_by_a_whole_copy() {
    let (bytes, old) = (long(), b"old".to_vec());
    let disk = MemoryDisk::new(files(&[(SOURCE, &bytes), (DEST, &old)]));
    let before = disk.files();
    for resume in [false, true] {
        let mut options = options();
        options.resume = resume;
        let (jet, text) = error_of(copy_on(&options, &disk, &Silent));
        assert_eq!(jet, -1814);
        assert!(text.contains("--force"), "{text}");
        assert!(disk.files() == before);
    }
    let mut options = options();
    options.force = true;
    let report = copy_on(&options, &with_bad_sectors(&disk), &Silent).unwrap();
    assert_eq!(report.outcome, CopyOutcome::Incomplete);
    assert!(disk.files() == before);
    copy_on(&options, &disk, &Silent).unwrap();
    assert!(disk.files() == files(&[(SOURCE, &bytes), (DEST, &bytes)]));
}

#[test]
fn the_source_is_never_written_over() {
    // As the destination, and as what would lie beside it.
    for (source, dest) in [
        ("a", "a"),
        ("b.part", "b"),
        ("b.map", "b"),
        ("b.map.new", "b"),
    ] {
        let disk = MemoryDisk::new([(at(source), long())]);
        let mut options = options();
        (options.source, options.dest) = (at(source), at(dest));
        (options.force, options.resume) = (true, source != "a");
        let before = disk.files();
        let (jet, text) = error_of(copy(&options, &disk));
        assert_eq!(jet, -1032);
        assert!(text.contains("same file"), "{text}");
        assert!(disk.files() == before);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_the_source_is_the_source() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), long()).unwrap();
    std::os::unix::fs::symlink("a", dir.path().join("b")).unwrap();
    let mut options = options_at(dir.path());
    options.force = true;
    assert_eq!(error_of(copy_file(&options, &Silent)).0, -1032);
    assert!(std::fs::read(dir.path().join("a")).unwrap() == long());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let [file, link, socket] = ["file", "link", "b"].map(|name| dir.path().join(name));
    std::fs::write(&file, b"x").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(RealDisk.rename(&file, &link).is_err());
    assert_eq!(std::fs::read_link(&link).unwrap(), file);
    // A device, say; a socket can be made without rights.
    std::fs::write(dir.path().join("a"), long()).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut options = options_at(dir.path());
    options.force = true;
    let (_, text) = error_of(copy_file(&options, &Silent));
    assert!(text.contains("is no file"), "{text}");
    assert!(!dir.path().join("b.part").exists());
    assert!(!std::fs::symlink_metadata(&socket).unwrap().is_file());
    drop(listener);
}

#[test]
fn what_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options_at(dir.path());
    assert_eq!(error_of(copy_file(&options, &Silent)).0, -1811);
    std::fs::write(dir.path().join("a"), long()).unwrap();
    options.dest = dir.path().join("gone").join("b");
    assert_eq!(error_of(copy_file(&options, &Silent)).0, -1811);
    options.source = dir.path().to_owned();
    assert_eq!(error_of(copy_file(&options, &Silent)).0, -1032);
}
