//! The header of a flush map (`.jfm`) and whether its pages are good: what `mp` does.
//!
//! ```sh
//! cargo run --example flushmap -- priv1.jfm
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::flushmap::read_flush_map;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: flushmap FILE")?;
    let report = read_flush_map(Path::new(&path))?;
    println!(
        "version {:?}, {} pages",
        report.header.version, report.data_pages
    );
    println!("attached {}", report.header.attached);
    for finding in &report.findings {
        println!("{}: {}", finding.problem.info().text, finding.detail);
    }
    Ok(())
}
