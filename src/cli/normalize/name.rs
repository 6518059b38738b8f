//! The mode that a command line names.

use std::ffi::{OsStr, OsString};

use super::{Exists, UsageError, is_switch};
use crate::cli::spec::{MODES, ModeSpec, mode};

/// Letters that may follow `m`, one of them also as a switch of its own (`/m /h`).
const DUMP_LETTERS: &[u8] = b"hklmnps";
/// Letters that may follow `c` in the same way.
const RESTORE_LETTERS: &[u8] = b"cm";

/// The mode that the first argument names. With a switch character only the first letter counts, as
/// in the original (`/checksum` is no mode, `/k...` is); `/m` takes its second letter from a later
/// switch and falls back to the header.
pub(super) fn find_mode(
    word: &str,
    rest: &mut Vec<OsString>,
    exists: Exists<'_>,
) -> Result<&'static ModeSpec, UsageError> {
    let body = word.strip_prefix(['/', '-']).unwrap_or(word);
    let body = body.to_ascii_lowercase();
    // A page, node or tag number turns a dump of the header into one of the page, as in the original.
    let wants_help = |arg: &OsStr| matches!(arg.to_str(), Some("--help" | "/?" | "-?"));
    let switches = switches(rest, exists);
    let any = |is_it: &dyn Fn(&OsStr) -> bool| switches.iter().any(|at| is_it(&rest[*at]));
    if matches!(&*body, "m" | "mh") && any(&names_a_page) || body == "m" && any(&wants_help) {
        return mode("m").ok_or(UsageError::InvalidMode);
    }
    if let Some(found) = mode(&body).filter(|_| body != "m") {
        return Ok(found);
    }
    if body.len() == word.len() && body != "m" {
        return Err(UsageError::InvalidMode);
    }
    match body.as_bytes() {
        [b'm'] => {
            let letter = take_letter(rest, &switches, DUMP_LETTERS).unwrap_or('h');
            mode(&format!("m{letter}")).ok_or(UsageError::InvalidMode)
        }
        [b'k', ..] => mode("k").ok_or(UsageError::InvalidMode),
        // `/defrag` is in many scripts.
        [b'd', ..] => mode("d").ok_or(UsageError::InvalidMode),
        // Restore has its second letter like a dump; there is none to fall back to.
        [b'c'] => {
            let found = take_letter(rest, &switches, RESTORE_LETTERS);
            let found = found.ok_or(UsageError::InvalidMode)?;
            mode(&format!("c{found}")).ok_or(UsageError::InvalidMode)
        }
        _ => Err(UsageError::InvalidMode),
    }
}

/// `/p34`, `/n34:2`, `/i34:2`, and their long names. A bare `/p` is the flush map. Who asks `m` for
/// help wants to know of these.
fn names_a_page(arg: &OsStr) -> bool {
    // Its value need not be text.
    let text = arg.to_string_lossy();
    if let Some(long) = text.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        return matches!(name, "page" | "node" | "tag");
    }
    let Some([letter, first, ..]) = text.strip_prefix(['/', '-']).map(str::as_bytes) else {
        return false;
    };
    // A path such as /n4/priv1.edb is no page.
    matches!(letter.to_ascii_lowercase(), b'p' | b'n' | b'i')
        && (first.is_ascii_digit() || matches!(first, b'-' | b':' | b'['))
        && !text[1..].contains(['/', '.'])
}

/// Where switches are: before `--`, behind which every argument is a file, and not where a long option has its value, or
/// where there is a path.
fn switches(rest: &[OsString], exists: Exists<'_>) -> Vec<usize> {
    let takes_value = |arg: &OsString| {
        let name = arg.to_str().and_then(|text| text.strip_prefix("--"));
        let options = MODES.iter().flat_map(ModeSpec::all_options);
        let mut options = options.filter(|option| Some(option.long) == name);
        options.any(|option| option.value.is_apart())
    };
    let end = rest.iter().position(|arg| arg == "--");
    let end = end.unwrap_or(rest.len());
    let is_value = |at: usize| at > 0 && takes_value(&rest[at - 1]);
    let is_switch = |at: usize| is_switch(&rest[at], &rest[at].to_string_lossy(), exists);
    (0..end)
        .filter(|at| !is_value(*at) && is_switch(*at))
        .collect()
}

/// Takes out the first switch of one of these letters, in lower case.
fn take_letter(rest: &mut Vec<OsString>, switches: &[usize], letters: &[u8]) -> Option<char> {
    let letter = |arg: &OsStr| match arg.to_str()?.strip_prefix(['/', '-'])?.as_bytes() {
        [letter] => Some(letter.to_ascii_lowercase()).filter(|letter| letters.contains(letter)),
        _ => None,
    };
    let at = switches.iter().find(|at| letter(&rest[**at]).is_some())?;
    letter(&rest.remove(*at)).map(char::from)
}
