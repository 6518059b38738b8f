//! `mp`.

use clap::ArgMatches;

use super::{files, plain_failure};
use crate::cli::exit::ExitStatus;
use crate::cli::layout::Layout;
use crate::cli::session::Session;
use crate::ops::flushmap::{FlushMapReport, read_flush_map};

pub fn run(matches: &ArgMatches) -> ExitStatus {
    let mut session = Session::new("mp", matches);
    session.head("FILE DUMP");
    for path in files(matches) {
        session.eseutil(&format!("Flush map file: {}\n\n\n", path.display()));
        match read_flush_map(path) {
            Ok(report) => {
                session.report(path, report.jet(), &report.findings, &report, || {
                    layout(&report)
                });
            }
            Err(error) => plain_failure(&mut session, path, &error),
        }
    }
    session.close()
}

fn layout(report: &FlushMapReport) -> Layout {
    const LABEL: usize = 36;
    let yes = |flag: bool| if flag { "Yes" } else { "No" };
    let header = &report.header;
    let mut out = Layout::new();
    out.heading("Checksum Information:");
    out.field(
        LABEL,
        "Persisted Checksum",
        format!("0x{:016x}", report.stored_checksum),
    );
    out.field(
        LABEL,
        "Calculated Checksum",
        format!("0x{:016x}", report.computed_checksum),
    );
    out.blank().heading("Fields:");
    let [major, update_major, update_minor] = header.version;
    out.field(
        LABEL,
        "Version",
        format!("{major}.{update_major}.{update_minor}"),
    );
    let flags = format!(
        "0x{:08x} (Clean:{}, NewChecksumFormat:{})",
        header.flags,
        yes(header.is_clean()),
        yes(header.has_new_checksum())
    );
    out.field(LABEL, "Flags", flags);
    out.field(LABEL, "File Type", header.filetype);
    out.field(LABEL, "Flush Map Creation", header.created);
    out.field(LABEL, "Last Flush Map Attach", header.attached);
    out.field(LABEL, "Last Flush Map Detach", header.detached);
    // C's %#x: zero has no 0x.
    let generation = |g: u32| {
        if g == 0 {
            "0 (0)".into()
        } else {
            format!("{g} (0x{g:x})")
        }
    };
    out.field(
        LABEL,
        "Log Required Min.",
        generation(header.required_low.get()),
    );
    out.field(
        LABEL,
        "Log Required Min. (Next)",
        generation(header.required_low_next.get()),
    );
    out.field(
        LABEL,
        "Last Flush Map Full Flush Started",
        header.flush_started,
    );
    out.field(
        LABEL,
        "Last Flush Map Full Flush Completed",
        header.flush_completed,
    );
    out.field(LABEL, "DB Header Flush Signature", header.sign_header_flush);
    out.field(
        LABEL,
        "Flush Map Header Flush Signature",
        header.sign_flush_map,
    );
    for finding in &report.findings {
        let info = finding.problem.info();
        out.text(format!("{}: {}", info.text, finding.detail));
    }
    out
}
