//! Man pages and completions, generated from the table of modes; a test proves the committed man
//! pages current.

use std::path::Path;

use clap::ArgMatches;
use clap_complete::Shell;

use super::command::{command, mode_command};
use super::exit::ExitStatus;
use super::spec::MODES;

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
pub fn man_pages() -> std::io::Result<Vec<ManPage>> {
    let mut pages = vec![render(command(), "exutil")?];
    for mode in MODES {
        let name = format!("exutil-{}", mode.name);
        pages.push(render(mode_command(mode).name(name.clone()), &name)?);
    }
    Ok(pages)
}

fn render(command: clap::Command, name: &str) -> std::io::Result<ManPage> {
    let mut content = Vec::new();
    clap_mangen::Man::new(command)
        .title(name.to_uppercase())
        .date("")
        .render(&mut content)?;
    Ok(ManPage {
        file_name: format!("{name}.1"),
        content,
    })
}

/// Writes all man pages into a directory.
///
/// # Errors
/// When a file cannot be written.
pub fn write_man_pages(dir: &Path) -> std::io::Result<()> {
    for page in man_pages()? {
        std::fs::write(dir.join(page.file_name), page.content)?;
    }
    Ok(())
}

/// `exutil completions SHELL`.
pub(super) fn print_completions(matches: &ArgMatches) -> ExitStatus {
    let shell = matches
        .get_one::<String>("shell")
        .and_then(|name| name.parse::<Shell>().ok());
    let Some(shell) = shell else {
        return ExitStatus::Usage;
    };
    clap_complete::generate(shell, &mut command(), "exutil", &mut std::io::stdout());
    ExitStatus::Clean
}
