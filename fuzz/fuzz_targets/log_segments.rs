//! A log of the new format: arbitrary records in sound segments, then arbitrary bytes in the file. All records are read.
#![no_main]

use std::path::Path;

use exutil::format::checksum::{self, seal_header};
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::loghdr::LOG_HEADER_BYTES;
use exutil::log::generation::LoadedLog;
use exutil::ops::log_records::{RecordPlace, RecordSink, walk};
use exutil::storage::Memory;
use libfuzzer_sys::fuzz_target;

const SEGMENT: usize = 4096;

struct Nothing;

impl RecordSink for Nothing {
    fn record(&mut self, _: RecordPlace, bytes: &[u8], _: &exutil::format::logrec::Record<'_>) {
        assert!(!bytes.is_empty());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let room = SEGMENT - 40;
    let segments = rest.len().div_ceil(room).clamp(1, 16);
    let mut file = vec![0; (segments + 2) * SEGMENT];
    file[4..8].copy_from_slice(&7u32.to_le_bytes());
    file[8..10].copy_from_slice(&4096u16.to_le_bytes());
    file[10..12].copy_from_slice(&1u16.to_le_bytes());
    file[12..14].copy_from_slice(&(segments as u16 + 2).to_le_bytes());
    file[32..36].copy_from_slice(&8u32.to_le_bytes());
    file[36..40].copy_from_slice(&4000u32.to_le_bytes());
    file[40..44].copy_from_slice(&5u32.to_le_bytes());
    file[667..671].copy_from_slice(&3u32.to_le_bytes());
    seal_header(&mut file[..LOG_HEADER_BYTES]);
    for (at, records) in rest.chunks(room).take(segments).enumerate() {
        let number = at + 1;
        let segment = &mut file[number * SEGMENT..][..SEGMENT];
        segment[40..40 + records.len()].copy_from_slice(records);
        segment[8..16].copy_from_slice(&(7u64 << 32 | (number as u64) << 16).to_le_bytes());
        segment[36..40].copy_from_slice(&0x2000u32.to_le_bytes());
        checksum::seal(segment, PageSize::K4, Pgno::new(number as u32));
    }
    // Some files are torn or damaged besides.
    if choice & 1 != 0 {
        let at = usize::from(*choice) * 37 % file.len();
        file[at.max(LOG_HEADER_BYTES)] ^= choice;
    }
    let Ok(log) = LoadedLog::from_storage(&Memory::new(file), Path::new("x")) else { return };
    let quiet = walk(&log, None);
    let seen = walk(&log, Some(&mut Nothing));
    assert_eq!(quiet.histogram, seen.histogram);
    assert!(seen.histogram.total().bytes <= log.bytes.len() as u64 + 1);
});
