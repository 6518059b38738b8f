//! Log streams made from nothing must be what every check calls sound, or torn as they were asked to be.

use exutil::build::logs::{LogBuilder, LogFormat, StreamOptions, Tail};
use exutil::format::checkpoint::Checkpoint;
use exutil::format::checksum::header_is_good;
use exutil::format::ids::Generation;
use exutil::format::loghdr::Environment;
use exutil::format::logrec::{ProcId, TrxId};
use exutil::format::logwrite::control::{begin0, commit0, nop2, shut_down_mark};
use exutil::format::stamp::{Lgpos, LogTime, Signature};
use exutil::log::changes::StreamNaming;
use exutil::log::closing::checkpoint_file;
use exutil::log::generation::LoadedLog;
use exutil::log::names::of_stream;
use exutil::log::verify::{BlockScan, check_log, check_storage};
use exutil::log::writer::WriteFault;
use exutil::ops::logs::{GenerationRange, Quiet, read_stream};
use exutil::storage::Memory;

fn options(format: LogFormat, version: (u32, u32), digits: usize) -> StreamOptions {
    StreamOptions {
        naming: StreamNaming {
            base: "E00".into(),
            extension: "log".into(),
            digits,
        },
        format,
        version,
        file_sectors: 24,
        page_size: 4096,
        sign_log: Signature {
            random: 9,
            ..Signature::default()
        },
        first: (Generation::new(1), LogTime::default()),
        created: LogTime::utc((2026, 1, 2), (3, 4, 5), 6),
        environment: Environment::small(0),
    }
}

const RANGES: [LogFormat; 2] = [
    LogFormat::Ranges { sector: 512 },
    LogFormat::Ranges { sector: 4096 },
];

/// Records of many lengths, flushed now and then; gives back where they are.
fn fill(builder: &mut LogBuilder, count: u32) -> Vec<(Lgpos, Vec<u8>)> {
    let mut written = Vec::new();
    for number in 0..count {
        let record = match number % 5 {
            0 => begin0(ProcId(5), 1, TrxId(number)),
            1 => commit0(ProcId(5), TrxId(number)),
            _ => {
                let mut record = nop2(9 + (number as usize * 7919) % 900).unwrap();
                let len = record.len();
                record[5..len].fill(number as u8 | 1);
                record
            }
        };
        written.push((builder.append(&record).unwrap(), record));
        if number % 7 == 3 {
            builder.flush().unwrap();
        }
    }
    written
}

/// What the library's own reader makes of a log.
fn read(path: &std::path::Path) -> Vec<(Lgpos, Vec<u8>)> {
    let log = LoadedLog::load(path).unwrap();
    let mut reader = log.records().with_padding();
    let mut found = Vec::new();
    while let Some(placed) = reader.next().unwrap() {
        // Filler is zero, records of the same type are not.
        let filler = placed.bytes[0] == 71 && placed.bytes[5..].iter().all(|byte| *byte == 0);
        if !filler && !matches!(placed.bytes[0], 0 | 42) {
            found.push((placed.at, placed.bytes.to_vec()));
        }
    }
    found
}

#[test]
fn streams_are_sound() {
    let cases = [
        (LogFormat::Segments, (4, 4), 8),
        (LogFormat::Segments, (130, 280), 5),
        (RANGES[0], (6, 0), 5),
        (RANGES[1], (15, 0), 5),
        (RANGES[1], (15, 0), 8),
    ];
    for (format, version, digits) in cases {
        let mut builder = LogBuilder::new(options(format, version, digits)).unwrap();
        let mut written = fill(&mut builder, 900);
        let last = written.last().unwrap().0.generation.get() as usize;
        assert!(last > 2, "{format:?} has {last} generations");
        let mark = builder.append(&shut_down_mark()).unwrap();
        written.push((mark, shut_down_mark()));
        let checkpoint = builder.checkpoint_at(mark);
        let dir = tempfile::tempdir().unwrap();
        let files = builder.finish(Tail::Whole);
        assert_eq!(files.len(), mark.generation.get() as usize);
        for file in &files {
            std::fs::write(dir.path().join(&file.name), &file.bytes).unwrap();
        }
        let file = checkpoint_file(&checkpoint, &[]);
        assert!(file.chunks_exact(4096).all(header_is_good));
        assert_eq!(Checkpoint::parse(&file).unwrap().checkpoint, mark);
        std::fs::write(dir.path().join("E00.chk"), file).unwrap();

        let report =
            read_stream(dir.path(), "E00", GenerationRange::default(), &mut Quiet).unwrap();
        let jet = report.jet;
        assert_eq!(jet, exutil::jet::JetError::SUCCESS, "{format:?} {report:?}");
        let mut found = Vec::new();
        for name in of_stream(dir.path(), "E00").unwrap() {
            found.extend(read(&dir.path().join(&name.file_name)));
            let check = check_log(&dir.path().join(&name.file_name)).unwrap();
            assert_eq!((check.scan.damage, check.scan.torn), (None, false));
            assert!(name.digits().is_none_or(|found| found == digits));
            let header = &check.head.header;
            let got = (header.update_major, header.update_minor);
            assert_eq!(got, version);
        }
        assert_eq!(found, written, "{format:?}");
    }
}

fn scan(bytes: Vec<u8>) -> BlockScan {
    check_storage(&Memory::new(bytes)).unwrap().1
}

/// One log of the old format with this tail: its scan, and the position behind its last record.
fn with_tail(format: LogFormat, tail: Tail, records: u32) -> (BlockScan, Lgpos) {
    let mut builder = LogBuilder::new(options(format, (15, 0), 8)).unwrap();
    for number in 0..records {
        builder
            .append(&begin0(ProcId(5), 1, TrxId(number)))
            .unwrap();
    }
    builder.flush().unwrap();
    let end = builder.position();
    (scan(builder.finish(tail).pop().unwrap().bytes), end)
}

#[test]
fn tails_of_the_old_format() {
    for format in RANGES {
        let LogFormat::Ranges { sector } = format else {
            continue;
        };
        for records in [3, u32::from(sector) / 8 * 2 + 5] {
            let (whole, end) = with_tail(format, Tail::Whole, records);
            assert_eq!((whole.end, whole.torn, whole.damage), (end, false, None));
            let (shadow, _) = with_tail(format, Tail::Shadow, records);
            assert_eq!((shadow.end, shadow.torn), (end, false));
            let (only, _) = with_tail(format, Tail::ShadowOnly, records);
            assert_eq!((only.torn, only.damage), (true, None), "{format:?}");
        }
        let (torn, end) = with_tail(format, Tail::Torn, u32::from(sector) / 8 * 3);
        assert_eq!((torn.torn, torn.damage), (true, None), "{format:?}");
        assert!(torn.end < end);
    }
}

/// Behind a crash the log goes on in the middle of a sector; what was there stays dead.
#[test]
fn dead_bytes_stay_uncovered() {
    for format in RANGES {
        let mut builder = LogBuilder::new(options(format, (15, 0), 8)).unwrap();
        builder.append(&begin0(ProcId(5), 1, TrxId(7))).unwrap();
        builder.leave_dead(&[0xFF; 100]);
        let at = builder.append(&begin0(ProcId(5), 1, TrxId(8))).unwrap();
        assert_eq!(at.ib, 122);
        let mut bytes = builder.finish(Tail::Whole).pop().unwrap().bytes;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let transactions: Vec<u8> = read(file.path()).iter().map(|(_, it)| it[4]).collect();
        assert_eq!(transactions, [7, 8], "{format:?}");
        let LogFormat::Ranges { sector } = format else {
            continue;
        };
        let dead = usize::from(at.isec) * usize::from(sector);
        assert_eq!(bytes[dead..dead + 100], [0xFF; 100]);
        // Nothing covers them: another content is as good.
        bytes[dead] = 0;
        assert_eq!(scan(bytes.clone()).damage, None);
        bytes[dead + 122] ^= 1;
        assert!(scan(bytes).damage.is_some());
    }
}

/// Written twice with nothing in between, wherever in a sector that is: the chain of ranges goes on.
#[test]
fn flushing_twice_ends_nothing() {
    for format in RANGES {
        let LogFormat::Ranges { sector } = format else {
            continue;
        };
        for len in usize::from(sector)..2 * usize::from(sector) {
            let mut builder = LogBuilder::new(options(format, (15, 0), 8)).unwrap();
            builder.append(&nop2(9 + len).unwrap()).unwrap();
            builder.flush().unwrap();
            builder.flush().unwrap();
            let last = begin0(ProcId(5), 1, TrxId(8));
            let at = builder.append(&last).unwrap();
            builder.flush().unwrap();
            let end = Lgpos::new(at.generation, at.isec, at.ib + 8);
            let scan = scan(builder.finish(Tail::Whole).pop().unwrap().bytes);
            assert!(scan.end >= end, "{format:?} {len}: {:?} {end:?}", scan.end);
        }
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    let mut small = options(RANGES[0], (15, 0), 8);
    small.file_sectors = 11;
    assert!(matches!(
        LogBuilder::new(small).unwrap_err(),
        WriteFault::LogSize { .. }
    ));
    for format in [LogFormat::Segments, RANGES[0]] {
        let mut builder = LogBuilder::new(options(format, (15, 0), 8)).unwrap();
        let huge = nop2(200_000).unwrap();
        assert!(matches!(
            builder.append(&huge),
            Err(WriteFault::TooLongForLog { .. })
        ));
    }
}
