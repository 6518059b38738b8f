//! One log record: its length, its fields, its line in a dump, the pages that it names, a replay's check of it.
#![no_main]

use exutil::cli::log_line::{Style, write_record};
use exutil::format::logrec::{Record, apply_diff, diff_pieces, record_len};
use exutil::format::stamp::Lgpos;
use exutil::ops::log_checks::StreamCheck;
use exutil::ops::replay_io::PageRefs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = diff_pieces(data, true).count() + diff_pieces(data, false).count();
    let mut out = Vec::new();
    let _ = apply_diff(&data[..data.len() / 2], data, false, 1 << 16, &mut out);
    let mut refs = PageRefs::default();
    let mut check = StreamCheck::default();
    let mut line = String::new();
    let mut rest = data;
    while let Ok(len) = record_len(rest) {
        let Some(bytes) = rest.get(..len) else {
            assert!(Record::parse(rest).is_err());
            break;
        };
        let record = Record::parse(bytes).unwrap();
        for data in [false, true] {
            line.clear();
            write_record(&mut line, bytes, &record, Style { data, commit_flags: data });
            assert!(line.len() < 64 * len + 8192);
            assert!(line.chars().all(|c| c == '\n' || !c.is_control()));
        }
        // Extents of millions of pages take their time, and are tried elsewhere.
        if !matches!(record, Record::ExtentFreed(_)) {
            refs.add(&record);
        }
        check.record(Lgpos::default(), &record);
        rest = &rest[len..];
    }
    let _ = refs.model(4096);
});
