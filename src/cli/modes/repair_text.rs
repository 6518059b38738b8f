//! The lines of `p`.

use std::path::Path;

use super::integrity::{finding_line, name_findings, not_up_to_date};
use super::new_file_text::{backup_note, rooms};
use crate::cli::layout::Layout;
use crate::format::dbheader::DbState;
use crate::ops::repair::{Outcome, RepairFileOptions, RepairReport, Stage};
use crate::repair::{Listed, Losses, TableRepair};

/// Findings, records, values that the text names before it refers to JSON.
const NAMED: usize = 20;

/// What stands before the work.
pub(super) fn head(options: &RepairFileOptions) -> String {
    let temp = options.temp.as_deref().map_or_else(
        || format!("{}.TEMPREPAIR.EDB", options.path.display()),
        |temp| temp.display().to_string(),
    );
    format!(
        "Initiating REPAIR mode...\n        Database: {}\n  Temp. Database: {temp}\n",
        options.path.display()
    )
}

/// What Eseutil says at the start of each stage.
pub(super) fn stage(stage: Stage) -> String {
    match stage {
        Stage::Checking { dirty } => {
            let mut text = "\nChecking database integrity.\n\n".to_owned();
            if dirty {
                for line in not_up_to_date() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
            text
        }
        Stage::RebuildingShadow => "\nRebuilding MSysObjectsShadow from MSysObjects.\n".to_owned(),
        Stage::RebuildingCatalog => "\nRebuilding MSysObjects from MSysObjectsShadow.\n".to_owned(),
        Stage::RebuildingBoth => "\nScanning the database catalog.\n\nRebuilding MSysObjects.\n\
             \nRebuilding MSysObjectsShadow from MSysObjects.\n"
            .to_owned(),
        Stage::Scanning => "\nScanning the database.\n\n".to_owned(),
        Stage::Repairing => "\nRepairing damaged tables.\n\n".to_owned(),
        Stage::Verifying => "\nChecking the database.\n\n".to_owned(),
    }
}

/// What came of it.
pub(super) fn layout(report: &RepairReport, options: &RepairFileOptions) -> Layout {
    let mut out = Layout::new();
    out.blank();
    for undo in &report.taken_back {
        out.text(format!(
            "An interrupted repair was taken back first ({}).",
            undo.display()
        ));
    }
    if let Some(made) = &report.made_header {
        let guess = &made.guess;
        out.text(format!(
            "Both copies of the header are lost: one was made from {} pages of {} bytes, as of update {:#x} of the format.",
            made.sound_pages,
            guess.size.bytes(),
            made.told_by_pages
        ));
        if guess.missing != 0 {
            out.text(format!("{} pages are missing at the start.", guess.missing));
        }
        for field in &made.kept {
            out.text(format!("    taken from a damaged copy: {field:?}"));
        }
        out.text("");
    }
    if report.pages_found_elsewhere > 0 {
        out.text(format!(
            "{} pages lie in the place of others and were read from there.",
            report.pages_found_elsewhere
        ));
    }
    if report.outcome == Outcome::Repaired {
        required_logs(&mut out, report);
        name_findings(&mut out, &report.check, NAMED);
        if let Some(lost) = &report.losses {
            losses(&mut out, report, lost);
        }
    }
    verdict(&mut out, report);
    if let (Outcome::Sound, Some(to)) = (report.outcome, &options.to) {
        out.text(format!("{} was not written.", to.display()));
    }
    places(&mut out, report);
    if !report.dry_run {
        backup_note(&mut out, "repair");
    }
    out
}

fn verdict(out: &mut Layout, report: &RepairReport) {
    match (report.outcome, report.dry_run) {
        (Outcome::Repaired, true) => {
            out.text(
                "This is the plan: nothing was changed. 'exutil p' without --dry-run does it.",
            );
        }
        (Outcome::Repaired, false) => {
            out.text("Repair completed. Database corruption has been repaired!");
        }
        (Outcome::Mended, dry_run) => {
            let would = if dry_run { "would be" } else { "have been" };
            if report.bits_mended > 0 {
                out.text(format!(
                    "{} pages with one wrong bit {would} corrected.",
                    report.bits_mended
                ));
            }
            if report.header_mended {
                out.text(format!(
                    "The bad copy of the header {} written anew.",
                    if dry_run { "would be" } else { "has been" }
                ));
            }
            out.text("Integrity check successful.");
        }
        (Outcome::Sound | Outcome::Cancelled, _) if report.left.is_empty() => {
            out.text("Integrity check successful.");
        }
        (Outcome::Sound | Outcome::Cancelled, _) => {
            out.text("Nothing that is wrong can be mended here; the database was left as it is.");
        }
    }
    if !report.left.is_empty() {
        out.text(
            "Entries are missing whose sort keys are not known here; the engine makes such an index anew \
             when it is deleted and created again:",
        );
    }
    for finding in report.left.iter().take(NAMED) {
        out.text(format!("left: {}", finding_line(finding)));
    }
}

/// Where things are, and how much room they take.
fn places(out: &mut Layout, report: &RepairReport) {
    if let Some(file) = &report.new_file {
        out.text(format!(
            "Repaired database: {} ({} pages, {} bytes)",
            file.path.display(),
            file.last_page,
            file.bytes
        ));
    }
    if let Some(original) = &report.original {
        out.text(format!("Database as it was: {}", original.display()));
    }
    if let Some(undo) = &report.undo_file {
        out.text(format!("To take this back: exutil undo {}", undo.display()));
    }
    if report.dry_run {
        rooms(out, &report.space, |space| space.needed);
    }
}

/// Recovery loses nothing; repair may.
fn required_logs(out: &mut Layout, report: &RepairReport) {
    let (Some(logs), false) = (
        &report.required_logs,
        report.state == DbState::CleanShutdown,
    ) else {
        return;
    };
    out.text("Recovery with these logs would come first, and lose nothing ('exutil r'):");
    for log in logs.logs.iter().take(NAMED) {
        out.text(format!("    {} ({})", log.name, log.state.words()));
    }
    let more = logs.logs.len().saturating_sub(NAMED) as u64 + logs.not_named;
    if more > 0 {
        out.text(format!("    and {more} more"));
    }
    out.text("");
}

fn losses(out: &mut Layout, report: &RepairReport, losses: &Losses) {
    for change in &losses.catalog_changes {
        out.text(format!("catalog: {}", change.what));
    }
    if !losses.unnamed_trees.is_empty() {
        let objects: Vec<String> = losses
            .unnamed_trees
            .iter()
            .take(NAMED)
            .map(|tree| format!("{} ({} leaves)", tree.objid, tree.leaves))
            .collect();
        out.text(format!(
            "{} objects that no row of the catalog names, as dropped tables leave them, are not kept: {}",
            losses.unnamed_trees.len(),
            objects.join(", ")
        ));
    }
    for table in &losses.tables {
        table_losses(out, table);
    }
    let lossless = losses.tables.iter().all(|table| !table.has_losses());
    if lossless && losses.catalog_changes.is_empty() {
        let tense = if report.dry_run { "would be" } else { "was" };
        out.text(format!("No record {tense} lost."));
    }
    out.text("");
}

fn table_losses(out: &mut Layout, table: &TableRepair) {
    out.text(format!(
        "table \"{}\" ({}): {} records, {} long values",
        table.name, table.objid, table.records, table.long_values
    ));
    if let Some(data) = &table.data {
        let lost = data
            .losses
            .iter()
            .filter(|loss| loss.refill != crate::salvage::Refill::Whole);
        let pages: Vec<String> = lost
            .map(|loss| match loss.page.is_null() {
                true => "unknown".to_owned(),
                false => loss.page.to_string(),
            })
            .collect();
        if !pages.is_empty() {
            let shown = pages[..pages.len().min(NAMED)].join(", ");
            let count = pages.len();
            out.text(format!("    records of {count} pages may be lost: {shown}"));
        }
    }
    for report in [&table.data, &table.long_value_tree].into_iter().flatten() {
        let damaged: Vec<_> = report.taken.iter().filter(|taken| taken.damaged).collect();
        if !damaged.is_empty() {
            let nodes: u64 = damaged.iter().map(|taken| u64::from(taken.nodes)).sum();
            let pages: Vec<String> = damaged.iter().map(|taken| taken.page.to_string()).collect();
            out.text(format!(
                "    {nodes} nodes were taken from damaged pages, and may hold wrong values: {}",
                pages[..pages.len().min(NAMED)].join(", ")
            ));
        }
    }
    listed(
        out,
        &table.lost_keys,
        "records are lost, by an index",
        |key| key.to_string(),
    );
    listed(out, &table.dropped, "records left out", |record| {
        format!("{} (page {}): {}", record.key, record.page, record.why)
    });
    listed(out, &table.lost_values, "values are lost", |value| {
        format!(
            "record {}, {}[{}], long value {:#x}",
            value.key, value.column, value.instance, value.lid
        )
    });
    listed(
        out,
        &table.lost_long_values,
        "long values cannot be kept",
        |value| format!("{:#x}: {:?}", value.lid, value.why),
    );
    listed(
        out,
        &table.orphans,
        "long values have no reference",
        |lid| format!("{lid:#x}"),
    );
    for (count, what) in [
        (table.new_roots, "long values got a new root"),
        (table.counts_corrected, "reference counts corrected"),
    ] {
        if count > 0 {
            out.text(format!("    {count} {what}"));
        }
    }
    for index in &table.indexes {
        let what = format!("entries of index {} are missing, for records", index.name);
        listed(out, &index.missing, &what, |key| key.to_string());
    }
}

fn listed<T>(out: &mut Layout, list: &Listed<T>, what: &str, show: impl Fn(&T) -> String) {
    if list.is_empty() {
        return;
    }
    out.text(format!("    {} {what}:", list.count));
    for entry in list.listed.iter().take(NAMED) {
        out.text(format!("        {}", show(entry)));
    }
    if list.count > NAMED as u64 {
        let more = list.count - NAMED as u64;
        out.text(format!("        and {more} more (--format json)"));
    }
}

/// The detailed report that Eseutil writes unasked: here only where a prefix was given.
pub(super) fn write_report(path: &Path, prefix: &str, report: &RepairReport) {
    let mut text = format!("***** Repair of database '{}'\n\n", path.display());
    for finding in &report.check.findings {
        text.push_str(&finding_line(finding));
        text.push('\n');
    }
    if let Some(losses) = &report.losses {
        let mut out = Layout::new();
        for table in &losses.tables {
            table_losses(&mut out, table);
        }
        text.push_str(&out.eseutil());
    }
    super::integrity::write_raw(prefix, &text);
}
