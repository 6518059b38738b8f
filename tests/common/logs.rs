//! Small logs made by hand: segments of the new format, ranges of the old one.

use exutil::format::checksum::{seal, seal_header};
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::loghdr::LOG_HEADER_BYTES;

use super::make;

/// Bytes of a segment.
pub const SEGMENT: usize = 4096;
/// Bytes of records in a segment.
pub const ROOM: usize = SEGMENT - 40;
/// Generation of the old logs.
pub const OLD_GENERATION: u32 = 9;

/// A segment with these records at its beginning, sealed.
pub fn segment(generation: u32, number: u32, records: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; SEGMENT];
    let position = u64::from(generation) << 32 | u64::from(number) << 16;
    segment[8..16].copy_from_slice(&position.to_le_bytes());
    segment[16..24].copy_from_slice(&make::time(generation).0);
    segment[36..40].copy_from_slice(&0x2000u32.to_le_bytes());
    segment[40..40 + records.len()].copy_from_slice(records);
    seal(&mut segment, PageSize::K4, Pgno::new(number));
    segment
}

/// A log of the new format: one segment for each list of records, the rest empty.
pub fn new_log(generation: u32, contents: &[Vec<u8>]) -> Vec<u8> {
    let mut header = make::log_header(generation, 0);
    header.update_major = 5;
    header.file_sectors = contents.len() as u16 + 3;
    let mut file = vec![0; (contents.len() + 3) * SEGMENT];
    header.write_to(&[], &mut file[..LOG_HEADER_BYTES]);
    for (at, records) in contents.iter().enumerate() {
        let number = at + 1;
        file[number * SEGMENT..][..SEGMENT].copy_from_slice(&segment(
            generation,
            number as u32,
            records,
        ));
    }
    file
}

fn xor(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0, |sum, word| {
        let mut four = [0; 4];
        four[..word.len()].copy_from_slice(word);
        sum ^ u32::from_le_bytes(four)
    })
}

/// One LRCHECKSUM of the old format and where it is to stand.
pub struct Range {
    /// Its place in the file.
    pub at: usize,
    /// It covers the bytes before it in its sector.
    pub covers_before: bool,
    /// Behind its last sector.
    pub end: usize,
    /// The next one.
    pub next: Option<usize>,
}

/// An old log with sectors of 512 bytes: fill pattern, `content` from the first sector on, then the ranges.
pub fn old_log(sectors: usize, content: &[u8], ranges: &[Range]) -> Vec<u8> {
    let mut file: Vec<u8> = (0..LOG_HEADER_BYTES + sectors * 512)
        .map(|at| 0xDAu8.wrapping_add(if at % 16 == 0 { (at % 256) as u8 } else { 0 }))
        .collect();
    let mut header = make::log_header(OLD_GENERATION, 0);
    (
        header.major,
        header.minor,
        header.update_major,
        header.update_minor,
    ) = (7, 3704, 6, 0);
    header.sector_size = 512;
    header.header_sectors = (LOG_HEADER_BYTES / 512) as u16;
    header.file_sectors = (file.len() / 512) as u16;
    header.write_to(&[], &mut file[..LOG_HEADER_BYTES]);
    seal_header(&mut file[..LOG_HEADER_BYTES]);
    file[LOG_HEADER_BYTES..][..content.len()].copy_from_slice(content);
    for range in ranges {
        write_range(&mut file, range, 0);
    }
    file
}

/// Writes one LRCHECKSUM; `mark` is XORed into its sum (a shadow's is marked).
pub fn write_range(file: &mut [u8], range: &Range, mark: u32) {
    let (at, end) = (range.at, range.end);
    let inside = at % 512;
    let backwards = if range.covers_before { inside } else { 0 };
    let forwards = (end - at - 22) as u32;
    let next = range.next.map_or(0, |next| (next - at - 22) as u32);
    let long = end > at - inside + 512;
    let flag: u8 = if long { 0x9A } else { 0xD1 };
    file[at] = 42;
    for (offset, value) in [(1, backwards as u32), (5, forwards), (9, next), (17, 0)] {
        file[at + offset..at + offset + 4].copy_from_slice(&value.to_le_bytes());
    }
    file[at + 21] = flag;
    let common = backwards as u32 ^ forwards ^ next ^ u32::from(flag) ^ OLD_GENERATION;
    let before = xor(&file[at - backwards..at]);
    let sum = 0xFEED_BEAF ^ before ^ xor(&file[at + 22..end]) ^ common ^ mark;
    file[at + 13..at + 17].copy_from_slice(&sum.to_le_bytes());
    if long {
        let sector_end = at - inside + 512;
        let short = 0xDEAD_C0DE ^ before ^ xor(&file[at + 22..sector_end]) ^ common;
        file[at + 17..at + 21].copy_from_slice(&short.to_le_bytes());
    }
}

/// A transaction's beginning: the shortest record with a number to tell it by.
pub fn begin(trx: u32) -> Vec<u8> {
    let mut bytes = vec![8, 5, 0, 0x10];
    bytes.extend(trx.to_le_bytes());
    bytes
}

/// A remark.
pub fn trace(text: &str) -> Vec<u8> {
    let mut bytes = vec![22, 6, 0];
    bytes.extend((text.len() as u16 + 1).to_le_bytes());
    bytes.extend(text.bytes().chain([0]));
    bytes
}

/// The rest of a segment as one record of padding.
pub fn filled(mut records: Vec<u8>) -> Vec<u8> {
    let rest = ROOM - records.len();
    records.push(71);
    records.extend((rest as u32 - 5).to_le_bytes());
    records.resize(ROOM, 0x55);
    records
}

/// `record` cut in two: the first piece ends its segment, which begins with `before`.
pub fn cut(before: Vec<u8>, record: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut first = before;
    let room = ROOM - first.len() - 7;
    let piece = room.min(record.len() - 1);
    first.push(76);
    first.extend((record.len() as u32).to_le_bytes());
    first.extend((piece as u16).to_le_bytes());
    first.extend(&record[..piece]);
    let rest = &record[piece..];
    let mut second = vec![77];
    second.extend((rest.len() as u16).to_le_bytes());
    second.extend(rest);
    (first, second)
}
