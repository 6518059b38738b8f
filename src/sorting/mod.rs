//! Entries of keys and data put into order in bounded memory: what does not fit is sorted in parts (runs), which lie on
//! a scratch file until they are merged.
//!
//! Memory: what the caller grants, 64 KiB at least, and beyond it a few entries of the largest size. It is shared between
//! the entries (their bytes, 8 bytes for their lengths, 16 for their places) and one buffer for writing; once merging, between
//! the buffers of the runs. Scratch space: the bytes of all entries and 8 for each, twice that while
//! more runs are there than buffers. Scratch data are our own, but are believed no more than others: what is read there and cannot
//! be is an error.

mod arena;
mod merge;
mod run;

use std::io;

use crate::storage::Storage;

use arena::{Arena, Place};
use merge::Merge;
use run::{Run, RunWriter};

/// Makes an empty scratch storage.
pub type Scratch = Box<dyn Fn() -> io::Result<Box<dyn Storage>>>;

/// Less memory than this is taken as this, in bytes.
pub const LEAST_MEMORY: usize = 64 * 1024;

/// Bytes before an entry's key, in memory and on scratch: the lengths of key and data, 4 bytes each.
const HEAD: usize = 8;

/// Takes entries in any order.
///
/// ```
/// use exutil::sorting::Sorter;
/// use exutil::storage::Memory;
/// let mut sorter = Sorter::new(1 << 20, Box::new(|| Ok(Box::new(Memory::default()))));
/// sorter.push(b"b", b"1")?;
/// sorter.push(b"a", b"2")?;
/// let mut sorted = sorter.finish()?;
/// assert_eq!(sorted.next()?, Some((&b"a"[..], &b"2"[..])));
/// assert_eq!(sorted.next()?, Some((&b"b"[..], &b"1"[..])));
/// assert_eq!(sorted.next()?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Sorter {
    memory: usize,
    scratch: Scratch,
    arena: Arena,
    /// The scratch storage of the runs, once there is one.
    spilled: Option<Box<dyn Storage>>,
    runs: Vec<Run>,
    count: u64,
}

impl Sorter {
    /// An empty one, with the memory that it may use in bytes, and where the rest goes.
    #[must_use]
    pub fn new(memory_bytes: usize, scratch: Scratch) -> Self {
        let memory = memory_bytes.max(LEAST_MEMORY);
        Self {
            memory,
            scratch,
            arena: Arena::new(memory - write_buffer(memory)),
            spilled: None,
            runs: Vec::new(),
            count: 0,
        }
    }

    /// Adds an entry; equal ones are kept each.
    ///
    /// # Errors
    /// What the scratch storage says; `InvalidInput` for a key or data of 4 GiB. After an error the sorter is of no use.
    pub fn push(&mut self, key: &[u8], data: &[u8]) -> io::Result<()> {
        let (key_len, data_len) = (len_of(key)?, len_of(data)?);
        if !self.arena.has_room(key.len() + data.len()) {
            self.spill()?;
        }
        self.arena.push((key, key_len), (data, data_len));
        self.count += 1;
        Ok(())
    }

    /// Ends the input.
    ///
    /// # Errors
    /// What the scratch storage says.
    pub fn finish(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            let order = self.arena.sort();
            return Ok(Sorted {
                count: self.count,
                from: From::Memory {
                    arena: self.arena,
                    order,
                    at: 0,
                },
            });
        }
        self.spill()?;
        drop(self.arena);
        let storage = self
            .spilled
            .ok_or_else(|| io::Error::other("no scratch storage"))?;
        let merge = merge::prepare(storage, self.runs, self.memory, &self.scratch)?;
        Ok(Sorted {
            count: self.count,
            from: From::Merge(merge),
        })
    }

    /// Writes what is in memory as one run.
    fn spill(&mut self) -> io::Result<()> {
        if self.arena.is_empty() {
            return Ok(());
        }
        let storage = match &mut self.spilled {
            Some(storage) => storage,
            none => none.insert((self.scratch)()?),
        };
        let order = self.arena.sort();
        let start = self.runs.last().map_or(0, |run| run.end);
        let mut out = RunWriter::new(storage.as_ref(), start, write_buffer(self.memory));
        for place in &order {
            out.put(self.arena.entry(*place))?;
        }
        self.runs.push(out.finish()?);
        self.arena.clear(order);
        Ok(())
    }
}

/// Bytes of the buffer that runs are written with.
const fn write_buffer(memory: usize) -> usize {
    const MOST: usize = 1 << 20;
    let share = memory / 16;
    if share < MOST { share } else { MOST }
}

fn len_of(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Gives entries back in ascending order of their keys, those of equal keys by their data.
pub struct Sorted {
    count: u64,
    from: From,
}

enum From {
    Memory {
        arena: Arena,
        order: Vec<Place>,
        at: usize,
    },
    Merge(Merge),
}

impl Sorted {
    /// How many entries there are in all.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The next key and its data; `None` behind the last one.
    ///
    /// # Errors
    /// What the scratch storage says; `UnexpectedEof` or `InvalidData` when it does not hold what was written.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot lend what it keeps"
    )]
    pub fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        match &mut self.from {
            From::Memory { arena, order, at } => {
                let place = order.get(*at).copied();
                *at += 1;
                Ok(place.map(|place| {
                    let entry = arena.entry(place);
                    (entry.key(), entry.data())
                }))
            }
            From::Merge(merge) => Ok(merge.next()?.map(|entry| (entry.key(), entry.data()))),
        }
    }
}

/// An entry as it lies in memory and on scratch: length of the key, length of the data, key, data.
#[derive(Debug, Clone, Copy)]
struct Entry<'e> {
    /// All of it.
    bytes: &'e [u8],
    key_len: usize,
}

impl<'e> Entry<'e> {
    /// The lengths in a head; `None` when there are too few bytes for one.
    fn lens(bytes: &[u8]) -> Option<(usize, usize)> {
        let (key, rest) = bytes.split_first_chunk::<4>()?;
        let (data, _) = rest.split_first_chunk::<4>()?;
        let len = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
        Some((len(key), len(data)))
    }

    fn key(&self) -> &'e [u8] {
        &self.bytes[HEAD..][..self.key_len]
    }

    fn data(&self) -> &'e [u8] {
        &self.bytes[HEAD + self.key_len..]
    }

    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key()
            .cmp(other.key())
            .then_with(|| self.data().cmp(other.data()))
    }
}

/// Eight bytes of a key from `skip` on, as a number that sorts as they do; a shorter key is as if zeros followed, so that equal
/// numbers say nothing.
fn prefix(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(bytes)
        }
    }
}

#[cfg(test)]
mod tests;
