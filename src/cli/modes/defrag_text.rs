//! The lines of `d`.

use super::new_file_text::{backup_note, rooms};
use crate::cli::layout::Layout;
use crate::ops::defrag::{DefragReport, Stage};

/// What Eseutil says at the start of a stage.
pub(super) fn stage(stage: &Stage) -> String {
    match stage {
        Stage::Copying | Stage::Verifying => String::new(),
        Stage::MakingIndexes => "\nAn index is damaged: it is made anew.\n\n".to_owned(),
        Stage::Moving(from, to) => {
            format!("\nMoving '{}' to '{}'...", from.display(), to.display())
        }
        Stage::Moved => " DONE!\n".to_owned(),
    }
}

/// What came of it; `for_people` tells what Eseutil does not.
pub(super) fn layout(report: &DefragReport, for_people: bool) -> Layout {
    let mut out = Layout::new();
    out.blank();
    for path in &report.removed {
        out.text(format!(
            "Removed, as an interrupted run left it: {}",
            path.display()
        ));
    }
    for path in &report.left {
        out.text(format!(
            "A defragmented database lies here still; if nobody needs it, it can go: {}",
            path.display()
        ));
    }
    if report.dry_run {
        plan(&mut out, report);
        return out;
    }
    if for_people {
        result(&mut out, report);
    }
    if let Some(trouble) = &report.map_trouble {
        out.text(format!(
            "The new flush map may not have its place ({trouble}); the engine then makes another."
        ));
    }
    if let Some(backup) = &report.backup {
        out.text(format!("Database as it was: {}", backup.display()));
    }
    backup_note(&mut out, "defragmentation");
    out
}

fn plan(out: &mut Layout, report: &DefragReport) {
    out.text(format!(
        "The new file would have {} bytes instead of {}.",
        report.bytes_after, report.bytes_before
    ));
    left_behind(out, report);
    // Of which the exact number is known by now.
    rooms(out, &report.space, |_| report.bytes_after);
    out.text("This is the plan: nothing was changed. 'exutil d' without --dry-run does it.");
}

fn result(out: &mut Layout, report: &DefragReport) {
    out.text(format!(
        "{} bytes instead of {}; {} tables, {} nodes{}.",
        report.bytes_after,
        report.bytes_before,
        report.tables,
        report.nodes,
        if report.verified {
            ", verified"
        } else {
            ", not verified"
        }
    ));
    left_behind(out, report);
    if let Some(path) = report
        .new_file
        .as_ref()
        .filter(|path| **path != report.path)
    {
        out.text(format!("Defragmented database: {}", path.display()));
    }
}

fn left_behind(out: &mut Layout, report: &DefragReport) {
    for (count, what) in [
        (
            report.orphans,
            "long values without a reference left behind",
        ),
        (
            report.counts_corrected,
            "reference counts of long values corrected",
        ),
        (
            report.records_pruned,
            "records held something of deleted columns, and do no longer",
        ),
    ] {
        if count > 0 {
            out.text(format!("{count} {what}"));
        }
    }
    for table in &report.left_behind {
        out.text(format!(
            "Table {table} left behind: one of the engine's own, or being deleted"
        ));
    }
    if report.indexes_made {
        out.text("Damaged indexes were made anew from the records.");
    }
}
