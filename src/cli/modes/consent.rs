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
    has_somebody(otherwise) && answer(question) == Some(true)
}

/// Asks; an answer may also be piped in, as scripts do it with Isinteg. `[cli facts 7.1]`
pub(super) fn ask_or_read(otherwise: &str, question: &str) -> bool {
    match answer(question) {
        Some(answer) => answer,
        None => {
            eprintln!("\nexutil: {otherwise}");
            false
        }
    }
}

/// The next line; `None` when there is none.
fn answer(question: &str) -> Option<bool> {
    eprint!("\n{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    let yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    (read.ok()? > 0).then_some(yes)
}
