//! Eseutil's progress on standard output: a bar of 51 dots. What is shown on standard error is `live`.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use super::session::write_out;
use crate::progress::{Left, Progress, Task};

/// Dots of a full bar: one for each two percent, and one at the end.
const DOTS: u64 = 51;

/// Eseutil's bar, written to standard output as the job goes on. Where a live bar is drawn on the same terminal the
/// dots follow at the end.
pub struct EseutilBar {
    title: String,
    total: AtomicU64,
    done: AtomicU64,
    /// Dots printed so far; whoever prints holds it.
    dots: Mutex<u64>,
    at_the_end: bool,
    /// The stage is one that the original does not show.
    unseen: AtomicBool,
}

impl EseutilBar {
    /// A bar over a job such as "Checksum".
    pub fn new(title: &'static str) -> Self {
        Self::with(format!("{title} Status"))
    }

    /// A bar with another title than most: "Copy Progress".
    pub fn titled(title: &'static str) -> Self {
        Self::with(title.into())
    }

    fn with(title: String) -> Self {
        Self {
            title,
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            dots: Mutex::new(0),
            at_the_end: std::io::stderr().is_terminal() && std::io::stdout().is_terminal(),
            unseen: AtomicBool::new(false),
        }
    }

    fn dots(&self, target: u64) {
        let mut dots = self.dots.lock().unwrap_or_else(PoisonError::into_inner);
        if target > *dots {
            write_out(&".".repeat((target - *dots) as usize));
            *dots = target;
        }
    }
}

impl Progress for EseutilBar {
    fn start(&self, task: Task) {
        self.unseen.store(task.unseen, Ordering::Relaxed);
        if task.unseen {
            return;
        }
        self.total.store(task.total, Ordering::Relaxed);
        let title = format!("{} (% complete)", self.title);
        let indent = 10 + DOTS as usize / 2 - title.len() / 2;
        write_out(&format!(
            "{:indent$}{title}\n\n{:10}0    10   20   30   40   50   60   70   80   90  100\n\
             {:10}|----|----|----|----|----|----|----|----|----|----|\n{:10}",
            "", "", "", ""
        ));
    }

    fn advance(&self, amount: u64) {
        if self.at_the_end || self.unseen.load(Ordering::Relaxed) {
            return;
        }
        // Workers call this for every page: they meet at the lock only when a dot is due.
        let done = self.done.fetch_add(amount, Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed);
        let due = |done: u64| {
            (done * (DOTS - 1))
                .checked_div(total)
                .unwrap_or(0)
                .min(DOTS - 1)
        };
        if due(done + amount) > due(done) {
            self.dots(due(done + amount));
        }
    }

    fn finish(&self) {
        if self.unseen.load(Ordering::Relaxed) {
            return;
        }
        self.dots(DOTS);
        write_out("\n\n");
    }

    fn leaves(&self, _left: Left<'_>) {}
}

/// Shown in two places.
pub struct Both<A, B>(pub A, pub B);

impl<A: Progress, B: Progress> Progress for Both<A, B> {
    fn start(&self, task: Task) {
        // What is written on standard output first, so that a bar does not stand before its heading.
        self.1.start(task);
        self.0.start(task);
    }

    fn advance(&self, amount: u64) {
        self.0.advance(amount);
        self.1.advance(amount);
    }

    fn finish(&self) {
        self.0.finish();
        self.1.finish();
    }

    fn leaves(&self, left: Left<'_>) {
        self.0.leaves(left);
        self.1.leaves(left);
    }
}

/// A bar of Eseutil's for each stage of a job that it has one for.
pub struct StageBars {
    title: &'static str,
    wanted: AtomicBool,
    bar: RwLock<Option<EseutilBar>>,
}

impl StageBars {
    /// Bars with this title; none where they are not wanted.
    pub fn new(title: &'static str, wanted: bool) -> Self {
        Self {
            title,
            wanted: AtomicBool::new(wanted),
            bar: RwLock::new(None),
        }
    }

    /// Whether the stages that follow have a bar.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    fn with_bar(&self, show: impl FnOnce(&EseutilBar)) {
        let bar = self.bar.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bar.as_ref() {
            show(bar);
        }
    }
}

impl Progress for StageBars {
    fn start(&self, task: Task) {
        let mut bar = self.bar.write().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.wanted.load(Ordering::Relaxed);
        *bar = wanted.then(|| EseutilBar::new(self.title));
        drop(bar);
        self.with_bar(|bar| bar.start(task));
    }

    fn advance(&self, amount: u64) {
        self.with_bar(|bar| bar.advance(amount));
    }

    fn finish(&self) {
        self.with_bar(Progress::finish);
    }

    fn leaves(&self, _left: Left<'_>) {}
}
