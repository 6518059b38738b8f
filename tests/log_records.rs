//! Every record of the corpus's new-format logs, taken apart and made again, must come out as it was. The
//! files are not part of the project: `EXUTIL_CORPUS` names the directory.

#[path = "common/log_reader.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod log_reader;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;

use std::collections::BTreeMap;

use exutil::format::ids::{DbTime, Generation, Objid, Pgno};
use exutil::format::loghdr::LogHeader;
use exutil::format::logwrite::control;
use exutil::format::logwrite::database::{
    AttachDb, CreateDb, DatabasePath, create_db_finish, detach_db, set_db_version,
};
use exutil::format::logwrite::node::{self, Bookmark, Operation, UndoInfo};
use exutil::format::logwrite::range::{CHECKSUM_RECORD, Range};
use exutil::format::logwrite::space::{
    self, Conversion, EmptiedPage, MultipleExtents, create_single_extent_fdp,
};
use exutil::format::logwrite::structure::{Image, Merge, PageMove, Split};
use exutil::format::logwrite::{NodeHead, PageHead};
use exutil::format::stamp::{Lgpos, LogTime, Signature};

use log_reader::{logs, records, u16_at, u32_at, u64_at};

/// A record's bytes, read field by field from the front.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        self.at += len;
        &self.bytes[self.at - len..self.at]
    }
    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }
    fn u16(&mut self) -> u16 {
        u16_at(self.take(2), 0)
    }
    fn len(&mut self) -> usize {
        usize::from(self.u16())
    }
    fn u32(&mut self) -> u32 {
        u32_at(self.take(4), 0)
    }
    fn u64(&mut self) -> u64 {
        u64_at(self.take(8), 0)
    }
    fn pgno(&mut self) -> Pgno {
        Pgno::new(self.u32())
    }
    fn objid(&mut self) -> Objid {
        Objid::new(self.u32())
    }
    fn dbtime(&mut self) -> DbTime {
        DbTime::new(self.u64())
    }
    fn part<T: for<'b> binrw::BinRead<Args<'b> = ()>>(&mut self, len: usize) -> T {
        T::read_le(&mut std::io::Cursor::new(self.take(len))).unwrap()
    }
    fn lgpos(&mut self) -> Lgpos {
        self.part(8)
    }
    fn time(&mut self) -> LogTime {
        self.part(8)
    }
    fn signature(&mut self) -> Signature {
        self.part(28)
    }

    fn page(&mut self) -> PageHead {
        PageHead {
            procid: self.u16(),
            dbid: self.u8(),
            pgno: self.pgno(),
            dbtime: self.dbtime(),
            dbtime_before: self.dbtime(),
            trx: self.u32(),
            level: self.u8(),
            line: self.u16(),
            flags: self.u8(),
        }
    }
    fn node(&mut self) -> NodeHead {
        NodeHead {
            page: self.page(),
            rceid: self.u32(),
            pgno_fdp: self.pgno(),
            objid_fdp: self.objid(),
        }
    }
    fn bookmark(&mut self, key: usize, data: usize) -> Bookmark<'a> {
        Bookmark {
            key: self.take(key),
            data: self.take(data),
        }
    }
    fn image(&mut self) -> (u32, usize) {
        (self.u32(), self.u32() as usize)
    }
}

fn operation(number: u16) -> Operation {
    match number {
        1 => Operation::Insert,
        2 => Operation::Replace,
        3 => Operation::FlagDelete,
        4 => Operation::Delta,
        9 => Operation::Delta64,
        other => panic!("operation {other}"),
    }
}

fn path(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16(&units[..units.len() - 1]).unwrap()
}

/// The record made again; `None` for types that the library does not write.
fn again(bytes: &[u8]) -> Option<Vec<u8>> {
    let f = &mut Fields { bytes, at: 0 };
    Some(match f.u8() {
        kind @ (5 | 8) => {
            let (procid, levels) = (f.u16(), f.u8());
            match kind {
                5 => control::begin(procid, levels & 15, levels >> 4),
                _ => control::begin0(procid, levels >> 4, f.u32()),
            }
        }
        6 => control::commit(f.u16(), f.u8()),
        7 => control::rollback(f.u16(), f.u8()),
        9 => {
            let (procid, _) = (f.u16(), f.u8());
            control::commit0(procid, f.u32())
        }
        11 => control::macro_begin(f.u16(), f.dbtime()),
        12 => control::macro_commit(f.u16(), f.dbtime()),
        13 => control::macro_abort(f.u16(), f.dbtime()),
        14 => create_db(f),
        15 => attach_db(f),
        16 => {
            let (procid, dbid, _) = (f.u16(), f.u8(), f.u16());
            let utf16 = f.u8() & 0x10 != 0;
            detach_db(procid, dbid, &path(&bytes[7..]), utf16).unwrap()
        }
        23 => control::shut_down_mark(),
        24 => MultipleExtents {
            head: f.page(),
            objid: f.objid(),
            owned: f.pgno(),
            available: f.pgno(),
            parent: f.pgno(),
            primary_pages: f.u32() as i32,
            page_flags: f.u32(),
        }
        .encode(),
        25 => {
            let head = f.page();
            create_single_extent_fdp(&head, f.objid(), f.pgno(), f.u32() as i32, f.u32())
        }
        kind @ (29..=39 | 93) => node_operation(kind, f),
        48 => {
            let (head, len) = (f.node(), f.len());
            let pages: Vec<_> = (0..len / 16)
                .map(|_| EmptiedPage {
                    dbtime_before: f.dbtime(),
                    pgno: f.pgno(),
                    page_flags: f.u32(),
                })
                .collect();
            space::empty_tree(&head, &pages).unwrap()
        }
        49 => {
            let mut page = vec![0; 4096];
            page[72..72 + 567].copy_from_slice(f.take(567));
            let header = LogHeader::parse(&page).unwrap();
            control::init2(&header.environment, f.time())
        }
        kind @ (50 | 52) => {
            let (at, from, hard) = (f.lgpos(), f.lgpos(), f.u8() != 0);
            if kind == 50 {
                assert_eq!((from, hard), (Lgpos::default(), false));
                control::term2(at, f.time())
            } else {
                control::recovery_quit2(at, from, hard, f.time())
            }
        }
        51 => control::recovery_undo2(f.time()),
        58 => Conversion {
            head: f.page(),
            objid: f.objid(),
            owned: f.pgno(),
            available: f.pgno(),
            parent: f.pgno(),
            secondary_first: f.pgno(),
            primary_pages: f.u32() as i32,
            secondary_pages: f.u32() as i32,
            available_bits_and_flags: Some((f.u32(), f.u32())),
        }
        .encode(),
        62 => split(f),
        63 => merge(f),
        64 => {
            let (head, flags) = (f.node(), f.u32());
            let (count, len) = (f.u32() as usize, f.len());
            space::scrub(&head, flags, f.take(count), f.take(len - count)).unwrap()
        }
        65 => page_move(f),
        67 => {
            let count = f.u32() / 4;
            let pages: Vec<_> = (0..count).map(|_| f.pgno()).collect();
            control::macro_info(&pages).unwrap()
        }
        68 => {
            f.u32();
            space::extend_db(f.u8(), f.pgno())
        }
        79 => create_db_finish(f.u16(), f.u8()),
        81 => space::trim_db(f.u8(), f.pgno(), f.u32() as i32),
        92 => set_db_version(f.u8(), (f.u32(), f.u32(), f.u32())),
        95 => space::new_page(f.u16(), f.u8(), f.pgno(), f.objid(), f.dbtime()),
        96 => {
            let (dbtime, dbid, objid) = (f.dbtime(), f.u8(), f.objid());
            space::root_page_move(f.u16(), dbid, objid, dbtime)
        }
        99 => space::shrink_db3(f.u8(), f.pgno(), f.u32() as i32, f.dbtime()),
        _ => return None,
    })
}

fn node_operation(kind: u8, f: &mut Fields<'_>) -> Vec<u8> {
    let head = &f.node();
    match kind {
        29 => {
            let (suffix, prefix, data) = (f.len(), f.len(), f.len());
            node::insert(head, f.take(prefix), f.take(suffix), f.take(data))
        }
        30 => {
            let (key, data) = (f.len(), f.len());
            node::flag_insert(head, f.take(key), f.take(data))
        }
        31 => {
            let (key, data, rceid) = (f.len(), f.len(), f.u32());
            node::flag_insert_and_replace_data(head, rceid, f.take(key), f.take(data))
        }
        32 => Ok(node::flag_delete(head)),
        35 => Ok(node::delete(head)),
        33 | 34 => {
            let (len, old, new) = (f.u16(), f.u16(), f.u16());
            let content = f.take(usize::from(len & 0x7FFF));
            if kind == 33 {
                assert_eq!(usize::from(new), content.len());
                node::replace(head, old, content)
            } else {
                node::replace_d(head, (old, new), content, len & 0x8000 != 0)
            }
        }
        36 => {
            let (key, data, oper) = (f.len(), f.len(), f.u16());
            let (max_size, size_change, before) = (f.u16() as i16, f.u16() as i16, f.len());
            let info = UndoInfo {
                head: *head,
                operation: operation(oper),
                max_size,
                size_change,
                bookmark: f.bookmark(key, data),
                before: f.take(before),
            };
            info.encode()
        }
        37 | 93 => {
            let (key, data) = (f.len(), f.len());
            if kind == 37 {
                let (delta, offset) = (f.u32() as i32, f.u16());
                node::delta(head, f.bookmark(key, data), delta, offset)
            } else {
                let (delta, offset) = (f.u64() as i64, f.u16());
                node::delta64(head, f.bookmark(key, data), delta, offset)
            }
        }
        38 => {
            let len = f.len();
            node::set_external_header(head, f.take(len))
        }
        _ => {
            let (key, data, oper, level) = (f.len(), f.len(), f.u16(), f.u8());
            node::undo(head, operation(oper), level, f.bookmark(key, data))
        }
    }
    .unwrap()
}

fn database_path(text: &str, flags: u8) -> DatabasePath<'_> {
    DatabasePath {
        path: text,
        utf16: flags & 8 != 0,
        sparse: flags & 0x10 != 0,
    }
}

fn create_db(f: &mut Fields<'_>) -> Vec<u8> {
    let (procid, dbid, grbit, max_pages) = (f.u16(), f.u8(), f.u32(), f.u32());
    let (sign_db, len, flags) = (f.signature(), f.len(), f.u8());
    let version = (flags & 4 != 0).then(|| (f.u16(), f.u16()));
    let text = path(f.take(len));
    let record = CreateDb {
        procid,
        dbid,
        grbit,
        max_pages,
        sign_db,
        version,
        path: database_path(&text, flags),
    };
    record.encode().unwrap()
}

fn attach_db(f: &mut Fields<'_>) -> Vec<u8> {
    let (procid, dbid, max_pages, consistent) = (f.u16(), f.u8(), f.u32(), f.lgpos());
    let (sign_db, sign_log, len, flags) = (f.signature(), f.signature(), f.len(), f.u8());
    let text = path(f.take(len));
    let record = AttachDb {
        procid,
        dbid,
        max_pages,
        consistent,
        sign_db,
        sign_log,
        path: database_path(&text, flags),
    };
    record.encode().unwrap()
}

fn split(f: &mut Fields<'_>) -> Vec<u8> {
    let mut record = Split {
        head: f.page(),
        new: f.pgno(),
        right: f.pgno(),
        right_before: f.dbtime(),
        parent: f.pgno(),
        parent_before: f.dbtime(),
        pgno_fdp: f.pgno(),
        objid_fdp: f.objid(),
        split_type: f.u8(),
        operation: f.u8(),
        line_operation: f.u16(),
        line_split: f.u16(),
        lines: f.u16(),
        new_flags: f.u32(),
        split_flags: f.u32(),
        uncommitted_source: f.u16() as i16,
        uncommitted_new: f.u16() as i16,
        prefix_line_split: f.u32() as i32,
        prefix_line_new: f.u32() as i32,
        parent_key: &[],
        split_prefix: &[],
        new_prefix: &[],
        image: None,
    };
    let (old, new, key) = (f.len(), f.len(), f.len());
    let (flags, image) = f.image();
    record.parent_key = f.take(key);
    record.split_prefix = f.take(old);
    record.new_prefix = f.take(new);
    let bytes = f.take(image);
    record.image = Some(Image { flags, bytes });
    record.encode().unwrap()
}

fn merge(f: &mut Fields<'_>) -> Vec<u8> {
    let mut record = Merge {
        head: f.page(),
        right: f.pgno(),
        right_before: f.dbtime(),
        left: f.pgno(),
        left_before: f.dbtime(),
        parent: f.pgno(),
        parent_before: f.dbtime(),
        pgno_fdp: f.pgno(),
        objid_fdp: f.objid(),
        size_total: f.u16(),
        size_max_total: f.u16(),
        uncommitted_dest: f.u16(),
        line_merge: f.u16(),
        flags: f.u8(),
        merge_type: f.u8(),
        separator: &[],
        image: None,
    };
    let key = f.len();
    let (flags, image) = f.image();
    record.separator = f.take(key);
    let bytes = f.take(image);
    record.image = Some(Image { flags, bytes });
    record.encode().unwrap()
}

fn page_move(f: &mut Fields<'_>) -> Vec<u8> {
    let mut record = PageMove {
        head: f.page(),
        dest: f.pgno(),
        left: f.pgno(),
        right: f.pgno(),
        parent: f.pgno(),
        left_before: f.dbtime(),
        right_before: f.dbtime(),
        parent_before: f.dbtime(),
        pgno_fdp: f.pgno(),
        objid_fdp: f.objid(),
        line_parent: f.u32() as i32,
        flags: f.u32(),
        header: &[],
        trailer: &[],
    };
    let (header, trailer) = (f.u32() as usize, f.u32() as usize);
    record.header = f.take(header);
    record.trailer = f.take(trailer);
    record.encode().unwrap()
}

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
                        let counter = match again(&record.bytes) {
                            None => &mut other,
                            Some(made) if made == record.bytes => &mut same,
                            Some(_) => {
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
