//! A database with bytes changed: every four bytes of the input are a page, a place in it, a value.
//! Export with deleted rows, then the dump of every page.
#![no_main]

use std::path::Path;

use exutil::db::Database;
use exutil::format::checksum::seal;
use exutil::format::ids::{PageSize, Pgno};
use exutil::ops::export::json::JsonLines;
use exutil::ops::export::{Exporter, LongMode, Loss, read_schema, select};
use exutil::ops::page_dump::dump_page;
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

const BASE: &[u8] = include_bytes!("../../testdata/mini-2k.edb");
const SIZE: PageSize = PageSize::K2;

fuzz_target!(|data: &[u8]| {
    let mut bytes = BASE.to_vec();
    let pages = bytes.len() / SIZE.bytes() - 2;
    for change in data.chunks_exact(4) {
        let number = usize::from(change[0]) % pages;
        let page = &mut bytes[(number + 2) * SIZE.bytes()..][..SIZE.bytes()];
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % SIZE.bytes();
        page[at] = change[3];
        seal(page, SIZE, Pgno::new(number as u32 + 1));
    }
    let storage = Box::new(Memory::new(bytes));
    let Ok(db) = Database::from_storage(storage, Path::new("fuzz.edb"), None) else {
        return;
    };
    let (schema, _) = read_schema(&db);
    let mut out = Vec::new();
    let mut sink = JsonLines::new(&mut out, LongMode::Whole, |_: &Loss| ());
    let mut exporter = Exporter::new(&db, true);
    for table in select(&schema, &[], true).unwrap_or_default() {
        exporter.table(&schema, table, &mut sink).unwrap();
    }
    for number in 1..=db.last_page().get() {
        let _ = dump_page(&db, Pgno::new(number));
    }
});
