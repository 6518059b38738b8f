//! The header dump, line for line as Eseutil prints it (`dbdump`), followed by what Eseutil does not
//! know: the names of the logs needed, and whether a streaming file belongs.

use crate::cli::layout::Layout;
use crate::format::dbheader::{
    BackupKind, CopyState, DbHeader, FileType, HeaderCopy, MAGIC, WhichCopy,
};
use crate::format::ids::{Generation, PageSize};
use crate::format::stamp::{BackupInfo, Lgpos, LogTime};
use crate::format::trailer::Trailer;
use crate::format::version::{DB_VERSION, NEWEST};
use crate::ops::headers::HeaderReport;
use crate::ops::required_logs::RequiredLogs;

/// Column at which the labels of the first block end.
const LABEL: usize = 17;

pub fn layout(report: &HeaderReport, verbose: bool) -> Layout {
    let mut out = Layout::new();
    out.field(LABEL, "Database", report.path.display()).blank();
    let chosen = report.copies.chosen;
    for (which, title, copy) in [
        (
            WhichCopy::Primary,
            "DATABASE HEADER:",
            &report.copies.primary,
        ),
        (
            WhichCopy::Shadow,
            "DATABASE SHADOW HEADER:",
            &report.copies.shadow,
        ),
    ] {
        if let Some(header) = copy
            .header
            .as_deref()
            .filter(|_| verbose || chosen == Some(which))
        {
            out.blank().heading(title);
            copy_dump(&mut out, copy, header, report);
        }
    }
    out.blank();
    warnings(&mut out, report);
    if let Some(logs) = &report.required_logs {
        required_logs(&mut out, logs);
    }
    if let Some(pair) = &report.streaming_pair {
        let verdict = if pair.belongs {
            "belongs to this database"
        } else {
            "does NOT belong to this database"
        };
        out.blank().indented(
            2,
            "Streaming file",
            format!("{}: {verdict}", pair.path.display()),
        );
    }
    out
}

fn copy_dump(out: &mut Layout, copy: &HeaderCopy, header: &DbHeader, report: &HeaderReport) {
    out.heading("Checksum Information:");
    out.field(
        17,
        "Expected Checksum",
        format!("0x{:08x}", copy.stored_checksum),
    );
    out.field(
        17,
        "Actual Checksum",
        format!("0x{:08x}", copy.computed_checksum),
    );
    out.blank().heading("Fields:");
    identity(out, header);
    recovery(out, header);
    history(out, header);
    positions(out, header);
    page_patches(out, header);
    backups(out, header);
    upgrade_and_size(out, header);
    if header.file_type() == FileType::Database {
        page_errors(out, header);
    }
    if let Some(trailer) = &report.trailer {
        trailer_lines(out, trailer);
    }
    out.blank();
    out.indented(
        2,
        "Database Header Flush Signature",
        header.sign_header_flush,
    );
    out.indented(1, "Flush Map Header Flush Signature", header.sign_flush_map);
    out.indented(7, "RBS Header Flush Signature", header.sign_rbs);
    if header.revert_count > 0 || header.revert_page_count > 0 {
        reverts(out, header);
    }
}

fn identity(out: &mut Layout, header: &DbHeader) {
    // The current Eseutil says UNKNOWN for streaming files; the one of 2003 knew better.
    let file_type = match header.attrib {
        0 => "Database",
        1 => "Streaming File",
        _ => "UNKNOWN",
    };
    out.field(LABEL, "File Type", file_type);
    out.field(LABEL, "Checksum", format!("0x{:x}", header.checksum));
    out.field(LABEL, "Format ulMagic", format!("0x{:x}", header.magic));
    out.field(LABEL, "Engine ulMagic", format!("0x{MAGIC:x}"));
    let version = format!(
        "0x{:x},{},{}  (attached by {})",
        header.version, header.update_major, header.update_minor, header.attached_by
    );
    out.field(LABEL, "Format ulVersion", version);
    let newest = format!(
        "0x{DB_VERSION:x},{},{}  (efvCurrent = {})",
        NEWEST.major, NEWEST.minor, NEWEST.engine
    );
    out.field(LABEL, "Engine ulVersion", newest);
    // The engine prints the update as a 16-bit number.
    let created = format!(
        "0x{:x},{}",
        header.create_version, header.create_update as i16
    );
    out.field(LABEL, "Created ulVersion", created);
    out.field(LABEL, "DB Signature", header.sign_db);
    out.field(LABEL, "cbDbPage", header.page_size);
    out.field(
        LABEL,
        "dbtime",
        format!("{0} (0x{0:x})", header.dbtime.get()),
    );
}

fn range(low: Generation, high: Generation) -> String {
    format!("{0}-{1} (0x{0:x}-0x{1:x})", low.get(), high.get())
}

fn generation(generation: Generation) -> String {
    format!("{0} (0x{0:x})", generation.get())
}

fn recovery(out: &mut Layout, header: &DbHeader) {
    out.field(LABEL, "State", header.db_state().words());
    let required = format!(
        "{} [Min. Req. Pre-Redo: {}]",
        range(header.required_low, header.required_high),
        generation(header.pre_redo_required_low)
    );
    out.field(LABEL, "Log Required", required);
    out.field(
        LABEL,
        "Gen. Max. Req. Creation Time",
        header.required_high_time,
    );
    out.field(
        LABEL,
        "Log Committed",
        range(Generation::default(), header.committed_high),
    );
    out.field(
        LABEL,
        "Gen. Max. Com. Creation Time",
        header.committed_high_time,
    );
    let consistent = format!(
        "{} [Pre-Redo: {}]",
        generation(header.consistent_low),
        generation(header.pre_redo_consistent_low)
    );
    out.field(LABEL, "Log Consistent", consistent);
    out.field(LABEL, "Log Recovering", generation(header.recovering));
    if header.has_streaming_file() {
        out.field(LABEL, "Streaming File", "Yes");
    }
}

fn history(out: &mut Layout, header: &DbHeader) {
    out.field(
        LABEL,
        "Shadowed",
        if header.shadowing_disabled() {
            "No"
        } else {
            "Yes"
        },
    );
    out.field(LABEL, "Last Objid", header.objid_last);
    out.field(
        LABEL,
        "Scrub Dbtime",
        format!("{0} (0x{0:x})", header.scrub_dbtime.get()),
    );
    out.field(LABEL, "Scrub Date", header.scrub_time);
    out.field(LABEL, "Repair Count", header.repair_count);
    out.field(LABEL, "Repair Date", header.repair_time);
    out.field(LABEL, "Old Repair Count", header.repair_count_old);
}

fn positions(out: &mut Layout, header: &DbHeader) {
    let at = |position: Lgpos, time: LogTime| format!("{position}  {time}");
    out.field(
        LABEL,
        "Last Consistent",
        at(header.last_consistent, header.last_consistent_time),
    );
    out.field(
        LABEL,
        "Last Attach",
        at(header.last_attach, header.last_attach_time),
    );
    out.field(
        LABEL,
        "Last Detach",
        at(header.last_detach, header.last_detach_time),
    );
    out.field(
        LABEL,
        "Last ReAttach",
        at(header.last_reattach, header.last_reattach_time),
    );
    out.field(LABEL, "Dbid", header.dbid as i16);
    out.field(LABEL, "Log Signature", header.sign_log);
    let [major, minor, build, pack] = header.os_version;
    let (nls, defined) = (header.sort_version >> 32, header.sort_version & 0xFFFF_FFFF);
    out.field(
        LABEL,
        "OS Version",
        format!("({major}.{minor}.{build} SP {pack} NLS {nls:x}.{defined:x})"),
    );
}

fn page_patches(out: &mut Layout, header: &DbHeader) {
    let counts = [header.reseed, header.page_patch];
    if counts
        .iter()
        .all(|count| count.count == 0 && count.old == 0)
    {
        return;
    }
    for (count, names) in counts.iter().zip([
        ["Reseed Count", "Reseed Date", "Old Reseed Count"],
        ["Patch Count", "Patch Date", "Old Patch Count"],
    ]) {
        out.field(LABEL, names[0], count.count);
        out.field(LABEL, names[1], count.last);
        out.field(LABEL, names[2], count.old);
    }
}

fn backups(out: &mut Layout, header: &DbHeader) {
    for (title, backup, kind) in [
        (
            "Previous Full Backup:",
            header.backup_full_prev,
            header.backup_full_prev_kind,
        ),
        (
            "Previous Incremental Backup:",
            header.backup_incremental_prev,
            header.backup_incremental_prev_kind,
        ),
        (
            "Previous Copy Backup:",
            header.backup_copy_prev,
            header.backup_copy_prev_kind,
        ),
        (
            "Previous Differential Backup:",
            header.backup_differential_prev,
            header.backup_differential_prev_kind,
        ),
        ("Current Full Backup:", header.backup_full_cur, 0),
        ("Current Shadow copy backup:", header.backup_snapshot_cur, 0),
    ] {
        out.blank().heading(title);
        backup_lines(out, &backup, BackupKind::from_header(kind));
    }
}

fn backup_lines(out: &mut Layout, backup: &BackupInfo, kind: BackupKind) {
    let how = match kind {
        BackupKind::Normal => "",
        BackupKind::OsSnapshot => " - OSSnapshot",
        BackupKind::Snapshot => " - Snapshot",
        BackupKind::Unknown => " - UNKNOWN",
    };
    out.field(
        15,
        "Log Gen",
        format!("{}{how}", range(backup.low, backup.high)),
    );
    out.field(15, "Mark", backup.mark);
    out.field(15, "Mark", backup.time);
}

fn upgrade_and_size(out: &mut Layout, header: &DbHeader) {
    out.blank();
    out.field(23, "cpgUpgrade55Format", header.upgrade_55_pages);
    out.field(23, "cpgUpgradeFreePages", header.upgrade_free_pages);
    out.field(
        23,
        "cpgUpgradeSpaceMapPages",
        header.upgrade_space_map_pages,
    );
    let since = if header.last_resize == header.last_attach {
        "(Matches \"Last Attach\", no subsequent resize)"
    } else if header.last_resize == header.last_consistent {
        "(Matches \"Last Consistent\", no subsequent resize)"
    } else {
        ""
    };
    out.blank().field(
        LABEL,
        "Last Resize",
        format!("{}  {since}", header.last_resize),
    );
    out.blank()
        .field(LABEL, "Extend Count", header.extend.count);
    out.field(LABEL, "Extend Date", header.extend.last);
    out.blank()
        .field(LABEL, "Shrink Count", header.shrink.count);
    out.field(LABEL, "Shrink Date", header.shrink.last);
    out.blank().field(LABEL, "Trim Count", header.trim_count);
}

fn page_errors(out: &mut Layout, header: &DbHeader) {
    page_error_lines(out, header);
    out.blank();
    out.field(
        39,
        "Last Database Maintenance Finish Date",
        header.dbscan_prev,
    );
    out.field(
        39,
        "Current Database Maintenance Start Date",
        header.dbscan_start,
    );
    out.indented(
        6,
        "Highest Continuous Database Maintenance Page",
        header.dbscan_highest_continuous,
    );
    out.indented(
        6,
        "Highest Database Maintenance Page",
        header.dbscan_highest,
    );
}

fn page_error_lines(out: &mut Layout, header: &DbHeader) {
    let found = |count: u32| {
        if count > 0 {
            format!("found ({count})")
        } else {
            "none".into()
        }
    };
    out.blank();
    for (name, date, old, count) in [
        (
            "ECC Fix Success Count",
            "Last ECC Fix Success Date",
            "Old ECC Fix Success Count",
            header.ecc_fixed,
        ),
        (
            "ECC Fix Error Count",
            "Last ECC Fix Error Date",
            "Old ECC Fix Error Count",
            header.ecc_failed,
        ),
        (
            "Bad Checksum Error Count",
            "Last Bad Checksum Error Date",
            "Old bad Checksum Error Count",
            header.bad_checksum,
        ),
    ] {
        out.field(28, name, found(count.count));
        if count.count > 0 {
            out.field(28, date, count.last);
        }
        out.field(28, old, found(count.old));
    }
}

fn trailer_lines(out: &mut Layout, trailer: &Trailer) {
    out.blank().heading("Patch Current Full Backup:");
    backup_lines(out, &trailer.backup, BackupKind::Normal);
    if trailer.has_generations() {
        out.indented(
            3,
            "Log Required",
            range(trailer.required_low, trailer.required_high),
        );
        // As the original: two labels on one line.
        let times = format!(
            "{}  Log Committed: {}",
            trailer.required_high_time,
            generation(trailer.committed_high)
        );
        out.indented(3, "Gen. Max. Req. Creation Time", times);
        out.indented(
            2,
            "Gen. Max. Com. Creation Time",
            trailer.committed_high_time,
        );
    }
}

fn reverts(out: &mut Layout, header: &DbHeader) {
    out.blank()
        .field(LABEL, "Revert Count", header.revert_count);
    out.field(LABEL, "Revert From Date", header.revert_from);
    out.field(LABEL, "Revert To Date", header.revert_to);
    out.field(LABEL, "Revert Page Count", header.revert_page_count);
    out.field(
        LABEL,
        "Last Commit Before Revert",
        format!("{}  ", header.commit_before_revert),
    );
}

fn warnings(out: &mut Layout, report: &HeaderReport) {
    let copies = &report.copies;
    if !copies.identical {
        out.text("WARNING: primary header and shadow header are not identical.");
    }
    for (name, copy) in [("primary", &copies.primary), ("shadow", &copies.shadow)] {
        match copy.state {
            CopyState::Good => {}
            CopyState::BadChecksum | CopyState::Zeroed | CopyState::Missing => {
                out.text(format!("WARNING: {name} header has a checksum error."));
            }
            CopyState::WrongSize => {
                let bytes = copy.header.as_ref().map_or(0, |header| header.page_size);
                out.text(format!(
                    "WARNING: {name} header has an unexpected size of {bytes} bytes."
                ));
            }
        }
    }
    if copies.page_size == PageSize::K2 {
        out.text(
            "WARNING: this is a legacy database using a 2KB page size, which is no longer \
             supported in this version of ESE.",
        );
    }
}

fn required_logs(out: &mut Layout, logs: &RequiredLogs) {
    out.blank().heading("Log files needed:");
    for log in &logs.logs {
        let need = if log.required {
            "required"
        } else {
            "committed"
        };
        out.indented(6, &log.name, format!("{need}, {}", log.state.words()));
    }
    if logs.not_named > 0 {
        out.text(format!("      and {} more", logs.not_named));
    }
}
