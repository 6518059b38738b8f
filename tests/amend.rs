//! Amendments: values of rows are changed and rows go, everything else stays, and the way back is there.

mod common;
#[path = "common/walk.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod walk;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use common::content::content_of;
use exutil::build::{Column, DatabaseBuilder, Index, Options, Row, Table, format_of};
use exutil::check::{CheckOptions, check};
use exutil::damage::{Damage, damage};
use exutil::db::Database;
use exutil::db::catalog::Schema;
use exutil::error::{Error, Result, Trouble};
use exutil::format::dbheader::DbState;
use exutil::format::ids::{Objid, PageSize};
use exutil::format::record::encode::{FixedSlot, PlainValue, encode};
use exutil::format::record::{ColumnChange, Record};
use exutil::format::schema::{Coltyp, Fid};
use exutil::format::stamp::LogTime;
use exutil::jet::JetError;
use exutil::ops::amend::{AmendOptions, AmendReport, amend};
use exutil::ops::undo::{UndoOptions, undo_file};
use exutil::problem::{Problem, Severity};
use exutil::progress::Silent;
use exutil::repair::Amendments;
use exutil::storage::{Memory, RealDisk};
use exutil::tree::walk::for_each_node;

const NOW: LogTime = LogTime::utc((2026, 11, 20), (12, 0, 0), 0);
const ROWS: i32 = 300;

/// A database in a folder of its own.
struct Scene {
    dir: tempfile::TempDir,
    options: AmendOptions,
    before: Vec<u8>,
}

impl Scene {
    fn new(bytes: Vec<u8>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.edb");
        std::fs::write(&path, &bytes).unwrap();
        let options = AmendOptions {
            path,
            temp: None,
            undo_file: None,
            keep_undo: true,
            operation: "isinteg".to_owned(),
            now: NOW,
        };
        Self {
            dir,
            options,
            before: bytes,
        }
    }

    fn run(&self, amendments: &Amendments) -> Result<AmendReport> {
        let mut seen = 0;
        let mut verify = |db: &Database| {
            seen += 1;
            assert_eq!(db.header().db_state(), DbState::CleanShutdown);
            assert!(std::fs::read(&self.options.path).unwrap() == self.before);
            Ok(())
        };
        let report = amend(&self.options, amendments, &mut verify, &RealDisk, &Silent)?;
        assert_eq!(seen, u32::from(report.new_file.is_some()));
        Ok(report)
    }

    /// The error's number and words; nothing was changed.
    fn refused(&self, amendments: &Amendments) -> (i32, String) {
        let error = self.run(amendments).unwrap_err();
        self.assert_as_before();
        let advice = match &error {
            Error::Recovery(trouble) => trouble.advice.clone(),
            _ => None,
        };
        let what = format!("{error}: {}", advice.unwrap_or_default());
        (error.jet().code(), what)
    }

    fn assert_as_before(&self) {
        assert!(self.bytes() == self.before);
        assert_eq!(self.files(), ["a.edb"]);
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.options.path).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }
}

fn database(bytes: &[u8]) -> Database {
    let storage = Box::new(Memory::new(bytes.to_vec()));
    Database::from_storage(storage, Path::new("a.edb"), None).unwrap()
}

fn findings(bytes: &[u8]) -> Vec<String> {
    let report = check(&database(bytes), None, &CheckOptions::default(), &Silent);
    let serious = report.findings.iter();
    serious
        .filter(|finding| finding.problem.info().severity > Severity::Note)
        .map(|finding| format!("{finding:?}"))
        .collect()
}

/// The table of most tests, and its columns.
struct People {
    table: Table,
    id: Fid,
    number: Fid,
    late: Fid,
    name: Fid,
    later: Fid,
    tag: Fid,
    several: Fid,
    body: Fid,
}

impl People {
    fn new() -> Self {
        let mut table = Table::new("people");
        let id = table.add(Column::fixed("id", Coltyp::Long).not_null());
        let number = table.add(Column::fixed("number", Coltyp::Long));
        table.add(Column::fixed("between", Coltyp::Short).default_value(&[9, 0]));
        let late = table.add(Column::fixed("late", Coltyp::Long));
        let name = table.add(Column::variable("name", Coltyp::Text));
        table.add(Column::variable("vbetween", Coltyp::Text).default_value(b"default"));
        let later = table.add(Column::variable("later", Coltyp::Binary));
        let tag = table.add(Column::tagged("tag", Coltyp::Long).default_value(&[1, 0, 0, 0]));
        let several = table.add(Column::tagged("several", Coltyp::Text).multi_valued());
        let body = table.add(Column::tagged("body", Coltyp::LongBinary));
        table.primary(Index::new("pk").ascending(id));
        table.index(Index::new("by_number").ascending(number));
        table.index(Index::new("by_both").ascending(number).descending(name));
        table.index(Index::new("by_tag").ascending(tag));
        table.index(
            Index::new("by_several")
                .ascending(several)
                .with_flags(exutil::format::schema::index_flags::MULTI_VALUED, 0),
        );
        table.index(
            Index::new("unique")
                .ascending(late)
                .unique()
                .with_flags(0, exutil::format::schema::index_flags::ALLOW_ALL_NULLS),
        );
        table.index(
            Index::new("by_default")
                .ascending(tag)
                .only_if(later, false),
        );
        Self {
            table,
            id,
            number,
            late,
            name,
            later,
            tag,
            several,
            body,
        }
    }

    /// What a row holds at first.
    fn row(&self, id: i32) -> Row {
        let mut row = Row::new()
            .set(self.id, id.to_le_bytes())
            .set(self.number, (id % 17).to_le_bytes())
            .set(self.name, format!("name {}", id * 7 % 100));
        if id % 3 == 0 {
            row = row
                .set(self.several, "one")
                .set(self.several, format!("{id}"));
        }
        if id % 5 == 0 {
            row = row.set(self.body, vec![id as u8; 5000]);
        }
        if id % 7 == 0 {
            row = row.set(self.tag, (id % 4).to_le_bytes());
        }
        row
    }

    /// The database with some of its rows as they are to be; `None` is a row that is not there.
    fn build(&self, size: PageSize, major: u32, others: &BTreeMap<i32, Option<Row>>) -> Vec<u8> {
        let options = Options::new(size, format_of(major).unwrap(), 1);
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let rows = (0..ROWS).filter_map(|id| match others.get(&id) {
            Some(other) => other.clone(),
            None => Some(self.row(id)),
        });
        builder.add_table(self.table.clone(), rows).unwrap();
        let mut other = Table::new("other");
        let id = other.add(Column::fixed("id", Coltyp::Long));
        let long = other.add(Column::tagged("long", Coltyp::LongBinary));
        other.index(Index::new("by_id").ascending(id));
        let rows = (0..50i32).map(|number| {
            let row = Row::new().set(id, number.to_le_bytes());
            row.set(long, vec![number as u8; 4000])
        });
        builder.add_table(other, rows).unwrap();
        builder.finish().unwrap().0.into_inner()
    }

    fn plain(&self) -> Vec<u8> {
        self.build(PageSize::K4, 20, &BTreeMap::new())
    }
}

/// The bookmark of a row.
fn key(id: i32) -> Vec<u8> {
    let mut key = vec![0x7F];
    key.extend((id as u32 ^ 0x8000_0000).to_be_bytes());
    key
}

fn change(fid: Fid, values: &[&[u8]]) -> ColumnChange {
    ColumnChange {
        fid,
        derived: false,
        values: values.iter().map(|value| value.to_vec()).collect(),
    }
}

fn objid(bytes: &[u8], table: &str) -> Objid {
    Schema::read(&database(bytes)).table(table).unwrap().objid
}

/// Everything at once: the same amendments, and the rows that should come of them.
fn many(people: &People, table: Objid) -> (Amendments, BTreeMap<i32, Option<Row>>) {
    let mut all = Amendments::default();
    let mut expected = BTreeMap::new();
    let mut one = |id: i32, fid: Fid, values: &[&[u8]]| {
        all.set(table, &key(id), change(fid, values));
        let mut row = match expected.remove(&id) {
            Some(Some(row)) => row,
            _ => people.row(id),
        };
        // A null of a column that was never said stays unsaid where nothing speaks.
        row = row.null(fid);
        for value in values {
            row = row.set(fid, *value);
        }
        expected.insert(id, Some(row));
    };
    one(10, people.number, &[&[99, 1, 0, 0]]);
    one(11, people.number, &[]);
    one(12, people.late, &[&[1, 0, 0, 0]]);
    one(13, people.name, &[b"Another name"]);
    one(14, people.name, &[]);
    one(15, people.later, &[b"later"]);
    one(16, people.tag, &[&[3, 0, 0, 0]]);
    one(17, people.tag, &[]);
    one(21, people.several, &[b"new", b"values", b"three"]);
    one(24, people.several, &[]);
    one(25, people.body, &[b"short now"]);
    one(30, people.body, &[]);
    one(31, people.body, &[b"from nothing"]);
    // Several columns of one row.
    one(35, people.number, &[&[5, 5, 0, 0]]);
    one(35, people.late, &[&[2, 0, 0, 0]]);
    one(35, people.body, &[]);
    for id in [0, 40, 41, ROWS - 1] {
        all.drop_row(table, &key(id));
        expected.insert(id, None);
    }
    (all, expected)
}

#[test]
fn rows_become_what_they_are_to_be_and_nothing_else_changes() {
    let people = People::new();
    for (size, major) in [
        (PageSize::K2, 12),
        (PageSize::K4, 9),
        (PageSize::K8, 20),
        (PageSize::K32, 290),
    ] {
        let label = format!("{size} {major}");
        let scene = Scene::new(people.build(size, major, &BTreeMap::new()));
        let table = objid(&scene.before, "people");
        let (amendments, rows) = many(&people, table);
        let report = scene.run(&amendments).unwrap();
        assert_eq!(
            (report.rows_changed, report.rows_removed),
            (14, 4),
            "{label}"
        );
        assert!(report.findings.is_empty() && report.taken_back.is_empty());
        assert!(!report.space.is_empty());
        let new = report.new_file.as_ref().unwrap();
        assert_eq!(new.path, scene.options.path.canonicalize().unwrap());
        let bytes = scene.bytes();
        assert_eq!(new.bytes, bytes.len() as u64, "{label}");
        assert_eq!(findings(&bytes), [""; 0], "{label}");

        // As if it had been built so.
        let built = scene.dir.path().join("expected.edb");
        std::fs::write(&built, people.build(size, major, &rows)).unwrap();
        let (have, want) = (content_of(&scene.options.path), content_of(&built));
        let differs = have.lines().zip(want.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{label}");
        assert_eq!(have.lines().count(), want.lines().count(), "{label}");
        let wanted = std::fs::read(&built).unwrap();
        let (have, want) = (walk::check(&bytes), walk::check(&wanted));
        for ((table, tree), expected) in &want {
            if !table.starts_with("MSys") && tree.starts_with("by_") || tree == "unique" {
                let found = &have[&(table.clone(), tree.clone())];
                assert!(found.entries == expected.entries, "{label} {table} {tree}");
            }
        }
        let long_values = |trees: &BTreeMap<(String, String), walk::Tree>| {
            let trees = trees.iter().filter(|((table, _), _)| table == "people");
            trees.map(|(_, tree)| tree.entries.len()).sum::<usize>()
        };
        assert_eq!(long_values(&have), long_values(&want), "{label}");
        std::fs::remove_file(&built).unwrap();

        // The header: its own identity, no logs, and no repair.
        let (before, after) = (database(&scene.before), database(&bytes));
        let (before, after) = (before.header(), after.header());
        assert_ne!(after.sign_db, before.sign_db);
        assert!(!after.sign_log.is_set() && after.last_attach.is_none());
        assert_eq!(after.repair_count, before.repair_count);
        assert_eq!(
            after.sign_flush_map.is_set(),
            before.sign_flush_map.is_set()
        );

        // Once more: there is nothing left to do for the rows that are there.
        let mut again = Amendments::default();
        for (key, change) in amendments.rows(table) {
            if let exutil::repair::RowChange::Set(changes) = change {
                for change in changes {
                    again.set(table, key, change.clone());
                }
            }
        }
        let second = Scene::new(bytes.clone());
        let report = second.run(&again).unwrap();
        assert_eq!(
            (report.rows_changed, report.rows_removed),
            (0, 0),
            "{label}"
        );
        assert!(report.new_file.is_none() && report.undo_file.is_none());
        second.assert_as_before();
    }
}

#[test]
fn undo_gives_the_old_file_back() {
    let people = People::new();
    let scene = Scene::new(people.plain());
    let (amendments, _) = many(&people, objid(&scene.before, "people"));
    let report = scene.run(&amendments).unwrap();
    assert_eq!(
        scene.files(),
        ["a.edb", "a.edb.before-isinteg", "a.edb.undo"]
    );
    let original = report.original.unwrap();
    assert!(std::fs::read(&original).unwrap() == scene.before);
    undo_file(&report.undo_file.unwrap(), UndoOptions::default()).unwrap();
    assert!(scene.bytes() == scene.before);
    assert!(!original.exists());
    // Nothing is kept where that is not wanted.
    let mut scene = Scene::new(people.plain());
    scene.options.keep_undo = false;
    let report = scene.run(&amendments).unwrap();
    assert!(report.original.is_none() && report.undo_file.is_none());
    assert_eq!(scene.files(), ["a.edb"]);
    assert!(scene.bytes() != scene.before);
}

#[test]
fn nothing_to_do_is_nothing_done() {
    let scene = Scene::new(People::new().plain());
    let report = scene.run(&Amendments::default()).unwrap();
    assert!(report.new_file.is_none());
    scene.assert_as_before();
}

#[test]
fn dirty_and_damaged_databases_are_refused() {
    let people = People::new();
    let table = objid(&people.plain(), "people");
    let (amendments, _) = many(&people, table);
    let mut options = Options::new(PageSize::K4, format_of(20).unwrap(), 1);
    options.state = DbState::DirtyShutdown;
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
    let rows = (0..3).map(|id| people.row(id));
    builder.add_table(people.table.clone(), rows).unwrap();
    let scene = Scene::new(builder.finish().unwrap().0.into_inner());
    let (code, what) = scene.refused(&amendments);
    assert_eq!(code, -550);
    assert!(
        what.contains("Dirty Shutdown") && what.contains("exutil r "),
        "{what}"
    );

    let mut tried = 0;
    for seed in 0..6 {
        for harm in [Damage::ZeroPage, Damage::UnsortedKeys] {
            let mut bytes = people.plain();
            damage(&mut bytes, harm, seed).unwrap();
            let found = findings(&bytes);
            if found.iter().all(|finding| finding.contains("index: Some")) {
                continue;
            }
            tried += 1;
            let scene = Scene::new(bytes);
            let (code, what) = scene.refused(&amendments);
            assert_eq!(code, -1206, "{harm:?} {seed}");
            assert!(
                what.contains("exutil p") && what.contains("exutil d"),
                "{what}"
            );
        }
    }
    assert!(tried > 3, "{tried}");
}

/// An index that lacks entries and has one too many is made anew.
#[test]
fn damaged_indexes_are_made_anew() {
    let people = People::new();
    let options = Options::new(PageSize::K4, format_of(20).unwrap(), 1);
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
    let mut rows = builder.table(people.table.clone()).unwrap();
    for id in 0..ROWS {
        rows.row(&people.row(id)).unwrap();
    }
    assert!(rows.raw_entry(0, &[0x7F, 0x80, 0, 0, 77], &key(5)));
    assert!(rows.raw_entry(2, &[0x7F, 0x80, 0, 0, 77], &key(ROWS + 5)));
    rows.finish().unwrap();
    let scene = Scene::new(builder.finish().unwrap().0.into_inner());
    assert!(findings(&scene.before).len() >= 2);
    let (amendments, _) = many(&people, objid(&scene.before, "people"));
    let report = scene.run(&amendments).unwrap();
    assert!(report.findings.len() >= 2);
    let of_index = |problem| {
        matches!(
            problem,
            Problem::IndexEntryExtra | Problem::IndexMismatch | Problem::IndexEntryMissing
        )
    };
    assert!(report.findings.iter().all(|f| of_index(f.problem)));
    assert_eq!(findings(&scene.bytes()), [""; 0]);
}

#[test]
fn what_the_caller_does_not_like_is_not_put_in_place() {
    let people = People::new();
    let scene = Scene::new(people.plain());
    let (amendments, _) = many(&people, objid(&scene.before, "people"));
    let mut verify = |db: &Database| -> Result<()> {
        let schema = Schema::read(db);
        let mut left = 0;
        let root = schema.table("people").unwrap().root;
        for_each_node(db, root, |_, _, _| left += 1, |_, _| {});
        assert_eq!(left, ROWS - 4);
        Err(Error::from(Trouble::new(
            JetError::DATABASE_PATCH_FILE_MISMATCH,
            "no",
        )))
    };
    let result = amend(&scene.options, &amendments, &mut verify, &RealDisk, &Silent);
    assert_eq!(
        result.unwrap_err().jet(),
        JetError::DATABASE_PATCH_FILE_MISMATCH
    );
    scene.assert_as_before();
}

#[test]
fn changes_that_cannot_be_made_are_refused() {
    let people = People::new();
    let scene = Scene::new(people.plain());
    let table = objid(&scene.before, "people");
    let refused = |amendments: &Amendments, code: i32, words: &str| {
        let (jet, what) = scene.refused(amendments);
        assert_eq!(jet, code, "{what}");
        assert!(what.contains(words), "{what}");
    };
    let one = |table: Objid, id: i32, fid: Fid, values: &[&[u8]]| {
        let mut all = Amendments::default();
        all.set(table, &key(id), change(fid, values));
        all
    };
    let number = people.number;
    let good: &[&[u8]] = &[&[1, 0, 0, 0]];
    refused(
        &one(table, ROWS, number, good),
        -1003,
        "no row has this key",
    );
    refused(&one(table, 2, people.id, good), -1003, "another key");
    refused(&one(table, 1, people.id, &[]), -1003, "may not be null");
    refused(&one(table, 1, number, &[b"abc"]), -1003, "does not fit");
    refused(&one(table, 1, Fid::new(99), good), -1003, "no column 99");
    let long = vec![1; 4000];
    refused(
        &one(table, 1, people.body, &[&long]),
        -1003,
        "is longer than",
    );
    refused(
        &one(Objid::new(9999), 1, number, good),
        -1003,
        "no such table",
    );
    refused(&one(Objid::CATALOG, 1, number, good), -1003, "engine's own");
    let mut dropped = Amendments::default();
    dropped.drop_row(table, &key(ROWS));
    refused(&dropped, -1003, "no row has this key");
    // Two rows with one value in a unique index.
    let mut twice = one(table, 1, people.late, good);
    twice.set(table, &key(2), change(people.late, good));
    refused(&twice, -1206, "unique index");
    // The same key is no change.
    let same = one(table, 1, people.id, &[&[1, 0, 0, 0]]);
    assert!(scene.run(&same).unwrap().new_file.is_none());
    scene.assert_as_before();
}

/// Sort keys that nobody can compute: of an order of our own.
fn sort_key(text: &str) -> Vec<u8> {
    let mut key = Vec::new();
    for byte in text.bytes() {
        key.extend([0x0E, byte ^ 0x55]);
    }
    key.extend([1, 1, 1, 1, 0]);
    key
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The entry of a row in an index over two numbers with the text between them.
fn entry(first: i32, text: &str, last: i32) -> Vec<u8> {
    let number = |number: i32| key(number);
    let mut text_key = vec![0x7F];
    text_key.extend(sort_key(text));
    [number(first), text_key, number(last)].concat()
}

/// Texts whose sort keys nothing but entries tells: rows that change keep the keys of theirs, wherever in the index the change is.
#[test]
fn entries_over_unicode_text_follow_the_other_columns() {
    let mut table = Table::new("texts");
    let id = table.add(Column::fixed("id", Coltyp::Long));
    let first = table.add(Column::fixed("first", Coltyp::Long));
    let last = table.add(Column::fixed("last", Coltyp::Long));
    let other = table.add(Column::fixed("other", Coltyp::Long));
    let text = table.add(Column::variable("text", Coltyp::Text).unicode());
    table.primary(Index::new("pk").ascending(id));
    let index = Index::new("by_text").ascending(first).ascending(text);
    table.index(index.ascending(last));
    let slots: Vec<FixedSlot> = (1..=4u16)
        .map(|number| FixedSlot {
            fid: Fid::new(number),
            offset: number * 4,
            size: 4,
            pad: 0,
        })
        .collect();
    let build = |numbers: &dyn Fn(i32) -> (i32, i32, i32)| {
        let options = Options::new(PageSize::K4, format_of(20).unwrap(), 1);
        let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
        let mut rows = builder.table(table.clone()).unwrap();
        for row in 0..100i32 {
            let (one, two, three) = numbers(row);
            let values = [row, one, two, three].map(i32::to_le_bytes);
            let fixed: Vec<PlainValue<'_>> = slots
                .iter()
                .zip(&values)
                .map(|(slot, value)| PlainValue {
                    fid: slot.fid,
                    bytes: Some(value),
                })
                .collect();
            let words = utf16(&words_of(row));
            let variable = [PlainValue {
                fid: text,
                bytes: Some(&words),
            }];
            let mut record = Vec::new();
            encode(&slots, &fixed, &variable, &[], PageSize::K4, &mut record).unwrap();
            rows.raw_row(&key(row), &record).unwrap();
            let found = entry(one, &words_of(row), two);
            assert!(rows.raw_entry(0, &found, &key(row)));
        }
        rows.finish().unwrap();
        builder.finish().unwrap().0.into_inner()
    };
    let scene = Scene::new(build(&|row| (row % 5, row % 7, 0)));
    assert_eq!(findings(&scene.before), [""; 0]);
    let objid = objid(&scene.before, "texts");
    let mut all = Amendments::default();
    let le = |number: i32| number.to_le_bytes();
    all.set(objid, &key(10), change(first, &[&le(700)]));
    all.set(objid, &key(20), change(last, &[&le(800)]));
    all.set(objid, &key(30), change(other, &[&le(1)]));
    all.set(objid, &key(40), change(first, &[&le(900)]));
    all.set(objid, &key(40), change(last, &[&le(901)]));
    let report = scene.run(&all).unwrap();
    assert_eq!(report.rows_changed, 4);
    let expected = build(&|row| match row {
        10 => (700, 3, 0),
        20 => (0, 800, 0),
        30 => (0, 2, 1),
        40 => (900, 901, 0),
        _ => (row % 5, row % 7, 0),
    });
    let (have, want) = (walk::check(&scene.bytes()), walk::check(&expected));
    let at = ("texts".to_owned(), "by_text".to_owned());
    assert!(have[&at].entries == want[&at].entries);
    assert_eq!(findings(&scene.bytes()), [""; 0]);

    // A text that nothing is known of cannot be entered, and one that another row has can.
    let scene = Scene::new(scene.before.clone());
    let mut unknown = Amendments::default();
    unknown.set(objid, &key(10), change(text, &[&utf16("\u{4E00}")]));
    let (code, what) = scene.refused(&unknown);
    assert_eq!(code, -1206);
    assert!(what.contains("sort key"), "{what}");
    let mut known = Amendments::default();
    known.set(objid, &key(10), change(text, &[&utf16(&words_of(20))]));
    assert_eq!(scene.run(&known).unwrap().rows_changed, 1);
    let trees = walk::check(&scene.bytes());
    let wanted = entry(0, &words_of(20), 3);
    let found = trees[&at].entries.iter();
    assert_eq!(found.filter(|(entry, _)| *entry == wanted).count(), 1);
}

/// A text of its own for each row.
fn words_of(id: i32) -> String {
    format!("text {}{}", ["alpha", "Beta", "gamma"][id as usize % 3], id)
}

/// One value in a real directory: everything else stays.
#[test]
fn one_value_of_a_real_directory() {
    let Some(corpus) = common::needs::corpus() else {
        return;
    };
    for file in [
        "real/ntds-2012r2/pre/ntds.dit",
        "real/adamntds-2008/pre/adamntds.dit",
    ] {
        let scene = Scene::new(std::fs::read(corpus.join(file)).unwrap());
        let db = database(&scene.before);
        let schema = Schema::read(&db);
        let table = schema.table("datatable").unwrap();
        let column = table.columns.iter().find(|c| c.name == "cnt_col").unwrap();
        let shape = schema.record_shape(table, db.page_size());
        assert!(shape.column(column.fid, false).unwrap().has_default);
        let mut rows: Vec<(Vec<u8>, bool)> = Vec::new();
        for_each_node(
            &db,
            table.root,
            |_, page, node| {
                let layout = exutil::format::record::RecordLayout::of_page(page);
                let record = Record::with_layout(node.data, layout).unwrap();
                rows.push((node.key(), record.fixed_last() >= column.fid));
            },
            |_, _| {},
        );
        // One that says it, and one that ends before it, if there is one.
        let says = rows[rows.len() / 2..].iter().find(|(_, says)| *says);
        let silent = rows.iter().find(|(_, says)| !*says);
        let before = content_of(&scene.options.path);
        for (key, _) in says.into_iter().chain(silent) {
            let scene = Scene::new(scene.before.clone());
            let mut all = Amendments::default();
            let value = 4711i32.to_le_bytes();
            all.set(table.objid, key, change(column.fid, &[&value]));
            let report = scene.run(&all).unwrap();
            assert_eq!((report.rows_changed, report.rows_removed), (1, 0), "{file}");
            let after = content_of(&scene.options.path);
            let differ: Vec<_> = before
                .lines()
                .zip(after.lines())
                .filter(|(a, b)| a != b)
                .collect();
            assert_eq!(before.lines().count(), after.lines().count(), "{file}");
            assert_eq!(differ.len(), 1, "{file} {differ:?}");
            assert!(differ[0].1.contains("cnt_col"), "{differ:?}");
            let (old, new) = (findings(&scene.before), findings(&scene.bytes()));
            let fresh: Vec<_> = new.iter().filter(|f| !old.contains(f)).collect();
            assert!(fresh.is_empty(), "{file}: {fresh:?}");
            // Every index holds what it held.
            let trees = |bytes: &[u8]| -> BTreeMap<String, Vec<walk::Entry>> {
                let db = database(bytes);
                let schema = Schema::read(&db);
                let table = schema.table("datatable").unwrap();
                let each = table.secondary_indexes().map(|index| {
                    let mut entries = Vec::new();
                    for_each_node(
                        &db,
                        index.root,
                        |_, _, node| entries.push((node.key(), node.data.to_vec())),
                        |page, _| panic!("page {page}"),
                    );
                    (index.name.clone(), entries)
                });
                each.collect()
            };
            let (old, new) = (trees(&scene.before), trees(&scene.bytes()));
            assert!(!old.is_empty());
            for (name, entries) in &old {
                assert!(new[name] == *entries, "{file} {name}");
            }
        }
    }
}

/// Columns of a template, in rows that the engine made: of each kind, in each table that has them.
#[test]
fn columns_of_a_template() {
    let Some(corpus) = common::needs::corpus() else {
        return;
    };
    let mut tried = 0;
    for case in ["clean-4k", "clean-8k", "clean-16k", "clean-32k"] {
        let file = corpus.join("engine").join(case).join("db/test.edb");
        let Ok(bytes) = std::fs::read(&file) else {
            continue;
        };
        let db = database(&bytes);
        let schema = Schema::read(&db);
        let derived = schema.tables.values().filter(|t| t.template.is_some());
        for table in derived {
            let template = schema.template_of(table).unwrap();
            let mut last = None;
            for_each_node(
                &db,
                table.root,
                |_, _, node| last = Some(node.key()),
                |_, _| {},
            );
            let Some(key) = last else { continue };
            for (column, derived) in template
                .columns
                .iter()
                .map(|column| (column, true))
                .chain(table.columns.iter().map(|column| (column, false)))
            {
                let shape = schema.record_shape(table, db.page_size());
                let Some(known) = shape.column(column.fid, derived) else {
                    continue;
                };
                let value = match (known.size, column.coltyp.is_text()) {
                    (Some(size), _) => vec![0xFF; size],
                    (None, true) => utf16("zz"),
                    (None, false) => b"zz".to_vec(),
                };
                let scene = Scene::new(bytes.clone());
                let mut all = Amendments::default();
                let change = ColumnChange {
                    derived,
                    ..change(column.fid, &[&value])
                };
                all.set(table.objid, &key, change);
                let label = format!("{case} {} {}", table.name, column.name);
                match scene.run(&all) {
                    Ok(report) => assert!(report.rows_changed <= 1, "{label}"),
                    // A column of the key, or of an index over text.
                    Err(error) => {
                        let what = error.to_string();
                        assert!(
                            what.contains("another key") || what.contains("sort key"),
                            "{label}: {what}"
                        );
                        scene.assert_as_before();
                        continue;
                    }
                }
                assert_eq!(findings(&scene.bytes()), [""; 0], "{label}");
                let original = scene.dir.path().join("a.edb.before-isinteg");
                if !original.exists() {
                    continue;
                }
                let (before, after) = (content_of(&original), content_of(&scene.options.path));
                let count = |text: &str| -> BTreeMap<String, i32> {
                    let mut counts = BTreeMap::new();
                    for line in text.lines() {
                        *counts.entry(line.to_owned()).or_default() += 1;
                    }
                    counts
                };
                let (old, new) = (count(&before), count(&after));
                let differing: Vec<&String> = new
                    .iter()
                    .filter(|(line, _)| !line.starts_with("  INDEX"))
                    .filter(|(line, count)| old.get(*line).unwrap_or(&0) < *count)
                    .map(|(line, _)| line)
                    .collect();
                assert_eq!(differing.len(), 1, "{label}: {differing:?}");
                assert!(
                    differing[0].contains(&column.name),
                    "{label}: {differing:?}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 8, "{tried}");
}
