//! Writes the sample databases of `testdata/`, one large database for benchmarks, or one database of
//! every page size and some formats with all column types and indexes.
//!
//! ```text
//! cargo run --example build_testdata -- DIR
//! cargo run --release --example build_testdata -- --big SIZE FILE [--page-size N] [--revision N]
//! cargo run --example build_testdata -- --wide DIR
//! ```

mod samples;

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
            let (page_size, major) = switches(rest)?;
            write_big(parse_size(size)?, Path::new(file), page_size, major)
        }
        ["--wide", dir] => write_wide(Path::new(dir)),
        _ => Err("DIR, --wide DIR, or --big SIZE FILE [--page-size N] [--revision N]".into()),
    }
}

fn write_samples(dir: &Path) -> Result<(), Box<dyn Error>> {
    for (name, bytes) in samples::all()? {
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

fn switches(rest: &[&str]) -> Result<(PageSize, u32), Box<dyn Error>> {
    let (mut page_size, mut major) = (PageSize::K4, 9);
    for pair in rest.chunks(2) {
        match pair {
            ["--page-size", bytes] => {
                page_size = PageSize::from_header(bytes.parse()?).ok_or("no such page size")?;
            }
            ["--revision", number] => major = number.parse()?,
            _ => return Err("--page-size N, --revision N".into()),
        }
    }
    Ok((page_size, major))
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
fn write_big(
    size: u64,
    file: &Path,
    page_size: PageSize,
    major: u32,
) -> Result<(), Box<dyn Error>> {
    let options: Options = samples::options(page_size, major, 1)?;
    let mut builder = DatabaseBuilder::new(File::create(file)?, options)?;
    let mut batch = 0;
    while builder.bytes_so_far() < size {
        let left = size - builder.bytes_so_far();
        let per_message = 3000;
        let messages = u64::from(BATCH).min(left / per_message + 10) as u32;
        let shape = samples::StoreSize {
            mailboxes: 20,
            folders: messages / 10 + 1,
            messages,
            body: BODY,
            suffix: format!("-{batch}"),
        };
        samples::store_tables(&mut builder, shape)?;
        batch += 1;
    }
    builder.finish()?;
    Ok(())
}
