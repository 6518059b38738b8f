//! The header of a database and the logs that it needs: what `mh` does.
//!
//! ```sh
//! cargo run --example headers -- testdata/dirty.edb
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::headers::{HeaderOptions, LogSearch, read_headers};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: headers FILE")?;
    let options = HeaderOptions {
        logs: LogSearch::Beside,
        ..HeaderOptions::default()
    };
    let report = read_headers(Path::new(&path), &options)?;
    let state = report.state.map_or("no good header", |state| state.words());
    println!("{state}, pages of {} bytes", report.copies.page_size);
    for log in report.required_logs.iter().flat_map(|needed| &needed.logs) {
        println!("needs {}: {:?}", log.name, log.state);
    }
    Ok(())
}
