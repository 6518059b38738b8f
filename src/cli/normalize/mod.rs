//! From every spelling that Eseutil, esentutl and edbutil take to the one that clap parses.
//!
//! `/mh F`, `-MH F`, `/m /h F`, `mh F` become `mh -- F`; `/lDIR`, `/l DIR`, `/l:DIR`, `--log-path DIR`
//! become `--log-path=DIR`. Facts: command-line notes 1.0. Whether a path exists is asked of the
//! caller, so that this stays a pure translation.

mod name;
mod raw;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::spec::{ModeSpec, OptionSpec, Value};
use name::find_mode;
use raw::{behind, with_slashes};

/// Tells whether a path is there.
pub type Exists<'e> = &'e dyn Fn(&OsStr) -> bool;

/// Arguments as clap takes them.
#[derive(Debug, PartialEq, Eq)]
pub struct Normalized {
    /// Program, mode, long options, `--`, files.
    pub args: Vec<OsString>,
}

/// A command line that has no meaning; the texts are Eseutil's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No such mode.
    #[error("Usage Error: Invalid mode.")]
    InvalidMode,
    /// No such option.
    #[error("Usage Error: Invalid option '{0}'.")]
    InvalidOption(String),
    /// Isinteg named a server; here it is a file.
    #[error(
        "Usage Error: isinteg tests files, not servers: name the database, as in 'exutil isinteg priv1.edb -test alltests'."
    )]
    NoDatabase,
    /// An option without its value.
    #[error("Usage Error: Missing {0} specification.")]
    Missing(&'static str),
}

/// Translates a command line; `exists` tells whether a path is there.
///
/// # Errors
/// [`UsageError`].
pub fn normalize(args: &[OsString], exists: Exists<'_>) -> Result<Normalized, UsageError> {
    let program = OsString::from("exutil");
    let Some((called, rest)) = args.split_first() else {
        return Ok(Normalized {
            args: vec![program],
        });
    };
    // By a link of that name; all of the original's switches are options of the mode.
    if is_isinteg(called) {
        let mode = [program, "isinteg".into()];
        let args: Vec<OsString> = mode.into_iter().chain(rest.iter().cloned()).collect();
        return normalize(&args, exists);
    }
    let Some((first, rest)) = rest.split_first() else {
        return Ok(Normalized {
            args: vec![program],
        });
    };
    let word = first.to_string_lossy();
    if matches!(&*word, "/?" | "-?" | "?" | "/help" | "-help" | "help") {
        return Ok(Normalized {
            args: vec![program, "--help".into()],
        });
    }
    // clap's own: options such as --help and --version, and modes that Eseutil does not have.
    if word.starts_with("--") || matches!(&*word, "-h" | "-V" | "completions") {
        let args = [program]
            .into_iter()
            .chain(args.iter().skip(1).cloned())
            .collect();
        return Ok(Normalized { args });
    }
    let mut rest = rest.to_vec();
    let spec = find_mode(&word, &mut rest, exists)?;
    let mut translator = Translator {
        spec,
        exists,
        options: vec![program, spec.name.into()],
        files: Vec::new(),
    };
    translator.run(&rest)?;
    let Translator {
        mut options, files, ..
    } = translator;
    let asks_help = options.iter().any(|option| option == "--help");
    if files.is_empty() && spec.name == "isinteg" && !asks_help {
        return Err(UsageError::NoDatabase);
    }
    if !files.is_empty() {
        options.push("--".into());
        options.extend(files);
    }
    Ok(Normalized { args: options })
}

fn is_isinteg(called: &OsStr) -> bool {
    let name = Path::new(called).file_stem().unwrap_or_default();
    name.eq_ignore_ascii_case("isinteg")
}

fn ends_in_comma(value: &OsStr) -> bool {
    value.as_encoded_bytes().ends_with(b",")
}

struct Translator<'a> {
    spec: &'static ModeSpec,
    exists: Exists<'a>,
    options: Vec<OsString>,
    files: Vec<OsString>,
}

impl Translator<'_> {
    fn run(&mut self, args: &[OsString]) -> Result<(), UsageError> {
        let mut args = args.iter().peekable();
        while let Some(arg) = args.next() {
            if arg == "--" {
                self.files.extend(args.cloned());
                return Ok(());
            }
            let text = arg.to_string_lossy();
            if text.starts_with("--") {
                self.long(&text, arg, &mut args)?;
            } else if self.is_switch(arg, &text) {
                self.switch(arg, &text, &mut args)?;
            } else {
                self.files.push(self.path(arg));
            }
        }
        Ok(())
    }

    fn is_switch(&self, arg: &OsStr, text: &str) -> bool {
        is_switch(arg, text, self.exists)
    }

    /// `--name value` and `--name=value`, for clap to judge. A value that is not there is missed here: clap would take
    /// the `--` before the files for it.
    fn long<'b>(
        &mut self,
        text: &str,
        arg: &OsStr,
        args: &mut std::iter::Peekable<impl Iterator<Item = &'b OsString>>,
    ) -> Result<(), UsageError> {
        let name = text.trim_start_matches('-');
        let mut options = self.spec.all_options();
        let option = options.find(|option| option.long == name && option.value.is_apart());
        let Some(option) = option else {
            self.options.push(arg.to_owned());
            return Ok(());
        };
        let value = args.next_if(|next| *next != "--");
        let value = value.ok_or(UsageError::Missing(missing_name(option)))?;
        self.option(name, value);
        Ok(())
    }

    fn switch<'b>(
        &mut self,
        arg: &OsStr,
        text: &str,
        args: &mut std::iter::Peekable<impl Iterator<Item = &'b OsString>>,
    ) -> Result<(), UsageError> {
        let body = &text[1..];
        if matches!(body, "?" | "h") && text.starts_with('-') || body == "?" {
            self.options.push("--help".into());
            return Ok(());
        }
        let found = self.long_name(body).or_else(|| self.find_option(body));
        let takes_value = found.is_some_and(|(option, _)| option.value != Value::None);
        if text.starts_with('/') && body.contains('/') && !takes_value {
            // No switch has a second slash outside of its value: a path that leads nowhere.
            self.files.push(arg.to_owned());
            return Ok(());
        }
        // Obsolete: the size of a log; recipes for ntds.dit still carry it.
        if body.starts_with('!') || body.to_ascii_lowercase().starts_with("config") {
            return Ok(());
        }
        if let Some(size) = page_size(body) {
            if self
                .spec
                .options
                .iter()
                .any(|option| option.long == "page-size")
            {
                self.option("page-size", OsStr::new(size));
            }
            return Ok(());
        }
        let invalid = || UsageError::InvalidOption(text.to_owned());
        let (option, glued) = found.ok_or_else(invalid)?;
        let glued_value = || {
            let value = glued.trim_start_matches(':');
            behind(arg, text.len() - value.len())
        };
        match option.value {
            Value::None if glued.is_empty() => {
                self.options.push(format!("--{}", option.long).into());
            }
            Value::None => return Err(invalid()),
            Value::Glued(_, none) => {
                let value = glued_value();
                let value = if value.is_empty() { none.into() } else { value };
                self.option(option.long, &value);
            }
            Value::Optional(_, none) => {
                let glued = glued_value();
                let value = if glued.is_empty() {
                    args.next_if(|next| {
                        let next_text = next.to_string_lossy();
                        !self.is_switch(next, &next_text)
                    })
                    .map_or_else(|| none.into(), |value| self.path(value))
                } else {
                    self.path(&glued)
                };
                self.option(option.long, &value);
            }
            Value::Required(_) | Value::Several(_) | Value::OneOf(..) => {
                let glued = glued_value();
                let value = if glued.is_empty() {
                    args.next_if(|next| {
                        let next_text = next.to_string_lossy();
                        !self.is_switch(next, &next_text)
                    })
                    .map(|value| self.value(option, value))
                    .ok_or(UsageError::Missing(missing_name(option)))?
                } else {
                    self.value(option, &glued)
                };
                // `-test folder, message`, as the usage of Isinteg has it.
                let mut value = value;
                if option.long == "test" && self.spec.name == "isinteg" {
                    self.more_tests(&mut value, args);
                }
                self.option(option.long, &value);
            }
        }
        Ok(())
    }

    /// `-test folder, message` and `-test folder , message`: the list goes on behind a comma.
    fn more_tests<'b>(
        &self,
        value: &mut OsString,
        args: &mut std::iter::Peekable<impl Iterator<Item = &'b OsString>>,
    ) {
        loop {
            let next = args.next_if(|next| {
                let text = next.to_string_lossy();
                let goes_on = ends_in_comma(value) || text.starts_with(',');
                goes_on && !self.is_switch(next, &text) && !(self.exists)(next)
            });
            match next {
                Some(next) => value.push(next),
                None => return,
            }
        }
    }

    /// Isinteg's switches are words: so are ours of that mode, by their long names.
    fn long_name<'b>(&self, body: &'b str) -> Option<(&'static OptionSpec, &'b str)> {
        let is_it = |option: &&OptionSpec| option.long.eq_ignore_ascii_case(body);
        let found = self.spec.all_options().find(is_it);
        found
            .filter(|_| self.spec.name == "isinteg")
            .map(|option| (option, &body[body.len()..]))
    }

    /// The option with the longest letters that `body` starts with, and what follows them.
    fn find_option<'b>(&self, body: &'b str) -> Option<(&'static OptionSpec, &'b str)> {
        self.spec
            .all_options()
            .flat_map(|option| option.letters.iter().map(move |letters| (option, *letters)))
            .filter_map(|(option, letters)| {
                let start = body.get(..letters.len())?;
                start
                    .eq_ignore_ascii_case(letters)
                    .then(|| (option, &body[letters.len()..]))
            })
            .min_by_key(|(_, rest)| rest.len())
    }

    fn option(&mut self, long: &str, value: &OsStr) {
        let mut arg = OsString::from(format!("--{long}="));
        arg.push(value);
        self.options.push(arg);
    }

    /// `/n NEW:OLD` names a path in the logs, which must stay as Windows wrote it.
    fn value(&self, option: &OptionSpec, arg: &OsStr) -> OsString {
        if option.long == "moved" {
            return arg.to_owned();
        }
        self.path(arg)
    }

    /// A path with backslashes that is not there, but would be with slashes, was meant so.
    fn path(&self, arg: &OsStr) -> OsString {
        if let Some(path) = with_slashes(arg).filter(|_| !(self.exists)(arg)) {
            return path;
        }
        arg.to_owned()
    }
}

/// A slash starts a switch, unless the argument is a path.
fn is_switch(arg: &OsStr, text: &str, exists: Exists<'_>) -> bool {
    match text.as_bytes() {
        [b'-', _, ..] => true,
        [b'/', _, ..] => !exists(arg) && !is_missing_file(text, exists),
        _ => false,
    }
}

/// `/data/gone.edb`: not there, but its first folder is; so a file was meant, and that it is
/// missing is what the user must hear (`/tmp/x` would else be `/t` with a value).
fn is_missing_file(text: &str, exists: Exists<'_>) -> bool {
    let second = text.get(1..).and_then(|rest| rest.find(['/', '\\']));
    second.is_some_and(|at| at > 0 && exists(OsStr::new(&text[..=at])))
}

/// `/2 /4 /8 /16 /32`: only the first digit is looked at, as in the original.
fn page_size(body: &str) -> Option<&'static str> {
    match body.as_bytes().first()? {
        b'2' => Some("2"),
        b'4' => Some("4"),
        b'8' => Some("8"),
        b'1' => Some("16"),
        b'3' => Some("32"),
        _ => None,
    }
}

fn missing_name(option: &OptionSpec) -> &'static str {
    match option.long {
        "log-path" => "logfile path",
        "temp-database" => "temporary database",
        "streaming-file" => "streaming file",
        "destination" => "destination file",
        _ => option.long,
    }
}

#[cfg(test)]
mod tests;
