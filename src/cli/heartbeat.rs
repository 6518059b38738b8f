//! Progress for logs: where standard error is no terminal, a line now and then that says how far a long job is.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::progress::{Task, Unit};

/// Seconds between two lines, where nobody says otherwise.
const EVERY: Duration = Duration::from_secs(60);
/// Says otherwise: a number of seconds; 0: no lines.
pub const VARIABLE: &str = "EXUTIL_HEARTBEAT";
/// More lines than this nobody wants.
const LEAST: Duration = Duration::from_millis(10);
/// Longest wait for the last line.
const ENDED_WITHIN: Duration = Duration::from_millis(500);
/// The rate is that of so many beats: what an earlier run had done goes by in no time and tells nothing.
const BEATS: usize = 10;

/// How often a line is due; `None`: never. What is no number counts as unsaid.
pub fn interval(asked: Option<&str>) -> Option<Duration> {
    let seconds = asked.and_then(|text| text.trim().parse::<f64>().ok());
    match seconds {
        Some(seconds) if seconds <= 0.0 => None,
        Some(seconds) => {
            Some(Duration::try_from_secs_f64(seconds).map_or(EVERY, |time| time.max(LEAST)))
        }
        None => Some(EVERY),
    }
}

/// How far a job is, at what rate; knows no clock.
struct Pace {
    label: String,
    stage: Option<Stage>,
}

struct Stage {
    task: Task,
    /// What was done when; the first is the beginning or an earlier beat.
    beats: VecDeque<(Duration, u64)>,
    at: String,
}

impl Pace {
    const fn new(label: String) -> Self {
        Self { label, stage: None }
    }

    fn start(&mut self, now: Duration, task: Task) {
        self.stage = Some(Stage {
            task,
            beats: VecDeque::from([(now, 0)]),
            at: String::new(),
        });
    }

    /// The line that is due now, when so much is done; none between two stages.
    fn beat(&mut self, now: Duration, done: u64) -> Option<String> {
        let stage = self.stage.as_mut()?;
        let Task {
            doing, total, unit, ..
        } = stage.task;
        let done = if total > 0 { done.min(total) } else { done };
        let (since, had) = stage.beats.front().copied().unwrap_or_default();
        let seconds = now.saturating_sub(since).as_secs_f64();
        let rate = if seconds > 0.0 {
            (done - had.min(done)) as f64 / seconds
        } else {
            0.0
        };
        let mut line = format!("exutil: {}: {doing}, ", self.label);
        if total > 0 {
            let percent = u128::from(done) * 100 / u128::from(total);
            line += &format!("{percent} % ({})", of(unit, done, total));
        } else {
            line += &amount(unit, done as f64);
        }
        line += &format!(", {}/s", amount(unit, rate));
        if total > 0 && rate > 0.0 {
            let left = ((total - done) as f64 / rate).ceil();
            line += &format!(", about {} left", clock(left));
        }
        if !stage.at.is_empty() {
            line += &format!(", at {}", stage.at);
        }
        stage.beats.push_back((now, done));
        if stage.beats.len() > BEATS {
            stage.beats.pop_front();
        }
        line.push('\n');
        Some(line)
    }
}

/// `1.2 of 3.3 GB`, `3 of 17 logs`
fn of(unit: Unit, done: u64, total: u64) -> String {
    match unit {
        Unit::Bytes | Unit::Pages(_) => {
            let (scale, name) = magnitude(bytes(unit, total as f64));
            let done = number(bytes(unit, done as f64) / scale, name);
            format!("{done} of {}", amount(unit, total as f64))
        }
        Unit::Things(name) => format!("{done} of {total} {name}"),
    }
}

/// `212 MB`, `3 logs`
fn amount(unit: Unit, amount: f64) -> String {
    match unit {
        Unit::Bytes | Unit::Pages(_) => {
            let bytes = bytes(unit, amount);
            let (scale, name) = magnitude(bytes);
            format!("{} {name}", number(bytes / scale, name))
        }
        Unit::Things(name) if amount >= 10.0 || amount.fract() == 0.0 => {
            format!("{amount:.0} {name}")
        }
        Unit::Things(name) => format!("{amount:.1} {name}"),
    }
}

fn bytes(unit: Unit, amount: f64) -> f64 {
    match unit {
        Unit::Pages(size) => amount * f64::from(size),
        _ => amount,
    }
}

fn magnitude(bytes: f64) -> (f64, &'static str) {
    const NAMES: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let found = NAMES.into_iter().find(|(scale, _)| bytes >= *scale);
    found.unwrap_or((1.0, "bytes"))
}

/// One digit behind the point where there are few before it.
fn number(value: f64, name: &str) -> String {
    if value < 100.0 && name != "bytes" {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// `0:02:10`
fn clock(seconds: f64) -> String {
    let seconds = seconds as u64;
    format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// What the job and the thread that writes share.
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
    /// Of the stage. Workers tell of every piece, and must not wait for each other.
    done: AtomicU64,
}

struct State {
    pace: Pace,
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines about one job until it is dropped.
pub struct Heartbeat {
    shared: Arc<Shared>,
    started: Instant,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// The first line comes when `every` has gone by.
    pub fn new(label: String, every: Duration, mut out: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                pace: Pace::new(label),
                over: false,
            }),
            ended: Condvar::new(),
            done: AtomicU64::new(0),
        });
        let started = Instant::now();
        let theirs = Arc::clone(&shared);
        let write = move || {
            let mut state = theirs.lock();
            let mut due = every;
            while !state.over {
                let wait = due.saturating_sub(started.elapsed());
                if !wait.is_zero() {
                    let waited = theirs.ended.wait_timeout(state, wait);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
                let now = started.elapsed();
                if let Some(line) = state.pace.beat(now, theirs.done.load(Ordering::Relaxed)) {
                    // The job must not wait for a log that is full.
                    drop(state);
                    let _ = out.write_all(line.as_bytes());
                    state = theirs.lock();
                }
                // Beats that were slept through are not made up for.
                due = now + every;
            }
        };
        // Without a thread there are no lines, and nothing else is lost.
        let thread = std::thread::Builder::new()
            .name("heartbeat".into())
            .spawn(write);
        Self {
            shared,
            started,
            thread: thread.ok(),
        }
    }

    /// A job, or the next stage of it.
    pub fn start(&self, task: Task) {
        let mut state = self.shared.lock();
        self.shared.done.store(0, Ordering::Relaxed);
        state.pace.start(self.started.elapsed(), task);
    }

    /// `amount` more of it is done.
    pub fn advance(&self, amount: u64) {
        self.shared.done.fetch_add(amount, Ordering::Relaxed);
    }

    /// What it is at.
    pub fn at(&self, what: &str) {
        if let Some(stage) = &mut self.shared.lock().pace.stage {
            what.clone_into(&mut stage.at);
        }
    }

    /// Nothing is done until the next stage.
    pub fn finish(&self) {
        self.shared.lock().pace.stage = None;
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.ended.notify_all();
        // It is at its end, or in the middle of a line that nobody takes: the job does not wait for that.
        let waited = Instant::now();
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && waited.elapsed() < ENDED_WITHIN {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::{EVERY, Heartbeat, LEAST, Pace, interval};
    use crate::progress::Task;

    const SECOND: Duration = Duration::from_secs(1);

    fn started(task: Task) -> Pace {
        let mut pace = Pace::new("k priv1.edb".to_owned());
        assert_eq!(pace.beat(SECOND, 7), None);
        pace.start(5 * SECOND, task);
        pace
    }

    #[test]
    fn a_line_says_how_far_at_what_rate_and_how_long_still() {
        let mut pace = started(Task::bytes("checking", 3_300_000_000));
        assert_eq!(
            pace.beat(11 * SECOND, 1_230_000_000).unwrap(),
            "exutil: k priv1.edb: checking, 37 % (1.2 of 3.3 GB), 205 MB/s, about 0:00:11 left\n"
        );
    }

    #[test]
    fn pages_are_shown_as_bytes_and_other_things_by_name() {
        let mut pace = started(Task::pages("checking", 1000, 4096));
        assert_eq!(
            pace.beat(6 * SECOND, 250).unwrap(),
            "exutil: k priv1.edb: checking, 25 % (1.0 of 4.1 MB), 1.0 MB/s, about 0:00:03 left\n"
        );
        let mut pace = started(Task::things("replaying", 17, "logs"));
        assert_eq!(
            pace.beat(7 * SECOND, 3).unwrap(),
            "exutil: k priv1.edb: replaying, 17 % (3 of 17 logs), 1.5 logs/s, about 0:00:10 left\n"
        );
    }

    #[test]
    fn where_nobody_knows_the_end_there_is_no_percentage() {
        let mut pace = started(Task::things("looking", 0, "files"));
        pace.stage.as_mut().unwrap().at = "/a/b".to_owned();
        assert_eq!(
            pace.beat(7 * SECOND, 40).unwrap(),
            "exutil: k priv1.edb: looking, 40 files, 20 files/s, at /a/b\n"
        );
    }

    #[test]
    fn the_rate_is_that_of_the_last_beats() {
        let mut pace = started(Task::bytes("copying", 1_000_000));
        // What an earlier run had copied.
        let mut done = 800_000;
        let first = pace.beat(6 * SECOND, done).unwrap();
        assert!(first.contains(" 800 kB/s, "), "{first}");
        let mut last = String::new();
        for second in 7..20 {
            done += 1000;
            last = pace.beat(second * SECOND, done).unwrap();
        }
        assert!(
            last.ends_with("81 % (0.8 of 1.0 MB), 1.0 kB/s, about 0:03:07 left\n"),
            "{last}"
        );
    }

    #[test]
    fn nothing_done_and_more_than_all_done_are_no_trouble() {
        let mut pace = started(Task::bytes("copying", 1000));
        let line = pace.beat(5 * SECOND, 0).unwrap();
        assert!(line.ends_with("0 % (0.0 of 1.0 kB), 0 bytes/s\n"), "{line}");
        let line = pace.beat(6 * SECOND, 5000).unwrap();
        assert!(
            line.contains("100 % ") && line.ends_with("0:00:00 left\n"),
            "{line}"
        );
        // A stage that begins anew is not compared with the one before.
        pace.start(9 * SECOND, Task::bytes("writing", 10));
        assert!(
            pace.beat(10 * SECOND, 1)
                .unwrap()
                .contains("10 % (1 of 10 bytes), 1 bytes/s")
        );
        let mut none = started(Task::pages("checking", 0, 4096));
        assert!(
            none.beat(6 * SECOND, 0)
                .unwrap()
                .contains("checking, 0 bytes, 0 bytes/s")
        );
    }

    #[test]
    fn the_interval_is_a_number_of_seconds() {
        assert_eq!(interval(None), Some(EVERY));
        assert_eq!(interval(Some("5")), Some(5 * SECOND));
        assert_eq!(interval(Some(" 0.5 ")), Some(SECOND / 2));
        assert_eq!(interval(Some("0.000001")), Some(LEAST));
        assert_eq!(interval(Some("0")), None);
        assert_eq!(interval(Some("-3")), None);
        for odd in ["", "often", "inf", "NaN", "1e300"] {
            assert_eq!(interval(Some(odd)), Some(EVERY), "{odd}");
        }
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_while_it_lasts_and_no_thread_stays() {
        let page = Page::default();
        let heart = Heartbeat::new("k a".to_owned(), LEAST, page.clone());
        heart.start(Task::things("reading", 4, "logs"));
        heart.advance(1);
        let lines = || String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        while lines().lines().count() < 3 {
            std::thread::sleep(LEAST);
        }
        drop(heart);
        // The thread had the other.
        assert_eq!(Arc::strong_count(&page.0), 1);
        for line in lines().lines() {
            assert!(
                line.starts_with("exutil: k a: reading, 25 % (1 of 4 logs), "),
                "{line}"
            );
        }
    }

    #[test]
    fn a_short_job_writes_nothing_and_does_not_wait() {
        let page = Page::default();
        let before = std::time::Instant::now();
        let heart = Heartbeat::new("k a".to_owned(), EVERY, page.clone());
        heart.start(Task::bytes("reading", 4));
        heart.advance(4);
        heart.finish();
        drop(heart);
        assert!(before.elapsed() < EVERY / 2);
        assert!(page.0.lock().unwrap().is_empty());
    }
}
