//! The oldest logs of the corpus (7.3704.6, sectors of 512 bytes, splits without page images) against the
//! databases that were written with them. The files are not part of the project: `EXUTIL_CORPUS` names the directory.

#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exutil::format::dbheader::DbHeader;
use exutil::format::ids::{DbTime, Generation, PageSize, Pgno};
use exutil::format::logrec::{DbId, PageHead, Record, RecordKind, SpaceTrees};
use exutil::format::page::Page;
use exutil::format::stamp::{Lgpos, LogTime, Signature};
use exutil::jet::JetError;
use exutil::log::generation::LoadedLog;
use exutil::log::names::of_stream;
use exutil::ops::recover::{RecoverOptions, RecoverReport, recover};
use exutil::progress::Silent;
use exutil::recover::attach::Places;
use exutil::storage::RealDisk;

/// The file of the database that both runs of the logs wrote to, and the one that only the first wrote to.
const MANY: &str = "catdb-F750";
const FEW: &str = "catdb-127D";

fn case() -> Option<PathBuf> {
    needs::corpus().map(|corpus| corpus.join("real/catroot2-2003/pre"))
}

fn lgpos(generation: u32, isec: u16, ib: u16) -> Lgpos {
    Lgpos::new(Generation::new(generation), isec, ib)
}

fn header_of(file: &[u8]) -> DbHeader {
    DbHeader::parse(file).unwrap()
}

/// Pages that a record takes from one time to another; `None`: the page is made new.
fn touched(record: &Record<'_>) -> (Option<PageHead>, Vec<(Pgno, Option<DbTime>)>) {
    let one = |head: &PageHead| (Some(*head), vec![(head.pgno, Some(head.before))]);
    match record {
        Record::Insert(head, ..)
        | Record::FlagInsert(head, ..)
        | Record::FlagInsertAndReplaceData(head, ..)
        | Record::FlagDelete(head)
        | Record::Replace(head, _)
        | Record::Delete(head)
        | Record::Delta(head, _)
        | Record::SetExternalHeader(head, _)
        | Record::Undo(head, _) => one(&head.page),
        Record::Split(head, split) => {
            let mut pages = vec![(head.pgno, Some(head.before))];
            if !split.new.is_null() {
                pages.push((split.new, None));
            }
            if !split.new.is_null() && !split.right.is_null() {
                pages.push((split.right, Some(split.right_before)));
            }
            (Some(*head), pages)
        }
        Record::CreateFdp(head, SpaceTrees { oe, ae, .. }) => {
            let trees = [*oe, *ae].into_iter().filter(|pgno| !pgno.is_null());
            let pages = [head.pgno].into_iter().chain(trees);
            (Some(*head), pages.map(|pgno| (pgno, None)).collect())
        }
        _ => (None, Vec::new()),
    }
}

/// Every record parses; every change of a page follows the one before, and the last one is what the page has.
#[test]
fn every_page_has_the_last_time_of_the_log() {
    let Some(dir) = case() else { return };
    let files: Vec<Vec<u8>> = [FEW, MANY]
        .iter()
        .map(|name| std::fs::read(dir.join(name)).unwrap())
        .collect();
    let signs: Vec<Signature> = files.iter().map(|file| header_of(file).sign_db).collect();
    let mut kinds: BTreeMap<RecordKind, u32> = BTreeMap::new();
    let mut times: BTreeMap<(usize, Pgno), DbTime> = BTreeMap::new();
    let mut attached: BTreeMap<DbId, usize> = BTreeMap::new();
    let (mut records, mut repeated) = (0, 0);
    let names = of_stream(&dir, "edb").unwrap();
    assert_eq!(names.len(), 6);
    for name in names {
        let log = LoadedLog::load(&dir.join(&name.file_name)).unwrap();
        assert_eq!((log.scan.damage, log.scan.torn), (None, false));
        for attachment in log.head.attachments.iter().filter(|_| records == 0) {
            let which = signs.iter().position(|sign| *sign == attachment.sign_db);
            attached.insert(DbId(attachment.dbid), which.unwrap());
        }
        let mut reader = log.records();
        while let Some(placed) = reader.next().unwrap() {
            let record = Record::parse(placed.bytes).unwrap();
            records += 1;
            *kinds.entry(RecordKind::new(placed.bytes[0])).or_default() += 1;
            match &record {
                Record::AttachDb(attach) => {
                    let which = signs.iter().position(|sign| *sign == attach.sign_db);
                    attached.insert(attach.dbid, which.unwrap());
                }
                Record::DetachDb(detach) => {
                    assert!(attached.remove(&detach.dbid).is_some());
                }
                _ => {}
            }
            let (head, pages) = touched(&record);
            let Some(head) = head else { continue };
            let which = attached[&head.dbid];
            for (pgno, before) in pages {
                let last = times.insert((which, pgno), head.after);
                // An operation within a split does not say the time before; the split has.
                let given = before.filter(|before| before.get() != u64::MAX);
                if let (Some(last), Some(before)) = (last, given) {
                    assert_eq!(last, before, "page {pgno} at {}", placed.at);
                    repeated += 1;
                }
            }
        }
    }
    for ((which, pgno), time) in &times {
        let size = PageSize::K4;
        let at = pgno.offset(size) as usize;
        let page = Page::new(&files[*which][at..at + size.bytes()], size).unwrap();
        assert_eq!(page.dbtime(), *time, "page {pgno} of database {which}");
    }
    println!(
        "{records} records, {repeated} repeated, {} pages",
        times.len()
    );
    assert_eq!((records, repeated, times.len()), (13_020, 3_492, 550));
    assert_eq!(kinds[&RecordKind::SPLIT_OLD], 4);
    assert_eq!(kinds[&RecordKind::UNDO_INFO], 542);
}

/// Copies the logs and one database, under the name that the logs know, into a folder.
fn laid_out(dir: &Path, database: &[u8]) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("edb") {
            std::fs::copy(&from, to.path().join(name)).unwrap();
        }
    }
    std::fs::write(to.path().join("catdb"), database).unwrap();
    to
}

fn run(dir: &Path, ignore_checkpoint: bool) -> RecoverReport {
    let options = RecoverOptions {
        places: Places::In(dir.join("catdb")),
        ignore_checkpoint,
        keep_undo: false,
        ..RecoverOptions::new("edb", dir, LogTime::utc((2026, 5, 5), (5, 5, 5), 5))
    };
    recover(&options, &RealDisk, &Silent).unwrap()
}

/// Both databases were closed in order: nothing is to be done with them, wherever the replay begins.
#[test]
fn clean_databases_stay_as_they_are() {
    let Some(dir) = case() else { return };
    for name in [MANY, FEW] {
        for ignore_checkpoint in [false, true] {
            let file = std::fs::read(dir.join(name)).unwrap();
            let to = laid_out(&dir, &file);
            let report = run(to.path(), ignore_checkpoint);
            assert_eq!(report.jet, JetError::SUCCESS);
            assert!(report.databases.is_empty() && report.counts.applied == 0);
            assert!(std::fs::read(to.path().join("catdb")).unwrap() == file);
        }
    }
}

/// As if the machine had crashed at the end, with all pages on disk: the logs are replayed through two detaches and
/// attaches, find every change done, and the header comes out as the engine left it.
#[test]
fn a_dirty_header_is_brought_to_the_end_of_the_logs() {
    let Some(dir) = case() else { return };
    let file = std::fs::read(dir.join(MANY)).unwrap();
    let before = header_of(&file);
    let mut header = before.clone();
    header.state = 2;
    header.dbid = 2;
    header.last_consistent = lgpos(0x18, 0xC2, 0x1AB);
    header.last_attach = lgpos(0x18, 0xC4, 0xB1);
    header.last_detach = Lgpos::default();
    header.required_low = Generation::new(0x7E);
    header.required_high = Generation::new(0x83);
    header.dbtime = DbTime::new(0x1000);
    let mut dirty = file.clone();
    for copy in dirty.chunks_exact_mut(4096).take(2) {
        header.write_to(copy);
    }
    // The other database is in another folder; here only this one counts.
    let to = laid_out(&dir, &dirty);
    let report = run(to.path(), true);
    assert_eq!(report.jet, JetError::SUCCESS);
    assert_eq!(report.databases.len(), 1, "{:?}", report.skipped);
    println!("{:?}", report.counts);
    assert_eq!((report.counts.applied, report.counts.rolled_back), (0, 0));
    assert!(report.counts.done_already > 3_000);
    let after = std::fs::read(to.path().join("catdb")).unwrap();
    assert!(after[8192..] == file[8192..]);
    let after = header_of(&after);
    assert_eq!(
        (after.state, after.dbid, after.dbtime, after.objid_last),
        (before.state, before.dbid, before.dbtime, before.objid_last)
    );
    assert_eq!(
        (after.last_consistent, after.last_attach, after.last_detach),
        (
            before.last_consistent,
            before.last_attach,
            before.last_detach
        )
    );
    assert_eq!(after.required_low.get() + after.required_high.get(), 0);
}
