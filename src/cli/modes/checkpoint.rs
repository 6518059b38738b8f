//! `mk`.

use clap::ArgMatches;

use super::{files, log_text};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::Session;
use crate::error::Error;
use crate::jet::JetError;
use crate::ops::checkpoint::{CheckpointReport, read_checkpoint};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("mk", matches);
    session.head("FILE DUMP");
    for path in files(matches) {
        session.eseutil(&format!("      Checkpoint file: {}\n\n", path.display()));
        match read_checkpoint(path) {
            Ok(report) => {
                let jet = JetError::SUCCESS;
                session.report(path, jet, &report.findings, &report, || layout(&report));
            }
            // Eseutil says no more of a bad checkpoint than its closing line.
            Err(error @ Error::CheckpointCorrupt { .. }) => {
                session.opened();
                session.failure(path, &error, "");
            }
            Err(error) => session.failure(path, &error, &format!("Error: {error}\n")),
        }
    }
    session.close()
}

fn layout(report: &CheckpointReport) -> Layout {
    let mut out = Layout::new();
    let checkpoint = &report.checkpoint;
    out.indented(
        6,
        "LastFullBackupCheckpoint",
        checkpoint.last_full_backup_checkpoint,
    );
    out.indented(6, "Checkpoint", checkpoint.checkpoint);
    out.indented(6, "DbConsistency", report.db_consistency());
    out.indented(6, "FullBackup", checkpoint.full_backup);
    out.indented(6, "FullBackup time", checkpoint.full_backup_time);
    out.indented(6, "IncBackup", checkpoint.incremental_backup);
    out.indented(6, "IncBackup time", checkpoint.incremental_backup_time);
    out.indented(6, "Signature", checkpoint.sign_log);
    log_text::environment(&mut out, &checkpoint.environment);
    for attachment in &report.attachments {
        // The original reads the list outside of recovery and therefore always says so.
        out.text(format!(
            "{:7} {} LogOff VerOn RW",
            attachment.dbid, attachment.path
        ));
        log_text::attachment(&mut out, attachment, 8);
    }
    out
}
