//! Records, long values and compression against real databases, and against what the engine itself
//! says that they contain. The files are not part of the project: `EXUTIL_CORPUS` names the directory.

#[path = "common/needs.rs"]
#[allow(dead_code, reason = "other tests need other things")]
mod needs;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use exutil::format::compress::{CompressFault, Scheme, decompress};
use exutil::format::ids::{Objid, PageSize};
use exutil::format::lv::{ChunkSize, Lid, LvKey, LvPart, LvRoot, append_chunk};
use exutil::format::page::{Page, PageFlags};
use exutil::format::record::{CatalogLimits, Field, Instance, Record, RecordLayout};
use exutil::format::schema::{Coltyp, Fid, FidKind};
use exutil::format::value::{CodePage, Value};

/// Offset and stored bytes.
type Chunk = (u32, Vec<u8>);

/// A database in memory with everything that the leaves of its tables and long values hold.
struct Database {
    rows: HashMap<(Objid, Vec<u8>), Vec<Row>>,
    roots: HashMap<(Objid, Lid), LvRoot>,
    chunks: HashMap<(Objid, Lid), Vec<Chunk>>,
    chunk_size: ChunkSize,
}

struct Row {
    data: Vec<u8>,
    layout: RecordLayout,
}

impl Row {
    fn record(&self) -> Record<'_> {
        Record::with_layout(&self.data, self.layout).expect("checked when it was read")
    }
}

impl Database {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).expect("a database");
        let field = u32::from_le_bytes(bytes[236..240].try_into().expect("four bytes"));
        let size = PageSize::from_header(field).expect("a page size");
        let mut database = Self {
            rows: HashMap::new(),
            roots: HashMap::new(),
            chunks: HashMap::new(),
            chunk_size: ChunkSize::new(size, None),
        };
        for page in bytes.chunks_exact(size.bytes()).skip(2) {
            let page = Page::new(page, size).expect("a page");
            let flags = page.flags();
            let other =
                PageFlags::SPACE_TREE | PageFlags::INDEX | PageFlags::EMPTY | PageFlags::SLV;
            if !flags.is_leaf() || flags.any(other) || page.objid() == Objid::SYSTEM_ROOT {
                continue;
            }
            if flags.any(PageFlags::LONG_VALUE) {
                database.read_long_values(page, path);
            } else {
                database.read_rows(page, path);
            }
        }
        database
    }

    fn read_rows(&mut self, page: Page<'_>, path: &Path) {
        let layout = RecordLayout::of_page(page);
        for node in page.nodes() {
            let node = node.expect("a node");
            if node.flags.is_deleted() {
                continue;
            }
            Record::with_layout(node.data, layout)
                .and_then(|record| record.check(CatalogLimits::ANY))
                .unwrap_or_else(|fault| {
                    panic!("{}: {page:?} {:02x?}: {fault}", path.display(), node.data)
                });
            assert!(node.data.len() <= Record::len_most(page.size()));
            let data = node.data.to_vec();
            let rows = self.rows.entry((page.objid(), node.key())).or_default();
            rows.push(Row { data, layout });
        }
    }

    fn read_long_values(&mut self, page: Page<'_>, path: &Path) {
        for node in page.nodes() {
            let node = node.expect("a node");
            if node.flags.is_deleted() {
                continue;
            }
            let key = LvKey::of_node(&node)
                .unwrap_or_else(|fault| panic!("{}: {page:?}: {fault}", path.display()));
            let id = (page.objid(), key.lid);
            match key.part {
                LvPart::Root => {
                    let root = LvRoot::parse(node.data).expect("a root");
                    self.roots.insert(id, root);
                }
                LvPart::Chunk(offset) => {
                    let chunks = self.chunks.entry(id).or_default();
                    chunks.push((offset, node.data.to_vec()));
                }
            }
        }
    }

    /// All compressed values in records become something; their number by scheme.
    fn check_compressed(&self) -> BTreeMap<String, usize> {
        let mut schemes = BTreeMap::new();
        for row in self.rows.values().flatten() {
            for tagged in row.record().tagged() {
                for value in tagged.expect("sound").values() {
                    let Instance::Intrinsic {
                        bytes,
                        compressed: true,
                        encrypted: false,
                    } = value
                    else {
                        continue;
                    };
                    let mut into = Vec::new();
                    decompress(bytes, None, &mut into).expect("compressed data");
                    assert!(into.len() > bytes.len());
                    let scheme = Scheme::from_header(bytes[0]).expect("a scheme");
                    *schemes.entry(scheme.to_string()).or_default() += 1;
                }
            }
        }
        schemes
    }

    /// All chunks of all long values that have references; their number by scheme.
    fn check_long_values(&self) -> BTreeMap<String, usize> {
        let mut schemes = BTreeMap::new();
        for (id, chunks) in &self.chunks {
            let Some(root) = self.roots.get(id).filter(|root| !root.is_orphan()) else {
                continue;
            };
            for (offset, stored) in chunks {
                assert_eq!(offset % self.chunk_size.get(), 0);
                let expected = root
                    .chunk_len(*offset, self.chunk_size)
                    .expect("in the value");
                let mut whole = Vec::new();
                match append_chunk(stored, expected, &mut whole) {
                    Ok(()) => assert_eq!(whole.len(), expected),
                    Err(CompressFault::Unsupported { .. }) if root.encrypted => {}
                    Err(fault) => panic!("{id:?} at {offset}: {fault}"),
                }
                let scheme = match stored.len() < expected {
                    true => Scheme::from_header(stored[0])
                        .expect("a scheme")
                        .to_string(),
                    false => "raw".to_owned(),
                };
                *schemes.entry(scheme).or_default() += 1;
            }
        }
        schemes
    }

    fn long_value(&self, objid: Objid, lid: Lid) -> Option<Vec<u8>> {
        let root = self.roots.get(&(objid, lid))?;
        let mut chunks: Vec<_> = self.chunks.get(&(objid, lid))?.iter().collect();
        chunks.sort();
        chunks.dedup_by_key(|chunk| chunk.0);
        let mut value = Vec::new();
        for (offset, stored) in chunks {
            let expected = root.chunk_len(*offset, self.chunk_size)?;
            append_chunk(stored, expected, &mut value).ok()?;
        }
        (value.len() == root.size as usize).then_some(value)
    }
}

/// What the catalog says of one table.
#[derive(Default)]
struct Table {
    objid: Objid,
    template: Option<String>,
    long_values: Option<Objid>,
    /// By name: id, type, offset in the record, length.
    columns: HashMap<String, Column>,
}

struct Column {
    fid: Fid,
    coltyp: Coltyp,
    offset: usize,
    size: usize,
    default: Option<Vec<u8>>,
}

fn catalog(database: &Database) -> HashMap<String, Table> {
    let mut by_objid: HashMap<u32, (String, Table)> = HashMap::new();
    for ((objid, _), rows) in &database.rows {
        if *objid != Objid::CATALOG {
            continue;
        }
        let row = rows[0].record();
        let number = |fid, offset, coltyp: Coltyp| {
            let size = coltyp.fixed_size().expect("a fixed type");
            let bytes = row
                .fixed(Fid::new(fid), offset, size)
                .expect("a field")
                .value()?;
            match Value::decode(bytes, coltyp, CodePage::Ansi).expect("a number") {
                Value::I32(value) => u32::try_from(value).ok(),
                Value::I16(value) => u32::try_from(value).ok(),
                _ => None,
            }
        };
        let text = |fid| {
            let bytes = row.variable(Fid::new(fid)).expect("a field").value()?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        let table = number(1, 4, Coltyp::Long).expect("a table");
        let kind = number(2, 8, Coltyp::Short).expect("a type");
        let id = number(3, 10, Coltyp::Long).expect("an id");
        let entry = by_objid.entry(table).or_default();
        match kind {
            1 => {
                entry.0 = text(128).expect("a name");
                entry.1.objid = Objid::new(table);
                entry.1.template = text(130);
            }
            2 => {
                let number_of_type = number(4, 14, Coltyp::Long).expect("a type");
                let column = Column {
                    fid: Fid::new(id as u16),
                    coltyp: Coltyp::from_catalog(number_of_type).expect("a column type"),
                    size: number(5, 18, Coltyp::Long).unwrap_or_default() as usize,
                    offset: number(9, 31, Coltyp::Short).unwrap_or_default() as usize,
                    default: row
                        .variable(Fid::new(131))
                        .expect("a field")
                        .value()
                        .map(<[u8]>::to_vec),
                };
                entry.1.columns.insert(text(128).expect("a name"), column);
            }
            4 => entry.1.long_values = Some(Objid::new(id)),
            _ => {}
        }
    }
    by_objid.into_values().collect()
}

/// One line of the engine's dump: `name[instance] (length) digits` and perhaps a hash.
struct Expected<'a> {
    column: &'a str,
    instance: usize,
    len: usize,
    digits: &'a str,
    hash: Option<u64>,
}

impl<'a> Expected<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (head, tail) = line
            .trim()
            .rsplit_once(") ")
            .or_else(|| line.trim().strip_suffix(")").map(|head| (head, "")))?;
        let (name, len) = head.rsplit_once(" (")?;
        let (column, instance) = name.strip_suffix(']')?.rsplit_once('[')?;
        let (digits, hash) = match tail.split_once("..[") {
            Some((digits, rest)) => {
                let hash = rest.split_once("fnv=")?.1.strip_suffix(']')?;
                (digits, Some(u64::from_str_radix(hash, 16).ok()?))
            }
            None => (tail, None),
        };
        Some(Self {
            column,
            instance: instance.parse().ok()?,
            len: len.parse().ok()?,
            digits,
            hash,
        })
    }

    fn is(&self, value: &[u8]) -> bool {
        let shown = &value[..value.len().min(self.digits.len() / 2)];
        let digits: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
        value.len() == self.len
            && digits == self.digits
            && self.hash.is_none_or(|hash| hash == fnv(value))
    }
}

/// FNV-1a with the starting value that the dumps use, which is not the usual one.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(1_469_598_103_934_665_603, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
        })
}

/// `Ok(None)`: the record has no value of its own. `Err`: encrypted.
fn value_of(
    database: &Database,
    table: &Table,
    row: &Row,
    column: &Column,
    derived: bool,
    instance: usize,
) -> Result<Option<Vec<u8>>, ()> {
    let record = row.record();
    let field = match column.fid.kind() {
        FidKind::Fixed => {
            let size = column.coltyp.fixed_size().unwrap_or(column.size);
            record
                .fixed(column.fid, column.offset, size)
                .expect("a fixed column")
        }
        FidKind::Variable => record.variable(column.fid).expect("a variable column"),
        FidKind::Tagged => {
            let tagged = record.find_tagged(column.fid, derived).expect("sound");
            let Some(tagged) = tagged else {
                return Ok(None);
            };
            return match tagged.values().nth(instance - 1) {
                None => Ok(None),
                Some(Instance::Separated(lid)) => Ok(table
                    .long_values
                    .and_then(|objid| database.long_value(objid, lid))),
                Some(Instance::Intrinsic {
                    encrypted: true, ..
                }) => Err(()),
                Some(Instance::Intrinsic {
                    bytes,
                    compressed: true,
                    ..
                }) => {
                    let mut value = Vec::new();
                    decompress(bytes, None, &mut value).expect("compressed data");
                    Ok(Some(value))
                }
                Some(Instance::Intrinsic { bytes, .. }) => Ok(Some(bytes.to_vec())),
            };
        }
    };
    Ok(match field {
        Field::Value(bytes) => Some(bytes.to_vec()),
        Field::Null | Field::Absent => None,
    })
}

#[derive(Default, Debug)]
struct Tally {
    equal: usize,
    /// The engine shows a default, the record has nothing of its own.
    defaults: usize,
    encrypted: usize,
    no_row: usize,
    different: usize,
}

fn compare(database: &Database, content: &str) -> Tally {
    let tables = catalog(database);
    let mut tally = Tally::default();
    let (mut table, mut rows): (Option<&Table>, &[Row]) = (None, &[]);
    for line in content.lines() {
        if let Some(name) = line.strip_prefix("TABLE ") {
            table = tables.get(name);
        } else if let (Some(key), Some(table)) = (line.strip_prefix("  ROW bm="), table) {
            let key = (0..key.len() / 2)
                .map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).expect("digits"))
                .collect();
            rows = database
                .rows
                .get(&(table.objid, key))
                .map_or(&[], Vec::as_slice);
        } else if let (true, Some(table)) = (line.starts_with("    "), table) {
            let Some(expected) = Expected::parse(line) else {
                panic!("unreadable: {line}");
            };
            let template = table.template.as_ref().and_then(|name| tables.get(name));
            let own = table
                .columns
                .get(expected.column)
                .map(|column| (column, false));
            let found = own.or_else(|| {
                let column = template?.columns.get(expected.column)?;
                Some((column, true))
            });
            let Some((column, derived)) = found else {
                panic!("no column for {line}");
            };
            let values: Vec<_> = rows
                .iter()
                .map(|row| value_of(database, table, row, column, derived, expected.instance))
                .collect();
            let right = |value: &Result<Option<Vec<u8>>, ()>| matches!(value, Ok(Some(value)) if expected.is(value));
            match values.first() {
                None => tally.no_row += 1,
                _ if values.iter().any(right) => tally.equal += 1,
                Some(Err(())) => tally.encrypted += 1,
                Some(Ok(None)) if column.default.as_deref().is_some_and(|it| expected.is(it)) => {
                    tally.defaults += 1;
                }
                Some(Ok(None)) => {
                    tally.different += 1;
                    println!("missing: {line}");
                }
                Some(Ok(Some(value))) => {
                    tally.different += 1;
                    if tally.different < 5 {
                        println!("different: {line}\n  got {} {value:02x?}", value.len());
                    }
                }
            }
        }
    }
    tally
}

/// Databases of the corpus, with the engine's dump of their content where there is one.
fn databases(corpus: &Path) -> Vec<(PathBuf, Option<PathBuf>)> {
    let mut found = Vec::new();
    for (group, prefix) in [("engine", "db"), ("real", "pre")] {
        let Ok(cases) = fs::read_dir(corpus.join(group)) else {
            continue;
        };
        for case in cases.flatten().map(|case| case.path()) {
            let name = case
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if group == "engine" && !name.starts_with("clean-") {
                continue;
            }
            let files: Vec<_> = fs::read_dir(case.join(prefix))
                .into_iter()
                .flatten()
                .flatten()
                .map(|file| file.path())
                .filter(|path| {
                    let extension = path.extension().unwrap_or_default().to_string_lossy();
                    !matches!(&*extension, "chk" | "log" | "jrs" | "jfm")
                })
                .collect();
            let content = case.join(format!("{prefix}-content.txt"));
            let content = (files.len() == 1 && content.exists()).then_some(content);
            found.extend(files.into_iter().map(|file| (file, content.clone())));
        }
    }
    found.sort();
    assert!(found.len() > 20, "no corpus in {}", corpus.display());
    found
}

#[test]
fn records_and_long_values_of_real_databases() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut failed = Vec::new();
    for (path, content) in databases(&corpus) {
        let database = Database::read(&path);
        let chunks = database.check_long_values();
        let rows: usize = database.rows.values().map(Vec::len).sum();
        let tally = content
            .and_then(|content| fs::read(content).ok())
            .map(|content| compare(&database, &String::from_utf8_lossy(&content)));
        let schemes = database.check_compressed();
        println!("{}: {rows} records, chunks {chunks:?}", path.display());
        println!("    {tally:?} intrinsic {schemes:?}");
        if tally.is_some_and(|tally| tally.different > 0) {
            failed.push(path);
        }
    }
    assert!(failed.is_empty(), "values differ in {failed:?}");
}

#[test]
fn damaged_real_records_do_not_panic() {
    let Some(corpus) = needs::corpus() else {
        return;
    };
    let mut state = 1_u64;
    let mut random = move |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit.max(1)
    };
    let (mut sound, mut faulty) = (0_usize, 0_usize);
    for (path, _) in databases(&corpus) {
        let database = Database::read(&path);
        for row in database.rows.values().flatten() {
            let mut data = row.data.clone();
            let near_header = data.len().min(60);
            for _ in 0..=random(3) {
                let at = random(near_header);
                data[at] = random(256) as u8;
            }
            let checked = Record::with_layout(&data, row.layout).and_then(|record| {
                assert!(record.tagged().count() <= data.len() / 4 + 1);
                let values = record.tagged().flatten().map(|it| it.values().count());
                assert!(values.sum::<usize>() <= data.len());
                record.check(CatalogLimits::ANY)
            });
            *(if checked.is_ok() {
                &mut sound
            } else {
                &mut faulty
            }) += 1;
        }
    }
    println!("{sound} damaged records still look sound, {faulty} do not");
}
