//! The restore environment: what the restore of an Exchange backup leaves beside the restored logs, so that
//! recovery knows which databases and which logs belong to the set.
//!
//! Three forms are read. The binary `Restore.env` of streaming backups (Exchange 2000 to 2007) is written and
//! read by a library that was never published; only the fields that a dump of it shows are known, so
//! [`read`] looks for strings and keeps what speaks for itself ([`EnvSource::Inferred`]). The
//! `<base>Restore.env` of the volume shadow copy writers is a text of tags ([`EnvSource::Vss`]). The text form is
//! this project's own ([`EnvSource::Text`]); `docs/restore-environment.md` describes all three.

mod inferred;
mod strings;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
mod text_tests;
mod times;
mod vss;

use serde::Serialize;

use super::ids::Generation;

pub use times::ctime;

/// The most bytes that a restore environment may have; real ones have some kilobytes.
pub const BYTES_MOST: usize = 16 << 20;
/// The most bytes of the text form, whose parser takes a multiple of them.
pub const TEXT_BYTES_MOST: usize = 1 << 20;
/// The most strings, or unknown tags, that are listed.
pub const STRINGS_MOST: usize = 10_000;
/// How the logs of Exchange are called unless something says otherwise.
pub const LOG_EXTENSION: &str = "log";
/// Digits of a generation in a log's name, since Exchange 2007 and before. [engine: 8.3 and 11.3 names]
pub const LOG_DIGITS: usize = 8;
/// See [`LOG_DIGITS`]: Exchange 2000 and 2003.
pub const LOG_DIGITS_OLD: usize = 5;

/// Where a restore environment was read from, and so how far it is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvSource {
    /// A binary file whose layout is not public: strings that speak for themselves.
    Inferred,
    /// The tagged text of a volume shadow copy backup.
    Vss,
    /// The documented text form.
    Text,
    /// No file of this kind: databases and logs were looked at.
    Files,
}

impl EnvSource {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Inferred => "decoded by inference: the layout of Restore.env is not public",
            Self::Vss => "the Restore.env of a volume shadow copy backup",
            Self::Text => "a restore environment in text form",
            Self::Files => "no Restore.env: inferred from the files",
        }
    }
}

/// How far the recovery of the set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoverStatus {
    /// Not one of the others.
    Invalid,
    /// Files are restored, recovery has not begun.
    NotStarted,
    /// Recovery began and did not report its end.
    Started,
    /// Recovery has ended, well or not.
    Ended,
}

impl RecoverStatus {
    /// All of them, in the order of their numbers. \[engine\]
    pub const ALL: [Self; 4] = [Self::Invalid, Self::NotStarted, Self::Started, Self::Ended];

    /// The name that a dump shows. \[engine\]
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Invalid => "recoverInvalid",
            Self::NotStarted => "recoverNotStarted",
            Self::Started => "recoverStarted",
            Self::Ended => "recoverEnded",
        }
    }
}

/// One database of the set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EnvDatabase {
    /// Display name.
    pub name: Option<String>,
    /// 8-4-4-4-12 hexadecimal digits, upper case, no braces.
    pub guid: Option<String>,
    /// Paths of the files when they were backed up: the database, then its streaming file if it has one.
    pub sources: Vec<String>,
    /// Where they were restored to, in the same order.
    pub destinations: Vec<String>,
}

/// How the bytes of a [`FoundString`] are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StringEncoding {
    /// One byte a character.
    Ascii,
    /// UTF-8.
    Utf8,
    /// Two bytes a character, the lower first.
    Utf16Le,
    /// Two bytes a character, the higher first.
    Utf16Be,
}

impl StringEncoding {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII",
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        }
    }
}

/// A string of the file that has no place among the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundString {
    /// Byte offset in the file: of the text, or of the tag that it stands in.
    pub offset: u64,
    /// The text; in tagged files with the tag before it: `VERSION_STAMP: 1`.
    pub text: String,
    /// How it is stored.
    pub encoding: StringEncoding,
}

/// What is known about a backup set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreEnvironment {
    /// Where all this is from.
    pub source: EnvSource,
    /// The folder of the restored logs; empty when the file does not say.
    pub restore_path: String,
    /// Who made the backup: `Microsoft Information Store`.
    pub annotation: Option<String>,
    /// The server that was restored to.
    pub server: Option<String>,
    /// The instance (storage group) that was backed up.
    pub backup_instance: Option<String>,
    /// The instance that was restored to.
    pub target_instance: Option<String>,
    /// System path of the restoring instance.
    pub system_path: Option<String>,
    /// Log path of the restoring instance.
    pub log_path: Option<String>,
    /// The databases.
    pub databases: Vec<EnvDatabase>,
    /// Base name of the logs, such as `E00`.
    pub log_base: Option<String>,
    /// First and last restored generation.
    pub log_range: Option<(Generation, Generation)>,
    /// Digits of a generation in a log's name: [`LOG_DIGITS`] or [`LOG_DIGITS_OLD`].
    pub log_digits: usize,
    /// Extension of the logs, without the dot.
    pub log_extension: String,
    /// When files were last restored, in seconds since 1970 (UTC).
    pub last_restore: Option<i64>,
    /// How far recovery is.
    pub status: Option<RecoverStatus>,
    /// The result (an HRESULT) of the last recovery.
    pub error: Option<u32>,
    /// When recovery last ended, in seconds since 1970 (UTC).
    pub recover_time: Option<i64>,
    /// Strings that have no place above.
    pub other: Vec<FoundString>,
}

impl RestoreEnvironment {
    /// An environment of which nothing is known but where it is from.
    #[must_use]
    pub fn new(source: EnvSource) -> Self {
        Self {
            source,
            restore_path: String::new(),
            annotation: None,
            server: None,
            backup_instance: None,
            target_instance: None,
            system_path: None,
            log_path: None,
            databases: Vec::new(),
            log_base: None,
            log_range: None,
            log_digits: LOG_DIGITS,
            log_extension: LOG_EXTENSION.to_owned(),
            last_restore: None,
            status: None,
            error: None,
            recover_time: None,
            other: Vec::new(),
        }
    }

    /// The text form, which [`read`] reads back. What has no key in it (where the value is from, strings
    /// without a place) stands in comments.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::write(self)
    }
}

/// Why a file is not a restore environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvFault {
    /// More than [`BYTES_MOST`], or [`TEXT_BYTES_MOST`] in the text form.
    #[error("{bytes} bytes are too many for a restore environment")]
    TooLarge {
        /// Length of the file.
        bytes: usize,
    },
    /// More than [`STRINGS_MOST`] strings: no restore environment, or one that nothing can be made of.
    #[error("more than {STRINGS_MOST} strings are too many for a restore environment")]
    TooManyStrings,
    /// Nothing in it names a database.
    #[error("no path of a database can be found in it")]
    NotDecodable,
    /// The text form has an error.
    #[error("line {line}: {what}")]
    Text {
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// Reads a restore environment in whichever form it is, which its content tells.
///
/// # Errors
/// [`EnvFault`], also for every other kind of file.
pub fn read(bytes: &[u8]) -> Result<RestoreEnvironment, EnvFault> {
    if bytes.len() > BYTES_MOST {
        return Err(EnvFault::TooLarge { bytes: bytes.len() });
    }
    if let Some(decoded) = vss::decode(bytes) {
        if text::is_ours(&decoded.text) {
            if decoded.text.len() > TEXT_BYTES_MOST {
                return Err(EnvFault::TooLarge { bytes: bytes.len() });
            }
            return text::read(&decoded.text);
        }
        if vss::is_tagged(&decoded.text) {
            return vss::read(&decoded);
        }
    }
    inferred::read(bytes)
}

/// A GUID in the one spelling used here; `None` when it is none.
fn guid(text: &str) -> Option<String> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let bare = text
        .strip_prefix('{')
        .map_or(Some(text), |rest| rest.strip_suffix('}'))?;
    let groups: Vec<&str> = bare.split('-').take(GROUPS.len() + 1).collect();
    let hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let right = groups.iter().map(|group| group.len()).eq(GROUPS) && groups.iter().all(hex);
    right.then(|| bare.to_ascii_uppercase())
}

/// True when files may be named after it: a base name or an extension from a file of unknown origin must not
/// lead to other folders.
fn is_name_part(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
