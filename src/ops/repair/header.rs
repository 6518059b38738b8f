//! The header of a repaired database: what the engine's repair leaves. [format notes 14.1 item 2; verified on the
//! headers after the repairs of the corpus]

use crate::format::dbheader::{DbHeader, DbState, ErrorCount};
use crate::format::ids::Generation;
use crate::format::stamp::{BackupInfo, Lgpos, LogTime, Signature};
use crate::salvage::{Inventory, PageVerdict};

/// The engine changes the signature twice in one repair, and counts each time. [verified: every repaired case]
const COUNTED: u32 = 2;

/// The header before, and what the scan of the pages found, as the header afterwards.
pub(super) fn repaired(before: &DbHeader, inventory: &Inventory, now: LogTime) -> DbHeader {
    let mut header = before.clone();
    header.state = DbState::CLEAN;
    header.sign_db = Signature::fresh(now);
    header.sign_log = Signature::default();
    no_logs(&mut header);
    no_backups(&mut header);
    header.last_consistent_time = now;
    header.last_attach_time = now;
    header.last_detach_time = now;

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
    // All pages are new, so what was noted about the former ones means nothing.
    header.dbscan_start = LogTime::default();
    header.dbscan_highest = Default::default();
    header.dbscan_highest_continuous = Default::default();
    header.renew_flush_signatures(now);
    header.sign_rbs = Signature::default();
    header
}

/// The logs of before do not belong to it any more.
fn no_logs(header: &mut DbHeader) {
    for position in [
        &mut header.last_consistent,
        &mut header.last_attach,
        &mut header.last_detach,
        &mut header.last_reattach,
        &mut header.last_resize,
        &mut header.commit_before_revert,
    ] {
        *position = Lgpos::default();
    }
    for generation in [
        &mut header.required_low,
        &mut header.required_high,
        &mut header.committed_high,
        &mut header.recovering,
        &mut header.consistent_low,
        &mut header.pre_redo_consistent_low,
        &mut header.pre_redo_required_low,
    ] {
        *generation = Generation::default();
    }
    header.required_high_time = LogTime::default();
    header.committed_high_time = LogTime::default();
    header.last_reattach_time = LogTime::default();
}

/// No backup can be the base of its recovery.
fn no_backups(header: &mut DbHeader) {
    for backup in [
        &mut header.backup_full_prev,
        &mut header.backup_incremental_prev,
        &mut header.backup_full_cur,
        &mut header.backup_snapshot_cur,
        &mut header.backup_copy_prev,
        &mut header.backup_differential_prev,
    ] {
        *backup = BackupInfo::default();
    }
    for kind in [
        &mut header.backup_full_prev_kind,
        &mut header.backup_incremental_prev_kind,
        &mut header.backup_copy_prev_kind,
        &mut header.backup_differential_prev_kind,
    ] {
        *kind = 0;
    }
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
