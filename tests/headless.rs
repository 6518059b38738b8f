//! Databases that have lost both header copies, or their first pages: what is made from their pages reads them as the
//! true header does, in all page sizes and revisions, and on all real databases (skips without the corpus).

#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod needs;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::path::{Path, PathBuf};

use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::checksum::header_is_good;
use exutil::format::dbheader::{DbHeader, DbState, HeaderCopies};
use exutil::format::ids::PageSize;
use exutil::progress::Silent;
use exutil::salvage::{Clue, Headless, KeptField, guess_page_size};
use exutil::storage::Memory;

const PATH: &str = "sample";

fn headless(bytes: Vec<u8>) -> Option<Headless> {
    Headless::open(Box::new(Memory::new(bytes)), Path::new(PATH), None, &Silent).unwrap()
}

/// The header that counts.
fn true_header(bytes: &[u8]) -> Option<(DbHeader, PageSize)> {
    let start = &bytes[..bytes.len().min(HeaderCopies::PROBE_BYTES)];
    let copies = HeaderCopies::read(start, None)?;
    let header = copies.header()?.clone();
    (header.filetype <= 1).then_some((header, copies.page_size))
}

/// The same bytes under the true header, which says that the database is dirty.
fn under_true_header(bytes: Vec<u8>, header: &DbHeader, size: PageSize) -> Database {
    let mut header = header.clone();
    header.state = 2;
    Database::with_header(Box::new(Memory::new(bytes)), Path::new(PATH), header, size).unwrap()
}

/// What reading and checking a database gives.
fn seen(db: &Database) -> (String, String) {
    let schema = format!("{:#?}", Schema::read(db));
    let mut report = check(db, None, &CheckOptions::default(), &Silent);
    report.stages.clear();
    (schema, format!("{report:#?}"))
}

fn noise(bytes: &mut [u8], seed: u64) {
    let mut state = seed | 1;
    for byte in bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
}

/// Both headers gone: the made one reads the database as the true one does.
fn without_headers(name: &str, bytes: &[u8], header: &DbHeader, size: PageSize, seed: u64) {
    let mut wrecked = bytes.to_vec();
    let fronts = wrecked.len().min(2 * size.bytes());
    match seed % 2 {
        0 => wrecked[..fronts].fill(0),
        _ => noise(&mut wrecked[..fronts], seed),
    }
    let found = headless(wrecked).unwrap_or_else(|| panic!("{name}: nothing found"));
    let made = found.db.header();
    assert_eq!(found.db.page_size(), size, "{name}");
    assert_eq!(found.evidence.guess.missing, 0, "{name}");
    let clues = &found.evidence.clues;
    // The builder also makes large pages before there were any.
    let built = if size.is_large() { 0x11 } else { 0 };
    assert!(
        clues.least() <= header.update_major.max(built),
        "{name}: {clues:?} {}",
        header.update_major
    );
    assert!(found.evidence.kept.is_empty(), "{name}");
    assert_eq!(made.db_state(), DbState::DirtyShutdown);
    assert_eq!(made.page_size(), Some(size));
    assert_eq!(made.update_major < 7, header.update_major < 7, "{name}");
    let truth = under_true_header(bytes.to_vec(), header, size);
    let (told, expected) = (seen(&found.db), seen(&truth));
    assert!(told.0 == expected.0, "{name}: schema differs");
    assert!(
        told.1 == expected.1,
        "{name}: check differs: {}\n{}",
        told.1,
        expected.1
    );
}

/// The first pages cut off: as if they were zero.
fn without_first(name: &str, bytes: &[u8], header: &DbHeader, size: PageSize, pages: usize) {
    let cut = pages * size.bytes();
    let found = headless(bytes[cut..].to_vec()).unwrap_or_else(|| panic!("{name}: {pages}"));
    let guess = found.evidence.guess;
    assert_eq!((guess.size, guess.missing), (size, pages as i64), "{name}");
    let mut zeroed = bytes.to_vec();
    zeroed[..cut].fill(0);
    let truth = under_true_header(zeroed, header, size);
    assert!(
        seen(&found.db) == seen(&truth),
        "{name}: differs without {pages} pages"
    );
    // The shadow header is left when one page is missing.
    assert_eq!(found.evidence.copies, u64::from(pages == 1), "{name}");
}

#[test]
fn made_headers_read_as_the_true_ones() {
    for (size, major) in samples::formats() {
        let name = format!("{size} {major}");
        let rows = 3 * size.bytes() as i32 / 64;
        let bytes = samples::wide(samples::options(size, major, 5).unwrap(), rows).unwrap();
        let (header, _) = true_header(&bytes).unwrap();
        for seed in [0, 7] {
            without_headers(&name, &bytes, &header, size, seed);
        }
        for pages in [1, 2, 3, 6, 27] {
            without_first(&name, &bytes, &header, size, pages);
        }
    }
}

#[test]
fn every_update_of_the_format_is_read() {
    let later = [30, 40, 60, 70, 110, 140, 180, 200, 270, 290];
    for major in (9..=20).chain(later) {
        for size in PageSize::ALL {
            if size == PageSize::K2 && major > 20 {
                continue;
            }
            let name = format!("{size} {major}");
            let options = samples::options(size, major, 5).unwrap();
            let bytes = samples::mini(options).unwrap();
            let (header, _) = true_header(&bytes).unwrap();
            without_headers(&name, &bytes, &header, size, major.into());
            let mut wrecked = bytes;
            wrecked[..2 * size.bytes()].fill(0);
            let told = headless(wrecked).unwrap().evidence.told_by_pages;
            assert_eq!(told < 0xB, major < 0xB, "{name}: {told}");
            // Large pages came later than the builder has them.
            if !size.is_large() {
                assert_eq!(told < 0xC, major < 0xC, "{name}: {told}");
            }
            // 0x12 is named as the first product with it.
            assert_eq!(told < 0x12, major < 0x12, "{name}: {told}");
        }
    }
}

#[test]
fn made_headers_name_the_format() {
    for (size, major) in samples::formats() {
        let mut bytes = samples::mini(samples::options(size, major, 5).unwrap()).unwrap();
        bytes[..2 * size.bytes()].fill(0);
        let found = headless(bytes.clone()).unwrap();
        let told = found.evidence.told_by_pages;
        // Behaviour depends on these limits.
        assert_eq!(told < 0xC, major < 0xC, "{size} {major}: {told}");
        assert_eq!(told < 0x14, major < 0x14, "{size} {major}: {told}");
        let made = found.db.header();
        assert_eq!(made.update_major, told);
        let (true_time, true_objid) = {
            let bytes = samples::mini(samples::options(size, major, 5).unwrap()).unwrap();
            let header = true_header(&bytes).unwrap().0;
            (header.dbtime, header.objid_last)
        };
        assert_eq!((made.dbtime, made.objid_last), (true_time, true_objid));
        // Written over the file, it opens it.
        let mut page = vec![0; size.bytes()];
        made.write_to(&mut page);
        bytes[..size.bytes()].copy_from_slice(&page);
        let again =
            Database::from_storage(Box::new(Memory::new(bytes)), Path::new(PATH), None).unwrap();
        assert_eq!(again.header().update_major, told);
    }
}

#[test]
fn wide_ids_of_long_values_are_a_clue() {
    let mut options = samples::options(PageSize::K8, 290, 5).unwrap();
    options.lid64 = true;
    let mut bytes = samples::wide(options, 300).unwrap();
    bytes[..16384].fill(0);
    let evidence = headless(bytes).unwrap().evidence;
    assert!(evidence.clues.seen.contains(&Clue::WideLids));
    assert_eq!(evidence.told_by_pages, 70);
}

#[test]
fn damaged_copies_give_what_they_still_have() {
    let size = PageSize::K4;
    let whole = samples::mini(samples::options(size, 290, 5).unwrap()).unwrap();
    let (header, _) = true_header(&whole).unwrap();
    // One wrong byte in each.
    let mut bytes = whole.clone();
    bytes[700] ^= 0x55;
    bytes[4096 + 700] ^= 0x55;
    let found = headless(bytes).unwrap();
    let made = found.db.header();
    assert_eq!(found.evidence.copies, 2);
    assert_eq!(made.update_major, 290);
    assert_eq!((made.update_minor, made.attached_by), (600, 9600));
    assert_eq!(
        (made.sign_db, made.sign_log),
        (header.sign_db, header.sign_log)
    );
    assert!(found.evidence.kept.contains(&KeptField::SignDb));
    assert!(found.evidence.told_by_pages < 290);
    // The primary is gone, and the shadow's signature is nonsense.
    let mut bytes = whole;
    bytes[..4096].fill(0);
    bytes[4096 + 32..4096 + 40].fill(0xFF);
    let found = headless(bytes).unwrap();
    assert_eq!(found.evidence.copies, 1);
    assert_eq!(found.db.header().update_major, 290);
    assert!(!found.db.header().sign_db.is_set());
}

#[test]
fn what_is_no_database_gives_none() {
    for len in [0, 1, 747, 748, 2048, 4095, 8192, 100_000, 3_000_000] {
        let mut bytes = vec![0; len];
        assert!(headless(bytes.clone()).is_none());
        for seed in 0..4 {
            noise(&mut bytes, seed);
            assert!(headless(bytes.clone()).is_none(), "{len}");
        }
    }
}

/// Noise over random parts of every page: never a panic, whatever is told.
#[test]
fn hostile_pages_do_no_harm() {
    let whole = samples::mini(samples::options(PageSize::K4, 290, 5).unwrap()).unwrap();
    for seed in 1..60u64 {
        let mut bytes = whole.clone();
        bytes[..8192].fill(0);
        for (number, page) in (0u64..).zip(bytes.chunks_mut(4096)).skip(2) {
            let from = (seed * 37 + number * 101) as usize % 4096;
            noise(&mut page[from..(from + 64).min(4096)], seed + number);
            let pgno = exutil::format::ids::Pgno::new(number as u32 - 1);
            exutil::format::checksum::seal(page, PageSize::K4, pgno);
        }
        if let Some(found) = headless(bytes) {
            assert_eq!(found.db.page_size(), PageSize::K4);
            let _ = Schema::read(&found.db);
        }
    }
}

/// All files of the corpus below a folder, in order.
fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn real_databases_read_as_under_their_own_headers() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut all = Vec::new();
    for room in ["real", "engine"] {
        files(&corpus.join(room), &mut all);
    }
    let mut count = 0u64;
    for file in all {
        let len = std::fs::metadata(&file).unwrap().len();
        if !(32768..64 << 20).contains(&len) {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        let Some((header, size)) = true_header(&bytes) else {
            continue;
        };
        if bytes.len() < 4 * size.bytes() {
            continue;
        }
        let name = file.display().to_string();
        without_headers(&name, &bytes, &header, size, count);
        if count.is_multiple_of(8) {
            without_first(&name, &bytes, &header, size, 3);
        }
        count += 1;
    }
    assert!(count > 300, "{count}");
}

#[test]
fn header_cases_of_the_corpus() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let read =
        |case: &str| std::fs::read(corpus.join("engine").join(case).join("pre/test.edb")).unwrap();
    let clean = true_header(&read("c-hdr2")).unwrap().0;
    let both = read("c-hdr-both");
    assert!(!header_is_good(&both[..4096]) && !header_is_good(&both[4096..8192]));
    let found = headless(both).unwrap();
    assert_eq!(found.evidence.copies, 2);
    let made = found.db.header();
    assert_eq!(made.sign_db, clean.sign_db);
    assert_eq!(made.update_major, clean.update_major);
    assert_eq!(made.update_minor, clean.update_minor);
    assert_eq!(Schema::read(&found.db).tables.len(), {
        let db = Database::open(&corpus.join("engine/c-hdr2/pre/test.edb"), None).unwrap();
        Schema::read(&db).tables.len()
    });
    for case in ["c-trunc-0", "c-trunc-1k", "c-trunc-hdr"] {
        let bytes = read(case);
        assert!(headless(bytes).is_none(), "{case}");
    }
    for case in ["c-hdr1", "c-hdr2", "c-trunc-half"] {
        let guess = guess_page_size(&Memory::new(read(case))).unwrap()[0];
        assert_eq!((guess.size, guess.missing), (PageSize::K4, 0), "{case}");
    }
}
