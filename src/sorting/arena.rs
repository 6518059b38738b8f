//! Entries in memory: their bytes in chunks that never move, their places in one array, which is what is sorted.

use rayon::slice::ParallelSliceMut as _;

use super::{Entry, HEAD, prefix};

/// Largest and smallest chunk in bytes; one entry that is larger has a chunk of its own.
const CHUNK_MOST: usize = 4 << 20;
const CHUNK_LEAST: usize = 4 << 10;

/// Where an entry lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// While sorting: eight bytes of the key behind what all keys have in common.
    prefix: u64,
    chunk: u32,
    offset: u32,
}

/// The bytes of entries.
pub(super) struct Arena {
    room: usize,
    chunk_size: usize,
    chunks: Vec<Vec<u8>>,
    /// The chunk that is being filled.
    current: usize,
    /// Bytes of all chunks.
    taken: usize,
    places: Vec<Place>,
    /// Bytes that the keys of all entries begin with.
    common: usize,
}

impl Arena {
    /// Takes about `room` bytes, places included.
    pub fn new(room: usize) -> Self {
        Self {
            room,
            chunk_size: (room / 16).clamp(CHUNK_LEAST, CHUNK_MOST),
            chunks: Vec::new(),
            current: 0,
            taken: 0,
            places: Vec::new(),
            common: usize::MAX,
        }
    }

    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// True when an entry with so many bytes of key and data can be taken; the first one always can.
    pub fn has_room(&self, bytes: usize) -> bool {
        if self.places.is_empty() {
            return true;
        }
        let places = self.places.capacity();
        let growth = if self.places.len() < places {
            places
        } else {
            // While the array moves, the old one and one of twice its size are there.
            places * 3
        };
        let chunk =
            if self.fits(self.current, HEAD + bytes) || self.fits(self.current + 1, HEAD + bytes) {
                0
            } else {
                self.chunk_size.max(HEAD + bytes)
            };
        self.taken + chunk + growth * size_of::<Place>() <= self.room
    }

    fn fits(&self, chunk: usize, bytes: usize) -> bool {
        self.chunks
            .get(chunk)
            .is_some_and(|chunk| chunk.capacity() - chunk.len() >= bytes)
    }

    /// Takes an entry; keys and data come with their lengths.
    pub fn push(&mut self, (key, key_len): (&[u8], u32), (data, data_len): (&[u8], u32)) {
        let bytes = HEAD + key.len() + data.len();
        if !self.fits(self.current, bytes) {
            self.next_chunk(bytes);
        }
        if self.common > 0 {
            self.common = match self.places.first() {
                None => key.len(),
                Some(first) => common(self.entry(*first).key(), key).min(self.common),
            };
        }
        let chunk = &mut self.chunks[self.current];
        self.places.push(Place {
            prefix: 0,
            chunk: self.current as u32,
            offset: chunk.len() as u32,
        });
        chunk.extend_from_slice(&key_len.to_le_bytes());
        chunk.extend_from_slice(&data_len.to_le_bytes());
        chunk.extend_from_slice(key);
        chunk.extend_from_slice(data);
    }

    fn next_chunk(&mut self, bytes: usize) {
        if self.fits(self.current + 1, bytes) {
            self.current += 1;
            return;
        }
        let size = self.chunk_size.max(bytes);
        self.taken += size;
        let at = if self.chunks.is_empty() {
            0
        } else {
            self.current + 1
        };
        self.chunks.insert(at, Vec::with_capacity(size));
        self.current = at;
    }

    /// The entry at a place that this arena gave.
    pub fn entry(&self, place: Place) -> Entry<'_> {
        let rest = &self.chunks[place.chunk as usize][place.offset as usize..];
        let (key_len, data_len) = Entry::lens(rest).unwrap_or_default();
        Entry {
            bytes: &rest[..HEAD + key_len + data_len],
            key_len,
        }
    }

    /// Takes out the places of all entries in order.
    pub fn sort(&mut self) -> Vec<Place> {
        let mut places = std::mem::take(&mut self.places);
        let skip = self.common;
        for place in &mut places {
            place.prefix = prefix(self.entry(*place).key(), skip);
        }
        let arena = &*self;
        places.par_sort_unstable_by(|a, b| {
            a.prefix
                .cmp(&b.prefix)
                .then_with(|| arena.entry(*a).cmp(&arena.entry(*b)))
        });
        places
    }

    /// Bytes of memory that it takes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(Vec::capacity).sum();
        chunks + self.places.capacity() * size_of::<Place>()
    }

    /// Forgets all entries, and keeps the memory of the usual size.
    pub fn clear(&mut self, mut places: Vec<Place>) {
        places.clear();
        self.places = places;
        self.common = usize::MAX;
        self.chunks
            .retain(|chunk| chunk.capacity() <= self.chunk_size);
        self.chunks.iter_mut().for_each(Vec::clear);
        self.taken = self.chunks.iter().map(Vec::capacity).sum();
        self.current = 0;
    }
}

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
