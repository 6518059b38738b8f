//! A small database with bytes changed, with or without mended checksums, is repaired in memory. Either an error
//! says why not, and the database is as it was, or the new file can be opened and the integrity check finds nothing in it that
//! the report does not name.
#![no_main]

#[path = "shared/database.rs"]
mod database;

use std::path::PathBuf;

use database::{errors, mend_sum};
use exutil::format::ids::PageSize;
use exutil::format::stamp::LogTime;
use exutil::ops::repair::{Outcome, RepairFileOptions, repair};
use exutil::progress::Silent;
use exutil::storage::MemoryDisk;
use libfuzzer_sys::fuzz_target;

const BASE: &[u8] = include_bytes!("../../testdata/mini-2k.edb");
const SIZE: PageSize = PageSize::K2;
/// So many pages of the file are never cut off.
const PAGES_KEPT: usize = 25;
const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);

/// Each change: three bytes of offset, one of value, one of how. The highest bit of the last one leaves the checksum of the page
/// as it is.
fn damaged(changes: &[u8]) -> Vec<u8> {
    let mut bytes = BASE.to_vec();
    let page_bytes = SIZE.bytes();
    for change in changes.chunks_exact(5).take(64) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % bytes.len();
        let number = at / page_bytes;
        let start = number * page_bytes;
        match change[4] % 8 {
            0 | 1 => bytes[at] = change[3],
            2 => bytes[at] ^= 1 << (change[3] % 8),
            3 => bytes[at] = bytes[at].wrapping_add(change[3]),
            4 => bytes[at..start + page_bytes].fill(change[3]),
            5 => {
                let from = usize::from(change[3]) * page_bytes % bytes.len();
                bytes.copy_within(from..from + page_bytes, start);
            }
            6 => bytes[start..start + page_bytes].fill(0),
            // The end of the file is lost.
            _ => bytes.truncate(start.max(PAGES_KEPT * page_bytes)),
        }
        let Some(page) = bytes.get_mut(start..start + page_bytes) else {
            continue;
        };
        if change[4] & 0x80 == 0 {
            mend_sum(page, SIZE, number);
        }
    }
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Some((how, changes)) = data.split_first() else {
        return;
    };
    let path = PathBuf::from("/fuzz/a.edb");
    let before = damaged(changes);
    let disk = MemoryDisk::new([(path.clone(), before.clone())]);
    let bit = |number: u8| how >> number & 1 != 0;
    let options = RepairFileOptions {
        path: path.clone(),
        page_size: bit(0).then_some(SIZE),
        temp: None,
        to: None,
        dry_run: bit(1) && bit(2),
        trust_damaged_pages: bit(3),
        drop_incomplete: bit(4),
        keep_orphans: bit(5),
        undo_file: None,
        keep_undo: bit(6),
        now: NOW,
    };
    let report = match repair(&options, &disk, &Silent) {
        Ok(report) => report,
        Err(error) => {
            // A new file that is not sound is a fault of ours, though it does no harm.
            assert!(!error.to_string().contains("would not be sound"), "{error}");
            assert_eq!(disk.files().get(&path), Some(&before), "{error}");
            return;
        }
    };
    if report.outcome != Outcome::Repaired || options.dry_run {
        return;
    }
    for finding in errors(&disk, &path) {
        assert!(report.left.contains(&finding), "{finding:?}");
    }
});
