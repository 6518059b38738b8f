//! The logs of a stream, one after the other: whether each is sound and follows the one before. What `ml E00` does.
//!
//! ```sh
//! cargo run --example logs -- logs E00
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::logs::{GenerationRange, Quiet, StreamEntry, read_stream};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(folder), Some(base)) = (words.next(), words.next()) else {
        return Err("usage: logs FOLDER BASE".into());
    };
    let all = GenerationRange::default();
    let report = read_stream(Path::new(&folder), &base, all, &mut Quiet)?;
    for entry in &report.entries {
        match entry {
            StreamEntry::Log { path, troubles, .. } if troubles.is_empty() => {
                println!("{}: sound", path.display());
            }
            StreamEntry::Log { path, troubles, .. } => {
                println!("{}: {troubles:?}", path.display());
            }
            StreamEntry::Missing { names, .. } => println!("missing: {} to {}", names.0, names.1),
        }
    }
    println!("ends with {}", report.jet);
    Ok(())
}
