//! Defragmentation in tests: what is asked for, and nobody who listens.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::path::Path;

use exutil::format::stamp::LogTime;
use exutil::ops::defrag::DefragOptions;

pub const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);

/// In place, verified.
pub fn options(path: &Path) -> DefragOptions {
    DefragOptions::new(path, NOW)
}
