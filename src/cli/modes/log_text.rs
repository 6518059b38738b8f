//! Lines that logs and checkpoints share, and the dump of a log header, as Eseutil prints them.

use crate::cli::layout::Layout;
use crate::format::loghdr::{Attachment, Environment, LogHeader};
use crate::format::stamp::Lgpos;
use crate::format::version::NEWEST_LOG;
use crate::log::verify::{BlockScan, ReadHeader};
use crate::ops::log_records::RecordSummary;
use crate::ops::logs::{LogReport, LogTrouble};

/// The two lines of the environment.
pub fn environment(out: &mut Layout, env: &Environment) {
    out.text("      Env (CircLog,Session,Opentbl,VerPage,Cursors,LogBufs,LogFile,Buffers)");
    out.text(format!(
        "          ({},{:7},{:7},{:7},{:7},{:7},{:7},{:7})",
        if env.circular_logging() {
            "     on"
        } else {
            "    off"
        },
        env.sessions,
        env.open_tables,
        env.version_pages,
        env.cursors,
        env.log_buffers,
        env.log_sectors,
        env.cache_pages
    ));
}

/// The lines of one attached database, after the line with its path.
pub fn attachment(out: &mut Layout, attachment: &Attachment, indent: usize) {
    let dbtime = attachment.dbtime.get();
    let halves = format!("{dbtime} ({}-{})", dbtime >> 32, dbtime & 0xFFFF_FFFF);
    out.indented(indent, "dbtime", halves);
    out.indented(indent, "objidLast", attachment.objid_last);
    out.indented(indent, "Signature", attachment.sign_db);
    out.indented(
        indent,
        "MaxDbSize",
        format!("{} pages", attachment.max_pages),
    );
    out.indented(indent, "Last Attach", attachment.attached);
    out.indented(indent, "Last Consistent", attachment.consistent);
}

/// What the log remembers of the disk that it was written on. [engine: an enumeration]
const fn sector_note(note: u8) -> &'static str {
    match note {
        0 => " (legacy, unknown actual)",
        1 => " (matches)",
        2 => " (actual @ log gen 512)",
        3 => " (actual @ log gen 1024)",
        4 => " (actual @ log gen 2048)",
        5 => " (actual @ log gen 4096)",
        255 => " (actual @ log gen NON-STANDARD)",
        _ => " (Unknown ENUM!)",
    }
}

/// The dump of a single log.
pub fn layout(report: &LogReport) -> Layout {
    let mut out = Layout::new();
    if let Some(check) = &report.check {
        head(&mut out, &check.head, report.checkpoint, None);
        if check.scan.damage.is_none() {
            end(&mut out, &check.scan);
        }
    }
    for trouble in &report.troubles {
        out.text(format!(
            "{:1$}{2}",
            "",
            indent(trouble),
            trouble_text(trouble)
        ));
    }
    out.blank();
    if let Some(records) = &report.records {
        if report.troubles.is_empty() {
            out.text(references(records));
        }
        out.blank();
        histogram_grid(&mut out, records);
    }
    if report.troubles.is_empty() {
        out.text(passed(&report.path.display()));
    }
    out
}

/// How far Eseutil indents a trouble in a dump of records or of one log.
pub const fn indent(trouble: &LogTrouble) -> usize {
    match trouble {
        LogTrouble::Header { .. } | LogTrouble::MissingBefore { .. } => 16,
        _ => 6,
    }
}

/// The sentence at the end of a sound log's dump.
pub fn passed(path: &dyn std::fmt::Display) -> String {
    format!("Integrity check passed for log file: {path}")
}

/// How many pages the records name.
pub fn references(records: &RecordSummary) -> String {
    format!(
        "Number of database page references:  {}",
        records.page_references
    )
}

/// Where a log ends.
pub fn end(out: &mut Layout, scan: &BlockScan) {
    out.indented(6, "Last Lgpos", last_lgpos(scan.end));
    let sum = format!("0x{:016x}", scan.segments_checksum);
    out.indented(6, "Accumulated segment checksum", sum);
}

/// The end of a log, with a small generation.
pub fn last_lgpos(end: Lgpos) -> String {
    format!("(0x{:x},{:X},{:X})", end.generation.get(), end.isec, end.ib)
}

/// Records by type, for tables.
pub fn histogram_grid(out: &mut Layout, records: &RecordSummary) {
    let total = records.histogram.total();
    let percent =
        |part: u64, whole: u64| format!("{:.1}", part as f64 / whole.max(1) as f64 * 100.0);
    let rows = records.histogram.kinds().map(|(kind, count)| {
        vec![
            kind.to_string(),
            count.records.to_string(),
            (count.bytes / count.records.max(1)).to_string(),
            percent(count.records, total.records),
            percent(count.bytes, total.bytes),
        ]
    });
    out.grid(
        &[
            "Type",
            "Records",
            "Average size",
            "% of records",
            "% of bytes",
        ],
        rows.collect(),
    );
}

/// Header and attachments. When the log does not follow the one before, the lines end with that, as Eseutil's do.
pub fn head(
    out: &mut Layout,
    head: &ReadHeader,
    checkpoint: Option<Lgpos>,
    chain: Option<&LogTrouble>,
) {
    if !header(out, &head.header, checkpoint, chain) {
        if let Some(trouble) = chain {
            out.text(format!(
                "{:1$}{2}",
                "",
                indent(trouble),
                trouble_text(trouble)
            ));
        }
        return;
    }
    for attached in &head.attachments {
        let sparse = if attached.is_sparse() {
            " (sparse)"
        } else {
            ""
        };
        out.text(format!("      {} {}{sparse}", attached.dbid, attached.path));
        attachment(out, attached, 17);
    }
    out.blank();
}

/// False where the lines end early.
fn header(
    out: &mut Layout,
    header: &LogHeader,
    checkpoint: Option<Lgpos>,
    chain: Option<&LogTrouble>,
) -> bool {
    let version = |(a, b, c, d): (u32, u32, u32, u32)| format!("({a}.{b}.{c}.{d})");
    if matches!(chain, Some(LogTrouble::MissingBefore { .. })) {
        return false;
    }
    out.indented(
        6,
        "lGeneration",
        format!("{0} (0x{0:X})", header.generation.get()),
    );
    let checkpoint = checkpoint.map_or("NOT AVAILABLE".into(), |at| at.to_string());
    out.indented(6, "Checkpoint", checkpoint);
    out.indented(6, "creation time", header.created);
    if matches!(chain, Some(LogTrouble::TimeChain { .. })) {
        return false;
    }
    out.indented(6, "prev gen time", header.prev_created);
    if matches!(chain, Some(LogTrouble::SegmentChain { .. })) {
        return false;
    }
    let sum = format!("0x{:016x}", header.prev_segments_checksum);
    out.indented(6, "prev gen accumulated segment checksum", sum);
    let own = (
        header.major,
        header.minor,
        header.update_major,
        header.update_minor,
    );
    let by = format!("{} (generated by {})", version(own), header.written_by);
    out.indented(6, "Format LGVersion", by);
    out.indented(6, "Engine LGVersion", version(NEWEST_LOG));
    if chain.is_some() {
        return false;
    }
    out.indented(6, "Signature", header.sign_log);
    out.indented(6, "Env SystemPath", header.environment.system_path.text());
    out.indented(6, "Env LogFilePath", header.environment.log_path.text());
    let note = sector_note(header.disk_sector_note);
    out.indented(
        6,
        "Env Log Sec size",
        format!("{}{note}", header.sector_size),
    );
    environment(out, &header.environment);
    let on = |mask: u8, words: [&'static str; 2]| words[usize::from(header.flags & mask != 0)];
    out.indented(6, "Using Reserved Log File", on(1, ["false", "true"]));
    out.indented(
        6,
        "Circular Logging Flag (current file)",
        on(2, ["off", "on"]),
    );
    out.indented(
        6,
        "Circular Logging Flag (past files)",
        on(4, ["off", "on"]),
    );
    out.indented(6, "Checkpoint at log creation time", header.checkpoint);
    true
}

/// A trouble in the engine's words.
pub fn trouble_text(trouble: &LogTrouble) -> String {
    let both = |g: crate::format::ids::Generation| format!("{0} (0x{0:X})", g.get());
    match trouble {
        LogTrouble::Header { jet } => {
            format!("ERROR: Cannot read log file header. Error {}.", jet.code())
        }
        LogTrouble::MissingBefore {
            generation,
            expected,
        } => format!(
            "ERROR: Missing log file(s). Log file is generation {}, but expected generation is {}.",
            both(*generation),
            both(*expected)
        ),
        LogTrouble::TimeChain { found, expected } => format!(
            "ERROR: Invalid log sequence. Previous generation time is [{found}], but expected [{expected}]."
        ),
        LogTrouble::SegmentChain { found, expected } => format!(
            "ERROR: Invalid log sequence. Previous generation accumulated segment checksum is \
             0x{found:016x}, but expected 0x{expected:016x}."
        ),
        LogTrouble::Signature { found, expected } => format!(
            "ERROR: Invalid log signature: {found}\n{:26}Expected signature: {expected}",
            ""
        ),
        LogTrouble::Name {
            generation,
            expected,
        } => format!(
            "ERROR: Mismatched log generation {} with log file name. Expected generation {}.",
            both(*generation),
            both(*expected)
        ),
        LogTrouble::Damaged { jet, at } => format!(
            "ERROR: Log damaged (unusable). Last Lgpos: {}. Error {}.",
            last_lgpos(*at),
            jet.code()
        ),
        LogTrouble::Record { jet, at, what } => format!(
            "ERROR: Log damaged (unusable): {what}. Last Lgpos: {}. Error {}.",
            last_lgpos(*at),
            jet.code()
        ),
    }
}
