//! Asking before a database is changed. Without anybody to ask the answer is no.

use std::io::{BufRead as _, IsTerminal as _};

/// True when there is a terminal to ask on; else `otherwise` says what to do.
pub(super) fn has_somebody(otherwise: &str) -> bool {
    let somebody = std::io::stdin().is_terminal();
    if !somebody {
        eprintln!("exutil: {otherwise}");
    }
    somebody
}

/// Asks; true for yes.
pub(super) fn ask(otherwise: &str, question: &str) -> bool {
    if !has_somebody(otherwise) {
        return false;
    }
    eprint!("\n{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
