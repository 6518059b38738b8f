//! SIGINT and SIGTERM while a command is at work: no file is worse off, what is said of the files is true, and the next run
//! ends as if nothing had happened. Real processes, real files; a signal is sent when the command has said on standard
//! error that it is in the midst of it. Where one has come to its end before, it is given more to do.

#![cfg(unix)]

mod common;
#[path = "common/engine.rs"]
mod engine;
#[path = "common/kinds.rs"]
mod kinds;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::{Run, Shape};
use exutil::build::DatabaseBuilder;
use exutil::build::live::LiveRows;
use exutil::build::logs::Tail;
use exutil::check::CheckReport;
use exutil::damage::{Damage, damage};
use exutil::format::ids::PageSize;
use exutil::format::stamp::LogTime;
use exutil::format::undofile::UndoStatus;
use exutil::ops::recover::{RecoverOptions, recover_files};
use exutil::ops::repair::{RepairFileOptions, Stage, Stages, repair_file};
use exutil::progress::{self, Progress, Task};
use exutil::storage::RealDisk;
use exutil::undo::UndoFile;
use kinds::WITH_IMAGES;

/// So long nothing of this takes, however slow the machine.
const DEADLINE: Duration = Duration::from_secs(240);
/// A command that was too fast is given more to do, so often.
const ATTEMPTS: u32 = 24;
/// The status of a command that was cancelled.
const CANCELLED: Option<i32> = Some(32);

/// A command under way.
struct Running {
    child: Child,
    stdout: File,
    stderr: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    line: String,
}

impl Running {
    /// Starts it.
    fn start(dir: &Path, seconds: &str, line: &str) -> Self {
        Self::start_as(
            Command::new(env!("CARGO_BIN_EXE_exutil")),
            dir,
            seconds,
            line,
        )
    }

    fn start_as(mut command: Command, dir: &Path, seconds: &str, line: &str) -> Self {
        let stdout = tempfile::tempfile().unwrap();
        let mut child = command
            .args(line.split(' '))
            .current_dir(dir)
            .env("EXUTIL_HEARTBEAT", seconds)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&stderr);
        let mut pipe = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(have @ 1..) = pipe.read(&mut buffer) {
                theirs.lock().unwrap().extend(&buffer[..have]);
            }
        });
        Self {
            child,
            stdout,
            stderr,
            reader: Some(reader),
            line: line.to_owned(),
        }
    }

    fn said(&self) -> String {
        String::from_utf8(self.stderr.lock().unwrap().clone()).unwrap()
    }

    /// Waits until it has said this; false when it ended without.
    fn says(&mut self, sign: &str) -> bool {
        self.comes_to(|running| running.said().contains(sign))
    }

    /// Waits for a sign; false when it ended without one.
    fn comes_to(&mut self, sign: impl Fn(&Self) -> bool) -> bool {
        let started = Instant::now();
        loop {
            if sign(self) {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            self.in_time(started);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn in_time(&mut self, started: Instant) {
        if started.elapsed() > DEADLINE {
            self.child.kill().unwrap();
            panic!("{}: still running: {}", self.line, self.said());
        }
    }

    fn signal(&self, name: &str) {
        send(name, self.child.id());
    }

    /// The status and what it said.
    fn end(mut self) -> (ExitStatus, String) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            self.in_time(started);
            std::thread::sleep(Duration::from_millis(1));
        };
        self.reader.take().unwrap().join().unwrap();
        let said = self.said();
        assert!(!said.contains("panicked"), "{said}");
        (status, said)
    }
}

fn send(signal: &str, pid: u32) {
    let words = [format!("-{signal}"), pid.to_string()];
    let sent = Command::new("kill").args(words).status();
    assert!(sent.unwrap().success());
}

/// Runs a command to its end; what it prints.
fn whole(dir: &Path, line: &str) -> String {
    let running = Running::start(dir, "0", line);
    let printed = running.stdout.try_clone().unwrap();
    let (status, said) = running.end();
    let len = printed.metadata().unwrap().len();
    let mut bytes = vec![0; len as usize];
    printed.read_exact_at(&mut bytes, 0).unwrap();
    let printed = String::from_utf8(bytes).unwrap();
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "{line}: {status}: {printed}{said}"
    );
    printed
}

/// What a command that was cancelled left.
struct Left {
    dir: tempfile::TempDir,
    before: Files,
    message: String,
    load: u32,
}

impl Left {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn assert_says(&self, what: &str) {
        assert!(self.message.contains(what), "{}", self.message);
    }
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(dir: &Path) -> Files {
    let mut found = Files::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// A folder on a disk: what waits for one takes its time.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Sends the signal when the command has given its sign; with files that `lay` makes, more of them every time.
fn cancel(signal: &str, line: &str, sign: &str, lay: impl Fn(&Path, u32)) -> Left {
    cancel_where(signal, line, sign, lay, |_| true)
}

/// The same, until what it says is what is wanted.
fn cancel_where(
    signal: &str,
    line: &str,
    sign: &str,
    lay: impl Fn(&Path, u32),
    wanted: impl Fn(&str) -> bool,
) -> Left {
    let says = |running: &Running, _: &Path| running.said().contains(sign);
    cancel_when(signal, line, says, lay, wanted)
}

/// The same, with a sign of any kind.
fn cancel_when(
    signal: &str,
    line: &str,
    sign: impl Fn(&Running, &Path) -> bool,
    lay: impl Fn(&Path, u32),
    wanted: impl Fn(&str) -> bool,
) -> Left {
    for attempt in 0..ATTEMPTS {
        // The signal may also have been late, or early: a second time at each size.
        let (dir, load) = (folder(), 1 << (attempt / 2));
        lay(dir.path(), load);
        // Large ones have holes, and are compared otherwise.
        let before = match std::fs::exists(dir.path().join("large.edb")).unwrap() {
            true => Files::new(),
            false => files(dir.path()),
        };
        let mut running = Running::start(dir.path(), "0.01", line);
        if !running.comes_to(|running| sign(running, dir.path())) {
            let (status, said) = running.end();
            assert!(
                matches!(status.code(), Some(0 | 1)),
                "{line}: {status}: {said}"
            );
            continue;
        }
        running.signal(signal);
        let (status, said) = running.end();
        let message = said
            .lines()
            .find(|line| line.starts_with("exutil: cancelled. "));
        let Some(message) = message.filter(|message| wanted(message)) else {
            // It was faster than the signal, or not yet where it is wanted.
            assert!(
                matches!(status.code(), Some(0 | 1 | 32)),
                "{line}: {status}: {said}"
            );
            continue;
        };
        assert_eq!(status.code(), CANCELLED, "{line}: {said}");
        return Left {
            message: message.to_owned(),
            dir,
            before,
            load,
        };
    }
    panic!("{line}: was never there when the signal came");
}

/// What [`lay_large`] makes for a load of 1.
const LARGE: u64 = 16 << 20;

/// A sound database, and so much emptiness behind it that it takes a while to read.
fn lay_large(dir: &Path, load: u32) {
    let bytes = common::sample("priv1.edb");
    let file = File::create(dir.join("large.edb")).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file.set_len(u64::from(load) * LARGE).unwrap();
}

/// A database with `load` times a thousand rows.
fn database(load: u32) -> Vec<u8> {
    let size = PageSize::K4;
    let options = samples::options(size, 20, 7).unwrap();
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
    let table = LiveRows::new("large", 10, size);
    let row = |number: u32| table.row(format!("{number:08}").as_bytes(), 1, 2, &[7; 200]);
    let rows: Vec<_> = (0..load * 1000).map(row).collect();
    builder.add_table(table.table(), rows).unwrap();
    builder.finish().unwrap().0.into_inner()
}

fn lay_database(dir: &Path, load: u32) {
    std::fs::write(dir.join("a.edb"), database(load)).unwrap();
}

fn lay_damaged(dir: &Path, load: u32) {
    let mut bytes = database(load);
    damage(&mut bytes, Damage::ZeroPage, 5).unwrap();
    std::fs::write(dir.join("a.edb"), bytes).unwrap();
}

/// What a crash leaves: the database from before the log, and all logs.
fn lay_crash(dir: &Path, load: u32) {
    let shape = Shape {
        extents: [150, 5],
        spare: load * 1000,
        log_bytes: 48 << 10,
    };
    let mut run = Run::with(WITH_IMAGES[5], 11, shape, |_| {});
    for _ in 0..load * 400 {
        run.step();
    }
    let (_, high) = run.live.keepable();
    let state = run.live.crash(high, Tail::Whole).unwrap();
    for log in &state.logs {
        std::fs::write(dir.join(&log.name), &log.bytes).unwrap();
    }
    std::fs::write(dir.join("live.edb"), &state.original).unwrap();
}

const RECOVER: &str = "r E00 --databases=.";

#[test]
fn a_check_changes_nothing() {
    for signal in ["INT", "TERM"] {
        let left = cancel(signal, "k large.edb", "checking, ", lay_large);
        assert_eq!(left.message, "exutil: cancelled. Nothing was changed.");
        assert_eq!(std::fs::read_dir(left.path()).unwrap().count(), 1);
        let fresh = folder();
        lay_large(fresh.path(), left.load);
        same(
            &fresh.path().join("large.edb"),
            &left.path().join("large.edb"),
        );
    }
}

#[test]
fn a_heartbeat_says_how_far_and_how_long_still() {
    for (attempt, format) in ["eseutil", "table", "json"].into_iter().cycle().enumerate() {
        assert!(attempt < 30, "never two lines");
        let (dir, load) = (folder(), 2 << (attempt / 3));
        lay_large(dir.path(), load);
        let line = format!("k --format={format} large.edb");
        let (status, said) = Running::start(dir.path(), "0.02", &line).end();
        assert_eq!(status.code(), Some(0), "{said}");
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(" % (")).collect();
        let percents: Vec<u64> = lines
            .iter()
            .map(|line| {
                let (start, rest) = line.split_once(" % (").unwrap();
                assert!(
                    start.starts_with("exutil: k large.edb: checking, "),
                    "{line}"
                );
                assert!(rest.contains(" of ") && rest.contains("/s"), "{line}");
                // Where nothing was done yet nobody knows how long it takes.
                let left = rest.contains(", about 0:") && rest.ends_with(" left");
                assert!(left || rest.ends_with(", 0 bytes/s"), "{line}");
                start.rsplit(' ').next().unwrap().parse().unwrap()
            })
            .collect();
        assert!(percents.is_sorted() && percents.iter().all(|percent| *percent <= 100));
        // A fast machine wrote one or none: all formats must have had their turn all the same.
        let rated = lines.iter().filter(|line| line.ends_with(" left"));
        if rated.count() > 1 && format == "json" {
            return;
        }
    }
}

#[test]
fn a_short_run_and_one_without_heartbeat_say_nothing() {
    let dir = folder();
    lay_large(dir.path(), 1);
    for seconds in ["60", "", "0", "-1"] {
        let (status, said) = Running::start(dir.path(), seconds, "k large.edb").end();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{seconds}");
    }
}

#[test]
fn a_copy_is_taken_up_where_it_ended() {
    let line = "y --resume large.edb --destination=copy.edb";
    let wanted = |message: &str| {
        message.contains("bytes of the copy are kept") && !message.contains(" 0 of")
    };
    // The first piece that is safe has 64 MiB.
    let lay = |dir: &Path, load| lay_large(dir, load * 8);
    let is_halfway = |running: &Running, _: &Path| {
        let said = running.said();
        let percent = said.rsplit_once(" % (").map(|(before, _)| {
            let number = before.rsplit(' ').next().unwrap_or_default();
            number.parse::<u64>().unwrap()
        });
        percent.is_some_and(|percent| percent >= 60)
    };
    let left = cancel_when("INT", line, is_halfway, lay, wanted);
    assert!(!left.path().join("copy.edb").exists());
    let bytes = u64::from(left.load) * 8 * LARGE;
    left.assert_says(&format!(" of {bytes} bytes of the copy are kept in "));
    left.assert_says("copy.edb.part': run the same command again, and it resumes behind them.");
    let kept = left.message.split(' ').nth(2).unwrap();
    let kept: u64 = kept.parse().unwrap();
    let again = whole(left.path(), &format!("{line} --format=json"));
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    let before = again["result"]["bytes_before"].as_u64().unwrap();
    assert_eq!(before, kept, "{again}");
    assert_eq!(again["result"]["outcome"], "copied", "{again}");
    same(
        &left.path().join("large.edb"),
        &left.path().join("copy.edb"),
    );
    assert_eq!(std::fs::read_dir(left.path()).unwrap().count(), 2);
}

/// Both files hold the same.
fn same(one: &Path, other: &Path) {
    let [one, other] = [one, other].map(|path| File::open(path).unwrap());
    let len = one.metadata().unwrap().len();
    assert_eq!(other.metadata().unwrap().len(), len);
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for at in (0..len).step_by(1 << 20) {
        one.read_exact_at(&mut a, at).unwrap();
        other.read_exact_at(&mut b, at).unwrap();
        assert!(a == b, "at {at}");
    }
}

#[test]
fn a_copy_without_a_map_says_what_to_remove() {
    let line = "y large.edb --destination=copy.edb";
    let left = cancel("INT", line, "copying, ", lay_large);
    left.assert_says("The copy is not whole: remove '");
    left.assert_says("copy.edb.part' and run the same command again. With --resume ");
    assert!(!left.path().join("copy.edb").exists());
    std::fs::remove_file(left.path().join("copy.edb.part")).unwrap();
    whole(left.path(), line);
    same(
        &left.path().join("large.edb"),
        &left.path().join("copy.edb"),
    );
}

/// Where nothing was changed yet; what is left besides is no concern of the next run.
fn assert_unchanged(left: &Left) {
    left.assert_says("Nothing was changed: run the same command again.");
    let now = files(left.path());
    for (path, bytes) in &left.before {
        assert!(now.get(path) == Some(bytes), "{}", path.display());
    }
}

/// The files as an uninterrupted run leaves them, less those whose bytes differ from run to run.
fn names_after(line: &str, left: &Left, lay: impl Fn(&Path, u32)) -> Vec<String> {
    let dir = folder();
    lay(dir.path(), left.load);
    whole(dir.path(), line);
    names(dir.path())
}

fn names(dir: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(dir).into_keys().map(name).collect()
}

#[test]
fn a_repair_leaves_the_database_alone() {
    let line = "p --yes a.edb";
    for sign in ["checking, ", "writing, "] {
        let left = cancel_where("INT", line, sign, lay_damaged, |message| {
            message.contains("Nothing was changed")
        });
        assert_unchanged(&left);
        whole(left.path(), line);
        whole(left.path(), "g a.edb");
        assert_eq!(names(left.path()), names_after(line, &left, lay_damaged));
        whole(left.path(), "undo a.edb.undo");
        assert!(
            files(left.path())[&left.path().join("a.edb")]
                == left.before[&left.path().join("a.edb")]
        );
    }
}

#[test]
fn a_named_temporary_file_is_named() {
    let line = "p --yes --temp=new.tmp a.edb";
    let left = cancel_where("INT", line, "writing, ", lay_damaged, |message| {
        message.contains("is not whole")
    });
    left.assert_says("Nothing was changed, but 'new.tmp' is not whole: remove it and run the same command again.");
    std::fs::remove_file(left.path().join("new.tmp")).unwrap();
    whole(left.path(), line);
    whole(left.path(), "g a.edb");
}

#[test]
fn a_defragmentation_leaves_the_database_alone() {
    let line = "d a.edb";
    for sign in ["writing, ", "checking, "] {
        let left = cancel_where("TERM", line, sign, lay_database, |message| {
            message.contains("Nothing was changed")
        });
        assert_unchanged(&left);
        whole(left.path(), line);
        whole(left.path(), "g a.edb");
        // What was not whole is gone; a whole new file, which only lacked its name, is somebody's to look at.
        for name in names(left.path()) {
            assert!(name == "a.edb" || name.starts_with("TEMPDFRG"), "{name}");
            whole(left.path(), &format!("g {name}"));
        }
    }
}

#[test]
fn a_recovery_that_replays_has_changed_nothing() {
    let left = cancel_where("INT", RECOVER, "replaying, ", lay_crash, |message| {
        message.contains("Nothing was changed")
    });
    assert_unchanged(&left);
    whole(left.path(), RECOVER);
    assert_recovered(&left);
}

/// Clean and sound, and every byte comes back.
fn assert_recovered(left: &Left) {
    whole(left.path(), "g live.edb");
    whole(left.path(), "undo E00.undo");
    let mut now = files(left.path());
    now.remove(&left.path().join("E00.undo"));
    assert!(now == left.before);
}

#[test]
fn a_recovery_that_writes_names_the_way_back() {
    let half = |message: &str| message.contains("Files are half changed");
    let sealed = |_: &Running, dir: &Path| {
        let undo = UndoFile::open(&RealDisk, &dir.join("E00.undo"));
        undo.is_ok_and(|undo| undo.status() == UndoStatus::Sealed)
    };
    let left = cancel_when("INT", RECOVER, sealed, lay_crash, half);
    left.assert_says("E00.undo' holds what was there: run the same command again, which takes that back first, or 'exutil undo ");
    let half = files(left.path());
    let undo = left.message.split("exutil undo ").nth(1).unwrap();
    let undo = undo.strip_suffix("'.").unwrap();
    // One way: back.
    whole(left.path(), &format!("undo {undo}"));
    let mut now = files(left.path());
    now.remove(Path::new(undo));
    assert!(now == left.before);
    // The other: on.
    for path in files(left.path()).keys() {
        std::fs::remove_file(path).unwrap();
    }
    for (path, bytes) in &half {
        std::fs::write(path, bytes).unwrap();
    }
    whole(left.path(), RECOVER);
    assert_recovered(&left);
}

/// Copies of a database, to be looked into one by one.
fn lay_many(dir: &Path, load: u32) {
    std::fs::create_dir(dir.join("disk")).unwrap();
    let sample = dir.join("disk/0.edb");
    std::fs::write(&sample, common::sample("mini-8k.edb")).unwrap();
    for number in 1..load * 20 {
        std::fs::hard_link(&sample, dir.join(format!("disk/{number}.edb"))).unwrap();
    }
}

#[test]
fn a_sweep_goes_on_with_its_state() {
    let line = "sweep disk --depth=integrity --state=night.state --format=json";
    let left = cancel("INT", line, "looking, ", lay_many);
    left.assert_says("What was found out is kept in 'night.state': run the same command again, with the same --state");
    let state = std::fs::read_to_string(left.path().join("night.state")).unwrap();
    let printed = whole(left.path(), line);
    let after = std::fs::read_to_string(left.path().join("night.state")).unwrap();
    // A line that was cut off by the signal is closed, and told anew.
    assert!(
        after.starts_with(state.trim_end()),
        "what was known is gone"
    );
    let fresh = folder();
    lay_many(fresh.path(), left.load);
    assert_eq!(printed, whole(fresh.path(), line));
}

#[test]
fn a_sweep_without_state_says_that_there_is_one() {
    let left = cancel("INT", "sweep disk --depth=integrity", "looking, ", lay_many);
    left.assert_says(
        "Nothing was changed, and nothing is kept of what was found out: with --state FILE ",
    );
}

#[test]
fn a_second_signal_does_not_wait() {
    // Nobody reads what it says, and the pipe is full: the sentence never ends, nor does the heartbeat, for which a
    // command waits at its end.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let theirs = writer.try_clone().unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    // It stays in its last call until the reader is gone.
    let filler = std::thread::spawn(move || {
        while writer.write_all(b"x").is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = written.load(Ordering::Relaxed);
        if now > 0 && now == before {
            break;
        }
        before = now;
    }
    let mut waited = false;
    for attempt in 0..ATTEMPTS / 2 {
        let dir = folder();
        lay_large(dir.path(), 1 << attempt);
        let mut command = Command::new(env!("CARGO_BIN_EXE_exutil"));
        command.args(["k", "large.edb"]).current_dir(dir.path());
        command.env("EXUTIL_HEARTBEAT", "0.01");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(theirs.try_clone().unwrap());
        let (code, signals) = signalled_until_it_ends(command.spawn().unwrap());
        // Whoever is through before its first heartbeat is due has nothing to wait for.
        if code == Some(0) {
            continue;
        }
        assert_eq!(code, CANCELLED);
        assert!(signals > 1, "the first did not wait");
        waited = true;
        break;
    }
    assert!(waited, "it was always faster than its first heartbeat");
    drop(reader);
    filler.join().unwrap();
}

/// How it ended, and how many signals that took.
fn signalled_until_it_ends(mut child: Child) -> (Option<i32>, u32) {
    wait_for_handler(&mut child);
    let mut signals = 0;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), signals);
        }
        assert!(started.elapsed() < DEADLINE);
        send("INT", child.id());
        signals += 1;
        // Two that come at once are one.
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Before a process listens, a signal ends it as it ends every other. What it listens to Linux tells. Returns too when it has
/// ended.
fn wait_for_handler(child: &mut Child) {
    const INT: u64 = 1 << (2 - 1);
    let path = format!("/proc/{}/status", child.id());
    let started = Instant::now();
    while let Ok(status) = std::fs::read_to_string(&path) {
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
        if caught & INT != 0 || child.try_wait().unwrap().is_some() {
            return;
        }
        assert!(started.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_secs(2));
}

/// `nohup` ignores SIGHUP for whom it starts.
#[test]
fn whoever_ignores_hangups_goes_on() {
    let mut told = false;
    for attempt in 0..ATTEMPTS {
        let dir = folder();
        lay_large(dir.path(), 1 << (attempt / 2));
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "trap '' HUP; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_exutil"),
        ]);
        let mut running = Running::start_as(shell, dir.path(), "0.01", "k large.edb");
        if !running.says("checking, ") {
            continue;
        }
        running.signal("HUP");
        let (status, said) = running.end();
        assert_eq!(status.code(), Some(0), "{said}");
        told = true;
        break;
    }
    assert!(told, "was never there when the signal came");
}

/// Looks at the files whenever something is said of them.
struct Witness {
    dir: PathBuf,
    before: Files,
    said: Mutex<Vec<&'static str>>,
}

impl Witness {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            before: files(dir),
            said: Mutex::default(),
        }
    }

    /// Every file is as it was.
    fn unchanged(&self) -> bool {
        let now = files(&self.dir);
        let mut before = self.before.iter();
        before.all(|(path, bytes)| now.get(path) == Some(bytes))
    }
}

impl Progress for Witness {
    fn start(&self, _task: Task) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}

    fn leaves(&self, left: progress::Left<'_>) {
        let said = match left {
            progress::Left::Unchanged | progress::Left::Unfinished { .. } => {
                assert!(self.unchanged(), "{left:?}");
                "unchanged"
            }
            progress::Left::Changing { undo } => {
                // It is said before it is so.
                assert!(
                    self.unchanged() && undo.is_some_and(Path::is_file),
                    "{left:?}"
                );
                "changing"
            }
            progress::Left::Changed { undo } => {
                assert!(
                    !self.unchanged() && undo.is_some_and(Path::is_file),
                    "{left:?}"
                );
                "changed"
            }
            progress::Left::Kept { .. } => panic!("{left:?}"),
        };
        self.said.lock().unwrap().push(said);
    }
}

impl Stages for Witness {
    fn stage(&self, _stage: Stage) {}

    fn proceed(&self, _check: &CheckReport) -> bool {
        true
    }
}

const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);

#[test]
fn a_recovery_says_what_is_so() {
    let dir = folder();
    lay_crash(dir.path(), 1);
    let options = RecoverOptions::new("E00", dir.path(), NOW);
    let witness = Witness::new(dir.path());
    recover_files(&options, &witness).unwrap();
    assert_eq!(*witness.said.lock().unwrap(), ["changing", "changed"]);
}

#[test]
fn a_repair_says_what_is_so() {
    for temp in [None, Some("new.tmp")] {
        let dir = folder();
        lay_damaged(dir.path(), 1);
        let options = RepairFileOptions {
            temp: temp.map(|name| dir.path().join(name)),
            ..RepairFileOptions::new(dir.path().join("a.edb"), NOW)
        };
        let witness = Witness::new(dir.path());
        repair_file(&options, &witness).unwrap();
        let said = witness.said.lock().unwrap();
        let (last, first) = said.split_last().unwrap();
        assert_eq!(*last, "changed");
        assert_eq!(first.last(), Some(&"changing"), "{said:?}");
        assert!(first.iter().filter(|said| **said == "changing").count() == 1);
    }
}
