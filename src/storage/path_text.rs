//! Paths in reports. A path is bytes, a JSON document is text: what is no text in a name is replaced in it. Serde's own
//! form of a path refuses the whole document for one such name, after the work that it tells of is done.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// A field of a report that holds paths: one, perhaps one, a list, or pairs.
pub trait PathText {
    /// Writes it as text.
    ///
    /// # Errors
    /// Those of the serializer; never because of what is in a path.
    fn serialize_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// For `#[serde(serialize_with = "...")]`: paths as text, U+FFFD for what is none.
///
/// # Errors
/// Those of the serializer; never because of what is in a path.
pub fn path_text<T: PathText, S: Serializer>(field: &T, serializer: S) -> Result<S::Ok, S::Error> {
    field.serialize_text(serializer)
}

/// As [`path_text`], of a list of paths each with something else.
///
/// # Errors
/// Those of the serializer; never because of what is in a path.
pub fn keyed_path_text<T: Serialize, S: Serializer>(
    field: &[(PathBuf, T)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(field.iter().map(|(path, value)| (Text(path), value)))
}

/// What is serialized as its text.
struct Text<'a, T>(&'a T);

impl<T: PathText> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_text(serializer)
    }
}

impl PathText for PathBuf {
    fn serialize_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Path::to_string_lossy(self))
    }
}

impl<T: PathText> PathText for Option<T> {
    fn serialize_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Text).serialize(serializer)
    }
}

impl<T: PathText> PathText for Vec<T> {
    fn serialize_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Text))
    }
}

impl<A: PathText, B: PathText> PathText for (A, B) {
    fn serialize_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Text(&self.0), Text(&self.1)).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Serialize;

    use super::{keyed_path_text, path_text};

    #[derive(Serialize)]
    struct Report {
        #[serde(serialize_with = "path_text")]
        one: PathBuf,
        #[serde(serialize_with = "path_text")]
        none: Option<PathBuf>,
        #[serde(serialize_with = "path_text")]
        some: Option<PathBuf>,
        #[serde(serialize_with = "path_text")]
        list: Vec<PathBuf>,
        #[serde(serialize_with = "path_text")]
        pairs: Vec<(PathBuf, PathBuf)>,
        #[serde(serialize_with = "keyed_path_text")]
        keyed: Vec<(PathBuf, u32)>,
    }

    fn json(path: PathBuf) -> String {
        let report = Report {
            one: path.clone(),
            none: None,
            some: Some(path.clone()),
            list: vec![path.clone()],
            pairs: vec![(path.clone(), path.clone())],
            keyed: vec![(path, 5)],
        };
        serde_json::to_string(&report).unwrap()
    }

    const EXPECTED: &str =
        r#"{"one":"X","none":null,"some":"X","list":["X"],"pairs":[["X","X"]],"keyed":[["X",5]]}"#;

    #[test]
    fn text_stays_as_it_is() {
        assert_eq!(json("/d/ä.edb".into()), EXPECTED.replace('X', "/d/ä.edb"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_does_not_cost_the_document() {
        use std::os::unix::ffi::OsStringExt as _;
        let path = std::ffi::OsString::from_vec(b"/d/\xFF.edb".to_vec());
        assert_eq!(json(path.into()), EXPECTED.replace('X', "/d/\u{FFFD}.edb"));
    }
}
