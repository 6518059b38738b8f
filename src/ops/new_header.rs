//! The header of a database all of whose pages are new: nothing of what logs, backups and scans knew of the old ones is
//! true of it. [format notes 14.1 item 2, 14.3; verified on headers after repairs and defragmentations of the corpus]

use crate::format::dbheader::{DbHeader, DbState};
use crate::format::ids::Generation;
use crate::format::stamp::{BackupInfo, Lgpos, LogTime, Signature};

/// Makes the header that of a clean database with an identity of its own, as of `now`.
pub(super) fn without_past(header: &mut DbHeader, now: LogTime) {
    header.state = DbState::CLEAN;
    header.sign_db = Signature::fresh(now);
    header.sign_log = Signature::default();
    no_logs(header);
    no_backups(header);
    header.last_consistent_time = now;
    header.last_attach_time = now;
    header.last_detach_time = now;
    header.dbscan_start = LogTime::default();
    header.dbscan_highest = Default::default();
    header.dbscan_highest_continuous = Default::default();
    header.renew_flush_signatures(now);
    header.sign_rbs = Signature::default();
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
