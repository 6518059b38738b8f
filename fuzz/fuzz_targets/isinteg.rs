//! The rows of a small store changed, and their checksums mended: the store is tested, and put right. No panic; what is
//! refused leaves the file as it was, and what is written is a database in which the integrity check finds nothing.
#![no_main]

#[path = "shared/database.rs"]
mod database;

use std::path::PathBuf;
use std::sync::LazyLock;

use database::errors;
use exutil::format::checksum::seal;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::page::Page;
use exutil::format::stamp::LogTime;
use exutil::ops::isinteg::{FixOptions, IsintegOptions, isinteg};
use exutil::progress::Silent;
use exutil::storage::MemoryDisk;
use libfuzzer_sys::fuzz_target;

const STORES: [&[u8]; 2] = [
    include_bytes!("../../testdata/store-2003-pub.edb"),
    include_bytes!("../../testdata/store-2003-priv.edb"),
];
const SIZE: PageSize = PageSize::K4;
/// Bytes before the lines of a page.
const HEADER: usize = 40;
/// Roots of the database, the catalog, its shadow, and their indexes: their pages stay as they are, so that the store stays one.
const SYSTEM: [u32; 5] = [1, 4, 7, 10, 24];
const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);

/// Pages with rows, and in each the bytes that its lines take.
fn pages(store: &[u8]) -> Vec<(u32, Vec<usize>)> {
    let last = (store.len() / SIZE.bytes()) as u32 - 2;
    let page = |number: u32| {
        let bytes = &store[(number as usize + 1) * SIZE.bytes()..][..SIZE.bytes()];
        Page::new(bytes, SIZE).unwrap()
    };
    let system = SYSTEM.map(|root| page(root).objid());
    let lines = |number: u32| {
        let page = page(number);
        let is_ours = page.flags().is_leaf()
            && !page.flags().is_space_tree()
            && !system.contains(&page.objid());
        let used = (0..page.tag_count()).filter_map(|tag| page.tag(tag));
        let at: Vec<usize> = used
            .flat_map(|tag| (usize::from(tag.ib)..tag.end()).map(|at| HEADER + at))
            .collect();
        (is_ours && !at.is_empty()).then_some((number, at))
    };
    (1..=last).filter_map(lines).collect()
}

static PAGES: LazyLock<[Vec<(u32, Vec<usize>)>; 2]> = LazyLock::new(|| STORES.map(pages));

fuzz_target!(|data: &[u8]| {
    let Some((how, changes)) = data.split_first() else {
        return;
    };
    let bit = |number: u8| how >> number & 1 != 0;
    let store = usize::from(bit(0));
    let mut bytes = STORES[store].to_vec();
    let pages = &PAGES[store];
    for change in changes.chunks_exact(5).take(64) {
        let (number, places) = &pages[usize::from(change[0]) % pages.len()];
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % places.len();
        let page = &mut bytes[(*number as usize + 1) * SIZE.bytes()..][..SIZE.bytes()];
        let byte = &mut page[places[at]];
        match change[4] % 3 {
            0 => *byte = change[3],
            1 => *byte ^= 1 << (change[3] % 8),
            _ => *byte = byte.wrapping_add(change[3]),
        }
        seal(page, SIZE, Pgno::new(*number));
    }
    let path = PathBuf::from("/fuzz/a.edb");
    let disk = MemoryDisk::new([(path.clone(), bytes.clone())]);
    let mut options = IsintegOptions::new(&path);
    options.detailed = bit(1);
    options.fix = bit(2).then(|| FixOptions {
        trust_profile: bit(3),
        dry_run: bit(4),
        undo_file: None,
        keep_undo: bit(5),
        now: NOW,
    });
    let amended = isinteg(&options, &disk, &Silent).is_ok_and(|report| report.amended.is_some());
    if !amended {
        assert_eq!(disk.files().get(&path), Some(&bytes));
        return;
    }
    let wrong = errors(&disk, &path);
    assert!(wrong.is_empty(), "{wrong:?}");
});
