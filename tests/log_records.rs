//! Every record of the corpus's new-format logs, taken apart and made again, must come out as it was; and
//! so must every range of its old-format logs. The files are not part of the project: `EXUTIL_CORPUS`
//! names the directory.

#[path = "common/log_reader.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod log_reader;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;

use std::collections::BTreeMap;

use exutil::format::ids::Generation;
use exutil::format::logrec::Record;
use exutil::format::logwrite::range::{CHECKSUM_RECORD, Range};
use exutil::format::logwrite::{EncodeFault, encode};

use log_reader::{logs, records, u16_at, u32_at};

#[test]
fn records_come_out_as_they_were() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let (mut same, mut different, mut other) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for kind in ["engine", "real"] {
        for case in std::fs::read_dir(corpus.join(kind)).unwrap() {
            let case = case.unwrap().path();
            for dir in ["pre", "post-r", "db"].map(|dir| case.join(dir)) {
                if !dir.is_dir() {
                    continue;
                }
                for (name, log) in logs(&dir).values() {
                    if u32_at(log, 32) != 8
                        || !exutil::format::checksum::header_is_good(&log[..4096])
                    {
                        continue;
                    }
                    let read = std::panic::catch_unwind(|| records(log, 1));
                    for record in read.unwrap_or_default() {
                        let kind = record.bytes[0];
                        let counter = match encode(&Record::parse(&record.bytes).unwrap()) {
                            Err(EncodeFault::NotWritten) => &mut other,
                            Ok(made) if made == record.bytes => &mut same,
                            _ => {
                                println!("{}/{name} {:x?}", dir.display(), record.at);
                                &mut different
                            }
                        };
                        *counter.entry(kind).or_insert(0) += 1;
                    }
                }
            }
        }
    }
    println!("same {same:?}\nother types {other:?}");
    assert!(different.is_empty(), "{different:?}");
    assert!(same.len() > 30, "{same:?}");
}

/// Every range of an old-format log, its checksum made again.
fn ranges_again(log: &[u8]) -> usize {
    let sector = usize::from(u16_at(log, 8));
    let generation = Generation::new(u32_at(log, 4));
    let mut made = log.to_vec();
    let mut at = sector * usize::from(u16_at(log, 10));
    let mut count = 0;
    // The chain may lead to what a crash did not write.
    while log[at] == 42 && matches!(log[at + 21], 0x9A | 0xD1) {
        let field = |offset: usize| u32_at(log, at + offset) as usize;
        let range = Range {
            at,
            backwards: field(1),
            forwards: field(5),
            next: field(9),
        };
        made[at + 1..at + CHECKSUM_RECORD].fill(0);
        range.seal(&mut made, sector, generation, false);
        count += 1;
        if range.next == 0 {
            break;
        }
        at += CHECKSUM_RECORD + range.next;
    }
    assert!(made == log);
    count
}

#[test]
fn ranges_come_out_as_they_were() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut count = 0;
    for case in std::fs::read_dir(corpus.join("real")).unwrap() {
        let case = case.unwrap().path();
        for dir in ["pre", "db"].map(|dir| case.join(dir)) {
            if dir.is_dir() {
                for (name, log) in logs(&dir).values() {
                    if u32_at(log, 32) == 7 {
                        println!("{}/{name}", dir.display());
                        count += ranges_again(log);
                    }
                }
            }
        }
    }
    println!("{count} ranges");
    assert!(count > 10, "{count}");
}
