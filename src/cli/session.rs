//! One run of the command: where its output goes, in which format, and what it ends with.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Instant;

use clap::ArgMatches;
use serde::Serialize;

use super::escape::{escape, escape_lines};
use super::exit::ExitStatus;
use super::layout::Layout;
use super::live::Live;
use crate::error::Error;
use crate::jet::JetError;
use crate::problem::Finding;

/// Version of the JSON documents; it changes when a field changes its meaning or goes away.
pub const SCHEMA: &str = "exutil/1";

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Label for label as Eseutil.
    Eseutil,
    /// Tables.
    Table,
    /// JSON Lines, one document a file.
    Json,
}

/// The state of a run.
pub struct Session {
    /// The format asked for.
    pub format: Format,
    mode: &'static str,
    started: Instant,
    status: ExitStatus,
    jet: JetError,
    headed: bool,
    logo: bool,
    /// Some file could be opened and worked on.
    opened: bool,
}

#[derive(Serialize)]
struct Document<'a, T, F = Finding> {
    schema: &'static str,
    mode: &'static str,
    file: String,
    jet: JetError,
    status: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    findings: &'a [F],
    result: Option<&'a T>,
}

impl Session {
    /// Starts a run of `mode`.
    pub fn new(mode: &'static str, matches: &ArgMatches) -> Self {
        let format = match matches.get_one::<String>("format").map(String::as_str) {
            Some("table") => Format::Table,
            Some("json") => Format::Json,
            _ => Format::Eseutil,
        };
        Self {
            format,
            mode,
            started: Instant::now(),
            status: ExitStatus::Clean,
            jet: JetError::SUCCESS,
            headed: false,
            opened: false,
            logo: !matches.get_flag("no-logo"),
        }
    }

    /// What is shown while the mode is at work on this file.
    pub fn live(&self, file: &Path) -> Live {
        Live::new(self.mode, file)
    }

    /// The same where the mode prints as it goes: no bar between lines on a terminal.
    pub fn live_while_printing(&self, file: &Path) -> Live {
        Live::while_printing(self.mode, file)
    }

    /// True when a person reads along: Eseutil's layout then shows what Eseutil does not know.
    pub fn for_people(&self) -> bool {
        self.format == Format::Eseutil && std::io::stdout().is_terminal()
    }

    /// Prints in Eseutil's layout only; names within the text cannot steer the terminal.
    pub fn eseutil(&self, text: &str) {
        if self.format == Format::Eseutil {
            write_out(&escape_lines(text));
        }
    }

    /// The banner, and `Initiating ... mode...`, once a run.
    pub fn head(&mut self, initiating: &str) {
        self.banner();
        if !std::mem::replace(&mut self.headed, true) {
            self.eseutil(&format!("Initiating {initiating} mode...\n"));
        }
    }

    /// The banner, once a run.
    pub fn banner(&mut self) {
        if std::mem::replace(&mut self.logo, false) {
            self.eseutil(&format!(
                "\nexutil {}: offline utilities for the Extensible Storage Engine\n\n",
                env!("CARGO_PKG_VERSION")
            ));
        }
    }

    /// Prints the report of one file and notes what it ends with.
    pub fn report<T: Serialize>(
        &mut self,
        file: &Path,
        jet: JetError,
        findings: &[Finding],
        result: &T,
        layout: impl FnOnce() -> Layout,
    ) {
        self.report_as(ExitStatus::of(jet), file, jet, findings, result, layout);
    }

    /// As [`Session::report`], with a status that the JET number alone does not tell.
    pub fn report_as<T: Serialize>(
        &mut self,
        status: ExitStatus,
        file: &Path,
        jet: JetError,
        findings: &[Finding],
        result: &T,
        layout: impl FnOnce() -> Layout,
    ) {
        self.note(jet);
        self.status = self.status.max(status);
        self.opened = true;
        match self.format {
            Format::Eseutil => write_out(&layout().eseutil()),
            Format::Table => {
                write_out(&format!(
                    "{}\n{}",
                    escape(&file.to_string_lossy()),
                    layout().table()
                ));
                write_out(&findings_table(findings));
            }
            Format::Json => self.document(status, file, jet, None, findings, Some(result)),
        }
    }

    /// Prints one of many lines of a job: as a document, or as `text`. `findings` are in their written form.
    pub fn line<T: Serialize>(
        &mut self,
        status: ExitStatus,
        file: &str,
        jet: JetError,
        findings: &[serde_json::Value],
        result: &T,
        text: impl FnOnce() -> String,
    ) {
        self.status = self.status.max(status);
        self.opened = true;
        match self.format {
            Format::Eseutil | Format::Table => write_escaped(&text()),
            Format::Json => {
                self.document(status, Path::new(file), jet, None, findings, Some(result))
            }
        }
    }

    /// Tells that the operation could not be done on this file.
    pub fn failure(&mut self, file: &Path, error: &Error, eseutil: &str) {
        self.note(error.jet());
        match self.format {
            Format::Eseutil => self.eseutil(eseutil),
            Format::Table => write_out(&format!("{}\n", escape(&error.to_string()))),
            Format::Json => {
                let (jet, text) = (error.jet(), error.to_string());
                self.document::<(), Finding>(ExitStatus::of(jet), file, jet, Some(text), &[], None);
            }
        }
    }

    fn document<T: Serialize, F: Serialize>(
        &mut self,
        status: ExitStatus,
        file: &Path,
        jet: JetError,
        error: Option<String>,
        findings: &[F],
        result: Option<&T>,
    ) {
        let document = Document {
            schema: SCHEMA,
            mode: self.mode,
            file: file.to_string_lossy().into_owned(),
            jet,
            status: status.code(),
            error,
            findings,
            result,
        };
        let line = serde_json::to_string(&document).or_else(|error| {
            // What was done is done; but that nobody gets to read about it is no success.
            let status = status.max(ExitStatus::Operational);
            self.status = self.status.max(status);
            serde_json::to_string(&Document::<(), F> {
                schema: SCHEMA,
                mode: document.mode,
                file: document.file,
                jet,
                status: status.code(),
                error: Some(format!("the report cannot be written as JSON: {error}")),
                findings,
                result: None,
            })
        });
        match line {
            Ok(line) => write_out(&format!("{line}\n")),
            Err(error) => eprintln!("exutil: {error}"),
        }
    }

    /// Something beside the operation failed: a log could not be written.
    pub fn fail(&mut self) {
        self.status = self.status.max(ExitStatus::Operational);
    }

    /// Notes that a file was opened, whatever becomes of it.
    pub const fn opened(&mut self) {
        self.opened = true;
    }

    /// The first error counts for the closing line, the worst for the status.
    pub fn note(&mut self, jet: JetError) {
        if !self.jet.is_error() {
            self.jet = jet;
        }
        self.status = self.status.max(ExitStatus::of(jet));
    }

    /// The status so far, without a closing line.
    pub const fn status(&self) -> ExitStatus {
        self.status
    }

    /// Prints the closing line and gives the status.
    pub fn close(self) -> ExitStatus {
        let elapsed = self.started.elapsed();
        // As the original: milliseconds are not padded.
        let took = format!("{}.{} seconds.", elapsed.as_secs(), elapsed.subsec_millis());
        let line = match self.format {
            Format::Json => return self.status,
            _ if self.jet.is_error() => {
                format!(
                    "\n\nOperation terminated with error {} after {took}\n\n",
                    self.jet
                )
            }
            _ if self.jet != JetError::SUCCESS => {
                format!(
                    "\nOperation completed successfully with {} after {took}\n\n",
                    self.jet
                )
            }
            _ => format!("\n\nOperation completed successfully in {took}\n\n\n"),
        };
        write_out(&line);
        self.status
    }
}

fn findings_table(findings: &[Finding]) -> String {
    /// More rows than this nobody reads; JSON has them all.
    const SHOWN: usize = 100;
    if findings.is_empty() {
        return String::new();
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["Code", "Severity", "JET", "Page", "What", "Detail"]);
    for finding in findings.iter().take(SHOWN) {
        let info = finding.problem.info();
        let file = finding.place.file.iter().map(String::as_str);
        let detail: Vec<_> = file
            .chain([finding.detail.as_str()])
            .filter(|part| !part.is_empty())
            .collect();
        table.add_row([
            info.code.to_owned(),
            format!("{:?}", info.severity).to_lowercase(),
            info.jet.code().to_string(),
            finding
                .place
                .page
                .map(|page| page.to_string())
                .unwrap_or_default(),
            info.text.to_owned(),
            escape(&detail.join(": ")).into_owned(),
        ]);
    }
    let more = findings.len().saturating_sub(SHOWN);
    let rest = if more > 0 {
        format!("and {more} more\n")
    } else {
        String::new()
    };
    format!("{table}\n{rest}")
}

/// As [`write_out`], for a text with names that could steer the terminal.
pub fn write_escaped(text: &str) {
    write_out(&escape_lines(text));
}

/// A reader that closes the pipe early is no error of ours.
pub fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use serde::{Serialize, Serializer};

    use super::{Format, Session};
    use crate::cli::exit::ExitStatus;
    use crate::jet::JetError;

    struct Unwritable;

    impl Serialize for Unwritable {
        fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }

    #[test]
    fn a_report_that_cannot_be_written_is_no_success() {
        let mut session = Session {
            format: Format::Json,
            mode: "y",
            started: Instant::now(),
            status: ExitStatus::Clean,
            jet: JetError::SUCCESS,
            headed: false,
            logo: false,
            opened: false,
        };
        let layout = || unreachable!("nobody asked for it");
        session.report(Path::new("x"), JetError::SUCCESS, &[], &5, layout);
        assert_eq!(session.status(), ExitStatus::Clean);
        session.report(Path::new("x"), JetError::SUCCESS, &[], &Unwritable, layout);
        assert_eq!(session.close(), ExitStatus::Operational);
    }
}
