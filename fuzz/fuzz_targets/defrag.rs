//! A small database with bytes changed, most of them behind mended checksums, is defragmented in memory. Either an error
//! says why not, and the database is as it was, or the new file can be opened and the integrity check finds nothing in it,
//! and the same is defragmented again.
#![no_main]

#[path = "shared/database.rs"]
mod database;

use std::path::{Path, PathBuf};

use database::{errors, mend_sum};
use exutil::error::Result;
use exutil::format::ids::PageSize;
use exutil::format::stamp::LogTime;
use exutil::ops::defrag::{DefragOptions, defragment};
use exutil::progress::Silent;
use exutil::storage::MemoryDisk;
use libfuzzer_sys::fuzz_target;

const BASE: &[u8] = include_bytes!("../../testdata/mini-2k.edb");
const SIZE: PageSize = PageSize::K2;
const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);

/// Each change: three bytes of offset, one of value, one of how. The highest bit of the last one leaves the checksum of the page
/// as it is.
fn damaged(changes: &[u8]) -> Vec<u8> {
    let mut bytes = BASE.to_vec();
    let page_bytes = SIZE.bytes();
    for change in changes.chunks_exact(5).take(32) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % bytes.len();
        let number = at / page_bytes;
        match change[4] % 4 {
            0 => bytes[at] = change[3],
            1 => bytes[at] ^= 1 << (change[3] % 8),
            2 => bytes[at] = bytes[at].wrapping_add(change[3]),
            _ => bytes[at..]
                .iter_mut()
                .take(8)
                .for_each(|byte| *byte = change[3]),
        }
        let page = &mut bytes[number * page_bytes..][..page_bytes];
        if change[4] & 0x80 == 0 {
            mend_sum(page, SIZE, number);
        }
    }
    bytes
}

fn defragged(path: &Path, disk: &MemoryDisk, how: u8) -> Result<bool> {
    let bit = |number: u8| how >> number & 1 != 0;
    let options = DefragOptions {
        path: path.to_owned(),
        page_size: None,
        temp: Some(PathBuf::from("/fuzz/new.edb")),
        keep_temp: false,
        backup: bit(0).then(|| PathBuf::from("/fuzz/old.edb")),
        verify: true,
        ignore_room: true,
        dry_run: bit(1) && bit(2),
        now: NOW,
    };
    defragment(&options, disk, &Silent)?;
    Ok(!options.dry_run)
}

fuzz_target!(|data: &[u8]| {
    let Some((how, changes)) = data.split_first() else {
        return;
    };
    let path = PathBuf::from("/fuzz/a.edb");
    let before = damaged(changes);
    let disk = MemoryDisk::new([(path.clone(), before.clone())]);
    match defragged(&path, &disk, *how) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            assert_eq!(disk.files().get(&path), Some(&before), "{error}");
            return;
        }
    }
    let wrong = errors(&disk, &path);
    assert!(wrong.is_empty(), "{wrong:?}");
    let files = disk.files();
    // Nothing is left beside it but what was asked for.
    let names: Vec<_> = files.keys().filter(|name| **name != path).collect();
    assert!(names.len() <= 2, "{names:?}");
    let once_more = MemoryDisk::new([(path.clone(), files[&path].clone())]);
    assert!(defragged(&path, &once_more, 0).unwrap());
});
