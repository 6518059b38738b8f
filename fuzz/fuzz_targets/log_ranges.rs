//! A log of the old format: arbitrary records in one sound range of each sector or several, then arbitrary bytes. All
//! records are read.
#![no_main]

use std::path::Path;

use exutil::format::checksum::seal_header;
use exutil::format::loghdr::LOG_HEADER_BYTES;
use exutil::log::generation::LoadedLog;
use exutil::ops::log_records::{RecordPlace, RecordSink, walk};
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

const GENERATION: u32 = 7;

struct Nothing;

impl RecordSink for Nothing {
    fn record(&mut self, _: RecordPlace, bytes: &[u8], _: &exutil::format::logrec::Record<'_>) {
        assert!(!bytes.is_empty());
    }
}

fn xor(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0, |sum, word| {
        let mut four = [0; 4];
        four[..word.len()].copy_from_slice(word);
        sum ^ u32::from_le_bytes(four)
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let sector = if choice & 1 == 0 { 512 } else { 4096 };
    let start = LOG_HEADER_BYTES;
    let sectors = (rest.len() / sector + 3).min(64);
    let mut file: Vec<u8> = (0..start + sectors * sector)
        .map(|at| 0xDAu8.wrapping_add(if at % 16 == 0 { (at % 256) as u8 } else { 0 }))
        .collect();
    file[..start].fill(0);
    let body = (sectors - 2) * sector;
    for (to, from) in file[start..start + body].iter_mut().zip(rest) {
        *to = *from;
    }
    // Ranges of one to four sectors, each linked to the next. Where the record stands in its sector varies.
    let mut at = start;
    let mut before = 0;
    while at < start + body {
        let inside = at % sector;
        let count = (usize::from(rest.get(at % 97).copied().unwrap_or(1)) % 4 + 1) * sector;
        let end = (at - inside + count).min(start + body);
        let next = end + usize::from(rest.get(at % 89).copied().unwrap_or(0)) % (sector - 22);
        let last = end >= start + body;
        let long = end - (at - inside) > sector;
        let backwards = if before == 0 && inside > 0 && choice & 2 != 0 { 0 } else { inside };
        before = inside;
        file[at] = 42;
        let forwards = (end - at - 22) as u32;
        let link = if last { 0 } else { (next - at - 22) as u32 };
        let flag: u8 = if long { 0x9A } else { 0xD1 };
        for (offset, value) in [(1, backwards as u32), (5, forwards), (9, link), (17, 0)] {
            file[at + offset..at + offset + 4].copy_from_slice(&value.to_le_bytes());
        }
        file[at + 21] = flag;
        let common = backwards as u32 ^ forwards ^ link ^ u32::from(flag) ^ GENERATION;
        let behind = xor(&file[at - backwards..at]);
        let sum = 0xFEED_BEAF ^ behind ^ xor(&file[at + 22..end]) ^ common;
        file[at + 13..at + 17].copy_from_slice(&sum.to_le_bytes());
        if long {
            let short = 0xDEAD_C0DE ^ behind ^ xor(&file[at + 22..at - inside + sector]) ^ common;
            file[at + 17..at + 21].copy_from_slice(&short.to_le_bytes());
        }
        if last {
            break;
        }
        at = next;
    }
    file[4..8].copy_from_slice(&GENERATION.to_le_bytes());
    file[8..10].copy_from_slice(&(sector as u16).to_le_bytes());
    file[10..12].copy_from_slice(&((start / sector) as u16).to_le_bytes());
    let all = (file.len() / sector) as u16;
    file[12..14].copy_from_slice(&all.to_le_bytes());
    file[32..36].copy_from_slice(&7u32.to_le_bytes());
    file[36..40].copy_from_slice(&3704u32.to_le_bytes());
    file[40..44].copy_from_slice(&6u32.to_le_bytes());
    seal_header(&mut file[..LOG_HEADER_BYTES]);
    if choice & 4 != 0 {
        let at = start + usize::from(*choice) * 131 % (file.len() - start);
        file[at] ^= choice;
    }
    let Ok(log) = LoadedLog::from_storage(&Memory::new(file), Path::new("x")) else { return };
    let quiet = walk(&log, None);
    let seen = walk(&log, Some(&mut Nothing));
    assert_eq!(quiet.histogram, seen.histogram);
    assert!(seen.histogram.total().bytes <= log.bytes.len() as u64);
});
