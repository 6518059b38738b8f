//! Progress for people: Eseutil's bar of 51 dots, or a live bar with rate and remaining time.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::PoisonError;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::Progress;

/// Dots of a full bar: one for each two percent, and one at the end.
const DOTS: u64 = 51;

/// Eseutil's bar, written to standard output as the job goes on. With `live` the bar is drawn on the
/// terminal's error stream while the job runs, and the dots follow at the end.
pub struct EseutilBar {
    title: &'static str,
    state: Mutex<BarState>,
    live: Option<ProgressBar>,
}

#[derive(Default)]
struct BarState {
    total: u64,
    done: u64,
    dots: u64,
}

impl EseutilBar {
    /// A bar over a job such as "Checksum"; `bytes_per_unit` turns its units into bytes.
    pub fn new(title: &'static str) -> Self {
        let live =
            (std::io::stderr().is_terminal() && std::io::stdout().is_terminal()).then(live_bar);
        Self {
            title,
            state: Mutex::default(),
            live,
        }
    }

    fn dots(&self, state: &mut BarState, target: u64) {
        if target > state.dots {
            print!("{}", ".".repeat((target - state.dots) as usize));
            let _ = std::io::stdout().flush();
            state.dots = target;
        }
    }
}

impl Progress for EseutilBar {
    fn start(&self, total: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = BarState {
            total,
            ..BarState::default()
        };
        let title = format!("{} Status (% complete)", self.title);
        let indent = 10 + DOTS as usize / 2 - title.len() / 2;
        println!("{:indent$}{title}\n", "");
        println!(
            "{:10}0    10   20   30   40   50   60   70   80   90  100",
            ""
        );
        println!(
            "{:10}|----|----|----|----|----|----|----|----|----|----|",
            ""
        );
        print!("{:10}", "");
        if let Some(live) = &self.live {
            live.set_length(total);
        }
    }

    fn advance(&self, amount: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += amount;
        match &self.live {
            Some(live) => live.inc(amount),
            None => {
                let target = (state.done * (DOTS - 1))
                    .checked_div(state.total)
                    .unwrap_or(0);
                self.dots(&mut state, target.min(DOTS - 1));
            }
        }
    }

    fn finish(&self) {
        if let Some(live) = &self.live {
            live.finish_and_clear();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.dots(&mut state, DOTS);
        println!("\n");
    }
}

/// Only the live bar, for tables; silent when nobody looks.
pub struct LiveBar {
    bar: ProgressBar,
}

impl LiveBar {
    /// Hidden unless standard error is a terminal.
    pub fn new() -> Self {
        let shown = std::io::stderr().is_terminal();
        Self {
            bar: if shown {
                live_bar()
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

fn live_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template =
        "{wide_bar} {percent:>3}% {human_pos} of {human_len} pages, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
