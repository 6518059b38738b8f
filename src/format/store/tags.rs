//! Lists of property tags, as `ptagMsgPropTagArray` (0x67B20102) holds them: which properties a
//! message of the classic store has. [store notes 1.3, 6.1]
//!
//! Tags of 4 bytes, little-endian (inferred: the notes only say "4-byte tags", and integers in
//! columns are little-endian), the property id in the upper half, its type in the lower one.

use std::fmt;

/// A property tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropTag(pub u32);

impl PropTag {
    /// The property id; from 0x8000 on it is a named one.
    #[must_use]
    pub const fn id(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The MAPI type, 0x0102 for bytes for example.
    #[must_use]
    pub const fn kind(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for PropTag {
    /// Isinteg's form: `67B20102`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

/// What is wrong with a list of property tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagsFault {
    /// Not a whole number of tags.
    #[error("{0} bytes are no list of 4-byte tags")]
    Length(usize),
    /// A tag without a type.
    #[error("tag {0} has no type")]
    Type(PropTag),
}

/// A sound list of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagList<'a> {
    /// Tags that stand in the list a second time (or a third ...); nothing says that they may not.
    pub repeated: usize,
    tags: &'a [[u8; 4]],
}

impl<'a> TagList<'a> {
    /// Reads a list.
    ///
    /// # Errors
    /// [`TagsFault`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TagsFault> {
        let (tags, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(TagsFault::Length(bytes.len()));
        }
        let mut list = Self { repeated: 0, tags };
        if let Some(tag) = list.tags().find(|tag| tag.kind() == 0) {
            return Err(TagsFault::Type(tag));
        }
        // A list in order needs no copy.
        if !list.tags().is_sorted_by(|a, b| a < b) {
            let mut sorted: Vec<_> = list.tags().collect();
            sorted.sort_unstable();
            sorted.dedup();
            list.repeated = tags.len() - sorted.len();
        }
        Ok(list)
    }

    /// The tags, as they are stored.
    pub fn tags(&self) -> impl Iterator<Item = PropTag> + use<'a> {
        self.tags
            .iter()
            .map(|tag| PropTag(u32::from_le_bytes(*tag)))
    }

    /// Number of tags.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tags.len()
    }

    /// True when there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }
}

/// Writes a list of tags, for databases in the making and for tests.
#[must_use]
pub fn write(tags: &[PropTag]) -> Vec<u8> {
    tags.iter().flat_map(|tag| tag.0.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::batter;
    use super::{PropTag, TagList, TagsFault, write};

    const TAGS: [PropTag; 3] = [
        PropTag(0x001A_001E),
        PropTag(0x67B2_0102),
        PropTag(0x806A_0040),
    ];

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = write(&TAGS);
        let list = TagList::parse(&bytes).expect("sound");
        assert!(list.tags().eq(TAGS));
        assert_eq!((list.len(), list.repeated), (3, 0));
        assert_eq!((TAGS[1].id(), TAGS[1].kind()), (0x67B2, 0x0102));
        assert_eq!(TAGS[1].to_string(), "67B20102");
        assert!(TagList::parse(&[]).expect("sound").is_empty());
    }

    #[test]
    fn duplicates_are_no_fault() {
        let [a, b, c] = TAGS;
        for (tags, repeated) in [(&[c, b, a][..], 0), (&[a, b, a, b, a][..], 3)] {
            let bytes = write(tags);
            assert_eq!(TagList::parse(&bytes).expect("sound").repeated, repeated);
        }
    }

    #[test]
    fn each_fault() {
        assert_eq!(TagList::parse(&[1; 7]), Err(TagsFault::Length(7)));
        let untyped = PropTag(0x3001_0000);
        let bytes = write(&[TAGS[0], untyped]);
        assert_eq!(TagList::parse(&bytes), Err(TagsFault::Type(untyped)));
        assert_eq!(
            TagsFault::Type(untyped).to_string(),
            "tag 30010000 has no type"
        );
    }

    #[test]
    fn nothing_panics() {
        batter(&write(&TAGS), |bytes| {
            if let Ok(list) = TagList::parse(bytes) {
                assert_eq!(list.tags().count() * 4, bytes.len());
            }
        });
    }
}
