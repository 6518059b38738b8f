//! The restore of an online backup, logs and all: what `cc` does.
//!
//! ```sh
//! cargo run --example restore -- FOLDER
//! ```

use std::error::Error;
use std::time::UNIX_EPOCH;

use exutil::format::stamp::LogTime;
use exutil::ops::restore::{RestoreOptions, describe, restore_files};
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: restore FOLDER")?;
    let options = RestoreOptions::new(path, LogTime::from_unix(UNIX_EPOCH.elapsed()?));
    let known = describe(&options)?;
    if let Some(fault) = known.faults.first() {
        return Err(format!("it cannot be restored as it is: {fault}").into());
    }
    let report = restore_files(&options, &mut |_environment| (), &Silent)?;
    for (database, end) in &report.ends {
        println!(
            "{}: the end of its backup is told by {end:?}",
            database.display()
        );
    }
    for database in &report.recovery.databases {
        println!("{}: {}", database.path.display(), database.state.words());
    }
    println!("{} logs were replayed", report.recovery.logs);
    Ok(())
}
