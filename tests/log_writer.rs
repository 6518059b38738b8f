//! The closing records of a recovery against those of the engine: the same records of undo given, every
//! position and, times aside, every byte of the logs must come out alike. The files are not part of the
//! project: `EXUTIL_CORPUS` names the directory.

#[path = "common/log_reader.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod log_reader;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;

use std::collections::BTreeMap;
use std::path::Path;

use exutil::format::checkpoint::Checkpoint;
use exutil::format::ids::{DbTime, Generation};
use exutil::format::loghdr::{Environment, LogHeader};
use exutil::format::logrec::ProcId;
use exutil::format::stamp::{Lgpos, LogTime};
use exutil::log::changes::{LogContent, LogRole};
use exutil::log::closing::{Closed, Closing, LogEnd, Quit, checkpoint_file, recovery_environment};
use exutil::log::generation::LoadedLog;
use exutil::log::verify::check_storage;
use exutil::log::writer::{LastLog, LogWriter, OLDEST_WRITTEN, Surroundings};
use exutil::storage::Memory;

use log_reader::{Read, SEGMENT, logs, records, recovered, u16_at, u32_at, u64_at, valid_segments};

fn lgpos(bytes: &[u8], at: usize) -> Lgpos {
    Lgpos::new(
        Generation::new(u32_at(bytes, at + 4)),
        u16_at(bytes, at + 2),
        u16_at(bytes, at),
    )
}

fn time(bytes: &[u8]) -> LogTime {
    LogTime(bytes[bytes.len() - 8..].try_into().unwrap())
}

fn position(record: &Read) -> Lgpos {
    let (generation, isec, ib) = record.at;
    Lgpos::new(Generation::new(generation), isec, ib)
}

/// What the engine appended: the records of all generations of `post` behind what `pre` had.
fn appended(
    pre: &BTreeMap<u32, (String, Vec<u8>)>,
    post: &BTreeMap<u32, (String, Vec<u8>)>,
) -> Vec<Read> {
    let mut found = Vec::new();
    for (generation, (_, log)) in post {
        if u32_at(log, 32) != 8 {
            continue;
        }
        let from = match pre.get(generation) {
            Some((_, before)) if before[16..24] == log[16..24] => {
                valid_segments(before).map(|(number, _)| number).max()
            }
            _ => None,
        };
        found.extend(records(log, from.map_or(1, |last| last + 1)));
    }
    found
}

/// Feeds the engine's own records to the library's writer.
fn close(writer: LogWriter, last: &LogHeader, given: &[Read]) -> Closed {
    let mut shut_down = None;
    let mut given = given.iter().peekable();
    let mut writer = Some(writer);
    let mut closing = None;
    let mut quit = None;
    while let Some(record) = given.next() {
        let at = position(record);
        let bytes = &record.bytes;
        let now = time(&[&[0; 8][..], bytes].concat());
        match (bytes[0], &mut closing) {
            (51, None) => {
                let mut writer = writer.take().unwrap();
                let redo_from = writer.surroundings().checkpoint;
                writer.surroundings_mut().now = now;
                closing = Some(Closing::begin(writer, last, redo_from, LogEnd::Open).unwrap());
            }
            (13, Some(closing)) => {
                let dbtime = DbTime::new(u64_at(bytes, 3));
                assert_eq!(
                    closing
                        .abort_macro(ProcId(u16_at(bytes, 1)), dbtime)
                        .unwrap(),
                    at
                );
            }
            (36 | 39, Some(closing)) => assert_eq!(closing.undo(bytes).unwrap(), at),
            (7, Some(closing)) => {
                assert_eq!(bytes[3], 1);
                assert_eq!(closing.roll_back(ProcId(u16_at(bytes, 1))).unwrap(), at);
            }
            (23, Some(closing)) => {
                assert_eq!(closing.shut_down().unwrap(), at);
                shut_down = Some(at);
            }
            (52, _) => {
                let mut closing = closing.take().unwrap();
                assert!(shut_down.is_some());
                closing.writer_mut().surroundings_mut().now = now;
                let ended = closing.quit().unwrap();
                assert_eq!(ended.position(), at);
                quit = Some(ended);
            }
            (49, None) => {
                let term = given.find(|record| record.bytes[0] == 50).unwrap();
                let mut ended = quit.take().unwrap_or_else(|| {
                    Quit::already_closed(writer.take().unwrap(), Lgpos::default())
                });
                // One time for both records; the difference is not compared.
                ended.writer_mut().surroundings_mut().now = now;
                let ended = ended.restart().unwrap();
                assert_eq!(ended.position(), position(term));
                quit = Some(ended);
            }
            other => panic!("record type {} at {at}", other.0),
        }
    }
    quit.expect("a recovery that ended").finish(None)
}

/// A segment without checksum and times.
fn timeless(segment: &[u8]) -> Vec<u8> {
    let mut bytes = segment.to_vec();
    let has_time = bytes[16..24].iter().any(|byte| *byte != 0);
    bytes[0..8].fill(0);
    bytes[16..24].fill(0);
    bytes[16] = u8::from(has_time);
    // Term2 at the start of a segment.
    if bytes[40] == 50 {
        bytes[58..66].fill(0);
    }
    bytes
}

/// A header without what the clock decides.
fn timeless_header(log: &[u8]) -> LogHeader {
    let mut header = LogHeader::parse(log).unwrap();
    header.checksum = 0;
    header.created = LogTime::default();
    header.prev_created = LogTime::default();
    header.prev_segments_checksum = 0;
    header
}

/// Runs one case; gives back how many segments were compared.
fn check(pre_dir: &Path, post_dir: &Path) -> usize {
    let pre = logs(pre_dir);
    let post = logs(post_dir);
    let mut given = appended(&pre, &post);
    if given.is_empty() {
        return 0;
    }
    // The last log that is whole.
    let (last_generation, last) = pre
        .iter()
        .rev()
        .find_map(|(generation, (name, _))| {
            let log = LoadedLog::load(&pre_dir.join(name)).ok()?;
            log.scan.damage.is_none().then_some((*generation, log))
        })
        .unwrap();
    let is_current = pre[&last_generation].0.len() == "edb.log".len();
    let header = last.head.header.clone();
    let environment = {
        let init = given.iter().find(|record| record.bytes[0] == 49).unwrap();
        let mut page = vec![0; 4096];
        page[72..72 + 567].copy_from_slice(&init.bytes[1..568]);
        LogHeader::parse(&page).unwrap().environment
    };
    let mut expected = recovery_environment("E:\\db\\");
    expected.log_sectors = environment.log_sectors;
    assert_eq!(tidy(environment.clone()), expected);
    let redo_from = given
        .iter()
        .find(|record| record.bytes[0] == 52)
        .map_or(Lgpos::new(Generation::new(1), 1, 0), |record| {
            lgpos(&record.bytes, 9)
        });
    // Behind RecoveryQuit2 nothing is attached, nor where nothing was recovered.
    let quit = given.iter().find(|record| record.bytes[0] == 52);
    let quit_in = quit.map_or(last_generation, |record| record.at.0);
    let attachments = match quit {
        Some(_) => last.head.attachments.clone(),
        None => Vec::new(),
    };
    let surroundings = Surroundings {
        environment,
        attachments,
        checkpoint: redo_from,
        now: time(&given[0].bytes),
        least_version: OLDEST_WRITTEN,
    };
    let last_log = LastLog::new(&last, is_current);
    let writer = if is_current {
        LogWriter::resume(last_log, surroundings).unwrap()
    } else {
        LogWriter::new_generation(last_log, surroundings).unwrap()
    };
    given.retain(|record| record.at.0 >= last_generation);
    let closed = close(writer, &header, &given);
    let term = given.last().unwrap();
    assert_eq!(closed.end, position(term));

    let mut compared = 0;
    let mut before = None;
    let newest = *post.keys().max().unwrap();
    for change in &closed.changes {
        let old = match change.content {
            LogContent::Patch(_) => pre[&last_generation].1.clone(),
            LogContent::New { .. } => Vec::new(),
        };
        let made = change.content.applied_to(&old);
        let generation = match change.role {
            LogRole::Archived(generation) => generation.get(),
            LogRole::Current => newest,
            LogRole::Temp => {
                assert!(made.iter().all(|byte| *byte == 0));
                continue;
            }
        };
        let (_, real) = &post[&generation];
        assert_eq!(made.len(), real.len());
        assert_eq!(
            timeless_header(&made),
            timeless_header(real),
            "{generation:x}"
        );
        if generation > quit_in {
            assert!(LogHeader::attachments(real).unwrap().is_empty());
            assert!(LogHeader::attachments(&made).unwrap().is_empty());
        }
        let pairs = made.chunks_exact(SEGMENT).zip(real.chunks_exact(SEGMENT));
        for (number, (made, real)) in pairs.enumerate().skip(1) {
            compared += 1;
            assert!(
                timeless(made) == timeless(real),
                "segment {generation:x}:{number:x}"
            );
        }
        // It must read well, and follow on its predecessor.
        if u32_at(&made, 32) == 8 {
            let (head, scan) = check_storage(&Memory::new(made)).unwrap();
            assert_eq!(scan.damage, None);
            if let Some((created, sum)) = before {
                assert_eq!(head.header.prev_created, created);
                assert_eq!(head.header.prev_segments_checksum, sum);
            }
            before = Some((head.header.created, scan.segments_checksum));
        }
    }
    check_checkpoint(post_dir, &closed);
    compared
}

/// An environment without what is left behind the end of its paths.
fn tidy(mut environment: Environment) -> Environment {
    for path in [&mut environment.system_path, &mut environment.log_path] {
        let text = path.text().len();
        path.0[text..].fill(0);
    }
    environment
}

/// The checkpoint against the engine's, which leaves remains of what was there before behind the end of
/// paths and of the attachment list.
fn check_checkpoint(post_dir: &Path, closed: &Closed) {
    let name = ["edb.chk", "edb.jcp"]
        .into_iter()
        .find(|name| post_dir.join(name).exists())
        .unwrap();
    let real = std::fs::read(post_dir.join(name)).unwrap();
    assert!(real[..SEGMENT] == real[SEGMENT..], "two copies");
    assert!(Checkpoint::attachments(&real).unwrap().is_empty());
    let tidy = |page: &[u8]| {
        let mut checkpoint = Checkpoint::parse(page).unwrap();
        checkpoint.checksum = 0;
        checkpoint.environment = tidy(checkpoint.environment);
        checkpoint
    };
    let made = checkpoint_file(&closed.checkpoint, &[]);
    assert_eq!(made.len(), real.len());
    assert_eq!(tidy(&made), tidy(&real));
}

#[test]
fn closings_are_the_engines() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let (mut cases, mut segments, mut failed) = (0, 0, Vec::new());
    for (case, post) in recovered(&corpus) {
        let pre = case.join("pre");
        let name = format!("{} {}", case.display(), post.display());
        match std::panic::catch_unwind(|| check(&pre, &post)) {
            Ok(0) => {}
            Ok(compared) => {
                cases += 1;
                segments += compared;
            }
            Err(_) => failed.push(name),
        }
    }
    println!("{cases} closings, {segments} segments alike");
    assert!(failed.is_empty(), "{} different: {failed:#?}", failed.len());
    assert!(cases > 60, "{cases}");
}
