//! The soft recovery of a dirty database: first as a dry run, then in earnest, and the way back. What `r` does.
//!
//! ```sh
//! cargo run --example recover -- FOLDER E00
//! ```

use std::error::Error;
use std::time::UNIX_EPOCH;

use exutil::format::stamp::LogTime;
use exutil::ops::recover::{RecoverOptions, recover_files};
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(folder), Some(base)) = (words.next(), words.next()) else {
        return Err("usage: recover FOLDER BASE".into());
    };
    let now = LogTime::from_unix(UNIX_EPOCH.elapsed()?);
    let mut options = RecoverOptions::new(base, folder, now);
    options.dry_run = true;
    let plan = recover_files(&options, &Silent)?;
    println!(
        "{} logs, {} changes to be made",
        plan.logs, plan.counts.applied
    );
    options.dry_run = false;
    let report = recover_files(&options, &Silent)?;
    for database in &report.databases {
        println!("{}: {}", database.path.display(), database.state.words());
    }
    if let Some(undo) = &report.undo_file {
        println!("{} gives the old state back", undo.display());
    }
    println!("ends with {}", report.jet);
    Ok(())
}
