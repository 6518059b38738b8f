//! Whether files are still as the operation left them, or as it found them.

use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3;

use super::aside;
use super::handles::ReadHandle;
use super::{SavedFile, UndoFile};
use crate::error::{Error, Result};
use crate::format::bytes::all_zero;
use crate::format::undofile::{
    RANGE_MOST, RangeEntry, UndoEntry, UndoPlan, UndoStatus, sector_hash, sectors,
};
use crate::progress::{Progress, Silent, Task};
use crate::storage::Storage;

/// A file that is neither as before the operation nor as after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The file.
    pub path: PathBuf,
    /// The first byte that is not as expected.
    pub offset: u64,
    /// How it differs.
    pub what: String,
    /// True when not even force can restore the file, because only parts of it are saved.
    pub hopeless: bool,
}

impl Conflict {
    /// As the error of a restoring that is refused.
    #[must_use]
    pub fn error(&self) -> Error {
        Error::ChangedSince {
            path: self.path.clone(),
            offset: self.offset,
            what: self.what.clone(),
        }
    }
}

/// What is still to be compared of a file.
enum Expect {
    /// Nothing: it is known to be as it should, or not to.
    Settled,
    /// Its content before the operation.
    Before,
    /// Each sector either before or after the operation.
    Either,
}

impl UndoFile<'_> {
    /// Compares every file with what is known of it and tells the first difference of each. An operation that was
    /// interrupted may have left any mixture of before and after; its files that come and go as a whole are
    /// then not looked at.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::UndoUnusable`] when the undo file is damaged.
    pub fn check(&self) -> Result<Vec<Conflict>> {
        self.check_watched(&Silent)
    }

    /// The same; `progress` hears how far it is.
    ///
    /// # Errors
    /// As [`UndoFile::check`].
    pub fn check_watched(&self, progress: &dyn Progress) -> Result<Vec<Conflict>> {
        if matches!(self.status(), UndoStatus::Unsealed | UndoStatus::Restored) {
            return Ok(Vec::new());
        }
        let mixed = self.status() == UndoStatus::Sealed;
        let mut conflicts = Vec::new();
        let mut expect = Vec::new();
        for file in self.files() {
            if let Some(aside) = &file.aside {
                conflicts.extend(aside::find(self.disk, file, aside, mixed)?.conflict);
                expect.push(Expect::Settled);
                continue;
            }
            expect.push(match self.whole(file, mixed)? {
                Ok(expect) => expect,
                Err(conflict) => {
                    conflicts.push(conflict);
                    Expect::Settled
                }
            });
        }
        let mut reader = ReadHandle::default();
        let mut buffer = Vec::new();
        progress.start(Task::bytes("comparing", self.saved_bytes()));
        self.walk(|_, entry| {
            let UndoEntry::Range(range) = entry else {
                return Ok(());
            };
            progress.advance(range.before.as_ref().map_or(0, Vec::len) as u64);
            let number = range.file as usize;
            let (Some(file), Some(expect)) = (self.files().get(number), expect.get_mut(number))
            else {
                return Ok(());
            };
            if matches!(expect, Expect::Settled) {
                return Ok(());
            }
            buffer.resize(range.len as usize, 0);
            let have = reader
                .file(self.disk, number, &file.path)?
                .read_at(range.offset, &mut buffer)
                .map_err(|error| Error::io(&file.path, "read", error))?;
            let either = matches!(expect, Expect::Either);
            if let Some(at) = differs(&range, &buffer[..have], either, mixed) {
                conflicts.push(Conflict {
                    path: file.path.clone(),
                    offset: range.offset + at as u64,
                    what: if either {
                        "neither what was there before nor what was written".into()
                    } else {
                        "not what was there before".into()
                    },
                    hopeless: false,
                });
                *expect = Expect::Settled;
            }
            Ok(())
        })?;
        progress.finish();
        Ok(conflicts)
    }

    /// Judges what can be told of a file as a whole.
    fn whole(
        &self,
        file: &SavedFile,
        mixed: bool,
    ) -> Result<std::result::Result<Expect, Conflict>> {
        let conflict = |offset, what: String, hopeless| Conflict {
            path: file.path.clone(),
            offset,
            what,
            hopeless,
        };
        let there = self.disk.exists(&file.path)?;
        Ok(match file.plan {
            UndoPlan::Change if !there => Err(conflict(0, "the file is missing".into(), true)),
            UndoPlan::Replace if !there && !mixed => {
                Err(conflict(0, "the file is missing".into(), false))
            }
            UndoPlan::Create | UndoPlan::Remove if !there => Ok(Expect::Settled),
            UndoPlan::Create | UndoPlan::Replace | UndoPlan::Remove if mixed => Ok(Expect::Settled),
            plan => {
                let open = self.disk.open(&file.path)?;
                let read = |error| Error::io(&file.path, "read", error);
                let len = open.len().map_err(read)?;
                let (least, most) = (
                    file.before_len.min(file.after_len),
                    file.before_len.max(file.after_len),
                );
                let expect = match plan {
                    UndoPlan::Change if mixed && (least..=most).contains(&len) => {
                        Some(Expect::Either)
                    }
                    UndoPlan::Change if len == least || len == most => Some(Expect::Either),
                    UndoPlan::Change => None,
                    UndoPlan::Create | UndoPlan::Replace
                        if len == file.after_len
                            && hash(open.as_ref()).map_err(read)? == file.after_hash =>
                    {
                        Some(Expect::Settled)
                    }
                    UndoPlan::Create => None,
                    UndoPlan::Replace | UndoPlan::Remove => {
                        (len == file.before_len).then_some(Expect::Before)
                    }
                    // Judged by itself.
                    UndoPlan::Aside => Some(Expect::Settled),
                };
                let what = if len == file.after_len && plan != UndoPlan::Remove {
                    "not what was written".to_owned()
                } else {
                    format!("its length is {len}")
                };
                let at = if len == file.after_len { 0 } else { len };
                expect.ok_or_else(|| conflict(at, what, false))
            }
        })
    }
}

/// xxh3-64 of all of a file.
fn hash(file: &dyn Storage) -> std::io::Result<u64> {
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; RANGE_MOST];
    let mut offset = 0;
    loop {
        let have = file.read_at(offset, &mut buffer)?;
        hasher.update(&buffer[..have]);
        offset += have as u64;
        if have < buffer.len() {
            return Ok(hasher.digest());
        }
    }
}

/// Where the bytes of a range are not as expected, from its start. Bytes missing at the end of the file are no
/// difference: its length is judged by itself. In a `mixed` state a tail to be cut off may also be
/// zero, and what lies behind the old end may be anything.
fn differs(range: &RangeEntry, now: &[u8], either: bool, mixed: bool) -> Option<usize> {
    let before = range.before.as_deref().unwrap_or_default();
    let after = range.after.as_deref().unwrap_or_default();
    let mut at = 0;
    for (number, part) in sectors(range.offset, range.len as usize).enumerate() {
        let here = now.get(at..).unwrap_or_default();
        let here = &here[..here.len().min(part)];
        let was = before.get(at..).is_some_and(|was| was.starts_with(here));
        let is = either && after.get(number) == Some(&sector_hash(here));
        let loose = mixed
            && match (range.before.is_some(), range.after.is_some()) {
                (false, _) => true,
                (true, false) => all_zero(here),
                _ => false,
            };
        if !(here.is_empty() || was || is || loose) {
            return Some(at);
        }
        at += part;
    }
    None
}
