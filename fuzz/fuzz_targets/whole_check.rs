//! The integrity check over a small database with bytes changed and checksums mended, so that the
//! changes reach what lies behind the checksums. With it catalog, space and tree walks.
#![no_main]

use std::path::Path;

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::db::space::ObjectSpace;
use exutil::format::checksum::{seal, seal_header};
use exutil::format::ids::{PageSize, Pgno};
use exutil::progress::Silent;
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

const BASE: &[u8] = include_bytes!("../../testdata/mini-2k.edb");
const SIZE: PageSize = PageSize::K2;

fuzz_target!(|data: &[u8]| {
    let mut bytes = BASE.to_vec();
    let page_bytes = SIZE.bytes();
    // Each change: three bytes of offset, one of value, one of how.
    for change in data.chunks_exact(5).take(64) {
        let at = (u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize) % bytes.len();
        match change[4] % 4 {
            0 => bytes[at] = change[3],
            1 => bytes[at] ^= 1 << (change[3] % 8),
            2 => bytes[at] = bytes[at].wrapping_add(change[3]),
            _ => {
                // A page in the place of another.
                let from = usize::from(change[3]) * page_bytes % bytes.len();
                let to = at / page_bytes * page_bytes;
                let whole = from / page_bytes * page_bytes;
                bytes.copy_within(whole..whole + page_bytes, to);
            }
        }
    }
    for (number, page) in bytes.chunks_exact_mut(page_bytes).enumerate() {
        if number < 2 {
            page[236..240].copy_from_slice(&(page_bytes as u32).to_le_bytes());
            seal_header(page);
        } else if page.iter().any(|byte| *byte != 0) {
            seal(page, SIZE, Pgno::new(number as u32 - 1));
        }
    }
    let storage = Box::new(Memory::new(bytes));
    let Ok(db) = Database::from_storage(storage, Path::new("fuzz"), None) else {
        return;
    };
    let schema = Schema::read(&db);
    for table in schema.tables.values().take(20) {
        let _ = ObjectSpace::read(&db, table.root).owned_pages();
    }
    let report = check(&db, None, &CheckOptions::default(), &Silent);
    assert!(report.findings.len() <= 200_000);
});
