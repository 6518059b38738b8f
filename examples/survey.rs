//! What one file is and what it says of itself, as a sweep notes it down: a line of `sweep`.
//!
//! ```sh
//! cargo run --example survey -- testdata/dirty.edb
//! ```

use std::error::Error;
use std::path::Path;

use exutil::ops::survey::examine;
use exutil::ops::survey::record::Depth;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: survey FILE")?;
    let record = examine(Path::new(&path), path.clone(), Depth::Checksum);
    println!("{}, {} bytes", record.kind.words(), record.bytes);
    if let Some(facts) = record.database() {
        println!("{}, repaired {} times", facts.state_words, facts.repairs);
    }
    for finding in &record.findings {
        println!("{}", finding["text"]);
    }
    Ok(())
}
