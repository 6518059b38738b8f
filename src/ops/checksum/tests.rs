//! Scans over built pages: damage of every kind, any thread count, failing disks.

use super::{BadKind, ChecksumOptions, check_storage};
use crate::format::checksum::seal;
use crate::format::dbheader::DbHeader;
use crate::format::ids::{DbTime, Objid, PageSize, Pgno};
use crate::format::page::{PageBuf, PageFlags};
use crate::jet::JetError;
use crate::progress::Silent;
use crate::storage::{Fault, Faulty, Memory, Storage};

fn database(size: PageSize, pages: u32) -> Vec<u8> {
    let mut header = DbHeader::empty();
    header.page_size = size.header_value();
    let mut page = vec![0; size.bytes()];
    header.write_to(&mut page);
    let mut file = [page.clone(), page].concat();
    for number in 1..=pages {
        let flags = if number % 3 == 0 { 0x802 } else { 0x2802 };
        let pgno = Pgno::new(number);
        let mut page = PageBuf::new(size, pgno, Objid::new(9), PageFlags::new(flags));
        page.set_dbtime(DbTime::new(100 + u64::from(number % 50)));
        page.push_node(0, &number.to_be_bytes(), &[number as u8; 200], 0)
            .unwrap();
        file.extend(page.seal());
    }
    file
}

fn scan(storage: &dyn Storage, size: PageSize) -> super::ChecksumReport {
    check_storage(storage, size, &ChecksumOptions::default(), false, &Silent).unwrap()
}

#[test]
fn sound_files_are_sound_at_every_size() {
    for size in PageSize::ALL {
        let report = scan(&Memory::new(database(size, 300)), size);
        assert_eq!((report.counts.seen, report.counts.bad), (302, 0));
        assert_eq!(report.counts.highest_dbtime, DbTime::new(149));
        assert_eq!(report.counts.highest_dbtime_page, Pgno::new(49));
        assert_eq!(report.jet(), JetError::SUCCESS);
    }
}

#[test]
fn every_kind_of_damage_is_named_for_any_thread_count() {
    let size = PageSize::K4;
    let mut bytes = database(size, 1000);
    let at = |pgno: u32| Pgno::new(pgno).offset(size) as usize;
    bytes[10] ^= 1; // primary header
    bytes[at(10) + 500] ^= 2; // new format: correctable
    bytes[at(12) + 500] ^= 2; // old format: bad
    for page in [500, 501, 502] {
        bytes[at(page) + 100..at(page) + 200].fill(0xEE);
    }
    bytes.copy_within(at(7)..at(8), at(8)); // page 7 in the place of page 8
    bytes[at(20)..at(21)].fill(0);
    let mut reports: Vec<_> = [1, 2, 5]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| scan(&Memory::new(bytes.clone()), size))
        })
        .collect();
    let first = reports.remove(0);
    for other in reports {
        assert_eq!(
            (other.counts, &other.bad_pages),
            (first.counts, &first.bad_pages)
        );
    }
    let runs: Vec<_> = first
        .bad_pages
        .iter()
        .map(|run| (run.first, run.count, run.kind))
        .collect();
    assert_eq!(
        runs,
        [
            (-1, 1, BadKind::Header),
            (8, 1, BadKind::Misplaced(Pgno::new(7))),
            (10, 1, BadKind::Correctable(4001)),
            (12, 1, BadKind::Checksum),
            (500, 3, BadKind::Checksum),
        ]
    );
    assert_eq!(
        (
            first.counts.bad,
            first.counts.correctable,
            first.counts.uninitialized
        ),
        (6, 1, 1)
    );
    assert_eq!(first.jet(), JetError::DATABASE_CORRUPTED);
}

#[test]
fn bad_sectors_and_cut_files_cost_their_pages_only() {
    let size = PageSize::K8;
    let bytes = database(size, 100);
    let offset = Pgno::new(40).offset(size);
    let end = Pgno::new(90).offset(size) + 100;
    let faults = vec![
        Fault::BadRange {
            offset: offset + 512,
            len: 512,
        },
        Fault::EndsAt(end),
    ];
    let report = scan(&Faulty::new(Memory::new(bytes), faults), size);
    let runs: Vec<_> = report
        .bad_pages
        .iter()
        .map(|run| (run.first, run.count, run.kind))
        .collect();
    assert_eq!(
        runs,
        [(40, 1, BadKind::ReadError), (90, 11, BadKind::CutOff)]
    );
    assert_eq!((report.counts.seen, report.counts.unreadable), (102, 12));
    assert_eq!(report.jet(), JetError::DISK_IO);
}

#[test]
fn a_range_of_pages_is_all_that_is_looked_at() {
    let size = PageSize::K4;
    let mut bytes = database(size, 50);
    let mut stale = bytes[Pgno::new(30).offset(size) as usize..][..size.bytes()].to_vec();
    stale[700] ^= 8;
    stale[900] ^= 8;
    seal(&mut stale, size, Pgno::new(31));
    bytes[Pgno::new(30).offset(size) as usize..][..size.bytes()].copy_from_slice(&stale);
    for (pages, seen, bad) in [
        ((-1, 0), 2, 0),
        ((1, 29), 29, 0),
        ((30, 30), 1, 1),
        ((40, 90), 11, 0),
        ((9, 3), 0, 0),
    ] {
        let options = ChecksumOptions {
            pages: Some(pages),
            ..ChecksumOptions::default()
        };
        let report =
            check_storage(&Memory::new(bytes.clone()), size, &options, false, &Silent).unwrap();
        assert_eq!(
            (report.counts.seen, report.counts.bad),
            (seen, bad),
            "{pages:?}"
        );
    }
}
