//! What `isinteg` does besides testing: `-dump` and `-patch`.

use std::io::Write as _;

use serde::Serialize;

use super::consent::ask_or_read;
use super::isinteg_text;
use super::recover::told;
use crate::cli::escape::escape_lines;
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::{Format, Session};
use crate::jet::JetError;
use crate::ops::isinteg::{
    DumpedRow, FixOptions, IsintegOptions, PatchReport, UnreadTable, dump_store, patch_store,
};
use crate::storage::RealDisk;

const NOBODY: &str = "isinteg -patch changes the database and there is no terminal to ask on: give --yes, or --dry-run";

/// What is known about patching, whatever becomes of it.
const PATCH: [&str; 4] = [
    "After an offline restore an Exchange 5.5 store would give out ids again that it has given out since",
    "the backup; 'isinteg -patch' gives it a new base GUID, so that they differ. The store asks for it with event",
    "1087 (error 1011) and then takes about a minute for each 1,000 public folders. It must not be done",
    "without need. Since Exchange 2000 the store does it by itself when it is mounted.",
];

/// JSON of a dump.
#[derive(Serialize)]
struct Dump {
    rows: Vec<DumpedRow>,
    unread: Vec<UnreadTable>,
}

/// `-dump`. As text rows are printed while they are read; JSON holds them all.
pub(super) fn dump(session: &mut Session, options: &IsintegOptions) {
    let path = &options.path;
    let mut rows = Vec::new();
    let mut out = std::io::stdout().lock();
    let as_json = session.format == Format::Json;
    let dumped = dump_store(options, &RealDisk, &mut |row| {
        if as_json {
            rows.push(row);
            return Ok(());
        }
        // A reader that closes the pipe early is no error of ours.
        let _ = out.write_all(escape_lines(&block(&row)).as_bytes());
        Ok(())
    });
    drop(out);
    match dumped {
        Ok(unread) => {
            let jet = match unread.is_empty() {
                true => JetError::SUCCESS,
                false => JetError::DATABASE_CORRUPTED,
            };
            let dump = Dump { rows, unread };
            session.report(path, jet, &[], &dump, || {
                let mut layout = Layout::new();
                for table in &dump.unread {
                    layout.text(isinteg_text::unread_line(table));
                }
                layout
            });
        }
        Err(error) => session.failure(path, &error, &told(&error)),
    }
}

/// A row in the original's form.
fn block(row: &DumpedRow) -> String {
    let mut text = String::new();
    for (number, (label, value)) in row.fields.iter().enumerate() {
        let head = match number {
            0 => format!("[{}] ", row.number),
            _ => "    ".to_owned(),
        };
        text.push_str(&format!("{head}{label}={}\n", value.replace('\n', " ")));
    }
    text.push('\n');
    text
}

/// `-patch`. True when the user said no.
pub(super) fn patch(
    session: &mut Session,
    options: &IsintegOptions,
    fix: &FixOptions,
    yes: bool,
) -> bool {
    let path = &options.path;
    let agree = |report: &PatchReport| {
        let Some(column) = &report.column else {
            return false;
        };
        let question = format!(
            "The base GUID in {}.{} will be {} instead of {}. Do you wish to proceed?",
            column.table, column.column, column.after, column.before
        );
        yes || ask_or_read(NOBODY, &question)
    };
    let live = session.live(path);
    let patched = patch_store(options, fix, &agree, &RealDisk, &live);
    drop(live);
    match patched {
        Ok(report) => {
            let cancelled = report.why_not.as_deref() == Some("cancelled");
            let status = match report.amended {
                Some(_) => ExitStatus::Corrected,
                None => ExitStatus::Clean,
            };
            session.report_as(status, path, JetError::SUCCESS, &[], &report, || {
                patch_text(&report)
            });
            cancelled
        }
        Err(error) => {
            session.failure(path, &error, &told(&error));
            false
        }
    }
}

fn patch_text(report: &PatchReport) -> Layout {
    let mut out = Layout::new();
    for line in PATCH {
        out.text(line);
    }
    out.blank();
    if let Some(column) = &report.column {
        out.text(format!(
            "The base GUID: table {}, column {} [{}; {}]",
            column.table,
            column.column,
            column.confidence.word(),
            column.source
        ));
        out.text(format!("    now    {}", column.before));
        out.text(format!("    then   {}", column.after));
    }
    if let Some(why) = &report.why_not {
        out.text(format!("Nothing was changed: {why}."));
    }
    if let Some(amended) = &report.amended {
        out.text("The store has a new base GUID.");
        if let Some(undo) = &amended.undo_file {
            out.text(format!(
                "'exutil undo {}' gives the old one back.",
                undo.display()
            ));
        }
    }
    out
}
