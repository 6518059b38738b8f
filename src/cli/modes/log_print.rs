//! The dump of records while the logs are read, as Eseutil's `/ml /v` prints it.

use std::fmt::Write as _;
use std::io::{BufWriter, Stdout, Write as _};
use std::path::Path;

use super::log_text;
use crate::cli::escape::escape_lines;
use crate::cli::layout::Layout;
use crate::cli::log_line::{Style, short_name, write_position, write_record};
use crate::format::loghdr::LogHeader;
use crate::format::logrec::{CommitContext, Record, RecordKind};
use crate::log::generation::LoadedLog;
use crate::log::segments::SegmentHead;
use crate::ops::log_checks::StreamCheck;
use crate::ops::log_records::{RecordPlace, RecordSink, RecordSummary, Tally, walk};
use crate::ops::logs::{LogTrouble, LogVisit, LogVisitor};
use crate::ops::replay_io::IoCounts;
use crate::problem::Finding;

/// What the dump shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// The records.
    pub records: bool,
    /// With the first bytes of their data.
    pub data: bool,
    /// What a replay has to read and write, of a single log.
    pub summary: bool,
    /// The two checks over the whole stream.
    pub deep: bool,
}

/// True when CommitCtx records of this log hold flags.
pub fn has_commit_flags(header: &LogHeader) -> bool {
    CommitContext::has_flags((header.update_major, header.update_minor))
}

/// Prints logs as they are read.
pub struct Printer {
    wanted: Wanted,
    /// A stream: each log is headed by its name.
    stream: bool,
    out: BufWriter<Stdout>,
    line: String,
    style: Style,
    /// Bytes of padding in a row, counted on into the next log. [engine]
    padding: u32,
    check: Option<StreamCheck>,
}

impl Printer {
    pub fn new(wanted: Wanted, stream: bool) -> Self {
        Self {
            wanted,
            stream,
            out: BufWriter::with_capacity(1 << 16, std::io::stdout()),
            line: String::with_capacity(4096),
            style: Style {
                data: wanted.data,
                commit_flags: true,
            },
            padding: 0,
            check: wanted.deep.then(StreamCheck::default),
        }
    }

    /// Everything must be out before anyone else prints.
    pub fn flush(&mut self) {
        let _ = self.out.flush();
    }

    fn print(&mut self, text: &str) {
        // A reader that closes the pipe early is no error of ours.
        let _ = self.out.write_all(text.as_bytes());
    }

    fn layout(&mut self, fill: impl FnOnce(&mut Layout)) {
        let mut lines = Layout::new();
        fill(&mut lines);
        self.print(&lines.eseutil());
    }

    fn records(&mut self, log: &LoadedLog) -> Tally {
        self.style.commit_flags = has_commit_flags(&log.head.header);
        walk(log, Some(self))
    }

    /// What follows the records.
    fn tail(&mut self, log: &LoadedLog, tally: &mut Tally) {
        let summary = tally.summary(log.head.header.page_size);
        if self.wanted.records {
            if log.scan.damage.is_some() || tally.fault.is_some() {
                let end = tally.fault.map_or(log.scan.end, |fault| fault.at);
                self.layout(|out| {
                    out.indented(6, "Last Lgpos", log_text::last_lgpos(end));
                    out.blank();
                    let name = super::logs::shown(&log.path);
                    out.text(format!("Log Damaged (unusable): {name}"));
                    out.blank();
                });
            }
            self.print(&histogram(&summary));
        }
        if log.scan.damage.is_none() && tally.fault.is_none() {
            self.print(&format!("\n{}\n", log_text::references(&summary)));
            if self.wanted.records || self.wanted.summary {
                self.print(&replay(&summary));
            }
        }
    }
}

impl Printer {
    fn gap(&mut self) {
        if let Some(check) = &mut self.check {
            check.gap();
        }
    }

    /// Header, records, counts of one log.
    fn dump(&mut self, visit: &LogVisit<'_>) -> Tally {
        if self.stream {
            let name = super::logs::shown(visit.path);
            self.print(&escape_lines(&format!("\n      Log file: {name}\n")));
        }
        let log = match visit.log {
            Ok(log) => log,
            Err(jet) => {
                let trouble = LogTrouble::Header { jet };
                self.layout(|out| {
                    let text = log_text::trouble_text(&trouble);
                    out.text(format!("{:1$}{text}", "", log_text::indent(&trouble)));
                });
                return Tally::default();
            }
        };
        self.layout(|out| log_text::head(out, &log.head, visit.checkpoint, visit.chain));
        if visit.chain.is_some() {
            return Tally::default();
        }
        self.layout(|out| match log.scan.damage {
            Some(damage) => {
                let text = log_text::trouble_text(&LogTrouble::Damaged {
                    jet: damage.jet,
                    at: damage.at,
                });
                out.text(format!("{:6}{text}", ""));
            }
            None => log_text::end(out, &log.scan),
        });
        let mut tally = self.records(log);
        self.tail(log, &mut tally);
        tally
    }
}

impl LogVisitor for Printer {
    fn missing(&mut self, first: &str, last: &str) {
        let base = first.get(..crate::log::names::BASE_LEN).unwrap_or_default();
        let line = super::logs::missing_line(base, first, last);
        self.print(&escape_lines(&format!("\n\n{line}\n")));
        self.gap();
    }

    fn log(&mut self, visit: &LogVisit<'_>) -> Tally {
        let tally = self.dump(visit);
        if visit.is_broken() {
            self.gap();
        }
        tally
    }

    fn checked(&mut self, path: &Path, troubles: &[LogTrouble]) {
        let name = super::logs::shown(path);
        match troubles {
            [] => self.print(&escape_lines(&format!("\n{}\n", log_text::passed(&name)))),
            [trouble @ LogTrouble::Name { .. }] => {
                let text = log_text::trouble_text(trouble);
                let passed = log_text::passed(&name);
                self.print(&escape_lines(&format!("\n{passed}\n\n      {text}\n")));
            }
            _ => {}
        }
        for trouble in troubles {
            if matches!(trouble, LogTrouble::Record { .. }) {
                let text = log_text::trouble_text(trouble);
                self.print(&escape_lines(&format!("      {text}\n")));
            }
        }
        if self.stream {
            self.print("\n");
        }
    }

    fn findings(&mut self) -> Vec<Finding> {
        let found = self.check.as_mut().map(StreamCheck::take_findings);
        found.unwrap_or_default()
    }
}

impl RecordSink for Printer {
    fn segment(&mut self, head: SegmentHead) {
        if !self.wanted.records {
            return;
        }
        self.line.clear();
        let _ = writeln!(
            self.line,
            "Segment Checksum: 0x{:016x}, LGPOS ({:08X},{:04X},{:04X}), logtimeStart {}",
            head.checksum,
            head.at.generation.get(),
            head.at.isec,
            head.at.ib,
            head.started
        );
        let _ = self.out.write_all(self.line.as_bytes());
    }

    fn record(&mut self, place: RecordPlace, bytes: &[u8], record: &Record<'_>) {
        if let Some(check) = &mut self.check {
            check.record(place.at, record);
        }
        if !self.wanted.records {
            return;
        }
        let is_padding = bytes.first() == Some(&RecordKind::NOP.get());
        let count = std::mem::take(&mut self.padding);
        self.line.clear();
        if is_padding {
            self.padding = count.saturating_add(1);
            if count > 0 {
                return;
            }
        } else if count > 1 {
            let _ = writeln!(self.line, ">{:17}NOPEnd    (Total NOPs: {count})", "");
        }
        write_position(&mut self.line, place.printed);
        write_record(&mut self.line, bytes, record, self.style);
        self.line.push('\n');
        let _ = self.out.write_all(self.line.as_bytes());
    }
}

/// Percent for one digit behind the point, where Windows rounds a half away from zero and Rust to the even digit.
fn percent(part: u64, whole: f32) -> f64 {
    let percent = f64::from(part as f32 / whole) * 100.0;
    let is_half = matches!(percent.fract(), 0.25 | 0.75);
    percent + if is_half { 0.01 } else { 0.0 }
}

/// Records by type; the engine reckons with single precision.
fn histogram(records: &RecordSummary) -> String {
    let (mut all, mut all_bytes) = (0_f32, 0_f32);
    for (_, count) in records.histogram.kinds() {
        all += count.records as f32;
        all_bytes += count.bytes as f32;
    }
    let rule = "=".repeat(54);
    let mut out = format!("\nclrTotal    =  {all:.0}\ncbTotal     =  {all_bytes:.0}\n\n{rule}\n");
    let _ = writeln!(
        out,
        "Op         # Records     Avg. Size      clr / cb Pct  "
    );
    let _ = writeln!(out, "{}", "-".repeat(54));
    for (kind, count) in records.histogram.kinds() {
        // Left out by the engine, though they are counted in the totals.
        let superseded = [
            RecordKind::INIT,
            RecordKind::TERM,
            RecordKind::RECOVERY_UNDO,
            RecordKind::RECOVERY_QUIT,
        ];
        if superseded.contains(&kind) {
            continue;
        }
        let _ = writeln!(
            out,
            "{}  {:7}       {:7}      {:5.1}% /{:5.1}%",
            short_name(kind),
            count.records,
            count.bytes / count.records.max(1),
            percent(count.records, all),
            percent(count.bytes, all_bytes)
        );
    }
    let _ = writeln!(out, "{rule}");
    out
}

/// What a replay has to read and write.
fn replay(records: &RecordSummary) -> String {
    let Some(io) = &records.io else {
        return String::new();
    };
    let rule = "=".repeat(102);
    let mut out = format!(
        "\n{rule}\nDBID   # Page Refs  # Cache Pages  # IOs  # Pages IO  # Reads  # Pages Read  # Writes  # Pages Written\n{}\n",
        "-".repeat(102)
    );
    let mut row = |name: &str, counts: &IoCounts| {
        let _ = writeln!(
            out,
            "{name:>5}  {:11}  {:13}  {:5}  {:10}  {:7}  {:12}  {:8}  {:15}",
            counts.references,
            counts.pages,
            counts.reads + counts.writes,
            counts.pages_read + counts.pages_written,
            counts.reads,
            counts.pages_read,
            counts.writes,
            counts.pages_written
        );
    };
    for database in &io.databases {
        row(&database.dbid.0.to_string(), &database.counts);
    }
    row("Total", &io.total);
    let _ = writeln!(out, "{rule}");
    out
}
