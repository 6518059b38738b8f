//! The flush map of the new database: every page that was written has the same flush type, the others are not known.
//! [format notes 11.2; verified: post-d of clean-4k]

use std::io;

use crate::db::Database;
use crate::format::dbheader::DbHeader;
use crate::format::flushmap::{FlushMapHeader, PAGE, PGNOS_PER_PAGE, data_page};
use crate::format::stamp::{LogTime, Signature};
use crate::storage::Storage;

use super::Written;

/// What the engine gives to a page that it writes for the first time. [format notes 2.2]
const FIRST: u8 = 1;

/// The flush type of new pages: 0 where the database has no flush map. [engine: a signature is set from efv 8220 on]
pub(super) fn flush_type(db: &Database) -> u8 {
    if db.header().sign_flush_map.is_set() {
        FIRST
    } else {
        0
    }
}

/// Writes the map that belongs to the new header.
pub(super) fn write(
    out: &dyn Storage,
    header: &DbHeader,
    written: &Written,
    now: LogTime,
) -> io::Result<()> {
    let rebuilt = &written.rebuilt;
    // It knows the signature that the database had one write earlier, which is none that anybody has seen.
    let map = FlushMapHeader::new(Signature::fresh(now), header.sign_flush_map, now);
    out.write_at(0, &map.page())?;
    let last = rebuilt.last_page.get();
    let mut unwritten = rebuilt.unwritten.clone();
    unwritten.sort_unstable();
    let kind = |pgno: u32| {
        let before = unwritten.partition_point(|run| run.first <= pgno);
        let is_free = before > 0 && pgno < unwritten[before - 1].end();
        if (1..=last).contains(&pgno) && !is_free {
            written.flush_type
        } else {
            0
        }
    };
    for number in 0..=last / PGNOS_PER_PAGE {
        let page = data_page(number, rebuilt.dbtime, kind);
        out.write_at(u64::from(number + 1) * PAGE.bytes() as u64, &page)?;
    }
    Ok(())
}
