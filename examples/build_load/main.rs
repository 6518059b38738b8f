//! Writes a database and a stream of logs that recovery has to redo on it: short transactions of several
//! sessions in turn, on random pages, as a mail store writes them. For measurements; see `benches/README.md`.
//!
//! ```text
//! cargo run --release --example build_load -- DIR [--pages N] [--log SIZE] [--old] [--log-segments N]
//!                                                  [--open N] [--long N] [--flushed] [--skip N]
//! ```
//!
//! `--pages`: leaf pages that are changed (20000, of 8 KiB). `--log`: bytes of records, with K, M or G (64M).
//! `--old`: logs of the format 7.3704. `--log-segments`: size of a log in 4 KiB (256). `--open`: changes of
//! one transaction at the end that never commits; `--long`: of one that does. `--flushed`: the database has all
//! changes already. `--skip`: so many pages of holes before the pages that are changed.

mod load;

use std::error::Error;
use std::fs::File;
use std::path::Path;

use exutil::build::logs::{LogBuilder, LogFormat, StreamOptions, Tail};
use exutil::build::{Column, DatabaseBuilder, Index, Options, Row, Table, format_of};
use exutil::format::checksum::seal;
use exutil::format::dbheader::{DbHeader, DbState};
use exutil::format::ids::{DbTime, Generation, Objid, PageSize, Pgno};
use exutil::format::loghdr::Environment;
use exutil::format::logrec::{AttachDb, DbId, ProcId, Record};
use exutil::format::logwrite::{control::init2, encode};
use exutil::format::page::{Page, PageFlags};
use exutil::format::schema::Coltyp;
use exutil::format::stamp::LogTime;
use exutil::log::changes::StreamNaming;
use exutil::storage::{FileStorage, Storage};

use self::load::{Load, Tree};

type Outcome<T> = Result<T, Box<dyn Error>>;

const SIZE: PageSize = PageSize::K8;
/// Bytes of a row.
const ROW: usize = 300;
/// Rows of 300 bytes on a page of 8 KiB.
const ROWS_A_PAGE: u32 = 25;
/// What the log calls the database.
const NAME: &str = "load.edb";

/// What the command line asks for.
struct Wanted {
    dir: String,
    pages: u32,
    log: u64,
    old: bool,
    log_segments: u16,
    open: u32,
    long: u32,
    flushed: bool,
    skip: u32,
}

fn main() -> Outcome<()> {
    let wanted = wanted()?;
    let dir = Path::new(&wanted.dir);
    std::fs::create_dir_all(dir)?;
    let path = dir.join(NAME);
    let options = build_database(&path, &wanted)?;
    let file = FileStorage::open_rw(&path)?;
    let mut header = vec![0; SIZE.bytes()];
    file.read_exact_at(0, &mut header)?;
    let mut db = DbHeader::parse(&header)?;

    let mut logs = LogBuilder::new(stream(&wanted, &options))?;
    let environment = Environment::small(wanted.log_segments.into());
    logs.append(&init2(&environment, options.time))?;
    let attach = AttachDb {
        procid: ProcId(5),
        dbid: DbId(1),
        max_pages: 0,
        consistent: db.last_consistent,
        sign_db: db.sign_db,
        sign_log: db.sign_log,
        flags: 0,
        path: NAME.to_owned(),
    };
    db.last_attach = logs.append(&encode(&Record::AttachDb(attach))?)?;

    let mut load = Load::new(leaf_pages(&file, &db)?, db.dbtime);
    load.run(&mut logs, wanted.log)?;
    load.transaction(&mut logs, wanted.long, true)?;
    load.transaction(&mut logs, wanted.open, false)?;
    let last = logs.position().generation;
    for built in logs.finish(Tail::Whole) {
        std::fs::write(dir.join(&built.name), &built.bytes)?;
    }

    db.required_low = Generation::new(1);
    db.required_high = last;
    db.committed_high = last;
    db.write_to(&mut header);
    file.write_at(0, &header)?;
    file.write_at(SIZE.bytes() as u64, &header)?;
    if wanted.flushed {
        for (pgno, mut bytes) in load.into_pages() {
            seal(&mut bytes, SIZE, pgno);
            file.write_at(pgno.offset(SIZE), &bytes)?;
        }
    }
    Ok(())
}

fn wanted() -> Outcome<Wanted> {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = Wanted {
        dir: arguments.next().ok_or("where to? DIR [switches]")?,
        pages: 20_000,
        log: 64 << 20,
        old: false,
        log_segments: 256,
        open: 0,
        long: 0,
        flushed: false,
        skip: 0,
    };
    while let Some(switch) = arguments.next() {
        let mut number = || -> Outcome<u64> {
            let text = arguments.next().ok_or("a number is missing")?;
            let digits = text.trim_end_matches(['K', 'M', 'G']);
            let shift = match text.chars().last() {
                Some('K') => 10,
                Some('M') => 20,
                Some('G') => 30,
                _ => 0,
            };
            Ok(digits.parse::<u64>()? << shift)
        };
        match switch.as_str() {
            "--pages" => wanted.pages = number()?.try_into()?,
            "--log" => wanted.log = number()?,
            "--log-segments" => wanted.log_segments = number()?.try_into()?,
            "--open" => wanted.open = number()?.try_into()?,
            "--long" => wanted.long = number()?.try_into()?,
            "--skip" => wanted.skip = number()?.try_into()?,
            "--old" => wanted.old = true,
            "--flushed" => wanted.flushed = true,
            other => return Err(format!("what is {other}?").into()),
        }
    }
    Ok(wanted)
}

fn build_database(path: &Path, wanted: &Wanted) -> Outcome<Options> {
    let revision = if wanted.old { 12 } else { 290 };
    let format = format_of(revision).ok_or("no such format")?;
    let mut options = Options::new(SIZE, format, 7);
    options.state = DbState::DirtyShutdown;
    options.required = (Generation::new(1), Generation::new(1));
    let mut builder = DatabaseBuilder::new(File::create(path)?, options.clone())?;
    if wanted.skip > 0 {
        let mut empty = Table::new("Before");
        empty.pages = wanted.skip;
        empty.add(Column::fixed("id", Coltyp::Long));
        builder.add_table(empty, [])?;
    }
    let mut table = Table::new("Load");
    let id = table.add(Column::fixed("id", Coltyp::Long).not_null());
    let body = table.add(Column::fixed("a", Coltyp::Long));
    let text = table.add(Column::variable("body", Coltyp::Binary).max(255));
    table.primary(Index::new("pk").ascending(id));
    let rows = (0..wanted.pages * ROWS_A_PAGE).map(|number| {
        Row::new()
            .set(id, (number as i32).to_le_bytes())
            .set(body, number.to_le_bytes())
            .set(text, vec![number as u8; ROW - 50])
    });
    builder.add_table(table, rows)?;
    builder.finish()?;
    Ok(options)
}

fn stream(wanted: &Wanted, options: &Options) -> StreamOptions {
    StreamOptions {
        naming: StreamNaming {
            base: "E00".into(),
            extension: "log".into(),
            digits: 8,
        },
        format: if wanted.old {
            LogFormat::Ranges { sector: 4096 }
        } else {
            LogFormat::Segments
        },
        version: if wanted.old { (15, 0) } else { (130, 280) },
        file_sectors: wanted.log_segments,
        page_size: SIZE.header_value() as u16,
        sign_log: options.sign_log,
        first: (Generation::new(1), LogTime::default()),
        created: options.time,
        environment: Environment::small(0),
    }
}

/// The leaf pages of the table with most of them, and its root.
fn leaf_pages(file: &dyn Storage, db: &DbHeader) -> Outcome<Tree> {
    let pages = file.len()? / SIZE.bytes() as u64 - 2;
    let mut leaves = Vec::new();
    let mut root = (Pgno::default(), Objid::default());
    let mut bytes = vec![0; SIZE.bytes()];
    for number in 1..=pages as u32 {
        let pgno = Pgno::new(number);
        file.read_exact_at(pgno.offset(SIZE), &mut bytes)?;
        let page = Page::new(&bytes, SIZE).ok_or("page size")?;
        // The table of the load is the last one made, and is the only one with keys of its own.
        if page.objid() != db.objid_last || page.dbtime() == DbTime::ZERO {
            continue;
        }
        let flags = page.flags();
        if flags.any(PageFlags::ROOT) && !flags.any(PageFlags::SPACE_TREE) {
            root = (pgno, page.objid());
        } else if flags.is_leaf() && !flags.any(PageFlags::SPACE_TREE) {
            leaves.push((pgno, bytes.clone()));
        }
    }
    if leaves.is_empty() {
        return Err("the table has no leaf pages".into());
    }
    Ok(Tree {
        root: root.0,
        objid: root.1,
        leaves,
    })
}
