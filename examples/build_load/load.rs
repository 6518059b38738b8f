//! The load: what is done to which node, kept in step with the pages.

use exutil::build::logs::LogBuilder;
use exutil::format::ids::{DbTime, Objid, Pgno};
use exutil::format::logrec::{
    DbId, NodeHead, PageHead, ProcId, RceId, Record, RecordKind, Replace, TrxId,
};
use exutil::format::logwrite::control::{begin0, commit0};
use exutil::format::logwrite::encode;
use exutil::format::page::{NodeFlags, Page, PageMut};

use super::{Outcome, SIZE};

/// Sessions that work in turn.
const SESSIONS: u16 = 8;
/// The session of a transaction that is made by itself.
const LONG: ProcId = ProcId(90);
/// Keys that the rows were built with; longer ones were inserted by the load.
const BUILT_KEY: usize = 5;
/// Same length, the count in two bytes: flags in the header of a difference. [log notes 6.7]
const SAME_LENGTH_WIDE_COUNT: u16 = 0xA000;

/// The tree that is changed.
pub struct Tree {
    pub root: Pgno,
    pub objid: Objid,
    pub leaves: Vec<(Pgno, Vec<u8>)>,
}

/// Pages as they are behind the last record.
pub struct Load {
    root: Pgno,
    objid: Objid,
    pages: Vec<(Pgno, Vec<u8>)>,
    dbtime: u64,
    rceid: u32,
    trx: u32,
    noise: u64,
    inserted: u32,
    /// Steps that are left in each session's transaction.
    left: [u32; SESSIONS as usize],
    trxs: [TrxId; SESSIONS as usize],
}

/// What is done to a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    ReplaceD,
    Replace,
    Insert,
    FlagDelete,
    Delete,
}

impl Load {
    pub fn new(tree: Tree, dbtime: DbTime) -> Self {
        Self {
            root: tree.root,
            objid: tree.objid,
            pages: tree.leaves,
            dbtime: dbtime.get() + 1,
            rceid: 1,
            trx: 1,
            noise: 0x9E37_79B9_7F4A_7C15,
            inserted: 0,
            left: [0; SESSIONS as usize],
            trxs: [TrxId(0); SESSIONS as usize],
        }
    }

    pub fn into_pages(self) -> Vec<(Pgno, Vec<u8>)> {
        self.pages
    }

    fn below(&mut self, limit: usize) -> usize {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 11) as usize % limit
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let seed = self.below(251);
        (0..len).map(|at| (at * 7 + seed) as u8).collect()
    }

    /// Short transactions until `bytes` of records are written; all are committed then.
    pub fn run(&mut self, logs: &mut LogBuilder, bytes: u64) -> Outcome<()> {
        let mut written = 0;
        let mut ending = false;
        while !ending || self.left.iter().any(|left| *left > 0) {
            ending = written >= bytes;
            let session = self.below(SESSIONS.into());
            let procid = ProcId(10 + session as u16);
            if self.left[session] == 0 {
                if ending {
                    continue;
                }
                self.trx += 2;
                self.trxs[session] = TrxId(self.trx);
                self.left[session] = 4 + self.below(8) as u32;
                logs.append(&begin0(procid, 1, TrxId(self.trx)))?;
                continue;
            }
            self.left[session] -= 1;
            let trx = self.trxs[session];
            if self.left[session] == 0 {
                logs.append(&commit0(procid, TrxId(trx.0 + 1)))?;
            } else {
                let step = match self.below(100) {
                    0..45 => Step::ReplaceD,
                    45..60 => Step::Replace,
                    60..80 => Step::Insert,
                    80..90 => Step::FlagDelete,
                    _ => Step::Delete,
                };
                let record = self.step(procid, trx, step)?;
                written += record.len() as u64;
                logs.append(&record)?;
            }
        }
        Ok(())
    }

    /// One transaction of so many changes.
    pub fn transaction(&mut self, logs: &mut LogBuilder, steps: u32, commits: bool) -> Outcome<()> {
        if steps == 0 {
            return Ok(());
        }
        self.trx += 2;
        let trx = TrxId(self.trx);
        logs.append(&begin0(LONG, 1, trx))?;
        for number in 0..steps {
            let step = if number % 4 == 3 {
                Step::Insert
            } else {
                Step::ReplaceD
            };
            logs.append(&self.step(LONG, trx, step)?)?;
        }
        if commits {
            logs.append(&commit0(LONG, TrxId(trx.0 + 1)))?;
        }
        Ok(())
    }

    /// The record of a step, which is done to the page, too. What does not suit a page becomes a ReplaceD.
    fn step(&mut self, procid: ProcId, trx: TrxId, step: Step) -> Outcome<Vec<u8>> {
        let place = self.below(self.pages.len());
        let count = view(&self.pages[place].1).node_count();
        let start = self.below(count);
        let line = self.suitable(place, start, step);
        let (line, step) = line.map_or((start, Step::ReplaceD), |line| (line, step));
        self.dbtime += 1;
        self.rceid += 2;
        let (pgno, before) = (self.pages[place].0, view(&self.pages[place].1).dbtime());
        let versioned = if step == Step::Delete {
            0
        } else {
            PageHead::FLAG_VERSIONED
        };
        let head = NodeHead {
            page: PageHead {
                kind: RecordKind::INSERT,
                procid,
                dbid: DbId(1),
                pgno,
                after: DbTime::new(self.dbtime),
                before,
                trx,
                level: 1,
                line: line as u16,
                flags: PageHead::FLAG_UNIQUE | versioned,
            },
            rceid: RceId(if step == Step::Delete { 0 } else { self.rceid }),
            pgno_fdp: self.root,
            objid: self.objid,
        };
        let record = self.change(place, head, step)?;
        let mut page = PageMut::new(&mut self.pages[place].1, SIZE).ok_or("page size")?;
        page.set_dbtime(head.page.after);
        Ok(record)
    }

    /// The next node from `start` on that a step suits.
    fn suitable(&self, place: usize, start: usize, step: Step) -> Option<usize> {
        let page = view(&self.pages[place].1);
        let count = page.node_count();
        let node = |line: usize| page.node(line).ok();
        let deleted = |line| node(line).is_some_and(|n| n.flags.bits() & NodeFlags::DELETED != 0);
        let mut lines = (0..count).map(|step| (start + step) % count);
        match step {
            Step::ReplaceD => Some(start),
            Step::Replace => (page.free() > 500).then_some(start),
            Step::Insert if page.free() < 500 => None,
            // Behind a row that was built, so that the new key is below the next one.
            Step::Insert => lines.find_map(|line| {
                let built = node(line).is_some_and(|node| node.key_len() == BUILT_KEY);
                (built && line + 1 < count).then_some(line + 1)
            }),
            Step::FlagDelete => lines.find(|line| !deleted(*line)),
            Step::Delete => lines.find(|line| count > 8 && deleted(*line)),
        }
    }

    fn change(&mut self, place: usize, head: NodeHead, step: Step) -> Outcome<Vec<u8>> {
        let line = usize::from(head.page.line);
        let page = view(&self.pages[place].1);
        let node = page.node(line)?;
        let old = node.data.to_vec();
        let flags = node.flags.bits();
        let mut new_flags = flags | NodeFlags::VERSION;
        let mut changed = None;
        let record = match step {
            Step::ReplaceD => {
                let len = (20 + self.below(180)).min(old.len());
                let at = self.below(old.len() - len + 1);
                let bytes = self.bytes(len);
                let mut diff = (at as u16 | SAME_LENGTH_WIDE_COUNT).to_le_bytes().to_vec();
                diff.extend_from_slice(&(len as u16).to_le_bytes());
                diff.extend_from_slice(&bytes);
                let mut new = old.clone();
                new[at..at + len].copy_from_slice(&bytes);
                let record = encode(&replace(head, &old, &new, &diff, Some(false)))?;
                changed = Some(new);
                record
            }
            Step::Replace => {
                let len = 50 + self.below(300);
                let new = self.bytes(len);
                let record = encode(&replace(head, &old, &new, &new, None))?;
                changed = Some(new);
                record
            }
            Step::Insert => {
                self.inserted += 1;
                let mut key = page.node(line - 1)?.key();
                key.extend_from_slice(&(u32::MAX - self.inserted).to_be_bytes());
                let len = 50 + self.below(300);
                let data = self.bytes(len);
                let record = encode(&Record::Insert(head, &[], &key, &data))?;
                let mut page = PageMut::new(&mut self.pages[place].1, SIZE).ok_or("page size")?;
                page.insert_node(line, 0, &key, &data, NodeFlags::VERSION)?;
                return Ok(record);
            }
            Step::FlagDelete => {
                new_flags |= NodeFlags::DELETED;
                encode(&Record::FlagDelete(head))?
            }
            Step::Delete => {
                let mut page = PageMut::new(&mut self.pages[place].1, SIZE).ok_or("page size")?;
                page.delete_node(line);
                return Ok(encode(&Record::Delete(head))?);
            }
        };
        let mut page = PageMut::new(&mut self.pages[place].1, SIZE).ok_or("page size")?;
        if let Some(new) = changed {
            page.replace_data(line, &new)?;
        }
        page.set_node_flags(line, new_flags);
        Ok(record)
    }
}

fn replace<'a>(
    head: NodeHead,
    old: &[u8],
    new: &[u8],
    data: &'a [u8],
    diff: Option<bool>,
) -> Record<'a> {
    let replace = Replace {
        old_len: old.len() as u16,
        new_len: new.len() as u16,
        data,
        diff,
    };
    Record::Replace(head, replace)
}

fn view(bytes: &[u8]) -> Page<'_> {
    Page::new(bytes, SIZE).expect("pages are read with their size")
}
