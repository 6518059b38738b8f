//! A database written anew, without the gaps: what `d` does.
//!
//! ```sh
//! cargo run --example defrag -- FILE
//! ```

use std::error::Error;
use std::path::Path;
use std::time::UNIX_EPOCH;

use exutil::format::stamp::LogTime;
use exutil::ops::defrag::{DefragOptions, defragment_file};
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: defrag FILE")?;
    let path = std::path::absolute(path)?;
    let mut options = DefragOptions::new(&path, LogTime::from_unix(UNIX_EPOCH.elapsed()?));
    // Not into the current folder, which is where Eseutil makes the new file.
    options.temp = path.parent().map(Path::to_owned);
    let report = defragment_file(&options, &Silent)?;
    println!("{} tables, {} nodes", report.tables, report.nodes);
    println!(
        "{} bytes before, {} now",
        report.bytes_before, report.bytes_after
    );
    println!("verified: {}", report.verified);
    Ok(())
}
