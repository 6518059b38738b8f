//! The catalog of a small database, its pages changed and their checksums mended: both witnesses are
//! read, every table is described in the engine's way, and the catalog's checks run. Every five
//! bytes of the input are a page, a place in it, a value and what to do with it.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use exutil::check::{CheckOptions, Stage, check};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::checksum::seal;
use exutil::format::ids::{PageSize, Pgno};
use exutil::ops::meta_dump::{MetaOptions, meta_of};
use exutil::progress::Silent;
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

const BASE: &[u8] = include_bytes!("../../testdata/mini-2k.edb");
const SIZE: PageSize = PageSize::K2;

/// Offset of the owner's object id in the header of a page.
const OWNER: usize = 24;

fn owner(at: usize) -> u32 {
    u32::from_le_bytes(BASE[at + OWNER..at + OWNER + 4].try_into().unwrap())
}

/// The pages of the catalog and of its shadow, with their indexes: those owned by what owns one of
/// their roots.
static PAGES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let offset = |number: u32| (number as usize + 1) * SIZE.bytes();
    let last = (BASE.len() / SIZE.bytes()) as u32 - 2;
    let owners = [4, 7, 10, 24].map(|root| owner(offset(root)));
    (1..=last)
        .filter(|number| owners.contains(&owner(offset(*number))))
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let mut bytes = BASE.to_vec();
    for change in data.chunks_exact(5).take(200) {
        let number = PAGES[usize::from(change[0]) % PAGES.len()];
        let page = &mut bytes[(number as usize + 1) * SIZE.bytes()..][..SIZE.bytes()];
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % SIZE.bytes();
        match change[4] % 3 {
            0 => page[at] = change[3],
            1 => page[at] ^= 1 << (change[3] % 8),
            _ => page[at] = page[at].wrapping_add(change[3]),
        }
        seal(page, SIZE, Pgno::new(number));
    }
    let storage = Box::new(Memory::new(bytes));
    let Ok(db) = Database::from_storage(storage, Path::new("fuzz.edb"), None) else {
        return;
    };
    for schema in [Schema::read(&db), Schema::read_shadow(&db)] {
        for table in schema.tables.values() {
            let _ = (
                schema.template_of(table),
                schema.limits(table),
                table.primary_index(),
            );
        }
    }
    for details in [false, true] {
        let _ = meta_of(
            &db,
            &MetaOptions {
                details,
                ..MetaOptions::default()
            },
        );
    }
    let options = CheckOptions {
        stages: vec![Stage::Catalog, Stage::Trees],
        ..CheckOptions::default()
    };
    let _ = check(&db, None, &options, &Silent);
});
