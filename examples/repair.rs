//! The repair of a damaged database: first what it would do and lose, then in earnest. What `p` does.
//!
//! ```sh
//! cargo run --example repair -- FILE
//! ```

use std::error::Error;
use std::time::UNIX_EPOCH;

use exutil::format::stamp::LogTime;
use exutil::ops::repair::{Outcome, RepairFileOptions, repair_file};
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: repair FILE")?;
    let now = LogTime::from_unix(UNIX_EPOCH.elapsed()?);
    let mut options = RepairFileOptions::new(path, now);
    options.dry_run = true;
    let plan = repair_file(&options, &Silent)?;
    println!("{} findings: {:?}", plan.check.findings.len(), plan.outcome);
    for table in plan.losses.iter().flat_map(|losses| &losses.tables) {
        let lost = table.dropped.count + table.lost_keys.count;
        println!(
            "{}: {} records stay, {lost} are lost",
            table.name, table.records
        );
    }
    if plan.outcome == Outcome::Sound {
        return Ok(());
    }
    options.dry_run = false;
    let report = repair_file(&options, &Silent)?;
    if let Some(original) = &report.original {
        println!("the database as it was is {}", original.display());
    }
    Ok(())
}
