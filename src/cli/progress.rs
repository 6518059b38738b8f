//! Progress for people: Eseutil's bar of 51 dots, or a live bar with rate and remaining time.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape::escape;
use super::session::write_out;
use crate::ops::sweep::Watch;
use crate::progress::Progress;

/// What a live bar counts.
const PAGES: &str =
    "{wide_bar} {percent:>3}% {human_pos} of {human_len} pages, {per_sec}, {eta} left";
const BYTES: &str = "{wide_bar} {percent:>3}% {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";

/// Dots of a full bar: one for each two percent, and one at the end.
const DOTS: u64 = 51;

/// Eseutil's bar, written to standard output as the job goes on. On a terminal a live bar is drawn on
/// the error stream while the job runs, and the dots follow at the end.
pub struct EseutilBar {
    title: String,
    total: AtomicU64,
    done: AtomicU64,
    /// Dots printed so far; whoever prints holds it.
    dots: Mutex<u64>,
    live: Option<ProgressBar>,
}

impl EseutilBar {
    /// A bar over a job such as "Checksum".
    pub fn new(title: &'static str) -> Self {
        Self::with(format!("{title} Status"), PAGES)
    }

    /// A bar over bytes, with another title than most: "Copy Progress".
    pub fn over_bytes(title: &'static str) -> Self {
        Self::with(title.into(), BYTES)
    }

    fn with(title: String, template: &str) -> Self {
        let people = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        Self {
            title,
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            dots: Mutex::new(0),
            live: people.then(|| live_bar(template)),
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
    fn start(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        let title = format!("{} (% complete)", self.title);
        let indent = 10 + DOTS as usize / 2 - title.len() / 2;
        write_out(&format!(
            "{:indent$}{title}\n\n{:10}0    10   20   30   40   50   60   70   80   90  100\n\
             {:10}|----|----|----|----|----|----|----|----|----|----|\n{:10}",
            "", "", "", ""
        ));
        if let Some(live) = &self.live {
            live.set_length(total);
        }
    }

    fn advance(&self, amount: u64) {
        if let Some(live) = &self.live {
            return live.inc(amount);
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
        if let Some(live) = &self.live {
            live.finish_and_clear();
        }
        self.dots(DOTS);
        write_out("\n\n");
    }
}

/// Only the live bar, for tables; silent when nobody looks.
pub struct LiveBar {
    bar: ProgressBar,
}

impl LiveBar {
    /// Hidden unless standard error is a terminal.
    pub fn new() -> Self {
        Self::with(PAGES)
    }

    /// Over bytes.
    pub fn over_bytes() -> Self {
        Self::with(BYTES)
    }

    fn with(template: &str) -> Self {
        let shown = std::io::stderr().is_terminal();
        Self {
            bar: if shown {
                live_bar(template)
            } else {
                ProgressBar::hidden()
            },
        }
    }
}

impl Progress for LiveBar {
    fn start(&self, total: u64) {
        self.bar.set_length(total);
    }

    fn advance(&self, amount: u64) {
        self.bar.inc(amount);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Files that are looked at, where nobody knows how many there will be. On a terminal only.
pub struct FileCount {
    bar: ProgressBar,
}

impl FileCount {
    /// Hidden unless standard error is a terminal.
    pub fn new() -> Self {
        let shown = std::io::stderr().is_terminal();
        Self {
            bar: if shown {
                live_bar("{spinner} {human_pos} files, {per_sec}, {elapsed}: {wide_msg}")
            } else {
                ProgressBar::hidden()
            },
        }
    }

    /// Prints lines of the result without the bar between them.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// The job is over.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for FileCount {
    fn begins(&self, path: &str) {
        if !self.bar.is_hidden() {
            self.bar.set_message(escape(path).into_owned());
        }
    }

    fn ends(&self) {
        self.bar.inc(1);
    }
}

/// What is shown of one stage of a job.
pub type Bar = Box<dyn Progress + Send + Sync>;

/// A bar for each stage of a job, as it begins.
pub struct StageBars {
    make: Box<dyn Fn() -> Option<Bar> + Send + Sync>,
    bar: RwLock<Option<Bar>>,
}

impl StageBars {
    /// `make` is asked for a bar whenever a stage starts.
    pub fn new(make: impl Fn() -> Option<Bar> + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            bar: RwLock::new(None),
        }
    }

    fn with_bar(&self, show: impl FnOnce(&dyn Progress)) {
        let bar = self.bar.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bar.as_ref() {
            show(bar.as_ref());
        }
    }
}

impl Progress for StageBars {
    fn start(&self, total: u64) {
        let mut bar = self.bar.write().unwrap_or_else(PoisonError::into_inner);
        *bar = (self.make)();
        drop(bar);
        self.with_bar(|bar| bar.start(total));
    }

    fn advance(&self, amount: u64) {
        self.with_bar(|bar| bar.advance(amount));
    }

    fn finish(&self) {
        self.with_bar(|bar| bar.finish());
    }
}

fn live_bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
