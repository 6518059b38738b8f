//! A part of a sweep, for several processes or machines over one tree.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Part `index` (from 1) of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// True when the file with this path belongs to the part: by a hash, so that large folders are shared out too.
    #[must_use]
    pub fn takes(self, path: &str) -> bool {
        let part = xxh3_64(path.as_bytes()) % u64::from(self.of.max(1));
        part + 1 == u64::from(self.index)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no shard: I/N, with I from 1 to N");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let shard = Self {
            index: number(index)?,
            of: number(of)?,
        };
        if shard.index == 0 || shard.index > shard.of {
            return Err(wrong());
        }
        Ok(shard)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    #[test]
    fn every_file_is_in_one_part() {
        for of in [1, 2, 7] {
            for path in ["a", "b/c", "priv1.edb", ""] {
                let parts = (1..=of).filter(|index| Shard { index: *index, of }.takes(path));
                assert_eq!(parts.count(), 1, "{path} {of}");
            }
        }
    }

    #[test]
    fn parts_are_named_by_two_numbers() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "1/2/3", "-1/2", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
