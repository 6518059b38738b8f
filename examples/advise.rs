//! What to do about a folder, in order, and why: what `advise` does.
//!
//! ```sh
//! cargo run --example advise -- testdata
//! ```

use std::error::Error;
use std::time::UNIX_EPOCH;

use exutil::format::stamp::LogTime;
use exutil::ops::advise::{AdviseOptions, advise};
use exutil::ops::sweep::Unwatched;
use exutil::progress::Silent;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: advise FOLDER")?;
    let mut options = AdviseOptions::new(path, LogTime::from_unix(UNIX_EPOCH.elapsed()?));
    // The first command is tried on copies in memory.
    options.prove = true;
    let advice = advise(&options, &Unwatched, &Silent)?;
    for group in &advice.groups {
        println!(
            "{}: {:?}, {}",
            group.group.verdict.words(),
            group.way,
            group.why
        );
        for step in &group.steps {
            println!("    {}: {}", step.command.command, step.why);
        }
        if let Some(proof) = &group.proof {
            println!("    '{}' ends with {}", proof.mode, proof.jet);
        }
    }
    Ok(())
}
