//! Logs, checkpoints and flush maps, made from the library's own formats and from nothing else.

use std::io::Cursor;
use std::path::Path;

use binrw::BinWrite as _;
use exutil::format::checkpoint::{CHECKPOINT_BYTES, Checkpoint};
use exutil::format::checksum::{NEW_FORMAT_FLAG, seal, seal_header};
use exutil::format::flushmap::{self, FlushMapHeader};
use exutil::format::ids::{DbTime, Generation, Objid, PageSize, Pgno};
use exutil::format::loghdr::{Attachment, Environment, LOG_HEADER_BYTES, LogHeader, PathField};
use exutil::format::stamp::{Lgpos, LogTime, Signature};

/// Bytes of a segment of the new log format.
pub const SEGMENT: usize = 4096;
/// Segments of a made log, its header included.
pub const SEGMENTS: u16 = 12;
/// How many of them hold records.
pub const USED: u32 = 5;

/// The identity of the made stream.
pub fn stream() -> Signature {
    signature(0x1234)
}

pub fn signature(random: u32) -> Signature {
    Signature {
        random,
        created: time(0),
        ..Signature::default()
    }
}

/// The creation time of a generation.
pub fn time(generation: u32) -> LogTime {
    LogTime::utc((2026, 1, 2), (3, 4, generation as u8), 5)
}

pub fn lgpos(generation: u32, isec: u16, ib: u16) -> Lgpos {
    Lgpos::new(Generation::new(generation), isec, ib)
}

fn path_field(text: &str) -> PathField {
    let mut field = [0; 261];
    field[..text.len()].copy_from_slice(text.as_bytes());
    PathField(field)
}

pub fn environment() -> Environment {
    Environment {
        system_path: path_field("E:\\sys\\"),
        log_path: path_field("E:\\log\\"),
        flags: 0,
        sessions: 256,
        open_tables: 30_000,
        version_pages: 16_384,
        cursors: 30_000,
        log_buffers: 64,
        log_sectors: u32::from(SEGMENTS),
        cache_pages: 4096,
        reserved: [0; 16],
    }
}

pub fn attachment() -> Attachment {
    Attachment {
        dbid: 1,
        flags: 0x20,
        dbtime: DbTime::new(77),
        objid_last: Objid::new(17),
        max_pages: 0,
        attached: lgpos(1, 2, 3),
        consistent: lgpos(0, 0, 0),
        sign_db: signature(0x77),
        path: "E:\\db\\priv1.edb".into(),
    }
}

/// A header of the new format for this generation; its predecessor's segments sum to `before`.
pub fn log_header(generation: u32, before: u64) -> LogHeader {
    LogHeader {
        checksum: 0,
        generation: Generation::new(generation),
        sector_size: SEGMENT as u16,
        header_sectors: 1,
        file_sectors: SEGMENTS,
        page_size: 4096,
        created: time(generation),
        prev_created: if generation == 1 {
            LogTime::default()
        } else {
            time(generation - 1)
        },
        major: 8,
        minor: 4000,
        update_major: 4,
        sign_log: stream(),
        environment: environment(),
        flags: 0,
        checkpoint: lgpos(1, 2, 3),
        update_minor: 2,
        disk_sector_note: 1,
        prev_segments_checksum: before,
        written_by: 9000,
        reserved: 0,
        filetype: 3,
    }
}

/// A log with this header and `USED` segments with a record of padding each; the sum of their checksums,
/// which the next log remembers.
pub fn log_with(header: &LogHeader) -> (Vec<u8>, u64) {
    let mut bytes = vec![0; usize::from(SEGMENTS) * SEGMENT];
    header.write_to(&[attachment()], &mut bytes[..LOG_HEADER_BYTES]);
    let mut sum = 0;
    for number in 1..=USED {
        let segment = &mut bytes[number as usize * SEGMENT..][..SEGMENT];
        let position = u64::from(header.generation.get()) << 32 | u64::from(number) << 16;
        segment[8..16].copy_from_slice(&position.to_le_bytes());
        segment[36..40].copy_from_slice(&NEW_FORMAT_FLAG.to_le_bytes());
        // Not uniform: the checksum is blind to some changes of uniform content.
        segment[40] = 71;
        segment[41..45].copy_from_slice(&(SEGMENT as u32 - 45).to_le_bytes());
        segment[64..].copy_from_slice(&super::Random(u64::from(number)).bytes(SEGMENT - 64));
        seal(segment, PageSize::K4, Pgno::new(number));
        sum ^= u64::from_le_bytes(segment[..8].try_into().unwrap());
    }
    (bytes, sum)
}

/// A sound log.
pub fn log(generation: u32, before: u64) -> (Vec<u8>, u64) {
    log_with(&log_header(generation, before))
}

/// Writes the generations as `E00*.log` into `dir`, the last as the current log `E00.log`.
pub fn write_stream(dir: &Path, generations: std::ops::RangeInclusive<u32>) {
    let mut before = 0;
    let last = *generations.end();
    for generation in generations {
        let (bytes, sum) = log(generation, before);
        before = sum;
        std::fs::write(dir.join(log_name(generation, last)), bytes).unwrap();
    }
}

pub fn log_name(generation: u32, last: u32) -> String {
    if generation == last {
        "E00.log".into()
    } else {
        format!("E00{generation:08X}.log")
    }
}

/// A checkpoint of the made stream: two equal copies, then padding as the engine leaves it.
pub fn checkpoint() -> Vec<u8> {
    let checkpoint = Checkpoint {
        checksum: 0,
        last_full_backup_checkpoint: lgpos(0, 0, 0),
        checkpoint: lgpos(2, 8, 0x2B7),
        sign_log: stream(),
        environment: environment(),
        full_backup: lgpos(1, 8, 16),
        full_backup_time: time(1),
        incremental_backup: lgpos(0, 0, 0),
        incremental_backup_time: LogTime::default(),
        flags: 1,
        db_consistency: lgpos(0, 0, 0),
        reserved: [0; 11],
        filetype: 4,
        reserved2: [0; 8],
    };
    let mut bytes = vec![0; 2 * CHECKPOINT_BYTES];
    for copy in bytes.chunks_exact_mut(CHECKPOINT_BYTES) {
        checkpoint.write_to(&[attachment()], copy);
    }
    bytes
}

/// A flush map: header and `data_pages` pages.
pub fn flush_map(data_pages: u32) -> Vec<u8> {
    let size = flushmap::PAGE.bytes();
    let header = FlushMapHeader {
        checksum: 0,
        version: [3, 0, 0],
        reserved: [0; 20],
        flags: 1,
        created: time(1),
        attached: time(2),
        detached: time(3),
        required_low: Generation::new(2),
        required_low_next: Generation::new(0),
        flush_started: LogTime::default(),
        flush_completed: LogTime::default(),
        sign_header_flush: signature(0x88),
        sign_flush_map: signature(0x99),
        filetype: 7,
    };
    let mut fields = Cursor::new(Vec::new());
    header.write(&mut fields).unwrap();
    let mut bytes = vec![0; size * (1 + data_pages as usize)];
    bytes[..fields.get_ref().len()].copy_from_slice(fields.get_ref());
    seal_header(&mut bytes[..size]);
    for (page, number) in bytes[size..].chunks_exact_mut(size).zip(0..) {
        page[36..40].copy_from_slice(&NEW_FORMAT_FLAG.to_le_bytes());
        page[64..].fill(0x55);
        seal(page, flushmap::PAGE, Pgno::new(number));
    }
    bytes
}
