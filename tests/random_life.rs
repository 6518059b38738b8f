//! Random lives of databases: each is built or written to by a small engine, crashes, is recovered, restored from a
//! backup, damaged, repaired, defragmented, tested, in an order that its seed decides; and after each step it must hold what
//! it is to hold, with nothing for the integrity check to find, with nothing left to do for a second run, and with a way back to
//! the last byte. Runs are killed now and then.
//!
//! A plain `cargo test` lives the same lives every time, for ten seconds. `EXUTIL_RANDOM_SECONDS=120` takes seeds that nobody
//! has seen for so long; `EXUTIL_RANDOM_SEED=N` lives exactly one, and is what a failure says how to repeat it.
//! `EXUTIL_RANDOM_KEEP=DIR` beside it leaves the databases there.
//! Where a seed has found a fault of exutil it is in [`FOUND`], which a plain run begins with.

#[path = "common/backup.rs"]
mod backup;
#[path = "random_life/birth.rs"]
mod birth;
mod common;
#[path = "random_life/crash.rs"]
mod crash;
#[path = "common/engine.rs"]
mod engine;
#[path = "common/harm.rs"]
mod harm;
#[path = "random_life/life.rs"]
mod life;
#[path = "common/recovery.rs"]
mod recovery;
#[path = "common/repairing.rs"]
mod repairing;
#[path = "common/restore.rs"]
mod restore;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;
#[path = "../examples/build_testdata/scatter.rs"]
mod scatter;
#[path = "random_life/schema.rs"]
mod schema;
#[path = "random_life/steps.rs"]
mod steps;
#[path = "../examples/build_testdata/stores/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stores;

use std::hash::{BuildHasher as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use backup::kinds;

/// Lives at the same time.
const THREADS: usize = 2;
/// How long a plain run takes, and the seed that it begins with.
const PLAIN: (Duration, u64) = (Duration::from_secs(10), 1);
/// Seeds that found something: names of recovered tables that were taken, keys cut to a limit that the format cannot keep
/// (two), a pointer to a lost page of the database's own.
const FOUND: &[u64] = &[
    145_147_170_238,
    145_147_170_321,
    145_147_171_232,
    145_147_172_030,
];
/// So many failures are enough.
const ENOUGH: usize = 8;
/// No life takes so long, on however busy a machine, unless something never ends.
const NEVER: Duration = Duration::from_secs(300);

/// Which seeds, and for how long.
struct Plan {
    seeds: Box<dyn Iterator<Item = u64> + Send>,
    time: Option<Duration>,
}

impl Plan {
    fn from_environment() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            let number = text.parse::<u64>();
            Some(number.unwrap_or_else(|error| panic!("{name}={text}: {error}")))
        };
        if let Some(seed) = number("EXUTIL_RANDOM_SEED") {
            return Self {
                seeds: Box::new(std::iter::once(seed)),
                time: None,
            };
        }
        if let Some(seconds) = number("EXUTIL_RANDOM_SECONDS") {
            // The standard library's hashes begin with numbers that the system gives.
            let fresh = std::hash::RandomState::new().build_hasher().finish();
            return Self {
                seeds: Box::new((fresh >> 24)..),
                time: Some(Duration::from_secs(seconds)),
            };
        }
        let (time, first) = PLAIN;
        Self {
            seeds: Box::new(FOUND.iter().copied().chain(first..)),
            time: Some(time),
        }
    }
}

/// What the threads share.
struct Shared {
    plan: Mutex<Plan>,
    started: Instant,
    /// Who lives now, and since when.
    now: Mutex<[Option<(u64, Instant)>; THREADS]>,
    lived: Mutex<u64>,
    steps: Mutex<std::collections::BTreeMap<&'static str, u64>>,
    failed: Mutex<Vec<String>>,
}

impl Shared {
    fn next(&self) -> Option<u64> {
        let mut plan = self.plan.lock().unwrap();
        let is_over = plan.time.is_some_and(|time| self.started.elapsed() > time);
        if is_over || self.failed.lock().unwrap().len() >= ENOUGH {
            return None;
        }
        plan.seeds.next()
    }

    fn work(&self, thread: usize) {
        while let Some(seed) = self.next() {
            self.now.lock().unwrap()[thread] = Some((seed, Instant::now()));
            let mut story = life::Story::default();
            let lived = catch_unwind(AssertUnwindSafe(|| life::live(seed, &mut story)));
            for step in &story.steps {
                *self.steps.lock().unwrap().entry(step).or_default() += 1;
            }
            if let Err(panic) = lived {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
                let failure = format!(
                    "{}\n  after: {}\n  again: {}",
                    words.unwrap_or("a panic"),
                    story.told.join("\n         "),
                    command(seed)
                );
                println!("{failure}");
                self.failed.lock().unwrap().push(failure);
            }
            *self.lived.lock().unwrap() += 1;
        }
        self.now.lock().unwrap()[thread] = None;
    }

    /// The seed of a life that does not end.
    fn stuck(&self) -> Option<u64> {
        let now = self.now.lock().unwrap();
        let old = now.iter().flatten().find(|life| life.1.elapsed() > NEVER);
        old.map(|(seed, _)| *seed)
    }
}

/// How to live one life again.
fn command(seed: u64) -> String {
    format!("EXUTIL_RANDOM_SEED={seed} cargo test --test random_life -- --nocapture")
}

#[test]
fn every_life_goes_well() {
    let shared = Shared {
        plan: Mutex::new(Plan::from_environment()),
        started: Instant::now(),
        now: Mutex::default(),
        lived: Mutex::default(),
        steps: Mutex::default(),
        failed: Mutex::default(),
    };
    // Not scoped: who waits for a life that does not end does not end either.
    let shared: &Shared = Box::leak(Box::new(shared));
    let mut threads: Vec<_> = (0..THREADS)
        .map(|thread| std::thread::spawn(move || shared.work(thread)))
        .collect();
    while let Some(thread) = threads.pop() {
        while !thread.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
            if let Some(seed) = shared.stuck() {
                panic!("a life does not end: {}", command(seed));
            }
        }
        thread.join().unwrap();
    }
    let lived = *shared.lived.lock().unwrap();
    let steps = shared.steps.lock().unwrap();
    println!(
        "random lives: {lived} in {} s: {steps:?}",
        shared.started.elapsed().as_secs()
    );
    let failed = shared.failed.lock().unwrap();
    assert!(
        failed.is_empty(),
        "{} of {lived} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(lived > 0, "nobody lived");
}
