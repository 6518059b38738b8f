//! The integrity check of a database, of every table with all its indexes: what `g` does.
//!
//! ```sh
//! cargo run --example integrity -- testdata/priv1.edb
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::integrity::{IntegrityOptions, check_database};
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: integrity FILE")?;
    let report = check_database(Path::new(&path), &IntegrityOptions::default(), &Silent)?;
    for table in &report.check.tables {
        println!("{}: {} records", table.name, table.records);
    }
    for finding in &report.check.findings {
        let info = finding.problem.info();
        println!("{} {}: {}", info.code, info.text, finding.detail);
    }
    println!("ends with {}", report.jet());
    Ok(())
}
