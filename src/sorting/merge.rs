//! Runs merged into one sequence: a heap of readers; in several passes where there are more runs than buffers.

use std::cmp::Ordering;
use std::io;

use super::run::{Run, RunReader, RunWriter};
use super::{Entry, Scratch, write_buffer};
use crate::storage::Storage;

/// A reader's buffer is this large where there is memory for it, and no larger than the second; in bytes.
const BUFFER: usize = 256 << 10;
const BUFFER_MOST: usize = 1 << 20;
/// And this small where there is little.
const BUFFER_LEAST: usize = 4 << 10;
/// Runs that are merged at once, whatever memory there is: beyond, reads become small and scattered.
const RUNS_MOST: usize = 512;

/// Size of a reader's buffer when memory is short, and how many of them there may be.
fn buffers(memory: usize) -> (usize, usize) {
    let size = (memory / 16).clamp(BUFFER_LEAST, BUFFER);
    let room = memory.saturating_sub(write_buffer(memory));
    (size, (room / size).clamp(2, RUNS_MOST))
}

/// Merges passes until the runs that are left have a buffer each.
pub(super) fn prepare(
    mut storage: Box<dyn Storage>,
    mut runs: Vec<Run>,
    memory: usize,
    scratch: &Scratch,
) -> io::Result<Merge> {
    let (size, most) = buffers(memory);
    while runs.len() > most {
        let next = scratch()?;
        let mut merged = Vec::with_capacity(runs.len().div_ceil(most));
        let mut at = 0;
        for group in runs.chunks(most) {
            let mut out = RunWriter::new(next.as_ref(), at, write_buffer(memory));
            let mut heap = Heap::new(storage.as_ref(), group, size)?;
            while let Some(entry) = heap.next(storage.as_ref())? {
                out.put(entry)?;
            }
            let run = out.finish()?;
            at = run.end;
            merged.push(run);
        }
        (storage, runs) = (next, merged);
    }
    let size = (memory / (runs.len() + 1)).clamp(size, BUFFER_MOST);
    let heap = Heap::new(storage.as_ref(), &runs, size)?;
    Ok(Merge { storage, heap })
}

/// The last merge, whose output is what the caller takes.
pub(super) struct Merge {
    storage: Box<dyn Storage>,
    heap: Heap,
}

impl Merge {
    pub fn next(&mut self) -> io::Result<Option<Entry<'_>>> {
        self.heap.next(self.storage.as_ref())
    }
}

/// Readers in a binary heap, the one with the least entry on top.
struct Heap {
    readers: Vec<RunReader>,
    /// Numbers of the readers that have an entry, as a heap.
    heap: Vec<usize>,
    /// The entry on top was given out.
    given: bool,
}

impl Heap {
    fn new(storage: &dyn Storage, runs: &[Run], size: usize) -> io::Result<Self> {
        let mut readers: Vec<_> = runs.iter().map(|run| RunReader::new(*run, size)).collect();
        let mut heap = Vec::with_capacity(runs.len());
        for (number, reader) in readers.iter_mut().enumerate() {
            if reader.advance(storage)? {
                heap.push(number);
            }
        }
        let mut made = Self {
            readers,
            heap,
            given: false,
        };
        for at in (0..made.heap.len() / 2).rev() {
            made.sink(at);
        }
        Ok(made)
    }

    fn next(&mut self, storage: &dyn Storage) -> io::Result<Option<Entry<'_>>> {
        if std::mem::take(&mut self.given)
            && let Some(top) = self.heap.first().copied()
        {
            if !self.readers[top].advance(storage)? {
                self.heap.swap_remove(0);
            }
            self.sink(0);
        }
        let Some(top) = self.heap.first().copied() else {
            return Ok(None);
        };
        self.given = true;
        Ok(Some(self.readers[top].entry()))
    }

    fn less(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.readers[self.heap[a]], &self.readers[self.heap[b]]);
        match a.prefix.cmp(&b.prefix) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => a.entry().cmp(&b.entry()).is_lt(),
        }
    }

    /// Lets the reader at this place of the heap sink to where it belongs.
    fn sink(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.less(child, least) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}
