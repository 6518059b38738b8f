//! The header of a repaired database: what the engine's repair leaves. [format notes 14.1 item 2; verified on the
//! headers after the repairs of the corpus]

use crate::format::dbheader::{DbHeader, ErrorCount};
use crate::format::stamp::LogTime;
use crate::ops::new_header::without_past;
use crate::salvage::{Inventory, PageVerdict};

/// The engine changes the signature twice in one repair, and counts each time. [verified: every repaired case]
const COUNTED: u32 = 2;

/// The header before, and what the scan of the pages found, as the header afterwards.
pub(super) fn repaired(before: &DbHeader, inventory: &Inventory, now: LogTime) -> DbHeader {
    let mut header = before.clone();
    without_past(&mut header, now);

    header.repair_count = before.repair_count.saturating_add(COUNTED);
    header.repair_time = now;
    let bad = inventory.count(PageVerdict::Bad) + inventory.count(PageVerdict::Misplaced);
    note(&mut header.bad_checksum, bad, now);
    note(
        &mut header.ecc_fixed,
        inventory.count(PageVerdict::Corrected),
        now,
    );
    for count in [
        &mut header.ecc_fixed,
        &mut header.ecc_failed,
        &mut header.bad_checksum,
        &mut header.reseed,
        &mut header.page_patch,
    ] {
        count.old = count.count;
    }
    header
}

fn note(count: &mut ErrorCount, pages: u64, now: LogTime) {
    if pages > 0 {
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        count.count = count.count.saturating_add(pages);
        count.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::repaired;
    use crate::db::Database;
    use crate::format::dbheader::{DbHeader, DbState};
    use crate::format::ids::Generation;
    use crate::format::stamp::{LogTime, Signature};
    use crate::progress::Silent;
    use crate::salvage::Inventory;
    use crate::storage::Memory;

    #[test]
    fn nothing_of_the_logs_is_left() {
        let now = LogTime::utc((2026, 11, 20), (1, 2, 3), 4);
        let mut before = DbHeader::empty();
        before.state = 2;
        before.sign_db = Signature::fresh(now);
        before.sign_log = before.sign_db;
        before.required_low = Generation::new(3);
        before.required_high = Generation::new(9);
        before.repair_count = 1;
        before.update_major = 20;
        before.page_size = 4096;
        let bytes = vec![0; 8192];
        let db = Database::with_header(
            Box::new(Memory::new(bytes)),
            std::path::Path::new("x"),
            before.clone(),
            crate::format::ids::PageSize::K4,
        );
        let inventory = Inventory::scan(&db.unwrap(), None, &Silent);
        let after = repaired(&before, &inventory, now);
        assert_eq!(after.db_state(), DbState::CleanShutdown);
        assert_ne!(after.sign_db, before.sign_db);
        assert!(!after.sign_log.is_set());
        assert_eq!(after.required_high, Generation::default());
        assert_eq!((after.repair_count, after.repair_time), (3, now));
        assert!(after.sign_flush_map.is_set());
    }
}
