//! A reader of new-format logs that is no part of the library: the writer is not to be proved by its own
//! kin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes of a segment.
pub const SEGMENT: usize = 4096;

/// A record, put together from its pieces: generation, segment, `ib`, bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub at: (u32, u16, u16),
    pub bytes: Vec<u8>,
}

pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Fixed length of a record type, and where its 16-bit lengths are.
fn layout(kind: u8) -> Option<(usize, &'static [usize])> {
    Some(match kind {
        0 | 17 | 23 => (1, &[]),
        2 | 18 | 99 => (18, &[]),
        5 | 6 | 7 | 79 => (4, &[]),
        8 | 9 | 53 => (8, &[]),
        10 => (7, &[]),
        11..=13 => (11, &[]),
        15 => (75, &[72]),
        16 => (7, &[4]),
        22 | 46 | 61 => (5, &[3]),
        24 => (56, &[]),
        25 => (48, &[]),
        26 => (60, &[]),
        29 => (50, &[44, 46, 48]),
        30 => (48, &[44, 46]),
        31 => (52, &[44, 46]),
        32 | 35 => (44, &[]),
        36 => (56, &[44, 46, 54]),
        37 => (54, &[44, 46]),
        38 | 48 => (46, &[44]),
        39 => (51, &[44, 46]),
        49 => (576, &[]),
        50 | 52 | 80 => (26, &[]),
        51 => (9, &[]),
        45 | 59 => (3, &[1]),
        57 => (3, &[]),
        58 => (68, &[]),
        60 => (35, &[33]),
        64 => (54, &[52]),
        66 => (46, &[]),
        78 | 81 | 94 => (10, &[]),
        92 => (14, &[]),
        93 => (58, &[44, 46]),
        95 => (20, &[]),
        96 => (16, &[]),
        97 => (2, &[]),
        98 => (27, &[]),
        100 => (11, &[]),
        101 => (19, &[]),
        76 => (7, &[5]),
        77 => (3, &[1]),
        _ => return None,
    })
}

/// The length of the record that `bytes` begin with.
pub fn record_len(bytes: &[u8]) -> usize {
    let kind = bytes[0];
    let long = |at: usize| u32_at(bytes, at) as usize;
    let short = |at: usize| usize::from(u16_at(bytes, at));
    match kind {
        14 => 43 + short(40) + if bytes[42] & 4 != 0 { 4 } else { 0 },
        33 | 34 => 50 + (short(44) & 0x7FFF),
        54 => 7 + long(3),
        62 => 110 + short(96) + short(98) + short(100) + long(106),
        63 => 96 + short(86) + long(92),
        65 => 96 + long(88) + long(92),
        67..=75 | 82..=91 => 5 + long(1),
        kind => {
            let (fixed, lens) = layout(kind).unwrap_or_else(|| panic!("record type {kind}"));
            let lens = lens.iter().map(|at| usize::from(u16_at(bytes, *at)));
            fixed + lens.sum::<usize>()
        }
    }
}

/// Segments that say that they stand where they stand.
pub fn valid_segments(log: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let generation = u64::from(u32_at(log, 4));
    let numbered = log.chunks_exact(SEGMENT).enumerate().skip(1);
    numbered.filter_map(move |(number, segment)| {
        let position = generation << 32 | (number as u64) << 16;
        (u64_at(segment, 8) == position).then_some((number as u16, segment))
    })
}

/// The records of a log from a segment on, without filler.
pub fn records(log: &[u8], from: u16) -> Vec<Read> {
    let generation = u32_at(log, 4);
    let mut found: Vec<Read> = Vec::new();
    let mut missing = 0;
    for (number, segment) in valid_segments(log) {
        let mut at = 40;
        while at < SEGMENT {
            let len = record_len(&segment[at..]);
            let bytes = &segment[at..at + len];
            let ib = if at == 40 { 0 } else { at as u16 };
            // A record that a crash cut off is none.
            if missing > 0 && bytes[0] != 77 {
                found.pop();
                missing = 0;
            }
            match bytes[0] {
                0 | 71 => {}
                76 => {
                    missing = u32_at(bytes, 1) as usize - (len - 7);
                    found.push(Read {
                        at: (generation, number, ib),
                        bytes: bytes[7..].to_vec(),
                    });
                }
                77 => {
                    missing -= len - 3;
                    found.last_mut().unwrap().bytes.extend(&bytes[3..]);
                }
                _ => found.push(Read {
                    at: (generation, number, ib),
                    bytes: bytes.to_vec(),
                }),
            }
            at += len;
        }
    }
    if missing > 0 {
        found.pop();
    }
    found.retain(|record| record.at.1 >= from);
    found
}

/// The logs of a folder by generation, those that are prepared or reserved left out.
pub fn logs(dir: &Path) -> BTreeMap<u32, (String, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let lower = name.to_ascii_lowercase();
        let is_log = lower.ends_with(".log") || lower.ends_with(".jtx");
        if is_log && !lower.contains("tmp") && !lower.contains("res") {
            let bytes = std::fs::read(dir.join(&name)).unwrap();
            if bytes.len() > SEGMENT {
                found.insert(u32_at(&bytes, 4), (name, bytes));
            }
        }
    }
    found
}

/// Cases of the corpus: the folder of a case, and its folder after a recovery that went well.
pub fn recovered(corpus: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for kind in ["engine", "real"] {
        let Ok(cases) = std::fs::read_dir(corpus.join(kind)) else {
            continue;
        };
        for case in cases.map(|case| case.unwrap().path()) {
            if !case.join("pre").is_dir() {
                continue;
            }
            for entry in std::fs::read_dir(&case).unwrap() {
                let post = entry.unwrap().path();
                let name = post.file_name().unwrap().to_str().unwrap().to_owned();
                let Some(number) = name.strip_prefix("post-r").filter(|_| post.is_dir()) else {
                    continue;
                };
                let said = std::fs::read(case.join(format!("r{number}.txt"))).unwrap_or_default();
                let said = String::from_utf8_lossy(&said).into_owned();
                if said.contains("STOP_INSTANCE") {
                    found.push((case.clone(), post));
                }
            }
        }
    }
    found.sort();
    found
}
