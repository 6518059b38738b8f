//! SIGINT and SIGTERM: the process ends at once, wherever it is, which no file minds; a sentence says what is left and
//! how to go on. What is left the operations tell ([`Left`]); while it is said nothing can change, for whoever would
//! change it waits for the same lock. A second signal does not wait for the sentence.
//!
//! SIGHUP stays as it was found, so that `nohup` does what it is for.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::escape::escape;
use super::exit::ExitStatus;
use crate::progress::Left;

/// Where the command is.
static AT: Mutex<At> = Mutex::new(At::NOWHERE);
/// Longest wait for the bar to go.
const WIPED_WITHIN: Duration = Duration::from_millis(200);
/// A signal has come.
static CANCELLED: AtomicBool = AtomicBool::new(false);

struct At {
    way: Way,
    file: Option<PathBuf>,
    /// Files named on the command line before this one.
    before: usize,
    left: State,
    /// What is to be wiped off the terminal.
    bar: Option<ProgressBar>,
    /// Everything is said and done.
    over: bool,
}

impl At {
    const NOWHERE: Self = Self {
        way: Way::Reads,
        file: None,
        before: 0,
        left: State::Unchanged,
        bar: None,
        over: false,
    };
}

/// What a command line does to files.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// Nothing.
    Reads,
    /// It changes them.
    Changes,
    /// It makes copies in this folder, and changes those.
    Elsewhere(String),
    /// It copies one; with a map it goes on where it ended.
    Copies { resume: bool },
    /// It looks at many, and may keep what it finds out in this file.
    Sweeps { state: Option<String> },
    /// It writes what it reads to this place.
    Exports(String),
    /// It takes back what another has changed.
    Restores,
    /// It removes what another could be taken back with.
    Discards,
}

impl Way {
    fn of(mode: &str, matches: &ArgMatches) -> Self {
        let flag = |name: &str| matches!(matches.try_get_one::<bool>(name), Ok(Some(true)));
        let text = |name: &str| {
            let given = matches.try_get_one::<String>(name).ok().flatten();
            given.cloned()
        };
        match mode {
            "y" => Self::Copies {
                resume: flag("resume"),
            },
            "sweep" if flag("merge") => Self::Reads,
            "sweep" => Self::Sweeps {
                state: text("state"),
            },
            _ if flag("dry-run") || flag("list") => Self::Reads,
            "undo" if flag("discard") => Self::Discards,
            "undo" => Self::Restores,
            "export" => text("output").map_or(Self::Reads, Self::Exports),
            "r" => text("to").map_or(Self::Changes, Self::Elsewhere),
            // A restore into another folder goes on with what an earlier one left there.
            "cc" | "p" | "d" => Self::Changes,
            "isinteg" if flag("fix") || flag("patch") => Self::Changes,
            _ => Self::Reads,
        }
    }
}

/// [`Left`], kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Unchanged,
    Unfinished(PathBuf),
    Kept(PathBuf, u64, u64),
    Changing(Option<PathBuf>),
    Changed(Option<PathBuf>),
}

impl From<Left<'_>> for State {
    fn from(left: Left<'_>) -> Self {
        match left {
            Left::Unchanged => Self::Unchanged,
            Left::Unfinished { file } => Self::Unfinished(file.to_owned()),
            Left::Kept { file, done, total } => Self::Kept(file.to_owned(), done, total),
            Left::Changing { undo } => Self::Changing(undo.map(Path::to_owned)),
            Left::Changed { undo } => Self::Changed(undo.map(Path::to_owned)),
        }
    }
}

fn lock() -> MutexGuard<'static, At> {
    AT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on signals are answered; `matches` is the command line.
pub fn install(matches: &ArgMatches) {
    if let Some((mode, matches)) = matches.subcommand() {
        lock().way = Way::of(mode, matches);
    }
    listen();
}

/// The command begins with this file.
pub fn at(file: &Path) {
    let mut at = lock();
    let last = at.file.replace(file.to_owned());
    if last.is_some_and(|last| last != file) {
        at.before += 1;
    }
    at.left = State::Unchanged;
}

/// This bar stands on the terminal.
pub fn shows(bar: &ProgressBar) {
    lock().bar = Some(bar.clone());
}

/// What is left from now on if the process ends.
pub fn leaves(left: Left<'_>) {
    lock().left = left.into();
}

/// The command has come to its end, and its status counts.
pub fn over() {
    lock().over = true;
}

#[cfg(unix)]
fn listen() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    // Where it cannot be done, a signal ends the process all the same, without a word.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
        return;
    };
    let wait = move || signals.forever().for_each(|_| signalled());
    let _ = std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait);
}

#[cfg(not(unix))]
fn listen() {
    let _ = ctrlc::set_handler(signalled);
}

fn signalled() {
    if CANCELLED.swap(true, Ordering::Relaxed) {
        std::process::exit(ExitStatus::Cancelled.code());
    }
    // A terminal that takes nothing must not keep the second signal waiting.
    let thread = std::thread::Builder::new().name("cancel".into());
    if thread.spawn(cancel).is_err() {
        cancel();
    }
}

fn cancel() {
    let mut at = lock();
    if at.over {
        return;
    }
    if let Some(bar) = at.bar.take() {
        wipe(bar);
    }
    if let State::Changing(Some(undo)) = &at.left
        && matches!(undo.try_exists(), Ok(false))
    {
        // It goes when nothing needs it any more.
        at.left = State::Changed(None);
    }
    // Who was to read it may be gone, as 'tee' is by the same signal.
    let _ = writeln!(std::io::stderr(), "exutil: cancelled. {}", message(&at));
    std::process::exit(ExitStatus::Cancelled.code());
}

/// Takes the bar off the terminal. Whoever prints beside it holds a lock of its own, and may wait for a reader for ever: then
/// it stays.
fn wipe(bar: ProgressBar) {
    let (done, wait) = mpsc::channel();
    let clear = move || {
        bar.finish_and_clear();
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let _ = done.send(());
    };
    if std::thread::Builder::new().spawn(clear).is_ok() {
        let _ = wait.recv_timeout(WIPED_WITHIN);
    }
}

/// What is left, and how to go on.
fn message(at: &At) -> String {
    let quoted = |path: &Path| format!("'{}'", escape(&path.to_string_lossy()));
    let again = "run the same command again";
    let file = at.file.as_deref();
    // What was said of one file is not said of those before it.
    let (unchanged, others) = match file {
        Some(file) if at.before > 0 => (
            format!("{} is as it was", quoted(file)),
            "; what became of the files named before it is told above",
        ),
        _ => ("Nothing was changed".to_owned(), ""),
    };
    // Nor of those behind it.
    let whose = file.map_or_else(String::new, |file| format!(" of {}", quoted(file)));
    match (&at.way, &at.left) {
        (Way::Elsewhere(dir), _) => format!(
            "The originals are as they were. Remove what is in {}, and {again}.",
            quoted(Path::new(dir))
        ),
        (Way::Exports(place), _) => format!(
            "Nothing was changed, but the export to {} is not complete: {again} without what it has written there.",
            quoted(Path::new(place))
        ),
        (Way::Sweeps { state: Some(state) }, _) => format!(
            "Nothing was changed. What was found out is kept in {}: {again}, with the same --state, and it goes on \
             from there.",
            quoted(Path::new(state))
        ),
        (Way::Sweeps { state: None }, _) => {
            "Nothing was changed, and nothing is kept of what was found out: \
             with --state FILE the next run goes on where one was cancelled."
                .to_owned()
        }
        (Way::Discards, _) => {
            "No database was changed. The undo file may be gone, and then what it had put aside is to be removed by hand."
                .to_owned()
        }
        (Way::Copies { resume: true }, State::Unchanged) => {
            format!("Nothing is copied for good yet{others}: {again}.")
        }
        (_, State::Kept(part, done, total)) => format!(
            "{done} of {total} bytes of the copy are kept in {}: {again}, and it resumes behind them.",
            quoted(part)
        ),
        (Way::Copies { .. }, State::Unfinished(part)) => format!(
            "The copy is not whole: remove {} and {again}. With --resume the next run goes on where one was \
             cancelled.",
            quoted(part)
        ),
        (_, State::Unfinished(part)) => format!(
            "{unchanged}{others}, but {} is not whole: remove it and {again}.",
            quoted(part)
        ),
        (Way::Copies { .. }, State::Changing(_)) => {
            format!("The copy is whole, and about to get its name: {again}.")
        }
        (Way::Restores, State::Changing(_)) => {
            format!("Files are half restored: {again}, and it makes them whole.")
        }
        (_, State::Changing(Some(undo))) => {
            let undo = quoted(undo);
            format!(
                "Files are half changed, and {undo} holds what was there: {again}, which takes that back first, \
                 or 'exutil undo {}'.",
                undo.trim_matches('\'')
            )
        }
        (_, State::Changing(None)) => format!(
            "{} is whole, as it was or as it is to be: {again}.",
            file.map_or_else(|| "The database".to_owned(), quoted)
        ),
        (_, State::Changed(Some(undo))) => {
            let undo = quoted(undo);
            format!(
                "All changes{whose} were made already; 'exutil undo {}' takes them back.",
                undo.trim_matches('\'')
            )
        }
        (_, State::Changed(None)) => format!("All changes{whose} were made already."),
        (Way::Reads, State::Unchanged) => "Nothing was changed.".to_owned(),
        (_, State::Unchanged) => format!("{unchanged}{others}: {again}."),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{At, State, Way, message};
    use crate::cli::command::command;
    use crate::progress::Left;

    fn way(line: &str) -> Way {
        let matches = command().try_get_matches_from(line.split(' ')).unwrap();
        let (mode, matches) = matches.subcommand().unwrap();
        Way::of(mode, matches)
    }

    #[test]
    fn what_a_command_line_does_to_files() {
        for line in [
            "exutil k a",
            "exutil ml E00",
            "exutil export a",
            "exutil advise --prove a",
            "exutil r --dry-run E00",
            "exutil cc --dry-run a",
            "exutil p --dry-run --yes a",
            "exutil d --dry-run a",
            "exutil isinteg a",
            "exutil isinteg --fix --dry-run a",
            "exutil undo --list a",
            "exutil undo --dry-run a",
            "exutil sweep --merge a",
        ] {
            assert_eq!(way(line), Way::Reads, "{line}");
        }
        for line in [
            "exutil r E00",
            "exutil cc a",
            "exutil p --yes a",
            "exutil d a",
            "exutil isinteg --fix a",
        ] {
            assert_eq!(way(line), Way::Changes, "{line}");
        }
        assert_eq!(way("exutil undo a"), Way::Restores);
        assert_eq!(way("exutil undo --discard a"), Way::Discards);
        assert!(said(Way::Discards, Left::Unchanged).contains("may be gone"));
        let exports = Way::Exports("x".into());
        assert_eq!(way("exutil export --output=x a"), exports);
        assert!(said(exports, Left::Unchanged).contains("the export to 'x' is not complete"));
        assert_eq!(way("exutil r --to=x E00"), Way::Elsewhere("x".into()));
        assert_eq!(way("exutil y --resume a"), Way::Copies { resume: true });
        let state = Some("s".to_owned());
        assert_eq!(way("exutil sweep --state=s a"), Way::Sweeps { state });
    }

    fn said(way: Way, left: Left<'_>) -> String {
        message(&At {
            way,
            left: left.into(),
            file: Some(PathBuf::from("a.edb")),
            ..At::NOWHERE
        })
    }

    #[test]
    fn every_state_says_how_to_go_on() {
        let undo = Some(Path::new("E00.undo"));
        assert_eq!(said(Way::Reads, Left::Unchanged), "Nothing was changed.");
        assert_eq!(
            said(Way::Changes, Left::Unchanged),
            "Nothing was changed: run the same command again."
        );
        assert_eq!(
            said(Way::Changes, Left::Changing { undo }),
            "Files are half changed, and 'E00.undo' holds what was there: run the same command again, which takes \
             that back first, or 'exutil undo E00.undo'."
        );
        assert_eq!(
            said(Way::Changes, Left::Changing { undo: None }),
            "'a.edb' is whole, as it was or as it is to be: run the same command again."
        );
        assert_eq!(
            said(Way::Changes, Left::Changed { undo }),
            "All changes of 'a.edb' were made already; 'exutil undo E00.undo' takes them back."
        );
        assert_eq!(
            said(Way::Restores, Left::Changing { undo }),
            "Files are half restored: run the same command again, and it makes them whole."
        );
        let file = Path::new("b.part");
        let kept = Left::Kept {
            file,
            done: 64,
            total: 100,
        };
        assert_eq!(
            said(Way::Copies { resume: true }, kept),
            "64 of 100 bytes of the copy are kept in 'b.part': run the same command again, and it resumes behind them."
        );
        assert_eq!(
            said(Way::Copies { resume: false }, Left::Unfinished { file }),
            "The copy is not whole: remove 'b.part' and run the same command again. With --resume the next run goes \
             on where one was cancelled."
        );
        assert_eq!(
            said(Way::Reads, Left::Unfinished { file }),
            "Nothing was changed, but 'b.part' is not whole: remove it and run the same command again."
        );
        let state = Some("night.state".to_owned());
        assert!(said(Way::Sweeps { state }, Left::Unchanged).contains("'night.state'"));
        let none = said(Way::Sweeps { state: None }, Left::Unchanged);
        assert!(none.contains("with --state FILE"), "{none}");
        let copies = said(Way::Elsewhere("x".into()), Left::Changing { undo });
        assert!(
            copies.starts_with("The originals are as they were."),
            "{copies}"
        );
    }

    #[test]
    fn what_is_done_already_is_not_called_unchanged() {
        let at = At {
            way: Way::Changes,
            file: Some(PathBuf::from("c\n.edb")),
            before: 2,
            left: State::Unchanged,
            ..At::NOWHERE
        };
        let said = message(&at);
        assert!(
            said.ends_with(
                "is as it was; what became of the files named before it is told above: run the same command again."
            ),
            "{said}"
        );
        assert!(!said.contains('\n'), "{said}");
    }
}
