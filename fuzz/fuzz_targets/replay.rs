//! Log records replayed on a sample database: `u16` length, bytes, and so on. Each record that changes a page is given
//! the time that the page has, so that it is made; a bit of the length takes that back. At the end everything open is
//! rolled back and the file fitted. No panic, and every page stays one whose lines lie within it.
#![no_main]

use std::path::PathBuf;
use std::sync::Arc;

use exutil::format::dbheader::{DbHeader, DbState};
use exutil::format::ids::{Generation, PageSize, Pgno};
use exutil::format::logrec::{DbId, Record, record_len};
use exutil::format::page::{CheckScratch, StructureFault as Fault};
use exutil::format::stamp::{Lgpos, LogTime};
use exutil::recover::{Attached, PageState, Pool, Replay};
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

const DATABASE: &[u8] = include_bytes!("../../testdata/mini-4k.edb");
const AS_IT_IS: u16 = 0x8000;

fn replay() -> Replay {
    let size = PageSize::K4;
    let scratch = || Ok(Box::new(Memory::new(Vec::new())) as Box<_>);
    let mut pool = Pool::new(size, 1 << 20, Box::new(scratch));
    let path = PathBuf::from("mini-4k.edb");
    let slot = pool
        .add(&path, Some(Arc::new(Memory::new(DATABASE.to_vec()))))
        .unwrap();
    let mut header = DbHeader::parse(DATABASE).unwrap();
    header.last_attach = Lgpos::default();
    let pages_before = pool.last_page(slot);
    let mut replay = Replay::new(pool, LogTime::default());
    replay.attach(Attached {
        dbid: DbId(1),
        slot,
        path,
        logged_path: String::new(),
        dbtime: header.dbtime,
        objid_last: header.objid_last,
        ahead: true,
        unsettled: Default::default(),
        created: false,
        restored: false,
        creating: false,
        touched: false,
        state_before: DbState::CleanShutdown,
        pages_before,
        needed: Default::default(),
        header,
    });
    replay
}

/// Flags are the log's; the lines are ours.
fn sound(replay: &mut Replay) {
    let slot = replay.databases[0].slot;
    let mut scratch = CheckScratch::default();
    for pgno in replay.pool.changed(slot) {
        let (id, state) = replay.pool.load(slot, pgno).unwrap();
        if state == PageState::Sound {
            let page = replay.pool.page(id);
            if page.tag_count() > 0 {
                match page.check_frame(&mut scratch) {
                    Ok(())
                    | Err(
                        Fault::Repaired(_) | Fault::LongValueAndIndex(_) | Fault::EmptyAndPreInit,
                    ) => {}
                    Err(fault) => panic!("page {pgno}: {fault}"),
                }
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut replay = replay();
    let mut rest = data;
    let mut ib = 1;
    let mut begin = [8u8, 1, 0, 0x10, 1, 0, 0, 0];
    for procid in 0..4u8 {
        begin[1] = procid;
        let _ = replay.apply(Lgpos::new(Generation::new(1), 1, ib), &begin);
        ib += 1;
    }
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let length = u16::from_le_bytes(*length);
        let len = usize::from(length & !AS_IT_IS).min(more.len());
        let (bytes, after) = more.split_at(len);
        rest = after;
        let mut record = bytes.to_vec();
        // Sessions that have begun, and the one database that is there.
        if record_len(&record).is_ok_and(|need| (32..=record.len()).contains(&need))
            && length & AS_IT_IS == 0
        {
            record[1] &= 3;
            record[2] = 0;
            record[3] = 1;
            let pgno = u32::from_le_bytes(record[4..8].try_into().unwrap()) % 80;
            record[4..8].copy_from_slice(&pgno.to_le_bytes());
            let slot = replay.databases[0].slot;
            let (id, state) = replay.pool.load(slot, Pgno::new(pgno)).unwrap();
            let before = if state == PageState::Sound {
                replay.pool.page(id).dbtime().get()
            } else {
                0
            };
            let in_group = replay
                .sessions
                .values()
                .flat_map(|session| session.groups.keys())
                .next();
            let after = in_group
                .map_or(replay.databases[0].dbtime.get().wrapping_add(1), |dbtime| {
                    dbtime.get()
                });
            record[8..16].copy_from_slice(&after.to_le_bytes());
            record[16..24].copy_from_slice(&before.to_le_bytes());
        }
        if let Ok(Record::Resize(..)) = Record::parse(&record) {
            continue;
        }
        ib = ib.wrapping_add(1);
        let at = Lgpos::new(Generation::new(1), 1 + (ib >> 12), ib & 0xFFF);
        let _ = replay.apply(at, &record);
        if replay.databases.is_empty() {
            return;
        }
    }
    let _ = replay.roll_back();
    let _ = replay.fit_file(0);
    sound(&mut replay);
});
