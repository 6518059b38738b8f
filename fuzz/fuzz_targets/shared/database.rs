//! A database before and after a command.

#![allow(dead_code, reason = "no target uses all of it")]

use std::path::Path;

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::checksum::{seal, seal_header};
use exutil::format::ids::{PageSize, Pgno};
use exutil::problem::{Finding, Severity};
use exutil::progress::Silent;
use exutil::storage::{Disk as _, MemoryDisk};

/// Mends the checksum of physical page `number`; one of zeroes has none.
pub fn mend_sum(page: &mut [u8], size: PageSize, number: usize) {
    if page.iter().all(|byte| *byte == 0) {
        return;
    }
    match number {
        0 | 1 => seal_header(page),
        _ => seal(page, size, Pgno::new(number as u32 - 1)),
    }
}

/// What the integrity check calls an error in the database there.
pub fn errors(disk: &MemoryDisk, path: &Path) -> Vec<Finding> {
    let storage = disk.open(path).unwrap();
    let db = Database::from_storage(storage, Path::new("fuzz.edb"), None).unwrap();
    let mut found = check(&db, None, &CheckOptions::default(), &Silent).findings;
    found.retain(|finding| finding.problem.info().severity == Severity::Error);
    found
}
