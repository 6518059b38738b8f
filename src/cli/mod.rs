//! The command line: a thin shell over [`crate::ops`]. Arguments are translated
//! ([`normalize`]) from every spelling to one, parsed by clap from one table ([`spec`]), and each
//! mode (`modes`) turns options into a call and a report into text, table or JSON.

pub mod command;
pub mod docs;
pub mod exit;
pub mod log_line;
pub mod normalize;
pub mod spec;

mod escape;
mod heartbeat;
mod interrupt;
mod isinteg_manual;
mod layout;
mod live;
mod modes;
mod progress;
mod session;

use std::ffi::OsString;

use exit::ExitStatus;
use normalize::Normalized;

/// Runs the command with these arguments, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let args: Vec<OsString> = args.into_iter().collect();
    let canonical = match normalize::normalize(&args, &|path| std::path::Path::new(path).exists()) {
        Ok(Normalized { args }) => args,
        Err(error) => {
            let text = escape::escape(&error.to_string()).into_owned();
            eprintln!("{text}\n\nTry 'exutil --help'.");
            return ExitStatus::Usage;
        }
    };
    match command::command().try_get_matches_from(canonical) {
        Ok(matches) => {
            interrupt::install(&matches);
            let status = modes::run(&matches);
            interrupt::over();
            status
        }
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() {
                ExitStatus::Usage
            } else {
                ExitStatus::Clean
            }
        }
    }
}
