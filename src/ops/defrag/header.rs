//! The header of a defragmented database. [format notes 14.3; verified on the post-d headers of the corpus]

use crate::format::dbheader::{DbHeader, ErrorCount, Happened};
use crate::format::ids::{DbTime, Objid};
use crate::format::stamp::LogTime;
use crate::ops::new_header::without_past;

/// The engine has the old database as its first and the new one as its second. [verified: post-d of every clean-*]
const DBID: u32 = 2;

/// The header before as the header afterwards. What the database is (format, page size, streaming file, Windows) stays, and
/// how often it was repaired or patched; everything that was counted on its pages begins anew.
pub(super) fn defragmented(before: &DbHeader, now: LogTime) -> DbHeader {
    let mut header = before.clone();
    without_past(&mut header, now);
    if !before.sign_flush_map.is_set() {
        // The engines that it is for have no flush maps.
        header.sign_flush_map = before.sign_flush_map;
        header.sign_header_flush = before.sign_header_flush;
    }
    header.dbid = DBID;
    // Both are set by what is written.
    header.dbtime = DbTime::ZERO;
    header.objid_last = Objid::default();

    header.repair_count_old = before.repair_count;
    for count in [&mut header.reseed, &mut header.page_patch] {
        count.old = count.count;
    }
    for count in [
        &mut header.ecc_fixed,
        &mut header.ecc_failed,
        &mut header.bad_checksum,
    ] {
        *count = ErrorCount::default();
    }
    header.scrub_dbtime = DbTime::ZERO;
    header.scrub_time = LogTime::default();
    header.upgrade_55_pages = 0;
    header.upgrade_free_pages = 0;
    header.upgrade_space_map_pages = 0;
    header.dbscan_prev = LogTime::default();
    header.extend = Happened {
        count: 1,
        last: now,
    };
    header.shrink = Happened::default();
    header.trim_count = 0;
    header.revert_count = 0;
    header.revert_from = LogTime::default();
    header.revert_to = LogTime::default();
    header.revert_page_count = 0;
    header
}

#[cfg(test)]
mod tests {
    use super::defragmented;
    use crate::format::dbheader::{DbHeader, DbState, ErrorCount};
    use crate::format::stamp::{LogTime, Signature};

    #[test]
    fn counts_of_pages_begin_anew_and_repairs_are_remembered() {
        let then = LogTime::utc((2026, 1, 2), (3, 4, 5), 6);
        let now = LogTime::utc((2026, 11, 20), (1, 2, 3), 4);
        let mut before = DbHeader::empty();
        before.state = DbState::CLEAN;
        before.update_major = 20;
        before.sign_db = Signature::fresh(then);
        before.sign_slv = Signature::fresh(then);
        before.repair_count = 4;
        before.repair_count_old = 2;
        before.repair_time = then;
        let some = ErrorCount {
            count: 3,
            last: then,
            old: 1,
        };
        before.ecc_fixed = some;
        before.reseed = some;
        let after = defragmented(&before, now);
        assert_ne!(after.sign_db, before.sign_db);
        assert_eq!(after.sign_slv, before.sign_slv);
        assert_eq!(
            (
                after.repair_count,
                after.repair_count_old,
                after.repair_time
            ),
            (4, 4, then)
        );
        assert_eq!(after.ecc_fixed, ErrorCount::default());
        assert_eq!(after.reseed, ErrorCount { old: 3, ..some });
        assert_eq!((after.last_detach_time, after.dbid), (now, 2));
    }
}
