//! Defragmentation in tests: what is asked for, and nobody who listens.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::path::Path;

use exutil::format::stamp::LogTime;
use exutil::ops::defrag::{DefragOptions, Stage, Stages};
use exutil::progress::Progress;

pub const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);

/// Hears nothing.
pub struct Quiet;

impl Progress for Quiet {
    fn start(&self, _total: u64) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
}

impl Stages for Quiet {
    fn stage(&self, _stage: &Stage) {}
}

/// In place, verified.
pub fn options(path: &Path) -> DefragOptions {
    DefragOptions {
        path: path.to_owned(),
        page_size: None,
        temp: None,
        keep_temp: false,
        backup: None,
        verify: true,
        ignore_room: false,
        dry_run: false,
        now: NOW,
    }
}
