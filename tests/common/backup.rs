//! Backups that the live writer makes while it works, for tests of what becomes of them.

#![allow(dead_code, reason = "no test binary uses all of it")]

#[path = "kinds.rs"]
pub mod kinds;

use std::io::Cursor;
use std::path::Path;

use exutil::build::DatabaseBuilder;
use exutil::build::live::{BackupForm, BackupSet, Content, Live, LiveRows};
use exutil::check::{CheckOptions, check};
use exutil::db::Database;
use exutil::format::logrec::ProcId;
use exutil::problem::Problem;
use exutil::progress::Silent;
use exutil::tree::walk::{Descent, Visit};

use super::samples::{self, Noise};
#[allow(unused_imports, reason = "not every test takes both")]
pub use kinds::{Kind, WITH_IMAGES, WITHOUT_IMAGES};

/// Sessions of the writer.
const SESSIONS: [ProcId; 3] = [ProcId(5), ProcId(9), ProcId(0x0B)];
/// Its tables.
pub const TABLES: [&str; 2] = ["large", "small"];

/// A run of the writer.
pub struct Run {
    pub kind: Kind,
    pub noise: Noise,
    rows: Vec<LiveRows>,
    pub live: Live,
    /// Names that were used, for each table.
    names: [Vec<Vec<u8>>; 2],
}

impl Run {
    pub fn new(kind: Kind, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let mut options = samples::options(kind.page_size, kind.major, seed as u32).unwrap();
        options.spare_pages = 300;
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let rows = vec![
            LiveRows::new(TABLES[0], 100, kind.page_size),
            LiveRows::new(TABLES[1], 5, kind.page_size),
        ];
        let mut roots = Vec::new();
        let mut names = [Vec::new(), Vec::new()];
        for (at, table) in rows.iter().enumerate() {
            names[at] = (0..[600, 3][at]).map(|n| name(n * 140)).collect();
            let body = kind.page_size.bytes() / 40;
            let made = names[at]
                .iter()
                .map(|name| table.row(name, 1, 2, &noise.bytes(body)));
            let info = builder.add_table(table.table(), made).unwrap();
            roots.push((info.root, info.objid));
        }
        let file = builder.finish().unwrap().0.into_inner();
        let options = kind.live_options(24 << 10, seed);
        let live = Live::open(file, &roots, options).unwrap();
        Self {
            kind,
            noise,
            rows,
            live,
            names,
        }
    }

    /// One random thing.
    fn step(&mut self) {
        let table = usize::from(self.noise.below(4) == 0);
        let session = SESSIONS[self.noise.below(3) as usize];
        if self.live.level(session) == 0 {
            self.live.begin(session).unwrap();
        }
        let most = self.kind.page_size.bytes() as u64 / 8;
        let len = self.noise.below(most) as usize;
        let body = self.noise.bytes(len);
        let name = name(self.noise.below(90_000) as usize);
        let (key, data) = self.rows[table].node(&name, 7, -5, &body).unwrap();
        match self.noise.below(40) {
            0..=14 => {
                self.live.insert(session, table, &key, &data).unwrap();
                self.names[table].push(name);
            }
            15..=17 => {
                let key = self.live.content(table).unwrap().into_keys().next();
                if let Some(key) = key {
                    let add = (3, LiveRows::COUNT_OFFSET, false);
                    self.live.add(session, table, &key, add).unwrap();
                }
            }
            18..=21 => {
                let names = &self.names[table];
                let name = &names[self.noise.below(names.len() as u64) as usize];
                let (key, data) = self.rows[table].node(name, 8, -6, &body).unwrap();
                self.live.replace(session, table, &key, &data).unwrap();
            }
            22 => self.delete_many(session, table),
            23 => {
                self.live.clean_up(table).unwrap();
            }
            24..=27 => {
                self.live.merge_some(table).unwrap();
            }
            28..=30 => {
                self.live.split_some(session, table).unwrap();
            }
            31 => self.live.flush_log().unwrap(),
            32 => self.live.rollback(session).unwrap(),
            _ => self.live.commit(session).unwrap(),
        }
        if self.noise.below(3) == 0 {
            let dirty = self.live.dirty_pages();
            if !dirty.is_empty() {
                let page = dirty[self.noise.below(dirty.len() as u64) as usize];
                self.live.flush_page(page).unwrap();
            }
        }
        if self.noise.below(200) == 0 {
            for page in self.live.dirty_pages() {
                self.live.flush_page(page).unwrap();
            }
        }
    }

    /// Deletes neighbours, so that whole leaves become empty and their pages free.
    fn delete_many(&mut self, session: ProcId, table: usize) {
        let content = self.live.content(table).unwrap();
        let from = self.noise.below(content.len() as u64 + 1) as usize;
        for key in content.keys().skip(from).take(40) {
            self.live.delete(session, table, key).unwrap();
        }
        while self.live.level(session) > 0 {
            self.live.commit(session).unwrap();
        }
        for _ in 0..8 {
            self.live.merge_some(table).unwrap();
        }
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

    pub fn steps(&mut self, most: u64) {
        for _ in 0..self.noise.below(most) {
            self.step();
        }
    }

    /// A backup in the middle of the work.
    pub fn backup(&mut self, form: BackupForm) -> BackupSet {
        self.live.begin_backup(form).unwrap();
        loop {
            let pages = 1 + self.noise.below(4) as usize;
            if self.live.copy_pages(pages).unwrap() == 0 {
                break;
            }
            self.steps(6);
        }
        self.steps(30);
        self.live.end_backup().unwrap()
    }
}

fn name(number: usize) -> Vec<u8> {
    format!("Top/{number:08}").into_bytes()
}

/// Says what is wrong with a database that should hold `model`.
pub fn compare(path: &Path, model: &[Content]) -> Result<(), String> {
    let db = Database::open(path, None).map_err(|error| error.to_string())?;
    for (table, model) in TABLES.iter().zip(model) {
        let found = content(&db, table)?;
        let wrong = |(key, data): &(&Vec<u8>, &Vec<u8>)| found.get(*key) != Some(*data);
        let lost = model.iter().filter(wrong).count();
        if lost > 0 || found.len() != model.len() {
            return Err(format!(
                "{table}: {lost} nodes are wrong, {} for {}",
                found.len(),
                model.len()
            ));
        }
    }
    let report = check(&db, None, &CheckOptions::default(), &Silent);
    let leaks = |problem| problem == Problem::SpaceLeaked;
    match report
        .findings
        .iter()
        .find(|finding| !leaks(finding.problem))
    {
        Some(finding) => Err(format!("{finding:?}")),
        None => Ok(()),
    }
}

fn content(db: &Database, table: &str) -> Result<Content, String> {
    let schema = exutil::db::catalog::Schema::read(db);
    let found = schema.tables.values().find(|found| found.name == table);
    let root = found.ok_or("no table")?.root;
    let mut nodes = Content::new();
    let mut wrong = None;
    Descent::new(db, root).walk(&mut |visit| match visit {
        Visit::Leaf(_, page) => {
            for node in page.nodes().flatten() {
                if !node.flags.is_deleted() {
                    nodes.insert(node.key(), node.data.to_vec());
                }
            }
        }
        Visit::Internal(..) => {}
        Visit::Failed(pgno, _, failure) => wrong = Some(format!("page {pgno}: {failure}")),
    });
    wrong.map_or(Ok(nodes), Err)
}
