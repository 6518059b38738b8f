//! A flush map of any bytes, as it is, and with signature and checksums as those of the database that it lies beside:
//! the database is checked with it, and the map itself is dumped.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::flush_map::FlushMap;
use exutil::format::checksum::{NEW_FORMAT_FLAG, is_new_format, seal, seal_header};
use exutil::format::flushmap::{FlushMapHeader, PAGE, PGNOS_PER_PAGE};
use exutil::format::ids::Pgno;
use exutil::format::stamp::{LogTime, Signature};
use exutil::ops::flushmap::read_flush_map;
use exutil::progress::Silent;
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

const BASE: &[u8] = include_bytes!("../../testdata/mini-2k.edb");
/// The flush types of the pages of the database follow one another so.
const KINDS: [u8; 4] = [0, 1, 2, 3];

fn open() -> Database {
    let storage = Box::new(Memory::new(BASE.to_vec()));
    let db = Database::from_storage(storage, Path::new("fuzz.edb"), None).unwrap();
    let mut header = db.header().clone();
    if !header.sign_flush_map.is_set() {
        header.sign_flush_map = Signature {
            random: 7,
            ..Signature::default()
        };
    }
    db.replace_header(header)
}

static DATABASE: LazyLock<Database> = LazyLock::new(open);

/// With the map, and then without it, the database is checked; what the map says of each page is asked.
fn run(bytes: &[u8]) {
    let storage = Memory::new(bytes.to_vec());
    if let Some(map) = FlushMap::read(&storage, &DATABASE) {
        for number in 0..=DATABASE.last_page().get() {
            assert!(KINDS.contains(&map.flush_type(Pgno::new(number))));
        }
        let _ = map.flush_type(Pgno::new(u32::MAX));
        let _ = map.flush_type(Pgno::new(PGNOS_PER_PAGE));
        let _ = check(&DATABASE, Some(&map), &CheckOptions::default(), &Silent);
        let mut db = open();
        db.heed(map);
        let _ = check(&db, None, &CheckOptions::default(), &Silent);
    }
    let path = std::env::temp_dir().join(format!("exutil-fuzz-{}.jfm", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let _ = read_flush_map(&path);
    std::fs::remove_file(&path).unwrap();
}

fuzz_target!(|data: &[u8]| {
    run(data);
    // Its fields are those of a sound map but for some bytes; the data pages are the input's.
    let now = LogTime::default();
    let signature = DATABASE.header().sign_flush_map;
    let mut header = FlushMapHeader::new(Signature::default(), signature, now).page();
    let (changes, bitmap) = data.split_at(data.len().min(16));
    for change in changes.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]) % 700);
        header[at] ^= change[2];
    }
    seal_header(&mut header);
    let mut whole = header;
    for (number, part) in bitmap.chunks(PAGE.bytes()).enumerate() {
        let mut page = part.to_vec();
        page.resize(PAGE.bytes(), 0);
        if is_new_format(&page) || number == 0 {
            page[36..40].copy_from_slice(&NEW_FORMAT_FLAG.to_le_bytes());
            seal(&mut page, PAGE, Pgno::new(number as u32));
        }
        whole.extend(page);
    }
    run(&whole);
});
