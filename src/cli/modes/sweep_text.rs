//! The text of a sweep: a line a file, a block or a row of a table a group.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};

use crate::format::version::product;
use crate::ops::survey::group::{Group, LogRange};
use crate::ops::survey::record::{DatabaseFacts, Facts, FileRecord, State};
use crate::ops::sweep::SweepReport;

/// Width of the labels of a group.
const LABEL: usize = 12;

/// One line a file: path, kind, what it says of itself, what is wrong.
pub fn file(record: &FileRecord) -> String {
    let mut line = format!("{}: {}", record.path, record.kind.words());
    if let Some(role) = record.named {
        write!(line, " (by its name {})", role.words()).unwrap_or_default();
    }
    let said = match &record.facts {
        Some(Facts::Database(facts)) => database(facts),
        Some(Facts::Log(log)) => {
            let mut said = format!("generation {}", log.generation);
            if log.torn {
                said += ", its last write was torn";
            }
            said
        }
        Some(Facts::Checkpoint(checkpoint)) => {
            format!("recovery begins with generation {}", checkpoint.generation)
        }
        Some(Facts::FlushMap(map)) if map.clean => "closed in order".to_owned(),
        Some(Facts::FlushMap(_)) => "not closed in order".to_owned(),
        Some(Facts::Pages { page_size }) => format!("pages of {page_size} bytes"),
        None => String::new(),
    };
    if !said.is_empty() {
        line += ", ";
        line += &said;
    }
    if let Some(error) = &record.error {
        line += ": ";
        line += error;
    } else if record.jet != 0 {
        line += &format!(": error {}", crate::jet::JetError::new(record.jet));
    }
    line + "\n"
}

fn database(facts: &DatabaseFacts) -> String {
    let state = match facts.state {
        State::BackupCopy => "copy of an online backup",
        _ => &facts.state_words,
    };
    let [version, major, minor] = facts.version;
    let mut said = format!(
        "{state}, pages of {} bytes, 0x{version:x},{major},{minor} ({})",
        facts.page_size,
        product(major)
    );
    if let Some(counts) = facts.checksums {
        said += &format!(
            ", {} pages, {} bad, {} correctable, {} unreadable",
            counts.seen, counts.bad, counts.correctable, counts.unreadable
        );
    }
    if let Some(integrity) = facts.integrity {
        said += &format!(
            ", integrity: {} errors, {} warnings",
            integrity.errors, integrity.warnings
        );
    }
    said
}

fn field(out: &mut String, label: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{label:>LABEL$}: {text}");
}

/// A block a group.
pub fn group(group: &Group) -> String {
    let mut out = format!(
        "\nGroup {}, {}: {}\n",
        group.group,
        group.kind.words(),
        group.verdict.words().to_uppercase()
    );
    for database in &group.databases {
        field(
            &mut out,
            "Database",
            &format!("{} - {}", database.path, database.verdict.words()),
        );
        for reason in &database.reasons {
            field(&mut out, "Why", reason);
        }
        for (label, file) in [
            ("Streaming", &database.streaming_file),
            ("Flush map", &database.flush_map),
        ] {
            if let Some(file) = file {
                field(&mut out, label, file);
            }
        }
    }
    if let Some(logs) = &group.logs {
        field(&mut out, "Logs", &range(logs));
        for (label, names) in [("Missing", &logs.missing), ("Damaged", &logs.damaged)] {
            if !names.is_empty() {
                field(&mut out, label, &names.join(", "));
            }
        }
    }
    for other in &group.elsewhere {
        field(
            &mut out,
            "Elsewhere",
            &format!("generation {} in {}", other.generation, other.path),
        );
    }
    if let Some(checkpoint) = &group.checkpoint {
        field(&mut out, "Checkpoint", checkpoint);
    }
    if let Some(logs) = &group.play_forward {
        field(&mut out, "Goes on", &format!("with the logs in {logs}"));
    }
    for backup in &group.backups {
        field(&mut out, "Backup", backup);
    }
    for reason in &group.reasons {
        field(&mut out, "Note", reason);
    }
    for (number, step) in group.next.iter().enumerate() {
        field(
            &mut out,
            if number == 0 { "Next" } else { "Then" },
            &step.command,
        );
    }
    out
}

fn range(logs: &LogRange) -> String {
    let folder = if logs.folder.is_empty() {
        "."
    } else {
        &logs.folder
    };
    format!(
        "{} of base name {} in {folder}, generations {} to {}",
        logs.count, logs.base, logs.first, logs.last
    )
}

/// A row a group.
pub fn groups_table(groups: &[Group]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["Group", "Verdict", "Databases", "Logs", "Why", "Next"]);
    for group in groups {
        let databases: Vec<&str> = group
            .databases
            .iter()
            .map(|database| database.path.as_str())
            .collect();
        let why: Vec<&str> = group
            .databases
            .iter()
            .flat_map(|database| &database.reasons)
            .chain(&group.reasons)
            .map(String::as_str)
            .collect();
        table.add_row([
            group.group.to_string(),
            group.verdict.words().to_owned(),
            databases.join("\n"),
            group.logs.as_ref().map(range).unwrap_or_default(),
            why.join("\n"),
            group
                .next
                .first()
                .map_or_else(String::new, |step| step.command.clone()),
        ]);
    }
    format!("{table}\n")
}

/// The sums.
pub fn summary(report: &SweepReport) -> String {
    let counts = &report.counts;
    let mut out = format!("\n{} files of {} bytes", counts.files, counts.bytes);
    let kinds: Vec<String> = counts
        .kinds
        .iter()
        .map(|(kind, count)| format!("{} {count}", kind.words()))
        .collect();
    out += &format!(": {}\n", kinds.join(", "));
    match report.shard {
        Some(shard) => {
            out += &format!(
                "Part {shard}: to be merged with the others (--format json, then --merge)\n"
            )
        }
        None => {
            let verdicts: Vec<String> = report
                .verdicts()
                .iter()
                .map(|(verdict, count)| format!("{} {count}", verdict.words()))
                .collect();
            out += &format!("{} groups: {}\n", report.groups.len(), verdicts.join(", "));
        }
    }
    out
}
