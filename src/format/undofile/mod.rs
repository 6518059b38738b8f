//! The undo file: what a mutating command saves before it changes anything. A format of our own, all
//! numbers little-endian; `docs/undo.md` describes it for people.
//!
//! ```text
//! 0      header slot A, 512 bytes      4096   header slot B, 512 bytes
//! 8192   entries, one behind the other, the last one of kind `End`
//! ```
//!
//! The two slots are written in turn, the one with the higher sequence number counts; so a write
//! that tears the one leaves the other. Each entry carries a checksum seeded with the identity of the
//! file and its own position: an entry of another file, or of another place, is not taken for good.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::bytes::{all_zero, slice, u16_at, u32_at, u64_at};

mod aside;

pub use aside::{AsideEntry, START_BYTES, start_hash};

/// How every slot starts.
pub const UNDO_MAGIC: &[u8; 12] = b"exutil undo\n";
/// The version of the format that is written and read.
pub const UNDO_VERSION: u32 = 1;
/// Where the two header slots are.
pub const SLOTS: [u64; 2] = [0, 4096];
/// Bytes of a slot: one sector, which a disk writes whole or not at all.
pub const SLOT_BYTES: usize = 512;
/// Where the first entry is.
pub const ENTRIES_AT: u64 = 8192;
/// Bytes before the body of an entry.
pub const HEAD_BYTES: usize = 40;
/// The most bytes of a file that one entry speaks of.
pub const RANGE_MOST: usize = 1 << 20;
/// The most bytes that the body of an entry may have: a full range with a hash for each of its sectors.
pub const BODY_MOST: usize = RANGE_MOST + (RANGE_MOST / SECTOR + 2) * 4;
/// What a disk writes whole or not at all; after-images are remembered as one hash for each.
pub const SECTOR: usize = 512;
/// The most bytes of the description of an operation that the header holds.
pub const OPERATION_MOST: usize = 256;

/// True when a file that begins so has a header slot of an undo file, sound or not. Either is enough; `start` should hold the
/// bytes before [`ENTRIES_AT`].
#[must_use]
pub fn has_header(start: &[u8]) -> bool {
    let slots = SLOTS.iter().map(|at| start.get(*at as usize..));
    slots.flatten().any(|slot| slot.starts_with(UNDO_MAGIC))
}

/// How far the operation, or its undoing, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UndoStatus {
    /// Still being written: the originals are untouched.
    Unsealed,
    /// All is saved, the originals are being changed, or being restored.
    Sealed,
    /// The operation has finished.
    Complete,
    /// The originals are as they were before.
    Restored,
}

impl UndoStatus {
    const ALL: [Self; 4] = [Self::Unsealed, Self::Sealed, Self::Complete, Self::Restored];
}

/// A header slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoHeader {
    /// Which of two slots is the newer.
    pub sequence: u32,
    /// How far things are.
    pub status: UndoStatus,
    /// Seed of the entries' checksums: different for every undo file.
    pub identity: u64,
    /// When the file was created, as FILETIME (UTC).
    pub created: u64,
    /// Where the entries end; 0 until sealed.
    pub end: u64,
    /// What the operation was, for people: `r E00`.
    pub operation: String,
}

// Offsets within a slot.
const VERSION: usize = 12;
const SEQUENCE: usize = 16;
const STATUS: usize = 20;
const IDENTITY: usize = 24;
const CREATED: usize = 32;
const END: usize = 40;
const OPERATION_LEN: usize = 48;
const OPERATION: usize = 50;
const SLOT_SUM: usize = SLOT_BYTES - 8;

/// What the bytes of a slot turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// Never written.
    Empty,
    /// Sound.
    Good(UndoHeader),
    /// Sound, but of a version that is not known here.
    Version(u32),
    /// Damaged.
    Bad,
}

impl UndoHeader {
    /// The bytes of a slot.
    #[must_use]
    pub fn bytes(&self) -> [u8; SLOT_BYTES] {
        let mut slot = [0; SLOT_BYTES];
        let mut put = |at: usize, bytes: &[u8]| slot[at..at + bytes.len()].copy_from_slice(bytes);
        let status = UndoStatus::ALL.iter().position(|one| *one == self.status);
        let operation = clipped(&self.operation);
        put(0, UNDO_MAGIC);
        put(VERSION, &UNDO_VERSION.to_le_bytes());
        put(SEQUENCE, &self.sequence.to_le_bytes());
        put(STATUS, &(status.unwrap_or_default() as u32).to_le_bytes());
        put(IDENTITY, &self.identity.to_le_bytes());
        put(CREATED, &self.created.to_le_bytes());
        put(END, &self.end.to_le_bytes());
        put(OPERATION_LEN, &(operation.len() as u16).to_le_bytes());
        put(OPERATION, operation.as_bytes());
        let sum = xxh3_64(&slot[..SLOT_SUM]);
        slot[SLOT_SUM..].copy_from_slice(&sum.to_le_bytes());
        slot
    }

    /// Judges the bytes of a slot.
    #[must_use]
    pub fn parse(slot: &[u8]) -> Slot {
        if all_zero(slot) {
            return Slot::Empty;
        }
        let whole = slot.len() == SLOT_BYTES && slot.starts_with(UNDO_MAGIC);
        if !whole || u64_at(slot, SLOT_SUM) != Some(xxh3_64(&slot[..SLOT_SUM])) {
            return Slot::Bad;
        }
        match u32_at(slot, VERSION) {
            Some(UNDO_VERSION) => Self::fields(slot).map_or(Slot::Bad, Slot::Good),
            version => Slot::Version(version.unwrap_or_default()),
        }
    }

    fn fields(slot: &[u8]) -> Option<Self> {
        let len = usize::from(u16_at(slot, OPERATION_LEN)?);
        if len > OPERATION_MOST {
            return None;
        }
        let operation = slice(slot, OPERATION, len, "operation").ok()?;
        Some(Self {
            sequence: u32_at(slot, SEQUENCE)?,
            status: *UndoStatus::ALL.get(u32_at(slot, STATUS)? as usize)?,
            identity: u64_at(slot, IDENTITY)?,
            created: u64_at(slot, CREATED)?,
            end: u64_at(slot, END)?,
            operation: String::from_utf8(operation.to_vec()).ok()?,
        })
    }
}

/// As much of `operation` as the header holds.
fn clipped(operation: &str) -> &str {
    let mut len = operation.len().min(OPERATION_MOST);
    while !operation.is_char_boundary(len) {
        len -= 1;
    }
    &operation[..len]
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UndoPlan {
    /// Some of its bytes, or its length, change.
    Change,
    /// It does not exist before.
    Create,
    /// All of its content is replaced.
    Replace,
    /// It does not exist afterwards.
    Remove,
    /// It is kept under another name, and a new file takes its name.
    Aside,
}

impl UndoPlan {
    const ALL: [Self; 5] = [
        Self::Change,
        Self::Create,
        Self::Replace,
        Self::Remove,
        Self::Aside,
    ];
}

/// A file that the operation touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// What becomes of it.
    pub plan: UndoPlan,
    /// Its length before, in bytes.
    pub before_len: u64,
    /// Its length afterwards; of a changed file that of the `Length` entry counts, if there is one.
    pub after_len: u64,
    /// xxh3-64 of all of its content afterwards, where it is created or replaced; [`start_hash`] of the new file, where
    /// it is put aside.
    pub after_hash: u64,
    /// Its absolute path, in the system's bytes.
    pub absolute: Vec<u8>,
    /// Its path from the folder of the undo file on, empty when it lies elsewhere.
    pub relative: Vec<u8>,
    /// What more is known of a file that is put aside; there with [`UndoPlan::Aside`], and only with it.
    pub aside: Option<AsideEntry>,
}

/// A range of a file that is overwritten or cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeEntry {
    /// Number of its file, in the order of the `File` entries.
    pub file: u32,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: u32,
    /// A hash for each sector of the range as it will be ([`sector_hash`]); none where it is cut off, or
    /// where the file is replaced or removed.
    pub after: Option<Vec<u32>>,
    /// The range as it was; none behind the end of the file.
    pub before: Option<Vec<u8>>,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoEntry {
    /// A file, numbered in order from 0.
    File(FileEntry),
    /// A range of a file.
    Range(RangeEntry),
    /// The length that a changed file will have.
    Length {
        /// Number of the file.
        file: u32,
        /// In bytes.
        len: u64,
    },
    /// Nothing follows.
    End {
        /// Entries before this one.
        entries: u64,
    },
}

const KIND_FILE: u32 = 1;
const KIND_RANGE: u32 = 2;
const KIND_LENGTH: u32 = 3;
const KIND_END: u32 = 4;
const HAS_AFTER: u32 = 1;
const HAS_BEFORE: u32 = 2;

// Offsets within the head of an entry.
const HEAD_KIND: usize = 0;
const HEAD_FILE: usize = 4;
const HEAD_A: usize = 8;
const HEAD_B: usize = 16;
const HEAD_BODY: usize = 24;
const HEAD_FLAGS: usize = 28;
const HEAD_SUM: usize = 32;

/// The hash of a sector's after-image, or of the part of it that lies in a range.
#[must_use]
pub fn sector_hash(bytes: &[u8]) -> u32 {
    // Half of it is enough to tell a changed file from one that is as it was left.
    xxh3_64(bytes) as u32
}

/// The lengths of the parts into which the borders of sectors cut a range.
pub fn sectors(offset: u64, len: usize) -> impl Iterator<Item = usize> {
    let first = (SECTOR - (offset % SECTOR as u64) as usize).min(len);
    let mut left = len;
    let mut next = first;
    std::iter::from_fn(move || {
        let part = next.min(left);
        left -= part;
        next = SECTOR;
        (part > 0).then_some(part)
    })
}

/// Puts an entry that will lie at `position` behind the bytes of `out`.
pub fn write_entry(out: &mut Vec<u8>, identity: u64, position: u64, entry: &UndoEntry) {
    match entry {
        UndoEntry::File(file) => {
            let plan = UndoPlan::ALL.iter().position(|one| *one == file.plan);
            let numbers = [file.before_len, file.after_len];
            let body = |out: &mut Vec<u8>| {
                out.extend(file.after_hash.to_le_bytes());
                for path in [&file.absolute, &file.relative] {
                    out.extend((path.len() as u32).to_le_bytes());
                    out.extend(path);
                }
                if let Some(aside) = &file.aside {
                    aside.write(out);
                }
            };
            let flags = plan.unwrap_or_default() as u32;
            put(
                out,
                (identity, position),
                [KIND_FILE, 0, flags],
                numbers,
                body,
            );
        }
        UndoEntry::Range(range) => {
            let flags = u32::from(range.after.is_some()) * HAS_AFTER
                + u32::from(range.before.is_some()) * HAS_BEFORE;
            let head = [KIND_RANGE, range.file, flags];
            let numbers = [range.offset, range.len.into()];
            put(out, (identity, position), head, numbers, |out| {
                for hash in range.after.iter().flatten() {
                    out.extend(hash.to_le_bytes());
                }
                out.extend(range.before.iter().flatten());
            });
        }
        UndoEntry::Length { file, len } => {
            let head = [KIND_LENGTH, *file, 0];
            put(out, (identity, position), head, [*len, 0], |_| ());
        }
        UndoEntry::End { entries } => {
            let head = [KIND_END, 0, 0];
            put(out, (identity, position), head, [*entries, 0], |_| ());
        }
    }
}

/// Head, body, and then what depends on both: length and checksum.
fn put(
    out: &mut Vec<u8>,
    (identity, position): (u64, u64),
    [kind, file, flags]: [u32; 3],
    [a, b]: [u64; 2],
    body: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.resize(start + HEAD_BYTES, 0);
    body(out);
    let body_len = (out.len() - start - HEAD_BYTES) as u32;
    let entry = &mut out[start..];
    let mut set = |at: usize, bytes: &[u8]| entry[at..at + bytes.len()].copy_from_slice(bytes);
    set(HEAD_KIND, &kind.to_le_bytes());
    set(HEAD_FILE, &file.to_le_bytes());
    set(HEAD_A, &a.to_le_bytes());
    set(HEAD_B, &b.to_le_bytes());
    set(HEAD_BODY, &body_len.to_le_bytes());
    set(HEAD_FLAGS, &flags.to_le_bytes());
    let sum = entry_sum(identity, position, &entry[..HEAD_SUM], &entry[HEAD_BYTES..]);
    entry[HEAD_SUM..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
}

fn entry_sum(identity: u64, position: u64, head: &[u8], body: &[u8]) -> u64 {
    let mut hasher = Xxh3::with_seed(identity.wrapping_add(position));
    hasher.update(head);
    hasher.update(body);
    hasher.digest()
}

/// How long the body behind this head says it is; `None` for more than a body may have.
#[must_use]
pub fn body_len(head: &[u8; HEAD_BYTES]) -> Option<usize> {
    let len = u32_at(head, HEAD_BODY)? as usize;
    (len <= BODY_MOST).then_some(len)
}

/// The entry of this head and body, which lie at `position`; `None` when it is damaged.
#[must_use]
pub fn read_entry(
    identity: u64,
    position: u64,
    head: &[u8; HEAD_BYTES],
    body: &[u8],
) -> Option<UndoEntry> {
    let sum = entry_sum(identity, position, &head[..HEAD_SUM], body);
    if u64_at(head, HEAD_SUM)? != sum {
        return None;
    }
    let (a, b) = (u64_at(head, HEAD_A)?, u64_at(head, HEAD_B)?);
    let (file, flags) = (u32_at(head, HEAD_FILE)?, u32_at(head, HEAD_FLAGS)?);
    match u32_at(head, HEAD_KIND)? {
        KIND_FILE => {
            let after_hash = u64_at(body, 0)?;
            let (absolute, rest) = path_at(body.get(8..)?)?;
            let (relative, rest) = path_at(rest)?;
            let plan = *UndoPlan::ALL.get(flags as usize)?;
            let (aside, rest) = if plan == UndoPlan::Aside {
                AsideEntry::read(rest).map(|(aside, rest)| (Some(aside), rest))?
            } else {
                (None, rest)
            };
            let file = FileEntry {
                plan,
                before_len: a,
                after_len: b,
                after_hash,
                absolute,
                relative,
                aside,
            };
            rest.is_empty().then_some(UndoEntry::File(file))
        }
        KIND_RANGE => {
            let len = usize::try_from(b).ok().filter(|len| *len <= RANGE_MOST)?;
            a.checked_add(b)?;
            let hashes = if flags & HAS_AFTER == 0 {
                0
            } else {
                sectors(a, len).count()
            };
            let (after, before) = body.split_at_checked(hashes * 4)?;
            let has_before = flags & HAS_BEFORE != 0;
            if before.len() != if has_before { len } else { 0 } {
                return None;
            }
            let hash = |bytes: &[u8]| u32_at(bytes, 0).unwrap_or_default();
            Some(UndoEntry::Range(RangeEntry {
                file,
                offset: a,
                len: len as u32,
                after: (flags & HAS_AFTER != 0).then(|| after.chunks_exact(4).map(hash).collect()),
                before: has_before.then(|| before.to_vec()),
            }))
        }
        KIND_LENGTH => Some(UndoEntry::Length { file, len: a }),
        KIND_END => Some(UndoEntry::End { entries: a }),
        _ => None,
    }
}

/// A path behind its length, and the bytes behind it.
fn path_at(body: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let len = u32_at(body, 0)? as usize;
    let (path, rest) = body.get(4..)?.split_at_checked(len)?;
    Some((path.to_vec(), rest))
}

#[cfg(test)]
mod tests;
