//! Every file of the engine below a folder, and what those that belong together come to: what `sweep` does.
//!
//! ```sh
//! cargo run --example sweep -- testdata
//! ```

use std::error::Error;

use exutil::ops::survey::record::FileRecord;
use exutil::ops::sweep::{SweepOptions, Unwatched, sweep};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: sweep FOLDER")?;
    let options = SweepOptions {
        roots: vec![path.into()],
        ..SweepOptions::default()
    };
    let mut show = |record: &FileRecord| println!("{}: {}", record.path, record.kind.words());
    let report = sweep(&options, &Unwatched, &mut show)?;
    for group in &report.groups {
        println!("group {}: {}", group.group, group.verdict.words());
        for step in &group.next {
            println!("    {}", step.command);
        }
    }
    println!("{} files", report.counts.files);
    Ok(())
}
