//! What is shown on standard error while a job runs: on a terminal a bar with rate and remaining time, elsewhere a
//! heartbeat. What goes to standard output is another matter.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape::escape;
use super::heartbeat::{Heartbeat, VARIABLE, interval};
use super::interrupt;
use crate::ops::sweep::Watch;
use crate::progress::{Left, Progress, Task, Unit};

/// How the bar looks, by what is counted.
const BYTES: &str = "{prefix}: {msg} {wide_bar} {percent:>3}% {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
const THINGS: &str =
    "{prefix}: {msg} {wide_bar} {percent:>3}% {human_pos} of {human_len}, {per_sec}, {eta} left";
const COUNT: &str = "{prefix}: {spinner} {human_pos}, {per_sec}, {elapsed}: {wide_msg}";

/// A job that somebody may watch. It ends when it is dropped.
pub struct Live {
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar, AtomicU64),
    Beat(Heartbeat),
    Nothing,
}

impl Live {
    /// A job of `mode` over this file: nothing is shown before it says how much is to be done.
    pub fn new(mode: &str, file: &Path) -> Self {
        interrupt::at(file);
        let asked = std::env::var(VARIABLE).ok();
        let Some(every) = interval(asked.as_deref()) else {
            return Self {
                shown: Shown::Nothing,
            };
        };
        let file = file.to_string_lossy();
        let label = format!("{mode} {}", escape(&file));
        let shown = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_prefix(label);
            interrupt::shows(&bar);
            Shown::Bar(bar, AtomicU64::new(1))
        } else {
            Shown::Beat(Heartbeat::new(label, every, std::io::stderr()))
        };
        Self { shown }
    }

    /// The same where lines are printed meanwhile: on a terminal they tell enough.
    pub fn while_printing(mode: &str, file: &Path) -> Self {
        if std::io::stdout().is_terminal() {
            interrupt::at(file);
            return Self {
                shown: Shown::Nothing,
            };
        }
        Self::new(mode, file)
    }

    /// Prints lines of the result without the bar between them.
    pub fn aside(&self, print: impl FnOnce()) {
        match &self.shown {
            Shown::Bar(bar, _) => bar.suspend(print),
            Shown::Beat(_) | Shown::Nothing => print(),
        }
    }
}

impl Progress for Live {
    fn start(&self, task: Task) {
        match &self.shown {
            Shown::Bar(bar, scale) => {
                let (template, each) = match task.unit {
                    _ if task.total == 0 => (COUNT, 1),
                    Unit::Bytes => (BYTES, 1),
                    Unit::Pages(size) => (BYTES, u64::from(size)),
                    Unit::Things(_) => (THINGS, 1),
                };
                scale.store(each, Ordering::Relaxed);
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_message(task.doing);
                if task.total > 0 {
                    bar.set_length(task.total.saturating_mul(each));
                }
                bar.reset();
            }
            Shown::Beat(beat) => beat.start(task),
            Shown::Nothing => {}
        }
    }

    fn advance(&self, amount: u64) {
        match &self.shown {
            Shown::Bar(bar, scale) => {
                let each = scale.load(Ordering::Relaxed);
                bar.inc(amount.saturating_mul(each));
            }
            Shown::Beat(beat) => beat.advance(amount),
            Shown::Nothing => {}
        }
    }

    fn finish(&self) {
        match &self.shown {
            Shown::Bar(bar, _) => bar.finish_and_clear(),
            Shown::Beat(beat) => beat.finish(),
            Shown::Nothing => {}
        }
    }

    fn leaves(&self, left: Left<'_>) {
        interrupt::leaves(left);
    }
}

impl Watch for Live {
    fn begins(&self, path: &str) {
        match &self.shown {
            Shown::Bar(bar, _) => bar.set_message(escape(path).into_owned()),
            Shown::Beat(beat) => beat.at(&escape(path)),
            Shown::Nothing => {}
        }
    }

    fn ends(&self) {
        self.advance(1);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}
