use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{LEAST_MEMORY, Scratch, Sorted, Sorter};
use crate::storage::{Fault, Faulty, FileStorage, Memory, Storage, files_in};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A generator that gives the same numbers every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    /// Few different bytes and lengths, so that prefixes, whole keys and whole entries repeat.
    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let len = self.next(longest + 1);
        (0..len).map(|_| [0, 1, 0x7F, 0xFF][self.next(4)]).collect()
    }
}

fn scratch() -> Scratch {
    Box::new(|| Ok(Box::new(Memory::default())))
}

/// Scratch storages in memory, and how many were asked for.
fn counted() -> (Scratch, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let inner = Arc::clone(&count);
    let make = move || -> io::Result<Box<dyn Storage>> {
        inner.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Memory::default()))
    };
    (Box::new(make), count)
}

fn failing(fault: Fault) -> Scratch {
    Box::new(move || Ok(Box::new(Faulty::new(Memory::default(), vec![fault]))))
}

fn drain(mut sorted: Sorted) -> io::Result<Pairs> {
    let mut all = Vec::new();
    while let Some((key, data)) = sorted.next()? {
        all.push((key.to_vec(), data.to_vec()));
    }
    assert!(sorted.next()?.is_none(), "the end stays the end");
    assert_eq!(sorted.count(), all.len() as u64);
    Ok(all)
}

fn sort(pairs: &Pairs, memory: usize, scratch: Scratch) -> io::Result<Pairs> {
    let mut sorter = Sorter::new(memory, scratch);
    for (key, data) in pairs {
        sorter.push(key, data)?;
    }
    drain(sorter.finish()?)
}

fn random(seed: u64, count: usize, key: usize, data: usize) -> Pairs {
    let mut numbers = Numbers(seed);
    (0..count)
        .map(|_| (numbers.bytes(key), numbers.bytes(data)))
        .collect()
}

#[test]
fn equals_the_standard_sort() {
    // The storages asked for tell how many passes there were: none, one merge, several.
    for (count, storages) in [(0, 0), (1, 0), (2, 0), (500, 0), (8_000, 1), (80_000, 2)] {
        let mut pairs = random(count as u64 + 7, count, 14, 6);
        let (scratch, asked) = counted();
        let sorted = sort(&pairs, 0, scratch).unwrap();
        pairs.sort();
        assert!(sorted == pairs, "{count}");
        assert_eq!(asked.load(Ordering::SeqCst), storages, "{count}");
    }
}

#[test]
fn many_passes() {
    let mut pairs = random(3, 3_000, 20_000, 20_000);
    let (scratch, asked) = counted();
    let sorted = sort(&pairs, LEAST_MEMORY, scratch).unwrap();
    pairs.sort();
    assert!(sorted == pairs);
    assert!(asked.load(Ordering::SeqCst) >= 3);
}

#[test]
fn what_keys_have_in_common_is_skipped() {
    let mut pairs = random(5, 4_000, 12, 3);
    for (key, _) in &mut pairs {
        key.splice(0..0, *b"\x7F\x80\0\0\x02\x7Fabcdef");
    }
    // One key that is nothing but the common part.
    pairs.push((b"\x7F\x80\0\0\x02\x7Fabcdef".to_vec(), Vec::new()));
    for memory in [0, 1 << 24] {
        let sorted = sort(&pairs, memory, scratch()).unwrap();
        let mut expected = pairs.clone();
        expected.sort();
        assert!(sorted == expected, "{memory}");
    }
}

#[test]
fn huge_entries_pass_through_small_buffers() {
    let mut numbers = Numbers(11);
    let mut pairs: Pairs = (0..300)
        .map(|at| {
            let long = if at % 3 == 0 { 32 * 1024 } else { 40 };
            (numbers.bytes(long), numbers.bytes(long))
        })
        .collect();
    pairs.push((vec![5; 1 << 20], vec![6; 1 << 20]));
    let sorted = sort(&pairs, 0, scratch()).unwrap();
    pairs.sort();
    assert!(sorted == pairs);
}

#[test]
fn scratch_files_serve() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let make = move || -> io::Result<Box<dyn Storage>> {
        let file = FileStorage::scratch(&path).map_err(io::Error::other)?;
        Ok(Box::new(file))
    };
    let mut pairs = random(17, 20_000, 30, 8);
    let sorted = sort(&pairs, 0, Box::new(make)).unwrap();
    pairs.sort();
    assert!(sorted == pairs);
    assert!(files_in(dir.path()).is_empty(), "they have no names");
}

#[test]
fn failures_of_the_scratch_are_errors() {
    let pairs = random(23, 80_000, 14, 6);
    let kind = |scratch| sort(&pairs, 0, scratch).unwrap_err().kind();
    let none: Scratch = Box::new(|| Err(io::ErrorKind::PermissionDenied.into()));
    assert_eq!(kind(none), io::ErrorKind::PermissionDenied);
    assert_eq!(
        kind(failing(Fault::Full(100_000))),
        io::ErrorKind::StorageFull
    );
    assert_eq!(kind(failing(Fault::StopAtWrite(30))), io::ErrorKind::Other);
    for at in [0, 3, 100_000, 700_000] {
        assert_eq!(
            kind(failing(Fault::EndsAt(at))),
            io::ErrorKind::UnexpectedEof
        );
    }
    let sector = Fault::BadRange {
        offset: 300_000,
        len: 512,
    };
    assert_eq!(kind(failing(sector)), io::ErrorKind::Other);
}

/// A storage that gives back other bytes than it was given.
struct Liar(Memory, u8);

impl Storage for Liar {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read_at(offset, buffer)?;
        buffer[..count].fill(self.1);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn lengths_that_cannot_be_are_errors() {
    let pairs = random(29, 80_000, 14, 6);
    for byte in [0xFF, 1] {
        let make =
            move || -> io::Result<Box<dyn Storage>> { Ok(Box::new(Liar(Memory::default(), byte))) };
        let error = sort(&pairs, 0, Box::new(make)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{byte}");
    }
}

#[test]
fn memory_is_bounded() {
    let mut sorter = Sorter::new(1 << 20, scratch());
    let mut numbers = Numbers(31);
    for _ in 0..100_000 {
        let key = numbers.bytes(40);
        sorter.push(&key, b"data").unwrap();
        assert!(sorter.arena.bytes() <= 1 << 20);
    }
    assert!(sorter.runs.len() > 3);
    // And well used.
    assert!(sorter.runs.len() < 16, "{}", sorter.runs.len());
}
