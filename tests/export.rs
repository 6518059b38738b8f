//! Exports of the sample databases: what comes out, what damage costs, and that hostile bytes cost
//! no more than that.

use std::io::Cursor;
use std::path::Path;

use exutil::build::{Column, DatabaseBuilder, Options, Row, Table, format_of};
use exutil::db::Database;
use exutil::format::checksum;
use exutil::format::ids::{PageSize, Pgno};
use exutil::format::page::{NodeFlags, Page, PageFlags};
use exutil::format::record::{Instance, Record, RecordLayout};
use exutil::format::schema::{Coltyp, Fid};
use exutil::ops::export::content::{Content, dump_table};
use exutil::ops::export::csv::Csv;
use exutil::ops::export::json::JsonLines;
use exutil::ops::export::{
    Exporter, LongMode, Loss, RowSink, Summary, WHOLE_MOST, read_schema, select,
};
use exutil::storage::Memory;

fn sample(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::read(dir.join(name)).expect("a sample")
}

fn open(bytes: Vec<u8>) -> Option<Database> {
    let storage = Box::new(Memory::new(bytes));
    Database::from_storage(storage, Path::new("sample.edb"), None).ok()
}

/// Everything of the tables named (or all) through `sink`.
fn export(db: &Database, names: &[&str], deleted: bool, sink: &mut dyn RowSink) -> Summary {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let (schema, found) = read_schema(db);
    let mut exporter = Exporter::new(db, deleted);
    exporter.tell(&found, sink).expect("memory takes all");
    for table in select(&schema, &names, false).unwrap_or_default() {
        exporter
            .table(&schema, table, sink)
            .expect("memory takes all");
    }
    exporter.summary()
}

fn json(db: &Database, names: &[&str], mode: LongMode) -> (String, Summary, Vec<Loss>) {
    let (mut out, mut losses) = (Vec::new(), Vec::new());
    let mut sink = JsonLines::new(&mut out, mode, |loss: &Loss| losses.push(loss.clone()));
    let summary = export(db, names, true, &mut sink);
    (String::from_utf8(out).expect("UTF-8"), summary, losses)
}

fn content(db: &Database) -> (String, Vec<Loss>) {
    let (schema, found) = read_schema(db);
    let (mut out, mut losses) = (Vec::new(), found);
    let mut sink = Content::new(&mut out, |loss: &Loss| losses.push(loss.clone()));
    let mut exporter = Exporter::new(db, false);
    for table in select(&schema, &[], false).expect("no names") {
        dump_table(&mut exporter, &schema, table, &mut sink).expect("memory takes all");
    }
    (String::from_utf8(out).expect("UTF-8"), losses)
}

fn first_lines(text: &str, count: usize) -> String {
    text.lines().take(count).collect::<Vec<_>>().join("\n")
}

#[test]
fn rows_as_json_lines() {
    let db = open(sample("mini-8k.edb")).expect("a database");
    let (text, summary, losses) = json(&db, &["types"], LongMode::Hash);
    assert_eq!((summary.left_out, losses.len()), (0, 0));
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
    insta::assert_snapshot!(first_lines(&text, 3));
}

#[test]
fn rows_as_csv() {
    let db = open(sample("mini-8k.edb")).expect("a database");
    let mut out = Vec::new();
    let mut sink = Csv::new(&mut out, LongMode::Hash, true, |loss: &Loss| {
        panic!("{loss}");
    });
    export(&db, &["types"], true, &mut sink);
    let text = String::from_utf8(out).expect("UTF-8");
    insta::assert_snapshot!(first_lines(&text, 4));
}

#[test]
fn content_of_the_mailbox_store() {
    let db = open(sample("priv1.edb")).expect("a database");
    let (text, losses) = content(&db);
    assert!(losses.is_empty());
    let heads = |line: &&str| !line.starts_with("    ") && !line.starts_with("  ROW ");
    let heads: Vec<_> = text.lines().filter(heads).collect();
    insta::assert_snapshot!(heads.join("\n"));
    insta::assert_snapshot!("first_rows", first_lines(&text, 16));
}

#[test]
fn the_content_does_not_depend_on_the_page_size() {
    let dump = |name| content(&open(sample(name)).expect("a database")).0;
    let expected = dump("mini-8k.edb");
    for name in ["mini-2k.edb", "mini-32k.edb"] {
        let rows = |text: &str| text.lines().filter(|l| !l.contains("INDEX")).count();
        assert_eq!(rows(&dump(name)), rows(&expected), "{name}");
    }
}

/// A database with one text and one binary value that are too large to be held in memory.
#[test]
fn large_long_values_come_in_pieces() {
    let mut table = Table::new("large");
    let text = table.add(Column::tagged("text", Coltyp::LongText).unicode());
    let binary = table.add(Column::tagged("binary", Coltyp::LongBinary));
    let characters: String = "a\"\u{E9}\u{1F600}".chars().cycle().take(700_001).collect();
    let wide: Vec<u8> = characters
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let bytes: Vec<u8> = (0..2_000_001_u32).map(|at| (at % 251) as u8).collect();
    assert!(wide.len() > WHOLE_MOST as usize && bytes.len() > WHOLE_MOST as usize);
    let format = format_of(290).expect("a format");
    let options = Options::new(PageSize::K4, format, 1);
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).expect("room");
    let mut writer = builder.table(table).expect("a table");
    let row = Row::new()
        .set(text, wide.clone())
        .set(binary, bytes.clone());
    writer.row(&row).expect("a row");
    writer.finish().expect("a table");
    let (file, _) = builder.finish().expect("a database");

    let mut file = file.into_inner();
    let db = open(file.clone()).expect("a database");
    let (whole, summary, _) = json(&db, &[], LongMode::Whole);
    assert_eq!((summary.rows, summary.left_out), (1, 0));
    let row: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(row["values"]["text"].as_str(), Some(&characters[..]));
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(row["values"]["binary"].as_str(), Some(&digits[..]));
    let (hashed, ..) = json(&db, &[], LongMode::Hash);
    let row: serde_json::Value = serde_json::from_str(&hashed).expect("JSON");
    assert_eq!(row["values"]["binary"]["size"], 2_000_001);
    let (dump, _) = content(&db);
    assert!(dump.contains("    binary[1] (2000001) 000102"), "{dump}");
    let mut out = Vec::new();
    export(
        &db,
        &[],
        false,
        &mut Csv::new(&mut out, LongMode::Whole, false, |_: &Loss| ()),
    );
    let csv = String::from_utf8(out).expect("UTF-8");
    let quoted = format!("\"{}\"", characters.replace('"', "\"\""));
    assert!(csv.contains(&quoted) && csv.contains(&digits));

    // A chunk in the middle is lost: the value is named, and nothing of it is shown.
    let leaf = pages(&file, PageSize::K4, |page| {
        page.flags().any(PageFlags::LONG_VALUE) && page.flags().is_leaf()
    });
    zero(&mut file, PageSize::K4, leaf[leaf.len() / 3]);
    let (text, summary, losses) = json(&open(file).expect("a database"), &[], LongMode::Whole);
    assert_eq!((summary.rows, summary.left_out), (1, 1), "{losses:?}");
    assert!(text.contains("{\"unreadable\":\"long value 0x"));
}

fn pages(bytes: &[u8], size: PageSize, is_it: impl Fn(Page<'_>) -> bool) -> Vec<Pgno> {
    let numbered = (1..)
        .map(Pgno::new)
        .zip(bytes.chunks_exact(size.bytes()).skip(2));
    numbered
        .filter(|(_, page)| Page::new(page, size).is_some_and(&is_it))
        .map(|(pgno, _)| pgno)
        .collect()
}

fn page_mut(bytes: &mut [u8], size: PageSize, pgno: Pgno) -> &mut [u8] {
    let at = pgno.offset(size) as usize;
    &mut bytes[at..at + size.bytes()]
}

fn zero(bytes: &mut [u8], size: PageSize, pgno: Pgno) {
    page_mut(bytes, size, pgno).fill(0);
}

/// Object of the messages, the largest table of the sample.
fn is_message_page(page: Page<'_>, leaf: bool) -> bool {
    let other = PageFlags::INDEX | PageFlags::LONG_VALUE | PageFlags::SPACE_TREE;
    let flags = page.flags();
    flags.is_leaf() == leaf && !flags.any(other) && page.objid().get() > 10
}

#[test]
fn a_lost_leaf_costs_its_rows_and_a_lost_parent_none() {
    let whole = sample("priv1.edb");
    let db = open(whole.clone()).expect("a database");
    let (_, all, _) = json(&db, &[], LongMode::Hash);
    let leaves = pages(&whole, PageSize::K4, |page| {
        is_message_page(page, true) && !page.flags().is_root() && page.node_count() > 0
    });
    assert!(leaves.len() > 3);
    for leaf in leaves {
        let mut bytes = whole.clone();
        let size = PageSize::K4;
        let rows = Page::new(page_mut(&mut bytes, size, leaf), size).map(Page::node_count);
        zero(&mut bytes, size, leaf);
        let (_, summary, losses) = json(&open(bytes).expect("a database"), &[], LongMode::Hash);
        assert_eq!(summary.rows + rows.unwrap_or_default() as u64, all.rows);
        let lost: Vec<_> = losses.iter().filter(|loss| loss.is_left_out()).collect();
        assert!(
            matches!(&lost[..], [loss] if loss.page == leaf),
            "{losses:?}"
        );
    }
    let parents = pages(&whole, PageSize::K4, |page| is_message_page(page, false));
    assert!(!parents.is_empty());
    for parent in parents {
        let mut bytes = whole.clone();
        zero(&mut bytes, PageSize::K4, parent);
        let (_, summary, losses) = json(&open(bytes).expect("a database"), &[], LongMode::Hash);
        assert_eq!(summary.rows, all.rows, "{losses:?}");
    }
}

#[test]
fn long_values_are_found_without_their_root() {
    let whole = sample("priv1.edb");
    let (_, all, _) = json(
        &open(whole.clone()).expect("a database"),
        &[],
        LongMode::Hash,
    );
    let parents = pages(&whole, PageSize::K4, |page| {
        let flags = page.flags();
        flags.any(PageFlags::LONG_VALUE) && !flags.is_leaf() && !flags.is_space_tree()
    });
    assert!(!parents.is_empty());
    for parent in parents {
        let mut bytes = whole.clone();
        zero(&mut bytes, PageSize::K4, parent);
        let (_, summary, losses) = json(&open(bytes).expect("a database"), &[], LongMode::Hash);
        assert_eq!((summary, losses.len()), (all, 0), "page {parent}");
    }
}

#[test]
fn the_shadow_catalog_stands_in() {
    let whole = sample("priv1.edb");
    let (expected, _) = content(&open(whole.clone()).expect("a database"));
    let catalog = pages(&whole, PageSize::K4, |page| page.objid().get() == 2);
    assert!(catalog.len() > 1);
    for page in catalog {
        let mut bytes = whole.clone();
        zero(&mut bytes, PageSize::K4, page);
        let (text, losses) = content(&open(bytes).expect("a database"));
        assert_eq!(text, expected, "page {page}");
        assert!(losses.iter().all(|loss| !loss.is_left_out()));
    }
}

#[test]
fn deleted_rows_only_when_asked_for() {
    let mut bytes = sample("mini-8k.edb");
    let size = PageSize::K8;
    let db = open(bytes.clone()).expect("a database");
    let (schema, _) = read_schema(&db);
    let root = schema.table("sequence").expect("a table").root;
    let page = page_mut(&mut bytes, size, root);
    // The flags of a small page's node are the upper bits of its tag: the second word from the end.
    let tag = page.len() - 2 * 4;
    page[tag + 3] |= NodeFlags::DELETED << 5;
    checksum::seal(page, size, root);
    let db = open(bytes).expect("a database");
    let (text, summary, losses) = json(&db, &["sequence"], LongMode::Whole);
    assert_eq!((summary.deleted, losses.len()), (1, 0));
    let first = text.lines().next().expect("a row");
    assert!(first.contains("\"key\":\"00000001\",\"deleted\":true"));
    let mut out = Vec::new();
    let mut sink = JsonLines::new(&mut out, LongMode::Whole, |_: &Loss| ());
    let without = export(&db, &["sequence"], false, &mut sink);
    assert_eq!((without.deleted, without.rows), (0, summary.rows));
}

#[test]
fn what_cannot_be_decoded_is_named() {
    let whole = sample("mini-32k.edb");
    let size = PageSize::K32;
    let db = open(whole.clone()).expect("a database");
    let (schema, _) = read_schema(&db);
    let types = schema.table("types").expect("a table");
    let lbin = types.columns.iter().find(|column| column.name == "lbin");
    let fid = lbin.expect("a column").fid;
    // On large pages each tagged value begins with a byte of flags: 0x40 is encrypted, 0x02
    // compressed; what then begins with 0x28 would be Xpress9.
    let cases: [(u8, Option<u8>, &str); 3] = [
        (0x40, None, "the value is encrypted"),
        (
            0x02,
            Some(5 << 3),
            "Xpress9 data cannot be decompressed here",
        ),
        (0x02, Some(4 << 3), "the data was scrubbed"),
    ];
    for (flag, first, expected) in cases {
        let mut bytes = whole.clone();
        let page = page_mut(&mut bytes, size, types.root);
        let at = tagged_value(page, size, fid.get());
        page[at] |= flag;
        if let Some(first) = first {
            page[at + 1] = first;
        }
        checksum::seal(page, size, types.root);
        let (text, summary, losses) = json(&open(bytes).expect("a database"), &[], LongMode::Whole);
        assert_eq!(summary.left_out, 1, "{losses:?}");
        let named = format!("\"lbin\":{{\"unreadable\":\"{expected}\"}}");
        assert!(text.contains(&named), "{expected}");
    }
}

/// Where the first intrinsic value of a tagged column with at least 8 bytes is on a leaf.
fn tagged_value(page: &[u8], size: PageSize, fid: u16) -> usize {
    let view = Page::new(page, size).expect("a page");
    for node in view.nodes().flatten() {
        let record = Record::with_layout(node.data, RecordLayout::of_page(view)).expect("a record");
        let found = record.find_tagged(Fid::new(fid), false).expect("sound");
        if let Some(Instance::Intrinsic { bytes, .. }) = found.and_then(|it| it.values().next())
            && bytes.len() >= 8
        {
            // One byte before the value, the byte of flags.
            return bytes.as_ptr() as usize - page.as_ptr() as usize - 1;
        }
    }
    panic!("no such value");
}

/// xorshift; a test must do the same each time.
struct Random(u64);

impl Random {
    const fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

#[test]
fn hostile_pages_neither_panic_nor_take_long() {
    let mut random = Random(0x5EED);
    for name in ["mini-2k.edb", "mini-8k.edb", "mini-32k.edb", "priv1.edb"] {
        let whole = sample(name);
        let size = open(whole.clone()).expect("a database").page_size();
        let count = whole.len() / size.bytes() - 2;
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.below(20) {
                let pgno = Pgno::new(1 + random.below(count) as u32);
                let page = page_mut(&mut bytes, size, pgno);
                for _ in 0..1 + random.below(6) {
                    // Headers, tags and the start of lines are where the structure is.
                    let at = match random.below(3) {
                        0 => random.below(size.page_header() + 200),
                        1 => page.len() - 1 - random.below(100),
                        _ => random.below(page.len()),
                    };
                    page[at] = random.below(256) as u8;
                }
                checksum::seal(page, size, pgno);
            }
            let Some(db) = open(bytes) else {
                continue;
            };
            let (text, summary, _) = json(&db, &[], LongMode::Whole);
            let rows = summary.rows + summary.deleted;
            assert_eq!(text.lines().count() as u64, rows);
            for line in text.lines() {
                serde_json::from_str::<serde_json::Value>(line).expect("JSON");
            }
            content(&db);
        }
    }
}
