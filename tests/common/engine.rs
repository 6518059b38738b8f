//! The live writer at random work, for tests of what becomes of a database that it leaves.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::BTreeMap;
use std::io::Cursor;

use exutil::build::live::{BackupForm, BackupSet, CrashState, Done, Live, LiveRows};
use exutil::build::logs::{LogFormat, Tail};
use exutil::build::{DatabaseBuilder, TableInfo};
use exutil::format::ids::{Objid, Pgno};
use exutil::format::logrec::ProcId;
use exutil::format::page::Page;

use super::kinds::Kind;
use super::samples::{self, Noise};

/// Sessions of the writer.
pub const SESSIONS: [ProcId; 3] = [ProcId(5), ProcId(9), ProcId(0x0B)];
/// Its tables.
pub const TABLES: [&str; 2] = ["large", "small"];

/// A run of the writer.
pub struct Run {
    pub kind: Kind,
    pub noise: Noise,
    rows: Vec<LiveRows>,
    pub live: Live,
    roots: Vec<Pgno>,
    /// Names that were used, for each table.
    names: Vec<Vec<Vec<u8>>>,
    /// The data that a key was written with last.
    written: BTreeMap<(usize, Vec<u8>), Vec<u8>>,
}

fn name(noise: &mut Noise) -> Vec<u8> {
    // A long name makes pointers long, and so trees deep.
    let long = format!("Top/Inbox/{}/", "Project alpha ".repeat(8));
    let folders = ["", "Top/Inbox/", &long, &long, "Top/Outbox/", "zz"];
    let folder = folders[noise.below(6) as usize];
    format!("{folder}{:05}", noise.below(90_000)).into_bytes()
}

/// What the database is like when the writer begins.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Pages of the tables' first extents.
    pub extents: [u32; 2],
    /// Free pages at the end.
    pub spare: u32,
    /// Bytes of a log file, at least.
    pub log_bytes: usize,
}

impl Run {
    pub fn new(kind: Kind, seed: u64) -> Self {
        let shape = Shape {
            extents: [150, 5],
            spare: 500,
            log_bytes: 48 << 10,
        };
        Self::with(kind, seed, shape, |_| {})
    }

    /// A run on a database that has other tables beside its own: `more` makes them.
    pub fn with(
        kind: Kind,
        seed: u64,
        shape: Shape,
        more: impl FnOnce(&mut DatabaseBuilder<Cursor<Vec<u8>>>),
    ) -> Self {
        let mut noise = Noise::new(seed);
        let mut options = samples::options(kind.page_size, kind.major, seed as u32).unwrap();
        options.spare_pages = shape.spare;
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let rows: Vec<LiveRows> = TABLES
            .iter()
            .zip(shape.extents)
            .map(|(name, pages)| LiveRows::new(name, pages, kind.page_size))
            .collect();
        let mut roots: Vec<(Pgno, Objid)> = Vec::new();
        let mut names = Vec::new();
        for (at, table) in rows.iter().enumerate() {
            // Some trees have several levels from the start.
            let many = kind.page_size.bytes() <= 4096 && noise.below(2) == 0;
            let most = if many { 1600 } else { 120 };
            let count = [noise.below(most), noise.below(4)][at];
            let mut all: Vec<Vec<u8>> = (0..count).map(|_| name(&mut noise)).collect();
            all.sort();
            all.dedup();
            let mut made = Vec::new();
            for name in &all {
                let len = noise.below(60) as usize;
                made.push(table.row(name, 1, 2, &noise.bytes(len)));
            }
            let info: TableInfo = builder.add_table(table.table(), made).unwrap();
            roots.push((info.root, info.objid));
            names.push(all);
        }
        more(&mut builder);
        let file = builder.finish().unwrap().0.into_inner();
        let options = kind.live_options(shape.log_bytes, seed);
        let live = Live::open(file, &roots, options).unwrap();
        Self {
            kind,
            noise,
            rows,
            live,
            roots: roots.iter().map(|(root, _)| *root).collect(),
            names,
            written: BTreeMap::new(),
        }
    }

    /// Goes on with a clean database in which the tables have these roots, with a log that begins there.
    pub fn reopen(&mut self, file: Vec<u8>, roots: &[(Pgno, Objid)], log_bytes: usize) {
        let options = self.kind.live_options(log_bytes, self.noise.next());
        self.live = Live::open(file, roots, options).unwrap();
        self.roots = roots.iter().map(|(root, _)| *root).collect();
    }

    fn body(&mut self) -> Vec<u8> {
        let most = match self.noise.below(4) {
            0 => self.kind.page_size.bytes() as u64 / 5,
            1 => self.kind.page_size.bytes() as u64 / 12,
            _ => 60,
        };
        let len = self.noise.below(most) as usize;
        self.noise.bytes(len)
    }

    fn some_name(&mut self, table: usize) -> Vec<u8> {
        let known = &self.names[table];
        if known.is_empty() || self.noise.below(12) == 0 {
            return name(&mut self.noise);
        }
        known[self.noise.below(known.len() as u64) as usize].clone()
    }

    fn node(&mut self, table: usize, name: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let body = self.body();
        let count = self.noise.below(1000) as i32;
        self.rows[table].node(name, count, -5, &body).unwrap()
    }

    /// Deletes neighbours, so that whole leaves become empty.
    fn delete_many(&mut self, session: ProcId, table: usize) {
        let content = self.live.content(table).unwrap();
        let from = self.noise.below(content.len() as u64 + 1) as usize;
        let most = self.noise.below(50) as usize;
        for key in content.keys().skip(from).take(most) {
            self.live.delete(session, table, key).unwrap();
        }
        while self.live.level(session) > 0 {
            self.live.commit(session).unwrap();
        }
        for _ in 0..8 {
            self.live.merge_some(table).unwrap();
        }
    }

    /// One random thing.
    pub fn step(&mut self) {
        let table = usize::from(self.noise.below(3) == 0);
        let session = SESSIONS[self.noise.below(3) as usize];
        let level = self.live.level(session);
        if level == 0 || self.noise.below(25) == 0 {
            self.live.begin(session).unwrap();
        }
        match self.noise.below(40) {
            0..=11 => {
                let new = match self.noise.below(3) {
                    // Mostly at the end, as records come in.
                    0 => format!("zzz{:08}", self.live.keepable().1).into_bytes(),
                    _ => name(&mut self.noise),
                };
                let (key, data) = self.node(table, &new);
                if self.live.insert(session, table, &key, &data).unwrap() == Done::Yes {
                    self.names[table].push(new);
                    self.written.insert((table, key), data);
                }
            }
            12..=15 => {
                // A name that may have been deleted; perhaps it comes back as it was.
                let name = self.some_name(table);
                let (key, mut data) = self.node(table, &name);
                let written = self.written.get(&(table, key.clone()));
                if let Some(written) = written.filter(|_| self.noise.below(2) == 0) {
                    data.clone_from(written);
                }
                self.live.insert(session, table, &key, &data).unwrap();
            }
            16..=22 => {
                let name = self.some_name(table);
                let (key, data) = self.node(table, &name);
                self.live.replace(session, table, &key, &data).unwrap();
            }
            23..=25 => {
                let name = self.some_name(table);
                let (key, _) = self.node(table, &name);
                let wide =
                    matches!(self.kind.format, LogFormat::Segments) && self.noise.below(2) == 0;
                let offset = if wide {
                    LiveRows::SUM_OFFSET
                } else {
                    LiveRows::COUNT_OFFSET
                };
                let by = self.noise.below(100) as i64 - 50;
                self.live
                    .add(session, table, &key, (by, offset, wide))
                    .unwrap();
            }
            26..=30 => {
                for _ in 0..self.noise.below(6) {
                    let name = self.some_name(table);
                    let (key, _) = self.node(table, &name);
                    self.live.delete(session, table, &key).unwrap();
                }
            }
            31 if self.noise.below(3) == 0 => self.delete_many(session, table),
            31 => {
                self.live.clean_up(table).unwrap();
            }
            32 | 33 => {
                self.live.merge_some(table).unwrap();
            }
            34 => {
                if self.noise.below(3) == 0 {
                    self.live.split_some(session, table).unwrap();
                }
            }
            35 => self.live.flush_log().unwrap(),
            _ => {
                if self.noise.below(4) == 0 {
                    self.live.rollback(session).unwrap();
                } else {
                    self.live.commit(session).unwrap();
                }
            }
        }
        if self.noise.below(6) == 0 {
            let dirty = self.live.dirty_pages();
            if !dirty.is_empty() {
                let page = dirty[self.noise.below(dirty.len() as u64) as usize];
                self.live.flush_page(page).unwrap();
            }
        }
        if self.noise.below(300) == 0 {
            for page in self.live.dirty_pages() {
                self.live.flush_page(page).unwrap();
            }
        }
    }

    /// The writer's own trees must be sound, or nothing that follows means anything.
    pub fn sound(&self) {
        for root in &self.roots {
            self.sound_page(*root, &[], &[]);
        }
    }

    fn sound_page(&self, pgno: Pgno, low: &[u8], high: &[u8]) {
        let page = Page::new(self.live.page(pgno).unwrap(), self.kind.page_size).unwrap();
        let keys: Vec<Vec<u8>> = page.nodes().map(|node| node.unwrap().key()).collect();
        for pair in keys.windows(2) {
            assert!(
                pair[0] < pair[1] || pair[1].is_empty(),
                "page {pgno} {keys:?}"
            );
        }
        if page.flags().is_leaf() {
            let last = keys
                .last()
                .is_some_and(|last| !high.is_empty() && last[..] >= *high);
            let first = keys.first().is_some_and(|first| first[..] < *low);
            assert!(!first && !last, "leaf {pgno} {keys:?}");
            return;
        }
        assert_eq!(keys.last().unwrap(), high, "page {pgno}");
        let mut low = low.to_vec();
        for (node, key) in page.nodes().zip(&keys) {
            let child = u32::from_le_bytes(node.unwrap().data.try_into().unwrap());
            self.sound_page(Pgno::new(child), &low, key);
            low.clone_from(key);
        }
    }

    pub fn crash(&mut self) -> CrashState {
        let (low, high) = self.live.keepable();
        let keep = low + self.noise.below((high - low + 1) as u64) as usize;
        let tails = [Tail::Whole, Tail::Shadow, Tail::ShadowOnly];
        let tail = tails[self.noise.below(3) as usize];
        self.live.crash(keep, tail).unwrap()
    }

    /// Ends all transactions and writes all pages, so that a recovery can begin late.
    pub fn settle(&mut self) {
        for session in SESSIONS {
            while self.live.level(session) > 0 {
                self.live.commit(session).unwrap();
            }
        }
        for page in self.live.dirty_pages() {
            self.live.flush_page(page).unwrap();
        }
    }

    /// Up to so many random things.
    pub fn steps(&mut self, most: u64) {
        for _ in 0..self.noise.below(most) {
            self.step();
        }
    }

    /// A backup in the middle of the work.
    pub fn backup(&mut self, form: BackupForm) -> BackupSet {
        self.live.begin_backup(form).unwrap();
        while self
            .live
            .copy_pages(1 + self.noise.below(20) as usize)
            .unwrap()
            > 0
        {
            self.steps(6);
        }
        self.steps(30);
        self.live.end_backup().unwrap()
    }
}
