//! The map of a copy: which bytes of which file are in the part file, and which could not be read. With it a later run
//! goes on where an earlier one ended.
//!
//! The file `DEST.map` is one JSON document:
//!
//! ```json
//! {"format":"exutil copy map 1","source":{"path":"/mnt/bad/priv1.edb","bytes":8454144,"modified":1700000000000000000},
//!  "complete":false,"finished":[[0,1048576],[1049088,1048064]],"bad":[[1048576,512]],"sum":"60a3e8a1cd9a2b17"}
//! ```
//!
//! `modified` is in nanoseconds since 1970, or null where it is not known. Ranges are `[offset, length]` in bytes.
//! What is finished is durable in the part file; what is bad is zero there; everything else was not tried yet. Complete
//! says that the part file is about to get its final name. The sum is the XXH3 hash, in 64 bits, of what stands before: a
//! map that was damaged would have a later run leave out what was never read.

use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::names::Names;
use super::ranges::Ranges;
use crate::error::{Error, Result};
use crate::format::bytes::all_zero;
use crate::jet::JetError;
use crate::storage::{Disk, Storage};

/// What the file calls itself.
const FORMAT: &str = "exutil copy map 1";
/// How a map begins, of whatever version.
const BEGIN: &[u8] = b"{\"format\":\"exutil copy map ";
/// No map is longer: twice [`MAX_BAD`] ranges take less.
const LONGEST: u64 = 16 << 20;
/// Ranges that could not be read; a disk that has more of them needs other tools first. 4 MiB of memory.
pub const MAX_BAD: usize = 1 << 18;

/// What a file is that has the name of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// There is none.
    Missing,
    /// It is a map, maybe a damaged one.
    Map,
    /// It is empty, zero, or the very beginning of a map: a run was killed while it wrote it, or the power went.
    Begun,
    /// Somebody's.
    Foreign,
}

impl Likeness {
    /// Looks at a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of(disk: &dyn Disk, path: &Path) -> Result<Self> {
        if !disk.exists(path)? {
            return Ok(Self::Missing);
        }
        let read = |error| Error::io(path, "read", error);
        let file = match disk.open(path) {
            Ok(file) => file,
            // It has just been renamed.
            Err(error) if error.jet() == JetError::FILE_NOT_FOUND && !disk.exists(path)? => {
                return Ok(Self::Missing);
            }
            Err(error) => return Err(error),
        };
        let start = file.read_start(BEGIN.len()).map_err(read)?;
        if start == BEGIN {
            return Ok(Self::Map);
        }
        let len = file.len().map_err(read)?;
        let is_zero = || -> Result<bool> {
            let bytes = file.read_start(len as usize).map_err(read)?;
            Ok(all_zero(&bytes))
        };
        if BEGIN.starts_with(&start) || len <= LONGEST && is_zero()? {
            return Ok(Self::Begun);
        }
        Ok(Self::Foreign)
    }

    /// What to say of a file that is not ours and has the name of a map.
    pub fn refuse(path: &Path) -> Error {
        Error::Copy {
            path: path.to_owned(),
            jet: JetError::FILE_ALREADY_EXISTS,
            what: "this file is in the way, and is no map of a copy".into(),
            advice: Some("move it away, or name another destination with /d".into()),
        }
    }
}

/// What tells one source from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceId {
    /// Where it was: for people, not compared, for a disk may be mounted elsewhere the next time.
    path: String,
    /// Its length.
    pub bytes: u64,
    /// When it was last changed, in nanoseconds since 1970.
    modified: Option<i64>,
}

impl SourceId {
    /// Of an open file.
    pub fn of(path: &Path, source: &dyn Storage) -> Result<Self> {
        let read = |error| Error::io(path, "read", error);
        Ok(Self {
            path: path.to_string_lossy().into_owned(),
            bytes: source.len().map_err(read)?,
            modified: source.modified().map_err(read)?.map(nanoseconds),
        })
    }

    /// True when it is the same file, unchanged.
    pub const fn is_same(&self, other: &Self) -> bool {
        let same_time = match (self.modified, other.modified) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.bytes == other.bytes && same_time
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    let number = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => number(after),
        Err(error) => -number(error.duration()),
    }
}

/// How far a copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyMap {
    format: String,
    /// What is copied.
    pub source: SourceId,
    /// The part file is whole and about to be renamed.
    pub complete: bool,
    /// What is in the part file.
    pub finished: Ranges,
    /// What could not be read.
    pub bad: Ranges,
    /// Of all the others, in hexadecimal digits.
    sum: String,
}

impl CopyMap {
    /// Nothing is copied yet.
    pub fn new(source: SourceId) -> Self {
        Self {
            format: FORMAT.into(),
            source,
            complete: false,
            finished: Ranges::default(),
            bad: Ranges::default(),
            sum: String::new(),
        }
    }

    /// Reads the map that an earlier run left.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Copy`] when it is damaged (-1018) or no map (-1814).
    pub fn load(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let read = |error| Error::io(path, "read", error);
        let file = disk.open(path)?;
        let len = file.len().map_err(read)?;
        let bytes = file.read_start(len.min(LONGEST) as usize).map_err(read)?;
        let map = serde_json::from_slice::<Self>(&bytes).ok();
        if let Some(map) = map.filter(Self::is_plausible) {
            return Ok(map);
        }
        if !bytes.starts_with(BEGIN) {
            return Err(Likeness::refuse(path));
        }
        Err(Error::Copy {
            path: path.to_owned(),
            jet: JetError::READ_VERIFY_FAILURE,
            what: "this map of a copy is damaged, or of another version".into(),
            advice: Some("use --force without --resume to start over".into()),
        })
    }

    fn is_plausible(&self) -> bool {
        let bytes = self.source.bytes;
        self.format == FORMAT
            && self.sum == self.hash()
            && self.finished.end().max(self.bad.end()) <= bytes
            && self.bad.len() <= MAX_BAD
            && self.finished.len() <= MAX_BAD + 1
            && !self.bad.iter().any(|range| self.finished.touches(range))
            && (!self.complete || self.finished.bytes() + self.bad.bytes() == bytes)
    }

    /// Notes what was read, but for the parts of it that are bad.
    pub fn note(&mut self, read: &[Range<u64>], bad: &[Range<u64>]) {
        for range in read {
            self.bad.remove(range);
            self.finished.insert(range.clone());
        }
        for range in bad {
            self.finished.remove(range);
            self.bad.insert(range.clone());
        }
    }

    fn hash(&self) -> String {
        let parts = (&self.source, self.complete, &self.finished, &self.bad);
        let text = serde_json::to_vec(&parts).unwrap_or_default();
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&text))
    }

    /// Writes the map, durably, in place of the one before: at any moment one of the two is there, whole.
    ///
    /// What it says is finished must be durable before.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Copy`] when somebody's file has the name that the next map has while it is written.
    pub fn save(&mut self, disk: &dyn Disk, names: &Names) -> Result<()> {
        self.sum = self.hash();
        let path = &names.new_map;
        let write = |error| Error::io(path, "write", error);
        let mut text = serde_json::to_vec(self).map_err(|error| write(error.into()))?;
        text.push(b'\n');
        match Likeness::of(disk, path)? {
            Likeness::Missing => {}
            Likeness::Map | Likeness::Begun => disk.remove(path)?,
            Likeness::Foreign => return Err(Likeness::refuse(path)),
        }
        let file = disk.create(path)?;
        file.write_at(0, &text).map_err(write)?;
        file.sync()
            .map_err(|error| Error::io(path, "sync", error))?;
        drop(file);
        disk.rename(path, &names.map)?;
        disk.sync_dir(names.dir())
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, CopyMap, LONGEST, Likeness, SourceId};
    use crate::ops::copy_file::names::Names;
    use crate::storage::{Disk as _, MemoryDisk};
    use std::ops::Range;
    use std::path::Path;

    fn map() -> CopyMap {
        CopyMap::new(SourceId {
            path: "/s".into(),
            bytes: 4096,
            modified: Some(5),
        })
    }

    fn note(map: &mut CopyMap, read: Range<u64>, bad: Range<u64>) {
        map.note(std::slice::from_ref(&read), std::slice::from_ref(&bad));
    }

    #[test]
    fn what_is_read_later_is_no_longer_bad() {
        let mut map = map();
        note(&mut map, 0..2048, 512..1024);
        assert_eq!((map.finished.bytes(), map.bad.bytes()), (1536, 512));
        note(&mut map, 512..1024, 0..0);
        assert_eq!((map.finished.bytes(), map.bad.bytes()), (2048, 0));
    }

    #[test]
    fn a_map_is_read_as_it_was_saved_and_judged() {
        let disk = MemoryDisk::default();
        let names = Names::new(Path::new("/d/x")).unwrap();
        let mut whole = map();
        note(&mut whole, 0..2048, 512..1024);
        // Twice: the second replaces the first, and what a killed run left beside it.
        whole.save(&disk, &names).unwrap();
        disk.create(&names.new_map).unwrap();
        whole.save(&disk, &names).unwrap();
        assert_eq!(CopyMap::load(&disk, &names.map).unwrap(), whole);
        assert_eq!(disk.files().len(), 1);
        assert!(disk.power_lost(|| false).files() == disk.files());

        let text = String::from_utf8(disk.files()[&names.map].clone()).unwrap();
        for (old, new) in [
            ("map 1", "map 2"),
            ("4096", "2047"),
            ("false", "true"),
            ("[512,512]", "[511,513]"),
            ("}", ""),
        ] {
            let changed = text.replace(old, new);
            assert_ne!(changed, text, "{old}");
            assert!(is_refused(&names, changed.into_bytes()), "{new}");
        }
        // No byte may be another.
        for at in 0..text.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert!(is_refused(&names, changed), "{at}");
        }
    }

    fn is_refused(names: &Names, content: Vec<u8>) -> bool {
        let disk = MemoryDisk::new([(names.map.clone(), content)]);
        CopyMap::load(&disk, &names.map).is_err()
    }

    #[test]
    fn only_what_is_a_map_is_taken_for_one() {
        let names = Names::new(Path::new("/d/x")).unwrap();
        let likeness = |content: &[u8]| {
            let disk = MemoryDisk::new([(names.map.clone(), content.to_vec())]);
            Likeness::of(&disk, &names.map).unwrap()
        };
        let disk = MemoryDisk::default();
        assert_eq!(Likeness::of(&disk, &names.map).unwrap(), Likeness::Missing);
        map().save(&disk, &names).unwrap();
        let text = disk.files()[&names.map].clone();
        assert_eq!(likeness(&text), Likeness::Map);
        assert_eq!(likeness(&text[..text.len() - 9]), Likeness::Map);
        assert_eq!(likeness(&text[..BEGIN.len() - 1]), Likeness::Begun);
        assert_eq!(likeness(b""), Likeness::Begun);
        assert_eq!(likeness(&[0; 5000]), Likeness::Begun);
        assert_eq!(likeness(&vec![0; LONGEST as usize + 1]), Likeness::Foreign);
        for foreign in [b"{}".as_slice(), b"x", b"a map of my own", b"\0\0\0\x01"] {
            assert_eq!(likeness(foreign), Likeness::Foreign);
            let disk = MemoryDisk::new([(names.new_map.clone(), foreign.to_vec())]);
            let error = map().save(&disk, &names).unwrap_err();
            assert_eq!(error.jet().code(), -1814);
            assert!(error.to_string().contains("x.map.new"), "{error}");
            assert!(disk.files()[&names.new_map] == foreign && disk.files().len() == 1);
        }
    }

    /// Also one whose sum is right.
    #[test]
    fn a_map_must_make_sense() {
        let names = Names::new(Path::new("/d/x")).unwrap();
        let changes: [fn(&mut CopyMap); 4] = [
            |map| map.bad.insert(0..10),
            |map| map.finished.insert(4000..4097),
            |map| map.complete = true,
            |map| map.format.push('1'),
        ];
        for change in changes {
            let disk = MemoryDisk::default();
            let mut map = map();
            note(&mut map, 0..2048, 512..1024);
            map.save(&disk, &names).unwrap();
            assert!(CopyMap::load(&disk, &names.map).is_ok());
            change(&mut map);
            map.save(&disk, &names).unwrap();
            assert!(CopyMap::load(&disk, &names.map).is_err());
        }
    }

    #[test]
    fn a_source_is_known_by_length_and_time() {
        let id = map().source;
        let with = |path: &str, bytes, modified| SourceId {
            path: path.into(),
            bytes,
            modified,
        };
        assert!(id.is_same(&with("/other", 4096, Some(5))));
        assert!(id.is_same(&with("/s", 4096, None)));
        assert!(!id.is_same(&with("/s", 4095, Some(5))));
        assert!(!id.is_same(&with("/s", 4096, Some(6))));
    }
}
