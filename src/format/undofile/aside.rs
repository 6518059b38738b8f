//! What the undo file keeps of a file that is put aside. Its content is not saved: it stays where it is, under another
//! name.

use xxhash_rust::xxh3::xxh3_64;

use super::path_at;
use crate::format::bytes::u64_at;

/// So many bytes from its start tell a file from another: to read a whole database again takes hours, and whoever
/// attaches one changes its header.
pub const START_BYTES: usize = 64 << 10;

/// xxh3-64 of the first [`START_BYTES`] of a file, or of all of a shorter one.
#[must_use]
pub fn start_hash(start: &[u8]) -> u64 {
    xxh3_64(&start[..start.len().min(START_BYTES)])
}

/// What more there is in the entry of a file that is put aside. The two names are in the folder of the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideEntry {
    /// The name that the original gets, in the system's bytes.
    pub aside: Vec<u8>,
    /// The name that the new file has before it takes the original's.
    pub new_file: Vec<u8>,
    /// [`start_hash`] of the original.
    pub before_hash: u64,
    /// When the original was last changed, as FILETIME (UTC); 0 where that is not known.
    pub modified: u64,
}

// Offsets within its part of the body; the names follow, each behind its length.
const BEFORE_HASH: usize = 0;
const MODIFIED: usize = 8;
const NAMES: usize = 16;

impl AsideEntry {
    /// Puts it behind the rest of the body.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.before_hash.to_le_bytes());
        out.extend(self.modified.to_le_bytes());
        for name in [&self.aside, &self.new_file] {
            out.extend((name.len() as u32).to_le_bytes());
            out.extend(name);
        }
    }

    /// Reads it, and gives what lies behind it; `None` when it is cut off.
    pub(super) fn read(body: &[u8]) -> Option<(Self, &[u8])> {
        let before_hash = u64_at(body, BEFORE_HASH)?;
        let modified = u64_at(body, MODIFIED)?;
        let (aside, rest) = path_at(body.get(NAMES..)?)?;
        let (new_file, rest) = path_at(rest)?;
        let entry = Self {
            aside,
            new_file,
            before_hash,
            modified,
        };
        Some((entry, rest))
    }
}
