//! The records of logs: how they are put together, and how `ml` shows them.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::logs::{
    OLD_GENERATION, ROOM, Range, SEGMENT, begin, cut, filled, new_log, old_log, segment, trace,
    write_range,
};
use common::{line, snapshot};
use exutil::cli::log_line::{Style, write_record};
use exutil::format::loghdr::LOG_HEADER_BYTES;
use exutil::format::logrec::{Record, RecordKind, record_len};
use exutil::log::generation::LoadedLog;
use exutil::ops::log_records::{RecordPlace, RecordSink, Tally, walk};
use exutil::storage::Memory;

/// Position and type, number of the transaction, or text.
#[derive(Default)]
struct Seen(Vec<String>);

impl RecordSink for Seen {
    fn record(&mut self, place: RecordPlace, bytes: &[u8], record: &Record<'_>) {
        let kind = RecordKind::new(bytes[0]);
        let what = match record {
            Record::Begin(begin) => begin.trx.map_or_else(String::new, |trx| trx.0.to_string()),
            Record::Note(note) => format!("{} bytes", note.text.len()),
            Record::Padding if kind == RecordKind::NOP => return,
            _ => kind.to_string(),
        };
        self.0
            .push(format!("{:X},{:X} {what}", place.at.isec, place.at.ib));
    }
}

fn read(file: &[u8]) -> (LoadedLog, Vec<String>, Tally) {
    let storage = Memory::new(file.to_vec());
    let log = LoadedLog::from_storage(&storage, Path::new("E00.log")).unwrap();
    let mut seen = Seen::default();
    let tally = walk(&log, Some(&mut seen));
    (log, seen.0, tally)
}

fn texts(file: &[u8]) -> Vec<String> {
    let (log, seen, tally) = read(file);
    assert_eq!((log.scan.damage, tally.fault), (None, None));
    seen
}

#[test]
fn records_of_segments_in_order() {
    let file = new_log(
        3,
        &[
            filled([begin(1), begin(2)].concat()),
            [begin(3), trace("x")].concat(),
        ],
    );
    assert_eq!(
        texts(&file),
        ["1,0 1", "1,30 2", "1,38 NOP2", "2,0 3", "2,30 2 bytes"]
    );
}

#[test]
fn pieces_are_put_together() {
    let long = trace(&"a".repeat(9000));
    let (first, rest) = cut(begin(1), &long);
    // The rest does not fit in one segment either.
    let (mut second, mut third) = (vec![77], vec![77]);
    let (a, b) = rest[3..].split_at(ROOM - 3);
    second.extend((a.len() as u16).to_le_bytes());
    second.extend(a);
    third.extend((b.len() as u16).to_le_bytes());
    third.extend(b);
    third.extend(begin(2));
    let file = new_log(3, &[first, second, third]);
    let begin_of_second = 40 + 3 + b.len();
    let expected = [
        "1,0 1",
        "1,30 9001 bytes",
        &format!("3,{begin_of_second:X} 2"),
    ];
    assert_eq!(texts(&file), expected);
}

#[test]
fn a_piece_that_the_log_ends_in_is_given_up() {
    let (first, rest) = cut(begin(1), &trace(&"b".repeat(5000)));
    assert_eq!(texts(&new_log(3, std::slice::from_ref(&first))), ["1,0 1"]);
    // A recovery goes on behind it; also when an empty segment lies between.
    let undo = [&[51; 1][..], &[0; 8], &begin(7)].concat();
    let expected = ["1,0 1", "2,0 RecoveryUndo2", "2,31 7"];
    assert_eq!(texts(&new_log(3, &[first.clone(), undo.clone()])), expected);
    let expected = ["1,0 1", "3,0 RecoveryUndo2", "3,31 7"];
    assert_eq!(
        texts(&new_log(3, &[first.clone(), Vec::new(), undo])),
        expected
    );
    // Anything else is damage.
    let (_, _, tally) = read(&new_log(3, &[first, begin(2)]));
    assert_eq!(tally.fault.unwrap().at.isec, 1);
    // A piece whose beginning is not in this log is passed over, but only at the log's beginning.
    assert_eq!(
        texts(&new_log(3, &[[rest.clone(), begin(2)].concat()])).len(),
        1
    );
    let (_, _, tally) = read(&new_log(3, &[[begin(2), rest].concat()]));
    assert!(tally.fault.is_some());
}

#[test]
fn what_is_no_record_is_damage() {
    for (content, ib) in [
        (vec![102], 0),
        ([begin(1), vec![40]].concat(), 48),
        // Longer than its segment.
        ([begin(1), vec![71, 0, 0x10, 0, 0]].concat(), 48),
    ] {
        let (log, _, tally) = read(&new_log(3, &[content]));
        assert_eq!(log.scan.damage, None);
        assert_eq!(tally.fault.unwrap().at.ib, ib);
    }
}

#[test]
fn a_torn_segment_is_taken_from_its_shadow() {
    let mut file = new_log(3, &[begin(1), begin(2)]);
    let whole = segment(3, 2, &begin(2));
    file[2 * SEGMENT + 100..3 * SEGMENT].fill(0xEE);
    let (log, _, _) = read(&file);
    assert!(log.scan.damage.is_some());
    file[3 * SEGMENT..4 * SEGMENT].copy_from_slice(&whole);
    let (log, seen, _) = read(&file);
    assert!(log.scan.torn && log.scan.damage.is_none());
    assert_eq!(seen, ["1,0 1", "2,0 2"]);
    // One wrong bit is mended.
    let mut file = new_log(3, &[begin(1)]);
    file[SEGMENT + 44] ^= 1;
    assert_eq!(texts(&file), ["1,0 1"]);
}

/// The sectors of an old log begin here.
const START: usize = LOG_HEADER_BYTES;

fn old_content(parts: &[(usize, Vec<u8>)], sectors: usize) -> Vec<u8> {
    let mut content = vec![0; sectors * 512];
    for (at, bytes) in parts {
        content[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    content
}

fn range(at: usize, end: usize, next: Option<usize>) -> Range {
    Range {
        at: START + at,
        covers_before: true,
        end: START + end,
        next: next.map(|next| START + next),
    }
}

#[test]
fn records_of_ranges_in_order() {
    // The second record of the first range goes on in the second, before its LRCHECKSUM.
    let content = old_content(
        &[(22, begin(1)), (508, begin(2)), (512 + 4 + 22, begin(3))],
        2,
    );
    let ranges = [range(0, 512, Some(516)), range(516, 1024, None)];
    let file = old_log(6, &content, &ranges);
    let expected = [
        "8,0 Checksum",
        "8,16 1",
        "8,1FC 2",
        "9,4 Checksum",
        "9,1A 3",
    ];
    assert_eq!(texts(&file), expected);
}

#[test]
fn a_range_that_gives_up_what_is_before_it() {
    let content = old_content(
        &[(22, begin(1)), (508, begin(2)), (512 + 4 + 22, begin(3))],
        2,
    );
    let mut second = range(516, 1024, None);
    second.covers_before = false;
    let file = old_log(6, &content, &[range(0, 512, Some(516)), second]);
    let expected = ["8,0 Checksum", "8,16 1", "9,4 Checksum", "9,1A 3"];
    assert_eq!(texts(&file), expected);
}

#[test]
fn an_old_log_ends_in_a_shadow_or_in_pattern() {
    let content = old_content(&[(22, begin(1)), (512 + 22, begin(2))], 2);
    let ranges = [range(0, 512, Some(512)), range(512, 1024, None)];
    let sound = old_log(6, &content, &ranges);
    assert_eq!(texts(&sound).len(), 4);
    // The second range's sector was never written; pattern follows.
    let one = old_log(6, &content[..512], &ranges[..1]);
    let (log, seen, _) = read(&one);
    assert!(log.scan.torn && log.scan.damage.is_none());
    assert_eq!(seen, ["8,0 Checksum", "8,16 1"]);
    // It was torn, and its copy is whole.
    let mut torn = sound.clone();
    let copy: Vec<u8> = torn[START + 512..START + 1024].to_vec();
    torn[START + 1024..START + 1536].copy_from_slice(&copy);
    write_range(&mut torn, &range(1024, 1536, None), 0x5AD0_5EC7);
    torn[START + 600..START + 1024].fill(0xEE);
    // The sum of uniform bytes is blind.
    torn[START + 700] = 1;
    let (log, seen, _) = read(&torn);
    assert!(log.scan.torn && log.scan.damage.is_none());
    assert_eq!(seen, ["8,0 Checksum", "8,16 1", "9,0 Checksum", "9,16 2"]);
    // Without a copy it is damage.
    let mut bad = sound;
    bad[START + 600] ^= 0xFF;
    let (log, seen, _) = read(&bad);
    assert_eq!(log.scan.damage.unwrap().at.isec, 9);
    assert_eq!(seen, ["8,0 Checksum", "8,16 1"]);
}

/// A record of every type with small numbers in its fixed part and no variable parts, or with these.
fn sample_of(kind: u8) -> Option<Vec<u8>> {
    let mut bytes = vec![0; RecordKind::new(kind).fixed_len()?];
    bytes[0] = kind;
    // What counts variable parts stays zero.
    for (at, byte) in bytes.iter_mut().enumerate().skip(1).take(31) {
        if !record_len_fields(kind).contains(&at) {
            *byte = (at % 4) as u8;
        }
    }
    Some(bytes)
}

/// Fields of the first 32 bytes that are lengths.
fn record_len_fields(kind: u8) -> std::ops::Range<usize> {
    match kind {
        14..=16 | 42 | 60 => 1..46,
        19 | 20 | 45 | 59 | 77 => 1..3,
        22 | 46 | 61 => 3..5,
        54 => 3..7,
        67..=75 | 82..=91 => 1..5,
        76 => 1..7,
        _ => 0..0,
    }
}

fn lines(records: &[Vec<u8>]) -> String {
    let mut out = String::new();
    for bytes in records {
        assert_eq!(record_len(bytes), Ok(bytes.len()), "{bytes:?}");
        let record = Record::parse(bytes).unwrap();
        for data in [true, false] {
            let style = Style {
                data,
                commit_flags: data,
            };
            let mut line = String::new();
            write_record(&mut line, bytes, &record, style);
            if data || !out.ends_with(&format!("{line}\n")) {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    out
}

#[test]
fn a_line_for_every_type() {
    let records: Vec<_> = (0..=101).filter_map(sample_of).collect();
    assert!(records.len() > 90);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("log_lines", lines(&records));
    });
}

#[test]
fn lines_of_records_with_variable_parts() {
    let with = |kind: u8, at: usize, parts: &[&[u8]]| {
        let fixed = RecordKind::new(kind).fixed_len().unwrap();
        let mut bytes = vec![0; fixed];
        bytes[0] = kind;
        for (part, bytes_of) in parts.iter().enumerate() {
            let at = at + part * 2;
            bytes[at..at + 2].copy_from_slice(&(bytes_of.len() as u16).to_le_bytes());
        }
        parts.iter().for_each(|part| bytes.extend(*part));
        bytes
    };
    let ignored = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes
    };
    // Insert at 1, the same length at 2 with two bytes, replace; then one that is cut off.
    let diff = [
        &[1, 0x40, 2, b'x', b'y'][..],
        &[2, 0xA0, 1, 0, b'z'],
        &[3, 0x00, 1, 9, b'w'],
        &[4, 0x00, 9],
    ]
    .concat();
    let wide: Vec<u8> = "C:\\a\0D:\\b\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut delta = vec![0; 58];
    delta[0] = 93;
    delta[48..56].copy_from_slice(&(-5i64).to_le_bytes());
    let mut replace_d = with(34, 44, &[&diff]);
    replace_d[48] = 7;
    let mut full = vec![46, 6, 0, 4, 0];
    full.extend(b"C:\\\0");
    let mut extent = vec![101, 1, 9, 0, 0, 0, 3, 0, 0, 0, 3];
    extent.extend(77u64.to_le_bytes());
    let mut scan = vec![98, 1, 0xFE, 0xFF, 0xFF, 0xFF, 0xC2];
    scan.extend([0; 20]);
    let mut unicode_db = with(
        14,
        40,
        &[&"D:\\\u{526f}.edb\0"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()],
    );
    unicode_db[42] = 8;
    let records = [
        with(
            31,
            44,
            &[b"key", b"\x01\x02data that is longer than sixteen bytes"],
        ),
        replace_d,
        with(59, 1, &[&wide]),
        with(45, 1, &[b"one\0two\0"]),
        full,
        with(19, 1, &[b"E:\\backup\0"]),
        trace("a remark\x1b[31m"),
        ignored(69, &[5, 0, 7, 1, 2, 3]),
        ignored(73, &[2, 2, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0]),
        ignored(82, b"??"),
        delta,
        extent,
        scan,
        unicode_db,
    ];
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("log_lines_variable", lines(&records));
    });
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let insert = |before: u64, after: u64| {
        let mut bytes = vec![0; 50];
        (bytes[0], bytes[3], bytes[4]) = (29, 1, 40);
        bytes[8..16].copy_from_slice(&after.to_le_bytes());
        bytes[16..24].copy_from_slice(&before.to_le_bytes());
        (bytes[31], bytes[40], bytes[44], bytes[48]) = (5, 17, 3, 4);
        bytes.extend(b"keydata");
        bytes
    };
    let macro_of = |kind: u8| {
        let mut bytes = vec![0; 11];
        bytes[0] = kind;
        bytes
    };
    let mut init = vec![0; 576];
    init[0] = 49;
    init[1..7].copy_from_slice(b"E:\\db\\");
    let first = new_log(
        1,
        &[
            filled([init, begin(4), insert(5, 6)].concat()),
            [insert(6, 7), trace("what for")].concat(),
        ],
    );
    std::fs::write(dir.path().join("E0000000001.log"), first).unwrap();
    // The group is empty, and the page should have the time 7.
    let second = new_log(2, &[[macro_of(11), macro_of(12), insert(8, 9)].concat()]);
    std::fs::write(dir.path().join("E00.log"), second).unwrap();
    dir
}

#[test]
fn the_dump_of_a_stream() {
    let dir = folder();
    snapshot("ml_v2", &line(dir.path(), "ml E00 /v2"));
    snapshot("ml_v1", &line(dir.path(), "/ml E00.log /v1"));
    snapshot("ml_v2_json", &line(dir.path(), "ml E00 /v2 --format json"));
    snapshot("ml_v2_table", &line(dir.path(), "ml E00 /v --format table"));
    snapshot("ml_deep", &line(dir.path(), "ml E00 --deep"));
    snapshot("ml_range", &line(dir.path(), "ml E00 /r1-1 /v1"));
    snapshot("ml_summary", &line(dir.path(), "ml E00.log /s"));
    let same = line(dir.path(), "ml E00 /v");
    assert_eq!(
        same.stdout.lines().count(),
        line(dir.path(), "ml E00 /v2").stdout.lines().count()
    );
    for wrong in ["ml E00 /rx", "ml E00 /r5-3", "ml E00 /v3"] {
        assert_eq!(line(dir.path(), wrong).status, 16, "{wrong}");
    }
    assert_eq!(line(dir.path(), "ml E00 /r5-6").status, 8);
}

#[test]
fn the_csv_of_a_stream() {
    let dir = folder();
    let run = line(dir.path(), "ml E00 /cout.csv");
    assert_eq!(run.status, 0, "{}", run.text());
    let bytes = std::fs::read(dir.path().join("out.csv")).unwrap();
    let units: Vec<u16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .collect();
    assert_eq!(units[0], 0xFEFF);
    let text = String::from_utf16(&units[1..]).unwrap();
    assert!(text.ends_with("LTEL\r\n"));
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(
        lines[0].starts_with(
            "LHGI, Create time:01/02/2026 03:04:00.005 Rand:4660 Computer:, 00000001, "
        )
    );
    // Type, position, length, XOR of the words of the 57 bytes and of the position, name, page, object, database, times.
    let insert = "LRPI, 00000002:0001:003E, 0039, 00000000";
    let found = lines.iter().find(|line| line.starts_with(insert)).unwrap();
    assert!(
        found.ends_with(
            "Insert   , 00000028, 00000011, 00000001, 0000000000000008, 0000000000000009"
        ),
        "{found}"
    );
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("LRMI")).count(),
        6
    );
    // What is there is never overwritten.
    assert_eq!(line(dir.path(), "ml E00 /cout.csv").status, 8);
    assert_eq!(std::fs::read(dir.path().join("out.csv")).unwrap(), bytes);
}

#[test]
fn a_record_that_is_none_is_told_of() {
    let dir = folder();
    let bad = new_log(2, &[[begin(1), vec![200]].concat()]);
    std::fs::write(dir.path().join("E00.log"), bad).unwrap();
    snapshot("ml_bad_record", &line(dir.path(), "ml E00"));
    snapshot("ml_bad_record_v2", &line(dir.path(), "ml E00 /v2"));
    let json = line(dir.path(), "ml E00 --format json").one_json();
    assert_eq!(json["findings"][0]["code"], "L011");
    // A type that Exchange 2003 wrote and nobody knows the layout of is no damage.
    let old = new_log(2, &[[begin(1), vec![40]].concat()]);
    std::fs::write(dir.path().join("E00.log"), old).unwrap();
    let json = line(dir.path(), "ml E00 --format json").one_json();
    assert_eq!(
        (&json["status"], &json["findings"][0]["code"]),
        (&0.into(), &"L012".into())
    );
}

#[test]
fn runs_of_padding_in_an_old_log_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let content = old_content(&[(22, begin(1)), (500, begin(2))], 1);
    let file = old_log(6, &content, &[range(0, 512, None)]);
    std::fs::write(dir.path().join("E00.log"), file).unwrap();
    let run = line(dir.path(), "ml E00 /v2");
    assert!(
        run.stdout
            .contains(&format!(">{OLD_GENERATION:08X},0008,001E NOP")),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("NOPEnd    (Total NOPs: 470)"),
        "{}",
        run.stdout
    );
}

/// The engine's own dumps: every record line must be there, as it is.
#[test]
fn the_corpus_is_dumped_as_by_the_engine() {
    let Some(corpus) = common::needs::corpus() else {
        return;
    };
    let mut compared = 0;
    for group in ["engine", "real"] {
        let Ok(cases) = std::fs::read_dir(corpus.join(group)) else {
            continue;
        };
        for case in cases {
            let case = case.unwrap().path();
            for stage in ["pre", "pre2", "db"] {
                let Ok(expected) = std::fs::read(case.join(format!("{stage}-ml-v2.txt"))) else {
                    continue;
                };
                if !case.join(stage).is_dir() {
                    continue;
                }
                let expected = String::from_utf8_lossy(&expected).into_owned();
                let run = line(&case.join(stage), "ml edb /v2");
                let records = |text: &str| -> Vec<String> {
                    let wanted = |line: &&str| {
                        line.starts_with('>') || line.starts_with("Segment") || line.contains('%')
                    };
                    text.lines()
                        .filter(wanted)
                        .map(|line| line.trim_end().to_owned())
                        .collect()
                };
                assert_eq!(
                    records(&expected),
                    records(&run.stdout),
                    "{}",
                    case.display()
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 90, "{compared}");
}
