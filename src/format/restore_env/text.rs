//! The text form: TOML, made to be read and changed by people. `docs/restore-environment.md` describes it.

use std::fmt::Write as _;

use serde::Deserialize;
use toml::Spanned;
use toml::value::{Date, Datetime, Offset, Time};

use super::times::{parts, seconds};
use super::{
    EnvDatabase, EnvFault, EnvSource, LOG_DIGITS, LOG_DIGITS_OLD, LOG_EXTENSION, RecoverStatus,
    RestoreEnvironment, guid, is_name_part,
};
use crate::format::ids::Generation;

/// What the first line says and the key `format` begins with.
const NAME: &str = "exutil restore environment";
/// The key `format`: name and version.
const FORMAT: &str = "exutil restore environment 1";

/// True for a text that calls itself one.
pub(super) fn is_ours(text: &str) -> bool {
    text.contains(NAME)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    format: Spanned<String>,
    restore_path: Option<String>,
    annotation: Option<String>,
    server: Option<String>,
    backup_instance: Option<String>,
    target_instance: Option<String>,
    system_path: Option<String>,
    log_path: Option<String>,
    last_restore: Option<Spanned<Datetime>>,
    status: Option<Spanned<String>>,
    error: Option<Spanned<String>>,
    recover_time: Option<Spanned<Datetime>>,
    logs: Option<Spanned<Logs>>,
    #[serde(default)]
    database: Vec<Database>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Logs {
    base: Option<Spanned<String>>,
    low: Option<Spanned<String>>,
    high: Option<Spanned<String>>,
    digits: Option<Spanned<usize>>,
    extension: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    name: Option<String>,
    guid: Option<Spanned<String>>,
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    destination: Vec<String>,
}

/// Reads the text form.
///
/// # Errors
/// [`EnvFault::Text`] with the line.
pub(super) fn read(text: &str) -> Result<RestoreEnvironment, EnvFault> {
    let lines = Lines(text);
    let form: Form = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        lines.fault(at, error.message())
    })?;
    if form.format.get_ref() != FORMAT {
        return Err(lines.wrong(&form.format, &format!("format must be {FORMAT:?}")));
    }
    let mut environment = RestoreEnvironment::new(EnvSource::Text);
    environment.restore_path = form.restore_path.unwrap_or_default();
    environment.annotation = form.annotation;
    environment.server = form.server;
    environment.backup_instance = form.backup_instance;
    environment.target_instance = form.target_instance;
    environment.system_path = form.system_path;
    environment.log_path = form.log_path;
    environment.last_restore = lines.time(form.last_restore.as_ref())?;
    environment.recover_time = lines.time(form.recover_time.as_ref())?;
    environment.status = lines.status(form.status.as_ref())?;
    environment.error = lines.hexadecimal(form.error.as_ref())?;
    if let Some(logs) = form.logs {
        let at = logs.span().start;
        lines.logs(logs.into_inner(), at, &mut environment)?;
    }
    for database in form.database {
        environment.databases.push(EnvDatabase {
            name: database.name,
            guid: lines.guid(database.guid.as_ref())?,
            sources: database.source,
            destinations: database.destination,
        });
    }
    Ok(environment)
}

/// The text, to say in which line something is wrong.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn fault(&self, at: usize, what: &str) -> EnvFault {
        let before = self.0.as_bytes().get(..at).unwrap_or_default();
        EnvFault::Text {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            what: what.trim().to_owned(),
        }
    }

    fn wrong<T>(&self, value: &Spanned<T>, what: &str) -> EnvFault {
        self.fault(value.span().start, what)
    }

    fn time(&self, value: Option<&Spanned<Datetime>>) -> Result<Option<i64>, EnvFault> {
        let Some(value) = value else { return Ok(None) };
        let found = match value.get_ref() {
            Datetime {
                date: Some(date),
                time: Some(time),
                offset: Some(Offset::Z | Offset::Custom { minutes: 0 }),
            } => seconds(
                date.year,
                [
                    date.month,
                    date.day,
                    time.hour,
                    time.minute,
                    time.second.unwrap_or(0),
                ],
            ),
            _ => None,
        };
        let what = "a time must be of the form 2004-12-31T18:00:00Z (UTC), from 1970 to 2155";
        found.map(Some).ok_or_else(|| self.wrong(value, what))
    }

    fn status(&self, value: Option<&Spanned<String>>) -> Result<Option<RecoverStatus>, EnvFault> {
        let Some(value) = value else { return Ok(None) };
        let all = RecoverStatus::ALL;
        let found = all
            .iter()
            .find(|status| status.words() == value.get_ref().as_str());
        let words = all.map(RecoverStatus::words).join(", ");
        let what = format!("status must be one of {words}");
        found
            .map(|status| Some(*status))
            .ok_or_else(|| self.wrong(value, &what))
    }

    fn hexadecimal(&self, value: Option<&Spanned<String>>) -> Result<Option<u32>, EnvFault> {
        let Some(value) = value else { return Ok(None) };
        let digits = value.get_ref().strip_prefix("0x");
        // `from_str_radix` takes a sign, which is no digit.
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let what = "a number must be hexadecimal, of 32 bits, and begin with 0x: \"0x1F\"";
        number.map(Some).ok_or_else(|| self.wrong(value, what))
    }

    fn guid(&self, value: Option<&Spanned<String>>) -> Result<Option<String>, EnvFault> {
        let Some(value) = value else { return Ok(None) };
        let what = "a guid must have 8-4-4-4-12 hexadecimal digits";
        let found = guid(value.get_ref());
        found.map(Some).ok_or_else(|| self.wrong(value, what))
    }

    fn logs(&self, logs: Logs, at: usize, into: &mut RestoreEnvironment) -> Result<(), EnvFault> {
        let part = |value: Option<Spanned<String>>, what| match value {
            Some(value) if !is_name_part(value.get_ref()) => {
                let what = format!("{what} must be 1 to 16 letters, digits, _ or -");
                Err(self.wrong(&value, &what))
            }
            value => Ok(value.map(Spanned::into_inner)),
        };
        into.log_base = part(logs.base, "base")?;
        if let Some(extension) = part(logs.extension, "extension")? {
            into.log_extension = extension;
        }
        if let Some(digits) = logs.digits {
            if ![LOG_DIGITS, LOG_DIGITS_OLD].contains(digits.get_ref()) {
                return Err(self.wrong(&digits, "digits must be 5 or 8"));
            }
            into.log_digits = digits.into_inner();
        }
        let low = self.hexadecimal(logs.low.as_ref())?;
        let high = self.hexadecimal(logs.high.as_ref())?;
        into.log_range = match (low, high) {
            (None, None) => None,
            (Some(low), Some(high)) if 1 <= low && low <= high => {
                Some((Generation::new(low), Generation::new(high)))
            }
            (Some(_), Some(_)) => {
                return Err(self.fault(at, "low must be at least 0x1, and high not below low"));
            }
            _ => return Err(self.fault(at, "low and high are given together or not at all")),
        };
        Ok(())
    }
}

/// Writes the text form.
pub(super) fn write(environment: &RestoreEnvironment) -> String {
    let mut out = Writer {
        text: format!(
            "# {NAME}: what belongs to a backup set, for `exutil cc`. docs/restore-environment.md\n"
        ),
    };
    if environment.source != EnvSource::Text {
        out.line(&format!("# Written from: {}.", environment.source.words()));
    }
    out.string("format", Some(FORMAT));
    let path = &environment.restore_path;
    out.string(
        "restore_path",
        Some(path.as_str()).filter(|path| !path.is_empty()),
    );
    out.string("annotation", environment.annotation.as_deref());
    out.string("server", environment.server.as_deref());
    out.string("backup_instance", environment.backup_instance.as_deref());
    out.string("target_instance", environment.target_instance.as_deref());
    out.string("system_path", environment.system_path.as_deref());
    out.string("log_path", environment.log_path.as_deref());
    out.time("last_restore", environment.last_restore);
    out.string("status", environment.status.map(RecoverStatus::words));
    let error = environment.error.map(|error| format!("0x{error:08X}"));
    out.string("error", error.as_deref());
    out.time("recover_time", environment.recover_time);
    logs(&mut out, environment);
    for database in &environment.databases {
        out.line("\n[[database]]");
        out.string("name", database.name.as_deref());
        out.string("guid", database.guid.as_deref());
        out.list("source", &database.sources);
        out.list("destination", &database.destinations);
    }
    if !environment.other.is_empty() {
        out.line(
            "\n# Strings of the file that nothing is known of; complete the keys above from them:",
        );
    }
    for found in &environment.other {
        // As in source code, so that no character of it ends the comment.
        let (offset, encoding) = (found.offset, found.encoding.words());
        out.line(&format!("# 0x{offset:X} {encoding} {:?}", found.text));
    }
    out.text
}

fn logs(out: &mut Writer, environment: &RestoreEnvironment) {
    out.line("\n[logs]");
    out.string("base", environment.log_base.as_deref());
    if let Some((low, high)) = environment.log_range {
        out.string("low", Some(&format!("0x{:X}", low.get())));
        out.string("high", Some(&format!("0x{:X}", high.get())));
    }
    out.line(&format!("digits = {}", environment.log_digits));
    let extension = &environment.log_extension;
    let usual = extension == LOG_EXTENSION;
    out.string("extension", Some(extension.as_str()).filter(|_| !usual));
}

struct Writer {
    text: String,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn string(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            let value = toml::Value::String(value.to_owned());
            self.line(&format!("{key} = {value}"));
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        let mut line = format!("{key} = [");
        for value in values {
            let value = toml::Value::String(value.clone());
            let written = write!(line, "\n    {value},");
            debug_assert!(written.is_ok());
        }
        self.line(&format!("{line}\n]"));
    }

    /// A time; one that the form cannot hold stands in a comment.
    fn time(&mut self, key: &str, value: Option<i64>) {
        let Some(value) = value else { return };
        let Some((year, [month, day, hour, minute, second])) = parts(value) else {
            return self.line(&format!("# {key}: {value} seconds since 1970"));
        };
        let time = Datetime {
            date: Some(Date { year, month, day }),
            time: Some(Time {
                hour,
                minute,
                second: Some(second),
                nanosecond: None,
            }),
            offset: Some(Offset::Z),
        };
        self.line(&format!("{key} = {time}"));
    }
}
