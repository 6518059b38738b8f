//! The checksum of every page of a database: what `k` does.
//!
//! ```sh
//! cargo run --example checksum -- testdata/priv1.edb
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::checksum::{ChecksumOptions, check_file};
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: checksum FILE")?;
    let report = check_file(Path::new(&path), &ChecksumOptions::default(), &Silent)?;
    let counts = &report.counts;
    println!("{} pages of {} bytes", counts.seen, report.page_size);
    println!("{} bad, {} correctable", counts.bad, counts.correctable);
    for run in &report.bad_pages {
        println!(
            "page {} and {} more: {:?}",
            run.first,
            run.count - 1,
            run.kind
        );
    }
    println!("ends with {}", report.jet());
    Ok(())
}
