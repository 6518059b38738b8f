//! The writer by itself; against the engine's logs it is proved in `tests/log_writer.rs`.

use super::{LastLog, LogWriter, OLDEST_WRITTEN, Surroundings, WriteFault};
use crate::format::ids::Generation;
use crate::format::loghdr::{Environment, LogHeader};
use crate::format::logwrite::control::shut_down_mark;
use crate::format::logwrite::segment::{SEGMENT_BYTES, SEGMENT_HEADER};
use crate::format::stamp::{Lgpos, LogTime, Signature};
use crate::log::changes::{LogContent, LogFileChange, LogRole};
use crate::log::closing::{Closing, LogEnd, Quit, close};
use crate::log::verify::check_storage;
use crate::storage::Memory;

const SEGMENTS: u16 = 8;
const MOST: usize = SEGMENT_BYTES - SEGMENT_HEADER;

fn now() -> LogTime {
    LogTime::utc((2026, 1, 2), (3, 4, 5), 6)
}

fn surroundings() -> Surroundings {
    Surroundings {
        environment: Environment::small(0),
        attachments: Vec::new(),
        checkpoint: position(1, 1, 0),
        now: now(),
        least_version: OLDEST_WRITTEN,
    }
}

fn header(version: (u32, u32, u32)) -> LogHeader {
    LogHeader {
        checksum: 0,
        generation: Generation::new(3),
        sector_size: 4096,
        header_sectors: 1,
        file_sectors: SEGMENTS,
        page_size: 0,
        created: now(),
        prev_created: LogTime::default(),
        major: version.0,
        minor: if version.0 == 7 { 3704 } else { 4000 },
        update_major: version.1,
        sign_log: Signature {
            random: 7,
            ..Signature::default()
        },
        environment: Environment::small(0),
        flags: 2,
        checkpoint: Lgpos::default(),
        update_minor: version.2,
        disk_sector_note: 1,
        prev_segments_checksum: 0,
        written_by: 0,
        reserved: 0,
        filetype: 3,
    }
}

fn position(generation: u32, isec: u16, ib: u16) -> Lgpos {
    Lgpos::new(Generation::new(generation), isec, ib)
}

fn first() -> LogWriter {
    LogWriter::first(header((8, 20, 60)), surroundings()).unwrap()
}

/// A record of a given length that is not filler.
fn record(len: usize) -> Vec<u8> {
    vec![23; len]
}

/// Whole files must be sound and follow on each other.
fn sound(changes: &[LogFileChange]) -> Vec<LogHeader> {
    let mut headers: Vec<(LogHeader, u64)> = Vec::new();
    for change in changes {
        if change.role == LogRole::Temp || matches!(change.content, LogContent::Patch(_)) {
            continue;
        }
        let file = change.content.applied_to(&[]);
        let (head, scan) = check_storage(&Memory::new(file)).unwrap();
        assert_eq!(scan.damage, None);
        if let Some((before, sum)) = headers.last() {
            assert_eq!(head.header.prev_segments_checksum, *sum);
            assert_eq!(head.header.generation, before.generation.next());
            assert_eq!(head.header.prev_created, before.created);
        }
        headers.push((head.header, scan.segments_checksum));
    }
    headers.into_iter().map(|(header, _)| header).collect()
}

#[test]
fn records_stand_where_the_writer_says() {
    let mut writer = first();
    assert_eq!(writer.append(&record(1)).unwrap(), position(3, 1, 0));
    assert_eq!(writer.append(&record(3)).unwrap(), position(3, 1, 41));
    // Cut: its position is that of the first piece.
    let at = writer.append(&record(2 * MOST)).unwrap();
    assert_eq!(at, position(3, 1, 44));
    assert_eq!(writer.position().isec, 3);
    writer.new_segment().unwrap();
    assert_eq!(writer.position(), position(3, 4, 0));
    // Too little room for a piece: the next segment.
    writer.append(&record(MOST - 20)).unwrap();
    assert_eq!(writer.append(&record(21)).unwrap(), position(3, 5, 0));
    // A segment that is exactly full.
    assert_eq!(
        writer.append(&record(MOST - 21)).unwrap(),
        position(3, 5, 61)
    );
    assert_eq!(writer.position(), position(3, 6, 0));
    assert_eq!(sound(&writer.finish()).len(), 1);
}

#[test]
fn a_record_that_would_fill_the_log_goes_to_the_next() {
    for (len, generation) in [(MOST - 1, 3), (MOST, 4)] {
        let mut writer = first();
        for _ in 1..SEGMENTS - 2 {
            writer.append(&record(MOST)).unwrap();
        }
        let at = writer.append(&record(len)).unwrap();
        assert_eq!(at.generation, Generation::new(generation), "{len}");
        let changes = writer.finish();
        let headers = sound(&changes);
        assert_eq!(headers.len(), generation as usize - 2);
        if let [_, next] = &headers[..] {
            assert_eq!((next.update_major, next.update_minor), (20, 60));
            assert_eq!((next.page_size, next.flags), (4096, 4));
            assert_eq!(changes[2].role, LogRole::Temp);
        }
    }
}

#[test]
fn a_group_is_not_parted() {
    let mut writer = first();
    for _ in 0..4 {
        writer.append(&record(MOST)).unwrap();
    }
    let at = writer
        .append_group(&[&record(MOST - 1), &record(MOST - 1)])
        .unwrap();
    assert_eq!(at, position(3, 5, 0));
    let mut writer = first();
    for _ in 0..5 {
        writer.append(&record(MOST)).unwrap();
    }
    let parts = [record(MOST - 1), record(1), record(1)];
    let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
    assert_eq!(writer.append_group(&parts).unwrap(), position(4, 1, 0));
    assert_eq!(sound(&writer.finish()).len(), 2);
}

#[test]
fn what_fits_nowhere_is_refused() {
    let mut writer = first();
    let huge = record(SEGMENT_BYTES * usize::from(SEGMENTS));
    assert!(matches!(
        writer.append(&huge),
        Err(WriteFault::TooLongForLog { .. })
    ));
    let mut small = header((8, 20, 60));
    small.file_sectors = 3;
    assert!(matches!(
        LogWriter::first(small, surroundings()),
        Err(WriteFault::LogSize { .. })
    ));
    let mut last = header((8, 20, 60));
    last.generation = Generation::new(0x7FFF_FA00);
    let log = LastLog {
        header: &last,
        end: position(0x7FFF_FA00, 7, 0),
        segments_checksum: 0,
        is_current: true,
        mended: None,
    };
    assert_eq!(
        LogWriter::resume(log, surroundings()).unwrap_err(),
        WriteFault::SequenceEnd
    );
}

/// A segment that was torn is written to its place, whether the log goes on or not.
#[test]
fn a_torn_segment_is_mended() {
    for isec in [2, 7] {
        let header = header((8, 20, 60));
        let segment = record(SEGMENT_BYTES);
        let log = LastLog {
            header: &header,
            end: position(3, isec, 0),
            segments_checksum: 0,
            is_current: true,
            mended: Some((isec - 1, &segment)),
        };
        let changes = LogWriter::resume(log, surroundings()).unwrap().finish();
        let LogContent::Patch(pieces) = &changes[0].content else {
            panic!("a patch");
        };
        assert_eq!(pieces[..], [(u64::from(isec - 1) * 4096, segment.clone())]);
    }
}

fn resumed(header: &LogHeader, isec: u16) -> LogWriter {
    let log = LastLog {
        header,
        end: position(3, isec, 0),
        segments_checksum: 5,
        is_current: true,
        mended: None,
    };
    LogWriter::resume(log, surroundings()).unwrap()
}

#[test]
fn a_log_with_room_is_patched() {
    let header = header((8, 20, 60));
    let writer = resumed(&header, 2);
    let closing = Closing::begin(writer, &header, position(1, 1, 0), LogEnd::Open).unwrap();
    let (consistent, closed) = close(closing, None).unwrap();
    assert_eq!(consistent, position(3, 2, 49));
    assert_eq!(closed.end, position(3, 5, 0));
    assert_eq!(closed.checkpoint.checkpoint, closed.end);
    let [change] = &closed.changes[..] else {
        panic!("one file: {:?}", closed.changes.len());
    };
    assert_eq!((change.role, change.was_current), (LogRole::Current, true));
    let LogContent::Patch(pieces) = &change.content else {
        panic!("a patch");
    };
    let offsets: Vec<_> = pieces.iter().map(|(at, _)| at / 4096).collect();
    // The last is the shadow.
    assert_eq!(offsets, [2, 3, 4, 5, 6]);
    assert_eq!(pieces[3].1, pieces[4].1);
}

/// Old logs and logs of an old version go on in new generations; the old file only gets its number.
#[test]
fn old_logs_get_successors() {
    for (version, isec, first, roles) in [
        ((7, 15, 0), 4, 5, 4),
        ((8, 4, 4), 4, 4, 3),
        ((8, 20, 60), 7, 4, 3),
    ] {
        let header = header(version);
        let writer = resumed(&header, isec);
        let closing = Closing::begin(writer, &header, position(1, 1, 0), LogEnd::Open).unwrap();
        let (consistent, closed) = close(closing, None).unwrap();
        assert_eq!(consistent, position(first, 1, 49), "{version:?}");
        assert_eq!(closed.changes.len(), roles, "{version:?}");
        let old = &closed.changes[0];
        assert_eq!(old.role, LogRole::Archived(Generation::new(3)));
        assert!(old.was_current);
        let LogContent::Patch(pieces) = &old.content else {
            panic!("the old file stays");
        };
        // An outdated log of the new format gets a segment of NOPs.
        assert_eq!(pieces.len(), usize::from(version == (8, 4, 4)));
        let newest = sound(&closed.changes).pop().unwrap();
        let expected = match version {
            (7, 15, 0) => (8, 15, 14),
            (8, 4, 4) => (8, 5, 14),
            other => other,
        };
        let got = (newest.major, newest.update_major, newest.update_minor);
        assert_eq!(got, expected);
    }
}

/// After a ShutDownMark without Term there is no RecoveryUndo2; after Term there is only the restart.
#[test]
fn ends_that_need_less() {
    let header = header((8, 20, 60));
    let end = LogEnd::ShutDownMark;
    let closing = Closing::begin(resumed(&header, 2), &header, position(1, 1, 0), end).unwrap();
    let (consistent, closed) = close(closing, None).unwrap();
    assert_eq!(consistent, position(3, 2, 0));
    assert_eq!(closed.end, position(3, 5, 0));
    let quit = Quit::already_closed(resumed(&header, 2), position(3, 1, 0));
    assert_eq!(quit.restart().unwrap().position(), position(3, 3, 0));
}

#[test]
fn the_last_segment_is_filled_with_nops() {
    let header = header((8, 20, 60));
    let mut writer = resumed(&header, 6);
    writer.append(&shut_down_mark()).unwrap();
    writer.flush();
    writer.new_segment().unwrap();
    assert_eq!(writer.position(), position(4, 1, 0));
    let changes = writer.finish();
    let LogContent::Patch(pieces) = &changes[0].content else {
        panic!("a patch");
    };
    // It was on disk before it was full: its shadow is made to agree.
    assert_eq!(pieces.len(), 2);
    assert_eq!(pieces[0].1, pieces[1].1);
    assert!(pieces[0].1[41..].iter().all(|byte| *byte == 0));
}
