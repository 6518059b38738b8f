//! The restore environment of volume shadow copy backups: a text of tags. [cli notes 4.3: the tags' names]

use super::{
    EnvDatabase, EnvFault, EnvSource, FoundString, RestoreEnvironment, STRINGS_MOST,
    StringEncoding, guid, is_name_part,
};

/// A tag around what belongs to one database.
const DATABASE: &str = "DATABASE_RESTORE_ENVIRONMENT";
/// Tags by which a file of this kind is known.
const KNOWN: [&str; 9] = [
    DATABASE,
    "DATABASE_GUID_ORIGINAL",
    "DATABASE_GUID_TARGET",
    "EDB_LOCATION_ORIGINAL",
    "EDB_LOCATION_TARGET",
    "EDB_FILENAME_ORIGINAL",
    "EDB_FILENAME_TARGET",
    "LOG_BASE_NAME",
    "LOG_SIGNATURE_ID",
];

/// The file as text.
pub(super) struct Decoded {
    /// Without a byte order mark.
    pub text: String,
    encoding: StringEncoding,
    /// Bytes of the byte order mark.
    mark: usize,
}

/// UTF-16 or UTF-8, with a byte order mark or without; `None` for everything else.
pub(super) fn decode(bytes: &[u8]) -> Option<Decoded> {
    let (encoding, mark) = match bytes {
        [0xEF, 0xBB, 0xBF, ..] => (StringEncoding::Utf8, 3),
        [0xFF, 0xFE, ..] => (StringEncoding::Utf16Le, 2),
        [0xFE, 0xFF, ..] => (StringEncoding::Utf16Be, 2),
        // Both forms begin with an ASCII character.
        [0, _, 0, _, ..] => (StringEncoding::Utf16Be, 0),
        [_, 0, _, 0, ..] => (StringEncoding::Utf16Le, 0),
        _ => (StringEncoding::Utf8, 0),
    };
    let rest = bytes.get(mark..)?;
    let text = match encoding {
        StringEncoding::Utf16Le | StringEncoding::Utf16Be => {
            let (units, odd) = rest.as_chunks::<2>();
            let unit = |unit: &[u8; 2]| match encoding {
                StringEncoding::Utf16Le => u16::from_le_bytes(*unit),
                _ => u16::from_be_bytes(*unit),
            };
            let units = units.iter().map(unit);
            let text: Result<String, _> = char::decode_utf16(units).collect();
            text.ok().filter(|_| odd.is_empty())?
        }
        _ => std::str::from_utf8(rest).ok()?.to_owned(),
    };
    // A terminating NUL is kept out of the last value; others are no text.
    let text = text.trim_end_matches('\0').to_owned();
    (!text.contains('\0')).then_some(Decoded {
        text,
        encoding,
        mark,
    })
}

/// True when one of the known tags opens in it.
pub(super) fn is_tagged(text: &str) -> bool {
    Tags::new(text).any(|tag| KNOWN.contains(&tag.name.as_str()))
}

/// Reads the tags.
///
/// # Errors
/// [`EnvFault::NotDecodable`] when they name neither a database nor logs; [`EnvFault::TooManyStrings`].
pub(super) fn read(decoded: &Decoded) -> Result<RestoreEnvironment, EnvFault> {
    let mut environment = RestoreEnvironment::new(EnvSource::Vss);
    let mut current = Files::default();
    let mut offset = Offsets::new(decoded);
    for tag in Tags::new(&decoded.text) {
        if tag.name == DATABASE {
            current.close(&mut environment);
            continue;
        }
        if tag.value.is_empty() {
            continue;
        }
        let found = FoundString {
            offset: offset.of(tag.at),
            text: format!("{}: {}", tag.name, tag.value),
            encoding: decoded.encoding,
        };
        if !take(&mut environment, &mut current, &tag, &found) {
            environment.other.push(found);
        }
        if environment.other.len() > STRINGS_MOST || environment.databases.len() > STRINGS_MOST {
            return Err(EnvFault::TooManyStrings);
        }
    }
    current.close(&mut environment);
    environment.other.sort_by_key(|found| found.offset);
    if environment.databases.is_empty() && environment.log_base.is_none() {
        return Err(EnvFault::NotDecodable);
    }
    Ok(environment)
}

/// Puts a value where it belongs; false when that is nowhere.
fn take(
    environment: &mut RestoreEnvironment,
    current: &mut Files,
    tag: &Tag,
    found: &FoundString,
) -> bool {
    let slot = match tag.name.as_str() {
        "DATABASE_GUID_ORIGINAL" if guid(&tag.value).is_some() => 0,
        "EDB_LOCATION_ORIGINAL" => 1,
        "EDB_FILENAME_ORIGINAL" => 2,
        "EDB_LOCATION_TARGET" => 3,
        "EDB_FILENAME_TARGET" => 4,
        "LOG_BASE_NAME" if is_name_part(&tag.value) => {
            return once(&mut environment.log_base, &tag.value);
        }
        "LOG_PATH_TARGET" => return once(&mut environment.log_path, &tag.value),
        "SYSTEM_PATH_TARGET" => return once(&mut environment.system_path, &tag.value),
        _ => return false,
    };
    // A tag that comes again begins the next database.
    if current.values[slot].is_some() {
        current.close(environment);
    }
    current.values[slot] = Some((tag.value.clone(), found.clone()));
    true
}

/// Sets a value that is one for the whole file; false when another was given before.
fn once(slot: &mut Option<String>, value: &str) -> bool {
    slot.get_or_insert_with(|| value.to_owned()) == value
}

/// What is known so far about a database: GUID, original folder and file, target folder and file.
#[derive(Default)]
struct Files {
    values: [Option<(String, FoundString)>; 5],
}

impl Files {
    /// Adds the database, if one was named, and begins anew. A folder without a file goes to the rest.
    fn close(&mut self, environment: &mut RestoreEnvironment) {
        let [id, from, from_file, to, to_file] = std::mem::take(&mut self.values);
        let mut path = |folder: Option<(String, FoundString)>,
                        file: Option<(String, FoundString)>| {
            let (folder, file) = match (folder, file) {
                (Some((folder, _)), Some((file, _))) => (folder, file),
                (None, Some((file, _))) => return vec![file],
                (Some((folder, _)), None) if is_database(&folder) => return vec![folder],
                (Some((_, found)), None) => {
                    environment.other.push(found);
                    return Vec::new();
                }
                (None, None) => return Vec::new(),
            };
            let (whole, tail) = (folder.to_lowercase(), file.to_lowercase());
            if is_database(&folder) && whole.ends_with(&tail) {
                return vec![folder];
            }
            vec![format!("{}\\{file}", folder.trim_end_matches('\\'))]
        };
        let database = EnvDatabase {
            name: None,
            guid: id.and_then(|(text, _)| guid(&text)),
            sources: path(from, from_file),
            destinations: path(to, to_file),
        };
        if database != EnvDatabase::default() {
            environment.databases.push(database);
        }
    }
}

fn is_database(path: &str) -> bool {
    path.to_lowercase().ends_with(".edb")
}

/// Byte offsets in the file of places in the text, which must be asked for in order.
struct Offsets<'a> {
    decoded: &'a Decoded,
    /// A place in the text, and how many bytes of the file are before it.
    known: (usize, usize),
}

impl<'a> Offsets<'a> {
    fn new(decoded: &'a Decoded) -> Self {
        Self {
            decoded,
            known: (0, decoded.mark),
        }
    }

    fn of(&mut self, at: usize) -> u64 {
        let between = self.decoded.text.get(self.known.0..at).unwrap_or_default();
        let bytes = match self.decoded.encoding {
            StringEncoding::Utf16Le | StringEncoding::Utf16Be => between.encode_utf16().count() * 2,
            _ => between.len(),
        };
        self.known = (at, self.known.1 + bytes);
        self.known.1 as u64
    }
}

/// A tag that opens, with what is between it and the next one.
struct Tag {
    /// Place of its `<` in the text.
    at: usize,
    /// In upper case, without attributes.
    name: String,
    /// Without the blanks around it; the five entities of XML resolved.
    value: String,
}

struct Tags<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tags<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Tags<'_> {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        loop {
            let at = self.at + self.text.get(self.at..)?.find('<')?;
            let inside = self.text.get(at + 1..)?;
            let close = inside.find('>')?;
            let behind = inside.get(close + 1..)?;
            let value = behind.split('<').next().unwrap_or_default();
            self.at = at + 1 + close + 1 + value.len();
            let name = inside.get(..close)?.trim_start();
            let name = name.split([' ', '\t', '\r', '\n', '/']).next();
            let name = name.unwrap_or_default().to_uppercase();
            if !name.is_empty() && !name.starts_with(['/', '?', '!']) {
                let value = plain(value.trim());
                return Some(Tag { at, name, value });
            }
        }
    }
}

/// The value with the entities that XML has in any case. Whether the writers use them is not known; a path with
/// `&amp;` in it is less likely than one with `&`.
fn plain(value: &str) -> String {
    if !value.contains('&') {
        return value.to_owned();
    }
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(value.to_owned(), |text, (entity, character)| {
        text.replace(entity, character)
    })
}
