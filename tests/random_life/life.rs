//! One life, from its seed.

use std::collections::BTreeSet;
use std::path::Path;

use exutil::damage::mend_headers;
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::format::ids::{Objid, PageSize, Pgno};

use super::common::content::tables_of;
use super::engine::{Run, TABLES};
use super::harm::harm;
use super::recovery::{change_header, header_of};
use super::repairing::{Records, open, records};
use super::samples::Noise;
use super::scatter::scatter;
use super::{birth, crash, steps};

/// What a life has been through.
#[derive(Debug, Default)]
pub struct Story {
    /// Names of its steps.
    pub steps: Vec<&'static str>,
    /// In words.
    pub told: Vec<String>,
}

impl Story {
    fn begin(&mut self, step: &'static str, told: String) {
        self.steps.push(step);
        self.told.push(told);
    }

    /// Leaves a database of this step for who looks for the cause of a failure: `EXUTIL_RANDOM_KEEP` names a folder.
    fn keep(&self, name: &str, bytes: &[u8]) {
        if let Some(folder) = std::env::var_os("EXUTIL_RANDOM_KEEP") {
            let name = format!("{}-{name}.edb", self.steps.len());
            std::fs::write(Path::new(&folder).join(name), bytes).unwrap();
        }
    }

    fn end(&mut self, told: &str) {
        if let Some(last) = self.told.last_mut() {
            last.push_str(" -> ");
            last.push_str(told);
        }
    }
}

/// A table's name and its rows as text.
type Tables = Vec<(String, String)>;

struct Life<'s> {
    noise: Noise,
    story: &'s mut Story,
    /// The database, clean and sound.
    bytes: Vec<u8>,
    /// The live writer, as long as the database is one that it can go on with.
    writer: Option<Box<Run>>,
    is_store: bool,
}

/// Lives the life of a seed; panics when something is not as it must be.
pub fn live(seed: u64, story: &mut Story) {
    let mut noise = Noise::new(seed);
    let mut life = Life {
        bytes: Vec::new(),
        writer: None,
        is_store: false,
        story,
        noise: Noise::new(noise.next()),
    };
    life.begin();
    for _ in 0..=noise.below(3) {
        life.go_on();
    }
}

impl Life<'_> {
    fn begin(&mut self) {
        match self.noise.below(8) {
            0 => {
                let (bytes, told) = birth::store(&mut self.noise);
                self.bytes = bytes;
                self.is_store = true;
                self.story.begin("store", told);
                self.story.keep("store", &self.bytes);
                steps::sound_bytes(&self.bytes, "the builder");
            }
            1..=3 => {
                let (bytes, mut told) = birth::built(&mut self.noise);
                self.bytes = bytes;
                if self.noise.below(2) == 0 {
                    told.push_str(", scattered");
                    let bytes = std::mem::take(&mut self.bytes);
                    self.bytes = scatter(bytes, self.noise.next()).unwrap();
                }
                self.story.begin("built", told);
                self.story.keep("built", &self.bytes);
                steps::sound_bytes(&self.bytes, "the builder");
            }
            _ => {
                let (run, told) = birth::engine(&mut self.noise);
                self.story.begin("engine", told);
                self.work(Box::new(run));
            }
        }
    }

    fn go_on(&mut self) {
        match self.noise.below(6) {
            0 | 1 => self.defragment(),
            2 | 3 => self.damage(),
            _ if self.is_store => self.test(),
            _ => match self.writer.take() {
                Some(run) => self.reopen(run),
                None => self.damage(),
            },
        }
    }

    fn tables(&self) -> Tables {
        tables_of(&open(self.bytes.clone()))
    }

    /// The writer works until something happens to it.
    fn work(&mut self, mut run: Box<Run>) {
        let first = run.live.crash(0, exutil::build::logs::Tail::Whole).unwrap();
        let others = others(&open(first.original));
        let most = if run.kind.page_size.bytes() > 8192 {
            300
        } else {
            800
        };
        run.steps(most);
        if self.noise.below(4) == 0 {
            run.settle();
        }
        run.steps(60);
        run.sound();
        match self.noise.below(8) {
            0..=3 => {
                let state = run.crash();
                let (files, told) = crash::crashed(&state, &mut self.noise);
                self.story.begin("recovered", told.to_owned());
                let verify = |path: &Path| {
                    crash::holds(path, &state.model);
                    same_others(path, &others);
                };
                self.story.keep("crashed", &files[steps::LIVE]);
                let (bytes, told) = steps::recover(&files, &mut self.noise, &verify);
                self.bytes = bytes;
                self.story.end(&told);
                self.writer = Some(run);
            }
            4..=6 => {
                self.story.begin("restored", String::new());
                let (backup, model, told) = crash::backed_up(&mut run, &mut self.noise);
                self.story.end(told);
                let verify = |path: &Path| {
                    crash::holds(path, &model);
                    same_others(path, &others);
                };
                self.story.keep("copy", &backup.set[steps::LIVE]);
                let (bytes, told) = steps::restore(&backup, &mut self.noise, &verify);
                self.bytes = bytes;
                self.story.end(&told);
                self.writer = Some(run);
            }
            _ => {
                self.story
                    .begin("logs lost", "a crash, its logs lost".to_owned());
                let state = run.crash();
                self.story.keep("crashed", &state.database);
                let repaired = steps::repaired(&state.database, None, &mut self.noise);
                self.story.end(&repaired.told);
                assert!(repaired.anew, "p of a dirty database");
                let now = self::others(&open(repaired.bytes.clone()));
                assert_same_tables(&now, &others, "tables that nobody touched");
                self.bytes = repaired.bytes;
            }
        }
    }

    /// The writer goes on with what was recovered.
    fn reopen(&mut self, mut run: Box<Run>) {
        let log_bytes = [24, 48, 200][self.noise.below(3) as usize] << 10;
        let Some(roots) = roots(&open(self.bytes.clone())) else {
            return self.defragment();
        };
        let mut bytes = self.bytes.clone();
        let random = self.noise.next() as u32;
        change_header(&mut bytes, |header| {
            if !header.sign_log.is_set() {
                header.sign_log = header.sign_db;
                header.sign_log.random = random;
            }
        });
        self.story.begin("went on", "went on".to_owned());
        run.reopen(bytes, &roots, log_bytes);
        self.work(run);
    }

    fn defragment(&mut self) {
        self.writer = None;
        self.story.begin("defragmented", "d".to_owned());
        self.story.keep("before", &self.bytes);
        let before = self.tables();
        let same = |path: &Path| {
            let now = tables_of(&Database::open(path, None).unwrap());
            assert_same_tables(&now, &before, "d");
        };
        let (bytes, told) = steps::defragmented(&self.bytes, &mut self.noise, &same);
        self.story.end(&told);
        let revision = |bytes: &[u8]| {
            let header = header_of(bytes).unwrap();
            (header.page_size, header.update_major, header.update_minor)
        };
        assert_eq!(revision(&bytes), revision(&self.bytes), "d");
        self.bytes = bytes;
    }

    fn damage(&mut self) {
        self.writer = None;
        let clean = open(self.bytes.clone());
        let size = clean.page_size();
        let before = records(&clean);
        let whole = whole_tables(&clean);
        let mut bytes = self.bytes.clone();
        let (changed, mut told) = harm(&mut bytes, self.noise.next());
        let forced = match self.noise.below(6) {
            0 => {
                told.push_str(", dirty");
                make_dirty(&mut bytes, size);
                None
            }
            1 => {
                told.push_str(", no header");
                bytes[..2 * size.bytes()].fill(0);
                Some(size)
            }
            _ => None,
        };
        self.story.begin("repaired", format!("damage: {told}"));
        self.story.keep("before", &self.bytes);
        self.story.keep("damaged", &bytes);
        let mut repaired = steps::repaired(&bytes, forced, &mut self.noise);
        self.story.end(&repaired.told);
        self.bytes = std::mem::take(&mut repaired.bytes);
        let after = records(&open(self.bytes.clone()));
        let mut before = before;
        if repaired.dropped {
            before.retain(|objid, _| whole.contains(objid));
        }
        nothing_lost((&before, &whole), &changed, &after);
    }

    fn test(&mut self) {
        self.story.begin("tested", "isinteg".to_owned());
        self.story.keep("before", &self.bytes);
        let (bytes, told) = steps::tested(&self.bytes, &mut self.noise);
        self.story.end(&told);
        self.bytes = bytes;
    }
}

fn make_dirty(bytes: &mut [u8], size: PageSize) {
    const STATE: usize = 52;
    for copy in bytes.chunks_exact_mut(size.bytes()).take(2) {
        copy[STATE] = 2;
    }
    mend_headers(bytes, size);
}

/// Tables that the writer does not touch.
fn others(db: &Database) -> Tables {
    let mut tables = tables_of(db);
    tables.retain(|(name, _)| !TABLES.contains(&&**name));
    tables
}

fn same_others(path: &Path, want: &Tables) {
    let now = others(&Database::open(path, None).unwrap());
    assert_same_tables(&now, want, "tables that nobody touched");
}

#[track_caller]
fn assert_same_tables(have: &Tables, want: &Tables, what: &str) {
    let names =
        |tables: &Tables| -> Vec<String> { tables.iter().map(|(name, _)| name.clone()).collect() };
    assert_eq!(names(have), names(want), "{what}");
    for ((name, have), (_, want)) in have.iter().zip(want) {
        let line = have.lines().zip(want.lines()).find(|(a, b)| a != b);
        assert!(
            have == want,
            "{what}: {name}: {line:?}, {} lines for {}",
            have.lines().count(),
            want.lines().count()
        );
    }
}

/// Where the writer's tables are now.
fn roots(db: &Database) -> Option<Vec<(Pgno, Objid)>> {
    let schema = Schema::read(db);
    let root = |name: &&str| {
        let table = schema.table(name)?;
        Some((table.root, table.objid))
    };
    TABLES.iter().map(root).collect()
}

/// Tables whose records hold all of their values.
fn whole_tables(db: &Database) -> BTreeSet<Objid> {
    let schema = Schema::read(db);
    let whole = schema.tables.values();
    let whole = whole.filter(|table| table.long_values.is_none());
    whole.map(|table| table.objid).collect()
}

/// Every record of a page that was left alone is still there; and is what it was, where nothing of it lies elsewhere.
fn nothing_lost(
    (before, whole): (&Records, &BTreeSet<Objid>),
    changed: &BTreeSet<Pgno>,
    after: &Records,
) {
    for (objid, records) in before {
        for (key, (pgno, data)) in records {
            if changed.contains(pgno) {
                continue;
            }
            let now = after.get(objid).and_then(|table| table.get(key));
            let Some((_, now)) = now else {
                panic!("object {objid}: page {pgno} lost {key:x?}");
            };
            assert!(
                now == data || !whole.contains(objid),
                "object {objid}: page {pgno}: record {key:x?} is another: {now:x?} for {data:x?}"
            );
        }
    }
}
