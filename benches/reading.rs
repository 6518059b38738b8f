//! Positioned reads against a memory map, over a file in the page cache: why the storage reads.
//!
//!
//! `EXUTIL_BENCH_FILE` names the file; without it a temporary file of 256 MiB is made.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use divan::{Bencher, counter::BytesCount};
use exutil::format::checksum::xor32;
use exutil::storage::{FileStorage, Storage as _};

fn main() {
    divan::main();
}

struct Input {
    path: std::path::PathBuf,
    len: usize,
    _made: Option<tempfile::NamedTempFile>,
}

fn input() -> Input {
    if let Some(path) = std::env::var_os("EXUTIL_BENCH_FILE") {
        let path = std::path::PathBuf::from(path);
        let len = std::fs::metadata(&path).unwrap().len() as usize;
        return Input {
            path,
            len,
            _made: None,
        };
    }
    let mut made = tempfile::NamedTempFile::new().unwrap();
    let chunk: Vec<u8> = (0..1u32 << 20).map(|at| ((at * 31) >> 3) as u8).collect();
    for _ in 0..256 {
        made.write_all(&chunk).unwrap();
    }
    Input {
        path: made.path().to_owned(),
        len: 256 << 20,
        _made: Some(made),
    }
}

/// Each thread takes the next chunk until all are done.
fn in_parallel(threads: usize, len: usize, chunk: usize, work: impl Fn(usize, usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(chunk, Ordering::Relaxed);
                    if at >= len {
                        break;
                    }
                    work(at, chunk.min(len - at));
                }
            });
        }
    });
}

#[divan::bench(args = [64, 256, 1024], consts = [1, 2], sample_count = 10, sample_size = 1)]
fn positioned_reads<const THREADS: usize>(bencher: Bencher, kib: usize) {
    let input = input();
    let file = FileStorage::open(&input.path).unwrap();
    bencher.counter(BytesCount::new(input.len)).bench(|| {
        thread_local! { static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) }; }
        in_parallel(THREADS, input.len, kib << 10, |at, len| {
            BUFFER.with_borrow_mut(|buffer| {
                buffer.resize(len, 0);
                file.read_exact_at(at as u64, buffer).unwrap();
                divan::black_box(xor32(buffer));
            });
        });
    });
}

#[divan::bench(args = [64, 256, 1024], consts = [1, 2], sample_count = 10, sample_size = 1)]
fn memory_map<const THREADS: usize>(bencher: Bencher, kib: usize) {
    let input = input();
    let file = File::open(&input.path).unwrap();
    bencher.counter(BytesCount::new(input.len)).bench(|| {
        // SAFETY: the file is this benchmark's own and nobody cuts it while it is mapped.
        let map = unsafe { memmap2::Mmap::map(&file) }.unwrap();
        in_parallel(THREADS, input.len, kib << 10, |at, len| {
            divan::black_box(xor32(&map[at..at + len]));
        });
    });
}
