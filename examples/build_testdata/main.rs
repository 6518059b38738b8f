//! Writes the sample databases of `testdata/`, one large database for benchmarks, or one database of
//! every page size and some formats with all column types and indexes.
//!
//! ```text
//! cargo run --example build_testdata -- DIR
//! cargo run --release --example build_testdata -- --big SIZE FILE [--page-size N] [--revision N] [--scattered SEED]
//! cargo run --example build_testdata -- --wide DIR
//! cargo run --release --example build_testdata -- --folders COUNT FILE
//! ```
//!
//! A scattered database has few large tables, whose pages lie in no order.

mod samples;
mod scatter;
#[allow(dead_code, reason = "tests use the rest")]
mod stores;

use std::error::Error;
use std::fs::File;
use std::path::Path;

use exutil::build::{DatabaseBuilder, Options};
use exutil::format::ids::PageSize;

/// Messages of one batch of tables, and about how many bytes they take.
const BATCH: u32 = 4000;
/// Longest body in a large database.
const BODY: u64 = 12_000;
/// Rows of each table of a wide database.
const WIDE_ROWS: i32 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [dir] if !dir.starts_with('-') => write_samples(Path::new(dir)),
        ["--big", size, file, rest @ ..] => {
            write_big(parse_size(size)?, Path::new(file), &switches(rest)?)
        }
        ["--wide", dir] => write_wide(Path::new(dir)),
        ["--folders", count, file] => {
            stores::hostile::many_folders(count.parse()?, File::create(file)?)?;
            Ok(())
        }
        _ => Err("DIR, --wide DIR, --folders COUNT FILE, or --big SIZE FILE [--page-size N] [--revision N]".into()),
    }
}

fn write_samples(dir: &Path) -> Result<(), Box<dyn Error>> {
    for (name, bytes) in samples::all()?.into_iter().chain(stores::all()?) {
        std::fs::write(dir.join(name), bytes)?;
    }
    Ok(())
}

fn write_wide(dir: &Path) -> Result<(), Box<dyn Error>> {
    for (page_size, major) in samples::formats() {
        let bytes = samples::wide(samples::options(page_size, major, 5)?, WIDE_ROWS)?;
        std::fs::write(dir.join(format!("wide-{page_size}-{major}.edb")), bytes)?;
    }
    Ok(())
}

/// How a large database is to be.
struct Shape {
    page_size: PageSize,
    major: u32,
    scattered: Option<u64>,
}

fn switches(rest: &[&str]) -> Result<Shape, Box<dyn Error>> {
    let mut shape = Shape {
        page_size: PageSize::K4,
        major: 9,
        scattered: None,
    };
    for pair in rest.chunks(2) {
        match pair {
            ["--page-size", bytes] => {
                shape.page_size =
                    PageSize::from_header(bytes.parse()?).ok_or("no such page size")?;
            }
            ["--revision", number] => shape.major = number.parse()?,
            ["--scattered", seed] => shape.scattered = Some(seed.parse()?),
            _ => return Err("--page-size N, --revision N, --scattered SEED".into()),
        }
    }
    Ok(shape)
}

/// A number of bytes, with K, M or G after it.
fn parse_size(text: &str) -> Result<u64, Box<dyn Error>> {
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let shift = match text.chars().last() {
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        _ => 0,
    };
    Ok(digits.parse::<u64>()? << shift)
}

/// Adds copies of the store's tables until the file is large enough.
fn write_big(size: u64, file: &Path, shape: &Shape) -> Result<(), Box<dyn Error>> {
    let options: Options = samples::options(shape.page_size, shape.major, 1)?;
    let most = match shape.scattered {
        None => BATCH,
        Some(_) => u32::MAX,
    };
    let mut builder = DatabaseBuilder::new(File::create(file)?, options)?;
    let mut batch = 0;
    while builder.bytes_so_far() < size {
        let left = size - builder.bytes_so_far();
        let per_message = 3000;
        let messages = u64::from(most).min(left / per_message + 10) as u32;
        let store = samples::StoreSize {
            mailboxes: 20,
            folders: messages / 10 + 1,
            messages,
            body: BODY,
            suffix: format!("-{batch}"),
        };
        samples::store_tables(&mut builder, store)?;
        batch += 1;
    }
    builder.finish()?;
    if let Some(seed) = shape.scattered {
        let bytes = scatter::scatter(std::fs::read(file)?, seed)?;
        std::fs::write(file, bytes)?;
    }
    Ok(())
}
