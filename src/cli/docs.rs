//! What is generated: man pages and completions from the table of modes, the table of problems. Tests
//! prove the committed files current.

use std::io;
use std::path::Path;

use clap::{ArgMatches, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::command::{command, mode_command};
use super::exit::ExitStatus;
use super::spec::{MODES, ModeSpec};
use crate::jet::JetError;
use crate::problem::Problem;

/// What a report of a bug should hold.
const BUGS: &str = "Report a bug with the command line, the output of the same command with \
    --format json, the version (exutil --version), and the first two pages of the file, which are its \
    headers and hold no user data. A panic, an exit status that is not in the table \
    above, and an output that differs from Eseutil's are bugs.";

/// What a signal does. The sentence itself depends on the mode, see `interrupt`.
const SIGNALS: &str = "SIGINT (Control-C) and SIGTERM end a command at once, with status 32. No file suffers: what \
    only reads leaves everything as it was; a changed file is written beside the old one, or behind an undo file that is \
    durable before the first byte changes. A sentence on standard error says what is left and how to go on. A second \
    signal does not wait for it. SIGHUP ends a command without a word, unless it was ignored before, as by nohup.";

/// What the signals leave, by mode.
const SIGNALS_OF: &[(&[&str], &str)] = &[
    (
        &["r", "cc", "p", "d", "isinteg"],
        "Until it writes its last step nothing is changed: run the same command again. While files are half changed the \
         undo file is named: the same command takes them back first, or 'exutil undo FILE' does.",
    ),
    (
        &["y"],
        "With --resume the same command goes on behind what was copied and is durable. Without, the part file is named, \
         which is to be removed first.",
    ),
    (
        &["sweep"],
        "With --state the same command goes on where it was; without, nothing of what was found out is kept.",
    ),
    (
        &["undo"],
        "While files are half restored the same command, given again, makes them whole.",
    ),
    (
        &["export"],
        "What was written with --output is not complete, and is to be removed.",
    ),
];

/// The only variable that counts.
const ENVIRONMENT: &str = "Seconds between two lines on standard error that say how far a job is, at what rate, and \
    how long it still takes, where standard error is no terminal (default: 60; shorter jobs say nothing); 0: no such \
    lines, and no bar on a terminal.";

/// One man page: file name and content.
pub struct ManPage {
    /// `exutil-mh.1` and the like.
    pub file_name: String,
    /// Its roff source.
    pub content: Vec<u8>,
}

/// All man pages: one for the command, one a mode.
///
/// # Errors
/// When roff cannot be written, which memory never refuses.
pub fn man_pages() -> io::Result<Vec<ManPage>> {
    let names = MODES.iter().map(|mode| format!("exutil-{}", mode.name));
    let mut pages = vec![page("exutil", "exutil", command(), None, names.clone())?];
    for (mode, name) in MODES.iter().zip(names.clone()) {
        let others = ["exutil".to_owned()]
            .into_iter()
            .chain(names.clone().filter(|other| *other != name));
        let called = format!("exutil {}", mode.name);
        pages.push(page(
            &name,
            &called,
            mode_command(mode),
            Some(mode),
            others,
        )?);
    }
    Ok(pages)
}

/// One page; `called` is how the command is typed, `see` are the names of other pages.
fn page(
    name: &str,
    called: &str,
    command: Command,
    mode: Option<&ModeSpec>,
    see: impl Iterator<Item = String>,
) -> io::Result<ManPage> {
    // What follows the options on the screen has sections of its own here.
    let command = command
        .after_help(None::<&str>)
        .display_name(name.to_owned())
        .bin_name(called.to_owned());
    let man = Man::new(command)
        .title(name.to_uppercase())
        .source(concat!("exutil ", env!("CARGO_PKG_VERSION")))
        .manual("exutil manual")
        .date("");
    let mut content = Vec::new();
    man.render_title(&mut content)?;
    man.render_name_section(&mut content)?;
    man.render_synopsis_section(&mut content)?;
    man.render_description_section(&mut content)?;
    man.render_options_section(&mut content)?;
    closing_sections(mode, see).to_writer(&mut content)?;
    Ok(ManPage {
        file_name: format!("{name}.1"),
        content,
    })
}

fn closing_sections(mode: Option<&ModeSpec>, see: impl Iterator<Item = String>) -> Roff {
    let mut out = Roff::new();
    if mode.is_none() {
        out.control("SH", ["MODES"]);
        for mode in MODES {
            out.control("TP", []);
            out.text([bold(format!("exutil {} {}", mode.name, mode.files))]);
            out.text([roman(format!("{}.", mode.about))]);
        }
        out.control("TP", []);
        out.text([bold("exutil completions SHELL")]);
        out.text([roman("Print a completion script for a shell.")]);
    }
    if let Some((line, comes_out)) = mode.and_then(|mode| mode.example.split_once('\n')) {
        out.control("SH", ["EXAMPLE"]);
        out.control("TP", []);
        out.text([bold(line)]);
        out.text([roman(comes_out.trim())]);
    }
    if mode.is_some_and(|mode| mode.name == "isinteg") {
        super::isinteg_manual::add(&mut out);
    }
    out.control("SH", ["EXIT STATUS"]);
    for (status, text) in ExitStatus::ALL {
        out.control("TP", []);
        out.text([bold(status.code().to_string())]);
        out.text([roman(format!("{text}."))]);
    }
    out.control("PP", []);
    out.text([roman(
        "Of several files the worst counts. The JET error number, which does not fit an exit \
         status, is in the closing line and in JSON.",
    )]);
    out.control("SH", ["SIGNALS"]);
    out.text([roman(SIGNALS)]);
    let of_mode =
        |(modes, _): &&(&[&str], &str)| mode.is_some_and(|mode| modes.contains(&mode.name));
    for (_, text) in SIGNALS_OF.iter().filter(of_mode) {
        out.control("PP", []);
        out.text([roman(*text)]);
    }
    out.control("SH", ["ENVIRONMENT"]);
    out.control("TP", []);
    out.text([bold(super::heartbeat::VARIABLE)]);
    out.text([roman(ENVIRONMENT)]);
    out.control("SH", ["BUGS"]);
    out.text([roman(BUGS)]);
    out.control("SH", ["SEE ALSO"]);
    let mut names = Vec::new();
    for name in see {
        if !names.is_empty() {
            names.push(roman(", "));
        }
        names.extend([bold(name), roman("(1)")]);
    }
    out.text(names);
    out
}

/// Writes all man pages into a directory.
///
/// # Errors
/// When a file cannot be written.
pub fn write_man_pages(dir: &Path) -> io::Result<()> {
    for page in man_pages()? {
        std::fs::write(dir.join(page.file_name), page.content)?;
    }
    Ok(())
}

/// `docs/problems.md`: every problem that a check can find.
#[must_use]
pub fn problem_table() -> String {
    let mut out = String::from(
        "# Problems\n\n\
         Written by `cargo run --example problem_table > docs/problems.md` from the table in \
         `src/problem.rs`.\n\n\
         The code is stable and never used again for something else: scripts can rely on it. The \
         letter is the stage: C checkpoint, F file, H header, L log, P page. A note says that \
         nothing is wrong; after a warning nothing is lost; an error is damage. The JET number is \
         the engine's for this problem; what a run ends with is in the closing line. What a repair \
         does is what `p` does.\n\n\
         | code | severity | JET number | problem | repair | what a repair loses |\n\
         |---|---|---|---|---|---|\n",
    );
    for problem in Problem::ALL {
        let info = problem.info();
        let severity = format!("{:?}", info.severity).to_lowercase();
        let jet = match info.jet {
            JetError::SUCCESS => String::new(),
            jet => format!("{} {}", jet.code(), jet.name()),
        };
        let cells = [
            info.code,
            &severity,
            &jet,
            info.text,
            info.repair,
            info.lost,
        ];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// `exutil completions SHELL`.
pub(super) fn print_completions(matches: &ArgMatches) -> ExitStatus {
    let shell = matches
        .get_one::<String>("shell")
        .and_then(|name| name.parse::<Shell>().ok());
    let Some(shell) = shell else {
        return ExitStatus::Usage;
    };
    clap_complete::generate(shell, &mut command(), "exutil", &mut io::stdout());
    ExitStatus::Clean
}
